//! What does each table of the file say, before anything is filled in from elsewhere?

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeTable;

use super::diagnostic::Diagnostics;
use super::keys::{self, JOB, MOST_PLACES, POLICIES, WHEN_UNRECORDABLE};
use super::policies::Policies;
use super::section::{At, Section};
use super::steps::{RawMatrix, RawSteps};
use super::wanted::Wanted;
use super::work::RawWork;
use crate::job::JobName;
use crate::schedule::{Bound, Schedule};

#[derive(Debug, Clone)]
pub struct RawJob {
    pub description: Option<At<String>>,
    pub formerly: Option<At<JobName>>,
    pub enabled: Option<At<bool>>,
    pub schedule: Option<At<Vec<At<String>>>>,
    pub not_before: Option<At<Bound>>,
    pub not_after: Option<At<Bound>>,
    pub after: Option<At<Vec<At<String>>>>,
    pub work: RawWork,
    pub steps: Option<RawSteps>,
    pub keep_going: Option<At<bool>>,
    pub matrix: Option<RawMatrix>,
    pub max_parallel: Option<At<i64>>,
    /// Where each key of a job alone stands that does.
    pub stands: Vec<(&'static str, Range<usize>)>,
    pub policies: Policies,
}

impl RawJob {
    pub fn read(table: &DeTable, path: &str, said: &mut Diagnostics) -> Self {
        let mut section = Section::open(table, path, &[JOB, POLICIES], said);
        Self {
            description: section.text("description"),
            formerly: section.parsed("formerly", Wanted::Other("the name that the job had before"), JobName::new),
            enabled: section.boolean("enabled"),
            schedule: section.texts("schedule"),
            not_before: section.bound("not_before"),
            not_after: section.bound("not_after"),
            after: section.texts("after"),
            work: RawWork::read(&mut section),
            steps: RawSteps::read(&mut section),
            keep_going: section.boolean("keep_going"),
            matrix: RawMatrix::read(&mut section),
            max_parallel: section.integer("max_parallel", 1, i64::MAX),
            stands: section.stands(JOB.iter().map(|key| key.name)),
            policies: Policies::read(&mut section),
        }
    }
}

/// Checks the form of `[daemon]`; its values are layered with environment and flags elsewhere. What comes back are the
/// channels that it names, behind the key that does.
pub fn check_daemon(table: &DeTable, said: &mut Diagnostics) -> Vec<(&'static str, At<String>)> {
    let mut section = Section::open(table, "daemon", &[keys::DAEMON], said);
    section.filled_text("database");
    section.text("timezone");
    section.integer("max_running", 1, MOST_PLACES);
    section.duration("stop_grace");
    if let Some(run) = section.choice("when_unrecordable", &WHEN_UNRECORDABLE).filter(|at| at.value) {
        let key = section.path_of("when_unrecordable");
        let message = "what runs while the ledger cannot be written runs again if the daemon ends before it can";
        let help = "choose it where a run that is missed is worse than one that is repeated";
        section.said().warn(&key, run.span, message.to_owned(), Some(help.to_owned()));
    }
    check_groups(&mut section, "operators");
    check_groups(&mut section, "readers");
    section.target("ping");
    section.filled_text("templates");
    let named = section.texts("channels").into_iter().flat_map(|names| names.value);
    let mut named: Vec<_> = named.map(|name| ("daemon.channels", name)).collect();
    if let Some(mut chores) = section.table("housekeeping", &[keys::HOUSEKEEPING]) {
        check_pattern(&mut chores, "prune");
        check_pattern(&mut chores, "optimize");
        check_pattern(&mut chores, "audit");
        check_backup(&mut chores);
        let names = check_digest(&mut chores);
        named.extend(names.into_iter().map(|name| ("daemon.housekeeping.digest.channels", name)));
    }
    if let Some(mut retention) = section.table("retention", &[keys::RETENTION]) {
        retention.settable("keep", Section::duration);
        retention.settable("keep_failures", Section::duration);
        retention.integer("keep_last", 0, i64::from(u32::MAX));
        retention.settable("max_size", Section::size);
    }
    named
}

/// Whether there are such groups is a matter of the machine.
fn check_groups(section: &mut Section, key: &str) {
    for name in section.texts(key).into_iter().flat_map(|names| names.value) {
        if name.value.is_empty() || name.value.contains([',', ' ', '\0']) {
            section.error(key, name.span, format!("`{}` is no name of a group", name.value), None);
        }
    }
}

fn check_backup(chores: &mut Section) {
    let span = chores.span("backup");
    let has_schedule = {
        let Some(mut backup) = chores.table("backup", &[keys::BACKUP]) else {
            return;
        };
        check_pattern(&mut backup, "schedule");
        backup.filled_text("to");
        backup.integer("keep_last", 1, MOST_PLACES);
        backup.span("schedule").is_some()
    };
    if let Some(span) = span.filter(|_| !has_schedule) {
        let help = "write for example backup = { schedule = \"0 4 * * *\", to = \"backups\", keep_last = 7 }";
        chores.error("backup", span, "`backup` has no `schedule`, so none would be made", Some(help.to_owned()));
    }
}

fn check_digest(chores: &mut Section) -> Vec<At<String>> {
    let span = chores.span("digest");
    let (has_schedule, names) = {
        let Some(mut digest) = chores.table("digest", &[keys::DIGEST]) else {
            return Vec::new();
        };
        check_pattern(&mut digest, "schedule");
        let names = digest.texts("channels").map(|names| names.value).unwrap_or_default();
        (digest.span("schedule").is_some(), names)
    };
    if let Some(span) = span.filter(|_| !has_schedule) {
        let help = "write for example digest = { schedule = \"0 7 * * 1\", channels = [\"ops\"] }";
        chores.error("digest", span, "`digest` has no `schedule`, so none would be told", Some(help.to_owned()));
    }
    names
}

/// Named capacities that jobs share.
pub fn read_pools(table: &DeTable, said: &mut Diagnostics) -> BTreeMap<String, usize> {
    let mut section = Section::open_names(table, "pools", said);
    let names = section.all_names();
    let capacity = |(name, _): (&str, Range<usize>)| {
        // A pool whose number is wrong is there all the same, for whoever names it.
        let places = section.integer(name, 1, MOST_PLACES).map_or(1, |at| at.value);
        Some((name.to_owned(), usize::try_from(places).ok()?))
    };
    names.filter_map(capacity).collect()
}

fn check_pattern(section: &mut Section, key: &str) {
    let Some(text) = section.text(key).filter(|text| text.value != "none") else {
        return;
    };
    match Schedule::parse(&text.value, "") {
        Err(error) => {
            section.error(key, text.span, error.message, error.help);
        }
        Ok(schedule) if schedule.chore_pattern().is_none() => {
            let help = "write for example \"15 3 * * *\", in UTC, or \"none\"".to_owned();
            section.error(key, text.span, "housekeeping takes a cron pattern", Some(help));
        }
        Ok(_) => {}
    }
}

//! What does each table of the file say, before anything is filled in from elsewhere?

use std::collections::BTreeMap;
use std::ops::Range;

use toml::de::DeTable;

use super::diagnostic::Diagnostics;
use super::policies::{POLICY_KEYS, Policies};
use super::section::{At, Section};
use super::steps::{RawMatrix, RawSteps};
use super::work::RawWork;
use crate::job::JobName;
use crate::schedule::{Bound, Schedule};

pub const JOB_KEYS: [&str; 16] = [
    "description",
    "formerly",
    "enabled",
    "schedule",
    "not_before",
    "not_after",
    "after",
    "command",
    "http",
    "sql",
    "mail",
    "stdin",
    "steps",
    "keep_going",
    "matrix",
    "max_parallel",
];
const DAEMON_KEYS: [&str; 7] =
    ["database", "timezone", "max_running", "stop_grace", "when_unrecordable", "housekeeping", "retention"];
const HOUSEKEEPING_KEYS: [&str; 4] = ["prune", "optimize", "audit", "backup"];
const BACKUP_KEYS: [&str; 3] = ["schedule", "to", "keep_last"];
const RETENTION_KEYS: [&str; 4] = ["keep", "keep_failures", "keep_last", "max_size"];

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
        let keys: Vec<&str> = JOB_KEYS.iter().chain(&POLICY_KEYS).copied().collect();
        let mut section = Section::open(table, path, &keys, said);
        Self {
            description: section.text("description"),
            formerly: section.parsed("formerly", "the name that the job had before", JobName::new),
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
            stands: section.stands(&JOB_KEYS),
            policies: Policies::read(&mut section),
        }
    }
}

/// Checks the form of `[daemon]`; its values are layered with environment and flags elsewhere.
pub fn check_daemon(table: &DeTable, said: &mut Diagnostics) {
    let mut section = Section::open(table, "daemon", &DAEMON_KEYS, said);
    section.clean_text("database");
    section.text("timezone");
    section.integer("max_running", 1, 1_000_000);
    section.duration("stop_grace");
    if let Some(run) = section.choice("when_unrecordable", &[("wait", false), ("run", true)]).filter(|at| at.value) {
        let key = section.path_of("when_unrecordable");
        let message = "what runs while the ledger cannot be written runs again if the daemon ends before it can";
        let help = "choose it where a run that is missed is worse than one that is repeated";
        section.said().warn(&key, run.span, message.to_owned(), Some(help.to_owned()));
    }
    if let Some(mut chores) = section.table("housekeeping", &HOUSEKEEPING_KEYS) {
        check_pattern(&mut chores, "prune");
        check_pattern(&mut chores, "optimize");
        check_backup(&mut chores);
    }
    if let Some(mut retention) = section.table("retention", &RETENTION_KEYS) {
        retention.settable("keep", Section::duration);
        retention.settable("keep_failures", Section::duration);
        retention.integer("keep_last", 0, i64::MAX);
        retention.settable("max_size", Section::size);
    }
}

fn check_backup(chores: &mut Section) {
    let span = chores.span("backup");
    let has_schedule = {
        let Some(mut backup) = chores.table("backup", &BACKUP_KEYS) else {
            return;
        };
        check_pattern(&mut backup, "schedule");
        backup.clean_text("to");
        backup.integer("keep_last", 1, 1_000_000);
        backup.span("schedule").is_some()
    };
    if let Some(span) = span.filter(|_| !has_schedule) {
        let help = "write for example backup = { schedule = \"0 4 * * *\", to = \"backups\", keep_last = 7 }";
        chores.error("backup", span, "`backup` has no `schedule`, so none would be made", Some(help.to_owned()));
    }
}

/// Named capacities that jobs share.
pub fn read_pools(table: &DeTable, said: &mut Diagnostics) -> BTreeMap<String, usize> {
    let names: Vec<&str> = table.keys().map(|key| key.get_ref().as_ref()).collect();
    let mut section = Section::open(table, "pools", &names, said);
    let capacity = |name: &&str| {
        let at = section.integer(name, 1, 1_000_000)?;
        Some(((*name).to_owned(), usize::try_from(at.value).ok()?))
    };
    names.iter().filter_map(capacity).collect()
}

fn check_pattern(section: &mut Section, key: &str) {
    let Some(text) = section.text(key).filter(|text| text.value != "none") else {
        return;
    };
    match Schedule::parse(&text.value, "") {
        Err(error) => section.error(key, text.span, error.message, error.help),
        Ok(schedule) if schedule.chore_pattern().is_none() => section.error(
            key,
            text.span,
            "housekeeping takes a cron pattern",
            Some("write for example \"15 3 * * *\", in UTC, or \"none\"".to_owned()),
        ),
        Ok(_) => {}
    }
}

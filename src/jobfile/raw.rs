//! What does each table of the file say, before anything is filled in from elsewhere?

use std::collections::BTreeMap;
use std::ops::Range;
use std::time::Duration;

use toml::de::DeTable;

use super::diagnostic::Diagnostics;
use super::section::{At, Section, Settable};
use super::standing::{self, RawLimits};
use crate::job::{CatchUp, Overlap, StopSignal};
use crate::schedule::{Bound, Fold, Gap, Schedule, Then};

/// Keys that `[defaults]` and a job have in common.
const POLICY_KEYS: [&str; 29] = [
    "timezone",
    "not_on",
    "not_on_then",
    "jitter",
    "dst_gap",
    "dst_fold",
    "shell",
    "user",
    "group",
    "cwd",
    "env",
    "env_file",
    "umask",
    "nice",
    "limits",
    "timeout",
    "stop_signal",
    "kill_after",
    "output_limit",
    "overlap",
    "queue_limit",
    "pool",
    "catch_up",
    "catch_up_within",
    "success_codes",
    "no_retry_codes",
    "retries",
    "retry_delay",
    "retry_max_delay",
];
const JOB_KEYS: [&str; 8] =
    ["description", "enabled", "schedule", "not_before", "not_after", "after", "command", "stdin"];
const DAEMON_KEYS: [&str; 6] = ["database", "timezone", "max_running", "stop_grace", "housekeeping", "retention"];
const HOUSEKEEPING_KEYS: [&str; 2] = ["prune", "optimize"];
const RETENTION_KEYS: [&str; 4] = ["keep", "keep_failures", "keep_last", "max_size"];

/// Who lets more runs of a job wait has no need for a limit.
const MOST_QUEUED: i64 = 1_000_000;

/// With the longest pause of five minutes more than a week of trying.
const MOST_RETRIES: i64 = 10_000;

/// How a run is done: what a job may say itself or take from `[defaults]`.
#[derive(Debug, Clone, Default)]
pub struct Policies {
    pub timezone: Settable<String>,
    pub not_on: Settable<Vec<At<String>>>,
    pub not_on_then: Settable<Then>,
    pub jitter: Settable<Duration>,
    pub dst_gap: Settable<Gap>,
    pub dst_fold: Settable<Fold>,
    pub shell: Settable<Vec<String>>,
    pub user: Settable<String>,
    pub group: Settable<String>,
    pub cwd: Settable<String>,
    pub env: Settable<Vec<(String, String)>>,
    pub env_file: Settable<Vec<At<String>>>,
    pub umask: Settable<u32>,
    pub nice: Settable<i64>,
    pub limits: Settable<RawLimits>,
    pub timeout: Settable<Duration>,
    pub stop_signal: Settable<StopSignal>,
    pub kill_after: Settable<Duration>,
    pub output_limit: Settable<u64>,
    pub overlap: Option<At<Overlap>>,
    pub queue_limit: Option<At<i64>>,
    pub pool: Settable<Vec<At<String>>>,
    pub catch_up: Option<At<CatchUp>>,
    pub catch_up_within: Settable<Duration>,
    pub success_codes: Settable<Vec<i64>>,
    pub no_retry_codes: Settable<Vec<i64>>,
    pub retries: Option<At<i64>>,
    pub retry_delay: Settable<Duration>,
    pub retry_max_delay: Settable<Duration>,
}

/// How the command was written; see [`crate::job::CommandLine`].
#[derive(Debug, Clone)]
pub enum RawCommand {
    Text(String),
    List(Vec<String>),
}

#[derive(Debug, Clone)]
pub struct RawJob {
    pub description: Option<At<String>>,
    pub enabled: Option<At<bool>>,
    pub schedule: Option<At<Vec<At<String>>>>,
    pub not_before: Option<At<Bound>>,
    pub not_after: Option<At<Bound>>,
    pub after: Option<At<Vec<At<String>>>>,
    pub command: Option<At<RawCommand>>,
    /// Whether there was anything under `command`, right or wrong.
    pub has_command: bool,
    pub stdin: Option<At<String>>,
    pub policies: Policies,
}

impl Policies {
    fn read(section: &mut Section) -> Self {
        Self {
            timezone: section.settable("timezone", Section::text),
            not_on: section.settable("not_on", Section::texts),
            not_on_then: section.settable("not_on_then", |section, key| section.choice(key, &Then::WORDS)),
            jitter: section.settable("jitter", Section::duration),
            dst_gap: section.settable("dst_gap", |section, key| section.choice(key, &Gap::WORDS)),
            dst_fold: section.settable("dst_fold", |section, key| section.choice(key, &Fold::WORDS)),
            shell: section.settable("shell", Section::words),
            user: section.settable("user", standing::account),
            group: section.settable("group", standing::account),
            cwd: section.settable("cwd", Section::clean_text),
            env: section.settable("env", Section::environment),
            env_file: section.settable("env_file", Section::texts),
            umask: section.settable("umask", standing::umask),
            nice: section.settable("nice", |section, key| section.integer(key, -20, 19)),
            limits: section.settable("limits", RawLimits::read),
            timeout: positive(section, "timeout"),
            stop_signal: section.settable("stop_signal", |section, key| section.choice(key, &StopSignal::WORDS)),
            kill_after: section.settable("kill_after", Section::duration),
            output_limit: section.settable("output_limit", Section::size),
            overlap: section.choice("overlap", &Overlap::WORDS),
            queue_limit: section.integer("queue_limit", 1, MOST_QUEUED),
            pool: section.settable("pool", Section::texts),
            catch_up: section.choice("catch_up", &CatchUp::WORDS),
            catch_up_within: section.settable("catch_up_within", Section::duration),
            success_codes: section.settable("success_codes", |section, key| section.integers(key, 0, 255)),
            no_retry_codes: section.settable("no_retry_codes", |section, key| section.integers(key, 0, 255)),
            retries: section.integer("retries", 0, MOST_RETRIES),
            retry_delay: section.settable("retry_delay", Section::duration),
            retry_max_delay: section.settable("retry_max_delay", Section::duration),
        }
    }

    /// Each key and where it stands, if it does.
    pub fn places(&self) -> [(&'static str, Option<Range<usize>>); 29] {
        fn span<T>(at: Option<&At<T>>) -> Option<Range<usize>> {
            at.map(|at| at.span.clone())
        }
        [
            ("timezone", span(self.timezone.as_ref())),
            ("not_on", span(self.not_on.as_ref())),
            ("not_on_then", span(self.not_on_then.as_ref())),
            ("jitter", span(self.jitter.as_ref())),
            ("dst_gap", span(self.dst_gap.as_ref())),
            ("dst_fold", span(self.dst_fold.as_ref())),
            ("shell", span(self.shell.as_ref())),
            ("user", span(self.user.as_ref())),
            ("group", span(self.group.as_ref())),
            ("cwd", span(self.cwd.as_ref())),
            ("env", span(self.env.as_ref())),
            ("env_file", span(self.env_file.as_ref())),
            ("umask", span(self.umask.as_ref())),
            ("nice", span(self.nice.as_ref())),
            ("limits", span(self.limits.as_ref())),
            ("timeout", span(self.timeout.as_ref())),
            ("stop_signal", span(self.stop_signal.as_ref())),
            ("kill_after", span(self.kill_after.as_ref())),
            ("output_limit", span(self.output_limit.as_ref())),
            ("overlap", span(self.overlap.as_ref())),
            ("queue_limit", span(self.queue_limit.as_ref())),
            ("pool", span(self.pool.as_ref())),
            ("catch_up", span(self.catch_up.as_ref())),
            ("catch_up_within", span(self.catch_up_within.as_ref())),
            ("success_codes", span(self.success_codes.as_ref())),
            ("no_retry_codes", span(self.no_retry_codes.as_ref())),
            ("retries", span(self.retries.as_ref())),
            ("retry_delay", span(self.retry_delay.as_ref())),
            ("retry_max_delay", span(self.retry_max_delay.as_ref())),
        ]
    }

    pub fn read_defaults(table: &DeTable, said: &mut Diagnostics) -> Self {
        Self::read(&mut Section::open(table, "defaults", &POLICY_KEYS, said))
    }
}

/// A duration that is not zero, or `"none"`.
fn positive(section: &mut Section, key: &str) -> Settable<Duration> {
    let at = section.settable(key, Section::duration)?;
    if at.value == Some(Duration::ZERO) {
        section.error(
            key,
            at.span,
            format!("a {key} of zero would end every run at once"),
            Some("write \"none\" for no limit".to_owned()),
        );
        return None;
    }
    Some(at)
}

impl RawJob {
    pub fn read(table: &DeTable, path: &str, said: &mut Diagnostics) -> Self {
        let keys: Vec<&str> = JOB_KEYS.iter().chain(&POLICY_KEYS).copied().collect();
        let mut section = Section::open(table, path, &keys, said);
        Self {
            description: section.text("description"),
            enabled: section.boolean("enabled"),
            schedule: section.texts("schedule"),
            not_before: section.bound("not_before"),
            not_after: section.bound("not_after"),
            after: section.texts("after"),
            command: read_command(&mut section),
            has_command: table.contains_key("command"),
            stdin: section.text("stdin"),
            policies: Policies::read(&mut section),
        }
    }
}

fn read_command(section: &mut Section) -> Option<At<RawCommand>> {
    if !section.is_text("command") {
        return section.words("command").map(|words| words.map(RawCommand::List));
    }
    let text = section.clean_text("command")?;
    if text.value.trim().is_empty() {
        section.error("command", text.span, "`command` is empty", None);
        return None;
    }
    Some(text.map(RawCommand::Text))
}

/// Checks the form of `[daemon]`; its values are layered with environment and flags elsewhere.
pub fn check_daemon(table: &DeTable, said: &mut Diagnostics) {
    let mut section = Section::open(table, "daemon", &DAEMON_KEYS, said);
    section.clean_text("database");
    section.text("timezone");
    section.integer("max_running", 1, 1_000_000);
    section.duration("stop_grace");
    if let Some(mut chores) = section.table("housekeeping", &HOUSEKEEPING_KEYS) {
        for key in HOUSEKEEPING_KEYS {
            check_pattern(&mut chores, key);
        }
    }
    if let Some(mut retention) = section.table("retention", &RETENTION_KEYS) {
        retention.settable("keep", Section::duration);
        retention.settable("keep_failures", Section::duration);
        retention.integer("keep_last", 0, i64::MAX);
        retention.settable("max_size", Section::size);
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

//! What is a job? The definition as it was checked: names that are names, zones that exist, schedules that fire.

mod channel;
mod http;
mod mail;
mod pattern;
mod secret;
mod smtp;
mod sql;
mod standing;
mod statements;
mod steps;
mod task;
mod telling;
mod template;
mod work;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use channel::{Carrier, CarrierKind, Channel, ChannelName, Quiet, Shape, Target, Tell, Webhook};
pub use http::{
    BodyPattern, Ceiling, Expected, Header, HeaderText, Http, Method, OnChange, Percentile, Private, StatusRange,
};
pub use mail::{Body, Mail};
pub use pattern::OutputPattern;
pub use secret::SecretSource;
pub use smtp::{Address, AddressError, Identity, Login, Safety, Server, Smtp, Way};
pub use sql::{Database, ExpectedRows, Script, Sql, SqliteAccess, SqliteFile};
pub use standing::{Limits, Standing, StopSignal};
pub use statements::{Class, Dialect, Statement, split};
pub use steps::{Needs, Step, StepName, Steps};
pub use task::Task;
pub use telling::{SlowAfter, Telling};
pub use template::{Medium, SEEN, Template, TemplateError, environment};
pub use work::{Act, CommandLine, Surroundings, Work};

use crate::schedule::{Jitter, Schedule, Timetable};

/// The name of a job: `[A-Za-z][A-Za-z0-9_.-]{0,63}`, so never a number, which on the command line is a run.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobName(Arc<str>);

/// Why a text is no name of a job.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    #[error("a job needs a name")]
    Empty,
    #[error("a job's name begins with a letter")]
    FirstLetter,
    #[error("`{0}` is not allowed in a job's name: letters of ASCII, digits, `_`, `.` and `-` are")]
    Character(char),
    #[error("a job's name has at most 64 characters")]
    TooLong,
}

impl NameError {
    /// A name that is as near to the text as a name can be; `None` where nothing is left of it.
    pub fn instead(&self, text: &str) -> Option<String> {
        // Of letters that are not allowed nobody but the writer knows how to do without.
        if !text.is_ascii() {
            return None;
        }
        let plain: String = text.chars().map(|c| if JobName::allows(c) { c } else { '-' }).collect();
        let plain = plain.trim_matches('-');
        let letter = if plain.starts_with(|c: char| c.is_ascii_alphabetic()) { "" } else { "job-" };
        let name: String = format!("{letter}{plain}").chars().take(JobName::LONGEST).collect();
        (!plain.is_empty()).then_some(name)
    }
}

impl JobName {
    const LONGEST: usize = 64;

    fn allows(character: char) -> bool {
        character.is_ascii_alphanumeric() || matches!(character, '_' | '.' | '-')
    }

    pub fn new(text: &str) -> Result<Self, NameError> {
        let first = text.chars().next().ok_or(NameError::Empty)?;
        if !first.is_ascii_alphabetic() {
            return Err(NameError::FirstLetter);
        }
        if let Some(wrong) = text.chars().find(|c| !Self::allows(*c)) {
            return Err(NameError::Character(wrong));
        }
        if text.len() > Self::LONGEST {
            return Err(NameError::TooLong);
        }
        Ok(Self(text.into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for JobName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl serde::Serialize for JobName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

/// A job as `jobs.toml` defines it, defaults filled in.
#[derive(Debug, Clone, PartialEq)]
pub struct Job {
    pub name: JobName,
    /// The name under which it has its history.
    pub formerly: Option<JobName>,
    pub description: Option<Box<str>>,
    pub enabled: bool,
    /// `None`: by hand only.
    pub timing: Option<Arc<Timing>>,
    /// How much later than its instants it starts.
    pub jitter: Option<Jitter>,
    pub task: Task,
    pub rules: Arc<Rules>,
    pub telling: Arc<Telling>,
}

/// By which rules a job's runs are called for and begin. Most jobs have those of many others, and share them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Rules {
    pub overlap: Overlap,
    /// Capacities that it shares with other jobs, in alphabetic order.
    pub pools: Arc<[String]>,
    pub catch_up: CatchUp,
    pub catch_up_within: Option<Duration>,
    pub retries: Retries,
    pub on_lost: OnLost,
    /// It runs each time when all of these have succeeded since its own last run.
    pub after: Vec<JobName>,
}

/// Further attempts after a failure.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Retries {
    pub most: u32,
    /// Before the second attempt; it doubles from then on.
    pub delay: Duration,
    pub max_delay: Duration,
    /// Exit codes after which there is no other attempt.
    pub no_codes: Vec<i32>,
}

impl Job {
    /// One of which only the name is left: the file no longer has it, while something of it still runs.
    pub fn gone(name: JobName) -> Self {
        let surroundings = Surroundings { success_codes: vec![0], ..Surroundings::default() };
        let act = Act::Command(CommandLine::Program(Vec::new()));
        Self {
            name,
            formerly: None,
            description: None,
            enabled: false,
            timing: None,
            jitter: None,
            task: Task::Work(Work { act, surroundings: Arc::new(surroundings) }),
            rules: Arc::new(Rules {
                overlap: Overlap::Skip,
                pools: [].into(),
                catch_up: CatchUp::None,
                catch_up_within: None,
                retries: Retries { most: 0, delay: Duration::ZERO, max_delay: Duration::ZERO, no_codes: Vec::new() },
                on_lost: OnLost::Kill,
                after: Vec::new(),
            }),
            telling: Arc::default(),
        }
    }

    /// The same under another name.
    #[must_use]
    pub fn named(&self, name: JobName) -> Self {
        Self { name, ..self.clone() }
    }

    /// When it is due, if it is due at all: a disabled job's instants are not accounted for.
    pub fn active_timing(&self) -> Option<&Arc<Timing>> {
        self.timing.as_ref().filter(|_| self.enabled)
    }
}

/// When a job is due, and the words that say so in the ledger. Jobs of the same words share one.
#[derive(Debug)]
pub struct Timing {
    pub timetable: Timetable,
    pub written: WrittenTiming,
    /// The zone's data as TZif, which the ledger keeps beside the words; `None` where it is not known.
    pub zone: Option<Arc<[u8]>>,
}

impl Timing {
    pub fn schedules(&self) -> &[Arc<Schedule>] {
        &self.timetable.schedules
    }

    /// Whether both name the same instants, as far as their texts and zone data tell.
    pub fn same_instants(&self, other: &Self) -> bool {
        self.written == other.written
    }
}

impl PartialEq for Timing {
    fn eq(&self, other: &Self) -> bool {
        self.same_instants(other)
    }
}

/// The texts from which a [`Timing`] can be computed again, as the ledger keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct WrittenTiming {
    pub schedules: Vec<String>,
    pub zone: String,
    /// What identifies the zone's data. Not part of the text: the same words mean other instants with other data.
    #[serde(skip)]
    pub zone_data: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst_gap: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dst_fold: Option<String>,
    /// The job's name, where `H` makes it part of the schedule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hashed_from: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_before: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_after: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub not_on: Vec<WrittenCalendar>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_on_then: Option<String>,
}

/// Which calendar, and which version of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct WrittenCalendar {
    pub name: String,
    pub version: String,
}

/// What becomes of a run whose keeper has ended, of which something lives when the daemon starts again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum OnLost {
    /// It is ended.
    #[default]
    Kill,
    /// It is left to its end, and the job is still running until then.
    Leave,
}

impl OnLost {
    pub const WORDS: [(&'static str, Self); 2] = [("kill", Self::Kill), ("leave", Self::Leave)];

    pub fn word(self) -> &'static str {
        match self {
            Self::Kill => "kill",
            Self::Leave => "leave",
        }
    }
}

/// What happens when a job is due while a run of it is still going or waiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Overlap {
    Skip,
    /// It waits until the others have ended; more than so many do not.
    Queue {
        limit: usize,
    },
    /// The others are ended.
    Replace,
    /// It runs beside them.
    Allow,
}

impl Overlap {
    /// One waits where nothing else is said.
    pub const QUEUE: Self = Self::Queue { limit: 1 };

    pub const WORDS: [(&'static str, Self); 4] =
        [("skip", Self::Skip), ("queue", Self::QUEUE), ("replace", Self::Replace), ("allow", Self::Allow)];

    pub fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Queue { .. } => "queue",
            Self::Replace => "replace",
            Self::Allow => "allow",
        }
    }
}

/// What to do with instants that passed while nothing could run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CatchUp {
    Latest,
    All,
    None,
}

impl CatchUp {
    pub const WORDS: [(&'static str, Self); 3] = [("latest", Self::Latest), ("all", Self::All), ("none", Self::None)];

    pub fn word(self) -> &'static str {
        match self {
            Self::Latest => "latest",
            Self::All => "all",
            Self::None => "none",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_never_a_number() {
        let longest = "x".repeat(64);
        for name in ["a", "backup", "Pg.dump_2-b", longest.as_str()] {
            assert_eq!(JobName::new(name).unwrap().as_str(), name);
        }
        let too_long = "x".repeat(65);
        for (name, expect) in [
            ("", NameError::Empty),
            ("1", NameError::FirstLetter),
            ("-a", NameError::FirstLetter),
            ("a b", NameError::Character(' ')),
            ("aé", NameError::Character('é')),
            ("a\n", NameError::Character('\n')),
            (too_long.as_str(), NameError::TooLong),
        ] {
            assert_eq!(JobName::new(name), Err(expect), "{name}");
        }
    }
}

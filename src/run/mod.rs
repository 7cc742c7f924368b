//! What is a run, and what can become of it?
//!
//! The words here are those of the ledger: each has a number in the database and a spelling on the screen, and both
//! are part of the file format.

pub mod base64_text;
mod end;

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;

pub use end::{Ended, Exit, FailedStep, Status, Verdict, signal_called, signal_name};

use crate::job::{JobName, StepName};

/// A closed list of words, each with its number in the ledger.
macro_rules! words {
    ($(#[$outer:meta])* $name:ident { $($(#[$inner:meta])* $variant:ident = $number:literal $word:literal,)+ }) => {
        $(#[$outer])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum $name { $($(#[$inner])* $variant,)+ }

        impl $name {
            pub const ALL: &'static [Self] = &[$(Self::$variant,)+];

            pub const fn number(self) -> i64 {
                match self { $(Self::$variant => $number,)+ }
            }

            pub const fn word(self) -> &'static str {
                match self { $(Self::$variant => $word,)+ }
            }

            pub fn from_number(number: i64) -> Option<Self> {
                Self::ALL.iter().copied().find(|word| word.number() == number)
            }

            pub fn from_word(word: &str) -> Option<Self> {
                Self::ALL.iter().copied().find(|candidate| candidate.word() == word)
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.pad(self.word())
            }
        }

        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                let word = <std::borrow::Cow<str>>::deserialize(deserializer)?;
                Self::from_word(&word).ok_or_else(|| serde::de::Error::custom(format!("`{word}` is no word of it")))
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(self.word())
            }
        }
    };
}

pub(crate) use words;

words! {
    /// Why a run exists.
    Cause {
        Schedule = 1 "schedule",
        CatchUp = 2 "catch-up",
        Boot = 3 "boot",
        Start = 4 "start",
        Manual = 5 "manual",
        Dependency = 6 "dependency",
    }
}

words! {
    State {
        Waiting = 1 "waiting",
        Running = 2 "running",
        Ended = 3 "ended",
    }
}

words! {
    /// How an entry ended: the first six are of runs, the last two of instants that did not become one.
    Outcome {
        Succeeded = 1 "succeeded",
        Failed = 2 "failed",
        TimedOut = 3 "timed-out",
        Stopped = 4 "stopped",
        NotStarted = 5 "not-started",
        Lost = 6 "lost",
        Skipped = 7 "skipped",
        Missed = 8 "missed",
    }
}

words! {
    /// Why an outcome is what it is.
    Reason {
        ExitCode = 1 "exit-code",
        Signal = 2 "signal",
        OutputMatched = 3 "output-matched",
        Expectation = 4 "expectation",
        NoProgram = 5 "no-program",
        NoPermission = 6 "no-permission",
        NoUser = 7 "no-user",
        Limit = 8 "limit",
        Spawn = 9 "spawn",
        Panic = 10 "panic",
        Timeout = 11 "timeout",
        ByHand = 12 "by-hand",
        Replaced = 13 "replaced",
        Shutdown = 14 "shutdown",
        Overlap = 15 "overlap",
        Paused = 16 "paused",
        Disabled = 17 "disabled",
        Calendar = 18 "calendar",
        QueueFull = 19 "queue-full",
        Needs = 20 "needs",
        Gone = 21 "gone",
        Changed = 22 "changed",
        DaemonDown = 23 "daemon-down",
        Suspended = 24 "suspended",
        ClockSet = 25 "clock-set",
        Unrecordable = 26 "unrecordable",
    }
}

words! {
    Stream {
        Stdout = 1 "stdout",
        Stderr = 2 "stderr",
    }
}

impl Cause {
    /// Whether the run's due time is an instant that its schedule names, of which there is only one.
    pub fn names_instant(self) -> bool {
        match self {
            Self::Schedule | Self::CatchUp | Self::Boot => true,
            Self::Start | Self::Manual | Self::Dependency => false,
        }
    }
}

impl Outcome {
    /// Failed in general; `stopped` counts when the daemon's own stop did it.
    pub fn is_failure(self, reason: Option<Reason>) -> bool {
        match self {
            Self::Failed | Self::TimedOut | Self::NotStarted | Self::Lost => true,
            Self::Stopped => reason == Some(Reason::Shutdown),
            Self::Succeeded | Self::Skipped | Self::Missed => false,
        }
    }

    /// Whether it is of an instant that did not become a run.
    pub fn is_gap(self) -> bool {
        matches!(self, Self::Skipped | Self::Missed)
    }
}

/// The number of an entry in the ledger, given by the planner, ascending.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(transparent)]
pub struct RunId(pub i64);

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What was said by whoever asked for a run by hand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked {
    pub by: String,
    /// The past instant that is to be repeated.
    pub repeats: Option<Timestamp>,
    /// Variables for all its attempts, over those of the job.
    pub env: BTreeMap<String, String>,
}

/// A stretch of a job's instants that did not become runs, all for one reason.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapEntry {
    pub run: RunId,
    pub outcome: Outcome,
    pub reason: Reason,
    pub due: Timestamp,
    pub due_last: Timestamp,
    pub count: u64,
}

/// What identifies a process beyond its id, which the system gives out again.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct ProcessId {
    pub pid: i32,
    /// Clock ticks between the machine's boot and the process's start.
    pub start_ticks: u64,
}

/// Which attempt: of a run, or of a step within one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
pub struct AttemptId {
    pub run: RunId,
    /// Of the run, from 1.
    pub attempt: u32,
    /// The step's number in the order of the file, from 1; 0: the attempt as a whole.
    pub step: u32,
    /// Of the step, from 1; 0: the attempt as a whole.
    pub step_attempt: u32,
}

impl AttemptId {
    pub fn whole(run: RunId, attempt: u32) -> Self {
        Self { run, attempt, step: 0, step_attempt: 0 }
    }
}

/// What happened to a step: it began, or it is over.
#[derive(Debug, Clone, PartialEq)]
pub struct StepNote {
    pub id: AttemptId,
    pub name: StepName,
    /// None where it did not begin.
    pub started: Option<Timestamp>,
    pub end: Option<StepEnd>,
}

/// How an attempt of a step ended, or that it was skipped.
#[derive(Debug, Clone, PartialEq)]
pub struct StepEnd {
    pub verdict: Verdict,
    /// What was measured; none of a step that was skipped.
    pub ended: Option<Ended>,
}

/// A piece of an attempt's output on its way to the ledger.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OutputPiece {
    pub id: AttemptId,
    /// Bytes that the attempt wrote before this piece, kept or not; a step between pieces is what was cut.
    pub offset: u64,
    pub stream: Stream,
    pub at: Timestamp,
    #[serde(with = "base64_text")]
    pub data: Vec<u8>,
    /// Pieces of this attempt in `[from, to)` have left the ring of the tail and go.
    pub expired: Option<(u64, u64)>,
}

/// What happened to the daemon rather than to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventNote {
    pub at: Timestamp,
    pub kind: EventKind,
    pub job: Option<JobName>,
    pub detail: String,
}

words! {
    EventKind {
        Start = 1 "start",
        Stop = 2 "stop",
        Reload = 3 "reload",
        ClockStep = 4 "clock-step",
        Refused = 5 "refused",
        /// The ledger could not be written, or something ran meanwhile.
        Trouble = 11 "trouble",
        /// Somebody wished something of the daemon, and it came true.
        ByHand = 12 "by-hand",
        /// A pause was over.
        PauseEnded = 13 "pause-ended",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_words_lead_back() {
        for reason in Reason::ALL {
            assert_eq!(Reason::from_number(reason.number()), Some(*reason));
            assert_eq!(Reason::from_word(reason.word()), Some(*reason));
        }
        assert_eq!(Cause::from_number(0), None);
    }

    #[test]
    fn failure_is_what_the_contract_says() {
        let failures: Vec<_> = Outcome::ALL.iter().filter(|o| o.is_failure(None)).collect();
        assert_eq!(failures, [&Outcome::Failed, &Outcome::TimedOut, &Outcome::NotStarted, &Outcome::Lost]);
        assert!(Outcome::Stopped.is_failure(Some(Reason::Shutdown)));
        assert!(!Outcome::Stopped.is_failure(Some(Reason::ByHand)));
    }
}

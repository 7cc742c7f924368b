//! How did an attempt end? As it was measured, and as it was judged.

use std::time::Duration;

use jiff::Timestamp;

use super::{Outcome, Reason};
use crate::job::StepName;

/// Outcome, reason and detail of an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    pub detail: Option<String>,
}

impl Verdict {
    pub const SUCCESS: Self = Self { outcome: Outcome::Succeeded, reason: None, detail: None };

    pub fn new(outcome: Outcome, reason: Reason, detail: impl Into<String>) -> Self {
        Self { outcome, reason: Some(reason), detail: Some(detail.into()) }
    }

    pub fn is_success(&self) -> bool {
        self.outcome == Outcome::Succeeded
    }
}

/// How an attempt ended, as measured and before anybody judged it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    pub exit: Exit,
    pub at: Timestamp,
    /// From its start, on the monotonic clock.
    pub duration: Duration,
    /// User and system time of the process and what it waited for.
    pub cpu: Option<Duration>,
    /// Peak memory in bytes.
    pub max_rss: Option<u64>,
    /// All that it wrote, kept or not.
    pub output_bytes: u64,
    /// The first line of its output that `fail_on_output` fits, shortened.
    pub matched: Option<String>,
    /// Limits that it did without, in words.
    pub lacking: Option<String>,
}

impl Ended {
    /// An end of which nothing was measured.
    pub fn unmeasured(exit: Exit, at: Timestamp) -> Self {
        Self {
            exit,
            at,
            duration: Duration::ZERO,
            cpu: None,
            max_rss: None,
            output_bytes: 0,
            matched: None,
            lacking: None,
        }
    }
}

/// In which way an attempt came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Exit {
    /// It could not begin.
    NotStarted {
        reason: Reason,
        detail: String,
    },
    Code(i32),
    Signal {
        signal: i32,
        core_dumped: bool,
    },
    /// It was ended because its time was up; the status is what its process left.
    TimedOut {
        after: Duration,
        status: Status,
    },
    /// It was ended on demand.
    Stopped {
        reason: Reason,
        status: Status,
    },
    /// Work without a process did what it should.
    Done,
    /// Work without a process could not do what it should, or found what it should not.
    Failed {
        reason: Reason,
        detail: String,
    },
    /// All its steps are over; one that failed speaks for them, if there is one.
    Steps(Option<FailedStep>),
    /// It has ended, and how could not be learned.
    Lost {
        detail: String,
    },
    /// The code that carried it panicked.
    Panicked {
        detail: String,
    },
}

/// The first step that failed, and what its process left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FailedStep {
    pub name: StepName,
    pub verdict: Verdict,
    pub code: Option<i32>,
    pub signal: Option<i32>,
}

impl Exit {
    /// The exit code and the signal of what ended.
    pub fn code_and_signal(&self) -> (Option<i32>, Option<i32>) {
        match self {
            Self::Code(code) => (Some(*code), None),
            Self::Signal { signal, .. } => (None, Some(*signal)),
            Self::TimedOut { status, .. } | Self::Stopped { status, .. } => (status.code(), status.signal()),
            Self::Steps(Some(failed)) => (failed.code, failed.signal),
            Self::Steps(None)
            | Self::Done
            | Self::Failed { .. }
            | Self::NotStarted { .. }
            | Self::Lost { .. }
            | Self::Panicked { .. } => (None, None),
        }
    }
}

/// What a process left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub enum Status {
    Code(i32),
    Signal(i32),
    Unknown,
    /// There was no process, and what was under way was dropped.
    Cancelled,
}

impl Status {
    pub fn code(self) -> Option<i32> {
        match self {
            Self::Code(code) => Some(code),
            Self::Signal(_) | Self::Unknown | Self::Cancelled => None,
        }
    }

    pub fn signal(self) -> Option<i32> {
        match self {
            Self::Signal(signal) => Some(signal),
            Self::Code(_) | Self::Unknown | Self::Cancelled => None,
        }
    }
}

/// The name of a signal without its `SIG`, as Linux numbers them on all common machines.
pub fn signal_name(signal: i32) -> &'static str {
    usize::try_from(signal).ok().and_then(|signal| SIGNALS.get(signal).copied()).unwrap_or(REAL_TIME)
}

/// The name of a signal that was written down.
pub fn signal_called(name: &str) -> &'static str {
    SIGNALS.iter().find(|known| **known == name).copied().unwrap_or(REAL_TIME)
}

const SIGNALS: [&str; 32] = [
    "0", "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE", "ALRM",
    "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ", "VTALRM", "PROF", "WINCH",
    "IO", "PWR", "SYS",
];
const REAL_TIME: &str = "RT";

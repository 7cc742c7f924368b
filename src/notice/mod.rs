//! What is worth telling a person?
//!
//! A [`Notice`] is decided on by [`crate::plan`] together with what caused it, is committed with that, and waits in the
//! ledger's outbox until its channel has carried it.

mod cause;
mod error_line;
mod gather;
mod quiet;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use cause::{Failure, shared_cause};
pub use error_line::error_line;
pub use gather::{Because, Hold, Move, Rules, Sent, Storms, Waiting, gather};
pub use quiet::is_quiet;

use crate::job::{CarrierKind, ChannelName, JobName, Tell};
use crate::run::{Reason, RunId, words};

words! {
    /// What a notice is about.
    Kind {
        Failed = 1 "failed",
        Recovered = 2 "recovered",
        Missed = 3 "missed",
        Stuck = 4 "stuck",
        Slow = 5 "slow",
        Overdue = 6 "overdue",
        Skipped = 7 "skipped",
        Succeeded = 8 "succeeded",
        Output = 9 "output",
        /// The job file was changed into something that does not come into force.
        FileWrong = 10 "file-wrong",
        /// It is right again.
        FileRight = 11 "file-right",
        /// The ledger cannot be written, or does not balance.
        Trouble = 12 "trouble",
        /// The trouble is over.
        Well = 13 "well",
        /// The daemon is back after it, or its machine, has ended without a stop.
        Back = 14 "back",
        /// What ran, what failed and what is due, now and then.
        Digest = 15 "digest",
        /// Somebody wanted to see whether it arrives.
        Test = 16 "test",
    }
}

impl From<Tell> for Kind {
    fn from(tell: Tell) -> Self {
        match tell {
            Tell::Failed => Self::Failed,
            Tell::Recovered => Self::Recovered,
            Tell::Missed => Self::Missed,
            Tell::Stuck => Self::Stuck,
            Tell::Slow => Self::Slow,
            Tell::Overdue => Self::Overdue,
            Tell::Skipped => Self::Skipped,
            Tell::Succeeded => Self::Succeeded,
            Tell::Output => Self::Output,
        }
    }
}

/// The number of a notice in the ledger, ascending; it is not given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NoticeId(pub i64);

/// Something worth telling, for one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Notice {
    /// Given by the planner, like the numbers of entries: what is written twice is written once.
    pub number: NoticeId,
    pub at: Timestamp,
    pub kind: Kind,
    /// None where it is about the daemon.
    pub job: Option<JobName>,
    pub run: Option<RunId>,
    pub channel: ChannelName,
    /// What is to carry it, each for itself.
    pub carriers: Vec<CarrierKind>,
    pub facts: Facts,
}

/// What was known when it was decided on; the rest is asked of the ledger when it is sent. The outbox keeps it as JSON.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Facts {
    /// Failures in a row, or instants in a row that were skipped.
    pub in_a_row: u64,
    /// When the first of them was due, or since when there was no success.
    pub since: Option<Timestamp>,
    /// How many like this one this channel was not told of since its last notice.
    pub untold: u64,
    /// Instants that it covers.
    pub instants: u64,
    /// When the last of them was due.
    pub until: Option<Timestamp>,
    pub reason: Option<Reason>,
    /// In a sentence or several lines: what happened to the daemon or the file, or why a job is overdue.
    pub detail: Option<String>,
    /// The capacities that the job shares with others.
    pub pools: Vec<String>,
    /// When the job starts next, as it was planned.
    pub next: Option<Timestamp>,
}

/// What becomes of a notice with one of its carriers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    Waiting,
    Sent,
    Undeliverable,
    Dropped,
}

impl Standing {
    pub const WORDS: [(&'static str, Self); 4] = [
        ("waiting", Self::Waiting),
        ("sent", Self::Sent),
        ("undeliverable", Self::Undeliverable),
        ("dropped", Self::Dropped),
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Waiting => "waiting",
            Self::Sent => "sent",
            Self::Undeliverable => "undeliverable",
            Self::Dropped => "dropped",
        }
    }
}

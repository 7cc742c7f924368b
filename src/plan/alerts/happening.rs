//! What happened to a job in one decision that somebody may want to hear of?

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::told::Covered;
use crate::job::Job;
use crate::run::{GapEntry, Outcome, Reason, RunId};

#[derive(Debug, Clone)]
pub struct Happening {
    /// As the file has it now, or had it when it was taken out.
    pub job: Arc<Job>,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    /// A run came about for an instant, and with it for all that were owed before.
    MadeUp,
    Ended(Ending),
    Missed(Covered),
    /// An entry of skipped instants began, or grew to this.
    Skipped {
        covered: Covered,
        begins: bool,
        gap: Option<GapEntry>,
    },
}

/// A run is over, after its last attempt.
#[derive(Debug, Clone)]
pub struct Ending {
    pub run: RunId,
    pub due: Timestamp,
    pub at: Timestamp,
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    /// For how long its last attempt went, if that was measured.
    pub took: Option<Duration>,
    /// Whether it has written anything.
    pub wrote: bool,
}

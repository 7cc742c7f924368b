//! What does the ledger remember? All that a planner must be told before it can go on where another ended.

use jiff::Timestamp;

use crate::job::{JobName, Timing, WrittenTiming};
use crate::run::{Cause, GapEntry, RunId, State};

#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// The highest number ever given to an entry.
    pub highest: i64,
    /// Whether the daemon has not started since the machine booted.
    pub first_since_boot: bool,
    pub jobs: Vec<RememberedJob>,
    pub open: Vec<RememberedRun>,
    pub ahead: Ahead,
}

#[derive(Debug, Clone)]
pub struct RememberedJob {
    pub name: JobName,
    pub definition: Option<RememberedDefinition>,
    /// The newest instant in the ledger.
    pub newest: Option<Timestamp>,
    /// The newest entry, if it is of instants that did not become runs.
    pub gap: Option<GapEntry>,
}

/// The definition in force when the ledger was last written.
#[derive(Debug, Clone)]
pub struct RememberedDefinition {
    pub since: Timestamp,
    pub written: WrittenTiming,
    /// `None` if it can no longer be read, because its zone is gone.
    pub timing: Option<Timing>,
}

/// A run that has not ended.
#[derive(Debug, Clone)]
pub struct RememberedRun {
    pub run: RunId,
    pub job: JobName,
    pub cause: Cause,
    pub due: Timestamp,
    pub state: State,
}

/// What the ledger says of times later than now, which happens when the clock was set back.
#[derive(Debug, Clone, Default)]
pub struct Ahead {
    /// Instants that have a run.
    pub taken: Vec<(JobName, Timestamp)>,
    /// Entries of skipped and missed instants of which the last at least is later than now.
    pub gaps: Vec<(JobName, GapEntry)>,
}

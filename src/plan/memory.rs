//! What does the ledger remember? All that a planner must be told before it can go on where another ended.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::follow::Progress;
use super::held::Held;
use crate::job::{JobName, Timing, WrittenTiming};
use crate::run::{Asked, Cause, GapEntry, Outcome, Reason, RunId, State, Verdict};

#[derive(Debug, Clone, Default)]
pub struct Memory {
    /// The highest number ever given to an entry.
    pub highest: i64,
    /// Whether the daemon has not started since the machine booted.
    pub first_since_boot: bool,
    /// Whether the daemon has begun before, and goes on behind a scheduler that has ended.
    pub goes_on: bool,
    pub jobs: Vec<RememberedJob>,
    pub open: Vec<RememberedRun>,
    /// Instants that have a run from before the clock was last set back, and come again.
    pub taken: Vec<(JobName, Timestamp)>,
    pub ahead: Ahead,
    /// What people have said is not to run.
    pub held: Held,
    /// The highest number ever given to a notice.
    pub highest_notice: i64,
    /// What was remembered of what was told of jobs, and of the daemon, in the words of [`super::Record::Told`].
    pub told: Vec<(Option<JobName>, Arc<str>)>,
}

#[derive(Debug, Clone)]
pub struct RememberedJob {
    pub name: JobName,
    pub definition: Option<RememberedDefinition>,
    /// The newest instant up to which the ledger is settled: runs from before the clock was last set back do not count
    /// if they were due later than it then showed.
    pub newest: Option<Timestamp>,
    /// The newest entry, if it is of instants that did not become runs.
    pub gap: Option<GapEntry>,
    /// When its last run ended, or began where its end was never learned.
    pub last_end: Option<Timestamp>,
    pub progress: Progress,
    /// How long its last successes took, the newest last, where that is known: up to twenty.
    pub usual: Vec<Duration>,
}

/// The definition in force when the ledger was last written.
#[derive(Debug, Clone)]
pub struct RememberedDefinition {
    pub since: Timestamp,
    pub written: WrittenTiming,
    /// `None` if it can no longer be read, because its zone is gone.
    pub timing: Option<Arc<Timing>>,
}

/// A run that has not ended.
#[derive(Debug, Clone)]
pub struct RememberedRun {
    pub run: RunId,
    pub job: JobName,
    pub cause: Cause,
    pub due: Timestamp,
    pub state: State,
    /// What was tried, if it waits for another attempt.
    pub tried: Option<Tried>,
    /// How many attempts have begun.
    pub attempts: u32,
    pub started: Option<Timestamp>,
    /// Whether it is still carried out, though by nobody who decides anything.
    pub goes_on: bool,
    /// What was said by whoever asked for it.
    pub asked: Option<Arc<Asked>>,
    /// Whether somebody wants it to end.
    pub is_stopping: bool,
}

/// Attempts that a waiting run has behind it.
#[derive(Debug, Clone)]
pub struct Tried {
    pub attempts: u32,
    /// How the last one ended.
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    pub detail: Option<String>,
    /// When the next one begins.
    pub next_at: Timestamp,
}

impl Tried {
    pub(super) fn verdict(&self) -> Verdict {
        Verdict { outcome: self.outcome, reason: self.reason, detail: self.detail.clone() }
    }
}

/// What the ledger says of times later than now, which happens when the clock was set back.
#[derive(Debug, Clone, Default)]
pub struct Ahead {
    /// Whether it says anything at all of later times.
    pub is_set_back: bool,
    /// Instants that have a run.
    pub taken: Vec<(JobName, Timestamp)>,
    pub gaps: Vec<AheadGap>,
}

/// An entry of skipped and missed instants of which the last at least is later than now.
#[derive(Debug, Clone)]
pub struct AheadGap {
    pub job: JobName,
    pub gap: GapEntry,
    /// What named its instants, if that can still be read.
    pub timing: Option<Arc<Timing>>,
}

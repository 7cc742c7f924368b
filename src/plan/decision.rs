//! What changes in the ledger, and what is to be done once it has?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::alerts::Happening;
use super::held::{LeftOut, Pause, Whose};
use crate::job::{Job, JobName, Timing};
use crate::notice::Notice;
use crate::run::{Asked, Cause, Ended, EventNote, GapEntry, Outcome, ProcessId, Reason, RunId, State, StepNote};

/// The answer to something that happened: complete, so that nothing is left to choose.
///
/// All records are committed in one transaction; only then are the actions carried out.
#[derive(Debug, Clone, Default)]
pub struct Decision {
    pub records: Vec<Record>,
    pub actions: Vec<Action>,
}

impl Decision {
    pub fn is_empty(&self) -> bool {
        self.records.is_empty() && self.actions.is_empty()
    }

    /// Both as one.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.records.extend(other.records);
        self.actions.extend(other.actions);
        self
    }
}

/// A decision being made. Runs that it opens stay apart until it is known which of them begin at once.
#[derive(Debug, Default)]
pub(super) struct Draft {
    decision: Decision,
    /// What somebody may want to hear of.
    pub happened: Vec<Happening>,
    opened: BTreeMap<RunId, OpenEntry>,
}

impl Draft {
    pub fn record(&mut self, record: Record) {
        self.decision.records.push(record);
    }

    pub fn act(&mut self, action: Action) {
        self.decision.actions.push(action);
    }

    pub fn open(&mut self, entry: OpenEntry) {
        self.opened.insert(entry.run, entry);
    }

    /// The run has its place: one opened by this decision enters the ledger as running, any other changes its state.
    pub fn begin(&mut self, launch: Launch, waited: Duration) {
        match self.opened.get_mut(&launch.run) {
            Some(entry) => entry.state = State::Running,
            None => {
                let waited = (launch.attempt == 1).then_some(waited);
                self.record(Record::Begun { run: launch.run, waited });
            }
        }
        self.act(Action::Start(launch));
    }

    /// The run of a job that was opened last was called for by the success of these.
    pub fn caused(&mut self, job: &JobName, causes: &[RunId]) {
        if let Some(entry) = self.opened.values_mut().rfind(|entry| entry.job == *job) {
            entry.caused_by = causes.to_vec();
        }
    }

    /// What was opened and has not begun.
    pub fn waiting(&mut self) -> impl Iterator<Item = &mut OpenEntry> {
        self.opened.values_mut().filter(|entry| entry.state == State::Waiting)
    }

    /// A run is over.
    pub fn close(&mut self, closing: Closing) {
        self.record(Record::Closed(closing));
    }

    pub fn finish(self) -> Decision {
        let mut decision = self.decision;
        decision.records.extend(self.opened.into_values().map(Record::Opened));
        decision
    }
}

/// One change of the ledger.
#[derive(Debug, Clone)]
pub enum Record {
    /// A job that the ledger has not seen before.
    Job(JobName),
    /// What the ledger has of a job is another one's from now on. It stands before all that says something of the new name.
    Renamed {
        from: JobName,
        to: JobName,
        /// Whether what the ledger has of the new name is of a job that is gone, and makes way.
        is_new: bool,
    },
    /// These are the words from which what is in force can be had again.
    InForce {
        since: Timestamp,
        words: Arc<str>,
    },
    /// From `since` on, these are the job's instants.
    Definition {
        job: JobName,
        since: Timestamp,
        timing: Arc<Timing>,
    },
    /// The job's last definition ends.
    DefinitionEnd {
        job: JobName,
        until: Timestamp,
    },
    /// The clock was set back to `at`. What definitions say of later times is about nothing; runs up to number `highest`
    /// that were due later stay, but do not mean that the instants before them are settled.
    SetBack {
        at: Timestamp,
        highest: RunId,
    },
    /// A new run, waiting or running.
    Opened(OpenEntry),
    /// Instants that do not become runs.
    Gap {
        job: JobName,
        gap: GapEntry,
        detail: Option<String>,
    },
    /// The entry's stretch has grown, or was cut, to this.
    GapResized {
        run: RunId,
        due_last: Timestamp,
        count: u64,
    },
    /// The entry was of instants that are no longer past.
    GapRemoved(RunId),
    /// A waiting run has its place. `waited` is for how long it waited for its first attempt; none for a later one.
    Begun {
        run: RunId,
        waited: Option<Duration>,
    },
    /// The process is there.
    Started {
        run: RunId,
        attempt: u32,
        at: Timestamp,
        process: Option<ProcessId>,
    },
    /// An attempt of a run with several has ended.
    Attempted(Attempted),
    /// A step has begun or is over.
    Step(StepNote),
    /// The run is not over: it waits for its next attempt.
    Retried {
        run: RunId,
        at: Timestamp,
        detail: String,
    },
    Closed(Closing),
    /// Somebody wants a run that goes to end.
    Stopping {
        run: RunId,
        at: Timestamp,
        by: String,
    },
    /// A job, or all, is paused like this from now on, or not any more. What was said of exceptions from a pause of all goes.
    Pause {
        whose: Whose,
        pause: Option<Pause>,
    },
    /// The job goes on while all are paused.
    PauseException(JobName),
    /// These of the job's instants to come are left out, and no others.
    LeftOut {
        job: JobName,
        left_out: LeftOut,
    },
    Event(EventNote),
    /// For the outbox.
    Notice(Notice),
    /// What a planner has to remember of what was told of a job, or of the daemon, as JSON; none: nothing any more.
    Told {
        job: Option<JobName>,
        words: Option<Arc<str>>,
    },
}

#[derive(Debug, Clone, PartialEq)]
pub struct OpenEntry {
    pub run: RunId,
    pub job: JobName,
    pub cause: Cause,
    /// The instant named by the schedule, or the moment of asking.
    pub due: Timestamp,
    /// How much later than that it was to start.
    pub jitter: SignedDuration,
    pub state: State,
    /// What it waits for, if it does.
    pub detail: Option<String>,
    /// The runs whose success called for it.
    pub caused_by: Vec<RunId>,
    /// What was said by whoever asked for it.
    pub asked: Option<Arc<Asked>>,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Attempted {
    pub run: RunId,
    pub attempt: u32,
    pub started: Option<Timestamp>,
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    pub detail: Option<String>,
    pub ended: Ended,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Closing {
    pub run: RunId,
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    pub detail: Option<String>,
    /// What was measured; none where nothing had begun or its end could not be learned.
    pub ended: Option<Ended>,
    /// What the ledger has of it until then, and since when it goes: nobody else knows this any more once a run is over, and
    /// the ledger may have lost it.
    pub entry: Box<OpenEntry>,
    pub started: Option<Timestamp>,
}

/// What follows once a decision is in the ledger.
#[derive(Debug, Clone)]
pub enum Action {
    Start(Launch),
    /// It was started for a planner before this one, and is to be carried to its end.
    GoOn(Launch),
    /// End the run with its stop signal, then with KILL.
    Stop {
        run: RunId,
        reason: Reason,
    },
    /// End the run with KILL.
    Kill {
        run: RunId,
        reason: Reason,
    },
}

impl Action {
    pub fn run(&self) -> RunId {
        match self {
            Self::Start(launch) | Self::GoOn(launch) => launch.run,
            Self::Stop { run, .. } | Self::Kill { run, .. } => *run,
        }
    }
}

/// All that is needed to carry out an attempt.
#[derive(Debug, Clone)]
pub struct Launch {
    pub run: RunId,
    pub attempt: u32,
    pub job: Arc<Job>,
    pub cause: Cause,
    /// The instant that its work is told.
    pub due: Timestamp,
    pub asked: Option<Arc<Asked>>,
}

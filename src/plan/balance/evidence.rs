//! What does the ledger say? Its entries as an audit reads them, and what it knows of the whole ledger beforehand.

use jiff::{SignedDuration, Timestamp};

use crate::run::{Cause, Outcome, Reason, RunId, State};

/// An entry of the ledger.
#[derive(Debug, Clone)]
pub struct Booked {
    pub run: RunId,
    pub cause: Cause,
    pub due: Timestamp,
    /// The last instant of a stretch that did not become runs.
    pub due_last: Option<Timestamp>,
    pub count: u64,
    pub jitter: SignedDuration,
    pub state: State,
    pub outcome: Option<Outcome>,
    pub reason: Option<Reason>,
    pub started: Option<Timestamp>,
    pub ended: Option<Timestamp>,
}

impl Booked {
    /// Whether a stretch may be of moments at which a run was called for, rather than of instants: by a start of the
    /// daemon, or by another job.
    pub(super) fn may_be_of_moments(&self) -> bool {
        let was_called =
            matches!(self.reason, Some(Reason::Overlap | Reason::QueueFull | Reason::Needs | Reason::Paused));
        self.due_last.is_some() && was_called
    }
}

/// Instants whose entries were pruned, counted in the hour of each entry's first one.
#[derive(Debug, Clone, Copy)]
pub struct Pruned {
    /// Hours since the Unix epoch.
    pub hour: i64,
    pub instants: u64,
}

/// A time at which the clock was set back to `at`.
#[derive(Debug, Clone, Copy)]
pub struct StepBack {
    pub at: Timestamp,
    /// The highest number given until then; `None` if that was not recorded.
    pub highest: Option<RunId>,
    /// How far the time reached that was yet to come.
    pub reach: Timestamp,
}

impl StepBack {
    /// Whether a run may have been begun at a time later than `at` that then came again.
    fn may_explain(&self, run: RunId, from: Timestamp) -> bool {
        from > self.at && self.highest.map_or(from <= self.reach, |highest| run <= highest)
    }
}

/// What is audited, and what is known of the ledger as a whole.
#[derive(Debug, Clone)]
pub struct Scope {
    /// Only instants later than this.
    pub from: Option<Timestamp>,
    pub now: Timestamp,
    /// Some job's instant of this time, jitter included, is recorded: so every instant up to then was decided on.
    pub decided: Option<Timestamp>,
    /// Up to here entries may have been pruned without being counted.
    pub uncounted: Option<Timestamp>,
    pub steps_back: Vec<StepBack>,
}

impl Scope {
    /// An entry of any job may tell up to when all that was due has been decided on: decisions come in the order of time,
    /// and each is about everything that is due.
    pub fn learn(&mut self, entry: &Booked) {
        let until = entry.due_last.unwrap_or(entry.due).saturating_add(entry.jitter).unwrap_or(Timestamp::MAX);
        let was_due = entry.cause.names_instant() && !entry.may_be_of_moments();
        if was_due && until <= self.now && !self.was_to_come(entry.run, entry.due) {
            self.decided = self.decided.max(Some(until));
        }
    }

    /// Whether what an entry says of this time may be from a time that was yet to come when the clock was set back.
    pub fn was_to_come(&self, run: RunId, time: Timestamp) -> bool {
        self.steps_back.iter().any(|step| step.may_explain(run, time))
    }

    /// Whether the clock was set back into or over this stretch of time.
    pub fn went_back(&self, from: Timestamp, until: Timestamp) -> bool {
        self.steps_back.iter().any(|step| step.at <= until && from <= step.reach)
    }
}

//! Which runs that go on take too long, and which of them were found out? Each once, however often it is tried, and whatever
//! becomes of its job and of its name.

use std::sync::Arc;

use jiff::Timestamp;

use super::Alerts;
use super::usual::{Usual, is_told_slow};
use crate::job::Job;
use crate::run::RunId;

impl Alerts {
    /// An attempt has begun.
    pub fn began(&mut self, run: RunId, job: &Job, started: Timestamp) {
        if !is_told_slow(job) {
            return;
        }
        let watched = self.jobs.get(&job.name);
        let slow_after = match watched {
            Some(watched) => watched.usual.slow_after(job),
            None => Usual::default().slow_after(job),
        };
        if let Some(slow_after) = slow_after.filter(|_| !self.house.slow.contains(&run)) {
            self.going.set(run, started, slow_after);
        }
    }

    /// The attempt of a run is over.
    pub fn forget_run(&mut self, run: RunId) {
        self.going.remove(run);
    }

    /// Some runs have ended; these have not.
    pub fn keep_slow(&mut self, goes_on: impl Fn(RunId) -> bool) {
        let before = self.house.slow.len();
        self.house.slow.retain(|run| goes_on(*run));
        if self.house.slow.len() < before {
            self.changed.insert(None);
        }
    }

    /// A run is over, after its last attempt.
    pub fn run_is_over(&mut self, run: RunId) {
        if self.house.slow.remove(&run) {
            self.changed.insert(None);
        }
    }

    /// No run goes, as far as is known here.
    pub fn forget_runs(&mut self) {
        self.going.clear();
    }

    /// A run that goes on, and has taken too long by now, and when it began.
    pub fn take_slow(&mut self, now: Timestamp) -> Option<(RunId, Timestamp)> {
        self.going.pop_due(now)
    }

    pub fn slow(&mut self, job: &Arc<Job>, in_file: bool, run: RunId, started: Timestamp, now: Timestamp) {
        if self.house.slow.insert(run) {
            self.changed.insert(None);
            self.tell(job, in_file, now, |watched| watched.told.slow(job, run, started, now));
        }
    }
}

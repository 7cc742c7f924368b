//! What follows when the clock is set? Back: nothing that was recorded of times to come was real, but for runs.

use jiff::{SignedDuration, Timestamp};

use super::account::Account;
use super::decision::{Decision, Draft, Record};
use super::memory::Ahead;
use super::owed::Lapse;
use super::planner::{Phase, Planner};
use crate::job::{Job, JobName};
use crate::run::{EventKind, EventNote, RunId};

impl Planner {
    /// The clock was set by `step` and shows `now`. `ahead` is what the ledger says of times later than that.
    pub fn handle_clock_set(&mut self, now: Timestamp, step: SignedDuration, ahead: Ahead) -> Decision {
        let mut draft = Draft::default();
        let way = if step.is_negative() { "back" } else { "forward" };
        let detail = format!("the clock was set {way} by {:#}", step.abs());
        draft.record(Record::Event(EventNote { at: now, kind: EventKind::ClockStep, job: None, detail }));
        // A draining planner decides on nothing; the next one will read from the ledger that the clock was set back.
        if now < self.latest && !self.draining {
            self.settle_due(Lapse::Suspended, &mut draft);
            self.latest = now;
            self.cut_back(ahead, &mut draft);
            self.alerts.cut_back(now);
            let names: Vec<JobName> = self.slots.keys().cloned().collect();
            for name in &names {
                self.arm(name);
            }
        }
        self.conclude(draft)
    }

    /// Entries of instants that are no longer past were never real; runs stay, and their instants get no second one.
    pub(super) fn cut_back(&mut self, ahead: Ahead, draft: &mut Draft) {
        let now = self.latest;
        draft.record(Record::SetBack { at: now, highest: RunId(self.highest) });
        for account in self.accounts.values_mut() {
            account.cut_back(now);
        }
        self.bring_retries_back();
        for (job, due) in ahead.taken {
            // Also of a job that is gone: it may be added again before the instant comes.
            self.accounts.entry(job).or_insert_with(|| Account::opened(None, now)).taken.insert(due);
        }
        for gap in ahead.gaps {
            self.leave_out_again(&gap, draft);
            let account = self.accounts.entry(gap.job.clone()).or_insert_with(|| Account::opened(None, now));
            draft.record(account.cut_gap(gap, now));
        }
    }

    /// A pause before a retry lasts no longer because the clock shows less than before.
    fn bring_retries_back(&mut self) {
        for (run, open) in self.runs.iter_mut().filter(|(_, open)| open.last.is_some() && open.phase != Phase::Running)
        {
            let soonest = latest_retry(&open.job, open.ready, self.latest);
            if soonest < open.ready && self.queue.remove(open.ready, *run) {
                self.queue.push(soonest, *run, open.job.rules.pools.clone());
                open.ready = soonest;
            }
        }
    }
}

/// When a run is tried again at the latest.
pub(super) fn latest_retry(job: &Job, at: Timestamp, now: Timestamp) -> Timestamp {
    let longest = SignedDuration::try_from(job.rules.retries.max_delay).unwrap_or(SignedDuration::MAX);
    now.checked_add(longest).map_or(at, |latest| at.min(latest))
}

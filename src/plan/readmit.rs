//! What becomes of runs that were open when the daemon ended?

use std::sync::Arc;

use jiff::SignedDuration;

use super::decision::{Action, Closing, Draft, Launch, OpenEntry};
use super::memory::{RememberedRun, Tried};
use super::planner::{OpenRun, Phase, Planner};
use super::set_back::latest_retry;
use crate::job::{Job, Overlap};
use crate::run::{Outcome, Reason, State, Verdict};

impl Planner {
    /// Runs that had not ended: running ones are lost, waiting ones wait on in due order.
    pub(super) fn readmit(&mut self, open: Vec<RememberedRun>, draft: &mut Draft) {
        let mut open = open;
        // Whatever is due first, what goes already is in the way of what waits.
        open.sort_by_key(|run| (!run.goes_on, run.due, run.run));
        for run in open {
            if run.goes_on {
                self.go_on(&run, draft);
                continue;
            }
            match self.fate(&run) {
                Some(Verdict { outcome, reason, detail }) => {
                    let (entry, started) = (Box::new(remembered(&run)), run.started);
                    let closing = Closing { run: run.run, outcome, reason, detail, ended: None, entry, started };
                    match self.slots.get(&run.job).map(|slot| slot.job.clone()) {
                        Some(job) => self.close(&job, closing, draft),
                        None => draft.close(closing),
                    }
                    self.follow_up(&run.job, run.run, (outcome, reason), self.latest, draft);
                }
                None => self.wait_on(&run),
            }
        }
        let runs = &self.runs;
        self.alerts.keep_slow(|run| runs.contains_key(&run));
    }

    /// A run that is still carried out keeps its places, by the rules that the file has now.
    fn go_on(&mut self, run: &RememberedRun, draft: &mut Draft) {
        let job = self.slots.get_mut(&run.job).map(|slot| {
            slot.open.insert(run.run);
            slot.job.clone()
        });
        let job = job.unwrap_or_else(|| Arc::new(Job::gone(run.job.clone())));
        self.queue.occupy(&job.rules.pools);
        let attempt = run.attempts.max(1);
        let open = OpenRun {
            job,
            cause: run.cause,
            due: run.due,
            ready: run.due,
            phase: Phase::Running,
            attempts: attempt,
            started: run.started,
            last: None,
            asked: run.asked.clone(),
            is_stopping: run.is_stopping,
        };
        let (job, due, asked) = (open.job.clone(), open.told(), open.asked.clone());
        self.runs.insert(run.run, open);
        self.watch_run(run.run);
        draft.act(Action::GoOn(Launch { run: run.run, attempt, job, cause: run.cause, due, asked }));
        if run.is_stopping {
            // Whoever was told may not have lived to do it.
            draft.act(Action::Stop { run: run.run, reason: Reason::ByHand });
        }
    }

    /// What becomes of a run that was open when the daemon ended; `None` if it goes on waiting.
    fn fate(&self, run: &RememberedRun) -> Option<Verdict> {
        let verdict = |outcome: Outcome, reason: Reason, detail: &str| {
            Some(Verdict { outcome, reason: Some(reason), detail: Some(detail.to_owned()) })
        };
        if run.state != State::Waiting {
            let detail = "the daemon ended while it ran; its end could not be learned";
            return verdict(Outcome::Lost, Reason::DaemonDown, detail);
        }
        // What has been tried keeps the outcome of its last attempt.
        let tried = run.tried.as_ref().map(Tried::verdict);
        let Some(slot) = self.slots.get(&run.job) else {
            return tried.or_else(|| verdict(Outcome::Skipped, Reason::Gone, "the job is no longer in the file"));
        };
        if !slot.job.enabled && run.cause.names_instant() {
            return tried
                .or_else(|| verdict(Outcome::Skipped, Reason::Disabled, "the job was disabled while it waited"));
        }
        if tried.is_some() {
            return None;
        }
        let within = slot.job.rules.catch_up_within.and_then(|within| SignedDuration::try_from(within).ok());
        if within.is_some_and(|within| self.latest().duration_since(run.due) > within) {
            return verdict(Outcome::Missed, Reason::DaemonDown, "it had waited longer than catch_up_within");
        }
        None
    }

    fn wait_on(&mut self, run: &RememberedRun) {
        let Some(slot) = self.slots.get_mut(&run.job) else {
            return;
        };
        let now = self.latest;
        let ready = run.tried.as_ref().map_or(run.due, |tried| latest_retry(&slot.job, tried.next_at, now));
        let since = ready;
        // Several of one job wait only where they are carried out one after another, or beside each other.
        let phase = if slot.open.is_empty() || slot.job.rules.overlap == Overlap::Allow {
            self.queue.push(ready, run.run, slot.job.rules.pools.clone());
            Phase::Waiting { since }
        } else {
            slot.turns.push_back(run.run);
            Phase::InTurn { since }
        };
        slot.open.insert(run.run);
        let open = OpenRun {
            job: slot.job.clone(),
            cause: run.cause,
            due: run.due,
            ready,
            phase,
            attempts: run.tried.as_ref().map_or(0, |tried| tried.attempts),
            started: None,
            last: run.tried.as_ref().map(Tried::verdict),
            asked: run.asked.clone(),
            is_stopping: false,
        };
        self.runs.insert(run.run, open);
    }
}

/// What the ledger has of a run that had not ended.
fn remembered(run: &RememberedRun) -> OpenEntry {
    OpenEntry {
        run: run.run,
        job: run.job.clone(),
        cause: run.cause,
        due: run.due,
        jitter: SignedDuration::ZERO,
        state: run.state,
        detail: None,
        caused_by: Vec::new(),
        asked: run.asked.clone(),
    }
}

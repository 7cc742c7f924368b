//! What follows from the end of an attempt? The run is over or tried again, the next one in turn moves up, others are called
//! for.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::account::GapKind;
use super::decision::{Attempted, Decision, Draft, Record};
use super::planner::{OpenRun, Phase, Planner};
use super::retry::pause;
use super::verdict::verdict;
use crate::job::JobName;
use crate::run::{Cause, Ended, Outcome, Reason, RunId, Verdict};
use crate::schedule::Tally;

impl Planner {
    /// The attempt of a run has ended.
    pub fn handle_ended(&mut self, run: RunId, ended: Ended, now: Timestamp) -> Decision {
        self.latest = self.latest.max(now);
        let mut draft = Draft::default();
        let Some(open) = self.runs.get(&run) else {
            return self.conclude(draft);
        };
        self.alerts.forget_run(run);
        let (attempt, verdict) = (open.attempts, verdict(&open.job.task, &ended));
        // What somebody wants to end is not tried again, however it ended in the end.
        let pause = pause(&open.job.rules.retries, run, attempt, &verdict, &ended).filter(|_| !open.is_stopping);
        if pause.is_some() || attempt > 1 {
            draft.record(Record::Attempted(Attempted {
                run,
                attempt,
                started: open.started,
                outcome: verdict.outcome,
                reason: verdict.reason,
                detail: verdict.detail.clone(),
                ended: ended.clone(),
            }));
        }
        match pause {
            Some(pause) => self.try_again(run, verdict, &ended, pause, &mut draft),
            None => {
                let (job, at) = (open.job.clone(), ended.at.min(now));
                let (outcome, reason) = (verdict.outcome, verdict.reason);
                let closing = open.close(run, verdict, Some(ended));
                self.forget(run, at);
                self.close(&job, closing, &mut draft);
                self.follow_up(&job.name, run, (outcome, reason), at, &mut draft);
            }
        }
        self.fill_places(&mut draft);
        self.conclude(draft)
    }

    /// A job's run is over: those that run after it are called for, or will not run because of it.
    pub(super) fn follow_up(
        &mut self,
        job: &JobName,
        run: RunId,
        (outcome, reason): (Outcome, Option<Reason>),
        at: Timestamp,
        draft: &mut Draft,
    ) {
        if outcome == Outcome::Succeeded {
            for (dependent, causes) in self.follow.succeeded(job, at, run) {
                self.due_now(&dependent, Cause::Dependency, draft);
                draft.caused(&dependent, &causes);
            }
        } else if outcome.is_failure(reason) {
            for dependent in self.follow.downstream(job) {
                let detail = Some(format!("run {run} of {job} {outcome}"));
                let kind = GapKind { outcome: Outcome::Skipped, reason: Reason::Needs, detail };
                let tally = Tally { count: 1, first: self.latest, last: self.latest };
                self.record_gap(&dependent, kind, tally, draft);
            }
        }
    }

    /// The run goes on after a pause, in which it holds no place.
    fn try_again(&mut self, run: RunId, verdict: Verdict, ended: &Ended, pause: Duration, draft: &mut Draft) {
        let Some(open) = self.runs.get_mut(&run) else {
            return;
        };
        let at = SignedDuration::try_from(pause).ok().and_then(|pause| ended.at.checked_add(pause).ok());
        let at = at.unwrap_or(ended.at);
        let detail = verdict.detail.as_deref().unwrap_or_default();
        let next = open.attempts + 1;
        let detail =
            format!("waits for attempt {next}, because attempt {} {}: {detail}", open.attempts, verdict.outcome);
        draft.record(Record::Retried { run, at, detail });
        self.queue.free_place(&open.job.rules.pools);
        self.queue.push(at, run, open.job.rules.pools.clone());
        open.phase = Phase::Waiting { since: at };
        open.ready = at;
        open.last = Some(verdict);
    }

    /// Takes a run out of everything that knows of it, because it is over since `at`; the job's next one in turn waits for
    /// a place, and what follows from its end is known now.
    pub(super) fn forget(&mut self, run: RunId, at: Timestamp) -> Option<OpenRun> {
        let open = self.runs.remove(&run)?;
        self.alerts.forget_run(run);
        match open.phase {
            Phase::Running => self.queue.free_place(&open.job.rules.pools),
            Phase::Waiting { .. } => {
                self.queue.remove(open.ready, run);
            }
            Phase::InTurn { .. } => {}
        }
        if let Some(slot) = self.slots.get_mut(&open.job.name) {
            slot.open.remove(&run);
            slot.turns.retain(|waiting| *waiting != run);
            self.next_turn(&open.job.name);
            self.follow_end(&open.job.name, at);
        }
        Some(open)
    }

    /// Lets the job's next run in turn wait for a place, if none of its earlier ones is left.
    pub(super) fn next_turn(&mut self, name: &JobName) {
        let Some(slot) = self.slots.get_mut(name) else {
            return;
        };
        if slot.open.len() > slot.turns.len() {
            return;
        }
        let Some(run) = slot.turns.pop_front() else {
            return;
        };
        if let Some(open) = self.runs.get_mut(&run)
            && let Phase::InTurn { since } = open.phase
        {
            open.phase = Phase::Waiting { since };
            self.queue.push(open.ready, run, open.job.rules.pools.clone());
        }
    }

    /// The next instant of a job may follow from the end of its last run.
    pub(super) fn follow_end(&mut self, name: &JobName, at: Timestamp) {
        let is_open = self.slots.get(name).is_some_and(|slot| !slot.open.is_empty());
        let Some(account) = self.accounts.get_mut(name).filter(|_| !is_open) else {
            return;
        };
        if let Some(pause) = account.after_end() {
            account.follow(at, pause);
            self.arm(name);
        }
    }
}

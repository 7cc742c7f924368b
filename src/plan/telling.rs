//! What is worth telling of a decision? The planner says what happened, and adds to the decision what [`Alerts`] makes of it.
//!
//! [`Alerts`]: super::alerts::Alerts

use std::sync::Arc;

use jiff::Timestamp;

use super::alerts::{Covered, Ending, Happening, What};
use super::decision::{Closing, Decision, Draft, Record};
use super::planner::{Phase, Planner};
use crate::job::{CatchUp, Channel, Job, JobName};
use crate::notice::Kind;
use crate::run::{Cause, GapEntry, Outcome, RunId};
use crate::schedule::Tally;

impl Planner {
    /// Something happened to the daemon, its file or its ledger that `channels` may want to hear of.
    pub fn handle_house(&mut self, kind: Kind, detail: &str, channels: &[Arc<Channel>], now: Timestamp) -> Decision {
        self.latest = self.latest.max(now);
        self.alerts.house(kind, detail, channels, self.latest);
        self.conclude(Draft::default())
    }

    /// The decision, with all that is worth telling of it and of this moment.
    pub(super) fn conclude(&mut self, mut draft: Draft) -> Decision {
        let now = self.latest;
        let happened = std::mem::take(&mut draft.happened);
        if !happened.is_empty() {
            let slots = &self.slots;
            self.alerts.hear(happened, |job| slots.contains_key(job), now);
        }
        if !self.draining && self.alerts.next().is_some_and(|at| at <= now) {
            self.ring(now);
        }
        let mut decision = draft.finish();
        for mut notice in self.alerts.take_notices() {
            notice.facts.next = notice.job.as_ref().and_then(|job| self.next_of(job));
            decision.records.push(Record::Notice(notice));
        }
        let told = self.alerts.take_words().into_iter().map(|(job, words)| Record::Told { job, words });
        decision.records.extend(told);
        decision
    }

    /// Tells what is due though nothing happened.
    fn ring(&mut self, now: Timestamp) {
        self.alerts.ring_house(now);
        for job in self.alerts.take_due(now) {
            let why = self.why_overdue(&job);
            self.alerts.ring(&job, &why, now);
        }
        while let Some((run, started)) = self.alerts.take_slow(now) {
            if let Some(job) = self.runs.get(&run).map(|open| self.as_of_now(&open.job)) {
                let in_file = self.slots.contains_key(&job.name);
                self.alerts.slow(&job, in_file, run, started, now);
            }
        }
    }

    /// The job as the file has it, or had it.
    fn as_of_now(&self, job: &Arc<Job>) -> Arc<Job> {
        self.slots.get(&job.name).map_or(job, |slot| &slot.job).clone()
    }

    /// The same, where anybody wants to hear of it.
    fn teller(&self, job: &Arc<Job>) -> Option<Arc<Job>> {
        let job = self.slots.get(&job.name).map_or(job, |slot| &slot.job);
        (!job.telling.channels.is_empty() || self.alerts.knows(&job.name)).then(|| job.clone())
    }

    /// A run is over.
    pub(super) fn close(&mut self, job: &Arc<Job>, closing: Closing, draft: &mut Draft) {
        self.alerts.run_is_over(closing.run);
        let due = closing.entry.due;
        if let Some(job) = self.teller(job) {
            let (outcome, reason) = (closing.outcome, closing.reason);
            let covered = || {
                let detail = closing.detail.clone();
                Covered { instants: 1, since: due, until: due, reason, detail }
            };
            let what = match outcome {
                Outcome::Missed => What::Missed(covered()),
                Outcome::Skipped => What::Skipped { covered: covered(), begins: true, gap: None },
                Outcome::Succeeded
                | Outcome::Failed
                | Outcome::TimedOut
                | Outcome::Stopped
                | Outcome::NotStarted
                | Outcome::Lost => {
                    let ended = closing.ended.as_ref();
                    What::Ended(Ending {
                        run: closing.run,
                        due,
                        at: ended.map_or(self.latest, |ended| ended.at.min(self.latest)),
                        outcome,
                        reason,
                        took: ended.map(|ended| ended.duration),
                        wrote: ended.is_some_and(|ended| ended.output_bytes > 0),
                    })
                }
            };
            draft.happened.push(Happening { job, what });
        }
        draft.close(closing);
    }

    /// An instant has its run.
    pub(super) fn came_about(job: &Arc<Job>, cause: Cause, draft: &mut Draft) {
        let makes_up = matches!(cause, Cause::Schedule | Cause::CatchUp) && job.rules.catch_up == CatchUp::Latest;
        if makes_up && !job.telling.channels.is_empty() {
            draft.happened.push(Happening { job: job.clone(), what: What::MadeUp });
        }
    }

    /// Instants did not become runs, as this record says; `gap` is the entry that they are in by now.
    pub(super) fn fell_out(&self, name: &JobName, record: &Record, gap: &GapEntry, tally: Tally, draft: &mut Draft) {
        let Some(job) = self.slots.get(name).map(|slot| &slot.job).filter(|job| !job.telling.channels.is_empty())
        else {
            return;
        };
        let begun = if let Record::Gap { detail, .. } = record { Some(detail.clone()) } else { None };
        let (begins, detail) = (begun.is_some(), begun.flatten());
        let Tally { count, first, last } = tally;
        let covered = Covered { instants: count, since: first, until: last, reason: Some(gap.reason), detail };
        let what = if gap.outcome == Outcome::Missed {
            What::Missed(covered)
        } else {
            What::Skipped { covered, begins, gap: Some(gap.clone()) }
        };
        draft.happened.push(Happening { job: job.clone(), what });
    }

    /// The attempt of a run has begun, or is known to go on.
    pub(super) fn watch_run(&mut self, run: RunId) {
        let Some(open) = self.runs.get(&run).filter(|open| open.phase == Phase::Running) else {
            return;
        };
        if let Some(started) = open.started {
            let job = self.as_of_now(&open.job);
            self.alerts.began(run, &job, started);
        }
    }

    /// Another file may say otherwise of what is worth telling.
    pub(super) fn set_tellings(&mut self) {
        self.alerts.set_jobs(self.slots.values().map(|slot| &slot.job), self.latest);
        self.alerts.forget_runs();
        // Should the job be taken out while they go on, whoever it told last is told of them.
        for open in self.runs.values_mut() {
            if let Some(slot) = self.slots.get(&open.job.name)
                && !Arc::ptr_eq(&slot.job.telling, &open.job.telling)
            {
                open.job = Arc::new(Job { telling: slot.job.telling.clone(), ..(*open.job).clone() });
            }
        }
        let runs: Vec<RunId> = self.runs.keys().copied().collect();
        for run in runs {
            self.watch_run(run);
        }
    }

    /// For what reasons a job has had no success.
    fn why_overdue(&self, name: &JobName) -> String {
        let Some(slot) = self.slots.get(name) else {
            return "it is gone from the file".to_owned();
        };
        let mut reasons = Vec::new();
        if !slot.job.enabled {
            reasons.push("it is disabled in the file".to_owned());
        }
        if let Some(pause) = self.held.pauses.of(name) {
            let until = pause.until.map_or_else(String::new, |until| format!(", until {until}"));
            reasons.push(format!("it is {}, since {}{until}", pause.detail(), pause.since));
        }
        match self.alerts.failures(name) {
            0 => {}
            1 => reasons.push("its last run failed".to_owned()),
            failures => reasons.push(format!("its last {failures} runs failed")),
        }
        reasons.extend(slot.open.first().and_then(|run| self.why_unended(*run)));
        if reasons.is_empty() {
            let next = slot.timer.map_or_else(|| "and nothing is".to_owned(), |next| format!("and next is at {next}"));
            reasons.push(format!("nothing that succeeded was due, {next}"));
        }
        reasons.join("; ")
    }

    fn why_unended(&self, run: RunId) -> Option<String> {
        if let Some(what) = self.waiting_for(run) {
            return Some(format!("run {run} waits for {what}"));
        }
        let started = self.runs.get(&run)?.started;
        Some(started.map_or_else(|| format!("run {run} begins"), |at| format!("run {run} goes on since {at}")))
    }
}

//! How does a planner go on from what the ledger remembers, and from one file to the next?

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::account::{Account, GapKind};
use super::alerts::Alerts;
use super::change::{Change, Changes};
use super::decision::{Decision, Draft, Record};
use super::memory::{Memory, RememberedDefinition, RememberedJob};
use super::owed::{Lapse, Owed};
use super::planner::{Phase, Planner, Slot};
use super::queue::Capacities;
use super::rename::with_names;
use crate::job::{Job, JobName};
use crate::run::{Cause, Outcome, Reason, RunId, Verdict};
use crate::schedule::Moment;

impl Planner {
    /// Goes on where the ledger ends: closes what was lost, lets wait what waited, accounts for what passed meanwhile.
    pub fn restore(
        jobs: &[Arc<Job>],
        capacities: impl Into<Capacities>,
        memory: Memory,
        now: Timestamp,
    ) -> (Self, Decision) {
        let mut planner = Self::empty(capacities.into(), memory.highest, now);
        let mut draft = Draft::default();
        let memory = with_names(memory, jobs, &mut draft);
        planner.follow.set_jobs(jobs);
        planner.held = memory.held;
        planner.alerts = Alerts::restore(memory.highest_notice, memory.told, &memory.jobs, jobs, now);
        for job in &memory.jobs {
            planner.follow.remember(&job.name, job.progress);
        }
        let mut known = BTreeMap::new();
        let mut traces: BTreeMap<JobName, Timestamp> =
            memory.jobs.iter().filter_map(|job| Some((job.name.clone(), newest_trace(job)?))).collect();
        // What had not ended does now.
        traces.extend(memory.open.iter().map(|run| (run.job.clone(), now)));
        // A map that is made in one go is packed; one that grows job by job is half empty.
        planner.slots = jobs.iter().map(|job| (job.name.clone(), Slot::new(job.clone()))).collect();
        let accounts = jobs.iter().map(|job| (job.name.clone(), Account::opened(None, now)));
        let remembered = memory.jobs.iter().map(|job| (job.name.clone(), remembered_account(job, now)));
        planner.accounts = accounts.chain(remembered).collect();
        for job in memory.jobs {
            known.insert(job.name, job.definition);
        }
        for (name, due) in memory.taken {
            planner.accounts.entry(name).or_insert_with(|| Account::opened(None, now)).taken.insert(due);
        }
        if memory.ahead.is_set_back {
            planner.cut_back(memory.ahead, &mut draft);
        }
        for job in jobs {
            let remembered = known.remove(&job.name);
            if remembered.is_none() {
                draft.record(Record::Job(job.name.clone()));
            }
            planner.resume(job, remembered.flatten(), &mut draft);
        }
        // What the file no longer has.
        for (name, definition) in known {
            if definition.is_some() {
                planner.end_definition(&name, Reason::Gone, &mut draft);
            }
            planner.close_account(&name, &mut draft);
        }
        planner.readmit(memory.open, &mut draft);
        for job in jobs {
            planner.follow_last_end(&job.name, traces.get(&job.name).copied(), memory.goes_on);
            planner.arm(&job.name);
        }
        planner.settle_due(Lapse::DaemonDown, &mut draft);
        if !memory.goes_on {
            planner.begin_moments(jobs, memory.first_since_boot, &mut draft);
        }
        planner.fill_places(&mut draft);
        let decision = planner.conclude(draft);
        (planner, decision)
    }

    /// A job of the file meets its remembered definition.
    fn resume(&mut self, job: &Arc<Job>, remembered: Option<RememberedDefinition>, draft: &mut Draft) {
        let written = job.active_timing().map(|timing| &timing.written);
        let Some(old) = remembered else {
            self.begin_definition(job, draft);
            return;
        };
        if written != Some(&old.written) {
            self.end_definition(&job.name, ending(job), draft);
            self.begin_definition(job, draft);
        } else if let Some(account) = self.accounts.get_mut(&job.name) {
            account.timing = job.active_timing().cloned();
        }
    }

    /// The job's instants up to now are settled as missed, in the same transaction that ends its definition.
    fn end_definition(&mut self, name: &JobName, reason: Reason, draft: &mut Draft) {
        let now = self.latest();
        self.hold_back(name, draft);
        let left_out = self.held.left_out(name);
        let owed = self.accounts.get_mut(name).map(|account| account.conclude(now, left_out)).unwrap_or_default();
        for owed in owed {
            match owed {
                Owed::Closed(tally, calendar) => self.record_gap(name, GapKind::closed(&calendar), tally, draft),
                Owed::LeftOut(tally, word) => self.record_gap(name, GapKind::left_out(&word), tally, draft),
                Owed::Missed(tally) => self.record_gap(name, GapKind::missed(reason), tally, draft),
                // Nothing runs for a definition that ends.
                Owed::Run { .. } => {}
            }
        }
        draft.record(Record::DefinitionEnd { job: name.clone(), until: now });
    }

    /// The job starts now and owes nothing. Instants that have a run keep it, whatever the schedule.
    fn begin_definition(&mut self, job: &Arc<Job>, draft: &mut Draft) {
        let since = self.latest();
        let timing = job.active_timing().cloned();
        if let Some(timing) = &timing {
            draft.record(Record::Definition { job: job.name.clone(), since, timing: timing.clone() });
        }
        let taken = self.accounts.remove(&job.name).map(|account| account.taken).unwrap_or_default();
        let mut account = Account::opened(timing, since);
        account.taken = taken;
        self.accounts.insert(job.name.clone(), account);
        self.forget_unnamed(&job.name, draft);
    }

    /// The instant of a job that follows from its last run: one that never ran is due at the daemon's start, and one that
    /// has begun anew with this start owes nothing.
    /// A job that has never run is due at the daemon's start; to the daemon another scheduler is none.
    fn follow_last_end(&mut self, name: &JobName, last: Option<Timestamp>, goes_on: bool) {
        let now = self.latest();
        let is_open = self.slots.get(name).is_some_and(|slot| !slot.open.is_empty());
        let Some(account) = self.accounts.get_mut(name).filter(|_| !is_open) else {
            return;
        };
        match (account.after_end(), last) {
            (Some(pause), Some(last)) => account.follow(last.max(account.settled).min(now), pause),
            (Some(pause), None) if goes_on => account.follow(account.settled.min(now), pause),
            (Some(_), None) => account.follow(now, Duration::ZERO),
            (None, _) => {}
        }
    }

    fn begin_moments(&mut self, jobs: &[Arc<Job>], first_since_boot: bool, draft: &mut Draft) {
        for job in jobs {
            let Some(timing) = job.active_timing().filter(|t| t.timetable.bounds.contain(self.latest())) else {
                continue;
            };
            let cause = if first_since_boot && timing.timetable.has_moment(Moment::Reboot) {
                Cause::Boot
            } else if timing.timetable.has_moment(Moment::Start) {
                Cause::Start
            } else {
                continue;
            };
            self.due_now(&job.name, cause, draft);
        }
    }

    /// Another file is in force from now on. Nothing starts because it was edited, and a job whose instants are the same
    /// keeps its timer.
    pub fn handle_reload(&mut self, jobs: &[Arc<Job>], capacities: impl Into<Capacities>, now: Timestamp) -> Decision {
        let mut decision = self.handle_wakeup(now, Lapse::Suspended);
        let mut draft = Draft::default();
        self.take_names(jobs, &mut draft);
        let changes = Changes::between(self.slots.values().map(|slot| &slot.job), jobs);
        let file: BTreeMap<&JobName, &Arc<Job>> = jobs.iter().map(|job| (&job.name, job)).collect();
        for (name, change) in &changes.0 {
            match (change, file.get(name)) {
                (Change::Removed, _) | (_, None) => self.remove_job(name, &mut draft),
                (Change::Added, Some(job)) => self.add_job(job, &mut draft),
                (Change::Timing, Some(job)) => self.change_timing(job, &mut draft),
                (Change::Kept, Some(job)) => {
                    self.define(job);
                    // Another jitter moves the start, though not the instant.
                    self.arm(name);
                }
            }
        }
        self.follow.set_jobs(jobs);
        self.set_tellings();
        self.queue.set_capacities(capacities.into());
        // What a longer jitter had put off until now.
        self.settle_due(Lapse::Suspended, &mut draft);
        self.fill_places(&mut draft);
        let reloaded = self.conclude(draft);
        decision.records.extend(reloaded.records);
        decision.actions.extend(reloaded.actions);
        decision
    }

    fn add_job(&mut self, job: &Arc<Job>, draft: &mut Draft) {
        let mut slot = Slot::new(job.clone());
        // A run from before the job was taken out may still be going.
        slot.open = self.runs.iter().filter(|(_, open)| open.job.name == job.name).map(|(run, _)| *run).collect();
        self.slots.insert(job.name.clone(), slot);
        draft.record(Record::Job(job.name.clone()));
        self.begin_definition(job, draft);
        self.follow_end(&job.name, self.latest());
        self.arm(&job.name);
    }

    fn remove_job(&mut self, name: &JobName, draft: &mut Draft) {
        if self.has_instants(name) {
            self.end_definition(name, Reason::Gone, draft);
        }
        self.skip_waiting(name, Reason::Gone, "the job is no longer in the file", draft);
        if let Some(mut slot) = self.slots.remove(name) {
            self.timers.set(name, &mut slot.timer, None);
        }
        self.close_account(name, draft);
    }

    /// What the ledger holds of times to come is remembered, should the job be added again; a pause is as well.
    fn close_account(&mut self, name: &JobName, draft: &mut Draft) {
        if let Some(account) = self.accounts.remove(name)
            && !account.taken.is_empty()
        {
            let mut closed = Account::opened(None, account.settled);
            closed.taken = account.taken;
            self.accounts.insert(name.clone(), closed);
        }
        self.forget_unnamed(name, draft);
    }

    fn change_timing(&mut self, job: &Arc<Job>, draft: &mut Draft) {
        if self.has_instants(&job.name) {
            self.end_definition(&job.name, ending(job), draft);
        }
        self.define(job);
        self.begin_definition(job, draft);
        if !job.enabled {
            self.skip_waiting(&job.name, Reason::Disabled, "the job was disabled while it waited", draft);
        }
        self.follow_end(&job.name, self.latest());
        self.arm(&job.name);
    }

    /// From now on this is the job. Runs that have begun go on as they began, also those that wait for another attempt; those
    /// that have not begin as it says now.
    fn define(&mut self, job: &Arc<Job>) {
        let Some(slot) = self.slots.get_mut(&job.name) else {
            return;
        };
        slot.job = job.clone();
        for run in &slot.open {
            let Some(open) = self.runs.get_mut(run).filter(|open| open.attempts == 0) else {
                continue;
            };
            open.job = job.clone();
            // Its pools may be others.
            if self.queue.remove(open.ready, *run) {
                self.queue.push(open.ready, *run, job.rules.pools.clone());
            }
        }
    }

    fn has_instants(&self, name: &JobName) -> bool {
        self.accounts.get(name).is_some_and(|account| account.timing.is_some())
    }

    /// Closes the job's runs that wait for their place or their turn, except those that somebody asked for.
    fn skip_waiting(&mut self, name: &JobName, reason: Reason, detail: &str, draft: &mut Draft) {
        let waiting: VecDeque<RunId> = self
            .runs
            .iter()
            .filter(|(_, open)| open.job.name == *name && open.phase != Phase::Running)
            .filter(|(_, open)| reason == Reason::Gone || open.cause.names_instant())
            .map(|(run, _)| *run)
            .collect();
        for run in waiting {
            let Some(open) = self.forget(run, self.latest()) else {
                continue;
            };
            // What has been tried keeps the outcome of its last attempt.
            let skipped = Verdict { outcome: Outcome::Skipped, reason: Some(reason), detail: Some(detail.to_owned()) };
            let closing = open.close(run, open.last.clone().unwrap_or(skipped), None);
            self.close(&open.job, closing, draft);
        }
    }
}

/// Why a job's old definition ends.
fn ending(job: &Job) -> Reason {
    if job.enabled { Reason::Changed } else { Reason::Disabled }
}

/// The last moment that the ledger knows of a job: the end of its last run, or the last instant that did not become one.
fn newest_trace(job: &RememberedJob) -> Option<Timestamp> {
    job.last_end.into_iter().chain(job.gap.as_ref().map(|gap| gap.due_last)).max()
}

/// A job's account under its old definition.
fn remembered_account(job: &RememberedJob, now: Timestamp) -> Account {
    let timing = job.definition.as_ref().and_then(|definition| definition.timing.clone());
    let since = job.definition.as_ref().map(|definition| definition.since);
    let settled = since.into_iter().chain(job.newest).max().unwrap_or(now).min(now);
    let mut account = Account::opened(timing, settled);
    account.since = since.unwrap_or(Timestamp::MIN);
    account.gap = job.gap.clone().filter(|gap| gap.due > account.since).map(Box::new);
    account
}

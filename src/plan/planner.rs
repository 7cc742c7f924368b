//! What follows from what happened? The planner routes each event to the rules and keeps what they need to know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::account::{Account, GapKind};
use super::decision::{Action, Attempted, Closing, Decision, Draft, Launch, OpenEntry, Record};
use super::follow::Follow;
use super::memory::Ahead;
use super::overlap::{Admission, Unended, admit};
use super::owed::{Lapse, Owed, Policy};
use super::queue::{Capacities, Queue};
use super::retry::pause;
use super::timers::Timers;
use super::verdict::{Verdict, verdict};
use crate::job::{CatchUp, Job, JobName};
use crate::run::{Cause, Ended, EventKind, EventNote, Outcome, ProcessId, Reason, RunId, State};
use crate::schedule::Tally;

/// What a run waits for whose job has earlier ones that have not ended.
const ITS_TURN: &str = "its turn";

/// A state machine without a clock: it is told what happened and when.
#[derive(Debug)]
pub struct Planner {
    pub(super) slots: BTreeMap<JobName, Slot>,
    pub(super) accounts: BTreeMap<JobName, Account>,
    pub(super) runs: BTreeMap<RunId, OpenRun>,
    pub(super) timers: Timers,
    pub(super) queue: Queue,
    pub(super) follow: Follow,
    highest: i64,
    /// The latest moment it was told of.
    pub(super) latest: Timestamp,
    draining: bool,
}

/// A job in force and its runs that have not ended.
#[derive(Debug)]
pub(super) struct Slot {
    pub job: Arc<Job>,
    /// When it starts next; [`Timers`] has it in the order of time.
    pub timer: Option<Timestamp>,
    pub open: BTreeSet<RunId>,
    /// Those of them that are carried out one after another, once the others have ended.
    pub turns: VecDeque<RunId>,
}

#[derive(Debug)]
pub(super) struct OpenRun {
    pub job: Arc<Job>,
    pub cause: Cause,
    pub due: Timestamp,
    /// From when on it, or its next attempt, may begin.
    pub ready: Timestamp,
    pub phase: Phase,
    /// How many attempts have begun.
    pub attempts: u32,
    /// When the attempt that goes began.
    pub started: Option<Timestamp>,
    /// How its last attempt ended, while it waits for the next.
    pub last: Option<Verdict>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Until there is a place.
    Waiting {
        since: Timestamp,
    },
    /// Until the job's earlier runs have ended.
    InTurn {
        since: Timestamp,
    },
    Running,
}

/// How a planner that starts nothing any more treats what still runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Drain {
    /// Runs may finish.
    Finish,
    /// Runs are ended with their stop signal, then with KILL.
    Stop,
    /// Runs are ended with KILL.
    Kill,
}

impl Slot {
    pub fn new(job: Arc<Job>) -> Self {
        Self { job, timer: None, open: BTreeSet::new(), turns: VecDeque::new() }
    }
}

impl Planner {
    pub(super) fn empty(capacities: Capacities, highest: i64, now: Timestamp) -> Self {
        Self {
            slots: BTreeMap::new(),
            accounts: BTreeMap::new(),
            runs: BTreeMap::new(),
            timers: Timers::default(),
            queue: Queue::new(capacities),
            follow: Follow::default(),
            highest,
            latest: now,
            draining: false,
        }
    }

    /// When to look again, strictly later than the last moment it was told of.
    pub fn next_wakeup(&self) -> Option<Timestamp> {
        if self.draining {
            return None;
        }
        self.timers.next().into_iter().chain(self.queue.next(self.latest)).min()
    }

    /// When a job starts next: at its next instant, or later by its jitter.
    pub fn next_of(&self, job: &JobName) -> Option<Timestamp> {
        self.slots.get(job)?.timer
    }

    /// The job of a run that has not ended.
    pub fn job_of(&self, run: RunId) -> Option<&JobName> {
        self.runs.get(&run).map(|open| &open.job.name)
    }

    /// The latest moment it was told of; a clock that shows less was set back.
    pub fn latest(&self) -> Timestamp {
        self.latest
    }

    /// How many runs have begun and not ended.
    pub fn running(&self) -> usize {
        self.runs.values().filter(|run| run.phase == Phase::Running).count()
    }

    /// How many runs wait.
    pub fn waiting(&self) -> usize {
        self.runs.len() - self.running()
    }

    /// How many jobs there are.
    pub fn jobs(&self) -> usize {
        self.slots.len()
    }

    /// A moment has come; `lapse` says why, if instants passed unnoticed. A moment that is not later than the last one
    /// changes nothing.
    pub fn handle_wakeup(&mut self, now: Timestamp, lapse: Lapse) -> Decision {
        self.latest = self.latest.max(now);
        let mut draft = Draft::default();
        self.settle_due(lapse, &mut draft);
        self.fill_places(&mut draft);
        draft.finish()
    }

    /// The process of a run is there.
    pub fn handle_started(&mut self, run: RunId, at: Timestamp, process: Option<ProcessId>) -> Decision {
        let mut draft = Draft::default();
        if let Some(open) = self.runs.get_mut(&run) {
            open.started = Some(at);
            if open.attempts == 1 {
                self.follow.began(&open.job.name, at);
            }
            draft.record(Record::Started { run, attempt: open.attempts, at, process });
        }
        draft.finish()
    }

    /// The attempt of a run has ended.
    pub fn handle_ended(&mut self, run: RunId, ended: Ended, now: Timestamp) -> Decision {
        self.latest = self.latest.max(now);
        let mut draft = Draft::default();
        let Some(open) = self.runs.get(&run) else {
            return draft.finish();
        };
        let (attempt, verdict) = (open.attempts, verdict(&open.job, &ended));
        let pause = pause(&open.job.rules.retries, run, attempt, &verdict, &ended);
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
                let (job, at) = (open.job.name.clone(), ended.at.min(now));
                self.forget(run, at);
                let (outcome, reason) = (verdict.outcome, verdict.reason);
                draft.close(Closing { run, outcome, reason, detail: verdict.detail, ended: Some(ended) });
                self.follow_up(&job, run, (outcome, reason), at, &mut draft);
            }
        }
        self.fill_places(&mut draft);
        draft.finish()
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
                self.due(&dependent, self.latest, Cause::Dependency, false, draft);
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

    /// From now on nothing starts; what runs is treated as `drain` says.
    pub fn handle_drain(&mut self, drain: Drain) -> Decision {
        self.draining = true;
        let mut draft = Draft::default();
        let running = self.runs.iter().filter(|(_, open)| open.phase == Phase::Running);
        for (run, _) in running {
            let (run, reason) = (*run, Reason::Shutdown);
            match drain {
                Drain::Finish => {}
                Drain::Stop => draft.act(Action::Stop { run, reason }),
                Drain::Kill => draft.act(Action::Kill { run, reason }),
            }
        }
        draft.finish()
    }

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
            let names: Vec<JobName> = self.slots.keys().cloned().collect();
            for name in &names {
                self.arm(name);
            }
        }
        draft.finish()
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

    /// Decides on every instant up to now, job by job as they fell due.
    pub(super) fn settle_due(&mut self, lapse: Lapse, draft: &mut Draft) {
        if self.draining {
            return;
        }
        while let Some(name) = self.timers.pop_due(self.latest) {
            self.settle(&name, lapse, draft);
            self.arm(&name);
        }
    }

    fn settle(&mut self, name: &JobName, lapse: Lapse, draft: &mut Draft) {
        let now = self.latest;
        let (Some(slot), Some(account)) = (self.slots.get(name), self.accounts.get_mut(name)) else {
            return;
        };
        let policy = Policy::of(&slot.job);
        let owed = account.settle(now, policy);
        // Several at once, or one that comes late, are worked through one after another.
        let runs =
            || owed.iter().filter_map(|owed| if let Owed::Run { cause, .. } = owed { Some(*cause) } else { None });
        let in_turn = policy.catch_up == CatchUp::All && (runs().count() > 1 || runs().any(|c| c == Cause::CatchUp));
        for owed in owed {
            match owed {
                Owed::Missed(tally) => self.record_gap(name, GapKind::missed(lapse.reason()), tally, draft),
                Owed::Closed(tally, calendar) => self.record_gap(name, GapKind::closed(&calendar), tally, draft),
                Owed::Run { due, cause } => self.due(name, due, cause, in_turn, draft),
            }
        }
    }

    /// A run is called for; `in_turn` lets it wait for the job's earlier ones whatever `overlap` says.
    pub(super) fn due(&mut self, name: &JobName, due: Timestamp, cause: Cause, in_turn: bool, draft: &mut Draft) {
        let Some(slot) = self.slots.get(name) else {
            return;
        };
        let unended = Unended { first: slot.open.first().copied(), in_turn: slot.turns.len() };
        match admit(slot.job.rules.overlap, in_turn, unended) {
            Admission::Open => self.open(name, due, cause, false, draft),
            Admission::InTurn => self.open(name, due, cause, true, draft),
            Admission::Replace => {
                self.end_for_another(name, draft);
                self.open(name, due, cause, true, draft);
                self.next_turn(name);
            }
            Admission::Skip { reason, detail } => {
                let kind = GapKind { outcome: Outcome::Skipped, reason, detail: Some(detail) };
                self.record_gap(name, kind, Tally { count: 1, first: due, last: due }, draft);
            }
        }
    }

    /// The job's runs that have not ended make room for another: what goes is stopped, what waits will not run.
    fn end_for_another(&mut self, name: &JobName, draft: &mut Draft) {
        let open: Vec<RunId> = self.slots.get(name).map(|slot| slot.open.iter().copied().collect()).unwrap_or_default();
        for run in open {
            if self.runs.get(&run).is_some_and(|open| open.phase == Phase::Running) {
                draft.act(Action::Stop { run, reason: Reason::Replaced });
            } else {
                let forgotten = self.forget(run, self.latest);
                let has_begun = forgotten.is_some_and(|open| open.attempts > 0);
                draft.close(Closing {
                    run,
                    outcome: if has_begun { Outcome::Stopped } else { Outcome::Skipped },
                    reason: Some(Reason::Replaced),
                    detail: Some("another run was due before it could begin".to_owned()),
                    ended: None,
                });
            }
        }
    }

    fn open(&mut self, name: &JobName, due: Timestamp, cause: Cause, in_turn: bool, draft: &mut Draft) {
        let run = self.next_number();
        let since = self.latest;
        let Some(slot) = self.slots.get_mut(name) else {
            return;
        };
        let jitter = match (cause, slot.job.active_timing()) {
            (Cause::Schedule | Cause::CatchUp, Some(timing)) => Policy::of(&slot.job).jitter(&timing.timetable, due),
            _ => SignedDuration::ZERO,
        };
        let ready = due + jitter;
        self.follow.began(name, since);
        slot.open.insert(run);
        let phase = if in_turn {
            slot.turns.push_back(run);
            Phase::InTurn { since }
        } else {
            self.queue.push(ready, run, slot.job.rules.pools.clone());
            Phase::Waiting { since }
        };
        self.runs.insert(
            run,
            OpenRun { job: slot.job.clone(), cause, due, ready, phase, attempts: 0, started: None, last: None },
        );
        if let Some(account) = self.accounts.get_mut(name) {
            account.gap = None;
            if account.after_end().is_some() {
                account.hold();
                self.timers.set(name, &mut slot.timer, None);
            }
        }
        draft.open(OpenEntry {
            run,
            job: name.clone(),
            cause,
            due,
            jitter,
            state: State::Waiting,
            detail: None,
            caused_by: Vec::new(),
        });
    }

    pub(super) fn record_gap(&mut self, name: &JobName, kind: GapKind, tally: Tally, draft: &mut Draft) {
        let highest = &mut self.highest;
        if let Some(account) = self.accounts.get_mut(name) {
            let record = account.gap(name, kind, tally, || {
                *highest += 1;
                RunId(*highest)
            });
            draft.record(record);
        }
    }

    /// Takes a run out of everything that knows of it, because it is over since `at`; the job's next one in turn waits for
    /// a place, and what follows from its end is known now.
    pub(super) fn forget(&mut self, run: RunId, at: Timestamp) -> Option<OpenRun> {
        let open = self.runs.remove(&run)?;
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

    /// Gives the free places to those that wait.
    pub(super) fn fill_places(&mut self, draft: &mut Draft) {
        if self.draining {
            return;
        }
        let now = self.latest;
        while let Some(run) = self.queue.take_place(now) {
            let Some(open) = self.runs.get_mut(&run) else {
                continue;
            };
            let waited = match open.phase {
                Phase::Waiting { since } | Phase::InTurn { since } => elapsed(since, now),
                Phase::Running => Duration::ZERO,
            };
            open.phase = Phase::Running;
            open.attempts += 1;
            open.started = None;
            let attempt = open.attempts;
            let launch = Launch { run, attempt, job: open.job.clone(), cause: open.cause, due: open.due };
            draft.begin(launch, waited);
        }
        self.explain_waiting(draft);
    }

    /// Says of what was opened and has no place what it waits for.
    fn explain_waiting(&self, draft: &mut Draft) {
        for entry in draft.waiting() {
            entry.detail = self.runs.get(&entry.run).map(|open| match open.phase {
                Phase::InTurn { .. } => format!("waits for {ITS_TURN}"),
                Phase::Waiting { .. } | Phase::Running => {
                    format!("waits for {}", self.queue.obstacle(&open.job.rules.pools))
                }
            });
        }
    }

    /// Sets the job's timer to when it starts next.
    pub(super) fn arm(&mut self, name: &JobName) {
        let Some(slot) = self.slots.get_mut(name) else {
            return;
        };
        let next = self.accounts.get_mut(name).and_then(|account| account.next_start(Policy::of(&slot.job)));
        self.timers.set(name, &mut slot.timer, next);
    }

    fn next_number(&mut self) -> RunId {
        self.highest += 1;
        RunId(self.highest)
    }
}

/// When a run is tried again at the latest.
pub(super) fn latest_retry(job: &Job, at: Timestamp, now: Timestamp) -> Timestamp {
    let longest = SignedDuration::try_from(job.rules.retries.max_delay).unwrap_or(SignedDuration::MAX);
    now.checked_add(longest).map_or(at, |latest| at.min(latest))
}

fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

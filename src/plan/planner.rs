//! What follows from what happened? The planner routes each event to the rules and keeps what they need to know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::account::{Account, GapKind};
use super::alerts::Alerts;
use super::decision::{Action, Decision, Draft, Launch, Record};
use super::follow::Follow;
use super::held::Held;
use super::owed::{Lapse, Owed, Policy};
use super::queue::{Capacities, Queue};
use super::timers::Timers;
use crate::job::{CatchUp, Job, JobName};
use crate::run::{Asked, Cause, ProcessId, Reason, RunId, Verdict};
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
    pub(super) held: Held,
    pub(super) alerts: Alerts,
    pub(super) highest: i64,
    /// The latest moment it was told of.
    pub(super) latest: Timestamp,
    pub(super) draining: bool,
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
    /// What was said by whoever asked for it.
    pub asked: Option<Arc<Asked>>,
    /// Whether somebody wants it to end.
    pub is_stopping: bool,
}

impl OpenRun {
    /// The instant that its work is told.
    pub fn told(&self) -> Timestamp {
        self.asked.as_ref().and_then(|asked| asked.repeats).unwrap_or(self.due)
    }
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
            held: Held::default(),
            alerts: Alerts::default(),
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
        let pause_ends = self.held.pauses.next_end().filter(|until| *until > self.latest);
        let told = self.alerts.next().filter(|at| *at > self.latest);
        self.timers.next().into_iter().chain(self.queue.next(self.latest)).chain(pause_ends).chain(told).min()
    }

    /// When a job starts next: at its next instant, or later by its jitter.
    pub fn next_of(&self, job: &JobName) -> Option<Timestamp> {
        self.slots.get(job)?.timer
    }

    pub(super) fn is_running(&self, run: RunId) -> bool {
        self.runs.get(&run).is_some_and(|open| open.phase == Phase::Running)
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
        self.conclude(draft)
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
            self.watch_run(run);
        }
        self.conclude(draft)
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

    /// Decides on every instant up to now, job by job as they fell due.
    pub(super) fn settle_due(&mut self, lapse: Lapse, draft: &mut Draft) {
        if self.draining {
            return;
        }
        self.end_pauses(draft);
        while let Some(name) = self.timers.pop_due(self.latest) {
            self.settle(&name, lapse, draft);
            self.arm(&name);
        }
    }

    fn settle(&mut self, name: &JobName, lapse: Lapse, draft: &mut Draft) {
        self.hold_back(name, draft);
        let now = self.latest;
        let (Some(slot), Some(account)) = (self.slots.get(name), self.accounts.get_mut(name)) else {
            return;
        };
        let policy = Policy::of(&slot.job);
        let owed = account.settle(now, policy, self.held.left_out(name));
        let has_passed = !owed.is_empty();
        // Several at once, or one that comes late, are worked through one after another.
        let runs =
            || owed.iter().filter_map(|owed| if let Owed::Run { cause, .. } = owed { Some(*cause) } else { None });
        let in_turn = policy.catch_up == CatchUp::All && (runs().count() > 1 || runs().any(|c| c == Cause::CatchUp));
        for owed in owed {
            match owed {
                Owed::Missed(tally) => self.record_gap(name, GapKind::missed(lapse.reason()), tally, draft),
                Owed::Closed(tally, calendar) => self.record_gap(name, GapKind::closed(&calendar), tally, draft),
                Owed::LeftOut(tally, word) => self.record_gap(name, GapKind::left_out(&word), tally, draft),
                Owed::Run { due, cause } => self.due(name, due, cause, in_turn, draft),
            }
        }
        self.forget_left_out(name, has_passed, draft);
    }

    pub(super) fn record_gap(&mut self, name: &JobName, kind: GapKind, tally: Tally, draft: &mut Draft) {
        if let Some(record) = self.gap(name, kind, tally) {
            if let Some(gap) = self.accounts.get(name).and_then(|account| account.gap.as_deref()) {
                self.fell_out(name, &record, gap, tally, draft);
            }
            draft.record(record);
        }
    }

    pub(super) fn gap(&mut self, name: &JobName, kind: GapKind, tally: Tally) -> Option<Record> {
        let highest = &mut self.highest;
        let account = self.accounts.get_mut(name)?;
        Some(account.gap(name, kind, tally, || {
            *highest += 1;
            RunId(*highest)
        }))
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
            let (job, due, asked) = (open.job.clone(), open.told(), open.asked.clone());
            let launch = Launch { run, attempt, job, cause: open.cause, due, asked };
            draft.begin(launch, waited);
        }
        self.explain_waiting(draft);
    }

    /// Says of what was opened and has no place what it waits for.
    fn explain_waiting(&self, draft: &mut Draft) {
        for entry in draft.waiting() {
            entry.detail = self.waiting_for(entry.run).map(|what| format!("waits for {what}"));
        }
    }

    /// What a run waits for, if it does.
    pub fn waiting_for(&self, run: RunId) -> Option<String> {
        let open = self.runs.get(&run)?;
        match open.phase {
            Phase::InTurn { .. } => Some(ITS_TURN.to_owned()),
            Phase::Waiting { .. } => Some(self.queue.obstacle(&open.job.rules.pools)),
            Phase::Running => None,
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

    pub(super) fn next_number(&mut self) -> RunId {
        self.highest += 1;
        RunId(self.highest)
    }
}

fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

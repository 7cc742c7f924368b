//! What follows from what happened? The planner routes each event to the rules and keeps what they need to know.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::account::{Account, GapKind};
use super::decision::{Action, Closing, Decision, Draft, Launch, OpenEntry, Record};
use super::follow::Follow;
use super::overlap::{Admission, Unended, admit};
use super::owed::{Lapse, Owed, Policy};
use super::queue::{Capacities, Queue};
use super::timers::Timers;
use crate::job::{CatchUp, Job, JobName};
use crate::run::{Cause, Outcome, ProcessId, Reason, RunId, State, Verdict};
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

fn elapsed(since: Timestamp, now: Timestamp) -> Duration {
    Duration::try_from(now.duration_since(since)).unwrap_or_default()
}

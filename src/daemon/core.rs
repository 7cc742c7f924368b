//! The loop that owns the planner: what happens goes in, what is decided goes to the ledger, and what is in the ledger is
//! carried out.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use super::journal;
use super::lock::HoldersStop;
use super::news::HouseNews;
use super::reading::{Outcome, Reread};
use super::reloaded::Reloaded;
use super::reread::{Rereading, Stir};
use super::send::{Outlets, Pinged};
use super::service::{Overseer, is_service, watchdog_interval};
use super::waiting::{Answer as WishAnswer, Waiting};
use crate::clock::{Alarm, Clock, Woken, instant};
use crate::configuration::Configuration;
use crate::control::{Ask, FileState};
use crate::keeper::Asked;
use crate::plan::{Action, Decision, Drain, Lapse, Planner, Record};
use crate::run::{AttemptId, RunId};
use crate::runner::{Door, Event, Order};
use crate::settings::Settings;
use crate::store::{Answer, Reader, Restate, Trouble, Writer};

/// Decisions that wait for the disk before nothing more is heard from the runner, whose steps tell of themselves as often as
/// they like: half of what the writer takes, so that what must be said in between never waits.
const MOST_UNCOMMITTED: usize = 4096;
/// For how long a daemon that is being stopped, and cannot record, waits for both to change. Whatever is not closed by then
/// the next start finds open, and closes.
pub const GIVE_UP_AFTER: Duration = Duration::from_secs(15);

/// What somebody wants of the running daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Demand {
    /// The first time: let runs finish; again: end them at once.
    Stop,
    /// Take the file now.
    Reload,
    /// Take the zones and calendars now, which other programs bring up to date.
    Refresh,
}

impl From<Asked> for Demand {
    fn from(asked: Asked) -> Self {
        match asked {
            Asked::Stop => Self::Stop,
            Asked::Reload => Self::Reload,
        }
    }
}

/// Everything that the loop talks to.
pub struct Core {
    pub planner: Planner,
    pub clock: Clock,
    pub alarm: Alarm,
    pub writer: Writer,
    pub answers: mpsc::Receiver<Answer>,
    /// The writer asks what the planner knows, if the ledger has lost it.
    pub restates: mpsc::Receiver<Restate>,
    pub reader: Reader,
    pub door: Door,
    pub events: mpsc::Receiver<Event>,
    pub demands: mpsc::Receiver<Demand>,
    /// What has reached the keeper, as the service's main process.
    pub asked: mpsc::Receiver<Asked>,
    /// What people wish, by way of the control socket.
    pub asks: mpsc::Receiver<Ask>,
    pub configuration: Arc<Configuration>,
    /// The same, for whoever asks.
    pub in_force: watch::Sender<Arc<Configuration>>,
    pub rereading: Rereading,
    /// That zones and calendars are to be taken anew.
    pub refresh: Arc<Notify>,
    /// When the queue's first job is due, for whoever looks from outside.
    pub head: watch::Sender<Option<Timestamp>>,
    /// How often the clock was set.
    pub clock_sets: watch::Sender<u64>,
    /// What is to be said of the file, to whoever asks.
    pub file: watch::Sender<FileState>,
    /// What chores have found that is to be told.
    pub house: mpsc::Receiver<HouseNews>,
    /// Whoever tells people.
    pub outlets: Outlets,
    /// That the end is near, to the same.
    pub stopping: watch::Sender<Option<HoldersStop>>,
    pub overseer: Overseer,
    pub state: LoopState,
}

/// What the loop remembers from one turn to the next.
pub struct LoopState {
    /// Decisions that are not in the ledger yet, in their order.
    pub(super) uncommitted: VecDeque<Uncommitted>,
    pub(super) drain: Option<Drain>,
    pub(super) grace_ends: Option<Instant>,
    /// When to look at the clock again, because what it showed could not be acted on.
    pub(super) look_again: Option<Instant>,
    /// When nobody waits any longer for what cannot be recorded.
    pub(super) gives_up: Option<Instant>,
    /// When to say again how it goes.
    pub(super) status_at: Instant,
    /// What the two clocks showed at the last look.
    pub(super) seen: (Timestamp, Duration),
    /// Why instants may have passed unnoticed since.
    pub(super) lapse: Lapse,
    /// Steps that wait until their beginning is in the ledger.
    noted: BTreeMap<AttemptId, oneshot::Sender<()>>,
    /// Answers for which the ledger is being read.
    pub(super) answering: JoinSet<()>,
    /// What keeps the ledger from being written.
    pub(super) trouble: Option<Trouble>,
    /// What is in force, in the words of the ledger.
    pub(super) in_force: Arc<str>,
    /// The settings of which some hold until the next start.
    pub(super) started_with: Settings,
    /// Who wants the file to be taken.
    pub(super) asking: Vec<WishAnswer>,
    /// Files that were taken and are not in the ledger yet.
    pub(super) reloaded: Vec<Reloaded>,
    /// Who is pinged of runs that go.
    pub(super) pinged: BTreeMap<RunId, Pinged>,
}

impl LoopState {
    pub fn new(clock: &Clock, in_force: Arc<str>, started_with: Settings) -> Self {
        Self {
            uncommitted: VecDeque::new(),
            drain: None,
            grace_ends: None,
            look_again: None,
            gives_up: None,
            status_at: instant(),
            seen: (clock.now(), clock.elapsed()),
            lapse: Lapse::Suspended,
            noted: BTreeMap::new(),
            answering: JoinSet::new(),
            trouble: None,
            in_force,
            started_with,
            asking: Vec::new(),
            reloaded: Vec::new(),
            pinged: BTreeMap::new(),
        }
    }
}

/// A decision on its way to the ledger.
pub(super) struct Uncommitted {
    pub decision: Arc<Decision>,
    /// Whether its runs were started before it got there.
    pub is_carried_out: bool,
    /// Who waits for it to get there.
    pub waiting: Option<Waiting>,
}

/// What a turn of the loop is about.
enum Turn {
    Woken(std::io::Result<Woken>),
    Committed(Answer),
    Happened(Event),
    Demanded(Demand),
    Wished(Box<Ask>),
    Reread(Reread),
    WasReread(Reread, Outcome),
    Trouble,
    House(HouseNews),
    Restated(Restate),
    GraceIsOver,
    GivesUp,
    Alive,
    ShowStatus,
}

impl Core {
    /// Runs until it was told to stop and every run is closed. `first` is the decision with which the planner began. The
    /// error is how many runs and decisions are left because they could not be recorded.
    pub async fn run(mut self, first: Decision) -> Result<(), usize> {
        let (watchdog, tells_systemd) = (watchdog_interval(), is_service());
        let mut alive_at = watchdog.map(|every| instant() + every);
        let mut trouble = self.writer.trouble();
        self.commit(first).await;
        let mut is_ready = false;
        while !self.is_done() {
            let wake_at = self.wake_at();
            self.head.send_replace(wake_at);
            self.tell_of_the_end();
            let turn = tokio::select! {
                biased;
                Some(demand) = self.demands.recv() => Turn::Demanded(demand),
                Some(asked) = self.asked.recv() => Turn::Demanded(asked.into()),
                Some(answer) = self.answers.recv() => Turn::Committed(answer),
                // What is due does not wait for however many ends there are to tell of.
                woken = self.alarm.wait_until(wake_at) => Turn::Woken(woken),
                Some(ask) = self.asks.recv(), if self.state.uncommitted.len() < MOST_UNCOMMITTED => Turn::Wished(Box::new(ask)),
                Some(event) = self.events.recv(), if self.state.uncommitted.len() < MOST_UNCOMMITTED => Turn::Happened(event),
                stir = self.rereading.stir(), if self.state.drain.is_none() => match stir {
                    Stir::Settled(what) => Turn::Reread(what),
                    Stir::Read(what, outcome) => Turn::WasReread(what, outcome),
                },
                () = self.refresh.notified() => Turn::Demanded(Demand::Refresh),
                Ok(()) = trouble.changed() => Turn::Trouble,
                Some(news) = self.house.recv() => Turn::House(news),
                Some(ask) = self.restates.recv() => Turn::Restated(ask),
                () = at(self.state.grace_ends) => Turn::GraceIsOver,
                () = at(self.state.gives_up) => Turn::GivesUp,
                () = at(self.state.look_again) => Turn::Woken(Ok(Woken::ClockSet)),
                () = at(alive_at) => Turn::Alive,
                () = sleep_until(self.state.status_at), if tells_systemd && is_ready => Turn::ShowStatus,
            };
            match turn {
                Turn::Woken(woken) => self.woken(woken).await,
                Turn::Committed(answer) => {
                    self.committed(answer).await;
                    if !std::mem::replace(&mut is_ready, true) {
                        self.overseer.ready().await;
                    }
                }
                Turn::Happened(event) => self.happened(event).await,
                Turn::Demanded(Demand::Stop) => self.stop().await,
                Turn::Demanded(Demand::Reload) => self.reload_asked(None).await,
                Turn::Demanded(Demand::Refresh) => self.reread(Reread::Surroundings),
                Turn::Wished(ask) => self.wished(*ask).await,
                Turn::Reread(what) => self.reread(what),
                Turn::WasReread(what, outcome) => self.was_reread(what, outcome).await,
                Turn::Trouble => {
                    let now = trouble.borrow_and_update().clone();
                    self.trouble(now).await;
                }
                Turn::House(news) => self.tell_news(news).await,
                Turn::Restated(ask) => {
                    // A writer that does not wait for it any more has ended.
                    let _ = ask.send(self.planner.restate());
                }
                Turn::GraceIsOver => self.drain(Drain::Stop).await,
                // The loop's own condition looks at the time.
                Turn::GivesUp => {}
                Turn::Alive => {
                    self.overseer.alive().await;
                    alive_at = watchdog.map(|every| instant() + every);
                }
                Turn::ShowStatus => self.show_status().await,
            }
        }
        let unclosed = self.state.uncommitted.len() + self.planner.running();
        if unclosed > 0 { Err(unclosed) } else { Ok(()) }
    }

    fn is_done(&self) -> bool {
        let is_closed = self.planner.running() == 0 && self.state.uncommitted.is_empty();
        let gives_up = self.state.gives_up.is_some_and(|until| until <= instant());
        self.state.drain.is_some() && (is_closed || gives_up)
    }

    /// While nothing can be recorded nothing is decided, unless that is wanted: what falls due meanwhile is owed, and decided
    /// on afterwards.
    fn wake_at(&self) -> Option<Timestamp> {
        if self.may_decide() { self.planner.next_wakeup() } else { None }
    }

    pub(super) async fn woken(&mut self, woken: std::io::Result<Woken>) {
        let woken = woken.unwrap_or_else(|error| {
            tracing::error!("the timer cannot be waited for: {error}");
            Woken::Due
        });
        self.look_at_the_clock(woken).await;
        if !self.may_decide() {
            return;
        }
        let lapse = std::mem::replace(&mut self.state.lapse, Lapse::Suspended);
        let decision = self.planner.handle_wakeup(self.clock.now(), lapse);
        self.commit(decision).await;
    }

    /// The answer is the decision on its way to the ledger, if there is anything to record.
    pub(super) async fn commit(&mut self, decision: Decision) -> Option<Arc<Decision>> {
        if decision.records.is_empty() {
            // Nothing to record: an end that is demanded must not wait for a ledger that cannot be written.
            for action in decision.actions {
                self.act(action).await;
            }
            return None;
        }
        let decision = self.hand_in(decision, None).await;
        if self.runs_unrecorded() {
            self.carry_out_unrecorded().await;
        }
        Some(decision)
    }

    pub(super) async fn hand_in(&mut self, decision: Decision, waiting: Option<Waiting>) -> Arc<Decision> {
        let decision = Arc::new(decision);
        let is_carried_out = false;
        self.state.uncommitted.push_back(Uncommitted { decision: decision.clone(), is_carried_out, waiting });
        self.writer.commit(decision.clone()).await;
        decision
    }

    /// A decision is in the ledger: now it is carried out.
    pub(super) async fn committed(&mut self, Answer { decision, refused }: Answer) {
        // They come back in the order in which they went.
        let (is_carried_out, waiting) = match self.state.uncommitted.pop_front() {
            Some(Uncommitted { is_carried_out, waiting, .. }) => (is_carried_out, waiting),
            None => (false, None),
        };
        for action in decision.actions.iter().filter(|_| !is_carried_out) {
            if !refused.contains(&action.run()) {
                self.act(action.clone()).await;
            }
        }
        self.tell_of(&decision);
        for record in &decision.records {
            journal::record(record, |run| self.planner.job_of(run));
            self.let_go(record).await;
        }
        if let Some(waiting) = waiting {
            self.grant(waiting, &refused);
        }
        self.tell_of_reloads(&decision);
        if !refused.is_empty() {
            let refused: Vec<_> = refused.into_iter().collect();
            let answer = self.planner.handle_refused(&refused, &decision);
            self.commit(answer).await;
        }
    }

    pub(super) async fn act(&mut self, action: Action) {
        match action {
            Action::Start(launch) => {
                let run = launch.run;
                self.tell_of_start(&launch);
                self.door.start(Order::from(launch)).await;
                self.stop_if_ending(run).await;
            }
            Action::GoOn(launch) => {
                let run = launch.run;
                self.remember_ping(&launch);
                self.door.go_on(Order::from(launch)).await;
                self.stop_if_ending(run).await;
            }
            Action::Stop { run, reason } => self.door.stop(run, reason, false).await,
            Action::Kill { run, reason } => self.door.stop(run, reason, true).await,
        }
    }

    /// What the ledger has, nobody needs to hold for it any more, or to wait for.
    async fn let_go(&mut self, record: &Record) {
        match record {
            Record::Step(note) if note.end.is_none() => {
                if let Some(noted) = self.state.noted.remove(&note.id) {
                    // It may have been stopped meanwhile.
                    let _ = noted.send(());
                }
            }
            Record::Closed(closing) => self.door.run_recorded(closing.run).await,
            Record::Attempted(attempted) => {
                self.door.recorded(AttemptId::whole(attempted.run, attempted.attempt)).await;
            }
            Record::Step(note) if note.end.is_some() => self.door.recorded(note.id).await,
            _ => {}
        }
    }

    async fn happened(&mut self, event: Event) {
        let decision = match event {
            Event::Started { run, at, process } => self.planner.handle_started(run, at, process),
            // Nothing follows from it: the runner goes by the rules of steps itself.
            Event::Step(note, noted) => {
                self.state.noted.extend(noted.map(|noted| (note.id, noted)));
                Decision { records: vec![Record::Step(*note)], actions: Vec::new() }
            }
            Event::Ended { run, ended } => {
                let name = self.planner.job_of(run).cloned();
                let decision = self.planner.handle_ended(run, ended, self.clock.now());
                if let Some(name) = name {
                    journal::ended(&name, &decision);
                }
                decision
            }
        };
        self.commit(decision).await;
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

//! What happens to a process while it is watched: it writes, it ends, its time is up, somebody wants it to end.

use std::collections::{BTreeSet, VecDeque};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};

use super::census::{Census, Member};
use super::cgroup::RunGroup;
use super::door::Stop;
use super::tree::{self, Tree};
use crate::clock::{instant, uptime};
use crate::job::{StopSignal, Surroundings};
use crate::keeper::{Kept, News};
use crate::readiness::Readiness;
use crate::run::{OutputPiece, Reason};

/// For how long what others still write is read once the process has ended: it may have left something in the
/// background that keeps the pipes open, and that does not hold the run.
const LINGER: Duration = Duration::from_millis(200);
/// Looks in a row that must find nobody.
const LOOKS: u32 = 2;
/// For how long a process is waited for that has got KILL: it ends at once unless the kernel itself waits for something, a
/// disk or a server that is gone.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);
/// Why an attempt is being ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    TimedOut,
    Stopped(Reason),
}

/// What an attempt waits for, and what came.
pub enum Moment<'c> {
    /// What the keeper tells of it.
    News(News),
    /// The ledger takes a piece of output.
    Room(mpsc::Permit<'c, OutputPiece>),
    TimeIsUp,
    Stop(Option<Stop>),
    KillNow,
    SurvivorEnded,
    /// Those who were looked for.
    Found(Vec<Member>),
    LingeredEnough,
    GiveUp,
}

type Looking = Pin<Box<dyn Future<Output = Vec<Member>> + Send>>;

/// A process while it is watched.
pub struct Life {
    tree: Arc<Tree>,
    census: Arc<Census>,
    pub kept: Kept,
    pub group: Option<RunGroup>,
    /// When it began.
    since: Instant,
    stops: watch::Receiver<Option<Stop>>,
    stop_signal: StopSignal,
    kill_after: Duration,
    time_is_up: Option<Instant>,
    /// Pieces that the ledger has not taken yet; the keeper gives no more than a few at a time.
    pub outbox: VecDeque<OutputPiece>,
    pub ending: Option<Cause>,
    kill_wanted: bool,
    /// Whether the tree has got its first signal.
    asked: bool,
    kill_at: Option<Instant>,
    killed: bool,
    /// Until when what does not even end by KILL is waited for.
    give_up_at: Option<Instant>,
    has_exited: bool,
    /// Nobody can write into its pipes any more.
    pub is_silent: bool,
    pub ended_at: Option<jiff::Timestamp>,
    pub duration: Duration,
    /// A look at who is left of a tree that is being ended.
    looking: Option<Looking>,
    /// Whoever was found so far: what has lost its marks since is known all the same.
    family: BTreeSet<Member>,
    /// Looks in a row that found nobody.
    found_nobody: u32,
    /// One of those that outlive the leader of a tree that is being ended.
    survivor: Option<Readiness>,
    linger_until: Option<Instant>,
}

impl Life {
    pub fn new(
        tree: Tree,
        census: Arc<Census>,
        group: Option<RunGroup>,
        kept: Kept,
        stops: watch::Receiver<Option<Stop>>,
        work: &Surroundings,
    ) -> Self {
        let now = instant();
        // It may have begun long ago, for another scheduler.
        let since = now.checked_sub(uptime().saturating_sub(kept.begun.uptime)).unwrap_or(now);
        Self {
            tree: Arc::new(tree),
            census,
            kept,
            group,
            since,
            stops,
            stop_signal: work.stop_signal,
            kill_after: work.kill_after,
            time_is_up: work.timeout.map(|timeout| since + timeout),
            outbox: VecDeque::new(),
            ending: None,
            kill_wanted: false,
            asked: false,
            kill_at: None,
            killed: false,
            give_up_at: None,
            has_exited: false,
            is_silent: false,
            ended_at: None,
            duration: Duration::ZERO,
            looking: None,
            family: BTreeSet::new(),
            found_nobody: 0,
            survivor: None,
            linger_until: None,
        }
    }

    /// The process has ended, nothing of it is left that should not be, and its output is read.
    pub fn is_over(&self) -> bool {
        let lingered = self.linger_until.is_some_and(|until| until <= instant());
        self.has_exited && !self.is_being_ended() && (self.is_silent || lingered)
    }

    /// Whether somebody of the tree may still be there who is to end.
    fn is_being_ended(&self) -> bool {
        let gone = self.has_exited && self.found_nobody >= LOOKS;
        let given_up = self.has_exited && self.give_up_at.is_some_and(|at| at <= instant());
        self.ending.is_some() && !gone && !given_up
    }

    pub async fn next<'c>(&mut self, ledger: &'c mpsc::Sender<OutputPiece>) -> Moment<'c> {
        let stoppable = !self.has_exited || self.is_being_ended();
        tokio::select! {
            // A demand to end comes before output, of which there may be no end.
            biased;
            Ok(()) = self.stops.changed(), if stoppable => Moment::Stop(*self.stops.borrow_and_update()),
            () = at(self.time_is_up), if self.ending.is_none() && !self.has_exited => Moment::TimeIsUp,
            () = at(self.kill_at), if stoppable => Moment::KillNow,
            found = look(&mut self.looking), if self.looking.is_some() => {
                self.looking = None;
                Moment::Found(found)
            }
            () = ended(self.survivor.as_ref()), if self.survivor.is_some() => Moment::SurvivorEnded,
            () = at(self.give_up_at), if self.has_exited && self.is_being_ended() => Moment::GiveUp,
            () = at(self.linger_until), if self.linger_until.is_some() => Moment::LingeredEnough,
            Ok(room) = ledger.reserve(), if !self.outbox.is_empty() => Moment::Room(room),
            news = self.kept.next() => Moment::News(news),
        }
    }

    pub fn exited(&mut self, at: jiff::Timestamp, duration: Duration) {
        self.has_exited = true;
        self.time_is_up = None;
        self.is_down(at, duration);
        if self.asked {
            self.look();
        }
    }

    /// As far as is known now, this was the end.
    fn is_down(&mut self, at: jiff::Timestamp, duration: Duration) {
        self.ended_at = Some(at);
        self.duration = duration;
        self.linger_until = Some(instant() + LINGER);
    }

    /// The tree is to end. Who belongs to it is looked up first: once a parent has ended, a child that left the group and
    /// lost its marks is known only by having been seen.
    pub fn begin_ending(&mut self, cause: Cause, kill: bool) {
        let has_begun = self.ending.is_some();
        self.ending.get_or_insert(cause);
        self.kill_wanted |= kill;
        if !has_begun {
            self.look();
        } else if kill && self.asked {
            self.kill();
        }
    }

    pub fn kill(&mut self) {
        self.asked = true;
        self.tree.signal_group(Signal::KILL);
        if let Some(group) = &self.group {
            group.kill();
        }
        for member in &self.family {
            member.signal(Signal::KILL);
        }
        self.kill_at = None;
        self.killed = true;
        self.give_up_at = Some(instant() + GIVE_UP_AFTER);
        self.look();
    }

    /// Asks all of the tree to end by themselves.
    fn ask(&mut self) {
        self.asked = true;
        let signal = tree::number(self.stop_signal);
        self.tree.signal_group(signal);
        for member in self.family.iter().filter(|member| !member.in_group) {
            member.signal(signal);
        }
        self.kill_at = Some(instant() + self.kill_after);
        self.look();
    }

    /// Looks for whoever is left; the answer is a [`Moment::Found`].
    pub fn look(&mut self) {
        self.survivor = None;
        let (census, tree, family) = (self.census.clone(), self.tree.clone(), self.family.clone());
        self.looking = Some(Box::pin(async move { census.members(tree, family).await }));
    }

    /// Deals with those who were found: they are asked to end, or ended, and waited for, one after another.
    pub fn found(&mut self, members: &[Member], now: jiff::Timestamp) {
        let new: Vec<Member> = members.iter().filter(|member| self.family.insert(**member)).copied().collect();
        if !self.asked {
            return if self.kill_wanted { self.kill() } else { self.ask() };
        }
        if self.killed {
            for member in members {
                member.signal(Signal::KILL);
            }
        } else {
            let signal = tree::number(self.stop_signal);
            for member in new.iter().filter(|member| !member.in_group) {
                member.signal(signal);
            }
        }
        if !self.has_exited {
            return;
        }
        let watched = members.iter().find_map(Member::watch);
        match watched.and_then(|process| Readiness::new(process).ok()) {
            Some(survivor) => {
                self.found_nobody = 0;
                self.survivor = Some(survivor);
            }
            // They have ended since they were seen, and may have forked before.
            None if !members.is_empty() => {
                self.found_nobody = 0;
                self.look();
            }
            None => {
                self.found_nobody += 1;
                self.is_down(now, self.since.elapsed());
                // Whoever was being forked during one look is there at the next.
                if self.found_nobody < LOOKS {
                    self.look();
                }
            }
        }
    }
}

async fn look(looking: &mut Option<Looking>) -> Vec<Member> {
    match looking {
        Some(looking) => looking.await,
        None => std::future::pending().await,
    }
}

async fn at(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

async fn ended(process: Option<&Readiness>) {
    if let Some(process) = process {
        // An error of the poll is taken for an end, and looked into by the next look.
        let _ = process.readable().await;
    }
}

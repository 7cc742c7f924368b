//! What becomes of notices that are in the outbox? A task of its own sends them; neither the loop nor any run waits for it.
//!
//! What waits for one carrier of a channel goes in order, one message after the other, each by a task that lives as long as
//! there is something to do. A message is in the ledger before it is sent, and what came of it as soon as that is known: a
//! daemon that is killed in between sends it again, under the same name.

mod errand;
mod lane;
mod outcome;
mod outcry;
mod ping;
mod resting;
mod thread;
mod wording;

use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::timeout;

use crate::clock::{Alarm, Clock, Woken};
use crate::configuration::Configuration;
use crate::store::{Lane, Store, Trouble};
use errand::MOST_ERRANDS;
pub use errand::{Errand, Errands, NoticeWish};
use lane::{Came, Rest};
use outcry::Outcry;
pub use outcry::{Heard, WORTH_TELLING};
pub use ping::{Pinged, Pinger, PingerEnd, Pulse};
use resting::Resting;

/// Carriers at work at once. Each holds a message in memory and a connection; who has more channels than that has to wait for a
/// slow one.
const MOST_AT_ONCE: usize = 64;
/// For how long a send that is under way may go on when the daemon stops; what has not ended by then is sent again at the next
/// start.
const LAST_BREATH: Duration = Duration::from_secs(5);
/// When the ledger is asked again after it could not be.
const ASK_AGAIN: Duration = Duration::from_secs(10);
/// How long nothing is sent where sending has met an error of our own.
const AFTER_A_FAULT: Duration = Duration::from_secs(300);

/// What the sender is begun with.
pub struct Setup {
    pub store: Arc<Store>,
    pub clock: Clock,
    pub in_force: watch::Receiver<Arc<Configuration>>,
    pub trouble: watch::Receiver<Option<Trouble>>,
    /// The daemon's own, in which passwords may stand.
    pub environment: Arc<BTreeMap<String, String>>,
    /// Where commands begin.
    pub folder: PathBuf,
    /// How punctual is called so that it finds this daemon.
    pub called: Arc<str>,
}

/// Where the loop says what there is to tell.
pub struct Outlets {
    /// That a notice has come into the ledger.
    pub news: Arc<Notify>,
    /// What people want of the outbox.
    pub errands: Errands,
    pub pinger: Pinger,
    /// Who has heard of a trouble that kept the outbox from being written.
    pub heard: Heard,
}

/// What tells people: where it is told, and the two that carry it out. They end when nobody can tell them anything any more.
pub fn begin(setup: Setup) -> std::io::Result<(Outlets, Sender, PingerEnd)> {
    let (news, (errands, errands_out)) = (Arc::new(Notify::new()), mpsc::channel(MOST_ERRANDS));
    let (environment, folder) = (setup.environment.clone(), setup.folder.clone());
    let (pinger, pinger_end) = Pinger::new(setup.in_force.clone(), environment, folder);
    let heard = Heard::default();
    let sender = Sender::new(setup, news.clone(), errands_out, heard.clone())?;
    Ok((Outlets { news, errands, pinger, heard }, sender, pinger_end))
}

pub struct Sender {
    setup: Arc<Setup>,
    in_force: watch::Receiver<Arc<Configuration>>,
    trouble: watch::Receiver<Option<Trouble>>,
    news: Arc<Notify>,
    errands: mpsc::Receiver<Errand>,
    alarm: Alarm,
    host: Arc<str>,
    under_way: JoinSet<Rest>,
    /// Which task works for which of them.
    busy: HashMap<Id, Lane>,
    resting: Resting,
    /// That the ledger cannot be asked is said once.
    is_unreadable: bool,
    heard: Heard,
    /// What tells of a trouble that lasts; none where there is none.
    outcry: Option<JoinSet<()>>,
}

impl Sender {
    fn new(setup: Setup, news: Arc<Notify>, errands: mpsc::Receiver<Errand>, heard: Heard) -> std::io::Result<Self> {
        let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned().into();
        Ok(Self {
            alarm: setup.clock.alarm()?,
            in_force: setup.in_force.clone(),
            trouble: setup.trouble.clone(),
            setup: Arc::new(setup),
            news,
            errands,
            host,
            under_way: JoinSet::new(),
            busy: HashMap::new(),
            resting: Resting::default(),
            is_unreadable: false,
            heard,
            outcry: None,
        })
    }

    /// Sends until the loop is gone.
    pub async fn run(mut self) {
        loop {
            let next = self.look().await;
            tokio::select! {
                errand = self.errands.recv() => match errand {
                    Some(errand) => {
                        let configuration = self.in_force.borrow().clone();
                        errand.carry_out(&self.setup.store, &configuration, self.setup.clock.now()).await;
                        self.resting.end_all();
                    }
                    None => break,
                },
                () = self.news.notified() => self.resting.end_all(),
                Some(done) = self.under_way.join_next_with_id() => self.done(done),
                woken = self.alarm.wait_until(next) => if !matches!(woken, Ok(Woken::Due)) {
                    self.resting.end_all();
                },
                Ok(()) = self.in_force.changed() => self.resting.end_all(),
                Ok(()) = self.trouble.changed() => self.resting.end_all(),
            }
        }
        let all = async { while self.under_way.join_next().await.is_some() {} };
        if timeout(LAST_BREATH, all).await.is_err() {
            tracing::warn!("a notice is still being sent: it is sent again at the next start");
            self.under_way.shutdown().await;
        }
    }

    /// Begins what can be done now; the answer is when to look again, unless something happens before.
    async fn look(&mut self) -> Option<Timestamp> {
        // What cannot be recorded is not sent, but for that. The end of it wakes us.
        if self.trouble.borrow_and_update().is_some() {
            self.cry_out();
            return None;
        }
        self.outcry = None;
        let now = self.setup.clock.now();
        let lanes = match self.setup.store.reader.lanes().await {
            Ok(lanes) => lanes,
            Err(error) => return self.unreadable(&error, now),
        };
        self.is_unreadable = false;
        self.resting.look(&lanes, now);
        for lane in lanes {
            let is_busy = self.busy.values().any(|busy| *busy == lane);
            if self.busy.len() >= MOST_AT_ONCE || is_busy || self.resting.has(&lane) {
                continue;
            }
            let came = Came {
                store: self.setup.store.clone(),
                clock: self.setup.clock.clone(),
                configuration: self.in_force.borrow_and_update().clone(),
                trouble: self.trouble.clone(),
                environment: self.setup.environment.clone(),
                folder: self.setup.folder.clone(),
                host: self.host.clone(),
                called: self.setup.called.clone(),
                lane: lane.clone(),
            };
            let task = self.under_way.spawn(came.work());
            self.busy.insert(task.id(), lane);
        }
        self.resting.next()
    }

    fn cry_out(&mut self) {
        if self.outcry.is_none() {
            let (setup, host) = (self.setup.clone(), self.host.clone());
            let outcry = Outcry { setup, trouble: self.trouble.clone(), heard: self.heard.clone(), host };
            self.outcry.get_or_insert_default().spawn(outcry.tell());
        }
    }

    fn done(&mut self, done: Result<(Id, Rest), JoinError>) {
        let now = self.setup.clock.now();
        let id = done.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        let Some(lane) = self.busy.remove(&id) else {
            return;
        };
        let rest = match done {
            Ok((_, rest)) => rest.unwrap_or_else(|error| self.unreadable(&error, now)),
            Err(error) => {
                tracing::error!("what waits for {} by {} cannot be sent: {error}", lane.channel, lane.carrier.word());
                now.checked_add(AFTER_A_FAULT).ok()
            }
        };
        if let Some(until) = rest {
            self.resting.begin(lane, until, now);
        }
    }

    fn unreadable(&mut self, error: &sqlx::Error, now: Timestamp) -> Option<Timestamp> {
        if !std::mem::replace(&mut self.is_unreadable, true) {
            tracing::error!("notices wait, because the ledger cannot be asked for them: {error}");
            self.setup.store.suspect(error);
        }
        now.checked_add(ASK_AGAIN).ok()
    }
}

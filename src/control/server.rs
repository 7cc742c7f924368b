//! How is the socket served for as long as the daemon lives? On a thread of its own, so that whatever is asked takes no time from
//! the loop that starts jobs.

use std::convert::Infallible;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::UnixStream;
use tokio::runtime;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, sleep};

use super::access::Access;
use super::connections::Connections;
use super::desk::Desk;
use super::file_state::FileState;
use super::place::Place;
use super::routes::router;
use super::socket::Socket;
use super::tidings::tell;
use super::wish::Ask;
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::store::{Reader, Trouble};

/// How often it is looked whether the socket is still there.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// After a connection could not be taken, because there are no descriptors: until then there may be some.
const BREATH: Duration = Duration::from_millis(100);
/// Those who read output at the same time: each holds what one of its looks has found.
const MOST_OUTPUTS: usize = 16;
/// Threads beside its own, for searches and for the user database.
const MOST_ASIDE: usize = 8;
/// The kernel gives a thread so much less of a processor that others want.
const NICE: i32 = 5;

/// What the server is given by the daemon.
pub struct Setup {
    pub place: Place,
    pub database: PathBuf,
    pub ledger: Reader,
    /// It ends when nobody can change this any more.
    pub in_force: watch::Receiver<Arc<Configuration>>,
    pub trouble: watch::Receiver<Option<Trouble>>,
    pub file: watch::Receiver<FileState>,
    pub asks: mpsc::Sender<Ask>,
    pub clock: Clock,
    /// Of the daemon.
    pub pid: i32,
    pub since: Timestamp,
}

/// A server that is to be waited for.
pub struct Server {
    /// Where people are listened to, while they are.
    pub path: watch::Receiver<Option<PathBuf>>,
    ended: oneshot::Receiver<Infallible>,
    thread: JoinHandle<()>,
}

impl Server {
    /// Listens as soon as that is possible, and until nobody can change any more what is in force.
    pub fn start(setup: Setup) -> io::Result<Self> {
        let (say_where, path) = watch::channel(None);
        let (ending, ended) = oneshot::channel();
        let serve = move || {
            let _ = rustix::process::setpriority_process(None, NICE);
            match runtime::Builder::new_current_thread().enable_all().max_blocking_threads(MOST_ASIDE).build() {
                Ok(runtime) => {
                    runtime.block_on(async { Host::new(setup, say_where).serve().await });
                    // Whoever asks the user database for longer than that is left alone.
                    runtime.shutdown_timeout(BREATH);
                }
                Err(error) => tracing::error!("nobody is listened to: {error}; jobs run all the same"),
            }
            drop(ending);
        };
        let thread = thread::Builder::new().name("control".to_owned()).spawn(serve)?;
        Ok(Self { path, ended, thread })
    }

    /// Waits for its end, which follows that of the daemon's loop.
    pub async fn ended(self) {
        let _ = self.ended.await;
        // It has nothing left to do.
        let _ = self.thread.join();
    }
}

/// Whoever has the socket.
struct Host {
    place: Place,
    database: PathBuf,
    socket: Option<Socket>,
    /// That there is none was said.
    has_complained: bool,
    /// What was said about groups that there are not.
    unknown: Vec<String>,
    say_where: watch::Sender<Option<PathBuf>>,
    in_force: watch::Receiver<Arc<Configuration>>,
    access: watch::Sender<Access>,
    desk: Arc<Desk>,
    connections: Option<Connections>,
}

impl Host {
    fn new(setup: Setup, say_where: watch::Sender<Option<PathBuf>>) -> Self {
        let Setup { place, database, ledger, mut in_force, trouble, file, asks, clock, pid, since } = setup;
        let (access, unknown) = Access::of(&in_force.borrow_and_update().settings);
        let access = watch::Sender::new(access);
        let desk = Desk {
            ledger,
            in_force: in_force.clone(),
            clock,
            pid,
            since,
            socket: say_where.subscribe(),
            trouble,
            file,
            access: access.subscribe(),
            asks,
            outputs: Arc::new(Semaphore::new(MOST_OUTPUTS)),
            tidings: watch::Sender::new(()),
            begun: Notify::new(),
        };
        let desk = Arc::new(desk);
        let connections = Some(Connections::new(router(&desk)));
        let mut host = Self {
            place,
            database,
            socket: None,
            has_complained: false,
            unknown: Vec::new(),
            say_where,
            in_force,
            access,
            desk,
            connections,
        };
        host.complain(unknown);
        host
    }

    /// Makes the socket where there is none.
    fn look(&mut self) {
        if self.socket.as_ref().is_some_and(Socket::is_there) {
            return;
        }
        if let Some(socket) = self.socket.take() {
            tracing::warn!("the control socket {} was removed; it is made again", socket.path.display());
        }
        match Socket::open(&self.place, &self.database) {
            Ok(socket) => {
                self.socket = Some(socket);
                self.has_complained = false;
                self.admit();
            }
            Err(error) if self.has_complained => tracing::debug!("{error}"),
            Err(error) => {
                self.has_complained = true;
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                tracing::error!("nobody is listened to: {error}{}; jobs run all the same", cause.unwrap_or_default());
            }
        }
        self.say_where.send_replace(self.socket.as_ref().map(|socket| socket.path.clone()));
    }

    /// Opens the socket to whom the settings name.
    fn admit(&self) {
        if let Some(socket) = &self.socket {
            let (group, everybody) = self.access.borrow().doors();
            socket.admit(group, everybody);
        }
    }

    /// Says which groups there are not, once.
    fn complain(&mut self, unknown: Vec<String>) {
        for words in unknown.iter().filter(|words| !self.unknown.contains(words)) {
            tracing::warn!("[daemon] {words}; nobody is let in by it");
        }
        self.unknown = unknown;
    }

    /// The first look is at once.
    async fn serve(mut self) {
        let Some(mut connections) = self.connections.take() else {
            return;
        };
        let mut looks = interval(LOOK_EVERY);
        looks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut looking_up = JoinSet::new();
        let mut tidings = std::pin::pin!(tell(self.desk.clone()));
        loop {
            tokio::select! {
                stream = accept(self.socket.as_ref()) => connections.take(stream),
                _ = looks.tick() => self.look(),
                never = &mut tidings => match never {},
                changed = self.in_force.changed() => {
                    if changed.is_err() {
                        break;
                    }
                    let configuration = self.in_force.borrow_and_update().clone();
                    looking_up.spawn_blocking(move || Access::of(&configuration.settings));
                }
                Some(Ok((access, unknown))) = looking_up.join_next() => {
                    self.complain(unknown);
                    let is_new = *self.access.borrow() != access;
                    if is_new {
                        self.access.send_replace(access);
                        self.admit();
                    }
                }
            }
        }
        if let Some(socket) = self.socket.take() {
            socket.remove();
        }
        connections.end().await;
    }
}

async fn accept(socket: Option<&Socket>) -> UnixStream {
    let Some(socket) = socket else {
        return std::future::pending().await;
    };
    loop {
        match socket.listener.accept().await {
            Ok((stream, _)) => return stream,
            Err(error) => {
                tracing::debug!("a connection cannot be taken: {error}");
                sleep(BREATH).await;
            }
        }
    }
}

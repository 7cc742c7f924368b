//! What does an answer need of the daemon?

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot, watch};

use super::access::{Access, Person, Right};
use super::connections::Visitor;
use super::file_state::{FileState, trouble_report};
use super::problem::{Code, Problem};
use super::wish::{Ask, Caller, Granted, Wish};
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::report::{DaemonReport, Time};
use crate::store::{Reader, Trouble};

/// For how long a request may take, until the head of its answer is on its way.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(30);
/// For how long a wish may wait until the loop looks at it.
const TAKEN_WITHIN: Duration = Duration::from_secs(5);

pub struct Desk {
    /// Of the socket's own: no run waits while somebody asks for much.
    pub ledger: Reader,
    /// The jobs and settings in force.
    pub in_force: watch::Receiver<Arc<Configuration>>,
    pub clock: Clock,
    pub pid: i32,
    pub since: Timestamp,
    pub socket: watch::Receiver<Option<PathBuf>>,
    pub trouble: watch::Receiver<Option<Trouble>>,
    pub file: watch::Receiver<FileState>,
    pub access: watch::Receiver<Access>,
    pub asks: mpsc::Sender<Ask>,
    /// How many may still read output at the same time.
    pub outputs: Arc<Semaphore>,
    /// That something was written to the ledger, while somebody follows a run.
    pub tidings: watch::Sender<()>,
    /// That somebody has begun to follow one.
    pub begun: Notify,
}

impl Desk {
    /// Hears of whatever is written to the ledger from now on.
    pub fn follow(&self) -> watch::Receiver<()> {
        let tidings = self.tidings.subscribe();
        self.begun.notify_one();
        tidings
    }

    pub fn configuration(&self) -> Arc<Configuration> {
        self.in_force.borrow().clone()
    }

    /// Says no to whoever may not do what he wants to.
    pub async fn allow(&self, visitor: &Visitor, wanted: Right) -> Result<(), Problem> {
        let peer = visitor.peer;
        if self.access.borrow().is_owner(peer) {
            return Ok(());
        }
        let person = visitor.person.get_or_init(|| Person::look_up(peer)).await;
        if self.access.borrow().right_of(peer, &person.groups) >= wanted {
            return Ok(());
        }
        Err(self.forbidden(&person.name, wanted))
    }

    fn forbidden(&self, name: &str, wanted: Right) -> Problem {
        let configuration = self.in_force.borrow();
        let (what, key) = match wanted {
            Right::Nothing | Right::Read => ("read anything here", "readers"),
            Right::Wish => ("change anything here", "operators"),
        };
        let file = configuration.path.display();
        let help = match (wanted, &configuration.settings.operators[..]) {
            (Right::Wish, [group, ..]) => format!("become a member of the group {group}, or ask as root"),
            _ => format!("name a group of {name} as `{key}` in [daemon] of {file}, or ask as root"),
        };
        Problem::new(Code::Forbidden, format!("{name} may not {what}")).with_help(help)
    }

    /// Hands a wish to the loop, and waits for what comes of it.
    pub async fn wish(&self, visitor: &Visitor, wish: Wish) -> Result<Granted, Problem> {
        let peer = visitor.peer;
        let person = visitor.person.get_or_init(|| Person::look_up(peer)).await;
        let (answer, answered) = oneshot::channel();
        let by = Caller { uid: peer.uid, name: person.name.clone() };
        self.asks.send_timeout(Ask { wish, by, answer }, TAKEN_WITHIN).await.map_err(|error| match error {
            SendTimeoutError::Timeout(_) => {
                Problem::new(Code::Unavailable, "the daemon has too much to do at the moment")
                    .with_help("ask again later")
            }
            SendTimeoutError::Closed(_) => stopping(),
        })?;
        match answered.await {
            Ok(granted) => Ok(granted?),
            Err(_) => Err(stopping()),
        }
    }

    pub fn daemon(&self) -> DaemonReport {
        let (trouble, file) = (self.trouble.borrow(), self.file.borrow());
        DaemonReport {
            pid: self.pid,
            since: Time(self.since),
            config: self.in_force.borrow().path.display().to_string(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            socket: self.socket.borrow().as_ref().map(|path| path.display().to_string()),
            trouble: trouble.as_ref().map(trouble_report),
            file_trouble: file.trouble.as_ref().map(trouble_report),
            at_next_start: file.at_next_start.iter().map(|key| (*key).to_owned()).collect(),
        }
    }
}

fn stopping() -> Problem {
    Problem::new(Code::Unavailable, "the daemon is stopping").with_help("ask again once it runs")
}

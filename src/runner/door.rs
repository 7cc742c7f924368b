//! Who starts processes? A narrow door, made of messages.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot, watch};

use super::cgroup::Cgroups;
use super::facts::Facts;
use crate::job::Job;
use crate::plan::Launch;
use crate::run::{Asked, AttemptId, Cause, Ended, ProcessId, Reason, RunId, StepNote};

/// Orders that wait to be read; the door answers each without waiting for anything but a spawning thread.
pub(super) const MESSAGES: usize = 1024;

/// What is to be carried out.
#[derive(Debug, Clone)]
pub struct Order {
    pub run: RunId,
    pub attempt: u32,
    pub cause: Cause,
    pub due: Timestamp,
    pub job: Arc<Job>,
    /// What was said by whoever asked for it.
    pub asked: Option<Arc<Asked>>,
}

impl From<Launch> for Order {
    fn from(Launch { run, attempt, job, cause, due, asked }: Launch) -> Self {
        Self { run, attempt, cause, due, job, asked }
    }
}

/// What a job finds around it besides its own definition.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The daemon's own variables, of which a job gets a short list.
    pub environment: BTreeMap<String, String>,
    /// The program that runs, and the folder of its ledger, for jobs that ask about themselves.
    pub program: PathBuf,
    pub state: PathBuf,
    /// The ledger itself, by which a process is known to be of one of its runs.
    pub database: PathBuf,
    /// Where runs get cgroups of their own.
    pub cgroups: Cgroups,
    /// What the ledger knows, for work that tells people about it.
    pub facts: Arc<dyn Facts>,
}

/// What happened behind the door.
#[derive(Debug)]
pub enum Event {
    Started {
        run: RunId,
        at: Timestamp,
        process: Option<ProcessId>,
    },
    /// Whoever has to know waits for word that it is in the ledger.
    Step(Box<StepNote>, Option<oneshot::Sender<()>>),
    Ended {
        run: RunId,
        ended: Ended,
    },
}

/// A demand to end an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stop {
    pub reason: Reason,
    /// At once, without asking first.
    pub kill: bool,
}

/// Hands a demand on to whoever carries the attempt out. KILL is never taken back by a later, milder demand.
pub(super) fn demand(stops: &watch::Sender<Option<Stop>>, stop: Stop) {
    stops.send_if_modified(|old| {
        let stronger = old.is_none_or(|old| stop.kill && !old.kill);
        if stronger {
            *old = Some(stop);
        }
        stronger
    });
}

/// What goes in.
#[derive(Debug)]
pub(super) enum Message {
    Start(Order),
    /// It was started for another scheduler, and goes on.
    GoOn(Order),
    /// The end of an attempt is in the ledger.
    Recorded(AttemptId),
    /// The end of a run is in the ledger.
    RunRecorded(RunId),
    Stop {
        run: RunId,
        stop: Stop,
    },
}

/// The side on which orders are given.
#[derive(Debug, Clone)]
pub struct Door {
    messages: mpsc::Sender<Message>,
}

impl Door {
    /// The door, and where its messages come out.
    pub(super) fn new() -> (Self, mpsc::Receiver<Message>) {
        let (messages, messages_out) = mpsc::channel(MESSAGES);
        (Self { messages }, messages_out)
    }

    pub async fn start(&self, order: Order) {
        let _ = self.messages.send(Message::Start(order)).await;
    }

    /// Goes on with a run that was begun for another scheduler.
    pub async fn go_on(&self, order: Order) {
        let _ = self.messages.send(Message::GoOn(order)).await;
    }

    /// The end of an attempt, or of one of a step, is in the ledger.
    pub async fn recorded(&self, id: AttemptId) {
        let _ = self.messages.send(Message::Recorded(id)).await;
    }

    /// The end of a run is in the ledger.
    pub async fn run_recorded(&self, run: RunId) {
        let _ = self.messages.send(Message::RunRecorded(run)).await;
    }

    /// Ends a run: by its own signal and later KILL, or by KILL at once.
    pub async fn stop(&self, run: RunId, reason: Reason, kill: bool) {
        let _ = self.messages.send(Message::Stop { run, stop: Stop { reason, kill } }).await;
    }
}

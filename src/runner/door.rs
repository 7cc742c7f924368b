//! Who starts processes? A narrow door, made of messages.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::attempt::{Attempt, Stop};
use super::spawner::Spawner;
use crate::clock::Clock;
use crate::job::{Command, Job, Task};
use crate::plan::Launch;
use crate::run::{Cause, Ended, Exit, OutputPiece, ProcessId, Reason, RunId};

/// Orders that wait to be read; the door answers each without waiting for anything but a spawning thread.
const ORDERS: usize = 1024;

/// What is to be carried out.
#[derive(Debug, Clone)]
pub struct Order {
    pub run: RunId,
    pub attempt: u32,
    pub cause: Cause,
    pub due: Timestamp,
    pub job: Arc<Job>,
}

impl Order {
    pub fn command(&self) -> &Command {
        let Task::Command(command) = &self.job.task;
        command
    }
}

impl From<Launch> for Order {
    fn from(Launch { run, attempt, job, cause, due }: Launch) -> Self {
        Self { run, attempt, cause, due, job }
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
}

/// What happened behind the door.
#[derive(Debug)]
pub enum Event {
    Started { run: RunId, at: Timestamp, process: ProcessId },
    Ended { run: RunId, ended: Ended },
}

#[derive(Debug)]
enum Message {
    Start(Order),
    Stop { run: RunId, stop: Stop },
}

/// The side on which orders are given.
#[derive(Debug, Clone)]
pub struct Door {
    messages: mpsc::Sender<Message>,
}

impl Door {
    pub async fn start(&self, order: Order) {
        let _ = self.messages.send(Message::Start(order)).await;
    }

    /// Ends a run: by TERM and later KILL, or by KILL at once.
    pub async fn stop(&self, run: RunId, reason: Reason, kill: bool) {
        let _ = self.messages.send(Message::Stop { run, stop: Stop { reason, kill } }).await;
    }
}

/// The side on which they are carried out; it owns every attempt.
pub struct Runner {
    messages: mpsc::Receiver<Message>,
    events: mpsc::Sender<Event>,
    pieces: mpsc::Sender<OutputPiece>,
    clock: Clock,
    spawner: Arc<Spawner>,
    attempts: JoinSet<()>,
    stops: BTreeMap<RunId, watch::Sender<Option<Stop>>>,
    by_task: BTreeMap<tokio::task::Id, RunId>,
}

impl Runner {
    /// The two sides, and where events come out; output goes to `pieces`.
    pub fn new(
        clock: Clock,
        surroundings: Surroundings,
        pieces: mpsc::Sender<OutputPiece>,
    ) -> std::io::Result<(Door, Self, mpsc::Receiver<Event>)> {
        let (messages, messages_out) = mpsc::channel(ORDERS);
        let (events, events_out) = mpsc::channel(ORDERS);
        let runner = Self {
            messages: messages_out,
            events,
            pieces,
            spawner: Arc::new(Spawner::new(clock.clone(), surroundings)?),
            clock,
            attempts: JoinSet::new(),
            stops: BTreeMap::new(),
            by_task: BTreeMap::new(),
        };
        Ok((Door { messages }, runner, events_out))
    }

    /// Carries out orders until the door is dropped and the last attempt has ended.
    pub async fn run(mut self) {
        let mut open = true;
        while open || !self.attempts.is_empty() {
            tokio::select! {
                message = self.messages.recv(), if open => match message {
                    Some(Message::Start(order)) => self.start(order),
                    Some(Message::Stop { run, stop }) => self.stop(run, stop),
                    None => open = false,
                },
                Some(ended) = self.attempts.join_next_with_id() => {
                    let (task, panic) = match ended {
                        Ok((task, ())) => (task, None),
                        Err(error) => (error.id(), Some(error)),
                    };
                    self.leave(task, panic).await;
                }
            }
        }
    }

    fn start(&mut self, order: Order) {
        let run = order.run;
        let (stop, stops) = watch::channel(None);
        let attempt = Attempt {
            order,
            clock: self.clock.clone(),
            spawner: self.spawner.clone(),
            pieces: self.pieces.clone(),
            events: self.events.clone(),
        };
        self.stops.insert(run, stop);
        let task = self.attempts.spawn(attempt.carry(stops));
        self.by_task.insert(task.id(), run);
    }

    fn stop(&mut self, run: RunId, stop: Stop) {
        if let Some(stops) = self.stops.get(&run) {
            // KILL is never taken back by a later, milder demand.
            stops.send_if_modified(|old| {
                let stronger = old.is_none_or(|old| stop.kill && !old.kill);
                if stronger {
                    *old = Some(stop);
                }
                stronger
            });
        }
    }

    /// An attempt's task has ended; a panic in it is an outcome like any other.
    async fn leave(&mut self, task: tokio::task::Id, panic: Option<tokio::task::JoinError>) {
        let Some(run) = self.by_task.remove(&task) else {
            return;
        };
        self.stops.remove(&run);
        let Some(error) = panic else {
            return;
        };
        let ended = Ended {
            exit: Exit::Panicked { detail: panic_text(error) },
            at: self.clock.now(),
            duration: Duration::ZERO,
            cpu: None,
            max_rss: None,
            output_bytes: 0,
        };
        let _ = self.events.send(Event::Ended { run, ended }).await;
    }
}

fn panic_text(error: tokio::task::JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return "the attempt was cancelled".to_owned();
    };
    let panic = AssertUnwindSafe(panic);
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "the attempt panicked".to_owned(),
    }
}

//! Who owns the attempts? What stands behind the door: it begins them, passes demands on, and waits for each.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use super::attempt::Attempt;
use super::door::{Door, Event, MESSAGES, Message, Order, Stop, Surroundings};
use super::spawner::Spawner;
use crate::clock::Clock;
use crate::run::{Ended, Exit, OutputPiece, RunId};

/// The side on which they are carried out; it owns every attempt.
pub struct Runner {
    messages: mpsc::Receiver<Message>,
    events: mpsc::Sender<Event>,
    pieces: mpsc::Sender<OutputPiece>,
    clock: Clock,
    spawner: Arc<Spawner>,
    database: Arc<Path>,
    attempts: JoinSet<()>,
    stops: BTreeMap<RunId, watch::Sender<Option<Stop>>>,
    by_task: BTreeMap<Id, RunId>,
}

impl Runner {
    /// The two sides, and where events come out; output goes to `pieces`.
    pub fn new(
        clock: Clock,
        surroundings: Surroundings,
        pieces: mpsc::Sender<OutputPiece>,
    ) -> std::io::Result<(Door, Self, mpsc::Receiver<Event>)> {
        let (door, messages) = Door::new();
        let (events, events_out) = mpsc::channel(MESSAGES);
        let runner = Self {
            messages,
            events,
            pieces,
            database: surroundings.database.as_path().into(),
            spawner: Arc::new(Spawner::new(&clock, &Arc::new(surroundings))?),
            clock,
            attempts: JoinSet::new(),
            stops: BTreeMap::new(),
            by_task: BTreeMap::new(),
        };
        Ok((door, runner, events_out))
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
            database: self.database.clone(),
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
    async fn leave(&mut self, task: Id, panic: Option<JoinError>) {
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

fn panic_text(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return "the attempt was cancelled".to_owned();
    };
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "the attempt panicked".to_owned(),
    }
}

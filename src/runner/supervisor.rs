//! Who owns the attempts? What stands behind the door: it begins them, passes demands on, and waits for each.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use super::carry::carry;
use super::census::Census;
use super::door::{Door, Event, MESSAGES, Message, Order, Stop, Surroundings, demand};
use super::spawner::Spawner;
use super::tools::Tools;
use super::trouble::panic_text;
use crate::clock::Clock;
use crate::run::{Ended, Exit, OutputPiece, RunId};

/// The side on which they are carried out; it owns every attempt.
pub struct Runner {
    messages: mpsc::Receiver<Message>,
    tools: Arc<Tools>,
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
        let database = surroundings.database.as_path().into();
        let (environment, facts) = (surroundings.environment.clone(), surroundings.facts.clone());
        let spawner = Spawner::new(&clock, &Arc::new(surroundings))?;
        let runner = Self {
            messages,
            tools: Arc::new(Tools {
                clock,
                spawner,
                census: Arc::new(Census::new()?),
                database,
                pieces,
                events,
                environment,
                facts,
            }),
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
        self.stops.insert(run, stop);
        let task = self.attempts.spawn(carry(order, self.tools.clone(), stops));
        self.by_task.insert(task.id(), run);
    }

    fn stop(&mut self, run: RunId, stop: Stop) {
        if let Some(stops) = self.stops.get(&run) {
            demand(stops, stop);
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
        let exit = Exit::Panicked { detail: panic_text(error) };
        let ended = Ended::unmeasured(exit, self.tools.clock.now());
        let _ = self.tools.events.send(Event::Ended { run, ended }).await;
    }
}

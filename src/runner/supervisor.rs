//! Who owns the attempts? What stands behind the door: it begins them, passes demands on, and waits for each.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet};

use super::carry::{carry, go_on};
use super::census::Census;
use super::door::{Door, Event, MESSAGES, Message, Order, Stop, Surroundings, demand};
use super::estate::Estate;
use super::preparing::Preparing;
use super::tools::Tools;
use super::trouble::panic_text;
use crate::clock::Clock;
use crate::keeper::Client;
use crate::run::{AttemptId, Ended, Exit, OutputPiece, RunId};

/// The side on which they are carried out; it owns every attempt.
pub struct Runner {
    messages: mpsc::Receiver<Message>,
    tools: Arc<Tools>,
    attempts: JoinSet<()>,
    stops: BTreeMap<RunId, watch::Sender<Option<Stop>>>,
    by_task: BTreeMap<Id, RunId>,
    /// Runs of which the keeper may have something.
    kept: BTreeSet<RunId>,
    /// Pieces of output that are in the ledger.
    recorded: mpsc::Receiver<(AttemptId, u32)>,
    /// What was begun for another scheduler and has not been gone on with.
    estates: BTreeMap<RunId, Estate>,
}

/// To where attempts hand on what is written, and where it is said that it is in the ledger.
#[derive(Debug)]
pub struct Ledgered {
    pub pieces: mpsc::Sender<OutputPiece>,
    pub recorded: mpsc::Receiver<(AttemptId, u32)>,
}

/// Where a runner's processes are, and which of them it takes over.
#[derive(Debug)]
pub struct Takeover {
    pub keeper: Client,
    pub estates: BTreeMap<RunId, Estate>,
}

impl Runner {
    /// The two sides, and where events come out.
    pub fn new(
        clock: Clock,
        surroundings: Surroundings,
        ledger: Ledgered,
        takeover: Takeover,
    ) -> std::io::Result<(Door, Self, mpsc::Receiver<Event>)> {
        let (door, messages) = Door::new();
        let (events, events_out) = mpsc::channel(MESSAGES);
        let Takeover { keeper, estates } = takeover;
        let database = surroundings.database.as_path().into();
        let (environment, facts) = (surroundings.environment.clone(), surroundings.facts.clone());
        let cgroups = surroundings.cgroups.clone();
        let preparing = Preparing::new(&Arc::new(surroundings))?;
        let census = Arc::new(Census::new()?);
        let pieces = ledger.pieces;
        let tools = Tools { clock, preparing, keeper, cgroups, census, database, pieces, events, environment, facts };
        let runner = Self {
            messages,
            tools: Arc::new(tools),
            attempts: JoinSet::new(),
            stops: BTreeMap::new(),
            by_task: BTreeMap::new(),
            kept: estates.keys().copied().collect(),
            recorded: ledger.recorded,
            estates,
        };
        Ok((door, runner, events_out))
    }

    /// Carries out orders until the door is dropped and the last attempt has ended.
    pub async fn run(mut self) {
        let mut open = true;
        while open || !self.attempts.is_empty() {
            tokio::select! {
                message = self.messages.recv(), if open => match message {
                    Some(message) => self.take(message).await,
                    None => open = false,
                },
                Some((id, pieces)) = self.recorded.recv() => {
                    if self.kept.contains(&id.run) {
                        self.tools.keeper.recorded(id, pieces).await;
                    }
                }
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

    async fn take(&mut self, message: Message) {
        match message {
            Message::Start(order) => {
                if order.job.task.has_command() {
                    self.kept.insert(order.run);
                }
                self.begin(order, carry);
            }
            Message::GoOn(order) => {
                let estate = self.estates.remove(&order.run);
                self.begin(order, |order, tools, stops| go_on(order, estate, tools, stops));
            }
            Message::Stop { run, stop } => self.stop(run, stop),
            Message::Recorded(id) => {
                if self.kept.contains(&id.run) {
                    self.tools.keeper.forget(id).await;
                }
            }
            Message::RunRecorded(run) => {
                if self.kept.remove(&run) {
                    self.tools.keeper.forget_run(run).await;
                }
            }
        }
    }

    fn begin<F>(&mut self, order: Order, how: impl FnOnce(Order, Arc<Tools>, watch::Receiver<Option<Stop>>) -> F)
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let run = order.run;
        let (stop, stops) = watch::channel(None);
        self.stops.insert(run, stop);
        let task = self.attempts.spawn(how(order, self.tools.clone(), stops));
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

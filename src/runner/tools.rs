//! What does everybody need who carries something out?

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};

use super::census::Census;
use super::cgroup::Cgroups;
use super::door::Event;
use super::facts::Facts;
use super::part::Part;
use super::preparing::Preparing;
use crate::clock::Clock;
use crate::job::StepName;
use crate::keeper::Client;
use crate::run::{AttemptId, Ended, OutputPiece, ProcessId, StepEnd, StepNote, Verdict};

/// What carrying out needs.
#[derive(Debug)]
pub struct Tools {
    pub clock: Clock,
    pub preparing: Preparing,
    pub keeper: Client,
    pub cgroups: Cgroups,
    pub census: Arc<Census>,
    /// The ledger by which processes are known.
    pub database: Arc<Path>,
    pub pieces: mpsc::Sender<OutputPiece>,
    pub events: mpsc::Sender<Event>,
    /// The daemon's own variables, in which secrets may stand.
    pub environment: BTreeMap<String, String>,
    /// What the ledger knows.
    pub facts: Arc<dyn Facts>,
}

impl Tools {
    /// Says that a part has begun; a process is what identifies it after a crash.
    pub async fn began(&self, part: &Part, at: Timestamp, process: Option<ProcessId>) {
        self.tell(part, at, process, None).await;
    }

    /// Says that a part without a process begins. Of a step nobody but the ledger could tell after a crash that it had begun,
    /// so it waits for the word that comes out here.
    pub async fn begins(&self, part: &Part, at: Timestamp) -> oneshot::Receiver<()> {
        let (noted, noted_out) = oneshot::channel();
        self.tell(part, at, None, Some(noted)).await;
        noted_out
    }

    async fn tell(&self, part: &Part, at: Timestamp, process: Option<ProcessId>, noted: Option<oneshot::Sender<()>>) {
        let event = match &part.step {
            // That the run is under way was in the ledger before it was ordered.
            None => Event::Started { run: part.id.run, at, process },
            Some(name) => {
                let note = StepNote { id: part.id, name: name.clone(), started: Some(at), end: None };
                Event::Step(Box::new(note), noted)
            }
        };
        let _ = self.events.send(event).await;
    }

    /// Says that a step is over, or will not begin.
    pub async fn step_ended(
        &self,
        id: AttemptId,
        name: StepName,
        started: Option<Timestamp>,
        verdict: Verdict,
        ended: Option<Ended>,
    ) {
        let end = Some(StepEnd { verdict, ended });
        let _ = self.events.send(Event::Step(Box::new(StepNote { id, name, started, end }), None)).await;
    }

    pub async fn hand_on(&self, pieces: impl IntoIterator<Item = OutputPiece>) {
        for piece in pieces {
            let _ = self.pieces.send(piece).await;
        }
    }
}

//! What happens if this job runs here and now? It is carried out as the daemon would, by the same runner and with a keeper in
//! this process, and is recorded nowhere.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::clock::Clock;
use crate::job::{Job, StepName, Task};
use crate::keeper::{Client, Switchboard, connect, keep_in_this_process};
use crate::run::{Cause, Ended, OutputPiece, Reason, RunId, StepNote};
use crate::runner::{Door, Event, Ledgered, Order, Runner, Surroundings, Takeover};

/// Pieces of output, and words about them, that wait: as many as there are, nobody waits for long.
const PIECES: usize = 64;
/// This very program, which sets up what a job needs before it begins.
const OWN: &str = "/proc/self/exe";

/// What is to be carried out, and with what around it.
#[derive(Debug)]
pub struct Rehearsal {
    pub job: Arc<Job>,
    pub surroundings: Surroundings,
    pub clock: Clock,
}

/// What happens meanwhile.
#[derive(Debug)]
pub enum Scene {
    /// Something was written, by this step if there are any.
    Output { piece: OutputPiece, step: Option<StepName> },
    /// A step has begun, is over, or will not begin.
    Step(Box<StepNote>),
}

/// That it is to end: as a stop does it, or at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Interrupt {
    Stop,
    Kill,
}

/// How it went.
#[derive(Debug)]
pub struct Ending {
    pub started: Timestamp,
    pub ended: Ended,
}

/// The number that its commands see: one that no run has, and no other process that does the same at this time.
fn number() -> RunId {
    RunId(-i64::from(std::process::id()))
}

/// Carries it to its end, and tells what happens.
pub async fn rehearse(
    rehearsal: Rehearsal,
    mut interrupts: mpsc::Receiver<Interrupt>,
    mut tell: impl FnMut(Scene),
) -> io::Result<Ending> {
    let Rehearsal { job, surroundings, clock } = rehearsal;
    let (keeper, client, switchboard) = keeper(&clock).await?;
    let (pieces, mut pieces_out) = mpsc::channel(PIECES);
    let (recorded, recorded_out) = mpsc::channel(PIECES);
    let ledgered = Ledgered { pieces, recorded: recorded_out };
    let takeover = Takeover { keeper: client, estates: BTreeMap::new() };
    let (door, runner, mut events) = Runner::new(clock.clone(), surroundings, ledgered, takeover)?;
    let mut tasks = JoinSet::new();
    tasks.spawn(runner.run());
    tasks.spawn(async move {
        // It ends when the keeper does, and that only when nothing is left to be said.
        let _ = switchboard.run().await;
    });
    let (run, started) = (number(), clock.now());
    door.start(Order { run, attempt: 1, cause: Cause::Manual, due: started, job: job.clone(), asked: None }).await;
    let seen = async |piece: OutputPiece, tell: &mut dyn FnMut(Scene)| {
        let id = piece.id;
        tell(Scene::Output { step: step_of(&job, &piece), piece });
        // What was seen is as good as recorded: the job writes on.
        let _ = recorded.send((id, 1)).await;
    };
    let ended = loop {
        tokio::select! {
            // What was written before something happened is seen before.
            biased;
            Some(piece) = pieces_out.recv() => seen(piece, &mut tell).await,
            Some(event) = events.recv() => match event {
                Event::Started { .. } => {}
                Event::Step(note, noted) => {
                    if let Some(noted) = noted {
                        let _ = noted.send(());
                    }
                    tell(Scene::Step(note));
                }
                Event::Ended { ended, .. } => break ended,
            },
            Some(interrupt) = interrupts.recv() => stop(&door, run, interrupt).await,
        }
    };
    while let Ok(piece) = pieces_out.try_recv() {
        seen(piece, &mut tell).await;
    }
    door.run_recorded(run).await;
    drop(door);
    while tasks.join_next().await.is_some() {}
    end(keeper)?;
    Ok(Ending { started, ended })
}

/// A keeper on a thread of its own, and the line to it.
async fn keeper(clock: &Clock) -> io::Result<(JoinHandle<io::Result<()>>, Client, Switchboard)> {
    let (ours, theirs) = UnixStream::pair()?;
    let clock = clock.clone();
    let keep = move || keep_in_this_process(clock, Path::new(OWN), theirs);
    let thread = std::thread::Builder::new().name("keeper".to_owned()).spawn(keep)?;
    let (client, switchboard, _) = connect(ours).await?;
    Ok((thread, client, switchboard))
}

/// It has nothing left to keep, so this does not wait.
fn end(keeper: JoinHandle<io::Result<()>>) -> io::Result<()> {
    keeper.join().unwrap_or_else(|_| Err(io::Error::other("the keeper failed")))
}

async fn stop(door: &Door, run: RunId, interrupt: Interrupt) {
    let kill = match interrupt {
        Interrupt::Stop => false,
        Interrupt::Kill => true,
    };
    door.stop(run, Reason::ByHand, kill).await;
}

/// Which step has written it.
fn step_of(job: &Job, piece: &OutputPiece) -> Option<StepName> {
    let Task::Steps(steps) = &job.task else {
        return None;
    };
    let at = usize::try_from(piece.id.step).ok()?.checked_sub(1)?;
    steps.list.get(at).map(|step| step.name.clone())
}

//! What becomes of a run whose keeper has ended while something of it lives? It is left to its end, of which nobody can learn
//! more than that it came.

use std::io;

use tokio::sync::watch;

use super::door::{Order, Stop};
use super::tools::Tools;
use super::tree::{end_survivors, survivors};
use crate::readiness::Readiness;
use crate::run::{Ended, Exit, ProcessId};

/// Waits until nothing of the run lives any more; a demand to end it ends it at once.
pub async fn carry_left(
    order: &Order,
    process: Option<ProcessId>,
    tools: &Tools,
    mut stops: watch::Receiver<Option<Stop>>,
) -> Ended {
    let of_run = [(order.run, process)];
    while let Some(survivor) = survivors(&of_run, &tools.database).into_iter().next() {
        tokio::select! {
            Ok(()) = stops.changed() => {
                end_survivors(&of_run, &tools.database);
            }
            ended = ended(survivor) => if let Err(error) = ended {
                tracing::error!("run {} of {} cannot be waited for: {error}", order.run, order.job.name);
                break;
            },
        }
    }
    let detail = "the keeper ended while it ran; it was left to its end, and how it ended could not be learned";
    Ended::unmeasured(Exit::Lost { detail: detail.to_owned() }, tools.clock.now())
}

async fn ended(process: std::os::fd::OwnedFd) -> io::Result<()> {
    Readiness::new(process)?.readable().await
}

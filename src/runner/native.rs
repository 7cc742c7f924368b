//! How is work without a process carried out? On the runtime itself, within the same bounds as a command: its time, its
//! output, a stop.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::door::Stop;
use super::part::Part;
use super::tools::Tools;
use crate::clock::instant;
use crate::keeper::Capture;
use crate::run::{Ended, Exit, OutputPiece, Reason, Status, Stream};

/// What it wrote reaches the ledger after at most this long.
const FLUSH_AFTER: Duration = Duration::from_secs(1);
/// Pieces that wait for the ledger before no more is taken; a flush may add a whole tail to them.
const MOST_PENDING: usize = 4;
/// Lines that wait to be kept; who writes more waits.
const LINES: usize = 256;

/// Where work without a process writes. It is cheap to clone, for who does several things at once.
#[derive(Debug, Clone)]
pub struct Console {
    lines: mpsc::Sender<(Stream, Vec<u8>)>,
}

impl Console {
    /// Writes a line of output; a line break is added.
    pub async fn line(&self, text: impl Into<String>) {
        self.write(Stream::Stdout, text.into()).await;
    }

    /// Writes a line of what went wrong.
    pub async fn complain(&self, text: impl Into<String>) {
        self.write(Stream::Stderr, text.into()).await;
    }

    async fn write(&self, stream: Stream, mut text: String) {
        text.push('\n');
        let _ = self.lines.send((stream, text.into_bytes())).await;
    }
}

/// What work without a process finds around it.
#[derive(Debug, Clone)]
pub struct Native {
    pub part: Part,
    pub tools: Arc<Tools>,
    pub console: Console,
    /// Cancelled when its time is up or it is to stop: what is under way is then to be given up cleanly, within `kill_after`.
    pub cancelled: CancellationToken,
}

/// Why work without a process is no success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Failure {
    /// It could not begin.
    NotStarted { reason: Reason, detail: String },
    /// It began, and could not do what it should, or found what it should not.
    Failed { reason: Reason, detail: String },
}

/// Carries `work` out, which is handed what it needs; it is dropped if it does not end within `kill_after` of a stop.
pub async fn carry_native<F>(
    part: &Part,
    tools: &Arc<Tools>,
    mut stops: watch::Receiver<Option<Stop>>,
    capture: &mut Capture,
    work: impl FnOnce(Native) -> F,
) -> Ended
where
    F: Future<Output = Result<(), Failure>>,
{
    let (at, since) = (tools.clock.now(), instant());
    let noted = tools.begins(part, at).await;
    let (lines, mut lines_out) = mpsc::channel(LINES);
    let cancelled = CancellationToken::new();
    let native =
        Native { part: part.clone(), tools: tools.clone(), console: Console { lines }, cancelled: cancelled.clone() };
    let work = async {
        // It comes, or whoever would send it is gone.
        let _ = noted.await;
        work(native).await
    };
    tokio::pin!(work);
    let mut ending: Option<Exit> = None;
    let mut time_is_up = part.work.timeout.map(|timeout| since + timeout);
    let mut flush_at: Option<Instant> = None;
    let mut outbox: VecDeque<OutputPiece> = VecDeque::new();
    let result = loop {
        tokio::select! {
            biased;
            Ok(()) = stops.changed() => {
                let stop = *stops.borrow_and_update();
                if let Some(stop) = stop {
                    ending.get_or_insert(Exit::Stopped { reason: stop.reason, status: Status::Cancelled });
                    cancelled.cancel();
                    time_is_up = Some(if stop.kill { instant() } else { instant() + part.work.kill_after });
                }
            }
            () = until(time_is_up) => {
                if ending.is_some() {
                    break None;
                }
                let after = part.work.timeout.unwrap_or_default();
                ending = Some(Exit::TimedOut { after, status: Status::Cancelled });
                cancelled.cancel();
                time_is_up = Some(instant() + part.work.kill_after);
            }
            Ok(room) = tools.pieces.reserve(), if !outbox.is_empty() => {
                if let Some(piece) = outbox.pop_front() {
                    room.send(piece);
                }
            }
            // Where the ledger takes nothing, the work waits; its time goes on.
            Some((stream, line)) = lines_out.recv(), if outbox.len() < MOST_PENDING => {
                capture.push(stream, tools.clock.now(), &line);
                outbox.extend(capture.take_ready());
                flush_at = flush_at.or_else(|| Some(instant() + FLUSH_AFTER));
            }
            () = until(flush_at), if outbox.len() < MOST_PENDING => {
                flush_at = None;
                outbox.extend(capture.flush());
            }
            result = &mut work => break Some(result),
        }
    };
    tools.hand_on(outbox).await;
    while let Ok((stream, line)) = lines_out.try_recv() {
        capture.push(stream, tools.clock.now(), &line);
    }
    let exit = match (ending, result) {
        (Some(ending), _) => ending,
        (None, Some(Err(Failure::NotStarted { reason, detail }))) => Exit::NotStarted { reason, detail },
        (None, Some(Err(Failure::Failed { reason, detail }))) => Exit::Failed { reason, detail },
        (None, Some(Ok(())) | None) => Exit::Done,
    };
    let ended = Ended::unmeasured(exit, tools.clock.now());
    Ended { duration: since.elapsed(), output_bytes: capture.total(), ..ended }
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

//! Who writes? One task, which commits whatever is ready together, and goes on trying where it cannot.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use tokio::sync::{mpsc, watch};

use super::batch::{write_output, write_records};
use super::open::{FileIdentity, Identity, Store, primary_code};
use crate::plan::{Decision, Record};
use crate::run::{AttemptId, OutputPiece, RunId};

/// Decisions that wait for the disk, besides two for each run that may go: its start and its end. A planner that cannot be
/// recorded is not woken, so nothing else arrives then.
const DECISIONS: usize = 1024;
/// Decisions in one transaction: enough that its fsync costs each little, few enough that none waits long.
const GROUP: usize = 256;
/// Pieces of output that wait for the disk, of 64 KiB at most.
const PIECES: usize = 128;
/// Pauses between attempts to write.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Pages in the write-ahead log, some 32 MiB, from which on the writer itself sees to it that it begins anew.
const LONGEST_LOG: i64 = 8000;
/// Pages in the write-ahead log, of 4 KiB, after which it is worth the upkeep's time.
const CHECKPOINT_AFTER: u64 = 1000;

/// A decision in the ledger.
#[derive(Debug)]
pub struct Answer {
    pub decision: Arc<Decision>,
    /// Entries that the ledger had already.
    pub refused: BTreeSet<RunId>,
}

/// Where decisions and output are handed in.
#[derive(Debug, Clone)]
pub struct Writer {
    decisions: mpsc::Sender<Arc<Decision>>,
    pub pieces: mpsc::Sender<OutputPiece>,
    trouble: watch::Receiver<Option<String>>,
}

/// What carries the writing out; owned by whoever runs it.
pub struct WriterEnd {
    pool: SqlitePool,
    upkeep: SqlitePool,
    identity: Identity,
    path: PathBuf,
    file: FileIdentity,
    decisions: mpsc::Receiver<Arc<Decision>>,
    pieces: mpsc::Receiver<OutputPiece>,
    answers: mpsc::Sender<Answer>,
    recorded: mpsc::Sender<(AttemptId, u32)>,
    trouble: watch::Sender<Option<String>>,
}

impl Writer {
    /// The two ends of a writer, and where its answers come out: of decisions, and of how many pieces of an attempt's output
    /// are in the ledger now.
    pub fn new(
        store: &Store,
        places: usize,
    ) -> (Self, WriterEnd, mpsc::Receiver<Answer>, mpsc::Receiver<(AttemptId, u32)>) {
        let waiting = DECISIONS + 2 * places;
        let (decisions, decisions_out) = mpsc::channel(waiting);
        let (pieces, pieces_out) = mpsc::channel(PIECES);
        let (answers, answers_out) = mpsc::channel(waiting);
        let (recorded, recorded_out) = mpsc::channel(PIECES);
        let (trouble, trouble_out) = watch::channel(None);
        let end = WriterEnd {
            pool: store.writer.clone(),
            upkeep: store.upkeep.clone(),
            identity: store.identity,
            path: store.path.clone(),
            file: store.file,
            decisions: decisions_out,
            pieces: pieces_out,
            answers,
            recorded,
            trouble,
        };
        (Self { decisions, pieces, trouble: trouble_out }, end, answers_out, recorded_out)
    }

    /// Hands in a decision; the answer comes when it is in the ledger.
    pub async fn commit(&self, decision: Arc<Decision>) {
        // The end lives as long as any writer, so that there is somebody to take it.
        let _ = self.decisions.send(decision).await;
    }

    /// What keeps the ledger from being written, if anything does.
    pub fn trouble(&self) -> watch::Receiver<Option<String>> {
        self.trouble.clone()
    }
}

impl WriterEnd {
    /// Writes until all writers are gone and everything handed in is in the ledger.
    pub async fn run(self) {
        let (full, log_is_full) = mpsc::channel(1);
        let (too_long, log_is_too_long) = watch::channel(false);
        // A checkpoint takes some ten milliseconds on a connection of its own; commits go on meanwhile.
        tokio::join!(checkpoints(self.upkeep.clone(), log_is_full, too_long), self.write_all(full, log_is_too_long));
    }

    async fn write_all(mut self, log_is_full: mpsc::Sender<()>, log_is_too_long: watch::Receiver<bool>) {
        let mut written_pages = 0;
        loop {
            let mut decisions = Vec::new();
            let mut pieces = Vec::new();
            tokio::select! {
                biased;
                _ = self.decisions.recv_many(&mut decisions, GROUP) => {}
                _ = self.pieces.recv_many(&mut pieces, PIECES) => {}
            }
            // An end comes after its run's output was handed in; both are committed together.
            while pieces.len() < PIECES
                && let Ok(piece) = self.pieces.try_recv()
            {
                pieces.push(piece);
            }
            if decisions.is_empty() && pieces.is_empty() {
                self.wait_for_the_open_one(&mut decisions, &mut pieces).await;
                if decisions.is_empty() && pieces.is_empty() {
                    return;
                }
            }
            let refused = self.write_until_done(&decisions, &pieces).await;
            written_pages += estimated_pages(decisions.len(), &pieces);
            self.answer(decisions, &refused).await;
            self.acknowledge(&pieces).await;
            if *log_is_too_long.borrow() {
                self.begin_the_log_anew().await;
            }
            if written_pages > CHECKPOINT_AFTER && log_is_full.try_send(()).is_ok() {
                written_pages = 0;
            }
        }
    }

    /// One of the two channels is closed and would be ready for ever.
    async fn wait_for_the_open_one(&mut self, decisions: &mut Vec<Arc<Decision>>, pieces: &mut Vec<OutputPiece>) {
        if self.decisions.is_closed() {
            self.pieces.recv_many(pieces, PIECES).await;
        } else {
            self.decisions.recv_many(decisions, GROUP).await;
        }
    }

    async fn write_until_done(&self, decisions: &[Arc<Decision>], pieces: &[OutputPiece]) -> BTreeSet<RunId> {
        let mut pause = FIRST_PAUSE;
        loop {
            match self.write(decisions, pieces).await {
                Ok(refused) => {
                    self.trouble.send_if_modified(|trouble| trouble.take().is_some());
                    return refused;
                }
                Err(error) => {
                    let message = explain(&error, &self.path);
                    self.trouble.send_if_modified(|trouble| trouble.replace(message.clone()) != Some(message.clone()));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn write(&self, decisions: &[Arc<Decision>], pieces: &[OutputPiece]) -> Result<BTreeSet<RunId>, WriteError> {
        if FileIdentity::of(&self.path) != Some(self.file) {
            return Err(WriteError::Replaced);
        }
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let records: Vec<_> = decisions.iter().map(|decision| decision.records.as_slice()).collect();
        let refused = write_records(&mut transaction, &records, &self.identity).await?;
        write_output(&mut transaction, pieces).await?;
        transaction.commit().await?;
        Ok(refused)
    }

    /// Under a steady load there is never a moment in which all of the log is in the database while nobody writes, and it
    /// would grow for ever: here nobody does.
    async fn begin_the_log_anew(&self) {
        // On the connection that waits for nobody, as a backup may read for minutes. If it is at work, the next group is
        // early enough.
        let Some(mut upkeep) = self.upkeep.try_acquire() else {
            return;
        };
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(RESTART)").execute(&mut *upkeep).await {
            tracing::warn!("the write-ahead log cannot begin anew: {error}");
        }
    }

    async fn answer(&self, decisions: Vec<Arc<Decision>>, refused: &BTreeSet<RunId>) {
        for decision in decisions {
            let refused = own_refusals(&decision, refused);
            let answer = Answer { decision, refused };
            // Nobody listens any more when a daemon that failed is being taken down.
            let _ = self.answers.send(answer).await;
        }
    }

    /// Who holds output until it is in the ledger may let go of it.
    async fn acknowledge(&self, pieces: &[OutputPiece]) {
        for of_one in pieces.chunk_by(|one, other| one.id == other.id) {
            if let (Some(piece), Ok(count)) = (of_one.first(), u32::try_from(of_one.len())) {
                // Nobody listens any more when a daemon that failed is being taken down.
                let _ = self.recorded.send((piece.id, count)).await;
            }
        }
    }
}

/// Which of the refused entries are of this decision.
fn own_refusals(decision: &Decision, refused: &BTreeSet<RunId>) -> BTreeSet<RunId> {
    if refused.is_empty() {
        return BTreeSet::new();
    }
    let own = decision.records.iter().filter_map(|record| match record {
        Record::Opened(entry) => Some(entry.run),
        Record::Gap { gap, .. } => Some(gap.run),
        Record::Begun { run, .. } => Some(*run),
        _ => None,
    });
    own.filter(|run| refused.contains(run)).collect()
}

/// Moves the log into the database whenever it has grown, on a connection that is not the writer's.
async fn checkpoints(upkeep: SqlitePool, mut log_is_full: mpsc::Receiver<()>, too_long: watch::Sender<bool>) {
    while log_is_full.recv().await.is_some() {
        let checkpoint: Result<(i64, i64, i64), _> =
            sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(&upkeep).await;
        match checkpoint {
            Ok((_busy, pages, _moved)) => {
                too_long.send_replace(pages > LONGEST_LOG);
            }
            Err(error) => tracing::warn!("the write-ahead log cannot be moved into the database: {error}"),
        }
    }
}

/// Roughly how many pages a transaction has written.
fn estimated_pages(decisions: usize, pieces: &[OutputPiece]) -> u64 {
    const PAGE: usize = 4096;
    let output: usize = pieces.iter().map(|piece| piece.data.len() / PAGE + 1).sum();
    u64::try_from(decisions * 2 + output).unwrap_or(u64::MAX)
}

/// Why a group could not be written.
#[derive(Debug)]
enum WriteError {
    /// What was written would be in a file that nobody finds any more.
    Replaced,
    Sql(sqlx::Error),
}

impl From<sqlx::Error> for WriteError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// What is wrong and what to do, for the log and for `status`.
fn explain(error: &WriteError, path: &Path) -> String {
    let path = path.display();
    let WriteError::Sql(error) = error else {
        return format!(
            "the ledger {path} was deleted or replaced while the daemon works on it; move it back, or restart the daemon"
        );
    };
    let advice = match primary_code(error) {
        Some(5 | 6) => "another program holds its lock; it is tried again",
        Some(8) => "it is read-only; make it writable for the daemon",
        Some(10) => "the disk reports an error; look at the kernel's log",
        Some(13) => "the disk is full; make room",
        Some(11 | 26) => "it is damaged; stop the daemon and restore a backup",
        Some(14) => "it cannot be opened; is its folder still there?",
        _ => "it is tried again",
    };
    format!("the ledger cannot be written: {error}; {advice}")
}

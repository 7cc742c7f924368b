//! Who writes? One task, which commits whatever is ready together, and goes on trying where it cannot.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqlitePool;
use tokio::sync::{mpsc, watch};

use super::batch::{write_output, write_records};
use super::open::{Identity, Store, primary_code};
use crate::plan::Decision;
use crate::run::{OutputPiece, RunId};

/// Decisions that wait for the disk. A planner that cannot be recorded is not woken, so only ends arrive then.
const DECISIONS: usize = 1024;
/// Decisions in one transaction: enough that its fsync costs each little, few enough that none waits long.
const GROUP: usize = 256;
/// Pieces of output that wait for the disk, of 64 KiB at most.
const PIECES: usize = 128;
/// Pauses between attempts to write.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
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
    decisions: mpsc::Receiver<Arc<Decision>>,
    pieces: mpsc::Receiver<OutputPiece>,
    answers: mpsc::Sender<Answer>,
    trouble: watch::Sender<Option<String>>,
}

impl Writer {
    /// The two ends of a writer, and where its answers come out.
    pub fn new(store: &Store) -> (Self, WriterEnd, mpsc::Receiver<Answer>) {
        let (decisions, decisions_out) = mpsc::channel(DECISIONS);
        let (pieces, pieces_out) = mpsc::channel(PIECES);
        let (answers, answers_out) = mpsc::channel(DECISIONS);
        let (trouble, trouble_out) = watch::channel(None);
        let end = WriterEnd {
            pool: store.writer.clone(),
            upkeep: store.upkeep.clone(),
            identity: store.identity,
            decisions: decisions_out,
            pieces: pieces_out,
            answers,
            trouble,
        };
        (Self { decisions, pieces, trouble: trouble_out }, end, answers_out)
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
        // A checkpoint takes some ten milliseconds on a connection of its own; commits go on meanwhile.
        tokio::join!(checkpoints(self.upkeep.clone(), log_is_full), self.write_all(full));
    }

    async fn write_all(mut self, log_is_full: mpsc::Sender<()>) {
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
                    let message = explain(&error);
                    self.trouble.send_if_modified(|trouble| trouble.replace(message.clone()) != Some(message.clone()));
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn write(&self, decisions: &[Arc<Decision>], pieces: &[OutputPiece]) -> Result<BTreeSet<RunId>, sqlx::Error> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let records: Vec<_> = decisions.iter().map(|decision| decision.records.as_slice()).collect();
        let refused = write_records(&mut transaction, &records, &self.identity).await?;
        write_output(&mut transaction, pieces).await?;
        transaction.commit().await?;
        Ok(refused)
    }

    async fn answer(&self, decisions: Vec<Arc<Decision>>, refused: &BTreeSet<RunId>) {
        for decision in decisions {
            let answer = Answer { decision, refused: refused.clone() };
            // Nobody listens any more when a daemon that failed is being taken down.
            let _ = self.answers.send(answer).await;
        }
    }
}

/// Moves the log into the database whenever it has grown, on a connection that is not the writer's.
async fn checkpoints(upkeep: SqlitePool, mut log_is_full: mpsc::Receiver<()>) {
    while log_is_full.recv().await.is_some() {
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&upkeep).await {
            tracing::warn!("the write-ahead log cannot be moved into the database: {error}");
        }
    }
}

/// Roughly how many pages a transaction has written.
fn estimated_pages(decisions: usize, pieces: &[OutputPiece]) -> u64 {
    const PAGE: usize = 4096;
    let output: usize = pieces.iter().map(|piece| piece.data.len() / PAGE + 1).sum();
    u64::try_from(decisions * 2 + output).unwrap_or(u64::MAX)
}

/// What is wrong and what to do, for the log and for `status`.
fn explain(error: &sqlx::Error) -> String {
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

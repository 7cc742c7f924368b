//! How is a ledger written that nobody waits for? The statements of the daemon's own writer, over groups as large as they
//! come.
//!
//! For ledgers that are made up: [`super::writer`] is what writes them as they happen.

use std::collections::BTreeSet;

use super::batch::{write_output, write_records};
use super::open::Store;
use crate::plan::Decision;
use crate::run::{OutputPiece, RunId};

/// Pieces of output in one statement, as their bytes are copied together for it.
const PIECES: usize = 1000;

impl Store {
    /// From now on nothing waits for the disk: what is made up may be lost with the machine.
    pub async fn hurry(&self) -> Result<(), sqlx::Error> {
        // A setting of the connection; the writer has one, for as long as it lives.
        sqlx::query("PRAGMA synchronous = OFF").execute(&self.writer).await.map(|_| ())
    }

    /// Writes decisions in their order, and what was written meanwhile, in one transaction; the answer is which entries the
    /// ledger refused.
    pub async fn write_at_once(
        &self,
        decisions: &[Decision],
        pieces: &[OutputPiece],
    ) -> Result<BTreeSet<RunId>, sqlx::Error> {
        let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
        let records: Vec<_> = decisions.iter().map(|decision| decision.records.as_slice()).collect();
        let refused = write_records(&mut transaction, &records, &self.identity).await?;
        for pieces in pieces.chunks(PIECES) {
            write_output(&mut transaction, pieces).await?;
        }
        transaction.commit().await?;
        Ok(refused)
    }

    /// Moves the write-ahead log into the database, which nothing else does while much is written at once.
    pub async fn checkpoint(&self) -> Result<(), sqlx::Error> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await.map(|_| ())
    }
}

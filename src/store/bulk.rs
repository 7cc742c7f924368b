//! How is a ledger written that nobody waits for? The statements of the daemon's own writer, over groups as large as they
//! come.
//!
//! For ledgers that are made up: [`super::writer`] is what writes them as they happen.

use std::collections::BTreeSet;

use sqlx::{QueryBuilder, Sqlite};

use super::batch::write_records;
use super::open::Store;
use crate::plan::{Decision, Record};
use crate::run::{AttemptId, OutputPiece, RunId};

/// Pieces of output in one statement: each binds eight values, of which SQLite takes some 32,000.
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
        let mut refused = BTreeSet::new();
        for group in groups(decisions) {
            let records: Vec<_> = group.iter().map(|decision| decision.records.as_slice()).collect();
            refused.extend(write_records(&mut transaction, &records, &self.identity).await?);
        }
        for pieces in pieces.chunks(PIECES) {
            insert(pieces).build().execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        Ok(refused)
    }

    /// Moves the write-ahead log into the database, which nothing else does while much is written at once.
    pub async fn checkpoint(&self) -> Result<(), sqlx::Error> {
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.writer).await.map(|_| ())
    }
}

/// The daemon writes output piece by piece, as it comes; a million pieces by themselves would take longer than their runs.
fn insert(pieces: &[OutputPiece]) -> QueryBuilder<Sqlite> {
    let saturating = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
    let mut query =
        QueryBuilder::new("INSERT INTO output (run, attempt, step, step_attempt, \"offset\", stream, at, data) ");
    query.push_values(pieces, |mut row, piece| {
        let AttemptId { run, attempt, step, step_attempt } = piece.id;
        row.push_bind(run.0).push_bind(attempt).push_bind(step).push_bind(step_attempt);
        row.push_bind(saturating(piece.offset)).push_bind(piece.stream.number());
        row.push_bind(piece.at.as_microsecond()).push_bind(piece.data.clone());
    });
    query
}

/// Parts the decisions where a run begins again that one of them has put off: a group says each thing of a run once.
fn groups(decisions: &[Decision]) -> Vec<&[Decision]> {
    let mut put_off = BTreeSet::new();
    let mut groups = Vec::new();
    let mut from = 0;
    for (at, decision) in decisions.iter().enumerate() {
        let begins_again = |record: &Record| matches!(record, Record::Begun { run, .. } if put_off.contains(run));
        if decision.records.iter().any(begins_again) {
            groups.push(&decisions[from..at]);
            from = at;
            put_off.clear();
        }
        for record in &decision.records {
            if let Record::Retried { run, .. } = record {
                put_off.insert(*run);
            }
        }
    }
    groups.push(&decisions[from..]);
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::Timestamp;

    #[test]
    fn a_run_begins_again_in_another_group() {
        let begun = |run: i64| Record::Begun { run: RunId(run), waited: None };
        let retried = |run: i64| Record::Retried { run: RunId(run), at: Timestamp::UNIX_EPOCH, detail: String::new() };
        let check = |records: Vec<Record>, expect: &[usize]| {
            let decisions: Vec<Decision> =
                records.into_iter().map(|record| Decision { records: vec![record], actions: Vec::new() }).collect();
            let sizes: Vec<usize> = groups(&decisions).into_iter().map(<[Decision]>::len).collect();
            assert_eq!(sizes, expect);
        };
        check(vec![begun(1), begun(2), retried(1), retried(2)], &[4]);
        check(vec![begun(1), retried(1), begun(2), begun(1), retried(1), begun(1)], &[3, 2, 1]);
        check(vec![], &[0]);
    }
}

//! How is something forgotten without delaying a start? In small batches on the writer's one connection, each measured, with
//! pauses in which decisions go first.

use std::time::Duration;

use sqlx::{Connection, SqliteConnection};

use super::Pruned;
use super::walk::Entry;
use crate::clock::instant;
use crate::store::open::Store;

/// How long a batch is to hold the writer's connection, its fsync included: a third of what a start may wait for it, as the next
/// one may find its rows further apart.
const HOLD: Duration = Duration::from_micros(1500);
/// After each batch the writer has at least this long, and at least as long as the batch took, for itself.
const SHORTEST_PAUSE: Duration = Duration::from_millis(1);
/// Pages in the write-ahead log, roughly, after which they are moved into the database: some 8 MiB, as bringing many to the disk
/// at once keeps the log's own from getting there.
const PAGES_PER_CHECKPOINT: usize = 2000;
/// Output and attempts of an entry that go with it; more than that goes before it, in batches of its own.
const LIGHT_OUTPUT: u64 = 4096;
const LIGHT_ATTEMPTS: i64 = 8;

const FORGET_OUTPUT: &str = "
DELETE FROM output WHERE rowid IN (
    SELECT output.rowid FROM output WHERE run IN (SELECT value FROM json_each($1)) LIMIT $2)";

const FORGET_ATTEMPTS: &str = "
DELETE FROM attempts WHERE (run, attempt, step, step_attempt) IN (
    SELECT run, attempt, step, step_attempt FROM attempts WHERE run IN (SELECT value FROM json_each($1)) LIMIT $2)";

/// See `migrations/0007_tallies.sql`.
const TALLY: &str = "
INSERT INTO tallies (job, hour, outcome, instants, others, duration, cpu)
SELECT job, due / 3600000000, outcome, sum(CASE WHEN cause <= 3 THEN count ELSE 0 END), sum(cause > 3),
       sum(coalesce(duration, 0)), sum(coalesce(cpu, 0))
FROM runs WHERE run IN (SELECT value FROM json_each($1)) AND state = 3
GROUP BY 1, 2, 3
ON CONFLICT DO UPDATE SET
    instants = instants + excluded.instants, others = others + excluded.others,
    duration = duration + excluded.duration, cpu = cpu + excluded.cpu";

const FORGET_ENTRIES: &str = "
DELETE FROM runs WHERE run IN (SELECT value FROM json_each($1)) AND state = 3";

/// How much a batch may do, learned from how long the last ones took.
#[derive(Debug, Clone, Copy)]
struct Pace {
    size: usize,
    least: usize,
    most: usize,
}

impl Pace {
    fn between(least: usize, most: usize) -> Self {
        Self { size: least, least, most }
    }

    fn learn(&mut self, took: Duration) {
        if took > HOLD {
            self.size = (self.size / 2).max(self.least);
        } else if took < HOLD / 3 {
            self.size = (self.size * 2).min(self.most);
        }
    }
}

/// What a batch does, and to how many rows.
#[derive(Debug, Clone, Copy)]
enum Batch<'b> {
    /// Rows of these runs, so many of them.
    Output(&'b [i64], usize),
    Attempts(&'b [i64], usize),
    /// Counts them, and forgets them with whatever belongs to them.
    Entries(&'b [i64]),
    /// Rows that a statement takes away by their numbers.
    Rows(&'static str, &'b [i64]),
    /// Free pages at the file's end.
    Space(usize),
}

/// One pruning, as far as it has come.
pub struct Pruning<'s> {
    pub store: &'s Store,
    pub pruned: Pruned,
    pieces: Pace,
    attempts: Pace,
    entries: Pace,
    pages: Pace,
    /// Pages that were written since the last checkpoint.
    written: usize,
    has_written: bool,
}

impl<'s> Pruning<'s> {
    pub fn new(store: &'s Store) -> Self {
        Self {
            store,
            pruned: Pruned::default(),
            // Of 64 KiB at most.
            pieces: Pace::between(1, 64),
            attempts: Pace::between(16, 1000),
            // Where none is beside another, each is a handful of pages.
            entries: Pace::between(8, 200),
            pages: Pace::between(8, 400),
            written: 0,
            has_written: false,
        }
    }

    /// Forgets entries, and keeps their counts.
    pub async fn entries(&mut self, mut entries: &[Entry]) -> Result<(), sqlx::Error> {
        while !entries.is_empty() {
            let (now, later) = entries.split_at(self.entries.size.min(entries.len()));
            entries = later;
            self.lighten(now).await?;
            let runs: Vec<i64> = now.iter().map(|entry| entry.run).collect();
            let (gone, took) = self.carry_out(Batch::Entries(&runs)).await?;
            self.entries.learn(took);
            self.pruned.entries += gone;
        }
        Ok(())
    }

    /// Forgets what would make an entry's own batch too long.
    async fn lighten(&mut self, entries: &[Entry]) -> Result<(), sqlx::Error> {
        let runs_with = |heavy: fn(&Entry) -> bool| -> Vec<i64> {
            entries.iter().filter(|entry| heavy(entry)).map(|entry| entry.run).collect()
        };
        self.pieces_of(&runs_with(|entry| entry.bytes > LIGHT_OUTPUT)).await?;
        let runs = runs_with(|entry| entry.attempts > LIGHT_ATTEMPTS);
        while !runs.is_empty() {
            let (gone, took) = self.carry_out(Batch::Attempts(&runs, self.attempts.size)).await?;
            if gone == 0 {
                break;
            }
            self.attempts.learn(took);
        }
        Ok(())
    }

    /// Forgets what runs have written; their entries stay.
    pub async fn output(&mut self, runs: &[i64]) -> Result<(), sqlx::Error> {
        self.pieces_of(runs).await?;
        self.pruned.outputs += u64::try_from(runs.len()).unwrap_or(0);
        Ok(())
    }

    async fn pieces_of(&mut self, runs: &[i64]) -> Result<(), sqlx::Error> {
        while !runs.is_empty() {
            let (gone, took) = self.carry_out(Batch::Output(runs, self.pieces.size)).await?;
            if gone == 0 {
                break;
            }
            self.pieces.learn(took);
        }
        Ok(())
    }

    /// Forgets rows of another table by a statement that takes their numbers.
    pub async fn rows(&mut self, sql: &'static str, mut numbers: &[i64]) -> Result<(), sqlx::Error> {
        while !numbers.is_empty() {
            let (now, later) = numbers.split_at(self.entries.size.min(numbers.len()));
            numbers = later;
            let (gone, took) = self.carry_out(Batch::Rows(sql, now)).await?;
            self.entries.learn(took);
            self.pruned.others += gone;
        }
        Ok(())
    }

    /// Free pages go back to the file system, and so does what the write-ahead log has taken meanwhile.
    pub async fn give_space_back(&mut self) -> Result<(), sqlx::Error> {
        let (_, mut free, _) = self.store.figures().await?;
        while free > 0 {
            let (_, took) = self.carry_out(Batch::Space(self.pages.size)).await?;
            self.pages.learn(took);
            let (_, left, _) = self.store.figures().await?;
            if left >= free {
                break;
            }
            free = left;
        }
        if self.has_written {
            self.checkpoint().await?;
            // Hardly anything is left for it to do while it keeps the writer out, and it waits for nobody.
            sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&self.store.upkeep).await?;
        }
        Ok(())
    }

    /// How many rows went, and for how long it held the writer's connection.
    async fn carry_out(&mut self, batch: Batch<'_>) -> Result<(u64, Duration), sqlx::Error> {
        let mut connection = self.store.writer.acquire().await?;
        let began = instant();
        let gone = batch.carry_out(&mut connection).await?;
        let took = began.elapsed();
        drop(connection);
        self.has_written = true;
        self.written += batch.pages();
        if self.written > PAGES_PER_CHECKPOINT {
            self.checkpoint().await?;
        }
        tokio::time::sleep(took.max(SHORTEST_PAUSE)).await;
        Ok((gone, took))
    }

    /// On a connection of its own, while commits go on.
    async fn checkpoint(&mut self) -> Result<(), sqlx::Error> {
        self.written = 0;
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&self.store.upkeep).await.map(|_| ())
    }
}

impl Batch<'_> {
    /// How many it writes at most, or nearly.
    fn pages(self) -> usize {
        match self {
            Self::Output(_, pieces) => pieces * 16,
            Self::Attempts(_, rows) => rows,
            Self::Entries(runs) => runs.len() * 4,
            Self::Rows(_, numbers) => numbers.len(),
            Self::Space(pages) => pages * 2,
        }
    }

    async fn carry_out(self, connection: &mut SqliteConnection) -> Result<u64, sqlx::Error> {
        let limit = |size: usize| i64::try_from(size).unwrap_or(i64::MAX);
        let query = match self {
            Self::Output(runs, size) => sqlx::query(FORGET_OUTPUT).bind(list(runs)).bind(limit(size)),
            Self::Attempts(runs, size) => sqlx::query(FORGET_ATTEMPTS).bind(list(runs)).bind(limit(size)),
            Self::Rows(sql, numbers) => sqlx::query(sql).bind(list(numbers)),
            Self::Entries(runs) => return forget_entries(connection, &list(runs)).await,
            Self::Space(pages) => {
                let vacuum = sqlx::AssertSqlSafe(format!("PRAGMA incremental_vacuum({pages})"));
                sqlx::query(vacuum).fetch_all(connection).await?;
                return Ok(0);
            }
        };
        Ok(query.execute(connection).await?.rows_affected())
    }
}

async fn forget_entries(connection: &mut SqliteConnection, runs: &str) -> Result<u64, sqlx::Error> {
    let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
    sqlx::query(TALLY).bind(runs).execute(&mut *transaction).await?;
    let gone = sqlx::query(FORGET_ENTRIES).bind(runs).execute(&mut *transaction).await?.rows_affected();
    transaction.commit().await?;
    Ok(gone)
}

fn list(numbers: &[i64]) -> String {
    serde_json::json!(numbers).to_string()
}

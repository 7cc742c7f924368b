//! What does the ledger forget, and when?
//!
//! Everything goes in small batches, each its own transaction, so that no start waits for long.

use jiff::{SignedDuration, Timestamp};
use sqlx::{AssertSqlSafe, SqlitePool};

use super::open::Store;
use crate::settings::Retention;

/// Entries in one transaction, without their output.
const ENTRIES: i64 = 200;
/// Pieces of output in one transaction, of 64 KiB at most: some milliseconds, which is what a start may wait.
const PIECES: i64 = 32;

/// What may go: not open, not among the newest of its job (which also keeps the newest entry of each), and, of failures, not
/// before their own time. The last success before a failure stays as long as the failure.
const OLD: &str = "
SELECT old.run FROM runs AS old
WHERE old.state = 3 AND coalesce(old.due_last, old.due) < $1
  AND (NOT (old.outcome IN (2, 3, 5, 6) OR old.outcome = 4 AND old.reason = 14) OR old.due < $2)
  AND NOT (old.outcome = 1 AND EXISTS (
          SELECT 1 FROM runs AS failure
          WHERE failure.run = (
              SELECT later.run FROM runs AS later
              WHERE later.job = old.job AND later.due > old.due AND later.outcome < 7
              ORDER BY later.due LIMIT 1)
            AND failure.outcome <> 1 AND failure.due >= $2))
      AND (SELECT count(*) FROM (SELECT 1 FROM runs AS newer WHERE newer.job = old.job AND newer.due > old.due LIMIT $3)) >= $3
LIMIT $4";

const FORGET_OUTPUT: &str = "
DELETE FROM output WHERE rowid IN (
    SELECT output.rowid FROM output WHERE run IN (SELECT value FROM json_each($1)) LIMIT $2)";

const FORGET_ENTRIES: &str = "
DELETE FROM runs WHERE run IN (SELECT value FROM json_each($1))";

/// What goes first when the database is too large, and whether the entries go with their output: output of successes,
/// successes themselves but for the newest entry of a job, output of failures.
const OVERSIZE: [(&str, bool); 3] = [
    (
        "SELECT run FROM runs WHERE outcome = 1 AND EXISTS (SELECT 1 FROM output WHERE output.run = runs.run)
         ORDER BY due LIMIT $1",
        false,
    ),
    (
        "SELECT old.run FROM runs AS old WHERE old.outcome = 1
           AND EXISTS (SELECT 1 FROM runs AS newer WHERE newer.job = old.job AND newer.due > old.due)
         ORDER BY old.due LIMIT $1",
        true,
    ),
    (
        "SELECT run FROM runs WHERE state = 3 AND EXISTS (SELECT 1 FROM output WHERE output.run = runs.run)
         ORDER BY due LIMIT $1",
        false,
    ),
];

/// What a pruning took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Entries, or outputs where the size called for it.
    pub rows: u64,
}

impl Store {
    /// Forgets what the rules no longer keep.
    pub async fn prune(&self, retention: &Retention, now: Timestamp) -> Result<Pruned, sqlx::Error> {
        let mut pruned = Pruned::default();
        if let Some(keep) = retention.keep {
            let before = |age: std::time::Duration| {
                let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
                now.checked_sub(age).unwrap_or(Timestamp::MIN).as_microsecond()
            };
            let failures = retention.keep_failures.map_or(i64::MIN, before);
            // Even with `keep_last = 0` the newest entry stays: it says up to where the job is settled.
            let newest = i64::from(retention.keep_last.max(1));
            loop {
                let query = sqlx::query_scalar(OLD).bind(before(keep)).bind(failures).bind(newest).bind(ENTRIES);
                let runs: Vec<i64> = query.fetch_all(&self.upkeep).await?;
                if runs.is_empty() {
                    break;
                }
                pruned.rows += self.forget(&runs, true).await?;
            }
        }
        if let Some(limit) = retention.max_size {
            pruned.rows += self.shrink(limit).await?;
        }
        self.sweep_index().await?;
        give_space_back(&self.writer).await?;
        Ok(pruned)
    }

    async fn shrink(&self, limit: u64) -> Result<u64, sqlx::Error> {
        let mut rows = 0;
        for (statement, with_entries) in OVERSIZE {
            while self.size().await? > limit {
                let runs: Vec<i64> = sqlx::query_scalar(statement).bind(ENTRIES).fetch_all(&self.upkeep).await?;
                if runs.is_empty() {
                    break;
                }
                rows += self.forget(&runs, with_entries).await?;
            }
        }
        Ok(rows)
    }

    /// Forgets the output of these runs, piece by piece, and then the runs.
    async fn forget(&self, runs: &[i64], with_entries: bool) -> Result<u64, sqlx::Error> {
        let runs = serde_json::json!(runs).to_string();
        let mut rows = 0;
        loop {
            let query = sqlx::query(FORGET_OUTPUT).bind(&runs).bind(PIECES);
            let gone = query.execute(&self.writer).await?.rows_affected();
            rows += gone;
            if gone == 0 {
                break;
            }
        }
        if with_entries {
            rows += sqlx::query(FORGET_ENTRIES).bind(&runs).execute(&self.writer).await?.rows_affected();
        }
        Ok(rows)
    }

    /// Bytes of the database in use.
    async fn size(&self) -> Result<u64, sqlx::Error> {
        let mut figures = [0i64; 3];
        for (figure, pragma) in figures.iter_mut().zip(["page_count", "freelist_count", "page_size"]) {
            let query = AssertSqlSafe(format!("PRAGMA {pragma}"));
            *figure = sqlx::query_scalar(query).fetch_one(&self.writer).await?;
        }
        let [pages, free, page] = figures;
        Ok(u64::try_from((pages - free) * page).unwrap_or(0))
    }

    /// Lets SQLite look after its statistics.
    pub async fn optimize(&self) -> Result<(), sqlx::Error> {
        sqlx::query("PRAGMA optimize").execute(&self.writer).await?;
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&self.upkeep).await?;
        Ok(())
    }
}

/// Free pages go back to the file system a few at a time.
async fn give_space_back(writer: &SqlitePool) -> Result<(), sqlx::Error> {
    const PAGES: &str = "PRAGMA incremental_vacuum(200)";
    loop {
        let free: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(writer).await?;
        if free == 0 {
            return Ok(());
        }
        sqlx::query(PAGES).fetch_all(writer).await?;
        let left: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(writer).await?;
        if left >= free {
            return Ok(());
        }
    }
}

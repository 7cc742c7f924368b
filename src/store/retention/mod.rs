//! What does the ledger forget, and when?
//!
//! First by age, then, if it is still too large, by size. What is forgotten stays as counts by hour and outcome. Reading is
//! done beside the writer, in short questions; every change is a small batch of its own, so that no start waits for long.

mod age;
mod forget;
mod notices;
mod rest;
mod size;
mod walk;

use jiff::{SignedDuration, Timestamp};

use crate::settings::Retention;
use crate::store::open::Store;
use forget::Pruning;

/// What a pruning took away.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Pruned {
    /// Entries; they are counted in `tallies`.
    pub entries: u64,
    /// Runs that keep their entry, but not their output.
    pub outputs: u64,
    /// Definitions, events and the like that nothing refers to any more.
    pub others: u64,
    /// Bytes by which the file has become smaller.
    pub given_back: u64,
    /// Bytes of the database afterwards, where everything that may go is gone and it is still larger than it should be.
    pub too_large: Option<u64>,
}

/// Moments before which things are old, in microseconds.
#[derive(Debug, Clone, Copy)]
struct Limits {
    entries: i64,
    /// Not later than `entries`: a failure stays at least as long as anything else.
    failures: i64,
}

impl Limits {
    /// `None` where nothing is ever too old.
    fn of(retention: &Retention, now: Timestamp) -> Option<Self> {
        let before = |age: std::time::Duration| {
            let age = SignedDuration::try_from(age).unwrap_or(SignedDuration::MAX);
            now.checked_sub(age).unwrap_or(Timestamp::MIN).as_microsecond()
        };
        let entries = before(retention.keep?);
        let failures = retention.keep_failures.map_or(i64::MIN, before);
        Some(Self { entries, failures: failures.min(entries) })
    }
}

/// Of every job so many of the newest entries stay. The newest one does even with `keep_last = 0`: it says up to where the
/// job is settled.
fn newest(retention: &Retention) -> i64 {
    i64::from(retention.keep_last.max(1))
}

impl Store {
    /// Forgets what the rules no longer keep. What it was doing when it is dropped is undone, what it has done stays done.
    pub async fn prune(&self, retention: &Retention, now: Timestamp) -> Result<Pruned, sqlx::Error> {
        let mut pruning = Pruning::new(self);
        let before = self.file_size().await?;
        if let Some(limits) = Limits::of(retention, now) {
            age::forget(&mut pruning, limits, newest(retention), now).await?;
            rest::forget(&mut pruning, limits).await?;
        }
        rest::forget_tallies(&mut pruning, now).await?;
        notices::forget(&mut pruning, now).await?;
        // What it has of output that is gone takes room, too.
        self.sweep_index().await?;
        if let Some(limit) = retention.max_size {
            size::shrink(&mut pruning, limit, newest(retention), now).await?;
            self.sweep_index().await?;
        }
        pruning.give_space_back().await?;
        pruning.pruned.given_back = before.saturating_sub(self.file_size().await?);
        Ok(pruning.pruned)
    }

    /// Bytes of the database in use.
    async fn size(&self) -> Result<u64, sqlx::Error> {
        let (pages, free, page) = self.figures().await?;
        Ok((pages - free) * page)
    }

    async fn file_size(&self) -> Result<u64, sqlx::Error> {
        let (pages, _, page) = self.figures().await?;
        Ok(pages * page)
    }

    /// Pages, those of them that are free, and the bytes of one.
    async fn figures(&self) -> Result<(u64, u64, u64), sqlx::Error> {
        const FIGURES: &str = "
SELECT page_count, freelist_count, page_size FROM pragma_page_count, pragma_freelist_count, pragma_page_size";
        let (pages, free, page): (i64, i64, i64) = sqlx::query_as(FIGURES).fetch_one(&self.reader.pool).await?;
        let count = |number: i64| u64::try_from(number).unwrap_or(0);
        Ok((count(pages), count(free), count(page)))
    }

    /// Lets SQLite look after its statistics.
    pub async fn optimize(&self) -> Result<(), sqlx::Error> {
        sqlx::query("PRAGMA optimize").execute(&self.writer).await?;
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&self.upkeep).await?;
        Ok(())
    }
}

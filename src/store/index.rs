//! How does what was written come into the index of trigrams, and leave it again?
//!
//! In small texts, each its own transaction, so that no start waits for long. A text is made of the output of one run or of
//! several that follow each other: what a job says every time is then kept once. It overlaps the one before it, so that what
//! stands where two meet is found. What was indexed and not yet noted down when the daemon was killed is indexed again, which
//! costs some space and changes no answer.

use futures_util::TryStreamExt;
use serde_json::json;
use sqlx::Row;

use super::open::Store;
use super::search::{Place, place};

/// Bytes in a text: two milliseconds to take apart, at most five.
const LARGEST: usize = 16 * 1024;
/// As much as the characters by which a text is looked up (`LOOKED_UP` in `search.rs`) can be in bytes.
const OVERLAP: usize = 256;
/// Runs further apart are not in one text: whatever lies between them would be a candidate with them.
const SPREAD: i64 = 2000;
/// Texts of one call: some ten seconds. What is left comes with the next one.
const MOST_TEXTS: usize = 2000;
/// Runs that are read at once.
const PAGE: i64 = 1000;
/// Texts between two merges of the index's parts, and the pages that one merge writes.
const MERGE_EVERY: usize = 2;
const MERGE: &str = "INSERT INTO search (search, rank) VALUES ('merge', 4)";
/// Texts between two moves of the write-ahead log into the database: four MiB or so.
const CHECKPOINT_EVERY: usize = 200;
/// Texts that are looked at, and that go, at once when their output is gone.
const SWEPT: i64 = 1000;
const GONE: usize = 32;

const REACHED: &str = "SELECT run FROM search_reached";

const LEFT_OUT_AND_OVER: &str = "
SELECT left_out.run, runs.run IS NOT NULL
FROM search_left_out AS left_out LEFT JOIN runs ON runs.run = left_out.run
WHERE runs.state IS NULL OR runs.state = 3
ORDER BY left_out.run";

const BEHIND: &str = "SELECT run, state = 3, output_bytes > 0 FROM runs WHERE run > $1 ORDER BY run LIMIT $2";

const WRITTEN: &str = "
SELECT run, attempt, step, step_attempt, \"offset\", data FROM output WHERE run > $1 AND run <= $2
ORDER BY run, attempt, step, step_attempt, \"offset\"";

const INSERT_TEXT: &str = "INSERT INTO search_texts (first, last) VALUES ($1, $2) RETURNING number";
const INSERT_TRIGRAMS: &str = "INSERT INTO search (rowid, text) VALUES ($1, $2)";
const LEAVE_OUT: &str = "INSERT OR IGNORE INTO search_left_out SELECT value FROM json_each($1)";
const TAKE_IN: &str = "DELETE FROM search_left_out WHERE run IN (SELECT value FROM json_each($1))";
const REACH: &str = "UPDATE search_reached SET run = max(run, $1)";

const DEAD: &str = "
SELECT number, NOT EXISTS (SELECT 1 FROM output WHERE output.run BETWEEN first AND last)
FROM search_texts WHERE number > $1 ORDER BY number LIMIT $2";

const FORGET_TRIGRAMS: &str = "DELETE FROM search WHERE rowid IN (SELECT value FROM json_each($1))";
const FORGET_TEXTS: &str = "DELETE FROM search_texts WHERE number IN (SELECT value FROM json_each($1))";

/// What a call has done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Indexed {
    pub texts: usize,
    /// Whether all that has ended is in the index.
    pub is_done: bool,
}

impl Store {
    /// Takes what was written since the last call into the index.
    pub async fn index(&self) -> Result<Indexed, sqlx::Error> {
        let reached: i64 = sqlx::query_scalar(REACHED).fetch_one(&self.reader.pool).await?;
        let mut text = Text::behind(reached, self);
        let left_out: Vec<(i64, bool)> = sqlx::query_as(LEFT_OUT_AND_OVER).fetch_all(&self.reader.pool).await?;
        for (run, is_there) in left_out {
            if is_there {
                text.add_runs(run - 1, run, &[]).await?;
            }
            text.news.taken_in.push(run);
        }
        text.write().await?;
        let mut is_done = false;
        while !is_done && text.written < MOST_TEXTS {
            let query = sqlx::query_as(BEHIND).bind(text.passed).bind(PAGE);
            let page: Vec<(i64, bool, bool)> = query.fetch_all(&self.reader.pool).await?;
            is_done = i64::try_from(page.len()).is_ok_and(|length| length < PAGE);
            let open: Vec<i64> = page.iter().filter(|(_, has_ended, _)| !has_ended).map(|(run, ..)| *run).collect();
            text.news.left_out.extend(&open);
            let Some((last, ..)) = page.last() else {
                break;
            };
            if page.iter().any(|(_, has_ended, has_output)| *has_ended && *has_output) {
                text.add_runs(text.passed, *last, &open).await?;
            }
            text.passed = *last;
        }
        text.write().await?;
        if text.written > 0 {
            self.move_the_log().await?;
        }
        Ok(Indexed { texts: text.written, is_done })
    }

    /// Takes texts out of the index whose output is gone; the answer is how many.
    pub async fn sweep_index(&self) -> Result<usize, sqlx::Error> {
        let (mut swept, mut gone) = (0i64, 0);
        loop {
            let query = sqlx::query_as(DEAD).bind(swept).bind(SWEPT);
            let texts: Vec<(i64, bool)> = query.fetch_all(&self.reader.pool).await?;
            let Some((last, _)) = texts.last() else {
                return Ok(gone);
            };
            swept = *last;
            let dead: Vec<i64> = texts.into_iter().filter(|(_, is_dead)| *is_dead).map(|(number, _)| number).collect();
            for dead in dead.chunks(GONE) {
                let numbers = json!(dead).to_string();
                let mut transaction = self.writer.begin_with("BEGIN IMMEDIATE").await?;
                sqlx::query(FORGET_TRIGRAMS).bind(&numbers).execute(&mut *transaction).await?;
                sqlx::query(FORGET_TEXTS).bind(&numbers).execute(&mut *transaction).await?;
                transaction.commit().await?;
                // Space comes back when the parts that they were in are merged.
                sqlx::query(MERGE).execute(&self.writer).await?;
                gone += dead.len();
            }
        }
    }

    async fn move_the_log(&self) -> Result<(), sqlx::Error> {
        sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&self.upkeep).await.map(|_| ())
    }
}

/// What else is noted down with a text.
#[derive(Default)]
struct News {
    left_out: Vec<i64>,
    taken_in: Vec<i64>,
}

impl News {
    fn is_empty(&self) -> bool {
        self.left_out.is_empty() && self.taken_in.is_empty()
    }
}

/// The text that is being made.
struct Text<'s> {
    store: &'s Store,
    bytes: Vec<u8>,
    /// How many of the bytes are in no text yet.
    fresh: usize,
    /// The runs that it is made of.
    range: Option<(i64, i64)>,
    /// The last run that is in the texts as a whole.
    passed: i64,
    /// The same, as it is noted down.
    noted: i64,
    news: News,
    /// Texts so far.
    written: usize,
}

impl<'s> Text<'s> {
    fn behind(reached: i64, store: &'s Store) -> Self {
        let news = News::default();
        Self { store, bytes: Vec::new(), fresh: 0, range: None, passed: reached, noted: reached, news, written: 0 }
    }

    /// Adds the output of the runs behind `after` up to `last`, but for those that are `open`.
    async fn add_runs(&mut self, after: i64, last: i64, open: &[i64]) -> Result<(), sqlx::Error> {
        let mut rows = sqlx::query(WRITTEN).bind(after).bind(last).fetch(&self.store.reader.pool);
        let mut before: Option<(i64, Place)> = None;
        while let Some(row) = rows.try_next().await? {
            let run: i64 = row.get("run");
            if open.binary_search(&run).is_ok() {
                continue;
            }
            if self.range.is_some_and(|(first, _)| run - first > SPREAD) {
                self.write().await?;
            }
            let (place, behind, data) = place(&row);
            if before != Some((run, place)) {
                self.add(run, b"\n").await?;
            }
            self.add(run, data).await?;
            before = Some((run, behind));
        }
        Ok(())
    }

    async fn add(&mut self, run: i64, mut data: &[u8]) -> Result<(), sqlx::Error> {
        while !data.is_empty() {
            let (now, later) = data.split_at(data.len().min(LARGEST - self.bytes.len()));
            self.bytes.extend_from_slice(now);
            self.fresh += now.len();
            let first = self.range.map_or(run, |(first, _)| first);
            self.range = Some((first, run));
            data = later;
            if self.bytes.len() == LARGEST {
                self.write().await?;
            }
        }
        Ok(())
    }

    /// Writes the text and what is to be noted down, and begins a new one with its end.
    async fn write(&mut self) -> Result<(), sqlx::Error> {
        let range = self.range.take().filter(|_| self.fresh > 0);
        if range.is_none() && self.passed == self.noted && self.news.is_empty() {
            return Ok(());
        }
        let mut transaction = self.store.writer.begin_with("BEGIN IMMEDIATE").await?;
        if let Some((first, last)) = range {
            let query = sqlx::query_scalar(INSERT_TEXT).bind(first).bind(last);
            let number: i64 = query.fetch_one(&mut *transaction).await?;
            // SQLite ends a text at a zero.
            let text = String::from_utf8_lossy(&self.bytes).replace('\0', " ");
            sqlx::query(INSERT_TRIGRAMS).bind(number).bind(text).execute(&mut *transaction).await?;
        }
        let News { left_out, taken_in } = std::mem::take(&mut self.news);
        for (statement, runs) in [(LEAVE_OUT, left_out), (TAKE_IN, taken_in)] {
            if !runs.is_empty() {
                sqlx::query(statement).bind(json!(runs).to_string()).execute(&mut *transaction).await?;
            }
        }
        sqlx::query(REACH).bind(self.passed).execute(&mut *transaction).await?;
        transaction.commit().await?;
        self.noted = self.passed;
        self.bytes.drain(..self.bytes.len().saturating_sub(OVERLAP));
        self.fresh = 0;
        if range.is_some() {
            self.written += 1;
            if self.written.is_multiple_of(MERGE_EVERY) {
                sqlx::query(MERGE).execute(&self.store.writer).await?;
            }
            if self.written.is_multiple_of(CHECKPOINT_EVERY) {
                self.store.move_the_log().await?;
            }
        }
        Ok(())
    }
}

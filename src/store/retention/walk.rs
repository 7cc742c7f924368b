//! Which entries does a job have, from the oldest on? Read in pieces, by the index of instants.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqlitePool};

use crate::run::{Outcome, Reason, State};

/// Entries in one question: some milliseconds of a reader's time.
const CHUNK: i64 = 1000;

/// Jobs that have something older than a moment.
const JOBS: &str = "
SELECT number FROM jobs
WHERE number > $1 AND EXISTS (SELECT 1 FROM runs WHERE runs.job = jobs.number AND runs.due < $2)
ORDER BY number LIMIT $3";

/// The index `runs_instant` has them in this order. Each piece of output costs some bytes besides its own.
const ENTRIES: &str = "
SELECT run, due, (CASE WHEN cause <= 3 THEN 0 ELSE run END) AS place, coalesce(due_last, due) AS until, state, outcome, reason,
       coalesce((SELECT sum(length(data) + 60) FROM output WHERE output.run = runs.run), 0) AS bytes,
       (SELECT count(*) FROM attempts WHERE attempts.run = runs.run) AS attempts
FROM runs
WHERE job = $1 AND due >= $2 AND due <= $4 AND (due > $2 OR (CASE WHEN cause <= 3 THEN 0 ELSE run END) > $3)
ORDER BY due, (CASE WHEN cause <= 3 THEN 0 ELSE run END) LIMIT $5";

const NEWEST: &str = "
SELECT due, (CASE WHEN cause <= 3 THEN 0 ELSE run END) FROM runs WHERE job = $1
ORDER BY due DESC, (CASE WHEN cause <= 3 THEN 0 ELSE run END) DESC LIMIT 1 OFFSET $2";

const LAST_RUN: &str = "
SELECT due, (CASE WHEN cause <= 3 THEN 0 ELSE run END) FROM runs WHERE job = $1 AND outcome < 7
ORDER BY due DESC, (CASE WHEN cause <= 3 THEN 0 ELSE run END) DESC LIMIT 1";

/// What comes first of a job from a place on: a success, or what has failed or may still do so.
const NEXT: &str = "
SELECT outcome IS 1 FROM runs
WHERE job = $1 AND due >= $2 AND (due > $2 OR (CASE WHEN cause <= 3 THEN 0 ELSE run END) > $3)
  AND (state < 3 OR outcome IN (1, 2, 3, 5, 6) OR outcome = 4 AND reason = 14)
ORDER BY due, (CASE WHEN cause <= 3 THEN 0 ELSE run END) LIMIT 1";

/// What a start reads of each job (see `memory.rs`) and what open runs were caused by must not go, whatever its age: the
/// entry up to which the job is settled, without which its instants would be owed again; the run that ended last, from which
/// `every D after end` counts; the one that began last and the last success, which `after` compares.
const NEEDED: &str = "
SELECT run FROM (SELECT run FROM runs
    WHERE job = $1 AND cause <= 3 AND due <= $2
      AND (outcome >= 7 AND due_last IS NOT NULL
           OR NOT EXISTS (SELECT 1 FROM set_back WHERE runs.run <= highest AND runs.due > at))
    ORDER BY due DESC LIMIT 1)
UNION SELECT run FROM (SELECT run FROM runs
    WHERE job = $1 AND due <= $2 AND due_last IS NULL AND state = 3 ORDER BY due DESC LIMIT 1)
UNION SELECT run FROM (SELECT run FROM runs
    WHERE job = $1 AND due_last IS NULL AND started IS NOT NULL ORDER BY due DESC LIMIT 1)
UNION SELECT run FROM (SELECT run FROM runs WHERE job = $1 AND outcome = 1 ORDER BY due DESC LIMIT 1)
UNION SELECT caused_by FROM runs JOIN dependencies ON dependencies.run = runs.run WHERE runs.state < 3";

/// Where an entry stands among those of its job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    pub due: i64,
    /// What tells runs of one moment from each other; 0 for an instant of a schedule.
    pub number: i64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Not ended, or with a word that this version does not know: never touched.
    Open,
    Success,
    Failure,
    /// Stopped by hand, skipped, missed.
    Other,
}

/// An entry that may be old.
#[derive(Debug, Clone, Copy)]
pub struct Entry {
    pub run: i64,
    pub place: Place,
    /// Its last instant.
    pub until: i64,
    pub kind: Kind,
    /// Of its output.
    pub bytes: u64,
    /// Rows of attempts and steps.
    pub attempts: i64,
}

/// The entries of a job up to a place, from the oldest on.
#[derive(Debug)]
pub struct Walk<'s> {
    pool: &'s SqlitePool,
    pub job: i64,
    /// The last entry that was read.
    pub after: Place,
    /// The first one that is not.
    end: Place,
}

impl<'s> Walk<'s> {
    /// `None` where all of the job's entries are among its `newest`.
    pub async fn before_newest(pool: &'s SqlitePool, job: i64, newest: i64) -> Result<Option<Self>, sqlx::Error> {
        let end = sqlx::query_as(NEWEST).bind(job).bind(newest - 1).fetch_optional(pool).await?;
        Ok(end.map(|end| Self::up_to(pool, job, end)))
    }

    /// `None` where the job has no run that ended.
    pub async fn before_last_run(pool: &'s SqlitePool, job: i64) -> Result<Option<Self>, sqlx::Error> {
        let end = sqlx::query_as(LAST_RUN).bind(job).fetch_optional(pool).await?;
        Ok(end.map(|end| Self::up_to(pool, job, end)))
    }

    fn up_to(pool: &'s SqlitePool, job: i64, (due, number): (i64, i64)) -> Self {
        let after = Place { due: i64::MIN, number: i64::MIN };
        Self { pool, job, after, end: Place { due, number } }
    }

    /// Ends it at a moment, if it does not end before.
    pub fn before(mut self, moment: i64) -> Self {
        self.end = self.end.min(Place { due: moment, number: i64::MIN });
        self
    }

    /// The next entries; none where there are no more.
    pub async fn next(&mut self) -> Result<Vec<Entry>, sqlx::Error> {
        let query = sqlx::query(ENTRIES).bind(self.job).bind(self.after.due).bind(self.after.number);
        let rows = query.bind(self.end.due).bind(CHUNK).fetch_all(self.pool).await?;
        let entries: Vec<Entry> = rows.iter().map(entry).filter(|entry| entry.place < self.end).collect();
        if let Some(last) = entries.last() {
            self.after = last.place;
        }
        Ok(entries)
    }

    /// Whether what comes next after a place is a failure, or may become one, rather than a success.
    pub async fn leads_to_failure(&self, place: Place) -> Result<bool, sqlx::Error> {
        let query = sqlx::query_scalar(NEXT).bind(self.job).bind(place.due).bind(place.number);
        let success: Option<bool> = query.fetch_optional(self.pool).await?;
        Ok(success == Some(false))
    }
}

/// The next jobs that have something older than a moment, by their numbers.
pub async fn jobs_older_than(pool: &SqlitePool, moment: i64, after: i64) -> Result<Vec<i64>, sqlx::Error> {
    sqlx::query_scalar(JOBS).bind(after).bind(moment).bind(CHUNK).fetch_all(pool).await
}

/// Entries of a job that are needed however old they are.
pub async fn needed(pool: &SqlitePool, job: i64, now: Timestamp) -> Result<BTreeSet<i64>, sqlx::Error> {
    let runs: Vec<i64> = sqlx::query_scalar(NEEDED).bind(job).bind(now.as_microsecond()).fetch_all(pool).await?;
    Ok(runs.into_iter().collect())
}

fn entry(row: &SqliteRow) -> Entry {
    Entry {
        run: row.get("run"),
        place: Place { due: row.get("due"), number: row.get("place") },
        until: row.get("until"),
        kind: kind(row),
        bytes: u64::try_from(row.get::<i64, _>("bytes")).unwrap_or(0),
        attempts: row.get("attempts"),
    }
}

fn kind(row: &SqliteRow) -> Kind {
    let ended = State::from_number(row.get("state")) == Some(State::Ended);
    let outcome = row.get::<Option<i64>, _>("outcome").and_then(Outcome::from_number).filter(|_| ended);
    let reason = row.get::<Option<i64>, _>("reason").and_then(Reason::from_number);
    match outcome {
        None => Kind::Open,
        Some(Outcome::Succeeded) => Kind::Success,
        Some(outcome) if outcome.is_failure(reason) => Kind::Failure,
        Some(_) => Kind::Other,
    }
}

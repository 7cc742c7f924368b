//! What does an audit read? The ledger at one moment, job by job, in due order.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite, Transaction};

use super::memory::{kept, written};
use super::open::Reader;
use crate::jobfile::{Kept, Zones, timing_from};
use crate::plan::{Booked, Period, Pruned, Scope, StepBack};
use crate::run::{Cause, Outcome, ProcessId, Reason, RunId, State};

/// Entries that are read at once: enough that a question costs each little, and few enough to be held.
const ENTRIES: usize = 4096;
/// The newest entries, of which one surely tells up to when all was decided on.
const NEWEST: i64 = 1000;

const TABLES: &str = "SELECT name FROM sqlite_master WHERE type = 'table'";

const JOBS: &str = "SELECT number, name FROM jobs ORDER BY name";

const DEFINITIONS: &str = "
SELECT job, since, until, text, zone_data FROM definitions WHERE job BETWEEN $1 AND $2 ORDER BY job, since";

const TALLIES: &str = "
SELECT job, hour, sum(instants) FROM tallies WHERE job BETWEEN $1 AND $2 AND instants > 0 GROUP BY job, hour
ORDER BY job, hour";

/// As the index has them, which is also the key from which the next ones are read.
const OF_JOB: &str = "
SELECT run, cause, due, due_last, count, jitter, state, outcome, reason, started, ended FROM runs
WHERE job = $1 AND due >= $2 AND (due > $2 OR (CASE WHEN cause <= 3 THEN 0 ELSE run END) > $3)
ORDER BY due, (CASE WHEN cause <= 3 THEN 0 ELSE run END) LIMIT $4";

/// An entry that begins before the time that is audited may reach into it.
const BEGINS_BEFORE: &str = "
SELECT due FROM runs WHERE job = $1 AND due <= $2 AND cause <= 3 ORDER BY due DESC LIMIT 1";

const LAST_DUE: &str = "
SELECT run, cause, due, due_last, count, jitter, state, outcome, reason, started, ended FROM runs
WHERE due <= $1 ORDER BY due DESC LIMIT $2";

const SET_BACKS: &str = "SELECT at, highest, reach FROM set_backs";
/// Of a ledger that a newer version has not written to yet.
const LAST_SET_BACK: &str = "SELECT at, highest, (SELECT max(due) FROM runs) FROM set_back";

const CLOCK_STEPS: &str = "SELECT at, detail FROM events WHERE kind = 4";

const UNCOUNTED: &str = "SELECT until FROM uncounted";

/// What their index has, in words that it knows; the plus keeps SQLite from taking that of dues for the sake of the order.
const RUNNING: &str = "
SELECT runs.run, runs.job, runs.due, runs.pid, runs.start_ticks, boots.id
FROM runs LEFT JOIN boots ON boots.number = runs.boot WHERE runs.state = 2 AND runs.state < 3 ORDER BY +runs.due, runs.run";

/// The ledger as it is when it is opened, whatever is written meanwhile.
pub struct Books {
    transaction: Transaction<'static, Sqlite>,
    tables: BTreeSet<String>,
    kept: Kept,
}

/// What the ledger has of a job apart from its entries.
#[derive(Debug, Default)]
pub struct Account {
    pub periods: Vec<Period>,
    pub pruned: Vec<Pruned>,
    pub doubts: Vec<Doubt>,
}

/// Why a definition may be computed otherwise than it was, or not at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Doubt {
    /// The data of its zone is not kept, and is another now.
    OtherZoneData { zone: String },
    /// Its zone or one of its calendars is gone, or its text cannot be read.
    Unreadable { since: Timestamp },
}

/// A run that the ledger has as running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningRun {
    pub run: RunId,
    /// The job's number.
    pub job: i64,
    pub due: Timestamp,
    pub process: Option<ProcessId>,
    pub boot_id: Option<String>,
}

impl Reader {
    /// Opens the ledger as it is now.
    pub async fn books(&self, zones: &dyn Zones) -> Result<Books, sqlx::Error> {
        let mut transaction = self.pool.begin().await?;
        let tables: Vec<String> = sqlx::query_scalar(TABLES).fetch_all(&mut *transaction).await?;
        let tables: BTreeSet<String> = tables.into_iter().collect();
        let kept = if tables.contains("zones") { kept(&mut transaction, zones).await? } else { Kept::default() };
        Ok(Books { transaction, tables, kept })
    }

    /// Runs that the ledger has as running at this moment.
    pub async fn running_runs(&self) -> Result<Vec<RunningRun>, sqlx::Error> {
        let rows = sqlx::query(RUNNING).fetch_all(&self.pool).await?;
        Ok(rows.iter().filter_map(running).collect())
    }
}

impl Books {
    /// All jobs that the ledger has ever seen, and their numbers.
    pub async fn jobs(&mut self) -> Result<Vec<(i64, String)>, sqlx::Error> {
        sqlx::query_as(JOBS).fetch_all(&mut *self.transaction).await
    }

    /// What is known of the whole ledger beforehand.
    pub async fn scope(&mut self, from: Option<Timestamp>, now: Timestamp) -> Result<Scope, sqlx::Error> {
        let steps_back = self.steps_back().await?;
        let uncounted = self.uncounted(now).await?;
        let mut scope = Scope { from, now, decided: None, uncounted, steps_back };
        let query = sqlx::query(LAST_DUE).bind(now.as_microsecond()).bind(NEWEST);
        let newest = query.fetch_all(&mut *self.transaction).await?;
        newest.iter().filter_map(booked).for_each(|entry| scope.learn(&entry));
        Ok(scope)
    }

    /// Up to when entries may have been pruned uncounted.
    async fn uncounted(&mut self, now: Timestamp) -> Result<Option<Timestamp>, sqlx::Error> {
        if !self.tables.contains("uncounted") {
            return Ok(Some(now));
        }
        let until: Option<i64> = sqlx::query_scalar(UNCOUNTED).fetch_optional(&mut *self.transaction).await?;
        Ok(until.and_then(moment))
    }

    async fn steps_back(&mut self) -> Result<Vec<StepBack>, sqlx::Error> {
        let recorded = if self.tables.contains("set_backs") { SET_BACKS } else { LAST_SET_BACK };
        let recorded: Vec<(i64, i64, Option<i64>)> = sqlx::query_as(recorded).fetch_all(&mut *self.transaction).await?;
        let told: Vec<(i64, String)> = sqlx::query_as(CLOCK_STEPS).fetch_all(&mut *self.transaction).await?;
        let mut steps: BTreeMap<i64, StepBack> = BTreeMap::new();
        for (at, highest, reach) in recorded {
            let reach = reach.unwrap_or(at);
            if let Some((time, reach)) = moment(at).zip(moment(reach)) {
                steps.insert(at, StepBack { at: time, highest: Some(RunId(highest)), reach });
            }
        }
        for (at, detail) in told {
            let Some((time, reach)) =
                moment(at).zip(step_back(&detail)).and_then(|(time, step)| Some((time, time.checked_add(step).ok()?)))
            else {
                continue;
            };
            // What was recorded as a step back says more than the event of the same time.
            let step = steps.entry(at).or_insert(StepBack { at: time, highest: None, reach });
            step.reach = step.reach.max(reach);
        }
        Ok(steps.into_values().collect())
    }

    /// Definitions and counts of the jobs with these numbers.
    pub async fn accounts(
        &mut self,
        first: i64,
        last: i64,
        zones: &dyn Zones,
    ) -> Result<BTreeMap<i64, Account>, sqlx::Error> {
        let mut accounts: BTreeMap<i64, Account> = BTreeMap::new();
        let rows = sqlx::query(DEFINITIONS).bind(first).bind(last).fetch_all(&mut *self.transaction).await?;
        for row in &rows {
            let account = accounts.entry(row.get("job")).or_default();
            if let Some((period, doubt)) = self.period(row, zones) {
                account.periods.push(period);
                account.doubts.extend(doubt.filter(|doubt| !account.doubts.contains(doubt)));
            }
        }
        if self.tables.contains("tallies") {
            let query = sqlx::query_as(TALLIES).bind(first).bind(last);
            let tallies: Vec<(i64, i64, i64)> = query.fetch_all(&mut *self.transaction).await?;
            for (job, hour, instants) in tallies {
                let instants = u64::try_from(instants).unwrap_or(0);
                accounts.entry(job).or_default().pruned.push(Pruned { hour, instants });
            }
        }
        Ok(accounts)
    }

    fn period(&self, row: &SqliteRow, zones: &dyn Zones) -> Option<(Period, Option<Doubt>)> {
        let since = moment(row.get("since"))?;
        let until = row.get::<Option<i64>, _>("until").and_then(moment);
        let written = written(row);
        let timing = written.as_ref().and_then(|written| timing_from(written, zones, &self.kept));
        let doubt = match (&written, &timing) {
            (Some(written), Some(_)) if self.kept.has_zone_of(written, zones) => None,
            (Some(written), Some(_)) => Some(Doubt::OtherZoneData { zone: written.zone.clone() }),
            (Some(_) | None, None) | (None, Some(_)) => Some(Doubt::Unreadable { since }),
        };
        Some((Period { since, until, timing }, doubt))
    }

    /// Where to begin to read a job's entries for what is later than `from`.
    pub async fn begin(&mut self, job: i64, from: Option<Timestamp>) -> Result<Place, sqlx::Error> {
        let Some(from) = from.map(Timestamp::as_microsecond) else {
            return Ok(Place { due: i64::MIN, key: -1 });
        };
        let query = sqlx::query_scalar(BEGINS_BEFORE).bind(job).bind(from);
        let before: Option<i64> = query.fetch_optional(&mut *self.transaction).await?;
        Ok(Place { due: before.unwrap_or(from), key: -1 })
    }

    /// The next entries of a job behind a place, in due order, and the place behind them; `None` once there are no more.
    pub async fn entries(&mut self, job: i64, place: Place) -> Result<(Vec<Booked>, Option<Place>), sqlx::Error> {
        let limit = i64::try_from(ENTRIES).unwrap_or(i64::MAX);
        let query = sqlx::query(OF_JOB).bind(job).bind(place.due).bind(place.key).bind(limit);
        let rows = query.fetch_all(&mut *self.transaction).await?;
        let last = rows.last().filter(|_| rows.len() == ENTRIES).map(|row| {
            let key = if row.get::<i64, _>(1) <= Cause::Boot.number() { 0 } else { row.get(0) };
            Place { due: row.get(2), key }
        });
        Ok((rows.iter().filter_map(booked).collect(), last))
    }
}

/// A place between a job's entries.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    due: i64,
    key: i64,
}

/// By how much the clock was set back, as the event of it says.
fn step_back(detail: &str) -> Option<SignedDuration> {
    detail.strip_prefix("the clock was set back by ")?.parse().ok()
}

fn moment(micros: i64) -> Option<Timestamp> {
    Timestamp::from_microsecond(micros).ok()
}

/// The entry of a row; `None` if it has a word that this version does not know.
fn booked(row: &SqliteRow) -> Option<Booked> {
    let time = |column: usize| row.get::<Option<i64>, _>(column).and_then(moment);
    Some(Booked {
        run: RunId(row.get(0)),
        cause: Cause::from_number(row.get(1))?,
        due: moment(row.get(2))?,
        due_last: time(3),
        count: u64::try_from(row.get::<i64, _>(4)).unwrap_or(0),
        jitter: SignedDuration::from_micros(row.get(5)),
        state: State::from_number(row.get(6))?,
        outcome: row.get::<Option<i64>, _>(7).and_then(Outcome::from_number),
        reason: row.get::<Option<i64>, _>(8).and_then(Reason::from_number),
        started: time(9),
        ended: time(10),
    })
}

fn running(row: &SqliteRow) -> Option<RunningRun> {
    let pid: Option<i32> = row.get(3);
    let ticks: Option<i64> = row.get(4);
    let process = pid.zip(ticks).and_then(|(pid, ticks)| Some(ProcessId { pid, start_ticks: ticks.try_into().ok()? }));
    Some(RunningRun { run: RunId(row.get(0)), job: row.get(1), due: moment(row.get(2))?, process, boot_id: row.get(5) })
}

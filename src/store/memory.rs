//! What does a planner need to know of the ledger before it goes on?

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::open::{Reader, Store};
use super::statements::{INSERT_ZONE, ZONES_TO_KEEP};
use super::wishes::asked;
use crate::job::{JobName, WrittenTiming};
use crate::jobfile::{Kept, Zones, calendar_from, timing_from};
use crate::plan::{Ahead, AheadGap, Memory, Progress, RememberedDefinition, RememberedJob, RememberedRun, Tried};
use crate::run::{Cause, GapEntry, Outcome, ProcessId, Reason, RunId, State};

/// The newest entry of a job that settles its instants up to its own: not one from before the clock was set back that
/// was due later than it then showed. For the same reason the last run to end need not be the last that was due.
const JOBS: &str = "
SELECT jobs.name, definitions.since, definitions.text, definitions.zone_data,
       runs.run, runs.due, runs.due_last, runs.count, runs.outcome, runs.reason,
       EXISTS (SELECT 1 FROM runs AS later WHERE later.job = jobs.number AND later.due > runs.due) AS is_followed,
       (SELECT max(ended) FROM (
            SELECT coalesce(last.ended, last.started, last.due) AS ended FROM runs AS last
            WHERE last.job = jobs.number AND last.due <= $1 AND last.due_last IS NULL AND last.state = 3
            ORDER BY last.due DESC LIMIT 8)) AS last_end,
       (SELECT begun.started FROM runs AS begun
        WHERE begun.job = jobs.number AND begun.due_last IS NULL AND begun.started IS NOT NULL
        ORDER BY begun.due DESC LIMIT 1) AS last_begun,
       good.ended AS good_ended, good.run AS good_run
FROM jobs
LEFT JOIN definitions ON definitions.job = jobs.number AND definitions.until IS NULL
LEFT JOIN runs AS good ON good.run = (
    SELECT success.run FROM runs AS success
    WHERE success.job = jobs.number AND success.outcome = 1 ORDER BY success.due DESC LIMIT 1)
LEFT JOIN runs ON runs.run = (
    SELECT newest.run FROM runs AS newest
    WHERE newest.job = jobs.number AND newest.cause <= 3 AND newest.due <= $1
      AND (newest.outcome >= 7 AND newest.due_last IS NOT NULL
           OR NOT EXISTS (SELECT 1 FROM set_back WHERE newest.run <= highest AND newest.due > at))
    ORDER BY newest.due DESC LIMIT 1)";

/// Entries may have been removed since the clock was set back, and their numbers are not given again.
const HIGHEST: &str = "
SELECT max(coalesce((SELECT max(run) FROM runs), 0), coalesce((SELECT highest FROM set_back), 0))";

const CALENDARS: &str = "SELECT version, text FROM calendars";

const ZONES: &str = "SELECT name, version, data FROM zones";

const TAKEN: &str = "
SELECT jobs.name, runs.due
FROM set_back CROSS JOIN runs ON runs.due > set_back.at JOIN jobs ON jobs.number = runs.job
WHERE +runs.run <= set_back.highest AND runs.cause <= 3 AND runs.due_last IS NULL";

/// The plus keeps SQLite from reading all entries by their index of dues for the sake of the order.
const OPEN: &str = "
SELECT runs.run, jobs.name, runs.cause, runs.due, runs.state, runs.pid, runs.start_ticks, boots.id AS boot,
       runs.retry_at, runs.attempts, runs.started, tried.attempt, tried.outcome, tried.reason, tried.detail,
       asked.who AS asked_who, asked.repeats AS asked_repeats, asked.env AS asked_env, stops.run AS stopping
FROM runs JOIN jobs ON jobs.number = runs.job LEFT JOIN boots ON boots.number = runs.boot
LEFT JOIN attempts AS tried ON tried.run = runs.run AND tried.step = 0 AND tried.attempt =
    (SELECT max(attempt) FROM attempts WHERE attempts.run = runs.run AND step = 0)
LEFT JOIN asked ON asked.run = runs.run LEFT JOIN stops ON stops.run = runs.run
WHERE runs.state < 3 ORDER BY +runs.due, runs.run";

const TAKEN_AHEAD: &str = "
SELECT jobs.name, runs.due FROM runs JOIN jobs ON jobs.number = runs.job
WHERE runs.due > $1 AND runs.cause <= 3 AND runs.due_last IS NULL";

/// Of each job at most one entry reaches over a moment, and it is the last that begins before it.
const GAPS_AHEAD: &str = "
SELECT jobs.name, runs.run, runs.due, runs.due_last, runs.count, runs.outcome, runs.reason,
       definitions.text, definitions.zone_data
FROM runs JOIN jobs ON jobs.number = runs.job
LEFT JOIN definitions ON definitions.number = (
    SELECT number FROM definitions AS named
    WHERE named.job = runs.job AND named.since < runs.due AND (named.until IS NULL OR runs.due <= named.until)
    ORDER BY named.since DESC LIMIT 1)
WHERE runs.due_last > $1
  AND (runs.due > $1
       OR runs.run IN (SELECT (SELECT last.run FROM runs AS last WHERE last.job = jobs.number AND last.due <= $1
                               ORDER BY last.due DESC LIMIT 1) FROM jobs))";

const DEFINITIONS_AHEAD: &str = "
SELECT EXISTS (SELECT 1 FROM definitions WHERE since > $1 OR until > $1)";

/// A run that the ledger has as running, and what identified its process.
#[derive(Debug, Clone)]
pub struct Survivor {
    pub run: RunId,
    pub job: JobName,
    pub process: Option<ProcessId>,
    pub boot_id: Option<String>,
    pub started: Option<Timestamp>,
}

impl Store {
    /// All that a planner goes on from. What definitions in force lack of their zones is kept now, while it can be had.
    pub async fn memory(&self, now: Timestamp, zones: &dyn Zones) -> Result<Memory, sqlx::Error> {
        self.keep_zones(zones).await?;
        let pool = &self.reader.pool;
        let at = now.as_microsecond();
        let highest: Option<i64> = sqlx::query_scalar(HIGHEST).fetch_one(pool).await?;
        let jobs = sqlx::query(JOBS).bind(at).fetch_all(pool).await?;
        let taken = sqlx::query(TAKEN).fetch_all(pool).await?;
        let open = sqlx::query(OPEN).fetch_all(pool).await?;
        let kept = self.reader.kept(zones).await?;
        Ok(Memory {
            highest: highest.unwrap_or(0),
            first_since_boot: self.first_since_boot,
            goes_on: false,
            jobs: jobs.iter().filter_map(|row| remembered_job(row, zones, &kept)).collect(),
            open: open.iter().filter_map(remembered_run).collect(),
            taken: taken.iter().filter_map(taken_instant).collect(),
            ahead: self.reader.ahead(now, zones).await?,
            held: self.reader.held().await?,
            highest_notice: self.reader.highest_notice().await?,
            told: self.reader.told().await?,
        })
    }

    async fn keep_zones(&self, zones: &dyn Zones) -> Result<(), sqlx::Error> {
        let lacking: Vec<(String, String)> = sqlx::query_as(ZONES_TO_KEEP).fetch_all(&self.reader.pool).await?;
        for (name, version) in lacking {
            let data = zones.zone(&name).filter(|zone| zone.data == version).and_then(|zone| zone.tzif);
            if let Some(data) = data {
                let query = sqlx::query(INSERT_ZONE).bind(name).bind(version).bind(&*data);
                query.execute(&self.writer).await?;
            }
        }
        Ok(())
    }
}

impl Reader {
    /// What the ledger says of times later than this one.
    pub async fn ahead(&self, now: Timestamp, zones: &dyn Zones) -> Result<Ahead, sqlx::Error> {
        let at = now.as_microsecond();
        let taken = sqlx::query(TAKEN_AHEAD).bind(at).fetch_all(&self.pool).await?;
        let gaps = sqlx::query(GAPS_AHEAD).bind(at).fetch_all(&self.pool).await?;
        let kept = if gaps.is_empty() { Kept::default() } else { self.kept(zones).await? };
        let definitions: bool = sqlx::query_scalar(DEFINITIONS_AHEAD).bind(at).fetch_one(&self.pool).await?;
        Ok(Ahead {
            is_set_back: definitions || !taken.is_empty() || !gaps.is_empty(),
            taken: taken.iter().filter_map(taken_instant).collect(),
            gaps: gaps.iter().filter_map(|row| gap_ahead(row, zones, &kept)).collect(),
        })
    }

    async fn kept(&self, zones: &dyn Zones) -> Result<Kept, sqlx::Error> {
        let mut connection = self.pool.acquire().await?;
        kept(&mut connection, zones).await
    }

    /// Runs that the ledger has as running.
    pub async fn survivors(&self) -> Result<Vec<Survivor>, sqlx::Error> {
        let open = sqlx::query(OPEN).fetch_all(&self.pool).await?;
        Ok(open
            .iter()
            .filter(|row| row.get::<i64, _>("state") == State::Running.number())
            .filter_map(survivor)
            .collect())
    }
}

/// The calendars and zones that definitions name.
pub(super) async fn kept(connection: &mut SqliteConnection, zones: &dyn Zones) -> Result<Kept, sqlx::Error> {
    let calendars = sqlx::query(CALENDARS).fetch_all(&mut *connection).await?;
    let calendar = |row: &SqliteRow| Some((row.get("version"), calendar_from(row.get("text"), zones)?));
    let kept = sqlx::query(ZONES).fetch_all(connection).await?;
    let zone = |row: &SqliteRow| {
        let name: String = row.get("name");
        let zone = TimeZone::tzif(&name, row.get("data")).ok()?;
        Some(((name, row.get("version")), zone))
    };
    Ok(Kept {
        calendars: calendars.iter().filter_map(calendar).collect(),
        zones: kept.iter().filter_map(zone).collect(),
    })
}

fn name(row: &SqliteRow) -> Option<JobName> {
    JobName::new(row.get::<&str, _>("name")).ok()
}

fn time(row: &SqliteRow, column: &str) -> Option<Timestamp> {
    Timestamp::from_microsecond(row.get::<Option<i64>, _>(column)?).ok()
}

fn remembered_job(row: &SqliteRow, zones: &dyn Zones, kept: &Kept) -> Option<RememberedJob> {
    let definition = time(row, "since").zip(written(row)).map(|(since, written)| RememberedDefinition {
        since,
        timing: timing_from(&written, zones, kept),
        written,
    });
    Some(RememberedJob {
        name: name(row)?,
        definition,
        newest: time(row, "due_last").or_else(|| time(row, "due")),
        // Whatever came later, a run by hand too, is a neighbour of its own.
        gap: gap(row).filter(|_| !row.get::<bool, _>("is_followed")),
        last_end: time(row, "last_end"),
        usual: Vec::new(),
        progress: Progress {
            began: time(row, "last_begun"),
            succeeded: time(row, "good_ended").zip(row.get::<Option<i64>, _>("good_run").map(RunId)),
        },
    })
}

pub(super) fn written(row: &SqliteRow) -> Option<WrittenTiming> {
    let text: Option<&str> = row.get("text");
    let written: WrittenTiming = serde_json::from_str(text?).ok()?;
    Some(WrittenTiming { zone_data: row.get("zone_data"), ..written })
}

/// The entry of a row, if it is of instants that did not become runs.
fn gap(row: &SqliteRow) -> Option<GapEntry> {
    Some(GapEntry {
        due_last: time(row, "due_last")?,
        run: RunId(row.get("run")),
        outcome: Outcome::from_number(row.get("outcome"))?,
        reason: Reason::from_number(row.get("reason"))?,
        due: time(row, "due")?,
        count: u64::try_from(row.get::<i64, _>("count")).ok()?,
    })
}

fn gap_ahead(row: &SqliteRow, zones: &dyn Zones, kept: &Kept) -> Option<AheadGap> {
    let timing = written(row).and_then(|written| timing_from(&written, zones, kept));
    Some(AheadGap { job: name(row)?, gap: gap(row)?, timing })
}

fn taken_instant(row: &SqliteRow) -> Option<(JobName, Timestamp)> {
    name(row).zip(time(row, "due"))
}

fn remembered_run(row: &SqliteRow) -> Option<RememberedRun> {
    Some(RememberedRun {
        run: RunId(row.get("run")),
        job: name(row)?,
        cause: Cause::from_number(row.get("cause"))?,
        due: time(row, "due")?,
        state: State::from_number(row.get("state"))?,
        tried: tried(row),
        attempts: attempts(row),
        started: time(row, "started"),
        goes_on: false,
        asked: asked(row).map(Arc::new),
        is_stopping: row.get::<Option<i64>, _>("stopping").is_some(),
    })
}

/// How many have begun: of one that runs the ledger hears a moment later than of the end of the one before.
fn attempts(row: &SqliteRow) -> u32 {
    let (recorded, ended): (u32, Option<u32>) = (row.get("attempts"), row.get("attempt"));
    let is_running = row.get::<i64, _>("state") == State::Running.number();
    recorded.max(ended.map_or(0, |ended| ended + u32::from(is_running)))
}

fn tried(row: &SqliteRow) -> Option<Tried> {
    Some(Tried {
        next_at: time(row, "retry_at")?,
        attempts: row.get::<Option<u32>, _>("attempt")?,
        outcome: Outcome::from_number(row.get::<Option<i64>, _>("outcome")?)?,
        reason: row.get::<Option<i64>, _>("reason").and_then(Reason::from_number),
        detail: row.get("detail"),
    })
}

fn survivor(row: &SqliteRow) -> Option<Survivor> {
    let pid: Option<i32> = row.get("pid");
    let ticks: Option<i64> = row.get("start_ticks");
    let process = pid.zip(ticks).and_then(|(pid, ticks)| Some(ProcessId { pid, start_ticks: ticks.try_into().ok()? }));
    Some(Survivor {
        run: RunId(row.get("run")),
        job: name(row)?,
        process,
        boot_id: row.get("boot"),
        started: time(row, "started"),
    })
}

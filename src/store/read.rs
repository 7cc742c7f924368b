//! What does the ledger say to people who ask?

use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::open::Reader;
use crate::report::{AttemptReport, Entry, Seconds, Time};
use crate::run::{Cause, Outcome, Reason, RunId, State, signal_name};

const ENTRIES: &str = "
SELECT runs.*, jobs.name AS job_name, hosts.name AS host_name
FROM runs JOIN jobs ON jobs.number = runs.job LEFT JOIN hosts ON hosts.number = runs.host
WHERE true";

/// Failed in general: see `Outcome::is_failure`.
pub(super) const IS_FAILURE: &str = "(runs.outcome IN (2, 3, 5, 6) OR runs.outcome = 4 AND runs.reason = 14)";

/// The newest entry of each job, and its failures since its last success: stopped by hand, skipped and missed do not end a
/// row of failures.
const STANDINGS: &str = "
SELECT runs.*, jobs.name AS job_name, hosts.name AS host_name,
       (SELECT count(*) FROM runs WHERE runs.job = jobs.number AND runs.outcome > 1 AND ";
const SINCE_ITS_LAST_SUCCESS: &str = "
        AND runs.due > coalesce((SELECT good.due FROM runs AS good WHERE good.job = jobs.number AND good.outcome = 1
                                 ORDER BY good.due DESC LIMIT 1), -9223372036854775808)) AS failures
FROM jobs CROSS JOIN runs ON runs.run = (
    SELECT newest.run FROM runs AS newest WHERE newest.job = jobs.number AND newest.state = 3
    ORDER BY newest.due DESC, newest.run DESC LIMIT 1)
LEFT JOIN hosts ON hosts.number = runs.host";

/// Twenty are enough to know what is usual, and few enough to be found by the index.
const DURATIONS: &str = "
SELECT name, (SELECT json_group_array(duration ORDER BY duration)
              FROM (SELECT duration FROM runs
                    WHERE runs.job = jobs.number AND outcome = 1 AND duration IS NOT NULL
                    ORDER BY due DESC LIMIT 20)) AS durations
FROM jobs";

const CAUSES: &str = "SELECT caused_by FROM dependencies WHERE run = $1 ORDER BY caused_by";

const ATTEMPTS: &str = "SELECT * FROM attempts WHERE run = $1 ORDER BY attempt, step, step_attempt";

const IN_FORCE: &str = "SELECT since, words FROM in_force";

/// An older ledger has no such table before a daemon has opened it.
const HAS_IN_FORCE: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'in_force')";

const DEFINED_JOBS: &str = "
SELECT name FROM jobs
WHERE EXISTS (SELECT 1 FROM definitions WHERE definitions.job = jobs.number AND definitions.until IS NULL) ORDER BY name";

const DEFINED_SINCE: &str = "
SELECT jobs.name, definitions.since FROM definitions JOIN jobs ON jobs.number = definitions.job
WHERE definitions.until IS NULL";

/// How a job stands.
#[derive(Debug, Clone)]
pub struct Standing {
    /// Its newest entry that has ended.
    pub last: Entry,
    /// How often it has failed in a row, up to its newest run.
    pub failures: i64,
}

impl Reader {
    /// Since when which files are in force, or were when a daemon last ran, in the words in which they are kept.
    pub async fn in_force(&self) -> Result<Option<(Timestamp, String)>, sqlx::Error> {
        if !sqlx::query_scalar::<Sqlite, bool>(HAS_IN_FORCE).fetch_one(&self.pool).await? {
            return Ok(None);
        }
        let row = sqlx::query(IN_FORCE).fetch_optional(&self.pool).await?;
        Ok(row.and_then(|row| Some((Timestamp::from_microsecond(row.get("since")).ok()?, row.get("words")))))
    }

    pub async fn entry(&self, run: RunId) -> Result<Option<Entry>, sqlx::Error> {
        let mut query = QueryBuilder::<Sqlite>::new(ENTRIES);
        query.push(" AND runs.run = ").push_bind(run.0);
        let row = query.build().fetch_optional(&self.pool).await?;
        Ok(row.as_ref().and_then(entry))
    }

    /// The job's newest run: an entry that began, also if it waits for its next attempt, or could not begin.
    pub async fn last_run(&self, job: &str, failed: bool) -> Result<Option<Entry>, sqlx::Error> {
        let mut query = QueryBuilder::<Sqlite>::new(ENTRIES);
        query.push(" AND runs.job = (SELECT number FROM jobs WHERE name = ").push_bind(job).push(")");
        query.push(" AND (runs.outcome IS NULL OR runs.outcome < 7) AND (runs.state > 1 OR runs.attempts > 0)");
        if failed {
            query.push(" AND ").push(IS_FAILURE);
        }
        query.push(" ORDER BY runs.due DESC, runs.run DESC LIMIT 1");
        let row = query.build().fetch_optional(&self.pool).await?;
        Ok(row.as_ref().and_then(entry))
    }

    /// The newest runs of a job that have ended, newest first; what did not become a run is not among them.
    pub async fn last_runs(&self, job: &str, most: u32) -> Result<Vec<Entry>, sqlx::Error> {
        let mut query = QueryBuilder::<Sqlite>::new(ENTRIES);
        query.push(" AND runs.job = (SELECT number FROM jobs WHERE name = ").push_bind(job);
        query.push(") AND runs.state = 3 AND runs.outcome < 7 ORDER BY runs.due DESC, runs.run DESC LIMIT ");
        query.push_bind(most);
        let rows = query.build().fetch_all(&self.pool).await?;
        Ok(rows.iter().filter_map(entry).collect())
    }

    /// How each job stands that has an entry which has ended: the newest of these, and how often the job has failed in a
    /// row. Of all jobs it is one question.
    pub async fn standings(&self, jobs: &[String]) -> Result<Vec<Standing>, sqlx::Error> {
        let names = (!jobs.is_empty()).then(|| json!(jobs).to_string());
        let mut query = QueryBuilder::<Sqlite>::new(STANDINGS);
        query.push(IS_FAILURE).push(SINCE_ITS_LAST_SUCCESS);
        if let Some(names) = names {
            query.push(" WHERE jobs.name IN (SELECT value FROM json_each(").push_bind(names).push("))");
        }
        let rows = query.build().fetch_all(&self.pool).await?;
        Ok(rows.iter().filter_map(|row| Some(Standing { last: entry(row)?, failures: row.get("failures") })).collect())
    }

    /// Runs that have not ended, in due order.
    pub async fn open_runs(&self) -> Result<Vec<Entry>, sqlx::Error> {
        let mut query = QueryBuilder::<Sqlite>::new(ENTRIES);
        // The plus keeps SQLite from reading all entries by their index of dues for the sake of the order.
        query.push(" AND runs.state < 3 ORDER BY +runs.due, runs.run");
        let rows = query.build().fetch_all(&self.pool).await?;
        Ok(rows.iter().filter_map(entry).collect())
    }

    /// The attempts of a run that has several, those that have ended, each before those of its steps.
    pub async fn attempts(&self, run: RunId) -> Result<Vec<AttemptReport>, sqlx::Error> {
        let rows = sqlx::query(ATTEMPTS).bind(run.0).fetch_all(&self.pool).await?;
        Ok(rows.iter().filter_map(attempt).collect())
    }

    /// The runs whose success called for a run.
    pub async fn causes(&self, run: RunId) -> Result<Vec<RunId>, sqlx::Error> {
        let causes: Vec<i64> = sqlx::query_scalar(CAUSES).bind(run.0).fetch_all(&self.pool).await?;
        Ok(causes.into_iter().map(RunId).collect())
    }

    /// How long the last successful runs of each job took, in microseconds and in order.
    pub async fn durations(&self) -> Result<Vec<(String, Vec<i64>)>, sqlx::Error> {
        let rows = sqlx::query(DURATIONS).fetch_all(&self.pool).await?;
        let read = |row: &SqliteRow| (row.get("name"), serde_json::from_str(row.get("durations")).unwrap_or_default());
        Ok(rows.iter().map(read).collect())
    }

    /// Copies the ledger, as it is at this moment, to a file that must not be there yet.
    pub async fn copy_to(&self, path: &str) -> Result<(), sqlx::Error> {
        sqlx::query("VACUUM INTO $1").bind(path).execute(&self.pool).await.map(|_| ())
    }

    /// The jobs that were in the file when it was last read rightly.
    pub async fn defined_jobs(&self) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar(DEFINED_JOBS).fetch_all(&self.pool).await
    }

    /// Since when each job has the schedule that is in force.
    pub async fn defined_since(&self) -> Result<Vec<(String, Timestamp)>, sqlx::Error> {
        let rows: Vec<(String, i64)> = sqlx::query_as(DEFINED_SINCE).fetch_all(&self.pool).await?;
        Ok(rows.into_iter().filter_map(|(job, since)| Some((job, Timestamp::from_microsecond(since).ok()?))).collect())
    }

    /// All jobs that the ledger has ever seen.
    pub async fn known_jobs(&self) -> Result<Vec<String>, sqlx::Error> {
        sqlx::query_scalar("SELECT name FROM jobs ORDER BY name").fetch_all(&self.pool).await
    }
}

fn time(row: &SqliteRow, column: &str) -> Option<Time> {
    Timestamp::from_microsecond(row.get::<Option<i64>, _>(column)?).ok().map(Time)
}

fn seconds(row: &SqliteRow, column: &str) -> Option<Seconds> {
    row.get::<Option<i64>, _>(column).map(Seconds::from_micros)
}

fn attempt(row: &SqliteRow) -> Option<AttemptReport> {
    Some(AttemptReport {
        attempt: row.get("attempt"),
        step: row.get("name"),
        step_attempt: row.get("step_attempt"),
        started: time(row, "started"),
        ended: time(row, "ended"),
        duration: seconds(row, "duration"),
        outcome: row
            .get::<Option<i64>, _>("outcome")
            .map(|number| Outcome::from_number(number).ok_or(()))
            .transpose()
            .ok()?,
        reason: row.get::<Option<i64>, _>("reason").and_then(Reason::from_number),
        detail: row.get("detail"),
        exit_code: row.get("exit_code"),
        signal: row.get::<Option<i32>, _>("signal").map(signal_name),
        cpu: seconds(row, "cpu"),
        max_rss: row.get("max_rss"),
        output_bytes: row.get("output_bytes"),
    })
}

/// The entry of a row; `None` if it has a word that this version does not know.
pub(super) fn entry(row: &SqliteRow) -> Option<Entry> {
    let cause = Cause::from_number(row.get("cause"))?;
    let state = State::from_number(row.get("state"))?;
    let outcome = row.get::<Option<i64>, _>("outcome").and_then(Outcome::from_number);
    let at = time(row, "due")?;
    let due = cause.names_instant() || cause == Cause::Start;
    let started = row.get::<Option<i64>, _>("started");
    let planned: i64 = row.get::<i64, _>("due") + row.get::<i64, _>("jitter") + row.get::<i64, _>("waited");
    Some(Entry {
        run: RunId(row.get("run")),
        job: row.get("job_name"),
        cause,
        due: due.then_some(at),
        due_last: time(row, "due_last"),
        count: row.get("count"),
        jitter: Seconds::from_micros(row.get("jitter")),
        started: time(row, "started"),
        ended: time(row, "ended"),
        late: started.filter(|_| due).map(|started| Seconds::from_micros(started - planned)),
        waited: Seconds::from_micros(row.get("waited")),
        duration: seconds(row, "duration"),
        state,
        outcome,
        reason: row.get::<Option<i64>, _>("reason").and_then(Reason::from_number),
        detail: row.get("detail"),
        exit_code: row.get("exit_code"),
        signal: row.get::<Option<i32>, _>("signal").map(signal_name),
        attempts: row.get("attempts"),
        cpu: seconds(row, "cpu"),
        max_rss: row.get("max_rss"),
        output_bytes: row.get("output_bytes"),
        host: row.get("host_name"),
        at: at.0,
    })
}

//! What came of each job within a time, in numbers?

use jiff::Timestamp;
use serde_json::Value;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::open::Reader;
use super::read::IS_FAILURE;
use crate::run::RunId;

/// What came of a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobCounts {
    pub job: String,
    pub runs: u64,
    pub failures: u64,
    /// Instants.
    pub missed: u64,
    pub skipped: u64,
    /// Of what succeeded, in microseconds and in no order.
    pub durations: Vec<i64>,
    pub last_failure: Option<RunId>,
}

impl Reader {
    /// Of all jobs that have an entry which was due within this time, its end excluded, and has ended.
    pub async fn counts(&self, since: Timestamp, until: Timestamp) -> Result<Vec<JobCounts>, sqlx::Error> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT jobs.name, sum(runs.outcome < 7) AS runs, sum(");
        query.push(IS_FAILURE).push(") AS failures, max(CASE WHEN ").push(IS_FAILURE).push(
            " THEN runs.run END) AS last_failure,
       sum(CASE WHEN runs.outcome = 8 THEN runs.count ELSE 0 END) AS missed,
       sum(CASE WHEN runs.outcome = 7 THEN runs.count ELSE 0 END) AS skipped,
       json_group_array(runs.duration) FILTER (WHERE runs.outcome = 1 AND runs.duration IS NOT NULL) AS durations
FROM runs JOIN jobs ON jobs.number = runs.job
WHERE runs.state = 3 AND runs.due >= ",
        );
        query.push_bind(since.as_microsecond()).push(" AND runs.due < ").push_bind(until.as_microsecond());
        query.push(" GROUP BY runs.job ORDER BY jobs.name");
        let rows = query.build().fetch_all(&self.pool).await?;
        let counts = rows.iter().map(|row| {
            let number = |column: &str| row.get::<Option<i64>, _>(column).unwrap_or(0).unsigned_abs();
            let durations: Value = serde_json::from_str(row.get("durations")).unwrap_or_default();
            JobCounts {
                job: row.get("name"),
                runs: number("runs"),
                failures: number("failures"),
                missed: number("missed"),
                skipped: number("skipped"),
                durations: durations.as_array().into_iter().flatten().filter_map(Value::as_i64).collect(),
                last_failure: row.get::<Option<i64>, _>("last_failure").map(RunId),
            }
        });
        Ok(counts.collect())
    }
}

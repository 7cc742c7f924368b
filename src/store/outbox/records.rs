//! How does a notice get into the ledger together with what caused it, and how is it known again what was told?

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::Row;

use super::number_of;
use crate::job::JobName;
use crate::notice::Notice;
use crate::run::RunId;
use crate::store::open::Reader;

/// What is written twice is there once.
pub const INSERT_NOTICES: &str = "
INSERT INTO notices (number, at, kind, job, run, channel, words)
SELECT value ->> 0, value ->> 1, value ->> 2, (SELECT number FROM jobs WHERE name = value ->> 3),
       (SELECT run FROM runs WHERE run = value ->> 4), value ->> 5, value ->> 6
FROM jsonb_each($1) WHERE true
ON CONFLICT DO NOTHING";

pub const INSERT_DELIVERIES: &str = "
INSERT INTO deliveries (notice, carrier)
SELECT value ->> 0, value ->> 1 FROM jsonb_each($1)
WHERE EXISTS (SELECT 1 FROM notices WHERE number = value ->> 0)
ON CONFLICT DO NOTHING";

/// Of jobs, and, where there is no name, of the daemon.
pub const FORGET_TOLD: &str = "
DELETE FROM told WHERE coalesce(job, 0) IN (
    SELECT CASE WHEN value ->> 0 IS NULL THEN 0 ELSE (SELECT number FROM jobs WHERE name = value ->> 0) END
    FROM jsonb_each($1))";

pub const INSERT_TOLD: &str = "
INSERT INTO told (job, words)
SELECT (SELECT number FROM jobs WHERE name = value ->> 0), value ->> 1 FROM jsonb_each($1)
WHERE value ->> 0 IS NULL OR EXISTS (SELECT 1 FROM jobs WHERE name = value ->> 0)
ON CONFLICT DO UPDATE SET words = excluded.words";

const HIGHEST: &str = "SELECT coalesce(max(number), 0) FROM notices";

const TOLD: &str = "SELECT jobs.name, told.words FROM told LEFT JOIN jobs ON jobs.number = told.job";

/// Of the jobs that are named alone: each is a walk of its own along the index.
const USUAL: &str = "
SELECT jobs.name, (SELECT json_group_array(duration)
                   FROM (SELECT duration FROM runs
                         WHERE runs.job = jobs.number AND outcome = 1 AND duration IS NOT NULL
                         ORDER BY due DESC LIMIT 20)) AS durations
FROM jobs WHERE name IN (SELECT value FROM json_each($1))";

/// A notice as a row.
pub fn notice_row(notice: &Notice) -> Value {
    let Notice { number, at, kind, job, run, channel, carriers: _, facts } = notice;
    let words = serde_json::to_string(facts).unwrap_or_default();
    json!([number, at.as_microsecond(), kind.number(), job, run.map(|RunId(run)| run), channel, words])
}

/// One for each of its carriers.
pub fn delivery_rows(notice: &Notice) -> impl Iterator<Item = Value> {
    notice.carriers.iter().map(|carrier| json!([notice.number, number_of(*carrier)]))
}

/// What is remembered from now on, and what is not any more.
pub fn told_rows(told: &BTreeMap<Option<JobName>, Option<Arc<str>>>) -> (Vec<Value>, Vec<Value>) {
    let rows = |is_kept: bool| {
        let of_it = told.iter().filter(move |(_, words)| words.is_some() == is_kept);
        of_it.map(|(job, words)| json!([job, words.as_deref()])).collect()
    };
    (rows(true), rows(false))
}

impl Reader {
    /// The highest number ever given to a notice.
    pub(in crate::store) async fn highest_notice(&self) -> Result<i64, sqlx::Error> {
        sqlx::query_scalar(HIGHEST).fetch_one(&self.pool).await
    }

    /// What a planner remembers of what was told.
    pub(in crate::store) async fn told(&self) -> Result<Vec<(Option<JobName>, Arc<str>)>, sqlx::Error> {
        let rows = sqlx::query(TOLD).fetch_all(&self.pool).await?;
        let told = rows.iter().filter_map(|row| {
            let job = row.get::<Option<&str>, _>("name").map(JobName::new).transpose().ok()?;
            Some((job, row.get::<&str, _>("words").into()))
        });
        Ok(told.collect())
    }

    /// How long the last successful runs of these jobs took, the newest last.
    pub async fn usual(&self, jobs: &BTreeSet<JobName>) -> Result<BTreeMap<JobName, Vec<Duration>>, sqlx::Error> {
        if jobs.is_empty() {
            return Ok(BTreeMap::new());
        }
        let rows = sqlx::query(USUAL).bind(json!(jobs).to_string()).fetch_all(&self.pool).await?;
        let usual = rows.iter().filter_map(|row| {
            let durations: Vec<u64> = serde_json::from_str(row.get("durations")).unwrap_or_default();
            let name = JobName::new(row.get::<&str, _>("name")).ok()?;
            Some((name, durations.into_iter().rev().map(Duration::from_micros).collect()))
        });
        Ok(usual.collect())
    }

    /// The last time before this one that a run of the job succeeded.
    pub async fn last_success(&self, job: &str, before: Timestamp) -> Result<Option<Timestamp>, sqlx::Error> {
        const LAST_SUCCESS: &str = "
SELECT coalesce(ended, due) FROM runs
WHERE job = (SELECT number FROM jobs WHERE name = $1) AND outcome = 1 AND due < $2 AND coalesce(ended, due) <= $2
ORDER BY due DESC LIMIT 1";
        let at: Option<i64> =
            sqlx::query_scalar(LAST_SUCCESS).bind(job).bind(before.as_microsecond()).fetch_optional(&self.pool).await?;
        Ok(at.and_then(|at| Timestamp::from_microsecond(at).ok()))
    }
}

//! What has come since somebody last looked?

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::pool::PoolConnection;
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, Sqlite};

use super::open::Reader;
use super::output::{PartId, StepOutput};
use crate::run::{RunId, Stream};

const LAST_ATTEMPT: &str = "SELECT max(attempt) FROM output WHERE run = $1";

/// Up to where each part reaches, by the index alone.
const REACHED: &str = "
SELECT attempt, step, step_attempt, max(\"offset\") AS last FROM output
WHERE run = $1 GROUP BY attempt, step, step_attempt";

const PIECES: &str = "
SELECT \"offset\", stream, at, data FROM output
WHERE run = $1 AND attempt = $2 AND step = $3 AND step_attempt = $4 AND \"offset\" >= $5 ORDER BY \"offset\"";

/// Steps are known by name from the moment at which they begin; what they write may be there before.
const NAMES: &str = "SELECT DISTINCT step, name FROM attempts WHERE run = $1 AND step > 0 AND name IS NOT NULL";

/// A piece of output that has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    pub part: PartId,
    /// None: the run has no steps.
    pub step: Option<StepOutput>,
    pub offset: u64,
    pub stream: Stream,
    pub at: Timestamp,
    pub data: Vec<u8>,
}

impl News {
    /// Up to where it reaches in the output of its part.
    pub fn end(&self) -> u64 {
        self.offset + self.data.len() as u64
    }
}

/// Says whether anything was written to the ledger, without asking for what.
#[derive(Debug)]
pub struct Changes {
    connection: PoolConnection<Sqlite>,
    seen: Option<i64>,
}

impl Changes {
    /// Whether somebody has written since the last time; at first it may be so.
    pub async fn have_come(&mut self) -> Result<bool, sqlx::Error> {
        // SQLite counts the commits of others, for each connection by itself; it costs no more than a look at the file.
        let now: i64 = sqlx::query_scalar("PRAGMA data_version").fetch_one(&mut *self.connection).await?;
        Ok(self.seen.replace(now) != Some(now))
    }
}

impl Reader {
    pub async fn changes(&self) -> Result<Changes, sqlx::Error> {
        Ok(Changes { connection: self.pool.acquire().await?, seen: None })
    }

    /// The last attempt of a run that has written anything; the first of a run that has not.
    pub async fn last_attempt(&self, run: RunId) -> Result<i64, sqlx::Error> {
        let last: Option<i64> = sqlx::query_scalar(LAST_ATTEMPT).bind(run.0).fetch_one(&self.pool).await?;
        Ok(last.unwrap_or(1))
    }

    /// What a run has written beyond where its parts have `reached`: attempt by attempt, in the order of time. Of a run with steps only that of `step`, if one is named.
    pub async fn output_since(
        &self,
        run: RunId,
        reached: &BTreeMap<PartId, u64>,
        step: Option<&str>,
    ) -> Result<Vec<News>, sqlx::Error> {
        let parts = sqlx::query(REACHED).bind(run.0).fetch_all(&self.pool).await?;
        let names: Vec<(i64, String)> = sqlx::query_as(NAMES).bind(run.0).fetch_all(&self.pool).await?;
        let mut news = Vec::new();
        for row in parts {
            let part =
                PartId { attempt: row.get("attempt"), step: row.get("step"), step_attempt: row.get("step_attempt") };
            let from = reached.get(&part).copied().unwrap_or(0);
            let is_new = u64::try_from(row.get::<i64, _>("last")).is_ok_and(|last| last >= from);
            let name = names.iter().find(|(number, _)| *number == part.step).map(|(_, name)| name.clone());
            let is_wanted = step.is_none_or(|wanted| name.as_deref() == Some(wanted));
            if !is_new || !is_wanted {
                continue;
            }
            let name = name.unwrap_or_else(|| part.step.to_string());
            let step = (part.step > 0).then_some(StepOutput { number: part.step, name, attempt: part.step_attempt });
            let query = sqlx::query(PIECES).bind(run.0).bind(part.attempt).bind(part.step).bind(part.step_attempt);
            let rows = query.bind(i64::try_from(from).unwrap_or(i64::MAX)).fetch_all(&self.pool).await?;
            news.extend(rows.iter().filter_map(|row| piece(row, part, step.clone())));
        }
        news.sort_by_key(|piece| (piece.part.attempt, piece.at, piece.part, piece.offset));
        Ok(news)
    }
}

fn piece(row: &SqliteRow, part: PartId, step: Option<StepOutput>) -> Option<News> {
    Some(News {
        part,
        step,
        offset: u64::try_from(row.get::<i64, _>("offset")).ok()?,
        stream: Stream::from_number(row.get("stream"))?,
        at: Timestamp::from_microsecond(row.get("at")).ok()?,
        data: row.get("data"),
    })
}

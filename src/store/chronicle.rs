//! What was going on at a time? When no daemon ran, and which run was in another's way.

use jiff::Timestamp;
use sqlx::Row;

use super::open::Reader;
use super::read::entry;
use crate::report::Entry;

/// The daemon's last start or end up to a moment.
const LAST_SIGN: &str =
    "SELECT at, kind FROM events WHERE at <= $1 AND kind IN (1, 2) ORDER BY at DESC, number DESC LIMIT 1";

const NEXT_SIGN: &str = "SELECT at, kind FROM events WHERE at > $1 AND kind IN (1, 2) ORDER BY at, number LIMIT 1";

const NEXT_START: &str = "SELECT min(at) FROM events WHERE at > $1 AND kind = 1";

/// Of the runs that were due last, the latest that the ledger says anything about.
const LAST_LIFE: &str = "
SELECT max(max(coalesce(started, 0), coalesce(ended, 0)))
FROM (SELECT started, ended FROM runs WHERE due <= $1 AND state = 3 AND outcome < 7 AND ended <= $1 ORDER BY due DESC LIMIT 50)";

/// Runs that had begun by then and had not ended, the one that began last.
const GOING_AT: &str = "
SELECT runs.*, jobs.name AS job_name, hosts.name AS host_name
FROM runs JOIN jobs ON jobs.number = runs.job LEFT JOIN hosts ON hosts.number = runs.host
WHERE jobs.name = $1 AND runs.due <= $2 AND (runs.outcome IS NULL OR runs.outcome < 7)
  AND runs.run <> $3 AND (runs.ended IS NULL OR runs.ended >= $2)
ORDER BY runs.due DESC LIMIT 1";

/// A time in which no daemon worked on the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Absence {
    /// When the last one ended, or was last heard of.
    pub from: Option<Timestamp>,
    /// It was stopped; otherwise it ended without a word.
    pub was_stopped: bool,
    /// When the next one began.
    pub until: Option<Timestamp>,
}

impl Reader {
    /// For how long no daemon ran, as of a moment at which none did.
    pub async fn absence(&self, at: Timestamp) -> Result<Absence, sqlx::Error> {
        let micros = at.as_microsecond();
        let sign: Option<(i64, i64)> = sqlx::query_as(LAST_SIGN).bind(micros).fetch_optional(&self.pool).await?;
        let mut was_stopped = sign.is_some_and(|(_, kind)| kind == 2);
        let mut from = sign.map(|(at, _)| at);
        // One that is being stopped begins nothing any more, a while before it has ended.
        let next: Option<(i64, i64)> = sqlx::query_as(NEXT_SIGN).bind(micros).fetch_optional(&self.pool).await?;
        if let Some((end, 2)) = next.filter(|_| !was_stopped) {
            (was_stopped, from) = (true, Some(end));
        }
        if !was_stopped {
            let life: Option<i64> = sqlx::query_scalar(LAST_LIFE).bind(micros).fetch_one(&self.pool).await?;
            from = from.max(life.filter(|life| *life > 0));
        }
        let until: Option<i64> = sqlx::query_scalar(NEXT_START).bind(micros).fetch_one(&self.pool).await?;
        let moment = |micros: i64| Timestamp::from_microsecond(micros).ok();
        Ok(Absence { from: from.and_then(moment), was_stopped, until: until.and_then(moment) })
    }

    /// The run of a job that was waiting or going at an instant, beside the entry `run` itself.
    pub async fn going_at(&self, of: &Entry) -> Result<Option<Entry>, sqlx::Error> {
        let query = sqlx::query(GOING_AT).bind(&of.job).bind(of.at.as_microsecond()).bind(of.run.0);
        Ok(query.fetch_optional(&self.pool).await?.as_ref().and_then(entry))
    }

    /// The number of a job; `None` if the ledger has never seen it.
    pub async fn job_number(&self, name: &str) -> Result<Option<i64>, sqlx::Error> {
        let row = sqlx::query("SELECT number FROM jobs WHERE name = $1").bind(name).fetch_optional(&self.pool).await?;
        Ok(row.map(|row| row.get(0)))
    }
}

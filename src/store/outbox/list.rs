//! What do people see of the outbox?

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::{carrier_of, number_of_standing, standing_of};
use crate::job::ChannelName;
use crate::notice::{Kind, Notice, NoticeId, Standing};
use crate::report::{DeliveryReport, Time};
use crate::run::RunId;
use crate::store::open::Reader;

const DELIVERIES: &str = "
SELECT notices.number, notices.at, notices.kind, jobs.name AS job, notices.run, notices.channel, deliveries.carrier,
       messages.state, messages.tries, messages.next_try, messages.ended, messages.answer
FROM deliveries JOIN notices ON notices.number = deliveries.notice
LEFT JOIN jobs ON jobs.number = notices.job
LEFT JOIN messages ON messages.number = deliveries.message
WHERE true";

const OUTSTANDING: &str = "
SELECT sum(waiting), min(oldest) FROM (
    SELECT count(*) AS waiting, min(notices.at) AS oldest
    FROM deliveries JOIN notices ON notices.number = deliveries.notice WHERE deliveries.message IS NULL
    UNION ALL
    SELECT count(*), min(notices.at)
    FROM messages JOIN deliveries ON deliveries.message = messages.number
    JOIN notices ON notices.number = deliveries.notice WHERE messages.state = 1)";

const UNDELIVERABLE: &str = "
SELECT count(*) FROM messages JOIN deliveries ON deliveries.message = messages.number
WHERE messages.state > 1 AND messages.ended > $1 AND messages.state = 3";

/// Which of the notices are wanted.
#[derive(Debug, Clone, Default)]
pub struct NoticeFilter {
    /// None: whatever became of them.
    pub standing: Option<Standing>,
    pub channel: Option<String>,
    pub run: Option<RunId>,
    /// Only these.
    pub numbers: Option<Vec<i64>>,
    /// The newest; none: all.
    pub most: Option<u32>,
}

/// What is still to be sent, and what could not be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Outstanding {
    pub waiting: u64,
    pub oldest: Option<Timestamp>,
    /// Since the moment that was asked for.
    pub undeliverable: u64,
}

impl Reader {
    /// When the digest before this notice was made, of its channel.
    pub async fn digest_before(&self, notice: &Notice) -> Result<Option<Timestamp>, sqlx::Error> {
        const DIGEST_BEFORE: &str = "SELECT max(at) FROM notices WHERE kind = $1 AND channel = $2 AND number < $3";
        let query = sqlx::query_scalar(DIGEST_BEFORE).bind(Kind::Digest.number());
        let query = query.bind(notice.channel.as_str().to_owned()).bind(notice.number.0);
        let at: Option<i64> = query.fetch_one(&self.pool).await?;
        Ok(at.and_then(|at| Timestamp::from_microsecond(at).ok()))
    }

    /// Whether there is any notice for a channel of this name.
    pub async fn has_told(&self, channel: &str) -> Result<bool, sqlx::Error> {
        const HAS_TOLD: &str = "SELECT EXISTS (SELECT 1 FROM notices WHERE channel = $1)";
        Ok(self.has_outbox().await? && sqlx::query_scalar(HAS_TOLD).bind(channel).fetch_one(&self.pool).await?)
    }

    /// The notices with each of their carriers, the newest last.
    pub async fn deliveries(&self, filter: &NoticeFilter) -> Result<Vec<DeliveryReport>, sqlx::Error> {
        if !self.has_outbox().await? {
            return Ok(Vec::new());
        }
        let mut query = QueryBuilder::<Sqlite>::new(DELIVERIES);
        match filter.standing {
            Some(Standing::Waiting) => {
                query.push(" AND (deliveries.message IS NULL OR messages.state = 1)");
            }
            Some(other) => {
                query.push(" AND messages.state = ").push_bind(number_of_standing(other));
            }
            None => {}
        }
        if let Some(channel) = &filter.channel {
            query.push(" AND notices.channel = ").push_bind(channel.clone());
        }
        if let Some(run) = filter.run {
            query.push(" AND notices.run = ").push_bind(run.0);
        }
        if let Some(numbers) = &filter.numbers {
            let numbers = serde_json::json!(numbers).to_string();
            query.push(" AND notices.number IN (SELECT value FROM json_each(").push_bind(numbers).push("))");
        }
        query.push(" ORDER BY notices.number DESC, deliveries.carrier DESC");
        if let Some(most) = filter.most {
            query.push(" LIMIT ").push_bind(most);
        }
        let rows = query.build().fetch_all(&self.pool).await?;
        Ok(rows.iter().rev().filter_map(delivery).collect())
    }

    /// How much waits, and how much was given up since then.
    pub async fn outstanding(&self, since: Timestamp) -> Result<Outstanding, sqlx::Error> {
        if !self.has_outbox().await? {
            return Ok(Outstanding::default());
        }
        let (waiting, oldest): (i64, Option<i64>) = sqlx::query_as(OUTSTANDING).fetch_one(&self.pool).await?;
        let query = sqlx::query_scalar::<_, i64>(UNDELIVERABLE).bind(since.as_microsecond());
        let undeliverable = query.fetch_one(&self.pool).await?;
        Ok(Outstanding {
            waiting: waiting.unsigned_abs(),
            oldest: oldest.and_then(|at| Timestamp::from_microsecond(at).ok()),
            undeliverable: undeliverable.unsigned_abs(),
        })
    }
}

fn time(row: &SqliteRow, column: &str) -> Option<Time> {
    Timestamp::from_microsecond(row.get::<Option<i64>, _>(column)?).ok().map(Time)
}

fn delivery(row: &SqliteRow) -> Option<DeliveryReport> {
    let standing = row.get::<Option<i64>, _>("state").map_or(Some(Standing::Waiting), standing_of)?;
    Some(DeliveryReport {
        notice: NoticeId(row.get("number")),
        at: time(row, "at")?,
        kind: Kind::from_number(row.get("kind"))?,
        job: row.get("job"),
        run: row.get("run"),
        channel: ChannelName::new(row.get("channel")).ok()?,
        carrier: carrier_of(row.get("carrier"))?,
        state: standing.word().to_owned(),
        tries: row.get::<Option<i64>, _>("tries").unwrap_or(0),
        next_try: time(row, "next_try"),
        held_until: None,
        held_because: None,
        ended: time(row, "ended"),
        answer: row.get("answer"),
    })
}

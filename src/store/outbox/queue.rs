//! What is to be sent next by a carrier of a channel, and how is it kept what came of it?
//!
//! Each change is a short transaction on the writer's connection, between two groups of decisions.

use std::time::Duration;

use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{Connection, Row};

use super::{carrier_of, number_of, number_of_standing};
use crate::job::{CarrierKind, ChannelName, JobName};
use crate::notice::{Facts, Kind, Notice, NoticeId, Sent, Standing};
use crate::run::RunId;
use crate::store::open::{Reader, Store};

/// Notices that are looked at together: a storm that is larger becomes several messages.
pub const TOGETHER: u32 = 1000;
/// A clock that was set back is not waited for: no pause between two tries is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(2 * 24 * 3600);

/// For how long it is tried to send a message, as mail servers do.
pub const SENT_FOR: Duration = Duration::from_secs(3 * 24 * 3600);

const LANES: &str = "
SELECT notices.channel, deliveries.carrier
FROM deliveries JOIN notices ON notices.number = deliveries.notice WHERE deliveries.message IS NULL
UNION
SELECT channel, carrier FROM messages WHERE state = 1";

const NEXT_MESSAGE: &str = "
SELECT number, id, thread, made, tries, next_try, until FROM messages
WHERE state = 1 AND channel = $1 AND carrier = $2 ORDER BY number LIMIT 1";

const NOTICES_OF: &str = "
SELECT notices.*, jobs.name AS job_name
FROM deliveries JOIN notices ON notices.number = deliveries.notice LEFT JOIN jobs ON jobs.number = notices.job
WHERE deliveries.message = $1 ORDER BY notices.number";

const NOTICES_WAITING: &str = "
SELECT notices.*, jobs.name AS job_name
FROM deliveries JOIN notices ON notices.number = deliveries.notice LEFT JOIN jobs ON jobs.number = notices.job
WHERE deliveries.message IS NULL AND notices.channel = $1 AND deliveries.carrier = $2
ORDER BY notices.number LIMIT $3";

/// What was sent: how many notices, and of which jobs.
const SENT_LATELY: &str = "
SELECT messages.ended, count(*) AS notices, min(notices.at) AS first,
       json_group_array(DISTINCT jobs.name) FILTER (WHERE jobs.name IS NOT NULL) AS jobs
FROM messages JOIN deliveries ON deliveries.message = messages.number
JOIN notices ON notices.number = deliveries.notice LEFT JOIN jobs ON jobs.number = notices.job
WHERE messages.state > 1 AND messages.ended > $3 AND messages.state = 2
  AND messages.channel = $1 AND messages.carrier = $2
GROUP BY messages.number ORDER BY messages.ended, messages.number";

/// With what a trouble of a job begins. That it is over begins none, though it comes after the success.
const BEGINNINGS: [Kind; 5] = [Kind::Failed, Kind::Missed, Kind::Stuck, Kind::Slow, Kind::Overdue];

/// The first message that told of a trouble of this job since then; one that nobody got is nothing to refer to.
const THREAD: &str = "
SELECT messages.id
FROM notices JOIN deliveries ON deliveries.notice = notices.number AND deliveries.carrier = $2
JOIN messages ON messages.number = deliveries.message
WHERE notices.job = (SELECT number FROM jobs WHERE name = $3) AND notices.channel = $1 AND notices.at >= $4
  AND messages.state IN (1, 2) AND notices.kind IN (SELECT value FROM json_each($5))
ORDER BY messages.number LIMIT 1";

const THREAD_OF_RUN: &str = "
SELECT coalesce(messages.thread, messages.id)
FROM notices JOIN deliveries ON deliveries.notice = notices.number AND deliveries.carrier = $2
JOIN messages ON messages.number = deliveries.message
WHERE notices.run = $3 AND notices.channel = $1 AND messages.state IN (1, 2)
ORDER BY messages.number LIMIT 1";

const WAITING_IN: &str = "
SELECT notices.number FROM deliveries JOIN notices ON notices.number = deliveries.notice
WHERE deliveries.message IS NULL AND notices.channel = $1 AND deliveries.carrier = $2
UNION ALL
SELECT deliveries.notice FROM messages JOIN deliveries ON deliveries.message = messages.number
WHERE messages.state = 1 AND messages.channel = $1 AND messages.carrier = $2";

const INSERT_MESSAGE: &str = "
INSERT INTO messages (id, channel, carrier, thread, made, state, until) VALUES ($1, $2, $3, $4, $5, 1, $6)
RETURNING number";

const PUT_INTO: &str = "
UPDATE deliveries SET message = $1
WHERE carrier = $2 AND message IS NULL AND notice IN (SELECT value FROM json_each($3))";

/// What was taken was taken, whatever was said of it meanwhile.
const SENT: &str = "
UPDATE messages SET state = 2, tries = tries + 1, next_try = NULL, ended = $2, answer = $3 WHERE number = $1";

const WAITS: &str = "
UPDATE messages SET tries = tries + 1, next_try = $2, answer = $3 WHERE number = $1 AND state = 1";

const GIVEN_UP: &str = "
UPDATE messages SET state = $4, tries = tries + $5, next_try = NULL, ended = $2, answer = $3
WHERE number = $1 AND state = 1";

/// A carrier of a channel: what waits for it goes in order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lane {
    pub channel: ChannelName,
    pub carrier: CarrierKind,
}

/// A message that waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    pub number: i64,
    /// The same in each try.
    pub id: String,
    /// The first message of those that belong together.
    pub thread: Option<String>,
    pub made: Timestamp,
    /// How often it was tried.
    pub tries: u32,
    pub next_try: Option<Timestamp>,
    /// After this it is tried no more.
    pub until: Timestamp,
}

/// What came of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Sent { answer: String },
    Waits { next_try: Timestamp, answer: String },
    Undeliverable { answer: String, was_tried: bool },
}

impl Message {
    /// Until when it is not tried again.
    pub fn rests_until(&self, now: Timestamp) -> Option<Timestamp> {
        let longest = now.saturating_add(LONGEST_PAUSE).unwrap_or(Timestamp::MAX);
        self.next_try.filter(|next| *next > now && *next <= longest)
    }
}

impl Reader {
    /// Where anything waits.
    pub async fn lanes(&self) -> Result<Vec<Lane>, sqlx::Error> {
        let rows = sqlx::query(LANES).fetch_all(&self.pool).await?;
        let lane = |row: &SqliteRow| {
            let channel = ChannelName::new(row.get::<&str, _>("channel")).ok()?;
            Some(Lane { channel, carrier: carrier_of(row.get("carrier"))? })
        };
        Ok(rows.iter().filter_map(lane).collect())
    }

    /// The oldest message that waits.
    pub async fn next_message(&self, lane: &Lane) -> Result<Option<Message>, sqlx::Error> {
        let query = sqlx::query(NEXT_MESSAGE).bind(lane.channel.as_str().to_owned()).bind(number_of(lane.carrier));
        let row = query.fetch_optional(&self.pool).await?;
        Ok(row.map(|row| Message {
            number: row.get("number"),
            id: row.get("id"),
            thread: row.get("thread"),
            made: time(&row, "made").unwrap_or(Timestamp::MIN),
            tries: row.get("tries"),
            next_try: time(&row, "next_try"),
            until: time(&row, "until").unwrap_or(Timestamp::MAX),
        }))
    }

    /// What is in a message, the oldest first.
    pub async fn notices_of(&self, message: &Message, lane: &Lane) -> Result<Vec<Notice>, sqlx::Error> {
        let rows = sqlx::query(NOTICES_OF).bind(message.number).fetch_all(&self.pool).await?;
        Ok(rows.iter().filter_map(|row| notice(row, lane)).collect())
    }

    /// What is in no message yet, the oldest first.
    pub async fn notices_waiting(&self, lane: &Lane, most: u32) -> Result<Vec<Notice>, sqlx::Error> {
        let query = sqlx::query(NOTICES_WAITING).bind(lane.channel.as_str().to_owned()).bind(number_of(lane.carrier));
        let rows = query.bind(most).fetch_all(&self.pool).await?;
        Ok(rows.iter().filter_map(|row| notice(row, lane)).collect())
    }

    /// All that waits, in a message or in none yet.
    pub async fn waiting_in(&self, lane: &Lane) -> Result<Vec<NoticeId>, sqlx::Error> {
        let query = sqlx::query_scalar::<_, i64>(WAITING_IN).bind(lane.channel.as_str().to_owned());
        let numbers = query.bind(number_of(lane.carrier)).fetch_all(&self.pool).await?;
        Ok(numbers.into_iter().map(NoticeId).collect())
    }

    /// What was sent since a moment, the oldest first.
    pub async fn sent_since(&self, lane: &Lane, since: Timestamp) -> Result<Vec<Sent>, sqlx::Error> {
        let query = sqlx::query(SENT_LATELY).bind(lane.channel.as_str().to_owned()).bind(number_of(lane.carrier));
        let rows = query.bind(since.as_microsecond()).fetch_all(&self.pool).await?;
        let sent = |row: &SqliteRow| {
            let names: Vec<String> = serde_json::from_str(row.get("jobs")).unwrap_or_default();
            Some(Sent {
                at: time(row, "ended")?,
                first: time(row, "first")?,
                notices: usize::try_from(row.get::<i64, _>("notices")).ok()?,
                jobs: names.iter().filter_map(|name| JobName::new(name).ok()).collect(),
            })
        };
        Ok(rows.iter().filter_map(sent).collect())
    }

    /// The message with which it began that something is wrong with a job, since a moment.
    pub async fn thread(&self, lane: &Lane, job: &JobName, since: Timestamp) -> Result<Option<String>, sqlx::Error> {
        let query = sqlx::query_scalar(THREAD).bind(lane.channel.as_str().to_owned()).bind(number_of(lane.carrier));
        let beginnings = json!(BEGINNINGS.map(Kind::number)).to_string();
        let query = query.bind(job.as_str().to_owned()).bind(since.as_microsecond()).bind(beginnings);
        query.fetch_optional(&self.pool).await
    }

    /// The message with which began what was told of a run.
    pub async fn thread_of_run(&self, lane: &Lane, run: RunId) -> Result<Option<String>, sqlx::Error> {
        let query = sqlx::query_scalar(THREAD_OF_RUN).bind(lane.channel.as_str().to_owned());
        query.bind(number_of(lane.carrier)).bind(run.0).fetch_optional(&self.pool).await
    }
}

impl Store {
    /// Puts notices into a message; none where all of them are gone, or in another one.
    pub async fn make_message(
        &self,
        lane: &Lane,
        notices: &[NoticeId],
        (id, thread): (String, Option<String>),
        made: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Message>, sqlx::Error> {
        let mut connection = self.writer.acquire().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        let carrier = number_of(lane.carrier);
        let query = sqlx::query_scalar(INSERT_MESSAGE).bind(id.clone()).bind(lane.channel.as_str().to_owned());
        let query = query.bind(carrier).bind(thread.clone()).bind(made.as_microsecond()).bind(until.as_microsecond());
        let number: i64 = query.fetch_one(&mut *transaction).await?;
        let query = sqlx::query(PUT_INTO).bind(number).bind(carrier).bind(json!(notices).to_string());
        let put = query.execute(&mut *transaction).await?.rows_affected();
        if put == 0 {
            transaction.rollback().await?;
            return Ok(None);
        }
        transaction.commit().await?;
        Ok(Some(Message { number, id, thread, made, tries: 0, next_try: None, until }))
    }

    /// Keeps what came of a message.
    pub async fn message_came(&self, message: i64, outcome: Outcome, now: Timestamp) -> Result<(), sqlx::Error> {
        let now = now.as_microsecond();
        let query = match outcome {
            Outcome::Sent { answer } => sqlx::query(SENT).bind(message).bind(now).bind(answer),
            Outcome::Waits { next_try, answer } => {
                sqlx::query(WAITS).bind(message).bind(next_try.as_microsecond()).bind(answer)
            }
            Outcome::Undeliverable { answer, was_tried } => {
                let state = number_of_standing(Standing::Undeliverable);
                sqlx::query(GIVEN_UP).bind(message).bind(now).bind(answer).bind(state).bind(was_tried)
            }
        };
        query.execute(&self.writer).await.map(|_| ())
    }
}

fn time(row: &SqliteRow, column: &str) -> Option<Timestamp> {
    Timestamp::from_microsecond(row.get::<Option<i64>, _>(column)?).ok()
}

/// A notice out of its row, for one of its carriers.
fn notice(row: &SqliteRow, lane: &Lane) -> Option<Notice> {
    Some(Notice {
        number: NoticeId(row.get("number")),
        at: time(row, "at")?,
        kind: Kind::from_number(row.get("kind"))?,
        job: row.get::<Option<&str>, _>("job_name").and_then(|name| JobName::new(name).ok()),
        run: row.get::<Option<i64>, _>("run").map(RunId),
        channel: lane.channel.clone(),
        carriers: vec![lane.carrier],
        facts: serde_json::from_str::<Facts>(row.get("words")).unwrap_or_default(),
    })
}

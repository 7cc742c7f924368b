//! How is something in the outbox tried again, or dropped, because somebody wants it?

use jiff::Timestamp;
use serde_json::json;
use sqlx::{Connection, SqliteConnection};

use super::queue::SENT_FOR;
use crate::notice::NoticeId;
use crate::store::open::Store;

/// Which messages are meant: all that have not arrived, or those of these notices.
const RETRY: &str = "
UPDATE messages SET state = 1, next_try = NULL, ended = NULL, until = $2,
                    answer = CASE WHEN state = 4 THEN NULL ELSE answer END
WHERE state IN (1, 3, 4) AND number IN (
    SELECT message FROM deliveries WHERE message IS NOT NULL AND notice IN (SELECT value FROM json_each($1)))";

/// What is in no message yet comes into one that nobody gets.
const LANES_TO_DROP: &str = "
SELECT DISTINCT notices.channel, deliveries.carrier
FROM deliveries JOIN notices ON notices.number = deliveries.notice
LEFT JOIN messages ON messages.number = deliveries.message
WHERE (deliveries.message IS NULL OR messages.state IN (1, 3)) AND notices.number IN (SELECT value FROM json_each($1))";

const INSERT_DROPPED: &str = "
INSERT INTO messages (id, channel, carrier, made, state, until, ended, answer)
VALUES ('dropped-' || lower(hex(randomblob(16))), $1, $2, $3, 4, $3, $3, $4)
RETURNING number";

const PUT_INTO_DROPPED: &str = "
UPDATE deliveries SET message = $1
WHERE carrier = $3
  AND notice IN (SELECT number FROM notices WHERE channel = $2 AND number IN (SELECT value FROM json_each($4)))
  AND (message IS NULL OR message IN (SELECT number FROM messages WHERE state IN (1, 3)))";

const FORGET_EMPTY: &str = "
DELETE FROM messages WHERE state IN (1, 3)
  AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.message = messages.number)";

impl Store {
    /// Has these notices tried again at once, for another while.
    pub async fn retry_notices(&self, notices: &[NoticeId], now: Timestamp) -> Result<(), sqlx::Error> {
        let until = now.saturating_add(SENT_FOR).unwrap_or(Timestamp::MAX);
        let query = sqlx::query(RETRY).bind(json!(notices).to_string()).bind(until.as_microsecond());
        query.execute(&self.writer).await.map(|_| ())
    }

    /// Lets these notices not be sent; who wanted it is kept.
    pub async fn drop_notices(&self, notices: &[NoticeId], by: &str, now: Timestamp) -> Result<(), sqlx::Error> {
        let mut connection = self.writer.acquire().await?;
        let mut transaction = connection.begin_with("BEGIN IMMEDIATE").await?;
        drop_within(&mut transaction, &json!(notices).to_string(), by, now).await?;
        transaction.commit().await
    }
}

async fn drop_within(
    connection: &mut SqliteConnection,
    notices: &str,
    by: &str,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let lanes: Vec<(String, i64)> =
        sqlx::query_as(LANES_TO_DROP).bind(notices.to_owned()).fetch_all(&mut *connection).await?;
    for (channel, carrier) in lanes {
        let query = sqlx::query_scalar(INSERT_DROPPED).bind(channel.clone()).bind(carrier).bind(now.as_microsecond());
        let message: i64 = query.bind(format!("dropped by {by}")).fetch_one(&mut *connection).await?;
        let query = sqlx::query(PUT_INTO_DROPPED).bind(message).bind(channel).bind(carrier);
        query.bind(notices.to_owned()).execute(&mut *connection).await?;
    }
    sqlx::query(FORGET_EMPTY).execute(connection).await.map(|_| ())
}

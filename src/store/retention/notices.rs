//! Which notices has nobody any use for any more?

use std::time::Duration;

use jiff::Timestamp;

use super::forget::Pruning;

/// For how long it can be looked up what was told, and what became of it.
const KEPT_FOR: Duration = Duration::from_secs(90 * 24 * 3600);
/// Rows in one question.
const CHUNK: i64 = 5000;

/// The newest number stays: it says which are given already. So does whatever waits, however old it is.
const OLD_NOTICES: &str = "
SELECT number FROM notices
WHERE number > $1 AND at < $2 AND number < (SELECT max(number) FROM notices)
  AND NOT EXISTS (
    SELECT 1 FROM deliveries LEFT JOIN messages ON messages.number = deliveries.message
    WHERE deliveries.notice = notices.number AND (deliveries.message IS NULL OR messages.state = 1))
ORDER BY number LIMIT $3";

const FORGET_NOTICES: &str = "DELETE FROM notices WHERE number IN (SELECT value FROM json_each($1))";

const EMPTY_MESSAGES: &str = "
SELECT number FROM messages
WHERE number > $1 AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.message = messages.number) AND made < $2
ORDER BY number LIMIT $3";

const FORGET_MESSAGES: &str = "
DELETE FROM messages WHERE number IN (SELECT value FROM json_each($1))
  AND NOT EXISTS (SELECT 1 FROM deliveries WHERE deliveries.message = messages.number)";

/// Forgets notices that have ended long ago, and the messages in which they were.
pub async fn forget(pruning: &mut Pruning<'_>, now: Timestamp) -> Result<(), sqlx::Error> {
    let before = now.saturating_sub(KEPT_FOR).unwrap_or(Timestamp::MIN).as_microsecond();
    for (find, forget) in [(OLD_NOTICES, FORGET_NOTICES), (EMPTY_MESSAGES, FORGET_MESSAGES)] {
        let mut after = i64::MIN;
        loop {
            let query = sqlx::query_scalar(find).bind(after).bind(before).bind(CHUNK);
            let numbers: Vec<i64> = query.fetch_all(&pruning.store.reader.pool).await?;
            let Some(last) = numbers.last() else {
                break;
            };
            after = *last;
            pruning.rows(forget, &numbers).await?;
        }
    }
    Ok(())
}

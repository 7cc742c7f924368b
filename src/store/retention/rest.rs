//! What else does nothing refer to any more? Definitions, calendars, events, boots, hosts, and counts of long ago.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::{ConnectOptions, Connection, SqlitePool};

use super::Limits;
use super::forget::Pruning;
use crate::store::open::writing;

/// For how long counts are kept, in hours: ten years.
const TALLIES: i64 = 10 * 366 * 24;
/// Rows in one question.
const CHUNK: i64 = 5000;

/// What happened to the daemon explains what is missing for as long as failures stay. That it has started since this boot
/// must stay known, or `@reboot` would run again.
const OLD_EVENTS: &str = "
SELECT number FROM events WHERE number > $1 AND at < $2 AND NOT (kind = 1 AND boot = $3) ORDER BY number LIMIT $4";

const FORGET_EVENTS: &str = "DELETE FROM events WHERE number IN (SELECT value FROM json_each($1))";

/// An audit computes from definitions, as far back as entries go, or counts that are not older than failures may be.
const OLD_DEFINITIONS: &str = "
SELECT number FROM definitions
WHERE number > $1 AND until < $2
  AND until < coalesce((SELECT min(due) FROM runs WHERE runs.job = definitions.job), $2)
ORDER BY number LIMIT $3";

const FORGET_DEFINITIONS: &str = "DELETE FROM definitions WHERE number IN (SELECT value FROM json_each($1))";

const HIGHEST_DEFINITION: &str = "SELECT coalesce(max(number), 0) FROM definitions";

/// Definitions name the versions of calendars in their text.
const UNUSED_CALENDARS: &str = "
SELECT version FROM calendars
WHERE NOT EXISTS (SELECT 1 FROM definitions WHERE instr(definitions.text, calendars.version) > 0)";

/// One may be used again since it was found unused.
const FORGET_CALENDARS: &str = "
DELETE FROM calendars WHERE version IN (SELECT value FROM json_each($1)) AND NOT EXISTS (
    SELECT 1 FROM definitions WHERE number > $2 AND instr(definitions.text, calendars.version) > 0)";

const JOBS_WITH_OLD_TALLIES: &str = "
SELECT number FROM jobs WHERE EXISTS (SELECT 1 FROM tallies WHERE tallies.job = jobs.number AND tallies.hour < $1)";

const FORGET_TALLIES: &str = "
DELETE FROM tallies WHERE (job, hour, outcome) IN (
    SELECT job, hour, outcome FROM tallies WHERE job = $1 AND hour < $2 LIMIT 500)";

/// Only runs that are open name a boot.
const UNUSED_BOOTS: &str = "
SELECT number FROM boots
WHERE number <> $1 AND number NOT IN (SELECT boot FROM events WHERE boot IS NOT NULL)
  AND number NOT IN (SELECT boot FROM runs WHERE state < 3 AND boot IS NOT NULL)";

const FORGET_BOOTS: &str = "DELETE FROM boots WHERE number IN (SELECT value FROM json_each($1))";

const HOSTS: &str = "SELECT number FROM hosts WHERE number <> $1";

/// By spans of numbers, as no index has the hosts.
const HOSTS_USED: &str = "
SELECT DISTINCT host FROM runs WHERE run >= $1 AND run < $1 + $2 AND host IS NOT NULL";

const NEXT_RUN: &str = "SELECT min(run) FROM runs WHERE run >= $1";

const FORGET_HOSTS: &str = "DELETE FROM hosts WHERE number IN (SELECT value FROM json_each($1))";

pub async fn forget(pruning: &mut Pruning<'_>, limits: Limits) -> Result<(), sqlx::Error> {
    forget_events(pruning, limits).await?;
    forget_definitions(pruning, limits).await?;
    forget_calendars(pruning).await?;
    forget_words(pruning).await
}

async fn forget_events(pruning: &mut Pruning<'_>, limits: Limits) -> Result<(), sqlx::Error> {
    let mut after = i64::MIN;
    loop {
        let query = sqlx::query_scalar(OLD_EVENTS).bind(after).bind(limits.failures);
        let query = query.bind(pruning.store.identity.boot).bind(CHUNK);
        let events: Vec<i64> = query.fetch_all(&pruning.store.reader.pool).await?;
        let Some(last) = events.last() else {
            return Ok(());
        };
        after = *last;
        pruning.rows(FORGET_EVENTS, &events).await?;
    }
}

async fn forget_definitions(pruning: &mut Pruning<'_>, limits: Limits) -> Result<(), sqlx::Error> {
    let mut after = i64::MIN;
    loop {
        let query = sqlx::query_scalar(OLD_DEFINITIONS).bind(after).bind(limits.failures).bind(CHUNK);
        let definitions: Vec<i64> = query.fetch_all(&pruning.store.reader.pool).await?;
        let Some(last) = definitions.last() else {
            return Ok(());
        };
        after = *last;
        pruning.rows(FORGET_DEFINITIONS, &definitions).await?;
    }
}

async fn forget_calendars(pruning: &mut Pruning<'_>) -> Result<(), sqlx::Error> {
    let pool = &pruning.store.reader.pool;
    let highest: i64 = sqlx::query_scalar(HIGHEST_DEFINITION).fetch_one(pool).await?;
    let unused: Vec<String> = sqlx::query_scalar(UNUSED_CALENDARS).fetch_all(pool).await?;
    if !unused.is_empty() {
        let query = sqlx::query(FORGET_CALENDARS).bind(serde_json::json!(unused).to_string()).bind(highest);
        pruning.pruned.others += query.execute(&pruning.store.writer).await?.rows_affected();
    }
    Ok(())
}

/// Counts of more than ten years ago.
pub async fn forget_tallies(pruning: &mut Pruning<'_>, now: Timestamp) -> Result<(), sqlx::Error> {
    let before = now.as_second() / 3600 - TALLIES;
    let query = sqlx::query_scalar(JOBS_WITH_OLD_TALLIES).bind(before);
    let jobs: Vec<i64> = query.fetch_all(&pruning.store.reader.pool).await?;
    for job in jobs {
        loop {
            let query = sqlx::query(FORGET_TALLIES).bind(job).bind(before);
            let gone = query.execute(&pruning.store.writer).await?.rows_affected();
            if gone == 0 {
                break;
            }
            pruning.pruned.others += gone;
        }
    }
    Ok(())
}

/// Boots and hosts. SQLite would look through all runs for each of them, while nobody else can write; it is known here that
/// there is none, and only this process writes, as no boot and host but its own.
async fn forget_words(pruning: &mut Pruning<'_>) -> Result<(), sqlx::Error> {
    let store = pruning.store;
    let pool = &store.reader.pool;
    let boots: Vec<i64> = sqlx::query_scalar(UNUSED_BOOTS).bind(store.identity.boot).fetch_all(pool).await?;
    let hosts = unused_hosts(pool, store.identity.host).await?;
    if boots.is_empty() && hosts.is_empty() || !store.held.borrow().is_at(&store.path) {
        return Ok(());
    }
    let mut connection = writing(&store.path).create_if_missing(false).foreign_keys(false).connect().await?;
    for (sql, numbers) in [(FORGET_BOOTS, boots), (FORGET_HOSTS, hosts)] {
        if !numbers.is_empty() {
            let query = sqlx::query(sql).bind(serde_json::json!(numbers).to_string());
            pruning.pruned.others += query.execute(&mut connection).await?.rows_affected();
        }
    }
    connection.close().await
}

async fn unused_hosts(pool: &SqlitePool, own: i64) -> Result<Vec<i64>, sqlx::Error> {
    let mut unused: BTreeSet<i64> = sqlx::query_scalar(HOSTS).bind(own).fetch_all(pool).await?.into_iter().collect();
    let mut from = i64::MIN;
    while !unused.is_empty() {
        let next: Option<i64> = sqlx::query_scalar(NEXT_RUN).bind(from).fetch_one(pool).await?;
        let Some(next) = next else {
            break;
        };
        let used: Vec<i64> = sqlx::query_scalar(HOSTS_USED).bind(next).bind(CHUNK).fetch_all(pool).await?;
        unused.retain(|host| !used.contains(host));
        from = next.saturating_add(CHUNK);
    }
    Ok(unused.into_iter().collect())
}

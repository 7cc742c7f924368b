//! What the ledger forgets, and what it must not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use punctual::settings::Retention;
use punctual::store::Store;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

const DAY: i64 = 86_400_000_000;

fn now() -> Timestamp {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

fn days_ago(days: i64) -> i64 {
    (now() - SignedDuration::from_hours(24 * days)).as_microsecond()
}

struct Ledger {
    _folder: tempfile::TempDir,
    store: Store,
    pool: SqlitePool,
}

impl Ledger {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("punctual.db");
        let store = Store::prepare(&path).unwrap().open("host", "boot").await.unwrap();
        let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
        sqlx::query("INSERT INTO jobs (name) VALUES ('daily'), ('other')").execute(&pool).await.unwrap();
        Self { _folder: folder, store, pool }
    }

    async fn add(&self, job: i64, due: i64, state: i64, outcome: Option<i64>) -> i64 {
        let sql = "INSERT INTO runs (job, cause, due, state, outcome) VALUES ($1, 1, $2, $3, $4) RETURNING run";
        let query = sqlx::query_scalar(sql).bind(job).bind(due).bind(state).bind(outcome);
        query.fetch_one(&self.pool).await.unwrap()
    }

    async fn write(&self, run: i64, size: usize) {
        let sql = "INSERT INTO output (run, attempt, \"offset\", stream, at, data) VALUES ($1, 1, 0, 1, 0, $2)";
        sqlx::query(sql).bind(run).bind(vec![7u8; size]).execute(&self.pool).await.unwrap();
    }

    async fn runs(&self) -> Vec<i64> {
        sqlx::query_scalar("SELECT run FROM runs ORDER BY run").fetch_all(&self.pool).await.unwrap()
    }

    async fn outputs(&self) -> Vec<i64> {
        sqlx::query_scalar("SELECT run FROM output ORDER BY run").fetch_all(&self.pool).await.unwrap()
    }
}

const SUCCEEDED: Option<i64> = Some(1);
const FAILED: Option<i64> = Some(2);
const MISSED: Option<i64> = Some(8);

fn retention() -> Retention {
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    Retention { keep: days(90), keep_failures: days(365), keep_last: 1, max_size: None }
}

#[tokio::test]
async fn what_is_old_goes_and_what_matters_stays() {
    let ledger = Ledger::new().await;
    let ancient_failure = ledger.add(1, days_ago(400), 3, FAILED).await;
    let old_success = ledger.add(1, days_ago(301), 3, SUCCEEDED).await;
    let before_failure = ledger.add(1, days_ago(300), 3, SUCCEEDED).await;
    let failure = ledger.add(1, days_ago(299), 3, FAILED).await;
    let old_gap = ledger.add(1, days_ago(298), 3, MISSED).await;
    let long_gap = ledger.add(1, days_ago(200), 3, MISSED).await;
    sqlx::query("UPDATE runs SET due_last = $1 WHERE run = $2")
        .bind(days_ago(2))
        .bind(long_gap)
        .execute(&ledger.pool)
        .await
        .unwrap();
    let open = ledger.add(1, days_ago(150), 2, None).await;
    let young = ledger.add(1, days_ago(1), 3, SUCCEEDED).await;
    let only_one_of_its_job = ledger.add(2, days_ago(1000), 3, SUCCEEDED).await;
    for run in [ancient_failure, old_success, failure] {
        ledger.write(run, 100).await;
    }
    ledger.store.prune(&retention(), now()).await.unwrap();
    assert_eq!(ledger.runs().await, [before_failure, failure, long_gap, open, young, only_one_of_its_job]);
    assert_eq!(ledger.outputs().await, [failure]);
    assert_ne!(old_gap, 0);
    // Once too often changes nothing.
    assert_eq!(ledger.store.prune(&retention(), now()).await.unwrap().rows, 0);
}

#[tokio::test]
async fn the_last_of_every_job_stay_whatever_their_age() {
    let ledger = Ledger::new().await;
    for day in (100..120).rev() {
        ledger.add(1, days_ago(day), 3, SUCCEEDED).await;
    }
    ledger.store.prune(&Retention { keep_last: 7, ..retention() }, now()).await.unwrap();
    assert_eq!(ledger.runs().await, (14..=20).collect::<Vec<_>>());
    // Even where nothing is to be kept the newest one says up to where the job is settled.
    ledger.store.prune(&Retention { keep_last: 0, ..retention() }, now()).await.unwrap();
    assert_eq!(ledger.runs().await, [20]);
}

#[tokio::test]
async fn a_ledger_that_is_too_large_loses_output_of_successes_first() {
    let ledger = Ledger::new().await;
    for number in 0..40 {
        let success = ledger.add(1, days_ago(1) + number, 3, SUCCEEDED).await;
        ledger.write(success, 50_000).await;
    }
    let failure = ledger.add(2, days_ago(1) - DAY, 3, FAILED).await;
    ledger.write(failure, 50_000).await;
    let keep = Retention { keep: None, max_size: Some(1_000_000), ..retention() };
    ledger.store.prune(&keep, now()).await.unwrap();
    assert_eq!(ledger.runs().await.len(), 41, "no entry had to go");
    let outputs = ledger.outputs().await;
    assert!(outputs.contains(&failure), "{outputs:?}");
    // And the space is really given back.
    let pages: i64 = sqlx::query_scalar("PRAGMA page_count").fetch_one(&ledger.pool).await.unwrap();
    assert!(pages * 4096 < 1_000_000, "{pages} pages");
    ledger.store.prune(&Retention { max_size: Some(0), ..keep }, now()).await.unwrap();
    assert_eq!(ledger.runs().await, [40, failure], "the newest entry of each job");
    assert!(ledger.outputs().await.is_empty());
}

//! Which index answers which question, so that ten million entries are no more work than ten.

use sqlx::SqlitePool;

use super::*;
use crate::store::Store;

async fn store() -> (tempfile::TempDir, Store, SqlitePool) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("punctual.db");
    let store = Store::prepare(&path).unwrap().open("host", "boot").await.unwrap();
    let pool = store.writer.clone();
    sqlx::query("INSERT INTO jobs (name) VALUES ('a'), ('b')").execute(&pool).await.unwrap();
    (folder, store, pool)
}

fn at(second: i64) -> Option<Timestamp> {
    Timestamp::from_second(second).ok()
}

/// How SQLite means to look at `runs`.
async fn plan(reader: &Reader, filter: &HistoryFilter) -> Vec<String> {
    let mut query = QueryBuilder::<Sqlite>::new("EXPLAIN QUERY PLAN ");
    push_question(&mut query, ENTRIES, filter, &reader.parts(filter).await.unwrap());
    query.push(" ORDER BY due DESC, run DESC LIMIT 20");
    let rows = query.build().fetch_all(&reader.pool).await.unwrap();
    let details = rows.iter().map(|row| row.get::<String, _>("detail"));
    details.filter(|detail| detail.contains(" runs ") || detail.contains("TEMP B-TREE FOR ORDER BY")).collect()
}

#[tokio::test]
async fn every_usual_question_has_its_index() {
    let (_folder, store, _) = store().await;
    let jobs = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let filter = HistoryFilter::default;
    for (filter, expect) in [
        (filter(), &["SCAN runs USING INDEX runs_due"][..]),
        (HistoryFilter { jobs: jobs(&["a"]), ..filter() }, &["SEARCH runs USING INDEX runs_instant (job=?)"]),
        (
            HistoryFilter { jobs: jobs(&["a", "b"]), ..filter() },
            &["SEARCH runs USING INDEX runs_instant (job=?)", "SEARCH runs USING INDEX runs_instant (job=?)"],
        ),
        (
            HistoryFilter { since: at(5), ..filter() },
            &[
                "SEARCH runs USING INDEX runs_due (due>?)",
                "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH runs USING INDEX runs_stretches (due_last>?)",
            ],
        ),
        (
            HistoryFilter { jobs: jobs(&["a"]), since: at(5), until: at(9), ..filter() },
            &[
                "SEARCH runs USING INDEX runs_instant (job=? AND due>? AND due<?)",
                "SEARCH runs USING INTEGER PRIMARY KEY (rowid=?)",
                "SEARCH runs USING INDEX runs_stretches (due_last>?)",
            ],
        ),
        (HistoryFilter { failed: true, ..filter() }, &["SCAN runs USING INDEX runs_unwell"]),
        (
            HistoryFilter { failed: true, jobs: jobs(&["a"]), ..filter() },
            &["SEARCH runs USING INDEX runs_unwell_of_job (job=?)"],
        ),
        (HistoryFilter { outcomes: vec![Outcome::Lost], ..filter() }, &["SCAN runs USING INDEX runs_unwell"]),
        (HistoryFilter { states: vec![State::Running], ..filter() }, &["SEARCH runs USING INDEX runs_open (state<?)"]),
        (HistoryFilter { reasons: vec![Reason::Timeout], ..filter() }, &["SCAN runs USING INDEX runs_unwell"]),
        (HistoryFilter { causes: vec![Cause::Manual], ..filter() }, &["SEARCH runs USING INDEX runs_called (cause=?)"]),
        (HistoryFilter { exit_code: Some(3), ..filter() }, &["SEARCH runs USING INDEX runs_exit_code (exit_code=?)"]),
        (
            HistoryFilter { longer_than: Some(Duration::from_secs(3600)), ..filter() },
            &["SCAN runs USING INDEX runs_long"],
        ),
    ] {
        let plan = plan(&store.reader, &filter).await;
        let lines: Vec<&str> = plan.iter().map(String::as_str).filter(|line| line.contains(" runs ")).collect();
        assert_eq!(lines, expect, "{filter:?}");
    }
}

/// Entries due at these seconds, of job 1 unless they say otherwise.
async fn add(pool: &SqlitePool, rows: &str) {
    let sql = format!("INSERT INTO runs (run, job, cause, due, due_last, count, state, outcome, reason) VALUES {rows}");
    sqlx::query(sqlx::AssertSqlSafe(sql)).execute(pool).await.unwrap();
}

async fn found(reader: &Reader, filter: &HistoryFilter, order: Order, limit: Option<u32>) -> Vec<i64> {
    let mut runs = Vec::new();
    let visit = async |entry: Entry| {
        runs.push(entry.run.0);
        Ok(ControlFlow::Continue(()))
    };
    reader.each_entry(filter, order, limit, visit).await.unwrap();
    runs
}

#[tokio::test]
async fn filters_combine() {
    let (_folder, store, pool) = store().await;
    add(
        &pool,
        "(1, 1, 1, 1000000, NULL, 1, 3, 1, NULL), (2, 2, 5, 2000000, NULL, 1, 3, 2, 1),
         (3, 1, 1, 3000000, 6000000, 4, 3, 7, 15), (4, 2, 1, 4000000, NULL, 1, 3, 4, 14),
         (5, 1, 6, 5000000, NULL, 1, 3, 4, 12), (6, 1, 1, 7000000, NULL, 1, 2, NULL, NULL)",
    )
    .await;
    let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let filter = HistoryFilter::default;
    for (filter, expect) in [
        (filter(), &[6, 5, 4, 3, 2, 1][..]),
        (HistoryFilter { jobs: names(&["b"]), ..filter() }, &[4, 2]),
        (HistoryFilter { jobs: names(&["a", "b"]), ..filter() }, &[6, 5, 4, 3, 2, 1]),
        (HistoryFilter { jobs: names(&["nobody"]), ..filter() }, &[]),
        (HistoryFilter { failed: true, ..filter() }, &[4, 2]),
        (HistoryFilter { failed: true, jobs: names(&["a"]), ..filter() }, &[]),
        // The stretch from 3 to 6 reaches into what is asked for.
        (HistoryFilter { since: at(5), ..filter() }, &[6, 5, 3]),
        (HistoryFilter { since: at(5), jobs: names(&["a"]), failed: true, ..filter() }, &[]),
        (HistoryFilter { since: at(2), until: at(4), ..filter() }, &[4, 3, 2]),
        (HistoryFilter { outcomes: vec![Outcome::Stopped], ..filter() }, &[5, 4]),
        (HistoryFilter { outcomes: vec![Outcome::Succeeded], states: vec![State::Running], ..filter() }, &[6, 1]),
        (HistoryFilter { reasons: vec![Reason::Overlap, Reason::ByHand], ..filter() }, &[5, 3]),
        (HistoryFilter { causes: vec![Cause::Manual, Cause::Dependency], ..filter() }, &[5, 2]),
        (HistoryFilter { causes: vec![Cause::Manual, Cause::Schedule], since: at(4), ..filter() }, &[6, 4, 3]),
    ] {
        assert_eq!(found(&store.reader, &filter, Order::NewestFirst, None).await, expect, "{filter:?}");
        let mut backwards = expect.to_vec();
        backwards.reverse();
        assert_eq!(found(&store.reader, &filter, Order::OldestFirst, None).await, backwards, "{filter:?}");
        let tally = store.reader.tally(&filter, None).await.unwrap().unwrap();
        assert_eq!(tally.kinds.iter().map(|(_, _, count)| count).sum::<u64>(), expect.len() as u64, "{filter:?}");
    }
    assert_eq!(found(&store.reader, &filter(), Order::NewestFirst, Some(2)).await, [6, 5]);
    let bounded = store.reader.tally(&filter(), Some((3, Duration::from_secs(60)))).await.unwrap().unwrap();
    assert!(!bounded.is_complete);
    assert_eq!(store.reader.first_and_last(&[]).await.unwrap(), at(1).zip(at(7)));
    assert_eq!(store.reader.first_and_last(&names(&["b"])).await.unwrap(), at(2).zip(at(4)));
}

#[tokio::test]
async fn a_count_that_takes_too_long_is_given_up() {
    let (_folder, store, pool) = store().await;
    let sql = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000)
               INSERT INTO runs (job, cause, due, state, outcome) SELECT 1, 1, n, 3, 1 FROM n";
    sqlx::query(sql).execute(&pool).await.unwrap();
    let tally = store.reader.tally(&HistoryFilter::default(), Some((10_000, Duration::ZERO))).await.unwrap();
    assert_eq!(tally, None);
    // And the connection is good for other questions.
    assert_eq!(found(&store.reader, &HistoryFilter::default(), Order::OldestFirst, None).await.len(), 5000);
}

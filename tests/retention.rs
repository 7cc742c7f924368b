//! What the ledger forgets, and what it must not.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
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
    folder: tempfile::TempDir,
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
        Self { folder, store, pool }
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
    let again = ledger.store.prune(&retention(), now()).await.unwrap();
    assert_eq!((again.entries, again.outputs, again.others), (0, 0, 0));
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
    let pruned = ledger.store.prune(&Retention { max_size: Some(0), ..keep }, now()).await.unwrap();
    assert_eq!(ledger.runs().await, [40, failure], "the newest entry of each job");
    assert_eq!(ledger.outputs().await, [40, failure], "what the last run of each job has written");
    assert!(pruned.too_large.is_some_and(|size| size > 100_000), "{pruned:?}");
}

/// An entry of a random history.
#[derive(Debug, Clone, Copy)]
struct Entry {
    run: i64,
    job: i64,
    cause: i64,
    due: i64,
    due_last: Option<i64>,
    count: i64,
    state: i64,
    outcome: Option<i64>,
    reason: Option<i64>,
    started: Option<i64>,
    duration: Option<i64>,
    output: i64,
    attempts: i64,
    caused_by: Option<i64>,
}

impl Entry {
    fn is_open(&self) -> bool {
        self.state < 3
    }

    fn is_failure(&self) -> bool {
        matches!((self.outcome, self.reason), (Some(2 | 3 | 5 | 6), _) | (Some(4), Some(14)))
    }

    fn until(&self) -> i64 {
        self.due_last.unwrap_or(self.due)
    }
}

/// What the rules keep, read off them one by one.
fn kept(entries: &[Entry], retention: &Retention) -> BTreeSet<i64> {
    let before = |age: Duration| (now() - SignedDuration::try_from(age).unwrap()).as_microsecond();
    let Some(young) = retention.keep.map(before) else {
        return entries.iter().map(|entry| entry.run).collect();
    };
    let young_failure = retention.keep_failures.map_or(i64::MIN, before);
    let causes: BTreeSet<i64> =
        entries.iter().filter(|entry| entry.is_open()).filter_map(|entry| entry.caused_by).collect();
    let mut kept = BTreeSet::new();
    for job in [1, 2] {
        let mut of_job: Vec<&Entry> = entries.iter().filter(|entry| entry.job == job).collect();
        of_job.sort_by_key(|entry| entry.due);
        let newest =
            |fits: &dyn Fn(&Entry) -> bool| of_job.iter().rev().find(|entry| fits(entry)).map(|entry| entry.run);
        kept.extend(newest(&|entry| entry.cause <= 3));
        kept.extend(newest(&|entry| entry.state == 3 && entry.due_last.is_none()));
        kept.extend(newest(&|entry| entry.started.is_some() && entry.due_last.is_none()));
        kept.extend(newest(&|entry| entry.outcome == SUCCEEDED));
        let last = of_job.len().saturating_sub(usize::try_from(retention.keep_last.max(1)).unwrap());
        kept.extend(of_job[last..].iter().map(|entry| entry.run));
        let stays = |entry: &&&Entry| {
            entry.is_open()
                || entry.until() >= young
                || entry.is_failure() && entry.due >= young_failure
                || causes.contains(&entry.run)
        };
        kept.extend(of_job.iter().filter(stays).map(|entry| entry.run));
        for (index, entry) in of_job.iter().enumerate() {
            if kept.contains(&entry.run) && (entry.is_failure() || entry.is_open()) {
                let success = of_job[..index].iter().rev().find(|before| before.outcome == SUCCEEDED);
                kept.extend(success.map(|success| success.run));
            }
        }
    }
    kept
}

/// By job, hour and outcome: instants, others, duration.
type Tallies = BTreeMap<(i64, i64, i64), (i64, i64, i64)>;

fn tallies(pruned: impl Iterator<Item = Entry>) -> Tallies {
    let mut tallies = Tallies::new();
    for entry in pruned {
        let hour = entry.due.div_euclid(3_600_000_000);
        let tally = tallies.entry((entry.job, hour, entry.outcome.unwrap())).or_default();
        if entry.cause <= 3 {
            tally.0 += entry.count;
        } else {
            tally.1 += 1;
        }
        tally.2 += entry.duration.unwrap_or(0);
    }
    tallies
}

/// A history of two jobs over some four hundred days, with everything in it that may happen.
fn histories() -> impl Strategy<Value = Vec<Entry>> {
    let entry = (1..=2i64, 0..400i64, 0..100u8, 0..100u8, 0..5000i64, 0..20i64);
    prop::collection::vec(entry, 1..200).prop_map(|drawn| {
        let mut entries: Vec<Entry> = Vec::new();
        for (number, (job, day, what, how, output, attempts)) in (1i64..).zip(drawn) {
            // No two at the same moment, and some within one hour.
            let due = days_ago(day) + number * 1000 - 3_600_000_000;
            let run = Entry {
                run: number,
                job,
                cause: if how < 70 { 1 + i64::from(how % 3) } else { 5 + i64::from(how % 2) },
                due,
                due_last: None,
                count: 1,
                state: 3,
                outcome: SUCCEEDED,
                reason: None,
                started: Some(due + 1),
                duration: Some(1000 + number),
                output,
                attempts,
                caused_by: entries.last().filter(|_| how > 80).map(|entry| entry.run),
            };
            entries.push(match what {
                0..50 => run,
                50..70 => Entry { outcome: Some([2, 3, 5, 6][usize::from(how % 4)]), ..run },
                70..76 => Entry { outcome: Some(4), reason: Some(if how < 50 { 12 } else { 14 }), ..run },
                76..80 => Entry { state: 2, outcome: None, duration: None, ..run },
                80..83 => Entry { state: 1, outcome: None, duration: None, started: None, ..run },
                _ => Entry {
                    cause: 1,
                    due_last: Some(due + i64::from(how) * DAY / 200),
                    count: i64::from(how) + 1,
                    outcome: Some(if how < 50 { 7 } else { 8 }),
                    reason: Some(15),
                    started: None,
                    duration: None,
                    output: 0,
                    attempts: 0,
                    ..run
                },
            });
        }
        entries
    })
}

fn rules() -> impl Strategy<Value = Retention> {
    let days = |days: u64| Duration::from_secs(days * 86_400);
    (0..200u64, 0..400u64, 0..20u32).prop_map(move |(keep, failures, keep_last)| Retention {
        keep: (keep > 5).then(|| days(keep)),
        keep_failures: (failures > 5).then(|| days(failures)),
        keep_last,
        max_size: None,
    })
}

impl Ledger {
    async fn fill(&self, entries: &[Entry]) {
        let mut transaction = self.pool.begin().await.unwrap();
        for entry in entries {
            let sql =
                "INSERT INTO runs (run, job, cause, due, due_last, count, state, outcome, reason, started, duration)
                       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
            let query = sqlx::query(sql).bind(entry.run).bind(entry.job).bind(entry.cause).bind(entry.due);
            let query = query.bind(entry.due_last).bind(entry.count).bind(entry.state).bind(entry.outcome);
            let query = query.bind(entry.reason).bind(entry.started).bind(entry.duration);
            query.execute(&mut *transaction).await.unwrap();
            if entry.output > 0 {
                let sql = "INSERT INTO output (run, attempt, \"offset\", stream, at, data) VALUES ($1, 1, 0, 1, 0, $2)";
                let data = vec![7u8; usize::try_from(entry.output).unwrap()];
                sqlx::query(sql).bind(entry.run).bind(data).execute(&mut *transaction).await.unwrap();
            }
            for attempt in 0..entry.attempts {
                let sql = "INSERT INTO attempts (run, attempt, outcome) VALUES ($1, $2, 2)";
                sqlx::query(sql).bind(entry.run).bind(attempt).execute(&mut *transaction).await.unwrap();
            }
            if let Some(cause) = entry.caused_by {
                let sql = "INSERT INTO dependencies (run, caused_by) VALUES ($1, $2)";
                sqlx::query(sql).bind(entry.run).bind(cause).execute(&mut *transaction).await.unwrap();
            }
        }
        transaction.commit().await.unwrap();
    }

    async fn tallies(&self) -> Tallies {
        let sql = "SELECT job, hour, outcome, instants, others, duration FROM tallies";
        let rows: Vec<(i64, i64, i64, i64, i64, i64)> = sqlx::query_as(sql).fetch_all(&self.pool).await.unwrap();
        rows.into_iter().map(|row| ((row.0, row.1, row.2), (row.3, row.4, row.5))).collect()
    }

    /// Rows of a table that belong to runs, by run.
    async fn belongings(&self, table: &str) -> Vec<(i64, i64)> {
        let sql = sqlx::AssertSqlSafe(format!("SELECT run, count(*) FROM {table} GROUP BY run"));
        sqlx::query_as(sql).fetch_all(&self.pool).await.unwrap()
    }
}

fn belongings(entries: impl Iterator<Item = Entry>, count: impl Fn(&Entry) -> i64) -> Vec<(i64, i64)> {
    entries.map(|entry| (entry.run, count(&entry))).filter(|(_, count)| *count > 0).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]

    #[test]
    fn what_stays_is_what_the_rules_keep(entries in histories(), retention in rules()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ledger = Ledger::new().await;
            ledger.fill(&entries).await;
            let pruned = ledger.store.prune(&retention, now()).await.unwrap();
            let kept = kept(&entries, &retention);
            assert_eq!(ledger.runs().await, kept.iter().copied().collect::<Vec<_>>());
            let (stays, goes): (Vec<Entry>, Vec<Entry>) =
                entries.iter().copied().partition(|entry| kept.contains(&entry.run));
            assert_eq!(pruned.entries, goes.len() as u64);
            assert_eq!(ledger.tallies().await, tallies(goes.into_iter()));
            // What belongs to a run goes with it, all of it and nothing else.
            let stays = || stays.iter().copied();
            assert_eq!(ledger.belongings("output").await, belongings(stays(), |entry| entry.output.min(1)));
            assert_eq!(ledger.belongings("attempts").await, belongings(stays(), |entry| entry.attempts));
            let caused = belongings(stays(), |entry| i64::from(entry.caused_by.is_some()));
            assert_eq!(ledger.belongings("dependencies").await, caused);
            ledger.store.close().await;
        });
    }

    #[test]
    fn however_small_it_must_be_what_is_needed_stays(entries in histories(), keep_last in 0..20u32) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let ledger = Ledger::new().await;
            ledger.fill(&entries).await;
            let retention = Retention { keep: None, keep_failures: None, keep_last, max_size: Some(0) };
            let pruned = ledger.store.prune(&retention, now()).await.unwrap();
            assert!(pruned.too_large.is_some());
            // As if everything were old, but that no success stays for a failure's sake.
            let rules = Retention { keep: Some(Duration::ZERO), ..retention };
            let without_successes: Vec<Entry> = entries.iter().map(|entry| {
                let stands_in = entry.outcome == SUCCEEDED && !is_newest_success(&entries, entry);
                Entry { outcome: if stands_in { Some(7) } else { entry.outcome }, ..*entry }
            }).collect();
            let kept = kept(&without_successes, &rules);
            assert_eq!(ledger.runs().await, kept.iter().copied().collect::<Vec<_>>());
            let goes = entries.iter().copied().filter(|entry| !kept.contains(&entry.run));
            assert_eq!(ledger.tallies().await, tallies(goes));
            // All that an open run has is still there.
            let open = || entries.iter().copied().filter(Entry::is_open);
            let output: BTreeSet<i64> = ledger.outputs().await.into_iter().collect();
            assert!(open().all(|entry| entry.output == 0 || output.contains(&entry.run)));
            let attempts: BTreeMap<i64, i64> = ledger.belongings("attempts").await.into_iter().collect();
            assert!(open().all(|entry| attempts.get(&entry.run).copied().unwrap_or(0) == entry.attempts));
            ledger.store.close().await;
        });
    }
}

fn is_newest_success(entries: &[Entry], entry: &Entry) -> bool {
    !entries.iter().any(|other| other.job == entry.job && other.outcome == SUCCEEDED && other.due > entry.due)
}

#[tokio::test]
async fn a_busy_job_does_not_push_out_the_year_of_a_daily_one() {
    let ledger = Ledger::new().await;
    for day in 1..=365 {
        ledger.add(1, days_ago(day), 3, SUCCEEDED).await;
    }
    let busy = "WITH RECURSIVE second(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM second WHERE n < 40000)
                INSERT INTO runs (job, cause, due, state, outcome) SELECT 2, 1, $1 + n * 1000000, 3, 1 FROM second";
    sqlx::query(busy).bind(days_ago(1)).execute(&ledger.pool).await.unwrap();
    let file = ledger.folder.path().join("punctual.db");
    let length = || std::fs::metadata(&file).unwrap().len();
    let before = length();
    let limit = 1_000_000;
    let retention = Retention { keep: None, max_size: Some(limit), ..retention() };
    let pruned = ledger.store.prune(&retention, now()).await.unwrap();
    assert_eq!(pruned.too_large, None);
    let of = |job: i64| {
        let query = sqlx::query_scalar("SELECT count(*) FROM runs WHERE job = $1").bind(job);
        async { query.fetch_one(&ledger.pool).await.unwrap() }
    };
    let (daily, busy): (i64, i64) = (of(1).await, of(2).await);
    assert_eq!(daily, 365);
    assert!((1000..39_000).contains(&busy), "{busy} are left of the busy one");
    let oldest: i64 =
        sqlx::query_scalar("SELECT min(run) FROM runs WHERE job = 2").fetch_one(&ledger.pool).await.unwrap();
    assert_eq!(oldest, 365 + 40_000 - busy + 1, "the oldest went");
    let counted: i64 = sqlx::query_scalar("SELECT sum(instants) FROM tallies").fetch_one(&ledger.pool).await.unwrap();
    assert_eq!(counted, 40_000 - busy);
    // The file itself is smaller, and so is its log.
    assert!(before > 2 * limit && length() <= limit, "{before} bytes, then {}", length());
    assert_eq!(pruned.given_back, pruned.given_back / 4096 * 4096);
    let log = std::fs::metadata(ledger.folder.path().join("punctual.db-wal")).unwrap().len();
    assert_eq!(log, 0);
}

#[tokio::test]
async fn what_nothing_refers_to_any_more_goes() {
    let ledger = Ledger::new().await;
    let execute = |sql: &'static str, at: i64| {
        let query = sqlx::query(sql).bind(at);
        async { query.execute(&ledger.pool).await.unwrap() }
    };
    let old = days_ago(500);
    ledger.add(1, days_ago(700), 3, SUCCEEDED).await;
    ledger.add(2, days_ago(1), 3, SUCCEEDED).await;
    // Of the first job an entry is as old as the first of these; of the second one nothing is.
    execute("INSERT INTO definitions (job, since, until, text, zone_data) VALUES (1, 1, $1, 'a uses v1', '')", old)
        .await;
    execute("INSERT INTO definitions (job, since, until, text, zone_data) VALUES (2, 1, $1, 'b uses v2', '')", old)
        .await;
    execute(
        "INSERT INTO definitions (job, since, until, text, zone_data) VALUES (2, $1, $1 + 1, 'c', '')",
        days_ago(300),
    )
    .await;
    execute("INSERT INTO definitions (job, since, text, zone_data) VALUES (2, $1, 'd uses v3', '')", days_ago(300))
        .await;
    execute("INSERT INTO calendars VALUES ('v1', $1), ('v2', ''), ('v3', ''), ('v4', '')", 0).await;
    execute("INSERT INTO boots (number, id) VALUES (10, 'one'), (11, 'two'), (12, $1)", 0).await;
    let events = "INSERT INTO events (at, kind, boot, detail) VALUES ($1, 1, 10, ''), ($1, 1, 1, ''), ($1, 2, 1, ''),
                  ($1 + 250 * 86400000000, 1, 11, '')";
    execute(events, old).await;
    execute("INSERT INTO hosts (number, name) VALUES (20, 'away'), (21, $1)", 5).await;
    execute("UPDATE runs SET host = 21 WHERE job = $1", 2).await;
    execute("INSERT INTO tallies (job, hour, outcome) VALUES (1, 5, 1), (1, $1 / 3600000000, 1)", days_ago(3000)).await;
    let pruned = ledger.store.prune(&retention(), now()).await.unwrap();
    let pool = &ledger.pool;
    let texts = |sql: &'static str| async move {
        let texts: Vec<String> = sqlx::query_scalar(sql).fetch_all(pool).await.unwrap();
        texts
    };
    assert_eq!(texts("SELECT text FROM definitions ORDER BY 1").await, ["a uses v1", "c", "d uses v3"]);
    assert_eq!(texts("SELECT version FROM calendars ORDER BY 1").await, ["v1", "v3"]);
    assert_eq!(texts("SELECT id FROM boots ORDER BY 1").await, ["boot", "two"]);
    assert_eq!(texts("SELECT name FROM hosts ORDER BY 1").await, ["5", "host"]);
    let starts: i64 = sqlx::query_scalar("SELECT count(*) FROM events").fetch_one(&ledger.pool).await.unwrap();
    assert_eq!(starts, 2, "the start since this boot, and the young one");
    assert_eq!(ledger.tallies().await.len(), 1);
    assert_eq!(pruned.others, 1 + 2 + 2 + 2 + 1 + 1, "{pruned:?}");
    let dangling = sqlx::query("PRAGMA foreign_key_check").fetch_all(&ledger.pool).await.unwrap();
    assert!(dangling.is_empty());
}

/// What the job's next start reads is kept: without it instants that have run would be owed again.
#[tokio::test]
async fn up_to_where_a_job_is_settled_stays_known() {
    let ledger = Ledger::new().await;
    let yearly = ledger.add(1, days_ago(200), 3, SUCCEEDED).await;
    for day in 1..150 {
        let run = ledger.add(1, days_ago(day), 3, Some(4)).await;
        sqlx::query("UPDATE runs SET cause = 5 WHERE run = $1").bind(run).execute(&ledger.pool).await.unwrap();
    }
    ledger.store.prune(&Retention { keep_last: 1, ..retention() }, now()).await.unwrap();
    assert!(ledger.runs().await.contains(&yearly));
}

/// A ledger from before there were counts is brought up to date, and what it has in it can be pruned.
#[tokio::test]
async fn an_older_ledger_gets_its_counts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("punctual.db");
    let all = sqlx::migrate!();
    let older: Vec<_> = all.iter().filter(|migration| migration.version < 7).cloned().collect();
    let older = sqlx::migrate::Migrator::with_migrations(older);
    let pool =
        SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path).create_if_missing(true)).await.unwrap();
    // `punc`, as the program itself writes it.
    sqlx::query("PRAGMA application_id = 1886744163").execute(&pool).await.unwrap();
    older.run(&pool).await.unwrap();
    sqlx::query("INSERT INTO jobs (name) VALUES ('daily'), ('other')").execute(&pool).await.unwrap();
    let rows = "INSERT INTO runs (job, cause, due, due_last, count, state, outcome, reason)
                VALUES (1, 1, $1, $1 + 7200000000, 3, 3, 8, 23), (1, 5, $2, NULL, 1, 3, 1, NULL),
                       (1, 1, $2 + 1, NULL, 1, 3, 1, NULL)";
    sqlx::query(rows).bind(days_ago(200)).bind(days_ago(150)).execute(&pool).await.unwrap();
    pool.close().await;
    let store = Store::prepare(&path).unwrap().open("host", "boot").await.unwrap();
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
    let ledger = Ledger { folder, store, pool };
    ledger.store.prune(&retention(), now()).await.unwrap();
    assert_eq!(ledger.runs().await, [3]);
    let hour = |days: i64| days_ago(days) / 3_600_000_000;
    let expect = [((1, hour(200), 8), (3, 0, 0)), ((1, hour(150), 1), (0, 1, 0))];
    assert_eq!(ledger.tallies().await, Tallies::from(expect));
}

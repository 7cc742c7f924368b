//! For how long does a decision wait for the ledger while half of it is being pruned? One is handed in every ten milliseconds,
//! as of a job that starts, for a while before the pruning and all through it.
//!
//! `cargo bench --bench prune`, or with another number of runs: `cargo bench --bench prune -- 10000000`. At most 5 ms more
//! than without is the aim.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use punctual::plan::{Decision, Record};
use punctual::run::{EventKind, EventNote};
use punctual::settings::Retention;
use punctual::store::{Answer, Store, Writer};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use tokio::sync::{mpsc, watch};

const RUNS: i64 = 1_000_000;
/// Of which half are older than they may be.
const DAYS: i64 = 180;
const EVERY: Duration = Duration::from_millis(10);
const WITHOUT: usize = 1000;

/// Four of five runs are of a busy job, the others of fifty; one of a hundred failed, one of ten has written something.
const FILL: [&str; 3] = [
    "WITH RECURSIVE job(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM job WHERE n < 50)
     INSERT INTO jobs (number, name) SELECT n, 'job-' || n FROM job",
    "WITH RECURSIVE run(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM run WHERE n < $1)
     INSERT INTO runs (run, job, cause, due, state, outcome, reason, started, ended, duration, exit_code, attempts, cpu,
                       max_rss, host)
     SELECT n, CASE WHEN n % 5 > 0 THEN 1 ELSE 1 + n / 5 % 50 END, 1, due, 3, 1 + (n % 100 = 17),
            CASE WHEN n % 100 = 17 THEN 1 END, due + 1000, due + 500000, 499000, n % 100 = 17, 1, 2000, 4096000, 1
     FROM (SELECT n, $2 - ($1 - n) * ($3 * 86400000000 / $1) AS due FROM run)",
    "INSERT INTO output (run, attempt, \"offset\", stream, at, data)
     SELECT run, 1, 0, 1, due, zeroblob(2000) FROM runs WHERE run % 10 = 1",
];

fn main() {
    let runs = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(RUNS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(runs));
}

async fn measure(runs: i64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("punctual.db");
    let store = Store::prepare(&path).unwrap().open("bench", "boot").await.unwrap();
    let now = Timestamp::now();
    fill(&path, runs, now).await;
    let before = mebibytes(&path);
    let (writer, writer_end, mut answers, _recorded) = Writer::new(&store, 64);
    let writing = tokio::spawn(writer_end.run());
    let mut without = Vec::new();
    while without.len() < WITHOUT {
        without.push(decide(&writer, &mut answers).await);
    }
    let (done, is_done) = watch::channel(false);
    let deciding = tokio::spawn(async move {
        let mut beside = Vec::new();
        while !*is_done.borrow() {
            beside.push(decide(&writer, &mut answers).await);
        }
        beside
    });
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    let retention = Retention { keep: days(90), keep_failures: days(365), keep_last: 20, max_size: None };
    let begin = Instant::now();
    let pruned = store.prune(&retention, now).await.unwrap();
    let took = begin.elapsed();
    done.send(true).unwrap();
    let beside = deciding.await.unwrap();
    writing.await.unwrap();
    store.close().await;
    println!("{} of {runs} entries pruned in {took:.1?}: {before} MiB, then {} MiB", pruned.entries, mebibytes(&path));
    let (alone, beside) = (Waits::of(without), Waits::of(beside));
    println!("a decision waits for its commit: {alone} without, {beside} beside");
    println!("the longest wait has become {:.1?} longer", beside.longest.saturating_sub(alone.longest));
}

/// Not through the store, as nobody waits for it to be on the disk.
async fn fill(path: &Path, runs: i64, now: Timestamp) {
    let options = SqliteConnectOptions::new().filename(path).synchronous(SqliteSynchronous::Off).foreign_keys(false);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    for sql in FILL {
        let mut query = sqlx::query(sql);
        if sql.contains("$1") {
            query = query.bind(runs).bind(now.as_microsecond()).bind(DAYS);
        }
        query.execute(&pool).await.unwrap();
    }
    sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&pool).await.unwrap();
    pool.close().await;
}

/// How long it takes until a decision is in the ledger; then there is a pause.
async fn decide(writer: &Writer, answers: &mut mpsc::Receiver<Answer>) -> Duration {
    let at = Timestamp::now();
    let note = EventNote { at, kind: EventKind::Reload, job: None, detail: "as of a job that starts".to_owned() };
    let begin = Instant::now();
    writer.commit(Arc::new(Decision { records: vec![Record::Event(note)], actions: Vec::new() })).await;
    answers.recv().await.unwrap();
    let took = begin.elapsed();
    tokio::time::sleep(EVERY).await;
    took
}

fn mebibytes(path: &Path) -> u64 {
    std::fs::metadata(path).unwrap().len() / 1024 / 1024
}

struct Waits {
    half: Duration,
    most: Duration,
    longest: Duration,
}

impl Waits {
    fn of(mut waits: Vec<Duration>) -> Self {
        waits.sort_unstable();
        let at = |hundredth: usize| waits[(waits.len() - 1) * hundredth / 100];
        Self { half: at(50), most: at(99), longest: at(100) }
    }
}

impl std::fmt::Display for Waits {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { half, most, longest } = self;
        write!(f, "{half:.1?} (p50), {most:.1?} (p99), {longest:.1?} (max)")
    }
}

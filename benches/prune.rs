//! For how long does a decision wait for the ledger while something else is done to it? One is handed in every ten
//! milliseconds, as of a job that starts: first with nothing beside, then beside a busy daemon, whose log is moved into the
//! database again and again, while the index of output is filled, while a backup is made, and while half of it is pruned.
//!
//! After each decision a page is written to a file of its own in the same folder and brought to the disk: what that takes is
//! the disk's, not the ledger's.
//!
//! `cargo bench --bench prune`, or with another number of runs: `cargo bench --bench prune -- 10000000`. At most 5 ms more
//! than with nothing beside is the aim.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use punctual::plan::{Decision, Record};
use punctual::run::{EventKind, EventNote};
use punctual::settings::Retention;
use punctual::store::{Answer, Store, Writer, back_up};
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use tokio::sync::mpsc;

const RUNS: i64 = 1_000_000;
/// Of which half are older than they may be.
const DAYS: i64 = 180;
const EVERY: Duration = Duration::from_millis(10);
/// Decisions where what is beside them has no end of its own.
const ENOUGH: usize = 1000;
/// What a busy daemon records, and how often: 2,000 changes a second, of which each is a row with some text.
const LOAD: usize = 40;
const LOAD_EVERY: Duration = Duration::from_millis(20);

/// Four of five runs are of a busy job, the others of fifty; one of a hundred failed, one of ten has written something.
const FILL: [&str; 3] = [
    "WITH RECURSIVE job(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM job WHERE n < 50)
     INSERT INTO jobs (number, name) SELECT n, 'job-' || n FROM job",
    "WITH RECURSIVE run(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM run WHERE n < $1)
     INSERT INTO runs (run, job, cause, due, state, outcome, reason, started, ended, duration, exit_code, attempts, cpu,
                       max_rss, output_bytes, host)
     SELECT n, CASE WHEN n % 5 > 0 THEN 1 ELSE 1 + n / 5 % 50 END, 1, due, 3, 1 + (n % 100 = 17),
            CASE WHEN n % 100 = 17 THEN 1 END, due + 1000, due + 500000, 499000, n % 100 = 17, 1, 2000, 4096000,
            CASE WHEN n % 10 = 1 THEN 2000 ELSE 0 END, 1
     FROM (SELECT n, $2 - ($1 - n) * ($3 * 86400000000 / $1) AS due FROM run)",
    "INSERT INTO output (run, attempt, \"offset\", stream, at, data)
     SELECT run, 1, 0, 1, due, CAST(hex(randomblob(1000)) AS BLOB) FROM runs WHERE run % 10 = 1",
];

fn main() {
    let runs = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(RUNS);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(measure(runs));
}

async fn measure(runs: i64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("punctual.db");
    let store = Arc::new(Store::prepare(&path).unwrap().open("bench", "boot").await.unwrap());
    let now = Timestamp::now();
    fill(&path, runs, now).await;
    let before = mebibytes(&path);
    let (writer, writer_end, answers, _recorded) = Writer::new(&store, 64);
    let writing = tokio::spawn(writer_end.run());
    let disk = File::create(folder.path().join("page")).unwrap();
    let mut probe = Probe { writer, answers, disk };
    println!("{:<24} {:^39}   {:^39}", "", "a decision's commit", "a page to the disk");
    let ((), alone) = probe.beside(tokio::time::sleep(EVERY * u32::try_from(ENOUGH).unwrap())).await;
    report("nothing beside", &alone, &alone);
    let ((), waits) = probe.beside(load(probe.writer.clone())).await;
    report("a busy daemon", &waits, &alone);
    let indexing = store.clone();
    let (indexed, waits) = probe.beside(async move { indexing.index().await }).await;
    report("the index is filled", &waits, &alone);
    let (ledger, backup) = (path.clone(), folder.path().join("backup.db"));
    let (backed_up, waits) = probe.beside(async move { back_up(&ledger, &backup, false).await }).await;
    report("a backup is made", &waits, &alone);
    let days = |days: u64| Some(Duration::from_secs(days * 86_400));
    let retention = Retention { keep: days(90), keep_failures: days(365), keep_last: 20, max_size: None };
    let (begin, pruning) = (Instant::now(), store.clone());
    let (pruned, waits) = probe.beside(async move { pruning.prune(&retention, now).await }).await;
    report("half of it is pruned", &waits, &alone);
    let (texts, size, entries) = (indexed.unwrap().texts, backed_up.unwrap(), pruned.unwrap().entries);
    let took = begin.elapsed();
    drop(probe);
    writing.await.unwrap();
    store.close().await;
    println!("{texts} texts came into the index, {} MiB were copied", size / 1024 / 1024);
    println!("{entries} of {runs} entries were pruned in {took:.1?}: {before} MiB, then {} MiB", mebibytes(&path));
}

/// Records as much as a busy daemon does, for as long as there is nothing else to measure.
async fn load(writer: Writer) {
    let rounds = EVERY.as_millis() * ENOUGH as u128 / LOAD_EVERY.as_millis();
    for _ in 0..rounds {
        for _ in 0..LOAD {
            writer.commit(decision("of a busy daemon, with as much text as a row of a run takes")).await;
        }
        tokio::time::sleep(LOAD_EVERY).await;
    }
}

fn report(beside: &str, [commits, pages]: &[Waits; 2], [alone, _]: &[Waits; 2]) {
    let [most, longest] = [commits.most.saturating_sub(alone.most), commits.longest.saturating_sub(alone.longest)];
    println!("{beside:<24} {commits}   {pages}   p99 {most:.1?} longer, max {longest:.1?}");
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

/// What asks again and again how long a decision takes.
struct Probe {
    writer: Writer,
    answers: mpsc::Receiver<Answer>,
    disk: File,
}

const PROBE: &str = "as of a job that starts";

impl Probe {
    /// What came of some work, and how long decisions waited while it was done, and pages written to the same disk.
    async fn beside<T: Send + 'static>(&mut self, work: impl Future<Output = T> + Send + 'static) -> (T, [Waits; 2]) {
        let (mut decisions, mut pages) = (Vec::new(), Vec::new());
        let work = tokio::spawn(work);
        while !work.is_finished() {
            decisions.push(self.decide().await);
            pages.push(tokio::task::block_in_place(|| self.write_a_page()));
            tokio::time::sleep(EVERY).await;
        }
        (work.await.unwrap(), [Waits::of(decisions), Waits::of(pages)])
    }

    /// Until a decision is in the ledger; what else was recorded meanwhile is of no interest.
    async fn decide(&mut self) -> Duration {
        let begin = Instant::now();
        self.writer.commit(decision(PROBE)).await;
        loop {
            let answer = self.answers.recv().await.unwrap();
            if matches!(&answer.decision.records[..], [Record::Event(note)] if note.detail == PROBE) {
                return begin.elapsed();
            }
        }
    }

    fn write_a_page(&self) -> Duration {
        let begin = Instant::now();
        self.disk.write_all_at(&[7; 4096], 0).unwrap();
        self.disk.sync_data().unwrap();
        begin.elapsed()
    }
}

fn decision(detail: &str) -> Arc<Decision> {
    let at = Timestamp::now();
    let note = EventNote { at, kind: EventKind::Reload, job: None, detail: detail.to_owned() };
    Arc::new(Decision { records: vec![Record::Event(note)], actions: Vec::new() })
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
        write!(f, "p50 {half:>7.1?} p99 {most:>7.1?} max {longest:>7.1?}")
    }
}

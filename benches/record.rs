//! How many runs are recorded in a second? Each is three decisions, as the daemon makes them: it is opened, it has started, it
//! is over; with output, a piece of 200 bytes comes before the end. They go through the real writer, which commits in groups
//! down to the disk, while as many runs are open as the daemon lets go at once.
//!
//! Beside it, a plain loop over SQLite's own interface, without any task, thread or decision: the same changes of the same
//! tables, row by row with prepared statements, as many in one transaction as the writer puts into one at the most.
//!
//! `cargo bench --bench record`. More than 30,000 a second is the aim.

#![allow(unsafe_code, clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::ffi::{CStr, CString};
use std::path::Path;
use std::ptr::null_mut;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use libsqlite3_sys as ffi;
use punctual::job::JobName;
use punctual::plan::{Closing, Decision, OpenEntry, Record};
use punctual::run::{AttemptId, Cause, Ended, Exit, Outcome, OutputPiece, ProcessId, RunId, State, Stream};
use punctual::store::{Answer, HistoryFilter, Store, Writer};
use tokio::sync::mpsc;

const RUNS: i64 = 200_000;
const JOBS: i64 = 50;
/// Runs that are open at the same time.
const PLACES: usize = 1000;
const ROUNDS: usize = 5;
const AIM: f64 = 30_000.0;
/// Changes in a transaction of the plain loop: the writer's largest group.
const GROUP: i64 = 512;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    for (output, words) in [(0, "without output"), (200, "with 200 bytes of output each")] {
        let (mut ours, mut plain) = (Vec::new(), Vec::new());
        // By turns, so that what else the machine does falls on both.
        for _ in 0..ROUNDS {
            ours.push(rate(runtime.block_on(through_the_writer(output))));
            plain.push(rate(in_a_plain_loop(output)));
        }
        let (ours, plain) = (median(ours), median(plain));
        let verdict = if ours >= AIM { "met" } else { "missed" };
        println!("{RUNS} runs {words}, medians of {ROUNDS} rounds:");
        println!("  {ours:>7.0} a second through the writer (aim {AIM:.0}: {verdict})");
        println!("  {plain:>7.0} a second in a plain loop; the writer has {:.2} times that", ours / plain);
    }
}

#[allow(clippy::cast_precision_loss)]
fn rate(took: Duration) -> f64 {
    RUNS as f64 / took.as_secs_f64()
}

fn median(mut rates: Vec<f64>) -> f64 {
    rates.sort_by(f64::total_cmp);
    rates[rates.len() / 2]
}

fn job(number: i64) -> JobName {
    JobName::new(&format!("job-{}", number % JOBS)).unwrap()
}

fn at(microsecond: i64) -> Timestamp {
    Timestamp::from_microsecond(1_800_000_000_000_000 + microsecond).unwrap()
}

async fn ledger(folder: &Path) -> Store {
    let store = Store::prepare(&folder.join("punctual.db")).unwrap().open("bench", "boot").await.unwrap();
    let jobs = (0..JOBS).map(|number| Record::Job(job(number))).collect();
    store.write_at_once(&[Decision { records: jobs, actions: Vec::new() }], &[]).await.unwrap();
    store
}

async fn through_the_writer(output: usize) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let store = ledger(folder.path()).await;
    let (writer, end, answers, mut recorded) = Writer::new(&store, PLACES);
    let writing = tokio::spawn(end.run());
    let acknowledged = tokio::spawn(async move { while recorded.recv().await.is_some() {} });
    let begin = Instant::now();
    record_all(writer, answers, output).await;
    let took = begin.elapsed();
    writing.await.unwrap();
    acknowledged.await.unwrap();
    let tally = store.reader.tally(&HistoryFilter::default(), None).await.unwrap().unwrap();
    assert_eq!(tally.kinds, [(State::Ended, Some(Outcome::Succeeded), RUNS.unsigned_abs())]);
    store.close().await;
    took
}

/// Hands in what follows from each answer, until all runs are over.
async fn record_all(writer: Writer, mut answers: mpsc::Receiver<Answer>, output: usize) {
    let commit = async |record| writer.commit(Arc::new(Decision { records: vec![record], actions: Vec::new() })).await;
    let (mut next, mut over) = (1, 0);
    while next <= RUNS.min(i64::try_from(PLACES).unwrap()) {
        commit(opened(next)).await;
        next += 1;
    }
    while over < RUNS {
        let answer = answers.recv().await.unwrap();
        assert!(answer.refused.is_empty());
        match &answer.decision.records[0] {
            Record::Opened(entry) => commit(started(entry.run)).await,
            Record::Started { run, .. } => {
                if output > 0 {
                    writer.pieces.send(piece(*run, output)).await.unwrap();
                }
                commit(closed(*run, output)).await;
            }
            _ => {
                over += 1;
                if next <= RUNS {
                    commit(opened(next)).await;
                    next += 1;
                }
            }
        }
    }
}

fn opened(run: i64) -> Record {
    Record::Opened(entry(run))
}

fn entry(run: i64) -> OpenEntry {
    OpenEntry {
        run: RunId(run),
        job: job(run),
        cause: Cause::Schedule,
        due: at(run),
        jitter: SignedDuration::ZERO,
        state: State::Running,
        detail: None,
        caused_by: Vec::new(),
        asked: None,
    }
}

fn started(run: RunId) -> Record {
    let process = Some(ProcessId { pid: 4711, start_ticks: 123_456 });
    Record::Started { run, attempt: 1, at: at(run.0 + 900), process }
}

fn closed(run: RunId, output: usize) -> Record {
    let ended = Ended {
        duration: Duration::from_millis(2),
        cpu: Some(Duration::from_millis(1)),
        max_rss: Some(4_096_000),
        output_bytes: output as u64,
        ..Ended::unmeasured(Exit::Code(0), at(run.0 + 2900))
    };
    let (outcome, entry) = (Outcome::Succeeded, Box::new(entry(run.0)));
    let started = Some(at(run.0 + 900));
    Record::Closed(Closing { run, outcome, reason: None, detail: None, ended: Some(ended), entry, started })
}

fn piece(run: RunId, output: usize) -> OutputPiece {
    let id = AttemptId::whole(run, 1);
    OutputPiece { id, offset: 0, stream: Stream::Stdout, at: at(run.0 + 1000), data: vec![b'x'; output], expired: None }
}

const OPEN: &CStr = c"INSERT INTO runs (run, job, cause, due, state, host)
    VALUES (?1, (SELECT number FROM jobs WHERE name = ?2), 1, ?3, 2, 1)";
const START: &CStr =
    c"UPDATE runs SET started = ?2, pid = 4711, start_ticks = 123456, boot = 1, attempts = 1 WHERE run = ?1";
const WRITE: &CStr = c"INSERT INTO output (run, attempt, \"offset\", stream, at, data) VALUES (?1, 1, 0, 1, ?2, ?3)";
const CLOSE: &CStr = c"UPDATE runs SET state = 3, outcome = 1, ended = ?2, duration = 2000, exit_code = 0, cpu = 1000,
    max_rss = 4096000, output_bytes = ?3, pid = NULL, start_ticks = NULL, boot = NULL WHERE run = ?1";

fn in_a_plain_loop(output: usize) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { ledger(folder.path()).await.close().await });
    let database = Database::open(&folder.path().join("punctual.db"));
    let [open, start, write, close] = [OPEN, START, WRITE, CLOSE].map(|sql| database.prepare(sql));
    let data = vec![b'x'; output];
    let bytes = i64::try_from(output).unwrap();
    let begin = Instant::now();
    let runs_of_group = GROUP / 3;
    let mut first = 1;
    while first <= RUNS {
        let runs = first..=RUNS.min(first + runs_of_group - 1);
        first += runs_of_group;
        database.execute(c"BEGIN IMMEDIATE");
        for run in runs {
            let name = CString::new(job(run).as_str()).unwrap();
            Database::step(open, &[Bound::Number(run), Bound::Text(&name), Bound::Number(at(run).as_microsecond())]);
            let (began, ended) = (at(run + 900).as_microsecond(), at(run + 2900).as_microsecond());
            Database::step(start, &[Bound::Number(run), Bound::Number(began)]);
            if output > 0 {
                Database::step(write, &[Bound::Number(run), Bound::Number(began), Bound::Bytes(&data)]);
            }
            Database::step(close, &[Bound::Number(run), Bound::Number(ended), Bound::Number(bytes)]);
        }
        database.execute(c"COMMIT");
    }
    let took = begin.elapsed();
    for statement in [open, start, write, close] {
        // SAFETY: it was prepared, and is not used any more.
        unsafe { ffi::sqlite3_finalize(statement) };
    }
    took
}

enum Bound<'b> {
    Number(i64),
    Text(&'b CStr),
    Bytes(&'b [u8]),
}

/// A connection as bare as can be.
struct Database(*mut ffi::sqlite3);

impl Database {
    fn open(path: &Path) -> Self {
        let path = CString::new(path.to_str().unwrap()).unwrap();
        let mut handle = null_mut();
        // SAFETY: the path ends with a zero, and the handle is written by the call.
        let code = unsafe { ffi::sqlite3_open(path.as_ptr(), &raw mut handle) };
        assert_eq!(code, ffi::SQLITE_OK);
        let database = Self(handle);
        database.execute(c"PRAGMA journal_mode = WAL");
        database.execute(c"PRAGMA synchronous = FULL");
        database.execute(c"PRAGMA foreign_keys = ON");
        database
    }

    fn execute(&self, sql: &CStr) {
        // SAFETY: the connection is open, and the text ends with a zero.
        let code = unsafe { ffi::sqlite3_exec(self.0, sql.as_ptr(), None, null_mut(), null_mut()) };
        assert_eq!(code, ffi::SQLITE_OK, "{sql:?}");
    }

    fn prepare(&self, sql: &CStr) -> *mut ffi::sqlite3_stmt {
        let mut statement = null_mut();
        // SAFETY: the connection is open, the text ends with a zero, and the statement is written by the call.
        let code = unsafe { ffi::sqlite3_prepare_v2(self.0, sql.as_ptr(), -1, &raw mut statement, null_mut()) };
        assert_eq!(code, ffi::SQLITE_OK, "{sql:?}");
        statement
    }

    fn step(statement: *mut ffi::sqlite3_stmt, bound: &[Bound<'_>]) {
        for (place, bound) in (1..).zip(bound) {
            // SAFETY: the statement is alive, and what is bound outlives the step.
            let code = unsafe {
                match bound {
                    Bound::Number(number) => ffi::sqlite3_bind_int64(statement, place, *number),
                    Bound::Text(text) => {
                        ffi::sqlite3_bind_text(statement, place, text.as_ptr(), -1, ffi::SQLITE_STATIC())
                    }
                    Bound::Bytes(bytes) => {
                        let length = i32::try_from(bytes.len()).unwrap();
                        ffi::sqlite3_bind_blob(statement, place, bytes.as_ptr().cast(), length, ffi::SQLITE_STATIC())
                    }
                }
            };
            assert_eq!(code, ffi::SQLITE_OK);
        }
        // SAFETY: as above; it is reset for its next use.
        let code = unsafe {
            let code = ffi::sqlite3_step(statement);
            ffi::sqlite3_reset(statement);
            code
        };
        assert_eq!(code, ffi::SQLITE_DONE);
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // SAFETY: its statements are finalized, and it is not used any more.
        unsafe { ffi::sqlite3_close(self.0) };
    }
}

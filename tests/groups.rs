//! What the writer makes of decisions and output that it is handed at once: one group, written by few statements, says the same
//! as each by itself.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use punctual::job::JobName;
use punctual::plan::{Attempted, Decision, OpenEntry, Record};
use punctual::run::{AttemptId, Cause, Ended, Exit, Outcome, OutputPiece, Reason, RunId, State, Stream};
use punctual::store::{Store, Writer};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

const RUN: RunId = RunId(1);

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + seconds).unwrap()
}

fn name() -> JobName {
    JobName::new("backup").unwrap()
}

fn opened() -> [Record; 2] {
    let entry = OpenEntry {
        run: RUN,
        job: name(),
        cause: Cause::Schedule,
        due: at(0),
        jitter: SignedDuration::ZERO,
        state: State::Running,
        detail: None,
        caused_by: Vec::new(),
        asked: None,
    };
    [Record::Job(name()), Record::Opened(entry)]
}

fn started(attempt: u32) -> Record {
    Record::Started { run: RUN, attempt, at: at(i64::from(attempt)), process: None }
}

/// An attempt has failed, and the next one is to come.
fn failed(attempt: u32) -> [Record; 2] {
    let ended = Ended::unmeasured(Exit::Code(1), at(i64::from(attempt)));
    let attempted = Attempted {
        run: RUN,
        attempt,
        started: Some(at(i64::from(attempt))),
        outcome: Outcome::Failed,
        reason: Some(Reason::ExitCode),
        detail: None,
        ended,
    };
    let detail = format!("attempt {} is to come", attempt + 1);
    [Record::Attempted(attempted), Record::Retried { run: RUN, at: at(i64::from(attempt) + 1), detail }]
}

fn begun() -> Record {
    Record::Begun { run: RUN, waited: None }
}

fn piece(offset: u64, data: &str, expired: Option<(u64, u64)>) -> OutputPiece {
    let (id, data) = (AttemptId::whole(RUN, 1), data.as_bytes().to_vec());
    OutputPiece { id, offset, stream: Stream::Stdout, at: at(1), data, expired }
}

/// Writes decisions and pieces that all wait before the writer begins, and opens what it has made of them.
async fn written(folder: &tempfile::TempDir, decisions: Vec<Vec<Record>>, pieces: Vec<OutputPiece>) -> SqlitePool {
    let path = folder.path().join("punctual.db");
    let store = Store::prepare(&path).unwrap().open("host", "boot").await.unwrap();
    let (writer, end, mut answers, _recorded) = Writer::new(&store, 1);
    for records in decisions {
        writer.commit(Arc::new(Decision { records, actions: Vec::new() })).await;
    }
    for piece in pieces {
        writer.pieces.send(piece).await.unwrap();
    }
    drop(writer);
    end.run().await;
    while let Ok(answer) = answers.try_recv() {
        assert!(answer.refused.is_empty());
    }
    store.close().await;
    SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap()
}

#[tokio::test]
async fn a_run_that_begins_again_at_once_is_running() {
    let folder = tempfile::tempdir().unwrap();
    let decisions = vec![
        opened().to_vec(),
        vec![started(1)],
        failed(1).to_vec(),
        vec![begun()],
        vec![started(2)],
        failed(2).to_vec(),
        vec![begun()],
        vec![started(3)],
    ];
    let ledger = written(&folder, decisions, Vec::new()).await;
    let found: (i64, i64, Option<i64>, Option<String>, i64) =
        sqlx::query_as("SELECT state, attempts, retry_at, detail, (SELECT count(*) FROM attempts) FROM runs")
            .fetch_one(&ledger)
            .await
            .unwrap();
    assert_eq!(found, (State::Running.number(), 3, None, None, 2));
}

#[tokio::test]
async fn a_run_whose_pause_was_none_is_running() {
    let folder = tempfile::tempdir().unwrap();
    let again = failed(1).into_iter().chain([begun()]).collect();
    let ledger = written(&folder, vec![opened().to_vec(), vec![started(1)], again], Vec::new()).await;
    let found: (i64, Option<i64>) =
        sqlx::query_as("SELECT state, retry_at FROM runs").fetch_one(&ledger).await.unwrap();
    assert_eq!(found, (State::Running.number(), None));
}

#[tokio::test]
async fn a_run_that_was_put_off_waits() {
    let folder = tempfile::tempdir().unwrap();
    let decisions = vec![opened().to_vec(), vec![started(1)], failed(1).to_vec()];
    let ledger = written(&folder, decisions, Vec::new()).await;
    let found: (i64, i64, Option<i64>) =
        sqlx::query_as("SELECT state, attempts, retry_at FROM runs").fetch_one(&ledger).await.unwrap();
    assert_eq!(found, (State::Waiting.number(), 1, Some(at(2).as_microsecond())));
}

#[tokio::test]
async fn output_of_one_group_is_what_the_pieces_say_one_after_the_other() {
    let folder = tempfile::tempdir().unwrap();
    let stranger = OutputPiece { id: AttemptId::whole(RunId(9), 1), ..piece(0, "of nobody", None) };
    let pieces = vec![
        piece(0, "head", None),
        stranger,
        piece(4, "old", None),
        piece(7, "newer", None),
        // The same twice, as after a commit that failed.
        piece(7, "newer", None),
        piece(12, "", None),
        // One has left the ring; another was cut to its end and comes again, within what has gone.
        piece(12, "last\0\n", Some((4, 7))),
        piece(9, "wer", Some((7, 12))),
        piece(18, "", Some((100, 200))),
    ];
    let ledger = written(&folder, vec![opened().to_vec()], pieces).await;
    let found: Vec<(i64, Vec<u8>)> =
        sqlx::query_as("SELECT \"offset\", data FROM output ORDER BY \"offset\"").fetch_all(&ledger).await.unwrap();
    let expect = [(0, "head"), (9, "wer"), (12, "last\0\n")];
    assert_eq!(found, expect.map(|(offset, text)| (offset, text.as_bytes().to_vec())));
}

#[tokio::test]
async fn what_was_written_before_leaves_the_ring_as_well() {
    let folder = tempfile::tempdir().unwrap();
    drop(written(&folder, vec![opened().to_vec()], vec![piece(0, "head", None), piece(4, "old", None)]).await);
    let ledger = written(&folder, Vec::new(), vec![piece(7, "new", Some((4, 7)))]).await;
    let found: Vec<i64> =
        sqlx::query_scalar("SELECT \"offset\" FROM output ORDER BY \"offset\"").fetch_all(&ledger).await.unwrap();
    assert_eq!(found, [0, 7]);
}

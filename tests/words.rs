//! The words of the ledger are the same in the program and in its migrations.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use punctual::notice::Kind;
use punctual::run::{Cause, EventKind, Outcome, Reason, State, Stream};
use punctual::store::Store;
use sqlx::sqlite::SqliteConnectOptions;

#[tokio::test]
async fn words_and_numbers_agree() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("punctual.db");
    let store = Store::prepare(&path).unwrap().open("host", "boot").await.unwrap();
    store.close().await;
    let pool = sqlx::SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
    let words = |pairs: Vec<(i64, &str)>| pairs.into_iter().map(|(n, w)| (n, w.to_owned())).collect::<Vec<_>>();
    macro_rules! check {
        ($table:literal, $words:ident) => {
            let rows: Vec<(i64, String)> =
                sqlx::query_as(concat!("SELECT number, word FROM ", $table, " ORDER BY number"))
                    .fetch_all(&pool)
                    .await
                    .unwrap();
            assert_eq!(rows, words($words::ALL.iter().map(|word| (word.number(), word.word())).collect()), $table);
        };
    }
    check!("causes", Cause);
    check!("states", State);
    check!("outcomes", Outcome);
    check!("reasons", Reason);
    check!("streams", Stream);
    check!("event_kinds", EventKind);
    check!("notice_kinds", Kind);
}

/// A ledger as it was before the word for its own trouble came, with what had happened until then.
#[tokio::test]
async fn an_older_ledger_learns_the_newer_words() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("punctual.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let pool = sqlx::SqlitePool::connect_with(options.clone()).await.unwrap();
    let migrations = concat!(env!("CARGO_MANIFEST_DIR"), "/migrations");
    let migrations = sqlx::migrate::Migrator::new(std::path::Path::new(migrations)).await.unwrap();
    migrations.run_to(5, &pool).await.unwrap();
    // `punc`, as of all ledgers.
    sqlx::raw_sql("PRAGMA application_id = 1886744163; INSERT INTO events (at, kind, detail) VALUES (1, 5, 'refused')")
        .execute(&pool)
        .await
        .unwrap();
    pool.close().await;
    Store::prepare(&path).unwrap().open("host", "boot").await.unwrap().close().await;
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let words = "SELECT word FROM event_kinds WHERE number = 11 UNION ALL SELECT detail FROM events";
    let words: Vec<String> = sqlx::query_scalar(words).fetch_all(&pool).await.unwrap();
    assert_eq!(words, ["trouble", "refused"]);
}

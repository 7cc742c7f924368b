//! The words of the ledger are the same in the program and in its migrations.

#![allow(clippy::unwrap_used, clippy::expect_used)]

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
}

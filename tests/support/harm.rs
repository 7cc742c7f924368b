//! What may happen to a ledger: another program locks it, and pages of it are spoilt.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]
#![allow(clippy::unnecessary_wraps, reason = "all faults have one form")]

use std::fs;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::support::Place;

pub fn log_of(place: &Place, suffix: &str) -> PathBuf {
    PathBuf::from(format!("{}{suffix}", place.database().display()))
}

/// The ledger in the hands of another program.
pub fn other_program(path: &Path, statements: &[&'static str]) -> (tokio::runtime::Runtime, SqliteConnection) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let connection = runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection = options.busy_timeout(Duration::from_secs(20)).connect().await.unwrap();
        for statement in statements {
            sqlx::raw_sql(*statement).execute(&mut connection).await.unwrap();
        }
        connection
    });
    (runtime, connection)
}

/// Until the answer is called nobody else writes to the ledger.
pub fn lock(place: &Place) -> Option<Box<dyn FnOnce()>> {
    let (runtime, connection) = other_program(&place.database(), &["BEGIN IMMEDIATE"]);
    Some(Box::new(move || runtime.block_on(connection.close()).unwrap()))
}

/// Spoils the pages with which these tables and indexes begin.
pub fn damage(place: &Place, what: &str) -> Option<Box<dyn FnOnce()>> {
    let (runtime, mut connection) = other_program(&place.database(), &[]);
    let roots = sqlx::AssertSqlSafe(format!("SELECT rootpage FROM sqlite_master WHERE name IN ({what})"));
    runtime.block_on(async {
        let roots: Vec<u32> = sqlx::query_scalar(roots).fetch_all(&mut connection).await.unwrap();
        // All must be in the file, and nothing in the log: a page that is there is taken from there, and is as good as new.
        loop {
            sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE); BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
            if fs::metadata(log_of(place, "-wal")).unwrap().len() == 0 {
                break;
            }
            sqlx::raw_sql("ROLLBACK").execute(&mut connection).await.unwrap();
        }
        let file = fs::File::options().write(true).open(place.database()).unwrap();
        for root in roots {
            file.write_all_at(&[b'X'; 4096], u64::from(root - 1) * 4096).unwrap();
        }
        // What the daemon remembers of it is out of date.
        sqlx::raw_sql("UPDATE hosts SET name = name; COMMIT").execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
    });
    Some(Box::new(|| {}))
}

//! How does SQLite do what it is asked? On a thread of the connection's own, which looks every now and then whether it
//! is to give up.

use std::path::Path;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{
    AssertSqlSafe, ConnectOptions, Connection, Decode, Either, Error, Row, SqliteConnection, TypeInfo, ValueRef,
    raw_sql,
};
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::table::{hexadecimal, null, shown};
use crate::job::{Class, SqliteAccess, SqliteFile, Statement};

/// Steps of SQLite's machine between two looks: some tens of microseconds.
const STEPS: i32 = 1000;

/// A way to a file.
pub struct Way {
    options: SqliteConnectOptions,
    writes: bool,
}

/// A connection to a file.
pub struct Session {
    connection: SqliteConnection,
    writes: bool,
}

impl Way {
    /// `busy` is how long it waits for somebody else's lock.
    pub fn new(file: &SqliteFile, access: SqliteAccess, busy: Duration) -> Self {
        let options = SqliteConnectOptions::new()
            .read_only(access == SqliteAccess::Read)
            .create_if_missing(access == SqliteAccess::Create)
            .busy_timeout(busy)
            .disable_statement_logging();
        let options = match file {
            SqliteFile::Memory => options.in_memory(true),
            SqliteFile::Path(path) => options.filename(path),
        };
        Self { options, writes: access != SqliteAccess::Read }
    }

    pub async fn connect(&self, cancelled: &CancellationToken) -> Result<Session, Error> {
        let mut connection = self.options.connect().await?;
        let cancelled = cancelled.clone();
        connection.lock_handle().await?.set_progress_handler(STEPS, move || !cancelled.is_cancelled());
        Ok(Session { connection, writes: self.writes })
    }
}

/// Why a file cannot be opened, in better words than SQLite's; `None` where it might.
pub fn obstacle(file: &SqliteFile, access: SqliteAccess) -> Option<String> {
    let SqliteFile::Path(path) = file else {
        return None;
    };
    let shown = path.display();
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Some(format!("{shown} is a folder, not a SQLite file")),
        Ok(_) => None,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => match access {
            SqliteAccess::Create => {
                let folder = path.parent().unwrap_or(Path::new("/"));
                (!folder.is_dir()).then(|| format!("there is no folder {}", folder.display()))
            }
            SqliteAccess::Read | SqliteAccess::Write => {
                Some(format!("there is no SQLite file {shown}; add ?mode=rwc to have it made"))
            }
        },
        Err(error) => Some(format!("cannot open {shown}: {error}")),
    }
}

impl Session {
    pub async fn ask(&mut self, statement: &Statement) -> Result<Answer, Error> {
        let mut answer = Answer::default();
        let mut coming = raw_sql(AssertSqlSafe(statement.text.as_str())).fetch_many(&mut self.connection);
        while let Some(one) = coming.try_next().await? {
            match one {
                // After any other statement SQLite still has the number of the last change.
                Either::Left(done) if statement.class == Class::Change => answer.affected += done.rows_affected(),
                Either::Left(_) => {}
                Either::Right(row) => answer.table.push(&row, value),
            }
        }
        Ok(answer)
    }

    /// Takes the lock for writing at once: who has read before may be refused it later.
    pub async fn begin(&mut self) -> Result<(), Error> {
        self.tell(if self.writes { "BEGIN IMMEDIATE" } else { "BEGIN" }).await
    }

    /// Carries out what has no result to show.
    pub async fn tell(&mut self, statement: &'static str) -> Result<(), Error> {
        raw_sql(statement).execute(&mut self.connection).await.map(drop)
    }

    /// Whether a transaction was begun and not ended: then none can be begun.
    pub async fn is_in_transaction(&mut self) -> Result<bool, Error> {
        if self.tell("BEGIN").await.is_err() {
            return Ok(true);
        }
        self.tell("ROLLBACK").await.map(|()| false)
    }

    pub async fn close(self) -> Result<(), Error> {
        self.connection.close().await
    }
}

fn value(row: &SqliteRow, column: usize) -> String {
    let Ok(value) = row.try_get_raw(column) else {
        return String::new();
    };
    if value.is_null() {
        return null();
    }
    let is_blob = value.type_info().name() == "BLOB";
    // SQLite makes a text of numbers itself.
    match <&[u8] as Decode<sqlx::Sqlite>>::decode(value) {
        Ok(bytes) if is_blob => hexadecimal(bytes),
        Ok(bytes) => shown(&String::from_utf8_lossy(bytes)),
        Err(error) => shown(&error.to_string()),
    }
}

//! How does PostgreSQL do what it is asked? By its simple protocol, in which every value comes as a text.

use std::convert::Infallible;
use std::str::FromStr;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Either, Error, PgConnection, Row, ValueRef, raw_sql};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::table::{null, shown};
use crate::job::Statement;
use crate::secret::Secret;

/// How often a server is asked again to cancel: the first time may have come before the statement did.
const ASK_AGAIN: Duration = Duration::from_millis(500);
/// A backend that did not heed so many times is told to end.
const ASK_TIMES: u32 = 4;

/// What makes a server, since 14, notice within two seconds that the daemon is gone, and end what it was asked; an older
/// one has no such setting.
const NOTICE_OUR_END: &str =
    "SELECT set_config(name, '2000', false) FROM pg_settings WHERE name = 'client_connection_check_interval'";

/// A way to a server. It holds the password, and is not to be shown.
#[derive(Clone)]
pub struct Way {
    options: PgConnectOptions,
}

/// A session with a server.
pub struct Session {
    connection: PgConnection,
    /// By which the server knows the session.
    backend: i32,
    way: Way,
}

impl Way {
    pub fn new(url: &str, password: Option<&Secret>, name: &str) -> Result<Self, Error> {
        // Poolers of connections refuse sessions with settings that they do not know, such as the digits of numbers.
        let mut options = PgConnectOptions::from_str(url)?.disable_statement_logging().extra_float_digits(None);
        if let Some(password) = password {
            options = options.password(password.expose());
        }
        if !url.contains("application_name=") {
            options = options.application_name(name);
        }
        Ok(Self { options })
    }

    pub async fn connect(&self) -> Result<Session, Error> {
        let mut connection = self.options.connect().await?;
        let row = raw_sql("SELECT pg_backend_pid()::text").fetch_one(&mut connection).await?;
        let backend = row.try_get_unchecked::<String, _>(0)?.parse().map_err(|error| Error::Decode(Box::new(error)))?;
        match raw_sql(NOTICE_OUR_END).execute(&mut connection).await {
            // Not every system on which servers run can notice that.
            Ok(_) | Err(Error::Database(_)) => Ok(Session { connection, backend, way: self.clone() }),
            Err(error) => Err(error),
        }
    }
}

impl Session {
    /// Carries a statement out; when it is `cancelled`, the server is made to give it up.
    pub async fn ask(&mut self, statement: &Statement, cancelled: &CancellationToken) -> Result<Answer, Error> {
        let Self { connection, backend, way } = self;
        let asked = answer(connection, &statement.text);
        tokio::pin!(asked);
        tokio::select! {
            answer = &mut asked => return answer,
            () = cancelled.cancelled() => {}
        }
        let mut second = None;
        let answer = tokio::select! {
            answer = &mut asked => answer,
            never = cancel(way, *backend, &mut second) => match never {},
        };
        if let Some(second) = second {
            let _ = Connection::close(second).await;
        }
        answer
    }

    /// Carries out what has no result to show.
    pub async fn tell(&mut self, statement: &'static str) -> Result<(), Error> {
        raw_sql(statement).execute(&mut self.connection).await.map(drop)
    }

    /// Whether a transaction was begun and not ended: in one, its time is not that of the statement.
    pub async fn is_in_transaction(&mut self) -> Result<bool, Error> {
        let row = raw_sql("SELECT (now() <> statement_timestamp())::text").fetch_one(&mut self.connection).await?;
        Ok(row.try_get_unchecked::<String, _>(0)? == "true")
    }

    pub async fn close(self) -> Result<(), Error> {
        self.connection.close().await
    }
}

async fn answer(connection: &mut PgConnection, statement: &str) -> Result<Answer, Error> {
    let mut answer = Answer::default();
    let mut coming = raw_sql(AssertSqlSafe(statement)).fetch_many(connection);
    while let Some(one) = coming.try_next().await? {
        match one {
            Either::Left(done) => answer.affected += done.rows_affected(),
            Either::Right(row) => answer.table.push(&row, value),
        }
    }
    Ok(answer)
}

fn value(row: &PgRow, column: usize) -> String {
    match row.try_get_raw(column) {
        Ok(value) if value.is_null() => null(),
        Ok(value) => value.as_bytes().map(|bytes| shown(&String::from_utf8_lossy(bytes))).unwrap_or_default(),
        Err(error) => shown(&error.to_string()),
    }
}

/// Makes a backend give up what it does, over a connection of its own; ends only by being dropped.
async fn cancel(way: &Way, backend: i32, second: &mut Option<PgConnection>) -> Infallible {
    for time in 0.. {
        if second.is_none() {
            *second = way.options.connect().await.ok();
        }
        if let Some(connection) = second {
            let how = if time < ASK_TIMES { "pg_cancel_backend" } else { "pg_terminate_backend" };
            let ask = format!("SELECT {how}({backend})");
            if raw_sql(AssertSqlSafe(ask)).execute(&mut *connection).await.is_err() {
                *second = None;
            }
        }
        sleep(ASK_AGAIN).await;
    }
    std::future::pending().await
}

//! Whom do we talk to? A server or a file, by the same few words.

use std::time::Duration;

use sqlx::Error;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::answer::Answer;
use super::fault::Fault;
use super::{postgres, sqlite};
use crate::job::{Database, Sql, SqliteFile, Statement, Surroundings};
use crate::run::Reason;
use crate::secret::Secret;

/// For how long a locked file is waited for, as long as there is time for it.
const BUSY: Duration = Duration::from_secs(5);
/// A server that does not answer within that is not there.
const CONNECT_WITHIN: Duration = Duration::from_secs(30);

/// How a database is reached.
pub struct Way {
    kind: Kind,
    /// What it is called in sentences.
    name: String,
    busy: Duration,
}

enum Kind {
    Postgres(Box<postgres::Way>),
    Sqlite(Box<sqlite::Way>),
}

/// A connection on which one statement is carried out at a time.
pub struct Session {
    kind: Connected,
    busy: Duration,
}

enum Connected {
    Postgres(Box<postgres::Session>),
    Sqlite(sqlite::Session),
}

impl Way {
    /// `name` is how the server's other users see us.
    pub fn new(sql: &Sql, password: Option<&Secret>, around: &Surroundings, name: &str) -> Result<Self, Fault> {
        // Within SQLite's own wait it does not look whether it is to give up.
        let busy = around.timeout.map_or(BUSY, |timeout| timeout.min(BUSY)).min(around.kill_after);
        match &sql.database {
            Database::Postgres(url) => {
                let way = postgres::Way::new(url, password, name).map_err(|error| Fault::of(&error, busy))?;
                Ok(Self { kind: Kind::Postgres(Box::new(way)), name: url.clone(), busy })
            }
            Database::Sqlite { file, access } => {
                if let Some(obstacle) = sqlite::obstacle(file, *access) {
                    return Err(Fault::plain(obstacle));
                }
                let name = match file {
                    SqliteFile::Path(path) => path.display().to_string(),
                    SqliteFile::Memory => "a database in memory".to_owned(),
                };
                let way = sqlite::Way::new(file, *access, busy);
                Ok(Self { kind: Kind::Sqlite(Box::new(way)), name, busy })
            }
        }
    }

    pub async fn connect(&self, cancelled: &CancellationToken) -> Result<Session, Fault> {
        let connecting = async {
            match &self.kind {
                Kind::Postgres(way) => way.connect().await.map(|session| Connected::Postgres(Box::new(session))),
                Kind::Sqlite(way) => way.connect(cancelled).await.map(Connected::Sqlite),
            }
        };
        let connected = tokio::select! {
            connected = timeout(CONNECT_WITHIN, connecting) => connected,
            () = cancelled.cancelled() => return Err(Fault::plain("given up while connecting")),
        };
        let fault = match connected {
            Ok(Ok(kind)) => return Ok(Session { kind, busy: self.busy }),
            Ok(Err(error)) => Fault::of(&error, self.busy),
            Err(_) => Fault::plain(format!("no answer within {} s", CONNECT_WITHIN.as_secs())),
        };
        Err(Fault { message: format!("cannot connect to {}: {}", self.name, fault.message), ..fault })
    }
}

impl Session {
    /// Carries a statement out.
    pub async fn ask(&mut self, statement: &Statement, cancelled: &CancellationToken) -> Result<Answer, Fault> {
        let answer = match &mut self.kind {
            Connected::Postgres(session) => session.ask(statement, cancelled).await,
            Connected::Sqlite(session) => session.ask(statement).await,
        };
        self.judged(answer)
    }

    pub async fn begin(&mut self) -> Result<(), Fault> {
        let begun = match &mut self.kind {
            Connected::Postgres(session) => session.tell("BEGIN").await,
            Connected::Sqlite(session) => session.begin().await,
        };
        self.judged(begun)
    }

    pub async fn commit(&mut self) -> Result<(), Fault> {
        self.tell("COMMIT").await
    }

    pub async fn roll_back(&mut self) -> Result<(), Fault> {
        self.tell("ROLLBACK").await
    }

    async fn tell(&mut self, statement: &'static str) -> Result<(), Fault> {
        let told = match &mut self.kind {
            Connected::Postgres(session) => session.tell(statement).await,
            Connected::Sqlite(session) => session.tell(statement).await,
        };
        self.judged(told)
    }

    pub async fn is_in_transaction(&mut self) -> Result<bool, Fault> {
        let answer = match &mut self.kind {
            Connected::Postgres(session) => session.is_in_transaction().await,
            Connected::Sqlite(session) => session.is_in_transaction().await,
        };
        self.judged(answer)
    }

    /// Says good-bye; a server that is gone does not hear it.
    pub async fn close(self) {
        let _ = match self.kind {
            Connected::Postgres(session) => session.close().await,
            Connected::Sqlite(session) => session.close().await,
        };
    }

    fn judged<T>(&self, answer: Result<T, Error>) -> Result<T, Fault> {
        answer.map_err(|error| Fault { reason: Reason::Expectation, ..Fault::of(&error, self.busy) })
    }
}

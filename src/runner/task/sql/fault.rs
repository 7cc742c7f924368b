//! What did a database say when something went wrong?

use std::borrow::Cow;
use std::time::Duration;

use sqlx::Error;
use sqlx::postgres::{PgDatabaseError, PgErrorPosition};

use crate::run::Reason;

/// SQLite's primary result codes for somebody else's lock: of the file, and of a table in it.
const LOCKED: [i32; 2] = [5, 6];
const SQLITE_PERMISSIONS: [i32; 2] = [3, 23];

/// What went wrong, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub message: String,
    /// What else the server said: detail, hint and context.
    pub more: Vec<String>,
    /// At which character of the statement, from 1.
    pub position: Option<usize>,
    pub reason: Reason,
}

impl Fault {
    /// `busy` is how long a locked file was waited for.
    pub fn of(error: &Error, busy: Duration) -> Self {
        let message: Cow<str> = match error {
            Error::Database(error) => {
                if let Some(error) = error.try_downcast_ref::<PgDatabaseError>() {
                    return Self::of_postgres(error);
                }
                return Self::of_sqlite(error.message(), error.code().as_deref(), busy);
            }
            // The protocol of sqlx has no part for files that a client brings or takes.
            Error::Protocol(message) if message.contains("Copy") => {
                "COPY FROM STDIN and TO STDOUT are not to be had here: write a command with psql".into()
            }
            // sqlx names the character, which is nobody's business.
            Error::Configuration(error) if error.to_string().contains("saslprep") => {
                "the password holds a character that PostgreSQL does not take, such as an end of line".into()
            }
            Error::Protocol(message) => format!("the server was not understood: {message}").into(),
            Error::Io(error) => error.to_string().into(),
            Error::Tls(error) => format!("TLS: {error}").into(),
            Error::Configuration(error) => error.to_string().into(),
            other => other.to_string().into(),
        };
        Self::plain(message)
    }

    /// What is no answer of a server.
    pub fn plain(message: impl Into<String>) -> Self {
        Self { message: message.into(), more: Vec::new(), position: None, reason: Reason::Spawn }
    }

    fn of_postgres(error: &PgDatabaseError) -> Self {
        let more = [("detail", error.detail()), ("hint", error.hint()), ("where", error.r#where())];
        let position = match error.position() {
            Some(PgErrorPosition::Original(position)) => Some(position),
            Some(PgErrorPosition::Internal { .. }) | None => None,
        };
        // Class 28 is what is wrong with who asks, 42501 what it may not do.
        let denied = error.code().starts_with("28") || error.code() == "42501";
        Self {
            message: format!("{} [SQLSTATE {}]", error.message(), error.code()),
            more: more.iter().filter_map(|(name, text)| text.map(|text| format!("{name}: {text}"))).collect(),
            position,
            reason: if denied { Reason::NoPermission } else { Reason::Spawn },
        }
    }

    fn of_sqlite(message: &str, code: Option<&str>, busy: Duration) -> Self {
        let code = code.and_then(|code| code.parse::<i32>().ok());
        let primary = code.map(|code| code & 0xff);
        if primary.is_some_and(|code| LOCKED.contains(&code)) {
            let waited = busy.as_secs_f32();
            return Self::plain(format!("the database is locked by another, and was so for {waited:.1} s"));
        }
        let denied = primary.is_some_and(|code| SQLITE_PERMISSIONS.contains(&code));
        let code = code.map_or(String::new(), |code| format!(" [SQLite {code}]"));
        let fault = Self::plain(format!("{message}{code}"));
        Self { reason: if denied { Reason::NoPermission } else { fault.reason }, ..fault }
    }

    /// All of it on one line.
    pub fn in_a_line(&self) -> String {
        let parts: Vec<String> = std::iter::once(&self.message).chain(&self.more).map(|part| one_line(part)).collect();
        parts.join("; ")
    }
}

/// A text of several lines on one, with nothing in it that could steer a terminal.
pub fn one_line(text: &str) -> String {
    let plain = |c: char| if c.is_control() { ' ' } else { c };
    text.chars().map(plain).collect::<String>().split_whitespace().collect::<Vec<_>>().join(" ")
}

//! What do people ask in SQL of their own? One question, on a connection that cannot write, for a limited time.

use std::ops::ControlFlow;
use std::time::Duration;

use futures_util::TryStreamExt;
use sqlx::sqlite::{SqliteConnection, SqliteRow, SqliteValueRef};
use sqlx::{AssertSqlSafe, Column, Decode, Executor, Row, SqlSafeStr, Sqlite, Statement, TypeInfo, ValueRef};

use super::open::{Reader, primary_code};
use super::patience;
use crate::job::{Dialect, split};

/// What a question begins with. Everything else changes something, here or in another file.
const QUESTIONS: [&str; 4] = ["select", "with", "values", "explain"];
/// SQLITE_READONLY
const READ_ONLY: i32 = 8;

/// A value as SQLite has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Field {
    Null,
    Integer(i64),
    Real(f64),
    /// Text, or bytes; SQLite does not look whether text is UTF-8.
    Bytes(Vec<u8>),
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum SelectError {
    #[error("there is no question in it; write for example SELECT job, count(*) FROM history GROUP BY job")]
    Empty,
    #[error("{0}")]
    Unfinished(String),
    #[error("one question at a time: a second statement begins on line {0}")]
    Several(usize),
    #[error("`{0}` asks for nothing: the ledger is only read here, by SELECT, WITH, VALUES and EXPLAIN")]
    NoQuestion(String),
    #[error("it would change the ledger, which is only read here")]
    Change,
    #[error("it took longer than {0:?} and was given up; ask for less, or allow more with --sql-timeout")]
    TooLong(Duration),
    #[error("SQLite cannot answer it: {0}")]
    Sql(String),
    #[error(transparent)]
    Ledger(#[from] sqlx::Error),
}

impl Reader {
    /// Answers one question row by row until no more is wanted; `begin` is told the names of the columns, and makes what
    /// the rows go to.
    pub async fn select<T>(
        &self,
        sql: &str,
        within: Duration,
        begin: impl FnOnce(Vec<String>) -> T,
        mut visit: impl FnMut(&mut T, Vec<Field>) -> ControlFlow<()>,
    ) -> Result<T, SelectError> {
        let sql = only_question(sql)?;
        let mut connection = self.pool.acquire().await?;
        patience::limit(&mut connection, within).await?;
        let answered = answer(&mut connection, sql, begin, &mut visit).await;
        patience::unlimit(&mut connection).await?;
        answered.map_err(|error| match primary_code(&error) {
            Some(READ_ONLY) => SelectError::Change,
            _ if patience::is_over(&error) => SelectError::TooLong(within),
            _ => match error.as_database_error() {
                Some(error) => SelectError::Sql(error.message().to_owned()),
                None => SelectError::Ledger(error),
            },
        })
    }
}

async fn answer<T>(
    connection: &mut SqliteConnection,
    sql: String,
    begin: impl FnOnce(Vec<String>) -> T,
    visit: &mut impl FnMut(&mut T, Vec<Field>) -> ControlFlow<()>,
) -> Result<T, sqlx::Error> {
    let statement = (&mut *connection).prepare(AssertSqlSafe(sql).into_sql_str()).await?;
    let mut whole = begin(statement.columns().iter().map(|column| column.name().to_owned()).collect());
    let mut rows = statement.query().fetch(connection);
    while let Some(row) = rows.try_next().await? {
        if visit(&mut whole, fields(&row)?).is_break() {
            break;
        }
    }
    Ok(whole)
}

/// The text of the only statement, if it is a question.
fn only_question(sql: &str) -> Result<String, SelectError> {
    let statements = split(sql, Dialect::Sqlite).map_err(|error| SelectError::Unfinished(error.to_string()))?;
    let mut statements = statements.into_iter();
    let statement = statements.next().ok_or(SelectError::Empty)?;
    if let Some(second) = statements.next() {
        return Err(SelectError::Several(second.line));
    }
    let word: String = statement.text.trim_start_matches('(').chars().take_while(|c| c.is_alphanumeric()).collect();
    if QUESTIONS.iter().any(|question| word.eq_ignore_ascii_case(question)) {
        Ok(statement.text)
    } else {
        Err(SelectError::NoQuestion(word))
    }
}

fn fields(row: &SqliteRow) -> Result<Vec<Field>, sqlx::Error> {
    (0..row.len()).map(|at| field(row.try_get_raw(at)?)).collect()
}

fn field(value: SqliteValueRef<'_>) -> Result<Field, sqlx::Error> {
    // Of a column that has a type, a NULL has it as well.
    if value.is_null() {
        return Ok(Field::Null);
    }
    let field = match value.type_info().name() {
        "INTEGER" => <i64 as Decode<Sqlite>>::decode(value).map(Field::Integer),
        "REAL" => <f64 as Decode<Sqlite>>::decode(value).map(Field::Real),
        _ => <Vec<u8> as Decode<Sqlite>>::decode(value).map(Field::Bytes),
    };
    field.map_err(sqlx::Error::Decode)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_one_question_is_answered() {
        for sql in ["SELECT 1", "  -- why\n with a as (select 1) select * from a ;", "values (1)", "EXPLAIN SELECT 1;"]
        {
            assert!(only_question(sql).is_ok(), "{sql}");
        }
        for (sql, expect) in [
            ("", "there is no question"),
            ("-- nothing", "there is no question"),
            ("SELECT 1; DELETE FROM runs", "a second statement begins on line 1"),
            ("delete from runs", "`delete` asks for nothing"),
            ("ATTACH 'x' AS y", "`ATTACH` asks for nothing"),
            ("PRAGMA query_only", "`PRAGMA` asks for nothing"),
            ("VACUUM INTO 'x'", "`VACUUM` asks for nothing"),
            ("SELECT 'x", "has no end"),
        ] {
            let error = only_question(sql).unwrap_err().to_string();
            assert!(error.contains(expect), "{sql}: {error}");
        }
    }
}

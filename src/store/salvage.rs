//! What can still be read of a damaged ledger? Table by table, and around whatever cannot be read.

use std::path::Path;

use sqlx::{AssertSqlSafe, SqliteConnection};

/// Statements that may fail before the rest of a table is given up: a damaged page costs some forty, and some hundred for
/// the rows at its edges.
const MOST_FAILURES: usize = 20_000;
/// Keys are looked for up to here: numbers of rows, counted from 1.
const HIGHEST_KEY: i64 = 1 << 40;

/// The tables with rows of their own, words and versions excepted: those come with the new ledger.
const TABLES: &str = "
SELECT name, wr FROM pragma_table_list
WHERE schema = 'another' AND type = 'table' AND name NOT LIKE 'sqlite_%' AND name NOT LIKE '_sqlx_%'";

/// What the rows of a table are found by, where that is a number.
const KEY: &str = "
SELECT name FROM pragma_table_info($1, 'another') WHERE pk = 1 AND type = 'INTEGER'";

const COLUMNS: &str = "
SELECT group_concat('\"' || name || '\"', ', ') FROM pragma_table_info($1, 'another')
WHERE name IN (SELECT name FROM pragma_table_info($1, 'main'))";

/// What belongs to something that could not be read. A job that has lost its name gets another, so that its runs have one.
const ORPHANS: [&str; 6] = [
    "INSERT OR IGNORE INTO another.jobs SELECT DISTINCT job, 'lost-' || job FROM another.runs
     WHERE job NOT IN (SELECT number FROM another.jobs)",
    "UPDATE another.runs SET host = NULL WHERE host NOT IN (SELECT number FROM another.hosts)",
    "UPDATE another.runs SET boot = NULL WHERE boot NOT IN (SELECT number FROM another.boots)",
    "DELETE FROM another.output WHERE run NOT IN (SELECT run FROM another.runs)",
    "DELETE FROM another.attempts WHERE run NOT IN (SELECT run FROM another.runs)",
    "DELETE FROM another.dependencies WHERE run NOT IN (SELECT run FROM another.runs)",
];

/// How much was saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Saved {
    pub rows: u64,
    /// Statements that met what cannot be read.
    pub failures: usize,
}

/// Copies all rows that can be read over a connection to the damaged ledger into an empty one of the same version.
pub async fn salvage(damaged: &mut SqliteConnection, into: &Path) -> Result<Saved, sqlx::Error> {
    let path = into.to_string_lossy().into_owned();
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut *damaged).await?;
    sqlx::query("ATTACH $1 AS another").bind(path).execute(&mut *damaged).await?;
    let tables: Vec<(String, bool)> = sqlx::query_as(TABLES).fetch_all(&mut *damaged).await?;
    let mut saved = Saved::default();
    for (table, without_rowid) in tables {
        let key: Option<String> = match without_rowid {
            false => Some("rowid".to_owned()),
            true => sqlx::query_scalar(KEY).bind(&table).fetch_optional(&mut *damaged).await?,
        };
        let columns: Option<String> = sqlx::query_scalar(COLUMNS).bind(&table).fetch_one(&mut *damaged).await?;
        if let Some(columns) = columns {
            copy(damaged, &table, key.as_deref(), &columns, &mut saved).await;
        }
    }
    for statement in ORPHANS {
        sqlx::query(statement).execute(&mut *damaged).await?;
    }
    sqlx::query("DETACH another").execute(damaged).await?;
    Ok(saved)
}

/// Copies a table in one go, or else in halves of halves, down to the rows that cannot be read.
async fn copy(damaged: &mut SqliteConnection, table: &str, key: Option<&str>, columns: &str, saved: &mut Saved) {
    let all = format!("INSERT OR IGNORE INTO another.\"{table}\" ({columns}) SELECT {columns} FROM main.\"{table}\"");
    let mut left = MOST_FAILURES;
    match sqlx::query(AssertSqlSafe(all.clone())).execute(&mut *damaged).await {
        Ok(copied) => {
            saved.rows += copied.rows_affected();
            return;
        }
        Err(_) => saved.failures += 1,
    }
    let Some(key) = key else {
        return;
    };
    let some = format!("{all} NOT INDEXED WHERE \"{key}\" BETWEEN $1 AND $2");
    let mut ranges = vec![(1, HIGHEST_KEY)];
    while let Some((low, high)) = ranges.pop() {
        let statement = sqlx::query(AssertSqlSafe(some.clone())).bind(low).bind(high);
        match statement.execute(&mut *damaged).await {
            Ok(copied) => saved.rows += copied.rows_affected(),
            Err(_) if left == 0 => return,
            Err(_) => {
                (left, saved.failures) = (left - 1, saved.failures + 1);
                if low < high {
                    let middle = low + (high - low) / 2;
                    ranges.extend([(middle + 1, high), (low, middle)]);
                }
            }
        }
    }
}

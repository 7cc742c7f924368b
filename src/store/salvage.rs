//! What can still be read of a damaged ledger? Table by table, and around whatever cannot be read.

use std::path::Path;

use sqlx::{AssertSqlSafe, SqliteConnection};

use super::open::primary_code;

/// Statements that may fail before the rest of a table is given up: a damaged page costs some forty, and some hundred for
/// the rows at its edges.
const MOST_FAILURES: usize = 5_000;
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
const ORPHANS: [&str; 17] = [
    "INSERT OR IGNORE INTO another.jobs SELECT DISTINCT job, 'lost-' || job FROM another.runs
     WHERE job NOT IN (SELECT number FROM another.jobs)",
    "UPDATE another.runs SET host = NULL WHERE host NOT IN (SELECT number FROM another.hosts)",
    "UPDATE another.runs SET boot = NULL WHERE boot NOT IN (SELECT number FROM another.boots)",
    "DELETE FROM another.output WHERE run NOT IN (SELECT run FROM another.runs)",
    "DELETE FROM another.attempts WHERE run NOT IN (SELECT run FROM another.runs)",
    "DELETE FROM another.dependencies WHERE run NOT IN (SELECT run FROM another.runs)",
    "DELETE FROM another.asked WHERE run NOT IN (SELECT run FROM another.runs)",
    "DELETE FROM another.stops WHERE run NOT IN (SELECT run FROM another.runs)",
    "DELETE FROM another.pauses WHERE job NOT IN (SELECT number FROM another.jobs)",
    "DELETE FROM another.pause_exceptions WHERE job NOT IN (SELECT number FROM another.jobs)",
    "DELETE FROM another.skips WHERE job NOT IN (SELECT number FROM another.jobs)",
    "UPDATE another.notices SET job = NULL WHERE job NOT IN (SELECT number FROM another.jobs)",
    "UPDATE another.notices SET run = NULL WHERE run NOT IN (SELECT run FROM another.runs)",
    "DELETE FROM another.deliveries WHERE notice NOT IN (SELECT number FROM another.notices)",
    // What became of them is not known: old ones were sent, and newer ones are better sent twice than never.
    "DELETE FROM another.deliveries WHERE message NOT IN (SELECT number FROM another.messages)
     AND notice IN (SELECT number FROM another.notices WHERE at < (unixepoch() - 3 * 24 * 3600) * 1000000)",
    "UPDATE another.deliveries SET message = NULL WHERE message NOT IN (SELECT number FROM another.messages)",
    "DELETE FROM another.told WHERE job NOT IN (SELECT number FROM another.jobs)",
];

/// How much was saved.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Saved {
    pub rows: u64,
    /// Statements that met what cannot be read.
    pub failures: usize,
}

impl Saved {
    /// What has become of the rows, and where to look for others.
    pub fn explain(&self) -> String {
        let rows = self.rows;
        let lost = if self.failures > 0 { "what else it had cannot be read and is lost here; " } else { "" };
        format!("{rows} rows of it are in the new one; {lost}look into it with sqlite3 and its .recover")
    }
}

/// Copies all rows that can be read over a connection to the damaged ledger into an empty one of the same version.
pub async fn salvage(damaged: &mut SqliteConnection, into: &Path) -> Result<Saved, sqlx::Error> {
    let path = into.to_string_lossy().into_owned();
    sqlx::query("PRAGMA foreign_keys = OFF").execute(&mut *damaged).await?;
    sqlx::query("ATTACH $1 AS another").bind(path).execute(&mut *damaged).await?;
    let saved = copy_all(damaged).await;
    // Also where that has failed: what is in its log would not go where it goes.
    sqlx::query("DETACH another").execute(damaged).await?;
    saved
}

async fn copy_all(damaged: &mut SqliteConnection) -> Result<Saved, sqlx::Error> {
    let tables: Vec<(String, bool)> = sqlx::query_as(TABLES).fetch_all(&mut *damaged).await?;
    let mut saved = Saved::default();
    for (table, without_rowid) in tables {
        let key: Option<String> = if without_rowid {
            sqlx::query_scalar(KEY).bind(&table).fetch_optional(&mut *damaged).await?
        } else {
            Some("rowid".to_owned())
        };
        let columns: Option<String> = sqlx::query_scalar(COLUMNS).bind(&table).fetch_one(&mut *damaged).await?;
        if let Some(columns) = columns {
            copy(damaged, &table, key.as_deref(), &columns, &mut saved).await?;
        }
    }
    for statement in ORPHANS {
        sqlx::query(statement).execute(&mut *damaged).await?;
    }
    Ok(saved)
}

/// Whether an error says that something cannot be read; whatever else keeps rows from being copied may pass.
pub fn is_unreadable(error: &sqlx::Error) -> bool {
    // What a file system says of a sector by SQLITE_IOERR_READ, _SHORT_READ, _DATA, or _CORRUPTFS.
    const BAD_SECTOR: [&str; 4] = ["266", "522", "8202", "8458"];
    let code = error.as_database_error().and_then(sqlx::error::DatabaseError::code);
    matches!(primary_code(error), Some(11 | 26)) || code.is_some_and(|code| BAD_SECTOR.contains(&&*code))
}

/// Copies a table in one go, or else in halves of halves, down to the rows that cannot be read.
async fn copy(
    damaged: &mut SqliteConnection,
    table: &str,
    key: Option<&str>,
    columns: &str,
    saved: &mut Saved,
) -> Result<(), sqlx::Error> {
    let all = format!("INSERT OR IGNORE INTO another.\"{table}\" ({columns}) SELECT {columns} FROM main.\"{table}\"");
    let mut left = MOST_FAILURES;
    match sqlx::query(AssertSqlSafe(all.clone())).execute(&mut *damaged).await {
        Ok(copied) => {
            saved.rows += copied.rows_affected();
            return Ok(());
        }
        Err(error) if is_unreadable(&error) => saved.failures += 1,
        Err(error) => return Err(error),
    }
    let Some(key) = key else {
        return Ok(());
    };
    let some = format!("{all} NOT INDEXED WHERE \"{key}\" BETWEEN $1 AND $2");
    let mut ranges = vec![(1, HIGHEST_KEY)];
    while let Some((low, high)) = ranges.pop() {
        let statement = sqlx::query(AssertSqlSafe(some.clone())).bind(low).bind(high);
        match statement.execute(&mut *damaged).await {
            Ok(copied) => saved.rows += copied.rows_affected(),
            Err(error) if !is_unreadable(&error) => return Err(error),
            Err(_) if left == 0 => return Ok(()),
            Err(_) => {
                (left, saved.failures) = (left - 1, saved.failures + 1);
                if low < high {
                    let middle = low + (high - low) / 2;
                    ranges.extend([(middle + 1, high), (low, middle)]);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::FileExt;

    use sqlx::Connection;

    use super::*;
    use crate::store::open::connect_and_adopt;

    const RUNS: &str = "
INSERT INTO jobs (number, name) VALUES (1, 'a'), (2, 'b');
INSERT INTO boots (number, id) VALUES (7, 'boot');
WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n WHERE n < 5000)
INSERT INTO runs (run, job, cause, due, state, boot) SELECT n, 1 + n % 2, 1, n, 3, 7 FROM n;
INSERT INTO attempts (run, attempt, outcome) SELECT run, 1, 1 FROM runs WHERE run % 10 = 0;
INSERT INTO output SELECT run, 1, 0, 0, 0, 1, 0, zeroblob(300) FROM runs WHERE run % 10 = 0;";

    #[tokio::test]
    async fn a_damaged_page_takes_its_own_rows_and_no_others() {
        let folder = tempfile::tempdir().unwrap();
        let (path, into) = (folder.path().join("x.db"), folder.path().join("y.db"));
        let mut connection = connect_and_adopt(&path).await.unwrap();
        sqlx::raw_sql(RUNS).execute(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        connect_and_adopt(&into).await.unwrap().close().await.unwrap();
        // The page of the table of runs in the middle of the file: it is a leaf, and begins with 13.
        let file = std::fs::File::options().read(true).write(true).open(&path).unwrap();
        let pages = file.metadata().unwrap().len() / 4096;
        let is_leaf = |page: &u64| {
            let mut kind = [0];
            file.read_exact_at(&mut kind, page * 4096).unwrap();
            kind[0] == 13
        };
        let leaf = (pages / 4..pages).find(is_leaf).unwrap();
        file.write_all_at(&[b'X'; 4096], leaf * 4096).unwrap();
        let mut damaged = connect_and_adopt(&path).await.unwrap();
        let saved = salvage(&mut damaged, &into).await.unwrap();
        assert!(saved.failures > 0 && saved.rows > 5800 && saved.rows < 6004, "{saved:?}");
        let mut anew = connect_and_adopt(&into).await.unwrap();
        let check = sqlx::query_scalar::<_, String>("PRAGMA integrity_check").fetch_one(&mut anew).await.unwrap();
        let foreign = sqlx::query("PRAGMA foreign_key_check").fetch_all(&mut anew).await.unwrap();
        assert_eq!((check.as_str(), foreign.len()), ("ok", 0));
    }

    #[tokio::test]
    async fn what_cannot_be_written_is_not_taken_for_what_cannot_be_read() {
        let folder = tempfile::tempdir().unwrap();
        let (path, into) = (folder.path().join("x.db"), folder.path().join("y.db"));
        let mut connection = connect_and_adopt(&path).await.unwrap();
        sqlx::raw_sql(RUNS).execute(&mut connection).await.unwrap();
        sqlx::query("PRAGMA busy_timeout = 0").execute(&mut connection).await.unwrap();
        let mut other = connect_and_adopt(&into).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut other).await.unwrap();
        assert!(!is_unreadable(&salvage(&mut connection, &into).await.unwrap_err()));
        // It is let go of, so that all can be tried again.
        sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
        other.close().await.unwrap();
        let saved = salvage(&mut connection, &into).await.unwrap();
        assert!(saved.failures == 0 && saved.rows > 6000, "{saved:?}");
    }
}

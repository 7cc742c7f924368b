//! What people have wished of jobs and runs: how is it written, and read again?

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Value, json};
use sqlx::sqlite::SqliteRow;
use sqlx::{Row, SqliteConnection};

use super::open::Reader;
use crate::job::JobName;
use crate::plan::{Held, LeftOut, Pause, Whose};
use crate::run::{Asked, RunId};

const END_PAUSE_OF_ALL: &str = "DELETE FROM pauses WHERE job IS NULL";

const END_PAUSE: &str = "DELETE FROM pauses WHERE job = (SELECT number FROM jobs WHERE name = $1)";

const END_EXCEPTIONS: &str = "DELETE FROM pause_exceptions";

const END_EXCEPTION: &str = "DELETE FROM pause_exceptions WHERE job = (SELECT number FROM jobs WHERE name = $1)";

const INSERT_PAUSE_OF_ALL: &str = "INSERT INTO pauses (since, until, reason, who) VALUES ($1, $2, $3, $4)";

const INSERT_PAUSE: &str = "
INSERT INTO pauses (job, since, until, reason, who)
SELECT number, $2, $3, $4, $5 FROM jobs WHERE name = $1";

const INSERT_EXCEPTION: &str = "
INSERT INTO pause_exceptions (job) SELECT number FROM jobs WHERE name = $1 ON CONFLICT DO NOTHING";

const FORGET_SKIPS: &str = "DELETE FROM skips WHERE job = (SELECT number FROM jobs WHERE name = $1)";

const INSERT_SKIPS: &str = "
INSERT INTO skips (job, due, word)
SELECT jobs.number, value ->> 0, value ->> 1 FROM jobs, jsonb_each($2) WHERE jobs.name = $1";

/// Of runs that the ledger took.
pub const INSERT_ASKED: &str = "
INSERT INTO asked (run, who, repeats, env)
SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM jsonb_each($1)
WHERE EXISTS (SELECT 1 FROM runs WHERE run = value ->> 0)
ON CONFLICT DO NOTHING";

pub const INSERT_STOPS: &str = "
INSERT INTO stops (run, at, who)
SELECT value ->> 0, value ->> 1, value ->> 2 FROM jsonb_each($1)
WHERE EXISTS (SELECT 1 FROM runs WHERE run = value ->> 0)
ON CONFLICT DO NOTHING";

/// Of a ledger that no daemon of this version has written to.
const HAS_TABLES: &str = "SELECT EXISTS (SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'pauses')";

const PAUSES: &str = "
SELECT jobs.name, pauses.since, pauses.until, pauses.reason, pauses.who
FROM pauses LEFT JOIN jobs ON jobs.number = pauses.job";

const EXCEPTIONS: &str = "
SELECT jobs.name FROM pause_exceptions JOIN jobs ON jobs.number = pause_exceptions.job";

const SKIPS: &str = "SELECT jobs.name, skips.due, skips.word FROM skips JOIN jobs ON jobs.number = skips.job";

const ASKED: &str = "SELECT who AS asked_who, repeats AS asked_repeats, env AS asked_env FROM asked WHERE run = $1";

/// A change of what is not to run; a later one may take back an earlier one.
#[derive(Debug)]
pub enum Holding {
    Pause { whose: Whose, pause: Option<Pause> },
    Exception(JobName),
    LeftOut { job: JobName, left_out: LeftOut },
}

impl Holding {
    pub async fn write(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        match self {
            Self::Pause { whose: Some(job), pause } => {
                let name = job.as_str().to_owned();
                sqlx::query(END_PAUSE).bind(name.clone()).execute(&mut *connection).await?;
                if let Some(Pause { since, until, reason, by }) = pause {
                    sqlx::query(END_EXCEPTION).bind(name.clone()).execute(&mut *connection).await?;
                    let query = sqlx::query(INSERT_PAUSE).bind(name).bind(since.as_microsecond());
                    let query = query.bind(until.map(Timestamp::as_microsecond)).bind(reason).bind(by);
                    query.execute(connection).await?;
                }
            }
            Self::Pause { whose: None, pause } => {
                sqlx::query(END_PAUSE_OF_ALL).execute(&mut *connection).await?;
                sqlx::query(END_EXCEPTIONS).execute(&mut *connection).await?;
                if let Some(Pause { since, until, reason, by }) = pause {
                    let query = sqlx::query(INSERT_PAUSE_OF_ALL).bind(since.as_microsecond());
                    let query = query.bind(until.map(Timestamp::as_microsecond)).bind(reason).bind(by);
                    query.execute(connection).await?;
                }
            }
            Self::Exception(job) => {
                sqlx::query(INSERT_EXCEPTION).bind(job.as_str().to_owned()).execute(connection).await?;
            }
            Self::LeftOut { job, left_out } => {
                let name = job.as_str().to_owned();
                sqlx::query(FORGET_SKIPS).bind(name.clone()).execute(&mut *connection).await?;
                let rows: Vec<Value> =
                    left_out.iter().map(|(due, word)| json!([due.as_microsecond(), word.as_ref()])).collect();
                let query = sqlx::query(INSERT_SKIPS).bind(name).bind(Value::Array(rows).to_string());
                query.execute(connection).await?;
            }
        }
        Ok(())
    }
}

/// What was said of a run by whoever asked for it, as a row.
pub fn asked_row(run: RunId, asked: &Asked) -> Value {
    let Asked { by, repeats, env } = asked;
    json!([run, by, repeats.map(Timestamp::as_microsecond), json!(env).to_string()])
}

/// The same out of a row, if there is anything.
pub fn asked(row: &SqliteRow) -> Option<Asked> {
    Some(Asked {
        by: row.get::<Option<String>, _>("asked_who")?,
        repeats: time(row, "asked_repeats"),
        env: serde_json::from_str::<BTreeMap<String, String>>(row.get("asked_env")).unwrap_or_default(),
    })
}

impl Reader {
    /// All that people have said is not to run.
    pub async fn held(&self) -> Result<Held, sqlx::Error> {
        let mut held = Held::default();
        if !self.knows_wishes().await? {
            return Ok(held);
        }
        for row in sqlx::query(PAUSES).fetch_all(&self.pool).await? {
            let whose = match row.get::<Option<&str>, _>("name").map(JobName::new) {
                Some(Ok(name)) => Some(name),
                None => None,
                Some(Err(_)) => continue,
            };
            if let Some(since) = time(&row, "since") {
                let (reason, by) = (row.get("reason"), row.get("who"));
                held.pauses.set(whose, Pause { since, until: time(&row, "until"), reason, by });
            }
        }
        let exceptions: Vec<String> = sqlx::query_scalar(EXCEPTIONS).fetch_all(&self.pool).await?;
        exceptions.iter().filter_map(|name| JobName::new(name).ok()).for_each(|name| held.pauses.except(name));
        for row in sqlx::query(SKIPS).fetch_all(&self.pool).await? {
            if let (Ok(job), Some(due)) = (JobName::new(row.get("name")), time(&row, "due")) {
                held.leave_out(&job, due, row.get::<&str, _>("word").into());
            }
        }
        Ok(held)
    }

    /// What was said by whoever asked for a run.
    pub async fn asked(&self, run: RunId) -> Result<Option<Asked>, sqlx::Error> {
        if !self.knows_wishes().await? {
            return Ok(None);
        }
        let row = sqlx::query(ASKED).bind(run.0).fetch_optional(&self.pool).await?;
        Ok(row.as_ref().and_then(asked))
    }

    async fn knows_wishes(&self) -> Result<bool, sqlx::Error> {
        sqlx::query_scalar(HAS_TABLES).fetch_one(&self.pool).await
    }
}

fn time(row: &SqliteRow, column: &str) -> Option<Timestamp> {
    Timestamp::from_microsecond(row.get::<Option<i64>, _>(column)?).ok()
}

#[cfg(test)]
mod tests {
    use sqlx::{SqlitePool, sqlite::SqliteConnectOptions};

    use super::*;
    use crate::store::Store;

    fn name(text: &str) -> JobName {
        JobName::new(text).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pause(until: Option<i64>, reason: Option<&str>) -> Pause {
        Pause { since: at(1), until: until.map(at), reason: reason.map(str::to_owned), by: "anna".to_owned() }
    }

    async fn write(store: &Store, holding: Holding) {
        holding.write(&mut store.writer.acquire().await.unwrap()).await.unwrap();
    }

    #[tokio::test]
    async fn what_is_not_to_run_is_read_as_it_was_written() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("punctual.db");
        let store = Store::prepare(&path).unwrap().open("host", "boot").await.unwrap();
        sqlx::query("INSERT INTO jobs (name) VALUES ('a'), ('b'), ('c')").execute(&store.writer).await.unwrap();
        let mut expect = Held::default();
        let set = async |expect: &mut Held, whose: Whose, pause: Pause| {
            expect.pauses.set(whose.clone(), pause.clone());
            write(&store, Holding::Pause { whose, pause: Some(pause) }).await;
        };
        set(&mut expect, None, pause(None, Some("moving\nthe disk"))).await;
        set(&mut expect, Some(name("a")), pause(Some(9), None)).await;
        set(&mut expect, Some(name("a")), pause(Some(7), Some("again"))).await;
        for job in ["b", "c"] {
            expect.pauses.except(name(job));
            write(&store, Holding::Exception(name(job))).await;
        }
        // One that is paused by its name is no exception.
        set(&mut expect, Some(name("c")), pause(None, None)).await;
        let left_out: LeftOut = [(at(5), "by anna".into()), (at(6), "by bo".into())].into();
        for (due, word) in &left_out {
            expect.leave_out(&name("b"), *due, word.clone());
        }
        write(&store, Holding::LeftOut { job: name("b"), left_out: left_out.clone() }).await;
        write(&store, Holding::LeftOut { job: name("b"), left_out }).await;
        assert_eq!(store.reader.held().await.unwrap(), expect);
        let shown: Vec<(Option<String>, Option<String>, Option<String>)> =
            sqlx::query_as("SELECT job, until, except_for FROM pauses_shown ORDER BY job")
                .fetch_all(&store.writer)
                .await
                .unwrap();
        let text = |text: &str| Some(text.to_owned());
        assert_eq!(
            shown,
            [(None, None, text("b")), (text("a"), text("1970-01-01T00:00:07.000000Z"), None), (text("c"), None, None)]
        );
        // What is said of all again has no exceptions, and all of it can be taken back.
        set(&mut expect, None, pause(None, None)).await;
        assert_eq!(store.reader.held().await.unwrap(), expect);
        for whose in [None, Some(name("a")), Some(name("c"))] {
            write(&store, Holding::Pause { whose, pause: None }).await;
        }
        write(&store, Holding::LeftOut { job: name("b"), left_out: LeftOut::new() }).await;
        assert_eq!(store.reader.held().await.unwrap(), Held::default());
        store.close().await;
    }

    /// A ledger that no daemon of this version has written to can be asked, and learns what it lacks.
    #[tokio::test]
    async fn an_older_ledger_holds_nothing_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("punctual.db");
        let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
        let pool = SqlitePool::connect_with(options).await.unwrap();
        let migrations = sqlx::migrate!();
        let older = migrations.iter().map(|migration| migration.version).filter(|version| *version < 12).max();
        migrations.run_to(older.unwrap(), &pool).await.unwrap();
        sqlx::raw_sql(
            "PRAGMA application_id = 0x70756e63;
             INSERT INTO jobs VALUES (1, 'a');
             INSERT INTO runs (run, job, cause, due, state) VALUES (7, 1, 5, 3600000000, 1)",
        )
        .execute(&pool)
        .await
        .unwrap();
        pool.close().await;
        let reader = Reader::open(&path).await.unwrap();
        assert_eq!((reader.held().await.unwrap(), reader.asked(RunId(7)).await.unwrap()), (Held::default(), None));
        let store = Store::prepare(&path).unwrap().open("host", "boot").await.unwrap();
        let asked =
            Asked { by: "anna".to_owned(), repeats: Some(at(5)), env: [("A".to_owned(), "é".to_owned())].into() };
        let row = Value::Array(vec![asked_row(RunId(7), &asked), asked_row(RunId(8), &asked)]).to_string();
        sqlx::query(INSERT_ASKED).bind(row).execute(&store.writer).await.unwrap();
        assert_eq!(store.reader.asked(RunId(7)).await.unwrap(), Some(asked));
        // What was said of a run goes with it, and nothing is kept of one that is not there.
        assert_eq!(store.reader.asked(RunId(8)).await.unwrap(), None);
        sqlx::query("DELETE FROM runs").execute(&store.writer).await.unwrap();
        assert_eq!(store.reader.asked(RunId(7)).await.unwrap(), None);
        store.close().await;
    }
}

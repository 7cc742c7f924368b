//! How does what the ledger has of a job go on under another name?

use sqlx::{Row, SqliteConnection};

use crate::job::JobName;

/// A job's number, whether it is in force, and from when to when the ledger has something of it.
const STANDING: &str = "
SELECT jobs.number,
       EXISTS (SELECT 1 FROM definitions WHERE job = jobs.number AND until IS NULL) AS is_in_force,
       (SELECT min(since) FROM definitions WHERE job = jobs.number) AS defined_from,
       (SELECT max(until) FROM definitions WHERE job = jobs.number) AS defined_until,
       (SELECT min(due) FROM runs WHERE job = jobs.number) AS first,
       (SELECT max(coalesce(due_last, due)) FROM runs WHERE job = jobs.number) AS last
FROM jobs WHERE name = $1";

const RENAME: &str = "UPDATE jobs SET name = $2 WHERE number = $1";

const IS_TAKEN: &str = "SELECT EXISTS (SELECT 1 FROM jobs WHERE name = $1)";

/// What belongs to the first job belongs to the second one from now on. What was told of it is over, and what people have said
/// of it stays said of that name alone: the second one goes on as it did.
const MOVE: [&str; 7] = [
    "UPDATE definitions SET job = $2 WHERE job = $1",
    "UPDATE runs SET job = $2 WHERE job = $1",
    "UPDATE events SET job = $2 WHERE job = $1",
    "UPDATE notices SET job = $2 WHERE job = $1",
    FORGET_TOLD,
    "INSERT INTO tallies (job, hour, outcome, instants, others, duration, cpu)
     SELECT $2, hour, outcome, instants, others, duration, cpu FROM tallies WHERE job = $1
     ON CONFLICT DO UPDATE SET instants = instants + excluded.instants, others = others + excluded.others,
                               duration = duration + excluded.duration, cpu = cpu + excluded.cpu",
    "DELETE FROM tallies WHERE job = $1",
];

const FORGET_TOLD: &str = "DELETE FROM told WHERE job = $1";

/// What people have said and heard of a job that made way.
const FORGET: [&str; 4] = [
    FORGET_TOLD,
    "DELETE FROM pauses WHERE job = $1",
    "DELETE FROM pause_exceptions WHERE job = $1",
    "DELETE FROM skips WHERE job = $1",
];

const REMOVE: &str = "DELETE FROM jobs WHERE number = $1";

/// What a job has in the ledger.
struct Standing {
    number: i64,
    is_in_force: bool,
    /// From when to when there is anything of it.
    from: Option<i64>,
    until: Option<i64>,
    /// Of when its first and its last entry are.
    first: Option<i64>,
    last: Option<i64>,
}

/// Gives the history of one name to another one, within a transaction. Where the ledger knows the new name too:
///
/// - if it has ended, and the old one has not or it is to make way (`is_new`), what it has is set aside under a name with
///   a number;
/// - if the old one has ended before that job began, it was renamed before anybody said so, and gets the history of both;
/// - if both went on at the same time, they are two jobs, and each keeps its own.
pub async fn rename(
    connection: &mut SqliteConnection,
    from: &JobName,
    to: &JobName,
    is_new: bool,
) -> Result<(), sqlx::Error> {
    let Some(old) = standing(connection, from).await? else {
        return Ok(());
    };
    match standing(connection, to).await? {
        None => give_name(connection, old.number, to.as_str()).await,
        Some(new) if (old.is_in_force || is_new) && !new.is_in_force => {
            let aside = free_name(connection, to).await?;
            tracing::warn!("the ledger has an earlier job {to}; what it has of it is called {aside} from now on");
            give_name(connection, new.number, &aside).await?;
            for statement in FORGET {
                sqlx::query(statement).bind(new.number).execute(&mut *connection).await?;
            }
            give_name(connection, old.number, to.as_str()).await
        }
        // A name that is left because people have said something of it.
        Some(_) if old.from.is_none() => Ok(()),
        Some(new) if !old.is_in_force && follows(&new, &old) => {
            tracing::info!("{to} has the history of {from} too from now on");
            join(connection, old.number, new.number).await
        }
        Some(_) => {
            tracing::warn!("{to} does not get the history of {from}: it has one of its own from the same time");
            Ok(())
        }
    }
}

async fn standing(connection: &mut SqliteConnection, name: &JobName) -> Result<Option<Standing>, sqlx::Error> {
    let row = sqlx::query(STANDING).bind(name.as_str().to_owned()).fetch_optional(connection).await?;
    Ok(row.map(|row| {
        let time = |column: &str| row.get::<Option<i64>, _>(column);
        let (first, last) = (time("first"), time("last"));
        Standing {
            number: row.get("number"),
            is_in_force: row.get("is_in_force"),
            from: time("defined_from").into_iter().chain(first).min(),
            until: time("defined_until").into_iter().chain(last).max(),
            first,
            last,
        }
    }))
}

/// Whether all of one comes after all of the other. A definition may begin as another ends; no two entries are of one instant.
fn follows(later: &Standing, earlier: &Standing) -> bool {
    later.from.zip(earlier.until).is_none_or(|(from, until)| until <= from)
        && later.first.zip(earlier.last).is_none_or(|(first, last)| last < first)
}

async fn give_name(connection: &mut SqliteConnection, number: i64, name: &str) -> Result<(), sqlx::Error> {
    sqlx::query(RENAME).bind(number).bind(name.to_owned()).execute(connection).await.map(|_| ())
}

async fn join(connection: &mut SqliteConnection, old: i64, new: i64) -> Result<(), sqlx::Error> {
    for statement in MOVE {
        sqlx::query(statement).bind(old).bind(new).execute(&mut *connection).await?;
    }
    // If something that was not moved still speaks of it, the name stays, and nothing is lost.
    let _ = sqlx::query(REMOVE).bind(old).execute(connection).await;
    Ok(())
}

/// The name with the first number that none has; short enough to be one.
async fn free_name(connection: &mut SqliteConnection, name: &JobName) -> Result<String, sqlx::Error> {
    let mut number = 1;
    loop {
        let suffix = format!(".{number}");
        let stem: String = name.as_str().chars().take(64 - suffix.len()).collect();
        let candidate = format!("{stem}{suffix}");
        let is_taken: bool = sqlx::query_scalar(IS_TAKEN).bind(candidate.clone()).fetch_one(&mut *connection).await?;
        if !is_taken {
            return Ok(candidate);
        }
        number += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::open::Store;

    /// Three jobs: the second began when the first had ended, and both it and the third have something said of them.
    const LEDGER: &str = "
        INSERT INTO jobs (number, name) VALUES (1, 'a'), (2, 'b'), (3, 'c');
        INSERT INTO runs (run, job, cause, due, state, outcome) VALUES
            (1, 1, 1, 10, 3, 1), (2, 1, 1, 20, 3, 1), (3, 2, 1, 30, 3, 1), (4, 3, 1, 15, 3, 1);
        INSERT INTO told (job, words) VALUES (1, 'of a'), (2, 'of b'), (3, 'of c');
        INSERT INTO pauses (job, since, who) VALUES (1, 0, 'anna'), (3, 0, 'anna');";

    /// What each name has: its runs, whether it is paused, and what was told of it.
    async fn after(changes: &'static str, (from, to, is_new): (&str, &str, bool)) -> Vec<String> {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::prepare(&folder.path().join("punctual.db")).unwrap().open("host", "boot").await.unwrap();
        let mut connection = store.writer.acquire().await.unwrap();
        sqlx::raw_sql(LEDGER).execute(&mut *connection).await.unwrap();
        sqlx::raw_sql(changes).execute(&mut *connection).await.unwrap();
        let name = |name: &str| JobName::new(name).unwrap();
        rename(&mut connection, &name(from), &name(to), is_new).await.unwrap();
        let sql = "
            SELECT concat_ws(' ', name, (SELECT group_concat(run) FROM (SELECT run FROM runs WHERE job = number ORDER BY run)),
                             (SELECT 'paused' FROM pauses WHERE job = jobs.number),
                             (SELECT words FROM told WHERE job = jobs.number))
            FROM jobs ORDER BY name";
        let found = sqlx::query_scalar(sql).fetch_all(&mut *connection).await.unwrap();
        drop(connection);
        store.close().await;
        found
    }

    #[tokio::test]
    async fn a_history_goes_where_it_belongs() {
        let all = ["a 1,2 paused of a", "b 3 of b", "c 4 paused of c"];
        // One that comes after the other has both; what was said of the old name stays said of it alone.
        assert_eq!(after("", ("a", "b", false)).await, ["a paused", "b 1,2,3 of b", all[2]]);
        assert_eq!(after("DELETE FROM pauses", ("a", "b", false)).await, ["b 1,2,3 of b", "c 4 of c"]);
        // A name of which only that is left has nothing to give.
        assert_eq!(after("DELETE FROM runs WHERE job = 1", ("a", "b", false)).await, ["a paused of a", all[1], all[2]]);
        // Two that went on at the same time are two, and so are two whose entries are of the same instant.
        assert_eq!(after("", ("a", "c", false)).await, all);
        let same = "UPDATE runs SET due = 20 WHERE run = 3";
        assert_eq!(after(same, ("a", "b", false)).await, all);
        // What makes way has a number, and nobody says or hears anything of it any more.
        assert_eq!(after("", ("a", "c", true)).await, [all[1], "c 1,2 paused of a", "c.1 4"]);
        assert_eq!(after("", ("a", "d", false)).await, [all[1], all[2], "d 1,2 paused of a"]);
    }
}

//! Which entries are asked for, and how are they found without looking at all the others?
//!
//! An answer comes in order of its dues, entry by entry, as far as somebody wants to read. What is asked of several jobs, or
//! since a time that a stretch of skipped instants may reach over, is several questions whose answers are merged.

use std::ops::ControlFlow;
use std::time::Duration;

use futures_util::TryStreamExt;
use jiff::Timestamp;
use serde_json::json;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::open::Reader;
use super::patience;
use super::read::{IS_FAILURE, entry};
use crate::report::Entry;
use crate::run::{Cause, Outcome, Reason, State};

/// The rows of `runs` decide on the order: the other tables only say names.
const ENTRIES: &str = "
SELECT runs.*, jobs.name AS job_name, hosts.name AS host_name
FROM runs CROSS JOIN jobs ON jobs.number = runs.job LEFT JOIN hosts ON hosts.number = runs.host
WHERE ";

const KINDS: &str = "SELECT state, outcome FROM runs WHERE ";

const JOBS: &str = "SELECT number FROM jobs WHERE name IN (SELECT value FROM json_each($1))";

/// Of so many jobs each is asked for itself; of more, all entries are looked at, and most of them will do.
const MOST_MERGED: usize = 32;
/// Runs of this length and longer have an index, `runs_long`.
const LONG: i64 = 60_000_000;

/// Which entries are asked for. An empty list asks for all.
#[derive(Debug, Clone, Default)]
pub struct HistoryFilter {
    pub jobs: Vec<String>,
    pub failed: bool,
    /// Both ends included. A stretch of instants counts if any of it lies between them.
    pub since: Option<Timestamp>,
    pub until: Option<Timestamp>,
    pub outcomes: Vec<Outcome>,
    /// Beside the outcomes: what has none yet.
    pub states: Vec<State>,
    pub reasons: Vec<Reason>,
    pub causes: Vec<Cause>,
    pub longer_than: Option<Duration>,
    pub exit_code: Option<i64>,
    /// Wrote something, or may still.
    pub wrote: bool,
    /// Runs with output in these ranges of numbers, both ends included.
    pub runs: Option<Vec<(i64, i64)>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    NewestFirst,
    OldestFirst,
}

/// How many entries there are of each kind.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    pub kinds: Vec<(State, Option<Outcome>, u64)>,
    /// Whether these are all.
    pub is_complete: bool,
}

/// One of the questions whose answers are merged.
#[derive(Debug, Clone, Copy)]
struct Part {
    job: Option<i64>,
    reach: Reach,
}

/// Whether it asks for entries that are due in the time, or for stretches that reach into it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reach {
    Within,
    Into,
}

impl Reader {
    /// Hands over the entries one by one, at most `limit`, until there is no more or no more is wanted.
    pub async fn each_entry(
        &self,
        filter: &HistoryFilter,
        order: Order,
        limit: Option<u32>,
        mut visit: impl AsyncFnMut(Entry) -> Result<ControlFlow<()>, sqlx::Error>,
    ) -> Result<(), sqlx::Error> {
        let mut query = QueryBuilder::<Sqlite>::new("");
        push_question(&mut query, ENTRIES, filter, &self.parts(filter).await?);
        query.push(match order {
            Order::NewestFirst => " ORDER BY due DESC, run DESC",
            Order::OldestFirst => " ORDER BY due, run",
        });
        if let Some(limit) = limit {
            query.push(" LIMIT ").push_bind(limit);
        }
        let mut rows = query.build().fetch(&self.pool);
        while let Some(row) = rows.try_next().await? {
            if let Some(entry) = entry(&row)
                && visit(entry).await?.is_break()
            {
                break;
            }
        }
        Ok(())
    }

    /// The newest entries, at most `limit`, newest last.
    pub async fn history(&self, filter: &HistoryFilter, limit: Option<u32>) -> Result<Vec<Entry>, sqlx::Error> {
        let mut entries = Vec::new();
        let visit = async |entry| {
            entries.push(entry);
            Ok(ControlFlow::Continue(()))
        };
        self.each_entry(filter, Order::NewestFirst, limit, visit).await?;
        entries.reverse();
        Ok(entries)
    }

    /// Counts the entries: all of them, or at most `most` within a time; `None` if that was not enough.
    pub async fn tally(
        &self,
        filter: &HistoryFilter,
        bound: Option<(u32, Duration)>,
    ) -> Result<Option<Tally>, sqlx::Error> {
        let mut query = QueryBuilder::<Sqlite>::new("SELECT state, outcome, count(*) FROM (");
        push_question(&mut query, KINDS, filter, &self.parts(filter).await?);
        if let Some((most, _)) = bound {
            query.push(" LIMIT ").push_bind(i64::from(most) + 1);
        }
        query.push(") GROUP BY state, outcome ORDER BY outcome IS NULL, outcome, state DESC");
        let rows = match bound {
            None => query.build().fetch_all(&self.pool).await?,
            Some((_, within)) => {
                let mut connection = self.pool.acquire().await?;
                patience::limit(&mut connection, within).await?;
                let rows = query.build().fetch_all(&mut *connection).await;
                patience::unlimit(&mut connection).await?;
                match rows {
                    Err(error) if patience::is_over(&error) => return Ok(None),
                    rows => rows?,
                }
            }
        };
        let kind = |row: &SqliteRow| {
            let outcome = row.get::<Option<i64>, _>("outcome").and_then(Outcome::from_number);
            Some((State::from_number(row.get("state"))?, outcome, u64::try_from(row.get::<i64, _>(2)).unwrap_or(0)))
        };
        let kinds: Vec<_> = rows.iter().filter_map(kind).collect();
        let total: u64 = kinds.iter().map(|(_, _, count)| count).sum();
        Ok(Some(Tally { kinds, is_complete: bound.is_none_or(|(most, _)| total <= u64::from(most)) }))
    }

    /// When the oldest and the newest entry of these jobs are due.
    pub async fn first_and_last(&self, jobs: &[String]) -> Result<Option<(Timestamp, Timestamp)>, sqlx::Error> {
        let mut found: Option<(Timestamp, Timestamp)> = None;
        for part in self.parts(&HistoryFilter { jobs: jobs.to_vec(), ..HistoryFilter::default() }).await? {
            for end in ["min", "max"] {
                let mut query = QueryBuilder::<Sqlite>::new("SELECT ");
                query.push(end).push("(due) FROM runs WHERE ");
                push_part(&mut query, &HistoryFilter::default(), part);
                let due: Option<i64> = query.build_query_scalar().fetch_one(&self.pool).await?;
                if let Some(due) = due.and_then(|due| Timestamp::from_microsecond(due).ok()) {
                    let (first, last) = found.unwrap_or((due, due));
                    found = Some((first.min(due), last.max(due)));
                }
            }
        }
        Ok(found)
    }

    async fn parts(&self, filter: &HistoryFilter) -> Result<Vec<Part>, sqlx::Error> {
        let mut jobs = vec![None];
        if (1..=MOST_MERGED).contains(&filter.jobs.len()) {
            let names = json!(filter.jobs).to_string();
            let numbers: Vec<i64> = sqlx::query_scalar(JOBS).bind(names).fetch_all(&self.pool).await?;
            jobs = numbers.into_iter().map(Some).collect();
        }
        let reaches: &[Reach] = if filter.since.is_some() { &[Reach::Within, Reach::Into] } else { &[Reach::Within] };
        Ok(jobs.iter().flat_map(|job| reaches.iter().map(|reach| Part { job: *job, reach: *reach })).collect())
    }
}

fn push_question(query: &mut QueryBuilder<Sqlite>, select: &'static str, filter: &HistoryFilter, parts: &[Part]) {
    for (number, part) in parts.iter().enumerate() {
        query.push(if number > 0 { " UNION ALL " } else { "" }).push(select);
        push_part(query, filter, *part);
    }
    if parts.is_empty() {
        query.push(select).push("false");
    }
}

/// The conditions. Those that an index is limited to are spelt out as it has them; a plus keeps a column from being taken for
/// the index of another.
fn push_part(query: &mut QueryBuilder<Sqlite>, filter: &HistoryFilter, part: Part) {
    match (part.job, part.reach) {
        (Some(job), Reach::Within) => query.push("runs.job = ").push_bind(job),
        (Some(job), Reach::Into) => query.push("+runs.job = ").push_bind(job),
        (None, _) if !filter.jobs.is_empty() => {
            let names = json!(filter.jobs).to_string();
            query.push("+runs.job IN (SELECT number FROM jobs WHERE name IN (SELECT value FROM json_each(");
            query.push_bind(names).push(")))")
        }
        (None, _) => query.push("true"),
    };
    if let Some(since) = filter.since.map(Timestamp::as_microsecond) {
        match part.reach {
            Reach::Within => query.push(" AND runs.due >= ").push_bind(since),
            Reach::Into => {
                query.push(" AND runs.run IN (SELECT run FROM runs WHERE count > 1 AND due_last >= ").push_bind(since);
                query.push(" AND due < ").push_bind(since).push(")")
            }
        };
    }
    if let Some(until) = filter.until.map(Timestamp::as_microsecond) {
        let due = if part.reach == Reach::Into { " AND +runs.due <= " } else { " AND runs.due <= " };
        query.push(due).push_bind(until);
    }
    push_kinds(query, filter);
    if let Some(shortest) = filter.longer_than {
        let shortest = i64::try_from(shortest.as_micros()).unwrap_or(i64::MAX);
        query.push(" AND runs.duration > ").push_bind(shortest);
        if shortest >= LONG {
            query.push(" AND runs.duration >= ").push(LONG);
        }
    }
    if let Some(code) = filter.exit_code {
        query.push(if code == 0 { "" } else { " AND runs.exit_code <> 0" });
        query.push(" AND runs.exit_code = ").push_bind(code);
    }
    if filter.wrote {
        query.push(" AND (runs.output_bytes > 0 OR runs.state < 3)");
    }
    if let Some(ranges) = &filter.runs {
        query.push(" AND runs.run IN (SELECT output.run FROM json_each(").push_bind(json!(ranges).to_string());
        query.push(") AS range CROSS JOIN output ON output.run BETWEEN range.value ->> 0 AND range.value ->> 1)");
    }
}

fn push_kinds(query: &mut QueryBuilder<Sqlite>, filter: &HistoryFilter) {
    let has_succeeded = filter.outcomes.contains(&Outcome::Succeeded);
    let only_ended = filter.states.is_empty() && !filter.outcomes.is_empty();
    // No run that succeeded has a reason.
    if filter.failed || !filter.reasons.is_empty() || only_ended && !has_succeeded {
        query.push(" AND runs.outcome > 1");
    }
    if filter.failed {
        query.push(" AND ").push(IS_FAILURE);
    }
    if filter.outcomes.is_empty() && !filter.states.is_empty() {
        query.push(" AND runs.state < 3");
    }
    if !filter.outcomes.is_empty() || !filter.states.is_empty() {
        query.push(" AND (");
        push_numbers(query, "runs.outcome", filter.outcomes.iter().map(|outcome| outcome.number()));
        query.push(" OR ");
        push_numbers(query, "runs.state", filter.states.iter().map(|state| state.number()));
        query.push(")");
    }
    if !filter.reasons.is_empty() {
        query.push(" AND ");
        push_numbers(query, "runs.reason", filter.reasons.iter().map(|reason| reason.number()));
    }
    if !filter.causes.is_empty() {
        query.push(if filter.causes.contains(&Cause::Schedule) { " AND " } else { " AND runs.cause > 1 AND " });
        push_numbers(query, "runs.cause", filter.causes.iter().map(|cause| cause.number()));
    }
}

fn push_numbers(query: &mut QueryBuilder<Sqlite>, column: &'static str, numbers: impl Iterator<Item = i64>) {
    query.push(column).push(" IN (");
    let mut list = query.separated(", ");
    for number in numbers {
        list.push_bind(number);
    }
    query.push(")");
}

#[cfg(test)]
mod tests;

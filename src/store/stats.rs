//! How often, how long, how late? The figures of jobs, counted by the database.
//!
//! Counts are exact, over all entries and over what is left of pruned ones. Percentiles are of each job's newest runs, so that
//! they are found by the index.

use std::collections::BTreeMap;

use jiff::Timestamp;
use sqlx::sqlite::SqliteRow;
use sqlx::{QueryBuilder, Row, Sqlite};

use super::open::Reader;
use crate::report::{Ending, Entry, Figures, Group, LastRun, Past, Seconds, Time};
use crate::run::{Outcome, Reason, RunId};

/// Runs of which percentiles are, of each job: where all jobs are asked for, and where some are named.
const SAMPLE_OF_ALL: i64 = 500;
const SAMPLE: i64 = 10_000;
/// The newest runs that are shown one by one.
const LAST: i64 = 30;
/// How far back a run is compared with others.
const PAST: usize = 1_000;

/// How late a run of a schedule began, in microseconds.
const LATENESS: &str = "CASE WHEN cause <= 4 THEN started - due - jitter - waited END";

const TALLIES: &str = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'tallies'";

const PAST_RUNS: &str = "
SELECT json_group_array(json_array(outcome, reason, duration, cpu, max_rss, output_bytes, late))
FROM (SELECT outcome, reason, duration, cpu, max_rss, output_bytes,
             CASE WHEN cause <= 4 THEN started - due - jitter - waited END AS late
      FROM runs
      WHERE job = (SELECT number FROM jobs WHERE name = $1) AND due < $2 AND state = 3 AND outcome < 7
      ORDER BY due DESC LIMIT $3)";

/// Whose figures are asked for, and from when on.
#[derive(Debug, Clone, Default)]
pub struct StatsFilter {
    /// None: of all jobs.
    pub jobs: Vec<String>,
    pub since: Option<Timestamp>,
}

impl StatsFilter {
    fn since(&self) -> i64 {
        self.since.map_or(i64::MIN, Timestamp::as_microsecond)
    }

    /// Restricts a statement to the jobs that are asked for.
    fn push_jobs(&self, query: &mut QueryBuilder<Sqlite>, column: &str) {
        if self.jobs.is_empty() {
            return;
        }
        query.push(format!(" AND {column} IN (SELECT number FROM jobs WHERE name IN ("));
        let mut names = query.separated(", ");
        for job in &self.jobs {
            names.push_bind(job.clone());
        }
        query.push("))");
    }
}

impl Reader {
    /// The figures of jobs, in the order of their names; of jobs without any entry only if they are named.
    pub async fn stats(&self, filter: &StatsFilter) -> Result<Vec<(String, Figures)>, sqlx::Error> {
        // Two connections count at the same time.
        let (counted, sampled) = tokio::join!(self.counted(filter), self.sampled(filter));
        let (mut figures, samples) = (counted?, sampled?);
        for (number, sample) in samples {
            if !filter.jobs.is_empty() {
                figures.entry(number).or_default();
            }
            if let Some((name, known)) = figures.get_mut(&number) {
                *name = sample.name;
                (known.durations, known.lates, known.last) = (sample.durations, sample.lates, sample.last);
            }
        }
        let mut named: Vec<_> = figures.into_values().collect();
        named.sort_by(|(one, _), (other, _)| one.cmp(other));
        Ok(named)
    }

    /// Exact counts, by the jobs' numbers; their names are yet to be learned.
    async fn counted(&self, filter: &StatsFilter) -> Result<BTreeMap<i64, (String, Figures)>, sqlx::Error> {
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT job, outcome, CASE WHEN reason = 14 THEN 14 END AS reason, sum(count) AS entries,
                    sum(cpu) AS cpu, count(cpu) AS measured, min(due) AS first,
                    max(CASE WHEN outcome = 1 THEN duration END) AS longest, max(",
        );
        query.push(LATENESS).push(") AS latest FROM runs WHERE state = 3");
        if filter.since.is_some() {
            query.push(" AND due >= ").push_bind(filter.since());
        }
        filter.push_jobs(&mut query, "runs.job");
        // Not by the order of the index (+): that would look up each row by itself, where all of them are wanted.
        query.push(" GROUP BY +job, outcome, 3");
        let mut figures: BTreeMap<i64, (String, Figures)> = BTreeMap::new();
        for row in query.build().fetch_all(&self.pool).await? {
            let (_, figures) = figures.entry(row.get("job")).or_default();
            add(figures, &row);
        }
        for row in self.tallied(filter).await? {
            let (_, figures) = figures.entry(row.get("job")).or_default();
            figures.groups.extend(group(&row, true));
        }
        Ok(figures)
    }

    /// What is left of entries that were pruned; a ledger that a daemon has not brought up to date has nothing of the kind.
    async fn tallied(&self, filter: &StatsFilter) -> Result<Vec<SqliteRow>, sqlx::Error> {
        let tables: i64 = sqlx::query_scalar(TALLIES).fetch_one(&self.pool).await?;
        if tables == 0 {
            return Ok(Vec::new());
        }
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT job, outcome, NULL AS reason, sum(instants + others) AS entries, sum(cpu) AS cpu,
                    sum(instants + others) AS measured
             FROM tallies WHERE hour >= ",
        );
        // The first hour is counted only if all of it is asked for.
        let micros = filter.since().max(0);
        query.push_bind(micros / MICROS_OF_HOUR + i64::from(micros % MICROS_OF_HOUR > 0));
        filter.push_jobs(&mut query, "tallies.job");
        query.push(" GROUP BY job, outcome");
        query.build().fetch_all(&self.pool).await
    }

    async fn sampled(&self, filter: &StatsFilter) -> Result<Vec<(i64, Sample)>, sqlx::Error> {
        let most = if filter.jobs.is_empty() { SAMPLE_OF_ALL } else { SAMPLE };
        let mut query = QueryBuilder::<Sqlite>::new(
            "SELECT number, name,
                (SELECT json_array(json_group_array(took) FILTER (WHERE took IS NOT NULL),
                                   json_group_array(late) FILTER (WHERE late IS NOT NULL))
                 FROM (SELECT CASE WHEN outcome = 1 THEN duration END AS took, ",
        );
        query
            .push(LATENESS)
            .push(" AS late FROM runs WHERE job = jobs.number AND state = 3 AND outcome < 7 AND due >= ");
        query.push_bind(filter.since()).push(" ORDER BY due DESC LIMIT ").push_bind(most);
        query.push(
            ")) AS figures, (SELECT json_group_array(json_array(run, outcome, reason, duration))
                FROM (SELECT * FROM runs WHERE job = jobs.number AND state = 3 AND outcome < 7 AND due >= ",
        );
        query.push_bind(filter.since()).push(" ORDER BY due DESC LIMIT ").push_bind(LAST);
        query.push(")) AS last FROM jobs WHERE true");
        filter.push_jobs(&mut query, "number");
        let rows = query.build().fetch_all(&self.pool).await?;
        Ok(rows.iter().map(|row| (row.get("number"), sample(row))).collect())
    }

    /// The runs of the same job before an entry, the newest first, and whether these are all.
    pub async fn past_of(&self, entry: &Entry) -> Result<(Vec<Past>, bool), sqlx::Error> {
        let most = i64::try_from(PAST).unwrap_or(i64::MAX);
        let query = sqlx::query_scalar(PAST_RUNS).bind(&entry.job).bind(entry.at.as_microsecond()).bind(most);
        let text: String = query.fetch_one(&self.pool).await?;
        let rows: Vec<PastRow> = serde_json::from_str(&text).unwrap_or_default();
        let is_all = rows.len() < PAST;
        Ok((rows.into_iter().filter_map(past).collect(), is_all))
    }
}

const MICROS_OF_HOUR: i64 = 3_600_000_000;

/// Of one job's newest runs.
struct Sample {
    name: String,
    durations: Vec<i64>,
    lates: Vec<i64>,
    last: Vec<LastRun>,
}

fn sample(row: &SqliteRow) -> Sample {
    let (durations, lates) = serde_json::from_str(row.get("figures")).unwrap_or_default();
    let last: Vec<(i64, i64, Option<i64>, Option<i64>)> = serde_json::from_str(row.get("last")).unwrap_or_default();
    let read = |(run, outcome, reason, duration): (i64, i64, Option<i64>, Option<i64>)| {
        let outcome = Outcome::from_number(outcome)?;
        let is_failure = outcome.is_failure(reason.and_then(Reason::from_number));
        Some(LastRun { run: RunId(run), outcome, duration: duration.map(Seconds::from_micros), is_failure })
    };
    Sample { name: row.get("name"), durations, lates, last: last.into_iter().rev().filter_map(read).collect() }
}

fn add(figures: &mut Figures, row: &SqliteRow) {
    figures.groups.extend(group(row, false));
    let first = Timestamp::from_microsecond(row.get("first")).ok().map(Time);
    figures.first = figures.first.into_iter().chain(first).min();
    figures.longest = figures.longest.max(row.get("longest"));
    figures.latest = figures.latest.max(row.get("latest"));
}

/// The group of a row; `None` if it has a word that this version does not know.
fn group(row: &SqliteRow, is_pruned: bool) -> Option<Group> {
    let count = |column: &str| u64::try_from(row.get::<i64, _>(column)).unwrap_or(0);
    let outcome = Outcome::from_number(row.get::<Option<i64>, _>("outcome")?)?;
    Some(Group {
        outcome,
        reason: row.get::<Option<i64>, _>("reason").and_then(Reason::from_number),
        count: count("entries"),
        measured: if outcome.is_gap() { 0 } else { count("measured") },
        cpu: row.get::<Option<i64>, _>("cpu").unwrap_or(0),
        is_pruned,
    })
}

type PastRow = (i64, Option<i64>, Option<i64>, Option<i64>, Option<i64>, i64, Option<i64>);

fn past((outcome, reason, duration, cpu, max_rss, output_bytes, late): PastRow) -> Option<Past> {
    let outcome = Outcome::from_number(outcome)?;
    let seconds = |micros: Option<i64>| micros.map(Seconds::from_micros);
    Some(Past {
        ending: Ending::of(outcome, reason.and_then(Reason::from_number)),
        duration: seconds(duration),
        cpu: seconds(cpu),
        max_rss,
        output_bytes,
        late: seconds(late),
    })
}

//! What is known around the question? Everything that a sentence may need, read beforehand.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{MOST_TOLD, Question};
use crate::job::JobName;
use crate::jobfile::Zones;
use crate::plan::{Held, Period, Pruned};
use crate::report::Entry;
use crate::run::{Asked, Cause, Outcome, Reason};
use crate::store::{Absence, HistoryFilter, Reader};

/// Entries are looked for by the instants that they cover; how many there are beyond those told is counted up to here.
const MOST_COUNTED: u32 = 10_000;

/// An entry, and what was going on around it.
#[derive(Debug, Clone)]
pub struct Told {
    pub entry: Entry,
    pub around: Around,
}

/// Why an entry is as it is, beyond what it says itself.
#[derive(Debug, Clone)]
pub enum Around {
    Nothing,
    /// Another run of the job.
    Run(Box<Entry>),
    /// No daemon ran.
    Absence(Absence),
    /// Runs of others whose success called for it.
    Causes(Vec<Entry>),
    /// Somebody asked for it.
    Asked(Asked),
}

/// A job that has to succeed first.
#[derive(Debug, Clone)]
pub struct Forerunner {
    pub job: JobName,
    pub success: Option<Entry>,
}

#[derive(Debug, Default)]
pub struct Circumstances {
    /// The job's definitions over time, as the ledger has them.
    pub periods: Vec<Period>,
    pub pruned: Vec<Pruned>,
    /// What was asked about, oldest first, or the job's newest entry that has ended.
    pub told: Vec<Told>,
    /// How many entries there are of each kind, where they are too many to be told one by one.
    pub kinds: BTreeMap<&'static str, usize>,
    /// Runs of any job that have not ended.
    pub open: Vec<Entry>,
    /// What people have said is not to run.
    pub held: Held,
    /// Since when no daemon runs, if none does.
    pub absence: Option<Absence>,
    pub forerunners: Vec<Forerunner>,
    /// The job's newest run.
    pub last_run: Option<Entry>,
    /// What its successful runs take, in the middle.
    pub usual: Option<i64>,
}

impl Circumstances {
    pub async fn gather(ledger: Option<&Reader>, zones: &dyn Zones, question: &Question) -> Result<Self, sqlx::Error> {
        let mut found = Self::default();
        let Some(ledger) = ledger else {
            return Ok(found);
        };
        found.open = ledger.open_runs().await?;
        found.held = ledger.held().await?;
        found.held.forget_ended(question.now);
        found.last_run = ledger.last_run(&question.job, false).await?;
        if question.daemon.is_none() {
            found.absence = Some(ledger.absence(question.now).await?);
        }
        if let Some(number) = ledger.job_number(&question.job).await? {
            let mut books = ledger.books(zones).await?;
            let account = books.accounts(number, number, zones).await?.remove(&number).unwrap_or_default();
            (found.periods, found.pruned) = (account.periods, account.pruned);
        }
        found.tell(ledger, question).await?;
        found.usual = usual(ledger, &question.job).await?;
        for job in question.definition().iter().flat_map(|job| &job.rules.after) {
            let success = last_success(ledger, job.as_str()).await?;
            found.forerunners.push(Forerunner { job: job.clone(), success });
        }
        Ok(found)
    }

    async fn tell(&mut self, ledger: &Reader, question: &Question) -> Result<(), sqlx::Error> {
        let of_job = HistoryFilter { jobs: vec![question.job.clone()], ..HistoryFilter::default() };
        let entries = match question.at {
            Some((since, until)) => {
                let filter = HistoryFilter { since: Some(since), until: Some(until), ..of_job };
                ledger.history(&filter, Some(MOST_COUNTED)).await?
            }
            None => ledger.standings(&of_job.jobs).await?.into_iter().map(|standing| standing.last).collect(),
        };
        let mut entries = entries;
        if entries.len() > MOST_TOLD {
            for entry in &entries {
                *self.kinds.entry(entry.outcome.map_or(entry.state.word(), |outcome| outcome.word())).or_default() += 1;
            }
            // What went as it should needs no reason.
            entries.retain(|entry| entry.outcome != Some(Outcome::Succeeded));
            entries.drain(..entries.len().saturating_sub(MOST_TOLD));
        }
        for entry in entries {
            let around = around(ledger, &entry).await?;
            self.told.push(Told { entry, around });
        }
        Ok(())
    }

    /// The definition that spoke for a moment.
    pub fn period(&self, at: Timestamp) -> Option<&Period> {
        self.periods.iter().rfind(|period| period.since < at && at <= period.end())
    }
}

async fn around(ledger: &Reader, entry: &Entry) -> Result<Around, sqlx::Error> {
    if entry.cause == Cause::Manual {
        return Ok(ledger.asked(entry.run).await?.map_or(Around::Nothing, Around::Asked));
    }
    if entry.cause == Cause::Dependency && entry.reason != Some(Reason::Overlap) {
        let mut causes = Vec::new();
        for run in ledger.causes(entry.run).await? {
            causes.extend(ledger.entry(run).await?);
        }
        return Ok(Around::Causes(causes));
    }
    let unmade = entry.outcome.is_some_and(|outcome| matches!(outcome, Outcome::Skipped | Outcome::Missed));
    match entry.reason {
        Some(Reason::Overlap | Reason::QueueFull) if unmade => {
            Ok(ledger.going_at(entry).await?.map_or(Around::Nothing, |run| Around::Run(Box::new(run))))
        }
        Some(Reason::DaemonDown | Reason::Changed) if unmade => Ok(Around::Absence(ledger.absence(entry.at).await?)),
        _ if entry.cause == Cause::CatchUp => Ok(Around::Absence(ledger.absence(entry.at).await?)),
        _ => Ok(Around::Nothing),
    }
}

async fn last_success(ledger: &Reader, job: &str) -> Result<Option<Entry>, sqlx::Error> {
    let filter =
        HistoryFilter { jobs: vec![job.to_owned()], outcomes: vec![Outcome::Succeeded], ..HistoryFilter::default() };
    Ok(ledger.history(&filter, Some(1)).await?.pop())
}

async fn usual(ledger: &Reader, job: &str) -> Result<Option<i64>, sqlx::Error> {
    let filter =
        HistoryFilter { jobs: vec![job.to_owned()], outcomes: vec![Outcome::Succeeded], ..HistoryFilter::default() };
    let entries = ledger.history(&filter, Some(20)).await?;
    #[expect(clippy::cast_possible_truncation, reason = "a duration in microseconds is far below what an i64 holds")]
    let mut took: Vec<i64> = entries.iter().filter_map(|entry| Some((entry.duration?.0 * 1e6) as i64)).collect();
    took.sort_unstable();
    Ok(took.get(took.len() / 2).copied())
}

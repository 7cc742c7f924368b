//! What are the figures of jobs, and what is there to say about a run?

use jiff::Timestamp;

use super::asked::known_jobs;
use super::no_answer::NoAnswer;
use super::subject::find_run;
use crate::report::{RunReport, StatsReport, Time, differences};
use crate::run::RunId;
use crate::store::{Reader, StatsFilter};

/// The figures of the named jobs, or of all.
pub async fn stats(ledger: &Reader, jobs: &[String], since: Option<Timestamp>) -> Result<StatsReport, NoAnswer> {
    known_jobs(ledger, jobs).await?;
    let filter = StatsFilter { jobs: jobs.to_vec(), since };
    Ok(StatsReport::of(ledger.stats(&filter).await?, since.map(Time)))
}

/// A run with its attempts and steps, and what is not as usual about it.
pub async fn run_report(ledger: &Reader, run: RunId) -> Result<RunReport, NoAnswer> {
    let entry = find_run(ledger, run).await?;
    let attempts = ledger.attempts(run).await?;
    let (steps, tried) = attempts.into_iter().partition(|attempt| attempt.step.is_some());
    let caused_by = ledger.causes(run).await?;
    let (past, is_all) = ledger.past_of(&entry).await?;
    let differences = differences(&entry, &past, is_all);
    Ok(RunReport { entry, tried, steps, caused_by, differences })
}

//! Which run or job is meant?

use std::sync::Arc;

use super::places::unreadable;
use super::typed::corrected;
use super::{Done, Refusal};
use crate::job::Job;
use crate::jobfile::nearest;
use crate::report::Entry;
use crate::run::RunId;
use crate::store::Reader;

/// A number is a run: no job's name begins with a digit.
pub fn parse_run(subject: &str) -> Option<Result<RunId, Refusal>> {
    subject.starts_with(|c: char| c.is_ascii_digit()).then(|| {
        let message = format!("`{subject}` is neither the number of a run nor the name of a job");
        subject.parse().map(RunId).map_err(|_| Refusal::new(Done::Misused, message))
    })
}

pub async fn find_run(ledger: &Reader, run: RunId) -> Result<Entry, Refusal> {
    let entry = ledger.entry(run).await.map_err(|error| unreadable(&error))?;
    entry.ok_or_else(|| {
        Refusal::new(Done::Failed, format!("there is no run {run}; the last ones are listed by: punctual history"))
    })
}

/// The named jobs, or all; a name that is none is refused.
pub fn chosen(jobs: &[Arc<Job>], names: &[String]) -> Result<Vec<Arc<Job>>, Refusal> {
    if names.is_empty() {
        return Ok(jobs.to_vec());
    }
    names.iter().map(|name| find_job(jobs, name)).collect()
}

/// The job of this name.
pub fn find_job(jobs: &[Arc<Job>], name: &str) -> Result<Arc<Job>, Refusal> {
    let found = jobs.iter().find(|job| job.name.as_str() == name);
    found.cloned().ok_or_else(|| no_job(name, jobs.iter().map(|job| job.name.as_str())))
}

/// There is no job of this name; perhaps there is one that was meant.
pub fn no_job<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Refusal {
    let help = match nearest(name, known) {
        Some(near) => format!("did you mean {near}? type: {}", corrected(name, near)),
        None => "the jobs are listed by: punctual status".to_owned(),
    };
    Refusal::new(Done::Failed, format!("there is no job `{name}`; {help}"))
}

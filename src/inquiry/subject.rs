//! Which run or job is meant?

use std::sync::Arc;

use super::no_answer::NoAnswer;
use crate::job::{ChannelName, Job};
use crate::jobfile::nearest;
use crate::report::Entry;
use crate::run::RunId;
use crate::store::Reader;

pub async fn find_run(ledger: &Reader, run: RunId) -> Result<Entry, NoAnswer> {
    ledger.entry(run).await?.ok_or_else(|| NoAnswer::Unknown {
        message: format!("there is no run {run}"),
        help: "the last ones are listed by: punctual history".to_owned(),
    })
}

/// The named jobs, or all; a name that is none is refused.
pub fn chosen(jobs: &[Arc<Job>], names: &[String]) -> Result<Vec<Arc<Job>>, NoAnswer> {
    if names.is_empty() {
        return Ok(jobs.to_vec());
    }
    names.iter().map(|name| find_job(jobs, name)).collect()
}

/// The job of this name.
pub fn find_job(jobs: &[Arc<Job>], name: &str) -> Result<Arc<Job>, NoAnswer> {
    let found = jobs.iter().find(|job| job.name.as_str() == name);
    found.cloned().ok_or_else(|| no_job(name, jobs.iter().map(|job| job.name.as_str())))
}

/// There is no job of this name; perhaps there is one that was meant.
pub fn no_job<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> NoAnswer {
    NoAnswer::NoJob { name: name.to_owned(), near: nearest(name, known).map(str::to_owned) }
}

/// There is no channel of this name; perhaps there is one that was meant.
pub fn no_channel<'n>(name: &str, known: impl IntoIterator<Item = &'n ChannelName>) -> NoAnswer {
    let known: Vec<&str> = known.into_iter().map(ChannelName::as_str).collect();
    let help = match (nearest(name, known.iter().copied()), known.as_slice()) {
        (Some(near), _) => format!("did you mean {near}?"),
        (None, []) => "the file has no [channels.NAME]".to_owned(),
        (None, known) => format!("there are: {}", known.join(", ")),
    };
    NoAnswer::Unknown { message: format!("there is no channel `{name}`"), help }
}

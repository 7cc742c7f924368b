//! Which jobs does somebody wish something of, and what is said if it does not come true?

use std::collections::BTreeSet;

use super::args::Global;
use super::complete::known_jobs;
use super::places::ask;
use super::typed::{corrected, ours};
use super::{Done, Refusal};
use crate::control::{ClientError, Code};
use crate::job::JobName;
use crate::jobfile::nearest;

/// The names as they were typed; a name that no job can have is none of a job.
pub fn names(global: &Global, typed: &[String]) -> Result<Vec<JobName>, Refusal> {
    let name = |name: &String| match JobName::new(name) {
        Ok(name) => Ok(name),
        Err(_) => Err(no_job(global, name, &ask(known_jobs(global))?)),
    };
    typed.iter().map(name).collect()
}

/// A wish that named these jobs did not come true.
pub async fn refused(global: &Global, jobs: &[JobName], error: ClientError) -> Refusal {
    let is_unknown = matches!(&error, ClientError::Refused(problem) if problem.code == Code::Unknown);
    if is_unknown && !jobs.is_empty() {
        let known = known_jobs(global).await;
        // What the daemon does not know may be in the file by now; then its own words are the right ones.
        if let Some(unknown) = jobs.iter().find(|job| !known.contains(job.as_str())) {
            return no_job(global, unknown.as_str(), &known);
        }
    }
    error.into()
}

fn no_job(global: &Global, name: &str, known: &BTreeSet<String>) -> Refusal {
    let help = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}? type: {}", corrected(name, near)),
        None => format!("the jobs are listed by: {}", ours(global, "status")),
    };
    Refusal::new(Done::Failed, format!("there is no job `{name}`; {help}"))
}

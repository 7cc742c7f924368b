//! Which jobs does somebody wish something of, and what is said if it does not come true?

use super::args::Global;
use super::complete::job_words;
use super::typed::{corrected, ours};
use super::{Done, Refusal};
use crate::control::{ClientError, Code};
use crate::job::JobName;
use crate::jobfile::nearest;

/// The names as they were typed; a name that no job can have is none of a job.
pub fn names(global: &Global, typed: &[String]) -> Result<Vec<JobName>, Refusal> {
    typed.iter().map(|name| JobName::new(name).map_err(|_| no_job(global, name))).collect()
}

/// A wish that named these jobs did not come true.
pub fn refused(global: &Global, jobs: &[JobName], error: ClientError) -> Refusal {
    let is_unknown = matches!(&error, ClientError::Refused(problem) if problem.code == Code::Unknown);
    let known = if is_unknown { known_jobs(global) } else { Vec::new() };
    // What the daemon does not know may be in the file by now; then its own words are the right ones.
    let unknown = jobs.iter().find(|job| is_unknown && !known.iter().any(|known| known == job.as_str()));
    unknown.map_or_else(|| error.into(), |unknown| no_job(global, unknown.as_str()))
}

fn known_jobs(global: &Global) -> Vec<String> {
    job_words(global).into_iter().map(|(name, _)| name).collect()
}

fn no_job(global: &Global, name: &str) -> Refusal {
    let known = known_jobs(global);
    let help = match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => format!("did you mean {near}? type: {}", corrected(name, near)),
        None => format!("the jobs are listed by: {}", ours(global, "status")),
    };
    Refusal::new(Done::Failed, format!("there is no job `{name}`; {help}"))
}

//! How is a wish brought to the running daemon? By its control socket, which its lock file names.

use super::args::Global;
use super::complete::job_words;
use super::places::{database, running_daemon, state_folder};
use super::typed::{again_with, corrected, ours};
use super::{Done, Refusal};
use crate::control::{Client, ClientError, Code, usual};
use crate::job::JobName;
use crate::jobfile::nearest;

/// Somebody who can be asked.
pub fn client(global: &Global) -> Result<Client, Refusal> {
    let state = state_folder(global)?;
    if let Some(daemon) = running_daemon(global) {
        return Client::of_daemon(daemon.pid, daemon.socket.as_deref()).map_err(|error| refusal(global, &error));
    }
    // Whoever may not read the lock file may be allowed to use the socket.
    let socket = usual(&database(global, &state));
    if socket.exists() { Ok(Client::at(&socket)) } else { Err(refusal(global, &ClientError::NoDaemon)) }
}

/// The names as they were typed; a name that no job can have is none of a job.
pub fn names(global: &Global, typed: &[String]) -> Result<Vec<JobName>, Refusal> {
    typed.iter().map(|name| JobName::new(name).map_err(|_| no_job(global, name))).collect()
}

/// A wish that named these jobs did not come true.
pub fn refused(global: &Global, jobs: &[JobName], error: &ClientError) -> Refusal {
    if let ClientError::Refused(problem) = error
        && problem.code == Code::Unknown
    {
        let known: Vec<String> = known_jobs(global);
        // What the daemon does not know may be in the file by now; then its own words are the right ones.
        if let Some(unknown) = jobs.iter().find(|job| !known.iter().any(|known| known == job.as_str())) {
            return no_job(global, unknown.as_str());
        }
    }
    refusal(global, error)
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

fn refusal(global: &Global, error: &ClientError) -> Refusal {
    match error {
        ClientError::NoDaemon => {
            Refusal::new(Done::Unreachable, format!("no daemon is running; start one with: {}", ours(global, "daemon")))
        }
        ClientError::NoPermission(path) => Refusal::new(
            Done::Unreachable,
            format!(
                "{} may not be opened by you: only its daemon's user and the `operators` of [daemon] may; type: sudo {}",
                path.display(),
                again_with(&[])
            ),
        ),
        ClientError::Refused(problem) => {
            let done = match problem.code {
                Code::Wrong | Code::TooLarge => Done::Misused,
                Code::Forbidden | Code::Unknown | Code::Conflict => Done::Failed,
                Code::Method | Code::Unavailable | Code::TimedOut => Done::Unreachable,
            };
            Refusal::new(done, error.to_string())
        }
        ClientError::NoSocket(_)
        | ClientError::Gone(_)
        | ClientError::Impostor { .. }
        | ClientError::TimedOut(_)
        | ClientError::Broken { .. } => Refusal::chain(Done::Unreachable, error),
    }
}

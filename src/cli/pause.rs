//! `punctual pause` and `punctual resume`: jobs that are not to run for a while, and are again.

use jiff::Timestamp;

use super::args::{Global, PauseArguments, ResumeArguments};
use super::moment::moment;
use super::places::ask;
use super::reach::client;
use super::screen::Screen;
use super::then::tell_all;
use super::wishing::{names, refused};
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::control::{ClientError, JobAfter, Which};
use crate::job::JobName;
use crate::schedule::parse_duration;
use crate::when::Toward;

pub fn run(global: &Global, verb: &PauseArguments, screen: &mut Screen) -> Answer {
    let until = until(verb, screen)?;
    let jobs = names(global, &verb.jobs)?;
    let client = client(global)?;
    let paused = ask(client.pause(&which(verb.all, &jobs), until, verb.reason.as_deref()))?;
    answer(global, &jobs, paused, screen)
}

pub fn resume(global: &Global, verb: &ResumeArguments, screen: &mut Screen) -> Answer {
    let jobs = names(global, &verb.jobs)?;
    let client = client(global)?;
    let resumed = ask(client.resume(&which(verb.all, &jobs)))?;
    if !screen.json && resumed.as_ref().is_ok_and(Vec::is_empty) {
        screen.note("no job is paused");
        return Ok(Done::Well);
    }
    answer(global, &jobs, resumed, screen)
}

fn which(all: bool, jobs: &[JobName]) -> Which {
    if all { Which::All } else { Which::These(jobs.to_vec()) }
}

fn answer(global: &Global, jobs: &[JobName], after: Result<Vec<JobAfter>, ClientError>, screen: &mut Screen) -> Answer {
    let after = after.map_err(|error| refused(global, jobs, error))?;
    if screen.json {
        screen.value(&after);
    } else {
        tell_all(&after, Clock::System.now(), screen);
    }
    Ok(Done::Well)
}

/// Until when it is to hold; `None` until somebody resumes it.
fn until(verb: &PauseArguments, screen: &Screen) -> Result<Option<Timestamp>, Refusal> {
    let now = Clock::System.now();
    let end = match (&verb.within, &verb.until) {
        (Some(within), _) => {
            let wrong = |why: String| Refusal::new(Done::Misused, format!("--for: {why}"));
            let length = parse_duration(within).map_err(|error| wrong(error.to_string()))?;
            now.checked_add(length).map_err(|_| wrong(format!("{within} is longer than time can be counted")))?
        }
        (None, Some(until)) => moment("--until", until, Toward::Future, screen)?.first,
        (None, None) => return Ok(None),
    };
    if end <= now {
        return Err(Refusal::new(Done::Misused, "a pause that ends now or before would be none"));
    }
    Ok(Some(end))
}

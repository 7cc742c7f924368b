//! `punctual pause` and `punctual resume`: jobs that are not to run for a while, and are again.

use jiff::{SignedDuration, Timestamp};

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
use crate::schedule::{QuantityError, parse_duration};
use crate::when::{Meant, Toward, weekday_after};

pub fn run(global: &Global, verb: &PauseArguments, screen: &mut Screen) -> Answer {
    let until = until(verb, screen)?;
    let jobs = names(global, &verb.jobs)?;
    let client = client(global)?;
    let which = which(verb.all, &jobs);
    let paused = client.pause(&which, until, verb.reason.as_deref());
    show(&wished(global, &jobs, paused)?, "was paused", screen);
    Ok(Done::Well)
}

pub fn resume(global: &Global, verb: &ResumeArguments, screen: &mut Screen) -> Answer {
    let jobs = names(global, &verb.jobs)?;
    let client = client(global)?;
    let which = which(verb.all, &jobs);
    let resumed = wished(global, &jobs, client.resume(&which))?;
    if !screen.json && resumed.is_empty() {
        screen.note("no job is paused");
    } else {
        show(&resumed, "was not paused", screen);
    }
    Ok(Done::Well)
}

fn which(all: bool, jobs: &[JobName]) -> Which {
    if all { Which::All } else { Which::These(jobs.to_vec()) }
}

fn wished(
    global: &Global,
    jobs: &[JobName],
    wish: impl Future<Output = Result<Vec<JobAfter>, ClientError>>,
) -> Result<Vec<JobAfter>, Refusal> {
    ask(async {
        match wish.await {
            Ok(after) => Ok(after),
            Err(error) => Err(refused(global, jobs, error).await),
        }
    })?
}

fn show(after: &[JobAfter], in_vain: &str, screen: &mut Screen) {
    if screen.json {
        screen.value(&after);
    } else {
        tell_all(after, in_vain, Clock::System.now(), screen);
    }
}

/// Until when it is to hold; `None` until somebody resumes it.
fn until(verb: &PauseArguments, screen: &Screen) -> Result<Option<Timestamp>, Refusal> {
    let now = Clock::System.now();
    let end = match (&verb.within, &verb.until) {
        (Some(within), _) => {
            let wrong = |why: String| Refusal::new(Done::Misused, format!("--for: {why}"));
            let length = parse_duration(within).map_err(|error| match error {
                QuantityError::TooLarge(_) => wrong(format!("{error}; without --for it holds until it is resumed")),
                _ => wrong(error.to_string()),
            })?;
            if length.is_zero() {
                return Err(wrong(format!("{within} is no time at all; without --for it holds until it is resumed")));
            }
            now.checked_add(length).map_err(|_| wrong(format!("{within} is longer than time can be counted")))?
        }
        (None, Some(until)) => {
            let Meant { first, last } = moment("--until", until, Toward::Future, screen)?;
            // Who says on a Monday "until monday" means the next one.
            let Meant { first, last } = match weekday_after(until, &now.to_zoned(screen.zone().clone())) {
                Some(next) if first <= now => next,
                _ => Meant { first, last },
            };
            // Of the day that it is now, or the week, its end is meant.
            if first <= now && now < last { instant_after(last) } else { first }
        }
        (None, None) => return Ok(None),
    };
    if end <= now {
        return Err(Refusal::new(
            Done::Misused,
            "--until: that is past; a pause that ends now or before would be none",
        ));
    }
    Ok(Some(end))
}

/// A stretch of time ends with its last microsecond; what follows begins with the next.
fn instant_after(last: Timestamp) -> Timestamp {
    last.checked_add(SignedDuration::from_micros(1)).unwrap_or(last)
}

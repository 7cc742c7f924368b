//! `punctual skip`: the next instants of a job are left out, or none of them any more.

use super::args::{Global, SkipArguments};
use super::places::ask;
use super::reach::client;
use super::screen::Screen;
use super::then::sentence;
use super::wishing::{names, refused};
use super::{Answer, Done};
use crate::clock::Clock;

pub fn run(global: &Global, verb: &SkipArguments, screen: &mut Screen) -> Answer {
    let jobs = names(global, std::slice::from_ref(&verb.job))?;
    let Some(job) = jobs.first() else {
        return Ok(Done::Misused);
    };
    let client = client(global)?;
    let after = ask(async {
        let after = if verb.undo { client.unskip(job).await } else { client.skip(job, verb.n).await };
        match after {
            Ok(after) => Ok(after),
            Err(error) => Err(refused(global, &jobs, error).await),
        }
    })??;
    if screen.json {
        screen.value(&after);
    } else {
        let line = sentence(&after, "had nothing to leave out", Clock::System.now(), screen);
        screen.line(line);
    }
    Ok(Done::Well)
}

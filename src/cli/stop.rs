//! `punctual stop`: a run, or whatever of a job has not ended, is ended.

use super::args::{Global, StopArguments};
use super::places::{ask, open_ledger};
use super::reach::client;
use super::screen::{Screen, visible};
use super::subject::parse_run;
use super::then::next_run;
use super::wait::{ending, until_ended};
use super::wishing::{names, refused};
use super::{Answer, Done};
use crate::clock::Clock;
use crate::control::Stopped;
use crate::report::Entry;
use crate::run::State;

pub fn run(global: &Global, verb: &StopArguments, screen: &mut Screen) -> Answer {
    let run = parse_run(&verb.subject).transpose()?;
    let jobs = match run {
        Some(_) => Vec::new(),
        None => names(global, std::slice::from_ref(&verb.subject))?,
    };
    let client = client(global)?;
    ask(async {
        let stopped = match (run, jobs.first()) {
            (Some(run), _) => client.stop_run(run, verb.kill).await,
            (None, Some(job)) => client.stop_job(job, verb.kill).await,
            (None, None) => return Ok(Done::Misused),
        };
        let Stopped { mut runs, job } = match stopped {
            Ok(stopped) => stopped,
            Err(error) => return Err(refused(global, &jobs, error).await),
        };
        if !screen.json {
            for entry in &runs {
                let line = in_a_line(entry, verb.kill);
                screen.line(line);
            }
        }
        if verb.wait {
            let ledger = open_ledger(global).await?;
            for entry in runs.iter_mut().filter(|entry| entry.state != State::Ended) {
                screen.flush();
                *entry = until_ended(global, &ledger, entry.clone()).await?;
                if !screen.json {
                    screen.line(ending(entry));
                }
            }
        }
        if screen.json {
            screen.value(&Stopped { runs, job });
        } else if let Some(line) = next_run(&job, Clock::System.now(), screen) {
            screen.line(line);
        }
        Ok(Done::Well)
    })?
}

fn in_a_line(entry: &Entry, kill: bool) -> String {
    let Entry { run, job, .. } = entry;
    match (entry.outcome, entry.state) {
        (Some(outcome), _) => {
            let detail = entry.detail.as_deref().map_or_else(String::new, |detail| format!(": {}", visible(detail)));
            format!("run {run} of {job} {outcome}{detail}")
        }
        (None, State::Waiting) => format!("run {run} of {job} does not begin any more"),
        (None, State::Running | State::Ended) if kill => format!("run {run} of {job} is killed"),
        (None, State::Running | State::Ended) => format!("run {run} of {job} was asked to end"),
    }
}

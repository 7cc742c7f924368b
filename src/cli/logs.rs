//! `punctual logs`: what did a run write?

use std::time::Duration;

use serde::Serialize;

use super::args::{Global, LogsArguments};
use super::output::{output_of, print_output};
use super::places::{ask, open_ledger, unreadable};
use super::screen::{Screen, visible_bytes};
use super::subject::{find_run, no_job, parse_run};
use super::{Answer, Done, Refusal};
use crate::report::{Entry, Time};
use crate::run::{RunId, State, Stream};
use crate::store::{OutputLine, Reader};

/// How often a run that is followed is looked at; its output reaches the ledger within a second anyway.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub fn run(global: &Global, verb: &LogsArguments, screen: &mut Screen) -> Answer {
    ask(async {
        let ledger = open_ledger(global).await?;
        let entry = subject(&ledger, verb).await?;
        let output = output_of(&ledger, &entry).await?;
        print(&entry, &output, verb, screen);
        if verb.follow {
            follow(&ledger, entry, output, verb, screen).await?;
        }
        Ok(Done::Well)
    })?
}

async fn subject(ledger: &Reader, verb: &LogsArguments) -> Result<Entry, Refusal> {
    if let Some(run) = parse_run(&verb.subject) {
        return find_run(ledger, run?).await;
    }
    let name = &verb.subject;
    let known = ledger.known_jobs().await.map_err(|error| unreadable(&error))?;
    if !known.contains(name) {
        return Err(no_job(name, known.iter().map(String::as_str)));
    }
    let last = ledger.last_run(name, verb.failed).await.map_err(|error| unreadable(&error))?;
    last.ok_or_else(|| {
        let what = if verb.failed { "no failed run" } else { "no run yet" };
        Refusal::new(Done::Failed, format!("{name} has {what}"))
    })
}

fn print(entry: &Entry, output: &[OutputLine], verb: &LogsArguments, screen: &mut Screen) {
    if screen.json {
        print_json(entry.run, output, screen);
    } else {
        print_output(output, verb.n, verb.raw, screen);
    }
}

/// Prints what comes until the run has ended.
async fn follow(
    ledger: &Reader,
    mut entry: Entry,
    mut printed: Vec<OutputLine>,
    verb: &LogsArguments,
    screen: &mut Screen,
) -> Result<(), Refusal> {
    while entry.state != State::Ended && screen.flush() {
        tokio::time::sleep(LOOK_EVERY).await;
        entry = find_run(ledger, entry.run).await?;
        let output = output_of(ledger, &entry).await?;
        let at = |line: &OutputLine| match line {
            OutputLine::Piece { offset, .. } => Some(*offset),
            OutputLine::Cut { .. } => None,
        };
        let last = printed.iter().filter_map(at).max();
        let news: Vec<OutputLine> = output
            .iter()
            .filter(|line| at(line).is_some_and(|offset| last.is_none_or(|last| offset > last)))
            .cloned()
            .collect();
        if screen.json {
            print_json(entry.run, &news, screen);
        } else {
            print_output(&news, None, verb.raw, screen);
        }
        printed.extend(news);
    }
    Ok(())
}

#[derive(Serialize)]
struct PieceReport {
    run: RunId,
    stream: Stream,
    at: Time,
    text: String,
}

#[derive(Serialize)]
struct CutReport {
    run: RunId,
    cut: u64,
}

fn print_json(run: RunId, output: &[OutputLine], screen: &mut Screen) {
    for line in output {
        match line {
            OutputLine::Piece { stream, at, data, .. } => {
                let text = visible_bytes(data);
                screen.value(&PieceReport { run, stream: *stream, at: Time(*at), text });
            }
            OutputLine::Cut { bytes } => screen.value(&CutReport { run, cut: *bytes }),
        }
    }
}

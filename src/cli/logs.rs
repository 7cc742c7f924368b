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
use crate::store::{OutputLine, OutputPart, Reader};

/// How often a run that is followed is looked at; its output reaches the ledger within a second anyway.
const LOOK_EVERY: Duration = Duration::from_millis(250);

pub fn run(global: &Global, verb: &LogsArguments, screen: &mut Screen) -> Answer {
    ask(async {
        let ledger = open_ledger(global).await?;
        let entry = subject(&ledger, verb).await?;
        let output = wanted(&ledger, &entry, verb).await?;
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

fn print(entry: &Entry, output: &[OutputPart], verb: &LogsArguments, screen: &mut Screen) {
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
    mut printed: Vec<OutputPart>,
    verb: &LogsArguments,
    screen: &mut Screen,
) -> Result<(), Refusal> {
    while entry.state != State::Ended && screen.flush() {
        tokio::time::sleep(LOOK_EVERY).await;
        entry = find_run(ledger, entry.run).await?;
        let output = wanted(ledger, &entry, verb).await?;
        let news = news(&printed, &output);
        if screen.json {
            print_json(entry.run, &news, screen);
        } else {
            print_output(&news, None, verb.raw, screen);
        }
        printed = output;
    }
    Ok(())
}

/// The output of the steps that are asked for.
async fn wanted(ledger: &Reader, entry: &Entry, verb: &LogsArguments) -> Result<Vec<OutputPart>, Refusal> {
    let mut output = output_of(ledger, entry).await?;
    if let Some(name) = &verb.step {
        output.retain(|part| part.step.as_ref().is_some_and(|step| step.name == *name));
    }
    Ok(output)
}

/// The pieces that were not there before.
fn news(printed: &[OutputPart], output: &[OutputPart]) -> Vec<OutputPart> {
    let offset = |line: &OutputLine| match line {
        OutputLine::Piece { offset, .. } => Some(*offset),
        OutputLine::Cut { .. } => None,
    };
    let mut news = Vec::new();
    for part in output {
        let before = printed.iter().find(|before| (before.attempt, &before.step) == (part.attempt, &part.step));
        let last = before.and_then(|before| before.lines.iter().filter_map(offset).max());
        let is_new = |line: &&OutputLine| offset(line).is_some_and(|offset| last.is_none_or(|last| offset > last));
        let lines: Vec<OutputLine> = part.lines.iter().filter(is_new).cloned().collect();
        if !lines.is_empty() {
            news.push(OutputPart { attempt: part.attempt, step: part.step.clone(), lines });
        }
    }
    news
}

#[derive(Serialize)]
struct PieceReport<'o> {
    run: RunId,
    attempt: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'o str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    step_attempt: Option<i64>,
    stream: Stream,
    at: Time,
    text: String,
}

#[derive(Serialize)]
struct CutReport<'o> {
    run: RunId,
    #[serde(skip_serializing_if = "Option::is_none")]
    step: Option<&'o str>,
    cut: u64,
}

fn print_json(run: RunId, output: &[OutputPart], screen: &mut Screen) {
    for part in output {
        let step = part.step.as_ref().map(|step| step.name.as_str());
        let step_attempt = part.step.as_ref().map(|step| step.attempt);
        for line in &part.lines {
            match line {
                OutputLine::Piece { stream, at, data, .. } => {
                    let text = visible_bytes(data);
                    screen.value(&PieceReport {
                        run,
                        attempt: part.attempt,
                        step,
                        step_attempt,
                        stream: *stream,
                        at: Time(*at),
                        text,
                    });
                }
                OutputLine::Cut { bytes } => screen.value(&CutReport { run, step, cut: *bytes }),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::StepOutput;

    /// Pieces of five bytes, at these offsets.
    fn part(attempt: i64, step: Option<&str>, offsets: &[u64]) -> OutputPart {
        let piece = |offset: &u64| OutputLine::Piece {
            offset: *offset,
            stream: Stream::Stdout,
            at: jiff::Timestamp::UNIX_EPOCH,
            data: b"text\n".to_vec(),
        };
        let step = step.map(|name| StepOutput { number: 1, name: name.to_owned(), attempt: 1 });
        OutputPart { attempt, step, lines: offsets.iter().map(piece).collect() }
    }

    #[test]
    fn only_what_was_not_there_is_news() {
        let check = |printed: OutputPart, output: OutputPart, expect: &[u64]| {
            let (attempt, step) = (output.attempt, output.step.as_ref().map(|step| step.name.clone()));
            let expect = if expect.is_empty() { vec![] } else { vec![part(attempt, step.as_deref(), expect)] };
            assert_eq!(news(&[printed], &[output]), expect);
        };
        check(part(1, None, &[0, 5]), part(1, None, &[0, 5, 10]), &[10]);
        check(part(1, None, &[0, 5]), part(1, None, &[0, 5]), &[]);
        check(part(1, Some("a"), &[0, 5]), part(1, Some("b"), &[0]), &[0]);
        // Another attempt begins anew.
        check(part(1, None, &[0, 5]), part(2, None, &[0, 5, 10]), &[0, 5, 10]);
        check(part(1, Some("a"), &[0, 5]), part(2, Some("a"), &[0]), &[0]);
    }
}

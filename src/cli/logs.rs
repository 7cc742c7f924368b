//! `punctual logs`: what did a run write?

use std::time::Duration;

use serde::Serialize;

use super::args::{Global, LogsArguments};
use super::next::no_job;
use super::places::{ask, open_ledger, unreadable};
use super::screen::{Screen, bytes, visible_bytes};
use super::show::{find_run, output_of, parse_run};
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

/// Prints output as text; of `lines`, only the last so many.
pub fn print_output(output: &[OutputLine], lines: Option<usize>, raw: bool, screen: &mut Screen) {
    let mut text = Vec::new();
    for line in output {
        match line {
            OutputLine::Piece { data, .. } if raw => text.extend_from_slice(data),
            OutputLine::Piece { data, .. } => text.extend_from_slice(visible_bytes(data).as_bytes()),
            OutputLine::Cut { .. } if raw => {}
            OutputLine::Cut { bytes: cut } => {
                if text.last().is_some_and(|byte| *byte != b'\n') {
                    text.push(b'\n');
                }
                let size = bytes(i64::try_from(*cut).unwrap_or(i64::MAX));
                text.extend_from_slice(screen.dim(&format!("[{size} were not kept]\n")).as_bytes());
            }
        }
    }
    if !raw && text.last().is_some_and(|byte| *byte != b'\n') {
        text.push(b'\n');
    }
    screen.raw(last_lines(&text, lines));
}

fn last_lines(text: &[u8], lines: Option<usize>) -> &[u8] {
    let Some(lines) = lines else {
        return text;
    };
    let ends = text.strip_suffix(b"\n").unwrap_or(text);
    let breaks = ends.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    match lines {
        0 => &[],
        lines => &text[breaks.skip(lines - 1).next().unwrap_or(0)..],
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole_lines() {
        assert_eq!(last_lines(b"a\nb\nc\n", Some(2)), b"b\nc\n");
        assert_eq!(last_lines(b"a\nb\nc", Some(1)), b"c");
        assert_eq!(last_lines(b"a\n", Some(5)), b"a\n");
        assert_eq!(last_lines(b"a\n", Some(0)), b"");
        assert_eq!(last_lines(b"", Some(3)), b"");
        assert_eq!(last_lines(b"a\nb", None), b"a\nb");
    }
}

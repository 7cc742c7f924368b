//! `punctual logs`: what did a run write?

use super::args::{Global, LogsArguments};
use super::follow::follow;
use super::output::{output_of, print_output};
use super::pieces::{CutReport, Joined, PieceReport};
use super::places::{ask, open_ledger, running_daemon, unreadable};
use super::screen::{Screen, visible};
use super::subject::{find_run, no_job, parse_run};
use super::{Answer, Done, Refusal};
use crate::report::Entry;
use crate::run::{RunId, State};
use crate::store::{News, OutputLine, OutputPart, PartId, Reader};

pub fn run(global: &Global, verb: &LogsArguments, screen: &mut Screen) -> Answer {
    ask(async {
        let ledger = open_ledger(global).await?;
        let entry = subject(&ledger, verb).await?;
        if verb.follow && entry.state != State::Ended {
            if running_daemon(global).is_none() {
                screen.note("no daemon is running: what is followed goes on when there is one");
            }
            let ended = follow(&ledger, entry, verb, screen).await?;
            say_how_it_ended(&ended, screen);
            return Ok(Done::Well);
        }
        let output = wanted(&ledger, &entry, verb).await?;
        if screen.json {
            print_json(entry.run, output, screen);
        } else {
            print_output(&output, verb.n, verb.raw, screen);
        }
        if verb.follow {
            say_how_it_ended(&entry, screen);
        }
        Ok(Done::Well)
    })?
}

/// Whoever follows wants to know why nothing more comes.
fn say_how_it_ended(entry: &Entry, screen: &mut Screen) {
    let Some(outcome) = entry.outcome else {
        return;
    };
    let detail = entry.detail.as_deref().map_or_else(String::new, |detail| format!(": {}", visible(detail)));
    screen.note(format!("run {} of {} {outcome}{detail}", entry.run, entry.job));
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
    if verb.follow && !verb.failed {
        // What goes on, before what waits for its turn.
        let open = ledger.open_runs().await.map_err(|error| unreadable(&error))?;
        let of_job = open.into_iter().filter(|entry| entry.job == *name);
        if let Some(entry) = of_job.max_by_key(|entry| (entry.state == State::Running, entry.attempts > 0, entry.run)) {
            return Ok(entry);
        }
    }
    let last = ledger.last_run(name, verb.failed).await.map_err(|error| unreadable(&error))?;
    last.ok_or_else(|| {
        let what = if verb.failed { "no failed run" } else { "no run yet" };
        Refusal::new(Done::Failed, format!("{name} has {what}"))
    })
}

/// The output of the steps that are asked for.
async fn wanted(ledger: &Reader, entry: &Entry, verb: &LogsArguments) -> Result<Vec<OutputPart>, Refusal> {
    let mut output = output_of(ledger, entry).await?;
    if let Some(name) = &verb.step {
        output.retain(|part| part.step.as_ref().is_some_and(|step| step.name == *name));
    }
    Ok(output)
}

fn print_json(run: RunId, output: Vec<OutputPart>, screen: &mut Screen) {
    let mut joined = Joined::default();
    let show = |pieces: Vec<News>, screen: &mut Screen| {
        for piece in &pieces {
            screen.value(&PieceReport::of(run, piece));
        }
    };
    for part in output {
        let of_step = part.step.as_ref().map_or((0, 0), |step| (step.number, step.attempt));
        let id = PartId { attempt: part.attempt, step: of_step.0, step_attempt: of_step.1 };
        for line in part.lines {
            match line {
                OutputLine::Piece { offset, stream, at, data } => {
                    let piece = News { part: id, step: part.step.clone(), offset, stream, at, data };
                    show(joined.take(piece).into_iter().collect(), screen);
                }
                OutputLine::Cut { bytes } => {
                    show(joined.rest_of(id), screen);
                    let step = part.step.as_ref().map(|step| step.name.as_str());
                    screen.value(&CutReport { run, step, cut: bytes });
                }
            }
        }
        show(joined.rest_of(id), screen);
    }
}

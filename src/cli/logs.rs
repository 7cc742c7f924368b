//! `punctual logs`: what did a run write?

use std::collections::BTreeSet;

use super::args::{Global, LogsArguments};
use super::follow::{Watch, follow};
use super::output::{keep_last_lines, output_of, print_output};
use super::places::{ask, in_force_or_file, open_ledger, running_daemon, unreadable};
use super::screen::{Screen, visible};
use super::subject::parse_run;
use super::typed::ours;
use super::upcoming::next_run;
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::inquiry::{CutReport, Joined, PieceReport, find_run, no_job};
use crate::jobfile::nearest;
use crate::report::Entry;
use crate::run::{Outcome, RunId, State};
use crate::store::{News, OutputLine, OutputPart, PartId, Reader};

pub fn run(global: &Global, verb: &LogsArguments, screen: &mut Screen) -> Answer {
    let mut is_idle = false;
    let answer = ask(async {
        let ledger = open_ledger(global).await?;
        let entry = subject(global, &ledger, verb).await?;
        if verb.follow && entry.state != State::Ended {
            if running_daemon(global).is_none() {
                screen.note("no daemon is running: one is waited for, though not for long");
            }
            let ended = follow(&ledger, entry, verb, Watch::new(global), screen).await?;
            say_how_it_ended(&ended, screen);
            return Ok(Done::Well);
        }
        let mut output = wanted(&ledger, &entry, verb).await?;
        if output.is_empty() && !verb.follow {
            screen.note(wrote_nothing(&entry, verb));
        }
        if screen.json {
            if let Some(lines) = verb.n {
                keep_last_lines(&mut output, lines);
            }
            print_json(entry.run, output, screen);
        } else {
            print_output(&output, verb.n, verb.raw, screen);
        }
        if verb.follow {
            say_how_it_ended(&entry, screen);
            is_idle = parse_run(&verb.subject).is_none();
        }
        Ok(Done::Well)
    })?;
    if is_idle {
        say_when_it_goes_on(global, &verb.subject, screen);
    }
    answer
}

/// Nothing of the job goes on that could be followed.
fn say_when_it_goes_on(global: &Global, name: &str, screen: &mut Screen) {
    let file = in_force_or_file(global, running_daemon(global).as_ref()).ok();
    let job = file.as_ref().and_then(|file| file.checked.jobs.iter().find(|job| job.name.as_str() == name));
    let next = job.and_then(|job| next_run(global, job, Clock::System.now(), screen));
    screen.note(match next {
        Some(next) => format!("{name} does not run now, there is no more to follow; its next run is {next}"),
        None => format!("{name} does not run now, there is no more to follow; when it runs next is not known"),
    });
}

/// Whoever follows wants to know why nothing more comes.
fn say_how_it_ended(entry: &Entry, screen: &mut Screen) {
    let Some(outcome) = entry.outcome else {
        return;
    };
    let detail = entry.detail.as_deref().map_or_else(String::new, |detail| format!(": {}", visible(detail)));
    screen.note(format!("run {} of {} {outcome}{detail}", entry.run, entry.job));
}

async fn subject(global: &Global, ledger: &Reader, verb: &LogsArguments) -> Result<Entry, Refusal> {
    if let Some(run) = parse_run(&verb.subject) {
        return Ok(find_run(ledger, run?).await?);
    }
    let name = &verb.subject;
    let known = ledger.known_jobs().await.map_err(|error| unreadable(&error))?;
    if !known.contains(name) {
        return Err(no_job(name, known.iter().map(String::as_str)).into());
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
        let message = if verb.failed {
            let history = ours(global, &format!("history {name}"));
            format!("{name} has no failed run; its runs are listed by: {history}")
        } else {
            format!("{name} has no run yet; carry it out here with: {}", ours(global, &format!("try {name}")))
        };
        Refusal::new(Done::Failed, message)
    })
}

/// The output of the steps that are asked for.
async fn wanted(ledger: &Reader, entry: &Entry, verb: &LogsArguments) -> Result<Vec<OutputPart>, Refusal> {
    let mut output = output_of(ledger, entry).await?;
    if let Some(name) = &verb.step {
        let attempts = ledger.attempts(entry.run).await.map_err(|error| unreadable(&error))?;
        let steps: BTreeSet<&str> = attempts.iter().filter_map(|attempt| attempt.step.as_deref()).collect();
        if !steps.contains(name.as_str()) {
            return Err(no_step(name, entry, &steps));
        }
        output.retain(|part| part.step.as_ref().is_some_and(|step| step.name == *name));
    }
    Ok(output)
}

fn no_step(name: &str, entry: &Entry, steps: &BTreeSet<&str>) -> Refusal {
    let message = match nearest(name, steps.iter().copied()) {
        _ if steps.is_empty() => format!("run {} of {} has no steps", entry.run, entry.job),
        near => {
            let meant = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            let all: Vec<&str> = steps.iter().copied().collect();
            format!("there is no step `{name}` in run {}: there are {}{meant}", entry.run, all.join(", "))
        }
    };
    Refusal::new(Done::Failed, message)
}

/// Why there is nothing to read.
fn wrote_nothing(entry: &Entry, verb: &LogsArguments) -> String {
    let who = verb.step.as_ref().map_or_else(String::new, |step| format!("step {} of ", visible(step)));
    let who = format!("{who}run {} of {}", entry.run, entry.job);
    match entry.outcome {
        None => format!("{who} has written nothing yet"),
        Some(outcome) if outcome.is_gap() || outcome == Outcome::NotStarted => {
            let detail = entry.detail.as_deref().map_or_else(String::new, |detail| format!(" ({})", visible(detail)));
            format!("{who} wrote nothing: {outcome}{detail}")
        }
        Some(_) => format!("{who} wrote nothing"),
    }
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
                    screen.value(&CutReport { run, attempt: part.attempt, step, cut: bytes });
                }
            }
        }
        show(joined.rest_of(id), screen);
    }
}

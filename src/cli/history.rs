//! `punctual history`: what ran, when, how late, how long, and how did it end?

use owo_colors::Style;

use super::args::{Global, HistoryArguments};
use super::places::{ask, open_ledger, unreadable};
use super::screen::{Screen, span, visible};
use super::subject::no_job;
use super::table::Cell;
use super::{Answer, Done};
use crate::report::{Entry, Time};
use crate::run::{Outcome, Reason};
use crate::store::HistoryFilter;

pub fn run(global: &Global, verb: &HistoryArguments, screen: &mut Screen) -> Answer {
    let entries = ask(async {
        let ledger = open_ledger(global).await?;
        let known = ledger.known_jobs().await.map_err(|error| unreadable(&error))?;
        if let Some(unknown) = verb.jobs.iter().find(|job| !known.contains(job)) {
            return Err(no_job(unknown, known.iter().map(String::as_str)));
        }
        let filter = HistoryFilter { jobs: verb.jobs.clone(), failed: verb.failed, limit: verb.n };
        ledger.history(&filter).await.map_err(|error| unreadable(&error))
    })??;
    if screen.json {
        screen.value(&entries);
    } else if entries.is_empty() {
        screen.note("no entries");
    } else {
        table(&entries, screen);
    }
    Ok(Done::Well)
}

/// Entries as people read them.
pub fn table(entries: &[Entry], screen: &mut Screen) {
    let rows = entries
        .iter()
        .map(|entry| {
            vec![
                entry.run.to_string().into(),
                entry.job.clone().into(),
                Cell::firm(screen.time(Time(entry.at))),
                entry.late.map_or_else(String::new, span).into(),
                entry.duration.map_or_else(String::new, span).into(),
                outcome(entry),
                why(entry).into(),
            ]
        })
        .collect();
    screen.table(&["RUN", "JOB", "DUE", "LATE", "TOOK", "OUTCOME", "WHY"], rows);
}

/// The word for how it ended, or for what it is doing, in its colour.
pub fn outcome(entry: &Entry) -> Cell {
    let Some(outcome) = entry.outcome else {
        return entry.state.word().into();
    };
    let style = style_of(outcome, entry.reason);
    let count = if entry.count > 1 { format!(" {}×", entry.count) } else { String::new() };
    Cell::painted(format!("{outcome}{count}"), style)
}

/// The colour of an outcome.
pub fn style_of(outcome: Outcome, reason: Option<Reason>) -> Style {
    match outcome {
        Outcome::Succeeded => Style::new().green(),
        _ if outcome.is_failure(reason) => Style::new().red(),
        _ => Style::new().yellow(),
    }
}

fn why(entry: &Entry) -> String {
    match (&entry.detail, entry.reason) {
        (Some(detail), _) => visible(detail),
        (None, Some(reason)) => reason.word().to_owned(),
        (None, None) => String::new(),
    }
}

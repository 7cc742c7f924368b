//! `punctual history`: what ran, when, how late, how long, and how did it end?

use std::ops::ControlFlow;
use std::time::Duration;

use owo_colors::Style;
use serde::{Serialize, Serializer};

use super::args::{Count, Global, HistoryArguments};
use super::asked::Asked;
use super::needle::{Needle, excerpt};
use super::places::{ask, open_ledger, unreadable};
use super::screen::{Screen, grouped, span, visible};
use super::sheet::{Format, Record, Sheet};
use super::subject::no_job;
use super::table::Cell;
use super::{Answer, Done, Refusal};
use crate::report::{Entry, Time};
use crate::run::{Outcome, Reason, State};
use crate::store::{Candidates, FoundLine, HistoryFilter, Order, Reader, Tally};

/// What stands below a table is counted only so far, and for so long: it must not be what one waits for.
const COUNTED: u32 = 10_000;
const COUNTED_WITHIN: Duration = Duration::from_millis(20);
/// So few runs in which a text may stand are looked up one by one; of more, the newest are looked at first.
const FEW: u64 = 20_000;

/// The fields of an entry, as its JSON has them.
const FIELDS: [&str; 23] = [
    "run", "job", "cause", "due", "due_last", "count", "jitter", "started", "ended", "late", "waited", "duration",
    "state", "outcome", "reason", "detail", "exit_code", "signal", "attempts", "cpu", "max_rss", "output_bytes", "host",
];

pub fn run(global: &Global, verb: &HistoryArguments, screen: &mut Screen) -> Answer {
    let format = match (verb.format, screen.json) {
        (Some(format), false) | (Some(format @ Format::Json), true) => format,
        (None, false) => Format::Table,
        (None, true) => Format::Json,
        (Some(_), true) => {
            return Err(Refusal::new(Done::Misused, "--json and --format ask for different formats; leave one out"));
        }
    };
    if let Some(sql) = &verb.sql {
        return super::select::run(global, sql, &verb.sql_timeout, format, screen);
    }
    let asked = Asked::of(verb, screen)?;
    ask(async {
        let ledger = open_ledger(global).await?;
        let known = ledger.known_jobs().await.map_err(|error| unreadable(&error))?;
        if let Some(unknown) = verb.jobs.iter().find(|job| !known.contains(job)) {
            return Err(no_job(unknown, known.iter().map(String::as_str)));
        }
        answer(&ledger, asked, verb.n, format, screen).await.map_err(|error| unreadable(&error))
    })?
}

async fn answer(
    ledger: &Reader,
    mut asked: Asked,
    count: Count,
    format: Format,
    screen: &mut Screen,
) -> Result<Done, sqlx::Error> {
    let candidates = candidates(ledger, &mut asked).await?;
    let header: &[&str] = match &asked.needle {
        Some(_) => &["RUN", "JOB", "DUE", "LATE", "TOOK", "OUTCOME", "LINE"],
        None => &HEADER,
    };
    let mut sheet = Sheet::begin(format, &FIELDS, header, &RIGID, screen);
    let mut tally = Tally::default();
    let mut newest = Vec::new();
    let order = if count == Count::All { Order::OldestFirst } else { Order::NewestFirst };
    let limit = match (count, &asked.needle) {
        // What fits is known only when it was looked at.
        (Count::All, _) | (Count::Newest(1..), Some(_)) => None,
        (Count::Newest(0), None) => Some(0),
        (Count::Newest(0), Some(_)) => None,
        (Count::Newest(wanted), None) => Some(wanted),
    };
    let visit = async |entry: Entry| {
        let Some(line) = line_of(ledger, &entry, asked.needle.as_ref(), &candidates).await? else {
            return Ok(ControlFlow::Continue(()));
        };
        add(&mut tally, &entry);
        let record = EntryRecord { entry, line };
        Ok(match count {
            Count::All => sheet.push(&record),
            Count::Newest(0) => ControlFlow::Continue(()),
            Count::Newest(wanted) => {
                newest.push(record);
                if newest.len() < wanted as usize { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            }
        })
    };
    ledger.each_entry(&asked.filter, order, limit, visit).await?;
    for record in newest.iter().rev() {
        if sheet.push(record).is_break() {
            break;
        }
    }
    let shown = sheet.count;
    let cut = sheet.end();
    if format == Format::Table {
        conclude(ledger, &asked, count, shown, tally, &cut, screen).await?;
    }
    Ok(Done::Well)
}

/// Where the text may stand. If that is in few runs, only they are asked for.
async fn candidates(ledger: &Reader, asked: &mut Asked) -> Result<Candidates, sqlx::Error> {
    let Some(text) = asked.needle.as_ref().and_then(|needle| needle.text.as_deref()) else {
        return Ok(Candidates::all());
    };
    let candidates = ledger.candidates(text).await?;
    if candidates.count(ledger.newest_run().await?) <= FEW {
        asked.filter.runs = Some(candidates.ranges.clone());
    }
    Ok(candidates)
}

/// The line that fits, if one is looked for; `None`: the entry is not meant.
async fn line_of(
    ledger: &Reader,
    entry: &Entry,
    needle: Option<&Needle>,
    candidates: &Candidates,
) -> Result<Option<Option<FoundLine>>, sqlx::Error> {
    let Some(needle) = needle else {
        return Ok(Some(None));
    };
    // Of a run under way it is not known yet how much it wrote.
    let is_silent = entry.state == State::Ended && entry.output_bytes == 0;
    if is_silent || !candidates.contain(entry.run) {
        return Ok(None);
    }
    Ok(ledger.first_line(entry.run, &needle.pattern).await?.map(Some))
}

fn add(tally: &mut Tally, entry: &Entry) {
    let kind = (entry.state, entry.outcome);
    match tally.kinds.iter_mut().find(|(state, outcome, _)| (*state, *outcome) == kind) {
        Some((_, _, count)) => *count += 1,
        None => tally.kinds.push((entry.state, entry.outcome, 1)),
    }
}

/// What stands below the table where somebody looks: how many there are, and what of them is not shown.
async fn conclude(
    ledger: &Reader,
    asked: &Asked,
    count: Count,
    shown: u64,
    seen: Tally,
    cut: &[String],
    screen: &mut Screen,
) -> Result<(), sqlx::Error> {
    let asks_for_number = count == Count::Newest(0);
    let is_all = match count {
        Count::All => true,
        Count::Newest(0) => asked.needle.is_some(),
        Count::Newest(wanted) => shown < u64::from(wanted),
    };
    if shown == 0 && !asks_for_number {
        let note = why_nothing(ledger, asked, screen).await?;
        screen.note(note);
        return Ok(());
    }
    if screen.width().is_none() && !asks_for_number {
        return Ok(());
    }
    let total = if is_all {
        Some(Tally { is_complete: true, ..seen })
    } else if asked.needle.is_some() {
        None
    } else if asks_for_number {
        ledger.tally(&asked.filter, None).await?
    } else {
        ledger.tally(&asked.filter, Some((COUNTED, COUNTED_WITHIN))).await?
    };
    let line = in_words(shown, asks_for_number, total.as_ref());
    if asks_for_number {
        screen.line(line);
        return Ok(());
    }
    let cut = match cut {
        [] => String::new(),
        cut => format!("; {} cut to the terminal, --json has all of it", cut.join(" and ")),
    };
    let line = screen.dim(&format!("{line}{cut}"));
    screen.line(line);
    Ok(())
}

/// `20 of 1,312 entries: 1,290 succeeded, 22 failed`.
fn in_words(shown: u64, asks_for_number: bool, total: Option<&Tally>) -> String {
    let Some(total) = total else {
        return format!("the newest {} entries; there may be more", grouped(shown));
    };
    let number: u64 = total.kinds.iter().map(|(_, _, count)| count).sum();
    if !total.is_complete {
        return format!("{} of more than {} entries", grouped(shown), grouped(number.saturating_sub(1)));
    }
    let kind = |(state, outcome, count): &(State, Option<Outcome>, u64)| {
        format!("{} {}", grouped(*count), outcome.map_or_else(|| state.word(), Outcome::word))
    };
    let kinds: Vec<String> = total.kinds.iter().map(kind).collect();
    let entries = if number == 1 { "entry" } else { "entries" };
    let all = format!("{} {entries}", grouped(number));
    let of = if shown < number && !asks_for_number { format!("{} of ", grouped(shown)) } else { String::new() };
    let kinds = if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(", ")) };
    format!("{of}{all}{kinds}")
}

/// Nothing was found: is there nothing, or is it that nothing fits?
async fn why_nothing(ledger: &Reader, asked: &Asked, screen: &Screen) -> Result<String, sqlx::Error> {
    let HistoryFilter { jobs, since, until, .. } = &asked.filter;
    let Some((first, last)) = ledger.first_and_last(jobs).await? else {
        return Ok(match jobs.as_slice() {
            [] => "no entries: nothing has been due since this ledger was begun".to_owned(),
            jobs => format!("no entries of {}: nothing of it has been due, or all of it was pruned", jobs.join(", ")),
        });
    };
    let whole = asked.whatever_became();
    let bound = Some((COUNTED, COUNTED_WITHIN));
    let there = ledger.tally(&whole, bound).await?;
    let number: Option<u64> =
        there.filter(|tally| tally.is_complete).map(|tally| tally.kinds.iter().map(|(_, _, count)| count).sum());
    let (first, last) = (screen.time(Time(first)), screen.time(Time(last)));
    let in_time = match (since, until) {
        (None, None) => String::new(),
        (Some(since), None) => format!(" since {}", screen.time(Time(*since))),
        (None, Some(until)) => format!(" until {}", screen.time(Time(*until))),
        (Some(since), Some(until)) => format!(" from {} to {}", screen.time(Time(*since)), screen.time(Time(*until))),
    };
    let of_jobs = if jobs.is_empty() { String::new() } else { format!(" of {}", jobs.join(", ")) };
    if number == Some(0) {
        return Ok(format!("no entries{of_jobs}{in_time}: they are due from {first} to {last}"));
    }
    let number = number.map_or_else(|| format!("more than {}", grouped(u64::from(COUNTED))), grouped);
    let hint = match &asked.needle {
        Some(_) => "; only lines of output are searched that the ledger still keeps",
        None => "",
    };
    Ok(format!("no entries: of {number}{of_jobs}{in_time} none is as asked{hint}"))
}

const HEADER: [&str; 7] = ["RUN", "JOB", "DUE", "LATE", "TOOK", "OUTCOME", "WHY"];
/// A time or a number that is cut says nothing, or something else.
const RIGID: [&str; 5] = ["RUN", "DUE", "LATE", "TOOK", "OUTCOME"];

/// An entry, and the line for which it was found.
struct EntryRecord {
    entry: Entry,
    line: Option<FoundLine>,
}

impl Serialize for EntryRecord {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.entry.serialize(serializer)
    }
}

impl Record for EntryRecord {
    fn fields(&self) -> Vec<String> {
        let value = serde_json::to_value(&self.entry).unwrap_or_default();
        let field = |name: &&str| match value.get(*name) {
            None | Some(serde_json::Value::Null) => String::new(),
            Some(serde_json::Value::String(text)) => visible(text),
            Some(other) => other.to_string(),
        };
        FIELDS.iter().map(field).collect()
    }

    fn cells(&self, screen: &Screen) -> Vec<Cell> {
        let mut cells = cells(&self.entry, screen);
        if let (Some(line), Some(last)) = (&self.line, cells.last_mut()) {
            *last = excerpt(line).into();
        }
        cells
    }
}

fn cells(entry: &Entry, screen: &Screen) -> Vec<Cell> {
    vec![
        entry.run.to_string().into(),
        entry.job.clone().into(),
        screen.time(Time(entry.at)).into(),
        entry.late.map_or_else(String::new, span).into(),
        entry.duration.map_or_else(String::new, span).into(),
        outcome(entry),
        why(entry).into(),
    ]
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

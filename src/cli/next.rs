//! `punctual next`: when is it due?

use std::io::BufRead;
use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::{Timestamp, Zoned};
use serde::{Deserialize, Serialize};

use super::args::{Global, NextArguments};
use super::places::{config_file, read, running_daemon};
use super::screen::{Screen, span, time_in};
use super::subject::chosen;
use super::table::Cell;
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::files::Machine;
use crate::jobfile::{Zones, nearest};
use crate::report::{NextReport, Seconds, Time};
use crate::schedule::{Fold, Gap, Place, Schedule, Timetable};

const OF_ONE: usize = 5;
const OF_SEVERAL: usize = 20;
/// More would be a flood rather than an answer.
const MOST: usize = 1_000_000;

pub fn run(global: &Global, verb: &NextArguments, screen: &mut Screen) -> Answer {
    if verb.batch {
        return batch(screen);
    }
    let now = Clock::System.now();
    let from = match &verb.from {
        Some(text) => parse_time(text, screen)?,
        None => now,
    };
    match &verb.expr {
        Some(expression) => next_of_expression(expression, verb, from, now, screen),
        None => next_of_jobs(global, verb, from, now, screen),
    }
}

fn parse_time(text: &str, screen: &Screen) -> Result<Timestamp, Refusal> {
    let local = |civil: DateTime| civil.to_zoned(screen.zone().clone()).map(|zoned: Zoned| zoned.timestamp());
    let time = text.parse::<Timestamp>().or_else(|_| text.parse::<DateTime>().and_then(local));
    time.map_err(|_| {
        let message = format!(
            "`{text}` is no time; write for example 2026-03-07T00:00:00Z, or 2026-03-07 for its local midnight"
        );
        Refusal::new(Done::Misused, message)
    })
}

fn next_of_expression(
    expression: &str,
    verb: &NextArguments,
    from: Timestamp,
    now: Timestamp,
    screen: &mut Screen,
) -> Answer {
    let zones = Machine::default();
    let name = verb.timezone.as_deref().unwrap_or("system");
    let timetable =
        timetable(expression, name, &zones, None, None).map_err(|message| Refusal::new(Done::Failed, message))?;
    let count = verb.n.unwrap_or(OF_ONE).min(MOST);
    let zone = zones.zone(name).map_or_else(|| name.to_owned(), |zone| zone.name);
    let reports: Vec<NextReport> = instants(&timetable, from)
        .take(count)
        .map(|(due, schedule)| NextReport {
            job: None,
            due: Time(due),
            distance: distance(due, now),
            schedule: schedule.text().to_owned(),
            timezone: zone.clone(),
        })
        .collect();
    if reports.is_empty() && !screen.json {
        screen.note("it names no instant from then on");
    }
    show(&reports, &timetable.place.zone, screen);
    Ok(Done::Well)
}

/// The instants of a timetable, each with the schedule that names it.
fn instants(timetable: &Timetable, from: Timestamp) -> impl Iterator<Item = (Timestamp, &Schedule)> {
    std::iter::successors(timetable.next_with_schedule(from), |(last, _)| timetable.next_with_schedule(*last))
}

fn distance(due: Timestamp, now: Timestamp) -> Seconds {
    Seconds::from_micros(due.as_microsecond() - now.as_microsecond())
}

/// A timetable of one schedule, or what is wrong with it, with the place marked.
fn timetable(
    expression: &str,
    zone: &str,
    zones: &dyn Zones,
    gap: Option<Gap>,
    fold: Option<Fold>,
) -> Result<Timetable, String> {
    let schedule = Schedule::parse(expression, "").map_err(|error| {
        let column = expression.get(..error.span.start).map_or(0, |before| before.chars().count()) + 1;
        let help = error.help.map_or_else(String::new, |help| format!("; {help}"));
        format!("`{expression}`, column {column}: {}{help}", error.message)
    })?;
    let found = zones.zone(zone).ok_or_else(|| {
        let names = zones.names();
        let near = nearest(zone, names.iter().map(String::as_str));
        let help = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
        format!("there is no zone `{zone}`{help}")
    })?;
    Ok(Timetable::new(vec![Arc::new(schedule)], Place { gap, fold, ..Place::of(found.zone) }))
}

fn next_of_jobs(global: &Global, verb: &NextArguments, from: Timestamp, now: Timestamp, screen: &mut Screen) -> Answer {
    let path = config_file(global, running_daemon(global).as_ref())?;
    let configuration = read(&path)?;
    if !configuration.checked.is_right() {
        super::check::complain_about(&configuration, screen);
        return Err(Refusal::new(Done::Failed, format!("{} is wrong", path.display())));
    }
    let jobs = chosen(&configuration.checked.jobs, &verb.jobs)?;
    let count = verb.n.unwrap_or(if jobs.len() == 1 { OF_ONE } else { OF_SEVERAL }).min(MOST);
    let mut reports = Vec::new();
    for job in &jobs {
        let Some(timing) = job.active_timing() else {
            continue;
        };
        reports.extend(instants(&timing.timetable, from).take(count).map(|(due, schedule)| NextReport {
            job: Some(job.name.to_string()),
            due: Time(due),
            distance: distance(due, now),
            schedule: schedule.text().to_owned(),
            timezone: timing.written.zone.clone(),
        }));
    }
    reports.sort_by(|a, b| (a.due, &a.job).cmp(&(b.due, &b.job)));
    reports.truncate(count);
    if let ([job], []) = (&jobs[..], &reports[..])
        && !screen.json
    {
        let why = match (&job.timing, job.enabled) {
            (_, false) => "it is disabled",
            (None, true) => "it has no schedule: it is run by hand",
            (Some(_), true) => "all its instants are past, or it waits for a start of the daemon or the machine",
        };
        screen.note(format!("{} is not due: {why}", job.name));
    }
    let zone = screen.zone().clone();
    show(&reports, &zone, screen);
    Ok(Done::Well)
}

fn show(reports: &[NextReport], zone: &jiff::tz::TimeZone, screen: &mut Screen) {
    if screen.json {
        screen.value(&reports);
        return;
    }
    if reports.is_empty() {
        return;
    }
    let with_job = reports.iter().any(|report| report.job.is_some());
    let elsewhere = reports.iter().any(|report| screen.differs(zone, report.due.0));
    let mut header = vec!["DUE", "IN", "SCHEDULE", "ZONE"];
    if with_job {
        header.insert(0, "JOB");
    }
    if elsewhere {
        header.push("HERE");
    }
    let rows = reports.iter().map(|report| {
        let mut row: Vec<Cell> = vec![
            time_in(report.due.0, zone).into(),
            span(report.distance).into(),
            report.schedule.clone().into(),
            report.timezone.clone().into(),
        ];
        if let Some(job) = &report.job {
            row.insert(0, job.clone().into());
        }
        if elsewhere {
            row.push(screen.time(report.due).into());
        }
        row
    });
    let rows = rows.collect();
    screen.table(&header, rows);
}

/// A question of `--batch`.
#[derive(Deserialize)]
struct Question {
    expr: String,
    tz: String,
    from: Timestamp,
    count: usize,
    #[serde(default)]
    dst_gap: Option<String>,
    #[serde(default)]
    dst_fold: Option<String>,
}

#[derive(Serialize)]
enum Reply {
    #[serde(rename = "next")]
    Next(Vec<Timestamp>),
    #[serde(rename = "error")]
    Error(String),
}

fn batch(screen: &mut Screen) -> Answer {
    let zones = Machine::default();
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line.map_err(|error| Refusal::chain(Done::Failed, &error))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let reply = serde_json::from_slice(&line)
            .map_err(|error| error.to_string())
            .and_then(|question| reply(&question, &zones));
        screen.value(&reply.map_or_else(Reply::Error, Reply::Next));
        if !screen.flush() {
            break;
        }
    }
    Ok(Done::Well)
}

fn reply(question: &Question, zones: &dyn Zones) -> Result<Vec<Timestamp>, String> {
    let gap = question
        .dst_gap
        .as_deref()
        .map(|word| Gap::from_word(word).ok_or_else(|| format!("`{word}` is no dst_gap: it is shift or skip")));
    let fold = question.dst_fold.as_deref().map(|word| {
        Fold::from_word(word).ok_or_else(|| format!("`{word}` is no dst_fold: it is first, second or both"))
    });
    let timetable = timetable(&question.expr, &question.tz, zones, gap.transpose()?, fold.transpose()?)?;
    if !timetable.names_any() {
        return Err("this schedule never fires".to_owned());
    }
    if question.count > MOST {
        return Err(format!("{} instants are too many: {MOST} at the most", question.count));
    }
    Ok(instants(&timetable, question.from).take(question.count).map(|(due, _)| due).collect())
}

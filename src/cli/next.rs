//! `punctual next`: when is it due?

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::args::{Global, NextArguments};
use super::check::read_in_force;
use super::held::{held, paused_since};
use super::moment::moment;
use super::places::running_daemon;
use super::screen::{Screen, counted, span, time_in, visible};
use super::table::Cell;
use super::trial::{MOST, Trial};
use super::typed::ours;
use super::why;
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::files::Machine;
use crate::inquiry::{Due, chosen, due, next_of, pause_report, why_not, without_instants};
use crate::job::Job;
use crate::jobfile::Zones;
use crate::plan::Held;
use crate::report::{Seconds, Time};
use crate::schedule::Timetable;
use crate::when::Toward;

const OF_ONE: usize = 5;
const OF_SEVERAL: usize = 20;
/// Of so many jobs without an instant it is said why.
const FEW: usize = 6;

pub fn run(global: &Global, verb: &NextArguments, screen: &mut Screen) -> Answer {
    if verb.batch {
        return super::batch::run(screen);
    }
    let now = Clock::System.now();
    let from = match &verb.from {
        Some(text) => moment("--from", text, Toward::Future, screen)?.first,
        None => now,
    };
    match &verb.expr {
        Some(expression) => next_of_expression(expression, verb, from, now, screen),
        None => next_of_jobs(global, verb, from, now, screen),
    }
}

fn next_of_expression(
    expression: &str,
    verb: &NextArguments,
    from: Timestamp,
    now: Timestamp,
    screen: &mut Screen,
) -> Answer {
    let machine = Machine::default();
    let name = verb.timezone.as_deref().unwrap_or("system");
    let job = verb.name.as_deref().unwrap_or_default();
    let trial = Trial { expression, job, zone: name, gap: None, fold: None };
    let timetable = trial.timetable(&machine).map_err(|message| Refusal::new(Done::Failed, message))?;
    if verb.name.is_none() && timetable.schedules[0].is_hashed() {
        screen.note("`H` is hashed from the job's name; ask with --name NAME for what it comes to");
    }
    let zone = machine.zone(name).map_or_else(|| name.to_owned(), |zone| zone.name);
    let (of_nobody, nothing) = (None, Held::default());
    let reports = due(of_nobody, &nothing, &timetable, &zone, from, now).take(count(verb, 1)).collect::<Vec<_>>();
    if reports.is_empty() && !screen.json {
        screen.note(without_instants(&timetable, from));
    }
    if screen.json {
        answer(&reports, screen);
    } else {
        say_in_words(&timetable, screen);
        show_one(&reports, &timetable.place.zone, screen);
    }
    Ok(Done::Well)
}

/// How many instants are asked for, of so many jobs.
fn count(verb: &NextArguments, jobs: usize) -> usize {
    let wanted = verb.n.map(|wanted| usize::try_from(wanted).unwrap_or(MOST));
    wanted.unwrap_or(if jobs == 1 { OF_ONE } else { OF_SEVERAL }).min(MOST)
}

fn next_of_jobs(global: &Global, verb: &NextArguments, from: Timestamp, now: Timestamp, screen: &mut Screen) -> Answer {
    let configuration = read_in_force(global, screen)?;
    let jobs = chosen(&configuration.checked.jobs, &verb.jobs)?;
    let count = count(verb, jobs.len());
    let held = held(global, screen);
    // Unless so many were asked for, each job is to be seen, however often another is due.
    let share = if verb.n.is_none() && jobs.len() > 1 { share(&jobs) } else { count };
    let reports = next_of(&jobs, &held, from, now, (count, share));
    match &jobs[..] {
        _ if screen.json => answer(&reports, screen),
        [job] => {
            if reports.is_empty() {
                let pause = held.pauses.of(&job.name).filter(|pause| pause.until.is_none());
                let why = pause.map(|pause| format!("it is {}", paused_since(&pause_report(pause), screen)));
                let follows = job.active_timing().is_some_and(|timing| timing.timetable.after_end().is_some());
                match why::line(global, job.name.as_str(), Some(vec![Arc::clone(job)]), running_daemon(global), screen)
                {
                    Some(line) if follows && why.is_none() => screen.note(visible(&line)),
                    _ => {
                        let why = why.unwrap_or_else(|| why_not(job, from));
                        screen.note(format!("{} is not due: {why}", job.name));
                    }
                }
            }
            if let Some(timing) = &job.timing {
                say_in_words(&timing.timetable, screen);
                say_what_holds(job, &held, screen);
                show_one(&reports, &timing.timetable.place.zone, screen);
            }
        }
        _ if reports.is_empty() => say_why_none(global, &jobs, &held, from, screen),
        _ => {
            show_several(&reports, screen);
            if share < count {
                say_what_is_between(&jobs, &held, &reports, share, screen);
            }
        }
    }
    Ok(Done::Well)
}

/// How many instants each of several jobs has in their common list.
fn share(jobs: &[Arc<Job>]) -> usize {
    let due = jobs.iter().filter(|job| job.active_timing().is_some()).count();
    (OF_SEVERAL / due.max(1)).clamp(1, OF_ONE)
}

/// Jobs with more instants before the last one shown, and jobs that are due later.
fn say_what_is_between(jobs: &[Arc<Job>], held: &Held, dues: &[Due], share: usize, screen: &mut Screen) {
    let Some(last) = dues.last().map(|due| due.report.due.0) else {
        return;
    };
    let (mut more, mut later) = (Vec::new(), 0);
    for job in jobs {
        let mut own = dues.iter().filter(|due| due.report.job.as_deref() == Some(job.name.as_str()));
        let newest = own.next_back().map(|due| due.report.due.0);
        let timetable = job.active_timing().map(|timing| &timing.timetable);
        let next = timetable.and_then(|timetable| held.next_open(&job.name, timetable, newest.unwrap_or(last)));
        match (newest, next) {
            (Some(_), Some((next, _))) if next <= last => more.push(job.name.as_str()),
            (None, Some(_)) => later += 1,
            _ => {}
        }
    }
    let mut parts = Vec::new();
    if !more.is_empty() {
        let rest = (more.len().saturating_sub(FEW)) as u64;
        let names = more.iter().take(FEW).map(|name| (*name).to_owned());
        let names: Vec<String> = names.chain((rest > 0).then(|| counted(rest, "other job"))).collect();
        let instants = if share == 1 { "instant is".to_owned() } else { format!("{share} instants are") };
        parts.push(format!("of {} only the next {instants} here", names.join(", ")));
    }
    if later > 0 {
        let are = if later == 1 { "is" } else { "are" };
        parts.push(format!("{} due later {are} not here", counted(later, "job")));
    }
    if !parts.is_empty() {
        screen.prose(&format!("{}; with -n N the next N of all come in their order", parts.join(", ")));
    }
}

/// Why none of several jobs is due.
fn say_why_none(global: &Global, jobs: &[Arc<Job>], held: &Held, from: Timestamp, screen: &mut Screen) {
    if jobs.is_empty() {
        screen.note("there is no job in the file");
        return;
    }
    let is_paused = |job: &Arc<Job>| held.pauses.of(&job.name).is_some_and(|pause| pause.until.is_none());
    let mut due = jobs.iter().filter(|job| job.active_timing().is_some()).peekable();
    let all = held.pauses.get(&None);
    if due.peek().is_some() && due.all(is_paused) {
        screen.note(match all.map(pause_report) {
            Some(pause) => format!(
                "all jobs are {}; they go on with: {}",
                paused_since(&pause, screen),
                ours(global, "resume --all")
            ),
            None => format!("all jobs with a schedule are paused; they go on with: {}", ours(global, "resume --all")),
        });
        return;
    }
    for job in jobs.iter().take(FEW) {
        let why = if is_paused(job) { "it is paused".to_owned() } else { why_not(job, from) };
        screen.note(format!("{} is not due: {why}", job.name));
    }
    if jobs.len() > FEW {
        screen.note(format!("nor are {}", counted((jobs.len() - FEW) as u64, "other job")));
    }
}

/// What people have said of its instants.
fn say_what_holds(job: &Job, held: &Held, screen: &mut Screen) {
    if let Some(pause) = held.pauses.of(&job.name) {
        let line = paused_since(&pause_report(pause), screen);
        screen.line(line);
    }
    for (due, word) in held.left_out(&job.name) {
        let line = format!("{}  {}", screen.time(Time(*due)), screen.dim(&visible(word)));
        screen.line(line);
    }
}

/// What the schedules mean, and what else decides.
fn say_in_words(timetable: &Timetable, screen: &mut Screen) {
    for schedule in &timetable.schedules {
        let (text, words) = (visible(schedule.text()), schedule.in_words());
        let line = format!("{text}  {}", screen.dim(&words));
        screen.line(line);
    }
    for calendar in timetable.closure.iter().flat_map(|closure| &closure.calendars) {
        let then = timetable.closure.as_ref().map_or("skip", |closure| closure.then.word());
        screen.line(screen.dim(&format!("not on {} ({then})", visible(&calendar.name))));
    }
    screen.line("");
}

/// The instants of one schedule or job, as the clocks of its zone show them.
fn show_one(dues: &[Due], zone: &TimeZone, screen: &mut Screen) {
    let with_words = dues.iter().any(|due| due.words != dues[0].words);
    let elsewhere = dues.iter().any(|due| screen.differs(zone, due.report.due.0));
    let columns = [("DUE", true), ("ZONE", true), ("IN", true), ("HERE", elsewhere), ("SCHEDULE", with_words)];
    let row = |Due { report, words, .. }: &Due| -> Vec<Cell> {
        vec![
            time_in(report.due.0, zone).into(),
            format!("{} {}", zone.to_offset(report.due.0), report.timezone).into(),
            distance(report.distance).into(),
            screen.time(report.due).into(),
            words.to_string().into(),
        ]
    };
    let rows = dues.iter().map(row).collect();
    show(&columns, rows, screen);
}

/// The instants of several jobs, as the clocks here show them.
fn show_several(dues: &[Due], screen: &mut Screen) {
    let there = |due: &Due| screen.differs(&due.zone, due.report.due.0);
    let columns = [("JOB", true), ("DUE", true), ("IN", true), ("THERE", dues.iter().any(there)), ("SCHEDULE", true)];
    let row = |due: &Due| -> Vec<Cell> {
        let Due { report, zone, words } = due;
        let time = report.due.0.to_zoned(zone.clone()).strftime("%H:%M:%S");
        vec![
            report.job.clone().unwrap_or_default().into(),
            screen.time(report.due).into(),
            distance(report.distance).into(),
            if there(due) { format!("{time} {}", report.timezone) } else { String::new() }.into(),
            words.to_string().into(),
        ]
    };
    let rows = dues.iter().map(row).collect();
    show(&columns, rows, screen);
}

/// A table of the columns that are needed.
fn show(columns: &[(&str, bool)], rows: Vec<Vec<Cell>>, screen: &mut Screen) {
    if rows.is_empty() {
        return;
    }
    let header: Vec<&str> = columns.iter().filter(|(_, needed)| *needed).map(|(title, _)| *title).collect();
    let needed = |row: Vec<Cell>| row.into_iter().zip(columns).filter(|(_, (_, needed))| *needed).map(|(cell, _)| cell);
    let rows = rows.into_iter().map(|row| needed(row).collect()).collect();
    screen.table(&header, rows);
}

fn answer(dues: &[Due], screen: &mut Screen) {
    screen.value(&dues.iter().map(|due| &due.report).collect::<Vec<_>>());
}

fn distance(seconds: Seconds) -> String {
    if seconds.0 < 0.0 { format!("{} ago", span(Seconds(-seconds.0))) } else { span(seconds) }
}

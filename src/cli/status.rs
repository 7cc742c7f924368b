//! `punctual status`: how are the daemon and the jobs doing?

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use jiff::Timestamp;
use owo_colors::Style;

use super::args::{Global, StatusArguments};
use super::held::paused;
use super::history::outcome;
use super::notices;
use super::places::{
    ask, database, in_force_or_file, is_same_file, of_the_machine, open_if_any, open_ledger_if_any, running_daemon,
    state_folder, unreadable,
};
use super::screen::{Screen, counted, span, visible};
use super::table::{Cell, table_width};
use super::typed::ours;
use super::why;
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::daemon::{Holder, HoldersStop, HoldersTrouble};
use crate::inquiry::{Listed, chosen_of, report_all, worst_first};
use crate::report::{DaemonReport, JobReport, Seconds, StatusReport, Time, TroubleReport};
use crate::run::State;

pub fn run(global: &Global, verb: &StatusArguments, screen: &mut Screen) -> Answer {
    let now = Clock::System.now();
    let running = running_daemon(global);
    let file = in_force_or_file(global, running.as_ref());
    let mut listed: Vec<Listed> = Vec::new();
    let mut is_wrong = true;
    match &file {
        Ok(configuration) => {
            is_wrong = !configuration.checked.is_right();
            listed.extend(configuration.checked.jobs.iter().map(|job| Listed::of(job, now)));
            if is_wrong {
                screen.note(format!("{} is wrong: punctual check says where", configuration.path.display()));
            }
        }
        Err(refusal) => screen.note(visible(&refusal.message)),
    }
    let known: Result<_, Refusal> = ask(async {
        // A daemon that never ran has no ledger, and its jobs have no past.
        let ledger = match (&file, &running) {
            // The file says where, and was read already: where jobs are many, that takes longer than all else.
            (Ok(configuration), None) => {
                open_if_any(&configuration.settings.database_in(&state_folder(global)?)).await?
            }
            (Ok(_) | Err(_), _) => open_ledger_if_any(global).await?,
        };
        let Some(ledger) = ledger else {
            return Ok((chosen_of(&listed, &verb.jobs)?, file.is_ok() || running.is_some()));
        };
        if is_wrong && listed.is_empty() {
            // What the daemon goes on with is what the file last said.
            let names = ledger.defined_jobs().await.map_err(|error| unreadable(&error))?;
            listed.extend(names.into_iter().map(Listed::only));
        }
        Ok((report_all(&ledger, &listed, &verb.jobs, now).await?, true))
    })?;
    let (mut reports, done) = match known {
        Ok((reports, true)) => (reports, Done::Well),
        Ok((_, false)) => return Ok(Done::Failed),
        // That the ledger cannot be read is no reason to keep quiet about what the daemon says of it.
        Err(refusal) if refusal.done == Done::Unreachable && running.is_some() => {
            screen.complain(&refusal.message);
            (chosen_of(&listed, &verb.jobs)?, refusal.done)
        }
        Err(refusal) => return Err(refusal),
    };
    worst_first(&mut reports, verb.failed);
    let notices = ask(notices::outstanding(global, file.as_ref().ok().filter(|_| !is_wrong)))?;
    let report = StatusReport { daemon: running.as_ref().map(daemon_report), jobs: reports, notices };
    if screen.json {
        screen.value(&report);
        return Ok(done);
    }
    head(global, file.as_ref().ok().map(|file| file.path.as_path()), &report, running.as_ref(), now, screen);
    show(&report, file.as_ref().ok(), &listed, now, screen);
    if let [job] = verb.jobs.as_slice() {
        let jobs = file.ok().filter(|file| file.checked.is_right()).map(|file| file.checked.jobs);
        if let Some(line) = why::line(global, job, jobs, running, screen) {
            screen.line("");
            screen.prose(&visible(&line));
        }
    }
    Ok(done)
}

/// The jobs of the file, and what still goes of others.
fn show(report: &StatusReport, file: Option<&Configuration>, listed: &[Listed], now: Timestamp, screen: &mut Screen) {
    let jobs = file.into_iter().flat_map(|configuration| &configuration.checked.jobs);
    let callers = jobs.filter_map(|job| Some((job.name.as_str(), job.rules.after.first()?.as_str()))).collect();
    let here: BTreeSet<&str> = listed.iter().map(Listed::name).collect();
    let (here, gone): (Vec<_>, Vec<_>) = report.jobs.iter().partition(|job| here.contains(job.job.as_str()));
    table(&here, report.daemon.is_some(), &callers, now, screen);
    if !gone.is_empty() {
        screen.line("");
        screen.line("no longer in the file:");
        table(&gone, report.daemon.is_some(), &callers, now, screen);
    }
}

fn daemon_report(holder: &Holder) -> DaemonReport {
    DaemonReport {
        pid: holder.pid,
        since: Time(holder.since),
        config: holder.config.display().to_string(),
        version: holder.version.clone(),
        socket: holder.socket.as_ref().map(|path| path.display().to_string()),
        trouble: holder.trouble.as_ref().map(trouble_report),
        file_trouble: holder.file_trouble.as_ref().map(trouble_report),
        at_next_start: holder.at_next_start.clone(),
    }
}

fn trouble_report(trouble: &HoldersTrouble) -> TroubleReport {
    TroubleReport { since: Time(trouble.since), message: trouble.message.clone() }
}

fn head(
    global: &Global,
    path: Option<&Path>,
    report: &StatusReport,
    running: Option<&Holder>,
    now: Timestamp,
    screen: &mut Screen,
) {
    let daemon = match &report.daemon {
        Some(daemon) => {
            let age = Seconds::from_micros(now.as_microsecond() - daemon.since.0.as_microsecond());
            format!("daemon {} since {} ({})", daemon.pid, screen.time(daemon.since), span(age))
        }
        None => {
            let elsewhere = of_the_machine(global).map_or_else(String::new, |other| format!(" ({other})"));
            format!("no daemon is running{elsewhere}; start one with: {}", ours(global, "daemon"))
        }
    };
    let runs_another =
        report.daemon.as_ref().filter(|daemon| path.is_some_and(|path| !is_same_file(path, Path::new(&daemon.config))));
    let ledger = state_folder(global).map(|state| database(global, &state)).ok();
    // Whose past it is that is shown, nobody else says.
    let ledger = ledger.filter(|ledger| report.daemon.is_none() && ledger.exists());
    let ledger = ledger.map(|ledger| format!("ledger {}", ledger.display()));
    let shown: Vec<String> = path.map(|path| path.display().to_string()).into_iter().chain(ledger).collect();
    screen.say(&match runs_another {
        Some(running) => {
            format!("{daemon}; this daemon runs {}, and here are the jobs of {}", running.config, shown.join(", "))
        }
        None if shown.is_empty() => daemon,
        None => format!("{}: {daemon}", shown.join(", ")),
    });
    if let Some(stop) = running.and_then(|running| running.stopping.as_ref()) {
        let line = stopping(stop, screen);
        screen.line(screen.paint(&line, Style::new().yellow()));
    }
    let daemon = report.daemon.as_ref();
    let of_the_file = daemon.and_then(|daemon| daemon.file_trouble.as_ref()).map(|trouble| ("not in force", trouble));
    let of_the_ledger = daemon.and_then(|daemon| daemon.trouble.as_ref()).map(|trouble| ("trouble", trouble));
    for (what, trouble) in of_the_ledger.into_iter().chain(of_the_file) {
        let age = Seconds::from_micros(now.as_microsecond() - trouble.since.0.as_microsecond());
        let since = format!("{what} since {} ({})", screen.time(trouble.since), span(age));
        screen.line(screen.paint(&format!("{since}: {}", visible(&trouble.message)), Style::new().red()));
    }
    if let Some(keys) = daemon.map(|daemon| &daemon.at_next_start).filter(|keys| !keys.is_empty()) {
        let line = format!("the daemon goes on with the old value until it starts again: [daemon] {}", keys.join(", "));
        screen.line(screen.paint(&line, Style::new().yellow()));
    }
    if let Some(line) = notices::in_a_line(&report.notices, Time(now), global, screen) {
        screen.line(screen.paint(&line, Style::new().yellow()));
    }
    screen.line("");
}

/// For whom a daemon still waits that was told to stop.
fn stopping(HoldersStop { until, runs }: &HoldersStop, screen: &Screen) -> String {
    match (counted(*runs as u64, "run"), until) {
        _ if *runs == 0 => "it is stopping: nothing starts any more".to_owned(),
        (runs, Some(until)) => {
            format!(
                "it is stopping: nothing starts any more, and {runs} may finish until {}",
                screen.time(Time(*until))
            )
        }
        (runs, None) => format!("it is stopping: nothing starts any more, and {runs} being ended"),
    }
}

fn table(jobs: &[&JobReport], has_daemon: bool, callers: &BTreeMap<&str, &str>, now: Timestamp, screen: &mut Screen) {
    if jobs.is_empty() {
        screen.note("no jobs");
        return;
    }
    let mut header = vec!["JOB", "NEXT", "IN", "LAST", "OUTCOME", "NOW"];
    let whole = rows(jobs, has_daemon, callers, now, Dates::Whole, screen);
    let is_roomy = screen.width().is_none_or(|width| table_width(&header, &whole) <= width);
    let mut rows = if is_roomy { whole } else { rows(jobs, has_daemon, callers, now, Dates::Short, screen) };
    // Mostly nothing goes on, and there is room for the rest.
    if rows.iter().all(|row| row.last().is_some_and(|now| now.text.is_empty())) {
        header.pop();
        for row in &mut rows {
            row.truncate(header.len());
        }
    }
    // How it goes is worth more than how long it is until then, and that more than when it was.
    screen.roomy_table(&header, &[24, 20, 20, 20, 20, 16][..header.len()], &[3, 2], rows);
}

/// How times are shown: where there is little room, by what tells them from now.
#[derive(Clone, Copy)]
enum Dates {
    Whole,
    Short,
}

impl Dates {
    fn show(self, time: Time, now: Timestamp, screen: &Screen) -> String {
        match self {
            Self::Whole => screen.time(time),
            Self::Short => screen.short_time(time, now),
        }
    }
}

fn rows(
    jobs: &[&JobReport],
    has_daemon: bool,
    callers: &BTreeMap<&str, &str>,
    now: Timestamp,
    dates: Dates,
    screen: &Screen,
) -> Vec<Vec<Cell>> {
    let mut rows: Vec<Vec<Cell>> = jobs.iter().map(|job| row(job, has_daemon, now, dates, screen)).collect();
    for (job, row) in jobs.iter().zip(&mut rows).filter(|(job, _)| job.next.is_none() && job.enabled) {
        if let Some(caller) = callers.get(job.job.as_str()) {
            row[1] = format!("after {caller}").into();
        }
    }
    rows
}

fn row(job: &JobReport, has_daemon: bool, now: Timestamp, dates: Dates, screen: &Screen) -> Vec<Cell> {
    let next = match job.next {
        // Only what follows from an end can have become due before.
        Some(next) if next.0 <= now && has_daemon => "now".to_owned(),
        Some(next) if next.0 <= now => "at its start".to_owned(),
        Some(next) => dates.show(next, now, screen),
        None if !job.enabled => "disabled".to_owned(),
        None if job.paused.is_some() => "paused".to_owned(),
        None => "-".to_owned(),
    };
    let distance = job
        .next
        .filter(|next| next.0 > now)
        .map(|next| span(Seconds::from_micros(next.0.as_microsecond() - now.as_microsecond())));
    let last = job.last.as_ref().map(|last| dates.show(last.due_last.unwrap_or(Time(last.at)), now, screen));
    let mut ended = job.last.as_ref().map_or_else(|| Cell::from(""), outcome);
    if job.failures > 0 {
        let detail = job.last.as_ref().and_then(|last| last.detail.as_deref()).map(visible).unwrap_or_default();
        // First the number: what is cut is the end.
        let row = if job.failures > 1 { format!(" ({} in a row)", job.failures) } else { String::new() };
        ended.text = format!("{}{row}: {detail}", ended.text);
    }
    vec![
        job.job.clone().into(),
        Cell::firm(next),
        Cell::firm(distance.unwrap_or_default()),
        Cell::firm(last.unwrap_or_else(|| "-".to_owned())),
        ended,
        current(job, has_daemon, now, screen).into(),
    ]
}

/// What the job is doing at the moment.
fn current(job: &JobReport, has_daemon: bool, now: Timestamp, screen: &Screen) -> String {
    let running = job.current.iter().filter(|entry| entry.state == State::Running);
    let mut words: Vec<String> = running
        .map(|entry| match entry.started {
            _ if !has_daemon => "was running; the next start closes it".to_owned(),
            Some(started) => {
                let since = Seconds::from_micros(now.as_microsecond() - started.0.as_microsecond());
                format!("running for {}", span(since))
            }
            None => "starting".to_owned(),
        })
        .collect();
    let waiting = job.current.iter().filter(|entry| entry.state == State::Waiting).count();
    if waiting > 0 {
        let what = job.waiting_for.as_deref().unwrap_or("a place");
        words.push(if waiting == 1 { format!("waiting for {what}") } else { format!("{waiting} waiting for {what}") });
    }
    words.extend(job.paused.as_ref().map(|pause| paused(pause, screen)));
    if let Some(first) = job.skips.first() {
        let more = if job.skips.len() > 1 { format!(" and {} more", job.skips.len() - 1) } else { String::new() };
        words.push(format!("leaves out {}{more}", screen.time(*first)));
    }
    words.join(", ")
}

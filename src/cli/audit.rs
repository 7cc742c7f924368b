//! `punctual audit`: does the ledger balance against the schedules?

use owo_colors::Style;

use super::args::{AuditArguments, Global};
use super::moment::moment;
use super::places::{ask, config_file, open_ledger, read, running_daemon, unreadable};
use super::screen::{Screen, counted, visible};
use super::table::{Cell, wrap};
use super::{Answer, Done, Refusal};
use crate::audit::{Question, audit};
use crate::clock::Clock;
use crate::files::Machine;
use crate::report::{AuditReport, AuditedJob, DifferenceReport, Time};
use crate::when::Toward;

pub fn run(global: &Global, verb: &AuditArguments, screen: &mut Screen) -> Answer {
    let now = Clock::System.now();
    let since = verb
        .since
        .as_deref()
        .map(|text| moment("--since", text, Toward::Past, screen))
        .transpose()?
        .map(|meant| meant.first);
    if let Some(since) = since.filter(|since| *since > now) {
        let message =
            format!("--since: {} is yet to come: nothing can be audited from then on", screen.time(Time(since)));
        return Err(Refusal::new(Done::Misused, message));
    }
    let daemon = running_daemon(global);
    // Without a file, or with a wrong one, only the newest instant of a job is known a little later.
    let jobs = config_file(global, daemon.as_ref()).ok().and_then(|path| read(&path).ok());
    let jobs = jobs.map(|configuration| configuration.checked.jobs).unwrap_or_default();
    let question = Question { since, now, daemon: daemon.is_some(), jobs };
    let report = ask(async {
        let ledger = open_ledger(global).await?;
        audit(&ledger, &Machine::default(), &question).await.map_err(|error| unreadable(&error))
    })??;
    if screen.json {
        screen.value(&report);
    } else {
        show(&report, question.daemon, screen);
    }
    Ok(if report.balances { Done::Well } else { Done::Failed })
}

fn show(report: &AuditReport, daemon: bool, screen: &mut Screen) {
    let verdict = verdict(report, screen);
    let style = if report.balances { Style::new().green() } else { Style::new().red().bold() };
    for line in wrap(&verdict, screen.width()) {
        let line = screen.paint(&line, style);
        screen.line(line);
    }
    // What is wrong comes before what is merely to be known.
    let (wrong, others): (Vec<_>, Vec<_>) = report.jobs.iter().partition(|job| !job.differences.is_empty());
    for job in wrong.into_iter().chain(others) {
        show_job(job, daemon, screen);
    }
}

fn verdict(report: &AuditReport, screen: &Screen) -> String {
    let (jobs, instants) = (counted(report.jobs.len() as u64, "job"), grouped(report.instants));
    let since = report.since.map_or_else(String::new, |since| format!(" from {}", screen.time(since)));
    let noun = if report.instants == 1 { "instant" } else { "instants" };
    let scope = format!("{instants} {noun}{since} to {}", screen.time(report.until));
    if report.balances {
        return format!("the ledger balances: {jobs}, {scope}, each accounted for once");
    }
    let wrong = report.jobs.iter().filter(|job| !job.differences.is_empty()).count();
    let differences = if report.differences == 1 { "difference" } else { "differences" };
    format!("the ledger does not balance: {} {differences} in {wrong} of {jobs}, {scope}", grouped(report.differences))
}

/// What there is to say about a job, if there is anything.
fn show_job(job: &AuditedJob, daemon: bool, screen: &mut Screen) {
    let mut notes: Vec<String> = Vec::new();
    if job.omitted > 0 {
        notes.push(format!("and {} differences more", grouped(job.omitted)));
    }
    if let Some(owed) = &job.owed {
        let when = stretch(owed.first, owed.last, screen);
        let who = if daemon { "the daemon has yet to decide on" } else { "a daemon will account for, once it starts," };
        notes.push(format!("owed, not missing: {who} {} ({when})", counted(owed.count, "instant")));
    }
    notes.extend(job.notes.iter().map(|note| visible(note)));
    if job.differences.is_empty() && notes.is_empty() {
        return;
    }
    if job.differences.is_empty() {
        for note in notes {
            screen.prose(&format!("{}: {note}", job.job));
        }
        return;
    }
    screen.line("");
    screen.line(&job.job);
    let rows = job.differences.iter().map(|difference| row(difference, screen)).collect();
    screen.table(&["DIFFERENCE", "DUE", "RUN", "WHY"], rows);
    for note in notes {
        screen.prose(&note);
    }
}

fn row(difference: &DifferenceReport, screen: &Screen) -> Vec<Cell> {
    let runs: Vec<String> = difference.runs.iter().map(ToString::to_string).collect();
    vec![
        Cell::painted(difference.kind, Style::new().red()),
        stretch(difference.first, difference.last, screen).into(),
        runs.join(", ").into(),
        visible(&difference.detail).into(),
    ]
}

fn stretch(first: Time, last: Time, screen: &Screen) -> String {
    if first == last { exact(first, screen) } else { format!("{} to {}", exact(first, screen), exact(last, screen)) }
}

/// A time with its fraction of a second, which no instant of a pattern has.
fn exact(time: Time, screen: &Screen) -> String {
    let micros = time.0.as_microsecond().rem_euclid(1_000_000);
    let fraction = if micros == 0 { String::new() } else { format!(".{micros:06}") };
    format!("{}{fraction}", screen.time(time))
}

/// A number with commas between its thousands.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() * 4 / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        for (number, expect) in [(0, "0"), (999, "999"), (1000, "1,000"), (10_432, "10,432"), (1_234_567, "1,234,567")]
        {
            assert_eq!(grouped(number), expect);
        }
    }
}

//! What holds a job now, what became of it last, and when does it run next?

use std::sync::Arc;
use std::time::Duration;

use jiff::SignedDuration;

use super::circumstances::{Circumstances, Forerunner};
use super::entry::{absent, part as part_of_entry, zone};
use super::words::{Words, length, listed};
use super::{Question, part};
use crate::job::{Job, JobName};
use crate::plan::{Pause, next_following};
use crate::report::{Entry, Time, WhyPart};
use crate::run::{Cause, State};

/// Instants to be left out that are named one by one.
const FEW: usize = 3;

pub fn parts(question: &Question, found: &Circumstances, words: &Words) -> Vec<WhyPart> {
    let mut parts: Vec<WhyPart> = Vec::new();
    let obstacles = obstacles(question, found, words);
    parts.extend(obstacles.into_iter().map(|text| part("now", text)));
    let own = found.open.iter().filter(|entry| entry.job == question.job);
    parts.extend(own.map(|entry| open_part(entry, question, found, words)));
    let job = question.definition().map(Arc::as_ref);
    parts.extend(found.told.iter().map(|told| part_of_entry("last", told, job, words)));
    if let Some(job) = job {
        parts.extend(next_part(question, job, found, words));
        parts.extend(forerunners(job, found, words));
    }
    parts
}

/// What keeps the job from running whatever its schedule says.
fn obstacles(question: &Question, found: &Circumstances, words: &Words) -> Vec<String> {
    let mut obstacles = Vec::new();
    match (question.definition(), &question.jobs) {
        (Some(job), _) if !job.enabled => {
            obstacles.push("It is disabled: enabled = false in the file. It can be run by hand.".to_owned());
        }
        (Some(_), _) => {}
        (None, Some(_)) => obstacles.push("It is not in the file any more.".to_owned()),
        (None, None) => {
            obstacles.push(
                "The file cannot be read; punctual check says where it is wrong. A daemon that runs goes on \
                            with what the file last said."
                    .to_owned(),
            );
        }
    }
    if let Some(pause) = JobName::new(&question.job).ok().as_ref().and_then(|job| found.held.pauses.of(job)) {
        obstacles.push(paused(pause, words));
    }
    match (question.daemon, &found.absence) {
        (Some(_), _) => {}
        (None, Some(absence)) if absence.from.is_some() => {
            obstacles.push(format!(
                "No daemon runs, so nothing starts: {}. Begin one with punctual daemon.",
                absent(absence, words)
            ));
        }
        (None, _) => {
            obstacles.push("No daemon has run yet, so nothing starts. Begin one with punctual daemon.".to_owned());
        }
    }
    if let Some(trouble) = &question.trouble {
        obstacles.push(format!("The daemon cannot write to its ledger, and starts nothing meanwhile: {trouble}."));
    }
    obstacles
}

/// By whom, since when and until when, and how to end it.
fn paused(pause: &Pause, words: &Words) -> String {
    let until = pause.until.map_or_else(
        || ", until somebody resumes it".to_owned(),
        |until| format!(", until {} ({})", words.time(until), words.distance(until)),
    );
    let reason = pause.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
    let since = words.time(pause.since);
    format!(
        "It is paused by {} since {since}{until}{reason}. It can be run by hand; punctual resume ends the pause.",
        pause.by
    )
}

fn open_part(entry: &Entry, question: &Question, found: &Circumstances, words: &Words) -> WhyPart {
    let (run, cause) = (entry.run, because(entry, words));
    let text = match (entry.state, entry.started) {
        (State::Waiting, _) => {
            let waits = entry.detail.as_deref().unwrap_or("waits");
            let holders = holders(waits, question, found);
            format!("Run {run} {cause} {waits}{holders}.")
        }
        (State::Running | State::Ended, Some(started)) => {
            let usual = found.usual.map(SignedDuration::from_micros);
            let usual = usual.map_or_else(String::new, |usual| format!("; usually it takes {}", length(usual)));
            format!("Run {run} {cause} is running, begun {}{usual}.", words.distance(started.0))
        }
        (State::Running | State::Ended, None) => format!("Run {run} {cause} is being started."),
    };
    WhyPart { about: "now", at: entry.due, run: Some(run), text }
}

fn because(entry: &Entry, words: &Words) -> String {
    match entry.cause {
        Cause::Schedule => format!("(due {})", words.time(entry.at)),
        Cause::CatchUp => format!("(for the instant {}, which is made up for)", words.time(entry.at)),
        Cause::Boot | Cause::Start => "(for the daemon's start)".to_owned(),
        Cause::Manual => format!("(by hand, {})", words.time(entry.at)),
        Cause::Dependency => "(after others)".to_owned(),
    }
}

/// Who has what a run waits for.
fn holders(waits: &str, question: &Question, found: &Circumstances) -> String {
    let jobs = || question.jobs.iter().flatten();
    let shares = |name: &str| {
        let job = jobs().find(|job| job.name.as_str() == name);
        job.is_some_and(|job| job.rules.pools.iter().any(|pool| waits.contains(pool.as_str())))
    };
    let is_in_the_way = |entry: &&Entry| match waits {
        _ if entry.state != State::Running => false,
        _ if waits.contains("pool") => shares(&entry.job),
        _ if waits.contains("its turn") => entry.job == question.job,
        _ => false,
    };
    let named: Vec<String> =
        found.open.iter().filter(is_in_the_way).map(|entry| format!("run {} of {}", entry.run, entry.job)).collect();
    if named.is_empty() { String::new() } else { format!(", behind {}", listed(&named)) }
}

fn next_part(question: &Question, job: &Job, found: &Circumstances, words: &Words) -> Option<WhyPart> {
    let timing = job.active_timing()?;
    let timetable = &timing.timetable;
    if let Some(pause) = timetable.after_end() {
        return Some(following(question, job, pause, found, words));
    }
    let schedule = timing.written.schedules.join("` and `");
    let left_out = found.held.left_out(&job.name);
    let Some((next, _)) = found.held.next_open(&job.name, timetable, words.now) else {
        if found.held.pauses.of(&job.name).is_some() {
            return None;
        }
        let text = if timetable.schedules.iter().any(|schedule| schedule.moment().is_some()) {
            format!("It runs when the daemon starts, by `{schedule}`.")
        } else {
            format!("It is not due any more: `{schedule}` names no instant after now within its bounds.")
        };
        return Some(part("next", text));
    };
    let mut text = format!(
        "It is due next {} ({}), by `{schedule}`.",
        words.time_and_there(next, zone(Some(job))),
        words.distance(next)
    );
    if !left_out.is_empty() {
        let said: Vec<String> =
            left_out.iter().take(FEW).map(|(due, word)| format!("{} ({word})", words.time(*due))).collect();
        let more = left_out.len().saturating_sub(FEW);
        let more = if more > 0 { format!(", and {more} more") } else { String::new() };
        text = format!("{text} Before that it skips {}{more}.", listed(&said));
    }
    // Instants before it that a calendar closes.
    if let Some(first) = timetable.next_after(words.now).filter(|first| *first < next)
        && let Some(calendar) = timetable.closed_by(first)
    {
        text = format!("{text} The instant {} is left out: not on {}.", words.time(first), calendar.name);
    }
    Some(WhyPart { about: "next", at: Some(Time(next)), run: None, text })
}

/// The next instant of a job whose instants follow from its ends.
fn following(question: &Question, job: &Job, step: Duration, found: &Circumstances, words: &Words) -> WhyPart {
    let pause = SignedDuration::try_from(step).unwrap_or(SignedDuration::MAX);
    if found.open.iter().any(|entry| entry.job == job.name.as_str()) {
        return part("next", format!("It is due again {} after the run that goes on now has ended.", length(pause)));
    }
    let end = found.told.last().map(|told| told.entry.ended.map_or(told.entry.at, |ended| ended.0));
    let since = found.periods.last().filter(|period| period.until.is_none()).map(|period| period.since);
    let Some(due) = end.max(since).and_then(|base| base.checked_add(pause).ok()) else {
        return part("next", "It is due when the daemon starts.".to_owned());
    };
    let what = if end < since { "it got its schedule" } else { "the end of its last run" };
    let (held, left_out) = (found.held.pauses.of(&job.name), found.held.left_out(&job.name));
    let Some(next) = next_following(due, step, !left_out.is_empty(), held.map(|pause| pause.until)) else {
        return part("next", "It is not due before the pause ends.".to_owned());
    };
    let text = match left_out.values().next() {
        Some(word) => format!(
            "It is due {}, {} after the instant before, which is skipped: {word}.",
            words.time(next),
            length(pause)
        ),
        None if next <= words.now && question.daemon.is_none() => {
            format!("It is due when the daemon starts: {} after {what} was {}.", length(pause), words.time(next))
        }
        None if next <= words.now => "It is due now.".to_owned(),
        None if next > due => format!("It is due {}, after the pause.", words.time(next)),
        None => format!("It is due {}, {} after {what}.", words.time(next), length(pause)),
    };
    WhyPart { about: "next", at: Some(Time(next)), run: None, text }
}

/// Which of the jobs that it comes after have succeeded since it last ran.
fn forerunners(job: &Job, found: &Circumstances, words: &Words) -> Option<WhyPart> {
    if job.rules.after.is_empty() {
        return if job.timing.is_none() {
            Some(part("next", "It has no schedule: it runs by hand only.".to_owned()))
        } else {
            None
        };
    }
    let last = found.last_run.as_ref().and_then(|run| run.started).map(|started| started.0);
    let has_succeeded =
        |forerunner: &&Forerunner| forerunner.success.as_ref().is_some_and(|run| run.ended.map(|ended| ended.0) > last);
    let (done, missing): (Vec<_>, Vec<_>) = found.forerunners.iter().partition(|forerunner| has_succeeded(forerunner));
    let all: Vec<String> = job.rules.after.iter().map(ToString::to_string).collect();
    let mut text = format!(
        "It runs each time when {} {} succeeded since its last run.",
        listed(&all),
        if all.len() == 1 { "has" } else { "have all" }
    );
    let done: Vec<String> = done
        .iter()
        .filter_map(|forerunner| {
            let run = forerunner.success.as_ref()?;
            Some(format!("{} has (run {}, {})", forerunner.job, run.run, words.time(run.ended?.0)))
        })
        .collect();
    let missing: Vec<String> = missing
        .iter()
        .map(|forerunner| match &forerunner.success {
            Some(run) => format!("{} has not (its last success, run {}, was before)", forerunner.job, run.run),
            None => format!("{} never has", forerunner.job),
        })
        .collect();
    let told: Vec<String> = done.into_iter().chain(missing).collect();
    if !told.is_empty() {
        text = format!("{text} As of now {}.", listed(&told));
    }
    Some(part("next", text))
}

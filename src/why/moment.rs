//! What about this time? What the ledger has of it; or why it has nothing.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::circumstances::Circumstances;
use super::entry::{part as part_of_entry, zone};
use super::words::{Words, listed};
use super::{Question, part};
use crate::plan::Period;
use crate::report::{Time, WhyPart};
use crate::schedule::{Effect, Timetable, Transition};

/// A change of the clocks is spoken of if it is no further away than this.
const NEAR: SignedDuration = SignedDuration::from_hours(26);
const HOUR: i64 = 3_600_000_000;

pub fn parts(
    question: &Question,
    found: &Circumstances,
    (from, until): (Timestamp, Timestamp),
    words: &Words,
) -> Vec<WhyPart> {
    let job = question.definition().map(Arc::as_ref);
    let mut parts: Vec<WhyPart> = Vec::new();
    parts.extend(crowd(&question.job, found));
    parts.extend(found.told.iter().map(|told| part_of_entry("instant", told, job, words)));
    parts.extend(another_schedule(question, found, (from, until), words));
    if from > words.now || (found.told.is_empty() && found.kinds.is_empty()) {
        parts.extend(nothing(question, found, (from, until), words));
    }
    parts.extend(clock_changes(question, found, from, words));
    parts
}

/// What became of all, where they are too many to be told one by one.
fn crowd(job: &str, found: &Circumstances) -> Option<WhyPart> {
    if found.kinds.is_empty() {
        return None;
    }
    let kinds: Vec<String> = found.kinds.iter().map(|(word, count)| format!("{count} {word}")).collect();
    let others = match found.told.len() {
        0 => "",
        _ => " The last of those that did not succeed:",
    };
    let text = format!("{} entries; punctual history {job} --since … lists them.{others}", listed(&kinds));
    Some(part("instant", text))
}

/// The definition in force then, where it is another now.
fn another_schedule(
    question: &Question,
    found: &Circumstances,
    (_, until): (Timestamp, Timestamp),
    words: &Words,
) -> Option<WhyPart> {
    let period = found.period(until.min(words.now))?;
    let then = period.timing.as_ref()?;
    let now = question.definition().and_then(|job| job.active_timing());
    if now.is_some_and(|now| now.same_instants(then)) {
        return None;
    }
    let until = period.until.map_or_else(|| "now".to_owned(), |until| words.time(until));
    let today = match now {
        Some(now) => format!("today it is `{}` in {}", now.written.schedules.join("` and `"), now.written.zone),
        None => "today it has none in force".to_owned(),
    };
    Some(part(
        "instant",
        format!(
            "At that time the file had another schedule: `{}` in {}, from {} to {until}; {today}.",
            then.written.schedules.join("` and `"),
            then.written.zone,
            words.time(period.since)
        ),
    ))
}

/// Why there is no entry.
fn nothing(
    question: &Question,
    found: &Circumstances,
    (from, until): (Timestamp, Timestamp),
    words: &Words,
) -> Vec<WhyPart> {
    if from > words.now {
        return vec![to_come(question, found, (from, until), words)];
    }
    if let Some(pruned) = pruned(found, (from, until)) {
        return vec![part("instant", pruned)];
    }
    let Some(period) = found.period(until.min(words.now)) else {
        return vec![part("instant", unknown(found, until, words))];
    };
    let Some(timetable) = period.timing.as_ref().map(|timing| &timing.timetable) else {
        return vec![part("instant", "The schedule that was in force then cannot be computed any more.".to_owned())];
    };
    match timetable.next_after(just_before(from)).filter(|due| *due <= until && *due > period.since) {
        Some(due) if due <= words.now => vec![owed(question, due, words)],
        Some(_) | None => vec![unnamed(timetable, period, from, words)],
    }
}

fn to_come(
    question: &Question,
    found: &Circumstances,
    (from, until): (Timestamp, Timestamp),
    words: &Words,
) -> WhyPart {
    let Some(job) = question.definition() else {
        return part("instant", "It will not run then: it is not in the file.".to_owned());
    };
    let Some(timing) = job.active_timing() else {
        let why = if job.enabled { "it has no schedule" } else { "it is disabled" };
        return part("instant", format!("It will not run then by itself: {why}."));
    };
    let timetable = &timing.timetable;
    let there = zone(Some(job));
    let Some(due) = timetable.next_after(just_before(from)) else {
        return part("instant", "Its schedule names no instant from then on.".to_owned());
    };
    if due > until {
        let text = format!("Its schedule names no instant then; the next one is {}.", words.time_and_there(due, there));
        return WhyPart { about: "instant", at: Some(Time(due)), run: None, text };
    }
    let at = words.time_and_there(due, there);
    let pause = found.held.pauses.of(&job.name).filter(|pause| pause.last() >= due);
    let text = match timetable.closed_by(due) {
        None if let Some(word) = found.held.left_out(&job.name).get(&due) => {
            format!("The instant {at} is going to be skipped: {word}.")
        }
        None if let Some(pause) = pause => format!("The instant {at} is going to be skipped: {}.", pause.detail()),
        Some(calendar) => format!("The instant {at} is going to be skipped: not on {}.", calendar.name),
        None if question.daemon.is_none() => {
            format!("It is due {at}, and will run if a daemon runs then; now none does.")
        }
        None => format!("It is due {at}, and will run ({}).", words.distance(due)),
    };
    WhyPart { about: "instant", at: Some(Time(due)), run: None, text }
}

fn pruned(found: &Circumstances, (from, until): (Timestamp, Timestamp)) -> Option<String> {
    let hours = from.as_microsecond().div_euclid(HOUR)..=until.as_microsecond().div_euclid(HOUR);
    let counted: u64 =
        found.pruned.iter().filter(|pruned| hours.contains(&pruned.hour)).map(|pruned| pruned.instants).sum();
    (counted > 0).then(|| {
        format!("The entries of that time were pruned; of the hours that it touches {counted} instants are counted.")
    })
}

/// The job had no definition then.
fn unknown(found: &Circumstances, at: Timestamp, words: &Words) -> String {
    let before = found.periods.iter().filter(|period| period.end() < at).filter_map(|period| period.until).max();
    let after = found.periods.iter().map(|period| period.since).filter(|since| *since >= at).min();
    match (before, after) {
        (None, Some(after)) => {
            format!("The daemon did not know the job then: it came into force {}.", words.time(after))
        }
        (Some(before), Some(after)) => format!(
            "From {} to {} the job was not in the file, or disabled, or had no schedule.",
            words.time(before),
            words.time(after)
        ),
        (Some(before), None) => {
            format!(
                "Since {} the job has not been in the file, or is disabled, or has no schedule.",
                words.time(before)
            )
        }
        (None, None) => "The ledger knows of no schedule of this job.".to_owned(),
    }
}

/// An instant that is past and not decided on.
fn owed(question: &Question, due: Timestamp, words: &Words) -> WhyPart {
    let why = match (&question.trouble, question.daemon) {
        (Some(trouble), _) => format!("the ledger cannot be written ({trouble}); it is decided on when it can"),
        (None, Some(_)) => "the daemon is about to".to_owned(),
        (None, None) => {
            let rule = question.definition().map_or("latest", |job| job.rules.catch_up.word());
            format!("no daemon runs; the next one decides by catch_up = \"{rule}\"")
        }
    };
    let text = format!("The instant {} is not decided on yet: {why}.", words.time(due));
    WhyPart { about: "instant", at: Some(Time(due)), run: None, text }
}

/// The schedule does not name that time.
fn unnamed(timetable: &Timetable, period: &Period, from: Timestamp, words: &Words) -> WhyPart {
    let zone = Some(&timetable.place.zone);
    let last = timetable.last_few(period.since.min(from), from, 1);
    let before = timetable.between(last, from).last().filter(|before| *before > period.since);
    let after = timetable.next_after(from).filter(|after| *after <= period.end());
    let near = match (before, after) {
        (Some(before), Some(after)) => {
            format!("the nearest are {} and {}", words.time_and_there(before, zone), words.time_and_there(after, zone))
        }
        (Some(before), None) => format!("the last before it is {}", words.time_and_there(before, zone)),
        (None, Some(after)) => format!("the first after it is {}", words.time_and_there(after, zone)),
        (None, None) => "and no other near it".to_owned(),
    };
    part("instant", format!("That is no instant of its schedule `{}`: {near}.", period.words()))
}

/// What a change of the zone's clocks near that time did to the schedule.
fn clock_changes(question: &Question, found: &Circumstances, from: Timestamp, words: &Words) -> Vec<WhyPart> {
    let timing = found
        .period(from.min(words.now))
        .and_then(|period| period.timing.as_ref())
        .or_else(|| question.definition().and_then(|job| job.active_timing()));
    let Some(timing) = timing else {
        return Vec::new();
    };
    let timetable = &timing.timetable;
    let near = |at: SignedDuration| from.checked_add(at).unwrap_or(from);
    let transitions = Transition::between(&timetable.place.zone, near(-NEAR), near(NEAR));
    let told = transitions.iter().flat_map(|transition| {
        timetable.disturbed_by(transition).into_iter().map(move |disturbance| {
            let (first, last) = transition.civil();
            let change = if transition.is_gap() { "were put forward" } else { "were put back" };
            let effect = effect(disturbance.effect);
            part(
                "instant",
                format!(
                    "The clocks of {} {change} then, {}: the times from {} to {} {effect}.",
                    timing.written.zone,
                    words.time(transition.at),
                    first.strftime("%H:%M"),
                    last.strftime("%H:%M"),
                ),
            )
        })
    });
    told.collect()
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Shifted => "did not exist, and what they named is moved to their end",
        Effect::Skipped => "did not exist, and what they named is left out",
        Effect::FirstPass => "came twice, and what they name happens the first time only",
        Effect::SecondPass => "came twice, and what they name happens the second time only",
        Effect::BothPasses => "came twice, and what they name happens both times",
    }
}

fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_micros(1)).unwrap_or(at)
}

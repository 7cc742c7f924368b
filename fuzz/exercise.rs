//! What must hold of every schedule, whatever bytes it is made of?
//!
//! The fuzzer and `tests/fuzz_corpus.rs` share this.

use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use punctual::schedule::{Fold, Gap, Place, Schedule, ScheduleError, Timetable};

/// An hour, half an hour, two hours, at midnight, a missing day, a day twice, winter time as the exception, Ramadan, none.
const ZONES: [&str; 16] = [
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "America/Havana",
    "Pacific/Apia",
    "Pacific/Kwajalein",
    "Europe/Dublin",
    "Africa/Casablanca",
    "America/Juneau",
    "America/Scoresbysund",
    "Asia/Gaza",
    "Asia/Kathmandu",
];

/// The beginning of the twentieth century, nearly; the seconds of 32 bits end in 2038.
const FIRST: i64 = -2_145_000_000;

const WALKED: usize = 8;

/// An answer may take 50 ms in a release build. A sanitizer, debug assertions, a build without optimization and a busy
/// machine may together take twenty times as long.
const LONGEST: Duration = Duration::from_millis(50 * 20);

/// Asks a timetable made of these bytes: one for the zone, one for rules and scale, four for the moment, and the text.
pub fn schedule(data: &[u8]) {
    let Some(([zone, rules, moment @ ..], text)) = data.split_first_chunk::<6>() else {
        return;
    };
    let Ok(text) = str::from_utf8(text) else {
        return;
    };
    let schedule = match timed("parse", text, || Schedule::parse(text, "job")) {
        Ok(schedule) => schedule,
        Err(error) => return place_is_within(&error, text),
    };
    describe(&schedule);
    let place = Place {
        zone: TimeZone::get(ZONES[usize::from(*zone) % ZONES.len()]).expect("the zones are built in"),
        gap: [None, Some(Gap::Shift), Some(Gap::ShiftFromShort), Some(Gap::Skip)][usize::from(rules & 3)],
        fold: [None, Some(Fold::First), Some(Fold::Second), Some(Fold::Both)][usize::from(rules >> 2 & 3)],
    };
    // Up to the year 2038 by seconds, or beyond the last year of patterns by steps.
    let scale = if rules & 16 == 0 { 1 } else { 24 };
    let second = FIRST + i64::from(u32::from_be_bytes(*moment)) * scale;
    let fraction = if rules & 32 == 0 { 0 } else { 999_999_999 };
    let after = Timestamp::new(second, fraction).expect("the moment is within jiff's years");
    ask(&Timetable::new(vec![Arc::new(schedule)], place), text, after);
}

fn place_is_within(error: &ScheduleError, text: &str) {
    assert!(text.get(error.span.clone()).is_some(), "{text:?}: {error:?}");
}

/// What is said of a schedule can be said of every one.
fn describe(schedule: &Schedule) {
    let text = schedule.text();
    assert!(!timed("words", text, || schedule.in_words()).is_empty(), "{text:?}");
    for trap in schedule.traps() {
        assert!(text.get(trap.span.clone()).is_some(), "{text:?}: {trap:?}");
    }
    schedule.most_a_day();
}

fn ask(timetable: &Timetable, text: &str, after: Timestamp) {
    let mut walked = Vec::new();
    let mut last = after;
    while walked.len() < WALKED
        && let Some(next) = timed("next", text, || timetable.next_after(last))
    {
        assert!(next > last, "{text:?}: {next} behind {last}");
        walked.push(next);
        last = next;
    }
    let until = after.saturating_add(SignedDuration::from_hours(24 * 366)).expect("a duration has no unit to refuse");
    let count = timed("count", text, || timetable.count(after, until));
    let within = walked.iter().take_while(|at| **at <= until).count();
    if within < walked.len() || walked.len() < WALKED {
        assert_eq!(count, within as u64, "{text:?} in a year after {after}");
    }
    assert!(count >= within as u64, "{text:?} in a year after {after}");
    let tally = timed("tally", text, || timetable.tally(after, until));
    assert_eq!(tally.map_or(0, |tally| tally.count), count, "{text:?} in a year after {after}");
    if let Some(tally) = tally {
        assert_eq!(Some(&tally.first), walked.first(), "{text:?} after {after}");
        assert!(tally.first <= tally.last && tally.last <= until, "{text:?}: {tally:?}");
        let beyond = timed("next", text, || timetable.next_after(tally.last));
        assert!(beyond.is_none_or(|beyond| beyond > until), "{text:?}: {tally:?}");
    }
}

fn timed<T>(what: &str, text: &str, answer: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let answered = answer();
    let taken = begun.elapsed();
    assert!(taken <= LONGEST, "{what} of {text:?} took {taken:?}");
    answered
}

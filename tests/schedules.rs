//! Schedules against a brute-force reading of their rules, for random patterns, zones and moments.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use punctual::schedule::{Fold, Gap, Place, Schedule, Timetable};

/// An hour, half an hour, two hours, at midnight, a missing day, none at all.
const ZONES: [&str; 9] = [
    "Europe/Berlin",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "America/Sao_Paulo",
    "Africa/Cairo",
    "America/Havana",
    "Pacific/Apia",
    "Asia/Kathmandu",
    "UTC",
];

fn field(low: u8, high: u8) -> impl Strategy<Value = String> {
    prop_oneof![
        3 => Just("*".to_owned()),
        2 => (2u8..=high).prop_map(|step| format!("*/{step}")),
        3 => (low..=high).prop_map(|value| value.to_string()),
        2 => (low..=high, low..=high).prop_map(|(a, b)| format!("{}-{}", a.min(b), a.max(b))),
        1 => (low..=high, low..=high).prop_map(|(a, b)| format!("{a},{b}")),
    ]
}

/// Patterns of minutes, with days and months mostly free so that something happens within days.
fn pattern() -> impl Strategy<Value = String> {
    let day = prop_oneof![4 => Just("*".to_owned()), 1 => field(1, 28)];
    let weekday = prop_oneof![4 => Just("*".to_owned()), 1 => field(0, 6)];
    (field(0, 59), field(0, 23), day, weekday).prop_map(|(m, h, d, w)| format!("{m} {h} {d} * {w}"))
}

/// Moments around the transitions of the zones, and anywhere.
fn moment() -> impl Strategy<Value = Timestamp> {
    let near = prop::sample::select(vec![
        "2026-03-29T01:00:00Z",
        "2026-10-25T01:00:00Z",
        "2026-04-04T15:00:00Z",
        "2026-10-03T15:30:00Z",
        "2017-10-15T03:00:00Z",
        "2018-02-18T02:00:00Z",
        "2011-12-30T10:00:00Z",
        "2024-04-25T22:00:00Z",
        "2024-10-31T21:00:00Z",
        "2026-03-08T05:00:00Z",
        "2026-11-01T05:00:00Z",
    ]);
    prop_oneof![
        4 => (near, -200_000i64..200_000).prop_map(|(at, by)| at.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(by)),
        1 => (0i64..2_000_000_000).prop_map(|second| Timestamp::from_second(second).unwrap()),
    ]
}

fn timetable(text: &str, zone: &str, gap: Option<Gap>, fold: Option<Fold>) -> Timetable {
    let place = Place { gap, fold, ..Place::of(TimeZone::get(zone).unwrap()) };
    Timetable::new(vec![Arc::new(Schedule::parse(text, "").unwrap())], place)
}

/// Whether a civil minute matches, read as naively as possible.
fn matches(text: &str, civil: DateTime) -> bool {
    let fields: Vec<&str> = text.split(' ').collect();
    let has = |field: &str, low: i8, value: i8| {
        field.split(',').any(|item| {
            let (range, step) = item.split_once('/').map_or((item, 1), |(range, step)| (range, step.parse().unwrap()));
            let (from, to) = match range.split_once('-') {
                Some((from, to)) => (from.parse().unwrap(), to.parse().unwrap()),
                None if range == "*" => (low, i8::MAX),
                None => (range.parse().unwrap(), range.parse().unwrap()),
            };
            from <= value && value <= to && (value - from) % step == 0
        })
    };
    let day = has(fields[2], 1, civil.day());
    let weekday = has(fields[4], 0, civil.weekday().to_sunday_zero_offset());
    let date = match (fields[2], fields[4]) {
        ("*", _) => weekday,
        (_, "*") => day,
        _ => day || weekday,
    };
    civil.second() == 0 && date && has(fields[0], 0, civil.minute()) && has(fields[1], 0, civil.hour())
}

/// The rules read one minute after another: real time for what exists, civil time for what a gap leaves out.
fn brute_force(text: &str, zone: &TimeZone, gap: Gap, fold: Fold, from: Timestamp, to: Timestamp) -> Vec<Timestamp> {
    let minute = SignedDuration::from_mins(1);
    let mut instants = Vec::new();
    let mut at = Timestamp::from_second(from.as_second().div_euclid(60) * 60).unwrap();
    let mut offset = zone.to_offset(at - minute);
    while at <= to {
        let now = zone.to_offset(at);
        let shifted = now.seconds() > offset.seconds() && {
            let (mut civil, end) = (offset.to_datetime(at), now.to_datetime(at));
            let short = civil.duration_until(end) < SignedDuration::from_hours(3);
            let mut any = false;
            while civil < end {
                any |= matches(text, civil);
                civil += minute;
            }
            any && (gap == Gap::Shift || gap == Gap::ShiftFromShort && short)
        };
        let civil = now.to_datetime(at);
        let ambiguous = zone.to_ambiguous_timestamp(civil);
        let (first, second) = (ambiguous.earlier().unwrap(), ambiguous.later().unwrap());
        let in_pass = first == second
            || match fold {
                Fold::First => at == first,
                Fold::Second => at == second,
                Fold::Both => true,
            };
        if at > from && (shifted || matches(text, civil) && in_pass) {
            instants.push(at);
        }
        offset = now;
        at += minute;
    }
    instants
}

fn policies() -> impl Strategy<Value = (Option<Gap>, Option<Fold>)> {
    let gap = prop::option::of(prop::sample::select(vec![Gap::Shift, Gap::Skip]));
    let fold = prop::option::of(prop::sample::select(vec![Fold::First, Fold::Second, Fold::Both]));
    (gap, fold)
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn instants_are_those_of_the_rules(
        text in pattern(), zone in prop::sample::select(ZONES.to_vec()), from in moment(), hours in 1i64..120,
        (gap, fold) in policies(),
    ) {
        let Ok(schedule) = Schedule::parse(&text, "") else { return Ok(()) };
        let fixed = !text.split(' ').take(2).any(|field| field.starts_with('*'));
        let rules = if fixed { (Gap::ShiftFromShort, Fold::First) } else { (Gap::Skip, Fold::Both) };
        let table = timetable(schedule.text(), zone, gap, fold);
        let to = from + SignedDuration::from_hours(hours);
        let expect =
            brute_force(&text, &table.place.zone, gap.unwrap_or(rules.0), fold.unwrap_or(rules.1), from, to);
        let found: Vec<Timestamp> = table.between(from, to).collect();
        prop_assert!(found.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!(&found, &expect, "{} in {}", text, zone);
        prop_assert_eq!(table.count(from, to), expect.len() as u64);
        let tally = table.tally(from, to);
        prop_assert_eq!(tally.map(|tally| (tally.count, tally.first, tally.last)),
            expect.first().map(|first| (expect.len() as u64, *first, *expect.last().unwrap())));
        // It does not matter where a search began.
        if let Some(middle) = found.get(found.len() / 2) {
            let before = *middle - SignedDuration::from_micros(1);
            prop_assert_eq!(table.next_after(before), Some(*middle));
        }
    }

    #[test]
    fn the_last_few_are_enough_and_not_many(text in pattern(), from in moment(), few in 1u64..100) {
        let Ok(schedule) = Schedule::parse(&text, "") else { return Ok(()) };
        let table = timetable(schedule.text(), "Europe/Berlin", None, None);
        let to = from + SignedDuration::from_hours(24 * 40);
        let window = table.last_few(from, to, few);
        prop_assert!(from <= window && window <= to);
        prop_assert!(window == from || table.count(window, to) >= few);
    }
}

#[test]
fn a_year_of_seconds_is_counted_and_not_walked() {
    let table = timetable("* * * * * *", "Europe/Berlin", None, None);
    let from: Timestamp = "2026-01-01T00:00:00Z".parse().unwrap();
    let to: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
    assert_eq!(table.count(from, to), 365 * 86_400);
    let tally = table.tally(from, to).unwrap();
    assert_eq!((tally.first, tally.last), (from + SignedDuration::from_secs(1), to));
}

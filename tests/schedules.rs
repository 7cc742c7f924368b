//! Schedules against a brute-force reading of their rules, for random patterns, zones and moments.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::sync::Arc;

use jiff::civil::{Date, DateTime, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp, ToSpan};
use proptest::prelude::*;
use punctual::schedule::{
    Bound, Bounds, Calendar, Closure, Dates, Events, Fold, Gap, Hours, Place, Schedule, Then, Timetable,
};

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

/// A calendar, as a test reads it and as the product does.
#[derive(Debug, Clone)]
struct Closed {
    days: Vec<Weekday>,
    dates: Vec<Date>,
    /// From and to, in hours; `to` at or before `from` is on the next day.
    hours: Option<(i8, i8)>,
}

impl Closed {
    fn chooses(&self, date: Date) -> bool {
        let none = self.days.is_empty() && self.dates.is_empty();
        none && self.hours.is_some() || self.days.contains(&date.weekday()) || self.dates.contains(&date)
    }

    fn covers(&self, civil: DateTime) -> bool {
        let (today, yesterday) = (civil.date(), civil.date().yesterday().unwrap());
        match self.hours {
            None => self.chooses(today),
            Some((from, to)) if from < to => self.chooses(today) && from <= civil.hour() && civil.hour() < to,
            Some((from, to)) => {
                self.chooses(today) && civil.hour() >= from || self.chooses(yesterday) && civil.hour() < to
            }
        }
    }

    fn closure(&self, then: Then) -> Closure {
        let hours = self.hours.map(|(from, to)| Hours::parse(&format!("{from:02}:00-{to:02}:00")).unwrap());
        let calendar = Calendar {
            name: "closed".to_owned(),
            version: String::new(),
            dates: self.dates.iter().map(|date| Dates::One(*date)).collect(),
            days: self.days.clone(),
            hours: hours.into_iter().collect(),
            events: Events::default(),
            text: "".into(),
        };
        Closure { calendars: vec![Arc::new(calendar)], then }
    }
}

fn closed() -> impl Strategy<Value = Closed> {
    let days = prop::collection::vec((0i8..7).prop_map(|day| Weekday::from_sunday_zero_offset(day).unwrap()), 0..5);
    let hours = prop::option::of((0i8..24, 0i8..24)).prop_map(|hours| hours.filter(|(from, to)| from != to));
    (days, prop::collection::vec(-3i64..3, 0..3), hours, moment()).prop_map(|(days, dates, hours, near)| {
        let near = TimeZone::UTC.to_datetime(near).date();
        let dates = dates.into_iter().map(|by| near.checked_add(SignedDuration::from_hours(24 * by)).unwrap());
        Closed { days, dates: dates.collect(), hours }
    })
}

/// The first minute at which the clocks of a zone show this time or more: in a gap its end, in a fold the first pass.
fn placed(civil: DateTime, zone: &TimeZone) -> Timestamp {
    let minute = SignedDuration::from_mins(1);
    let utc = TimeZone::UTC.to_timestamp(civil).unwrap();
    let mut at = utc - SignedDuration::from_hours(27);
    // In large steps up to shortly before: no gap or fold is longer than a day.
    while zone.to_datetime(at + SignedDuration::from_hours(26)) < civil && at < utc + SignedDuration::from_hours(27) {
        at += SignedDuration::from_hours(1);
    }
    while zone.to_datetime(at) < civil {
        at += minute;
    }
    at
}

/// The instants of some hours of each day, with calendars, by the book.
fn by_the_book(
    hours: &BTreeSet<i8>,
    closed: &Closed,
    then: Then,
    zone: &TimeZone,
    from: Timestamp,
    to: Timestamp,
) -> BTreeSet<Timestamp> {
    let step = match then {
        Then::Skip => 0,
        Then::NextDay => 1,
        Then::PreviousDay => -1,
    };
    let day = SignedDuration::from_hours(24);
    let (first, last) = (zone.to_datetime(from - day * 33).date(), zone.to_datetime(to + day * 33).date());
    let mut instants = BTreeSet::new();
    for date in first.series(1.day()).take_while(|date| *date <= last) {
        for hour in hours {
            let named = placed(date.at(*hour, 30, 0, 0), zone);
            let open = |at: &Timestamp| !closed.covers(zone.to_datetime(*at));
            let moves = (1..=31).map(|by| {
                let civil = zone.to_datetime(named).checked_add((by * step).days()).unwrap();
                (placed(civil, zone), civil.date())
            });
            let moves = moves.filter(|(at, date)| zone.to_datetime(*at).date() == *date).map(|(at, _)| at);
            let lies = if step == 0 || open(&named) { named } else { { moves }.find(open).unwrap_or(named) };
            instants.insert(lies);
        }
    }
    instants.into_iter().filter(|at| from < *at && *at <= to).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn calendars_skip_and_move_by_the_book(
        hours in prop::collection::btree_set(0i8..24, 1..4), closed in closed(),
        then in prop::sample::select(vec![Then::Skip, Then::NextDay, Then::PreviousDay]),
        // That fixed times do not shift over Apia's missing day is not in this book.
        zone in prop::sample::select(ZONES.iter().copied().filter(|zone| *zone != "Pacific/Apia").collect::<Vec<_>>()),
        from in moment(), length in 1i64..200,
    ) {
        let list: Vec<String> = hours.iter().map(ToString::to_string).collect();
        let mut table = timetable(&format!("30 {} * * *", list.join(",")), zone, None, None);
        table.closure = Some(closed.closure(then));
        let zone = table.place.zone.clone();
        let to = from + SignedDuration::from_hours(length);
        let expect: Vec<Timestamp> = by_the_book(&hours, &closed, then, &zone, from, to).into_iter().collect();
        let found: Vec<Timestamp> = table.between(from, to).collect();
        prop_assert_eq!(&found, &expect);
        prop_assert_eq!(table.count(from, to), expect.len() as u64);
        for piece in table.pieces(from, to) {
            for at in table.between(piece.after, piece.until) {
                prop_assert_eq!(piece.closed_by.is_some(), closed.covers(zone.to_datetime(at)), "{}", at);
                prop_assert_eq!(piece.closed_by.is_some(), table.closed_by(at).is_some());
            }
        }
        let open = |at: &&Timestamp| !closed.covers(zone.to_datetime(**at));
        let next = table.next_open(from).map(|(at, _)| at).filter(|at| *at <= to);
        prop_assert_eq!(next, expect.iter().find(open).copied());
    }

    #[test]
    fn several_schedules_are_one_set(
        texts in prop::collection::vec(pattern(), 2..4), zone in prop::sample::select(ZONES.to_vec()),
        from in moment(), hours in 1i64..72, bounds in prop::option::of((0i64..40, 0i64..40)),
    ) {
        let schedules: Result<Vec<_>, _> = texts.iter().map(|text| Schedule::parse(text, "").map(Arc::new)).collect();
        let Ok(schedules) = schedules else { return Ok(()) };
        let mut table = Timetable::new(schedules, Place::of(TimeZone::get(zone).unwrap()));
        let to = from + SignedDuration::from_hours(hours);
        let (first, last) = match bounds {
            None => (from, to),
            Some((a, b)) => (from + SignedDuration::from_hours(a), to - SignedDuration::from_hours(b)),
        };
        if bounds.is_some() {
            table.bounds = Bounds::new(Some(Bound::Instant(first)), Some(Bound::Instant(last)), &TimeZone::UTC);
        }
        let one = |text: &String| {
            let fixed = !text.split(' ').take(2).any(|field| field.starts_with('*'));
            let (gap, fold) = if fixed { (Gap::ShiftFromShort, Fold::First) } else { (Gap::Skip, Fold::Both) };
            brute_force(text, &table.place.zone, gap, fold, from, to)
        };
        let all: BTreeSet<Timestamp> = texts.iter().flat_map(one).filter(|at| first <= *at && *at <= last).collect();
        let found: Vec<Timestamp> = table.between(from, to).collect();
        prop_assert_eq!(&found, &all.iter().copied().collect::<Vec<_>>());
        prop_assert_eq!(table.count(from, to), all.len() as u64);
    }
}

#[test]
fn nothing_is_moved_to_a_day_that_a_zone_does_not_have() {
    let mut table = timetable("30 9 * * *", "Pacific/Apia", None, None);
    let dates = vec!["2011-12-29".parse().unwrap()];
    table.closure = Some(Closed { days: Vec::new(), dates, hours: None }.closure(Then::NextDay));
    let from: Timestamp = "2011-12-28T00:00:00Z".parse().unwrap();
    let found: Vec<String> = table
        .between(from, from + SignedDuration::from_hours(72))
        .map(|at| table.place.zone.to_datetime(at).to_string())
        .collect();
    assert_eq!(found, ["2011-12-28T09:30:00", "2011-12-31T09:30:00"]);
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

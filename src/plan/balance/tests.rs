use std::sync::Arc;

use jiff::tz::TimeZone;

use super::*;
use crate::job::{Timing, WrittenTiming};
use crate::schedule::{Place, Schedule, Timetable};

fn at(text: &str) -> Timestamp {
    format!("2026-11-23T{text}Z").parse().unwrap()
}

fn period(schedules: &[&str], since: &str, until: Option<&str>) -> Period {
    let written = WrittenTiming {
        schedules: schedules.iter().map(|text| (*text).to_owned()).collect(),
        zone: "UTC".to_owned(),
        zone_data: String::new(),
        dst_gap: None,
        dst_fold: None,
        hashed_from: None,
        not_before: None,
        not_after: None,
        not_on: Vec::new(),
        not_on_then: None,
    };
    let schedules = schedules.iter().map(|text| Arc::new(Schedule::parse(text, "").unwrap())).collect();
    let timing = Timing { timetable: Timetable::new(schedules, Place::of(TimeZone::UTC)), written, zone: None };
    Period { since: at(since), until: until.map(at), timing: Some(Arc::new(timing)) }
}

/// A run of an instant, numbered by hour and minute.
fn run(due: &str) -> Booked {
    let due = at(due);
    Booked {
        run: RunId(due.as_second() / 60 % 1440),
        cause: Cause::Schedule,
        due,
        due_last: None,
        count: 1,
        jitter: SignedDuration::ZERO,
        state: State::Ended,
        outcome: Some(Outcome::Succeeded),
        reason: None,
        started: Some(due),
        ended: Some(due),
    }
}

fn missed(due: &str, last: &str, count: u64) -> Booked {
    let (outcome, reason) = (Some(Outcome::Missed), Some(crate::run::Reason::DaemonDown));
    Booked { due_last: Some(at(last)), count, outcome, reason, started: None, ended: None, ..run(due) }
}

fn scope(now: &str) -> Scope {
    Scope { from: None, now: at(now), decided: None, uncounted: None, steps_back: Vec::new() }
}

fn minutely() -> Vec<Period> {
    vec![period(&["* * * * *"], "10:00:00", None)]
}

/// Audits a job; the entries of other jobs have told up to when all was decided on.
fn audit(scope: &Scope, periods: Vec<Period>, pruned: &[(i64, u64)], entries: &[Booked]) -> Balanced {
    let first_hour = at("00:00:00").as_second() / 3600;
    let pruned = pruned.iter().map(|(hour, instants)| Pruned { hour: first_hour + hour, instants: *instants });
    let mut balance = Balance::new(scope, periods, pruned.collect(), Some(SignedDuration::ZERO));
    for entry in entries {
        balance.book(entry);
    }
    balance.finish()
}

/// Differences as `kind hh:mm-hh:mm count`.
fn shown(balanced: &Balanced) -> Vec<String> {
    let time = |at: Timestamp| at.strftime("%H:%M").to_string();
    let show = |d: &Difference| format!("{} {}-{} {}", d.kind.word(), time(d.from), time(d.until), d.count);
    balanced.differences.iter().map(show).collect()
}

#[track_caller]
fn check(periods: Vec<Period>, entries: &[Booked], expect: &[&str]) {
    let mut scope = scope("10:10:30");
    scope.decided = Some(at("10:10:00"));
    assert_eq!(shown(&audit(&scope, periods, &[], entries)), expect);
}

/// The instants from 10:01 to 10:10: three runs, five that were missed, two runs.
fn ten() -> Vec<Booked> {
    vec![
        run("10:01:00"),
        run("10:02:00"),
        run("10:03:00"),
        missed("10:04:00", "10:08:00", 5),
        run("10:09:00"),
        run("10:10:00"),
    ]
}

#[test]
fn what_is_right_balances() {
    check(minutely(), &ten(), &[]);
    let two = vec![
        period(&["*/2 * * * *", "4 10 * * *"], "10:00:00", Some("10:05:00")),
        period(&["*/5 * * * *"], "10:05:00", None),
    ];
    check(two, &[run("10:02:00"), run("10:04:00"), run("10:10:00")], &[]);
    // Disabled in between; and nothing but a run by hand.
    let disabled = vec![period(&["* * * * *"], "10:00:00", Some("10:02:00")), period(&["* * * * *"], "10:08:00", None)];
    check(disabled, &[run("10:01:00"), run("10:02:00"), run("10:09:00"), run("10:10:00")], &[]);
    check(Vec::new(), &[Booked { cause: Cause::Manual, ..run("10:05:30") }], &[]);
}

#[test]
fn each_difference_has_its_name() {
    let without = |minute: usize| {
        let mut ten = ten();
        ten.remove(minute);
        ten
    };
    check(minutely(), &without(0), &["missing 10:01-10:01 1"]);
    check(minutely(), &without(3), &["missing 10:04-10:08 5"]);
    check(minutely(), &without(5), &["missing 10:10-10:10 1"]);
    check(minutely(), &[], &["missing 10:01-10:10 10"]);
    let with = |entry: Booked, place: usize| {
        let mut ten = ten();
        ten.insert(place, entry);
        ten
    };
    check(minutely(), &with(run("10:06:00"), 4), &["twice 10:06-10:06 1"]);
    check(minutely(), &with(run("10:02:00"), 1), &["twice 10:02-10:02 1"]);
    check(minutely(), &with(missed("10:07:00", "10:08:00", 2), 4), &["twice 10:07-10:08 2"]);
    check(minutely(), &with(run("10:02:30"), 2), &["not-an-instant 10:02-10:02 1"]);
    check(minutely(), &with(run("09:59:00"), 0), &["no-definition 09:59-09:59 1"]);
    let changed = |place: usize, change: fn(&mut Booked)| {
        let mut ten = ten();
        change(&mut ten[place]);
        ten
    };
    check(minutely(), &changed(3, |gap| gap.count = 4), &["count-wrong 10:04-10:08 4"]);
    let short = changed(3, |gap| gap.due_last = Some(at("10:07:00")));
    check(minutely(), &short, &["count-wrong 10:04-10:07 5", "missing 10:08-10:08 1"]);
    let long = changed(3, |gap| gap.due_last = Some(at("10:08:30")));
    check(minutely(), &long, &["not-an-instant 10:04-10:08 5"]);
    check(minutely(), &changed(1, |run| run.started = Some(at("10:01:59"))), &["early 10:02-10:02 1"]);
    let jitter = changed(1, |run| run.jitter = SignedDuration::from_secs(5));
    check(minutely(), &jitter, &["early 10:02-10:02 1"]);
    check(minutely(), &changed(1, |run| run.outcome = None), &["no-outcome 10:02-10:02 1"]);
    check(minutely(), &changed(1, |run| run.ended = None), &["impossible-times 10:02-10:02 1"]);
    check(minutely(), &changed(1, |run| run.started = Some(at("10:02:01"))), &["impossible-times 10:02-10:02 1"]);
    check(
        minutely(),
        &changed(1, |run| run.cause = Cause::Boot),
        &["no-definition 10:02-10:02 1", "missing 10:02-10:02 1"],
    );
    let overlapping =
        vec![period(&["* * * * *"], "10:00:00", Some("10:05:00")), period(&["* * * * *"], "10:04:00", None)];
    check(overlapping, &ten(), &["definitions-overlap 10:04-10:05 0"]);
}

#[test]
fn a_pause_after_the_end_is_kept() {
    let poll = || vec![period(&["every 2m after end"], "10:00:00", None)];
    check(poll(), &[run("10:00:00"), run("10:02:00"), run("10:09:00")], &[]);
    check(poll(), &[run("10:00:00"), run("10:01:30")], &["early 10:01-10:01 1"]);
}

#[test]
fn what_nobody_has_decided_on_is_owed() {
    let mut scope = scope("10:14:30");
    let owed = |scope: &Scope, jitter: Option<i64>| {
        let mut balance = Balance::new(scope, minutely(), Vec::new(), jitter.map(SignedDuration::from_secs));
        for entry in &ten() {
            balance.book(entry);
        }
        let found = balance.finish();
        (shown(&found), found.owed.map(|owed| owed.count))
    };
    assert_eq!(owed(&scope, Some(0)), (vec![], Some(4)));
    // Another job was decided on at 10:13: so was this one, unless its jitter puts it off.
    scope.decided = Some(at("10:13:00"));
    assert_eq!(owed(&scope, Some(0)), (vec!["missing 10:11-10:13 3".to_owned()], Some(1)));
    assert_eq!(owed(&scope, Some(90)), (vec!["missing 10:11-10:11 1".to_owned()], Some(3)));
    assert_eq!(owed(&scope, None), (vec!["missing 10:11-10:12 2".to_owned()], Some(2)));
}

#[test]
fn only_what_is_later_is_asked_for() {
    let scope = Scope { from: Some(at("10:06:00")), decided: Some(at("10:10:00")), ..scope("10:10:30") };
    // The stretch began earlier, and reaches into the time that is audited.
    assert_eq!(shown(&audit(&scope, minutely(), &[], &ten()[3..])), [""; 0]);
    assert_eq!(shown(&audit(&scope, minutely(), &[], &ten()[4..])), ["missing 10:07-10:08 2"]);
    assert_eq!(shown(&audit(&scope, minutely(), &[], &ten()[2..])), [""; 0]);
}

#[test]
fn runs_of_a_time_that_came_again_are_right() {
    // At 10:08 the clock was set back to 10:04, where the schedule was another.
    let periods =
        || vec![period(&["*/2 * * * *"], "10:00:00", Some("10:04:00")), period(&["*/5 * * * *"], "10:04:00", None)];
    let mut entries = vec![run("10:02:00"), run("10:04:00"), run("10:05:00"), run("10:06:00"), run("10:08:00")];
    entries[2].run = RunId(2000);
    entries.push(Booked { run: RunId(2001), ..run("10:10:00") });
    // Begun a moment after it was set back.
    entries[4].started = Some(at("10:04:00"));
    let step = StepBack { at: at("10:04:00"), highest: Some(RunId(1000)), reach: at("10:08:00") };
    let mut scope = Scope { steps_back: vec![step], decided: Some(at("10:10:00")), ..scope("10:10:30") };
    assert_eq!(shown(&audit(&scope, periods(), &[], &entries)), [""; 0]);
    // Of which run 2000 is none.
    entries[2] = Booked { run: RunId(2000), ..run("10:04:30") };
    let found = ["not-an-instant 10:04-10:04 1", "missing 10:05-10:05 1"];
    assert_eq!(shown(&audit(&scope, periods(), &[], &entries)), found);
    scope.steps_back.clear();
    assert_eq!(audit(&scope, periods(), &[], &entries).differences.len(), 5);
}

#[test]
fn what_was_pruned_is_compared_by_its_number() {
    let hourly = || vec![period(&["*/10 * * * *"], "01:55:00", None)];
    let scope = Scope { decided: Some(at("06:00:00")), ..scope("06:05:00") };
    let kept = [run("02:20:00"), run("06:00:00")];
    let check = |pruned: &[(i64, u64)], by_counts: u64, expect: &[&str]| {
        let found = audit(&scope, hourly(), pruned, &kept);
        assert_eq!((shown(&found), found.by_counts), (expect.iter().map(|e| (*e).to_owned()).collect(), by_counts));
    };
    // 02:00 to 02:50 but for the kept one, then 18 until 05:50.
    check(&[(2, 5), (3, 6), (4, 6), (5, 6)], 23, &[]);
    // A stretch that began at 03:10 and reached to 05:50.
    check(&[(2, 5), (3, 18)], 23, &[]);
    check(&[(2, 5), (3, 17)], 22, &["missing 02:30-05:50 1"]);
    check(&[(2, 5), (3, 19)], 23, &["twice 02:00-03:59 1"]);
    check(&[], 0, &["missing 02:00-02:10 2", "missing 02:30-05:50 21"]);
    // Nobody knows of what was pruned before counts were kept.
    let scope = Scope { uncounted: Some(at("04:00:00")), ..scope.clone() };
    let found = audit(&scope, hourly(), &[(5, 6)], &kept);
    assert_eq!((shown(&found), found.unknown), (vec!["missing 04:10-05:50 5".to_owned()], 12));
}

#[test]
fn starts_and_what_others_call_for_are_no_instants() {
    let both = || vec![period(&["*/5 * * * *", "@start"], "10:00:00", None)];
    let start = |due: &str| Booked { cause: Cause::Start, ..run(due) };
    // A start while a run was going extends the stretch.
    let overlap = |booked: Booked| Booked {
        outcome: Some(Outcome::Skipped),
        reason: Some(crate::run::Reason::Overlap),
        ..booked
    };
    check(both(), &[start("10:00:00"), overlap(missed("10:05:00", "10:07:12", 2)), run("10:10:00")], &[]);
    check(both(), &[start("10:00:00"), overlap(missed("10:05:00", "10:10:00", 1))], &["count-wrong 10:05-10:10 1"]);
    check(minutely(), &[vec![start("10:00:30")], ten()].concat(), &["no-definition 10:00-10:00 1"]);
    check(Vec::new(), &[overlap(missed("10:05:10", "10:07:12", 2))], &[]);
}

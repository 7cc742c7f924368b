//! Times as people write them, seen from Monday, 23 November 2026, 14:15 in Berlin.

use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};

use super::*;

fn zone() -> TimeZone {
    TimeZone::posix("CET-1CEST,M3.5.0,M10.5.0/3").unwrap()
}

fn at(text: &str) -> Zoned {
    text.parse::<jiff::civil::DateTime>().unwrap().to_zoned(zone()).unwrap()
}

fn local(at: Timestamp) -> String {
    at.to_zoned(zone()).strftime("%Y-%m-%d %H:%M:%S%.f").to_string()
}

#[track_caller]
fn check(now: &str, text: &str, toward: Toward, expect: (&str, &str)) {
    let meant = meant(text, &at(now), toward).unwrap_or_else(|error| panic!("{error}"));
    assert_eq!((local(meant.first).as_str(), local(meant.last).as_str()), expect, "{text}");
}

const NOW: &str = "2026-11-23 14:15:00";

#[test]
fn moments() {
    for (text, expect) in [
        ("now", "2026-11-23 14:15:00"),
        ("2h", "2026-11-23 12:15:00"),
        ("2h ago", "2026-11-23 12:15:00"),
        ("-2h", "2026-11-23 12:15:00"),
        ("in 2h", "2026-11-23 16:15:00"),
        ("1h 30m", "2026-11-23 12:45:00"),
        ("1h30m", "2026-11-23 12:45:00"),
        ("1h30", "2026-11-23 12:45:00"),
        ("in 1h30", "2026-11-23 15:45:00"),
        ("12:30:15", "2026-11-23 12:30:15"),
        ("15:30:00", "2026-11-22 15:30:00"),
        ("an hour ago", "2026-11-23 13:15:00"),
        ("3 days ago", "2026-11-20 14:15:00"),
        ("2 months ago", "2026-09-23 14:15:00"),
        ("3am", "2026-11-23 03:00:00"),
        ("3 am", "2026-11-23 03:00:00"),
        ("3:30pm", "2026-11-22 15:30:00"),
        ("12am", "2026-11-23 00:00:00"),
        ("22:00", "2026-11-22 22:00:00"),
        ("noon", "2026-11-23 12:00:00"),
        ("midnight", "2026-11-23 00:00:00"),
        ("yesterday 3am", "2026-11-22 03:00:00"),
        ("Yesterday at 3:00 AM", "2026-11-22 03:00:00"),
        ("3am yesterday", "2026-11-22 03:00:00"),
        ("yesterday noon", "2026-11-22 12:00:00"),
        ("tomorrow 8:00", "2026-11-24 08:00:00"),
        ("last friday 18:00", "2026-11-20 18:00:00"),
        ("monday 14:00", "2026-11-23 14:00:00"),
        ("monday 15:00", "2026-11-16 15:00:00"),
        ("nov 22 02:30", "2026-11-22 02:30:00"),
        ("22nd of November 2025, 02:30:15.5", "2025-11-22 02:30:15.5"),
        ("2026-11-22 02:30", "2026-11-22 02:30:00"),
        ("2026-11-22T02:30:15", "2026-11-22 02:30:15"),
        ("2026-11-22 02:30 UTC", "2026-11-22 03:30:00"),
        ("2026-11-22T02:30:00Z", "2026-11-22 03:30:00"),
        ("2026-11-22T02:30:00+05:30", "2026-11-21 22:00:00"),
        ("@1763778600", "2025-11-22 03:30:00"),
        ("@1763778600.25", "2025-11-22 03:30:00.25"),
    ] {
        check(NOW, text, Toward::Past, (expect, expect));
    }
}

#[test]
fn stretches_include_their_ends() {
    for (text, first, last) in [
        ("today", "2026-11-23", "2026-11-23"),
        ("yesterday", "2026-11-22", "2026-11-22"),
        ("tomorrow", "2026-11-24", "2026-11-24"),
        ("monday", "2026-11-23", "2026-11-23"),
        ("tue", "2026-11-17", "2026-11-17"),
        ("last monday", "2026-11-16", "2026-11-16"),
        ("last week", "2026-11-16", "2026-11-22"),
        ("this month", "2026-11-01", "2026-11-30"),
        ("last year", "2025-01-01", "2025-12-31"),
        ("2026-11-22", "2026-11-22", "2026-11-22"),
        ("2026-02", "2026-02-01", "2026-02-28"),
        ("2025", "2025-01-01", "2025-12-31"),
        ("nov 22", "2026-11-22", "2026-11-22"),
        ("22 nov", "2026-11-22", "2026-11-22"),
        ("dec 1", "2025-12-01", "2025-12-01"),
        ("feb 29", "2024-02-29", "2024-02-29"),
        ("november", "2026-11-01", "2026-11-30"),
        ("sept 2025", "2025-09-01", "2025-09-30"),
    ] {
        check(NOW, text, Toward::Past, (&format!("{first} 00:00:00"), &format!("{last} 23:59:59.999999")));
    }
}

#[test]
fn what_is_to_come_is_the_next() {
    for (text, expect) in [
        ("2h", "2026-11-23 16:15:00"),
        ("2h ago", "2026-11-23 12:15:00"),
        ("3am", "2026-11-24 03:00:00"),
        ("noon", "2026-11-24 12:00:00"),
        ("22:00", "2026-11-23 22:00:00"),
        ("22:00:30", "2026-11-23 22:00:30"),
        ("monday 14:00", "2026-11-30 14:00:00"),
        ("friday 14:00", "2026-11-27 14:00:00"),
        ("jan 2 14:00", "2027-01-02 14:00:00"),
    ] {
        check(NOW, text, Toward::Future, (expect, expect));
    }
    check(NOW, "monday", Toward::Future, ("2026-11-23 00:00:00", "2026-11-23 23:59:59.999999"));
    check(NOW, "feb 29", Toward::Future, ("2028-02-29 00:00:00", "2028-02-29 23:59:59.999999"));
}

#[test]
fn clock_changes() {
    // 02:00 to 03:00 is left out.
    check("2026-03-29 12:00:00", "2:30am", Toward::Past, ("2026-03-29 03:00:00", "2026-03-29 03:00:00"));
    // And in autumn shown twice: both are meant.
    let fold = meant("today 2:30", &at("2026-10-25 12:00:00"), Toward::Past).unwrap();
    assert_eq!(
        (fold.first.to_string(), fold.last.to_string()),
        ("2026-10-25T00:30:00Z".into(), "2026-10-25T01:30:00Z".into())
    );
    let day = meant("today", &at("2026-10-25 12:00:00"), Toward::Past).unwrap();
    assert_eq!(day.last.duration_since(day.first).as_secs(), 25 * 3600 - 1);
}

#[test]
fn what_is_no_time_says_why() {
    for (text, why) in [
        ("", "it is empty"),
        ("yesterdya", "did you mean yesterday?"),
        ("last mondya", "did you mean monday?"),
        ("soon", "`soon` is not understood"),
        ("5", "`5` is not understood"),
        ("25:00", "there is no time 25:00"),
        ("13pm", "there is no time 13pm"),
        ("2026-13-01", "there is no day 2026-13-01"),
        ("22-11-2026", "the year comes first"),
        ("feb 30", "there is no such day"),
        ("feb 30 2026", "there is no day 30"),
        ("today yesterday", "it names two days"),
        ("3am 4am", "it names two times of a day"),
        ("last", "behind `last` stands"),
        ("last week 3am", "only a day can have a time"),
        ("now yesterday", "it names two times"),
        ("@soon", "seconds since 1970"),
        ("@99999999999999", "further away"),
        ("99999 years ago", "is not understood"),
        ("at", "neither a day nor a time"),
        ("\u{0}", "is not understood"),
    ] {
        let error = meant(text, &at(NOW), Toward::Past).unwrap_err();
        assert!(error.why.contains(why), "{text}: {error}");
        // Whoever is told what was meant needs no examples.
        assert_eq!(error.to_string().contains("write for example"), !error.why.ends_with('?'), "{error}");
    }
}

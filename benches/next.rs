//! How long does it take to find a schedule's next instant, beside two other searches?
//!
//! Each walks on from instant to instant over the year 2026, so that the days on which the clocks change are among them.
//! A sample is a part of the walk, and all samples together are more than a year of every pattern. At most 5 µs is the
//! aim for what people usually write, in every zone.

#![allow(clippy::unwrap_used)]

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use divan::Bencher;
use jiff::tz::TimeZone;
use jiff::{Timestamp, Zoned};
use punctual::schedule::{Place, Schedule, Timetable};

/// A year of `*/5 * * * *` has 105,120 instants.
const SAMPLES: u32 = 1000;
const STEPS: u32 = 106;

const ZONES: [&str; 3] = ["UTC", "Europe/Berlin", "America/New_York"];

const PATTERNS: [&str; 6] = ["*/5 * * * *", "30 2 * * *", "0 9 * * 1-5", "0 0 1 * *", "0 0 29 2 *", "every 90m"];

#[derive(Debug)]
struct Case {
    pattern: &'static str,
    zone: &'static str,
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} in {}", self.pattern, self.zone)
    }
}

fn all() -> impl Iterator<Item = Case> {
    PATTERNS.into_iter().flat_map(|pattern| ZONES.map(|zone| Case { pattern, zone }))
}

/// Those of which others know.
fn patterns() -> impl Iterator<Item = Case> {
    all().filter(|case| !case.pattern.starts_with("every"))
}

/// Walks from the beginning of the year to its end, and then again; the next leap day is in another year.
fn walk<T: Clone>(bencher: Bencher, start: T, is_over: impl Fn(&T) -> bool, next: impl Fn(&T) -> T) {
    let mut at = start.clone();
    bencher.bench_local(|| {
        let found = next(&at);
        at = if is_over(&found) { start.clone() } else { found };
    });
}

#[divan::bench(args = all(), sample_count = SAMPLES, sample_size = STEPS)]
fn punctual(bencher: Bencher, case: &Case) {
    let schedule = Arc::new(Schedule::parse(case.pattern, "").unwrap());
    let timetable = Timetable::new(vec![schedule], Place::of(TimeZone::get(case.zone).unwrap()));
    let [start, end]: [Timestamp; 2] = ["2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"].map(|at| at.parse().unwrap());
    walk(bencher, start, |at| *at >= end, |at| timetable.next_after(*at).unwrap());
}

#[divan::bench(args = patterns(), sample_count = SAMPLES, sample_size = STEPS)]
fn croner(bencher: Bencher, case: &Case) {
    let cron = croner::Cron::from_str(case.pattern).unwrap();
    let start: Zoned = format!("2026-01-01T00:00:00[{}]", case.zone).parse().unwrap();
    walk(bencher, start, |at| at.year() > 2026, |at| cron.find_next_occurrence(at, false).unwrap());
}

#[divan::bench(args = patterns(), sample_count = SAMPLES, sample_size = STEPS)]
fn cron(bencher: Bencher, case: &Case) {
    use chrono::{Datelike, TimeZone};
    // It counts seconds first, and weekdays from 1 for Sunday.
    let schedule = cron::Schedule::from_str(&format!("0 {}", case.pattern.replace("1-5", "Mon-Fri"))).unwrap();
    let zone: chrono_tz::Tz = case.zone.parse().unwrap();
    let start = zone.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
    walk(bencher, start, |at| at.year() > 2026, |at| schedule.after(at).next().unwrap());
}

fn main() {
    divan::main();
}

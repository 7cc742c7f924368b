//! How does one say this schedule?
//!
//! A pattern is put into words by the values that its fields select, not by how they are written: `*/35` selects the
//! minutes 0 and 35, which is no pace of 35 minutes. Only a day field that is just `*` counts as it is written, because
//! that decides how the two day fields go together.

use std::time::Duration;

use super::days::{Months, days_in_words};
use super::field::YEARS;
use super::values::{MOST_VALUES, joined, numbered, ordinal, pace_of, runs_of, spans_of, step_of, values};

/// So many times of day are spelled out; more would be a wall of digits.
const MOST_TIMES: usize = 4;

/// The units of a duration, in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("day", DAY),
    ("hour", 3_600_000_000_000),
    ("minute", 60_000_000_000),
    ("second", 1_000_000_000),
    ("millisecond", 1_000_000),
    ("microsecond", 1_000),
    ("nanosecond", 1),
];

const DAY: u128 = 86_400_000_000_000;

/// Says the plain form of a pattern, without a full stop and beginning in lower case.
pub(super) fn pattern_in_words(plain: &str) -> String {
    let mut fields = plain.split_whitespace();
    let mut field = || fields.next().unwrap_or("*");
    let times =
        TimesOfDay { seconds: values(field(), 0, 59), minutes: values(field(), 0, 59), hours: values(field(), 0, 23) };
    let (day, month, weekday, year) = (field(), field(), field(), field());
    let (mut words, extent) = times.in_words();
    let months = Months::read(month);
    let years = years_in_words(year);
    let simple = match days_in_words(day, weekday, months.as_ref()) {
        Some(days) => {
            words.push_str(if extent == Extent::Clock && days.follows { " " } else { ", " });
            words.push_str(&days.words);
            false
        }
        None => {
            words.push_str(extent.every_day());
            words.push_str(&months.as_ref().map_or(String::new(), Months::within));
            months.is_none()
        }
    };
    let comma = if simple { "" } else { "," };
    words + &years.map_or(String::new(), |years| format!("{comma} {years}"))
}

/// Says an interval that is counted from the Unix epoch. Where it does not come out at the same times each day, only
/// that beginning tells when it is due.
pub(super) fn interval_in_words(interval: Duration) -> String {
    let length = duration_in_words(interval);
    // One of a unit goes without its number, as in "every hour".
    let length = length.strip_prefix("1 ").filter(|unit| !unit.contains(' ')).unwrap_or(&length);
    let daily = interval.as_nanos() < DAY && DAY.is_multiple_of(interval.as_nanos());
    let count = if daily { "" } else { ", counted from the Unix epoch in UTC" };
    format!("every {length}{count}")
}

/// In one unit if that makes a number one can grasp, otherwise in several.
pub(super) fn duration_in_words(duration: Duration) -> String {
    const LARGEST_NUMBER: u128 = 119;
    let counted = |count: u128, unit: &str| format!("{count} {unit}{}", if count == 1 { "" } else { "s" });
    let mut rest = duration.as_nanos();
    for (unit, size) in UNITS {
        if rest.is_multiple_of(size) && (size == DAY || rest / size <= LARGEST_NUMBER) {
            return counted(rest / size, unit);
        }
    }
    let mut parts = Vec::new();
    for (unit, size) in UNITS {
        if rest >= size {
            parts.push(counted(rest / size, unit));
            rest %= size;
        }
    }
    joined(&parts, "and")
}

/// How often something happens that happens evenly.
fn every(pace: u16, noun: &str) -> String {
    if pace == 1 { format!("every {noun}") } else { format!("every {pace} {noun}s") }
}

/// How much of a day a phrase about times covers; the days follow it accordingly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Single times.
    Clock,
    /// Some of the hours.
    Part,
    /// All hours, so that each day is meant if none is named.
    Whole,
}

impl Extent {
    fn every_day(self) -> &'static str {
        match self {
            Self::Clock => " every day",
            Self::Part => ", every day",
            Self::Whole => "",
        }
    }
}

/// What the three fields for the time of day select.
#[derive(Debug)]
struct TimesOfDay {
    seconds: Vec<u16>,
    minutes: Vec<u16>,
    hours: Vec<u16>,
}

impl TimesOfDay {
    fn in_words(&self) -> (String, Extent) {
        if let Some(times) = self.clock_times() {
            return (format!("at {}", joined(&times, "and")), Extent::Clock);
        }
        let extent = if self.all_hours() { Extent::Whole } else { Extent::Part };
        let words = self
            .every_few_hours()
            .or_else(|| self.every_few_minutes())
            .or_else(|| self.every_few_seconds())
            .unwrap_or_else(|| self.field_by_field());
        (words, extent)
    }

    fn on_the_minute(&self) -> bool {
        self.seconds == [0]
    }

    fn all_minutes(&self) -> bool {
        self.minutes.len() == 60
    }

    fn all_hours(&self) -> bool {
        self.hours.len() == 24
    }

    /// Seconds are shown only where they matter.
    fn clock(&self, hour: u16, minute: u16, second: u16) -> String {
        if self.on_the_minute() {
            format!("{hour:02}:{minute:02}")
        } else {
            format!("{hour:02}:{minute:02}:{second:02}")
        }
    }

    /// All times of the day, if they are few.
    fn clock_times(&self) -> Option<Vec<String>> {
        if self.hours.len() * self.minutes.len() * self.seconds.len() > MOST_TIMES {
            return None;
        }
        let mut times = Vec::new();
        for hour in &self.hours {
            for minute in &self.minutes {
                times.extend(self.seconds.iter().map(|second| self.clock(*hour, *minute, *second)));
            }
        }
        Some(times)
    }

    /// Once in an hour, at an even pace. Both ends are said: the pace need not go on over midnight, and hours are those
    /// of a clock that can be put forward.
    fn every_few_hours(&self) -> Option<String> {
        let ([second], [minute], [first, .., last]) = (&self.seconds[..], &self.minutes[..], &self.hours[..]) else {
            return None;
        };
        if self.all_hours() {
            return (*second == 0 && *minute == 0).then(|| every(1, "hour"));
        }
        let pace = step_of(&self.hours).filter(|step| 24 % step == 0)?;
        let (from, to) = (self.clock(*first, *minute, *second), self.clock(*last, *minute, *second));
        Some(format!("{} from {from} to {to}", every(pace, "hour")))
    }

    fn every_few_minutes(&self) -> Option<String> {
        if !self.on_the_minute() {
            return None;
        }
        let Some(pace) = pace_of(&self.minutes, 60) else {
            // A run of minutes in one or two hours; single minutes have no pace.
            let windows = self.windows(&self.minutes).filter(|windows| windows.iter().all(|(a, b)| a < b))?;
            return Some(every(1, "minute") + &self.stretches(&windows, 0));
        };
        let hour: Vec<u16> = (0..60).collect();
        let mut windows = self.windows(&hour).unwrap_or_default();
        for (_, last) in &mut windows {
            *last -= pace - 1;
        }
        Some(every(pace, "minute") + &self.limits(&windows, 0, true))
    }

    fn every_few_seconds(&self) -> Option<String> {
        let pace = pace_of(&self.seconds, 60)?;
        let windows = self.windows(&self.minutes).unwrap_or_default();
        Some(every(pace, "second") + &self.limits(&windows, 60 - pace, self.all_minutes()))
    }

    /// The one or two stretches of a day that these minutes of the hours make up, as minutes of the day.
    fn windows(&self, minutes: &[u16]) -> Option<Vec<(u16, u16)>> {
        let runs = runs_of(self.hours.iter().flat_map(|hour| minutes.iter().map(move |minute| hour * 60 + minute)));
        (1..=2).contains(&runs.len()).then_some(runs)
    }

    /// Behind a pace: when it holds, if that is not always. `all` says that it holds in all minutes of an hour.
    fn limits(&self, windows: &[(u16, u16)], last_second: u16, all: bool) -> String {
        if all && self.all_hours() {
            String::new()
        } else if !windows.is_empty() {
            self.stretches(windows, last_second)
        } else if all {
            format!(" during {}", numbered("hour", &self.hours, 24))
        } else {
            format!(" during {}", self.minutes_of_hours())
        }
    }

    fn stretches(&self, windows: &[(u16, u16)], last_second: u16) -> String {
        let stretch = |(first, last): &(u16, u16)| {
            let (from, to) = (self.clock(first / 60, first % 60, 0), self.clock(last / 60, last % 60, last_second));
            format!("from {from} to {to}")
        };
        format!(" {}", joined(&windows.iter().map(stretch).collect::<Vec<_>>(), "and"))
    }

    fn minutes_of_hours(&self) -> String {
        format!("{} of {}", numbered("minute", &self.minutes, 60), numbered("hour", &self.hours, 24))
    }

    /// What can always be said.
    fn field_by_field(&self) -> String {
        if self.on_the_minute() {
            return format!("at {}", self.minutes_of_hours());
        }
        let seconds = numbered("second", &self.seconds, 60);
        if self.all_minutes() && self.all_hours() {
            return format!("at {seconds} of every minute");
        }
        format!("at {seconds} of {}", self.minutes_of_hours())
    }
}

/// `None` if all years are meant.
fn years_in_words(field: &str) -> Option<String> {
    let (first, last) = YEARS;
    // Steps of all years count from the year 1, as the specification has it, although nothing is due before the epoch.
    let years: Vec<u16> = values(field, 1, last).into_iter().filter(|year| *year >= first).collect();
    if years.len() == usize::from(last - first) + 1 {
        return None;
    }
    let spans = spans_of(&years, |year| year.to_string());
    if let ([from, .., to], Some(step)) = (&years[..], step_of(&years))
        && years.len() > MOST_VALUES
    {
        let end = if *to > last - step { "on".to_owned() } else { format!("to {to}") };
        return Some(match (step, end.as_str()) {
            (1, "on") => format!("from {from} on"),
            (1, _) => format!("in {from} {end}"),
            _ => format!("in every {} year from {from} {end}", ordinal(step)),
        });
    }
    if spans.len() > MOST_VALUES && field.contains(',') {
        // A union of steps can have thousands of years; each step alone is said in a few words.
        let items: Vec<String> = field.split(',').filter_map(years_in_words).collect();
        return Some(joined(&items, "and"));
    }
    Some(format!("in {}", joined(&spans, "and")))
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use jiff::civil::{Date, DateTime};

    use super::super::{Pattern, Schedule};
    use super::*;

    #[track_caller]
    fn says(rows: &[(&str, &str)]) {
        for (plain, expect) in rows {
            let read = Pattern::parse(plain, "").unwrap();
            assert_eq!(read.with_seconds(), *plain, "this is not the plain form");
            assert_eq!(pattern_in_words(plain), *expect, "{plain}");
        }
    }
    #[test]
    fn times_of_the_day() {
        says(&[
            ("0 30 2 * * *", "at 02:30 every day"),
            ("0 0 9,17 * * *", "at 09:00 and 17:00 every day"),
            ("0 0 */7 * * *", "at 00:00, 07:00, 14:00 and 21:00 every day"),
            ("0 0,30 9,17 * * *", "at 09:00, 09:30, 17:00 and 17:30 every day"),
            ("30 0 2 * * *", "at 02:00:30 every day"),
            ("0,30 0 2 * * *", "at 02:00:00 and 02:00:30 every day"),
            ("0 * * * * *", "every minute"),
            ("0 */1 * * * *", "every minute"),
            ("0 0-59 * * * *", "every minute"),
            ("0 */5 * * * *", "every 5 minutes"),
            ("0 0,30 * * * *", "every 30 minutes"),
            ("0 0 * * * *", "every hour"),
            ("0 15 * * * *", "at minute 15 of every hour"),
            ("0 15,45 * * * *", "at minutes 15 and 45 of every hour"),
            ("0 */35 * * * *", "at minutes 0 and 35 of every hour"),
            ("0 */7 * * * *", "at minutes 0, 7, 14, 21, 28, 35, 42, 49 and 56 of every hour"),
            ("0 5-59/10 * * * *", "at minutes 5, 15, 25, 35, 45 and 55 of every hour"),
            ("0 1-59/2 * * * *", "at every 2nd minute from 1 to 59 of every hour"),
            ("0 3,7,10-20 * * * *", "at minutes 3, 7 and 10 to 20 of every hour"),
            ("0 3,10-20/5,7,10 * * * *", "at minutes 3, 7, 10, 15 and 20 of every hour"),
        ]);
    }

    #[test]
    fn some_of_the_hours() {
        says(&[
            ("0 0 9-17 * * *", "every hour from 09:00 to 17:00, every day"),
            ("0 0 9-17 * * 1-5", "every hour from 09:00 to 17:00, Monday to Friday"),
            ("0 15 9-17/2 * * 1-5", "every 2 hours from 09:15 to 17:15, Monday to Friday"),
            ("30 15 9-17 * * *", "every hour from 09:15:30 to 17:15:30, every day"),
            ("0 0 */2 * * *", "every 2 hours from 00:00 to 22:00, every day"),
            ("0 0 */5 * * *", "at minute 0 of hours 0, 5, 10, 15 and 20, every day"),
            ("0 */10 8-18 * * 1-5", "every 10 minutes from 08:00 to 18:50, Monday to Friday"),
            ("0 * 2 * * *", "every minute from 02:00 to 02:59, every day"),
            ("0 0,30 9-17 * * *", "every 30 minutes from 09:00 to 17:30, every day"),
            ("0 */15 9-11,13-16 * * *", "every 15 minutes from 09:00 to 11:45 and from 13:00 to 16:45, every day"),
            ("0 */5 1,3,5 * * *", "every 5 minutes during hours 1, 3 and 5, every day"),
            ("0 * */2 * * *", "every minute during every 2nd hour from 0 to 22, every day"),
            ("0 10-20 2 * * *", "every minute from 02:10 to 02:20, every day"),
            ("0 15,45 9-17 * * *", "at minutes 15 and 45 of hours 9 to 17, every day"),
            ("0 3,7,10-20 3,5 * * *", "at minutes 3, 7 and 10 to 20 of hours 3 and 5, every day"),
        ]);
    }

    #[test]
    fn seconds() {
        says(&[
            ("* * * * * *", "every second"),
            ("*/20 * * * * *", "every 20 seconds"),
            ("*/35 * * * * *", "at seconds 0 and 35 of every minute"),
            ("30 * * * * *", "at second 30 of every minute"),
            ("30 15 * * * *", "at second 30 of minute 15 of every hour"),
            ("30 */5 * * * *", "at second 30 of every 5th minute from 0 to 55 of every hour"),
            ("* */10 * * * *", "every second during minutes 0, 10, 20, 30, 40 and 50 of every hour"),
            ("* */5 * * * *", "every second during every 5th minute from 0 to 55 of every hour"),
            ("* 30 2 * * *", "every second from 02:30:00 to 02:30:59, every day"),
            ("*/15 0-4 3 * * *", "every 15 seconds from 03:00:00 to 03:04:45, every day"),
            ("*/15 * 9-17 * * *", "every 15 seconds from 09:00:00 to 17:59:45, every day"),
            ("*/15 * 1,3,5 * * *", "every 15 seconds during hours 1, 3 and 5, every day"),
            ("*/10 */2 3 * * *", "every 10 seconds during every 2nd minute from 0 to 58 of hour 3, every day"),
            ("1-3,5,8 * * * * *", "at seconds 1 to 3, 5 and 8 of every minute"),
            ("1-3,5,8 * 9-17 * * *", "at seconds 1 to 3, 5 and 8 of every minute of hours 9 to 17, every day"),
        ]);
    }

    #[test]
    fn days_of_the_month() {
        says(&[
            ("0 0 0 1 * *", "at 00:00 on day 1 of every month"),
            ("0 0 0 1,15 * *", "at 00:00 on days 1 and 15 of every month"),
            ("0 0 0 10-20,5,3-4 * *", "at 00:00 on days 3 to 5 and 10 to 20 of every month"),
            ("0 0 0 */2 * *", "at 00:00 on every 2nd day from 1 to 31 of the month"),
            ("0 0 0 31 * *", "at 00:00 on day 31 of every month that has it"),
            ("0 0 0 30,31 * *", "at 00:00 on days 30 and 31 of the month"),
            ("0 0 18 L * *", "at 18:00 on the last day of every month"),
            ("0 0 18 LW * *", "at 18:00 on the last weekday (Monday to Friday) of every month"),
            ("0 0 18 15W * *", "at 18:00 on the weekday (Monday to Friday) nearest to day 15 of every month"),
            (
                "0 0 18 1W * *",
                "at 18:00 on the weekday (Monday to Friday, in the same month) nearest to day 1 of every month",
            ),
            (
                "0 0 18 31W * *",
                "at 18:00 on the weekday (Monday to Friday, in the same month) nearest to day 31 of every month that has it",
            ),
            (
                "0 0 18 5W,15W * *",
                "at 18:00 on the weekdays (Monday to Friday) nearest to days 5 and 15 of every month",
            ),
            (
                "0 0 18 1,2,15W,L * *",
                "at 18:00 on days 1 and 2, the weekday (Monday to Friday) nearest to day 15 and the last day of every month",
            ),
            ("0 */5 * 1 * *", "every 5 minutes, on day 1 of every month"),
            ("0 0 0 1-31 * *", "at 00:00 every day"),
        ]);
    }

    #[test]
    fn weekdays() {
        says(&[
            ("0 0 9 * * 0", "at 09:00 every Sunday"),
            ("0 0 9 * * 7", "at 09:00 every Sunday"),
            ("0 0 9 * * 6,0", "at 09:00 every Saturday and Sunday"),
            ("0 0 9 * * 1-5", "at 09:00, Monday to Friday"),
            ("0 0 9 * * 0-4", "at 09:00, Sunday to Thursday"),
            ("0 0 9 * * 5-7", "at 09:00, Friday to Sunday"),
            ("0 0 9 * * 1-3,6", "at 09:00 every Monday, Tuesday, Wednesday and Saturday"),
            ("0 0 9 * * */2", "at 09:00 every Tuesday, Thursday, Saturday and Sunday"),
            ("0 0 9 * * 0-6", "at 09:00 every day"),
            ("0 0 9 * * +5", "at 09:00 every Friday"),
            ("0 */5 * * * 0", "every 5 minutes, every Sunday"),
            ("0 0 9 * * 5#2", "at 09:00 on the second Friday of every month"),
            ("0 0 9 * * 5#L", "at 09:00 on the last Friday of every month"),
            ("0 0 9 * * 5#5", "at 09:00 on the fifth Friday of every month that has one"),
            ("0 0 9 * * 5#1,5#5", "at 09:00 on the first and fifth Friday of the month"),
            ("0 0 9 * * 5#2,5#4,0#L", "at 09:00 on the second and fourth Friday and the last Sunday of every month"),
            ("0 0 9 * * 1,5#2", "at 09:00 on every Monday, and on the second Friday of the month"),
            ("0 0 9 * * 1,5#2,5", "at 09:00 every Monday and Friday"),
        ]);
    }

    #[test]
    fn both_day_fields() {
        says(&[
            ("0 0 9 13 * 5", "at 09:00 on day 13 of the month, and on every Friday"),
            ("0 0 9 13 * 1-5", "at 09:00 on day 13 of the month, and on every day from Monday to Friday"),
            ("0 0 9 13 * 5#2", "at 09:00 on day 13 of the month, and on the second Friday of the month"),
            (
                "0 0 9 1,8 * 1-3,6",
                "at 09:00 on days 1 and 8 of the month, and on every Monday, Tuesday, Wednesday and Saturday",
            ),
            ("0 0 9 */2 * 1", "at 09:00 on every 2nd day from 1 to 31 of the month, and on every Monday"),
            ("0 0 9 */1 * 5", "at 09:00 every day"),
            ("0 0 9 13 * 0-6", "at 09:00 every day"),
            ("0 0 9 13 * +5", "at 09:00 on day 13 of the month if it is a Friday"),
            ("0 0 9 13 * +*", "at 09:00 on day 13 of every month"),
            ("0 0 9 */1 * +5", "at 09:00 every Friday"),
            ("0 0 9 13 * +0-6", "at 09:00 on day 13 of every month"),
            ("0 0 9 1-7 * +1", "at 09:00 on days 1 to 7 of the month if the day is a Monday"),
            ("0 0 9 L * +1-3", "at 09:00 on the last day of the month if it is a Monday, Tuesday or Wednesday"),
            (
                "0 0 9 L * +5#L,1",
                "at 09:00 on the last day of the month if it is a Monday or the last Friday of the month",
            ),
        ]);
    }

    #[test]
    fn months() {
        says(&[
            ("0 0 9 * 1,7 *", "at 09:00 every day in January and July"),
            ("0 0 9 * 1-3 1", "at 09:00 every Monday in January to March"),
            ("0 0 9 * 1-3 1-5", "at 09:00, Monday to Friday, in January to March"),
            ("0 0 0 1 1 *", "at 00:00 on day 1 of January"),
            ("0 0 0 1 */3 *", "at 00:00 on day 1 of January, April, July and October"),
            ("0 0 0 29 2 *", "at 00:00 on day 29 of February"),
            ("0 0 9 * 1 5#2", "at 09:00 on the second Friday of January"),
            ("0 0 9 L 1-3 *", "at 09:00 on the last day of January, February and March"),
            ("0 0 9 * 10-12 5#L", "at 09:00 on the last Friday of October, November and December"),
            ("0 0 9 L 1-3 1", "at 09:00 on the last day of the month, and on every Monday, in January to March"),
            ("0 0 9 * 1 5#2,1", "at 09:00 on every Monday, and on the second Friday of the month, in January"),
            ("0 0 9 13 1 5", "at 09:00 on day 13 of the month, and on every Friday, in January"),
            ("0 0 9 13 1,7 +5", "at 09:00 on day 13 of January and July if it is a Friday"),
            ("0 */5 * * 1 *", "every 5 minutes in January"),
            ("0 */5 9 * 1 *", "every 5 minutes from 09:00 to 09:55, every day in January"),
            ("0 0 0 * 1-12 *", "at 00:00 every day"),
        ]);
    }

    #[test]
    fn years() {
        says(&[
            ("0 0 0 * * * 2027", "at 00:00 every day in 2027"),
            ("0 0 0 * * * 2026-2030", "at 00:00 every day in 2026 to 2030"),
            ("0 0 0 * * * 2026-2100", "at 00:00 every day in 2026 to 2100"),
            ("0 0 0 * * * 2026-4999", "at 00:00 every day from 2026 on"),
            ("0 0 0 * * * 2026,2028,2030-2032", "at 00:00 every day in 2026, 2028 and 2030 to 2032"),
            ("0 0 0 * * * 2000-2040/2", "at 00:00 every day in every 2nd year from 2000 to 2040"),
            ("0 0 0 * * * */2", "at 00:00 every day in every 2nd year from 1971 on"),
            (
                "0 0 0 * * * */2,*/3",
                "at 00:00 every day in every 2nd year from 1971 on and in every 3rd year from 1972 on",
            ),
            ("0 0 0 * * * *", "at 00:00 every day"),
            ("0 0 0 * * * 1970-4999", "at 00:00 every day"),
            ("0 0 0 1 1 * 2027", "at 00:00 on day 1 of January, in 2027"),
            ("0 0 0 * 2 * 2026", "at 00:00 every day in February, in 2026"),
            ("0 */5 * * * * 2026", "every 5 minutes in 2026"),
            ("0 */5 * * * 0,6 2026", "every 5 minutes, every Saturday and Sunday, in 2026"),
            ("0 */5 9 * * * 2026", "every 5 minutes from 09:00 to 09:55, every day in 2026"),
        ]);
    }

    #[test]
    fn other_schedules() {
        for (text, expect) in [
            ("@weekly", "at 00:00 every Sunday"),
            ("@yearly", "at 00:00 on day 1 of January"),
            ("@reboot", "when the daemon first starts after the machine booted"),
            ("@start", "each time the daemon starts"),
            ("every 1s", "every second"),
            ("every 10s", "every 10 seconds"),
            ("every 90m", "every 90 minutes"),
            ("every 1h", "every hour"),
            ("every 6h", "every 6 hours"),
            ("every 100s", "every 100 seconds"),
            ("every 1500ms", "every 1 second and 500 milliseconds"),
            ("every 7m", "every 7 minutes, counted from the Unix epoch in UTC"),
            ("every 36h", "every 36 hours, counted from the Unix epoch in UTC"),
            ("every 3601s", "every 1 hour and 1 second, counted from the Unix epoch in UTC"),
            ("every 1d", "every day, counted from the Unix epoch in UTC"),
            ("every 1w", "every 7 days, counted from the Unix epoch in UTC"),
            ("every 1d 1h", "every 25 hours, counted from the Unix epoch in UTC"),
            ("every 26h 1s", "every 1 day, 2 hours and 1 second, counted from the Unix epoch in UTC"),
            ("at 2026-12-31T23:59:00", "once, at 2026-12-31 23:59:00"),
            ("at 2026-12-31T23:59:00.25", "once, at 2026-12-31 23:59:00.25"),
            ("at 2026-12-31T23:59:00+02:00", "once, at 2026-12-31 21:59:00 UTC"),
        ] {
            assert_eq!(Schedule::parse(text, "").unwrap().in_words(), expect, "{text}");
        }
    }

    const TIMES: [&str; 16] = [
        "0 0 0",
        "0 0 *",
        "0 */10 *",
        "0 0-50/10 *",
        "0 */35 *",
        "0 0,35 *",
        "0 1-59/2 8-18",
        "0 * 1,5,9",
        "0 5 */3",
        "0 5-20 7,8",
        "* */5 *",
        "*/20 * 4",
        "30 * *",
        "30 7 *",
        "1,2,9 * 3-5",
        "0,59 0-9 0,23",
    ];
    const DAYS: [&str; 9] = ["*", "1", "13,29", "*/2", "*/1", "L", "LW", "15W,31W", "1-7,L"];
    const WEEKDAYS: [&str; 11] = ["*", "0", "1-5", "7,1", "5", "5#2", "5#L,5#5", "1,5#1", "+5", "+0-6", "+5#2,1"];
    const REST: [&str; 4] = ["* *", "1,7 *", "2-4 2027", "* */3"];

    /// The patterns that these fields make up, without those that no day can match: the first times of day with all
    /// days, the others with some.
    fn combined() -> Vec<Pattern> {
        let mut patterns = Vec::new();
        for (position, times) in TIMES.iter().enumerate() {
            let (days, weekdays) =
                if position == 0 { (&DAYS[..], &WEEKDAYS[..]) } else { (&DAYS[..2], &WEEKDAYS[..3]) };
            for (day, weekday) in days.iter().flat_map(|day| weekdays.iter().map(move |weekday| (day, weekday))) {
                patterns.extend(REST.iter().filter_map(|rest| {
                    let (month, year) = rest.split_once(' ')?;
                    Pattern::parse(&format!("{times} {day} {month} {weekday} {year}"), "").ok()
                }));
            }
        }
        patterns
    }

    #[test]
    fn each_pattern_has_words() {
        let patterns = combined();
        assert!(patterns.len() > 700, "{}", patterns.len());
        for pattern in patterns {
            let (plain, words) = (pattern.with_seconds(), pattern_in_words(pattern.with_seconds()));
            assert!(words.starts_with(|c: char| c.is_ascii_lowercase()), "{plain}: {words}");
            assert!(words.ends_with(|c: char| c.is_ascii_alphanumeric() || c == ')'), "{plain}: {words}");
            assert!(!words.contains("  ") && !words.contains(" ,") && !words.contains(",,"), "{plain}: {words}");
        }
    }

    /// Nothing that a pattern says is lost on the way: if two are said alike, they match the same times.
    #[test]
    fn the_same_words_have_the_same_meaning() {
        let patterns = combined();
        let mut said: HashMap<String, &Pattern> = HashMap::new();
        let mut alike = 0;
        for pattern in &patterns {
            let words = pattern_in_words(pattern.with_seconds());
            let other = said.entry(words.clone()).or_insert(pattern);
            if other.with_seconds() != pattern.with_seconds() {
                let pair = format!("{} and {}: {words}", other.with_seconds(), pattern.with_seconds());
                assert_eq!(matches(other), matches(pattern), "{pair}");
                alike += 1;
            }
        }
        assert!(alike > 50, "only {alike} are said alike");
    }

    /// What a pattern matches: how often on each of 800 days, with a leap day among them, and the first times.
    fn matches(pattern: &Pattern) -> (Vec<u64>, Vec<DateTime>) {
        let first = Date::constant(2026, 1, 1);
        let days = first.series(jiff::Span::new().days(1)).take(800);
        let counts = days.map(|day| pattern.count_matches(day.at(0, 0, 0, 0), day.at(23, 59, 59, 1))).collect();
        let next = |at: &DateTime| pattern.next_match(at.checked_add(jiff::Span::new().seconds(1)).ok()?);
        let times = std::iter::successors(pattern.next_match(first.at(0, 0, 0, 0)), next).take(100).collect();
        (counts, times)
    }

    #[test]
    fn what_is_no_pattern_has_words_too() {
        for text in ["", "x", "99 99 99 99 99 99 99", "5-1 */0 / - L#9 8#0,9#7 +", "* * * 40W 13 #"] {
            pattern_in_words(text);
        }
    }

    #[test]
    fn what_is_not_evenly_spaced_is_no_pace() {
        for field in ["*/7", "*/8", "*/35", "*/59", "0-40/10", "10-59/10", "1,31"] {
            let words = pattern_in_words(&format!("0 {field} * * * *"));
            assert!(words.starts_with("at minute"), "{field}: {words}");
            let words = pattern_in_words(&format!("{field} * * * * *"));
            assert!(words.starts_with("at second"), "{field}: {words}");
        }
    }
}

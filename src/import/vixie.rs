//! When does Debian's cron start it? Its loop, minute by minute, written after `cron.c` and `entry.c` of its source, and
//! sharing nothing with our own schedules: this is what an import is held against.
//!
//! Taken as on a machine that is awake and not busy: the loop looks once in each minute. What it does within a minute, such
//! as its pauses between jobs that it makes up for, is left out.

use jiff::Timestamp;
use jiff::tz::TimeZone;

const MINUTE: i64 = 60;
/// A step of the local clock that cron takes for a change to or from summer time; what is longer is a new time to it.
const LONGEST_CHANGE: i64 = 3 * 60;
/// So late it just runs what it has slept over.
const WOKE_LATE: i64 = 5;

/// An entry as cron keeps it: a set of bits for each field, and whether fields begin with a star.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    minutes: u64,
    hours: u64,
    days: u64,
    months: u64,
    weekdays: u64,
    /// Its minute or its hour begins with a star: it keeps its pace through changes of the clock.
    is_wild: bool,
    /// One of its day fields begins with a star: both must match.
    has_free_day: bool,
}

/// A start: the minute since the epoch, and how many times within it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Start {
    pub minute: i64,
    pub times: u32,
}

impl Entry {
    /// Reads five fields; `None` where cron reads none of it.
    pub fn read(fields: &str) -> Option<Self> {
        const MONTHS: &str = "jan feb mar apr may jun jul aug sep oct nov dec";
        const WEEKDAYS: &str = "sun mon tue wed thu fri sat";
        let words: Vec<&str> = fields.split_ascii_whitespace().collect();
        let [minute, hour, day, month, weekday] = words[..] else {
            return None;
        };
        let weekdays = bits(weekday, 0, 7, WEEKDAYS)?;
        // Sunday is the first day and the eighth.
        let sunday = u64::from(weekdays & (1 | 1 << 7) != 0);
        Some(Self {
            minutes: bits(minute, 0, 59, "")?,
            hours: bits(hour, 0, 23, "")?,
            days: bits(day, 1, 31, "")?,
            months: bits(month, 1, 12, MONTHS)?,
            weekdays: weekdays | sunday,
            is_wild: minute.starts_with('*') || hour.starts_with('*'),
            has_free_day: day.starts_with('*') || weekday.starts_with('*'),
        })
    }

    /// Whether it matches a minute of the local clock, as minutes since a midnight of 1970 by that clock.
    fn matches(&self, minute: i64, today: &Today) -> bool {
        let has = |bits: u64, value: i64| bits >> value & 1 == 1;
        let (day, weekday) = (has(self.days, today.day), has(self.weekdays, today.weekday));
        has(self.minutes, minute.rem_euclid(60))
            && has(self.hours, minute.div_euclid(60).rem_euclid(24))
            && has(self.months, today.month)
            && if self.has_free_day { day && weekday } else { day || weekday }
    }
}

/// The bits of one field, list by list.
fn bits(field: &str, low: u64, high: u64, names: &str) -> Option<u64> {
    let number = |text: &str| -> Option<u64> {
        let named = names.split(' ').position(|name| !name.is_empty() && name.eq_ignore_ascii_case(text));
        match named {
            Some(at) => Some(low + at as u64),
            None if text.is_empty() || !text.bytes().all(|byte| byte.is_ascii_digit()) => None,
            None => text.parse().ok(),
        }
    };
    let mut set = 0;
    for item in field.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u64>().ok().filter(|step| *step > 0)?)),
            None => (item, None),
        };
        let (first, last) = match range.split_once('-') {
            _ if range == "*" => (low, high),
            Some((first, last)) => (number(first)?, number(last)?),
            None if step.is_some() => return None,
            None => (number(range)?, number(range)?),
        };
        if first < low || first > high || last < low || last > high {
            return None;
        }
        let step = usize::try_from(step.unwrap_or(1)).ok()?;
        set = (first..=last).step_by(step).fold(set, |set, value| set | 1 << value);
    }
    Some(set)
}

/// A day by the local clock.
struct Today {
    number: i64,
    day: i64,
    month: i64,
    /// From Sunday, which is 0.
    weekday: i64,
}

impl Today {
    /// The day of a minute of the local clock, from days since the first of January 1970, a Thursday.
    fn of(minute: i64) -> Self {
        let number = minute.div_euclid(24 * 60);
        // The year begins in March, so that the day that is not always there is the last one.
        let shifted = number + 719_468;
        // Of the four hundred years after which all days come again.
        let day_of_era = shifted.rem_euclid(146_097);
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let from_march = (5 * day_of_year + 2) / 153;
        Self {
            number,
            day: day_of_year - (153 * from_march + 2) / 5 + 1,
            month: if from_march < 10 { from_march + 3 } else { from_march - 9 },
            weekday: (number + 4).rem_euclid(7),
        }
    }
}

/// The local clock as cron sees it: it asks for the offset anew only when summer time begins or ends.
struct LocalClock<'z> {
    zone: &'z TimeZone,
    offset: i64,
    is_summer: bool,
    /// Until here nothing about the zone changes.
    until: Option<Timestamp>,
}

impl<'z> LocalClock<'z> {
    fn new(zone: &'z TimeZone, at: Timestamp) -> Self {
        let info = zone.to_offset_info(at);
        let until = zone.following(at).next().map(|change| change.timestamp());
        Self { zone, offset: i64::from(info.offset().seconds()), is_summer: info.dst().is_dst(), until }
    }

    /// Minutes of the local clock.
    fn minute(&mut self, second: i64) -> i64 {
        if self.until.is_some_and(|until| until.as_second() <= second)
            && let Ok(at) = Timestamp::from_second(second)
        {
            let info = self.zone.to_offset_info(at);
            if info.dst().is_dst() != self.is_summer {
                self.is_summer = info.dst().is_dst();
                self.offset = i64::from(info.offset().seconds());
            }
            self.until = self.zone.following(at).next().map(|change| change.timestamp());
        }
        (second + self.offset).div_euclid(MINUTE)
    }
}

/// When cron starts an entry after `from` and until `until`, in order. It was running before `from`.
pub fn starts(entry: &Entry, zone: &TimeZone, from: Timestamp, until: Timestamp) -> Vec<Start> {
    let begin = from.as_second().div_euclid(MINUTE);
    let end = until.as_second().div_euclid(MINUTE);
    let mut clock = LocalClock::new(zone, from);
    let mut virtual_time = clock.minute(begin * MINUTE);
    let mut today = Today::of(virtual_time);
    let mut starts = Vec::new();
    for minute in begin + 1..=end {
        let now = clock.minute(minute * MINUTE);
        let mut times = 0;
        let mut find = |at: i64, wild: bool, fixed: bool| {
            if at.div_euclid(24 * 60) != today.number {
                today = Today::of(at);
            }
            let is_asked = if entry.is_wild { wild } else { fixed };
            times += u32::from(is_asked && entry.matches(at, &today));
        };
        let late = now - virtual_time;
        if (1..=WOKE_LATE).contains(&late) {
            while virtual_time < now {
                virtual_time += 1;
                find(virtual_time, true, true);
            }
        } else if late > WOKE_LATE && late <= LONGEST_CHANGE {
            find(now, true, false);
            while virtual_time < now {
                virtual_time += 1;
                find(virtual_time, false, true);
            }
        } else if late <= 0 && late > -LONGEST_CHANGE {
            find(now, true, false);
        } else {
            virtual_time = now;
            find(now, true, true);
        }
        if times > 0 {
            starts.push(Start { minute, times });
        }
    }
    starts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[track_caller]
    fn check(fields: &str, zone: &str, from: &str, until: &str, expect: &[(&str, u32)]) {
        let zone = TimeZone::get(zone).unwrap();
        let starts = starts(&Entry::read(fields).unwrap(), &zone, at(from), at(until));
        let shown: Vec<(String, u32)> = starts
            .iter()
            .map(|start| (Timestamp::from_second(start.minute * 60).unwrap().to_string(), start.times))
            .collect();
        let expect: Vec<(String, u32)> = expect.iter().map(|(time, times)| ((*time).to_owned(), *times)).collect();
        assert_eq!(shown, expect, "{fields}");
    }

    #[test]
    fn summer_time_is_crons() {
        let (spring, summer) = ("2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z");
        let once = [("2026-03-29T01:00:00Z", 1)];
        check("30 2 * * *", "Europe/Berlin", spring, summer, &once);
        check("15,45 2 * * *", "Europe/Berlin", spring, summer, &[("2026-03-29T01:00:00Z", 2)]);
        check("*/30 2 * * *", "Europe/Berlin", spring, summer, &[]);
        check(
            "0 * * * *",
            "Europe/Berlin",
            spring,
            summer,
            &[("2026-03-29T01:00:00Z", 1), ("2026-03-29T02:00:00Z", 1)],
        );
        check("0 3 * * *", "Europe/Berlin", spring, summer, &once);
        let (autumn, winter) = ("2026-10-24T23:00:00Z", "2026-10-25T02:00:00Z");
        check("30 2 * * *", "Europe/Berlin", autumn, winter, &[("2026-10-25T00:30:00Z", 1)]);
        let twice = [("2026-10-25T00:30:00Z", 1), ("2026-10-25T01:30:00Z", 1)];
        check("30 */2 * * *", "Europe/Berlin", autumn, winter, &twice);
        check("0 0 * * *", "Europe/Berlin", autumn, winter, &[]);
    }

    #[test]
    fn days_are_crons() {
        let (from, until) = ("2026-02-01T00:00:00Z", "2026-03-03T00:00:00Z");
        check(
            "0 0 13 * 5",
            "UTC",
            "2026-02-05T00:00:00Z",
            "2026-02-14T00:00:00Z",
            &[("2026-02-06T00:00:00Z", 1), ("2026-02-13T00:00:00Z", 1)],
        );
        check("0 0 */10 * 0", "UTC", from, until, &[("2026-03-01T00:00:00Z", 1)]);
        check("0 0 29-31 * *", "UTC", from, until, &[]);
        check("0 0 1 mar 7", "UTC", from, until, &[("2026-03-01T00:00:00Z", 1)]);
        for wrong in ["60 * * * *", "* * * *", "5/3 * * * *", "* * 0 * *", "x * * * *", "*/0 * * * *", "~ * * * *"] {
            assert_eq!(Entry::read(wrong), None, "{wrong}");
        }
    }

    /// Questions that other crons have answered; those about daylight saving were put to cron itself.
    #[test]
    fn cron_itself_answered_so() {
        let mut asked = 0;
        for line in include_str!("../../tests/data/cron.jsonl").lines() {
            let question: serde_json::Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| question[key].as_str().unwrap();
            // Classes of patterns that cron has not, or reads otherwise.
            let is_crons =
                matches!(text("class"), "simple" | "lists" | "steps" | "names" | "sunday7" | "dom_dow" | "month_end")
                    || text("class").starts_with("dst_");
            let Some(entry) = Entry::read(text("expr")).filter(|_| is_crons) else {
                continue;
            };
            let expect: Vec<&str> =
                question["next"].as_array().unwrap().iter().map(|at| at.as_str().unwrap()).collect();
            let Some(last) = expect.last() else { continue };
            let zone = TimeZone::get(text("tz")).unwrap();
            let starts = starts(&entry, &zone, at(text("from")), at(last));
            let found: Vec<String> =
                starts.iter().map(|start| Timestamp::from_second(start.minute * 60).unwrap().to_string()).collect();
            assert_eq!(found, expect, "{line}");
            asked += 1;
        }
        assert!(asked > 400, "only {asked} questions");
    }
}

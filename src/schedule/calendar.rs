//! When is a job not to run, and what becomes of the instants there?
//!
//! A calendar is a set of times in the zone of whoever asks: dates, days of the week, hours of the day, events. What it
//! covers is skipped, or moved to the same time of another day.

use std::sync::Arc;

use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::bounds::Bounds;
use super::ics::Events;
use super::place;

/// Nobody closes for longer and still means the instant; what finds no free day by then is skipped.
const FARTHEST_MOVE: i32 = 31;

/// What becomes of an instant that falls into a calendar.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    Skip,
    /// The same time of the next day that is in no calendar.
    NextDay,
    /// The same time of the last day before that is in no calendar.
    PreviousDay,
}

impl Then {
    pub const WORDS: [(&'static str, Self); 3] =
        [("skip", Self::Skip), ("next-day", Self::NextDay), ("previous-day", Self::PreviousDay)];

    pub fn word(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::NextDay => "next-day",
            Self::PreviousDay => "previous-day",
        }
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(candidate, _)| *candidate == word).map(|(_, then)| then)
    }
}

/// Some dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dates {
    One(Date),
    /// Both ends included.
    Range(Date, Date),
    /// Every year.
    Yearly {
        month: i8,
        day: i8,
    },
}

impl Dates {
    /// Reads `2026-12-25`, `2026-12-24/2027-01-01` (both ends included) or `12-25`, which is every year.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        if let Some((from, to)) = text.split_once('/') {
            let (from, to) = (from.trim().parse().ok()?, to.trim().parse().ok()?);
            return (from <= to).then_some(Self::Range(from, to));
        }
        if let Some((month, day)) = text.split_once('-').filter(|(month, day)| month.len() == 2 && day.len() == 2) {
            let (month, day) = (month.parse().ok()?, day.parse().ok()?);
            // A leap year, so that the 29th of February is a date.
            return Date::new(2024, month, day).ok().map(|_| Self::Yearly { month, day });
        }
        text.parse().ok().map(Self::One)
    }

    fn contain(self, date: Date) -> bool {
        match self {
            Self::One(one) => one == date,
            Self::Range(from, to) => from <= date && date <= to,
            Self::Yearly { month, day } => (month, day) == (date.month(), date.day()),
        }
    }
}

/// A stretch of each day; one that ends at or before its beginning ends on the next day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Hours {
    from: Time,
    to: Time,
}

impl Hours {
    /// Reads `02:00-04:00`; `24:00` is the end of the day.
    pub fn parse(text: &str) -> Option<Self> {
        let (from, to) = text.split_once('-')?;
        let to = if to.trim() == "24:00" { Time::midnight() } else { time_of_day(to)? };
        Some(Self { from: time_of_day(from)?, to })
            .filter(|hours| hours.from != hours.to || hours.to == Time::midnight())
    }

    /// When it begins and when it ends; what ends at midnight ends with the day.
    pub fn ends(self) -> (Time, Time) {
        (self.from, self.to)
    }

    pub fn is_all_day(self) -> bool {
        self.from == self.to
    }

    fn on(self, date: Date) -> Option<(DateTime, DateTime)> {
        let end = if self.to > self.from { date } else { date.tomorrow().ok()? };
        Some((date.to_datetime(self.from), end.to_datetime(self.to)))
    }
}

fn time_of_day(text: &str) -> Option<Time> {
    let text = text.trim();
    let (hour, rest) = text.split_once(':')?;
    let is_plain = hour.len() <= 2 && rest.split(':').all(|part| part.len() == 2);
    let padded = if hour.len() == 1 { format!("0{text}") } else { text.to_owned() };
    padded.parse().ok().filter(|_| is_plain)
}

/// A named set of times.
#[derive(Debug, Clone)]
pub struct Calendar {
    pub name: String,
    /// What tells one version of the calendar from another.
    pub version: String,
    pub dates: Vec<Dates>,
    pub days: Vec<Weekday>,
    /// Only these hours of the dates and days; where there are neither, of every day.
    pub hours: Vec<Hours>,
    pub events: Events,
    /// All that it follows from, in a form that can be read again.
    pub text: Arc<str>,
}

impl Calendar {
    fn has_days(&self) -> bool {
        !(self.dates.is_empty() && self.days.is_empty() && self.hours.is_empty())
    }

    fn chooses(&self, date: Date) -> bool {
        let every_day = self.dates.is_empty() && self.days.is_empty() && !self.hours.is_empty();
        every_day || self.days.contains(&date.weekday()) || self.dates.iter().any(|dates| dates.contain(date))
    }

    /// The stretches of civil time that begin on a date, apart from events.
    fn begins_on(&self, date: Date) -> Vec<(DateTime, DateTime)> {
        if !self.chooses(date) {
            return Vec::new();
        }
        if self.hours.is_empty() {
            let end = date.tomorrow().unwrap_or(Date::MAX);
            return vec![(date.at(0, 0, 0, 0), end.at(0, 0, 0, 0))];
        }
        self.hours.iter().filter_map(|hours| hours.on(date)).collect()
    }

    /// The stretches that may hold at some time of this date: those of the day before may last over midnight.
    fn around(&self, date: Date) -> impl Iterator<Item = (DateTime, DateTime)> {
        let yesterday = date.yesterday().map(|date| self.begins_on(date)).unwrap_or_default();
        yesterday.into_iter().chain(self.begins_on(date))
    }

    fn covers(&self, at: Timestamp, zone: &TimeZone) -> bool {
        let civil = zone.to_datetime(at);
        self.around(civil.date()).any(|(from, to)| from <= civil && civil < to)
            || covers(&self.events.floating, civil)
            || covers(&self.events.fixed, at)
    }

    /// Whether it covers some part of the time from one moment to another.
    fn touches(&self, from: Timestamp, to: Timestamp, zone: &TimeZone) -> bool {
        self.covers(from, zone) || self.changes_after(from, zone).is_some_and(|at| at < to)
    }

    /// A moment later than `at` before which nothing begins or ends; none if nothing ever does.
    fn changes_after(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        let offset = zone.to_offset(at);
        let civil = offset.to_datetime(at);
        let ends = self.around(civil.date()).flat_map(|(from, to)| [from, to]);
        // Which dates are chosen is asked day by day.
        let midnight = self.has_days().then(|| civil.date().tomorrow().ok()).flatten().map(|next| next.at(0, 0, 0, 0));
        let civil_change =
            ends.chain(midnight).chain(change_after(&self.events.floating, civil)).filter(|end| *end > civil).min();
        let changes = civil_change.and_then(|civil| offset.to_timestamp(civil).ok());
        // Behind a transition the same civil time is another moment, and may come again.
        let transition = civil_change.and_then(|_| zone.following(at).next()).map(|edge| edge.timestamp());
        changes.into_iter().chain(transition).chain(change_after(&self.events.fixed, at)).min()
    }
}

/// Whether one of the sorted stretches `[from, to)` covers a point.
fn covers<T: Ord + Copy>(stretches: &[(T, T)], at: T) -> bool {
    let behind = stretches.partition_point(|(from, _)| *from <= at);
    behind > 0 && at < stretches[behind - 1].1
}

/// The first end of one of the sorted stretches behind a point.
fn change_after<T: Ord + Copy>(stretches: &[(T, T)], at: T) -> Option<T> {
    let first = stretches.partition_point(|(_, to)| *to <= at);
    stretches.get(first).map(|(from, to)| if *from > at { *from } else { *to })
}

/// The calendars in which a job does not run, and what becomes of its instants there.
#[derive(Debug, Clone)]
pub struct Closure {
    pub calendars: Vec<Arc<Calendar>>,
    pub then: Then,
}

impl Closure {
    pub fn moves(&self) -> bool {
        self.then != Then::Skip
    }

    pub fn calendar_at(&self, at: Timestamp, zone: &TimeZone) -> Option<&Arc<Calendar>> {
        self.calendars.iter().find(|calendar| calendar.covers(at, zone))
    }

    /// A moment later than `at` before which no calendar begins or ends.
    pub fn changes_after(&self, at: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
        self.calendars.iter().filter_map(|calendar| calendar.changes_after(at, zone)).min()
    }

    /// Where an instant comes to lie: where it is, unless it is in a calendar and there is a free day near enough.
    pub fn moved(&self, named: Timestamp, zone: &TimeZone, bounds: Bounds) -> Timestamp {
        let step = match self.then {
            Then::Skip => return named,
            Then::NextDay => 1,
            Then::PreviousDay => -1,
        };
        if self.calendar_at(named, zone).is_none() {
            return named;
        }
        let civil = zone.to_datetime(named);
        (1..=FARTHEST_MOVE)
            .filter_map(|days| {
                let civil = civil.checked_add(jiff::Span::new().days(days * step)).ok()?;
                // A zone may lack the whole day.
                place::shifted(civil, zone).filter(|at| zone.to_datetime(*at).date() == civil.date())
            })
            .find(|at| bounds.contain(*at) && self.calendar_at(*at, zone).is_none())
            .unwrap_or(named)
    }

    /// From where instants have to be looked at to find the first that comes to lie behind `after`.
    pub fn first_source(&self, after: Timestamp, zone: &TimeZone) -> Timestamp {
        if self.then != Then::NextDay {
            return after;
        }
        // Those of the days before come here only over days that are closed.
        let mut date = zone.to_datetime(after).date();
        for _ in 0..FARTHEST_MOVE {
            match date.yesterday() {
                Ok(yesterday) if self.touches_date(yesterday, zone) => date = yesterday,
                _ => break,
            }
        }
        let midnight = place::shifted(date.at(0, 0, 0, 0), zone);
        let before = midnight.and_then(|at| at.checked_sub(SignedDuration::from_micros(1)).ok());
        before.map_or(after, |before| before.min(after))
    }

    /// Whether nothing from `named` on comes to lie before `best`.
    pub fn is_beyond(&self, named: Timestamp, best: Timestamp, zone: &TimeZone) -> bool {
        if self.then != Then::PreviousDay {
            return named > best;
        }
        let (date, best_date) = (zone.to_datetime(named).date(), zone.to_datetime(best).date());
        let farthest = best_date.checked_add(jiff::Span::new().days(FARTHEST_MOVE)).unwrap_or(Date::MAX);
        date > farthest || date > best_date && !self.touches_date(date, zone)
    }

    fn touches_date(&self, date: Date, zone: &TimeZone) -> bool {
        let midnight = |date: Date| place::shifted(date.at(0, 0, 0, 0), zone);
        let Some((from, to)) = midnight(date).zip(date.tomorrow().ok().and_then(midnight)) else {
            return false;
        };
        self.calendars.iter().any(|calendar| calendar.touches(from, to, zone))
    }
}

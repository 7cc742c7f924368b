//! From when to when does a job have instants?

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::place;

/// One end of the time in which a job has instants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bound {
    /// The whole day, in the job's zone.
    Date(Date),
    /// Placed in the job's zone.
    Civil(DateTime),
    Instant(Timestamp),
}

impl Bound {
    /// Reads a date, a date and time in the job's zone, or one with an offset from UTC.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let date = || text.parse::<Date>().ok().filter(|_| !text.contains([':', 'T', 't', ' '])).map(Self::Date);
        let instant = || text.parse::<Timestamp>().ok().map(Self::Instant);
        date().or_else(instant).or_else(|| text.parse::<DateTime>().ok().map(Self::Civil))
    }

    /// The first moment that it includes.
    fn first(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Date(date) => place::shifted(date.at(0, 0, 0, 0), zone),
            Self::Civil(civil) => place::shifted(civil, zone),
            Self::Instant(instant) => Some(instant),
        }
    }

    /// The last moment that it includes; in a fold the one of the second pass.
    fn last(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Date(date) => {
                date.tomorrow().ok().and_then(|next| place::shifted(next.at(0, 0, 0, 0), zone)).map(just_before)
            }
            Self::Civil(civil) => zone.to_ambiguous_timestamp(civil).later().ok(),
            Self::Instant(instant) => Some(instant),
        }
    }
}

impl std::fmt::Display for Bound {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Date(date) => date.fmt(f),
            Self::Civil(civil) => civil.fmt(f),
            Self::Instant(instant) => instant.fmt(f),
        }
    }
}

/// The moments between which a job has instants, both included.
#[derive(Debug, Clone, Copy)]
pub struct Bounds {
    first: Timestamp,
    last: Timestamp,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { first: Timestamp::MIN, last: Timestamp::MAX }
    }
}

impl Bounds {
    pub fn new(not_before: Option<Bound>, not_after: Option<Bound>, zone: &TimeZone) -> Self {
        Self {
            first: not_before.and_then(|bound| bound.first(zone)).unwrap_or(Timestamp::MIN),
            last: not_after.and_then(|bound| bound.last(zone)).unwrap_or(Timestamp::MAX),
        }
    }

    pub fn first(&self) -> Timestamp {
        self.first
    }

    pub fn last(&self) -> Timestamp {
        self.last
    }

    pub fn contain(&self, at: Timestamp) -> bool {
        self.first <= at && at <= self.last
    }

    pub fn is_empty(&self) -> bool {
        self.last < self.first
    }
}

fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(zone: &str, not_before: &str, not_after: &str, first: &str, last: &str) {
        let zone = TimeZone::get(zone).unwrap();
        let bounds = Bounds::new(Bound::parse(not_before), Bound::parse(not_after), &zone);
        assert_eq!((bounds.first().to_string(), bounds.last().to_string()), (first.to_owned(), last.to_owned()));
    }

    #[test]
    fn both_ends_are_included_and_placed_in_the_zone() {
        let (first, last) = ("2026-02-28T23:00:00Z", "2026-12-31T22:59:59.999999Z");
        check("Europe/Berlin", "2026-03-01", "2026-12-31", first, last);
        let (first, last) = ("2026-03-01T11:00:00Z", "2026-12-31T17:00:00Z");
        check("Europe/Berlin", "2026-03-01T12:00", "2026-12-31 18:00:00", first, last);
        check("Europe/Berlin", "2026-03-01T11:00:00Z", "2026-12-31T19:00:00+02:00", first, last);
    }

    #[test]
    fn gaps_and_folds_leave_nothing_out() {
        // 02:30 is in the gap of March and twice in October.
        let (first, last) = ("2026-03-29T01:00:00Z", "2026-10-25T01:30:00Z");
        check("Europe/Berlin", "2026-03-29T02:30", "2026-10-25T02:30", first, last);
        // Apia had no 30th of December in 2011.
        let (first, last) = ("2011-12-30T10:00:00Z", "2011-12-30T09:59:59.999999Z");
        check("Pacific/Apia", "2011-12-30", "2011-12-30", first, last);
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in ["", "tomorrow", "2026-13-01", "2026-02-30", "12:00", "2026-03-01T25:00"] {
            assert_eq!(Bound::parse(text), None, "{text}");
        }
    }
}

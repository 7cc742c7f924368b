//! When is it that the clocks of a zone show this?

use jiff::civil::{DateTime, Time};
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp, Zoned};

use super::day::{Day, Days};
use super::{Meant, Toward};
use crate::schedule::shifted;

/// What was said, before it is known when that is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spoken {
    pub days: Spoke,
    /// In UTC, wherever people live.
    pub in_utc: bool,
}

/// A moment now, days as a whole, or a time of a day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spoke {
    Now,
    Days(Day),
    /// Of the nearest day, if none was named.
    Time(Option<Day>, Time),
    Moment(DateTime),
}

impl Spoken {
    pub fn place(&self, now: &Zoned, toward: Toward) -> Result<Meant, String> {
        let now = if self.in_utc { &now.with_time_zone(TimeZone::UTC) } else { now };
        match self.days {
            Spoke::Now => Ok(instant(now.timestamp())),
            Spoke::Moment(civil) => at(civil, now.time_zone()),
            Spoke::Days(day) => {
                let days = day.candidates(now.date(), toward)?;
                nearest(days.into_iter().map(|days| whole(days, now.time_zone())), now, toward)
            }
            Spoke::Time(Some(day), time) => {
                if !day.is_one() {
                    return Err("only a day can have a time".to_owned());
                }
                let days = day.candidates(now.date(), toward)?;
                nearest(days.into_iter().map(|(date, _)| at(date.to_datetime(time), now.time_zone())), now, toward)
            }
            Spoke::Time(None, time) => {
                let beside = match toward {
                    Toward::Past => now.yesterday(),
                    Toward::Future => now.tomorrow(),
                };
                let dates = [Ok(now.clone()), beside].into_iter().flatten().map(|day| day.date());
                nearest(dates.map(|date| at(date.to_datetime(time), now.time_zone())), now, toward)
            }
        }
    }
}

/// The first one that has begun, or, of what is to come, the first one that is not over; else the likeliest.
fn nearest(
    candidates: impl Iterator<Item = Result<Meant, String>>,
    now: &Zoned,
    toward: Toward,
) -> Result<Meant, String> {
    let candidates = candidates.collect::<Result<Vec<Meant>, String>>()?;
    let now = now.timestamp();
    let fits = |meant: &&Meant| match toward {
        Toward::Past => meant.first <= now,
        Toward::Future => meant.last >= now,
    };
    let found = candidates.iter().find(fits).or(candidates.first());
    found.copied().ok_or_else(|| "there is no such day".to_owned())
}

/// A moment, without what the ledger does not count.
pub fn instant(at: Timestamp) -> Meant {
    Meant::moment(Timestamp::from_microsecond(at.as_microsecond()).unwrap_or(at))
}

fn at(civil: DateTime, zone: &TimeZone) -> Result<Meant, String> {
    let far = || "it is further away than time can be counted".to_owned();
    let first = shifted(civil, zone).ok_or_else(far)?;
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    let last = match ambiguous.offset() {
        AmbiguousOffset::Fold { .. } => ambiguous.later().map_err(|_| far())?,
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Gap { .. } => first,
    };
    Ok(Meant { first: instant(first).first, last: instant(last).last })
}

/// Days from their first moment to their last microsecond.
fn whole((first, end): Days, zone: &TimeZone) -> Result<Meant, String> {
    let midnight = |date: jiff::civil::Date| at(date.to_datetime(Time::midnight()), zone);
    let last = midnight(end)?.first.checked_sub(SignedDuration::from_micros(1));
    let last = last.map_err(|_| "it is further away than time can be counted".to_owned())?;
    Ok(Meant { first: midnight(first)?.first, last })
}

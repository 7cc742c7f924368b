//! Which days does a word name, seen from today?

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};

use super::Toward;

/// Days as they are spoken of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Day {
    /// So many days from today.
    FromToday(i32),
    Weekday(Which, Weekday),
    Week(Which),
    Month(Which),
    Year(Which),
    Date(Date),
    /// A day of a month, in whatever year.
    InMonth(i8, i8),
    /// A month, in that year or whatever year.
    NamedMonth(i8, Option<i16>),
    WholeYear(i16),
}

/// Which of those that come again and again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Last,
    This,
    Next,
    /// The nearest, as the question looks; today's counts.
    Nearest,
}

/// A leap day comes again after eight years at the latest.
const FURTHEST: i16 = 8;

/// From a day to another one that is no longer meant.
pub type Days = (Date, Date);

impl Day {
    /// Whether it is one day, so that it can have a time.
    pub fn is_one(self) -> bool {
        match self {
            Self::FromToday(_) | Self::Weekday(..) | Self::Date(_) | Self::InMonth(..) => true,
            Self::Week(_) | Self::Month(_) | Self::Year(_) | Self::NamedMonth(..) | Self::WholeYear(_) => false,
        }
    }

    /// The days that may be meant, the likeliest first: of those that come again, the nearest two.
    pub fn candidates(self, today: Date, toward: Toward) -> Result<Vec<Days>, String> {
        let far = || "it is further away than time can be counted".to_owned();
        let from = |first: Date, length: Span| first.checked_add(length).map(|end| (first, end)).map_err(|_| far());
        let add = |date: Date, span: Span| date.checked_add(span).map_err(|_| far());
        match self {
            Self::FromToday(days) => Ok(vec![from(add(today, days.days())?, 1.day())?]),
            Self::Date(date) => Ok(vec![from(date, 1.day())?]),
            Self::Weekday(which, weekday) => {
                let ahead = i32::from(today.weekday().until(weekday));
                let days = match (which, toward) {
                    (Which::Last, _) => vec![if ahead == 0 { -7 } else { ahead - 7 }],
                    (Which::Next, _) => vec![if ahead == 0 { 7 } else { ahead }],
                    (Which::This, _) => vec![i32::from(weekday.since(Weekday::Monday)) - since_monday(today)],
                    (Which::Nearest, Toward::Past) if ahead == 0 => vec![0, -7],
                    (Which::Nearest, Toward::Past) => vec![ahead - 7],
                    (Which::Nearest, Toward::Future) => vec![ahead, ahead + 7],
                };
                days.into_iter().map(|days| from(add(today, days.days())?, 1.day())).collect()
            }
            Self::Week(which) => {
                let monday = add(today, (-since_monday(today)).days())?;
                Ok(vec![from(add(monday, which.offset().weeks())?, 1.week())?])
            }
            Self::Month(which) => Ok(vec![from(add(today.first_of_month(), which.offset().months())?, 1.month())?]),
            Self::Year(which) => Ok(vec![from(add(today.first_of_year(), which.offset().years())?, 1.year())?]),
            Self::WholeYear(year) => Ok(vec![from(date(year, 1, 1)?, 1.year())?]),
            Self::NamedMonth(month, Some(year)) => Ok(vec![from(date(year, month, 1)?, 1.month())?]),
            Self::NamedMonth(month, None) => {
                years(today, toward).map(|year| from(date(year, month, 1)?, 1.month())).collect()
            }
            Self::InMonth(month, day) => {
                let days = years(today, toward).filter_map(|year| Date::new(year, month, day).ok());
                let found: Vec<Days> = days.map(|date| from(date, 1.day())).collect::<Result<_, _>>()?;
                if found.is_empty() { Err("there is no such day".to_owned()) } else { Ok(found) }
            }
        }
    }
}

impl Which {
    fn offset(self) -> i32 {
        match self {
            Self::Last => -1,
            Self::This | Self::Nearest => 0,
            Self::Next => 1,
        }
    }
}

fn since_monday(date: Date) -> i32 {
    i32::from(date.weekday().since(Weekday::Monday))
}

fn date(year: i16, month: i8, day: i8) -> Result<Date, String> {
    Date::new(year, month, day).map_err(|_| "there is no such day".to_owned())
}

/// The years in which a day may be, the nearest first.
fn years(today: Date, toward: Toward) -> impl Iterator<Item = i16> {
    let sign = match toward {
        Toward::Past => -1,
        Toward::Future => 1,
    };
    (0..=FURTHEST).map(move |distance| today.year().saturating_add(sign * distance))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weekdays_are_seen_from_today() {
        let monday = Date::constant(2026, 11, 23);
        for (which, weekday, expect) in [
            (Which::Last, Weekday::Monday, "2026-11-16"),
            (Which::Last, Weekday::Friday, "2026-11-20"),
            (Which::Next, Weekday::Monday, "2026-11-30"),
            (Which::Next, Weekday::Friday, "2026-11-27"),
            (Which::This, Weekday::Sunday, "2026-11-29"),
            (Which::Nearest, Weekday::Monday, "2026-11-23"),
            (Which::Nearest, Weekday::Friday, "2026-11-20"),
        ] {
            let days = Day::Weekday(which, weekday).candidates(monday, Toward::Past).unwrap();
            assert_eq!(days[0].0.to_string(), expect, "{which:?} {weekday:?}");
        }
    }
}

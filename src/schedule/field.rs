//! What are the fields of a cron pattern, and what stands where in its text?

use std::ops::Range;

use super::ScheduleError;

/// Nothing is scheduled before the epoch.
pub const FIRST_YEAR: i16 = 1970;

/// Croner ends its search where the year 5000 begins.
pub const LAST_YEAR: i16 = 4999;

pub const YEARS: (u16, u16) = (FIRST_YEAR.unsigned_abs(), LAST_YEAR.unsigned_abs());

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
    Year,
}

pub const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
pub const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Kind {
    const FIVE: [Self; 5] = [Self::Minute, Self::Hour, Self::DayOfMonth, Self::Month, Self::DayOfWeek];

    /// The fields of a pattern with this many of them.
    pub fn layout(count: usize) -> Option<Vec<Self>> {
        let mut kinds = Self::FIVE.to_vec();
        match count {
            5 => {}
            6 => kinds.insert(0, Self::Second),
            7 => {
                kinds.insert(0, Self::Second);
                kinds.push(Self::Year);
            }
            _ => return None,
        }
        Some(kinds)
    }

    pub fn name(self) -> &'static str {
        match self {
            Self::Second => "second",
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day-of-month",
            Self::Month => "month",
            Self::DayOfWeek => "day-of-week",
            Self::Year => "year",
        }
    }

    pub fn range(self) -> (u16, u16) {
        match self {
            Self::Second | Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            // Both 0 and 7 are Sunday.
            Self::DayOfWeek => (0, 7),
            Self::Year => YEARS,
        }
    }

    /// The number that a name stands for.
    pub fn named(self, word: &str) -> Option<u16> {
        let (names, first): (&[&str], u16) = match self {
            Self::Month => (&MONTHS, 1),
            Self::DayOfWeek => (&WEEKDAYS, 0),
            Self::Second | Self::Minute | Self::Hour | Self::DayOfMonth | Self::Year => return None,
        };
        let position = names.iter().position(|name| name.eq_ignore_ascii_case(word))?;
        u16::try_from(position).ok().map(|position| position + first)
    }

    pub fn is_day(self) -> bool {
        matches!(self, Self::DayOfMonth | Self::DayOfWeek)
    }
}

/// A piece of the pattern's text and where it stands.
#[derive(Debug, Clone, Copy)]
pub struct Piece<'t> {
    pub text: &'t str,
    pub start: usize,
}

impl<'t> Piece<'t> {
    pub fn span(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    pub fn error(self, message: impl Into<String>) -> ScheduleError {
        ScheduleError::new(self.span(), message)
    }

    pub fn split(self, separator: char) -> impl Iterator<Item = Piece<'t>> {
        let mut start = self.start;
        self.text.split(separator).map(move |text| {
            let piece = Piece { text, start };
            start += text.len() + separator.len_utf8();
            piece
        })
    }

    pub fn split_once(self, separator: char) -> Option<(Piece<'t>, Piece<'t>)> {
        let (left, right) = self.text.split_once(separator)?;
        let behind = self.start + left.len() + separator.len_utf8();
        Some((Piece { text: left, start: self.start }, Piece { text: right, start: behind }))
    }

    pub fn strip_suffix(self, suffix: char) -> Option<Piece<'t>> {
        let text = self.text.strip_suffix([suffix, suffix.to_ascii_lowercase()])?;
        Some(Piece { text, start: self.start })
    }

    pub fn words(text: &'t str) -> Vec<Piece<'t>> {
        text.split_whitespace()
            .map(|word| Piece { text: word, start: word.as_ptr() as usize - text.as_ptr() as usize })
            .collect()
    }
}

pub fn number(kind: Kind, piece: Piece) -> Result<u16, ScheduleError> {
    if let Some(value) = kind.named(piece.text) {
        return Ok(value);
    }
    let (low, high) = kind.range();
    if !is_digits(piece.text) {
        let error = piece.error(format!("`{}` is no {}", piece.text, kind.name()));
        let names: &[&str] = match kind {
            Kind::Month => &MONTHS,
            Kind::DayOfWeek => &WEEKDAYS,
            Kind::Second | Kind::Minute | Kind::Hour | Kind::DayOfMonth | Kind::Year => &[],
        };
        let upper = piece.text.to_ascii_uppercase();
        let near = names.iter().find(|name| upper.starts_with(**name) || strsim::osa_distance(name, &upper) == 1);
        return Err(match near {
            Some(name) => error.help(format!("did you mean `{name}`?")),
            None => error.help(format!("it is a number from {low} to {high}")),
        });
    }
    piece
        .text
        .parse()
        .ok()
        .filter(|value| (low..=high).contains(value))
        .ok_or_else(|| piece.error(format!("{} is out of range: the {} is {low} to {high}", piece.text, kind.name())))
}

pub fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

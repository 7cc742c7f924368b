//! What do these words say? Days, times of the day, and what joins them, in whatever order.

use jiff::civil::{Date, DateTime, Time, Weekday};

use super::day::{Day, Which};
use super::place::{Spoke, Spoken};
use crate::jobfile::nearest;

const WEEKDAYS: [(&str, &str, Weekday); 7] = [
    ("monday", "mon", Weekday::Monday),
    ("tuesday", "tue", Weekday::Tuesday),
    ("wednesday", "wed", Weekday::Wednesday),
    ("thursday", "thu", Weekday::Thursday),
    ("friday", "fri", Weekday::Friday),
    ("saturday", "sat", Weekday::Saturday),
    ("sunday", "sun", Weekday::Sunday),
];

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];

const OTHERS: [&str; 13] = [
    "now",
    "today",
    "yesterday",
    "tomorrow",
    "noon",
    "midnight",
    "last",
    "next",
    "this",
    "week",
    "month",
    "year",
    "ago",
];

/// Words that join others and say nothing.
const JOINTS: [&str; 4] = ["at", "on", "the", "of"];

#[derive(Default)]
struct Heard {
    is_now: bool,
    day: Option<Day>,
    time: Option<Time>,
    moment: Option<DateTime>,
    in_utc: bool,
}

/// Reads a text word by word; the error says what is wrong with it.
pub fn read(text: &str) -> Result<Spoken, String> {
    let lower = text.to_lowercase().replace(',', " ");
    let words: Vec<&str> = lower.split_whitespace().filter(|word| !JOINTS.contains(word)).collect();
    let mut heard = Heard::default();
    let mut rest = words.as_slice();
    while !rest.is_empty() {
        let taken = heard.take(rest)?;
        rest = rest.get(taken..).unwrap_or_default();
    }
    heard.spoken()
}

impl Heard {
    /// Takes what the first words say; the answer is how many they are.
    fn take(&mut self, words: &[&str]) -> Result<usize, String> {
        let (word, next) = (words[0], words.get(1).copied().unwrap_or_default());
        match word {
            "now" => self.is_now = true,
            "utc" | "gmt" | "z" => self.in_utc = true,
            "today" => self.day(Day::FromToday(0))?,
            "yesterday" => self.day(Day::FromToday(-1))?,
            "tomorrow" => self.day(Day::FromToday(1))?,
            "noon" => self.time(Time::constant(12, 0, 0, 0))?,
            "midnight" => self.time(Time::midnight())?,
            "last" | "this" | "next" => {
                self.day(of_which(word, next)?)?;
                return Ok(2);
            }
            _ => return self.take_number_or_name(words),
        }
        Ok(1)
    }

    fn take_number_or_name(&mut self, words: &[&str]) -> Result<usize, String> {
        let (word, next) = (words[0], words.get(1).copied().unwrap_or_default());
        if let Some(weekday) = weekday(word) {
            self.day(Day::Weekday(Which::Nearest, weekday))?;
            return Ok(1);
        }
        if let Some((day, taken)) = day_of_month(words)? {
            self.day(day)?;
            return Ok(taken);
        }
        if (next == "am" || next == "pm")
            && let Some(time) = clock_time(&format!("{word}{next}"))?
        {
            self.time(time)?;
            return Ok(2);
        }
        if let Some(time) = clock_time(word)? {
            self.time(time)?;
            return Ok(1);
        }
        if let Some(day) = numbered(word)? {
            self.day(day)?;
            return Ok(1);
        }
        if let Ok(moment) = word.parse::<DateTime>() {
            self.moment = Some(moment);
            return Ok(1);
        }
        Err(unknown(word))
    }

    fn day(&mut self, day: Day) -> Result<(), String> {
        let before = self.day.replace(day);
        before.map_or(Ok(()), |_| Err("it names two days".to_owned()))
    }

    fn time(&mut self, time: Time) -> Result<(), String> {
        let before = self.time.replace(time);
        before.map_or(Ok(()), |_| Err("it names two times of a day".to_owned()))
    }

    fn spoken(self) -> Result<Spoken, String> {
        let Self { is_now, day, time, moment, in_utc } = self;
        let days = match (is_now, moment, day, time) {
            (true, None, None, None) => Spoke::Now,
            (false, Some(moment), None, None) => Spoke::Moment(moment),
            (false, None, Some(day), None) => Spoke::Days(day),
            (false, None, day, Some(time)) => Spoke::Time(day, time),
            (false, None, None, None) => return Err("it says neither a day nor a time".to_owned()),
            (true, ..) | (false, Some(_), ..) => return Err("it names two times".to_owned()),
        };
        Ok(Spoken { days, in_utc })
    }
}

pub fn weekday(word: &str) -> Option<Weekday> {
    let is = |(long, short, _): &&(&str, &str, Weekday)| {
        word == *long || word == *short || word == "tues" && *short == "tue" || word == "thurs" && *short == "thu"
    };
    WEEKDAYS.iter().find(is).map(|(_, _, weekday)| *weekday)
}

fn month(word: &str) -> Option<i8> {
    let word = word.trim_end_matches('.');
    let is = |name: &str| name == word || word.len() >= 3 && name.starts_with(word) && word.len() <= 4;
    let at = MONTHS.iter().position(|name| is(name))?;
    i8::try_from(at + 1).ok()
}

/// `last friday`, `this week`, `next month`.
fn of_which(which: &str, what: &str) -> Result<Day, String> {
    let (which, word) = match which {
        "last" => (Which::Last, "last"),
        "this" => (Which::This, "this"),
        _ => (Which::Next, "next"),
    };
    match what {
        "week" => Ok(Day::Week(which)),
        "month" => Ok(Day::Month(which)),
        "year" => Ok(Day::Year(which)),
        "night" => Err("a night has no fixed hours".to_owned()),
        "" => Err(format!("behind `{word}` stands a weekday, week, month or year")),
        _ => match weekday(what) {
            Some(weekday) => Ok(Day::Weekday(which, weekday)),
            None => Err(unknown(what)),
        },
    }
}

/// `nov 22 2026`, `22 nov`, `november`; with how many words that is.
fn day_of_month(words: &[&str]) -> Result<Option<(Day, usize)>, String> {
    let at = |index: usize| words.get(index).copied().unwrap_or_default();
    let (month, day, taken) = match (month(at(0)), ordinal(at(0))) {
        (Some(month), _) => match ordinal(at(1)) {
            Some(day) => (month, Some(day), 2),
            None => (month, None, 1),
        },
        (None, Some(day)) => match self::month(at(1)) {
            Some(month) => (month, Some(day), 2),
            None => return Ok(None),
        },
        (None, None) => return Ok(None),
    };
    let year = year(at(taken));
    let taken = taken + usize::from(year.is_some());
    let day = match (day, year) {
        (Some(day), Some(year)) => {
            Day::Date(Date::new(year, month, day).map_err(|_| format!("there is no day {day} in that month"))?)
        }
        (Some(day), None) => Day::InMonth(month, day),
        (None, year) => Day::NamedMonth(month, year),
    };
    Ok(Some((day, taken)))
}

/// `22`, `22nd`.
fn ordinal(word: &str) -> Option<i8> {
    let digits = word.trim_end_matches("st").trim_end_matches("nd").trim_end_matches("rd").trim_end_matches("th");
    let is_short = (1..=2).contains(&digits.len()) && digits.bytes().all(|byte| byte.is_ascii_digit());
    digits.parse().ok().filter(|day| is_short && (1..=31).contains(day))
}

fn year(word: &str) -> Option<i16> {
    let is_year = word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_digit());
    word.parse().ok().filter(|year| is_year && *year >= 1000)
}

/// `2026-11-22`, `2026-11`, `2026`.
fn numbered(word: &str) -> Result<Option<Day>, String> {
    if let Some(year) = year(word) {
        return Ok(Some(Day::WholeYear(year)));
    }
    let parts: Vec<&str> = word.split('-').collect();
    let is_number = |part: &&str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
    if parts.len() < 2 || !parts.iter().all(is_number) {
        return Ok(None);
    }
    let no_day = || format!("there is no day {word}; the year comes first, as in 2026-11-22");
    let number = |at: usize| parts.get(at).and_then(|part: &&str| part.parse::<i8>().ok());
    let year = year(parts[0]).ok_or_else(no_day)?;
    let month = number(1).filter(|month| (1..=12).contains(month)).ok_or_else(no_day)?;
    match (parts.len(), number(2)) {
        (2, _) => Ok(Some(Day::NamedMonth(month, Some(year)))),
        (3, Some(day)) => Date::new(year, month, day).map(|date| Some(Day::Date(date))).map_err(|_| no_day()),
        _ => Err(no_day()),
    }
}

/// `3am`, `3:30pm`, `02:30`, `02:30:15.5`; an error where it begins so and is none.
fn clock_time(word: &str) -> Result<Option<Time>, String> {
    let half = word.strip_suffix("am").map(|rest| (rest, 0)).or_else(|| word.strip_suffix("pm").map(|rest| (rest, 12)));
    let (clock, _) = half.unwrap_or((word, 0));
    let is_clock = clock.starts_with(|c: char| c.is_ascii_digit())
        && clock.bytes().all(|byte| byte.is_ascii_digit() || byte == b':' || byte == b'.');
    if !is_clock || half.is_none() && !clock.contains(':') {
        return Ok(None);
    }
    let wrong = || format!("there is no time {word}");
    let (clock, fraction) = clock.split_once('.').unwrap_or((clock, ""));
    let mut numbers = clock.split(':').map(|part| part.parse::<i8>().ok().filter(|_| part.len() <= 2));
    let hour = numbers.next().flatten().ok_or_else(wrong)?;
    let mut optional = || numbers.next().map_or(Ok(0), |number| number.ok_or_else(wrong));
    let (minute, second) = (optional()?, optional()?);
    if numbers.next().is_some() || fraction.len() > 9 {
        return Err(wrong());
    }
    let nanosecond = format!("{fraction:0<9}").parse().map_err(|_| wrong())?;
    let hour = match half {
        Some((_, noon)) if (1..=12).contains(&hour) => hour % 12 + noon,
        Some(_) => return Err(wrong()),
        None => hour,
    };
    Time::new(hour, minute, second, nanosecond).map(Some).map_err(|_| wrong())
}

fn unknown(word: &str) -> String {
    let weekdays = WEEKDAYS.iter().map(|(long, _, _)| *long);
    match nearest(word, weekdays.chain(MONTHS).chain(OTHERS)) {
        Some(near) if near != word => format!("`{word}` is not understood; did you mean {near}?"),
        _ => format!("`{word}` is not understood"),
    }
}

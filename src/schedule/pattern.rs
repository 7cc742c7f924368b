//! Which civil times does this cron pattern match?
//!
//! The text is checked here, field by field and strictly after the Open Cron Pattern Specification (1.0, and the drafts
//! 1.1 to 1.4), so that an error knows its place and the right spelling. What passed is handed to croner in one plain
//! form (names as numbers, `?` as `*`); croner finds the matches. It knows nothing of zones.

use std::ops::Range;

use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Weekday};
use jiff::civil::{Date, DateTime, Time};

use super::ScheduleError;

/// A cron pattern that was checked: at least one date can match it.
#[derive(Debug, Clone)]
pub struct Pattern {
    cron: Cron,
    times: TimesOfDay,
    starred_day: bool,
    plain: Box<str>,
    fixed: bool,
    /// Searches end here; croner would go on to its own limit.
    last_year: i16,
}

/// Years as croner counts them at most; nothing is scheduled before the epoch.
const YEARS: (u16, u16) = (1970, 5000);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Second,
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
    Year,
}

const MONTHS: [&str; 12] = ["JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC"];
const WEEKDAYS: [&str; 7] = ["SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT"];

impl Kind {
    const FIVE: [Self; 5] = [Self::Minute, Self::Hour, Self::DayOfMonth, Self::Month, Self::DayOfWeek];

    /// The fields of a pattern with this many of them.
    fn layout(count: usize) -> Option<Vec<Self>> {
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

    fn name(self) -> &'static str {
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

    fn range(self) -> (u16, u16) {
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
    fn named(self, word: &str) -> Option<u16> {
        let (names, first): (&[&str], u16) = match self {
            Self::Month => (&MONTHS, 1),
            Self::DayOfWeek => (&WEEKDAYS, 0),
            Self::Second | Self::Minute | Self::Hour | Self::DayOfMonth | Self::Year => return None,
        };
        let position = names.iter().position(|name| name.eq_ignore_ascii_case(word))?;
        u16::try_from(position).ok().map(|position| position + first)
    }

    fn is_day(self) -> bool {
        matches!(self, Self::DayOfMonth | Self::DayOfWeek)
    }
}

/// A piece of the pattern's text and where it stands.
#[derive(Debug, Clone, Copy)]
struct Piece<'t> {
    text: &'t str,
    start: usize,
}

impl<'t> Piece<'t> {
    fn span(self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }

    fn error(self, message: impl Into<String>) -> ScheduleError {
        ScheduleError::new(self.span(), message)
    }

    fn split(self, separator: char) -> impl Iterator<Item = Piece<'t>> {
        let mut start = self.start;
        self.text.split(separator).map(move |text| {
            let piece = Piece { text, start };
            start += text.len() + separator.len_utf8();
            piece
        })
    }

    fn split_once(self, separator: char) -> Option<(Piece<'t>, Piece<'t>)> {
        let (left, right) = self.text.split_once(separator)?;
        let behind = self.start + left.len() + separator.len_utf8();
        Some((Piece { text: left, start: self.start }, Piece { text: right, start: behind }))
    }

    fn strip_suffix(self, suffix: char) -> Option<Piece<'t>> {
        let text = self.text.strip_suffix([suffix, suffix.to_ascii_lowercase()])?;
        Some(Piece { text, start: self.start })
    }

    fn words(text: &'t str) -> Vec<Piece<'t>> {
        text.split_whitespace()
            .map(|word| Piece { text: word, start: word.as_ptr() as usize - text.as_ptr() as usize })
            .collect()
    }
}

impl Pattern {
    /// Reads five fields (minute, hour, day of month, month, day of week), six (second first) or seven (year last).
    pub fn parse(text: &str) -> Result<Self, ScheduleError> {
        let fields = Piece::words(text);
        let Some(kinds) = Kind::layout(fields.len()) else {
            return Err(wrong_count(text, &fields));
        };
        let mut plain = Vec::with_capacity(7);
        for (kind, field) in kinds.iter().zip(&fields) {
            plain.push(plain_field(*kind, *field)?);
        }
        if kinds[0] != Kind::Second {
            plain.insert(0, "0".to_owned());
        }
        let plain = plain.join(" ");
        let field = |kind: Kind| kinds.iter().position(|k| *k == kind).map(|at| fields[at].text);
        let starred = |kind| field(kind).is_some_and(|text| text.starts_with('*'));
        let cron = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Optional)
            .build()
            .parse(&plain)
            .map_err(|error| ScheduleError::new(0..text.len(), error.to_string()))?;
        let last_year = field(Kind::Year)
            .filter(|text| !text.starts_with('*'))
            .and_then(|_| cron.pattern.years.values().last().copied())
            .unwrap_or(YEARS.1);
        let pattern = Self {
            fixed: !starred(Kind::Minute) && !starred(Kind::Hour),
            last_year: i16::try_from(last_year).unwrap_or(i16::MAX),
            plain: plain.into(),
            times: TimesOfDay::of(&cron),
            starred_day: is_starred_day(&field),
            cron,
        };
        if !pattern.can_match() {
            return Err(never(text, &kinds, &fields));
        }
        Ok(pattern)
    }

    /// Whether Vixie cron's rule takes it for a job at fixed times: neither its minute nor its hour begins with `*`.
    pub fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// Whether old cron reads it otherwise: there a day field that begins with `*` counts as unrestricted, so that both
    /// day fields must match; here only an exact `*` does, and either may.
    pub fn has_starred_day(&self) -> bool {
        self.starred_day
    }

    /// The pattern in plain numbers, with its field for seconds.
    pub fn with_seconds(&self) -> &str {
        &self.plain
    }

    /// The first match at `from` or later, as civil time without a zone.
    pub fn next_match(&self, from: DateTime) -> Option<DateTime> {
        let whole = from.with().subsec_nanosecond(0).build().ok()?;
        let inclusive = whole == from;
        if whole.year() > self.last_year {
            return None;
        }
        let epoch = DateTime::constant(i16::try_from(YEARS.0).ok()?, 1, 1, 0, 0, 0, 0);
        if whole < epoch {
            return self.cron.find_next_occurrence(&epoch, true).ok();
        }
        self.cron.find_next_occurrence(&whole, inclusive).ok()
    }

    /// How many matches lie in `[from, to)`: whole days are counted, not walked.
    pub fn count_matches(&self, from: DateTime, to: DateTime) -> u64 {
        let mut count = 0;
        let mut at = from;
        while let Some(next) = self.next_match(at).filter(|next| *next < to) {
            let day = next.date();
            let before = if day == from.date() { self.times.before(from.time()) } else { 0 };
            let until = if day == to.date() { self.times.before(to.time()) } else { self.times.all() };
            count += until - before;
            match day.tomorrow() {
                Ok(tomorrow) => at = tomorrow.at(0, 0, 0, 0),
                Err(_) => break,
            }
        }
        count
    }

    /// Whether any date matches. There are fourteen kinds of years (leap or not, and the weekday on which it begins), so
    /// one year of each kind that the year field allows answers for all.
    fn can_match(&self) -> bool {
        let years = self.cron.pattern.years.values();
        let mut seen = [false; 14];
        years.iter().filter_map(|year| Date::new(i16::try_from(*year).ok()?, 1, 1).ok()).any(|first| {
            let weekday = first.weekday().to_sunday_zero_offset();
            let kind = usize::from(weekday.unsigned_abs()) * 2 + usize::from(first.in_leap_year());
            !std::mem::replace(&mut seen[kind], true) && self.matches_in_year(first)
        })
    }

    fn matches_in_year(&self, first: Date) -> bool {
        first.series(jiff::Span::new().days(1)).take_while(|date| date.year() == first.year()).any(|date| {
            let (year, month, day) = (i32::from(date.year()), date.month().unsigned_abs(), date.day().unsigned_abs());
            let weekday = date.weekday().to_sunday_zero_offset().unsigned_abs();
            let weekday = Weekday::from_days_from_sunday(u32::from(weekday));
            self.cron.pattern.month_match(u32::from(month)).unwrap_or(false)
                && self.cron.pattern.day_match(year, u32::from(month), u32::from(day), weekday).unwrap_or(false)
        })
    }
}

/// Whether one day field begins with `*` without being just that, beside another that is restricted.
fn is_starred_day<'t>(field: &impl Fn(Kind) -> Option<&'t str>) -> bool {
    let (Some(day), Some(weekday)) = (field(Kind::DayOfMonth), field(Kind::DayOfWeek)) else {
        return false;
    };
    let is_free = |text: &str| text == "*" || text == "?";
    let is_starred = |text: &str| text.starts_with('*') && !is_free(text);
    !is_free(day) && !is_free(weekday) && (is_starred(day) || is_starred(weekday)) && !weekday.starts_with('+')
}

/// The times at which a matching day has matches, each field as a set of bits.
#[derive(Debug, Clone, Copy)]
struct TimesOfDay {
    seconds: u64,
    minutes: u64,
    hours: u64,
}

impl TimesOfDay {
    fn of(cron: &Cron) -> Self {
        let bits = |values: Vec<u16>| values.into_iter().fold(0, |bits, value| bits | 1 << value);
        Self {
            seconds: bits(cron.pattern.seconds.values()),
            minutes: bits(cron.pattern.minutes.values()),
            hours: bits(cron.pattern.hours.values()),
        }
    }

    fn all(self) -> u64 {
        size(self.hours) * size(self.minutes) * size(self.seconds)
    }

    /// How many are earlier than this one.
    fn before(self, time: Time) -> u64 {
        let field = |value: i8| u64::from(value.unsigned_abs());
        let below = |set: u64, value: u64| size(set & ((1 << value) - 1));
        let has = |set: u64, value: u64| set >> value & 1;
        let (hour, minute) = (field(time.hour()), field(time.minute()));
        // A fraction of a second is behind the second itself.
        let second = field(time.second()) + u64::from(time.subsec_nanosecond() > 0);
        let seconds = below(self.seconds, second);
        let minutes = below(self.minutes, minute) * size(self.seconds) + has(self.minutes, minute) * seconds;
        below(self.hours, hour) * size(self.minutes) * size(self.seconds) + has(self.hours, hour) * minutes
    }
}

fn size(set: u64) -> u64 {
    u64::from(set.count_ones())
}

fn wrong_count(text: &str, fields: &[Piece]) -> ScheduleError {
    let count = fields.len();
    let message = format!("a cron pattern has 5, 6 or 7 fields; this has {count}");
    // With too many fields the surplus is what is wrong; with too few, the whole.
    let span = fields.get(7).map_or(0..text.len(), |surplus| surplus.start..text.len());
    ScheduleError::new(span, message)
        .help("[second] minute hour day-of-month month day-of-week [year], for example \"30 2 * * *\"")
}

fn never(text: &str, kinds: &[Kind], fields: &[Piece]) -> ScheduleError {
    let day = kinds
        .iter()
        .position(|kind| *kind == Kind::DayOfMonth)
        .map_or(0..text.len(), |at| fields[at].start..fields[at + 2].span().end);
    ScheduleError::new(day, "this schedule never fires: there is no such day in any year it allows")
}

/// The field in the plain form that croner reads.
fn plain_field(kind: Kind, field: Piece) -> Result<String, ScheduleError> {
    let (prefix, body) = match field.text.strip_prefix('+') {
        Some(rest) if kind == Kind::DayOfWeek => ("+", Piece { text: rest, start: field.start + 1 }),
        Some(_) => {
            return Err(Piece { text: "+", start: field.start }
                .error("`+` belongs to the day-of-week field, where it means that both day fields must match"));
        }
        None => ("", field),
    };
    let items: Vec<String> = body.split(',').map(|item| plain_item(kind, item, field)).collect::<Result<_, _>>()?;
    Ok(format!("{prefix}{}", items.join(",")))
}

fn plain_item(kind: Kind, item: Piece, field: Piece) -> Result<String, ScheduleError> {
    if item.text.is_empty() {
        return Err(field.error(format!("the {} field has an empty item", kind.name())));
    }
    if item.text == "?" {
        return if kind.is_day() {
            Ok("*".to_owned())
        } else {
            Err(item.error("`?` belongs to the day fields").help("write `*`"))
        };
    }
    if let Some((base, step)) = item.split_once('/') {
        return plain_step(kind, item, base, step);
    }
    if item.text == "*" {
        return Ok("*".to_owned());
    }
    match kind {
        Kind::DayOfMonth => {
            if let Some(special) = day_of_month_special(item)? {
                return Ok(special);
            }
        }
        Kind::DayOfWeek => {
            if let Some(special) = day_of_week_special(item)? {
                return Ok(special);
            }
        }
        Kind::Second | Kind::Minute | Kind::Hour | Kind::Month | Kind::Year => {}
    }
    match item.split_once('-') {
        Some((low, high)) => plain_range(kind, item, low, high, None),
        None => number(kind, item).map(|value| value.to_string()),
    }
}

fn plain_step(kind: Kind, item: Piece, base: Piece, step: Piece) -> Result<String, ScheduleError> {
    let (low, high) = kind.range();
    let size: u16 = step.text.parse().ok().filter(|_| is_digits(step.text)).ok_or_else(|| {
        item.error(format!("`{}` is no step", step.text)).help(format!("write for example `*/{}`", (high / 4).max(2)))
    })?;
    if size == 0 {
        return Err(item.error("a step of zero would never move on").help("write `*` for every value"));
    }
    if base.text == "*" {
        return Ok(format!("*/{size}"));
    }
    match base.split_once('-') {
        Some((from, to)) => plain_range(kind, base, from, to, Some(size)),
        None if base.text.is_empty() => {
            Err(item.error("a step needs a range before it").help(format!("write `*/{size}`")))
        }
        None => {
            let first = number(kind, base)?;
            let last = if kind == Kind::DayOfWeek { 6.max(first) } else { high };
            let whole = if first == low { format!("*/{size}") } else { format!("{first}-{last}/{size}") };
            Err(item
                .error("a step needs a range before it; cron implementations disagree about a single number")
                .help(format!("write `{whole}`")))
        }
    }
}

fn plain_range(kind: Kind, item: Piece, low: Piece, high: Piece, step: Option<u16>) -> Result<String, ScheduleError> {
    let (from, to) = (number(kind, low)?, number(kind, high)?);
    let step = step.map_or(String::new(), |size| format!("/{size}"));
    if from > to {
        return Err(wrapped(kind, item, from, to, &step));
    }
    Ok(format!("{from}-{to}{step}"))
}

/// A range that runs backwards; the help spells out what was most likely meant.
fn wrapped(kind: Kind, item: Piece, from: u16, to: u16, step: &str) -> ScheduleError {
    let error = item.error(format!("the range `{}` runs backwards", item.text));
    let (first, last) = kind.range();
    if kind == Kind::Year {
        return error;
    }
    let span = |a: u16, b: u16| if a == b { a.to_string() } else { format!("{a}-{b}") };
    if kind == Kind::DayOfWeek {
        // Sunday as 7 often makes one range of it.
        let meant = if to == 0 { span(from, 7) } else { format!("{},{}", span(from, 6), span(0, to)) };
        return error.help(format!("write `{meant}{step}`"));
    }
    error.help(format!("write `{}{step},{}{step}`", span(from, last), span(first, to)))
}

/// `L`, `LW` and `15W`.
fn day_of_month_special(item: Piece) -> Result<Option<String>, ScheduleError> {
    if item.text.eq_ignore_ascii_case("L") || item.text.eq_ignore_ascii_case("LW") {
        return Ok(Some(item.text.to_ascii_uppercase()));
    }
    let Some(day) = item.strip_suffix('W') else {
        return Ok(None);
    };
    if !is_digits(day.text) {
        return Err(item
            .error(format!("`{}` is no day before `W`", day.text))
            .help("write `15W`, or `LW` for the last weekday of the month"));
    }
    number(Kind::DayOfMonth, day).map(|day| Some(format!("{day}W")))
}

/// `5L`, `FRIL`, `5#2` and `FRI#2`.
fn day_of_week_special(item: Piece) -> Result<Option<String>, ScheduleError> {
    if let Some((day, nth)) = item.split_once('#') {
        let day = number(Kind::DayOfWeek, day)?;
        return match nth.text {
            "1" | "2" | "3" | "4" | "5" => Ok(Some(format!("{day}#{}", nth.text))),
            "L" | "l" => Ok(Some(format!("{day}#L"))),
            _ => Err(item.error(format!("`{}` is no week of a month", nth.text)).help("write `#1` to `#5`")),
        };
    }
    match item.strip_suffix('L') {
        Some(day) if day.text.is_empty() => {
            Err(item.error("`L` needs a weekday before it").help("write `5L` for the last Friday of the month"))
        }
        Some(day) => number(Kind::DayOfWeek, day).map(|day| Some(format!("{day}#L"))),
        None => Ok(None),
    }
}

fn number(kind: Kind, piece: Piece) -> Result<u16, ScheduleError> {
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

fn is_digits(text: &str) -> bool {
    !text.is_empty() && text.len() <= 5 && text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn rejects(text: &str, place: &str, message: &str, help: &str) {
        let error = Pattern::parse(text).expect_err(text);
        assert_eq!(&text[error.span.clone()], place, "{text}: {error:?}");
        assert!(error.message.contains(message), "{text}: {error:?}");
        assert!(error.help.clone().unwrap_or_default().contains(help), "{text}: {error:?}");
    }

    #[test]
    fn what_the_specification_rejects_has_a_place_and_a_right_spelling() {
        rejects("5/15 * * * *", "5/15", "step", "5-59/15");
        rejects("0/15 * * * *", "0/15", "step", "*/15");
        rejects("* 22-2 * * *", "22-2", "backwards", "22-23,0-2");
        rejects("0 0 * * FRI-SUN", "FRI-SUN", "backwards", "5-7");
        rejects("0 0 * * 5-1", "5-1", "backwards", "5-6,0-1");
        rejects("*/0 * * * *", "*/0", "zero", "*");
        rejects("60 * * * *", "60", "out of range", "");
        rejects("0 24 * * *", "24", "0 to 23", "");
        rejects("0 0 32 * *", "32", "1 to 31", "");
        rejects("0 0 0 * *", "0", "1 to 31", "");
        rejects("0 0 * 13 *", "13", "1 to 12", "");
        rejects("0 0 * * 8", "8", "0 to 7", "");
        rejects("0 0 * * MONDAY", "MONDAY", "is no day-of-week", "`MON`");
        rejects("0 0 * JUM *", "JUM", "is no month", "`JUN`");
        rejects("0,,5 * * * *", "0,,5", "empty item", "");
        rejects("? * * * *", "?", "day fields", "*");
        rejects("0 0 W * *", "W", "before `W`", "15W");
        rejects("0 0 * * L", "L", "weekday before", "5L");
        rejects("0 0 * * 5#6", "5#6", "no week", "#1");
        rejects("0 0 +1 * *", "+", "day-of-week", "");
        rejects("* * * *", "* * * *", "this has 4", "minute hour");
        rejects("0 0 0 * * * 2026 *", "*", "this has 8", "");
        rejects("0 0 0 1 1 * 1969", "1969", "1970 to 5000", "");
        rejects("-5 * * * *", "", "is no minute", "");
        rejects("0 ٣ * * *", "٣", "is no hour", "");
    }

    #[test]
    fn what_can_never_match_is_found_when_it_is_read() {
        rejects("0 0 30 2 *", "30 2 *", "never fires", "");
        rejects("0 0 31 4,6,9,11 *", "31 4,6,9,11 *", "never fires", "");
        rejects("0 0 31W 2 *", "31W 2 *", "never fires", "");
        rejects("0 0 0 29 2 * 2025", "29 2 *", "never fires", "");
        rejects("0 0 0 29 2 +MON 2028", "29 2 +MON", "never fires", "");
        for text in ["0 0 29 2 *", "0 0 30 2 MON", "0 0 31 * *", "0 0 29 2 +MON", "0 0 * 2 FRI#5", "0 0 0 29 2 * 2024"]
        {
            assert!(Pattern::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn all_of_the_language_is_read() {
        for text in [
            "* * * * *",
            "*/5 0-5,7 1,15 jan-mar mon-FRI",
            "0 0 L * *",
            "0 0 LW * *",
            "0 0 15W * ?",
            "0 0 ? * 5L",
            "0 0 * * FRIL",
            "0 0 * * FRI#2",
            "0 0 1-7 * +MON",
            "30 0 0 1 1 * 2030-2040/2",
            "0 0 * * 7",
            "0 0 * * 5-7",
            "  0   0  * * *  ",
        ] {
            assert!(Pattern::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn fixed_is_decided_by_minute_and_hour() {
        for (text, fixed) in [
            ("30 2 * * *", true),
            ("*/5 2 * * *", false),
            ("0 */2 * * *", false),
            ("0 1-3 * * *", true),
            ("* 30 2 * * *", true),
            ("0 * * * *", false),
        ] {
            assert_eq!(Pattern::parse(text).unwrap().is_fixed(), fixed, "{text}");
        }
    }

    #[test]
    fn matching_is_inclusive_and_in_whole_seconds() {
        let pattern = Pattern::parse("0 0 12 * * *").unwrap();
        let noon: DateTime = "2026-05-01T12:00:00".parse().unwrap();
        assert_eq!(pattern.next_match(noon), Some(noon));
        let later: DateTime = "2026-05-01T12:00:00.000001".parse().unwrap();
        assert_eq!(pattern.next_match(later), Some("2026-05-02T12:00:00".parse().unwrap()));
        let past = Pattern::parse("0 0 0 1 1 * 2020").unwrap();
        assert_eq!(past.next_match(noon), None);
    }
}

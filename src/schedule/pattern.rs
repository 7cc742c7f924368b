//! Which civil times does this cron pattern match?
//!
//! [`super::syntax`] has checked the text and put it into the plain form that croner reads; croner finds the matches. What
//! it knows nothing of is zones.

use std::ops::RangeInclusive;

use croner::parser::{CronParser, Seconds, Year};
use croner::{Cron, Weekday};
use jiff::civil::{Date, DateTime, Time};

use super::ScheduleError;
use super::field::{FIRST_YEAR, LAST_YEAR};
use super::syntax::Fields;
use super::trap::{self, Trap};

/// Years of all fourteen kinds.
const ALL_KINDS: RangeInclusive<i16> = 2001..=2028;

/// A cron pattern that was checked: at least one date can match it.
#[derive(Debug, Clone)]
pub struct Pattern {
    cron: Cron,
    times: TimesOfDay,
    traps: Box<[Trap]>,
    hashed: bool,
    plain: Box<str>,
    fixed: bool,
    /// Searches end here; croner would go on to its own limit.
    last_year: i16,
}

impl Pattern {
    /// Reads five fields (minute, hour, day of month, month, day of week), six (second first) or seven (year last). `job`
    /// is the name from which `H` is hashed.
    pub fn parse(text: &str, job: &str) -> Result<Self, ScheduleError> {
        let fields = Fields::read(text, job)?;
        let cron = CronParser::builder()
            .seconds(Seconds::Optional)
            .year(Year::Optional)
            .build()
            .parse(&fields.plain)
            .map_err(|error| ScheduleError::new(0..text.len(), error.to_string()))?;
        let years = named_years(&fields.plain, &cron);
        let last_year = years.as_ref().and_then(|years| years.last().copied());
        let pattern = Self {
            fixed: fields.fixed,
            last_year: last_year.map_or(LAST_YEAR, |year| year.min(LAST_YEAR)),
            plain: fields.plain.into(),
            times: TimesOfDay::of(&cron),
            traps: trap::of_pattern(&fields.written).into(),
            hashed: fields.hashed,
            cron,
        };
        if !pattern.can_match(years.unwrap_or_else(|| ALL_KINDS.collect())) {
            let message = "this schedule never fires: there is no such day in any year it allows";
            return Err(ScheduleError::new(fields.days, message));
        }
        Ok(pattern)
    }

    /// Whether Vixie cron's rule takes it for a job at fixed times: neither its minute nor its hour begins with `*`.
    pub fn is_fixed(&self) -> bool {
        self.fixed
    }

    /// What its writer may be surprised by.
    pub fn traps(&self) -> Vec<Trap> {
        self.traps.to_vec()
    }

    /// How many matches a matching day has.
    pub fn times_a_day(&self) -> u64 {
        self.times.all()
    }

    /// Whether it means something else for a job of another name.
    pub fn is_hashed(&self) -> bool {
        self.hashed
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
        let epoch = DateTime::constant(FIRST_YEAR, 1, 1, 0, 0, 0, 0);
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
    fn can_match(&self, years: Vec<i16>) -> bool {
        let mut seen = [false; 14];
        years.into_iter().filter_map(|year| Date::new(year, 1, 1).ok()).any(|first| {
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

/// The years that a pattern allows; `None` if it has no field for them: croner would count all ten thousand, which takes
/// longer than all else about a pattern.
fn named_years(plain: &str, cron: &Cron) -> Option<Vec<i16>> {
    let has_years = plain.split_ascii_whitespace().count() > 6;
    has_years.then(|| cron.pattern.years.values().into_iter().filter_map(|year| i16::try_from(year).ok()).collect())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn rejects(text: &str, place: &str, message: &str, help: &str) {
        let error = Pattern::parse(text, "").expect_err(text);
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
        rejects("0 0 0 1 1 * 1969", "1969", "1970 to 4999", "");
        rejects("-5 * * * *", "", "is no minute", "");
        rejects("0 ٣ * * *", "٣", "is no hour", "");
        rejects("*,5 * * * *", "*,5", "every minute", "alone");
        rejects("0 0 ?,5 * *", "?,5", "every day-of-month", "alone");
        rejects("0 0 L,LW * *", "L,LW", "do not go together", "two schedules");
        rejects("H(0-60) * * * *", "60", "out of range", "");
        rejects("H(30-10) * * * *", "H(30-10)", "backwards", "");
        rejects("H(5) * * * *", "H(5)", "no hashed value", "H(0-29)");
        rejects("HH * * * *", "HH", "no hashed value", "");
        rejects("H/0 * * * *", "H/0", "zero", "");
        rejects("0 0 0 1 1 * H", "H", "no meaning", "");
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
            assert!(Pattern::parse(text, "").is_ok(), "{text}");
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
            assert!(Pattern::parse(text, "").is_ok(), "{text}");
        }
    }

    #[test]
    fn a_hashed_value_is_the_jobs_own_and_within_its_range() {
        for number in 0..200 {
            let job = format!("job-{number}");
            let plain = |text: &str| Pattern::parse(text, &job).unwrap().with_seconds().to_owned();
            let field = |text: &str, at: usize| plain(text).split(' ').nth(at).unwrap().to_owned();
            let value = |text: &str, at: usize| field(text, at).parse::<u16>().unwrap();
            assert!(value("H * * * *", 1) < 60 && value("0 H * * *", 2) < 24);
            assert!((1..=28).contains(&value("0 0 H * *", 3)) && (1..=12).contains(&value("0 0 1 H *", 4)));
            assert!(value("0 0 * * H", 5) < 7 && (10..=19).contains(&value("h(10-19) * * * *", 1)));
            let stepped = field("H(10-49)/15 * * * *", 1);
            let (first, rest) = stepped.split_once('-').unwrap();
            assert!((10..25).contains(&first.parse::<u16>().unwrap()) && rest == "49/15", "{stepped}");
        }
        let different = |a: &str, b: &str| {
            let plain = |job| Pattern::parse("H H H * *", job).unwrap().with_seconds().to_owned();
            plain(a) != plain(b)
        };
        assert!(different("backup", "report") && different("a", "b") && !different("a", "a"));
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
            assert_eq!(Pattern::parse(text, "").unwrap().is_fixed(), fixed, "{text}");
        }
    }

    #[test]
    fn matching_is_inclusive_and_in_whole_seconds() {
        let pattern = Pattern::parse("0 0 12 * * *", "").unwrap();
        let noon: DateTime = "2026-05-01T12:00:00".parse().unwrap();
        assert_eq!(pattern.next_match(noon), Some(noon));
        let later: DateTime = "2026-05-01T12:00:00.000001".parse().unwrap();
        assert_eq!(pattern.next_match(later), Some("2026-05-02T12:00:00".parse().unwrap()));
        let past = Pattern::parse("0 0 0 1 1 * 2020", "").unwrap();
        assert_eq!(past.next_match(noon), None);
    }
}

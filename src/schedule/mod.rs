//! When is it due?
//!
//! A [`Schedule`] is one rule from `jobs.toml`; a [`Timetable`] is all that a job says about its instants: its
//! schedules, its zone and what to do where that zone's clocks jump. Nothing here reads a clock or a file: the
//! zone comes in as a value, and so does the moment from which to search.

mod bounds;
mod calendar;
mod days;
mod event;
mod field;
mod ics;
mod meant;
mod pattern;
mod place;
mod quantity;
mod spread;
mod syntax;
mod timetable;
mod transition;
mod trap;
mod values;
mod words;

use std::fmt;
use std::ops::Range;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

pub use bounds::{Bound, Bounds};
pub use calendar::{Calendar, Closure, Dates, Hours, Then};
pub use ics::{Events, read_events};
pub use meant::crontab_line;
pub use pattern::Pattern;
pub use place::{Fold, Gap, shifted};
pub use quantity::{QuantityError, duration_text, parse_duration, parse_percentage, parse_size, size_text};
pub use spread::{Jitter, fingerprint, spread};
pub use timetable::{Piece, Place, Tally, Timetable};
pub use transition::{Disturbance, Effect, Transition};
pub use trap::Trap;

/// Why a text is not a schedule: the bytes of the text that are wrong, what is wrong with them, what to write
/// instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct ScheduleError {
    pub span: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

impl ScheduleError {
    fn new(span: Range<usize>, message: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: None }
    }

    /// The same, for a text that has so many bytes more before it.
    fn within(self, start: usize) -> Self {
        Self { span: self.span.start + start..self.span.end + start, ..self }
    }

    fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

/// One rule that names instants, as it was written and what it means.
#[derive(Debug, Clone)]
pub struct Schedule {
    text: Box<str>,
    rule: Rule,
    traps: Box<[Trap]>,
}

#[derive(Debug, Clone)]
enum Rule {
    Cron(Box<Pattern>),
    /// Counted from the Unix epoch, so it does not depend on when the daemon started.
    Every(Duration),
    /// Counted from the end of the job's last run, so known only when that has ended.
    AfterEnd(Duration),
    At(At),
    Reboot,
    Start,
}

#[derive(Debug, Clone, Copy)]
enum At {
    Instant(Timestamp),
    /// Placed in the zone at each question, because zone data may change.
    Civil(DateTime),
}

/// What a schedule names apart from instants known in advance.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// The daemon's first start after the machine booted.
    Reboot,
    /// Each start of the daemon.
    Start,
}

const ALIASES: [(&str, &str); 7] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
];

/// A clock is read in microseconds, but nobody means less than this by "every", and a shorter interval would
/// only fill the ledger.
const SHORTEST_INTERVAL: Duration = Duration::from_secs(1);

impl Schedule {
    /// Reads one schedule: a cron pattern of five to seven fields, an alias, `every D`, `every D after end` or `at T`.
    /// `job` is the name from which `H` is hashed.
    ///
    /// Patterns follow the Open Cron Pattern Specification; what it rejects is an error here, with the place.
    pub fn parse(text: &str, job: &str) -> Result<Self, ScheduleError> {
        let body = text.trim();
        let start = text.len() - text.trim_start().len();
        let rule = match body.split_whitespace().next() {
            None => {
                return Err(ScheduleError::new(0..text.len(), "this schedule is empty")
                    .help("write a cron pattern such as \"30 2 * * *\", or \"every 5m\""));
            }
            Some(word) if word.starts_with('@') => parse_alias(body),
            Some("every") => parse_every(body),
            Some("at") => parse_at(body),
            Some(_) => Pattern::parse(body, job)
                .map(|pattern| Rule::Cron(Box::new(pattern)))
                .map_err(|error| meant::explain(error, body)),
        }
        .map_err(|error| error.within(start))?;
        let traps = match &rule {
            // An alias is a pattern that nobody wrote.
            Rule::Cron(pattern) if !body.starts_with('@') => pattern.traps(),
            Rule::Every(interval) => trap::of_interval(*interval, body),
            Rule::Cron(_) | Rule::AfterEnd(_) | Rule::At(_) | Rule::Reboot | Rule::Start => Vec::new(),
        };
        let traps = traps.into_iter().map(|trap| trap.behind(start)).collect();
        Ok(Self { text: text.into(), rule, traps })
    }

    /// The schedule as it was written.
    pub fn text(&self) -> &str {
        &self.text
    }

    fn pattern(&self) -> Option<&Pattern> {
        match &self.rule {
            Rule::Cron(pattern) => Some(pattern),
            Rule::Every(_) | Rule::AfterEnd(_) | Rule::At(_) | Rule::Reboot | Rule::Start => None,
        }
    }

    /// The cron pattern with its seconds, as a timer that wants them reads it; `None` for what is no pattern.
    pub fn chore_pattern(&self) -> Option<String> {
        self.pattern().map(|pattern| pattern.with_seconds().to_owned())
    }

    /// The schedule in plain English: a phrase without a full stop, beginning in lower case.
    pub fn in_words(&self) -> String {
        match &self.rule {
            Rule::Cron(pattern) => words::pattern_in_words(pattern.with_seconds()),
            Rule::Every(interval) => words::interval_in_words(*interval),
            Rule::AfterEnd(pause) => format!("{} after the end of the last run", words::duration_in_words(*pause)),
            Rule::At(at) => format!("once, at {}", at.in_words()),
            Rule::Reboot => "when the daemon first starts after the machine booted".to_owned(),
            Rule::Start => "each time the daemon starts".to_owned(),
        }
    }

    /// What its writer may be surprised by, as far as the text alone tells.
    pub fn traps(&self) -> &[Trap] {
        &self.traps
    }

    /// Which start of the daemon or the machine this names, if it names one instead of instants.
    pub fn moment(&self) -> Option<Moment> {
        match self.rule {
            Rule::Reboot => Some(Moment::Reboot),
            Rule::Start => Some(Moment::Start),
            Rule::Cron(_) | Rule::Every(_) | Rule::AfterEnd(_) | Rule::At(_) => None,
        }
    }

    /// How long after the end of the job's last run it names an instant, if it names none in advance for that reason.
    pub fn after_end(&self) -> Option<Duration> {
        match self.rule {
            Rule::AfterEnd(pause) => Some(pause),
            Rule::Cron(_) | Rule::Every(_) | Rule::At(_) | Rule::Reboot | Rule::Start => None,
        }
    }

    /// Whether its instants can be told in advance.
    pub fn names_instants(&self) -> bool {
        match self.rule {
            Rule::Cron(_) | Rule::Every(_) | Rule::At(_) => true,
            Rule::AfterEnd(_) | Rule::Reboot | Rule::Start => false,
        }
    }

    /// How many instants it names on one day at the most, as far as its times of day tell.
    pub fn most_a_day(&self) -> u64 {
        const DAY: u64 = 86_400;
        match &self.rule {
            Rule::Cron(pattern) => pattern.times_a_day(),
            Rule::Every(interval) => DAY.div_ceil(interval.as_secs().max(1)),
            Rule::AfterEnd(_) | Rule::At(_) | Rule::Reboot | Rule::Start => 1,
        }
    }

    /// Whether the same text means something else for a job of another name.
    pub fn is_hashed(&self) -> bool {
        self.pattern().is_some_and(Pattern::is_hashed)
    }

    /// The first instant strictly later than `after`; none if there is no such instant, or if the schedule
    /// names no instants in advance.
    fn next_after(&self, after: Timestamp, place: &Place) -> Option<Timestamp> {
        match &self.rule {
            Rule::Cron(pattern) => {
                let (gap, fold) = place.rules_for(pattern);
                place::next_after(pattern, after, &place.zone, gap, fold)
            }
            Rule::Every(interval) => next_multiple(after, *interval),
            Rule::At(at) => at.resolve(&place.zone).filter(|instant| *instant > after),
            Rule::AfterEnd(_) | Rule::Reboot | Rule::Start => None,
        }
    }

    /// How many instants it names in `(after, until]`.
    fn count(&self, after: Timestamp, until: Timestamp, place: &Place) -> u64 {
        match &self.rule {
            Rule::Cron(pattern) => {
                let (gap, fold) = place.rules_for(pattern);
                place::count(pattern, after, until, &place.zone, gap, fold)
            }
            Rule::Every(interval) => count_multiples(after, until, *interval),
            Rule::At(at) => u64::from(at.resolve(&place.zone).is_some_and(|at| after < at && at <= until)),
            Rule::AfterEnd(_) | Rule::Reboot | Rule::Start => 0,
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl At {
    /// A civil time in a gap is the end of the gap, one in a fold its first pass: the rule for fixed patterns.
    fn resolve(self, zone: &TimeZone) -> Option<Timestamp> {
        match self {
            Self::Instant(instant) => Some(instant),
            Self::Civil(civil) => place::shifted(civil, zone),
        }
    }

    /// A civil time goes without a zone, as it was written.
    fn in_words(self) -> String {
        match self {
            Self::Instant(instant) => {
                let civil = TimeZone::UTC.to_datetime(instant);
                format!("{} {} UTC", civil.date(), civil.time())
            }
            Self::Civil(civil) => format!("{} {}", civil.date(), civil.time()),
        }
    }
}

fn parse_alias(body: &str) -> Result<Rule, ScheduleError> {
    let lower = body.to_ascii_lowercase();
    match lower.as_str() {
        "@reboot" => return Ok(Rule::Reboot),
        "@start" => return Ok(Rule::Start),
        _ => {}
    }
    if let Some((_, pattern)) = ALIASES.iter().find(|(alias, _)| *alias == lower) {
        return Pattern::parse(pattern, "").map(|pattern| Rule::Cron(Box::new(pattern)));
    }
    let error = ScheduleError::new(0..body.len(), format!("`{body}` is no alias"));
    if lower.starts_with("@every") {
        return Err(error.help(format!("write \"{}\"", &lower[1..])));
    }
    if let Some((near, _)) = ALIASES.iter().find(|(alias, _)| strsim::osa_distance(alias, &lower) <= 2) {
        return Err(error.help(format!("did you mean `{near}`?")));
    }
    Err(error.help("there are @yearly, @annually, @monthly, @weekly, @daily, @midnight, @hourly, @reboot and @start"))
}

fn parse_every(body: &str) -> Result<Rule, ScheduleError> {
    let rest = body["every".len()..].trim_start();
    let start = body.len() - rest.len();
    let (length, after_end) = match rest.split_once("after") {
        Some((length, behind)) if behind.trim() == "end" => (length.trim_end(), true),
        Some((length, _)) => {
            return Err(ScheduleError::new(
                start + length.len()..body.len(),
                "an interval counts from the epoch or `after end`",
            )
            .help(format!("write \"every {} after end\"", length.trim_end())));
        }
        None => (rest, false),
    };
    let span = start..start + length.len();
    let interval = parse_duration(length).map_err(|error| {
        let help = match meant::every(length) {
            Some(ours) => format!("write \"{ours}\""),
            None => error.help().replace(" \"", " \"every "),
        };
        ScheduleError::new(span.clone(), error.wrong()).help(help)
    })?;
    if interval < SHORTEST_INTERVAL {
        return Err(ScheduleError::new(span, "the shortest interval is one second"));
    }
    if interval.subsec_nanos() % 1000 != 0 {
        return Err(ScheduleError::new(span, "instants are no finer than a microsecond"));
    }
    Ok(if after_end { Rule::AfterEnd(interval) } else { Rule::Every(interval) })
}

fn parse_at(body: &str) -> Result<Rule, ScheduleError> {
    let rest = body["at".len()..].trim_start();
    let span = body.len() - rest.len()..body.len();
    let instant = rest.parse::<Timestamp>().map(At::Instant);
    let at = instant.or_else(|_| rest.parse::<DateTime>().map(At::Civil)).map_err(|_| {
        let error = ScheduleError::new(span.clone(), format!("`{rest}` is no date and time"));
        if rest.len() <= "23:59:59".len() && rest.contains(':') {
            return meant::explain(error, rest).within(span.start);
        }
        error.help("write \"at 2026-12-31T23:59:00\", in the job's zone, or with Z or an offset behind it")
    })?;
    let fraction = match at {
        At::Instant(instant) => instant.subsec_nanosecond(),
        At::Civil(civil) => civil.subsec_nanosecond(),
    };
    if fraction % 1000 != 0 {
        return Err(ScheduleError::new(span, "instants are no finer than a microsecond"));
    }
    Ok(Rule::At(at))
}

/// The first multiple of `interval` since the Unix epoch that is later than `after`.
fn next_multiple(after: Timestamp, interval: Duration) -> Option<Timestamp> {
    let interval = i128::try_from(interval.as_nanos()).ok()?;
    let next = (after.as_nanosecond().div_euclid(interval) + 1) * interval;
    Timestamp::from_nanosecond(next).ok()
}

/// How many multiples of `interval` since the Unix epoch lie in `(after, until]`.
fn count_multiples(after: Timestamp, until: Timestamp, interval: Duration) -> u64 {
    let Ok(interval) = i128::try_from(interval.as_nanos()) else {
        return 0;
    };
    let up_to = |at: Timestamp| at.as_nanosecond().div_euclid(interval);
    u64::try_from(up_to(until) - up_to(after)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;

    fn utc(schedules: &[&str]) -> Timetable {
        let schedules = schedules.iter().map(|text| Arc::new(Schedule::parse(text, "").unwrap()));
        Timetable::new(schedules.collect(), Place::of(TimeZone::UTC))
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn an_interval_counts_from_the_epoch() {
        let table = utc(&["every 90m"]);
        assert_eq!(table.next_after(at("1970-01-01T00:00:00Z")), Some(at("1970-01-01T01:30:00Z")));
        assert_eq!(table.next_after(at("1969-12-31T23:59:59Z")), Some(at("1970-01-01T00:00:00Z")));
    }

    #[test]
    fn a_tally_of_an_interval_is_what_a_walk_counts() {
        let table = utc(&["every 7m"]);
        let (after, until) = (at("2026-01-01T00:03:00Z"), at("2026-01-03T11:11:11Z"));
        let walked: Vec<_> = table.between(after, until).collect();
        let tally = table.tally(after, until).unwrap();
        assert_eq!(tally.count, walked.len() as u64);
        assert_eq!((tally.first, tally.last), (walked[0], walked[walked.len() - 1]));
        assert_eq!(table.tally(until, until), None);
    }

    #[test]
    fn the_last_few_of_many_that_are_long_ago_are_few() {
        let table = utc(&["* * * * 1 *"]);
        let (after, until) = (at("2026-01-01T00:00:00Z"), at("2026-12-31T12:00:00Z"));
        let window = table.last_few(after, until, 3);
        assert!((3..=1003).contains(&table.count(window, until)), "{window}");
        assert_eq!(table.tally(after, until).unwrap().last, at("2026-01-31T23:59:59Z"));
        assert_eq!(table.last_few(after, until, 10_000_000), after);
    }

    #[test]
    fn an_instant_named_twice_is_one() {
        let table = utc(&["0 * * * *", "every 30m"]);
        let instants: Vec<_> = table.between(at("2026-01-01T00:30:00Z"), at("2026-01-01T02:00:00Z")).collect();
        assert_eq!(instants, [at("2026-01-01T01:00:00Z"), at("2026-01-01T01:30:00Z"), at("2026-01-01T02:00:00Z")]);
    }

    #[test]
    fn at_names_one_instant_in_the_zone() {
        let mut table = utc(&["at 2026-12-31T23:59:00"]);
        table.place.zone = TimeZone::get("Europe/Berlin").unwrap();
        let due = at("2026-12-31T22:59:00Z");
        assert_eq!(table.next_after(at("2020-01-01T00:00:00Z")), Some(due));
        assert_eq!(table.next_after(due), None);
        assert_eq!(
            utc(&["at 2026-12-31T23:59:00+02:00"]).next_after(at("2020-01-01T00:00:00Z")).unwrap(),
            at("2026-12-31T21:59:00Z")
        );
    }

    #[test]
    fn moments_name_no_instants() {
        let table = utc(&["@reboot"]);
        assert_eq!(table.next_after(at("2026-01-01T00:00:00Z")), None);
        assert!(table.has_moment(Moment::Reboot) && !table.has_moment(Moment::Start) && table.names_any());
    }

    #[test]
    fn what_is_no_schedule_says_so() {
        for (text, expect) in [
            ("", "this schedule is empty"),
            ("  ", "this schedule is empty"),
            ("@fortnightly", "`@fortnightly` is no alias"),
            ("every", "is empty"),
            ("every 10ms", "the shortest interval is one second"),
            ("every 3 parsecs", "no duration"),
            ("at noon", "`noon` is no date and time"),
        ] {
            let error = Schedule::parse(text, "").unwrap_err();
            assert!(error.message.contains(expect), "{text}: {error}");
            assert!(error.span.end <= text.len(), "{text}: {:?}", error.span);
        }
    }
}

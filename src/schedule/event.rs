//! When does this one event of a calendar take place?
//!
//! calcard reads the lines of an event and counts out its recurrences, the latter in civil time alone: what has a zone is
//! placed by the zones of the caller, so that jobs and the events that hold them up go by the same zone data. Nothing here
//! knows of the other events of the calendar.

use std::borrow::Cow;
use std::collections::BTreeSet;

use calcard::common::timezone::{Tz, TzTimestamp};
use calcard::common::{CalendarScale, PartialDateTime};
use calcard::icalendar::timezone::TzResolver;
use calcard::icalendar::{
    ICalendar, ICalendarComponent, ICalendarComponentType, ICalendarDuration, ICalendarEntry, ICalendarFrequency,
    ICalendarMonth, ICalendarParameterName, ICalendarPeriod, ICalendarProperty, ICalendarRecurrenceRule, ICalendarSkip,
    ICalendarStatus, ICalendarValue,
};
use jiff::civil::{self, Date, DateTime, Time};
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Span, Timestamp};

/// What is wrong with one event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    #[error("it has no DTSTART; say when it starts")]
    NoStart,
    #[error("its {property} is no {kind} that exists; write for example {example}")]
    Unreadable { property: &'static str, kind: &'static str, example: &'static str },
    #[error("no zone is known as `{0}`; write the name of an IANA zone such as Europe/Berlin, or UTC")]
    UnknownZone(String),
    #[error("it ends before it starts; correct its DTEND or DURATION")]
    Backwards,
    #[error("it lies outside of the years 0 to 9999; correct its DTSTART, DTEND or DURATION")]
    OutOfRange,
    #[error("its RRULE is no rule: {0}; correct or remove it")]
    NoRule(String),
    #[error("{0} is not supported; write the occurrences out as events of their own")]
    Unsupported(&'static str),
    #[error("with it the file has more than {MOST_OCCURRENCES} occurrences; give its RRULE an UNTIL, or a lower FREQ")]
    TooMany,
}

/// Recurrences are followed to here. Most rules have no end, and the lists must: this is later than anybody plans a
/// closure, and early enough that a daily event is a few ten thousand stretches.
const HORIZON: DateTime = civil::date(2100, 12, 31).at(23, 59, 59, 0);

/// No calendar of closures comes near it, and a rule by the second reaches it within a moment.
pub const MOST_OCCURRENCES: usize = 200_000;

const A_DAY: SignedDuration = SignedDuration::from_hours(24);

/// The zones that the lines of a calendar may name.
pub struct Zones<'a> {
    named_in_file: TzResolver<&'a str>,
    find: &'a dyn Fn(&str) -> Option<TimeZone>,
}

impl<'a> Zones<'a> {
    pub fn of(calendar: &'a ICalendar, find: &'a dyn Fn(&str) -> Option<TimeZone>) -> Self {
        Self { named_in_file: calendar.build_tz_resolver(), find }
    }

    /// The zone of a TZID.
    fn get(&self, name: &str) -> Result<TimeZone, Problem> {
        let zone = (self.find)(name).or_else(|| (self.find)(&self.alias(name)?));
        zone.ok_or_else(|| Problem::UnknownZone(name.to_owned()))
    }

    /// What a name that is no IANA name stands for: a VTIMEZONE of the file, or one of the names that Windows and
    /// Exchange use. The rules inside of a VTIMEZONE do not count, because they are often those of a single year.
    fn alias(&self, name: &str) -> Option<Cow<'static, str>> {
        let alias = self.named_in_file.resolve(name)?.name()?;
        // Of a name such as "(GMT+05:30) Somewhere" calcard takes the full hours, which is no zone that anybody meant.
        let is_guess = name.trim_start().starts_with('(') && alias.starts_with("Etc/GMT");
        (!is_guess).then_some(alias)
    }
}

/// A date or a time as the file says it.
#[derive(Debug, Clone)]
pub struct Moment {
    civil: DateTime,
    /// `None` floats.
    pub zone: Option<TimeZone>,
    /// A date without a time.
    pub whole_day: bool,
}

impl Moment {
    /// What the clocks of another moment's zone show at this one. What floats is the same everywhere.
    pub fn seen_from(&self, other: &Self) -> DateTime {
        match (&self.zone, &other.zone) {
            (Some(own), Some(zone)) if own != zone => {
                own.to_ambiguous_timestamp(self.civil).compatible().map_or(self.civil, |at| zone.to_datetime(at))
            }
            _ => self.civil,
        }
    }
}

/// From the start of an occurrence to its end.
#[derive(Debug, Clone, Copy)]
pub enum Length {
    /// By the clocks on the wall, as DTEND says it: what ends at 17:00 does so on each day, also where that is an hour
    /// more or less.
    Civil(SignedDuration),
    /// As DURATION says it: days by the calendar, hours in real time.
    Duration(Span),
}

/// When an event takes place.
pub struct Timing<'a> {
    pub start: Moment,
    length: Length,
    rules: Vec<&'a ICalendarRecurrenceRule>,
    /// RDATE; a period has a length of its own.
    further: Vec<(DateTime, Length)>,
    /// EXDATE.
    pub exceptions: Vec<Moment>,
}

/// One VEVENT.
///
/// TRANSP is not looked at: Google and others mark holidays as TRANSPARENT, which says that a person may be invited on
/// that day, not that the day is like any other.
pub struct Event<'a> {
    pub uid: &'a str,
    /// The occurrence in whose place this event is (RECURRENCE-ID).
    pub replaces: Option<Moment>,
    /// `None` if it was cancelled.
    pub timing: Option<Timing<'a>>,
}

impl<'a> Event<'a> {
    pub fn read(component: &'a ICalendarComponent, zones: &Zones) -> Result<Self, Problem> {
        let reader = Reader { component, zones };
        let cancelled = component.status() == Some(&ICalendarStatus::Cancelled);
        Ok(Self {
            uid: component.uid().unwrap_or_default(),
            replaces: reader.replaces()?,
            timing: if cancelled { None } else { Some(reader.timing()?) },
        })
    }
}

/// Reads the properties of one VEVENT that say when it is.
struct Reader<'a, 'z> {
    component: &'a ICalendarComponent,
    zones: &'z Zones<'z>,
}

impl<'a> Reader<'a, '_> {
    fn timing(&self) -> Result<Timing<'a>, Problem> {
        if self.component.has_property(&ICalendarProperty::Exrule) {
            return Err(Problem::Unsupported("EXRULE"));
        }
        let start = self.single(&ICalendarProperty::Dtstart, "DTSTART")?.ok_or(Problem::NoStart)?;
        let length = self.length(&start)?;
        let mut further = Vec::new();
        for (entry, value) in self.values(&ICalendarProperty::Rdate) {
            further.push(self.further(entry, value, &start, length)?);
        }
        let exceptions = self
            .values(&ICalendarProperty::Exdate)
            .map(|(entry, value)| self.moment(entry, Some(value), "EXDATE"))
            .collect::<Result<_, _>>()?;
        Ok(Timing { start, length, rules: self.rules()?, further, exceptions })
    }

    fn replaces(&self) -> Result<Option<Moment>, Problem> {
        let entry = self.component.property(&ICalendarProperty::RecurrenceId);
        if entry.is_some_and(|entry| entry.has_parameter(&ICalendarParameterName::Range)) {
            return Err(Problem::Unsupported("RECURRENCE-ID with RANGE"));
        }
        self.single(&ICalendarProperty::RecurrenceId, "RECURRENCE-ID")
    }

    /// All values of a property, each with the entry whose parameters hold for it.
    fn values(
        &self,
        property: &'a ICalendarProperty,
    ) -> impl Iterator<Item = (&'a ICalendarEntry, &'a ICalendarValue)> {
        self.component.properties(property).flat_map(|entry| entry.values.iter().map(move |value| (entry, value)))
    }

    fn single(&self, property: &ICalendarProperty, name: &'static str) -> Result<Option<Moment>, Problem> {
        let entry = self.component.property(property);
        entry.map(|entry| self.moment(entry, entry.values.first(), name)).transpose()
    }

    fn moment(
        &self,
        entry: &ICalendarEntry,
        value: Option<&ICalendarValue>,
        name: &'static str,
    ) -> Result<Moment, Problem> {
        let partial = value.and_then(ICalendarValue::as_partial_date_time);
        partial.map_or(Ok(None), |partial| self.place(entry, partial))?.ok_or_else(|| no_time(name))
    }

    /// `None` if there is no such date or time.
    fn place(&self, entry: &ICalendarEntry, partial: &PartialDateTime) -> Result<Option<Moment>, Problem> {
        let Some(civil) = civil_of(partial) else { return Ok(None) };
        let whole_day = !partial.has_time();
        let zone = match entry.tz_id() {
            _ if whole_day => None,
            _ if partial.has_zone() => Some(TimeZone::fixed(offset_of(partial))),
            Some(name) => Some(self.zones.get(name)?),
            None => None,
        };
        Ok(Some(Moment { civil, zone, whole_day }))
    }

    fn length(&self, start: &Moment) -> Result<Length, Problem> {
        if let Some(end) = self.single(&ICalendarProperty::Dtend, "DTEND")? {
            return between(start, &end);
        }
        let entry = self.component.property(&ICalendarProperty::Duration);
        match entry.map(|entry| entry.values.first()) {
            None if start.whole_day => Ok(Length::Civil(A_DAY)),
            None => Ok(Length::Civil(SignedDuration::ZERO)),
            Some(Some(ICalendarValue::Duration(duration))) => lasting(duration),
            Some(_) => Err(Problem::Unreadable { property: "DURATION", kind: "duration", example: "P1D or PT8H" }),
        }
    }

    /// A date of RDATE is an occurrence as long as the others; a period has its own end.
    fn further(
        &self,
        entry: &ICalendarEntry,
        value: &ICalendarValue,
        first: &Moment,
        length: Length,
    ) -> Result<(DateTime, Length), Problem> {
        let place = |partial| self.place(entry, partial)?.ok_or_else(|| no_time("RDATE"));
        let ICalendarValue::Period(period) = value else {
            return Ok((self.moment(entry, Some(value), "RDATE")?.seen_from(first), length));
        };
        let (start, length) = match period {
            ICalendarPeriod::Range { start, end } => {
                let start = place(start)?;
                let length = between(&start, &place(end)?)?;
                (start, length)
            }
            ICalendarPeriod::Duration { start, duration } => (place(start)?, lasting(duration)?),
        };
        Ok((start.seen_from(first), length))
    }

    fn rules(&self) -> Result<Vec<&'a ICalendarRecurrenceRule>, Problem> {
        self.values(&ICalendarProperty::Rrule)
            .map(|(_, value)| match value {
                ICalendarValue::RecurrenceRule(rule) => supported(rule),
                other => Err(Problem::NoRule(format!("`{}`", other.as_text().unwrap_or_default()))),
            })
            .collect()
    }
}

fn no_time(property: &'static str) -> Problem {
    Problem::Unreadable { property, kind: "date or time", example: "20261224 or 20261224T090000Z" }
}

/// Refuses what calcard counts wrongly or panics over. All of it is rare to absent in calendars of people.
fn supported(rule: &ICalendarRecurrenceRule) -> Result<&ICalendarRecurrenceRule, Problem> {
    let foreign = rule.rscale.as_ref().is_some_and(|scale| *scale != CalendarScale::Gregorian)
        || rule.skip.is_some_and(|skip| skip != ICalendarSkip::Omit)
        || rule.bymonth.iter().any(ICalendarMonth::is_leap);
    let by_time = [&rule.byhour, &rule.byminute, &rule.bysecond].into_iter().any(|list| !list.is_empty());
    let numbered = rule.byday.iter().any(|day| day.ordwk.is_some());
    let refused = [
        (foreign, "RRULE with RSCALE or SKIP"),
        (rule.freq > ICalendarFrequency::Monthly && numbered, "a number in BYDAY of an RRULE finer than MONTHLY"),
        (rule.freq > ICalendarFrequency::Daily && !rule.bysetpos.is_empty(), "BYSETPOS in an RRULE finer than DAILY"),
        (
            rule.freq > ICalendarFrequency::Hourly && by_time,
            "BYHOUR, BYMINUTE or BYSECOND in an RRULE finer than HOURLY",
        ),
    ];
    let first = refused.into_iter().find(|(applies, _)| *applies);
    first.map_or(Ok(rule), |(_, what)| Err(Problem::Unsupported(what)))
}

fn between(start: &Moment, end: &Moment) -> Result<Length, Problem> {
    let length = start.civil.duration_until(end.seen_from(start));
    match length.signum() {
        -1 => Err(Problem::Backwards),
        // The end of a day is the day after, but many programs write the day itself.
        0 if start.whole_day => Ok(Length::Civil(A_DAY)),
        _ => Ok(Length::Civil(length)),
    }
}

fn lasting(duration: &ICalendarDuration) -> Result<Length, Problem> {
    if duration.neg && !duration.is_empty() {
        return Err(Problem::Backwards);
    }
    let days = Span::new().try_weeks(duration.weeks).and_then(|span| span.try_days(duration.days));
    let span = days
        .and_then(|span| span.try_hours(duration.hours))
        .and_then(|span| span.try_minutes(duration.minutes))
        .and_then(|span| span.try_seconds(duration.seconds));
    span.map(Length::Duration).map_err(|_| Problem::OutOfRange)
}

impl Timing<'_> {
    /// The starts of all occurrences, exceptions included, each with its length; an error if there is no room for them.
    pub fn occurrences(&self, room: usize) -> Result<Vec<(DateTime, Length)>, Problem> {
        // The start is an occurrence also where the rule does not name it.
        let mut starts = BTreeSet::from([self.start.civil]);
        for rule in &self.rules {
            starts.extend(self.recurrences(rule, room)?);
        }
        let mut all: Vec<_> = starts.into_iter().map(|start| (start, self.length)).collect();
        all.extend(&self.further);
        if all.len() > room { Err(Problem::TooMany) } else { Ok(all) }
    }

    /// The starts that a rule names, in the civil time of the event: calcard is given an event without a zone, because
    /// it would place one with a zone by zone data of its own, and take UNTIL for civil time where that is in UTC.
    fn recurrences(&self, rule: &ICalendarRecurrenceRule, room: usize) -> Result<Vec<DateTime>, Problem> {
        let until = self.last_start(rule)?.min(HORIZON);
        if until < self.start.civil {
            return Ok(Vec::new());
        }
        let mut event = ICalendarComponent::new(ICalendarComponentType::VEvent);
        event.add_property(ICalendarProperty::Dtstart, partial_of(self.start.civil));
        event.add_property(
            ICalendarProperty::Rrule,
            ICalendarRecurrenceRule { until: Some(partial_of(until)), ..rule.clone() },
        );
        let expansion = ICalendar { components: vec![event] }.expand_dates(Tz::Floating, room.saturating_add(1));
        match expansion.errors.first() {
            Some(error) => Err(Problem::NoRule(error.error.to_string())),
            None if expansion.events.len() > room => Err(Problem::TooMany),
            None => expansion.events.iter().map(|event| civil_at(event.start.to_naive_timestamp())).collect(),
        }
    }

    /// The latest start that the UNTIL of a rule allows: a date includes its whole day.
    fn last_start(&self, rule: &ICalendarRecurrenceRule) -> Result<DateTime, Problem> {
        let Some(until) = &rule.until else { return Ok(HORIZON) };
        let civil = civil_of(until).ok_or_else(|| no_time("RRULE's UNTIL"))?;
        if !until.has_time() {
            return Ok(civil.date().at(23, 59, 59, 0));
        }
        let zone = until.has_zone().then(|| TimeZone::fixed(offset_of(until)));
        Ok(Moment { civil, zone, whole_day: false }.seen_from(&self.start))
    }
}

/// `None` if there is no such day or time, as on a 31st of June.
fn civil_of(partial: &PartialDateTime) -> Option<DateTime> {
    let small = |part: Option<u8>| i8::try_from(part.unwrap_or(0)).ok();
    let date = Date::new(i16::try_from(partial.year?).ok()?, small(partial.month)?, small(partial.day)?).ok()?;
    // A leap second has the number 60, and jiff has none.
    let second = small(partial.second)?.min(59);
    let time = Time::new(small(partial.hour)?, small(partial.minute)?, second, 0).ok()?;
    Some(date.to_datetime(time))
}

fn partial_of(civil: DateTime) -> PartialDateTime {
    PartialDateTime {
        year: u16::try_from(civil.year()).ok(),
        month: u8::try_from(civil.month()).ok(),
        day: u8::try_from(civil.day()).ok(),
        hour: u8::try_from(civil.hour()).ok(),
        minute: u8::try_from(civil.minute()).ok(),
        second: u8::try_from(civil.second()).ok(),
        ..PartialDateTime::default()
    }
}

/// A civil time that was counted in seconds as if it were in UTC.
fn civil_at(second: i64) -> Result<DateTime, Problem> {
    Timestamp::from_second(second).map(|at| Offset::UTC.to_datetime(at)).map_err(|_| Problem::OutOfRange)
}

/// The offset that is written behind a time: Z, in practice.
fn offset_of(partial: &PartialDateTime) -> Offset {
    let part = |part: Option<u8>| i32::from(part.unwrap_or(0));
    let seconds = part(partial.tz_hour) * 3600 + part(partial.tz_minute) * 60;
    Offset::from_seconds(if partial.tz_minus { -seconds } else { seconds }).unwrap_or(Offset::UTC)
}

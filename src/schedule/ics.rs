//! When are the events of this .ics file?
//!
//! The text of a calendar (RFC 5545) becomes stretches of time, in order and apart from each other. Nothing here knows
//! whose calendar it is, where its text comes from, who heeds it, or what time it is.

use std::collections::{BTreeMap, BTreeSet};

use calcard::icalendar::{ICalendarComponent, ICalendarProperty};
use calcard::{Entry, Parser};
use jiff::Timestamp;
use jiff::civil::{self, Date, DateTime};
use jiff::tz::TimeZone;

pub use super::event::Problem;
use super::event::{Event, Length, MOST_OCCURRENCES, Moment, Timing, Zones};

/// The busy times of an .ics file: each list in order, its stretches apart from each other.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    /// Stretches of civil time `[from, to)` of all-day and floating events: in whatever zone is asked.
    pub floating: Vec<(DateTime, DateTime)>,
    /// Stretches of real time `[from, to)` of events that have a zone or are in UTC.
    pub fixed: Vec<(Timestamp, Timestamp)>,
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IcsError {
    #[error("line {line}: what is not between BEGIN:VCALENDAR and END:VCALENDAR is no calendar; export it as .ics")]
    NoCalendar { line: usize },
    #[error("line {line}: BEGIN:{name} has no END:{name}: the end of the file is missing; fetch the file again")]
    CutOff { line: usize, name: String },
    #[error("line {line}: END:{name} stands where no {name} is to end; fetch the file again")]
    Misplaced { line: usize, name: String },
    #[error("line {line}: this event cannot be read; export the calendar again")]
    Unread { line: usize },
    #[error("line {line}, event \"{summary}\": {problem}")]
    Event { line: usize, summary: String, problem: Problem },
}

/// Nothing is due before the epoch, so nothing that ended by then can hold anything up.
const EPOCH: DateTime = civil::date(1970, 1, 1).at(0, 0, 0, 0);

/// Reads all events of a calendar; `zone` finds a zone by its IANA name.
pub fn read_events(text: &str, zone: &dyn Fn(&str) -> Option<TimeZone>) -> Result<Events, IcsError> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = lines_of_events(text)?.into_iter();
    let mut parser = Parser::new(text);
    let mut busy = Busy::default();
    while let Entry::ICalendar(calendar) = parser.entry() {
        let zones = Zones::of(&calendar, zone);
        let mut events = Vec::new();
        for component in calendar.components.iter().filter(|component| component.component_type.is_event()) {
            let line = lines.next().ok_or(IcsError::Unread { line: 1 })?;
            events.push(Entered::read(component, line, &zones)?);
        }
        busy.add_all(&events)?;
    }
    // The parser passes over what it cannot read; an event that is lost in this way would be a job that runs.
    lines.next().map_or_else(|| Ok(busy.into_events()), |line| Err(IcsError::Unread { line }))
}

/// The line in which each event begins.
///
/// The parser takes whatever it is given, and a file without its end for a whole one: what is opened and what is closed
/// is therefore compared here, before.
fn lines_of_events(text: &str) -> Result<Vec<usize>, IcsError> {
    if text.trim().is_empty() {
        return Err(IcsError::NoCalendar { line: 1 });
    }
    let mut events = Vec::new();
    let mut open: Vec<(&str, usize)> = Vec::new();
    for (line, content) in (1..).zip(text.lines()).filter(|(_, content)| !content.trim().is_empty()) {
        let (key, name) = content.trim_end().split_once(':').unwrap_or((content, ""));
        let is_begin = key.eq_ignore_ascii_case("BEGIN");
        if open.is_empty() && !(is_begin && name.eq_ignore_ascii_case("VCALENDAR")) {
            return Err(IcsError::NoCalendar { line });
        }
        if is_begin {
            open.push((name, line));
            events.extend(name.eq_ignore_ascii_case("VEVENT").then_some(line));
        } else if key.eq_ignore_ascii_case("END") {
            let closes = open.pop().is_some_and(|(opened, _)| opened.eq_ignore_ascii_case(name));
            closes.then_some(()).ok_or_else(|| IcsError::Misplaced { line, name: name.to_owned() })?;
        }
    }
    match open.last() {
        Some(&(name, line)) => Err(IcsError::CutOff { line, name: name.to_owned() }),
        None => Ok(events),
    }
}

/// An event, and the place where it is entered.
struct Entered<'a> {
    event: Event<'a>,
    component: &'a ICalendarComponent,
    line: usize,
}

impl<'a> Entered<'a> {
    fn read(component: &'a ICalendarComponent, line: usize, zones: &Zones) -> Result<Self, IcsError> {
        let event = Event::read(component, zones).map_err(|problem| error(component, line, problem))?;
        Ok(Self { event, component, line })
    }
}

fn error(component: &ICalendarComponent, line: usize, problem: Problem) -> IcsError {
    let summary = component.property(&ICalendarProperty::Summary).and_then(|entry| entry.values.first()?.as_text());
    IcsError::Event { line, summary: summary.unwrap_or_default().to_owned(), problem }
}

/// The occurrences of an event that do not take place, or elsewhere.
#[derive(Default)]
struct Exceptions {
    /// A date without a time excepts what begins on that day.
    days: BTreeSet<Date>,
    times: BTreeSet<DateTime>,
}

impl Exceptions {
    fn add(&mut self, moment: &Moment, start: &Moment) {
        let civil = moment.seen_from(start);
        if moment.whole_day {
            self.days.insert(civil.date())
        } else {
            self.times.insert(civil)
        };
    }

    fn include(&self, start: DateTime) -> bool {
        self.times.contains(&start) || self.days.contains(&start.date())
    }
}

/// All stretches so far.
#[derive(Default)]
struct Busy {
    events: Events,
    occurrences: usize,
}

impl Busy {
    fn add_all(&mut self, entered: &[Entered]) -> Result<(), IcsError> {
        let mut replaced: BTreeMap<&str, Vec<&Moment>> = BTreeMap::new();
        for Entered { event, .. } in entered {
            replaced.entry(event.uid).or_default().extend(&event.replaces);
        }
        for Entered { event, component, line } in entered {
            let Some(timing) = &event.timing else { continue };
            // What stands in the place of an occurrence is not itself replaced.
            let replaced = if event.replaces.is_none() { replaced.get(event.uid) } else { None };
            let added = self.add(timing, replaced.map_or(&[], Vec::as_slice));
            added.map_err(|problem| error(component, *line, problem))?;
        }
        Ok(())
    }

    fn add(&mut self, timing: &Timing, replaced: &[&Moment]) -> Result<(), Problem> {
        let mut exceptions = Exceptions::default();
        for moment in timing.exceptions.iter().chain(replaced.iter().copied()) {
            exceptions.add(moment, &timing.start);
        }
        let occurrences = timing.occurrences(MOST_OCCURRENCES - self.occurrences)?;
        self.occurrences += occurrences.len();
        for (start, length) in occurrences {
            if !exceptions.include(start) {
                self.add_occurrence(start, length, timing.start.zone.as_ref()).map_err(|_| Problem::OutOfRange)?;
            }
        }
        Ok(())
    }

    fn add_occurrence(&mut self, start: DateTime, length: Length, zone: Option<&TimeZone>) -> Result<(), jiff::Error> {
        let end = match length {
            Length::Civil(duration) => start.checked_add(duration)?,
            Length::Duration(span) => start.checked_add(span)?,
        };
        let Some(zone) = zone else {
            self.events.floating.extend((end > start && end > EPOCH).then_some((start, end)));
            return Ok(());
        };
        // A time in a gap is read by the offset before it, one in a fold is its first pass (RFC 5545, 3.3.5).
        let from = zone.to_ambiguous_zoned(start).compatible()?;
        let to = match length {
            Length::Civil(_) => zone.to_ambiguous_zoned(end).compatible()?,
            Length::Duration(span) => from.checked_add(span)?,
        };
        let (from, to) = (from.timestamp(), to.timestamp());
        self.events.fixed.extend((to > from && to > Timestamp::UNIX_EPOCH).then_some((from, to)));
        Ok(())
    }

    fn into_events(self) -> Events {
        Events { floating: merged(self.events.floating), fixed: merged(self.events.fixed) }
    }
}

/// Stretches in order, those that overlap or touch made one.
fn merged<T: Ord + Copy>(mut stretches: Vec<(T, T)>) -> Vec<(T, T)> {
    stretches.sort_unstable();
    stretches.dedup_by(|next, kept| {
        let touches = next.0 <= kept.1;
        if touches {
            kept.1 = kept.1.max(next.1);
        }
        touches
    });
    stretches
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The stretches, floating ones first, as `from/to`.
    fn read(text: &str) -> Result<Vec<String>, String> {
        let events = read_events(text, &|name| TimeZone::get(name).ok()).map_err(|error| error.to_string())?;
        let floating = events.floating.iter().map(|(from, to)| format!("{from}/{to}"));
        Ok(floating.chain(events.fixed.iter().map(|(from, to)| format!("{from}/{to}"))).collect())
    }

    fn calendar(lines: &str) -> String {
        format!("BEGIN:VCALENDAR\nVERSION:2.0\n{lines}\nEND:VCALENDAR\n")
    }

    fn event(lines: &str) -> String {
        format!("BEGIN:VEVENT\nUID:one@example.com\nSUMMARY:Closed\n{lines}\nEND:VEVENT")
    }

    fn check(text: &str, expect: &[&str]) {
        assert_eq!(read(text).unwrap(), expect, "{text}");
    }

    fn check_event(lines: &str, expect: &[&str]) {
        check(&calendar(&event(lines)), expect);
    }

    #[test]
    fn single_events() {
        for (lines, expect) in [
            ("DTSTART;VALUE=DATE:20261224", "2026-12-24T00:00:00/2026-12-25T00:00:00"),
            ("DTSTART:20261224", "2026-12-24T00:00:00/2026-12-25T00:00:00"),
            ("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261227", "2026-12-24T00:00:00/2026-12-27T00:00:00"),
            ("DTSTART;VALUE=DATE:20261224\nDTEND;VALUE=DATE:20261224", "2026-12-24T00:00:00/2026-12-25T00:00:00"),
            ("DTSTART;VALUE=DATE:20261224\nDURATION:P1W", "2026-12-24T00:00:00/2026-12-31T00:00:00"),
            ("DTSTART:20261224T090000\nDTEND:20261224T170000", "2026-12-24T09:00:00/2026-12-24T17:00:00"),
            ("DTSTART:20261224T090000Z\nDURATION:PT1H30M", "2026-12-24T09:00:00Z/2026-12-24T10:30:00Z"),
            (
                "DTSTART;TZID=Europe/Berlin:20260701T090000\nDTEND;TZID=Europe/Berlin:20260701T170000",
                "2026-07-01T07:00:00Z/2026-07-01T15:00:00Z",
            ),
            (
                "DTSTART;TZID=Europe/Berlin:20260701T090000\nDTEND;TZID=America/New_York:20260701T090000",
                "2026-07-01T07:00:00Z/2026-07-01T13:00:00Z",
            ),
            ("dtstart:20161231T235960Z\ndtend:20170101T000100Z", "2016-12-31T23:59:59Z/2017-01-01T00:01:00Z"),
        ] {
            check_event(lines, &[expect]);
        }
    }

    #[test]
    fn hours_of_a_duration_are_real_and_days_are_by_the_calendar() {
        // The night in which Berlin's clocks go forward.
        let night = "DTSTART;TZID=Europe/Berlin:20260328T220000\n";
        for (end, expect) in [
            ("DURATION:PT8H", "2026-03-29T05:00:00Z"),
            ("DURATION:P1D", "2026-03-29T20:00:00Z"),
            ("DTEND;TZID=Europe/Berlin:20260329T060000", "2026-03-29T04:00:00Z"),
            // In the gap, and read by the offset before it.
            ("DTEND;TZID=Europe/Berlin:20260329T023000", "2026-03-29T01:30:00Z"),
        ] {
            check_event(&format!("{night}{end}"), &[&format!("2026-03-28T21:00:00Z/{expect}")]);
        }
    }

    #[test]
    fn events_that_are_no_time() {
        for lines in [
            "DTSTART:20261224T090000Z",
            "DTSTART:20261224T090000Z\nDTEND:20261224T090000Z",
            "DTSTART:20261224T090000Z\nDURATION:PT0S",
            "DTSTART;VALUE=DATE:20261224\nSTATUS:CANCELLED",
            "DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=DAILY\nSTATUS:CANCELLED",
            "DTSTART;VALUE=DATE:19691231",
            "DTSTART:19691231T120000Z\nDTEND:19700101T000000Z",
        ] {
            check_event(lines, &[]);
        }
    }

    #[test]
    fn what_began_before_the_epoch_and_ends_after_it_counts() {
        check_event("DTSTART:19691231T120000Z\nDURATION:P1D", &["1969-12-31T12:00:00Z/1970-01-01T12:00:00Z"]);
        let events = read(&calendar(&event("DTSTART;VALUE=DATE:19001225\nRRULE:FREQ=YEARLY"))).unwrap();
        assert_eq!(events.len(), 131);
        assert_eq!(events[0], "1970-12-25T00:00:00/1970-12-26T00:00:00");
        assert_eq!(events[130], "2100-12-25T00:00:00/2100-12-26T00:00:00");
    }

    #[test]
    fn transparent_and_tentative_events_count() {
        for line in ["TRANSP:TRANSPARENT", "STATUS:TENTATIVE", "STATUS:CONFIRMED"] {
            check_event(&format!("DTSTART:20261224\n{line}"), &["2026-12-24T00:00:00/2026-12-25T00:00:00"]);
        }
    }

    #[test]
    fn only_events_count() {
        let others = "BEGIN:VTODO\nDTSTART:20260101\nDUE:20260102\nEND:VTODO\nBEGIN:VJOURNAL\nDTSTART:20260103\n\
                      END:VJOURNAL\nBEGIN:VFREEBUSY\nDTSTART:20260104T000000Z\nFREEBUSY:20260104T000000Z/PT3H\n\
                      END:VFREEBUSY";
        check(&calendar(others), &[]);
        let alarm = "DTSTART:20261224\nBEGIN:VALARM\nTRIGGER:-PT15M\nDURATION:PT5M\nACTION:DISPLAY\nEND:VALARM";
        check_event(alarm, &["2026-12-24T00:00:00/2026-12-25T00:00:00"]);
    }

    #[test]
    fn zones_by_other_names() {
        let lines = |name: &str| event(&format!("DTSTART;TZID=\"{name}\":20260701T090000\nDURATION:PT1H"));
        let expect = ["2026-07-01T07:00:00Z/2026-07-01T08:00:00Z"];
        for name in [
            "europe/berlin",
            "W. Europe Standard Time",
            "/freeassociation.sourceforge.net/Tzfile/Europe/Berlin",
            "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
        ] {
            check(&calendar(&lines(name)), &expect);
        }
        for (name, property) in [
            ("Head Office", "X-LIC-LOCATION:Europe/Berlin"),
            ("Head Office", "X-MICROSOFT-CDO-TZID:4"),
            ("/freeassociation.sourceforge.net/Europe/Berlin", "X-LIC-LOCATION:Europe/Berlin"),
        ] {
            let zone = format!(
                "BEGIN:VTIMEZONE\nTZID:{name}\n{property}\nBEGIN:STANDARD\nDTSTART:16010101T030000\n\
                 TZOFFSETFROM:+0200\nTZOFFSETTO:+0100\nRRULE:FREQ=YEARLY;BYDAY=-1SU;BYMONTH=10\nEND:STANDARD\n\
                 END:VTIMEZONE"
            );
            check(&calendar(&format!("{zone}\n{}", lines(name))), &expect);
            check(&calendar(&format!("{}\n{zone}", lines(name))), &expect);
        }
        for name in ["Head Office", "(GMT+05:30) Head Office", "(GMT+01:00)"] {
            let error = read(&calendar(&lines(name))).unwrap_err();
            assert!(error.contains(&format!("line 3, event \"Closed\": no zone is known as `{name}`")), "{error}");
        }
    }

    #[test]
    fn rules() {
        for (lines, expect) in [
            ("20260105\nRRULE:FREQ=DAILY;INTERVAL=2;COUNT=3", &["01-05", "01-07", "01-09"][..]),
            ("20260105\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20260114", &["01-05", "01-07", "01-12", "01-14"]),
            ("20260105\nRRULE:FREQ=WEEKLY;BYDAY=MO,WE;UNTIL=20260113", &["01-05", "01-07", "01-12"]),
            (
                "20260106\nRRULE:FREQ=WEEKLY;INTERVAL=2;COUNT=4;WKST=SU;BYDAY=SU,TU",
                &["01-06", "01-18", "01-20", "02-01"],
            ),
            ("20260131\nRRULE:FREQ=MONTHLY;COUNT=3", &["01-31", "03-31", "05-31"]),
            ("20260130\nRRULE:FREQ=MONTHLY;BYMONTHDAY=-2;COUNT=3", &["01-30", "02-27", "03-30"]),
            ("20260130\nRRULE:FREQ=MONTHLY;BYDAY=-1FR;COUNT=3", &["01-30", "02-27", "03-27"]),
            ("20260130\nRRULE:FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1;COUNT=3", &["01-30", "02-27", "03-31"]),
            ("20260126\nRRULE:FREQ=YEARLY;BYMONTH=1,5;BYDAY=-1MO;UNTIL=20261231", &["01-26", "05-25"]),
            ("20260115\nRRULE:FREQ=YEARLY;BYYEARDAY=15,-1;COUNT=2", &["01-15", "12-31"]),
            ("20260511\nRRULE:FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO;COUNT=1", &["05-11"]),
            // The start is an occurrence also where the rule does not name it, and where the rule is over before it.
            ("20260106\nRRULE:FREQ=WEEKLY;BYDAY=MO;UNTIL=20260112", &["01-06", "01-12"]),
            ("20260106\nRRULE:FREQ=DAILY;UNTIL=20251231", &["01-06"]),
            ("20260105\nRRULE:FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=30", &["01-05"]),
            (
                "20260105\nRRULE:FREQ=DAILY;INTERVAL=7;COUNT=2\nRRULE:FREQ=DAILY;INTERVAL=5;COUNT=2",
                &["01-05", "01-10", "01-12"],
            ),
            ("20260105\nRDATE;VALUE=DATE:20260201,20260301\nRDATE:20260401", &["01-05", "02-01", "03-01", "04-01"]),
            ("20260105\nRRULE:FREQ=DAILY;INTERVAL=2;COUNT=4\nEXDATE;VALUE=DATE:20260107,20260109", &["01-05", "01-11"]),
            ("20260105\nRRULE:FREQ=DAILY;INTERVAL=2;COUNT=3\nEXDATE:20260105T000000", &["01-07", "01-09"]),
        ] {
            let days = read(&calendar(&event(&format!("DTSTART;VALUE=DATE:{lines}")))).unwrap();
            let expect: Vec<_> = expect.iter().map(|day| format!("2026-{day}T00:00:00")).collect();
            assert_eq!(days.iter().map(|day| &day[..19]).collect::<Vec<_>>(), expect, "{lines}");
        }
    }

    #[test]
    fn a_leap_day_comes_every_four_years_but_not_in_2100() {
        let days = read(&calendar(&event("DTSTART:20280229\nRRULE:FREQ=YEARLY"))).unwrap();
        assert_eq!(days.len(), 18);
        assert!(days[17].starts_with("2096-02-29"));
    }

    #[test]
    fn recurrences_keep_to_the_clock_on_the_wall() {
        let weekly =
            "DTSTART;TZID=Europe/Berlin:20260323T090000\nDTEND;TZID=Europe/Berlin:20260323T100000\nRRULE:FREQ=WEEKLY";
        let first = "2026-03-23T08:00:00Z/2026-03-23T09:00:00Z";
        let second = "2026-03-30T07:00:00Z/2026-03-30T08:00:00Z";
        let third = "2026-04-06T07:00:00Z/2026-04-06T08:00:00Z";
        for (more, expect) in [
            (";COUNT=3", &[first, second, third][..]),
            // In UTC, as the standard wants it: the very start of the last one.
            (";UNTIL=20260406T070000Z", &[first, second, third]),
            (";UNTIL=20260406T065959Z", &[first, second]),
            (";UNTIL=20260406", &[first, second, third]),
            (";UNTIL=20260406T080000", &[first, second]),
            (";COUNT=3\nEXDATE;TZID=Europe/Berlin:20260330T090000", &[first, third]),
            (";COUNT=3\nEXDATE:20260330T070000Z,20260323T080000Z", &[third]),
            (";COUNT=3\nEXDATE;TZID=America/New_York:20260330T030000", &[first, third]),
            (";COUNT=3\nEXDATE;VALUE=DATE:20260330", &[first, third]),
            (";COUNT=1\nRDATE;TZID=Europe/Berlin:20260330T090000\nRDATE:20260406T070000Z", &[first, second, third]),
            (
                ";COUNT=1\nRDATE;VALUE=PERIOD:20260330T070000Z/PT1H,20260406T070000Z/20260406T080000Z",
                &[first, second, third],
            ),
        ] {
            check_event(&format!("{weekly}{more}"), expect);
        }
    }

    #[test]
    fn an_override_takes_the_place_of_its_occurrence() {
        let daily = event("DTSTART;TZID=Europe/Berlin:20260323T090000\nDURATION:PT1H\nRRULE:FREQ=DAILY;COUNT=3");
        let first = "2026-03-23T08:00:00Z/2026-03-23T09:00:00Z";
        let third = "2026-03-25T08:00:00Z/2026-03-25T09:00:00Z";
        let moved = "2026-03-24T14:00:00Z/2026-03-24T16:00:00Z";
        for (id, rest, expect) in [
            (
                "RECURRENCE-ID;TZID=Europe/Berlin:20260324T090000",
                "DTSTART:20260324T140000Z\nDURATION:PT2H",
                &[first, moved, third][..],
            ),
            ("RECURRENCE-ID:20260324T080000Z", "DTSTART:20260324T140000Z\nDURATION:PT2H", &[first, moved, third]),
            ("RECURRENCE-ID;VALUE=DATE:20260324", "DTSTART:20260324T140000Z\nDURATION:PT2H", &[first, moved, third]),
            ("RECURRENCE-ID:20260324T080000Z", "STATUS:CANCELLED", &[first, third]),
        ] {
            let instead = event(&format!("{id}\n{rest}"));
            check(&calendar(&format!("{daily}\n{instead}")), expect);
            check(&calendar(&format!("{instead}\n{daily}")), expect);
            // Another event has the same times and is not meant.
            let other = daily.replace("one@", "two@");
            let stretches = read(&calendar(&format!("{daily}\n{other}\n{instead}"))).unwrap();
            assert!(stretches.contains(&"2026-03-24T08:00:00Z/2026-03-24T09:00:00Z".to_owned()), "{stretches:?}");
        }
    }

    #[test]
    fn stretches_are_in_order_and_apart() {
        let spans =
            [("20260105", "20260107"), ("20260101", "20260103"), ("20260103", "20260104"), ("20260106", "20260110")];
        let events = spans.map(|(from, to)| event(&format!("DTSTART:{from}\nDTEND:{to}"))).join("\n");
        check(
            &calendar(&events),
            &["2026-01-01T00:00:00/2026-01-04T00:00:00", "2026-01-05T00:00:00/2026-01-10T00:00:00"],
        );
        check_event("DTSTART:20260101\nRRULE:FREQ=DAILY", &["2026-01-01T00:00:00/2101-01-01T00:00:00"]);
    }

    #[test]
    fn forms_of_the_text() {
        let expect = ["2026-12-24T00:00:00/2026-12-25T00:00:00"];
        let plain = calendar(&event("DESCRIPTION:BEGIN:VEVENT\\nEND:VCALENDAR\nDTSTART;VALUE=DATE:20261224"));
        check(&plain, &expect);
        check(&plain.replace('\n', "\r\n"), &expect);
        check(&format!("\u{feff}{plain}"), &expect);
        check(plain.trim_end(), &expect);
        check(&format!("\n{plain}\n  \n"), &expect);
        check(&plain.replace("VALUE=DATE:20261224", "VALU\n E=DATE:2026\n\t1224"), &expect);
        check(&plain.replace('\n', "\r\n").replace("VALUE=DATE:20261224", "VALU\r\n E=DATE:2026\r\n 1224"), &expect);
        check(&plain.to_lowercase(), &expect);
        check(&calendar(""), &[]);
        // Several calendars in one file.
        let second = calendar(&event("DTSTART:20261231"));
        check(&format!("{plain}{second}"), &[expect[0], "2026-12-31T00:00:00/2027-01-01T00:00:00"]);
    }

    #[test]
    fn a_text_that_is_no_calendar_is_refused() {
        let whole = calendar(&event("DTSTART:20261224"));
        for (text, expect) in [
            ("", "line 1: what is not between BEGIN:VCALENDAR and END:VCALENDAR"),
            (" \r\n\n", "line 1: what is not between"),
            ("<!DOCTYPE html>\n<html><body>Not Found</body></html>", "line 1: what is not between"),
            ("\u{1}\u{0}PK\u{3}\u{4}\u{fffd}\n\u{0}:\u{0}", "line 1: what is not between"),
            ("BEGIN:VCARD\nFN:Somebody\nEND:VCARD", "line 1: what is not between"),
            (event("DTSTART:20261224").as_str(), "line 1: what is not between"),
            (&format!("{whole}\n<html>"), "line 10: what is not between"),
            (&whole.replace("END:VCALENDAR\n", ""), "line 1: BEGIN:VCALENDAR has no END:VCALENDAR"),
            (&whole[..whole.len() / 2], "line 3: BEGIN:VEVENT has no END:VEVENT"),
            (&whole.replace("END:VEVENT\n", ""), "line 7: END:VCALENDAR stands where no VCALENDAR is to end"),
            (&whole.replace('\n', "\r"), "line 1: what is not between"),
            (&whole.replace("VEVENT\n", "VEVENT \n"), "line 3: this event cannot be read"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.starts_with(expect), "{text:?}: {error}");
        }
    }

    #[test]
    fn each_cut_of_a_file_is_refused() {
        let whole = calendar(&event("DTSTART;VALUE=DATE:20261224\nRRULE:FREQ=YEARLY;COUNT=3"));
        for length in 0..whole.len() - 1 {
            assert!(read(&whole[..length]).is_err(), "{}", &whole[..length]);
        }
    }

    #[test]
    fn an_event_that_cannot_be_read_is_named() {
        for (lines, expect) in [
            ("DTEND:20261224", "it has no DTSTART"),
            ("DTSTART:", "its DTSTART is no date or time that exists"),
            ("DTSTART:24.12.2026", "its DTSTART is no date or time that exists"),
            ("DTSTART:20260231", "its DTSTART is no date or time that exists"),
            ("DTSTART:20261224T250000", "its DTSTART is no date or time that exists"),
            ("DTSTART:20261224\nDTEND:tomorrow", "its DTEND is no date or time that exists"),
            ("DTSTART:20261224\nDTEND:20261223", "it ends before it starts"),
            ("DTSTART:20261224\nDURATION:-P1D", "it ends before it starts"),
            ("DTSTART:20261224\nDURATION:long", "its DURATION is no duration that exists"),
            ("DTSTART:20261224\nDURATION:P4000000D", "it lies outside of the years 0 to 9999"),
            ("DTSTART:20261224\nDURATION:P4294967295W", "it lies outside of the years 0 to 9999"),
            ("DTSTART:20261224\nEXDATE:20261324", "its EXDATE is no date or time that exists"),
            ("DTSTART:20261224\nRDATE:soon", "its RDATE is no date or time that exists"),
            ("DTSTART:20261224\nRRULE:BYDAY=MO", "its RRULE is no rule: `BYDAY=MO`"),
            ("DTSTART:20261224\nRRULE:FREQ=FORTNIGHTLY", "its RRULE is no rule: `FREQ=FORTNIGHTLY`"),
            ("DTSTART:20261224\nRRULE:FREQ=DAILY;UNTIL=20271331", "its RRULE's UNTIL is no date or time that exists"),
            ("DTSTART:20261224\nRRULE:FREQ=MONTHLY;BYMONTHDAY=40", "its RRULE is no rule: RRule error"),
            ("DTSTART:20261224\nRRULE:RSCALE=HEBREW;FREQ=YEARLY", "RRULE with RSCALE or SKIP is not supported"),
            ("DTSTART:20261224\nRRULE:FREQ=HOURLY;BYHOUR=5;BYSETPOS=1", "BYSETPOS in an RRULE finer than DAILY"),
            ("DTSTART:20261224\nRRULE:FREQ=MINUTELY;INTERVAL=59;BYHOUR=5", "BYHOUR, BYMINUTE or BYSECOND in an RRULE"),
            ("DTSTART:20261224\nRRULE:FREQ=WEEKLY;BYDAY=2MO", "a number in BYDAY of an RRULE finer than MONTHLY"),
            ("DTSTART:20261224\nRRULE:FREQ=YEARLY;BYMONTH=5L", "RRULE with RSCALE or SKIP is not supported"),
            ("DTSTART:20261224\nEXRULE:FREQ=DAILY", "EXRULE is not supported"),
            (
                "DTSTART:20261224\nRECURRENCE-ID;RANGE=THISANDFUTURE:20261224",
                "RECURRENCE-ID with RANGE is not supported",
            ),
        ] {
            let error = read(&calendar(&event(lines))).unwrap_err();
            assert!(error.starts_with(&format!("line 3, event \"Closed\": {expect}")), "{lines}: {error}");
        }
    }

    #[test]
    fn what_never_ends_is_refused_and_does_not_hang() {
        for rule in
            ["FREQ=SECONDLY", "FREQ=MINUTELY;INTERVAL=2", "FREQ=HOURLY", "FREQ=DAILY;BYHOUR=0,3,6,9,12,15,18,21"]
        {
            let lines = event(&format!("DTSTART:20260101T000000Z\nDURATION:PT1S\nRRULE:{rule}"));
            let text = calendar(&format!("{}\n{lines}", event("DTSTART:20260101")));
            let error = read(&text).unwrap_err();
            assert!(error.starts_with("line 8, event \"Closed\": with it the file has more than 200000"), "{error}");
        }
        // Several events together.
        let daily = event("DTSTART:19200101\nRRULE:FREQ=DAILY");
        check(&calendar(&[daily.as_str(); 3].join("\n")), &["1970-01-01T00:00:00/2101-01-01T00:00:00"]);
        assert!(read(&calendar(&[daily.as_str(); 4].join("\n"))).unwrap_err().starts_with("line 21"));
    }
}

//! Which instants should there have been? The definitions of a job, one after another.

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::job::Timing;
use crate::schedule::{Moment, Tally, Timetable};

/// A definition of a job, and when it was in force: later than `since`, up to `until` inclusive.
#[derive(Debug, Clone)]
pub struct Period {
    pub since: Timestamp,
    /// `None`: it still is.
    pub until: Option<Timestamp>,
    /// `None` if it cannot be computed any more.
    pub timing: Option<Arc<Timing>>,
}

impl Period {
    /// The end of the time for which it speaks.
    pub fn end(&self) -> Timestamp {
        self.until.unwrap_or(Timestamp::MAX)
    }

    fn timetable(&self) -> Option<&Timetable> {
        self.timing.as_ref().map(|timing| &timing.timetable)
    }

    /// Whether all that it names is known in advance.
    fn is_foreseeable(&self) -> bool {
        self.timetable().is_some_and(|table| table.schedules.iter().all(|schedule| schedule.names_instants()))
    }

    fn names(&self, at: Timestamp) -> bool {
        self.timetable().is_some_and(|table| table.next_after(just_before(at)) == Some(at))
    }

    pub fn after_end(&self) -> Option<Duration> {
        self.timetable()?.after_end()
    }

    pub fn has_moment(&self, moment: Moment) -> bool {
        self.timetable().is_some_and(|table| table.has_moment(moment))
    }

    /// Its schedules as they were written.
    pub fn words(&self) -> String {
        self.timing.as_ref().map_or_else(String::new, |timing| timing.written.schedules.join(" and "))
    }
}

/// The definitions of a job in the order of time.
#[derive(Debug)]
pub struct Timeline {
    periods: Vec<Period>,
}

impl Timeline {
    /// The answer beside it are definitions that overlap with the one before, of which the later one is taken to begin
    /// where the earlier one ends.
    pub fn new(mut periods: Vec<Period>) -> (Self, Vec<Period>) {
        periods.sort_by_key(|period| (period.since, period.end()));
        let mut overlapping = Vec::new();
        let mut end: Option<Timestamp> = None;
        for period in &mut periods {
            if let Some(end) = end.filter(|end| period.since < *end && period.since < period.end()) {
                overlapping.push(Period { until: Some(end.min(period.end())), ..period.clone() });
                period.since = end.min(period.end());
            }
            end = end.max(Some(period.end()));
        }
        (Self { periods }, overlapping)
    }

    pub fn periods(&self) -> &[Period] {
        &self.periods
    }

    /// The definition that speaks for a moment.
    pub fn at(&self, at: Timestamp) -> Option<&Period> {
        let first = self.periods.partition_point(|period| period.end() < at);
        self.periods.get(first).filter(|period| period.since < at)
    }

    /// The definitions that speak for some part of `(after, until]`.
    fn within(&self, after: Timestamp, until: Timestamp) -> impl Iterator<Item = &Period> {
        let first = self.periods.partition_point(|period| period.end() <= after);
        // One that ended as it began speaks for nothing but runs that began with it.
        let within = self.periods[first..].iter().take_while(move |period| period.since < until);
        within.filter(|period| period.since < period.end())
    }

    /// The first instant later than `after`.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.within(after, Timestamp::MAX).find_map(|period| {
            let next = period.timetable()?.next_after(after.max(period.since));
            next.filter(|next| *next <= period.end())
        })
    }

    pub fn names(&self, at: Timestamp) -> bool {
        self.at(at).is_some_and(|period| period.names(at))
    }

    /// Whether a definition that speaks for this moment, or begins with it, names an instant after each end of a run.
    pub fn follows_ends(&self, at: Timestamp) -> bool {
        let first = self.periods.partition_point(|period| period.end() < at);
        self.periods[first..].iter().take_while(|period| period.since <= at).any(|period| period.after_end().is_some())
    }

    /// Whether any definition ever named it, in force or not.
    pub fn is_named_by_any(&self, at: Timestamp) -> bool {
        self.periods.iter().any(|period| !period.is_foreseeable() || period.names(at))
    }

    /// The instants in `(after, until]`, counted.
    pub fn tally(&self, after: Timestamp, until: Timestamp) -> Option<Tally> {
        let tallies = self
            .within(after, until)
            .filter_map(|period| period.timetable()?.tally(after.max(period.since), until.min(period.end())));
        tallies.reduce(|all, next| Tally { count: all.count + next.count, first: all.first, last: next.last })
    }

    /// Whether all instants in `(after, until]` were known in advance, and can be computed.
    pub fn is_foreseeable(&self, after: Timestamp, until: Timestamp) -> bool {
        self.within(after, until).all(Period::is_foreseeable)
    }

    /// The last instant up to `until` and later than `after`.
    pub fn last(&self, after: Timestamp, until: Timestamp) -> Option<Timestamp> {
        self.tally(after, until).map(|tally| tally.last)
    }
}

pub fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_micros(1)).unwrap_or(at)
}

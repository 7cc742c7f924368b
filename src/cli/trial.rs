//! A schedule that is tried without a job, and the time from which it is looked at.

use std::sync::Arc;

use jiff::civil::DateTime;
use jiff::{Timestamp, Zoned};

use super::screen::Screen;
use super::{Done, Refusal};
use crate::jobfile::{Zones, nearest};
use crate::schedule::{Fold, Gap, Place, Schedule, Timetable};

/// More would be a flood rather than an answer.
pub const MOST: usize = 1_000_000;

/// A time as people write it: with an offset, or as this machine's clocks show it.
pub fn parse_time(text: &str, screen: &Screen) -> Result<Timestamp, Refusal> {
    let local = |civil: DateTime| civil.to_zoned(screen.zone().clone()).map(|zoned: Zoned| zoned.timestamp());
    let time = text.parse::<Timestamp>().or_else(|_| text.parse::<DateTime>().and_then(local));
    time.map_err(|_| {
        let message = format!(
            "`{text}` is no time; write for example 2026-03-07T00:00:00Z, or 2026-03-07 for its local midnight"
        );
        Refusal::new(Done::Misused, message)
    })
}

/// A schedule that is tried without a job.
pub struct Trial<'t> {
    pub expression: &'t str,
    pub job: &'t str,
    pub zone: &'t str,
    pub gap: Option<Gap>,
    pub fold: Option<Fold>,
}

impl Trial<'_> {
    /// A timetable of one schedule, or what is wrong with it, with the place marked.
    pub fn timetable(&self, zones: &dyn Zones) -> Result<Timetable, String> {
        let Self { expression, job, zone, gap, fold } = *self;
        let schedule = Schedule::parse(expression, job).map_err(|error| {
            let column = expression.get(..error.span.start).map_or(0, |before| before.chars().count()) + 1;
            let help = error.help.map_or_else(String::new, |help| format!("; {help}"));
            format!("`{expression}`, column {column}: {}{help}", error.message)
        })?;
        let found = zones.zone(zone).ok_or_else(|| {
            let names = zones.names();
            let near = nearest(zone, names.iter().map(String::as_str));
            let help = near.map_or_else(String::new, |near| format!("; did you mean {near}?"));
            format!("there is no zone `{zone}`{help}")
        })?;
        Ok(Timetable::new(vec![Arc::new(schedule)], Place { gap, fold, ..Place::of(found.zone) }))
    }
}

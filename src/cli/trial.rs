//! A schedule that is tried without a job.

use std::sync::Arc;

use crate::jobfile::{Zones, nearest};
use crate::schedule::{Fold, Gap, Place, Schedule, Timetable};

/// More would be a flood rather than an answer.
pub const MOST: usize = 1_000_000;

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

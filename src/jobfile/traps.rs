//! What would the writer of this file be surprised by in the coming year? What a schedule's text alone tells is said when
//! it is read; this is about its zone, and about jobs together.

use std::ops::Range;
use std::time::Duration;

use jiff::civil::Time;
use jiff::{SignedDuration, Timestamp};

use super::Checked;
use super::places::{JobPlaces, Origin};
use super::section::dotted;
use crate::job::{Job, Timing};
use crate::schedule::{Disturbance, Effect, Transition, duration_text};

const A_YEAR: SignedDuration = SignedDuration::from_hours(24 * 366);

/// So many jobs that start at the same midnight are a rush; fewer are a coincidence.
const A_RUSH: usize = 5;

impl Checked {
    /// Adds warnings of what is right and probably not meant, as far as it depends on the year that begins now.
    pub fn warn_of_traps(&mut self, now: Timestamp) {
        let mut warnings = Vec::new();
        for (job, places) in self.jobs_with_places() {
            let span = places.schedule.clone().unwrap_or(places.name.clone());
            let surprises = job.active_timing().map(|timing| clock_changes(timing, now)).unwrap_or_default();
            let help = "say what is meant with dst_gap and dst_fold, or choose another hour";
            warnings.extend(surprises.into_iter().map(|message| (key(job), span.clone(), message, help)));
            if job.active_timing().is_some_and(|timing| is_closed_for_good(timing, now)) {
                let message = "its calendars skip all the instants that this schedule has left".to_owned();
                warnings.push((key(job), span, message, "look at what `not_on` names"));
            }
        }
        for (job, places) in self.jobs_with_places() {
            if let Some((message, span)) = always_overdue(job, places, now) {
                let key = dotted(&dotted("jobs", job.name.as_str()), "overdue_after");
                let help = "write a longer time than there is between two instants, and a run in between";
                warnings.push((key, span, message, help));
            }
        }
        let rush: Vec<_> = self.jobs_with_places().filter(|(job, _)| starts_at_midnight(job, now)).collect();
        if let [(first, places), ..] = &rush[..]
            && rush.len() >= A_RUSH
        {
            let names: Vec<&str> = rush.iter().map(|(job, _)| job.name.as_str()).collect();
            let message = format!("{} jobs start at midnight: {}", names.len(), names.join(", "));
            let help = "spread them: `H 0 * * *` takes a minute from each job's name, jitter = \"15m\" puts each off";
            let span = places.schedule.clone().unwrap_or(places.name.clone());
            warnings.push((key(first), span, message, help));
        }
        if self.jobs.is_empty() && self.is_right() {
            let help = "write for example [jobs.hello], and below it schedule = \"@hourly\" and command = \"date\"";
            warnings.push((String::new(), 0..0, "there is no job in this file, so nothing will run".to_owned(), help));
        }
        for (key, span, message, help) in warnings {
            self.said.warn(&key, span, message, Some(help.to_owned()));
        }
        self.said.sort();
    }
}

fn key(job: &Job) -> String {
    dotted(&dotted("jobs", job.name.as_str()), "schedule")
}

/// Fixed times that the coming year leaves out or has twice, where nothing was said about it.
fn clock_changes(timing: &Timing, now: Timestamp) -> Vec<String> {
    let (timetable, zone) = (&timing.timetable, &timing.timetable.place.zone);
    let until = now.checked_add(A_YEAR).unwrap_or(Timestamp::MAX);
    let (gap, fold) = (timetable.place.gap, timetable.place.fold);
    let is_unsaid = |transition: &Transition| if transition.is_gap() { gap.is_none() } else { fold.is_none() };
    let transitions = Transition::between(zone, now, until);
    // Of each schedule once, with all that the year brings it.
    let mut surprises: Vec<(&str, Vec<String>)> = Vec::new();
    for transition in transitions.iter().filter(|transition| is_unsaid(transition)) {
        let date = transition.before.to_datetime(transition.at).date();
        for Disturbance { schedule, effect: what, .. } in timetable.disturbed_by(transition) {
            let said = format!("on {date} in {} {}", timing.written.zone, effect(what));
            match surprises.iter_mut().find(|(text, _)| *text == schedule.text()) {
                Some((_, known)) => known.push(said),
                None => surprises.push((schedule.text(), vec![said])),
            }
        }
    }
    let say = |(text, said): (&str, Vec<String>)| format!("`{text}` meets changes of the clocks: {}", said.join("; "));
    surprises.into_iter().map(say).collect()
}

/// How many instants ahead are looked at for one that comes too late: more than a week of a daily job has.
const LOOKED_AT: usize = 10;

/// That a job is overdue between two of its instants, whatever it does.
fn always_overdue(job: &Job, places: &JobPlaces, now: Timestamp) -> Option<(String, Range<usize>)> {
    let (after, timing) = (job.telling.overdue_after?, job.active_timing()?);
    let next = |after: &Timestamp| timing.timetable.next_open(*after).map(|(due, _)| due);
    let dues: Vec<Timestamp> = std::iter::successors(next(&now), next).take(LOOKED_AT).collect();
    let is_too_long = |pair: &&[Timestamp]| {
        let between = Duration::try_from(pair[1].duration_since(pair[0]));
        between.is_ok_and(|between| between > after)
    };
    let pair = dues.windows(2).find(is_too_long)?;
    let between = Duration::try_from(pair[1].duration_since(pair[0])).ok()?;
    let span = match places.origin("overdue_after") {
        Origin::Job(span) | Origin::Defaults(span) => span.clone(),
        Origin::BuiltIn => places.name.clone(),
    };
    let message =
        format!("`{}` is due again only after {}, and so overdue each time before", job.name, duration_text(between));
    Some((message, span))
}

fn is_closed_for_good(timing: &Timing, now: Timestamp) -> bool {
    timing.timetable.next_after(now).is_some() && timing.timetable.next_open(now).is_none()
}

fn effect(effect: Effect) -> &'static str {
    match effect {
        Effect::Shifted => "there is no such time, and it runs when the gap ends",
        Effect::Skipped => "there is no such time, and it does not run",
        Effect::FirstPass => "there are two such times, and it runs at the first",
        Effect::SecondPass => "there are two such times, and it runs at the second",
        Effect::BothPasses => "there are two such times, and it runs at both",
    }
}

/// Whether the job's next start is once a day at 00:00 in its zone.
fn starts_at_midnight(job: &Job, now: Timestamp) -> bool {
    let Some(timing) = job.active_timing().filter(|_| job.jitter.is_none()) else {
        return false;
    };
    let timetable = &timing.timetable;
    let is_daily = |(instant, schedule): &(Timestamp, &crate::schedule::Schedule)| {
        schedule.most_a_day() == 1 && timetable.place.zone.to_datetime(*instant).time() == Time::midnight()
    };
    timetable.next_open(now).as_ref().is_some_and(is_daily)
}

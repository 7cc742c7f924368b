//! When is a job due next, and if it is not, why not?

use std::rc::Rc;
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::job::{Job, JobName};
use crate::plan::Held;
use crate::report::{NextReport, Seconds, Time};
use crate::schedule::{Schedule, Timetable};

/// The next instants of all these jobs together: so many, and of each job no more than its share.
pub fn next_of(
    jobs: &[Arc<Job>],
    held: &Held,
    from: Timestamp,
    now: Timestamp,
    (count, share): (usize, usize),
) -> Vec<Due> {
    let mut dues = Vec::new();
    for job in jobs {
        if let Some(timing) = job.active_timing() {
            let zone = &timing.written.zone;
            dues.extend(due(Some(&job.name), held, &timing.timetable, zone, from, now).take(share));
        }
    }
    dues.sort_by(|a, b| (a.report.due, &a.report.job).cmp(&(b.report.due, &b.report.job)));
    dues.truncate(count);
    dues
}

/// An instant, and the schedule that names it in words.
pub struct Due {
    pub report: NextReport,
    pub zone: TimeZone,
    pub words: Rc<str>,
}

/// The instants of a timetable that are not skipped, by what is known now.
pub fn due<'t>(
    job: Option<&'t JobName>,
    held: &'t Held,
    timetable: &'t Timetable,
    zone: &'t str,
    from: Timestamp,
    now: Timestamp,
) -> impl Iterator<Item = Due> + 't {
    let words: Vec<Rc<str>> = timetable.schedules.iter().map(|schedule| schedule.in_words().into()).collect();
    let words_of = move |schedule: &Schedule| {
        let at = timetable.schedules.iter().position(|other| std::ptr::eq(&raw const **other, schedule));
        at.map_or_else(|| "".into(), |at| words[at].clone())
    };
    let next = move |after: Timestamp| match job {
        Some(job) => held.next_open(job, timetable, after),
        None => timetable.next_open(after),
    };
    std::iter::successors(next(from), move |(last, _)| next(*last)).map(move |(due, schedule)| {
        let report = NextReport {
            job: job.map(JobName::to_string),
            due: Time(due),
            distance: Seconds::from_micros(due.as_microsecond() - now.as_microsecond()),
            schedule: schedule.text().to_owned(),
            timezone: zone.to_owned(),
        };
        Due { report, zone: timetable.place.zone.clone(), words: words_of(schedule) }
    })
}

/// Why a job has no instants to come.
pub fn why_not(job: &Job, from: Timestamp) -> String {
    match (&job.timing, job.enabled) {
        (_, false) => "it is disabled".to_owned(),
        (None, true) if !job.rules.after.is_empty() => {
            let names: Vec<&str> = job.rules.after.iter().map(JobName::as_str).collect();
            format!("it runs when {} succeeded", names.join(" and "))
        }
        (None, true) => "it has no schedule: it is run by hand".to_owned(),
        (Some(timing), true) => without_instants(&timing.timetable, from),
    }
}

pub fn without_instants(timetable: &Timetable, from: Timestamp) -> String {
    if timetable.bounds.last() < from {
        return "its not_after is past".to_owned();
    }
    if timetable.after_end().is_some() {
        return "when it is depends on the end of its last run; ask `punctual status`".to_owned();
    }
    if timetable.schedules.iter().any(|schedule| schedule.moment().is_some()) {
        return "it waits for a start of the daemon or the machine".to_owned();
    }
    if timetable.next_after(from).is_some() {
        return "its calendars skip all its instants from then on".to_owned();
    }
    "it names no instant from then on".to_owned()
}

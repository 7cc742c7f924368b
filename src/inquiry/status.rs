//! How are the jobs doing?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::held::{held_in, pause_report};
use super::no_answer::NoAnswer;
use super::subject::no_job;
use crate::job::Job;
use crate::plan::{Held, next_following};
use crate::report::{Entry, JobReport, Time};
use crate::run::State;
use crate::schedule::Timetable;
use crate::store::{Reader, Standing};

/// A job of the list, without its past.
pub struct Listed {
    pub report: JobReport,
    /// Of a job whose instants follow from its ends: how long after them.
    pause: Option<Duration>,
    defined: Option<Arc<Job>>,
}

impl Listed {
    pub fn of(job: &Arc<Job>, now: Timestamp) -> Self {
        let timetable = job.active_timing().map(|timing| &timing.timetable);
        let next = timetable.and_then(|timetable| timetable.next_open(now)).map(|(due, _)| Time(due));
        let known = Self::only(job.name.to_string());
        let report = JobReport { enabled: job.enabled, next, ..known.report };
        Self { report, pause: timetable.and_then(Timetable::after_end), defined: Some(job.clone()) }
    }

    /// One of which nothing but the name is known.
    pub fn only(job: String) -> Self {
        let report = JobReport {
            job,
            enabled: true,
            paused: None,
            skips: Vec::new(),
            next: None,
            last: None,
            current: Vec::new(),
            failures: 0,
            waiting_for: None,
        };
        Self { report, pause: None, defined: None }
    }

    /// When its schedule is due next, whatever has been.
    pub fn next(&self) -> Option<Time> {
        self.report.next
    }

    pub fn name(&self) -> &str {
        &self.report.job
    }

    /// The job's report with what people have said is not to run.
    fn held(&self, held: &Held, now: Timestamp) -> JobReport {
        let Some(job) = &self.defined else {
            return self.report.clone();
        };
        let (pause, left_out) = (held.pauses.of(&job.name), held.left_out(&job.name));
        let timetable = job.active_timing().map(|timing| &timing.timetable);
        let next = match (self.report.next, timetable) {
            (Some(_), Some(timetable)) if pause.is_some() || !left_out.is_empty() => {
                held.next_open(&job.name, timetable, now).map(|(due, _)| Time(due))
            }
            (next, _) => next,
        };
        let skips = left_out.keys().copied().map(Time).collect();
        JobReport { paused: pause.map(pause_report), skips, next, ..self.report.clone() }
    }
}

/// The named jobs, or all, without their past.
pub fn chosen_of(listed: &[Listed], names: &[String]) -> Result<Vec<JobReport>, NoAnswer> {
    let all = || listed.iter().map(|job| job.report.job.as_str());
    if let Some(unknown) = names.iter().find(|name| !all().any(|known| known == name.as_str())) {
        return Err(no_job(unknown, all()));
    }
    let is_chosen = |job: &&Listed| names.is_empty() || names.contains(&job.report.job);
    Ok(listed.iter().filter(is_chosen).map(|job| job.report.clone()).collect())
}

/// The named jobs, or all, with their past; and those that are none any more, as long as something of them has not ended.
pub async fn report_all(
    ledger: &Reader,
    jobs: &[Listed],
    names: &[String],
    now: Timestamp,
) -> Result<Vec<JobReport>, NoAnswer> {
    let open = ledger.open_runs().await?;
    // Without a file to read, the ledger still knows the jobs that ran.
    let known = ledger.known_jobs().await?;
    let all = jobs.iter().map(|job| job.report.job.as_str()).chain(known.iter().map(String::as_str));
    if let Some(unknown) = names.iter().find(|name| !all.clone().any(|known| known == name.as_str())) {
        return Err(no_job(unknown, all));
    }
    let standings = ledger.standings(names).await?;
    let mut past: BTreeMap<String, Past> = BTreeMap::new();
    for standing in standings {
        let job = standing.last.job.clone();
        past.entry(job).or_default().standing = Some(standing);
    }
    for entry in open {
        past.entry(entry.job.clone()).or_default().current.push(entry);
    }
    if jobs.iter().any(|job| job.pause.is_some()) {
        for (job, since) in ledger.defined_since().await? {
            past.entry(job).or_default().since = Some(since);
        }
    }
    let chosen = jobs.iter().filter(|job| names.is_empty() || names.contains(&job.report.job));
    let held = held_in(ledger, now).await?;
    let report =
        |job: &Listed| report_one(job.held(&held, now), job.pause, past.remove(&job.report.job).unwrap_or_default());
    let mut reports: Vec<JobReport> = chosen.map(report).collect();
    let is_gone = |job: &String| !jobs.iter().any(|listed| listed.report.job == *job);
    let is_wanted = |job: &String| names.is_empty() || names.contains(job);
    for (job, past) in past.into_iter().filter(|(job, past)| !past.current.is_empty() && is_gone(job) && is_wanted(job))
    {
        reports.push(report_one(Listed::only(job).report, None, past));
    }
    Ok(reports)
}

/// What the ledger has of a job.
#[derive(Default)]
struct Past {
    /// Since when it has its schedule.
    since: Option<Timestamp>,
    standing: Option<Standing>,
    /// What has not ended.
    current: Vec<Entry>,
}

fn report_one(known: JobReport, pause: Option<Duration>, past: Past) -> JobReport {
    let Past { since, standing, current } = past;
    let waiting = current.iter().find(|entry| entry.state == State::Waiting);
    let waiting_for = waiting.and_then(|entry| entry.detail.as_deref()?.strip_prefix("waits for ").map(str::to_owned));
    let failures = standing.as_ref().map_or(0, |standing| standing.failures);
    let last = standing.map(|standing| standing.last);
    let follows = pause.filter(|_| current.is_empty()).and_then(|step| {
        let held = known.paused.as_ref().map(|pause| pause.until.map(|until| until.0));
        next_following(follows(last.as_ref(), since, step)?, step, !known.skips.is_empty(), held).map(Time)
    });
    let next = known.next.or(follows);
    JobReport { next, last, current, failures, waiting_for, ..known }
}

/// When a job is due whose instants follow from its last entry, or from when it got its schedule.
fn follows(last: Option<&Entry>, since: Option<Timestamp>, step: Duration) -> Option<Timestamp> {
    let end = last.map(|last| last.ended.or(last.due_last).map_or(last.at, |time| time.0));
    end.max(since).and_then(|base| base.checked_add(step).ok())
}

/// Jobs that fail come first; `failed` leaves no others.
pub fn worst_first(reports: &mut Vec<JobReport>, failed: bool) {
    if failed {
        reports.retain(|report| report.failures > 0);
    }
    reports.sort_by(|a, b| (a.failures == 0, &a.job).cmp(&(b.failures == 0, &b.job)));
}

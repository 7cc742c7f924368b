//! How are the jobs doing?

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use super::no_answer::NoAnswer;
use super::subject::no_job;
use crate::job::Job;
use crate::report::{Entry, JobReport, Time};
use crate::run::State;
use crate::schedule::Timetable;
use crate::store::{Reader, Standing};

/// A job of the list, without its past.
pub struct Listed {
    pub report: JobReport,
    /// Of a job whose instants follow from its ends: how long after them.
    pause: Option<Duration>,
}

impl Listed {
    pub fn of(job: &Job, now: Timestamp) -> Self {
        let timetable = job.active_timing().map(|timing| &timing.timetable);
        let next = timetable.and_then(|timetable| timetable.next_open(now)).map(|(due, _)| Time(due));
        let known = Self::only(job.name.to_string());
        let report = JobReport { enabled: job.enabled, next, ..known.report };
        Self { report, pause: timetable.and_then(Timetable::after_end) }
    }

    /// One of which nothing but the name is known.
    pub fn only(job: String) -> Self {
        let report = JobReport {
            job,
            enabled: true,
            paused: None,
            next: None,
            last: None,
            current: Vec::new(),
            failures: 0,
            waiting_for: None,
        };
        Self { report, pause: None }
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

/// The named jobs, or all, with their past.
pub async fn report_all(ledger: &Reader, jobs: &[Listed], names: &[String]) -> Result<Vec<JobReport>, NoAnswer> {
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
    let chosen = jobs.iter().filter(|job| names.is_empty() || names.contains(&job.report.job));
    Ok(chosen.map(|job| report_one(job, past.remove(&job.report.job).unwrap_or_default())).collect())
}

/// What the ledger has of a job.
#[derive(Default)]
struct Past {
    standing: Option<Standing>,
    /// What has not ended.
    current: Vec<Entry>,
}

fn report_one(job: &Listed, past: Past) -> JobReport {
    let Listed { report: known, pause } = job;
    let Past { standing, current } = past;
    let waiting = current.iter().find(|entry| entry.state == State::Waiting);
    let waiting_for = waiting.and_then(|entry| entry.detail.as_deref()?.strip_prefix("waits for ").map(str::to_owned));
    let failures = standing.as_ref().map_or(0, |standing| standing.failures);
    let last = standing.map(|standing| standing.last);
    let follows =
        pause.filter(|_| current.is_empty()).zip(last.as_ref()).and_then(|(pause, last)| follows(last, pause));
    JobReport { next: known.next.or(follows), last, failures, waiting_for, current, ..known.clone() }
}

/// When a job is due whose instants follow from its last entry.
fn follows(last: &Entry, pause: Duration) -> Option<Time> {
    let end = last.ended.or(last.due_last).map_or(last.at, |time| time.0);
    end.checked_add(pause).ok().map(Time)
}

/// Jobs that fail come first; `failed` leaves no others.
pub fn worst_first(reports: &mut Vec<JobReport>, failed: bool) {
    if failed {
        reports.retain(|report| report.failures > 0);
    }
    reports.sort_by(|a, b| (a.failures == 0, &a.job).cmp(&(b.failures == 0, &b.job)));
}

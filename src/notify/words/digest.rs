//! What does a digest tell? What ran, what failed, what got slower, what is due next.

use serde::Serialize;

use super::clean::one_line;
use super::title::stretch;
use super::told::Clocks;
use crate::report::{DigestJob, DigestReport, Seconds, counted, span};

/// So many times as long as before is slower.
const SLOWER: f64 = 1.5;
/// And by so many seconds at least: what takes a moment varies by more.
const NOTABLE: f64 = 1.0;
/// Jobs in each of its lists.
const LISTED: usize = 20;

/// A digest as templates see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Digest {
    pub stretch: String,
    pub since: String,
    pub until: String,
    /// What ran, in a sentence.
    pub summary: String,
    pub failed: List,
    /// Instants that did not become runs.
    pub not_run: List,
    pub slower: List,
    pub next: List,
    /// About notices that could not be delivered.
    pub undeliverable: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct List {
    pub lines: Vec<String>,
    /// How many more there are.
    pub more: usize,
}

pub fn digest(report: &DigestReport, called: &str, clocks: &Clocks) -> Digest {
    let jobs = &report.jobs;
    let mut failed: Vec<&DigestJob> = jobs.iter().filter(|job| job.failures > 0).collect();
    failed.sort_by_key(|job| std::cmp::Reverse(job.failures));
    let not_run: Vec<&DigestJob> = jobs.iter().filter(|job| job.missed > 0 || job.skipped > 0).collect();
    let mut slower: Vec<(f64, &DigestJob)> = jobs.iter().filter_map(|job| Some((factor(job)?, job))).collect();
    slower.sort_by(|(a, _), (b, _)| b.total_cmp(a));
    let mut next: Vec<&DigestJob> = jobs.iter().filter(|job| job.next.is_some()).collect();
    next.sort_by_key(|job| job.next);
    Digest {
        stretch: stretch(report),
        since: clocks.time(report.since),
        until: clocks.time(report.until),
        summary: summary(report),
        failed: list(&failed, |job| of_failed(job, clocks)),
        not_run: list(&not_run, |job| of_not_run(job)),
        slower: list(&slower, |(factor, job)| of_slower(*factor, job)),
        next: list(&next, |job| match job.next {
            Some(next) => format!("{}: {}", one_line(&job.job), clocks.time_and_distance(next)),
            None => one_line(&job.job),
        }),
        undeliverable: match report.undeliverable {
            0 => None,
            1 => Some(format!("1 notice could not be delivered; it is listed by: {called} notices")),
            many => Some(format!("{many} notices could not be delivered; they are listed by: {called} notices")),
        },
    }
}

fn list<T>(all: &[T], line: impl Fn(&T) -> String) -> List {
    List { lines: all.iter().take(LISTED).map(line).collect(), more: all.len().saturating_sub(LISTED) }
}

fn summary(report: &DigestReport) -> String {
    let sum = |of: fn(&DigestJob) -> u64| report.jobs.iter().map(of).sum::<u64>();
    let ran = report.jobs.iter().filter(|job| job.runs > 0).count() as u64;
    let failed = match sum(|job| job.failures) {
        0 if report.runs == 0 => String::new(),
        0 => ", and none failed".to_owned(),
        1 => ", of which 1 failed".to_owned(),
        failures => format!(", of which {failures} failed"),
    };
    let of_jobs = if ran > 0 { format!(" of {}", counted(ran, "job")) } else { String::new() };
    let (missed, skipped) = (sum(|job| job.missed), sum(|job| job.skipped));
    let gaps: Vec<String> = [(missed, "missed"), (skipped, "skipped")]
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, what)| format!("{} {what}", counted(count, "instant")))
        .collect();
    let gaps = if gaps.is_empty() { String::new() } else { format!("; {}", gaps.join(", ")) };
    format!("{}{of_jobs}{failed}{gaps}.", counted(report.runs, "run"))
}

fn of_failed(job: &DigestJob, clocks: &Clocks) -> String {
    let last = job.last_failure.as_ref().map_or_else(String::new, |last| {
        let why = last.detail.as_deref().map(one_line).or_else(|| Some(last.reason?.word().to_owned()));
        let why = why.map_or_else(String::new, |why| format!(" ({why})"));
        format!("; the last was run {}, {}{why}", last.run, clocks.time(crate::report::Time(last.at)))
    });
    format!("{}: {} of {}{last}", one_line(&job.job), job.failures, counted(job.runs, "run"))
}

fn of_not_run(job: &DigestJob) -> String {
    let counts = [(job.missed, "missed"), (job.skipped, "skipped")];
    let counts: Vec<String> =
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect();
    format!("{}: {}", one_line(&job.job), counts.join(", "))
}

/// How many times as long as before it takes, if that is slower.
fn factor(job: &DigestJob) -> Option<f64> {
    let (now, before) = (job.duration?, job.duration_before?);
    let is_slower = before > 0.0 && now >= before * SLOWER && now - before >= NOTABLE;
    is_slower.then(|| now / before)
}

fn of_slower(factor: f64, job: &DigestJob) -> String {
    let length = |seconds: Option<f64>| seconds.map_or_else(String::new, |seconds| span(Seconds(seconds)));
    let (now, before) = (length(job.duration), length(job.duration_before));
    format!("{}: {now}, {factor:.1}× as long as before ({before})", one_line(&job.job))
}

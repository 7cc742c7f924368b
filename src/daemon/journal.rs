//! What does the log say of runs? A line for each end, and for each instant that did not become a run.

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::job::JobName;
use crate::plan::{Closing, Decision, Record};
use crate::report::with_local_times;
use crate::run::{EventKind, Outcome, RunId};

/// The end of a run, as it was decided.
pub fn ended(job: &JobName, decision: &Decision) {
    for record in &decision.records {
        if let Record::Closed(closing) = record {
            closed(job.as_str(), closing);
        }
    }
}

fn closed(job: &str, closing: &Closing) {
    let Closing { run, outcome, reason, detail, ended, .. } = closing;
    let took = ended.as_ref().map_or_else(String::new, |ended| format!(" in {}", seconds(ended.duration)));
    let why = detail.as_deref().map_or_else(String::new, |detail| format!(": {detail}"));
    let reason = reason.map_or("", |reason| reason.word());
    let run = run.0;
    let outcome_word = outcome.word();
    if outcome.is_failure(closing.reason) {
        tracing::warn!(job, run, outcome = outcome_word, reason, "{job} {outcome}{took}{why} (run {run})");
    } else {
        tracing::info!(job, run, outcome = outcome_word, reason, "{job} {outcome}{took}{why} (run {run})");
    }
}

/// What a decision says of instants that did not become runs, and of what was lost; `job_of` knows the jobs of runs that have
/// not ended.
pub fn record<'p>(record: &Record, job_of: impl Fn(RunId) -> Option<&'p JobName>) {
    match record {
        Record::Gap { job, gap, detail } => {
            let (job, outcome, reason, count) = (job.as_str(), gap.outcome, gap.reason, gap.count);
            let why = detail.as_deref().map_or_else(|| reason.word().to_owned(), str::to_owned);
            let which = if count == 1 {
                format!("the instant {}", here(gap.due))
            } else {
                format!("{count} instants from {} to {}", here(gap.due), here(gap.due_last))
            };
            tracing::warn!(
                job,
                outcome = outcome.word(),
                reason = reason.word(),
                count,
                "{job} {outcome} {which}: {why}"
            );
        }
        Record::Closed(closing) if closing.outcome == Outcome::Lost && closing.ended.is_none() => {
            tracing::warn!(
                run = closing.run.0,
                outcome = "lost",
                "run {} is lost: the daemon ended while it ran",
                closing.run
            );
        }
        Record::Retried { run, at, detail } => {
            let job = job_of(*run).map_or("", JobName::as_str);
            tracing::warn!(job, run = run.0, "{job} {detail}; next at {} (run {run})", here(*at));
        }
        // The writer has said so when it happened.
        Record::Event(event) if event.kind == EventKind::Trouble => {}
        Record::Event(event) => {
            tracing::info!(event = event.kind.word(), "{}", with_local_times(&event.detail, &TimeZone::system()));
        }
        _ => {}
    }
}

/// A time as this machine's clocks show it, as everywhere where people read it.
fn here(time: Timestamp) -> impl std::fmt::Display {
    time.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S")
}

/// A duration with three digits or so.
pub fn seconds(duration: std::time::Duration) -> String {
    let seconds = duration.as_secs_f64();
    match seconds {
        s if s < 1.0 => format!("{:.0} ms", s * 1e3),
        s if s < 10.0 => format!("{s:.2} s"),
        s if s < 120.0 => format!("{s:.1} s"),
        s => format!("{:.1} min", s / 60.0),
    }
}

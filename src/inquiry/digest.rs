//! What happened in a day or a week, and what comes?

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::held::held_in;
use super::next::next_of;
use crate::job::Job;
use crate::notice::Notice;
use crate::report::{DigestJob, DigestReport, Time};
use crate::store::Reader;

/// What a digest covers that does not say since when.
const A_DAY: SignedDuration = SignedDuration::from_hours(24);
/// Of more jobs nobody reads when they are due.
const WITH_NEXT: usize = 1000;

/// What happened until a notice was decided on.
pub async fn digest_report(ledger: &Reader, notice: &Notice, jobs: &[Arc<Job>]) -> Result<DigestReport, sqlx::Error> {
    let until = notice.at;
    let since = match notice.facts.since {
        Some(since) => Some(since),
        None => ledger.digest_before(notice).await?,
    };
    let since = since.filter(|since| *since < until);
    let since = since.or_else(|| until.checked_sub(A_DAY).ok()).unwrap_or(until);
    let before = since.checked_sub(until.duration_since(since)).unwrap_or(Timestamp::MIN);
    let counts = ledger.counts(since, until).await?;
    let earlier: BTreeMap<String, Vec<i64>> =
        ledger.counts(before, since).await?.into_iter().map(|counts| (counts.job, counts.durations)).collect();
    let next = next_times(ledger, jobs, until).await;
    let (mut reports, mut runs) = (Vec::with_capacity(counts.len()), 0);
    for counts in counts {
        runs += counts.runs;
        let last_failure = match counts.last_failure {
            Some(run) => ledger.entry(run).await?,
            None => None,
        };
        reports.push(DigestJob {
            duration: middle(&counts.durations),
            duration_before: earlier.get(&counts.job).and_then(|durations| middle(durations)),
            next: next.get(&counts.job).copied(),
            job: counts.job,
            runs: counts.runs,
            failures: counts.failures,
            missed: counts.missed,
            skipped: counts.skipped,
            last_failure,
        });
    }
    let undeliverable = ledger.outstanding(since).await?.undeliverable;
    Ok(DigestReport { since: Time(since), until: Time(until), runs, jobs: reports, undeliverable })
}

/// When jobs are due next, as far as that is known.
async fn next_times(ledger: &Reader, jobs: &[Arc<Job>], from: Timestamp) -> BTreeMap<String, Time> {
    let Ok(held) = held_in(ledger, from).await else {
        return BTreeMap::new();
    };
    let next = |job: &Arc<Job>| {
        let due = next_of(std::slice::from_ref(job), &held, from, from, (1, 1)).into_iter().next()?;
        Some((job.name.to_string(), due.report.due))
    };
    jobs.iter().take(WITH_NEXT).filter_map(next).collect()
}

/// Seconds in the middle.
fn middle(micros: &[i64]) -> Option<f64> {
    let mut sorted = micros.to_vec();
    sorted.sort_unstable();
    // Exact up to 285 years.
    #[expect(clippy::cast_precision_loss, reason = "no run takes that long")]
    sorted.get(sorted.len() / 2).map(|micros| *micros as f64 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_middle_is_that_of_what_is_sorted() {
        assert_eq!(middle(&[]), None);
        assert_eq!(middle(&[3_000_000]), Some(3.0));
        assert_eq!(middle(&[9_000_000, 1_000_000, 2_000_000]), Some(2.0));
    }
}

//! How often, how long, how late, at what cost? What a job's figures come to.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Seconds, Time};
use crate::run::{Outcome, Reason, RunId};

/// What the ledger has of a job, or of all.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    pub groups: Vec<Group>,
    /// When its first run was due of those that are counted one by one.
    pub first: Option<Time>,
    /// Of all runs that succeeded, in microseconds.
    pub longest: Option<i64>,
    /// Of all runs, in microseconds.
    pub latest: Option<i64>,
    /// How long the newest runs that succeeded took, in microseconds.
    pub durations: Vec<i64>,
    /// How late the newest runs began, in microseconds.
    pub lates: Vec<i64>,
    /// The newest runs, the newest last.
    pub last: Vec<LastRun>,
}

/// Entries that ended in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    /// Runs, or instants that did not become runs.
    pub count: u64,
    /// Of those whose use of the processor was measured: how many, and what they used, in microseconds.
    pub measured: u64,
    pub cpu: i64,
    /// Whether the ledger has forgotten the entries and only knows how many there were.
    pub is_pruned: bool,
}

/// One of the newest runs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct LastRun {
    pub run: RunId,
    pub outcome: Outcome,
    pub duration: Option<Seconds>,
    #[serde(skip)]
    pub is_failure: bool,
}

/// What the figures come to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobStats {
    /// None: all jobs together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub job: Option<String>,
    /// That have ended, pruned ones too.
    pub runs: u64,
    /// Of the runs that succeeded or failed, from 0 to 1.
    pub success_rate: Option<f64>,
    /// How many ended how; of skipped and missed ones, how many instants.
    pub outcomes: BTreeMap<&'static str, u64>,
    /// Runs of which only the number is left.
    pub pruned: u64,
    pub first: Option<Time>,
    /// Of runs that succeeded.
    pub duration: Option<Spread>,
    pub late: Option<Spread>,
    pub cpu: CpuCost,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub last: Vec<LastRun>,
}

/// How values are spread: so many of a hundred are not above.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub p50: Seconds,
    pub p95: Seconds,
    pub p99: Seconds,
    pub max: Seconds,
    /// How many runs the percentiles are of: the newest.
    pub of: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct CpuCost {
    pub total: Seconds,
    /// On average, of those that were measured.
    pub per_run: Option<Seconds>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatsReport {
    pub since: Option<Time>,
    pub jobs: Vec<JobStats>,
    pub all: JobStats,
}

impl StatsReport {
    /// Each job's for itself, and what they come to together.
    pub fn of(figures: Vec<(String, Figures)>, since: Option<Time>) -> Self {
        let mut all = Figures::default();
        let mut jobs = Vec::new();
        for (job, figures) in figures {
            jobs.push(JobStats::of(Some(job), &figures));
            all.add(figures);
        }
        Self { since, jobs, all: JobStats::of(None, &all) }
    }
}

impl Figures {
    fn add(&mut self, other: Self) {
        self.groups.extend(other.groups);
        self.first = self.first.into_iter().chain(other.first).min();
        self.longest = self.longest.max(other.longest);
        self.latest = self.latest.max(other.latest);
        self.durations.extend(other.durations);
        self.lates.extend(other.lates);
    }
}

impl JobStats {
    pub fn of(job: Option<String>, figures: &Figures) -> Self {
        let count = |wanted: &dyn Fn(&Group) -> bool| -> u64 {
            figures.groups.iter().filter(|group| wanted(group)).map(|group| group.count).sum()
        };
        let succeeded = count(&|group| group.outcome == Outcome::Succeeded);
        let failed = count(&|group| group.outcome.is_failure(group.reason));
        let mut outcomes = BTreeMap::new();
        for group in figures.groups.iter().filter(|group| group.count > 0) {
            *outcomes.entry(group.outcome.word()).or_default() += group.count;
        }
        let measured: u64 = figures.groups.iter().map(|group| group.measured).sum();
        let cpu = Seconds::from_micros(figures.groups.iter().map(|group| group.cpu).sum());
        Self {
            job,
            runs: count(&|group| !group.outcome.is_gap()),
            success_rate: (succeeded + failed > 0).then(|| ratio(succeeded, succeeded + failed)),
            outcomes,
            pruned: count(&|group| group.is_pruned && !group.outcome.is_gap()),
            first: figures.first,
            duration: spread(&figures.durations, figures.longest),
            late: spread(&figures.lates, figures.latest),
            cpu: CpuCost { total: cpu, per_run: (measured > 0).then(|| Seconds(cpu.0 / float(measured))) },
            last: figures.last.clone(),
        }
    }
}

/// Counts of runs are far below where a float loses anything that is shown.
#[allow(clippy::cast_precision_loss)]
fn float(count: u64) -> f64 {
    count as f64
}

fn ratio(part: u64, whole: u64) -> f64 {
    float(part) / float(whole)
}

/// The percentiles of values in any order; `most` is the largest there ever was, also of those that are not among them.
fn spread(values: &[i64], most: Option<i64>) -> Option<Spread> {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    let last = sorted.last().copied()?;
    let at = |percent| Seconds::from_micros(percentile(&sorted, percent));
    let max = most.unwrap_or(last).max(last);
    Some(Spread { p50: at(50), p95: at(95), p99: at(99), max: Seconds::from_micros(max), of: sorted.len() })
}

/// The smallest value that so many of a hundred are not above: one that was measured, not one between two.
fn percentile(sorted: &[i64], percent: usize) -> i64 {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles_are_values_that_were_measured() {
        let hundred: Vec<i64> = (1..=100).collect();
        let check = |sorted: &[i64], expect: [i64; 3]| {
            assert_eq!([50, 95, 99].map(|percent| percentile(sorted, percent)), expect, "{sorted:?}");
        };
        check(&hundred, [50, 95, 99]);
        check(&[7], [7, 7, 7]);
        check(&[1, 9], [1, 9, 9]);
        check(&[1, 2, 3], [2, 3, 3]);
        check(&[], [0, 0, 0]);
        let spread = spread(&[3_000_000, 1_000_000, 2_000_000], Some(9_000_000)).unwrap();
        assert_eq!((spread.p50, spread.max, spread.of), (Seconds(2.0), Seconds(9.0), 3));
        assert_eq!(super::spread(&[], Some(1)), None);
    }

    fn group(outcome: Outcome, reason: Option<Reason>, count: u64) -> Group {
        Group { outcome, reason, count, measured: count, cpu: 0, is_pruned: false }
    }

    #[test]
    fn what_neither_succeeded_nor_failed_is_not_in_the_rate() {
        use Outcome::{Failed, Lost, Missed, Skipped, Stopped, Succeeded};
        let check = |groups: Vec<Group>, runs: u64, rate: Option<f64>| {
            let stats = JobStats::of(None, &Figures { groups, ..Figures::default() });
            assert_eq!((stats.runs, stats.success_rate), (runs, rate));
        };
        check(vec![], 0, None);
        check(vec![group(Skipped, Some(Reason::Overlap), 7), group(Missed, None, 2)], 0, None);
        check(vec![group(Stopped, Some(Reason::ByHand), 1)], 1, None);
        check(vec![group(Stopped, Some(Reason::Shutdown), 1), group(Succeeded, None, 1)], 2, Some(0.5));
        let groups = vec![group(Succeeded, None, 6), group(Failed, None, 1), group(Lost, None, 1)];
        check(groups, 8, Some(0.75));
    }

    #[test]
    fn what_was_pruned_counts() {
        let kept = Group { cpu: 3_000_000, ..group(Outcome::Succeeded, None, 1) };
        let pruned = Group { cpu: 9_000_000, is_pruned: true, ..group(Outcome::Succeeded, None, 2) };
        let failed = Group { is_pruned: true, ..group(Outcome::Failed, None, 1) };
        let groups = vec![kept, pruned, failed];
        let report = StatsReport::of(
            vec![
                ("a".to_owned(), Figures { groups: groups.clone(), ..Figures::default() }),
                ("b".to_owned(), Figures { groups, ..Figures::default() }),
            ],
            None,
        );
        let stats = &report.jobs[0];
        assert_eq!((stats.runs, stats.pruned, stats.success_rate), (4, 3, Some(0.75)));
        assert_eq!((stats.cpu.total, stats.cpu.per_run), (Seconds(12.0), Some(Seconds(3.0))));
        assert_eq!((report.all.runs, report.all.outcomes["succeeded"]), (8, 6));
    }
}

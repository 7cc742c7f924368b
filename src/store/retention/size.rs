//! What goes when the database is too large, and whose?
//!
//! The jobs that use most give first: each gives from its oldest on, down to a level that is the same for all. So a job of
//! every second does not push out the year of a daily one.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use jiff::Timestamp;
use sqlx::SqlitePool;

use super::forget::Pruning;
use super::walk::{Entry, Kind, Walk, needed};

/// What an entry without output takes with its places in the indexes, or a little more: what is too little is noticed, what
/// is too much is gone.
const ENTRY: u64 = 150;
/// Runs whose output is summed up in one question, and entries that are counted in one.
const SPAN: i64 = 5000;
/// Runs whose output is forgotten together.
const GROUP: usize = 200;
/// At least this part of the limit is taken at once, so that a little too much is not looked at again and again.
const SMALLEST_PART: u64 = 64;

/// What goes, in this order. What follows is only taken when nothing is left of what comes before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Output of runs that did not fail, but for the newest entries of each job.
    Output,
    /// Entries that are no failures, but for the newest.
    Entries,
    /// Output of failures, but for the newest.
    OutputOfFailures,
    /// Output of the newest, but for each job's last run.
    OutputOfNewest,
}

const STAGES: [Stage; 4] = [Stage::Output, Stage::Entries, Stage::OutputOfFailures, Stage::OutputOfNewest];

const FIRST_WITH_OUTPUT: &str = "SELECT min(run) FROM output WHERE run > $1";

const OUTPUT_USED: &str = "
SELECT runs.job, sum(length(output.data) + 60) FROM output JOIN runs ON runs.run = output.run
WHERE output.run >= $1 AND output.run < $2 AND runs.state = 3
  AND (outcome IN (2, 3, 5, 6) OR outcome = 4 AND reason = 14) = $3
GROUP BY runs.job";

const FIRST_ENTRY: &str = "SELECT min(run) FROM runs WHERE run > $1";

const ENTRIES_USED: &str = "
SELECT job, count(*) FROM runs
WHERE run >= $1 AND run < $2 AND state = 3 AND NOT (outcome IN (2, 3, 5, 6) OR outcome = 4 AND reason = 14)
GROUP BY job";

/// Takes from what is there until the database is no larger than it may be.
pub async fn shrink(pruning: &mut Pruning<'_>, limit: u64, newest: i64, now: Timestamp) -> Result<(), sqlx::Error> {
    for stage in STAGES {
        if pruning.store.size().await? <= limit {
            return Ok(());
        }
        let mut givers = stage.givers(&pruning.store.reader.pool, newest, now).await?;
        loop {
            let size = pruning.store.size().await?;
            if size <= limit {
                return Ok(());
            }
            let wanted = (size - limit).max(limit / SMALLEST_PART);
            let usage: BTreeMap<i64, u64> = givers.iter().map(|(job, giver)| (*job, giver.usage)).collect();
            let shares = shares(&usage, wanted);
            if shares.is_empty() {
                break;
            }
            for (job, share) in shares {
                let Some(giver) = givers.get_mut(&job) else {
                    continue;
                };
                let given = giver.give(pruning, stage, share).await?;
                giver.usage = giver.usage.saturating_sub(given);
                if given < share {
                    givers.remove(&job);
                }
            }
        }
    }
    pruning.pruned.too_large = Some(pruning.store.size().await?).filter(|size| *size > limit);
    Ok(())
}

/// How much each gives so that together they give what is wanted, or all they have: whoever has more than a level gives what
/// is above it.
fn shares(usage: &BTreeMap<i64, u64>, wanted: u64) -> BTreeMap<i64, u64> {
    let mut sizes: Vec<u64> = usage.values().copied().collect();
    sizes.sort_unstable_by(|one, other| other.cmp(one));
    let mut level = 0;
    let mut sum = 0u64;
    for (index, size) in sizes.iter().enumerate() {
        sum += size;
        let givers = index as u64 + 1;
        let next = sizes.get(index + 1).copied().unwrap_or(0);
        // These alone can give it without any of them having less than the next.
        if sum - next * givers >= wanted {
            level = (sum - wanted) / givers;
            break;
        }
    }
    usage.iter().map(|(job, size)| (*job, size.saturating_sub(level))).filter(|(_, share)| *share > 0).collect()
}

impl Stage {
    /// Whoever has something that this stage takes.
    async fn givers(
        self,
        pool: &SqlitePool,
        newest: i64,
        now: Timestamp,
    ) -> Result<BTreeMap<i64, Giver<'_>>, sqlx::Error> {
        let mut usage = BTreeMap::new();
        match self {
            Self::Entries => used(pool, FIRST_ENTRY, ENTRIES_USED, None, &mut usage).await?,
            Self::Output => used(pool, FIRST_WITH_OUTPUT, OUTPUT_USED, Some(false), &mut usage).await?,
            Self::OutputOfFailures => used(pool, FIRST_WITH_OUTPUT, OUTPUT_USED, Some(true), &mut usage).await?,
            Self::OutputOfNewest => {
                for failures in [false, true] {
                    used(pool, FIRST_WITH_OUTPUT, OUTPUT_USED, Some(failures), &mut usage).await?;
                }
            }
        }
        let mut givers = BTreeMap::new();
        for (job, used) in usage {
            let walk = match self {
                Self::OutputOfNewest => Walk::before_last_run(pool, job).await?,
                Self::Output | Self::Entries | Self::OutputOfFailures => Walk::before_newest(pool, job, newest).await?,
            };
            let Some(walk) = walk else {
                continue;
            };
            let usage = if self == Self::Entries { used * ENTRY } else { used };
            let needed = needed(pool, job, now).await?;
            givers.insert(job, Giver { usage, walk, read: VecDeque::new(), needed });
        }
        Ok(givers)
    }

    /// How much comes of an entry; `None` if it is not one that this stage takes.
    fn takes(self, entry: &Entry) -> Option<u64> {
        let is_taken = match (self, entry.kind) {
            (_, Kind::Open) => false,
            (Self::Output | Self::Entries, kind) => kind != Kind::Failure,
            (Self::OutputOfFailures, kind) => kind == Kind::Failure,
            (Self::OutputOfNewest, Kind::Success | Kind::Failure | Kind::Other) => true,
        };
        let bytes = if self == Self::Entries { ENTRY } else { entry.bytes };
        (is_taken && bytes > 0).then_some(bytes)
    }
}

/// A job that has something to give.
struct Giver<'s> {
    /// What it has, in bytes.
    usage: u64,
    walk: Walk<'s>,
    /// Entries that were read and are not yet looked at.
    read: VecDeque<Entry>,
    needed: BTreeSet<i64>,
}

impl Giver<'_> {
    /// Gives from the oldest on; less than its share only if nothing is left.
    async fn give(&mut self, pruning: &mut Pruning<'_>, stage: Stage, share: u64) -> Result<u64, sqlx::Error> {
        let mut given = 0;
        while given < share {
            let mut group = Vec::new();
            while given < share && group.len() < GROUP {
                let Some(entry) = self.next().await? else {
                    forget(pruning, stage, &group).await?;
                    return Ok(given);
                };
                if let Some(bytes) = stage.takes(&entry).filter(|_| !self.needed.contains(&entry.run)) {
                    given += bytes;
                    group.push(entry);
                }
            }
            forget(pruning, stage, &group).await?;
        }
        Ok(given)
    }

    async fn next(&mut self) -> Result<Option<Entry>, sqlx::Error> {
        if self.read.is_empty() {
            self.read = self.walk.next().await?.into();
        }
        Ok(self.read.pop_front())
    }
}

async fn forget(pruning: &mut Pruning<'_>, stage: Stage, entries: &[Entry]) -> Result<(), sqlx::Error> {
    match stage {
        Stage::Entries => pruning.entries(entries).await,
        Stage::Output | Stage::OutputOfFailures | Stage::OutputOfNewest => {
            let runs: Vec<i64> = entries.iter().map(|entry| entry.run).collect();
            pruning.output(&runs).await
        }
    }
}

/// Adds up what each job uses, a span of numbers at a time.
async fn used(
    pool: &SqlitePool,
    first: &'static str,
    sums: &'static str,
    failures: Option<bool>,
    usage: &mut BTreeMap<i64, u64>,
) -> Result<(), sqlx::Error> {
    let mut after = i64::MIN;
    loop {
        let from: Option<i64> = sqlx::query_scalar(first).bind(after).fetch_one(pool).await?;
        let Some(from) = from else {
            return Ok(());
        };
        let to = from.saturating_add(SPAN);
        let mut query = sqlx::query_as(sums).bind(from).bind(to);
        if let Some(failures) = failures {
            query = query.bind(failures);
        }
        let rows: Vec<(i64, i64)> = query.fetch_all(pool).await?;
        for (job, amount) in rows {
            *usage.entry(job).or_default() += u64::try_from(amount).unwrap_or(0);
        }
        after = to - 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_most_gives_first() {
        for (usage, wanted, expect) in [
            (vec![100, 10], 20, vec![20, 0]),
            (vec![100, 90, 10], 30, vec![20, 10, 0]),
            (vec![10, 100, 100], 200, vec![7, 97, 97]),
            (vec![7, 7], 1, vec![1, 1]),
            (vec![5, 6], 100, vec![5, 6]),
            (vec![], 5, vec![]),
        ] {
            let by_job: BTreeMap<i64, u64> = (0..).zip(usage.iter().copied()).collect();
            let shares = shares(&by_job, wanted);
            let shares: Vec<u64> = by_job.keys().map(|job| shares.get(job).copied().unwrap_or(0)).collect();
            // What does not divide evenly is given by each.
            let fits = shares.iter().zip(&expect).all(|(share, expect)| share.abs_diff(*expect) <= 1);
            assert!(fits, "{usage:?} {wanted}: {shares:?}, not {expect:?}");
            assert!(shares.iter().sum::<u64>() >= wanted.min(usage.iter().sum()), "{usage:?} {wanted}: {shares:?}");
        }
    }
}

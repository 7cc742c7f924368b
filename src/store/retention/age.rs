//! What is too old?

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::Limits;
use super::forget::Pruning;
use super::walk::{Entry, Kind, Walk, jobs_older_than, needed};

/// Forgets what is old of every job, but for its newest entries and those that it still needs.
pub async fn forget(pruning: &mut Pruning<'_>, limits: Limits, newest: i64, now: Timestamp) -> Result<(), sqlx::Error> {
    let pool = &pruning.store.reader.pool;
    let mut after = i64::MIN;
    loop {
        let jobs = jobs_older_than(pool, limits.entries, after).await?;
        let Some(last) = jobs.last() else {
            return Ok(());
        };
        after = *last;
        for job in jobs {
            if let Some(walk) = Walk::before_newest(pool, job, newest).await? {
                let sieve = Sieve { limits, needed: needed(pool, job, now).await?, success: None };
                of_job(pruning, walk.before(limits.entries), sieve).await?;
            }
        }
    }
}

async fn of_job(pruning: &mut Pruning<'_>, mut walk: Walk<'_>, mut sieve: Sieve) -> Result<(), sqlx::Error> {
    loop {
        let entries = walk.next().await?;
        if entries.is_empty() {
            break;
        }
        let going: Vec<Entry> = entries.into_iter().filter_map(|entry| sieve.next(entry)).collect();
        pruning.entries(&going).await?;
    }
    // A failure that the walk did not come to is kept, and with it the last success before it.
    if let Some(success) = sieve.success
        && !walk.leads_to_failure(walk.after).await?
    {
        pruning.entries(&[success]).await?;
    }
    Ok(())
}

/// Sees the old entries of a job from the oldest on, and says which of them go.
struct Sieve {
    limits: Limits,
    needed: BTreeSet<i64>,
    /// The last success so far: whether it goes depends on what follows.
    success: Option<Entry>,
}

impl Sieve {
    /// An entry that goes: this one, or the success that waited for it.
    fn next(&mut self, entry: Entry) -> Option<Entry> {
        let needed = self.needed.contains(&entry.run);
        match entry.kind {
            Kind::Success if needed => self.success.take(),
            Kind::Success => self.success.replace(entry),
            Kind::Failure if !needed && entry.place.due < self.limits.failures => Some(entry),
            // What is open may still fail.
            Kind::Failure | Kind::Open => {
                self.success = None;
                None
            }
            Kind::Other => (!needed && entry.until < self.limits.entries).then_some(entry),
        }
    }
}

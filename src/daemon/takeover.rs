//! Which runs go on though the scheduler that began them has ended? Those of which the keeper has something, and those that are
//! to be left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::job::{Job, JobName, OnLost};
use crate::keeper::Kept;
use crate::plan::Memory;
use crate::run::RunId;
use crate::runner::{Estate, boot_id, end_survivors, survivors};
use crate::store::{Store, Survivor};

use super::StartError;

/// What is taken over, by run.
pub async fn estates(store: &Store, jobs: &[Arc<Job>], kept: Vec<Kept>) -> Result<BTreeMap<RunId, Estate>, StartError> {
    let open = store.reader.survivors().await?;
    let mut parts: BTreeMap<RunId, Vec<Kept>> = BTreeMap::new();
    for kept in kept {
        parts.entry(kept.id.run).or_default().push(kept);
    }
    let is_open: BTreeSet<RunId> = open.iter().map(|run| run.run).collect();
    // What was closed meanwhile has been recorded: nobody needs what is kept of it, and it goes as it is dropped.
    parts.retain(|run, _| is_open.contains(run));
    let mut estates = BTreeMap::new();
    for run in left(store, jobs, open.iter().filter(|run| !parts.contains_key(&run.run)))? {
        estates.insert(run.run, Estate::Left(run.process.clone()));
    }
    for (run, parts) in parts {
        let started = open.iter().find(|open| open.run == run).and_then(|open| open.started);
        let steps = store.reader.steps_so_far(run).await?;
        estates.insert(run, Estate::Kept { parts, started, steps });
    }
    Ok(estates)
}

/// Of runs whose keeper has ended: what is to be left alone and lives; all others are ended before they are closed as lost.
fn left<'s>(
    store: &Store,
    jobs: &[Arc<Job>],
    open: impl Iterator<Item = &'s Survivor>,
) -> Result<Vec<&'s Survivor>, StartError> {
    let boot = boot_id()?;
    let rules: BTreeMap<&JobName, OnLost> = jobs.iter().map(|job| (&job.name, job.rules.on_lost)).collect();
    let of_this_boot = open.filter(|run| run.boot_id.as_deref().is_none_or(|id| id == boot));
    let (leave, kill): (Vec<_>, Vec<_>) =
        of_this_boot.partition(|run| rules.get(&run.job).is_some_and(|rule| *rule == OnLost::Leave));
    let kill: Vec<_> = kill.into_iter().map(|run| (run.run, run.process.clone())).collect();
    let ended = end_survivors(&kill, &store.path);
    if ended > 0 {
        tracing::warn!("{ended} processes of runs that were lost have been ended");
    }
    let lives = |run: &&Survivor| !survivors(&[(run.run, run.process.clone())], &store.path).is_empty();
    Ok(leave.into_iter().filter(lives).collect())
}

/// Tells the memory which of its runs go on.
pub fn remember(estates: &BTreeMap<RunId, Estate>, memory: &mut Memory) {
    for run in &mut memory.open {
        let Some(estate) = estates.get(&run.run) else {
            continue;
        };
        run.goes_on = true;
        if let Estate::Kept { parts, .. } = estate {
            // The ledger hears of an attempt only once it has begun.
            let last = parts.iter().map(|kept| kept.id.attempt).max();
            run.attempts = run.attempts.max(last.unwrap_or(1));
        }
        tracing::info!("run {} of {} goes on", run.run, run.job);
    }
}

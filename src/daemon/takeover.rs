//! Which runs go on though the scheduler that began them has ended? Those of which the keeper has something, and those that are
//! to be left alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::StartError;
use super::reading::{Files, Seen};
use crate::configuration::{Configuration, ConfigurationError, InForce};
use crate::files::{Trust, read_source};
use crate::job::{Job, JobName, OnLost, Task};
use crate::jobfile::Source;
use crate::keeper::Kept;
use crate::plan::Memory;
use crate::run::RunId;
use crate::runner::{Estate, boot_id, end_survivors, survivors};
use crate::store::{Store, Survivor};

/// The file as it is now, or, where a daemon goes on and the file is wrong or gone meanwhile, as it was in force; and what was
/// seen of it. A wrong one is not seen yet: it is complained about when it is looked at again.
pub fn configuration(
    files: &Files,
    in_force: Option<String>,
    now: Timestamp,
) -> Result<(Configuration, Seen), StartError> {
    let source = read_source(&files.config, Trust::of_a_daemon()).map_err(ConfigurationError::from);
    match (source.and_then(|source| files.of_source(source, now)), in_force) {
        (Ok(configuration), _) if configuration.checked.is_right() => {
            let seen = Seen::of(&configuration);
            Ok((configuration, seen))
        }
        (Ok(wrong), None) => Err(StartError::WrongFile(Box::new(wrong))),
        (Err(error), None) => Err(error.into()),
        (Ok(_) | Err(_), Some(words)) => {
            let configuration = match serde_json::from_str::<InForce>(&words) {
                Ok(in_force) => in_force.read(now)?,
                // A keeper that was begun by an older version has the main file's text.
                Err(_) => {
                    let path = std::path::absolute(&files.config).unwrap_or_else(|_| files.config.clone());
                    files.of_source(Source::new(path, words), now)?
                }
            };
            Ok((configuration, Seen::default()))
        }
    }
}

/// What is taken over, by run; `goes_on` says that the keeper is still the one that began it.
pub async fn estates(
    store: &Store,
    jobs: &[Arc<Job>],
    kept: Vec<Kept>,
    goes_on: bool,
) -> Result<BTreeMap<RunId, Estate>, StartError> {
    let open = store.reader.survivors().await?;
    let mut parts: BTreeMap<RunId, Vec<Kept>> = BTreeMap::new();
    for kept in kept {
        parts.entry(kept.id.run).or_default().push(kept);
    }
    let is_open: BTreeSet<RunId> = open.iter().map(|run| run.run).collect();
    // Of a run with steps nothing may be running just now, in the pause before another attempt of one.
    let has_steps = |name: &JobName| jobs.iter().any(|job| job.name == *name && matches!(job.task, Task::Steps(_)));
    for run in open.iter().filter(|run| goes_on && has_steps(&run.job)) {
        parts.entry(run.run).or_default();
    }
    // What was closed meanwhile has been recorded, and what is not in the ledger at all has no business to run: it goes as it
    // is dropped.
    parts.retain(|run, parts| {
        let is_open = is_open.contains(run);
        if !is_open && !parts.is_empty() {
            tracing::warn!("what the keeper still has of run {run} is let go: the ledger does not have it as running");
        }
        is_open
    });
    let mut estates = BTreeMap::new();
    for run in left(store, jobs, open.iter().filter(|run| !parts.contains_key(&run.run)))? {
        estates.insert(run.run, Estate::Left { process: run.process.clone(), started: run.started });
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

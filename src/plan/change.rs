//! What would this file change? The difference between two sets of jobs.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::job::{Job, JobName};

/// How a job of the new file relates to the old one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Added,
    Removed,
    /// Its instants are others than before, or it has none any more, or some at last.
    Timing,
    /// Something else than its instants may differ.
    Kept,
}

/// What becomes of each job of either set, by name.
#[derive(Debug)]
pub struct Changes(pub BTreeMap<JobName, Change>);

impl Changes {
    pub fn between<'j>(
        old: impl IntoIterator<Item = &'j Arc<Job>>,
        new: impl IntoIterator<Item = &'j Arc<Job>>,
    ) -> Self {
        let old: BTreeMap<&JobName, &Arc<Job>> = old.into_iter().map(|job| (&job.name, job)).collect();
        let mut changes: BTreeMap<JobName, Change> =
            old.keys().map(|name| ((*name).clone(), Change::Removed)).collect();
        for job in new {
            let change = old.get(&job.name).map_or(Change::Added, |old| compare(old, job));
            changes.insert(job.name.clone(), change);
        }
        Self(changes)
    }

    /// The jobs whose instants are others than before.
    pub fn of_timing(&self) -> impl Iterator<Item = &JobName> {
        self.0.iter().filter(|(_, change)| **change == Change::Timing).map(|(name, _)| name)
    }
}

fn compare(old: &Job, new: &Job) -> Change {
    match (old.active_timing(), new.active_timing()) {
        (Some(old), Some(new)) if old.same_instants(new) => Change::Kept,
        (None, None) => Change::Kept,
        (Some(_), Some(_) | None) | (None, Some(_)) => Change::Timing,
    }
}

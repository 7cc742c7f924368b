//! What does a job do when it is due?

use std::sync::Arc;
use std::time::Duration;

use super::steps::{StepName, Steps};
use super::work::Work;

/// What a job does when it is due.
#[derive(Debug, Clone, PartialEq)]
pub enum Task {
    Work(Work),
    Steps(Arc<Steps>),
}

impl Task {
    /// For how long it may end by itself once it was asked to.
    pub fn kill_after(&self) -> Duration {
        match self {
            Self::Work(work) => work.kill_after,
            Self::Steps(steps) => steps.kill_after,
        }
    }

    /// Whether any of it is a command.
    pub fn has_command(&self) -> bool {
        self.works().any(|(_, work)| work.act.command().is_some())
    }

    /// All that is carried out, one after another or at once, each with the name of its step if it is one.
    pub fn works(&self) -> impl Iterator<Item = (Option<&StepName>, &Work)> {
        let (work, steps) = match self {
            Self::Work(work) => (Some(work), None),
            Self::Steps(steps) => (None, Some(steps)),
        };
        let steps = steps.into_iter().flat_map(|steps| &steps.list).map(|step| (Some(&step.name), &step.work));
        work.into_iter().map(|work| (None, work)).chain(steps)
    }
}

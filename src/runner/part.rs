//! What is being carried out? All of a run's attempt, or one of its steps.

use std::sync::Arc;

use super::door::Order;
use crate::job::{StepName, Work};
use crate::run::AttemptId;

/// A piece of work to carry out.
#[derive(Debug, Clone)]
pub struct Part {
    pub order: Arc<Order>,
    pub work: Work,
    pub id: AttemptId,
    /// The step that it is; none where it is all of the job.
    pub step: Option<StepName>,
}

impl Part {
    /// All of an attempt.
    pub fn whole(order: Arc<Order>, work: Work) -> Self {
        let id = AttemptId::whole(order.run, order.attempt);
        Self { order, work, id, step: None }
    }

    /// Which attempt its program is told that it is.
    pub fn attempt(&self) -> u32 {
        if self.step.is_some() { self.id.step_attempt } else { self.id.attempt }
    }

    /// How it is called in sentences.
    pub fn shown(&self) -> String {
        let (run, job) = (self.id.run, &self.order.job.name);
        self.step
            .as_ref()
            .map_or_else(|| format!("run {run} of {job}"), |step| format!("step {step} of run {run} of {job}"))
    }
}

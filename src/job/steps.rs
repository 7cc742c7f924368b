//! What are the parts of a job, and which of them wait for which?

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::Retries;
use super::work::Work;

/// The parts of a job that has several.
#[derive(Debug, Clone, PartialEq)]
pub struct Steps {
    /// In the order of the file; a step needs only steps of this list, in no circle.
    pub list: Vec<Step>,
    /// Whether the others go on after one has failed.
    pub keep_going: bool,
    /// At once.
    pub max_parallel: Option<usize>,
    /// Of all steps together.
    pub timeout: Option<Duration>,
    /// The longest that one of its steps may take to end by itself.
    pub kill_after: Duration,
}

#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    pub name: StepName,
    pub needs: Needs,
    /// It runs when what it needs has ended, however that ended, and also after a stop.
    pub always: bool,
    pub work: Work,
    pub retries: Retries,
}

/// What a step waits for: places in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Needs {
    /// These must have succeeded.
    Success(Vec<usize>),
    /// The one before must have ended: a list of steps is done in its order, and what follows from a failure is for
    /// `keep_going` to say.
    Turn,
}

/// The name of a step: as it was written, a number in a list, or a combination of values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepName(Arc<str>);

impl StepName {
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StepName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

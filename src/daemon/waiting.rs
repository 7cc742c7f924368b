//! Who waits for what to be in the ledger?

use tokio::sync::oneshot;

use crate::control::{Denied, Granted, Launched};
use crate::job::JobName;
use crate::run::RunId;

pub type Answer = oneshot::Sender<Result<Granted, Denied>>;

/// Somebody who is answered once a decision is in the ledger.
pub struct Waiting {
    pub answer: Answer,
    pub wished: Wished,
}

/// What came of a wish, before it is known whether the ledger takes it.
pub enum Wished {
    Launched(Vec<Launched>),
    Stopped {
        runs: Vec<RunId>,
        job: JobName,
    },
    /// Each with whether the wish changes anything of it.
    Jobs(Vec<(JobName, bool)>),
}

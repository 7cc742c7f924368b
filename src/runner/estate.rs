//! What does a scheduler take over from the one before it?

use jiff::Timestamp;

use crate::keeper::Kept;
use crate::run::{ProcessId, StepNote};

/// A run that goes on though the scheduler that began it has ended.
#[derive(Debug)]
pub enum Estate {
    /// The keeper has what still runs of it, or how it ended.
    Kept {
        parts: Vec<Kept>,
        /// When it began, as far as the ledger knows.
        started: Option<Timestamp>,
        /// What the ledger knows of its steps, the last attempt of each.
        steps: Vec<StepNote>,
    },
    /// The keeper has ended, too, and something of the run lives all the same.
    Left { process: Option<ProcessId>, started: Option<Timestamp> },
}

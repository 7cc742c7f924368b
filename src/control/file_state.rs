//! What is to be said of the job file, to whoever asks?

use crate::report::{Time, TroubleReport};
use crate::store::Trouble;

#[derive(Debug, Clone, Default)]
pub struct FileState {
    /// Why the file as it is now is not in force.
    pub trouble: Option<Trouble>,
    /// Settings that another file has, and that the daemon goes on without.
    pub at_next_start: Vec<&'static str>,
}

pub fn trouble_report(trouble: &Trouble) -> TroubleReport {
    TroubleReport { since: Time(trouble.since), message: trouble.message.clone() }
}

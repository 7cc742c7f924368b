//! Who wants to know what came of a reload?

use std::sync::Arc;

use super::waiting::Answer;
use crate::control::Granted;
use crate::plan::Decision;
use crate::report::ReloadReport;

/// Those who asked, and what they are told once it is in the ledger.
pub struct Reloaded {
    pub decision: Arc<Decision>,
    pub report: ReloadReport,
    pub answers: Vec<Answer>,
}

pub fn tell(answers: Vec<Answer>, report: &ReloadReport) {
    for answer in answers {
        // Who asked may have gone.
        let _ = answer.send(Ok(Granted::Reloaded(Box::new(report.clone()))));
    }
}

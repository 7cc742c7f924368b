//! Which run or job is meant?

use super::{Done, Refusal};
use crate::run::RunId;

/// A number is a run: no job's name begins with a digit.
pub fn parse_run(subject: &str) -> Option<Result<RunId, Refusal>> {
    subject.starts_with(|c: char| c.is_ascii_digit()).then(|| {
        let message = format!("`{subject}` is neither the number of a run nor the name of a job");
        subject.parse().map(RunId).map_err(|_| Refusal::new(Done::Misused, message))
    })
}

//! What have people said is not to run?

use jiff::Timestamp;

use super::no_answer::NoAnswer;
use crate::plan::{Held, Pause};
use crate::report::{PauseReport, Time};
use crate::store::Reader;

/// As the ledger has it. What has ended by itself while no daemon was there is over.
pub async fn held_in(ledger: &Reader, now: Timestamp) -> Result<Held, NoAnswer> {
    let mut held = ledger.held().await?;
    held.forget_ended(now);
    Ok(held)
}

pub fn pause_report(pause: &Pause) -> PauseReport {
    let Pause { since, until, reason, by } = pause;
    PauseReport { since: Time(*since), until: until.map(Time), reason: reason.clone(), by: by.clone() }
}

//! What have people said is not to run, and how is that told?

use super::Refusal;
use super::args::Global;
use super::places::{ask, open_ledger_if_any};
use super::screen::{Screen, visible};
use crate::clock::Clock;
use crate::inquiry::held_in;
use crate::plan::Held;
use crate::report::PauseReport;

/// What the ledger knows of it; a daemon that never ran has none, and one that cannot be read is no reason not to answer.
pub fn held(global: &Global, screen: &mut Screen) -> Held {
    let read: Result<Result<Held, Refusal>, Refusal> = ask(async {
        match open_ledger_if_any(global).await? {
            Some(ledger) => Ok(held_in(&ledger, Clock::System.now()).await?),
            None => Ok(Held::default()),
        }
    });
    read.and_then(|held| held).unwrap_or_else(|refusal| {
        screen.note(format!("what is paused is not known: {}", visible(&refusal.message)));
        Held::default()
    })
}

/// Paused by whom, until when, and why.
pub fn paused(pause: &PauseReport, screen: &Screen) -> String {
    let until = pause.until.map_or_else(String::new, |until| format!(" until {}", screen.time(until)));
    let reason = pause.reason.as_deref().map_or_else(String::new, |reason| format!(": {}", visible(reason)));
    format!("paused by {}{until}{reason}", visible(&pause.by))
}

/// The same with the time at which it began.
pub fn paused_since(pause: &PauseReport, screen: &Screen) -> String {
    format!("{} (since {})", paused(pause, screen), screen.time(pause.since))
}

//! Which time was typed? As people write it, by the clocks of this machine.

use super::screen::Screen;
use super::{Done, Refusal};
use crate::clock::Clock;
use crate::when::{Meant, Toward, meant};

/// The time that a flag names.
pub fn moment(flag: &str, text: &str, toward: Toward, screen: &Screen) -> Result<Meant, Refusal> {
    let now = Clock::System.now().to_zoned(screen.zone().clone());
    meant(text, &now, toward).map_err(|error| Refusal::new(Done::Misused, format!("{flag}: {error}")))
}

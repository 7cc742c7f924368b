//! `punctual completions`: the script with which a shell asks punctual itself what can be typed next.

use super::Done;
use super::args::{CompletionsArguments, Shell};
use super::screen::Screen;

pub fn run(verb: &CompletionsArguments, screen: &mut Screen) -> Done {
    let script = match verb.shell {
        Shell::Bash => include_str!("completions/punctual.bash"),
        Shell::Zsh => include_str!("completions/_punctual"),
        Shell::Fish => include_str!("completions/punctual.fish"),
    };
    screen.raw(script.as_bytes());
    Done::Well
}

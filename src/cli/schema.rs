//! `punctual schema`: what may stand in jobs.toml, for editors that complete and check while one types.

use super::Done;
use super::screen::Screen;
use crate::jobfile::schema;

pub fn run(screen: &mut Screen) -> Done {
    if screen.json {
        screen.value(&schema());
    } else {
        // Over several lines, as a file that is kept beside others is compared by lines.
        screen.line(format!("{:#}", schema()));
    }
    Done::Well
}

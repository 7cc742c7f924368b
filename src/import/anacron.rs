//! What would the lines of an anacrontab be here?

use super::Text;
use super::crontab::Imported;

/// Adds the jobs of an anacrontab.
pub fn import_anacrontab(_: &mut Imported, _: usize, _: &Text) {}

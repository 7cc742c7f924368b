//! What do the benchmarks have in common? A site whose zones are built in, as nothing here is about reading files.

use std::path::Path;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use punctual::jobfile::{Checked, Draft, Site, Zone, Zones};

pub struct Bundled;

impl Zones for Bundled {
    fn zone(&self, name: &str) -> Option<Zone> {
        let name = if name == "system" { "UTC" } else { name };
        let zone = TimeZone::get(name).ok()?;
        Some(Zone { name: name.to_owned(), zone, data: String::new(), tzif: None })
    }

    fn names(&self) -> Vec<String> {
        Vec::new()
    }
}

impl Site for Bundled {
    fn machine_id(&self) -> &'static str {
        "a machine"
    }

    fn text(&self, path: &Path) -> Result<String, String> {
        Err(format!("{} is not read here", path.display()))
    }
}

/// When everything begins.
pub fn start() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

/// What a right file means.
pub fn read(text: String) -> Checked {
    let checked = Draft::parse(Path::new("jobs.toml"), text).check(&Bundled, "Europe/Berlin", start());
    assert!(checked.is_right(), "{:?}", checked.said.errors.first());
    checked
}

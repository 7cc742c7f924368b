//! What would this systemd timer be here?

use super::Text;
use super::sheet::{Sheet, Trouble};
use crate::jobfile::Zones;

pub struct Unit {
    pub name: String,
    pub timer: Vec<Text>,
    pub service: Vec<Text>,
}

pub struct ImportedTimers {
    pub sheet: Sheet,
    pub texts: Vec<Text>,
    pub troubles: Vec<Trouble>,
}

pub fn units_of(name: &str, look: &mut dyn FnMut(&str) -> Vec<Text>) -> Option<Unit> {
    let timer = look(name);
    Some(Unit { name: name.to_owned(), timer, service: Vec::new() })
}

pub fn import_timers(_: &[Unit], _: &dyn Zones) -> ImportedTimers {
    ImportedTimers { sheet: Sheet::default(), texts: Vec::new(), troubles: Vec::new() }
}

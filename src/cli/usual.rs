//! Where are file and ledger where nobody says so?

use std::env;
use std::path::{Path, PathBuf};

/// Where the service of the whole machine has its ledger.
pub const ROOTS_STATE: &str = "/var/lib/punctual";
/// And its job file.
pub const MACHINES_CONFIG: &str = "/etc/punctual/jobs.toml";

/// The folder of the ledger of whoever this is.
pub fn own_state() -> Option<PathBuf> {
    if rustix::process::geteuid().is_root() {
        return Some(ROOTS_STATE.into());
    }
    if let Some(folder) = nonempty("XDG_STATE_HOME") {
        return Some(Path::new(&folder).join("punctual"));
    }
    Some(Path::new(&nonempty("HOME")?).join(".local/state/punctual"))
}

/// The job file of whoever this is.
pub fn users_config() -> Option<PathBuf> {
    let folder = nonempty("XDG_CONFIG_HOME").map(PathBuf::from);
    let folder = folder.or_else(|| nonempty("HOME").map(|home| Path::new(&home).join(".config")))?;
    Some(folder.join("punctual/jobs.toml"))
}

/// Whether who asks on this machine finds the ledger without being told.
pub fn is_usual_state(state: &Path) -> bool {
    state == Path::new(ROOTS_STATE) || own_state().is_some_and(|own| own == state)
}

pub fn is_usual_config(config: &Path) -> bool {
    config == Path::new(MACHINES_CONFIG) || users_config().is_some_and(|own| own == config)
}

pub fn nonempty(name: &str) -> Option<String> {
    env::var(name).ok().filter(|value| !value.is_empty())
}

//! `punctual backup`: copies the ledger to a file while everything goes on.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::args::{BackupArguments, Global};
use super::places::{ask, config_file, database, running_daemon, state_folder, unopened};
use super::screen::{Screen, bytes};
use super::{Answer, Done, Refusal};
use crate::store::{BackupError, back_up};

pub fn run(global: &Global, verb: &BackupArguments, screen: &mut Screen) -> Answer {
    let ledger = database(global, &state_folder(global)?);
    let config = config_file(global, running_daemon(global).as_ref()).ok();
    let real = |path: &Path| fs::canonicalize(path).ok();
    if config.and_then(|config| real(&config)).is_some_and(|config| real(&verb.to) == Some(config)) {
        let message = format!("{} is the job file; name another file", verb.to.display());
        return Err(Refusal::new(Done::Failed, message));
    }
    let size = ask(back_up(&ledger, &verb.to, verb.force))?.map_err(|error| {
        let done = match &error {
            BackupError::NotText(_) => Done::Misused,
            BackupError::Open(error) => return unopened(global, error),
            BackupError::Exists(_)
            | BackupError::NoFile(_)
            | BackupError::Foreign(_)
            | BackupError::Itself(_)
            | BackupError::Busy(_)
            | BackupError::Write { .. }
            | BackupError::Copy { .. }
            | BackupError::Damaged { .. } => Done::Failed,
        };
        Refusal::chain(done, &error)
    })?;
    if screen.json {
        screen.value(&json!({ "backup": verb.to, "bytes": size }));
    } else {
        let size = bytes(i64::try_from(size).unwrap_or(i64::MAX));
        screen.line(format!("the ledger was copied to {} ({size})", verb.to.display()));
    }
    Ok(Done::Well)
}

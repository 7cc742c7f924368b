//! What do the file, the environment and the flags make together?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use crate::files::{Machine, ReadError, Text, read_lossy, read_text};
use crate::jobfile::{Checked, Draft, Zones};
use crate::plan::Capacities;
use crate::settings::{Flags, Settings, SettingsError};

/// A file that was read and checked, and the settings that hold with it.
pub struct Configuration {
    pub path: PathBuf,
    pub settings: Settings,
    /// Right or wrong; what is wrong with it is in here.
    pub checked: Checked,
    /// The machine as it was when the file was read.
    pub machine: Machine,
}

#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error(transparent)]
    Settings(#[from] SettingsError),
}

impl Configuration {
    /// Reads a file; that it is wrong is no error here.
    pub fn read(
        path: &Path,
        environment: &BTreeMap<String, String>,
        flags: &Flags,
        now: Timestamp,
    ) -> Result<Self, ConfigurationError> {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        let text = read_lossy(&path)?;
        Self::of_read(path, text, environment, flags, now)
    }

    /// What was read comes to, from wherever it was read.
    pub fn of_read(
        path: PathBuf,
        text: Text,
        environment: &BTreeMap<String, String>,
        flags: &Flags,
        now: Timestamp,
    ) -> Result<Self, ConfigurationError> {
        let draft = match text.not_utf8 {
            None => Draft::parse(&path, text.text),
            Some(at) => Draft::of_no_text(&path, text.text, at),
        };
        Self::of_draft(path, draft, environment, flags, now)
    }

    /// What a text that was read from a file comes to on this machine as it is now: its zones and calendars may have
    /// changed since.
    pub fn of_text(
        path: PathBuf,
        text: String,
        environment: &BTreeMap<String, String>,
        flags: &Flags,
        now: Timestamp,
    ) -> Result<Self, ConfigurationError> {
        let draft = Draft::parse(&path, text);
        Self::of_draft(path, draft, environment, flags, now)
    }

    fn of_draft(
        path: PathBuf,
        draft: Draft,
        environment: &BTreeMap<String, String>,
        flags: &Flags,
        now: Timestamp,
    ) -> Result<Self, ConfigurationError> {
        let settings = layered(&draft, environment, flags)?;
        let machine = Machine::default();
        let in_file = draft.daemon().and_then(|daemon| daemon.get("timezone")).and_then(toml::Value::as_str);
        if in_file != Some(settings.timezone.as_str()) && machine.zone(&settings.timezone).is_none() {
            let message = format!("there is no zone `{}` (from a flag or a variable)", settings.timezone);
            return Err(SettingsError::Value { key: "timezone", message }.into());
        }
        let checked = draft.check(&machine, &settings.timezone, now);
        Ok(Self { path, settings, checked, machine })
    }

    /// Only the settings: what a question needs that wants to know where the ledger is. Nothing is made of the jobs, which takes
    /// long where there are many.
    pub fn settings(
        path: &Path,
        environment: &BTreeMap<String, String>,
        flags: &Flags,
    ) -> Result<Settings, ConfigurationError> {
        let draft = Draft::parse(path, read_text(path)?);
        Ok(layered(&draft, environment, flags)?)
    }

    /// How many runs may go at once.
    pub fn capacities(&self) -> Capacities {
        Capacities { places: self.settings.max_running, pools: self.checked.pools.clone() }
    }
}

fn layered(draft: &Draft, environment: &BTreeMap<String, String>, flags: &Flags) -> Result<Settings, SettingsError> {
    let none = toml::Table::new();
    Settings::layered(draft.daemon().unwrap_or(&none), environment.clone(), flags)
}

//! What do the file, the environment and the flags make together?

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::files::{Machine, ReadError, Texts, Trust, read_source, read_text};
use crate::job::{Channel, ChannelName, Job, Smtp, Target};
use crate::jobfile::{Checked, Draft, Source, Zones, address};
use crate::plan::{Capacities, channel_edits, edits, pool_edits, smtp_edits, without_what_follows};
use crate::report::{EditReport, KeyEdit, SettingEdit};
use crate::settings::{Flags, PING, PREFIX, Settings, SettingsError};

/// The variable that says which zone is meant by the word for the machine's own.
const ZONE: &str = "TZ";
const SYSTEM: &str = "system";
/// The folder with templates for notices that is taken where nothing is said.
const TEMPLATES: &str = "templates";

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

/// What is over a file: variables and flags.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Overlay {
    pub environment: BTreeMap<String, String>,
    pub flags: Flags,
}

/// Everything from which what is in force can be had again, whatever has become of the files since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InForce {
    pub source: Source,
    pub texts: Texts,
    pub overlay: Overlay,
}

/// What is in force, as far as another file is compared with it.
#[derive(Debug, Clone)]
pub struct Base {
    pub source: Arc<Source>,
    jobs: Vec<Arc<Job>>,
    pools: BTreeMap<String, usize>,
    channels: BTreeMap<ChannelName, Arc<Channel>>,
    smtp: Option<Arc<Smtp>>,
    settings: Settings,
}

impl Base {
    /// Nothing is in force, on the terms of this file.
    pub fn nothing(file: &Configuration) -> Self {
        let (source, settings) = (file.checked.source.clone(), file.settings.clone());
        Self { source, jobs: Vec::new(), pools: BTreeMap::new(), channels: BTreeMap::new(), smtp: None, settings }
    }
}

impl Overlay {
    /// What `system` meant to whoever wrote it down.
    pub fn zone(&self) -> Option<&str> {
        self.environment.get(ZONE).map(String::as_str)
    }
}

impl InForce {
    pub fn read(self, now: Timestamp) -> Result<Configuration, ConfigurationError> {
        let Overlay { environment, flags } = &self.overlay;
        let machine = Machine::remembering(self.texts).in_zone(self.overlay.zone());
        Configuration::of_source(self.source, machine, environment, flags, now)
    }
}

impl Configuration {
    /// Reads a file; that it is wrong is no error here.
    pub fn read(
        path: &Path,
        environment: &BTreeMap<String, String>,
        flags: &Flags,
        now: Timestamp,
    ) -> Result<Self, ConfigurationError> {
        let source = read_source(path, Trust::Anybody)?;
        Self::of_source(source, Machine::default(), environment, flags, now)
    }

    /// What texts that were read from files come to on this machine as it is now: its zones and calendars may have
    /// changed since.
    pub fn of_source(
        source: Source,
        machine: Machine,
        environment: &BTreeMap<String, String>,
        flags: &Flags,
        now: Timestamp,
    ) -> Result<Self, ConfigurationError> {
        let path = source.path.clone();
        let draft = Draft::read(source);
        let settings = layered(&draft, environment, flags)?;
        let in_file = draft.daemon().and_then(|daemon| daemon.get("timezone")).and_then(toml::Value::as_str);
        if in_file != Some(settings.timezone.as_str()) && machine.zone(&settings.timezone).is_none() {
            let message = format!("there is no zone `{}` (from a flag or a variable)", settings.timezone);
            return Err(SettingsError::Value { key: "timezone", message }.into());
        }
        let checked = draft.check(&machine, &settings.timezone, now);
        if let Some((key, name)) = unknown_channel(&settings, &checked) {
            let message = format!("there is no channel `{name}` (from a variable)");
            return Err(SettingsError::Value { key, message }.into());
        }
        Ok(Self { path, settings, checked, machine })
    }

    pub fn base(&self) -> Base {
        let (source, jobs) = (self.checked.source.clone(), self.checked.jobs.clone());
        let (channels, smtp) = (self.checked.channels.clone(), self.checked.smtp.clone());
        Base { source, jobs, pools: self.checked.pools.clone(), channels, smtp, settings: self.settings.clone() }
    }

    /// What it changes.
    pub fn edit_of(&self, base: &Base, now: Timestamp) -> EditReport {
        let both = base.settings.keys().into_iter().zip(self.settings.keys());
        let edited = both.filter(|(old, new)| !old.is_as(new)).map(|(old, new)| {
            let key = format!("daemon.{}", new.key);
            let key = KeyEdit { key, old: Some(old.value), new: Some(new.value) };
            SettingEdit { key, at_next_start: new.is_fixed }
        });
        let checked = &self.checked;
        let settings = edited
            .chain(smtp_edits(base.smtp.as_deref(), checked.smtp.as_deref()))
            .chain(channel_edits(&base.channels, &checked.channels))
            .chain(pool_edits(&base.pools, &checked.pools))
            .collect();
        let jobs = edits(&base.jobs, &checked.jobs, now);
        EditReport { jobs: without_what_follows(jobs, &base.channels, &checked.channels), settings }
    }

    /// The words in which [`InForce`] is kept by who has it in memory.
    pub fn in_force(&self, overlay: &Overlay) -> String {
        self.words(&self.checked.source, &overlay.environment, &overlay.flags)
    }

    /// The same without secrets, for the ledger.
    pub fn in_force_shown(&self, overlay: &Overlay) -> String {
        let mut environment = overlay.environment.clone();
        if let Some(ping) = environment.get_mut(PING)
            && let Ok(url) = address(ping)
        {
            *ping = Target::Open(url).to_string();
        }
        self.words(&self.checked.without_secrets(), &environment, &overlay.flags)
    }

    fn words(&self, source: &Source, environment: &BTreeMap<String, String>, flags: &Flags) -> String {
        let ours = |(name, _): &(&String, &String)| name.starts_with(PREFIX);
        let told = environment.get(ZONE).cloned();
        let mut environment: BTreeMap<_, _> = environment.iter().filter(ours).collect();
        // Whoever reads the words may be told of another zone.
        let system = self.machine.zone(SYSTEM).map(|zone| zone.name).filter(|name| name != SYSTEM);
        let (zone, told) = (ZONE.to_owned(), system.or(told));
        environment.extend(told.as_ref().map(|told| (&zone, told)));
        json!({
            "source": source,
            "texts": self.machine.texts(),
            "overlay": { "environment": environment, "flags": flags },
        })
        .to_string()
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

    /// The daemon's own zone.
    pub fn zone(&self) -> TimeZone {
        self.machine.zone(&self.settings.timezone).map_or(TimeZone::UTC, |zone| zone.zone)
    }

    /// The folder with templates for notices: the one that is said, or the one of the usual name beside the file, if that is
    /// there.
    pub fn templates(&self) -> Option<PathBuf> {
        let usual = || self.path.parent().map(|folder| folder.join(TEMPLATES)).filter(|folder| folder.is_dir());
        self.settings.templates.clone().or_else(usual)
    }

    /// How many runs may go at once.
    pub fn capacities(&self) -> Capacities {
        Capacities { places: self.settings.max_running, pools: self.checked.pools.clone() }
    }
}

fn layered(draft: &Draft, environment: &BTreeMap<String, String>, flags: &Flags) -> Result<Settings, SettingsError> {
    let none = toml::Table::new();
    let settings = Settings::layered(draft.daemon().unwrap_or(&none), environment.clone(), flags)?;
    Ok(settings.within(draft.folder()))
}

/// A channel that is named and not there, though the file is right: a variable names it.
fn unknown_channel(settings: &Settings, checked: &Checked) -> Option<(&'static str, String)> {
    let is_known = |name: &str| checked.channels.keys().any(|known| known.as_str() == name);
    let unknown = settings.named_channels().find(|(_, name)| checked.is_right() && !is_known(name));
    unknown.map(|(key, name)| (key, name.to_owned()))
}

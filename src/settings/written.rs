//! How are the settings written, and which of that can be meant?

use std::path::PathBuf;

use serde::Deserialize;

use super::{Backups, Digest, Readers, Retention, Settings, SettingsError, WhenUnrecordable};
use crate::job::{SecretSource, Target};
use crate::jobfile::address;
use crate::schedule::{Schedule, parse_duration, parse_size};

/// The settings as written, whatever layer they come from.
#[derive(Deserialize)]
pub struct Written {
    database: String,
    timezone: String,
    max_running: i64,
    stop_grace: String,
    when_unrecordable: String,
    operators: OneOrMany,
    readers: OneOrMany,
    channels: Option<OneOrMany>,
    ping: Option<WrittenTarget>,
    templates: Option<String>,
    housekeeping: WrittenChores,
    retention: WrittenRetention,
}

/// A list, of which the environment has only one text, with commas.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// An address, or where one stands.
#[derive(Deserialize)]
#[serde(untagged)]
enum WrittenTarget {
    Open(String),
    Secret(WrittenSecret),
}

#[derive(Deserialize)]
struct WrittenSecret {
    env: Option<String>,
    file: Option<String>,
    credential: Option<String>,
}

#[derive(Deserialize)]
struct WrittenDigest {
    schedule: String,
    channels: Option<OneOrMany>,
}

#[derive(Deserialize)]
struct WrittenChores {
    prune: String,
    optimize: String,
    audit: String,
    backup: WrittenBackups,
    digest: WrittenDigest,
}

#[derive(Debug, Deserialize)]
struct WrittenBackups {
    schedule: String,
    to: String,
    keep_last: i64,
}

#[derive(Debug, Deserialize)]
struct WrittenRetention {
    keep: String,
    keep_failures: String,
    keep_last: i64,
    max_size: String,
}

impl Written {
    pub fn checked(self) -> Result<Settings, SettingsError> {
        let max_running = usize::try_from(self.max_running).ok().filter(|runs| *runs > 0);
        Ok(Settings {
            database: (!self.database.is_empty())
                .then(|| self.database.into())
                .ok_or_else(|| value("database", "it is empty"))?,
            timezone: self.timezone,
            max_running: max_running.ok_or_else(|| value("max_running", "at least one run must be possible"))?,
            stop_grace: parse_duration(&self.stop_grace).map_err(|error| value("stop_grace", error.to_string()))?,
            when_unrecordable: when_unrecordable(&self.when_unrecordable)?,
            operators: groups("operators", self.operators)?,
            readers: match groups("readers", self.readers)? {
                names if names == [EVERYBODY] => Readers::Everybody,
                names => Readers::Groups(names),
            },
            channels: self.channels.map(names),
            ping: self.ping.map(target).transpose()?.flatten(),
            templates: self.templates.filter(|folder| !folder.is_empty()).map(PathBuf::from),
            prune: chore("housekeeping.prune", &self.housekeeping.prune)?,
            optimize: chore("housekeeping.optimize", &self.housekeeping.optimize)?,
            backup: self.housekeeping.backup.checked()?,
            audit: chore("housekeeping.audit", &self.housekeeping.audit)?,
            digest: chore("housekeeping.digest.schedule", &self.housekeeping.digest.schedule)?
                .map(|pattern| Digest { pattern, channels: self.housekeeping.digest.channels.map(names) }),
            retention: Retention {
                keep: unless_none(&self.retention.keep, parse_duration)
                    .map_err(|error| value("retention.keep", error.to_string()))?,
                keep_failures: unless_none(&self.retention.keep_failures, parse_duration)
                    .map_err(|error| value("retention.keep_failures", error.to_string()))?,
                keep_last: u32::try_from(self.retention.keep_last)
                    .map_err(|_| value("retention.keep_last", "it is a number of runs"))?,
                max_size: unless_none(&self.retention.max_size, parse_size)
                    .map_err(|error| value("retention.max_size", error.to_string()))?,
            },
        })
    }
}

impl WrittenBackups {
    fn checked(self) -> Result<Option<Backups>, SettingsError> {
        let keep_last = usize::try_from(self.keep_last).ok().filter(|backups| *backups > 0);
        let keep_last =
            keep_last.ok_or_else(|| value("housekeeping.backup.keep_last", "at least one backup must stay"))?;
        if self.to.is_empty() || self.to.contains('\0') {
            return Err(value("housekeeping.backup.to", "it is the name of a folder"));
        }
        let pattern = chore("housekeeping.backup.schedule", &self.schedule)?;
        Ok(pattern.map(|pattern| Backups { pattern, to: self.to.into(), keep_last }))
    }
}

fn value(key: &'static str, message: impl Into<String>) -> SettingsError {
    SettingsError::Value { key, message: message.into() }
}

fn unless_none<T, E>(text: &str, parse: impl FnOnce(&str) -> Result<T, E>) -> Result<Option<T>, E> {
    if text == "none" { Ok(None) } else { parse(text).map(Some) }
}

fn when_unrecordable(text: &str) -> Result<WhenUnrecordable, SettingsError> {
    let found = WhenUnrecordable::WORDS.into_iter().find(|(word, _)| *word == text);
    found.map(|(_, choice)| choice).ok_or_else(|| value("when_unrecordable", "it is \"wait\" or \"run\""))
}

/// The word that stands for all groups.
const EVERYBODY: &str = "all";

fn names(written: OneOrMany) -> Vec<String> {
    match written {
        OneOrMany::One(text) if text.trim().is_empty() => Vec::new(),
        OneOrMany::One(text) => text.split(',').map(|name| name.trim().to_owned()).collect(),
        OneOrMany::Many(names) => names,
    }
}

/// An address; `none` or an empty variable takes that of the file back.
fn target(written: WrittenTarget) -> Result<Option<Target>, SettingsError> {
    let secret = |source| Ok(Some(Target::Secret(source)));
    match written {
        WrittenTarget::Open(text) if text.is_empty() || text == "none" => Ok(None),
        WrittenTarget::Open(text) => {
            address(&text).map(|url| Some(Target::Open(url))).map_err(|wrong| value("ping", wrong.to_string()))
        }
        WrittenTarget::Secret(WrittenSecret { env: Some(name), .. }) => secret(SecretSource::Env(name)),
        WrittenTarget::Secret(WrittenSecret { file: Some(path), .. }) => secret(SecretSource::File(path.into())),
        WrittenTarget::Secret(WrittenSecret { credential, .. }) => match credential {
            Some(name) => secret(SecretSource::Credential(name)),
            None => Err(value("ping", "it is an address, or the place of one")),
        },
    }
}

fn groups(key: &'static str, written: OneOrMany) -> Result<Vec<String>, SettingsError> {
    let names = names(written);
    match names.iter().find(|name| name.is_empty() || name.contains(['\0', ' '])) {
        Some(wrong) => Err(value(key, format!("`{wrong}` is no name of a group"))),
        None => Ok(names),
    }
}

fn chore(key: &'static str, text: &str) -> Result<Option<String>, SettingsError> {
    let parse = |text: &str| {
        let schedule = Schedule::parse(text, "").map_err(|error| value(key, error.to_string()))?;
        schedule.chore_pattern().ok_or_else(|| value(key, "housekeeping takes a cron pattern"))
    };
    unless_none(text, parse)
}

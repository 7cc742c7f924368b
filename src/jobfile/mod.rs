//! What does the text of jobs.toml mean?
//!
//! Text, then raw tables in which everything knows its place, then checked jobs. A file is read to its end whatever is
//! wrong with it, so that all errors are said at once. What depends on the machine or the day is no matter of this room.

mod addresses;
mod calendars;
mod channels;
mod check;
mod checker;
mod diagnostic;
mod expect;
mod foreign;
mod groups;
mod headers;
mod house_key;
mod http;
mod include;
mod keys;
mod known;
mod mail;
mod misplaced;
mod order;
mod parts;
mod places;
mod policies;
mod privacy;
mod raw;
mod rename;
mod schema;
mod secret;
mod section;
mod smtp;
mod source;
mod sql;
mod standing;
mod steps;
mod surroundings;
mod syntax;
mod target;
mod telling;
mod timing;
mod tokens;
mod traps;
mod value;
mod wanted;
mod webhook;
mod work;
mod written_command;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use calendars::calendar_from;
use calendars::{Calendars, RawCalendar};
use channels::{Channels, RawChannel};
use checker::Checker;
pub use diagnostic::{Diagnostic, Diagnostics, Lines, Position, nearest};
pub use groups::{NamedGroup, named_groups};
pub use house_key::house_key;
pub use include::includes;
use include::{Names, check_include, check_tables, shifted};
use known::Known;
use misplaced::{misplaced, no_job};
use order::check_order;
use places::job_places;
pub use places::{JobPlaces, Origin};
use policies::Policies;
use raw::RawJob;
use rename::check_names;
pub use schema::schema;
use section::{At, dotted};
use smtp::{Outlet, read_smtp};
pub use source::{Included, Part, Source, Unread};
pub use target::{NoAddress, address};
pub use timing::{Kept, timing_from};

use crate::job::{Channel, ChannelName, Job, JobName, NameError, Smtp};

/// A zone as it was found: its data, and what tells one version of the data from another.
#[derive(Debug, Clone)]
pub struct Zone {
    pub name: String,
    pub zone: jiff::tz::TimeZone,
    pub data: String,
    /// The data itself, as TZif, from which the zone can be had again; `None` where it is not known.
    pub tzif: Option<Arc<[u8]>>,
}

/// Where zones come from; this room does not read files.
pub trait Zones: Sync {
    /// The zone of this IANA name, or of the machine for `system`.
    fn zone(&self, name: &str) -> Option<Zone>;
    /// All names, for suggestions.
    fn names(&self) -> Vec<String>;
}

/// The place where a file stands: what it says depends on it.
pub trait Site: Zones {
    /// What tells this machine from others.
    fn machine_id(&self) -> &str;
    /// The text of another file that the first one names; the error is for people.
    fn text(&self, path: &Path) -> Result<String, String>;
}

/// A file that was read; [`Draft::check`] makes jobs of it.
pub struct Draft {
    source: Arc<Source>,
    defaults: Policies,
    calendars: Vec<RawCalendar>,
    pools: BTreeMap<String, usize>,
    channels: Vec<RawChannel>,
    outlet: Outlet,
    jobs: Vec<(At<JobName>, RawJob)>,
    daemon: toml::Table,
    daemon_timezone: Option<Range<usize>>,
    daemon_channels: Vec<(&'static str, At<String>)>,
    said: Diagnostics,
}

/// What a file means: its jobs, in the order of the file, where it is right; and what is to be said about it.
pub struct Checked {
    pub source: Arc<Source>,
    pub jobs: Vec<Arc<Job>>,
    /// Named capacities that jobs share.
    pub pools: BTreeMap<String, usize>,
    /// Whom to tell.
    pub channels: BTreeMap<ChannelName, Arc<Channel>>,
    /// How mail leaves; none where the file does not say so.
    pub smtp: Option<Arc<Smtp>>,
    pub said: Diagnostics,
    /// Texts of the source whose content is a secret.
    secrets: Vec<Range<usize>>,
    /// Where each job's keys stand, for warnings that depend on the machine.
    places: Vec<JobPlaces>,
    /// Where the names of channels stand, in alphabetic order.
    channel_places: Vec<Range<usize>>,
}

impl Checked {
    /// Whether the file may be put into force.
    pub fn is_right(&self) -> bool {
        self.said.errors.is_empty()
    }

    /// The source with stars in the place of secrets, which means the same otherwise.
    pub fn without_secrets(&self) -> Source {
        self.source.starred(&self.secrets)
    }

    /// Whether a text of the source is a secret.
    pub fn has_secrets(&self) -> bool {
        !self.secrets.is_empty()
    }

    /// The channels of these names that the file has, or every one of it.
    pub fn channels_of(&self, names: Option<&[String]>) -> Vec<Arc<Channel>> {
        let is_named =
            |channel: &&Arc<Channel>| names.is_none_or(|names| names.iter().any(|name| name == channel.name.as_str()));
        self.channels.values().filter(is_named).cloned().collect()
    }

    /// Forgets what is for people who read the file: where each job's keys stand, and what was to be said. What is in
    /// force for months is the text and its jobs.
    pub fn put_into_force(&mut self) {
        self.places = Vec::new();
        self.channel_places = Vec::new();
        self.said = Diagnostics::default();
    }

    /// Each channel with where its name stands, until the file is put into force.
    pub fn channels_with_places(&self) -> impl Iterator<Item = (&Arc<Channel>, &Range<usize>)> {
        self.channels.values().zip(&self.channel_places)
    }

    /// Each job with where it stands, until the file is put into force.
    pub fn jobs_with_places(&self) -> impl Iterator<Item = (&Arc<Job>, &JobPlaces)> {
        self.jobs.iter().zip(&self.places)
    }
}

impl Draft {
    /// Reads the text of a file that includes no others.
    pub fn parse(path: &Path, text: String) -> Self {
        Self::read(Source::new(path.to_owned(), text))
    }

    /// Reads a file with those that it includes.
    pub fn read(source: Source) -> Self {
        let mut said = Diagnostics::default();
        let mut draft = Parts::default();
        for at in &source.not_utf8 {
            let help = "save the file as UTF-8; it may be in Latin-1, or be no text at all";
            said.error(
                "",
                *at..at + char::REPLACEMENT_CHARACTER.len_utf8(),
                "this is not UTF-8",
                Some(help.to_owned()),
            );
        }
        let tables: Vec<Option<DeTable>> = source.parts().map(|part| form_of(&part, &mut said)).collect();
        // What is missing from one file would be missed in all others.
        if source.not_utf8.is_empty() && tables.iter().all(Option::is_some) {
            let mut names = Names::default();
            for (number, table) in tables.iter().flatten().enumerate() {
                match number {
                    0 => draft.take_main(table, &source, &mut names, &mut said),
                    _ => draft.take_included(table, &source, &mut names, &mut said),
                }
            }
        }
        drop(tables);
        Self {
            source: Arc::new(source),
            defaults: draft.defaults,
            calendars: draft.calendars,
            pools: draft.pools,
            channels: draft.channels,
            outlet: draft.outlet,
            jobs: draft.jobs,
            daemon: draft.daemon,
            daemon_timezone: draft.daemon_timezone,
            daemon_channels: draft.daemon_channels,
            said,
        }
    }

    /// The folder of the file, from which the relative paths of `[daemon]` are taken.
    pub fn folder(&self) -> &Path {
        self.source.folder(0)
    }

    /// The `[daemon]` table as it was written, if the file has no errors so far.
    pub fn daemon(&self) -> Option<&toml::Table> {
        self.said.errors.is_empty().then_some(&self.daemon)
    }

    /// Makes jobs of the tables. `timezone` is the zone of jobs that name none, as the daemon's settings have it.
    pub fn check(mut self, site: &dyn Site, timezone: &str, now: Timestamp) -> Checked {
        let source = self.source.clone();
        let calendars = Calendars::check(&self.calendars, &source, site, &mut self.said);
        let outlet = self.outlet.within(source.folder(0));
        let channels = Channels::check(&self.channels, &source, &outlet, &mut self.said);
        for (key, name) in &self.daemon_channels {
            channels.named(std::slice::from_ref(name), key, &mut self.said);
        }
        let told = match &self.defaults.channels {
            Some(names) => channels.named(&names.value, "defaults.channels", &mut self.said),
            None => channels.every(),
        };
        let smtp = outlet.smtp().cloned();
        let (defaults, said) = (&self.defaults, &mut self.said);
        let (pools, known) = (&self.pools, Known::default());
        let folder = source.folder(0).to_owned();
        let mut checker = Checker {
            site,
            source: &source,
            folder,
            calendars,
            pools,
            channels: &channels,
            told,
            outlet,
            known,
            defaults,
            said,
        };
        let default_zone = checker.default_zone(timezone, self.daemon_timezone.clone());
        let mut jobs = Vec::with_capacity(self.jobs.len());
        let mut places = Vec::with_capacity(self.jobs.len());
        for (name, raw) in &self.jobs {
            let folder = source.folder(name.span.start);
            if checker.folder != folder {
                folder.clone_into(&mut checker.folder);
            }
            if let Some(job) = checker.job(name, raw, default_zone.as_ref(), now) {
                places.push(job_places(name, raw, &self.defaults));
                jobs.push(Arc::new(job));
            }
        }
        check_order(&self.jobs, &mut self.said);
        check_names(&self.jobs, &mut self.said);
        self.said.sort();
        let secrets = std::mem::take(&mut self.said.secrets);
        let (channels, channel_places) = channels.into_map(&self.channels);
        Checked {
            source: self.source,
            jobs,
            pools: self.pools,
            channels,
            smtp,
            said: self.said,
            secrets,
            places,
            channel_places,
        }
    }
}

/// The keys that a job may have, in the order of their mention.
pub fn job_keys() -> impl Iterator<Item = &'static str> {
    keys::JOB.iter().chain(keys::POLICIES).map(|key| key.name)
}

/// The names of the jobs in a text, as far as it can be read, in the order of the file.
pub fn job_names(text: &str) -> Vec<String> {
    let (table, _) = DeTable::parse_recoverable(text);
    let jobs = table.get_ref().get("jobs").and_then(|jobs| jobs.get_ref().as_table());
    jobs.into_iter().flat_map(DeTable::keys).map(|name| name.get_ref().to_string()).collect()
}

/// The tables of a file, with all in its place in the whole, as far as its form lets it be read.
fn form_of<'s>(part: &Part<'s>, said: &mut Diagnostics) -> Option<DeTable<'s>> {
    let mut of_file = Diagnostics::default();
    let table = syntax::read(part.text, &mut of_file);
    said.add_form(of_file, part.start);
    table.map(|table| if part.start == 0 { table } else { shifted(table, part.start) })
}

/// The tables of all files.
#[derive(Default)]
struct Parts {
    defaults: Policies,
    calendars: Vec<RawCalendar>,
    pools: BTreeMap<String, usize>,
    channels: Vec<RawChannel>,
    outlet: Outlet,
    jobs: Vec<(At<JobName>, RawJob)>,
    daemon: toml::Table,
    daemon_timezone: Option<Range<usize>>,
    daemon_channels: Vec<(&'static str, At<String>)>,
}

impl Parts {
    fn take_main(&mut self, table: &DeTable, source: &Source, names: &mut Names, said: &mut Diagnostics) {
        let text = source.part(0).text;
        if !source.included.is_empty() {
            names.add(table, source, said);
        }
        for (key, value) in table.iter() {
            let name: &str = key.get_ref();
            match (name, value.get_ref()) {
                ("include", _) => check_include(value, source, said),
                ("daemon", DeValue::Table(table)) => {
                    self.daemon_channels = raw::check_daemon(table, said);
                    self.daemon = daemon_table(text);
                    self.daemon_timezone = table.get("timezone").map(Spanned::span);
                }
                ("defaults", DeValue::Table(table)) => self.defaults = Policies::read_defaults(table, said),
                ("calendars", DeValue::Table(table)) => self.calendars = RawCalendar::read_all(table, said),
                ("pools", DeValue::Table(table)) => self.pools = raw::read_pools(table, said),
                ("channels", DeValue::Table(table)) => self.channels = RawChannel::read_all(table, said),
                ("smtp", DeValue::Table(table)) => self.outlet = read_smtp(table, &key.span(), said),
                ("jobs", DeValue::Table(table)) => self.jobs = read_jobs(table, said),
                _ => misplaced(key, value, said),
            }
        }
    }

    /// Adds what an included file has; `names` are those of the files before it.
    fn take_included(&mut self, table: &DeTable, source: &Source, names: &mut Names, said: &mut Diagnostics) {
        names.add(table, source, said);
        check_tables(table, said);
        for (key, value) in table.iter() {
            match (&**key.get_ref(), value.get_ref()) {
                ("calendars", DeValue::Table(table)) => self.calendars.extend(RawCalendar::read_all(table, said)),
                ("pools", DeValue::Table(table)) => self.pools.extend(raw::read_pools(table, said)),
                ("channels", DeValue::Table(table)) => self.channels.extend(RawChannel::read_all(table, said)),
                ("jobs", DeValue::Table(table)) => self.jobs.extend(read_jobs(table, said)),
                ("calendars" | "pools" | "channels" | "jobs", _) => misplaced(key, value, said),
                _ => {}
            }
        }
    }
}

/// The table without places, for the layering of settings.
fn daemon_table(text: &str) -> toml::Table {
    let whole: toml::Table = toml::from_str(text).unwrap_or_default();
    whole.get("daemon").and_then(toml::Value::as_table).cloned().unwrap_or_default()
}

fn read_jobs(table: &DeTable, said: &mut Diagnostics) -> Vec<(At<JobName>, RawJob)> {
    let mut jobs = Vec::new();
    for (key, value) in table.iter() {
        let path = dotted("jobs", key.get_ref());
        let Some(table) = value.get_ref().as_table() else {
            no_job(key, value, said);
            continue;
        };
        let raw = RawJob::read(table, &path, said);
        match JobName::new(key.get_ref()) {
            Ok(name) => jobs.push((At { value: name, span: key.span() }, raw)),
            Err(error) => {
                let help = error.instead(key.get_ref()).map(|name| format!("write [jobs.{name}]"));
                let found = said.error(&path, key.span(), error.to_string(), help);
                if error == NameError::FirstLetter {
                    found.note(NAMES);
                }
            }
        }
    }
    jobs
}

const NAMES: &str = "a name begins with a letter, so that it is told from the number of a run";

#[cfg(test)]
mod tests;

//! What does the text of jobs.toml mean?
//!
//! Text, then raw tables in which everything knows its place, then checked jobs. A file is read to its end whatever is
//! wrong with it, so that all errors are said at once. What depends on the machine or the day is no matter of this room.

mod calendars;
mod check;
mod checker;
mod diagnostic;
mod expect;
mod foreign;
mod groups;
mod http;
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
mod schema;
mod secret;
mod section;
mod smtp;
mod sql;
mod standing;
mod steps;
mod surroundings;
mod syntax;
mod timing;
mod tokens;
mod traps;
mod value;
mod wanted;
mod work;

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use calendars::calendar_from;
use calendars::{Calendars, RawCalendar};
use checker::Checker;
pub use diagnostic::{Diagnostic, Diagnostics, Lines, Position, Source, nearest};
pub use groups::{NamedGroup, named_groups};
use known::Known;
use misplaced::{misplaced, no_job};
use order::check_order;
use places::job_places;
pub use places::{JobPlaces, Origin};
use policies::Policies;
use raw::RawJob;
pub use schema::schema;
use section::{At, dotted};
use smtp::{Outlet, read_smtp};
pub use timing::{Kept, timing_from};

use crate::job::{Job, JobName, NameError};

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
    outlet: Outlet,
    jobs: Vec<(At<JobName>, RawJob)>,
    daemon: toml::Table,
    daemon_timezone: Option<Range<usize>>,
    said: Diagnostics,
}

/// What a file means: its jobs, in the order of the file, where it is right; and what is to be said about it.
pub struct Checked {
    pub source: Arc<Source>,
    pub jobs: Vec<Arc<Job>>,
    /// Named capacities that jobs share.
    pub pools: BTreeMap<String, usize>,
    pub said: Diagnostics,
    /// Where each job's keys stand, for warnings that depend on the machine.
    places: Vec<JobPlaces>,
}

impl Checked {
    /// Whether the file may be put into force.
    pub fn is_right(&self) -> bool {
        self.said.errors.is_empty()
    }

    /// Forgets what is for people who read the file: where each job's keys stand, and what was to be said. What is in
    /// force for months is the text and its jobs.
    pub fn put_into_force(&mut self) {
        self.places = Vec::new();
        self.said = Diagnostics::default();
    }

    /// Each job with where it stands, until the file is put into force.
    pub fn jobs_with_places(&self) -> impl Iterator<Item = (&Arc<Job>, &JobPlaces)> {
        self.jobs.iter().zip(&self.places)
    }
}

impl Draft {
    /// Reads the text of a file.
    pub fn parse(path: &Path, text: String) -> Self {
        let mut said = Diagnostics::default();
        let parts = match syntax::read(&text, &mut said) {
            Some(table) => Parts::read(&table, &text, &mut said),
            None => Parts::default(),
        };
        Self::of(path, text, parts, said)
    }

    /// Of a file that is no text: `text` is what can be read of it, and `at` the first byte of it that cannot.
    pub fn of_no_text(path: &Path, text: String, at: usize) -> Self {
        let mut said = Diagnostics::default();
        let help = "save the file as UTF-8; it may be in Latin-1, or be no text at all";
        said.error("", at..at + char::REPLACEMENT_CHARACTER.len_utf8(), "this is not UTF-8", Some(help.to_owned()));
        Self::of(path, text, Parts::default(), said)
    }

    fn of(path: &Path, text: String, parts: Parts, said: Diagnostics) -> Self {
        Self {
            source: Arc::new(Source { path: path.to_owned(), text }),
            defaults: parts.defaults,
            calendars: parts.calendars,
            pools: parts.pools,
            outlet: parts.outlet,
            jobs: parts.jobs,
            daemon: parts.daemon,
            daemon_timezone: parts.daemon_timezone,
            said,
        }
    }

    /// The `[daemon]` table as it was written, if the file has no errors so far.
    pub fn daemon(&self) -> Option<&toml::Table> {
        self.said.errors.is_empty().then_some(&self.daemon)
    }

    /// Makes jobs of the tables. `timezone` is the zone of jobs that name none, as the daemon's settings have it.
    pub fn check(mut self, site: &dyn Site, timezone: &str, now: Timestamp) -> Checked {
        let folder = self.source.path.parent().unwrap_or(Path::new("")).to_owned();
        let calendars = Calendars::check(&self.calendars, &folder, site, &mut self.said);
        let outlet = self.outlet.within(&folder);
        let (defaults, said) = (&self.defaults, &mut self.said);
        let (pools, known) = (&self.pools, Known::default());
        let mut checker = Checker { site, folder, calendars, pools, outlet, known, defaults, said };
        let default_zone = checker.default_zone(timezone, self.daemon_timezone.clone());
        let mut jobs = Vec::with_capacity(self.jobs.len());
        let mut places = Vec::with_capacity(self.jobs.len());
        for (name, raw) in &self.jobs {
            if let Some(job) = checker.job(name, raw, default_zone.as_ref(), now) {
                places.push(job_places(name, raw, &self.defaults));
                jobs.push(Arc::new(job));
            }
        }
        check_order(&self.jobs, &mut self.said);
        self.said.sort();
        Checked { source: self.source, jobs, pools: self.pools, said: self.said, places }
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

/// The tables of a file.
#[derive(Default)]
struct Parts {
    defaults: Policies,
    calendars: Vec<RawCalendar>,
    pools: BTreeMap<String, usize>,
    outlet: Outlet,
    jobs: Vec<(At<JobName>, RawJob)>,
    daemon: toml::Table,
    daemon_timezone: Option<Range<usize>>,
}

impl Parts {
    fn read(table: &DeTable, text: &str, said: &mut Diagnostics) -> Self {
        let mut parts = Self::default();
        for (key, value) in table.iter() {
            let name: &str = key.get_ref();
            match (name, value.get_ref()) {
                ("daemon", DeValue::Table(table)) => {
                    raw::check_daemon(table, said);
                    parts.daemon = daemon_table(text);
                    parts.daemon_timezone = table.get("timezone").map(Spanned::span);
                }
                ("defaults", DeValue::Table(table)) => parts.defaults = Policies::read_defaults(table, said),
                ("calendars", DeValue::Table(table)) => parts.calendars = RawCalendar::read_all(table, said),
                ("pools", DeValue::Table(table)) => parts.pools = raw::read_pools(table, said),
                ("smtp", DeValue::Table(table)) => parts.outlet = read_smtp(table, &key.span(), said),
                ("jobs", DeValue::Table(table)) => parts.jobs = read_jobs(table, said),
                _ => misplaced(key, value, said),
            }
        }
        parts
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

//! What does the text of jobs.toml mean?
//!
//! Text, then raw tables in which everything knows its place, then checked jobs. A file is read to its end whatever is
//! wrong with it, so that all errors are said at once. What depends on the machine or the day is no matter of this room.

mod diagnostic;
mod raw;
mod section;

use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use diagnostic::{Diagnostic, Diagnostics, Position, Source, nearest};
use raw::{Policies, RawCommand, RawJob};
use section::{At, Settable, describe, dotted};

use crate::job::{CatchUp, Command, CommandLine, Job, JobName, Overlap, Task, Timing, WrittenTiming};
use crate::schedule::{Fold, Gap, Place, Schedule, Timetable};

/// A zone as it was found: its data, and what tells one version of the data from another.
#[derive(Debug, Clone)]
pub struct Zone {
    pub name: String,
    pub zone: jiff::tz::TimeZone,
    pub data: String,
}

/// Where zones come from; this room does not read files.
pub trait Zones: Sync {
    /// The zone of this IANA name, or of the machine for `system`.
    fn zone(&self, name: &str) -> Option<Zone>;
    /// All names, for suggestions.
    fn names(&self) -> Vec<String>;
}

const DEFAULT_SHELL: [&str; 2] = ["/bin/sh", "-ec"];
const DEFAULT_KILL_AFTER: Duration = Duration::from_secs(10);
const DEFAULT_OUTPUT_LIMIT: u64 = 1 << 20;
const TOP_LEVEL: [&str; 3] = ["daemon", "defaults", "jobs"];

/// A file that was read; [`Draft::check`] makes jobs of it.
pub struct Draft {
    source: Arc<Source>,
    defaults: Policies,
    jobs: Vec<(At<JobName>, RawJob)>,
    daemon: toml::Table,
    daemon_timezone: Option<Range<usize>>,
    said: Diagnostics,
}

/// What a file means: its jobs, in the order of the file, where it is right; and what is to be said about it.
pub struct Checked {
    pub source: Arc<Source>,
    pub jobs: Vec<Arc<Job>>,
    pub said: Diagnostics,
    /// Where each job's keys stand, for warnings that depend on the machine.
    places: Vec<JobPlaces>,
}

/// Where in the text a job's keys stand.
#[derive(Debug, Clone)]
pub struct JobPlaces {
    pub name: Range<usize>,
    pub schedule: Option<Range<usize>>,
    pub command: Option<Range<usize>>,
    pub cwd: Option<Range<usize>>,
    pub env_files: Vec<Range<usize>>,
    /// Where the values of its keys come from.
    pub origins: Vec<(&'static str, Origin)>,
}

/// Where a value of a job comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nobody said anything.
    BuiltIn,
    /// The place in `[defaults]`.
    Defaults(Range<usize>),
    /// The place in the job's own table.
    Job(Range<usize>),
}

impl JobPlaces {
    pub fn origin(&self, key: &str) -> &Origin {
        self.origins.iter().find(|(known, _)| *known == key).map_or(&Origin::BuiltIn, |(_, origin)| origin)
    }
}

impl Checked {
    /// Whether the file may be put into force.
    pub fn is_right(&self) -> bool {
        self.said.errors.is_empty()
    }

    /// Each job with where it stands.
    pub fn jobs_with_places(&self) -> impl Iterator<Item = (&Arc<Job>, &JobPlaces)> {
        self.jobs.iter().zip(&self.places)
    }
}

impl Draft {
    /// Reads the text of a file.
    pub fn parse(path: &Path, text: String) -> Self {
        let mut said = Diagnostics::default();
        let mut draft = Parts::default();
        let (table, errors) = DeTable::parse_recoverable(&text);
        match errors.first() {
            // What the parser says after its first error is mostly a consequence of it.
            Some(error) => {
                let span = error.span().unwrap_or(0..0);
                said.error("", span, error.message().trim().to_owned(), syntax_help(error.message()));
            }
            None => draft = Parts::read(table.get_ref(), &text, &mut said),
        }
        drop(table);
        Self {
            source: Arc::new(Source { path: path.to_owned(), text }),
            defaults: draft.defaults,
            jobs: draft.jobs,
            daemon: draft.daemon,
            daemon_timezone: draft.daemon_timezone,
            said,
        }
    }

    /// The `[daemon]` table as it was written, if the file has no errors so far.
    pub fn daemon(&self) -> Option<&toml::Table> {
        self.said.errors.is_empty().then_some(&self.daemon)
    }

    /// Makes jobs of the tables. `timezone` is the zone of jobs that name none, as the daemon's settings have it.
    pub fn check(mut self, zones: &dyn Zones, timezone: &str, now: Timestamp) -> Checked {
        let folder = self.source.path.parent().unwrap_or(Path::new("")).to_owned();
        let mut checker = Checker { zones, folder, defaults: &self.defaults, said: &mut self.said };
        let default_zone = checker.default_zone(timezone, self.daemon_timezone.clone());
        let mut jobs = Vec::new();
        let mut places = Vec::new();
        for (name, raw) in &self.jobs {
            if let Some(job) = checker.job(name, raw, default_zone.as_ref(), now) {
                places.push(job_places(name, raw, &self.defaults));
                jobs.push(Arc::new(job));
            }
        }
        self.said.sort();
        Checked { source: self.source, jobs, said: self.said, places }
    }
}

fn syntax_help(message: &str) -> Option<String> {
    message
        .contains("duplicate key")
        .then(|| "each name may stand once in a file; rename one of the two or join them".to_owned())
}

fn job_places(name: &At<JobName>, raw: &RawJob, defaults: &Policies) -> JobPlaces {
    JobPlaces {
        origins: origins(raw, defaults),
        name: name.span.clone(),
        schedule: raw.schedule.as_ref().map(|at| at.span.clone()),
        command: raw.command.as_ref().map(|at| at.span.clone()),
        cwd: raw.policies.cwd.as_ref().map(|at| at.span.clone()),
        env_files: raw.policies.env_file.iter().flat_map(|at| &at.value).flatten().map(|at| at.span.clone()).collect(),
    }
}

fn origins(raw: &RawJob, defaults: &Policies) -> Vec<(&'static str, Origin)> {
    let own = |span: Option<Range<usize>>| span.map_or(Origin::BuiltIn, Origin::Job);
    let (job, inherited) = (raw.policies.places(), defaults.places());
    let policies = job.into_iter().zip(inherited).map(|((key, job), (_, inherited))| match (job, inherited) {
        (Some(span), _) => (key, Origin::Job(span)),
        (None, Some(span)) => (key, Origin::Defaults(span)),
        (None, None) => (key, Origin::BuiltIn),
    });
    let keys = [
        ("description", own(raw.description.as_ref().map(|at| at.span.clone()))),
        ("enabled", own(raw.enabled.as_ref().map(|at| at.span.clone()))),
        ("schedule", own(raw.schedule.as_ref().map(|at| at.span.clone()))),
        ("command", own(raw.command.as_ref().map(|at| at.span.clone()))),
        ("stdin", own(raw.stdin.as_ref().map(|at| at.span.clone()))),
    ];
    keys.into_iter().chain(policies).collect()
}

/// The tables of a file.
#[derive(Default)]
struct Parts {
    defaults: Policies,
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
                ("jobs", DeValue::Table(table)) => parts.jobs = read_jobs(table, said),
                ("daemon" | "defaults" | "jobs", other) => said.error(
                    name,
                    value.span(),
                    format!("`{name}` is a table, not {}", describe(other)),
                    Some(format!("write [{name}] on a line of its own")),
                ),
                _ => said.error(name, key.span(), format!("unknown table `{name}`"), Some(top_level_help(name))),
            }
        }
        parts
    }
}

fn top_level_help(name: &str) -> String {
    match nearest(name, TOP_LEVEL) {
        Some(near) => format!("did you mean `{near}`?"),
        None => format!("a job is written as [jobs.{name}]; beside jobs there are [daemon] and [defaults]"),
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
            said.error(
                &path,
                value.span(),
                format!("`{path}` is a table, not {}", describe(value.get_ref())),
                Some(format!("write [{path}], and its keys on the lines below")),
            );
            continue;
        };
        let raw = RawJob::read(table, &path, said);
        match JobName::new(key.get_ref()) {
            Ok(name) => jobs.push((At { value: name, span: key.span() }, raw)),
            Err(error) => said.error(&path, key.span(), error.to_string(), None),
        }
    }
    jobs
}

/// Makes checked jobs of raw ones.
struct Checker<'c> {
    zones: &'c dyn Zones,
    folder: PathBuf,
    defaults: &'c Policies,
    said: &'c mut Diagnostics,
}

impl Checker<'_> {
    fn default_zone(&mut self, name: &str, span: Option<Range<usize>>) -> Option<Zone> {
        self.zone(name, "daemon.timezone", span.unwrap_or(0..0))
    }

    fn zone(&mut self, name: &str, key: &str, span: Range<usize>) -> Option<Zone> {
        if let Some(zone) = self.zones.zone(name) {
            return Some(zone);
        }
        let names = self.zones.names();
        let help = match nearest(name, names.iter().map(String::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => "write a name such as \"Europe/Berlin\", \"UTC\", or \"system\" for this machine's zone".to_owned(),
        };
        self.said.error(key, span, format!("there is no zone `{name}`"), Some(help));
        None
    }

    fn job(&mut self, name: &At<JobName>, raw: &RawJob, default_zone: Option<&Zone>, now: Timestamp) -> Option<Job> {
        let path = dotted("jobs", name.value.as_str());
        let errors = self.said.errors.len();
        let command = self.command(&path, name, raw);
        let timing = self.timing(&path, raw, default_zone, now);
        let (own, inherited) = (&raw.policies, self.defaults);
        let job = Job {
            name: name.value.clone(),
            description: raw.description.as_ref().map(|at| at.value.clone()),
            enabled: raw.enabled.as_ref().is_none_or(|at| at.value),
            timing,
            task: Task::Command(command?),
            overlap: pick(own.overlap.as_ref(), inherited.overlap.as_ref()).unwrap_or(Overlap::Skip),
            catch_up: pick(own.catch_up.as_ref(), inherited.catch_up.as_ref()).unwrap_or(CatchUp::Latest),
            catch_up_within: set(own.catch_up_within.as_ref(), inherited.catch_up_within.as_ref()),
        };
        (self.said.errors.len() == errors).then_some(job)
    }

    fn command(&mut self, path: &str, name: &At<JobName>, raw: &RawJob) -> Option<Command> {
        let Some(command) = &raw.command else {
            // A wrong command was complained about where it stands.
            if !raw.has_command {
                let help = format!("write for example command = \"echo hello\" under [{path}]");
                self.said.error(path, name.span.clone(), format!("the job `{}` has no task", name.value), Some(help));
            }
            return None;
        };
        let (own, inherited) = (&raw.policies, self.defaults);
        let shell = set(own.shell.as_ref(), inherited.shell.as_ref())
            .unwrap_or_else(|| DEFAULT_SHELL.iter().map(|word| (*word).to_owned()).collect());
        let line = match &command.value {
            RawCommand::Text(text) => CommandLine::Shell { shell, text: text.clone() },
            RawCommand::List(words) => CommandLine::Program(words.clone()),
        };
        let cwd = set(own.cwd.as_ref(), inherited.cwd.as_ref());
        let env_files = set(own.env_file.as_ref(), inherited.env_file.as_ref()).unwrap_or_default();
        let success_codes =
            set(own.success_codes.as_ref(), inherited.success_codes.as_ref()).unwrap_or_else(|| vec![0]);
        Some(Command {
            line,
            cwd: cwd.map(|cwd| self.folder.join(cwd)),
            env: merged(&inherited.env, &own.env),
            env_files: env_files.iter().map(|at| self.folder.join(&at.value)).collect(),
            stdin: raw.stdin.as_ref().map(|at| at.value.clone()).unwrap_or_default(),
            timeout: set(own.timeout.as_ref(), inherited.timeout.as_ref()),
            kill_after: set(own.kill_after.as_ref(), inherited.kill_after.as_ref()).unwrap_or(DEFAULT_KILL_AFTER),
            output_limit: set(own.output_limit.as_ref(), inherited.output_limit.as_ref())
                .unwrap_or(DEFAULT_OUTPUT_LIMIT),
            success_codes: success_codes.into_iter().filter_map(|code| i32::try_from(code).ok()).collect(),
        })
    }

    fn timing(&mut self, path: &str, raw: &RawJob, default_zone: Option<&Zone>, now: Timestamp) -> Option<Timing> {
        let key = dotted(path, "schedule");
        let named = raw.policies.timezone.as_ref().or(self.defaults.timezone.as_ref());
        let zone = match named.and_then(|at| at.value.as_ref().map(|name| (name, at.span.clone()))) {
            Some((name, span)) => self.zone(name, &dotted(path, "timezone"), span),
            None => default_zone.cloned(),
        };
        let written = raw.schedule.as_ref()?;
        if written.value.is_empty() {
            let help = Some("leave the key out for a job that is run by hand only".to_owned());
            self.said.error(&key, written.span.clone(), "`schedule` is empty", help);
            return None;
        }
        let schedules: Option<Vec<Arc<Schedule>>> =
            written.value.iter().map(|text| self.schedule(&key, text)).collect();
        let (schedules, zone) = (schedules?, zone?);
        let (own, inherited) = (&raw.policies, self.defaults);
        let gap = set(own.dst_gap.as_ref(), inherited.dst_gap.as_ref());
        let fold = set(own.dst_fold.as_ref(), inherited.dst_fold.as_ref());
        let timing = timing_of(schedules, zone, gap, fold);
        if !timing.timetable.names_any() {
            self.said.error(&key, written.span.clone(), "this schedule never fires", None);
            return None;
        }
        let moments = timing.schedules().iter().any(|schedule| schedule.moment().is_some());
        if !moments && timing.timetable.next_after(now).is_none() {
            let message = "this schedule will not fire again: all its instants are past";
            self.said.warn(&key, written.span.clone(), message, None);
        }
        Some(timing)
    }

    fn schedule(&mut self, key: &str, text: &At<String>) -> Option<Arc<Schedule>> {
        match Schedule::parse(&text.value) {
            Ok(schedule) => {
                if let Some(trap) = schedule.trap() {
                    self.said.warn(key, text.span.clone(), trap, None);
                }
                Some(Arc::new(schedule))
            }
            Err(error) => {
                self.said.error(key, within(text, &error.span), error.message, error.help);
                None
            }
        }
    }
}

fn timing_of(schedules: Vec<Arc<Schedule>>, zone: Zone, gap: Option<Gap>, fold: Option<Fold>) -> Timing {
    Timing {
        timetable: Arc::new(Timetable { schedules, place: Place { gap, fold, ..Place::of(zone.zone) } }),
        zone_name: zone.name,
        zone_data: zone.data,
    }
}

/// Reads again what the ledger kept of a job's schedule; `None` if the zone is gone or the text cannot be read any more.
pub fn timing_from(written: &WrittenTiming, zones: &dyn Zones) -> Option<Timing> {
    let zone = zones.zone(&written.zone)?;
    let schedules: Result<Vec<_>, _> =
        written.schedules.iter().map(|text| Schedule::parse(text).map(Arc::new)).collect();
    let gap = written.dst_gap.as_deref().and_then(Gap::from_word);
    let fold = written.dst_fold.as_deref().and_then(Fold::from_word);
    let timing = timing_of(schedules.ok()?, zone, gap, fold);
    Some(Timing { zone_data: written.zone_data.clone(), ..timing })
}

/// The place of a part of a text value in the file. Its bytes stand there as they are unless the value is written with
/// escapes; then the whole value is meant.
fn within(text: &At<String>, part: &Range<usize>) -> Range<usize> {
    const QUOTES: usize = 2;
    if text.span.len() != text.value.len() + QUOTES {
        return text.span.clone();
    }
    let start = text.span.start + QUOTES / 2;
    let end = (start + part.end).max(start + part.start + 1).min(text.span.end);
    start + part.start..end
}

fn pick<T: Clone>(own: Option<&At<T>>, inherited: Option<&At<T>>) -> Option<T> {
    own.or(inherited).map(|at| at.value.clone())
}

/// The job's own value, or the inherited one; `None` where neither says anything or `"none"` was the last word.
fn set<T: Clone>(own: Option<&At<Option<T>>>, inherited: Option<&At<Option<T>>>) -> Option<T> {
    own.or(inherited).and_then(|at| at.value.clone())
}

type Variables = Settable<Vec<(String, String)>>;

/// Tables merge key by key; the job's own value wins, and its `"none"` leaves nothing of the inherited ones.
fn merged(inherited: &Variables, own: &Variables) -> Vec<(String, String)> {
    let keeps = own.as_ref().is_none_or(|at| at.value.is_some());
    let inherited = inherited.iter().filter(|_| keeps);
    let mut variables: Vec<(String, String)> = Vec::new();
    for (name, value) in inherited.chain(own).flat_map(|at| &at.value).flatten() {
        match variables.iter_mut().find(|(known, _)| known == name) {
            Some((_, known)) => known.clone_from(value),
            None => variables.push((name.clone(), value.clone())),
        }
    }
    variables
}

#[cfg(test)]
mod tests;

//! What does a job come to, when its own keys, `[defaults]` and what is built in are laid over each other?

use std::ops::Range;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::diagnostic::{Diagnostics, nearest};
use super::raw::{Policies, RawCommand, RawJob};
use super::section::{At, Settable, dotted};
use super::{Zone, Zones};
use crate::job::{CatchUp, Command, CommandLine, Job, JobName, Overlap, Task, Timing, WrittenTiming};
use crate::schedule::{Fold, Gap, Place, Schedule, Timetable};

const DEFAULT_SHELL: [&str; 2] = ["/bin/sh", "-ec"];
const DEFAULT_KILL_AFTER: Duration = Duration::from_secs(10);
const DEFAULT_OUTPUT_LIMIT: u64 = 1 << 20;
/// Makes checked jobs of raw ones.
pub(super) struct Checker<'c> {
    pub zones: &'c dyn Zones,
    pub folder: PathBuf,
    pub defaults: &'c Policies,
    pub said: &'c mut Diagnostics,
}

impl Checker<'_> {
    pub fn default_zone(&mut self, name: &str, span: Option<Range<usize>>) -> Option<Zone> {
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

    pub fn job(
        &mut self,
        name: &At<JobName>,
        raw: &RawJob,
        default_zone: Option<&Zone>,
        now: Timestamp,
    ) -> Option<Job> {
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

//! What does a job come to, when its own keys, `[defaults]` and what is built in are laid over each other?

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::Zone;
use super::checker::{Checker, pick, set};
use super::diagnostic::nearest;
use super::raw::{Policies, RawCommand, RawJob};
use super::section::{At, Settable, dotted};
use super::standing::RawLimits;
use crate::job::{
    CatchUp, Command, CommandLine, Job, JobName, Limits, Overlap, Retries, Rules, Standing, StopSignal, Surroundings,
    Task,
};
use crate::schedule::Jitter;

const DEFAULT_SHELL: [&str; 2] = ["/bin/sh", "-ec"];
const DEFAULT_KILL_AFTER: Duration = Duration::from_secs(10);
const DEFAULT_RETRY_DELAY: Duration = Duration::from_secs(10);
const DEFAULT_RETRY_MAX_DELAY: Duration = Duration::from_secs(300);
const DEFAULT_OUTPUT_LIMIT: u64 = 1 << 20;

impl Checker<'_> {
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
        let timing = self.timing(&name.value, raw, default_zone, now);
        let (own, inherited) = (&raw.policies, self.defaults);
        let job = Job {
            name: name.value.clone(),
            description: raw.description.as_ref().map(|at| at.value.as_str().into()),
            enabled: raw.enabled.as_ref().is_none_or(|at| at.value),
            timing,
            jitter: set(own.jitter.as_ref(), inherited.jitter.as_ref())
                .map(|within| Jitter::new(within, self.site.machine_id(), name.value.as_str())),
            task: Task::Command(command?),
            rules: self.rules(&path, raw),
        };
        (self.said.errors.len() == errors).then_some(job)
    }

    fn rules(&mut self, path: &str, raw: &RawJob) -> Arc<Rules> {
        let (own, inherited) = (&raw.policies, self.defaults);
        let rules = Rules {
            overlap: self.overlap(path, raw),
            pools: self.pools(path, raw),
            catch_up: pick(own.catch_up.as_ref(), inherited.catch_up.as_ref()).unwrap_or(CatchUp::Latest),
            catch_up_within: set(own.catch_up_within.as_ref(), inherited.catch_up_within.as_ref()),
            retries: self.retries(raw),
            // Names that are none were complained about with the order of jobs.
            after: raw.after.iter().flat_map(|at| &at.value).filter_map(|at| JobName::new(&at.value).ok()).collect(),
        };
        self.known.rules(rules)
    }

    fn retries(&self, raw: &RawJob) -> Retries {
        let (own, inherited) = (&raw.policies, self.defaults);
        let codes = set(own.no_retry_codes.as_ref(), inherited.no_retry_codes.as_ref()).unwrap_or_default();
        let most = pick(own.retries.as_ref(), inherited.retries.as_ref()).unwrap_or(0);
        let delay = set(own.retry_delay.as_ref(), inherited.retry_delay.as_ref()).unwrap_or(DEFAULT_RETRY_DELAY);
        let max_delay = set(own.retry_max_delay.as_ref(), inherited.retry_max_delay.as_ref());
        Retries {
            most: u32::try_from(most).unwrap_or(0),
            delay,
            // Who asks for a longer pause means it.
            max_delay: max_delay.unwrap_or(DEFAULT_RETRY_MAX_DELAY.max(delay)),
            no_codes: codes.into_iter().filter_map(|code| i32::try_from(code).ok()).collect(),
        }
    }

    fn overlap(&mut self, path: &str, raw: &RawJob) -> Overlap {
        let (own, inherited) = (&raw.policies, self.defaults);
        let overlap = pick(own.overlap.as_ref(), inherited.overlap.as_ref()).unwrap_or(Overlap::Skip);
        let limit = own.queue_limit.as_ref().or(inherited.queue_limit.as_ref());
        match (overlap, limit) {
            (Overlap::Queue { .. }, Some(limit)) => {
                Overlap::Queue { limit: usize::try_from(limit.value).unwrap_or(usize::MAX) }
            }
            (_, Some(limit)) if own.queue_limit.is_some() => {
                let help = Some("write overlap = \"queue\" too, or leave it out".to_owned());
                let message = format!("`queue_limit` says nothing where overlap is \"{}\"", overlap.word());
                self.said.warn(&dotted(path, "queue_limit"), limit.span.clone(), message, help);
                overlap
            }
            (overlap, _) => overlap,
        }
    }

    /// The pools of a job, each once and in one order for all jobs.
    fn pools(&mut self, path: &str, raw: &RawJob) -> Arc<[String]> {
        let named = set(raw.policies.pool.as_ref(), self.defaults.pool.as_ref()).unwrap_or_default();
        for pool in named.iter().filter(|pool| !self.pools.contains_key(&pool.value)) {
            let help = match nearest(&pool.value, self.pools.keys().map(String::as_str)) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("write [pools] with {} = 1 in it, or how many may go at once", pool.value),
            };
            let message = format!("there is no pool `{}`", pool.value);
            self.said.error(&dotted(path, "pool"), pool.span.clone(), message, Some(help));
        }
        let sorted: BTreeSet<String> = named.into_iter().map(|pool| pool.value).collect();
        sorted.into_iter().collect()
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
        let line = match &command.value {
            RawCommand::Text(text) => {
                let shell = set(own.shell.as_ref(), inherited.shell.as_ref())
                    .unwrap_or_else(|| DEFAULT_SHELL.map(str::to_owned).to_vec());
                CommandLine::Shell { shell: self.known.shell(shell), text: text.as_str().into() }
            }
            RawCommand::List(words) => CommandLine::Program(words.clone()),
        };
        let cwd = set(own.cwd.as_ref(), inherited.cwd.as_ref());
        let env_files = set(own.env_file.as_ref(), inherited.env_file.as_ref()).unwrap_or_default();
        let success_codes =
            set(own.success_codes.as_ref(), inherited.success_codes.as_ref()).unwrap_or_else(|| vec![0]);
        let surroundings = Surroundings {
            cwd: cwd.map(|cwd| self.folder.join(cwd)),
            env: merged(&inherited.env, &own.env),
            env_files: env_files.iter().map(|at| self.folder.join(&at.value)).collect(),
            stdin: raw.stdin.as_ref().map(|at| at.value.clone()).unwrap_or_default(),
            timeout: set(own.timeout.as_ref(), inherited.timeout.as_ref()),
            stop_signal: set(own.stop_signal.as_ref(), inherited.stop_signal.as_ref()).unwrap_or(StopSignal::Term),
            kill_after: set(own.kill_after.as_ref(), inherited.kill_after.as_ref()).unwrap_or(DEFAULT_KILL_AFTER),
            output_limit: set(own.output_limit.as_ref(), inherited.output_limit.as_ref())
                .unwrap_or(DEFAULT_OUTPUT_LIMIT),
            success_codes: success_codes.into_iter().filter_map(|code| i32::try_from(code).ok()).collect(),
            standing: standing(own, inherited),
        };
        Some(Command { line, surroundings: self.known.surroundings(surroundings) })
    }
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

/// The job's own values over the inherited ones.
fn standing(own: &Policies, inherited: &Policies) -> Standing {
    let nice = set(own.nice.as_ref(), inherited.nice.as_ref());
    Standing {
        user: set(own.user.as_ref(), inherited.user.as_ref()),
        group: set(own.group.as_ref(), inherited.group.as_ref()),
        umask: set(own.umask.as_ref(), inherited.umask.as_ref()),
        nice: nice.and_then(|nice| i32::try_from(nice).ok()),
        limits: limits(&own.limits, &inherited.limits),
    }
}

type Bounds = Settable<RawLimits>;

/// Tables merge key by key; a job's `limits = "none"` leaves nothing of the inherited one.
fn limits(own: &Bounds, inherited: &Bounds) -> Limits {
    let keeps = own.as_ref().is_none_or(|at| at.value.is_some());
    let of = |at: &Bounds| at.as_ref().and_then(|at| at.value.clone()).unwrap_or_default();
    let (own, inherited) = (of(own), if keeps { of(inherited) } else { RawLimits::default() });
    let count = |own: &Settable<i64>, inherited: &Settable<i64>| {
        set(own.as_ref(), inherited.as_ref()).and_then(|count| u64::try_from(count).ok())
    };
    Limits {
        memory: set(own.memory.as_ref(), inherited.memory.as_ref()),
        cpu: set(own.cpu.as_ref(), inherited.cpu.as_ref()),
        processes: count(&own.processes, &inherited.processes),
        open_files: count(&own.open_files, &inherited.open_files),
        required: pick(own.required.as_ref(), inherited.required.as_ref()).unwrap_or(true),
    }
}

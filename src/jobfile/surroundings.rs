//! What does one thing to do come to, when its own keys, `[defaults]` and what is built in are laid over each other?

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use super::checker::{Checker, pick, set};
use super::policies::Policies;
use super::section::{Settable, dotted};
use super::standing::RawLimits;
use super::work::{RawCommand, RawWork};
use super::written_command::trap;
use crate::job::{Act, CommandLine, Limits, Standing, StopSignal, Surroundings, Work};

const DEFAULT_SHELL: [&str; 2] = ["/bin/sh", "-ec"];
const DEFAULT_KILL_AFTER: Duration = Duration::from_secs(10);
const DEFAULT_OUTPUT_LIMIT: u64 = 1 << 20;
/// Keys that say how a process runs.
const OF_PROCESSES: [&str; 12] = [
    "shell",
    "user",
    "group",
    "cwd",
    "env",
    "env_file",
    "umask",
    "nice",
    "limits",
    "stop_signal",
    "success_codes",
    "no_retry_codes",
];

impl Checker<'_> {
    /// The work of a job or a step at `path`; `own` are its keys, over which nothing is laid but `[defaults]` under them.
    pub fn work(&mut self, path: &str, span: &Range<usize>, raw: &RawWork, own: &Policies) -> Option<Work> {
        if let [(first, _), (second, span), ..] = &raw.tasks[..] {
            let help = "leave one of them out, or make steps of them".to_owned();
            let message = format!("there is `{first}` already: it has one task");
            self.said.error(&dotted(path, second), span.clone(), message, Some(help));
            return None;
        }
        if raw.tasks.is_empty() && !raw.misspelt {
            let help = format!("write for example command = \"echo hello\" under [{path}]");
            self.said.error(path, span.clone(), format!("`{path}` has no task"), Some(help));
        }
        if let Some(command) = &raw.command
            && let Some((message, help)) = trap(&command.value)
        {
            self.said.warn(&dotted(path, "command"), command.span.clone(), message, Some(help));
        }
        let act = self.act(raw, own)?;
        if act.command().is_none() {
            self.warn_of_keys_of_processes(path, raw, own);
        }
        let surroundings = self.surroundings(raw, own);
        Some(Work { act, surroundings: self.known.surroundings(surroundings) })
    }

    /// Who writes a user beside requests to a server believes that it protects something.
    fn warn_of_keys_of_processes(&mut self, path: &str, raw: &RawWork, own: &Policies) {
        let stdin = raw.stdin.as_ref().map(|at| ("stdin", at.span.clone()));
        let keys = own.stands.iter().filter(|(key, _)| OF_PROCESSES.contains(key)).cloned();
        let task = raw.tasks.first().map_or("", |(task, _)| task);
        for (key, span) in keys.chain(stdin) {
            let message = format!("`{key}` says nothing of `{task}`, which has no process");
            self.said.warn(&dotted(path, key), span, message, None);
        }
    }

    /// What is wrong was complained about where it stands.
    fn act(&mut self, raw: &RawWork, own: &Policies) -> Option<Act> {
        if let Some(http) = &raw.http {
            return Some(Act::Http(Arc::new(self.http(&http.value))));
        }
        if let Some(sql) = &raw.sql {
            return Some(Act::Sql(Arc::new(self.sql(&sql.value))));
        }
        if let Some(mail) = &raw.mail {
            return self.mail(&mail.value).map(|mail| Act::Mail(Arc::new(mail)));
        }
        raw.command.as_ref().map(|command| Act::Command(self.command_line(&command.value, own)))
    }

    fn command_line(&mut self, command: &RawCommand, own: &Policies) -> CommandLine {
        match command {
            RawCommand::Text(text) => {
                let shell = set(own.shell.as_ref(), self.defaults.shell.as_ref())
                    .unwrap_or_else(|| DEFAULT_SHELL.map(str::to_owned).to_vec());
                CommandLine::Shell { shell: self.known.shell(shell), text: text.as_str().into() }
            }
            RawCommand::List(words) => CommandLine::Program(words.clone()),
        }
    }

    fn surroundings(&self, raw: &RawWork, own: &Policies) -> Surroundings {
        let inherited = self.defaults;
        let cwd = own.cwd.as_ref().or(inherited.cwd.as_ref());
        let env_files = set(own.env_file.as_ref(), inherited.env_file.as_ref()).unwrap_or_default();
        let success_codes =
            set(own.success_codes.as_ref(), inherited.success_codes.as_ref()).unwrap_or_else(|| vec![0]);
        Surroundings {
            cwd: cwd.and_then(|at| Some(self.source.folder(at.span.start).join(at.value.as_ref()?))),
            env: merged(&inherited.env, &own.env),
            env_files: env_files.iter().map(|at| self.source.folder(at.span.start).join(&at.value)).collect(),
            stdin: raw.stdin.as_ref().map(|at| at.value.clone()).unwrap_or_default(),
            timeout: set(own.timeout.as_ref(), inherited.timeout.as_ref()),
            stop_signal: set(own.stop_signal.as_ref(), inherited.stop_signal.as_ref()).unwrap_or(StopSignal::Term),
            kill_after: self.kill_after(own),
            output_limit: set(own.output_limit.as_ref(), inherited.output_limit.as_ref())
                .unwrap_or(DEFAULT_OUTPUT_LIMIT),
            success_codes: success_codes.into_iter().filter_map(|code| i32::try_from(code).ok()).collect(),
            fail_on_output: set(own.fail_on_output.as_ref(), inherited.fail_on_output.as_ref()),
            standing: standing(own, inherited),
        }
    }

    pub fn kill_after(&self, own: &Policies) -> Duration {
        set(own.kill_after.as_ref(), self.defaults.kill_after.as_ref()).unwrap_or(DEFAULT_KILL_AFTER)
    }
}

pub type Variables = Settable<Vec<(String, String)>>;

/// Tables merge key by key; the job's own value wins, and its `"none"` leaves nothing of the inherited ones.
pub fn merged(inherited: &Variables, own: &Variables) -> Vec<(String, String)> {
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

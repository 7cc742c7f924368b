//! How did it end? The measured end of an attempt, judged by the job's rules.

use crate::job::{Job, Task};
use crate::run::{Ended, Exit, Outcome, Reason, Status, signal_name};

/// Outcome, reason and detail of an end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    pub detail: Option<String>,
}

pub fn verdict(job: &Job, ended: &Ended) -> Verdict {
    let Task::Command(command) = &job.task;
    let (outcome, reason, detail) = match &ended.exit {
        Exit::Code(code) if command.success_codes.contains(code) => {
            return Verdict { outcome: Outcome::Succeeded, reason: None, detail: None };
        }
        Exit::Code(code) => (Outcome::Failed, Reason::ExitCode, format!("exit status {code}")),
        Exit::Signal { signal, core_dumped } => {
            let core = if *core_dumped { ", core dumped" } else { "" };
            (Outcome::Failed, Reason::Signal, format!("ended by {}{core}", signal_name(*signal)))
        }
        Exit::TimedOut { after, status } => {
            let detail = format!("still running after {after:?}; {}", left(*status));
            (Outcome::TimedOut, Reason::Timeout, detail)
        }
        Exit::Stopped { reason, status } => (Outcome::Stopped, *reason, left(*status)),
        Exit::NotStarted { reason, detail } => (Outcome::NotStarted, *reason, detail.clone()),
        Exit::Panicked { detail } => (Outcome::Failed, Reason::Panic, detail.clone()),
    };
    Verdict { outcome, reason: Some(reason), detail: Some(detail) }
}

fn left(status: Status) -> String {
    match status {
        Status::Code(code) => format!("ended with exit status {code}"),
        Status::Signal(signal) => format!("ended by {}", signal_name(signal)),
        Status::Unknown => "its end could not be learned".to_owned(),
    }
}

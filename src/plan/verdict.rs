//! How did it end? The measured end of an attempt, judged by the rules of its work.

use jiff::SignedDuration;

use crate::job::{Act, Task, Work};
use crate::run::{Ended, Exit, FailedStep, Outcome, Reason, Status, Verdict, signal_name};

/// Judges the attempt of a run.
pub fn verdict(task: &Task, ended: &Ended) -> Verdict {
    match task {
        Task::Work(work) => verdict_of_work(work, ended),
        Task::Steps(_) => judge(&[], ended),
    }
}

/// Judges the attempt of one piece of work: all of a run, or a step of it.
pub fn verdict_of_work(work: &Work, ended: &Ended) -> Verdict {
    let codes = match &work.act {
        Act::Command(_) => work.success_codes.as_slice(),
        Act::Http(_) | Act::Sql(_) | Act::Mail(_) => &[],
    };
    let verdict = judge(codes, ended);
    let verdict = match &ended.matched {
        Some(line) if verdict.is_success() => {
            Verdict::new(Outcome::Failed, Reason::OutputMatched, format!("its output has the line: {line}"))
        }
        Some(_) | None => verdict,
    };
    let Some(lacking) = &ended.lacking else {
        return verdict;
    };
    let lacking = format!("without limits: {lacking}");
    let detail = verdict.detail.map_or_else(|| lacking.clone(), |detail| format!("{detail}; {lacking}"));
    Verdict { detail: Some(detail), ..verdict }
}

/// Characters of a detail: it is a line on the screen and in the log, and what it is about may be of any length.
const LONGEST_DETAIL: usize = 1000;

/// The same on one line that somebody reads.
fn shortened(detail: &str) -> String {
    match detail.char_indices().nth(LONGEST_DETAIL) {
        Some((end, _)) => format!("{}…", &detail[..end]),
        None => detail.to_owned(),
    }
}

fn judge(success_codes: &[i32], ended: &Ended) -> Verdict {
    let (outcome, reason, detail) = match &ended.exit {
        Exit::Done | Exit::Steps(None) => return Verdict::SUCCESS,
        Exit::Code(code) if success_codes.contains(code) => return Verdict::SUCCESS,
        Exit::Code(code) => (Outcome::Failed, Reason::ExitCode, format!("exit status {code}")),
        Exit::Signal { signal, core_dumped } => {
            let core = if *core_dumped { ", core dumped" } else { "" };
            (Outcome::Failed, Reason::Signal, format!("ended by {}{core}", signal_name(*signal)))
        }
        Exit::TimedOut { after, status } => {
            // As people write it in the file: 35m, not 2100s.
            let after = SignedDuration::try_from(*after).unwrap_or(SignedDuration::MAX);
            let detail = format!("still running after {after:#}; {}", left(*status));
            (Outcome::TimedOut, Reason::Timeout, detail)
        }
        Exit::Stopped { reason, status } => (Outcome::Stopped, *reason, left(*status)),
        Exit::NotStarted { reason, detail } => (Outcome::NotStarted, *reason, detail.clone()),
        Exit::Failed { reason, detail } => (Outcome::Failed, *reason, detail.clone()),
        Exit::Lost { detail } => (Outcome::Lost, Reason::DaemonDown, detail.clone()),
        Exit::Panicked { detail } => (Outcome::Failed, Reason::Panic, detail.clone()),
        Exit::Steps(Some(FailedStep { name, verdict, .. })) => {
            let detail = verdict.detail.as_deref().unwrap_or(verdict.outcome.word());
            let detail = Some(format!("step {name}: {detail}"));
            return Verdict { outcome: verdict.outcome, reason: verdict.reason, detail };
        }
    };
    Verdict::new(outcome, reason, shortened(&detail))
}

fn left(status: Status) -> String {
    match status {
        Status::Code(code) => format!("ended with exit status {code}"),
        Status::Signal(signal) => format!("ended by {}", signal_name(signal)),
        Status::Unknown => "its end could not be learned".to_owned(),
        Status::Cancelled => "what was under way was dropped".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_detail_is_no_longer_than_anybody_reads() {
        assert_eq!(shortened("exit status 1"), "exit status 1");
        let long = shortened(&"ü".repeat(5_000_000));
        assert_eq!((long.chars().count(), long.ends_with('…')), (LONGEST_DETAIL + 1, true));
    }
}

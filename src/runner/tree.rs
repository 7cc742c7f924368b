//! Which processes belong to a run, and which of them still live?

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

use super::part::Part;
use crate::job::StopSignal;
use crate::run::{ProcessId, RunId};

/// A line of `/proc/PID/stat`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stat {
    pub state: char,
    pub parent: i32,
    pub group: i32,
    pub start_ticks: u64,
}

/// proc(5): the program's name stands in brackets and may hold anything, brackets too, so the fields behind it count.
fn parse_stat(text: &str) -> Option<Stat> {
    let behind_name = text.rfind(')')? + 1;
    let mut fields = text[behind_name..].split_ascii_whitespace();
    let state = fields.next()?.chars().next()?;
    let parent = fields.next()?.parse().ok()?;
    let group = fields.next()?.parse().ok()?;
    let start_ticks = fields.nth(16)?.parse().ok()?;
    Some(Stat { state, parent, group, start_ticks })
}

pub fn stat(pid: i32) -> Option<Stat> {
    parse_stat(&fs::read_to_string(format!("/proc/{pid}/stat")).ok()?)
}

/// When a process began, in clock ticks since the machine booted.
pub fn start_ticks(pid: i32) -> Option<u64> {
    stat(pid).map(|stat| stat.start_ticks)
}

/// What tells one boot of the machine from another.
pub fn boot_id() -> io::Result<String> {
    fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned())
}

/// The numbers of all processes of the machine.
pub fn processes() -> impl Iterator<Item = i32> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok())
}

/// All that belongs to a run: the group that its process leads, and what left the group but carries the run's marks.
#[derive(Debug)]
pub struct Tree {
    group: Pid,
    marks: Marks,
}

impl Tree {
    /// The group of `leader` is ours for as long as the leader was not reaped.
    pub fn new(leader: Pid, part: &Part, database: &Path) -> Self {
        Self { group: leader, marks: Marks::of_part(part, database) }
    }

    /// The number of the group, which is its leader's.
    pub fn group(&self) -> i32 {
        self.group.as_raw_nonzero().get()
    }

    pub fn marks(&self) -> &Marks {
        &self.marks
    }

    /// Signals the group. What has left it is found by a census.
    pub fn signal_group(&self, signal: Signal) {
        // The one error that can come is that nobody is left.
        let _ = rustix::process::kill_process_group(self.group, signal);
    }
}

/// The system's signal of that name.
pub fn number(signal: StopSignal) -> Signal {
    match signal {
        StopSignal::Term => Signal::TERM,
        StopSignal::Int => Signal::INT,
        StopSignal::Quit => Signal::QUIT,
        StopSignal::Hup => Signal::HUP,
        StopSignal::Usr1 => Signal::USR1,
        StopSignal::Usr2 => Signal::USR2,
        StopSignal::Winch => Signal::WINCH,
    }
}

fn own_pid() -> i32 {
    i32::try_from(std::process::id()).unwrap_or(0)
}

/// A descriptor that becomes readable when the process ends; `None` if it has.
fn watch(pid: i32) -> Option<OwnedFd> {
    pidfd_open(Pid::from_raw(pid)?, PidfdFlags::NONBLOCK).ok()
}

/// What the processes of a run have in their environment, and no others.
#[derive(Debug)]
pub struct Marks {
    run: String,
    ledger: String,
    /// Steps of a run are told from each other.
    step: Option<String>,
}

impl Marks {
    fn of(run: RunId, database: &Path) -> Self {
        let ledger = format!("PUNCTUAL_DATABASE={}", database.display());
        Self { run: format!("PUNCTUAL_RUN={run}"), ledger, step: None }
    }

    fn of_part(part: &Part, database: &Path) -> Self {
        let step = part.step.as_ref().map(|step| format!("PUNCTUAL_STEP={step}"));
        Self { step, ..Self::of(part.id.run, database) }
    }

    /// Whether the process was started for this run of this ledger, as its own environment says.
    fn are_on(&self, pid: i32) -> bool {
        fs::read(format!("/proc/{pid}/environ")).is_ok_and(|environment| self.are_in(&environment))
    }

    /// Whether an environment, as the system shows it, has them.
    pub fn are_in(&self, environment: &[u8]) -> bool {
        let has = |mark: &str| environment.split(|byte| *byte == 0).any(|variable| variable == mark.as_bytes());
        has(&self.run) && has(&self.ledger) && self.step.as_deref().is_none_or(has)
    }
}

/// What still lives of runs of a daemon that died, as descriptors that become readable when they end. How it is known: see
/// [`end_survivors`].
pub fn survivors(runs: &[(RunId, Option<ProcessId>)], database: &Path) -> Vec<OwnedFd> {
    let marks: Vec<Marks> = runs.iter().map(|(run, _)| Marks::of(*run, database)).collect();
    let own = own_pid();
    let alive = processes().filter(|pid| *pid != own && belongs(*pid, runs, &marks));
    alive.filter_map(|pid| watch(pid).filter(|_| belongs(pid, runs, &marks))).collect()
}

/// Ends what still lives of runs of a daemon that died, and says how many processes that were.
///
/// A process is ended if it carries the run's marks in its environment, or is the very process that was recorded (same
/// number, same start), or is in the group that this one led; numbers alone are given out again.
pub fn end_survivors(runs: &[(RunId, Option<ProcessId>)], database: &Path) -> usize {
    if runs.is_empty() {
        return 0;
    }
    let marks: Vec<Marks> = runs.iter().map(|(run, _)| Marks::of(*run, database)).collect();
    let own = own_pid();
    let mut ended = BTreeSet::new();
    // What a process starts between a look and its end is found by the next look.
    for _ in 0..MOST_LOOKS {
        let alive: Vec<i32> = processes().filter(|pid| *pid != own && belongs(*pid, runs, &marks)).collect();
        if alive.is_empty() {
            break;
        }
        ended.extend(alive.into_iter().filter(|pid| kill(*pid, runs, &marks)));
    }
    ended.len()
}

/// Looks for survivors: each ends all that were there, so a second finds nothing unless something forks in between.
const MOST_LOOKS: usize = 20;

fn belongs(pid: i32, runs: &[(RunId, Option<ProcessId>)], marks: &[Marks]) -> bool {
    let Some(stat) = stat(pid).filter(|stat| !matches!(stat.state, 'Z' | 'X')) else {
        return false;
    };
    let recorded = runs.iter().filter_map(|(_, process)| process.as_ref()).any(|process| {
        if process.pid == pid {
            return process.start_ticks == stat.start_ticks;
        }
        // A number is not given out while a group has it, so if its leader lives, it is the recorded one or none is.
        let leader_is_ours = start_ticks(process.pid).is_some_and(|ticks| ticks == process.start_ticks);
        stat.group == process.pid && leader_is_ours
    });
    recorded || marks.iter().any(|marks| marks.are_on(pid))
}

/// Kills a process by a descriptor, so that its number cannot change hands in between.
fn kill(pid: i32, runs: &[(RunId, Option<ProcessId>)], marks: &[Marks]) -> bool {
    let Some(process) = watch(pid) else {
        return false;
    };
    let killed = belongs(pid, runs, marks) && pidfd_send_signal(&process, Signal::KILL).is_ok();
    if killed {
        wait_for_end(&process);
    }
    killed
}

/// Waits until a killed process has ended, as it does within moments unless the kernel itself is waiting for something.
fn wait_for_end(process: &OwnedFd) {
    const PATIENCE: Duration = Duration::from_millis(100);
    let timeout = rustix::event::Timespec::try_from(PATIENCE).ok();
    let mut poll = [rustix::event::PollFd::new(process, rustix::event::PollFlags::IN)];
    let _ = rustix::event::poll(&mut poll, timeout.as_ref());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let text = "42 (a) b (c)) S 1 41 41 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 123456 1000 50";
        assert_eq!(parse_stat(text), Some(Stat { state: 'S', parent: 1, group: 41, start_ticks: 123_456 }));
        assert_eq!(parse_stat("nonsense"), None);
    }

    #[test]
    fn our_own_process_is_there() {
        let own = i32::try_from(std::process::id()).unwrap();
        assert!(start_ticks(own).is_some());
        assert!(boot_id().unwrap().len() > 30);
        assert!(watch(own).is_some());
    }
}

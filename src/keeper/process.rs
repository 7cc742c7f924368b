//! How does a process begin, and what does it leave? The only place that starts and reaps.

use std::fs::File;
use std::io::{self, Read};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use serde::{Deserialize, Serialize};

use crate::family::{Kin, born};
use crate::run::{ProcessId, Status};

/// A process that has begun and was not reaped.
#[derive(Debug)]
pub struct Process {
    pub pid: Pid,
    /// Until it is reaped.
    kin: Option<Kin>,
}

/// What a process left when it was reaped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Remains {
    pub status: Status,
    pub core_dumped: bool,
    pub cpu: Duration,
    /// Peak memory in bytes, where it can be told from the keeper's own.
    pub max_rss: Option<u64>,
}

/// A command by the path of its program, which is absolute, so that it is started without looking anywhere.
///
/// Nothing that is added may make the standard library leave the path of posix_spawn for fork (no `pre_exec`, no user): a
/// fork copies the page tables of whoever forks.
pub fn command(program: &Path) -> Command {
    #[expect(clippy::disallowed_methods, reason = "the one place that starts processes")]
    Command::new(program)
}

/// When a process began, in clock ticks since the machine booted.
pub fn start_ticks(pid: i32) -> Option<u64> {
    // Each start waits for this, and such a file is complete in one read.
    let mut bytes = [0; 1024];
    let length = File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut bytes).ok()?;
    // proc(5): the name stands in brackets and may hold anything, so the fields behind it count; this is the 22nd of all.
    let text = bytes[..length].rsplit(|byte| *byte == b')').next()?;
    str::from_utf8(text).ok()?.split_ascii_whitespace().nth(19)?.parse().ok()
}

impl Process {
    /// Starts it in a group of its own, with the ends of its pipes. It blocks until the program has taken over, a millisecond
    /// or so.
    pub fn start(command: &mut Command) -> io::Result<(Self, Child)> {
        command.process_group(0);
        let (kin, child) = born(|| {
            let child = command.spawn()?;
            Ok((Pid::from_child(&child).as_raw_nonzero().get(), child))
        })?;
        Ok((Self { pid: Pid::from_child(&child), kin: Some(kin) }, child))
    }

    /// A child that another program in this process's place has started.
    pub fn inherited(id: &ProcessId) -> Option<Self> {
        Some(Self { pid: Pid::from_raw(id.pid)?, kin: Some(Kin::of(id.pid)) })
    }

    pub fn id(&self) -> ProcessId {
        let pid = self.pid.as_raw_nonzero().get();
        ProcessId { pid, start_ticks: start_ticks(pid).unwrap_or(0) }
    }

    /// A descriptor that becomes readable when it ends. It cannot be reaped by anybody else, so its number is its own until
    /// we do.
    pub fn watch(&self) -> io::Result<OwnedFd> {
        Ok(pidfd_open(self.pid, PidfdFlags::NONBLOCK)?)
    }

    /// Takes what an ended process left. Must come last: afterwards its number may be somebody else's.
    pub fn reap(mut self) -> io::Result<Remains> {
        let reap = || wait4(self.pid);
        let (status, usage) = self.kin.take().map_or_else(reap, |kin| kin.buried(reap))?;
        let time = |time: libc::timeval| Duration::from_micros((time.tv_sec * 1_000_000 + time.tv_usec).unsigned_abs());
        let (code, signal) = (status.code().map(Status::Code), status.signal().map(Status::Signal));
        Ok(Remains {
            status: code.or(signal).unwrap_or(Status::Unknown),
            core_dumped: status.core_dumped(),
            cpu: time(usage.ru_utime) + time(usage.ru_stime),
            max_rss: own_peak(usage.ru_maxrss),
        })
    }
}

impl Drop for Process {
    /// Whoever loses it, by a panic or because nobody wants it any more, does not leave it behind.
    fn drop(&mut self) {
        if let Some(kin) = self.kin.take() {
            // The group is ours for as long as its leader was not reaped. The one error that can come is that nobody is left.
            let _ = kill_process_group(self.pid, Signal::KILL);
            // If it takes longer to end, it is reaped as an orphan.
            let _ = kin.buried(|| wait4(self.pid));
        }
    }
}

/// After posix_spawn a child's peak begins at its parent's, so that only what is above says anything.
fn own_peak(kilobytes: i64) -> Option<u64> {
    let starter = getrusage(UsageWho::RUSAGE_SELF).ok()?.max_rss();
    u64::try_from(kilobytes).ok().filter(|_| kilobytes > starter).map(|kilobytes| kilobytes * 1024)
}

/// `wait4(2)` for a child, without waiting; no kept crate gives its resource use.
fn wait4(pid: Pid) -> io::Result<(ExitStatus, libc::rusage)> {
    let mut status = 0;
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: both pointers are to live locals of the right types, and an all-zero rusage is a valid one.
    #[expect(unsafe_code, reason = "no kept crate gives wait4")]
    let (reaped, usage) = unsafe {
        let pid = pid.as_raw_nonzero().get();
        (libc::wait4(pid, &raw mut status, libc::WNOHANG, usage.as_mut_ptr()), usage.assume_init())
    };
    match reaped {
        0 => Err(io::ErrorKind::WouldBlock.into()),
        1.. => Ok((ExitStatus::from_raw(status), usage)),
        ..0 => Err(io::Error::last_os_error()),
    }
}

//! How does a process begin, and what does it leave? The only place that starts and reaps.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open};
use serde::{Deserialize, Serialize};

use crate::family::{Kin, born};
use crate::run::{ProcessId, Status};

/// A process that has begun and was not reaped.
#[derive(Debug)]
pub struct Process {
    pub id: ProcessId,
    pid: Pid,
    /// Until it is reaped.
    kin: Option<Kin>,
}

/// The ends of a process that are watched.
#[derive(Debug)]
pub struct Ends {
    /// Becomes readable when the process ends.
    pub pidfd: OwnedFd,
    pub stdout: OwnedFd,
    pub stderr: OwnedFd,
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

/// What a process begins with.
#[derive(Debug)]
pub struct Image<'a> {
    /// Absolute, so that it is started without looking anywhere.
    pub program: &'a Path,
    pub argv: &'a [String],
    pub environment: &'a BTreeMap<String, String>,
    pub cwd: &'a Path,
}

/// Starts a process in a group of its own. It blocks until the program has taken over, a millisecond or so.
///
/// Nothing here may make the standard library leave the path of posix_spawn for fork (an absolute program, no `pre_exec`,
/// no user): a fork copies the page tables of whoever forks.
pub fn spawn(image: &Image, input: OwnedFd) -> io::Result<(Process, Ends)> {
    #[expect(clippy::disallowed_methods, reason = "the one place that starts processes")]
    let mut command = Command::new(image.program);
    command
        .arg0(image.argv.first().map(String::as_str).unwrap_or_default())
        .args(image.argv.iter().skip(1))
        .env_clear()
        .envs(image.environment)
        .current_dir(image.cwd)
        .stdin(input)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0);
    let (kin, mut child) = born(|| {
        let child = command.spawn()?;
        Ok((Pid::from_child(&child).as_raw_nonzero().get(), child))
    })?;
    let pid = Pid::from_child(&child);
    let number = pid.as_raw_nonzero().get();
    // From here on it is ended with this value, whatever goes wrong.
    let id = ProcessId { pid: number, start_ticks: start_ticks(number).unwrap_or(0) };
    let process = Process { id, pid, kin: Some(kin) };
    let pipes = child.stdout.take().zip(child.stderr.take());
    let (stdout, stderr) = pipes.ok_or_else(|| io::Error::other("the child has no pipes"))?;
    let pidfd = process.watch()?;
    Ok((process, Ends { pidfd, stdout: stdout.into(), stderr: stderr.into() }))
}

/// When a process began, in clock ticks since the machine booted.
pub fn start_ticks(pid: i32) -> Option<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // proc(5): the name stands in brackets and may hold anything, so the fields behind it count; this is the 22nd of all.
    text[text.rfind(')')? + 1..].split_ascii_whitespace().nth(19)?.parse().ok()
}

impl Process {
    /// A child that another program in this process's place has started.
    pub fn inherited(id: ProcessId) -> Option<Self> {
        let pid = Pid::from_raw(id.pid)?;
        Some(Self { kin: Some(Kin::of(id.pid)), pid, id })
    }

    /// A descriptor that becomes readable when it ends. It cannot be reaped by anybody else, so its number is its own until
    /// we do.
    pub fn watch(&self) -> io::Result<OwnedFd> {
        Ok(pidfd_open(self.pid, PidfdFlags::NONBLOCK)?)
    }

    /// Lets go of it without ending it: another program takes this one's place.
    pub fn leave(mut self) {
        self.kin = None;
    }

    /// Signals every process of the group, which is ours for as long as its leader was not reaped.
    fn signal_group(&self, signal: Signal) {
        // The one error that can come is that nobody is left.
        let _ = rustix::process::kill_process_group(self.pid, signal);
    }

    /// Ends it at once.
    pub fn kill(&self) {
        self.signal_group(Signal::KILL);
    }

    /// Takes what an ended process left. Must come last: afterwards its number may be somebody else's.
    pub fn reap(mut self) -> io::Result<Remains> {
        let pid = self.pid;
        let reap = || wait4(pid, Patience::UntilItEnds);
        let (status, usage) = self.kin.take().map_or_else(reap, |kin| kin.buried(reap))?;
        let micros = |time: libc::timeval| {
            Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_usec).unwrap_or(0) * 1000)
        };
        Ok(Remains {
            status: if libc::WIFEXITED(status) {
                Status::Code(libc::WEXITSTATUS(status))
            } else if libc::WIFSIGNALED(status) {
                Status::Signal(libc::WTERMSIG(status))
            } else {
                Status::Unknown
            },
            core_dumped: libc::WIFSIGNALED(status) && libc::WCOREDUMP(status),
            cpu: micros(usage.ru_utime) + micros(usage.ru_stime),
            max_rss: own_peak(usage.ru_maxrss),
        })
    }
}

impl Drop for Process {
    /// Whoever loses it, by a panic or because the daemon gives up, does not leave it behind.
    fn drop(&mut self) {
        if let Some(kin) = self.kin.take() {
            self.signal_group(Signal::KILL);
            // If it takes longer to end, it is reaped as an orphan.
            let _ = kin.buried(|| wait4(self.pid, Patience::None));
        }
    }
}

/// Whether to wait for a process that has not ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Patience {
    UntilItEnds,
    None,
}

/// After posix_spawn a child's peak begins at its parent's, so that only what is above says anything.
fn own_peak(kilobytes: i64) -> Option<u64> {
    let starter = nix::sys::resource::getrusage(nix::sys::resource::UsageWho::RUSAGE_SELF).ok()?.max_rss();
    u64::try_from(kilobytes).ok().filter(|_| kilobytes > starter).map(|kilobytes| kilobytes * 1024)
}

/// `wait4(2)` for one child; no kept crate gives its resource use.
fn wait4(pid: Pid, patience: Patience) -> io::Result<(i32, libc::rusage)> {
    let options = match patience {
        Patience::UntilItEnds => 0,
        Patience::None => libc::WNOHANG,
    };
    let mut status = 0;
    let mut usage = std::mem::MaybeUninit::<libc::rusage>::zeroed();
    loop {
        // SAFETY: both pointers are to live locals of the right types, and an all-zero rusage is a valid one.
        #[expect(unsafe_code, reason = "no kept crate gives wait4")]
        let (reaped, usage) = unsafe {
            (libc::wait4(pid.as_raw_nonzero().get(), &raw mut status, options, usage.as_mut_ptr()), usage.assume_init())
        };
        if reaped > 0 {
            return Ok((status, usage));
        }
        if reaped == 0 {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        let error = io::Error::last_os_error();
        if error.kind() != io::ErrorKind::Interrupted {
            return Err(error);
        }
    }
}

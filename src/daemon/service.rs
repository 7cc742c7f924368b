//! What does systemd want to know, and what does it give?

use std::fs;
use std::path::Path;
use std::time::Duration;

use sd_notify::NotifyState;

use crate::runner::LEAF;

pub fn ready() {
    notify(&[NotifyState::Ready]);
}

/// Says that the daemon stops, and how long that may take at the most.
pub fn stopping(at_most: Duration) {
    let micros = u32::try_from(at_most.as_micros()).unwrap_or(u32::MAX);
    notify(&[NotifyState::Stopping, NotifyState::ExtendTimeoutUsec(micros)]);
}

/// Says that the daemon is alive; the interval is [`watchdog_interval`].
pub fn alive() {
    notify(&[NotifyState::Watchdog]);
}

/// The line that `systemctl status` shows. Everything here says nothing where there is no systemd.
#[derive(Debug, Default)]
pub struct StatusLine {
    last: String,
}

impl StatusLine {
    /// A repeated line is not sent.
    pub fn show(&mut self, status: String) {
        if status != self.last {
            notify(&[NotifyState::Status(&status)]);
            self.last = status;
        }
    }
}

fn notify(states: &[NotifyState]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!("systemd cannot be told: {error}");
    }
}

/// How often the watchdog wants to hear: twice in its time.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|time| time / 2)
}

/// Whether systemd started this process as a service.
pub fn is_service() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

/// Moves this process into a leaf of the cgroup that systemd delegates: a cgroup with processes of its own cannot have
/// controlled children, and runs are to get cgroups beside the daemon's.
pub fn move_into_leaf() {
    if !is_service() {
        return;
    }
    let Ok(groups) = fs::read_to_string("/proc/self/cgroup") else {
        return;
    };
    let Some(own) = groups.lines().find_map(|line| line.strip_prefix("0::/")).filter(|own| own.ends_with(".service"))
    else {
        return;
    };
    let leaf = Path::new("/sys/fs/cgroup").join(own).join(LEAF);
    let moved =
        fs::create_dir_all(&leaf).and_then(|()| fs::write(leaf.join("cgroup.procs"), std::process::id().to_string()));
    if let Err(error) = moved {
        tracing::warn!("cannot move into the cgroup {}: {error}", leaf.display());
    }
}

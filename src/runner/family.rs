//! Which children are ours to wait for, and which have come to us because their own parent has ended?
//!
//! The children of a process are one set, whoever in it starts them; so this is one, too.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::sync::{Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustix::process::{Pid, WaitOptions, set_child_subreaper, waitpid};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::tree::stat;

/// Held to read while a child comes or goes, and to write while strangers are looked for: in between it would not be known
/// whose a number is.
static GATE: RwLock<()> = RwLock::new(());
static OWN: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// Ends of children come in swarms; orphans can wait for so long.
const AT_MOST_EVERY: Duration = Duration::from_millis(100);

/// Starts a child that somebody of us will wait for.
pub fn born<T>(start: impl FnOnce() -> io::Result<(i32, T)>) -> io::Result<T> {
    let _gate = GATE.read().unwrap_or_else(PoisonError::into_inner);
    let (pid, child) = start()?;
    OWN.lock().unwrap_or_else(PoisonError::into_inner).insert(pid);
    Ok(child)
}

/// Reaps a child of our own; its number may be another's as soon as `reap` has.
pub fn buried<T>(pid: i32, reap: impl FnOnce() -> T) -> T {
    let _gate = GATE.read().unwrap_or_else(PoisonError::into_inner);
    OWN.lock().unwrap_or_else(PoisonError::into_inner).remove(&pid);
    reap()
}

/// Has what jobs leave behind come to this process, and reaps it when it ends: there is nobody else where the daemon is the
/// first process of a container. Never comes back by itself.
pub async fn adopt_orphans() -> io::Result<()> {
    set_child_subreaper(Some(rustix::process::getpid()))?;
    let mut ends = signal(SignalKind::child())?;
    while ends.recv().await.is_some() {
        sleep(AT_MOST_EVERY).await;
        // What it does takes no longer than a read of some small files.
        reap_orphans();
    }
    Ok(())
}

fn reap_orphans() {
    let is_zombie = |pid: &i32| stat(*pid).is_some_and(|stat| stat.state == 'Z');
    let candidates: Vec<i32> = children().into_iter().filter(is_zombie).collect();
    if candidates.is_empty() {
        return;
    }
    let _gate = GATE.write().unwrap_or_else(PoisonError::into_inner);
    let own = OWN.lock().unwrap_or_else(PoisonError::into_inner);
    for pid in candidates.into_iter().filter(|pid| !own.contains(pid)) {
        if let Some(pid) = Pid::from_raw(pid) {
            let _ = waitpid(Some(pid), WaitOptions::NOHANG);
        }
    }
}

/// The children of all our threads.
fn children() -> Vec<i32> {
    let threads = fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let lists = threads.filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    lists
        .flat_map(|list| list.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<i32>>())
        .collect()
}

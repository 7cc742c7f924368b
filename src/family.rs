//! Which children are ours to wait for, and which have come to us because their own parent has ended?
//!
//! The children of a process are one set, whoever in it starts them; so this is one, too.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::sync::{Mutex, MutexGuard, PoisonError, RwLock};

use rustix::process::{Pid, WaitOptions, set_child_subreaper, waitpid};

/// Held to read while a child comes or goes, and to write while strangers are looked for: in between it would not be known
/// whose a number is.
static GATE: RwLock<()> = RwLock::new(());
/// Children by number; one whose number was given out again before it was forgotten counts twice.
static OWN: Mutex<BTreeMap<i32, u32>> = Mutex::new(BTreeMap::new());

/// A child for which somebody waits, until this is dropped.
#[derive(Debug)]
pub struct Kin(i32);

/// Starts a child that somebody will wait for; `start` says its number.
pub fn born<T>(start: impl FnOnce() -> io::Result<(i32, T)>) -> io::Result<(Kin, T)> {
    let _gate = GATE.read().unwrap_or_else(PoisonError::into_inner);
    let (pid, child) = start()?;
    Ok((Kin::of(pid), child))
}

impl Kin {
    /// A child that is there already.
    pub fn of(pid: i32) -> Self {
        *own().entry(pid).or_default() += 1;
        Self(pid)
    }

    /// Reaps the child by `reap`; its number may be another's as soon as that has.
    pub fn buried<T>(self, reap: impl FnOnce() -> T) -> T {
        let _gate = GATE.read().unwrap_or_else(PoisonError::into_inner);
        drop(self);
        reap()
    }
}

impl Drop for Kin {
    fn drop(&mut self) {
        let mut own = own();
        if let Some(count) = own.get_mut(&self.0) {
            *count -= 1;
            if *count == 0 {
                own.remove(&self.0);
            }
        }
    }
}

fn own() -> MutexGuard<'static, BTreeMap<i32, u32>> {
    OWN.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Has what jobs leave behind come to this process when its own parent ends: there is nobody else where it is the first
/// process of a container.
pub fn take_in_orphans() -> io::Result<()> {
    Ok(set_child_subreaper(Some(rustix::process::getpid()))?)
}

/// Reaps children that have ended and for which nobody waits. It takes no longer than a read of some small files.
pub fn reap_orphans() {
    let children = children();
    let has_strangers = || {
        let own = own();
        children.iter().any(|pid| !own.contains_key(pid))
    };
    if !has_strangers() {
        return;
    }
    let _gate = GATE.write().unwrap_or_else(PoisonError::into_inner);
    let own = own();
    for pid in children.iter().filter(|pid| !own.contains_key(pid)) {
        if let Some(pid) = Pid::from_raw(*pid) {
            // One that lives is left alone.
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

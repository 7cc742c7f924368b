//! Has one of these files changed? Their folders are watched, because editors put new files in the place of old ones.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use notify::event::{AccessKind, AccessMode};
use notify::{Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::Notify;

use super::glob::{is_pattern, matches};
use super::source::Spots;

/// File systems on which others write of whom this kernel does not hear: NFS, SMB and its kin, 9P, Ceph, AFS, those of
/// programs, and those of virtual machines' hosts.
const REMOTE: [u64; 10] = [
    0x6969,
    0x517b,
    0xfe53_4d42,
    0xff53_4d42,
    0x0102_1997,
    0x00c3_6400,
    0x5346_414f,
    0x6573_5546,
    0x786f_4256,
    0x0bd0_0bd0,
];

/// What tells one state of a file or a folder from another without reading it: device, number, size, and when it was changed.
type Seal = (u64, u64, u64, i64, i64);

/// Spots that are watched for as long as it is kept.
pub struct Watch {
    spots: Spots,
    /// Each folder that is there, and which one it is.
    folders: BTreeMap<PathBuf, (u64, u64)>,
    seals: BTreeMap<PathBuf, Seal>,
    blind: Option<String>,
    /// Rings the bell; none where nothing can be watched.
    _watcher: Option<RecommendedWatcher>,
}

impl Watch {
    /// Watches these spots from now on, and rings the bell whenever something happens there. What `before` watches already goes
    /// on being watched; nothing is missed in between.
    pub fn over(spots: Spots, before: Option<Self>, bell: &Arc<Notify>) -> Self {
        let folders = folders(&spots);
        if let Some(before) = before.filter(|before| before.spots == spots && before.folders == folders) {
            return before;
        }
        let (watcher, blind) = match watcher(&spots, &folders, bell.clone()) {
            Ok(watcher) => {
                let remote = folders.keys().find(|folder| is_remote(folder));
                let said = |folder: &PathBuf| format!("{} is on another machine or a program's", folder.display());
                (Some(watcher), remote.map(said))
            }
            Err(error) => (None, Some(error.to_string())),
        };
        let seals = seals(&spots);
        Self { spots, folders, seals, blind, _watcher: watcher }
    }

    pub fn spots(&self) -> &Spots {
        &self.spots
    }

    /// Why changes may happen of which nobody tells, so that one has to look.
    pub fn blind(&self) -> Option<&str> {
        self.blind.as_deref()
    }

    /// Whether something is not as it was at the last look.
    pub fn has_changed(&mut self) -> bool {
        let now = seals(&self.spots);
        std::mem::replace(&mut self.seals, now) != self.seals || folders(&self.spots) != self.folders
    }
}

fn folders(spots: &Spots) -> BTreeMap<PathBuf, (u64, u64)> {
    let names: BTreeSet<&PathBuf> = spots.0.iter().map(|(folder, _)| folder).collect();
    let found = names
        .into_iter()
        .filter_map(|folder| Some((folder, folder.metadata().ok().filter(std::fs::Metadata::is_dir)?)));
    found.map(|(folder, found)| (folder.clone(), (found.dev(), found.ino()))).collect()
}

fn seals(spots: &Spots) -> BTreeMap<PathBuf, Seal> {
    let path = |(folder, name): &(PathBuf, OsString)| {
        // A folder changes with the names in it.
        if is_pattern(&name.to_string_lossy()) { folder.clone() } else { folder.join(name) }
    };
    let seal = |path: PathBuf| {
        let found = path.symlink_metadata().ok()?;
        let changed = found.ctime().saturating_mul(1_000_000_000).saturating_add(found.ctime_nsec());
        let size = if found.is_dir() { 0 } else { found.size() };
        Some((path, (found.dev(), found.ino(), size, found.mtime(), changed)))
    };
    spots.0.iter().map(path).filter_map(seal).collect()
}

fn watcher(
    spots: &Spots,
    folders: &BTreeMap<PathBuf, (u64, u64)>,
    bell: Arc<Notify>,
) -> notify::Result<RecommendedWatcher> {
    let mut names: BTreeMap<PathBuf, Vec<OsString>> = BTreeMap::new();
    for (folder, name) in &spots.0 {
        names.entry(folder.clone()).or_default().push(name.clone());
    }
    let mut watcher = notify::recommended_watcher(move |event: notify::Result<Event>| {
        // What is lost of events may have been one of ours.
        if event.map_or(true, |event| concerns(&event, &names)) {
            bell.notify_one();
        }
    })?;
    for folder in folders.keys() {
        match watcher.watch(folder, RecursiveMode::NonRecursive) {
            // It has gone just now, which somebody will tell of.
            Err(error) if matches!(error.kind, notify::ErrorKind::PathNotFound) => {}
            watched => watched?,
        }
    }
    Ok(watcher)
}

/// Whether an event may have changed what a spot says. That somebody reads changes nothing.
fn concerns(event: &Event, names: &BTreeMap<PathBuf, Vec<OsString>>) -> bool {
    let is_change = match event.kind {
        EventKind::Access(access) => access == AccessKind::Close(AccessMode::Write),
        EventKind::Any | EventKind::Create(_) | EventKind::Modify(_) | EventKind::Remove(_) | EventKind::Other => true,
    };
    let fits = |path: &Path| {
        let wanted = path.parent().and_then(|folder| names.get(folder));
        let is_wanted = |name: &OsStr| wanted.is_some_and(|wanted| wanted.iter().any(|one| is_one(one, name)));
        // A folder tells of itself when it is moved or removed.
        names.contains_key(path) || path.file_name().is_some_and(is_wanted)
    };
    is_change && (event.need_rescan() || event.paths.iter().any(|path| fits(path)))
}

fn is_one(wanted: &OsStr, name: &OsStr) -> bool {
    let (pattern, text) = (wanted.to_string_lossy(), name.to_string_lossy());
    wanted == name || is_pattern(&pattern) && matches(&pattern, &text)
}

fn is_remote(folder: &Path) -> bool {
    let kind = rustix::fs::statfs(folder).ok().and_then(|found| u64::try_from(found.f_type).ok());
    kind.is_some_and(|kind| REMOTE.contains(&(kind & 0xffff_ffff)))
}

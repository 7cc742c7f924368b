//! Who could have written this? What root does is said by root alone.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

use super::ReadError;

const WRITABLE_BY_GROUP: u32 = 0o020;
const WRITABLE_BY_OTHERS: u32 = 0o002;
/// In such a folder nobody moves or removes what another owns.
const STICKY: u32 = 0o1000;

/// Whose files are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trust {
    /// Anybody's: what is asked about them does no harm.
    Anybody,
    /// Those that nobody but root can change.
    RootAlone,
}

impl Trust {
    /// Of a daemon that does what the file says: as another user than root it can do no more than its owner.
    pub fn of_a_daemon() -> Self {
        if rustix::process::geteuid().is_root() { Self::RootAlone } else { Self::Anybody }
    }

    /// Why this file would not be taken.
    pub fn refuses(self, path: &Path) -> Option<ReadError> {
        let reason = self.distrusts(path, &path.metadata().ok()?)?;
        Some(ReadError::Untrusted { path: path.to_owned(), reason })
    }

    /// Why this file is not to be trusted, and what to do, where another user can change it or put another one in its place.
    pub fn distrusts(self, path: &Path, file: &Metadata) -> Option<String> {
        match self {
            Self::Anybody => None,
            Self::RootAlone => open_to_others(path, file, 0).or_else(|| folders_open_to_others(path)),
        }
    }
}

/// Why others than root can change it; `harmless` are the bits that keep them from doing so though they can write.
fn open_to_others(path: &Path, found: &Metadata, harmless: u32) -> Option<String> {
    let (name, mode) = (path.display(), found.permissions().mode());
    if found.uid() != 0 {
        return Some(format!("user {} owns {name} and can change it; to trust it: chown root {name}", found.uid()));
    }
    if mode & harmless != 0 {
        return None;
    }
    if mode & WRITABLE_BY_OTHERS != 0 {
        return Some(format!("everybody can write to {name}; to trust it: chmod go-w {name}"));
    }
    (mode & WRITABLE_BY_GROUP != 0 && found.gid() != 0)
        .then(|| format!("group {} can write to {name}; to trust it: chmod g-w {name}", found.gid()))
}

/// The same of the folders on its way, those of links and those to which they lead.
fn folders_open_to_others(path: &Path) -> Option<String> {
    let led = path.canonicalize().ok();
    let folders: BTreeSet<&Path> =
        path.ancestors().skip(1).chain(led.iter().flat_map(|path| path.ancestors().skip(1))).collect();
    let folders = folders.into_iter().filter(|folder| !folder.as_os_str().is_empty());
    folders
        .filter_map(|folder| Some((folder, folder.metadata().ok()?)))
        .find_map(|(folder, found)| open_to_others(folder, &found, STICKY))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn what_others_can_change_is_not_taken() {
        if !rustix::process::geteuid().is_root() {
            return;
        }
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("inner");
        let file = inner.join("jobs.toml");
        fs::create_dir(&inner).unwrap();
        fs::write(&file, "").unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink(&file, &link).unwrap();
        let said = |path: &Path, trust: Trust| trust.distrusts(path, &path.metadata().unwrap()).unwrap_or_default();
        let set = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
        let own = |path: &Path, uid, gid| std::os::unix::fs::chown(path, Some(uid), Some(gid)).unwrap();
        assert_eq!(said(&file, Trust::RootAlone), "");
        for (file_mode, folder_mode, (uid, gid), expect) in [
            (0o666, 0o755, (0, 0), "everybody can write to"),
            (0o664, 0o755, (0, 7), "group 7 can write to"),
            (0o664, 0o755, (0, 0), ""),
            (0o600, 0o755, (12, 0), "user 12 owns"),
            (0o600, 0o777, (0, 0), "inner; to trust it: chmod go-w"),
            (0o600, 0o1777, (0, 0), ""),
        ] {
            own(&file, uid, gid);
            set(&file, file_mode);
            set(&inner, folder_mode);
            for path in [&file, &link] {
                let said = said(path, Trust::RootAlone);
                assert!(said.contains(expect) && said.is_empty() == expect.is_empty(), "{file_mode:o}: {said}");
            }
            assert_eq!(said(&file, Trust::Anybody), "");
        }
    }
}

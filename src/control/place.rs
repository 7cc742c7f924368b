//! Where is a daemon's socket?

use std::collections::BTreeMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use crate::schedule::fingerprint;

const ROOTS: &str = "/run/punctual";
const TEMPORARY: &str = "/tmp";
/// In a folder that everybody writes to, a name may be taken by somebody else; then the next one is tried.
const NAMES: usize = 8;

/// A folder for sockets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub folder: PathBuf,
    /// Whether everybody can write to it.
    pub is_shared: bool,
}

impl Place {
    /// Where a daemon with these variables makes its socket.
    pub fn of(environment: &BTreeMap<String, String>, is_root: bool) -> Self {
        let given = |name: &str| environment.get(name).filter(|value| value.starts_with('/'));
        let own = |folder: &Path| Self { folder: folder.to_owned(), is_shared: false };
        if let Some(list) = given("RUNTIME_DIRECTORY") {
            // systemd gives a list where a unit has several.
            return own(Path::new(list.split(':').next().unwrap_or(list)));
        }
        if is_root {
            return own(Path::new(ROOTS));
        }
        match given("XDG_RUNTIME_DIR") {
            Some(folder) => own(&Path::new(folder).join("punctual")),
            None => {
                let folder = given("TMPDIR").map_or(Path::new(TEMPORARY), Path::new);
                Self { folder: folder.to_owned(), is_shared: true }
            }
        }
    }

    /// The paths that the socket of this database may have, the first of them first.
    pub fn candidates(&self, database: &Path) -> Vec<PathBuf> {
        let hash = fingerprint(database.as_os_str().as_bytes());
        if !self.is_shared {
            return vec![self.folder.join(format!("{hash}.sock"))];
        }
        let further = (1..NAMES).map(|number| format!("punctual-{hash}-{number}.sock"));
        std::iter::once(format!("punctual-{hash}.sock")).chain(further).map(|name| self.folder.join(name)).collect()
    }
}

/// Where the socket of a system's daemon is, for those who may not read its lock file.
pub fn usual(database: &Path) -> PathBuf {
    let place = Place { folder: ROOTS.into(), is_shared: false };
    place.candidates(database).swap_remove(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_folder_is_the_first_that_is_given() {
        let check = |variables: &[(&str, &str)], is_root, expect: &str| {
            let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let place = Place::of(&variables, is_root);
            assert_eq!((place.folder.to_str().unwrap(), place.is_shared), (expect, expect.starts_with("/tmp")));
        };
        let all = [("RUNTIME_DIRECTORY", "/run/a:/run/b"), ("XDG_RUNTIME_DIR", "/run/user/1"), ("TMPDIR", "/tmp/x")];
        check(&all, true, "/run/a");
        check(&all[1..], true, "/run/punctual");
        check(&all[1..], false, "/run/user/1/punctual");
        check(&all[2..], false, "/tmp/x");
        check(&[("XDG_RUNTIME_DIR", "")], false, "/tmp");
        check(&[("XDG_RUNTIME_DIR", "relative")], false, "/tmp");
    }

    #[test]
    fn a_database_has_a_name_of_its_own() {
        let place = Place { folder: "/run/a".into(), is_shared: false };
        let one = place.candidates(Path::new("/var/lib/punctual/punctual.db"));
        assert_eq!(one, place.candidates(Path::new("/var/lib/punctual/punctual.db")));
        assert_ne!(one, place.candidates(Path::new("/var/lib/other/punctual.db")));
        let shared = Place { folder: "/tmp".into(), is_shared: true }.candidates(Path::new("/x"));
        assert_eq!((one.len(), shared.len()), (1, NAMES));
        assert!(shared[0].starts_with("/tmp") && shared[0].to_str().unwrap().len() < 60);
    }
}

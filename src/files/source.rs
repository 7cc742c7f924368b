//! What do a job file and the files that it includes say now?

use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};

use super::glob::{find, is_pattern};
use super::trust::Trust;
use super::{LARGEST_TEXT, ReadError, chained, read_trusted};
use crate::jobfile::{Source, Unread, includes};

/// Who has more files than this has named another folder than was meant.
const MOST_FILES: usize = 10_000;
/// As many as the kernel follows.
const MOST_LINKS: usize = 40;

/// Reads a job file, whole, with all that it includes. A file that is included and cannot be read is said in the source.
pub fn read_source(path: &Path, trust: Trust) -> Result<Source, ReadError> {
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let mut source = Source::of_bytes(path.clone(), read_trusted(&path, LARGEST_TEXT, trust)?);
    let patterns = includes(&source.text);
    // Each once, whichever pattern names it, and never the file itself.
    let mut taken: BTreeSet<PathBuf> = path.canonicalize().into_iter().collect();
    for (item, pattern) in patterns.iter().enumerate() {
        for file in named(&path, pattern) {
            if !taken.insert(file.canonicalize().unwrap_or_else(|_| file.clone())) {
                continue;
            }
            let room = LARGEST_TEXT.saturating_sub(source.text.len() as u64);
            let message = match read_trusted(&file, room, trust) {
                _ if taken.len() > MOST_FILES => format!("`{pattern}` names more than {MOST_FILES} files"),
                Ok(_) if file.to_str().is_none() => format!("the name {} is not UTF-8", file.display()),
                Ok(bytes) => {
                    source.include_bytes(file, bytes);
                    continue;
                }
                Err(ReadError::TooLarge { .. }) => {
                    format!("with {} all files together are larger than {LARGEST_TEXT} bytes", file.display())
                }
                Err(error) => chained(&error),
            };
            source.unread.push(Unread { item, message });
            if taken.len() > MOST_FILES {
                return Ok(source);
            }
        }
    }
    Ok(source)
}

/// The files that an item of `include` names: a name whether there is such a file or not, a pattern what it fits.
fn named(main: &Path, item: &str) -> Vec<PathBuf> {
    let path = main.parent().unwrap_or(Path::new("")).join(item);
    if item.is_empty() {
        Vec::new()
    } else if is_pattern(item) {
        find(&path).paths.into_iter().filter(|path| !path.is_dir()).collect()
    } else {
        vec![path]
    }
}

/// Where in the file system something decides what a source says: folders, and names in them or patterns of names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Spots(pub BTreeSet<(PathBuf, OsString)>);

impl Spots {
    /// Of a job file, and of other files that it names.
    pub fn of<'p>(main: &Path, source: Option<&Source>, others: impl IntoIterator<Item = &'p Path>) -> Self {
        let mut spots = Self::default();
        spots.add(main);
        for other in others {
            spots.add(other);
        }
        let Some(source) = source else {
            return spots;
        };
        for part in source.parts().skip(1) {
            spots.add(part.path);
        }
        for item in includes(source.part(0).text).iter().filter(|item| !item.is_empty()) {
            let path = main.parent().unwrap_or(Path::new("")).join(item);
            if !is_pattern(item) {
                spots.add(&path);
                continue;
            }
            let looked = find(&path).looked;
            for (folder, pattern) in looked {
                // Also the way there: the folder may be a link, or not be there yet.
                spots.add(&folder);
                let folder = folder.canonicalize().unwrap_or(folder);
                spots.0.insert((folder, pattern.into()));
            }
        }
        spots
    }

    /// Every link on the way to a file and the file itself, each in its own folder; up to what is not there.
    fn add(&mut self, path: &Path) {
        let mut way: VecDeque<OsString> = names(path).collect();
        let mut folder = PathBuf::from("/");
        let mut links = 0;
        while let Some(name) = way.pop_front() {
            if name == ".." {
                folder.pop();
                continue;
            }
            let next = folder.join(&name);
            let Ok(found) = next.symlink_metadata() else {
                self.0.insert((folder, name));
                return;
            };
            if found.is_symlink() && links < MOST_LINKS {
                links += 1;
                let target = next.read_link().unwrap_or_default();
                self.0.insert((folder.clone(), name));
                if target.is_absolute() {
                    folder = PathBuf::from("/");
                }
                names(&target).rev().for_each(|name| way.push_front(name));
            } else {
                if way.is_empty() {
                    self.0.insert((folder, name));
                    return;
                }
                folder = next;
            }
        }
    }
}

fn names(path: &Path) -> impl DoubleEndedIterator<Item = OsString> {
    path.components().filter_map(|component| match component {
        Component::Normal(name) => Some(name.to_owned()),
        Component::ParentDir => Some("..".into()),
        Component::RootDir | Component::CurDir | Component::Prefix(_) => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::symlink;

    #[test]
    fn a_source_is_read_with_what_it_includes() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        fs::create_dir(path("jobs.d")).unwrap();
        fs::create_dir(path("jobs.d/folder.toml")).unwrap();
        fs::write(path("jobs.toml"), "include = ['jobs.d/*.toml', '*.toml', 'no.toml', 'jobs.d/a.toml']\n").unwrap();
        fs::write(path("jobs.d/b.toml"), "b").unwrap();
        fs::write(path("jobs.d/a.toml"), "a").unwrap();
        fs::write(path("jobs.d/c.toml"), b"\xff").unwrap();
        nix::unistd::mkfifo(&path("jobs.d/pipe.toml"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        let source = read_source(&path("jobs.toml"), Trust::Anybody).unwrap();
        let texts: Vec<&str> = source.parts().skip(1).map(|part| part.text).collect();
        assert_eq!(texts, ["a", "b", "\u{fffd}"]);
        assert_eq!(source.not_utf8, [source.included[2].start]);
        let unread: Vec<(usize, &str)> = source.unread.iter().map(|u| (u.item, u.message.as_str())).collect();
        assert_eq!((unread.len(), unread[1].0), (2, 2));
        for ((_, message), expect) in unread.iter().zip(["is no regular file", "there is no file"]) {
            assert!(message.contains(expect), "{message}");
        }
    }

    #[test]
    fn every_link_on_the_way_is_a_spot() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().canonicalize().unwrap();
        let path = |name: &str| root.join(name);
        // As a config map is mounted.
        fs::create_dir(path("..2026")).unwrap();
        fs::write(path("..2026/jobs.toml"), "include = ['jobs.d/*.toml', 'away/x.toml']").unwrap();
        symlink("..2026", path("..data")).unwrap();
        symlink("..data/jobs.toml", path("jobs.toml")).unwrap();
        let source = read_source(&path("jobs.toml"), Trust::Anybody).unwrap();
        let spots = Spots::of(&path("jobs.toml"), Some(&source), []);
        let expect = [("", "jobs.toml"), ("", "..data"), ("..2026", "jobs.toml"), ("", "jobs.d"), ("", "away")];
        let mut expect: BTreeSet<_> =
            expect.map(|(folder, name)| (root.join(folder).components().collect(), OsString::from(name))).into();
        expect.insert((path("jobs.d"), "*.toml".into()));
        assert_eq!(spots.0, expect);
    }
}

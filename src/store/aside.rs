//! How does one file take the place of another, so that none is ever overwritten and a crash in between loses none?

use std::fs::{self, DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};

use super::held::FileIdentity;

/// What SQLite keeps beside a database: its log, and the index of that.
pub const LOGS: [&str; 2] = ["-wal", "-shm"];
/// A ledger that is complete and on its way to its place.
const READY: &str = ".new";
/// A ledger that is being written.
const UNFINISHED: &str = ".unfinished";

pub fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut beside = path.as_os_str().to_owned();
    beside.push(suffix);
    beside.into()
}

/// Where another ledger is written for this place; what an earlier attempt has left there goes.
pub fn unfinished(path: &Path) -> io::Result<PathBuf> {
    let unfinished = beside(path, UNFINISHED);
    for suffix in ["", "-wal", "-shm", "-journal"] {
        match fs::remove_file(beside(&unfinished, suffix)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            Ok(()) | Err(_) => {}
        }
    }
    Ok(unfinished)
}

/// Makes the folder of a path again, if somebody has removed it.
pub fn make_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => DirBuilder::new().recursive(true).mode(0o750).create(folder),
        None => Ok(()),
    }
}

/// The ledger that was being written is complete.
pub fn finish(path: &Path) -> io::Result<()> {
    move_without_overwriting(&beside(path, UNFINISHED), &beside(path, READY))
}

/// Sets aside what is there under a name with the time, which is the answer; so is a log that is not one of `own`, because it
/// would be taken for that of the newcomer.
pub fn set_aside(path: &Path, own: [Option<FileIdentity>; 2], now: Timestamp) -> io::Result<Option<PathBuf>> {
    let aside = beside(path, &format!(".aside-{}", now.strftime("%Y%m%dT%H%M%S%6fZ")));
    let is_there = fs::symlink_metadata(path).is_ok();
    if is_there {
        move_without_overwriting(path, &aside)?;
    }
    set_logs_aside(path, own, &aside)?;
    Ok(is_there.then_some(aside))
}

/// Puts the ledger that is complete in its place.
pub fn move_in(path: &Path) -> io::Result<()> {
    move_without_overwriting(&beside(path, READY), path)?;
    sync_folder(path)
}

/// Sets logs aside that are not those that are known; empty ones say nothing and stay.
pub fn set_logs_aside(path: &Path, own: [Option<FileIdentity>; 2], aside: &Path) -> io::Result<()> {
    for (suffix, own) in LOGS.into_iter().zip(own) {
        let log = beside(path, suffix);
        let Ok(found) = fs::symlink_metadata(&log) else {
            continue;
        };
        if Some(FileIdentity::from(&found)) != own && found.len() > 0 {
            move_without_overwriting(&log, &beside(aside, suffix))?;
        }
    }
    Ok(())
}

/// What a crash has left half-done: a ledger that was complete goes to its place, if that is still free.
pub fn finish_moving_in(path: &Path) -> io::Result<()> {
    let ready = beside(path, READY);
    if fs::symlink_metadata(path).is_err() && ready.exists() {
        set_logs_aside(path, [None, None], &beside(path, ".aside"))?;
        move_without_overwriting(&ready, path)?;
    }
    Ok(())
}

fn move_without_overwriting(from: &Path, to: &Path) -> io::Result<()> {
    Ok(renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE)?)
}

fn sync_folder(path: &Path) -> io::Result<()> {
    match path.parent() {
        Some(folder) => File::open(folder)?.sync_all(),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newcomer_overwrites_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x.db");
        let replace = |now: Timestamp| {
            finish(&path)?;
            let aside = set_aside(&path, [None, None], now)?;
            move_in(&path)?;
            io::Result::Ok(aside)
        };
        let aside = |now: Timestamp| replace(now).unwrap();
        fs::write(unfinished(&path).unwrap(), "first").unwrap();
        assert_eq!(aside(Timestamp::UNIX_EPOCH), None);
        fs::write(beside(&path, "-wal"), "log").unwrap();
        fs::write(unfinished(&path).unwrap(), "second").unwrap();
        let first = aside(Timestamp::UNIX_EPOCH).unwrap();
        assert_eq!(fs::read_to_string(&first).unwrap(), "first");
        assert_eq!(fs::read_to_string(beside(&first, "-wal")).unwrap(), "log");
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        // The name is taken: nothing is moved over it, and the ledger that is ready is not lost.
        fs::write(unfinished(&path).unwrap(), "third").unwrap();
        assert!(replace(Timestamp::UNIX_EPOCH).is_err());
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        fs::remove_file(&path).unwrap();
        finish_moving_in(&path).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "third");
    }
}

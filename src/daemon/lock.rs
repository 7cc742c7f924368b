//! Who works on this ledger? One daemon, which holds a lock beside the database and leaves its name in it.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use nix::fcntl::{FcntlArg, fcntl};
use serde::{Deserialize, Serialize};

/// What a daemon says of itself to whoever finds its lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: i32,
    pub since: Timestamp,
    pub config: PathBuf,
    pub version: String,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another daemon works on this ledger: process {}, since {}; stop it, or choose another folder with --state", .0.pid, .0.since)]
    Held(Holder),
    #[error(
        "another daemon works on this ledger, under another name or just starting; stop it, or choose another folder with --state"
    )]
    HeldBySomebody,
    #[error("cannot lock {}; its folder must be writable and have room", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// The lock, held until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock {
    _file: File,
    /// The same on the database itself, whatever name it goes by and whoever removes the other.
    _database: File,
}

/// The file that is locked for a database.
fn lock_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

/// A lock over the whole file, of the open file itself: no other closing in this process can let it go.
fn whole_file() -> libc::flock {
    libc::flock {
        l_type: i16::try_from(libc::F_WRLCK).unwrap_or_default(),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

impl Lock {
    pub fn acquire(database: &Path, holder: &Holder) -> Result<Self, LockError> {
        let path = lock_path(database);
        let io = |source| LockError::Io { path: path.clone(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o640)
            .open(&path)
            .map_err(io)?;
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file())) {
            Ok(_) => {}
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => {
                return Err(read_holder(&mut file).map_or(LockError::HeldBySomebody, LockError::Held));
            }
            Err(error) => return Err(io(error.into())),
        }
        let database = lock_itself(database).map_err(io)?.ok_or(LockError::HeldBySomebody)?;
        file.set_len(0).map_err(io)?;
        serde_json::to_writer(&file, holder).map_err(|error| io(error.into()))?;
        file.flush().map_err(io)?;
        Ok(Self { _file: file, _database: database })
    }
}

/// Locks one byte of the database, far behind those that SQLite locks and any that it will ever write; `None` if another
/// process has it. The file must stay open: closing it would let go of SQLite's own locks.
fn lock_itself(database: &Path) -> io::Result<Option<File>> {
    const FAR: i64 = 1 << 62;
    let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o640).open(database)?;
    let byte = libc::flock { l_start: FAR, l_len: 1, ..whole_file() };
    match fcntl(&file, FcntlArg::F_OFD_SETLK(&byte)) {
        Ok(_) => Ok(Some(file)),
        Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

/// The daemon that works on a database, if one does. Asking takes no lock, so it never keeps a daemon from starting.
pub fn holder(database: &Path) -> Option<Holder> {
    let mut file = File::open(lock_path(database)).ok()?;
    let mut question = whole_file();
    fcntl(&file, FcntlArg::F_OFD_GETLK(&mut question)).ok()?;
    let held = i32::from(question.l_type) != libc::F_UNLCK;
    held.then(|| read_holder(&mut file)).flatten()
}

fn read_holder(file: &mut File) -> Option<Holder> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_others_learn_who() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("punctual.db");
        assert_eq!(holder(&database), None);
        let me = Holder { pid: 7, since: Timestamp::UNIX_EPOCH, config: "jobs.toml".into(), version: "1".to_owned() };
        let lock = Lock::acquire(&database, &me).unwrap();
        assert_eq!(holder(&database), Some(me.clone()));
        assert!(matches!(Lock::acquire(&database, &me), Err(LockError::Held(other)) if other == me));
        drop(lock);
        assert_eq!(holder(&database), None);
        Lock::acquire(&database, &me).unwrap();
    }
}

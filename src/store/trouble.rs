//! What keeps the ledger from being written, and what is to be done about it?

use std::io;
use std::path::Path;

use jiff::Timestamp;
use rustix::fs::{Access, access, statvfs};
use rustix::io::Errno;

use super::aside::{LOGS, beside};
use super::open::primary_code;

/// What is wrong, as it is said in the log and by `status`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub since: Timestamp,
    pub message: String,
}

/// What can happen to a ledger while a daemon works on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It has no name any more, and is there only as long as it is open.
    Deleted,
    /// It has another name now, or its folder has.
    Moved,
    /// Something else is at its path.
    Replaced,
    /// Something else is at its path, and somebody works on that.
    Occupied,
    /// Its log is gone or replaced.
    LogGone,
    Damaged(String),
    Locked(String),
    Full,
    ReadOnly,
    /// The disk, or what stands in for it, does not do what it should.
    Disk(String),
    Unopened(String),
    Other(String),
}

impl Fault {
    pub fn of_sql(error: &sqlx::Error, path: &Path) -> Self {
        let message = error.as_database_error().map_or_else(|| error.to_string(), |error| error.message().to_owned());
        match primary_code(error) {
            Some(5 | 6) => Self::Locked(message),
            Some(8) => Self::ReadOnly,
            Some(10) => Self::of_disk(message, path),
            Some(11 | 26) => Self::Damaged(message),
            Some(13) => Self::Full,
            Some(14) => Self::Unopened(message),
            _ => Self::Other(message),
        }
    }

    pub fn of_io(error: &io::Error, path: &Path) -> Self {
        match error.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => Self::Full,
            io::ErrorKind::ReadOnlyFilesystem => Self::ReadOnly,
            io::ErrorKind::PermissionDenied => Self::Unopened(error.to_string()),
            _ => Self::of_disk(error.to_string(), path),
        }
    }

    /// SQLite has one word for most of what a disk can say; its file system knows more.
    fn of_disk(message: String, path: &Path) -> Self {
        let refuses = |file: &Path| match access(file, Access::WRITE_OK) {
            Err(error) => matches!(error, Errno::ROFS | Errno::PERM | Errno::ACCESS),
            Ok(()) => false,
        };
        if refuses(path) || refuses(&beside(path, LOGS[0])) {
            return Self::ReadOnly;
        }
        if statvfs(path).is_ok_and(|disk| disk.f_blocks > 0 && disk.f_bavail == 0) {
            return Self::Full;
        }
        Self::Disk(message)
    }

    /// What is wrong and what to do, in one line.
    pub fn explain(&self, path: &Path) -> String {
        let path = path.display();
        match self {
            Self::Deleted => {
                format!("the ledger {path} was deleted; the daemon writes it anew from the file that it has open")
            }
            Self::Moved => format!(
                "the ledger {path} is not there any more, but has another name; move it back, or restart the daemon to begin anew"
            ),
            Self::Replaced => format!(
                "something else is where the ledger {path} was; the daemon sets it aside, and writes the ledger anew from the file that it has open"
            ),
            Self::Occupied => format!(
                "something else is where the ledger {path} was, and another program works on it; end that program"
            ),
            Self::LogGone => format!("the log of the ledger {path} was deleted or replaced; the daemon begins another"),
            Self::Damaged(message) => format!(
                "the ledger {path} is damaged ({message}); the daemon sets it aside, and goes on with what can be read of it"
            ),
            Self::Locked(message) => {
                format!(
                    "the ledger {path} cannot be written ({message}); another program holds its lock: end that program"
                )
            }
            Self::Full => format!("the ledger {path} cannot be written: the disk is full; make room"),
            Self::ReadOnly => {
                format!(
                    "the ledger {path} cannot be written: it is read-only; make it, or its disk, writable for the daemon"
                )
            }
            Self::Disk(message) => {
                format!(
                    "the ledger {path} cannot be written: the disk reports an error ({message}); look at the kernel's log"
                )
            }
            Self::Unopened(message) => format!(
                "the ledger {path} cannot be opened ({message}); the file and its folder must be there, and writable for the daemon"
            ),
            Self::Other(message) => format!("the ledger {path} cannot be written ({message}); it is tried again"),
        }
    }
}

//! Which file is the ledger, whatever its path leads to by now?

use std::fs::{self, File};
use std::io::{self, Seek};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

use nix::fcntl::{FcntlArg, fcntl};

/// The first bytes of every SQLite database.
pub(super) const MAGIC: &[u8; 16] = b"SQLite format 3\0";
/// Far behind the bytes that SQLite locks, and any that it will ever write.
const FAR: i64 = 1 << 62;

/// Which file a path names, whatever the path is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    pub fn of(path: &Path) -> io::Result<Self> {
        fs::metadata(path).map(|file| Self::from(&file))
    }
}

impl From<&fs::Metadata> for FileIdentity {
    fn from(file: &fs::Metadata) -> Self {
        Self { device: file.dev(), inode: file.ino() }
    }
}

/// The file of the ledger, open and locked until this is dropped, whatever name it goes by. To close it lets go of SQLite's
/// own locks on it, so it outlives all connections.
#[derive(Debug)]
pub struct Held {
    file: File,
    identity: FileIdentity,
}

impl Held {
    /// Opens and locks a database, which is made where there is none; `None` if another process works on it.
    pub fn acquire(database: &Path) -> io::Result<Option<Self>> {
        let file = File::options().read(true).write(true).create(true).truncate(false).mode(0o640).open(database)?;
        let byte = libc::flock { l_start: FAR, l_len: 1, ..whole_file() };
        match fcntl(&file, FcntlArg::F_OFD_SETLK(&byte)) {
            Ok(_) => {
                let identity = FileIdentity::from(&file.metadata()?);
                Ok(Some(Self { file, identity }))
            }
            Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    pub fn identity(&self) -> FileIdentity {
        self.identity
    }

    /// Whether this is what is at a path.
    pub fn is_at(&self, path: &Path) -> bool {
        FileIdentity::of(path).is_ok_and(|found| found == self.identity)
    }

    /// Whether it has no name any more, and is gone for good once it is closed.
    pub fn is_deleted(&self) -> bool {
        self.file.metadata().is_ok_and(|file| file.nlink() == 0)
    }

    /// Whether it begins as a database does; an empty one may become one.
    pub fn begins_well(&self) -> io::Result<bool> {
        let mut begin = [0; MAGIC.len()];
        let length = self.file.read_at(&mut begin, 0)?;
        Ok(length == 0 || &begin == MAGIC)
    }

    /// Copies it to a new file of the same owner, down to the disk. Nobody may write to it meanwhile.
    pub fn copy_to(&self, path: &Path) -> io::Result<()> {
        let mut copy = File::options().write(true).create(true).truncate(true).mode(0o640).open(path)?;
        let own = self.file.metadata()?;
        // Where the daemon is not root it is its own anyway.
        let _ = fchown(&copy, Some(own.uid()), Some(own.gid()));
        let mut source = &self.file;
        source.rewind()?;
        io::copy(&mut source, &mut copy)?;
        copy.sync_all()
    }
}

/// Whether another process has a lock on a file. It must not be one that this process works on.
pub fn is_worked_on(path: &Path) -> bool {
    // A pipe would keep whoever opens it waiting for its other end.
    let Ok(file) = File::options().read(true).custom_flags(libc::O_NONBLOCK).open(path) else {
        return false;
    };
    let mut question = whole_file();
    fcntl(&file, FcntlArg::F_OFD_GETLK(&mut question)).is_ok() && i32::from(question.l_type) != libc::F_UNLCK
}

/// A lock over a whole file, of the open file itself: no other closing in this process can let it go.
pub fn whole_file() -> libc::flock {
    libc::flock {
        l_type: i16::try_from(libc::F_WRLCK).unwrap_or_default(),
        l_whence: i16::try_from(libc::SEEK_SET).unwrap_or_default(),
        l_start: 0,
        l_len: 0,
        l_pid: 0,
    }
}

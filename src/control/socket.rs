//! How is the socket made, and who can open it?
//!
//! Whoever makes it holds the ledger's lock, so a socket of the same name that is ours was left by a daemon that is gone. What
//! somebody else has put in a folder that everybody writes to is left alone, and not followed.

use std::fs::{self, DirBuilder, Permissions};
use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::path::{Path, PathBuf};

use tokio::net::UnixListener;

use super::place::Place;

/// The kernel's bound for a socket's path, with the NUL behind it.
const LONGEST_PATH: usize = 108;

#[derive(Debug)]
pub struct Socket {
    pub listener: UnixListener,
    pub path: PathBuf,
    /// Device and inode, which tell it from whatever takes its place.
    file: (u64, u64),
}

/// Why there is no socket; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum SocketError {
    #[error("cannot make the folder {}; name another one in RUNTIME_DIRECTORY", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("{} is not a folder of this user, as one for the control socket must be; name another one in RUNTIME_DIRECTORY", .0.display())]
    NotOurs(PathBuf),
    #[error("{} and its like are taken by files of others; name a folder for the control socket in RUNTIME_DIRECTORY", .0.display())]
    Taken(PathBuf),
    #[error("{} has more characters than the path of a socket may have; name a shorter folder in RUNTIME_DIRECTORY", .0.display())]
    TooLong(PathBuf),
    #[error("cannot make the control socket {}; its folder must be writable for the daemon's user", path.display())]
    Bind { path: PathBuf, source: io::Error },
}

impl Socket {
    /// Makes the socket of a database; nobody but the owner can open it yet.
    pub fn open(place: &Place, database: &Path) -> Result<Self, SocketError> {
        if !place.is_shared {
            own_folder(&place.folder)?;
        }
        let candidates = place.candidates(database);
        let free = candidates.iter().find_map(|path| is_free(path).transpose().map(|free| free.map(|()| path)));
        let path = match free {
            Some(Ok(path)) => path,
            Some(Err((path, source))) => return Err(SocketError::Bind { path, source }),
            None => return Err(SocketError::Taken(candidates.into_iter().next().unwrap_or_default())),
        };
        if path.as_os_str().len() >= LONGEST_PATH {
            return Err(SocketError::TooLong(path.clone()));
        }
        let bind = || {
            let listener = UnixListener::bind(path)?;
            fs::set_permissions(path, Permissions::from_mode(0o600))?;
            let made = fs::symlink_metadata(path)?;
            Ok(Self { listener, path: path.clone(), file: (made.dev(), made.ino()) })
        };
        bind().map_err(|source| SocketError::Bind { path: path.clone(), source })
    }

    /// Lets others open it: everybody, or the group alone. What they may ask is decided when they do.
    pub fn admit(&self, group: Option<u32>, everybody: bool) {
        let is_given = group.is_none_or(|group| lchown(&self.path, None, Some(group)).is_ok());
        let mode = if everybody || !is_given { 0o666 } else { 0o660 };
        if let Err(error) = fs::set_permissions(&self.path, Permissions::from_mode(mode)) {
            tracing::warn!("{} cannot be opened to others: {error}", self.path.display());
        }
    }

    /// Whether it is still where it was made.
    pub fn is_there(&self) -> bool {
        fs::symlink_metadata(&self.path).is_ok_and(|found| (found.dev(), found.ino()) == self.file)
    }

    /// Closes it, and leaves no file.
    pub fn remove(self) {
        if self.is_there() {
            let _ = fs::remove_file(&self.path);
        }
    }
}

/// Makes the folder where there is none; it must be ours, and no link.
fn own_folder(folder: &Path) -> Result<(), SocketError> {
    // Operators pass through it, whatever the umask is.
    let made =
        DirBuilder::new().create(folder).and_then(|()| fs::set_permissions(folder, Permissions::from_mode(0o755)));
    if let Err(source) = made
        && source.kind() != io::ErrorKind::AlreadyExists
    {
        return Err(SocketError::Folder { path: folder.to_owned(), source });
    }
    let found =
        fs::symlink_metadata(folder).map_err(|source| SocketError::Folder { path: folder.to_owned(), source })?;
    let own = rustix::process::geteuid().as_raw();
    // systemd makes /run/NAME a link where the user is a dynamic one; root's links are as good as root's folders.
    let is_ours = (found.is_dir() && [own, 0].contains(&found.uid())) || (found.is_symlink() && found.uid() == 0);
    if is_ours { Ok(()) } else { Err(SocketError::NotOurs(folder.to_owned())) }
}

/// Whether a socket can be made here, once what a daemon of ours has left is gone; `None` if the name is somebody else's.
fn is_free(path: &Path) -> Result<Option<()>, (PathBuf, io::Error)> {
    let io = |error| (path.to_owned(), error);
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(())),
        Err(error) => Err(io(error)),
        Ok(found) if found.file_type().is_socket() && found.uid() == rustix::process::geteuid().as_raw() => {
            fs::remove_file(path).map(Some).map_err(io)
        }
        Ok(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    #[tokio::test]
    async fn what_a_daemon_left_is_replaced_and_what_others_made_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { folder: folder.path().to_owned(), is_shared: true };
        let database = Path::new("/x/punctual.db");
        let names = place.candidates(database);
        let left = Socket::open(&place, database).unwrap();
        assert_eq!(left.path, names[0]);
        drop(left);
        assert!(names[0].exists(), "a daemon that was killed leaves it");
        let socket = Socket::open(&place, database).unwrap();
        assert_eq!((socket.path.as_path(), socket.is_there()), (names[0].as_path(), true));
        socket.admit(None, false);
        assert_eq!(fs::metadata(&names[0]).unwrap().mode() & 0o777, 0o660);
        socket.admit(None, true);
        assert_eq!(fs::metadata(&names[0]).unwrap().mode() & 0o777, 0o666);
        fs::remove_file(&names[0]).unwrap();
        fs::write(folder.path().join("target"), "theirs").unwrap();
        symlink(folder.path().join("target"), &names[0]).unwrap();
        assert!(!socket.is_there());
        socket.remove();
        let beside = Socket::open(&place, database).unwrap();
        assert_eq!(beside.path, names[1]);
        assert!(names[0].is_symlink() && fs::read(folder.path().join("target")).unwrap() == b"theirs");
        beside.remove();
        assert!(!names[1].exists());
        for name in &names[1..] {
            fs::write(name, "").unwrap();
        }
        assert!(matches!(Socket::open(&place, database), Err(SocketError::Taken(_))));
    }

    #[tokio::test]
    async fn a_folder_must_be_a_folder_and_not_too_deep() {
        let folder = tempfile::tempdir().unwrap();
        let inner = folder.path().join("run");
        let open =
            |folder: &Path| Socket::open(&Place { folder: folder.to_owned(), is_shared: false }, Path::new("/x"));
        open(&inner).unwrap().remove();
        assert!(inner.is_dir());
        let file = folder.path().join("file");
        fs::write(&file, "").unwrap();
        assert!(matches!(open(&file), Err(SocketError::NotOurs(_))));
        assert!(matches!(open(&folder.path().join("a/b")), Err(SocketError::Folder { .. })));
        let deep = folder.path().join("d".repeat(100));
        assert!(matches!(open(&deep), Err(SocketError::TooLong(_))));
    }
}

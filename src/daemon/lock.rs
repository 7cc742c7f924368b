//! Who works on this ledger? One daemon, which holds a lock beside the database and leaves its name in it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use nix::fcntl::{FcntlArg, fcntl};
use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::time::sleep;

use crate::control::FileState;
use crate::store::{Trouble, whole_file};

/// What a holder says of itself takes so many bytes, whatever it is, but for a long story of what is wrong with a file: a full
/// disk has room for what is there already.
const RECORD: usize = 4096;
/// Bytes of what is said of a trouble.
const LONGEST_MESSAGE: usize = 1000;
/// The same of a file, with some ten of its errors; `check` tells all of them.
const LONGEST_OF_A_FILE: usize = 6000;
/// How often a daemon looks whether its lock file is still there.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// A record is read anew so often if it does not read well, because it was being written.
const READS: usize = 5;

/// What a daemon says of itself to whoever finds its lock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    pub pid: i32,
    pub since: Timestamp,
    pub config: PathBuf,
    pub version: String,
    /// Where it listens to people; none while it cannot, or if it is of an older version.
    #[serde(default)]
    pub socket: Option<PathBuf>,
    /// What keeps it from writing to its ledger.
    #[serde(default)]
    pub trouble: Option<HoldersTrouble>,
    /// Why the file as it is now is not in force.
    #[serde(default)]
    pub file_trouble: Option<HoldersTrouble>,
    /// Settings of `[daemon]` that wait for the next start.
    #[serde(default)]
    pub at_next_start: Vec<String>,
    /// That it is about to end.
    #[serde(default)]
    pub stopping: Option<HoldersStop>,
}

/// A daemon that was told to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldersStop {
    /// For how long runs may finish; none: they are being ended.
    pub until: Option<Timestamp>,
    /// How many have not ended.
    pub runs: usize,
}

impl Holder {
    /// With no more of what is wrong with the file than its first line, for which there is room.
    fn in_short(&self) -> Self {
        let mut short = self.clone();
        if let Some(trouble) = &mut short.file_trouble {
            trouble.message =
                trouble.message.lines().next().unwrap_or_default().chars().take(LONGEST_MESSAGE / 4).collect();
        }
        short
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HoldersTrouble {
    pub since: Timestamp,
    pub message: String,
}

#[derive(Debug, thiserror::Error)]
pub enum LockError {
    #[error("another daemon works on this ledger: process {}, since {}; stop it, or choose another folder with --state", .0.pid, .0.since)]
    Held(Box<Holder>),
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
    path: PathBuf,
    file: File,
    holder: Holder,
}

/// The file that is locked for a database.
pub fn lock_path(database: &Path) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

impl Lock {
    pub fn acquire(database: &Path, holder: Holder) -> Result<Self, LockError> {
        let path = lock_path(database);
        let io = |source| LockError::Io { path: path.clone(), source };
        let mut file = open_and_lock(&path).map_err(|error| match error {
            Some(error) => io(error),
            None => File::open(&path)
                .ok()
                .and_then(|mut file| read_holder(&mut file))
                .map_or(LockError::HeldBySomebody, |holder| LockError::Held(Box::new(holder))),
        })?;
        write_holder(&mut file, &holder).map_err(io)?;
        Ok(Self { path, file, holder })
    }

    /// Since when the daemon runs that holds it.
    pub fn since(&self) -> Timestamp {
        self.holder.since
    }

    /// Tells whoever asks where people are listened to, and what is wrong with the ledger and with the file, and whether the end is near,
    /// for as long as this is waited for, and sees to it that the lock file is there to tell it.
    pub async fn tell(
        &mut self,
        mut trouble: watch::Receiver<Option<Trouble>>,
        mut file: watch::Receiver<FileState>,
        mut socket: watch::Receiver<Option<PathBuf>>,
        mut stopping: watch::Receiver<Option<HoldersStop>>,
    ) -> std::convert::Infallible {
        loop {
            self.renew();
            let mut now = self.holder.clone();
            now.socket.clone_from(&socket.borrow_and_update());
            now.trouble = trouble.borrow_and_update().as_ref().map(said);
            let state = file.borrow_and_update().clone();
            now.file_trouble = state.trouble.as_ref().map(|trouble| said_within(trouble, LONGEST_OF_A_FILE));
            now.at_next_start = state.at_next_start.iter().map(|key| (*key).to_owned()).collect();
            now.stopping.clone_from(&stopping.borrow_and_update());
            if now != self.holder {
                self.holder = now;
                if write_holder(&mut self.file, &self.holder).is_err()
                    && let Err(error) = write_holder(&mut self.file, &self.holder.in_short())
                {
                    tracing::warn!("status cannot be told: {} cannot be written: {error}", self.path.display());
                }
            }
            tokio::select! {
                changed = trouble.changed() => if changed.is_err() {
                    return std::future::pending().await;
                },
                // Once nobody listens or reads any more, the last that was said of it stays.
                Ok(()) = socket.changed() => {}
                Ok(()) = file.changed() => {}
                Ok(()) = stopping.changed() => {}
                () = sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// A lock file that was removed is made again, unless another daemon has done so.
    fn renew(&mut self) {
        let inode = |file: fs::Metadata| (file.dev(), file.ino());
        let found = fs::metadata(&self.path).map(inode).ok();
        if found.is_some() && found == self.file.metadata().map(inode).ok() {
            return;
        }
        if let Ok(mut file) = open_and_lock(&self.path)
            && write_holder(&mut file, &self.holder).is_ok()
        {
            self.file = file;
        }
    }
}

fn said(trouble: &Trouble) -> HoldersTrouble {
    said_within(trouble, LONGEST_MESSAGE)
}

fn said_within(trouble: &Trouble, longest: usize) -> HoldersTrouble {
    let message = &trouble.message;
    let end = (0..=longest.min(message.len())).rev().find(|at| message.is_char_boundary(*at));
    HoldersTrouble { since: trouble.since, message: message[..end.unwrap_or(0)].to_owned() }
}

/// The error is none if another process has the lock.
fn open_and_lock(path: &Path) -> Result<File, Option<io::Error>> {
    let file = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o640).open(path)?;
    match fcntl(&file, FcntlArg::F_OFD_SETLK(&whole_file())) {
        Ok(_) => Ok(file),
        Err(nix::errno::Errno::EAGAIN | nix::errno::Errno::EACCES) => Err(None),
        Err(error) => Err(Some(error.into())),
    }
}

/// All of the record at once, filled up with blanks: whoever reads finds the old one or the new one.
fn write_holder(file: &mut File, holder: &Holder) -> io::Result<()> {
    let mut record = serde_json::to_vec(holder)?;
    record.resize(record.len().max(RECORD - 1), b' ');
    record.push(b'\n');
    file.write_all_at(&record, 0)?;
    file.set_len(record.len() as u64)
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
    (0..READS).find_map(|_| {
        let mut text = String::new();
        file.rewind().ok()?;
        file.read_to_string(&mut text).ok()?;
        serde_json::from_str(&text).ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holds_it_and_others_learn_who() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("punctual.db");
        assert_eq!(holder(&database), None);
        let me = Holder {
            pid: 7,
            since: Timestamp::UNIX_EPOCH,
            config: "jobs.toml".into(),
            version: "1".to_owned(),
            socket: None,
            trouble: None,
            file_trouble: None,
            at_next_start: Vec::new(),
            stopping: None,
        };
        let lock = Lock::acquire(&database, me.clone()).unwrap();
        assert_eq!(holder(&database), Some(me.clone()));
        assert!(matches!(Lock::acquire(&database, me.clone()), Err(LockError::Held(other)) if *other == me));
        drop(lock);
        assert_eq!(holder(&database), None);
        Lock::acquire(&database, me.clone()).unwrap();
    }

    #[test]
    fn what_an_older_version_left_is_read() {
        let text = r#"{"pid":7,"since":"2026-11-23T00:00:00Z","config":"jobs.toml","version":"0.1.0"}"#;
        let holder: Holder = serde_json::from_str(text).unwrap();
        assert_eq!((holder.socket, holder.trouble), (None, None));
    }

    #[tokio::test]
    async fn a_trouble_is_told_and_taken_back_and_a_lock_file_comes_again() {
        let folder = tempfile::tempdir().unwrap();
        let database = folder.path().join("punctual.db");
        let me = Holder {
            pid: 7,
            since: Timestamp::UNIX_EPOCH,
            config: "jobs.toml".into(),
            version: "1".to_owned(),
            socket: None,
            trouble: None,
            file_trouble: None,
            at_next_start: Vec::new(),
            stopping: None,
        };
        let mut lock = Lock::acquire(&database, me.clone()).unwrap();
        let size = fs::metadata(lock_path(&database)).unwrap().len();
        let (say, trouble) = watch::channel(None);
        let (say_where, socket) = watch::channel(None);
        let (say_of_file, file) = watch::channel(FileState::default());
        let (say_of_stop, stopping) = watch::channel(None);
        let asked = async {
            let told = |wanted: Option<String>| {
                let database = database.clone();
                async move {
                    while holder(&database).and_then(|holder| holder.trouble).map(|told| told.message) != wanted {
                        tokio::task::yield_now().await;
                    }
                }
            };
            let message = "ü".repeat(1 << 20);
            say.send_replace(Some(Trouble { since: Timestamp::UNIX_EPOCH, message }));
            told(Some("ü".repeat(LONGEST_MESSAGE / 2))).await;
            assert_eq!(fs::metadata(lock_path(&database)).unwrap().len(), size);
            fs::remove_file(lock_path(&database)).unwrap();
            say.send_replace(None);
            told(None).await;
            say_where.send_replace(Some("/run/a.sock".into()));
            while holder(&database).and_then(|holder| holder.socket).is_none() {
                tokio::task::yield_now().await;
            }
            say_where.send_replace(None);
            let message = "line\n".repeat(LONGEST_OF_A_FILE);
            let trouble = Some(Trouble { since: Timestamp::UNIX_EPOCH, message });
            say_of_file.send_replace(FileState { trouble, at_next_start: vec!["database"] });
            let said = |holder: Holder| holder.file_trouble.is_some() && holder.at_next_start == ["database"];
            while !holder(&database).is_some_and(said) {
                tokio::task::yield_now().await;
            }
            say_of_file.send_replace(FileState::default());
            say_of_stop.send_replace(Some(HoldersStop { until: None, runs: 3 }));
            while holder(&database).and_then(|holder| holder.stopping).is_none_or(|stop| stop.runs != 3) {
                tokio::task::yield_now().await;
            }
            say_of_stop.send_replace(None);
            while holder(&database).as_ref() != Some(&me) {
                say.send_replace(None);
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            never = lock.tell(trouble, file, socket, stopping) => match never {},
            () = asked => {}
        }
    }
}

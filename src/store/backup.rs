//! How is the ledger copied while everything goes on?
//!
//! A copy is what a reader sees at one moment: whoever writes is never kept from it. It takes its name only when it is
//! whole, checked and on the disk, so that a file with such a name is a backup.

use std::fs::{self, File, OpenOptions, Permissions, TryLockError};
use std::io;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use rustix::fs::{CWD, RenameFlags, renameat_with};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection};

use super::held::FileIdentity;
use super::open::{OpenError, Reader, check_header};

/// Behind the name of a copy that is being made.
const PART: &str = ".part";

/// Why there is no backup; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("{} is there already; name a file that is not, or add --force", .0.display())]
    Exists(PathBuf),
    #[error("{} is no plain file and cannot be replaced by one; name another", .0.display())]
    NoFile(PathBuf),
    #[error("{} is the ledger itself, or belongs to it; name another file", .0.display())]
    Itself(PathBuf),
    #[error("{} is no ledger of punctual, and only an older backup is replaced; name another file", .0.display())]
    Foreign(PathBuf),
    #[error("{} is not UTF-8; name another file", .0.display())]
    NotText(PathBuf),
    #[error("another backup is just being written to {}; name another file, or wait", .0.display())]
    Busy(PathBuf),
    #[error("cannot write {}: {source}; its folder must be there, be writable and have room", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the ledger cannot be copied to {}: {source}; is there room, and is the ledger whole?", to.display())]
    Copy { to: PathBuf, source: sqlx::Error },
    #[error("the copy in {} was damaged on its way ({message}) and is removed; is the disk well?", to.display())]
    Damaged { to: PathBuf, message: String },
}

/// Copies the ledger, as it is at this moment, to a file; the answer is its size. What is there already stays, unless it is
/// to be replaced.
pub async fn back_up(ledger: &Path, to: &Path, replace: bool) -> Result<u64, BackupError> {
    let to = std::path::absolute(to).map_err(|source| BackupError::Write { path: to.to_owned(), source })?;
    refuse_what_must_stay(ledger, &to, replace)?;
    let reader = Reader::open(ledger).await?;
    let part = Part::begin(&to)?;
    let copied = reader.copy_to(part.name()?).await;
    reader.pool.close().await;
    copied.map_err(|source| BackupError::Copy { to: to.clone(), source })?;
    part.check().await?;
    part.finish(replace).await
}

/// The name of a backup made at a time.
pub fn backup_name(at: Timestamp) -> String {
    at.strftime("punctual-%Y-%m-%dT%H%M%SZ.db").to_string()
}

/// Removes all but the newest backups of a folder, and what was left of some that were broken off; the answer is how many
/// backups went. Nothing with another name is touched.
pub fn remove_old_backups(folder: &Path, keep: usize) -> io::Result<usize> {
    let names = fs::read_dir(folder)?.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let (mut backups, others): (Vec<String>, Vec<String>) = names.partition(|name| is_backup_name(name));
    for part in others.iter().filter(|name| name.strip_suffix(PART).is_some_and(is_backup_name)) {
        let path = folder.join(part);
        if File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            fs::remove_file(path)?;
        }
    }
    backups.sort_unstable();
    let old = backups.len().saturating_sub(keep);
    for name in &backups[..old] {
        fs::remove_file(folder.join(name))?;
    }
    Ok(old)
}

/// Whether `backup_name` gives such names.
fn is_backup_name(name: &str) -> bool {
    const SHAPE: &[u8] = b"punctual-0000-00-00T000000Z.db";
    let fits = |(is, shape): (u8, &u8)| if *shape == b'0' { is.is_ascii_digit() } else { is == *shape };
    name.len() == SHAPE.len() && name.bytes().zip(SHAPE).all(fits)
}

fn refuse_what_must_stay(ledger: &Path, to: &Path, replace: bool) -> Result<(), BackupError> {
    let of_ledger = ["", "-wal", "-shm", ".lock"].map(|suffix| {
        let mut path = ledger.as_os_str().to_owned();
        path.push(suffix);
        FileIdentity::of(Path::new(&path)).ok()
    });
    let identity = FileIdentity::of(to).ok();
    if identity.is_some() && of_ledger.contains(&identity) {
        return Err(BackupError::Itself(to.to_owned()));
    }
    match fs::symlink_metadata(to) {
        Ok(file) if !file.is_file() => Err(BackupError::NoFile(to.to_owned())),
        Ok(_) if !replace => Err(BackupError::Exists(to.to_owned())),
        Ok(_) if check_header(to).is_err() => Err(BackupError::Foreign(to.to_owned())),
        Ok(_) | Err(_) => Ok(()),
    }
}

/// A copy that is not yet whole; removed unless it becomes so.
struct Part {
    path: PathBuf,
    to: PathBuf,
    /// Locked, so that no other backup writes to the same file.
    file: File,
    is_finished: bool,
}

impl Part {
    fn begin(to: &Path) -> Result<Self, BackupError> {
        let mut path = to.as_os_str().to_owned();
        path.push(PART);
        let path = PathBuf::from(path);
        let write = |source| BackupError::Write { path: path.clone(), source };
        let file =
            OpenOptions::new().write(true).create(true).truncate(false).mode(0o640).open(&path).map_err(write)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(BackupError::Busy(path)),
            Err(TryLockError::Error(source)) => return Err(BackupError::Write { path, source }),
        }
        // One may have been broken off here.
        file.set_len(0).map_err(write)?;
        // Output of jobs may hold what not everybody is to read, whatever the umask.
        file.set_permissions(Permissions::from_mode(0o640)).map_err(write)?;
        Ok(Self { path, to: to.to_owned(), file, is_finished: false })
    }

    fn name(&self) -> Result<&str, BackupError> {
        self.path.to_str().ok_or_else(|| BackupError::NotText(self.to.clone()))
    }

    async fn check(&self) -> Result<(), BackupError> {
        let copy = |source| BackupError::Copy { to: self.to.clone(), source };
        let options = SqliteConnectOptions::new().filename(&self.path).immutable(true).disable_statement_logging();
        let mut connection = options.connect().await.map_err(copy)?;
        let found = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut connection).await;
        connection.close().await.map_err(copy)?;
        let found: String = found.map_err(copy)?;
        if found == "ok" { Ok(()) } else { Err(BackupError::Damaged { to: self.to.clone(), message: found }) }
    }

    /// Gives it its name, once it is on the disk.
    async fn finish(mut self, replace: bool) -> Result<u64, BackupError> {
        let write = |source| BackupError::Write { path: self.to.clone(), source };
        // Seconds for a large one, which must not hold up whatever else this thread does.
        let file = tokio::fs::File::from_std(self.file.try_clone().map_err(write)?);
        file.sync_all().await.map_err(write)?;
        let size = file.metadata().await.map_err(write)?.len();
        if replace {
            fs::rename(&self.path, &self.to).map_err(write)?;
        } else {
            rename_to_new(&self.path, &self.to)?;
        }
        self.is_finished = true;
        let folder = self.to.parent().unwrap_or(Path::new("/"));
        let folder = tokio::fs::File::open(folder).await.map_err(write)?;
        folder.sync_all().await.map_err(write)?;
        Ok(size)
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        if !self.is_finished {
            let _ = fs::remove_file(&self.path);
        }
    }
}

fn rename_to_new(part: &Path, to: &Path) -> Result<(), BackupError> {
    match renameat_with(CWD, part, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => Ok(()),
        Err(rustix::io::Errno::EXIST) => Err(BackupError::Exists(to.to_owned())),
        // Some file systems cannot do both in one.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) if to.exists() => {
            Err(BackupError::Exists(to.to_owned()))
        }
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            fs::rename(part, to).map_err(|source| BackupError::Write { path: to.to_owned(), source })
        }
        Err(error) => Err(BackupError::Write { path: to.to_owned(), source: error.into() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_backups_of_this_pattern_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let names = [
            "punctual-2026-11-20T040000Z.db",
            "punctual-2026-11-21T040000Z.db",
            "punctual-2026-11-22T040000Z.db",
            "punctual-2026-11-19T040000Z.db.part",
            "punctual-2026-11-1xT040000Z.db",
            "punctual-2026-11-18T040000Z.db.mine",
            "punctual.db",
        ];
        for name in names {
            fs::write(folder.path().join(name), "x").unwrap();
        }
        let at: Timestamp = "2026-11-20T04:00:00.9Z".parse().unwrap();
        assert_eq!(backup_name(at), names[0]);
        assert_eq!(remove_old_backups(folder.path(), 2).unwrap(), 1);
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        left.sort();
        assert_eq!(left, [names[5], names[4], names[1], names[2], names[6]]);
    }
}

//! How does a copy become the ledger again, without losing the one that is there?

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt, chown};
use std::path::{Path, PathBuf};

use jiff::Timestamp;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use super::held::FileIdentity;
use super::open::{OpenError, check_header, is_known_version, primary_code};

/// Behind the ledger's name while a copy of a backup is being checked.
const PART: &str = ".restoring";

const APPLICATION: &str = "SELECT application_id FROM pragma_application_id";

const TABLES: &str = "SELECT count(*) FROM sqlite_master WHERE name IN ('runs', 'jobs', '_sqlx_migrations')";

const VERSIONS: &str = "SELECT version, checksum FROM _sqlx_migrations";

const CONTENTS: &str = "
SELECT (SELECT count(*) FROM runs), (SELECT count(DISTINCT job) FROM runs), (SELECT count(*) FROM runs WHERE state < 3),
       (SELECT min(due) FROM runs),
       max(coalesce((SELECT max(coalesce(ended, started, due_last, due)) FROM runs), 0),
           coalesce((SELECT max(at) FROM events), 0))";

/// Why a backup was not restored; each says what to do. Nothing has changed then.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    #[error("{} cannot be read: {source}", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{} is no ledger of punctual; name a file that `punctual backup` has made, unpacked", .0.display())]
    NoLedger(PathBuf),
    #[error("{} is empty: there is nothing in it to restore", .0.display())]
    Empty(PathBuf),
    #[error("{} is the ledger that is in place already; name a backup of it", .0.display())]
    Itself(PathBuf),
    #[error("{} was written by a newer punctual; install that version again", .0.display())]
    Newer(PathBuf),
    #[error("{} is damaged: {message}; take an older backup", path.display())]
    Damaged { path: PathBuf, message: String },
    #[error("cannot write {}: {source}; the folder must be writable and have room", path.display())]
    Write { path: PathBuf, source: io::Error },
    #[error("cannot give the ledger to its owner, user {user}: {source}; run this as root, or as that user")]
    Owner { user: u32, source: io::Error },
    #[error("{} cannot be asked: {source}", path.display())]
    Sql { path: PathBuf, source: sqlx::Error },
}

/// What a ledger has in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contents {
    pub entries: i64,
    pub jobs: i64,
    /// Runs that were waiting or running.
    pub open: i64,
    /// The first instant.
    pub since: Option<Timestamp>,
    /// The last thing that it knows of.
    pub until: Option<Timestamp>,
}

/// Whose the ledger is to be, and who may read it.
#[derive(Debug, Clone, Copy)]
pub struct Owner {
    user: u32,
    group: u32,
    mode: u32,
}

/// A copy beside the ledger, whole and checked; removed unless it is put in place.
#[derive(Debug)]
pub struct Restorable {
    part: PathBuf,
    database: PathBuf,
    pub contents: Contents,
}

impl Owner {
    /// The owner of the ledger that is there, or else of its folder. Makes the folder where there is none.
    pub fn of(database: &Path) -> Result<Self, RestoreError> {
        if let Ok(file) = fs::metadata(database) {
            return Ok(Self { user: file.uid(), group: file.gid(), mode: file.mode() & 0o777 });
        }
        let folder = folder_of(database);
        let write = |source| RestoreError::Write { path: folder.to_owned(), source };
        if !folder.exists() {
            fs::create_dir_all(folder).map_err(write)?;
            fs::set_permissions(folder, Permissions::from_mode(0o750)).map_err(write)?;
        }
        let folder = fs::metadata(folder).map_err(write)?;
        Ok(Self { user: folder.uid(), group: folder.gid(), mode: 0o640 })
    }

    /// Gives a file to this owner, where it is somebody else's.
    pub fn give(self, path: &Path) -> Result<(), RestoreError> {
        let file = fs::metadata(path).map_err(|source| RestoreError::Write { path: path.to_owned(), source })?;
        if (file.uid(), file.gid()) == (self.user, self.group) {
            return Ok(());
        }
        let given = chown(path, Some(self.user), Some(self.group));
        given.map_err(|source| RestoreError::Owner { user: self.user, source })
    }
}

impl Restorable {
    /// Copies a backup to the ledger's folder, and checks the copy. The backup itself is only read.
    pub async fn copy(backup: &Path, database: &Path, owner: Owner) -> Result<Self, RestoreError> {
        // Where the ledger is a link, it is the file behind it that is replaced.
        let database = fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
        refuse_what_is_no_backup(backup, &database)?;
        let part = with_suffix(&database, PART);
        let contents = Contents { entries: 0, jobs: 0, open: 0, since: None, until: None };
        let mut copy = Self { part, database, contents };
        copy_file(backup, &copy.part)?;
        // Whoever copied the files of a ledger that was not closed has a log beside it, which belongs to it.
        let log = with_suffix(backup, "-wal");
        if log.exists() {
            copy_file(&log, &with_suffix(&copy.part, "-wal"))?;
        }
        copy.contents = look_into(&copy.part, backup).await?;
        let write = |source| RestoreError::Write { path: copy.part.clone(), source };
        owner.give(&copy.part)?;
        fs::set_permissions(&copy.part, Permissions::from_mode(owner.mode)).map_err(write)?;
        File::open(&copy.part).and_then(|file| file.sync_all()).map_err(write)?;
        Ok(copy)
    }

    /// Sets the present ledger aside, under the name that is the answer, and puts the copy in its place. The caller holds
    /// the ledger's lock.
    pub fn put_in_place(self, now: Timestamp) -> Result<Option<PathBuf>, RestoreError> {
        let present = Present::of(&self.database, now);
        if let Err(error) = present.set_aside().and_then(|()| rename(&self.part, &self.database)) {
            present.take_back();
            return Err(error);
        }
        let folder = folder_of(&self.database);
        let synced = File::open(folder).and_then(|folder| folder.sync_all());
        synced.map_err(|source| RestoreError::Write { path: folder.to_owned(), source })?;
        Ok(present.aside)
    }
}

/// The ledger that is to be replaced: its file, its log, and what SQLite keeps of the log in memory.
struct Present<'d> {
    database: &'d Path,
    /// Where it goes; `None` if there is nothing in it.
    aside: Option<PathBuf>,
}

const PARTS: [&str; 3] = ["", "-wal", "-shm"];

impl<'d> Present<'d> {
    fn of(database: &'d Path, now: Timestamp) -> Self {
        let exists = |path: &Path| PARTS.iter().any(|part| with_suffix(path, part).exists());
        let has_something = |part: &str| fs::metadata(with_suffix(database, part)).is_ok_and(|file| file.len() > 0);
        let name = with_suffix(database, &now.strftime(".aside-%Y-%m-%dT%H%M%SZ").to_string());
        let numbered = (2..).map(|number| with_suffix(&name, &format!("-{number}")));
        let free = std::iter::once(name.clone()).chain(numbered).find(|name| !exists(name));
        Self { database, aside: free.filter(|_| has_something("") || has_something("-wal")) }
    }

    /// The database first: a log without one is harmless, and a database without its log is not what it was.
    fn set_aside(&self) -> Result<(), RestoreError> {
        for (part, aside) in PARTS.iter().zip(self.asides()) {
            let path = with_suffix(self.database, part);
            if path.exists() {
                rename(&path, &aside)?;
            }
        }
        Ok(())
    }

    /// As it was, if the copy cannot take its place.
    fn take_back(&self) {
        for (part, aside) in PARTS.iter().zip(self.asides()) {
            if aside.exists() {
                let _ = fs::rename(aside, with_suffix(self.database, part));
            }
        }
    }

    fn asides(&self) -> impl Iterator<Item = PathBuf> {
        self.aside.iter().flat_map(|aside| PARTS.map(|part| with_suffix(aside, part)))
    }
}

impl Drop for Restorable {
    fn drop(&mut self) {
        for suffix in ["", "-wal", "-shm", "-journal"] {
            let _ = fs::remove_file(with_suffix(&self.part, suffix));
        }
    }
}

fn refuse_what_is_no_backup(backup: &Path, database: &Path) -> Result<(), RestoreError> {
    let path = || backup.to_owned();
    let file = fs::metadata(backup).map_err(|source| RestoreError::Read { path: path(), source })?;
    if !file.is_file() {
        return Err(RestoreError::NoLedger(path()));
    }
    if FileIdentity::of(backup).ok() == FileIdentity::of(database).ok() {
        return Err(RestoreError::Itself(path()));
    }
    if file.len() == 0 && !with_suffix(backup, "-wal").exists() {
        return Err(RestoreError::Empty(path()));
    }
    match check_header(backup) {
        Ok(()) => Ok(()),
        Err(OpenError::NotReadable(path, source)) => Err(RestoreError::Read { path, source }),
        Err(_) => Err(RestoreError::NoLedger(path())),
    }
}

/// Checks a copy, and makes it one file.
async fn look_into(part: &Path, backup: &Path) -> Result<Contents, RestoreError> {
    let explain = |error: sqlx::Error| explain(backup, error);
    let options = SqliteConnectOptions::new().filename(part).journal_mode(SqliteJournalMode::Delete);
    let mut connection = options.disable_statement_logging().connect().await.map_err(explain)?;
    let contents = read_contents(&mut connection, backup).await;
    connection.close().await.map_err(explain)?;
    contents
}

async fn read_contents(connection: &mut SqliteConnection, backup: &Path) -> Result<Contents, RestoreError> {
    let explain = |error: sqlx::Error| explain(backup, error);
    let found: String =
        sqlx::query_scalar("PRAGMA integrity_check(1)").fetch_one(&mut *connection).await.map_err(explain)?;
    if found != "ok" {
        return Err(RestoreError::Damaged { path: backup.to_owned(), message: found });
    }
    let application: i64 = sqlx::query_scalar(APPLICATION).fetch_one(&mut *connection).await.map_err(explain)?;
    let tables: i64 = sqlx::query_scalar(TABLES).fetch_one(&mut *connection).await.map_err(explain)?;
    if application != super::open::APPLICATION_ID || tables < 3 {
        return Err(RestoreError::NoLedger(backup.to_owned()));
    }
    let versions: Vec<(i64, Vec<u8>)> = sqlx::query_as(VERSIONS).fetch_all(&mut *connection).await.map_err(explain)?;
    if !versions.iter().all(|(version, checksum)| is_known_version(*version, checksum)) {
        return Err(RestoreError::Newer(backup.to_owned()));
    }
    let (entries, jobs, open, since, until): (i64, i64, i64, Option<i64>, i64) =
        sqlx::query_as(CONTENTS).fetch_one(connection).await.map_err(explain)?;
    let time = |micros: i64| Timestamp::from_microsecond(micros).ok().filter(|_| micros > 0);
    Ok(Contents { entries, jobs, open, since: since.and_then(time), until: time(until) })
}

/// SQLite's primary result codes of a file that is not what it should be.
fn explain(backup: &Path, error: sqlx::Error) -> RestoreError {
    const CORRUPT: i32 = 11;
    const NOT_A_DATABASE: i32 = 26;
    let path = backup.to_owned();
    match primary_code(&error) {
        Some(CORRUPT | NOT_A_DATABASE) => RestoreError::Damaged { path, message: error.to_string() },
        _ => RestoreError::Sql { path, source: error },
    }
}

fn copy_file(from: &Path, to: &Path) -> Result<(), RestoreError> {
    let mut source = File::open(from).map_err(|source| RestoreError::Read { path: from.to_owned(), source })?;
    let write = |source| RestoreError::Write { path: to.to_owned(), source };
    let mut options = OpenOptions::new();
    let mut target = options.write(true).create(true).truncate(true).mode(0o640).open(to).map_err(write)?;
    io::copy(&mut source, &mut target).map(|_| ()).map_err(write)
}

fn rename(from: &Path, to: &Path) -> Result<(), RestoreError> {
    fs::rename(from, to).map_err(|source| RestoreError::Write { path: to.to_owned(), source })
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut path: OsString = path.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

//! How is the database opened, and what may go wrong with it?

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};

static MIGRATIONS: Migrator = sqlx::migrate!();

/// `punc` in the header of the file tells our databases from others.
pub(super) const APPLICATION_ID: i64 = 0x7075_6e63;
/// For how long a statement waits for somebody else's lock.
const BUSY: Duration = Duration::from_secs(5);
/// Questions that are asked at the same time.
const READERS: u32 = 2;

/// Who writes: recorded with what is written.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    pub host: i64,
    pub boot: i64,
}

/// Which file a path names, whatever the path is called.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FileIdentity {
    device: u64,
    inode: u64,
}

impl FileIdentity {
    pub fn of(path: &Path) -> Option<Self> {
        let file = fs::metadata(path).ok()?;
        Some(Self { device: file.dev(), inode: file.ino() })
    }
}

/// The ledger, open for writing by this process.
#[derive(Debug)]
pub struct Store {
    pub path: PathBuf,
    pub(super) file: FileIdentity,
    pub identity: Identity,
    /// Whether no daemon has written since the machine booted.
    pub first_since_boot: bool,
    pub(super) writer: SqlitePool,
    /// For what takes long and must not be in the writer's way.
    pub(super) upkeep: SqlitePool,
    pub reader: Reader,
}

/// The ledger, open for questions.
#[derive(Debug, Clone)]
pub struct Reader {
    pub(super) pool: SqlitePool,
}

/// Why the ledger cannot be opened; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("cannot make the folder {}; choose another one with --state", .0.display())]
    Folder(PathBuf, #[source] io::Error),
    #[error("cannot write {}; the folder and the file must be writable for the daemon's user", .0.display())]
    NotWritable(PathBuf, #[source] io::Error),
    #[error("there is no database {}: the daemon has not run with this state folder (choose one with --state)", .0.display())]
    Missing(PathBuf),
    #[error("{} is empty: no daemon has begun to write in it", .0.display())]
    Empty(PathBuf),
    #[error("cannot read {}", .0.display())]
    NotReadable(PathBuf, #[source] io::Error),
    #[error("{} is not a SQLite database; it is left as it is: move it away, or name another file as `database` in [daemon]", .0.display())]
    NotADatabase(PathBuf),
    #[error("{} is a database of something else; it is left as it is: name another file as `database` in [daemon]", .0.display())]
    Foreign(PathBuf),
    #[error("{} was written by a newer punctual; install that version again", .0.display())]
    Newer(PathBuf),
    #[error("the disk is full: {} cannot be written", .0.display())]
    Full(PathBuf),
    #[error("{} is damaged: {message}; restore a backup, or move it away to begin anew", path.display())]
    Damaged { path: PathBuf, message: String },
    #[error("cannot open the database {}", path.display())]
    Sql { path: PathBuf, source: sqlx::Error },
}

/// A database file that is there, can be written, and may be a database.
#[derive(Debug)]
pub struct Prepared {
    path: PathBuf,
}

impl Prepared {
    /// Opens the database for writing and brings it up to date. Whoever does must be the only one.
    pub async fn open(self, host: &str, boot_id: &str) -> Result<Store, OpenError> {
        let path = self.path.as_path();
        let options = writing(path);
        let mut connection = options.connect().await.map_err(|error| classify(path, error))?;
        adopt(path, &mut connection).await?;
        let identity = identify(&mut connection, host, boot_id).await.map_err(|error| classify(path, error))?;
        let known = sqlx::query_scalar("SELECT count(*) FROM events WHERE kind = 1 AND boot = $1").bind(identity.boot);
        let starts: i64 = known.fetch_one(&mut connection).await.map_err(|error| classify(path, error))?;
        connection.close().await.map_err(|error| classify(path, error))?;
        let pool = |connections| pool_options(connections).connect_lazy_with(options.clone());
        let file = FileIdentity::of(path).ok_or_else(|| OpenError::Missing(path.to_owned()))?;
        Ok(Store {
            path: path.to_owned(),
            file,
            identity,
            first_since_boot: starts == 0,
            writer: pool(1),
            // A checkpoint that waits for a reader would keep the writer waiting with it.
            upkeep: pool_options(1).connect_lazy_with(options.clone().busy_timeout(Duration::ZERO)),
            reader: Reader { pool: pool_options(READERS).connect_lazy_with(reading(path)) },
        })
    }
}

impl Store {
    /// Makes sure that there is a file to lock and to open; makes an empty one where there is none.
    pub fn prepare(path: &Path) -> Result<Prepared, OpenError> {
        prepare_file(path)?;
        Ok(Prepared { path: path.to_owned() })
    }

    /// Closes all connections; the last one to leave empties the write-ahead log.
    pub async fn close(&self) {
        self.reader.pool.close().await;
        self.upkeep.close().await;
        self.writer.close().await;
    }
}

impl Reader {
    /// Opens the database for questions only, whether a daemon runs or not.
    pub async fn open(path: &Path) -> Result<Self, OpenError> {
        check_header(path)?;
        let options = reading(path).immutable(cannot_have_a_log(path));
        let pool = pool_options(READERS).connect_lazy_with(options);
        let question = "SELECT count(*) FILTER (WHERE name = 'runs'), count(*), (SELECT application_id FROM \
                        pragma_application_id) FROM sqlite_master";
        let (runs, tables, application): (i64, i64, i64) =
            sqlx::query_as(question).fetch_one(&pool).await.map_err(|error| classify(path, error))?;
        match (runs, tables) {
            (0, 0) => Err(OpenError::Empty(path.to_owned())),
            (0, _) if application == APPLICATION_ID => Err(OpenError::Empty(path.to_owned())),
            (0, _) => Err(OpenError::Foreign(path.to_owned())),
            _ => Ok(Self { pool }),
        }
    }
}

pub(super) fn reading(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new().filename(path).read_only(true).busy_timeout(BUSY).disable_statement_logging()
}

pub(super) fn writing(path: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
        .foreign_keys(true)
        .busy_timeout(BUSY)
        // Checkpoints are the upkeep's, so that no commit pays for one.
        .pragma("wal_autocheckpoint", "0")
        // A log that has grown in a busy hour is cut again, to 16 MiB.
        .pragma("journal_size_limit", "16777216")
        .disable_statement_logging()
}

/// Connections live as long as the process: an idle pool must not wake up to look after them.
fn pool_options(connections: u32) -> SqlitePoolOptions {
    SqlitePoolOptions::new()
        .max_connections(connections)
        .idle_timeout(None)
        .max_lifetime(None)
        .test_before_acquire(false)
        .acquire_timeout(Duration::from_secs(60))
}

/// A cleanly closed database in a folder that we cannot write has no log, and none can be made for reading it.
fn cannot_have_a_log(path: &Path) -> bool {
    let log = PathBuf::from(format!("{}-wal", path.display()));
    let folder = path.parent().unwrap_or(Path::new("."));
    let access = rustix::fs::access(folder, rustix::fs::Access::WRITE_OK);
    !log.exists() && access.is_err()
}

fn prepare_file(path: &Path) -> Result<(), OpenError> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.exists()) {
        fs::create_dir_all(folder).map_err(|error| OpenError::Folder(folder.to_owned(), error))?;
        // Output of jobs may hold what not everybody is to read.
        let _ = fs::set_permissions(folder, Permissions::from_mode(0o750));
    }
    let created = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o640).open(path);
    created.map_err(|error| match error.kind() {
        io::ErrorKind::StorageFull => OpenError::Full(path.to_owned()),
        _ => OpenError::NotWritable(path.to_owned(), error),
    })?;
    check_header(path)
}

/// SQLite itself would say so only at the first statement, and an empty file is a database to it.
pub(super) fn check_header(path: &Path) -> Result<(), OpenError> {
    // The file format of SQLite, section 1.3: the page count stands at byte 28, the application's id at byte 68.
    const MAGIC: &[u8; 16] = b"SQLite format 3\0";
    const LENGTH: u64 = 100;
    let file = fs::File::open(path).map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => OpenError::Missing(path.to_owned()),
        _ => OpenError::NotReadable(path.to_owned(), error),
    })?;
    let mut header = Vec::new();
    file.take(LENGTH).read_to_end(&mut header).map_err(|error| OpenError::NotReadable(path.to_owned(), error))?;
    if header.is_empty() {
        return Ok(());
    }
    if !header.starts_with(MAGIC) {
        return Err(OpenError::NotADatabase(path.to_owned()));
    }
    let number = |at: usize| header.get(at..at + 4).and_then(|bytes| bytes.try_into().ok()).map(u32::from_be_bytes);
    // Of a database that has just been made, all but the first page may still be in its log.
    let is_ours = number(68).map(i64::from) == Some(APPLICATION_ID) || number(28).is_some_and(|pages| pages <= 1);
    if is_ours { Ok(()) } else { Err(OpenError::Foreign(path.to_owned())) }
}

/// Makes sure that the database is ours, and brings its tables up to date.
async fn adopt(path: &Path, connection: &mut SqliteConnection) -> Result<(), OpenError> {
    let sql = |error| classify(path, error);
    let application: i64 =
        sqlx::query_scalar("PRAGMA application_id").fetch_one(&mut *connection).await.map_err(sql)?;
    let tables: i64 =
        sqlx::query_scalar("SELECT count(*) FROM sqlite_master").fetch_one(&mut *connection).await.map_err(sql)?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(OpenError::Foreign(path.to_owned()));
    }
    if application != APPLICATION_ID {
        let set = sqlx::AssertSqlSafe(format!("PRAGMA application_id = {APPLICATION_ID}"));
        sqlx::query(set).execute(&mut *connection).await.map_err(sql)?;
    }
    MIGRATIONS.run(connection).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => OpenError::Newer(path.to_owned()),
        MigrateError::Execute(error) => classify(path, error),
        other => OpenError::Sql { path: path.to_owned(), source: sqlx::Error::Migrate(Box::new(other)) },
    })
}

/// Whether this program has made such a change of the tables.
pub(super) fn is_known_version(version: i64, checksum: &[u8]) -> bool {
    MIGRATIONS.iter().any(|known| known.version == version && *known.checksum == *checksum)
}

async fn identify(connection: &mut SqliteConnection, host: &str, boot: &str) -> Result<Identity, sqlx::Error> {
    sqlx::query("INSERT INTO hosts (name) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(host)
        .execute(&mut *connection)
        .await?;
    sqlx::query("INSERT INTO boots (id) VALUES ($1) ON CONFLICT DO NOTHING")
        .bind(boot)
        .execute(&mut *connection)
        .await?;
    let host = sqlx::query_scalar("SELECT number FROM hosts WHERE name = $1").bind(host);
    let host = host.fetch_one(&mut *connection).await?;
    let boot = sqlx::query_scalar("SELECT number FROM boots WHERE id = $1").bind(boot).fetch_one(connection).await?;
    Ok(Identity { host, boot })
}

/// SQLite's primary result codes that tell what to do.
const READ_ONLY: i32 = 8;
const CORRUPT: i32 = 11;
const FULL: i32 = 13;
const CANNOT_OPEN: i32 = 14;
const NOT_A_DATABASE: i32 = 26;

fn classify(path: &Path, error: sqlx::Error) -> OpenError {
    let path = path.to_owned();
    match primary_code(&error) {
        Some(NOT_A_DATABASE) => OpenError::NotADatabase(path),
        Some(FULL) => OpenError::Full(path),
        Some(CORRUPT) => OpenError::Damaged { path, message: error.to_string() },
        Some(READ_ONLY | CANNOT_OPEN) => {
            OpenError::NotWritable(path, io::Error::new(io::ErrorKind::PermissionDenied, error.to_string()))
        }
        _ => OpenError::Sql { path, source: error },
    }
}

/// The result code without its extension.
pub(super) fn primary_code(error: &sqlx::Error) -> Option<i32> {
    let code = error.as_database_error()?.code()?;
    code.parse::<i32>().ok().map(|code| code & 0xff)
}

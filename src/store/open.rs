//! How is the database opened, and what may go wrong with it?

use std::fs::{self, OpenOptions, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::migrate::{MigrateError, Migrator};
use sqlx::sqlite::{SqliteAutoVacuum, SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection, SqlitePool};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;

use super::aside::finish_moving_in;
use super::held::{Held, MAGIC};
use crate::clock::instant;

static MIGRATIONS: Migrator = sqlx::migrate!();

/// `punc` in the header of the file tells our databases from others.
pub(super) const APPLICATION_ID: i64 = 0x7075_6e63;
/// For how long a question waits for somebody else's lock.
const BUSY: Duration = Duration::from_secs(5);
/// For how long the writer does, before it says so and tries again.
const WRITER_BUSY: Duration = Duration::from_secs(2);
/// Questions that are asked at the same time.
const READERS: u32 = 2;
/// Those of people, and one that says whether anything was written.
const VISITORS: u32 = 3;

/// Who writes: recorded with what is written.
#[derive(Debug, Clone, Copy)]
pub struct Identity {
    pub host: i64,
    pub boot: i64,
}

/// The ledger, open for writing by this process.
#[derive(Debug)]
pub struct Store {
    pub path: PathBuf,
    /// The file itself, which may have to be another one day.
    pub(super) held: watch::Sender<Arc<Held>>,
    /// From when on connections are of that file; older ones are not used any more.
    pub(super) fresh: watch::Sender<Instant>,
    /// That all of the ledger is to be looked at.
    pub(super) suspicion: Arc<Notify>,
    pub(super) host: String,
    pub(super) boot: String,
    pub identity: Identity,
    /// Whether no daemon has written since the machine booted.
    pub first_since_boot: bool,
    pub(super) writer: SqlitePool,
    /// For what takes long and must not be in the writer's way.
    pub(super) upkeep: SqlitePool,
    pub reader: Reader,
    /// For people, whose questions may take long.
    pub visitors: Reader,
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
    #[error("another process works on {}; end it first", .0.display())]
    Held(PathBuf),
    #[error("{} is damaged: {message}; restore a backup, or move it away to begin anew", path.display())]
    Damaged { path: PathBuf, message: String },
    #[error("cannot open the database {}", path.display())]
    Sql { path: PathBuf, source: sqlx::Error },
}

/// A database file that is there, can be written, and may be a database.
#[derive(Debug)]
pub struct Prepared {
    path: PathBuf,
    held: Option<Held>,
}

impl Prepared {
    /// Locks the database itself; the answer is whether that is possible, or another process has it.
    pub fn hold(&mut self) -> io::Result<bool> {
        self.held = Held::acquire(&self.path)?;
        Ok(self.held.is_some())
    }

    /// Opens the database for writing and brings it up to date. Whoever does must be the only one.
    pub async fn open(mut self, host: &str, boot_id: &str) -> Result<Store, OpenError> {
        if self.held.is_none() {
            self.hold().map_err(|error| OpenError::NotWritable(self.path.clone(), error))?;
        }
        let held = self.held.take().ok_or_else(|| OpenError::Held(self.path.clone()))?;
        let path = self.path.as_path();
        let mut connection = connect_and_adopt(path).await?;
        let identity = identify(&mut connection, host, boot_id).await.map_err(|error| classify(path, error))?;
        let known = sqlx::query_scalar("SELECT count(*) FROM events WHERE kind = 1 AND boot = $1").bind(identity.boot);
        let starts: i64 = known.fetch_one(&mut connection).await.map_err(|error| classify(path, error))?;
        connection.close().await.map_err(|error| classify(path, error))?;
        let fresh = watch::Sender::new(instant());
        // A file that has gone is not made again by whoever connects next.
        let options = over(path, WRITER_BUSY).create_if_missing(false);
        let pool = |connections, options| renewed(pool_options(connections), &fresh).connect_lazy_with(options);
        // A checkpoint that waits for a reader would keep the writer waiting with it.
        let upkeep = options.clone().busy_timeout(Duration::ZERO);
        let pools = [pool(1, options), pool(1, upkeep), pool(READERS, reading(path)), pool(VISITORS, reading(path))];
        for pool in &pools {
            connected(pool).await.map_err(|error| classify(path, error))?;
        }
        let [writer, upkeep, reader, visitors] = pools;
        Ok(Store {
            path: path.to_owned(),
            identity,
            host: host.to_owned(),
            boot: boot_id.to_owned(),
            first_since_boot: starts == 0,
            writer,
            upkeep,
            reader: Reader { pool: reader },
            visitors: Reader { pool: visitors },
            held: watch::Sender::new(Arc::new(held)),
            fresh,
            suspicion: Arc::new(Notify::new()),
        })
    }
}

/// Opens a database, which is made where there is none, and brings its tables up to date.
pub(super) async fn connect_and_adopt(path: &Path) -> Result<SqliteConnection, OpenError> {
    let mut connection = writing(path).connect().await.map_err(|error| classify(path, error))?;
    adopt(path, &mut connection).await?;
    Ok(connection)
}

impl Store {
    /// Makes sure that there is a file to lock and to open; makes an empty one where there is none.
    pub fn prepare(path: &Path) -> Result<Prepared, OpenError> {
        finish_moving_in(path).map_err(|error| OpenError::NotWritable(path.to_owned(), error))?;
        prepare_file(path)?;
        Ok(Prepared { path: path.to_owned(), held: None })
    }

    /// Has all of the ledger looked at, in the background: what is damaged is not always met by what is written.
    pub fn examine(&self) {
        self.suspicion.notify_one();
    }

    /// An error that a question met may be a reason to look at all of it.
    pub fn suspect(&self, error: &sqlx::Error) {
        if matches!(primary_code(error), Some(CORRUPT | NOT_A_DATABASE)) {
            self.examine();
        }
    }

    /// Closes all connections; the last one to leave empties the write-ahead log.
    pub async fn close(&self) {
        self.visitors.pool.close().await;
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

/// For whoever makes a database, or takes one into its hands.
pub(super) fn writing(path: &Path) -> SqliteConnectOptions {
    over(path, BUSY)
        .create_if_missing(true)
        .journal_mode(SqliteJournalMode::Wal)
        .auto_vacuum(SqliteAutoVacuum::Incremental)
}

/// A connection that can write, and writes nothing by being made: it might be to something that has taken the ledger's place.
fn over(path: &Path, busy: Duration) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(path)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(busy)
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

/// Connections to a file that another has taken the place of are not used any more.
fn renewed(options: SqlitePoolOptions, fresh: &watch::Sender<Instant>) -> SqlitePoolOptions {
    let fresh = fresh.subscribe();
    options.before_acquire(move |_, connection| {
        let is_fresh = connection.age <= instant().duration_since(*fresh.borrow());
        Box::pin(async move { Ok(is_fresh) })
    })
}

/// Makes the connections now: one that is made later might be to something that has taken the ledger's place, which SQLite
/// would read with the ledger's own log.
async fn connected(pool: &SqlitePool) -> Result<(), sqlx::Error> {
    let mut connections = Vec::new();
    for _ in 0..pool.options().get_max_connections() {
        connections.push(pool.acquire().await?);
    }
    Ok(())
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
    MIGRATIONS.run_direct(None, connection, false).await.map_err(|error| match error {
        MigrateError::VersionMissing(_) | MigrateError::VersionMismatch(_) => OpenError::Newer(path.to_owned()),
        MigrateError::Execute(error) => classify(path, error),
        other => OpenError::Sql { path: path.to_owned(), source: sqlx::Error::Migrate(Box::new(other)) },
    })
}

/// Whether this program has made such a change of the tables.
pub(super) fn is_known_version(version: i64, checksum: &[u8]) -> bool {
    MIGRATIONS.iter().any(|known| known.version == version && *known.checksum == *checksum)
}

pub(super) async fn identify(
    connection: &mut SqliteConnection,
    host: &str,
    boot: &str,
) -> Result<Identity, sqlx::Error> {
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

pub(super) fn classify(path: &Path, error: sqlx::Error) -> OpenError {
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

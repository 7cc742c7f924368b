//! Does the ledger still stand where it stood, and how is it put back there?

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use sqlx::pool::PoolConnection;
use sqlx::{Connection, Sqlite, SqlitePool};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::anew::Known;
use super::aside::{LOGS, beside, finish, make_folder, move_in, set_aside, set_logs_aside, unfinished};
use super::held::{FileIdentity, Held, is_worked_on};
use super::open::{Identity, OpenError, Store, connect_and_adopt, identify};
use super::salvage::{Saved, is_unreadable, salvage};
use super::trouble::Fault;
use crate::clock::{Clock, instant};
use crate::run::RunId;

/// How often connections are looked at that are still at work, and how many times.
const LOOK_AFTER: Duration = Duration::from_millis(20);
const LOOKS: u32 = 50;

/// Where nothing can be connected to.
const NOWHERE: &str = "/dev/null/no-ledger";

/// The ledger's place, the file that is held there, and all connections of this process to it.
pub struct Ground {
    /// Where the file really is, links followed.
    path: PathBuf,
    held: watch::Sender<Arc<Held>>,
    fresh: watch::Sender<Instant>,
    pub writer: SqlitePool,
    pub upkeep: SqlitePool,
    reader: SqlitePool,
    visitors: SqlitePool,
    /// The files of the log, once there has been something to write.
    logs: Option<[Option<FileIdentity>; 2]>,
    host: String,
    boot: String,
    pub identity: Identity,
}

/// What was done about a fault.
#[derive(Debug, PartialEq, Eq)]
pub enum Mended {
    /// Nothing that anybody has to know of.
    Quietly,
    /// The ledger is whole and in its place again; what took its place may have been set aside.
    PutBack { aside: Option<PathBuf> },
    /// There is another ledger, with what could be read of the one that was set aside.
    Anew { aside: Option<PathBuf>, saved: Saved, refused: BTreeSet<RunId> },
}

impl Ground {
    pub fn of(store: &Store) -> Self {
        Self {
            path: std::fs::canonicalize(&store.path).unwrap_or_else(|_| store.path.clone()),
            held: store.held.clone(),
            fresh: store.fresh.clone(),
            writer: store.writer.clone(),
            upkeep: store.upkeep.clone(),
            reader: store.reader.pool.clone(),
            visitors: store.visitors.pool.clone(),
            logs: None,
            host: store.host.clone(),
            boot: store.boot.clone(),
            identity: store.identity,
        }
    }

    pub fn held(&self) -> watch::Receiver<Arc<Held>> {
        self.held.subscribe()
    }

    pub fn path(&self) -> &Path {
        &self.path
    }

    fn pools(&self) -> [&SqlitePool; 4] {
        [&self.writer, &self.upkeep, &self.reader, &self.visitors]
    }

    /// Whether the path still leads to the file that is held, with the logs that it had, and the file begins as it should.
    pub fn look(&self) -> Result<(), Fault> {
        let held = self.held.borrow().clone();
        match FileIdentity::of(&self.path) {
            Ok(found) if found == held.identity() => {}
            Ok(_) if is_worked_on(&self.path) => return Err(Fault::Occupied),
            Ok(_) => return Err(Fault::Replaced),
            // A link that leads nowhere is something, too.
            Err(_) if self.path.is_symlink() => return Err(Fault::Replaced),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
                return Err(if held.is_deleted() { Fault::Deleted } else { Fault::Moved });
            }
            Err(error) => return Err(Fault::of_io(&error, &self.path)),
        }
        match held.begins_well() {
            Ok(true) => {}
            Ok(false) => return Err(Fault::Damaged("its header was overwritten".to_owned())),
            Err(error) => return Err(Fault::of_io(&error, &self.path)),
        }
        match self.logs {
            Some(logs) if logs != self.logs_now() => Err(Fault::LogGone),
            Some(_) | None => Ok(()),
        }
    }

    /// Lets connections be made, or not: one to something that has taken the ledger's place would read it with the ledger's own
    /// log, and take that log from the ledger when it moves it there.
    fn let_connect(&self, may: bool) {
        for pool in self.pools() {
            let options = (*pool.connect_options()).clone();
            let path = if may { self.path.as_path() } else { Path::new(NOWHERE) };
            pool.set_connect_options(options.filename(path));
        }
    }

    /// The same as [`Ground::look`], and connections are made only where all is well.
    pub fn guard(&self) -> Result<(), Fault> {
        let found = self.look();
        let leads_elsewhere = match &found {
            Err(Fault::Deleted | Fault::Moved | Fault::Replaced | Fault::Occupied) => true,
            Ok(()) | Err(_) => false,
        };
        if self.writer.connect_options().get_filename() != if leads_elsewhere { Path::new(NOWHERE) } else { &self.path }
        {
            self.let_connect(!leads_elsewhere);
        }
        found
    }

    /// Something was written: from now on it is known which files the logs are.
    pub fn written(&mut self) {
        if self.logs.is_none() {
            self.logs = Some(self.logs_now()).filter(|logs| logs.iter().all(Option::is_some));
        }
    }

    fn logs_now(&self) -> [Option<FileIdentity>; 2] {
        LOGS.map(|suffix| FileIdentity::of(&beside(&self.path, suffix)).ok())
    }

    /// Makes good what can be made good.
    pub async fn mend(&mut self, fault: &Fault) -> Result<Mended, Fault> {
        match fault {
            Fault::Deleted | Fault::Replaced => self.put_back().await,
            Fault::LogGone => self.begin_the_log_anew().await,
            // There is more to be said then: [`Ground::begin_anew`].
            Fault::Damaged(_) | Fault::Moved | Fault::Occupied | Fault::Locked(_) | Fault::Full => Ok(Mended::Quietly),
            Fault::ReadOnly | Fault::Disk(_) | Fault::Unopened(_) | Fault::Other(_) => {
                self.forget().await;
                Ok(Mended::Quietly)
            }
        }
    }

    /// What SQLite remembers may differ from what is on the disk: it is read anew.
    pub async fn forget(&mut self) {
        // Whatever cannot be closed at once is closed when it comes back.
        let _ = self.close_connections().await;
        self.logs = None;
    }

    /// The file is there as long as it is open: it is copied, and the copy takes its place.
    async fn put_back(&mut self) -> Result<Mended, Fault> {
        let io = |error: io::Error| Fault::of_io(&error, &self.path);
        make_folder(&self.path).map_err(io)?;
        // Held until the copy is made, so that nobody else writes.
        let writer = self.emptied_log().await?;
        let (held, copy) = (self.held.borrow().clone(), unfinished(&self.path).map_err(io)?);
        let mut copying = JoinSet::new();
        copying.spawn_blocking(move || held.copy_to(&copy));
        copying.join_next().await.transpose().ok().flatten().unwrap_or(Ok(())).map_err(io)?;
        drop(writer);
        // Whatever is at the path, it is not what they are connected to: closing them changes nothing there.
        self.close_connections().await?;
        finish(&self.path).map_err(io)?;
        let aside = set_aside(&self.path, self.logs.unwrap_or_default(), Clock::System.now()).map_err(io)?;
        self.move_in()?;
        Ok(Mended::PutBack { aside })
    }

    /// Its log is gone by name, but not for the connections that have it open: they bring into the file what is only there.
    async fn begin_the_log_anew(&mut self) -> Result<Mended, Fault> {
        drop(self.emptied_log().await?);
        self.close_connections().await?;
        let aside = beside(&self.path, &format!(".aside-{}", Clock::System.now().strftime("%Y%m%dT%H%M%S%6fZ")));
        let own = self.logs.take().unwrap_or_default();
        set_logs_aside(&self.path, own, &aside).map_err(|error| Fault::of_io(&error, &self.path))?;
        self.fresh.send_replace(instant());
        let is_there = LOGS.iter().any(|suffix| beside(&aside, suffix).exists());
        Ok(Mended::PutBack { aside: is_there.then_some(aside) })
    }

    /// What can be read, and all that is known, goes into another ledger, which takes the place of the damaged one.
    pub async fn begin_anew(&mut self, known: &Known<'_>) -> Result<Mended, Fault> {
        let begun = self.save_into_another(known).await;
        if begun.is_err() {
            // On a full disk it would be in the way of what makes room.
            let _ = unfinished(&self.path);
        }
        begun
    }

    async fn save_into_another(&mut self, known: &Known<'_>) -> Result<Mended, Fault> {
        let io = |error: io::Error| Fault::of_io(&error, &self.path);
        make_folder(&self.path).map_err(io)?;
        let another = unfinished(&self.path).map_err(io)?;
        let opened = |error| match error {
            OpenError::Full(_) => Fault::Full,
            other => Fault::Other(other.to_string()),
        };
        let sql = |error: sqlx::Error| Fault::of_sql(&error, &self.path);
        connect_and_adopt(&another).await.map_err(opened)?.close().await.map_err(sql)?;
        let mut saved = Saved::default();
        // A connection that has it open knows more of it than one that is made now.
        let connection = match self.open_writer().await {
            Some(connection) => Some(connection),
            None => self.writer.acquire().await.ok(),
        };
        let mut connection = connection;
        if let Some(connection) = &mut connection {
            match salvage(connection, &another).await {
                Ok(rows) => saved = rows,
                Err(error) if is_unreadable(&error) => {
                    tracing::warn!("the tables of the damaged ledger cannot be read: {error}");
                    saved.failures += 1;
                }
                // The rows may well be there, but there is no place for them.
                Err(error) => return Err(sql(error)),
            }
        }
        let mut anew = connect_and_adopt(&another).await.map_err(opened)?;
        self.identity = identify(&mut anew, &self.host, &self.boot).await.map_err(sql)?;
        let refused = known.write(&mut anew, &self.identity).await.map_err(sql)?;
        anew.close().await.map_err(sql)?;
        finish(&self.path).map_err(io)?;
        // Before the last connection is closed, which would write to it: it is to stay as it is.
        let aside = set_aside(&self.path, [None, None], Clock::System.now()).map_err(io)?;
        self.move_in()?;
        drop(connection);
        let _ = self.close_connections().await;
        Ok(Mended::Anew { aside, saved, refused })
    }

    /// The connection that has the file open, once nobody works with it; `None` if there is none. Another is not made: it might
    /// be to another file.
    async fn open_writer(&self) -> Option<PoolConnection<Sqlite>> {
        for _ in 0..LOOKS {
            match self.writer.try_acquire() {
                Some(connection) => return Some(connection),
                None if self.writer.size() == 0 => return None,
                None => sleep(LOOK_AFTER).await,
            }
        }
        None
    }

    /// Brings what is only in the log into the file, over the connection that still has both open, if there is one.
    async fn emptied_log(&self) -> Result<Option<PoolConnection<Sqlite>>, Fault> {
        let Some(mut writer) = self.open_writer().await else {
            return Ok(None);
        };
        let checkpoint = sqlx::query_as("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(&mut *writer).await;
        let (busy, _, _): (i64, i64, i64) = checkpoint.map_err(|error| Fault::of_sql(&error, &self.path))?;
        if busy == 0 { Ok(Some(writer)) } else { Err(Fault::Locked("it is being read".to_owned())) }
    }

    /// Puts the ledger that is finished in its place, and holds it.
    fn move_in(&mut self) -> Result<(), Fault> {
        let io = |error: io::Error| Fault::of_io(&error, &self.path);
        move_in(&self.path).map_err(io)?;
        let held = Held::acquire(&self.path).map_err(io)?.ok_or(Fault::Occupied)?;
        self.held.send_replace(Arc::new(held));
        self.logs = None;
        self.fresh.send_replace(instant());
        Ok(())
    }

    async fn close_connections(&self) -> Result<(), Fault> {
        self.fresh.send_replace(instant());
        for _ in 0..LOOKS {
            let mut open = 0;
            for pool in self.pools() {
                while let Some(connection) = pool.try_acquire() {
                    let _ = connection.close().await;
                }
                open += pool.size();
            }
            if open == 0 {
                return Ok(());
            }
            sleep(LOOK_AFTER).await;
        }
        Err(Fault::Locked("it is still being read".to_owned()))
    }
}

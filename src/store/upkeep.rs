//! What is done about the ledger beside the writing? Its log is moved into it, and all of it is looked at when somebody asks.

use std::path::PathBuf;
use std::sync::Arc;

use sqlx::SqlitePool;
use tokio::sync::{Notify, mpsc, watch};

use super::held::Held;
use super::open::primary_code;

/// Pages in the write-ahead log, some 32 MiB, from which on the writer itself sees to it that it begins anew.
const LONGEST_LOG: i64 = 8000;

/// Works on a connection of its own, until the writer is gone.
pub struct Upkeep {
    pub pool: SqlitePool,
    pub path: PathBuf,
    pub held: watch::Receiver<Arc<Held>>,
    pub log_is_full: mpsc::Receiver<()>,
    pub too_long: watch::Sender<bool>,
    pub suspicion: Arc<Notify>,
    /// What was found.
    pub damage: watch::Sender<Option<String>>,
}

impl Upkeep {
    pub async fn run(mut self) {
        loop {
            tokio::select! {
                full = self.log_is_full.recv() => match full {
                    Some(()) => self.checkpoint().await,
                    None => return,
                },
                () = self.suspicion.notified() => self.examine().await,
            }
        }
    }

    /// Moves the log into the database whenever it has grown. It takes some ten milliseconds.
    async fn checkpoint(&self) {
        let checkpoint: Result<(i64, i64, i64), _> =
            sqlx::query_as("PRAGMA wal_checkpoint(PASSIVE)").fetch_one(&self.pool).await;
        match checkpoint {
            Ok((_busy, pages, _moved)) => {
                self.too_long.send_replace(pages > LONGEST_LOG);
            }
            Err(error) => tracing::warn!("the write-ahead log cannot be moved into the database: {error}"),
        }
    }

    /// Reads all of the database, some seconds for a gigabyte; what is found must be found twice, because what SQLite
    /// remembers may be wrong as well, and in the ledger itself.
    async fn examine(&self) {
        for is_confirmed in [false, true] {
            let Some(found) = self.look().await.filter(|_| self.held.borrow().is_at(&self.path)) else {
                return;
            };
            if is_confirmed {
                self.damage.send_replace(Some(found));
            }
        }
    }

    /// What is damaged, if anything is.
    async fn look(&self) -> Option<String> {
        let mut connection = match self.pool.acquire().await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!("the ledger cannot be looked at: {error}");
                return None;
            }
        };
        let check: Result<String, _> = sqlx::query_scalar("PRAGMA quick_check(1)").fetch_one(&mut *connection).await;
        let found = match check {
            Ok(found) if found == "ok" => return None,
            // The line after the one that says which database it is.
            Ok(found) => found.lines().last().unwrap_or_default().to_owned(),
            Err(error) if matches!(primary_code(&error), Some(11 | 26)) => "it cannot be read to its end".to_owned(),
            Err(error) => {
                tracing::warn!("the ledger cannot be looked at: {error}");
                return None;
            }
        };
        let _ = connection.close().await;
        Some(found)
    }
}

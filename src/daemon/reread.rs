//! How is the configuration read again while jobs are due? On a thread of its own: a large file takes seconds.

use std::sync::Arc;

use jiff::Timestamp;
use tokio::task::JoinSet;

use crate::configuration::Configuration;

/// What is read again.
#[derive(Debug, Clone)]
pub enum Reread {
    File,
    /// The file's text as it was read before, on a machine whose zones and calendars may have changed.
    Surroundings {
        text: String,
    },
}

/// Reads the configuration again; `None` where it is wrong, which it complains about.
pub type Read = dyn Fn(Reread, Timestamp) -> Option<Configuration> + Send + Sync;

/// One reading at a time.
pub struct Rereading {
    read: Arc<Read>,
    running: JoinSet<Option<(Reread, Box<Configuration>)>>,
    /// What was demanded meanwhile.
    next: Option<Reread>,
}

impl Rereading {
    pub fn new(read: Arc<Read>) -> Self {
        Self { read, running: JoinSet::new(), next: None }
    }

    /// Begins to read, or does so once the reading that goes on has ended; the file counts for more than what surrounds
    /// it.
    pub fn begin(&mut self, what: Reread, now: Timestamp) {
        if !self.running.is_empty() {
            if !matches!(self.next, Some(Reread::File)) {
                self.next = Some(what);
            }
            return;
        }
        let read = self.read.clone();
        self.running.spawn_blocking(move || {
            let configuration = read(what.clone(), now)?;
            Some((what, Box::new(configuration)))
        });
    }

    /// Waits for the end of the reading that goes on; `None` if nothing comes of it.
    pub async fn ended(&mut self) -> Option<(Reread, Box<Configuration>)> {
        match self.running.join_next().await {
            Some(Ok(read)) => read,
            Some(Err(error)) => {
                tracing::error!("the file could not be read again; the jobs stay as they were: {error}");
                None
            }
            None => std::future::pending().await,
        }
    }

    /// Begins what was demanded meanwhile.
    pub fn follow_up(&mut self, now: Timestamp) {
        if let Some(what) = self.next.take() {
            self.begin(what, now);
        }
    }
}

//! What does the daemon do for itself? Chores at hours of their own, by a timer of another make than the jobs' queue.
//!
//! One rule: it never fires a job, and the queue never fires a chore. So each can watch the other: one chore looks at the
//! queue's head from outside and complains when something there is overdue.

use std::future::Future;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, Semaphore, mpsc, watch};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use uuid::Uuid;

use super::news::{HouseNews, Names};
use crate::audit::{Question, audit};
use crate::clock::Clock;
use crate::files::Machine;
use crate::notice::Kind;
use crate::settings::{Digest, Retention, Settings};
use crate::store::{BackupError, Store, back_up, backup_name, remove_old_backups};

/// No chore needs longer; one that hangs is given up and comes again at its next time.
const LONGEST_CHORE: Duration = Duration::from_secs(30 * 60);
/// When zone data and calendars are taken anew: once a day, in the small hours of where most machines count their time.
const REFRESH: &str = "0 5 3 * * *";
/// How far back the daily audit looks: over the day before the last one as well, because whether the newest instant of a daily
/// job has its entry is known for sure only when the next one has come.
const AUDITED: SignedDuration = SignedDuration::from_hours(48);
/// When what was written comes into the index by which it is searched: what is not in it yet is read directly, which is quick
/// as long as it is little.
const INDEX: &str = "20 * * * * *";
/// How often the queue's head is looked at, and how late it may be.
const WATCH: &str = "30 * * * * *";
const OVERDUE: SignedDuration = SignedDuration::from_secs(5);

pub struct Housekeeping {
    scheduler: JobScheduler,
    chores: Vec<Uuid>,
    store: Arc<Store>,
    /// The state folder.
    state: PathBuf,
    settings: Settings,
    clock: Clock,
    tools: Tools,
    /// One chore at the ledger at a time.
    one: Arc<Semaphore>,
}

/// What chores look at and talk to.
#[derive(Clone)]
pub struct Tools {
    /// When the queue's first job is due.
    pub head: watch::Receiver<Option<Timestamp>>,
    /// Is told when zones and calendars are to be taken anew.
    pub refresh: Arc<Notify>,
    /// Where what is to be told of the daemon goes.
    pub house: mpsc::Sender<HouseNews>,
}

impl Housekeeping {
    /// Begins with the chores that the settings name.
    pub async fn start(
        store: Arc<Store>,
        state: &Path,
        settings: &Settings,
        clock: Clock,
        tools: Tools,
    ) -> Result<Self, JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        let one = Arc::new(Semaphore::new(1));
        let (chores, state, settings) = (Vec::new(), state.to_owned(), settings.clone());
        let mut housekeeping = Self { scheduler, chores, store, state, settings, clock, tools, one };
        housekeeping.add_chores().await?;
        housekeeping.scheduler.start().await?;
        Ok(housekeeping)
    }

    /// Chores are added anew when the clock was set: their next times were computed from what it showed before.
    pub async fn clock_was_set(&mut self) -> Result<(), JobSchedulerError> {
        for chore in std::mem::take(&mut self.chores) {
            self.scheduler.remove(&chore).await?;
        }
        self.add_chores().await
    }

    pub async fn stop(mut self) {
        if let Err(error) = self.scheduler.shutdown().await {
            tracing::warn!("housekeeping does not stop: {error}");
        }
        // It waits for nothing by itself. No chore begins any more; one that is at work finds the ledger closed.
        self.one.close();
    }

    async fn add_chores(&mut self) -> Result<(), JobSchedulerError> {
        if let Some(pattern) = self.settings.prune.clone() {
            let (store, clock, retention) = (self.store.clone(), self.clock.clone(), self.settings.retention.clone());
            self.add("prune", &pattern, move || {
                let (store, clock, retention) = (store.clone(), clock.clone(), retention.clone());
                async move { prune(&store, &retention, clock.now()).await }
            })
            .await?;
        }
        if let Some(backup) = self.settings.backup.clone() {
            let (store, clock, folder) = (self.store.clone(), self.clock.clone(), self.state.join(&backup.to));
            self.add("backup", &backup.pattern, move || {
                let (store, folder, at) = (store.clone(), folder.clone(), clock.now());
                async move {
                    keep_backups(&store, &folder, backup.keep_last, at).await;
                    Ok(())
                }
            })
            .await?;
        }
        if let Some(pattern) = self.settings.optimize.clone() {
            let store = self.store.clone();
            self.add("optimize", &pattern, move || {
                let store = store.clone();
                async move {
                    store.examine();
                    store.optimize().await
                }
            })
            .await?;
        }
        if let Some(pattern) = self.settings.audit.clone() {
            let (store, clock, house) = (self.store.clone(), self.clock.clone(), self.tools.house.clone());
            self.add("audit", &pattern, move || audit_the_last_day(store.clone(), clock.now(), house.clone())).await?;
        }
        if let Some(Digest { pattern, channels }) = self.settings.digest.clone() {
            let house = self.tools.house.clone();
            self.add_beside(&pattern, move || {
                let (house, channels) = (house.clone(), channels.clone());
                async move { tell(&house, Kind::Digest, String::new(), Some(channels)) }
            })
            .await?;
        }
        let store = self.store.clone();
        self.add("index", INDEX, move || {
            let store = store.clone();
            async move { store.index().await.map(|_| ()) }
        })
        .await?;
        let refresh = self.tools.refresh.clone();
        self.add_beside(REFRESH, move || {
            refresh.notify_one();
            std::future::ready(())
        })
        .await?;
        let (head, clock) = (self.tools.head.clone(), self.clock.clone());
        self.add_beside(WATCH, move || {
            let (head, now) = (*head.borrow(), clock.now());
            if let Some(head) = head.filter(|head| now.duration_since(*head) > OVERDUE) {
                tracing::error!("the queue is late: what was due at {head} has not been started");
            }
            std::future::ready(())
        })
        .await
    }

    /// Adds a chore at the ledger: one of them at a time.
    async fn add<F>(
        &mut self,
        name: &'static str,
        pattern: &str,
        chore: impl Fn() -> F + Send + Sync + 'static,
    ) -> Result<(), JobSchedulerError>
    where
        F: Future<Output = Result<(), sqlx::Error>> + Send + 'static,
    {
        let (one, store) = (self.one.clone(), self.store.clone());
        self.add_beside(pattern, move || {
            let (one, store, chore) = (one.clone(), store.clone(), chore());
            async move {
                let Ok(_permit) = one.acquire().await else {
                    return;
                };
                match tokio::time::timeout(LONGEST_CHORE, chore).await {
                    Ok(Ok(()) | Err(sqlx::Error::PoolClosed)) => {}
                    Ok(Err(error)) => {
                        tracing::error!("the chore {name} failed: {error}");
                        store.suspect(&error);
                    }
                    Err(_) => tracing::error!("the chore {name} was given up after {LONGEST_CHORE:?}"),
                }
            }
        })
        .await
    }

    /// Adds a chore that waits for no other.
    async fn add_beside<F>(
        &mut self,
        pattern: &str,
        chore: impl Fn() -> F + Send + Sync + 'static,
    ) -> Result<(), JobSchedulerError>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let job = Job::new_async(pattern, move |_, _| Box::pin(chore()))?;
        self.chores.push(self.scheduler.add(job).await?);
        Ok(())
    }
}

async fn prune(store: &Store, retention: &Retention, now: Timestamp) -> Result<(), sqlx::Error> {
    let pruned = store.prune(retention, now).await?;
    if pruned.entries + pruned.outputs + pruned.others > 0 {
        tracing::info!(
            "pruned from the ledger: {} entries, the output of {} more, {} other rows; its file is {} KiB smaller",
            pruned.entries,
            pruned.outputs,
            pruned.others,
            pruned.given_back / 1024
        );
    }
    if let Some(size) = pruned.too_large {
        tracing::error!(
            "the ledger has {} KiB, more than max_size, although everything that may go is gone; failures, the newest \
             keep_last entries of each job and counts stay: raise max_size in [daemon.retention], or lower keep_last, \
             or keep and keep_failures",
            size / 1024
        );
    }
    Ok(())
}

/// Makes a backup, and removes those that are too many; what goes wrong is said.
async fn keep_backups(store: &Store, folder: &Path, keep: usize, at: Timestamp) {
    let to = folder.join(backup_name(at));
    let made = match make_folder(folder) {
        Ok(()) => back_up(&store.path, &to, false).await,
        Err(source) => Err(BackupError::Write { path: folder.to_owned(), source }),
    };
    match made {
        Ok(size) => tracing::info!("the ledger was copied to {} ({} KiB)", to.display(), size / 1024),
        Err(error) => {
            tracing::error!(
                "there is no backup of the ledger: {error} (`backup` in [daemon.housekeeping] says where to)"
            );
            return;
        }
    }
    if let Err(error) = remove_old_backups(folder, keep) {
        tracing::error!("old backups in {} cannot be removed: {error}; remove them by hand", folder.display());
    }
}

fn make_folder(folder: &Path) -> std::io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    // Output of jobs may hold what not everybody is to read.
    std::fs::DirBuilder::new().recursive(true).mode(0o750).create(folder)
}

/// Complains if the ledger does not balance.
async fn audit_the_last_day(
    store: Arc<Store>,
    now: Timestamp,
    house: mpsc::Sender<HouseNews>,
) -> Result<(), sqlx::Error> {
    let since = now.checked_sub(AUDITED).ok();
    let question = Question { since, now, daemon: true, jobs: Vec::new() };
    let report = audit(&store.reader, &Machine::default(), &question).await?;
    let mut found = Vec::new();
    for job in report.jobs.iter().filter(|job| !job.differences.is_empty()) {
        let differences = job.differences.len() as u64 + job.omitted;
        let first = &job.differences[0];
        let message = format!(
            "the ledger does not balance: {differences} of {} since {}, the first: {} at {}: {}",
            job.job,
            since.unwrap_or(now),
            first.kind,
            first.first.0,
            first.detail
        );
        tracing::error!("{message}");
        found.push(message);
    }
    if !report.balances {
        tracing::error!("all that does not balance is listed by: punctual audit --since 2d");
        tell(&house, Kind::Trouble, found.join("\n"), None);
    }
    Ok(())
}

/// Hands news to the loop; where it has too many of them already, these are in the log alone.
fn tell(house: &mpsc::Sender<HouseNews>, kind: Kind, detail: String, channels: Option<Names>) {
    if house.try_send(HouseNews { kind, detail, channels }).is_err() {
        tracing::warn!("the notice of kind {kind} is left out: too much of the kind is to be told already");
    }
}

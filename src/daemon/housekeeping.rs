//! What does the daemon do for itself? Chores at hours of their own, by a timer of another make than the jobs' queue.
//!
//! One rule: it never fires a job, and the queue never fires a chore. So each can watch the other: one chore looks at the
//! queue's head from outside and complains when something there is overdue.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::{Notify, Semaphore, watch};
use tokio_cron_scheduler::{Job, JobScheduler, JobSchedulerError};
use uuid::Uuid;

use crate::clock::Clock;
use crate::settings::Settings;
use crate::store::Store;

/// No chore needs longer; one that hangs is given up and comes again at its next time.
const LONGEST_CHORE: Duration = Duration::from_secs(30 * 60);
/// When zone data and calendars are taken anew: once a day, in the small hours of where most machines count their time.
const REFRESH: &str = "0 5 3 * * *";
/// How often the queue's head is looked at, and how late it may be.
const WATCH: &str = "30 * * * * *";
const OVERDUE: SignedDuration = SignedDuration::from_secs(5);

pub struct Housekeeping {
    scheduler: JobScheduler,
    chores: Vec<Uuid>,
    store: Arc<Store>,
    settings: Settings,
    clock: Clock,
    head: watch::Receiver<Option<Timestamp>>,
    refresh: Arc<Notify>,
    /// One chore at a time: they write to the same database.
    one: Arc<Semaphore>,
}

impl Housekeeping {
    /// Begins with the chores that the settings name. `head` is when the queue's first job is due, and `refresh` is told
    /// when zones and calendars are to be taken anew.
    pub async fn start(
        store: Arc<Store>,
        settings: Settings,
        clock: Clock,
        head: watch::Receiver<Option<Timestamp>>,
        refresh: Arc<Notify>,
    ) -> Result<Self, JobSchedulerError> {
        let scheduler = JobScheduler::new().await?;
        let one = Arc::new(Semaphore::new(1));
        let mut housekeeping = Self { scheduler, chores: Vec::new(), store, settings, clock, head, refresh, one };
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
                async move {
                    let pruned = store.prune(&retention, clock.now()).await?;
                    if pruned.rows > 0 {
                        tracing::info!("{} old entries were pruned from the ledger", pruned.rows);
                    }
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
        let refresh = self.refresh.clone();
        self.add("refresh", REFRESH, move || {
            refresh.notify_one();
            async { Ok(()) }
        })
        .await?;
        let (head, clock) = (self.head.clone(), self.clock.clone());
        self.add("watch", WATCH, move || {
            let (head, now) = (*head.borrow(), clock.now());
            if let Some(head) = head.filter(|head| now.duration_since(*head) > OVERDUE) {
                tracing::error!("the queue is late: what was due at {head} has not been started");
            }
            async { Ok(()) }
        })
        .await
    }

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
        let job = Job::new_async(pattern, move |_, _| {
            let (one, store, chore) = (one.clone(), store.clone(), chore());
            Box::pin(async move {
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
            })
        })?;
        self.chores.push(self.scheduler.add(job).await?);
        Ok(())
    }
}

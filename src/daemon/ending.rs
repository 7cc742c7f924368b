//! How does the daemon come to its end? Nothing starts any more, and what runs may finish, or is ended.

use std::time::Duration;

use super::core::{Core, GIVE_UP_AFTER};
use super::lock::HoldersStop;
use crate::clock::instant;
use crate::plan::Drain;
use crate::run::{Reason, RunId};

impl Core {
    pub(super) async fn stop(&mut self) {
        if self.state.drain.is_some() {
            return self.drain(Drain::Kill).await;
        }
        let grace = self.configuration.settings.stop_grace;
        self.overseer.stopping(grace + self.longest_kill() + GIVE_UP_AFTER).await;
        self.state.grace_ends = Some(instant() + grace);
        let running = self.planner.running();
        if running > 0 {
            let runs = if running == 1 { "run" } else { "runs" };
            tracing::info!("stopping: {running} {runs} may finish for {grace:?}; a second signal ends what is left");
        }
        self.drain(Drain::Finish).await;
    }

    /// Says for whom the daemon still waits, and until when.
    pub(super) fn tell_of_the_end(&self) {
        if self.state.drain.is_none() {
            return;
        }
        let runs = self.planner.running();
        self.stopping.send_if_modified(|told| {
            let until = self.state.grace_ends.and_then(|ends| {
                let known = told.as_ref().and_then(|told| told.until);
                known.or_else(|| self.clock.now().checked_add(ends - instant()).ok())
            });
            let now = Some(HoldersStop { until, runs });
            let is_news = *told != now;
            *told = now;
            is_news
        });
    }

    /// How long the most patient job lets a process end by itself.
    fn longest_kill(&self) -> Duration {
        let jobs = self.configuration.checked.jobs.iter();
        jobs.map(|job| job.task.kill_after()).max().unwrap_or_default()
    }

    pub(super) async fn drain(&mut self, drain: Drain) {
        self.state.drain = Some(drain);
        if drain != Drain::Finish {
            self.state.grace_ends = None;
            if self.writer.trouble().borrow().is_some() {
                self.state.gives_up.get_or_insert(instant() + GIVE_UP_AFTER);
            }
            let running = self.planner.running();
            if running > 0 {
                let are = if running == 1 { "run is" } else { "runs are" };
                tracing::warn!("{running} {are} being ended");
            }
        }
        let decision = self.planner.handle_drain(drain);
        self.commit(decision).await;
    }

    /// A run may have been decided on before the end was demanded, which did not reach it.
    pub(super) async fn stop_if_ending(&self, run: RunId) {
        match self.state.drain {
            None | Some(Drain::Finish) => {}
            Some(drain) => self.door.stop(run, Reason::Shutdown, drain == Drain::Kill).await,
        }
    }
}

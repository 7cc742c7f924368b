//! How does another file come into force, or the same one on a machine that has changed?

use std::sync::Arc;

use super::core::Core;
use super::reread::Reread;
use crate::configuration::Configuration;
use crate::job::{Job, JobName};
use crate::plan::Changes;

impl Core {
    pub(super) fn reread(&mut self, what: Reread) {
        if self.state.drain.is_none() {
            self.rereading.begin(what, self.clock.now());
        }
    }

    pub(super) async fn was_reread(&mut self, read: Option<(Reread, Box<Configuration>)>) {
        match read.filter(|_| self.state.drain.is_none()) {
            Some((Reread::File, configuration)) => self.reload(*configuration).await,
            Some((Reread::Surroundings { .. }, configuration)) => self.refresh(*configuration).await,
            None => {}
        }
        self.rereading.follow_up(self.clock.now());
    }

    /// New zone data and calendars come into force, if they change any job's instants.
    async fn refresh(&mut self, configuration: Configuration) {
        let changes = Changes::between(&self.configuration.checked.jobs, &configuration.checked.jobs);
        let names: Vec<&str> = changes.of_timing().map(JobName::as_str).collect();
        if !names.is_empty() {
            tracing::info!("zone data or calendars have changed; other instants for: {}", names.join(", "));
            self.reload(configuration).await;
        }
    }

    async fn reload(&mut self, configuration: Configuration) {
        let jobs: Vec<Arc<Job>> = configuration.checked.jobs.clone();
        let capacities = configuration.capacities();
        let decision = self.planner.handle_reload(&jobs, capacities, self.clock.now());
        if !configuration.settings.same_service(&self.configuration.settings) {
            tracing::warn!(
                "other settings of [daemon] than max_running, stop_grace and when_unrecordable take effect at the next start"
            );
        }
        self.overseer.put_in_force(configuration.checked.source.text.clone()).await;
        self.configuration = Arc::new(configuration);
        self.in_force.send_replace(self.configuration.clone());
        self.commit(decision).await;
    }
}

//! What does `systemctl status` show of the daemon?

use std::time::Duration;

use super::core::Core;
use crate::clock::instant;

/// It shows no more than one line a second.
const STATUS_EVERY: Duration = Duration::from_secs(1);

impl Core {
    pub(super) async fn show_status(&mut self) {
        let next = self.planner.next_wakeup().map_or("nothing due".to_owned(), |next| format!("next at {next:.0}"));
        let trouble = self.writer.trouble().borrow().as_ref().map(|trouble| format!("{}; ", trouble.message));
        let status = format!(
            "{}{}{} jobs, {} running, {} waiting, {next}",
            trouble.unwrap_or_default(),
            self.file.borrow().in_short().unwrap_or_default(),
            self.planner.jobs(),
            self.planner.running(),
            self.planner.waiting()
        );
        self.overseer.show(status).await;
        self.state.status_at = instant() + STATUS_EVERY;
    }
}

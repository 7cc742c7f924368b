//! What does systemd want to know? Everything here goes by way of the keeper, which is the service's main process, and says
//! nothing where there is no systemd.

use std::time::Duration;

use sd_notify::NotifyState;

use crate::keeper::Client;

/// Whoever watches over the service.
#[derive(Debug)]
pub struct Overseer {
    keeper: Client,
    /// A repeated status is not sent.
    status: String,
}

impl Overseer {
    pub fn new(keeper: Client) -> Self {
        Self { keeper, status: String::new() }
    }

    pub async fn ready(&self) {
        self.keeper.ready().await;
    }

    /// Says that the file is being read, which ends with [`Overseer::reloaded`], whatever comes of it.
    pub async fn reloading(&self) {
        if let Ok(now) = NotifyState::monotonic_usec_now() {
            self.tell(format!("{}\n{now}", NotifyState::Reloading)).await;
        }
    }

    pub async fn reloaded(&self) {
        self.tell(NotifyState::Ready.to_string()).await;
    }

    /// Says that the daemon stops, and how long that may take at the most.
    pub async fn stopping(&self, at_most: Duration) {
        self.tell(format!("STOPPING=1\nEXTEND_TIMEOUT_USEC={}", at_most.as_micros())).await;
    }

    /// Says that the daemon is alive; the interval is [`watchdog_interval`].
    pub async fn alive(&self) {
        self.tell("WATCHDOG=1".to_owned()).await;
    }

    /// The line that `systemctl status` shows.
    pub async fn show(&mut self, status: String) {
        if status != self.status {
            self.tell(format!("STATUS={status}")).await;
            self.status = status;
        }
    }

    /// This is the job file that is in force now, for a scheduler that may come to find a wrong one.
    pub async fn put_in_force(&self, text: String) {
        self.keeper.put_in_force(text).await;
    }

    async fn tell(&self, state: String) {
        if is_service() {
            self.keeper.notify(state).await;
        }
    }
}

/// How often the watchdog wants to hear: twice in its time.
pub fn watchdog_interval() -> Option<Duration> {
    sd_notify::watchdog_enabled().map(|time| time / 2)
}

/// Whether systemd started the daemon as a service.
pub fn is_service() -> bool {
    std::env::var_os("NOTIFY_SOCKET").is_some()
}

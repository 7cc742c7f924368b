//! How is the running daemon reached?

use std::fs::File;
use std::io::ErrorKind;
use std::path::Path;
use std::time::Duration;

use jiff::tz::TimeZone;

use super::args::Global;
use super::places::{ask, database, of_the_machine, state_folder};
use super::typed::ours;
use super::{Done, Refusal};
use crate::clock::instant;
use crate::control::{Client, ClientError, Code, usual};
use crate::daemon::{Holder, holder, lock_path};
use crate::report::with_local_times;

/// For how long a daemon that does not listen yet is waited for, and how often it is looked at.
const STARTS_WITHIN: Duration = Duration::from_secs(3);
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// The client of the daemon that works on the ledger of this state folder.
pub fn client(global: &Global) -> Result<Client, Refusal> {
    let database = database(global, &state_folder(global)?);
    if let Some(holder) = ask(listening(&database))? {
        return Ok(Client::of_daemon(holder.pid, holder.socket.as_deref())?);
    }
    // Operators need not be able to read what the daemon keeps.
    let is_hidden = File::open(lock_path(&database)).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
    let usual = usual(&database);
    if is_hidden && usual.exists() {
        return Ok(Client::at(&usual));
    }
    let elsewhere = of_the_machine(global).map_or_else(String::new, |other| format!(" ({other})"));
    let message = format!("no daemon is running{elsewhere}; start one with: {}", ours(global, "daemon"));
    Err(Refusal::new(Done::Unreachable, message))
}

/// The daemon of this ledger. One that has just started listens a moment later, and is waited for.
async fn listening(database: &Path) -> Option<Holder> {
    let until = instant() + STARTS_WITHIN;
    loop {
        match holder(database) {
            Some(holder) if holder.socket.is_none() && instant() < until => tokio::time::sleep(LOOK_EVERY).await,
            found => return found,
        }
    }
}

impl From<ClientError> for Refusal {
    fn from(error: ClientError) -> Self {
        let done = match &error {
            ClientError::Refused(problem) => match problem.code {
                Code::Wrong | Code::Method | Code::TooLarge => Done::Misused,
                Code::Unknown | Code::Conflict => Done::Failed,
                Code::Forbidden | Code::Unavailable | Code::TimedOut => Done::Unreachable,
            },
            ClientError::NoDaemon
            | ClientError::NoSocket(_)
            | ClientError::Gone(_)
            | ClientError::NoPermission(_)
            | ClientError::Impostor { .. }
            | ClientError::TimedOut(_)
            | ClientError::Broken { .. } => Done::Unreachable,
        };
        Self::new(done, with_local_times(&error.to_string(), &TimeZone::system()))
    }
}

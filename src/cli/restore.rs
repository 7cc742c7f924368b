//! `punctual restore`: puts a backup in the ledger's place, and says what that means for the next start.

use std::path::{Path, PathBuf};

use serde_json::json;

use super::args::{Global, RestoreArguments};
use super::places::{ask, config_file, database, state_folder};
use super::screen::{Screen, counted, visible};
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::daemon::{Holder, Lock, LockError, holder};
use crate::report::Time;
use crate::store::{Contents, Held, Owner, Restorable, RestoreError};

pub fn run(global: &Global, verb: &RestoreArguments, screen: &mut Screen) -> Answer {
    let ledger = database(global, &state_folder(global)?);
    if let Some(daemon) = holder(&verb.from) {
        let from = verb.from.display();
        let message = format!("process {} works on {from}; make a copy of it with: punctual backup FILE", daemon.pid);
        return Err(Refusal::new(Done::Failed, message));
    }
    let owner = Owner::of(&ledger).map_err(|error| failed(&error))?;
    let held = hold(global, &ledger)?;
    let restored = ask(replace(&verb.from, &ledger, owner))?;
    drop(held);
    let (contents, aside) = restored.map_err(|error| failed(&error))?;
    show(&verb.from, &ledger, contents, aside, screen);
    Ok(Done::Well)
}

/// What the ledger has in it then, and where the one before is.
async fn replace(backup: &Path, ledger: &Path, owner: Owner) -> Result<(Contents, Option<PathBuf>), RestoreError> {
    // It may have been made just now, by somebody else than will run the daemon.
    owner.give(&lock_file(ledger))?;
    let copy = Restorable::copy(backup, ledger, owner).await?;
    Ok((copy.contents, copy.put_in_place(Clock::System.now())?))
}

fn failed(error: &RestoreError) -> Refusal {
    Refusal::chain(Done::Failed, error)
}

/// Keeps daemons from the ledger while it is replaced.
fn hold(global: &Global, ledger: &Path) -> Result<(Lock, Option<Held>), Refusal> {
    let me = Holder {
        pid: i32::try_from(std::process::id()).unwrap_or(0),
        since: Clock::System.now(),
        config: config_file(global, None).unwrap_or_default(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        socket: None,
        trouble: None,
        file_trouble: None,
        at_next_start: Vec::new(),
        stopping: None,
    };
    let lock = Lock::acquire(ledger, me).and_then(|lock| Ok((lock, hold_itself(ledger)?)));
    lock.map_err(|error| match error {
        LockError::Held(daemon) => {
            let (ledger, pid) = (ledger.display(), daemon.pid);
            let message = format!(
                "a daemon, process {pid}, works on {ledger}; stop it first: systemctl stop punctual, or: kill {pid}"
            );
            Refusal::new(Done::Failed, message)
        }
        LockError::HeldBySomebody | LockError::Io { .. } => Refusal::chain(Done::Failed, &error),
    })
}

/// A daemon may work on the same file under another name.
fn hold_itself(ledger: &Path) -> Result<Option<Held>, LockError> {
    if !ledger.exists() {
        return Ok(None);
    }
    match Held::acquire(ledger) {
        Ok(Some(held)) => Ok(Some(held)),
        Ok(None) => Err(LockError::HeldBySomebody),
        Err(source) => Err(LockError::Io { path: ledger.to_owned(), source }),
    }
}

fn lock_file(ledger: &Path) -> PathBuf {
    let mut path = ledger.as_os_str().to_owned();
    path.push(".lock");
    path.into()
}

fn show(from: &Path, ledger: &Path, contents: Contents, aside: Option<PathBuf>, screen: &mut Screen) {
    let Contents { entries, jobs, open, since, until } = contents;
    if screen.json {
        screen.value(&json!({
            "ledger": ledger, "restored": from, "aside": aside, "entries": entries, "jobs": jobs, "open": open,
            "since": since.map(Time), "until": until.map(Time),
        }));
        return;
    }
    let count = |number: i64| u64::try_from(number).unwrap_or(0);
    let entries = if entries == 1 { "1 entry".to_owned() } else { format!("{entries} entries") };
    let jobs = counted(count(jobs), "job");
    let range = since
        .zip(until)
        .map(|(since, until)| format!(", from {} to {}", screen.time(Time(since)), screen.time(Time(until))));
    let shown = |path: &Path| visible(&path.display().to_string());
    screen.line(format!("{} is restored: {entries} of {jobs}{}", shown(ledger), range.unwrap_or_default()));
    if let Some(aside) = aside {
        screen.line(format!("the ledger that was in its place is kept as {}", shown(&aside)));
    }
    if open > 0 {
        let runs = counted(count(open), "run");
        screen.note(format!("{runs} had not ended when it was copied: the next start closes what ran as lost"));
    }
    if let Some(until) = until {
        let until = screen.time(Time(until));
        screen.note(format!(
            "what happened after {until} is not in it, so the next start owes every instant since then: the newest of each \
             job runs, even if it has run before, or whatever else its `catch_up` says; the others are recorded as missed"
        ));
    }
}

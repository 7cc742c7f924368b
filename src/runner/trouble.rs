//! Why can a command not begin? A word of the ledger, and the rest in words for people.

use std::io;
use std::path::Path;

use rustix::io::Errno;
use tokio::task::JoinError;

use crate::run::Reason;

/// Why a command cannot begin.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub reason: Reason,
    pub detail: String,
    /// The key of the job that has to do with it.
    pub key: &'static str,
}

impl Trouble {
    pub(super) fn new(reason: Reason, detail: impl Into<String>) -> Self {
        Self { reason, detail: detail.into(), key: "command" }
    }

    pub(super) fn about(self, key: &'static str) -> Self {
        Self { key, ..self }
    }

    /// What the system refused while something was set up.
    pub(super) fn refused(what: &str, error: impl Into<io::Error>) -> Self {
        let error = error.into();
        let reason = match errno(&error) {
            Some(Errno::PERM | Errno::ACCESS) => Reason::NoPermission,
            Some(Errno::AGAIN) => Reason::Limit,
            _ => Reason::Spawn,
        };
        Self::new(reason, format!("{what}: {error}"))
    }
}

fn errno(error: &io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}

/// What an error of the start itself says about the command.
pub(super) fn exec_trouble(error: &io::Error, program: &Path) -> Trouble {
    let program = program.display();
    match errno(error) {
        Some(Errno::NOENT) => {
            let text = format!("{program} cannot begin: the interpreter that its first line names is not there");
            Trouble::new(Reason::NoProgram, text)
        }
        Some(Errno::ACCESS | Errno::PERM) => {
            Trouble::new(Reason::NoPermission, format!("{program} cannot be executed: {error}"))
        }
        Some(Errno::AGAIN) => {
            Trouble::new(Reason::Limit, format!("{program} cannot begin: the limit of processes is reached"))
        }
        Some(Errno::MFILE | Errno::NFILE) => {
            Trouble::new(Reason::Limit, format!("{program} cannot begin: the limit of open files is reached"))
        }
        Some(Errno::NOEXEC) => {
            let text = format!("{program} is no program: it has neither a known format nor a first line with `#!`");
            Trouble::new(Reason::Spawn, text)
        }
        Some(Errno::TOOBIG) => {
            Trouble::new(Reason::Spawn, format!("{program} cannot begin: its arguments and variables are too long"))
        }
        _ => Trouble::new(Reason::Spawn, format!("{program} cannot begin: {error}")),
    }
}

/// What a task that ended badly says.
pub(super) fn panic_text(error: JoinError) -> String {
    let Ok(panic) = error.try_into_panic() else {
        return "the attempt was cancelled".to_owned();
    };
    match (panic.downcast_ref::<&str>(), panic.downcast_ref::<String>()) {
        (Some(text), _) => (*text).to_owned(),
        (None, Some(text)) => text.clone(),
        (None, None) => "the attempt panicked".to_owned(),
    }
}

//! What is one thing to do, and how?

use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::http::Http;
use super::mail::Mail;
use super::pattern::OutputPattern;
use super::sql::Sql;
use super::standing::{Standing, StopSignal};

/// One thing to do, and the surroundings in which it is done, which are read as if they were its own.
#[derive(Debug, Clone, PartialEq)]
pub struct Work {
    pub act: Act,
    pub surroundings: Arc<Surroundings>,
}

impl Act {
    /// The command, if it is one.
    pub fn command(&self) -> Option<&CommandLine> {
        match self {
            Self::Command(line) => Some(line),
            Self::Http(_) | Self::Sql(_) | Self::Mail(_) => None,
        }
    }
}

impl Deref for Work {
    type Target = Surroundings;

    fn deref(&self) -> &Surroundings {
        &self.surroundings
    }
}

/// What is done.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    Command(CommandLine),
    Http(Arc<Http>),
    Sql(Arc<Sql>),
    Mail(Arc<Mail>),
}

/// How work is done. Most jobs say little or nothing about it: those of the same surroundings share one.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash)]
pub struct Surroundings {
    pub cwd: Option<PathBuf>,
    /// In the order of the file; later ones win.
    pub env: Vec<(String, String)>,
    pub env_files: Vec<PathBuf>,
    pub stdin: String,
    pub timeout: Option<Duration>,
    /// The first signal on a time-out or a stop.
    pub stop_signal: StopSignal,
    /// Between the first signal and KILL.
    pub kill_after: Duration,
    /// Bytes of output kept: half from the beginning, half from the end.
    pub output_limit: u64,
    pub success_codes: Vec<i32>,
    /// It failed, whatever its exit code, if a line of its output matches.
    pub fail_on_output: Option<OutputPattern>,
    pub standing: Standing,
}

/// How the command was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CommandLine {
    /// A text, given to a shell as its last argument.
    Shell { shell: Arc<[String]>, text: Box<str> },
    /// A list, used as it is; the first word is looked up in the job's PATH.
    Program(Vec<String>),
}

impl CommandLine {
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Shell { shell, text } => shell.iter().cloned().chain([text.to_string()]).collect(),
            Self::Program(argv) => argv.clone(),
        }
    }
}

//! What was typed behind the verbs that help to begin: `init`, `completions`, `man`?

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ValueEnum};

#[derive(Debug, Args)]
pub struct InitArguments {
    /// The file to write, or the folder for a jobs.toml [default: ./jobs.toml]
    #[arg(value_name = "DIR|FILE")]
    pub to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct CompletionsArguments {
    /// The shell that is to read the script
    #[arg(value_name = "SHELL")]
    pub shell: Shell,
}

/// Shells for which there is a script.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

#[derive(Debug, Args)]
pub struct CompleteArguments {
    /// The shell whose script asks
    pub shell: Shell,
    /// The place of the word that is being typed
    pub place: usize,
    /// The command line as typed so far
    #[arg(last = true)]
    pub words: Vec<OsString>,
}

#[derive(Debug, Args)]
pub struct ManArguments {
    /// A verb, or jobs.toml for the file [default: punctual as a whole]
    #[arg(value_name = "VERB|jobs.toml")]
    pub page: Option<String>,
    /// The page as it is for troff, instead of plain text where nobody looks
    #[arg(long, conflicts_with = "out")]
    pub roff: bool,
    /// Write all pages below this folder, as man1/ and man5/
    #[arg(long, value_name = "DIR", conflicts_with = "page")]
    pub out: Option<PathBuf>,
}

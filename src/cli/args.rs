//! What was typed?

mod asking;
mod examples;
mod learning;
mod ledger;
mod planning;
mod service;
mod trying;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};

pub use asking::{Count, HistoryArguments, LogsArguments, ShowArguments, StatsArguments, StatusArguments};
pub use examples::examples;
use examples::shown;
pub use learning::{CompleteArguments, CompletionsArguments, InitArguments, ManArguments, Shell};
pub use ledger::{AuditArguments, BackupArguments, DemoArguments, RestoreArguments};
pub use planning::{CheckArguments, NextArguments, PlanArguments};
pub use service::DaemonArguments;
pub use trying::TryArguments;

#[derive(Debug, Parser)]
#[command(
    name = "punctual",
    version,
    about = "A periodic job scheduler: punctual to the millisecond, with a ledger that balances"
)]
#[command(
    after_help = "Exit codes: 0 done; 1 the asked-for thing failed; 2 wrong usage; 3 the daemon or the database \
                        cannot be reached."
)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    /// One JSON value instead of text; what streams writes one a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Whether to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

#[derive(Debug, Default, Args)]
pub struct Global {
    /// The job file [default: $PUNCTUAL_CONFIG, the running daemon's, ./jobs.toml, ~/.config/punctual/jobs.toml,
    /// /etc/punctual/jobs.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of the ledger [default: $STATE_DIRECTORY, /var/lib/punctual as root, ~/.local/state/punctual]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the daemon in the foreground
    Daemon(DaemonArguments),
    /// Is this file right? Every error at once
    Check(CheckArguments),
    /// When is it due?
    Next(NextArguments),
    /// What are the coming days going to be like?
    Plan(PlanArguments),
    /// How are the daemon and the jobs doing?
    Status(StatusArguments),
    /// What ran, when, how late, how long, and how did it end?
    History(HistoryArguments),
    /// One run, or a job as it is defined, and its last run
    Show(ShowArguments),
    /// The output of a run in all its attempts, or of a job's last
    Logs(LogsArguments),
    /// How often did it work, how long and how late, at what cost?
    Stats(StatsArguments),
    /// Does the ledger balance against the schedules?
    Audit(AuditArguments),
    /// Carry a job out here and now, as the daemon would; recorded nowhere
    Try(TryArguments),
    /// Copy the ledger to a file while everything goes on
    Backup(BackupArguments),
    /// Put a backup in the ledger's place; the present one is set aside
    Restore(RestoreArguments),
    /// Make the ledger of a week that never was, for trying every question
    Demo(DemoArguments),
    /// Write a small jobs.toml to begin with
    Init(InitArguments),
    /// Print the script with which a shell completes verbs, jobs and runs
    Completions(CompletionsArguments),
    /// What can be typed next? For the scripts of `completions`
    #[command(hide = true)]
    Complete(CompleteArguments),
    /// Show or write the manual pages
    Man(ManArguments),
}

/// The command line as it is understood: verbs, flags, and examples of each verb.
pub fn command() -> clap::Command {
    let command = Arguments::command();
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    verbs.iter().fold(command, |command, name| command.mut_subcommand(name, |verb| verb.after_help(shown(name))))
}

/// What was typed, or what is wrong with it.
pub fn parse(words: &[OsString]) -> Result<Arguments, clap::Error> {
    let mut command = command();
    let mut matches = command.try_get_matches_from_mut(words)?;
    Arguments::from_arg_matches_mut(&mut matches).map_err(|error| error.format(&mut command))
}

/// A variable and its value, as one word.
fn variable(word: &str) -> Result<(String, String), &'static str> {
    let (name, value) = word.split_once('=').ok_or("write it as NAME=VALUE")?;
    let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
    if name.is_empty() || !name.chars().all(is_name) || name.starts_with(|c: char| c.is_ascii_digit()) {
        return Err("a variable's name has letters, digits and `_`, and begins with none of the digits");
    }
    Ok((name.to_owned(), value.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_has_an_example_and_every_flag_says_what_it_does() {
        let mut lacking = Vec::new();
        for verb in command().get_subcommands().filter(|verb| !verb.is_hide_set()) {
            let name = verb.get_name();
            if examples(name).is_empty() {
                lacking.push(format!("{name}: an example in cli/args/examples.rs"));
            }
            for argument in verb.get_arguments().filter(|argument| argument.get_help().is_none()) {
                lacking.push(format!("{name}: what `{}` means", argument.get_id()));
            }
        }
        assert!(lacking.is_empty(), "{lacking:#?}");
    }

    #[test]
    fn examples_can_be_typed() {
        let command = command();
        for verb in command.get_subcommands() {
            for (line, _) in examples(verb.get_name()) {
                // What follows a pipe or a redirection is another program's.
                let line = line.split(['|', '<', '>']).next().unwrap_or(line).replace('\'', "");
                let words: Vec<OsString> = line.split_whitespace().map(Into::into).collect();
                assert_eq!(words.get(1).unwrap(), verb.get_name(), "{line}");
                assert!(parse(&words).is_ok(), "{line}: {}", parse(&words).unwrap_err());
            }
        }
    }

    #[test]
    fn variables_are_names_with_values() {
        let pair = |name: &str, value: &str| Ok((name.to_owned(), value.to_owned()));
        assert_eq!(variable("A=1"), pair("A", "1"));
        assert_eq!(variable("_x9=a=b"), pair("_x9", "a=b"));
        assert_eq!(variable("EMPTY="), pair("EMPTY", ""));
        for wrong in ["A", "=1", "9A=1", "A B=1", "Ä=1"] {
            assert!(variable(wrong).is_err(), "{wrong}");
        }
    }
}

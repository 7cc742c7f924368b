//! What was typed?

mod acting;
mod asking;
mod examples;
mod learning;
mod ledger;
mod moving;
mod notices;
mod planning;
mod service;
mod telling;
mod trying;

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::OnceLock;

use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand};

pub use acting::{PauseArguments, ReloadArguments, ResumeArguments, RunArguments, SkipArguments, StopArguments};
pub use asking::{HistoryArguments, LogsArguments, ShowArguments, StatsArguments, StatusArguments, WhyArguments};
pub use examples::examples;
use examples::shown;
pub use learning::{CompleteArguments, CompletionsArguments, InitArguments, ManArguments, Shell};
pub use ledger::{AuditArguments, BackupArguments, DemoArguments, RestoreArguments};
pub use moving::{
    ExportArguments, ExportCrontabArguments, From, ImportArguments, ImportCrontabArguments, ImportSystemdArguments,
    Output, To,
};
pub use notices::{NoticesArguments, NoticesVerb, WhichArguments};
pub use planning::{CheckArguments, DiffArguments, NextArguments, PlanArguments};
pub use service::DaemonArguments;
pub use telling::{Notify, NotifyArguments, NotifyTestArguments, TemplatesArguments};
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
    /// The folder of the ledger [default: $STATE_DIRECTORY, $PUNCTUAL_STATE, /var/lib/punctual as root,
    /// ~/.local/state/punctual]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
    /// Where the database is, once that is known: to find out may mean to read the job file.
    #[arg(skip)]
    pub database: OnceLock<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the daemon in the foreground
    ///
    /// It logs to the terminal, or to journald under systemd, until it is told to stop: by Ctrl-C, or `systemctl
    /// stop`. Runs may finish then for `stop_grace`; a second time ends them at once.
    Daemon(DaemonArguments),
    /// Is this file right? Every error at once
    ///
    /// Each error comes with its place and what to write instead; warnings are about what is right and mostly not
    /// meant, or cannot work on this machine as it is now.
    Check(CheckArguments),
    /// What would a reload change?
    ///
    /// Job by job and key by key, with the next times before and after, and what becomes of runs that have not ended. It exits
    /// with 0 for nothing, 1 for differences, 2 for a wrong file.
    Diff(DiffArguments),
    /// When is it due?
    ///
    /// Of one job its next five instants and its schedule in words; of several, the next twenty of all. A schedule
    /// can be tried before any job has it.
    Next(NextArguments),
    /// What are the coming days going to be like?
    ///
    /// The jobs are run on a simulated clock, each for as long as it usually takes: load by the hour, what comes
    /// together, what would still be running when due again, days on which clocks change.
    Plan(PlanArguments),
    /// How are the daemon and the jobs doing?
    ///
    /// Those that fail come first. It needs no daemon, and says more where one runs. It is what `punctual` alone
    /// does.
    Status(StatusArguments),
    /// What was told to people, what waits to be, and what could not be delivered?
    ///
    /// The newest come last. A notice stands there once for each carrier of its channel.
    Notices(NoticesArguments),
    /// What ran, when, how late, how long, and how did it end?
    ///
    /// The newest come last. All conditions hold together. Instants that did not become a run are entries, too, with
    /// the reason.
    History(HistoryArguments),
    /// One run, or a job as it is defined, and its last run
    ///
    /// Of a run: attempts, steps as bars of time, what is unusual about it, its output. Of a job: every value, and
    /// whether it comes from the file, the defaults, or is built in.
    Show(ShowArguments),
    /// The output of a run in all its attempts, or of a job's last
    ///
    /// Control characters are made visible, as jobs may have any output from anywhere.
    Logs(LogsArguments),
    /// How often did it work, how long and how late, at what cost?
    ///
    /// Percentiles are of runs that ended by themselves; the line at the end shows the last runs.
    Stats(StatsArguments),
    /// Why did it run, or not, then or now?
    ///
    /// In sentences, from the ledger, the file and the running daemon: what called for a run, what kept an instant from
    /// becoming one, what the job waits for, when it runs next.
    Why(WhyArguments),
    /// Does the ledger balance against the schedules?
    ///
    /// What should have happened is computed from the definitions of that time and compared with what is recorded; it
    /// exits with 1 if something differs.
    Audit(AuditArguments),
    /// Carry a job out here and now, as the daemon would; recorded nowhere
    ///
    /// Environment, user, folder, limits, time-out and steps are those of a run, its number is not: PUNCTUAL_RUN is
    /// negative. Its standard error comes out of that of `try`. One attempt is made. Ctrl-C stops it with all it
    /// started, a second one kills it. It exits with 0 or 1; the job's own code is in the last line. Neither daemon
    /// nor ledger are needed.
    Try(TryArguments),
    /// Run jobs now, by the daemon
    ///
    /// Each gets a run with a number, as if it were due now; `overlap` decides what happens where one is still going. With
    /// --wait it exits with 0 if all succeeded and with 1 otherwise; a job's own code is in the last line about it.
    Run(RunArguments),
    /// End a run, or whatever of a job has not ended
    ///
    /// It is asked to end by its stop signal and killed after `kill_after`, with all that it has started. A run that waits
    /// does not begin any more.
    Stop(StopArguments),
    /// Let jobs not run for a while
    ///
    /// Runs that go on are left alone, and running a job by hand is possible. Instants that pass meanwhile are recorded as
    /// skipped, with the reason. A pause survives a restart of the daemon.
    Pause(PauseArguments),
    /// End the pause of jobs
    Resume(ResumeArguments),
    /// Leave out the next instants of a job
    Skip(SkipArguments),
    /// Take the job file now, and say what changed
    ///
    /// A file that is wrong changes nothing.
    Reload(ReloadArguments),
    /// Try the channels by which people are told, or change the words of notices
    Notify(NotifyArguments),
    /// Copy the ledger to a file while everything goes on
    ///
    /// The copy is a plain SQLite file, whole and of one moment.
    Backup(BackupArguments),
    /// Put a backup in the ledger's place; the present one is set aside
    ///
    /// No daemon may run meanwhile. The file is checked first, and nothing is thrown away.
    Restore(RestoreArguments),
    /// Make a job file of a crontab or of systemd's timers; nothing is changed
    ///
    /// It is printed, with a comment wherever something means something else here.
    Import(ImportArguments),
    /// Make a crontab of jobs
    ///
    /// What cron cannot do is said in comments.
    Export(ExportArguments),
    /// Print the JSON Schema of jobs.toml, by which editors complete and check it
    Schema,
    /// Make the ledger of a week that never was, for trying every question
    ///
    /// It is made by the real planner on a simulated clock, and nothing is run.
    Demo(DemoArguments),
    /// Write a small jobs.toml to begin with
    ///
    /// Nothing that is there is written over. A name that ends in .toml is a file, any other a folder.
    Init(InitArguments),
    /// Print the script with which a shell completes verbs, jobs and runs
    ///
    /// The script asks `punctual` itself at each press of the key, so it knows the jobs of the file and the newest
    /// runs.
    Completions(CompletionsArguments),
    /// What can be typed next? For the scripts of `completions`
    #[command(hide = true)]
    Complete(CompleteArguments),
    /// Show or write the manual pages
    ///
    /// On a terminal `man` shows the page; elsewhere it is printed as plain text. They are made from this help and from
    /// the README.
    Man(ManArguments),
}

/// The command line as it is understood: verbs, flags, and examples of each verb.
pub fn command() -> clap::Command {
    let command = Arguments::command();
    let verbs: Vec<String> = command.get_subcommands().map(|verb| verb.get_name().to_owned()).collect();
    let with_examples = |verb: clap::Command, name: &str| {
        if shown(name).is_empty() { verb } else { verb.after_help(shown(name)) }
    };
    verbs.iter().fold(command, |command, name| {
        command.mut_subcommand(name, |verb| {
            let kinds: Vec<String> = verb.get_subcommands().map(|kind| kind.get_name().to_owned()).collect();
            let verb = kinds.iter().fold(verb, |verb, kind| {
                let full = format!("{name} {kind}");
                verb.mut_subcommand(kind, |kind| with_examples(kind, &full))
            });
            with_examples(verb, name)
        })
    })
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
            for kind in
                verb.get_subcommands().filter(|kind| examples(&format!("{name} {}", kind.get_name())).is_empty())
            {
                lacking.push(format!("{name} {}: an example in cli/args/examples.rs", kind.get_name()));
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
        let kinds = command
            .get_subcommands()
            .flat_map(|verb| verb.get_subcommands().map(|kind| format!("{} {}", verb.get_name(), kind.get_name())));
        let verbs = command.get_subcommands().map(|verb| verb.get_name().to_owned());
        for name in verbs.chain(kinds) {
            for (line, _) in examples(&name) {
                // What follows a pipe or a redirection is another program's; every other part stands between quotes.
                let line = line.split(['|', '<', '>']).next().unwrap_or(line);
                let parts = line.split('\'').enumerate();
                let words = parts.flat_map(|(number, part)| match number % 2 {
                    0 => part.split_whitespace().collect(),
                    _ => vec![part],
                });
                let words: Vec<OsString> = words.map(Into::into).collect();
                assert!(line.starts_with(&format!("punctual {name}")), "{line}");
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

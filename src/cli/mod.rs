//! What did the person at the terminal ask for? A file for each verb, and one printer.

mod args;
mod asked;
mod audit;
mod backup;
mod batch;
mod check;
mod conclusion;
mod daemon;
mod definition;
mod demo;
mod diff;
mod differences;
mod entry;
mod follow;
mod gather;
mod heat;
mod history;
mod logs;
mod moment;
mod needle;
mod next;
mod output;
mod pager;
mod pieces;
mod places;
mod plan;
mod restore;
mod screen;
mod select;
mod sheet;
mod show;
mod sparkline;
mod stats;
mod status;
mod subject;
mod table;
mod timeline;
mod trial;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use args::{Arguments, Verb};
use screen::Screen;

/// How a verb ended; see section "Exit codes" of the README.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Done {
    Well,
    /// The asked-for thing failed.
    Failed,
    /// Wrong usage.
    Misused,
    /// The daemon or the database cannot be reached.
    Unreachable,
}

impl From<Done> for ExitCode {
    fn from(done: Done) -> Self {
        match done {
            Done::Well => Self::SUCCESS,
            Done::Failed => Self::from(1),
            Done::Misused => Self::from(2),
            Done::Unreachable => Self::from(3),
        }
    }
}

/// Why a verb could not do what it was asked, in words for people, and the exit code that says so to programs.
#[derive(Debug)]
struct Refusal {
    message: String,
    done: Done,
}

impl Refusal {
    fn new(done: Done, message: impl Into<String>) -> Self {
        Self { message: message.into(), done }
    }

    /// The error with all its causes, in one line.
    fn chain(done: Done, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            let text = error.to_string();
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        Self { message, done }
    }
}

type Answer = Result<Done, Refusal>;

/// Parses, runs, and gives the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let done = if error.use_stderr() { Done::Misused } else { Done::Well };
            // A closed pipe (`| head`) is nobody's error.
            let _ = error.print();
            return done.into();
        }
    };
    if let Some(Verb::Daemon(verb)) = &arguments.verb
        && verb.kept.is_none()
    {
        return daemon::keep().map_or_else(
            |error| {
                Screen::new(arguments.color, arguments.json).complain(&format!("the daemon cannot begin: {error}"));
                Done::Unreachable.into()
            },
            ExitCode::from,
        );
    }
    let mut screen = Screen::new(arguments.color, arguments.json);
    let answer = dispatch(&arguments, &mut screen);
    let done = answer.unwrap_or_else(|refusal| {
        screen.complain(&refusal.message);
        refusal.done
    });
    match screen.finish() {
        Ok(()) => done.into(),
        Err(error) => {
            screen.complain(&format!("the answer cannot be shown: {error}"));
            Done::Failed.into()
        }
    }
}

fn dispatch(arguments: &Arguments, screen: &mut Screen) -> Answer {
    let global = &arguments.global;
    match &arguments.verb {
        Some(Verb::Daemon(verb)) => daemon::run(global, verb, screen),
        Some(Verb::Check(verb)) => check::run(global, verb, screen),
        Some(Verb::Diff(verb)) => diff::run(global, verb, screen),
        Some(Verb::Next(verb)) => next::run(global, verb, screen),
        Some(Verb::Plan(verb)) => plan::run(global, verb, screen),
        Some(Verb::Status(verb)) => status::run(global, verb, screen),
        Some(Verb::History(verb)) => history::run(global, verb, screen),
        Some(Verb::Show(verb)) => show::run(global, verb, screen),
        Some(Verb::Logs(verb)) => logs::run(global, verb, screen),
        Some(Verb::Stats(verb)) => stats::run(global, verb, screen),
        Some(Verb::Audit(verb)) => audit::run(global, verb, screen),
        Some(Verb::Backup(verb)) => backup::run(global, verb, screen),
        Some(Verb::Restore(verb)) => restore::run(global, verb, screen),
        Some(Verb::Demo(verb)) => demo::run(global, verb, screen),
        None => status::run(global, &args::StatusArguments::default(), screen),
    }
}

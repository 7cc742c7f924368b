//! What did the person at the terminal ask for? A file for each verb, and one printer.

mod args;
mod audit;
mod backup;
mod batch;
mod channel;
mod check;
mod complete;
mod completions;
mod conclusion;
mod daemon;
mod definition;
mod demo;
mod diff;
mod entry;
mod export;
mod follow;
mod heat;
mod held;
mod history;
mod import;
mod init;
mod live;
mod logs;
mod manual;
mod moment;
mod near_miss;
mod next;
mod notices;
mod notify;
mod output;
mod pager;
mod pause;
mod places;
mod plan;
mod reach;
mod reload;
mod restore;
mod run_jobs;
mod schema;
mod screen;
mod select;
mod sheet;
mod show;
mod skip;
mod sparkline;
mod stats;
mod status;
mod stop;
mod subject;
mod table;
mod templates;
mod then;
mod timeline;
mod trial;
mod try_job;
mod typed;
mod upcoming;
mod usual;
mod wait;
mod why;
mod wishing;
mod words;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::error::ErrorKind;

use args::{Arguments, Verb};
use screen::Screen;

use crate::inquiry::NoAnswer;

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

    /// The error with all its causes, in one line; of what is not allowed, how it would be.
    fn chain(done: Done, error: &dyn std::error::Error) -> Self {
        let mut message = error.to_string();
        let mut cause = error.source();
        let mut is_forbidden = false;
        while let Some(error) = cause {
            let text = error.to_string();
            let io = error.downcast_ref::<std::io::Error>();
            is_forbidden |= io.is_some_and(|error| error.kind() == std::io::ErrorKind::PermissionDenied);
            if !message.contains(&text) {
                message = format!("{message}: {text}");
            }
            cause = error.source();
        }
        if let Some(line) = typed::as_root().filter(|_| is_forbidden) {
            message = format!("{message}; type: {line}");
        }
        Self { message, done }
    }
}

impl From<NoAnswer> for Refusal {
    fn from(reason: NoAnswer) -> Self {
        let done = match &reason {
            NoAnswer::NoJob { name, near: Some(near) } => {
                return Self::new(Done::Failed, format!("{reason} type: {}", typed::corrected(name, near)));
            }
            NoAnswer::NoJob { near: None, .. } | NoAnswer::Unknown { .. } | NoAnswer::None(_) => Done::Failed,
            NoAnswer::Misasked { what, message } => {
                return Self::new(Done::Misused, format!("--{}: {message}", what.replace('_', "-")));
            }
            NoAnswer::Ledger(_) => Done::Unreachable,
        };
        Self::new(done, reason.to_string())
    }
}

type Answer = Result<Done, Refusal>;

/// Parses, runs, and gives the exit code.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let words: Vec<OsString> = arguments.into_iter().collect();
    let arguments = match args::parse(&words) {
        Ok(arguments) => arguments,
        Err(error) => return misused(&error, &words).into(),
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
        let better = near_miss::of_refusal(&refusal.message, &words);
        let better = better.or_else(|| near_miss::of_former_name(&refusal.message, &arguments.global));
        screen.complain(&better.unwrap_or(refusal.message));
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

/// Says what is wrong with a command line, or what its help says.
fn misused(error: &clap::Error, words: &[OsString]) -> Done {
    if let Some(message) = words::unknown_verb(error, words).or_else(|| near_miss::of_error(error, words)) {
        Screen::new(clap::ColorChoice::Auto, false).complain(&message);
        return Done::Misused;
    }
    // A closed pipe (`| head`) is nobody's error.
    let _ = error.print();
    if error.kind() == ErrorKind::MissingRequiredArgument
        && let Some((line, _)) = words.iter().find_map(|word| args::examples(word.to_str()?).first())
    {
        Screen::new(clap::ColorChoice::Auto, false).note(format!("for example: {line}"));
    }
    if error.use_stderr() { Done::Misused } else { Done::Well }
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
        Some(Verb::Notices(verb)) => notices::run(global, verb, screen),
        Some(Verb::History(verb)) => history::run(global, verb, screen),
        Some(Verb::Show(verb)) => show::run(global, verb, screen),
        Some(Verb::Logs(verb)) => logs::run(global, verb, screen),
        Some(Verb::Why(verb)) => why::run(global, verb, screen),
        Some(Verb::Stats(verb)) => stats::run(global, verb, screen),
        Some(Verb::Audit(verb)) => audit::run(global, verb, screen),
        Some(Verb::Try(verb)) => try_job::run(global, verb, screen),
        Some(Verb::Run(verb)) => run_jobs::run(global, verb, screen),
        Some(Verb::Stop(verb)) => stop::run(global, verb, screen),
        Some(Verb::Pause(verb)) => pause::run(global, verb, screen),
        Some(Verb::Resume(verb)) => pause::resume(global, verb, screen),
        Some(Verb::Skip(verb)) => skip::run(global, verb, screen),
        Some(Verb::Reload(_)) => reload::run(global, screen),
        Some(Verb::Backup(verb)) => backup::run(global, verb, screen),
        Some(Verb::Restore(verb)) => restore::run(global, verb, screen),
        Some(Verb::Schema) => Ok(schema::run(screen)),
        Some(Verb::Import(verb)) => import::run(global, verb, screen),
        Some(Verb::Export(verb)) => export::run(global, verb, screen),
        Some(Verb::Notify(verb)) => notify::run(global, verb, screen),
        Some(Verb::Demo(verb)) => demo::run(global, verb, screen),
        Some(Verb::Init(verb)) => init::run(global, verb, screen),
        Some(Verb::Completions(verb)) => Ok(completions::run(verb, screen)),
        Some(Verb::Complete(verb)) => Ok(complete::run(verb, screen)),
        Some(Verb::Man(verb)) => manual::run(verb, screen),
        None => status::run(global, &args::StatusArguments::default(), screen),
    }
}

//! What can be typed next? Asked by the scripts of `completions` at each press of a key, so it is answered at once, and in
//! silence where something is wrong.

use std::collections::BTreeSet;
use std::path::PathBuf;

use clap::{Arg, Command, ValueHint};

use super::Done;
use super::args::{CompleteArguments, Global, Shell, command};
use super::places::{ask, config_file, job_names, open_ledger_if_any, running_daemon};
use super::screen::{Screen, visible};
use crate::files::Machine;
use crate::jobfile::Zones;
use crate::report::{Entry, Time};
use crate::run::{Cause, Outcome, Reason, State};
use crate::store::{HistoryFilter, Reader};

/// The newest runs are those that somebody asks about.
const NEWEST: u32 = 20;
/// A larger file takes longer to read than anybody waits for a key; the ledger knows its jobs, too.
const LARGEST_FILE: u64 = 1 << 20;
/// Words for a time that need no explanation.
const TIMES: [&str; 8] = ["now", "today", "yesterday", "monday", "1h", "1d", "1w", "last month"];

/// What can stand at a place.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Wanted {
    /// These words, with what they mean.
    Words(Vec<(String, String)>),
    Jobs,
    Runs,
    RunsAndJobs,
    Zones,
    Files,
    Folders,
    Nothing,
}

/// The place of a command line at which something is typed.
struct Place<'w> {
    global: Global,
    wanted: Wanted,
    /// The beginning of the word, which stays as it was typed: a flag with its `=`, or the list so far.
    kept: &'w str,
    /// What is typed of it so far.
    begun: &'w str,
    /// What stands there already and is not wanted again.
    seen: BTreeSet<&'w str>,
}

pub fn run(verb: &CompleteArguments, screen: &mut Screen) -> Done {
    let words: Vec<String> = verb.words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
    let joined = if verb.shell == Shell::Bash { rejoined(&words, verb.place) } else { (words, verb.place, 0) };
    let (words, place, cut) = joined;
    let command = command();
    let place = find(&command, &words, place);
    // Paths are for the shell to complete, which knows how it writes them.
    match place.wanted {
        Wanted::Files => screen.line(":files"),
        Wanted::Folders => screen.line(":folders"),
        Wanted::Words(_) | Wanted::Jobs | Wanted::Runs | Wanted::RunsAndJobs | Wanted::Zones | Wanted::Nothing => {}
    }
    for (word, what) in candidates(&place) {
        let text = match verb.shell {
            // bash replaces only what stands behind the last `=`.
            Shell::Bash => visible(word.get(cut..).unwrap_or_default()),
            Shell::Zsh if what.is_empty() => visible(&word).replace(':', "\\:"),
            Shell::Zsh => format!("{}:{}", visible(&word).replace(':', "\\:"), visible(&what)),
            Shell::Fish if what.is_empty() => visible(&word),
            Shell::Fish => format!("{}\t{}", visible(&word), visible(&what)),
        };
        screen.line(text.replace('\n', " "));
    }
    Done::Well
}

/// bash takes `=` for a word of its own. The words as they were typed, the place among them, and how many bytes of the
/// word that is being typed bash leaves alone.
fn rejoined(words: &[String], place: usize) -> (Vec<String>, usize, usize) {
    let mut joined: Vec<String> = Vec::new();
    let (mut at, mut cut) = (0, 0);
    let mut goes_on = false;
    for (number, word) in words.iter().enumerate().take(place + 1) {
        let is_flag = joined.last().is_some_and(|last| last.starts_with("--") && !last.contains('='));
        match joined.last_mut() {
            Some(last) if word == "=" && is_flag => {
                last.push('=');
                goes_on = true;
                cut = last.len();
            }
            Some(last) if std::mem::take(&mut goes_on) => last.push_str(word),
            Some(_) | None => {
                joined.push(word.clone());
                cut = 0;
            }
        }
        if number == place {
            at = joined.len() - 1;
        }
    }
    (joined, at, cut)
}

/// Reads the words before the place, and says what can stand there.
fn find<'w>(command: &Command, words: &'w [String], place: usize) -> Place<'w> {
    let mut verb = command;
    let mut global = Global::default();
    let mut flag: Option<&Arg> = None;
    let mut positions = 0;
    let mut seen = BTreeSet::new();
    let mut only_values = false;
    for word in words.iter().take(place).skip(1) {
        if let Some(flag) = flag.take() {
            remember(&mut global, flag, word);
        } else if !only_values && word == "--" {
            only_values = true;
        } else if !only_values && word.starts_with('-') && word.len() > 1 {
            let (name, value) = word.split_once('=').map_or((word.as_str(), None), |(name, value)| (name, Some(value)));
            let named = flag_named(command, verb, name);
            match value {
                Some(value) => named.into_iter().for_each(|flag| remember(&mut global, flag, value)),
                None => flag = named.filter(|flag| takes_value(flag)),
            }
            seen.insert(name);
        } else if let Some(below) = verb.find_subcommand(word).filter(|_| positions == 0) {
            verb = below;
        } else {
            positions += 1;
            seen.insert(word);
        }
    }
    let begun = words.get(place).map_or("", String::as_str);
    let (wanted, kept, begun) = match (flag, begun.split_once('=')) {
        (Some(flag), _) => value(flag, begun),
        (None, Some((name, typed))) if name.starts_with("--") && !only_values => {
            let length = name.len() + 1;
            let flag = flag_named(command, verb, name);
            let (wanted, kept, rest) = flag.map_or((Wanted::Nothing, "", typed), |flag| value(flag, typed));
            (wanted, &begun[..length + kept.len()], rest)
        }
        (None, _) if begun.starts_with('-') && !only_values => (Wanted::Words(flags(command, verb)), "", begun),
        (None, _) => match positional(verb, positions) {
            Some(argument) => value(argument, begun),
            None if positions == 0 && verb.has_subcommands() => (Wanted::Words(verbs(verb)), "", begun),
            None => (Wanted::Nothing, "", begun),
        },
    };
    // Whoever writes a list does not want an element twice.
    seen.extend(kept.rsplit('=').next().unwrap_or_default().split(',').filter(|word| !word.is_empty()));
    Place { global, wanted, kept, begun, seen }
}

fn remember(global: &mut Global, flag: &Arg, value: &str) {
    match flag.get_id().as_str() {
        "config" => global.config = Some(value.into()),
        "state" => global.state = Some(value.into()),
        _ => {}
    }
}

/// A flag of the verb, or one that all have.
fn flag_named<'c>(command: &'c Command, verb: &'c Command, name: &str) -> Option<&'c Arg> {
    let is_it = |flag: &&Arg| match name.strip_prefix("--") {
        Some(long) => flag.get_long() == Some(long),
        None => {
            flag.get_short().is_some_and(|short| name.strip_prefix('-').is_some_and(|text| text.starts_with(short)))
        }
    };
    let all = command.get_arguments().filter(|flag| flag.is_global_set());
    verb.get_arguments().chain(all).filter(|flag| !flag.is_positional()).find(is_it)
}

fn takes_value(flag: &Arg) -> bool {
    flag.get_action().takes_values()
}

/// The argument that stands at this place behind a verb; the last one may take many.
fn positional(verb: &Command, place: usize) -> Option<&Arg> {
    let mut all = verb.get_positionals();
    let last = verb.get_positionals().last();
    let is_many = |argument: &&Arg| matches!(argument.get_action(), clap::ArgAction::Append);
    all.nth(place).or_else(|| last.filter(is_many))
}

/// What can be the value of an argument, as its name says, and the part of a list that is being typed.
fn value<'w>(argument: &Arg, begun: &'w str) -> (Wanted, &'w str, &'w str) {
    let known = argument.get_possible_values();
    if !known.is_empty() && takes_value(argument) {
        let words = known.iter().filter(|value| !value.is_hide_set());
        let described = words
            .map(|value| (value.get_name().to_owned(), value.get_help().map(ToString::to_string).unwrap_or_default()));
        return (Wanted::Words(described.collect()), "", begun);
    }
    let name = argument.get_value_names().and_then(|names| names.first()).map(clap::builder::Str::as_str);
    let plain = |words: &[&str]| Wanted::Words(words.iter().map(|word| ((*word).to_owned(), String::new())).collect());
    let (kept, last) = begun.split_at(begun.rfind(',').map_or(0, |comma| comma + 1));
    match name.unwrap_or_default() {
        "JOB" => (Wanted::Jobs, "", begun),
        "RUN" => (Wanted::Runs, "", begun),
        "RUN|JOB" => (Wanted::RunsAndJobs, "", begun),
        "ZONE" => (Wanted::Zones, "", begun),
        "TIME" => (plain(&TIMES), "", begun),
        "OUTCOME,…" => {
            let states = [State::Waiting.word(), State::Running.word()];
            let words: Vec<&str> = Outcome::ALL.iter().map(|outcome| outcome.word()).chain(states).collect();
            (plain(&words), kept, last)
        }
        "REASON,…" => (plain(&Reason::ALL.iter().map(|reason| reason.word()).collect::<Vec<_>>()), kept, last),
        "CAUSE,…" => (plain(&Cause::ALL.iter().map(|cause| cause.word()).collect::<Vec<_>>()), kept, last),
        "VERB|jobs.toml" => {
            let mut words = verbs(&command());
            words.push(("jobs.toml".to_owned(), "The file".to_owned()));
            (Wanted::Words(words), "", begun)
        }
        "DIR" => (Wanted::Folders, "", begun),
        _ => match argument.get_value_hint() {
            ValueHint::AnyPath | ValueHint::FilePath => (Wanted::Files, "", begun),
            ValueHint::DirPath => (Wanted::Folders, "", begun),
            _ => (Wanted::Nothing, "", begun),
        },
    }
}

/// The verbs below a command, each with what it does.
fn verbs(command: &Command) -> Vec<(String, String)> {
    let shown = command.get_subcommands().filter(|verb| !verb.is_hide_set());
    let described = |verb: &Command| (verb.get_name().to_owned(), verb.get_about().map(ToString::to_string));
    shown.map(described).map(|(name, about)| (name, about.unwrap_or_default())).collect()
}

/// The flags of a verb and those that all have.
fn flags(command: &Command, verb: &Command) -> Vec<(String, String)> {
    let all = command.get_arguments().filter(|flag| flag.is_global_set());
    let own = verb.get_arguments().filter(|flag| !flag.is_hide_set() && !flag.is_global_set());
    let named = |flag: &Arg| {
        let long = flag.get_long().map(|long| format!("--{long}"));
        let name = long.or_else(|| flag.get_short().map(|short| format!("-{short}")))?;
        let help = flag.get_help().map(ToString::to_string).unwrap_or_default();
        Some((name, help.lines().next().unwrap_or_default().to_owned()))
    };
    own.chain(all).filter_map(named).chain([("--help".to_owned(), "What it does".to_owned())]).collect()
}

/// What fits at a place, whole words.
fn candidates(place: &Place) -> Vec<(String, String)> {
    let all = match &place.wanted {
        Wanted::Words(words) => words.clone(),
        Wanted::Jobs => jobs(&place.global),
        Wanted::Runs => runs(&place.global),
        // A number is no name, so what is begun says which is meant.
        Wanted::RunsAndJobs if place.begun.starts_with(|c: char| c.is_ascii_digit()) => runs(&place.global),
        Wanted::RunsAndJobs => {
            let jobs = jobs(&place.global);
            if place.begun.is_empty() { jobs.into_iter().chain(runs(&place.global)).collect() } else { jobs }
        }
        Wanted::Zones => Machine::default().names().into_iter().map(|name| (name, String::new())).collect(),
        Wanted::Files | Wanted::Folders | Wanted::Nothing => Vec::new(),
    };
    let fits = |(word, _): &(String, String)| word.starts_with(place.begun) && !place.seen.contains(word.as_str());
    all.into_iter().filter(fits).map(|(word, what)| (format!("{}{word}", place.kept), what)).collect()
}

/// The jobs of the file and those that the ledger knows to be in force.
pub async fn known_jobs(global: &Global) -> BTreeSet<String> {
    let file = config_file(global, running_daemon(global).as_ref()).ok();
    let is_small = |file: &PathBuf| file.metadata().is_ok_and(|data| data.len() <= LARGEST_FILE);
    let in_file = file.filter(is_small).map(|file| job_names(&file)).unwrap_or_default();
    let in_ledger = asked(global, async |ledger| ledger.defined_jobs().await.unwrap_or_default()).await;
    in_file.into_iter().chain(in_ledger).collect()
}

fn jobs(global: &Global) -> Vec<(String, String)> {
    let names = ask(known_jobs(global)).unwrap_or_default();
    names.into_iter().map(|name| (name, String::new())).collect()
}

/// The newest runs, newest first.
fn runs(global: &Global) -> Vec<(String, String)> {
    let newest = async |ledger: &Reader| ledger.history(&HistoryFilter::default(), Some(NEWEST)).await;
    let entries: Result<Vec<Entry>, _> = ask(asked(global, async |ledger| newest(ledger).await.unwrap_or_default()));
    let entries = entries.unwrap_or_default();
    let screen = Screen::new(clap::ColorChoice::Never, false);
    let described = |entry: Entry| {
        let became = entry.outcome.map_or_else(|| entry.state.word(), Outcome::word);
        let what = format!("{} {became}, {}", entry.job, screen.time(Time(entry.at)));
        (entry.run.to_string(), what)
    };
    entries.into_iter().rev().map(described).collect()
}

/// What the ledger says, if there is one that can be read.
async fn asked<T: Default>(global: &Global, question: impl AsyncFnOnce(&Reader) -> T) -> T {
    match open_ledger_if_any(global).await {
        Ok(Some(ledger)) => question(&ledger).await,
        Ok(None) | Err(_) => T::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<String> {
        line.split(' ').map(str::to_owned).collect()
    }

    /// What can stand at the end of a line; `None` of what is asked of ledger and file.
    #[track_caller]
    fn check(line: &str, wanted: &Wanted, kept: &str, begun: &str) {
        let (command, words) = (command(), words(line));
        let place = find(&command, &words, words.len() - 1);
        assert_eq!((&place.wanted, place.kept, place.begun), (wanted, kept, begun), "{line}");
    }

    #[track_caller]
    fn found(line: &str, expect: &[&str]) {
        let (command, words) = (command(), words(line));
        let place = find(&command, &words, words.len() - 1);
        let found: Vec<String> = candidates(&place).into_iter().map(|(word, _)| word).collect();
        assert_eq!(found, expect, "{line}");
    }

    #[test]
    fn each_place_has_its_own() {
        check("punctual show ", &Wanted::RunsAndJobs, "", "");
        check("punctual --json logs -f ba", &Wanted::RunsAndJobs, "", "ba");
        check("punctual history a b ", &Wanted::Jobs, "", "");
        check("punctual check ", &Wanted::Files, "", "");
        check("punctual --config ", &Wanted::Files, "", "");
        check("punctual next --config=jo", &Wanted::Files, "--config=", "jo");
        check("punctual --state ", &Wanted::Folders, "", "");
        check("punctual next --timezone Eu", &Wanted::Zones, "", "Eu");
        check("punctual history --longer-than ", &Wanted::Nothing, "", "");
        check("punctual show a ", &Wanted::Nothing, "", "");
    }

    #[test]
    fn words_that_fit_are_told() {
        found("punctual stat", &["status", "stats"]);
        found("punctual history --outcome f", &["failed"]);
        found("punctual history --outcome failed,s", &["failed,succeeded", "failed,stopped", "failed,skipped"]);
        found("punctual history --outcome=failed,lo", &["--outcome=failed,lost"]);
        found("punctual history --outcome failed,fa", &[]);
        found("punctual history --longer", &["--longer-than"]);
        found("punctual --color ", &["auto", "always", "never"]);
        found("punctual completions ", &["bash", "zsh", "fish"]);
        found("punctual history --failed --fa", &[]);
        found("punctual complet", &["completions"]);
    }

    #[test]
    fn what_bash_has_taken_apart_is_put_together() {
        let check = |line: &str, place: usize, expect: &str, at: usize, cut: usize| {
            let joined = rejoined(&words(line), place);
            assert_eq!(joined, (words(expect), at, cut), "{line}");
        };
        check("punctual history --outcome = fa", 4, "punctual history --outcome=fa", 2, 10);
        check("punctual history --outcome =", 3, "punctual history --outcome=", 2, 10);
        check("punctual show a", 2, "punctual show a", 2, 0);
        check("punctual --config = x show ", 5, "punctual --config=x show ", 3, 0);
    }
}

//! Which flag is missing before this word? A time, a variable, or a word for all, where a name of a job would stand.

use std::ffi::OsString;
use std::sync::Arc;

use clap::error::{ContextKind, ContextValue, ErrorKind};
use jiff::tz::TimeZone;

use super::args::{Global, command};
use super::places::{in_force_or_file, running_daemon};
use super::typed::{corrected, line};
use super::words::verb_place;
use crate::clock::Clock;
use crate::job::Job;
use crate::when::{Toward, meant};

/// What is to be said about a word that has no place in a command line: it ends with the line to type.
pub fn of_error(error: &clap::Error, words: &[OsString]) -> Option<String> {
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidArg) else {
        return None;
    };
    if error.kind() == ErrorKind::UnknownArgument { near_miss(word, words) } else { None }
}

/// The same about a word that was taken for the name of a job, which it is not.
pub fn of_refusal(message: &str, words: &[OsString]) -> Option<String> {
    let (_, rest) = message.split_once("there is no job `")?;
    near_miss(rest.split_once('`')?.0, words)
}

/// The same about a name that a job of the file had before.
pub fn of_former_name(message: &str, global: &Global) -> Option<String> {
    let (_, rest) = message.split_once("there is no job `")?;
    let (name, _) = rest.split_once('`')?;
    let file = in_force_or_file(global, running_daemon(global).as_ref()).ok()?;
    let had = |job: &&Arc<Job>| job.formerly.as_ref().is_some_and(|formerly| formerly.as_str() == name);
    let job = file.checked.jobs.iter().find(had)?.name.as_str();
    Some(format!("the job `{name}` is called {job} now, and has its history there; type: {}", corrected(name, job)))
}

fn near_miss(word: &str, words: &[OsString]) -> Option<String> {
    let verb = verb_place(words)?;
    let at = words.iter().skip(verb + 1).position(|other| *other == *word)? + verb + 1;
    let command = command();
    let flags: Vec<&str> =
        command.find_subcommand(&words[verb])?.get_arguments().filter_map(|a| a.get_long()).collect();
    let has = |flag: &&str| flags.contains(flag);
    let (flag, end) = match word {
        "-w" => ("wait", None),
        "all" | "*" => ("all", None),
        _ if word.contains('=') => ("env", Some(at + 1)),
        _ => (["at", "since"].into_iter().find(has)?, Some(end_of_time(words, at)?)),
    };
    if !has(&flag) {
        return None;
    }
    let value = end.map(|end| OsString::from(text(&words[at..end])));
    let behind = end.unwrap_or(at + 1);
    let typed = words[1..at].iter().cloned().chain([format!("--{flag}").into()]).chain(value);
    let typed = line(typed.chain(words[behind..].iter().cloned()));
    Some(format!("`{word}` is said with --{flag} here; type: punctual {typed}"))
}

/// Where a time ends that begins with this word: as many words as make one.
fn end_of_time(words: &[OsString], at: usize) -> Option<usize> {
    let now = Clock::System.now().to_zoned(TimeZone::system());
    let is_time = |end: &usize| {
        let text = text(&words[at..*end]);
        text.contains(|c: char| !c.is_ascii_digit()) && meant(&text, &now, Toward::Past).is_ok()
    };
    (at + 1..=words.len()).rev().find(is_time)
}

fn text(words: &[OsString]) -> String {
    words.iter().map(|word| word.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(typed: &str, word: &str, expect: Option<&str>) {
        let words: Vec<OsString> = typed.split_whitespace().map(Into::into).collect();
        let said = near_miss(word, &words);
        assert_eq!(
            said.as_deref().and_then(|said| said.split_once("type: ")).map(|(_, line)| line),
            expect,
            "{said:?}"
        );
    }

    #[test]
    fn the_flag_that_is_missing_is_told() {
        check("punctual why hello yesterday", "yesterday", Some("punctual why hello --at yesterday"));
        check("punctual why hello yesterday 3am", "yesterday", Some("punctual why hello --at 'yesterday 3am'"));
        check("punctual history yesterday", "yesterday", Some("punctual history --since yesterday"));
        check("punctual run hello LEVEL=1", "LEVEL=1", Some("punctual run hello --env LEVEL=1"));
        check("punctual pause all", "all", Some("punctual pause --all"));
        check("punctual run -w hello", "-w", Some("punctual run --wait hello"));
        check("punctual history xyzzy", "xyzzy", None);
        check("punctual skip all", "all", None);
        check("punctual history 3", "3", None);
    }

    #[test]
    fn it_is_found_in_what_is_said() {
        let words = ["punctual", "pause", "all"].map(OsString::from);
        let said = of_refusal("there is no job `all`; the jobs are listed by: punctual status", &words).unwrap();
        assert!(said.ends_with("type: punctual pause --all"), "{said}");
    }
}

//! Which of our verbs is meant by a word that is none? Those of other tools are answered with the line to type.

use std::ffi::{OsStr, OsString};
use std::path::Path;

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::args::{Global, command};
use super::places::{config_file, job_names, running_daemon};
use super::typed::{line, quoted};
use crate::job::JobName;
use crate::jobfile::nearest;

/// What stands for a word of another tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Ours {
    /// These words, in place of the one that was typed.
    Words(&'static [&'static str]),
    /// Jobs are written in a file, and by no verb.
    Edit,
    /// What is tried is a job, and what is checked is a file.
    Test,
    /// The daemon is started by whoever keeps it running; a job that goes on is ended and run.
    Restart,
    /// Whoever types this has a crontab to bring along.
    Crontab,
}

/// Words of cron, systemctl, kubectl, pm2, supervisorctl and their like, and what they are here.
const OTHERS: [(&[&str], Ours); 26] = [
    (&["list", "ls", "l", "ps", "jobs", "job", "list-timers", "top", "overview"], Ours::Words(&["status"])),
    (
        &[
            "trigger", "start", "fire", "exec", "execute", "launch", "invoke", "force", "rerun", "replay", "retry",
            "now",
        ],
        Ours::Words(&["run"]),
    ),
    (&["kill", "cancel", "abort", "terminate", "interrupt", "end"], Ours::Words(&["stop"])),
    (&["tail", "follow", "watch", "attach"], Ours::Words(&["logs", "-f"])),
    (&["log", "output", "cat"], Ours::Words(&["logs"])),
    (&["validate", "lint", "verify", "configtest", "syntax"], Ours::Words(&["check"])),
    (&["disable", "suspend", "hold", "snooze", "mute", "mask"], Ours::Words(&["pause"])),
    (&["enable", "unpause", "continue", "release", "unhold", "unmask"], Ours::Words(&["resume"])),
    (&["refresh", "reread", "daemon-reload", "apply", "update"], Ours::Words(&["reload"])),
    (&["runs", "past", "journal", "events", "query", "search", "grep"], Ours::Words(&["history"])),
    (&["describe", "inspect", "get", "view", "info", "details"], Ours::Words(&["show"])),
    (&["upcoming", "schedule", "schedules", "when", "calendar", "timers"], Ours::Words(&["next"])),
    (&["forecast", "preview", "simulate"], Ours::Words(&["plan"])),
    (&["explain", "reason"], Ours::Words(&["why"])),
    (&["dry-run", "dryrun", "foreground"], Ours::Words(&["try"])),
    (&["serve", "server", "service", "agent", "up", "scheduler"], Ours::Words(&["daemon"])),
    (&["setup", "generate", "bootstrap"], Ours::Words(&["init"])),
    (&["dump", "snapshot"], Ours::Words(&["backup"])),
    (&["statistics", "metrics", "report"], Ours::Words(&["stats"])),
    (&["completion", "autocomplete"], Ours::Words(&["completions"])),
    (&["manual", "docs", "doc"], Ours::Words(&["man"])),
    (&["version"], Ours::Words(&["--version"])),
    (&["test"], Ours::Test),
    (&["restart", "reboot"], Ours::Restart),
    (&["crontab", "cron"], Ours::Crontab),
    (&["edit", "add", "new", "create", "remove", "rm", "delete", "del", "rename", "mv", "set"], Ours::Edit),
];

/// What is to be said about a command line whose verb is none: it ends with the line to type.
pub fn unknown_verb(error: &clap::Error, words: &[OsString]) -> Option<String> {
    if error.kind() != ErrorKind::InvalidSubcommand {
        return None;
    }
    let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand) else {
        return None;
    };
    let place = verb_place(words)?;
    if words[place] == "import" && !word.starts_with('-') {
        let at = words.iter().rposition(|other| **other == **word)?;
        return Some(format!("`{word}` is no kind of file; type: {}", import_of(word, &words[1..at], &words[at..])));
    }
    // Only the first verb can be a word of another tool; behind `export` stands what is known there.
    if words[place] != **word {
        return None;
    }
    let (before, after) = (&words[1..place], &words[place + 1..]);
    let typed = |ours: &[&str]| {
        let before = before.iter().map(OsString::as_os_str);
        let all = before.chain(ours.iter().map(OsStr::new)).chain(after.iter().map(OsString::as_os_str));
        format!("punctual {}", line(all))
    };
    let lower = word.to_lowercase();
    let stands_for = OTHERS.iter().find(|(others, _)| others.contains(&lower.as_str())).map(|(_, ours)| *ours);
    Some(match stands_for {
        _ if is_job(word, before) && after.first().is_some_and(|next| is_verb(next)) => {
            let (verb, rest) = (&after[0], &after[1..]);
            let all = before.iter().chain([verb, &words[place]]).chain(rest);
            format!("the verb comes before the job; type: punctual {}", line(all))
        }
        _ if is_job(word, before) => {
            format!("`{word}` is a job and no verb; to run it, type: {}", typed(&["run", word]))
        }
        Some(Ours::Edit) => edit(&lower, before, after),
        Some(Ours::Test) => test(&typed, after),
        Some(Ours::Restart) => restart(&typed, after),
        Some(Ours::Crontab) => match after.first().and_then(|flag| flag.to_str()) {
            Some("-e" | "-r") => edit(&lower, before, &[]),
            Some("-l") => {
                let typed = line(before.iter().map(OsString::as_os_str).chain(["import", "crontab"].map(OsStr::new)));
                format!("to make a job file of your crontab, type: punctual {typed}")
            }
            _ => format!("`{word}` is `import crontab` here; type: {}", typed(&["import", "crontab"])),
        },
        Some(Ours::Words(ours)) => format!("`{word}` is `{}` here; type: {}", ours.join(" "), typed(ours)),
        None => guess(word, &typed),
    })
}

/// Where the verb stands: the first word that is neither a flag nor the value of one.
pub fn verb_place(words: &[OsString]) -> Option<usize> {
    let mut is_value = false;
    words.iter().enumerate().skip(1).find_map(|(place, word)| {
        let was_value = std::mem::replace(&mut is_value, false);
        let text = word.to_string_lossy();
        if was_value {
            return None;
        }
        is_value = matches!(text.as_ref(), "--config" | "--state" | "--color");
        (!text.starts_with('-')).then_some(place)
    })
}

/// The flags before the verb that say which file and which ledger are meant.
fn places(before: &[OsString]) -> Global {
    let value = |flag: &str| {
        before.iter().enumerate().find_map(|(at, word)| {
            let word = word.to_str()?;
            let joined = word.strip_prefix(flag).and_then(|rest| rest.strip_prefix('='));
            joined.map(Into::into).or_else(|| before.get(at + 1).filter(|_| word == flag).map(Into::into))
        })
    };
    Global { config: value("--config"), state: value("--state"), ..Global::default() }
}

/// Jobs come and go by the file; `after` are the jobs that are meant.
fn edit(word: &str, before: &[OsString], after: &[OsString]) -> String {
    let global = places(before);
    let named: Vec<_> = after.iter().map(|job| job.to_string_lossy()).filter(|job| !job.starts_with('-')).collect();
    let how = match (word, &named[..]) {
        ("remove" | "rm" | "delete" | "del", [job, ..]) => {
            format!(", and one goes with its lines below [jobs.{job}], or rests with enabled = false there")
        }
        ("rename" | "mv", [old, new, ..]) => {
            format!(", and it keeps its history as [jobs.{new}] with formerly = \"{old}\"")
        }
        _ => String::new(),
    };
    match config_file(&global, running_daemon(&global).as_ref()) {
        Ok(file) => {
            let file = quoted(&std::path::absolute(&file).unwrap_or(file).to_string_lossy());
            format!("there is no verb `{word}`: jobs are what the file says{how}; type: ${{EDITOR:-vi}} {file}")
        }
        Err(_) => format!("there is no verb `{word}`: jobs are what a file says; to begin one, type: punctual init"),
    }
}

/// What looks like a file is checked; a job is carried out.
fn test(typed: &impl Fn(&[&str]) -> String, after: &[OsString]) -> String {
    let is_file = |word: &OsString| word.to_string_lossy().contains(['/', '.']);
    match after.iter().find(|word| !word.to_string_lossy().starts_with('-')) {
        Some(job) if !is_file(job) => {
            format!("`test` is `check` for files and `try` for jobs here; type: {}", typed(&["try"]))
        }
        Some(_) | None => format!("`test` is `check` here, and `try JOB` for a job; type: {}", typed(&["check"])),
    }
}

/// A restart is nothing that this program does to itself.
fn restart(typed: &impl Fn(&[&str]) -> String, after: &[OsString]) -> String {
    if after.is_empty() {
        let message = "the daemon is started again by what keeps it running, or by stopping it and `punctual daemon`";
        return format!("{message}; under systemd, type: systemctl restart punctual");
    }
    format!("a job is ended and run again; type: {} && punctual run {}", typed(&["stop"]), line(after))
}

/// The line that imports what was named without saying what it is.
fn import_of(word: &str, before: &[OsString], from: &[OsString]) -> String {
    let kind = if Path::new(word).extension().is_some_and(|end| end == "timer") { "systemd" } else { "crontab" };
    let words = before.iter().map(OsString::as_os_str).chain([OsStr::new(kind)]);
    format!("punctual {}", line(words.chain(from.iter().map(OsString::as_os_str))))
}

fn is_verb(word: &OsStr) -> bool {
    command().get_subcommands().any(|verb| !verb.is_hide_set() && word == verb.get_name())
}

fn is_job(word: &str, before: &[OsString]) -> bool {
    let global = places(before);
    JobName::new(word).is_ok()
        && config_file(&global, running_daemon(&global).as_ref())
            .is_ok_and(|file| job_names(&file).iter().any(|name| name == word))
}

/// A run, or a verb that was not quite hit.
fn guess(word: &str, typed: &impl Fn(&[&str]) -> String) -> String {
    if word.bytes().all(|byte| byte.is_ascii_digit()) {
        return format!("`{word}` is no verb; for the run of this number, type: {}", typed(&["show", word]));
    }
    let command = command();
    let verbs = command.get_subcommands().filter(|verb| !verb.is_hide_set()).map(clap::Command::get_name);
    match nearest(word, verbs.chain(["help"])) {
        Some(verb) => format!("there is no verb `{word}`; did you mean: {}", typed(&[verb])),
        None => format!("there is no verb `{word}`; they are listed by: punctual help"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::parse;

    #[track_caller]
    fn check(typed: &str, expect: &str) {
        let words: Vec<OsString> = typed.split_whitespace().map(Into::into).collect();
        let error = parse(&words).unwrap_err();
        assert_eq!(unknown_verb(&error, &words).as_deref(), Some(expect), "{typed}");
    }

    #[test]
    fn words_of_other_tools_are_answered_with_ours() {
        check("punctual list", "`list` is `status` here; type: punctual status");
        check("punctual LS", "`LS` is `status` here; type: punctual status");
        check("punctual tail backup -n 5", "`tail` is `logs -f` here; type: punctual logs -f backup -n 5");
        check(
            "punctual --state /a --config=x.toml validate --strict",
            "`validate` is `check` here; type: punctual --state /a --config=x.toml check --strict",
        );
        check("punctual version", "`version` is `--version` here; type: punctual --version");
    }

    #[test]
    fn what_no_verb_does_is_answered_with_what_does_it() {
        let restart = "by stopping it and `punctual daemon`; under systemd, type: systemctl restart punctual";
        let restart = format!("the daemon is started again by what keeps it running, or {restart}");
        check("punctual restart", &restart);
        check("punctual restart x", "a job is ended and run again; type: punctual stop x && punctual run x");
        check("punctual test x", "`test` is `check` for files and `try` for jobs here; type: punctual try x");
        check("punctual test a.toml", "`test` is `check` here, and `try JOB` for a job; type: punctual check a.toml");
        check("punctual crontab", "`crontab` is `import crontab` here; type: punctual import crontab");
        check("punctual crontab -l", "to make a job file of your crontab, type: punctual import crontab");
        check("punctual import cron.txt", "`cron.txt` is no kind of file; type: punctual import crontab cron.txt");
        check("punctual import a.timer", "`a.timer` is no kind of file; type: punctual import systemd a.timer");
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("jobs.toml");
        std::fs::write(&file, "[jobs.flaky]\ncommand = \"true\"\n").unwrap();
        let file = file.display();
        let line = format!("type: ${{EDITOR:-vi}} {file}");
        check(
            &format!("punctual --config {file} flaky logs -f"),
            &format!("the verb comes before the job; type: punctual --config {file} logs flaky -f"),
        );
        check(
            &format!("punctual --config {file} rename a b"),
            &format!(
                "there is no verb `rename`: jobs are what the file says, and it keeps its history as [jobs.b] with \
                 formerly = \"a\"; {line}"
            ),
        );
        check(
            &format!("punctual --config {file} remove x"),
            &format!(
                "there is no verb `remove`: jobs are what the file says, and one goes with its lines below [jobs.x], \
                 or rests with enabled = false there; {line}"
            ),
        );
    }

    #[test]
    fn what_is_near_a_verb_is_told() {
        check("punctual statsu", "there is no verb `statsu`; did you mean: punctual status");
        check("punctual histroy backup", "there is no verb `histroy`; did you mean: punctual history backup");
        check("punctual xyzzy", "there is no verb `xyzzy`; they are listed by: punctual help");
        check("punctual 1042", "`1042` is no verb; for the run of this number, type: punctual show 1042");
    }

    #[test]
    fn a_word_stands_for_one_thing_and_for_a_verb_that_is_there() {
        let mut seen = std::collections::BTreeSet::new();
        let command = command();
        let verbs: Vec<&str> = command.get_subcommands().map(clap::Command::get_name).collect();
        for (words, ours) in OTHERS {
            for word in words {
                assert!(seen.insert(*word), "{word} twice");
                assert!(!verbs.contains(word), "{word} is ours");
            }
            if let Ours::Words(ours) = ours {
                let known = ours[0].starts_with('-') || verbs.contains(&ours[0]);
                assert!(known || COMING.contains(&ours[0]), "{}", ours[0]);
            }
        }
    }

    /// Verbs of other parts of this issue.
    const COMING: [&str; 1] = ["why"];
}

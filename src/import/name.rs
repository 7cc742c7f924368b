//! What is a job called that had no name?

use std::collections::HashSet;
use std::collections::hash_map::{Entry, HashMap};

use crate::job::JobName;

/// A comment of so many words is a title; of more, a sentence.
const WORDS_OF_A_TITLE: usize = 5;
const LONGEST: usize = 64;
/// A name that is typed again and again.
const LONGEST_TITLE: usize = 40;

/// Programs that only start another.
const STARTERS: [&str; 19] = [
    "sudo",
    "nice",
    "ionice",
    "chrt",
    "exec",
    "env",
    "nohup",
    "setsid",
    "time",
    "command",
    "eatmydata",
    "flock",
    "timeout",
    "chronic",
    "systemd-cat",
    "bash",
    "sh",
    "dash",
    "zsh",
];
/// Programs whose first argument is the program that is meant.
const INTERPRETERS: [&str; 9] = ["python", "python3", "python2", "perl", "php", "ruby", "node", "Rscript", "run-parts"];
const EXTENSIONS: [&str; 10] = [".sh", ".bash", ".py", ".pl", ".php", ".rb", ".js", ".cgi", ".R", ".timer"];
/// What stands before the command that matters: folders are entered, things are looked for.
const PRELUDES: [&str; 6] = ["cd", "test", "[", "[[", ".", "source"];

/// Names that are all different.
#[derive(Debug, Clone, Default)]
pub struct Names {
    taken: HashSet<String>,
    next: HashMap<String, usize>,
}

impl Names {
    /// The wanted name, or one like it that nobody has.
    pub fn give(&mut self, wanted: &str) -> String {
        let wanted = name_of_words(wanted).unwrap_or_else(|| "job".to_owned());
        if self.taken.insert(wanted.clone()) {
            return wanted;
        }
        let mut number = match self.next.entry(wanted.clone()) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(_) => 2,
        };
        loop {
            let behind = format!("-{number}");
            let candidate = format!("{}{behind}", cut(&wanted, LONGEST - behind.len()));
            number += 1;
            if self.taken.insert(candidate.clone()) {
                self.next.insert(wanted, number);
                return candidate;
            }
        }
    }
}

fn cut(name: &str, length: usize) -> &str {
    name[..name.floor_char_boundary(length)].trim_end_matches(['-', '_'])
}

/// A comment that is short enough to be a title, as a name.
pub fn name_of_title(comment: &str) -> Option<String> {
    let words = comment.split_whitespace().count();
    if words > WORDS_OF_A_TITLE || comment.contains(['=', '$', '/', '|', '<', '>']) {
        return None;
    }
    name_of_words(comment).filter(|name| name.len() <= LONGEST_TITLE)
}

/// The program that a command is about, as a name.
pub fn name_of_command(command: &str) -> Option<String> {
    let plain = without_substitutions(command);
    let parts = split_at_operators(&plain);
    let telling = parts.iter().find_map(|part| {
        let (prelude, program) = program_of(part)?;
        (!prelude).then_some(program)
    });
    let program = telling.or_else(|| parts.iter().find_map(|part| program_of(part).map(|(_, program)| program)))?;
    let base = program.trim_end_matches('/').rsplit('/').next().unwrap_or(&program);
    let plain = EXTENSIONS.iter().find_map(|extension| base.strip_suffix(extension)).unwrap_or(base);
    name_of_words(plain)
}

/// A command without what stands in `$(…)`, whose output is only part of it.
fn without_substitutions(command: &str) -> String {
    let mut plain = String::with_capacity(command.len());
    let mut depth = 0_usize;
    let mut before = ' ';
    for character in command.chars() {
        match character {
            '(' if before == '$' || depth > 0 => depth += 1,
            ')' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            other => plain.push(other),
        }
        before = character;
    }
    plain
}

/// The commands of a line, by the operators between them; not exact, which no name needs.
fn split_at_operators(command: &str) -> Vec<&str> {
    command.split(['&', '|', ';', '(', ')', '{', '}', '`']).map(str::trim).filter(|part| !part.is_empty()).collect()
}

/// The program of one command, and whether it only prepares for another.
fn program_of(command: &str) -> Option<(bool, String)> {
    let unquoted = |word: &str| word.trim_matches(['"', '\'']).to_owned();
    let is_assignment = |word: &str| {
        word.split_once('=')
            .is_some_and(|(name, _)| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
    };
    let mut starter: Option<String> = None;
    let mut takes_one = false;
    for word in command.split_whitespace() {
        let word = unquoted(word);
        let base = word.rsplit('/').next().unwrap_or_default().to_owned();
        // `flock FILE` and `timeout 10m` have an argument before the program.
        if takes_one && !word.starts_with('-') {
            takes_one = false;
            continue;
        }
        if is_assignment(&word) || word.starts_with(['-', '>', '<', '!']) || word == "2>" {
            takes_one |= starter.is_some() && is_option_with_value(&word, starter.as_deref());
            continue;
        }
        if STARTERS.contains(&base.as_str()) {
            takes_one = matches!(base.as_str(), "flock" | "timeout");
            starter = Some(base);
            continue;
        }
        if INTERPRETERS.contains(&base.as_str()) {
            starter = Some(base);
            continue;
        }
        return Some((PRELUDES.contains(&word.as_str()), word));
    }
    starter.map(|starter| (false, starter))
}

fn is_option_with_value(option: &str, starter: Option<&str>) -> bool {
    matches!((starter, option), (Some("nice"), "-n") | (Some("ionice"), "-n" | "-c") | (Some("sudo"), "-u" | "-g"))
}

/// Letters, digits and what may stand between them; no points, which in a key of TOML need quotes.
fn name_of_words(text: &str) -> Option<String> {
    let mut name = String::new();
    for character in text.chars() {
        if name.len() >= LONGEST {
            break;
        }
        let is_letter = character.is_ascii_alphabetic();
        match character {
            _ if name.is_empty() && !is_letter => {}
            c if c.is_ascii_alphanumeric() || c == '_' => name.push(c),
            _ if name.ends_with('-') => {}
            _ => name.push('-'),
        }
    }
    let name = name.trim_end_matches(['-', '_']);
    let name = if text.split_whitespace().count() > 1 { name.to_lowercase() } else { name.to_owned() };
    JobName::new(&name).is_ok().then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_called_after_the_program_that_matters() {
        for (command, expect) in [
            ("/usr/local/bin/backup.sh --full", Some("backup")),
            ("cd /srv/app && ./bin/nightly", Some("nightly")),
            ("test -x /usr/sbin/anacron || ( cd / && run-parts --report /etc/cron.daily )", Some("cron-daily")),
            ("[ -x /etc/init.d/ntp ] && /usr/lib/ntp/stats", Some("stats")),
            ("nice -n 19 ionice -c 3 /opt/x/reindex", Some("reindex")),
            ("FOO=bar php -q /var/www/cron.php", Some("cron")),
            ("flock -n /tmp/lock /usr/bin/sync-mail", Some("sync-mail")),
            ("timeout 10m curl -fsS https://example.org/ping", Some("curl")),
            ("sudo -u www-data /usr/bin/wp cron", Some("wp")),
            ("/usr/bin/env python3 /opt/report.py", Some("report")),
            ("[ \"$(date -d tomorrow +%d)\" = 01 ] && /opt/report/month-end.sh", Some("month-end")),
            ("bash -c 'echo hi'", Some("echo")),
            ("cd /tmp", Some("cd")),
            ("", None),
            ("äöü", None),
            ("42", None),
        ] {
            assert_eq!(name_of_command(command).as_deref(), expect, "{command}");
        }
    }

    #[test]
    fn a_short_comment_is_a_title() {
        for (comment, expect) in [
            ("Nightly backup", Some("nightly-backup")),
            ("renew certificates (Let's Encrypt)", Some("renew-certificates-let-s-encrypt")),
            ("this job does a great deal of things every night", None),
            ("FOO=1", None),
            ("---", None),
            ("Rotate", Some("Rotate")),
        ] {
            assert_eq!(name_of_title(comment).as_deref(), expect, "{comment}");
        }
    }

    #[test]
    fn no_two_names_are_the_same() {
        let mut names = Names::default();
        let long = "x".repeat(80);
        let given: Vec<String> = ["a", "a", "a-2", "a", "", "", &long, &long].map(|name| names.give(name)).into();
        assert_eq!(given[..6], ["a", "a-2", "a-2-2", "a-3", "job", "job-2"]);
        assert_eq!((given[6].len(), given[7].len()), (64, 64));
        assert!(given.iter().all(|name| JobName::new(name).is_ok()));
    }
}

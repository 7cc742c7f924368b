//! What is to be typed? Command lines as a shell takes them, to end a message with.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use super::args::Global;
use super::usual::{is_usual_config, is_usual_state};

/// A text as a shell takes it for one word.
pub fn quoted(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@=,%".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', "'\\''"))
    }
}

/// Words as one types them.
pub fn line<W: AsRef<OsStr>>(words: impl IntoIterator<Item = W>) -> String {
    words.into_iter().map(|word| quoted(&word.as_ref().to_string_lossy())).collect::<Vec<_>>().join(" ")
}

/// A message without the line to type at its end, and that line.
pub fn parted(message: &str) -> Option<(&str, &str)> {
    let begins = [": punctual ", ": sudo ", ": systemctl ", ": ${EDITOR"];
    let at = begins.iter().filter_map(|begin| message.rfind(begin)).max()?;
    Some((&message[..=at], &message[at + 2..]))
}

/// The command line of this process, with `right` in place of the word `wrong`.
pub fn corrected(wrong: &str, right: &str) -> String {
    let mut is_done = false;
    let words = std::env::args_os().skip(1).map(|word| {
        let is_it = !is_done && word == wrong;
        is_done |= is_it;
        if is_it { right.into() } else { word }
    });
    format!("punctual {}", line(words))
}

/// A line of punctual's, about the same file and the same ledger as this process.
pub fn ours(global: &Global, verb: &str) -> String {
    let flag = |name: &str, path: &Option<PathBuf>| {
        path.as_ref().map(|path| format!(" {name} {}", quoted(&path.to_string_lossy()))).unwrap_or_default()
    };
    format!("punctual{}{} {verb}", flag("--config", &global.config), flag("--state", &global.state))
}

/// How people call punctual so that it finds this file and this ledger.
pub fn called(config: &Path, state: &Path) -> String {
    let flag = |name: &str, path: &Path, is_usual: bool| {
        let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
        if is_usual { String::new() } else { format!(" {name} {}", quoted(&path.to_string_lossy())) }
    };
    let (config, state) =
        (flag("--config", config, is_usual_config(config)), flag("--state", state, is_usual_state(state)));
    format!("punctual{config}{state}")
}

/// The command line of this process for root, whom it is allowed; `None` where root was not allowed it.
pub fn as_root() -> Option<String> {
    (!rustix::process::geteuid().is_root()).then(|| format!("sudo {}", again_with(&[])))
}

/// The command line of this process, with these words behind it.
pub fn again_with(more: &[&str]) -> String {
    let words = by_hand(std::env::args_os().skip(1)).chain(more.iter().map(Into::into));
    format!("punctual {}", line(words)).trim_end().to_owned()
}

/// Without what the keeper says to the scheduler that it starts: no person types that.
fn by_hand(words: impl Iterator<Item = OsString>) -> impl Iterator<Item = OsString> {
    words.filter(|word| !word.to_string_lossy().starts_with("--kept="))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_keeper_says_is_not_typed() {
        let words = ["daemon", "--kept=2605", "--state", "/a"].map(Into::into);
        assert_eq!(line(by_hand(words.into_iter())), "daemon --state /a");
    }

    #[test]
    fn words_stay_words() {
        for (text, expect) in [
            ("/tmp/a-b.toml", "/tmp/a-b.toml"),
            ("A=1", "A=1"),
            ("two words", "'two words'"),
            ("it's", "'it'\\''s'"),
            ("$HOME", "'$HOME'"),
            ("~", "'~'"),
            ("", "''"),
        ] {
            assert_eq!(quoted(text), expect);
        }
        assert_eq!(line(["next", "--expr", "0 9 * * *"]), "next --expr '0 9 * * *'");
    }
}

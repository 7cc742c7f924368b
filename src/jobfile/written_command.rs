//! What would the writer of this command be surprised by? Right, and probably not meant.

use super::wanted::quoted;
use super::work::RawCommand;

/// What a shell reads and no program does, as a word by itself.
const OF_SHELLS: [&str; 12] = ["|", "||", "&&", "&", ";", ">", ">>", "<", "2>", "2>&1", "&>", ">/dev/null"];

/// What is probably not meant, and what to write.
pub fn trap(command: &RawCommand) -> Option<(String, String)> {
    match command {
        RawCommand::Text(text) => text.contains("\\%").then(|| {
            let help = "write % alone; only in a crontab it ends the command".to_owned();
            ("% needs no escape here, and the shell may hand over the backslash".to_owned(), help)
        }),
        RawCommand::List(words) => match &words[..] {
            [one] => one_word(one),
            words => for_a_shell(words),
        },
    }
}

/// A whole line in brackets.
fn one_word(word: &str) -> Option<(String, String)> {
    let (program, rest) = word.trim().split_once(' ')?;
    // The path of a program may have spaces.
    if program.contains('/') && rest.contains('/') {
        return None;
    }
    let message = format!("a list has a word of its own for each argument: this names a program `{word}`");
    Some((message, format!("write command = {}, without the brackets", quoted(word))))
}

/// A line for a shell, taken apart, where no shell is among its words.
fn for_a_shell(words: &[String]) -> Option<(String, String)> {
    if words.iter().any(|word| word.rsplit('/').next().is_some_and(|name| name.ends_with("sh"))) {
        return None;
    }
    let is_variable = |word: &str| {
        let name = word.strip_prefix('$').unwrap_or_default();
        name.starts_with(|c: char| c.is_ascii_alphabetic() || matches!(c, '_' | '{' | '('))
    };
    let found = words.iter().find(|word| OF_SHELLS.contains(&word.as_str()) || is_variable(word))?;
    let message = format!("a list is started without a shell: `{found}` is handed over as it is");
    let line = words.iter().map(|word| if word.contains(' ') { format!("'{word}'") } else { word.clone() });
    let line = quoted(&line.collect::<Vec<_>>().join(" "));
    Some((message, format!("write command = {line} for a shell to read")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(words: &[&str], expect: Option<&str>) {
        let command = RawCommand::List(words.iter().map(|word| (*word).to_owned()).collect());
        assert_eq!(trap(&command).map(|(_, help)| help).as_deref(), expect, "{words:?}");
    }

    #[test]
    fn lists_are_for_programs_and_texts_for_shells() {
        let pipe = "write command = \"echo $HOME | cat\" for a shell to read";
        check(&["echo", "$HOME", "|", "cat"], Some(pipe));
        check(&["sh -c 'x'"], Some("write command = \"sh -c 'x'\", without the brackets"));
        check(&["sh", "-c", "echo $HOME | cat"], None);
        check(&["/opt/my program/bin/run"], None);
        check(&["grep", "x$", "a|b"], None);
        check(&["true"], None);
    }

    #[test]
    fn a_percent_sign_is_one() {
        let is_trap = |text: &str| trap(&RawCommand::Text(text.to_owned())).is_some();
        assert!(is_trap("date +\\%F") && !is_trap("date +%F"));
    }
}

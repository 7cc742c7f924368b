//! What of an entry is the command, and what is its standard input?

/// A command and what it reads, as Debian's cron makes them of the rest of a line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Command {
    pub text: String,
    pub stdin: Option<String>,
    /// Whether two backslashes became one, which other crons leave alone.
    pub had_two_backslashes: bool,
}

/// Parts the rest of a line at its first `%` that has no backslash before it. Further ones are line ends of the input;
/// `\%` is a per cent sign. The input ends with a line end in any case.
pub fn command(rest: &str) -> Command {
    let mut text = String::with_capacity(rest.len());
    let mut had_two_backslashes = false;
    let mut characters = rest.char_indices();
    let mut input = None;
    while let Some((at, character)) = characters.next() {
        match character {
            '%' => {
                input = Some(&rest[at + 1..]);
                break;
            }
            '\\' => match characters.next() {
                Some((_, '%')) => text.push('%'),
                Some((_, '\\')) => {
                    had_two_backslashes = true;
                    text.push('\\');
                }
                Some((_, other)) => text.extend(['\\', other]),
                None => text.push('\\'),
            },
            other => text.push(other),
        }
    }
    Command { text, stdin: input.map(lines).filter(|lines| !lines.is_empty()), had_two_backslashes }
}

fn lines(input: &str) -> String {
    let mut lines = String::with_capacity(input.len() + 1);
    let mut escaped = false;
    for character in input.chars() {
        match (escaped, character) {
            (true, '%') => lines.push('%'),
            (true, other) => {
                lines.push('\\');
                if other != '\\' {
                    lines.push(other);
                }
            }
            (false, '%') => lines.push('\n'),
            (false, '\\') => {}
            (false, other) => lines.push(other),
        }
        escaped = character == '\\';
    }
    if escaped {
        lines.push('\\');
    }
    if !lines.is_empty() && !lines.ends_with('\n') {
        lines.push('\n');
    }
    lines
}

/// The other way round: the rest of a line from which cron makes this command and this input. `None` where there is no such
/// line.
pub fn line_of(text: &str, stdin: &str) -> Option<String> {
    if text.contains('\n') || text.contains('\0') || stdin.contains('\0') {
        return None;
    }
    let mut line = String::with_capacity(text.len());
    for (at, character) in text.char_indices() {
        let next = text[at + character.len_utf8()..].chars().next();
        match character {
            '%' => line.push_str("\\%"),
            // Cron takes a backslash away where a per cent sign, which gets one of its own, or another one follows.
            '\\' if next.is_none_or(|next| matches!(next, '%' | '\\')) => line.push_str("\\\\"),
            other => line.push(other),
        }
    }
    if stdin.is_empty() {
        return (command(&line)
            == Command { text: text.to_owned(), stdin: None, had_two_backslashes: line.contains("\\\\") })
        .then_some(line);
    }
    line.push('%');
    let body = stdin.strip_suffix('\n')?;
    line.push_str(&body.replace('%', "\\%").replace('\n', "%"));
    if stdin.ends_with("\n\n") || body.is_empty() {
        line.push('%');
    }
    let read = command(&line);
    (read.text == text && read.stdin.as_deref() == Some(stdin)).then_some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn per_cent_signs_part_the_command_from_its_input() {
        for (rest, text, stdin) in [
            ("echo hi", "echo hi", None),
            ("date +\\%F", "date +%F", None),
            (
                "mail -s \"It's 10pm\" joe%Joe,%%Where are your kids?%",
                "mail -s \"It's 10pm\" joe",
                Some("Joe,\n\nWhere are your kids?\n"),
            ),
            ("cat%one\\%two%three", "cat", Some("one%two\nthree\n")),
            ("cat%a\\b\\\\c\\", "cat", Some("a\\b\\\\c\\\n")),
            ("cat%", "cat", None),
            ("cat%%", "cat", Some("\n")),
            ("a\\\\b", "a\\b", None),
            ("a\\b\\", "a\\b\\", None),
            ("\\\\%in", "\\", Some("in\n")),
        ] {
            let read = command(rest);
            assert_eq!((read.text.as_str(), read.stdin.as_deref()), (text, stdin), "{rest}");
        }
    }

    #[test]
    fn what_is_written_is_read_again() {
        for (text, stdin) in [
            ("date +%F", ""),
            ("a\\%b \\\\ c\\", ""),
            ("printf 'a\\nb'", ""),
            ("cat", "one\n"),
            ("cat", "50%\nof\n\nit\n"),
            ("cat", "\n"),
            ("cat", "a\n\n"),
        ] {
            let line = line_of(text, stdin).unwrap_or_else(|| panic!("{text:?} {stdin:?}"));
            let read = command(&line);
            assert_eq!((read.text.as_str(), read.stdin.as_deref().unwrap_or("")), (text, stdin), "{line}");
        }
        for (text, stdin) in [("two\nlines", ""), ("cat", "no line end"), ("nul\0", "")] {
            assert_eq!(line_of(text, stdin), None, "{text:?} {stdin:?}");
        }
    }
}

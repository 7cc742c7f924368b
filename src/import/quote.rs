//! How does a text stand in TOML, in a comment, or in a shell's command?

use std::fmt::Write as _;

/// A text as a value of TOML, in the form in which it is read best: plain quotes, single ones where it has backslashes or
/// quotes of its own, and lines of its own where it has several.
pub fn toml_text(text: &str) -> String {
    let is_plain = |c: char| c != '"' && c != '\\' && !is_hidden(c);
    if text.chars().all(is_plain) {
        return format!("\"{text}\"");
    }
    if text.contains('\n') && !text.chars().any(|c| is_hidden(c) && c != '\n') {
        return lines_of_text(text);
    }
    if text.chars().any(is_hidden) {
        return format!("\"{}\"", escaped(text));
    }
    if !text.contains('\'') {
        return format!("'{text}'");
    }
    if !text.contains("''") && !text.starts_with('\'') && !text.ends_with('\'') {
        return format!("'''{text}'''");
    }
    format!("\"{}\"", escaped(text))
}

/// Several lines. The first line end behind the opening quotes is none of the text.
fn lines_of_text(text: &str) -> String {
    if !text.contains("''") && !text.ends_with('\'') {
        return format!("'''\n{text}'''");
    }
    let lines: Vec<String> = text.split('\n').map(escaped).collect();
    format!("\"\"\"\n{}\"\"\"", lines.join("\n"))
}

fn escaped(text: &str) -> String {
    let mut shown = String::with_capacity(text.len() + 2);
    for character in text.chars() {
        match character {
            '"' => shown.push_str("\\\""),
            '\\' => shown.push_str("\\\\"),
            '\n' => shown.push_str("\\n"),
            '\t' => shown.push_str("\\t"),
            '\r' => shown.push_str("\\r"),
            other if is_hidden(other) => {
                let _ = write!(shown, "\\u{:04X}", u32::from(other));
            }
            other => shown.push(other),
        }
    }
    shown
}

/// Whether a character could steer a terminal or hide in a text; TOML forbids most of them as they are.
fn is_hidden(character: char) -> bool {
    matches!(
        character,
        '\u{0}'..='\u{1f}'
            | '\u{7f}'..='\u{9f}'
            | '\u{200b}'..='\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{2069}'
            | '\u{feff}'
    )
}

/// A name as a key of TOML.
pub fn toml_key(name: &str) -> String {
    let is_bare = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'));
    if is_bare { name.to_owned() } else { format!("\"{}\"", escaped(name)) }
}

/// A text of others within a comment: on one line, with nothing in it that is hidden.
pub fn in_comment(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\t' => shown.push('\t'),
            '\u{0}'..='\u{1f}' => {
                // The caret notation of terminals: control characters are letters less 64.
                shown.push('^');
                shown.push(char::from(u8::try_from(u32::from(character)).unwrap_or(0) + 64));
            }
            other if is_hidden(other) => {
                let _ = write!(shown, "\\u{{{:x}}}", u32::from(other));
            }
            other => shown.push(other),
        }
    }
    shown
}

/// A value that is spoken of in a remark needs no more than its beginning.
const LONGEST_SPOKEN_OF: usize = 200;

/// The same for a value that is only spoken of.
pub fn in_remark(text: &str) -> String {
    match text.char_indices().nth(LONGEST_SPOKEN_OF) {
        None => in_comment(text),
        Some((end, _)) => format!("{}…", in_comment(&text[..end])),
    }
}

/// A word as a shell takes it for one.
pub fn shell_word(word: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+:@%=,".contains(c);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_comes_back_from_toml_whatever_is_in_it() {
        for text in [
            "plain",
            "",
            "it's",
            "say \"hi\"",
            "both ' and \" and \\",
            "'begins and ends'",
            "two '' in a row \\",
            "lines\nof \"text\"\n",
            "\nbegins with a line",
            "lines that end in a quote'\n'",
            "three ''' and \"\"\" with\nlines",
            "bell \u{7} and nul \u{0}",
            "tab\there",
            "carriage\r\nreturn",
            "right to left \u{202e}",
            "ends in a backslash \\",
            "lines \\\nof backslashes \\",
        ] {
            let written = format!("x = {}", toml_text(text));
            let read: toml::Table = written.parse().unwrap_or_else(|error| panic!("{written}: {error}"));
            assert_eq!(read["x"].as_str(), Some(text), "{written}");
        }
    }

    #[test]
    fn quotes_are_those_that_read_best() {
        for (text, expect) in [
            ("echo hi", "\"echo hi\""),
            ("it's", "\"it's\""),
            ("date +\"%F\"", "'date +\"%F\"'"),
            ("echo 'a' \"b\" c", "'''echo 'a' \"b\" c'''"),
            ("a\nb\n", "'''\na\nb\n'''"),
        ] {
            assert_eq!(toml_text(text), expect);
        }
        assert_eq!(toml_key("PATH"), "PATH");
        assert_eq!(toml_key("a b"), "\"a b\"");
        assert_eq!(in_comment("a\u{1b}[2J\nb\u{202e}"), "a^[[2J^Jb\\u{202e}");
        assert_eq!(in_remark(&"ä".repeat(1000)).chars().count(), 201);
        assert_eq!(["a-b", "", "it's", "a b"].map(shell_word), ["a-b", "''", "'it'\\''s'", "'a b'"]);
    }
}

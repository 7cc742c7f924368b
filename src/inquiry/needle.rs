//! What is looked for in output? A text as it stands, case aside, or a regular expression between slashes.

use regex::bytes::{Regex, RegexBuilder};

use super::no_answer::NoAnswer;
use crate::report::visible_bytes;
use crate::store::FoundLine;

/// Bytes of a compiled expression: some thousand characters of Unicode classes.
const LARGEST: usize = 1 << 20;
/// Bytes of a line that are shown, and how many of them stand before what was found.
const SHOWN: usize = 300;
const BEFORE: usize = 24;

/// What a line has to have.
#[derive(Debug, Clone)]
pub struct Needle {
    pub pattern: Regex,
    /// As it stands; `None`: it is an expression, for which there is no index.
    pub text: Option<String>,
}

impl Needle {
    pub fn new(typed: &str) -> Result<Self, NoAnswer> {
        let wrong = |why: &str| NoAnswer::Misasked { what: "grep", message: why.to_owned() };
        if typed.contains(['\n', '\r']) {
            return Err(wrong("it looks at one line at a time, and this text has several"));
        }
        if let Some(flags) = flags_of(typed).filter(|flags| !["", "i"].contains(flags)) {
            return Err(wrong(&format!(
                "there is no flag `{flags}` behind an expression, only i; a text is looked for without its first slash"
            )));
        }
        let (expression, ignores_case) = match typed.strip_prefix('/') {
            Some(rest) if rest.ends_with("/i") => (rest.get(..rest.len() - 2), true),
            Some(rest) if rest.ends_with('/') => (rest.get(..rest.len() - 1), false),
            _ => (None, true),
        };
        if expression.unwrap_or(typed).is_empty() {
            return Err(wrong("there is nothing to look for"));
        }
        let (source, text) = match expression {
            Some(expression) => (expression.to_owned(), None),
            None => (regex::escape(typed), Some(typed.to_owned())),
        };
        let pattern = RegexBuilder::new(&source).case_insensitive(ignores_case).size_limit(LARGEST).build();
        Ok(Self { pattern: pattern.map_err(|error| wrong(&error.to_string()))?, text })
    }
}

/// What stands behind the second slash of `/RE/flags`, if it can be flags: of `/etc/passwd` it cannot.
fn flags_of(typed: &str) -> Option<&str> {
    let (expression, flags) = typed.strip_prefix('/')?.rsplit_once('/')?;
    let is_path = expression.is_empty() || flags.len() > 1 || !flags.chars().all(|c| c.is_ascii_alphabetic());
    (!is_path).then_some(flags)
}

/// The part of a line in which something was found, as it can be shown.
pub fn excerpt(line: &FoundLine) -> String {
    let is_inside = |at: usize| line.text.get(at).is_some_and(|byte| byte & 0b1100_0000 == 0b1000_0000);
    let mut start = if line.at > BEFORE && line.text.len() > SHOWN / 4 { line.at - BEFORE } else { 0 };
    while is_inside(start) {
        start += 1;
    }
    let mut end = line.text.len().min(start + SHOWN);
    while is_inside(end) {
        end += 1;
    }
    let (before, behind) = (if start > 0 { "…" } else { "" }, if end < line.text.len() { "…" } else { "" });
    format!("{before}{}{behind}", visible_bytes(&line.text[start..end]).trim())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_stands_for_itself_and_slashes_make_an_expression() {
        for (typed, line, expect) in [
            ("a.c", "xA.Cx", true),
            ("a.c", "abc", false),
            ("größe", "GRÖSSE GRÖßE", true),
            ("/a.c/", "abc", true),
            ("/a.c/", "ABC", false),
            ("/a.c/i", "ABC", true),
            ("/etc/passwd", "cat /etc/passwd", true),
            ("/", "a/b", true),
        ] {
            let needle = Needle::new(typed).unwrap();
            assert_eq!(needle.pattern.is_match(line.as_bytes()), expect, "{typed} in {line}");
        }
        for typed in ["", "//", "//i", "/(/", "/err/x", "a\nb", "/\\w{9999}{9999}/"] {
            assert!(Needle::new(typed).is_err(), "{typed}");
        }
    }

    #[test]
    fn an_excerpt_shows_what_was_found() {
        let check = |text: &str, at: usize, expect: &str| {
            assert_eq!(excerpt(&FoundLine { text: text.as_bytes().to_vec(), at }), expect);
        };
        check("  short\x1b line", 2, "short^[ line");
        let long = "ä".repeat(100) + "needle" + &"z".repeat(400);
        let shown = "…".to_owned() + &"ä".repeat(12) + "needle" + &"z".repeat(270) + "…";
        check(&long, 200, &shown);
    }
}

//! Which line of an output says what went wrong? A guess, made of what programs are used to say.

/// What is said in no other sense.
const PHRASES: [&str; 24] = [
    "no such file",
    "permission denied",
    "access denied",
    "operation not permitted",
    "command not found",
    "connection refused",
    "connection reset",
    "connection timed out",
    "no route to host",
    "name or service not known",
    "could not resolve",
    "no space left",
    "disk quota exceeded",
    "read-only file system",
    "out of memory",
    "cannot allocate memory",
    "segmentation fault",
    "core dumped",
    "panicked at",
    "stack overflow",
    "too many open files",
    "syntax error",
    "is not recognized as",
    "authentication fail",
];
/// What begins a complaint.
const BEGINNINGS: [&str; 6] = ["cannot ", "can't ", "could not ", "couldn't ", "unable to ", "failed to "];
const WORDS: [&str; 13] = [
    "error",
    "errors",
    "err",
    "fatal",
    "critical",
    "panic",
    "exception",
    "failed",
    "failure",
    "failures",
    "abort",
    "aborted",
    "aborting",
];
/// Before a word, these say that there is nothing of it.
const NONE: [&str; 9] = ["0", "no", "without", "zero", "any", "on", "if", "ignore", "ignoring"];

/// The first line that looks like an error; of a Python traceback its last, which says what it is about.
pub fn error_line<L: AsRef<str>>(lines: &[L]) -> Option<usize> {
    lines.iter().enumerate().find_map(|(at, line)| {
        let line = line.as_ref();
        if line.trim_start().starts_with("Traceback (most recent call last)") {
            let raised = lines[at + 1..].iter().position(|line| {
                let line = line.as_ref();
                !line.trim().is_empty() && !line.starts_with([' ', '\t'])
            });
            return Some(raised.map_or(at, |after| at + 1 + after));
        }
        looks_wrong(line).then_some(at)
    })
}

fn looks_wrong(line: &str) -> bool {
    let line = line.to_lowercase();
    // Behind the name of a program, as in `cp: cannot stat`.
    let said = line.split(": ").map(str::trim_start);
    PHRASES.iter().any(|phrase| line.contains(phrase))
        || said.into_iter().any(|part| BEGINNINGS.iter().any(|beginning| part.starts_with(beginning)))
        || has_word(&line)
}

/// Whether one of the words stands there, and it is neither counted as none nor a part of a name.
fn has_word(line: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    let mut before = "";
    let mut at = 0;
    while let Some(found) = line[at..].find(is_part) {
        let start = at + found;
        let end = line[start..].find(|c: char| !is_part(c)).map_or(line.len(), |length| start + length);
        let word = &line[start..end];
        if is_complaint(word, &line[end..]) && !NONE.contains(&before) && !is_named(&line[..start], &line[end..]) {
            return true;
        }
        (before, at) = (word, end);
    }
    false
}

/// `behind` is the rest of the line.
fn is_complaint(word: &str, behind: &str) -> bool {
    let behind = behind.strip_prefix("(s)").unwrap_or(behind);
    // `ValueError: …`, `java.lang.IllegalStateException: …`
    let is_raised = (word.ends_with("error") || word.ends_with("exception")) && behind.starts_with(':');
    let counted = behind.trim_start_matches([' ', ':', '=', '(', '[']);
    let number: String = counted.chars().take_while(|c| c.is_alphanumeric()).collect();
    let is_none = behind.starts_with([' ', ':', '=']) && ["0", "none", "null", "false"].contains(&number.as_str());
    (WORDS.contains(&word) || is_raised) && !is_none
}

/// Whether the word is a part of a path or an option: `/var/log/error.log`, `--on-error`.
fn is_named(ahead: &str, behind: &str) -> bool {
    let mut next = behind.chars();
    let (first, second) = (next.next(), next.next());
    ahead.ends_with(['/', '-', '_'])
        || first.is_some_and(|c| matches!(c, '/' | '-' | '='))
        || first == Some('.') && second.is_some_and(char::is_alphanumeric)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn complaints_are_told_from_the_rest() {
        for line in [
            "pg_dump: error: connection to server failed",
            "ERROR 1045 (28000): Access denied for user",
            "[2026-11-22] ERROR backup: it went wrong",
            "level=error msg=\"x\"",
            "fatal: not a git repository",
            "FATAL:  role \"x\" does not exist",
            "cp: cannot stat 'x'",
            "thread 'main' panicked at src/main.rs:1:1:",
            "ls: cannot access 'x': No such file or directory",
            "sh: 1: pg_dumpp: not found, Permission denied",
            "java.lang.IllegalStateException: no",
            "Exception in thread \"main\" x",
            "3 errors",
            "2 failed, 10 passed",
            "failed",
            "Error",
            "make: *** [all] Error 2",
            "tar: Exiting with failure status due to previous errors",
        ] {
            assert_eq!(error_line(&["fine", line]), Some(1), "{line}");
        }
        for line in [
            "",
            "0 errors, 0 warnings",
            "no errors found",
            "finished without error",
            "errors: 0",
            "errors=0 failed=0",
            "10 passed, 0 failed",
            "writing /var/log/error.log",
            "/srv/errors/x",
            "run with --on-error=stop",
            "error-free",
            "terror and mirrors",
            "failed: none",
            "if any errors",
            "errors(s): 0",
        ] {
            assert_eq!(error_line(&[line]), None, "{line}");
        }
    }

    #[test]
    fn a_traceback_speaks_by_its_last_line() {
        let lines =
            ["x", "Traceback (most recent call last):", "  File \"a\", line 1", "    f()", "ValueError: no", "z"];
        assert_eq!(error_line(&lines), Some(4));
        assert_eq!(error_line(&lines[..4]), Some(1));
        assert_eq!(error_line::<&str>(&[]), None);
    }
}

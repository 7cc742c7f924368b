//! What of others' words is kept? One line, not too long, without anything that a terminal would obey.

/// Servers and commands say a sentence or two; what is longer is no answer to anybody.
const LONGEST: usize = 300;

/// The words in one line.
pub fn in_a_line(words: &str) -> String {
    let plain = words.replace(|c: char| c.is_control() || matches!(c, '\u{2028}' | '\u{2029}'), " ");
    let line = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

/// An error with all its causes.
pub fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.map(ToString::to_string).fold(error.to_string(), |words, cause| {
        if words.contains(&cause) { words } else { format!("{words}: {cause}") }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_a_line() {
        assert_eq!(in_a_line(" a\r\nb\u{1b}[31m\tc\0 "), "a b [31m c");
        assert_eq!(in_a_line(&"ä".repeat(400)).chars().count(), LONGEST + 1);
    }
}

//! How is what others wrote made fit for a message? Nothing in it steers a terminal or turns the direction of text, and all of
//! it has an end.

use crate::report::visible;

/// Longer lines are cut: of output that has none, such as JSON, the beginning says what it is.
const LONGEST_LINE: usize = 500;

/// Within so many characters, with a mark where something was cut.
pub fn cut(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some(_) => text.chars().take(most.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// In one line of bounded length.
pub fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split(['\n', '\r', '\t', ' ']).filter(|word| !word.is_empty()).collect();
    cut(&visible(&words.join(" ")), LONGEST_LINE)
}

/// A line of output as it is, but for its end.
pub fn output_line(line: &str) -> String {
    cut(&visible(line.trim_end_matches(['\n', '\r'])).replace('\n', "^J"), LONGEST_LINE)
}

/// The lines of a text, at most so many.
pub fn lines(text: &str, most: usize) -> Vec<String> {
    text.lines().take(most).map(output_line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_breaks_out() {
        assert_eq!(one_line("a\r\nBcc: b@example.org\u{2028}\u{1b}[2J"), "a Bcc: b@example.org\\u{2028}^[[2J");
        assert_eq!(output_line("\tx\u{202e}y\r\n"), "\tx\\u{202e}y");
        assert_eq!(one_line(&"ä".repeat(600)).chars().count(), LONGEST_LINE);
        assert_eq!(cut("日本語", 2), "日…");
        assert_eq!(lines("a\nb\r\nc", 2), ["a", "b"]);
    }
}

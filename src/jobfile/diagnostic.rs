//! What is wrong with a file, and where?

use std::ops::Range;

use super::source::Source;

/// One thing to say about a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Bytes of the text.
    pub span: Range<usize>,
    /// The dotted key, such as `jobs.backup.timeout`; empty where no key is meant.
    pub key: String,
    pub message: String,
    pub help: Option<String>,
}

/// Errors make a file wrong; warnings are of traps in a right one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    pub errors: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
    /// Where secrets stand in the text, which are not shown with it.
    pub hidden: Vec<Range<usize>>,
}

impl Diagnostics {
    pub(super) fn error(&mut self, key: &str, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.errors.push(Diagnostic { span, key: key.to_owned(), message: message.into(), help });
    }

    /// Says that a secret stands in the text.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.hidden.push(span);
    }

    /// Says that something is a trap, though it is allowed.
    pub fn warn(&mut self, key: &str, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        self.warnings.push(Diagnostic { span, key: key.to_owned(), message: message.into(), help });
    }

    /// In the order of the text.
    pub(super) fn sort(&mut self) {
        self.errors.sort_by_key(|diagnostic| diagnostic.span.start);
        self.warnings.sort_by_key(|diagnostic| diagnostic.span.start);
    }
}

/// A place in a text, counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl Source {
    /// The same with stars in place of what is hidden; everything else stays where it is.
    #[must_use]
    pub fn without(&self, hidden: &[Range<usize>]) -> Self {
        let is_hidden = |at: usize| hidden.iter().any(|span| span.contains(&at));
        let stars = |(at, c): (usize, char)| match c {
            '\n' => "\n".to_owned(),
            c if is_hidden(at) => "*".repeat(c.len_utf8()),
            c => c.to_string(),
        };
        let text = if hidden.is_empty() { self.text.clone() } else { self.text.char_indices().map(stars).collect() };
        let (path, included, unread) = (self.path.clone(), self.included.clone(), self.unread.clone());
        Self { path, text, included, unread }
    }

    /// Line and column of a byte of the text, in its file.
    pub fn position(&self, byte: usize) -> Position {
        let part = self.part(byte);
        let byte = part.text.floor_char_boundary((byte - part.start).min(part.text.len()));
        let before = &part.text[..byte];
        let line_start = before.rfind('\n').map_or(0, |at| at + 1);
        Position { line: before.matches('\n').count() + 1, column: before[line_start..].chars().count() + 1 }
    }

    /// The column behind the span's last character on the span's first line.
    pub fn end_column(&self, span: &Range<usize>) -> usize {
        let start = self.text.floor_char_boundary(span.start.min(self.text.len()));
        let end = self.text.floor_char_boundary(span.end.min(self.text.len())).max(start);
        let first_line = self.text[start..end].split('\n').next().unwrap_or_default();
        self.position(start).column + first_line.chars().count().max(1)
    }
}

/// The candidate that was most likely meant by a misspelt word.
pub fn nearest<'c>(word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
    let lower = word.to_lowercase();
    // A third of the word may be wrong, so that short words do not suggest anything at all.
    let tolerance = (word.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::osa_distance(&lower, &candidate.to_lowercase()), candidate))
        .filter(|(distance, _)| *distance <= tolerance)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let source = Source::new("x".into(), "ab\nä€ = 1\n".to_owned());
        assert_eq!(source.position(0), Position { line: 1, column: 1 });
        let equals = source.text.find('=').unwrap();
        assert_eq!(source.position(equals), Position { line: 2, column: 4 });
        assert_eq!(source.position(9999), Position { line: 3, column: 1 });
        assert_eq!(source.end_column(&(3..8)), 3);
    }

    #[test]
    fn what_is_hidden_leaves_the_rest_in_its_place() {
        let source = Source::new("x".into(), "a = 'pä\nß' # b".to_owned());
        assert_eq!(source.without(std::slice::from_ref(&(4..12))).text, "a = ****\n*** # b");
        assert_eq!(source.without(&[]).text, source.text);
    }

    #[test]
    fn suggestions_are_near() {
        assert_eq!(nearest("tiemout", ["timeout", "command"]), Some("timeout"));
        assert_eq!(nearest("Command", ["timeout", "command"]), Some("command"));
        assert_eq!(nearest("xyz", ["timeout", "command"]), None);
    }
}

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
    /// What to write instead.
    pub help: Option<String>,
    /// Why it is so.
    pub note: Option<String>,
    /// Another place that has to do with it, and what is there.
    pub related: Option<(Range<usize>, String)>,
}

impl Diagnostic {
    /// Says why it is so.
    pub fn note(&mut self, note: impl Into<String>) -> &mut Self {
        self.note = Some(note.into());
        self
    }

    /// Points to another place that has to do with it.
    pub fn related(&mut self, span: Range<usize>, text: impl Into<String>) -> &mut Self {
        self.related = Some((span, text.into()));
        self
    }
}

/// Errors make a file wrong; warnings are of traps in a right one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Diagnostics {
    pub errors: Vec<Diagnostic>,
    pub warnings: Vec<Diagnostic>,
    /// Where secrets stand in the text, which are not shown with it.
    pub hidden: Vec<Range<usize>>,
    /// Those of them that a right file may have: texts whose content is a secret.
    pub secrets: Vec<Range<usize>>,
    /// How many of the errors, the first ones, are about the form of the text.
    of_form: usize,
    /// The lines that these are about. What a value there seems to say is not what was meant.
    broken: Vec<Range<usize>>,
}

/// Who has as many errors as this mends the first ones first. What takes long for each, such as to look for what was meant
/// among a hundred thousand names, is not done for more.
const MANY: usize = 50;

impl Diagnostics {
    /// Says that something makes the file wrong, or that it is not taken.
    pub fn error(
        &mut self,
        key: &str,
        span: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) -> &mut Diagnostic {
        push(&mut self.errors, key, span, message.into(), help)
    }

    /// The candidate that was most likely meant by a misspelt word, as long as there are not many errors.
    pub(super) fn nearest<'c>(&self, word: &str, candidates: impl IntoIterator<Item = &'c str>) -> Option<&'c str> {
        if self.errors.len() < MANY { nearest(word, candidates) } else { None }
    }

    /// Says that a secret stands in the text.
    pub(super) fn hide(&mut self, span: Range<usize>) {
        self.hidden.push(span);
    }

    /// Says that a text is a secret, which is allowed there.
    pub(super) fn keep_secret(&mut self, span: Range<usize>) {
        self.secrets.push(span.clone());
        self.hide(span);
    }

    /// Says that something is a trap, though it is allowed.
    pub fn warn(
        &mut self,
        key: &str,
        span: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) -> &mut Diagnostic {
        push(&mut self.warnings, key, span, message.into(), help)
    }

    /// Says that all errors up to here are about the form of the text, which is read on all the same.
    pub(super) fn form_ends(&mut self, lines: &Lines) {
        self.of_form = self.errors.len();
        let line = |error: &Diagnostic| lines.around(error.span.start);
        self.broken = self.errors.iter().map(line).collect();
    }

    /// Takes over what was said about the form of a file that begins at this byte of the whole.
    pub(super) fn add_form(&mut self, mut of_file: Self, start: usize) {
        let shift = |span: &mut Range<usize>| *span = span.start + start..span.end + start;
        for error in &mut of_file.errors {
            shift(&mut error.span);
            error.related.iter_mut().for_each(|(span, _)| shift(span));
        }
        of_file.hidden.iter_mut().chain(&mut of_file.broken).for_each(shift);
        self.errors.append(&mut of_file.errors);
        self.hidden.append(&mut of_file.hidden);
        self.broken.append(&mut of_file.broken);
        self.of_form = self.errors.len();
    }

    /// In the order of the text, without what follows from errors of form.
    pub(super) fn sort(&mut self) {
        let stands =
            |said: &Diagnostic| !self.broken.iter().any(|line| (line.start..=line.end).contains(&said.span.start));
        let further = self.errors.split_off(self.of_form);
        self.errors.extend(further.into_iter().filter(stands));
        self.warnings.retain(stands);
        self.of_form = self.errors.len();
        self.errors.sort_by_key(|diagnostic| diagnostic.span.start);
        self.warnings.sort_by_key(|diagnostic| diagnostic.span.start);
    }
}

fn push<'l>(
    list: &'l mut Vec<Diagnostic>,
    key: &str,
    span: Range<usize>,
    message: String,
    help: Option<String>,
) -> &'l mut Diagnostic {
    let said = Diagnostic { span, key: key.to_owned(), message, help, note: None, related: None };
    list.push_mut(said)
}

/// A place in a text, counted from 1; columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

/// Where the lines of a text begin, or of the texts of several files: who asks for many places asks this.
pub struct Lines<'t> {
    text: &'t str,
    starts: Vec<usize>,
    /// Where the texts of files begin.
    files: Vec<usize>,
}

impl<'t> Lines<'t> {
    pub fn of(text: &'t str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts, files: vec![0] }
    }

    /// Of all files of a source. Between two of them is the end of a line.
    pub fn of_source(source: &'t Source) -> Self {
        Self { files: source.parts().map(|part| part.start).collect(), ..Self::of(&source.text) }
    }

    /// How many lines there are; what follows the last line's end is one, too.
    pub fn count(&self) -> usize {
        self.starts.len()
    }

    /// Line and column of a byte of the text, in its file. A mark of the byte order is no character of its first line.
    pub fn position(&self, byte: usize) -> Position {
        let byte = self.text.floor_char_boundary(byte.min(self.text.len()));
        let (file, line) = (self.number_of(self.file_at(byte)), self.number_of(byte));
        let before = &self.text[self.starts[line - 1]..byte];
        let line = line - file + 1;
        let mark = usize::from(line == 1 && before.starts_with('\u{feff}'));
        Position { line, column: before.chars().count() + 1 - mark }
    }

    /// The column behind the span's last character on the span's first line; a span of nothing is one character wide.
    pub fn end_column(&self, span: &Range<usize>) -> usize {
        let start = self.text.floor_char_boundary(span.start.min(self.text.len()));
        let end = self.text.floor_char_boundary(span.end.min(self.text.len())).max(start);
        let first_line = self.text[start..end].split(['\n', '\r']).next().unwrap_or_default();
        self.position(start).column + first_line.chars().count().max(1)
    }

    /// Where the file begins in which a byte of the text stands.
    fn file_at(&self, byte: usize) -> usize {
        self.files[self.files.partition_point(|start| *start <= byte) - 1]
    }

    /// Which line of all it is, counted from 1, in which a byte stands.
    fn number_of(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte)
    }

    /// The bytes of the line in which a byte stands.
    pub fn around(&self, byte: usize) -> Range<usize> {
        self.line(self.number_of(byte.min(self.text.len())))
    }

    /// The bytes of a line of all, counted from 1, without its end; empty beyond the last one.
    pub fn line(&self, line: usize) -> Range<usize> {
        let Some(start) = line.checked_sub(1).and_then(|at| self.starts.get(at).copied()) else {
            return self.text.len()..self.text.len();
        };
        let end = self.starts.get(line).map_or(self.text.len(), |next| next - 1);
        let end = if self.text[start..end].ends_with('\r') { end - 1 } else { end };
        start..end
    }
}

impl Source {
    /// Line and column of a byte of the text, in its file.
    pub fn position(&self, byte: usize) -> Position {
        Lines::of_source(self).position(byte)
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
        let text = "ab\nä€ = 1\r\n\t日本 = 2\n";
        let lines = Lines::of(text);
        assert_eq!(lines.position(0), Position { line: 1, column: 1 });
        let equals = text.find('=').unwrap();
        assert_eq!(lines.position(equals), Position { line: 2, column: 4 });
        assert_eq!(lines.position(9999), Position { line: 4, column: 1 });
        assert_eq!(lines.end_column(&(3..8)), 3);
        let wide = text.find('日').unwrap();
        assert_eq!((lines.position(wide), lines.end_column(&(wide..wide + 6))), (Position { line: 3, column: 2 }, 4));
        assert_eq!(&text[lines.line(2)], "ä€ = 1");
        assert_eq!(lines.end_column(&(equals..text.len())), 7, "up to the end of its line");
        assert_eq!((lines.line(4), lines.line(5)), (text.len()..text.len(), text.len()..text.len()));
    }

    #[test]
    fn a_mark_of_the_byte_order_is_no_character() {
        let lines = Lines::of("\u{feff}[jobs]\n");
        assert_eq!(lines.position(3), Position { line: 1, column: 1 });
        assert_eq!(lines.position(4), Position { line: 1, column: 2 });
    }

    #[test]
    fn suggestions_are_near() {
        assert_eq!(nearest("tiemout", ["timeout", "command"]), Some("timeout"));
        assert_eq!(nearest("Command", ["timeout", "command"]), Some("command"));
        assert_eq!(nearest("xyz", ["timeout", "command"]), None);
    }
}

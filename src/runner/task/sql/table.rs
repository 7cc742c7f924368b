//! How does the result of a query read? Columns as wide as their values, of the first rows only.

use std::fmt::Write as _;

use sqlx::{Column, Row};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Whoever wants to see more rows writes them to a file.
const MOST_ROWS: u64 = 1000;
/// Rows are held until their columns' widths are known: of many wide columns fewer are shown.
const MOST_BYTES: usize = 1 << 20;
/// A longer value makes no column that can be read.
const WIDEST: usize = 100;
/// Spaces between columns.
const GAP: usize = 2;

/// Rows as they come: the first are kept, all are counted.
#[derive(Debug, Default)]
pub struct Table {
    pub count: u64,
    lines: Vec<Vec<String>>,
    bytes: usize,
}

impl Table {
    /// Takes a row, of which `value` shows a column.
    pub fn push<R: Row>(&mut self, row: &R, value: impl Fn(&R, usize) -> String) {
        if self.count == 0 {
            self.keep(row.columns().iter().map(|column| shown(column.name())).collect());
        }
        self.count += 1;
        if self.count <= MOST_ROWS && self.bytes < MOST_BYTES {
            self.keep((0..row.columns().len()).map(|column| value(row, column)).collect());
        }
    }

    fn keep(&mut self, line: Vec<String>) {
        self.bytes += line.iter().map(String::len).sum::<usize>();
        self.lines.push(line);
    }

    /// A header, the rows, and how many more there are; nothing where no row came.
    pub fn lines(&self) -> Vec<String> {
        let columns = self.lines.first().map_or(0, Vec::len);
        let widest = |column: usize| self.lines.iter().map(|line| line[column].width()).max().unwrap_or(0);
        let widths: Vec<usize> = (0..columns).map(widest).collect();
        let mut lines: Vec<String> = self.lines.iter().map(|line| padded(line, &widths)).collect();
        let kept = self.lines.len().saturating_sub(1) as u64;
        if self.count > kept {
            lines.push(format!("… and {} more", rows(self.count - kept)));
        }
        lines
    }
}

fn padded(line: &[String], widths: &[usize]) -> String {
    let mut text = String::new();
    for (value, width) in line.iter().zip(widths) {
        text.push_str(value);
        text.extend(std::iter::repeat_n(' ', width + GAP - value.width()));
    }
    text.truncate(text.trim_end().len());
    text
}

/// `1 row`, `2 rows`.
pub fn rows(count: u64) -> String {
    if count == 1 { "1 row".to_owned() } else { format!("{count} rows") }
}

/// What stands for a value that is not there.
pub fn null() -> String {
    "NULL".to_owned()
}

/// A value within its column: on one line, cut, and nothing in it that could steer a terminal.
pub fn shown(value: &str) -> String {
    let mut text = String::new();
    let mut width = 0;
    for character in value.chars() {
        let before = text.len();
        push(&mut text, character);
        width += text[before..].width();
        if width > WIDEST {
            text.truncate(before);
            text.push('…');
            break;
        }
    }
    text
}

fn push(text: &mut String, character: char) {
    match character {
        '\n' => text.push_str("\\n"),
        '\r' => text.push_str("\\r"),
        '\t' => text.push_str("\\t"),
        // Controls have no width, and neither have marks that hide in a text.
        other if other.is_control() || is_hidden(other) => {
            let _ = write!(text, "\\u{{{:x}}}", u32::from(other));
        }
        other => text.push(other),
    }
}

fn is_hidden(character: char) -> bool {
    let turns = matches!(character, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}');
    turns || character == '\u{feff}' || character.width().is_none()
}

/// Bytes that are no text, as SQL writes them.
pub fn hexadecimal(bytes: &[u8]) -> String {
    let mut text = "x'".to_owned();
    for byte in bytes.iter().take(WIDEST) {
        let _ = write!(text, "{byte:02x}");
    }
    text.push('\'');
    shown(&text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_on_one_line_and_cut() {
        assert_eq!(shown("a\nb\t\u{1b}[2J\u{202e}ä日"), "a\\nb\\t\\u{1b}[2J\\u{202e}ä日");
        let long = shown(&"日".repeat(60));
        assert_eq!((long.chars().count(), long.width()), (51, 101));
        assert_eq!(hexadecimal(&[0, 255]), "x'00ff'");
        assert!(hexadecimal(&[1; 1000]).ends_with('…'));
    }

    #[test]
    fn columns_are_as_wide_as_their_values() {
        let mut table = Table::default();
        for line in [["id", "name"], ["1", "größe"], ["200", ""]] {
            table.keep(line.map(str::to_owned).to_vec());
        }
        table.count = 5;
        assert_eq!(table.lines(), ["id   name", "1    größe", "200", "… and 3 rows more"]);
        assert_eq!(Table::default().lines(), Vec::<String>::new());
    }
}

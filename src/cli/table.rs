//! Rows under a header: columns as wide as their cells, cut to the terminal where somebody looks.

use owo_colors::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Spaces between columns.
const GAP: usize = 2;
/// A column is not cut to less.
const NARROWEST: usize = 8;

/// A cell: its text, without anything that steers a terminal, and how it is painted.
#[derive(Debug, Clone)]
pub struct Cell {
    pub text: String,
    pub style: Style,
}

impl Cell {
    pub fn painted(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style }
    }
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self::painted(text, Style::new())
    }
}

/// The lines of a table, each a row of cells padded to their columns; `width` is that of the terminal.
pub fn lay_out(header: &[&str], rows: Vec<Vec<Cell>>, width: Option<usize>) -> Vec<Vec<Cell>> {
    Columns::new(vec![false; header.len()], width).lines(Some(header), rows)
}

/// The columns of a table whose rows come in blocks.
#[derive(Debug)]
pub struct Columns {
    /// Those that give way to the terminal last.
    rigid: Vec<bool>,
    /// Of the terminal.
    width: Option<usize>,
    /// As wide as any cell so far.
    widths: Vec<usize>,
    /// In which of them cells were cut.
    pub cut: Vec<bool>,
}

impl Columns {
    pub fn new(rigid: Vec<bool>, width: Option<usize>) -> Self {
        let count = rigid.len();
        Self { rigid, width, widths: vec![0; count], cut: vec![false; count] }
    }

    /// The lines of the next rows.
    pub fn lines(&mut self, header: Option<&[&str]>, rows: Vec<Vec<Cell>>) -> Vec<Vec<Cell>> {
        let dimmed = Style::new().dimmed();
        let header = header.map(|header| header.iter().map(|title| Cell::painted(*title, dimmed)).collect());
        let mut lines: Vec<Vec<Cell>> = header.into_iter().chain(rows).collect();
        for cell in lines.iter_mut().flatten() {
            cell.text = cell.text.replace(['\n', '\t'], " ");
        }
        for (column, widest) in self.widths.iter_mut().enumerate() {
            let cells = lines.iter().filter_map(|line| line.get(column));
            *widest = cells.map(|cell| cell.text.width()).fold(*widest, usize::max);
        }
        let mut widths = self.widths.clone();
        if let Some(width) = self.width {
            narrow(&mut widths, &self.rigid, width);
        }
        for line in &mut lines {
            let last = line.len().saturating_sub(1);
            for (column, cell) in line.iter_mut().enumerate() {
                self.cut[column] |= cell.text.width() > widths[column];
                cell.text = cut(&cell.text, widths[column]);
                if column < last {
                    let padding = widths[column] + GAP - cell.text.width();
                    cell.text.extend(std::iter::repeat_n(' ', padding));
                }
            }
        }
        lines
    }
}

/// Takes from the widest column that may give way, as often as it takes; from any, where that is not enough.
fn narrow(widths: &mut [usize], rigid: &[bool], width: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        let may_give = |(widest, _): &(&mut usize, &bool)| **widest > NARROWEST;
        let columns = widths.iter_mut().zip(rigid).filter(may_give);
        let Some((widest, _)) = columns.max_by_key(|(widest, rigid)| (!**rigid, **widest)) else {
            return;
        };
        *widest -= 1;
    }
}

/// The text within so many columns, with a mark where something was cut.
fn cut(text: &str, width: usize) -> String {
    if text.width() <= width {
        return text.to_owned();
    }
    let mut kept = String::new();
    let mut used = 0;
    for character in text.chars() {
        used += character.width().unwrap_or(0);
        if used >= width {
            break;
        }
        kept.push(character);
    }
    kept + "…"
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(header: &[&str], rows: &[&[&str]], width: Option<usize>) -> Vec<String> {
        let rows = rows.iter().map(|row| row.iter().map(|cell| Cell::from(*cell)).collect()).collect();
        let lines = lay_out(header, rows, width);
        lines.iter().map(|line| line.iter().map(|cell| cell.text.as_str()).collect()).collect()
    }

    #[test]
    fn columns_are_as_wide_as_their_cells() {
        let lines = text(&["A", "LONG"], &[&["größe", "x"], &["日本", "a\nb"]], None);
        assert_eq!(lines, ["A      LONG", "größe  x", "日本   a b"]);
    }

    #[test]
    fn the_widest_column_gives_way_to_the_terminal() {
        let lines = text(&["A", "B"], &[&["12345", "1234567890123456789012"]], Some(20));
        assert_eq!(lines, ["A      B", "12345  123456789012…"]);
    }

    #[test]
    fn rigid_columns_give_way_last_and_what_is_cut_is_known() {
        let row = || vec![vec![Cell::from("1234567890"), Cell::from("123456789012")]];
        let text = |columns: &mut Columns| {
            let lines = columns.lines(None, row());
            lines.iter().map(|line| line.iter().map(|cell| cell.text.as_str()).collect()).collect::<Vec<String>>()
        };
        let mut columns = Columns::new(vec![true, false], Some(21));
        assert_eq!((text(&mut columns), columns.cut), (vec!["1234567890  12345678…".to_owned()], vec![false, true]));
        let mut columns = Columns::new(vec![true, false], Some(19));
        assert_eq!(text(&mut columns), ["12345678…  1234567…"]);
    }

    #[test]
    fn later_rows_keep_the_columns_of_those_before() {
        let mut columns = Columns::new(vec![false, false], None);
        columns.lines(Some(&["A", "B"]), vec![vec!["long one".into(), "x".into()]]);
        let lines = columns.lines(None, vec![vec!["short".into(), "y".into()]]);
        assert_eq!(lines[0][0].text, "short     ");
        assert_eq!(columns.cut, [false, false]);
    }
}

//! Rows under a header: columns as wide as their cells, cut to the terminal where somebody looks.

use std::cmp::Reverse;

use owo_colors::Style;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

pub use crate::report::{columns, wrap};

/// Spaces between columns.
const GAP: usize = 2;
/// A column is not cut to less.
const NARROWEST: usize = 8;
/// The last one, which mostly says why, gives way first; but only so far.
const NARROWEST_LAST: usize = 16;

/// A cell: its text, without anything that steers a terminal, and how it is painted.
#[derive(Debug, Clone)]
pub struct Cell {
    pub text: String,
    pub style: Style,
    /// A time, a bar: of which a part would be wrong or useless. Its column gives way last.
    pub is_firm: bool,
}

impl Cell {
    pub fn painted(text: impl Into<String>, style: Style) -> Self {
        Self { text: text.into(), style, is_firm: false }
    }

    pub fn firm(text: impl Into<String>) -> Self {
        Self { is_firm: true, ..Self::from(text) }
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

    /// Of these titles, those of columns in which cells were cut.
    pub fn titles_cut(&self, titles: &[&str]) -> Vec<String> {
        titles.iter().zip(&self.cut).filter(|(_, is_cut)| **is_cut).map(|(title, _)| (*title).to_owned()).collect()
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
            self.rigid[column] |= cells.clone().any(|cell| cell.is_firm);
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

/// Which columns stay so that each has its least width: those that are `dispensable` go, the first of them first.
pub fn make_room(least: &[usize], dispensable: &[usize], width: Option<usize>) -> Vec<usize> {
    let mut kept: Vec<usize> = (0..least.len()).collect();
    let takes = |kept: &[usize]| kept.iter().map(|column| least[*column] + GAP).sum::<usize>().saturating_sub(GAP);
    for column in dispensable {
        if width.is_some_and(|width| takes(&kept) > width) {
            kept.retain(|kept| kept != column);
        }
    }
    kept
}

/// How wide a table would be by itself.
pub fn table_width(header: &[&str], rows: &[Vec<Cell>]) -> usize {
    widths_of(header, rows).iter().map(|width| width + GAP).sum::<usize>().saturating_sub(GAP)
}

/// How wide each column would be by itself.
pub fn widths_of(header: &[&str], rows: &[Vec<Cell>]) -> Vec<usize> {
    let titles: Vec<Cell> = header.iter().map(|title| Cell::from(*title)).collect();
    let mut widths: Vec<usize> = titles.iter().map(|title| title.text.width()).collect();
    for row in rows {
        for (widest, cell) in widths.iter_mut().zip(row) {
            *widest = cell.text.width().max(*widest);
        }
    }
    widths
}

/// The cells of some columns.
pub fn pick(row: Vec<Cell>, kept: &[usize]) -> Vec<Cell> {
    row.into_iter().enumerate().filter(|(column, _)| kept.contains(column)).map(|(_, cell)| cell).collect()
}

/// What a table has not shown for want of room: columns that were left out, and such in which cells were cut.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Lacking {
    pub left_out: Vec<String>,
    pub cut: Vec<String>,
}

impl Lacking {
    /// `LATE left out and WHY cut to the terminal, --json has all of it`; none if nothing lacks.
    pub fn in_words(&self) -> Option<String> {
        let part =
            |titles: &[String], what: &str| (!titles.is_empty()).then(|| format!("{} {what}", titles.join(" and ")));
        let parts = [part(&self.left_out, "left out"), part(&self.cut, "cut to the terminal")];
        let parts: Vec<String> = parts.into_iter().flatten().collect();
        (!parts.is_empty()).then(|| format!("{}, --json has all of it", parts.join(", ")))
    }
}

fn natural_widths(lines: &[Vec<Cell>]) -> Vec<usize> {
    let columns = lines.iter().map(Vec::len).max().unwrap_or(0);
    let widest = |column: usize| lines.iter().filter_map(|line| line.get(column)).map(|cell| cell.text.width()).max();
    (0..columns).map(|column| widest(column).unwrap_or(0)).collect()
}

/// Which columns there is room for, and which not: those of the lowest rank go first, of one rank the last.
pub fn fit(header: &[&str], ranks: &[u8], rows: &[Vec<Cell>], width: Option<usize>) -> (Vec<usize>, Vec<usize>) {
    let titles = header.iter().map(|title| Cell::from(*title)).collect();
    let lines: Vec<Vec<Cell>> = std::iter::once(titles).chain(rows.iter().cloned()).collect();
    let widths = natural_widths(&lines);
    let mut kept: Vec<usize> = (0..header.len()).collect();
    let mut left_out = Vec::new();
    let takes = |kept: &[usize]| kept.iter().map(|column| widths[*column] + GAP).sum::<usize>().saturating_sub(GAP);
    while width.is_some_and(|width| takes(&kept) > width) && kept.len() > 1 {
        let Some(least) = kept.iter().copied().min_by_key(|column| (ranks[*column], Reverse(*column))) else {
            break;
        };
        kept.retain(|column| *column != least);
        left_out.push(least);
    }
    left_out.sort_unstable();
    (kept, left_out)
}

/// Takes from the last column, then from the widest that is not firm, then from the widest, as often as it takes.
fn narrow(widths: &mut [usize], firm: &[bool], width: usize) {
    let gaps = GAP * widths.len().saturating_sub(1);
    while widths.iter().sum::<usize>() + gaps > width {
        let last = widths.len() - 1;
        let widest = |is_eligible: &dyn Fn(usize) -> bool| {
            let columns = (0..widths.len()).filter(|column| widths[*column] > NARROWEST && is_eligible(*column));
            columns.max_by_key(|column| widths[*column])
        };
        let gives_way = match widths[last] {
            text if text > NARROWEST_LAST && !firm[last] => Some(last),
            _ => widest(&|column| !firm[column]).or_else(|| widest(&|_| true)),
        };
        let Some(column) = gives_way else {
            return;
        };
        widths[column] -= 1;
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
    fn columns_of_the_lowest_rank_give_way_first() {
        let rows = vec![["12345", "12345", "12345", "12345"].map(Cell::from).to_vec()];
        let check = |width: Option<usize>, expect: &[usize]| {
            let (kept, left_out) = fit(&["A", "B", "C", "D"], &[9, 1, 2, 1], &rows, width);
            assert_eq!((kept.as_slice(), left_out.len()), (expect, 4 - expect.len()), "{width:?}");
        };
        check(None, &[0, 1, 2, 3]);
        check(Some(26), &[0, 1, 2, 3]);
        check(Some(25), &[0, 1, 2]);
        check(Some(18), &[0, 2]);
        check(Some(3), &[0]);
    }

    #[test]
    fn what_can_be_spared_makes_room_for_what_cannot() {
        for (width, expect) in [(None, 4), (Some(46), 4), (Some(45), 3), (Some(34), 3), (Some(33), 2), (Some(5), 2)] {
            assert_eq!(make_room(&[10, 10, 10, 10], &[2, 1], width).len(), expect, "{width:?}");
        }
        assert_eq!(make_room(&[10, 10, 10, 10], &[2, 1], Some(40)), [0, 1, 3]);
    }

    #[test]
    fn the_widest_column_gives_way_to_the_terminal() {
        let lines = text(&["A", "B"], &[&["12345", "1234567890123456789012"]], Some(20));
        assert_eq!(lines, ["A      B", "12345  123456789012…"]);
    }

    #[test]
    fn times_and_bars_give_way_last() {
        let widths = |natural: &[usize], firm: &[bool], width: usize| {
            let mut widths = natural.to_vec();
            narrow(&mut widths, firm, width);
            widths
        };
        assert_eq!(widths(&[10, 30, 20], &[false, true, false], 60), [10, 30, 16]);
        assert_eq!(widths(&[10, 30, 20], &[false, true, false], 54), [10, 30, 10]);
        assert_eq!(widths(&[10, 30, 20], &[false, true, false], 48), [8, 28, 8]);
        assert_eq!(widths(&[10, 30], &[false, true], 30), [8, 20]);
        assert_eq!(widths(&[10, 30], &[false, true], 3), [8, 8]);
        assert_eq!(widths(&[], &[], 3), [0; 0]);
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

//! In which format do rows leave? As a table for people; as JSON, CSV or lines of JSON for programs.
//!
//! Rows go out as they come, so that a million of them takes no more memory than a thousand.

use std::ops::ControlFlow;

use clap::ValueEnum;
use serde::Serialize;

use super::screen::Screen;
use super::table::{Cell, Columns, Lacking, make_room, pick, widths_of};

/// Rows of a table that are laid out together; later ones keep the columns of those before them.
const BLOCK: usize = 1000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// Columns for people
    Table,
    /// One JSON array
    Json,
    /// RFC 4180, with a header line
    Csv,
    /// JSON, an object on each line
    Ndjson,
}

/// What a sheet is made of.
pub trait Record: Serialize {
    /// For CSV, as many as there are names.
    fn fields(&self) -> Vec<String>;
    fn cells(&self, screen: &Screen) -> Vec<Cell>;
}

/// How a table gives way to a terminal.
#[derive(Debug, Clone, Copy)]
pub enum Way {
    /// Columns that are dispensable go, the first of them first, where the last one would have less than so much; rigid
    /// ones are cut last.
    Columns { rigid: &'static [&'static str], dispensable: &'static [&'static str], last: usize },
    /// Where a column would have less than so much, each row becomes a block of lines.
    Blocks { least: usize },
}

pub struct Sheet<'s> {
    screen: &'s mut Screen,
    format: Format,
    header: Vec<String>,
    way: Way,
    columns: Columns,
    /// The numbers of the columns that are shown.
    kept: Vec<usize>,
    /// Whether each row is a block of lines.
    has_blocks: bool,
    /// Rows that are not laid out yet.
    waiting: Vec<Vec<Cell>>,
    pub count: u64,
    shown: u64,
}

impl<'s> Sheet<'s> {
    /// `names` are those of the fields, `header` those of the columns.
    pub fn begin(format: Format, names: &[&str], header: &[&str], way: Way, screen: &'s mut Screen) -> Self {
        let columns = Columns::new(Vec::new(), screen.width());
        if format == Format::Csv {
            screen.raw(csv_line(names.iter().map(|name| (*name).to_owned())).as_bytes());
        }
        let header = header.iter().map(|title| (*title).to_owned()).collect();
        let (kept, waiting) = (Vec::new(), Vec::new());
        Self { screen, format, header, way, columns, kept, has_blocks: false, waiting, count: 0, shown: 0 }
    }

    /// Adds a row; a break says that nobody reads any more.
    pub fn push(&mut self, record: &impl Record) -> ControlFlow<()> {
        match self.format {
            Format::Table => {
                self.waiting.push(record.cells(self.screen));
                if self.waiting.len() == BLOCK {
                    self.lay_out(BLOCK + 1);
                }
            }
            Format::Json => {
                self.screen.raw(if self.count == 0 { b"[" } else { b"," });
                self.screen.raw(serde_json::to_string(record).unwrap_or_default().as_bytes());
            }
            Format::Csv => self.screen.raw(csv_line(record.fields().into_iter()).as_bytes()),
            Format::Ndjson => self.screen.value(record),
        }
        self.count += 1;
        if self.screen.is_read() { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
    }

    /// Ends it; the answer is what the terminal had no room for.
    pub fn end(mut self) -> Lacking {
        match self.format {
            Format::Table => self.lay_out(0),
            Format::Json if self.count == 0 => self.screen.line("[]"),
            Format::Json => self.screen.line("]"),
            Format::Csv | Format::Ndjson => {}
        }
        let is_left_out = |column: &usize| self.shown > 0 && !self.kept.contains(column);
        let left_out = (0..self.header.len()).filter(is_left_out).map(|column| self.header[column].clone()).collect();
        let cut = if self.has_blocks { Vec::new() } else { self.columns.titles_cut(&self.titles()) };
        Lacking { left_out, cut }
    }

    fn titles(&self) -> Vec<&str> {
        self.kept.iter().map(|column| self.header[*column].as_str()).collect()
    }

    /// Which columns there is room for, as the first rows show.
    fn make_room(&mut self, rows: &[Vec<Cell>]) {
        let header: Vec<&str> = self.header.iter().map(String::as_str).collect();
        let mut least = widths_of(&header, rows);
        let is_firm = |column: usize| rows.iter().any(|row| row.get(column).is_some_and(|cell| cell.is_firm));
        let number = |title: &&str| header.iter().position(|other| other == title);
        let mut rigid = vec![false; header.len()];
        match self.way {
            Way::Columns { rigid: titles, dispensable, last } => {
                if let Some(least) = least.last_mut() {
                    *least = last.min(*least);
                }
                rigid = header.iter().map(|title| titles.contains(title)).collect();
                let dispensable: Vec<usize> = dispensable.iter().filter_map(number).collect();
                self.kept = make_room(&least, &dispensable, self.screen.width());
            }
            Way::Blocks { least: few } => {
                for (column, least) in least.iter_mut().enumerate().filter(|(column, _)| !is_firm(*column)) {
                    *least = few.min(*least).max(header[column].len().min(few));
                }
                self.kept = (0..header.len()).collect();
                // Everything may go: that something has to is what is asked.
                self.has_blocks = make_room(&least, &self.kept, self.screen.width()).len() < self.kept.len();
            }
        }
        let rigid = self.kept.iter().map(|column| rigid[*column]).collect();
        self.columns = Columns::new(rigid, self.screen.width());
    }

    fn show_blocks(&mut self, rows: Vec<Vec<Cell>>) {
        let widest = self.header.iter().map(|title| title.chars().count()).max().unwrap_or(0);
        for (row, number) in rows.into_iter().zip(self.shown + 1..) {
            let title = self.screen.dim(&format!("── row {number} ──"));
            self.screen.line(title);
            for (name, cell) in self.header.iter().zip(row) {
                let name = self.screen.dim(&format!("{name:>widest$}"));
                self.screen.line(format!("{name}  {}", cell.text.replace(['\n', '\t'], " ")).trim_end());
            }
        }
    }

    /// Shows the rows that wait; at least so many `more` lines follow.
    fn lay_out(&mut self, more: usize) {
        let rows = std::mem::take(&mut self.waiting);
        if rows.is_empty() {
            return;
        }
        if self.shown == 0 {
            self.make_room(&rows);
        }
        let lines = if self.has_blocks { rows.len() * (self.header.len() + 1) } else { rows.len() };
        self.screen.page(lines + more + 2);
        let count = rows.len() as u64;
        if self.has_blocks {
            self.show_blocks(rows);
            self.shown += count;
            return;
        }
        let rows = rows.into_iter().map(|row| pick(row, &self.kept)).collect();
        // Who reads by a program wants rows and nothing else.
        let titles: Vec<&str> = self.kept.iter().map(|column| self.header[*column].as_str()).collect();
        let header = (self.shown == 0 && self.screen.width().is_some()).then_some(titles.as_slice());
        self.shown += count;
        for line in self.columns.lines(header, rows) {
            self.screen.row(&line);
        }
    }
}

/// A line of CSV: fields between commas, quoted where they have a comma, a quote or a line break.
fn csv_line(fields: impl Iterator<Item = String>) -> String {
    let mut line = String::new();
    for (number, field) in fields.enumerate() {
        if number > 0 {
            line.push(',');
        }
        if field.contains([',', '"', '\n', '\r']) {
            line.push('"');
            line.push_str(&field.replace('"', "\"\""));
            line.push('"');
        } else {
            line.push_str(&field);
        }
    }
    line + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_quoted_where_they_have_to_be() {
        let line = |fields: &[&str]| csv_line(fields.iter().map(|field| (*field).to_owned()));
        assert_eq!(line(&["a", "", "b c"]), "a,,b c\r\n");
        assert_eq!(line(&["a,b", "say \"so\"", "two\nlines"]), "\"a,b\",\"say \"\"so\"\"\",\"two\nlines\"\r\n");
    }
}

//! In which format do rows leave? As a table for people; as JSON, CSV or lines of JSON for programs.
//!
//! Rows go out as they come, so that a million of them takes no more memory than a thousand.

use std::ops::ControlFlow;

use clap::ValueEnum;
use serde::Serialize;

use super::screen::Screen;
use super::table::{Cell, Columns};

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

pub struct Sheet<'s> {
    screen: &'s mut Screen,
    format: Format,
    header: Vec<String>,
    columns: Columns,
    /// Rows that are not laid out yet.
    waiting: Vec<Vec<Cell>>,
    pub count: u64,
    shown: u64,
}

impl<'s> Sheet<'s> {
    /// `names` are those of the fields, `header` those of the columns, of which the `rigid` ones are cut last.
    pub fn begin(format: Format, names: &[&str], header: &[&str], rigid: &[&str], screen: &'s mut Screen) -> Self {
        let columns = Columns::new(header.iter().map(|title| rigid.contains(title)).collect(), screen.width());
        if format == Format::Csv {
            screen.raw(csv_line(names.iter().map(|name| (*name).to_owned())).as_bytes());
        }
        let header = header.iter().map(|title| (*title).to_owned()).collect();
        Self { screen, format, header, columns, waiting: Vec::new(), count: 0, shown: 0 }
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

    /// Ends it; the answer are the titles of columns that were cut to the terminal.
    pub fn end(mut self) -> Vec<String> {
        match self.format {
            Format::Table => self.lay_out(0),
            Format::Json if self.count == 0 => self.screen.line("[]"),
            Format::Json => self.screen.line("]"),
            Format::Csv | Format::Ndjson => {}
        }
        let cut = self.header.iter().zip(&self.columns.cut).filter(|(_, is_cut)| **is_cut);
        cut.map(|(title, _)| title.clone()).collect()
    }

    /// Shows the rows that wait; at least so many `more` lines follow.
    fn lay_out(&mut self, more: usize) {
        let rows = std::mem::take(&mut self.waiting);
        if rows.is_empty() {
            return;
        }
        // Who reads by a program wants rows and nothing else.
        let header: Vec<&str> = self.header.iter().map(String::as_str).collect();
        let header = (self.shown == 0 && self.screen.width().is_some()).then_some(header.as_slice());
        self.screen.page(rows.len() + more + 2);
        self.shown += rows.len() as u64;
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

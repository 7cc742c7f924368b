//! How is it shown? The one printer: text for people, JSON for programs, colours where they are wanted.

use std::io::{self, BufWriter, IsTerminal, Write};

use clap::ColorChoice;
use jiff::Timestamp;
use jiff::tz::TimeZone;
use owo_colors::{OwoColorize, Style};
use serde::Serialize;

use super::pager::Pager;
use super::table::{Cell, Columns, Lacking, columns, fit, lay_out, make_room, pick, widths_of, wrap};
use super::typed::parted;
use crate::report::Time;
pub use crate::report::{bytes, counted, grouped, span, time_in, visible, visible_bytes};

pub struct Screen {
    out: Out,
    pub json: bool,
    /// Whether whoever read this went away.
    is_unread: bool,
    /// What is to be said on standard error when the pager has gone.
    unsaid: Vec<String>,
    /// Why something could not be shown; that a reader went away is no reason.
    failed: Option<io::Error>,
    color: bool,
    color_errors: bool,
    zone: TimeZone,
    /// Columns of the terminal; `None` where nobody looks.
    width: Option<u16>,
    /// And its lines.
    height: Option<u16>,
}

enum Out {
    Plain(BufWriter<io::Stdout>),
    Paged(Pager),
}

impl Screen {
    pub fn new(color: ColorChoice, json: bool) -> Self {
        let wanted = |terminal: bool| match color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => terminal && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty()),
        };
        let terminal = io::stdout().is_terminal();
        let size = rustix::termios::tcgetwinsize(io::stdout()).ok().filter(|_| terminal);
        Self {
            out: Out::Plain(BufWriter::new(io::stdout())),
            json,
            is_unread: false,
            unsaid: Vec::new(),
            failed: None,
            color: wanted(terminal),
            color_errors: wanted(io::stderr().is_terminal()),
            zone: TimeZone::system(),
            width: size.map(|size| size.ws_col).filter(|width| *width > 0),
            height: size.map(|size| size.ws_row).filter(|height| *height > 0),
        }
    }

    /// Writes bytes as they are. A reader that went away (`| head`) is no error.
    pub fn raw(&mut self, bytes: &[u8]) {
        let written = match &mut self.out {
            Out::Plain(out) => out.write_all(bytes),
            Out::Paged(pager) => pager.write_all(bytes),
        };
        self.remember(written);
    }

    fn remember(&mut self, written: io::Result<()>) {
        match written {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => self.is_unread = true,
            Err(error) => {
                self.failed.get_or_insert(error);
            }
            Ok(()) => {}
        }
    }

    /// Whether there is still somebody who reads.
    pub fn is_read(&self) -> bool {
        !self.is_unread && self.failed.is_none()
    }

    /// At least so many lines follow: where somebody looks and could not see them all at once, they go through a pager.
    pub fn page(&mut self, lines: usize) {
        let is_long = !self.json && self.height.is_some_and(|height| lines > usize::from(height));
        if let (Out::Plain(_), true) = (&self.out, is_long)
            && self.flush()
            && let Some(pager) = Pager::start()
        {
            self.out = Out::Paged(pager);
        }
    }

    pub fn line(&mut self, text: impl AsRef<str>) {
        self.raw(text.as_ref().as_bytes());
        self.raw(b"\n");
    }

    /// One compact JSON value on a line.
    pub fn value(&mut self, value: &impl Serialize) {
        if let Ok(text) = serde_json::to_string(value) {
            self.line(text);
        }
    }

    /// What is no result goes to standard error.
    pub fn note(&mut self, text: impl AsRef<str>) {
        match &mut self.out {
            Out::Plain(out) => {
                let _ = out.flush();
                let width = errors_width();
                // What has lines of its own is laid out already.
                let width = width.filter(|_| !text.as_ref().contains('\n'));
                for line in in_lines(text.as_ref(), width) {
                    let _ = writeln!(io::stderr(), "{line}");
                }
            }
            Out::Paged(_) => self.unsaid.push(text.as_ref().to_owned()),
        }
    }

    pub fn complain(&mut self, message: &str) {
        let style = if self.color_errors { Style::new().red().bold() } else { Style::new() };
        self.note(format!("{} {}", "error:".style(style), visible(message)));
    }

    /// The last word about something that went well or did not.
    pub fn conclude(&mut self, is_success: bool, text: &str) {
        let color = if is_success { Style::new().green() } else { Style::new().red() };
        let style = if self.color_errors { color } else { Style::new() };
        self.note(text.style(style).to_string());
    }

    pub fn flush(&mut self) -> bool {
        match &mut self.out {
            Out::Plain(out) => out.flush().is_ok(),
            Out::Paged(pager) => pager.flush().is_ok(),
        }
    }

    /// The error is why the answer could not be shown.
    pub fn finish(&mut self) -> io::Result<()> {
        let finished = match std::mem::replace(&mut self.out, Out::Plain(BufWriter::new(io::stdout()))) {
            Out::Plain(mut out) => out.flush(),
            Out::Paged(pager) => pager.finish(),
        };
        self.remember(finished);
        for text in std::mem::take(&mut self.unsaid) {
            self.note(text);
        }
        self.failed.take().map_or(Ok(()), Err)
    }

    /// Whether messages on standard error are coloured.
    pub fn colors_errors(&self) -> bool {
        self.color_errors
    }

    /// Whether results are coloured.
    pub fn colors(&self) -> bool {
        self.color
    }

    pub fn paint(&self, text: &str, style: Style) -> String {
        if self.color { text.style(style).to_string() } else { text.to_owned() }
    }

    pub fn dim(&self, text: &str) -> String {
        self.paint(text, Style::new().dimmed())
    }

    /// A table without lines, as wide as the terminal at most.
    pub fn table(&mut self, header: &[&str], rows: Vec<Vec<Cell>>) {
        for line in lay_out(header, rows, self.width()) {
            self.row(&line);
        }
    }

    /// A sentence, in lines that end between words; where nobody looks, in one.
    pub fn prose(&mut self, text: &str) {
        for line in wrap(text, self.width()) {
            let line = self.dim(&line);
            self.line(line);
        }
    }

    /// A sentence that may end with a line to type, which stays whole.
    pub fn say(&mut self, text: &str) {
        for line in in_lines(text, self.width()) {
            self.line(line);
        }
    }

    /// What something is, behind its name: in lines that end between words, below each other.
    pub fn field(&mut self, name: &str, value: &str) {
        let lead = format!("{name:>14}");
        let width = self.width().map(|width| width.saturating_sub(lead.len() + 2).max(20));
        for (number, line) in wrap(value, width).into_iter().enumerate() {
            let lead = if number == 0 { self.dim(&lead) } else { " ".repeat(lead.len()) };
            self.line(format!("{lead}  {line}").trim_end());
        }
    }

    /// A table without its `dispensable` columns where the others would be cut to less than so much, which is said below.
    pub fn roomy_table(&mut self, header: &[&str], least: &[usize], dispensable: &[usize], rows: Vec<Vec<Cell>>) {
        let natural = widths_of(header, &rows);
        let least: Vec<usize> = natural.iter().zip(least).map(|(natural, least)| *natural.min(least)).collect();
        let kept = make_room(&least, dispensable, self.width());
        let titles: Vec<&str> = kept.iter().map(|column| header[*column]).collect();
        let mut columns = Columns::new(vec![false; kept.len()], self.width());
        let rows = rows.into_iter().map(|row| pick(row, &kept)).collect();
        for line in columns.lines(Some(&titles), rows) {
            self.row(&line);
        }
        let is_left_out = |column: &usize| !kept.contains(column);
        let left_out = (0..header.len()).filter(is_left_out).map(|column| header[column].to_owned()).collect();
        if let Some(words) = (Lacking { left_out, cut: columns.titles_cut(&titles) }).in_words() {
            self.prose(&words);
        }
    }

    /// A line of cells that are padded already.
    pub fn row(&mut self, line: &[Cell]) {
        let text: String = line.iter().map(|cell| self.paint(&cell.text, cell.style)).collect();
        self.line(text.trim_end());
    }

    /// The same, without the columns of the lowest rank where there is no room; the answer is which were left out.
    pub fn fitting_table<'t>(&mut self, header: &[&'t str], ranks: &[u8], rows: Vec<Vec<Cell>>) -> Vec<&'t str> {
        let (kept, left_out) = fit(header, ranks, &rows, self.width());
        let pick = |row: Vec<Cell>| {
            let cells = row.into_iter().enumerate().filter(|(column, _)| kept.contains(column));
            cells.map(|(_, cell)| cell).collect()
        };
        let titles: Vec<&str> = kept.iter().map(|column| header[*column]).collect();
        self.table(&titles, rows.into_iter().map(pick).collect());
        left_out.into_iter().map(|column| header[column]).collect()
    }

    /// Columns of the terminal; `None` where nobody looks.
    pub fn width(&self) -> Option<usize> {
        self.width.map(usize::from)
    }

    /// A time as this machine's clocks show it.
    pub fn time(&self, time: Time) -> String {
        time_in(time.0, &self.zone)
    }

    /// The same where there is little room: of today without the date, of this year without the year and the seconds.
    pub fn short_time(&self, time: Time, now: Timestamp) -> String {
        short_time_in(time.0, now, &self.zone)
    }

    /// Whether a zone's clocks show something else than this machine's at that time.
    pub fn differs(&self, zone: &TimeZone, at: Timestamp) -> bool {
        zone.to_offset(at) != self.zone.to_offset(at)
    }

    pub fn zone(&self) -> &TimeZone {
        &self.zone
    }
}

/// A message in lines that end between words; a line to type at its end stays whole, on its own, where there is no room.
fn in_lines(text: &str, width: Option<usize>) -> Vec<String> {
    let is_long = width.is_some_and(|width| columns(text) > width);
    match parted(text).filter(|_| is_long) {
        Some((words, line)) => wrap(words, width).into_iter().chain([format!("  {line}")]).collect(),
        None => wrap(text, width),
    }
}

/// Columns of the terminal that standard error is; `None` where nobody looks.
pub fn errors_width() -> Option<usize> {
    let size = rustix::termios::tcgetwinsize(io::stderr()).ok().filter(|_| io::stderr().is_terminal());
    size.map(|size| usize::from(size.ws_col)).filter(|width| *width > 0)
}

fn short_time_in(time: Timestamp, now: Timestamp, zone: &TimeZone) -> String {
    let (time, now) = (time.to_zoned(zone.clone()), now.to_zoned(zone.clone()));
    let format = match (time.date() == now.date(), time.year() == now.year()) {
        (true, _) => "%H:%M:%S",
        (false, true) => "%-d %b %H:%M",
        (false, false) => "%Y-%m-%d",
    };
    time.strftime(format).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_time_is_what_tells_it_from_now() {
        let time = |text: &str| text.parse::<Timestamp>().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        for (at, expect) in [
            ("2026-11-23T22:30:00Z", "23:30:00"),
            ("2026-11-23T23:30:00Z", "24 Nov 00:30"),
            ("2026-01-02T03:04:05Z", "2 Jan 04:04"),
            ("2027-02-28T23:00:00Z", "2027-03-01"),
        ] {
            assert_eq!(short_time_in(time(at), time("2026-11-23T12:00:00Z"), &zone), expect, "{at}");
        }
    }

    #[test]
    fn a_line_to_type_stays_whole() {
        let lines = in_lines("there is no job `x`; they are listed by: punctual --state /a status", Some(30));
        assert_eq!(lines, ["there is no job `x`; they are", "listed by:", "  punctual --state /a status"]);
        assert_eq!(in_lines("type: punctual status", Some(30)), ["type: punctual status"]);
    }
}

//! What would this crontab, or this timer, be here? And what would these jobs be for cron?
//!
//! Text to text: nobody reads a file, starts anything or changes anything in this room.

mod anacron;
mod crontab;
mod export;
mod name;
mod proof;
mod quote;
mod sheet;
mod timer;
mod vixie;
mod write;

use std::borrow::Cow;

pub use anacron::import_anacrontab;
pub use crontab::{Imported, Origin, Owner, import_crontabs};
pub use export::{Exported, Style, export_crontab};
pub use proof::{Claim, Difference, Proof, Reason, Unproved, Verdict, prove};
pub use quote::in_comment;
pub use sheet::{Act, Draft, Sheet, Trouble, Value};
pub use timer::{ImportedTimers, Unit, import_timers, units_of};
pub use write::written;

/// The text of a file, and which of its lines were none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Text {
    /// How people know it.
    pub label: String,
    /// With U+FFFD where there was no UTF-8.
    pub text: String,
    /// Lines, counted from 1, that were not UTF-8, and the first byte of them that was none.
    pub wrong_lines: Vec<(usize, usize)>,
    /// It began with the mark of a byte order, which is left out.
    pub had_mark: bool,
}

impl Text {
    pub fn of(label: impl Into<String>, bytes: &[u8]) -> Self {
        let (had_mark, bytes) = bytes.strip_prefix(b"\xef\xbb\xbf").map_or((false, bytes), |rest| (true, rest));
        let mut text = String::with_capacity(bytes.len());
        let mut wrong_lines = Vec::new();
        for (at, line) in bytes.split(|byte| *byte == b'\n').enumerate() {
            if at > 0 {
                text.push('\n');
            }
            let line = String::from_utf8_lossy(line);
            if let Cow::Owned(_) = &line {
                let good = line.find('\u{fffd}').unwrap_or(0);
                wrong_lines.push((at + 1, good));
            }
            text.push_str(&line);
        }
        Self { label: label.into(), text, wrong_lines, had_mark }
    }
}

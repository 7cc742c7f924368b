//! What does an entry of the ledger look like? As cells for people, as fields for programs.

use owo_colors::Style;

use super::screen::{Screen, span, visible, visible_bytes};
use super::sheet::Record;
use super::table::Cell;
use crate::inquiry::{EntryRecord, excerpt};
use crate::report::{Entry, Time};
use crate::run::{Outcome, Reason};

/// The fields of an entry, as its JSON has them.
pub const FIELDS: [&str; 23] = [
    "run",
    "job",
    "cause",
    "due",
    "due_last",
    "count",
    "jitter",
    "started",
    "ended",
    "late",
    "waited",
    "duration",
    "state",
    "outcome",
    "reason",
    "detail",
    "exit_code",
    "signal",
    "attempts",
    "cpu",
    "max_rss",
    "output_bytes",
    "host",
];

/// The field of the line that was looked for, behind the others.
pub const LINE: &str = "line";

impl Record for EntryRecord {
    fn fields(&self) -> Vec<String> {
        let value = serde_json::to_value(&self.entry).unwrap_or_default();
        let field = |name: &&str| match value.get(*name) {
            None | Some(serde_json::Value::Null) => String::new(),
            Some(serde_json::Value::String(text)) => visible(text),
            Some(other) => other.to_string(),
        };
        let line = self.line.iter().map(|line| visible_bytes(&line.text));
        FIELDS.iter().map(field).chain(line).collect()
    }

    fn cells(&self, screen: &Screen) -> Vec<Cell> {
        let mut cells = cells(&self.entry, screen);
        if let (Some(line), Some(last)) = (&self.line, cells.last_mut()) {
            *last = excerpt(line).into();
        }
        cells
    }
}

fn cells(entry: &Entry, screen: &Screen) -> Vec<Cell> {
    vec![
        entry.run.to_string().into(),
        entry.job.clone().into(),
        screen.time(Time(entry.at)).into(),
        entry.late.map_or_else(String::new, span).into(),
        entry.duration.map_or_else(String::new, span).into(),
        outcome(entry),
        why(entry).into(),
    ]
}

/// The word for how it ended, or for what it is doing, in its colour.
pub fn outcome(entry: &Entry) -> Cell {
    let Some(outcome) = entry.outcome else {
        return entry.state.word().into();
    };
    let style = style_of(outcome, entry.reason);
    let count = if entry.count > 1 { format!(" {}×", entry.count) } else { String::new() };
    Cell::painted(format!("{outcome}{count}"), style)
}

/// The colour of an outcome.
pub fn style_of(outcome: Outcome, reason: Option<Reason>) -> Style {
    match outcome {
        Outcome::Succeeded => Style::new().green(),
        _ if outcome.is_failure(reason) => Style::new().red(),
        _ => Style::new().yellow(),
    }
}

fn why(entry: &Entry) -> String {
    match (&entry.detail, entry.reason) {
        (Some(detail), _) => visible(detail),
        (None, Some(reason)) => reason.word().to_owned(),
        (None, None) => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Seconds;
    use crate::run::{Cause, RunId, State};

    #[test]
    fn the_fields_are_those_of_the_json() {
        let entry = Entry {
            run: RunId(1),
            job: "a".to_owned(),
            cause: Cause::Schedule,
            due: None,
            due_last: None,
            count: 1,
            jitter: Seconds(0.0),
            started: None,
            ended: None,
            late: None,
            waited: Seconds(0.0),
            duration: None,
            state: State::Ended,
            outcome: Some(Outcome::Failed),
            reason: None,
            detail: Some("a\x1bb".to_owned()),
            exit_code: Some(3),
            signal: None,
            attempts: 1,
            cpu: None,
            max_rss: None,
            output_bytes: 0,
            host: None,
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        let json = serde_json::to_string(&entry).unwrap();
        let places: Vec<usize> = FIELDS.iter().map(|name| json.find(&format!("\"{name}\":")).unwrap()).collect();
        assert!(places.is_sorted(), "{json}");
        assert_eq!(serde_json::to_value(&entry).unwrap().as_object().unwrap().len(), FIELDS.len());
        let fields = EntryRecord { entry, line: None }.fields();
        assert_eq!((fields[1].as_str(), fields[3].as_str()), ("a", ""));
        assert_eq!((fields[15].as_str(), fields[16].as_str()), ("a^[b", "3"));
    }
}

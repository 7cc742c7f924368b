//! `punctual history --sql`: the answer to a question in SQL.

use jiff::Timestamp;
use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};

use super::args::Global;
use super::places::{ask, open_ledger};
use super::screen::{Screen, visible_bytes};
use super::sheet::{Format, Record, Sheet, Way};
use super::table::Cell;
use super::{Answer, Done, Refusal};
use crate::schedule::parse_duration;
use crate::store::{Field, SelectError};

/// Of whatever columns there are none may go.
const WAY: Way = Way::Blocks { least: 12 };

pub fn run(global: &Global, sql: &str, within: &str, format: Format, screen: &mut Screen) -> Answer {
    let within =
        parse_duration(within).map_err(|error| Refusal::new(Done::Misused, format!("--sql-timeout: {error}")))?;
    ask(async {
        let ledger = open_ledger(global).await?;
        let answer = ledger.select(
            sql,
            within,
            |names| {
                let titles: Vec<&str> = names.iter().map(String::as_str).collect();
                let sheet = Sheet::begin(format, &titles, &titles, WAY, screen);
                (names, sheet)
            },
            |(names, sheet), fields| sheet.push(&Row { names, fields }),
        );
        let (_, sheet) = answer.await.map_err(|error| refusal(&error))?;
        let lacking = sheet.end();
        if let Some(words) = lacking.in_words() {
            screen.prose(&words);
        }
        Ok(Done::Well)
    })?
}

fn refusal(error: &SelectError) -> Refusal {
    let done = match error {
        SelectError::Empty
        | SelectError::Unfinished(_)
        | SelectError::Several(_)
        | SelectError::NoQuestion(_)
        | SelectError::Change
        | SelectError::Sql(_) => Done::Misused,
        SelectError::TooLong(_) => Done::Failed,
        SelectError::Ledger(_) => Done::Unreachable,
    };
    Refusal::new(done, format!("--sql: {error}"))
}

struct Row<'n> {
    names: &'n [String],
    fields: Vec<Field>,
}

impl Serialize for Row<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(Some(self.fields.len()))?;
        for (name, field) in self.names.iter().zip(&self.fields) {
            match field {
                Field::Null => map.serialize_entry(name, &())?,
                Field::Integer(number) => map.serialize_entry(name, number)?,
                Field::Real(number) => map.serialize_entry(name, number)?,
                Field::Bytes(bytes) => map.serialize_entry(name, &String::from_utf8_lossy(bytes))?,
            }
        }
        map.end()
    }
}

impl Record for Row<'_> {
    fn fields(&self) -> Vec<String> {
        self.fields.iter().map(shown).collect()
    }

    fn cells(&self, _: &Screen) -> Vec<Cell> {
        self.fields.iter().map(cell).collect()
    }
}

/// Of a number or a time a part would be wrong.
fn cell(field: &Field) -> Cell {
    let text = shown(field);
    match field {
        Field::Integer(_) | Field::Real(_) => Cell::firm(text),
        Field::Bytes(_) if text.parse::<Timestamp>().is_ok() => Cell::firm(text),
        Field::Null | Field::Bytes(_) => text.into(),
    }
}

fn shown(field: &Field) -> String {
    match field {
        Field::Null => String::new(),
        Field::Integer(number) => number.to_string(),
        Field::Real(number) => number.to_string(),
        Field::Bytes(bytes) => visible_bytes(bytes),
    }
}

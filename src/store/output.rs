//! What did a run write?

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::open::Reader;
use crate::run::{RunId, Stream};

const PIECES: &str = "
SELECT attempt, step, step_attempt, \"offset\", stream, at, data FROM output
WHERE run = $1 AND attempt >= $2
ORDER BY attempt, step, step_attempt, \"offset\"";

/// What is known of attempts and their steps; of an attempt that was the only one nothing.
const PARTS: &str = "
SELECT attempt, step, step_attempt, name, output_bytes, ended FROM attempts WHERE run = $1 AND attempt >= $2";

/// Whose output: which attempt of the run, which step, and which attempt of that; of a run without steps the last two are 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct PartId {
    pub attempt: i64,
    pub step: i64,
    pub step_attempt: i64,
}

/// What one part of a run wrote: all of it, or an attempt of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputPart {
    /// Of the run.
    pub attempt: i64,
    /// None: the run has no steps.
    pub step: Option<StepOutput>,
    pub lines: Vec<OutputLine>,
}

/// Whose output it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepOutput {
    pub number: i64,
    pub name: String,
    pub attempt: i64,
}

/// A piece of output, or a cut between two pieces.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OutputLine {
    Piece {
        offset: u64,
        stream: Stream,
        at: Timestamp,
        data: Vec<u8>,
    },
    /// So many bytes were not kept.
    Cut {
        bytes: u64,
    },
}

impl Reader {
    /// The kept output of a run from the attempt `first` on, in order, steps in the order of the file; `total` is what a
    /// run of one attempt and without steps wrote, kept or not.
    pub async fn output(&self, run: RunId, first: i64, total: u64) -> Result<Vec<OutputPart>, sqlx::Error> {
        let rows = sqlx::query(PIECES).bind(run.0).bind(first).fetch_all(&self.pool).await?;
        let known = sqlx::query(PARTS).bind(run.0).bind(first).fetch_all(&self.pool).await?;
        let last = rows.last().map_or(first, |row| row.get("attempt"));
        let part = |row: &SqliteRow| PartId {
            attempt: row.get("attempt"),
            step: row.get("step"),
            step_attempt: row.get("step_attempt"),
        };
        let of_part = |rows: &[SqliteRow]| {
            let key = part(rows.first()?);
            let known = known.iter().find(|row| part(row) == key);
            let written = known.filter(|row| row.get::<Option<i64>, _>("ended").is_some());
            let written = written.and_then(|row| u64::try_from(row.get::<i64, _>("output_bytes")).ok());
            let whole = (key.step == 0 && last == 1).then_some(total);
            let name = known.and_then(|row| row.get::<Option<String>, _>("name"));
            let name = name.unwrap_or_else(|| key.step.to_string());
            let step = (key.step > 0).then_some(StepOutput { number: key.step, name, attempt: key.step_attempt });
            Some(OutputPart { attempt: key.attempt, step, lines: lines(rows, written.or(whole)) })
        };
        let parts: Vec<OutputPart> = rows.chunk_by(|one, other| part(one) == part(other)).filter_map(of_part).collect();
        if parts.is_empty() && total > 0 {
            let lines = vec![OutputLine::Cut { bytes: total }];
            return Ok(vec![OutputPart { attempt: 1, step: None, lines }]);
        }
        Ok(parts)
    }
}

/// The pieces of one part, with what is cut between them and behind the last one, if it is known how much was written.
fn lines(rows: &[SqliteRow], written: Option<u64>) -> Vec<OutputLine> {
    let mut lines = Vec::with_capacity(rows.len());
    let mut reached = 0u64;
    for row in rows {
        let offset = u64::try_from(row.get::<i64, _>("offset")).unwrap_or(0);
        let (Some(stream), Ok(at)) =
            (Stream::from_number(row.get("stream")), Timestamp::from_microsecond(row.get("at")))
        else {
            continue;
        };
        if offset > reached {
            lines.push(OutputLine::Cut { bytes: offset - reached });
        }
        let data: Vec<u8> = row.get("data");
        reached = offset + data.len() as u64;
        lines.push(OutputLine::Piece { offset, stream, at, data });
    }
    if let Some(written) = written.filter(|written| *written > reached) {
        lines.push(OutputLine::Cut { bytes: written - reached });
    }
    lines
}

//! What did a run write?

use jiff::Timestamp;
use sqlx::Row;

use super::open::Reader;
use crate::run::{RunId, Stream};

const PIECES: &str = "
SELECT attempt, \"offset\", stream, at, data FROM output WHERE run = $1 ORDER BY attempt, \"offset\"";

/// What an attempt of several wrote, once it has ended.
const OF_ATTEMPT: &str = "SELECT output_bytes FROM attempts WHERE run = $1 AND attempt = $2";

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
    /// The kept output of a run's last attempt, in order; `total` is what the run wrote, kept or not.
    pub async fn output(&self, run: RunId, total: u64) -> Result<Vec<OutputLine>, sqlx::Error> {
        let rows = sqlx::query(PIECES).bind(run.0).fetch_all(&self.pool).await?;
        let last = rows.last().map_or(0i64, |row| row.get("attempt"));
        let of_attempt: Option<i64> =
            sqlx::query_scalar(OF_ATTEMPT).bind(run.0).bind(last).fetch_optional(&self.pool).await?;
        let total = of_attempt.and_then(|bytes| u64::try_from(bytes).ok()).unwrap_or(total);
        let mut lines = Vec::new();
        let mut reached = 0u64;
        for row in rows.iter().filter(|row| row.get::<i64, _>("attempt") == last) {
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
        if total > reached {
            lines.push(OutputLine::Cut { bytes: total - reached });
        }
        Ok(lines)
    }
}

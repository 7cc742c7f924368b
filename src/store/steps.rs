//! What does the ledger know of the steps of a run that is under way?

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::open::Reader;
use crate::job::StepName;
use crate::run::{AttemptId, Ended, Exit, Outcome, Reason, RunId, StepEnd, StepNote, Verdict};

const STEPS: &str = "
SELECT * FROM attempts
WHERE run = $1 AND step > 0 AND attempt = (SELECT max(attempt) FROM attempts WHERE run = $1 AND step > 0)
ORDER BY step, step_attempt";

impl Reader {
    /// The last attempt of each step, of the run's last attempt.
    pub async fn steps_so_far(&self, run: RunId) -> Result<Vec<StepNote>, sqlx::Error> {
        let rows = sqlx::query(STEPS).bind(run.0).fetch_all(&self.pool).await?;
        let last: BTreeMap<u32, StepNote> = rows.iter().filter_map(note).map(|note| (note.id.step, note)).collect();
        Ok(last.into_values().collect())
    }
}

fn time(row: &SqliteRow, column: &str) -> Option<Timestamp> {
    Timestamp::from_microsecond(row.get::<Option<i64>, _>(column)?).ok()
}

fn note(row: &SqliteRow) -> Option<StepNote> {
    let id = AttemptId {
        run: RunId(row.get("run")),
        attempt: row.get("attempt"),
        step: row.get("step"),
        step_attempt: row.get("step_attempt"),
    };
    let name = StepName::new(row.get::<Option<&str>, _>("name")?);
    let outcome = row.get::<Option<i64>, _>("outcome").and_then(Outcome::from_number);
    let end = outcome.map(|outcome| StepEnd {
        verdict: Verdict {
            outcome,
            reason: row.get::<Option<i64>, _>("reason").and_then(Reason::from_number),
            detail: row.get("detail"),
        },
        ended: ended(row),
    });
    Some(StepNote { id, name, started: time(row, "started"), end })
}

fn ended(row: &SqliteRow) -> Option<Ended> {
    let micros = |column: &str| {
        row.get::<Option<i64>, _>(column).and_then(|micros| u64::try_from(micros).ok()).map(Duration::from_micros)
    };
    let exit = match (row.get::<Option<i32>, _>("exit_code"), row.get::<Option<i32>, _>("signal")) {
        (Some(code), _) => Exit::Code(code),
        (None, Some(signal)) => Exit::Signal { signal, core_dumped: false },
        (None, None) => Exit::Done,
    };
    Some(Ended {
        duration: micros("duration").unwrap_or_default(),
        cpu: micros("cpu"),
        max_rss: row.get::<Option<i64>, _>("max_rss").and_then(|bytes| u64::try_from(bytes).ok()),
        output_bytes: u64::try_from(row.get::<i64, _>("output_bytes")).unwrap_or(0),
        ..Ended::unmeasured(exit, time(row, "ended")?)
    })
}

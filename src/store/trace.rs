//! Is a group in the ledger whose commit failed? It may have reached the disk all the same, and is not to be taken for
//! somebody else's.

use std::sync::Arc;

use sqlx::SqliteConnection;

use super::open::Identity;
use super::statements as sql;
use crate::job::JobName;
use crate::plan::{Decision, Record};
use crate::run::{EventNote, RunId};

/// One row that a group leaves; where there is one of them, there are all. Groups without such a row can be written twice.
pub enum Trace<'g> {
    Entry { run: RunId, job: &'g JobName, due: i64 },
    Definition { job: &'g JobName, since: i64 },
    Event(&'g EventNote),
}

impl<'g> Trace<'g> {
    /// Entries are the surest: two daemons give the same number to the same instant only by mistake, and not on one host.
    pub fn of(decisions: &'g [Arc<Decision>]) -> Option<Self> {
        let records = || decisions.iter().flat_map(|decision| &decision.records);
        let entry = records().find_map(|record| match record {
            Record::Opened(entry) => {
                Some(Self::Entry { run: entry.run, job: &entry.job, due: entry.due.as_microsecond() })
            }
            Record::Gap { job, gap, .. } => Some(Self::Entry { run: gap.run, job, due: gap.due.as_microsecond() }),
            _ => None,
        });
        let definition = || {
            records().find_map(|record| match record {
                Record::Definition { job, since, .. } => Some(Self::Definition { job, since: since.as_microsecond() }),
                _ => None,
            })
        };
        let event = || {
            records().find_map(|record| match record {
                Record::Event(event) => Some(Self::Event(event)),
                _ => None,
            })
        };
        if records().any(|record| matches!(record, Record::Renamed { .. })) {
            // The others may be there under another name by now.
            return event();
        }
        entry.or_else(definition).or_else(event)
    }

    pub async fn is_left(&self, connection: &mut SqliteConnection, own: &Identity) -> Result<bool, sqlx::Error> {
        let query = match self {
            Self::Entry { run, job, due } => {
                sqlx::query_scalar(sql::HAS_ENTRY).bind(run.0).bind(job.as_str().to_owned()).bind(*due).bind(own.host)
            }
            Self::Definition { job, since } => {
                sqlx::query_scalar(sql::HAS_DEFINITION).bind(job.as_str().to_owned()).bind(*since)
            }
            Self::Event(event) => sqlx::query_scalar(sql::HAS_EVENT)
                .bind(event.at.as_microsecond())
                .bind(event.kind.number())
                .bind(event.detail.clone())
                .bind(own.boot),
        };
        query.fetch_one(connection).await
    }
}

/// The entry that a record opens.
pub fn opens(record: &Record) -> Option<RunId> {
    match record {
        Record::Opened(entry) => Some(entry.run),
        Record::Gap { gap, .. } => Some(gap.run),
        _ => None,
    }
}

//! What must a ledger that is begun anew have, besides the rows that could be read of the damaged one?

use std::collections::BTreeSet;
use std::sync::Arc;

use sqlx::{Connection, SqliteConnection};

use super::batch::{write_output, write_records};
use super::open::Identity;
use super::statements::BEGIN;
use super::trace::{Trace, opens};
use crate::job::JobName;
use crate::plan::{Decision, Record};
use crate::run::{OutputPiece, RunId};

/// All that this daemon knows: what its planner states, and what waits to be written. It goes there with the rows, for a crash
/// must not leave a ledger that takes instants for settled of which it has no entry.
pub struct Known<'g> {
    restated: Vec<Record>,
    group: &'g [Arc<Decision>],
    /// What the group refused, if its commit failed, and it may be among the rows that could be read.
    in_doubt: Option<&'g BTreeSet<RunId>>,
    backlog: &'g [Arc<Decision>],
    pieces: &'g [OutputPiece],
}

impl<'g> Known<'g> {
    /// What waits says the rest of what the planner states, and is said once. Of a run that is over it says only that, and
    /// the planner nothing any more: that it was there is said again.
    pub fn of(
        stated: Decision,
        group: &'g [Arc<Decision>],
        in_doubt: Option<&'g BTreeSet<RunId>>,
        backlog: &'g [Arc<Decision>],
        pieces: &'g [OutputPiece],
    ) -> Self {
        let waiting = || group.iter().chain(backlog).flat_map(|decision| &decision.records);
        let opened: BTreeSet<RunId> = waiting().filter_map(opens).collect();
        let defined: BTreeSet<&JobName> = waiting().filter_map(defines).collect();
        let is_waiting = |record: &Record| {
            let is_opened = opens(record).is_some_and(|run| opened.contains(&run));
            is_opened || defines(record).is_some_and(|job| defined.contains(job))
        };
        let ended = waiting().filter_map(|record| match record {
            Record::Closed(closing) if !opened.contains(&closing.run) => Some(closing.restate()),
            _ => None,
        });
        let stated = stated.records.into_iter().filter(|record| !is_waiting(record));
        let restated = stated.chain(ended.flatten()).collect();
        Self { restated, group, in_doubt, backlog, pieces }
    }

    /// Writes all of it at once; the answer is what the ledger refused of what waits.
    pub async fn write(
        &self,
        connection: &mut SqliteConnection,
        identity: &Identity,
    ) -> Result<BTreeSet<RunId>, sqlx::Error> {
        let mut transaction = connection.begin_with(BEGIN).await?;
        let (group, known) = match (self.in_doubt, Trace::of(self.group)) {
            (Some(refused), Some(trace)) if trace.is_left(&mut transaction, identity).await? => {
                (&[][..], refused.clone())
            }
            (Some(_) | None, Some(_) | None) => (self.group, BTreeSet::new()),
        };
        // What is restated may be there, and is nobody's refusal.
        write_records(&mut transaction, &[&self.restated], identity).await?;
        let records: Vec<_> = group.iter().chain(self.backlog).map(|decision| decision.records.as_slice()).collect();
        let mut refused = write_records(&mut transaction, &records, identity).await?;
        refused.extend(known);
        write_output(&mut transaction, self.pieces).await?;
        transaction.commit().await?;
        Ok(refused)
    }
}

fn defines(record: &Record) -> Option<&JobName> {
    match record {
        Record::Definition { job, .. } => Some(job),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use jiff::{SignedDuration, Timestamp};

    use super::*;
    use crate::plan::{Closing, OpenEntry};
    use crate::run::{Cause, Outcome, State};
    use crate::store::ground::{Ground, Mended};
    use crate::store::{Reader, Store};

    fn entry(run: i64) -> OpenEntry {
        OpenEntry {
            run: RunId(run),
            job: JobName::new("backup").unwrap(),
            cause: Cause::Schedule,
            due: Timestamp::from_second(run).unwrap(),
            jitter: SignedDuration::ZERO,
            state: State::Running,
            detail: None,
            caused_by: Vec::new(),
            asked: None,
        }
    }

    fn job() -> Record {
        Record::Job(JobName::new("backup").unwrap())
    }

    fn closed(run: i64) -> Record {
        let (entry, started) = (Box::new(entry(run)), Timestamp::from_second(run).ok());
        let run = RunId(run);
        Record::Closed(Closing {
            run,
            outcome: Outcome::Succeeded,
            reason: None,
            detail: None,
            ended: None,
            entry,
            started,
        })
    }

    /// Whoever comes after a crash may find no more than what was put in the place of the damaged ledger.
    #[tokio::test]
    async fn the_new_ledger_has_all_that_is_known_when_it_takes_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("punctual.db");
        let store = Store::prepare(&path).unwrap().open("host", "boot").await.unwrap();
        let mut ground = Ground::of(&store);
        // It has lost all: 1 goes, 2 is over and not in the ledger at all yet, 3 is over and was.
        let stated = [job(), Record::Opened(entry(1)), Record::Opened(entry(2))];
        let waiting = [vec![job(), Record::Opened(entry(2)), closed(2)], vec![closed(3)]];
        let decision = |records: &[Record]| Decision { records: records.to_vec(), actions: Vec::new() };
        let decisions: Vec<_> = waiting.iter().map(|records| Arc::new(decision(records))).collect();
        let known = Known::of(decision(&stated), &decisions[..1], None, &decisions[1..], &[]);
        let mended = ground.begin_anew(&known).await.unwrap();
        assert!(matches!(&mended, Mended::Anew { aside: Some(_), refused, .. } if refused.is_empty()), "{mended:?}");
        let reader = Reader::open(&path).await.unwrap();
        let found: Vec<(i64, i64, Option<i64>, bool)> =
            sqlx::query_as("SELECT run, state, outcome, started IS NOT NULL FROM runs ORDER BY run")
                .fetch_all(&reader.pool)
                .await
                .unwrap();
        assert_eq!(found, [(1, 2, None, false), (2, 3, Some(1), false), (3, 3, Some(1), true)]);
    }
}

//! What do these records write? Decisions that are ready at once, as rows for one statement of each kind.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Value, json};
use sqlx::{Sqlite, SqliteConnection};

use super::open::Identity;
use super::outbox::{
    FORGET_TOLD, INSERT_DELIVERIES, INSERT_NOTICES, INSERT_TOLD, delivery_rows, notice_row, told_rows,
};
use super::rename::rename;
use super::statements as sql;
use super::wishes::{Holding, INSERT_ASKED, INSERT_STOPS, asked_row};
use crate::job::{JobName, Timing};
use crate::plan::{Attempted, Closing, OpenEntry, Record};
use crate::run::{
    AttemptId, Cause, Ended, EventNote, Exit, GapEntry, OutputPiece, Reason, RunId, State, StepEnd, StepNote, Verdict,
};

/// Rows by the statement that writes them, in the order in which the statements run.
#[derive(Debug, Default)]
struct Rows {
    renamed: Vec<(JobName, JobName, bool)>,
    in_force: Option<(i64, Arc<str>)>,
    jobs: Vec<Value>,
    /// Changes of definitions and of the clock, one by one in their order.
    structure: Vec<Structure>,
    removed: Vec<Value>,
    inserted: Vec<(RunId, Value)>,
    caused: Vec<Value>,
    asked: Vec<Value>,
    resized: BTreeMap<RunId, Value>,
    begun: Vec<(RunId, Value)>,
    started: Vec<Value>,
    attempted: Vec<Value>,
    retried: BTreeMap<RunId, Value>,
    closed: Vec<Value>,
    stops: Vec<Value>,
    /// What is not to run, one by one in their order.
    holdings: Vec<Holding>,
    events: Vec<EventNote>,
    notices: Vec<Value>,
    deliveries: Vec<Value>,
    /// Of each job, and of the daemon, what was said last.
    told: BTreeMap<Option<JobName>, Option<Arc<str>>>,
}

#[derive(Debug)]
enum Structure {
    Define { job: JobName, since: i64, timing: Arc<Timing> },
    End { job: JobName, until: i64 },
    SetBack { at: i64, highest: i64 },
}

/// Writes the records of several decisions within a transaction; the answer is which entries the ledger refused.
pub async fn write_records(
    connection: &mut SqliteConnection,
    decisions: &[&[Record]],
    identity: &Identity,
) -> Result<BTreeSet<RunId>, sqlx::Error> {
    let mut refused = BTreeSet::new();
    let mut plain = Rows::default();
    for records in decisions {
        // What takes entries away must come after those that others have put there, and before those that follow.
        if is_structural(records) {
            std::mem::take(&mut plain).write(connection, identity, &mut refused).await?;
            // What is said before a job has its new name is said of the old one.
            let renamed_at = records.iter().position(|record| matches!(record, Record::Renamed { .. })).unwrap_or(0);
            for part in [&records[..renamed_at], &records[renamed_at..]] {
                let mut own = Rows::default();
                for record in part {
                    own.add(record);
                }
                own.write(connection, identity, &mut refused).await?;
            }
            continue;
        }
        // Of each run the statements say a thing once, and that it was put off after that it has begun.
        if plain.has_put_off(records) {
            std::mem::take(&mut plain).write(connection, identity, &mut refused).await?;
        }
        records.iter().for_each(|record| plain.add(record));
    }
    plain.write(connection, identity, &mut refused).await?;
    Ok(refused)
}

fn is_structural(records: &[Record]) -> bool {
    records.iter().any(|record| {
        matches!(
            record,
            Record::SetBack { .. }
                | Record::GapRemoved(_)
                | Record::Definition { .. }
                | Record::DefinitionEnd { .. }
                | Record::Job(_)
                | Record::Renamed { .. }
        )
    })
}

impl Rows {
    /// Whether one of the runs that begin here waits for its next attempt by what is already among the rows.
    fn has_put_off(&self, records: &[Record]) -> bool {
        let begins_again =
            |record: &Record| matches!(record, Record::Begun { run, .. } if self.retried.contains_key(run));
        !self.retried.is_empty() && records.iter().any(begins_again)
    }

    fn add(&mut self, record: &Record) {
        match record {
            Record::Renamed { from, to, is_new } => self.renamed.push((from.clone(), to.clone(), *is_new)),
            Record::InForce { since, words } => self.in_force = Some((since.as_microsecond(), words.clone())),
            Record::Job(name) => self.jobs.push(json!(name.as_str())),
            Record::Definition { job, since, timing } => self.structure.push(Structure::Define {
                job: job.clone(),
                since: since.as_microsecond(),
                timing: timing.clone(),
            }),
            Record::DefinitionEnd { job, until } => {
                self.structure.push(Structure::End { job: job.clone(), until: until.as_microsecond() });
            }
            Record::SetBack { at, highest } => {
                self.structure.push(Structure::SetBack { at: at.as_microsecond(), highest: highest.0 });
            }
            Record::Opened(entry) => {
                self.inserted.push((entry.run, opened(entry)));
                self.caused.extend(entry.caused_by.iter().map(|cause| json!([entry.run, cause])));
                self.asked.extend(entry.asked.iter().map(|asked| asked_row(entry.run, asked)));
            }
            Record::Gap { job, gap, detail } => self.inserted.push((gap.run, gap_row(job, gap, detail.as_deref()))),
            Record::GapResized { run, due_last, count } => {
                self.resized.insert(*run, json!([run, due_last.as_microsecond(), count]));
            }
            Record::GapRemoved(run) => self.removed.push(json!(run)),
            Record::Begun { run, waited } => {
                // Put off and begun again by one decision: its pause was none.
                self.retried.remove(run);
                self.begun.push((*run, json!([run, waited.map(micros)])));
            }
            Record::Started { run, attempt, at, process } => {
                let pid = process.as_ref().map(|process| process.pid);
                let ticks = process.as_ref().map(|process| process.start_ticks);
                self.started.push(json!([run, at.as_microsecond(), pid, ticks, attempt]));
            }
            Record::Attempted(attempted) => self.attempted.push(attempt_row(attempted)),
            Record::Step(note) => self.attempted.push(step_row(note)),
            Record::Retried { run, at, detail } => {
                self.retried.insert(*run, json!([run, at.as_microsecond(), detail]));
            }
            Record::Closed(closing) => self.closed.push(closed(closing)),
            Record::Stopping { run, at, by } => self.stops.push(json!([run, at.as_microsecond(), by])),
            Record::Pause { whose, pause } => {
                self.holdings.push(Holding::Pause { whose: whose.clone(), pause: pause.clone() });
            }
            Record::PauseException(job) => self.holdings.push(Holding::Exception(job.clone())),
            Record::LeftOut { job, left_out } => {
                self.holdings.push(Holding::LeftOut { job: job.clone(), left_out: left_out.clone() });
            }
            Record::Event(event) => self.events.push(event.clone()),
            Record::Notice(notice) => {
                self.notices.push(notice_row(notice));
                self.deliveries.extend(delivery_rows(notice));
            }
            Record::Told { job, words } => {
                self.told.insert(job.clone(), words.clone());
            }
        }
    }

    async fn write(
        self,
        connection: &mut SqliteConnection,
        identity: &Identity,
        refused: &mut BTreeSet<RunId>,
    ) -> Result<(), sqlx::Error> {
        for (from, to, is_new) in self.renamed {
            rename(connection, &from, &to, is_new).await?;
        }
        if let Some((since, words)) = self.in_force {
            sqlx::query(sql::PUT_IN_FORCE).bind(since).bind(words.to_string()).execute(&mut *connection).await?;
        }
        execute(connection, sql::INSERT_JOBS, self.jobs).await?;
        for change in self.structure {
            change.write(connection).await?;
        }
        execute(connection, sql::REMOVE_GAPS, self.removed).await?;
        returning(connection, sql::INSERT_RUNS, self.inserted, Some(identity.host), refused).await?;
        execute(connection, sql::INSERT_CAUSES, self.caused).await?;
        execute(connection, INSERT_ASKED, self.asked).await?;
        execute(connection, sql::RESIZE_GAPS, self.resized.into_values().collect()).await?;
        returning(connection, sql::BEGIN_RUNS, self.begun, None, refused).await?;
        if !self.started.is_empty() {
            sqlx::query(sql::START_RUNS)
                .bind(Value::Array(self.started).to_string())
                .bind(identity.boot)
                .execute(&mut *connection)
                .await?;
        }
        execute(connection, sql::INSERT_ATTEMPTS, self.attempted).await?;
        execute(connection, sql::RETRY_RUNS, self.retried.into_values().collect()).await?;
        execute(connection, sql::CLOSE_RUNS, self.closed).await?;
        execute(connection, INSERT_STOPS, self.stops).await?;
        for holding in self.holdings {
            holding.write(connection).await?;
        }
        for event in self.events {
            sqlx::query(sql::INSERT_EVENT)
                .bind(event.at.as_microsecond())
                .bind(event.kind.number())
                .bind(event.job.map(|job| job.as_str().to_owned()))
                .bind(identity.boot)
                .bind(event.detail)
                .execute(&mut *connection)
                .await?;
        }
        execute(connection, INSERT_NOTICES, self.notices).await?;
        execute(connection, INSERT_DELIVERIES, self.deliveries).await?;
        let (told, forgotten) = told_rows(&self.told);
        execute(connection, FORGET_TOLD, forgotten).await?;
        execute(connection, INSERT_TOLD, told).await
    }
}

impl Structure {
    async fn write(self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        match self {
            Self::Define { job, since, timing } => {
                // There is none in force, unless somebody else has written to the ledger.
                sqlx::query(sql::END_DEFINITION)
                    .bind(job.as_str().to_owned())
                    .bind(since)
                    .execute(&mut *connection)
                    .await?;
                let text = json!(timing.written).to_string();
                let query = sqlx::query(sql::INSERT_DEFINITION).bind(job.as_str().to_owned()).bind(since);
                let zone_data = timing.written.zone_data.clone();
                query.bind(text).bind(zone_data).execute(&mut *connection).await?;
                if let Some(data) = &timing.zone {
                    let query = sqlx::query(sql::INSERT_ZONE).bind(timing.written.zone.clone());
                    query.bind(timing.written.zone_data.clone()).bind(&**data).execute(&mut *connection).await?;
                }
                for calendar in timing.timetable.closure.iter().flat_map(|closure| &closure.calendars) {
                    let query = sqlx::query(sql::INSERT_CALENDAR).bind(calendar.version.clone());
                    query.bind(calendar.text.to_string()).execute(&mut *connection).await?;
                }
            }
            Self::End { job, until } => {
                let query = sqlx::query(sql::END_DEFINITION).bind(job.as_str().to_owned()).bind(until);
                query.execute(connection).await?;
            }
            Self::SetBack { at, highest } => {
                sqlx::query(sql::SET_BACK).bind(at).bind(highest).execute(&mut *connection).await?;
                sqlx::query(sql::NOTE_SET_BACK).bind(at).bind(highest).execute(&mut *connection).await?;
                sqlx::query(sql::CUT_DEFINITIONS).bind(at).execute(connection).await?;
            }
        }
        Ok(())
    }
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str, rows: Vec<Value>) -> Result<(), sqlx::Error> {
    if !rows.is_empty() {
        sqlx::query(sql).bind(Value::Array(rows).to_string()).execute(connection).await?;
    }
    Ok(())
}

/// Runs a statement that returns the runs it found; the others are refused.
async fn returning(
    connection: &mut SqliteConnection,
    sql: &'static str,
    rows: Vec<(RunId, Value)>,
    host: Option<i64>,
    refused: &mut BTreeSet<RunId>,
) -> Result<(), sqlx::Error> {
    if rows.is_empty() {
        return Ok(());
    }
    let (runs, rows): (Vec<RunId>, Vec<Value>) = rows.into_iter().unzip();
    let mut query = sqlx::query_scalar::<Sqlite, i64>(sql).bind(Value::Array(rows).to_string());
    if let Some(host) = host {
        query = query.bind(host);
    }
    let found: BTreeSet<i64> = query.fetch_all(connection).await?.into_iter().collect();
    refused.extend(runs.into_iter().filter(|run| !found.contains(&run.0)));
    Ok(())
}

/// Writes output within a transaction, and removes what has left the ring of its tail.
pub async fn write_output(connection: &mut SqliteConnection, pieces: &[OutputPiece]) -> Result<(), sqlx::Error> {
    let (mut expired, mut kept) = (Vec::new(), Vec::<&OutputPiece>::new());
    for piece in pieces {
        if let Some((from, to)) = piece.expired {
            // Of this very group, and gone already. What is cut to its end comes again, in the same place.
            kept.retain(|earlier| earlier.id != piece.id || !(from..to).contains(&earlier.offset));
            let AttemptId { run, attempt, step, step_attempt } = piece.id;
            expired.push(json!([run, attempt, step, step_attempt, saturating(from), saturating(to)]));
        }
        if !piece.data.is_empty() {
            kept.push(piece);
        }
    }
    execute(connection, sql::EXPIRE_OUTPUT, expired).await?;
    if kept.is_empty() {
        return Ok(());
    }
    let (mut rows, mut bytes) = (Vec::with_capacity(kept.len()), Vec::new());
    for piece in kept {
        let AttemptId { run, attempt, step, step_attempt } = piece.id;
        let (offset, stream, at) = (saturating(piece.offset), piece.stream.number(), piece.at.as_microsecond());
        // SQL counts from one.
        rows.push(json!([run, attempt, step, step_attempt, offset, stream, at, bytes.len() + 1, piece.data.len()]));
        bytes.extend_from_slice(&piece.data);
    }
    let query = sqlx::query(sql::INSERT_OUTPUT).bind(Value::Array(rows).to_string()).bind(bytes);
    query.execute(connection).await.map(|_| ())
}

fn opened(entry: &OpenEntry) -> Value {
    let OpenEntry { run, job, cause, due, jitter, state, detail, caused_by: _, asked: _ } = entry;
    let (due, jitter) = (due.as_microsecond(), i64::try_from(jitter.as_micros()).unwrap_or(i64::MAX));
    json!([run, job, cause.number(), due, null, 1, state.number(), null, null, detail, jitter])
}

fn gap_row(job: &JobName, gap: &GapEntry, detail: Option<&str>) -> Value {
    let (due, due_last) = (gap.due.as_microsecond(), gap.due_last.as_microsecond());
    let (state, outcome, reason) = (State::Ended.number(), gap.outcome.number(), gap.reason.number());
    json!([gap.run, job, Cause::Schedule.number(), due, due_last, gap.count, state, outcome, reason, detail, 0])
}

fn closed(closing: &Closing) -> Value {
    let Closing { run, outcome, reason, detail, ended, entry: _, started: _ } = closing;
    let (outcome, reason) = (outcome.number(), reason.map(Reason::number));
    let Some(ended) = ended else {
        // What it wrote is learned from what was kept.
        return json!([run, outcome, reason, detail, null, null, null, null, null, null, null, 0]);
    };
    let (code, signal) = ended.exit.code_and_signal();
    let has_begun = !matches!(ended.exit, Exit::NotStarted { .. });
    json!([
        run,
        outcome,
        reason,
        detail,
        ended.at.as_microsecond(),
        has_begun.then(|| micros(ended.duration)),
        code,
        signal,
        ended.cpu.map(micros),
        ended.max_rss,
        ended.output_bytes,
        1,
    ])
}

fn attempt_row(attempted: &Attempted) -> Value {
    let Attempted { run, attempt, started, outcome, reason, detail, ended } = attempted;
    let verdict = Verdict { outcome: *outcome, reason: *reason, detail: detail.clone() };
    let end = StepEnd { verdict, ended: Some(ended.clone()) };
    row_of_attempt(AttemptId::whole(*run, *attempt), None, *started, Some(&end))
}

fn step_row(note: &StepNote) -> Value {
    let StepNote { id, name, started, end } = note;
    row_of_attempt(*id, Some(name.as_str()), *started, end.as_ref())
}

fn row_of_attempt(id: AttemptId, name: Option<&str>, started: Option<jiff::Timestamp>, end: Option<&StepEnd>) -> Value {
    let AttemptId { run, attempt, step, step_attempt } = id;
    let verdict = end.map(|end| &end.verdict);
    let ended = end.and_then(|end| end.ended.as_ref());
    let (code, signal) = ended.map_or((None, None), |ended| ended.exit.code_and_signal());
    let has_begun = |ended: &&Ended| !matches!(ended.exit, Exit::NotStarted { .. });
    json!([
        run,
        attempt,
        step,
        step_attempt,
        name,
        verdict.map(|verdict| verdict.outcome.number()),
        verdict.and_then(|verdict| verdict.reason).map(Reason::number),
        verdict.and_then(|verdict| verdict.detail.as_deref()),
        started.map(jiff::Timestamp::as_microsecond),
        ended.map(|ended| ended.at.as_microsecond()),
        ended.filter(has_begun).map(|ended| micros(ended.duration)),
        code,
        signal,
        ended.and_then(|ended| ended.cpu).map(micros),
        ended.and_then(|ended| ended.max_rss),
        ended.map_or(0, |ended| ended.output_bytes),
    ])
}

fn micros(duration: std::time::Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}

fn saturating(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

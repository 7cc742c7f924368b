//! Who writes? One task, which commits whatever is ready together, and goes on trying where it cannot.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use sqlx::SqliteConnection;
use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::time::sleep;

use super::anew::Known;
use super::batch::{write_output, write_records};
use super::ground::{Ground, Mended};
use super::open::Store;
use super::statements::{BEGIN, COMMIT, ROLLBACK};
use super::trace::{Trace, opens};
use super::trouble::{Fault, Trouble};
use super::upkeep::Upkeep;
use crate::clock::Clock;
use crate::plan::{Decision, Record};
use crate::run::{AttemptId, EventKind, EventNote, OutputPiece, RunId};

/// Decisions that wait for the disk, besides two for each run that may go: its start and its end. A planner that cannot be
/// recorded is not woken, or starts no more than fit in here.
const DECISIONS: usize = 8192;
/// Decisions in one transaction: enough that its fsync costs each little, few enough that none waits long.
const GROUP: usize = 512;
/// Pieces of output that wait for the disk, of 64 KiB at most.
const PIECES: usize = 128;
/// Pauses between attempts to write.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// How often a daemon that has nothing to write looks whether its ledger is still there.
const LOOK_EVERY: Duration = Duration::from_secs(3);
/// Pages in the write-ahead log, of 4 KiB, after which it is worth the upkeep's time.
const CHECKPOINT_AFTER: u64 = 1000;

/// A decision in the ledger.
#[derive(Debug)]
pub struct Answer {
    pub decision: Arc<Decision>,
    /// Entries that the ledger had already.
    pub refused: BTreeSet<RunId>,
}

/// Asks a planner for all that a ledger must know that has lost some of it.
pub type Restate = oneshot::Sender<Decision>;

/// Where decisions and output are handed in.
#[derive(Debug, Clone)]
pub struct Writer {
    decisions: mpsc::Sender<Arc<Decision>>,
    pub pieces: mpsc::Sender<OutputPiece>,
    trouble: watch::Receiver<Option<Trouble>>,
}

/// What carries the writing out; owned by whoever runs it.
pub struct WriterEnd {
    ground: Ground,
    decisions: mpsc::Receiver<Arc<Decision>>,
    /// Those that were taken out of turn.
    backlog: VecDeque<Arc<Decision>>,
    pieces: mpsc::Receiver<OutputPiece>,
    answers: mpsc::Sender<Answer>,
    recorded: mpsc::Sender<(AttemptId, u32)>,
    trouble: watch::Sender<Option<Trouble>>,
    planner: Option<mpsc::Sender<Restate>>,
    /// What the ledger is told of itself with the next group.
    notes: Vec<Record>,
    suspicion: Arc<Notify>,
    /// What was found when all of the ledger was looked at.
    damage: watch::Sender<Option<String>>,
    /// Whether a damage has been met once, which is not believed: what was in memory may have been wrong.
    suspects: bool,
    /// What the last attempt refused, if it is not known whether that has reached the disk.
    in_doubt: Option<BTreeSet<RunId>>,
}

impl Writer {
    /// The two ends of a writer, and where its answers come out: of decisions, and of how many pieces of an attempt's output
    /// are in the ledger now.
    pub fn new(
        store: &Store,
        places: usize,
    ) -> (Self, WriterEnd, mpsc::Receiver<Answer>, mpsc::Receiver<(AttemptId, u32)>) {
        let waiting = DECISIONS + 2 * places;
        let (decisions, decisions_out) = mpsc::channel(waiting);
        let (pieces, pieces_out) = mpsc::channel(PIECES);
        let (answers, answers_out) = mpsc::channel(waiting);
        let (recorded, recorded_out) = mpsc::channel(PIECES);
        let (trouble, trouble_out) = watch::channel(None);
        let end = WriterEnd {
            ground: Ground::of(store),
            decisions: decisions_out,
            backlog: VecDeque::new(),
            pieces: pieces_out,
            answers,
            recorded,
            trouble,
            planner: None,
            notes: Vec::new(),
            suspicion: store.suspicion.clone(),
            damage: watch::Sender::new(None),
            suspects: false,
            in_doubt: None,
        };
        (Self { decisions, pieces, trouble: trouble_out }, end, answers_out, recorded_out)
    }

    /// Hands in a decision; the answer comes when it is in the ledger.
    pub async fn commit(&self, decision: Arc<Decision>) {
        // The end lives as long as any writer, so that there is somebody to take it.
        let _ = self.decisions.send(decision).await;
    }

    /// What keeps the ledger from being written, if anything does.
    pub fn trouble(&self) -> watch::Receiver<Option<Trouble>> {
        self.trouble.clone()
    }
}

impl WriterEnd {
    /// Where to ask the planner what it knows, should the ledger have to begin anew.
    #[must_use]
    pub fn with_planner(self, planner: mpsc::Sender<Restate>) -> Self {
        Self { planner: Some(planner), ..self }
    }

    /// Writes until all writers are gone and everything handed in is in the ledger.
    pub async fn run(self) {
        let (full, log_is_full) = mpsc::channel(1);
        let (too_long, log_is_too_long) = watch::channel(false);
        let upkeep = Upkeep {
            pool: self.ground.upkeep.clone(),
            path: self.ground.path().to_owned(),
            held: self.ground.held(),
            log_is_full,
            too_long,
            suspicion: self.suspicion.clone(),
            damage: self.damage.clone(),
        };
        // It works on a connection of its own; commits go on meanwhile.
        tokio::join!(upkeep.run(), self.write_all(full, log_is_too_long));
    }

    async fn write_all(mut self, log_is_full: mpsc::Sender<()>, log_is_too_long: watch::Receiver<bool>) {
        let mut written_pages = 0;
        while let Some((mut decisions, pieces)) = self.next_group().await {
            if decisions.is_empty() && pieces.is_empty() && self.look().is_ok() {
                continue;
            }
            let refused = self.write_until_done(&mut decisions, &pieces).await;
            written_pages += estimated_pages(decisions.len(), &pieces);
            self.answer(decisions, &refused).await;
            self.acknowledge(&pieces).await;
            if *log_is_too_long.borrow() {
                self.begin_the_log_anew().await;
            }
            if written_pages > CHECKPOINT_AFTER && log_is_full.try_send(()).is_ok() {
                written_pages = 0;
            }
        }
    }

    /// What is to be written next; nothing, if it is only time to look at the ledger; `None` if nothing will come any more.
    async fn next_group(&mut self) -> Option<(Vec<Arc<Decision>>, Vec<OutputPiece>)> {
        let backlog = self.backlog.len().min(GROUP);
        let mut decisions: Vec<_> = self.backlog.drain(..backlog).collect();
        let mut pieces = Vec::new();
        if decisions.is_empty() {
            let decisions_come = !self.decisions.is_closed() || !self.decisions.is_empty();
            let pieces_come = !self.pieces.is_closed() || !self.pieces.is_empty();
            if !decisions_come && !pieces_come {
                return None;
            }
            let mut damage = self.damage.subscribe();
            tokio::select! {
                biased;
                _ = self.decisions.recv_many(&mut decisions, GROUP), if decisions_come => {}
                _ = self.pieces.recv_many(&mut pieces, PIECES), if pieces_come => {}
                _ = damage.changed() => {}
                () = sleep(LOOK_EVERY) => {}
            }
        }
        // An end comes after its run's output was handed in; both are committed together.
        while pieces.len() < PIECES
            && let Ok(piece) = self.pieces.try_recv()
        {
            pieces.push(piece);
        }
        Some((decisions, pieces))
    }

    /// Writes a group, which grows by all that waits if the ledger has to begin anew.
    async fn write_until_done(
        &mut self,
        decisions: &mut Vec<Arc<Decision>>,
        pieces: &[OutputPiece],
    ) -> BTreeSet<RunId> {
        let mut pause = FIRST_PAUSE;
        loop {
            let fault = match self.write(decisions, pieces).await {
                Ok(refused) => {
                    self.is_well();
                    return refused;
                }
                Err(fault) => fault,
            };
            self.complain(&fault);
            self.mend(fault, decisions, pieces).await;
            // Also where it was mended: whatever did it may do so again.
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn complain(&mut self, fault: &Fault) {
        let message = fault.explain(self.ground.path());
        let now = Clock::System.now();
        let is_news = self.trouble.send_if_modified(|trouble| {
            let since = trouble.as_ref().map_or(now, |trouble| trouble.since);
            let is_news = trouble.as_ref().is_none_or(|trouble| trouble.message != message);
            *trouble = Some(Trouble { since, message: message.clone() });
            is_news
        });
        if is_news {
            tracing::error!("{message}");
            self.note(message);
        }
    }

    fn is_well(&mut self) {
        self.suspects = false;
        self.notes.clear();
        self.ground.written();
        if self.trouble.send_if_modified(|trouble| trouble.take().is_some()) {
            tracing::warn!("the ledger can be written again");
        }
    }

    /// Makes good what can be.
    async fn mend(&mut self, fault: Fault, decisions: &mut Vec<Arc<Decision>>, pieces: &[OutputPiece]) {
        let mended = if matches!(fault, Fault::Damaged(_)) {
            if self.ground.look().is_ok() && !self.suspects {
                self.suspects = true;
                self.ground.forget().await;
                return;
            }
            let stated = self.stated().await;
            let (group, backlog) = (decisions.as_slice(), self.backlog.make_contiguous());
            let known = Known::of(stated, group, self.in_doubt.as_ref(), backlog, pieces);
            self.ground.begin_anew(&known).await
        } else {
            self.ground.mend(&fault).await
        };
        match mended {
            Ok(Mended::PutBack { aside }) => self.say(match aside {
                Some(aside) => format!("the ledger is back in its place; what was there is now {}", aside.display()),
                None => "the ledger is back in its place".to_owned(),
            }),
            Ok(Mended::Anew { aside, saved, refused }) => {
                self.damage.send_replace(None);
                // It has all this already.
                decisions.extend(self.backlog.drain(..));
                self.in_doubt = Some(refused);
                let aside = aside.map_or_else(|| "gone".to_owned(), |aside| aside.display().to_string());
                self.say(format!("the damaged ledger is now {aside}; {}", saved.explain()));
            }
            Err(other) if other != fault => self.complain(&other),
            Ok(Mended::Quietly) | Err(_) => {}
        }
    }

    /// What the planner knows, for a ledger that may have lost it. The backlog is all that was decided on until then.
    async fn stated(&mut self) -> Decision {
        let (ask, answer) = oneshot::channel();
        let stated = match &self.planner {
            Some(planner) if planner.send(ask).await.is_ok() => answer.await.ok(),
            // One that has ended has nothing to say.
            Some(_) | None => None,
        };
        while let Ok(decision) = self.decisions.try_recv() {
            self.backlog.push_back(decision);
        }
        stated.unwrap_or_default()
    }

    fn say(&mut self, message: String) {
        tracing::error!("{message}");
        self.note(message);
    }

    fn note(&mut self, detail: String) {
        self.notes.push(event(detail));
    }

    /// The notes, and that there will be no more of this trouble: it is written with the first group that is.
    fn notes_and_farewell(&self) -> Vec<Record> {
        let mut notes = self.notes.clone();
        if self.trouble.borrow().is_some() {
            notes.push(event("the ledger can be written again".to_owned()));
        }
        notes
    }

    fn look(&self) -> Result<(), Fault> {
        self.ground.guard()?;
        self.damage.borrow().clone().map_or(Ok(()), |found| Err(Fault::Damaged(found)))
    }

    /// Writes a group, unless it is found to be in the ledger already.
    async fn write(&mut self, decisions: &[Arc<Decision>], pieces: &[OutputPiece]) -> Result<BTreeSet<RunId>, Fault> {
        self.look()?;
        if decisions.is_empty() && pieces.is_empty() && self.notes.is_empty() {
            return Ok(BTreeSet::new());
        }
        let pool = self.ground.writer.clone();
        let path = self.ground.path().to_owned();
        let sql = |error: sqlx::Error| Fault::of_sql(&error, &path);
        let mut connection = pool.acquire().await.map_err(sql)?;
        // Somebody may have put another file there while this connection was being made.
        self.ground.guard()?;
        let written = self.transact(&mut connection, decisions, pieces).await;
        if written.is_err() {
            // SQLite may have done so by itself.
            let _ = sqlx::query(ROLLBACK).execute(&mut *connection).await;
        }
        written.map_err(sql)
    }

    async fn transact(
        &mut self,
        connection: &mut SqliteConnection,
        decisions: &[Arc<Decision>],
        pieces: &[OutputPiece],
    ) -> Result<BTreeSet<RunId>, sqlx::Error> {
        let notes = self.notes_and_farewell();
        if self.in_doubt.is_some() {
            // What a log holds that could not be brought to the disk is brought there with the database itself.
            sqlx::query("PRAGMA wal_checkpoint(PASSIVE)").execute(&mut *connection).await?;
        }
        sqlx::query(BEGIN).execute(&mut *connection).await?;
        if self.in_doubt.is_some()
            && let Some(trace) = Trace::of(decisions)
            && trace.is_left(connection, &self.ground.identity).await?
        {
            write_records(connection, &[&notes], &self.ground.identity).await?;
            sqlx::query(COMMIT).execute(&mut *connection).await?;
            return Ok(self.in_doubt.take().unwrap_or_default());
        }
        // What is restated may be there, and is nobody's refusal.
        write_records(connection, &[&notes], &self.ground.identity).await?;
        let records: Vec<_> = decisions.iter().map(|decision| decision.records.as_slice()).collect();
        let refused = write_records(connection, &records, &self.ground.identity).await?;
        write_output(connection, pieces).await?;
        if let Err(error) = sqlx::query(COMMIT).execute(connection).await {
            self.in_doubt = Some(refused);
            return Err(error);
        }
        self.in_doubt = None;
        Ok(refused)
    }

    /// Under a steady load there is never a moment in which all of the log is in the database while nobody writes, and it
    /// would grow for ever: here nobody does.
    async fn begin_the_log_anew(&self) {
        // On the connection that waits for nobody, as a backup may read for minutes. If it is at work, the next group is
        // early enough.
        let Some(mut upkeep) = self.ground.upkeep.try_acquire() else {
            return;
        };
        if let Err(error) = sqlx::query("PRAGMA wal_checkpoint(RESTART)").execute(&mut *upkeep).await {
            tracing::warn!("the write-ahead log cannot begin anew: {error}");
        }
    }

    async fn answer(&self, decisions: Vec<Arc<Decision>>, refused: &BTreeSet<RunId>) {
        for decision in decisions {
            let refused = own_refusals(&decision, refused);
            let answer = Answer { decision, refused };
            // Nobody listens any more when a daemon that failed is being taken down.
            let _ = self.answers.send(answer).await;
        }
    }

    /// Who holds output until it is in the ledger may let go of it.
    async fn acknowledge(&self, pieces: &[OutputPiece]) {
        for of_one in pieces.chunk_by(|one, other| one.id == other.id) {
            if let (Some(piece), Ok(count)) = (of_one.first(), u32::try_from(of_one.len())) {
                // Nobody listens any more when a daemon that failed is being taken down.
                let _ = self.recorded.send((piece.id, count)).await;
            }
        }
    }
}

fn event(detail: String) -> Record {
    Record::Event(EventNote { at: Clock::System.now(), kind: EventKind::Trouble, job: None, detail })
}

/// Which of the refused entries are of this decision.
fn own_refusals(decision: &Decision, refused: &BTreeSet<RunId>) -> BTreeSet<RunId> {
    if refused.is_empty() {
        return BTreeSet::new();
    }
    let own = decision.records.iter().filter_map(|record| match record {
        Record::Begun { run, .. } => Some(*run),
        _ => opens(record),
    });
    own.filter(|run| refused.contains(run)).collect()
}

/// Roughly how many pages a transaction has written.
fn estimated_pages(decisions: usize, pieces: &[OutputPiece]) -> u64 {
    const PAGE: usize = 4096;
    let output: usize = pieces.iter().map(|piece| piece.data.len() / PAGE + 1).sum();
    u64::try_from(decisions * 2 + output).unwrap_or(u64::MAX)
}

//! How did the steps of a run go? As [`Course`] decides, each as its habits are.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::story::Attempt;
use super::voice::Said;
use crate::job::Steps;
use crate::plan::{Course, Move, pause, verdict_of_work};
use crate::run::{AttemptId, Ended, Exit, Outcome, OutputPiece, Reason, RunId, Status, StepEnd, StepNote, Verdict};

/// Between a decision and what comes of it.
const A_MOMENT: Duration = Duration::from_micros(700);

/// What comes of the steps of an attempt.
pub struct Played {
    /// In the order of time.
    pub notes: Vec<(Timestamp, Note)>,
    pub ended: Ended,
}

/// What is to be recorded of an attempt while it goes.
#[derive(Debug, Clone)]
pub enum Note {
    Step(StepNote),
    Piece(OutputPiece),
}

impl Note {
    pub fn id(&self) -> AttemptId {
        match self {
            Self::Step(note) => note.id,
            Self::Piece(piece) => piece.id,
        }
    }
}

struct Play<'p> {
    run: RunId,
    attempt: u32,
    steps: &'p Steps,
    notes: Vec<(Timestamp, Note)>,
    /// What goes, by its end.
    going: BTreeMap<(Timestamp, usize), Going>,
    used: Ended,
}

struct Going {
    step_attempt: u32,
    started: Timestamp,
    attempt: Attempt,
}

/// Plays all steps of an attempt from `started` on; `tell` says how each attempt of a step goes.
pub fn play(
    run: RunId,
    attempt: u32,
    steps: &Arc<Steps>,
    started: Timestamp,
    mut tell: impl FnMut(usize, u32) -> Attempt,
) -> Played {
    let mut course = Course::new(steps.clone());
    let used = Ended::unmeasured(Exit::Done, started);
    let mut play = Play { run, attempt, steps, notes: Vec::new(), going: BTreeMap::new(), used };
    let mut now = started;
    let mut moves = course.moves();
    loop {
        while !moves.is_empty() {
            moves = play.take(std::mem::take(&mut moves), now, &mut course, &mut tell);
        }
        let Some(((at, step), going)) = play.going.pop_first() else {
            break;
        };
        now = at;
        let ended = play.end(step, &going, now, going.attempt.exit.clone());
        let work = &steps.list[step];
        let verdict = verdict_of_work(&work.work, &ended);
        let again = pause(&work.retries, run, going.step_attempt, &verdict, &ended);
        match again.filter(|_| course.may_retry(step)) {
            Some(pause) => play.begin(step, going.step_attempt + 1, later(now, pause), &mut tell),
            None => moves = course.handle_ended(step, &verdict, ended.exit.code_and_signal()),
        }
    }
    let end = later(now, A_MOMENT);
    let duration = Duration::try_from(end.duration_since(started)).unwrap_or_default();
    play.notes.sort_by_key(|(at, _)| *at);
    let exit = Exit::Steps(course.into_failed());
    Played { notes: play.notes, ended: Ended { exit, at: end, duration, ..play.used } }
}

impl Play<'_> {
    /// Carries out what was decided; what follows from it is decided on again.
    fn take(
        &mut self,
        moves: Vec<Move>,
        now: Timestamp,
        course: &mut Course,
        tell: &mut impl FnMut(usize, u32) -> Attempt,
    ) -> Vec<Move> {
        let mut follow = Vec::new();
        for step in moves {
            match step {
                Move::Begin(at) => self.begin(at, 1, later(now, A_MOMENT), tell),
                Move::Skip(at, why) => {
                    let verdict = Verdict::new(Outcome::Skipped, Reason::Needs, why);
                    self.note(at, 1, None, now, Some(StepEnd { verdict, ended: None }));
                }
                Move::Stop(at, _) => follow.extend(self.stop(at, now, course)),
            }
        }
        follow
    }

    fn begin(&mut self, step: usize, step_attempt: u32, at: Timestamp, tell: &mut impl FnMut(usize, u32) -> Attempt) {
        let attempt = tell(step, step_attempt);
        self.note(step, step_attempt, Some(at), at, None);
        let pieces = pieces(self.id(step, step_attempt), at, attempt.lasts, &attempt.said);
        self.notes.extend(pieces.into_iter().map(|piece| (piece.at, Note::Piece(piece))));
        self.going.insert((later(at, attempt.lasts), step), Going { step_attempt, started: at, attempt });
    }

    fn stop(&mut self, step: usize, now: Timestamp, course: &mut Course) -> Vec<Move> {
        let Some(key) = self.going.keys().find(|(_, at)| *at == step).copied() else {
            return Vec::new();
        };
        let Some(going) = self.going.remove(&key) else {
            return Vec::new();
        };
        let id = self.id(step, going.step_attempt);
        self.notes.retain(|(at, note)| *at <= now || note.id() != id);
        let exit = Exit::Stopped { reason: Reason::Needs, status: Status::Signal(15) };
        let ended = self.end(step, &going, now, exit);
        let verdict = verdict_of_work(&self.steps.list[step].work, &ended);
        course.handle_ended(step, &verdict, ended.exit.code_and_signal())
    }

    /// An attempt of a step is over.
    fn end(&mut self, step: usize, going: &Going, now: Timestamp, exit: Exit) -> Ended {
        let id = self.id(step, going.step_attempt);
        let written = self.notes.iter().filter_map(|(_, note)| match note {
            Note::Piece(piece) if piece.id == id => Some(piece.offset + piece.data.len() as u64),
            Note::Piece(_) | Note::Step(_) => None,
        });
        let ended = Ended {
            duration: Duration::try_from(now.duration_since(going.started)).unwrap_or_default(),
            cpu: going.attempt.cpu,
            max_rss: going.attempt.max_rss,
            output_bytes: written.max().unwrap_or(0),
            ..Ended::unmeasured(exit, now)
        };
        self.used.cpu = self.used.cpu.into_iter().chain(ended.cpu).reduce(|all, one| all + one);
        self.used.max_rss = self.used.max_rss.max(ended.max_rss);
        self.used.output_bytes += ended.output_bytes;
        let verdict = verdict_of_work(&self.steps.list[step].work, &ended);
        let end = StepEnd { verdict, ended: Some(ended.clone()) };
        self.note(step, going.step_attempt, Some(going.started), now, Some(end));
        ended
    }

    fn note(
        &mut self,
        step: usize,
        step_attempt: u32,
        started: Option<Timestamp>,
        at: Timestamp,
        end: Option<StepEnd>,
    ) {
        let note = StepNote { id: self.id(step, step_attempt), name: self.steps.list[step].name.clone(), started, end };
        self.notes.push((at, Note::Step(note)));
    }

    fn id(&self, step: usize, step_attempt: u32) -> AttemptId {
        let step = u32::try_from(step + 1).unwrap_or(u32::MAX);
        AttemptId { step, step_attempt, ..AttemptId::whole(self.run, self.attempt) }
    }
}

/// What was said, as pieces of output at their times.
pub fn pieces(id: AttemptId, started: Timestamp, lasts: Duration, said: &[Said]) -> Vec<OutputPiece> {
    let mut offset = 0;
    let piece = |said: &Said| {
        offset += said.cut;
        let data = said.text.clone().into_bytes();
        let at = later(started, lasts * said.after.min(1000) / 1000);
        let piece = OutputPiece { id, offset, stream: said.stream, at, data, expired: None };
        offset += piece.data.len() as u64;
        piece
    };
    said.iter().map(piece).collect()
}

/// A moment so much later, in whole microseconds.
pub fn later(at: Timestamp, by: Duration) -> Timestamp {
    let micros = i64::try_from(by.as_micros()).unwrap_or(0);
    at.checked_add(SignedDuration::from_micros(micros)).unwrap_or(at)
}

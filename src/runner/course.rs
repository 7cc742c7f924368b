//! How are the steps of a run carried out? As [`Course`] says: it decides, this begins, waits and ends.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::{Id, JoinError, JoinSet};
use tokio::time::{Instant, sleep_until};

use super::door::{Event, Order, Stop, demand};
use super::part::Part;
use super::tools::Tools;
use super::trouble::panic_text;
use super::work::{carry_on, carry_work};
use crate::clock::instant;
use crate::job::{Step, Steps};
use crate::keeper::Kept;
use crate::plan::{Course, Move, pause, verdict_of_work};
use crate::run::{AttemptId, Ended, Exit, Outcome, Reason, Status, StepEnd, StepNote, Verdict};

/// Carries all steps out, and says how the whole ended.
pub async fn carry_steps(
    order: &Arc<Order>,
    steps: Arc<Steps>,
    tools: &Arc<Tools>,
    stops: watch::Receiver<Option<Stop>>,
) -> Ended {
    let (at, since) = (tools.clock.now(), instant());
    let _ = tools.events.send(Event::Started { run: order.run, at, process: None }).await;
    let mut walk = Walk::new(order.clone(), steps, tools.clone());
    let first = walk.course.moves();
    walk.take(first).await;
    carry_all(walk, since, stops).await
}

/// Goes on where another scheduler has ended: with the processes that are kept, and what the ledger knows of the steps.
pub async fn resume_steps(
    order: &Arc<Order>,
    steps: Arc<Steps>,
    (parts, started, past): (Vec<Kept>, Option<Timestamp>, Vec<StepNote>),
    tools: &Arc<Tools>,
    stops: watch::Receiver<Option<Stop>>,
) -> Ended {
    let now = tools.clock.now();
    let at = started.unwrap_or(now).min(now);
    let gone = Duration::try_from(now.duration_since(at)).unwrap_or_default();
    let since = instant().checked_sub(gone).unwrap_or_else(instant);
    let _ = tools.events.send(Event::Started { run: order.run, at, process: None }).await;
    let mut walk = Walk::new(order.clone(), steps, tools.clone());
    let first = walk.resume(parts, past).await;
    walk.take(first).await;
    carry_all(walk, since, stops).await
}

async fn carry_all(mut walk: Walk, since: Instant, mut stops: watch::Receiver<Option<Stop>>) -> Ended {
    let (steps, tools) = (walk.steps.clone(), walk.tools.clone());
    let time_is_up = steps.timeout.map(|timeout| since + timeout);
    let mut ending: Option<Exit> = None;
    while !walk.course.is_over() {
        let soonest = walk.deadlines.values().copied().min();
        let moves = tokio::select! {
            biased;
            Ok(()) = stops.changed() => match *stops.borrow_and_update() {
                Some(stop) => {
                    ending.get_or_insert(Exit::Stopped { reason: stop.reason, status: Status::Cancelled });
                    walk.stop(stop)
                }
                None => Vec::new(),
            },
            () = until(time_is_up), if ending.is_none() => {
                let after = steps.timeout.unwrap_or_default();
                ending = Some(Exit::TimedOut { after, status: Status::Cancelled });
                walk.stop(Stop { reason: Reason::Timeout, kill: false })
            }
            () = until(soonest) => walk.overdue(),
            Some(ended) = walk.tasks.join_next_with_id() => walk.ended(ended).await,
        };
        walk.take(moves).await;
    }
    let Walk { course, used, .. } = walk;
    let exit = ending.unwrap_or_else(|| Exit::Steps(course.into_failed()));
    Ended { exit, at: tools.clock.now(), duration: since.elapsed(), matched: None, lacking: None, ..used }
}

/// The steps of one attempt while they are carried out.
struct Walk {
    order: Arc<Order>,
    steps: Arc<Steps>,
    tools: Arc<Tools>,
    course: Course,
    tasks: JoinSet<Walked>,
    /// Steps by their tasks, with the number of the attempt.
    going: BTreeMap<Id, (usize, u32)>,
    stops: BTreeMap<usize, watch::Sender<Option<Stop>>>,
    /// Until when steps that run in spite of a stop may do so.
    deadlines: BTreeMap<usize, Instant>,
    stopped: Option<Stop>,
    /// What all steps have used together.
    used: Ended,
}

/// An attempt of a step that has ended.
struct Walked {
    verdict: Verdict,
    ended: Ended,
}

impl Walk {
    fn new(order: Arc<Order>, steps: Arc<Steps>, tools: Arc<Tools>) -> Self {
        let used = Ended::unmeasured(Exit::Done, tools.clock.now());
        let course = Course::new(steps.clone());
        let (tasks, going, stops, deadlines) = (JoinSet::new(), BTreeMap::new(), BTreeMap::new(), BTreeMap::new());
        Self { order, steps, tools, course, tasks, going, stops, deadlines, stopped: None, used }
    }

    fn id(&self, at: usize, step_attempt: u32) -> AttemptId {
        let step = u32::try_from(at + 1).unwrap_or(u32::MAX);
        AttemptId { step, step_attempt, ..AttemptId::whole(self.order.run, self.order.attempt) }
    }

    /// Carries out what was decided.
    async fn take(&mut self, moves: Vec<Move>) {
        for step in moves {
            match step {
                Move::Begin(at) => self.begin(at, 1, Duration::ZERO),
                Move::Skip(at, why) => {
                    let verdict = Verdict::new(Outcome::Skipped, Reason::Needs, why);
                    let name = self.steps.list[at].name.clone();
                    self.tools.step_ended(self.id(at, 1), name, None, verdict, None).await;
                }
                Move::Stop(at, _) => {
                    let stop = self.stopped.unwrap_or(Stop { reason: Reason::Needs, kill: false });
                    self.demand(at, stop);
                }
            }
        }
    }

    fn begin(&mut self, at: usize, attempt: u32, after: Duration) {
        let (part, stops) = self.part(at, self.id(at, attempt));
        if self.stopped.is_some() {
            self.deadlines.insert(at, instant() + patience(&self.steps.list[at]));
        }
        let task = self.tasks.spawn(walk(part, self.tools.clone(), stops, after));
        self.going.insert(task.id(), (at, attempt));
    }

    fn part(&mut self, at: usize, id: AttemptId) -> (Part, watch::Receiver<Option<Stop>>) {
        let step = &self.steps.list[at];
        let (work, name) = (step.work.clone(), step.name.clone());
        let (stop, stops) = watch::channel(None);
        self.stops.insert(at, stop);
        (Part { order: self.order.clone(), work, id, step: Some(name) }, stops)
    }

    /// Takes up what is kept and what is known, and says what follows from it. Steps go by their names: the file may have
    /// another order by now, and what it no longer has is ended.
    async fn resume(&mut self, parts: Vec<Kept>, past: Vec<StepNote>) -> Vec<Move> {
        let place = |name: &str| self.steps.list.iter().position(|step| step.name.as_str() == name);
        let mut kept: BTreeMap<usize, Kept> = BTreeMap::new();
        for part in parts {
            if let Some(at) = place(&part.begun.label) {
                // Of an attempt that was followed by another the end is in the ledger.
                let is_newer = kept.get(&at).is_none_or(|other| other.id < part.id);
                if is_newer {
                    kept.insert(at, part);
                }
            }
        }
        let mut known: Vec<(usize, StepNote)> =
            past.into_iter().filter_map(|note| Some((place(note.name.as_str())?, note))).collect();
        known.retain(|(at, note)| kept.get(at).is_none_or(|kept| kept.id.step_attempt < note.id.step_attempt));
        // The first that failed speaks for the whole.
        known.sort_by_key(|(_, note)| note.end.as_ref().and_then(|end| end.ended.as_ref()).map(|ended| ended.at));
        for at in kept.keys().chain(known.iter().map(|(at, _)| at)) {
            self.course.resume(*at);
        }
        for (at, kept) in kept {
            let (id, (part, stops)) = (kept.id, self.part(at, kept.id));
            let task = self.tasks.spawn(walk_on(part, kept, self.tools.clone(), stops));
            self.going.insert(task.id(), (at, id.step_attempt));
        }
        let mut moves = Vec::new();
        for (at, note) in known {
            moves.extend(self.known(at, note).await);
        }
        moves.extend(self.course.moves());
        moves
    }

    /// A step that nobody carries out any more: it is over, or its end will never be learned.
    async fn known(&mut self, at: usize, note: StepNote) -> Vec<Move> {
        let StepNote { id, name, started, end } = note;
        match end {
            Some(StepEnd { verdict, .. }) if verdict.outcome == Outcome::Skipped => {
                self.course.skip(at);
                Vec::new()
            }
            Some(StepEnd { verdict, ended }) => {
                let ended = ended.unwrap_or_else(|| Ended::unmeasured(Exit::Done, self.tools.clock.now()));
                self.over(at, id.step_attempt, &verdict, &ended)
            }
            None => {
                let detail = "the scheduler ended while it ran; its end could not be learned".to_owned();
                let ended = Ended::unmeasured(Exit::Lost { detail }, self.tools.clock.now());
                let verdict = verdict_of_work(&self.steps.list[at].work, &ended);
                self.tools.step_ended(id, name, started, verdict.clone(), Some(ended.clone())).await;
                self.over(at, id.step_attempt, &verdict, &ended)
            }
        }
    }

    fn demand(&self, at: usize, stop: Stop) {
        if let Some(stops) = self.stops.get(&at) {
            demand(stops, stop);
        }
    }

    /// The run is to end.
    fn stop(&mut self, stop: Stop) -> Vec<Move> {
        self.stopped = Some(stop);
        if stop.kill {
            return self.course.handle_kill();
        }
        let moves = self.course.handle_stop();
        for (at, _) in self.going.values() {
            let step = &self.steps.list[*at];
            if step.always {
                self.deadlines.entry(*at).or_insert_with(|| instant() + patience(step));
            }
        }
        moves
    }

    /// Ends the steps that went on in spite of a stop for as long as they may.
    fn overdue(&mut self) -> Vec<Move> {
        let now = instant();
        let late: Vec<usize> = self.deadlines.iter().filter(|(_, until)| **until <= now).map(|(at, _)| *at).collect();
        for at in late {
            self.deadlines.remove(&at);
            self.demand(at, self.stopped.unwrap_or(Stop { reason: Reason::Timeout, kill: false }));
        }
        Vec::new()
    }

    /// An attempt of a step has ended: it is tried again, or over.
    async fn ended(&mut self, ended: Result<(Id, Walked), JoinError>) -> Vec<Move> {
        let (task, walked) = match ended {
            Ok((task, walked)) => (task, Ok(walked)),
            Err(error) => (error.id(), Err(error)),
        };
        let Some((at, attempt)) = self.going.remove(&task) else {
            return Vec::new();
        };
        let Walked { verdict, ended } = match walked {
            Ok(walked) => walked,
            Err(error) => self.panicked(at, attempt, error).await,
        };
        self.over(at, attempt, &verdict, &ended)
    }

    /// An attempt of a step is over: what follows from it?
    fn over(&mut self, at: usize, attempt: u32, verdict: &Verdict, ended: &Ended) -> Vec<Move> {
        self.add(ended);
        self.deadlines.remove(&at);
        let step = &self.steps.list[at];
        let again = pause(&step.retries, self.order.run, attempt, verdict, ended);
        if let Some(again) = again.filter(|_| self.stopped.is_none() && self.course.may_retry(at)) {
            self.begin(at, attempt + 1, again);
            return Vec::new();
        }
        self.stops.remove(&at);
        self.course.handle_ended(at, verdict, ended.exit.code_and_signal())
    }

    /// A panic in the task of a step is how the step ended.
    async fn panicked(&self, at: usize, attempt: u32, error: JoinError) -> Walked {
        let step = &self.steps.list[at];
        let ended = Ended::unmeasured(Exit::Panicked { detail: panic_text(error) }, self.tools.clock.now());
        let verdict = verdict_of_work(&step.work, &ended);
        let (id, name) = (self.id(at, attempt), step.name.clone());
        self.tools.step_ended(id, name, None, verdict.clone(), Some(ended.clone())).await;
        Walked { verdict, ended }
    }

    fn add(&mut self, ended: &Ended) {
        let used = &mut self.used;
        used.cpu = used.cpu.into_iter().chain(ended.cpu).reduce(|all, one| all + one);
        used.max_rss = used.max_rss.max(ended.max_rss);
        used.output_bytes += ended.output_bytes;
    }
}

/// How long a step that runs in spite of a stop may take.
fn patience(step: &Step) -> Duration {
    step.work.timeout.unwrap_or(step.work.kill_after)
}

/// Carries one attempt of a step out, after a pause in which it can be stopped.
async fn walk(part: Part, tools: Arc<Tools>, mut stops: watch::Receiver<Option<Stop>>, after: Duration) -> Walked {
    if !after.is_zero() {
        let stop = tokio::select! {
            biased;
            Ok(()) = stops.changed() => *stops.borrow_and_update(),
            () = sleep_until(instant() + after) => None,
        };
        if let Some(stop) = stop {
            let exit = Exit::Stopped { reason: stop.reason, status: Status::Cancelled };
            let ended = Ended::unmeasured(exit, tools.clock.now());
            let verdict = verdict_of_work(&part.work, &ended);
            return report(&part, &tools, None, verdict, ended).await;
        }
    }
    let ended = carry_work(&part, &tools, stops).await;
    let verdict = verdict_of_work(&part.work, &ended);
    let started = began_at(&ended);
    report(&part, &tools, started, verdict, ended).await
}

/// Goes on with an attempt of a step that was begun for another scheduler.
async fn walk_on(part: Part, kept: Kept, tools: Arc<Tools>, stops: watch::Receiver<Option<Stop>>) -> Walked {
    let ended = carry_on(&part, kept, &tools, stops).await;
    let verdict = verdict_of_work(&part.work, &ended);
    let started = began_at(&ended);
    report(&part, &tools, started, verdict, ended).await
}

async fn report(part: &Part, tools: &Tools, started: Option<Timestamp>, verdict: Verdict, ended: Ended) -> Walked {
    if let Some(name) = part.step.clone() {
        tools.step_ended(part.id, name, started, verdict.clone(), Some(ended.clone())).await;
    }
    Walked { verdict, ended }
}

/// When it began, as far as its end tells; what was said when it began is kept.
fn began_at(ended: &Ended) -> Option<Timestamp> {
    let has_begun = !matches!(ended.exit, Exit::NotStarted { .. });
    has_begun.then(|| ended.at.checked_sub(ended.duration).unwrap_or(ended.at))
}

async fn until(instant: Option<Instant>) {
    match instant {
        Some(instant) => sleep_until(instant).await,
        None => std::future::pending().await,
    }
}

//! What did a daemon's life leave to be recorded? The real planner, on a clock that only this file moves, over runs that go
//! as their story says.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::chance::Chance;
use super::course::{Note, Played, later, pieces, play};
use super::scene::Scene;
use super::story::{Attempt, tell};
use crate::job::{Job, JobName, Task, Work};
use crate::plan::{Action, Capacities, Decision, Drain, Lapse, Launch, Planner, Record};
use crate::run::{
    AttemptId, Ended, EventKind, EventNote, Exit, Outcome, OutputPiece, ProcessId, Reason, RunId, Status, StepEnd,
    StepNote, Verdict,
};

/// For how long a daemon that stops lets runs finish.
const GRACE: Duration = Duration::from_secs(30);
/// How long a process takes to end when it is asked to.
const OBEYS_WITHIN: Duration = Duration::from_millis(40);
/// The job in the middle of whose run the machine goes down, and how far it gets.
const STRUCK: &str = "backup";
const STRUCK_AFTER: Duration = Duration::from_secs(70);

/// What is told of: from when to when, and by which chance.
#[derive(Debug, Clone, Copy)]
pub struct Telling {
    pub from: Timestamp,
    pub until: Timestamp,
    pub chance: Chance,
    /// Jobs write nothing.
    pub is_silent: bool,
}

/// What happens to a daemon besides its jobs.
#[derive(Debug, Clone)]
pub enum Blow {
    /// Another file is in force.
    Reload(Vec<Arc<Job>>, Capacities),
    /// It stops when what runs has ended, or its grace is over.
    Stop,
    /// It stops as soon as nothing runs or waits; at this time in any case.
    StopWhenIdle { at_last: Timestamp },
    /// From now on the machine is to go down in the middle of a run.
    Strike,
}

/// What lies in the future of this world.
enum Happening {
    /// As one process, or in steps.
    Started(RunId, Option<ProcessId>),
    Note(RunId, Box<Note>),
    Ended(RunId, Box<Ended>),
    Blow(Blow),
    GraceIsOver,
    PowerFails,
}

/// What is to be written.
#[derive(Debug, Default)]
pub struct Page {
    pub decisions: Vec<Decision>,
    pub pieces: Vec<OutputPiece>,
}

/// How often each job has run, which outlives a daemon.
#[derive(Debug, Default)]
pub struct Numbers {
    of_jobs: BTreeMap<JobName, (RunId, u64)>,
    pub runs: u64,
}

/// The life of one daemon, from its start to its end.
pub struct World {
    telling: Telling,
    planner: Planner,
    now: Timestamp,
    /// In the order of time; what comes at the same moment comes in the order in which it was known.
    future: BTreeMap<(Timestamp, u64), Happening>,
    known: u64,
    is_stopping: bool,
    is_struck: bool,
    is_over: bool,
    numbers: Numbers,
    page: Page,
}

impl World {
    /// A daemon that starts with this planner, whose first decision is `first`; `blows` come at their times.
    pub fn new(
        telling: Telling,
        (planner, mut first): (Planner, Decision),
        now: Timestamp,
        blows: Vec<(Timestamp, Blow)>,
        numbers: Numbers,
    ) -> Self {
        let (future, page) = (BTreeMap::new(), Page::default());
        let (is_stopping, is_struck, is_over) = (false, false, false);
        let mut world =
            Self { telling, planner, now, future, known: 0, is_stopping, is_struck, is_over, numbers, page };
        for (at, blow) in blows {
            world.expect(at, Happening::Blow(blow));
        }
        let detail = format!("punctual {} started", env!("CARGO_PKG_VERSION"));
        first.records.push(Record::Event(EventNote { at: now, kind: EventKind::Start, job: None, detail }));
        world.take(first);
        world
    }

    /// Plays on until so many decisions are to be written, or the daemon's life is over.
    pub fn play(&mut self, most: usize) -> Page {
        while !self.is_over && self.page.decisions.len() < most {
            let wake = self.planner.next_wakeup();
            let next = self.future.first_key_value().map(|((at, _), _)| *at);
            // Where a run ends at the instant at which its job is due again, it has ended.
            if let Some(at) = next.filter(|at| wake.is_none_or(|wake| *at <= wake)) {
                self.now = at;
                if let Some((_, happening)) = self.future.pop_first() {
                    self.happens(happening);
                }
            } else if let Some(wake) = wake {
                self.now = wake;
                let decision = self.planner.handle_wakeup(wake, Lapse::Suspended);
                self.take(decision);
            } else {
                self.is_over = true;
            }
            if self.is_stopping && self.planner.running() == 0 {
                self.say_goodbye();
            }
        }
        std::mem::take(&mut self.page)
    }

    pub fn is_over(&self) -> bool {
        self.is_over
    }

    /// When it was over, and what is to be known by the daemon that comes after.
    pub fn end(self) -> (Timestamp, Numbers) {
        (self.now, self.numbers)
    }

    fn expect(&mut self, at: Timestamp, happening: Happening) {
        self.known += 1;
        self.future.insert((at, self.known), happening);
    }

    fn happens(&mut self, happening: Happening) {
        let now = self.now;
        match happening {
            Happening::Started(run, process) => {
                let decision = self.planner.handle_started(run, now, process);
                self.take(decision);
            }
            Happening::Note(_, note) => match *note {
                Note::Step(note) => self.record(Record::Step(note)),
                Note::Piece(piece) => self.page.pieces.push(piece),
            },
            Happening::Ended(run, ended) => {
                let decision = self.planner.handle_ended(run, *ended, now);
                self.take(decision);
            }
            Happening::Blow(Blow::Reload(jobs, capacities)) => {
                let mut decision = self.planner.handle_reload(&jobs, capacities, now);
                let detail = "reloaded: the file has changed".to_owned();
                decision.records.push(Record::Event(EventNote { at: now, kind: EventKind::Reload, job: None, detail }));
                self.take(decision);
            }
            Happening::Blow(Blow::Strike) => self.is_struck = true,
            Happening::Blow(Blow::Stop) => self.stop(),
            Happening::Blow(Blow::StopWhenIdle { at_last }) => {
                if self.planner.running() + self.planner.waiting() > 0 && now < at_last {
                    let again = later(now, Duration::from_secs(1));
                    self.expect(again, Happening::Blow(Blow::StopWhenIdle { at_last }));
                } else {
                    self.stop();
                }
            }
            Happening::GraceIsOver => {
                let decision = self.planner.handle_drain(Drain::Stop);
                self.take(decision);
            }
            Happening::PowerFails => {
                self.future.clear();
                self.is_over = true;
            }
        }
    }

    fn stop(&mut self) {
        self.is_stopping = true;
        let decision = self.planner.handle_drain(Drain::Finish);
        self.take(decision);
        let over = later(self.now, GRACE);
        self.expect(over, Happening::GraceIsOver);
    }

    fn say_goodbye(&mut self) {
        let detail = "the daemon stopped".to_owned();
        self.record(Record::Event(EventNote { at: self.now, kind: EventKind::Stop, job: None, detail }));
        self.is_over = true;
    }

    fn record(&mut self, record: Record) {
        self.page.decisions.push(Decision { records: vec![record], actions: Vec::new() });
    }

    /// A decision is to be written, and carried out.
    fn take(&mut self, mut decision: Decision) {
        let opened = decision.records.iter().filter(|record| matches!(record, Record::Opened(_)));
        self.numbers.runs += opened.count() as u64;
        for action in std::mem::take(&mut decision.actions) {
            match action {
                // A machine that crashed has taken its keeper along, so that nothing goes on.
                Action::Start(launch) | Action::GoOn(launch) => self.start(&launch),
                Action::Stop { run, reason } | Action::Kill { run, reason } => self.cut_short(run, reason),
            }
        }
        if !decision.records.is_empty() {
            self.page.decisions.push(decision);
        }
    }

    /// Whose number this is among the job's runs; a further attempt has that of the first.
    fn number(&mut self, launch: &Launch) -> u64 {
        let known = self.numbers.of_jobs.entry(launch.job.name.clone()).or_insert((launch.run, 0));
        if known.0 != launch.run || known.1 == 0 {
            *known = (launch.run, known.1 + 1);
        }
        known.1
    }

    fn start(&mut self, launch: &Launch) {
        let number = self.number(launch);
        let Telling { from, until, chance, is_silent } = self.telling;
        let part = |at: Timestamp| u64::try_from(at.as_microsecond() - from.as_microsecond()).unwrap_or(0);
        let passed = part(self.now) * 1000 / part(until).max(1);
        let name = launch.job.name.as_str();
        let mut dice = chance.dice(name, "start", number, launch.attempt);
        // Mostly a millisecond, now and then a busy moment.
        let lateness = if dice.happens(8) { dice.between(8_000, 240_000) } else { dice.between(400, 2_600) };
        let started = later(self.now, Duration::from_micros(lateness));
        let pid = i32::try_from(dice.between(1_000, 4_000_000)).unwrap_or(1);
        let ticks = part(started) / 10_000;
        let scene =
            |step, work: &Work, attempt| Scene { job: name, step, number, attempt, passed, timeout: work.timeout };
        if self.is_struck && name == STRUCK {
            self.expect(later(started, STRUCK_AFTER), Happening::PowerFails);
        }
        match &launch.job.task {
            Task::Work(work) => {
                let attempt = tell(chance, scene("", work, launch.attempt), is_silent);
                self.expect_attempt(launch, started, ProcessId { pid, start_ticks: ticks }, &attempt);
            }
            Task::Steps(steps) => {
                let played = play(launch.run, launch.attempt, steps, started, |at, attempt| {
                    let step = &steps.list[at];
                    tell(chance, scene(step.name.as_str(), &step.work, attempt), is_silent)
                });
                self.expect(started, Happening::Started(launch.run, None));
                self.expect_steps(launch.run, played);
            }
        }
    }

    fn expect_attempt(&mut self, launch: &Launch, started: Timestamp, process: ProcessId, attempt: &Attempt) {
        let run = launch.run;
        if !matches!(attempt.exit, Exit::NotStarted { .. }) {
            self.expect(started, Happening::Started(run, Some(process)));
        }
        let pieces = pieces(AttemptId::whole(run, launch.attempt), started, attempt.lasts, &attempt.said);
        let output_bytes = pieces.last().map_or(0, reach);
        for piece in pieces {
            self.expect(piece.at, Happening::Note(run, Box::new(Note::Piece(piece))));
        }
        let at = later(started, attempt.lasts);
        let ended = Ended {
            duration: attempt.lasts,
            cpu: attempt.cpu,
            max_rss: attempt.max_rss,
            output_bytes,
            ..Ended::unmeasured(attempt.exit.clone(), at)
        };
        self.expect(at, Happening::Ended(run, Box::new(ended)));
    }

    fn expect_steps(&mut self, run: RunId, played: Played) {
        for (at, note) in played.notes {
            self.expect(at, Happening::Note(run, Box::new(note)));
        }
        self.expect(played.ended.at, Happening::Ended(run, Box::new(played.ended)));
    }

    /// A run is ended before its time.
    fn cut_short(&mut self, run: RunId, reason: Reason) {
        let is_of_run = |happening: &Happening| match happening {
            Happening::Started(of, _) | Happening::Note(of, _) | Happening::Ended(of, _) => *of == run,
            Happening::Blow(_) | Happening::GraceIsOver | Happening::PowerFails => false,
        };
        let end = later(self.now, OBEYS_WITHIN);
        let mut rest = Vec::new();
        self.future.retain(|_, happening| {
            let is_of_run = is_of_run(happening);
            if is_of_run {
                rest.push(std::mem::replace(happening, Happening::GraceIsOver));
            }
            !is_of_run
        });
        let mut unwritten = 0;
        for happening in rest {
            match happening {
                Happening::Note(_, note) => match *note {
                    Note::Piece(piece) => unwritten += piece.data.len() as u64,
                    Note::Step(note) => self.cut_step_short(note, reason, end),
                },
                Happening::Ended(_, mut ended) => {
                    let left = ended.at.duration_since(end);
                    ended.duration = ended.duration.saturating_sub(Duration::try_from(left).unwrap_or_default());
                    ended.cpu = ended.cpu.map(|cpu| cpu.min(ended.duration));
                    ended.output_bytes = ended.output_bytes.saturating_sub(unwritten);
                    ended.exit = Exit::Stopped { reason, status: Status::Signal(15) };
                    ended.at = end;
                    self.expect(end, Happening::Ended(run, ended));
                }
                Happening::Started(..) | Happening::Blow(_) | Happening::GraceIsOver | Happening::PowerFails => {}
            }
        }
    }

    /// A step that goes is ended with its run; those that have not begun are never heard of.
    fn cut_step_short(&mut self, mut note: StepNote, reason: Reason, end: Timestamp) {
        let goes = note.started.is_some_and(|started| started <= self.now);
        let Some(ended) = note.end.as_mut().and_then(|end| end.ended.as_mut()).filter(|_| goes) else {
            return;
        };
        let left = Duration::try_from(ended.at.duration_since(end)).unwrap_or_default();
        let duration = ended.duration.saturating_sub(left);
        let exit = Exit::Stopped { reason, status: Status::Signal(15) };
        let ended = Ended { exit, at: end, duration, ..ended.clone() };
        let verdict = Verdict::new(Outcome::Stopped, reason, "ended by TERM");
        note.end = Some(StepEnd { verdict, ended: Some(ended) });
        self.expect(end, Happening::Note(note.id.run, Box::new(Note::Step(note))));
    }
}

/// Up to where a piece reaches in the output of its attempt.
fn reach(piece: &OutputPiece) -> u64 {
    piece.offset + piece.data.len() as u64
}

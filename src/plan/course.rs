//! Which steps of a run begin now, which never will, and how does the whole end?

use std::sync::Arc;

use crate::job::{Needs, Step, Steps};
use crate::run::{FailedStep, Outcome, Verdict};

/// The steps of one attempt of a run on their way.
#[derive(Debug)]
pub struct Course {
    steps: Arc<Steps>,
    stages: Vec<Stage>,
    /// Why nothing begins any more but what always does.
    halted: Option<Halt>,
    failed: Option<FailedStep>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Pending,
    Running,
    Over { well: bool },
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Halt {
    /// This step has failed, and the others do not go on.
    Failure(usize),
    Stop,
}

/// What is to be done with a step, by its place in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    Begin(usize),
    /// It does not run, because of this.
    Skip(usize, String),
    /// It is ended, because of this.
    Stop(usize, String),
}

impl Course {
    pub fn new(steps: Arc<Steps>) -> Self {
        let stages = vec![Stage::Pending; steps.list.len()];
        Self { steps, stages, halted: None, failed: None }
    }

    /// The step was begun before, for another scheduler.
    pub fn resume(&mut self, at: usize) {
        self.stages[at] = Stage::Running;
    }

    /// The step was skipped before.
    pub fn skip(&mut self, at: usize) {
        self.stages[at] = Stage::Over { well: false };
    }

    /// What follows now. Whoever asks carries it out: what is to begin is taken as running from then on.
    pub fn moves(&mut self) -> Vec<Move> {
        let mut moves = Vec::new();
        // What is skipped may be what another step waited for.
        loop {
            let before = moves.len();
            for at in 0..self.stages.len() {
                if self.stages[at] == Stage::Pending {
                    moves.extend(self.consider(at));
                }
            }
            if moves.len() == before {
                return moves;
            }
        }
    }

    fn consider(&mut self, at: usize) -> Option<Move> {
        let step = &self.steps.list[at];
        let is_over = |need: usize| matches!(self.stages[need], Stage::Over { .. });
        let may_begin = match &step.needs {
            Needs::Success(needs) => needs.iter().all(|need| is_over(*need)),
            Needs::Turn => at.checked_sub(1).is_none_or(is_over),
        };
        if !may_begin {
            return None;
        }
        // Not before all that it needs is over, so that what cleans up after it does not begin beside what is being ended.
        if !step.always
            && let Some(why) = self.why_not(step)
        {
            self.stages[at] = Stage::Over { well: false };
            return Some(Move::Skip(at, why));
        }
        let running = self.stages.iter().filter(|stage| **stage == Stage::Running).count();
        let has_room = self.steps.max_parallel.is_none_or(|most| running < most);
        if !has_room {
            return None;
        }
        self.stages[at] = Stage::Running;
        Some(Move::Begin(at))
    }

    /// Why a step that does not always run never will.
    fn why_not(&self, step: &Step) -> Option<String> {
        let name = |at: usize| &self.steps.list[at].name;
        let lost = match &step.needs {
            Needs::Success(needs) => needs.iter().find(|need| self.stages[**need] == Stage::Over { well: false }),
            Needs::Turn => None,
        };
        match (lost, &self.halted) {
            (Some(need), _) => Some(format!("step {} did not succeed", name(*need))),
            (None, Some(halt)) => Some(self.because(halt)),
            (None, None) => None,
        }
    }

    fn because(&self, halt: &Halt) -> String {
        match halt {
            Halt::Failure(at) => format!("step {} failed", self.steps.list[*at].name),
            Halt::Stop => "the run was stopped".to_owned(),
        }
    }

    /// A step is over, and will not be tried again. What is to be ended because of it comes first of what follows.
    pub fn handle_ended(&mut self, at: usize, verdict: &Verdict, status: (Option<i32>, Option<i32>)) -> Vec<Move> {
        self.stages[at] = Stage::Over { well: verdict.is_success() };
        if verdict.is_success() {
            return self.moves();
        }
        let name = self.steps.list[at].name.clone();
        let (code, signal) = status;
        // What was ended because of others does not speak for them, unless nothing else does.
        if self.halted.is_none() || self.failed.is_none() {
            self.failed.get_or_insert(FailedStep { name, verdict: verdict.clone(), code, signal });
        }
        let mut moves = Vec::new();
        if self.halted.is_none() && !self.steps.keep_going {
            let halt = Halt::Failure(at);
            let why = self.because(&halt);
            self.halted = Some(halt);
            moves.extend(self.stoppable().map(|at| Move::Stop(at, why.clone())));
        }
        moves.extend(self.moves());
        moves
    }

    /// The run is to end: what runs is ended, and nothing begins any more but what always does.
    pub fn handle_stop(&mut self) -> Vec<Move> {
        let halt = Halt::Stop;
        let why = self.because(&halt);
        self.halted = Some(halt);
        let mut moves: Vec<Move> = self.stoppable().map(|at| Move::Stop(at, why.clone())).collect();
        moves.extend(self.moves());
        moves
    }

    /// The run is to end at once: what always runs neither goes on nor begins.
    pub fn handle_kill(&mut self) -> Vec<Move> {
        let halt = Halt::Stop;
        let why = self.because(&halt);
        self.halted = Some(halt);
        let mut moves = Vec::new();
        for at in 0..self.stages.len() {
            match self.stages[at] {
                Stage::Pending => {
                    self.stages[at] = Stage::Over { well: false };
                    moves.push(Move::Skip(at, why.clone()));
                }
                Stage::Running => moves.push(Move::Stop(at, why.clone())),
                Stage::Over { .. } => {}
            }
        }
        moves
    }

    fn stoppable(&self) -> impl Iterator<Item = usize> {
        let is_running = |at: &usize| self.stages[*at] == Stage::Running && !self.steps.list[*at].always;
        (0..self.stages.len()).filter(is_running)
    }

    /// Whether another attempt of a step that has failed still makes sense.
    pub fn may_retry(&self, at: usize) -> bool {
        self.halted.is_none() || self.steps.list[at].always && self.stages[at] == Stage::Running
    }

    pub fn is_over(&self) -> bool {
        self.stages.iter().all(|stage| matches!(stage, Stage::Over { .. }))
    }

    /// The first step that failed.
    pub fn into_failed(self) -> Option<FailedStep> {
        self.failed.filter(|failed| failed.verdict.outcome != Outcome::Skipped)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Act, CommandLine, Retries, StepName, Surroundings, Work};
    use crate::run::Reason;
    use std::time::Duration;

    fn step(name: &str, needs: Needs, always: bool) -> Step {
        let retries = Retries { most: 0, delay: Duration::ZERO, max_delay: Duration::ZERO, no_codes: Vec::new() };
        let surroundings = Arc::new(Surroundings::default());
        let work = Work { act: Act::Command(CommandLine::Program(vec![name.to_owned()])), surroundings };
        Step { name: StepName::new(name), needs, always, work, retries }
    }

    fn steps(list: Vec<Step>) -> Steps {
        Steps { list, keep_going: false, max_parallel: None, timeout: None, kill_after: Duration::ZERO }
    }

    /// Steps by name, with what they need; a name that ends in `!` always runs.
    fn course(text: &str, change: impl FnOnce(&mut Steps)) -> Course {
        let words: Vec<(&str, Vec<&str>)> = text
            .split(' ')
            .map(|word| word.split_once(':').map_or((word, vec![]), |(name, needs)| (name, needs.split(',').collect())))
            .collect();
        let bare = |name: &str| name.trim_end_matches('!').to_owned();
        let place = |need: &&str| words.iter().position(|(name, _)| bare(name) == *need).unwrap();
        let list = words
            .iter()
            .map(|(name, needs)| {
                step(&bare(name), Needs::Success(needs.iter().map(place).collect()), name.ends_with('!'))
            })
            .collect();
        let mut steps = steps(list);
        change(&mut steps);
        Course::new(Arc::new(steps))
    }

    /// Moves as a text: `+a` begins, `-a` is skipped, `!a` is ended.
    fn told(course: &Course, moves: &[Move]) -> String {
        let name = |at: &usize| course.steps.list[*at].name.as_str();
        let one = |step: &Move| match step {
            Move::Begin(at) => format!("+{}", name(at)),
            Move::Skip(at, _) => format!("-{}", name(at)),
            Move::Stop(at, _) => format!("!{}", name(at)),
        };
        moves.iter().map(one).collect::<Vec<_>>().join(" ")
    }

    /// Plays events, `a` has succeeded, `~a` has failed, `stop` and `kill`, and says what followed from each.
    fn play(mut course: Course, events: &str) -> String {
        let first = course.moves();
        let mut story = vec![told(&course, &first)];
        for event in events.split(' ').filter(|event| !event.is_empty()) {
            let moves = match event {
                "stop" => course.handle_stop(),
                "kill" => course.handle_kill(),
                event => {
                    let name = event.trim_start_matches('~');
                    let at = course.steps.list.iter().position(|step| step.name.as_str() == name).unwrap();
                    let failed = Verdict::new(Outcome::Failed, Reason::ExitCode, "exit status 1");
                    let verdict = if event.starts_with('~') { failed } else { Verdict::SUCCESS };
                    course.handle_ended(at, &verdict, (None, None))
                }
            };
            story.push(told(&course, &moves));
        }
        let end = if course.is_over() { "." } else { "…" };
        let failed = course.into_failed().map_or_else(String::new, |failed| format!(" {} failed", failed.name));
        format!("{}{end}{failed}", story.join(" | "))
    }

    #[test]
    fn steps_begin_when_what_they_need_has_succeeded() {
        let check = |steps: &str, events: &str, expect: &str| assert_eq!(play(course(steps, |_| {}), events), expect);
        check("a b c:a,b", "a b c", "+a +b |  | +c | .");
        check("c:a,b a b", "a b c", "+a +b |  | +c | .");
        check("a b:a c:b", "~a", "+a | -b -c. a failed");
        check("a b c:a", "~a b", "+a +b | !b -c | . a failed");
        check("a b:a c!:b", "~a c", "+a | -b +c | . a failed");
        check("a b c!:a", "~a b c", "+a +b | !b +c |  | . a failed");
        check("a b!", "stop a b", "+a +b | !a |  | .");
        check("a b:a c!:b", "stop a c", "+a | !a | -b +c | .");
        check("a b:a c!:b", "kill ~a", "+a | !a -b -c | . a failed");
    }

    #[test]
    fn others_go_on_where_that_is_wanted() {
        let keep = |steps: &mut Steps| steps.keep_going = true;
        assert_eq!(play(course("a b c:a d:b", keep), "~a b d"), "+a +b | -c | +d | . a failed");
        assert_eq!(play(course("a b c", keep), "~b ~a c"), "+a +b +c |  |  | . b failed");
    }

    #[test]
    fn no_more_at_once_than_allowed() {
        let two = |steps: &mut Steps| steps.max_parallel = Some(2);
        assert_eq!(play(course("a b c d", two), "b a c d"), "+a +b | +c | +d |  | .");
        assert_eq!(play(course("a b c d", two), "~b a"), "+a +b | !a -c -d | . b failed");
    }

    #[test]
    fn a_list_is_done_in_its_order() {
        let turns = |keep_going: bool| {
            let list = ["a", "b", "c"].map(|name| step(name, Needs::Turn, false)).into();
            Course::new(Arc::new(Steps { keep_going, ..steps(list) }))
        };
        assert_eq!(play(turns(false), "a b c"), "+a | +b | +c | .");
        assert_eq!(play(turns(false), "a ~b"), "+a | +b | -c. b failed");
        assert_eq!(play(turns(true), "~a b c"), "+a | +b | +c | . a failed");
        let list = vec![step("a", Needs::Turn, false), step("b", Needs::Turn, false), step("c", Needs::Turn, true)];
        assert_eq!(play(Course::new(Arc::new(steps(list))), "~a c"), "+a | -b +c | . a failed");
        assert_eq!(play(Course::new(Arc::new(steps(Vec::new()))), ""), ".");
    }
}

//! What does the daemon do that people wish? It is decided on like anything else, and answered once it is in the ledger.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::core::Core;
use super::demurs::{
    checked_env, checked_pause, checked_repeat, conflict, ended, no_job, no_next, too_many, unavailable, unknown,
};
use super::send::NoticeWish;
use super::waiting::{Answer, Waiting, Wished};
use crate::clock::Woken;
use crate::control::{Ask, Denied, Granted, JobAfter, Launched, Stopped, Which, Wish};
use crate::job::JobName;
use crate::plan::{Action, Decision, MOST_LEFT_OUT, Pause, Triggered, Whose};
use crate::report::{PauseReport, Time};
use crate::run::{Asked, RunId};

/// What is to be done for a wish.
enum Reply {
    Decided(Decision, Wished),
    /// It is about a run that is not open, of which the ledger knows more.
    NotOpen(RunId),
    Read,
    /// It is about the outbox, which is not the planner's.
    Errand(NoticeWish),
}

impl Core {
    pub(super) async fn wished(&mut self, Ask { wish, by, answer }: Ask) {
        // Who was told that it failed is not to be surprised.
        if answer.is_closed() {
            return;
        }
        if let Err(denied) = self.listens_to(&wish) {
            let _ = answer.send(Err(denied));
            return;
        }
        // What is due is decided on by what held until now.
        self.woken(Ok(Woken::Due)).await;
        match self.decide(wish, &by.name) {
            Ok(Reply::Decided(decision, wished)) => self.carry_out(decision, Waiting { answer, wished }).await,
            Ok(Reply::NotOpen(run)) => self.tell_how_it_ended(run, answer),
            Ok(Reply::Read) => self.reload_asked(Some(answer)).await,
            Ok(Reply::Errand(wish)) => self.hand_on(wish, answer),
            Err(denied) => {
                let _ = answer.send(Err(denied));
            }
        }
    }

    /// A daemon that stops, or cannot record, still ends runs.
    fn listens_to(&self, wish: &Wish) -> Result<(), Denied> {
        if matches!(wish, Wish::StopRun { .. } | Wish::StopJob { .. }) {
            return Ok(());
        }
        if self.state.drain.is_some() {
            return Err(unavailable("the daemon is stopping"));
        }
        match self.writer.trouble().borrow().as_ref() {
            Some(trouble) => Err(unavailable(format!("nothing can be recorded: {}", trouble.message))),
            None => Ok(()),
        }
    }

    fn decide(&mut self, wish: Wish, by: &str) -> Result<Reply, Denied> {
        let now = self.clock.now();
        match wish {
            Wish::Run { jobs, due, env } => {
                let env = checked_env(env)?;
                self.decide_run(&jobs, &Asked { by: by.to_owned(), repeats: due, env })
            }
            Wish::StopRun { run, kill } => match self.planner.job_of(run).cloned() {
                Some(job) => Ok(self.decide_stop(vec![run], job, kill, by)),
                None => Ok(Reply::NotOpen(run)),
            },
            Wish::StopJob { job, kill } => {
                let runs = self.planner.runs_of(&job);
                if runs.is_empty() {
                    self.must_know(&job)?;
                    return Err(conflict(format!("nothing of {job} is running or waiting")));
                }
                Ok(self.decide_stop(runs, job, kill, by))
            }
            Wish::Pause { jobs, until, reason } => {
                let reason = checked_pause(until, reason, now)?;
                let pause = Pause { since: now, until, reason, by: by.to_owned() };
                self.decide_pause(&jobs, &pause)
            }
            Wish::Resume { jobs } => self.decide_resume(&jobs, by),
            Wish::Skip { job, count } => self.decide_skip(job, count, by),
            Wish::Unskip { job } => {
                self.must_know(&job)?;
                let changes = !self.planner.left_out(&job).is_empty();
                let decision = self.planner.handle_unskip(&job, by, now);
                Ok(Reply::Decided(decision, Wished::Jobs(vec![(job, changes)])))
            }
            Wish::Reload => Ok(Reply::Read),
            Wish::Notices { act, notices } => Ok(Reply::Errand(NoticeWish { act, notices, by: by.to_owned() })),
        }
    }

    fn decide_stop(&mut self, runs: Vec<RunId>, job: JobName, kill: bool, by: &str) -> Reply {
        let decision = self.planner.handle_stop(&runs, kill, by, self.clock.now());
        Reply::Decided(decision, Wished::Stopped { runs, job })
    }

    fn decide_run(&mut self, jobs: &[JobName], asked: &Asked) -> Result<Reply, Denied> {
        let now = self.clock.now();
        jobs.iter().try_for_each(|job| self.must_know(job))?;
        checked_repeat(asked.repeats, now)?;
        let mut all = Decision::default();
        let mut launched = Vec::new();
        for job in jobs {
            let unnamed = asked.repeats.filter(|due| self.planner.is_unnamed(job, *due));
            let (decision, triggered) = self.planner.handle_trigger(job, asked.clone(), now);
            all = all.and(decision);
            let (run, in_the_way) = match triggered {
                Some(Triggered::Opened(run)) => (Some(run), None),
                Some(Triggered::InTheWay(run)) => (None, Some(run)),
                None => (None, None),
            };
            let unnamed = unnamed.map(|due| format!("the schedule of {job} does not name {due}"));
            let in_vain = !asked.env.is_empty() && !self.planner.takes_variables(job);
            let in_vain = in_vain.then(|| format!("{job} has no command, to which variables are given"));
            let notes: Vec<String> = unnamed.into_iter().chain(in_vain).collect();
            let note = (!notes.is_empty()).then(|| notes.join("; "));
            launched.push(Launched { job: job.to_string(), run, waiting_for: None, in_the_way, note });
        }
        Ok(Reply::Decided(all, Wished::Launched(launched)))
    }

    fn decide_pause(&mut self, jobs: &Which, pause: &Pause) -> Result<Reply, Denied> {
        let now = self.clock.now();
        let (whose, names): (Vec<Whose>, Vec<JobName>) = match jobs {
            Which::All => (vec![None], self.planner.names().cloned().collect()),
            Which::These(names) => (names.iter().cloned().map(Some).collect(), names.clone()),
        };
        names.iter().try_for_each(|job| self.must_know(job))?;
        let decision = whose
            .iter()
            .fold(Decision::default(), |all, whose| all.and(self.planner.handle_pause(whose, pause.clone(), now)));
        let names = names.into_iter().map(|job| (job, true)).collect();
        Ok(Reply::Decided(decision, Wished::Jobs(names)))
    }

    /// All: what was paused at once; what is paused by its name stays so, unless nothing else is paused.
    fn decide_resume(&mut self, jobs: &Which, by: &str) -> Result<Reply, Denied> {
        let now = self.clock.now();
        let by_name = self.planner.paused_by_name();
        let (whose, names): (Vec<Whose>, Vec<JobName>) = match jobs {
            Which::All if self.planner.pause(&None).is_some() => {
                let names = self.planner.names().filter(|job| self.planner.pause_of(job).is_some());
                (vec![None], names.cloned().collect())
            }
            Which::All => (by_name.iter().cloned().map(Some).collect(), by_name),
            Which::These(names) => {
                let known = |job: &&JobName| !by_name.contains(job);
                names.iter().filter(known).try_for_each(|job| self.must_know(job))?;
                let paused = names.iter().filter(|job| self.planner.pause_of(job).is_some());
                (paused.cloned().map(Some).collect(), names.clone())
            }
        };
        let with_change = |job: JobName| {
            let was_paused = self.planner.pause_of(&job).is_some();
            (job, was_paused)
        };
        let names = names.into_iter().map(with_change).collect();
        let decision =
            whose.iter().fold(Decision::default(), |all, whose| all.and(self.planner.handle_resume(whose, by, now)));
        Ok(Reply::Decided(decision, Wished::Jobs(names)))
    }

    fn decide_skip(&mut self, job: JobName, count: u32, by: &str) -> Result<Reply, Denied> {
        self.must_know(&job)?;
        let count = usize::try_from(count).unwrap_or(usize::MAX);
        if self.planner.left_out(&job).len().saturating_add(count) > MOST_LEFT_OUT {
            return Err(too_many());
        }
        if count > 0 && self.planner.next_instants(&job, 1).is_empty() {
            let defined = self.configuration.checked.jobs.iter().find(|defined| defined.name == job);
            return Err(no_next(&job, defined, self.planner.pause_of(&job)));
        }
        let (decision, _) = self.planner.handle_skip(&job, count, by, self.clock.now());
        Ok(Reply::Decided(decision, Wished::Jobs(vec![(job, count > 0)])))
    }

    fn must_know(&self, job: &JobName) -> Result<(), Denied> {
        let known = || self.planner.names().map(JobName::as_str);
        self.planner.is_enabled(job).map(|_| ()).ok_or_else(|| no_job(job, known()))
    }

    /// A run that is not open any more is looked up: how it ended is worth knowing.
    fn tell_how_it_ended(&mut self, run: RunId, answer: Answer) {
        let reader = self.reader.clone();
        self.answer_later(async move {
            let denied = match reader.entry(run).await {
                Ok(Some(entry)) => ended(&entry),
                Ok(None) => unknown(format!("there is no run {run}; punctual history lists them")),
                Err(error) => unavailable(format!("the ledger cannot be read: {error}")),
            };
            let _ = answer.send(Err(denied));
        });
    }

    /// A decision that somebody waits for. An end is not put off because it cannot be recorded.
    async fn carry_out(&mut self, decision: Decision, waiting: Waiting) {
        if self.writer.trouble().borrow().is_some() {
            let is_end = |action: &&Action| matches!(action, Action::Stop { .. } | Action::Kill { .. });
            for action in decision.actions.iter().filter(is_end) {
                self.act(action.clone()).await;
            }
            // What has not begun for the same reason is told again when it has.
            self.hand_in(decision, None).await;
            self.grant(waiting, &BTreeSet::new());
        } else if decision.is_empty() {
            self.grant(waiting, &BTreeSet::new());
        } else {
            self.hand_in(decision, Some(waiting)).await;
        }
    }

    /// What was decided on is in the ledger, but for what it refused.
    pub(super) fn grant(&mut self, Waiting { answer, wished }: Waiting, refused: &BTreeSet<RunId>) {
        let granted = match wished {
            Wished::Launched(mut launched) => {
                if let Some(run) = launched.iter().filter_map(|one| one.run).find(|run| refused.contains(run)) {
                    let _ = answer.send(Err(conflict(format!("the ledger has another run {run}; ask again"))));
                    return;
                }
                for one in &mut launched {
                    one.waiting_for = one.run.and_then(|run| self.planner.waiting_for(run));
                }
                Granted::Launched(launched)
            }
            Wished::Jobs(names) => {
                let after = |(name, changes): &(JobName, bool)| JobAfter { changed: *changes, ..self.after(name) };
                Granted::Jobs(names.iter().map(after).collect())
            }
            Wished::Stopped { runs, job } => {
                let (reader, job) = (self.reader.clone(), self.after(&job));
                return self.answer_later(async move {
                    let mut entries = Vec::new();
                    for run in runs {
                        match reader.entry(run).await {
                            Ok(entry) => entries.extend(entry),
                            Err(error) => {
                                let message = format!("run {run} is being ended; the ledger cannot be read: {error}");
                                let _ = answer.send(Err(unavailable(message)));
                                return;
                            }
                        }
                    }
                    let _ = answer.send(Ok(Granted::Stopped(Stopped { runs: entries, job })));
                });
            }
        };
        // Who wished it may not wait for it any more.
        let _ = answer.send(Ok(granted));
    }

    /// Whoever waits while nothing can be recorded is told that it will be.
    pub(super) fn deny_who_waits(&mut self) {
        let trouble = self.writer.trouble().borrow().as_ref().map(|trouble| trouble.message.clone());
        let trouble = trouble.unwrap_or_default();
        for waiting in self.state.uncommitted.iter_mut().filter_map(|uncommitted| uncommitted.waiting.take()) {
            let message = format!("it comes true as soon as it can be recorded; now {trouble}");
            let _ = waiting.answer.send(Err(unavailable(message)));
        }
    }

    /// Reads the ledger beside the loop, which waits for nothing that others may be asking long questions of.
    fn answer_later(&mut self, answer: impl Future<Output = ()> + Send + 'static) {
        while self.state.answering.try_join_next().is_some() {}
        self.state.answering.spawn(answer);
    }

    /// A job as it is now.
    fn after(&mut self, job: &JobName) -> JobAfter {
        let next: Option<Timestamp> = self.planner.next_run(job);
        let paused = self.planner.pause_of(job).map(|pause| PauseReport {
            since: Time(pause.since),
            until: pause.until.map(Time),
            reason: pause.reason.clone(),
            by: pause.by.clone(),
        });
        JobAfter {
            job: job.to_string(),
            changed: true,
            defined: self.planner.is_enabled(job).is_some(),
            enabled: self.planner.is_enabled(job).unwrap_or(false),
            paused,
            skips: self.planner.left_out(job).keys().copied().map(Time).collect(),
            next: next.map(Time),
        }
    }
}

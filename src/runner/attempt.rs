//! One attempt of a command, from its order to its end: started, read, bounded in time, ended with all it left, reaped.

use std::io;

use tokio::sync::watch;

use super::answer;
use super::capture::Capture;
use super::cgroup::Used;
use super::door::Stop;
use super::life::{Cause, Life, Moment};
use super::part::Part;
use super::process::Remains;
use super::spawner::Begun;
use super::tools::Tools;
use super::tree::Tree;
use super::trouble::Trouble;
use crate::job::CommandLine;
use crate::run::{Ended, Exit, Reason, Status};

pub struct Attempt<'a> {
    pub part: &'a Part,
    pub line: &'a CommandLine,
    pub tools: &'a Tools,
}

impl Attempt<'_> {
    pub async fn carry(self, stops: watch::Receiver<Option<Stop>>, capture: &mut Capture) -> Ended {
        let begun = match self.tools.spawner.spawn(self.part.clone(), self.line.argv()).await {
            Ok(begun) => self.set_up(begun, &stops).await,
            Err(trouble) => Err(trouble),
        };
        match begun {
            Ok(begun) => self.watch(begun, stops, capture).await,
            Err(trouble) => self.not_started(trouble.reason, trouble.detail),
        }
    }

    /// Waits until the program itself runs, where something has to be set up before it.
    async fn set_up(&self, mut begun: Begun, stops: &watch::Receiver<Option<Stop>>) -> Result<Begun, Trouble> {
        if let Some(reports) = begun.reports.take() {
            match answer::set_up(reports, stops.clone()).await {
                Ok(lacking) => begun.lacking.extend(lacking),
                Err(trouble) => {
                    answer::end(begun.process, begun.ends).await;
                    return Err(trouble);
                }
            }
        }
        if !begun.lacking.is_empty() {
            tracing::warn!("{} goes on without limits: {}", self.part.shown(), begun.lacking.join("; "));
        }
        Ok(begun)
    }

    async fn watch(&self, begun: Begun, stops: watch::Receiver<Option<Stop>>, capture: &mut Capture) -> Ended {
        let Begun { process, ends, at, since, group, lacking, .. } = begun;
        let tree = Tree::new(process.pid, self.part, &self.tools.database);
        let mut life = match Life::new(tree, self.tools.census.clone(), group, ends, since, stops, &self.part.work) {
            Ok(life) => life,
            // It happens when there are too many descriptors; it must not run on unwatched.
            Err(error) => return self.not_started(Reason::Limit, format!("it cannot be watched: {error}")),
        };
        self.tools.began(self.part, at, Some(process.id.clone())).await;
        while !life.is_over() {
            match life.next(capture, &self.tools.pieces).await {
                Moment::Output(stream, pipe_end) => {
                    let open = pipe_end.is_ok_and(|()| true);
                    life.read(stream, open, &self.tools.clock, capture);
                    life.outbox.extend(capture.take_ready());
                }
                Moment::Flush => {
                    life.flush_at = None;
                    life.outbox.extend(capture.flush());
                }
                Moment::Room(room) => {
                    if let Some(piece) = life.outbox.pop_front() {
                        room.send(piece);
                    }
                }
                Moment::Exited => life.exited(self.tools.clock.now()),
                Moment::TimeIsUp => life.begin_ending(Cause::TimedOut, false),
                Moment::Stop(stop) => life.begin_ending(Cause::Stopped(stop.reason), stop.kill),
                Moment::KillNow => life.kill(),
                Moment::SurvivorEnded => life.look(),
                Moment::Found(members) => life.found(&members, self.tools.clock.now()),
                Moment::GiveUp => {
                    tracing::error!("{}: something of it does not end, not even by KILL", self.part.shown());
                }
                // The loop's own condition looks at the time.
                Moment::LingeredEnough => {}
            }
        }
        life.read_the_rest(&self.tools.clock, capture);
        self.tools.hand_on(life.outbox.drain(..)).await;
        let ending = life.ending;
        let (ended_at, duration) = (life.ended_at, life.duration);
        let remains = process.reap();
        let used = match life.group {
            Some(group) => group.close().await,
            None => Used::default(),
        };
        let at = ended_at.unwrap_or_else(|| self.tools.clock.now());
        let lacking = (!lacking.is_empty()).then(|| lacking.join("; "));
        Ended { at, duration, output_bytes: capture.total(), lacking, ..self.judge(ending, remains, used) }
    }

    /// How it ended and what it used; the figures of a cgroup are of all that it started.
    fn judge(&self, ending: Option<Cause>, remains: io::Result<Remains>, used: Used) -> Ended {
        let status = remains.as_ref().map_or(Status::Unknown, |remains| remains.status);
        let core_dumped = remains.as_ref().is_ok_and(|remains| remains.core_dumped);
        let exit = match (ending, status) {
            (Some(Cause::TimedOut), status) => {
                Exit::TimedOut { after: self.part.work.timeout.unwrap_or_default(), status }
            }
            (Some(Cause::Stopped(reason)), status) => Exit::Stopped { reason, status },
            (None, Status::Code(code)) => Exit::Code(code),
            (None, Status::Signal(signal)) => Exit::Signal { signal, core_dumped },
            (None, Status::Unknown | Status::Cancelled) => {
                Exit::Panicked { detail: "its exit status could not be learned".to_owned() }
            }
        };
        Ended {
            cpu: used.cpu.or(remains.as_ref().ok().map(|remains| remains.cpu)),
            max_rss: used.memory.or(remains.ok().and_then(|remains| remains.max_rss)),
            ..self.without_figures(exit)
        }
    }

    fn not_started(&self, reason: Reason, detail: String) -> Ended {
        self.without_figures(Exit::NotStarted { reason, detail })
    }

    fn without_figures(&self, exit: Exit) -> Ended {
        Ended::unmeasured(exit, self.tools.clock.now())
    }
}

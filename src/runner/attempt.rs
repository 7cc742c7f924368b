//! One attempt of a command, from its order to its end: started, watched, bounded in time, ended with all it left, reaped.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;

use super::answer;
use super::cgroup::{RunGroup, Used};
use super::door::Stop;
use super::life::{Cause, Life, Moment};
use super::part::Part;
use super::tools::Tools;
use super::tree::Tree;
use super::trouble::{Trouble, exec_trouble};
use crate::job::CommandLine;
use crate::keeper::{End, Kept, News};
use crate::run::{Ended, Exit, Status};

pub struct Attempt<'a> {
    pub part: &'a Part,
    pub tools: &'a Tools,
}

/// What has begun, and what goes with it.
struct Begun {
    kept: Kept,
    group: Option<RunGroup>,
    lacking: Vec<String>,
}

/// How a process came to its end, before it was reaped.
struct LastOfIt {
    ending: Option<Cause>,
    at: Timestamp,
    duration: Duration,
    group: Option<RunGroup>,
    lacking: Vec<String>,
}

impl Attempt<'_> {
    pub async fn carry(self, line: &CommandLine, mut stops: watch::Receiver<Option<Stop>>) -> Ended {
        match self.begin(line, &mut stops).await {
            Ok(begun) => self.watch(begun, stops).await,
            Err(Trouble { reason, detail, .. }) => self.without_figures(Exit::NotStarted { reason, detail }),
        }
    }

    /// Goes on with what was started for another scheduler.
    pub async fn carry_on(self, kept: Kept, stops: watch::Receiver<Option<Stop>>) -> Ended {
        let group = self.tools.cgroups.find(self.part.id);
        self.watch(Begun { kept, group, lacking: Vec::new() }, stops).await
    }

    /// Starts it, and waits until the program itself runs, where something has to be set up before it.
    async fn begin(&self, line: &CommandLine, stops: &mut watch::Receiver<Option<Stop>>) -> Result<Begun, Trouble> {
        let ready = self.tools.preparing.prepare(self.part.clone(), line.argv()).await?;
        let program = ready.program();
        let started = self.tools.keeper.start(ready.start, ready.input).await;
        let mut kept = started.map_err(|error| exec_trouble(&error, &program))?;
        let mut lacking = ready.lacking;
        if let Some(reports) = ready.reports {
            match answer::set_up(reports, stops.clone()).await {
                Ok(more) => lacking.extend(more),
                Err(trouble) => {
                    answer::end(&mut kept).await;
                    return Err(trouble);
                }
            }
        }
        if !lacking.is_empty() {
            tracing::warn!("{} goes on without limits: {}", self.part.shown(), lacking.join("; "));
        }
        Ok(Begun { kept, group: ready.group, lacking })
    }

    async fn watch(&self, begun: Begun, stops: watch::Receiver<Option<Stop>>) -> Ended {
        let Begun { kept, group, lacking } = begun;
        let Some(leader) = kept.pid() else {
            return self.without_figures(Exit::Panicked { detail: "its process has no number".to_owned() });
        };
        let tree = Tree::new(leader, self.part, &self.tools.database);
        let (at, process) = (kept.begun.at, kept.begun.process.clone());
        let mut life = Life::new(tree, self.tools.census.clone(), group, kept, stops, &self.part.work);
        self.tools.began(self.part, at, Some(process)).await;
        while !life.is_over() {
            match life.next(&self.tools.pieces).await {
                Moment::News(News::Output(piece)) => life.outbox.push_back(piece),
                Moment::News(News::Exited { at, duration }) => life.exited(at, duration),
                Moment::News(News::Silent) => life.is_silent = true,
                Moment::Room(room) => {
                    if let Some(piece) = life.outbox.pop_front() {
                        room.send(piece);
                    }
                }
                Moment::TimeIsUp => life.begin_ending(Cause::TimedOut, false),
                Moment::Stop(Some(stop)) => life.begin_ending(Cause::Stopped(stop.reason), stop.kill),
                Moment::KillNow => life.kill(),
                Moment::SurvivorEnded => life.look(),
                Moment::Found(members) => life.found(&members, self.tools.clock.now()),
                Moment::GiveUp => {
                    tracing::error!("{}: something of it does not end, not even by KILL", self.part.shown());
                }
                // The loop's own condition looks at the time; of the rest nothing comes now.
                Moment::LingeredEnough
                | Moment::Stop(None)
                | Moment::News(News::Started(_) | News::NotStarted { .. } | News::Closed(_)) => {}
            }
        }
        let now = self.tools.clock.now();
        let Life { kept, outbox, group, ending, ended_at, duration, .. } = life;
        self.tools.hand_on(outbox).await;
        let last = LastOfIt { ending, at: ended_at.unwrap_or(now), duration, group, lacking };
        self.close(kept, last).await
    }

    /// Has it reaped, and hands on what it wrote last.
    async fn close(&self, mut kept: Kept, last: LastOfIt) -> Ended {
        kept.close().await;
        let end = loop {
            match kept.next().await {
                News::Output(piece) => self.tools.hand_on([piece]).await,
                News::Closed(end) => break end,
                News::Started(_) | News::NotStarted { .. } | News::Exited { .. } | News::Silent => {}
            }
        };
        kept.is_over();
        let used = match last.group {
            Some(group) => group.close().await,
            None => Used::default(),
        };
        let lacking = (!last.lacking.is_empty()).then(|| last.lacking.join("; "));
        let judged = self.judge(last.ending, end, used);
        Ended { at: last.at, duration: last.duration, lacking, ..judged }
    }

    /// How it ended and what it used; the figures of a cgroup are of all that it started.
    fn judge(&self, ending: Option<Cause>, end: End, used: Used) -> Ended {
        let End { remains, output_bytes, matched } = end;
        let status = remains.map_or(Status::Unknown, |remains| remains.status);
        let core_dumped = remains.is_some_and(|remains| remains.core_dumped);
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
            cpu: used.cpu.or(remains.map(|remains| remains.cpu)),
            max_rss: used.memory.or(remains.and_then(|remains| remains.max_rss)),
            output_bytes,
            matched,
            ..self.without_figures(exit)
        }
    }

    fn without_figures(&self, exit: Exit) -> Ended {
        Ended::unmeasured(exit, self.tools.clock.now())
    }
}

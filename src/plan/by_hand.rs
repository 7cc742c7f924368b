//! What follows when somebody wants a job to run now, or a run to end?

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::calling::{Call, Called};
use super::decision::{Action, Decision, Draft, Record};
use super::owed::Lapse;
use super::planner::Planner;
use crate::job::JobName;
use crate::run::{Asked, Cause, EventKind, Outcome, Reason, RunId, Verdict};

/// What came of asking for a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Triggered {
    Opened(RunId),
    /// The job's rule of overlap does not let it; this is the oldest of its runs that have not ended.
    InTheWay(RunId),
}

impl Planner {
    /// Somebody wants a job to run now, also one that is paused or disabled; `None` if there is no such job. If nothing comes
    /// of it, nothing is recorded of it.
    pub fn handle_trigger(&mut self, name: &JobName, asked: Asked, now: Timestamp) -> (Decision, Option<Triggered>) {
        self.latest = self.latest.max(now);
        let mut draft = Draft::default();
        self.settle_due(Lapse::Suspended, &mut draft);
        let mut detail = format!("{name} by {}", asked.by);
        if let Some(due) = asked.repeats {
            detail = format!("{detail}, for {due}");
        }
        let call = Call { due: self.latest, cause: Cause::Manual, in_turn: false, asked: Some(Arc::new(asked)) };
        let triggered = match self.call(name, call, &mut draft) {
            Some(Called::Opened(run)) => {
                self.note(EventKind::ByHand, Some(name.clone()), format!("run {run} of {detail}"), &mut draft);
                Some(Triggered::Opened(run))
            }
            Some(Called::NotNow { in_the_way, .. }) => Some(Triggered::InTheWay(in_the_way)),
            None => None,
        };
        self.fill_places(&mut draft);
        (self.conclude(draft), triggered)
    }

    /// Somebody wants runs to end: what goes is stopped, or killed if that was wanted before; what waits will not run.
    /// Neither is tried again. Runs that have ended are left alone.
    pub fn handle_stop(&mut self, runs: &[RunId], kill: bool, by: &str, now: Timestamp) -> Decision {
        self.latest = self.latest.max(now);
        let mut draft = Draft::default();
        for run in runs.iter().copied() {
            if self.is_running(run) {
                self.stop_running(run, kill, by, &mut draft);
            } else {
                self.stop_waiting(run, by, &mut draft);
            }
        }
        self.fill_places(&mut draft);
        self.conclude(draft)
    }

    fn stop_running(&mut self, run: RunId, kill: bool, by: &str, draft: &mut Draft) {
        let at = self.latest;
        let Some(open) = self.runs.get_mut(&run) else {
            return;
        };
        let (job, reason) = (open.job.name.clone(), Reason::ByHand);
        let kill = kill || open.is_stopping;
        open.is_stopping = true;
        draft.act(if kill { Action::Kill { run, reason } } else { Action::Stop { run, reason } });
        draft.record(Record::Stopping { run, at, by: by.to_owned() });
        let what = if kill { "killed" } else { "stopped" };
        self.note(EventKind::ByHand, Some(job.clone()), format!("run {run} of {job} {what} by {by}"), draft);
    }

    fn stop_waiting(&mut self, run: RunId, by: &str, draft: &mut Draft) {
        let at = self.latest;
        let Some(open) = self.forget(run, at) else {
            return;
        };
        let job = open.job.name.clone();
        let when = match open.attempts {
            0 => "before it began".to_owned(),
            attempts => format!("while it waited for attempt {}", attempts + 1),
        };
        let (outcome, reason) = (Outcome::Stopped, Some(Reason::ByHand));
        let detail = Some(format!("stopped by {by} {when}"));
        self.close(&open.job, open.close(run, Verdict { outcome, reason, detail }, None), draft);
        self.note(EventKind::ByHand, Some(job.clone()), format!("run {run} of {job} stopped by {by} {when}"), draft);
        self.follow_up(&job, run, (outcome, reason), at, draft);
    }

    /// The runs of a job that have not ended.
    pub fn runs_of(&self, job: &JobName) -> Vec<RunId> {
        self.runs.iter().filter(|(_, open)| open.job.name == *job).map(|(run, _)| *run).collect()
    }

    /// Whether a job is in the file, and whether it is enabled.
    pub fn is_enabled(&self, job: &JobName) -> Option<bool> {
        self.slots.get(job).map(|slot| slot.job.enabled)
    }

    /// Whether variables mean anything to a job: they are for commands.
    pub fn takes_variables(&self, job: &JobName) -> bool {
        self.slots.get(job).is_some_and(|slot| slot.job.task.has_command())
    }

    /// All jobs of the file.
    pub fn names(&self) -> impl Iterator<Item = &JobName> {
        self.slots.keys()
    }

    /// Whether the job's schedule, as it is now, does not name this instant.
    pub fn is_unnamed(&self, job: &JobName, due: Timestamp) -> bool {
        let timing = self.slots.get(job).and_then(|slot| slot.job.timing.as_ref());
        let before = due.checked_sub(SignedDuration::from_micros(1)).unwrap_or(due);
        timing.is_none_or(|timing| {
            let in_advance = timing.schedules().iter().all(|schedule| schedule.names_instants());
            in_advance && timing.timetable.next_after(before) != Some(due)
        })
    }
}

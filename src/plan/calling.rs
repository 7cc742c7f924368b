//! A run is called for: by an instant, a start, another job's success, or a person. Does it come about?

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::account::GapKind;
use super::decision::{Action, Draft, OpenEntry};
use super::overlap::{Admission, Unended, admit};
use super::owed::Policy;
use super::planner::{OpenRun, Phase, Planner};
use crate::job::JobName;
use crate::run::{Asked, Cause, Outcome, Reason, RunId, State, Verdict};
use crate::schedule::Tally;

/// For what, and by whom, a run is called for.
#[derive(Debug, Clone)]
pub(super) struct Call {
    pub due: Timestamp,
    pub cause: Cause,
    /// Lets it wait for the job's earlier ones whatever `overlap` says.
    pub in_turn: bool,
    /// What was said by whoever asked for it.
    pub asked: Option<Arc<Asked>>,
}

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Called {
    Opened(RunId),
    /// The job's rule of overlap does not let it.
    NotNow {
        in_the_way: RunId,
        reason: Reason,
        detail: String,
    },
}

impl Planner {
    /// An instant calls for a run, or something else that is accounted for if nothing comes of it.
    pub(super) fn due(&mut self, name: &JobName, due: Timestamp, cause: Cause, in_turn: bool, draft: &mut Draft) {
        let call = Call { due, cause, in_turn, asked: None };
        if let Some(Called::NotNow { reason, detail, .. }) = self.call(name, call, draft) {
            let kind = GapKind { outcome: Outcome::Skipped, reason, detail: Some(detail) };
            self.record_gap(name, kind, Tally { count: 1, first: due, last: due }, draft);
        }
    }

    /// What no schedule names in advance calls for a run at this moment: a start, or another job's success. While the job is
    /// paused it is skipped.
    pub(super) fn due_now(&mut self, name: &JobName, cause: Cause, draft: &mut Draft) {
        let now = self.latest;
        match self.held.pauses.of(name) {
            Some(pause) => {
                let kind = GapKind::paused(pause.detail());
                self.record_gap(name, kind, Tally { count: 1, first: now, last: now }, draft);
            }
            None => self.due(name, now, cause, false, draft),
        }
    }

    /// A run is called for; `None` if there is no such job.
    pub(super) fn call(&mut self, name: &JobName, call: Call, draft: &mut Draft) -> Option<Called> {
        let slot = self.slots.get(name)?;
        let first = slot.open.first().copied();
        let unended = Unended { first, in_turn: slot.turns.len() };
        let run = match admit(slot.job.rules.overlap, call.in_turn, unended) {
            Admission::Open => self.open(name, call, false, draft),
            Admission::InTurn => self.open(name, call, true, draft),
            Admission::Replace => {
                self.end_for_another(name, draft);
                let run = self.open(name, call, true, draft);
                self.next_turn(name);
                run
            }
            Admission::Skip { reason, detail } => return Some(Called::NotNow { in_the_way: first?, reason, detail }),
        };
        run.map(Called::Opened)
    }

    /// The job's runs that have not ended make room for another: what goes is stopped, what waits will not run.
    fn end_for_another(&mut self, name: &JobName, draft: &mut Draft) {
        let open: Vec<RunId> = self.slots.get(name).map(|slot| slot.open.iter().copied().collect()).unwrap_or_default();
        for run in open {
            if self.is_running(run) {
                draft.act(Action::Stop { run, reason: Reason::Replaced });
            } else if let Some(open) = self.forget(run, self.latest) {
                let verdict = Verdict {
                    outcome: if open.attempts > 0 { Outcome::Stopped } else { Outcome::Skipped },
                    reason: Some(Reason::Replaced),
                    detail: Some("another run was due before it could begin".to_owned()),
                };
                self.close(&open.job, open.close(run, verdict, None), draft);
            }
        }
    }

    fn open(&mut self, name: &JobName, call: Call, in_turn: bool, draft: &mut Draft) -> Option<RunId> {
        let Call { due, cause, asked, .. } = call;
        let run = self.next_number();
        let since = self.latest;
        let slot = self.slots.get_mut(name)?;
        let jitter = match (cause, slot.job.active_timing()) {
            (Cause::Schedule | Cause::CatchUp, Some(timing)) => Policy::of(&slot.job).jitter(&timing.timetable, due),
            _ => SignedDuration::ZERO,
        };
        let ready = due + jitter;
        self.follow.began(name, since);
        slot.open.insert(run);
        let phase = if in_turn {
            slot.turns.push_back(run);
            Phase::InTurn { since }
        } else {
            self.queue.push(ready, run, slot.job.rules.pools.clone());
            Phase::Waiting { since }
        };
        let open = OpenRun {
            job: slot.job.clone(),
            cause,
            due,
            ready,
            phase,
            attempts: 0,
            started: None,
            last: None,
            asked: asked.clone(),
            is_stopping: false,
        };
        Self::came_about(&open.job, cause, draft);
        self.runs.insert(run, open);
        if let Some(account) = self.accounts.get_mut(name) {
            account.gap = None;
            if account.after_end().is_some() {
                account.hold();
                self.timers.set(name, &mut slot.timer, None);
            }
        }
        draft.open(OpenEntry {
            run,
            job: name.clone(),
            cause,
            due,
            jitter,
            state: State::Waiting,
            detail: None,
            caused_by: Vec::new(),
            asked,
        });
        Some(run)
    }
}

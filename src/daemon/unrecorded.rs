//! What is done while nothing can be recorded?

use super::core::{Core, GIVE_UP_AFTER};
use crate::clock::{Woken, instant};
use crate::plan::{Action, Decision, Drain, Lapse, Record};
use crate::run::{EventKind, EventNote};
use crate::settings::WhenUnrecordable;
use crate::store::Trouble;

/// Decisions that wait for the ledger before no more runs are started without it: some three of each run. Ends must still
/// be heard of then.
const MOST_UNRECORDED: usize = 3000;

impl Core {
    /// The ledger cannot be written, or can again; the writer has said so in the log.
    pub(super) async fn trouble(&mut self, trouble: Option<Trouble>) {
        let is_in_trouble = trouble.is_some();
        let is_ending = self.state.drain.is_some_and(|drain| drain != Drain::Finish);
        let before = std::mem::replace(&mut self.state.trouble, trouble);
        let is_news = is_in_trouble && before.is_none();
        if is_in_trouble {
            self.deny_who_waits();
            self.state.lapse = Lapse::Unrecordable;
            self.state.gives_up = is_ending.then(|| instant() + GIVE_UP_AFTER);
            match self.configuration.settings.when_unrecordable {
                WhenUnrecordable::Wait if is_news => {
                    tracing::error!("nothing is started until the ledger can be written");
                }
                WhenUnrecordable::Wait => {}
                WhenUnrecordable::Run => self.carry_out_unrecorded().await,
            }
        } else {
            self.state.gives_up = None;
            // What fell due meanwhile is owed, and the clock may have been set.
            self.woken(Ok(Woken::ClockSet)).await;
            if let Some(before) = before {
                self.tell_of_past_trouble(&before).await;
            }
        }
    }

    /// Whether it may be decided on what is due.
    pub(super) fn may_decide(&self) -> bool {
        self.writer.trouble().borrow().is_none() || self.runs_unrecorded()
    }

    /// Whether runs are started that cannot be recorded yet.
    pub(super) fn runs_unrecorded(&self) -> bool {
        let is_wanted = self.configuration.settings.when_unrecordable == WhenUnrecordable::Run;
        let has_room = self.state.uncommitted.len() < MOST_UNRECORDED;
        is_wanted && has_room && self.state.drain.is_none() && self.writer.trouble().borrow().is_some()
    }

    /// Starts what was decided on and waits for the ledger; that this was done is said at once, and recorded with the rest.
    pub(super) async fn carry_out_unrecorded(&mut self) {
        let waiting = self.state.uncommitted.iter_mut().filter(|waiting| !waiting.is_carried_out);
        let mut actions = Vec::new();
        for waiting in waiting {
            waiting.is_carried_out = true;
            actions.extend(waiting.decision.actions.iter().cloned());
        }
        let mut records = Vec::new();
        for action in actions {
            if let Action::Start(launch) = &action {
                let (run, job) = (launch.run, launch.job.name.clone());
                let detail = format!("run {run} of {job} begins although the ledger cannot be written");
                tracing::error!(job = job.as_str(), run = run.0, "{detail}");
                records.push(Record::Event(EventNote {
                    at: self.clock.now(),
                    kind: EventKind::Trouble,
                    job: Some(job),
                    detail,
                }));
            }
            self.act(action).await;
        }
        if !records.is_empty() {
            self.hand_in(Decision { records, actions: Vec::new() }, None).await;
        }
        if self.state.uncommitted.len() >= MOST_UNRECORDED {
            tracing::error!("too much waits for the ledger: nothing more is started until it can be written");
        }
    }
}

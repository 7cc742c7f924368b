//! What follows when somebody pauses jobs, resumes them, or has instants left out?

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::account::GapKind;
use super::decision::{Decision, Draft, Record};
use super::held::{LeftOut, MOST_LEFT_OUT, Pause, Whose, next_following};
use super::memory::AheadGap;
use super::owed::Lapse;
use super::planner::Planner;
use crate::job::JobName;
use crate::run::{EventKind, EventNote, Outcome, Reason};
use crate::schedule::Timetable;

/// What is said of instants that a clock has brought back which were left out before.
const CAME_AGAIN: &str = "by hand, before the clock was set back";

impl Planner {
    /// A job, or all, is paused from now on; a pause that holds already has begun when it did.
    pub fn handle_pause(&mut self, whose: &Whose, pause: Pause, now: Timestamp) -> Decision {
        let mut draft = self.settled_draft(now);
        let since = self.held.pauses.get(whose).map_or(self.latest, |before| before.since);
        let pause = Pause { since, ..pause };
        let until = pause.until.map_or_else(String::new, |until| format!(", until {until}"));
        let detail = format!("{} {}{until}", words(whose), pause.detail());
        self.held.pauses.set(whose.clone(), pause.clone());
        draft.record(Record::Pause { whose: whose.clone(), pause: Some(pause) });
        self.note(EventKind::ByHand, whose.clone(), detail, &mut draft);
        // Also what its jitter still delays does not run.
        for name in self.of(whose) {
            self.hold_back(&name, &mut draft);
            self.arm(&name);
        }
        self.fill_places(&mut draft);
        self.conclude(draft)
    }

    /// A job, or all, goes on from now on: a job also where all others stay paused. What is due later owes nothing of
    /// the time until now.
    pub fn handle_resume(&mut self, whose: &Whose, by: &str, now: Timestamp) -> Decision {
        let mut draft = self.settled_draft(now);
        let detail = format!("{} resumed by {by}", words(whose));
        self.note(EventKind::ByHand, whose.clone(), detail, &mut draft);
        self.end_pause(whose, &mut draft);
        if let Some(job) = whose
            && self.held.pauses.of(job).is_some()
        {
            self.held.pauses.except(job.clone());
            draft.record(Record::PauseException(job.clone()));
            self.arm(job);
        }
        self.fill_places(&mut draft);
        self.conclude(draft)
    }

    /// Has the next instants of a job left out, up to so many; the answer beside the decision is which.
    pub fn handle_skip(&mut self, job: &JobName, count: usize, by: &str, now: Timestamp) -> (Decision, Vec<Timestamp>) {
        let mut draft = self.settled_draft(now);
        let instants = self.next_instants(job, count);
        let word: Arc<str> = format!("left out by {by}").into();
        for due in &instants {
            self.held.leave_out(job, *due, word.clone());
        }
        if let Some((first, rest)) = instants.split_first() {
            let rest = rest.last().map_or_else(String::new, |last| format!(" to {last}, {} in all", instants.len()));
            let detail = format!("{job}: {first}{rest} left out by {by}");
            self.note(EventKind::ByHand, Some(job.clone()), detail, &mut draft);
            self.record_left_out(job, &mut draft);
        }
        self.fill_places(&mut draft);
        (self.conclude(draft), instants)
    }

    /// Has none of a job's instants left out that were to be.
    pub fn handle_unskip(&mut self, job: &JobName, by: &str, now: Timestamp) -> Decision {
        let mut draft = self.settled_draft(now);
        if self.held.retain(job, |_| false) {
            let detail = format!("{job}: no instant is to be left out any more, by {by}");
            self.note(EventKind::ByHand, Some(job.clone()), detail, &mut draft);
            self.record_left_out(job, &mut draft);
        }
        self.fill_places(&mut draft);
        self.conclude(draft)
    }

    /// What keeps a job from running.
    pub fn pause_of(&self, job: &JobName) -> Option<&Pause> {
        self.held.pauses.of(job)
    }

    /// The pause of all, or of one job by its name.
    pub fn pause(&self, whose: &Whose) -> Option<&Pause> {
        self.held.pauses.get(whose)
    }

    /// The jobs that are paused by their names, also those that the file does not have now.
    pub fn paused_by_name(&self) -> Vec<JobName> {
        self.held.pauses.by_name().cloned().collect()
    }

    /// The instants of a job that are to be left out.
    pub fn left_out(&self, job: &JobName) -> &LeftOut {
        self.held.left_out(job)
    }

    /// The next instants of a job that nothing keeps from running, as far as they are known: up to so many.
    pub fn next_instants(&mut self, job: &JobName, count: usize) -> Vec<Timestamp> {
        let Some(account) = self.accounts.get_mut(job) else {
            return Vec::new();
        };
        let (next, settled) = (account.next(), account.settled);
        let (held, taken, Some(timing)) = (&self.held, &account.taken, &account.timing) else {
            return Vec::new();
        };
        let timetable = &timing.timetable;
        if timetable.after_end().is_some() {
            let is_open = |due: &Timestamp| held.pauses.of(job).is_none_or(|pause| pause.last() < *due);
            let is_wanted = held.left_out(job).is_empty() && next.is_none_or(|due| timetable.closed_by(due).is_none());
            return next.filter(is_open).filter(|_| is_wanted).into_iter().take(count).collect();
        }
        let next = |after: Timestamp| held.next_open(job, timetable, after).map(|(due, _)| due);
        let instants = std::iter::successors(next(settled), |last| next(*last));
        instants.filter(|due| !taken.contains(due)).take(count).collect()
    }

    /// When a job runs next, with all that people have said, as far as it is known.
    pub fn next_run(&mut self, job: &JobName) -> Option<Timestamp> {
        if let Some(next) = self.next_instants(job, 1).pop() {
            return Some(next);
        }
        let account = self.accounts.get_mut(job)?;
        let (due, pause) = (account.next()?, account.after_end()?);
        let timetable = &account.timing.as_ref()?.timetable;
        let (held, is_left_out) = (self.held.pauses.of(job), !self.held.left_out(job).is_empty());
        let next = next_following(due, pause, is_left_out, held.map(|pause| pause.until))?;
        timetable.closed_by(next).is_none().then_some(next)
    }

    /// A decision that begins with all that is due by now.
    fn settled_draft(&mut self, now: Timestamp) -> Draft {
        self.latest = self.latest.max(now);
        let mut draft = Draft::default();
        self.settle_due(Lapse::Suspended, &mut draft);
        draft
    }

    /// Pauses that end by themselves do so, each at its time.
    pub(super) fn end_pauses(&mut self, draft: &mut Draft) {
        while let Some(whose) = self.held.pauses.ended(self.latest) {
            let detail =
                self.held.pauses.get(&whose).map(|pause| format!("{} no longer {}", words(&whose), pause.detail()));
            self.note(EventKind::PauseEnded, whose.clone(), detail.unwrap_or_default(), draft);
            self.end_pause(&whose, draft);
        }
    }

    /// The pause is over, with all that it kept from running in the ledger.
    fn end_pause(&mut self, whose: &Whose, draft: &mut Draft) {
        let names = self.of(whose);
        for name in &names {
            self.hold_back(name, draft);
        }
        if self.held.pauses.end(whose).is_some() {
            draft.record(Record::Pause { whose: whose.clone(), pause: None });
        }
        for name in &names {
            self.arm(name);
        }
    }

    /// Instants in a pause are skipped, however long their jitter would have delayed them.
    pub(super) fn hold_back(&mut self, name: &JobName, draft: &mut Draft) {
        let now = self.latest;
        let Some(pause) = self.held.pauses.of(name) else {
            return;
        };
        let (until, detail) = (pause.last().min(now), pause.detail());
        let Some(account) = self.accounts.get_mut(name) else {
            return;
        };
        let held = account.hold_back(until, now);
        let has_passed = !held.is_empty();
        for tally in held {
            self.record_gap(name, GapKind::paused(detail.clone()), tally, draft);
        }
        self.forget_left_out(name, has_passed, draft);
    }

    /// Whose instants a pause is about, of the jobs of the file.
    fn of(&self, whose: &Whose) -> Vec<JobName> {
        match whose {
            Some(job) => self.slots.contains_key(job).then(|| job.clone()).into_iter().collect(),
            None => self.slots.keys().cloned().collect(),
        }
    }

    /// What was to be left out and is past has been. Where there is one instant at a time, that was it when one has passed.
    pub(super) fn forget_left_out(&mut self, name: &JobName, has_passed: bool, draft: &mut Draft) {
        let Some(account) = self.accounts.get(name).filter(|_| !self.held.left_out(name).is_empty()) else {
            return;
        };
        let (settled, follows) = (account.settled, account.after_end().is_some());
        if self.held.retain(name, |due| if follows { !has_passed } else { due > settled }) {
            self.record_left_out(name, draft);
        }
    }

    /// What was to be left out, and is none of the job's instants any more, is dropped.
    pub(super) fn forget_unnamed(&mut self, name: &JobName, draft: &mut Draft) {
        let timing = self.accounts.get(name).and_then(|account| account.timing.clone());
        let is_named = |due: Timestamp| timing.as_ref().is_some_and(|timing| names(&timing.timetable, due));
        if self.held.retain(name, is_named) {
            self.record_left_out(name, draft);
        }
    }

    fn record_left_out(&self, job: &JobName, draft: &mut Draft) {
        draft.record(Record::LeftOut { job: job.clone(), left_out: self.held.left_out(job).clone() });
    }

    /// Instants that come again because the clock was set back are left out again, if that is what was said of them.
    pub(super) fn leave_out_again(&mut self, AheadGap { job, gap, timing }: &AheadGap, draft: &mut Draft) {
        let was_left_out = (gap.outcome, gap.reason) == (Outcome::Skipped, Reason::ByHand);
        let in_force = self.accounts.get(job).and_then(|account| account.timing.clone());
        let (Some(timing), Some(in_force)) = (timing.as_ref().filter(|_| was_left_out), in_force) else {
            return;
        };
        let after = just_before(gap.due).max(self.latest);
        let again = timing.timetable.between(after, gap.due_last).filter(|due| names(&in_force.timetable, *due));
        let again: Vec<Timestamp> = again.take(MOST_LEFT_OUT).collect();
        for due in &again {
            self.held.leave_out(job, *due, CAME_AGAIN.into());
        }
        if !again.is_empty() {
            self.record_left_out(job, draft);
        }
    }

    pub(super) fn note(&self, kind: EventKind, job: Option<JobName>, detail: String, draft: &mut Draft) {
        draft.record(Record::Event(EventNote { at: self.latest, kind, job, detail }));
    }
}

/// Whether a timetable names an instant that no calendar skips.
fn names(timetable: &Timetable, due: Timestamp) -> bool {
    timetable.next_open(just_before(due)).is_some_and(|(next, _)| next == due)
}

/// Whose pause it is, as a sentence begins.
fn words(whose: &Whose) -> String {
    whose.as_ref().map_or_else(|| "all jobs:".to_owned(), |job| format!("{job}:"))
}

fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_micros(1)).unwrap_or(at)
}

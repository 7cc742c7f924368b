//! What if somebody else works on the same ledger? What it has already recorded is refused, and this planner gives way.

use super::account::GapKind;
use super::decision::{Decision, Draft, OpenEntry, Record};
use super::planner::Planner;
use crate::job::JobName;
use crate::run::{EventKind, EventNote, GapEntry, RunId};

impl Planner {
    /// The ledger has other entries for the instants of these ones of a decision: somebody else accounts for them.
    pub fn handle_refused(&mut self, refused: &[RunId], decision: &Decision) -> Decision {
        let mut draft = Draft::default();
        for record in &decision.records {
            match record {
                Record::Opened(entry) if refused.contains(&entry.run) => self.refuse_run(entry, &mut draft),
                Record::Gap { job, gap, detail } if refused.contains(&gap.run) => {
                    self.refuse_gap(job, gap, detail.clone(), &mut draft);
                }
                _ => {}
            }
        }
        self.fill_places(&mut draft);
        self.conclude(draft)
    }

    fn refuse_run(&mut self, entry: &OpenEntry, draft: &mut Draft) {
        self.forget(entry.run, self.latest());
        let detail = format!("run {} was due at {}, for which the ledger has another entry", entry.run, entry.due);
        let job = Some(entry.job.clone());
        draft.record(Record::Event(EventNote { at: self.latest(), kind: EventKind::Refused, job, detail }));
    }

    /// Only the entry's first instant is known to be taken; the others get an entry of their own.
    fn refuse_gap(&mut self, job: &JobName, gap: &GapEntry, detail: Option<String>, draft: &mut Draft) {
        let Some(account) = self.accounts.get_mut(job) else {
            return;
        };
        // It may have grown since, and it may have been followed by another.
        let newest = account.gap.take();
        let is_newest = newest.as_ref().is_some_and(|newest| newest.run == gap.run);
        let (gap, follower) = match newest {
            Some(newest) if is_newest => (*newest, None),
            follower => (gap.clone(), follower),
        };
        let rest = account.timing.as_ref().and_then(|timing| timing.timetable.tally(gap.due, gap.due_last));
        if let Some(rest) = rest {
            let kind = GapKind { outcome: gap.outcome, reason: gap.reason, detail };
            // Whoever wants to hear of it was told of the entry as a whole.
            self.gap(job, kind, rest).into_iter().for_each(|record| draft.record(record));
        }
        if let Some(account) = self.accounts.get_mut(job)
            && !is_newest
        {
            account.gap = follower;
        }
    }
}

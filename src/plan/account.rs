//! How far are a job's instants accounted for?

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};

use super::decision::Record;
use super::memory::AheadGap;
use super::owed::{Owed, Policy, all_missed, owed};
use crate::job::{JobName, Timing};
use crate::run::{GapEntry, Outcome, Reason, RunId};
use crate::schedule::Tally;

/// A job's account with the ledger.
#[derive(Debug)]
pub struct Account {
    /// Which instants there are; `None` if none are accounted for.
    pub timing: Option<Timing>,
    /// Every instant up to here is in the ledger.
    pub settled: Timestamp,
    /// The newest entry, if it is of instants that did not become runs; the next of its kind extends it.
    pub gap: Option<GapEntry>,
    /// Instants later than `settled` that have a run, from before the clock was set back.
    pub taken: BTreeSet<Timestamp>,
}

/// Why instants did not become runs.
#[derive(Debug, Clone)]
pub struct GapKind {
    pub outcome: Outcome,
    pub reason: Reason,
    pub detail: Option<String>,
}

impl GapKind {
    pub fn missed(reason: Reason) -> Self {
        Self { outcome: Outcome::Missed, reason, detail: None }
    }
}

impl Account {
    /// An account that owes nothing up to `since`.
    pub fn opened(timing: Option<Timing>, since: Timestamp) -> Self {
        Self { timing, settled: since, gap: None, taken: BTreeSet::new() }
    }

    /// The first instant that is not accounted for.
    pub fn next(&self) -> Option<Timestamp> {
        self.timing.as_ref()?.timetable.next_after(self.settled)
    }

    /// Settles up to `now`; what becomes of the instants until then is the caller's to record.
    pub fn settle(&mut self, now: Timestamp, policy: Policy) -> Owed {
        // One that is behind may still part the newest entry from the next.
        let needed = self.gap.as_ref().map_or(self.settled, |gap| gap.due_last.min(self.settled));
        self.taken.retain(|due| *due > needed);
        let owed = match &self.timing {
            Some(timing) => owed(&timing.timetable, self.settled, now, policy, &self.taken),
            None => Owed::default(),
        };
        self.settled = self.settled.max(now);
        owed
    }

    /// Settles up to `now` with nothing but missed instants, because the definition ends.
    pub fn conclude(&mut self, now: Timestamp) -> Vec<Tally> {
        let missed = match &self.timing {
            Some(timing) => all_missed(&timing.timetable, self.settled, now, &self.taken),
            None => Vec::new(),
        };
        self.settled = self.settled.max(now);
        missed
    }

    /// The record of instants that do not become runs: the newest entry grown, if it is of the same kind, or an entry of
    /// its own numbered by `number`.
    pub fn gap(&mut self, job: &JobName, kind: GapKind, tally: Tally, number: impl FnOnce() -> RunId) -> Record {
        let GapKind { outcome, reason, detail } = kind;
        let taken = &self.taken;
        let is_neighbour = |gap: &&mut GapEntry| taken.range(gap.due_last..tally.first).next().is_none();
        let is_same = |gap: &&mut GapEntry| (gap.outcome, gap.reason) == (outcome, reason);
        if let Some(gap) = self.gap.as_mut().filter(is_same).filter(is_neighbour) {
            gap.due_last = tally.last;
            gap.count += tally.count;
            return resized(gap);
        }
        let gap =
            GapEntry { run: number(), outcome, reason, due: tally.first, due_last: tally.last, count: tally.count };
        self.gap = Some(gap.clone());
        Record::Gap { job: job.clone(), gap, detail }
    }

    /// The clock shows less than before: nothing later than `now` is settled.
    pub fn cut_back(&mut self, now: Timestamp) {
        self.settled = self.settled.min(now);
        self.gap = self.gap.take().filter(|gap| gap.due_last <= now);
    }

    /// Cuts an entry that reaches beyond `now`; those of its instants were never real.
    pub fn cut_gap(&mut self, AheadGap { gap, timing, .. }: AheadGap, now: Timestamp) -> Record {
        if gap.due > now {
            return Record::GapRemoved(gap.run);
        }
        let past = timing.and_then(|timing| timing.timetable.tally(just_before(gap.due), now));
        // Where the schedule it was made from is gone, its first instant is all that is known.
        let past = past.unwrap_or(Tally { count: 1, first: gap.due, last: gap.due });
        let kept = GapEntry { due_last: past.last.min(gap.due_last), count: past.count.min(gap.count), ..gap };
        let record = resized(&kept);
        self.gap = Some(kept);
        record
    }
}

fn resized(gap: &GapEntry) -> Record {
    Record::GapResized { run: gap.run, due_last: gap.due_last, count: gap.count }
}

fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_micros(1)).unwrap_or(at)
}

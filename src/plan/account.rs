//! How far are a job's instants accounted for?

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::decision::Record;
use super::held::LeftOut;
use super::memory::AheadGap;
use super::owed::{Aside, Owed, Policy, all_missed, counted, owed};
use crate::job::{JobName, Timing};
use crate::run::{GapEntry, Outcome, Reason, RunId};
use crate::schedule::{Tally, Timetable};

/// A job's account with the ledger.
#[derive(Debug)]
pub struct Account {
    /// Which instants there are; `None` if none are accounted for.
    pub timing: Option<Arc<Timing>>,
    /// Where its definition begins: an entry of instants from before is of another one, and does not grow.
    pub since: Timestamp,
    /// Every instant up to here is in the ledger.
    pub settled: Timestamp,
    /// The newest entry, if it is of instants that did not become runs; the next of its kind extends it.
    pub gap: Option<Box<GapEntry>>,
    /// Instants later than `settled` that have a run, from before the clock was set back.
    pub taken: BTreeSet<Timestamp>,
    /// The first instant later than `settled`, where that is known.
    upcoming: Upcoming,
}

#[derive(Debug, Clone, Copy)]
enum Upcoming {
    Unknown,
    /// The next instant, or that there is none.
    At(Option<Timestamp>),
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

    /// A pause holds.
    pub fn paused(detail: String) -> Self {
        Self { outcome: Outcome::Skipped, reason: Reason::Paused, detail: Some(detail) }
    }

    /// Somebody wanted it to be left out.
    pub fn left_out(word: &str) -> Self {
        Self { outcome: Outcome::Skipped, reason: Reason::ByHand, detail: Some(word.to_owned()) }
    }

    /// A calendar of this name holds.
    pub fn closed(calendar: &str) -> Self {
        let detail = Some(format!("not on {calendar}"));
        Self { outcome: Outcome::Skipped, reason: Reason::Calendar, detail }
    }
}

impl Account {
    /// An account that owes nothing up to `since`.
    pub fn opened(timing: Option<Arc<Timing>>, since: Timestamp) -> Self {
        let upcoming = match timing.as_ref().and_then(|timing| timing.timetable.after_end()) {
            // It follows from what has yet to be learned.
            Some(_) => Upcoming::At(None),
            None => Upcoming::Unknown,
        };
        Self { timing, since, settled: since, gap: None, taken: BTreeSet::new(), upcoming }
    }

    /// How long after the end of a run the next instant is, where that is the rule.
    pub fn after_end(&self) -> Option<Duration> {
        self.timing.as_ref()?.timetable.after_end()
    }

    /// The job's next instant follows from something that happened at `base`, and is `pause` later.
    pub fn follow(&mut self, base: Timestamp, pause: Duration) {
        let due = SignedDuration::try_from(pause).ok().and_then(|pause| base.checked_add(pause).ok());
        let due = due.and_then(|due| Timestamp::from_microsecond(due.as_microsecond()).ok());
        let moved = |due: Timestamp| Some(self.timing.as_ref()?.timetable.moved(due));
        self.upcoming = Upcoming::At(due.and_then(moved));
    }

    /// The job's next instant is not known before its run has ended.
    pub fn hold(&mut self) {
        self.upcoming = Upcoming::At(None);
    }

    /// The first instant that is not accounted for.
    pub fn next(&mut self) -> Option<Timestamp> {
        let timetable = &self.timing.as_ref()?.timetable;
        match self.upcoming {
            Upcoming::At(next) if timetable.after_end().is_some() => next.filter(|at| timetable.bounds.contain(*at)),
            Upcoming::At(next) if next.is_none_or(|next| next > self.settled) => next,
            Upcoming::At(_) | Upcoming::Unknown => {
                let next = timetable.next_after(self.settled);
                self.upcoming = Upcoming::At(next);
                next
            }
        }
    }

    /// When the job starts next, unless something is in its way.
    pub fn next_start(&mut self, policy: Policy) -> Option<Timestamp> {
        let due = self.next()?;
        let jitter = policy.jitter(&self.timing.as_ref()?.timetable, due);
        due.checked_add(jitter).ok()
    }

    /// Settles up to `now`, but for an instant whose start its jitter still delays; what becomes of the instants until
    /// then is the caller's to record.
    pub fn settle(&mut self, now: Timestamp, policy: Policy, left_out: &LeftOut) -> Vec<Owed> {
        // One that is behind may still part the newest entry from the next.
        let needed = self.gap.as_ref().map_or(self.settled, |gap| gap.due_last.min(self.settled));
        self.taken.retain(|due| *due > needed);
        let first = self.next();
        let (Some(first), Some(timing)) = (first.filter(|first| *first <= now), self.timing.clone()) else {
            self.settled = self.settled.max(now);
            return Vec::new();
        };
        let timetable = &timing.timetable;
        if let Some(pause) = timetable.after_end() {
            return self.settle_following((timetable, pause), first, now, policy, left_out);
        }
        let second = timetable.next_after(first);
        if second.is_some_and(|second| second <= now) {
            let until = settles_until(timetable, first, now, policy);
            let owed = owed(timetable, self.settled, until, policy, Aside { taken: &self.taken, left_out });
            self.settled = self.settled.max(until);
            return owed;
        }
        // The ordinary case: one instant.
        if policy.jitter.is_some_and(|jitter| first + jitter.of(first, second) > now) {
            return Vec::new();
        }
        self.settled = self.settled.max(now);
        self.upcoming = Upcoming::At(second);
        if self.taken.contains(&first) {
            return Vec::new();
        }
        vec![
            left_out.get(&first).map_or_else(|| alone(timetable, first, now, policy), |word| one_left_out(first, word)),
        ]
    }

    /// The one instant that there is; the next follows from its run, or from now if there is none. Where it is to be left
    /// out, it is, whenever it comes: it was not known for sure when that was said.
    fn settle_following(
        &mut self,
        (timetable, pause): (&Timetable, Duration),
        due: Timestamp,
        now: Timestamp,
        policy: Policy,
        left_out: &LeftOut,
    ) -> Vec<Owed> {
        if due + policy.jitter(timetable, due) > now {
            return Vec::new();
        }
        self.settled = self.settled.max(now);
        if self.taken.contains(&due) {
            self.follow(now, pause);
            return Vec::new();
        }
        let word = left_out.values().next();
        let owed = word.map_or_else(|| alone(timetable, due, now, policy), |word| one_left_out(due, word));
        match owed {
            Owed::Run { .. } => self.hold(),
            Owed::Missed(_) | Owed::Closed(..) | Owed::LeftOut(..) => self.follow(now, pause),
        }
        vec![owed]
    }

    /// Settles up to `until`, however long its jitter delays the last instant, because a pause holds; the answer are the
    /// instants that it keeps from running. What follows from one that there is, does so from `now`.
    pub fn hold_back(&mut self, until: Timestamp, now: Timestamp) -> Vec<Tally> {
        let Some(timing) = self.timing.clone() else {
            return Vec::new();
        };
        let first = self.next().filter(|first| *first <= until);
        if let Some(pause) = timing.timetable.after_end() {
            let Some(due) = first else {
                return Vec::new();
            };
            self.settled = self.settled.max(now);
            self.follow(now, pause);
            if self.taken.contains(&due) {
                return Vec::new();
            }
            return vec![Tally { count: 1, first: due, last: due }];
        }
        let settled = self.settled;
        self.settled = settled.max(until);
        match first {
            Some(_) => counted(&timing.timetable, settled, until, &self.taken),
            None => Vec::new(),
        }
    }

    /// Settles up to `now` without a run for any instant, because the definition ends.
    pub fn conclude(&mut self, now: Timestamp, left_out: &LeftOut) -> Vec<Owed> {
        let aside = Aside { taken: &self.taken, left_out };
        let missed = match &self.timing {
            Some(timing) => all_missed(&timing.timetable, self.settled, now, aside),
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
        let is_neighbour = |gap: &&mut Box<GapEntry>| taken.range(gap.due_last..tally.first).next().is_none();
        let is_same = |gap: &&mut Box<GapEntry>| (gap.outcome, gap.reason) == (outcome, reason);
        if let Some(gap) = self.gap.as_mut().filter(is_same).filter(is_neighbour) {
            gap.due_last = tally.last;
            gap.count += tally.count;
            return resized(gap);
        }
        let gap =
            GapEntry { run: number(), outcome, reason, due: tally.first, due_last: tally.last, count: tally.count };
        self.gap = Some(Box::new(gap.clone()));
        Record::Gap { job: job.clone(), gap, detail }
    }

    /// The clock shows less than before: nothing later than `now` is settled. Which later instants have a run the ledger
    /// says anew, under the names that it knows by now.
    pub fn cut_back(&mut self, now: Timestamp) {
        self.taken.retain(|due| *due <= now);
        self.since = self.since.min(now);
        self.settled = self.settled.min(now);
        self.gap = self.gap.take().filter(|gap| gap.due_last <= now);
        match (self.after_end(), self.upcoming) {
            // What was to follow soon is not put off by what the clock showed before.
            (Some(pause), Upcoming::At(Some(next))) => {
                self.follow(now, pause);
                if let Upcoming::At(Some(again)) = self.upcoming {
                    self.upcoming = Upcoming::At(Some(again.min(next)));
                }
            }
            (Some(_), Upcoming::At(None) | Upcoming::Unknown) => {}
            (None, _) => self.upcoming = Upcoming::Unknown,
        }
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
        if kept.due > self.since {
            self.gap = Some(Box::new(kept));
        }
        record
    }
}

/// Up to where instants are settled: not the newest one, if its jitter still delays it.
fn settles_until(timetable: &Timetable, first: Timestamp, now: Timestamp, policy: Policy) -> Timestamp {
    if policy.jitter.is_none() {
        return now;
    }
    let newest = timetable.between(timetable.last_few(first, now, 1), now).last();
    match newest.filter(|newest| *newest + policy.jitter(timetable, *newest) > now) {
        Some(newest) => just_before(newest),
        None => now,
    }
}

/// What becomes of an instant if it is the only one.
fn alone(timetable: &Timetable, due: Timestamp, now: Timestamp, policy: Policy) -> Owed {
    let tally = Tally { count: 1, first: due, last: due };
    if let Some(calendar) = timetable.closed_by(due) {
        return Owed::Closed(tally, calendar.name.as_str().into());
    }
    match policy.cause(timetable, due, true, now) {
        Some(cause) => Owed::Run { due, cause },
        None => Owed::Missed(tally),
    }
}

fn one_left_out(due: Timestamp, word: &Arc<str>) -> Owed {
    Owed::LeftOut(Tally { count: 1, first: due, last: due }, word.clone())
}

fn resized(gap: &GapEntry) -> Record {
    Record::GapResized { run: gap.run, due_last: gap.due_last, count: gap.count }
}

fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_micros(1)).unwrap_or(at)
}

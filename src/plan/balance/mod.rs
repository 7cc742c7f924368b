//! Does what is recorded of a job agree with what should have happened? The arithmetic of the audit.
//!
//! It is handed the job's definitions, then its entries in due order, and names every difference. It keeps a cursor up to
//! which all instants are accounted for, so a ledger of any length takes no more memory than one of a day.

mod difference;
mod evidence;
mod pruned;
mod timeline;

use jiff::{SignedDuration, Timestamp};

use crate::run::{Cause, Outcome, RunId, State};
use crate::schedule::{Closure, Moment};

pub use difference::{Balanced, Difference, DifferenceKind};
pub use evidence::{Booked, Pruned, Scope, StepBack};
use pruned::Counts;
pub use timeline::Period;
use timeline::{Timeline, just_before};

/// A clock may be set by less than this without anybody noting it, so times of a run may contradict each other by as much.
const UNNOTICED_STEP: SignedDuration = SignedDuration::from_millis(100);

/// The first instant behind the cursor.
#[derive(Debug, Clone, Copy)]
enum Expected {
    Unknown,
    /// The next instant, or that there is none.
    At(Option<Timestamp>),
}

/// The account of one job, while its entries are read.
#[derive(Debug)]
pub struct Balance<'s> {
    scope: &'s Scope,
    timeline: Timeline,
    counts: Counts,
    /// How much later than its instants the job starts at the most, if that is known; what entries say counts as well.
    longest_jitter: Option<SignedDuration>,
    /// Every instant up to here is accounted for, or was complained about.
    cursor: Timestamp,
    expected: Expected,
    /// The entry that reaches farthest, and how far.
    farthest: Option<(RunId, Timestamp)>,
    /// The last run in due order, and when it ended.
    last_end: Option<(RunId, Timestamp)>,
    found: Balanced,
}

impl<'s> Balance<'s> {
    pub fn new(
        scope: &'s Scope,
        periods: Vec<Period>,
        pruned: Vec<Pruned>,
        longest_jitter: Option<SignedDuration>,
    ) -> Self {
        let (timeline, overlapping) = Timeline::new(periods);
        let begin = timeline.periods().first().map_or(Timestamp::MIN, |period| period.since);
        let mut balance = Self {
            scope,
            timeline,
            counts: Counts::new(pruned, scope.from),
            longest_jitter,
            cursor: scope.from.map_or(begin, |from| from.max(begin)),
            expected: Expected::Unknown,
            farthest: None,
            last_end: None,
            found: Balanced::default(),
        };
        for period in overlapping {
            let (from, until) = (period.since, period.end().min(scope.now));
            let detail = format!("two definitions speak for this time; the later one says {}", period.words());
            let runs = Vec::new();
            let kind = DifferenceKind::DefinitionsOverlap;
            balance.differ(Difference { kind, from, until, count: 0, runs, detail });
        }
        balance
    }

    /// The next entry in due order.
    pub fn book(&mut self, entry: &Booked) {
        let is_before = self.scope.from.is_some_and(|from| entry.due_last.unwrap_or(entry.due) <= from);
        if !is_before {
            self.check_end(entry);
            self.check_start(entry);
        }
        self.longest_jitter = self.longest_jitter.map(|longest| longest.max(entry.jitter));
        if entry.due_last.is_none() {
            self.last_end = entry.ended.map(|ended| (entry.run, ended));
        }
        // What the clock will show again says nothing about the time until now.
        if is_before || entry.due > self.scope.now {
            return;
        }
        match entry.cause {
            Cause::Schedule | Cause::CatchUp => self.account(entry),
            Cause::Boot => self.check_moment(entry, Moment::Reboot),
            Cause::Start => self.check_moment(entry, Moment::Start),
            Cause::Manual | Cause::Dependency => {}
        }
    }

    /// Everything was read.
    pub fn finish(mut self) -> Balanced {
        let settled = self.settled();
        let cursor = self.cursor;
        self.account_for_nothing(cursor, settled);
        self.surplus(Timestamp::MAX);
        self.found.differences.sort_by_key(|difference| difference.from);
        self.found.owed = self.timeline.tally(cursor.max(settled), self.scope.now);
        self.found
    }

    /// Up to where every instant must have an entry: as long as the definitions lasted that have ended, and of the one in
    /// force as far as is known to have been decided.
    fn settled(&self) -> Timestamp {
        let periods = self.timeline.periods();
        let ended = periods.iter().filter_map(|period| period.until).max().unwrap_or(Timestamp::MIN);
        let in_force = periods.last().filter(|period| period.until.is_none());
        let decided = in_force.zip(self.scope.decided).and_then(|(period, decided)| match self.longest_jitter {
            Some(jitter) => decided.checked_sub(jitter).ok(),
            // Its jitter puts an instant off to the next one at the most.
            None => self.timeline.last(period.since.max(self.cursor), decided).map(just_before),
        });
        decided.map_or(ended, |decided| decided.max(ended)).min(self.scope.now)
    }

    /// An entry that accounts for instants.
    fn account(&mut self, entry: &Booked) {
        let last = entry.due_last.unwrap_or(entry.due);
        // Several that call for a run at the same moment are no instant twice.
        let is_called = entry.may_be_of_moments() && self.timeline.at(entry.due).is_none_or(has_moments);
        let is_covered = self.farthest.filter(|(_, until)| entry.due <= *until && !is_called);
        let mut is_named = false;
        match self.expected() {
            Some(expected) if expected == entry.due => is_named = true,
            Some(expected) if expected < entry.due => {
                self.account_for_nothing(self.cursor, just_before(entry.due));
            }
            Some(_) | None => {}
        }
        self.surplus(entry.due);
        if let Some((other, until)) = is_covered {
            let detail = format!("runs {other} and {} are about the same time", entry.run);
            let (from, until) = (entry.due, until.min(last));
            let count = self.timeline.tally(just_before(from), until).map_or(1, |tally| tally.count);
            let runs = vec![other, entry.run];
            self.differ(Difference { kind: DifferenceKind::Twice, from, until, count, runs, detail });
        } else {
            self.found.instants += entry.count;
        }
        if !is_named && !self.timeline.names(entry.due) {
            self.check_unnamed(entry);
        }
        if entry.due_last.is_some() || entry.count != 1 {
            self.check_count(entry, last);
        }
        if self.farthest.is_none_or(|(_, until)| until < last) {
            self.farthest = Some((entry.run, last));
        }
        if last > self.cursor {
            self.cursor = last;
            self.expected = Expected::Unknown;
        }
    }

    /// The first instant behind the cursor.
    fn expected(&mut self) -> Option<Timestamp> {
        if let Expected::At(next) = self.expected {
            return next;
        }
        let next = self.timeline.next_after(self.cursor);
        self.expected = Expected::At(next);
        next
    }

    /// No entry is about the instants in `(after, until]`; some may have been pruned.
    fn account_for_nothing(&mut self, after: Timestamp, until: Timestamp) {
        let split = self.scope.uncounted.map_or(after, |uncounted| uncounted.clamp(after, until.max(after)));
        if let Some(tally) = self.timeline.tally(after, split) {
            let counted = self.counts.take(tally);
            self.by_counts(counted);
            self.found.unknown += tally.count - counted;
        }
        let Some(tally) = self.timeline.tally(split, until) else {
            return;
        };
        let counted = self.counts.take(tally);
        self.by_counts(counted);
        let lacking = tally.count - counted;
        if lacking == 0 {
            return;
        }
        if self.counts.begins_within() {
            self.found.unknown += lacking;
            return;
        }
        let words = self.timeline.at(tally.first).map(Period::words).unwrap_or_default();
        let detail = match (self.counts.are_near(tally), tally.count) {
            (true, count) => {
                format!("of {count} instants of its schedule ({words}) {counted} were counted when pruned")
            }
            (false, 1) => format!("no entry accounts for this instant of its schedule ({words})"),
            (false, count) => format!("no entry accounts for these {count} instants of its schedule ({words})"),
        };
        let (from, until, runs) = (tally.first, tally.last, Vec::new());
        self.differ(Difference { kind: DifferenceKind::Missing, from, until, count: lacking, runs, detail });
    }

    fn by_counts(&mut self, counted: u64) {
        self.found.instants += counted;
        self.found.by_counts += counted;
    }

    /// What was counted when it was pruned, and is behind us, must have been of instants.
    fn surplus(&mut self, entry: Timestamp) {
        let Some((from, until, surplus)) = self.counts.surplus(entry) else {
            return;
        };
        let until = until.min(self.scope.now);
        // Starts of the daemon and pauses between runs are counted without being known in advance, and so are runs of a
        // time that came again.
        let is_open = self.timeline.at(from).is_none() || self.timeline.at(until).is_none();
        if is_open || !self.timeline.is_foreseeable(from, until) || self.scope.went_back(from, until) {
            return;
        }
        let detail = format!("{surplus} more were counted when pruned than its schedule named");
        let runs = Vec::new();
        self.differ(Difference { kind: DifferenceKind::Twice, from, until, count: surplus, runs, detail });
    }

    /// Its time is none that the definition in force names.
    fn check_unnamed(&mut self, entry: &Booked) {
        let period = self.timeline.at(entry.due);
        let is_right = match period {
            Some(period) if period.timing.is_none() => true,
            // A job that never ran is due when its definition begins.
            _ if self.timeline.follows_ends(entry.due) => true,
            Some(period) => entry.may_be_of_moments() && has_moments(period),
            None => entry.may_be_of_moments(),
        };
        let came_again = self.scope.was_to_come(entry.run, entry.due) && self.timeline.is_named_by_any(entry.due);
        if is_right || came_again {
            return;
        }
        let (kind, detail) = match period {
            Some(period) => {
                (DifferenceKind::NotAnInstant, format!("its schedule ({}) does not name this time", period.words()))
            }
            None => (DifferenceKind::NoDefinition, "no definition of the job was in force at this time".to_owned()),
        };
        self.differ_at(kind, entry, detail);
    }

    /// An entry of several instants ends with one, and counts as many as there are.
    fn check_count(&mut self, entry: &Booked, last: Timestamp) {
        let named = self.timeline.tally(just_before(entry.due), last).map_or(0, |tally| tally.count);
        // A job whose instants follow the ends of its runs may have one as its definition begins.
        let knows = self.timeline.is_foreseeable(just_before(entry.due), last)
            && !self.timeline.follows_ends(entry.due)
            && !(entry.may_be_of_moments() && self.timeline.at(last).is_none());
        let is_right = if knows { entry.count == named } else { entry.count >= named.max(1) };
        if last < entry.due || !is_right {
            let detail = format!("it counts {}, and the definitions name {named}", entry.count);
            self.differ_at(DifferenceKind::CountWrong, entry, detail);
        } else if knows && !self.timeline.names(last) && self.timeline.names(entry.due) {
            let detail = "the last time of its stretch is none that its schedule names".to_owned();
            self.differ_at(DifferenceKind::NotAnInstant, entry, detail);
        }
    }

    /// A run at a start of the daemon or the machine.
    fn check_moment(&mut self, entry: &Booked, moment: Moment) {
        let has = |period: &Period| {
            let is_in_force = period.since <= entry.due && entry.due <= period.end();
            period.has_moment(moment) && (is_in_force || self.scope.was_to_come(entry.run, entry.due))
        };
        let is_blind = self.timeline.at(entry.due).is_some_and(|period| period.timing.is_none());
        if is_blind || self.timeline.periods().iter().any(has) {
            return;
        }
        let detail = "no definition in force asked for a run at a start".to_owned();
        self.differ_at(DifferenceKind::NoDefinition, entry, detail);
    }

    /// What has ended says how, and its times agree.
    fn check_end(&mut self, entry: &Booked) {
        let run = entry.run;
        if (entry.state == State::Ended) != entry.outcome.is_some() {
            let detail = match entry.outcome {
                None => "it has ended without an outcome".to_owned(),
                Some(outcome) => format!("it is {}, and has the outcome {outcome}", entry.state.word()),
            };
            self.differ_at(DifferenceKind::NoOutcome, entry, detail);
        }
        let ends = matches!(entry.outcome, Some(Outcome::Succeeded | Outcome::TimedOut | Outcome::Failed));
        if ends && entry.ended.is_none() {
            self.differ_at(DifferenceKind::ImpossibleTimes, entry, "it has no time at which it ended".to_owned());
        }
        let Some((started, ended)) = entry.started.zip(entry.ended) else {
            return;
        };
        let was_set = self.scope.was_to_come(run, started) || self.scope.went_back(ended, started);
        if ended.saturating_add(UNNOTICED_STEP).unwrap_or(ended) < started && !was_set {
            self.differ_at(DifferenceKind::ImpossibleTimes, entry, "it ended before it began".to_owned());
        }
    }

    /// Nothing begins before its time.
    fn check_start(&mut self, entry: &Booked) {
        let ready = entry.due.saturating_add(entry.jitter).unwrap_or(entry.due);
        let names_instant = entry.cause.names_instant();
        if names_instant
            && entry.started.is_some_and(|started| started < ready && !self.scope.was_to_come(entry.run, ready))
        {
            let jitter = if entry.jitter.is_zero() { "" } else { " and its jitter" };
            self.differ_at(DifferenceKind::Early, entry, format!("it began before its instant{jitter}"));
        }
        let Some(((last, end), period)) = self.last_end.zip(self.timeline.at(entry.due)) else {
            return;
        };
        let moves = |period: &Period| {
            let closure = period.timing.as_ref().and_then(|timing| timing.timetable.closure.as_ref());
            closure.is_some_and(Closure::moves)
        };
        let pause = period.after_end().and_then(|pause| SignedDuration::try_from(pause).ok());
        let earliest = pause.and_then(|pause| end.checked_add(pause).ok());
        let is_early = names_instant
            && entry.due_last.is_none()
            && end >= period.since
            && !moves(period)
            && earliest.is_some_and(|earliest| entry.due < earliest)
            && !self.scope.was_to_come(last, end)
            && !self.scope.was_to_come(entry.run, entry.due);
        if is_early {
            let detail = format!("its pause after the last run ({}) was not over", period.words());
            self.differ_at(DifferenceKind::Early, entry, detail);
        }
    }

    fn differ_at(&mut self, kind: DifferenceKind, entry: &Booked, detail: String) {
        let (from, until) = (entry.due, entry.due_last.unwrap_or(entry.due));
        self.differ(Difference { kind, from, until, count: entry.count, runs: vec![entry.run], detail });
    }

    pub fn differ(&mut self, difference: Difference) {
        self.found.differ(difference);
    }
}

fn has_moments(period: &Period) -> bool {
    period.has_moment(Moment::Reboot) || period.has_moment(Moment::Start)
}

#[cfg(test)]
mod tests;

//! When is a job due, all in all? Its schedules together, in their zone, between two bounds, and out of its calendars.

use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::bounds::Bounds;
use super::calendar::{Calendar, Closure};
use super::pattern::Pattern;
use super::place::{Fold, Gap};
use super::{Moment, Schedule};

/// Where a civil time is placed: a zone, and the rules for its gaps and folds.
#[derive(Debug, Clone)]
pub struct Place {
    pub zone: TimeZone,
    /// `None` is Vixie cron's rule, which depends on the pattern.
    pub gap: Option<Gap>,
    /// `None` is Vixie cron's rule, which depends on the pattern.
    pub fold: Option<Fold>,
}

impl Place {
    /// The zone with Vixie cron's rules for gaps and folds.
    pub fn of(zone: TimeZone) -> Self {
        Self { zone, gap: None, fold: None }
    }

    /// Vixie's rule: a fixed pattern shifts out of a gap and runs in the first pass of a fold; any other skips the
    /// gap and runs in both passes, so that it keeps its pace in real time.
    pub(super) fn rules_for(&self, pattern: &Pattern) -> (Gap, Fold) {
        let (gap, fold) = if pattern.is_fixed() { (Gap::ShiftFromShort, Fold::First) } else { (Gap::Skip, Fold::Both) };
        (self.gap.unwrap_or(gap), self.fold.unwrap_or(fold))
    }
}

/// A job whose instants are closed for so long, some ten years of weekends and holidays, is taken to have none left.
const MOST_CLOSED_STRETCHES: u32 = 4_000;

/// No two instants of a schedule are closer; those of two schedules may be.
const SHORTEST_PACE: SignedDuration = SignedDuration::from_secs(1);

/// So many instants more than were asked for are walked without a thought.
const FEW_MORE: u64 = 1_000;

/// All that a job says about its instants.
///
/// Two schedules that name the same instant name one.
#[derive(Debug, Clone)]
pub struct Timetable {
    pub schedules: Vec<Arc<Schedule>>,
    pub place: Place,
    pub bounds: Bounds,
    pub closure: Option<Closure>,
}

/// The instants of a stretch of time, counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tally {
    pub count: u64,
    pub first: Timestamp,
    pub last: Timestamp,
}

/// A stretch of time `(after, until]` in which either no calendar holds, or the same one.
#[derive(Debug, Clone)]
pub struct Piece {
    pub after: Timestamp,
    pub until: Timestamp,
    pub closed_by: Option<Arc<Calendar>>,
}

impl Timetable {
    /// Schedules in a zone, without bounds and calendars.
    pub fn new(schedules: Vec<Arc<Schedule>>, place: Place) -> Self {
        Self { schedules, place, bounds: Bounds::default(), closure: None }
    }

    /// The first instant strictly later than `after`.
    pub fn next_after(&self, after: Timestamp) -> Option<Timestamp> {
        self.next_with_schedule(after).map(|(instant, _)| instant)
    }

    /// The first instant strictly later than `after`, and the schedule that names it (the first one in the file
    /// where several do).
    pub fn next_with_schedule(&self, after: Timestamp) -> Option<(Timestamp, &Schedule)> {
        match self.closure.as_ref().filter(|closure| closure.moves()) {
            None => self.named_after(after),
            Some(closure) => self.next_moved(closure, after),
        }
    }

    /// The same before calendars move anything.
    fn named_after(&self, after: Timestamp) -> Option<(Timestamp, &Schedule)> {
        let after = after.max(just_before(self.bounds.first()));
        self.schedules
            .iter()
            .filter_map(|schedule| Some((schedule.next_after(after, &self.place)?, &**schedule)))
            .min_by_key(|(instant, _)| *instant)
            .filter(|(instant, _)| *instant <= self.bounds.last())
    }

    /// The first instant later than `after` where calendars move some to other days: the lowest of all that may come to
    /// lie there, moved ones and others.
    fn next_moved(&self, closure: &Closure, after: Timestamp) -> Option<(Timestamp, &Schedule)> {
        let zone = &self.place.zone;
        let mut best: Option<(Timestamp, &Schedule)> = None;
        let mut source = closure.first_source(after, zone);
        while let Some((named, schedule)) = self.named_after(source) {
            if best.is_some_and(|(best, _)| closure.is_beyond(named, best, zone)) {
                break;
            }
            let moved = closure.moved(named, zone, self.bounds);
            if moved > after && best.is_none_or(|(best, _)| moved < best) {
                best = Some((moved, schedule));
            }
            source = named;
        }
        best
    }

    /// Where an instant comes to lie that is named as it comes.
    pub fn moved(&self, named: Timestamp) -> Timestamp {
        self.closure.as_ref().map_or(named, |closure| closure.moved(named, &self.place.zone, self.bounds))
    }

    /// The calendar because of which an instant is skipped.
    pub fn closed_by(&self, at: Timestamp) -> Option<&Arc<Calendar>> {
        self.closure.as_ref()?.calendar_at(at, &self.place.zone)
    }

    /// The first instant later than `after` that no calendar skips, and the schedule that names it.
    pub fn next_open(&self, after: Timestamp) -> Option<(Timestamp, &Schedule)> {
        let mut from = after;
        for _ in 0..MOST_CLOSED_STRETCHES {
            let (instant, schedule) = self.next_with_schedule(from)?;
            let Some(closure) = self.closure.as_ref().filter(|_| self.closed_by(instant).is_some()) else {
                return Some((instant, schedule));
            };
            from = just_before(closure.changes_after(instant, &self.place.zone)?);
        }
        None
    }

    /// The stretch `(after, until]` in pieces, each wholly within a calendar or wholly outside of all.
    pub fn pieces(&self, after: Timestamp, until: Timestamp) -> Vec<Piece> {
        let Some(closure) = &self.closure else {
            return vec![Piece { after, until, closed_by: None }];
        };
        let zone = &self.place.zone;
        let mut pieces: Vec<Piece> = Vec::new();
        let mut from = after;
        while from < until {
            let first = just_after(from);
            let closed_by = closure.calendar_at(first, zone).cloned();
            let end = closure.changes_after(first, zone).map_or(until, |at| just_before(at).min(until));
            let same = |last: &&mut Piece| match (&last.closed_by, &closed_by) {
                (Some(last), Some(this)) => Arc::ptr_eq(last, this),
                (None, None) => true,
                (Some(_), None) | (None, Some(_)) => false,
            };
            match pieces.last_mut().filter(same) {
                Some(last) => last.until = end,
                None => pieces.push(Piece { after: from, until: end, closed_by }),
            }
            from = end;
        }
        pieces
    }

    /// The instants in `(after, until]`, in order.
    pub fn between(&self, after: Timestamp, until: Timestamp) -> impl Iterator<Item = Timestamp> + '_ {
        std::iter::successors(self.next_after(after), |last| self.next_after(*last))
            .take_while(move |instant| *instant <= until)
    }

    /// How many instants lie in `(after, until]`.
    ///
    /// The schedule that names most of them is counted; those of the others are walked, because an instant named twice
    /// is one. Instants that a calendar may have moved are walked, of which a day has few.
    pub fn count(&self, after: Timestamp, until: Timestamp) -> u64 {
        if self.closure.as_ref().is_some_and(Closure::moves) {
            return self.between(after, until).map(|_| 1).sum();
        }
        let (after, until) = (after.max(just_before(self.bounds.first())), until.min(self.bounds.last()));
        let count = |schedule: &Schedule| schedule.count(after, until, &self.place);
        if let [only] = &self.schedules[..] {
            return count(only);
        }
        let mut counted: Vec<(u64, &Schedule)> =
            self.schedules.iter().map(|schedule| (count(schedule), &**schedule)).collect();
        counted.sort_by_key(|(count, _)| std::cmp::Reverse(*count));
        let most = counted.first().map_or(0, |(count, _)| *count);
        (1..counted.len()).map(|at| self.count_new(&counted[..at], counted[at].1, after, until)).sum::<u64>() + most
    }

    /// How many instants of `schedule` none of the others names.
    fn count_new(&self, others: &[(u64, &Schedule)], schedule: &Schedule, after: Timestamp, until: Timestamp) -> u64 {
        let next = |at: &Timestamp| schedule.next_after(*at, &self.place);
        let is_named = |at: Timestamp, by: &Schedule| by.next_after(just_before(at), &self.place) == Some(at);
        std::iter::successors(next(&after), next)
            .take_while(|at| *at <= until)
            .filter(|at| !others.iter().any(|(_, other)| is_named(*at, other)))
            .map(|_| 1)
            .sum()
    }

    /// The instants in `(after, until]`: how many, the first and the last.
    pub fn tally(&self, after: Timestamp, until: Timestamp) -> Option<Tally> {
        let first = self.next_after(after).filter(|first| *first <= until)?;
        let window = self.last_few(after, until, 1);
        let last = self.between(window, until).last().unwrap_or(first);
        Some(Tally { count: self.count(after, until), first, last })
    }

    /// A moment from `after` on behind which there are at least `few` instants up to `until`, if there are so many, and
    /// not many more.
    pub fn last_few(&self, after: Timestamp, until: Timestamp, few: u64) -> Timestamp {
        // The pace at the beginning is a good guess, and a bad one only makes for more guesses.
        let first = self.next_after(after).unwrap_or(until);
        let pace = self.next_after(first).unwrap_or(until).duration_since(first).max(SHORTEST_PACE);
        let mut window = pace.saturating_mul(i32::try_from(few).unwrap_or(i32::MAX));
        let mut too_late = until;
        let mut from;
        let mut count;
        loop {
            from = until.checked_sub(window).unwrap_or(Timestamp::MIN).max(after);
            count = self.count(from, until);
            if count >= few {
                break;
            }
            if from <= after {
                return after;
            }
            too_late = from;
            window = window.saturating_mul(2);
        }
        // A job of all the seconds of a day in January has none in the half year before December, and many in a year.
        while count > few + FEW_MORE {
            let middle = from + from.duration_until(too_late) / 2;
            let later = self.count(middle, until);
            if later < few {
                too_late = middle;
            } else {
                (from, count) = (middle, later);
            }
        }
        from
    }

    /// Whether the schedules name any instant at all, the past included.
    pub fn names_any(&self) -> bool {
        let in_advance = self.schedules.iter().all(|schedule| schedule.names_instants());
        if in_advance { self.named_after(Timestamp::MIN).is_some() } else { !self.bounds.is_empty() }
    }

    /// Whether one of the schedules names this moment.
    pub fn has_moment(&self, moment: Moment) -> bool {
        self.schedules.iter().any(|schedule| schedule.moment() == Some(moment))
    }

    /// How long after the end of the last run the next instant is, where that is the rule.
    pub fn after_end(&self) -> Option<Duration> {
        self.schedules.iter().find_map(|schedule| schedule.after_end())
    }
}

fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MIN)
}

fn just_after(at: Timestamp) -> Timestamp {
    at.checked_add(SignedDuration::from_micros(1)).unwrap_or(Timestamp::MAX)
}

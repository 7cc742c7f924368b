//! What is owed? One function for all lateness.
//!
//! A stopped daemon, a suspended machine, a clock set forward and a busy loop are the same case: instants in
//! `(settled, now]` of which nobody knows anything yet.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::held::LeftOut;
use crate::job::{CatchUp, Job};
use crate::run::{Cause, Reason};
use crate::schedule::{Jitter, Tally, Timetable};

/// Up to here a start is not late enough to need a rule: the newest instant just runs.
const ON_TIME: SignedDuration = SignedDuration::from_secs(60);

/// With `catch_up = "all"`, how many of the newest instants become runs: enough for a weekend of hourly jobs, and a bound
/// for a minutely one after a month.
const MOST_CAUGHT_UP: usize = 100;

/// Why instants passed unnoticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lapse {
    DaemonDown,
    /// The machine slept, or the process was stopped or starved.
    Suspended,
    ClockSet,
    /// The ledger could not be written.
    Unrecordable,
}

impl Lapse {
    pub fn reason(self) -> Reason {
        match self {
            Self::DaemonDown => Reason::DaemonDown,
            Self::Suspended => Reason::Suspended,
            Self::ClockSet => Reason::ClockSet,
            Self::Unrecordable => Reason::Unrecordable,
        }
    }
}

/// What becomes of owed instants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owed {
    Missed(Tally),
    /// A calendar holds there, of this name.
    Closed(Tally, Arc<str>),
    /// Somebody wanted it to be left out.
    LeftOut(Tally, Arc<str>),
    Run {
        due: Timestamp,
        cause: Cause,
    },
}

/// What a job says about instants that passed, and about when it starts.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub catch_up: CatchUp,
    pub within: Option<Duration>,
    pub jitter: Option<Jitter>,
}

impl Policy {
    pub fn of(job: &Job) -> Self {
        Self { catch_up: job.rules.catch_up, within: job.rules.catch_up_within, jitter: job.jitter }
    }

    /// How much later than an instant the job starts.
    pub fn jitter(&self, timetable: &Timetable, due: Timestamp) -> SignedDuration {
        self.jitter.map_or(SignedDuration::ZERO, |jitter| jitter.of(due, timetable.next_after(due)))
    }

    /// The cause with which an owed instant runs; `None` if it is missed.
    pub fn cause(&self, timetable: &Timetable, due: Timestamp, is_last: bool, now: Timestamp) -> Option<Cause> {
        let age = now.duration_since(due);
        if is_last && age - self.jitter(timetable, due) <= ON_TIME {
            return Some(Cause::Schedule);
        }
        let within = self.within.map(|within| SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX));
        let too_old = within.is_some_and(|within| age > within);
        match self.catch_up {
            CatchUp::None => None,
            _ if too_old => None,
            CatchUp::Latest | CatchUp::All => Some(Cause::CatchUp),
        }
    }
}

/// Instants that are not decided on.
#[derive(Debug, Clone, Copy)]
pub struct Aside<'a> {
    /// They have a run already, from before the clock was set back.
    pub taken: &'a BTreeSet<Timestamp>,
    /// Somebody wanted them to be left out.
    pub left_out: &'a LeftOut,
}

/// The instants of `(settled, now]` and what becomes of each, in their order.
pub fn owed(timetable: &Timetable, settled: Timestamp, now: Timestamp, policy: Policy, aside: Aside) -> Vec<Owed> {
    let keep = match policy.catch_up {
        CatchUp::All => MOST_CAUGHT_UP,
        CatchUp::Latest | CatchUp::None => 1,
    };
    let cause = |due, is_last| policy.cause(timetable, due, is_last, now);
    with_left_out(settled, now, aside, |taken| decide(timetable, settled, now, keep, taken, cause))
}

/// The instants of the stretch without a run for any of them, whatever the job's rules.
pub fn all_missed(timetable: &Timetable, settled: Timestamp, now: Timestamp, aside: Aside) -> Vec<Owed> {
    with_left_out(settled, now, aside, |taken| decide(timetable, settled, now, 0, taken, |_, _| None))
}

/// What is to be left out is cut from the stretch before the others are decided on.
fn with_left_out(
    settled: Timestamp,
    now: Timestamp,
    Aside { taken, left_out }: Aside,
    decide: impl FnOnce(&BTreeSet<Timestamp>) -> Vec<Owed>,
) -> Vec<Owed> {
    let is_to_go = |due: &Timestamp| settled < *due && *due <= now && !taken.contains(due);
    let to_go: Vec<_> = left_out.iter().filter(|(due, _)| is_to_go(due)).collect();
    if to_go.is_empty() {
        return decide(taken);
    }
    let all = taken.iter().copied().chain(to_go.iter().map(|(due, _)| **due)).collect();
    let mut owed = decide(&all);
    owed.extend(
        to_go.into_iter().map(|(due, word)| Owed::LeftOut(Tally { count: 1, first: *due, last: *due }, word.clone())),
    );
    owed.sort_by_key(Owed::first);
    owed
}

impl Owed {
    fn first(&self) -> Timestamp {
        match self {
            Self::Missed(tally) | Self::Closed(tally, _) | Self::LeftOut(tally, _) => tally.first,
            Self::Run { due, .. } => *due,
        }
    }
}

/// Calendars cut the stretch first. Of what they leave the newest few instants are looked at one by one; a year of
/// seconds is counted.
fn decide(
    timetable: &Timetable,
    settled: Timestamp,
    now: Timestamp,
    keep: usize,
    taken: &BTreeSet<Timestamp>,
    cause: impl Fn(Timestamp, bool) -> Option<Cause>,
) -> Vec<Owed> {
    let mut wanted = keep;
    let mut newest_first = Vec::new();
    for piece in timetable.pieces(settled, now).into_iter().rev() {
        if let Some(calendar) = piece.closed_by {
            let name: Arc<str> = calendar.name.as_str().into();
            let closed = counted(timetable, piece.after, piece.until, taken);
            newest_first.extend(closed.into_iter().rev().map(|tally| Owed::Closed(tally, name.clone())));
            continue;
        }
        let split = match wanted {
            0 => piece.until,
            // As many more as have a run already.
            _ => {
                let few = wanted + taken.range(piece.after..=piece.until).count();
                timetable.last_few(piece.after, piece.until, few as u64)
            }
        };
        let few: Vec<Timestamp> = timetable.between(split, piece.until).filter(|due| !taken.contains(due)).collect();
        for due in few.into_iter().rev() {
            let cause = if wanted > 0 { cause(due, wanted == keep) } else { None };
            wanted = wanted.saturating_sub(1);
            newest_first.push(match cause {
                Some(cause) => Owed::Run { due, cause },
                None => Owed::Missed(Tally { count: 1, first: due, last: due }),
            });
        }
        let missed = counted(timetable, piece.after, split, taken);
        newest_first.extend(missed.into_iter().rev().map(Owed::Missed));
    }
    joined(newest_first.into_iter().rev(), taken)
}

/// The instants in `(after, until]`, counted, in stretches between those that have a run.
pub fn counted(timetable: &Timetable, after: Timestamp, until: Timestamp, taken: &BTreeSet<Timestamp>) -> Vec<Tally> {
    let mut stretches = Vec::new();
    let mut from = after;
    for due in taken.range(after..=until).filter(|due| **due > after) {
        stretches.extend(timetable.tally(from, just_before(*due)));
        from = *due;
    }
    stretches.extend(timetable.tally(from, until));
    stretches
}

/// Neighbours of one kind are one stretch, unless an instant with a run lies between.
fn joined(owed: impl Iterator<Item = Owed>, taken: &BTreeSet<Timestamp>) -> Vec<Owed> {
    let mut joined: Vec<Owed> = Vec::new();
    for next in owed {
        match (joined.last_mut(), &next) {
            (Some(Owed::Missed(last)), Owed::Missed(tally)) if taken.range(last.last..tally.first).next().is_none() => {
                last.count += tally.count;
                last.last = tally.last;
            }
            _ => joined.push(next),
        }
    }
    joined
}

fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_micros(1)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Calendar, Closure, Events, Hours, Place, Schedule, Then};
    use jiff::tz::TimeZone;

    fn minutely() -> Timetable {
        let schedule = Arc::new(Schedule::parse("* * * * *", "").unwrap());
        Timetable::new(vec![schedule], Place::of(TimeZone::UTC))
    }

    fn minute(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    fn tally(first: i64, last: i64) -> Tally {
        Tally { count: u64::try_from(last - first).unwrap() + 1, first: minute(first), last: minute(last) }
    }

    const LATEST: Policy = Policy { catch_up: CatchUp::Latest, within: None, jitter: None };
    const ALL: Policy = Policy { catch_up: CatchUp::All, within: None, jitter: None };
    const NONE: Policy = Policy { catch_up: CatchUp::None, within: None, jitter: None };

    static NO_INSTANTS: BTreeSet<Timestamp> = BTreeSet::new();
    static NOTHING: LeftOut = LeftOut::new();
    const NONE_ASIDE: Aside<'static> = Aside { taken: &NO_INSTANTS, left_out: &NOTHING };

    fn seconds(at: Timestamp, seconds: i64) -> Timestamp {
        at + SignedDuration::from_secs(seconds)
    }

    #[track_caller]
    fn check(policy: Policy, settled: i64, now: Timestamp, missed: &[Tally], runs: &[(i64, Cause)]) {
        let owed = owed(&minutely(), minute(settled), now, policy, NONE_ASIDE);
        let runs = runs.iter().map(|(at, cause)| Owed::Run { due: minute(*at), cause: *cause });
        let expect: Vec<Owed> = missed.iter().copied().map(Owed::Missed).chain(runs).collect();
        assert_eq!(owed, expect);
    }

    #[test]
    fn on_time_is_the_ordinary_case() {
        for policy in [LATEST, ALL, NONE] {
            check(policy, 9, minute(10), &[], &[(10, Cause::Schedule)]);
            check(policy, 10, seconds(minute(10), 59), &[], &[]);
        }
    }

    #[test]
    fn the_newest_runs_and_the_rest_is_missed() {
        check(LATEST, 0, seconds(minute(10), 30), &[tally(1, 9)], &[(10, Cause::Schedule)]);
        check(NONE, 0, seconds(minute(10), 30), &[tally(1, 9)], &[(10, Cause::Schedule)]);
    }

    #[test]
    fn all_runs_the_newest_hundred() {
        let now = seconds(minute(150), 5);
        let mut runs: Vec<_> = (51..150).map(|at| (at, Cause::CatchUp)).collect();
        runs.push((150, Cause::Schedule));
        check(ALL, 0, now, &[tally(1, 50)], &runs);
    }

    fn hourly() -> Timetable {
        let schedule = Arc::new(Schedule::parse("0 * * * *", "").unwrap());
        Timetable::new(vec![schedule], Place::of(TimeZone::UTC))
    }

    /// How many instants are missed, and which run.
    fn summary(owed: &[Owed]) -> (u64, Vec<(Timestamp, Cause)>) {
        let mut summary = (0, Vec::new());
        for item in owed {
            match item {
                Owed::Missed(tally) => summary.0 += tally.count,
                Owed::Run { due, cause } => summary.1.push((*due, *cause)),
                Owed::Closed(..) | Owed::LeftOut(..) => panic!("{item:?}"),
            }
        }
        summary
    }

    #[test]
    fn what_is_late_is_caught_up_within_its_time() {
        let run = |policy| summary(&owed(&hourly(), minute(0), minute(330), policy, NONE_ASIDE));
        assert_eq!(run(LATEST), (4, vec![(minute(300), Cause::CatchUp)]));
        assert_eq!(run(NONE), (5, vec![]));
        let within = |minutes: u64, policy| Policy { within: Some(Duration::from_secs(minutes * 60)), ..policy };
        assert_eq!(run(within(30, LATEST)).1.len(), 1);
        assert_eq!(run(within(29, LATEST)), (5, vec![]));
        assert_eq!((run(within(90, ALL)).0, run(within(90, ALL)).1.len()), (3, 2));
    }

    #[test]
    fn an_instant_with_a_run_gets_no_second_one_and_parts_the_missed() {
        let taken = BTreeSet::from([minute(3), minute(10)]);
        let owed = owed(&minutely(), minute(0), minute(10), NONE, Aside { taken: &taken, ..NONE_ASIDE });
        let run = Owed::Run { due: minute(9), cause: Cause::Schedule };
        assert_eq!(owed, [Owed::Missed(tally(1, 2)), Owed::Missed(tally(4, 8)), run]);
    }

    #[test]
    fn what_is_left_out_neither_runs_nor_is_missed() {
        let words = |minutes: &[i64]| minutes.iter().map(|at| (minute(*at), "by anna".into())).collect::<LeftOut>();
        let left_out = |at: i64| Owed::LeftOut(tally(at, at), "by anna".into());
        let run = |at: i64, cause| Owed::Run { due: minute(at), cause };
        let owed_with = |minutes: &[i64], policy, now: i64| {
            owed(&minutely(), minute(0), minute(now), policy, Aside { left_out: &words(minutes), ..NONE_ASIDE })
        };
        assert_eq!(owed_with(&[1], LATEST, 1), [left_out(1)]);
        assert_eq!(
            owed_with(&[2, 4], LATEST, 4),
            [Owed::Missed(tally(1, 1)), left_out(2), run(3, Cause::Schedule), left_out(4)]
        );
        // What is to come is left alone, and what has a run has one.
        assert_eq!(owed_with(&[9], LATEST, 1), [run(1, Cause::Schedule)]);
        let taken = BTreeSet::from([minute(1)]);
        let both = Aside { taken: &taken, left_out: &words(&[1, 2]) };
        assert_eq!(owed(&minutely(), minute(0), minute(2), LATEST, both), [left_out(2)]);
        let aside = Aside { left_out: &words(&[2]), ..NONE_ASIDE };
        assert_eq!(
            all_missed(&minutely(), minute(0), minute(3), aside),
            [Owed::Missed(tally(1, 1)), left_out(2), Owed::Missed(tally(3, 3))]
        );
    }

    #[test]
    fn a_definition_that_ends_misses_all() {
        assert_eq!(all_missed(&minutely(), minute(0), minute(5), NONE_ASIDE), [Owed::Missed(tally(1, 5))]);
        assert_eq!(all_missed(&minutely(), minute(5), minute(5), NONE_ASIDE), []);
    }

    #[test]
    fn calendars_cut_what_is_owed_before_anything_else() {
        let calendar = Calendar {
            name: "hours".to_owned(),
            version: String::new(),
            dates: Vec::new(),
            days: Vec::new(),
            hours: vec![Hours::parse("02:00-04:00").unwrap()],
            events: Events::default(),
            text: "".into(),
        };
        let closure = Closure { calendars: vec![Arc::new(calendar)], then: Then::Skip };
        let table = Timetable { closure: Some(closure), ..hourly() };
        let closed = |first: i64, last: i64| {
            let tally = Tally { count: 2, first: minute(first), last: minute(last) };
            Owed::Closed(tally, "hours".into())
        };
        let missed = Tally { count: 1, first: minute(60), last: minute(60) };
        let run = |due: i64, cause| Owed::Run { due: minute(due), cause };
        // Down over the calendar's time and a little longer, and until its last instant.
        let owed_at = |now: i64| owed(&table, minute(0), minute(now), LATEST, NONE_ASIDE);
        assert_eq!(owed_at(240), [Owed::Missed(missed), closed(120, 180), run(240, Cause::Schedule)]);
        assert_eq!(owed_at(200), [run(60, Cause::CatchUp), closed(120, 180)]);
        assert_eq!(owed_at(60), [run(60, Cause::Schedule)]);
    }
}

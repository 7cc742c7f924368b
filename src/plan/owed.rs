//! What is owed? One function for all lateness.
//!
//! A stopped daemon, a suspended machine, a clock set forward and a busy loop are the same case: instants in
//! `(settled, now]` of which nobody knows anything yet.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::job::CatchUp;
use crate::run::{Cause, Reason};
use crate::schedule::{Tally, Timetable};

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

/// What becomes of the owed instants, in their order: first the missed ones, then those that run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Owed {
    /// Stretches without a run between.
    pub missed: Vec<Tally>,
    pub runs: Vec<(Timestamp, Cause)>,
}

/// What a job says about instants that passed.
#[derive(Debug, Clone, Copy)]
pub struct Policy {
    pub catch_up: CatchUp,
    pub within: Option<Duration>,
}

/// The instants of `(settled, now]` and what becomes of each. `taken` are instants that have a run already, from before
/// the clock was set back.
pub fn owed(
    timetable: &Timetable,
    settled: Timestamp,
    now: Timestamp,
    policy: Policy,
    taken: &BTreeSet<Timestamp>,
) -> Owed {
    let keep = match policy.catch_up {
        CatchUp::All => MOST_CAUGHT_UP,
        CatchUp::Latest | CatchUp::None => 1,
    };
    let Newest { older, newest } = Newest::of(timetable, settled, now, keep, taken);
    let mut owed = Owed { missed: older, runs: Vec::new() };
    let last = newest.back().copied();
    for due in newest {
        match cause(due, Some(due) == last, now, policy) {
            Some(cause) => owed.runs.push((due, cause)),
            None => extend(&mut owed.missed, due, taken),
        }
    }
    owed
}

/// All instants of the stretch as missed, whatever the job's rules.
pub fn all_missed(
    timetable: &Timetable,
    settled: Timestamp,
    now: Timestamp,
    taken: &BTreeSet<Timestamp>,
) -> Vec<Tally> {
    Newest::of(timetable, settled, now, 0, taken).older
}

/// The cause with which an owed instant runs; `None` if it is missed.
fn cause(due: Timestamp, is_last: bool, now: Timestamp, policy: Policy) -> Option<Cause> {
    let age = now.duration_since(due);
    if is_last && age <= ON_TIME {
        return Some(Cause::Schedule);
    }
    let too_old =
        policy.within.is_some_and(|within| age > SignedDuration::try_from(within).unwrap_or(SignedDuration::MAX));
    match policy.catch_up {
        CatchUp::None => None,
        _ if too_old => None,
        CatchUp::Latest | CatchUp::All => Some(Cause::CatchUp),
    }
}

/// The instants of a stretch: the newest one by one, the older ones counted.
struct Newest {
    older: Vec<Tally>,
    newest: VecDeque<Timestamp>,
}

impl Newest {
    fn of(timetable: &Timetable, after: Timestamp, until: Timestamp, keep: usize, taken: &BTreeSet<Timestamp>) -> Self {
        // Only the last few are looked at one by one; a year of seconds is counted. Where some have a run already, from
        // before the clock was set back, the count would not do.
        let counted_until = match taken.range(after..=until).next() {
            None => timetable.last_few(after, until, keep as u64),
            Some(_) => after,
        };
        let mut older: Vec<Tally> = timetable.tally(after, counted_until).into_iter().collect();
        let mut newest = VecDeque::with_capacity(keep + 1);
        for due in timetable.between(counted_until, until).filter(|due| !taken.contains(due)) {
            newest.push_back(due);
            if newest.len() > keep
                && let Some(old) = newest.pop_front()
            {
                extend(&mut older, old, taken);
            }
        }
        Self { older, newest }
    }
}

/// Adds an instant to the last stretch, or begins another where an instant with a run lies between.
fn extend(stretches: &mut Vec<Tally>, due: Timestamp, taken: &BTreeSet<Timestamp>) {
    match stretches.last_mut() {
        Some(tally) if taken.range(tally.last..due).next().is_none() => {
            tally.count += 1;
            tally.last = due;
        }
        _ => stretches.push(Tally { count: 1, first: due, last: due }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{Place, Schedule};
    use jiff::tz::TimeZone;
    use std::sync::Arc;

    fn minutely() -> Timetable {
        let schedule = Arc::new(Schedule::parse("* * * * *").unwrap());
        Timetable { schedules: vec![schedule], place: Place::of(TimeZone::UTC) }
    }

    fn minute(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    fn tally(first: i64, last: i64) -> Tally {
        Tally { count: u64::try_from(last - first).unwrap() + 1, first: minute(first), last: minute(last) }
    }

    const LATEST: Policy = Policy { catch_up: CatchUp::Latest, within: None };
    const ALL: Policy = Policy { catch_up: CatchUp::All, within: None };
    const NONE: Policy = Policy { catch_up: CatchUp::None, within: None };

    fn seconds(at: Timestamp, seconds: i64) -> Timestamp {
        at + SignedDuration::from_secs(seconds)
    }

    #[track_caller]
    fn check(policy: Policy, settled: i64, now: Timestamp, missed: &[Tally], runs: &[(i64, Cause)]) {
        let owed = owed(&minutely(), minute(settled), now, policy, &BTreeSet::new());
        let runs: Vec<_> = runs.iter().map(|(at, cause)| (minute(*at), *cause)).collect();
        assert_eq!(owed, Owed { missed: missed.to_vec(), runs });
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
        let schedule = Arc::new(Schedule::parse("0 * * * *").unwrap());
        Timetable { schedules: vec![schedule], place: Place::of(TimeZone::UTC) }
    }

    #[test]
    fn what_is_late_is_caught_up_within_its_time() {
        let run = |policy| owed(&hourly(), minute(0), minute(330), policy, &BTreeSet::new());
        assert_eq!(run(LATEST).runs, [(minute(300), Cause::CatchUp)]);
        assert_eq!(run(LATEST).missed[0].count, 4);
        assert_eq!(run(NONE).missed[0].count, 5);
        let within = |minutes: u64, policy| Policy { within: Some(Duration::from_secs(minutes * 60)), ..policy };
        assert_eq!(run(within(30, LATEST)).runs.len(), 1);
        assert_eq!(run(within(29, LATEST)).runs, []);
        assert_eq!(run(within(29, LATEST)).missed[0].count, 5);
        assert_eq!(run(within(90, ALL)).runs.len(), 2);
        assert_eq!(run(within(90, ALL)).missed[0].count, 3);
    }

    #[test]
    fn an_instant_with_a_run_gets_no_second_one_and_parts_the_missed() {
        let taken = BTreeSet::from([minute(3), minute(10)]);
        let owed = owed(&minutely(), minute(0), minute(10), NONE, &taken);
        assert_eq!(owed.missed, [tally(1, 2), tally(4, 8)]);
        assert_eq!(owed.runs, [(minute(9), Cause::Schedule)]);
    }

    #[test]
    fn a_definition_that_ends_misses_all() {
        assert_eq!(all_missed(&minutely(), minute(0), minute(5), &BTreeSet::new()), [tally(1, 5)]);
        assert_eq!(all_missed(&minutely(), minute(5), minute(5), &BTreeSet::new()), []);
    }
}

//! What have people said is not to run? Jobs that are paused, and instants that are to be left out.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::job::JobName;
use crate::schedule::{Schedule, Timetable};

/// Whose pause it is: of one job, or, where there is no name, of all, those to come included.
pub type Whose = Option<JobName>;

/// Somebody does not want a job to run for a while.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    pub since: Timestamp,
    /// The first moment at which it holds no more; none: until somebody ends it.
    pub until: Option<Timestamp>,
    pub reason: Option<String>,
    /// Who said so.
    pub by: String,
}

impl Pause {
    /// What an entry of the instants says that it kept from running.
    pub fn detail(&self) -> String {
        let reason = self.reason.as_deref().map_or_else(String::new, |reason| format!(": {reason}"));
        format!("paused by {}{reason}", self.by)
    }

    /// The last moment at which it holds.
    pub fn last(&self) -> Timestamp {
        self.until.map_or(Timestamp::MAX, just_before)
    }
}

/// All pauses that hold.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pauses {
    all: Option<Pause>,
    /// Jobs that were resumed while all are paused.
    except: BTreeSet<JobName>,
    jobs: BTreeMap<JobName, Pause>,
    /// When those that end by themselves do.
    ends: BTreeSet<(Timestamp, Whose)>,
}

impl Pauses {
    pub fn is_empty(&self) -> bool {
        self.all.is_none() && self.jobs.is_empty()
    }

    /// What keeps a job from running; if both its own and that of all do, the one that lasts longer.
    pub fn of(&self, job: &JobName) -> Option<&Pause> {
        let of_all = self.all.as_ref().filter(|_| !self.except.contains(job));
        let own = self.jobs.get(job);
        own.into_iter().chain(of_all).reduce(|own, all| if own.last() < all.last() { all } else { own })
    }

    /// That of one job, or that of all.
    pub fn get(&self, whose: &Whose) -> Option<&Pause> {
        match whose {
            Some(job) => self.jobs.get(job),
            None => self.all.as_ref(),
        }
    }

    /// The jobs that are paused by their names.
    pub fn by_name(&self) -> impl Iterator<Item = &JobName> {
        self.jobs.keys()
    }

    /// Begins a pause, or changes it. Another pause of all is one without exceptions.
    pub fn set(&mut self, whose: Whose, pause: Pause) {
        self.end(&whose);
        self.ends.extend(pause.until.map(|until| (until, whose.clone())));
        match whose {
            Some(job) => {
                self.except.remove(&job);
                self.jobs.insert(job, pause);
            }
            None => self.all = Some(pause),
        }
    }

    /// Ends a pause.
    pub fn end(&mut self, whose: &Whose) -> Option<Pause> {
        let pause = match whose {
            Some(job) => self.jobs.remove(job),
            None => {
                self.except.clear();
                self.all.take()
            }
        }?;
        if let Some(until) = pause.until {
            self.ends.remove(&(until, whose.clone()));
        }
        Some(pause)
    }

    /// Whether the job goes on while all others are paused.
    pub fn is_excepted(&self, job: &JobName) -> bool {
        self.except.contains(job)
    }

    /// The job goes on while all others are paused.
    pub fn except(&mut self, job: JobName) {
        self.except.insert(job);
    }

    /// When the next one ends by itself.
    pub fn next_end(&self) -> Option<Timestamp> {
        self.ends.first().map(|(until, _)| *until)
    }

    /// One that has ended by itself by now.
    pub fn ended(&self, now: Timestamp) -> Option<Whose> {
        self.ends.first().filter(|(until, _)| *until <= now).map(|(_, whose)| whose.clone())
    }
}

/// So many instants of a job are left out at the most; whoever wants more of them pauses it.
pub const MOST_LEFT_OUT: usize = 1000;

/// Instants that are to be left out, and on whose word.
pub type LeftOut = BTreeMap<Timestamp, Arc<str>>;

static NOTHING: LeftOut = LeftOut::new();

/// All that people have said is not to run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Held {
    pub pauses: Pauses,
    skips: BTreeMap<JobName, LeftOut>,
}

impl Held {
    /// The instants of a job that are to be left out.
    pub fn left_out(&self, job: &JobName) -> &LeftOut {
        self.skips.get(job).unwrap_or(&NOTHING)
    }

    /// Has an instant left out.
    pub fn leave_out(&mut self, job: &JobName, due: Timestamp, word: Arc<str>) {
        self.skips.entry(job.clone()).or_default().insert(due, word);
    }

    /// Forgets those of a job's instants to be left out that do not fit; the answer is whether there were any.
    pub fn retain(&mut self, job: &JobName, fits: impl Fn(Timestamp) -> bool) -> bool {
        let Some(left_out) = self.skips.get_mut(job) else {
            return false;
        };
        let before = left_out.len();
        left_out.retain(|due, _| fits(*due));
        let has_changed = left_out.len() < before;
        if left_out.is_empty() {
            self.skips.remove(job);
        }
        has_changed
    }

    /// What people have said of pauses that are over does not matter any more.
    pub fn forget_ended(&mut self, now: Timestamp) {
        while let Some(whose) = self.pauses.ended(now) {
            self.pauses.end(&whose);
        }
    }

    /// A job has another name; it stays paused, and what was to be left out is.
    pub fn rename(&mut self, from: &JobName, to: &JobName) {
        if let Some(pause) = self.pauses.end(&Some(from.clone())) {
            self.pauses.set(Some(to.clone()), pause);
        }
        if self.pauses.except.remove(from) {
            self.pauses.except(to.clone());
        }
        if let Some(left_out) = self.skips.remove(from) {
            self.skips.insert(to.clone(), left_out);
        }
    }

    /// Whether anything was said of a job by its name.
    pub fn is_about(&self, job: &JobName) -> bool {
        self.pauses.jobs.contains_key(job) || self.pauses.except.contains(job) || self.skips.contains_key(job)
    }

    /// What was said of a job matters no more.
    pub fn forget(&mut self, job: &JobName) {
        self.pauses.end(&Some(job.clone()));
        self.pauses.except.remove(job);
        self.skips.remove(job);
    }

    /// The first instant of a job later than `after` that nothing keeps from running, no calendar either, and the schedule
    /// that names it.
    pub fn next_open<'t>(
        &self,
        job: &JobName,
        timetable: &'t Timetable,
        after: Timestamp,
    ) -> Option<(Timestamp, &'t Schedule)> {
        let after = self.pauses.of(job).map_or(Some(after), |pause| pause.until.map(|_| after.max(pause.last())))?;
        let left_out = self.left_out(job);
        let mut next = timetable.next_open(after)?;
        while left_out.contains_key(&next.0) {
            next = timetable.next_open(next.0)?;
        }
        Some(next)
    }

    /// All that is to be said of it, for a ledger that has lost it.
    pub(super) fn pauses_and_exceptions(
        &self,
    ) -> (impl Iterator<Item = (Whose, &Pause)>, impl Iterator<Item = &JobName>) {
        let of_all = self.pauses.all.iter().map(|pause| (None, pause));
        let own = self.pauses.jobs.iter().map(|(job, pause)| (Some(job.clone()), pause));
        (of_all.chain(own), self.pauses.except.iter())
    }

    /// Every job of which instants are to be left out.
    pub fn skips(&self) -> impl Iterator<Item = (&JobName, &LeftOut)> {
        self.skips.iter()
    }
}

/// When a job runs next whose instants follow from its ends, `step` after each, where `due` is its next instant: what does
/// not run because it is left out, or because of a pause, is followed by another.
pub fn next_following(
    due: Timestamp,
    step: Duration,
    is_left_out: bool,
    pause: Option<Option<Timestamp>>,
) -> Option<Timestamp> {
    let step = i64::try_from(step.as_micros()).ok().filter(|step| *step > 0)?;
    let due = if is_left_out { due.as_microsecond().checked_add(step)? } else { due.as_microsecond() };
    let missing = match pause {
        None => 0,
        Some(None) => return None,
        Some(Some(until)) => (until.as_microsecond() - due).max(0),
    };
    let steps = missing / step + i64::from(missing % step > 0);
    Timestamp::from_microsecond(due.checked_add(steps.checked_mul(step)?)?).ok()
}

fn just_before(at: Timestamp) -> Timestamp {
    at.checked_sub(SignedDuration::from_micros(1)).unwrap_or(at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Place;
    use jiff::tz::TimeZone;

    fn name(text: &str) -> JobName {
        JobName::new(text).unwrap()
    }

    fn minute(minutes: i64) -> Timestamp {
        Timestamp::from_second(minutes * 60).unwrap()
    }

    fn pause(until: Option<i64>, reason: &str) -> Pause {
        let reason = (!reason.is_empty()).then(|| reason.to_owned());
        Pause { since: minute(0), until: until.map(minute), reason, by: "anna".to_owned() }
    }

    #[test]
    fn what_does_not_run_is_followed_by_another() {
        let ten = Duration::from_mins(10);
        for (due, is_left_out, pause, expect) in [
            (5, false, None, Some(5)),
            (5, true, None, Some(15)),
            (5, false, Some(None), None),
            (5, false, Some(Some(4)), Some(5)),
            (5, false, Some(Some(5)), Some(5)),
            (5, false, Some(Some(6)), Some(15)),
            (5, false, Some(Some(25)), Some(25)),
            (5, true, Some(Some(26)), Some(35)),
        ] {
            let next = next_following(minute(due), ten, is_left_out, pause.map(|until| until.map(minute)));
            assert_eq!(next, expect.map(minute), "{due} {is_left_out} {pause:?}");
        }
        assert_eq!(next_following(Timestamp::MAX, ten, true, None), None);
    }

    #[test]
    fn of_two_pauses_the_longer_one_counts() {
        for (own, all, expect) in [
            (None, None, None),
            (Some(None), None, Some("own")),
            (None, Some(None), Some("all")),
            (Some(None), Some(None), Some("own")),
            (Some(Some(5)), Some(None), Some("all")),
            (Some(None), Some(Some(5)), Some("own")),
            (Some(Some(5)), Some(Some(6)), Some("all")),
            (Some(Some(6)), Some(Some(6)), Some("own")),
        ] {
            let mut pauses = Pauses::default();
            let mut set = |whose: Whose, until: Option<Option<i64>>, word: &str| {
                if let Some(until) = until {
                    pauses.set(whose, pause(until, word));
                }
            };
            set(Some(name("a")), own, "own");
            set(None, all, "all");
            let of = |job: &str| pauses.of(&name(job)).and_then(|pause| pause.reason.as_deref());
            assert_eq!((of("a"), of("b")), (expect, all.map(|_| "all")), "{own:?} {all:?}");
        }
    }

    #[test]
    fn pauses_end_in_order_and_exceptions_with_them() {
        let mut pauses = Pauses::default();
        pauses.set(None, pause(Some(9), ""));
        pauses.set(Some(name("a")), pause(Some(5), ""));
        pauses.set(Some(name("a")), pause(Some(7), ""));
        pauses.except(name("b"));
        assert_eq!((pauses.next_end(), pauses.ended(minute(6))), (Some(minute(7)), None));
        assert!(pauses.of(&name("b")).is_none() && pauses.of(&name("c")).is_some());
        // One that is paused by its name is no exception any more.
        pauses.set(Some(name("b")), pause(Some(8), ""));
        pauses.end(&Some(name("b")));
        assert!(pauses.of(&name("b")).is_some());
        pauses.except(name("b"));
        assert_eq!(pauses.ended(minute(7)), Some(Some(name("a"))));
        assert!(pauses.end(&Some(name("a"))).is_some() && pauses.end(&Some(name("a"))).is_none());
        assert_eq!(pauses.ended(minute(9)), Some(None));
        pauses.set(None, pause(None, ""));
        assert!(pauses.of(&name("b")).is_some());
        assert_eq!(pauses.next_end(), None);
    }

    #[test]
    fn what_comes_next_is_neither_paused_nor_left_out() {
        let schedule = Arc::new(Schedule::parse("* * * * *", "").unwrap());
        let table = Timetable::new(vec![schedule], Place::of(TimeZone::UTC));
        let mut held = Held::default();
        let next = |held: &Held| held.next_open(&name("a"), &table, minute(1)).map(|(due, _)| due);
        assert_eq!(next(&held), Some(minute(2)));
        held.leave_out(&name("a"), minute(2), "by anna".into());
        held.leave_out(&name("a"), minute(6), "by anna".into());
        assert_eq!(next(&held), Some(minute(3)));
        // It is over with the moment until which it was to last.
        held.pauses.set(Some(name("a")), pause(Some(5), ""));
        assert_eq!(next(&held), Some(minute(5)));
        held.pauses.set(Some(name("a")), pause(Some(6), ""));
        assert_eq!(next(&held), Some(minute(7)));
        held.pauses.set(Some(name("a")), pause(None, ""));
        assert_eq!(next(&held), None);
        held.rename(&name("a"), &name("b"));
        assert_eq!((next(&held), held.pauses.of(&name("b")).is_some()), (Some(minute(2)), true));
        assert_eq!(held.left_out(&name("b")).len(), 2);
        assert!(held.retain(&name("b"), |due| due > minute(2)) && !held.retain(&name("b"), |_| true));
        assert_eq!(held.left_out(&name("b")).len(), 1);
    }

    #[test]
    fn a_pause_says_who_and_why() {
        assert_eq!(pause(None, "").detail(), "paused by anna");
        assert_eq!(pause(None, "moving the disk").detail(), "paused by anna: moving the disk");
    }
}

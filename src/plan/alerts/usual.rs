//! How long does a job usually take, and when is a run of it slow?

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use jiff::Timestamp;

use super::told::later;
use crate::job::{Job, SlowAfter, Tell};
use crate::run::RunId;

/// Of how many successes it is known how long they took.
const MOST_KNOWN: usize = 20;

/// Fewer are not enough to say what is usual.
const FEWEST_KNOWN: usize = 5;

/// What takes less is not slow, whatever is usual: a process more or less makes such a difference.
const LEAST: Duration = Duration::from_secs(1);

/// How long the last successes of a job took.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Usual(VecDeque<Duration>);

impl Usual {
    /// The newest of these come last.
    pub fn of(durations: &[Duration]) -> Self {
        let few = durations.len().saturating_sub(MOST_KNOWN);
        Self(durations.iter().skip(few).copied().collect())
    }

    pub fn learn(&mut self, duration: Duration) {
        if self.0.len() >= MOST_KNOWN {
            self.0.pop_front();
        }
        self.0.push_back(duration);
    }

    /// What nineteen of twenty did not exceed.
    fn most(&self) -> Option<Duration> {
        if self.0.len() < FEWEST_KNOWN {
            return None;
        }
        let mut sorted: Vec<Duration> = self.0.iter().copied().collect();
        sorted.sort_unstable();
        sorted.get((sorted.len() * 95).div_ceil(100) - 1).copied()
    }

    /// From when on a run of the job is slow.
    pub fn slow_after(&self, job: &Job) -> Option<Duration> {
        match job.telling.slow_after? {
            SlowAfter::Time(time) => Some(time),
            SlowAfter::Usual(hundredths) => {
                let micros = self.most()?.as_micros().saturating_mul(hundredths.into()) / 100;
                Some(Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX)).max(LEAST))
            }
        }
    }
}

/// Whether it has to be known how long the job's runs usually take.
pub fn is_asked_of(job: &Job) -> bool {
    matches!(job.telling.slow_after, Some(SlowAfter::Usual(_))) && is_told_slow(job)
}

/// Whether anybody wants to hear that a run of the job takes long.
pub fn is_told_slow(job: &Job) -> bool {
    job.telling.slow_after.is_some() && super::told::told_of(job, Tell::Slow).next().is_some()
}

/// When runs that go on will have taken too long.
#[derive(Debug, Default)]
pub struct Going {
    runs: BTreeMap<RunId, (Timestamp, Timestamp)>,
    queue: BTreeSet<(Timestamp, RunId)>,
}

impl Going {
    pub fn set(&mut self, run: RunId, started: Timestamp, slow_after: Duration) {
        self.remove(run);
        let at = later(started, slow_after);
        self.runs.insert(run, (started, at));
        self.queue.insert((at, run));
    }

    pub fn remove(&mut self, run: RunId) {
        if let Some((_, at)) = self.runs.remove(&run) {
            self.queue.remove(&(at, run));
        }
    }

    pub fn clear(&mut self) {
        *self = Self::default();
    }

    pub fn next(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// A run that has taken too long by now, and when it began.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<(RunId, Timestamp)> {
        let (_, run) = *self.queue.first().filter(|(at, _)| *at <= now)?;
        let (started, _) = self.runs.get(&run).copied()?;
        self.remove(run);
        Some((run, started))
    }

    /// A run does not go for longer because the clock shows less than before.
    pub fn cut_back(&mut self, now: Timestamp) {
        let ahead = self.runs.iter().filter(|(_, (started, _))| *started > now);
        let ahead: Vec<_> = ahead.map(|(run, (started, at))| (*run, at.duration_since(*started))).collect();
        for (run, slow_after) in ahead {
            self.set(run, now, Duration::try_from(slow_after).unwrap_or_default());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::job::{JobName, Telling};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_takes_less_than_a_second_is_not_slow() {
        let telling = |slow_after| Telling { slow_after: Some(slow_after), ..Telling::default() };
        let slow_after = |millis: u64, slow_after: SlowAfter| {
            let job = Job::gone(JobName::new("a").unwrap());
            let job = Job { telling: Arc::new(telling(slow_after)), ..job };
            Usual::of(&[Duration::from_millis(millis); 5]).slow_after(&job)
        };
        assert_eq!(slow_after(5, SlowAfter::Usual(300)), Some(Duration::from_secs(1)));
        assert_eq!(slow_after(500, SlowAfter::Usual(300)), Some(Duration::from_millis(1500)));
        // Whoever says how long means it.
        let said = Duration::from_millis(5);
        assert_eq!(slow_after(500, SlowAfter::Time(said)), Some(said));
    }

    #[test]
    fn nineteen_of_twenty_are_usual() {
        let second = Duration::from_secs;
        let of = |seconds: &[u64]| Usual::of(&seconds.iter().copied().map(second).collect::<Vec<_>>()).most();
        for (seconds, expect) in [
            (vec![], None),
            (vec![1, 2, 3, 4], None),
            (vec![5, 4, 3, 2, 1], Some(5)),
            ((1..=20).collect(), Some(19)),
            // Of more than twenty the last count.
            ((1..=30).collect(), Some(29)),
        ] {
            assert_eq!(of(&seconds), expect.map(second), "{seconds:?}");
        }
        let mut usual = Usual::of(&[second(1); 20]);
        (0..2).for_each(|_| usual.learn(second(9)));
        assert_eq!((usual.0.len(), usual.most()), (20, Some(second(9))));
    }

    #[test]
    fn each_run_is_found_slow_once_and_not_later_because_the_clock_was_set_back() {
        let mut going = Going::default();
        going.set(RunId(1), at(100), Duration::from_secs(10));
        going.set(RunId(2), at(50), Duration::from_secs(100));
        going.set(RunId(3), at(40), Duration::from_secs(1));
        going.remove(RunId(3));
        assert_eq!((going.next(), going.pop_due(at(109))), (Some(at(110)), None));
        going.cut_back(at(60));
        assert_eq!(going.next(), Some(at(70)));
        assert_eq!(going.pop_due(at(200)), Some((RunId(1), at(60))));
        assert_eq!(going.pop_due(at(200)), Some((RunId(2), at(50))));
        assert_eq!(going.pop_due(at(200)), None);
    }
}

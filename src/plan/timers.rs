//! Which job is due next? An ordered set of (instant, job).

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::job::JobName;

#[derive(Debug, Default)]
pub struct Timers {
    queue: BTreeSet<(Timestamp, JobName)>,
    at: BTreeMap<JobName, Timestamp>,
}

impl Timers {
    /// The job is due at this instant and at no other.
    pub fn set(&mut self, job: &JobName, at: Option<Timestamp>) {
        if let Some(old) = self.at.remove(job) {
            self.queue.remove(&(old, job.clone()));
        }
        if let Some(at) = at {
            self.at.insert(job.clone(), at);
            self.queue.insert((at, job.clone()));
        }
    }

    pub fn next(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }

    pub fn of(&self, job: &JobName) -> Option<Timestamp> {
        self.at.get(job).copied()
    }

    /// Takes the first job that is due by `now`, jobs of one instant by name.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<JobName> {
        let (at, _) = self.queue.first()?;
        if *at > now {
            return None;
        }
        let (_, job) = self.queue.pop_first()?;
        self.at.remove(&job);
        Some(job)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn due_jobs_come_in_order_and_once() {
        let names = ["a", "b", "c"].map(|name| JobName::new(name).unwrap());
        let mut timers = Timers::default();
        timers.set(&names[0], Some(at(20)));
        timers.set(&names[2], Some(at(10)));
        timers.set(&names[1], Some(at(10)));
        timers.set(&names[0], Some(at(5)));
        assert_eq!(timers.next(), Some(at(5)));
        timers.set(&names[0], Some(at(30)));
        assert_eq!(timers.pop_due(at(9)), None);
        assert_eq!(timers.pop_due(at(10)).as_ref(), Some(&names[1]));
        assert_eq!(timers.pop_due(at(10)).as_ref(), Some(&names[2]));
        assert_eq!(timers.pop_due(at(10)), None);
        timers.set(&names[0], None);
        assert_eq!(timers.next(), None);
    }
}

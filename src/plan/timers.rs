//! Which job is due next? An ordered set of (instant, job).

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::job::JobName;

#[derive(Debug, Default)]
pub struct Timers {
    queue: BTreeSet<(Timestamp, JobName)>,
}

impl Timers {
    /// The job is due at this instant and at no other. `set` is what its timer was last set to, which the caller keeps
    /// beside the job: a second map by names would take as much memory as this queue.
    pub fn set(&mut self, job: &JobName, set: &mut Option<Timestamp>, at: Option<Timestamp>) {
        if let Some(old) = set.take() {
            self.queue.remove(&(old, job.clone()));
        }
        if let Some(at) = at {
            self.queue.insert((at, job.clone()));
        }
        *set = at;
    }

    pub fn next(&self) -> Option<Timestamp> {
        self.queue.first().map(|(at, _)| *at)
    }

    /// Takes the first job that is due by `now`, jobs of one instant by name; its timer is to be set again.
    pub fn pop_due(&mut self, now: Timestamp) -> Option<JobName> {
        let (at, _) = self.queue.first()?;
        if *at > now {
            return None;
        }
        self.queue.pop_first().map(|(_, job)| job)
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
        let mut set = [None; 3];
        timers.set(&names[0], &mut set[0], Some(at(20)));
        timers.set(&names[2], &mut set[2], Some(at(10)));
        timers.set(&names[1], &mut set[1], Some(at(10)));
        timers.set(&names[0], &mut set[0], Some(at(5)));
        assert_eq!(timers.next(), Some(at(5)));
        timers.set(&names[0], &mut set[0], Some(at(30)));
        assert_eq!(timers.pop_due(at(9)), None);
        assert_eq!(timers.pop_due(at(10)).as_ref(), Some(&names[1]));
        assert_eq!(timers.pop_due(at(10)).as_ref(), Some(&names[2]));
        assert_eq!(timers.pop_due(at(10)), None);
        timers.set(&names[0], &mut set[0], None);
        assert_eq!(timers.next(), None);
    }
}

//! Who gets the next place? Runs that wait, in due order, for one of the daemon's places and for one in each of their
//! pools.

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::run::RunId;

/// How many runs may go at once: over all jobs, and in each pool.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capacities {
    pub places: usize,
    pub pools: BTreeMap<String, usize>,
}

impl From<usize> for Capacities {
    /// So many places, and no pools.
    fn from(places: usize) -> Self {
        Self { places, pools: BTreeMap::new() }
    }
}

/// The pools of a job, in alphabetic order.
pub type Pools = Arc<[String]>;

#[derive(Debug)]
pub struct Queue {
    capacities: Capacities,
    taken: usize,
    /// Places taken in each pool.
    taken_of: BTreeMap<String, usize>,
    waiting: BTreeMap<(Timestamp, RunId), Pools>,
}

impl Queue {
    pub fn new(capacities: Capacities) -> Self {
        Self { capacities, taken: 0, taken_of: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    pub fn set_capacities(&mut self, capacities: Capacities) {
        self.capacities = capacities;
    }

    pub fn push(&mut self, ready: Timestamp, run: RunId, pools: Pools) {
        self.waiting.insert((ready, run), pools);
    }

    pub fn remove(&mut self, ready: Timestamp, run: RunId) -> bool {
        self.waiting.remove(&(ready, run)).is_some()
    }

    /// Gives all its places at once to the run that has waited longest for what is there; none before its time, even when
    /// the clock was set back.
    ///
    /// A run that waits for one of its pools keeps those that came later from the others: it would starve if they could
    /// always go first.
    pub fn take_place(&mut self, now: Timestamp) -> Option<RunId> {
        if self.taken >= self.capacities.places {
            return None;
        }
        let mut claimed: BTreeMap<&str, usize> = BTreeMap::new();
        let mut found = None;
        for (key, pools) in self.waiting.iter().take_while(|((ready, _), _)| *ready <= now) {
            let is_free = |pool: &String| self.free(pool) > claimed.get(pool.as_str()).copied().unwrap_or(0);
            if pools.iter().all(is_free) {
                found = Some(*key);
                break;
            }
            for pool in pools.iter() {
                *claimed.entry(pool).or_default() += 1;
            }
        }
        let key = found?;
        let pools = self.waiting.remove(&key)?;
        self.occupy(&pools);
        Some(key.1)
    }

    /// A run has its places already, whether there are as many or not.
    pub fn occupy(&mut self, pools: &[String]) {
        self.taken += 1;
        for pool in pools {
            *self.taken_of.entry(pool.clone()).or_default() += 1;
        }
    }

    /// A pool that the file no longer has holds nobody up.
    fn free(&self, pool: &str) -> usize {
        let capacity = self.capacities.pools.get(pool).copied().unwrap_or(usize::MAX);
        capacity.saturating_sub(self.taken_of.get(pool).copied().unwrap_or(0))
    }

    pub fn free_place(&mut self, pools: &[String]) {
        self.taken = self.taken.saturating_sub(1);
        for pool in pools {
            if let Some(taken) = self.taken_of.get_mut(pool) {
                *taken = taken.saturating_sub(1);
            }
        }
    }

    /// When the first run may begin whose time has not come at `now`, if there may be a place for it.
    pub fn next(&self, now: Timestamp) -> Option<Timestamp> {
        let later = self.waiting.range((now, RunId(i64::MAX))..).next();
        later.map(|((ready, _), _)| *ready).filter(|_| self.taken < self.capacities.places)
    }

    /// What a run with these pools that waits is waiting for.
    pub fn obstacle(&self, pools: &[String]) -> String {
        let full: Vec<&str> = pools.iter().filter(|pool| self.free(pool) == 0).map(String::as_str).collect();
        match &full[..] {
            _ if self.taken >= self.capacities.places => "a place (max_running)".to_owned(),
            [] if pools.is_empty() => "a place".to_owned(),
            [] => format!("its turn in the pool {}", pools.join(" and ")),
            full => format!("the pool {}", full.join(" and ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pools(names: &[&str]) -> Pools {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn places_go_in_due_order_and_never_early() {
        let mut queue = Queue::new(2.into());
        for (due, run) in [(30, 1), (10, 2), (20, 3), (90, 4)] {
            queue.push(at(due), RunId(run), pools(&[]));
        }
        assert_eq!(queue.take_place(at(50)), Some(RunId(2)));
        assert_eq!(queue.take_place(at(50)), Some(RunId(3)));
        assert_eq!(queue.take_place(at(50)), None);
        assert_eq!(queue.next(at(50)), None);
        queue.free_place(&[]);
        assert_eq!(queue.take_place(at(50)), Some(RunId(1)));
        queue.free_place(&[]);
        assert_eq!(queue.take_place(at(50)), None);
        assert_eq!(queue.next(at(50)), Some(at(90)));
        assert!(queue.remove(at(90), RunId(4)) && !queue.remove(at(90), RunId(4)));
    }

    #[test]
    fn a_run_takes_all_its_pools_or_none_and_is_not_overtaken_in_them() {
        let capacities = Capacities { places: 9, pools: [("a".to_owned(), 1), ("b".to_owned(), 1)].into() };
        let mut queue = Queue::new(capacities);
        queue.push(at(1), RunId(1), pools(&["a"]));
        queue.push(at(2), RunId(2), pools(&["a", "b"]));
        queue.push(at(3), RunId(3), pools(&["b"]));
        queue.push(at(4), RunId(4), pools(&[]));
        queue.push(at(5), RunId(5), pools(&["gone"]));
        let mut begun = Vec::new();
        while let Some(run) = queue.take_place(at(9)) {
            begun.push(run.0);
        }
        // Run 3 could have its pool, but run 2 has waited for it longer.
        assert_eq!(begun, [1, 4, 5]);
        assert_eq!(queue.obstacle(&pools(&["a", "b"])), "the pool a");
        assert_eq!(queue.obstacle(&pools(&["b"])), "its turn in the pool b");
        queue.free_place(&pools(&["a"]));
        assert_eq!((queue.take_place(at(9)), queue.take_place(at(9))), (Some(RunId(2)), None));
        queue.free_place(&pools(&["a", "b"]));
        assert_eq!(queue.take_place(at(9)), Some(RunId(3)));
    }

    #[test]
    fn several_wait_for_several_places_of_a_pool() {
        let mut queue = Queue::new(Capacities { places: 3, pools: [("disk".to_owned(), 2)].into() });
        (1..=4).for_each(|run| queue.push(at(run), RunId(run), pools(&["disk"])));
        let take = |queue: &mut Queue| queue.take_place(at(9)).map(|run| run.0);
        assert_eq!([take(&mut queue), take(&mut queue), take(&mut queue)], [Some(1), Some(2), None]);
        queue.set_capacities(Capacities { places: 3, pools: [("disk".to_owned(), 9)].into() });
        assert_eq!([take(&mut queue), take(&mut queue)], [Some(3), None]);
        assert_eq!(queue.obstacle(&pools(&["disk"])), "a place (max_running)");
    }
}

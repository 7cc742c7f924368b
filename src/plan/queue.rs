//! Who gets the next place? Runs that wait, in due order, and the number of runs that may go at once.

use std::collections::BTreeSet;

use jiff::Timestamp;

use crate::run::RunId;

#[derive(Debug)]
pub struct Queue {
    places: usize,
    taken: usize,
    waiting: BTreeSet<(Timestamp, RunId)>,
}

impl Queue {
    pub fn new(places: usize) -> Self {
        Self { places, taken: 0, waiting: BTreeSet::new() }
    }

    pub fn set_places(&mut self, places: usize) {
        self.places = places;
    }

    pub fn push(&mut self, due: Timestamp, run: RunId) {
        self.waiting.insert((due, run));
    }

    pub fn remove(&mut self, due: Timestamp, run: RunId) -> bool {
        self.waiting.remove(&(due, run))
    }

    /// Gives a place to the run that has been due longest; none before its time, even when the clock was set back.
    pub fn take_place(&mut self, now: Timestamp) -> Option<RunId> {
        let (due, _) = self.waiting.first()?;
        if self.taken >= self.places || *due > now {
            return None;
        }
        self.taken += 1;
        self.waiting.pop_first().map(|(_, run)| run)
    }

    pub fn free_place(&mut self) {
        self.taken = self.taken.saturating_sub(1);
    }

    /// When the first waiting run may begin, if that is what it waits for.
    pub fn next(&self) -> Option<Timestamp> {
        self.waiting.first().map(|(due, _)| *due).filter(|_| self.taken < self.places)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_go_in_due_order_and_never_early() {
        let at = |second| Timestamp::from_second(second).unwrap();
        let mut queue = Queue::new(2);
        for (due, run) in [(30, 1), (10, 2), (20, 3), (90, 4)] {
            queue.push(at(due), RunId(run));
        }
        assert_eq!(queue.take_place(at(50)), Some(RunId(2)));
        assert_eq!(queue.take_place(at(50)), Some(RunId(3)));
        assert_eq!(queue.take_place(at(50)), None);
        assert_eq!(queue.next(), None);
        queue.free_place();
        assert_eq!(queue.take_place(at(50)), Some(RunId(1)));
        queue.free_place();
        assert_eq!(queue.take_place(at(50)), None);
        assert_eq!(queue.next(), Some(at(90)));
        assert!(queue.remove(at(90), RunId(4)) && !queue.remove(at(90), RunId(4)));
    }
}

//! How many instants were counted when their entries were pruned?
//!
//! What is left of a pruned entry is its number of instants in the hour of its first one. A stretch reaches into later hours,
//! so sums are compared from one kept entry to the next, not hour by hour.

use std::collections::VecDeque;

use jiff::{SignedDuration, Timestamp};

use super::evidence::Pruned;
use crate::schedule::Tally;

const HOUR: i64 = 3600;

#[derive(Debug)]
pub struct Counts {
    hours: VecDeque<Pruned>,
    /// Counted, and not compared with instants yet.
    credit: u64,
    /// The hours from which the credit is.
    of_hours: Option<(i64, i64)>,
    /// Whether what is audited begins where entries were pruned, perhaps within a stretch.
    begins_within: bool,
}

impl Counts {
    /// `pruned` is in the order of time; what was pruned up to the hour in which the audit begins is left out.
    pub fn new(pruned: Vec<Pruned>, from: Option<Timestamp>) -> Self {
        let first = from.map_or(i64::MIN, |from| hour(from) + 1);
        let before = pruned.iter().any(|pruned| pruned.hour < first);
        let hours = pruned.into_iter().filter(|pruned| pruned.hour >= first).collect();
        Self { hours, credit: 0, of_hours: None, begins_within: before }
    }

    /// Takes as many of these instants as were counted.
    pub fn take(&mut self, tally: Tally) -> u64 {
        self.pull(hour(tally.last) + 1);
        let taken = self.credit.min(tally.count);
        self.credit -= taken;
        taken
    }

    /// What was counted before this kept entry, and is of no instant: from when to when, and how many.
    pub fn surplus(&mut self, entry: Timestamp) -> Option<(Timestamp, Timestamp, u64)> {
        let this = hour(entry);
        self.pull(this);
        self.begins_within = false;
        let (first, last) = self.of_hours.filter(|(_, last)| *last < this)?;
        let surplus = std::mem::take(&mut self.credit);
        self.of_hours = None;
        let begin = |hour: i64| Timestamp::from_second(hour.saturating_mul(HOUR)).ok();
        let until = begin(last + 1)?.checked_sub(SignedDuration::from_micros(1)).ok()?;
        (surplus > 0).then_some((begin(first)?, until, surplus))
    }

    /// Whether it is not known where a stretch began that was pruned.
    pub fn begins_within(&self) -> bool {
        self.begins_within
    }

    /// Whether some of what was pruned is of the hours of these instants.
    pub fn are_near(&self, tally: Tally) -> bool {
        self.of_hours.is_some_and(|(_, last)| last >= hour(tally.first))
    }

    /// Hours up to this one, itself excluded, come to credit.
    fn pull(&mut self, before: i64) {
        while let Some(pruned) = self.hours.front().copied().filter(|pruned| pruned.hour < before) {
            self.hours.pop_front();
            self.credit += pruned.instants;
            let first = self.of_hours.map_or(pruned.hour, |(first, _)| first);
            self.of_hours = Some((first, pruned.hour));
        }
    }
}

fn hour(at: Timestamp) -> i64 {
    at.as_second().div_euclid(HOUR)
}

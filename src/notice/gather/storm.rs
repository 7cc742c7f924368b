//! Of what has so much been told lately that more of it is gathered first?

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};

use crate::job::JobName;

/// So many notices are told one by one; more at once are a storm. It is one of the jobs that are told of, or, where they are more
/// than so many, one over all jobs.
pub const FEW: usize = 3;
/// How long is gathered after a storm, and at most, as long as it goes on: each time twice as long.
const FIRST_GATHERING: SignedDuration = SignedDuration::from_secs(60);
const LONGEST_GATHERING: SignedDuration = SignedDuration::from_secs(5 * 60);

/// A message that was sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    pub at: Timestamp,
    /// When the first of its notices came.
    pub first: Timestamp,
    pub notices: usize,
    pub jobs: BTreeSet<JobName>,
}

/// The storms that a carrier of a channel has told of lately.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Storms {
    over_all: Option<Storm>,
    of_jobs: BTreeMap<JobName, Storm>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Storm {
    last: Timestamp,
    /// How many in a row were told.
    in_a_row: u32,
}

impl Storms {
    /// Longer than it matters what was sent: gathering takes minutes, and is no longer after the fourth storm in a row.
    pub const REMEMBERED: SignedDuration = SignedDuration::from_hours(1);

    /// What follows from the messages that were sent, the oldest first.
    pub fn of(sent: &[Sent]) -> Self {
        let mut storms = Self::default();
        for sent in sent {
            storms.told(sent);
        }
        storms
    }

    pub fn told(&mut self, sent: &Sent) {
        if sent.notices <= FEW {
            return;
        }
        let before =
            |storm: Option<&Storm>| storm.filter(|storm| sent.first < storm.until()).map(|storm| storm.in_a_row);
        let of_all = before(self.over_all.as_ref());
        let following = |storm: Option<u32>| Storm { last: sent.at, in_a_row: storm.unwrap_or(0).saturating_add(1) };
        if sent.jobs.len() > FEW {
            self.over_all = Some(following(of_all));
            return;
        }
        for job in &sent.jobs {
            let storm = following(before(self.of_jobs.get(job)).max(of_all));
            self.of_jobs.insert(job.clone(), storm);
        }
    }

    /// Until when what came of a job at that time is gathered, or was.
    pub fn gathered_until(&self, job: &JobName, at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let storms = self.over_all.iter().chain(self.of_jobs.get(job));
        storms.filter_map(|storm| storm.gathers(at, now)).max()
    }

    /// Whether what came at that time was gathered over all jobs.
    pub fn is_over_all(&self, at: Timestamp, now: Timestamp) -> bool {
        self.over_all.is_some_and(|storm| storm.gathers(at, now).is_some())
    }
}

impl Storm {
    fn until(&self) -> Timestamp {
        let doubled = FIRST_GATHERING.checked_mul(1 << (self.in_a_row - 1).min(8)).unwrap_or(LONGEST_GATHERING);
        self.last.saturating_add(doubled.min(LONGEST_GATHERING)).unwrap_or(self.last)
    }

    /// One that was told at a time yet to come is of clocks that were set back, and gathers nothing.
    fn gathers(&self, at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let until = self.until();
        (self.last <= now && at < until).then_some(until)
    }
}

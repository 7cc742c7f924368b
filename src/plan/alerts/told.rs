//! What was told of a job, and when may its channels be told more?

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

use crate::job::{CarrierKind, Channel, ChannelName, Job, Tell};
use crate::notice::Kind;
use crate::run::{Reason, RunId};

/// What has to be known of a job from one notice to the next. The ledger keeps it as JSON while there is anything to know,
/// so that a restart neither tells twice nor forgets.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Told {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failing: Option<Failing>,
    /// Since when a first success is waited for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub known: Option<Timestamp>,
    /// Who is told if there is no success, also where the file no longer says so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watch: Option<Watch>,
    /// Runs that were found slow, where an earlier version kept them. [`super::house::House`] has them now.
    #[serde(skip_serializing)]
    pub slow: BTreeSet<RunId>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub said: BTreeMap<ChannelName, BTreeMap<Kind, Said>>,
}

/// Failures in a row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Failing {
    pub count: u64,
    /// When the first of them was due.
    pub since: Timestamp,
    /// The last of them.
    pub run: RunId,
    pub reason: Option<Reason>,
}

/// A channel was told of something, or was not because it had been a short while before.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Said {
    /// When it was told last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// Whether it was told and waits to hear that it is over.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub is_open: bool,
    /// How often it was not told since.
    #[serde(skip_serializing_if = "is_zero")]
    pub untold: u64,
    /// When it was last told that it is over, so that the next one is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub renewed: Option<Timestamp>,
    /// Instants of which it was not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub held: Option<Covered>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_zero(count: &u64) -> bool {
    *count == 0
}

/// Instants that something is said of.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Covered {
    pub instants: u64,
    pub since: Timestamp,
    pub until: Timestamp,
    pub reason: Option<Reason>,
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub detail: Option<String>,
}

/// All that is needed to tell that a job is overdue.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Watch {
    /// Without a success for so long.
    pub after: Duration,
    pub channels: Vec<Listener>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Listener {
    pub name: ChannelName,
    pub carriers: Vec<CarrierKind>,
    pub every: Duration,
}

impl Listener {
    pub fn of(channel: &Channel) -> Self {
        let carriers = channel.carriers.iter().map(crate::job::Carrier::kind).collect();
        Self { name: channel.name.clone(), carriers, every: channel.at_most_every }
    }
}

impl Watch {
    pub fn of(job: &Job) -> Option<Self> {
        let after = job.telling.overdue_after?;
        let channels: Vec<Listener> = told_of(job, Tell::Overdue).map(Listener::of).collect();
        (!channels.is_empty()).then_some(Self { after, channels })
    }
}

/// The channels that want to hear this of a job.
pub fn told_of(job: &Job, tell: Tell) -> impl Iterator<Item = &Channel> {
    job.telling.channels.iter().map(AsRef::as_ref).filter(move |channel| channel.tell.contains(&tell))
}

impl Covered {
    pub fn join(&mut self, other: Self) {
        self.instants += other.instants;
        self.since = self.since.min(other.since);
        self.until = self.until.max(other.until);
        (self.reason, self.detail) = (other.reason, other.detail);
    }
}

impl Said {
    /// From when on it may be told again.
    pub fn again_at(&self, every: Duration) -> Timestamp {
        self.at.map_or(Timestamp::MIN, |at| later(at, every))
    }

    pub fn may_hear(&self, every: Duration, now: Timestamp) -> bool {
        self.again_at(every) <= now
    }

    /// It is told now; the answer is how often it was not.
    pub fn hears(&mut self, now: Timestamp) -> u64 {
        self.at = Some(now);
        std::mem::take(&mut self.untold)
    }

    /// Whether it may be told now, if not, that is counted; the answer is how often it was not.
    pub fn hears_if_it_may(&mut self, every: Duration, now: Timestamp) -> Option<u64> {
        if self.may_hear(every, now) {
            return Some(self.hears(now));
        }
        self.untold += 1;
        None
    }

    /// It is told to be over: the next one is told at once, but of what goes up and down all the time.
    pub fn renew(&mut self, every: Duration, now: Timestamp) {
        if self.renewed.is_none_or(|renewed| later(renewed, every) <= now) {
            (self.at, self.renewed) = (None, Some(now));
        }
    }

    /// Whether it says nothing any more.
    fn is_past(&self, every: Duration, now: Timestamp) -> bool {
        self.renewed.is_none_or(|renewed| later(renewed, every) <= now)
            && !self.is_open
            && self.untold == 0
            && self.held.is_none()
            && self.may_hear(every, now)
    }

    /// What a clock says that was set back counts from now on: it must not silence for long.
    pub fn cut_back(&mut self, now: Timestamp) {
        self.at = self.at.map(|at| at.min(now));
        self.renewed = self.renewed.map(|at| at.min(now));
    }
}

impl Told {
    pub fn said(&mut self, channel: &ChannelName, kind: Kind) -> &mut Said {
        self.said.entry(channel.clone()).or_default().entry(kind).or_default()
    }

    pub fn has_said(&self, channel: &ChannelName, kind: Kind) -> Option<&Said> {
        self.said.get(channel)?.get(&kind)
    }

    /// Forgets what matters no more: channels that the job does not have, and what was told long ago.
    pub fn tidy(&mut self, job: &Job, now: Timestamp) {
        let channels = &job.telling.channels;
        if channels.is_empty() {
            *self = Self::default();
        }
        self.said.retain(|name, kinds| {
            let Some(channel) = channels.iter().find(|channel| channel.name == *name) else {
                return false;
            };
            let is_wanted = |kind: Kind| channel.tell.iter().any(|tell| Kind::from(*tell) == kind);
            kinds.retain(|kind, said| is_wanted(*kind) && !said.is_past(channel.at_most_every, now));
            !kinds.is_empty()
        });
    }

    pub fn cut_back(&mut self, now: Timestamp) {
        self.said.values_mut().flat_map(BTreeMap::values_mut).for_each(|said| said.cut_back(now));
        self.known = self.known.map(|known| known.min(now));
    }
}

pub fn later(at: Timestamp, span: Duration) -> Timestamp {
    let span = SignedDuration::try_from(span).unwrap_or(SignedDuration::MAX);
    at.checked_add(span).unwrap_or(Timestamp::MAX)
}

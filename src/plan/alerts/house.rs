//! Who is told what of the daemon itself, of its file and its ledger? And which runs were found slow, under whatever name.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::rules::Message;
use super::told::{Listener, Said};
use crate::job::{Channel, ChannelName};
use crate::notice::{Facts, Kind};
use crate::run::RunId;

/// What was told of the daemon, as the ledger keeps it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct House {
    /// What is told once it may be.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    held: BTreeMap<Kind, BTreeMap<ChannelName, Held>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    said: BTreeMap<Kind, BTreeMap<ChannelName, Said>>,
    /// Runs that were found slow, while they go on. A run may outlive its job's place in the file and its job's name.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub slow: BTreeSet<RunId>,
}

impl House {
    pub fn happened(&mut self, kind: Kind, detail: &str, channels: &[Arc<Channel>], now: Timestamp) -> Vec<Message> {
        let message = |channel: &Channel, untold| {
            let facts = Facts { detail: Some(detail.to_owned()), untold, ..Facts::default() };
            Message { to: Listener::of(channel), kind, run: None, facts }
        };
        let channels = channels.iter().map(AsRef::as_ref);
        match kind {
            Kind::FileWrong | Kind::Trouble | Kind::Back => {
                let (said, held) = (self.said.entry(kind).or_default(), self.held.entry(kind).or_default());
                let told = channels.filter_map(|channel: &Channel| {
                    let said = said.entry(channel.name.clone()).or_default();
                    // At a start something may have been told just now that was held back until then.
                    let untold = if said.at == Some(now) {
                        Some(said.hears(now))
                    } else {
                        said.hears_if_it_may(channel.at_most_every, now)
                    };
                    match untold {
                        Some(_) => held.remove(&channel.name),
                        None => {
                            let last = Held { to: Listener::of(channel), at: now, detail: detail.to_owned() };
                            held.insert(channel.name.clone(), last)
                        }
                    };
                    Some(message(channel, untold?))
                });
                let told = told.collect();
                self.held.retain(|_, held| !held.is_empty());
                told
            }
            // Only whoever was told of the trouble cares that it is over. The next one is another.
            Kind::FileRight => self.over(Kind::FileWrong, channels, message),
            // Whom to tell is known to whoever says so: what kept the ledger from being written was not told by way of it.
            Kind::Well
            | Kind::Test
            | Kind::Digest
            | Kind::Failed
            | Kind::Recovered
            | Kind::Missed
            | Kind::Stuck
            | Kind::Slow
            | Kind::Overdue
            | Kind::Skipped
            | Kind::Succeeded
            | Kind::Output => channels.map(|channel| message(channel, 0)).collect(),
        }
    }

    fn over<'c>(
        &mut self,
        trouble: Kind,
        channels: impl Iterator<Item = &'c Channel>,
        message: impl Fn(&Channel, u64) -> Message,
    ) -> Vec<Message> {
        self.held.remove(&trouble);
        let said = self.said.remove(&trouble).unwrap_or_default();
        channels.filter_map(|channel| Some(message(channel, said.get(&channel.name)?.untold))).collect()
    }

    /// When somebody may be told what was held back.
    pub fn next(&self) -> Option<Timestamp> {
        self.held.iter().flat_map(|(kind, held)| held.values().map(|held| self.told_at(*kind, held))).min()
    }

    fn told_at(&self, kind: Kind, held: &Held) -> Timestamp {
        let said = self.said.get(&kind).and_then(|said| said.get(&held.to.name));
        said.map_or(held.at, |said| said.again_at(held.to.every))
    }

    /// What was held back and may be told by now.
    pub fn held_back(&mut self, now: Timestamp) -> Vec<Message> {
        let mut messages = Vec::new();
        for (kind, held) in std::mem::take(&mut self.held) {
            for (name, held) in held {
                if self.told_at(kind, &held) > now {
                    self.held.entry(kind).or_default().insert(name, held);
                    continue;
                }
                let Held { to, at, detail } = held;
                // The last of them is what it is told of.
                let untold = self.said.entry(kind).or_default().entry(name).or_default().hears(now).saturating_sub(1);
                let facts = Facts { detail: Some(detail), untold, until: Some(at), ..Facts::default() };
                messages.push(Message { to, kind, run: None, facts });
            }
        }
        messages
    }

    pub fn cut_back(&mut self, now: Timestamp) {
        self.said.values_mut().flat_map(BTreeMap::values_mut).for_each(|said| said.cut_back(now));
        self.held.values_mut().flat_map(BTreeMap::values_mut).for_each(|held| held.at = held.at.min(now));
    }
}

/// The last of what a channel was not told, because it had been told of another a short while before.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Held {
    to: Listener,
    at: Timestamp,
    detail: String,
}

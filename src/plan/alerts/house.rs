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
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    said: BTreeMap<Kind, BTreeMap<ChannelName, Said>>,
    /// Runs that were found slow, while they go on. A run may outlive its job's place in the file and its job's name.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub slow: BTreeSet<RunId>,
}

impl House {
    pub fn happened(&mut self, kind: Kind, detail: String, channels: &[Arc<Channel>], now: Timestamp) -> Vec<Message> {
        let facts = Facts { detail: Some(detail), ..Facts::default() };
        let message = |channel: &Channel, untold| {
            let facts = Facts { untold, ..facts.clone() };
            Message { to: Listener::of(channel), kind, run: None, facts }
        };
        let channels = channels.iter().map(AsRef::as_ref);
        match kind {
            Kind::FileWrong | Kind::Trouble | Kind::Back => {
                let said = self.said.entry(kind).or_default();
                let told = channels.filter_map(|channel: &Channel| {
                    let said = said.entry(channel.name.clone()).or_default();
                    let untold = said.hears_if_it_may(channel.at_most_every, now)?;
                    Some(message(channel, untold))
                });
                told.collect()
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
        let said = self.said.remove(&trouble).unwrap_or_default();
        channels.filter_map(|channel| Some(message(channel, said.get(&channel.name)?.untold))).collect()
    }

    pub fn cut_back(&mut self, now: Timestamp) {
        self.said.values_mut().flat_map(BTreeMap::values_mut).for_each(|said| said.cut_back(now));
    }
}

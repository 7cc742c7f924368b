//! Who is told of a ledger that cannot be written while that lasts? Nothing can go through the outbox then, so it is told at
//! once and from memory; that it is over goes the usual way.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::sleep;

use super::Setup;
use super::thread::new_id;
use super::wording::{means, outgoing};
use crate::inquiry::{Telling, message_report};
use crate::job::{Carrier, Channel, ChannelName};
use crate::notice::{Facts, Kind, Notice, NoticeId, is_quiet};
use crate::notify::{Refusal, deliver};
use crate::store::Trouble;

/// A trouble that is over sooner is nobody's business: what fell due meanwhile is late by no more.
pub const WORTH_TELLING: Duration = Duration::from_secs(10);
/// Between two tries of a carrier.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(600);

/// Who has heard of the trouble that lasts.
#[derive(Debug, Clone, Default)]
pub struct Heard(Arc<Mutex<Ears>>);

#[derive(Debug, Default)]
struct Ears {
    now: BTreeSet<ChannelName>,
    /// When each heard of a trouble last.
    last: BTreeMap<ChannelName, Timestamp>,
}

impl Heard {
    /// Who has heard of it, now that it is over.
    pub fn take(&self) -> BTreeSet<ChannelName> {
        std::mem::take(&mut self.ears().now)
    }

    fn may_hear(&self, channel: &Channel, now: Timestamp) -> bool {
        let every = SignedDuration::try_from(channel.at_most_every).unwrap_or(SignedDuration::MAX);
        // A clock that was set back keeps nobody from hearing.
        let is_free = |last: &Timestamp| *last > now || now.duration_since(*last) >= every;
        self.ears().last.get(&channel.name).is_none_or(is_free)
    }

    fn has_heard(&self, channel: &ChannelName, now: Timestamp) {
        let mut ears = self.ears();
        ears.now.insert(channel.clone());
        ears.last.insert(channel.clone(), now);
    }

    fn ears(&self) -> MutexGuard<'_, Ears> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One telling of one trouble. To drop it gives it up.
#[derive(Clone)]
pub struct Outcry {
    pub setup: Arc<Setup>,
    pub trouble: watch::Receiver<Option<Trouble>>,
    pub heard: Heard,
    pub host: Arc<str>,
}

impl Outcry {
    /// Tells all who hear of the daemon, each until it has taken it.
    pub async fn tell(self) {
        self.heard.take();
        sleep(WORTH_TELLING).await;
        let (configuration, now) = (self.setup.in_force.borrow().clone(), self.setup.clock.now());
        let zone = configuration.zone();
        let mut telling = JoinSet::new();
        for channel in configuration.checked.channels_of(configuration.settings.channels.as_deref()) {
            // Who wants to be left alone now hears of it afterwards.
            if channel.quiet.is_some_and(|quiet| is_quiet(quiet, &zone, now)) || !self.heard.may_hear(&channel, now) {
                continue;
            }
            for carrier in channel.carriers.clone() {
                telling.spawn(self.clone().tell_one(channel.name.clone(), carrier, now));
            }
        }
        while telling.join_next().await.is_some() {}
    }

    async fn tell_one(self, channel: ChannelName, carrier: Carrier, made: Timestamp) {
        let by = carrier.kind().word();
        let (id, mut pause) = (new_id(&self.host), FIRST_PAUSE);
        loop {
            match self.send(&id, &channel, &carrier, made).await {
                Ok(answer) => {
                    tracing::info!("that the ledger cannot be written was told to {channel} by {by}: {answer}");
                    return self.heard.has_heard(&channel, self.setup.clock.now());
                }
                Err(Refusal::Never { why }) => {
                    return tracing::error!("{channel} cannot be told of the ledger by {by}: {why}");
                }
                Err(Refusal::Later { why, after }) => {
                    tracing::warn!("{channel} is told of the ledger later by {by}: {why}");
                    sleep(after.unwrap_or_default().clamp(pause, LONGEST_PAUSE)).await;
                    pause = (pause * 2).min(LONGEST_PAUSE);
                }
            }
        }
    }

    async fn send(
        &self,
        id: &str,
        channel: &ChannelName,
        carrier: &Carrier,
        made: Timestamp,
    ) -> Result<String, Refusal> {
        let now = self.setup.clock.now();
        let trouble = self.trouble.borrow().clone();
        let Some(Trouble { since, message }) = trouble else {
            return Err(Refusal::Never { why: "it is over".to_owned() });
        };
        let notice = Notice {
            // It has none in a ledger that cannot be written.
            number: NoticeId(0),
            at: made,
            kind: Kind::Trouble,
            job: None,
            run: None,
            channel: channel.clone(),
            carriers: vec![carrier.kind()],
            facts: Facts { detail: Some(message), since: Some(since), ..Facts::default() },
        };
        let configuration = self.setup.in_force.borrow().clone();
        let telling = Telling {
            id,
            host: &self.host,
            channel,
            notices: &[notice],
            jobs: &configuration.checked.jobs,
            made,
            now,
            called: &self.setup.called,
        };
        let report = message_report(&self.setup.store.reader, &telling).await;
        let report = report.map_err(|error| Refusal::Later { why: error.to_string(), after: None })?;
        let outgoing = outgoing(&configuration, report, None);
        let means = means(&configuration, &self.setup.environment, &self.setup.folder);
        deliver(carrier, channel, &outgoing, &means).await.map(|accepted| accepted.answer)
    }
}

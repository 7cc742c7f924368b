//! What is done for one carrier of a channel, until there is nothing to do for it or it has to rest?

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::outcome::outcome;
use super::thread::{new_id, trouble_of};
use super::wording::{means, outgoing, zone};
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::inquiry::{Telling, message_report};
use crate::job::{Carrier, Channel};
use crate::notice::{Move, Notice, NoticeId, Rules, Waiting, gather};
use crate::notify::{Accepted, Refusal, deliver};
use crate::store::{Lane, Message, SENT_FOR, SendOutcome, Store, Trouble};

/// Notices that are looked at together: a storm that is larger becomes several messages.
const TOGETHER: u32 = 1000;
/// Longer than any carrier takes by its own rules.
const LONGEST_SEND: Duration = Duration::from_secs(600);
/// A clock that was set back is not waited for: no pause between two tries is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(2 * 24 * 3600);
/// How long a channel rests for which there is something, and nothing can be done.
const A_WHILE: Duration = Duration::from_secs(60);
/// How soon it is tried again to record what came of a message.
const RECORD_AGAIN: Duration = Duration::from_secs(2);

/// How much a channel has been told lately.
#[derive(Debug, Clone, Default)]
pub struct Storm {
    last_sent: Option<Timestamp>,
    lately: u32,
}

/// What came of a round.
pub struct Round {
    pub storm: Storm,
    /// Until when there is nothing to do; none: until something comes.
    pub rest: Result<Option<Timestamp>, sqlx::Error>,
}

/// All that a round needs.
pub struct Came {
    pub store: Arc<Store>,
    pub clock: Clock,
    pub configuration: Arc<Configuration>,
    pub trouble: watch::Receiver<Option<Trouble>>,
    pub environment: Arc<BTreeMap<String, String>>,
    pub folder: PathBuf,
    pub host: Arc<str>,
    pub lane: Lane,
    pub storm: Storm,
}

/// What is to be done next.
enum Next {
    Again,
    Rest(Timestamp),
}

impl Came {
    pub async fn work(mut self) -> Round {
        let rest = loop {
            // What came of a message must be kept: nothing is sent while that cannot be done.
            if self.trouble.borrow().is_some() {
                break Ok(None);
            }
            match self.step().await {
                Ok(Next::Again) => {}
                Ok(Next::Rest(until)) => break Ok(Some(until)),
                Err(error) => break Err(error),
            }
        };
        Round { storm: self.storm, rest }
    }

    async fn step(&mut self) -> Result<Next, sqlx::Error> {
        let (reader, now) = (&self.store.reader, self.clock.now());
        let message = reader.next_message(&self.lane).await?;
        if let Some(next) = message.as_ref().and_then(|message| message.next_try).filter(|next| is_ahead(*next, now)) {
            return Ok(Next::Rest(next));
        }
        let notices = match &message {
            Some(message) => reader.notices_of(message, &self.lane).await?,
            None => reader.notices_waiting(&self.lane, TOGETHER).await?,
        };
        let Some(first) = notices.first() else {
            let Some(message) = message else {
                return Ok(Next::Rest(a_while_after(now)));
            };
            let lost = "what it was to tell is not in the ledger any more".to_owned();
            return self.give_up(&message, lost).await;
        };
        let Some((channel, carrier)) = self.destination() else {
            return self.nowhere(message, &notices, now).await;
        };
        let mut rules = self.rules(&channel);
        let waiting: Vec<Waiting> =
            notices.iter().map(|notice| waiting(notice, message.as_ref(), first.number)).collect();
        let numbers = match gather(&waiting, &rules, now).into_iter().next() {
            Some(Move::Send(numbers)) => numbers,
            Some(Move::WaitUntil(until)) if until > now => return Ok(Next::Rest(until)),
            Some(Move::WaitUntil(_)) | None => return Ok(Next::Rest(a_while_after(now))),
        };
        let together: Vec<Notice> = notices.iter().filter(|notice| numbers.contains(&notice.number)).cloned().collect();
        let message = match message {
            Some(message) => message,
            None => match self.make(&together, now).await? {
                Some(message) => message,
                None => return Ok(Next::Again),
            },
        };
        let came = self.send(&carrier, &message, &together).await?;
        let now = self.clock.now();
        if came.is_ok() {
            rules.sent(together.len(), together.first().map_or(now, |notice| notice.at), now);
            self.storm = Storm { last_sent: rules.last_sent, lately: rules.lately };
        }
        let outcome = outcome(&message, came, now);
        self.say(&message, &together, &outcome);
        self.record(&message, outcome).await;
        Ok(Next::Again)
    }

    /// The channel and its carrier, as the file in force has them.
    fn destination(&self) -> Option<(Arc<Channel>, Carrier)> {
        let channel = self.configuration.checked.channels.get(&self.lane.channel)?;
        Some((channel.clone(), channel.carrier(self.lane.carrier)?.clone()))
    }

    fn rules(&self, channel: &Channel) -> Rules {
        let Storm { last_sent, lately } = self.storm;
        Rules { quiet: channel.quiet, zone: zone(&self.configuration), last_sent, lately }
    }

    /// The file has no such channel any more, or it has no such carrier: it may come back, but not for ever.
    async fn nowhere(&self, message: Option<Message>, notices: &[Notice], now: Timestamp) -> Result<Next, sqlx::Error> {
        let until = match (&message, notices.first()) {
            (Some(message), _) => message.until,
            (None, Some(first)) => time_is_up(first, now),
            (None, None) => return Ok(Next::Rest(a_while_after(now))),
        };
        if until > now {
            return Ok(Next::Rest(until));
        }
        let old: Vec<Notice> = notices.iter().filter(|notice| time_is_up(notice, now) <= now).cloned().collect();
        let message = match message {
            Some(message) => Some(message),
            None => self.make(&old, now).await?,
        };
        match message {
            Some(message) => self.give_up(&message, nowhere(&self.lane, &self.configuration)).await,
            None => Ok(Next::Again),
        }
    }

    async fn give_up(&self, message: &Message, answer: String) -> Result<Next, sqlx::Error> {
        tracing::error!("a notice for {} is given up: {answer}", self.lane.channel);
        let outcome = SendOutcome::Undeliverable { answer, was_tried: false };
        self.store.message_came(message.number, outcome, self.clock.now()).await?;
        Ok(Next::Again)
    }

    /// Commits the message, whose name is the same from now on.
    async fn make(&self, notices: &[Notice], now: Timestamp) -> Result<Option<Message>, sqlx::Error> {
        let Some(first) = notices.first() else {
            return Ok(None);
        };
        let thread = match trouble_of(notices) {
            Some((job, since)) => self.store.reader.thread(&self.lane, job, since).await?,
            None => None,
        };
        let numbers: Vec<NoticeId> = notices.iter().map(|notice| notice.number).collect();
        let until = time_is_up(first, now);
        self.store.make_message(&self.lane, &numbers, (new_id(&self.host), thread), now, until).await
    }

    async fn send(
        &self,
        carrier: &Carrier,
        message: &Message,
        notices: &[Notice],
    ) -> Result<Result<Accepted, Refusal>, sqlx::Error> {
        let telling = Telling {
            id: &message.id,
            host: &self.host,
            channel: &self.lane.channel,
            notices,
            jobs: &self.configuration.checked.jobs,
            made: message.made,
            now: self.clock.now(),
        };
        let report = message_report(&self.store.reader, &telling).await?;
        let outgoing = outgoing(&self.configuration, report, message.thread.clone());
        let means = means(&self.configuration, &self.environment, &self.folder);
        let sent = timeout(LONGEST_SEND, deliver(carrier, &self.lane.channel, &outgoing, &means)).await;
        Ok(sent.unwrap_or_else(|_| {
            let why = format!("there was no answer within {} s", LONGEST_SEND.as_secs());
            Err(Refusal::Later { why, after: None })
        }))
    }

    fn say(&self, message: &Message, notices: &[Notice], outcome: &SendOutcome) {
        let (channel, carrier) = (&self.lane.channel, self.lane.carrier.word());
        let count = notices.len();
        let which = match notices.first() {
            Some(first) if count == 1 => format!("notice {} ({})", first.number.0, first.kind),
            Some(first) => format!("the message of notice {} and {} more", first.number.0, count - 1),
            None => "a message".to_owned(),
        };
        match outcome {
            SendOutcome::Sent { answer } => {
                tracing::info!("{which} was sent to {channel} by {carrier}: {}", one_line(answer));
            }
            SendOutcome::Waits { next_try, answer } if message.tries == 0 => {
                let answer = one_line(answer);
                tracing::warn!("{which} waits for {channel} by {carrier} until {next_try:.0}: {answer}");
            }
            SendOutcome::Waits { .. } => {}
            SendOutcome::Undeliverable { answer, .. } => {
                let answer = one_line(answer);
                tracing::error!("{which} cannot be delivered to {channel} by {carrier}: {answer}");
            }
        }
    }

    /// What was taken must not be sent again: it is tried until it is in the ledger.
    async fn record(&self, message: &Message, outcome: SendOutcome) {
        let mut is_said = false;
        loop {
            match self.store.message_came(message.number, outcome.clone(), self.clock.now()).await {
                Ok(()) | Err(sqlx::Error::PoolClosed) => return,
                Err(error) => {
                    if !std::mem::replace(&mut is_said, true) {
                        tracing::error!("what came of a notice cannot be recorded, which is tried again: {error}");
                    }
                }
            }
            sleep(RECORD_AGAIN).await;
        }
    }
}

/// Why what waits cannot be sent: the file no longer says where to.
pub fn nowhere(lane: &Lane, configuration: &Configuration) -> String {
    match configuration.checked.channels.get(&lane.channel) {
        Some(_) => format!("the channel `{}` has no {} any more", lane.channel, lane.carrier.word()),
        None => format!("the file has no channel `{}` any more", lane.channel),
    }
}

fn waiting(notice: &Notice, message: Option<&Message>, first: NoticeId) -> Waiting {
    let Notice { number, at, kind, job, .. } = notice;
    Waiting { number: *number, at: *at, kind: *kind, job: job.clone(), message: message.map(|_| first) }
}

/// Whether a time to come is waited for.
fn is_ahead(next: Timestamp, now: Timestamp) -> bool {
    next > now && next <= now.saturating_add(LONGEST_PAUSE).unwrap_or(Timestamp::MAX)
}

/// Until when a notice is tried; one from a time that is yet to come, as long as one of now.
fn time_is_up(notice: &Notice, now: Timestamp) -> Timestamp {
    notice.at.min(now).saturating_add(SENT_FOR).unwrap_or(Timestamp::MAX)
}

/// Nothing can be done just now, and nobody says when.
fn a_while_after(now: Timestamp) -> Timestamp {
    now.saturating_add(A_WHILE).unwrap_or(Timestamp::MAX)
}

fn one_line(text: &str) -> String {
    text.lines().map(str::trim).collect::<Vec<_>>().join(" ")
}

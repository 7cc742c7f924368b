//! What is done for one carrier of a channel, until there is nothing to do for it or it has to rest?

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::outcome::outcome;
use super::thread::{Story, new_id, story_of};
use super::wording::{means, outgoing};
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::inquiry::{Telling, message_report, rules};
use crate::job::{Carrier, Channel};
use crate::notice::{Move, Notice, NoticeId, Waiting, gather};
use crate::notify::{Accepted, Refusal, deliver};
use crate::store::{Lane, Message, SENT_FOR, SendOutcome, Store, TOGETHER, Trouble};

/// Longer than any carrier takes by its own rules.
const LONGEST_SEND: Duration = Duration::from_secs(600);
/// How long a channel rests for which there is something, and nothing can be done.
const A_WHILE: Duration = Duration::from_secs(60);
/// How soon it is tried again to record what came of a message.
const RECORD_AGAIN: Duration = Duration::from_secs(2);

/// Until when there is nothing to do; none: until something comes.
pub type Rest = Result<Option<Timestamp>, sqlx::Error>;

/// All that a round needs.
pub struct Came {
    pub store: Arc<Store>,
    pub clock: Clock,
    pub configuration: Arc<Configuration>,
    pub trouble: watch::Receiver<Option<Trouble>>,
    pub environment: Arc<BTreeMap<String, String>>,
    pub folder: PathBuf,
    pub host: Arc<str>,
    pub called: Arc<str>,
    pub lane: Lane,
}

/// What is to be done next.
enum Next {
    Again,
    Rest(Timestamp),
}

impl Came {
    pub async fn work(self) -> Rest {
        loop {
            // What came of a message must be kept: nothing is sent while that cannot be done.
            if self.trouble.borrow().is_some() {
                return Ok(None);
            }
            match self.step().await? {
                Next::Again => {}
                Next::Rest(until) => return Ok(Some(until)),
            }
        }
    }

    async fn step(&self) -> Result<Next, sqlx::Error> {
        let (reader, now) = (&self.store.reader, self.clock.now());
        let message = reader.next_message(&self.lane).await?;
        if let Some(until) = message.as_ref().and_then(|message| message.rests_until(now)) {
            return Ok(Next::Rest(until));
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
        let rules = rules(reader, &self.lane, &channel, self.configuration.zone(), now).await?;
        let in_message = message.as_ref().map(|_| first.number);
        let waiting: Vec<Waiting> = notices.iter().map(|notice| Waiting::of(notice, in_message)).collect();
        let numbers = match next_of(gather(&waiting, &rules, now)) {
            Ok(numbers) => numbers,
            Err(Some(until)) if until > now => return Ok(Next::Rest(until)),
            Err(_) => return Ok(Next::Rest(a_while_after(now))),
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
        let reader = &self.store.reader;
        let thread = match story_of(notices) {
            Some(Story::Trouble { job, since }) => {
                // It began when the job was last well, or whatever went wrong first since then.
                let well = reader.last_success(job.as_str(), since).await?;
                reader.thread(&self.lane, job, well.unwrap_or(since)).await?
            }
            Some(Story::Run(run)) => reader.thread_of_run(&self.lane, run).await?,
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
            called: &self.called,
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

/// The first message to be sent, or, where there is none, until when all is held.
fn next_of(moves: Vec<Move>) -> Result<Vec<NoticeId>, Option<Timestamp>> {
    let mut until = None;
    for one in moves {
        match one {
            Move::Send(numbers) => return Ok(numbers),
            Move::Hold(_, hold) => until = until.into_iter().chain([hold.until]).min(),
        }
    }
    Err(until)
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

//! How does a message get to those whom it is for? By mail, by a web server or by a command, each within its time.
//!
//! What somebody can mend without touching the message, such as a certificate, a password or an address of a web server, is
//! refused for now: it is tried again for as long as it is worth it, and the reason is there to be seen meanwhile. Only what
//! the message itself causes is refused for ever.

mod address;
mod command;
mod hidden;
mod mail;
mod ping;
mod request;
mod said;
mod verdict;
mod webhook;

use std::time::Duration;

use tokio::task::JoinSet;

pub use ping::{PingMoment, Rid};

use super::{Accepted, Means, Outgoing, Refusal};
use crate::job::{Carrier, ChannelName, Target};
use crate::mail::Conversation;

/// How long each carrier may take, from its beginning to its last answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Patience {
    pub mail: Duration,
    pub webhook: Duration,
    pub command: Duration,
    pub ping: Duration,
}

impl Patience {
    /// A server that takes longer is one that is in trouble, and commands are there to hand something on. What a ping is for
    /// goes on meanwhile, and the next one follows.
    pub const USUAL: Self = Self {
        mail: Duration::from_secs(60),
        webhook: Duration::from_secs(30),
        command: Duration::from_secs(60),
        ping: Duration::from_secs(10),
    };
}

/// Hands a message to a carrier of a channel. Dropping the future gives it up.
pub async fn deliver(
    carrier: &Carrier,
    channel: &ChannelName,
    outgoing: &Outgoing,
    means: &Means,
) -> Result<Accepted, Refusal> {
    deliver_within(Patience::USUAL, carrier, channel, outgoing, means, Conversation::default()).await
}

/// The same with a patience of one's own, and heard by somebody.
pub async fn deliver_within(
    patience: Patience,
    carrier: &Carrier,
    channel: &ChannelName,
    outgoing: &Outgoing,
    means: &Means,
    conversation: Conversation<'_>,
) -> Result<Accepted, Refusal> {
    match carrier {
        Carrier::Mail(to) => mail::carry(to, channel, outgoing, means, patience.mail, conversation).await,
        Carrier::Webhook(webhook) => webhook::carry(webhook, outgoing, means, patience.webhook, conversation).await,
        Carrier::Command(argv) => command::carry(argv, outgoing, means, patience.command, conversation).await,
    }
}

/// Tells somebody who waits for signs of life how it goes.
pub async fn ping(target: &Target, moment: PingMoment, means: &Means) -> Result<Accepted, Refusal> {
    ping_within(Patience::USUAL, target, moment, None, means).await
}

/// The same with a patience of one's own; `rid` is what the signs of one run have in common.
pub async fn ping_within(
    patience: Patience,
    target: &Target,
    moment: PingMoment,
    rid: Option<Rid>,
    means: &Means,
) -> Result<Accepted, Refusal> {
    ping::carry(target, moment, rid, means, patience.ping).await
}

fn later(why: impl Into<String>) -> Refusal {
    Refusal::Later { why: why.into(), after: None }
}

/// Does what reads files or takes long where it is in nobody's way.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> Result<T, Refusal> + Send + 'static) -> Result<T, Refusal> {
    let mut tasks = JoinSet::new();
    tasks.spawn_blocking(work);
    match tasks.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is being taken down.
        Some(Err(_)) | None => Err(later("the daemon stops")),
    }
}

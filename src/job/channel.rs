//! Whom does one tell, of what, how often, and by what?

use std::collections::BTreeSet;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::civil::Time;
use url::Url;

use super::http::Header;
use super::smtp::Address;
use super::{JobName, NameError, SecretSource};

/// The name of a channel; it looks like that of a job.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChannelName(Arc<str>);

impl ChannelName {
    pub fn new(text: &str) -> Result<Self, NameError> {
        JobName::new(text).map(|name| Self(name.as_str().into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl serde::Serialize for ChannelName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> serde::Deserialize<'de> for ChannelName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<str>>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

/// The table `[channels.NAME]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Channel {
    pub name: ChannelName,
    /// What carries a notice: at least one, and none of a kind twice.
    pub carriers: Vec<Carrier>,
    /// Of a job's life.
    pub tell: BTreeSet<Tell>,
    /// In a row, before the first notice of a failure; at least 1.
    pub after_failures: u32,
    /// While something stays broken.
    pub at_most_every: Duration,
    /// When nothing is sent but held back.
    pub quiet: Option<Quiet>,
}

impl Channel {
    pub fn carrier(&self, kind: CarrierKind) -> Option<&Carrier> {
        self.carriers.iter().find(|carrier| carrier.kind() == kind)
    }
}

/// What a channel may be told of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tell {
    /// A run failed, after its last attempt.
    Failed,
    /// It succeeds again, after a failure that was told.
    Recovered,
    /// Instants passed without a run, and are not caught up.
    Missed,
    /// Three instants in a row were skipped because a run was still going.
    Stuck,
    /// A run takes longer than `slow_after`, and goes on.
    Slow,
    /// There was no success for `overdue_after`.
    Overdue,
    Skipped,
    Succeeded,
    /// A run has written something, whatever came of it.
    Output,
}

impl Tell {
    pub const WORDS: [(&'static str, Self); 9] = [
        ("failed", Self::Failed),
        ("recovered", Self::Recovered),
        ("missed", Self::Missed),
        ("stuck", Self::Stuck),
        ("slow", Self::Slow),
        ("overdue", Self::Overdue),
        ("skipped", Self::Skipped),
        ("succeeded", Self::Succeeded),
        ("output", Self::Output),
    ];

    /// Where a channel does not say.
    pub const DEFAULT: [Self; 5] = [Self::Failed, Self::Recovered, Self::Missed, Self::Stuck, Self::Overdue];

    pub fn word(self) -> &'static str {
        match self {
            Self::Failed => "failed",
            Self::Recovered => "recovered",
            Self::Missed => "missed",
            Self::Stuck => "stuck",
            Self::Slow => "slow",
            Self::Overdue => "overdue",
            Self::Skipped => "skipped",
            Self::Succeeded => "succeeded",
            Self::Output => "output",
        }
    }
}

/// A stretch of each day, in the daemon's zone; it may reach over midnight. Both ends are never the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quiet {
    pub from: Time,
    /// The first moment that is not quiet.
    pub until: Time,
}

impl fmt::Display for Quiet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |time: Time| {
            let format = if time.second() == 0 { "%H:%M" } else { "%H:%M:%S" };
            time.strftime(format).to_string()
        };
        write!(f, "{}-{}", time(self.from), time(self.until))
    }
}

/// What carries notices of a channel.
#[derive(Debug, Clone, PartialEq)]
pub enum Carrier {
    /// At least one address.
    Mail(Vec<Address>),
    Webhook(Box<Webhook>),
    /// A program and its arguments; the notice is on its standard input and in variables.
    Command(Vec<String>),
}

impl Carrier {
    pub fn kind(&self) -> CarrierKind {
        match self {
            Self::Mail(_) => CarrierKind::Mail,
            Self::Webhook(_) => CarrierKind::Webhook,
            Self::Command(_) => CarrierKind::Command,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CarrierKind {
    Mail,
    Webhook,
    Command,
}

impl CarrierKind {
    pub const WORDS: [(&'static str, Self); 3] =
        [("mail", Self::Mail), ("webhook", Self::Webhook), ("command", Self::Command)];

    pub fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Webhook => "webhook",
            Self::Command => "command",
        }
    }
}

/// A web server that is told by POST.
#[derive(Debug, Clone, PartialEq)]
pub struct Webhook {
    pub url: Target,
    pub shape: Shape,
    /// No name twice.
    pub headers: Vec<Header>,
    /// With which the body is signed, so that the server knows who speaks.
    pub secret: Option<SecretSource>,
}

/// An address that may be a secret itself, as those are that let everybody in who knows them. It is never shown beyond its
/// host.
#[derive(Clone, PartialEq, Eq, Hash)]
pub enum Target {
    Open(Url),
    Secret(SecretSource),
}

impl Target {
    /// The same, where a relative path is taken from this folder.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        match self {
            Self::Secret(source) => Self::Secret(source.within(folder)),
            Self::Open(_) => self,
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Open(url) => {
                let more = if url.path().len() > 1 || url.query().is_some() { "***" } else { "" };
                write!(f, "{}/{more}", url.origin().ascii_serialization())
            }
            Self::Secret(SecretSource::Env(name)) => write!(f, "what the variable {name} says"),
            Self::Secret(SecretSource::File(path)) => write!(f, "what {} says", path.display()),
            Self::Secret(SecretSource::Credential(name)) => write!(f, "what the credential {name} says"),
        }
    }
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl serde::Serialize for Target {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Open(_) => serializer.collect_str(self),
            Self::Secret(source) => source.serialize(serializer),
        }
    }
}

/// In which form a web server wants to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shape {
    /// Ours, as `docs/notices.md` has it.
    Json,
    Slack,
    Discord,
    Teams,
    Ntfy,
    Telegram {
        /// Whom the bot tells.
        chat: String,
    },
}

impl Shape {
    pub const WORDS: [&'static str; 6] = ["json", "slack", "discord", "teams", "ntfy", "telegram"];

    /// Whom a bot tells.
    pub fn chat(&self) -> Option<&str> {
        match self {
            Self::Telegram { chat } => Some(chat),
            Self::Json | Self::Slack | Self::Discord | Self::Teams | Self::Ntfy => None,
        }
    }

    pub fn word(&self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
            Self::Discord => "discord",
            Self::Teams => "teams",
            Self::Ntfy => "ntfy",
            Self::Telegram { .. } => "telegram",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_by_its_host() {
        for (url, expect) in [
            ("https://hooks.slack.com/services/T0/B0/canary", "https://hooks.slack.com/***"),
            ("http://127.0.0.1:8080/?token=canary", "http://127.0.0.1:8080/***"),
            ("https://example.org", "https://example.org/"),
        ] {
            let target = Target::Open(Url::parse(url).unwrap());
            assert_eq!((target.to_string(), format!("{target:?}")), (expect.to_owned(), expect.to_owned()));
            assert_eq!(serde_json::to_value(&target).unwrap(), expect);
        }
        let elsewhere = Target::Secret(SecretSource::File("hook".into())).within(Path::new("/etc/punctual"));
        assert_eq!(elsewhere.to_string(), "what /etc/punctual/hook says");
    }

    #[test]
    fn every_word_is_that_of_its_kind() {
        assert!(Tell::WORDS.into_iter().all(|(word, tell)| tell.word() == word));
        assert!(CarrierKind::WORDS.into_iter().all(|(word, kind)| kind.word() == word));
    }
}

//! How does a message leave? By the way that `[smtp]` names, with one time-out and one bound for all who send.
//!
//! A message goes to all whom it is for, or, where the server refuses one of them, to nobody, so that it can be sent again,
//! unless who sends it wants it otherwise.

mod answer;
mod conversation;
mod letter;
mod line;
mod program;
mod server;

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::Instant;

pub use answer::Answer;
pub use conversation::{Conversation, Said};
pub use letter::{Attachment, Head, Letter};

use crate::clock::instant;
use crate::job::{Smtp, Way};
use crate::secret::SecretError;

/// For one message, from the first connection to the last answer. A server that takes longer is one that is in trouble; a
/// relay answers within a second, and greylisting answers at once.
const PATIENCE: Duration = Duration::from_secs(60);
/// Messages under way at once: what a small server lets one client have, and enough for a digest to many.
const AT_ONCE: usize = 4;

static PLACES: Semaphore = Semaphore::const_new(AT_ONCE);

/// A message that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// As it stands in the message, with its angle brackets.
    pub message_id: String,
    /// What the one who took it said.
    pub answer: String,
    /// Who did not get it, and why.
    pub refused: Vec<(String, Answer)>,
}

/// How a message is sent.
#[derive(Debug, Clone, Copy)]
pub struct Sending<'e> {
    pub patience: Duration,
    pub where_refused: WhereRefused,
    pub conversation: Conversation<'e>,
}

impl Default for Sending<'_> {
    fn default() -> Self {
        Self { patience: PATIENCE, where_refused: WhereRefused::Nobody, conversation: Conversation::default() }
    }
}

/// Who gets a message of which the server refuses some recipients; where it refuses all, nobody does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhereRefused {
    Nobody,
    /// The others, but nobody while the server may still take all of them later.
    OthersInTheEnd,
    Others,
}

impl WhereRefused {
    fn goes_on(self, refused: &[(String, Answer)], recipients: usize) -> bool {
        refused.len() < recipients
            && match self {
                Self::Nobody => refused.is_empty(),
                Self::OthersInTheEnd => refused.iter().all(|(_, answer)| !answer.is_temporary()),
                Self::Others => true,
            }
    }
}

/// Until when a message must have left.
#[derive(Debug, Clone, Copy)]
struct Deadline {
    until: Instant,
    patience: Duration,
}

impl Deadline {
    fn of(patience: Duration) -> Self {
        Self { until: instant() + patience, patience }
    }

    fn passed(self, server: String, stage: Stage) -> SendError {
        SendError::TimedOut { server, stage, patience: self.patience }
    }
}

/// What a server refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Matter {
    Talking,
    StartTls,
    Login,
    Sender,
    Recipient,
    Message,
}

impl Matter {
    fn words(self) -> &'static str {
        match self {
            Self::Talking => "to talk to us",
            Self::StartTls => "STARTTLS",
            Self::Login => "the login",
            Self::Sender => "the sender",
            Self::Recipient => "a recipient",
            Self::Message => "the message",
        }
    }
}

/// What was being done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Connecting,
    Securing,
    LoggingIn,
    Naming,
    HandingOver,
}

impl Stage {
    fn words(self) -> &'static str {
        match self {
            Self::Connecting => "connecting and being greeted",
            Self::Securing => "making the connection safe",
            Self::LoggingIn => "logging in",
            Self::Naming => "naming sender and recipients",
            Self::HandingOver => "handing the message over",
        }
    }
}

/// Why a message did not leave. Nothing in it is a secret.
#[derive(Debug, thiserror::Error)]
pub enum SendError {
    #[error("the message cannot be made: {0}")]
    Letter(String),
    #[error("the password of [smtp] cannot be had: {0}")]
    Password(#[source] SecretError),
    #[error("the certificates of {} cannot be used: {why}", path.display())]
    Certificates { path: PathBuf, why: String },
    #[error("cannot connect to {server}: {why}")]
    Connect { server: String, why: String },
    #[error("the connection to {server} cannot be made safe: {why}")]
    Tls { server: String, why: String },
    #[error(
        "{server} offers no STARTTLS, so nothing was said to it; write smtps://, smtp:// for a server without TLS, or \
         starttls = \"opportunistic\" where mail may go in the open whenever the server wants it so"
    )]
    NoStartTls { server: String },
    #[error("{server} offers no way to log in that we know; PLAIN and LOGIN are known")]
    NoLogin { server: String },
    #[error("{server} did not let `{user}` in: {answer}")]
    Login { server: String, user: String, answer: Answer },
    #[error("{server} takes no address like {address}: it does not offer SMTPUTF8")]
    NotAscii { server: String, address: String },
    #[error("{server} refused {}", listed(refused))]
    Recipients { server: String, refused: Vec<(String, Answer)> },
    #[error("{server} refused {}: {answer}", what.words())]
    Refused { server: String, what: Matter, answer: Answer },
    #[error("the connection to {server} broke while {}: {why}{}", stage.words(), doubt(*stage))]
    Broken { server: String, stage: Stage, why: String },
    #[error("{server} gave no answer within {} s, while {}{}", patience.as_secs_f64(), stage.words(), doubt(*stage))]
    TimedOut { server: String, stage: Stage, patience: Duration },
    #[error("{} {why}", path.display())]
    Program { path: PathBuf, why: String, is_temporary: bool },
    #[error("cannot write {}: {source}", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error("the daemon stops")]
    Stopping,
}

impl SendError {
    /// Whether it may go better later, without anybody changing anything.
    pub fn is_temporary(&self) -> bool {
        match self {
            Self::Connect { .. }
            | Self::Broken { .. }
            | Self::TimedOut { .. }
            | Self::Folder { .. }
            | Self::Stopping => true,
            Self::Login { answer, .. } | Self::Refused { answer, .. } => answer.is_temporary(),
            Self::Recipients { refused, .. } => refused.iter().all(|(_, answer)| answer.is_temporary()),
            Self::Program { is_temporary, .. } => *is_temporary,
            Self::Letter(_)
            | Self::Password(_)
            | Self::Certificates { .. }
            | Self::Tls { .. }
            | Self::NoStartTls { .. }
            | Self::NoLogin { .. }
            | Self::NotAscii { .. } => false,
        }
    }
}

fn listed(refused: &[(String, Answer)]) -> String {
    let each: Vec<String> = refused.iter().map(|(address, answer)| format!("{address}: {answer}")).collect();
    format!("{}; nobody got the message", each.join("; "))
}

/// What was handed over may have been taken although nobody said so.
fn doubt(stage: Stage) -> &'static str {
    match stage {
        Stage::HandingOver => "; the message may have arrived all the same",
        Stage::Connecting | Stage::Securing | Stage::LoggingIn | Stage::Naming => "",
    }
}

/// Sends a message, once there is a place for it. Dropping the future gives the message up. `environment` is the daemon's
/// own, in which the password may stand.
pub async fn send(
    smtp: &Arc<Smtp>,
    environment: &BTreeMap<String, String>,
    letter: Letter,
    now: Timestamp,
) -> Result<Sent, SendError> {
    send_as(Sending::default(), smtp, environment, letter, now).await
}

/// The same in a manner of one's own.
pub async fn send_as(
    sending: Sending<'_>,
    smtp: &Arc<Smtp>,
    environment: &BTreeMap<String, String>,
    letter: Letter,
    now: Timestamp,
) -> Result<Sent, SendError> {
    // It is never closed.
    let _place = PLACES.acquire().await;
    let deadline = Deadline::of(sending.patience);
    let composed = off_the_runtime(move || letter.compose(now)).await?;
    let mut refused = Vec::new();
    let answer = match &smtp.way {
        Way::Server(server) => {
            let preparing = (server.clone(), environment.clone());
            let keys = off_the_runtime(move || server::prepare(&preparing.0, &preparing.1)).await?;
            let taken = server::hand_over(server, keys, &composed, sending, deadline).await?;
            refused = taken.refused;
            taken.answer
        }
        Way::Program(path) => program::hand_over(path, environment, &composed, deadline).await?,
        Way::Folder(folder) => {
            let (folder, bytes, id) = (folder.clone(), composed.bytes.clone(), composed.message_id.clone());
            off_the_runtime(move || put_into(&folder, &id, &bytes)).await?
        }
    };
    Ok(Sent { message_id: composed.message_id, answer, refused })
}

/// Does what reads files or takes long where it is in nobody's way.
async fn off_the_runtime<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, SendError> + Send + 'static,
) -> Result<T, SendError> {
    let mut tasks = JoinSet::new();
    tasks.spawn_blocking(work);
    match tasks.join_next().await {
        Some(Ok(done)) => done,
        Some(Err(error)) if error.is_panic() => std::panic::resume_unwind(error.into_panic()),
        // The runtime is being taken down.
        Some(Err(_)) | None => Err(SendError::Stopping),
    }
}

/// Writes a message as a file of its own; what it says is how the file is called.
fn put_into(folder: &std::path::Path, message_id: &str, bytes: &[u8]) -> Result<String, SendError> {
    let name: String =
        message_id.chars().filter(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '@')).collect();
    let path = folder.join(format!("{name}.eml"));
    let written = std::fs::create_dir_all(folder).and_then(|()| std::fs::write(&path, bytes));
    match written {
        Ok(()) => Ok(format!("written to {}", path.display())),
        Err(source) => Err(SendError::Folder { path, source }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Safety, Server};

    fn letter() -> Letter {
        let address: crate::job::Address = "a@example.org".parse().unwrap();
        Letter {
            from: address.clone(),
            to: vec![address],
            cc: Vec::new(),
            subject: "a\r\nBcc: b@example.org\u{2028}c".to_owned(),
            text: None,
            html: None,
            attachments: Vec::new(),
            head: Head::default(),
        }
    }

    #[tokio::test]
    async fn a_silent_server_is_waited_for_no_longer_than_that() {
        // It accepts connections, as the system does for it, and never reads.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let host = "127.0.0.1".to_owned();
        let server = Server { host, port, safety: Safety::Plain, login: None, ca_file: None, identity: None };
        let from = "a@example.org".parse().unwrap();
        let smtp = Arc::new(Smtp { url: "".into(), way: Way::Server(Box::new(server)), from });
        let patience = Duration::from_millis(100);
        let sending = Sending { patience, ..Sending::default() };
        let sent = send_as(sending, &smtp, &BTreeMap::new(), letter(), Timestamp::UNIX_EPOCH).await;
        let error = sent.unwrap_err();
        assert!(matches!(error, SendError::TimedOut { stage: Stage::Connecting, .. }), "{error}");
        assert!(error.is_temporary());
    }

    #[test]
    fn nothing_in_a_subject_ends_its_line() {
        let composed = letter().compose(Timestamp::UNIX_EPOCH).unwrap();
        let text = String::from_utf8(composed.bytes).unwrap();
        assert!(text.contains("\r\nSubject: a  Bcc: b@example.org c\r\n"), "{text}");
        assert!(text.contains("\r\nDate: Thu, 01 Jan 1970 00:00:00 +0000\r\n"), "{text}");
        let long = Letter { subject: "ä".repeat(9999), ..letter() }.compose(Timestamp::UNIX_EPOCH).unwrap();
        assert!(long.bytes.len() < 3000 && long.bytes.is_ascii());
    }
}

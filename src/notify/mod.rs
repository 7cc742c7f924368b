//! How does a notice reach people, and in which words?
//!
//! [`write()`] makes the words of a message from what is reported, and [`deliver`] hands them to one carrier of a channel. What
//! is sent when, and what becomes of it, is not known here.

mod carry;
pub mod shape;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

pub use carry::{Patience, PingMoment, Rid, deliver, deliver_within, ping, ping_within};
pub use words::{Part, Templates, TemplatesError, Wrong, tried, write};

use crate::job::Smtp;
pub use crate::notice::error_line;
use crate::report::MessageReport;

/// A message with all its words, as a carrier takes it.
#[derive(Debug, Clone, PartialEq)]
pub struct Written {
    /// One line, without control characters.
    pub subject: String,
    pub text: String,
    pub html: String,
    /// A line or a few, for where there is little room.
    pub short: String,
}

/// What goes out: the words, and what they were made of.
#[derive(Debug, Clone)]
pub struct Outgoing {
    pub report: MessageReport,
    pub written: Written,
    /// For the heads of mail: the first message of those that belong together. None where this is the only one.
    pub thread: Option<String>,
}

/// What carriers need of the daemon.
#[derive(Debug, Clone)]
pub struct Means {
    /// The daemon's own environment, in which passwords may stand.
    pub environment: Arc<BTreeMap<String, String>>,
    /// None where the file has no `[smtp]`.
    pub smtp: Option<Arc<Smtp>>,
    /// Where a command begins.
    pub folder: PathBuf,
}

/// A message was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Accepted {
    /// What was said by the one who took it.
    pub answer: String,
}

/// Why a message was not taken. Nothing in it is a secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It may go better later without anybody changing anything.
    #[error("{why}")]
    Later {
        why: String,
        /// How long the other side wants to be left alone.
        after: Option<Duration>,
    },
    /// It would go the same way again.
    #[error("{why}")]
    Never { why: String },
}

//! What does a message tell, and what became of each notice?

use serde::{Deserialize, Serialize};

use super::{Difference, Entry, Time};
use crate::job::{CarrierKind, ChannelName};
use crate::notice::{Because, Kind, NoticeId};

/// What one message says: this is what a webhook gets, a command reads and templates see. Its form is that of `version`; keys
/// may be added to it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MessageReport {
    pub version: u32,
    /// The same in every try to send it.
    pub id: String,
    pub host: String,
    pub channel: ChannelName,
    pub at: Time,
    /// In words, where several notices have one cause: `exit status 127`, `pool db`, `a.example`.
    pub shared_cause: Option<String>,
    /// At least one, the oldest first.
    pub notices: Vec<NoticeReport>,
    /// Of a digest.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub digest: Option<DigestReport>,
    /// When its words are written: a try later they are others, and so is how long ago something was.
    #[serde(skip)]
    pub now: Time,
    /// How punctual is called on that machine so that it finds this daemon: `punctual`, or with flags.
    #[serde(skip)]
    pub called: String,
}

impl MessageReport {
    pub const VERSION: u32 = 1;
}

/// One notice, with what the ledger knows about it when it is sent.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NoticeReport {
    pub notice: NoticeId,
    pub kind: Kind,
    pub at: Time,
    pub job: Option<String>,
    pub description: Option<String>,
    pub run: Option<Entry>,
    /// Why, in a sentence without a full stop: `exit status 3`, `killed by KILL`.
    pub why: String,
    /// What has to be said of the daemon or the file, in lines.
    pub detail: Option<String>,
    /// Failures, or skipped instants, in a row.
    pub in_a_row: u64,
    pub since: Option<Time>,
    /// How many more there were since the channel was last told.
    pub untold: u64,
    /// Instants that it covers.
    pub instants: u64,
    pub until: Option<Time>,
    pub last_success: Option<Time>,
    /// When the job starts next.
    pub next: Option<Time>,
    /// The first line of the output that looks like an error.
    pub error_line: Option<String>,
    /// The last lines that it wrote, without control characters.
    pub output: Vec<String>,
    /// Lines before them.
    pub output_before: u64,
    pub unlike_usual: Vec<Difference>,
    /// What to type to look further.
    pub commands: Vec<String>,
}

impl NoticeReport {
    /// One of which nothing is known but what it is about.
    pub fn bare(kind: Kind, at: Time) -> Self {
        Self {
            notice: NoticeId(0),
            kind,
            at,
            job: None,
            description: None,
            run: None,
            why: String::new(),
            detail: None,
            in_a_row: 0,
            since: None,
            untold: 0,
            instants: 0,
            until: None,
            last_success: None,
            next: None,
            error_line: None,
            output: Vec::new(),
            output_before: 0,
            unlike_usual: Vec::new(),
            commands: Vec::new(),
        }
    }
}

/// What happened since the last digest, and what comes.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DigestReport {
    pub since: Time,
    pub until: Time,
    pub runs: u64,
    pub jobs: Vec<DigestJob>,
    /// Notices that could not be delivered.
    pub undeliverable: u64,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DigestJob {
    pub job: String,
    pub runs: u64,
    pub failures: u64,
    pub missed: u64,
    pub skipped: u64,
    /// Seconds, the middle of this time and of the one before.
    pub duration: Option<f64>,
    pub duration_before: Option<f64>,
    pub last_failure: Option<Entry>,
    pub next: Option<Time>,
}

/// A notice in the outbox with one of its carriers, as `notices` lists it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DeliveryReport {
    pub notice: NoticeId,
    pub at: Time,
    pub kind: Kind,
    pub job: Option<String>,
    pub run: Option<i64>,
    pub channel: ChannelName,
    pub carrier: CarrierKind,
    /// `waiting`, `sent`, `undeliverable` or `dropped`.
    pub state: String,
    pub tries: i64,
    /// When it is tried next, after it was not taken.
    pub next_try: Option<Time>,
    /// Until when it is held, and why, while it waits.
    #[serde(default)]
    pub held_until: Option<Time>,
    #[serde(default)]
    pub held_because: Option<Because>,
    /// When it was sent or given up.
    pub ended: Option<Time>,
    /// What was said last by whoever was to take it.
    pub answer: Option<String>,
}

/// What people have not been told yet, and what they could not be told.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize)]
pub struct OutstandingReport {
    pub waiting: u64,
    /// In the last seven days.
    pub undeliverable: u64,
    /// Of what waits.
    pub oldest_waiting: Option<Time>,
    /// Until when the next of what waits is held, and why.
    pub held_until: Option<Time>,
    pub held_because: Option<Because>,
}

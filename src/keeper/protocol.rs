//! What do scheduler and keeper say to each other? Messages in JSON, one a line.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::process::Remains;
use crate::run::{AttemptId, OutputPiece, ProcessId};

/// The version of what is said here, and of what a keeper hands on to the program that takes its place.
pub const PROTOCOL: u32 = 2;
/// How sd_notify(3) says that the scheduler is at work, and that what follows from the daemon's start is in the ledger.
pub const READY: &str = "READY=1";

/// What the scheduler asks for.
#[derive(Debug, Serialize, Deserialize)]
pub enum Request {
    /// A command is to begin; its standard input comes as a descriptor beside the message.
    Start(Box<Start>),
    /// So many more pieces of its output are in the ledger.
    Recorded { id: AttemptId, pieces: u32 },
    /// It has exited, and whatever else there was to wait for: what is left in its pipes is read, and it is reaped.
    Close { id: AttemptId },
    /// Nobody wants to know any more how it ends. It is killed.
    Discard { id: AttemptId },
    /// The ends of all attempts between these two, both included, are in the ledger.
    Forget { first: AttemptId, last: AttemptId },
    /// This is the job file that is in force now, whatever becomes of the file.
    InForce { text: String },
    /// Something that systemd wants to know, in the words of sd_notify(3).
    Notify { state: String },
}

#[derive(Debug, Serialize, Deserialize)]
pub struct Start {
    pub id: AttemptId,
    /// What the scheduler wants to be told with it should it have to ask what is held: the name of a step.
    pub label: String,
    pub program: Program,
    pub argv: Vec<String>,
    pub environment: BTreeMap<String, String>,
    pub cwd: PathBuf,
    /// Bytes of output that are kept.
    pub output_limit: u64,
    /// A regular expression that is looked for in every line of its output.
    pub pattern: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Program {
    /// Absolute.
    At(PathBuf),
    /// This program itself, as it was when the keeper began: its file may have been replaced since.
    Own,
}

/// What the keeper says.
#[derive(Debug, Serialize, Deserialize)]
pub enum Report {
    /// What is held was told before. A scheduler hears whether none was at work before it, and the job file that was in force.
    Welcome {
        is_first: bool,
        in_force: Option<String>,
    },
    Of(AttemptId, News),
    Asked(Asked),
}

/// What reaches the service and is the scheduler's to answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Asked {
    /// Asked for again it means that nobody waits any longer.
    Stop,
    Reload,
}

/// What is told of a process.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum News {
    Started(Begun),
    /// It could not be started; the number is the system's.
    NotStarted {
        errno: Option<i32>,
        message: String,
    },
    Output(OutputPiece),
    Exited {
        at: Timestamp,
        duration: Duration,
    },
    /// Nobody can write into its pipes any more.
    Silent,
    /// It was reaped, and all of its output was said before.
    Closed(End),
}

/// A process that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    /// As the start had it.
    pub label: String,
    pub process: ProcessId,
    pub at: Timestamp,
    /// The same on the clock that nobody sets, since the machine booted.
    pub uptime: Duration,
}

/// All that is known of a process in the end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct End {
    pub remains: Option<Remains>,
    /// All that it wrote, kept or not.
    pub output_bytes: u64,
    /// The first line in which the pattern was found, shortened.
    pub matched: Option<String>,
}

/// Appends a message. In JSON a line never ends within one.
pub fn write_line(message: &impl Serialize, mut to: impl io::Write) {
    // Whatever can be said can be written down, and memory takes it.
    let _ = serde_json::to_writer(&mut to, message).map(|()| to.write_all(b"\n"));
}

/// Bytes that have come, until they make whole messages.
#[derive(Debug, Default)]
pub struct Lines {
    begun: Vec<u8>,
}

impl Lines {
    /// The messages that end within these bytes.
    pub fn take<T: DeserializeOwned>(&mut self, bytes: &[u8]) -> io::Result<Vec<T>> {
        let mut messages = Vec::new();
        for part in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.begun.extend_from_slice(part);
            if part.ends_with(b"\n") {
                messages.push(serde_json::from_slice(&self.begun)?);
                self.begun.clear();
            }
        }
        Ok(messages)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::RunId;

    #[test]
    fn messages_arrive_whole_however_they_come() {
        let mut bytes = Vec::new();
        let text = |number: usize| "a line\n\r\u{2028}\0".repeat(number);
        for number in 0..50 {
            write_line(&Request::InForce { text: text(number) }, &mut bytes);
        }
        for size in [1, 3, 100, 100_000] {
            let mut lines = Lines::default();
            let mut came = Vec::new();
            for chunk in bytes.chunks(size) {
                for message in lines.take::<Request>(chunk).unwrap() {
                    let Request::InForce { text } = message else { panic!("{message:?}") };
                    came.push(text);
                }
            }
            assert_eq!(came, (0..50).map(text).collect::<Vec<_>>());
        }
        let id = AttemptId::whole(RunId(7), 1);
        let mut bytes = Vec::new();
        write_line(&Report::Of(id, News::Silent), &mut bytes);
        assert!(Lines::default().take::<Request>(&bytes).is_err(), "what nobody asks for is nonsense");
    }
}

//! What do scheduler and keeper say to each other? Frames on a stream: a message in JSON, and bytes behind it.

use std::collections::BTreeMap;
use std::io;
use std::path::PathBuf;
use std::time::Duration;

use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::process::Remains;
use crate::run::{AttemptId, ProcessId, RunId, Stream};

/// The version of what is said here, and of what a keeper hands on to the program that takes its place.
pub const PROTOCOL: u32 = 1;
/// No message is larger: a command's arguments and variables have room in it many times.
const LARGEST: usize = 256 << 20;
const HEADER: usize = 8;

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
    /// The end of an attempt is in the ledger.
    Forget { id: AttemptId },
    /// The end of a whole run is.
    ForgetRun { run: RunId },
    /// The scheduler is at work, and what follows from the daemon's start is in the ledger.
    Ready,
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
    /// The first thing that a scheduler hears: whether none was at work before it, and the job file that was in force.
    Welcome {
        protocol: u32,
        pid: i32,
        is_first: bool,
        in_force: Option<String>,
        held: Vec<Held>,
    },
    Started {
        id: AttemptId,
        begun: Begun,
    },
    /// It could not be started; the number is the system's.
    NotStarted {
        id: AttemptId,
        errno: Option<i32>,
        message: String,
    },
    /// A piece of output; its bytes are behind the message.
    Output {
        id: AttemptId,
        offset: u64,
        stream: Stream,
        at: Timestamp,
        expired: Option<(u64, u64)>,
    },
    Exited {
        id: AttemptId,
        at: Timestamp,
        duration: Duration,
    },
    /// Nobody can write into its pipes any more.
    Silent {
        id: AttemptId,
    },
    /// It was reaped, and all of its output was said before.
    Closed {
        id: AttemptId,
        end: End,
    },
}

/// A process that has begun.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Begun {
    pub process: ProcessId,
    pub at: Timestamp,
    /// The same on the clock that nobody sets, since the machine booted.
    pub uptime: Duration,
}

/// A process that is held, whether it still runs or not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Held {
    pub id: AttemptId,
    pub label: String,
    pub begun: Begun,
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

/// Appends a message and its bytes.
pub fn write_frame(message: &impl Serialize, data: &[u8], to: &mut Vec<u8>) -> io::Result<()> {
    let length = |bytes: usize| u32::try_from(bytes).map(u32::to_le_bytes).map_err(io::Error::other);
    let begin = to.len();
    to.extend_from_slice(&[0; HEADER]);
    serde_json::to_writer(&mut *to, message)?;
    let text = length(to.len() - begin - HEADER)?;
    to[begin..begin + 4].copy_from_slice(&text);
    to[begin + 4..begin + HEADER].copy_from_slice(&length(data.len())?);
    to.extend_from_slice(data);
    Ok(())
}

/// Bytes that have come, until they make whole frames.
#[derive(Debug, Default)]
pub struct Frames {
    bytes: Vec<u8>,
    read: usize,
}

impl Frames {
    pub fn push(&mut self, bytes: &[u8]) {
        if self.read > 0 && self.read == self.bytes.len() {
            self.bytes.clear();
            self.read = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next message, if all of it is there, with its bytes.
    pub fn next<T: DeserializeOwned>(&mut self) -> io::Result<Option<(T, Vec<u8>)>> {
        let rest = &self.bytes[self.read..];
        let Some((header, rest)) = rest.split_first_chunk::<HEADER>() else {
            return Ok(None);
        };
        let length =
            |at: usize| u32::from_le_bytes([header[at], header[at + 1], header[at + 2], header[at + 3]]) as usize;
        let (text, data) = (length(0), length(4));
        if text > LARGEST || data > LARGEST {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let Some(frame) = rest.get(..text + data) else {
            return Ok(None);
        };
        let message = serde_json::from_slice(&frame[..text])?;
        let data = frame[text..].to_vec();
        self.read += HEADER + frame.len();
        self.shrink();
        Ok(Some((message, data)))
    }

    /// What was read goes, once it is more than what is left.
    fn shrink(&mut self) {
        if self.read > self.bytes.len() / 2 {
            self.bytes.drain(..self.read);
            self.read = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_arrive_whole_however_they_come() {
        let id = AttemptId::whole(RunId(7), 1);
        let mut bytes = Vec::new();
        for number in 0..50u32 {
            let message = Request::Recorded { id, pieces: number };
            write_frame(&message, &vec![7; number as usize], &mut bytes).unwrap();
        }
        for size in [1, 3, 100, 100_000] {
            let mut frames = Frames::default();
            let mut came = Vec::new();
            for chunk in bytes.chunks(size) {
                frames.push(chunk);
                while let Some((message, data)) = frames.next::<Request>().unwrap() {
                    let Request::Recorded { pieces, .. } = message else { panic!("{message:?}") };
                    came.push((pieces, data.len()));
                }
            }
            assert_eq!(came, (0..50).map(|number| (number, number as usize)).collect::<Vec<_>>());
        }
        let mut frames = Frames::default();
        frames.push(&[0xff; 16]);
        assert!(frames.next::<Request>().is_err(), "what is too large is nonsense");
    }
}

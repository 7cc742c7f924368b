//! What is the shim told, and what does it answer?
//!
//! Its standard input is one end of a socket, the only thing that can be handed over on the way of posix_spawn. A message
//! with two descriptors waits in it before the shim exists: the errand, whole, in a file in memory, and the job's own
//! input. So nobody ever blocks on writing it, whatever its size, and nothing of it stands on a command line or in an
//! environment. The same socket takes the answers back; that it closes after the last of them is the exec.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, IoSlice, IoSliceMut, Read, Seek, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use rustix::fs::{MemfdFlags, memfd_create};
use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};
use serde::{Deserialize, Serialize};

use super::limits::OwnLimits;
use super::trouble::Trouble;
use crate::run::Reason;

/// Who writes an errand and who reads it must be of one version; the program may have been replaced in between.
const VERSION: &str = env!("CARGO_PKG_VERSION");

/// What the shim is to become, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Errand {
    pub version: String,
    pub argv: Vec<String>,
    /// Variables that the user's own take the place of.
    pub inherited: BTreeMap<String, String>,
    /// Variables that win over all others.
    pub own: BTreeMap<String, String>,
    pub cwd: Option<PathBuf>,
    pub user: Option<String>,
    pub group: Option<String>,
    pub umask: Option<u32>,
    pub nice: Option<i32>,
    pub cgroup: Option<PathBuf>,
    pub limits: OwnLimits,
    /// Whether it goes on without limits that cannot be had.
    pub limits_required: bool,
}

/// One line of the shim's answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Report {
    /// A limit that cannot be had, and is not required.
    Lacking(String),
    /// All is set up, and the program is about to take over.
    Ready,
    Trouble {
        reason: String,
        detail: String,
    },
}

impl Report {
    pub fn of(trouble: &Trouble) -> Self {
        Self::Trouble { reason: trouble.reason.word().to_owned(), detail: trouble.detail.clone() }
    }

    pub fn line(&self) -> io::Result<Vec<u8>> {
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }
}

/// What all lines of an answer come to, once the socket is closed: limits that are lacking, or why it did not begin.
pub fn answer(text: &[u8]) -> Result<Vec<String>, Trouble> {
    let (mut lacking, mut ready) = (Vec::new(), false);
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        match serde_json::from_slice(line) {
            Ok(Report::Lacking(what)) => lacking.push(what),
            Ok(Report::Ready) => ready = true,
            Ok(Report::Trouble { reason, detail }) => {
                return Err(Trouble::new(Reason::from_word(&reason).unwrap_or(Reason::Spawn), detail));
            }
            Err(error) => return Err(Trouble::new(Reason::Spawn, format!("what sets it up said nonsense: {error}"))),
        }
    }
    if ready { Ok(lacking) } else { Err(Trouble::new(Reason::Spawn, "what sets it up ended before it was done")) }
}

impl Errand {
    pub fn version() -> String {
        VERSION.to_owned()
    }

    /// Puts the errand into a new socket: the shim's end of it, and the one on which its answer comes.
    pub fn send(&self, input: BorrowedFd) -> io::Result<(OwnedFd, UnixStream)> {
        let text = in_memory("errand", &serde_json::to_vec(self)?)?;
        let (ours, theirs) = UnixStream::pair()?;
        let descriptors = [text.as_fd(), input];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        rights.push(SendAncillaryMessage::ScmRights(&descriptors));
        sendmsg(&ours, &[IoSlice::new(b"E")], &mut rights, SendFlags::empty())?;
        Ok((theirs.into(), ours))
    }

    /// Takes an errand out of a socket, with the input of what it is about.
    pub fn receive(socket: BorrowedFd) -> io::Result<(Self, OwnedFd)> {
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(2))];
        let mut rights = RecvAncillaryBuffer::new(&mut space);
        let mut byte = [0; 1];
        // Nothing is waited for: what is not there before the shim begins does not come.
        let flags = RecvFlags::CMSG_CLOEXEC | RecvFlags::DONTWAIT;
        recvmsg(socket, &mut [IoSliceMut::new(&mut byte)], &mut rights, flags)?;
        let mut descriptors = rights.drain().flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(rights) => rights.collect::<Vec<_>>(),
            _ => Vec::new(),
        });
        let (text, input) = descriptors.next().zip(descriptors.next()).ok_or(io::ErrorKind::InvalidData)?;
        let mut bytes = Vec::new();
        File::from(text).read_to_end(&mut bytes)?;
        Ok((serde_json::from_slice(&bytes)?, input))
    }

    /// Whether writer and reader are of one version.
    pub fn is_of_this_version(&self) -> bool {
        self.version == VERSION
    }
}

/// A text as a file in memory, to be read from its beginning: it needs nobody to write it and never blocks.
pub fn in_memory(name: &str, text: &[u8]) -> io::Result<OwnedFd> {
    let mut file = File::from(memfd_create(name, MemfdFlags::CLOEXEC)?);
    file.write_all(text)?;
    file.rewind()?;
    Ok(file.into())
}

/// Standard input of a process: a text, or nothing.
pub fn input(text: &str) -> io::Result<OwnedFd> {
    if text.is_empty() {
        return File::open("/dev/null").map(OwnedFd::from);
    }
    in_memory("stdin", text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_errand_arrives_whole_whatever_its_size() {
        let errand = Errand {
            version: Errand::version(),
            argv: vec!["true".to_owned()],
            inherited: BTreeMap::new(),
            own: [("LARGE".to_owned(), "x".repeat(4 << 20))].into(),
            cwd: Some("/".into()),
            user: None,
            group: None,
            umask: Some(0o27),
            nice: Some(-5),
            cgroup: None,
            limits: OwnLimits::default(),
            limits_required: true,
        };
        let (theirs, _ours) = errand.send(input("the job's own").unwrap().as_fd()).unwrap();
        let (received, input) = Errand::receive(theirs.as_fd()).unwrap();
        assert!(received == errand);
        let mut text = String::new();
        File::from(input).read_to_string(&mut text).unwrap();
        assert_eq!(text, "the job's own");
        assert!(Errand::receive(theirs.as_fd()).is_err(), "there is one errand and no waiting for another");
    }

    #[test]
    fn an_answer_is_right_only_when_it_ends_in_ready() {
        let text = |reports: &[Report]| reports.iter().flat_map(|report| report.line().unwrap()).collect::<Vec<u8>>();
        let lacking = Report::Lacking("cpu".to_owned());
        assert_eq!(answer(&text(&[lacking.clone(), Report::Ready])), Ok(vec!["cpu".to_owned()]));
        let trouble = Trouble::new(Reason::NoUser, "there is no user `x`");
        assert_eq!(answer(&text(&[Report::Ready, Report::of(&trouble)])), Err(trouble));
        for text in [Vec::new(), text(&[lacking]), b"nonsense\n".to_vec()] {
            assert_eq!(answer(&text).unwrap_err().reason, Reason::Spawn);
        }
    }
}

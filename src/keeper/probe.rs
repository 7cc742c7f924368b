//! Does the program that is to take this one's place keep in the same way? It is asked, and has so long to answer.

use std::io;
use std::os::fd::OwnedFd;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use super::process::{Process, command};
use super::protocol::PROTOCOL;

/// The hidden word by which a program is asked for its protocol before it takes another one's place.
pub const PROTOCOL_QUESTION: &str = "keeper-protocol";
/// For how long the answer is waited for.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// A question that was asked; whoever is asked is ended with it.
#[derive(Debug)]
pub struct Probe {
    _process: Process,
    /// Readable when there is an answer.
    pub answer: OwnedFd,
}

impl Probe {
    pub fn ask(program: &Path) -> io::Result<Self> {
        let mut command = command(program);
        command.arg(PROTOCOL_QUESTION).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let (process, child) = Process::start(&mut command)?;
        let answer = OwnedFd::from(child.stdout.ok_or(io::ErrorKind::BrokenPipe)?);
        rustix::io::ioctl_fionbio(&answer, true)?;
        Ok(Self { _process: process, answer })
    }

    /// What was answered by now; why the program cannot take over, if it cannot.
    pub fn conclude(self) -> Result<(), String> {
        let mut bytes = [0; 64];
        let length = rustix::io::read(&self.answer, &mut bytes).unwrap_or(0);
        match String::from_utf8_lossy(&bytes[..length]).trim().parse() {
            Ok(PROTOCOL) => Ok(()),
            Ok(other) => {
                Err(format!("the new one keeps in another way ({other}, not {PROTOCOL}); restart the service"))
            }
            Err(_) => Err(format!("the new one does not answer within {ANSWER_WITHIN:?}")),
        }
    }
}

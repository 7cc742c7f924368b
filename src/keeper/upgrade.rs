//! How does another version of the program take the keeper's place without losing what it keeps? It is asked whether it keeps
//! in the same way. Then it takes over by exec, which leaves the process, its children and its open descriptors as they are;
//! the rest waits in a file in memory.

use std::convert::Infallible;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::{self, Seek, Write};
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::fs::{MemfdFlags, memfd_create};
use serde::{Deserialize, Serialize};

use super::descriptor;
use super::process::{Process, command};
use super::protocol::PROTOCOL;
use super::ward::Ward;

/// This program, whatever has become of its file.
pub const OWN: &str = "/proc/self/exe";
/// The variable in which the next program finds the number of the file.
pub const INHERITANCE: &str = "PUNCTUAL_KEEPER_INHERITANCE";

/// The hidden word by which a program is asked for its protocol before it takes another one's place.
pub const PROTOCOL_QUESTION: &str = "keeper-protocol";
/// For how long the answer is waited for.
pub const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// What is handed on.
#[derive(Debug, Serialize, Deserialize)]
pub struct Inheritance {
    pub wards: Vec<Ward>,
    /// The job file that is in force, as the scheduler has told it.
    pub in_force: Option<String>,
}

/// Where this program's file is, or was before another one took its place.
pub fn own_program() -> io::Result<PathBuf> {
    // proc(5) says so of a file that is gone.
    const GONE: &[u8] = b" (deleted)";
    let path = fs::read_link(OWN)?;
    let bytes = path.as_os_str().as_bytes();
    Ok(PathBuf::from(OsStr::from_bytes(bytes.strip_suffix(GONE).unwrap_or(bytes))))
}

/// Whether another file is now where this program's was. One that is gone altogether is not replaced yet.
pub fn was_replaced(program: &Path) -> bool {
    let identity = |path: &Path| fs::metadata(path).map(|file| (file.dev(), file.ino()));
    matches!((identity(program), identity(Path::new(OWN))), (Ok(now), Ok(own)) if now != own)
}

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

/// A program that is started with this one's arguments.
pub fn itself(program: &Path, arguments: &[OsString]) -> Command {
    let mut command = command(program);
    command.arg0(arguments.first().map_or(OsStr::new("punctual"), OsString::as_os_str)).args(arguments.iter().skip(1));
    command
}

/// What this program inherits from the one whose place it takes; none where it was started afresh.
pub fn inherit() -> io::Result<Option<Inheritance>> {
    let Some(number) = std::env::var(INHERITANCE).ok().and_then(|text| text.parse().ok()) else {
        return Ok(None);
    };
    let text = io::read_to_string(File::from(descriptor::inherited(number)))?;
    Ok(Some(serde_json::from_str(&text)?))
}

/// Has the program take this one's place; where it cannot, this one takes it itself. Comes back only if neither can.
pub fn hand_over(program: &Path, arguments: &[OsString], inheritance: &Inheritance) -> io::Result<Infallible> {
    let mut file = File::from(memfd_create("inheritance", MemfdFlags::empty())?);
    file.write_all(&serde_json::to_vec(inheritance)?)?;
    file.rewind()?;
    inheritance.wards.iter().for_each(Ward::leave_open);
    let take_place = |program| itself(program, arguments).env(INHERITANCE, file.as_raw_fd().to_string()).exec();
    let error = take_place(program);
    let _ = writeln!(io::stderr(), "punctual: the new program cannot take over: {error}; this one stays");
    Err(take_place(Path::new(OWN)))
}

//! Does the program that is to take this one's place keep in the same way? It is asked, and has so long to answer.

use std::io::{self, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use rustix::process::Pid;

use super::protocol::PROTOCOL;
use crate::clock::uptime;
use crate::family::born;

/// The hidden word by which a program is asked for its protocol before it takes another one's place.
pub const PROTOCOL_QUESTION: &str = "keeper-protocol";
/// For how long the answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_secs(10);

/// Whether the program speaks this one's protocol; why not, if it does not.
pub fn ask(program: &Path) -> Result<(), String> {
    #[expect(clippy::disallowed_methods, reason = "a question to another version, no job")]
    let mut command = Command::new(program);
    command.arg(PROTOCOL_QUESTION).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
    let broken = |error: io::Error| format!("{} cannot be asked: {error}", program.display());
    let (_kin, mut child) = born(|| {
        let child = command.spawn()?;
        Ok((Pid::from_child(&child).as_raw_nonzero().get(), child))
    })
    .map_err(broken)?;
    let answer = listen(&mut child);
    let _ = child.kill();
    let _ = child.wait();
    match answer.map_err(broken)?.trim().parse::<u32>() {
        Ok(PROTOCOL) => Ok(()),
        Ok(other) => Err(format!("the new one keeps in another way ({other}, not {PROTOCOL}); restart the service")),
        Err(_) => Err(format!("the new one does not answer within {ANSWER_WITHIN:?}")),
    }
}

/// What it says in time.
fn listen(child: &mut Child) -> io::Result<String> {
    let Some(mut output) = child.stdout.take() else {
        return Ok(String::new());
    };
    let until = uptime() + ANSWER_WITHIN;
    let mut text = String::new();
    loop {
        let left = until.saturating_sub(uptime());
        let timeout = rustix::event::Timespec::try_from(left).ok();
        let mut poll = [rustix::event::PollFd::new(&output, rustix::event::PollFlags::IN)];
        if left.is_zero() || rustix::event::poll(&mut poll, timeout.as_ref())? == 0 {
            return Ok(String::new());
        }
        let mut bytes = [0; 64];
        match output.read(&mut bytes)? {
            0 => return Ok(text),
            length => text.push_str(&String::from_utf8_lossy(&bytes[..length])),
        }
    }
}

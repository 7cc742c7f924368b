//! How does a program of this machine take a message? As sendmail does: the message on its input, the recipients as words.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::timeout_at;

use super::letter::Composed;
use super::{Deadline, SendError, Stage};
use crate::family::born;

/// `EX_TEMPFAIL` of sysexits.h: try again later.
const FOR_NOW: i32 = 75;
/// What it says of its trouble: some lines.
const LONGEST_COMPLAINT: u64 = 2000;
/// What it gets of the daemon's own variables, as a job does.
const HANDED_DOWN: [&str; 6] = ["PATH", "LANG", "TZ", "HOME", "USER", "LOGNAME"];

pub async fn hand_over(
    path: &Path,
    environment: &BTreeMap<String, String>,
    composed: &Composed,
    deadline: Deadline,
) -> Result<String, SendError> {
    let trouble = |why: String, is_temporary| SendError::Program { path: path.to_owned(), why, is_temporary };
    let sender = composed.envelope.from().map(ToString::to_string).unwrap_or_default();
    let mut command = Command::new(path);
    command
        // A line with a dot alone does not end the message.
        .args(["-i", "-f", &sender, "--"])
        .args(composed.envelope.to().iter().map(ToString::to_string))
        .env_clear()
        .envs(HANDED_DOWN.iter().filter_map(|name| Some((name, environment.get(*name)?))))
        .current_dir("/")
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        // Whoever gives the message up does not leave it behind.
        .kill_on_drop(true);
    let started = born(|| {
        let child = command.spawn()?;
        Ok((child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0), child))
    });
    // Until the end of this function nobody else reaps it.
    let (_kin, mut child) = started.map_err(|error| trouble(format!("cannot be started: {error}"), false))?;
    let ended = timeout_at(deadline.until, converse(&mut child, &composed.bytes)).await;
    let server = path.display().to_string();
    let (status, complaint) = ended
        .map_err(|_| deadline.passed(server, Stage::HandingOver))?
        .map_err(|error| trouble(format!("cannot be waited for: {error}"), true))?;
    if status.success() {
        return Ok(format!("taken by {}", path.display()));
    }
    let why = match complaint.trim() {
        "" => format!("did not take it: {status}"),
        complaint => format!("did not take it: {status}: {complaint}"),
    };
    Err(trouble(why, status.code() == Some(FOR_NOW)))
}

/// Gives it the message, and hears what it has to say. That it reads nothing is its own affair: its status tells.
async fn converse(child: &mut Child, bytes: &[u8]) -> std::io::Result<(ExitStatus, String)> {
    let (input, errors) = (child.stdin.take(), child.stderr.take());
    let give = async {
        if let Some(mut input) = input {
            let _ = input.write_all(bytes).await;
            let _ = input.shutdown().await;
        }
    };
    let hear = async {
        let mut complaint = Vec::new();
        if let Some(mut errors) = errors {
            let _ = (&mut errors).take(LONGEST_COMPLAINT).read_to_end(&mut complaint).await;
            let _ = tokio::io::copy(&mut errors, &mut tokio::io::sink()).await;
        }
        complaint
    };
    let ((), complaint, status) = tokio::join!(give, hear, child.wait());
    Ok((status?, String::from_utf8_lossy(&complaint).into_owned()))
}

//! How does a program of this machine get a message? As JSON on its input and in variables; its exit status says what came of
//! it.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::future::pending;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use rustix::fs::{Access, access};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::{timeout, timeout_at};

use super::super::{Accepted, Means, Outgoing, Refusal};
use super::said::in_a_line;
use super::{aside, later};
use crate::clock::instant;
use crate::family::{Kin, born};
use crate::mail::Conversation;
use crate::notice::Kind;
use crate::report::NoticeReport;
use crate::run::signal_name;

/// `EX_TEMPFAIL` of sysexits.h: try again later.
const FOR_NOW: i32 = 75;
/// Bytes at the end of what it says of its trouble that are kept.
const LONGEST_COMPLAINT: usize = 4 << 10;
/// What it has left running may hold its standard error open; what it said itself is there by then.
const TO_SPEAK: Duration = Duration::from_millis(500);
/// For what was killed, and cannot be long.
const TO_DIE: Duration = Duration::from_secs(5);
/// Bytes of a variable; the kernel takes 128 KiB.
const LONGEST_VARIABLE: usize = 32 << 10;
/// What it gets of the daemon's own variables, as a job does.
const HANDED_DOWN: [&str; 7] = ["PATH", "LANG", "TZ", "HOME", "USER", "LOGNAME", "SHELL"];
const DEFAULT_PATH: &str = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

pub async fn carry(
    argv: &[String],
    outgoing: &Outgoing,
    means: &Means,
    patience: Duration,
    conversation: Conversation<'_>,
) -> Result<Accepted, Refusal> {
    let first = argv.first().map(String::as_str).unwrap_or_default();
    conversation.ours(format_args!("{argv:?}"));
    let input = serde_json::to_vec(&outgoing.report)
        .map_err(|error| Refusal::Never { why: format!("the message cannot be written as JSON: {error}") })?;
    let variables = variables(outgoing, &means.environment);
    let until = instant() + patience;
    let mut running = begin(argv.to_vec(), variables, means.folder.clone()).await?;
    let ended = timeout_at(until, running.converse(&input)).await;
    if ended.is_err() {
        running.kill().await;
    }
    running.hear_the_rest().await;
    let complaint = running.complaint();
    complaint.lines().for_each(|line| conversation.theirs(line));
    let status = match ended {
        Ok(Ok(status)) => status,
        Ok(Err(error)) => return Err(later(format!("{first} cannot be waited for: {error}"))),
        Err(_) => {
            let why = format!("{first} did not end within {} s and was killed", patience.as_secs_f64());
            conversation.aside(&why);
            return Err(later(with_complaint(&why, &complaint)));
        }
    };
    let how = how_it_ended(status);
    conversation.aside(&how);
    match status.code() {
        Some(0) => Ok(Accepted { answer: with_complaint(&format!("taken by {first}"), &complaint) }),
        Some(FOR_NOW) => Err(later(with_complaint(&format!("{first} asks to be tried again ({how})"), &complaint))),
        Some(_) | None => Err(later(with_complaint(&format!("{first} did not take it: {how}"), &complaint))),
    }
}

fn how_it_ended(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("killed by {}", signal_name(signal)),
        (None, None) => status.to_string(),
    }
}

/// The last line that says something.
fn with_complaint(what: &str, complaint: &str) -> String {
    let last = complaint.lines().map(in_a_line).rfind(|line| !line.is_empty());
    last.map_or_else(|| what.to_owned(), |line| format!("{what}: {line}"))
}

/// Its path: one with a slash is taken from the folder, and another is looked for.
fn find(name: &str, folder: &Path, path: &str) -> Result<PathBuf, Refusal> {
    if name.contains('/') {
        return Ok(folder.join(name));
    }
    let candidates =
        path.split(':').filter(|folder| folder.starts_with('/')).map(|folder| Path::new(folder).join(name));
    let is_program = |path: &PathBuf| path.is_file() && access(path, Access::EXEC_OK).is_ok();
    let mut programs = candidates.filter(is_program);
    programs.next().ok_or_else(|| later(format!("there is no program {name} in {path}")))
}

/// A command under way. Whoever loses it does not leave it behind, nor what it has started.
struct Running {
    child: Child,
    group: Option<Pid>,
    stderr: Option<ChildStderr>,
    complaint: Vec<u8>,
    /// Until it is gone nobody else reaps it.
    _kin: Kin,
}

/// A command that is being started. Whoever gives up meanwhile waits until it has begun, so that it can be ended: a start
/// that outlives the runtime fails with the process there.
struct Starting(Receiver<Result<Running, Refusal>>);

impl Drop for Starting {
    fn drop(&mut self) {
        drop(self.0.recv());
    }
}

async fn begin(argv: Vec<String>, variables: BTreeMap<String, String>, folder: PathBuf) -> Result<Running, Refusal> {
    let (started, started_out) = sync_channel(1);
    let starting = Starting(started_out);
    let start = move || {
        // It is taken below, or by the end of whoever gave up.
        let _ = started.send(start(&argv, variables, &folder));
        Ok(())
    };
    aside(start).await?;
    starting.0.recv().map_err(|_| later("it could not be started"))?
}

/// Starts it, within a runtime; it blocks until the program has taken over, a millisecond or so.
fn start(argv: &[String], variables: BTreeMap<String, String>, folder: &Path) -> Result<Running, Refusal> {
    let Some((name, arguments)) = argv.split_first() else {
        return Err(later("the command is empty"));
    };
    let program = find(name, folder, variables.get("PATH").map_or(DEFAULT_PATH, String::as_str))?;
    let mut command = Command::new(program);
    // The path is absolute, and nothing here makes the standard library leave the path of posix_spawn for fork.
    command
        .arg0(name)
        .args(arguments)
        .env_clear()
        .envs(variables)
        .current_dir(folder)
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let started = born(|| {
        let child = command.spawn()?;
        Ok((child.id().and_then(|pid| i32::try_from(pid).ok()).unwrap_or(0), child))
    });
    let (kin, mut child) = started.map_err(|error| later(format!("{name} cannot be started: {error}")))?;
    let group = child.id().and_then(|pid| i32::try_from(pid).ok()).and_then(Pid::from_raw);
    let stderr = child.stderr.take();
    Ok(Running { child, group, stderr, complaint: Vec::new(), _kin: kin })
}

impl Running {
    /// Gives it the message and waits for its end. That it reads nothing is its own affair: its status tells.
    async fn converse(&mut self, input: &[u8]) -> std::io::Result<ExitStatus> {
        let stdin = self.child.stdin.take();
        let give = async {
            if let Some(mut stdin) = stdin {
                let _ = stdin.write_all(input).await;
                let _ = stdin.shutdown().await;
            }
        };
        let talk = async {
            tokio::join!(give, hear(self.stderr.as_mut(), &mut self.complaint));
            pending::<Infallible>().await
        };
        let status = tokio::select! {
            status = self.child.wait() => status?,
            never = talk => match never {},
        };
        self.group = None;
        Ok(status)
    }

    /// What it said before it ended.
    async fn hear_the_rest(&mut self) {
        let _ = timeout(TO_SPEAK, hear(self.stderr.as_mut(), &mut self.complaint)).await;
    }

    fn complaint(&self) -> String {
        String::from_utf8_lossy(&self.complaint).into_owned()
    }

    async fn kill(&mut self) {
        self.end_group();
        let _ = timeout(TO_DIE, self.child.wait()).await;
    }

    fn end_group(&mut self) {
        if let Some(group) = self.group.take() {
            // The group is ours for as long as its leader was not reaped. The one error that can come is that nobody is left.
            let _ = kill_process_group(group, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.end_group();
    }
}

/// Hears what is said until nobody can say more; of much, the end is kept.
async fn hear(stderr: Option<&mut ChildStderr>, complaint: &mut Vec<u8>) {
    let Some(stderr) = stderr else { return };
    let mut piece = [0; LONGEST_COMPLAINT];
    while let Ok(length @ 1..) = stderr.read(&mut piece).await {
        complaint.extend_from_slice(&piece[..length]);
        let too_much = complaint.len().saturating_sub(LONGEST_COMPLAINT);
        complaint.drain(..too_much);
    }
}

/// What a command sees besides the message itself. What several notices do not have in common is empty.
fn variables(outgoing: &Outgoing, daemon: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    let report = &outgoing.report;
    let common = |of: &dyn Fn(&NoticeReport) -> Option<String>| {
        let mut values = report.notices.iter().map(of);
        let first = values.next().flatten().unwrap_or_default();
        if values.all(|value| value.as_ref() == Some(&first)) { first } else { String::new() }
    };
    let of_run = |notice: &NoticeReport| notice.run.as_ref().map(|run| run.run.to_string());
    let outcome = |notice: &NoticeReport| Some(notice.run.as_ref()?.outcome?.word().to_owned());
    let reason = |notice: &NoticeReport| Some(notice.run.as_ref()?.reason?.word().to_owned());
    let own = [
        ("PUNCTUAL_NOTICE_ID", report.id.clone()),
        ("PUNCTUAL_NOTICES", report.notices.len().to_string()),
        ("PUNCTUAL_HOST", report.host.clone()),
        ("PUNCTUAL_CHANNEL", report.channel.to_string()),
        ("PUNCTUAL_SUBJECT", outgoing.written.subject.clone()),
        ("PUNCTUAL_TEXT", outgoing.written.text.clone()),
        ("PUNCTUAL_KIND", common(&|notice| Some(Kind::word(notice.kind).to_owned()))),
        ("PUNCTUAL_JOB", common(&|notice| notice.job.clone())),
        ("PUNCTUAL_RUN", common(&of_run)),
        ("PUNCTUAL_OUTCOME", common(&outcome)),
        ("PUNCTUAL_REASON", common(&reason)),
        ("PUNCTUAL_WHY", common(&|notice| Some(notice.why.clone()))),
    ];
    let handed_down = HANDED_DOWN.iter().filter_map(|name| Some(((*name).to_owned(), daemon.get(*name)?.clone())));
    let mut variables: BTreeMap<String, String> = handed_down.collect();
    variables.entry("PATH".to_owned()).or_insert_with(|| DEFAULT_PATH.to_owned());
    variables.extend(own.into_iter().map(|(name, value)| (name.to_owned(), fit(&value))));
    variables
}

/// A value that a variable can have.
fn fit(value: &str) -> String {
    value[..value.floor_char_boundary(LONGEST_VARIABLE)].replace('\0', " ")
}

//! Has the shim set everything up? Its answer is waited for within bounds, and a stop need not wait for it.

use std::io;
use std::time::Duration;

use rustix::process::Signal;
use tokio::io::AsyncReadExt;
use tokio::net::UnixStream;
use tokio::sync::watch;
use tokio::time::timeout;

use super::door::Stop;
use super::errand::answer;
use super::trouble::Trouble;
use crate::keeper::{Kept, News};
use crate::run::Reason;

/// Setting up takes milliseconds, unless users are looked up on another machine that does not answer.
const SET_UP: Duration = Duration::from_secs(10);
/// For how long a shim that was killed is waited for, so that it can be reaped.
const UNTIL_DEAD: Duration = Duration::from_secs(1);
/// More than any answer has; what goes on and on is none.
const LONGEST: u64 = 64 << 10;

/// Waits until the job's program has taken over; the answer is which limits it does without.
pub async fn set_up(
    reports: std::os::unix::net::UnixStream,
    mut stops: watch::Receiver<Option<Stop>>,
) -> Result<Vec<String>, Trouble> {
    let broken = |error: io::Error| Trouble::new(Reason::Spawn, format!("what sets it up cannot be heard: {error}"));
    reports.set_nonblocking(true).map_err(broken)?;
    let reports = UnixStream::from_std(reports).map_err(broken)?;
    let mut text = Vec::new();
    let mut reading = reports.take(LONGEST);
    tokio::select! {
        biased;
        read = timeout(SET_UP, reading.read_to_end(&mut text)) => match read {
            Ok(read) => read.map_err(broken)?,
            Err(_) => return Err(Trouble::new(Reason::Spawn, format!("it could not be set up within {SET_UP:?}"))),
        },
        // It is ended like any other process, whatever it has become by then.
        Ok(()) = stops.changed() => return Ok(Vec::new()),
    };
    answer(&text)
}

/// Ends a process that is not to go on, and waits until it has; it is reaped when it is dropped.
pub async fn end(kept: &mut Kept) {
    kept.signal_group(Signal::KILL);
    let has_exited = async { while !matches!(kept.next().await, News::Exited { .. }) {} };
    let _ = timeout(UNTIL_DEAD, has_exited).await;
}

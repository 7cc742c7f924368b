//! Which threads start processes? Two of their own, because each start blocks for about a millisecond, which would be
//! the lateness of whatever an async worker has to do meanwhile.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use jiff::Timestamp;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

use super::cgroup::RunGroup;
use super::door::Surroundings;
use super::errand::{Errand, input};
use super::limits::Division;
use super::part::Part;
use super::process::{Ends, Process, spawn};
use super::program::{Prepared, inherited, job_variables};
use super::trouble::{Trouble, exec_trouble};
use crate::clock::{Clock, instant};
use crate::job::Standing;
use crate::run::Reason;

/// One thread tops out at 1,500 starts a second, two at about 2,000; more do not help, because the kernel serialises.
const THREADS: usize = 2;
/// Starts that wait for a thread.
const REQUESTS: usize = 4096;

/// A process that has begun, and when.
#[derive(Debug)]
pub struct Begun {
    pub process: Process,
    pub ends: Ends,
    pub at: Timestamp,
    pub since: Instant,
    pub group: Option<RunGroup>,
    /// Where the shim says whether the program has taken over; `None` where it has already.
    pub reports: Option<UnixStream>,
    /// Limits that the run does without.
    pub lacking: Vec<String>,
}

type Request = (Part, Vec<String>, oneshot::Sender<Result<Begun, Trouble>>);

#[derive(Debug)]
pub struct Spawner {
    requests: Option<mpsc::Sender<Request>>,
    threads: Vec<JoinHandle<()>>,
}

impl Spawner {
    pub fn new(clock: &Clock, surroundings: &Arc<Surroundings>) -> io::Result<Self> {
        let (requests, requests_out) = mpsc::channel::<Request>(REQUESTS);
        let requests_out = Arc::new(Mutex::new(requests_out));
        let threads = (0..THREADS)
            .map(|number| {
                let (requests, clock, surroundings) = (requests_out.clone(), clock.clone(), surroundings.clone());
                std::thread::Builder::new()
                    .name(format!("spawn-{number}"))
                    .spawn(move || serve(&requests, &clock, &surroundings))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { requests: Some(requests), threads })
    }

    /// Starts a process, or says why it cannot begin.
    pub async fn spawn(&self, part: Part, argv: Vec<String>) -> Result<Begun, Trouble> {
        let gone = || Trouble::new(Reason::Spawn, "the daemon is ending");
        let (answer, answer_out) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        requests.send((part, argv, answer)).await.map_err(|_| gone())?;
        answer_out.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Spawner {
    fn drop(&mut self) {
        drop(self.requests.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(requests: &Mutex<mpsc::Receiver<Request>>, clock: &Clock, surroundings: &Surroundings) {
    loop {
        let request = requests.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some((part, argv, answer)) = request else {
            return;
        };
        // If nobody waits for it any more, it is ended as it is dropped.
        let _ = answer.send(begin(&part, argv, clock, surroundings));
    }
}

fn begin(part: &Part, argv: Vec<String>, clock: &Clock, surroundings: &Surroundings) -> Result<Begun, Trouble> {
    let input = input(&part.work.stdin).map_err(|error| Trouble::refused("its input cannot be made", error))?;
    if part.work.standing.is_the_daemons() {
        return start(&Prepared::of(part, argv, surroundings)?, input, clock);
    }
    begin_by_shim(part, argv, clock, surroundings, &input)
}

fn start(prepared: &Prepared, input: OwnedFd, clock: &Clock) -> Result<Begun, Trouble> {
    // The process exists from the beginning of the call on; the rest of the call is the program taking over.
    let (at, since) = (clock.now(), instant());
    let (process, ends) = spawn(prepared, input).map_err(|error| exec_trouble(&error, &prepared.program))?;
    Ok(Begun { process, ends, at, since, group: None, reports: None, lacking: Vec::new() })
}

/// Starts the shim with all that it has to know; what comes of it, it says itself.
fn begin_by_shim(
    part: &Part,
    argv: Vec<String>,
    clock: &Clock,
    surroundings: &Surroundings,
    input: &OwnedFd,
) -> Result<Begun, Trouble> {
    let standing = &part.work.standing;
    let (group, division) = bound(part, standing, surroundings)?;
    let errand = errand(part, argv, standing, surroundings, group.as_ref(), &division)?;
    let sent = errand.send(input.as_fd());
    let (theirs, reports) = sent.map_err(|error| Trouble::refused("it cannot be said what to start", error))?;
    let begun = start(&Prepared::shim(part, surroundings), theirs, clock)?;
    Ok(Begun { group, reports: Some(reports), lacking: division.lacking, ..begun })
}

/// Decides how the run's limits are held, and makes its cgroup if it needs one.
fn bound(
    part: &Part,
    standing: &Standing,
    surroundings: &Surroundings,
) -> Result<(Option<RunGroup>, Division), Trouble> {
    let (limits, cgroups) = (&standing.limits, &surroundings.cgroups);
    let trouble = |detail: String| Trouble::new(Reason::Limit, detail).about("limits");
    let mut division = Division::of(limits, &cgroups.controllers, standing.counts_user());
    let made = match division.cgroup.as_slice() {
        [] => None,
        files => Some(cgroups.make(part.id, files)),
    };
    let group = match made {
        Some(Err(error)) => {
            let why_not = format!("the run's cgroup cannot be made: {error}");
            if limits.required {
                return Err(trouble(why_not));
            }
            division = Division::without_cgroup(limits, why_not, standing.counts_user());
            None
        }
        Some(Ok(group)) => Some(group),
        None => None,
    };
    if limits.required && !division.lacking.is_empty() {
        return Err(trouble(division.lacking.join("; ")));
    }
    Ok((group, division))
}

fn errand(
    part: &Part,
    argv: Vec<String>,
    standing: &Standing,
    surroundings: &Surroundings,
    group: Option<&RunGroup>,
    division: &Division,
) -> Result<Errand, Trouble> {
    Ok(Errand {
        version: Errand::version(),
        argv,
        inherited: inherited(&surroundings.environment),
        own: job_variables(part, surroundings)?,
        cwd: part.work.cwd.clone(),
        user: standing.user.clone(),
        group: standing.group.clone(),
        umask: standing.umask,
        nice: standing.nice,
        cgroup: group.map(|group| group.folder().to_owned()),
        limits: division.own,
        limits_required: standing.limits.required,
    })
}

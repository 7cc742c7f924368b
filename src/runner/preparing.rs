//! Which threads look up what a command needs? Two of their own: programs, folders and files of variables may be on a disk
//! that is slow, or on another machine that is gone, and no other run is to wait for that.

use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, oneshot};

use super::cgroup::RunGroup;
use super::door::Surroundings;
use super::errand::{Errand, input};
use super::limits::Division;
use super::part::Part;
use super::program::{Prepared, inherited, job_variables};
use super::trouble::Trouble;
use crate::job::Standing;
use crate::keeper::{Program, Start};
use crate::run::Reason;

/// One that waits for a disk must not hold up those whose files are at hand.
const THREADS: usize = 2;
/// Commands that wait for a thread.
const REQUESTS: usize = 4096;

/// All that a command begins with.
#[derive(Debug)]
pub struct Ready {
    pub start: Start,
    pub input: OwnedFd,
    pub group: Option<RunGroup>,
    /// Where the shim says whether the program has taken over; `None` where there is no shim.
    pub reports: Option<UnixStream>,
    /// Limits that the run does without.
    pub lacking: Vec<String>,
}

impl Ready {
    /// What is started, as people know it.
    pub fn program(&self) -> PathBuf {
        match &self.start.program {
            Program::At(program) => program.clone(),
            Program::Own => PathBuf::from("punctual"),
        }
    }
}

type Request = (Part, Vec<String>, oneshot::Sender<Result<Ready, Trouble>>);

#[derive(Debug)]
pub struct Preparing {
    requests: Option<mpsc::Sender<Request>>,
    threads: Vec<JoinHandle<()>>,
}

impl Preparing {
    pub fn new(surroundings: &Arc<Surroundings>) -> io::Result<Self> {
        let (requests, requests_out) = mpsc::channel::<Request>(REQUESTS);
        let requests_out = Arc::new(Mutex::new(requests_out));
        let threads = (0..THREADS)
            .map(|number| {
                let (requests, surroundings) = (requests_out.clone(), surroundings.clone());
                std::thread::Builder::new()
                    .name(format!("prepare-{number}"))
                    .spawn(move || serve(&requests, &surroundings))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { requests: Some(requests), threads })
    }

    /// Looks everything up, or says why the command cannot begin.
    pub async fn prepare(&self, part: Part, argv: Vec<String>) -> Result<Ready, Trouble> {
        let gone = || Trouble::new(Reason::Spawn, "the daemon is ending");
        let (answer, answer_out) = oneshot::channel();
        let requests = self.requests.as_ref().ok_or_else(gone)?;
        requests.send((part, argv, answer)).await.map_err(|_| gone())?;
        answer_out.await.unwrap_or_else(|_| Err(gone()))
    }
}

impl Drop for Preparing {
    fn drop(&mut self) {
        drop(self.requests.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(requests: &Mutex<mpsc::Receiver<Request>>, surroundings: &Surroundings) {
    loop {
        let request = requests.lock().unwrap_or_else(PoisonError::into_inner).blocking_recv();
        let Some((part, argv, answer)) = request else {
            return;
        };
        let _ = answer.send(prepare(&part, argv, surroundings));
    }
}

fn prepare(part: &Part, argv: Vec<String>, surroundings: &Surroundings) -> Result<Ready, Trouble> {
    let input = input(&part.work.stdin).map_err(|error| Trouble::refused("its input cannot be made", error))?;
    if part.work.standing.is_the_daemons() {
        let start = start(part, Prepared::of(part, argv, surroundings)?);
        return Ok(Ready { start, input, group: None, reports: None, lacking: Vec::new() });
    }
    by_shim(part, argv, surroundings, &input)
}

fn start(part: &Part, prepared: Prepared) -> Start {
    let Prepared { program, argv, environment, cwd } = prepared;
    let label = part.step.as_ref().map(ToString::to_string).unwrap_or_default();
    let pattern = part.work.fail_on_output.as_ref().map(|pattern| pattern.text().to_owned());
    Start { id: part.id, label, program, argv, environment, cwd, output_limit: part.work.output_limit, pattern }
}

/// Has the shim start with all that it has to know; what comes of it, it says itself.
fn by_shim(part: &Part, argv: Vec<String>, surroundings: &Surroundings, input: &OwnedFd) -> Result<Ready, Trouble> {
    let standing = &part.work.standing;
    let (group, division) = bound(part, standing, surroundings)?;
    let errand = errand(part, argv, standing, surroundings, group.as_ref(), &division)?;
    let sent = errand.send(input.as_fd());
    let (theirs, reports) = sent.map_err(|error| Trouble::refused("it cannot be said what to start", error))?;
    let start = start(part, Prepared::shim(part, surroundings));
    Ok(Ready { start, input: theirs, group, reports: Some(reports), lacking: division.lacking })
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

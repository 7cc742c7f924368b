//! Which threads start processes? Two of their own, because each start blocks for about a millisecond, for which the keeper
//! would hear and read nothing.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, eventfd};
use rustix::io::Errno;

use super::capture::Capture;
use super::process::{Process, command};
use super::protocol::{Begun, Program, Start};
use super::ward::Ward;
use crate::clock::{Clock, uptime};
use crate::job::OutputPattern;
use crate::run::AttemptId;

/// One thread tops out at 1,500 starts a second, two at about 2,000; more do not help, because the kernel serialises.
const THREADS: usize = 2;

/// What is to be started, with its standard input, if there was a descriptor free for that.
type Order = (Box<Start>, Option<OwnedFd>);
/// What came of it.
type Started = (AttemptId, io::Result<Ward>);

#[derive(Debug)]
pub struct Starters {
    threads: Vec<JoinHandle<()>>,
    desk: Arc<Desk>,
    /// Starts of which nothing has come yet.
    pub under_way: usize,
}

/// Where the threads find what is to be done, and put what they have done. It never makes them wait.
#[derive(Debug)]
struct Desk {
    board: Mutex<Board>,
    /// Wakes one thread for each order.
    ordered: Condvar,
    /// Readable when something has started.
    bell: OwnedFd,
    clock: Clock,
    own: PathBuf,
}

#[derive(Debug, Default)]
struct Board {
    /// As many as the scheduler has asked for, which bounds how much goes on at a time.
    orders: VecDeque<Order>,
    started: Vec<Started>,
    is_closed: bool,
}

impl Starters {
    /// `own` is the program that a start by [`Program::Own`] means.
    pub fn new(clock: Clock, own: PathBuf) -> io::Result<Self> {
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let desk = Arc::new(Desk { board: Mutex::default(), ordered: Condvar::new(), bell, clock, own });
        let threads = (0..THREADS).map(|number| {
            let desk = desk.clone();
            std::thread::Builder::new().name(format!("start-{number}")).spawn(move || desk.serve())
        });
        Ok(Self { threads: threads.collect::<io::Result<_>>()?, desk, under_way: 0 })
    }

    pub fn start(&mut self, start: Box<Start>, input: Option<OwnedFd>) {
        self.under_way += 1;
        self.desk.board().orders.push_back((start, input));
        self.desk.ordered.notify_one();
    }

    /// Readable when there is something to take.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.desk.bell.as_fd()
    }

    pub fn take(&mut self) -> Vec<Started> {
        let _ = rustix::io::read(&self.desk.bell, &mut [0; 8]);
        let started = std::mem::take(&mut self.desk.board().started);
        self.under_way -= started.len();
        started
    }
}

impl Drop for Starters {
    fn drop(&mut self) {
        self.desk.board().is_closed = true;
        self.desk.ordered.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Desk {
    fn board(&self) -> MutexGuard<'_, Board> {
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn serve(&self) {
        loop {
            let is_idle = |board: &mut Board| board.orders.is_empty() && !board.is_closed;
            let waited = self.ordered.wait_while(self.board(), is_idle);
            let next = waited.unwrap_or_else(PoisonError::into_inner).orders.pop_front();
            let Some((start, input)) = next else {
                return;
            };
            let started = (start.id, begin(*start, input, &self.clock, &self.own));
            self.board().started.push(started);
            let _ = rustix::io::write(&self.bell, &1u64.to_ne_bytes());
        }
    }
}

fn begin(start: Start, input: Option<OwnedFd>, clock: &Clock, own: &Path) -> io::Result<Ward> {
    let Start { id, label, program, argv, environment, cwd, output_limit, pattern } = start;
    let mut command = match &program {
        Program::At(program) => command(program),
        Program::Own => command(own),
    };
    command.arg0(argv.first().map_or("", String::as_str)).args(argv.iter().skip(1));
    command.env_clear().envs(environment).current_dir(cwd);
    command.stdin(input.ok_or(Errno::MFILE)?).stdout(Stdio::piped()).stderr(Stdio::piped());
    // The process exists from the beginning of the call on; the rest of the call is the program taking over.
    let (at, uptime) = (clock.now(), uptime());
    let (process, child) = Process::start(&mut command)?;
    let pipes = child.stdout.zip(child.stderr);
    let (stdout, stderr) = pipes.ok_or_else(|| io::Error::other("the child has no pipes"))?;
    let sources = [process.watch()?, stdout.into(), stderr.into()];
    // The scheduler has compiled it before.
    let pattern = pattern.and_then(|text| OutputPattern::new(&text).ok());
    let begun = Begun { label, process: process.id(), at, uptime };
    Ok(Ward::new(id, begun, Capture::new(id, output_limit, pattern), process, sources))
}

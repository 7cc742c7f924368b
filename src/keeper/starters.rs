//! Which threads start processes? Two of their own, because each start blocks for about a millisecond, for which the keeper
//! would hear and read nothing.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use rustix::event::{EventfdFlags, eventfd};

use super::process::{Ends, Image, Process, spawn};
use super::protocol::{Begun, Program, Start};
use crate::clock::{Clock, uptime};

/// One thread tops out at 1,500 starts a second, two at about 2,000; more do not help, because the kernel serialises.
const THREADS: usize = 2;
/// Starts that wait for a thread; the keeper itself waits when there are more.
const STARTS: usize = 1 << 16;

/// What came of a start.
pub type Started = (Box<Start>, io::Result<(Begun, Process, Ends)>);

/// What the threads have done, and a descriptor that can be read when there is something. It never makes them wait.
#[derive(Debug)]
struct Done {
    started: Mutex<Vec<Started>>,
    bell: OwnedFd,
}

#[derive(Debug)]
pub struct Starters {
    starts: Option<SyncSender<(Box<Start>, OwnedFd)>>,
    threads: Vec<JoinHandle<()>>,
    done: Arc<Done>,
    /// Starts of which nothing has come yet.
    under_way: usize,
}

impl Starters {
    /// `own` is the program that a start by [`Program::Own`] means.
    pub fn new(clock: &Clock, own: &Path) -> io::Result<Self> {
        let (starts, starts_out) = sync_channel::<(Box<Start>, OwnedFd)>(STARTS);
        let starts_out = Arc::new(Mutex::new(starts_out));
        let bell = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let done = Arc::new(Done { started: Mutex::default(), bell });
        let threads = (0..THREADS)
            .map(|number| {
                let (starts, done, clock, own) = (starts_out.clone(), done.clone(), clock.clone(), own.to_owned());
                std::thread::Builder::new()
                    .name(format!("start-{number}"))
                    .spawn(move || serve(&starts, &done, &clock, &own))
            })
            .collect::<io::Result<_>>()?;
        Ok(Self { starts: Some(starts), threads, done, under_way: 0 })
    }

    pub fn start(&mut self, start: Box<Start>, input: OwnedFd) {
        if let Some(starts) = &self.starts
            && starts.send((start, input)).is_ok()
        {
            self.under_way += 1;
        }
    }

    /// Readable when there is something to take.
    pub fn bell(&self) -> BorrowedFd<'_> {
        self.done.bell.as_fd()
    }

    pub fn take(&mut self) -> Vec<Started> {
        let mut rings = [0; 8];
        let _ = rustix::io::read(&self.done.bell, &mut rings);
        let started = std::mem::take(&mut *self.done.started.lock().unwrap_or_else(PoisonError::into_inner));
        self.under_way -= started.len().min(self.under_way);
        started
    }

    /// Starts of which nothing has come yet.
    pub fn waiting(&self) -> usize {
        self.under_way
    }
}

impl Drop for Starters {
    fn drop(&mut self) {
        drop(self.starts.take());
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn serve(starts: &Mutex<Receiver<(Box<Start>, OwnedFd)>>, done: &Done, clock: &Clock, own: &Path) {
    loop {
        let next = starts.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((start, input)) = next else {
            return;
        };
        let begun = begin(&start, input, clock, own);
        done.started.lock().unwrap_or_else(PoisonError::into_inner).push((start, begun));
        let _ = rustix::io::write(&done.bell, &1u64.to_ne_bytes());
    }
}

fn begin(start: &Start, input: OwnedFd, clock: &Clock, own: &Path) -> io::Result<(Begun, Process, Ends)> {
    let program: PathBuf = match &start.program {
        Program::At(program) => program.clone(),
        Program::Own => own.to_owned(),
    };
    let image = Image { program: &program, argv: &start.argv, environment: &start.environment, cwd: &start.cwd };
    // The process exists from the beginning of the call on; the rest of the call is the program taking over.
    let (at, uptime) = (clock.now(), uptime());
    let (process, ends) = spawn(&image, input)?;
    Ok((Begun { process: process.id.clone(), at, uptime }, process, ends))
}

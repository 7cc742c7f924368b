//! What is kept of one process? It while it runs, the ends of its pipes, what it wrote and nobody has recorded, and how it
//! ended.

use std::collections::VecDeque;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::capture::Capture;
use super::link::Link;
use super::process::{Ends, Process};
use super::protocol::{End, Held, Report};
use crate::job::OutputPattern;
use crate::run::{OutputPiece, Stream};

/// What a process wrote is offered to the ledger after at most this long.
const FLUSH_AFTER: Duration = Duration::from_secs(1);
/// Pieces of at most 64 KiB that are on their way to the ledger; while there are as many, the process waits in its pipe.
pub const WINDOW: usize = 4;
/// Reads of what is left in a pipe at the very end: more than a pipe holds, unless somebody made it larger.
const LAST_READS: usize = 16;

/// What outlives the program that keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Record {
    pub held: Held,
    /// Until its output is complete.
    capture: Option<Capture>,
    /// Pieces that are not in the ledger, in their order.
    pieces: VecDeque<OutputPiece>,
    exited: Option<(Timestamp, Duration)>,
    end: Option<End>,
    discarded: bool,
}

/// How much of it the present scheduler has been told.
#[derive(Debug, Default)]
struct Told {
    pieces: usize,
    exited: bool,
    silent: bool,
    closed: bool,
}

#[derive(Debug)]
pub struct Ward {
    pub record: Record,
    /// Until it is reaped.
    process: Option<Process>,
    pidfd: Option<OwnedFd>,
    pipes: [Option<OwnedFd>; 2],
    told: Told,
    /// When what it wrote last is to be offered to the ledger.
    pub flush_at: Option<Duration>,
}

/// Which of its descriptors can be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    Exit,
    Stdout,
    Stderr,
}

impl Source {
    pub const ALL: [Self; 3] = [Self::Exit, Self::Stdout, Self::Stderr];
}

impl Ward {
    pub fn new(held: Held, output_limit: u64, pattern: Option<&str>, process: Process, ends: Ends) -> Self {
        // The scheduler has compiled it before.
        let pattern = pattern.and_then(|text| OutputPattern::new(text).ok());
        let capture = Some(Capture::new(held.id, output_limit, pattern));
        let record = Record { held, capture, pieces: VecDeque::new(), exited: None, end: None, discarded: false };
        let Ends { pidfd, stdout, stderr } = ends;
        let pipes = [Some(stdout), Some(stderr)];
        for pipe in pipes.iter().flatten() {
            // A pipe that cannot be read without waiting is not there.
            let _ = rustix::io::ioctl_fionbio(pipe, true);
        }
        Self { record, process: Some(process), pidfd: Some(pidfd), pipes, told: Told::default(), flush_at: None }
    }

    /// One that another program in this process's place has kept.
    pub fn inherited(record: Record, pipes: [Option<OwnedFd>; 2]) -> Self {
        let was_reaped = record.end.is_some();
        let process = Process::inherited(record.held.begun.process.clone()).filter(|_| !was_reaped);
        let pidfd = process.as_ref().and_then(|process| process.watch().ok()).filter(|_| record.exited.is_none());
        let flush_at = record.capture.as_ref().filter(|capture| capture.is_dirty()).map(|_| Duration::ZERO);
        Self { record, process, pidfd, pipes, told: Told::default(), flush_at }
    }

    /// What goes to the program that takes this one's place.
    pub fn hand_on(self) -> (Record, [Option<OwnedFd>; 2]) {
        if let Some(process) = self.process {
            process.leave();
        }
        (self.record, self.pipes)
    }

    /// The descriptor to be waited for, if there is something to wait for now.
    pub fn attended(&self, source: Source) -> Option<BorrowedFd<'_>> {
        self.descriptor(source).filter(|_| source == Source::Exit || self.has_room())
    }

    pub fn descriptor(&self, source: Source) -> Option<BorrowedFd<'_>> {
        match source {
            Source::Exit => self.pidfd.as_ref(),
            Source::Stdout => self.pipes[0].as_ref(),
            Source::Stderr => self.pipes[1].as_ref(),
        }
        .map(AsFd::as_fd)
    }

    /// Where nobody records what it writes, it waits in its pipe.
    fn has_room(&self) -> bool {
        self.record.pieces.len() < WINDOW
    }

    pub fn is_over(&self) -> bool {
        self.record.end.is_some()
    }

    /// Reads once what is there; a pipe that is closed or broken is done with.
    pub fn read(&mut self, stream: Stream, now: Timestamp, uptime: Duration, buffer: &mut [u8]) {
        let at = match stream {
            Stream::Stdout => 0,
            Stream::Stderr => 1,
        };
        let (Some(pipe), Some(capture)) = (&self.pipes[at], &mut self.record.capture) else {
            return;
        };
        match rustix::io::read(pipe, &mut *buffer) {
            Ok(0) => self.pipes[at] = None,
            Ok(length) => {
                capture.push(stream, now, &buffer[..length]);
                self.record.pieces.extend(capture.take_ready());
                if capture.is_dirty() && self.flush_at.is_none() {
                    self.flush_at = Some(uptime + FLUSH_AFTER);
                }
            }
            Err(rustix::io::Errno::AGAIN | rustix::io::Errno::INTR) => {}
            Err(_) => self.pipes[at] = None,
        }
    }

    /// Offers what waits to the ledger.
    pub fn flush(&mut self) {
        self.flush_at = None;
        if let Some(capture) = &mut self.record.capture {
            self.record.pieces.extend(capture.flush());
        }
    }

    pub fn exited(&mut self, now: Timestamp, uptime: Duration) {
        self.pidfd = None;
        let duration = uptime.saturating_sub(self.record.held.begun.uptime);
        self.record.exited.get_or_insert((now, duration));
        if self.record.discarded {
            self.reap();
        }
    }

    /// So many pieces more are in the ledger.
    pub fn recorded(&mut self, pieces: usize) {
        let pieces = pieces.min(self.told.pieces);
        self.record.pieces.drain(..pieces);
        self.told.pieces -= pieces;
    }

    /// What is left in its pipes is read, whoever else still holds them open, and it is reaped.
    pub fn close(&mut self, now: Timestamp, uptime: Duration, buffer: &mut [u8]) {
        if self.record.exited.is_none() {
            // Reaping it would wait.
            return;
        }
        for stream in [Stream::Stdout, Stream::Stderr] {
            for _ in 0..LAST_READS {
                self.read(stream, now, uptime, buffer);
            }
        }
        self.reap();
    }

    fn reap(&mut self) {
        self.pipes = [None, None];
        self.pidfd = None;
        self.flush_at = None;
        let Some(mut capture) = self.record.capture.take() else {
            return;
        };
        let (output_bytes, matched) = (capture.total(), capture.matched());
        self.record.pieces.extend(capture.finish());
        // It has ended, so this does not wait.
        let remains = self.process.take().and_then(|process| process.reap().ok());
        self.record.end = Some(End { remains, output_bytes, matched });
    }

    /// It is ended, and gone as soon as it is reaped.
    pub fn discard(&mut self) {
        self.record.discarded = true;
        if let Some(process) = &self.process {
            process.kill();
        }
        if self.record.exited.is_some() {
            self.reap();
        }
    }

    /// Whether nobody will ask for it any more.
    pub fn is_gone(&self) -> bool {
        self.record.discarded && self.is_over()
    }

    /// Another scheduler has come, which knows nothing yet.
    pub fn begin_anew(&mut self) {
        self.told = Told::default();
    }

    /// Tells the scheduler what it does not know yet, as far as it may.
    pub fn tell(&mut self, link: &mut Link) -> io::Result<()> {
        let id = self.record.held.id;
        if self.record.discarded {
            return Ok(());
        }
        while self.told.pieces < WINDOW
            && let Some(piece) = self.record.pieces.get(self.told.pieces)
        {
            let OutputPiece { id, offset, stream, at, ref data, expired } = *piece;
            link.say(&Report::Output { id, offset, stream, at, expired }, data)?;
            self.told.pieces += 1;
        }
        if let Some((at, duration)) = self.record.exited
            && !std::mem::replace(&mut self.told.exited, true)
        {
            link.say(&Report::Exited { id, at, duration }, &[])?;
        }
        let is_silent = self.pipes.iter().all(Option::is_none);
        if is_silent && !std::mem::replace(&mut self.told.silent, true) {
            link.say(&Report::Silent { id }, &[])?;
        }
        if let Some(end) = self.record.end.as_ref().filter(|_| self.told.pieces == self.record.pieces.len())
            && !std::mem::replace(&mut self.told.closed, true)
        {
            link.say(&Report::Closed { id, end: end.clone() }, &[])?;
        }
        Ok(())
    }
}

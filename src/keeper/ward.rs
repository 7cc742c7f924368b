//! What is kept of one process? It while it runs, the ends of its pipes, what it wrote and nobody has recorded, and how it
//! ended.

use std::collections::VecDeque;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use jiff::Timestamp;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use super::capture::Capture;
use super::descriptor;
use super::link::Link;
use super::process::Process;
use super::protocol::{Begun, End, News, Report};
use crate::run::{AttemptId, Stream};

/// Pieces of at most 64 KiB that are on their way to the ledger; while there are as many, the process waits in its pipe.
pub const WINDOW: usize = 4;
/// Reads of what is left in a pipe at the very end: more than a pipe holds, unless somebody made it larger.
const LAST_READS: usize = 16;

/// One process. What of it is written down outlives the program that keeps it.
#[derive(Debug, Serialize, Deserialize)]
pub struct Ward {
    pub id: AttemptId,
    begun: Begun,
    /// By [`Source`], as long as there is something to come.
    #[serde(with = "descriptor")]
    sources: [Option<OwnedFd>; 3],
    /// Until its output is complete.
    capture: Option<Capture>,
    /// What is told of it, in this order; pieces of its output are gone once they are in the ledger.
    news: VecDeque<News>,
    /// How much of that the present scheduler has been told.
    #[serde(skip)]
    pub told: usize,
    /// Until it is reaped.
    #[serde(skip)]
    process: Option<Process>,
    /// By which its keeper knows its descriptors.
    #[serde(skip)]
    pub number: u64,
}

/// What can be read of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    /// That it has ended, from a pidfd.
    Exit,
    Stdout,
    Stderr,
}

impl Source {
    pub const ALL: [Self; 3] = [Self::Exit, Self::Stdout, Self::Stderr];
}

impl Ward {
    /// The sources are in their order.
    pub fn new(id: AttemptId, begun: Begun, capture: Capture, process: Process, sources: [OwnedFd; 3]) -> Self {
        for source in &sources {
            // A pipe that cannot be read without waiting is not there.
            let _ = rustix::io::ioctl_fionbio(source, true);
        }
        let (sources, news) = (sources.map(Some), VecDeque::from([News::Started(begun.clone())]));
        Self { id, begun, sources, capture: Some(capture), news, told: 0, process: Some(process), number: 0 }
    }

    /// One that was written down, in the hands of the next program.
    pub fn inherited(self) -> Self {
        let process = if self.is_over() { None } else { Process::inherited(&self.begun.process) };
        Self { process, ..self }
    }

    /// Leaves what can be read of it to the next program.
    pub fn leave_open(&self) {
        self.sources.iter().flatten().for_each(descriptor::leave_open);
    }

    /// The descriptors that can be waited for.
    pub fn sources(&self) -> impl Iterator<Item = (Source, BorrowedFd<'_>)> {
        Source::ALL.into_iter().zip(&self.sources).filter_map(|(source, one)| Some((source, one.as_ref()?.as_fd())))
    }

    /// Where nobody records what it writes, it waits in its pipe.
    pub fn has_room(&self) -> bool {
        self.news.iter().filter(|news| is_piece(news)).count() < WINDOW
    }

    /// Whether it was reaped.
    pub fn is_over(&self) -> bool {
        self.capture.is_none()
    }

    /// One of its sources can be read. That it is silent is told with its exit: before that nobody asks.
    pub fn stirred(&mut self, source: Source, now: Timestamp, uptime: Duration, buffer: &mut [u8]) {
        if self.sources[source as usize].is_none() {
            // It was closed since.
            return;
        }
        match source {
            Source::Exit => {
                self.sources[source as usize] = None;
                self.tell_next(News::Exited { at: now, duration: uptime.saturating_sub(self.begun.uptime) });
            }
            Source::Stdout | Source::Stderr if self.has_room() => self.read(source, now, buffer),
            Source::Stdout | Source::Stderr => {}
        }
        if self.sources.iter().all(Option::is_none) {
            self.tell_next(News::Silent);
        }
    }

    /// Reads once what is there; a pipe that is closed or broken is done with.
    fn read(&mut self, source: Source, now: Timestamp, buffer: &mut [u8]) {
        let stream = if source == Source::Stdout { Stream::Stdout } else { Stream::Stderr };
        let pipe = &mut self.sources[source as usize];
        let (Some(descriptor), Some(capture)) = (&pipe, &mut self.capture) else {
            return;
        };
        match rustix::io::read(descriptor, &mut *buffer) {
            Err(Errno::AGAIN | Errno::INTR) => {}
            Ok(0) | Err(_) => *pipe = None,
            Ok(length) => {
                capture.push(stream, now, &buffer[..length]);
                self.news.extend(capture.take_ready().into_iter().map(News::Output));
            }
        }
    }

    /// Offers what waits to the ledger.
    pub fn flush(&mut self) {
        let pieces = self.capture.as_mut().map(Capture::flush).unwrap_or_default();
        self.news.extend(pieces.into_iter().map(News::Output));
    }

    /// What does not wait for the ledger goes before what does.
    fn tell_next(&mut self, news: News) {
        self.news.insert(self.told, news);
    }

    /// So many pieces more are in the ledger.
    pub fn recorded(&mut self, pieces: u32) {
        for _ in 0..pieces {
            if let Some(at) = self.news.iter().take(self.told).position(is_piece) {
                self.news.remove(at);
                self.told -= 1;
            }
        }
    }

    /// What is left in its pipes is read, whoever else still holds them open, and it is reaped.
    pub fn close(&mut self, now: Timestamp, buffer: &mut [u8]) {
        if self.sources[Source::Exit as usize].is_some() {
            // It has not exited.
            return;
        }
        for _ in 0..LAST_READS {
            self.read(Source::Stdout, now, buffer);
            self.read(Source::Stderr, now, buffer);
        }
        self.sources = [None, None, None];
        let Some(mut capture) = self.capture.take() else {
            return;
        };
        let (output_bytes, matched) = (capture.total(), capture.matched());
        self.news.extend(capture.finish().into_iter().map(News::Output));
        let remains = self.process.take().and_then(|process| process.reap().ok());
        self.news.push_back(News::Closed(End { remains, output_bytes, matched }));
    }

    /// Tells the scheduler what it does not know yet, as far as it may.
    pub fn tell(&mut self, link: &mut Link) {
        while let Some(news) = self.news.get(self.told)
            && self.news.iter().take(self.told + 1).filter(|news| is_piece(news)).count() <= WINDOW
        {
            link.say(&Report::Of(self.id, news.clone()));
            self.told += 1;
        }
    }
}

fn is_piece(news: &News) -> bool {
    matches!(news, News::Output(_))
}

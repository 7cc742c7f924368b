//! How does the keeper hear the scheduler, and speak to it, without ever waiting for it?

use std::collections::VecDeque;
use std::io::{self, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;

use rustix::event::epoll::EventFlags;
use rustix::io::Errno;
use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};

use super::protocol::{Lines, Report, Request, write_line};

/// Bytes of one read.
const READ: usize = 64 << 10;
/// Descriptors that come with one read: one goes with each start, and a read ends behind the first.
const DESCRIPTORS: usize = 8;

#[derive(Debug)]
pub struct Link {
    pub socket: UnixStream,
    lines: Lines,
    /// Standard inputs whose starts have not been read yet; none for one that could not be taken.
    inputs: VecDeque<Option<OwnedFd>>,
    /// What is said and was not sent.
    outbox: VecDeque<u8>,
    /// Whether more was said than is taken.
    is_full: bool,
    buffer: Vec<u8>,
}

impl Link {
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let (lines, inputs, outbox) = (Lines::default(), VecDeque::new(), VecDeque::new());
        Ok(Self { socket, lines, inputs, outbox, is_full: false, buffer: vec![0; READ] })
    }

    /// Reads all that has come; an error is the end.
    pub fn receive(&mut self, requests: &mut Vec<Request>) -> io::Result<()> {
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
            let mut rights = RecvAncillaryBuffer::new(&mut space);
            let mut slices = [IoSliceMut::new(&mut self.buffer)];
            let received = match recvmsg(&self.socket, &mut slices, &mut rights, RecvFlags::CMSG_CLOEXEC) {
                Err(Errno::AGAIN) => return Ok(()),
                Err(Errno::INTR) => continue,
                received => received?,
            };
            let came = self.inputs.len();
            for message in rights.drain() {
                if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                    self.inputs.extend(descriptors.map(Some));
                }
            }
            // There was no descriptor free for it; the next one's must not take its place.
            if received.flags.contains(ReturnFlags::CTRUNC) && self.inputs.len() == came {
                self.inputs.push_back(None);
            }
            if received.bytes == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            requests.extend(self.lines.take::<Request>(&self.buffer[..received.bytes])?);
        }
    }

    /// The standard input of the next start, if there was a descriptor free for it.
    pub fn input(&mut self) -> Option<OwnedFd> {
        self.inputs.pop_front().flatten()
    }

    pub fn say(&mut self, report: &Report) {
        write_line(report, &mut self.outbox);
    }

    /// Sends as much as is taken; the answer is whether something else is wanted from now on. Of one who is gone one hears by
    /// reading.
    pub fn flush(&mut self) -> bool {
        while let (next, _) = self.outbox.as_slices()
            && !next.is_empty()
            && let Ok(length) = self.socket.write(next)
        {
            self.outbox.drain(..length);
        }
        let was_full = std::mem::replace(&mut self.is_full, !self.outbox.is_empty());
        was_full != self.is_full
    }

    /// What is waited for: room only where it is needed, as each read of the scheduler's makes some.
    pub fn wanted(&self) -> EventFlags {
        if self.is_full { EventFlags::IN | EventFlags::OUT } else { EventFlags::IN }
    }
}

//! How does the keeper hear the scheduler, and speak to it, without ever waiting for it?

use std::collections::VecDeque;
use std::io::{self, IoSliceMut, Write};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, recvmsg};

use super::protocol::{Frames, Report, Request, write_frame};

/// Bytes of one read.
const READ: usize = 64 << 10;
/// Descriptors that come with one read: one goes with each start, and a read ends behind the first.
const DESCRIPTORS: usize = 8;

#[derive(Debug)]
pub struct Link {
    socket: UnixStream,
    frames: Frames,
    /// Standard inputs whose starts have not been read yet; none for one that could not be taken.
    descriptors: VecDeque<Option<OwnedFd>>,
    /// What is said, of which so many bytes were sent.
    outbox: Vec<u8>,
    sent: usize,
    buffer: Vec<u8>,
}

impl Link {
    pub fn new(socket: UnixStream) -> io::Result<Self> {
        socket.set_nonblocking(true)?;
        let (frames, descriptors) = (Frames::default(), VecDeque::new());
        Ok(Self { socket, frames, descriptors, outbox: Vec::new(), sent: 0, buffer: vec![0; READ] })
    }

    /// Reads what has come; the answer is whether the other side is still there.
    pub fn receive(&mut self) -> io::Result<bool> {
        loop {
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(DESCRIPTORS))];
            let mut rights = RecvAncillaryBuffer::new(&mut space);
            let mut slices = [IoSliceMut::new(&mut self.buffer)];
            let received = recvmsg(&self.socket, &mut slices, &mut rights, RecvFlags::CMSG_CLOEXEC);
            let (length, is_cut) = match received {
                Ok(received) => (received.bytes, received.flags.contains(ReturnFlags::CTRUNC)),
                Err(rustix::io::Errno::AGAIN) => return Ok(true),
                Err(rustix::io::Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            let came = self.descriptors.len();
            for message in rights.drain() {
                if let RecvAncillaryMessage::ScmRights(descriptors) = message {
                    self.descriptors.extend(descriptors.map(Some));
                }
            }
            // There was no descriptor free for it; the next one's must not take its place.
            if is_cut && self.descriptors.len() == came {
                self.descriptors.push_back(None);
            }
            if length == 0 {
                return Ok(false);
            }
            self.frames.push(&self.buffer[..length]);
        }
    }

    /// The next request, if all of it has come; a start has its standard input with it.
    pub fn next(&mut self) -> io::Result<Option<(Request, Option<OwnedFd>)>> {
        let Some((request, _)) = self.frames.next::<Request>()? else {
            return Ok(None);
        };
        let input = if matches!(request, Request::Start(_)) { self.descriptors.pop_front().flatten() } else { None };
        Ok(Some((request, input)))
    }

    pub fn say(&mut self, report: &Report, data: &[u8]) -> io::Result<()> {
        write_frame(report, data, &mut self.outbox)
    }

    /// Sends as much as is taken; the answer is whether that was all.
    pub fn flush(&mut self) -> io::Result<bool> {
        while self.sent < self.outbox.len() {
            match self.socket.write(&self.outbox[self.sent..]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(length) => self.sent += length,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        self.outbox.clear();
        self.sent = 0;
        Ok(true)
    }
}

impl AsFd for Link {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

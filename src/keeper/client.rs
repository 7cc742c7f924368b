//! The scheduler's end of the line to the keeper: starts are asked for, and what is told of each process goes to whoever asked
//! for it.

use std::collections::BTreeMap;
use std::io::{self, IoSlice};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::sync::Arc;

use rustix::io::Errno;
use rustix::net::sockopt::socket_peercred;
use rustix::net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, sendmsg};
use rustix::process::{Pid, Signal};
use tokio::net::UnixStream;
use tokio::sync::mpsc;

use super::protocol::{Asked, Begun, Lines, News, READY, Report, Request, Start, write_line};
use super::ward::WINDOW;
use crate::readiness::Readiness;
use crate::run::{AttemptId, RunId};

/// Wishes that wait to be sent.
const WISHES: usize = 4096;
/// What is told of one process and was not heard yet: its window of output, and each other thing once.
const NEWS: usize = WINDOW + 8;
/// What was asked and not looked at yet.
const ASKED: usize = 8;
/// Bytes of one read.
const READ: usize = 16 << 10;

#[derive(Debug)]
enum Wish {
    Start { start: Box<Start>, input: OwnedFd, news: mpsc::Sender<News> },
    Ask(Request),
}

/// Where wishes are handed in.
#[derive(Debug, Clone)]
pub struct Client {
    wishes: mpsc::Sender<Wish>,
    keeper: i32,
    is_first: bool,
    in_force: Option<Arc<str>>,
}

/// What sends wishes and hands news on; owned by whoever runs it.
#[derive(Debug)]
pub struct Switchboard {
    /// Only heard: each read of the keeper's would wake whoever waits to speak.
    socket: Readiness,
    lines: Lines,
    /// What came with the greeting, and is of what is held.
    reports: Vec<Report>,
    wishes: mpsc::Receiver<Wish>,
    asked: Option<mpsc::Sender<Asked>>,
    news: BTreeMap<AttemptId, mpsc::Sender<News>>,
}

/// Hears what is held by the keeper at the other end, and goes on from there.
pub async fn connect(socket: std::os::unix::net::UnixStream) -> io::Result<(Client, Switchboard, Vec<Kept>)> {
    socket.set_nonblocking(true)?;
    let keeper = socket_peercred(&socket)?.pid.as_raw_nonzero().get();
    let socket = Readiness::new(socket.into())?;
    let (mut lines, mut reports) = (Lines::default(), Vec::new());
    let (is_first, in_force) = loop {
        let known = reports.len();
        let is_open = read(&socket, &mut lines, &mut reports).await?;
        if let Some(at) = reports.iter().skip(known).position(|report| matches!(report, Report::Welcome { .. }))
            && let Report::Welcome { is_first, in_force } = reports.remove(known + at)
        {
            break (is_first, in_force);
        }
        if !is_open {
            return Err(io::Error::other("the keeper does not greet"));
        }
    };
    let (wishes, wishes_out) = mpsc::channel(WISHES);
    let client = Client { wishes, keeper, is_first, in_force: in_force.map(Arc::from) };
    let mut news = BTreeMap::new();
    let mut kept = Vec::new();
    for report in &reports {
        if let Report::Of(id, News::Started(begun)) = report {
            let (sender, receiver) = mpsc::channel(NEWS);
            news.insert(*id, sender);
            kept.push(Kept { id: *id, begun: begun.clone(), news: receiver, client: client.clone(), is_over: false });
        }
    }
    Ok((client, Switchboard { socket, lines, reports, wishes: wishes_out, asked: None, news }, kept))
}

/// Reads what comes next; the answer is whether there may be more.
async fn read(socket: &Readiness, lines: &mut Lines, reports: &mut Vec<Report>) -> io::Result<bool> {
    let take = |line: BorrowedFd| {
        let mut bytes = [0; READ];
        let length = rustix::io::read(line, &mut bytes)?;
        reports.extend(lines.take::<Report>(&bytes[..length])?);
        Ok(length > 0)
    };
    socket.read(take).await
}

/// Sends the beginning of these bytes.
fn send(line: BorrowedFd, bytes: &[u8], descriptor: Option<&OwnedFd>) -> rustix::io::Result<usize> {
    let descriptors = descriptor.map(AsFd::as_fd);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut rights = SendAncillaryBuffer::new(&mut space);
    if !descriptors.as_slice().is_empty() {
        rights.push(SendAncillaryMessage::ScmRights(descriptors.as_slice()));
    }
    sendmsg(line, &[IoSlice::new(bytes)], &mut rights, SendFlags::NOSIGNAL)
}

impl Client {
    /// Starts a process, or says why it cannot begin.
    pub async fn start(&self, start: Start, input: OwnedFd) -> io::Result<Kept> {
        let gone = || io::Error::other("the daemon is ending");
        let (news, mut news_out) = mpsc::channel(NEWS);
        let id = start.id;
        let wish = Wish::Start { start: Box::new(start), input, news };
        self.wishes.send(wish).await.map_err(|_| gone())?;
        match news_out.recv().await {
            Some(News::Started(begun)) => Ok(Kept { id, begun, news: news_out, client: self.clone(), is_over: false }),
            Some(News::NotStarted { errno, message }) => {
                Err(errno.map_or_else(|| io::Error::other(message), io::Error::from_raw_os_error))
            }
            Some(_) => Err(gone()),
            None => nobody_left().await,
        }
    }

    /// So many pieces of output are in the ledger.
    pub async fn recorded(&self, id: AttemptId, pieces: u32) {
        self.ask(Request::Recorded { id, pieces }).await;
    }

    /// The end of an attempt is in the ledger.
    pub async fn forget(&self, id: AttemptId) {
        self.ask(Request::Forget { first: id, last: id }).await;
    }

    /// The end of a run is in the ledger.
    pub async fn forget_run(&self, run: RunId) {
        let first = AttemptId { run, attempt: 0, step: 0, step_attempt: 0 };
        let last = AttemptId { run, attempt: u32::MAX, step: u32::MAX, step_attempt: u32::MAX };
        self.ask(Request::Forget { first, last }).await;
    }

    /// The scheduler is at work, and what follows from the daemon's start is in the ledger.
    pub async fn ready(&self) {
        self.notify(READY.to_owned()).await;
    }

    /// What systemd wants to know, in the words of sd_notify(3).
    pub async fn notify(&self, state: String) {
        self.ask(Request::Notify { state }).await;
    }

    /// The number of the process that keeps, which is the service's own.
    pub fn keeper(&self) -> i32 {
        self.keeper
    }

    /// Whether no scheduler of this keeper was at work before: the daemon starts, rather than goes on.
    pub fn is_first(&self) -> bool {
        self.is_first
    }

    /// The job file that was in force for the scheduler before.
    pub fn in_force(&self) -> Option<String> {
        self.in_force.as_deref().map(str::to_owned)
    }

    /// This is the job file that is in force now.
    pub async fn put_in_force(&self, text: String) {
        self.ask(Request::InForce { text }).await;
    }

    async fn ask(&self, request: Request) {
        // A keeper that is gone has taken this process with it.
        let _ = self.wishes.send(Wish::Ask(request)).await;
    }
}

/// A process that is kept, seen from the scheduler. Dropped before its end is known it is killed.
#[derive(Debug)]
pub struct Kept {
    pub id: AttemptId,
    pub begun: Begun,
    news: mpsc::Receiver<News>,
    client: Client,
    is_over: bool,
}

impl Kept {
    /// The number of the process and of the group that it leads; it is its own until it is closed.
    pub fn pid(&self) -> Option<Pid> {
        Pid::from_raw(self.begun.process.pid)
    }

    /// What happens next. Dropping the future loses nothing.
    pub async fn next(&mut self) -> News {
        match self.news.recv().await {
            Some(news) => news,
            None => nobody_left().await,
        }
    }

    /// Has it reaped once it has exited; what it wrote last comes as news before its end does.
    pub async fn close(&mut self) {
        self.client.ask(Request::Close { id: self.id }).await;
    }

    /// Its end is known, so that nothing is left to be done with it.
    pub fn is_over(&mut self) {
        self.is_over = true;
    }

    /// Signals every process of its group.
    pub fn signal_group(&self, signal: Signal) {
        if let Some(pid) = self.pid() {
            // The one error that can come is that nobody is left.
            let _ = rustix::process::kill_process_group(pid, signal);
        }
    }
}

/// The keeper is gone, and this process with it in a moment: nothing that happens in between is to be taken for an end.
async fn nobody_left<T>() -> T {
    std::future::pending().await
}

impl Drop for Kept {
    /// Whoever loses it, by a panic or because the daemon gives up, does not leave it behind.
    fn drop(&mut self) {
        if !self.is_over {
            let _ = self.client.wishes.try_send(Wish::Ask(Request::Discard { id: self.id }));
        }
    }
}

impl Switchboard {
    /// Where what reaches the service comes out.
    pub fn asked(&mut self) -> mpsc::Receiver<Asked> {
        let (asked, asked_out) = mpsc::channel(ASKED);
        self.asked = Some(asked);
        asked_out
    }

    /// Sends and hands on until nobody has wishes any more, or the keeper is gone.
    pub async fn run(mut self) -> io::Result<()> {
        let mut batch = Vec::new();
        // Of what is held more than its number may have come with the greeting.
        self.hand_on();
        loop {
            tokio::select! {
                wish = self.wishes.recv() => {
                    let Some(wish) = wish else { return Ok(()) };
                    self.send(wish, &mut batch).await?;
                }
                is_open = read(&self.socket, &mut self.lines, &mut self.reports) => {
                    self.hand_on();
                    if !is_open? {
                        return Err(io::Error::other("the keeper is gone"));
                    }
                }
            }
        }
    }

    /// Sends a wish and those that wait behind it. The keeper reads whatever else it does, so this does not take long.
    async fn send(&mut self, first: Wish, batch: &mut Vec<u8>) -> io::Result<()> {
        let mut next = Some(first);
        while let Some(wish) = next {
            match wish {
                Wish::Ask(request) => {
                    if let Request::Discard { id } = &request {
                        self.news.remove(id);
                    }
                    write_line(&request, &mut *batch);
                }
                Wish::Start { start, input, news } => {
                    self.news.insert(start.id, news);
                    write_line(&Request::Start(start), &mut *batch);
                    self.send_all(batch, Some(&input)).await?;
                    batch.clear();
                }
            }
            next = self.wishes.try_recv().ok();
        }
        self.send_all(batch, None).await?;
        batch.clear();
        Ok(())
    }

    /// Sends these bytes, and a descriptor with the first of them.
    async fn send_all(&self, mut bytes: &[u8], mut descriptor: Option<&OwnedFd>) -> io::Result<()> {
        while !bytes.is_empty() {
            match send(self.socket.as_fd(), bytes, descriptor) {
                Ok(length) => (bytes, descriptor) = (&bytes[length..], None),
                Err(Errno::AGAIN) => self.room().await?,
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Waits until the keeper reads, which is seldom needed: it reads whatever else it does.
    async fn room(&self) -> io::Result<()> {
        let line = self.socket.as_fd().try_clone_to_owned()?;
        UnixStream::from_std(line.into())?.writable().await
    }

    fn hand_on(&mut self) {
        for report in self.reports.drain(..) {
            let (id, news) = match report {
                Report::Of(id, news) => (id, news),
                Report::Asked(what) => {
                    // A full channel means that the same was asked several times already.
                    let _ = self.asked.as_ref().map(|asked| asked.try_send(what));
                    continue;
                }
                Report::Welcome { .. } => continue,
            };
            let is_last = matches!(news, News::Closed(_) | News::NotStarted { .. });
            if let Some(listener) = self.news.get(&id) {
                // There is room for all that can be told at a time.
                let _ = listener.try_send(news);
            }
            if is_last {
                self.news.remove(&id);
            }
        }
    }
}

//! The keeper's loop: what the scheduler asks for, and what happens to the processes that are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::os::fd::{AsFd, BorrowedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::{Timespec, epoll};

use super::link::Link;
use super::protocol::{Held, PROTOCOL, Report, Request};
use super::starters::Starters;
use super::ward::{Source, Ward};
use crate::clock::{Clock, uptime};
use crate::run::{AttemptId, RunId, Stream};

/// Bytes of one read, the size of a pipe.
const READ: usize = 64 << 10;
/// Descriptors that are looked at in one turn.
const EVENTS: usize = 256;
/// What is waited for besides the wards' descriptors, whose numbers begin behind these.
const LINK: u64 = 0;
const BELL: u64 = 1;
/// All of the wards' together.
const WARDS: u64 = 2;
/// The first number for whoever drives the loop.
pub const FOREIGN: u64 = 3;
/// While so many starts wait, what happens to those that have begun can wait, too, for so long: it would only take the
/// processor from them.
const MANY_STARTS: usize = 8;
const PUT_OFF: Duration = Duration::from_millis(20);
const FIRST_WARD: u64 = 1 << 8;

/// What a turn of the loop leaves to whoever drives it.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// A descriptor of the driver's own can be read.
    Readable(u64),
    /// The scheduler is at work.
    Ready,
    Notify(String),
    /// The scheduler has gone, or speaks nonsense.
    Gone,
}

#[derive(Debug)]
pub struct Keeping {
    clock: Clock,
    epoll: std::os::fd::OwnedFd,
    wards_epoll: std::os::fd::OwnedFd,
    /// Since when the wards have not been looked at, while there is more urgent work.
    put_off_since: Option<Duration>,
    link: Option<Link>,
    /// Whether all that is said was sent.
    is_sent: bool,
    starters: Starters,
    wards: BTreeMap<AttemptId, Ward>,
    numbers: BTreeMap<AttemptId, u64>,
    by_number: BTreeMap<u64, AttemptId>,
    /// Descriptors that are waited for.
    watched: BTreeSet<(AttemptId, u8)>,
    flushes: BTreeSet<(Duration, AttemptId)>,
    next_number: u64,
    buffer: Vec<u8>,
    /// The job file that is in force, for a scheduler that finds a wrong one.
    pub in_force: Option<String>,
}

impl Keeping {
    /// `own` is this very program, for starts that want it.
    pub fn new(clock: Clock, own: &Path) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let starters = Starters::new(&clock, own)?;
        epoll::add(&epoll, starters.bell(), epoll::EventData::new_u64(BELL), epoll::EventFlags::IN)?;
        let wards_epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &wards_epoll, epoll::EventData::new_u64(WARDS), epoll::EventFlags::IN)?;
        Ok(Self {
            clock,
            epoll,
            wards_epoll,
            put_off_since: None,
            link: None,
            is_sent: true,
            starters,
            wards: BTreeMap::new(),
            numbers: BTreeMap::new(),
            by_number: BTreeMap::new(),
            watched: BTreeSet::new(),
            flushes: BTreeSet::new(),
            next_number: FIRST_WARD,
            buffer: vec![0; READ],
            in_force: None,
        })
    }

    /// Watches a descriptor for whoever drives the loop.
    pub fn watch(&self, descriptor: BorrowedFd, number: u64) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, descriptor, epoll::EventData::new_u64(number), epoll::EventFlags::IN)?)
    }

    /// Another scheduler has come: it is told all that is held.
    pub fn welcome(&mut self, socket: UnixStream, is_first: bool) -> io::Result<()> {
        let mut link = Link::new(socket)?;
        let held: Vec<Held> = self.wards.values().map(|ward| ward.record.held.clone()).collect();
        let pid = i32::try_from(std::process::id()).unwrap_or(0);
        let in_force = self.in_force.clone();
        link.say(&Report::Welcome { protocol: PROTOCOL, pid, is_first, in_force, held }, &[])?;
        for ward in self.wards.values_mut() {
            ward.begin_anew();
            ward.tell(&mut link)?;
        }
        self.watch(link.as_fd(), LINK)?;
        self.link = Some(link);
        self.is_sent = true;
        Ok(())
    }

    /// The scheduler has ended; what it asked for last is done all the same.
    pub fn part_with_scheduler(&mut self) -> io::Result<()> {
        self.hear(&mut Vec::new())?;
        // A descriptor that is closed leaves the epoll.
        self.link = None;
        Ok(())
    }

    pub fn adopt(&mut self, ward: Ward) -> io::Result<()> {
        let id = ward.record.held.id;
        // A ledger that began anew gives the same numbers again; what still has this one ends as it is dropped.
        self.let_go(id);
        let number = self.next_number;
        self.next_number += Source::ALL.len() as u64;
        self.numbers.insert(id, number);
        self.by_number.insert(number, id);
        self.wards.insert(id, ward);
        self.attend(id)
    }

    /// Takes all wards out, to be handed on.
    pub fn into_wards(mut self) -> Vec<Ward> {
        std::mem::take(&mut self.wards).into_values().collect()
    }

    pub fn is_starting(&self) -> bool {
        self.starters.waiting() > 0
    }

    /// Kills all that is kept.
    pub fn end_all(&mut self) -> io::Result<()> {
        for id in self.wards.keys().copied().collect::<Vec<_>>() {
            if let Some(ward) = self.wards.get_mut(&id) {
                ward.discard();
            }
            self.attend(id)?;
        }
        Ok(())
    }

    pub fn is_empty(&self) -> bool {
        self.wards.is_empty()
    }

    /// Waits until something happens or this long, does what is to be done, and says what it leaves to the driver.
    pub fn turn(&mut self, at_most: Option<Duration>) -> io::Result<Vec<Turn>> {
        if let Some(link) = &mut self.link {
            let was_sent = std::mem::replace(&mut self.is_sent, link.flush().unwrap_or(true));
            if was_sent != self.is_sent {
                let out = if self.is_sent { epoll::EventFlags::empty() } else { epoll::EventFlags::OUT };
                let data = epoll::EventData::new_u64(LINK);
                epoll::modify(&self.epoll, &*link, data, epoll::EventFlags::IN | out)?;
            }
        }
        let now = uptime();
        let flush_in = self.flushes.first().map(|(at, _)| at.saturating_sub(now));
        let look_in = self.put_off(now)?;
        let patience = at_most.into_iter().chain(flush_in).chain(look_in).min();
        let timeout = patience.and_then(|patience| Timespec::try_from(patience).ok());
        let mut events = Vec::with_capacity(EVENTS);
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        let mut turns = Vec::new();
        for event in events {
            match event.data.u64() {
                LINK => self.hear(&mut turns)?,
                BELL => self.started()?,
                WARDS => self.look_at_wards()?,
                number => turns.push(Turn::Readable(number)),
            }
        }
        if self.put_off_since.is_some_and(|since| since + PUT_OFF <= uptime()) {
            self.put_off_since = Some(uptime());
            self.look_at_wards()?;
        }
        self.flush_due()?;
        Ok(turns)
    }

    /// Whether the wards are left alone for now; the answer is for how long.
    fn put_off(&mut self, now: Duration) -> io::Result<Option<Duration>> {
        let is_busy = self.starters.waiting() > MANY_STARTS;
        if is_busy != self.put_off_since.is_some() {
            let wanted = if is_busy { epoll::EventFlags::empty() } else { epoll::EventFlags::IN };
            epoll::modify(&self.epoll, &self.wards_epoll, epoll::EventData::new_u64(WARDS), wanted)?;
            self.put_off_since = is_busy.then_some(now);
        }
        Ok(self.put_off_since.map(|since| (since + PUT_OFF).saturating_sub(now)))
    }

    /// Deals with whatever happened to wards.
    fn look_at_wards(&mut self) -> io::Result<()> {
        let mut events = Vec::with_capacity(EVENTS);
        let no_wait = Timespec { tv_sec: 0, tv_nsec: 0 };
        match epoll::wait(&self.wards_epoll, rustix::buffer::spare_capacity(&mut events), Some(&no_wait)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
        for event in events {
            self.happened(event.data.u64())?;
        }
        Ok(())
    }

    fn hear(&mut self, turns: &mut Vec<Turn>) -> io::Result<()> {
        let Some(mut link) = self.link.take() else {
            return Ok(());
        };
        let is_there = link.receive().unwrap_or(false);
        loop {
            match link.next() {
                Ok(Some((request, input))) => {
                    let touched = self.answer(request, input, &mut link, turns)?;
                    if let Some(ward) = touched.and_then(|id| self.wards.get_mut(&id)) {
                        ward.tell(&mut link)?;
                    }
                    if let Some(id) = touched {
                        self.attend(id)?;
                    }
                }
                Ok(None) if is_there => break,
                Ok(None) | Err(_) => {
                    turns.push(Turn::Gone);
                    return Ok(());
                }
            }
        }
        self.link = Some(link);
        Ok(())
    }

    /// Does what is asked; what it returns is whose state may have changed.
    fn answer(
        &mut self,
        request: Request,
        input: Option<std::os::fd::OwnedFd>,
        link: &mut Link,
        turns: &mut Vec<Turn>,
    ) -> io::Result<Option<AttemptId>> {
        let (now, uptime) = (self.clock.now(), uptime());
        match request {
            Request::Start(start) => {
                if let Some(input) = input {
                    self.starters.start(start, input);
                } else {
                    let message = "its standard input did not come with it".to_owned();
                    let errno = Some(rustix::io::Errno::MFILE.raw_os_error());
                    link.say(&Report::NotStarted { id: start.id, errno, message }, &[])?;
                }
                Ok(None)
            }
            Request::Recorded { id, pieces } => {
                if let Some(ward) = self.wards.get_mut(&id) {
                    ward.recorded(pieces as usize);
                }
                Ok(Some(id))
            }
            Request::Close { id } => {
                if let Some(ward) = self.wards.get_mut(&id) {
                    ward.close(now, uptime, &mut self.buffer);
                }
                Ok(Some(id))
            }
            Request::Discard { id } => {
                if let Some(ward) = self.wards.get_mut(&id) {
                    ward.discard();
                }
                Ok(Some(id))
            }
            Request::Forget { id } => {
                self.forget(id);
                Ok(None)
            }
            Request::ForgetRun { run } => {
                self.forget_run(run);
                Ok(None)
            }
            Request::InForce { text } => {
                self.in_force = Some(text);
                Ok(None)
            }
            Request::Ready => {
                turns.push(Turn::Ready);
                Ok(None)
            }
            Request::Notify { state } => {
                turns.push(Turn::Notify(state));
                Ok(None)
            }
        }
    }

    /// What threads have started is kept from now on.
    fn started(&mut self) -> io::Result<()> {
        for (start, begun) in self.starters.take() {
            let id = start.id;
            match begun {
                Ok((begun, process, ends)) => {
                    let held = Held { id, label: start.label, begun: begun.clone() };
                    let ward = Ward::new(held, start.output_limit, start.pattern.as_deref(), process, ends);
                    let report = match self.adopt(ward) {
                        Ok(()) => Report::Started { id, begun },
                        Err(error) => {
                            // What cannot be watched must not run: it is killed as it is dropped.
                            self.let_go(id);
                            Report::NotStarted { id, errno: error.raw_os_error(), message: error.to_string() }
                        }
                    };
                    self.say(&report)?;
                    self.tell(id)?;
                }
                Err(error) => {
                    let (errno, message) = (error.raw_os_error(), error.to_string());
                    self.say(&Report::NotStarted { id, errno, message })?;
                }
            }
        }
        Ok(())
    }

    fn say(&mut self, report: &Report) -> io::Result<()> {
        self.link.as_mut().map_or(Ok(()), |link| link.say(report, &[]))
    }

    /// A descriptor of a ward can be read.
    fn happened(&mut self, number: u64) -> io::Result<()> {
        let Some((first, id)) = self.by_number.range(..=number).next_back().map(|(first, id)| (*first, *id)) else {
            return Ok(());
        };
        let (now, uptime) = (self.clock.now(), uptime());
        let source = usize::try_from(number - first).ok().and_then(|at| Source::ALL.get(at).copied());
        let (Some(ward), Some(source)) = (self.wards.get_mut(&id), source) else {
            return Ok(());
        };
        match source {
            Source::Exit => ward.exited(now, uptime),
            Source::Stdout => ward.read(Stream::Stdout, now, uptime, &mut self.buffer),
            Source::Stderr => ward.read(Stream::Stderr, now, uptime, &mut self.buffer),
        }
        self.tell(id)?;
        self.attend(id)
    }

    /// Tells the scheduler, if there is one, what it does not know yet of a ward.
    fn tell(&mut self, id: AttemptId) -> io::Result<()> {
        match (self.wards.get_mut(&id), &mut self.link) {
            (Some(ward), Some(link)) => ward.tell(link),
            _ => Ok(()),
        }
    }

    fn flush_due(&mut self) -> io::Result<()> {
        let now = uptime();
        while let Some((_, id)) = self.flushes.first().copied().filter(|(at, _)| *at <= now) {
            self.flushes.pop_first();
            if let Some(ward) = self.wards.get_mut(&id) {
                ward.flush();
            }
            self.tell(id)?;
            self.attend(id)?;
        }
        Ok(())
    }

    /// Waits for what there is to wait for, of a ward whose state may have changed; one that is gone is let go.
    fn attend(&mut self, id: AttemptId) -> io::Result<()> {
        let (Some(ward), Some(number)) = (self.wards.get(&id), self.numbers.get(&id).copied()) else {
            return Ok(());
        };
        if ward.is_gone() {
            self.let_go(id);
            return Ok(());
        }
        if let Some(at) = ward.flush_at {
            self.flushes.insert((at, id));
        }
        for (at, source) in (0u8..).zip(Source::ALL) {
            let is_watched = self.watched.contains(&(id, at));
            match ward.attended(source) {
                Some(descriptor) if !is_watched => {
                    let data = epoll::EventData::new_u64(number + u64::from(at));
                    epoll::add(&self.wards_epoll, descriptor, data, epoll::EventFlags::IN)?;
                    self.watched.insert((id, at));
                }
                None if is_watched => {
                    // One that was closed has left by itself.
                    if let Some(descriptor) = ward.descriptor(source) {
                        epoll::delete(&self.wards_epoll, descriptor)?;
                    }
                    self.watched.remove(&(id, at));
                }
                Some(_) | None => {}
            }
        }
        Ok(())
    }

    fn forget(&mut self, id: AttemptId) {
        if self.wards.get(&id).is_some_and(Ward::is_over) {
            self.let_go(id);
        }
    }

    fn forget_run(&mut self, run: RunId) {
        let first = AttemptId { run, attempt: 0, step: 0, step_attempt: 0 };
        let next = AttemptId { run: RunId(run.0 + 1), ..first };
        let of_run: Vec<AttemptId> = self.wards.range(first..next).map(|(id, _)| *id).collect();
        for id in of_run {
            self.forget(id);
        }
    }

    fn let_go(&mut self, id: AttemptId) {
        self.wards.remove(&id);
        if let Some(number) = self.numbers.remove(&id) {
            self.by_number.remove(&number);
        }
        for at in 0..3 {
            self.watched.remove(&(id, at));
        }
    }
}

/// Keeps for a scheduler in this very process until it closes its end, and then ends what is left; for tests and
/// measurements.
pub fn keep_in_this_process(clock: Clock, own: &Path, socket: UnixStream) -> io::Result<()> {
    let mut keeping = Keeping::new(clock, own)?;
    keeping.welcome(socket, true)?;
    while !keeping.turn(None)?.contains(&Turn::Gone) {}
    keeping.end_all()?;
    while !keeping.is_empty() {
        keeping.turn(None)?;
    }
    Ok(())
}

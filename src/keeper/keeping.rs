//! The keeper's loop: what the scheduler asks for, and what happens to the processes that are kept.

use std::collections::BTreeMap;
use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::time::Duration;

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, EventData, EventFlags};
use rustix::io::Errno;

use super::link::Link;
use super::protocol::{News, Report, Request};
use super::starters::Starters;
use super::upgrade::Inheritance;
use super::ward::{Source, Ward};
use crate::clock::{Clock, uptime};
use crate::run::AttemptId;

/// Bytes of one read, the size of a pipe.
const READ: usize = 64 << 10;
/// Descriptors that are looked at in one turn.
const EVENTS: usize = 256;
/// What is waited for besides the wards' descriptors, whose numbers begin behind these.
const LINK: u64 = 0;
const BELL: u64 = 1;
/// The first number for whoever drives the loop.
pub const FOREIGN: u64 = 2;
const FIRST_OF_WARDS: u64 = 16;
const SOURCES: u64 = Source::ALL.len() as u64;
/// What processes wrote is offered to the ledger after at most this long.
const FLUSH_AFTER: Duration = Duration::from_secs(1);
/// While so many starts wait, what happens to those that have begun can wait, too, for so long: it would only take the
/// processor from them.
const MANY_STARTS: usize = 8;
const PUT_OFF: Duration = Duration::from_millis(20);
/// Waited for until it has come, and then only when it is asked for again.
const ONCE: EventFlags = EventFlags::IN.union(EventFlags::ONESHOT);

/// What a turn of the loop leaves to whoever drives it.
#[derive(Debug, PartialEq, Eq)]
pub enum Turn {
    /// A descriptor of the driver's own can be read.
    Readable(u64),
    /// The scheduler has something for systemd.
    Notify(String),
    /// The scheduler has gone, or speaks nonsense.
    Gone,
}

#[derive(Debug)]
pub struct Keeping {
    clock: Clock,
    epoll: OwnedFd,
    /// What can be read of wards, and by when it is; none where there is nothing.
    stirred: Vec<u64>,
    stir_at: Option<Duration>,
    flush_at: Option<Duration>,
    link: Option<Link>,
    starters: Starters,
    wards: BTreeMap<AttemptId, Ward>,
    by_number: BTreeMap<u64, AttemptId>,
    next_number: u64,
    buffer: Vec<u8>,
    /// The job file that is in force, for a scheduler that finds a wrong one.
    in_force: Option<String>,
}

impl Keeping {
    /// `own` is this very program, for starts that want it.
    pub fn new(clock: Clock, own: &Path) -> io::Result<Self> {
        let starters = Starters::new(clock.clone(), own.to_owned())?;
        let keeping = Self {
            clock,
            epoll: epoll::create(CreateFlags::CLOEXEC)?,
            stirred: Vec::new(),
            stir_at: None,
            flush_at: None,
            link: None,
            starters,
            wards: BTreeMap::new(),
            by_number: BTreeMap::new(),
            next_number: FIRST_OF_WARDS,
            buffer: vec![0; READ],
            in_force: None,
        };
        keeping.watch(keeping.starters.bell(), BELL)?;
        Ok(keeping)
    }

    /// Watches a descriptor for whoever drives the loop.
    pub fn watch(&self, descriptor: BorrowedFd, number: u64) -> io::Result<()> {
        Ok(epoll::add(&self.epoll, descriptor, EventData::new_u64(number), EventFlags::IN)?)
    }

    /// Another scheduler has come: it is told all that is held.
    pub fn welcome(&mut self, socket: UnixStream, is_first: bool) -> io::Result<()> {
        let mut link = Link::new(socket)?;
        for ward in self.wards.values_mut() {
            ward.told = 0;
            ward.tell(&mut link);
        }
        link.say(&Report::Welcome { is_first, in_force: self.in_force.clone() });
        epoll::add(&self.epoll, &link.socket, EventData::new_u64(LINK), link.wanted())?;
        self.link = Some(link);
        Ok(())
    }

    /// The scheduler has ended; what it asked for last is done all the same.
    pub fn part_with_scheduler(&mut self) -> io::Result<()> {
        self.hear(&mut Vec::new())?;
        self.link = None;
        Ok(())
    }

    pub fn adopt(&mut self, mut ward: Ward) -> io::Result<()> {
        let id = ward.id;
        // A ledger that began anew gives the same numbers again; what still has this one ends as it is dropped.
        self.let_go(id);
        ward.number = self.next_number;
        for (source, descriptor) in ward.sources() {
            epoll::add(&self.epoll, descriptor, data_of(&ward, source), ONCE)?;
        }
        self.next_number += 1;
        self.by_number.insert(ward.number, id);
        self.wards.insert(id, ward);
        Ok(())
    }

    /// Takes out all that is kept, to be handed on.
    pub fn hand_on(&mut self) -> Inheritance {
        let wards = std::mem::take(&mut self.wards).into_values().collect();
        Inheritance { wards, in_force: self.in_force.take() }
    }

    /// Keeps what was handed on.
    pub fn inherit(&mut self, Inheritance { wards, in_force }: Inheritance) -> io::Result<()> {
        self.in_force = in_force;
        self.flush_at = Some(uptime());
        wards.into_iter().try_for_each(|ward| self.adopt(ward.inherited()))
    }

    pub fn is_starting(&self) -> bool {
        self.starters.under_way > 0
    }

    /// Waits until something happens or it is so late, does what is to be done, and says what it leaves to the driver.
    pub fn turn(&mut self, until: Option<Duration>) -> io::Result<Vec<Turn>> {
        if let Some(link) = &mut self.link
            && link.flush()
        {
            epoll::modify(&self.epoll, &link.socket, EventData::new_u64(LINK), link.wanted())?;
        }
        let mut turns = Vec::new();
        for number in wait(&self.epoll, [until, self.stir_at, self.flush_at].into_iter().flatten().min())? {
            match number {
                LINK => self.hear(&mut turns)?,
                BELL => self.started()?,
                FOREIGN..FIRST_OF_WARDS => turns.push(Turn::Readable(number)),
                _ => self.stirred.push(number),
            }
        }
        let (now, is_busy) = (uptime(), self.starters.under_way > MANY_STARTS);
        let stir_at = *self.stir_at.get_or_insert(now + PUT_OFF);
        if !is_busy || self.stirred.is_empty() || stir_at <= now {
            self.stir_at = None;
            for number in std::mem::take(&mut self.stirred) {
                self.stirred(number)?;
            }
        }
        if self.flush_at.take_if(|at| *at <= now).is_some() {
            for ward in self.wards.values_mut() {
                ward.flush();
                self.link.iter_mut().for_each(|link| ward.tell(link));
            }
        }
        Ok(turns)
    }

    /// Says something to the scheduler, if there is one.
    pub fn say(&mut self, report: &Report) {
        self.link.iter_mut().for_each(|link| link.say(report));
    }

    fn hear(&mut self, turns: &mut Vec<Turn>) -> io::Result<()> {
        let mut requests = Vec::new();
        let is_there = self.link.as_mut().is_some_and(|link| link.receive(&mut requests).is_ok());
        for request in requests {
            self.answer(request, turns)?;
        }
        if !is_there {
            self.link = None;
            turns.push(Turn::Gone);
        }
        Ok(())
    }

    fn answer(&mut self, request: Request, turns: &mut Vec<Turn>) -> io::Result<()> {
        match request {
            Request::Start(start) => {
                let input = self.link.as_mut().and_then(Link::input);
                self.starters.start(start, input);
            }
            Request::Recorded { id, pieces } => {
                self.wards.get_mut(&id).into_iter().for_each(|ward| ward.recorded(pieces));
                self.attend(id, &Source::ALL)?;
            }
            Request::Close { id } => {
                let now = self.clock.now();
                self.wards.get_mut(&id).into_iter().for_each(|ward| ward.close(now, &mut self.buffer));
                self.attend(id, &[])?;
            }
            Request::Discard { id } => self.let_go(id),
            Request::Forget { first, last } => {
                let over = self.wards.range(first..=last).filter(|(_, ward)| ward.is_over());
                over.map(|(id, _)| *id).collect::<Vec<_>>().into_iter().for_each(|id| self.let_go(id));
            }
            Request::InForce { text } => self.in_force = Some(text),
            Request::Notify { state } => turns.push(Turn::Notify(state)),
        }
        Ok(())
    }

    /// What threads have started is kept from now on. What cannot be watched must not run: it is killed as it is dropped.
    fn started(&mut self) -> io::Result<()> {
        for (id, started) in self.starters.take() {
            if let Err(error) = started.and_then(|ward| self.adopt(ward)) {
                let news = News::NotStarted { errno: error.raw_os_error(), message: error.to_string() };
                self.say(&Report::Of(id, news));
            }
            self.attend(id, &[])?;
        }
        Ok(())
    }

    /// A descriptor of a ward can be read.
    fn stirred(&mut self, number: u64) -> io::Result<()> {
        let (of, source) = (number / SOURCES, Source::ALL[usize::try_from(number % SOURCES).unwrap_or(0)]);
        let Some(ward) = self.by_number.get(&of).and_then(|id| self.wards.get_mut(id)) else {
            return Ok(());
        };
        let (id, uptime) = (ward.id, uptime());
        ward.stirred(source, self.clock.now(), uptime, &mut self.buffer);
        self.flush_at.get_or_insert(uptime + FLUSH_AFTER);
        self.attend(id, &[source])
    }

    /// Tells the scheduler, if there is one, what it does not know yet of a ward whose state may have changed, and waits for
    /// what may come next from where it is not waited for any more.
    fn attend(&mut self, id: AttemptId, again: &[Source]) -> io::Result<()> {
        let Some(ward) = self.wards.get_mut(&id) else {
            return Ok(());
        };
        self.link.iter_mut().for_each(|link| ward.tell(link));
        for (source, descriptor) in ward.sources().filter(|(source, _)| again.contains(source) && ward.has_room()) {
            epoll::modify(&self.epoll, descriptor, data_of(ward, source), ONCE)?;
        }
        Ok(())
    }

    /// One that still runs is killed.
    fn let_go(&mut self, id: AttemptId) {
        if let Some(ward) = self.wards.remove(&id) {
            self.by_number.remove(&ward.number);
        }
    }
}

/// By which the descriptor of a ward is known.
fn data_of(ward: &Ward, source: Source) -> EventData {
    EventData::new_u64(ward.number * SOURCES + source as u64)
}

/// The numbers of what can be read, waited for until it is so late.
fn wait(epoll: &OwnedFd, until: Option<Duration>) -> io::Result<Vec<u64>> {
    let timeout = until.and_then(|until| Timespec::try_from(until.saturating_sub(uptime())).ok());
    let mut events = Vec::with_capacity(EVENTS);
    match epoll::wait(epoll, rustix::buffer::spare_capacity(&mut events), timeout.as_ref()) {
        Ok(_) | Err(Errno::INTR) => Ok(events.into_iter().map(|event: epoll::Event| event.data.u64()).collect()),
        Err(error) => Err(error.into()),
    }
}

/// Keeps for a scheduler in this very process until it closes its end; for tests and measurements.
pub fn keep_in_this_process(clock: Clock, own: &Path, socket: UnixStream) -> io::Result<()> {
    let mut keeping = Keeping::new(clock, own)?;
    keeping.welcome(socket, true)?;
    while !keeping.turn(None)?.contains(&Turn::Gone) {}
    Ok(())
}

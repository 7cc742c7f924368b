//! The service's main process: the scheduler is its child, and what reaches one reaches the other.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

use super::keeping::{FOREIGN, Keeping, Turn};
use super::leaf::move_into_leaf;
use super::process::Process;
use super::protocol::{Asked, READY, Report};
use super::upgrade::{ANSWER_WITHIN, INHERITANCE, OWN, Probe, hand_over, inherit, itself, own_program, was_replaced};
use crate::clock::{Clock, uptime};
use crate::family::{reap_orphans, take_in_orphans};
use crate::heritage::{hold_signals_back, let_signals_through};

/// Before a scheduler is started again.
const PAUSE: Duration = Duration::from_millis(100);
/// From the start of a scheduler to the next one's: one that ends at once is not to take the processor from the jobs.
const SPACING: Duration = Duration::from_secs(2);
/// Ends of children come in swarms; orphans can wait for so long.
const ORPHANS_AFTER: Duration = Duration::from_millis(100);
/// A scheduler that closes its end of the line is about to end, and may have much to move from the ledger's log before.
const GOODBYE: Duration = Duration::from_secs(60);

/// The exit code where the end is demanded, and demanded again, while no scheduler is there to record it.
const NOBODY_TO_STOP: u8 = 3;

const SIGNALS: [i32; 4] = [SIGTERM, SIGINT, SIGHUP, SIGCHLD];
/// What is waited for besides what is kept.
const SIGNALLED: u64 = FOREIGN;
const ENDED: u64 = FOREIGN + 1;
const ANSWERED: u64 = FOREIGN + 2;

struct Service {
    keeping: Keeping,
    /// What comes of each signal.
    signals: Vec<(i32, UnixStream)>,
    /// Where this program's file is, or another version's by now.
    program: PathBuf,
    arguments: Vec<OsString>,
    scheduler_flag: OsString,
    /// With what can be read when it has ended.
    scheduler: Option<(Process, OwnedFd)>,
    /// What is to be done when, since the machine booted.
    errands: BTreeMap<Errand, Duration>,
    /// When the last scheduler was started.
    begun_at: Duration,
    /// Whether a scheduler was at work: from then on one that ends unasked is followed by another.
    is_proven: bool,
    is_stopping: bool,
    /// A question to the program that is to take this one's place.
    probe: Option<Probe>,
    /// The scheduler was ended so that another program can take over.
    is_being_replaced: bool,
    /// With what it ends.
    code: Option<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Errand {
    Begin,
    ReapOrphans,
    /// Of a scheduler that has closed its end of the line, and is none any more.
    End,
    /// Whatever the new program has answered by then.
    Conclude,
}

/// Starts the scheduler by these arguments of the program and keeps its commands until it has ended; the answer is the exit
/// code.
pub fn keep(arguments: Vec<OsString>, scheduler_flag: &str) -> io::Result<u8> {
    take_in_orphans()?;
    if let Err((leaf, error)) = move_into_leaf() {
        say(&format!("cannot move into the cgroup {leaf}: {error}"));
    }
    let signals = SIGNALS.into_iter().map(listen).collect::<io::Result<Vec<_>>>()?;
    // Before there is another thread, which would hold back what this one does, and so would its children.
    let_signals_through()?;
    let mut keeping = Keeping::new(Clock::System, Path::new(OWN))?;
    for (_, pipe) in &signals {
        keeping.watch(pipe.as_fd(), SIGNALLED)?;
    }
    let inheritance = inherit()?;
    // A program that takes another one's place takes over from a scheduler that was at work.
    let is_proven = inheritance.is_some();
    inheritance.map_or(Ok(()), |inheritance| keeping.inherit(inheritance))?;
    let mut service = Service {
        keeping,
        signals,
        program: own_program()?,
        arguments,
        scheduler_flag: scheduler_flag.into(),
        scheduler: None,
        errands: BTreeMap::from([(Errand::Begin, Duration::ZERO)]),
        begun_at: Duration::ZERO,
        is_proven,
        is_stopping: false,
        probe: None,
        is_being_replaced: false,
        code: None,
    };
    while service.code.is_none() {
        service.turn()?;
    }
    Ok(service.code.unwrap_or_default())
}

/// A pipe that has a byte for each of these signals.
fn listen(signal: i32) -> io::Result<(i32, UnixStream)> {
    let (ours, theirs) = UnixStream::pair()?;
    ours.set_nonblocking(true)?;
    signal_hook::low_level::pipe::register(signal, theirs)?;
    Ok((signal, ours))
}

impl Service {
    /// Waits for what happens next, and does what follows from it.
    fn turn(&mut self) -> io::Result<()> {
        for turn in self.keeping.turn(self.errands.values().min().copied())? {
            match turn {
                Turn::Readable(ENDED) => self.ended()?,
                Turn::Readable(ANSWERED) => self.conclude(),
                Turn::Readable(_) => self.take_signals(),
                Turn::Notify(state) => self.notify(&state),
                Turn::Gone => self.after(GOODBYE, Errand::End),
            }
        }
        let now = uptime();
        for (errand, _) in self.errands.extract_if(.., |_, at| *at <= now).collect::<Vec<_>>() {
            match errand {
                // What the last scheduler asked for has to have begun, or this one would not be told.
                Errand::Begin if self.keeping.is_starting() => self.after(PAUSE, Errand::Begin),
                Errand::Begin => self.begin()?,
                Errand::ReapOrphans => reap_orphans(),
                Errand::End => self.kill(),
                Errand::Conclude => self.conclude(),
            }
        }
        Ok(())
    }

    fn after(&mut self, pause: Duration, errand: Errand) {
        self.errands.insert(errand, uptime() + pause);
    }

    /// Starts a scheduler, if another program does not take over.
    fn begin(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.is_being_replaced) {
            // What comes from here on is for the next program to hear; what came before is for this one.
            hold_signals_back()?;
            self.take_signals();
            if !self.is_stopping {
                hand_over(&self.program, &self.arguments, &self.keeping.hand_on())?;
            }
            let_signals_through()?;
        }
        match self.spawn() {
            Err(error) if self.is_proven => {
                self.begin_again(&format!("cannot be started: {error}"));
                Ok(())
            }
            result => result,
        }
    }

    fn spawn(&mut self) -> io::Result<()> {
        self.begun_at = uptime();
        let (ours, theirs) = UnixStream::pair()?;
        let mut command = itself(Path::new(OWN), &self.arguments);
        command.arg(&self.scheduler_flag).stdin(OwnedFd::from(theirs));
        command.env_remove(INHERITANCE).env_remove("WATCHDOG_PID");
        // What a terminal sends to the whole group is passed on, and does not come twice: it has one of its own.
        let (process, _) = Process::start(&mut command)?;
        let end = process.watch()?;
        self.keeping.watch(end.as_fd(), ENDED)?;
        self.scheduler = Some((process, end));
        self.errands.remove(&Errand::End);
        self.keeping.welcome(ours, !self.is_proven)?;
        // What the last one has not closed, this one does.
        if self.is_stopping {
            self.keeping.say(&Report::Asked(Asked::Stop));
        }
        Ok(())
    }

    fn begin_again(&mut self, why: &str) {
        say(&format!("the scheduler {why}; it is started again"));
        self.errands.insert(Errand::Begin, (self.begun_at + SPACING).max(uptime() + PAUSE));
    }

    /// The scheduler has ended: so does the service, or another one is started.
    fn ended(&mut self) -> io::Result<()> {
        self.keeping.part_with_scheduler()?;
        let Some((process, _)) = self.scheduler.take() else {
            return Ok(());
        };
        let status = process.reap()?.status;
        if self.is_being_replaced {
            self.after(Duration::ZERO, Errand::Begin);
        } else if !self.is_proven || self.is_stopping && status.code().is_some() {
            // As shells tell it.
            let code = status.code().or(status.signal().map(|signal| 128 + signal));
            self.code = code.and_then(|code| u8::try_from(code).ok()).or(Some(u8::MAX));
        } else {
            self.begin_again(&format!("has ended unasked, by {status:?}"));
        }
        Ok(())
    }

    /// Passes on to systemd what the scheduler says, and listens.
    fn notify(&mut self, state: &str) {
        self.is_proven |= state == READY;
        if let Err(error) = sd_notify::notify(&[NotifyState::Custom(state)]) {
            say(&format!("systemd cannot be told: {error}"));
        }
    }

    /// Does what follows from signals that have come.
    fn take_signals(&mut self) {
        let mut came = Vec::new();
        for (signal, pipe) in &mut self.signals {
            // A second time it means that nobody waits any longer.
            let times = pipe.read(&mut [0; 64]).unwrap_or(0).min(2);
            came.extend(std::iter::repeat_n(*signal, times));
        }
        for signal in came {
            match signal {
                SIGCHLD => {
                    self.errands.entry(Errand::ReapOrphans).or_insert(uptime() + ORPHANS_AFTER);
                }
                SIGHUP if self.is_stopping || self.probe.is_some() => {}
                SIGHUP if was_replaced(&self.program) => self.ask_the_new_one(),
                SIGHUP => self.keeping.say(&Report::Asked(Asked::Reload)),
                _ => self.stop(),
            }
        }
    }

    /// The end is demanded. Where no scheduler is there to record it, the next one is told; who does not want to wait for that
    /// demands it once more.
    fn stop(&mut self) {
        let again = std::mem::replace(&mut self.is_stopping, true);
        self.keeping.say(&Report::Asked(Asked::Stop));
        if self.scheduler.is_none() {
            self.after(Duration::ZERO, Errand::Begin);
            self.code = again.then_some(NOBODY_TO_STOP);
        }
    }

    fn kill(&self) {
        if let Some((process, _)) = &self.scheduler {
            // The one error that can come is that it has ended.
            let _ = kill_process(process.pid, Signal::KILL);
        }
    }

    /// Another file is where this program's was: it takes over if it speaks as this one does.
    fn ask_the_new_one(&mut self) {
        let asked = Probe::ask(&self.program);
        let watched = |probe: Probe| self.keeping.watch(probe.answer.as_fd(), ANSWERED).map(|()| probe);
        match asked.and_then(watched) {
            Ok(probe) => {
                self.probe = Some(probe);
                self.after(ANSWER_WITHIN, Errand::Conclude);
            }
            Err(error) => self.stay(&format!("{} cannot be asked: {error}", self.program.display())),
        }
    }

    fn conclude(&mut self) {
        self.errands.remove(&Errand::Conclude);
        match self.probe.take().map(Probe::conclude) {
            // Whoever starts the service again starts the new one.
            _ if self.is_stopping => {}
            Some(Ok(())) => {
                say("the program was replaced; the new one takes over, and running commands go on");
                self.is_being_replaced = true;
                // What it has not recorded, it has not done: whoever comes next goes on from the ledger.
                self.kill();
                if self.scheduler.is_none() {
                    self.after(Duration::ZERO, Errand::Begin);
                }
            }
            Some(Err(why)) => self.stay(&why),
            None => {}
        }
    }

    fn stay(&mut self, why: &str) {
        say(&format!("the program was replaced, but {why}: this one stays; the file is read again"));
        self.keeping.say(&Report::Asked(Asked::Reload));
    }
}

/// The keeper's own few lines go where the scheduler's log goes.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "punctual: {line}");
}

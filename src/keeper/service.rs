//! The service's main process: the scheduler is its child, and what reaches one reaches the other.

use std::ffi::OsString;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::JoinHandle;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use sd_notify::NotifyState;
use signal_hook::consts::{SIGCHLD, SIGHUP, SIGINT, SIGTERM};

use super::heritage::{hold_signals_back, let_signals_through};
use super::keeping::{FOREIGN, Keeping, Turn};
use super::leaf::move_into_leaf;
use super::probe::ask;
use super::upgrade::{Inherited, OWN_VARIABLES, exec, inherit, own_program, was_replaced};
use crate::clock::{Clock, uptime};
use crate::family::{Kin, born, reap_orphans, take_in_orphans};

/// This program, whatever has become of its file.
const OWN: &str = "/proc/self/exe";
/// Before a scheduler that has ended by itself is started again; the pause doubles each time.
const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// A scheduler that was at work for so long begins with the first pause again.
const STABLE: Duration = Duration::from_secs(10);
/// Ends of children come in swarms; orphans can wait for so long.
const ORPHANS_AFTER: Duration = Duration::from_millis(100);
/// A scheduler that closes its end of the line is about to end, and may have much to move from the ledger's log before.
const GOODBYE: Duration = Duration::from_secs(60);
/// For how long killed commands are waited for in the end.
const LAST_PATIENCE: Duration = Duration::from_secs(10);

/// The exit code where the end is demanded, and demanded again, while no scheduler is there to record it.
const NOBODY_TO_STOP: u8 = 3;

/// What is waited for besides what is kept.
const ENDED: u64 = FOREIGN;
const PROBED: u64 = FOREIGN + 1;
const FIRST_SIGNAL: u64 = FOREIGN + 2;
const SIGNALS: [i32; 4] = [SIGTERM, SIGINT, SIGHUP, SIGCHLD];
const HELD_BACK: [nix::sys::signal::Signal; 3] =
    [nix::sys::signal::SIGTERM, nix::sys::signal::SIGINT, nix::sys::signal::SIGHUP];
const NO_WAIT: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Starts the scheduler by these arguments of the program and keeps its commands until it has ended; the answer is the exit
/// code.
pub fn keep(arguments: Vec<OsString>, scheduler_flag: &str) -> io::Result<u8> {
    take_in_orphans()?;
    if let Err((leaf, error)) = move_into_leaf() {
        say(&format!("cannot move into the cgroup {leaf}: {error}"));
    }
    let program = own_program()?;
    let mut signals = Vec::new();
    for signal in SIGNALS {
        let (ours, theirs) = UnixStream::pair()?;
        ours.set_nonblocking(true)?;
        signal_hook::low_level::pipe::register(signal, theirs)?;
        signals.push(ours);
    }
    // Before there is another thread, which would hold back what this one does, and so would its children.
    let_signals_through()?;
    let mut keeping = Keeping::new(Clock::System, Path::new(OWN))?;
    for (number, signal) in (FIRST_SIGNAL..).zip(&signals) {
        keeping.watch(signal.as_fd(), number)?;
    }
    let inheritance = inherit()?;
    // A program that takes another one's place takes over from a scheduler that was at work.
    let is_proven = inheritance.is_some();
    if let Some(Inherited { wards, in_force }) = inheritance {
        for ward in wards {
            keeping.adopt(ward)?;
        }
        keeping.in_force = in_force;
    }
    let mut scheduler_arguments = arguments.clone();
    scheduler_arguments.push(scheduler_flag.into());
    let mut service = Service {
        keeping,
        signals,
        program,
        arguments,
        scheduler_arguments,
        scheduler: None,
        begin_at: Some(Duration::ZERO),
        pause: FIRST_PAUSE,
        is_proven,
        is_stopping: false,
        pending: None,
        probe: None,
        is_being_replaced: false,
        orphans_at: None,
        kill_at: None,
    };
    let code = loop {
        if let Some(code) = service.turn()? {
            break code;
        }
    };
    service.end_all()?;
    Ok(code)
}

struct Service {
    keeping: Keeping,
    signals: Vec<UnixStream>,
    /// Where this program's file is, or another version's by now.
    program: PathBuf,
    arguments: Vec<OsString>,
    scheduler_arguments: Vec<OsString>,
    scheduler: Option<Scheduler>,
    /// When a scheduler is to be started, since the machine booted.
    begin_at: Option<Duration>,
    pause: Duration,
    /// Whether one was at work: from then on one that ends unasked is followed by another.
    is_proven: bool,
    is_stopping: bool,
    /// What the scheduler is to be told once it is at work: before that a signal would end it.
    pending: Option<Signal>,
    probe: Option<Probe>,
    /// The scheduler was ended so that another program can take over.
    is_being_replaced: bool,
    orphans_at: Option<Duration>,
    /// When a scheduler that has closed its end of the line, and is none any more, is ended.
    kill_at: Option<Duration>,
}

struct Scheduler {
    child: Child,
    _kin: Kin,
    /// Readable when it has ended.
    _pidfd: OwnedFd,
    since: Duration,
    is_ready: bool,
}

/// A question to the program that is to take this one's place.
struct Probe {
    thread: JoinHandle<Result<(), String>>,
    _done: UnixStream,
}

impl Service {
    /// Waits for what happens next; an exit code ends it.
    fn turn(&mut self) -> io::Result<Option<u8>> {
        self.begin_if_due()?;
        let now = uptime();
        let begin_in = self.begin_at.map(|at| at.saturating_sub(now));
        let orphans_in = self.orphans_at.map(|at| at.saturating_sub(now));
        let kill_in = self.kill_at.map(|at| at.saturating_sub(now));
        let turns = self.keeping.turn(begin_in.into_iter().chain(orphans_in).chain(kill_in).min())?;
        for turn in turns {
            match turn {
                Turn::Readable(ENDED) => {
                    if let Some(code) = self.ended()? {
                        return Ok(Some(code));
                    }
                }
                Turn::Readable(PROBED) => self.probed(),
                Turn::Readable(number) => {
                    if let Some(code) = self.signalled(number) {
                        return Ok(Some(code));
                    }
                }
                Turn::Ready => {
                    self.is_proven = true;
                    tell_systemd("READY=1");
                    if let Some(scheduler) = &mut self.scheduler {
                        scheduler.is_ready = true;
                    }
                    if let Some(signal) = self.pending.take() {
                        self.pass_on(signal);
                    }
                }
                Turn::Notify(state) => tell_systemd(&state),
                Turn::Gone => self.kill_at = Some(uptime() + GOODBYE),
            }
        }
        if self.kill_at.is_some_and(|at| at <= uptime()) {
            self.kill_at = None;
            self.pass_on(Signal::KILL);
        }
        if self.orphans_at.is_some_and(|at| at <= uptime()) {
            self.orphans_at = None;
            reap_orphans();
        }
        Ok(None)
    }

    /// Starts a scheduler when it is time; not before what the last one asked for has begun, or it would not be told.
    fn begin_if_due(&mut self) -> io::Result<()> {
        if self.scheduler.is_some() || self.begin_at.is_none_or(|at| at > uptime()) {
            return Ok(());
        }
        if self.keeping.is_starting() {
            self.begin_at = Some(uptime() + FIRST_PAUSE);
            return Ok(());
        }
        if std::mem::take(&mut self.is_being_replaced) {
            // Its threads are not to hold back what this one is about to.
            let fresh = Keeping::new(Clock::System, Path::new(OWN))?;
            // What comes from here on is for the next program to hear; what came before is for this one.
            hold_signals_back(&HELD_BACK)?;
            self.listen();
            if !self.is_stopping {
                self.hand_over(fresh)?;
            }
            let_signals_through()?;
        }
        self.begin_at = None;
        match self.begin() {
            Err(error) if self.is_proven => {
                say(&format!("the scheduler cannot be started: {error}; it is tried again in {:?}", self.pause));
                self.begin_at = Some(uptime() + self.pause);
                self.pause = (self.pause * 2).min(LONGEST_PAUSE);
                Ok(())
            }
            result => result,
        }
    }

    fn begin(&mut self) -> io::Result<()> {
        let (ours, theirs) = UnixStream::pair()?;
        #[expect(clippy::disallowed_methods, reason = "the scheduler is no job")]
        let mut command = Command::new(OWN);
        command.arg0(self.arguments.first().cloned().unwrap_or_default());
        command.args(self.scheduler_arguments.iter().skip(1)).stdin(Stdio::from(OwnedFd::from(theirs)));
        // What a terminal sends to the whole group is passed on, and must not come twice.
        command.process_group(0);
        for name in OWN_VARIABLES {
            command.env_remove(name);
        }
        let (kin, child) = born(|| {
            let child = command.spawn()?;
            Ok((Pid::from_child(&child).as_raw_nonzero().get(), child))
        })?;
        let pidfd = pidfd_open(Pid::from_child(&child), PidfdFlags::NONBLOCK)?;
        self.keeping.watch(pidfd.as_fd(), ENDED)?;
        self.scheduler = Some(Scheduler { child, _kin: kin, _pidfd: pidfd, since: uptime(), is_ready: false });
        self.keeping.welcome(ours, !self.is_proven)
    }

    /// The scheduler has ended: so does the service, or another one is started.
    fn ended(&mut self) -> io::Result<Option<u8>> {
        self.keeping.part_with_scheduler()?;
        self.kill_at = None;
        let Some(mut scheduler) = self.scheduler.take() else {
            return Ok(None);
        };
        let status = scheduler.child.wait()?;
        if self.is_being_replaced {
            self.begin_at = Some(Duration::ZERO);
            return Ok(None);
        }
        if self.is_stopping && status.signal() == Some(SIGTERM) {
            return Ok(Some(0));
        }
        if !self.is_proven || self.is_stopping && status.code().is_some() {
            return Ok(Some(code_of(status)));
        }
        if self.is_stopping {
            // What it has not closed, the next one does.
            self.pending = Some(Signal::TERM);
        }
        if uptime().saturating_sub(scheduler.since) > STABLE {
            self.pause = FIRST_PAUSE;
        }
        say(&format!("the scheduler has ended unasked, {status}; it is started again in {:?}", self.pause));
        self.begin_at = Some(uptime() + self.pause);
        self.pause = (self.pause * 2).min(LONGEST_PAUSE);
        Ok(None)
    }

    /// Takes signals that have come and were not looked at.
    fn listen(&mut self) {
        for number in (FIRST_SIGNAL..).take(SIGNALS.len()) {
            let mut poll =
                [PollFd::new(&self.signals[usize::try_from(number - FIRST_SIGNAL).unwrap_or(0)], PollFlags::IN)];
            if rustix::event::poll(&mut poll, Some(&NO_WAIT)).is_ok_and(|ready| ready > 0) {
                self.signalled(number);
            }
        }
    }

    fn signalled(&mut self, number: u64) -> Option<u8> {
        let at = usize::try_from(number - FIRST_SIGNAL).ok()?;
        let mut bytes = [0; 64];
        let came = self.signals.get_mut(at)?.read(&mut bytes).unwrap_or(0);
        match *SIGNALS.get(at)? {
            SIGCHLD => {
                self.orphans_at.get_or_insert_with(|| uptime() + ORPHANS_AFTER);
            }
            SIGHUP if self.is_stopping => {}
            SIGHUP if was_replaced(&self.program) => self.ask_the_new_one(),
            SIGHUP => self.tell(Signal::HUP),
            // A second time it means that nobody waits any longer.
            _ => return (0..came.min(2)).find_map(|_| self.stop()),
        }
        None
    }

    /// The end is demanded. Where no scheduler is there to record it, the next one is told as soon as it is at work; who does
    /// not want to wait for that demands it once more.
    fn stop(&mut self) -> Option<u8> {
        let again = std::mem::replace(&mut self.is_stopping, true);
        // To the scheduler both say the same, and two of one kind may come to it as one.
        if again {
            self.pass_on(Signal::INT);
        } else if self.is_proven {
            self.tell(Signal::TERM);
        } else {
            // Nothing has begun yet that would have to be recorded.
            self.pass_on(Signal::TERM);
        }
        if self.scheduler.is_some() {
            return None;
        }
        self.begin_at = Some(Duration::ZERO);
        again.then_some(NOBODY_TO_STOP)
    }

    /// Tells the scheduler, as soon as it is at work.
    fn tell(&mut self, signal: Signal) {
        if self.scheduler.as_ref().is_some_and(|scheduler| scheduler.is_ready) {
            self.pass_on(signal);
        } else if self.pending != Some(Signal::TERM) {
            self.pending = Some(signal);
        }
    }

    fn pass_on(&self, signal: Signal) {
        if let Some(scheduler) = &self.scheduler {
            // The one error that can come is that it has ended.
            let _ = kill_process(Pid::from_child(&scheduler.child), signal);
        }
    }

    /// Another file is where this program's was: it takes over if it speaks as this one does.
    fn ask_the_new_one(&mut self) {
        if self.probe.is_some() {
            return;
        }
        let asked = UnixStream::pair().and_then(|(done, bell)| {
            let program = self.program.clone();
            let question = std::thread::Builder::new().name("probe".to_owned());
            let thread = question.spawn(move || {
                let answer = ask(&program);
                let _ = (&bell).write_all(b"!");
                answer
            })?;
            self.keeping.watch(done.as_fd(), PROBED)?;
            Ok(Probe { thread, _done: done })
        });
        match asked {
            Ok(probe) => self.probe = Some(probe),
            Err(error) => say(&format!("the program was replaced, and the new one cannot be asked: {error}")),
        }
    }

    fn probed(&mut self) {
        let Some(Probe { thread, .. }) = self.probe.take() else {
            return;
        };
        if self.is_stopping {
            // Whoever starts the service again starts the new one.
            return;
        }
        match thread.join().unwrap_or_else(|_| Err("the question failed".to_owned())) {
            Ok(()) => {
                say("the program was replaced; the new one takes over, and running commands go on");
                self.is_being_replaced = true;
                // What it has not recorded, it has not done: whoever comes next goes on from the ledger.
                self.pass_on(Signal::KILL);
                if self.scheduler.is_none() {
                    self.begin_at = Some(Duration::ZERO);
                }
            }
            Err(why) => {
                say(&format!("the program was replaced, but {why}: this one stays; the file is read again"));
                self.tell(Signal::HUP);
            }
        }
    }

    /// Lets the new program take this one's place; comes back only if it cannot.
    fn hand_over(&mut self, fresh: Keeping) -> io::Result<()> {
        let mut old = std::mem::replace(&mut self.keeping, fresh);
        self.keeping.in_force = old.in_force.take();
        let (error, wards) = exec(&self.program, &self.arguments, old.into_wards(), self.keeping.in_force.as_deref());
        say(&format!("the new program cannot take over: {error}; this one stays"));
        for (number, signal) in (FIRST_SIGNAL..).zip(&self.signals) {
            self.keeping.watch(signal.as_fd(), number)?;
        }
        for ward in wards {
            self.keeping.adopt(ward)?;
        }
        Ok(())
    }

    /// Nothing is left behind.
    fn end_all(&mut self) -> io::Result<()> {
        self.keeping.end_all()?;
        let until = uptime() + LAST_PATIENCE;
        while !self.keeping.is_empty() && uptime() < until {
            self.keeping.turn(Some(ORPHANS_AFTER))?;
        }
        Ok(())
    }
}

/// As shells tell it.
fn code_of(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(u8::MAX)
}

fn tell_systemd(state: &str) {
    if let Err(error) = sd_notify::notify(&[NotifyState::Custom(state)]) {
        say(&format!("systemd cannot be told: {error}"));
    }
}

/// The keeper's own few lines go where the scheduler's log goes.
fn say(line: &str) {
    let _ = writeln!(io::stderr(), "punctual: {line}");
}

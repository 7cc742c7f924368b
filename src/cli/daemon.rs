//! `punctual daemon`: runs in the foreground until it is told to stop.

use std::fs::File;
use std::os::unix::net::UnixStream;
use std::path::Path;

use rustix::io::fcntl_dupfd_cloexec;
use rustix::process::{Signal, getppid, set_parent_process_death_signal};
use rustix::stdio::{dup2_stdin, stdin};

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::args::{DaemonArguments, Global};
use super::check::{complain_about, plain_lines, report};
use super::places::{config_file, environment, state_folder};
use super::screen::Screen;
use super::typed::{called, ours};
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::daemon::{Demand, LockError, Setup, StartError, Telling, init_log, run as run_daemon};
use crate::heritage::drop_heritage;
use crate::settings::Flags;

/// Threads of the runtime. Nothing on them blocks; more would only take turns at the planner's door.
const WORKERS: usize = 2;
/// Signals that wait to be looked at.
const DEMANDS: usize = 8;

/// Becomes the keeper, whose scheduler is started with the same arguments and this one; the answer is its exit code.
pub fn keep() -> std::io::Result<u8> {
    // Before there is any thread.
    drop_heritage()?;
    crate::keeper::keep(std::env::args_os().collect(), &format!("--kept={}", std::process::id()))
}

/// Runs the scheduler.
pub fn run(global: &Global, verb: &DaemonArguments, screen: &mut Screen) -> Answer {
    let keeper = take_line(verb.kept.unwrap_or_default()).map_err(|error| Refusal::chain(Done::Misused, &error))?;
    init_log(screen.colors_errors());
    let state = state_folder(global)?;
    refuse_what_is_no_text(&state)?;
    let config = config_file(global, None)?;
    let setup = Setup {
        called: called(&config, &state),
        config,
        state,
        flags: Flags {
            database: verb.database.clone(),
            timezone: verb.timezone.clone(),
            max_running: verb.max_running,
            stop_grace: verb.stop_grace.clone(),
            when_unrecordable: verb.when_unrecordable.clone(),
        },
        environment: environment(),
        clock: Clock::System,
        telling: Telling { lines: plain_lines, report },
        keeper,
        wishes: None,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(WORKERS)
        .enable_all()
        .build()
        .map_err(|error| Refusal::chain(Done::Unreachable, &error))?;
    let result = runtime.block_on(async {
        let (demands, demands_out) = mpsc::channel(DEMANDS);
        let listening = listen(demands);
        tokio::select! {
            result = run_daemon(setup, demands_out) => result,
            error = listening => Err(StartError::Io(error)),
        }
    });
    match result {
        Ok(()) => Ok(Done::Well),
        Err(StartError::WrongFile(configuration)) => {
            complain_about(&configuration, screen);
            let path = configuration.path.display();
            Err(Refusal::new(Done::Failed, format!("{path} is wrong; the daemon does not start with it")))
        }
        Err(error @ StartError::Lock(LockError::Held(_))) => {
            let refusal = Refusal::chain(Done::Unreachable, &error);
            Err(Refusal { message: format!("{}; see it with: {}", refusal.message, ours(global, "status")), ..refusal })
        }
        Err(error @ StartError::Configuration(_)) => Err(Refusal::chain(Done::Failed, &error)),
        Err(error) => Err(Refusal::chain(Done::Unreachable, &error)),
    }
}

/// The line to the keeper, which is at the other end of standard input. Nobody else is to have it; and without a keeper there
/// is nothing left to do.
fn take_line(keeper: i32) -> std::io::Result<UnixStream> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // One that has ended before says nothing any more.
    if getppid().is_none_or(|parent| parent.as_raw_nonzero().get() != keeper) {
        return Err(std::io::Error::other("the keeper has ended"));
    }
    // It was started by a path that says nothing.
    rustix::thread::set_name(c"punctual")?;
    let line = fcntl_dupfd_cloexec(stdin(), 3)?;
    dup2_stdin(File::open("/dev/null")?)?;
    // What is no socket is told from one by its first question.
    rustix::net::sockopt::socket_type(&line)?;
    Ok(line.into())
}

/// What is not UTF-8 would be left out silently, or stand wrongly in a job's environment.
fn refuse_what_is_no_text(state: &Path) -> Result<(), Refusal> {
    if state.to_str().is_none() {
        return Err(Refusal::new(Done::Misused, format!("the state folder {} is not UTF-8", state.display())));
    }
    for (name, value) in std::env::vars_os() {
        let is_ours = name.as_encoded_bytes().starts_with(b"PUNCTUAL_DAEMON");
        if is_ours && (name.to_str().is_none() || value.to_str().is_none()) {
            let message = format!("the variable {} is not UTF-8", name.display());
            return Err(Refusal::new(Done::Misused, message));
        }
    }
    Ok(())
}

/// Whoever signals the scheduler itself means the same as by a signal to the keeper, which says it on its line. Passes signals
/// on as demands; returns only if it cannot.
async fn listen(demands: mpsc::Sender<Demand>) -> std::io::Error {
    let listen = async {
        let mut terminate = signal(SignalKind::terminate())?;
        let mut interrupt = signal(SignalKind::interrupt())?;
        let mut hang_up = signal(SignalKind::hangup())?;
        loop {
            let demand = tokio::select! {
                _ = terminate.recv() => Demand::Stop,
                _ = interrupt.recv() => Demand::Stop,
                _ = hang_up.recv() => Demand::Reload,
            };
            // A full channel means that the same was demanded several times already.
            let _ = demands.try_send(demand);
        }
    };
    let result: std::io::Result<std::convert::Infallible> = listen.await;
    match result {
        Ok(never) => match never {},
        Err(error) => error,
    }
}

//! `punctual try`: a job is carried out here and now, as the daemon would, and recorded nowhere.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::sync::Arc;

use serde::Serialize;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;

use super::args::{Global, TryArguments};
use super::check::read_right;
use super::live::{Live, Voice};
use super::places::{ask, database, environment, open_if_any, running_daemon, state_folder, unreadable};
use super::screen::{Screen, span, visible};
use super::typed::again_with;
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::daemon::{Holder, Ledger};
use crate::heritage::drop_heritage;
use crate::inquiry::find_job;
use crate::job::{Job, StepName, Steps, Surroundings as WorkSurroundings, Task, Work};
use crate::keeper::own_program;
use crate::plan::verdict;
use crate::rehearsal::{Ending, Interrupt, Rehearsal, Scene, rehearse};
use crate::report::{Seconds, Time};
use crate::run::{Outcome, OutputPiece, Reason, State, Verdict, signal_name};
use crate::runner::{Cgroups, Facts, NoLedger, Surroundings};
use crate::store::{News, PartId, Reader, StepOutput};

/// Who writes here.
const HERE: Voice = Voice { run: None, name: None };
/// Signals that wait to be looked at.
const INTERRUPTS: usize = 4;

pub fn run(global: &Global, verb: &TryArguments, screen: &mut Screen) -> Answer {
    // Before there is any thread: what this process has from its own starter is not for the job.
    drop_heritage().map_err(|error| Refusal::chain(Done::Unreachable, &error))?;
    let configuration = read_right(global, screen)?;
    let daemon = running_daemon(global);
    let job = find_job(&configuration.checked.jobs, &verb.job)?;
    let job = Arc::new(with_variables(&job, &verb.env));
    let state = state_folder(global)?;
    ask(async {
        let ledger = open_if_any(&database(global, &state)).await;
        if let Some(ledger) = ledger.as_ref().ok().and_then(Option::as_ref).filter(|_| daemon.is_some() && !verb.beside)
        {
            refuse_beside(ledger, &job).await?;
        }
        say_what_differs(&job, daemon.as_ref(), screen);
        let facts: Arc<dyn Facts> = match ledger {
            Ok(Some(ledger)) => Arc::new(Ledger(ledger)),
            Ok(None) => Arc::new(NoLedger),
            Err(refusal) => {
                screen.note(format!("it is tried without the ledger: {}", refusal.message));
                Arc::new(NoLedger)
            }
        };
        let surroundings = Surroundings {
            environment: environment_of(daemon.as_ref()),
            program: own_program().unwrap_or_default(),
            database: configuration.settings.database_in(&state),
            state: state.clone(),
            cgroups: Cgroups::of_this_process(),
            facts,
        };
        let rehearsal = Rehearsal { job: job.clone(), surroundings, clock: Clock::System };
        let mut live = Live::new(screen, verb.raw);
        let ending = in_the_foreground(rehearsal, &mut live).await;
        live.is_over(HERE);
        drop(live);
        let ending = ending.map_err(|error| Refusal::chain(Done::Failed, &error))?;
        Ok(conclude(&job, &ending, screen))
    })?
}

/// Carries it out; an interrupt stops it, and another one kills it.
async fn in_the_foreground(rehearsal: Rehearsal, live: &mut Live<'_>) -> std::io::Result<Ending> {
    let (interrupts, interrupts_out) = mpsc::channel(INTERRUPTS);
    let signals = [SignalKind::interrupt(), SignalKind::terminate(), SignalKind::hangup()];
    let mut signals: Vec<Signal> = signals.into_iter().map(signal).collect::<std::io::Result<_>>()?;
    let [interrupt, terminate, hang_up] = signals.as_mut_slice() else {
        return Err(std::io::Error::other("there are three signals"));
    };
    let pass_on = async {
        let mut next = Interrupt::Stop;
        loop {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
                _ = hang_up.recv() => {}
            }
            // A full channel means that the same was said several times already.
            let _ = interrupts.try_send(next);
            next = Interrupt::Kill;
        }
    };
    tokio::select! {
        ending = rehearse(rehearsal, interrupts_out, |scene| show(scene, live)) => ending,
        never = pass_on => never,
    }
}

fn show(scene: Scene, live: &mut Live<'_>) {
    match scene {
        Scene::Output { piece, step } => live.hear(HERE, news(piece, step)),
        Scene::Step(note) => {
            if let Some(end) = note.end.filter(|end| end.verdict.outcome != Outcome::Succeeded) {
                let Verdict { outcome, detail, .. } = end.verdict;
                let detail = detail.map_or_else(String::new, |detail| format!(": {}", visible(&detail)));
                live.say(format!("step {} {outcome}{detail}", visible(note.name.as_str())));
            }
        }
    }
}

/// A piece as the ledger would have it.
fn news(piece: OutputPiece, step: Option<StepName>) -> News {
    let OutputPiece { id, offset, stream, at, data, .. } = piece;
    let part = PartId { attempt: id.attempt.into(), step: id.step.into(), step_attempt: id.step_attempt.into() };
    let step = step.map(|name| StepOutput { number: part.step, name: name.to_string(), attempt: part.step_attempt });
    News { part, step, offset, stream, at, data }
}

/// While a run of it goes on, only who says so has it twice.
async fn refuse_beside(ledger: &Reader, job: &Job) -> Result<(), Refusal> {
    let open = ledger.open_runs().await.map_err(|error| unreadable(&error))?;
    let of_job = open.iter().find(|entry| entry.job == job.name.as_str() && entry.state == State::Running);
    let Some(entry) = of_job else {
        return Ok(());
    };
    let message = format!(
        "run {} of {} goes on at this moment; follow it by: punctual logs -f {}, or try the job beside it; type: {}",
        entry.run,
        entry.job,
        entry.run,
        again_with(&["--beside"]),
    );
    Err(Refusal::new(Done::Failed, message))
}

/// What a run of the daemon's would have otherwise.
fn say_what_differs(job: &Job, daemon: Option<&Holder>, screen: &mut Screen) {
    let ours = rustix::process::geteuid().as_raw();
    let theirs = daemon.and_then(|daemon| owner(daemon.pid));
    if let Some(theirs) = theirs.filter(|theirs| *theirs != ours) {
        let name = user_name(theirs);
        let names_users = job.task.works().all(|(_, work)| work.standing.user.is_some());
        if !names_users {
            screen.note(format!(
                "the daemon runs as {name}, this as {}; as the daemon would have it, type: sudo -u {name} {}",
                user_name(ours),
                again_with(&[]),
            ));
        }
    }
    if job.rules.retries.most > 0 {
        let tries = job.rules.retries.most + 1;
        screen.note(format!("one attempt is made here; the daemon would make up to {tries}"));
    }
}

pub fn owner(pid: i32) -> Option<u32> {
    fs::metadata(format!("/proc/{pid}")).ok().map(|process| process.uid())
}

pub fn user_name(uid: u32) -> String {
    let user = nix::unistd::User::from_uid(nix::unistd::Uid::from_raw(uid)).ok().flatten();
    user.map_or_else(|| uid.to_string(), |user| user.name)
}

/// The variables of the running daemon, of which a job gets a short list; ours, where it cannot be looked at.
pub fn environment_of(daemon: Option<&Holder>) -> BTreeMap<String, String> {
    environment_of_daemon(daemon).unwrap_or_else(environment)
}

/// None where there is no daemon, or it cannot be looked at.
pub fn environment_of_daemon(daemon: Option<&Holder>) -> Option<BTreeMap<String, String>> {
    let bytes = fs::read(format!("/proc/{}/environ", daemon?.pid)).ok().filter(|bytes| !bytes.is_empty())?;
    let variable = |bytes: &[u8]| {
        let (name, value) = std::str::from_utf8(bytes).ok()?.split_once('=')?;
        Some((name.to_owned(), value.to_owned()))
    };
    Some(bytes.split(|byte| *byte == 0).filter_map(variable).collect())
}

/// The job with these variables in all that it does.
fn with_variables(job: &Job, variables: &[(String, String)]) -> Job {
    if variables.is_empty() {
        return job.clone();
    }
    let with = |work: &Work| {
        let mut surroundings = WorkSurroundings::clone(&work.surroundings);
        surroundings.env.extend(variables.iter().cloned());
        Work { act: work.act.clone(), surroundings: Arc::new(surroundings) }
    };
    let task = match &job.task {
        Task::Work(work) => Task::Work(with(work)),
        Task::Steps(steps) => {
            let mut steps = Steps::clone(steps);
            for step in &mut steps.list {
                step.work = with(&step.work);
            }
            Task::Steps(Arc::new(steps))
        }
    };
    Job { task, ..job.clone() }
}

/// The last line for programs.
#[derive(Serialize)]
struct TryReport<'j> {
    job: &'j str,
    started: Time,
    ended: Time,
    duration: Seconds,
    outcome: Outcome,
    reason: Option<Reason>,
    detail: Option<String>,
    exit_code: Option<i32>,
    signal: Option<&'static str>,
    cpu: Option<Seconds>,
    max_rss: Option<u64>,
    output_bytes: u64,
}

/// Says how it ended, with the job's own code.
fn conclude(job: &Job, ending: &Ending, screen: &mut Screen) -> Done {
    let Ending { started, ended } = ending;
    let Verdict { outcome, reason, detail } = verdict(&job.task, ended);
    let (exit_code, signal) = ended.exit.code_and_signal();
    let is_success = outcome == Outcome::Succeeded;
    if screen.json {
        screen.value(&TryReport {
            job: job.name.as_str(),
            started: Time(*started),
            ended: Time(ended.at),
            duration: ended.duration.into(),
            outcome,
            reason,
            detail,
            exit_code,
            signal: signal.map(signal_name),
            cpu: ended.cpu.map(Into::into),
            max_rss: ended.max_rss,
            output_bytes: ended.output_bytes,
        });
    } else {
        let took = match outcome {
            Outcome::NotStarted => String::new(),
            Outcome::Succeeded
            | Outcome::Failed
            | Outcome::TimedOut
            | Outcome::Stopped
            | Outcome::Lost
            | Outcome::Skipped
            | Outcome::Missed => format!(" after {}", span(ended.duration.into())),
        };
        // A code that counts as a success is told where it is not the usual one.
        let code = exit_code.filter(|code| is_success && *code != 0).map(|code| format!("exit status {code}"));
        let why = detail.or(code).map_or_else(String::new, |why| format!(": {}", visible(&why)));
        screen.conclude(is_success, &format!("{} {outcome}{took}{why}", job.name));
    }
    if is_success { Done::Well } else { Done::Failed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::{Act, CommandLine};

    #[test]
    fn variables_come_last_and_win() {
        let surroundings = WorkSurroundings { env: vec![("A".to_owned(), "1".to_owned())], ..Default::default() };
        let act = Act::Command(CommandLine::Program(vec!["true".to_owned()]));
        let work = Work { act, surroundings: Arc::new(surroundings) };
        let job = Job { task: Task::Work(work), ..Job::gone(crate::job::JobName::new("x").unwrap()) };
        let job = with_variables(&job, &[("A".to_owned(), "2".to_owned())]);
        let (_, work) = job.task.works().next().unwrap();
        assert_eq!(work.env.last().unwrap(), &("A".to_owned(), "2".to_owned()));
    }
}

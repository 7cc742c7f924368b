//! `punctual why`: why did it run, or not, then or now?

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::args::{Global, WhyArguments};
use super::moment::moment;
use super::places::{ask, config_file, in_force_or_file, open_ledger, open_ledger_if_any, running_daemon, unreadable};
use super::screen::{Screen, visible};
use super::subject::parse_run;
use super::table::wrap;
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::daemon::Holder;
use crate::files::Machine;
use crate::inquiry::{find_run, no_job};
use crate::job::Job;
use crate::report::{WhyPart, WhyReport};
use crate::run::RunId;
use crate::when::{Meant, Toward};
use crate::why::{Question, why};

/// Who says a minute means all of it, and who says a second, too: entries know microseconds.
const MINUTE: SignedDuration = SignedDuration::from_secs(60);
const SECOND: SignedDuration = SignedDuration::from_secs(1);

pub fn run(global: &Global, verb: &WhyArguments, screen: &mut Screen) -> Answer {
    let at = verb.at.as_deref().map(|text| moment("--at", text, Toward::Past, screen)).transpose()?.map(whole);
    let daemon = running_daemon(global);
    let jobs = in_force_or_file(global, daemon.as_ref()).ok();
    let jobs = jobs.filter(|file| file.checked.is_right()).map(|file| file.checked.jobs);
    let (job, at) = match parse_run(&verb.job).transpose()? {
        Some(run) => ask(of_run(global, run))??,
        None => (verb.job.clone(), at),
    };
    let question = Question { at, ..about(job, jobs, daemon, screen) };
    let report = ask(answer(global, &question))??;
    if screen.json {
        screen.value(&report);
    } else {
        show(&report, screen);
    }
    Ok(Done::Well)
}

/// The first thing to say of a job as it is now; none where nothing can be said.
pub fn line(
    global: &Global,
    job: &str,
    jobs: Option<Vec<Arc<Job>>>,
    daemon: Option<Holder>,
    screen: &Screen,
) -> Option<String> {
    let question = about(job.to_owned(), jobs, daemon, screen);
    let report = ask(answer(global, &question)).ok()?.ok()?;
    Some(report.parts.into_iter().find(|part| part.about != "last")?.text)
}

fn about(job: String, jobs: Option<Vec<Arc<Job>>>, daemon: Option<Holder>, screen: &Screen) -> Question {
    Question {
        job,
        at: None,
        now: Clock::System.now(),
        zone: screen.zone().clone(),
        jobs,
        daemon: daemon.as_ref().map(|daemon| daemon.since),
        trouble: daemon.and_then(|daemon| daemon.trouble).map(|trouble| trouble.message),
    }
}

async fn answer(global: &Global, question: &Question) -> Result<WhyReport, Refusal> {
    let ledger = open_ledger_if_any(global).await?;
    let mut known: Vec<String> = question.jobs.iter().flatten().map(|job| job.name.to_string()).collect();
    if let Some(ledger) = &ledger {
        known.extend(ledger.known_jobs().await.map_err(|error| unreadable(&error))?);
    }
    if known.is_empty() && ledger.is_none() {
        // Without a file and a ledger there is nothing that would list jobs.
        config_file(global, None)?;
    }
    if !known.contains(&question.job) {
        return Err(no_job(&question.job, known.iter().map(String::as_str)).into());
    }
    why(ledger.as_ref(), &Machine::default(), question).await.map_err(|error| unreadable(&error))
}

/// The job of a run and the time at which it was due: who asks about a run asks about these.
async fn of_run(global: &Global, run: RunId) -> Result<(String, Option<(Timestamp, Timestamp)>), Refusal> {
    let run = find_run(&open_ledger(global).await?, run).await?;
    Ok((run.job, Some((run.at, run.at))))
}

fn whole(meant: Meant) -> (Timestamp, Timestamp) {
    let micros = meant.first.as_microsecond();
    let length = match () {
        () if meant.first != meant.last || micros % 1_000_000 != 0 => return (meant.first, meant.last),
        () if micros % 60_000_000 == 0 => MINUTE,
        () => SECOND,
    };
    (meant.first, meant.first + length - SignedDuration::from_micros(1))
}

fn show(report: &WhyReport, screen: &mut Screen) {
    if let (Some(from), Some(until)) = (report.from, report.until) {
        let until =
            if until.0.duration_since(from.0) > MINUTE { format!(" to {}", screen.time(until)) } else { String::new() };
        let line = screen.dim(&format!("about {}{until}", screen.time(from)));
        screen.line(line);
    }
    let mut about = "";
    for WhyPart { about: heading, text, .. } in &report.parts {
        let lead = if *heading == about { String::new() } else { (*heading).to_owned() };
        about = heading;
        let width = screen.width().map(|width| width.saturating_sub(9).max(20));
        for (number, line) in wrap(&visible(text), width).into_iter().enumerate() {
            let lead = if number == 0 { lead.as_str() } else { "" };
            let lead = screen.dim(&format!("{lead:<9}"));
            screen.line(format!("{lead}{line}"));
        }
    }
}

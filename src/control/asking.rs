//! How does a request become an answer of the file and the ledger?

use std::ops::ControlFlow;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use jiff::Zoned;
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::Value;
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::bodies::{run as run_number, time};
use super::desk::{ANSWERED_WITHIN, Desk};
use super::parameters::Parameters;
use super::problem::{Code, Problem};
use crate::inquiry::{
    Asked, Count, EntryRecord, HistoryQuestion, Listed, NoAnswer, chosen_of, definition, gather, held_in, known_jobs,
    next_of, no_job, notices as notices_of, outstanding, pause_report, report_all, run_report, stats as figures,
    worst_first,
};
use crate::job::JobName;
use crate::notice::Standing;
use crate::report::{
    DeliveryReport, Entry, JobReport, NextReport, OutstandingReport, PauseReport, RunReport, StatsReport, StatusReport,
};
use crate::store::{NoticeFilter, Reader};
use crate::when::Toward;

/// Entries and instants of one answer, which is made as a whole: some megabytes.
const MOST: u32 = 10_000;
const ENTRIES: u32 = 20;
const INSTANTS: u32 = 5;

type Told<T> = Result<Json<T>, Problem>;
type At = State<Arc<Desk>>;

pub async fn description() -> impl IntoResponse {
    ([(CONTENT_TYPE, "application/json")], super::DESCRIPTION)
}

pub async fn status(State(desk): At, uri: Uri) -> Told<StatusReport> {
    let jobs = reports(&desk, &uri).await?;
    let notices = outstanding(&desk.ledger, Some(&desk.configuration()), desk.clock.now()).await;
    let notices = match notices {
        Err(_) if desk.trouble.borrow().is_some() => OutstandingReport::default(),
        notices => notices.map_err(NoAnswer::from)?,
    };
    Ok(Json(StatusReport { daemon: Some(desk.daemon()), jobs, notices }))
}

pub async fn jobs(State(desk): At, uri: Uri) -> Told<Vec<JobReport>> {
    reports(&desk, &uri).await.map(Json)
}

async fn reports(desk: &Desk, uri: &Uri) -> Result<Vec<JobReport>, Problem> {
    let given = Parameters::of(uri, &["job", "failed"])?;
    let (names, failed) = (given.list("job"), given.is_set("failed")?);
    let (now, configuration) = (desk.clock.now(), desk.configuration());
    let listed: Vec<Listed> = configuration.checked.jobs.iter().map(|job| Listed::of(job, now)).collect();
    let mut reports = match report_all(&desk.ledger, &listed, &names, now).await {
        // That the ledger cannot be read is no reason to keep quiet about what is wrong with it.
        Err(NoAnswer::Ledger(_)) if desk.trouble.borrow().is_some() => chosen_of(&listed, &names)?,
        reports => reports?,
    };
    worst_first(&mut reports, failed);
    Ok(reports)
}

/// A job as it is defined, and its last run.
#[derive(Serialize)]
pub struct JobAnswer {
    job: String,
    /// None: it is no longer in the file.
    definition: Option<Value>,
    paused: Option<PauseReport>,
    last: Option<Entry>,
}

pub async fn job(State(desk): At, Path(name): Path<String>, uri: Uri) -> Told<JobAnswer> {
    Parameters::of(&uri, &[])?;
    let configuration = desk.configuration();
    let jobs = &configuration.checked.jobs;
    let definition = jobs.iter().find(|job| job.name.as_str() == name).map(|job| definition(job));
    let last = desk.ledger.last_run(&name, false).await.map_err(NoAnswer::from)?;
    if definition.is_none() && last.is_none() {
        return Err(no_job(&name, jobs.iter().map(|job| job.name.as_str())).into());
    }
    let held = held_in(&desk.ledger, desk.clock.now()).await?;
    let paused = JobName::new(&name).ok().and_then(|name| held.pauses.of(&name).map(pause_report));
    Ok(Json(JobAnswer { job: name, definition, paused, last }))
}

pub async fn next(State(desk): At, Path(name): Path<String>, uri: Uri) -> Told<Vec<NextReport>> {
    let given = Parameters::of(&uri, &["n", "from"])?;
    let now = desk.clock.now();
    let from = given.one("from")?.map(|text| time("from", text, Toward::Future, now)).transpose()?.unwrap_or(now);
    let count = number(&given, INSTANTS)? as usize;
    let configuration = desk.configuration();
    let jobs = &configuration.checked.jobs;
    let Some(job) = jobs.iter().find(|job| job.name.as_str() == name) else {
        return Err(no_job(&name, jobs.iter().map(|job| job.name.as_str())).into());
    };
    let held = held_in(&desk.ledger, now).await?;
    let dues = next_of(std::slice::from_ref(job), &held, from, now, (count, count));
    Ok(Json(dues.into_iter().map(|due| due.report).collect()))
}

/// How many of something are wanted.
fn number(given: &Parameters, usual: u32) -> Result<u32, Problem> {
    match given.parsed::<u32>("n")?.unwrap_or(usual) {
        wanted @ 1..=MOST => Ok(wanted),
        wanted => Err(Problem::new(Code::Wrong, format!("n: {wanted} is out of range: 1 to {MOST}"))
            .with_help("ask for those before with until, or use punctual history")),
    }
}

const HISTORY: [&str; 11] =
    ["job", "failed", "since", "until", "outcome", "reason", "cause", "longer_than", "exit_code", "grep", "n"];

pub async fn history(State(desk): At, uri: Uri) -> Told<Vec<EntryRecord>> {
    let given = Parameters::of(&uri, &HISTORY)?;
    let text = |name| given.one(name).map(|value| value.map(str::to_owned));
    let question = HistoryQuestion {
        jobs: given.list("job"),
        failed: given.is_set("failed")?,
        since: text("since")?,
        until: text("until")?,
        outcome: given.list("outcome"),
        reason: given.list("reason"),
        cause: given.list("cause"),
        longer_than: text("longer_than")?,
        exit_code: given.parsed("exit_code")?,
        grep: text("grep")?,
    };
    let count = number(&given, ENTRIES)?;
    known_jobs(&desk.ledger, &question.jobs).await?;
    let asked = Asked::of(&question, &zoned(&desk))?;
    let ledger = desk.ledger.clone();
    // A search through output is work for the processor, and others wait for this thread.
    let (runtime, mut searching) = (Handle::current(), JoinSet::new());
    searching.spawn_blocking(move || runtime.block_on(timeout(ANSWERED_WITHIN, newest(ledger, asked, count))));
    match searching.join_next().await {
        Some(Ok(Ok(entries))) => Ok(Json(entries?)),
        Some(Ok(Err(_))) => Err(too_late()),
        Some(Err(_)) | None => Err(Problem::new(Code::Unavailable, "the question could not be answered")),
    }
}

fn too_late() -> Problem {
    Problem::new(Code::TimedOut, format!("there was no answer within {ANSWERED_WITHIN:?}")).with_help("ask for less")
}

/// The newest entries that fit, the newest last.
async fn newest(ledger: Reader, mut asked: Asked, count: u32) -> Result<Vec<EntryRecord>, NoAnswer> {
    let mut entries = Vec::new();
    let keep = |record: &EntryRecord| {
        entries.push(record.clone());
        ControlFlow::Continue(())
    };
    gather(&ledger, &mut asked, Count::Newest(count), keep).await?;
    Ok(entries)
}

fn zoned(desk: &Desk) -> Zoned {
    desk.clock.now().to_zoned(TimeZone::system())
}

pub async fn run(State(desk): At, Path(run): Path<String>, uri: Uri) -> Told<RunReport> {
    Parameters::of(&uri, &[])?;
    Ok(Json(run_report(&desk.ledger, run_number(&run)?).await?))
}

pub async fn stats(State(desk): At, uri: Uri) -> Told<StatsReport> {
    let given = Parameters::of(&uri, &["job", "since"])?;
    let since = given.one("since")?.map(|text| time("since", text, Toward::Past, desk.clock.now())).transpose()?;
    Ok(Json(figures(&desk.ledger, &given.list("job"), since).await?))
}

/// What was told, and what waits to be; the newest last.
pub async fn notices(State(desk): At, uri: Uri) -> Told<Vec<DeliveryReport>> {
    let given = Parameters::of(&uri, &["state", "channel", "n"])?;
    let standing = given.one("state")?.map(standing).transpose()?;
    let channel = given.one("channel")?.map(str::to_owned);
    let filter = NoticeFilter { standing, channel, most: Some(number(&given, ENTRIES)?), ..NoticeFilter::default() };
    let configuration = desk.configuration();
    Ok(Json(notices_of(&desk.ledger, &filter, Some(&configuration), desk.clock.now()).await?))
}

fn standing(word: &str) -> Result<Standing, Problem> {
    let found = Standing::WORDS.iter().find(|(known, _)| *known == word).map(|(_, standing)| *standing);
    found.ok_or_else(|| {
        let words: Vec<&str> = Standing::WORDS.iter().map(|(word, _)| *word).collect();
        Problem::new(Code::Wrong, format!("state: `{word}` is none of {}", words.join(", ")))
    })
}

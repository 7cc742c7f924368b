//! How does a request become a wish?

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::{Extension, Json};

use super::bodies::{
    self, Nothing, Notices, PauseJob, PauseJobs, ResumeJobs, RunJob, RunJobs, Skip, Stop, due, environment, read,
    until, which,
};
use super::connections::Visitor;
use super::desk::Desk;
use super::problem::{Code, Problem};
use super::wish::{Granted, JobAfter, Launched, NoticeAct, Stopped, Which, WhichNotices, Wish};
use crate::notice::NoticeId;
use crate::report::{DeliveryReport, ReloadReport};

type Told<T> = Result<Json<T>, Problem>;
type At = State<Arc<Desk>>;
type By = Extension<Arc<Visitor>>;

/// The loop answers each wish with what belongs to it.
fn beside_the_point() -> Problem {
    Problem::new(Code::Unavailable, "the daemon answered something else than it was asked")
}

pub async fn run_jobs(State(desk): At, Extension(visitor): By, body: Body) -> Told<Vec<Launched>> {
    let RunJobs { jobs, due: text, env } = read(body).await?;
    let (jobs, due) = (bodies::jobs(&jobs)?, due(text.as_deref(), desk.clock.now())?);
    let wish = Wish::Run { jobs, due, env: environment(env)? };
    launched(desk.wish(&visitor, wish).await?).map(Json)
}

pub async fn run_job(State(desk): At, Extension(visitor): By, Path(job): Path<String>, body: Body) -> Told<Launched> {
    let RunJob { due: text, env } = read(body).await?;
    let due = due(text.as_deref(), desk.clock.now())?;
    let wish = Wish::Run { jobs: vec![bodies::job(&job)?], due, env: environment(env)? };
    let launched = launched(desk.wish(&visitor, wish).await?)?;
    launched.into_iter().next().map(Json).ok_or_else(beside_the_point)
}

fn launched(granted: Granted) -> Result<Vec<Launched>, Problem> {
    match granted {
        Granted::Launched(launched) => Ok(launched),
        Granted::Stopped(_) | Granted::Jobs(_) | Granted::Reloaded(_) | Granted::Notices(_) => Err(beside_the_point()),
    }
}

pub async fn stop_run(State(desk): At, Extension(visitor): By, Path(run): Path<String>, body: Body) -> Told<Stopped> {
    let Stop { kill } = read(body).await?;
    stopped(desk.wish(&visitor, Wish::StopRun { run: bodies::run(&run)?, kill }).await?)
}

pub async fn stop_job(State(desk): At, Extension(visitor): By, Path(job): Path<String>, body: Body) -> Told<Stopped> {
    let Stop { kill } = read(body).await?;
    stopped(desk.wish(&visitor, Wish::StopJob { job: bodies::job(&job)?, kill }).await?)
}

fn stopped(granted: Granted) -> Told<Stopped> {
    match granted {
        Granted::Stopped(stopped) => Ok(Json(stopped)),
        Granted::Launched(_) | Granted::Jobs(_) | Granted::Reloaded(_) | Granted::Notices(_) => Err(beside_the_point()),
    }
}

pub async fn pause_jobs(State(desk): At, Extension(visitor): By, body: Body) -> Told<Vec<JobAfter>> {
    let PauseJobs { jobs, until: end, within, reason } = read(body).await?;
    let until = until(end.as_deref(), within.as_deref(), desk.clock.now())?;
    let wish = Wish::Pause { jobs: which(jobs)?, until, reason };
    jobs_after(desk.wish(&visitor, wish).await?).map(Json)
}

pub async fn pause_job(State(desk): At, Extension(visitor): By, Path(job): Path<String>, body: Body) -> Told<JobAfter> {
    let PauseJob { until: end, within, reason } = read(body).await?;
    let until = until(end.as_deref(), within.as_deref(), desk.clock.now())?;
    let wish = Wish::Pause { jobs: Which::These(vec![bodies::job(&job)?]), until, reason };
    the_job(desk.wish(&visitor, wish).await?)
}

pub async fn resume_jobs(State(desk): At, Extension(visitor): By, body: Body) -> Told<Vec<JobAfter>> {
    let ResumeJobs { jobs } = read(body).await?;
    jobs_after(desk.wish(&visitor, Wish::Resume { jobs: which(jobs)? }).await?).map(Json)
}

pub async fn resume_job(
    State(desk): At,
    Extension(visitor): By,
    Path(job): Path<String>,
    body: Body,
) -> Told<JobAfter> {
    let Nothing {} = read(body).await?;
    let wish = Wish::Resume { jobs: Which::These(vec![bodies::job(&job)?]) };
    the_job(desk.wish(&visitor, wish).await?)
}

pub async fn skip(State(desk): At, Extension(visitor): By, Path(job): Path<String>, body: Body) -> Told<JobAfter> {
    let Skip { count } = read(body).await?;
    if count == 0 {
        return Err(Problem::new(Code::Wrong, "count: one instant at least is left out"));
    }
    the_job(desk.wish(&visitor, Wish::Skip { job: bodies::job(&job)?, count }).await?)
}

pub async fn unskip(State(desk): At, Extension(visitor): By, Path(job): Path<String>, body: Body) -> Told<JobAfter> {
    let Nothing {} = read(body).await?;
    the_job(desk.wish(&visitor, Wish::Unskip { job: bodies::job(&job)? }).await?)
}

fn the_job(granted: Granted) -> Told<JobAfter> {
    jobs_after(granted)?.into_iter().next().map(Json).ok_or_else(beside_the_point)
}

fn jobs_after(granted: Granted) -> Result<Vec<JobAfter>, Problem> {
    match granted {
        Granted::Jobs(jobs) => Ok(jobs),
        Granted::Launched(_) | Granted::Stopped(_) | Granted::Reloaded(_) | Granted::Notices(_) => {
            Err(beside_the_point())
        }
    }
}

pub async fn reload(State(desk): At, Extension(visitor): By, body: Body) -> Told<ReloadReport> {
    let Nothing {} = read(body).await?;
    match desk.wish(&visitor, Wish::Reload).await? {
        Granted::Reloaded(report) => Ok(Json(*report)),
        Granted::Launched(_) | Granted::Stopped(_) | Granted::Jobs(_) | Granted::Notices(_) => Err(beside_the_point()),
    }
}

pub async fn retry_notices(state: At, visitor: By, body: Body) -> Told<Vec<DeliveryReport>> {
    act_on_notices(state, visitor, body, NoticeAct::Retry).await
}

pub async fn drop_notices(state: At, visitor: By, body: Body) -> Told<Vec<DeliveryReport>> {
    act_on_notices(state, visitor, body, NoticeAct::Drop).await
}

async fn act_on_notices(
    State(desk): At,
    Extension(visitor): By,
    body: Body,
    act: NoticeAct,
) -> Told<Vec<DeliveryReport>> {
    let Notices { notices } = read(body).await?;
    let notices = match notices {
        Some(numbers) if numbers.is_empty() => {
            return Err(Problem::new(Code::Wrong, "notices: name one at least, or leave it out for all"));
        }
        Some(numbers) => WhichNotices::These(numbers.into_iter().map(NoticeId).collect()),
        None => WhichNotices::All,
    };
    match desk.wish(&visitor, Wish::Notices { act, notices }).await? {
        Granted::Notices(notices) => Ok(Json(notices)),
        Granted::Launched(_) | Granted::Stopped(_) | Granted::Jobs(_) | Granted::Reloaded(_) => Err(beside_the_point()),
    }
}

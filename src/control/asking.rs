//! How does a request become an answer of the file and the ledger?

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::Uri;

use super::desk::Desk;
use super::parameters::Parameters;
use super::problem::Problem;
use crate::inquiry::{Listed, report_all, worst_first};
use crate::report::{JobReport, StatusReport};

type Told<T> = Result<Json<T>, Problem>;
type At = State<Arc<Desk>>;

pub async fn status(State(desk): At, uri: Uri) -> Told<StatusReport> {
    let jobs = reports(&desk, &uri).await?;
    Ok(Json(StatusReport { daemon: Some(desk.daemon()), jobs }))
}

pub async fn jobs(State(desk): At, uri: Uri) -> Told<Vec<JobReport>> {
    reports(&desk, &uri).await.map(Json)
}

async fn reports(desk: &Desk, uri: &Uri) -> Result<Vec<JobReport>, Problem> {
    let given = Parameters::of(uri, &["job", "failed"])?;
    let (names, failed) = (given.list("job"), given.is_set("failed")?);
    let (now, jobs) = (desk.clock.now(), desk.in_force.borrow().checked.jobs.clone());
    let listed: Vec<Listed> = jobs.iter().map(|job| Listed::of(job, now)).collect();
    let mut reports = report_all(&desk.ledger, &listed, &names).await?;
    worst_first(&mut reports, failed);
    Ok(reports)
}

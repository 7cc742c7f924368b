//! How does the command line talk to the running daemon?

use std::collections::BTreeMap;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use axum::body::{Body, BodyDataStream, Bytes, to_bytes};
use futures_util::TryStreamExt;
use hyper::body::Incoming;
use hyper::client::conn::http1::handshake;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::net::UnixStream;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::desk::ANSWERED_WITHIN;
use super::problem::{Problem, ProblemReport};
use super::wish::{JobAfter, Launched, NoticeAct, Stopped, Which, WhichNotices};
use crate::job::JobName;
use crate::report::{DeliveryReport, ReloadReport, Time};
use crate::run::RunId;

/// The daemon itself gives up before that, and says so.
const PATIENCE: Duration = ANSWERED_WITHIN.saturating_add(Duration::from_secs(5));
/// Bytes of an answer that is taken whole: a hundred thousand jobs.
const LARGEST: usize = 256 << 20;

/// Why there is no answer; each ends with what to type next.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    #[error("no daemon is running; start one with: punctual daemon")]
    NoDaemon,
    #[error("the daemon (process {0}) has no control socket, and its log says why: journalctl -u punctual")]
    NoSocket(i32),
    #[error("the daemon's control socket {} is gone and will be made anew in a moment; try again, or look with: punctual status", .0.display())]
    Gone(PathBuf),
    #[error(
        "{} may not be opened by you; become a member of a group that `operators` in [daemon] names, or use: sudo punctual", .0.display()
    )]
    NoPermission(PathBuf),
    #[error("{} is the socket of somebody else than the daemon (user {uid}); nothing was sent to it; look at it with: ls -l {}", path.display(), path.display())]
    Impostor { path: PathBuf, uid: u32 },
    /// Said by the daemon.
    #[error("{}{}", .0.message, .0.help.as_ref().map(|help| format!("; {help}")).unwrap_or_default())]
    Refused(Problem),
    #[error("the daemon did not answer within {0:?}; see how it is with: punctual status")]
    TimedOut(Duration),
    #[error("the daemon cannot be talked to by {}: {message}; see how it is with: punctual status", path.display())]
    Broken { path: PathBuf, message: String },
}

/// What a run has written, and writes, as it comes.
pub struct Output {
    bytes: BodyDataStream,
    client: Client,
    _driver: JoinSet<()>,
}

impl Output {
    /// The next bytes; none when the run has ended, or there is no more. Whoever does not ask for them slows nobody down.
    pub async fn next(&mut self) -> Result<Option<Bytes>, ClientError> {
        self.bytes.try_next().await.map_err(|error| self.client.broken(&error))
    }
}

/// In which form output comes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OutputFormat {
    /// For people.
    Text,
    Raw,
    /// A JSON object on each line.
    Ndjson,
}

impl OutputFormat {
    fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Raw => "raw",
            Self::Ndjson => "ndjson",
        }
    }
}

/// A daemon that can be talked to.
#[derive(Debug, Clone)]
pub struct Client {
    path: PathBuf,
    /// Whose process must be at the other end, beside root's; where it is not known, anybody's.
    owner: Option<u32>,
}

/// An answer, and the connection by which it comes.
struct Exchange {
    response: Response<Incoming>,
    driver: JoinSet<()>,
}

impl Client {
    /// The daemon of this process, whose socket is at this path as its lock file says.
    pub fn of_daemon(pid: i32, path: Option<&Path>) -> Result<Self, ClientError> {
        let path = path.ok_or(ClientError::NoSocket(pid))?;
        let owner = std::fs::metadata(format!("/proc/{pid}")).ok().map(|process| process.uid());
        Ok(Self { path: path.to_owned(), owner })
    }

    /// Whoever listens here, for those who may not read a lock file; its folder says whose it has to be.
    pub fn at(path: &Path) -> Self {
        let owner = path.parent().and_then(|folder| std::fs::metadata(folder).ok()).map(|folder| folder.uid());
        Self { path: path.to_owned(), owner }
    }

    /// Runs jobs now; the answers are in the order of the jobs.
    pub async fn run(
        &self,
        jobs: &[JobName],
        due: Option<Timestamp>,
        env: &BTreeMap<String, String>,
    ) -> Result<Vec<Launched>, ClientError> {
        self.wish("/v1/runs", &json!({ "jobs": jobs, "due": due.map(Time), "env": env })).await
    }

    pub async fn stop_run(&self, run: RunId, kill: bool) -> Result<Stopped, ClientError> {
        self.wish(&format!("/v1/runs/{run}/stop"), &json!({ "kill": kill })).await
    }

    pub async fn stop_job(&self, job: &JobName, kill: bool) -> Result<Stopped, ClientError> {
        self.wish(&format!("/v1/jobs/{job}/stop"), &json!({ "kill": kill })).await
    }

    pub async fn pause(
        &self,
        jobs: &Which,
        until: Option<Timestamp>,
        reason: Option<&str>,
    ) -> Result<Vec<JobAfter>, ClientError> {
        let until = until.map(Time);
        self.wish("/v1/pause", &json!({ "jobs": names(jobs), "until": until, "reason": reason })).await
    }

    pub async fn resume(&self, jobs: &Which) -> Result<Vec<JobAfter>, ClientError> {
        self.wish("/v1/resume", &json!({ "jobs": names(jobs) })).await
    }

    pub async fn skip(&self, job: &JobName, count: u32) -> Result<JobAfter, ClientError> {
        self.wish(&format!("/v1/jobs/{job}/skip"), &json!({ "count": count })).await
    }

    pub async fn unskip(&self, job: &JobName) -> Result<JobAfter, ClientError> {
        self.wish(&format!("/v1/jobs/{job}/unskip"), &json!({})).await
    }

    /// Has notices tried again or dropped: these, or all that wait or could not be delivered.
    pub async fn notices(&self, act: NoticeAct, notices: &WhichNotices) -> Result<Vec<DeliveryReport>, ClientError> {
        let target = match act {
            NoticeAct::Retry => "/v1/notices/retry",
            NoticeAct::Drop => "/v1/notices/drop",
        };
        let numbers = match notices {
            WhichNotices::All => None,
            WhichNotices::These(numbers) => Some(numbers),
        };
        self.wish(target, &json!({ "notices": numbers })).await
    }

    pub async fn reload(&self) -> Result<ReloadReport, ClientError> {
        self.wish("/v1/reload", &json!({})).await
    }

    /// What a run has written; where it is followed, until it has ended.
    pub async fn output(&self, run: RunId, follow: bool, format: OutputFormat) -> Result<Output, ClientError> {
        let target = format!("/v1/runs/{run}/output?follow={follow}&format={}", format.word());
        let exchange = timeout(PATIENCE, self.exchange(Method::GET, &target, None)).await;
        let Exchange { response, driver } = exchange.unwrap_or(Err(ClientError::TimedOut(PATIENCE)))?;
        let bytes = Body::new(response.into_body()).into_data_stream();
        Ok(Output { bytes, client: self.clone(), _driver: driver })
    }

    /// Any question, answered in JSON: `/v1/status`.
    pub async fn ask(&self, target: &str) -> Result<Value, ClientError> {
        self.whole(Method::GET, target, None).await
    }

    async fn wish<T: DeserializeOwned>(&self, target: &str, body: &Value) -> Result<T, ClientError> {
        self.whole(Method::POST, target, Some(body)).await
    }

    async fn whole<T: DeserializeOwned>(
        &self,
        method: Method,
        target: &str,
        body: Option<&Value>,
    ) -> Result<T, ClientError> {
        let answer = async {
            let exchange = self.exchange(method, target, body).await?;
            let bytes = self.bytes(exchange).await?;
            serde_json::from_slice(&bytes).map_err(|error| self.broken(&error))
        };
        timeout(PATIENCE, answer).await.unwrap_or(Err(ClientError::TimedOut(PATIENCE)))
    }

    async fn exchange(&self, method: Method, target: &str, body: Option<&Value>) -> Result<Exchange, ClientError> {
        let stream = self.connect().await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(|error| self.broken(&error))?;
        let mut driver = JoinSet::new();
        driver.spawn(async move {
            // What goes wrong with it, the answer says as well.
            let _ = connection.await;
        });
        let body = body.map_or_else(Body::empty, |body| Body::from(body.to_string()));
        let request = Request::builder().method(method).uri(target).header(HOST, "punctual");
        let request = request.header(CONTENT_TYPE, "application/json").body(body);
        let request = request.map_err(|error| self.broken(&error))?;
        let response = sender.send_request(request).await.map_err(|error| self.broken(&error))?;
        let exchange = Exchange { response, driver };
        if exchange.response.status() == StatusCode::OK {
            return Ok(exchange);
        }
        let status = exchange.response.status();
        let bytes = self.bytes(exchange).await?;
        match serde_json::from_slice::<ProblemReport>(&bytes) {
            Ok(report) => Err(ClientError::Refused(report.error)),
            Err(_) => Err(self.broken(&format!("it answered {status}"))),
        }
    }

    async fn bytes(&self, exchange: Exchange) -> Result<Bytes, ClientError> {
        let Exchange { response, driver } = exchange;
        let bytes = to_bytes(Body::new(response.into_body()), LARGEST).await;
        drop(driver);
        bytes.map_err(|error| self.broken(&error))
    }

    async fn connect(&self) -> Result<UnixStream, ClientError> {
        let stream = UnixStream::connect(&self.path).await.map_err(|error| match error.kind() {
            io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => ClientError::Gone(self.path.clone()),
            io::ErrorKind::PermissionDenied => ClientError::NoPermission(self.path.clone()),
            _ => self.broken(&error),
        })?;
        let uid = stream.peer_cred().map_err(|error| self.broken(&error))?.uid();
        match self.owner {
            Some(owner) if uid != owner && uid != 0 => Err(ClientError::Impostor { path: self.path.clone(), uid }),
            Some(_) | None => Ok(stream),
        }
    }

    fn broken(&self, error: &dyn std::fmt::Display) -> ClientError {
        ClientError::Broken { path: self.path.clone(), message: error.to_string() }
    }
}

fn names(jobs: &Which) -> Option<&[JobName]> {
    match jobs {
        Which::All => None,
        Which::These(jobs) => Some(jobs),
    }
}

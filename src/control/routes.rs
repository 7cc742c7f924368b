//! Which addresses are there?

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::handler::Handler;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Method, Uri};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Extension, Router};
use tokio::time::timeout;

use super::access::Right;
use super::connections::Visitor;
use super::desk::Desk;
use super::problem::{Code, Problem};
use super::{asking, wishing};

/// For how long a request may take, until the head of its answer is on its way.
pub const ANSWERED_WITHIN: Duration = Duration::from_secs(30);

/// All addresses, and whoever is behind them.
pub fn router(desk: &Arc<Desk>) -> Router {
    let router = Routes::all().router;
    let router = router.fallback(no_such_address).method_not_allowed_fallback(not_so);
    router.layer(from_fn_with_state(desk.clone(), guard)).with_state(desk.clone())
}

/// The addresses one after the other, with what is served at each.
struct Routes {
    router: Router<Arc<Desk>>,
    served: Vec<(&'static str, &'static str)>,
}

impl Routes {
    fn all() -> Self {
        let none = Self { router: Router::new(), served: Vec::new() };
        none.read("/v1/status", asking::status)
            .read("/v1/jobs", asking::jobs)
            .wish("/v1/jobs/{job}/run", wishing::run_job)
            .wish("/v1/jobs/{job}/stop", wishing::stop_job)
            .wish("/v1/jobs/{job}/pause", wishing::pause_job)
            .wish("/v1/jobs/{job}/resume", wishing::resume_job)
            .wish("/v1/jobs/{job}/skip", wishing::skip)
            .wish("/v1/jobs/{job}/unskip", wishing::unskip)
            .wish("/v1/runs", wishing::run_jobs)
            .wish("/v1/runs/{run}/stop", wishing::stop_run)
            .wish("/v1/pause", wishing::pause_jobs)
            .wish("/v1/resume", wishing::resume_jobs)
            .wish("/v1/reload", wishing::reload)
    }

    fn read<H: Handler<T, Arc<Desk>>, T: 'static>(mut self, path: &'static str, handler: H) -> Self {
        self.served.push(("get", path));
        Self { router: self.router.route(path, get(handler)), ..self }
    }

    fn wish<H: Handler<T, Arc<Desk>>, T: 'static>(mut self, path: &'static str, handler: H) -> Self {
        self.served.push(("post", path));
        Self { router: self.router.route(path, post(handler)), ..self }
    }
}

/// Lets in who may, and waits only so long.
async fn guard(
    State(desk): State<Arc<Desk>>,
    Extension(visitor): Extension<Arc<Visitor>>,
    request: Request,
    next: Next,
) -> Response {
    let wanted = if [Method::GET, Method::HEAD].contains(request.method()) { Right::Read } else { Right::Wish };
    let path = request.uri().path().to_owned();
    let answer = async {
        match desk.allow(&visitor, wanted).await {
            Ok(()) => in_our_words(next.run(request).await, &path),
            Err(problem) => problem.into_response(),
        }
    };
    timeout(ANSWERED_WITHIN, answer).await.unwrap_or_else(|_| too_late(wanted).into_response())
}

/// What never came to a handler of ours, because its address cannot be read, is told as everything else.
fn in_our_words(answer: Response, path: &str) -> Response {
    let is_error = answer.status().is_client_error() || answer.status().is_server_error();
    let is_json = answer.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "application/json");
    if is_error && !is_json {
        return Problem::new(Code::Wrong, format!("the address {path} cannot be read")).into_response();
    }
    answer
}

fn too_late(wanted: Right) -> Problem {
    let late = Problem::new(Code::TimedOut, format!("there was no answer within {ANSWERED_WITHIN:?}"));
    match wanted {
        Right::Nothing | Right::Read => late.with_help("ask for less, or again later"),
        Right::Wish => late.with_help("it may come true all the same: punctual status shows it"),
    }
}

async fn no_such_address(uri: Uri) -> Problem {
    let message = format!("there is nothing at {}", uri.path());
    Problem::new(Code::Unknown, message).with_help("/v1/openapi.json lists all addresses")
}

async fn not_so(method: Method, uri: Uri) -> Problem {
    let other = if method == Method::POST { "GET" } else { "POST" };
    let message = format!("{} is not asked by {method}", uri.path());
    Problem::new(Code::Method, message).with_help(format!("ask it by {other}"))
}

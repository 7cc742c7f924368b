//! Which addresses are there?

use std::sync::Arc;

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
use super::desk::{ANSWERED_WITHIN, Desk};
use super::problem::{Code, Problem};
use super::{asking, output, wishing};

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
            .read("/v1/jobs/{job}", asking::job)
            .read("/v1/jobs/{job}/next", asking::next)
            .read("/v1/history", asking::history)
            .read("/v1/runs/{run}", asking::run)
            .read("/v1/runs/{run}/output", output::output)
            .read("/v1/stats", asking::stats)
            .read("/v1/notices", asking::notices)
            .read("/v1/openapi.json", asking::description)
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
            .wish("/v1/notices/retry", wishing::retry_notices)
            .wish("/v1/notices/drop", wishing::drop_notices)
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use serde_json::Value;

    use super::*;
    use crate::job::CarrierKind;
    use crate::notice::{Kind, Standing};
    use crate::run::{Cause, Outcome, Reason};

    fn description() -> Value {
        serde_json::from_str(super::super::DESCRIPTION).unwrap()
    }

    #[test]
    fn what_is_described_is_served_and_what_is_served_is_described() {
        let description = description();
        let paths = description["paths"].as_object().unwrap();
        let methods = |(path, item): (&String, &Value)| {
            item.as_object().unwrap().keys().map(|method| (method.clone(), path.clone())).collect::<Vec<_>>()
        };
        let described: BTreeSet<(String, String)> = paths.iter().flat_map(methods).collect();
        let served = Routes::all().served;
        let served: BTreeSet<(String, String)> =
            served.iter().map(|(method, path)| ((*method).to_owned(), (*path).to_owned())).collect();
        assert_eq!(described, served);
        assert!(served.len() > 15);
    }

    #[test]
    fn the_description_has_all_words() {
        let description = description();
        let words = |schema: &str, field: &str| -> Vec<String> {
            let words = &description["components"]["schemas"][schema]["properties"][field]["enum"];
            words.as_array().unwrap().iter().filter_map(Value::as_str).map(str::to_owned).collect()
        };
        assert_eq!(words("Entry", "cause"), Cause::ALL.iter().map(|word| word.word()).collect::<Vec<_>>());
        assert_eq!(words("Entry", "outcome"), Outcome::ALL.iter().map(|word| word.word()).collect::<Vec<_>>());
        assert_eq!(words("Notice", "kind"), Kind::ALL.iter().map(|word| word.word()).collect::<Vec<_>>());
        assert_eq!(words("Notice", "state"), Standing::WORDS.map(|(word, _)| word));
        assert_eq!(words("Notice", "carrier"), CarrierKind::WORDS.map(|(word, _)| word));
        assert_eq!(words("Entry", "reason"), Reason::ALL.iter().map(|word| word.word()).collect::<Vec<_>>());
        let codes = &description["components"]["schemas"]["Problem"]["properties"]["error"]["properties"]["code"];
        assert_eq!(codes["enum"], serde_json::to_value(Code::ALL).unwrap());
    }
}

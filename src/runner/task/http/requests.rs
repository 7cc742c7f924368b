//! How is one of many addresses asked, and what is to be said of it?

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, timeout};
use url::Url;

use super::super::super::native::{Failure, Native};
use super::body::{Body, Shelf};
use super::expectation;
use super::latency;
use super::page::{Change, file_name};
use crate::clock::{Clock, instant};
use crate::job::{HeaderText, Http, Method, OnChange};
use crate::run::Reason;
use crate::secret::resolve;
use crate::web::header::{HeaderMap, HeaderName, HeaderValue};
use crate::web::{self, Answer, Ask, Bytes, Manners, Web};

/// Shorter words are no secrets, and occur everywhere.
const SHORTEST_SECRET: usize = 6;

/// All that the requests of a run share.
#[derive(Debug)]
pub struct Requests {
    http: Arc<Http>,
    web: Web,
    ask: Ask,
    clock: Clock,
    /// What must not be shown, whoever says it.
    secrets: Vec<String>,
    writer: String,
}

/// A request that is over.
#[derive(Debug, Default)]
pub struct Asked {
    pub at: usize,
    pub status: Option<u16>,
    pub total: Duration,
    /// Until the head of the last answer was there.
    pub head: Option<Duration>,
    /// Bytes of the body, decompressed.
    pub size: u64,
    /// Something worth telling that is no failure.
    pub note: Option<String>,
    /// What is wrong; nothing if it is as expected.
    pub wrong: Vec<String>,
}

impl Requests {
    /// Reads secrets and certificates, and makes the folder that keeps what is saved.
    pub fn prepare(http: Arc<Http>, native: &Native) -> Result<Self, Failure> {
        let mut secrets = Vec::new();
        let ask = Ask {
            method: method(http.method),
            headers: headers(&http, native, &mut secrets)?,
            body: http.body.clone().map(Bytes::from),
            // Who expects one wants to see it.
            follow_redirects: !http.expected.status.iter().any(|range| range.meets_redirects()),
            body_limit: http.body_limit,
        };
        let mut origins: Vec<String> = http.url.iter().map(|url| url.origin().ascii_serialization()).collect();
        origins.sort_unstable();
        origins.dedup();
        let plain_only = http.url.iter().all(|url| url.scheme() == "http");
        let manners = Manners { ca_file: http.ca_file.clone(), plain_only, origins: origins.len() };
        let web = Web::new(&manners).map_err(|error| not_started(chain(&error)))?;
        if let Some(folder) = &http.save {
            std::fs::create_dir_all(folder)
                .map_err(|error| not_started(format!("cannot make the folder {}: {error}", folder.display())))?;
        }
        let id = native.part.id;
        let writer = format!("{}-{}-{}-{}", id.run, id.attempt, id.step, id.step_attempt);
        Ok(Self { http, web, ask, clock: native.tools.clock.clone(), secrets, writer })
    }

    pub fn url(&self, at: usize) -> &Url {
        &self.http.url[at % self.http.url.len()]
    }

    /// Asks, and looks at the answer, within the time that a request may take.
    pub async fn ask(self: Arc<Self>, at: usize) -> Asked {
        let mut asked = Asked { at, ..Asked::default() };
        let _place = web::place(self.url(at)).await;
        let began = instant();
        let limit = self.http.request_timeout;
        let result = timeout(limit, self.carry(&mut asked, began)).await;
        asked.total = began.elapsed();
        match result {
            Ok(Ok(())) => {}
            Ok(Err(trouble)) => asked.wrong.push(trouble),
            Err(_) => {
                let what = match asked.head {
                    Some(_) => format!("{} bytes of the body had come", asked.size),
                    None => "there was no answer".to_owned(),
                };
                asked.wrong.push(format!("timed out after {}: {what}", latency::in_words(limit)));
            }
        }
        for text in asked.wrong.iter_mut().chain(&mut asked.note) {
            *text = self.without_secrets(text);
        }
        asked
    }

    async fn carry(&self, asked: &mut Asked, began: Instant) -> Result<(), String> {
        let url = self.url(asked.at);
        let answer = self.web.ask(&self.ask, url).await.map_err(|error| error.to_string())?;
        asked.status = Some(answer.status());
        asked.head = Some(began.elapsed());
        asked.wrong = expectation::of_head(&self.http.expected, &answer, self.clock.now());
        // In a box, so that requests which wait for an answer, of which there may be thousands, take less.
        Box::pin(self.look_at(answer, asked, url)).await
    }

    async fn look_at(&self, mut answer: Answer, asked: &mut Asked, url: &Url) -> Result<(), String> {
        let is_right = asked.wrong.is_empty();
        let shelf = self.http.save.as_deref().filter(|_| is_right);
        let shelf = shelf.map(|folder| Shelf { folder, url, writer: &self.writer });
        let body = Body::take_in(&mut answer, &self.http, shelf, &mut asked.size).await;
        let body = body.map_err(|error| error.to_string())?;
        // What came with another status was not meant by who wrote these.
        if is_right {
            asked.wrong = expectation::of_body(&self.http.expected, &body.held);
        }
        if asked.wrong.is_empty() {
            let change = body.keep().await.map_err(|error| format!("cannot save it: {error}"))?;
            self.judge_change(asked, url, change);
        }
        Ok(())
    }

    fn judge_change(&self, asked: &mut Asked, url: &Url, change: Option<Change>) {
        let Some(folder) = self.http.save.as_ref().filter(|_| change == Some(Change::Changed)) else {
            return;
        };
        let path: PathBuf = folder.join(file_name(url));
        let words = format!("the body has changed since it was last saved; it is {} now", path.display());
        match self.http.on_change {
            Some(OnChange::Fail) => asked.wrong.push(words),
            Some(OnChange::Tell) => asked.note = Some(words),
            None => {}
        }
    }

    /// A server may send back what it was sent, and where it sends it is looked at.
    fn without_secrets(&self, text: &str) -> String {
        self.secrets.iter().fold(text.to_owned(), |text, secret| text.replace(secret, "***"))
    }
}

/// The headers as they are sent; what is secret is marked, and goes into the list.
fn headers(http: &Http, native: &Native, secrets: &mut Vec<String>) -> Result<HeaderMap, Failure> {
    let mut headers = HeaderMap::new();
    for header in &http.headers {
        let (text, is_secret) = match &header.value {
            HeaderText::Open(text) => (text.clone(), false),
            HeaderText::Private(text) => (text.0.clone(), true),
            HeaderText::Secret(source) => {
                let secret = resolve(source, &native.tools.environment)
                    .map_err(|error| not_started(format!("the header {}: {}", header.name, chain(&error))))?;
                (secret.expose().to_owned(), true)
            }
        };
        let name = HeaderName::from_bytes(header.name.as_bytes()).ok();
        let (Some(name), Ok(mut value)) = (name, HeaderValue::from_str(&text)) else {
            return Err(not_started(format!(
                "the header {} cannot hold its secret: it is no line of ASCII",
                header.name
            )));
        };
        value.set_sensitive(is_secret);
        headers.insert(name, value);
        if is_secret {
            // `Bearer abc` is sent back as `abc`, too.
            let words = text.split_whitespace().skip(1).chain([text.as_str()]);
            secrets.extend(words.filter(|word| word.len() >= SHORTEST_SECRET).map(str::to_owned));
        }
    }
    // The longest first, so that no end of one is left.
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    Ok(headers)
}

fn method(method: Method) -> web::Method {
    match method {
        Method::Get => web::Method::GET,
        Method::Head => web::Method::HEAD,
        Method::Post => web::Method::POST,
        Method::Put => web::Method::PUT,
        Method::Patch => web::Method::PATCH,
        Method::Delete => web::Method::DELETE,
        Method::Options => web::Method::OPTIONS,
    }
}

fn not_started(detail: String) -> Failure {
    Failure::NotStarted { reason: Reason::Spawn, detail }
}

/// An error with all its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |words, cause| format!("{words}: {cause}"))
}

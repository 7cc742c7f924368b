//! How is an address asked? The one HTTP client and its rules.
//!
//! A redirect is followed ten times at most, and never to another scheme; what is marked as sensitive goes to the origin
//! that was meant, and to no other; no answer is read beyond its limit. It knows nothing of jobs.

mod certificate;
mod names;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::{Once, OnceLock};

pub use certificate::{not_after, subject};
pub use hyper::body::Bytes;
use jiff::Timestamp;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderName, LOCATION};
use reqwest::redirect::Policy;
use reqwest::tls::{Certificate, TlsInfo};
use reqwest::{Body, Client, Request, Response, StatusCode};
pub use reqwest::{Method, header};
use rustix::process::{Resource, getrlimit};
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use crate::files::{ReadError, read_text};
use names::Names;
pub use trouble::{Trouble, tls_in_words};

/// As browsers and curl do not follow more than some tens, and nobody means more than a few.
const MOST_REDIRECTS: usize = 10;
/// Connections that wait to be used again: more are not worth the open files.
const MOST_IDLE: usize = 256;
/// A connection takes some 26 KiB, nearly all of it hyper's: together 150 MiB.
const MOST_PLACES: usize = 6000;
const USER_AGENT: &str = concat!("punctual/", env!("CARGO_PKG_VERSION"));

/// What a client can be told.
#[derive(Debug, Clone, Default)]
pub struct Manners {
    /// Issuers that are trusted beside those of the machine.
    pub ca_file: Option<PathBuf>,
    /// Whether only http is asked, which needs no certificates.
    pub plain_only: bool,
    /// How many servers there are to ask, as far as known.
    pub origins: usize,
}

/// Why there is no client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    #[error(transparent)]
    Read(#[from] ReadError),
    #[error("{} holds no certificate in PEM", .0.display())]
    NoCertificate(PathBuf),
    #[error("{} holds a certificate that cannot be used", path.display())]
    BadCertificate { path: PathBuf, source: reqwest::Error },
    #[error("TLS cannot be set up")]
    Tls(#[source] reqwest::Error),
}

/// What is asked, of whatever address.
#[derive(Debug)]
pub struct Ask {
    pub method: Method,
    /// Values that are marked as sensitive do not go to another origin.
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
    pub follow_redirects: bool,
    /// Bytes of an answer's body, decompressed.
    pub body_limit: u64,
}

/// A client with connections of its own.
#[derive(Debug, Clone)]
pub struct Web {
    client: Client,
}

impl Web {
    /// Reads the certificates of the machine; must be called within a runtime.
    pub fn new(manners: &Manners) -> Result<Self, SetupError> {
        static PROVIDER: Once = Once::new();
        PROVIDER.call_once(|| {
            // It fails only where there is one already, which does as well.
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let idle = if manners.origins > MOST_IDLE { 0 } else { MOST_IDLE / manners.origins.max(1) };
        let builder = Client::builder()
            .user_agent(USER_AGENT)
            .redirect(Policy::none())
            .referer(false)
            .retry(reqwest::retry::never())
            .dns_resolver(Names::new())
            .pool_max_idle_per_host(idle)
            .tls_info(true);
        let own = manners.ca_file.as_deref().map(certificates).transpose()?.unwrap_or_default();
        let builder = if manners.plain_only { builder.tls_certs_only(own) } else { builder.tls_certs_merge(own) };
        Ok(Self { client: builder.build().map_err(SetupError::Tls)? })
    }

    /// Asks, follows redirects, and answers when the head of the last answer is there.
    pub async fn ask(&self, ask: &Ask, url: &Url) -> Result<Answer, Trouble> {
        let mut turn = Turn::first(ask, url);
        for _ in 0..=MOST_REDIRECTS {
            let response = self.client.execute(turn.request(ask)).await;
            let response = response.map_err(|error| turn.trouble(error, url))?;
            match redirect(&response).filter(|_| ask.follow_redirects) {
                Some(location) => turn.follow(response.status(), location?)?,
                None => return Ok(Answer { response, left: ask.body_limit, limit: ask.body_limit }),
            }
        }
        Err(Trouble::Redirects(MOST_REDIRECTS))
    }
}

/// The certificates of a file, of which there must be one.
fn certificates(path: &Path) -> Result<Vec<Certificate>, SetupError> {
    let text = read_text(path)?;
    let certificates = Certificate::from_pem_bundle(text.as_bytes())
        .map_err(|source| SetupError::BadCertificate { path: path.to_owned(), source })?;
    if certificates.is_empty() {
        return Err(SetupError::NoCertificate(path.to_owned()));
    }
    Ok(certificates)
}

/// Where an answer sends who asked, if it does.
fn redirect(response: &Response) -> Option<Result<Url, Trouble>> {
    let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
    let location = response.headers().get(LOCATION).filter(|_| is_redirect)?;
    let location = location.to_str().ok().and_then(|location| response.url().join(location).ok());
    Some(location.ok_or(Trouble::Location))
}

/// What redirects make of what was asked. Thousands of requests wait at once, so it holds nothing that can be had again.
#[derive(Debug)]
struct Turn {
    url: Url,
    method: Method,
    has_body: bool,
    /// Whether it is another origin than the one that was meant.
    is_away: bool,
}

impl Turn {
    fn first(ask: &Ask, url: &Url) -> Self {
        Self { url: url.clone(), method: ask.method.clone(), has_body: ask.body.is_some(), is_away: false }
    }

    /// Why there is no answer, and from where there is none.
    fn trouble(&self, error: reqwest::Error, asked: &Url) -> Trouble {
        let why = Trouble::of(error);
        if self.url == *asked { why } else { Trouble::Away { to: self.url.to_string(), why: Box::new(why) } }
    }

    fn request(&self, ask: &Ask) -> Request {
        let mut request = Request::new(self.method.clone(), self.url.clone());
        let of_body = |name: &HeaderName| [CONTENT_TYPE, CONTENT_ENCODING, CONTENT_LENGTH].contains(name);
        for (name, value) in &ask.headers {
            let is_left_out =
                self.is_away && value.is_sensitive() || ask.body.is_some() && !self.has_body && of_body(name);
            if !is_left_out {
                request.headers_mut().insert(name, value.clone());
            }
        }
        *request.body_mut() = ask.body.clone().filter(|_| self.has_body).map(Body::from);
        request
    }

    fn follow(&mut self, status: StatusCode, location: Url) -> Result<(), Trouble> {
        if location.scheme() != self.url.scheme() {
            let location = trouble::without_query(&location);
            return Err(Trouble::Scheme { from: self.url.scheme().to_owned(), location });
        }
        // As RFC 9110 has it for 303, and as every browser does for 301 and 302.
        let becomes_get = match status.as_u16() {
            303 => self.method != Method::HEAD,
            301 | 302 => self.method == Method::POST,
            _ => false,
        };
        if becomes_get {
            self.method = Method::GET;
            self.has_body = false;
        }
        // Who was sent away once is not trusted to be back.
        self.is_away |= location.origin() != self.url.origin();
        self.url = location;
        Ok(())
    }
}

/// An answer whose body is still to come.
#[derive(Debug)]
pub struct Answer {
    response: Response,
    left: u64,
    limit: u64,
}

impl Answer {
    pub fn status(&self) -> u16 {
        self.response.status().as_u16()
    }

    /// A header that is text.
    pub fn header(&self, name: &HeaderName) -> Option<&str> {
        self.response.headers().get(name)?.to_str().ok()
    }

    /// The next piece of the body; none at its end.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, Trouble> {
        let Some(chunk) = self.response.chunk().await.map_err(Trouble::of)? else {
            return Ok(None);
        };
        self.left = self.left.checked_sub(chunk.len() as u64).ok_or(Trouble::TooLarge(self.limit))?;
        Ok(Some(chunk))
    }

    /// Until when the server's certificate is valid; none without TLS, or where it does not say so in a way that is known.
    pub fn certificate_until(&self) -> Option<Timestamp> {
        let tls = self.response.extensions().get::<TlsInfo>()?;
        certificate::not_after(tls.peer_certificate()?)
    }
}

/// Room for a connection, counted over all clients until this is dropped.
pub type Place = SemaphorePermit<'static>;

/// Waits until there is room for another connection.
pub async fn place(url: &Url) -> Option<Place> {
    static PLACES: OnceLock<Semaphore> = OnceLock::new();
    PLACES.get_or_init(|| Semaphore::new(places())).acquire_many(weight(url)).await.ok()
}

/// How many connections to such an address there can be at once.
pub fn most_at_once(url: &Url) -> usize {
    (places() / weight(url) as usize).max(1)
}

/// What memory allows, and half of the files that may be open: the others are for everything else.
fn places() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files / 2).unwrap_or(MOST_PLACES).clamp(2, MOST_PLACES)
}

/// TLS takes as much memory again.
fn weight(url: &Url) -> u32 {
    if url.scheme() == "https" { 2 } else { 1 }
}

#[cfg(test)]
mod tests {
    use reqwest::header::{AUTHORIZATION, HeaderValue};

    use super::*;

    fn ask(method: Method) -> Ask {
        let mut secret = HeaderValue::from_static("canary");
        secret.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert("x-own", secret.clone());
        headers.insert(AUTHORIZATION, secret);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        Ask { method, headers, body: Some("body".into()), follow_redirects: true, body_limit: 1 }
    }

    /// The request that is asked after these redirects.
    fn redirected(method: Method, url: &str, status: u16, locations: &[&str]) -> Result<Request, Trouble> {
        let ask = ask(method);
        let mut turn = Turn::first(&ask, &url.parse().unwrap());
        for location in locations {
            turn.follow(StatusCode::from_u16(status).unwrap(), location.parse().unwrap())?;
        }
        Ok(turn.request(&ask))
    }

    #[test]
    fn what_is_sensitive_stays_with_its_origin() {
        for (locations, expect) in [
            (&["https://a.example/other"][..], 3),
            (&["https://a.example:443/"], 3),
            (&["https://a.example:444/"], 1),
            (&["https://b.example/"], 1),
            (&["https://b.example/", "https://a.example/"], 1),
        ] {
            let next = redirected(Method::PUT, "https://a.example/", 307, locations).unwrap();
            assert_eq!(next.headers().len(), expect, "{locations:?}");
            assert!(next.body().is_some());
        }
    }

    #[test]
    fn the_scheme_stays() {
        for (from, to) in [("https://a.example/", "http://a.example/"), ("http://a.example/", "https://a.example/")] {
            let next = redirected(Method::GET, from, 302, &[to]);
            assert!(matches!(next, Err(Trouble::Scheme { .. })), "{from}");
        }
    }

    #[test]
    fn a_post_becomes_a_get_where_the_standard_says_so() {
        for (status, method, expect) in [
            (303, Method::POST, Method::GET),
            (303, Method::HEAD, Method::HEAD),
            (302, Method::POST, Method::GET),
            (301, Method::PUT, Method::PUT),
            (307, Method::POST, Method::POST),
            (308, Method::POST, Method::POST),
        ] {
            let next = redirected(method, "https://a.example/", status, &["https://a.example/"]).unwrap();
            assert_eq!(*next.method(), expect, "{status}");
            let is_get = *next.method() == Method::GET;
            assert_eq!(
                (next.body().is_none(), next.headers().contains_key(CONTENT_TYPE)),
                (is_get, !is_get),
                "{status}"
            );
        }
    }
}

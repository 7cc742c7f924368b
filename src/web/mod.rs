//! How is an address asked? The one HTTP client and its rules.
//!
//! A redirect is followed ten times at most, and never to another scheme; what is marked as sensitive goes to the origin
//! that was meant, and to no other; no answer is read beyond its limit. It knows nothing of jobs.

mod certificate;
mod names;
mod trouble;

use std::path::{Path, PathBuf};
use std::sync::{Once, OnceLock};

pub use hyper::body::Bytes;
use jiff::Timestamp;
use reqwest::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, LOCATION, TRANSFER_ENCODING};
use reqwest::redirect::Policy;
use reqwest::tls::{Certificate, TlsInfo};
use reqwest::{Body, Client, Request, Response, StatusCode};
pub use reqwest::{Method, header};
use rustix::process::{Resource, getrlimit};
use tokio::sync::{Semaphore, SemaphorePermit};
use url::Url;

use crate::files::{ReadError, read_text};
use names::Names;
pub use trouble::Trouble;

/// As browsers and curl do not follow more than some tens, and nobody means more than a few.
const MOST_REDIRECTS: usize = 10;
/// Connections that wait to be used again: more are not worth the open files.
const MOST_IDLE: usize = 256;
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
        let mut request = Request::new(ask.method.clone(), url.clone());
        request.headers_mut().clone_from(&ask.headers);
        *request.body_mut() = ask.body.clone().map(Body::from);
        for _ in 0..=MOST_REDIRECTS {
            // A body that is at hand can always be cloned.
            let next = request.try_clone();
            let response = self.client.execute(request).await.map_err(Trouble::of)?;
            let location = redirect(&response).filter(|_| ask.follow_redirects);
            let (Some(location), Some(next)) = (location, next) else {
                return Ok(Answer { response, left: ask.body_limit, limit: ask.body_limit });
            };
            request = follow(next, response.status(), &location?)?;
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

/// The request that a redirect asks for.
fn follow(mut request: Request, status: StatusCode, location: &Url) -> Result<Request, Trouble> {
    if location.scheme() != request.url().scheme() {
        let shown = trouble::without_query(location);
        return Err(Trouble::Scheme { from: request.url().scheme().to_owned(), location: shown });
    }
    let is_post = *request.method() == Method::POST;
    let becomes_get = match status {
        StatusCode::SEE_OTHER => *request.method() != Method::HEAD,
        StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND => is_post,
        _ => false,
    };
    if becomes_get {
        *request.method_mut() = Method::GET;
        *request.body_mut() = None;
        for name in [CONTENT_TYPE, CONTENT_LENGTH, CONTENT_ENCODING, TRANSFER_ENCODING] {
            request.headers_mut().remove(name);
        }
    }
    if location.origin() != request.url().origin() {
        let kept = request.headers().iter().filter(|(_, value)| !value.is_sensitive());
        let kept: HeaderMap = kept.map(|(name, value)| (name.clone(), value.clone())).collect();
        *request.headers_mut() = kept;
    }
    request.url_mut().clone_from(location);
    Ok(request)
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

/// A connection that may be opened, and is counted over all clients until this is dropped.
pub type Place = SemaphorePermit<'static>;

/// Waits until another connection may be opened: half of the files that may be open are for everything else.
pub async fn place() -> Option<Place> {
    places_left().acquire().await.ok()
}

/// How many connections there can be at once.
pub fn most_places() -> usize {
    let files = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(files / 2).unwrap_or(usize::MAX).clamp(1, Semaphore::MAX_PERMITS)
}

fn places_left() -> &'static Semaphore {
    static PLACES: OnceLock<Semaphore> = OnceLock::new();
    PLACES.get_or_init(|| Semaphore::new(most_places()))
}

#[cfg(test)]
mod tests {
    use reqwest::header::{AUTHORIZATION, HeaderValue};

    use super::*;

    fn request(method: Method, url: &str) -> Request {
        let mut request = Request::new(method, url.parse().unwrap());
        let mut secret = HeaderValue::from_static("canary");
        secret.set_sensitive(true);
        request.headers_mut().insert("x-own", secret.clone());
        request.headers_mut().insert(AUTHORIZATION, secret);
        request.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("text/plain"));
        *request.body_mut() = Some("body".into());
        request
    }

    #[test]
    fn what_is_sensitive_stays_with_its_origin() {
        for (location, expect) in [
            ("https://a.example/other", 3),
            ("https://a.example:443/", 3),
            ("https://a.example:444/", 1),
            ("https://b.example/", 1),
        ] {
            let request = request(Method::PUT, "https://a.example/");
            let next = follow(request, StatusCode::TEMPORARY_REDIRECT, &location.parse().unwrap()).unwrap();
            assert_eq!(next.headers().len(), expect, "{location}");
            assert!(next.body().is_some());
        }
    }

    #[test]
    fn the_scheme_stays() {
        for (from, to) in [("https://a.example/", "http://a.example/"), ("http://a.example/", "https://a.example/")] {
            let next = follow(request(Method::GET, from), StatusCode::FOUND, &to.parse().unwrap());
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
            let request = request(method, "https://a.example/");
            let status = StatusCode::from_u16(status).unwrap();
            let next = follow(request, status, &"https://a.example/".parse().unwrap()).unwrap();
            assert_eq!(*next.method(), expect, "{status}");
            assert_eq!(next.body().is_none(), *next.method() == Method::GET, "{status}");
        }
    }
}

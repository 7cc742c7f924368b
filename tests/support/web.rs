//! A small web server on loopback, with moods: what it answers depends on the path alone.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpListener;
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;

/// What a server has seen, and what its page says now.
#[derive(Default)]
pub struct Seen {
    /// The heads and bodies of all requests.
    pub requests: Mutex<Vec<String>>,
    /// Requests to `/slow` that wait for an answer.
    pub waiting: AtomicUsize,
    pub page: Mutex<String>,
    /// Whether `/slow` answers.
    pub released: watch::Sender<bool>,
}

/// A server; it ends with the test.
pub struct Server {
    pub address: SocketAddr,
    pub seen: Arc<Seen>,
    scheme: &'static str,
    _runtime: Runtime,
}

impl Server {
    pub fn start() -> Self {
        Self::serve(None)
    }

    /// One that speaks TLS with this certificate.
    pub fn start_tls(certificate: &Certificate) -> Self {
        let key = PrivateKeyDer::try_from(certificate.key.clone()).unwrap();
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der.clone().into()], key)
            .unwrap();
        Self::serve(Some(TlsAcceptor::from(Arc::new(config))))
    }

    fn serve(tls: Option<TlsAcceptor>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let seen = Arc::new(Seen::default());
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let scheme = if tls.is_some() { "https" } else { "http" };
        let of_server = seen.clone();
        runtime.spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (seen, tls) = (of_server.clone(), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => drop(converse(stream, &seen).await),
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                drop(converse(stream, &seen).await);
                            }
                        }
                    }
                });
            }
        });
        Self { address, seen, scheme, _runtime: runtime }
    }

    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.address)
    }

    pub fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().unwrap().clone()
    }

    pub fn set_page(&self, text: &str) {
        text.clone_into(&mut self.seen.page.lock().unwrap());
    }
}

/// Answers one request after the other, until it closes the connection or is left.
async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin, seen: &Seen) -> std::io::Result<()> {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            if stream.read_until(b'\n', &mut head).await? == 0 {
                return Ok(());
            }
            if !head.is_ascii() {
                return stream.get_mut().write_all(whole("400 Bad Request", "", "what?").as_bytes()).await;
            }
        }
        let head = String::from_utf8(head).unwrap();
        let length = head
            .to_ascii_lowercase()
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.split("\r\n").next().and_then(|length| length.parse().ok()));
        let mut body = vec![0; length.unwrap_or(0)];
        stream.read_exact(&mut body).await?;
        let request = head + &String::from_utf8_lossy(&body);
        seen.requests.lock().unwrap().push(request.clone());
        let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
        if !answer(stream.get_mut(), &path, &request, seen).await? {
            return Ok(());
        }
    }
}

fn whole(status: &str, headers: &str, body: &str) -> String {
    let mut answer = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    write!(answer, "{headers}\r\n{body}").unwrap();
    answer
}

/// Whether the connection goes on.
async fn answer(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    path: &str,
    request: &str,
    seen: &Seen,
) -> std::io::Result<bool> {
    static PIECE: [u8; 64 << 10] = [b'x'; 64 << 10];
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    let text = match path {
        "/json" => whole("200 OK", "", r#"{"status": "ok", "depth": [1, 2.5], "queue": {"length": 0}}"#),
        "/busy" => whole("429 Too Many Requests", "Retry-After: 7\r\n", "not now"),
        "/status" => whole(&format!("{query} Mood"), "", "as you like it"),
        path if path.starts_with("/echo") => whole("200 OK", "", &serde_json::json!({ "head": request }).to_string()),
        "/broken" => whole("500 Internal Server Error", "", "the database is away"),
        "/to" => whole("307 Temporary Redirect", &format!("Location: {query}\r\n"), ""),
        "/loop" => whole("302 Found", "Location: /loop\r\n", ""),
        "/page" => whole("200 OK", "", &seen.page.lock().unwrap()),
        "/early" => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort".to_owned(),
        "/garbage" => "SSH-2.0-OpenSSH_9.9\r\n\r\n".to_owned(),
        "/silent" => String::new(),
        "/slow" => {
            seen.waiting.fetch_add(1, Ordering::SeqCst);
            let mut released = seen.released.subscribe();
            let is_released = tokio::select! {
                released = released.wait_for(|released| *released) => released.is_ok(),
                _ = stream.read_u8() => false,
            };
            seen.waiting.fetch_sub(1, Ordering::SeqCst);
            if !is_released {
                return Ok(false);
            }
            whole("200 OK", "", "at last")
        }
        "/stall" => {
            stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nbegun").await?;
            stream.flush().await?;
            seen.waiting.fetch_add(1, Ordering::SeqCst);
            let left = stream.read_u8().await;
            seen.waiting.fetch_sub(1, Ordering::SeqCst);
            return left.map(|_| false);
        }
        "/huge" | "/endless" => {
            let endless = path == "/endless";
            let length = if endless { "Transfer-Encoding: chunked" } else { "Content-Length: 104857600" };
            stream.write_all(format!("HTTP/1.1 200 OK\r\n{length}\r\n\r\n").as_bytes()).await?;
            let mut left = if endless { usize::MAX } else { 1600 };
            while left > 0 {
                let (begin, end) = if endless { ("10000\r\n", "\r\n") } else { ("", "") };
                stream.write_all(begin.as_bytes()).await?;
                stream.write_all(&PIECE).await?;
                stream.write_all(end.as_bytes()).await?;
                left -= 1;
            }
            return Ok(true);
        }
        _ => whole("200 OK", "", "all ok"),
    };
    stream.write_all(text.as_bytes()).await?;
    stream.flush().await?;
    Ok(!matches!(path, "/early" | "/garbage" | "/silent"))
}

/// A certificate of a server, and its key.
pub struct Certificate {
    der: Vec<u8>,
    key: Vec<u8>,
}

/// An issuer of certificates.
pub struct Issuer {
    issuer: rcgen::Issuer<'static, rcgen::KeyPair>,
    pub pem: String,
}

impl Issuer {
    pub fn new() -> Self {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mut parameters = rcgen::CertificateParams::default();
        // Each its own name, so that one is not taken for another.
        let name = format!("issuer {}", COUNT.fetch_add(1, Ordering::SeqCst));
        parameters.distinguished_name.push(rcgen::DnType::CommonName, name);
        parameters.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().unwrap();
        let pem = parameters.self_signed(&key).unwrap().pem();
        Self { issuer: rcgen::Issuer::new(parameters, key), pem }
    }

    /// A certificate that ends at the beginning of a day so many days from now.
    pub fn certify(&self, name: &str, days: i64) -> Certificate {
        let mut parameters = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
        let end = jiff::Timestamp::now() + jiff::SignedDuration::from_hours(24 * days);
        let end = end.to_zoned(jiff::tz::TimeZone::UTC).date();
        let (month, day) = (u8::try_from(end.month()).unwrap(), u8::try_from(end.day()).unwrap());
        parameters.not_after = rcgen::date_time_ymd(end.year().into(), month, day);
        let key = rcgen::KeyPair::generate().unwrap();
        let certificate = parameters.signed_by(&key, &self.issuer).unwrap();
        Certificate { der: certificate.der().to_vec(), key: key.serialize_der() }
    }
}

//! A server for mail, on loopback: it takes messages or does what a test needs it to do, and keeps what it was told.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod authority;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;

#[allow(unused_imports, reason = "each test file uses its part")]
pub use authority::{Authority, acceptor, authority};

/// How it behaves.
#[derive(Clone, Default)]
pub struct Manner {
    /// Says nothing, not even hello.
    pub silent: bool,
    /// It says hello after this time.
    pub slow: Duration,
    /// It says a byte each ten seconds.
    pub drips: bool,
    /// A greeting of so many bytes in one line.
    pub babbles: Option<usize>,
    /// It leaves when it hears this word.
    pub leaves_at: Option<&'static str>,
    /// It says nothing more when it hears this word.
    pub dies_at: Option<&'static str>,
    /// Its answer to these recipients, so many times.
    pub refuses: Option<(&'static str, &'static str, usize)>,
    /// Its answer to whoever says hello with a connection.
    pub greeting: Option<&'static str>,
    /// Its answer to the message itself; an empty one leaves without a word.
    pub after_data: Option<&'static str>,
    /// Only this user with this password comes in; who does not is told what was said.
    pub login: Option<(&'static str, &'static str)>,
    /// What it says behind its answer to STARTTLS, when nobody knows yet who it is.
    pub says_early: Option<&'static str>,
    pub tls: Tls,
}

#[derive(Clone, Default)]
pub enum Tls {
    #[default]
    No,
    /// By STARTTLS, with this certificate.
    Later(TlsAcceptor),
    AtOnce(TlsAcceptor),
}

/// A message as it came.
#[derive(Debug, Clone)]
pub struct Received {
    pub from: String,
    pub to: Vec<String>,
    pub data: Vec<u8>,
    pub is_safe: bool,
}

/// The server; it ends with the test's process.
pub struct Server {
    pub port: u16,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    messages: Mutex<Vec<Received>>,
    /// All lines but those of messages.
    lines: Mutex<Vec<String>>,
    refusals: AtomicUsize,
    /// Of so many messages to come it reads a part, and nothing more.
    to_tear: AtomicUsize,
    torn: AtomicUsize,
    /// While this is so it says of no message that it has it.
    is_mute: watch::Sender<bool>,
}

impl Server {
    pub fn start(manner: Manner) -> Self {
        Self::on(0, manner)
    }

    /// On a port of the test's choice.
    pub fn on(port: u16, manner: Manner) -> Self {
        let heard = Arc::new(Heard::default());
        let listener = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
        listener.set_nonblocking(true).unwrap();
        let port = listener.local_addr().unwrap().port();
        let shared = heard.clone();
        std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
            runtime.block_on(async move {
                let listener = TcpListener::from_std(listener).unwrap();
                loop {
                    let (stream, _) = listener.accept().await.unwrap();
                    let (manner, heard) = (manner.clone(), shared.clone());
                    tokio::spawn(async move { accept(stream, manner, heard).await });
                }
            });
        });
        Self { port, heard }
    }

    pub fn messages(&self) -> Vec<Received> {
        self.heard.messages.lock().unwrap().clone()
    }

    /// Of the next message it reads a part, and nothing more.
    pub fn tear_the_next(&self) {
        self.heard.to_tear.fetch_add(1, Ordering::SeqCst);
    }

    /// How many messages it has read a part of.
    pub fn torn(&self) -> usize {
        self.heard.torn.load(Ordering::SeqCst)
    }

    /// Whether it says of messages that it has them.
    pub fn be_mute(&self, is_mute: bool) {
        self.heard.is_mute.send_replace(is_mute);
    }

    /// What it was told besides messages.
    pub fn lines(&self) -> Vec<String> {
        self.heard.lines.lock().unwrap().clone()
    }
}

/// Why a conversation ended.
enum End {
    Over,
    StartTls,
}

async fn accept(stream: TcpStream, manner: Manner, heard: Arc<Heard>) {
    match manner.tls.clone() {
        Tls::AtOnce(acceptor) => {
            let Ok(stream) = acceptor.accept(stream).await else { return };
            let _ = talk(&mut BufReader::new(stream), &manner, &heard, true, true).await;
        }
        Tls::No => {
            let _ = talk(&mut BufReader::new(stream), &manner, &heard, false, true).await;
        }
        Tls::Later(acceptor) => {
            let mut stream = BufReader::new(stream);
            if let Ok(End::StartTls) = talk(&mut stream, &manner, &heard, false, true).await {
                let Ok(stream) = acceptor.accept(stream.into_inner()).await else { return };
                let _ = talk(&mut BufReader::new(stream), &manner, &heard, true, false).await;
            }
        }
    }
}

async fn talk<S: AsyncRead + AsyncWrite + Unpin>(
    stream: &mut BufReader<S>,
    manner: &Manner,
    heard: &Heard,
    is_safe: bool,
    greets: bool,
) -> std::io::Result<End> {
    if manner.silent {
        std::future::pending::<()>().await;
    }
    tokio::time::sleep(manner.slow).await;
    if let Some(bytes) = manner.babbles {
        let mut left = bytes;
        while left > 0 {
            let piece = left.min(64 << 10);
            stream.write_all(&vec![b'2'; piece]).await?;
            left -= piece;
        }
    }
    if manner.drips {
        loop {
            stream.write_all(b"2").await?;
            stream.flush().await?;
            tokio::time::sleep(Duration::from_secs(10)).await;
        }
    }
    if greets {
        say(stream, manner.greeting.unwrap_or("220 test")).await?;
    }
    let nothing = || Received { from: String::new(), to: Vec::new(), data: Vec::new(), is_safe };
    let mut message = nothing();
    loop {
        let Some(line) = hear(stream, heard).await? else { return Ok(End::Over) };
        let word = line.split([' ', ':']).next().unwrap().to_ascii_uppercase();
        if manner.leaves_at == Some(word.as_str()) {
            return Ok(End::Over);
        }
        if manner.dies_at == Some(word.as_str()) {
            std::future::pending::<()>().await;
        }
        match word.as_str() {
            "EHLO" => {
                let starttls = matches!(manner.tls, Tls::Later(_)) && !is_safe;
                let tls = if starttls { "250-STARTTLS\r\n" } else { "" };
                let auth = if manner.login.is_some() { "250-AUTH PLAIN LOGIN\r\n" } else { "" };
                say(stream, &format!("250-test\r\n{tls}{auth}250 8BITMIME")).await?;
            }
            "STARTTLS" => {
                let early = manner.says_early.map(|words| format!("\r\n{words}")).unwrap_or_default();
                say(stream, &format!("220 go on{early}")).await?;
                return Ok(End::StartTls);
            }
            "AUTH" => {
                let (user, password) = manner.login.unwrap();
                let right = STANDARD.encode(format!("\0{user}\0{password}"));
                if line.ends_with(&right) {
                    say(stream, "235 welcome").await?;
                } else {
                    say(stream, &format!("535 5.7.8 not with {line}, which is {password}")).await?;
                }
            }
            "MAIL" => {
                message.from = address(&line);
                say(stream, "250 ok").await?;
            }
            "RCPT" => {
                let to = address(&line);
                let refusal = manner
                    .refuses
                    .filter(|(who, _, _)| to == *who)
                    .filter(|(_, _, times)| heard.refusals.fetch_add(1, Ordering::SeqCst) < *times);
                if let Some((_, answer, _)) = refusal {
                    say(stream, answer).await?;
                } else {
                    message.to.push(to);
                    say(stream, "250 ok").await?;
                }
            }
            "DATA" => {
                say(stream, "354 go on").await?;
                tear(stream, heard).await?;
                message.data = data(stream).await?;
                match manner.after_data {
                    Some("") => return Ok(End::Over),
                    Some(answer) => say(stream, answer).await?,
                    None => {
                        heard.messages.lock().unwrap().push(std::mem::replace(&mut message, nothing()));
                        let mut is_mute = heard.is_mute.subscribe();
                        is_mute.wait_for(|is_mute| !is_mute).await.unwrap();
                        say(stream, "250 2.0.0 queued as 4711").await?;
                    }
                }
            }
            "QUIT" => {
                say(stream, "221 bye").await?;
                return Ok(End::Over);
            }
            _ => say(stream, "500 what?").await?,
        }
    }
}

async fn say<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut BufReader<S>, answer: &str) -> std::io::Result<()> {
    stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    stream.flush().await
}

async fn hear<S: AsyncRead + Unpin>(stream: &mut BufReader<S>, heard: &Heard) -> std::io::Result<Option<String>> {
    let mut line = String::new();
    if stream.read_line(&mut line).await? == 0 {
        return Ok(None);
    }
    let line = line.trim_end_matches("\r\n").to_owned();
    heard.lines.lock().unwrap().push(line.clone());
    Ok(Some(line))
}

/// Reads a part of a message that is to be torn, and never comes back from it.
async fn tear<S: AsyncRead + Unpin>(stream: &mut BufReader<S>, heard: &Heard) -> std::io::Result<()> {
    let fewer = |count: usize| count.checked_sub(1);
    if heard.to_tear.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fewer).is_ok() {
        stream.read_exact(&mut [0; 300]).await?;
        heard.torn.fetch_add(1, Ordering::SeqCst);
        std::future::pending::<()>().await;
    }
    Ok(())
}

/// The message, without the dots that were added for the way.
async fn data<S: AsyncRead + Unpin>(stream: &mut BufReader<S>) -> std::io::Result<Vec<u8>> {
    let mut data = Vec::new();
    loop {
        let mut line = Vec::new();
        if stream.read_until(b'\n', &mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        if line == b".\r\n" {
            return Ok(data);
        }
        assert!(line.len() <= 1000, "a line of {} bytes is longer than RFC 5321 has it", line.len());
        data.extend(line.strip_prefix(b".").unwrap_or(&line));
    }
}

fn address(line: &str) -> String {
    line.split_once('<').unwrap().1.split_once('>').unwrap().0.to_owned()
}

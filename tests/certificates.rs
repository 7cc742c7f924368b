//! Who a mail server is and who we are is said by certificates: right ones are taken, wrong ones are refused in words, and
//! nothing that matters is said in plain text meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "support/smtp.rs"]
mod smtp;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use punctual::job::{Carrier, ChannelName, Identity, Login, Safety, SecretSource, Server as Named, Smtp, Way};
use punctual::mail::Conversation;
use punctual::notice::Kind;
use punctual::notify::{Accepted, Means, Outgoing, Patience, Refusal, Written, deliver_within};
use punctual::report::{MessageReport, NoticeReport, Time};
use smtp::{Authority, Manner, Server, Tls, acceptor};
use tempfile::TempDir;

const CANARY: &str = "canary-5c07-in-the-mine";
const LONG: Duration = Duration::from_secs(20);

/// A server, and what `[smtp]` says of it.
struct Post {
    server: Server,
    safety: Safety,
    ca_file: Option<PathBuf>,
    identity: Option<Identity>,
    folder: TempDir,
}

impl Post {
    /// Of a server whose side of TLS this is.
    fn new(safety: Safety, tls: tokio_rustls::TlsAcceptor) -> Self {
        Self::with(safety, Manner { tls: later_or_at_once(safety, tls), ..Manner::default() })
    }

    fn with(safety: Safety, manner: Manner) -> Self {
        let server = Server::start(Manner { login: Some(("punctual", CANARY)), ..manner });
        Self { server, safety, ca_file: None, identity: None, folder: tempfile::tempdir().unwrap() }
    }

    fn file(&self, name: &str, text: &str) -> PathBuf {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    }

    fn trusts(mut self, authority: &Authority) -> Self {
        self.ca_file = Some(self.file("ca.pem", &authority.pem));
        self
    }

    fn shows(mut self, (certificate, key): &(String, String)) -> Self {
        let (certificate, key) = (self.file("certificate.pem", certificate), self.file("key.pem", key));
        self.identity = Some(Identity { certificate, key });
        self
    }

    async fn send(&self) -> Result<Accepted, Refusal> {
        let password = SecretSource::Env("PASSWORD".to_owned());
        let server = Named {
            host: "localhost".to_owned(),
            port: self.server.port,
            safety: self.safety,
            login: Some(Login { user: "punctual".to_owned(), password }),
            ca_file: self.ca_file.clone(),
            identity: self.identity.clone(),
        };
        let from = "punctual <punctual@example.org>".parse().unwrap();
        let smtp = Smtp { url: "".into(), way: Way::Server(Box::new(server)), from };
        let environment = [("PASSWORD".to_owned(), CANARY.to_owned())].into();
        let means = Means {
            environment: Arc::new(environment),
            smtp: Some(Arc::new(smtp)),
            folder: self.folder.path().to_owned(),
        };
        let carrier = Carrier::Mail(vec!["ops@example.org".parse().unwrap()]);
        let patience = Patience { mail: LONG, webhook: LONG, command: LONG, ping: LONG };
        deliver_within(patience, &carrier, &ops(), &outgoing(), &means, Conversation::default()).await
    }

    async fn is_taken(&self) {
        self.send().await.unwrap();
        assert!(self.server.messages()[0].is_safe);
    }

    /// It waits for somebody to mend it, and the server has heard nothing in the open.
    #[track_caller]
    fn was_refused(&self, came: &Result<Accepted, Refusal>, expect: &str) {
        let Err(Refusal::Later { why, after: None }) = came else {
            panic!("not refused for now, with `{expect}`: {came:?}");
        };
        assert!(why.contains(expect), "`{expect}` is not in: {why}");
        let lines = self.server.lines();
        let is_harmless = |line: &String| line.starts_with("EHLO") || line == "STARTTLS" || line == "QUIT";
        assert!(lines.iter().all(is_harmless), "{expect}: {lines:?}");
        assert!(self.server.messages().is_empty());
    }
}

fn later_or_at_once(safety: Safety, tls: tokio_rustls::TlsAcceptor) -> Tls {
    if safety == Safety::Tls { Tls::AtOnce(tls) } else { Tls::Later(tls) }
}

fn ops() -> ChannelName {
    ChannelName::new("ops").unwrap()
}

fn outgoing() -> Outgoing {
    let at = Time(Timestamp::now());
    let report = MessageReport {
        called: "punctual".to_owned(),
        version: MessageReport::VERSION,
        id: "n-7".to_owned(),
        host: "db1".to_owned(),
        channel: ops(),
        at,
        shared_cause: None,
        notices: vec![NoticeReport::bare(Kind::Failed, at)],
        digest: None,
        now: at,
    };
    let words = || "backup failed".to_owned();
    let written = Written { subject: words(), text: words(), html: words(), short: words() };
    Outgoing { report, written, thread: None }
}

const SAFE: [Safety; 3] = [Safety::Tls, Safety::StartTls, Safety::StartTlsIfOffered];

#[tokio::test]
async fn a_server_may_want_to_know_who_we_are() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    let server = ours.certify("localhost", -1..30);
    let wants_to_know = |safety| Post::new(safety, acceptor(&server, Some(&ours))).trusts(&ours);
    for safety in SAFE {
        wants_to_know(safety).shows(&ours.certify("punctual", -1..30)).is_taken().await;
        let post = wants_to_know(safety);
        post.was_refused(&post.send().await, "the server wants a certificate of ours, and got none");
        let post = wants_to_know(safety).shows(&theirs.certify("punctual", -1..30));
        post.was_refused(&post.send().await, "the server did not take our certificate: ");
        let post = wants_to_know(safety).shows(&ours.certify("punctual", -30..-1));
        post.was_refused(&post.send().await, "the server did not take our certificate: CertificateExpired");
        // Whoever is not asked shows nothing, and that is all right.
        let post = Post::new(safety, acceptor(&server, None)).trusts(&ours);
        post.shows(&theirs.certify("punctual", -1..30)).is_taken().await;
    }
}

#[tokio::test]
async fn a_server_that_is_another_one_is_told_nothing() {
    let (ours, theirs) = (Authority::new(), Authority::new());
    for safety in SAFE {
        Post::new(safety, acceptor(&ours.certify("localhost", -1..30), None)).trusts(&ours).is_taken().await;
        for (certificate, expect) in [
            (
                theirs.certify("localhost", -1..30),
                "the certificate's issuer is not trusted: name its certificate in ca_file",
            ),
            (ours.certify("localhost", -30..-1), "the certificate expired at "),
            (ours.certify("localhost", 2..30), "the certificate is not valid before "),
            (ours.certify("mail.example.org", -1..30), "the certificate is for mail.example.org, not for localhost"),
        ] {
            let post = Post::new(safety, acceptor(&certificate, None)).trusts(&ours);
            post.was_refused(&post.send().await, expect);
        }
        // The authorities of the system know nothing of ours.
        let post = Post::new(safety, acceptor(&ours.certify("localhost", -1..30), None));
        post.was_refused(&post.send().await, "the connection to localhost");
    }
}

/// What is said before it is known who says it would be taken for the answer to what is asked afterwards.
#[tokio::test]
async fn what_is_said_before_tls_counts_for_nothing_afterwards() {
    let ours = Authority::new();
    for safety in [Safety::StartTls, Safety::StartTlsIfOffered] {
        let tls = Tls::Later(acceptor(&ours.certify("localhost", -1..30), None));
        let manner = Manner { tls, says_early: Some("250-evil\r\n250 AUTH PLAIN"), ..Manner::default() };
        let post = Post::with(safety, manner).trusts(&ours);
        post.was_refused(&post.send().await, "safe");
    }
}

#[tokio::test]
async fn files_that_hold_no_certificate_are_named() {
    let ours = Authority::new();
    let post = || Post::new(Safety::Tls, acceptor(&ours.certify("localhost", -1..30), Some(&ours))).trusts(&ours);
    let (certificate, key) = ours.certify("punctual", -1..30);
    let (_, other_key) = ours.certify("punctual", -1..30);
    for (shown, expect) in [
        ((certificate.clone(), other_key), "key.pem cannot be used: "),
        ((certificate.clone(), "no key".to_owned()), "key.pem cannot be used: no private key found"),
        (("no certificate".to_owned(), key.clone()), "certificate.pem cannot be used: it holds no certificate in PEM"),
        ((String::new(), String::new()), "certificate.pem cannot be used: it holds no certificate in PEM"),
    ] {
        let post = post().shows(&shown);
        post.was_refused(&post.send().await, expect);
    }
    let both = format!("{certificate}{key}");
    post().shows(&(both.clone(), both)).is_taken().await;
    let post = post().shows(&(certificate, key));
    fs::remove_file(post.folder.path().join("key.pem")).unwrap();
    post.was_refused(&post.send().await, "key.pem");
    fs::write(post.folder.path().join("ca.pem"), "none").unwrap();
    post.was_refused(&post.send().await, "ca.pem cannot be used: it holds no certificate in PEM");
}

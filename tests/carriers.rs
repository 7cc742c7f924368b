//! Messages on their way: the carriers of channels, and servers and commands in all their moods.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "support/smtp.rs"]
mod smtp;
#[path = "support/web.rs"]
mod web;

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use mail_parser::MessageParser;
use punctual::job::{
    Address, Carrier, ChannelName, Header, HeaderText, Login, Private, Safety, SecretSource, Shape, Smtp, Target, Way,
    Webhook,
};
use punctual::mail::{Conversation, Said};
use punctual::notice::{Kind, NoticeId};
use punctual::notify::{
    Accepted, Means, Outgoing, Patience, PingMoment, Refusal, Rid, Written, deliver_within, ping_within,
};
use punctual::report::{MessageReport, NoticeReport, Time};
use smtp::{Manner, Tls, authority};

const CANARY: &str = "canary-9d1f-in-the-mine";
/// For what answers in any case.
const LONG: Duration = Duration::from_secs(20);
/// For what does not.
const SHORT: Duration = Duration::from_millis(300);

type Came = Result<Accepted, Refusal>;

fn channel() -> ChannelName {
    ChannelName::new("ops").unwrap()
}

fn outgoing() -> Outgoing {
    let at = Time(Timestamp::now());
    let notice = NoticeReport {
        notice: NoticeId(7),
        job: Some("backup".to_owned()),
        why: "exit status 3".to_owned(),
        in_a_row: 1,
        output: vec!["größer\u{0}".to_owned()],
        ..NoticeReport::bare(Kind::Failed, at)
    };
    let report = MessageReport {
        version: MessageReport::VERSION,
        id: "n-7".to_owned(),
        host: "db1".to_owned(),
        channel: channel(),
        at,
        shared_cause: None,
        notices: vec![notice],
        digest: None,
        now: at,
        called: "punctual".to_owned(),
    };
    let written = Written {
        subject: "db1: backup failed\r\nBcc: x@example.org".to_owned(),
        text: "exit status 3\n.\ngrößer\0".to_owned(),
        html: "<p>größer</p>".to_owned(),
        short: "backup failed".to_owned(),
    };
    Outgoing { report, written, thread: Some("n-1".to_owned()) }
}

fn patience(each: Duration) -> Patience {
    Patience { mail: each, webhook: each, command: each, ping: each }
}

fn means(folder: &Path, environment: &[(&str, &str)]) -> Means {
    let mut variables: BTreeMap<String, String> =
        environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    variables.insert("PATH".to_owned(), "/usr/bin:/bin".to_owned());
    Means { environment: Arc::new(variables), smtp: None, folder: folder.to_owned() }
}

async fn deliver(carrier: &Carrier, outgoing: &Outgoing, means: &Means, each: Duration) -> Came {
    deliver_within(patience(each), carrier, &channel(), outgoing, means, Conversation::default()).await
}

#[track_caller]
fn is_later(came: &Came, expect: &str) {
    match came {
        Err(Refusal::Later { why, .. }) if why.contains(expect) && !expect.is_empty() => {}
        other => panic!("not later, with `{expect}`: {other:?}"),
    }
}

#[track_caller]
fn is_never(came: &Came, expect: &str) {
    match came {
        Err(Refusal::Never { why }) if why.contains(expect) && !expect.is_empty() => {}
        other => panic!("not never, with `{expect}`: {other:?}"),
    }
}

/// A way of sending mail, and what is done with it.
struct Post {
    server: smtp::Server,
    safety: Safety,
    login: Option<SecretSource>,
    ca: Option<String>,
    folder: tempfile::TempDir,
}

impl Post {
    fn new(manner: Manner) -> Self {
        let server = smtp::Server::start(manner);
        Self { server, safety: Safety::Plain, login: None, ca: None, folder: tempfile::tempdir().unwrap() }
    }

    fn safe(self, safety: Safety, ca: String) -> Self {
        Self { safety, ca: Some(ca), ..self }
    }

    fn means(&self, environment: &[(&str, &str)]) -> Means {
        let ca_file = self.ca.as_ref().map(|pem| {
            let path = self.folder.path().join("ca.pem");
            fs::write(&path, pem).unwrap();
            path
        });
        let login = self.login.clone().map(|password| Login { user: "punctual".to_owned(), password });
        let host = "localhost".to_owned();
        let server =
            punctual::job::Server { host, port: self.server.port, safety: self.safety, login, ca_file, identity: None };
        let from = "punctual <punctual@example.org>".parse().unwrap();
        let smtp = Smtp { url: "".into(), way: Way::Server(Box::new(server)), from };
        Means { smtp: Some(Arc::new(smtp)), ..means(self.folder.path(), environment) }
    }

    async fn send(&self, to: &[&str], each: Duration) -> Came {
        deliver(&mail(to), &outgoing(), &self.means(&[]), each).await
    }
}

fn mail(to: &[&str]) -> Carrier {
    Carrier::Mail(to.iter().map(|address| address.parse::<Address>().unwrap()).collect())
}

const OPS: &[&str] = &["ops@example.org"];
const THREE: &[&str] = &["a@example.org", "b@example.org", "c@example.org"];

#[tokio::test]
async fn a_letter_can_be_sorted_and_is_known_again() {
    let post = Post::new(Manner::default());
    assert_eq!(post.send(THREE, LONG).await.unwrap().answer, "250 2.0.0 queued as 4711");
    let received = post.server.messages().remove(0);
    assert_eq!(received.to, THREE);
    let message = MessageParser::new().parse(&received.data).unwrap();
    let head = |name: &str| message.header_raw(name).map(|value| value.trim().to_owned());
    assert_eq!(head("Message-ID").unwrap(), "<n-7@db1>");
    assert_eq!(head("In-Reply-To").unwrap(), "<n-1@db1>");
    assert_eq!(head("References").unwrap(), "<n-1@db1>");
    assert_eq!(head("List-Id").unwrap(), "<backup.ops.punctual.db1>");
    assert_eq!(head("Auto-Submitted").unwrap(), "auto-generated");
    assert_eq!(head("From").unwrap(), "punctual <punctual@example.org>");
    assert_eq!(head("Bcc"), None);
    assert_eq!(message.subject().unwrap(), "db1: backup failed  Bcc: x@example.org");
    assert!(message.body_text(0).unwrap().contains("größer"));
    assert!(message.body_html(0).unwrap().contains("<p>größer</p>"));
}

#[tokio::test]
async fn names_put_nothing_into_a_head() {
    let post = Post::new(Manner::default());
    let mut nasty = outgoing();
    nasty.report.id = "n-7>\r\nX-Id: 1".to_owned();
    nasty.report.host = "db1\r\nX-Host: 1".to_owned();
    nasty.report.notices[0].job = Some("größe\r\nX-Job: 1 <a@b>".to_owned());
    nasty.thread = Some("n-1\r\nX-Thread: 1\r\n\r\nbody".to_owned());
    nasty.written.subject = "=?UTF-8?Q?a=0D=0AX-Sub:_1?=\r\nX-Subject: 1\u{2028}\u{85}X-More: 1".to_owned();
    deliver(&mail(OPS), &nasty, &post.means(&[]), LONG).await.unwrap();
    let received = post.server.messages().remove(0);
    let text = String::from_utf8(received.data).unwrap();
    let head = text.split("\r\n\r\n").next().unwrap();
    assert!(head.is_ascii() && head.contains("List-Id:"), "{head}");
    for line in head.split("\r\n") {
        assert!(!line.to_ascii_lowercase().starts_with("x-") && !line.contains(['\r', '\n']), "{head}");
    }
    assert!(text.contains("größer") || text.contains("gr=C3=B6=C3=9Fer"), "{text}");
}

#[tokio::test]
async fn servers_that_cannot_now_are_asked_later() {
    let not_there = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let mut nobody = Post::new(Manner::default());
    nobody.server.port = not_there;
    is_later(&nobody.send(OPS, LONG).await, "cannot connect");
    for (manner, each, expect) in [
        (Manner { silent: true, ..Manner::default() }, SHORT, "no answer within 0.3 s"),
        (Manner { drips: true, ..Manner::default() }, SHORT, "no answer within 0.3 s"),
        (Manner { dies_at: Some("MAIL"), ..Manner::default() }, SHORT, "no answer within 0.3 s"),
        (Manner { dies_at: Some("QUIT"), greeting: Some("421 too busy"), ..Manner::default() }, LONG, "421"),
        (Manner { greeting: Some("554 go away"), ..Manner::default() }, LONG, "554 go away"),
        (Manner { greeting: Some("HTTP/1.1 400 what?"), ..Manner::default() }, LONG, "cannot connect"),
        (Manner { babbles: Some(100_000), ..Manner::default() }, LONG, "too long"),
        (Manner { babbles: Some(1 << 30), ..Manner::default() }, LONG, "says too much"),
        (Manner { leaves_at: Some("MAIL"), ..Manner::default() }, LONG, "broke while naming"),
        (Manner { leaves_at: Some("DATA"), ..Manner::default() }, LONG, "broke while naming"),
        (Manner { after_data: Some(""), ..Manner::default() }, LONG, "may have arrived all the same"),
        (Manner { after_data: Some("452 disk full"), ..Manner::default() }, LONG, "452"),
        (Manner { refuses: Some(("ops@example.org", "450 greylisted", 9)), ..Manner::default() }, LONG, "450"),
        (Manner { refuses: Some(("ops@example.org", "530 log in first", 9)), ..Manner::default() }, LONG, "530"),
    ] {
        let post = Post::new(manner);
        is_later(&post.send(OPS, each).await, expect);
        assert!(post.server.messages().is_empty(), "{expect}");
    }
}

#[tokio::test]
async fn a_server_that_takes_its_time_takes_the_message() {
    let post = Post::new(Manner { slow: Duration::from_millis(100), ..Manner::default() });
    post.send(OPS, LONG).await.unwrap();
    let post = Post::new(Manner { refuses: Some(("ops@example.org", "450 greylisted", 1)), ..Manner::default() });
    is_later(&post.send(OPS, LONG).await, "450 (for now) greylisted");
    post.send(OPS, LONG).await.unwrap();
    assert_eq!(post.server.messages().len(), 1);
}

#[tokio::test]
async fn what_is_refused_for_ever_is_not_tried_again() {
    let refuses = Some(("ops@example.org", "550 5.1.1 no such user", 9));
    let post = Post::new(Manner { refuses, ..Manner::default() });
    is_never(&post.send(OPS, LONG).await, "ops@example.org: 550 5.1.1 no such user");
    let post = Post::new(Manner { after_data: Some("554 5.7.1 looks like spam"), ..Manner::default() });
    is_never(&post.send(OPS, LONG).await, "554 5.7.1 looks like spam");
}

#[tokio::test]
async fn one_refused_address_keeps_it_from_no_other() {
    let post = Post::new(Manner { refuses: Some(("b@example.org", "550 no such user", 9)), ..Manner::default() });
    let answer = post.send(THREE, LONG).await.unwrap().answer;
    assert_eq!(answer, "250 2.0.0 queued as 4711; b@example.org was refused: 550 no such user");
    assert_eq!(post.server.messages()[0].to, ["a@example.org", "c@example.org"]);
    // The server takes no address that is not ASCII.
    let post = Post::new(Manner::default());
    let answer = post.send(&["jörg@example.org", "a@example.org"], LONG).await.unwrap().answer;
    assert!(answer.contains("jörg@example.org was refused: 553"), "{answer}");
    assert_eq!(post.server.messages()[0].to, ["a@example.org"]);
}

#[tokio::test]
async fn all_wait_a_while_for_one_who_is_refused_for_now() {
    let post = Post::new(Manner { refuses: Some(("b@example.org", "450 mailbox full", 9)), ..Manner::default() });
    is_later(&post.send(THREE, LONG).await, "b@example.org: 450");
    assert!(post.server.messages().is_empty());
    let mut old = outgoing();
    old.report.at = Time(Timestamp::now() - jiff::SignedDuration::from_hours(2));
    let answer = deliver(&mail(THREE), &old, &post.means(&[]), LONG).await.unwrap().answer;
    assert!(answer.ends_with("b@example.org was refused: 450 (for now) mailbox full"), "{answer}");
    assert_eq!(post.server.messages()[0].to, ["a@example.org", "c@example.org"]);
    is_later(&deliver(&mail(&["b@example.org"]), &old, &post.means(&[]), LONG).await, "450");
}

#[tokio::test]
async fn nothing_is_said_in_the_open_where_tls_is_asked_for() {
    let (other, _) = authority();
    let (pem, acceptor) = authority();
    let login = Some(("punctual", CANARY));
    let source = SecretSource::Env("PASSWORD".to_owned());
    // No STARTTLS, another's certificate, and one that nobody speaks TLS with.
    for (tls, safety, ca, expect) in [
        (Tls::No, Safety::StartTls, &pem, "offers no STARTTLS"),
        (Tls::Later(acceptor.clone()), Safety::StartTls, &other, "cannot be made safe"),
        (Tls::AtOnce(acceptor.clone()), Safety::Tls, &other, "cannot be made safe"),
        (Tls::No, Safety::Tls, &pem, "cannot"),
    ] {
        let post = Post::new(Manner { login, tls, ..Manner::default() }).safe(safety, ca.clone());
        let post = Post { login: Some(source.clone()), ..post };
        let means = post.means(&[("PASSWORD", CANARY)]);
        is_later(&deliver(&mail(OPS), &outgoing(), &means, Duration::from_secs(2)).await, expect);
        let lines = post.server.lines();
        let is_harmless = |line: &String| ["EHLO", "STARTTLS", "QUIT"].iter().any(|word| line.starts_with(word));
        let in_the_open = lines.iter().filter(|line| line.is_ascii() && line.chars().all(|c| !c.is_control()));
        assert!(in_the_open.clone().all(is_harmless), "{expect}: {lines:?}");
        assert!(post.server.messages().is_empty());
    }
    for (tls, safety) in [(Tls::Later(acceptor.clone()), Safety::StartTls), (Tls::AtOnce(acceptor), Safety::Tls)] {
        let post = Post::new(Manner { login, tls, ..Manner::default() }).safe(safety, pem.clone());
        let post = Post { login: Some(source.clone()), ..post };
        deliver(&mail(OPS), &outgoing(), &post.means(&[("PASSWORD", CANARY)]), LONG).await.unwrap();
        assert!(post.server.messages()[0].is_safe);
    }
}

fn webhook(url: &str) -> Webhook {
    Webhook { url: Target::Open(url.parse().unwrap()), shape: Shape::Json, headers: Vec::new(), secret: None }
}

async fn post_to(url: &str, each: Duration) -> Came {
    let carrier = Carrier::Webhook(Box::new(webhook(url)));
    deliver(&carrier, &outgoing(), &means(Path::new("/"), &[]), each).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn web_servers_have_moods() {
    let server = tokio::task::spawn_blocking(web::Server::start).await.unwrap();
    let away = web_server().await;
    for (path, each, expect) in [
        ("/broken", LONG, "answered 500 the database is away"),
        ("/slow", SHORT, "no answer within 0.3 s"),
        ("/garbage", LONG, "the answer is no HTTP"),
        ("/silent", LONG, "the connection was closed"),
        ("/status?401", LONG, "it does not let us in"),
        ("/status?404", LONG, "there is nobody at this address"),
        ("/status?408", LONG, "answered 408"),
        ("/status?425", LONG, "answered 425"),
        ("/status?503", LONG, "answered 503"),
        (&format!("/to?{}", away.url("/page")), LONG, "a redirect to http://127.0.0.1"),
    ] {
        is_later(&post_to(&server.url(path), each).await, expect);
    }
    assert!(away.requests().is_empty(), "a redirect was followed");
    for status in [400, 413, 422] {
        is_never(&post_to(&server.url(&format!("/status?{status}")), LONG).await, "as you like it");
    }
    match post_to(&server.url("/busy"), LONG).await {
        Err(Refusal::Later { after, .. }) => assert_eq!(after, Some(Duration::from_secs(7))),
        other => panic!("{other:?}"),
    }
    // What was taken is taken, however the answer goes on.
    for (path, each, expect) in [
        ("/page", LONG, "200"),
        ("/early", LONG, "200 short"),
        ("/stall", SHORT, "200 begun"),
        ("/huge", LONG, "200 xxxx"),
    ] {
        let began = Instant::now();
        let answer = post_to(&server.url(path), each).await.unwrap().answer;
        assert!(answer.starts_with(expect) && answer.len() < 2000, "{path}: {answer}");
        assert!(began.elapsed() < LONG);
    }
    is_later(&post_to("http://127.0.0.1:9", LONG).await, "nobody listens there");
    is_later(&post_to("http://no-such-host.invalid/hook", LONG).await, "http://no-such-host.invalid: ");
    drop_server(server);
    drop_server(away);
}

/// Its runtime may neither begin nor end within another.
async fn web_server() -> web::Server {
    tokio::task::spawn_blocking(web::Server::start).await.unwrap()
}

fn drop_server(server: web::Server) {
    std::thread::spawn(|| drop(server)).join().unwrap();
}

#[tokio::test]
async fn a_broken_certificate_is_not_put_up_with() {
    let server = tokio::task::spawn_blocking(|| {
        let certificate = web::Issuer::new().certify("localhost", 30);
        web::Server::start_tls(&certificate)
    });
    let server = server.await.unwrap();
    is_later(&post_to(&server.url("/page"), LONG).await, "TLS: ");
    assert!(server.requests().is_empty());
    drop_server(server);
}

/// A header of a request as it came.
fn header<'r>(request: &'r str, name: &str) -> Option<&'r str> {
    let head = request.split("\r\n\r\n").next().unwrap();
    let mut lines = head.split("\r\n").filter_map(|line| line.split_once(": "));
    lines.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
}

#[tokio::test]
async fn what_is_posted_is_signed_and_can_be_told_from_others() {
    let server = web_server().await;
    let source = SecretSource::Env("SECRET".to_owned());
    let own = Header { name: "X-Own".to_owned(), value: HeaderText::Open("yes".to_owned()) };
    let webhook = Webhook { headers: vec![own], secret: Some(source), ..webhook(&server.url("/page")) };
    let means = means(Path::new("/"), &[("SECRET", CANARY)]);
    deliver(&Carrier::Webhook(Box::new(webhook)), &outgoing(), &means, LONG).await.unwrap();
    let request = server.requests().remove(0);
    let body = request.split_once("\r\n\r\n").unwrap().1;
    assert!(request.starts_with("POST /page HTTP/1.1\r\n"), "{request}");
    assert_eq!(header(&request, "user-agent").unwrap(), concat!("punctual/", env!("CARGO_PKG_VERSION")));
    assert_eq!(header(&request, "punctual-notice-id").unwrap(), "n-7");
    assert_eq!(header(&request, "x-own").unwrap(), "yes");
    assert_eq!(header(&request, "content-type").unwrap(), "application/json");
    let report: serde_json::Value = serde_json::from_str(body).unwrap();
    assert_eq!(report["notices"][0]["job"], "backup");
    let signature = header(&request, "punctual-signature").unwrap();
    let (time, hex) = signature.strip_prefix("t=").unwrap().split_once(",v1=").unwrap();
    let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, CANARY.as_bytes());
    let bytes: Vec<u8> =
        (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap()).collect();
    ring::hmac::verify(&key, format!("{time}.{body}").as_bytes(), &bytes).unwrap();
    assert!((Timestamp::now().as_second() - time.parse::<i64>().unwrap()).abs() < 60);
    drop_server(server);
}

#[tokio::test]
async fn ntfy_gets_a_title() {
    let server = web_server().await;
    let mut outgoing = outgoing();
    outgoing.written.subject = "größe".to_owned();
    let webhook = Webhook { shape: Shape::Ntfy, ..webhook(&server.url("/topic")) };
    deliver(&Carrier::Webhook(Box::new(webhook)), &outgoing, &means(Path::new("/"), &[]), LONG).await.unwrap();
    let request = server.requests().remove(0);
    assert_eq!(header(&request, "title").unwrap(), "=?utf-8?B?Z3LDtsOfZQ==?=");
    assert!(request.ends_with(&outgoing.written.text), "{request}");
    drop_server(server);
}

#[tokio::test]
async fn signs_of_life_have_their_addresses() {
    let server = web_server().await;
    let target = Target::Open(server.url("/uuid").parse().unwrap());
    let means = means(Path::new("/"), &[]);
    let rid = Rid::of("db1/7");
    for (moment, rid) in [
        (PingMoment::Start, Some(rid.clone())),
        (PingMoment::Success, Some(rid)),
        (PingMoment::Failure { exit_code: Some(3) }, None),
        (PingMoment::Failure { exit_code: None }, None),
        (PingMoment::Alive, None),
    ] {
        ping_within(patience(LONG), &target, moment, rid, &means).await.unwrap();
    }
    let lines = server.requests();
    let paths: Vec<&str> = lines.iter().map(|request| request.split(' ').nth(1).unwrap()).collect();
    let query = paths[0].split_once('?').unwrap().1;
    assert_eq!(paths, [&format!("/uuid/start?{query}"), &format!("/uuid?{query}"), "/uuid/3", "/uuid/fail", "/uuid"]);
    let slow = Target::Open(server.url("/slow").parse().unwrap());
    is_later(&ping_within(patience(SHORT), &slow, PingMoment::Success, None, &means).await, "no answer");
    drop_server(server);
}

/// A script of a shell as a carrier, in a folder of its own.
async fn script(folder: &Path, text: &str, each: Duration) -> Came {
    let carrier = Carrier::Command(["sh", "-c", text].map(str::to_owned).to_vec());
    deliver(&carrier, &outgoing(), &means(folder, &[("SECRET", CANARY)]), each).await
}

#[tokio::test]
async fn a_command_gets_the_message() {
    let folder = tempfile::tempdir().unwrap();
    let text = "cat > message; env > variables; tr '\\0' ' ' < /proc/$$/cmdline > argv; pwd > here; echo taken >&2";
    assert_eq!(script(folder.path(), text, LONG).await.unwrap().answer, "taken by sh: taken");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).unwrap();
    let report: serde_json::Value = serde_json::from_str(&read("message")).unwrap();
    assert_eq!(report["notices"][0]["why"], "exit status 3");
    let variables = read("variables");
    for expect in [
        "PUNCTUAL_KIND=failed",
        "PUNCTUAL_JOB=backup",
        "PUNCTUAL_RUN=",
        "PUNCTUAL_CHANNEL=ops",
        "PUNCTUAL_NOTICE_ID=n-7",
        "PUNCTUAL_HOST=db1",
        "PUNCTUAL_WHY=exit status 3",
        "PUNCTUAL_TEXT=exit status 3",
    ] {
        assert!(variables.lines().any(|line| line == expect), "{expect}: {variables}");
    }
    assert!(!variables.contains(CANARY) && !read("argv").contains(CANARY));
    assert_eq!(Path::new(read("here").trim()).canonicalize().unwrap(), folder.path().canonicalize().unwrap());
}

#[tokio::test]
async fn commands_have_moods() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for (text, each, expect) in [
        (
            "echo first >&2; printf 'no \\033[31mroute' >&2; exit 3",
            LONG,
            "did not take it: exit status 3: no [31mroute",
        ),
        ("exit 75", LONG, "asks to be tried again"),
        ("kill -SEGV $$", LONG, "killed by SEGV"),
        ("head -c 10000000 /dev/zero | tr '\\0' x >&2; echo >&2; echo last >&2; exit 1", LONG, "exit status 1: last"),
        ("exec < /dev/null; exit 4", LONG, "exit status 4"),
        ("echo wait >&2; sleep 600 & sleep 600", SHORT, "did not end within 0.3 s and was killed: wait"),
    ] {
        let came = script(path, text, each).await;
        is_later(&came, expect);
        assert!(format!("{came:?}").len() < 1000);
    }
    // It reads nothing, and says that all is well.
    let mut large = outgoing();
    large.report.notices[0].output = vec!["x".repeat(1 << 20)];
    let deaf = Carrier::Command(vec!["true".to_owned()]);
    deliver(&deaf, &large, &means(path, &[]), LONG).await.unwrap();
    // What it leaves running keeps nobody waiting.
    let began = Instant::now();
    script(path, "sleep 20 & exit 0", LONG).await.unwrap();
    assert!(began.elapsed() < Duration::from_secs(10));
    for (name, expect) in [
        ("no-such-program", "there is no program no-such-program"),
        ("./missing", "cannot be started"),
        ("", "no program"),
    ] {
        let carrier = Carrier::Command(vec![name.to_owned()]);
        is_later(&deliver(&carrier, &outgoing(), &means(path, &[]), LONG).await, expect);
    }
}

#[tokio::test]
async fn what_hangs_is_killed_with_all_that_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let text = "sleep 600 & echo $! > child; echo $$ > own; wait";
    is_later(&script(folder.path(), text, Duration::from_secs(1)).await, "was killed");
    for name in ["child", "own"] {
        let pid = fs::read_to_string(folder.path().join(name)).unwrap();
        let deadline = Instant::now() + LONG;
        let lives = || {
            let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
            !stat.is_empty() && !stat.contains(") Z ")
        };
        while lives() {
            assert!(Instant::now() < deadline, "{name} {pid} lives");
            tokio::task::yield_now().await;
        }
    }
}

/// What is logged, for all tests of this program.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, data: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(data);
        Ok(data.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Secrets stand in the environment, in a file and in a credential; servers and commands say back all that they hear.
#[tokio::test]
async fn secrets_are_told_to_nobody_else() {
    let log = Log::default();
    let writer = log.clone();
    let _ =
        tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_writer(move || writer.clone()).try_init();
    let said = Mutex::new(Vec::new());
    let ear = |words: Said<'_>| said.lock().unwrap().push(format!("{words:?}"));
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("secret"), format!("{CANARY}\n")).unwrap();
    let environment = [("SECRET", CANARY), ("CREDENTIALS_DIRECTORY", folder.path().to_str().unwrap())];
    let sources = [
        SecretSource::Env("SECRET".to_owned()),
        SecretSource::File(folder.path().join("secret")),
        SecretSource::Credential("secret".to_owned()),
    ];
    let mut came = Vec::new();
    let server = web_server().await;
    for source in sources {
        for (password, after_data) in [
            (CANARY, Some("550 you are canary-9d1f-in-the-mine")),
            (CANARY, Some("250 hello canary-9d1f-in-the-mine")),
            ("other", None),
        ] {
            let login = Some(("punctual", password));
            let mut post = Post::new(Manner { after_data, login, ..Manner::default() });
            post.login = Some(source.clone());
            let means = post.means(&environment);
            let conversation = Conversation::heard_by(&ear);
            let sent = deliver_within(patience(LONG), &mail(OPS), &channel(), &outgoing(), &means, conversation).await;
            assert!(post.server.lines().iter().any(|line| line.starts_with("AUTH")));
            came.push(sent);
        }
        let private =
            Header { name: "X-Token".to_owned(), value: HeaderText::Private(Private(format!("Bearer {CANARY}"))) };
        let secret = Header { name: "X-Secret".to_owned(), value: HeaderText::Secret(source.clone()) };
        let address = server.url(&format!("/echo/{CANARY}?key={CANARY}"));
        let webhook = Webhook { headers: vec![private, secret], secret: Some(source), ..webhook(&address) };
        let means = means(folder.path(), &environment);
        // What stands in a head is hidden also where nothing else is.
        let open = Target::Open(server.url("/echo").parse().unwrap());
        for webhook in [
            webhook.clone(),
            Webhook { url: open, secret: None, ..webhook.clone() },
            Webhook { shape: Shape::Slack, ..webhook },
        ] {
            let carrier = Carrier::Webhook(Box::new(webhook));
            let conversation = Conversation::heard_by(&ear);
            came.push(deliver_within(patience(LONG), &carrier, &channel(), &outgoing(), &means, conversation).await);
        }
        for path in ["/echo", "/to?/echo", "/broken", "/silent"] {
            fs::write(folder.path().join("address"), server.url(&format!("{path}?/{CANARY}"))).unwrap();
            let target = Target::Secret(SecretSource::File(folder.path().join("address")));
            came.push(ping_within(patience(LONG), &target, PingMoment::Start, None, &means).await);
        }
    }
    assert!(server.requests().iter().any(|request| request.contains(CANARY)));
    let coded = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("\0punctual\0{CANARY}"));
    let all = format!("{came:?}\n{:?}\n{}", said.lock().unwrap(), String::from_utf8_lossy(&log.0.lock().unwrap()));
    for secret in [CANARY, &coded] {
        let at = all.find(secret).map(|at| &all[at.saturating_sub(200)..(at + 50).min(all.len())]);
        assert_eq!(at, None);
    }
    assert!(all.contains("***"), "{all}");
    drop_server(server);
}

#[tokio::test]
async fn a_conversation_can_be_heard() {
    let (pem, acceptor) = authority();
    let manner = Manner { tls: Tls::Later(acceptor), login: Some(("punctual", CANARY)), ..Manner::default() };
    let mut post = Post::new(manner).safe(Safety::StartTls, pem);
    post.login = Some(SecretSource::Env("SECRET".to_owned()));
    let said = Mutex::new(Vec::new());
    let ear = |words: Said<'_>| {
        said.lock().unwrap().push(match words {
            Said::ByUs(words) => format!("C: {words}"),
            Said::ByThem(words) => format!("S: {words}"),
            Said::Aside(words) => format!("-- {words}"),
        });
    };
    let (means, conversation) = (post.means(&[("SECRET", CANARY)]), Conversation::heard_by(&ear));
    deliver_within(patience(LONG), &mail(OPS), &channel(), &outgoing(), &means, conversation).await.unwrap();
    let said = said.lock().unwrap();
    let mut lines = said.iter();
    for expect in [
        "-- connecting to localhost:",
        "C: EHLO ",
        "S: 250 test",
        "C: STARTTLS",
        "-- TLS is in place; the certificate: ",
        "C: AUTH PLAIN punctual ***",
        "S: 235 welcome",
        "C: MAIL FROM:<punctual@example.org>",
        "S: 250 ok",
        "C: RCPT TO:<ops@example.org>",
        "S: 250 ok",
        "C: DATA",
        "S: 354 go on",
        "C: (the message, ",
        "S: 250 2.0.0 queued as 4711",
        "C: QUIT",
    ] {
        assert!(lines.any(|line| line.starts_with(expect)), "{expect}: {said:#?}");
    }
}

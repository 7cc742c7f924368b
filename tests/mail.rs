//! Jobs that send mail: the real binary, and a server that hears what it says.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "support/smtp.rs"]
mod smtp;
mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;

use mail_parser::{MessageParser, MimeHeaders, PartType};
use serde_json::Value;
use smtp::{Manner, Received, Server, Tls, authority};
use support::{Daemon, Place, wait};

const CANARY: &str = "canary-9d1f-in-the-mine";

/// `[smtp]` with what `keys` add, and a mail that is due at the daemon's start.
fn jobs(smtp: &str, mail: &str) -> String {
    format!(
        "[smtp]\nfrom = 'punctual <punctual@example.org>'\n{smtp}\n\n\
         [jobs.note]\nschedule = '@start'\n[jobs.note.mail]\nto = 'ops@example.org'\nsubject = 'hello'\n{mail}\n"
    )
}

fn plain(server: &Server) -> String {
    format!("url = 'smtp://127.0.0.1:{}'", server.port)
}

fn with_password<'p>(place: &'p Place, password: &str) -> Daemon<'p> {
    let log = fs::File::options().create(true).append(true).open(place.path("log")).unwrap();
    let mut command = place.command(&["daemon"]);
    place.own(
        command.env("SMTP_PASSWORD", password).env("RUST_LOG", "trace").stdin(std::process::Stdio::null()).stderr(log),
    )
}

fn first(server: &Server) -> Received {
    wait("a message", || server.messages().into_iter().next())
}

fn why(entry: &Value) -> (&str, &str, &str) {
    let word = |key: &str| entry[key].as_str().unwrap_or_default();
    (word("outcome"), word("reason"), word("detail"))
}

#[test]
fn a_message_arrives_whole() {
    let server = Server::start(Manner::default());
    let place = Place::new(&format!(
        r#"
[smtp]
url  = "{}"
from = "punctual <punctual@example.org>"

[jobs.sales]
schedule = "@start"
command  = "printf '<5> %s\n.\n' größer; printf 'x%.0s' $(seq 1 3000)"

[jobs.report]
description = "All & more"
after = "sales"
mail.to      = ["Jörg Müller <joerg@example.org>", "ops@example.org"]
mail.cc      = "boss@example.org"
mail.subject = "Bericht für {{{{ job.name }}}}\nBcc: evil@example.org"
mail.body    = """
{{{{ job.description }}}}, run {{{{ run.id }}}}.{{{{ run.attempt }}}} by {{{{ run.cause }}}} on {{{{ run.host }}}} at {{{{ run.due }}}}
{{% for name, cause in causes|items %}}{{{{ name }}}}={{{{ cause.outcome }}}} {{{{ cause.exit_code }}}}
{{{{ cause.output }}}}{{% endfor %}}"""
mail.html    = "<b>{{{{ job.description }}}}</b> {{{{ causes.sales.output[:3] }}}}"
mail.attach  = ["numbers.csv", "bytes ä.bin"]
"#,
        format_args!("smtp://127.0.0.1:{}", server.port)
    ));
    let bytes: Vec<u8> = (0..=255).collect();
    fs::write(place.path("numbers.csv"), "a,b\n1,2\n").unwrap();
    fs::write(place.path("bytes ä.bin"), &bytes).unwrap();
    let daemon = place.start();
    let entry = place.ended("report");
    assert_eq!(why(&entry), ("succeeded", "", ""), "{entry}");
    assert_eq!(daemon.stop(), Some(0));

    let Received { from, to, data, .. } = first(&server);
    assert_eq!(from, "punctual@example.org");
    assert_eq!(to, ["joerg@example.org", "ops@example.org", "boss@example.org"]);
    let message = MessageParser::default().parse(&data).unwrap();
    assert_eq!(message.subject(), Some("Bericht für report Bcc: evil@example.org"));
    assert!(message.bcc().is_none() && message.header("Bcc").is_none());
    let jörg = message.to().unwrap().first().unwrap();
    assert_eq!((jörg.name(), jörg.address()), (Some("Jörg Müller"), Some("joerg@example.org")));
    assert_eq!(message.cc().unwrap().first().unwrap().address(), Some("boss@example.org"));
    assert_eq!(message.header_raw("Auto-Submitted").unwrap().trim(), "auto-generated");
    let started: jiff::Timestamp = entry["started"].as_str().unwrap().parse().unwrap();
    assert!((message.date().unwrap().to_timestamp() - started.as_second()).abs() < 30);
    let id = message.message_id().unwrap();
    assert!(id.contains('@'), "{id}");

    let text = message.body_text(0).unwrap().replace("\r\n", "\n");
    let host = nix::unistd::gethostname().unwrap();
    let head = format!("All & more, run 2.1 by dependency on {} at 20", host.to_str().unwrap());
    assert!(text.starts_with(&head), "{text}");
    let rest = text.split_once('\n').unwrap().1;
    assert_eq!(rest, format!("sales=succeeded 0\n<5> größer\n.\n{}", "x".repeat(3000)));
    assert_eq!(message.body_html(0).unwrap(), "<b>All &amp; more</b> &lt;5&gt;");
    let attached: Vec<_> = message.attachments().collect();
    let names: Vec<_> = attached.iter().map(|part| part.attachment_name().unwrap()).collect();
    assert_eq!(names, ["numbers.csv", "bytes ä.bin"]);
    assert_eq!(attached[0].contents(), b"a,b\n1,2\n");
    assert_eq!(attached[0].content_type().unwrap().subtype(), Some("csv"));
    assert!(matches!(&attached[1].body, PartType::Binary(data) if data[..] == bytes));

    let logs = place.text(&["logs", "report"]);
    let expect: String = ["Jörg Müller <joerg@example.org>", "ops@example.org", "boss@example.org"]
        .map(|to| format!("{to}: 250 2.0.0 queued as 4711 (Message-ID <{id}>)\n"))
        .concat();
    assert_eq!(logs.replace('"', ""), expect);
    let shown = place.text(&["show", "report"]);
    assert!(shown.contains("joerg@example.org") && shown.contains("{{ run.id }}"), "{shown}");
}

#[test]
fn what_could_not_be_sent_says_why() {
    let refuses = |who, answer| Manner { refuses: Some((who, answer, 99)), ..Manner::default() };
    let manners = [
        (
            refuses("ops@example.org", "550 5.1.1 no such user"),
            "refused ops@example.org: 550 5.1.1 no such user; nobody got",
        ),
        (refuses("ops@example.org", "450 4.2.0 greylisted"), "refused ops@example.org: 450 (for now) 4.2.0 greylisted"),
        (Manner { greeting: Some("554 go away"), ..Manner::default() }, "refused to talk to us: 554 go away"),
        (Manner { after_data: Some("554 spam"), ..Manner::default() }, "refused the message: 554 spam"),
        (
            Manner { after_data: Some(""), ..Manner::default() },
            "broke while handing the message over: incomplete response; the message may have arrived all the same",
        ),
    ];
    for (manner, expect) in manners {
        let server = Server::start(manner);
        let place = Place::new(&jobs(&plain(&server), "cc = 'boss@example.org'"));
        let daemon = place.start();
        let entry = place.ended("note");
        let (outcome, reason, detail) = why(&entry);
        assert_eq!((outcome, reason), ("failed", "expectation"), "{entry}");
        assert!(detail.contains(expect), "{detail}");
        assert!(server.messages().is_empty());
        assert!(place.text(&["logs", "note"]).contains(detail), "{}", place.text(&["logs", "note"]));
        daemon.stop();
    }
    // A port on which nobody listens.
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = Place::new(&jobs(&format!("url = 'smtp://localhost:{port}'"), ""));
    let _daemon = place.start();
    let entry = place.ended("note");
    assert!(why(&entry).2.starts_with(&format!("cannot connect to localhost:{port}: Connection refused")), "{entry}");
}

#[test]
fn retries_help_where_a_server_refuses_for_now() {
    let manner = Manner { refuses: Some(("ops@example.org", "450 4.2.0 greylisted", 1)), ..Manner::default() };
    let server = Server::start(manner);
    let jobs = jobs(&plain(&server), "body = '{{ run.attempt }}'");
    let place =
        Place::new(&jobs.replace("schedule = '@start'", "schedule = '@start'\nretries = 2\nretry_delay = '10ms'"));
    let _daemon = place.start();
    let entry = place.ended("note");
    assert_eq!((why(&entry).0, entry["attempts"].as_i64()), ("succeeded", Some(2)), "{entry}");
    let messages = server.messages();
    let message = MessageParser::default().parse(&messages[0].data).unwrap();
    assert_eq!((messages.len(), message.body_text(0).unwrap().trim().to_owned()), (1, "2".to_owned()));
}

const OPPORTUNISTIC: &str = "starttls = 'opportunistic'";

#[test]
fn it_goes_in_the_open_only_where_a_word_says_so_and_the_server_wants_it() {
    let server = Server::start(Manner::default());
    let smtp = format!("url = 'smtp+starttls://localhost:{}'\n{OPPORTUNISTIC}", server.port);
    let place = Place::new(&jobs(&smtp, ""));
    let daemon = place.start();
    assert!(!first(&server).is_safe);
    assert_eq!(daemon.stop(), Some(0));
    // What is to be shown to the server is read before anything is said to it.
    let silent = Server::start(Manner::default());
    let smtp = format!("url = 'smtp+starttls://localhost:{}'\ncertificate = 'ours.pem'", silent.port);
    let place = Place::new(&jobs(&smtp, ""));
    let daemon = place.start();
    let entry = place.ended("note");
    assert!(why(&entry).2.contains("ours.pem cannot be used"), "{entry}");
    assert_eq!((silent.lines().len(), daemon.stop()), (0, Some(0)));
}

#[test]
fn it_is_never_less_safe_than_said() {
    let (pem, acceptor) = authority();
    let (other, _) = authority();
    let ways = [
        ("smtps", "", Tls::AtOnce(acceptor.clone()), &pem, None),
        ("smtp+starttls", "", Tls::Later(acceptor.clone()), &pem, None),
        ("smtp+starttls", OPPORTUNISTIC, Tls::Later(acceptor.clone()), &pem, None),
        (
            "smtps",
            "",
            Tls::AtOnce(acceptor.clone()),
            &other,
            Some("cannot be made safe: the certificate's issuer is not trusted"),
        ),
        (
            "smtp+starttls",
            "",
            Tls::Later(acceptor.clone()),
            &other,
            Some("cannot be made safe: the certificate's issuer is not trusted"),
        ),
        // What is offered and fails is not done without.
        (
            "smtp+starttls",
            OPPORTUNISTIC,
            Tls::Later(acceptor),
            &other,
            Some("cannot be made safe: the certificate's issuer is not trusted"),
        ),
        ("smtp+starttls", "", Tls::No, &pem, Some("offers no STARTTLS, so nothing was said to it")),
        ("smtps", "", Tls::No, &pem, Some("cannot be made safe: the server does not speak TLS at this port")),
    ];
    for (scheme, more, tls, ca, expect) in ways {
        let server = Server::start(Manner { tls, login: Some(("me", CANARY)), ..Manner::default() });
        let smtp = format!(
            "url = '{scheme}://me@localhost:{}'\nca_file = 'ca.pem'\npassword = {{ env = 'SMTP_PASSWORD' }}\n{more}",
            server.port
        );
        let place = Place::new(&jobs(&smtp, ""));
        fs::write(place.path("ca.pem"), ca).unwrap();
        let daemon = with_password(&place, CANARY);
        let entry = place.ended("note");
        match expect {
            None => {
                assert_eq!(why(&entry).0, "succeeded", "{entry}");
                assert!(first(&server).is_safe);
                assert!(server.lines().iter().any(|line| line.starts_with("AUTH PLAIN")));
            }
            Some(expect) => {
                assert_eq!(why(&entry).0, "failed", "{entry}");
                assert!(why(&entry).2.contains(expect), "{entry}");
                assert!(server.messages().is_empty());
                let lines = server.lines();
                assert!(!lines.iter().any(|line| line.starts_with("AUTH") || line.starts_with("MAIL")), "{lines:?}");
            }
        }
        daemon.stop();
    }
}

/// The server even says back what it was told, as it was told and in plain words.
#[test]
fn the_password_is_seen_nowhere() {
    use base64::Engine;
    for (right, outcome) in [(CANARY, "succeeded"), ("another", "failed")] {
        let server = Server::start(Manner { login: Some(("me", right)), ..Manner::default() });
        let smtp = format!("url = 'smtp://me@127.0.0.1:{}'\npassword = {{ file = 'password' }}", server.port);
        let place = Place::new(&jobs(&smtp, "body = '{{ job }} {{ run }} {{ last }} {{ causes }}'"));
        fs::write(place.path("password"), format!("{CANARY}\n")).unwrap();
        let daemon = with_password(&place, "unused");
        let entry = place.ended("note");
        assert_eq!(why(&entry).0, outcome, "{entry}");
        if outcome == "failed" {
            assert!(why(&entry).2.contains("did not let `me` in: 535 5.7.8 not with AUTH PLAIN ***"), "{entry}");
        } else {
            assert_eq!(server.messages().len(), 1);
        }
        let mut seen = fs::read(format!("/proc/{}/cmdline", daemon.pid())).unwrap();
        for arguments in [
            &["show", "note"][..],
            &["show", "1"],
            &["history"],
            &["logs", "note"],
            &["check"],
            &["show", "note", "--json"],
        ] {
            let output = place.run(arguments);
            seen.extend([output.stdout, output.stderr].concat());
        }
        daemon.stop();
        for file in ["state/punctual.db", "state/punctual.db-wal", "log"] {
            seen.extend(fs::read(place.path(file)).unwrap_or_default());
        }
        seen.extend(server.messages().into_iter().flat_map(|message| message.data));
        let seen = String::from_utf8_lossy(&seen);
        let base64 = base64::engine::general_purpose::STANDARD;
        for word in [CANARY.to_owned(), base64.encode(CANARY), base64.encode(format!("\0me\0{CANARY}"))] {
            assert!(!seen.contains(&word), "{word} is in {seen}");
        }
    }
}

#[test]
fn a_server_that_is_silent_is_given_up() {
    let server = Server::start(Manner { silent: true, ..Manner::default() });
    let jobs = jobs(&plain(&server), "");
    let place = Place::new(&jobs.replace("schedule = '@start'", "schedule = '@start'\ntimeout = '300ms'"));
    let _daemon = place.start();
    let entry = place.ended("note");
    assert_eq!((why(&entry).0, why(&entry).1), ("timed-out", "timeout"), "{entry}");
    // It is dropped at once, and not only when `kill_after` is over.
    assert!(entry["duration"].as_f64().unwrap() < 5.0, "{entry}");
}

#[test]
fn runs_are_seen_by_templates() {
    let server = Server::start(Manner::default());
    let place = Place::new(&format!(
        "[smtp]\n{}\nfrom = 'a@example.org'\n\
         [jobs.big-one]\nschedule = '@start'\noutput_limit = '1MiB'\n\
         command = 'echo first; head -c 300000 /dev/zero | tr \"\\0\" x; echo; echo last; exit 3'\n\
         [jobs.tick]\nschedule = 'every 1s'\n[jobs.tick.mail]\nto = 'ops@example.org'\n\
         subject = '{{{{ last|length }}}}{{% if last %}} {{{{ last[0].outcome }}}} {{{{ last[0].run }}}}{{% endif %}}'\n\
         body = '''{{% set run = jobs[\"big-one\"].last %}}{{{{ run.outcome }}}} {{{{ run.detail }}}} {{{{ run.exit_code }}}}\n\
         {{{{ run.output }}}}'''\n\
         html = '{{{{ jobs.nobody.last is defined }}}}'\n",
        plain(&server)
    ));
    let _daemon = place.start();
    let messages = wait("two messages", || Some(server.messages()).filter(|messages| messages.len() >= 2));
    let message = MessageParser::default().parse(&messages[1].data).unwrap();
    let text = message.body_text(0).unwrap();
    let (head, output) = text.split_once('\n').unwrap();
    assert_eq!(head.trim(), "failed exit status 3 3");
    assert!(output.starts_with("first\r\nxxx") && output.trim_end().ends_with("xxx\r\nlast"), "{text}");
    assert!(output.contains(" bytes are left out here]"), "{text}");
    assert!(output.len() < 66_000, "{}", output.len());
    assert_eq!(message.body_html(0).unwrap(), "False");
    let subject = message.subject().unwrap();
    let newest = place.entries_of("tick").into_iter().filter(|entry| entry["state"] == "ended").count();
    assert!(newest >= 1 && subject.contains(" succeeded ") && !subject.starts_with('0'), "{subject}");
}

#[test]
fn what_is_missing_when_it_is_sent_is_named() {
    let server = Server::start(Manner::default());
    let keys = [
        (
            "body = 'a\n{{ causes.sales.output }}'",
            "failed",
            "expectation",
            "`body`, line 2: `causes.sales` is undefined",
        ),
        ("body_file = 'none.txt'", "not-started", "spawn", "`body_file`: there is no file "),
        ("body_file = 'wrong.txt'", "not-started", "spawn", "wrong.txt, line 2: "),
        ("attach = ['none.csv']", "not-started", "spawn", "`attach`: there is no file "),
        ("attach = ['.']", "not-started", "spawn", "is a folder, not a file"),
        ("attach = ['large']", "not-started", "spawn", "the files are more than 25 MiB"),
    ];
    for (key, outcome, reason, detail) in keys {
        let place = Place::new(&jobs(
            &plain(&server),
            &key.replace("= 'a\n", "= '''a\n").replace("output }}'", "output }}'''"),
        ));
        fs::write(place.path("wrong.txt"), "ok\n{{ }").unwrap();
        fs::File::create(place.path("large")).unwrap().set_len((25 << 20) + 1).unwrap();
        let daemon = place.start();
        let entry = place.ended("note");
        assert_eq!((why(&entry).0, why(&entry).1), (outcome, reason), "{entry}");
        assert!(why(&entry).2.contains(detail), "{entry}");
        daemon.stop();
        assert_eq!(place.text(&["logs", "note"]), format!("{}\n", why(&entry).2));
        let warnings = place.json(&["check"])["warnings"].as_array().unwrap().len();
        assert_eq!(warnings, usize::from(key.contains("none")), "{key}");
    }
    let login = format!("url = 'smtp://me@127.0.0.1:{}'\npassword = {{ env = 'NOT_THERE' }}", server.port);
    let place = Place::new(&jobs(&login, ""));
    let _daemon = place.start();
    let entry = place.ended("note");
    assert_eq!((why(&entry).0, why(&entry).1), ("not-started", "spawn"), "{entry}");
    assert!(why(&entry).2.contains("there is no variable NOT_THERE"), "{entry}");
    assert!(server.messages().is_empty());
}

#[test]
fn mail_leaves_by_a_program_or_into_a_folder() {
    let place = Place::new(&jobs("url = 'file:out'", "body = 'größe'"));
    let daemon = place.start();
    let entry = place.ended("note");
    assert_eq!(why(&entry).0, "succeeded", "{entry}");
    daemon.stop();
    let files: Vec<_> = fs::read_dir(place.path("out")).unwrap().map(|file| file.unwrap().path()).collect();
    assert_eq!(files.len(), 1);
    let data = fs::read(&files[0]).unwrap();
    assert_eq!(MessageParser::default().parse(&data).unwrap().body_text(0).unwrap().trim(), "größe");
    assert!(place.text(&["logs", "note"]).contains(files[0].to_str().unwrap()));

    for (rest, outcome, detail) in [
        ("cat > DIR/sent", "succeeded", ""),
        ("echo mailbox full >&2; exit 75", "failed", "did not take it: exit status: 75: mailbox full"),
    ] {
        let place = Place::new("");
        let program = place.path("sendmail");
        let folder = place.folder.path().to_str().unwrap();
        let script =
            format!("#!/bin/sh\necho \"$@\" > {folder}/words\nenv > {folder}/env\n{}\n", rest.replace("DIR", folder));
        fs::write(&program, script).unwrap();
        fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
        place.write_jobs(&jobs(&format!("url = 'sendmail:{}'", program.display()), "cc = 'b@example.org'"));
        let daemon = with_password(&place, CANARY);
        let entry = place.ended("note");
        assert_eq!(why(&entry).0, outcome, "{entry}");
        assert!(why(&entry).2.contains(detail), "{entry}");
        assert_eq!(
            fs::read_to_string(place.path("words")).unwrap(),
            "-i -f punctual@example.org -- ops@example.org b@example.org\n"
        );
        assert!(!fs::read_to_string(place.path("env")).unwrap().contains(CANARY));
        if outcome == "succeeded" {
            let data = fs::read(place.path("sent")).unwrap();
            assert_eq!(MessageParser::default().parse(&data).unwrap().subject(), Some("hello"));
        }
        daemon.stop();
    }
}

#[test]
fn what_is_wrong_is_said_when_the_file_is_read() {
    let file = "url = 'file:out'";
    let place = Place::new("");
    let check = |jobs: &str| {
        place.write_jobs(jobs);
        let output = place.run(&["check", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let errors = report["errors"].as_array().unwrap().clone();
        let text = |error: &Value, key: &str| error[key].as_str().unwrap_or_default().to_owned();
        errors
            .iter()
            .map(|error| {
                (text(error, "key"), text(error, "message"), text(error, "help"), error["line"].as_u64().unwrap())
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(check(&jobs(file, "")), []);
    let smtp = [
        ("url = 'mail.example.org'", "smtp.url", "does not say by which way"),
        ("url = 'http://mail.example.org'", "smtp.url", "does not leave by the way"),
        ("url = 'smtps://'", "smtp.url", "no host in `url`"),
        ("url = 'smtps://mail.example.org/x'", "smtp.url", "ends with the host"),
        ("url = 'smtps://me@mail.example.org'", "smtp.url", "`me` has no password"),
        ("url = 'sendmail:sendmail'", "smtp.url", "is to be absolute"),
        ("url = 'smtp://me@mail.example.org'\npassword = { env = 'P' }", "smtp.url", "would go through the network"),
        ("url = 'smtps://mail.example.org'\npassword = { env = 'P' }", "smtp.password", "no user in `url`"),
        (
            "url = 'smtps://me@mail.example.org'\npassword = { env = 'P', file = 'f' }",
            "smtp.password",
            "names one place",
        ),
        ("", "smtp.url", "has no `url`"),
    ];
    for (keys, key, message) in smtp {
        let errors = check(&jobs(keys, ""));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].0 == key && errors[0].1.contains(message) && !errors[0].2.is_empty(), "{errors:?}");
    }
    let mails = [
        ("from = 'nobody'", "jobs.note.mail.from", "`nobody` is no address"),
        ("cc = ['a@example.org', 'b']", "jobs.note.mail.cc", "`b` is no address"),
        ("body = '''\n{{ job.name }'''", "jobs.note.mail.body", "line 1 of the template"),
        ("html = '''a\nb{% if %}'''", "jobs.note.mail.html", "line 2 of the template"),
        ("body = '{{ cause.a.output }}'", "jobs.note.mail.body", "a template sees no `cause`"),
        ("body = 'a'\nbody_file = 'b'", "jobs.note.mail.body_file", "there is a `body` already"),
        ("text = 'a'", "jobs.note.mail.text", "unknown key `text`"),
    ];
    for (keys, key, message) in mails {
        let errors = check(&jobs(file, keys));
        assert_eq!(errors.len(), 1, "{errors:?}");
        assert!(errors[0].0 == key && errors[0].1.contains(message), "{errors:?}");
    }
    let errors = check("[jobs.note.mail]\nbody = 'a'\n[jobs.b]\nmail = { to = 'a@example.org', subject = 'b' }\n");
    let keys: Vec<&str> = errors.iter().map(|error| error.0.as_str()).collect();
    assert_eq!(keys, ["jobs.note.mail.to", "jobs.note.mail.subject", "jobs.b.mail"], "{errors:?}");
    assert!(errors[2].1.contains("there is no [smtp]") && errors[2].2.contains("write [smtp] with url"), "{errors:?}");
}

/// What is wrong is shown with its line, so a password that stands in the file is complained about in another one.
#[test]
fn a_password_in_the_file_is_not_repeated() {
    for keys in [
        format!("url = 'smtps://me:{CANARY}@mail.example.org'"),
        format!("url = 'smtps://me@mail.example.org'\npassword = '{CANARY}'"),
    ] {
        let place = Place::new(&jobs(&keys, ""));
        for arguments in [&["check"][..], &["check", "--json"], &["daemon"]] {
            let output = place.run(arguments);
            let said = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
            assert!(!output.status.success() && said.contains("does not stand in the file"), "{said}");
            assert!(!said.contains(CANARY), "{said}");
        }
    }
}

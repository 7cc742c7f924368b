//! The gallery in `examples/`: each file is checked, and run as it is against a server that the test starts.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use serde_json::Value;
use support::{Daemon, Place};

fn gallery() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples")
}

/// Serves the files of a folder, as many visitors at once as come, and says under which address.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // It ends with the test.
    std::thread::spawn(move || {
        for visitor in listener.incoming().flatten() {
            let folder = folder.clone();
            std::thread::spawn(move || answer(visitor, &folder));
        }
    });
    address.to_string()
}

/// Answers one request after the other until the visitor goes.
fn answer(mut visitor: TcpStream, folder: &Path) -> Option<()> {
    let mut lines = BufReader::new(visitor.try_clone().ok()?).lines();
    loop {
        let request = lines.next()?.ok()?;
        // What a browser and a client of an API say besides is not asked for here, but for the token.
        let head: Vec<String> = lines.by_ref().map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
        let path = request.split(' ').nth(1)?.trim_start_matches('/');
        let path = if path.is_empty() { "index.html" } else { path };
        let may =
            !path.starts_with("api/") || head.iter().any(|line| line.eq_ignore_ascii_case("authorization: canary"));
        let (status, body) = match fs::read(folder.join(path)) {
            Ok(body) if may => ("200 OK", body),
            Ok(_) => ("401 Unauthorized", Vec::new()),
            Err(_) => ("404 Not Found", Vec::new()),
        };
        write!(visitor, "HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n", body.len()).ok()?;
        visitor.write_all(&body).ok()?;
    }
}

/// A place with an example in it, whose server is this one and whose files are the place's own.
fn place(name: &str) -> Place {
    let place = Place::new("");
    let site = place.path("site");
    copy(&gallery().join("site"), &site);
    let address = serve(site);
    let own = place.path("punctual-");
    let text = fs::read_to_string(gallery().join(name)).unwrap();
    place.write_jobs(&text.replace("127.0.0.1:8080", &address).replace("/tmp/punctual-", own.to_str().unwrap()));
    place
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

fn start(place: &Place) -> Daemon<'_> {
    let log = fs::File::create(place.path("log")).unwrap();
    place.own(place.command(&["daemon", "--stop-grace", "0s"]).env("SHOP_TOKEN", "canary").stderr(log))
}

/// The end of a job's first run, which is to be a success.
fn succeeded(place: &Place, job: &str) -> Value {
    let entry = place.ended(job);
    assert_eq!(entry["outcome"], "succeeded", "{entry}\n{}", place.text(&["logs", job]));
    entry
}

#[test]
fn every_example_is_right_and_is_named_in_the_readme() {
    let names: BTreeSet<String> = fs::read_dir(gallery())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| Path::new(name).extension().is_some_and(|extension| extension == "toml"))
        .collect();
    assert!(names.len() >= 10);
    let readme = fs::read_to_string(gallery().join("README.md")).unwrap();
    for name in names {
        let output = place(&name).run(&["check", "--strict", "--json"]);
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stdout));
        assert!(readme.contains(&format!("({name})")), "{name} is not in the README");
    }
}

#[test]
fn pages_are_compared_with_the_last_time() {
    let place = place("pages.toml");
    let daemon = start(&place);
    succeeded(&place, "pages");
    daemon.stop();
    fs::write(place.path("site/news.html"), "<p>Something new!").unwrap();
    let daemon = start(&place);
    let entry = place.wait_for("pages", |entry| entry["outcome"] == "failed");
    let output = place.text(&["logs", &entry["run"].to_string()]);
    assert!(output.contains("news.html") && output.contains("changed"), "{output}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn services_are_healthy_until_one_is_not() {
    let place = place("health.toml");
    let daemon = start(&place);
    succeeded(&place, "health");
    succeeded(&place, "sign-of-life");
    assert!(place.path("punctual-alive").exists());
    daemon.stop();
    fs::write(place.path("site/health.json"), r#"{ "status": "ok", "database": { "connected": false } }"#).unwrap();
    let daemon = start(&place);
    let entry = place.wait_for("health", |entry| entry["outcome"] == "failed");
    assert!(entry["detail"].as_str().unwrap().starts_with("step backend: "), "{entry}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_arrives_is_dealt_with() {
    let place = place("reaction.toml");
    let daemon = start(&place);
    let inbox = place.path("punctual-inbox");
    support::wait("the inbox", || inbox.is_dir().then_some(()));
    fs::write(place.path("order"), "42\n").unwrap();
    fs::rename(place.path("order"), inbox.join("order")).unwrap();
    let entry = succeeded(&place, "deal-with-it");
    assert_eq!(place.text(&["logs", &entry["run"].to_string()]), "order: 42\n");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn sensors_are_read_at_once() {
    let place = place("sensors.toml");
    let daemon = start(&place);
    // The next run may be under way by now.
    let number = succeeded(&place, "sensors")["run"].to_string();
    let run = place.json(&["show", &number]);
    assert_eq!(run["steps"].as_array().map(Vec::len), Some(8));
    assert!(place.text(&["logs", &number, "--step", "sensor=uptime"]).contains("uptime: "));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_database_is_worked_on() {
    let place = place("databases.toml");
    let daemon = start(&place);
    for job in ["prepare", "figures", "nothing-lost"] {
        succeeded(&place, job);
    }
    let figures = place.text(&["logs", "figures"]);
    assert!(figures.contains("customer 3") && figures.contains("1500"), "{figures}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_web_server_is_looked_after() {
    let place = place("webserver.toml");
    let daemon = start(&place);
    succeeded(&place, "watch");
    daemon.stop();
    fs::write(place.path("punctual-web.log"), "1.2.3.4 \"GET / HTTP/1.1\" 503 0\n").unwrap();
    let daemon = start(&place);
    let entry = place.wait_for("watch", |entry| entry["outcome"] == "failed");
    assert_eq!(entry["reason"], "output-matched", "{entry}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn an_api_is_asked_with_a_secret() {
    let place = place("api.toml");
    let daemon = start(&place);
    succeeded(&place, "fetch");
    let entry = succeeded(&place, "use");
    let output = place.text(&["logs", &entry["run"].to_string()]);
    assert!(output.contains("apples") && output.contains("customers") && output.contains("orders"), "{output}");
    assert_eq!(daemon.stop(), Some(0));
    let shown = [place.text(&["show", "fetch"]), place.text(&["logs", "fetch"]), place.log()].concat();
    assert!(!shown.contains("canary"), "{shown}");
}

#[test]
fn the_night_is_told_in_the_morning() {
    let place = place("maintenance.toml");
    let daemon = start(&place);
    succeeded(&place, "night");
    succeeded(&place, "morning-mail");
    let mails: Vec<_> =
        fs::read_dir(place.path("punctual-mails")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(mails.len(), 1);
    let mail = fs::read_to_string(&mails[0]).unwrap();
    assert!(mail.contains("Subject: The night: succeeded in ") && mail.contains("all done"), "{mail}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn people_are_told_as_the_file_says() {
    let place = place("notices.toml");
    let daemon = start(&place);
    succeeded(&place, "copy");
    let shown = place.text(&["show", "copy"]);
    assert!(shown.contains("diary, ops") && shown.contains("3x of its usual p95"), "{shown}");
    assert_eq!(place.json(&["show", "broken"])["definition"]["channels"], serde_json::json!(["chat", "diary", "ops"]));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_load_test_is_a_run() {
    let place = place("load.toml");
    let daemon = start(&place);
    succeeded(&place, "load");
    let output = place.text(&["logs", "load"]);
    assert!(output.contains("p95"), "{output}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_sweep_finds_the_best() {
    let place = place("sweep.toml");
    let daemon = start(&place);
    succeeded(&place, "sweep");
    let entry = succeeded(&place, "best");
    let output = place.text(&["logs", &entry["run"].to_string()]);
    assert!(output.contains("rate=0.03,depth=4:1\n"), "{output}");
    assert_eq!(daemon.stop(), Some(0));
}

//! The control socket of the real daemon: who may ask, what is answered, and what it withstands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;

use serde_json::{Value, json};
use support::{Place, wait};

const JOBS: &str = "[jobs.backup]\nschedule = \"0 2 * * *\"\ncommand = [\"true\"]\n\
                    [jobs.once]\nschedule = \"@start\"\ncommand = \"echo hello; echo oops >&2; exit 3\"\n";

/// The socket that the daemon's status names.
fn socket(place: &Place) -> PathBuf {
    wait("the socket", || place.json(&["status"])["daemon"]["socket"].as_str().map(PathBuf::from))
}

/// One request; the answer is its status and its body.
fn ask(place: &Place, method: &str, target: &str, body: &str) -> (u16, String) {
    ask_at(&socket(place), method, target, body)
}

fn ask_at(socket: &std::path::Path, method: &str, target: &str, body: &str) -> (u16, String) {
    let mut stream = UnixStream::connect(socket).unwrap();
    stream.set_read_timeout(Some(support::DEADLINE)).unwrap();
    let length = body.len();
    let head = format!("{method} {target} HTTP/1.0\r\nHost: x\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(body.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn get(place: &Place, target: &str) -> Value {
    let (status, body) = ask(place, "GET", target, "");
    assert_eq!(status, 200, "{target}: {body}");
    serde_json::from_str(&body).unwrap()
}

/// The error of a request that is refused.
#[track_caller]
fn refused(place: &Place, method: &str, target: &str, body: &str, status: u16, code: &str) -> Value {
    let (is, text) = ask(place, method, target, body);
    let error = serde_json::from_str::<Value>(&text).unwrap()["error"].clone();
    assert_eq!((is, error["code"].as_str()), (status, Some(code)), "{method} {target}: {text}");
    error
}

#[test]
fn the_status_is_what_the_command_line_says() {
    let place = Place::new(JOBS);
    let daemon = place.start();
    place.ended("once");
    let status = get(&place, "/v1/status");
    assert_eq!(status, place.json(&["status"]));
    assert_eq!(status["daemon"]["pid"], daemon.pid());
    assert_eq!(get(&place, "/v1/jobs"), status["jobs"]);
    assert_eq!(get(&place, "/v1/jobs?job=backup")[0]["job"], "backup");
    assert_eq!(get(&place, "/v1/status?failed=true")["jobs"].as_array().unwrap().len(), 1);
    let error = refused(&place, "GET", "/v1/jobs?job=backpu", "", 404, "unknown");
    assert_eq!(
        error,
        json!({"code": "unknown", "message": "there is no job `backpu`", "help": "did you mean backup?"})
    );
    refused(&place, "GET", "/v1/status?jobs=backup", "", 400, "wrong");
    refused(&place, "GET", "/v1/nothing", "", 404, "unknown");
    refused(&place, "POST", "/v1/status", "", 405, "method");
    refused(&place, "GET", "/v1/reload", "", 405, "method");
}

#[test]
fn the_socket_comes_and_goes_with_the_daemon() {
    let place = Place::new(JOBS);
    let daemon = place.start();
    let path = socket(&place);
    let found = fs::symlink_metadata(&path).unwrap();
    assert!(found.file_type().is_socket() && path.starts_with(place.path("run")));
    assert_eq!(found.mode() & 0o777, 0o660);
    // Removed under it, it comes again.
    fs::remove_file(&path).unwrap();
    wait("the socket again", || path.exists().then_some(()));
    assert_eq!(get(&place, "/v1/status")["daemon"]["pid"], daemon.pid());
    // With another scheduler as well.
    let scheduler = daemon.scheduler();
    support::signal_process(scheduler, "KILL");
    wait("another scheduler", || (support::scheduler_of(daemon.pid())? != scheduler).then_some(()));
    wait("its socket", || UnixStream::connect(&path).ok());
    assert_eq!(get(&place, "/v1/status")["daemon"]["pid"], daemon.pid());
    assert_eq!(daemon.stop(), Some(0));
    assert!(!path.exists());
    // What a crash leaves is replaced.
    let daemon = place.start();
    assert_eq!(socket(&place), path);
    daemon.crash();
    let daemon = place.start();
    wait("the socket", || UnixStream::connect(&path).ok());
    daemon.stop();
    assert!(!path.exists());
}

#[test]
fn wishes_go_to_the_loop_and_wrong_ones_do_not() {
    let place = Place::new(JOBS);
    let daemon = place.start();
    let (status, body) = ask(&place, "POST", "/v1/reload", "");
    assert_eq!(status, 200, "{body}");
    assert_eq!(serde_json::from_str::<Value>(&body).unwrap()["in_force"], true);
    for (target, body) in [
        ("/v1/runs", "{}"),
        ("/v1/runs", r#"{"jobs":[]}"#),
        ("/v1/runs", r#"{"jobs":["backup"],"until":"now"}"#),
        ("/v1/runs", r#"{"jobs":["backup"],"due":"soonish"}"#),
        ("/v1/runs", r#"{"jobs":["backup"],"env":{"A=B":"1"}}"#),
        ("/v1/jobs/backup/run", "not json"),
        ("/v1/jobs/backup/pause", r#"{"for":"1h","until":"tomorrow"}"#),
        ("/v1/jobs/backup/pause", r#"{"for":"soon"}"#),
        ("/v1/jobs/backup/pause", r#"{"until":"2020-01-01"}"#),
        ("/v1/jobs/backup/skip", r#"{"count":0}"#),
        ("/v1/jobs/backup/skip", r#"{"count":-1}"#),
    ] {
        refused(&place, "POST", target, body, 400, "wrong");
    }
    refused(&place, "POST", "/v1/jobs/7seven/run", "", 404, "unknown");
    refused(&place, "POST", "/v1/runs/first/stop", "", 404, "unknown");
    refused(&place, "POST", "/v1/jobs/%ff/run", "", 400, "wrong");
    refused(&place, "POST", "/v1/runs", &" ".repeat(300_000), 413, "too_large");
    daemon.stop();
}

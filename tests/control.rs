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

/// The schema of what is answered, found in the description by the address's pattern.
#[track_caller]
fn fits(answer: &Value, description: &Value, method: &str, path: &str) {
    let responses = &description["paths"][path][method]["responses"];
    let schema = &responses["200"]["content"]["application/json"]["schema"];
    assert!(schema.is_object(), "{method} {path} is not described");
    if let Err(why) = conforms(answer, schema, description) {
        panic!("{method} {path}: {why}\n{answer}");
    }
}

/// The part of JSON Schema that the description uses; any other word in it is an error.
fn conforms(value: &Value, schema: &Value, whole: &Value) -> Result<(), String> {
    for (word, rule) in schema.as_object().ok_or("a schema is an object")? {
        let fits = match word.as_str() {
            "$ref" => {
                let inner = whole.pointer(rule.as_str().unwrap().trim_start_matches('#'));
                conforms(value, inner.ok_or(format!("{rule} is not there"))?, whole)?;
                true
            }
            "type" => match rule {
                Value::Array(types) => types.iter().any(|one| is_of(value, one)),
                one => is_of(value, one),
            },
            "enum" => rule.as_array().unwrap().contains(value),
            "anyOf" => rule.as_array().unwrap().iter().any(|one| conforms(value, one, whole).is_ok()),
            "items" => {
                for item in value.as_array().into_iter().flatten() {
                    conforms(item, rule, whole)?;
                }
                true
            }
            "required" => rule.as_array().unwrap().iter().all(|name| value.get(name.as_str().unwrap()).is_some()),
            "properties" | "additionalProperties" => {
                for (name, inner) in value.as_object().into_iter().flatten() {
                    match (schema["properties"].get(name), &schema["additionalProperties"]) {
                        (Some(known), _) => conforms(inner, known, whole).map_err(|why| format!("{name}: {why}"))?,
                        (None, Value::Bool(false)) => return Err(format!("{name} is not described")),
                        (None, Value::Null) => {}
                        (None, other) => conforms(inner, other, whole)?,
                    }
                }
                true
            }
            "format" => value.is_null() || value.as_str().is_some_and(|text| text.parse::<jiff::Timestamp>().is_ok()),
            "description" => true,
            other => panic!("this test does not know the word {other}"),
        };
        if !fits {
            return Err(format!("{value} against {word} {rule}"));
        }
    }
    Ok(())
}

fn is_of(value: &Value, kind: &Value) -> bool {
    match kind.as_str().unwrap() {
        "null" => value.is_null(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64(),
        "number" => value.is_number(),
        "string" => value.is_string(),
        "array" => value.is_array(),
        "object" => value.is_object(),
        other => panic!("there is no type {other}"),
    }
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

/// A job of steps, one that fails and is tried again, and one that never ran.
const MANY: &str = "[jobs.steps]\nschedule = \"@start\"\nsteps = [\"echo one\", \"echo two; exit 3\"]\n\
                    [jobs.again]\nschedule = \"@start\"\ncommand = \"echo tried; exit 4\"\nretries = 1\n\
                    retry_delay = \"10ms\"\n\
                    [jobs.never]\nschedule = \"0 0 1 1 *\"\ncommand = [\"true\"]\ndescription = \"x\"\n";

#[test]
fn answers_are_as_described_and_as_the_command_line_gives_them() {
    let place = Place::new(MANY);
    let daemon = place.start();
    let (steps, again) = (place.ended("steps"), place.ended("again"));
    let description = get(&place, "/v1/openapi.json");
    let check = |path: &str, target: &str| {
        let answer = get(&place, target);
        fits(&answer, &description, "get", path);
        answer
    };
    check("/v1/openapi.json", "/v1/openapi.json");
    check("/v1/status", "/v1/status");
    check("/v1/jobs", "/v1/jobs");
    check("/v1/jobs/{job}", "/v1/jobs/never");
    let shown = check("/v1/jobs/{job}", "/v1/jobs/steps");
    let mut said = place.json(&["show", "steps"]);
    said.as_object_mut().unwrap().remove("origins");
    assert_eq!(shown, said);
    let next = check("/v1/jobs/{job}/next", "/v1/jobs/never/next?n=2&from=2030-06-01T00:00:00Z");
    let dues: Vec<&str> = next.as_array().unwrap().iter().filter_map(|due| due["due"].as_str()).collect();
    assert_eq!(dues, ["2031-01-01T00:00:00.000000Z", "2032-01-01T00:00:00.000000Z"]);
    for run in [&steps["run"], &again["run"]] {
        let answer = check("/v1/runs/{run}", &format!("/v1/runs/{run}"));
        assert_eq!(answer, place.json(&["show", &run.to_string()]));
    }
    let history = check("/v1/history", "/v1/history");
    assert_eq!(history, Value::from(place.history()));
    for (target, arguments) in [
        ("job=steps,again&failed&n=1", &["steps", "again", "--failed", "-n", "1"][..]),
        ("outcome=failed&reason=exit-code&cause=start&exit_code=4", &["--exit-code", "4"]),
        ("grep=tried&since=1h", &["--grep", "tried"]),
        ("outcome=succeeded&longer_than=1h", &["--outcome", "succeeded"]),
    ] {
        let answer = check("/v1/history", &format!("/v1/history?{target}"));
        assert_eq!(answer, place.json(&[&["history"], arguments].concat()), "{target}");
    }
    let stats = check("/v1/stats", "/v1/stats?job=again");
    assert_eq!(stats, place.json(&["stats", "again"]));
    for target in [
        "/v1/history?outcome=purple",
        "/v1/history?since=soonish",
        "/v1/history?n=0",
        "/v1/history?n=1000000",
        "/v1/history?grep=/(/",
        "/v1/history?exit_code=256",
        "/v1/stats?since=",
        "/v1/jobs/never/next?n=x",
        "/v1/runs/1/output?format=xml",
    ] {
        refused(&place, "GET", target, "", 400, "wrong");
    }
    for target in [
        "/v1/jobs/nevr",
        "/v1/jobs/nevr/next",
        "/v1/runs/99",
        "/v1/runs/x",
        "/v1/runs/99/output",
        "/v1/history?job=nevr",
        "/v1/stats?job=nevr",
    ] {
        let error = refused(&place, "GET", target, "", 404, "unknown");
        assert!(error["help"].is_string(), "{target}: {error}");
        fits(
            &json!({ "error": error }),
            &json!({ "paths": {"x": {"get": {"responses": {"200": {"content":
            {"application/json": {"schema": {"$ref": "#/components/schemas/Problem"}}}}}}}},
            "components": description["components"] }),
            "get",
            "x",
        );
    }
    daemon.stop();
}

#[test]
fn output_is_told_while_it_is_written() {
    let command = "printf 'a\\033[2Jb\\n'; while [ ! -e go ]; do sleep 0.05; done; echo done";
    let place = Place::new(&format!(
        "[jobs.job]\nschedule = \"@start\"\ncwd = \".\"\ncommand = '''{command}'''\n\
         [jobs.steps]\nschedule = \"@start\"\nsteps = [\"echo one\", \"echo two\"]\n"
    ));
    let daemon = place.start();
    let run = place.wait_for("job", |entry| entry["output_bytes"] != 0 || entry["state"] == "running")["run"].clone();
    let mut stream = UnixStream::connect(socket(&place)).unwrap();
    stream.set_read_timeout(Some(support::DEADLINE)).unwrap();
    let request = format!("GET /v1/runs/{run}/output?follow=true HTTP/1.0\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut seen = String::new();
    let mut buffer = [0; 1024];
    while !seen.contains("a^[[2Jb\n") {
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "it ended: {seen}");
        seen.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    // What there is so far, without waiting for more.
    let output = |format: &str| ask(&place, "GET", &format!("/v1/runs/{run}/output{format}"), "").1;
    assert_eq!(output(""), "a^[[2Jb\n");
    fs::write(place.path("go"), "").unwrap();
    stream.read_to_string(&mut seen).unwrap();
    assert!(seen.ends_with("a^[[2Jb\ndone\n"), "{seen}");
    assert_eq!(output("?follow=true"), "a^[[2Jb\ndone\n");
    assert_eq!(output("?format=raw"), "a\x1b[2Jb\ndone\n");
    let description = get(&place, "/v1/openapi.json");
    let lines: Vec<Value> = output("?format=ndjson").lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for line in &lines {
        conforms(line, &json!({"$ref": "#/components/schemas/Output"}), &description).unwrap();
    }
    let text: String = lines.iter().filter_map(|line| line["text"].as_str()).collect();
    assert_eq!(text, "a\x1b[2Jb\ndone\n");
    let run = place.ended("steps")["run"].clone();
    let (_, text) = ask(&place, "GET", &format!("/v1/runs/{run}/output"), "");
    assert_eq!(text, place.text(&["logs", "steps"]));
    daemon.stop();
}

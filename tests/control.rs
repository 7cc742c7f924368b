//! The control socket of the real daemon: who may ask, what is answered, and what it withstands.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read, Write};
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use punctual::control::{Client, ClientError, Code, OutputFormat};
use punctual::run::RunId;
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

/// Late of a job of every second, in seconds, as its runs say.
fn lates(place: &Place) -> Vec<f64> {
    let late = |entry: &Value| entry["late"].as_f64();
    place.entries_of("tick").iter().filter_map(late).collect()
}

#[test]
fn a_thousand_stalled_clients_keep_nobody_waiting() {
    let place = Place::new("[jobs.tick]\nschedule = \"every 1s\"\ncommand = [\"true\"]\n");
    let daemon = place.start();
    let path = socket(&place);
    let runs = lates(&place).len();
    let stalled: Vec<UnixStream> = (0..1000)
        .map(|_| {
            let mut stream = UnixStream::connect(&path).unwrap();
            // One that is given up while others come is as good as one that stalls.
            let _ = stream.write_all(b"POST /v1/reload HTTP/1.1\r\nHost: x\r\nContent-Le");
            stream
        })
        .collect();
    let asked = Instant::now();
    let status = get(&place, "/v1/status");
    let took = asked.elapsed();
    assert_eq!(status["daemon"]["pid"], daemon.pid());
    assert!(took < Duration::from_secs(2), "an answer took {took:?}");
    wait("runs beside them", || (lates(&place).len() >= runs + 3).then_some(()));
    let lates = lates(&place);
    assert!(lates.iter().all(|late| *late < 1.0), "{lates:?}");
    // It never held all of them, and holds none for long.
    let descriptors = || fs::read_dir(format!("/proc/{}/fd", daemon.scheduler())).unwrap().count();
    assert!(descriptors() < 300, "{} descriptors", descriptors());
    wait("the end of those that stall", || (descriptors() < 100).then_some(()));
    drop(stalled);
    assert_eq!(place.json(&["audit"])["balances"], true);
    daemon.stop();
}

#[test]
fn who_takes_nothing_of_an_answer_is_in_nobodys_way() {
    let place = Place::new(
        "[jobs.job]\nschedule = \"@start\"\noutput_limit = \"8MiB\"\n\
         command = \"head -c 6000000 /dev/zero | tr '\\\\0' x\"\n",
    );
    let daemon = place.start();
    let run = place.ended("job")["run"].clone();
    let mut streams: Vec<UnixStream> = (0..16)
        .map(|_| {
            let mut stream = UnixStream::connect(socket(&place)).unwrap();
            stream.write_all(format!("GET /v1/runs/{run}/output HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
            stream.set_read_timeout(Some(support::DEADLINE)).unwrap();
            let mut first = [0; 12];
            stream.read_exact(&mut first).unwrap();
            assert_eq!(&first, b"HTTP/1.0 200");
            stream
        })
        .collect();
    refused(&place, "GET", &format!("/v1/runs/{run}/output"), "", 503, "unavailable");
    assert_eq!(get(&place, "/v1/status")["daemon"]["pid"], daemon.pid());
    // One that takes it gets all of it.
    let mut all = String::new();
    streams.pop().unwrap().read_to_string(&mut all).unwrap();
    assert!(all.len() > 6_000_000);
    wait("its place", || (ask(&place, "GET", &format!("/v1/runs/{run}/output"), "").0 == 200).then_some(()));
    daemon.stop();
}

/// The lines of a page's examples, each with what follows from it.
#[test]
fn the_page_is_true() {
    if Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_err() {
        return;
    }
    let place = Place::new("[jobs.backup]\nschedule = \"@start\"\ncommand = \"echo hello\"\n");
    let daemon = place.start();
    place.ended("backup");
    let path = socket(&place);
    let page = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/control.md")).unwrap();
    let mut paths = BTreeSet::new();
    for line in page.lines().filter(|line| line.starts_with("curl ")) {
        let answer = Command::new("sh")
            .args(["-ec", &line.replace("curl ", "curl --fail-with-body -sS -m 20 ")])
            .env("SOCKET", &path)
            .output()
            .unwrap();
        let (out, err) = (String::from_utf8_lossy(&answer.stdout), String::from_utf8_lossy(&answer.stderr));
        let is_wish = line.contains("-X POST") || line.contains("-d ");
        let refusal = serde_json::from_str::<Value>(&out)
            .ok()
            .and_then(|value| value["error"]["code"].as_str().map(str::to_owned));
        match refusal.as_deref() {
            None => assert!(answer.status.success(), "{line}: {out}{err}"),
            // What is over by the time that it is wished for.
            Some("conflict") => assert!(is_wish, "{line}: {out}"),
            Some(_) => panic!("{line}: {out}"),
        }
        let target = line.split("http://punctual").nth(1).unwrap();
        let target = target.split(['?', '\'', '"', ' ']).next().unwrap();
        paths.insert(target.replace("/backup", "/{job}").replace("/runs/1", "/runs/{run}"));
    }
    let description = get(&place, "/v1/openapi.json");
    let described: BTreeSet<String> = description["paths"].as_object().unwrap().keys().cloned().collect();
    assert_eq!(paths, described, "the page has an example of each address");
    daemon.stop();
}

/// Another user, without any group of the daemon's.
#[test]
fn others_may_only_what_they_are_let() {
    let has_curl = Command::new("curl").arg("--version").stdout(Stdio::null()).status().is_ok();
    if !rustix::process::geteuid().is_root() || !has_curl {
        return;
    }
    let place = Place::new(JOBS);
    fs::set_permissions(place.folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let as_nobody = |method: &str, target: &str, group: &str| {
        let output = Command::new("setpriv")
            .args(["--reuid", "65534", "--regid", group, "--clear-groups"])
            .args(["curl", "-sS", "-m", "20", "-w", " %{http_code}", "-X", method, "--unix-socket"])
            .arg(socket(&place))
            .arg(format!("http://punctual{target}"))
            .output()
            .unwrap();
        let answer = String::from_utf8_lossy(&output.stdout).into_owned();
        let status = answer.rsplit(' ').next().and_then(|status| status.parse::<u16>().ok());
        (status.unwrap_or(1), answer + &String::from_utf8_lossy(&output.stderr))
    };
    let check = |settings: &str, group: &str, reads: u16, wishes: u16| {
        place.write_jobs(&format!("[daemon]\n{settings}\n{JOBS}"));
        assert_eq!(ask(&place, "POST", "/v1/reload", "").0, 200);
        let begin = Instant::now();
        loop {
            let (read, said) = as_nobody("GET", "/v1/status", group);
            let (wish, said_of_wish) = as_nobody("POST", "/v1/reload", group);
            if (read, wish) == (reads, wishes) {
                return said + &said_of_wish;
            }
            assert!(begin.elapsed() < support::DEADLINE, "{settings} for {group}: {said}{said_of_wish}");
        }
    };
    let daemon = place.start();
    let said = check("max_running = 7", "65534", 0, 0);
    assert!(said.contains("curl: (7)"), "{said}");
    check("operators = [\"4242\"]", "65534", 0, 0);
    check("operators = [\"4242\"]", "4242", 200, 200);
    let said = check("operators = [\"4242\", \"4243\"]", "65534", 403, 403);
    assert!(said.contains("become a member of the group 4242"), "{said}");
    check("operators = [\"4242\"]\nreaders = \"all\"", "65534", 200, 403);
    check("operators = [\"4242\"]\nreaders = [\"4343\"]", "4343", 200, 403);
    check("operators = [\"no-such-group\"]\nreaders = \"all\"", "4242", 200, 403);
    assert!(place.log().contains("operators: there is no group `no-such-group` on this machine"), "{}", place.log());
    daemon.stop();
}

#[test]
fn a_group_that_is_not_there_is_said_before_it_is_missed() {
    let place = Place::new(&format!("[daemon]\noperators = [\"root\", \"no-such-group\"]\nreaders = \"all\"\n{JOBS}"));
    let check = place.json(&["check"]);
    let warning = &check["warnings"][0];
    assert_eq!((warning["key"].as_str(), warning["line"].as_i64()), (Some("daemon.operators"), Some(2)), "{check}");
    assert!(warning["message"].as_str().unwrap().contains("no group `no-such-group`"), "{warning}");
    place.write_jobs("[daemon]\noperators = [\"two words\", 3]\nreaders = \"\"\n");
    let errors = serde_json::from_slice::<Value>(&place.run(&["check", "--json"]).stdout).unwrap()["errors"].clone();
    assert!(errors.as_array().unwrap().len() >= 2, "{errors}");
}

#[tokio::test]
async fn the_client_says_what_is_the_matter() {
    let place = Place::new(JOBS);
    let daemon = place.start();
    let entry = place.ended("once");
    let path = socket(&place);
    let client = Client::of_daemon(daemon.pid(), Some(&path)).unwrap();
    assert_eq!(client.ask("/v1/status").await.unwrap()["daemon"]["pid"], daemon.pid());
    assert!(client.reload().await.unwrap().in_force);
    let run = RunId(entry["run"].as_i64().unwrap());
    let mut output = client.output(run, true, OutputFormat::Text).await.unwrap();
    let mut text = Vec::new();
    while let Some(bytes) = output.next().await.unwrap() {
        text.extend_from_slice(&bytes);
    }
    assert_eq!(text, b"hello\noops\n");
    let error = client.output(RunId(99), false, OutputFormat::Raw).await.err().unwrap();
    assert!(matches!(&error, ClientError::Refused(problem) if problem.code == Code::Unknown), "{error}");
    assert_eq!(error.to_string(), "there is no run 99; the last ones are listed by: punctual history");
    assert!(matches!(Client::of_daemon(daemon.pid(), None), Err(ClientError::NoSocket(_))));
    let other = place.path("other.sock");
    let elsewhere = Client::of_daemon(daemon.pid(), Some(&other)).unwrap();
    assert!(matches!(elsewhere.ask("/v1/status").await, Err(ClientError::Gone(_))));
    // Somebody who takes what he is sent, and says nothing.
    let silent = std::os::unix::net::UnixListener::bind(&other).unwrap();
    let ended = std::thread::spawn(move || drop(silent.accept()));
    assert!(matches!(elsewhere.ask("/v1/status").await, Err(ClientError::Broken { .. })));
    ended.join().unwrap();
    daemon.stop();
    assert!(matches!(client.ask("/v1/status").await, Err(ClientError::Gone(_))));
}

#[test]
fn a_ledger_that_was_removed_comes_again_while_somebody_reads() {
    let place = Place::new(
        "[jobs.tick]\nschedule = \"every 1s\"\ncommand = [\"true\"]\n\
         [jobs.long]\nschedule = \"@start\"\ncommand = \"echo begun; sleep 300\"\nkill_after = \"1s\"\n",
    );
    let daemon = place.start_with(&["--stop-grace", "0s"]);
    let run = place.wait_for("long", |entry| entry["state"] == "running")["run"].clone();
    let mut follower = UnixStream::connect(socket(&place)).unwrap();
    follower.set_read_timeout(Some(support::DEADLINE)).unwrap();
    follower.write_all(format!("GET /v1/runs/{run}/output?follow=true HTTP/1.0\r\n\r\n").as_bytes()).unwrap();
    assert!(get(&place, "/v1/history").as_array().is_some());
    fs::remove_file(place.database()).unwrap();
    wait("the ledger", || place.database().exists().then_some(()));
    wait("the end of the trouble", || {
        let (status, body) = ask(&place, "GET", "/v1/status", "");
        (status == 200 && body.contains("\"trouble\":null")).then_some(())
    });
    let count = place.entries_of("tick").len();
    wait("runs in the new file, as the socket sees it", || {
        let entries = get(&place, "/v1/history?job=tick&outcome=succeeded&n=100");
        (entries.as_array().unwrap().len() > count + 1).then_some(())
    });
    daemon.stop();
    let mut text = String::new();
    follower.read_to_string(&mut text).unwrap();
    assert!(text.contains("begun\n"), "{text}");
    place.audit();
}

#[test]
fn wishes_come_true_and_are_answered_as_described() {
    let place = Place::new(
        "[jobs.long]\ncommand = 'until test -e go; do sleep 0.05; done'\n[defaults]\ncwd = '.'\n\
         [jobs.yearly]\nschedule = '0 0 1 1 *'\ncommand = 'true'\n[jobs.soon]\nschedule = '0 0 2 1 *'\ncommand = 'true'\n",
    );
    let daemon = place.start();
    let description = get(&place, "/v1/openapi.json");
    let wish = |path: &str, target: &str, body: &str| {
        let (status, answer) = ask(&place, "POST", target, body);
        assert_eq!(status, 200, "{target}: {answer}");
        let answer: Value = serde_json::from_str(&answer).unwrap();
        fits(&answer, &description, "post", path);
        answer
    };
    let run = wish("/v1/jobs/{job}/run", "/v1/jobs/long/run", r#"{"env":{"WHO":"me"}}"#)["run"].clone();
    assert_eq!(place.wait_for("long", |entry| entry["state"] == "running")["run"], run);
    let both = wish("/v1/runs", "/v1/runs", r#"{"jobs":["long","yearly"]}"#);
    assert_eq!((&both[0]["in_the_way"], &both[0]["run"], both[1]["run"].is_i64()), (&run, &Value::Null, true));
    let shown = get(&place, &format!("/v1/runs/{run}"));
    fits(&shown, &description, "get", "/v1/runs/{run}");
    assert_eq!((&shown["asked"]["by"], &shown["asked"]["env"]["WHO"]), (&json!(whoami()), &json!("me")));
    let stopped = wish("/v1/runs/{run}/stop", &format!("/v1/runs/{run}/stop"), "");
    assert_eq!(stopped["runs"][0]["run"], run);
    assert_eq!(place.ended("long")["reason"], "by-hand");
    let paused =
        wish("/v1/jobs/{job}/pause", "/v1/jobs/yearly/pause", r#"{"until":"2999-01-01T00:00:00Z","reason":"x"}"#);
    assert_eq!((&paused["paused"]["reason"], &paused["paused"]["by"]), (&json!("x"), &json!(whoami())));
    let status = get(&place, "/v1/status");
    fits(&status, &description, "get", "/v1/status");
    assert_eq!(status["jobs"].as_array().unwrap().iter().filter(|job| job["paused"].is_object()).count(), 1);
    assert_eq!(wish("/v1/jobs/{job}/resume", "/v1/jobs/yearly/resume", "")["paused"], Value::Null);
    let left_out = wish("/v1/jobs/{job}/skip", "/v1/jobs/yearly/skip", r#"{"count":2}"#);
    assert_eq!(left_out["skips"].as_array().unwrap().len(), 2);
    assert_eq!(wish("/v1/jobs/{job}/unskip", "/v1/jobs/yearly/unskip", "")["skips"], json!([]));
    assert_eq!(wish("/v1/pause", "/v1/pause", "").as_array().unwrap().len(), 3);
    wish("/v1/resume", "/v1/resume", "");
    place.write_jobs("[jobs.yearly]\nformerly = 'soon'\nschedule = '0 0 3 1 *'\ncommand = 'false'\n");
    let reloaded = wish("/v1/reload", "/v1/reload", "");
    assert_eq!(reloaded["in_force"], true);
    place.write_jobs("[jobs.yearly]\nschedule = '61 * * * *'\n");
    let reloaded = wish("/v1/reload", "/v1/reload", "");
    assert!(reloaded["in_force"] == false && !reloaded["check"]["errors"].as_array().unwrap().is_empty(), "{reloaded}");
    daemon.stop();
    place.audit();
}

fn whoami() -> String {
    String::from_utf8(Command::new("id").arg("-un").output().unwrap().stdout).unwrap().trim().to_owned()
}

#[test]
fn who_has_said_all_is_answered_and_who_stalls_is_not_waited_for() {
    let place = Place::new(JOBS);
    let daemon = place.start();
    let mut closed = UnixStream::connect(socket(&place)).unwrap();
    closed.write_all(b"GET /v1/status HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    closed.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    closed.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let mut stalled = UnixStream::connect(socket(&place)).unwrap();
    stalled.write_all(b"POST /v1/pause HTTP/1.0\r\nHost: x\r\nContent-Length: 100\r\n\r\n{").unwrap();
    let mut answer = String::new();
    stalled.read_to_string(&mut answer).unwrap();
    assert!(answer.contains("the body did not come within 5s"), "{answer}");
    let (status, answer) = ask(&place, "POST", "/v1/pause", r#"{"reason":"x\ny"}"#);
    assert!(status == 409 && answer.contains("one line of text"), "{status}: {answer}");
    daemon.stop();
}

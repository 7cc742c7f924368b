//! Jobs that ask web servers: the real binary, real servers on loopback in all their moods.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;
#[path = "support/web.rs"]
mod web;

use std::fs;
use std::path::Path;
use std::sync::atomic::Ordering;

use serde_json::Value;
use support::{Place, wait};
use web::{Issuer, Server};

/// A job that is due at the daemon's start and never again.
fn job(name: &str, http: &str) -> String {
    format!("[jobs.{name}]\nschedule = '@start'\nhttp = {{ {http} }}\n")
}

/// Runs all jobs of a place once; the answer is the entry and the output of each.
fn run(place: &Place, names: &[&str], variables: &[(&str, &str)]) -> Vec<(Value, String)> {
    let log = fs::File::options().create(true).append(true).open(place.path("log")).unwrap();
    let before: Vec<usize> = names.iter().map(|name| place.entries_of(name).len()).collect();
    let mut command = place.command(&["daemon"]);
    command.envs(variables.iter().copied()).stderr(log);
    let daemon = place.own(&mut command);
    let entries: Vec<Value> = (names.iter().zip(before))
        .map(|(name, before)| {
            wait(name, || place.entries_of(name).get(before).filter(|entry| entry["state"] == "ended").cloned())
        })
        .collect();
    daemon.stop();
    entries.into_iter().zip(names).map(|(entry, name)| (entry, place.text(&["logs", name]))).collect()
}

#[track_caller]
fn check(entry: &Value, output: &str, expect: &str) {
    if expect.is_empty() {
        assert_eq!(entry["outcome"], "succeeded", "{entry}\n{output}");
        return;
    }
    assert_eq!((&entry["outcome"], &entry["reason"]), (&"failed".into(), &"expectation".into()), "{entry}\n{output}");
    let detail = entry["detail"].as_str().unwrap();
    assert!(detail.contains(expect), "{detail} says nothing of {expect}");
    assert!(output.contains(expect), "{output} says nothing of {expect}");
}

/// Everything that stands in a folder.
fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(contents(&path));
        } else if path.is_file() {
            all.push((path.display().to_string(), fs::read(&path).unwrap_or_default()));
        }
    }
    all.sort();
    all
}

#[test]
fn answers_are_judged() {
    let server = Server::start();
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = |path: &str| format!("url = '{}'", server.url(path));
    let cases: Vec<(&str, String, &str)> = vec![
        ("ok", url("/ok"), ""),
        ("contains", format!("{}, expect_body = 'all ok'", url("/ok")), ""),
        ("lacks", format!("{}, expect_body = 'OK'", url("/ok")), "the body does not contain OK"),
        ("fits", format!("{}, expect_body = '/^all (ok|well)$/'", url("/ok")), ""),
        ("status", url("/broken"), "status 500, not 200-299"),
        ("statuses", format!("{}, expect_status = [404, '500-503']", url("/broken")), ""),
        (
            "json",
            format!("{}, expect_json = {{ '/status' = 'ok', '/depth/1' = 2.5, '/queue/length' = 0 }}", url("/json")),
            "",
        ),
        ("value", format!("{}, expect_json = {{ '/queue/length' = 1 }}", url("/json")), "/queue/length is 0, not 1"),
        (
            "pointer",
            format!("{}, expect_json = {{ '/queue/depth' = 1 }}", url("/json")),
            "the JSON has no /queue/depth",
        ),
        ("prose", format!("{}, expect_json = {{ '/a' = 1 }}", url("/ok")), "the body is no JSON"),
        ("redirect", url("/to?/ok"), ""),
        ("kept", format!("{}, expect_status = 307", url("/to?/ok")), ""),
        ("loop", url("/loop"), "redirected more than 10 times"),
        ("away", url("/to?http://127.0.0.1:1/x"), "redirected to http://127.0.0.1:1/x: the connection was refused"),
        ("scheme", url("/to?https://127.0.0.1:1/x"), "redirected from http to https://127.0.0.1:1/x"),
        ("huge", url("/huge"), "the body is larger than 16777216 bytes"),
        ("endless", format!("{}, body_limit = '1MiB'", url("/endless")), "the body is larger than 1048576 bytes"),
        ("early", url("/early"), "the connection was closed before the answer was complete"),
        ("silent", url("/silent"), "the connection was closed before the answer was complete"),
        ("garbage", url("/garbage"), "the answer is no HTTP"),
        (
            "slow",
            format!("{}, request_timeout = '200ms'", url("/slow")),
            "timed out after 200.0 ms: there was no answer",
        ),
        (
            "stall",
            format!("{}, request_timeout = '200ms'", url("/stall")),
            "timed out after 200.0 ms: 5 bytes of the body had come",
        ),
        ("refused", format!("url = 'http://{closed}/'"), "the connection was refused"),
        ("name", "url = 'http://nowhere.invalid/'".to_owned(), "the name has no address"),
        (
            "post",
            format!("{}, body = 'a=1', expect_body = 'POST /echo', headers = {{ Accept = 'x/y' }}", url("/echo")),
            "",
        ),
        ("put", format!("{}, method = 'PUT', body = 'a=1', expect_body = 'a=1'", url("/echo")), ""),
        (
            "several",
            format!("url = ['{}', '{}', '{}']", server.url("/ok"), server.url("/broken"), server.url("/early")),
            "status 500",
        ),
    ];
    let jobs: Vec<String> = cases.iter().map(|(name, http, _)| job(name, http)).collect();
    let place = Place::new(&jobs.concat());
    let names: Vec<&str> = cases.iter().map(|(name, ..)| *name).collect();
    let mut several = String::new();
    for ((entry, output), (name, _, expect)) in run(&place, &names, &[]).into_iter().zip(&cases) {
        if *name == "several" {
            assert!(entry["detail"].as_str().unwrap().starts_with("2 of 3 requests failed; the first: "), "{entry}");
            several = output;
        } else {
            check(&entry, &output, expect);
        }
    }
    // A line for each, what is wrong with two of them, the percentiles, and the end.
    assert_eq!(several.lines().count(), 3 + 2 + 2, "{several}");
    let line = several.lines().find(|line| line.ends_with(&server.url("/ok"))).unwrap();
    assert!(line.starts_with("200  ") && line.contains("first byte") && line.contains("6 B"), "{line}");
    assert!(several.lines().last().unwrap().ends_with("2 failed"), "{several}");
}

#[test]
fn secrets_are_sent_and_never_shown() {
    let (server, other) = (Server::start(), Server::start());
    let headers = "headers = { Authorization = { env = 'TOKEN' }, X-Own = { file = 'secret' }, X-Open = 'open', Cookie = 'id=canary-cookie' }";
    let away = server.url(&format!("/to?{}", other.url("/echo")));
    let place = Place::new(
        &[
            job("here", &format!("url = '{}', {headers}, expect_json = {{ '/head' = '' }}", server.url("/echo"))),
            job("away", &format!("url = '{away}', {headers}")),
            job("none", &format!("url = '{}', headers = {{ X-Own = {{ env = 'NONE' }} }}", server.url("/ok"))),
        ]
        .concat(),
    );
    fs::write(place.path("secret"), "canary-in-a-file\n").unwrap();
    let ended = run(&place, &["here", "away", "none"], &[("TOKEN", "Bearer canary-token")]);
    // The server sends back what it was sent, and that is not what was expected.
    assert!(ended[0].0["detail"].as_str().unwrap().contains("/head is"), "{}", ended[0].0);
    assert_eq!(ended[1].0["outcome"], "succeeded", "{:?}", ended[1]);
    assert_eq!(ended[2].0["outcome"], "not-started", "{:?}", ended[2]);
    assert_eq!(ended[2].0["detail"], "the header X-Own: there is no variable NONE in the daemon's environment");
    for request in server.requests() {
        for sent in ["Bearer canary-token", "canary-in-a-file", "id=canary-cookie", "open"] {
            assert!(request.contains(sent), "{request} lacks {sent}");
        }
    }
    // Another port is another origin.
    let [redirected] = &other.requests()[..] else { panic!() };
    assert!(!redirected.contains("canary") && redirected.contains("x-open: open"), "{redirected}");
    fs::remove_file(place.path("secret")).unwrap();
    let jobs = fs::read(place.path("jobs.toml")).unwrap();
    let mut shown = contents(place.folder.path());
    shown.retain(|(_, bytes)| *bytes != jobs);
    for arguments in [
        &["show", "here"][..],
        &["show", "here", "--json"],
        &["check"],
        &["check", "--json"],
        &["logs", "here", "--raw"],
    ] {
        let output = place.run(arguments);
        shown.push((format!("{arguments:?}"), [output.stdout, output.stderr].concat()));
    }
    for (what, bytes) in shown {
        let text = String::from_utf8_lossy(&bytes);
        assert!(!text.contains("canary"), "{what}: {text}");
    }
    let checked = place.json(&["check"]);
    let warned: Vec<&str> = checked["warnings"].as_array().unwrap().iter().filter_map(|w| w["key"].as_str()).collect();
    assert_eq!(warned, ["jobs.here.http.headers.Cookie", "jobs.away.http.headers.Cookie"], "{checked}");
}

#[test]
fn certificates_are_looked_at() {
    let (issuer, stranger) = (Issuer::new(), Issuer::new());
    let good = Server::start_tls(&issuer.certify("127.0.0.1", 90));
    let soon = Server::start_tls(&issuer.certify("127.0.0.1", 4));
    let expired = Server::start_tls(&issuer.certify("127.0.0.1", -4));
    let named = Server::start_tls(&issuer.certify("other.example", 90));
    let foreign = Server::start_tls(&stranger.certify("127.0.0.1", 90));
    let plain = Server::start();
    let ca = "ca_file = 'ca.pem'";
    let speaks_none = format!("https://{}/", plain.address);
    let cases: Vec<(&str, String, &str)> = vec![
        ("good", format!("url = '{}', {ca}, expect_certificate = '30d'", good.url("/")), ""),
        (
            "soon",
            format!("url = '{}', {ca}, expect_certificate = '14d'", soon.url("/")),
            "the certificate expires in 3 days, at ",
        ),
        ("enough", format!("url = '{}', {ca}, expect_certificate = '2d'", soon.url("/")), ""),
        ("expired", format!("url = '{}', {ca}", expired.url("/")), "TLS: the certificate expired at "),
        (
            "named",
            format!("url = '{}', {ca}", named.url("/")),
            "the certificate is for other.example, not for 127.0.0.1",
        ),
        ("foreign", format!("url = '{}', {ca}", foreign.url("/")), "TLS: the certificate's issuer is not trusted"),
        ("unknown", format!("url = '{}'", good.url("/")), "TLS: the certificate's issuer is not trusted"),
        ("plain", format!("url = '{speaks_none}', {ca}"), "TLS: the server does not speak TLS at this port"),
        (
            "down",
            format!("url = '{}', {ca}", good.url(&format!("/to?{}", plain.url("/")))),
            "redirected from https to http://",
        ),
    ];
    let mut jobs: Vec<String> = cases.iter().map(|(name, http, _)| job(name, http)).collect();
    jobs.push(job("missing", &format!("url = '{}', ca_file = 'none.pem'", good.url("/"))));
    let place = Place::new(&jobs.concat());
    fs::write(place.path("ca.pem"), &issuer.pem).unwrap();
    let names: Vec<&str> = cases.iter().map(|(name, ..)| *name).chain(["missing"]).collect();
    let ended = run(&place, &names, &[]);
    for ((entry, output), (_, _, expect)) in ended.iter().zip(&cases) {
        check(entry, output, expect);
    }
    let missing = &ended.last().unwrap().0;
    assert_eq!(missing["outcome"], "not-started");
    assert!(missing["detail"].as_str().unwrap().starts_with("there is no file "), "{missing}");
    assert!(plain.requests().is_empty(), "{:?}", plain.requests());
}

#[test]
fn bodies_are_saved_and_compared() {
    let server = Server::start();
    let url = format!("url = ['{}', '{}']", server.url("/page"), server.url("/broken"));
    let place = Place::new(
        &[
            job("fails", &format!("{url}, expect_status = [200, 500], save = 'fails', on_change = true")),
            job("tells", &format!("{url}, save = 'tells/deep', on_change = 'tell'")),
        ]
        .concat(),
    );
    let page = |folder: &str| {
        let all = contents(&place.path(folder));
        let page = all.iter().find(|(name, _)| name.contains("page")).unwrap();
        (all.len(), String::from_utf8(page.1.clone()).unwrap())
    };
    let names = ["fails", "tells"];
    server.set_page("one");
    let first = run(&place, &names, &[]);
    assert_eq!(first[0].0["outcome"], "succeeded", "{first:?}");
    assert_eq!(page("fails"), (2, "one".to_owned()));
    // What was not as expected is not saved.
    assert_eq!(page("tells/deep"), (1, "one".to_owned()));
    assert!(!first[1].1.contains("changed"), "{first:?}");
    let same = run(&place, &names, &[]);
    assert_eq!(same[0].0["outcome"], "succeeded", "{same:?}");
    server.set_page("two");
    let changed = run(&place, &names, &[]);
    check(&changed[0].0, &changed[0].1, "the body has changed since it was last saved");
    assert!(changed[1].1.contains("the body has changed since it was last saved"), "{changed:?}");
    assert!(!changed[1].0["detail"].as_str().unwrap().contains("changed"), "{changed:?}");
    assert_eq!((page("fails"), page("tells/deep")), ((2, "two".to_owned()), (1, "two".to_owned())));
    let again = run(&place, &names, &[]);
    assert_eq!(again[0].0["outcome"], "succeeded", "{again:?}");
}

#[test]
fn a_load_test_has_percentiles_and_a_ceiling() {
    let server = Server::start();
    let load = format!("url = ['{}', '{}'], repeat = 150", server.url("/ok"), server.url("/json"));
    let place = Place::new(
        &[
            job("within", &format!("{load}, fail_above = ['p95 20s', 'max 25s']")),
            job("above", &format!("{load}, fail_above = 'p50 0s'")),
        ]
        .concat(),
    );
    let ended = run(&place, &["within", "above"], &[]);
    check(&ended[0].0, &ended[0].1, "");
    check(&ended[1].0, &ended[1].1, "above 0.0 ms");
    assert_eq!(server.requests().len(), 600);
    let words = ["p50 ", "p90 ", "p95 ", "p99 ", "max "];
    let lines: Vec<&str> = ended[0].1.lines().collect();
    assert!(words.iter().all(|word| lines[300].contains(word)), "{}", lines[300]);
    assert!(lines[301].starts_with("300 requests in ") && lines[301].ends_with("all as expected"), "{}", lines[301]);
}

#[test]
fn what_is_stopped_gives_up_at_once_and_leaves_nothing() {
    let server = Server::start();
    let stall = format!("url = '{}', save = 'pages'", server.url("/stall"));
    let place = Place::new(&format!("{}timeout = '1s'\nkill_after = '1h'\n", job("stall", &stall)));
    let daemon = place.start();
    wait("a draft of the page", || {
        place.path("pages").is_dir().then(|| contents(&place.path("pages"))).filter(|all| !all.is_empty())
    });
    let entry = place.ended("stall");
    assert_eq!((&entry["outcome"], &entry["reason"]), (&"timed-out".into(), &"timeout".into()), "{entry}");
    assert!(entry["duration"].as_f64().unwrap() < 20.0, "{entry}");
    assert_eq!(contents(&place.path("pages")), []);
    wait("the connection's end", || (server.seen.waiting.load(Ordering::SeqCst) == 0).then_some(()));
    daemon.stop();
    assert_eq!(place.text(&["logs", "stall"]), "given up with 0 of 1 requests done\n");
}

/// Waiting is cheap: ten thousand requests take no thread each, and little memory.
#[test]
fn ten_thousand_requests_wait() {
    const MANY: usize = 10_000;
    const ON_THE_WAY: usize = 6000;
    let files = rustix::process::getrlimit(rustix::process::Resource::Nofile).current.unwrap_or(u64::MAX);
    let on_the_way = usize::try_from(files / 2).unwrap().min(ON_THE_WAY);
    let server = Server::start();
    let slow =
        format!("url = '{}', max_parallel = {MANY}, repeat = {MANY}, request_timeout = '1h'", server.url("/slow"));
    let place = Place::new(&job("many", &slow));
    let daemon = place.start();
    wait("the requests", || (server.seen.waiting.load(Ordering::SeqCst) == on_the_way).then_some(()));
    let status = fs::read_to_string(format!("/proc/{}/status", daemon.pid())).unwrap();
    let figure = |name: &str| -> usize {
        let line = status.lines().find(|line| line.starts_with(name)).unwrap();
        line.split_whitespace().nth(1).unwrap().parse().unwrap()
    };
    assert!(figure("VmHWM:") < 200 * 1024, "{status}");
    assert!(figure("Threads:") < 50, "{status}");
    server.seen.released.send_replace(true);
    let entry = place.ended("many");
    assert_eq!(entry["outcome"], "succeeded", "{entry}");
    assert_eq!(server.requests().len(), MANY);
    daemon.stop();
    let output = place.text(&["logs", "many"]);
    assert!(
        output.starts_with(&format!("at most {on_the_way} of 10000 requests are on their way at once")),
        "{output}"
    );
    assert!(output.lines().last().unwrap().starts_with("10000 requests in "), "{output}");
}

/// What is asked for by many at once is given up all at once.
#[test]
fn a_stop_of_many_is_quick() {
    let server = Server::start();
    let slow = format!("url = '{}', max_parallel = 300, repeat = 1000", server.url("/slow"));
    let place = Place::new(&job("many", &slow));
    let daemon = place.start_with(&["--stop-grace", "0s"]);
    wait("the requests", || (server.seen.waiting.load(Ordering::SeqCst) == 300).then_some(()));
    daemon.stop();
    let entry = place.ended("many");
    assert_eq!((&entry["outcome"], &entry["reason"]), (&"stopped".into(), &"shutdown".into()), "{entry}");
    assert!(place.text(&["logs", "many"]).ends_with("given up with 0 of 1000 requests done\n"));
    wait("their end", || (server.seen.waiting.load(Ordering::SeqCst) == 0).then_some(()));
}

#[test]
fn what_is_wrong_is_said_where_it_stands() {
    let cases = [
        ("method = 'GET'", "`http` has no `url`"),
        ("url = []", "`url` is empty"),
        ("url = 'a.example'", "`a.example` is no address: relative URL without a base"),
        ("url = 'ftp://a.example/'", "`ftp://a.example/` is neither http nor https"),
        ("url = 'http://me:canary@a.example/'", "an address holds neither user nor password"),
        ("url = 'me:canary@a.example/'", "this is neither http nor https"),
        ("url = ['http://a.example', 'http://a.example/#x']", "http://a.example/ stands here twice"),
        ("url = 'http://a/', method = 'get'", "`get` is no method"),
        ("url = 'http://a/', headers = { 'a b' = 'c' }", "`a b` is no name of a header"),
        ("url = 'http://a/', headers = { a = 'c', A = 'd' }", "the header A stands here twice"),
        ("url = 'http://a/', headers = { a = \"b\\nc\" }", "the header a cannot hold this"),
        (
            "url = 'http://a/', headers = { a = { env = 'B', file = 'c' } }",
            "`a` names one place: env, file, credential",
        ),
        ("url = 'http://a/', expect_status = [200, 99]", "this is no status, and no range of them"),
        ("url = 'http://a/', expect_status = '299-200'", "this is no status, and no range of them"),
        ("url = 'http://a/', expect_body = '/(/'", "this is no regular expression: unclosed group"),
        ("url = 'http://a/', expect_json = { status = 'ok' }", "`status` is no JSON pointer"),
        ("url = 'http://a/', expect_json = { '/a' = 2026-01-01 }", "a date does not exist in JSON"),
        ("url = 'http://a/', expect_certificate = '14d'", "http://a/ has no certificate"),
        ("url = 'http://a/', request_timeout = '0s'", "with a request_timeout of zero every request fails"),
        ("url = 'http://a/', fail_above = 'p42 1s'", "`p42` is no percentile"),
        ("url = 'http://a/', fail_above = '1s'", "`1s` is no percentile and its limit"),
        ("url = 'http://a/', on_change = true", "`on_change` needs `save`"),
        ("url = 'http://a/', save = 'x', repeat = 2", "`repeat` and `save` do not go together"),
        (
            "url = ['http://a/', 'http://b/'], repeat = 600_000",
            "1200000 requests are too many for one run: 1000000 at most",
        ),
        ("url = 'http://a/', max_paralel = 3", "unknown key `max_paralel`"),
    ];
    for (http, expect) in cases {
        let place = Place::new(&job("wrong", http));
        let output = place.run(&["check", "--json"]);
        let checked: Value = serde_json::from_slice(&output.stdout).unwrap();
        let [error] = &checked["errors"].as_array().unwrap()[..] else { panic!("{http}: {checked}") };
        assert!(error["message"].as_str().unwrap().contains(expect), "{http}: {error}");
        assert!(error["key"].as_str().unwrap().starts_with("jobs.wrong.http"), "{http}: {error}");
        let shown = String::from_utf8(place.run(&["check"]).stdout).unwrap();
        assert!(shown.contains("jobs.toml:3:") && !shown.contains("canary"), "{shown}");
    }
}

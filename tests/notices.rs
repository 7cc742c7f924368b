//! What people are told: the real binary, and a real conversation with a mail server on loopback. Each mail comes once, whatever
//! happens to the server and to the daemon meanwhile.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "support/smtp.rs"]
mod smtp;
mod support;

use std::fs;

use mail_parser::MessageParser;
use serde_json::Value;
use smtp::{Manner, Server};
use support::{Place, wait};

/// `[smtp]` by way of this port, and a channel that hears of everything at once.
fn channels(port: u16) -> String {
    format!(
        "[smtp]\nurl = 'smtp://127.0.0.1:{port}'\nfrom = 'punctual <punctual@example.org>'\n\n\
         [channels.ops]\nmail = 'ops@example.org'\nat_most_every = '1ms'\n\n"
    )
}

/// A job that is run by hand, and fails while there is a file `broken`.
const JOB: &str =
    "[jobs.copy]\ncwd = '.'\ncommand = 'echo begin; test ! -e broken || { echo \"cp: cannot stat x\" >&2; exit 3; }'\n";

fn run(place: &Place) -> i64 {
    place.run(&["run", "copy", "--wait"]);
    let entries = place.entries_of("copy");
    entries.last().unwrap()["run"].as_i64().unwrap()
}

fn notices(place: &Place) -> Vec<Value> {
    let listed = place.json(&["notices", "-n", "all"]);
    listed.as_array().unwrap().clone()
}

fn states(place: &Place) -> Vec<(String, String)> {
    let word = |notice: &Value, key: &str| notice[key].as_str().unwrap().to_owned();
    notices(place).iter().map(|notice| (word(notice, "kind"), word(notice, "state"))).collect()
}

/// A port on which nobody listens, for now.
fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

fn pairs(expect: &[(&str, &str)]) -> Vec<(String, String)> {
    expect.iter().map(|(kind, state)| ((*kind).to_owned(), (*state).to_owned())).collect()
}

#[test]
fn each_mail_comes_once_whatever_happens_meanwhile() {
    let port = free_port();
    let place = Place::new(&format!("{}{JOB}", channels(port)));
    fs::write(place.path("broken"), "").unwrap();
    let daemon = place.start();
    let first = run(&place);
    wait("a try in vain", || notices(&place).first().filter(|notice| notice["tries"] == 1).cloned());
    let waiting = &notices(&place)[0];
    assert!(waiting["answer"].as_str().unwrap().contains("cannot connect"), "{waiting}");
    assert_eq!((waiting["run"].as_i64(), waiting["carrier"].as_str()), (Some(first), Some("mail")));
    let status = place.text(&["status"]);
    assert!(status.contains("notice waits to be sent, since "), "{status}");
    assert_eq!(place.json(&["status"])["notices"]["waiting"], 1);
    for _ in 0..3 {
        run(&place);
    }
    daemon.crash();
    // What waits is there, and the server comes back.
    assert!(states(&place).iter().all(|(_, state)| state == "waiting"));
    let server = Server::on(port, Manner::default());
    let daemon = place.start();
    place.text(&["notices", "retry", "--all"]);
    wait("all mails of failures", || states(&place).iter().all(|(_, state)| state == "sent").then_some(()));
    fs::remove_file(place.path("broken")).unwrap();
    run(&place);
    wait("the mail of its recovery", || {
        states(&place).contains(&("recovered".to_owned(), "sent".to_owned())).then_some(())
    });
    fs::write(place.path("broken"), "").unwrap();
    let last = run(&place);
    wait("the mail of another failure", || {
        let listed = notices(&place);
        listed.last().filter(|notice| notice["run"] == last && notice["state"] == "sent").cloned()
    });
    assert_eq!(daemon.stop(), Some(0));

    let mails = server.messages();
    let parsed: Vec<_> = mails.iter().map(|mail| MessageParser::default().parse(&mail.data).unwrap()).collect();
    let ids: std::collections::BTreeSet<_> = parsed.iter().map(|mail| mail.message_id().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), mails.len(), "a mail came twice");
    let of = |kind: &str| {
        let is_it = |mail: &&mail_parser::Message| mail.subject().unwrap().to_lowercase().contains(kind);
        parsed.iter().filter(is_it).count()
    };
    assert!(of("fail") >= 2 && of("recover") + of("again") + of("works") >= 1, "{:?}", subjects(&parsed));
    // The first and whatever followed until it was well are one thread; the last one begins another.
    let follows = |at: usize| parsed[at].references().as_text().map(str::to_owned);
    assert_eq!((follows(0), follows(parsed.len() - 1)), (None, None));
    let text = parsed[0].body_text(0).unwrap();
    assert!(text.contains("cp: cannot stat x") && text.contains(&format!("/state show {first}")), "{text}");
    let shown = place.text(&["show", &first.to_string()]);
    assert!(shown.contains("failed to ops by mail: sent "), "{shown}");
}

fn subjects(mails: &[mail_parser::Message]) -> Vec<String> {
    mails.iter().map(|mail| mail.subject().unwrap_or_default().to_owned()).collect()
}

#[test]
fn one_channel_that_hangs_delays_no_other() {
    let (silent, well) = (Server::start(Manner { silent: true, ..Manner::default() }), place_of_files());
    let hook = "[channels.diary]\ncommand = ['/bin/sh', '-c', 'cat >> told']\n\n";
    well.write_jobs(&format!("{}{hook}{JOB}", channels(silent.port)));
    fs::write(well.path("broken"), "").unwrap();
    let daemon = well.start();
    run(&well);
    let of = |channel: &str| notices(&well).into_iter().find(|notice| notice["channel"] == channel).unwrap();
    wait("what the command was told", || (of("diary")["state"] == "sent").then_some(()));
    assert_eq!(of("ops")["state"], "waiting");
    // Nor does it delay runs, or the end for long.
    run(&well);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(of("ops")["state"], "waiting");
}

fn place_of_files() -> Place {
    Place::new("")
}

#[test]
fn notices_are_tried_again_and_dropped_by_hand() {
    let place = Place::new(&format!("{}{JOB}", channels(free_port())));
    let output = place.run(&["notices", "retry", "--all"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8_lossy(&output.stderr).contains("start one with: "));
    fs::write(place.path("broken"), "").unwrap();
    let daemon = place.start();
    assert_eq!(notices(&place), Vec::<Value>::new());
    run(&place);
    wait("a try in vain", || notices(&place).first().filter(|notice| notice["tries"] == 1).cloned());
    let number = notices(&place)[0]["notice"].as_i64().unwrap().to_string();
    place.text(&["notices", "retry", &number]);
    wait("another try", || notices(&place).first().filter(|notice| notice["tries"] == 2).cloned());
    assert_eq!(place.text(&["notices", "drop", &number]), "1 notice will not be sent\n");
    assert_eq!(states(&place), pairs(&[("failed", "dropped")]));
    let table = place.text(&["notices"]);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("NOTICE") && lines[1].contains("ops by mail") && lines[1].contains("dropped by"));
    assert_eq!(place.text(&["notices", "drop", "--all"]), "nothing waits to be dropped\n");
    let output = place.run(&["notices", "drop", "999"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no notice 999"));
    assert_eq!(place.json(&["status"])["notices"]["waiting"], 0);
    daemon.stop();
}

#[test]
fn a_channel_that_is_gone_is_said_and_what_waits_stays() {
    let place = Place::new(&format!("{}{JOB}", channels(free_port())));
    fs::write(place.path("broken"), "").unwrap();
    let daemon = place.start();
    run(&place);
    wait("a try in vain", || notices(&place).first().filter(|notice| notice["tries"] == 1).cloned());
    place.write_jobs(JOB);
    place.text(&["reload"]);
    place.text(&["notices", "retry", "--all"]);
    let notice = &notices(&place)[0];
    assert_eq!((notice["state"].as_str(), notice["tries"].as_i64()), (Some("waiting"), Some(1)));
    assert_eq!(notice["answer"], "the file has no channel `ops` any more");
    daemon.stop();
}

#[test]
fn what_happens_to_the_daemon_itself_is_told() {
    let server = Server::start(Manner::default());
    let file = format!("{}{JOB}", channels(server.port));
    let place = Place::new(&file);
    let daemon = place.start();
    place.write_jobs(&format!("{file}[jobs.wrong]\ncommando = 'x'\n"));
    place.run(&["reload"]);
    wait("that the file is wrong", || states(&place).contains(&pairs(&[("file-wrong", "sent")])[0]).then_some(()));
    place.write_jobs(&file);
    place.text(&["reload"]);
    wait("that it is right again", || states(&place).contains(&pairs(&[("file-right", "sent")])[0]).then_some(()));
    daemon.crash();
    let daemon = place.start();
    wait("that it is back", || states(&place).contains(&pairs(&[("back", "sent")])[0]).then_some(()));
    assert_eq!(daemon.stop(), Some(0));
    let expect = pairs(&[("file-wrong", "sent"), ("file-right", "sent"), ("back", "sent")]);
    // A stop that was wanted is nothing to tell.
    let daemon = place.start();
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(states(&place), expect);
    let mails = server.messages();
    let text = |at: usize| {
        let mail = MessageParser::default().parse(&mails[at].data).unwrap();
        mail.body_text(0).unwrap().into_owned()
    };
    assert!(text(0).contains("commando"), "{}", text(0));
    assert!(text(2).contains("no run was lost"), "{}", text(2));
}

#[test]
fn the_control_socket_tells_of_notices() {
    let server = Server::start(Manner::default());
    let place = Place::new(&format!("{}{JOB}", channels(server.port)));
    fs::write(place.path("broken"), "").unwrap();
    let daemon = place.start();
    run(&place);
    wait("a mail", || (!server.messages().is_empty()).then_some(()));
    wait("its record", || (states(&place) == pairs(&[("failed", "sent")])).then_some(()));
    let number = notices(&place)[0]["notice"].as_i64().unwrap().to_string();
    let output = place.run(&["notices", "retry", &number]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("was sent already"));
    daemon.stop();
    assert_eq!(server.messages().len(), 1);
}

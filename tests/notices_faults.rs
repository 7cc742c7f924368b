//! What people are told when the daemon or its ledger comes to harm on the way: nothing is lost, and nothing comes twice that
//! need not.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "support/harm.rs"]
mod harm;
#[path = "support/smtp.rs"]
mod smtp;
mod support;

use std::fs;

use harm::{damage, lock};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mail_parser::MessageParser;
use smtp::{Manner, Server};
use support::{Daemon, Place, signal_process, wait};

/// A channel that hears of everything at once.
fn channel(name: &str) -> String {
    format!("[channels.{name}]\nmail = '{name}@example.org'\nat_most_every = '1ms'\n")
}

fn file(port: u16) -> String {
    let smtp = format!("[smtp]\nurl = 'smtp://127.0.0.1:{port}'\nfrom = 'punctual <punctual@example.org>'\n");
    format!("{smtp}{}[jobs.copy]\ncommand = 'exit 3'\n", channel("ops"))
}

/// Something to tell that waits for nothing else: the file is wrong, and right again.
fn spoil_and_mend_the_file(place: &Place, port: u16) {
    place.write_jobs(&format!("{}commando = 'x'\n", file(port)));
    place.run(&["reload"]);
    place.write_jobs(&file(port));
    place.text(&["reload"]);
}

/// The names under which messages came, in their order.
fn names(server: &Server) -> Vec<String> {
    let name = |data: &[u8]| MessageParser::default().parse(data).unwrap().message_id().unwrap().to_owned();
    server.messages().iter().map(|message| name(&message.data)).collect()
}

/// What became of notices, as `kind state`.
fn states(place: &Place) -> Vec<String> {
    let listed = place.json(&["notices", "-n", "all"]);
    let word = |notice: &serde_json::Value, key: &str| notice[key].as_str().unwrap().to_owned();
    listed.as_array().unwrap().iter().map(|one| format!("{} {}", word(one, "kind"), word(one, "state"))).collect()
}

fn wait_until_all_is_sent(place: &Place) {
    wait(&format!("the end of {:?}", states(place)), || {
        let states = states(place);
        (!states.is_empty() && states.iter().all(|state| state.ends_with(" sent"))).then_some(())
    });
}

/// Another daemon comes, and all that it sends is that it is back.
fn nothing_comes_again(place: &Place, server: &Server, daemon: Daemon<'_>) {
    let (mails, notices) = (names(server), states(place).len());
    daemon.crash();
    let daemon = place.start();
    wait("that it is back", || states(place).get(notices).filter(|state| *state == "back sent").map(|_| ()));
    assert_eq!(daemon.stop(), Some(0));
    let after = names(server);
    assert_eq!((&after[..mails.len()], after.len()), (&mails[..], mails.len() + 1));
}

#[test]
fn a_message_that_is_cut_off_by_a_kill_arrives_once() {
    let server = Server::start(Manner::default());
    let place = Place::new(&file(server.port));
    let mut daemon = place.start();
    for kills_all in [true, false] {
        let torn = server.torn();
        let had = names(&server).len();
        server.tear_the_next();
        spoil_and_mend_the_file(&place, server.port);
        wait("a part of a message", || (server.torn() > torn).then_some(()));
        assert_eq!(names(&server).len(), had);
        if kills_all {
            daemon.crash();
            daemon = place.start();
        } else {
            let scheduler = daemon.scheduler();
            signal_process(scheduler, "KILL");
            wait("another scheduler", || (daemon.scheduler() != scheduler).then_some(()));
        }
        wait("the end of the trouble", || (names(&server).len() >= had + 2).then_some(()));
        wait_until_all_is_sent(&place);
    }
    let once: std::collections::BTreeSet<String> = names(&server).into_iter().collect();
    assert_eq!(
        (once.len(), states(&place).len()),
        (names(&server).len(), names(&server).len()),
        "{:?}",
        names(&server)
    );
    nothing_comes_again(&place, &server, daemon);
}

/// The one way in which a message comes twice: it was taken, and nobody was left to note that. It is the same message by its
/// name, so that whoever keeps mail may keep it once.
#[test]
fn a_message_that_was_taken_unnoticed_comes_again_under_the_same_name() {
    let server = Server::start(Manner::default());
    let place = Place::new(&file(server.port));
    let daemon = place.start();
    server.be_mute(true);
    place.write_jobs(&format!("{}commando = 'x'\n", file(server.port)));
    place.run(&["reload"]);
    wait("the message", || (names(&server).len() == 1).then_some(()));
    let unlock = lock(&place).unwrap();
    server.be_mute(false);
    // It was told that the message was taken, and takes its leave.
    wait("the farewell", || server.lines().contains(&"QUIT".to_owned()).then_some(()));
    daemon.crash();
    unlock();
    assert_eq!(states(&place), ["file-wrong waiting"]);
    place.write_jobs(&file(server.port));
    let daemon = place.start();
    wait("it once more", || (names(&server).len() > 1).then_some(()));
    wait_until_all_is_sent(&place);
    let came = names(&server);
    assert_eq!(came[0], came[1]);
    assert_eq!(came.iter().filter(|name| **name == came[0]).count(), 2, "{came:?}");
    nothing_comes_again(&place, &server, daemon);
}

/// Another program keeps the ledger to itself for longer than anybody waits for it.
#[test]
fn a_message_that_was_taken_is_kept_in_mind_until_that_can_be_noted() {
    let server = Server::start(Manner::default());
    let place = Place::new(&file(server.port));
    let daemon = place.start();
    server.be_mute(true);
    place.write_jobs(&format!("{}commando = 'x'\n", file(server.port)));
    place.run(&["reload"]);
    wait("the message", || (names(&server).len() == 1).then_some(()));
    let unlock = lock(&place).unwrap();
    server.be_mute(false);
    let complaint = "what came of a notice cannot be recorded, which is tried again";
    wait("the complaint", || place.log().contains(complaint).then_some(()));
    unlock();
    wait_until_all_is_sent(&place);
    assert_eq!((daemon.stop(), names(&server).len()), (Some(0), 1));
}

#[test]
fn what_waits_outlives_a_damaged_ledger_and_what_was_sent_stays_sent() {
    let server = Server::start(Manner::default());
    let place = Place::new("");
    let folder = place.folder.path().display();
    let told = |name: &str| fs::read_to_string(place.path(name)).unwrap_or_default();
    let hears = |name: &str, more: &str| {
        let script = format!("cd {folder}; [ -e ready ] || exit 75; echo $PUNCTUAL_KIND $PUNCTUAL_NOTICES >> {name}");
        format!("[channels.{name}]\nat_most_every = '1ms'\n{more}command = ['/bin/sh', '-c', '{script}']\n")
    };
    let hour = Timestamp::now().to_zoned(TimeZone::UTC).hour();
    let quiet = format!("quiet = '{hour:02}:00-{:02}:00'\n", (hour + 2) % 24);
    // Chores look at all of the ledger, and find what nobody else would.
    let begin = "[daemon]\ntimezone = 'UTC'\n[daemon.housekeeping]\noptimize = '* * * * * *'\n";
    let all = |quiet: &str| format!("{begin}{}{}{}", hears("later", ""), hears("asleep", quiet), file(server.port));
    place.write_jobs(&all(&quiet));
    let daemon = place.start();
    place.write_jobs(&format!("{}commando = 'x'\n", all(&quiet)));
    place.run(&["reload"]);
    let tries = |place: &Place| -> Vec<i64> {
        let listed = place.json(&["notices", "-n", "all"]);
        listed.as_array().unwrap().iter().map(|notice| notice["tries"].as_i64().unwrap()).collect()
    };
    // In the order of their names: one waits for its end of the night, one for another try, and one was sent.
    wait("what is waited for", || (tries(&place) == [0, 1, 1]).then_some(()));
    let before = states(&place);
    assert_eq!(before, ["file-wrong waiting", "file-wrong waiting", "file-wrong sent"]);
    let columns = "id || channel || carrier || made || state || tries || until || coalesce(ended, next_try) || answer";
    let messages = format!("SELECT group_concat({columns}, '; ' ORDER BY number) FROM messages");
    let known = place.ask(&messages);
    damage(&place, "'dependencies'");
    wait("a ledger anew", || place.log().contains("can be written again").then_some(()));
    assert_eq!((place.ask(&messages), states(&place)), (known, before));
    // Whoever comes after a crash goes on with it.
    daemon.crash();
    place.write_jobs(&all(""));
    fs::write(place.path("ready"), "").unwrap();
    let daemon = place.start();
    place.text(&["notices", "retry", "--all"]);
    wait_until_all_is_sent(&place);
    for name in ["later", "asleep"] {
        assert_eq!(told(name).lines().filter(|line| *line == "file-wrong 1").count(), 1, "{name}: {}", told(name));
    }
    let mails = server.messages();
    let subject = |data: &[u8]| MessageParser::default().parse(data).unwrap().subject().unwrap().to_owned();
    let subjects: Vec<String> = mails.iter().map(|mail| subject(&mail.data)).collect();
    assert_eq!(subjects.iter().filter(|subject| subject.contains("wrong")).count(), 1, "{subjects:?}");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(place.integrity(), "ok");
}

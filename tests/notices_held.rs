//! What waits to be told: until when and why, by the real binary; and what belongs together though it is told one by one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::process::Stdio;

use jiff::{SignedDuration, Timestamp};
use mail_parser::MessageParser;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use support::{Place, wait};

/// Two jobs that are run by hand and fail.
const JOBS: &str = "[jobs.copy]\ncommand = 'exit 3'\n[jobs.other]\ncommand = 'exit 4'\n";

/// A channel by a command that keeps what it is told, line by line.
fn channel(more: &str) -> String {
    format!("[channels.ops]\ncommand = ['/bin/sh', '-c', 'cat >> told; echo >> told']\nat_most_every = '1ms'\n{more}\n")
}

fn notices(place: &Place) -> Vec<Value> {
    place.json(&["notices", "-n", "all"]).as_array().unwrap().clone()
}

fn of_job(place: &Place, job: &str) -> Value {
    wait(&format!("a notice of {job}"), || notices(place).into_iter().rev().find(|notice| notice["job"] == job))
}

/// Each message that the command was told.
fn told(place: &Place) -> Vec<Value> {
    let text = fs::read_to_string(place.path("told")).unwrap_or_default();
    text.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
}

#[test]
fn at_quiet_hours_it_is_said_until_when() {
    let clock = |hours: i64| {
        let at = Timestamp::now() + SignedDuration::from_hours(hours);
        at.to_string()[11..16].to_owned()
    };
    let (from, until) = (clock(-2), clock(2));
    let place = Place::new(&format!("{}{JOBS}", channel(&format!("quiet = '{from}-{until}'"))));
    let daemon = place.start();
    place.run(&["run", "copy", "--wait"]);
    let notice = of_job(&place, "copy");
    let end = notice["held_until"].as_str().unwrap();
    assert!(end.ends_with(&format!("T{until}:00.000000Z")), "{notice}");
    assert_eq!((&notice["held_because"], &notice["next_try"]), (&"quiet".into(), &Value::Null));
    let shown = format!("{until}:00 (quiet hours)");
    let table = place.text(&["notices"]);
    assert!(table.contains("HELD UNTIL") && table.contains(&shown), "{table}");
    let status = place.text(&["status"]);
    assert!(status.contains("notice waits to be sent, since ") && status.contains(&shown), "{status}");
    let status = place.json(&["status"])["notices"].clone();
    assert_eq!((status["held_until"].as_str(), status["held_because"].as_str()), (Some(end), Some("quiet")));
    // Not even who wants it has it sent at such a time.
    let said = place.text(&["notices", "retry", "--all"]);
    assert!(said.contains("will be tried again after the quiet hours, "), "{said}");
    daemon.stop();
    // Without a daemon the file says the same, and another file nothing of it.
    assert_eq!(of_job(&place, "copy")["held_until"], end);
    place.write_jobs(&format!("{}{JOBS}", channel("")));
    assert_ne!(of_job(&place, "copy")["held_because"], "quiet");
}

#[test]
fn a_storm_of_one_job_holds_up_no_other() {
    let place = Place::new(&format!("{}{JOBS}", channel("")));
    place.start().stop();
    // A message of four notices of one job has just been sent.
    let now = Timestamp::now().as_microsecond();
    for number in 1..=4 {
        let job = "(SELECT number FROM jobs WHERE name = 'copy')";
        place.execute(&format!("INSERT INTO notices VALUES ({number}, {now}, 9, {job}, NULL, 'ops', '{{}}')"));
    }
    let columns = "(number, id, channel, carrier, made, state, tries, until, ended)";
    place.execute(&format!("INSERT INTO messages {columns} VALUES (1, 'storm', 'ops', 3, {now}, 2, 1, {now}, {now})"));
    place.execute("INSERT INTO deliveries SELECT number, 3, 1 FROM notices");
    let daemon = place.start();
    place.run(&["run", "copy", "--wait"]);
    place.run(&["run", "other", "--wait"]);
    let copy = of_job(&place, "copy");
    let until: Timestamp = copy["held_until"].as_str().unwrap().parse().unwrap();
    assert_eq!((copy["held_because"].as_str(), until.as_microsecond()), (Some("storm"), now + 60_000_000), "{copy}");
    wait("what has nothing to do with the storm", || (of_job(&place, "other")["state"] == "sent").then_some(()));
    assert_eq!(of_job(&place, "copy"), copy);
    assert_eq!(told(&place).len(), 1);
    daemon.stop();
}

#[test]
fn what_was_not_taken_and_what_is_behind_it_say_so() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let smtp = format!("[smtp]\nurl = 'smtp://127.0.0.1:{nobody}'\nfrom = 'punctual@example.org'\n");
    let place = Place::new(&format!("{smtp}[channels.ops]\nmail = 'ops@example.org'\n{JOBS}"));
    let daemon = place.start();
    place.run(&["run", "copy", "--wait"]);
    place.run(&["run", "other", "--wait"]);
    wait("a try in vain", || (of_job(&place, "copy")["tries"] == 1).then_some(()));
    let (copy, other) = (of_job(&place, "copy"), of_job(&place, "other"));
    assert_eq!(copy["held_because"], "refused");
    assert_eq!(copy["held_until"], copy["next_try"]);
    assert!(copy["answer"].as_str().unwrap().contains("cannot connect"), "{copy}");
    assert_eq!((&other["held_because"], &other["tries"]), (&"behind".into(), &0.into()), "{other}");
    assert_eq!(other["held_until"], copy["held_until"]);
    let table = place.text(&["notices"]);
    assert!(table.contains("(tried again)") && table.contains("(one before it is tried again)"), "{table}");
    assert_eq!(place.json(&["status"])["notices"]["held_because"], "refused");
    // A channel that nobody has heard of.
    for (typed, meant) in [("opps", "did you mean ops?"), ("nobody-here", "there are: ops")] {
        for verb in [&["notices", "--channel", typed][..], &["notify", "test", typed]] {
            let output = place.run(verb);
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(1), "{said}");
            assert!(said.contains(&format!("there is no channel `{typed}`; {meant}")), "{said}");
        }
    }
    daemon.stop();
    // One that is gone has told something all the same.
    place.write_jobs(JOBS);
    assert_eq!(place.json(&["notices", "--channel", "ops"]).as_array().unwrap().len(), 2);
}

#[test]
fn what_follows_a_slow_run_is_in_its_thread() {
    let place = Place::new(
        "[smtp]\nurl = 'file:mails'\nfrom = 'punctual@example.org'\n\n\
         [channels.ops]\nmail = 'ops@example.org'\ntell = ['failed', 'recovered', 'slow']\nat_most_every = '1ms'\n\n\
         [jobs.copy]\ncwd = '.'\nslow_after = '1ms'\ncommand = 'until test -e go; do sleep 0.05; done; test ! -e broken'\n",
    );
    fs::write(place.path("broken"), "").unwrap();
    let daemon = place.start();
    let run = place.command(&["run", "copy", "--wait"]).spawn().unwrap();
    wait("that it is slow", || (of_job(&place, "copy")["state"] == "sent").then_some(()));
    fs::write(place.path("go"), "").unwrap();
    run.wait_with_output().unwrap();
    wait("that it failed", || {
        let notice = of_job(&place, "copy");
        (notice["kind"] == "failed" && notice["state"] == "sent").then_some(())
    });
    daemon.stop();
    let mut mails: Vec<(i64, Vec<u8>)> = fs::read_dir(place.path("mails"))
        .unwrap()
        .map(|entry| {
            let data = fs::read(entry.unwrap().path()).unwrap();
            (MessageParser::default().parse(&data).unwrap().date().unwrap().to_timestamp(), data)
        })
        .collect();
    mails.sort();
    let parsed: Vec<_> = mails.iter().map(|(_, data)| MessageParser::default().parse(data).unwrap()).collect();
    assert!(parsed[0].subject().unwrap().contains("is slow"), "{:?}", parsed[0].subject());
    assert!(parsed[1].subject().unwrap().contains("failed"), "{:?}", parsed[1].subject());
    assert_eq!(parsed[0].references().as_text(), None);
    assert_eq!(parsed[1].references().as_text(), parsed[0].message_id());
    // What is to be typed finds this daemon, wherever it is typed.
    let text = parsed[1].body_text(0).unwrap();
    let line =
        text.lines().find_map(|line| line.trim().strip_prefix("punctual ").filter(|line| line.contains(" show ")));
    let words: Vec<&str> = line.unwrap().split(' ').collect();
    let output =
        std::process::Command::new(env!("CARGO_BIN_EXE_punctual")).args(&words).current_dir("/").output().unwrap();
    let shown = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success() && shown.contains("failed"), "{words:?}: {shown}");
}

#[test]
fn a_second_crash_in_a_short_while_is_told_a_while_later() {
    let place = Place::new(&channel("").replace("1ms", "5s"));
    let backs = || told(&place).into_iter().map(|message| message["notices"][0].clone()).collect::<Vec<_>>();
    let daemon = place.start();
    wait("the beginning of its ledger", || place.log().contains("started").then_some(()));
    daemon.crash();
    let daemon = place.start();
    wait("that it is back", || (backs().len() == 1).then_some(()));
    daemon.crash();
    let daemon = place.start();
    let last = wait("that it was back again", || backs().get(1).cloned());
    assert_eq!((last["kind"].as_str(), last["untold"].as_i64()), (Some("back"), Some(0)), "{last}");
    // Unless this machine took longer than that for two starts.
    if let Some(until) = last["until"].as_str() {
        assert!(until < last["at"].as_str().unwrap(), "{last}");
    }
    daemon.stop();
}

#[test]
fn a_test_that_is_given_up_leaves_no_command_behind() {
    let place = Place::new("[channels.ops]\ncommand = ['/bin/sh', '-c', 'echo $$ > pid; sleep 600']\n");
    let mut test =
        place.command(&["notify", "test", "ops"]).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let pid: i32 = wait("the command", || fs::read_to_string(place.path("pid")).ok()?.trim().parse().ok());
    let signalled = Pid::from_child(&test);
    kill_process(signalled, Signal::TERM).unwrap();
    assert_eq!(test.wait().unwrap().code(), Some(1));
    let mut said = String::new();
    std::io::Read::read_to_string(&mut test.stderr.take().unwrap(), &mut said).unwrap();
    assert!(said.contains("given up, because of SIGTERM"), "{said}");
    wait("its end", || (!support::is_alive(pid)).then_some(()));
}

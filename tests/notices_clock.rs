//! When people are told: the whole daemon on a clock that is moved by hand, over nights and days.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "support/simulated.rs"]
mod simulated;
mod support;

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use punctual::clock::ManualClock;
use punctual::control::{NoticeAct, WhichNotices, Wish};
use punctual::job::JobName;
use punctual::notice::NoticeId;
use serde_json::Value;
use simulated::Simulated;
use support::{Place, wait};

/// Jobs that are run by hand, and fail.
const JOBS: &str = "[jobs.start]\nschedule = '@start'\ncommand = ['true']\n\
                    [jobs.a]\ncommand = 'exit 3'\n[jobs.b]\ncommand = 'exit 3'\n\
                    [jobs.c]\ncommand = 'exit 3'\n";
/// What fails together is told together; so long a notice waits for others.
const SIBLINGS: Duration = Duration::from_secs(3);

/// A channel that does this in the place's folder.
fn channel(place: &Place, name: &str, keys: &str, script: &str) -> String {
    let folder = place.folder.path().display();
    format!(
        "[channels.{name}]\nat_most_every = '1ms'\n{keys}\ncommand = ['/bin/sh', '-c', '''cd {folder}; {script}''']\n"
    )
}

fn read(place: &Place, name: &str) -> String {
    fs::read_to_string(place.path(name)).unwrap_or_default()
}

fn notices(place: &Place) -> Vec<Value> {
    place.json(&["notices", "-n", "all"]).as_array().unwrap().clone()
}

/// The only notice of a job for a channel.
fn notice(place: &Place, job: &str, channel: &str) -> Value {
    let mut found = notices(place).into_iter().filter(|notice| notice["job"] == job && notice["channel"] == channel);
    found.next().unwrap_or_default()
}

fn wait_for_tries(place: &Place, job: &str, channel: &str, tries: i64) -> Value {
    wait(&format!("try {tries} of {job} for {channel}: {:?}", notices(place)), || {
        Some(notice(place, job, channel)).filter(|notice| notice["tries"] == tries)
    })
}

/// Runs a job, and waits until it is recorded who is to be told that it has failed.
fn fail(daemon: &Simulated<'_>, job: &str) {
    let before = daemon.place.entries_of(job).len();
    daemon.granted(Wish::Run { jobs: vec![JobName::new(job).unwrap()], due: None, env: [].into() });
    wait(&format!("the end of {job}"), || {
        let entries = daemon.place.entries_of(job);
        (entries.len() > before && entries.last()?["state"] == "ended").then_some(())
    });
}

fn begin(text: &str) -> Arc<ManualClock> {
    ManualClock::at(text.parse().unwrap())
}

#[test]
fn what_nobody_takes_in_three_days_is_given_up_and_that_is_said() {
    // It ends about now by the clock of whoever asks for the status.
    let clock = ManualClock::at(Timestamp::now() - SignedDuration::from_hours(73));
    let place = Place::new("");
    let ops = channel(&place, "ops", "", "echo not now >&2; exit 75");
    let gone = channel(&place, "gone", "", "exit 75");
    place.write_jobs(&format!("{ops}{gone}{JOBS}"));
    let daemon = Simulated::start(&place, &clock);
    fail(&daemon, "a");
    clock.advance(SIBLINGS);
    wait_for_tries(&place, "a", "ops", 1);
    wait_for_tries(&place, "a", "gone", 1);
    daemon.stop();
    place.write_jobs(&format!("{ops}{JOBS}"));
    let daemon = Simulated::start(&place, &clock);
    // The last try but one, and the last one.
    clock.advance(Duration::from_secs(3 * 24 * 3600 - 60));
    let waits = wait_for_tries(&place, "a", "ops", 2);
    assert_eq!(waits["state"], "waiting");
    let status = place.text(&["status"]);
    assert!(status.contains("2 notices wait to be sent, since ") && !status.contains("could not be"), "{status}");
    assert_eq!(notice(&place, "a", "gone")["state"], "waiting");
    clock.advance(Duration::from_secs(120));
    let given_up = wait_for_tries(&place, "a", "ops", 3);
    assert_eq!(given_up["state"], "undeliverable");
    let answer = given_up["answer"].as_str().unwrap();
    assert!(answer.starts_with("given up after three days: ") && answer.ends_with(": not now"), "{answer}");
    let nowhere = wait("the end of what went nowhere", || {
        Some(notice(&place, "a", "gone")).filter(|notice| notice["state"] == "undeliverable")
    });
    assert_eq!(nowhere["answer"], "the file has no channel `gone` any more");
    assert_eq!(nowhere["tries"], 1);
    daemon.stop();
    // It stays so, and is seen.
    let daemon = Simulated::start(&place, &clock);
    clock.advance(Duration::from_secs(24 * 3600));
    fail(&daemon, "b");
    clock.advance(SIBLINGS);
    wait_for_tries(&place, "b", "ops", 1);
    assert_eq!(notice(&place, "a", "ops"), given_up);
    let status = place.text(&["status"]);
    assert!(status.contains("2 notices could not be delivered in the last 7 days"), "{status}");
    assert_eq!(place.json(&["status"])["notices"]["undeliverable"], 2);
    let listed = place.json(&["notices", "--undeliverable"]);
    assert_eq!(listed.as_array().unwrap().len(), 2, "{listed}");
    // Whoever has mended it may have it tried again, for three more days.
    let number = NoticeId(given_up["notice"].as_i64().unwrap());
    daemon.granted(Wish::Notices { act: NoticeAct::Retry, notices: WhichNotices::These(vec![number]) });
    let again = wait_for_tries(&place, "a", "ops", 4);
    assert_eq!(again["state"], "waiting", "{again}");
    daemon.stop();
}

#[test]
fn what_is_held_back_at_night_goes_as_one_message_in_the_morning() {
    let clock = begin("2026-11-23T23:00:00Z");
    let place = Place::new("");
    let tell = |name: &str| format!("cat >> {name}; echo >> {name}");
    let quiet = "quiet = '22:00-07:00'";
    let channels = channel(&place, "asleep", quiet, &tell("asleep")) + &channel(&place, "awake", "", &tell("awake"));
    place.write_jobs(&format!("{channels}{JOBS}"));
    let told = |name: &str| read(&place, name).lines().count();
    // Both channels are looked at in one go, so that what one hears the other one could have heard.
    let fails_at_night = |daemon: &Simulated<'_>, job: &str, before: usize| {
        fail(daemon, job);
        clock.advance(SIBLINGS);
        wait("who is awake", || (told("awake") == before + 1).then_some(()));
        assert_eq!(told("asleep"), 0, "{}", read(&place, "asleep"));
    };
    let daemon = Simulated::start(&place, &clock);
    fails_at_night(&daemon, "a", 0);
    daemon.stop();
    clock.advance(Duration::from_secs(4 * 3600));
    let daemon = Simulated::start(&place, &clock);
    fails_at_night(&daemon, "b", 1);
    clock.set("2026-11-24T06:59:55Z".parse().unwrap());
    fails_at_night(&daemon, "c", 2);
    daemon.stop();
    let daemon = Simulated::start(&place, &clock);
    clock.set("2026-11-24T07:00:00Z".parse().unwrap());
    let morning = wait("the morning", || {
        Some(read(&place, "asleep")).filter(|text| text.ends_with('\n')).filter(|text| !text.trim().is_empty())
    });
    let report: Value = serde_json::from_str(&morning).unwrap_or_else(|error| panic!("{error}: {morning}"));
    let jobs: Vec<&str> =
        report["notices"].as_array().unwrap().iter().map(|notice| notice["job"].as_str().unwrap()).collect();
    assert_eq!(jobs, ["a", "b", "c"]);
    // By day each is told by itself again, and nothing of the night comes back.
    fail(&daemon, "a");
    clock.advance(SIBLINGS);
    wait("the next message", || (told("asleep") == 2 && told("awake") == 4).then_some(()));
    daemon.stop();
}

#[test]
fn a_channel_is_told_one_thing_after_the_other_under_the_same_name_in_each_try() {
    let clock = begin("2026-11-23T12:00:00Z");
    let place = Place::new("");
    let slow = "echo begin $PUNCTUAL_JOB $PUNCTUAL_NOTICE_ID >> slow; [ -e ready ] || exit 75; \
                until [ -e go ]; do sleep 0.02; done; echo end $PUNCTUAL_JOB $PUNCTUAL_NOTICE_ID >> slow";
    let quick = "echo $PUNCTUAL_JOB >> quick";
    let channels = channel(&place, "slow", "", slow) + &channel(&place, "quick", "", quick);
    place.write_jobs(&format!("{channels}{JOBS}"));
    let daemon = Simulated::start(&place, &clock);
    let quick_has = |expect: &str| wait(expect, || (read(&place, "quick") == expect).then_some(()));
    fail(&daemon, "a");
    clock.advance(SIBLINGS);
    quick_has("a\n");
    let first = wait_for_tries(&place, "a", "slow", 1);
    let pause = |notice: &Value| {
        let next: Timestamp = notice["next_try"].as_str().unwrap().parse().unwrap();
        next.duration_since("2026-11-23T12:00:03Z".parse().unwrap()).as_secs()
    };
    assert!((30..=36).contains(&pause(&first)), "{first}");
    // What comes next waits for what is to be tried again, although it would be taken by now.
    fs::write(place.path("ready"), "").unwrap();
    fail(&daemon, "b");
    clock.advance(SIBLINGS);
    quick_has("a\nb\n");
    assert_eq!(notice(&place, "b", "slow")["tries"], 0);
    // No two are under way at once.
    fail(&daemon, "c");
    clock.advance(Duration::from_secs(60));
    quick_has("a\nb\nc\n");
    wait("the second try of the first one", || (read(&place, "slow").lines().count() == 2).then_some(()));
    fs::write(place.path("go"), "").unwrap();
    wait("all of them", || (read(&place, "slow").lines().count() == 7).then_some(()));
    let slow = read(&place, "slow");
    let words: Vec<Vec<&str>> = slow.lines().map(|line| line.split(' ').collect()).collect();
    let steps: Vec<String> = words.iter().map(|line| line[..2].join(" ")).collect();
    assert_eq!(steps, ["begin a", "begin a", "end a", "begin b", "end b", "begin c", "end c"]);
    let names: Vec<&str> = words.iter().map(|line| line[2]).collect();
    assert!(names[0].starts_with("punctual.") && names[0] == names[1], "{slow}");
    assert_ne!(names[1], names[3], "{slow}");
    daemon.stop();
}

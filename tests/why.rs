//! Why a job ran, or did not: asked over the week of a demo whose clocks were put forward, and of a daemon at work.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::LazyLock;

use serde_json::Value;
use support::{Place, wait};
use tempfile::TempDir;

/// The week before the first Monday of summer time, of a year that is long past.
const UNTIL: &str = "2025-03-31T12:00:00Z";

/// The demo's folder; the tests only read it.
static WEEK: LazyLock<TempDir> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let made = punctual(&["demo", "--until", UNTIL, "--into", made(&folder).to_str().unwrap()]);
    assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    folder
});

fn made(folder: &TempDir) -> PathBuf {
    folder.path().join("made")
}

fn punctual(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_punctual"));
    command.args(arguments).env("TZ", "Europe/Berlin").env_remove("STATE_DIRECTORY").env_remove("PUNCTUAL_CONFIG");
    command.stdin(Stdio::null()).output().unwrap()
}

fn of_week(arguments: &[&str]) -> Output {
    let state = made(&WEEK);
    let config = state.join("jobs.toml");
    let places = ["--state", state.to_str().unwrap(), "--config", config.to_str().unwrap()];
    punctual(&[arguments, &places].concat())
}

/// What is said about a job, as one text.
fn why(arguments: &[&str]) -> String {
    let output = of_week(&[&["why"], arguments, &["--json"]].concat());
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    sentences(&serde_json::from_slice(&output.stdout).unwrap())
}

fn sentences(report: &Value) -> String {
    let texts: Vec<&str> =
        report["parts"].as_array().unwrap().iter().map(|part| part["text"].as_str().unwrap()).collect();
    texts.join(" ")
}

fn entry(arguments: &[&str]) -> Value {
    let output = of_week(&[&["history", "--json", "-n", "1"], arguments].concat());
    serde_json::from_slice::<Value>(&output.stdout).unwrap()[0].clone()
}

fn check(arguments: &[&str], expected: &[&str]) {
    let said = why(arguments);
    for expected in expected {
        assert!(said.contains(expected), "{arguments:?}: {expected} is not in: {said}");
    }
}

#[test]
fn each_kind_of_entry_has_its_reason() {
    let overlap = entry(&["import", "--reason", "overlap"]);
    check(
        &["import", "--at", overlap["due"].as_str().unwrap()],
        &["skipped: run ", " was still going, begun 2025-03-", "`overlap` lets no other begin"],
    );
    let down = entry(&["health", "--reason", "daemon-down"]);
    check(
        &["health", "--at", down["due"].as_str().unwrap()],
        &["were missed: the daemon ended without a word, last heard of", "and began again", "catch_up = \"latest\""],
    );
    let lost = entry(&["backup", "--outcome", "lost"]);
    let said = why(&["backup", "--at", lost["due"].as_str().unwrap()]);
    assert_eq!(said.matches("the daemon ended while it ran").count(), 1, "{said}");
    let called = entry(&["verify-backup", "--outcome", "succeeded"]);
    check(&["verify-backup", "--at", called["started"].as_str().unwrap()], &[]);
    check(
        &["verify-backup"],
        &["was called for by the success of run ", "It runs each time when backup has succeeded"],
    );
    let failed = entry(&["mirror", "--failed"]);
    let run = failed["run"].to_string();
    check(&["mirror", "--at", failed["due"].as_str().unwrap()], &[&format!("Run {run} was due 2025-03-"), "failed"]);
    check(&[&run], &[&format!("Run {run} was due 2025-03-"), "failed"]);
}

#[test]
fn what_holds_a_job_is_said_first() {
    check(
        &["newsletter"],
        &["It is disabled: enabled = false", "No daemon runs, so nothing starts: the daemon was stopped"],
    );
    check(&["warm-cache"], &["It runs when the daemon starts, by `@start`"]);
    check(&["tidy"], &["It is due ", "2h after the end of its last run"]);
    check(&["report"], &["It is due next ", "by `0 * * * *`"]);
}

#[test]
fn a_time_without_an_entry_has_its_reason_too() {
    check(
        &["backup", "--at", "2025-03-27 12:00"],
        &["no instant of its schedule `30 2 * * *`", "2025-03-27 02:30:00 and 2025-03-28 02:30:00"],
    );
    check(&["backup", "--at", "2024-12-01 02:30"], &["did not know the job then: it came into force 2025-03-24"]);
    check(
        &["backup", "--at", "2999-01-01 02:30"],
        &["It is due 2999-01-01 02:30:00, and will run if a daemon runs then"],
    );
    check(&["backup", "--at", "2999-01-01 03:30"], &["names no instant then; the next one is 2999-01-02 02:30:00"]);
    check(&["newsletter", "--at", "2999-01-01 03:30"], &["It will not run then by itself: it is disabled"]);
}

#[test]
fn the_clocks_are_taken_into_account() {
    // 02:30 did not exist on that day.
    let gap = "The clocks of Europe/Berlin were put forward then, 2025-03-30 03:00:00: the times from 02:00 to 03:00 did \
               not exist, and what they named is moved to their end.";
    check(&["backup", "--at", "2025-03-30 03:00"], &["was due 2025-03-30 03:00:00", gap]);
    let said = why(&["backup", "--at", "2025-03-27 02:30"]);
    assert!(!said.contains("The clocks"), "{said}");
}

#[test]
fn of_a_busy_day_what_went_wrong_is_told() {
    check(&["health", "--at", "2025-03-30"], &["missed", "succeeded entries; punctual history health"]);
    let said = why(&["health", "--at", "2025-03-30"]);
    assert!(said.matches("Run ").count() <= 10, "{said}");
}

#[test]
fn another_schedule_at_that_time_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let (state, config) = (made(&WEEK), folder.path().join("jobs.toml"));
    fs::write(&config, "[jobs.backup]\nschedule = \"0 4 * * *\"\ncommand = \"true\"\n").unwrap();
    let ask = |arguments: &[&str]| {
        let places = ["--state", state.to_str().unwrap(), "--config", config.to_str().unwrap(), "--json"];
        let output = punctual(&[&["why"], arguments, &places].concat());
        sentences(&serde_json::from_slice(&output.stdout).unwrap())
    };
    let said = ask(&["backup", "--at", "2025-03-27 04:00"]);
    assert!(said.contains("another schedule: `30 2 * * *` in Europe/Berlin, from 2025-03-24"), "{said}");
    assert!(said.contains("today it is `0 4 * * *`"), "{said}");
    let said = ask(&["report"]);
    assert!(said.contains("It is not in the file any more."), "{said}");
}

#[test]
fn wrong_questions_are_answered() {
    for (arguments, code, expected) in
        [(&["why", "bakcup"][..], 1, "did you mean backup?"), (&["why", "backup", "--at", "someday"], 2, "is no time")]
    {
        let output = of_week(arguments);
        let error = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{error}");
        assert!(error.contains(expected), "{error}");
    }
}

#[test]
fn a_run_that_waits_names_those_before_it() {
    let place = Place::new(
        "[pools]\ndisk = 1\n[defaults]\ncwd = '.'\n\
         [jobs.first]\nschedule = '@start'\npool = 'disk'\ncommand = 'until test -e go; do sleep 0.05; done'\n\
         [jobs.second]\nafter = ['opener']\npool = 'disk'\ncommand = 'true'\n\
         [jobs.opener]\nschedule = '@start'\ncommand = 'until test -e open; do sleep 0.05; done'\n",
    );
    let daemon = place.start();
    place.wait_for("first", |entry| entry["state"] == "running");
    release(&place.path("open"));
    place.wait_for("second", |entry| entry["state"] == "waiting");
    let first = place.entries_of("first")[0]["run"].to_string();
    let said = sentences(&place.json(&["why", "second"]));
    assert!(said.contains(&format!("waits for the pool disk, behind run {first} of first.")), "{said}");
    // The status of one job says it, too.
    assert!(place.text(&["status", "second"]).contains(&format!("behind run {first} of first")));
    let said = sentences(&place.json(&["why", "first"]));
    assert!(said.contains(&format!("Run {first} (for the daemon's start) is running, begun ")), "{said}");
    release(&place.path("go"));
    wait("the end", || (place.ended("second")["outcome"] == "succeeded").then_some(()));
    assert_eq!(daemon.stop(), Some(0));
}

fn release(path: &Path) {
    fs::write(path, "").unwrap();
}

//! The daemon as its users have it: the real binary, real processes, a real ledger.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Place, is_alive, pids, wait};

/// A job that is due at the daemon's start and never again.
fn once(command: &str) -> String {
    format!("[jobs.job]\nschedule = \"@start\"\ncommand = {command}\n")
}

#[test]
fn a_run_is_recorded_with_all_that_is_known_of_it() {
    let place = Place::new(&once("'echo hello; echo oops >&2; exit 3'"));
    let daemon = place.start();
    let entry = place.ended("job");
    for (key, expect) in [
        ("cause", "start"),
        ("state", "ended"),
        ("outcome", "failed"),
        ("reason", "exit-code"),
        ("detail", "exit status 3"),
    ] {
        assert_eq!(entry[key], expect, "{key}");
    }
    assert_eq!((entry["exit_code"].as_i64(), entry["attempts"].as_i64()), (Some(3), Some(1)));
    assert_eq!(entry["output_bytes"], 11);
    assert!(entry["duration"].as_f64().unwrap() > 0.0 && entry["cpu"].as_f64().unwrap() > 0.0);
    assert!(entry["late"].as_f64().unwrap() >= 0.0);
    assert_eq!(daemon.stop(), Some(0));
    // It says the same while no daemon runs.
    assert_eq!(place.ended("job"), entry);
    assert_eq!(place.text(&["logs", "job"]), "hello\noops\n");
    place.audit();
}

#[test]
fn every_second_is_accounted_for() {
    let place = Place::new("[jobs.tick]\nschedule = \"* * * * * *\"\ncommand = [\"true\"]\n");
    let daemon = place.start();
    wait("four runs", || (place.entries_of("tick").len() >= 4).then_some(()));
    daemon.stop();
    let dues: Vec<jiff::Timestamp> =
        place.entries_of("tick").iter().map(|entry| entry["due"].as_str().unwrap().parse().unwrap()).collect();
    for pair in dues.windows(2) {
        assert_eq!(pair[1].duration_since(pair[0]).as_secs(), 1, "{dues:?}");
    }
    for entry in place.entries_of("tick") {
        assert!(entry["late"].is_null() || entry["late"].as_f64().unwrap() >= 0.0, "{entry}");
    }
    place.audit();
}

#[test]
fn a_crash_loses_the_run_and_nothing_else() {
    let place = Place::new(
        "[jobs.long]\nschedule = \"@start\"\ncommand = 'echo $$ >> pids; sleep 300 & echo $! >> pids; wait'\ncwd = \".\"\n\
         [jobs.tick]\nschedule = \"every 1s\"\ncommand = 'echo $PUNCTUAL_DUE >> ticks'\ncwd = \".\"\n",
    );
    let daemon = place.start();
    let left = wait("two processes", || Some(pids(&place.path("pids"))).filter(|pids| pids.len() == 2));
    place.wait_for("long", |entry| entry["state"] == "running" && !entry["started"].is_null());
    place.ended("tick");
    daemon.crash();
    assert!(left.iter().all(|pid| is_alive(*pid)), "the crash itself ends no job");
    let before = place.entries_of("tick").len();
    // Two instants at least pass while nobody is there.
    let crashed = Instant::now();
    wait("two seconds", || (crashed.elapsed() > Duration::from_millis(2100)).then_some(()));
    // The job of the start begins again; the end of the test does not wait for it.
    let daemon = place.start_with(&["--stop-grace", "0s"]);
    let lost = place.wait_for("long", |entry| entry["outcome"] == "lost");
    assert_eq!(lost["reason"], "daemon-down");
    wait("the end of what was left", || left.iter().all(|pid| !is_alive(*pid)).then_some(()));
    place.wait_for("tick", |entry| entry["outcome"] == "missed" && entry["reason"] == "daemon-down");
    wait("more ticks", || (place.entries_of("tick").len() > before + 3).then_some(()));
    daemon.stop();
    let ran: Vec<String> = fs::read_to_string(place.path("ticks")).unwrap().lines().map(str::to_owned).collect();
    let distinct: BTreeSet<&String> = ran.iter().collect();
    assert_eq!(distinct.len(), ran.len(), "an instant ran twice: {ran:?}");
    no_gap(&place, "tick");
    assert_eq!(place.integrity(), "ok");
    place.audit();
}

/// From its first entry to its last the job of every second has each instant once.
fn no_gap(place: &Place, job: &str) {
    let mut expected: Option<jiff::Timestamp> = None;
    for entry in place.entries_of(job) {
        let time = |key: &str| entry[key].as_str().map(|text| text.parse::<jiff::Timestamp>().unwrap());
        let due = time("due").unwrap();
        assert!(expected.is_none_or(|expected| expected == due), "a gap or a repetition before {entry}");
        let last = time("due_last").unwrap_or(due);
        assert_eq!(last.duration_since(due).as_secs() + 1, entry["count"].as_i64().unwrap(), "{entry}");
        expected = Some(last + Duration::from_secs(1));
    }
}

#[test]
fn a_stop_lets_runs_finish() {
    let place = Place::new(&once("'echo begun; while [ ! -e go ]; do sleep 0.05; done; echo done'\ncwd = '.'"));
    let daemon = place.start();
    place.wait_for("job", |entry| entry["state"] == "running" && !entry["started"].is_null());
    daemon.signal("TERM");
    wait("the farewell", || place.log().contains("stopping: 1 run may finish").then_some(()));
    fs::write(place.path("go"), "").unwrap();
    assert_eq!(daemon.wait(), Some(0));
    assert_eq!(place.ended("job")["outcome"], "succeeded");
    assert_eq!(place.text(&["logs", "job"]), "begun\ndone\n");
    place.audit();
}

#[test]
fn a_stop_ends_what_does_not_finish_in_its_grace() {
    let place =
        Place::new(&once("'trap \"\" TERM; echo $$ > pids; sleep 300; sleep 300'\ncwd = '.'\nkill_after = '200ms'"));
    let daemon = place.start_with(&["--stop-grace", "100ms"]);
    place.wait_for("job", |entry| entry["state"] == "running" && !entry["started"].is_null());
    assert_eq!(daemon.stop(), Some(0));
    let entry = place.ended("job");
    assert_eq!((entry["outcome"].as_str(), entry["reason"].as_str()), (Some("stopped"), Some("shutdown")));
    assert!(pids(&place.path("pids")).iter().all(|pid| !is_alive(*pid)));
    place.audit();
}

#[test]
fn a_second_signal_goes_straight_to_kill() {
    let place = Place::new(&once("'trap \"\" TERM INT; sleep 300; sleep 300'\nkill_after = '1h'"));
    let daemon = place.start_with(&["--stop-grace", "1h"]);
    place.wait_for("job", |entry| entry["state"] == "running" && !entry["started"].is_null());
    daemon.signal("INT");
    wait("the first signal", || place.log().contains("stopping:").then_some(()));
    daemon.signal("INT");
    assert_eq!(daemon.wait(), Some(0));
    assert_eq!(place.ended("job")["signal"], "KILL");
    place.audit();
}

#[test]
fn a_time_out_leaves_no_process() {
    let script = "trap '' TERM; (trap '' TERM; sleep 300) & echo $! >> pids; sleep 301 & echo $! >> pids; echo $$ >> pids; wait; wait";
    let place =
        Place::new(&once(&format!("['sh', '-c', \"{script}\"]\ncwd = '.'\ntimeout = '300ms'\nkill_after = '300ms'")));
    let daemon = place.start();
    let entry = place.ended("job");
    assert_eq!((entry["outcome"].as_str(), entry["reason"].as_str()), (Some("timed-out"), Some("timeout")));
    assert_eq!(entry["signal"], "KILL");
    let left = pids(&place.path("pids"));
    assert_eq!(left.len(), 3);
    assert!(left.iter().all(|pid| !is_alive(*pid)), "{left:?}");
    daemon.stop();
    place.audit();
}

#[test]
fn a_time_out_that_is_obeyed_takes_no_longer_than_it_must() {
    let place = Place::new(&once("'sleep 300'\ntimeout = '100ms'\nkill_after = '1h'"));
    let daemon = place.start();
    let entry = place.ended("job");
    assert_eq!((entry["outcome"].as_str(), entry["signal"].as_str()), (Some("timed-out"), Some("TERM")));
    daemon.stop();
    place.audit();
}

#[test]
fn output_is_kept_at_both_ends_and_counted() {
    let place = Place::new(&once("'echo first; head -c 20000000 /dev/zero; echo; echo last'\noutput_limit = '64KiB'"));
    let daemon = place.start();
    let entry = place.ended("job");
    assert_eq!(entry["output_bytes"], 20_000_000 + 6 + 6);
    daemon.stop();
    let raw = place.run(&["logs", "job", "--raw"]).stdout;
    assert_eq!(raw.len(), 64 << 10);
    assert!(raw.starts_with(b"first\n") && raw.ends_with(b"\nlast\n"));
    let shown = place.text(&["logs", "job"]);
    assert!(shown.contains("[19.0 MiB were not kept]"), "{}", &shown[shown.len() / 2 - 50..shown.len() / 2 + 50]);
    place.audit();
}

#[test]
fn a_grandchild_with_the_pipe_does_not_hold_the_run() {
    let place = Place::new(&once("'(sleep 300; echo late) & echo $! > pids; echo done'\ncwd = '.'"));
    let daemon = place.start();
    let entry = place.ended("job");
    assert_eq!(entry["outcome"], "succeeded");
    assert!(entry["duration"].as_f64().unwrap() < 60.0);
    let background = pids(&place.path("pids"));
    assert!(is_alive(background[0]), "what a run leaves in the background by itself is left alone");
    support::signal_process(background[0], "KILL");
    daemon.stop();
    place.audit();
}

#[test]
fn what_cannot_begin_says_why() {
    let place = Place::new("");
    fs::write(place.path("plain"), "#!/bin/sh\n").unwrap();
    let script = |name: &str, text: &str| {
        fs::write(place.path(name), text).unwrap();
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(0o755)).unwrap();
    };
    script("orphan", "#!/no/such/interpreter\n");
    script("nothing", "just text\n");
    fs::write(place.path("bad.env"), "A=1\nnonsense\n").unwrap();
    let cases = [
        ("missing", "command = ['no-such-program']", "no-program", "no-such-program"),
        ("absent", "command = ['./absent']", "no-program", "absent"),
        ("plain", "command = ['./plain']", "no-permission", "not executable"),
        ("folder", "command = ['/tmp']", "no-permission", "folder"),
        ("orphan", "command = ['./orphan']", "no-program", "interpreter"),
        ("text", "command = ['./nothing']", "spawn", "no program"),
        ("env", "command = 'true'\nenv_file = 'bad.env'", "spawn", "line 2"),
        ("noenv", "command = 'true'\nenv_file = 'no.env'", "spawn", "no file"),
    ];
    let job = |(name, keys, _, _)| format!("[jobs.{name}]\nschedule = '@start'\ncwd = '.'\n{keys}\n");
    let mut jobs: String = cases.map(job).concat();
    jobs += "[jobs.cwd]\nschedule = '@start'\ncommand = 'true'\ncwd = 'no/such/folder'\n";
    place.write_jobs(&jobs);
    let warnings = place.json(&["check"])["warnings"].as_array().unwrap().len();
    assert_eq!(warnings, cases.len() + 1 - 2, "all but what only the start itself can find");
    let daemon = place.start();
    for (name, _, reason, detail) in cases.into_iter().chain([("cwd", "", "spawn", "no/such/folder is not there")]) {
        let entry = place.ended(name);
        assert_eq!(
            (entry["outcome"].as_str(), entry["reason"].as_str()),
            (Some("not-started"), Some(reason)),
            "{entry}"
        );
        assert!(entry["detail"].as_str().unwrap().contains(detail), "{entry}");
        assert!(entry["started"].is_null() && entry["duration"].is_null());
    }
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn a_job_sees_a_short_list_and_its_own() {
    let place = Place::new(&once("'env'\nenv_file = 'my.env'\nenv = { OWN = 'x y', NUMBER = 7 }\nstdin = 'unread'"));
    fs::write(place.path("my.env"), "# comment\nexport FILE=\"a=b\"\nOWN=overridden\n").unwrap();
    let daemon = place.start();
    let run = place.ended("job")["run"].to_string();
    daemon.stop();
    let output = place.text(&["logs", "job"]);
    let variables: BTreeSet<&str> = output.lines().collect();
    for line in ["OWN=x y", "NUMBER=7", "FILE=a=b", "PUNCTUAL_JOB=job", "PUNCTUAL_ATTEMPT=1", "PUNCTUAL_CAUSE=start"] {
        assert!(variables.contains(line), "{line} is not in {variables:?}");
    }
    assert!(variables.contains(format!("PUNCTUAL_RUN={run}").as_str()));
    assert!(!output.contains("CARGO"), "the daemon's own variables are not a job's");
    place.audit();
}

#[test]
fn standard_input_is_the_text_that_was_given() {
    let place = Place::new(&once("['cat']\nstdin = '''\nline one\nline two\n'''"));
    let daemon = place.start();
    place.ended("job");
    daemon.stop();
    assert_eq!(place.text(&["logs", "job"]), "line one\nline two\n");
    place.audit();
}

#[test]
fn what_is_due_while_it_runs_is_skipped_and_folded() {
    let place = Place::new(
        "[jobs.slow]\nschedule = 'every 1s'\ncommand = 'while [ ! -e go ]; do sleep 0.05; done'\ncwd = '.'\n",
    );
    let daemon = place.start();
    let skipped = place.wait_for("slow", |entry| entry["outcome"] == "skipped" && entry["count"].as_i64() > Some(1));
    assert_eq!(skipped["reason"], "overlap");
    fs::write(place.path("go"), "").unwrap();
    place.wait_for("slow", |entry| entry["outcome"] == "succeeded");
    daemon.stop();
    no_gap(&place, "slow");
    place.audit();
}

#[test]
fn no_more_run_at_once_than_there_are_places() {
    let job = |name: &str| {
        format!(
            "[jobs.{name}]\nschedule = '@start'\ncwd = '.'\ncommand = 'while [ ! -e {name} ]; do sleep 0.05; done'\n"
        )
    };
    let place = Place::new(&["a", "b", "c"].map(job).concat());
    let daemon = place.start_with(&["--max-running", "2"]);
    let waiting = place.wait_for("c", |entry| entry["state"] == "waiting");
    assert!(waiting["started"].is_null());
    let status = place.json(&["status", "c"]);
    assert_eq!(status["jobs"][0]["waiting_for"], "a place (max_running)");
    fs::write(place.path("a"), "").unwrap();
    let running = place.wait_for("c", |entry| entry["state"] == "running" && !entry["started"].is_null());
    assert!(running["waited"].as_f64().unwrap() > 0.0);
    for name in ["b", "c"] {
        fs::write(place.path(name), "").unwrap();
    }
    place.ended("c");
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn what_waits_goes_on_waiting_after_a_crash() {
    let jobs = "[jobs.first]\nschedule = '@start'\ncwd = '.'\ncommand = 'while [ ! -e go ]; do sleep 0.05; done'\n\
                [jobs.second]\nschedule = '@start'\ncwd = '.'\ncommand = 'echo ran >> evidence'\n";
    let place = Place::new(jobs);
    let daemon = place.start_with(&["--max-running", "1"]);
    let waiting = place.wait_for("second", |entry| entry["state"] == "waiting");
    daemon.crash();
    fs::write(place.path("go"), "").unwrap();
    let daemon = place.start_with(&["--max-running", "1"]);
    let ended = place.wait_for("second", |entry| entry["run"] == waiting["run"] && entry["state"] == "ended");
    assert_eq!(ended["outcome"], "succeeded");
    daemon.stop();
    place.audit();
}

#[test]
fn one_ledger_has_one_daemon() {
    let place = Place::new("");
    let daemon = place.start();
    let second = place.run(&["daemon"]);
    assert_eq!(second.status.code(), Some(3));
    let message = String::from_utf8(second.stderr).unwrap();
    assert!(message.contains(&format!("process {}", daemon.pid())), "{message}");
    daemon.stop();
    let third = place.start();
    third.stop();
    place.audit();
}

#[test]
fn a_file_that_is_read_again_changes_what_it_changes() {
    let place = Place::new("[jobs.old]\nschedule = 'every 1s'\ncommand = 'echo old'\n");
    let daemon = place.start();
    place.ended("old");
    place.write_jobs("[jobs.old\n");
    daemon.signal("HUP");
    wait("the complaint", || place.log().contains("the jobs stay as they were").then_some(()));
    let before = place.entries_of("old").len();
    wait("the old jobs going on", || (place.entries_of("old").len() > before).then_some(()));
    place.write_jobs("[jobs.new]\nschedule = 'every 1s'\ncommand = 'echo new'\n");
    daemon.signal("HUP");
    place.ended("new");
    let old = place.entries_of("old").len();
    let new = place.entries_of("new").len();
    wait("the new one going on", || (place.entries_of("new").len() > new + 1).then_some(()));
    assert_eq!(place.entries_of("old").len(), old);
    daemon.stop();
    place.audit();
}

#[test]
fn bad_beginnings_say_what_where_and_what_to_do() {
    let start = |place: &Place| {
        let output = place.run(&["daemon"]);
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let place = Place::new("[jobs.a]\nschedule = '5/15 * * * *'\ncommand = 'true'\n");
    let (code, message) = start(&place);
    assert_eq!(code, Some(1));
    assert!(message.contains("jobs.toml:2:13") && message.contains("5-59/15"), "{message}");
    assert!(!place.path("state").exists(), "nothing half-done is left");

    fs::remove_file(place.path("jobs.toml")).unwrap();
    let (code, message) = start(&place);
    assert_eq!(code, Some(1));
    assert!(message.contains("there is no file") && message.contains("jobs.toml"), "{message}");

    fs::write(place.path("jobs.toml"), b"[jobs.a]\n# \xff\n").unwrap();
    let (code, message) = start(&place);
    assert_eq!(code, Some(1));
    assert!(message.contains("this is not UTF-8") && message.contains("jobs.toml:2:3"), "{message}");

    place.write_jobs("");
    fs::create_dir(place.path("state")).unwrap();
    fs::write(place.database(), "this is a letter to my mother\n").unwrap();
    let (code, message) = start(&place);
    assert_eq!(code, Some(3));
    assert!(message.contains("is not a SQLite database"), "{message}");
    assert_eq!(fs::read(place.database()).unwrap(), b"this is a letter to my mother\n");

    fs::remove_dir_all(place.path("state")).unwrap();
    fs::write(place.path("state"), "a file").unwrap();
    let (code, message) = start(&place);
    assert_eq!(code, Some(3));
    assert!(message.contains("--state") || message.contains("must be writable"), "{message}");
}

#[test]
fn an_empty_file_is_no_reason_not_to_run() {
    let place = Place::new("");
    let daemon = place.start();
    assert_eq!(place.json(&["status"])["jobs"].as_array().map(Vec::len), Some(0));
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn a_full_disk_keeps_the_daemon_from_starting_with_a_word_of_why() {
    // /dev/full says "no space left" to whoever writes.
    let place = Place::new("[daemon]\ndatabase = '/dev/full'\n");
    let output = place.run(&["daemon"]);
    assert_eq!(output.status.code(), Some(3));
    let message = String::from_utf8(output.stderr).unwrap();
    assert!(message.contains("/dev/full"), "{message}");
}

/// What systemd is told, read from a socket of the test's own.
#[test]
fn systemd_is_told_how_it_is_doing() {
    let place = Place::new("[jobs.far]\nschedule = '0 0 29 2 *'\ncommand = 'true'\n");
    let path = place.path("notify");
    let socket = std::os::unix::net::UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(support::DEADLINE)).unwrap();
    let mut command = place.command(&["daemon"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let mut child = command.stderr(std::process::Stdio::null()).spawn().unwrap();
    let heard = |wanted: &str| {
        let mut buffer = [0; 4096];
        loop {
            let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted} was not said: {error}"));
            if std::str::from_utf8(&buffer[..length]).unwrap().lines().any(|line| line.starts_with(wanted)) {
                return;
            }
        }
    };
    for wanted in ["READY=1", "STATUS=1 jobs, 0 running", "WATCHDOG=1", "WATCHDOG=1"] {
        heard(wanted);
    }
    support::signal_process(i32::try_from(child.id()).unwrap(), "TERM");
    heard("STOPPING=1");
    assert!(child.wait().unwrap().success());
}

#[test]
fn a_time_out_finds_what_has_left_the_group() {
    let script = "setsid sh -c 'echo $$ >> pids; exec sleep 300' & (setsid sh -c 'trap \"\" TERM; echo $$ >> pids; sleep 300; sleep 300' &) ; \
                  while [ $(wc -l < pids) -lt 2 ]; do sleep 0.02; done; sleep 301";
    let place = Place::new("");
    fs::write(place.path("pids"), "").unwrap();
    fs::write(place.path("script"), script).unwrap();
    place.write_jobs(&once("['sh', './script']\ncwd = '.'\ntimeout = '700ms'\nkill_after = '300ms'"));
    let daemon = place.start();
    assert_eq!(place.ended("job")["outcome"], "timed-out");
    let left = pids(&place.path("pids"));
    assert_eq!(left.len(), 2);
    assert!(left.iter().all(|pid| !is_alive(*pid)), "{left:?}");
    daemon.stop();
    place.audit();
}

#[test]
fn a_ledger_that_is_taken_away_is_noticed_and_taken_back() {
    let place = Place::new("[jobs.tick]\nschedule = 'every 1s'\ncommand = 'echo $PUNCTUAL_DUE >> ticks'\ncwd = '.'\n");
    let daemon = place.start();
    place.ended("tick");
    fs::rename(place.path("state"), place.path("elsewhere")).unwrap();
    wait("the complaint", || place.log().contains("has another name; move it back").then_some(()));
    let ran = fs::read_to_string(place.path("ticks")).unwrap();
    fs::rename(place.path("elsewhere"), place.path("state")).unwrap();
    wait("the recovery", || place.log().contains("can be written again").then_some(()));
    wait("more runs", || (fs::read_to_string(place.path("ticks")).unwrap().len() > ran.len() + 25).then_some(()));
    assert_eq!(daemon.stop(), Some(0));
    no_gap(&place, "tick");
    let ran = fs::read_to_string(place.path("ticks")).unwrap();
    assert_eq!(ran.lines().collect::<BTreeSet<_>>().len(), ran.lines().count(), "an instant ran twice");
    place.audit();
}

#[test]
fn a_stop_without_a_ledger_ends_what_runs_and_says_so() {
    let place = Place::new(&once("'echo $$ > pids; exec sleep 300'\ncwd = '.'"));
    let daemon = place.start_with(&["--stop-grace", "1h"]);
    place.wait_for("job", |entry| entry["state"] == "running" && !entry["started"].is_null());
    let pid = wait("the process", || pids(&place.path("pids")).first().copied());
    fs::rename(place.path("state"), place.path("elsewhere")).unwrap();
    daemon.signal("TERM");
    wait("the farewell", || place.log().contains("stopping:").then_some(()));
    daemon.signal("TERM");
    wait("the end of the process", || (!is_alive(pid)).then_some(()));
    // It waits for the ledger for a while; now it is there again, and the end is recorded.
    fs::rename(place.path("elsewhere"), place.path("state")).unwrap();
    assert_eq!(daemon.wait(), Some(0));
    assert_eq!(place.ended("job")["reason"], "shutdown");
    place.audit();
}

#[test]
fn what_is_not_ours_is_left_as_it_is() {
    let place = Place::new("");
    fs::create_dir(place.path("state")).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.database()).create_if_missing(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query("CREATE TABLE letters (text)").execute(&pool).await.unwrap();
        pool.close().await;
    });
    let before = fs::read(place.database()).unwrap();
    let output = place.run(&["daemon"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("a database of something else"));
    assert_eq!(fs::read(place.database()).unwrap(), before);
    assert_eq!(fs::read_dir(place.path("state")).unwrap().count(), 1, "nothing was left beside it");
}

#[test]
fn another_name_for_the_same_ledger_is_the_same_ledger() {
    let place = Place::new("");
    let daemon = place.start();
    fs::hard_link(place.database(), place.path("state/other.db")).unwrap();
    let output = place.run(&["daemon", "--database", "other.db"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(String::from_utf8(output.stderr).unwrap().contains("under another name"));
    fs::remove_file(place.path("state/punctual.db.lock")).unwrap();
    assert_eq!(place.run(&["daemon"]).status.code(), Some(3));
    daemon.stop();
    place.audit();
}

/// A folder of so many kilobytes; `None` where this machine lets nobody mount one.
fn small_folder(place: &Place, kilobytes: u32) -> Option<Mounted> {
    let path = place.path("state");
    fs::create_dir(&path).unwrap();
    let size = format!("size={kilobytes}k");
    let mount = std::process::Command::new("mount").args(["-t", "tmpfs", "-o", &size, "tmpfs"]).arg(&path).output();
    mount.is_ok_and(|output| output.status.success()).then_some(Mounted(path))
}

struct Mounted(std::path::PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        let _ = std::process::Command::new("umount").arg(&self.0).status();
    }
}

#[test]
fn a_folder_without_room_is_left_as_it_was() {
    for (kilobytes, fill) in [(64, true), (40, false)] {
        let place = Place::new("");
        let Some(folder) = small_folder(&place, kilobytes) else {
            eprintln!("nothing can be mounted here: a full disk was not tried");
            return;
        };
        if fill {
            // It ends with an error when there is no room for more.
            let _ = fs::write(folder.0.join("fill"), vec![0; 1 << 20]);
        }
        let before = fs::read_dir(&folder.0).unwrap().count();
        let output = place.run(&["daemon"]);
        assert_eq!(output.status.code(), Some(3));
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains("room") || message.contains("disk is full"), "{message}");
        assert_eq!(fs::read_dir(&folder.0).unwrap().count(), before, "something half-done is left");
    }
}

#[test]
fn a_pool_is_shared_and_says_who_waits_for_it() {
    let place = Place::new(
        "[pools]\ndisk = 1\n\
         [jobs.a]\nschedule = '@start'\npool = 'disk'\ncommand = 'while [ ! -e go ]; do sleep 0.05; done'\n\
         [jobs.b]\nschedule = '@start'\npool = ['disk']\ncommand = 'true'\n\
         [jobs.c]\nschedule = '@start'\ncommand = 'true'\n\
         [defaults]\ncwd = '.'\n",
    );
    let daemon = place.start();
    place.ended("c");
    let waiting = place.wait_for("b", |entry| entry["state"] == "waiting");
    assert_eq!(waiting["detail"], "waits for the pool disk");
    let status = place.json(&["status", "b"]);
    assert_eq!(status["jobs"][0]["waiting_for"], "the pool disk");
    std::fs::write(place.path("go"), "").unwrap();
    let ended = place.ended("b");
    assert_eq!((&ended["outcome"], &ended["detail"]), (&json!("succeeded"), &json!(null)));
    assert!(ended["waited"].as_f64().unwrap() > 0.0 && ended["late"].as_f64().unwrap() < 1.0, "{ended}");
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn a_run_that_is_due_again_replaces_the_one_before() {
    let place = Place::new(
        "[jobs.a]\nschedule = 'every 1s'\noverlap = 'replace'\ncommand = ['sleep', '60']\n\
         [jobs.b]\nschedule = 'every 1s'\noverlap = 'allow'\ncommand = 'while [ ! -e go ]; do sleep 0.05; done'\ncwd = '.'\n",
    );
    let daemon = place.start();
    let ended = place.ended("a");
    assert_eq!((&ended["outcome"], &ended["reason"]), (&json!("stopped"), &json!("replaced")));
    wait("two runs beside each other", || {
        let running = place.entries_of("b").iter().filter(|entry| entry["state"] == "running").count();
        (running >= 2).then_some(())
    });
    let running = place.entries_of("a").iter().filter(|entry| entry["state"] == "running").count();
    assert!(running <= 1, "{running} runs of a go at once");
    std::fs::write(place.path("go"), "").unwrap();
    daemon.signal("TERM");
    // Two that wait for a busy process at once come to it as one.
    wait("the stop", || place.log().contains("stopping").then_some(()));
    daemon.signal("TERM");
    assert_eq!(daemon.wait(), Some(0));
    place.audit();
}

#[test]
fn a_queue_takes_so_many_and_says_what_it_does_not() {
    let place = Place::new(
        "[jobs.a]\nschedule = 'every 1s'\noverlap = 'queue'\ncwd = '.'\n\
         command = 'while [ ! -e go ]; do sleep 0.05; done'\n",
    );
    let daemon = place.start();
    let full = place.wait_for("a", |entry| entry["reason"] == "queue-full");
    assert_eq!(
        (&full["outcome"], &full["detail"]),
        (&json!("skipped"), &json!("1 run waits already, and run 1 has not ended"))
    );
    let states: Vec<_> = place.entries_of("a").iter().map(|entry| entry["state"].clone()).collect();
    assert_eq!(states[..2], [json!("running"), json!("waiting")]);
    std::fs::write(place.path("go"), "").unwrap();
    let second = place.wait_for("a", |entry| entry["run"] == 2 && entry["state"] == "ended");
    assert_eq!(second["outcome"], "succeeded");
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn a_failure_is_tried_again_and_every_attempt_is_kept() {
    let place = Place::new(
        "[jobs.a]\nschedule = '@start'\nretries = 3\nretry_delay = '100ms'\ncwd = '.'\n\
         command = 'echo try $PUNCTUAL_ATTEMPT; [ $PUNCTUAL_ATTEMPT = 3 ] || exit 7'\n\
         [jobs.b]\nschedule = '@start'\nretries = 1\nretry_delay = '10ms'\ncommand = ['no-such-program']\n\
         [jobs.c]\nschedule = '@start'\nretries = 5\nretry_delay = '10ms'\nno_retry_codes = [2, 3]\ncommand = 'exit 3'\n",
    );
    let daemon = place.start();
    let a = place.ended("a");
    assert_eq!((&a["outcome"], &a["attempts"], &a["exit_code"]), (&json!("succeeded"), &json!(3), &json!(0)));
    assert_eq!(a["output_bytes"], 18);
    assert!(a["duration"].as_f64().unwrap() >= 0.24 && a["late"].as_f64().unwrap() < 1.0, "{a}");
    let tried = place.json(&["show", &a["run"].to_string()])["tried"].clone();
    let codes: Vec<_> = tried.as_array().unwrap().iter().map(|attempt| attempt["exit_code"].as_i64()).collect();
    assert_eq!(codes, [Some(7), Some(7), Some(0)]);
    assert_eq!(place.text(&["logs", "a"]), "try 1\n── attempt 2 ──\ntry 2\n── attempt 3 ──\ntry 3\n");
    let b = place.ended("b");
    assert_eq!((&b["outcome"], &b["reason"], &b["attempts"]), (&json!("not-started"), &json!("no-program"), &json!(2)));
    let c = place.ended("c");
    assert_eq!((&c["outcome"], &c["attempts"]), (&json!("failed"), &json!(1)));
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn a_pause_before_a_retry_survives_a_crash() {
    let jobs = |delay: &str| {
        format!(
            "[jobs.a]\nschedule = '@reboot'\nretries = 3\nretry_delay = '{delay}'\ncwd = '.'\n\
             command = 'echo $PUNCTUAL_RUN $PUNCTUAL_ATTEMPT >> evidence; [ -e good ]'\n"
        )
    };
    let place = Place::new(&jobs("1h"));
    let daemon = place.start();
    let waiting = place.wait_for("a", |entry| entry["state"] == "waiting");
    assert_eq!((&waiting["attempts"], &waiting["outcome"]), (&json!(1), &json!(null)));
    assert_eq!(waiting["detail"], "waits for attempt 2, because attempt 1 failed: exit status 1");
    daemon.crash();
    fs::write(place.path("good"), "").unwrap();
    // A shorter pause holds for what waits, too.
    fs::write(place.path("jobs.toml"), jobs("50ms").replace("retries", "retry_max_delay = '50ms'\nretries")).unwrap();
    let daemon = place.start();
    let ended = place.ended("a");
    assert_eq!(
        (&ended["outcome"], &ended["attempts"], &ended["run"]),
        (&json!("succeeded"), &json!(2), &waiting["run"])
    );
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(fs::read_to_string(place.path("evidence")).unwrap(), "1 1\n1 2\n");
    place.audit();
}

#[test]
fn a_job_runs_after_others_and_names_their_runs() {
    let place = Place::new(
        "[jobs.sales]\nschedule = '@start'\ncommand = 'true'\n\
         [jobs.stock]\nschedule = '@start'\ncwd = '.'\ncommand = 'while [ ! -e go ]; do sleep 0.05; done'\n\
         [jobs.report]\nafter = ['sales', 'stock']\ncommand = 'echo $PUNCTUAL_CAUSE'\n\
         [jobs.mail]\nafter = 'report'\ncommand = 'exit 4'\n\
         [jobs.never]\nafter = 'mail'\ncommand = 'true'\n\
         [jobs.neither]\nafter = 'never'\ncommand = 'true'\n",
    );
    let daemon = place.start();
    let sales = place.ended("sales");
    assert!(place.entries_of("report").is_empty());
    fs::write(place.path("go"), "").unwrap();
    let (stock, report) = (place.ended("stock"), place.ended("report"));
    assert_eq!((&report["cause"], &report["due"], &report["late"]), (&json!("dependency"), &json!(null), &json!(null)));
    assert_eq!(place.text(&["logs", "report"]), "dependency\n");
    let shown = place.json(&["show", &report["run"].to_string()]);
    assert_eq!(shown["caused_by"], json!([sales["run"], stock["run"]]));
    let mail = place.ended("mail");
    assert_eq!(mail["outcome"], "failed");
    for name in ["never", "neither"] {
        let skipped = place.wait_for(name, |entry| entry["state"] == "ended");
        assert_eq!((&skipped["outcome"], &skipped["reason"]), (&json!("skipped"), &json!("needs")));
        assert_eq!(skipped["detail"], format!("run {} of mail failed", mail["run"]));
    }
    assert_eq!(daemon.stop(), Some(0));
    // A restart calls for nothing that has run, and the success of one is not enough.
    let daemon = place.start();
    wait("the second start", || (place.entries_of("stock").len() == 2).then_some(()));
    wait("the second report", || {
        (place.entries_of("report").iter().filter(|r| r["state"] == "ended").count() == 2).then_some(())
    });
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn a_character_is_whole_wherever_a_piece_ends() {
    // The first piece in the ledger ends within the character.
    let place = Place::new(&once("'head -c 65535 /dev/zero | tr \"\\0\" x; printf \"\\303\\251\\n\"'"));
    let daemon = place.start();
    assert_eq!(place.ended("job")["output_bytes"], 65538);
    assert_eq!(daemon.stop(), Some(0));
    let output = place.text(&["logs", "job"]);
    assert!(output.ends_with("xé\n"), "{}", &output[output.len() - 20..]);
    place.audit();
}

#[test]
fn a_job_file_that_cannot_be_read_is_no_reason_to_keep_quiet() {
    let place = Place::new("[jobs.tick]\nschedule = '@start'\ncommand = 'true'\n");
    let daemon = place.start();
    place.ended("tick");
    for what in ["gone", "no text"] {
        if what == "gone" {
            fs::remove_file(place.path("jobs.toml")).unwrap();
        } else {
            fs::write(place.path("jobs.toml"), b"\xff").unwrap();
        }
        let status = wait(what, || {
            let output = place.run(&["status", "--json"]);
            assert_eq!(output.status.code(), Some(0), "{what}");
            let status: Value = serde_json::from_slice(&output.stdout).unwrap();
            let trouble = status["daemon"]["file_trouble"]["message"].as_str().unwrap_or_default();
            trouble.contains("jobs.toml").then_some(status)
        });
        assert_eq!(status["daemon"]["pid"], daemon.pid(), "{what}");
        assert_eq!(status["jobs"][0]["last"]["outcome"], "succeeded", "{what}");
        assert!(place.text(&["show", "tick"]).contains("run 1 of tick: succeeded"), "{what}");
        assert_eq!(place.run(&["show", "tock"]).status.code(), Some(1), "{what}");
    }
    daemon.stop();
    let output = place.run(&["status", "tick"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stderr).unwrap().contains("jobs.toml"));
    assert_eq!(Place { folder: tempfile::tempdir().unwrap() }.run(&["status"]).status.code(), Some(1));
}

//! The scheduler is killed, replaced and stopped, and its jobs know nothing of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;
use support::{Daemon, Place, is_alive, pids, scheduler_of, signal_process, wait};

const JOBS: usize = 100;
/// Lines of each job, in rounds with a pause behind each.
const LINES: usize = 12_000;

/// A hundred jobs that write for some seconds and end with a code of their own.
fn hundred() -> String {
    jobs_where(|_| true)
}

fn jobs_where(is_there: impl Fn(&usize) -> bool) -> String {
    let mut text = String::from("[daemon]\nmax_running = 1000\n");
    for number in (0..JOBS).filter(is_there) {
        let code = number % 7;
        let codes = "success_codes = [0, 1, 2, 3, 4, 5, 6]";
        let rounds = "for from in 1 2001 4001 6001 8001 10001; do seq $from $((from + 1999)); sleep 0.5; done";
        write!(text, "[jobs.job{number}]\nschedule = '@start'\ncommand = '{rounds}; exit {code}'\n{codes}\n").unwrap();
    }
    text
}

/// All hundred have ended as they should, with every byte that they wrote.
fn check_hundred(place: &Place) {
    wait("a hundred ends", || {
        let ended = place.history().iter().filter(|entry| entry["state"] == "ended").count();
        (ended >= JOBS).then_some(())
    });
    let expect = (1..=LINES).fold(String::new(), |text, number| text + &number.to_string() + "\n");
    let entries = place.history();
    assert_eq!(entries.len(), JOBS, "each ran once");
    for entry in entries {
        let job = entry["job"].as_str().unwrap();
        let number: i64 = job.trim_start_matches("job").parse().unwrap();
        assert_eq!(entry["outcome"], "succeeded", "{entry}");
        assert_eq!(entry["exit_code"], number % 7, "{entry}");
        let took = entry["duration"].as_f64().unwrap();
        assert!((3.0..20.0).contains(&took), "{entry}");
        assert_eq!(entry["output_bytes"], expect.len(), "{entry}");
        assert!(place.text(&["logs", &entry["run"].to_string(), "--raw"]) == expect, "what {job} wrote");
    }
    assert_eq!(place.integrity(), "ok");
}

fn all_run(place: &Place) {
    wait("a hundred that run", || {
        let running = place.history().iter().filter(|entry| entry["started"].is_string()).count();
        (running == JOBS).then_some(())
    });
}

/// Kills the scheduler and waits for the next one.
fn kill_scheduler(place: &Place, daemon: &Daemon) {
    let old = daemon.scheduler();
    let since = place.json(&["status"])["daemon"]["since"].clone();
    signal_process(old, "KILL");
    wait("another scheduler", || scheduler_of(daemon.pid()).filter(|pid| *pid != old));
    wait("another scheduler at work", || {
        let status = place.json(&["status"]);
        (status["daemon"]["pid"] == i64::from(daemon.pid()) && status["daemon"]["since"] != since).then_some(())
    });
}

#[test]
fn a_hundred_jobs_outlive_their_scheduler() {
    let place = Place::new(&hundred());
    let daemon = place.start();
    all_run(&place);
    kill_scheduler(&place, &daemon);
    // Those that the file no longer has go on just the same.
    place.write_jobs(&jobs_where(|number| number % 7 != 0));
    kill_scheduler(&place, &daemon);
    check_hundred(&place);
    assert_eq!(daemon.stop(), Some(0));
}

/// The binary at a place of its own, where it can be replaced.
fn installed(place: &Place) -> PathBuf {
    let program = place.path("punctual");
    fs::copy(env!("CARGO_BIN_EXE_punctual"), &program).unwrap();
    program
}

fn start_installed<'p>(place: &'p Place, program: &Path) -> Daemon<'p> {
    let log = fs::File::create(place.path("log")).unwrap();
    let mut command = std::process::Command::new(program);
    command.args(["daemon", "--config"]).arg(place.path("jobs.toml")).arg("--state").arg(place.path("state"));
    command.env("TZ", "UTC").env_remove("NOTIFY_SOCKET").current_dir(place.folder.path());
    place.own(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log))
}

/// Puts another file where the program is, as a package manager does.
fn replace(program: &Path, with: impl FnOnce(&Path)) {
    let new = program.with_extension("new");
    with(&new);
    fs::rename(new, program).unwrap();
}

fn program_of(pid: i32) -> u64 {
    fs::metadata(format!("/proc/{pid}/exe")).unwrap().ino()
}

#[test]
fn a_hundred_jobs_outlive_an_upgrade() {
    let place = Place::new(&hundred());
    let program = installed(&place);
    let daemon = start_installed(&place, &program);
    all_run(&place);
    let (old, old_scheduler) = (program_of(daemon.pid()), daemon.scheduler());
    replace(&program, |new| {
        fs::copy(env!("CARGO_BIN_EXE_punctual"), new).unwrap();
    });
    let new = fs::metadata(&program).unwrap().ino();
    assert_ne!(old, new);
    daemon.signal("HUP");
    wait("the new keeper", || (program_of(daemon.pid()) == new).then_some(()));
    let scheduler = wait("the new scheduler", || scheduler_of(daemon.pid()).filter(|pid| *pid != old_scheduler));
    assert_eq!(program_of(scheduler), new);
    // Once more, and a scheduler that dies besides.
    replace(&program, |new| {
        fs::copy(env!("CARGO_BIN_EXE_punctual"), new).unwrap();
    });
    daemon.signal("HUP");
    wait("the newest keeper", || (program_of(daemon.pid()) == fs::metadata(&program).unwrap().ino()).then_some(()));
    wait("a scheduler at work", || (place.json(&["status"])["daemon"]["pid"] == i64::from(daemon.pid())).then_some(()));
    check_hundred(&place);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_program_that_cannot_take_over_is_not_taken() {
    let place = Place::new("[jobs.tick]\nschedule = '* * * * * *'\ncommand = 'true'\n");
    let program = installed(&place);
    let daemon = start_installed(&place, &program);
    let scheduler = daemon.scheduler();
    for (script, said) in [
        ("#!/bin/sh\necho 999999\n", "keeps in another way (999999"),
        ("#!/bin/sh\nexit 1\n", "does not answer"),
        ("#!/bin/sh\nexec sleep 60\n", "does not answer within 10s"),
    ] {
        replace(&program, |new| {
            fs::write(new, script).unwrap();
            fs::set_permissions(new, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        });
        let before = place.log().len();
        daemon.signal("HUP");
        wait(said, || place.log()[before..].contains(said).then_some(()));
        // The file is read again, as the signal says.
        wait("a reload", || place.log()[before..].contains("reloaded: nothing has changed").then_some(()));
    }
    assert_eq!(daemon.scheduler(), scheduler, "the old one goes on");
    let runs = place.entries_of("tick").len();
    wait("another run", || (place.entries_of("tick").len() > runs).then_some(()));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn steps_go_on_where_the_scheduler_ended() {
    let place = Place::new(
        "[jobs.steps]\nschedule = '@start'\nretries = 0\n\
         steps.quick = { command = 'echo quick >> evidence' }\n\
         steps.slow = { command = 'until test -e go; do sleep 0.05; done; echo slow >> evidence; exit 3', success_codes = [3] }\n\
         steps.long = { command = 'until test -e go; do sleep 0.05; done; echo long >> evidence; echo said' }\n\
         steps.sum = { command = 'echo sum >> evidence', needs = ['quick', 'slow', 'long'] }\n\
         [defaults]\ncwd = '.'\n",
    );
    let daemon = place.start();
    place.wait_for("steps", |entry| entry["state"] == "running");
    let steps = |place: &Place| place.json(&["show", "1"])["steps"].as_array().cloned().unwrap_or_default();
    let is_over = |steps: &[Value], name: &str| steps.iter().any(|s| s["step"] == name && s["outcome"] == "succeeded");
    wait("the quick step", || is_over(&steps(&place), "quick").then_some(()));
    kill_scheduler(&place, &daemon);
    fs::write(place.path("go"), "").unwrap();
    let entry = place.ended("steps");
    assert_eq!(entry["outcome"], "succeeded", "{entry}");
    for name in ["quick", "slow", "long", "sum"] {
        assert!(is_over(&steps(&place), name), "{name}: {:?}", steps(&place));
    }
    let evidence = fs::read_to_string(place.path("evidence")).unwrap();
    let mut lines: Vec<&str> = evidence.lines().collect();
    assert_eq!((lines.first(), lines.last()), (Some(&"quick"), Some(&"sum")));
    lines.sort_unstable();
    assert_eq!(lines, ["long", "quick", "slow", "sum"], "each ran once");
    assert_eq!(place.text(&["logs", "1", "--step", "long", "--raw"]), "said\n");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_is_adopted_is_still_bound_by_its_time_and_by_a_stop() {
    let place = Place::new(
        "[jobs.timed]\nschedule = '@start'\ntimeout = '3s'\ncommand = 'sleep 300'\n\
         [jobs.stopped]\nschedule = '@start'\ncommand = 'trap \"echo asked; exit 9\" TERM; echo $$ > pid; while :; do sleep 0.05; done'\n\
         [defaults]\ncwd = '.'\n",
    );
    let daemon = place.start_with(&["--stop-grace", "100ms"]);
    let pid = wait("the job", || pids(&place.path("pid")).first().copied());
    kill_scheduler(&place, &daemon);
    let timed = place.ended("timed");
    assert_eq!(timed["outcome"], "timed-out", "{timed}");
    assert!((2.9..6.0).contains(&timed["duration"].as_f64().unwrap()), "{timed}");
    assert_eq!(daemon.stop(), Some(0));
    let stopped = place.ended("stopped");
    assert_eq!((&stopped["outcome"], &stopped["exit_code"]), (&Value::from("stopped"), &Value::from(9)), "{stopped}");
    assert!(place.text(&["logs", "stopped", "--raw"]).contains("asked"));
    assert!(!is_alive(pid));
}

#[test]
fn what_outlives_its_keeper_is_ended_or_left() {
    let command = "command = 'echo $$ >> NAME.pid; until test -e go; do sleep 0.05; done'";
    let job = |name: &str, rest: &str| {
        format!("[jobs.{name}]\nschedule = '* * * * * *'\n{}\n{rest}\n", command.replace("NAME", name))
    };
    let place = Place::new(&format!(
        "{}{}[defaults]\ncwd = '.'\ncatch_up = 'none'\n",
        job("left", "on_lost = 'leave'"),
        job("killed", "")
    ));
    let daemon = place.start();
    let first = |name: &str| pids(&place.path(&format!("{name}.pid"))).first().copied();
    let (left, killed) = (wait("left", || first("left")), wait("killed", || first("killed")));
    place.wait_for("left", |entry| entry["started"].is_string());
    daemon.crash();
    let daemon = place.start();
    wait("the end of the one", || (!is_alive(killed)).then_some(()));
    assert!(is_alive(left), "the other is left alone");
    let run = place.entries_of("left")[0].clone();
    assert_eq!(run["state"], "running", "{run}");
    // It is still running as far as the overlap rule is concerned.
    place.wait_for("left", |entry| entry["reason"] == "overlap");
    fs::write(place.path("go"), "").unwrap();
    let run = place.wait_for("left", |entry| entry["run"] == run["run"] && entry["state"] == "ended");
    assert_eq!(run["outcome"], "lost", "{run}");
    place.wait_for("left", |entry| entry["outcome"] == "succeeded");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_file_that_is_wrong_when_the_scheduler_dies_changes_nothing() {
    let place = Place::new(
        "[jobs.timed]\nschedule = '@start'\ntimeout = '3s'\ncommand = 'sleep 300'\n\
         [jobs.tick]\nschedule = '* * * * * *'\ncommand = 'true'\n",
    );
    let daemon = place.start();
    place.wait_for("timed", |entry| entry["started"].is_string());
    place.write_jobs("[jobs.timed\nnonsense");
    let old = daemon.scheduler();
    signal_process(old, "KILL");
    wait("the complaint", || place.log().contains("the jobs stay as they were").then_some(()));
    assert_eq!(place.ended("timed")["outcome"], "timed-out");
    let runs = place.entries_of("tick").len();
    wait("another run", || (place.entries_of("tick").len() > runs).then_some(()));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn steps_between_their_attempts_go_on() {
    let place = Place::new(
        "[jobs.steps]\nschedule = '@start'\n\
         steps.again = { command = 'echo again >> evidence; test $PUNCTUAL_ATTEMPT = 2', retries = 1 }\n\
         steps.last = { command = 'echo last >> evidence', needs = ['again'] }\n\
         [defaults]\ncwd = '.'\nretry_delay = '2s'\n",
    );
    let daemon = place.start();
    wait("the first attempt", || {
        let output = place.run(&["show", "1", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).ok()?;
        (report["steps"][0]["outcome"] == "failed").then_some(())
    });
    kill_scheduler(&place, &daemon);
    let entry = place.ended("steps");
    assert_eq!(entry["outcome"], "succeeded", "{entry} {}", place.log());
    assert_eq!(fs::read_to_string(place.path("evidence")).unwrap(), "again\nagain\nlast\n");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_stop_goes_through_whatever_becomes_of_scheduler_and_program() {
    let job = "[jobs.job]\nschedule = '@start'\ncommand = 'echo $$ > pid; until test -e go; do sleep 0.05; done; exit 4'\n\
               success_codes = [4]\n[defaults]\ncwd = '.'\n";
    // The scheduler dies while it waits for the job; the next one waits on.
    let place = Place::new(job);
    let daemon = place.start();
    wait("the job", || pids(&place.path("pid")).first().copied());
    daemon.signal("TERM");
    wait("the stop", || place.log().contains("may finish").then_some(()));
    let old = daemon.scheduler();
    signal_process(old, "KILL");
    wait("another scheduler", || scheduler_of(daemon.pid()).filter(|pid| *pid != old));
    wait("its stop", || (place.log().matches("may finish").count() == 2).then_some(()));
    fs::write(place.path("go"), "").unwrap();
    assert_eq!(daemon.wait(), Some(0), "{}", place.log());
    assert_eq!(place.ended("job")["exit_code"], 4);
    // A stop right behind an upgrade is for the program that has taken over.
    let place = Place::new(job);
    let program = installed(&place);
    let daemon = start_installed(&place, &program);
    wait("the job", || pids(&place.path("pid")).first().copied());
    let old = program_of(daemon.pid());
    replace(&program, |new| {
        fs::copy(env!("CARGO_BIN_EXE_punctual"), new).unwrap();
    });
    daemon.signal("HUP");
    wait("the new keeper", || (program_of(daemon.pid()) != old).then_some(()));
    daemon.signal("TERM");
    fs::write(place.path("go"), "").unwrap();
    assert_eq!(daemon.wait(), Some(0), "{}", place.log());
    assert_eq!(place.ended("job")["exit_code"], 4);
}

/// After a crash nobody but the ledger can tell that a step without a process had begun.
#[test]
fn a_step_without_a_process_acts_once_its_beginning_is_recorded() {
    let place = Place::new(
        "[jobs.steps]\nschedule = '@start'\n\
         steps.first = { command = 'until test -e go; do sleep 0.05; done' }\n\
         [jobs.steps.steps.second]\nneeds = ['first']\n\
         sql = { database = 'sqlite:own.db', statements = 'INSERT INTO acts VALUES (1)' }\n[defaults]\ncwd = '.'\n",
    );
    let sqlite = |path: &Path, sql: &str| {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
            let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
            let count: Option<i64> =
                sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_optional(&pool).await.unwrap();
            pool.close().await;
            count
        })
    };
    sqlite(&place.path("own.db"), "CREATE TABLE acts (act INTEGER)");
    let acts = || sqlite(&place.path("own.db"), "SELECT count(*) FROM acts").unwrap();
    let daemon = place.start();
    place.wait_for("steps", |entry| entry["state"] == "running" && entry["started"].is_string());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.database());
    let mut lock = runtime.block_on(async {
        let mut connection = sqlx::ConnectOptions::connect(&options).await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        connection
    });
    fs::write(place.path("go"), "").unwrap();
    // It is said after some seconds of trying, in which the step would have acted long ago.
    wait("the trouble", || place.log().contains("cannot be written").then_some(()));
    assert_eq!(acts(), 0, "{}", place.log());
    runtime.block_on(async { sqlx::query("ROLLBACK").execute(&mut lock).await.unwrap() });
    assert_eq!(place.ended("steps")["outcome"], "succeeded", "{}", place.log());
    assert_eq!(acts(), 1);
    assert_eq!(daemon.stop(), Some(0));
}

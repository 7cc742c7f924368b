//! Wishes typed at the command line, and what the running daemon makes of them.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::process::{Command, Output, Stdio};

use serde_json::Value;
use support::{Place, is_alive, pids, signal_process, wait};

const JOBS: &str = "
[jobs.quick]
schedule = '30 2 * * *'
timezone = 'UTC'
command = 'echo \"out $EXTRA $PUNCTUAL_DUE\"; echo err >&2'
[jobs.fails]
command = 'printf bad; exit 7'
[jobs.long]
cwd = '.'
command = \"trap 'exit 9' TERM; echo ready; echo $$ >> pids; sleep 600 & echo $! >> pids; wait\"
[jobs.stubborn]
kill_after = '10m'
cwd = '.'
command = \"trap '' TERM; echo $$ >> stubborn; while :; do sleep 1; done\"
[jobs.steps]
steps.first  = { command = 'echo one' }
steps.second = { command = 'echo two', needs = ['first'] }
[jobs.off]
enabled = false
schedule = '@daily'
command = 'true'
";

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// What is on standard output, what on standard error, and the exit code.
fn told(output: &Output) -> (String, String, i32) {
    (text(&output.stdout), text(&output.stderr), output.status.code().unwrap())
}

#[test]
fn a_run_is_told_by_its_number_and_how_to_follow_it() {
    let place = Place::new(JOBS);
    let daemon = place.start();
    let (said, _, code) = told(&place.run(&["run", "quick", "steps"]));
    let lines: Vec<&str> = said.lines().collect();
    assert!(code == 0 && lines[0].starts_with("run 1 of quick has begun; follow it with: punctual "), "{said}");
    assert!(lines[0].ends_with(" logs -f 1") && lines[1].starts_with("run 2 of steps "), "{said}");
    assert_eq!(place.ended("quick")["cause"], "manual");
    let launched = place.json(&["run", "off"]);
    assert_eq!((&launched[0]["job"], &launched[0]["run"]), (&"off".into(), &3.into()));
    assert_eq!(place.ended("off")["outcome"], "succeeded", "what is disabled can be run by hand");
    for (job, end) in
        [("quik", "did you mean quick? type: punctual run quik"), ("zzz", "the jobs are listed by: punctual ")]
    {
        let (_, said, code) = told(&place.run(&["run", job]));
        let end = end.replace("run quik", "run quick");
        assert!(code == 1 && said.contains(&format!("there is no job `{job}`; {end}")), "{said}");
    }
    place.run(&["run", "long"]);
    place.wait_for("long", |entry| entry["state"] == "running");
    let (_, said, code) = told(&place.run(&["run", "long"]));
    assert!(code == 1 && said.contains("long was not run: run 4 of it is in the way; follow that with: "), "{said}");
    place.run(&["stop", "long", "--kill", "--wait"]);
    daemon.stop();
}

#[test]
fn who_waits_sees_what_is_written_and_how_it_ended() {
    let place = Place::new(JOBS);
    let daemon = place.start();
    let wanted = ["run", "quick", "--wait", "--env", "EXTRA=more", "--due", "2026-11-22T02:30:00Z"];
    let (out, err, code) = told(&place.run(&wanted));
    assert_eq!((out.as_str(), code), ("out more 2026-11-22T02:30:00.000000Z\n", 0), "{err}");
    assert!(err.starts_with("err\nrun 1 of quick succeeded after "), "{err}");
    let (out, err, code) = told(&place.run(&["run", "--wait", "fails"]));
    assert!(out == "bad\n" && code == 1 && err.ends_with(": exit status 7\n"), "{out}{err}");
    let (out, _, code) = told(&place.run(&["run", "steps", "--wait"]));
    assert_eq!((out.as_str(), code), ("── first ──\none\n── second ──\ntwo\n", 0));
    let (out, err, code) = told(&place.run(&["run", "fails", "steps", "quick", "--wait"]));
    for line in ["fails | bad\n", "steps first | one\n", "steps second | two\n", "quick | out  2"] {
        assert!(out.contains(line), "{line}: {out}");
    }
    assert!(code == 1 && err.contains("quick | err\n") && err.ends_with("2 of 3 runs succeeded\n"), "{err}");
    assert!(!err.contains('\r'), "nothing is drawn where nobody looks");
    let (out, _, code) = told(&place.run(&["run", "fails", "--wait", "--json"]));
    let lines: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!((&lines[0]["text"], &lines[1]["exit_code"], lines.len(), code), (&"bad".into(), &7.into(), 2, 1));
    daemon.stop();
}

#[test]
fn an_interrupt_leaves_the_run_going_and_says_so() {
    let place = Place::new(JOBS);
    let daemon = place.start();
    let mut command = place.command(&["run", "long", "--wait"]);
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    place.wait_for("long", |entry| entry["state"] == "running");
    wait("its processes", || (pids(&place.path("pids")).len() == 2).then_some(()));
    wait("the interrupt's handler", || catches_interrupts(child.id()).then_some(()));
    signal_process(i32::try_from(child.id()).unwrap(), "INT");
    let (_, said, code) = told(&child.wait_with_output().unwrap());
    assert!(code == 1 && said.starts_with("run 1 of long goes on; follow it with: punctual "), "{said}");
    assert!(said.trim_end().ends_with(" stop 1"), "{said}");
    assert_eq!(place.entries_of("long")[0]["state"], "running");
    place.run(&["stop", "1", "--wait"]);
    daemon.stop();
}

fn catches_interrupts(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0").trim();
    u64::from_str_radix(caught, 16).is_ok_and(|mask| mask & 0b10 != 0)
}

#[test]
fn a_stop_says_what_it_ended_and_what_comes_next() {
    let place = Place::new(JOBS);
    let daemon = place.start();
    place.run(&["run", "long", "stubborn"]);
    let tree = wait("the trees", || Some(pids(&place.path("pids"))).filter(|pids| pids.len() == 2));
    wait("the stubborn one", || (pids(&place.path("stubborn")).len() == 1).then_some(()));
    let (said, _, code) = told(&place.run(&["stop", "long", "--wait"]));
    let lines: Vec<&str> = said.lines().collect();
    assert_eq!((lines[0], code), ("run 1 of long was asked to end", 0), "{said}");
    assert!(lines[1].starts_with("run 1 of long stopped after ") && lines[1].ends_with("ended with exit status 9"));
    assert_eq!(lines.len(), 2, "nothing is due: {said}");
    assert!(tree.iter().all(|pid| !is_alive(*pid)));
    let (said, _, _) = told(&place.run(&["stop", "2", "--kill"]));
    assert_eq!(said.trim_end(), "run 2 of stubborn is killed");
    assert_eq!(place.ended("stubborn")["reason"], "by-hand");
    for (subject, end) in [
        ("1", "run 1 of long has ended already: stopped"),
        ("long", "nothing of long is running or waiting"),
        ("99", "there is no run 99"),
    ] {
        let (_, said, code) = told(&place.run(&["stop", subject]));
        assert!(code == 1 && said.contains(end), "{said}");
    }
    place.run(&["run", "long"]);
    let stopped = place.json(&["stop", "long", "--wait"]);
    assert_eq!((&stopped["runs"][0]["outcome"], &stopped["job"]["job"]), (&"stopped".into(), &"long".into()));
    daemon.stop();
}

#[test]
fn pauses_and_skips_say_what_is_due_next() {
    let place = Place::new(JOBS);
    let daemon = place.start();
    let at = |word: &str| place.json(&["next", "quick", "-n", "1"])[0]["due"].as_str().unwrap().contains(word);
    let (said, _, code) = told(&place.run(&["pause", "quick", "--for", "400d", "--reason", "a move"]));
    assert!(
        code == 0 && said.starts_with("quick is paused until 20") && said.contains(" (a move); its next run is "),
        "{said}"
    );
    let (_, refused, code) = told(&place.run(&["pause", "quick", "--reason", "two\nlines"]));
    assert!(code == 1 && refused.contains("one line of text"), "{refused}");
    let (said, _, _) = told(&place.run(&["pause", "quick"]));
    assert_eq!(said, "quick is paused until it is resumed; until then it runs by hand only\n");
    let (said, _, _) = told(&place.run(&["resume", "quick"]));
    assert!(said.starts_with("quick goes on; its next run is 20") && said.contains(" 02:30:00 (in "), "{said}");
    let (_, said, code) = told(&place.run(&["resume", "--all"]));
    assert_eq!((said.as_str(), code), ("no job is paused\n", 0));
    let (said, _, _) = told(&place.run(&["pause", "--all", "--until", "tomorrow"]));
    assert!(said.contains("off is paused until 20") && said.lines().count() == 6, "{said}");
    place.run(&["resume", "--all"]);
    let (said, _, _) = told(&place.run(&["skip", "quick", "-n", "2"]));
    assert!(said.starts_with("quick leaves out 2 instants: 20") && said.contains("; its next run is 20"), "{said}");
    let after = place.json(&["skip", "quick", "--undo"]);
    assert_eq!((&after["job"], &after["skips"]), (&"quick".into(), &Value::Array(Vec::new())));
    assert!(at("T02:30:00"));
    for (words, code, end) in [
        (&["skip", "fails"][..], 1, "no instant of it is to come"),
        (&["pause", "quick", "--until", "yesterday"], 2, "a pause that ends now or before would be none"),
        (&["pause", "quick", "--for", "soon"], 2, "write for example \"250ms\", \"90s\", \"1h 30m\" or \"2d\""),
        (&["pause", "quik"], 1, "type: punctual pause quick"),
        (&["skip", "qick"], 1, "type: punctual skip quick"),
        (&["stop", "qick"], 1, "type: punctual stop quick"),
        (&["pause"], 2, "for example: punctual pause backup --for 2h"),
    ] {
        let (_, said, exit) = told(&place.run(words));
        let said = said.lines().last().unwrap().split(" --config ").next().unwrap();
        assert!(said.ends_with(end) && exit == code, "{words:?}: {exit}: {said}");
    }
    daemon.stop();
}

/// What changes nothing says so, and a job that follows from its ends has a next run also when one of its is left out.
#[test]
fn wishes_that_change_nothing_say_so() {
    let place = Place::new("[jobs.again]\nschedule = 'every 2h after end'\ncommand = 'true'\n");
    let daemon = place.start();
    place.ended("again");
    let said = |arguments: &[&str]| place.text(arguments);
    for (arguments, expect) in [
        (&["resume", "again"][..], "again was not paused; its next run is "),
        (&["skip", "again", "--undo"], "again had nothing to leave out; its next run is "),
        (&["skip", "again"], "; its next run is "),
        (&["why", "again"], "2h after the instant before, which is skipped: left out by "),
        (&["skip", "again", "--undo"], "again goes on; its next run is "),
        (&["pause", "again", "--for", "3h"], "; its next run is "),
    ] {
        assert!(said(arguments).contains(expect), "{arguments:?}");
    }
    let far = place.json(&["status", "again"])["jobs"][0]["next"].as_str().unwrap().to_owned();
    let (_, line, _) = told(&place.run(&["next", "again"]));
    assert!(line.contains(&far[14..19]) || line.contains("paused by "), "{far}: {line}");
    assert!(said(&["pause", "--all"]).contains("again is paused until it is resumed"));
    for arguments in [&["next"][..], &["next", "-n", "3", "again"]] {
        let (_, why, code) = told(&place.run(arguments));
        assert!(code == 0 && why.contains("paused by "), "{arguments:?}: {why}");
    }
    place.write_jobs("[jobs.again]\nschedule = 'every 1s after end'\ncommand = 'true'\n[jobs.b]\nschedule = '@daily'\ncommand = 'true'\n");
    said(&["reload"]);
    let (_, why, _) = told(&place.run(&["next"]));
    assert!(why.starts_with("all jobs are paused by ") && why.ends_with(" resume --all\n"), "{why}");
    said(&["resume", "--all"]);
    said(&["resume", "again"]);
    daemon.stop();
    wait("an instant that passes", || said(&["status", "again"]).contains("at its start").then_some(()));
}

/// A daemon that was told to stop says for whom it waits; times in texts are those of the reader.
#[test]
fn a_stopping_daemon_says_so() {
    let place = Place::new(&format!("[daemon]\nstop_grace = '2h'\n{JOBS}"));
    let daemon = place.start();
    let berlin = |arguments: &[&str]| told(&place.command(arguments).env("TZ", "Asia/Tokyo").output().unwrap());
    let (_, refused, code) = berlin(&["run", "quick", "--due", "2100-01-01T00:00:00Z"]);
    assert!(code == 1 && refused.contains("2100-01-01 09:00:00 is yet to come"), "{refused}");
    place.run(&["run", "long"]);
    place.wait_for("long", |entry| entry["state"] == "running");
    assert!(!place.text(&["status"]).contains("stopping"));
    daemon.signal("TERM");
    let line = wait("the end to be near", || {
        let status = place.text(&["status"]);
        status.lines().nth(1).filter(|line| line.starts_with("it is stopping: ")).map(str::to_owned)
    });
    assert!(line.contains("and 1 run may finish until 20"), "{line}");
    daemon.stop();
}

/// A name that was forgotten is asked for, one that is claimed late is told of, and the old one leads to the new.
#[test]
fn a_rename_is_told_of_whenever_it_is_said() {
    let place = Place::new("[jobs.old]\nschedule = '@daily'\ncommand = 'true'\n");
    let daemon = place.start();
    place.run(&["run", "old", "--wait"]);
    let renamed = "schedule = '@daily'\ncommand = 'true'\n";
    place.write_jobs(&format!("[jobs.new]\n{renamed}"));
    let (said, _, code) = told(&place.run(&["diff"]));
    assert!(code == 1 && said.contains("write formerly = \"old\" below [jobs.new]"), "{said}");
    place.run(&["reload"]);
    place.write_jobs(&format!("[jobs.new]\nformerly = 'old'\n{renamed}"));
    let edit = "~ new  changed\n    formerly: old\n";
    // It may be in force already, by itself.
    let (said, _, code) = told(&place.run(&["diff"]));
    assert!(code == 0 || said.contains(edit), "{said}");
    place.run(&["reload"]);
    let (_, said, code) = told(&place.run(&["history", "old"]));
    assert!(code == 1 && said.contains("the job `old` is called new now") && said.contains(" history new"), "{said}");
    assert_eq!(place.entries_of("new").len(), 1, "it has its history");
    daemon.stop();
}

/// On a terminal a long wait shows how long it has been, and leaves nothing of that behind.
#[test]
fn progress_is_drawn_on_a_terminal() {
    let has_script = Command::new("/bin/sh").args(["-c", "command -v script"]).output().unwrap().status.success();
    if !has_script {
        eprintln!("not tested: there is no script here");
        return;
    }
    let place = Place::new("[jobs.slow]\ncommand = 'echo begun; sleep 3'\n");
    let daemon = place.start();
    let typed = place.command(&["run", "slow", "--wait"]);
    let words: Vec<String> = std::iter::once(typed.get_program())
        .chain(typed.get_args())
        .map(|word| format!("'{}'", word.to_str().unwrap()))
        .collect();
    let mut script = Command::new("script");
    // A terminal without a size is one at which nobody looks.
    let line = format!("stty cols 80; {}", words.join(" "));
    script.args(["-qec", &line, "/dev/null"]).current_dir(place.folder.path());
    for (name, value) in typed.get_envs() {
        match value {
            Some(value) => script.env(name, value),
            None => script.env_remove(name),
        };
    }
    let output = script.stdin(Stdio::null()).output().unwrap();
    let drawn = text(&output.stdout);
    assert!(output.status.success() && drawn.contains("\r\u{1b}[Krun 1 of slow running for 2.0 s"), "{drawn:?}");
    let last = drawn.rsplit("\r\u{1b}[K").next().unwrap();
    assert!(last.contains("run 1 of slow succeeded after 3.0 s"), "{drawn:?}");
    daemon.stop();
}

//! Jobs of several steps: what begins when, what is skipped or ended, and how it is told.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use serde_json::Value;
use support::{Place, is_alive, pids, wait};

/// A job that is due at the daemon's start and never again.
fn job(name: &str, keys: &str) -> String {
    format!("[jobs.{name}]\nschedule = '@start'\ncwd = '.'\n{keys}\n")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// The last run of a job with its steps, once it has ended.
fn shown(place: &Place, job: &str) -> Value {
    let entry = place.ended(job);
    place.json(&["show", &entry["run"].to_string()])
}

/// `name outcome reason` of each attempt of a step.
fn story(run: &Value) -> Vec<String> {
    let one = |step: &Value| {
        let (name, outcome, reason) = (text(&step["step"]), text(&step["outcome"]), text(&step["reason"]));
        format!("{name} {outcome} {reason}").trim_end().to_owned()
    };
    run["steps"].as_array().map(|steps| steps.iter().map(one).collect()).unwrap_or_default()
}

fn step<'r>(run: &'r Value, name: &str) -> &'r Value {
    run["steps"].as_array().unwrap().iter().find(|step| step["step"] == name).unwrap()
}

#[test]
fn named_steps_run_together_and_wait_for_what_they_need() {
    // Each of the three waits until all are there, so that nothing but running together ends them.
    let meet = "touch $PUNCTUAL_STEP; until test -e a -a -e b -a -e c; do sleep 0.01; done; echo $PUNCTUAL_STEP met";
    let place = Place::new(&job(
        "hello",
        &format!(
            "steps.a = {{ command = '{meet}' }}\nsteps.b = {{ command = '{meet}' }}\nsteps.c = {{ command = '{meet}' }}\n\
             steps.sum = {{ command = 'echo sum', needs = ['a', 'b', 'c'] }}\ntimeout = '20s'"
        ),
    ));
    let daemon = place.start();
    let run = shown(&place, "hello");
    assert_eq!(run["outcome"], "succeeded", "{run}");
    assert_eq!(story(&run), ["a succeeded", "b succeeded", "c succeeded", "sum succeeded"]);
    let last = ["a", "b", "c"].map(|name| text(&step(&run, name)["ended"]).to_owned()).into_iter().max().unwrap();
    assert!(last.as_str() <= text(&step(&run, "sum")["started"]), "{run}");
    assert_eq!(run["output_bytes"], 3 * 6 + 4);
    assert_eq!(place.text(&["logs", "hello"]), "── a ──\na met\n── b ──\nb met\n── c ──\nc met\n── sum ──\nsum\n");
    assert_eq!(place.text(&["logs", "hello", "--step", "b"]), "── b ──\nb met\n");
    let tree = place.text(&["show", &run["run"].to_string()]);
    assert!(tree.contains("├ c") && tree.contains("└ sum") && tree.contains('━'), "{tree}");
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn a_failure_stops_what_depends_on_it_and_the_rest() {
    let failing = "steps.bad = { command = 'exit 3' }\nsteps.after = { command = 'echo no', needs = ['bad'] }\n\
                   steps.clean = { command = 'echo clean', needs = ['after'], always = true }";
    let rest = "steps.rest = { command = 'touch going; exec sleep 300' }\n\
                steps.bad = { command = 'until test -e going; do sleep 0.01; done; exit 3' }";
    let place = Place::new(
        &[
            job("fails", failing),
            job("ends", rest),
            job("keeps", "keep_going = true\nsteps.bad = { command = 'exit 3' }\nsteps.rest = { command = 'echo on' }"),
            job(
                "list",
                "steps = ['echo one', ['sh', '-c', 'exit 4'], 'echo three', { command = 'echo clean', always = true }]",
            ),
            job("all", "keep_going = true\nsteps = ['exit 1', 'echo two']"),
        ]
        .concat(),
    );
    let daemon = place.start();
    let run = shown(&place, "fails");
    assert_eq!((text(&run["outcome"]), text(&run["detail"])), ("failed", "step bad: exit status 3"), "{run}");
    assert_eq!((run["exit_code"].as_i64(), text(&run["reason"])), (Some(3), "exit-code"));
    assert_eq!(story(&run), ["bad failed exit-code", "after skipped needs", "clean succeeded"]);
    assert_eq!(text(&step(&run, "after")["detail"]), "step bad did not succeed");
    let run = shown(&place, "ends");
    assert_eq!(story(&run), ["rest stopped needs", "bad failed exit-code"]);
    assert_eq!(text(&run["detail"]), "step bad: exit status 3");
    assert_eq!(story(&shown(&place, "keeps")), ["bad failed exit-code", "rest succeeded"]);
    let run = shown(&place, "list");
    assert_eq!(story(&run), ["1 succeeded", "2 failed exit-code", "3 skipped needs", "4 succeeded"]);
    assert_eq!(text(&run["detail"]), "step 2: exit status 4");
    let run = shown(&place, "all");
    assert_eq!(
        (story(&run), text(&run["outcome"])),
        (vec!["1 failed exit-code".into(), "2 succeeded".into()], "failed")
    );
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn a_matrix_is_a_step_for_each_combination() {
    // Whoever runs beside two others sees it.
    let command = "echo x > in-$PUNCTUAL_STEP; test $(ls in-* 2>/dev/null | wc -l) -le 2; echo $MATRIX_RATE $MATRIX_NAME; rm in-$PUNCTUAL_STEP";
    let place = Place::new(&job(
        "train",
        &format!(
            "matrix = {{ rate = [0.1, 0.01], name = ['a', true] }}\nmax_parallel = 2\nenv = {{ MATRIX_NAME = 'no' }}\ncommand = '{command}'"
        ),
    ));
    let daemon = place.start();
    let run = shown(&place, "train");
    let names = ["rate=0.1,name=a", "rate=0.1,name=true", "rate=0.01,name=a", "rate=0.01,name=true"];
    assert_eq!(story(&run), names.map(|name| format!("{name} succeeded")), "{run}");
    assert_eq!(place.text(&["logs", "train", "--step", names[3]]), format!("── {} ──\n0.01 true\n", names[3]));
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn steps_are_tried_again_and_so_is_the_whole() {
    let flaky = "if test -e once; then echo fine; else touch once; exit 1; fi";
    let place = Place::new(
        &[
            job(
                "step",
                &format!("retry_delay = '10ms'\nsteps = [{{ command = '{flaky}', retries = 2 }}, 'echo next']"),
            ),
            job(
                "whole",
                "retries = 1\nretry_delay = '10ms'\nsteps.a = { command = 'echo a >> ran' }\n\
                 steps.b = { command = 'test $(wc -l < ran) = 2', needs = ['a'] }",
            ),
            job(
                "codes",
                "success_codes = [0, 7]\nno_retry_codes = [9]\nsteps = ['exit 7', { command = 'exit 9', retries = 3 }]",
            ),
        ]
        .concat(),
    );
    let daemon = place.start();
    let run = shown(&place, "step");
    assert_eq!(story(&run), ["1 failed exit-code", "1 succeeded", "2 succeeded"], "{run}");
    assert_eq!((run["attempts"].as_i64(), text(&run["outcome"])), (Some(1), "succeeded"));
    assert_eq!(run["steps"][1]["step_attempt"], 2);
    assert_eq!(place.text(&["logs", "step"]), "── 1, attempt 2 ──\nfine\n── 2 ──\nnext\n");
    let run = shown(&place, "whole");
    assert_eq!(story(&run), ["a succeeded", "b failed exit-code", "a succeeded", "b succeeded"], "{run}");
    assert_eq!((run["attempts"].as_i64(), run["tried"].as_array().map(Vec::len)), (Some(2), Some(2)));
    assert_eq!(text(&run["tried"][0]["detail"]), "step b: exit status 1");
    let run = shown(&place, "codes");
    assert_eq!(story(&run), ["1 succeeded", "2 failed exit-code"]);
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn time_outs_are_of_a_step_or_of_all_together() {
    let place = Place::new(
        &[
            job("step", "kill_after = '1h'\nsteps.slow = { command = ['sleep', '300'], timeout = '100ms' }"),
            job(
                "whole",
                "timeout = '200ms'\nkill_after = '10s'\nsteps.slow = { command = 'echo $$ > pid; exec sleep 300' }\n\
                 steps.after = { command = 'echo no', needs = ['slow'] }\n\
                 steps.clean = { command = 'echo clean', needs = ['after'], always = true }",
            ),
            job(
                "endless",
                "timeout = '100ms'\nkill_after = '100ms'\nsteps.a = { command = 'true' }\n\
                 steps.clean = { command = ['sleep', '300'], needs = ['a'], always = true }",
            ),
        ]
        .concat(),
    );
    let daemon = place.start();
    let run = shown(&place, "step");
    assert_eq!((text(&run["outcome"]), story(&run)), ("timed-out", vec!["slow timed-out timeout".into()]), "{run}");
    let run = shown(&place, "whole");
    assert_eq!(text(&run["outcome"]), "timed-out");
    assert_eq!(story(&run), ["slow stopped timeout", "after skipped needs", "clean succeeded"], "{run}");
    assert!(pids(&place.path("pid")).into_iter().all(|pid| !is_alive(pid)));
    // What cleans up may take its time, but not for ever.
    let run = shown(&place, "endless");
    assert_eq!((text(&run["outcome"]), story(&run)[1].as_str()), ("timed-out", "clean stopped timeout"), "{run}");
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn a_stop_lets_what_cleans_up_run_and_a_crash_loses_the_rest() {
    let keys = "steps.work = { command = 'echo $$ > pid; exec sleep 300' }\n\
                steps.clean = { command = 'echo clean > cleaned', needs = ['work'], always = true }";
    let place = Place::new(&job("job", keys));
    let daemon = place.start_with(&["--stop-grace", "0s"]);
    let first = wait("the step", || pids(&place.path("pid")).first().copied());
    assert_eq!(daemon.stop(), Some(0));
    let run = shown(&place, "job");
    assert_eq!((text(&run["outcome"]), text(&run["reason"])), ("stopped", "shutdown"), "{run}");
    assert_eq!(story(&run), ["work stopped shutdown", "clean succeeded"]);
    assert!(place.path("cleaned").exists() && !is_alive(first));

    std::fs::remove_file(place.path("pid")).unwrap();
    let daemon = place.start();
    let second = wait("the step", || pids(&place.path("pid")).first().copied());
    // What has begun is in the ledger within moments.
    let began = wait("the step's row", || {
        let run = place.entries_of("job").into_iter().find(|entry| entry["state"] == "running")?;
        let run = place.json(&["show", &run["run"].to_string()]);
        (run["steps"].as_array()?.len() == 1).then_some(run)
    });
    assert_eq!(story(&began), ["work"]);
    daemon.crash();
    place.write_jobs("");
    let daemon = place.start();
    let lost = place.wait_for("job", |entry| entry["outcome"] == "lost");
    assert!(!is_alive(second), "what was left of the step is ended");
    assert!(place.text(&["show", &lost["run"].to_string()]).contains("lost"));
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn output_can_say_that_it_failed() {
    let place = Place::new(
        &[
            job("bad", "fail_on_output = '^ERROR'\ncommand = 'echo fine; echo \"ERROR: disk\" >&2; echo more'"),
            job("good", "fail_on_output = '^ERROR'\ncommand = 'echo no ERROR'"),
            job("cut", "fail_on_output = 'needle'\noutput_limit = '1KiB'\ncommand = 'head -c 3000000 /dev/zero | tr \"\\\\0\" x; echo; echo needle; head -c 3000000 /dev/zero'"),
            job("again", "fail_on_output = 'not yet'\nretries = 1\nretry_delay = '10ms'\ncommand = 'if test -e there; then echo done; else touch there; echo not yet; fi'"),
            job("step", "fail_on_output = 'bad'\nsteps = [{ command = 'echo bad', fail_on_output = 'worse' }, 'echo bad']"),
        ]
        .concat(),
    );
    let daemon = place.start();
    let entry = place.ended("bad");
    assert_eq!((text(&entry["outcome"]), text(&entry["reason"])), ("failed", "output-matched"), "{entry}");
    assert_eq!(
        (text(&entry["detail"]), entry["exit_code"].as_i64()),
        ("its output has the line: ERROR: disk", Some(0))
    );
    assert_eq!(place.ended("good")["outcome"], "succeeded");
    assert_eq!(text(&place.ended("cut")["detail"]), "its output has the line: needle");
    let again = place.ended("again");
    assert_eq!((text(&again["outcome"]), again["attempts"].as_i64()), ("succeeded", Some(2)));
    assert_eq!(story(&shown(&place, "step")), ["1 succeeded", "2 failed output-matched"]);
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn what_is_wrong_with_steps_is_said_where_it_stands() {
    let place = Place::new("");
    // The complaint stands at the last place of `at`.
    let check = |keys: &str, at: &str, message: &str| {
        let file = format!("[jobs.a]\n{keys}\n");
        place.write_jobs(&file);
        let place_of = file.rfind(at).unwrap();
        let line = file[..place_of].matches('\n').count() + 1;
        let column = place_of - file[..place_of].rfind('\n').unwrap();
        let output = place.run(&["check", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let said = report["errors"].as_array().unwrap().iter().chain(report["warnings"].as_array().unwrap());
        let said: Vec<String> =
            said.map(|one| format!("{}:{} {}", one["line"], one["column"], text(&one["message"]))).collect();
        assert!(said.contains(&format!("{line}:{column} {message}")), "{keys}\n{line}:{column} {message}\n{said:#?}");
    };
    check("steps.b = { command = 'x', needs = ['c'] }", "'c'", "there is no step `c`");
    check("steps = []", "[]", "there is no step in `steps`");
    check("steps = 5", "5", "`steps` is a table or a list, not a whole number");
    check("steps.b = 'x'", "'x'", "a step is a table, not a text");
    check("steps = ['']", "''", "the command of this step is empty");
    check("steps = ['a', 7]", "7", "a step is a command or a table, not a whole number");
    check("command = 'x'\nsteps = ['a']", "['a']", "there is `command` already");
    check("steps = ['a']\nmatrix = { x = [1] }", "{ x", "`matrix` makes steps of a command; this job has steps");
    check("steps.b = { needs = 'b', command = 'x' }", "'b'", "steps wait for each other: b needs b");
    check("steps.b = { comand = 'x' }", "comand", "unknown key `comand`");
    check(
        "steps.b = { always = true, command = 'x' }",
        "b = {",
        "a step that always runs and needs none begins at once",
    );
    check("steps = [{ command = 'x', needs = ['1'] }]", "['1']", "steps of a list go in its order");
    check("command = 'x'\nkeep_going = true", "true", "`keep_going` says nothing of a job without steps");
    let empty = "`x` is a list of texts, numbers or booleans, with one at least";
    check("command = 'x'\nmatrix = { x = [] }", "[]", empty);
    check("command = 'x'\nmatrix = { 'x y' = [1] }", "'x y'", "`x y` is no name for a variable");
    let group = "this is no regular expression: unclosed group";
    check("command = 'x'\nfail_on_output = '('", "'('", group);
    let sql = "sql = { database = 'x.db', statements = 'SELECT 1' }\n";
    check(&format!("{sql}matrix = {{ x = [1] }}"), "{ x", "`matrix` makes steps of a command");
    check(&format!("{sql}user = 'nobody'"), "'nobody'", "`user` says nothing of `sql`, which has no process");
    let command = "command = 'x'\n";
    check(&format!("{command}matrix = {{}}"), "{}", "there is no list in `matrix`");
    check(&format!("{command}matrix = {{ x = [1, 2, 1] }}"), "[1,", "`1` stands here twice");
    check(&format!("{command}matrix = {{ x = [1], X = [2] }}"), "X", "`x` and `X` are one variable");
    let message = "a value is part of a step's name: a line of at most 200 bytes";
    check(&format!("{command}matrix = {{ x = [\"a\\n\"] }}"), "[\"a", message);
    let hundred: Vec<String> = (0..100).map(|number| number.to_string()).collect();
    let list = hundred.join(", ");
    check(
        &format!("command = 'x'\nmatrix = {{ x = [{list}], y = [{list}] }}"),
        "{ x",
        "this matrix has 10000 combinations: 1000 at most",
    );
    let circle = ["a:c", "b:a", "c:b", "d:c"].map(|step| {
        let (name, need) = step.split_once(':').unwrap();
        format!("steps.{name} = {{ command = 'x', needs = '{need}' }}")
    });
    check(&circle.join("\n"), "'b'", "steps wait for each other: c needs b needs a needs c");
}

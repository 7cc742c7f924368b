//! The command line as people and programs meet it, without a daemon.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::io::Write;
use std::process::Stdio;

use serde_json::{Value, json};
use support::Place;

const TWO_JOBS: &str = "[jobs.night]\nschedule = '30 2 * * *'\ntimezone = 'America/New_York'\ncommand = 'true'\n\
                        [jobs.hand]\ncommand = 'true'\n[jobs.off]\nenabled = false\nschedule = '@daily'\ncommand = 'true'\n";

fn batch(questions: &str) -> Vec<Value> {
    let place = Place::new("");
    let mut command = place.command(&["next", "--batch"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    let questions = questions.to_owned();
    // Answers come while questions are still being asked; neither side may wait for the other.
    let asking = std::thread::Builder::new().spawn(move || input.write_all(questions.as_bytes())).unwrap();
    let output = child.wait_with_output().unwrap();
    asking.join().unwrap().unwrap();
    assert!(output.status.success());
    output
        .stdout
        .split(|byte| *byte == b'\n')
        .filter(|line| !line.is_empty())
        .map(|line| serde_json::from_slice(line).unwrap())
        .collect()
}

/// A thousand questions, with the answers of independent implementations and, for daylight saving, of cron itself.
#[test]
fn a_thousand_questions_are_answered_right() {
    let questions = include_str!("data/cron.jsonl");
    let answers = batch(questions);
    assert_eq!(answers.len(), 1000);
    for (question, answer) in questions.lines().zip(answers) {
        let question: Value = serde_json::from_str(question).unwrap();
        assert_eq!(answer["next"], question["next"], "{question}");
    }
}

#[test]
fn a_batch_answers_each_line_whatever_it_is() {
    let answers = batch(
        "{\"expr\":\"0 0 30 2 *\",\"tz\":\"UTC\",\"from\":\"2026-01-01T00:00:00Z\",\"count\":1}\n\
         nonsense\n\n\
         {\"expr\":\"* * * * *\",\"tz\":\"Mars\",\"from\":\"2026-01-01T00:00:00Z\",\"count\":1}\n\
         {\"expr\":\"30 2 * * *\",\"tz\":\"Europe/Berlin\",\"from\":\"2026-03-28T12:00:00Z\",\"count\":1,\"dst_gap\":\"skip\"}\n\
         {\"expr\":\"30 2 * * *\",\"tz\":\"Europe/Berlin\",\"from\":\"2026-10-24T12:00:00Z\",\"count\":2,\"dst_fold\":\"both\"}\n\
         {\"expr\":\"at 2026-12-31T23:59:00\",\"tz\":\"UTC\",\"from\":\"2027-01-01T00:00:00Z\",\"count\":5}\n",
    );
    assert!(answers[0]["error"].as_str().unwrap().contains("never fires"));
    assert!(answers[1]["error"].is_string());
    assert!(answers[2]["error"].as_str().unwrap().contains("no zone `Mars`"));
    assert_eq!(answers[3], json!({"next": ["2026-03-30T00:30:00Z"]}));
    assert_eq!(answers[4], json!({"next": ["2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"]}));
    assert_eq!(answers[5], json!({"next": []}));
    assert_eq!(answers.len(), 6);
}

#[test]
fn next_tries_an_expression() {
    let place = Place::new("");
    let arguments =
        ["next", "--expr", "30 2 * * *", "--tz", "America/New_York", "--from", "2026-03-07T00:00:00Z", "-n", "4"];
    let due: Vec<Value> = place.json(&arguments).as_array().unwrap().iter().map(|next| next["due"].clone()).collect();
    let expect = [
        "2026-03-07T07:30:00.000000Z",
        "2026-03-08T07:00:00.000000Z",
        "2026-03-09T06:30:00.000000Z",
        "2026-03-10T06:30:00.000000Z",
    ];
    assert_eq!(due, expect);
    let text = place.text(&arguments);
    assert!(text.contains("2026-03-08 03:00:00"), "the clocks of New York show three at the end of the gap: {text}");
}

#[test]
fn next_of_jobs_is_merged_and_says_why_there_is_none() {
    let place = Place::new(TWO_JOBS);
    let all = place.json(&["next", "--from", "2026-06-01T00:00:00Z", "-n", "3"]);
    let all = all.as_array().unwrap();
    assert!(all.iter().all(|next| next["job"] == "night") && all.len() == 3, "{all:?}");
    assert_eq!(all[0]["timezone"], "America/New_York");
    for (job, why) in [("hand", "no schedule"), ("off", "disabled")] {
        let output = place.run(&["next", job]);
        assert!(output.status.success());
        assert!(String::from_utf8(output.stderr).unwrap().contains(why));
    }
    let output = place.run(&["next", "nigth"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean night?"));
}

/// A job that is due all the time leaves room for the others, and it is said; who asks for so many gets them as they come.
#[test]
fn each_job_is_seen_in_the_merged_list() {
    let place = Place::new(
        "[jobs.tick]\nschedule = 'every 1s'\ncommand = 'true'\n[jobs.night]\nschedule = '30 2 * * *'\ncommand = 'true'\n\
         [jobs.yearly]\nschedule = '@yearly'\ncommand = 'true'\n[jobs.hand]\ncommand = 'true'\n",
    );
    let text = place.text(&["next"]);
    let of = |job: &str| text.lines().filter(|line| line.starts_with(job)).count();
    assert_eq!((of("tick "), of("night "), of("yearly ")), (5, 5, 5), "{text}");
    let last = text.lines().last().unwrap();
    assert_eq!(
        last,
        "of tick, night only the next 5 instants are here; with -n N the next N of all come in their order"
    );
    let text = place.text(&["next", "-n", "20"]);
    assert!(text.lines().filter(|line| line.starts_with("tick ")).count() == 20 && !text.contains("-n"), "{text}");
    let many: String = (0..30)
        .map(|n| ["[jobs.j", &n.to_string(), "]\nschedule = '0 5 * * *'\ncommand = 'true'\n"].concat())
        .collect();
    place.write_jobs(&many);
    let last = place.text(&["next"]);
    assert!(last.contains("\n10 jobs due later are not here; with -n "), "{last}");
}

#[test]
fn check_shows_the_line_and_a_caret() {
    let place = Place::new("[jobs.a]\nschedule = \"5/15 * * * *\"\ncommand = \"true\"\ntimout = \"5m\"\n");
    let output = place.run(&["check"]);
    assert_eq!(output.status.code(), Some(1));
    let text = String::from_utf8(output.stdout).unwrap().replace(&place.path("").display().to_string(), "");
    insta::assert_snapshot!(text, @r#"
    error: a step needs a range before it; cron implementations disagree about a single number
     --> jobs.toml:2:13
      |
    2 | schedule = "5/15 * * * *"
      |             ^^^^
      |
      = help: write `5-59/15`

    error: unknown key `timout`
     --> jobs.toml:4:1
      |
    4 | timout = "5m"
      | ^^^^^^
      |
      = help: did you mean `timeout`?

    jobs.toml is wrong: 2 errors, 0 warnings
    "#);
    let report: Value = serde_json::from_slice(&place.run(&["check", "--json"]).stdout).unwrap();
    let error = &report["errors"][0];
    assert_eq!(
        (error["line"].as_i64(), error["column"].as_i64(), error["end_column"].as_i64()),
        (Some(2), Some(13), Some(17))
    );
    assert_eq!((error["key"].as_str(), error["help"].as_str()), (Some("jobs.a.schedule"), Some("write `5-59/15`")));
}

#[test]
fn check_warns_of_this_machine_and_strict_takes_it_for_wrong() {
    let place = Place::new("[jobs.a]\ncommand = ['no-such-program']\n");
    let output = place.run(&["check"]);
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8(output.stdout).unwrap().contains("no program `no-such-program`"));
    assert_eq!(place.run(&["check", "--strict"]).status.code(), Some(1));
}

#[test]
fn the_bundled_file_is_right() {
    let place = Place::new(include_str!("../jobs.toml"));
    assert!(place.text(&["check"]).contains("is right"));
}

#[test]
fn without_a_ledger_there_is_a_word_of_what_to_do() {
    let place = Place::new(TWO_JOBS);
    let status = place.text(&["status"]);
    assert!(status.contains("no daemon is running; start one with: punctual --config "), "{status}");
    assert!(place.text(&[]).contains("night"), "bare, it is status");
    for verb in [&["history"][..], &["logs", "night"], &["show", "7"]] {
        let output = place.run(verb);
        assert_eq!(output.status.code(), Some(3), "{verb:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("start one with: punctual --config ") && said.ends_with(" daemon\n"), "{verb:?}: {said}");
    }
    assert!(!place.path("state").exists(), "asking makes nothing");
    assert!(place.text(&["show", "night"]).contains("America/New_York"));
}

/// On a narrow terminal a job, its next instant and how it went last are there whole, beside each other.
#[test]
fn status_of_a_narrow_terminal_has_what_matters() {
    let place =
        Place::new("[jobs.backup-of-the-database]\nschedule = '30 2 1 * *'\ncommand = 'echo it is broken; exit 3'\n");
    let daemon = place.start();
    assert_eq!(place.run(&["run", "--wait", "backup-of-the-database"]).status.code(), Some(1));
    for (columns, titles) in
        [(70, &["JOB", "NEXT", "IN", "OUTCOME"][..]), (200, &["JOB", "NEXT", "IN", "LAST", "OUTCOME"])]
    {
        let Some(screen) = place.on_a_terminal(columns, &["status"]) else {
            return;
        };
        let table: Vec<&str> = screen.lines().skip_while(|line| !line.starts_with("JOB")).collect();
        assert_eq!(table[0].split_whitespace().collect::<Vec<_>>(), titles, "{screen}");
        assert!(table[1].starts_with("backup-of-the-database  ") && table[1].contains(":30"), "{screen}");
        assert!(table[1].contains("  failed: exit status 3"), "{screen}");
        assert_eq!(table.get(2).is_some_and(|line| line.starts_with("LAST left out")), columns == 70, "{screen}");
    }
    daemon.stop();
}

#[test]
fn wrong_usage_has_its_own_exit_code() {
    let place = Place::new("");
    for arguments in [
        &["nonsense"][..],
        &["history", "-n", "many"],
        &["next", "--tz", "UTC"],
        &["next", "night", "--timezone", "Asia/Tokyo"],
        &["next", "-n", "0"],
        &["next", "--from", "soon"],
    ] {
        assert_eq!(place.run(arguments).status.code(), Some(2), "{arguments:?}");
    }
}

#[test]
fn what_a_job_writes_does_not_steer_the_terminal() {
    let place = Place::new("[jobs.rude]\nschedule = '@start'\ncommand = 'printf \"a\\033[2Jb\\000\\377\\n\"'\n");
    let daemon = place.start();
    let run = place.ended("rude")["run"].to_string();
    daemon.stop();
    assert_eq!(place.text(&["logs", "rude"]), "a^[[2Jb^@\\xff\n");
    assert_eq!(place.run(&["logs", &run, "--raw"]).stdout, b"a\x1b[2Jb\0\xff\n");
    let line = place.text(&["logs", "rude", "--json"]);
    let line: Value = serde_json::from_str(line.trim_end()).unwrap();
    assert_eq!((line["stream"].as_str(), line["text"].as_str()), (Some("stdout"), Some("a\u{1b}[2Jb\0\u{fffd}\n")));
    assert!(place.text(&["show", &run]).contains("a^[[2Jb^@"));
}

#[test]
fn a_ledger_is_copied_while_it_is_used() {
    let place = Place::new("[jobs.tick]\nschedule = 'every 1s'\ncommand = 'true'\n");
    let daemon = place.start();
    place.ended("tick");
    let copy = place.path("copy.db");
    place.text(&["backup", copy.to_str().unwrap()]);
    assert_eq!(place.run(&["backup", copy.to_str().unwrap()]).status.code(), Some(1), "nothing is overwritten");
    daemon.stop();
    std::fs::rename(copy, place.database()).unwrap();
    assert_eq!(place.integrity(), "ok");
    assert!(!place.entries_of("tick").is_empty());
}

#[test]
fn the_ledger_is_readable_with_sqlite_itself() {
    let place = Place::new("[jobs.tick]\nschedule = '@start'\ncommand = 'exit 3'\n");
    let daemon = place.start();
    place.ended("tick");
    daemon.stop();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (job, outcome, due): (String, String, String) = runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.database());
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query_as("SELECT job, outcome, due FROM history").fetch_one(&pool).await.unwrap()
    });
    assert_eq!((job.as_str(), outcome.as_str()), ("tick", "failed"));
    assert_eq!(due, place.entries_of("tick")[0]["due"]);
}

#[test]
fn what_cannot_be_shown_is_no_success() {
    let place = Place::new(TWO_JOBS);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let status = place.command(&["status"]).stdout(full).stderr(Stdio::null()).status().unwrap();
    assert_eq!(status.code(), Some(1));
    // A reader that has seen enough is none of our business.
    let mut child = place.command(&["next", "-n", "100000"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_definition_is_shown_as_data() {
    let place = Place::new(
        "[defaults]\nenv = { A = 1, B = 2 }\n[jobs.a]\nschedule = ['@daily', '@hourly']\ncommand = 'x'\ntimeout = '90s'\n",
    );
    let shown = place.json(&["show", "a"]);
    let definition = &shown["definition"];
    assert_eq!(definition["env"], json!({"A": "1", "B": "2"}));
    assert_eq!(definition["schedule"], json!(["@daily", "@hourly"]));
    assert_eq!((definition["timeout"].as_f64(), definition["enabled"].as_bool()), (Some(90.0), Some(true)));
    assert_eq!((definition["overlap"].as_str(), definition["catch_up"].as_str()), (Some("skip"), Some("latest")));
    let origins = &shown["origins"];
    assert_eq!((origins["env"].as_str(), origins["timeout"].as_str()), (Some("[defaults], line 2"), Some("line 6")));
    assert_eq!(origins["kill_after"], "default");
    let text = place.text(&["show", "a"]);
    assert!(text.contains("1m 30s  (line 6)") && text.contains("A=1  ([defaults], line 2)"), "{text}");
    assert!(shown["last"].is_null());
}

/// What is asked most comes first, steps stand as they run, and values are written as one would write them.
#[test]
fn a_job_is_shown_from_what_matters() {
    let place = Place::new(
        "[jobs.a]\ndescription = 'Does it all, and tells whoever waits for it that it has been done, and when that was'\n\
         schedule = '30 2 * * *'\nsteps.z = { command = 'x', needs = ['y'] }\nsteps.y = { command = 'x' }\n\
         kill_after = '90s'\nretries = 1\n",
    );
    let text = place.text(&["show", "a"]);
    let keys: Vec<&str> = text.lines().skip(1).map(|line| line.get(..14).unwrap_or_default().trim()).collect();
    assert_eq!(keys[..5], ["description", "schedule", "", "next", ""], "{text}");
    assert!(text.contains("at 02:30 every day") && text.contains(" (in ") && text.contains("1m 30s"), "{text}");
    let steps: Vec<&str> = text.lines().filter(|line| line.contains("steps  ")).collect();
    assert!(steps[0].contains("y: x") && steps[1].contains("z: x after y"), "{text}");
    if let Some(screen) = place.on_a_terminal(60, &["show", "a"]) {
        let own = screen.lines().skip(1).filter(|line| line.chars().count() > 60).collect::<Vec<_>>();
        assert!(own.is_empty() && screen.contains("\n                that it has been"), "{screen}");
    }
}

#[test]
fn a_file_that_cannot_be_read_is_an_error_in_json_too() {
    let place = Place::new("");
    let output = place.run(&["check", "--json", "no-such-file.toml"]);
    assert_eq!(output.status.code(), Some(1));
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert!(report["errors"][0]["message"].as_str().unwrap().contains("no-such-file.toml"));
}

#[test]
fn settings_that_are_wrong_say_where_they_come_from() {
    let place = Place::new("");
    for (name, value, expect) in [
        ("PUNCTUAL_DAEMON__TIMEZONE", "Mars/Olympus", "no zone `Mars/Olympus` (from a flag or a variable)"),
        ("PUNCTUAL_DAEMON__MAX_RUNNIN", "3", "did you mean PUNCTUAL_DAEMON__MAX_RUNNING?"),
        ("PUNCTUAL_DAEMON__DATABASE", "", "database: it is empty"),
    ] {
        let output = place.command(&["daemon"]).env(name, value).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}");
        let message = String::from_utf8(output.stderr).unwrap();
        assert!(message.contains(expect), "{message}");
    }
}

#[test]
fn a_plan_is_what_the_planner_would_do() {
    let place = Place::new(
        "[jobs.hourly]\nschedule = '0 * * * *'\ncommand = 'x'\n\
         [jobs.night]\nschedule = '30 2 * * *'\ntimezone = 'Europe/Berlin'\nnot_on = 'mondays'\ncommand = 'x'\n\
         [jobs.later]\nschedule = '0 0 1 6 *'\ncommand = 'x'\n\
         [jobs.off]\nschedule = '@daily'\nenabled = false\ncommand = 'x'\n\
         [jobs.hand]\ncommand = 'x'\n\
         [calendars.mondays]\ndays = 'mon'\n",
    );
    // Monday the 22nd to Monday the 29th; on Sunday the clocks of Berlin are put forward.
    let plan = place.json(&["plan", "--days", "7", "--from", "2027-03-22T00:00:00Z"]);
    let job = |name: &str| plan["jobs"].as_array().unwrap().iter().find(|job| job["job"] == name).unwrap().clone();
    assert_eq!((job("hourly")["runs"].as_u64(), job("night")["runs"].as_u64()), (Some(168), Some(6)));
    assert_eq!((job("night")["closed"].as_u64(), job("night")["overlaps"].as_u64()), (Some(1), Some(0)));
    assert_eq!(job("later")["next"], "2027-06-01T00:00:00.000000Z");
    let silent = |name: &str| job(name)["silent"].as_str().map(str::to_owned);
    assert_eq!(
        ["hourly", "later", "off", "hand"].map(silent),
        [None, Some("later"), Some("disabled"), Some("by hand only")].map(|why| why.map(str::to_owned))
    );
    let hours = plan["hours"].as_array().unwrap();
    assert_eq!(hours.iter().map(|hour| hour["runs"].as_u64().unwrap()).sum::<u64>(), 174);
    let changes = plan["clock_changes"].as_array().unwrap();
    assert_eq!((changes.len(), &changes[0]["at"]), (1, &json!("2027-03-28T01:00:00.000000Z")));
    let expect = json!([{"job": "night", "schedule": "30 2 * * *", "effect": "shifted", "count": 1}]);
    assert_eq!(changes[0]["jobs"], expect);
    let text = place.text(&["plan", "--days", "7", "--from", "2027-03-22T00:00:00Z"]);
    for words in
        ["174 runs of 5 jobs", "Clock changes", "runs when the gap ends", "not before 2027-06-01", "by hand only"]
    {
        assert!(text.contains(words), "{words}: {text}");
    }
    assert!(text.lines().all(|line| line.chars().count() <= 80), "{text}");
}

#[test]
fn schedules_are_said_in_words() {
    let place = Place::new("");
    let next = |arguments: &[&str]| place.text(&[&["next", "--from", "2026-03-07T00:00:00Z"], arguments].concat());
    let spring = next(&["--expr", "30 2 * * *", "--tz", "America/New_York", "-n", "2"]);
    for words in ["at 02:30 every day", "2026-03-07 02:30:00  -05", "2026-03-08 03:00:00  -04"] {
        assert!(spring.contains(words), "{spring}");
    }
    let hashed = next(&["--expr", "H H(0-3) * * *", "--name", "backup", "-n", "1"]);
    assert_eq!(hashed, next(&["--expr", "H H(0-3) * * *", "--name", "backup", "-n", "1"]));
    assert_ne!(hashed, next(&["--expr", "H H(0-3) * * *", "--name", "report", "-n", "1"]));
    assert!(next(&["--expr", "every 90m after end"]).contains("90 minutes after the end of the last run"));
}

#[test]
fn a_batch_knows_the_job_from_which_a_pattern_is_hashed() {
    let ask = |name: &str| {
        let from = "2026-01-01T00:00:00Z";
        let question = json!({"expr": "H H * * *", "tz": "UTC", "from": from, "count": 2, "name": name});
        batch(&question.to_string()).remove(0)["next"].clone()
    };
    assert!(ask("a")[0].is_string() && ask("a") == ask("a") && ask("a") != ask("b"));
}

#[test]
fn traps_are_warnings_with_a_place() {
    let place = Place::new("[jobs.a]\nschedule = ['0 0 * * *', '* */10 * * * *']\ncommand = 'true'\n");
    let check = place.json(&["check"]);
    assert_eq!(check["errors"], json!([]));
    let warning = &check["warnings"][0];
    assert_eq!((&warning["line"], &warning["column"], &warning["end_column"]), (&json!(2), &json!(27), &json!(28)));
    assert!(warning["help"].as_str().unwrap().contains("\"0 */10 * * * *\""), "{warning}");
    assert_eq!(place.run(&["check", "--strict"]).status.code(), Some(1));
}

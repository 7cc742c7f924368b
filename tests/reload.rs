//! A job file that is edited while the daemon runs: by real editors' steps, rightly and wrongly, renamed, included, and
//! compared before.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::io::Write;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use serde_json::Value;
use support::{Daemon, Place, wait};

/// A job that never runs by itself, with a word in it.
fn marked(word: &str) -> String {
    format!("[jobs.job]\nschedule = '0 0 29 2 *'\ncommand = 'echo {word}'\n")
}

/// Waits until something with this word is in force, by what the ledger says of it.
#[track_caller]
fn in_force(place: &Place, word: &str) {
    let said = || place.run(&["history", "--json", "--sql", "SELECT words FROM in_force"]).stdout;
    wait(&format!("{word} in force"), || String::from_utf8(said()).unwrap().contains(word).then_some(()));
}

#[track_caller]
fn logged(place: &Place, words: &str) {
    wait(words, || place.log().contains(words).then_some(()));
}

/// The daemon as `status` shows it.
fn daemon_report(place: &Place) -> Value {
    let output = place.run(&["status", "--json"]);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    report["daemon"].clone()
}

#[track_caller]
fn trouble(place: &Place) -> String {
    wait("a trouble of the file", || daemon_report(place)["file_trouble"]["message"].as_str().map(str::to_owned))
}

#[track_caller]
fn no_trouble(place: &Place) {
    wait("the end of the trouble", || daemon_report(place)["file_trouble"].is_null().then_some(()));
}

fn reloads(place: &Place) -> usize {
    place.log().matches("reloaded: ").count()
}

#[test]
fn however_it_is_written_it_is_taken() {
    let place = Place::new("");
    let (file, new, conf) = (place.path("jobs.toml"), place.path("new"), place.path("conf"));
    let daemon = place.start();
    let ways: [(&str, &dyn Fn(&str)); 9] = [
        ("in-place", &|text| fs::write(&file, text).unwrap()),
        ("renamed", &|text| {
            fs::write(&new, text).unwrap();
            fs::rename(&new, &file).unwrap();
        }),
        // vim with its backup.
        ("vim", &|text| {
            fs::rename(&file, place.path("jobs.toml~")).unwrap();
            fs::write(&file, text).unwrap();
            fs::remove_file(place.path("jobs.toml~")).unwrap();
        }),
        // emacs, whose backup is another name of the old file.
        ("emacs", &|text| {
            symlink("user@host.1:1", place.path(".#jobs.toml")).unwrap();
            fs::hard_link(&file, place.path("jobs.toml~")).unwrap();
            fs::write(&new, text).unwrap();
            fs::rename(&new, &file).unwrap();
            fs::remove_file(place.path(".#jobs.toml")).unwrap();
        }),
        ("sed", &|text| {
            let word = text.split("echo ").nth(1).unwrap().split('\'').next().unwrap();
            let change = format!("s/echo .*'/echo {word}'/");
            assert!(Command::new("sed").args(["-i", &change]).arg(&file).status().unwrap().success());
        }),
        ("moved", &|text| {
            fs::create_dir(place.path("elsewhere")).unwrap();
            fs::write(place.path("elsewhere/x"), text).unwrap();
            fs::rename(place.path("elsewhere/x"), &file).unwrap();
        }),
        // As a config map is mounted, and changed.
        ("mapped", &|text| {
            fs::create_dir(place.path("..1")).unwrap();
            fs::write(place.path("..1/jobs.toml"), text).unwrap();
            symlink("..1", place.path("..data")).unwrap();
            symlink("..data/jobs.toml", &new).unwrap();
            fs::rename(&new, &file).unwrap();
        }),
        ("swapped", &|text| {
            fs::create_dir(place.path("..2")).unwrap();
            fs::write(place.path("..2/jobs.toml"), text).unwrap();
            symlink("..2", place.path("..tmp")).unwrap();
            fs::rename(place.path("..tmp"), place.path("..data")).unwrap();
            fs::remove_dir_all(place.path("..1")).unwrap();
        }),
        ("elsewhere", &|text| {
            fs::create_dir(&conf).unwrap();
            fs::write(conf.join("jobs.toml"), text).unwrap();
            symlink("conf/jobs.toml", &new).unwrap();
            fs::rename(&new, &file).unwrap();
        }),
    ];
    for (way, write) in ways {
        write(&marked(way));
        in_force(&place, &format!("echo {way}"));
    }
    // Its folder goes, and comes again.
    fs::remove_dir_all(&conf).unwrap();
    assert!(trouble(&place).contains("there is no file"), "{}", trouble(&place));
    fs::create_dir(&conf).unwrap();
    fs::write(conf.join("jobs.toml"), marked("again")).unwrap();
    in_force(&place, "echo again");
    no_trouble(&place);
    fs::rename(&conf, place.path("old")).unwrap();
    fs::create_dir(&conf).unwrap();
    fs::write(conf.join("jobs.toml"), marked("anew")).unwrap();
    in_force(&place, "echo anew");
    // What is touched, and what is written as it was, is no news; neither is what others do in the folder.
    let before = reloads(&place);
    fs::File::open(conf.join("jobs.toml")).unwrap().set_modified(std::time::SystemTime::now()).unwrap();
    fs::write(conf.join("jobs.toml"), marked("anew")).unwrap();
    fs::write(conf.join("other.toml"), "nonsense").unwrap();
    fs::write(conf.join("jobs.toml"), format!("{}# a remark\n", marked("anew"))).unwrap();
    in_force(&place, "a remark");
    assert_eq!(reloads(&place), before + 1, "{}", place.log());
    logged(&place, "reloaded: nothing has changed");
    assert_eq!(daemon.stop(), Some(0));
    place.audit();
}

#[test]
fn who_never_stops_writing_is_read_all_the_same() {
    let place = Place::new(&marked("first"));
    let daemon = place.start();
    in_force(&place, "first");
    let is_over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0;
            while !is_over.load(Ordering::Relaxed) {
                number += 1;
                fs::write(place.path("new"), marked(&format!("busy-{number}"))).unwrap();
                fs::rename(place.path("new"), place.path("jobs.toml")).unwrap();
                std::thread::sleep(Duration::from_millis(50));
            }
        });
        in_force(&place, "busy-");
        is_over.store(true, Ordering::Relaxed);
    });
    // Of a hundred files only some were taken.
    assert!(reloads(&place) < 4, "{}", place.log());
    daemon.stop();
}

#[test]
fn what_is_half_written_is_not_taken() {
    let whole = marked("whole");
    let place = Place::new(&whole);
    let daemon = place.start();
    for _ in 0..20 {
        // An empty file is a right one, without a job.
        let mut file = fs::File::create(place.path("jobs.toml")).unwrap();
        daemon.signal("HUP");
        file.write_all(whole.as_bytes()).unwrap();
    }
    place.write_jobs(&marked("other"));
    in_force(&place, "other");
    let log = place.log();
    assert!(log.contains("reloaded: ") && !log.contains("removed") && !log.contains("added"), "{log}");
    drop(daemon);
}

#[test]
fn a_wrong_file_changes_nothing_and_says_so_until_it_is_mended() {
    let good = "[jobs.tick]\nschedule = 'every 1s'\ncommand = 'true'\n";
    let place = Place::new(good);
    let daemon = place.start();
    place.ended("tick");
    for (wrong, expect) in [
        ("[jobs.tick\n", "this header is not closed"),
        ("[jobs.tick]\nschedule = '61 * * * *'\ncommand = 'true'\n", "61"),
        ("[jobs.tick]\nschedule = 'every 1s'\ntiemout = '1h'\ncommand = 'true'\n", "did you mean `timeout`?"),
        ("include = ['no.toml']\n", "there is no file"),
        ("[daemon]\nmax_running = 0\n", "max_running"),
    ] {
        place.write_jobs(wrong);
        wait(expect, || trouble(&place).contains(expect).then_some(()));
        let message = trouble(&place);
        assert!(message.contains("jobs.toml"), "{message}");
        logged(&place, expect);
        assert!(place.text(&["status"]).contains("not in force since"), "{}", place.text(&["status"]));
        let check = place.run(&["check"]);
        assert_eq!(check.status.code(), Some(1), "{}", String::from_utf8_lossy(&check.stdout));
        let diff = place.run(&["diff"]);
        assert_eq!(diff.status.code(), Some(2));
        let before = place.entries_of("tick").len();
        wait("the old jobs going on", || (place.entries_of("tick").len() > before).then_some(()));
    }
    // A pipe keeps nobody waiting.
    fs::remove_file(place.path("jobs.toml")).unwrap();
    assert!(Command::new("mkfifo").arg(place.path("jobs.toml")).status().unwrap().success());
    wait("the pipe", || trouble(&place).contains("is no regular file").then_some(()));
    fs::remove_file(place.path("jobs.toml")).unwrap();
    fs::create_dir(place.path("jobs.toml")).unwrap();
    wait("the folder", || trouble(&place).contains("is a folder").then_some(()));
    fs::remove_dir(place.path("jobs.toml")).unwrap();
    // The very text that is in force ends it.
    place.write_jobs(good);
    no_trouble(&place);
    logged(&place, "is right again");
    assert_eq!(reloads(&place), 0, "{}", place.log());
    assert_eq!(place.definitions("tick"), 1);
    daemon.stop();
    place.audit();
}

#[test]
fn a_scheduler_that_comes_after_goes_on_with_all_that_was_in_force() {
    let place = Place::new("include = ['jobs.d/*']\n");
    fs::create_dir(place.path("jobs.d")).unwrap();
    fs::write(place.path("jobs.d/tick.toml"), "[jobs.tick]\nschedule = 'every 1s'\ncommand = 'true'\n").unwrap();
    let daemon = place.start();
    place.ended("tick");
    fs::write(place.path("jobs.d/tick.toml"), "[jobs.tick]\nschedule = 'every'\n").unwrap();
    trouble(&place);
    support::signal_process(daemon.scheduler(), "KILL");
    logged(&place, "goes on with another scheduler");
    let before = place.entries_of("tick").len();
    wait("the old jobs going on", || (place.entries_of("tick").len() > before).then_some(()));
    // The new one has seen for itself that it is wrong.
    wait("its own complaint", || (place.log().matches("the jobs stay as they were").count() > 1).then_some(()));
    assert!(trouble(&place).contains("jobs.d/tick.toml:2"), "{}", trouble(&place));
    daemon.stop();
    place.audit();
}

#[test]
fn what_is_included_is_watched_as_well() {
    let place = Place::new("include = ['jobs.d/*.toml', 'one.toml']\n[calendars.closed]\nfile = 'closed.ics'\n");
    let job = |name: &str, word: &str| format!("[jobs.{name}]\nschedule = '0 0 29 2 *'\ncommand = 'echo {word}'\n");
    fs::write(place.path("one.toml"), job("one", "one")).unwrap();
    let calendar = |day: &str| {
        format!(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:1\r\nDTSTAMP:20260101T000000Z\r\nDTSTART;VALUE=DATE:{day}\r\nSUMMARY:x\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
    };
    fs::write(place.path("closed.ics"), calendar("20261225")).unwrap();
    let daemon = place.start();
    in_force(&place, "echo one");
    // The folder is not there yet; then a file comes, changes, and goes.
    fs::create_dir(place.path("jobs.d")).unwrap();
    fs::write(place.path("jobs.d/two.toml"), job("two", "two")).unwrap();
    logged(&place, "reloaded: 1 added (two)");
    fs::write(place.path("jobs.d/two.toml"), job("two", "second")).unwrap();
    logged(&place, "reloaded: 1 changed (two)");
    fs::write(place.path("jobs.d/.hidden.toml"), "nonsense").unwrap();
    fs::write(place.path("jobs.d/three.toml"), job("one", "three")).unwrap();
    wait("the name that is there twice", || trouble(&place).contains("stands in").then_some(()));
    fs::rename(place.path("jobs.d/three.toml"), place.path("jobs.d/three.off")).unwrap();
    no_trouble(&place);
    fs::remove_file(place.path("jobs.d/two.toml")).unwrap();
    logged(&place, "reloaded: 1 removed (two)");
    // What is named anew is watched from then on.
    fs::create_dir(place.path("more")).unwrap();
    fs::write(place.path("more/x.toml"), job("x", "x")).unwrap();
    place.write_jobs("include = ['more/*.toml']\n[calendars.closed]\nfile = 'closed.ics'\n");
    logged(&place, "reloaded: 1 added (x), 1 removed (one)");
    fs::write(place.path("more/x.toml"), format!("{}not_on = 'closed'\n", job("x", "xx"))).unwrap();
    logged(&place, "reloaded: 1 changed (x)");
    fs::write(place.path("closed.ics"), calendar("20261226")).unwrap();
    wait("the calendar", || (place.log().matches("reloaded: 1 changed (x)").count() == 2).then_some(()));
    daemon.stop();
    place.audit();
}

#[test]
fn what_runs_ends_as_it_began() {
    let job = |word: &str| {
        format!(
            "[jobs.job]\nschedule = '@start'\ncwd = '.'\ncommand = 'echo {word}; while [ ! -e go ]; do sleep 0.02; done; echo {word}'\n"
        )
    };
    let place = Place::new(&job("old"));
    let daemon = place.start();
    place.wait_for("job", |entry| entry["state"] == "running" && !entry["started"].is_null());
    fs::write(place.path("draft.toml"), job("new")).unwrap();
    let diff = place.json_of_diff(&[place.path("draft.toml").to_str().unwrap()]);
    assert_eq!(diff["jobs"][0]["runs"][0]["effect"], "goes-on");
    place.write_jobs(&job("new"));
    logged(&place, "reloaded: 1 changed (job)");
    place.write_jobs("");
    logged(&place, "reloaded: 1 removed (job)");
    fs::write(place.path("go"), "").unwrap();
    assert_eq!(place.ended("job")["outcome"], "succeeded");
    assert_eq!(place.text(&["logs", "job"]), "old\nold\n");
    assert_eq!(place.history().len(), 1, "nothing starts because it was edited");
    let events = place.ask("SELECT group_concat(detail, '; ') FROM events WHERE kind = 3");
    assert_eq!(events, "reloaded: 1 changed (job); reloaded: 1 removed (job)");
    daemon.stop();
    place.audit();
}

trait Diff {
    fn json_of_diff(&self, arguments: &[&str]) -> Value;
}

impl Diff for Place {
    fn json_of_diff(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = ["diff", "--json"].iter().chain(arguments).copied().collect();
        let output = self.run(&arguments);
        assert!(output.status.code().is_some_and(|code| code < 2), "{}", String::from_utf8_lossy(&output.stderr));
        serde_json::from_slice(&output.stdout).unwrap()
    }
}

/// A job of every second with a name, and the name that it had.
fn tick(name: &str, formerly: &str) -> String {
    let formerly = if formerly.is_empty() { String::new() } else { format!("formerly = '{formerly}'\n") };
    format!("[jobs.{name}]\n{formerly}schedule = 'every 1s'\ncommand = 'true'\n")
}

fn more_of(place: &Place, job: &str) -> usize {
    let before = place.entries_of(job).len();
    wait(&format!("more of {job}"), || Some(place.entries_of(job).len()).filter(|count| *count > before))
}

#[test]
fn a_renamed_job_keeps_its_history() {
    let place = Place::new(&tick("a", ""));
    let daemon = place.start();
    more_of(&place, "a");
    place.write_jobs(&tick("b", "a"));
    logged(&place, "reloaded: 1 renamed (a to b)");
    let count = more_of(&place, "b");
    assert!(count >= 2 && place.entries_of("a").is_empty());
    assert_eq!(place.definitions("b"), 1, "the definition goes on");
    // Renamed while nobody was there, twice.
    daemon.stop();
    place.write_jobs(&tick("c", "b"));
    let daemon = place.start();
    assert!(more_of(&place, "c") >= count);
    assert!(place.entries_of("b").is_empty());
    assert_eq!(place.definitions("c"), 1);
    // First the name, and only then that it had another one.
    place.write_jobs(&tick("d", ""));
    logged(&place, "reloaded: 1 added (d), 1 removed (c)");
    let count = place.entries_of("c").len();
    more_of(&place, "d");
    place.write_jobs(&tick("d", "c"));
    wait("what c had", || place.entries_of("c").is_empty().then_some(()));
    assert!(place.entries_of("d").len() > count);
    assert_eq!(place.ask("SELECT group_concat(name) FROM jobs"), "d");
    daemon.stop();
    place.audit();
}

#[test]
fn who_had_the_name_before_is_set_aside() {
    let place = Place::new(&format!("{}{}", tick("a", ""), tick("b", "")));
    let daemon = place.start();
    more_of(&place, "a");
    more_of(&place, "b");
    place.write_jobs(&tick("a", ""));
    logged(&place, "reloaded: 1 removed (b)");
    let of_b = place.entries_of("b").len();
    more_of(&place, "a");
    place.write_jobs(&tick("b", "a"));
    logged(&place, "what it has of it is called b.1 from now on");
    more_of(&place, "b");
    assert_eq!(place.entries_of("b.1").len(), of_b);
    // Two that went on beside each other are two jobs.
    place.write_jobs(&format!("{}{}", tick("b", ""), tick("c", "")));
    more_of(&place, "c");
    place.write_jobs(&tick("c", "b"));
    logged(&place, "reloaded: 1 removed (b)");
    let of_b = place.entries_of("b").len();
    more_of(&place, "c");
    assert_eq!(place.entries_of("b").len(), of_b);
    // One that has no instants now is the one that the file had all the same.
    place.write_jobs(&tick("c", "").replace("schedule", "enabled = false\nschedule"));
    logged(&place, "reloaded: 1 changed (c)");
    let of_c = place.entries_of("c").len();
    place.write_jobs(&tick("b", "c"));
    logged(&place, "what it has of it is called b.2 from now on");
    assert!(more_of(&place, "b") >= of_c && place.entries_of("c").is_empty());
    assert_eq!(place.entries_of("b.2").len(), of_b);
    daemon.stop();
    place.audit();
}

#[test]
fn settings_that_need_a_start_say_so() {
    let place = Place::new(&marked("x"));
    let daemon = place.start();
    in_force(&place, "echo x");
    let text = format!("[daemon]\nmax_running = 3\nretention = {{ keep = '5d' }}\n{}", marked("x"));
    fs::write(place.path("draft.toml"), &text).unwrap();
    let diff = place.json_of_diff(&[place.path("draft.toml").to_str().unwrap()]);
    let settings: Vec<(&str, &str, &str, bool)> = diff["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|s| {
            (
                s["key"].as_str().unwrap(),
                s["old"].as_str().unwrap(),
                s["new"].as_str().unwrap(),
                s["at_next_start"].as_bool().unwrap(),
            )
        })
        .collect();
    assert_eq!(settings, [("daemon.max_running", "64", "3", false), ("daemon.retention.keep", "90d", "5d", true)]);
    place.write_jobs(&text);
    logged(&place, "[daemon] retention.keep takes effect at the next start");
    wait("status", || (daemon_report(&place)["at_next_start"][0] == "retention.keep").then_some(()));
    assert!(place.text(&["status"]).contains("until it starts again: [daemon] retention.keep"));
    // Nothing to wait for where it was taken back.
    place.write_jobs(&marked("x"));
    wait("status", || daemon_report(&place)["at_next_start"][0].is_null().then_some(()));
    daemon.stop();
}

#[test]
fn a_difference_is_shown_before_it_is_made() {
    let place = Place::new("[jobs.a]\nschedule = '0 9 * * *'\ncommand = './a'\n[jobs.b]\ncommand = 'b'\n");
    let exit = |arguments: &[&str]| place.run(arguments).status.code();
    // Nobody has run here.
    assert_eq!(exit(&["diff"]), Some(1));
    let daemon = place.start();
    in_force(&place, "./a");
    assert_eq!(exit(&["diff"]), Some(0));
    assert_eq!(place.json_of_diff(&[])["jobs"], serde_json::json!([]));
    // A file elsewhere, as if it stood here; relative paths are the same.
    fs::create_dir_all(place.path("draft/jobs.d")).unwrap();
    let text =
        "include = 'jobs.d/*'\n[jobs.a]\nschedule = '0 10 * * *'\nenv = { API_TOKEN = 'hush' }\ncommand = './a'\n";
    fs::write(place.path("draft/jobs.toml"), text).unwrap();
    fs::write(place.path("draft/jobs.d/c.toml"), "[jobs.c]\ncwd = 'x'\ncommand = 'c'\n").unwrap();
    let draft = place.path("draft/jobs.toml").display().to_string();
    let diff = place.json_of_diff(&[&draft]);
    assert!(diff["since"].is_string());
    let edits: Vec<String> =
        diff["jobs"].as_array().unwrap().iter().map(|job| format!("{} {}", job["job"], job["edit"])).collect();
    assert_eq!(edits, ["\"a\" \"changed\"", "\"c\" \"added\"", "\"b\" \"removed\""]);
    assert_eq!(diff["jobs"][0]["keys"][0], serde_json::json!({"key":"schedule","old":"0 9 * * *","new":"0 10 * * *"}));
    assert_eq!(diff["jobs"][0]["next_after"].as_array().unwrap().len(), 3);
    let cwd = &diff["jobs"][1]["keys"][1];
    assert_eq!(
        (&cwd["key"], cwd["new"].as_str().unwrap()),
        (&"cwd".into(), &*place.path("jobs.d/x").display().to_string())
    );
    let output = place.run(&["diff", &draft]);
    let shown = String::from_utf8(output.stdout).unwrap();
    assert!(!shown.contains("hush") && shown.contains("env.API_TOKEN: ***"), "{shown}");
    assert!(shown.ends_with("1 changed (a), 1 added (c), 1 removed (b)\n"), "{shown}");
    // A wrong one says where.
    fs::write(place.path("draft/jobs.d/c.toml"), "[jobs.c]\ncomand = 'c'\n").unwrap();
    let output = place.run(&["diff", &draft]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        String::from_utf8_lossy(&output.stderr).contains("jobs.d/c.toml:2:1"),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    assert_eq!(exit(&["diff", "nowhere.toml"]), Some(2));
    daemon.stop();
    // What was in force last is compared with when nobody runs.
    assert_eq!(exit(&["diff"]), Some(0));
    fs::rename(place.path("jobs.toml"), place.path("gone")).unwrap();
    assert_eq!(exit(&["diff", "gone"]), Some(0));
    // A ledger from before that was kept.
    place.execute("DROP TABLE in_force");
    place.execute("DELETE FROM _sqlx_migrations WHERE version = 14");
    assert_eq!(exit(&["diff", "gone"]), Some(1));
    fs::rename(place.path("gone"), place.path("jobs.toml")).unwrap();
    let daemon = place.start();
    in_force(&place, "./a");
    assert_eq!(exit(&["diff"]), Some(0));
    daemon.stop();
}

#[test]
fn systemd_is_told_of_a_reload() {
    let place = Place::new(&marked("x"));
    let path = place.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    socket.set_read_timeout(Some(support::DEADLINE)).unwrap();
    let mut command = place.command(&["daemon"]);
    command.env("NOTIFY_SOCKET", &path).stderr(Stdio::null());
    let daemon = place.own(&mut command);
    let heard = |wanted: &str| -> String {
        let mut buffer = [0; 4096];
        loop {
            let length = socket.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted} was not said: {error}"));
            let text = std::str::from_utf8(&buffer[..length]).unwrap();
            if text.lines().any(|line| line.starts_with(wanted)) {
                return text.to_owned();
            }
        }
    };
    heard("READY=1");
    for text in [marked("y"), "[jobs.job".to_owned(), marked("y")] {
        place.write_jobs(&text);
        daemon.signal("HUP");
        let text = heard("RELOADING=1");
        let stamp = text.lines().find_map(|line| line.strip_prefix("MONOTONIC_USEC=")).unwrap();
        assert!(stamp.parse::<u64>().unwrap() > 0);
        heard("READY=1");
    }
    place.write_jobs("[jobs.job");
    assert!(heard(&format!("STATUS={} is wrong; ", place.path("jobs.toml").display())).contains("1 jobs"));
    stop(daemon);
}

fn stop(daemon: Daemon) {
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn root_takes_no_file_that_others_can_write() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let place = Place::new(&marked("x"));
    let set = |path: &Path, mode: u32| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    let file = place.path("jobs.toml");
    set(&file, 0o666);
    let output = place.run(&["daemon"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("everybody can write to") && said.contains("chmod go-w"), "{said}");
    // Who asks is told; and what is only asked about is read all the same.
    let check = String::from_utf8(place.run(&["check"]).stdout).unwrap();
    assert!(check.contains("is not taken by a daemon that runs as root"), "{check}");
    assert!(place.run(&["next"]).status.success());
    set(&file, 0o644);
    let daemon = place.start();
    in_force(&place, "echo x");
    set(&file, 0o666);
    place.write_jobs(&marked("y"));
    assert!(trouble(&place).contains("everybody can write"), "{}", trouble(&place));
    let check = place.run(&["check"]);
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.code() == Some(1) && said.contains("error: ") && said.contains("is wrong: 1 error"), "{said}");
    let said = String::from_utf8_lossy(&place.run(&["reload"]).stderr).into_owned();
    assert!(said.contains("everybody can write"), "{said}");
    set(&file, 0o644);
    in_force(&place, "echo y");
    no_trouble(&place);
    set(place.folder.path(), 0o777);
    daemon.signal("HUP");
    wait("the folder", || trouble(&place).contains("can write to").then_some(()));
    set(place.folder.path(), 0o755);
    daemon.signal("HUP");
    no_trouble(&place);
    daemon.stop();
}

#[test]
fn a_large_file_is_taken_in_time() {
    let many = |word: &str| -> String {
        (0..5_000).fold(String::new(), |mut text, number| {
            use std::fmt::Write;
            write!(text, "[jobs.j{number}]\nschedule = '{} 3 29 2 *'\ncommand = '{word}'\n", number % 60).unwrap();
            text
        })
    };
    let place = Place::new(&many("one"));
    let daemon = place.start();
    in_force(&place, "one");
    let begin = Instant::now();
    place.write_jobs(&many("two").replacen("two", "three", 1));
    logged(&place, "5000 changed (j0, j1, j2, j3, j4 and 4995 more)");
    assert!(begin.elapsed() < support::DEADLINE);
    daemon.stop();
}

#[test]
fn what_is_in_force_answers_and_not_the_file() {
    let status = "\"$PUNCTUAL\" status --json";
    let text = format!(
        "[jobs.nine]\nschedule = '0 9 * * *'\ncommand = 'true'\n[jobs.long]\ncommand = 'sleep 600'\n\
         [jobs.inside]\ncommand = '{status}'\n"
    );
    let place = Place::new(&text);
    let mut command = place.command(&["daemon"]);
    let log = fs::File::create(place.path("log")).unwrap();
    let daemon = place.own(command.env("TZ", "Pacific/Apia").stderr(log));
    in_force(&place, "sleep 600");
    // The machine's zone is the daemon's.
    let nine = |arguments: &[&str]| place.text(arguments);
    let next = place.json(&["next", "nine", "-n", "1"]);
    assert_eq!(next[0]["timezone"], "Pacific/Apia", "{next}");
    assert_eq!(place.run(&["diff"]).status.code(), Some(0));
    // A job finds its daemon.
    place.run(&["run", "inside", "--wait"]);
    let pid = format!("\"pid\":{}", daemon.pid());
    assert!(nine(&["logs", "inside"]).replace(": ", ":").contains(&pid), "{}", nine(&["logs", "inside"]));
    // A wrong file, and none.
    let before = place.json(&["status", "nine"])["jobs"][0]["next"].clone();
    place.write_jobs("[jobs.nine]\nschedule = '61 * * * *'\n");
    trouble(&place);
    let output = place.run(&["status"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout);
    assert!(said.contains("not in force since") && !said.contains("punctual check says"), "{said}");
    for verb in [&["next", "nine"][..], &["plan"], &["show", "nine"], &["why", "nine"]] {
        assert_eq!(place.run(verb).status.code(), Some(0), "{verb:?}");
    }
    fs::remove_file(place.path("jobs.toml")).unwrap();
    assert_eq!(place.json(&["status", "nine"])["jobs"][0]["next"], before);
    assert!(before.is_string() && nine(&["show", "nine"]).contains("0 9 * * *"));
    // Another file than the daemon's.
    let other = place.path("other.toml");
    fs::write(&other, marked("other")).unwrap();
    let with_other = |verb: &str| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_punctual"));
        command.env("TZ", "UTC").arg("--config").arg(&other).arg("--state").arg(place.path("state")).arg(verb);
        let output = command.output().unwrap();
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
    };
    let runs = format!("this daemon runs {}", place.path("jobs.toml").display());
    for verb in ["status", "reload"] {
        let said = with_other(verb);
        assert!(said.contains(&runs) && !said.contains("in force\n"), "{said}");
    }
    // A job that is gone, and still goes.
    place.run(&["run", "long"]);
    place.wait_for("long", |entry| entry["state"] == "running");
    place.write_jobs(&marked("alone"));
    in_force(&place, "echo alone");
    let said = nine(&["status"]);
    assert!(said.split("no longer in the file:").nth(1).is_some_and(|gone| gone.contains("long")), "{said}");
    let said = nine(&["stop", "long", "--kill"]);
    assert!(said.contains("long is no longer in the file"), "{said}");
    daemon.stop();
}

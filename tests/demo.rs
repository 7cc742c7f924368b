//! The ledger of a week that never was: believable, whole, always the same for one seed, and open to every question.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// A Monday in winter: no clock changes within the week before it.
const UNTIL: &str = "2026-11-23T12:00:00Z";

/// A demo in a folder of its own.
struct Demo {
    folder: TempDir,
}

impl Demo {
    fn make(arguments: &[&str]) -> (Self, Value) {
        let demo = Self { folder: tempfile::tempdir().unwrap() };
        let output = demo.demo(arguments);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        (demo, serde_json::from_slice(&output.stdout).unwrap())
    }

    fn demo(&self, arguments: &[&str]) -> Output {
        let mut command = command(&["demo", "--json", "--until", UNTIL]);
        command.arg("--into").arg(self.path("")).args(arguments).output().unwrap()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("made").join(name)
    }

    fn run(&self, arguments: &[&str]) -> Output {
        let mut command = command(arguments);
        command.arg("--state").arg(self.path("")).arg("--config").arg(self.path("jobs.toml"));
        command.output().unwrap()
    }

    fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.text(&arguments)).unwrap()
    }

    fn history(&self) -> Vec<Value> {
        self.json(&["history", "-n", "100000"]).as_array().unwrap().clone()
    }

    /// Statements on the database itself; the answer is the first text of the last one.
    fn sql(&self, statements: &[&str]) -> String {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.path("punctual.db"));
            let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
            let mut answer = String::new();
            for statement in statements {
                let query = sqlx::query_scalar(sqlx::AssertSqlSafe((*statement).to_owned()));
                answer = query.fetch_optional(&pool).await.unwrap().unwrap_or_default();
            }
            pool.close().await;
            answer
        })
    }
}

fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_punctual"));
    command.args(arguments).env("TZ", "UTC").env_remove("STATE_DIRECTORY").env_remove("PUNCTUAL_CONFIG");
    command.stdin(Stdio::null());
    command
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

fn micros(value: &Value) -> i64 {
    text(value).parse::<jiff::Timestamp>().unwrap().as_microsecond()
}

#[test]
fn a_week_has_everything_and_answers_every_question() {
    let (demo, made) = Demo::make(&[]);
    assert_eq!((made["jobs"].as_i64(), text(&made["until"])), (Some(16), "2026-11-23T12:00:00.000000Z"));
    assert_eq!(demo.sql(&["PRAGMA integrity_check"]), "ok");
    assert_eq!(demo.sql(&["SELECT CAST(count(*) AS TEXT) FROM pragma_foreign_key_check"]), "0");
    let entries = demo.history();
    let runs = entries.iter().filter(|entry| entry["count"] == 1 && entry["due_last"].is_null()).count();
    assert_eq!(made["runs"].as_u64(), Some(runs as u64));
    assert!((13_000..16_000).contains(&runs), "{runs}");
    has_everything(&entries);
    every_minute_is_accounted_for(&entries);
    answers(&demo, &entries);
    is_left_alone(&demo);
}

fn has_everything(entries: &[Value]) {
    let words = |key: &str| -> BTreeSet<String> { entries.iter().map(|entry| text(&entry[key]).to_owned()).collect() };
    assert_eq!(words("state"), ["ended".to_owned()].into());
    let outcomes = ["failed", "lost", "missed", "not-started", "skipped", "stopped", "succeeded", "timed-out"];
    assert_eq!(words("outcome"), outcomes.map(str::to_owned).into());
    let reasons = [
        "by-hand",
        "calendar",
        "changed",
        "daemon-down",
        "exit-code",
        "needs",
        "no-program",
        "overlap",
        "signal",
        "timeout",
    ];
    let missing: Vec<_> = reasons.iter().filter(|reason| !words("reason").contains(**reason)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    let causes = words("cause");
    assert!(["schedule", "catch-up", "start", "dependency"].iter().all(|cause| causes.contains(*cause)), "{causes:?}");
    assert!(entries.iter().any(|entry| entry["attempts"].as_i64() > Some(2)));
    assert!(entries.iter().any(|entry| entry["waited"].as_f64() > Some(10.0)), "two share a pool");
    assert!(entries.iter().all(|entry| entry["late"].is_null() || entry["late"].as_f64() > Some(0.0)));
    // No instant twice.
    let instants: Vec<_> = entries
        .iter()
        .filter(|entry| ["schedule", "catch-up"].contains(&text(&entry["cause"])))
        .map(|entry| (text(&entry["job"]), text(&entry["due"])))
        .collect();
    assert_eq!(instants.iter().collect::<BTreeSet<_>>().len(), instants.len());
}

/// Also those while the daemon was down, which are entries of a count.
fn every_minute_is_accounted_for(entries: &[Value]) {
    const MINUTE: i64 = 60_000_000;
    let mut expect = None;
    for entry in entries.iter().filter(|entry| entry["job"] == "health") {
        let first = micros(&entry["due"]);
        let last = if entry["due_last"].is_null() { first } else { micros(&entry["due_last"]) };
        assert_eq!(first, expect.unwrap_or(first), "{entry}");
        assert_eq!(entry["count"].as_i64(), Some((last - first) / MINUTE + 1), "{entry}");
        expect = Some(last + MINUTE);
    }
    // Up to the last minutes, in which this daemon has stopped as well.
    let until = micros(&Value::from(UNTIL));
    assert!(expect.unwrap() > until - 10 * MINUTE && expect.unwrap() <= until + MINUTE);
}

fn answers(demo: &Demo, entries: &[Value]) {
    assert!(demo.text(&["check", "--strict"]).contains("is right"));
    assert!(demo.text(&["status"]).contains("backup"));
    assert!(demo.text(&["plan", "--days", "1", "--from", UNTIL]).contains("to wait for a place or a pool"));
    assert_eq!(demo.json(&["next", "backup", "--from", UNTIL]).as_array().unwrap().len(), 5);
    let failed = entries.iter().rfind(|entry| entry["job"] == "backup" && entry["outcome"] == "failed").unwrap();
    let output = demo.text(&["logs", &failed["run"].to_string()]);
    assert!(output.contains("No space left on device"), "{output}");
    // Steps of which one was tried again, and what always runs.
    let etl = entries.iter().rfind(|entry| entry["job"] == "etl" && entry["outcome"] == "failed").unwrap();
    let etl = demo.json(&["show", &etl["run"].to_string()]);
    let steps: Vec<(&str, i64, &str)> = etl["steps"]
        .as_array()
        .unwrap()
        .iter()
        .map(|step| (text(&step["step"]), step["step_attempt"].as_i64().unwrap(), text(&step["outcome"])))
        .collect();
    let expect = [
        ("extract", 1, "succeeded"),
        ("transform", 1, "failed"),
        ("transform", 2, "failed"),
        ("load", 1, "skipped"),
        ("cleanup", 1, "succeeded"),
    ];
    assert_eq!(steps, expect);
    // A large price list, of whose output the middle was not kept.
    let large = entries.iter().rfind(|entry| entry["output_bytes"].as_i64() > Some(1_000_000)).unwrap();
    assert!(demo.text(&["logs", &large["run"].to_string()]).contains("were not kept"));
    let shown = demo.json(&["show", &large["run"].to_string()]);
    let whats: Vec<&str> = shown["differences"].as_array().unwrap().iter().map(|one| text(&one["what"])).collect();
    assert!(["duration", "cpu", "output_bytes"].iter().all(|what| whats.contains(what)), "{shown}");
    assert!(demo.text(&["show", &large["run"].to_string()]).contains("× as long as usual ("));
    answers_stats(demo, entries);
}

fn answers_stats(demo: &Demo, entries: &[Value]) {
    insta::assert_snapshot!(demo.text(&["stats", "backup", "--color", "never"]), @"
    backup: 7 runs since 2026-11-17 02:30:00
           success  71.4 %
          outcomes  5 succeeded, 1 failed, 1 lost
              took  p50 4m 12s, p95 4m 29s, p99 4m 29s, max 4m 29s (of 5)
              late  p50 1.6 ms, p95 2.0 ms, p99 2.0 ms, max 2.0 ms (of 7)
               cpu  14m 35s, 2m 26s a run
         last runs  ██✗▇█✗▇
    ");
    let stats = demo.json(&["stats"]);
    let mut counted: BTreeMap<&str, u64> = BTreeMap::new();
    for entry in entries {
        *counted.entry(text(&entry["outcome"])).or_default() += entry["count"].as_u64().unwrap();
    }
    let all = stats["all"]["outcomes"].as_object().unwrap();
    assert_eq!(
        all.iter().map(|(word, count)| (word.as_str(), count.as_u64().unwrap())).collect::<BTreeMap<_, _>>(),
        counted
    );
    let report = stats["jobs"].as_array().unwrap().iter().find(|job| job["job"] == "report").unwrap();
    let mut took: Vec<f64> = entries
        .iter()
        .filter(|entry| entry["job"] == "report" && entry["outcome"] == "succeeded")
        .map(|entry| entry["duration"].as_f64().unwrap())
        .collect();
    took.sort_by(f64::total_cmp);
    let rank = |percent: usize| took[(took.len() * percent).div_ceil(100) - 1];
    let expect =
        serde_json::json!({"p50": rank(50), "p95": rank(95), "p99": rank(99), "max": rank(100), "of": took.len()});
    assert_eq!(report["duration"], expect);
    assert_eq!(report["last"].as_array().unwrap().len(), 30);
    let recent = demo.json(&["stats", "health", "--since", "2026-11-23T00:00:00Z"]);
    let runs =
        entries.iter().filter(|entry| entry["job"] == "health" && text(&entry["due"]) >= "2026-11-23T00:00:00").count();
    assert_eq!(recent["jobs"][0]["runs"].as_u64(), Some(runs as u64));
    let output = demo.run(&["stats", "helth"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("did you mean health?"));
}

fn is_left_alone(demo: &Demo) {
    let before = fs::read(demo.path("punctual.db")).unwrap();
    let output = demo.demo(&[]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("name another folder with --into"));
    assert!(fs::read(demo.path("punctual.db")).unwrap() == before);
}

/// What was pruned is in `stats` as counts, where the ledger has them.
#[test]
fn pruned_runs_count_in_stats() {
    let (demo, _) = Demo::make(&["--days", "1"]);
    let job = |demo: &Demo, since: &[&str]| {
        let arguments: Vec<&str> = ["stats", "health"].iter().chain(since).copied().collect();
        demo.json(&arguments)["jobs"][0].clone()
    };
    let before = job(&demo, &[]);
    assert_eq!(before["pruned"], 0);
    let hour = micros(&Value::from("2026-11-20T10:00:00Z")) / 3_600_000_000;
    let of_health = "(SELECT number FROM jobs WHERE name = 'health')";
    let row = |outcome: i64, instants: i64, others: i64, cpu: i64| {
        format!("INSERT INTO tallies VALUES ({of_health}, {hour}, {outcome}, {instants}, {others}, 5000000, {cpu})")
    };
    demo.sql(&[
        "CREATE TABLE IF NOT EXISTS tallies (job INTEGER, hour INTEGER, outcome INTEGER, instants INTEGER, others INTEGER,
         duration INTEGER, cpu INTEGER, PRIMARY KEY (job, hour, outcome)) STRICT, WITHOUT ROWID",
        &row(1, 50, 3, 7_000_000),
        &row(2, 5, 0, 0),
        &row(7, 9, 0, 0),
    ]);
    let after = job(&demo, &[]);
    let more = |key: &str| after[key].as_i64().unwrap() - before[key].as_i64().unwrap();
    assert_eq!((more("runs"), more("pruned")), (58, 58));
    let outcomes = |stats: &Value, word: &str| stats["outcomes"][word].as_i64().unwrap_or(0);
    let more = |word: &str| outcomes(&after, word) - outcomes(&before, word);
    assert_eq!(["succeeded", "failed", "skipped"].map(more), [53, 5, 9]);
    let cpu = |stats: &Value| stats["cpu"]["total"].as_f64().unwrap();
    assert!((cpu(&after) - cpu(&before) - 7.0).abs() < 1e-6);
    assert!(after["success_rate"].as_f64() < before["success_rate"].as_f64());
    assert_eq!(job(&demo, &["--since", "2026-11-20T10:00:00Z"])["pruned"], 58);
    assert_eq!(job(&demo, &["--since", "2026-11-20T10:00:01Z"])["pruned"], 0);
}

#[test]
fn one_seed_is_one_story() {
    let history = |seed: &str| Demo::make(&["--days", "1", "--seed", seed]).0.history();
    let one = history("1");
    assert!(one == history("1"), "the same seed, another story");
    assert!(one != history("2"), "another seed, the same story");
}

#[test]
fn as_many_runs_as_are_asked_for() {
    let (demo, made) = Demo::make(&["--runs", "3000"]);
    let runs = made["runs"].as_i64().unwrap();
    assert!((2_700..3_300).contains(&runs), "{runs}");
    assert_eq!(demo.sql(&["PRAGMA integrity_check"]), "ok");
    assert!(demo.sql(&["SELECT CAST(count(*) AS TEXT) FROM output"]).parse::<i64>().unwrap() > 2_000);
    let (silent, _) = Demo::make(&["--runs", "3000", "--silent"]);
    assert_eq!(silent.sql(&["SELECT CAST(count(*) AS TEXT) FROM output"]), "0");
    assert_eq!(silent.sql(&["SELECT CAST(sum(output_bytes) AS TEXT) FROM runs"]), "0");
}

#[test]
fn what_cannot_be_made_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    let output = command(&["demo", "--into"]).arg(folder.path().join("file/made")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("choose another folder with --into"));
    // Somebody's own file is not written over.
    fs::create_dir(folder.path().join("mine")).unwrap();
    fs::write(folder.path().join("mine/jobs.toml"), "mine").unwrap();
    let output = command(&["demo", "--into"]).arg(folder.path().join("mine")).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(fs::read_to_string(folder.path().join("mine/jobs.toml")).unwrap(), "mine");
    assert!(!folder.path().join("mine/punctual.db").exists());
}

/// Without `--into` it is a fresh folder each time, and it says what to type.
#[test]
fn a_fresh_folder_is_found_and_told() {
    let temporary = tempfile::tempdir().unwrap();
    for name in ["punctual-demo", "punctual-demo-2"] {
        let output = command(&["demo", "--days", "1"]).env("TMPDIR", temporary.path()).output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let folder = temporary.path().join(name);
        let said = String::from_utf8(output.stdout).unwrap();
        let (state, config) = (folder.display(), folder.join("jobs.toml"));
        let alias = format!("alias demo='punctual --state {state} --config {}'", config.display());
        assert!(said.contains(&alias) && said.contains("\ndemo history --failed "), "{said}");
        assert!(folder.join("punctual.db").exists());
    }
}

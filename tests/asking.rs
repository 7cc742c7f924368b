//! The ledger is asked through the real binary: filters, formats, output searched, SQL, and what a terminal shows.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::process::{Command, Output};

use jiff::{Timestamp, ToSpan, tz::TimeZone};
use punctual::run::RunId;
use punctual::settings::Retention;
use punctual::store::Store;
use serde_json::Value;
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;
use support::Place;

/// A ledger that is written by hand and asked through the binary.
struct Ledger {
    place: Place,
    store: Store,
    pool: SqlitePool,
}

/// How a run ended: outcome, reason, exit code.
type End = (i64, Option<i64>, Option<i64>);

const SUCCEEDED: End = (1, None, Some(0));
const FAILED: End = (2, Some(1), Some(3));
const TIMED_OUT: End = (3, Some(11), None);
const SKIPPED: End = (7, Some(15), None);

impl Ledger {
    async fn new() -> Self {
        let place = Place::new("[jobs.backup]\ncommand = 'true'\n");
        let store = Store::prepare(&place.database()).unwrap().open("host", "boot").await.unwrap();
        let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(place.database())).await.unwrap();
        sqlx::query("INSERT INTO jobs (name) VALUES ('backup'), ('mirror'), ('never')").execute(&pool).await.unwrap();
        Self { place, store, pool }
    }

    /// A run that took a second and ended so.
    async fn add(&self, job: &str, due: &str, end: End, output: &[u8]) -> i64 {
        let due = due.parse::<Timestamp>().unwrap().as_microsecond();
        let (outcome, reason, code) = end;
        let sql = "INSERT INTO runs (job, cause, due, state, outcome, reason, exit_code, started, ended, duration, \
                   attempts, output_bytes, host)
                   VALUES ((SELECT number FROM jobs WHERE name = $1), 1, $2, 3, $3, $4, $5, $2 + 1500, $2 + 1001500, \
                   1000000, 1, $6, 1) RETURNING run";
        let query = sqlx::query_scalar(sql).bind(job).bind(due).bind(outcome).bind(reason).bind(code);
        let run = query.bind(i64::try_from(output.len()).unwrap()).fetch_one(&self.pool).await.unwrap();
        if !output.is_empty() {
            self.write(run, 1, 0, output).await;
        }
        run
    }

    async fn write(&self, run: i64, attempt: i64, offset: i64, output: &[u8]) {
        let sql = "INSERT INTO output (run, attempt, \"offset\", stream, at, data) VALUES ($1, $2, $3, 1, 0, $4)";
        let query = sqlx::query(sql).bind(run).bind(attempt).bind(offset).bind(output);
        query.execute(&self.pool).await.unwrap();
    }

    async fn execute(&self, sql: &'static str) {
        sqlx::query(sql).execute(&self.pool).await.unwrap();
    }

    async fn number(&self, sql: &'static str) -> i64 {
        sqlx::query_scalar(sql).fetch_one(&self.pool).await.unwrap()
    }

    /// The runs that these flags of `history` find, oldest first.
    fn found(&self, flags: &[&str]) -> Vec<i64> {
        let arguments: Vec<&str> = ["history"].iter().chain(flags).copied().collect();
        let found = self.place.json(&arguments);
        found.as_array().unwrap().iter().map(|entry| entry["run"].as_i64().unwrap()).collect()
    }

    fn history(&self, flags: &[&str]) -> Output {
        let arguments: Vec<&str> = ["history"].iter().chain(flags).copied().collect();
        self.place.run(&arguments)
    }

    /// What is said of a question that is refused, and the exit code.
    fn refused(&self, flags: &[&str]) -> (Option<i32>, String) {
        let output = self.history(flags);
        assert!(output.stdout.is_empty(), "{flags:?}");
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    }

    /// Four days of two jobs: runs 1 to 6.
    async fn of_four_days() -> Self {
        let ledger = Self::new().await;
        ledger.add("backup", "2026-11-19T02:30:00Z", SUCCEEDED, b"all is well\n").await;
        ledger.add("backup", "2026-11-20T02:30:00Z", FAILED, b"No space left\n").await;
        ledger.add("mirror", "2026-11-20T03:00:00Z", TIMED_OUT, b"").await;
        let stretch = ledger.add("mirror", "2026-11-20T04:00:00Z", SKIPPED, b"").await;
        ledger.add("backup", "2026-11-21T02:30:00Z", SUCCEEDED, b"all is well, \"really\"\n").await;
        ledger.add("mirror", "2026-11-22T03:00:00Z", SUCCEEDED, b"").await;
        ledger.execute("UPDATE runs SET duration = 7200000000, cause = 5 WHERE run = 5").await;
        let sql = "UPDATE runs SET count = 30, due_last = due + 100000000000, detail = 'still, running' WHERE run = $1";
        sqlx::query(sql).bind(stretch).execute(&ledger.pool).await.unwrap();
        ledger
    }
}

#[tokio::test]
async fn a_row_of_failures_goes_back_to_the_last_success() {
    let ledger = Ledger::new().await;
    let standing = || {
        let status = ledger.place.json(&["status", "backup"]);
        let job = &status["jobs"][0];
        (job["last"]["run"].as_i64(), job["failures"].as_i64().unwrap())
    };
    assert_eq!(standing(), (None, 0));
    for (due, end, expect) in [
        ("2026-11-19T02:30:00Z", FAILED, 1),
        ("2026-11-20T02:30:00Z", SUCCEEDED, 0),
        ("2026-11-21T02:30:00Z", FAILED, 1),
        ("2026-11-21T02:30:01Z", SKIPPED, 1),
        ("2026-11-22T02:30:00Z", TIMED_OUT, 2),
        // By hand, and with the daemon.
        ("2026-11-22T03:30:00Z", (4, Some(12), None), 2),
        ("2026-11-22T04:30:00Z", (4, Some(14), None), 3),
        ("2026-11-23T02:30:00Z", SUCCEEDED, 0),
    ] {
        let run = ledger.add("backup", due, end, b"").await;
        ledger.add("mirror", due, FAILED, b"").await;
        assert_eq!(standing(), (Some(run), expect), "{due}");
    }
    let failing = |flags: &[&str]| ledger.place.json(flags)["jobs"].as_array().unwrap().len();
    assert_eq!(failing(&["status", "--failed"]), 0, "of jobs in the file");
    ledger.add("backup", "2026-11-24T02:30:00Z", FAILED, b"").await;
    assert_eq!(failing(&["status", "--failed"]), 1);
}

#[tokio::test]
async fn filters_find_and_combine() {
    let ledger = Ledger::of_four_days().await;
    for (flags, expect) in [
        (&[][..], &[1, 2, 3, 4, 5, 6][..]),
        (&["backup"], &[1, 2, 5]),
        (&["backup", "mirror", "-n", "2"], &[5, 6]),
        (&["--failed"], &[2, 3]),
        (&["--failed", "mirror"], &[3]),
        (&["--outcome", "succeeded,skipped", "mirror"], &[4, 6]),
        (&["--outcome", "running"], &[]),
        (&["--reason", "timeout"], &[3]),
        (&["--cause", "manual"], &[5]),
        (&["--longer-than", "1h 30m"], &[5]),
        (&["--longer-than", "2h"], &[]),
        (&["--exit-code", "3"], &[2]),
        (&["--exit-code", "0", "--until", "2026-11-19"], &[1]),
        // The stretch of the 20th reaches into the 21st.
        (&["--since", "2026-11-21"], &[4, 5, 6]),
        (&["--since", "2026-11-21", "mirror", "--outcome", "skipped"], &[4]),
        (&["--since", "2026-11-21 12:00", "mirror"], &[6]),
        (&["--until", "2026-11-20"], &[1, 2, 3, 4]),
        (&["--until", "2026-11-20 03:00"], &[1, 2, 3]),
        (&["--since", "nov 20 2026", "--until", "20 nov 2026", "--failed"], &[2, 3]),
        (&["--since", "@1795141800", "-n", "1"], &[6]),
        (&["-n", "0"], &[]),
        (&["-n", "all", "--since", "10000d"], &[1, 2, 3, 4, 5, 6]),
    ] {
        assert_eq!(ledger.found(flags), expect, "{flags:?}");
    }
}

#[tokio::test]
async fn yesterday_is_a_day_by_the_clocks_here() {
    let ledger = Ledger::new().await;
    let midnight = Timestamp::now().to_zoned(TimeZone::UTC).start_of_day().unwrap();
    let yesterday = midnight.checked_sub(1.day()).unwrap();
    for due in [yesterday.clone(), midnight.checked_sub(1.microsecond()).unwrap(), midnight] {
        ledger.add("backup", &due.timestamp().to_string(), SUCCEEDED, b"").await;
    }
    assert_eq!(ledger.found(&["--since", "yesterday", "--until", "yesterday"]), [1, 2]);
    assert_eq!(ledger.found(&["--since", "yesterday 12am", "--until", "12am"]), [1, 2, 3]);
    assert_eq!(ledger.found(&["--since", "today"]), [3]);
}

#[tokio::test]
async fn what_is_wrong_is_said_with_what_was_meant() {
    let ledger = Ledger::of_four_days().await;
    for (flags, code, message) in [
        (&["bakup"][..], 1, "there is no job `bakup`; did you mean backup?"),
        (&["--outcome", "faild"], 2, "--outcome: there is no outcome `faild`; did you mean failed?"),
        (&["--outcome", "success"], 2, "did you mean succeeded?"),
        (&["--reason", "overlpa"], 2, "did you mean overlap?"),
        (&["--cause", "x"], 2, "there are schedule, catch-up, boot, start, manual, dependency"),
        (&["--since", "yesterdya"], 2, "did you mean yesterday?"),
        (&["--until", "25:00"], 2, "--until: `25:00` is no time: there is no time 25:00"),
        (&["--since", "2026-11-21", "--until", "2026-11-20"], 2, "the one is later than the other"),
        (&["--longer-than", "soon"], 2, "--longer-than: `soon` is no duration"),
        (&["--exit-code", "x"], 2, "an exit code is a number from 0 to 255"),
        (&["--longer-than", "-1s"], 2, "--longer-than: `-1s` is negative"),
        (&["--grep", "/err/x"], 2, "there is no flag `x`"),
        (&["-n", "some"], 2, "it is a number, or `all`"),
        (&["--grep", ""], 2, "there is nothing to look for"),
        (&["--grep", "/(/"], 2, "unclosed group"),
        (&["--json", "--format", "csv"], 2, "leave one out"),
        (&["--sql", "DROP TABLE runs"], 2, "`DROP` asks for nothing"),
        (&["--sql", "SELECT 1; SELECT 2"], 2, "one question at a time"),
        (&["--sql", "SELECT elephants FROM history"], 2, "no such column: elephants"),
        (&["--sql", "WITH a AS (SELECT 1) DELETE FROM runs"], 2, "it would change the ledger"),
        (&["--sql", "SELECT 1", "--failed"], 2, "cannot be used with"),
        (&["--sql", "SELECT count(*) FROM a", "--sql-timeout", "x"], 2, "--sql-timeout"),
    ] {
        let (found, said) = ledger.refused(flags);
        assert!(found == Some(code) && said.contains(message), "{flags:?}: {found:?} {said}");
    }
    assert_eq!(ledger.found(&[]).len(), 6, "nothing was changed");
}

#[tokio::test]
async fn nothing_found_says_why() {
    let ledger = Ledger::new().await;
    assert_eq!(ledger.refused(&[]).1, "no entries: nothing has been due since this ledger was begun\n");
    let ledger = Ledger::of_four_days().await;
    for (flags, message) in [
        (&["never"][..], "no entries of never: nothing was due yet, or all of it was pruned\n"),
        (
            &["--since", "2030-01-01"],
            "no entries since 2030-01-01 00:00:00: there are such due from 2026-11-19 02:30:00",
        ),
        (&["backup", "--exit-code", "9"], "no entries: of 3 entries of backup none fits what was asked\n"),
        (&["--grep", "elephant"], "of 6 entries none fits what was asked; only output that is still kept"),
    ] {
        let (code, said) = ledger.refused(flags);
        assert!(code == Some(0) && said.starts_with("no entries") && said.contains(message), "{flags:?}: {said}");
    }
}

#[tokio::test]
async fn four_formats() {
    let ledger = Ledger::of_four_days().await;
    let text = |flags: &[&str]| String::from_utf8(ledger.history(flags).stdout).unwrap();
    // In a pipe an entry is a line, and nothing else is.
    let table = text(&["backup"]);
    assert_eq!(table.lines().count(), 3, "{table}");
    assert_eq!(table.lines().next().unwrap(), "1  backup  2026-11-19 02:30:00  1.5 ms  1.0 s  succeeded");
    let csv = text(&["mirror", "--format", "csv"]);
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert_eq!(lines.len(), 4, "{csv}");
    assert!(lines[0].starts_with("run,job,cause,due,due_last,count,") && lines[0].ends_with(",output_bytes,host"));
    assert!(lines[2].contains(",ended,skipped,overlap,\"still, running\",,,"), "{}", lines[2]);
    let array: Value = serde_json::from_str(&text(&["--json"])).unwrap();
    assert_eq!(array, serde_json::from_str::<Value>(&text(&["--format", "json", "-n", "all"])).unwrap());
    let lines: Vec<Value> =
        text(&["--format", "ndjson"]).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(Value::Array(lines), array);
    assert_eq!(text(&["--format", "json", "--exit-code", "99"]), "[]\n");
    assert_eq!(text(&["-n", "0"]), "6 entries: 3 succeeded, 1 failed, 1 timed-out, 1 skipped\n");
    assert_eq!(text(&["-n", "0", "--grep", "well"]), "2 entries: 2 succeeded\n");
}

#[tokio::test]
async fn what_was_written_is_found_wherever_it_is() {
    let ledger = Ledger::new().await;
    let day = |day: i64| format!("2026-11-{day:02}T00:00:00Z");
    let mut large = vec![b'.'; 40_000];
    large[16_380..16_392].copy_from_slice(b"\nBorderland\n");
    let first = ledger.add("backup", &day(1), SUCCEEDED, b"nothing\nNo space left on DEVICE \x1b[2J\n").await;
    let second = ledger.add("mirror", &day(2), SUCCEEDED, &large).await;
    let third = ledger.add("backup", &day(3), SUCCEEDED, "Größe: \0 \u{ff} Café ".as_bytes()).await;
    ledger.write(third, 1, 100, b"\xff\xfe behind a cut, in two pie").await;
    ledger.write(third, 1, 127, b"ces\n").await;
    let retried = ledger.add("backup", &day(4), SUCCEEDED, b"the first try broke\n").await;
    ledger.write(retried, 2, 0, b"the second did not\n").await;
    let running = ledger.add("backup", &day(5), SUCCEEDED, b"under way\n").await;
    let silent = ledger.add("backup", &day(6), SUCCEEDED, b"").await;
    sqlx::query("UPDATE runs SET state = 2, outcome = NULL, output_bytes = 0 WHERE run = $1")
        .bind(running)
        .execute(&ledger.pool)
        .await
        .unwrap();
    let check = |when: &str| {
        for (text, expect) in [
            ("no SPACE left on device", &[first][..]),
            ("borderland", &[second]),
            ("GRÖSSE", &[]),
            ("GRÖßE", &[third]),
            ("CAFÉ", &[third]),
            ("two pieces", &[third]),
            ("broke", &[retried]),
            ("second did", &[retried]),
            ("under way", &[running]),
            ("br", &[retried]),
            ("t\"", &[]),
            ("e*", &[]),
            ("/^Border(land|line)$/", &[second]),
            ("/^border/", &[]),
            ("/^BORDER/i", &[second]),
            ("/device$/i", &[]),
            ("/./", &[first, second, third, retried, running]),
        ] {
            assert_eq!(ledger.found(&["--grep", text]), expect, "{text}, {when}");
        }
        assert_eq!(ledger.found(&["--grep", "the", "--failed"]), [0; 0]);
        assert_eq!(ledger.found(&["--grep", "n", "-n", "1"]), [running]);
    };
    check("before it is in the index");
    let indexed = ledger.store.index().await.unwrap();
    assert!(indexed.is_done && indexed.texts > 1, "{indexed:?}");
    check("from the index");
    assert_eq!(ledger.number("SELECT run FROM search_reached").await, silent);
    assert_eq!(ledger.store.index().await.unwrap().texts, 0, "once too often changes nothing");
    // What was under way comes in later, and what is new is read directly until then.
    assert_eq!(ledger.number("SELECT run FROM search_left_out").await, running);
    sqlx::query("UPDATE runs SET state = 3, outcome = 1, output_bytes = 10 WHERE run = $1")
        .bind(running)
        .execute(&ledger.pool)
        .await
        .unwrap();
    ledger.store.index().await.unwrap();
    assert_eq!(ledger.number("SELECT count(*) FROM search_left_out").await, 0);
    check("when all of it is in the index");
    let newest = ledger.add("mirror", &day(7), SUCCEEDED, b"borderland again\n").await;
    assert_eq!(ledger.found(&["--grep", "borderland"]), [second, newest]);
    // The line is shown, and does not steer the terminal.
    let shown = String::from_utf8(ledger.history(&["--grep", "space"]).stdout).unwrap();
    assert!(shown.contains("succeeded  No space left on DEVICE ^[[2J"), "{shown:?}");
    // Programs get all of it, and only where it was asked for.
    let found = ledger.place.json(&["history", "--grep", "space"]);
    assert_eq!(found[0]["line"], "No space left on DEVICE \u{1b}[2J");
    assert!(ledger.place.json(&["history"])[0].get("line").is_none());
    let csv = String::from_utf8(ledger.history(&["--grep", "space", "--format", "csv"]).stdout).unwrap();
    let lines: Vec<&str> = csv.split_terminator("\r\n").collect();
    assert!(lines[0].ends_with(",host,line") && lines[1].ends_with(",No space left on DEVICE ^[[2J"), "{csv}");
}

#[tokio::test]
async fn nothing_is_lost_between_two_texts_of_the_index() {
    let ledger = Ledger::new().await;
    // Of these no three stand together twice.
    let signs: Vec<char> = ('\u{4e00}'..'\u{9f00}').collect();
    let written: String = signs.iter().collect();
    let run = ledger.add("backup", "2026-11-01T00:00:00Z", SUCCEEDED, written.as_bytes()).await;
    ledger.add("backup", "2026-11-02T00:00:00Z", SUCCEEDED, b"something else\n").await;
    ledger.store.index().await.unwrap();
    assert_eq!(ledger.number("SELECT count(*) FROM search_texts").await, 4);
    let reader = &ledger.store.reader;
    // Around every border, whichever exactly it is.
    for at in [5300..5500, 10_700..10_950, 16_050..16_400].into_iter().flatten() {
        let text: String = signs[at..at + 3].iter().collect();
        assert!(reader.candidates(&text).await.unwrap().contain(RunId(run)), "{at}");
    }
    // And what is nowhere has no candidates but those that come after.
    assert_eq!(reader.candidates("elephant").await.unwrap().ranges, [(run + 2, i64::MAX)]);
    assert_eq!(reader.candidates("something").await.unwrap().ranges.len(), 1);
    assert_eq!(reader.candidates("el").await.unwrap().ranges, [(i64::MIN, i64::MAX)]);
}

#[tokio::test]
async fn what_is_pruned_leaves_the_index() {
    let ledger = Ledger::new().await;
    for number in 0..200 {
        let due = format!("2020-01-01T00:{:02}:{:02}Z", number / 60, number % 60);
        ledger
            .add(
                "backup",
                &due,
                SUCCEEDED,
                &[b"common ", [b'a' + u8::try_from(number % 26).unwrap(); 500].as_slice()].concat(),
            )
            .await;
    }
    ledger.store.index().await.unwrap();
    let texts = ledger.number("SELECT count(*) FROM search_texts").await;
    assert!(texts > 5, "{texts}");
    assert_eq!(ledger.found(&["--grep", "common", "-n", "all"]).len(), 200);
    // Somebody deletes output by hand: what the index still says of it is harmless.
    ledger.execute("DELETE FROM output WHERE run > 195").await;
    assert_eq!(ledger.found(&["--grep", "common", "-n", "all"]).len(), 195);
    let year = std::time::Duration::from_secs(365 * 86_400);
    let retention = Retention { keep: Some(year), keep_failures: Some(year), keep_last: 1, max_size: None };
    ledger.store.prune(&retention, Timestamp::now()).await.unwrap();
    assert_eq!(ledger.number("SELECT count(*) FROM search_texts").await, 0);
    assert_eq!(ledger.number("SELECT count(*) FROM search_docsize").await, 0);
    assert_eq!(ledger.found(&["--grep", "common"]), [0; 0]);
    let ok = "SELECT count(*) FROM pragma_integrity_check WHERE integrity_check = 'ok'";
    assert_eq!(ledger.number(ok).await, 1);
}

#[tokio::test]
async fn a_ledger_of_an_older_version_is_searched_and_brought_up_to_date() {
    let ledger = Ledger::of_four_days().await;
    for sql in [
        "DROP TABLE search",
        "DROP TABLE search_texts",
        "DROP TABLE search_reached",
        "DROP TABLE search_left_out",
        "DROP VIEW attempts_shown",
        "DROP VIEW outputs",
        "DROP VIEW events_shown",
        "DROP INDEX runs_unwell",
        "DROP INDEX runs_unwell_of_job",
        "DROP INDEX runs_exit_code",
        "DROP INDEX runs_called",
        "DROP INDEX runs_long",
        "DROP INDEX runs_stretches",
        "DELETE FROM _sqlx_migrations WHERE version = 6",
    ] {
        ledger.execute(sql).await;
    }
    assert_eq!(ledger.found(&["--failed"]), [2, 3]);
    assert_eq!(ledger.found(&["--grep", "space left"]), [2]);
    let Ledger { place, store, pool } = ledger;
    store.close().await;
    // It is held until it is dropped; a process that another test begins just now has it for a moment, too.
    drop(store);
    let prepared = support::wait("the ledger to be free", || Store::prepare(&place.database()).ok());
    let store = prepared.open("host", "boot").await.unwrap();
    assert!(store.index().await.unwrap().is_done);
    let ledger = Ledger { place, store, pool };
    assert_eq!(ledger.found(&["--grep", "space left"]), [2]);
    assert_eq!(ledger.found(&[]).len(), 6);
}

#[tokio::test]
async fn questions_in_sql() {
    let ledger = Ledger::of_four_days().await;
    ledger.execute("INSERT INTO attempts (run, attempt, outcome, started, output_bytes) VALUES (2, 1, 2, 0, 5)").await;
    ledger.execute("INSERT INTO events (at, kind, detail) VALUES (1500000, 3, 'x')").await;
    let text = |sql: &str, format: &str| {
        let output = ledger.history(&["--sql", sql, "--format", format]);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    };
    let sql = "-- by job\nSELECT job AS \"a, b\", count(*) AS n, NULL AS none, 1.5 AS real FROM history GROUP BY job;";
    assert_eq!(text(sql, "csv"), "\"a, b\",n,none,real\r\nbackup,3,,1.5\r\nmirror,3,,1.5\r\n");
    assert_eq!(text(sql, "ndjson").lines().next().unwrap(), "{\"a, b\":\"backup\",\"n\":3,\"none\":null,\"real\":1.5}");
    assert_eq!(text("SELECT 1 WHERE false", "json"), "[]\n");
    assert_eq!(text("SELECT 1 AS one WHERE false", "csv"), "one\r\n");
    assert_eq!(text("SELECT 'a' || char(27) || char(10) || 'b'", "table"), "a^[ b\n");
    assert_eq!(
        text("SELECT job, outcome, started FROM attempts_shown", "csv").lines().nth(1).unwrap(),
        "backup,failed,1970-01-01T00:00:00.000000Z"
    );
    assert_eq!(text("SELECT stream, text FROM outputs WHERE run = 2", "table"), "stdout  No space left\n");
    assert_eq!(
        text("SELECT at, kind, job, detail FROM events_shown", "csv").lines().nth(1).unwrap(),
        "1970-01-01T00:00:01.500000Z,reload,,x"
    );
    let nulls = "SELECT typeof(exit_code) AS type, exit_code, signal, max_rss FROM history WHERE run = 3";
    assert_eq!(text(nulls, "ndjson"), "{\"type\":\"null\",\"exit_code\":null,\"signal\":null,\"max_rss\":null}\n");
    let endless = "WITH RECURSIVE n (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM n) SELECT count(*) FROM n";
    let (code, said) = ledger.refused(&["--sql", endless, "--sql-timeout", "50ms"]);
    assert!(code == Some(1) && said.contains("it took longer than 50ms"), "{said}");
}

/// What a terminal of so many columns shows, and what its pager gets.
fn on_a_terminal(ledger: &Ledger, columns: u32, lines: u32, flags: &str) -> (String, Option<String>) {
    let paged = ledger.place.path("paged");
    let _ = std::fs::remove_file(&paged);
    let binary = env!("CARGO_BIN_EXE_punctual");
    let state = ledger.place.path("state");
    let state = state.display();
    let script = format!("stty cols {columns} rows {lines}; {binary} --state {state} history {flags}");
    let mut command = Command::new("script");
    command.args(["-qec", &script, "/dev/null"]).env("TZ", "UTC").env("NO_COLOR", "1");
    command.env("PAGER", format!("cat > {}", paged.display()));
    let output = command.stdin(std::process::Stdio::null()).output().unwrap();
    let screen = String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n");
    (screen, std::fs::read_to_string(&paged).ok())
}

#[tokio::test]
async fn a_terminal_sees_a_header_a_count_and_no_more_than_fits() {
    if Command::new("script").arg("--version").output().is_err() {
        eprintln!("there is no script(1) here to make a terminal with");
        return;
    }
    let ledger = Ledger::of_four_days().await;
    let (screen, paged) = on_a_terminal(&ledger, 70, 20, "-n 3");
    let lines: Vec<&str> = screen.lines().collect();
    assert!(lines[0].starts_with("RUN  JOB     DUE ") && lines[0].ends_with("WHY"), "{screen}");
    assert!(lines[1].ends_with("skipped 30×  still, running") && !lines[0].contains("LATE"), "{screen}");
    assert!(lines[1..4].iter().all(|line| line.chars().count() <= 70), "{screen}");
    // No word of what is said below is cut in two.
    let count = "3 of 6 entries: 3 succeeded, 1 failed, 1 timed-out, 1 skipped; LATE left out, --json has all of it";
    assert_eq!((lines[4..].join(" ").as_str(), lines.len(), paged), (count, 6, None), "{screen}");
    let (screen, _) = on_a_terminal(&ledger, 58, 20, "-n 3");
    assert!(screen.contains("still, run…\n"), "{screen}");
    let below = screen.lines().skip(4).collect::<Vec<_>>().join(" ");
    assert!(below.ends_with("LATE and TOOK left out, WHY cut to the terminal, --json has all of it"), "{screen}");
    // Where nothing of an answer in SQL may be cut, each row is a block.
    let (screen, _) = on_a_terminal(&ledger, 58, 40, "--sql 'SELECT * FROM history LIMIT 1'");
    assert!(screen.starts_with("── row 1 ──\n         run  1\n"), "{screen}");
    assert!(screen.contains("         due  2026-11-19T02:30:00.000000Z\n"), "{screen}");
    let (screen, _) = on_a_terminal(&ledger, 200, 20, "-n 3");
    assert!(screen.contains("still, running\n") && screen.ends_with("1 skipped\n"), "{screen}");
    // What is longer than the screen goes through the pager, with all that belongs to it.
    let (screen, paged) = on_a_terminal(&ledger, 200, 5, "-n all");
    let paged = paged.unwrap();
    assert_eq!((screen.as_str(), paged.lines().count()), ("", 8), "{paged}");
    assert!(
        paged.starts_with("RUN") && paged.ends_with("6 entries: 3 succeeded, 1 failed, 1 timed-out, 1 skipped\n"),
        "{paged}"
    );
    let (screen, paged) = on_a_terminal(&ledger, 200, 5, "--json");
    assert!(screen.starts_with("[{\"run\":1,") && paged.is_none(), "{screen}");
}

//! What statements for a database do: the real binary, SQLite files, and a PostgreSQL server of the tests' own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "support/cluster.rs"]
mod cluster;
mod support;

use std::fs;
use std::path::Path;
use std::process::Stdio;

use cluster::{Cluster, PASSWORD};
use regex::Regex;
use serde_json::Value;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, SqliteConnection};
use support::{Place, wait};

/// A job that is due at the daemon's start and never again.
fn job(name: &str, keys: &str) -> String {
    format!("[jobs.{name}]\nschedule = '@start'\n{keys}\n")
}

/// The keys of a job of statements for the database `data.db`.
fn of_file(keys: &str) -> String {
    format!("sql.database = 'data.db'\n{keys}")
}

/// Makes `data.db` of a place.
fn make(place: &Place, sql: &str) {
    at_file(&place.path("data.db"), async |connection| {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(connection).await.unwrap();
    });
}

/// The first column of all rows of a query, as texts.
fn ask(path: &Path, sql: &str) -> Vec<String> {
    at_file(path, async |connection| sqlx::query_scalar(AssertSqlSafe(sql)).fetch_all(connection).await.unwrap())
}

fn at_file<T>(path: &Path, act: impl AsyncFnOnce(&mut SqliteConnection) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let mut connection = options.connect().await.unwrap();
        let result = act(&mut connection).await;
        connection.close().await.unwrap();
        result
    })
}

/// What a job wrote, without the times.
fn output(place: &Place, job: &str) -> String {
    let times = Regex::new(r"(in|after) \d+\.\d+ m?s").unwrap();
    times.replace_all(&place.text(&["logs", job]), "$1 T").into_owned()
}

/// How a job ended, in words.
fn why(entry: &Value) -> [&str; 3] {
    ["outcome", "reason", "detail"].map(|key| entry[key].as_str().unwrap_or_default())
}

#[test]
fn sqlite_shows_rows_and_counts_changes() {
    let statements = r#"sql.statements = [
    "SELECT id, name, size, data, note FROM things ORDER BY id; SELECT 1 WHERE 0",
    "UPDATE things SET note = 'x'",
    "CREATE TABLE more (id)",
    "DELETE FROM things WHERE id = 1 RETURNING id",
    "SELECT count(*) FROM things",
]"#;
    let place = Place::new(&[
        job("rows", &of_file(statements)),
        job("many", "sql.database = 'sqlite::memory:'\nsql.statements = 'WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1200) SELECT i, printf(\"%.*c\", i, char(105)) FROM n'"),
        job("made", "sql.database = 'sqlite:made.db?mode=rwc'\nsql.file = 'script.sql'"),
    ]
    .concat());
    make(
        &place,
        "CREATE TABLE things (id INTEGER, name TEXT, size REAL, data BLOB, note);
         INSERT INTO things VALUES (1, 'größe', 1.5, x'00ff', NULL), (20, 'a' || char(10) || char(27) || '[2J', 1e300, '', 7)",
    );
    fs::write(
        place.path("script.sql"),
        "-- a table; and a trigger\nCREATE TABLE a (b);\nCREATE TABLE log (text);\n
         CREATE TRIGGER t AFTER INSERT ON a BEGIN
             INSERT INTO log VALUES ('it''s; ' || NEW.b);
             UPDATE log SET text = CASE WHEN text = '' THEN 'none' ELSE text END;
         END;\n
         INSERT INTO a VALUES (1), (2);\nBEGIN; DELETE FROM a WHERE b = 1; END; SELECT text FROM log",
    )
    .unwrap();
    let daemon = place.start();
    for name in ["rows", "many", "made"] {
        assert_eq!(place.ended(name)["outcome"], "succeeded", "{}", output(&place, name));
    }
    let expect = "\
id  name              size     data     note
1   größe             1.5      x'00ff'  NULL
20  a\\n\\u{1b}[2J      1.0e+300           7
statement 1 (SELECT id, name, size, data, note FROM things ORDER BY id): 2 rows returned in T
statement 2 (SELECT 1 WHERE 0): 0 rows returned in T
statement 3 (UPDATE things SET note = 'x'): 2 rows affected in T
statement 4 (CREATE TABLE more (id)): done in T
id
1
statement 5 (DELETE FROM things WHERE id = 1 RETURNING id): 1 row returned in T
count(*)
1
statement 6 (SELECT count(*) FROM things): 1 row returned in T
";
    let squeeze = |text: &str| Regex::new(" +").unwrap().replace_all(text, " ").into_owned();
    assert_eq!(squeeze(&output(&place, "rows")), squeeze(expect));
    let many = output(&place, "many");
    let lines: Vec<&str> = many.lines().collect();
    assert_eq!(lines.len(), 1003, "{}", lines[lines.len() - 1]);
    assert_eq!(lines[1], format!("1     i"));
    assert_eq!(lines[1000], format!("1000  {}…", "i".repeat(100)));
    assert_eq!(lines[1001], "… and 200 rows more");
    assert!(lines[1002].ends_with("1200 rows returned in T"), "{}", lines[1002]);
    let made = output(&place, "made");
    assert!(made.contains("statement 3, line 5 (CREATE TRIGGER t AFTER INSERT ON a BEGIN"), "{made}");
    assert!(made.contains("text\nit's; 1\nit's; 2\nstatement 8, line 11 (SELECT text FROM log): 2 rows"), "{made}");
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn an_error_in_the_middle_ends_it_and_undoes_a_single_transaction() {
    let script = "sql.file = 'script.sql'\nsql.database = ";
    let place = Place::new(&[
        job("each", &format!("{script}'each.db'")),
        job("all", &format!("{script}'all.db'\nsql.single_transaction = true")),
        job("good", "sql.database = 'good.db'\nsql.single_transaction = true\nsql.statements = ['INSERT INTO t VALUES (1)', 'INSERT INTO t VALUES (2)']"),
        job("own", "sql.database = 'good.db'\nsql.file = 'own.sql'\nsql.single_transaction = true"),
        job("open", "sql.database = 'open.db'\nsql.statements = 'BEGIN; INSERT INTO t VALUES (1)'"),
    ]
    .concat());
    for file in ["each", "all", "good", "open"] {
        at_file(&place.path(&format!("{file}.db")), async |connection| {
            sqlx::raw_sql("CREATE TABLE t (a UNIQUE)").execute(connection).await.unwrap();
        });
    }
    fs::write(
        place.path("script.sql"),
        "INSERT INTO t VALUES (1);\n\nINSERT INTO t\nVALUES (1);\nSELECT 1;\nSELECT 2;",
    )
    .unwrap();
    fs::write(place.path("own.sql"), "SELECT 1;\nCOMMIT").unwrap();
    let daemon = place.start();
    let detail = "statement 2, line 3 (INSERT INTO t VALUES (1)): UNIQUE constraint failed: t.a [SQLite 2067]";
    for name in ["each", "all"] {
        assert_eq!(why(&place.ended(name)), ["failed", "expectation", detail]);
    }
    let said = "statement 1, line 1 (INSERT INTO t VALUES (1)): 1 row affected in T
statement 2, line 3 (INSERT INTO t VALUES (1)): failed after T: UNIQUE constraint failed: t.a [SQLite 2067]
2 more statements were not begun
";
    assert_eq!(output(&place, "each"), said);
    assert_eq!(output(&place, "all"), format!("{said}the transaction is rolled back\n"));
    assert_eq!(place.ended("good")["outcome"], "succeeded");
    let own = place.ended("own");
    assert_eq!(why(&own)[0], "not-started");
    assert!(
        why(&own)[2].ends_with("own.sql, line 2: `COMMIT` does not go together with `single_transaction`"),
        "{own}"
    );
    let open = place.ended("open");
    assert_eq!(why(&open)[0], "failed");
    assert!(why(&open)[2].contains("begun and not ended"), "{open}");
    daemon.stop();
    let left = |file: &str| ask(&place.path(file), "SELECT CAST(count(*) AS TEXT) FROM t");
    assert_eq!([left("each.db"), left("all.db"), left("good.db"), left("open.db")], [["1"], ["0"], ["2"], ["0"]]);
}

#[test]
fn what_is_no_sqlite_file_says_so_and_is_not_made() {
    let place = Place::new(
        &[
            job("absent", "sql.database = 'absent.db'\nsql.statements = 'SELECT 1'"),
            job("folder", "sql.database = 'state'\nsql.statements = 'SELECT 1'"),
            job("text", "sql.database = 'jobs.toml'\nsql.statements = 'SELECT 1 FROM sqlite_master'"),
            job("script", "sql.database = ':memory:'\nsql.file = 'absent.sql'"),
            job("empty", "sql.database = ':memory:'\nsql.file = 'empty.sql'"),
            job("quote", "sql.database = ':memory:'\nsql.file = 'quote.sql'"),
            job("reads", "sql.database = 'data.db?mode=ro'\nsql.statements = 'INSERT INTO t VALUES (1)'"),
        ]
        .concat(),
    );
    make(&place, "CREATE TABLE t (a)");
    fs::write(place.path("empty.sql"), "-- nothing\n").unwrap();
    fs::write(place.path("quote.sql"), "SELECT 1;\nSELECT 'x").unwrap();
    let daemon = place.start();
    for (name, outcome, detail) in [
        ("absent", "not-started", "absent.db; add ?mode=rwc to have it made"),
        ("folder", "not-started", "state is a folder, not a SQLite file"),
        ("text", "", "file is not a database [SQLite 26]"),
        ("script", "not-started", "there is no file "),
        ("empty", "not-started", "there is no statement in "),
        ("quote", "not-started", "quote.sql: a text that begins on line 2 has no end"),
        ("reads", "failed", "attempt to write a readonly database"),
    ] {
        let entry = place.ended(name);
        assert!(outcome.is_empty() && entry["outcome"] != "succeeded" || entry["outcome"] == outcome, "{entry}");
        assert!(why(&entry)[2].contains(detail), "{entry}");
    }
    daemon.stop();
    assert!(!place.path("absent.db").exists());
}

#[test]
fn a_number_of_rows_can_be_expected() {
    let query = |rows: &str| format!("sql.statements = 'SELECT 1 UNION SELECT 2'\nsql.expect_rows = {rows}");
    let memory = "sql.database = ':memory:'\n";
    let place = Place::new(&[
        job("two", &format!("{memory}{}", query("2"))),
        job("more", &format!("{memory}{}", query("'> 1'"))),
        job("none", &format!("{memory}{}", query("0"))),
        job("last", &of_file("sql.statements = 'SELECT 1; SELECT 1 WHERE 0; UPDATE t SET a = 2'\nsql.expect_rows = 0")),
        job("undone", &of_file("sql.statements = 'INSERT INTO t VALUES (3) RETURNING a'\nsql.expect_rows = 0\nsql.single_transaction = true")),
        job("nothing", &format!("{memory}sql.statements = 'CREATE TABLE t (a)'\nsql.expect_rows = 0")),
    ]
    .concat());
    make(&place, "CREATE TABLE t (a); INSERT INTO t VALUES (1)");
    let daemon = place.start();
    for name in ["two", "more", "last"] {
        assert_eq!(place.ended(name)["outcome"], "succeeded", "{}", output(&place, name));
    }
    let detail = "statement 1 (SELECT 1 UNION SELECT 2) returned 2 rows, and 0 were expected";
    assert_eq!(why(&place.ended("none")), ["failed", "expectation", detail]);
    let detail = "statement 1 (INSERT INTO t VALUES (3) RETURNING a) returned 1 row, and 0 were expected";
    assert_eq!(why(&place.ended("undone")), ["failed", "expectation", detail]);
    let detail = "no statement returned rows, and 0 were expected";
    assert_eq!(why(&place.ended("nothing")), ["failed", "expectation", detail]);
    daemon.stop();
    assert_eq!(ask(&place.path("data.db"), "SELECT CAST(a AS TEXT) FROM t"), ["2"]);
}

#[test]
fn sqlite_gives_up_when_its_time_is_up() {
    let endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n";
    let place = Place::new(&job(
        "endless",
        &format!(
            "sql.database = ':memory:'\nsql.statements = '{endless}; SELECT 2'\ntimeout = '300ms'\nkill_after = '1h'"
        ),
    ));
    let daemon = place.start();
    let entry = place.ended("endless");
    assert_eq!(entry["outcome"], "timed-out", "{entry}");
    let output = output(&place, "endless");
    assert!(output.contains("given up after T: interrupted"), "{output}");
    assert!(output.ends_with("1 more statement was not begun\n"), "{output}");
    daemon.stop();
}

#[test]
fn a_locked_file_is_waited_for_and_says_so() {
    let insert = |keys: &str| of_file(&format!("sql.statements = 'INSERT INTO t VALUES (1)'\n{keys}"));
    let place = Place::new(
        &[
            job("short", &insert("kill_after = '100ms'")),
            job("long", &insert("")),
            job("all", &insert("kill_after = '100ms'\nsql.single_transaction = true")),
        ]
        .concat(),
    );
    make(&place, "CREATE TABLE t (a)");
    at_file(&place.path("data.db"), async |connection| {
        sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut *connection).await.unwrap();
        let daemon = place.start();
        let entry = place.ended("short");
        assert_eq!(why(&entry)[0], "failed");
        assert!(why(&entry)[2].ends_with("the database is locked by another, and was so for 0.1 s"), "{entry}");
        let entry = place.ended("all");
        assert!(why(&entry)[2].starts_with("no transaction could be begun: the database is locked"), "{entry}");
        sqlx::raw_sql("ROLLBACK").execute(connection).await.unwrap();
        assert_eq!(place.ended("long")["outcome"], "succeeded");
        daemon.stop();
    });
}

/// What is wrong with a file, in the words of `check`.
fn check(keys: &str) -> String {
    let place = Place::new(&format!("[jobs.a.sql]\n{keys}\n"));
    let output = place.run(&["check"]);
    assert_eq!(output.status.code(), Some(1), "{keys}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn what_is_wrong_is_said_when_the_file_is_read() {
    let one = "statements = 'SELECT 1'";
    let pg = "database = 'postgres://u@h/d'";
    for (keys, expect) in [
        (one.to_owned(), "`sql` has no `database`"),
        (pg.to_owned(), "`sql` has nothing to do"),
        (format!("{pg}\n{one}\nfile = 'x'"), "there is `statements` already"),
        (format!("{pg}\nstatements = []"), "`statements` is empty"),
        (format!("{pg}\nstatements = ['SELECT 1', '-- no']"), "there is no statement here"),
        (format!("{pg}\nstatements = 'SELECT $$'"), "a text in dollar quotes that begins on line 1 has no end"),
        (format!("database = 'mysql://u@h/d'\n{one}"), "does not speak to a database of `mysql`"),
        (format!("database = 'postgres://u@h:x/d'\n{one}"), "this is no URL"),
        (format!("database = 'postgres://u@h/d?sslmod=x'\n{one}"), "unknown parameter `sslmod`"),
        (format!("database = 'postgres://u@h/d?sslmode=x'\n{one}"), "`x` is no sslmode"),
        (format!("database = 'postgres://u@h/d?sslkey=x'\n{one}"), "`x` is no whole path"),
        (format!("database = 'x.db?mode=x'\n{one}"), "`?mode=x` says nothing of a SQLite file"),
        (format!("database = 'sqlite:'\n{one}"), "there is no path"),
        (format!("database = 'x.db'\n{one}\npassword = {{ env = 'X' }}"), "a SQLite file has no password"),
        (format!("{pg}\n{one}\npassword = {{}}"), "`password` names one place"),
        (format!("{pg}\n{one}\nmax_parallel = 2\nsingle_transaction = true"), "statements in one transaction go one"),
        (format!("{pg}\nstatements = 'BEGIN; SELECT 1; END'\nmax_parallel = 2"), "`BEGIN` does not go together"),
        (format!("{pg}\n{one}\nexpect_rows = '=> 1'"), "`=> 1` is no number of rows"),
        (format!("{pg}\n{one}\nexpect_rows = -1"), "`-1` is no number of rows"),
        (format!("{pg}\nstatements = 'DELETE FROM t'\nexpect_rows = 1"), "no statement returns rows"),
        (format!("{pg}\n{one}\nsingle_transactions = true"), "did you mean `single_transaction`?"),
    ] {
        let said = check(&keys);
        assert!(said.contains(expect), "{keys}: {said}");
    }
}

#[test]
fn a_password_in_the_file_is_refused_and_not_shown() {
    let one = "statements = 'SELECT 1'";
    for keys in [
        format!("database = 'postgres://u:canary@h/d'\n{one}"),
        format!("database = \"postgres://u:can%61ry@h/d?password=canary\"\n{one}"),
        format!("database = 'postgres://u@h/d?password=canary'\n{one}"),
        format!("database = 'postgres://u@h/d'\npassword = 'canary'\n{one}"),
        format!("database = '''\npostgres://u:canary@h:x/d'''\n{one}"),
    ] {
        let said = check(&keys);
        assert!(said.contains("password") || said.contains("no URL"), "{said}");
        assert!(!said.contains("canary") && !said.contains("can%61ry"), "{said}");
        let place = Place::new(&format!("[jobs.a.sql]\n{keys}\n"));
        let output = place.run(&["check", "--json"]);
        assert!(!String::from_utf8(output.stdout).unwrap().contains("canary"));
        let output = place.run(&["daemon"]);
        assert!(!output.status.success() && !String::from_utf8(output.stderr).unwrap().contains("canary"));
    }
}

/// A place whose jobs find the password of the cluster in a file.
fn place_at(jobs: &str) -> Place {
    let place = Place::new(jobs);
    fs::write(place.path("password"), format!("{PASSWORD}\n")).unwrap();
    place
}

fn of_server(url: &str, keys: &str) -> String {
    format!("sql.database = '{url}'\nsql.password = {{ file = 'password' }}\n{keys}")
}

#[test]
fn postgres_shows_values_of_all_types() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database("types");
    let script = r#"
        CREATE TYPE mood AS ENUM ('sad', 'happy');
        CREATE FUNCTION twice(n int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN n > 0 THEN n * 2 END; END;
        CREATE FUNCTION hello() RETURNS text LANGUAGE plpgsql AS $body$ BEGIN RETURN 'a;b'; END; $body$;
        SELECT 1::int2 AS small, 2::int8 AS big, 1.50::numeric AS exact, 1.5::float8 AS float, true AS yes,
            'happy'::mood AS mood, ARRAY[1, 2] AS list, '{"a": 1}'::jsonb AS json, '\x00ff'::bytea AS bytes,
            '2026-11-23 12:00:00+01'::timestamptz AS at, '2026-11-23'::date AS day, '1 day'::interval AS span,
            NULL AS nothing, '' AS empty, E'a\nb' AS lines, (1, 'x') AS record, 'a'::char(3) AS padded,
            '127.0.0.1'::inet AS address, twice(4), hello();
        SELECT n INTO copied FROM generate_series(1, 3) AS n;
        UPDATE copied SET n = n + 1 WHERE n > 1;
        SHOW TimeZone;
        SELECT 1 WHERE false;
        DO $$ BEGIN RAISE NOTICE 'half way'; RAISE WARNING 'look out'; RAISE INFO E'so\n it goes'; END $$"#;
    let jobs = [
        job("types", &of_server(&url, "sql.file = 'script.sql'")),
        job("socket", &of_server(&cluster.socket_url("types"), "sql.statements = 'SELECT current_user'")),
        job("copy", &of_server(&url, "sql.statements = 'COPY (SELECT 1) TO STDOUT'")),
        job("open", &of_server(&url, "sql.statements = 'BEGIN; SELECT 1'")),
        job("ended", &of_server(&url, "sql.statements = 'BEGIN; SELECT 1; COMMIT'")),
        job(
            "many",
            &of_server(&url, "sql.statements = 'SELECT repeat(chr(120), 1000) FROM generate_series(1, 200000)'"),
        ),
    ];
    let place = place_at(&jobs.concat());
    fs::write(place.path("script.sql"), script).unwrap();
    let daemon = place.start();
    for name in ["types", "socket", "ended", "many"] {
        assert_eq!(place.ended(name)["outcome"], "succeeded", "{}", output(&place, name));
    }
    let text = output(&place, "types");
    let squeezed = Regex::new("  +").unwrap().replace_all(&text, "|").into_owned();
    let lines: Vec<&str> = squeezed.lines().collect();
    assert_eq!(
        lines[3],
        "small|big|exact|float|yes|mood|list|json|bytes|at|day|span|nothing|empty|lines|record|padded|address|twice|hello"
    );
    // Of what is empty only the gaps around it are left.
    assert_eq!(
        lines[4],
        "1|2|1.50|1.5|t|happy|{1,2}|{\"a\": 1}|\\x00ff|2026-11-23 11:00:00+00|2026-11-23|1 day|NULL|a\\nb|(1,x)|a|127.0.0.1|8|a;b"
    );
    assert!(lines[6].ends_with(": 3 rows affected in T"), "{text}");
    assert!(lines[7].ends_with(": 2 rows affected in T"), "{text}");
    assert_eq!(lines[8..10], ["TimeZone", "UTC"]);
    assert!(lines[11].ends_with("(SELECT 1 WHERE false): 0 rows returned in T"), "{text}");
    assert_eq!(lines[12..16], ["NOTICE: half way", "WARNING: look out", "INFO: so", "it goes"]);
    assert!(!place.log().contains("look out"), "{}", place.log());
    assert!(output(&place, "socket").starts_with("current_user\ntester\n"));
    assert!(output(&place, "many").contains("… and 199000 rows more\n"));
    let copy = place.ended("copy");
    assert!(why(&copy)[2].contains("write a command with psql"), "{copy}");
    assert!(why(&place.ended("open"))[2].contains("begun and not ended"));
    daemon.stop();
}

#[test]
fn postgres_says_what_is_wrong_and_undoes_a_single_transaction() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database("wrong");
    cluster.ask_in(
        "wrong",
        "CREATE TABLE t (job text, n int, UNIQUE (job, n) DEFERRABLE INITIALLY DEFERRED, CHECK (n < 9))",
    );
    let script = |name: &str| {
        format!(
            "sql.statements = [\"INSERT INTO t VALUES ('{name}', 1)\", \"INSERT INTO t VALUES ('{name}', 9)\", 'SELECT 1']"
        )
    };
    let place = place_at(
        &[
            job("each", &of_server(&url, &script("each"))),
            job("all", &of_server(&url, &format!("{}\nsql.single_transaction = true", script("all")))),
            job(
                "deferred",
                &of_server(
                    &url,
                    "sql.single_transaction = true\nsql.statements = \"INSERT INTO t VALUES ('d', 1), ('d', 1)\"",
                ),
            ),
            job(
                "good",
                &of_server(
                    &url,
                    "sql.single_transaction = true\nsql.statements = \"INSERT INTO t VALUES ('good', 1)\"",
                ),
            ),
            job("line", &of_server(&url, "sql.file = 'line.sql'")),
        ]
        .concat(),
    );
    fs::write(place.path("line.sql"), "SELECT 1;\n\nSELECT 1,\n  größe\nFROM t;\n").unwrap();
    let daemon = place.start();
    for name in ["each", "all"] {
        let entry = place.ended(name);
        let [outcome, reason, detail] = why(&entry);
        assert_eq!([outcome, reason], ["failed", "expectation"]);
        let expect = format!(
            "statement 2 (INSERT INTO t VALUES ('{name}', 9)): new row for relation \"t\" violates check constraint \
             \"t_n_check\" [SQLSTATE 23514]; detail: Failing row contains ({name}, 9)."
        );
        assert_eq!(detail, expect);
        assert!(output(&place, name).contains("\n  detail: Failing row contains"), "{}", output(&place, name));
    }
    assert!(output(&place, "all").ends_with("1 more statement was not begun\nthe transaction is rolled back\n"));
    let deferred = place.ended("deferred");
    assert!(why(&deferred)[2].starts_with("the transaction could not be committed: duplicate key"), "{deferred}");
    assert_eq!(place.ended("good")["outcome"], "succeeded");
    place.ended("line");
    let line = output(&place, "line");
    assert!(
        line.contains("statement 2, line 3 (SELECT 1, größe FROM t): failed after T: column \"größe\" does not"),
        "{line}"
    );
    assert!(line.contains("\n  on line 4\n"), "{line}");
    daemon.stop();
    assert_eq!(cluster.ask_in("wrong", "SELECT job FROM t ORDER BY job"), ["each", "good"]);
}

#[test]
fn several_statements_go_at_once() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database("parallel");
    cluster.ask_in("parallel", "CREATE TABLE spans (began timestamptz, slept text, ended timestamptz)");
    let span = "'INSERT INTO spans VALUES (statement_timestamp(), pg_sleep(1), clock_timestamp())'";
    let place = place_at(&[
        job("many", &of_server(&url, &format!("sql.max_parallel = 3\nsql.statements = [{span}, {span}, {span}]"))),
        job("one", &of_server(&url, "sql.max_parallel = 2\nsql.statements = ['SELECT pg_sleep(1)', 'SELECT wrong', 'SELECT 3', 'SELECT 4']")),
        job("rows", &of_server(&url, "sql.max_parallel = 9\nsql.expect_rows = 2\nsql.statements = ['SELECT pg_sleep(0.3)', 'SELECT generate_series(1, 2)']")),
    ]
    .concat());
    let daemon = place.start();
    assert_eq!(place.ended("many")["outcome"], "succeeded", "{}", output(&place, "many"));
    let together = cluster.ask_in("parallel", "SELECT (max(began) < min(ended))::text FROM spans");
    assert_eq!(together, ["true"]);
    // What is under way goes on to its end, and nothing else begins.
    let one = place.ended("one");
    assert!(why(&one)[2].starts_with("statement 2 (SELECT wrong): column \"wrong\" does not exist"), "{one}");
    let said = output(&place, "one");
    assert!(said.contains("statement 1 (SELECT pg_sleep(1)): 1 row returned in T"), "{said}");
    assert!(said.contains("2 more statements were not begun") && !said.contains("statement 3"), "{said}");
    assert_eq!(place.ended("rows")["outcome"], "succeeded", "{}", output(&place, "rows"));
    daemon.stop();
}

/// How many backends are at work on a statement with these words.
fn at_work(cluster: &Cluster, words: &str) -> Vec<String> {
    let sql =
        "SELECT state || ' ' || application_name FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND query LIKE";
    cluster.ask(&format!("{sql} '%{words}%' AND state <> 'idle'"))
}

#[test]
fn a_time_out_a_stop_and_a_crash_end_it_at_the_server() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.database("cancelled");
    cluster.ask_in("cancelled", "CREATE TABLE t (a int)");
    let jobs = [
        "[daemon]\nstop_grace = '100ms'\n".to_owned(),
        job(
            "late",
            &of_server(
                &url,
                "sql.statements = 'INSERT INTO t SELECT 1 FROM pg_sleep(601); SELECT 2'\ntimeout = '3s'\nkill_after = '1h'",
            ),
        ),
        job(
            "many",
            &of_server(
                &url,
                "sql.max_parallel = 2\nsql.statements = ['SELECT pg_sleep(602)', 'SELECT pg_sleep(602)']\ntimeout = '3s'\nkill_after = '1h'",
            ),
        ),
        job("stopped", &of_server(&url, "sql.statements = 'SELECT pg_sleep(603)'")),
    ];
    let place = place_at(&jobs.concat());
    let daemon = place.start();
    wait("the statement", || (!at_work(&cluster, "pg_sleep(603)").is_empty()).then_some(()));
    let run = place.entries_of("stopped")[0]["run"].to_string();
    assert_eq!(at_work(&cluster, "pg_sleep(603)"), [format!("active punctual: run {run} of stopped")]);
    for (name, words) in [("late", "pg_sleep(601)"), ("many", "pg_sleep(602)")] {
        let entry = place.ended(name);
        assert_eq!(at_work(&cluster, words), [""; 0], "{name}");
        assert_eq!(entry["outcome"], "timed-out");
        let said = output(&place, name);
        assert!(said.contains("given up after T: canceling statement due to user request"), "{said}");
        assert!(!said.contains("SELECT 2): "), "{said}");
    }
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(at_work(&cluster, "pg_sleep(603)"), [""; 0]);
    assert_eq!(place.ended("stopped")["outcome"], "stopped");
    assert_eq!(cluster.ask_in("cancelled", "SELECT a::text FROM t"), [""; 0]);

    let place = place_at(&job("crashed", &of_server(&url, "sql.statements = 'SELECT pg_sleep(604)'")));
    let daemon = place.start();
    wait("the statement", || (!at_work(&cluster, "pg_sleep(604)").is_empty()).then_some(()));
    daemon.crash();
    wait("the server's notice of the crash", || at_work(&cluster, "pg_sleep(604)").is_empty().then_some(()));
}

#[test]
fn what_cannot_be_reached_says_why() {
    let Some(cluster) = Cluster::shared() else { return };
    let statement = "sql.statements = 'SELECT 1'";
    let url = cluster.url("postgres");
    let nobody_there = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let place = place_at(
        &[
            job("password", &format!("sql.database = '{url}'\nsql.password = {{ file = 'wrong' }}\n{statement}")),
            job("lines", &format!("sql.database = '{url}'\nsql.password = {{ file = 'jobs.toml' }}\n{statement}")),
            job("none", &format!("sql.database = '{url}'\nsql.password = {{ env = 'NO_SUCH_VARIABLE' }}\n{statement}")),
            job("database", &of_server(&cluster.url("absent"), statement)),
            job("server", &of_server(&format!("postgres://tester@127.0.0.1:{nobody_there}/postgres"), statement)),
            job("tls", &of_server(&format!("{url}?sslmode=require"), statement)),
        ]
        .concat(),
    );
    fs::write(place.path("wrong"), "guessed").unwrap();
    let daemon = place.start();
    for (name, reason, detail) in [
        ("password", "no-permission", "password authentication failed for user \"tester\" [SQLSTATE 28P01]"),
        ("lines", "spawn", "the password holds a character that PostgreSQL does not take"),
        ("none", "spawn", "there is no password: there is no variable NO_SUCH_VARIABLE"),
        ("database", "spawn", "database \"absent\" does not exist [SQLSTATE 3D000]"),
        ("server", "spawn", "Connection refused"),
        ("tls", "spawn", "TLS: server does not support TLS"),
    ] {
        let entry = place.ended(name);
        assert_eq!(why(&entry)[..2], ["not-started", reason], "{entry}");
        assert!(why(&entry)[2].contains(detail), "{entry}");
    }
    daemon.stop();
}

#[test]
fn a_password_is_nowhere_to_be_seen() {
    let Some(cluster) = Cluster::shared() else { return };
    let url = cluster.url("postgres");
    let by_env = format!("sql.database = '{url}'\nsql.password = {{ env = 'CANARY' }}");
    let place = place_at(&[
        job("good", &format!("{by_env}\nsql.statements = 'SELECT pg_sleep(1)'")),
        job("wrong", &format!("{by_env}\nsql.statements = 'SELECT wrong'")),
        job("refused", &format!("sql.database = '{}'\nsql.password = {{ env = 'CANARY' }}\nsql.statements = 'SELECT 1'", cluster.url("absent"))),
        job("denied", &format!("sql.database = 'postgres://somebody@127.0.0.1:{}/postgres'\nsql.password = {{ env = 'CANARY' }}\nsql.statements = 'SELECT 1'", cluster.port)),
    ]
    .concat());
    fs::remove_file(place.path("password")).unwrap();
    let log = fs::File::create(place.path("log")).unwrap();
    let mut command = place.command(&["daemon"]);
    command.env("CANARY", PASSWORD).env("PUNCTUAL_LOG", "trace").stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
    let daemon = place.own(&mut command);
    let command_line = fs::read(format!("/proc/{}/cmdline", daemon.pid())).unwrap();
    assert_eq!(place.ended("good")["outcome"], "succeeded", "{}", place.log());
    let mut seen = vec![command_line];
    for name in ["good", "wrong", "refused", "denied"] {
        place.ended(name);
        for arguments in [&["logs", name][..], &["show", name], &["show", name, "--json"], &["history", name, "--json"]]
        {
            let output = place.run(arguments);
            seen.extend([output.stdout, output.stderr]);
        }
    }
    seen.push(place.run(&["check", "--json"]).stdout);
    daemon.stop();
    for entry in fs::read_dir(place.path("state")).unwrap() {
        seen.push(fs::read(entry.unwrap().path()).unwrap());
    }
    seen.push(place.log().into_bytes());
    assert!(place.log().contains("succeeded"));
    let contains = |bytes: &[u8], text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
    // The name of the variable is in the job file, its value nowhere.
    assert!(seen.iter().any(|bytes| contains(bytes, "CANARY")));
    for bytes in &seen {
        assert!(!contains(bytes, "canary-7f3d"), "{}", String::from_utf8_lossy(bytes));
    }
}

//! Copies of the ledger, made while everything goes on, and put in its place again.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::Value;
use support::{Place, wait};

/// Five runs a second.
const JOBS: &str = "[jobs.a]\nschedule = 'every 1s'\ncommand = 'echo something'\n\
                    [jobs.b]\nschedule = 'every 1s'\ncommand = 'echo something'\n\
                    [jobs.c]\nschedule = 'every 1s'\ncommand = 'echo something'\n\
                    [jobs.d]\nschedule = 'every 1s'\ncommand = 'echo something'\n\
                    [jobs.e]\nschedule = 'every 1s'\ncommand = 'echo something'\n";

fn said(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn names(folder: &Path) -> Vec<String> {
    let entries = fs::read_dir(folder).map(|entries| entries.map(|entry| entry.unwrap().file_name()).collect());
    let entries: Vec<_> = entries.unwrap_or_default();
    let mut names: Vec<String> = entries.into_iter().map(|name| name.into_string().unwrap()).collect();
    names.sort();
    names
}

/// Runs a statement on a database file.
fn execute(path: &Path, sql: &'static str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(path).create_if_missing(true);
        let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
        sqlx::query(sql).execute(&pool).await.unwrap();
        pool.close().await;
    });
}

/// A place whose daemon has run and stopped, and a backup made while it ran, before so many more entries.
fn place_with_backup(more: usize) -> (Place, PathBuf) {
    let place = Place::new(JOBS);
    let daemon = place.start();
    wait("some runs", || (place.history().len() > 5).then_some(()));
    let backup = place.path("backup.db");
    let text = place.text(&["backup", backup.to_str().unwrap()]);
    assert!(text.contains("backup.db ("), "{text}");
    let entries = place.history().len();
    wait("more runs", || (place.history().len() >= entries + more).then_some(()));
    assert_eq!(daemon.stop(), Some(0));
    (place, backup)
}

/// All entries, as another place has them whose ledger is this file.
fn entries_in(file: &Path) -> Vec<Value> {
    let other = Place::new(JOBS);
    fs::create_dir(other.path("state")).unwrap();
    fs::copy(file, other.database()).unwrap();
    assert_eq!(other.integrity(), "ok");
    other.history()
}

#[test]
fn a_backup_is_made_while_the_daemon_writes_and_is_restored_by_copying_it() {
    let (place, backup) = place_with_backup(1);
    assert_eq!(mode(&backup), 0o640);
    let (then, now) = (entries_in(&backup), place.history());
    let runs = |entries: &[Value]| entries.iter().map(|entry| entry["run"].as_i64().unwrap()).collect::<Vec<_>>();
    assert!(then.len() > 5 && runs(&now).starts_with(&runs(&then)), "{} of {}", then.len(), now.len());
    // What is there already stays, unless it is to be replaced; the ledger itself always does.
    let to = backup.to_str().unwrap();
    let refused = place.run(&["backup", to]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(said(&refused).contains("is there already; name a file that is not, or add --force"), "{}", said(&refused));
    let answer = place.json(&["backup", to, "--force"]);
    assert_eq!(answer["bytes"].as_u64().unwrap(), fs::metadata(&backup).unwrap().len());
    assert_eq!(entries_in(&backup).len(), now.len());
    let database = place.database();
    for (wrong, why) in [
        (database.to_str().unwrap(), "is the ledger itself"),
        (place.path("state").to_str().unwrap(), "is no plain file"),
        (place.path("nowhere/backup.db").to_str().unwrap(), "No such file"),
        ("/dev/full", "is no plain file"),
        (place.path("log").to_str().unwrap(), "is no ledger of punctual"),
        (place.path("jobs.toml").to_str().unwrap(), "is the job file"),
    ] {
        let refused = place.run(&["backup", wrong, "--force"]);
        assert_eq!(refused.status.code(), Some(1), "{wrong}");
        assert!(said(&refused).contains(why), "{wrong}: {}", said(&refused));
    }
    assert_eq!(names(place.folder.path()), ["backup.db", "jobs.toml", "log", "run", "state"]);
    let nothing = Place::new(JOBS);
    assert_eq!(nothing.run(&["backup", "copy.db"]).status.code(), Some(3));
    assert_eq!(names(nothing.folder.path()), ["jobs.toml"]);
}

#[test]
fn a_restored_ledger_is_gone_on_with_and_the_one_before_is_kept() {
    // Two of each job at least: one of them is missed when the backup is gone on with.
    let (place, backup) = place_with_backup(11);
    let (then, before) = (entries_in(&backup), place.history());
    let daemon = place.start();
    let refused = place.run(&["restore", backup.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    let message = said(&refused);
    assert!(message.contains(&format!("kill {}", daemon.pid())) && message.contains("systemctl stop"), "{message}");
    daemon.crash();
    fs::set_permissions(place.database(), PermissionsExt::from_mode(0o600)).unwrap();
    let answer = place.json(&["restore", backup.to_str().unwrap()]);
    assert_eq!(answer["entries"], then.len());
    assert_eq!(answer["jobs"], 5);
    assert_eq!(place.history(), then);
    assert_eq!(mode(&place.database()), 0o600, "as it was");
    // The one before is a whole ledger with its log, under a name with the time.
    let aside = PathBuf::from(answer["aside"].as_str().unwrap());
    assert!(aside.to_str().unwrap().contains("/state/punctual.db.aside-20"), "{}", aside.display());
    let kept = Place::new(JOBS);
    fs::create_dir(kept.path("state")).unwrap();
    fs::copy(&aside, kept.database()).unwrap();
    fs::copy(format!("{}-wal", aside.display()), kept.path("state/punctual.db-wal")).unwrap();
    let kept = kept.history();
    assert!(kept.len() >= before.len() && kept[..before.len() - 1] == before[..before.len() - 1]);
    // The next start closes what the copy had open, accounts for what came since, and goes on.
    let daemon = place.start();
    let highest = then.iter().map(|entry| entry["run"].as_i64()).max().unwrap();
    place.wait_for("a", |entry| entry["outcome"] == "succeeded" && entry["run"].as_i64() > highest);
    let missed = place.wait_for("a", |entry| entry["outcome"] == "missed");
    assert_eq!(missed["reason"], "daemon-down");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(place.integrity(), "ok");
}

#[test]
fn a_damaged_ledger_or_none_is_no_obstacle() {
    let (place, backup) = place_with_backup(0);
    let then = entries_in(&backup);
    fs::write(place.database(), "this was a ledger once").unwrap();
    let output = place.run(&["restore", backup.to_str().unwrap()]);
    assert!(output.status.success(), "{}", said(&output));
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert!(text.contains(&format!("punctual.db is restored: {} entries of 5 jobs, from 20", then.len())), "{text}");
    assert!(text.contains("the ledger that was in its place is kept as"), "{text}");
    assert!(said(&output).contains("owes every instant since then"), "{}", said(&output));
    assert_eq!(place.history(), then);
    let aside = names(&place.path("state")).into_iter().find(|name| name.contains("aside")).unwrap();
    assert_eq!(fs::read_to_string(place.path("state").join(aside)).unwrap(), "this was a ledger once");
    fs::remove_dir_all(place.path("state")).unwrap();
    let text = place.text(&["restore", backup.to_str().unwrap()]);
    assert!(!text.contains("is kept as"), "{text}");
    assert_eq!(place.history(), then);
    assert_eq!(mode(&place.path("state")), 0o750);
    assert_eq!(mode(&place.database()), 0o640);
    assert_eq!(names(&place.path("state")), ["punctual.db", "punctual.db.lock"]);
}

#[test]
fn what_is_no_whole_backup_is_refused_and_nothing_changes() {
    let (place, backup) = place_with_backup(0);
    let before = fs::read(place.database()).unwrap();
    let whole = fs::read(&backup).unwrap();
    let make = |name: &str, bytes: &[u8]| fs::write(place.path(name), bytes).unwrap();
    make("text.db", b"CREATE TABLE runs");
    make("empty.db", b"");
    make("half.db", &whole[..whole.len() / 2]);
    let mut damaged = whole.clone();
    let middle = whole.len() / 4096 / 2 * 4096;
    damaged[middle..middle + 4096].fill(0x5a);
    make("damaged.db", &damaged);
    make("newer.db", &whole);
    let newer = "INSERT INTO _sqlx_migrations SELECT 9999, description, installed_on, success, checksum, 1
                 FROM _sqlx_migrations LIMIT 1";
    execute(&place.path("newer.db"), newer);
    execute(&place.path("foreign.db"), "CREATE TABLE runs (run INTEGER)");
    let database = place.database();
    for (name, why) in [
        ("text.db", "is no ledger of punctual"),
        ("empty.db", "is empty"),
        ("half.db", "is damaged"),
        ("damaged.db", "is damaged"),
        ("newer.db", "was written by a newer punctual"),
        ("foreign.db", "is no ledger of punctual"),
        ("nowhere.db", "No such file"),
        ("state", "is no ledger of punctual"),
        (database.to_str().unwrap(), "is the ledger that is in place"),
    ] {
        let refused = place.run(&["restore", name]);
        assert_eq!(refused.status.code(), Some(1), "{name}");
        assert!(said(&refused).contains(why), "{name}: {}", said(&refused));
    }
    assert_eq!(fs::read(place.database()).unwrap(), before);
    assert_eq!(names(&place.path("state")), ["punctual.db", "punctual.db.lock"]);
    // Nor does a refusal make a ledger where there is none.
    let nothing = Place::new(JOBS);
    assert_eq!(nothing.run(&["restore", place.path("half.db").to_str().unwrap()]).status.code(), Some(1));
    assert!(!nothing.database().exists());
}

#[test]
fn the_daemon_makes_backups_by_itself_and_keeps_the_newest() {
    let section = "[daemon.housekeeping]\nbackup = { schedule = '* * * * * *', to = 'copies', keep_last = 2 }\n";
    let place = Place::new(&format!("{section}{JOBS}"));
    let daemon = place.start();
    let folder = place.path("state/copies");
    // Those that have their name, and so are whole.
    let backups = || names(&folder).into_iter().filter(|name| name.len() == "punctual-2026-11-23T040000Z.db".len());
    let first = wait("a backup", || backups().next());
    assert!(first.starts_with("punctual-20") && first.contains("Z."), "{first}");
    fs::write(folder.join("mine.db"), "not a backup").unwrap();
    let left: Vec<String> =
        wait("the first one's end", || backups().all(|name| name != first).then(|| backups().collect()));
    assert!((2..=3).contains(&left.len()) && folder.join("mine.db").exists(), "{left:?}");
    assert_eq!(mode(&folder), 0o750);
    assert!(entries_in(&folder.join(left.last().unwrap())).len() > 3);
    // One that cannot be made is complained about, with what to do.
    fs::remove_dir_all(&folder).unwrap();
    fs::write(&folder, "in the way").unwrap();
    wait("a complaint", || {
        let log = place.log();
        log.contains("there is no backup of the ledger: cannot write")
            .then(|| assert!(log.contains("[daemon.housekeeping]")))
    });
    assert_eq!(daemon.stop(), Some(0));
}

//! What happens to the ledger under a running daemon: each fault is said, outlived without help, and nothing runs twice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]
// All faults have one form, of which some need a part only.
#![allow(clippy::unnecessary_wraps)]

#[path = "support/harm.rs"]
mod harm;
mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use harm::{damage, lock, log_of, other_program};
use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use sqlx::Connection;
use support::{Daemon, Place, scheduler_of, signal_process, wait};

/// Every second, and none is left out: what could not run on time runs later.
const TICK: &str = "[jobs.tick]\nschedule = 'every 1s'\ncatch_up = 'all'\noverlap = 'allow'\ncwd = '.'\n\
                    command = 'echo $PUNCTUAL_DUE >> ticks; echo tick'\n";

/// Chores that look at all of the ledger, and would meet whatever has taken its place.
const CHORES: &str = "[daemon.housekeeping]\noptimize = '*/2 * * * * *'\n";

/// How soon a daemon must be well again.
const SOON: Duration = Duration::from_secs(50);

/// One thing that goes wrong.
struct Case {
    name: &'static str,
    /// Makes it go wrong; the answer ends it. `None` where it cannot be done on this machine.
    fault: fn(&Place) -> Option<Box<dyn FnOnce()>>,
    /// What the log says of it.
    says: &'static str,
    /// Whether it lasts, and `status` is to say it as well.
    lasts: bool,
    /// What is set aside begins so.
    aside: Option<&'static [u8]>,
    /// Whether entries are in what cannot be read.
    loses_entries: bool,
}

fn at_once() -> Option<Box<dyn FnOnce()>> {
    Some(Box::new(|| {}))
}

/// The instants that the job left behind.
fn ticks(place: &Place) -> Vec<Timestamp> {
    let text = fs::read_to_string(place.path("ticks")).unwrap_or_default();
    text.lines().map(|line| line.parse().unwrap()).collect()
}

fn wait_for_tick_after(place: &Place, after: Timestamp) {
    wait("another tick", || ticks(place).into_iter().any(|tick| tick > after).then_some(()));
}

/// When what happened to a place's daemon.
struct Past {
    /// Entries of instants up to here may be gone with the page that they were on.
    destroyed_until: Option<Timestamp>,
    /// What had begun by then was cut off.
    killed_at: Option<Timestamp>,
    /// All that was due until then has ended.
    ended_until: Timestamp,
}

/// Waits until nothing is owed any more: what was due meanwhile runs one by one, and may be overtaken. The answer is up to when.
fn wait_for_all(place: &Place) -> Timestamp {
    let now = Timestamp::now();
    wait_for_tick_after(place, now);
    let has_ended = |entry: &Value| due(entry) > now || entry["state"] == "ended";
    wait("the end of all that was due", || place.entries_of("tick").iter().all(has_ended).then_some(now))
}

fn due(entry: &Value) -> Timestamp {
    entry["due"].as_str().unwrap().parse().unwrap()
}

/// All that a ledger must fulfil, whatever has happened to it: each instant has its entry, and has run, but for what was cut
/// off, of which the ledger says so.
fn balances(place: &Place, name: &str, past: &Past) {
    let ticks = ticks(place);
    let once: BTreeSet<_> = ticks.iter().copied().collect();
    assert_eq!(once.len(), ticks.len(), "{name}: an instant ran twice: {ticks:?}");
    let entries: BTreeMap<_, _> = place.entries_of("tick").into_iter().map(|entry| (due(&entry), entry)).collect();
    let first = *once.first().unwrap();
    for instant in first.series(1.second()).take_while(|instant| *instant <= past.ended_until) {
        let outcome = entries.get(&instant).map(|entry| entry["outcome"].as_str().unwrap_or("none"));
        let is_right = match outcome {
            Some("succeeded") => once.contains(&instant),
            Some("lost") => past.killed_at.is_some_and(|killed| instant <= killed),
            Some(_) => false,
            None => past.destroyed_until.is_some_and(|until| instant <= until),
        };
        let of = |entry: &Value| format!("{} {}", entry["due"], entry["outcome"]);
        let told = || entries.values().map(of).collect::<Vec<_>>().join("\n");
        let log = place.log();
        assert!(is_right, "{name}: {instant} is {outcome:?}:\nticks {ticks:?}\n{}\n{log}{:?}", told(), past.killed_at);
    }
    assert_eq!(place.integrity(), "ok", "{name}");
    // Where definitions are destroyed as well, the audit names what is left without one.
    if past.destroyed_until.is_none() {
        place.audit();
    }
}

fn runs_by_itself(case: &Case, place: &Place) {
    let daemon = place.start();
    wait("two ticks", || (ticks(place).len() > 1).then_some(()));
    let Some(heal) = (case.fault)(place) else {
        eprintln!("not tested: {}", case.name);
        return;
    };
    let heal = Heal(Some(heal));
    let destroyed_until = case.loses_entries.then(Timestamp::now);
    wait(&format!("{}: the complaint\n{}", case.name, place.log()), || place.log().contains(case.says).then_some(()));
    if case.lasts {
        let told = wait("what status says", || trouble(place));
        assert!(told.contains(case.says), "{}: {told}", case.name);
    }
    drop(heal);
    let healed = Instant::now();
    wait_for_tick_after(place, Timestamp::now());
    assert!(healed.elapsed() < SOON, "{} took {:?}", case.name, healed.elapsed());
    wait("status without trouble", || trouble(place).is_none().then_some(()));
    // Whoever comes after a crash knows what has run.
    daemon.crash();
    let killed_at = Some(Timestamp::now());
    let daemon = place.start();
    let ended_until = wait_for_all(place);
    assert_eq!(daemon.stop(), Some(0), "{}", case.name);
    balances(place, case.name, &Past { destroyed_until, killed_at, ended_until });
    if std::env::var_os("PUNCTUAL_FAULT").is_some() {
        eprintln!("{}: {}", case.name, place.log());
    }
    let aside = set_aside(place);
    match case.aside {
        Some(begin) => {
            let [aside] = &aside[..] else { panic!("{}: {aside:?}", case.name) };
            let aside = if aside.is_dir() { aside.join("inside") } else { aside.clone() };
            assert!(fs::read(&aside).unwrap().starts_with(begin), "{}", case.name);
        }
        None => assert!(aside.is_empty(), "{}: {aside:?}", case.name),
    }
    // What was done about it is there as well.
    let events: u32 = place.ask("SELECT CAST(count(*) AS TEXT) FROM events WHERE kind = 11").parse().unwrap();
    assert!(events >= 2, "{}", case.name);
}

/// Ends what went wrong, also where the case has failed: an immutable file could not be removed, and would stay for good.
struct Heal(Option<Box<dyn FnOnce()>>);

impl Drop for Heal {
    fn drop(&mut self) {
        let Some(heal) = self.0.take() else {
            return;
        };
        if std::thread::panicking() {
            // What has failed already must not end the cases beside it.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(heal));
        } else {
            heal();
        }
    }
}

/// What `status` says is wrong.
fn trouble(place: &Place) -> Option<String> {
    let output = place.run(&["status", "--json"]);
    let status: Value = serde_json::from_slice(&output.stdout).ok()?;
    status["daemon"]["trouble"]["message"].as_str().map(str::to_owned)
}

/// What was set aside, logs excepted.
fn set_aside(place: &Place) -> Vec<PathBuf> {
    let names = fs::read_dir(place.path("state")).unwrap().map(|entry| entry.unwrap().path());
    names
        .filter(|path| path.to_string_lossy().contains(".aside-"))
        .filter(|path| !["-wal", "-shm"].iter().any(|log| path.to_string_lossy().ends_with(log)))
        .collect()
}

fn replace_by_a_busy_one(place: &Place) -> Option<Box<dyn FnOnce()>> {
    let path = place.path("other.db");
    let (runtime, connection) = other_program(&path, &["CREATE TABLE letters (text)", "BEGIN IMMEDIATE"]);
    // The connection goes on working on it, whatever it is called.
    fs::rename(&path, place.database()).unwrap();
    Some(Box::new(move || runtime.block_on(connection.close()).unwrap()))
}

fn replace_by_a_folder(place: &Place) -> Option<Box<dyn FnOnce()>> {
    fs::create_dir(place.path("folder")).unwrap();
    fs::write(place.path("folder/inside"), "mine").unwrap();
    fs::remove_file(place.database()).unwrap();
    fs::rename(place.path("folder"), place.database()).unwrap();
    at_once()
}

fn replace_by_text(place: &Place) -> Option<Box<dyn FnOnce()>> {
    fs::write(place.path("letter"), "Dear Sir or Madam").unwrap();
    fs::rename(place.path("letter"), place.database()).unwrap();
    at_once()
}

fn replace_by_a_copy(place: &Place) -> Option<Box<dyn FnOnce()>> {
    fs::copy(place.database(), place.path("copy")).unwrap();
    fs::rename(place.path("copy"), place.database()).unwrap();
    at_once()
}

fn remove_all(place: &Place) -> Option<Box<dyn FnOnce()>> {
    for suffix in ["", "-wal", "-shm"] {
        fs::remove_file(log_of(place, suffix)).unwrap();
    }
    at_once()
}

fn overwrite_the_header(place: &Place) -> Option<Box<dyn FnOnce()>> {
    let file = fs::File::options().write(true).open(place.database()).unwrap();
    file.write_all_at(&[b'X'; 100], 0).unwrap();
    at_once()
}

/// An index that every run is entered in, and a table that holds nothing which is needed.
fn damage_busy_pages(place: &Place) -> Option<Box<dyn FnOnce()>> {
    damage(place, "'runs_instant', 'output'")
}

/// What no ordinary run ever touches.
fn damage_quiet_pages(place: &Place) -> Option<Box<dyn FnOnce()>> {
    damage(place, "'dependencies'")
}

fn make_immutable(place: &Place) -> Option<Box<dyn FnOnce()>> {
    let files = ["", "-wal"].map(|suffix| log_of(place, suffix));
    let change =
        |how: &str, files: &[PathBuf]| Command::new("chattr").arg(how).args(files).stderr(Stdio::null()).status();
    if !change("+i", &files).is_ok_and(|status| status.success()) {
        return None;
    }
    Some(Box::new(move || assert!(change("-i", &files).unwrap().success())))
}

fn fill_the_disk(place: &Place) -> Option<Box<dyn FnOnce()>> {
    let fill = place.path("state/fill");
    // Only where it has a small disk of its own.
    if !place.path("state/small").exists() {
        return None;
    }
    let _ = fs::write(&fill, vec![0; 16 << 20]);
    Some(Box::new(move || fs::remove_file(fill).unwrap()))
}

/// Every call that is to bring something to the disk fails.
fn fail_syncs(place: &Place) -> Option<Box<dyn FnOnce()>> {
    let keeper = place.json(&["status"])["daemon"]["pid"].as_i64().unwrap();
    let pid = scheduler_of(i32::try_from(keeper).unwrap()).unwrap().to_string();
    let strace = Command::new("strace")
        .args(["-f", "-q", "-p", &pid, "-e", "trace=fdatasync,fsync", "-e", "inject=fdatasync,fsync:error=EIO"])
        .args(["-o", "/dev/null"])
        .stderr(Stdio::null())
        .spawn();
    let mut strace = strace.ok()?;
    Some(Box::new(move || {
        signal_process(i32::try_from(strace.id()).unwrap(), "INT");
        strace.wait().unwrap();
    }))
}

const CASES: [Case; 17] = [
    Case {
        name: "a full disk",
        fault: fill_the_disk,
        says: "the disk is full; make room",
        lasts: true,
        aside: None,
        loses_entries: false,
    },
    Case {
        name: "a lock",
        fault: lock,
        says: "another program holds its lock: end that program",
        lasts: true,
        aside: None,
        loses_entries: false,
    },
    Case {
        name: "the file is deleted",
        fault: |place| fs::remove_file(place.database()).ok().and_then(|()| at_once()),
        says: "was deleted; the daemon writes it anew",
        lasts: false,
        aside: None,
        loses_entries: false,
    },
    Case {
        name: "file and logs are deleted",
        fault: remove_all,
        says: "was deleted;",
        lasts: false,
        aside: None,
        loses_entries: false,
    },
    Case {
        name: "the folder is removed",
        fault: |place| fs::remove_dir_all(place.path("state")).ok().and_then(|()| at_once()),
        says: "was deleted;",
        lasts: false,
        aside: None,
        loses_entries: false,
    },
    Case {
        name: "the log is deleted",
        fault: |place| fs::remove_file(log_of(place, "-wal")).ok().and_then(|()| at_once()),
        says: "the log of the ledger",
        lasts: false,
        aside: None,
        loses_entries: false,
    },
    Case {
        name: "the log's index is deleted",
        fault: |place| fs::remove_file(log_of(place, "-shm")).ok().and_then(|()| at_once()),
        says: "the log of the ledger",
        lasts: false,
        aside: None,
        loses_entries: false,
    },
    Case {
        name: "replaced by a copy of itself",
        fault: replace_by_a_copy,
        says: "something else is where",
        lasts: false,
        aside: Some(b"SQLite format 3"),
        loses_entries: false,
    },
    Case {
        name: "replaced by a text",
        fault: replace_by_text,
        says: "something else is where",
        lasts: false,
        aside: Some(b"Dear Sir or Madam"),
        loses_entries: false,
    },
    Case {
        name: "replaced by a folder",
        fault: replace_by_a_folder,
        says: "something else is where",
        lasts: false,
        aside: Some(b"mine"),
        loses_entries: false,
    },
    Case {
        name: "replaced by what another program works on",
        fault: replace_by_a_busy_one,
        says: "another program works on it; end that program",
        lasts: true,
        aside: Some(b"SQLite format 3"),
        loses_entries: false,
    },
    Case {
        name: "the header is overwritten",
        fault: overwrite_the_header,
        says: "its header was overwritten",
        lasts: false,
        aside: Some(&[b'X'; 100]),
        loses_entries: false,
    },
    Case {
        name: "pages are damaged",
        fault: damage_busy_pages,
        says: "is damaged (",
        lasts: false,
        aside: Some(b"SQLite format 3"),
        loses_entries: false,
    },
    Case {
        name: "pages are damaged that nobody asks for",
        fault: damage_quiet_pages,
        says: "is damaged (",
        lasts: false,
        aside: Some(b"SQLite format 3"),
        loses_entries: false,
    },
    Case {
        name: "all entries are damaged",
        fault: |place| damage(place, "'runs', 'definitions'"),
        says: "is damaged (",
        lasts: false,
        aside: Some(b"SQLite format 3"),
        loses_entries: true,
    },
    Case {
        name: "read-only",
        fault: make_immutable,
        says: "it is read-only;",
        lasts: true,
        aside: None,
        loses_entries: false,
    },
    Case {
        name: "syncs fail",
        fault: fail_syncs,
        says: "the disk reports an error",
        lasts: true,
        aside: None,
        loses_entries: false,
    },
];

/// Side by side: they only wait.
#[test]
fn whatever_happens_to_the_ledger_is_said_and_outlived() {
    let wanted = std::env::var("PUNCTUAL_FAULT").unwrap_or_default();
    std::thread::scope(|scope| {
        for case in CASES.iter().filter(|case| case.name.contains(&wanted)) {
            scope.spawn(|| {
                let is_full = case.name == "a full disk";
                // They would make room, or write the header anew from the log.
                let is_header = case.name == "the header is overwritten";
                let chores = if is_full || is_header { "" } else { CHORES };
                let place = Place::new(&format!("{chores}{TICK}"));
                let _disk = is_full.then(|| small_disk(&place));
                runs_by_itself(case, &place);
            });
        }
    });
}

/// A state folder of two megabytes, where this machine lets somebody mount one.
fn small_disk(place: &Place) -> Option<Mounted> {
    let path = place.path("state");
    fs::create_dir(&path).unwrap();
    let mount = Command::new("mount").args(["-t", "tmpfs", "-o", "size=2m", "tmpfs"]).arg(&path).output();
    let mounted = mount.is_ok_and(|output| output.status.success()).then_some(Mounted(path));
    if mounted.is_some() {
        fs::write(place.path("state/small"), "").unwrap();
    }
    mounted
}

struct Mounted(PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        // Of a case that has failed somebody may still be about to end in there.
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}

#[test]
fn what_is_due_meanwhile_runs_if_that_is_wanted_and_is_recorded_afterwards() {
    let place = Place::new(TICK);
    let daemon: Daemon = place.start_with(&["--when-unrecordable", "run"]);
    wait("two ticks", || (ticks(&place).len() > 1).then_some(()));
    let unlock = lock(&place).unwrap();
    wait("the complaint", || place.log().contains("begins although the ledger cannot be written").then_some(()));
    let unrecorded = Timestamp::now();
    wait_for_tick_after(&place, unrecorded + Duration::from_secs(1));
    unlock();
    wait("the end of the trouble", || place.log().contains("can be written again").then_some(()));
    let ended_until = wait_for_all(&place);
    assert_eq!(daemon.stop(), Some(0));
    balances(&place, "run", &Past { destroyed_until: None, killed_at: None, ended_until });
    let recorded: Vec<_> = place.entries_of("tick");
    for tick in ticks(&place) {
        let entry = recorded.iter().find(|entry| entry["due"] == format!("{tick:.6}")).unwrap();
        assert_eq!(entry["outcome"], "succeeded", "{entry}");
    }
    let on_time = |entry: &&Value| {
        let due: Timestamp = entry["due"].as_str().unwrap().parse().unwrap();
        due > unrecorded && due < unrecorded + Duration::from_secs(2) && entry["late"].as_f64().unwrap() < 1.0
    };
    assert!(recorded.iter().any(|entry| on_time(&entry)), "{recorded:#?}");
    let said = "SELECT CAST(count(*) AS TEXT) FROM events WHERE kind = 11 AND detail LIKE '%begins although%'";
    assert_ne!(place.ask(said), "0");
}

/// The write that meets the damage is that of its end, of which nothing else says that it ever was.
#[test]
fn a_run_that_ends_on_a_ledger_that_has_lost_it_is_in_the_next_one() {
    let long = "[jobs.long]\nschedule = '@start'\ncwd = '.'\n\
                command = 'until [ -e go ]; do sleep 0.02; done; echo went'\n";
    let place = Place::new(long);
    let daemon = place.start();
    let begun = place.wait_for("long", |entry| entry["started"].is_string());
    damage(&place, "'runs', 'definitions'");
    fs::write(place.path("go"), "").unwrap();
    wait("a ledger that can be written", || place.log().contains("can be written again").then_some(()));
    assert!(place.log().contains("cannot be read and is lost here"), "{}", place.log());
    let entries = place.entries_of("long");
    let [ended] = &entries[..] else { panic!("{entries:?}\n{}", place.log()) };
    assert_eq!(ended["outcome"], "succeeded", "{ended}");
    for same in ["run", "due", "cause", "started"] {
        assert_eq!(ended[same], begun[same], "{same} of {ended}");
    }
    assert_eq!(place.text(&["logs", "long"]).lines().last(), Some("went"));
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(place.integrity(), "ok");
}

/// Nothing can be put into the outbox then.
#[test]
fn people_hear_of_a_ledger_that_cannot_be_written_while_that_lasts() {
    let place = Place::new("");
    let channel = |name: &str| {
        let command = format!("echo $PUNCTUAL_KIND $PUNCTUAL_WHY >> {}", place.path(name).display());
        format!("[channels.{name}]\ncommand = ['/bin/sh', '-c', '{command}']\n")
    };
    let hour = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).hour();
    let quiet = format!("quiet = '{hour:02}:00-{:02}:00'\n", (hour + 2) % 24);
    let channels = channel("heard") + &channel("asleep") + &quiet;
    place.write_jobs(&format!("[daemon]\ntimezone = 'UTC'\n{channels}{TICK}"));
    let daemon = place.start();
    wait("two ticks", || (ticks(&place).len() > 1).then_some(()));
    let unlock = lock(&place).unwrap();
    let heard = || fs::read_to_string(place.path("heard")).unwrap_or_default();
    wait("the cry", || heard().starts_with("trouble ").then_some(()));
    unlock();
    wait("that it is over", || heard().lines().any(|line| line.starts_with("well ")).then_some(()));
    assert_eq!(heard().lines().count(), 2, "{}", heard());
    let told = "SELECT group_concat(channel || ' ' || kind, ', ') FROM notices_shown";
    wait("what the other one is told", || place.ask(told).contains("asleep trouble").then_some(()));
    assert!(!place.path("asleep").exists() && !place.ask(told).contains("heard trouble"), "{}", place.ask(told));
    assert_eq!(daemon.stop(), Some(0));
}

//! What another file changes: what is said of it, and what the planner makes of it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod bundled;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bundled::Bundled;
use jiff::Timestamp;
use punctual::job::{Job, JobName};
use punctual::jobfile::{Draft, Source};
use punctual::plan::{Action, Lapse, Memory, OpenState, Planner, Record, edits, pool_edits};
use punctual::report::RunEffect::{self, DroppedAsDisabled, DroppedAsGone, GoesOn, TakesNew};
use punctual::report::{EditReport, JobEdit};
use punctual::run::{Ended, Exit, RunId, State};

fn now() -> Timestamp {
    "2026-11-23T12:00:00.5Z".parse().unwrap()
}

fn jobs(text: &str) -> Vec<Arc<Job>> {
    let checked = Draft::parse(Path::new("/etc/punctual/jobs.toml"), text.to_owned()).check(&Bundled, "UTC", now());
    assert!(checked.is_right(), "{:?}", checked.said.errors);
    checked.jobs
}

/// An edit as `job edit: key old -> new, …`.
fn shown(edit: &JobEdit) -> String {
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "-".to_owned());
    let keys = edit.keys.iter().map(|key| format!("{} {} -> {}", key.key, text(&key.old), text(&key.new)));
    let formerly = edit.formerly.as_ref().map(|name| format!(" from {name}")).unwrap_or_default();
    format!("{} {:?}{formerly}: {}", edit.job, edit.edit, keys.collect::<Vec<_>>().join(", "))
}

#[test]
fn an_edit_is_told_key_by_key() {
    let job = |keys: &str| format!("[jobs.a]\nschedule = '0 9 * * *'\ncommand = 'x'\n{keys}");
    for (old, new, expect) in [
        (job(""), job("# a comment\n"), &[][..]),
        (job("timeout = '60m'"), job("timeout = '1h'"), &[]),
        (job(""), job("timeout = '1h'\nretries = 0"), &["a Changed: timeout none -> 1h"]),
        (job(""), format!("[defaults]\ntimeout = '1h'\n{}", job("")), &["a Changed: timeout none -> 1h"]),
        (job("timeout = '90s'"), job(""), &["a Changed: timeout 1m 30s -> none"]),
        (
            job("env = { A = 1, B = 'x', DB_PASSWORD = 'old' }"),
            job("env = { A = 2, DB_PASSWORD = 'new', TOKEN = 't' }"),
            &["a Changed: env.A 1 -> 2, env.DB_PASSWORD *** -> ***, env.TOKEN - -> ***, env.B x -> -"],
        ),
        (job(""), job("limits = { memory = '2GiB' }"), &["a Changed: limits.memory - -> 2GiB"]),
        (
            job(""),
            job("retries = 2"),
            &["a Changed: retries 0 -> 2, retry_delay - -> 10s, retry_max_delay - -> 5m, no_retry_codes - -> []"],
        ),
        (job(""), job("enabled = false"), &["a Changed: enabled true -> false"]),
        (job(""), job("").replace("[jobs.a]", "[jobs.b]\nformerly = 'a'"), &["b Renamed from a: "]),
        (
            job(""),
            job("").replace("[jobs.a]", "[jobs.b]"),
            &[
                "b Added: schedule - -> 0 9 * * *, timezone - -> UTC, command - -> x",
                "a Removed: schedule 0 9 * * * -> -, timezone UTC -> -, command x -> -",
            ],
        ),
        // A name that is claimed late brings along what the ledger has of it; that it is claimed no more changes nothing.
        (job(""), job("formerly = 'z'"), &["a Changed: formerly - -> z"]),
        (job("formerly = 'z'"), job(""), &[]),
        (
            "[jobs.s]\nsteps = ['./a', './b']".to_owned(),
            "[jobs.s]\nsteps = ['./a', './c']\nkeep_going = true".to_owned(),
            &["s Changed: steps.2.command ./b -> ./c, keep_going false -> true"],
        ),
        (
            "[jobs.h.http]\nurl = 'https://a.example/'\nheaders = { Authorization = 'one' }".to_owned(),
            "[jobs.h.http]\nurl = 'https://a.example/'\nheaders = { Authorization = 'two' }\nrequest_timeout = '5s'"
                .to_owned(),
            &["h Changed: http.request_timeout 30s -> 5s, http.headers that are secret *** -> ***"],
        ),
    ] {
        let told = edits(&jobs(&old), &jobs(&new), now());
        assert_eq!(told.iter().map(shown).collect::<Vec<_>>(), expect, "{new}");
    }
}

#[test]
fn the_next_instants_are_told_where_they_change() {
    let old = jobs("[jobs.a]\nschedule = '0 9 * * *'\ncommand = 'x'\n[jobs.b]\nschedule = 'every 1h'\ncommand = 'x'");
    let new = jobs("[jobs.a]\nschedule = '0 10 * * 1'\ncommand = 'x'\n[jobs.b]\nschedule = 'every 1h'\ncommand = 'y'");
    let told = edits(&old, &new, now());
    let times = |times: &Option<Vec<punctual::report::Time>>| {
        times.as_ref().map(|times| times.iter().map(|time| time.0.to_string()).collect::<Vec<_>>().join(" "))
    };
    assert_eq!(times(&told[0].next_before).unwrap(), "2026-11-24T09:00:00Z 2026-11-25T09:00:00Z 2026-11-26T09:00:00Z");
    assert_eq!(times(&told[0].next_after).unwrap(), "2026-11-30T10:00:00Z 2026-12-07T10:00:00Z 2026-12-14T10:00:00Z");
    assert_eq!((&told[1].next_before, &told[1].next_after), (&None, &None));
}

#[test]
fn what_becomes_of_runs_is_told() {
    let old = jobs(
        "[jobs.a]\nschedule = '* * * * *'\ncommand = 'x'\n[jobs.b]\nschedule = '* * * * *'\ncommand = 'x'\n[jobs.c]\nschedule = '* * * * *'\ncommand = 'x'",
    );
    let new = jobs(
        "[jobs.a]\nschedule = '* * * * *'\ncommand = 'y'\n[jobs.b]\nschedule = '* * * * *'\ncommand = 'x'\nenabled = false",
    );
    let mut report = EditReport { jobs: edits(&old, &new, now()), settings: Vec::new() };
    let open = |run: i64, job: &str, state: State, names_instant: bool, has_begun: bool| OpenState {
        run: RunId(run),
        job: JobName::new(job).unwrap(),
        state,
        names_instant,
        has_begun,
    };
    report.tell_of([
        open(1, "a", State::Running, true, true),
        open(2, "a", State::Waiting, true, false),
        open(3, "a", State::Waiting, true, true),
        open(4, "b", State::Waiting, true, false),
        open(5, "b", State::Waiting, false, false),
        open(6, "c", State::Waiting, true, false),
        open(7, "c", State::Running, true, true),
    ]);
    let told: Vec<(i64, RunEffect)> =
        report.jobs.iter().flat_map(|job| &job.runs).map(|run| (run.run.0, run.effect)).collect();
    let expect = [
        (1, GoesOn),
        (2, TakesNew),
        (3, GoesOn),
        (4, DroppedAsDisabled),
        (5, TakesNew),
        (6, DroppedAsGone),
        (7, GoesOn),
    ];
    assert_eq!(told, expect);
}

#[test]
fn pools_are_settings() {
    let pools = |pools: &[(&str, usize)]| -> BTreeMap<String, usize> {
        pools.iter().map(|(name, size)| ((*name).to_owned(), *size)).collect()
    };
    let told = pool_edits(&pools(&[("a", 1), ("b", 1), ("c", 1)]), &pools(&[("a", 2), ("b", 1), ("d", 4)]));
    let told: Vec<_> =
        told.iter().map(|edit| (&*edit.key.key, edit.key.old.as_deref(), edit.key.new.as_deref())).collect();
    assert_eq!(told, [("pools.a", Some("1"), Some("2")), ("pools.c", Some("1"), None), ("pools.d", None, Some("4"))]);
}

/// A planner that has just begun with this file.
fn planner(text: &str) -> Planner {
    let memory = Memory { first_since_boot: false, ..Memory::default() };
    Planner::restore(&jobs(text), 4, memory, now()).0
}

fn name(text: &str) -> JobName {
    JobName::new(text).unwrap()
}

const TIMED: &str = "
[jobs.every]
schedule = 'every 7m'
command = 'x'
[jobs.cron]
schedule = '13 * * * *'
command = 'x'
[jobs.spread]
schedule = '*/10 * * * *'
jitter = '9m'
command = 'x'
[jobs.poll]
schedule = 'every 10m after end'
command = 'x'
[jobs.hashed]
schedule = 'H H * * *'
command = 'x'
";

#[test]
fn an_unchanged_job_keeps_its_timer_to_the_microsecond() {
    let names = ["every", "cron", "spread", "poll", "hashed"].map(name);
    let mut planner = planner(TIMED);
    // The job that counts from the end of its runs has had one.
    let started = planner.handle_wakeup(now(), Lapse::Suspended);
    assert!(started.is_empty());
    let run = RunId(1);
    let ended = Ended::unmeasured(Exit::Code(0), now() + Duration::from_micros(12_345));
    planner.handle_ended(run, ended, now() + Duration::from_micros(12_345));
    let timers = |planner: &Planner| names.each_ref().map(|name| planner.next_of(name).unwrap());
    let before = timers(&planner);
    assert_eq!(before[3], now() + Duration::from_micros(600_012_345));
    let later = now() + Duration::from_secs(31);
    for (edit, text) in [
        ("nothing", TIMED.to_owned()),
        ("commands", TIMED.replace("'x'", "'y'")),
        ("time-outs", format!("[defaults]\ntimeout = '1h'\n{TIMED}")),
        ("another job", format!("{TIMED}[jobs.new]\nschedule = 'every 7m'\ncommand = 'x'\n")),
        ("without it", TIMED.to_owned()),
    ] {
        let decision = planner.handle_reload(&jobs(&text), 4, later);
        assert_eq!(timers(&planner), before, "{edit}");
        assert!(decision.actions.is_empty(), "{edit}: {decision:?}");
        let is_of_ours = |record: &&Record| match record {
            Record::Definition { job, .. } | Record::DefinitionEnd { job, .. } => names.contains(job),
            _ => false,
        };
        assert_eq!(decision.records.iter().filter(is_of_ours).count(), 0, "{edit}");
    }
}

#[test]
fn nothing_starts_because_it_was_edited() {
    let mut planner = planner("[jobs.a]\nschedule = '0 12 * * *'\ncommand = 'x'\n");
    for (text, next) in [
        // Its last instant was half a second ago.
        ("[jobs.a]\nschedule = '0 * * * *'\ncommand = 'x'\n", "2026-11-23T13:00:00Z"),
        ("[jobs.a]\nschedule = 'every 1m'\ncommand = 'x'\n", "2026-11-23T12:01:00Z"),
        ("[jobs.a]\nschedule = '@start'\ncommand = 'x'\n", ""),
        ("[jobs.a]\nschedule = 'at 2026-11-23T12:00'\ncommand = 'x'\n[jobs.b]\nschedule = '@start'\ncommand = 'x'", ""),
        ("[jobs.a]\nschedule = '0 12 * * *'\ncommand = 'x'\n", "2026-11-24T12:00:00Z"),
    ] {
        let decision = planner.handle_reload(&jobs(text), 4, now());
        assert!(decision.actions.is_empty(), "{text}: {decision:?}");
        let next_of = planner.next_of(&name("a")).map(|next| next.to_string());
        assert_eq!(next_of.unwrap_or_default(), next, "{text}");
    }
}

#[test]
fn a_renamed_job_goes_on() {
    let file = |head: &str, timeout: &str| {
        jobs(&format!(
            "{head}\nschedule = '* * * * *'\noverlap = 'queue'\n{timeout}\ncommand = 'x'\n[jobs.poll]\nschedule = 'every 10m after end'\ncommand = 'x'"
        ))
    };
    let memory = Memory::default();
    let (mut planner, _) = Planner::restore(&file("[jobs.old]", ""), 1, memory, now());
    let minute = |minute: i64| {
        Timestamp::from_second(now().as_second()).unwrap() + Duration::from_secs(60) * u32::try_from(minute).unwrap()
    };
    planner.handle_ended(RunId(1), Ended::unmeasured(Exit::Code(0), now()), now());
    let begun = planner.handle_wakeup(minute(1), Lapse::Suspended);
    assert_eq!(begun.actions.iter().map(Action::run).collect::<Vec<_>>(), [RunId(2)]);
    // One runs, one waits for it.
    planner.handle_wakeup(minute(2), Lapse::Suspended);
    let next = planner.next_of(&name("old"));
    let decision = planner.handle_reload(&file("[jobs.new]\nformerly = 'old'", "timeout = '1h'"), 1, minute(2));
    assert!(
        matches!(&decision.records[..], [Record::Renamed { from, to, .. }] if *from == name("old") && *to == name("new")),
        "{decision:?}"
    );
    assert_eq!((planner.next_of(&name("new")), planner.next_of(&name("old"))), (next, None));
    assert_eq!(planner.job_of(RunId(2)), Some(&name("new")));
    // The end of the run under the old name begins the one that waited, which takes the new definition.
    let decision = planner.handle_ended(RunId(2), Ended::unmeasured(Exit::Code(0), minute(2)), minute(2));
    let [Action::Start(launch)] = &decision.actions[..] else { panic!("{decision:?}") };
    assert_eq!((launch.run, &launch.job.name), (RunId(3), &name("new")));
    assert!(format!("{:?}", launch.job.task).contains("timeout: Some(3600s)"), "{:?}", launch.job.task);
    // Once more, and back.
    let third = file("[jobs.third]\nformerly = 'new'", "timeout = '1h'");
    let decision = planner.handle_reload(&third, 1, minute(2));
    assert!(matches!(&decision.records[..], [Record::Renamed { .. }]), "{decision:?}");
    assert!(planner.handle_reload(&third, 1, minute(2)).records.is_empty(), "what was said before is said again");
    assert_eq!(planner.next_of(&name("third")), next);
}

#[test]
fn included_files_know_their_places() {
    let main = "include = ['jobs.d/*.toml']\n[defaults]\ncwd = 'work'\n[pools]\ndisk = 1\n[jobs.a]\ncommand = 'x'\n";
    let mut source = Source::new("/etc/punctual/jobs.toml".into(), main.to_owned());
    source.include(
        "/etc/punctual/jobs.d/b.toml".into(),
        "[jobs.b]\ncommand = 'x'\npool = 'disk'\nafter = 'a'\n[jobs.c]\ncommand = 'x'\ncwd = 'here'\nenv_file = 'env'\n",
    );
    source.include(
        "/etc/punctual/jobs.d/wrong.toml".into(),
        "[jobs.a]\ncommand = 'y'\n[defaults]\n[jobs.d]\ntimeout = 5\n",
    );
    let checked = Draft::read(source.clone()).check(&Bundled, "UTC", now());
    let told: Vec<String> = checked
        .said
        .errors
        .iter()
        .map(|error| {
            let (part, place) = (checked.source.part(error.span.start), checked.source.position(error.span.start));
            format!("{}:{}:{} {}", part.path.file_name().unwrap().display(), place.line, place.column, error.message)
        })
        .collect();
    let expect = [
        "wrong.toml:1:7 `a` stands in /etc/punctual/jobs.toml already, in line 6",
        "wrong.toml:3:2 `defaults` stands in the main file only",
        "wrong.toml:4:7 `jobs.d` has no task",
        "wrong.toml:5:11 `timeout` is a duration, such as \"90s\" or \"1h 30m\", not a whole number",
    ];
    assert_eq!(told.len(), expect.len(), "{told:#?}");
    for (told, expect) in told.iter().zip(expect) {
        assert!(
            told.starts_with(&expect[..expect.find(' ').unwrap()])
                && told.ends_with(&expect[expect.find(' ').unwrap()..]),
            "{told} is not {expect}"
        );
    }
    source.included.pop();
    source.text.truncate(source.text.find("\n[jobs.a]\ncommand = 'y'").unwrap());
    let checked = Draft::read(source).check(&Bundled, "UTC", now());
    assert!(checked.is_right(), "{:?}", checked.said);
    let cwd = |at: usize| {
        let (_, work) = checked.jobs[at].task.works().next().unwrap();
        (work.cwd.clone().unwrap().display().to_string(), work.env_files.clone())
    };
    // What is inherited is relative to the file that says it.
    assert_eq!(cwd(1).0, "/etc/punctual/work");
    assert_eq!(cwd(2), ("/etc/punctual/jobs.d/here".to_owned(), vec!["/etc/punctual/jobs.d/env".into()]));
}

#[test]
fn a_history_goes_to_one_job() {
    let job = |name: &str, formerly: &str| format!("[jobs.{name}]\ncommand = 'x'\nformerly = '{formerly}'\n");
    for (text, expect) in [
        (job("b", "a"), ""),
        (job("b", "b"), "`b` is its name now"),
        (format!("{}[jobs.a]\ncommand = 'x'\n", job("b", "a")), "there is still a job `a`"),
        // Two names that change places.
        (format!("{}{}", job("a", "b"), job("b", "a")), "there is still a job `b`"),
        (format!("{}{}", job("b", "a"), job("c", "a")), "`b` was `a` already"),
        (job("b", "5"), "a job's name begins with a letter"),
    ] {
        let checked = Draft::parse(Path::new("jobs.toml"), text.clone()).check(&Bundled, "UTC", now());
        let first = checked.said.errors.first().map(|error| error.message.clone()).unwrap_or_default();
        assert_eq!(first, expect, "{text}");
    }
}

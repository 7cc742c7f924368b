//! The whole daemon on a clock that is moved by hand: what it does when time jumps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use punctual::audit::{Question, audit};
use punctual::clock::{Clock, ManualClock};
use punctual::control::{Ask, Caller, Denial, Denied, Granted, Which, Wish};
use punctual::daemon::{Demand, Setup, Telling, run};
use punctual::files::Machine;
use punctual::job::JobName;
use punctual::report::CheckReport;
use punctual::run::RunId;
use punctual::settings::Flags;
use punctual::store::Reader;
use sqlx::{ConnectOptions, Connection};
use support::{Place, own_keeper, wait};
use tokio::sync::{mpsc, oneshot};

/// A daemon in this process, on a clock of its own.
struct Simulated<'p> {
    place: &'p Place,
    clock: Clock,
    demands: mpsc::Sender<Demand>,
    wishes: mpsc::Sender<Ask>,
    daemon: Option<std::thread::JoinHandle<()>>,
}

fn begin() -> Timestamp {
    "2026-11-23T11:59:30Z".parse().unwrap()
}

impl<'p> Simulated<'p> {
    fn start(place: &'p Place, clock: &Arc<ManualClock>) -> Self {
        let starts = place.entries_of("start").len();
        let (demands, demands_out) = mpsc::channel(4);
        let (told, wishes) = oneshot::channel();
        let setup = Setup {
            called: "punctual".to_owned(),
            config: place.path("jobs.toml"),
            state: place.path("state"),
            flags: Flags { timezone: Some("UTC".to_owned()), ..Flags::default() },
            environment: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
            clock: Clock::Manual(clock.clone()),
            telling: Telling { lines: |_| Vec::new(), report: |_| CheckReport::default() },
            keeper: own_keeper(&Clock::Manual(clock.clone())),
            wishes: Some(told),
        };
        let daemon = std::thread::Builder::new().spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(run(setup, demands_out)).unwrap();
        });
        let wishes = wishes.blocking_recv().unwrap();
        let clock = Clock::Manual(clock.clone());
        let simulated = Self { place, clock, demands, wishes, daemon: Some(daemon.unwrap()) };
        wait("the daemon", || (place.entries_of("start").len() > starts).then_some(()));
        simulated
    }

    /// Entries of the minutely job as `due last? outcome`.
    fn minutes(&self) -> Vec<String> {
        let show = |entry: &serde_json::Value| {
            let time = |key: &str| entry[key].as_str().map(|text| text[11..16].to_owned());
            let last = time("due_last").map_or(String::new(), |last| format!("-{last}"));
            format!("{}{last} {}", time("due").unwrap(), entry["outcome"].as_str().unwrap_or("open"))
        };
        self.place.entries_of("minutely").iter().map(show).collect()
    }

    /// What is recorded is what should have happened until now.
    fn balances(&self) {
        let now = self.clock.now();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let report = runtime.block_on(async {
            let reader = Reader::open(&self.place.database()).await.unwrap();
            audit(&reader, &Machine::default(), &Question { now, ..Question::default() }).await.unwrap()
        });
        assert!(report.balances, "{report:#?}");
        assert!(report.instants > 0 || self.minutes().is_empty());
    }

    fn demand(&self, demand: Demand) {
        self.demands.try_send(demand).unwrap();
    }

    fn wish(&self, wish: Wish) -> Result<Granted, Denied> {
        let (answer, answered) = oneshot::channel();
        let by = Caller { uid: 1000, name: "anna".to_owned() };
        self.wishes.blocking_send(Ask { wish, by, answer }).unwrap();
        answered.blocking_recv().unwrap()
    }

    /// What is granted, as the socket tells it.
    fn granted(&self, wish: Wish) -> serde_json::Value {
        serde_json::to_value(self.wish(wish).unwrap()).unwrap()
    }

    fn expect(&self, minutes: &[&str]) {
        wait(&format!("{minutes:?}, {:?} are there", self.minutes()), || (self.minutes() == minutes).then_some(()));
    }

    fn stop(mut self) {
        self.demands.try_send(Demand::Stop).unwrap();
        self.daemon.take().unwrap().join().unwrap();
        self.balances();
    }
}

const JOBS: &str = "[jobs.minutely]\nschedule = '* * * * *'\ncommand = ['true']\n\
                    [jobs.start]\nschedule = '@start'\ncommand = ['true']\n";

#[test]
fn time_that_jumps_runs_nothing_twice_and_nothing_early() {
    let place = Place::new(JOBS);
    let clock = ManualClock::at(begin());
    let daemon = Simulated::start(&place, &clock);
    clock.advance(Duration::from_secs(30));
    daemon.expect(&["12:00 succeeded"]);
    // Somebody sets it forward: the newest instant runs, the others are accounted for.
    clock.set(begin() + SignedDuration::from_secs(330));
    daemon.expect(&["12:00 succeeded", "12:01-12:04 missed", "12:05 succeeded"]);
    // And back: what was never real goes, what ran stays, and nothing starts.
    clock.set(begin() + SignedDuration::from_secs(150));
    daemon.expect(&["12:00 succeeded", "12:01-12:02 missed", "12:05 succeeded"]);
    clock.advance(Duration::from_secs(60));
    daemon.expect(&["12:00 succeeded", "12:01-12:02 missed", "12:03 succeeded", "12:05 succeeded"]);
    clock.advance(Duration::from_secs(60));
    daemon.expect(&["12:00 succeeded", "12:01-12:02 missed", "12:03 succeeded", "12:04 succeeded", "12:05 succeeded"]);
    // The instant that has a run gets no second one.
    clock.advance(Duration::from_secs(60));
    clock.advance(Duration::from_secs(60));
    daemon.expect(&[
        "12:00 succeeded",
        "12:01-12:02 missed",
        "12:03 succeeded",
        "12:04 succeeded",
        "12:05 succeeded",
        "12:06 succeeded",
    ]);
    daemon.stop();
    assert_eq!(place.integrity(), "ok");
}

#[test]
fn a_clock_that_was_wrong_at_the_last_stop_silences_nothing() {
    let place = Place::new(JOBS);
    let future = begin() + SignedDuration::from_hours(24 * 365);
    let clock = ManualClock::at(future);
    let daemon = Simulated::start(&place, &clock);
    clock.advance(Duration::from_secs(30));
    wait("a run in a year", || (daemon.minutes() == ["12:00 succeeded"]).then_some(()));
    daemon.stop();
    let clock = ManualClock::at(begin());
    let daemon = Simulated::start(&place, &clock);
    clock.advance(Duration::from_secs(30));
    daemon.expect(&["12:00 succeeded", "12:00 succeeded"]);
    daemon.stop();
}

/// A calendar with one event, of these times of the day of `begin`.
fn calendar(from: &str, to: &str) -> String {
    format!(
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nBEGIN:VEVENT\r\nUID:1\r\nSUMMARY:closed\r\nDTSTART:20261123T{from}00\r\n\
         DTEND:20261123T{to}00\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
}

#[test]
fn a_calendar_skips_what_it_covers_and_is_taken_anew() {
    let place = Place::new(
        "[calendars.closed]\nfile = 'closed.ics'\n\
         [jobs.minutely]\nschedule = '* * * * *'\nnot_on = 'closed'\ncommand = ['true']\n\
         [jobs.start]\nschedule = '@start'\ncommand = ['true']\n",
    );
    std::fs::write(place.path("closed.ics"), calendar("1201", "1205")).unwrap();
    let clock = ManualClock::at(begin());
    let daemon = Simulated::start(&place, &clock);
    clock.advance(Duration::from_secs(30));
    daemon.expect(&["12:00 succeeded"]);
    clock.advance(Duration::from_secs(60));
    daemon.expect(&["12:00 succeeded", "12:01-12:01 skipped"]);
    clock.advance(Duration::from_secs(60));
    daemon.expect(&["12:00 succeeded", "12:01-12:02 skipped"]);
    let skipped = place.entries_of("minutely").remove(1);
    assert_eq!((skipped["reason"].as_str(), skipped["detail"].as_str()), (Some("calendar"), Some("not on closed")));
    // Somebody else has written the calendar, and nobody says that the jobs are to be read again.
    std::fs::write(place.path("closed.ics"), calendar("1201", "1203")).unwrap();
    daemon.demand(Demand::Refresh);
    wait("the new calendar", || (place.definitions("minutely") == 2).then_some(()));
    clock.advance(Duration::from_secs(60));
    daemon.expect(&["12:00 succeeded", "12:01-12:02 skipped", "12:03 succeeded"]);
    // What has not changed is left alone.
    daemon.demand(Demand::Refresh);
    clock.advance(Duration::from_secs(60));
    daemon.expect(&["12:00 succeeded", "12:01-12:02 skipped", "12:03 succeeded", "12:04 succeeded"]);
    daemon.stop();
    assert_eq!(place.definitions("minutely"), 2);
}

#[test]
fn a_pause_after_the_end_is_kept_over_a_restart() {
    let place = Place::new(
        "[jobs.minutely]\nschedule = 'every 2m after end'\ncommand = ['true']\n\
                            [jobs.start]\nschedule = '@start'\ncommand = ['true']\n",
    );
    let clock = ManualClock::at(begin());
    let daemon = Simulated::start(&place, &clock);
    daemon.expect(&["11:59 succeeded"]);
    clock.advance(Duration::from_secs(120));
    daemon.expect(&["11:59 succeeded", "12:01 succeeded"]);
    clock.advance(Duration::from_secs(60));
    daemon.stop();
    let daemon = Simulated::start(&place, &clock);
    clock.advance(Duration::from_secs(59));
    daemon.expect(&["11:59 succeeded", "12:01 succeeded"]);
    clock.advance(Duration::from_secs(2));
    daemon.expect(&["11:59 succeeded", "12:01 succeeded", "12:03 succeeded"]);
    daemon.stop();
}

fn name(text: &str) -> JobName {
    JobName::new(text).unwrap()
}

fn these(jobs: &[&str]) -> Which {
    Which::These(jobs.iter().map(|job| name(job)).collect())
}

fn pause(jobs: Which, minutes: Option<i64>, reason: &str) -> Wish {
    let until = minutes.map(|minutes| begin() + SignedDuration::from_mins(minutes));
    Wish::Pause { jobs, until, reason: Some(reason.to_owned()) }
}

#[test]
fn a_pause_survives_a_restart_and_ends_by_itself() {
    let place = Place::new(JOBS);
    let clock = ManualClock::at(begin());
    let daemon = Simulated::start(&place, &clock);
    clock.advance(Duration::from_secs(30));
    daemon.expect(&["12:00 succeeded"]);
    // Until 12:05:00, at which it is over.
    let until = begin() + SignedDuration::from_secs(330);
    let wish = Wish::Pause { jobs: these(&["minutely"]), until: Some(until), reason: Some("moving".to_owned()) };
    let after = daemon.granted(wish);
    assert_eq!(after[0]["paused"]["until"], "2026-11-23T12:05:00.000000Z");
    assert_eq!(
        (after[0]["paused"]["by"].as_str(), after[0]["paused"]["reason"].as_str()),
        (Some("anna"), Some("moving"))
    );
    assert_eq!(after[0]["next"], "2026-11-23T12:05:00.000000Z");
    clock.advance(Duration::from_secs(60));
    daemon.expect(&["12:00 succeeded", "12:01-12:01 skipped"]);
    let skipped = place.entries_of("minutely").remove(1);
    assert_eq!((&skipped["reason"], &skipped["detail"]), (&"paused".into(), &"paused by anna: moving".into()));
    daemon.stop();
    // It ends in the middle of a time in which nobody is there.
    clock.advance(Duration::from_secs(120));
    let daemon = Simulated::start(&place, &clock);
    daemon.expect(&["12:00 succeeded", "12:01-12:03 skipped"]);
    daemon.stop();
    clock.advance(Duration::from_secs(240));
    let daemon = Simulated::start(&place, &clock);
    let all = ["12:00 succeeded", "12:01-12:04 skipped", "12:05-12:06 missed", "12:07 succeeded"];
    daemon.expect(&all);
    assert_eq!(place.json(&["status", "minutely"])["jobs"][0]["paused"], serde_json::Value::Null);
    assert_eq!(
        place.ask("SELECT group_concat(detail) FROM events WHERE kind = 13"),
        "minutely: no longer paused by anna: moving"
    );
    // One that ends while the daemon is there does so at its moment.
    daemon.granted(pause(Which::All, Some(9), ""));
    clock.advance(Duration::from_secs(60));
    clock.advance(Duration::from_secs(60));
    daemon.expect(&[&all[..], &["12:08-12:08 skipped", "12:09 succeeded"]].concat());
    daemon.stop();
}

#[test]
fn instants_are_left_out_over_a_restart_and_runs_by_hand_go_on() {
    let place = Place::new(JOBS);
    let clock = ManualClock::at(begin());
    let daemon = Simulated::start(&place, &clock);
    let after = daemon.granted(Wish::Skip { job: name("minutely"), count: 2 });
    assert_eq!(after[0]["skips"][1], "2026-11-23T12:01:00.000000Z");
    assert_eq!(after[0]["next"], "2026-11-23T12:02:00.000000Z");
    clock.advance(Duration::from_secs(30));
    daemon.expect(&["12:00-12:00 skipped"]);
    daemon.stop();
    let daemon = Simulated::start(&place, &clock);
    clock.advance(Duration::from_secs(120));
    daemon.expect(&["12:00-12:01 skipped", "12:02 succeeded"]);
    let reason = place.entries_of("minutely").remove(0);
    assert_eq!((&reason["reason"], &reason["detail"]), (&"by-hand".into(), &"left out by anna".into()));
    daemon.granted(Wish::Skip { job: name("minutely"), count: 1 });
    assert_eq!(daemon.granted(Wish::Unskip { job: name("minutely") })[0]["skips"].as_array().unwrap().len(), 0);
    clock.advance(Duration::from_secs(60));
    let until_now = ["12:00-12:01 skipped", "12:02 succeeded", "12:03 succeeded"];
    daemon.expect(&until_now);
    // What comes again because the clock was wrong is left out again.
    daemon.granted(Wish::Skip { job: name("minutely"), count: 1 });
    clock.advance(Duration::from_secs(60));
    daemon.expect(&[&until_now[..], &["12:04-12:04 skipped"]].concat());
    clock.set(begin() + SignedDuration::from_mins(4));
    daemon.expect(&until_now);
    assert_eq!(place.json(&["status", "minutely"])["jobs"][0]["skips"][0], "2026-11-23T12:04:00.000000Z");
    clock.advance(Duration::from_secs(60));
    daemon.expect(&[&until_now[..], &["12:04-12:04 skipped"]].concat());
    daemon.stop();
}

const BY_HAND: &str = "
[daemon]
max_running = 1
[jobs.start]
schedule = '@start'
command = ['true']
[jobs.slow]
command = 'while [ ! -e go ]; do sleep 0.02; done'
retries = 3
retry_delay = '1h'
[jobs.broken]
command = 'exit 3'
retries = 3
retry_delay = '1h'
retry_max_delay = '1h'
[jobs.told]
enabled = false
schedule = '0 * * * *'
command = 'echo $A $B $PUNCTUAL_DUE $PUNCTUAL_CAUSE $PUNCTUAL_ATTEMPT; exit $((PUNCTUAL_ATTEMPT < 2))'
env = { A = 'a', B = 'b' }
retries = 1
retry_delay = '0s'
";

impl Simulated<'_> {
    /// The run that a job is begun or waits with.
    fn run(&self, job: &str, due: Option<&str>, env: &[(&str, &str)]) -> serde_json::Value {
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let due = due.map(|due| due.parse().unwrap());
        self.granted(Wish::Run { jobs: vec![name(job)], due, env }).as_array().unwrap()[0].clone()
    }

    fn state(&self, job: &str) -> Option<String> {
        let last = self.place.entries_of(job).pop()?;
        Some(last["outcome"].as_str().or(last["state"].as_str())?.to_owned())
    }

    fn expect_state(&self, job: &str, state: &str) {
        wait(&format!("{job} {state}, {:?} is", self.state(job)), || (self.state(job)? == state).then_some(()));
    }

    fn denied(&self, wish: Wish) -> (Denial, String) {
        let Denied { denial, message } = self.wish(wish).unwrap_err();
        (denial, message)
    }
}

#[test]
fn a_run_by_hand_is_told_what_was_said_whenever_it_begins() {
    let place = Place::new(BY_HAND);
    let clock = ManualClock::at(begin());
    let daemon = Simulated::start(&place, &clock);
    assert_eq!(daemon.run("slow", None, &[])["waiting_for"], serde_json::Value::Null);
    daemon.expect_state("slow", "running");
    let in_the_way = daemon.run("slow", None, &[]);
    assert_eq!((&in_the_way["run"], &in_the_way["in_the_way"]), (&serde_json::Value::Null, &2.into()));
    // Disabled and paused: a person may want it all the same, for an instant that has gone by.
    daemon.granted(pause(these(&["told"]), None, ""));
    let told = daemon.run("told", Some("2026-11-23T10:00:00Z"), &[("B", "x y"), ("C", "")]);
    assert_eq!((&told["waiting_for"], &told["note"]), (&"a place (max_running)".into(), &serde_json::Value::Null));
    let odd = daemon.run("told", Some("2026-11-23T10:30:00Z"), &[]);
    assert_eq!(odd["in_the_way"], told["run"]);
    assert_eq!(odd["note"], "the schedule of told does not name 2026-11-23T10:30:00Z");
    // It waits for another daemon, with all that was said.
    daemon.demand(Demand::Stop);
    daemon.stop();
    let daemon = Simulated::start(&place, &clock);
    daemon.expect_state("told", "succeeded");
    assert_eq!(daemon.state("slow").unwrap(), "stopped");
    let run = told["run"].to_string();
    let output = place.text(&["logs", &run]);
    assert_eq!(output.matches("a x y 2026-11-23T10:00:00.000000Z manual").count(), 2, "{output}");
    let shown = place.json(&["show", &run]);
    assert_eq!(
        shown["asked"],
        serde_json::json!({
            "by": "anna", "repeats": "2026-11-23T10:00:00.000000Z", "env": { "B": "x y", "C": "" }
        })
    );
    assert!(place.text(&["show", &run]).contains("with  B=x y\n"));
    let events = place.ask("SELECT group_concat(detail, '; ') FROM events WHERE kind = 12");
    assert!(events.ends_with("run 3 of told by anna, for 2026-11-23T10:00:00Z"), "{events}");
    daemon.stop();
}

#[test]
fn what_is_to_end_ends_and_is_not_tried_again() {
    let place = Place::new(BY_HAND);
    let clock = ManualClock::at(begin());
    let daemon = Simulated::start(&place, &clock);
    daemon.expect_state("start", "succeeded");
    daemon.run("broken", None, &[]);
    wait("its pause", || {
        place.entries_of("broken")[0]["detail"].as_str()?.starts_with("waits for attempt").then_some(())
    });
    let slow = daemon.run("slow", None, &[]);
    daemon.expect_state("slow", "running");
    daemon.run("told", None, &[]);
    let stop = |job: &str| Wish::StopJob { job: name(job), kill: false };
    // What waits is over at once; what goes is told to.
    let told = daemon.granted(stop("told"));
    assert_eq!((&told["runs"][0]["outcome"], &told["runs"][0]["reason"]), (&"stopped".into(), &"by-hand".into()));
    assert_eq!(told["runs"][0]["detail"], "stopped by anna before it began");
    let broken = daemon.granted(stop("broken"));
    assert_eq!(broken["runs"][0]["detail"], "stopped by anna while it waited for attempt 2");
    assert_eq!(broken["runs"][0]["attempts"], 1);
    let run = RunId(slow["run"].as_i64().unwrap());
    let stopped = daemon.granted(Wish::StopRun { run, kill: false });
    assert_eq!((&stopped["runs"][0]["run"], &stopped["job"]["job"]), (&run.0.into(), &"slow".into()));
    daemon.expect_state("slow", "stopped");
    assert_eq!(place.entries_of("slow")[0]["reason"], "by-hand");
    let (denial, message) = daemon.denied(Wish::StopRun { run, kill: true });
    assert_eq!(denial, Denial::Conflict);
    assert!(message.starts_with(&format!("run {run} of slow has ended already: stopped, ")), "{message}");
    assert_eq!(daemon.denied(stop("slow")), (Denial::Conflict, "nothing of slow is running or waiting".to_owned()));
    let unknown = (Denial::Unknown, "there is no run 99; punctual history lists them".to_owned());
    assert_eq!(daemon.denied(Wish::StopRun { run: RunId(99), kill: false }), unknown);
    assert_eq!(daemon.denied(stop("slov")), (Denial::Unknown, "there is no job `slov`; did you mean slow?".to_owned()));
    daemon.stop();
}

#[test]
fn what_cannot_be_granted_is_denied_with_what_to_do() {
    let place = Place::new(BY_HAND);
    let clock = ManualClock::at(begin());
    let daemon = Simulated::start(&place, &clock);
    let run = |due: &str, variable: &str| Wish::Run {
        jobs: vec![name("slow")],
        due: Some(due.parse().unwrap()),
        env: [(variable.to_owned(), "x".to_owned())].into(),
    };
    let skip = |job: &str, count| Wish::Skip { job: name(job), count };
    for (wish, expect) in [
        (run("2026-11-23T11:59:31Z", "A"), "2026-11-23T11:59:31Z is yet to come: only what is past can be repeated"),
        (run("2026-11-23T11:00:00Z", "A=B"), "`A=B` is no name of a variable"),
        (pause(Which::All, Some(0), ""), "2026-11-23T11:59:30Z is past: a pause ends at a time to come"),
        (skip("told", 1), "told is disabled: no instant of it is to come"),
        (skip("slow", 1), "slow has no schedule: no instant of it is to come"),
        (skip("start", 1), "start runs at a start, which no schedule names in advance; pause it instead"),
        (skip("start", 1001), "no more than 1000 instants of a job can be left out; pause it instead"),
    ] {
        assert_eq!(daemon.denied(wish), (Denial::Conflict, expect.to_owned()));
    }
    // One that is wrong among several: none is run.
    let wish = Wish::Run { jobs: vec![name("slow"), name("x")], due: None, env: [].into() };
    assert_eq!(daemon.denied(wish).0, Denial::Unknown);
    assert_eq!(place.entries_of("slow").len(), 0);
    assert_eq!(daemon.granted(Wish::Resume { jobs: Which::All }), serde_json::json!([]));
    daemon.stop();
}

/// Of three jobs one is paused by its name: what is said of all leaves that as it is.
#[test]
fn all_are_paused_but_those_that_are_resumed() {
    let jobs = "[jobs.minutely]\nschedule = '* * * * *'\ncommand = ['true']\n\
                [jobs.other]\nschedule = '* * * * *'\ncommand = ['true']\n\
                [jobs.after]\nafter = 'minutely'\ncommand = ['true']\n\
                [jobs.start]\nschedule = '@start'\ncommand = ['true']\n";
    let place = Place::new(jobs);
    let clock = ManualClock::at(begin());
    let daemon = Simulated::start(&place, &clock);
    daemon.granted(pause(these(&["other", "after"]), None, "broken"));
    assert_eq!(daemon.granted(pause(Which::All, None, "moving")).as_array().unwrap().len(), 4);
    daemon.granted(Wish::Resume { jobs: these(&["minutely"]) });
    daemon.stop();
    let daemon = Simulated::start(&place, &clock);
    clock.advance(Duration::from_secs(30));
    daemon.expect(&["12:00 succeeded"]);
    let first = |job: &str| place.entries_of(job).first().map(|entry| entry["detail"].clone());
    wait("the other", || (first("other")? == "paused by anna: broken").then_some(()));
    // Its success calls for nothing while the one that it would call for is paused.
    wait("the dependent", || (first("after")? == "paused by anna: broken").then_some(()));
    // Nor does a start.
    assert_eq!(place.entries_of("start").last().unwrap()["reason"], "paused");
    let status = |job: &str| place.json(&["status", job])["jobs"][0].clone();
    assert_eq!(
        (&status("minutely")["paused"], &status("start")["paused"]["reason"]),
        (&serde_json::Value::Null, &"moving".into())
    );
    assert_eq!(
        (&status("other")["next"], &status("other")["paused"]["by"]),
        (&serde_json::Value::Null, &"anna".into())
    );
    assert!(place.text(&["status"]).contains("paused by anna: moving"));
    assert_eq!(place.json(&["next", "other"]), serde_json::json!([]));
    let planned = place.json(&["plan", "--days", "1"]);
    assert_eq!((&planned["jobs"][1]["job"], &planned["jobs"][1]["runs"]), (&"other".into(), &0.into()), "{planned}");
    assert_eq!(planned["jobs"][1]["silent"], "paused");
    let resumed = daemon.granted(Wish::Resume { jobs: Which::All });
    assert_eq!(resumed.as_array().unwrap().iter().filter(|job| job["paused"].is_null()).count(), 1, "{resumed}");
    assert_eq!(daemon.granted(Wish::Resume { jobs: Which::All }).as_array().unwrap().len(), 2);
    clock.advance(Duration::from_secs(60));
    daemon.expect(&["12:00 succeeded", "12:01 succeeded"]);
    wait("the other", || (place.entries_of("other").last()?["outcome"] == "succeeded").then_some(()));
    daemon.stop();
    assert_eq!(place.ask("SELECT CAST(count(*) AS TEXT) FROM pauses_shown"), "0");
}

#[test]
fn a_pause_outlasts_an_edited_file() {
    let place = Place::new(JOBS);
    let clock = ManualClock::at(begin());
    let daemon = Simulated::start(&place, &clock);
    daemon.granted(pause(these(&["minutely"]), None, ""));
    daemon.granted(Wish::Skip { job: name("start"), count: 0 });
    let reload = |jobs: &str, definitions: i64| {
        place.write_jobs(jobs);
        daemon.demand(Demand::Reload);
        wait("the file", || (place.definitions("minutely") == definitions).then_some(()));
    };
    clock.advance(Duration::from_secs(60));
    daemon.expect(&["12:00-12:00 skipped"]);
    // Other instants, taken out, and back again: it is paused all the time.
    reload(&JOBS.replace("'* * * * *'", "'*/2 * * * *'"), 2);
    clock.advance(Duration::from_secs(120));
    daemon.expect(&["12:00-12:00 skipped", "12:02-12:02 skipped"]);
    place.write_jobs("[jobs.start]\nschedule = '@start'\ncommand = ['true']\n");
    daemon.demand(Demand::Reload);
    let in_force = "SELECT CAST(count(*) AS TEXT) FROM definitions WHERE until IS NULL";
    wait("the file", || (place.ask(in_force) == "1").then_some(()));
    reload(JOBS, 3);
    clock.advance(Duration::from_secs(60));
    daemon.expect(&["12:00-12:00 skipped", "12:02-12:02 skipped", "12:03-12:03 skipped"]);
    daemon.stop();
}

#[test]
fn while_nothing_can_be_recorded_only_ends_are_granted() {
    let trap = "trap 'touch ended; exit 0' TERM; touch begun; while :; do sleep 0.02; done";
    let place = Place::new(&format!("{JOBS}[jobs.slow]\ncwd = '.'\ncommand = \"{trap}\"\n"));
    let clock = ManualClock::at(begin());
    let daemon = Simulated::start(&place, &clock);
    daemon.run("slow", None, &[]);
    wait("the slow one", || place.path("begun").exists().then_some(()));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut somebody = runtime.block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(place.database());
        let mut connection = options.connect().await.unwrap();
        sqlx::query("BEGIN IMMEDIATE").execute(&mut connection).await.unwrap();
        connection
    });
    // Whoever waits when the trouble begins is told that it is on its way, whoever comes later that it is not.
    let (denial, message) = daemon.denied(pause(these(&["minutely"]), None, ""));
    assert_eq!(denial, Denial::Unavailable);
    assert!(message.starts_with("it comes true as soon as it can be recorded; now "), "{message}");
    let (denial, message) = daemon.denied(Wish::Run { jobs: vec![name("start")], due: None, env: [].into() });
    assert_eq!(denial, Denial::Unavailable);
    assert!(message.starts_with("nothing can be recorded: "), "{message}");
    let stopped = daemon.granted(Wish::StopJob { job: name("slow"), kill: false });
    assert_eq!(stopped["runs"][0]["state"], "running");
    wait("its end", || place.path("ended").exists().then_some(()));
    runtime.block_on(async {
        sqlx::query("ROLLBACK").execute(&mut somebody).await.unwrap();
        somebody.close().await.unwrap();
    });
    daemon.expect_state("slow", "stopped");
    assert_eq!(place.entries_of("slow")[0]["reason"], "by-hand");
    assert_eq!(place.json(&["status", "minutely"])["jobs"][0]["paused"]["by"], "anna");
    daemon.stop();
}

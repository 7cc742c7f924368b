//! The whole daemon on a clock that is moved by hand: what it does when time jumps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use punctual::audit::{Question, audit};
use punctual::clock::{Clock, ManualClock};
use punctual::daemon::{Demand, Setup, Telling, run};
use punctual::files::Machine;
use punctual::report::CheckReport;
use punctual::settings::Flags;
use punctual::store::Reader;
use support::{Place, own_keeper, wait};
use tokio::sync::mpsc;

/// A daemon in this process, on a clock of its own.
struct Simulated<'p> {
    place: &'p Place,
    clock: Clock,
    demands: mpsc::Sender<Demand>,
    daemon: Option<std::thread::JoinHandle<()>>,
}

fn begin() -> Timestamp {
    "2026-11-23T11:59:30Z".parse().unwrap()
}

impl<'p> Simulated<'p> {
    fn start(place: &'p Place, clock: &Arc<ManualClock>) -> Self {
        let starts = place.entries_of("start").len();
        let (demands, demands_out) = mpsc::channel(4);
        let setup = Setup {
            config: place.path("jobs.toml"),
            state: place.path("state"),
            flags: Flags { timezone: Some("UTC".to_owned()), ..Flags::default() },
            environment: [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into(),
            clock: Clock::Manual(clock.clone()),
            telling: Telling { lines: |_| Vec::new(), report: |_| CheckReport::default() },
            keeper: own_keeper(&Clock::Manual(clock.clone())),
        };
        let daemon = std::thread::Builder::new().spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(run(setup, demands_out)).unwrap();
        });
        let simulated = Self { place, clock: Clock::Manual(clock.clone()), demands, daemon: Some(daemon.unwrap()) };
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
        assert!(report.instants > 0);
    }

    fn demand(&self, demand: Demand) {
        self.demands.try_send(demand).unwrap();
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

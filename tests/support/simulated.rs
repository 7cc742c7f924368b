//! The whole daemon in this process, on a clock that is moved by hand.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::sync::Arc;

use punctual::audit::{Question, audit};
use punctual::clock::{Clock, ManualClock};
use punctual::control::{Ask, Caller, Denied, Granted, Wish};
use punctual::daemon::{Demand, Setup, Telling, run};
use punctual::files::Machine;
use punctual::report::CheckReport;
use punctual::settings::Flags;
use punctual::store::Reader;
use tokio::sync::{mpsc, oneshot};

use super::support::{Place, own_keeper, wait};

/// A daemon in this process, on a clock of its own.
pub struct Simulated<'p> {
    pub place: &'p Place,
    clock: Clock,
    demands: mpsc::Sender<Demand>,
    wishes: mpsc::Sender<Ask>,
    daemon: Option<std::thread::JoinHandle<()>>,
}

impl<'p> Simulated<'p> {
    /// Starts it, and waits until its job `start` has begun, whose schedule is to be `@start`.
    pub fn start(place: &'p Place, clock: &Arc<ManualClock>) -> Self {
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

    /// What is recorded is what should have happened until now.
    fn balances(&self) {
        let now = self.clock.now();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let report = runtime.block_on(async {
            let reader = Reader::open(&self.place.database()).await.unwrap();
            audit(&reader, &Machine::default(), &Question { now, ..Question::default() }).await.unwrap()
        });
        assert!(report.balances, "{report:#?}");
        assert!(report.instants > 0 || self.place.entries_of("minutely").is_empty());
    }

    pub fn demand(&self, demand: Demand) {
        self.demands.try_send(demand).unwrap();
    }

    pub fn wish(&self, wish: Wish) -> Result<Granted, Denied> {
        let (answer, answered) = oneshot::channel();
        let by = Caller { uid: 1000, name: "anna".to_owned() };
        self.wishes.blocking_send(Ask { wish, by, answer }).unwrap();
        answered.blocking_recv().unwrap()
    }

    /// What is granted, as the socket tells it.
    pub fn granted(&self, wish: Wish) -> serde_json::Value {
        serde_json::to_value(self.wish(wish).unwrap()).unwrap()
    }

    pub fn stop(mut self) {
        self.demands.try_send(Demand::Stop).unwrap();
        self.daemon.take().unwrap().join().unwrap();
        self.balances();
    }
}

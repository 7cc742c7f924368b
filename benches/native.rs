//! How many runs without a process are decided on, begun, ended and recorded in a second? All of the way but the clock: the
//! planner, the writer with its SQLite file, the runner; jobs without any step do nothing in between.
//!
//! `cargo bench --bench native`. More than 10,000 a second is the aim.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};
use punctual::clock::Clock;
use punctual::job::{Job, Steps, Task};
use punctual::keeper::{connect, keep_in_this_process};
use punctual::plan::{Action, Decision, Lapse, Planner};
use punctual::runner::{Cgroups, Door, Event, Ledgered, NoLedger, Order, Runner, Surroundings, Takeover};
use punctual::store::{Answer, HistoryFilter, Store, Writer};
use support::{Bundled, read};
use tokio::sync::mpsc;

const RUNS: usize = 100_000;
const PLACES: usize = 1000;
const ROUNDS: usize = 3;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut rates = Vec::new();
    for round in 1..=ROUNDS {
        let took = runtime.block_on(round_of_runs());
        #[allow(clippy::cast_precision_loss)]
        let rate = RUNS as f64 / took.as_secs_f64();
        println!("round {round}: {RUNS} runs in {took:.2?}, {rate:.0} a second");
        rates.push(rate);
    }
    rates.sort_by(f64::total_cmp);
    println!("median of {ROUNDS} rounds: {:.0} runs a second", rates[ROUNDS / 2]);
}

/// From the wakeup at which all are due until all are in the ledger.
async fn round_of_runs() -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let clock = Clock::System;
    let (jobs, due) = jobs(clock.now());
    let store = Store::prepare(&folder.path().join("punctual.db")).unwrap().open("bench", "boot").await.unwrap();
    let (writer, writer_end, answers, recorded) = Writer::new(&store, PLACES);
    let memory = store.memory(due - SignedDuration::from_secs(1), &Bundled).await.unwrap();
    let (planner, first) = Planner::restore(&jobs, PLACES, memory, due - SignedDuration::from_secs(1));
    let surroundings = Surroundings {
        environment: BTreeMap::new(),
        program: std::env::current_exe().unwrap(),
        state: folder.path().to_owned(),
        database: folder.path().join("punctual.db"),
        cgroups: Cgroups::of_this_process(),
        facts: Arc::new(NoLedger),
    };
    let (line, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    let kept = clock.clone();
    std::thread::spawn(move || keep_in_this_process(kept, Path::new("/proc/self/exe"), theirs).unwrap());
    let (keeper, switchboard, _) = connect(line).await.unwrap();
    let speaking = tokio::spawn(switchboard.run());
    let ledgered = Ledgered { pieces: writer.pieces.clone(), recorded };
    let takeover = Takeover { keeper, estates: BTreeMap::new() };
    let (door, runner, events) = Runner::new(clock, surroundings, ledgered, takeover).unwrap();
    let (writing, running) = (tokio::spawn(writer_end.run()), tokio::spawn(runner.run()));
    let mut bench = Loop { planner, writer, answers, door, events, uncommitted: 0, ended: 0, due };
    bench.commit(first).await;
    while bench.uncommitted > 0 {
        bench.turn().await;
    }
    let begin = Instant::now();
    let decision = bench.planner.handle_wakeup(due, Lapse::Suspended);
    bench.commit(decision).await;
    while bench.ended < RUNS || bench.uncommitted > 0 {
        bench.turn().await;
    }
    let took = begin.elapsed();
    drop(bench);
    running.await.unwrap();
    speaking.await.unwrap().unwrap();
    writing.await.unwrap();
    let entries = store.reader.history(&HistoryFilter::default(), None).await.unwrap();
    let jobs: BTreeSet<&str> = entries
        .iter()
        .filter(|entry| entry.outcome == Some(punctual::run::Outcome::Succeeded))
        .map(|entry| entry.job.as_str())
        .collect();
    assert_eq!(jobs.len(), RUNS);
    store.close().await;
    took
}

/// Jobs that do nothing, all due at the same instant.
fn jobs(now: Timestamp) -> (Vec<Arc<Job>>, Timestamp) {
    let due = now.round(jiff::Unit::Second).unwrap() + SignedDuration::from_hours(1);
    let mut text = String::new();
    for number in 0..RUNS {
        write!(text, "[jobs.job{number}]\nschedule = 'at {due}'\ncommand = 'x'\n").unwrap();
    }
    let steps =
        Steps { list: Vec::new(), keep_going: false, max_parallel: None, timeout: None, kill_after: Duration::ZERO };
    let task = Task::Steps(Arc::new(steps));
    let idle = |job: &Arc<Job>| Arc::new(Job { task: task.clone(), ..Job::clone(job) });
    (read(text).jobs.iter().map(idle).collect(), due)
}

/// What the daemon's loop does, without demands and alarms.
struct Loop {
    planner: Planner,
    writer: Writer,
    answers: mpsc::Receiver<Answer>,
    door: Door,
    events: mpsc::Receiver<Event>,
    uncommitted: usize,
    ended: usize,
    due: Timestamp,
}

impl Loop {
    async fn commit(&mut self, decision: Decision) {
        if !decision.is_empty() {
            self.uncommitted += 1;
            self.writer.commit(Arc::new(decision)).await;
        }
    }

    async fn turn(&mut self) {
        let decision = tokio::select! {
            biased;
            Some(answer) = self.answers.recv() => {
                self.uncommitted -= 1;
                assert!(answer.refused.is_empty());
                for action in &answer.decision.actions {
                    if let Action::Start(launch) = action {
                        self.door.start(Order::from(launch.clone())).await;
                    }
                }
                return;
            }
            Some(event) = self.events.recv() => match event {
                Event::Started { run, at, process } => self.planner.handle_started(run, at, process),
                Event::Ended { run, ended } => {
                    self.ended += 1;
                    self.planner.handle_ended(run, ended, self.due)
                }
                Event::Step(..) => return,
            },
        };
        self.commit(decision).await;
    }
}

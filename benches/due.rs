//! How long does it take to find what is due among 100,000 jobs, to begin it, to end it, and to plan its next instant?
//!
//! Time goes on from wakeup to wakeup, with no end. At most 10 µs is the aim for each due job.

#![allow(clippy::unwrap_used)]

mod support;

use std::fmt::Write;

use divan::Bencher;
use jiff::Timestamp;
use punctual::plan::{Lapse, Memory, Planner};
use punctual::run::{Ended, Exit, RunId};
use support::{read, start};

const JOBS: usize = 100_000;

/// A planner that goes on, one run after the other.
struct Days {
    planner: Planner,
    now: Timestamp,
    begun: Vec<RunId>,
}

impl Days {
    fn of(schedule: impl Fn(usize) -> String) -> Self {
        let mut text = String::new();
        for number in 0..JOBS {
            let schedule = schedule(number);
            writeln!(text, "[jobs.report-{number}]\nschedule = \"{schedule}\"\ncommand = \"report {number}\"").unwrap();
        }
        let (planner, _) = Planner::restore(&read(text).jobs, JOBS, Memory::default(), start());
        Self { planner, now: start(), begun: Vec::new() }
    }

    /// Brings one run to its end; where none is left, the next wakeup begins some.
    fn next_run(&mut self) {
        while self.begun.is_empty() {
            self.now = self.planner.next_wakeup().unwrap();
            let decision = self.planner.handle_wakeup(self.now, Lapse::Suspended);
            self.begun.extend(decision.actions.iter().map(punctual::plan::Action::run));
        }
        let ended = Ended::unmeasured(Exit::Code(0), self.now);
        let decision = self.planner.handle_ended(self.begun.pop().unwrap(), ended, self.now);
        assert!(decision.actions.is_empty());
    }
}

/// Each at its own second of the day, nearly.
#[divan::bench(sample_count = 1000, sample_size = 100)]
fn one_at_a_time(bencher: Bencher) {
    let mut days = Days::of(|number| format!("{} {} {} * * *", number % 60, number / 60 % 60, number / 3600 % 24));
    bencher.bench_local(|| days.next_run());
}

/// All of a minute's jobs at its beginning: about 70, more at a full hour.
#[divan::bench(sample_count = 1000, sample_size = 1000)]
fn a_minutes_jobs_at_once(bencher: Bencher) {
    let mut days = Days::of(|number| format!("{} {} * * *", number % 60, number / 60 % 24));
    bencher.bench_local(|| days.next_run());
}

fn main() {
    divan::main();
}

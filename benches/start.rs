//! How soon has the last of a thousand commands begun that are due at the same instant? Beside a bare loop that starts as
//! many, records nothing and reads nothing, in turns on the same machine.
//!
//! `cargo bench --bench start`. What counts is the ratio: machines differ, and are busy.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "support/daemon.rs"]
mod daemon;

use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use daemon::Place;

const COMMANDS: usize = 1000;
const ROUNDS: usize = 5;
/// The daemon reads a thousand jobs and settles well within it.
const LEAD: Duration = Duration::from_secs(4);

fn main() {
    let mut ratios = Vec::new();
    for round in 1..=ROUNDS {
        let bare = bare_loop();
        let punctual = punctual();
        let ratio = punctual.as_secs_f64() / bare.as_secs_f64();
        println!("round {round}: bare loop {bare:.0?}, punctual {punctual:.0?}, ratio {ratio:.2}");
        ratios.push(ratio);
    }
    ratios.sort_by(f64::total_cmp);
    println!("median ratio of {ROUNDS} rounds, {COMMANDS} commands: {:.2}", ratios[ROUNDS / 2]);
}

/// From the first start to the last one, by two threads, with pipes that somebody could read and a third thread that reaps.
fn bare_loop() -> Duration {
    let begin = Instant::now();
    let (children, ended) = mpsc::channel::<Child>();
    let reaper = std::thread::spawn(move || {
        for mut child in ended {
            child.wait().unwrap();
        }
    });
    let start = |children: mpsc::Sender<Child>| {
        for _ in 0..COMMANDS / 2 {
            let mut command = Command::new("/bin/true");
            command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
            children.send(command.spawn().unwrap()).unwrap();
        }
        begin.elapsed()
    };
    let last = std::thread::scope(|scope| {
        let threads = [children.clone(), children].map(|children| scope.spawn(move || start(children)));
        threads.map(|thread| thread.join().unwrap()).into_iter().max().unwrap()
    });
    reaper.join().unwrap();
    last
}

/// From the instant to the start of the last one, as the ledger has it; all outcomes must be there.
fn punctual() -> Duration {
    let due = jiff::Timestamp::now() + LEAD;
    let job = |number: usize| format!("[jobs.job{number}]\nschedule = 'at {due:.3}'\ncommand = ['/bin/true']\n");
    let jobs: Vec<String> = (0..COMMANDS).map(job).collect();
    let place = Place::new(&format!("[daemon]\nmax_running = {COMMANDS}\n{}", jobs.concat()));
    let daemon = place.start();
    std::thread::sleep(LEAD);
    let entries = place.succeeded(COMMANDS);
    daemon.stop();
    let late = entries.iter().map(|entry| entry["late"].as_f64().unwrap()).fold(0.0, f64::max);
    Duration::from_secs_f64(late)
}

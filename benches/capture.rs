//! How fast is a command's output taken in, with its end kept and all of it counted? Beside a bare loop that reads the same
//! pipe in pieces of 64 KiB and throws it away.
//!
//! `cargo bench --bench capture`. At least 300 MB/s is the aim.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "support/daemon.rs"]
mod daemon;

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use daemon::Place;

const BYTES: u64 = 4_000_000_000;
const ROUNDS: usize = 5;

fn main() {
    let mut speeds = Vec::new();
    for round in 1..=ROUNDS {
        let (bare, (punctual, memory)) = (bare_loop(), punctual());
        println!(
            "round {round}: bare loop {:.0} MB/s, punctual {:.0} MB/s, the daemon at {memory} KiB at most",
            speed(bare),
            speed(punctual)
        );
        speeds.push(speed(punctual));
    }
    speeds.sort_by(f64::total_cmp);
    println!("median of {ROUNDS} rounds of {BYTES} bytes: {:.0} MB/s", speeds[ROUNDS / 2]);
}

fn speed(duration: Duration) -> f64 {
    #[allow(clippy::cast_precision_loss)]
    let megabytes = BYTES as f64 / 1e6;
    megabytes / duration.as_secs_f64()
}

fn bare_loop() -> Duration {
    let begin = Instant::now();
    let bytes = BYTES.to_string();
    let mut child = Command::new("head").args(["-c", &bytes, "/dev/zero"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut output = child.stdout.take().unwrap();
    let mut buffer = vec![0; 64 << 10];
    let mut total = 0;
    loop {
        match output.read(&mut buffer).unwrap() {
            0 => break,
            length => total += length as u64,
        }
    }
    assert_eq!(total, BYTES);
    assert!(child.wait().unwrap().success());
    begin.elapsed()
}

/// How long it took, and the daemon's peak memory.
fn punctual() -> (Duration, u64) {
    let place =
        Place::new(&format!("[jobs.flood]\nschedule = '@start'\ncommand = ['head', '-c', '{BYTES}', '/dev/zero']\n"));
    let daemon = place.start();
    let entries = place.succeeded(1);
    let memory = daemon.peak_memory();
    daemon.stop();
    assert_eq!(entries[0]["output_bytes"], BYTES);
    (Duration::from_secs_f64(entries[0]["duration"].as_f64().unwrap()), memory)
}

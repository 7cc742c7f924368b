//! What does it cost a run that a keeper starts it, reads it and holds its end? Beside as many processes that are started,
//! read and reaped without one, in turns on the same machine, two at a time: more do not go faster.
//!
//! `cargo bench --bench keeper`. At most 100 µs a run is the aim.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use punctual::clock::Clock;
use punctual::keeper::{Client, News, Program, Start, connect, keep_in_this_process};
use punctual::run::{AttemptId, RunId};

const RUNS: i64 = 2000;
const ROUNDS: usize = 7;
const SIDE_BY_SIDE: i64 = 2;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut costs = Vec::new();
    for round in 1..=ROUNDS {
        let (bare, kept) = (bare(), runtime.block_on(kept()));
        let micros = |took: Duration| took.as_secs_f64() * 1e6 / f64::from(i32::try_from(RUNS).unwrap());
        let cost = micros(kept) - micros(bare);
        println!(
            "round {round}: {:.0} µs a run without a keeper, {:.0} with one: {cost:.0} more",
            micros(bare),
            micros(kept)
        );
        costs.push(cost);
    }
    costs.sort_by(f64::total_cmp);
    println!("median of {ROUNDS} rounds of {RUNS} runs: a keeper costs {:.0} µs a run", costs[ROUNDS / 2]);
}

fn bare() -> Duration {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                for _ in 0..RUNS / SIDE_BY_SIDE {
                    let mut command = Command::new("/bin/true");
                    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
                    let mut child = command.spawn().unwrap();
                    let mut output = Vec::new();
                    child.stdout.take().unwrap().read_to_end(&mut output).unwrap();
                    child.stderr.take().unwrap().read_to_end(&mut output).unwrap();
                    assert!(child.wait().unwrap().success());
                }
            });
        }
    });
    begin.elapsed()
}

async fn kept() -> Duration {
    let (line, theirs) = UnixStream::pair().unwrap();
    let keeper = std::thread::spawn(|| keep_in_this_process(Clock::System, Path::new("/bin/false"), theirs).unwrap());
    let (client, switchboard, _) = connect(line).await.unwrap();
    let speaking = tokio::spawn(switchboard.run());
    let begin = Instant::now();
    let each = |lane: i64| {
        let client = client.clone();
        tokio::spawn(async move {
            for number in 0..RUNS / SIDE_BY_SIDE {
                one(&client, RunId(1 + lane + number * SIDE_BY_SIDE)).await;
            }
        })
    };
    for lane in (0..SIDE_BY_SIDE).map(each).collect::<Vec<_>>() {
        lane.await.unwrap();
    }
    let took = begin.elapsed();
    drop(client);
    speaking.await.unwrap().unwrap();
    keeper.join().unwrap();
    took
}

/// What the runner does with a run that writes nothing.
async fn one(client: &Client, run: RunId) {
    let start = Start {
        id: AttemptId::whole(run, 1),
        label: String::new(),
        program: Program::At("/bin/true".into()),
        argv: vec!["true".to_owned()],
        environment: BTreeMap::new(),
        cwd: "/".into(),
        output_limit: 1 << 20,
        pattern: None,
    };
    let mut kept = client.start(start, File::open("/dev/null").unwrap().into()).await.unwrap();
    let (mut exited, mut silent) = (false, false);
    while !exited || !silent {
        match kept.next().await {
            News::Exited { .. } => exited = true,
            News::Silent => silent = true,
            News::Started(_) | News::NotStarted { .. } | News::Output(_) | News::Closed(_) => {}
        }
    }
    kept.close().await;
    while !matches!(kept.next().await, News::Closed(_)) {}
    kept.is_over();
    client.forget_run(run).await;
}

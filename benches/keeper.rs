//! What does it cost a run that a keeper starts it, reads it and holds its end? Beside as many processes that the same
//! runtime has started by threads of its own, reads and reaps itself, and beside threads that do nothing but that and wait
//! for each, in turns on the same machine, two at a time: more do not go faster.
//!
//! `cargo bench --bench keeper`. At most 100 µs a run more than the runtime alone is the aim.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use punctual::clock::Clock;
use punctual::keeper::{Client, News, Program, Start, connect, keep_in_this_process};
use punctual::readiness::Readiness;
use punctual::run::{AttemptId, RunId};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

const RUNS: i64 = 2000;
const ROUNDS: usize = 7;
const SIDE_BY_SIDE: i64 = 2;

fn main() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let mut costs = Vec::new();
    for round in 1..=ROUNDS {
        let [bare, alone, kept] = [bare(), runtime.block_on(alone()), runtime.block_on(kept())].map(micros);
        println!(
            "round {round}: {bare:.0} µs a run by threads, {alone:.0} by the runtime alone, {kept:.0} with a keeper: {:.0} more",
            kept - alone
        );
        costs.push([kept - alone, kept - bare]);
    }
    let [more, most] = [0, 1].map(|of| {
        costs.sort_by(|one, other| one[of].total_cmp(&other[of]));
        costs[ROUNDS / 2][of]
    });
    println!("median of {ROUNDS} rounds of {RUNS} runs: a keeper costs {more:.0} µs a run, {most:.0} beside threads");
}

/// Of one run.
fn micros(took: Duration) -> f64 {
    took.as_secs_f64() * 1e6 / f64::from(i32::try_from(RUNS).unwrap())
}

fn command() -> Command {
    let mut command = Command::new("/bin/true");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command
}

fn bare() -> Duration {
    let begin = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                for _ in 0..RUNS / SIDE_BY_SIDE {
                    let mut child = command().spawn().unwrap();
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

/// As it would be without a keeper: a start blocks, so that threads do it, and the rest is waited for by tasks.
async fn alone() -> Duration {
    let begin = Instant::now();
    let lane = || {
        tokio::spawn(async {
            for _ in 0..RUNS / SIDE_BY_SIDE {
                let mut child = tokio::task::spawn_blocking(|| command().spawn()).await.unwrap().unwrap();
                let exit = pidfd_open(Pid::from_child(&child), PidfdFlags::NONBLOCK).unwrap();
                let pipes = (child.stdout.take().unwrap().into(), child.stderr.take().unwrap().into());
                let exit = Readiness::new(exit).unwrap();
                let (exited, (), ()) = tokio::join!(exit.readable(), read(pipes.0), read(pipes.1));
                exited.unwrap();
                assert!(child.wait().unwrap().success());
            }
        })
    };
    for lane in (0..SIDE_BY_SIDE).map(|_| lane()).collect::<Vec<_>>() {
        lane.await.unwrap();
    }
    begin.elapsed()
}

/// To the end.
async fn read(pipe: OwnedFd) {
    rustix::io::ioctl_fionbio(&pipe, true).unwrap();
    let pipe = Readiness::new(pipe).unwrap();
    while pipe.read(|pipe| Ok(rustix::io::read(pipe, &mut [0; 4096])?)).await.unwrap() > 0 {}
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

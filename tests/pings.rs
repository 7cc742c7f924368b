//! Who waits for signs of life: the real binary, and a web server on loopback that hears of the daemon and of each run.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;
#[path = "support/web.rs"]
mod web;

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::Ordering;

use support::{Place, signal_process, wait};

/// The paths that were asked for below this one, as they came.
fn heard(server: &web::Server, of: &str) -> Vec<String> {
    let paths = server.requests().into_iter().map(|request| request.split(' ').nth(1).unwrap().to_owned());
    paths.filter(|path| path.trim_start_matches('/').split(['/', '?']).next() == Some(of)).collect()
}

fn wait_for(server: &web::Server, of: &str, count: usize) -> Vec<String> {
    wait(&format!("{count} pings of {of}, not {:?}", heard(server, of)), || {
        Some(heard(server, of)).filter(|paths| paths.len() >= count)
    })
}

/// The path without what its run is called, and that.
fn parts(path: &str) -> (&str, &str) {
    path.split_once("?rid=").unwrap()
}

#[test]
fn the_daemon_and_each_run_give_signs_of_life() {
    let server = web::Server::start();
    let ping = |name: &str| format!("ping = '{}'\n", server.url(&format!("/{name}")));
    let job = |name: &str, keys: &str, command: &str| {
        format!("[jobs.{name}]\ncwd = '.'\n{keys}{}command = '{command}'\n", ping(name))
    };
    let place = Place::new("");
    let file = |ping_of_daemon: &str| {
        [
            &format!("[daemon]\n{ping_of_daemon}"),
            &job("well", "", "exit 0"),
            &job("fails", "retries = 1\nretry_delay = \"0s\"\n", "exit 3"),
            &job("killed", "", "kill -KILL $$"),
            &job("unasked", "", "until [ -e stop ]; do sleep 0.02; done"),
            &job("long", "", "until [ -e go ]; do sleep 0.02; done"),
            "[jobs.silent]\ncommand = 'exit 0'\n",
        ]
        .map(str::to_owned)
        .concat()
    };
    place.write_jobs(&file(&ping("daemon")));
    let daemon = place.start();
    assert_eq!(wait_for(&server, "daemon", 1), ["/daemon"]);
    let mut runs = BTreeSet::new();
    for (job, end) in [("well", "/well"), ("fails", "/fails/3"), ("killed", "/killed/fail"), ("well", "/well")] {
        let before = heard(&server, job).len();
        place.run(&["run", job, "--wait"]);
        let paths = wait_for(&server, job, before + 2).split_off(before);
        let [(start, run), (came, same)] = [parts(&paths[0]), parts(&paths[1])];
        assert_eq!((start, came), (format!("/{job}/start").as_str(), end), "{paths:?}");
        // Both are of one run, and no other run has the name of this one.
        assert_eq!((run, paths.len()), (same, 2), "{paths:?}");
        assert!(runs.insert(run.to_owned()), "{runs:?}");
    }
    // That somebody stops a run is neither good nor bad.
    place.text(&["run", "unasked"]);
    wait_for(&server, "unasked", 1);
    place.text(&["stop", "unasked"]);
    // The end of a run is told by whoever sees it, as that of the one that began.
    place.text(&["run", "long"]);
    wait_for(&server, "long", 1);
    let scheduler = daemon.scheduler();
    signal_process(scheduler, "KILL");
    wait("another scheduler", || (support::scheduler_of(daemon.pid())? != scheduler).then_some(()));
    fs::write(place.path("go"), "").unwrap();
    let paths = wait_for(&server, "long", 2);
    let [(start, run), (end, same)] = [parts(&paths[0]), parts(&paths[1])];
    assert_eq!((start, end, run), ("/long/start", "/long", same), "{paths:?}");
    place.run(&["run", "silent", "--wait"]);
    // The other scheduler says that it lives as well.
    assert_eq!(wait_for(&server, "daemon", 2), ["/daemon", "/daemon"]);
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(heard(&server, "unasked").len(), 1);
    assert_eq!(heard(&server, "silent"), Vec::<String>::new());
}

/// A server that takes its time keeps nothing from beginning or ending.
#[test]
fn nobody_waits_for_a_ping() {
    let server = web::Server::start();
    let ping = format!("ping = '{}'\n", server.url("/slow"));
    let place = Place::new(&format!("[daemon]\n{ping}[jobs.copy]\n{ping}command = 'exit 0'\n"));
    let daemon = place.start();
    for _ in 0..3 {
        place.text(&["run", "copy", "--wait"]);
    }
    // All of them are held up, and neither is its end.
    wait("what is held up", || (server.seen.waiting.load(Ordering::SeqCst) >= 4).then_some(()));
    let entries = place.entries_of("copy");
    assert!(entries.iter().all(|entry| entry["outcome"] == "succeeded"), "{entries:?}");
    server.seen.released.send_replace(true);
    assert_eq!((entries.len(), daemon.stop()), (3, Some(0)));
}

//! As whom and within which bounds jobs run: the real binary, real users, real limits.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;

use punctual::clock::Clock;
use punctual::configuration::Configuration;
use punctual::keeper::connect;
use punctual::run::{Cause, Exit, Reason, RunId, Stream};
use punctual::runner::{Cgroups, Event, Ledgered, NoLedger, Order, Runner, Surroundings, Takeover};
use punctual::settings::Flags;
use serde_json::Value;
use support::{Place, is_alive, own_keeper, pids, wait};
use tokio::sync::mpsc;

/// A job that is due at the daemon's start and never again.
fn job(name: &str, keys: &str) -> String {
    format!("[jobs.{name}]\nschedule = '@start'\n{keys}\n")
}

/// Whether other users can be taken here; says so where they cannot.
fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("not root: other users were not tried");
    }
    is_root
}

/// A place that other users can enter.
fn open_place(jobs: &str) -> Place {
    let place = Place::new(jobs);
    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
    place
}

/// What the jobs of a file wrote, by name, once all have ended.
fn outputs(place: &Place, names: &[&str]) -> BTreeMap<String, String> {
    let daemon = place.start();
    for name in names {
        let entry = place.ended(name);
        assert_eq!(entry["outcome"], "succeeded", "{entry} {}", place.log());
    }
    daemon.stop();
    names.iter().map(|name| ((*name).to_owned(), place.text(&["logs", name]))).collect()
}

fn why(entry: &Value) -> (&str, &str) {
    (entry["outcome"].as_str().unwrap_or_default(), entry["reason"].as_str().unwrap_or_default())
}

#[test]
fn a_user_comes_with_all_that_belongs_to_it() {
    if !is_root() {
        return;
    }
    let user = "user = 'nobody'";
    let place = open_place(
        &[
            job("id", &format!("{user}\ncommand = 'id -u; id -ru; id -g; id -G; pwd'")),
            job("env", &format!("{user}\ncommand = ['env']")),
            job(
                "own",
                &format!("{user}\ncommand = 'echo $HOME $USER $LOGNAME'\nenv = {{ HOME = '/tmp', USER = 'me' }}"),
            ),
            job("group", "group = 'daemon'\ncommand = 'id -u; id -gn; echo $HOME'"),
            job(
                "status",
                &format!("{user}\ncommand = 'grep -E \"^(Uid|Gid|Groups|CapEff|CapPrm)\" /proc/self/status'"),
            ),
            job(
                "open",
                &format!(
                    "{user}\ncommand = 'echo out > /dev/stdout; echo err > /dev/stderr; cat /dev/stdin'\nstdin = \"in\\n\""
                ),
            ),
        ]
        .concat(),
    );
    let outputs = outputs(&place, &["id", "env", "own", "group", "status", "open"]);
    let nobody = nix::unistd::User::from_name("nobody").unwrap().unwrap();
    let (uid, gid) = (nobody.uid.as_raw(), nobody.gid.as_raw());
    // The home of nobody is not there; then it is the root.
    assert_eq!(outputs["id"], format!("{uid}\n{uid}\n{gid}\n{gid}\n/\n"));
    let has = |line: &str| outputs["env"].lines().any(|has| has == line);
    let home = format!("HOME={}", nobody.dir.display());
    let shell = format!("SHELL={}", nobody.shell.display());
    for line in [home.as_str(), "USER=nobody", "LOGNAME=nobody", shell.as_str(), "PUNCTUAL_JOB=env"] {
        assert!(has(line), "{line} is not in {}", outputs["env"]);
    }
    assert_eq!(outputs["own"], "/tmp me nobody\n");
    let home = std::env::var("HOME").unwrap_or_default();
    assert_eq!(outputs["group"], format!("0\ndaemon\n{home}\n"));
    let status = &outputs["status"];
    assert!(status.contains(&format!("Uid:\t{uid}\t{uid}\t{uid}\t{uid}\n")), "{status}");
    assert!(status.contains("CapPrm:\t0000000000000000\n"), "{status}");
    // The two streams are read each for itself.
    let mut lines: Vec<&str> = outputs["open"].lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["err", "in", "out"]);
}

#[test]
fn bounds_are_set() {
    let place = Place::new(
        &[
            job("umask", "umask = '027'\ncommand = 'umask; touch made'\ncwd = '.'"),
            job("nice", "nice = 7\ncommand = 'nice'"),
            job("files", "limits = { open_files = 37 }\ncommand = 'ulimit -n; ulimit -Hn'"),
            job("memory", "limits = { memory = '512MiB' }\ncommand = 'ulimit -v'"),
            job("merged", "limits = { memory = 'none' }\ncommand = 'ulimit -v; ulimit -n'"),
        ]
        .concat(),
    );
    let jobs = fs::read_to_string(place.path("jobs.toml")).unwrap();
    place.write_jobs(&format!("[defaults]\nlimits = {{ memory = '1GiB', open_files = 99 }}\n{jobs}"));
    let outputs = outputs(&place, &["umask", "nice", "files", "memory", "merged"]);
    let expect = [("umask", "0027\n"), ("nice", "7\n"), ("files", "37\n37\n"), ("memory", "524288\n")];
    for (name, text) in expect {
        assert_eq!(outputs[name], text, "{name}");
    }
    assert_eq!(outputs["merged"], "unlimited\n99\n");
    assert_eq!(fs::metadata(place.path("made")).unwrap().permissions().mode() & 0o777, 0o640);
}

/// Signals 32 and 33, which glibc keeps for its threads and has every child of posix_spawn ignore.
const OF_THE_C_LIBRARY: u64 = 0x1_8000_0000;

/// Whatever the daemon has from its own starter, a job gets three descriptors and no held-back signal, by both ways.
#[test]
fn nothing_is_handed_down() {
    let look = "command = 'grep -E \"^Sig(Blk|Ign)\" /proc/self/status; ls /proc/self/fd'";
    let place = Place::new(&[job("plain", look), job("shim", &format!("{look}\nnice = 1\nstdin = 'text'"))].concat());
    let script = "trap '' HUP USR1 QUIT; exec 9</dev/null; exec \"$@\"";
    let inner = place.command(&["daemon"]);
    let mut command = std::process::Command::new("/bin/sh");
    command.args(["-c", script, "sh"]).arg(inner.get_program()).args(inner.get_args());
    let daemon = place.own(command.current_dir(place.folder.path()).stderr(std::process::Stdio::null()));
    for name in ["plain", "shim"] {
        assert_eq!(place.ended(name)["outcome"], "succeeded");
        let output = place.text(&["logs", name]);
        let (signals, descriptors) = output.split_once("\n0").unwrap();
        for line in signals.lines() {
            let signals = u64::from_str_radix(line.split_once('\t').unwrap().1, 16).unwrap();
            assert_eq!(signals & !OF_THE_C_LIBRARY, 0, "{name}: {line}");
        }
        // The fourth is the folder that is being listed.
        assert_eq!(descriptors, "\n1\n2\n3\n", "{name}");
    }
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn what_cannot_be_set_up_says_why() {
    if !is_root() {
        return;
    }
    let place = open_place("");
    fs::create_dir(place.path("closed")).unwrap();
    fs::set_permissions(place.path("closed"), fs::Permissions::from_mode(0o700)).unwrap();
    fs::write(place.path("closed/script"), "#!/bin/sh\n").unwrap();
    let script = |name: &str, text: &str, mode: u32| {
        fs::write(place.path(name), text).unwrap();
        fs::set_permissions(place.path(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    script("mine", "#!/bin/sh\n", 0o700);
    script("orphan", "#!/no/such/interpreter\n", 0o755);
    let cases = [
        ("user", "user = 'no-such-user'\ncommand = 'id'", "no-user", "there is no user `no-such-user`", true),
        ("group", "group = 'no-such-group'\ncommand = 'id'", "no-user", "there is no group `no-such-group`", true),
        ("program", "user = 'nobody'\ncommand = ['no-such-program']", "no-program", "no-such-program", true),
        ("absent", "user = 'nobody'\ncommand = ['./absent']", "no-program", "absent", true),
        (
            "folder",
            "user = 'nobody'\ncommand = 'id'\ncwd = 'closed'",
            "no-permission",
            "closed cannot be entered",
            false,
        ),
        ("inside", "user = 'nobody'\ncommand = ['closed/script']", "no-permission", "permission denied", false),
        ("mine", "user = 'nobody'\ncommand = ['./mine']", "no-permission", "mine", false),
        ("orphan", "user = 'nobody'\ncommand = ['./orphan']", "no-program", "interpreter", false),
        ("cpu", "limits = { cpu = '50%' }\ncommand = 'id'", "limit", "cpu = \"50%\" needs a cgroup", true),
        ("count", "limits = { processes = 5 }\ncommand = 'id'", "limit", "processes = 5 needs", true),
        ("files", "limits = { open_files = 1000000000 }\ncommand = 'id'", "limit", "open_files = 1000000000", false),
    ];
    let one = |(name, keys, _, _, _): (&str, &str, &str, &str, bool)| {
        let cwd = if keys.contains("cwd") { "" } else { "\ncwd = '.'" };
        job(name, &format!("{keys}{cwd}"))
    };
    place.write_jobs(&cases.map(one).concat());
    let warnings = place.json(&["check"])["warnings"].clone();
    let keys: Vec<&str> = warnings.as_array().unwrap().iter().map(|warning| warning["key"].as_str().unwrap()).collect();
    assert_eq!(keys.len(), cases.iter().filter(|case| case.4).count(), "{warnings}");
    assert_eq!((keys[0], keys[1], keys[4]), ("jobs.user.user", "jobs.group.group", "jobs.cpu.limits"));
    let daemon = place.start();
    for (name, _, reason, detail, _) in cases {
        let entry = place.ended(name);
        assert_eq!(why(&entry), ("not-started", reason), "{entry}");
        assert!(entry["detail"].as_str().unwrap().contains(detail), "{entry}");
        assert!(entry["started"].is_null() && entry["output_bytes"] == 0, "{entry}");
    }
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_limit_that_is_not_required_is_left_out_and_said() {
    let keys = "limits = { cpu = '50%', open_files = 50, required = false }\ncommand = 'ulimit -n'";
    let place = Place::new(&job("job", keys));
    let warnings = place.json(&["check"])["warnings"].clone();
    assert!(warnings[0]["message"].as_str().unwrap().contains("would run without limits: cpu"), "{warnings}");
    assert_eq!(outputs(&place, &["job"])["job"], "50\n");
    let detail = place.ended("job")["detail"].clone();
    assert!(detail.as_str().unwrap().starts_with("without limits: cpu = \"50%\" needs a cgroup"), "{detail}");
    assert!(place.log().contains("of job goes on without limits: cpu = \"50%\" needs a cgroup"), "{}", place.log());
}

/// Where a user has as many processes as it may, the kernel fails the exec, and nothing runs as anybody else.
#[test]
fn too_many_processes_are_a_limit_and_never_roots() {
    if !is_root() {
        return;
    }
    let place = open_place("");
    // Where anybody may write, and nobody may replace what is another's.
    fs::set_permissions(place.folder.path(), fs::Permissions::from_mode(0o1777)).unwrap();
    let sleeper = |name: &str| job(name, "user = 'nobody'\ncommand = ['sleep', '300']");
    let bounded = "[jobs.bounded]\nschedule = 'every 1s'\nuser = 'nobody'\nlimits = { processes = 1 }\ncwd = '.'\n\
                   command = 'id -u > ran'\n";
    place.write_jobs(&[sleeper("a"), sleeper("b")].concat());
    let daemon = place.start_with(&["--stop-grace", "0s"]);
    for name in ["a", "b"] {
        place.wait_for(name, |entry| !entry["started"].is_null());
    }
    place.write_jobs(&[sleeper("a"), sleeper("b"), bounded.to_owned()].concat());
    daemon.signal("HUP");
    let entry = place.ended("bounded");
    assert_eq!(why(&entry), ("not-started", "limit"), "{entry}");
    assert!(entry["detail"].as_str().unwrap().contains("the limit of processes is reached"), "{entry}");
    assert!(!place.path("ran").exists(), "it ran all the same");
    assert_eq!(daemon.stop(), Some(0));
}

/// The shim is looked at while it waits for a folder that nobody serves: a pipe in the place of the folder's list.
#[test]
fn no_secret_is_seen_from_outside() {
    let place = Place::new(&job(
        "job",
        "nice = 1\nstdin = 'secret-input'\nenv = { TOKEN = 'secret-token' }\ncwd = '.'\n\
         command = ['sh', '-c', 'cat; echo $TOKEN; tr \"\\0\" \" \" < /proc/$PPID/cmdline; echo; sleep 0; exit 7', 'secret-word']",
    ));
    let daemon = place.start();
    let seen = place.ended("job");
    assert_eq!((why(&seen), seen["exit_code"].as_i64()), (("failed", "exit-code"), Some(7)));
    daemon.stop();
    let output = place.text(&["logs", "job"]);
    assert!(output.starts_with("secret-inputsecret-token\n") && output.contains(" daemon "), "{output}");
}

#[test]
fn the_shim_answers_nobody_but_the_daemon() {
    for input in [std::process::Stdio::null(), std::process::Stdio::piped()] {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_punctual"));
        let output = command.arg("shim").stdin(input).output().unwrap();
        assert_eq!(output.status.code(), Some(2));
        assert!(String::from_utf8(output.stderr).unwrap().contains("is for the daemon"));
    }
}

#[test]
fn time_outs_and_signals_reach_what_the_shim_became() {
    let place = Place::new(
        &[
            job(
                "obeys",
                "nice = 1\ntimeout = '300ms'\nkill_after = '1h'\nstop_signal = 'INT'\ncwd = '.'\n\
             command = 'trap \"echo got INT; exit 3\" INT; echo $$ >> pids; while :; do sleep 0.05; done'",
            ),
            job(
                "refuses",
                "nice = 1\ntimeout = '300ms'\nkill_after = '200ms'\ncwd = '.'\n\
             command = 'trap \"\" TERM; echo $$ >> pids; sleep 300 & echo $! >> pids; wait; wait'",
            ),
            job("plain", "timeout = '300ms'\nkill_after = '1h'\nstop_signal = 'USR1'\ncommand = ['sleep', '300']"),
        ]
        .concat(),
    );
    let daemon = place.start();
    let [obeys, refuses, plain] = ["obeys", "refuses", "plain"].map(|name| place.ended(name));
    assert_eq!((why(&obeys), obeys["exit_code"].as_i64()), (("timed-out", "timeout"), Some(3)), "{obeys}");
    assert_eq!((why(&refuses), refuses["signal"].as_str()), (("timed-out", "timeout"), Some("KILL")), "{refuses}");
    assert_eq!((why(&plain), plain["signal"].as_str()), (("timed-out", "timeout"), Some("USR1")), "{plain}");
    daemon.stop();
    assert_eq!(place.text(&["logs", "obeys"]), "got INT\n");
    let left = pids(&place.path("pids"));
    assert!(left.len() == 3 && left.iter().all(|pid| !is_alive(*pid)), "{left:?}");
}

#[test]
fn a_stop_ends_what_the_shim_became() {
    let place = Place::new(&job("job", "umask = '077'\ncommand = 'echo $$ > pids; exec sleep 300'\ncwd = '.'"));
    let daemon = place.start_with(&["--stop-grace", "0s"]);
    let pid = wait("the process", || pids(&place.path("pids")).first().copied());
    assert_eq!(fs::metadata(place.path("pids")).unwrap().mode() & 0o777, 0o600);
    let running = place.wait_for("job", |entry| !entry["started"].is_null());
    assert_eq!(running["state"], "running");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(why(&place.ended("job")), ("stopped", "shutdown"));
    assert!(!is_alive(pid));
}

/// A run in a folder that looks like a delegated cgroup: what is written into it, and what is read from it.
#[tokio::test]
async fn a_run_gets_a_cgroup_where_one_is_delegated() {
    let place = Place::new(&job(
        "job",
        "limits = { memory = '64MiB', cpu = '150%', processes = 8 }\nenv = { GROUP = 'group/run-5' }\ncwd = '.'\n\
         command = 'test $$ = $(cat $GROUP/cgroup.procs); ulimit -v; cat $GROUP/memory.max $GROUP/cpu.max $GROUP/pids.max; \
         echo 4096 > $GROUP/memory.peak; echo usage_usec 2500000 > $GROUP/cpu.stat'",
    ));
    let group = place.path("group");
    fs::create_dir(&group).unwrap();
    fs::write(group.join("cgroup.controllers"), "cpu memory pids").unwrap();
    let (ended, output) = carry(&place, Cgroups::at(group.clone())).await;
    assert_eq!(ended.exit, Exit::Code(0), "{output}");
    assert_eq!(output, "unlimited\n67108864150000 1000008");
    assert_eq!((ended.max_rss, ended.cpu), (Some(4096), Some(std::time::Duration::from_millis(2500))));
    assert_eq!(fs::read_to_string(group.join("run-5/cgroup.kill")).unwrap(), "1", "what is left is ended");
    // Of a folder that is there already nobody knows whose it is.
    let (ended, _) = carry(&place, Cgroups::at(group)).await;
    assert!(matches!(ended.exit, Exit::NotStarted { reason: Reason::Limit, .. }), "{ended:?}");
}

/// Carries the first job of a file out as run 5, without a daemon.
async fn carry(place: &Place, cgroups: Cgroups) -> (punctual::run::Ended, String) {
    let clock = Clock::System;
    let environment: BTreeMap<String, String> = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())].into();
    let now = clock.now();
    let configuration = Configuration::read(&place.path("jobs.toml"), &environment, &Flags::default(), now).unwrap();
    let surroundings = Surroundings {
        environment,
        program: Path::new(env!("CARGO_BIN_EXE_punctual")).to_owned(),
        state: place.path("state"),
        database: place.database(),
        cgroups,
        facts: Arc::new(NoLedger),
    };
    let (pieces, mut pieces_out) = mpsc::channel(100);
    let (_recorded, recorded_out) = mpsc::channel(1);
    let (keeper, switchboard, _) = connect(own_keeper(&clock)).await.unwrap();
    let ledgered = Ledgered { pieces, recorded: recorded_out };
    let takeover = Takeover { keeper, estates: BTreeMap::new() };
    let (door, runner, mut events) = Runner::new(clock, surroundings, ledgered, takeover).unwrap();
    let speaking = tokio::spawn(switchboard.run());
    let job = configuration.checked.jobs[0].clone();
    door.start(Order { run: RunId(5), attempt: 1, cause: Cause::Manual, due: now, job, asked: None }).await;
    drop(door);
    runner.run().await;
    speaking.await.unwrap().unwrap();
    let mut output = Vec::new();
    while let Ok(piece) = pieces_out.try_recv() {
        assert_eq!(piece.stream, Stream::Stdout, "{}", String::from_utf8_lossy(&piece.data));
        output.extend(piece.data);
    }
    let mut last = None;
    while let Ok(event) = events.try_recv() {
        if let Event::Ended { ended, .. } = event {
            last = Some(ended);
        }
    }
    (last.unwrap(), String::from_utf8(output).unwrap())
}

/// Processes that are in a folder, by their numbers and states.
fn living_in(folder: &Path) -> Vec<(i32, String)> {
    let numbers = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let here = |pid: &i32| fs::read_link(format!("/proc/{pid}/cwd")).is_ok_and(|cwd| cwd == folder);
    let shown =
        |pid: i32| (pid, fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default().replace('\0', " "));
    // The scheduler is there to stay.
    numbers.filter(here).map(shown).filter(|(_, line)| !line.contains("--kept")).collect()
}

/// Children of a process that nobody has reaped.
fn zombies_of(parent: i32) -> usize {
    let numbers = fs::read_dir("/proc").unwrap().flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let is_one = |pid: &i32| {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
        let behind_name = stat.rsplit(')').next().unwrap_or_default().to_owned();
        behind_name.trim_start().starts_with(&format!("Z {parent} "))
    };
    numbers.filter(is_one).count()
}

/// What does not want to end, leaves its group, clears its environment, loses its parent or begets others when it is asked
/// to end: of five hundred such trees nothing is left.
#[test]
fn five_hundred_nasty_trees_leave_nothing() {
    const TREES: usize = 500;
    let kinds = [
        "trap \"\" TERM; sleep 300 & while :; do sleep 1; done",
        "setsid sleep 300 & exec sleep 300",
        "(setsid sh -c \"trap : TERM; while :; do sleep 1; done\" &); while :; do sleep 1; done",
        "env -i /usr/bin/setsid /bin/sleep 300 & exec sleep 300",
        "trap \"setsid sleep 300 &\" TERM; while :; do sleep 0.2; done",
        "(setsid sleep 300 & setsid sleep 300 &) & trap \"\" TERM; exec sleep 300",
    ];
    let tree = |number: usize| {
        let command = kinds[number % kinds.len()];
        job(&format!("tree{number}"), &format!("timeout = '4s'\nkill_after = '1s'\ncwd = '.'\ncommand = '{command}'"))
    };
    let jobs: Vec<String> = (0..TREES).map(tree).collect();
    let place = Place::new(&format!("[daemon]\nmax_running = {TREES}\n{}", jobs.concat()));
    let daemon = place.start();
    let entries = wait("the end of all", || {
        let ended: Vec<Value> = place.history().into_iter().filter(|entry| entry["state"] == "ended").collect();
        (ended.len() == TREES).then_some(ended)
    });
    // The daemon itself is at home there too.
    let folder = place.folder.path().canonicalize().unwrap();
    let mut left = living_in(&folder);
    left.retain(|(pid, _)| *pid != daemon.pid());
    assert!(left.is_empty(), "{left:?}");
    for entry in entries {
        assert_eq!(why(&entry), ("timed-out", "timeout"), "{entry}");
    }
    wait("the last orphan's burial", || (zombies_of(daemon.pid()) == 0).then_some(()));
    assert_eq!(daemon.stop(), Some(0));
}

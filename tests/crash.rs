//! The daemon killed wherever it matters: nothing is started twice, nothing is unaccounted for, and nothing is left behind.
//!
//! `PUNCTUAL_CRASH_POINTS=all` tries every point instead of a sample, and crashes a busy daemon many times more. strace does
//! the killing, and only of the threads of one process: of the keeper, which it starts and whose children it lets go when they
//! execute something, or of the scheduler, which it takes hold of as soon as that is there.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions};
use support::{Daemon, Place, is_alive, pids, scheduler_of, signal_process, wait};

/// Four jobs owe five instants each; one waits to be found by whoever comes after a crash.
const WORKLOAD: &str = "
[defaults]
cwd = '.'
catch_up = 'all'
[daemon]
stop_grace = '200ms'
[jobs.a]
schedule = 'every 1s'
command = 'echo $PUNCTUAL_DUE $PUNCTUAL_ATTEMPT >> a.ran'
[jobs.b]
schedule = 'every 1s'
command = 'echo $PUNCTUAL_DUE $PUNCTUAL_ATTEMPT >> b.ran; echo b; exit 3'
[jobs.c]
schedule = 'every 1s'
command = ['/bin/sh', '-c', 'echo $PUNCTUAL_DUE $PUNCTUAL_ATTEMPT >> c.ran; sleep 0.02']
[jobs.d]
schedule = 'every 1s'
steps.one.command = 'echo $PUNCTUAL_DUE $PUNCTUAL_ATTEMPT >> d.ran'
steps.two.command = 'echo two'
[jobs.long]
schedule = '@start'
command = 'echo $$ >> pids; exec sleep 300'
";
const OWED: SignedDuration = SignedDuration::from_secs(5);

/// Which of the daemon's two processes is killed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Victim {
    Keeper,
    Scheduler,
}

/// System calls, and up to which of them each thread of the victim is killed at. What a start calls is among them; what the
/// two say to each other goes by sendmsg, as descriptors go along, and by sendto.
const CALLS: [(Victim, &str, usize); 9] = [
    (Victim::Scheduler, "fsync", 40),
    (Victim::Scheduler, "pwrite64", 110),
    (Victim::Scheduler, "sendmsg", 30),
    (Victim::Keeper, "clone3", 24),
    (Victim::Keeper, "pidfd_open", 16),
    (Victim::Keeper, "wait4", 16),
    (Victim::Keeper, "sendto", 24),
    (Victim::Keeper, "recvmsg", 24),
    (Victim::Keeper, "execve", 16),
];
const SAMPLE: usize = 30;
/// Points at once: most of the time is waiting.
const SIDE_BY_SIDE: usize = 6;

fn wants_all() -> bool {
    std::env::var("PUNCTUAL_CRASH_POINTS").is_ok_and(|points| points == "all")
}

/// Every point, or some that are spread over all of them.
fn points() -> Vec<(Victim, &'static str, usize)> {
    let of_call = |(victim, call, most): &(Victim, &'static str, usize)| {
        let (victim, call) = (*victim, *call);
        (1..=*most).map(move |nth| (victim, call, nth))
    };
    let all: Vec<_> = CALLS.iter().flat_map(of_call).collect();
    if wants_all() {
        return all;
    }
    // A prime keeps the sample from meeting the same phase of each call.
    let mut sample: Vec<_> = (0..SAMPLE).map(|nth| all[nth * 97 % all.len()]).collect();
    sample.sort_unstable();
    sample
}

fn has_strace() -> bool {
    let works = Command::new("strace").args(["-f", "-b", "execve", "-o", "/dev/null", "true"]).output();
    works.is_ok_and(|output| output.status.success())
}

#[test]
fn a_daemon_may_be_killed_at_any_call() {
    if !has_strace() {
        eprintln!("not tested: crashes at system calls, because strace is not here or may not trace");
        return;
    }
    let template = Place::new(WORKLOAD);
    assert_eq!(template.start().stop(), Some(0));
    let (points, next, died) = (points(), AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for _ in 0..SIDE_BY_SIDE {
            scope.spawn(|| {
                while let Some((victim, call, nth)) = points.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if crash_at(&template, *victim, call, *nth) {
                        died.fetch_add(1, Ordering::Relaxed);
                    }
                }
            });
        }
    });
    let died = died.into_inner();
    eprintln!("{} points, at {died} of which the victim died", points.len());
    // What kills nobody tests nothing; at an exec it is the job that dies.
    assert!(died * 2 > points.len(), "{died} of {} points were reached", points.len());
}

/// Starts a daemon of which one process dies at this call, and another if it was the keeper; the answer is whether it died.
fn crash_at(template: &Place, victim: Victim, call: &str, nth: usize) -> bool {
    let point = format!("{victim:?} {call} {nth}");
    let place = Place::new(WORKLOAD);
    fs::create_dir(place.path("state")).unwrap();
    fs::copy(template.database(), place.database()).unwrap();
    let since = whole_second(Timestamp::now()) - OWED;
    let ledger = Ledger::of(&place);
    ledger.execute(&format!("UPDATE definitions SET since = {}", since.as_microsecond()));
    ledger.execute("DELETE FROM runs");
    ledger.close();
    let mut traced = Traced::start(&place, victim, call, nth);
    let ledger = Ledger::of(&place);
    let died = wait(&format!("{point}: an end or all that was owed"), || match traced.tracer.try_wait().unwrap() {
        Some(_) => Some(true),
        None => (ledger.settled(since + OWED)).then_some(false),
    });
    if !died {
        traced.kill_victim();
    }
    ledger.close();
    let begin = whole_second(Timestamp::now());
    let daemon = traced.next().unwrap_or_else(|| place.start());
    let ledger = Ledger::of(&place);
    wait(&format!("{point}: all that was owed"), || ledger.settled(begin).then_some(()));
    ledger.close();
    assert_eq!(daemon.stop(), Some(0), "{point}: {}", place.log());
    let job = |name: &str| Every { name: name.to_owned(), seconds: 1, since };
    balances(&place, &point, &["a", "b", "c", "d"].map(job));
    died
}

/// A daemon, each thread of one of whose processes dies at its nth call of some kind.
struct Traced<'p> {
    tracer: Child,
    /// The one that outlives its scheduler; where the keeper is the victim, the daemon is the tracer's child.
    daemon: Option<Daemon<'p>>,
    victim: i32,
}

impl<'p> Traced<'p> {
    fn start(place: &'p Place, victim: Victim, call: &str, nth: usize) -> Self {
        let inject = format!("inject={call}:signal=KILL:when={nth}");
        let log = fs::File::options().create(true).append(true).open(place.path("log")).unwrap();
        let mut strace = Command::new("strace");
        strace.args(["-f", "-q", "-b", "execve", "-o", "/dev/null", "-e", &format!("trace={call}"), "-e", &inject]);
        strace.current_dir(place.folder.path()).stdin(Stdio::null()).stdout(Stdio::null());
        match victim {
            Victim::Keeper => {
                let daemon = place.command(&["daemon"]);
                strace.arg(daemon.get_program()).args(daemon.get_args()).stderr(log);
                for (name, value) in daemon.get_envs() {
                    match value {
                        Some(value) => strace.env(name, value),
                        None => strace.env_remove(name),
                    };
                }
                let tracer = strace.spawn().unwrap();
                let strace = i32::try_from(tracer.id()).unwrap();
                // It may have died already.
                let victim = wait("the keeper", || keeper_of(strace).or((!is_alive(strace)).then_some(0)));
                Self { tracer, daemon: None, victim }
            }
            Victim::Scheduler => {
                let mut command = place.command(&["daemon"]);
                command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
                let daemon = place.own_unasked(&mut command);
                let victim = wait("the scheduler", || scheduler_of(daemon.pid()));
                // It waits until it is traced.
                signal_process(victim, "STOP");
                let tracer = strace.args(["-p", &victim.to_string()]).stderr(Stdio::null()).spawn().unwrap();
                wait("the tracer", || is_traced(victim).then_some(()));
                signal_process(victim, "CONT");
                Self { tracer, daemon: Some(daemon), victim }
            }
        }
    }

    /// The daemon that goes on after the victim's death: one whose scheduler has died before it was at work does not.
    fn next(self) -> Option<Daemon<'p>> {
        let daemon = self.daemon?;
        let goes_on = || {
            let scheduler = scheduler_of(daemon.pid()).filter(|pid| *pid != self.victim);
            scheduler.map(|_| true).or((!is_alive(daemon.pid())).then_some(false))
        };
        wait("another scheduler", goes_on).then_some(daemon)
    }

    fn kill_victim(&mut self) {
        // It may just have died by itself.
        let _ = Command::new("/bin/kill").args(["-KILL", &self.victim.to_string()]).stderr(Stdio::null()).status();
        wait("the end of the victim", || self.tracer.try_wait().unwrap());
    }
}

/// The child of a tracer that is the daemon, and not one of its own.
fn keeper_of(tracer: i32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{tracer}/task/{tracer}/children")).ok()?;
    let is_daemon = |pid: &i32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split('\0').nth(1) == Some("daemon")
    };
    children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).find(is_daemon)
}

/// Whether somebody traces all threads of a process.
fn is_traced(pid: i32) -> bool {
    let threads = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let mut states = threads.map(|thread| fs::read_to_string(thread.path().join("status")).unwrap_or_default());
    states.all(|status| !status.contains("TracerPid:\t0\n"))
}

fn whole_second(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second()).unwrap()
}

/// The ledger, asked without the program.
struct Ledger {
    runtime: tokio::runtime::Runtime,
    pool: SqlitePool,
}

impl Ledger {
    fn of(place: &Place) -> Self {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let options = SqliteConnectOptions::new().filename(place.database()).busy_timeout(Duration::from_secs(10));
        let pool = runtime.block_on(async { SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options) });
        Self { runtime, pool }
    }

    fn execute(&self, sql: &str) {
        self.runtime.block_on(sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned())).execute(&self.pool)).unwrap();
    }

    /// A daemon that is just dying or starting may keep it from being asked.
    fn number(&self, sql: &str) -> Option<i64> {
        self.runtime.block_on(sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(&self.pool)).ok()
    }

    /// Whether every job with instants has entries up to this time, and none of them is open.
    fn settled(&self, until: Timestamp) -> bool {
        let behind = "SELECT count(*) FROM definitions WHERE definitions.until IS NULL AND text LIKE '%every%'
                      AND NOT EXISTS (SELECT 1 FROM runs WHERE runs.job = definitions.job AND cause <= 2
                                      AND coalesce(due_last, due) >= ";
        let open = "SELECT count(*) FROM runs WHERE state < 3 AND cause <= 2 AND due <= ";
        let until = until.as_microsecond();
        self.number(&format!("{behind} {until})")) == Some(0) && self.number(&format!("{open} {until}")) == Some(0)
    }

    fn entries(&self) -> Vec<Entry> {
        let sql = "SELECT jobs.name, due, coalesce(due_last, due), count, state, coalesce(outcome, 0)
                   FROM runs JOIN jobs ON jobs.number = runs.job WHERE cause <= 2 ORDER BY job, due";
        let rows: Vec<(String, i64, i64, i64, i64, i64)> =
            self.runtime.block_on(sqlx::query_as(sql).fetch_all(&self.pool)).unwrap();
        let entry = |(job, due, due_last, count, state, outcome)| Entry { job, due, due_last, count, state, outcome };
        rows.into_iter().map(entry).collect()
    }

    fn close(self) {
        self.runtime.block_on(self.pool.close());
    }
}

/// A row of instants.
#[derive(Debug)]
struct Entry {
    job: String,
    due: i64,
    due_last: i64,
    count: i64,
    state: i64,
    outcome: i64,
}

/// A job, and from when on it was due how often.
struct Every {
    name: String,
    seconds: i64,
    since: Timestamp,
}

const RUNNING: i64 = 2;
const SUCCEEDED: i64 = 1;
const SKIPPED: i64 = 7;
const MISSED: i64 = 8;

/// What must hold of a stopped daemon's ledger, whatever has happened before.
fn balances(place: &Place, point: &str, jobs: &[Every]) {
    assert_eq!(place.integrity(), "ok", "{point}");
    let ledger = Ledger::of(place);
    let entries = ledger.entries();
    ledger.close();
    for Every { name, seconds, since } in jobs {
        let own: Vec<&Entry> = entries.iter().filter(|entry| entry.job == *name).collect();
        let shown = || format!("{point}: {name} {own:#?}\n{}", place.log());
        let ran = evidence(&place.path(&format!("{name}.ran")), &shown);
        let mut accounted = since.as_second();
        for entry in &own {
            let (first, last) = (entry.due / 1_000_000, entry.due_last / 1_000_000);
            let next = (accounted / seconds + 1) * seconds;
            assert_eq!((first, (entry.count - 1) * seconds), (next, last - first), "{entry:?} {}", shown());
            accounted = last;
            assert_ne!(entry.state, RUNNING, "{entry:?} {}", shown());
            let has_run = ran.contains(&first);
            match entry.outcome {
                SUCCEEDED => assert!(has_run, "{entry:?} {}", shown()),
                SKIPPED | MISSED => assert!(ran.range(first..=last).next().is_none(), "{entry:?} {}", shown()),
                // Whether it came to anything before it ended is nobody's promise.
                _ => {}
            }
        }
        assert!(ran.last().is_none_or(|last| *last <= accounted), "it ran unaccounted for {}", shown());
    }
    let left: Vec<i32> = pids(&place.path("pids")).into_iter().filter(|pid| is_alive(*pid)).collect();
    assert!(left.is_empty(), "{point}: {left:?} are left behind\n{}", place.log());
}

/// The instants for which a job has run, by what it wrote itself: each attempt once.
fn evidence(path: &Path, shown: &dyn Fn() -> String) -> BTreeSet<i64> {
    let text = fs::read_to_string(path).unwrap_or_default();
    let mut attempts = BTreeSet::new();
    for line in text.lines() {
        assert!(attempts.insert(line), "{line} ran twice {}", shown());
    }
    let due = |line: &&str| line.split(' ').next().unwrap().parse::<Timestamp>().unwrap().as_second();
    attempts.iter().map(due).collect()
}

/// Two hundred jobs of all kinds, and which of them leave evidence.
fn busy_file() -> (String, Vec<Every>) {
    let mut text = String::from(
        "[defaults]\ncwd = '.'\n[daemon]\nstop_grace = '1s'\nmax_running = 100\n\
         [jobs.orphan]\nschedule = '@start'\n\
         command = 'echo $$ >> pids; sleep 300 & echo $! >> pids; wait'\n",
    );
    let mut jobs = Vec::new();
    for number in 0..200 {
        let (name, seconds) = (format!("j{number}"), 3 + number % 8);
        let ran = format!("echo $PUNCTUAL_DUE $PUNCTUAL_ATTEMPT >> {name}.ran");
        let work = match number % 10 {
            0 => format!("command = '{ran}; sleep 2'\noverlap = 'queue'"),
            1 => format!("command = '{ran}; exit 1'\nretries = 2\nretry_delay = '200ms'"),
            2 => format!("steps.one.command = '{ran}'\nsteps.two.command = 'true'"),
            3 => "sql = { database = 'sqlite:own.db', statements = 'SELECT 1' }".to_owned(),
            4 => format!("command = '{ran}'\ncatch_up = 'all'"),
            5 => format!("command = '{ran}; echo $$ >> pids; exec sleep 1'\ntimeout = '500ms'"),
            _ => format!("command = '{ran}'"),
        };
        text.extend(["[jobs.", &name, "]\nschedule = 'every ", &seconds.to_string(), "s'\n", &work, "\n"]);
        if number % 10 != 3 {
            jobs.push(Every { name, seconds, since: Timestamp::UNIX_EPOCH });
        }
    }
    (text, jobs)
}

#[test]
fn a_busy_daemon_may_be_killed_at_any_time() {
    let (text, mut jobs) = busy_file();
    let place = Place::new(&text);
    let crashes = if wants_all() { 40 } else { 3 };
    // Not random in the end, and different each time.
    let mut seed = u64::from(std::process::id());
    for _ in 0..crashes {
        let daemon = place.start();
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let at = Timestamp::now() + Duration::from_millis(300 + (seed >> 33) % 1500);
        wait("the moment", || (Timestamp::now() >= at).then_some(()));
        daemon.crash();
    }
    let daemon = place.start();
    let begin = Timestamp::now() - SignedDuration::from_secs(10);
    let ledger = Ledger::of(&place);
    wait("all that was owed", || ledger.settled(begin).then_some(()));
    let defined = |job: &Every| {
        let since = "SELECT since FROM definitions JOIN jobs ON jobs.number = definitions.job WHERE name = ";
        ledger.number(&format!("{since}'{}'", job.name)).unwrap()
    };
    for job in &mut jobs {
        job.since = Timestamp::from_microsecond(defined(job)).unwrap();
    }
    ledger.close();
    assert_eq!(daemon.stop(), Some(0), "{}", place.log());
    balances(&place, &format!("{crashes} crashes"), &jobs);
}

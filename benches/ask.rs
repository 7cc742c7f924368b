//! How long do questions take over a ledger of a million runs? Whole processes of the real binary, by turns with the same
//! question to a ledger of the same jobs without any run; and what else depends on the number of runs: the start of the daemon,
//! and the bytes that a run takes.
//!
//! `cargo bench --bench ask`, or with another number of runs: `cargo bench --bench ask -- --runs 10000000`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use punctual::demo::RARE_WORD;
use punctual::store::{HistoryFilter, Reader, Store};
use sqlx::SqlitePool;
use sqlx::sqlite::SqliteConnectOptions;

const RUNS: u64 = 1_000_000;
/// Calls of which the median is taken.
const CALLS: usize = 15;
const STARTS: usize = 5;
/// Bytes that a run without output may take, all indexes included.
const BYTES: u64 = 120;
/// What is asked, and within which time the answer is to be there.
const QUESTIONS: [(&[&str], Option<Duration>); 9] = [
    (&["history", JOB, "-n", "20"], Some(Duration::from_millis(50))),
    (&["status"], Some(Duration::from_millis(50))),
    (&["history", "--failed", "--since", "1d"], Some(Duration::from_millis(100))),
    (&["history", "--grep", RARE_WORD], Some(Duration::from_millis(300))),
    (&["show", "77777"], None),
    (&["show", JOB], None),
    (&["stats", JOB], None),
    (&["stats"], None),
    (&["audit", "--since", "1d"], None),
];
/// The busiest of them: due every five minutes.
const JOB: &str = "work-00001";
const READY: Duration = Duration::from_secs(1);

fn main() {
    let runs = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(RUNS);
    let folder = tempfile::tempdir().unwrap();
    let (full, empty, silent) =
        (Ledger::at(&folder, "full"), Ledger::at(&folder, "empty"), Ledger::at(&folder, "silent"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    silent.tell(runs, &["--silent"]);
    let (size, number) = runtime.block_on(silent.size());
    let bytes = size / number;
    println!("a run without output takes {bytes} bytes (aim {BYTES}: {})", verdict(bytes <= BYTES));
    fs::remove_dir_all(&silent.folder).unwrap();
    full.tell(runs, &[]);
    runtime.block_on(full.index());
    runtime.block_on(empty.begin_like(&full));
    println!("\n{:<34} {:>10} {:>10} {:>8}", "median of whole processes", format!("{runs} runs"), "none", "aim");
    for (question, aim) in QUESTIONS {
        let (mut long, mut short) = (Vec::new(), Vec::new());
        for _ in 0..CALLS {
            long.push(full.ask(question));
            short.push(empty.ask(question));
        }
        tell(&question.join(" "), median(long), median(short), aim);
    }
    let (mut long, mut short) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        long.push(full.start());
        short.push(empty.start());
    }
    tell("daemon, until it is ready", median(long), median(short), Some(READY));
}

fn tell(what: &str, full: Duration, empty: Duration, aim: Option<Duration>) {
    let milliseconds = |time: Duration| format!("{:.1} ms", time.as_secs_f64() * 1000.0);
    let (aim, verdict) =
        aim.map_or_else(Default::default, |aim| (format!("{} ms", aim.as_millis()), verdict(full <= aim)));
    println!("{what:<34} {:>10} {:>10} {aim:>8}  {verdict}", milliseconds(full), milliseconds(empty));
}

fn verdict(is_met: bool) -> &'static str {
    if is_met { "met" } else { "missed" }
}

fn median(mut times: Vec<Duration>) -> Duration {
    times.sort_unstable();
    times[times.len() / 2]
}

/// A state folder with a job file in it.
struct Ledger {
    folder: PathBuf,
}

impl Ledger {
    fn at(folder: &tempfile::TempDir, name: &str) -> Self {
        Self { folder: folder.path().join(name) }
    }

    fn database(&self) -> PathBuf {
        self.folder.join("punctual.db")
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_punctual"));
        command.args(arguments).arg("--state").arg(&self.folder).arg("--config").arg(self.folder.join("jobs.toml"));
        command.stdin(Stdio::null()).stderr(Stdio::null()).env_remove("NOTIFY_SOCKET");
        command
    }

    /// Makes a history of so many runs.
    fn tell(&self, runs: u64, more: &[&str]) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_punctual"));
        command.args(["demo", "--runs", &runs.to_string(), "--into"]).arg(&self.folder).args(more);
        let begin = Instant::now();
        let output = command.output().unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8(output.stdout).unwrap();
        println!("{} (made in {:.0?})", said.lines().next().unwrap(), begin.elapsed());
    }

    /// How many bytes the ledger takes when there is no room in it that is not used, and how many runs it has.
    async fn size(&self) -> (u64, u64) {
        let copy = self.folder.join("copy.db");
        let ledger = Reader::open(&self.database()).await.unwrap();
        ledger.copy_to(copy.to_str().unwrap()).await.unwrap();
        let tally = ledger.tally(&HistoryFilter::default(), None).await.unwrap().unwrap();
        (fs::metadata(&copy).unwrap().len(), tally.kinds.iter().map(|(_, _, count)| count).sum())
    }

    /// Takes all output into the index, as the daemon's chore does from minute to minute.
    async fn index(&self) {
        let store = Store::prepare(&self.database()).unwrap().open("demo", "demo-1").await.unwrap();
        store.hurry().await.unwrap();
        let begin = Instant::now();
        let mut texts = 0;
        loop {
            let indexed = store.index().await.unwrap();
            texts += indexed.texts;
            if indexed.is_done {
                break;
            }
        }
        store.checkpoint().await.unwrap();
        store.close().await;
        println!("its output is in the index: {texts} texts in {:.0?}", begin.elapsed());
    }

    /// The same jobs, none of which has ever run.
    async fn begin_like(&self, other: &Ledger) {
        fs::create_dir(&self.folder).unwrap();
        fs::copy(other.folder.join("jobs.toml"), self.folder.join("jobs.toml")).unwrap();
        Store::prepare(&self.database()).unwrap().open("demo", "demo-1").await.unwrap().close().await;
        let options = SqliteConnectOptions::new().filename(self.database());
        let pool = SqlitePool::connect_with(options).await.unwrap();
        let mut connection = pool.acquire().await.unwrap();
        let path = other.database().to_str().unwrap().to_owned();
        sqlx::query("ATTACH $1 AS other").bind(path).execute(&mut *connection).await.unwrap();
        for copy in
            ["INSERT INTO jobs SELECT * FROM other.jobs", "INSERT OR IGNORE INTO zones SELECT * FROM other.zones"]
        {
            sqlx::query(copy).execute(&mut *connection).await.unwrap();
        }
        drop(connection);
        pool.close().await;
    }

    fn ask(&self, question: &[&str]) -> Duration {
        let begin = Instant::now();
        let output = self.command(question).output().unwrap();
        let took = begin.elapsed();
        // An empty ledger has no run to show, and no balance.
        assert!(output.status.code().is_some_and(|code| code < 3), "{question:?}: {:?}", output.status);
        took
    }

    /// From the daemon's start until it says that it is ready.
    fn start(&self) -> Duration {
        let path = self.folder.join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        let begin = Instant::now();
        let mut daemon = self.command(&["daemon"]).env("NOTIFY_SOCKET", &path).spawn().unwrap();
        let took = ready(&socket, begin);
        let pid = daemon.id().to_string();
        assert!(Command::new("/bin/kill").args(["-TERM", &pid]).status().unwrap().success());
        assert!(daemon.wait().unwrap().success());
        fs::remove_file(Path::new(&path)).unwrap();
        took
    }
}

fn ready(socket: &UnixDatagram, begin: Instant) -> Duration {
    let mut message = [0; 4096];
    loop {
        let length = socket.recv(&mut message).unwrap();
        if message[..length].split(|byte| *byte == b'\n').any(|line| line == b"READY=1") {
            return begin.elapsed();
        }
    }
}

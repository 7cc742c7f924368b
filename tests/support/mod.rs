//! The real binary on a folder of its own: started, asked, signalled and waited for.

#![allow(dead_code, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use punctual::clock::Clock;
use punctual::keeper::keep_in_this_process;
use serde_json::Value;
use std::os::unix::net::UnixStream;
use tempfile::TempDir;

/// Longer than anything takes on a busy machine, and short enough to be waited for when something is wrong.
pub const DEADLINE: Duration = Duration::from_secs(60);

/// A folder with a job file and a state folder.
pub struct Place {
    pub folder: TempDir,
}

impl Place {
    pub fn new(jobs: &str) -> Self {
        let place = Self { folder: tempfile::tempdir().unwrap() };
        place.write_jobs(jobs);
        place
    }

    pub fn write_jobs(&self, jobs: &str) {
        fs::write(self.path("jobs.toml"), jobs).unwrap();
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn database(&self) -> PathBuf {
        self.path("state/punctual.db")
    }

    /// The binary with this place's file and state.
    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_punctual"));
        command.args(arguments).arg("--config").arg(self.path("jobs.toml")).arg("--state").arg(self.path("state"));
        command
            .current_dir(self.folder.path())
            .env("TZ", "UTC")
            .env("RUNTIME_DIRECTORY", self.path("run"))
            .env_remove("NOTIFY_SOCKET")
            .env_remove("PUNCTUAL_STATE")
            .env_remove("STATE_DIRECTORY");
        command
    }

    pub fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).stdin(Stdio::null()).output().unwrap()
    }

    pub fn text(&self, arguments: &[&str]) -> String {
        let output = self.run(arguments);
        assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// What a terminal of so many columns shows; none where there is no script(1) to make one with.
    pub fn on_a_terminal(&self, columns: u32, arguments: &[&str]) -> Option<String> {
        let typed = self.command(arguments);
        let words = std::iter::once(typed.get_program()).chain(typed.get_args());
        let words: Vec<String> = words.map(|word| format!("'{}'", word.to_str().unwrap())).collect();
        let mut script = Command::new("script");
        script.args(["-qec", &format!("stty cols {columns} rows 500; {}", words.join(" ")), "/dev/null"]);
        script.current_dir(self.folder.path()).env("NO_COLOR", "1");
        for (name, value) in typed.get_envs() {
            match value {
                Some(value) => script.env(name, value),
                None => script.env_remove(name),
            };
        }
        let output = script.stdin(Stdio::null()).output().ok();
        if output.is_none() {
            eprintln!("not tested: there is no script(1) here to make a terminal with");
        }
        output.map(|output| String::from_utf8(output.stdout).unwrap().replace("\r\n", "\n"))
    }

    pub fn json(&self, arguments: &[&str]) -> Value {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["--json"]).collect();
        serde_json::from_str(&self.text(&arguments)).unwrap()
    }

    /// All entries of the ledger, oldest first; none while there is no ledger.
    pub fn history(&self) -> Vec<Value> {
        let output = self.run(&["history", "-n", "100000", "--json"]);
        if !output.status.success() {
            return Vec::new();
        }
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub fn entries_of(&self, job: &str) -> Vec<Value> {
        self.history().into_iter().filter(|entry| entry["job"] == job).collect()
    }

    /// Waits until an entry of the job fits.
    pub fn wait_for(&self, job: &str, fits: impl Fn(&Value) -> bool) -> Value {
        wait(&format!("an entry of {job}"), || self.entries_of(job).into_iter().find(&fits))
    }

    /// Waits until a run of the job has ended; an instant that was not run, whatever the time of day made of it, is none.
    pub fn ended(&self, job: &str) -> Value {
        self.wait_for(job, |entry| {
            let is_run = entry["outcome"] != "skipped" && entry["outcome"] != "missed";
            entry["state"] == "ended" && is_run
        })
    }

    pub fn start(&self) -> Daemon<'_> {
        self.start_with(&[])
    }

    pub fn start_with(&self, arguments: &[&str]) -> Daemon<'_> {
        let log = fs::File::options().create(true).append(true).open(self.path("log")).unwrap();
        let arguments: Vec<&str> = ["daemon"].iter().chain(arguments).copied().collect();
        let mut command = self.command(&arguments);
        self.own(command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log))
    }

    /// Starts a command that becomes the daemon.
    pub fn own_unasked(&self, command: &mut Command) -> Daemon<'_> {
        let spawn = || match command.spawn() {
            // Another test has just forked while this one wrote the program.
            Err(error) if error.kind() == std::io::ErrorKind::ExecutableFileBusy => None,
            child => Some(child.unwrap()),
        };
        Daemon { place: self, child: Some(wait("the program", spawn)) }
    }

    /// Starts a command that becomes the daemon, and waits until it is one.
    pub fn own(&self, command: &mut Command) -> Daemon<'_> {
        let daemon = self.own_unasked(command);
        let pid = i64::from(daemon.pid());
        wait("the daemon's lock", || (self.json(&["status"])["daemon"]["pid"] == pid).then_some(()));
        daemon
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.path("log")).unwrap_or_default()
    }

    pub fn integrity(&self) -> String {
        self.ask("PRAGMA integrity_check")
    }

    /// The ledger balances.
    #[track_caller]
    pub fn audit(&self) {
        let output = self.run(&["audit"]);
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stderr));
        assert!(said.starts_with("the ledger balances: "), "{said}");
    }

    /// How many definitions of a job the ledger has.
    pub fn definitions(&self, job: &str) -> i64 {
        let of_job = format!("WHERE job = (SELECT number FROM jobs WHERE name = '{job}')");
        self.ask(&format!("SELECT CAST(count(*) AS TEXT) FROM definitions {of_job}")).parse().unwrap()
    }

    /// One text out of the database, asked with SQLite itself.
    pub fn ask(&self, sql: &str) -> String {
        self.with_database(async |pool| sqlx::query_scalar(sqlx::AssertSqlSafe(sql.to_owned())).fetch_one(pool).await)
    }

    /// Changes the database by hand.
    pub fn execute(&self, sql: &str) {
        self.with_database(async |pool| sqlx::query(sqlx::AssertSqlSafe(sql.to_owned())).execute(pool).await);
    }

    fn with_database<T>(&self, question: impl AsyncFnOnce(&sqlx::SqlitePool) -> Result<T, sqlx::Error>) -> T {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let options = sqlx::sqlite::SqliteConnectOptions::new().filename(self.database());
            let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
            let answer = question(&pool).await.unwrap();
            pool.close().await;
            answer
        })
    }
}

/// A daemon that runs; ended when the test is.
pub struct Daemon<'p> {
    place: &'p Place,
    child: Option<Child>,
}

impl Daemon<'_> {
    pub fn pid(&self) -> i32 {
        i32::try_from(self.child.as_ref().unwrap().id()).unwrap()
    }

    /// The scheduler, which is the keeper's child that was told so.
    pub fn scheduler(&self) -> i32 {
        wait("the scheduler", || scheduler_of(self.pid()))
    }

    pub fn signal(&self, signal: &str) {
        signal_process(self.pid(), signal);
    }

    /// Ends it as a crash does.
    pub fn crash(mut self) {
        self.signal("KILL");
        self.child.take().unwrap().wait().unwrap();
        // The scheduler ends with its keeper, a moment later; its last thread lets go of the ledger.
        let database = self.place.database();
        wait("the scheduler's end", || punctual::daemon::holder(&database).is_none().then_some(()));
    }

    /// Waits for its end; the answer is its exit code.
    pub fn wait(mut self) -> Option<i32> {
        let mut child = self.child.take().unwrap();
        let status = wait("the daemon's end", || child.try_wait().unwrap());
        status.code()
    }

    pub fn stop(self) -> Option<i32> {
        self.signal("TERM");
        self.wait()
    }
}

impl Drop for Daemon<'_> {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            if std::thread::panicking() {
                eprintln!("{}", self.place.log());
            }
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The child of this keeper that was told that it is the scheduler.
pub fn scheduler_of(keeper: i32) -> Option<i32> {
    let children = fs::read_to_string(format!("/proc/{keeper}/task/{keeper}/children")).ok()?;
    let is_scheduler = |pid: &i32| {
        let line = fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        line.split('\0').any(|word| word.starts_with("--kept"))
    };
    children.split_ascii_whitespace().filter_map(|pid| pid.parse().ok()).find(is_scheduler)
}

/// A keeper that is a thread of this process, and ends with whoever has the other end of its line.
pub fn own_keeper(clock: &Clock) -> UnixStream {
    let (ours, theirs) = UnixStream::pair().unwrap();
    let clock = clock.clone();
    let own = Path::new(env!("CARGO_BIN_EXE_punctual"));
    std::thread::spawn(move || keep_in_this_process(clock, own, theirs).unwrap());
    ours
}

pub fn signal_process(pid: i32, signal: &str) {
    let status = Command::new("/bin/kill").args([format!("-{signal}"), pid.to_string()]).status().unwrap();
    assert!(status.success(), "kill -{signal} {pid}");
}

/// Whether a process is there and not merely unreaped.
pub fn is_alive(pid: i32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let state = stat.rsplit(')').next().unwrap_or_default().trim_start().chars().next();
    state.is_some_and(|state| state != 'Z')
}

/// The numbers that jobs left in a file, one a line.
pub fn pids(path: &Path) -> Vec<i32> {
    fs::read_to_string(path).unwrap_or_default().lines().filter_map(|line| line.trim().parse().ok()).collect()
}

/// Waits for a value.
#[track_caller]
pub fn wait<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begin = Instant::now();
    loop {
        if let Some(value) = look() {
            return value;
        }
        assert!(begin.elapsed() < DEADLINE, "{what} did not come");
        std::thread::sleep(Duration::from_millis(20));
    }
}

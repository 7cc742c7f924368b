//! A PostgreSQL server of the tests' own, on loopback and a socket in a temporary folder.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

use std::fs::{self, File};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, Once, PoisonError, Weak};
use std::time::{Duration, Instant};

use nix::unistd::User;
use sqlx::postgres::PgConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, PgConnection};
use tempfile::TempDir;

/// Nobody but the server and the daemon may know it.
pub const PASSWORD: &str = "canary-7f3d 'ü'";
const USER: &str = "tester";
const DEADLINE: Duration = Duration::from_secs(60);

/// A server that is ended with the last test that uses it.
pub struct Cluster {
    folder: TempDir,
    server: Child,
    pub port: u16,
}

impl Cluster {
    /// The server that all tests at this time share; none where there is no PostgreSQL, which is said once.
    pub fn shared() -> Option<Arc<Self>> {
        static SHARED: Mutex<Weak<Cluster>> = Mutex::new(Weak::new());
        static SAID: Once = Once::new();
        let Some(programs) = programs() else {
            // Past the test runner, which shows nothing of what succeeds, and on a line of its own.
            SAID.call_once(|| {
                let _ = std::io::stderr().write_all(b"\nnot tested: there is no PostgreSQL on this machine\n");
            });
            return None;
        };
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        let cluster = shared.upgrade().unwrap_or_else(|| Arc::new(Self::start(&programs)));
        *shared = Arc::downgrade(&cluster);
        Some(cluster)
    }

    fn start(programs: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let password = folder.path().join("password");
        fs::write(&password, PASSWORD).unwrap();
        for path in [folder.path(), &password] {
            if let Some(user) = other_user() {
                chown(path, Some(user.uid.as_raw()), Some(user.gid.as_raw())).unwrap();
            }
        }
        let data = folder.path().join("data");
        let made = as_user(&programs.join("initdb"))
            .args(["--no-sync", "--no-instructions", "--locale=C.UTF-8", "--encoding=UTF8", "-U", USER])
            .args(["--auth-host=scram-sha-256", "--auth-local=scram-sha-256"])
            .args([Path::new("--pwfile"), &password, Path::new("-D"), &data])
            .output()
            .unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let log = File::create(folder.path().join("log")).unwrap();
        let server = as_user(&programs.join("postgres"))
            .args([Path::new("-D"), &data, Path::new("-k"), folder.path()])
            .args(["-h", "127.0.0.1", "-p", &port.to_string(), "-F", "-c", "max_connections=40"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let cluster = Self { folder, server, port };
        let begin = Instant::now();
        while let Err(error) = cluster.try_ask("SELECT ''") {
            assert!(begin.elapsed() < DEADLINE, "{error}: {}", cluster.log());
            std::thread::sleep(Duration::from_millis(50));
        }
        cluster
    }

    pub fn log(&self) -> String {
        fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    /// The URL of a database, without the password.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@127.0.0.1:{}/{database}", self.port)
    }

    /// The same by the socket.
    pub fn socket_url(&self, database: &str) -> String {
        format!("postgres:///{database}?host={}&port={}&user={USER}", self.folder.path().display(), self.port)
    }

    /// A database with nothing in it.
    pub fn database(&self, name: &str) -> String {
        self.ask(&format!("CREATE DATABASE {name}"));
        self.url(name)
    }

    /// The first column of all rows of a query, as texts.
    pub fn ask(&self, sql: &str) -> Vec<String> {
        self.try_ask(sql).unwrap()
    }

    pub fn ask_in(&self, database: &str, sql: &str) -> Vec<String> {
        self.query(database, sql).unwrap()
    }

    fn try_ask(&self, sql: &str) -> Result<Vec<String>, sqlx::Error> {
        self.query("postgres", sql)
    }

    fn query(&self, database: &str, sql: &str) -> Result<Vec<String>, sqlx::Error> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let options = PgConnectOptions::new().host("127.0.0.1").port(self.port).username(USER);
            let options = options.password(PASSWORD).database(database);
            let mut connection: PgConnection = options.connect().await?;
            sqlx::query_scalar(AssertSqlSafe(sql.to_owned())).fetch_all(&mut connection).await
        })
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let pid = rustix::process::Pid::from_child(&self.server);
        // INT ends its connections and closes it.
        let _ = rustix::process::kill_process(pid, rustix::process::Signal::INT);
        let _ = self.server.wait();
    }
}

/// PostgreSQL does not run as root.
fn other_user() -> Option<User> {
    let is_root = rustix::process::geteuid().is_root();
    let known = ["postgres", "nobody"].iter().find_map(|name| User::from_name(name).unwrap());
    known.filter(|_| is_root)
}

fn as_user(program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env_remove("PGDATA");
    if let Some(user) = other_user() {
        command.uid(user.uid.as_raw()).gid(user.gid.as_raw());
    }
    command
}

/// The folder of the newest `initdb` and `postgres`: in the PATH, or where Debian has them.
fn programs() -> Option<PathBuf> {
    let is_there = |folder: &PathBuf| ["initdb", "postgres"].iter().all(|name| folder.join(name).is_file());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let version = |folder: &PathBuf| -> u32 {
        let name = folder.parent().and_then(Path::file_name).unwrap_or_default();
        name.to_str().and_then(|name| name.parse().ok()).unwrap_or(0)
    };
    let entries = fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let debian = entries.map(|entry| entry.path().join("bin")).filter(is_there).max_by_key(version);
    std::env::split_paths(&path).find(is_there).or(debian)
}

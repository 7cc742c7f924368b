//! Where are the file and the ledger that are meant?

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::args::Global;
use super::typed::{as_root, ours};
use super::usual::{MACHINES_CONFIG, ROOTS_STATE, nonempty, own_state, users_config};
use super::{Done, Refusal};
use crate::clock::Clock;
use crate::configuration::{Configuration, InForce};
use crate::control::usual;
use crate::daemon::{Holder, holder, lock_path};
use crate::files::read_text;
use crate::jobfile::job_names as names_in;
use crate::settings::Flags;
use crate::store::{OpenError, Reader};

/// The database's name in a state folder, until a file says otherwise.
const DATABASE: &str = "punctual.db";

/// The state folder: the flag's, systemd's, the one of the daemon whose job asks, root's, the user's.
pub fn state_folder(global: &Global) -> Result<PathBuf, Refusal> {
    if let Some(state) = &global.state {
        return std::path::absolute(state).map_err(|error| Refusal::chain(Done::Misused, &error));
    }
    if let Some(given) = nonempty("STATE_DIRECTORY") {
        // systemd gives a list where a unit has several.
        let first = given.split(':').next().unwrap_or_default().to_owned();
        return Ok(first.into());
    }
    if let Some(of_the_daemon) = nonempty("PUNCTUAL_STATE") {
        return Ok(of_the_daemon.into());
    }
    own_state().ok_or_else(|| {
        Refusal::new(Done::Misused, "there is no HOME to keep the ledger in; choose a folder with --state")
    })
}

/// The daemon that works on the ledger of this state folder.
pub fn running_daemon(global: &Global) -> Option<Holder> {
    let state = state_folder(global).ok()?;
    holder(&database(global, &state))
}

/// That a daemon of the whole machine runs, and how it is asked, to whoever asks another ledger unawares.
pub fn of_the_machine(global: &Global) -> Option<String> {
    let database = Path::new(ROOTS_STATE).join(DATABASE);
    if global.state.is_some() || state_folder(global).is_ok_and(|state| state == Path::new(ROOTS_STATE)) {
        return None;
    }
    // What it keeps need not be readable; that it listens is seen all the same.
    let is_hidden = File::open(lock_path(&database)).is_err_and(|error| error.kind() == ErrorKind::PermissionDenied);
    let runs = holder(&database).is_some() || is_hidden && usual(&database).exists();
    runs.then(|| format!("but one of the whole machine is: --state {ROOTS_STATE} asks it"))
}

/// The database: where the file says, if there is a file and it says so.
pub fn database(global: &Global, state: &Path) -> PathBuf {
    global.database.get_or_init(|| find_database(global, state)).clone()
}

fn find_database(global: &Global, state: &Path) -> PathBuf {
    let usual = state.join(DATABASE);
    if holder(&usual).is_some() {
        return usual;
    }
    let settings = |path: PathBuf| Configuration::settings(&path, &environment(), &Flags::default()).ok();
    match config_file(global, None).ok().and_then(settings) {
        Some(settings) => settings.database_in(state),
        None => usual,
    }
}

/// The job file that is meant; `running` is the daemon whose file comes before those that lie about.
pub fn config_file(global: &Global, running: Option<&Holder>) -> Result<PathBuf, Refusal> {
    if let Some(config) = &global.config {
        return Ok(config.clone());
    }
    if let Some(config) = nonempty("PUNCTUAL_CONFIG") {
        return Ok(config.into());
    }
    if let Some(holder) = running {
        return Ok(holder.config.clone());
    }
    let candidates = [Some(PathBuf::from("jobs.toml")), users_config(), Some(MACHINES_CONFIG.into())];
    candidates.into_iter().flatten().find(|path| path.exists()).ok_or_else(|| {
        Refusal::new(
            Done::Failed,
            "there is no job file: neither ./jobs.toml nor ~/.config/punctual/jobs.toml nor /etc/punctual/jobs.toml; \
             name one with --config FILE, or begin one with: punctual init",
        )
    })
}

/// The names of the jobs in a file, as far as it can be read: nothing is made of them.
pub fn job_names(path: &Path) -> Vec<String> {
    read_text(path).map(|text| names_in(&text)).unwrap_or_default()
}

/// Reads a job file with the settings that hold for this process.
pub fn read(path: &Path) -> Result<Configuration, Refusal> {
    let now = Clock::System.now();
    Configuration::read(path, &environment(), &Flags::default(), now)
        .map_err(|error| Refusal::chain(Done::Failed, &error))
}

/// What answers: what the running daemon has in force, unless another file than its own was named, or else the file.
pub fn in_force_or_file(global: &Global, running: Option<&Holder>) -> Result<Configuration, Refusal> {
    let path = config_file(global, running)?;
    if let Some(holder) = running.filter(|holder| is_same_file(&holder.config, &path))
        && let Some(in_force) = ask(in_force(global, holder))?
    {
        return Ok(in_force);
    }
    read(&path)
}

/// What this daemon has in force, by the ledger; none if it has not said so yet, or said it in words of another version.
async fn in_force(global: &Global, holder: &Holder) -> Option<Configuration> {
    let ledger = open_ledger_if_any(global).await.ok()??;
    let (since, words) = ledger.in_force().await.ok()??;
    let in_force: InForce = serde_json::from_str(&words).ok().filter(|_| since >= holder.since)?;
    let configuration = in_force.read(Clock::System.now()).ok()?;
    configuration.checked.is_right().then_some(configuration)
}

/// Whether two paths name one file, which may be gone.
pub fn is_same_file(one: &Path, other: &Path) -> bool {
    let absolute = |path: &Path| std::path::absolute(path).ok();
    absolute(one) == absolute(other)
        || one.canonicalize().ok().zip(other.canonicalize().ok()).is_some_and(|(one, other)| one == other)
}

/// Opens the ledger for questions, whether a daemon runs or not.
pub async fn open_ledger(global: &Global) -> Result<Reader, Refusal> {
    let state = state_folder(global)?;
    let database = database(global, &state);
    Reader::open(&database).await.map_err(|error| unopened(global, &error))
}

/// Why a ledger cannot be opened, and what to do: where there is none, it is the daemon that makes it.
pub fn unopened(global: &Global, error: &OpenError) -> Refusal {
    let refusal = Refusal::chain(Done::Unreachable, error);
    if !matches!(error, OpenError::Missing(_) | OpenError::Empty(_)) {
        return refusal;
    }
    let is_elsewhere = global.state.is_none() && Path::new(ROOTS_STATE).join(DATABASE).exists();
    let hint = match as_root().filter(|_| is_elsewhere) {
        Some(line) => format!("there is one of the whole machine; type: {line}"),
        None => format!("start one with: {}", ours(global, "daemon")),
    };
    Refusal::new(Done::Unreachable, format!("{}; {hint}", refusal.message))
}

/// The same, but `None` where no daemon has written anything yet.
pub async fn open_ledger_if_any(global: &Global) -> Result<Option<Reader>, Refusal> {
    let state = state_folder(global)?;
    open_if_any(&database(global, &state)).await
}

/// The same, of a database whose place is known.
pub async fn open_if_any(database: &Path) -> Result<Option<Reader>, Refusal> {
    match Reader::open(database).await {
        Ok(ledger) => Ok(Some(ledger)),
        Err(OpenError::Missing(_) | OpenError::Empty(_)) => Ok(None),
        Err(error) => Err(Refusal::chain(Done::Unreachable, &error)),
    }
}

/// This process's variables, where they are text.
pub fn environment() -> BTreeMap<String, String> {
    env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect()
}

/// Runs a question on a runtime of one thread, which is all that it needs.
pub fn ask<T>(question: impl Future<Output = T>) -> Result<T, Refusal> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Refusal::chain(Done::Unreachable, &error))?;
    Ok(runtime.block_on(question))
}

/// An error of the ledger while it is asked.
pub fn unreadable(error: &sqlx::Error) -> Refusal {
    Refusal::new(Done::Unreachable, format!("the ledger cannot be read: {error}"))
}

//! What does the running daemon consist of, and how does it start and stop?

mod change;
mod clockwork;
mod core;
mod demurs;
mod ending;
mod facts;
mod house;
mod housekeeping;
mod journal;
mod lock;
mod log;
mod news;
mod pings;
mod reading;
mod reloaded;
mod reread;
mod send;
mod service;
mod shown;
mod takeover;
mod unrecorded;
mod waiting;
mod wishes;

use std::collections::BTreeMap;
use std::io;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, mpsc, oneshot, watch};
use tokio::task::JoinSet;

use crate::clock::{Clock, instant};
use crate::configuration::{Configuration, ConfigurationError, Overlay};
use crate::control::{Ask, FileState, Place, Server, Setup as ControlSetup};
use crate::job::{Job, SlowAfter};
use crate::keeper::{Client, Kept, Switchboard, connect, own_program, start_ticks};
use crate::plan::{Decision, Planner, Record};
use crate::run::{EventKind, EventNote, RunId};
use crate::runner::{Cgroups, Estate, Ledgered, Runner, Surroundings, Takeover, boot_id};
use crate::settings::Flags;
use crate::store::{OpenError, Store, Writer};

pub use self::core::Demand;
use self::core::{Core, GIVE_UP_AFTER, LoopState};
pub use facts::Ledger;
use house::{absent_since, tell_of_return};
use housekeeping::{Housekeeping, Tools};
pub use journal::seconds;
pub use lock::{Holder, HoldersStop, HoldersTrouble, Lock, LockError, holder, lock_path};
pub use log::init as init_log;
use news::MOST_NEWS;
use reading::Files;
pub use reading::Telling;
use reread::Rereading;
use send::Setup as SenderSetup;
use service::Overseer;

/// For how long a process that is being killed may take to end, and how often it is looked at.
const LAST_BREATH: Duration = Duration::from_secs(5);
/// Wishes that wait for the loop: it takes them one by one, and whoever wishes more waits where he is.
const WISHES: usize = 64;
const LOOK_AT_THE_LOCK: Duration = Duration::from_millis(20);

/// What a daemon is started with.
pub struct Setup {
    pub config: PathBuf,
    pub state: PathBuf,
    /// How people call punctual so that it finds this daemon: `punctual`, or with flags.
    pub called: String,
    pub flags: Flags,
    pub environment: BTreeMap<String, String>,
    pub clock: Clock,
    /// What tells people what is wrong with a file that was read again.
    pub telling: Telling,
    /// The line to the keeper.
    pub keeper: UnixStream,
    /// Whoever in this process wants to wish something of the daemon is told where.
    pub wishes: Option<oneshot::Sender<mpsc::Sender<Ask>>>,
}

/// Why a daemon cannot start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    /// What is wrong with it is to be shown from the configuration.
    #[error("{} is wrong", .0.path.display())]
    WrongFile(Box<Configuration>),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the ledger cannot be read")]
    Ledger(#[from] sqlx::Error),
    #[error("cannot begin")]
    Io(#[from] io::Error),
    #[error(
        "the ledger could not be written until the end; {0} runs or decisions are left for the next start to close"
    )]
    Unrecorded(usize),
    #[error("a part of the daemon ended by itself{}", .0.as_ref().map(|error| format!(": {error}")).unwrap_or_default())]
    Task(Option<tokio::task::JoinError>),
    #[error("housekeeping cannot begin: {0}")]
    Housekeeping(#[from] tokio_cron_scheduler::JobSchedulerError),
}

impl std::fmt::Debug for Configuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Configuration").field("path", &self.path).finish_non_exhaustive()
    }
}

/// Runs a daemon until it was demanded to stop and every run is closed.
pub async fn run(setup: Setup, demands: mpsc::Receiver<Demand>) -> Result<(), StartError> {
    let started = setup.clock.now();
    let line = connect(setup.keeper.try_clone()?).await?;
    let files = setup.files();
    let (mut configuration, seen) = takeover::configuration(&files, line.0.in_force(), started)?;
    configuration.checked.put_into_force();
    let in_force: Arc<str> = configuration.in_force(&files.overlay).into();
    line.0.put_in_force(in_force.to_string()).await;
    let database = configuration.settings.database_in(&setup.state);
    let is_new = !database.exists();
    let holder = Holder {
        pid: line.0.keeper(),
        since: started,
        config: configuration.path.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        socket: None,
        trouble: None,
        file_trouble: None,
        at_next_start: Vec::new(),
        stopping: None,
    };
    let opened = open_ledger(&database, holder).await;
    if is_new
        && let Err(error) = &opened
        && !matches!(error, StartError::Lock(LockError::Held(_) | LockError::HeldBySomebody))
    {
        take_back(&database);
    }
    let (store, mut lock) = opened?;
    let rereading = Rereading::new(files, &configuration, seen);
    let in_ledger = configuration.in_force_shown(rereading.overlay()).into();
    let begun = Begun { configuration, in_force, in_ledger, rereading };
    let result = serve(setup, begun, store.clone(), &mut lock, demands, line).await;
    store.close().await;
    result
}

/// What a daemon begins with.
struct Begun {
    configuration: Configuration,
    in_force: Arc<str>,
    /// The same as the ledger has it.
    in_ledger: Arc<str>,
    rereading: Rereading,
}

impl Setup {
    fn files(&self) -> Files {
        let overlay = Overlay { environment: self.environment.clone(), flags: self.flags.clone() };
        Files { config: self.config.clone(), overlay, telling: self.telling }
    }

    /// What attempts find here.
    fn surroundings(&self, store: &Store, cgroups: Cgroups) -> Surroundings {
        Surroundings {
            environment: self.environment.clone(),
            program: own_program().unwrap_or_default(),
            state: self.state.clone(),
            database: store.path.clone(),
            cgroups,
            facts: Arc::new(Ledger(store.reader.clone())),
        }
    }
}

/// Locks the ledger and opens it for writing.
async fn open_ledger(database: &Path, holder: Holder) -> Result<(Arc<Store>, Lock), StartError> {
    let mut store = Store::prepare(database)?;
    let lock = lock(database, holder).await?;
    match store.hold() {
        Ok(true) => {}
        Ok(false) => return Err(LockError::HeldBySomebody.into()),
        Err(source) => return Err(LockError::Io { path: database.to_owned(), source }.into()),
    }
    let host = nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned();
    Ok((Arc::new(store.open(&host, &boot_id()?).await?), lock))
}

/// A scheduler ends with its keeper, but a moment later: for that long it still holds the lock in the keeper's name.
async fn lock(database: &Path, holder: Holder) -> Result<Lock, LockError> {
    let until = instant() + LAST_BREATH;
    loop {
        match Lock::acquire(database, holder.clone()) {
            Err(LockError::Held(other)) if start_ticks(other.pid).is_none() && instant() < until => {
                tokio::time::sleep(LOOK_AT_THE_LOCK).await;
            }
            acquired => return acquired,
        }
    }
}

/// A ledger that could not be begun leaves nothing half-done: what this start has made goes again.
fn take_back(database: &Path) {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        let _ = std::fs::remove_file(path);
    }
}

async fn serve(
    mut setup: Setup,
    Begun { configuration, in_force: words, in_ledger, rereading }: Begun,
    store: Arc<Store>,
    lock: &mut Lock,
    demands: mpsc::Receiver<Demand>,
    (keeper, mut switchboard, kept): (Client, Switchboard, Vec<Kept>),
) -> Result<(), StartError> {
    let cgroups = Cgroups::of_this_process();
    cgroups.sweep(&kept.iter().map(|kept| kept.id).collect::<Vec<_>>());
    let estates = takeover::estates(&store, &configuration.checked.jobs, kept, !keeper.is_first()).await?;
    let clock = setup.clock.clone();
    let (planner, mut first) = plan(&configuration, &store, (&estates, !keeper.is_first()), &clock).await?;
    first.records.push(Record::InForce { since: clock.now(), words: in_ledger });
    let (writer, writer_end, answers, recorded) = Writer::new(&store, configuration.settings.max_running);
    let surroundings = setup.surroundings(&store, cgroups);
    let ledgered = Ledgered { pieces: writer.pieces.clone(), recorded };
    let takeover = Takeover { keeper: keeper.clone(), estates };
    let (door, runner, events) = Runner::new(clock.clone(), surroundings, ledgered, takeover)?;
    let (restate, restates) = mpsc::channel(1);
    let (head, head_out) = watch::channel(None);
    let (clock_sets, clock_sets_out) = watch::channel(0);
    let refresh = Arc::new(Notify::new());
    let (house, house_news) = mpsc::channel(MOST_NEWS);
    let tools = Tools { head: head_out, refresh: refresh.clone(), house };
    let housekeeping =
        Housekeeping::start(store.clone(), &setup.state, &configuration.settings, clock.clone(), tools).await?;
    greet(&configuration, &store);
    let configuration = Arc::new(configuration);
    let in_force = watch::Sender::new(configuration.clone());
    let (file, file_out) = watch::channel(FileState::default());
    let (stopping, stopping_out) = watch::channel(None);
    let (wishes, asks) = mpsc::channel(WISHES);
    if let Some(told) = setup.wishes.take() {
        // Whoever wanted to know may not wait for it any more.
        let _ = told.send(wishes.clone());
    }
    let control = Server::start(ControlSetup {
        place: Place::of(&setup.environment, rustix::process::geteuid().is_root()),
        database: store.path.clone(),
        ledger: store.visitors.clone(),
        in_force: in_force.subscribe(),
        trouble: writer.trouble(),
        file: file_out.clone(),
        asks: wishes,
        clock: clock.clone(),
        pid: keeper.keeper(),
        since: lock.since(),
    })?;
    let (outlets, sender, pinger) = send::begin(SenderSetup {
        store: store.clone(),
        clock: clock.clone(),
        in_force: in_force.subscribe(),
        trouble: writer.trouble(),
        environment: Arc::new(setup.environment.clone()),
        folder: configuration.checked.source.folder(0).to_owned(),
        called: setup.called.as_str().into(),
    })?;
    let core = Core {
        planner,
        alarm: clock.alarm()?,
        state: LoopState::new(&clock, words, configuration.settings.clone()),
        clock: clock.clone(),
        writer: writer.clone(),
        answers,
        restates,
        reader: store.reader.clone(),
        door,
        events,
        demands,
        asked: switchboard.asked(),
        asks,
        rereading,
        configuration,
        in_force,
        refresh,
        head,
        clock_sets,
        file,
        house: house_news,
        outlets,
        stopping,
        overseer: Overseer::new(keeper),
    };
    let mut tasks = JoinSet::new();
    tasks.spawn(writer_end.with_planner(restate).run());
    tasks.spawn(runner.run());
    tasks.spawn(sender.run());
    tasks.spawn(pinger.run());
    tasks.spawn(keep_house(housekeeping, clock_sets_out));
    tasks.spawn(speak(switchboard));
    let socket = control.path.clone();
    tasks.spawn(control.ended());
    let ended = tokio::select! {
        result = core.run(first) => result.map_err(StartError::Unrecorded),
        never = lock.tell(writer.trouble(), file_out, socket, stopping_out) => match never {},
        // Each of them ends only after the core has.
        Some(ended) = tasks.join_next() => Err(StartError::Task(ended.err())),
    };
    if let Err(error) = ended {
        // What still runs is killed with the attempts that own it.
        tasks.shutdown().await;
        return Err(error);
    }
    end(writer, &clock, tasks).await
}

fn greet(configuration: &Configuration, store: &Store) {
    let (version, jobs) = (env!("CARGO_PKG_VERSION"), configuration.checked.jobs.len());
    let jobs = if jobs == 1 { "1 job".to_owned() } else { format!("{jobs} jobs") };
    let (file, ledger) = (configuration.path.display(), store.path.display());
    tracing::info!("punctual {version} runs {jobs} of {file}, ledger {ledger}");
}

/// Says goodbye in the ledger, and waits until all of it is written.
async fn end(writer: Writer, clock: &Clock, mut tasks: JoinSet<()>) -> Result<(), StartError> {
    let farewell =
        EventNote { at: clock.now(), kind: EventKind::Stop, job: None, detail: "the daemon stopped".to_owned() };
    writer.commit(Arc::new(Decision { records: vec![Record::Event(farewell)], actions: Vec::new() })).await;
    drop(writer);
    if tokio::time::timeout(GIVE_UP_AFTER, wait_for_all(&mut tasks)).await.is_err() {
        tasks.shutdown().await;
        return Err(StartError::Unrecorded(1));
    }
    tracing::info!("stopped");
    Ok(())
}

async fn wait_for_all(tasks: &mut JoinSet<()>) {
    while let Some(ended) = tasks.join_next().await {
        if let Err(error) = ended {
            tracing::error!("a task failed at the end: {error}");
        }
    }
}

async fn plan(
    configuration: &Configuration,
    store: &Store,
    (estates, goes_on): (&BTreeMap<RunId, Estate>, bool),
    clock: &Clock,
) -> Result<(Planner, Decision), StartError> {
    let now = clock.now();
    let mut memory = store.memory(now, &configuration.machine).await?;
    takeover::remember(estates, &mut memory);
    memory.goes_on = goes_on;
    let wanted = configuration.checked.jobs.iter().filter(|job| is_told_by_usual(job)).map(|job| job.name.clone());
    let mut usual = store.reader.usual(&wanted.collect()).await?;
    for job in &mut memory.jobs {
        job.usual = usual.remove(&job.name).unwrap_or_default();
    }
    let capacities = configuration.capacities();
    let absent = absent_since(&store.reader, now).await?;
    let (mut planner, first) = Planner::restore(&configuration.checked.jobs, capacities, memory, now);
    let mut first = tell_of_return(&mut planner, configuration, first, (absent, goes_on), now);
    let how = if goes_on { "goes on with another scheduler" } else { "started" };
    let detail = format!("punctual {} {how}", env!("CARGO_PKG_VERSION"));
    first.records.push(Record::Event(EventNote { at: now, kind: EventKind::Start, job: None, detail }));
    Ok((planner, first))
}

/// Whether it is told of the job that it takes longer than usual.
fn is_told_by_usual(job: &Job) -> bool {
    matches!(job.telling.slow_after, Some(SlowAfter::Usual(_)))
}

/// Speaks with the keeper until nobody has anything to say.
async fn speak(switchboard: Switchboard) {
    if let Err(error) = switchboard.run().await {
        tracing::error!("{error}");
    }
}

/// Owns the chores until the core, which says when the clock was set, is gone.
async fn keep_house(mut housekeeping: Housekeeping, mut clock_sets: watch::Receiver<u64>) {
    while clock_sets.changed().await.is_ok() {
        if let Err(error) = housekeeping.clock_was_set().await {
            tracing::error!("housekeeping cannot go on after the clock was set: {error}");
        }
    }
    housekeeping.stop().await;
}

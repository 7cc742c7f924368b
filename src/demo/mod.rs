//! What would a believable week have left in the ledger? A folder with a job file and the ledger of its jobs, for trying
//! every question.
//!
//! The planner and the store are those of the daemon. What the jobs did is made up, always the same for the same seed.

mod chance;
mod course;
mod crowd;
mod scene;
mod story;
mod voice;
mod world;

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::configuration::{Configuration, ConfigurationError};
use crate::files::Machine;
use crate::jobfile::Source;
use crate::plan::Planner;
use crate::settings::Flags;
use crate::store::{OpenError, Store};
use chance::Chance;
use crowd::crowd;
pub use voice::RARE_WORD;
use world::{Blow, Numbers, Telling, World};

const JOBS: &str = include_str!("jobs.toml");
/// What one line of the file was before it was changed.
const CHANGED: (&str, &str) = ("schedule = \"*/5 * * * *\"", "schedule = \"*/4 * * * *\"");
/// Decisions in one transaction.
const PAGE: usize = 8192;
/// Pages after which the write-ahead log is moved into the database: some 100 MiB.
const CHECKPOINT_AFTER: usize = 16;

/// What is to be made.
#[derive(Debug, Clone)]
pub struct Demo {
    /// None: a fresh one under the temporary folder.
    pub folder: Option<PathBuf>,
    pub days: u64,
    pub until: Timestamp,
    pub seed: u64,
    /// About so many runs of jobs made for it, instead of the dozen.
    pub runs: Option<u64>,
    /// Jobs write nothing.
    pub is_silent: bool,
}

/// What was made.
#[derive(Debug, Clone)]
pub struct Made {
    pub folder: PathBuf,
    pub config: PathBuf,
    pub database: PathBuf,
    pub from: Timestamp,
    pub jobs: usize,
    pub runs: u64,
}

/// Why nothing was made; each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    #[error("{} is there already, and is left as it is; name another folder with --into", .0.display())]
    Taken(PathBuf),
    #[error("cannot make {}; choose another folder with --into", path.display())]
    Folder { path: PathBuf, source: io::Error },
    #[error(transparent)]
    Configuration(#[from] ConfigurationError),
    #[error("the file of the demo is wrong: {0}")]
    WrongFile(String),
    #[error(transparent)]
    Open(#[from] OpenError),
    #[error("the ledger cannot be written")]
    Ledger(#[from] sqlx::Error),
    #[error("the ledger refused {0} entries that were made up for it")]
    Refused(usize),
}

/// Makes a folder with a job file and its ledger. What could not be finished is taken back.
pub async fn make(demo: &Demo) -> Result<Made, DemoError> {
    let folder = match &demo.folder {
        Some(folder) => std::path::absolute(folder).unwrap_or_else(|_| folder.clone()),
        None => fresh_folder()?,
    };
    let (config, database) = (folder.join("jobs.toml"), folder.join("punctual.db"));
    let taken = [&config, &database].into_iter().find(|path| path.symlink_metadata().is_ok());
    if let Some(taken) = taken {
        return Err(DemoError::Taken(taken.clone()));
    }
    let made = fill(demo, &folder, &config, &database).await;
    if made.is_err() {
        for path in [config, database.clone(), beside(&database, "-wal"), beside(&database, "-shm")] {
            let _ = fs::remove_file(path);
        }
        // Only if there was nothing else in it.
        let _ = fs::remove_dir(&folder);
    }
    made
}

fn beside(database: &Path, suffix: &str) -> PathBuf {
    let mut path = database.as_os_str().to_owned();
    path.push(suffix);
    path.into()
}

/// A folder that nobody has, for this user alone: output of jobs may be private, and so people expect it to be.
fn fresh_folder() -> Result<PathBuf, DemoError> {
    let temporary = std::env::temp_dir();
    let mut number = 1;
    loop {
        let name = if number == 1 { "punctual-demo".to_owned() } else { format!("punctual-demo-{number}") };
        let path = temporary.join(name);
        match fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => number += 1,
            Err(source) => return Err(DemoError::Folder { path, source }),
        }
    }
}

async fn fill(demo: &Demo, folder: &Path, config: &Path, database: &Path) -> Result<Made, DemoError> {
    let (text, lasts) = match demo.runs {
        Some(runs) => {
            let crowd = crowd(runs, demo.days);
            (crowd.text, crowd.lasts)
        }
        None => (JOBS.to_owned(), Duration::from_secs(demo.days * 86_400)),
    };
    let from = SignedDuration::try_from(lasts).ok().and_then(|lasts| demo.until.checked_sub(lasts).ok());
    let from = from.unwrap_or(demo.until);
    write_file(folder, config, &text)?;
    let file = File { config, text: &text };
    let telling = Telling { from, until: demo.until, chance: Chance::new(demo.seed), is_silent: demo.is_silent };
    let numbers = tell_all(telling, &file, database, demo.runs.is_none()).await?;
    let jobs = file.read(&text, demo.until)?.checked.jobs.len();
    Ok(Made {
        folder: folder.to_owned(),
        config: config.to_owned(),
        database: database.to_owned(),
        from,
        jobs,
        runs: numbers.runs,
    })
}

fn write_file(folder: &Path, path: &Path, text: &str) -> Result<(), DemoError> {
    let failed = |source| DemoError::Folder { path: path.to_owned(), source };
    fs::DirBuilder::new().recursive(true).mode(0o750).create(folder).map_err(failed)?;
    let mut file = fs::OpenOptions::new().write(true).create_new(true).mode(0o640).open(path).map_err(failed)?;
    file.write_all(text.as_bytes()).map_err(failed)
}

/// The job file as it is, and as it was.
struct File<'f> {
    config: &'f Path,
    text: &'f str,
}

impl File<'_> {
    fn read(&self, text: &str, now: Timestamp) -> Result<Configuration, DemoError> {
        let (none, flags) = (BTreeMap::new(), Flags::default());
        let source = Source::new(self.config.to_owned(), text.to_owned());
        let configuration = Configuration::of_source(source, Machine::default(), &none, &flags, now)?;
        match configuration.checked.said.errors.first() {
            Some(error) => Err(DemoError::WrongFile(error.message.clone())),
            None => Ok(configuration),
        }
    }
}

/// One life of the daemon: from when, on which boot of the machine, with what happening to it.
struct Life {
    from: Timestamp,
    boot: &'static str,
    text: String,
    blows: Vec<(Timestamp, Blow)>,
}

/// Three lives: one that ends with a stop for an hour, one that ends with the machine, one that ends when all is told. A
/// crowd has only the last.
async fn tell_all(telling: Telling, file: &File<'_>, database: &Path, is_eventful: bool) -> Result<Numbers, DemoError> {
    let Telling { from, until, .. } = telling;
    let part = |percent: i64| {
        let whole = until.as_microsecond() - from.as_microsecond();
        Timestamp::from_microsecond(from.as_microsecond() + whole / 100 * percent).unwrap_or(from)
    };
    let hour = |at: Timestamp| at.checked_add(SignedDuration::from_hours(1)).unwrap_or(at);
    let before = |minutes: i64| until.checked_sub(SignedDuration::from_mins(minutes)).unwrap_or(until);
    let end = (before(6), Blow::StopWhenIdle { at_last: before(1) });
    let now = file.text.to_owned();
    let then = now.replace(CHANGED.0, CHANGED.1);
    let mut numbers = Numbers::default();
    if !is_eventful {
        let life = Life { from, boot: "demo-1", text: now, blows: vec![end] };
        return Ok(tell_life(telling, file, database, life, numbers).await?.1);
    }
    let changed = file.read(file.text, part(25))?;
    let reload = Blow::Reload(changed.checked.jobs.clone(), changed.capacities());
    let life = Life { from, boot: "demo-1", text: then, blows: vec![(part(25), reload), (part(45), Blow::Stop)] };
    let over;
    (over, numbers) = tell_life(telling, file, database, life, numbers).await?;
    let life = Life {
        from: hour(over),
        boot: "demo-1",
        text: now.clone(),
        blows: vec![(part(70), Blow::Strike), end.clone()],
    };
    let over;
    (over, numbers) = tell_life(telling, file, database, life, numbers).await?;
    let again = over.checked_add(SignedDuration::from_mins(7)).unwrap_or(until);
    if again >= end.0 {
        return Ok(numbers);
    }
    let life = Life { from: again, boot: "demo-2", text: now, blows: vec![end] };
    Ok(tell_life(telling, file, database, life, numbers).await?.1)
}

/// Tells one life and writes it page by page; the answer is when it was over.
async fn tell_life(
    telling: Telling,
    file: &File<'_>,
    database: &Path,
    life: Life,
    numbers: Numbers,
) -> Result<(Timestamp, Numbers), DemoError> {
    let configuration = file.read(&life.text, life.from)?;
    let store = Store::prepare(database)?.open("demo", life.boot).await?;
    store.hurry().await?;
    let memory = store.memory(life.from, &configuration.machine).await?;
    let begun = Planner::restore(&configuration.checked.jobs, configuration.capacities(), memory, life.from);
    let mut world = World::new(telling, begun, life.from, life.blows, numbers);
    let mut pages = 0;
    while !world.is_over() {
        let page = world.play(PAGE);
        let refused = store.write_at_once(&page.decisions, &page.pieces).await?;
        if !refused.is_empty() {
            return Err(DemoError::Refused(refused.len()));
        }
        pages += 1;
        if pages % CHECKPOINT_AFTER == 0 {
            store.checkpoint().await?;
        }
    }
    store.checkpoint().await?;
    store.close().await;
    Ok(world.end())
}

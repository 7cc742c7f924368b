//! `punctual demo`: a folder with a ledger of a believable week, for trying every question.

use serde::Serialize;

use super::args::{DemoArguments, Global};
use super::moment::moment;
use super::places::{ask, unreadable};
use super::screen::{Screen, counted};
use super::typed::quoted;
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::demo::{Demo, DemoError, Made, make};
use crate::report::Time;
use crate::run::RunId;
use crate::store::Reader;
use crate::when::Toward;

/// Days that a ledger for measuring is about, unless told.
const DAYS_OF_MANY: u16 = 30;
const DAYS: u16 = 7;

pub fn run(global: &Global, verb: &DemoArguments, screen: &mut Screen) -> Answer {
    let until = match &verb.until {
        Some(text) => moment("--until", text, Toward::Past, screen)?.last,
        None => Clock::System.now(),
    };
    let days = verb.days.unwrap_or(if verb.runs.is_some() { DAYS_OF_MANY } else { DAYS });
    let demo = Demo {
        // A state folder that is named is where the ledger is wanted.
        folder: verb.into.clone().or_else(|| global.state.clone()),
        days: u64::from(days),
        until,
        seed: verb.seed,
        runs: verb.runs,
        is_silent: verb.silent,
    };
    let (made, failed) = ask(async {
        let made = make(&demo).await.map_err(|error| refusal(&error))?;
        let ledger = Reader::open(&made.database).await.map_err(|error| Refusal::chain(Done::Failed, &error))?;
        let failed = ledger.last_run("backup", true).await.map_err(|error| unreadable(&error))?;
        Ok::<_, Refusal>((made, failed.map(|entry| entry.run)))
    })??;
    if screen.json {
        screen.value(&DemoReport {
            folder: made.folder.display().to_string(),
            config: made.config.display().to_string(),
            database: made.database.display().to_string(),
            from: Time(made.from),
            until: Time(until),
            seed: verb.seed,
            jobs: made.jobs,
            runs: made.runs,
        });
    } else {
        tell(&made, until, failed, verb.runs.is_some(), screen);
    }
    Ok(Done::Well)
}

#[derive(Serialize)]
struct DemoReport {
    folder: String,
    config: String,
    database: String,
    from: Time,
    until: Time,
    seed: u64,
    jobs: usize,
    runs: u64,
}

fn refusal(error: &DemoError) -> Refusal {
    Refusal::chain(Done::Failed, error)
}

/// Says what there is, and what to ask it.
fn tell(made: &Made, until: jiff::Timestamp, failed: Option<RunId>, is_crowd: bool, screen: &mut Screen) {
    let folder = made.folder.display();
    let (runs, jobs) = (counted(made.runs, "run"), counted(made.jobs as u64, "job"));
    let (from, until) = (screen.time(Time(made.from)), screen.time(Time(until)));
    screen.line(format!("{folder} has a ledger of {runs} of {jobs}"));
    screen.line(format!("from {from} to {until}."));
    if is_crowd {
        return;
    }
    screen.line("Nothing of it happened. Ask it what you like:");
    screen.line("");
    let failed = failed.map(|run| (format!("show {run}"), "a backup that failed"));
    let questions = [
        ("status".to_owned(), "how are the jobs doing?"),
        ("history --failed".to_owned(), "what went wrong?"),
        ("stats".to_owned(), "how often, how long, how late?"),
        ("logs backup --failed".to_owned(), "what did it write?"),
        ("plan --days 2".to_owned(), "what comes next?"),
    ];
    let (state, config) = (quoted(&made.folder.display().to_string()), quoted(&made.config.display().to_string()));
    let command = format!("punctual --state {state} --config {config}");
    screen.line(format!("alias demo={}", quoted(&command)));
    for (question, why) in questions.into_iter().chain(failed) {
        let why = screen.dim(&format!("# {why}"));
        screen.line(format!("demo {question:<21}  {why}"));
    }
}

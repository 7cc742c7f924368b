//! `punctual run`: jobs run now, by the daemon; with `--wait` one sees it.

use std::collections::BTreeMap;

use super::args::{Global, RunArguments};
use super::moment::moment;
use super::places::{ask, open_ledger, running_daemon};
use super::reach::client;
use super::screen::{Screen, visible};
use super::typed::ours;
use super::wait::watch_all;
use super::wishing::{names, refused};
use super::{Answer, Done, Refusal};
use crate::control::Launched;
use crate::report::with_local_times;
use crate::run::RunId;
use crate::when::Toward;

pub fn run(global: &Global, verb: &RunArguments, screen: &mut Screen) -> Answer {
    let due = verb.due.as_ref().map(|text| moment("--due", text, Toward::Past, screen)).transpose()?;
    let env: BTreeMap<String, String> = verb.env.iter().cloned().collect();
    let jobs = names(global, &verb.jobs)?;
    let client = client(global).map_err(|refusal| or_try(global, verb, refusal))?;
    ask(async {
        // Whoever cannot read the ledger is told before anything runs.
        let ledger = if verb.wait { Some(open_ledger(global).await?) } else { None };
        let launched = match client.run(&jobs, due.map(|due| due.first), &env).await {
            Ok(launched) => launched,
            Err(error) => return Err(refused(global, &jobs, error).await),
        };
        let in_the_way = launched.iter().any(|launched| launched.run.is_none());
        match ledger {
            Some(ledger) => {
                let runs: Vec<RunId> = launched.iter().filter_map(|launched| launched.run).collect();
                for launched in launched.iter().filter(|launched| launched.run.is_none() || launched.note.is_some()) {
                    let line = in_a_line(global, launched, screen);
                    screen.note(line);
                }
                let done = watch_all(global, &ledger, &runs, screen).await?;
                Ok(if in_the_way { Done::Failed } else { done })
            }
            None => {
                show(global, &launched, screen);
                Ok(if in_the_way { Done::Failed } else { Done::Well })
            }
        }
    })?
}

fn show(global: &Global, launched: &[Launched], screen: &mut Screen) {
    if screen.json {
        screen.value(&launched);
        return;
    }
    for one in launched {
        let line = in_a_line(global, one, screen);
        match one.run {
            Some(_) => screen.line(line),
            None => screen.complain(&line),
        }
    }
}

fn in_a_line(global: &Global, launched: &Launched, screen: &Screen) -> String {
    let Launched { job, run, waiting_for, in_the_way, note } = launched;
    let note = note.as_ref().map_or_else(String::new, |note| {
        let note = with_local_times(note, screen.zone());
        format!(" ({})", visible(&note))
    });
    let follow = |run: RunId| ours(global, &format!("logs -f {run}"));
    match (run, waiting_for, in_the_way) {
        (Some(run), None, _) => format!("run {run} of {job} has begun{note}; follow it with: {}", follow(*run)),
        (Some(run), Some(what), _) => {
            format!("run {run} of {job} waits for {}{note}; follow it with: {}", visible(what), follow(*run))
        }
        (None, _, Some(other)) => {
            format!("{job} was not run{note}: run {other} of it is in the way; follow that with: {}", follow(*other))
        }
        (None, _, None) => {
            format!("{job} was not run{note}; see how it is with: {}", ours(global, &format!("status {job}")))
        }
    }
}

/// Without a daemon, a job can still be tried.
fn or_try(global: &Global, verb: &RunArguments, refusal: Refusal) -> Refusal {
    match verb.jobs.as_slice() {
        [job] if running_daemon(global).is_none() => {
            let try_it = ours(global, &format!("try {job}"));
            let message = format!("{}, or carry it out here, recorded nowhere, with: {try_it}", refusal.message);
            Refusal { message, ..refusal }
        }
        _ => refusal,
    }
}

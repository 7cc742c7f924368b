//! How do runs go on that are waited for, and how did they end?

use std::time::Duration;

use jiff::Timestamp;
use tokio::signal::unix::{SignalKind, signal};

use super::args::Global;
use super::follow::{LOOK_EVERY, Watch};
use super::live::{Live, Voice};
use super::places::unreadable;
use super::screen::{Screen, counted, span, visible};
use super::typed::ours;
use super::{Done, Refusal};
use crate::clock::Clock;
use crate::inquiry::find_run;
use crate::report::{Entry, Seconds};
use crate::run::{Outcome, RunId, State};
use crate::store::Reader;

/// What takes less needs no word about how long it takes.
const WORTH_TELLING: Duration = Duration::from_secs(2);
/// The last runs that say what is usual.
const USUAL: u32 = 20;
/// Characters of a bar.
const BAR: usize = 20;

/// A run that is waited for.
struct Watched {
    entry: Entry,
    /// Whether it was told how it ended.
    is_told: bool,
    /// How long runs of the job take that succeed.
    usual: Option<Seconds>,
    /// What was last said about what it waits for.
    said: Option<String>,
}

/// Shows what the runs write until all have ended. Ctrl-C leaves them going.
pub async fn watch_all(global: &Global, ledger: &Reader, runs: &[RunId], screen: &mut Screen) -> Result<Done, Refusal> {
    let mut interrupts = signal(SignalKind::interrupt()).map_err(|error| Refusal::chain(Done::Unreachable, &error))?;
    let mut watched = Vec::new();
    for run in runs {
        let entry = find_run(ledger, *run).await?;
        let usual = usual(ledger, &entry.job).await?;
        watched.push(Watched { entry, is_told: false, usual, said: None });
    }
    let mut live = Live::new(screen, false);
    let mut changes = ledger.changes().await.map_err(|error| unreadable(&error))?;
    let mut watch = Watch::new(global);
    let are_several = runs.len() > 1;
    loop {
        if changes.have_come().await.map_err(|error| unreadable(&error))? {
            for one in watched.iter_mut().filter(|one| !one.is_told) {
                one.look(ledger, are_several, &mut live).await?;
            }
        }
        let Some(open) = watched.iter().find(|one| !one.is_told) else {
            break;
        };
        if !live.is_json() {
            live.pass(&progress(&watched, Clock::System.now()));
        }
        watch.look(&open.entry)?;
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            _ = interrupts.recv() => {
                live.say(left_going(global, &watched));
                return Ok(Done::Failed);
            }
        }
    }
    let succeeded = watched.iter().filter(|one| one.entry.outcome == Some(Outcome::Succeeded)).count();
    let is_success = succeeded == watched.len();
    if are_several && !live.is_json() {
        let all = counted(watched.len() as u64, "run");
        live.conclude(is_success, &format!("{succeeded} of {all} succeeded"));
    }
    Ok(if is_success { Done::Well } else { Done::Failed })
}

impl Watched {
    /// Shows what is new about it.
    async fn look(&mut self, ledger: &Reader, are_several: bool, live: &mut Live<'_>) -> Result<(), Refusal> {
        // The end is committed with the last output, so whoever sees the end sees all of the output afterwards.
        self.entry = find_run(ledger, self.entry.run).await?;
        let voice = Voice { run: Some(self.entry.run), name: are_several.then_some(self.entry.job.as_str()) };
        let news = ledger.output_since(self.entry.run, live.reached(voice), None).await;
        for piece in news.map_err(|error| unreadable(&error))? {
            live.hear(voice, piece);
        }
        if self.entry.state == State::Ended {
            self.is_told = true;
            live.is_over(voice);
            if live.is_json() {
                live.screen().value(&self.entry);
            } else {
                live.conclude(self.entry.outcome == Some(Outcome::Succeeded), &ending(&self.entry));
            }
            return Ok(());
        }
        let detail = self.entry.detail.as_ref().filter(|_| self.entry.state == State::Waiting);
        if detail != self.said.as_ref() {
            self.said = detail.cloned();
            if let Some(detail) = detail {
                live.say(format!("run {} of {} {}", self.entry.run, self.entry.job, visible(detail)));
            }
        }
        Ok(())
    }
}

/// Waits until a run has ended, and says nothing.
pub async fn until_ended(global: &Global, ledger: &Reader, mut entry: Entry) -> Result<Entry, Refusal> {
    let mut changes = ledger.changes().await.map_err(|error| unreadable(&error))?;
    let mut watch = Watch::new(global);
    loop {
        if changes.have_come().await.map_err(|error| unreadable(&error))? {
            entry = find_run(ledger, entry.run).await?;
        }
        if entry.state == State::Ended {
            return Ok(entry);
        }
        watch.look(&entry)?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

/// How a run ended, with its own code.
pub fn ending(entry: &Entry) -> String {
    let Entry { run, job, outcome, duration, exit_code, detail, .. } = entry;
    let became = outcome.map_or_else(|| entry.state.word(), Outcome::word);
    let after = duration.map_or_else(String::new, |duration| format!(" after {}", span(duration)));
    // A code that counts as a success is told where it is not the usual one.
    let code = exit_code.filter(|code| *code != 0).map(|code| format!("exit status {code}"));
    let why = detail.as_deref().map(visible).or(code).map_or_else(String::new, |why| format!(": {why}"));
    format!("run {run} of {job} {became}{after}{why}")
}

/// The median of the last successes.
async fn usual(ledger: &Reader, job: &str) -> Result<Option<Seconds>, Refusal> {
    let last = ledger.last_runs(job, USUAL).await.map_err(|error| unreadable(&error))?;
    let successes = last.iter().filter(|entry| entry.outcome == Some(Outcome::Succeeded));
    let mut durations: Vec<f64> = successes.filter_map(|entry| Some(entry.duration?.0)).collect();
    durations.sort_by(f64::total_cmp);
    Ok(durations.get(durations.len() / 2).copied().map(Seconds))
}

/// How long they have been going, against how long it usually takes.
fn progress(watched: &[Watched], now: Timestamp) -> String {
    let open: Vec<&Watched> = watched.iter().filter(|one| !one.is_told).collect();
    let elapsed = |one: &Watched| {
        let since = one.entry.started.map_or(one.entry.at, |started| started.0);
        Seconds::from_micros((now.as_microsecond() - since.as_microsecond()).max(0))
    };
    let longest = open.iter().map(|one| elapsed(one).0).fold(0.0, f64::max);
    if longest < WORTH_TELLING.as_secs_f64() {
        return String::new();
    }
    match open.as_slice() {
        [one] => {
            let Entry { run, job, state, .. } = &one.entry;
            let (word, time) = (state.word(), span(Seconds(longest.floor())));
            let usual = one.usual.filter(|_| *state == State::Running);
            match usual {
                Some(usual) => {
                    let bar = bar(longest, usual.0);
                    format!("run {run} of {job} {word} for {time}, usually {} {bar}", span(usual))
                }
                None => format!("run {run} of {job} {word} for {time}"),
            }
        }
        open => {
            let all = counted(watched.len() as u64, "run");
            format!("{} of {all} go on, for {}", open.len(), span(Seconds(longest.floor())))
        }
    }
}

/// How far it should be; what takes longer than usual fills it.
fn bar(elapsed: f64, usual: f64) -> String {
    let part = if usual > 0.0 { (elapsed / usual).min(1.0) } else { 1.0 };
    // Of twenty characters: nothing of note is cut off.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)]
    let full = (part * BAR as f64).round() as usize;
    format!("[{}{}]", "=".repeat(full), " ".repeat(BAR - full))
}

/// Whoever does not wait any more wants to know what becomes of them.
fn left_going(global: &Global, watched: &[Watched]) -> String {
    let open = watched.iter().filter(|one| !one.is_told);
    let runs: Vec<&Entry> = open.map(|one| &one.entry).collect();
    match runs.as_slice() {
        [entry] => {
            let Entry { run, job, .. } = entry;
            let (follow, stop) = (ours(global, &format!("logs -f {run}")), ours(global, &format!("stop {run}")));
            format!("run {run} of {job} goes on; follow it with: {follow}, end it with: {stop}")
        }
        runs => {
            let numbers: Vec<String> = runs.iter().map(|entry| entry.run.to_string()).collect();
            format!("runs {} go on; see them with: {}", numbers.join(", "), ours(global, "status"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bar_is_full_and_no_fuller() {
        for (elapsed, usual, expect) in [
            (0.0, 10.0, "[                    ]"),
            (5.0, 10.0, "[==========          ]"),
            (30.0, 10.0, "[====================]"),
            (1.0, 0.0, "[====================]"),
        ] {
            assert_eq!(bar(elapsed, usual), expect);
        }
    }
}

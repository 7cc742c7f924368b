//! What would this file change, job by job and key by key?

mod keys;
mod telling;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use jiff::Timestamp;

use super::planner::{Phase, Planner};
use crate::job::{Job, JobName, Timing};
use crate::report::{Edit, EditReport, JobEdit, KeyEdit, RunEdit, RunEffect, SettingEdit, Time};
use crate::run::{RunId, State};
use keys::{Key, keys};
pub use telling::{channel_edits, smtp_edits, without_what_follows};

/// Instants that are shown of each side.
const INSTANTS: usize = 3;

/// A run that has not ended, as far as it matters to another file.
#[derive(Debug, Clone)]
pub struct OpenState {
    pub run: RunId,
    pub job: JobName,
    pub state: State,
    /// Whether a schedule called for it.
    pub names_instant: bool,
    pub has_begun: bool,
}

/// What the jobs of a new file change against those of an old one. Instants are those after `now`.
pub fn edits(old: &[Arc<Job>], new: &[Arc<Job>], now: Timestamp) -> Vec<JobEdit> {
    let before: HashMap<&JobName, &Arc<Job>> = old.iter().map(|job| (&job.name, job)).collect();
    let after: HashMap<&JobName, &Arc<Job>> = new.iter().map(|job| (&job.name, job)).collect();
    let mut renamed: HashMap<&JobName, &JobName> = HashMap::new();
    let mut edits = Vec::new();
    for job in new {
        if let Some(old) = before.get(&job.name) {
            if !Arc::ptr_eq(old, job) && *old != job {
                let claims = job.formerly.as_ref().filter(|name| !after.contains_key(name));
                edits.extend(changed(old, job, claims, now));
            }
            continue;
        }
        let formerly = job.formerly.as_ref().filter(|name| !after.contains_key(name));
        match formerly.and_then(|name| before.get(name)) {
            Some(old) => {
                renamed.insert(&old.name, &job.name);
                edits.push(compared(Edit::Renamed, old, job, now));
            }
            None => edits.push(alone(Edit::Added, job, now)),
        }
    }
    let gone = old.iter().filter(|job| !after.contains_key(&job.name) && !renamed.contains_key(&job.name));
    edits.extend(gone.map(|job| alone(Edit::Removed, job, now)));
    edits
}

/// A job that both have; nothing if all that is gone is where its history was.
fn changed(old: &Job, new: &Job, claims: Option<&JobName>, now: Timestamp) -> Option<JobEdit> {
    let mut edit = compared(Edit::Changed, old, new, now);
    // The history under another name becomes its own.
    if let Some(from) = claims.filter(|from| old.formerly.as_ref() != Some(from)) {
        let old = old.formerly.as_ref().map(JobName::to_string);
        edit.keys.push(KeyEdit { key: "formerly".to_owned(), old, new: Some(from.to_string()) });
    }
    (!edit.keys.is_empty()).then_some(edit)
}

fn compared(edit: Edit, old: &Job, new: &Job, now: Timestamp) -> JobEdit {
    let same = match (old.active_timing(), new.active_timing()) {
        (Some(old), Some(new)) => old.same_instants(new),
        (None, None) => true,
        (Some(_), None) | (None, Some(_)) => false,
    };
    let next = |job: &Job| (!same).then(|| upcoming(job.active_timing(), now));
    JobEdit {
        job: new.name.to_string(),
        edit,
        formerly: (old.name != new.name).then(|| old.name.to_string()),
        keys: key_edits(&keys(old), &keys(new)),
        next_before: next(old),
        next_after: next(new),
        runs: Vec::new(),
    }
}

/// A job that only one of them has, with what is not as it would be anyway.
fn alone(edit: Edit, job: &Job, now: Timestamp) -> JobEdit {
    let said: Vec<Key> = keys(job).into_iter().filter(|key| !key.is_usual()).collect();
    let is_new = edit == Edit::Added;
    let next = job.active_timing().map(|timing| upcoming(Some(timing), now));
    let (next_before, next_after) = if is_new { (None, next) } else { (next, None) };
    JobEdit {
        job: job.name.to_string(),
        edit,
        formerly: None,
        keys: if is_new { key_edits(&[], &said) } else { key_edits(&said, &[]) },
        next_before,
        next_after,
        runs: Vec::new(),
    }
}

fn upcoming(timing: Option<&Arc<Timing>>, now: Timestamp) -> Vec<Time> {
    let next = |after: &Timestamp| timing?.timetable.next_open(*after).map(|(due, _)| due);
    std::iter::successors(next(&now), next).take(INSTANTS).map(Time).collect()
}

/// The same as settings of a file, below a dotted path.
fn setting_edits(path: &str, old: &[Key], new: &[Key]) -> Vec<SettingEdit> {
    let below = |edit: KeyEdit| KeyEdit { key: format!("{path}.{}", edit.key), ..edit };
    let edits = key_edits(old, new).into_iter().map(below);
    edits.map(|key| SettingEdit { key, at_next_start: false }).collect()
}

/// In the order of the new keys, and behind them those that are gone.
fn key_edits(old: &[Key], new: &[Key]) -> Vec<KeyEdit> {
    let before: BTreeMap<&str, &Key> = old.iter().map(|key| (key.path.as_str(), key)).collect();
    let after: BTreeMap<&str, &Key> = new.iter().map(|key| (key.path.as_str(), key)).collect();
    let edit = |old: Option<&Key>, new: Option<&Key>| KeyEdit {
        key: old.or(new).map(|key| key.path.clone()).unwrap_or_default(),
        old: old.map(Key::shown),
        new: new.map(Key::shown),
    };
    let now = new.iter().filter_map(|key| {
        let old = before.get(key.path.as_str()).copied();
        old.is_none_or(|old| old.value != key.value).then(|| edit(old, Some(key)))
    });
    let gone = old.iter().filter(|key| !after.contains_key(key.path.as_str())).map(|key| edit(Some(key), None));
    now.chain(gone).collect()
}

/// What other pools change.
pub fn pool_edits(old: &BTreeMap<String, usize>, new: &BTreeMap<String, usize>) -> Vec<SettingEdit> {
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
    let edit = |name: &String| {
        let (old, new) = (old.get(name).map(usize::to_string), new.get(name).map(usize::to_string));
        let is_other = old != new;
        is_other.then(|| SettingEdit { key: KeyEdit { key: format!("pools.{name}"), old, new }, at_next_start: false })
    };
    names.filter_map(edit).collect()
}

impl Planner {
    /// The runs that have not ended.
    pub fn unended(&self) -> impl Iterator<Item = OpenState> {
        self.runs.iter().map(|(run, open)| OpenState {
            run: *run,
            job: open.job.name.clone(),
            state: if open.phase == Phase::Running { State::Running } else { State::Waiting },
            names_instant: open.cause.names_instant(),
            has_begun: open.attempts > 0,
        })
    }
}

impl EditReport {
    /// Says of runs that have not ended what becomes of them.
    pub fn tell_of(&mut self, open: impl IntoIterator<Item = OpenState>) {
        let mut runs: HashMap<String, Vec<OpenState>> = HashMap::new();
        for run in open {
            runs.entry(run.job.to_string()).or_default().push(run);
        }
        for job in &mut self.jobs {
            let known_as = job.formerly.as_ref().unwrap_or(&job.job);
            let mut of_job = runs.remove(known_as).unwrap_or_default();
            of_job.sort_by_key(|run| run.run);
            job.runs = of_job.iter().map(|run| effect(job, run)).collect();
        }
    }
}

fn effect(job: &JobEdit, open: &OpenState) -> RunEdit {
    let is_disabled = job.keys.iter().any(|key| key.key == "enabled" && key.new.as_deref() == Some("false"));
    let effect = match open.state {
        State::Running | State::Ended => RunEffect::GoesOn,
        State::Waiting if job.edit == Edit::Removed => RunEffect::DroppedAsGone,
        State::Waiting if is_disabled && open.names_instant => RunEffect::DroppedAsDisabled,
        State::Waiting if open.has_begun => RunEffect::GoesOn,
        State::Waiting => RunEffect::TakesNew,
    };
    RunEdit { run: open.run, state: open.state, effect }
}

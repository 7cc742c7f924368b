//! How does a job that has another name now keep what it had under the old one?

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use super::account::Account;
use super::decision::{Draft, Record};
use super::memory::{Memory, RememberedJob};
use super::planner::Planner;
use crate::job::{Job, JobName};

impl Planner {
    /// Gives jobs in force the names that they have in another file: their runs, timers and accounts go on as if they had
    /// always had them.
    pub(super) fn take_names(&mut self, jobs: &[Arc<Job>], draft: &mut Draft) {
        if jobs.iter().all(|job| job.formerly.is_none()) {
            return;
        }
        let names: BTreeSet<&JobName> = jobs.iter().map(|job| &job.name).collect();
        for job in jobs {
            let Some(from) = job.formerly.as_ref().filter(|from| !names.contains(from)) else {
                continue;
            };
            let known = self.slots.get(&job.name);
            // What was said before has been done before.
            let is_news = known.is_none_or(|slot| slot.job.formerly.as_ref() != Some(from));
            let is_known = known.is_some();
            match (self.slots.contains_key(from), is_known) {
                (true, false) => self.rename(from, &job.name, draft),
                // The ledger may know it from earlier.
                (false, _) if is_news => {
                    let is_new = !is_known && self.takes_place(from, &job.name);
                    draft.record(Record::Renamed { from: from.clone(), to: job.name.clone(), is_new });
                    if !is_known {
                        self.adopt_wishes(from, &job.name, draft);
                    }
                    self.adopt_runs(from, &job.name);
                    if is_new {
                        self.alerts.rename(from, &job.name);
                    } else {
                        self.alerts.adopt(from, &job.name);
                    }
                }
                // Each has a history of its own.
                (true, true) | (false, _) => {}
            }
        }
    }

    /// What goes on of a job that was taken out, and instants that come again and have a run of it, are those of the job that
    /// has its name now; the answer is whether there are any. What there was under the new name makes way for them.
    fn takes_place(&mut self, from: &JobName, to: &JobName) -> bool {
        let now = self.latest;
        let is_to_come = |account: &Account| account.taken.last().is_some_and(|due| *due > now);
        let has_runs = self.runs.values().any(|open| open.job.name == *from);
        if !has_runs && !self.accounts.get(from).is_some_and(is_to_come) {
            return false;
        }
        self.make_way(to);
        let taken = self.accounts.get_mut(from).map(|account| std::mem::take(&mut account.taken)).unwrap_or_default();
        self.accounts.entry(to.clone()).or_insert_with(|| Account::opened(None, now)).taken = taken;
        true
    }

    /// What there is under the name is of a job that is gone, and stays so under another one.
    fn make_way(&mut self, name: &JobName) {
        let aside = aside(name, |name| self.slots.contains_key(name) || self.accounts.contains_key(name));
        self.held.forget(name);
        for open in self.runs.values_mut().filter(|open| open.job.name == *name) {
            open.job = Arc::new(open.job.named(aside.clone()));
        }
    }

    /// A job that was paused and taken out is paused when it comes back, also under another name. Whether the ledger gives
    /// that name to what it has depends on what it has of both; so it is said what holds.
    fn adopt_wishes(&mut self, from: &JobName, to: &JobName, draft: &mut Draft) {
        if self.held.is_about(to) || !self.held.is_about(from) {
            return;
        }
        self.held.rename(from, to);
        let whose = Some(to.clone());
        if let Some(pause) = self.held.pauses.get(&whose).cloned() {
            draft.record(Record::Pause { whose: Some(from.clone()), pause: None });
            draft.record(Record::Pause { whose, pause: Some(pause) });
        }
        if self.held.pauses.is_excepted(to) {
            draft.record(Record::PauseException(to.clone()));
        }
    }

    /// Runs from before the job was taken out, which still go on.
    fn adopt_runs(&mut self, from: &JobName, to: &JobName) {
        for (run, open) in self.runs.iter_mut().filter(|(_, open)| open.job.name == *from) {
            open.job = Arc::new(open.job.named(to.clone()));
            if let Some(slot) = self.slots.get_mut(to) {
                slot.open.insert(*run);
            }
        }
    }

    fn rename(&mut self, from: &JobName, to: &JobName, draft: &mut Draft) {
        let Some(mut slot) = self.slots.remove(from) else {
            return;
        };
        draft.record(Record::Renamed { from: from.clone(), to: to.clone(), is_new: true });
        self.make_way(to);
        self.timers.set(from, &mut slot.timer, None);
        slot.job = Arc::new(slot.job.named(to.clone()));
        self.slots.insert(to.clone(), slot);
        let account = self.accounts.remove(from).unwrap_or_else(|| Account::opened(None, self.latest));
        self.accounts.insert(to.clone(), account);
        for run in self.slots.get(to).iter().flat_map(|slot| &slot.open) {
            if let Some(open) = self.runs.get_mut(run) {
                open.job = Arc::new(open.job.named(to.clone()));
            }
        }
        self.follow.rename(from, to);
        self.held.rename(from, to);
        self.alerts.rename(from, to);
        self.arm(to);
    }
}

/// What the ledger remembers, by the names that the file has now.
pub(super) fn with_names(memory: Memory, jobs: &[Arc<Job>], draft: &mut Draft) -> Memory {
    let mut memory = memory;
    if jobs.iter().all(|job| job.formerly.is_none()) {
        return memory;
    }
    let names: BTreeSet<&JobName> = jobs.iter().map(|job| &job.name).collect();
    let known: HashMap<JobName, usize> =
        memory.jobs.iter().enumerate().map(|(at, job)| (job.name.clone(), at)).collect();
    let mut superseded = BTreeSet::new();
    for job in jobs {
        let from = job.formerly.as_ref().filter(|from| !names.contains(from));
        let Some((from, at)) = from.and_then(|from| Some((from, *known.get(from)?))) else {
            continue;
        };
        let is_in_force = |at: &usize| memory.jobs.get(*at).is_some_and(|job| job.definition.is_some());
        let has_runs = memory.open.iter().any(|run| run.job == *from);
        let (old_is_in_force, new) = (is_in_force(&at), known.get(&job.name));
        let new_is_in_force = new.is_some_and(is_in_force);
        let is_new = has_runs && !new_is_in_force;
        draft.record(Record::Renamed { from: from.clone(), to: job.name.clone(), is_new });
        match new {
            Some(_) if new_is_in_force || !old_is_in_force && !is_new => {
                if !old_is_in_force {
                    // What it left running is in the way of what has its name now.
                    memory.open.iter_mut().filter(|run| run.job == *from).for_each(|run| run.job = job.name.clone());
                }
                continue;
            }
            Some(to) => {
                superseded.insert(*to);
                let aside = aside(&job.name, |name| known.contains_key(name));
                set_aside(&mut memory, &job.name, &aside);
            }
            None => {}
        }
        rename_in(&mut memory, at, from, &job.name);
    }
    let mut at = 0..;
    memory.jobs.retain(|_| at.next().is_none_or(|at| !superseded.contains(&at)));
    memory
}

/// What is remembered of the name is of a job that is gone: nobody says or hears anything of it any more.
fn set_aside(memory: &mut Memory, name: &JobName, aside: &JobName) {
    memory.held.forget(name);
    memory.told.retain(|(of, _)| of.as_ref() != Some(name));
    rename_entries(memory, name, aside);
}

/// The name that the ledger gives to what it has of a job that is gone while another one takes its name: the first with a
/// number that none has, short enough to be one.
fn aside(name: &JobName, is_taken: impl Fn(&JobName) -> bool) -> JobName {
    let with_number = |number: u32| {
        let suffix = format!(".{number}");
        let stem: String = name.as_str().chars().take(64 - suffix.len()).collect();
        JobName::new(&format!("{stem}{suffix}")).ok()
    };
    (1..=u32::MAX).filter_map(with_number).find(|name| !is_taken(name)).unwrap_or_else(|| name.clone())
}

fn rename_in(memory: &mut Memory, at: usize, from: &JobName, to: &JobName) {
    if let Some(RememberedJob { name, .. }) = memory.jobs.get_mut(at) {
        *name = to.clone();
    }
    rename_entries(memory, from, to);
    for of in memory.told.iter_mut().filter_map(|(of, _)| of.as_mut()).filter(|of| *of == from) {
        *of = to.clone();
    }
    memory.held.rename(from, to);
}

fn rename_entries(memory: &mut Memory, from: &JobName, to: &JobName) {
    let runs = memory.open.iter_mut().map(|run| &mut run.job);
    let taken = memory.taken.iter_mut().chain(&mut memory.ahead.taken).map(|(name, _)| name);
    let gaps = memory.ahead.gaps.iter_mut().map(|gap| &mut gap.job);
    for name in runs.chain(taken).chain(gaps).filter(|name| *name == from) {
        *name = to.clone();
    }
}

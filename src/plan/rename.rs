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
            match (self.slots.contains_key(from), known.is_some()) {
                (true, false) => self.rename(from, &job.name, draft),
                // The ledger may know it from earlier.
                (false, _) if is_news => {
                    let is_new = known.is_none() && self.adopt_taken(from, &job.name);
                    draft.record(Record::Renamed { from: from.clone(), to: job.name.clone(), is_new });
                    self.adopt_runs(from, &job.name);
                    self.alerts.adopt(from, &job.name);
                }
                // Each has a history of its own.
                (true, true) | (false, _) => {}
            }
        }
    }

    /// Instants that come again and have a run of a job that was taken out are those of the job that has its name now; the
    /// answer is whether there are any. What there was under the new name makes way for them.
    fn adopt_taken(&mut self, from: &JobName, to: &JobName) -> bool {
        let now = self.latest;
        let is_to_come = |account: &&mut Account| account.taken.last().is_some_and(|due| *due > now);
        let Some(account) = self.accounts.get_mut(from).filter(is_to_come) else {
            return false;
        };
        let taken = std::mem::take(&mut account.taken);
        self.accounts.entry(to.clone()).or_insert_with(|| Account::opened(None, now)).taken = taken;
        true
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
        self.timers.set(from, &mut slot.timer, None);
        slot.job = Arc::new(slot.job.named(to.clone()));
        self.slots.insert(to.clone(), slot);
        // What there is under the new name is of a job that is gone, and stays so.
        let aside = aside(to);
        self.held.rename(to, &aside);
        for open in self.runs.values_mut().filter(|open| open.job.name == *to) {
            open.job = Arc::new(open.job.named(aside.clone()));
        }
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
        draft.record(Record::Renamed { from: from.clone(), to: job.name.clone(), is_new: false });
        let is_in_force = |at: &usize| memory.jobs.get(*at).is_some_and(|job| job.definition.is_some());
        match known.get(&job.name) {
            Some(to) if is_in_force(to) || !is_in_force(&at) => continue,
            Some(to) => {
                superseded.insert(*to);
                set_aside(&mut memory, &job.name);
            }
            None => {}
        }
        rename_in(&mut memory, at, from, &job.name);
    }
    let mut at = 0..;
    memory.jobs.retain(|_| at.next().is_none_or(|at| !superseded.contains(&at)));
    memory
}

/// What is remembered of the name is of a job that is gone: only its runs still matter.
fn set_aside(memory: &mut Memory, name: &JobName) {
    memory.held.rename(name, &aside(name));
    memory.told.retain(|(of, _)| of.as_ref() != Some(name));
    memory.taken.retain(|(of, _)| of != name);
    memory.ahead.taken.retain(|(of, _)| of != name);
    memory.ahead.gaps.retain(|gap| gap.job != *name);
    for run in memory.open.iter_mut().filter(|run| run.job == *name) {
        run.job = aside(name);
    }
}

/// A name for what is left of a job that is gone while another one takes its name.
fn aside(name: &JobName) -> JobName {
    JobName::new(&format!("{name}.1")).unwrap_or_else(|_| name.clone())
}

fn rename_in(memory: &mut Memory, at: usize, from: &JobName, to: &JobName) {
    let rename = |name: &mut JobName| {
        if name == from {
            *name = to.clone();
        }
    };
    if let Some(RememberedJob { name, .. }) = memory.jobs.get_mut(at) {
        rename(name);
    }
    memory.open.iter_mut().for_each(|run| rename(&mut run.job));
    memory.taken.iter_mut().for_each(|(name, _)| rename(name));
    memory.ahead.taken.iter_mut().for_each(|(name, _)| rename(name));
    memory.ahead.gaps.iter_mut().for_each(|gap| rename(&mut gap.job));
    memory.told.iter_mut().filter_map(|(of, _)| of.as_mut()).for_each(rename);
    memory.held.rename(from, to);
}

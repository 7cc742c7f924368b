//! What is worth telling, and whom? What was told before is known here, of jobs and of the daemon, and when somebody is to
//! be told something though nothing happens.
//!
//! Of a job that tells nobody anything nothing is held; of others only while there is something to know.

mod happening;
mod house;
mod rules;
mod slow;
#[cfg(test)]
mod tests;
mod told;
mod usual;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

pub use happening::{Ending, Happening, What};
pub use told::Covered;

use self::house::House;
use self::rules::Message;
use self::told::{Told, Watch};
use self::usual::{Going, Usual};
use super::memory::RememberedJob;
use super::timers::Timers;
use crate::job::{Channel, Job, JobName};
use crate::notice::{Kind, Notice, NoticeId};
use crate::run::Outcome;

/// What the ledger is to remember of a job, or of the daemon; none: nothing any more.
pub type Words = (Option<JobName>, Option<Arc<str>>);

#[derive(Debug, Default)]
pub struct Alerts {
    jobs: BTreeMap<JobName, Watched>,
    timers: Timers,
    going: Going,
    house: House,
    highest: i64,
    /// What was decided on and not handed over yet.
    notices: Vec<Notice>,
    changed: BTreeSet<Option<JobName>>,
}

/// A job of which there is something to know.
#[derive(Debug, Default)]
struct Watched {
    /// None where the file no longer has it.
    job: Option<Arc<Job>>,
    told: Told,
    /// When it succeeded last, if that is known.
    good: Option<Timestamp>,
    usual: Usual,
    /// When somebody is to be told something; [`Timers`] has it in the order of time.
    timer: Option<Timestamp>,
}

impl Watched {
    fn is_idle(&self) -> bool {
        self.told == Told::default() && !self.job.as_ref().is_some_and(|job| usual::is_asked_of(job))
    }

    fn next(&self) -> Option<Timestamp> {
        self.told.next(self.job.as_deref(), self.good)
    }
}

impl Alerts {
    /// Goes on from what the ledger remembers.
    pub fn restore(
        highest: i64,
        told: Vec<(Option<JobName>, Arc<str>)>,
        remembered: &[RememberedJob],
        jobs: &[Arc<Job>],
        now: Timestamp,
    ) -> Self {
        let mut alerts = Self { highest, ..Self::default() };
        let mut slow = BTreeSet::new();
        for (job, words) in told {
            // Words that nobody can read are of a later version: what they say is told again.
            match job {
                Some(job) => {
                    let mut told: Told = serde_json::from_str(&words).unwrap_or_default();
                    if !told.slow.is_empty() {
                        slow.append(&mut told.slow);
                        alerts.changed.extend([None, Some(job.clone())]);
                    }
                    alerts.jobs.insert(job, Watched { told, ..Watched::default() });
                }
                None => alerts.house = serde_json::from_str(&words).unwrap_or_default(),
            }
        }
        alerts.house.slow.append(&mut slow);
        for job in jobs.iter().filter(|job| Watch::of(job).is_some() || usual::is_asked_of(job)) {
            alerts.jobs.entry(job.name.clone()).or_default();
        }
        if !alerts.jobs.is_empty() {
            for known in remembered {
                alerts.remember(known, now);
            }
        }
        alerts.set_jobs(jobs, now);
        alerts.cut_back(now);
        alerts
    }

    fn remember(&mut self, known: &RememberedJob, now: Timestamp) {
        let Some(watched) = self.jobs.get_mut(&known.name) else {
            return;
        };
        watched.good = known.progress.succeeded.map(|(at, _)| at.min(now));
        watched.usual = Usual::of(&known.usual);
        if watched.told.known.is_none() && watched.good.is_none() {
            watched.told.known = known.definition.as_ref().map(|definition| definition.since);
            self.changed.insert(Some(known.name.clone()));
        }
    }

    /// Takes the rules of another file; what is known of its jobs stays. A job that the file says has another name now is
    /// not gone, and nobody waits for it.
    pub fn set_jobs<'j>(&mut self, jobs: impl IntoIterator<Item = &'j Arc<Job>>, now: Timestamp) {
        for watched in self.jobs.values_mut() {
            watched.job = None;
        }
        let mut former = BTreeSet::new();
        for job in jobs {
            former.extend(job.formerly.clone());
            let watch = Watch::of(job);
            if watch.is_some() || usual::is_asked_of(job) || self.jobs.contains_key(&job.name) {
                self.set_job(job, watch, now);
            }
        }
        let gone: Vec<JobName> =
            self.jobs.iter().filter(|(_, watched)| watched.job.is_none()).map(|(name, _)| name.clone()).collect();
        for name in gone {
            if let Some(watched) = self.jobs.get_mut(&name).filter(|_| former.contains(&name)) {
                watched.told = Told::default();
                self.changed.insert(Some(name.clone()));
            }
            self.settle(&name);
        }
    }

    fn set_job(&mut self, job: &Arc<Job>, watch: Option<Watch>, now: Timestamp) {
        let watched = self.jobs.entry(job.name.clone()).or_default();
        let before = watched.told.clone();
        watched.job = Some(job.clone());
        watched.told.known = match watch {
            Some(_) if watched.good.is_none() => watched.told.known.or(Some(now)),
            Some(_) | None => None,
        };
        watched.told.watch = watch;
        watched.told.tidy(job, now);
        if watched.told != before {
            self.changed.insert(Some(job.name.clone()));
        }
        self.settle(&job.name);
    }

    /// Sets the job's timer, and lets go of what says nothing.
    fn settle(&mut self, name: &JobName) {
        let Some(watched) = self.jobs.get_mut(name) else {
            return;
        };
        let next = watched.next();
        self.timers.set(name, &mut watched.timer, next);
        if watched.is_idle() {
            self.jobs.remove(name);
        }
    }

    /// A job has another name from now on, and the ledger knows it. What there was under that name is of one that is gone.
    pub fn rename(&mut self, from: &JobName, to: &JobName) {
        for name in [from, to] {
            if let Some(watched) = self.jobs.get_mut(name) {
                self.timers.set(name, &mut watched.timer, None);
            }
        }
        self.jobs.remove(to);
        if let Some(watched) = self.jobs.remove(from) {
            self.jobs.insert(to.clone(), watched);
            self.settle(to);
        }
    }

    /// A job that was taken out has come back under another name, unless there is one of that name.
    pub fn adopt(&mut self, from: &JobName, to: &JobName) {
        if self.jobs.contains_key(from) && !self.jobs.contains_key(to) {
            self.rename(from, to);
            self.changed.extend([Some(from.clone()), Some(to.clone())]);
        }
    }

    /// The clock shows less than before.
    pub fn cut_back(&mut self, now: Timestamp) {
        self.going.cut_back(now);
        let house = self.house.clone();
        self.house.cut_back(now);
        if self.house != house {
            self.changed.insert(None);
        }
        let names: Vec<JobName> = self.jobs.keys().cloned().collect();
        for name in names {
            if let Some(watched) = self.jobs.get_mut(&name) {
                let before = watched.told.clone();
                watched.told.cut_back(now);
                watched.good = watched.good.map(|good| good.min(now));
                if watched.told != before {
                    self.changed.insert(Some(name.clone()));
                }
            }
            self.settle(&name);
        }
    }

    /// When somebody is to be told something though nothing happens.
    pub fn next(&self) -> Option<Timestamp> {
        self.timers.next().into_iter().chain(self.going.next()).chain(self.house.next()).min()
    }

    /// All that happened in one decision. What was missed before a run that makes up for it is not told.
    pub fn hear(&mut self, happened: Vec<Happening>, in_file: impl Fn(&JobName) -> bool, now: Timestamp) {
        let mut made_up = BTreeSet::new();
        let mut missed: BTreeMap<JobName, (Arc<Job>, Covered)> = BTreeMap::new();
        for Happening { job, what } in happened {
            let in_file = in_file(&job.name);
            match what {
                What::MadeUp => {
                    made_up.insert(job.name.clone());
                }
                What::Missed(covered) => match missed.get_mut(&job.name) {
                    Some((_, all)) => all.join(covered),
                    None => {
                        missed.insert(job.name.clone(), (job, covered));
                    }
                },
                What::Ended(ending) => self.ended(&job, in_file, &ending, now),
                What::Skipped { covered, begins, gap } => self.tell(&job, in_file, now, |watched| {
                    let mut messages = if begins { watched.told.skipped(&job, &covered, now) } else { Vec::new() };
                    messages.extend(gap.iter().flat_map(|gap| watched.told.stuck(&job, gap, now)));
                    messages
                }),
            }
        }
        for (name, (job, covered)) in missed.into_iter().filter(|(name, _)| !made_up.contains(name)) {
            self.tell(&job, in_file(&name), now, |watched| watched.told.missed(&job, &covered, now));
        }
    }

    fn ended(&mut self, job: &Arc<Job>, in_file: bool, ending: &Ending, now: Timestamp) {
        self.tell(job, in_file, now, |watched| {
            let messages = watched.told.ended(job, ending, watched.good, now);
            if ending.outcome == Outcome::Succeeded {
                watched.good = Some(ending.at);
                if usual::is_asked_of(job) {
                    ending.took.into_iter().for_each(|took| watched.usual.learn(took));
                }
            }
            messages
        });
    }

    /// The jobs of which somebody may have to be told something by now.
    pub fn take_due(&mut self, now: Timestamp) -> Vec<JobName> {
        std::iter::from_fn(|| self.timers.pop_due(now)).collect()
    }

    /// Tells what is due of a job; `why` is for what reason it has no success, should it be overdue.
    pub fn ring(&mut self, name: &JobName, why: &str, now: Timestamp) {
        let Some(watched) = self.jobs.get_mut(name) else {
            return;
        };
        // It was taken out of the queue.
        watched.timer = None;
        let job = watched.job.clone();
        let good = watched.good.or(watched.told.known);
        let teller = job.clone().unwrap_or_else(|| Arc::new(Job::gone(name.clone())));
        self.tell(&teller, job.is_some(), now, |watched| {
            let mut messages = watched.told.held_back(&teller, now);
            messages.extend(good.into_iter().flat_map(|good| watched.told.overdue(good, why, job.is_none(), now)));
            messages
        });
    }

    /// Something happened to the daemon.
    pub fn house(&mut self, kind: Kind, detail: &str, channels: &[Arc<Channel>], now: Timestamp) {
        self.tell_of_house(now, |house| house.happened(kind, detail, channels, now));
    }

    /// Tells what was held back of the daemon and may be told by now.
    pub fn ring_house(&mut self, now: Timestamp) {
        self.tell_of_house(now, |house| house.held_back(now));
    }

    fn tell_of_house(&mut self, now: Timestamp, rule: impl FnOnce(&mut House) -> Vec<Message>) {
        let before = self.house.clone();
        let messages = rule(&mut self.house);
        if self.house != before {
            self.changed.insert(None);
        }
        self.write(None, messages, now);
    }

    /// Whether anything is known of a job.
    pub fn knows(&self, job: &JobName) -> bool {
        self.jobs.contains_key(job)
    }

    /// How often the job's last runs failed in a row.
    pub fn failures(&self, job: &JobName) -> u64 {
        let failing = self.jobs.get(job).and_then(|watched| watched.told.failing.as_ref());
        failing.map_or(0, |failing| failing.count)
    }

    fn tell(&mut self, job: &Arc<Job>, in_file: bool, now: Timestamp, rule: impl FnOnce(&mut Watched) -> Vec<Message>) {
        let fresh = || Watched { job: in_file.then(|| job.clone()), ..Watched::default() };
        let watched = self.jobs.entry(job.name.clone()).or_insert_with(fresh);
        let before = watched.told.clone();
        let messages = rule(watched);
        if in_file {
            watched.told.tidy(job, now);
        }
        if watched.told != before {
            self.changed.insert(Some(job.name.clone()));
        }
        self.settle(&job.name);
        self.write(Some(job), messages, now);
    }

    fn write(&mut self, job: Option<&Arc<Job>>, messages: Vec<Message>, now: Timestamp) {
        for Message { to, kind, run, mut facts } in messages {
            self.highest += 1;
            facts.pools = job.map(|job| job.rules.pools.to_vec()).unwrap_or_default();
            self.notices.push(Notice {
                number: NoticeId(self.highest),
                at: now,
                kind,
                job: job.map(|job| job.name.clone()),
                run,
                channel: to.name,
                carriers: to.carriers,
                facts,
            });
        }
    }

    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// What has changed of what the ledger is to remember.
    pub fn take_words(&mut self) -> Vec<Words> {
        let changed = std::mem::take(&mut self.changed);
        changed.into_iter().map(|of| self.words(of)).collect()
    }

    /// All that the ledger is to remember.
    pub fn all_words(&self) -> Vec<Words> {
        let of_jobs = self.jobs.keys().cloned().map(Some);
        std::iter::once(None).chain(of_jobs).map(|of| self.words(of)).filter(|(_, words)| words.is_some()).collect()
    }

    fn words(&self, of: Option<JobName>) -> Words {
        let words = match &of {
            Some(job) => {
                let told = self.jobs.get(job).map(|watched| &watched.told).filter(|told| **told != Told::default());
                told.and_then(|told| serde_json::to_string(told).ok())
            }
            None => Some(&self.house)
                .filter(|house| **house != House::default())
                .and_then(|house| serde_json::to_string(house).ok()),
        };
        (of, words.map(Into::into))
    }
}

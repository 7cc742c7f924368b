//! A plain reader of the rules of notices, who is told each decision and knows nothing of how it came about.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use punctual::job::{Carrier, Channel, ChannelName, Job, JobName, SlowAfter, Tell, Telling};
use punctual::notice::{Kind, Notice};
use punctual::plan::{Closing, Decision, Record};
use punctual::run::{Outcome, RunId};

const OVERDUE_AFTER: Duration = Duration::from_secs(4 * 3600);
const SLOW_AFTER: Duration = Duration::from_secs(300);

fn channel(name: &str, tell: &[Tell], after_failures: u32, every: u64) -> Arc<Channel> {
    Arc::new(Channel {
        name: ChannelName::new(name).unwrap(),
        carriers: vec![Carrier::Command(vec!["tell".to_owned()])],
        tell: tell.iter().copied().collect(),
        after_failures,
        at_most_every: Duration::from_secs(every),
        quiet: None,
    })
}

/// Gives most jobs of a file somebody to tell; in the second one nobody hears of `minutely`.
pub fn with_channels(file: usize, jobs: Vec<Arc<Job>>) -> Vec<Arc<Job>> {
    let all = Tell::WORDS.map(|(_, tell)| tell);
    let ops = channel("ops", &all, 1, 1500);
    let page = channel("page", &[Tell::Failed, Tell::Recovered, Tell::Overdue], 3, 600);
    let told = |job: Arc<Job>| {
        let channels = match job.name.as_str() {
            "minutely" if file == 1 => return job,
            "minutely" | "each" => vec![ops.clone(), page.clone()],
            "again" | "berlin" | "none" | "queued" | "lined" | "office" => vec![ops.clone()],
            _ => return job,
        };
        let slow_after = Some(SlowAfter::Time(SLOW_AFTER));
        let telling = Telling { channels, slow_after, overdue_after: Some(OVERDUE_AFTER), ping: None };
        Arc::new(Job { telling: Arc::new(telling), ..(*job).clone() })
    };
    jobs.into_iter().map(told).collect()
}

/// What is known of what one channel was told of one job.
#[derive(Debug, Clone, Default)]
struct Ear {
    last: BTreeMap<Kind, Timestamp>,
    /// Of which it might have been told again before the clock was set back.
    free: BTreeSet<Kind>,
    /// Whether a failure was told in this row of them, and whether that the job is overdue, since its last success.
    of_failure: bool,
    of_delay: bool,
    /// How often it was told to be overdue since it is gone.
    gone: usize,
}

#[derive(Debug, Clone, Default)]
struct Known {
    job: Option<Arc<Job>>,
    /// Since when it is in the file.
    here: Option<Timestamp>,
    /// Failures in a row; none where nobody was listening to all of them.
    row: Option<u64>,
    good: Option<(Timestamp, RunId)>,
    ears: BTreeMap<ChannelName, Ear>,
    /// Whether it has a name of which it is not known here what the ledger had.
    is_vague: bool,
    /// When it got that name: of what was told until then it may not be told again for a while.
    vague_at: Option<Timestamp>,
}

#[derive(Debug, Clone, Default)]
pub struct Heard {
    jobs: BTreeMap<JobName, Known>,
    runs: BTreeMap<RunId, JobName>,
    /// Nobody hears the same of a run twice.
    of_runs: BTreeSet<(ChannelName, Kind, RunId)>,
    /// When it heard of something last.
    latest: Timestamp,
    /// Names that jobs of the file had before.
    former: BTreeSet<JobName>,
}

impl Heard {
    pub fn good(&self, job: &JobName) -> Option<(Timestamp, RunId)> {
        self.jobs.get(job)?.good
    }

    /// Another file is in force.
    pub fn set_file(&mut self, jobs: &[Arc<Job>], now: Timestamp) {
        let mut gone: BTreeSet<JobName> = self.jobs.keys().cloned().collect();
        self.former = jobs.iter().filter_map(|job| job.formerly.clone()).collect();
        self.former.retain(|name| !jobs.iter().any(|job| job.name == *name));
        for job in jobs {
            gone.remove(&job.name);
            let known = self.jobs.entry(job.name.clone()).or_default();
            known.ears.retain(|name, _| job.telling.channels.iter().any(|channel| channel.name == *name));
            known.ears.values_mut().for_each(|ear| ear.gone = 0);
            let had_ears = known.job.as_ref().is_some_and(|job| !job.telling.channels.is_empty());
            if known.here.is_some() && !had_ears {
                // While nobody was to hear of it, all was forgotten.
                (known.is_vague, known.vague_at) = (false, None);
            }
            if !had_ears && !known.is_vague {
                (known.row, known.here) = (Some(0), Some(now));
            }
            known.here.get_or_insert(now);
            known.job = Some(job.clone());
        }
        for (_, known) in self.jobs.iter_mut().filter(|(name, _)| gone.contains(name)) {
            known.here = None;
        }
    }

    pub fn cut_back(&mut self, now: Timestamp) {
        let latest = std::mem::replace(&mut self.latest, now);
        for known in self.jobs.values_mut() {
            for channel in known.job.iter().flat_map(|job| &job.telling.channels) {
                let every = SignedDuration::try_from(channel.at_most_every).unwrap();
                if let Some(ear) = known.ears.get_mut(&channel.name) {
                    let past = ear.last.iter().filter(|(_, last)| latest.duration_since(**last) >= every);
                    ear.free.extend(past.map(|(kind, _)| *kind));
                }
            }
            known.good = known.good.map(|(at, run)| (at.min(now), run));
            known.here = known.here.map(|here| here.min(now));
            known.vague_at = known.vague_at.map(|at| at.min(now));
            for last in known.ears.values_mut().flat_map(|ear| ear.last.values_mut()) {
                *last = (*last).min(now);
            }
        }
    }

    pub fn hear(&mut self, decision: &Decision, now: Timestamp) {
        // What runs end in is known before what is told of it, and what was known before that too.
        self.latest = self.latest.max(now);
        let before = self.clone();
        let mut good = Vec::new();
        for record in &decision.records {
            match record {
                Record::Opened(entry) => {
                    self.runs.insert(entry.run, entry.job.clone());
                }
                Record::Closed(closing) => {
                    // Where it is not known whose it is, the decision is believed.
                    let name = self.runs.get(&closing.run).unwrap_or(&closing.entry.job).clone();
                    let at = closing.ended.as_ref().map_or(now, |ended| ended.at).min(now);
                    self.ended(&name, closing, at);
                    good.extend((closing.outcome == Outcome::Succeeded).then_some(name));
                }
                Record::Notice(notice) => self.told(notice, &before),
                _ => {}
            }
        }
        // All whom it concerned have been told that it is well.
        let well = |(name, known): (&JobName, &mut Known)| known.is_vague &= !good.contains(name);
        self.jobs.iter_mut().for_each(well);
        for (_, known) in self.jobs.iter_mut().filter(|(name, known)| known.here.is_none() && good.contains(name)) {
            // Whom to tell that it is well may be known no more.
            known.ears.values_mut().for_each(|ear| (ear.of_failure, ear.of_delay) = (false, false));
        }
        for known in good.iter().filter_map(|name| self.jobs.get(name)).filter(|known| known.here.is_some()) {
            let name = known.job.as_ref().map(|job| &job.name);
            let waits = |ear: &Ear| ear.of_failure || ear.of_delay;
            assert!(!known.ears.values().any(waits), "it is well, and nobody says so: {name:?}, {:?}", known.ears);
        }
    }

    /// What has another name now is known under that from then on, before the new file is.
    pub fn rename_all(&mut self, decision: &Decision, now: Timestamp) {
        for record in &decision.records {
            if let Record::Renamed { from, to, .. } = record {
                self.rename(from, to, now);
            }
        }
    }

    fn rename(&mut self, from: &JobName, to: &JobName, now: Timestamp) {
        let is_here = |heard: &Self, name| heard.jobs.get(name).is_some_and(|known: &Known| known.here.is_some());
        if !is_here(self, from) || is_here(self, to) {
            // Whether the ledger does it depends on what it knows: nothing is said of either for now.
            for name in [from, to] {
                let known = self.jobs.entry(name.clone()).or_default();
                let job = known.job.take();
                *known = Known { job, is_vague: true, vague_at: Some(now), ..Known::default() };
                self.runs.retain(|_, of| of != name);
            }
            return;
        }
        // What is left of an earlier job of that name is of one that is gone.
        self.runs.retain(|_, name| name != to);
        if let Some(known) = self.jobs.remove(from) {
            self.jobs.insert(to.clone(), known);
        }
        self.runs.values_mut().filter(|name| *name == from).for_each(|name| *name = to.clone());
    }

    fn ended(&mut self, name: &JobName, closing: &Closing, at: Timestamp) {
        let Some(known) = self.jobs.get_mut(name) else {
            return;
        };
        if closing.outcome == Outcome::Succeeded {
            (known.row, known.good) = (Some(0), Some((at, closing.run)));
        } else if closing.outcome.is_failure(closing.reason) {
            // Of a job that is gone it may be known no more whom to tell.
            let hears = known.job.as_ref().is_some_and(|job| !job.telling.channels.is_empty());
            known.row = known.row.filter(|_| known.here.is_some()).map(|row| row + u64::from(hears));
        }
    }

    fn told(&mut self, notice: &Notice, before: &Self) {
        let name = notice.job.clone().expect("nothing happens to the daemon here");
        let is_gone = notice.kind == Kind::Overdue && self.former.contains(&name);
        assert!(!is_gone, "{notice:?} of a job that goes on under another name");
        // One that is gone may have made way for another of its name: nobody waits for it.
        let Some((known, job)) = self.jobs.get_mut(&name).and_then(|known| known.job.clone().map(|job| (known, job)))
        else {
            assert_ne!(notice.kind, Kind::Overdue, "{notice:?} of a name that no file ever had");
            return;
        };
        let ear = known.ears.entry(notice.channel.clone()).or_default();
        let channel = job.telling.channels.iter().find(|channel| channel.name == notice.channel);
        let channel = channel.unwrap_or_else(|| panic!("{notice:?} for a channel that {name} does not have"));
        assert_eq!(notice.carriers.len(), 1);
        let is_limited = !matches!(notice.kind, Kind::Recovered | Kind::Succeeded | Kind::Output);
        if let Some(last) = ear.last.insert(notice.kind, notice.at).filter(|_| is_limited) {
            let every = SignedDuration::try_from(channel.at_most_every).unwrap();
            let is_free = ear.free.remove(&notice.kind);
            assert!(is_free || notice.at.duration_since(last) >= every, "{notice:?} comes too soon after {last}");
        }
        if let Some(run) = notice.run.filter(|_| notice.kind != Kind::Overdue) {
            let is_new = self.of_runs.insert((notice.channel.clone(), notice.kind, run));
            assert!(is_new, "{notice:?} is told twice");
        }
        let facts = &notice.facts;
        match notice.kind {
            Kind::Failed => {
                assert!(known.row.is_none_or(|row| facts.in_a_row <= row), "{notice:?}, {:?} in a row", known.row);
                assert!(facts.in_a_row >= u64::from(channel.after_failures), "{notice:?}");
                ear.of_failure = true;
            }
            Kind::Recovered => {
                assert!(ear.of_failure || ear.of_delay || known.is_vague, "{notice:?} of what was not told: {ear:?}");
                (ear.of_failure, ear.of_delay) = (false, false);
                // The next failure is another, and may be told at once.
                ear.free.insert(Kind::Failed);
            }
            Kind::Overdue => {
                let good = before.jobs.get(&name).and_then(|known| known.good);
                let after = SignedDuration::try_from(OVERDUE_AFTER).unwrap();
                assert!(good.is_none_or(|(good, _)| notice.at.duration_since(good) >= after), "{notice:?}, {good:?}");
                ear.gone += usize::from(known.here.is_none());
                assert!(ear.gone <= 1 || known.is_vague, "{notice:?} is told again of a job that is gone");
                ear.of_delay = true;
            }
            Kind::Stuck => assert!(facts.in_a_row >= 3, "{notice:?}"),
            Kind::Slow => {
                let since = facts.since.unwrap();
                let slow = SignedDuration::try_from(SLOW_AFTER).unwrap();
                assert!(notice.at.duration_since(since) >= slow, "{notice:?}");
            }
            Kind::Missed | Kind::Skipped => assert!(facts.instants > 0, "{notice:?}"),
            Kind::Succeeded | Kind::Output => {}
            Kind::FileWrong | Kind::FileRight | Kind::Trouble | Kind::Well | Kind::Back | Kind::Digest | Kind::Test => {
                panic!("{notice:?} of a job")
            }
        }
    }

    /// Every row of failures that is long enough was told, or is in a while; so is every job that is overdue.
    pub fn nothing_is_forgotten(&self, now: Timestamp) {
        for (name, known) in self.jobs.iter().filter(|(_, known)| known.here.is_some()) {
            let channels = known.job.iter().flat_map(|job| &job.telling.channels);
            for channel in channels {
                let ear = known.ears.get(&channel.name).cloned().unwrap_or_default();
                let every = SignedDuration::try_from(channel.at_most_every).unwrap();
                let is_lately = |at: &Timestamp| now.duration_since(*at) < every;
                let may_wait = |kind| ear.last.get(&kind).into_iter().chain(&known.vague_at).any(is_lately);
                let is_long = known.row.is_some_and(|row| row >= u64::from(channel.after_failures));
                let is_told = ear.of_failure || may_wait(Kind::Failed);
                assert!(!is_long || is_told, "{name} fails, and {} does not know: {ear:?}", channel.name);
                let since = known.good.map(|(good, _)| good).into_iter().chain(known.here).max();
                let after = SignedDuration::try_from(OVERDUE_AFTER).unwrap();
                let is_late = since.is_some_and(|since| now.duration_since(since) >= after);
                let is_told = ear.of_delay || may_wait(Kind::Overdue);
                let hears = channel.tell.contains(&Tell::Overdue);
                assert!(
                    !hears || !is_late || is_told,
                    "{name} is overdue, and {} does not know: {ear:?}",
                    channel.name
                );
            }
        }
    }
}

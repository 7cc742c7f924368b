//! What is going to happen? The same planner, over the same jobs, on a clock that only this file moves.
//!
//! Nothing that is forecast fails: each run takes as long as its job usually does.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::decision::{Action, Decision, Launch, Record};
use super::held::Held;
use super::memory::Memory;
use super::owed::Lapse;
use super::planner::Planner;
use super::queue::Capacities;
use crate::job::{Job, JobName};
use crate::run::{Ended, Exit, Reason, RunId};

/// Minutes in which the same jobs start are told once; so many different ones are kept while it is not known which are
/// the busiest, and so many are told.
const MOST_KEPT: usize = 2_000;
const MOST_TOLD: usize = 5;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Outlook<'o> {
    pub from: Timestamp,
    pub until: Timestamp,
    pub capacities: Capacities,
    /// What people have said is not to run.
    pub held: Held,
    /// How long a run of a job takes; one that is not in here takes no time.
    pub usual: &'o BTreeMap<JobName, Duration>,
}

/// What is going to happen between two moments.
#[derive(Debug, Clone, Default)]
pub struct Forecast {
    pub jobs: BTreeMap<JobName, JobForecast>,
    /// How many runs start in each minute, counted from the first one.
    pub minutes: Vec<u32>,
    /// The minutes in which most runs of different jobs start.
    pub busiest: Vec<Crowd>,
    pub most_running: usize,
    /// Runs that have to wait for a place.
    pub waited: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct JobForecast {
    pub runs: u64,
    /// Instants that are skipped because a run is still going.
    pub overlapped: u64,
    /// Instants that are skipped because a calendar holds.
    pub closed: u64,
    /// Instants that are skipped because the job is paused.
    pub paused: u64,
    /// Instants that somebody wants to be left out.
    pub left_out: u64,
}

/// Jobs that start within one minute.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crowd {
    /// The first of the minutes.
    pub minute: Timestamp,
    pub starts: u32,
    pub jobs: Vec<(JobName, u32)>,
    /// How many minutes are like this one.
    pub times: u32,
}

/// Who starts in a minute, by the jobs' numbers, and how often.
type Company = Vec<(u32, u32)>;

struct Simulation<'o> {
    outlook: Outlook<'o>,
    planner: Planner,
    jobs: &'o [Arc<Job>],
    numbers: BTreeMap<JobName, u32>,
    counts: Vec<JobForecast>,
    ends: BinaryHeap<Reverse<(Timestamp, RunId)>>,
    /// Stretches that may still grow: whose, why, and how many instants they have.
    gaps: BTreeMap<u32, (RunId, Reason, u64)>,
    minutes: Vec<u32>,
    minute: usize,
    company: BTreeMap<u32, u32>,
    crowds: BTreeMap<Company, (usize, u32)>,
    most_running: usize,
    waited: u64,
}

/// Plays the time from one moment to another.
pub fn forecast(jobs: &[Arc<Job>], outlook: Outlook) -> Forecast {
    let from = outlook.from;
    // It goes on as it is: its beginning is no start of a daemon.
    let memory = Memory { held: outlook.held.clone(), goes_on: true, ..Memory::default() };
    let (planner, first) = Planner::restore(jobs, outlook.capacities.clone(), memory, outlook.from);
    let mut simulation = Simulation {
        outlook,
        planner,
        jobs,
        numbers: (0..).zip(jobs).map(|(number, job)| (job.name.clone(), number)).collect(),
        counts: vec![JobForecast::default(); jobs.len()],
        ends: BinaryHeap::new(),
        gaps: BTreeMap::new(),
        minutes: Vec::new(),
        minute: 0,
        company: BTreeMap::new(),
        crowds: BTreeMap::new(),
        most_running: 0,
        waited: 0,
    };
    simulation.take(&first, from);
    simulation.run();
    simulation.finish()
}

impl Simulation<'_> {
    fn run(&mut self) {
        loop {
            let end = self.ends.peek().map(|Reverse((at, run))| (*at, *run));
            let wake = self.planner.next_wakeup();
            // Where a run ends at the instant at which its job is due again, it has ended.
            let decision = match (end, wake) {
                (Some((at, run)), wake) if wake.is_none_or(|wake| at <= wake) && at <= self.outlook.until => {
                    self.ends.pop();
                    (at, self.planner.handle_ended(run, ended(at), at))
                }
                (_, Some(wake)) if wake <= self.outlook.until => {
                    (wake, self.planner.handle_wakeup(wake, Lapse::Suspended))
                }
                _ => return,
            };
            let (now, decision) = decision;
            self.take(&decision, now);
        }
    }

    fn take(&mut self, decision: &Decision, now: Timestamp) {
        for record in &decision.records {
            self.count_gap(record);
        }
        for action in &decision.actions {
            if let Action::Start(launch) = action {
                self.start(launch, now);
            }
        }
        self.most_running = self.most_running.max(self.planner.running());
    }

    fn start(&mut self, launch: &Launch, now: Timestamp) {
        let usual = self.outlook.usual.get(&launch.job.name).copied().unwrap_or_default();
        let end = SignedDuration::try_from(usual).ok().and_then(|usual| now.checked_add(usual).ok());
        self.ends.push(Reverse((end.unwrap_or(Timestamp::MAX), launch.run)));
        let Some(number) = self.numbers.get(&launch.job.name).copied() else {
            return;
        };
        self.counts[index(number)].runs += 1;
        let minute = minutes_between(self.outlook.from, now);
        if minute != self.minute {
            self.close_minute();
            self.minute = minute;
        }
        *self.company.entry(number).or_default() += 1;
        if minute >= self.minutes.len() {
            self.minutes.resize(minute + 1, 0);
        }
        self.minutes[minute] += 1;
    }

    fn count_gap(&mut self, record: &Record) {
        match record {
            Record::Gap { job, gap, .. } => {
                if let Some(number) = self.numbers.get(job).copied() {
                    self.gaps.insert(number, (gap.run, gap.reason, gap.count));
                    self.add_skipped(number, gap.reason, gap.count);
                }
            }
            Record::GapResized { run, count, .. } => {
                let grown = self.gaps.iter_mut().find(|(_, (known, ..))| known == run);
                if let Some((number, (_, reason, counted))) = grown {
                    let (number, reason, more) = (*number, *reason, count.saturating_sub(*counted));
                    *counted = *count;
                    self.add_skipped(number, reason, more);
                }
            }
            Record::Begun { waited, .. } => {
                self.waited += u64::from(waited.is_some_and(|waited| waited > Duration::ZERO));
            }
            _ => {}
        }
    }

    fn add_skipped(&mut self, number: u32, reason: Reason, count: u64) {
        let job = &mut self.counts[index(number)];
        match reason {
            Reason::Overlap => job.overlapped += count,
            Reason::Calendar => job.closed += count,
            Reason::Paused => job.paused += count,
            Reason::ByHand => job.left_out += count,
            _ => {}
        }
    }

    /// The minute is over: who started in it is compared with other minutes, if it was seen from its beginning.
    fn close_minute(&mut self) {
        let company: Company = std::mem::take(&mut self.company).into_iter().collect();
        if company.len() < 2 || self.minute == 0 && whole_minute(self.outlook.from) != self.outlook.from {
            return;
        }
        self.crowds.entry(company).or_insert((self.minute, 0)).1 += 1;
        if self.crowds.len() > MOST_KEPT {
            let mut kept: Vec<_> = std::mem::take(&mut self.crowds).into_iter().collect();
            kept.sort_by_key(|(company, _)| Reverse(starts(company)));
            kept.truncate(MOST_KEPT / 2);
            self.crowds = kept.into_iter().collect();
        }
    }

    /// The last minute is not seen to its end.
    fn finish(self) -> Forecast {
        let name = |number: u32| self.jobs[index(number)].name.clone();
        let mut crowds: Vec<_> = self.crowds.into_iter().collect();
        crowds.sort_by_key(|(company, (first, _))| (Reverse(starts(company)), *first));
        crowds.truncate(MOST_TOLD);
        let begin = whole_minute(self.outlook.from);
        let crowd = |(company, (first, times)): (Company, (usize, u32))| Crowd {
            minute: begin + SignedDuration::from_mins(i64::try_from(first).unwrap_or(0)),
            starts: starts(&company),
            jobs: company.into_iter().map(|(number, starts)| (name(number), starts)).collect(),
            times,
        };
        Forecast {
            jobs: self.jobs.iter().map(|job| job.name.clone()).zip(self.counts.iter().copied()).collect(),
            minutes: self.minutes,
            busiest: crowds.into_iter().map(crowd).collect(),
            most_running: self.most_running,
            waited: self.waited,
        }
    }
}

fn starts(company: &Company) -> u32 {
    company.iter().map(|(_, starts)| *starts).sum()
}

fn index(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}

fn whole_minute(at: Timestamp) -> Timestamp {
    Timestamp::from_second(at.as_second().div_euclid(60) * 60).unwrap_or(at)
}

fn minutes_between(from: Timestamp, now: Timestamp) -> usize {
    usize::try_from(now.duration_since(whole_minute(from)).as_mins()).unwrap_or(0)
}

fn ended(at: Timestamp) -> Ended {
    Ended::unmeasured(Exit::Done, at)
}

//! Ten years of a whole file in a few seconds: fifty jobs over twelve zones, by the planner that the daemon has.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::cmp::Reverse;
mod bundled;

use std::collections::{BTreeMap, BTreeSet, BinaryHeap};
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;

use bundled::Bundled;
use jiff::{SignedDuration, Timestamp};
use punctual::job::{Job, JobName};
use punctual::jobfile::Draft;
use punctual::plan::{Action, Decision, Lapse, Memory, Planner, Record};
use punctual::run::{Ended, Exit, Reason, RunId};

const ZONES: [&str; 12] = [
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Antarctica/Troll",
    "Africa/Cairo",
    "America/Havana",
    "Asia/Beirut",
    "Asia/Kolkata",
    "Asia/Kathmandu",
    "America/St_Johns",
    "Pacific/Apia",
    "UTC",
];

/// What jobs look like: mostly times of a day, some each hour, some that meet gaps and folds, some with everything.
const KINDS: [&str; 10] = [
    "schedule = '30 2 * * *'",
    "schedule = '0 0 * * 1-5'",
    "schedule = ['0 0 1 * *', '0 18 L * *']",
    "schedule = 'H H(0-5) * * *'\njitter = '20m'",
    "schedule = '15 */3 * * *'\ndst_gap = 'shift'\ndst_fold = 'both'",
    "schedule = '0 9 15W * *'\nnot_on = ['holidays', 'weekends']\nnot_on_then = 'next-day'",
    "schedule = '45 1,2,3 * * *'\ndst_fold = 'second'\noverlap = 'skip'",
    "schedule = '0 12 * * *'\nnot_on = 'holidays'",
    "schedule = 'every 7h'\ncatch_up = 'all'",
    "schedule = ['59 23 31 12 *', '0 6 29 2 *', '0 7 * * 1#1']\nnot_before = '2028-01-01'\nnot_after = '2034-06-30'",
];

/// One job for each hour of the day is enough to hold the others up.
const HOURLY: &str = "schedule = '0 * * * *'";

fn fifty_jobs() -> Vec<Arc<Job>> {
    let mut text = "[calendars.holidays]\ndates = ['01-01', '12-25', '12-26', '2027-05-03/2027-05-14']\n\
                    [calendars.weekends]\ndays = ['sat', 'sun']\n"
        .to_owned();
    for number in 0..50 {
        let kind = if number < 4 { HOURLY } else { KINDS[number % KINDS.len()] };
        let zone = ZONES[number % ZONES.len()];
        writeln!(text, "[jobs.j{number}]\n{kind}\ntimezone = '{zone}'\ncommand = 'x'").unwrap();
    }
    let draft = Draft::parse(Path::new("jobs.toml"), text);
    let checked = draft.check(&Bundled, "system", at("2027-01-01T00:00:00Z"));
    assert!(checked.is_right(), "{:?}", checked.said);
    checked.jobs
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

/// What the decisions of all the years come to, for one job.
#[derive(Debug, Default)]
struct Counts {
    runs: u64,
    skipped: u64,
    last: Option<Timestamp>,
}

#[derive(Default)]
struct Years {
    counts: BTreeMap<JobName, Counts>,
    gaps: BTreeMap<RunId, (JobName, u64)>,
    reasons: BTreeSet<Reason>,
    ends: BinaryHeap<Reverse<(Timestamp, RunId)>>,
}

impl Years {
    fn take(&mut self, decision: &Decision, now: Timestamp) {
        for record in &decision.records {
            match record {
                Record::Opened(entry) => {
                    let counts = self.counts.entry(entry.job.clone()).or_default();
                    assert!(counts.last < Some(entry.due), "{} at {} comes again", entry.job, entry.due);
                    let late = now.duration_since(entry.due + entry.jitter);
                    assert!(late == SignedDuration::ZERO, "{} at {} is {late:?} late", entry.job, entry.due);
                    counts.last = Some(entry.due);
                    counts.runs += 1;
                }
                Record::Gap { job, gap, .. } => {
                    self.gaps.insert(gap.run, (job.clone(), gap.count));
                    self.counts.entry(job.clone()).or_default().skipped += gap.count;
                    self.reasons.insert(gap.reason);
                }
                Record::GapResized { run, count, .. } => {
                    let (job, counted) = self.gaps.get_mut(run).unwrap();
                    self.counts.get_mut(job).unwrap().skipped += count - *counted;
                    *counted = *count;
                }
                _ => {}
            }
        }
        for action in &decision.actions {
            if let Action::Start(launch) = action {
                // Now and then a run lasts over the next instants.
                let hours = if launch.run.0 % 97 == 0 { 26 } else { 0 };
                self.ends.push(Reverse((now + SignedDuration::from_hours(hours), launch.run)));
            }
        }
    }

    fn pass(&mut self, planner: &mut Planner, until: Timestamp) {
        loop {
            let end = self.ends.peek().map(|Reverse((at, _))| *at);
            let wake = planner.next_wakeup();
            let Some(now) = end.into_iter().chain(wake).min().filter(|now| *now <= until) else {
                return;
            };
            let decision = if end == Some(now) {
                let Reverse((_, run)) = self.ends.pop().unwrap();
                planner.handle_ended(run, ended(now), now)
            } else {
                planner.handle_wakeup(now, Lapse::Suspended)
            };
            self.take(&decision, now);
        }
    }
}

fn ended(at: Timestamp) -> Ended {
    Ended::unmeasured(Exit::Code(0), at)
}

#[test]
fn ten_years_of_fifty_jobs_are_accounted_for() {
    let jobs = fifty_jobs();
    let (begin, end) = (at("2027-01-01T00:00:00Z"), at("2037-01-01T00:00:00Z"));
    let (mut planner, first) = Planner::restore(&jobs, 64, Memory::default(), begin);
    let mut years = Years::default();
    years.take(&first, begin);
    years.pass(&mut planner, end);
    let mut total = 0;
    for job in &jobs {
        let timetable = &job.timing.as_ref().unwrap().timetable;
        let counts = years.counts.get(&job.name).unwrap();
        // One that its jitter puts off over the end is not there yet.
        let put_off = timetable.between(end - SignedDuration::from_mins(20), end).count() as u64;
        let put_off = if job.jitter.is_some() { put_off } else { 0 };
        let named = timetable.count(begin, end);
        let accounted = counts.runs + counts.skipped;
        assert!(named - put_off <= accounted && accounted <= named, "{}: {counts:?} of {named}", job.name);
        assert!(counts.runs > 0, "{} never ran", job.name);
        total += accounted;
    }
    assert_eq!(years.reasons, BTreeSet::from([Reason::Overlap, Reason::Calendar]));
    assert!(total > 500_000, "{total}");
}

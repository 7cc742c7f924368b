//! What holds over every history: nothing starts twice or early, and every instant is accounted for exactly once.
//!
//! The planner meets a ledger of plain maps, and a driver that crashes between deciding, committing and acting, refuses
//! and delays commits, sets the clock, changes the file and stops.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod bundled;
#[path = "planner/told.rs"]
mod told;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, LazyLock};
use std::time::Duration;

use bundled::Bundled;
use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;
use proptest::test_runner::RngSeed;
use punctual::job::{Job, JobName, Overlap, Timing};
use punctual::jobfile::Draft;
use punctual::notice::Notice;
use punctual::plan::{
    Action, Ahead, AheadGap, Attempted, Balance, Balanced, Booked, Capacities, Decision, Drain, Held, Lapse, LeftOut,
    Memory, OpenEntry, Pause, Period, Planner, Progress, Record, RememberedDefinition, RememberedJob, RememberedRun,
    Scope, StepBack, Tried, Triggered, Whose,
};
use punctual::run::{Asked, Cause, Ended, EventKind, EventNote, Exit, GapEntry, Outcome, RunId, State};
use told::Heard;

fn jobs(text: &str) -> Vec<Arc<Job>> {
    let draft = Draft::parse(Path::new("jobs.toml"), text.to_owned());
    let checked = draft.check(&Bundled, "system", start());
    assert!(checked.is_right(), "{:?}", checked.said);
    checked.jobs
}

/// The jobs of one of the files.
fn jobs_of(at: usize) -> Vec<Arc<Job>> {
    static READ: LazyLock<Vec<Vec<Arc<Job>>>> =
        LazyLock::new(|| FILES.iter().enumerate().map(|(at, text)| told::with_channels(at, jobs(text))).collect());
    READ[at].clone()
}

/// Shortly before the clocks of Berlin go back.
fn start() -> Timestamp {
    "2026-10-24T22:58:30Z".parse().unwrap()
}

/// Files that a history may switch between.
const FILES: [&str; 5] = [
    r#"
    [jobs.minutely]
    schedule = "* * * * *"
    command = "x"
    [jobs.all]
    schedule = "every 7m"
    catch_up = "all"
    command = "x"
    [jobs.berlin]
    schedule = ["30 2 * * *", "*/20 * * * *"]
    timezone = "Europe/Berlin"
    catch_up_within = "3h"
    command = "x"
    [jobs.none]
    schedule = "*/5 * * * *"
    catch_up = "none"
    command = "x"
    [jobs.spread]
    schedule = "*/10 * * * *"
    jitter = "1h"
    catch_up = "all"
    command = "x"
    [jobs.poll]
    schedule = "every 7m after end"
    command = "x"
    [jobs.office]
    schedule = "*/15 * * * *"
    timezone = "Europe/Berlin"
    not_on = ["nights"]
    command = "x"
    [jobs.moved]
    schedule = ["0 4 * * *", "0 12 * * *"]
    not_on = ["sundays"]
    not_on_then = "next-day"
    not_before = 2026-10-25
    command = "x"
    [jobs.queued]
    schedule = "*/3 * * * *"
    overlap = "queue"
    queue_limit = 2
    pool = ["disk", "net"]
    command = "x"
    [jobs.replaced]
    schedule = "*/4 * * * *"
    overlap = "replace"
    pool = "disk"
    command = "x"
    [jobs.again]
    schedule = "*/5 * * * *"
    overlap = "queue"
    retries = 2
    retry_delay = "20s"
    command = "x"
    [jobs.follower]
    after = ["again", "queued"]
    command = "x"
    [jobs.last]
    after = "follower"
    overlap = "queue"
    command = "x"
    [jobs.beside]
    schedule = "*/6 * * * *"
    overlap = "allow"
    pool = "net"
    command = "x"
    [pools]
    disk = 1
    net = 2
    [calendars.nights]
    hours = "22:00-06:00"
    [calendars.sundays]
    days = "sun"
    "#,
    // Other instants, a job gone, one disabled.
    r#"
    [jobs.minutely]
    schedule = "*/2 * * * *"
    command = "x"
    [jobs.all]
    schedule = "every 7m"
    catch_up = "all"
    enabled = false
    command = "x"
    [jobs.none]
    schedule = "*/5 * * * *"
    catch_up = "none"
    command = "x"
    [jobs.spread]
    schedule = "*/10 * * * *"
    jitter = "4m"
    command = "x"
    [jobs.poll]
    schedule = "every 90s after end"
    catch_up = "none"
    command = "x"
    [jobs.office]
    schedule = "*/15 * * * *"
    timezone = "Europe/Berlin"
    not_on = ["nights"]
    command = "x"
    [calendars.nights]
    hours = "22:00-02:00"
    "#,
    // The same instants as the first, another command; one more job.
    r#"
    [jobs.minutely]
    schedule = "* * * * *"
    command = "y"
    [jobs.all]
    schedule = "every 7m"
    catch_up = "all"
    command = "y"
    [jobs.berlin]
    schedule = ["30 2 * * *", "*/20 * * * *"]
    timezone = "Europe/Berlin"
    catch_up_within = "3h"
    command = "y"
    [jobs.often]
    schedule = "every 10s"
    command = "x"
    [jobs.reboot]
    schedule = ["@reboot", "@start"]
    command = "x"
    "#,
    "",
    // Jobs of the first under other names, some of them with other instants.
    r#"
    [jobs.each]
    formerly = "minutely"
    schedule = "* * * * *"
    command = "x"
    [jobs.seven]
    formerly = "all"
    schedule = "every 8m"
    catch_up = "all"
    command = "x"
    [jobs.polled]
    formerly = "poll"
    schedule = "every 7m after end"
    command = "x"
    [jobs.lined]
    formerly = "queued"
    schedule = "*/3 * * * *"
    overlap = "queue"
    queue_limit = 2
    pool = ["disk", "net"]
    command = "x"
    [jobs.again]
    schedule = "*/5 * * * *"
    overlap = "queue"
    retries = 2
    retry_delay = "20s"
    command = "x"
    [jobs.followed]
    formerly = "follower"
    after = ["again", "lined"]
    command = "x"
    [pools]
    disk = 1
    net = 2
    "#,
];

#[derive(Debug, Clone)]
struct Row {
    job: JobName,
    cause: Option<Cause>,
    due: Timestamp,
    due_last: Timestamp,
    count: u64,
    state: State,
    outcome: Option<Outcome>,
    reason: Option<punctual::run::Reason>,
    jitter: SignedDuration,
    started: Option<Timestamp>,
    ended: Option<Timestamp>,
    attempts: u32,
    tried: Option<Tried>,
    asked: Option<Arc<Asked>>,
    is_stopping: bool,
}

#[derive(Debug, Clone)]
struct Definition {
    job: JobName,
    since: Timestamp,
    until: Option<Timestamp>,
    timing: Arc<Timing>,
}

/// The ledger as plain maps, with the one rule that the real one has in an index.
#[derive(Debug, Clone, Default)]
struct Ledger {
    rows: BTreeMap<RunId, Row>,
    /// The index: whose entries begin when.
    instants: BTreeSet<(JobName, Timestamp)>,
    definitions: Vec<Definition>,
    known: BTreeSet<JobName>,
    boots: usize,
    /// The last time the clock was set back: what it showed then, and the highest number given until then.
    set_back: Option<(Timestamp, RunId)>,
    /// Each such time, and whether it was recorded as one or only that the clock was set.
    steps_back: Vec<StepBack>,
    /// What people have said is not to run.
    held: Held,
    /// Names that were given and nobody has heard of yet.
    renamed: Vec<(JobName, JobName)>,
    notices: Vec<Notice>,
    told: BTreeMap<Option<JobName>, Arc<str>>,
    /// What a reader of the rules knows of what is in the ledger.
    heard: Heard,
}

impl Ledger {
    fn holds(&self, job: &JobName, due: Timestamp) -> bool {
        self.instants.contains(&(job.clone(), due))
    }

    fn insert(&mut self, run: RunId, row: Row) {
        if row.cause.is_none_or(Cause::names_instant) {
            self.instants.insert((row.job.clone(), row.due));
        }
        assert!(self.rows.insert(run, row).is_none(), "{run} was given twice");
    }

    /// Commits a decision; the answer is what was refused.
    fn commit(&mut self, decision: &Decision) -> Vec<RunId> {
        let mut refused = Vec::new();
        for record in &decision.records {
            self.apply(record, &mut refused);
        }
        refused
    }

    fn apply(&mut self, record: &Record, refused: &mut Vec<RunId>) {
        match record {
            Record::Job(name) => {
                self.known.insert(name.clone());
            }
            Record::Definition { job, since, timing } => {
                assert!(self.known.contains(job), "{job} is defined before it is known");
                let open = self.definitions.iter().any(|d| d.job == *job && d.until.is_none());
                assert!(!open, "{job} has two definitions in force");
                let (job, since, timing) = (job.clone(), *since, timing.clone());
                self.definitions.push(Definition { job, since, until: None, timing });
            }
            Record::DefinitionEnd { job, until } => {
                let open = self.definitions.iter_mut().find(|d| d.job == *job && d.until.is_none());
                open.expect("a definition that ends is in force").until = Some(*until);
            }
            Record::SetBack { at: now, highest } => {
                self.set_back = Some((*now, *highest));
                let reach = self.rows.values().map(|row| row.due).max().unwrap_or(*now);
                self.steps_back.push(StepBack { at: *now, highest: Some(*highest), reach });
                for definition in &mut self.definitions {
                    definition.since = definition.since.min(*now);
                    definition.until = definition.until.map(|until| until.min(*now));
                }
            }
            Record::Opened(entry) => {
                assert!(self.known.contains(&entry.job), "{} runs before it is known", entry.job);
                if entry.cause.names_instant() && self.holds(&entry.job, entry.due) {
                    refused.push(entry.run);
                    return;
                }
                self.insert(entry.run, Row::opened(entry));
            }
            Record::Gap { job, gap, .. } => {
                if self.holds(job, gap.due) {
                    refused.push(gap.run);
                    return;
                }
                self.insert(gap.run, Row::of_gap(job, gap));
            }
            Record::GapResized { run, due_last, count } => {
                if let Some(row) = self.rows.get_mut(run) {
                    (row.due_last, row.count) = (*due_last, *count);
                }
            }
            Record::GapRemoved(run) => {
                if let Some(row) = self.rows.remove(run) {
                    self.instants.remove(&(row.job, row.due));
                }
            }
            Record::Begun { run, .. } => match self.rows.get_mut(run) {
                Some(row) => row.state = State::Running,
                None => refused.push(*run),
            },
            Record::Started { run, attempt, at, .. } => {
                let row = self.row(*run);
                row.started.get_or_insert(*at);
                assert_eq!(row.state, State::Running);
                row.attempts = *attempt;
            }
            Record::Attempted(attempted) => self.attempted(attempted),
            Record::Retried { run, at, .. } => {
                let row = self.row(*run);
                assert_eq!((row.state, row.outcome), (State::Running, None));
                row.state = State::Waiting;
                row.tried.as_mut().expect("what is tried again was tried").next_at = *at;
            }
            Record::Closed(closing) => {
                let row = self.row(closing.run);
                assert_eq!(row.outcome, None, "{} ends twice", closing.run);
                (row.state, row.outcome, row.reason) = (State::Ended, Some(closing.outcome), closing.reason);
                row.ended = closing.ended.as_ref().map(|ended| ended.at).or(row.ended);
            }
            Record::Event(event) => self.steps_back.extend(step_back(event)),
            Record::Renamed { from, to, is_new } => self.rename(from, to, *is_new),
            Record::Step(_) | Record::InForce { .. } => {}
            Record::Notice(notice) => {
                assert!(self.notices.last().is_none_or(|last| last.number < notice.number), "{notice:?} comes again");
                self.notices.push(notice.clone());
            }
            Record::Told { job, words } => {
                // A job that is gone, and all of whose history went to another name, has no place to keep anything in.
                match words.as_ref().filter(|_| job.as_ref().is_none_or(|job| self.known.contains(job))) {
                    Some(words) => self.told.insert(job.clone(), words.clone()),
                    None => self.told.remove(job),
                };
            }
            Record::Stopping { run, .. } => self.row(*run).is_stopping = true,
            Record::Pause { whose, pause: Some(pause) } => {
                assert!(whose.as_ref().is_none_or(|job| self.known.contains(job)));
                self.held.pauses.set(whose.clone(), pause.clone());
            }
            Record::Pause { whose, pause: None } => {
                self.held.pauses.end(whose);
            }
            Record::PauseException(job) => self.held.pauses.except(job.clone()),
            Record::LeftOut { job, left_out } => self.leave_out(job, left_out),
        }
    }

    fn leave_out(&mut self, job: &JobName, left_out: &LeftOut) {
        self.held.retain(job, |_| false);
        for (due, word) in left_out {
            self.held.leave_out(job, *due, word.clone());
        }
    }

    /// What the ledger has of a job goes on under another name; an earlier job of that name is set aside.
    fn rename(&mut self, from: &JobName, to: &JobName, is_new: bool) {
        let in_force = |name: &JobName| self.definitions.iter().any(|d| d.job == *name && d.until.is_none());
        if !self.known.contains(from) {
            return;
        }
        if !self.known.contains(to) {
            self.give_name(from, to);
        } else if (in_force(from) || is_new) && !in_force(to) {
            let aside = |number: &usize| JobName::new(&format!("{to}.{number}")).unwrap();
            let free = (1..1000).find(|number| !self.known.contains(&aside(number))).unwrap();
            self.held.forget(to);
            self.told.remove(&Some(to.clone()));
            self.give_name(to, &aside(&free));
            self.give_name(from, to);
        } else if !in_force(from) && self.follows(to, from) {
            self.told.remove(&Some(from.clone()));
            self.give_entries(from, to);
            // People may have said something of the old name.
            if !self.held.is_about(from) {
                self.known.remove(from);
            }
        }
    }

    /// Whether what there is of one job all comes after what there is of the other, of which there is something.
    fn follows(&self, later: &JobName, earlier: &JobName) -> bool {
        let later_rows = self.rows.values().filter(|row| row.job == *later);
        let earlier_rows = self.rows.values().filter(|row| row.job == *earlier);
        let (first, last) = (later_rows.map(|row| row.due).min(), earlier_rows.map(|row| row.due_last).max());
        let since = self.definitions.iter().filter(|d| d.job == *later).map(|d| d.since);
        let ends = self.definitions.iter().filter(|d| d.job == *earlier).filter_map(|d| d.until);
        let (from, until) = (since.chain(first).min(), ends.chain(last).max());
        until.is_some()
            && from.zip(until).is_none_or(|(from, until)| until <= from)
            && first.zip(last).is_none_or(|(first, last)| last < first)
    }

    fn give_name(&mut self, from: &JobName, to: &JobName) {
        self.give_entries(from, to);
        self.held.rename(from, to);
        if let Some(words) = self.told.remove(&Some(from.clone())) {
            self.told.insert(Some(to.clone()), words);
        }
        self.known.remove(from);
        self.known.insert(to.clone());
    }

    fn give_entries(&mut self, from: &JobName, to: &JobName) {
        let rename = |name: &mut JobName| {
            if name == from {
                *name = to.clone();
            }
        };
        self.rows.values_mut().for_each(|row| rename(&mut row.job));
        self.definitions.iter_mut().for_each(|definition| rename(&mut definition.job));
        self.instants = std::mem::take(&mut self.instants)
            .into_iter()
            .map(|(mut name, due)| {
                rename(&mut name);
                (name, due)
            })
            .collect();
        self.renamed.push((from.clone(), to.clone()));
    }

    fn attempted(&mut self, attempted: &Attempted) {
        let row = self.row(attempted.run);
        assert!(row.tried.as_ref().is_none_or(|tried| tried.attempts + 1 == attempted.attempt), "{row:?}");
        row.ended = Some(attempted.ended.at);
        row.tried = Some(Tried {
            attempts: attempted.attempt,
            outcome: attempted.outcome,
            reason: attempted.reason,
            detail: attempted.detail.clone(),
            next_at: Timestamp::MAX,
        });
    }

    fn row(&mut self, run: RunId) -> &mut Row {
        self.rows.get_mut(&run).expect("a run that changes is in the ledger")
    }

    fn gap(run: RunId, row: &Row) -> Option<GapEntry> {
        let (outcome, reason) = (row.outcome?, row.reason?);
        let is_gap = row.cause.is_none() && outcome.is_gap();
        is_gap.then_some(GapEntry { run, outcome, reason, due: row.due, due_last: row.due_last, count: row.count })
    }

    fn ahead(&self, now: Timestamp) -> Ahead {
        let later = self.rows.iter().filter(|(_, row)| row.due_last > now);
        let mut ahead = Ahead::default();
        for (run, row) in later {
            ahead.is_set_back = true;
            match Self::gap(*run, row) {
                Some(gap) => {
                    let names =
                        |d: &&Definition| d.job == row.job && d.since < gap.due && d.until.is_none_or(|u| gap.due <= u);
                    let timing = self.definitions.iter().find(names).map(|d| d.timing.clone());
                    ahead.gaps.push(AheadGap { job: row.job.clone(), gap, timing });
                }
                None if row.cause.is_some_and(Cause::names_instant) => ahead.taken.push((row.job.clone(), row.due)),
                None => {}
            }
        }
        let later = |d: &Definition| d.since > now || d.until.is_some_and(|until| until > now);
        ahead.is_set_back |= self.definitions.iter().any(later);
        ahead
    }

    fn comes_again(&self, run: RunId, row: &Row) -> bool {
        row.cause.is_some() && self.set_back.is_some_and(|(at, highest)| run <= highest && row.due > at)
    }

    fn last_end(&self, name: &JobName, now: Timestamp) -> Option<Timestamp> {
        let runs = self.rows.values().filter(|row| row.job == *name && row.cause.is_some());
        let mut ended: Vec<&Row> = runs.filter(|row| row.due <= now && row.state == State::Ended).collect();
        ended.sort_by_key(|row| std::cmp::Reverse(row.due));
        ended.iter().take(8).map(|row| row.ended.or(row.started).unwrap_or(row.due)).max()
    }

    fn memory(&self, now: Timestamp) -> Memory {
        let remember = |name: &JobName| {
            let newest = self
                .rows
                .iter()
                .filter(|(_, row)| row.job == *name && row.cause.is_none_or(Cause::names_instant))
                .filter(|(run, row)| row.due <= now && !self.comes_again(**run, row))
                .max_by_key(|(_, row)| row.due_last);
            let definition = self.definitions.iter().find(|d| d.job == *name && d.until.is_none());
            RememberedJob {
                name: name.clone(),
                definition: definition.map(|d| RememberedDefinition {
                    since: d.since,
                    written: d.timing.written.clone(),
                    timing: Some(d.timing.clone()),
                }),
                newest: newest.map(|(_, row)| row.due_last),
                gap: newest.and_then(|(run, row)| Self::gap(*run, row)),
                last_end: self.last_end(name, now),
                progress: Progress { began: None, succeeded: self.heard.good(name) },
                usual: Vec::new(),
            }
        };
        let open = self.rows.iter().filter(|(_, row)| row.state != State::Ended).map(|(run, row)| RememberedRun {
            run: *run,
            job: row.job.clone(),
            cause: row.cause.unwrap(),
            due: row.due,
            state: row.state,
            tried: row.tried.clone().filter(|_| row.state == State::Waiting),
            attempts: row.attempts,
            started: None,
            goes_on: false,
            asked: row.asked.clone(),
            is_stopping: row.is_stopping,
        });
        Memory {
            highest: self.rows.keys().last().map_or(0, |run| run.0),
            first_since_boot: self.boots == 0,
            goes_on: false,
            jobs: self.known.iter().map(remember).collect(),
            open: open.collect(),
            taken: self
                .rows
                .iter()
                .filter(|(run, row)| self.comes_again(**run, row) && row.cause.is_some_and(Cause::names_instant))
                .map(|(_, row)| (row.job.clone(), row.due))
                .collect(),
            ahead: self.ahead(now),
            highest_notice: self.notices.last().map_or(0, |notice| notice.number.0),
            told: self.told.clone().into_iter().collect(),
            held: self.held.clone(),
        }
    }
}

/// What an event tells of a clock that was set back.
fn step_back(event: &EventNote) -> Option<StepBack> {
    let step = event.detail.strip_prefix("the clock was set back by ")?.parse::<SignedDuration>().unwrap();
    assert_eq!(event.kind, EventKind::ClockStep);
    Some(StepBack { at: event.at, highest: None, reach: event.at + step })
}

impl Row {
    fn opened(entry: &OpenEntry) -> Self {
        Self {
            job: entry.job.clone(),
            cause: Some(entry.cause),
            due: entry.due,
            due_last: entry.due,
            count: 1,
            state: entry.state,
            outcome: None,
            reason: None,
            jitter: entry.jitter,
            started: None,
            ended: None,
            attempts: 0,
            tried: None,
            asked: entry.asked.clone(),
            is_stopping: false,
        }
    }

    fn of_gap(job: &JobName, gap: &GapEntry) -> Self {
        Self {
            job: job.clone(),
            cause: None,
            due: gap.due,
            due_last: gap.due_last,
            count: gap.count,
            state: State::Ended,
            outcome: Some(gap.outcome),
            reason: Some(gap.reason),
            jitter: SignedDuration::ZERO,
            started: None,
            ended: None,
            attempts: 0,
            tried: None,
            asked: None,
            is_stopping: false,
        }
    }

    fn booked(&self, run: RunId) -> Booked {
        Booked {
            run,
            cause: self.cause.unwrap_or(Cause::Schedule),
            due: self.due,
            due_last: self.cause.is_none().then_some(self.due_last),
            count: self.count,
            jitter: self.jitter,
            state: self.state,
            outcome: self.outcome,
            reason: self.reason,
            started: self.started,
            ended: self.ended,
        }
    }
}

impl Ledger {
    fn scope(&self, now: Timestamp) -> Scope {
        let mut steps_back = self.steps_back.clone();
        // What was recorded as a step back says more than the event of the same time.
        let exact: Vec<Timestamp> =
            steps_back.iter().filter(|step| step.highest.is_some()).map(|step| step.at).collect();
        steps_back.retain(|step| step.highest.is_some() || !exact.contains(&step.at));
        let mut scope = Scope { from: None, now, decided: None, uncounted: None, steps_back };
        self.rows.iter().for_each(|(run, row)| scope.learn(&row.booked(*run)));
        scope
    }

    fn audit(&self, now: Timestamp) -> Vec<(JobName, Balanced)> {
        let scope = self.scope(now);
        let audited = self.known.iter().map(|name| {
            let of_job = self.definitions.iter().filter(|definition| definition.job == *name);
            let periods = of_job.map(|d| Period { since: d.since, until: d.until, timing: Some(d.timing.clone()) });
            let longest = if name.as_str() == "spread" { SignedDuration::from_hours(1) } else { SignedDuration::ZERO };
            let mut balance = Balance::new(&scope, periods.collect(), Vec::new(), Some(longest));
            let mut entries: Vec<Booked> =
                self.rows.iter().filter(|(_, row)| row.job == *name).map(|(run, row)| row.booked(*run)).collect();
            entries.sort_by_key(|entry| (entry.due, entry.run));
            for entry in &entries {
                balance.book(entry);
            }
            (name.clone(), balance.finish())
        });
        audited.collect()
    }
}

#[derive(Debug, Clone, Copy)]
enum Op {
    /// Time passes, and the planner is woken when it asked to be.
    Run(Duration),
    /// Time passes unnoticed, and then the planner is woken.
    Sleep(Duration),
    SetClock(i64),
    End(usize),
    Commit,
    Delay(bool),
    Crash {
        file: usize,
        down: Duration,
        boot: bool,
        /// Whether what runs goes on, because the keeper is still there.
        kept: bool,
    },
    Reload(usize),
    /// Another daemon takes the next instant of a job, a moment before this one.
    Rival(usize),
    Drain,
    /// Somebody wants a job to run.
    Trigger(usize),
    /// Somebody wants what runs or waits of a job to end.
    Stop {
        job: usize,
        kill: bool,
    },
    /// Somebody pauses a job, or all, for good or for so long.
    Pause {
        job: Option<usize>,
        span: Option<Duration>,
    },
    Resume(Option<usize>),
    /// Somebody wants the next instants of a job to be left out, or none.
    Skip(usize, usize),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let short = (0u64..900_000).prop_map(Duration::from_millis);
    let long = (0u64..40_000).prop_map(Duration::from_secs);
    let op = prop_oneof![
        6 => short.clone().prop_map(Op::Run),
        3 => prop_oneof![short, long.clone()].prop_map(Op::Sleep),
        2 => prop_oneof![-20_000i64..20_000, -90i64..90].prop_map(Op::SetClock),
        5 => (0usize..8).prop_map(Op::End),
        2 => Just(Op::Commit),
        2 => any::<bool>().prop_map(Op::Delay),
        2 => (0..FILES.len(), long, any::<bool>(), any::<bool>())
            .prop_map(|(file, down, boot, kept)| Op::Crash { file, down, boot, kept }),
        2 => (0..FILES.len()).prop_map(Op::Reload),
        1 => (0usize..13).prop_map(Op::Rival),
        1 => Just(Op::Drain),
        2 => (0usize..14).prop_map(Op::Trigger),
        1 => (0usize..14, any::<bool>()).prop_map(|(job, kill)| Op::Stop { job, kill }),
        2 => (prop::option::of(0usize..14), prop::option::of((1u64..20_000).prop_map(Duration::from_secs)))
            .prop_map(|(job, span)| Op::Pause { job, span }),
        2 => prop::option::of(0usize..14).prop_map(Op::Resume),
        2 => (0usize..14, 0usize..4).prop_map(|(job, count)| Op::Skip(job, count)),
    ];
    prop::collection::vec(op, 1..60)
}

/// The daemon, without anything of it that is real.
struct Driver {
    planner: Planner,
    ledger: Ledger,
    file: usize,
    now: Timestamp,
    /// Decisions that are not yet in the ledger.
    pending: VecDeque<(Decision, Heard)>,
    /// What a reader of the rules knows of what was decided.
    heard: Heard,
    /// Whether commits wait until asked for.
    delays: bool,
    running: Vec<RunId>,
    going: BTreeMap<RunId, Arc<Job>>,
    started: BTreeSet<(JobName, Timestamp)>,
    drained: bool,
    set_back: bool,
    /// Whether a crash took what was to be recorded of a step of the clock: nobody can know of it then.
    forgot_step: bool,
    rivals: i64,
}

const PLACES: usize = 3;

fn capacities() -> Capacities {
    Capacities { places: PLACES, pools: [("disk".to_owned(), 1), ("net".to_owned(), 2)].into() }
}

/// Entries of a rival have negative numbers below this.
const NO_RIVALS: i64 = 1 << 40;

impl Driver {
    fn new() -> Self {
        Self::of(&jobs_of(0))
    }

    fn of(jobs: &[Arc<Job>]) -> Self {
        let now = start();
        let ledger = Ledger::default();
        let (planner, decision) = Planner::restore(jobs, capacities(), ledger.memory(now), now);
        let mut driver = Self {
            planner,
            ledger,
            file: 0,
            now,
            pending: VecDeque::new(),
            heard: Heard::default(),
            delays: false,
            running: Vec::new(),
            going: BTreeMap::new(),
            started: BTreeSet::new(),
            drained: false,
            set_back: false,
            forgot_step: false,
            rivals: NO_RIVALS,
        };
        driver.ledger.boots = 1;
        driver.heard.set_file(jobs, now);
        driver.take(decision);
        driver
    }

    fn take(&mut self, decision: Decision) {
        self.no_early_start(&decision);
        if !decision.is_empty() {
            self.hear(decision);
        }
        if !self.delays {
            self.commit();
        }
    }

    fn hear(&mut self, decision: Decision) {
        self.heard.hear(&decision, self.planner.latest());
        self.pending.push_back((decision, self.heard.clone()));
    }

    fn commit(&mut self) {
        while let Some((decision, heard)) = self.pending.pop_front() {
            let refused = self.ledger.commit(&decision);
            self.ledger.heard = heard;
            for (from, to) in std::mem::take(&mut self.ledger.renamed) {
                let name = |name: JobName| if name == from { to.clone() } else { name };
                let started = std::mem::take(&mut self.started).into_iter();
                self.started = started.map(|(of, due)| (name(of), due)).collect();
                for job in self.going.values_mut().filter(|job| job.name == from) {
                    *job = Arc::new(job.named(to.clone()));
                }
            }
            for action in decision.actions.iter().filter(|action| !refused.contains(&action.run())) {
                self.act(action.clone());
            }
            if !refused.is_empty() {
                let decision = self.planner.handle_refused(&refused, &decision);
                self.no_early_start(&decision);
                self.hear(decision);
            }
        }
    }

    /// What is decided before the clock is set back may start a moment after; what is decided later may not.
    fn no_early_start(&self, decision: &Decision) {
        for action in &decision.actions {
            if let Action::Start(launch) = action
                && launch.attempt == 1
            {
                assert!(launch.due <= self.planner.latest(), "{} of {} starts early", launch.run, launch.job.name);
            }
        }
        for record in &decision.records {
            if let Record::Opened(entry) = record
                && entry.cause.names_instant()
            {
                let ready = entry.due + entry.jitter;
                assert!(ready <= self.planner.latest(), "{} of {} is opened early", entry.run, entry.job);
            }
        }
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::Start(launch) => {
                // What was decided later may be in the ledger by now, another name too.
                let job = Arc::new(launch.job.named(self.ledger.row(launch.run).job.clone()));
                let instant = (job.name.clone(), launch.due);
                if launch.attempt > 1 {
                    assert!(launch.attempt <= 3 && launch.job.name.as_str() == "again", "{launch:?}");
                } else if launch.cause.names_instant() {
                    assert!(self.started.insert(instant), "{} starts {} twice", launch.job.name, launch.due);
                }
                let row = self.ledger.row(launch.run);
                assert_eq!(row.state, State::Running, "not committed before it starts");
                // What was asked for is what is told, however many attempts and daemons later.
                let repeats = row.asked.as_ref().and_then(|asked| asked.repeats);
                assert_eq!((&launch.asked, launch.due), (&row.asked, repeats.unwrap_or(row.due)));
                assert_eq!(row.asked.is_some(), launch.cause == Cause::Manual);
                self.running.push(launch.run);
                self.going.insert(launch.run, job);
                self.no_crowd();
                let decision = self.planner.handle_started(launch.run, self.now, None);
                self.take(decision);
            }
            Action::GoOn(launch) => {
                assert!(self.running.contains(&launch.run), "{} went on without being there", launch.run);
                let job = launch.job.named(self.ledger.row(launch.run).job.clone());
                self.going.insert(launch.run, Arc::new(job));
            }
            // Some take their time.
            Action::Stop { run, .. } if run.0 % 3 == 0 => {}
            Action::Stop { run, .. } | Action::Kill { run, .. } => {
                let at = self.running.iter().position(|r| *r == run);
                if let Some(at) = at {
                    self.end(at);
                }
            }
        }
    }

    /// No more go at once than places, pools and jobs allow.
    fn no_crowd(&self) {
        assert!(self.going.len() <= PLACES, "{:?}", self.going.keys());
        for (pool, capacity) in capacities().pools {
            let of_pool = self.going.values().filter(|job| job.rules.pools.contains(&pool)).count();
            assert!(of_pool <= capacity, "{of_pool} go in the pool {pool}");
        }
        // What the file has no more goes on after a restart, and by which rules it began is known no more; the file that has
        // it again says it.
        let file = jobs_of(self.file);
        let may_crowd = |job: &Job| job.rules.overlap == Overlap::Allow;
        let is_of = |job: &Job, name: &JobName| job.name == *name;
        let is_alone =
            |job: &&Arc<Job>| !may_crowd(job) && file.iter().any(|now| is_of(now, &job.name) && !may_crowd(now));
        for job in self.going.values().filter(is_alone) {
            let of_job = self.going.values().filter(|other| other.name == job.name).count();
            assert_eq!(of_job, 1, "{} goes beside itself", job.name);
        }
    }

    fn end(&mut self, at: usize) {
        let run = self.running.remove(at);
        self.going.remove(&run);
        // The lowest bits of a number are as good as dice.
        let code = match self.ledger.row(run).job.as_str() {
            "again" => i32::from(run.0 % 4 != 0),
            "minutely" | "each" | "berlin" => i32::from(run.0 % 8 < 5),
            _ => 0,
        };
        let ended = Ended { output_bytes: run.0.unsigned_abs() % 2, ..Ended::unmeasured(Exit::Code(code), self.now) };
        let decision = self.planner.handle_ended(run, ended, self.now);
        let is_over = self.planner.job_of(run).is_none();
        assert!(is_over || !self.ledger.row(run).is_stopping, "{run} was to end, and is tried again");
        self.take(decision);
    }

    fn wake(&mut self, lapse: Lapse) {
        if self.now < self.planner.latest() {
            // The daemon asks the ledger when everything decided is in it.
            self.commit();
            let ahead = self.ledger.ahead(self.now);
            let step = self.now.duration_since(self.planner.latest());
            let decision = self.planner.handle_clock_set(self.now, step, ahead);
            if !self.drained {
                self.heard.cut_back(self.now);
            }
            self.take(decision);
        }
        let decision = self.planner.handle_wakeup(self.now, lapse);
        assert!(self.drained || self.planner.latest() == self.now);
        if self.drained {
            assert!(decision.actions.is_empty(), "a drained planner starts something");
        }
        self.take(decision);
        if let Some(next) = self.planner.next_wakeup() {
            assert!(next > self.now, "the next wake-up is not later than now");
        }
        let again = self.planner.handle_wakeup(self.now, lapse);
        assert!(again.is_empty(), "once too often changes something: {again:?}");
        if !self.drained {
            self.heard.nothing_is_forgotten(self.now);
        }
    }

    /// Lets time pass, waking when asked.
    fn run(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(next) = self.planner.next_wakeup().filter(|next| *next <= until) {
            self.now = next;
            self.wake(Lapse::Suspended);
            // Whatever began at this instant ends before the next.
            while !self.running.is_empty() && self.running.len() >= PLACES {
                self.end(0);
            }
        }
        self.now = until;
    }

    fn apply(&mut self, op: Op) {
        match op {
            Op::Run(span) => self.run(span),
            Op::Sleep(span) => {
                self.now += span;
                self.wake(Lapse::Suspended);
            }
            Op::SetClock(seconds) => {
                self.set_back |= seconds < 0;
                let step = SignedDuration::from_secs(seconds);
                self.now += step;
                // One that hides nothing that was decided is noted all the same.
                if seconds < 0 && self.now >= self.planner.latest() {
                    let decision = self.planner.handle_clock_set(self.now, step, Ahead::default());
                    self.take(decision);
                }
                self.wake(Lapse::ClockSet);
            }
            Op::End(at) if !self.running.is_empty() => self.end(at % self.running.len()),
            Op::Commit => self.commit(),
            // With a rival a late commit may leave out what was added to a refused entry; no run starts twice even so.
            Op::Delay(delays) => {
                self.delays = delays && self.rivals == NO_RIVALS;
                if !self.delays {
                    self.commit();
                }
            }
            Op::Crash { file, down, boot, kept } => {
                self.now += down;
                if boot {
                    self.ledger.boots = 0;
                }
                self.restart(file, kept && !boot);
            }
            Op::Reload(file) if !self.drained => {
                self.file = file;
                self.wake(Lapse::Suspended);
                let decision = self.planner.handle_reload(&jobs_of(file), capacities(), self.now);
                self.heard.rename_all(&decision, self.now);
                self.heard.set_file(&jobs_of(file), self.now);
                self.take(decision);
            }
            Op::Trigger(job) if !self.drained => self.trigger(job),
            Op::Stop { job, kill } => self.stop(job, kill),
            Op::Pause { job, span } if !self.drained => self.pause(job, span),
            Op::Resume(job) if !self.drained => self.resume(job),
            Op::Skip(job, count) if !self.drained => self.skip(job, count),
            Op::Trigger(_) | Op::Pause { .. } | Op::Resume(_) | Op::Skip(..) | Op::End(_) | Op::Reload(_) => {}
            Op::Rival(at) => self.rival(at),
            Op::Drain => {
                self.drained = true;
                let decision = self.planner.handle_drain(Drain::Finish);
                self.take(decision);
            }
        }
    }

    /// A job of the file, one of all that there ever were.
    fn name(&self, at: usize) -> JobName {
        let names: Vec<&JobName> = self.ledger.known.iter().collect();
        names[at % names.len()].clone()
    }

    fn trigger(&mut self, at: usize) {
        let name = self.name(at);
        self.wake(Lapse::Suspended);
        let env = [("A".to_owned(), self.now.to_string())].into();
        let asked = Asked { by: "anna".to_owned(), repeats: Some(self.now - SignedDuration::from_hours(1)), env };
        let (decision, triggered) = self.planner.handle_trigger(&name, asked, self.now);
        match triggered {
            Some(Triggered::Opened(run)) => {
                let opened = |record: &Record| matches!(record, Record::Opened(entry) if entry.run == run);
                assert!(decision.records.iter().any(opened), "{decision:?}");
            }
            Some(Triggered::InTheWay(run)) => assert_eq!(self.planner.job_of(run), Some(&name)),
            None => assert_eq!(self.planner.is_enabled(&name), None),
        }
        self.take(decision);
    }

    fn stop(&mut self, at: usize, kill: bool) {
        let runs = self.planner.runs_of(&self.name(at));
        let was_wanted = |driver: &Self, run: &RunId| driver.ledger.rows[run].is_stopping;
        self.commit();
        let patient: Vec<RunId> = runs.iter().copied().filter(|run| !kill && !was_wanted(self, run)).collect();
        let decision = self.planner.handle_stop(&runs, kill, "anna", self.now);
        self.take(decision);
        self.commit();
        for run in runs.iter().filter(|run| self.planner.job_of(**run).is_some()) {
            assert!(patient.contains(run) && run.0 % 3 == 0 && was_wanted(self, run), "{run} was to end");
        }
    }

    fn whose(&self, job: Option<usize>) -> Whose {
        job.map(|at| self.name(at))
    }

    /// Whether a daemon knows who is meant: the ledger may not have heard of another name yet.
    fn is_known(&self, whose: &Whose) -> bool {
        whose.as_ref().is_none_or(|job| self.planner.is_enabled(job).is_some() || self.planner.pause(whose).is_some())
    }

    fn pause(&mut self, job: Option<usize>, span: Option<Duration>) {
        let whose = self.whose(job);
        if !self.is_known(&whose) {
            return;
        }
        self.wake(Lapse::Suspended);
        let pause =
            Pause { since: self.now, until: span.map(|span| self.now + span), reason: None, by: "anna".to_owned() };
        let decision = self.planner.handle_pause(&whose, pause, self.now);
        self.take(decision);
        self.nothing_paused_is_next();
    }

    fn resume(&mut self, job: Option<usize>) {
        let whose = self.whose(job);
        if !self.is_known(&whose) {
            return;
        }
        self.wake(Lapse::Suspended);
        let was_paused = |name: &JobName| self.planner.pause_of(name).is_some();
        let paused: Vec<JobName> = self.planner.names().filter(|name| was_paused(name)).cloned().collect();
        let decision = self.planner.handle_resume(&whose, "anna", self.now);
        self.take(decision);
        // What fell due in the pause is not made up for, however long its jitter would have delayed it.
        for name in paused {
            let next = self.planner.next_instants(&name, 1).pop();
            assert!(next.is_none_or(|next| next > self.now), "{name}: {next:?}");
        }
        assert_eq!(whose.as_ref().and_then(|job| self.planner.pause_of(job)), None);
    }

    fn skip(&mut self, at: usize, count: usize) {
        let name = self.name(at);
        if !self.is_known(&Some(name.clone())) {
            return;
        }
        self.wake(Lapse::Suspended);
        if count == 0 {
            let decision = self.planner.handle_unskip(&name, "anna", self.now);
            self.take(decision);
            assert!(self.planner.left_out(&name).is_empty());
            return;
        }
        let next = self.planner.next_instants(&name, count);
        let (decision, left_out) = self.planner.handle_skip(&name, count, "anna", self.now);
        assert_eq!(next, left_out);
        self.take(decision);
        let after = self.planner.next_instants(&name, 1);
        assert!(after.first().is_none_or(|after| left_out.iter().all(|due| due < after)), "{left_out:?}, {after:?}");
    }

    /// What is paused has no next instant while it is.
    fn nothing_paused_is_next(&mut self) {
        for name in jobs_of(self.file).iter().map(|job| job.name.clone()) {
            let until = self.planner.pause_of(&name).map(|pause| pause.until.unwrap_or(Timestamp::MAX));
            let next = self.planner.next_instants(&name, 1).pop();
            assert!(next.is_none_or(|next| until.is_none_or(|until| next >= until)), "{name}: {next:?}, {until:?}");
        }
    }

    fn restart(&mut self, file: usize, kept: bool) {
        // What was decided but not committed never was.
        let is_step = |record: &Record| match record {
            Record::SetBack { .. } => true,
            Record::Event(event) => event.kind == EventKind::ClockStep,
            _ => false,
        };
        self.forgot_step |= self.pending.iter().any(|(decision, _)| decision.records.iter().any(is_step));
        self.pending.clear();
        self.heard = self.ledger.heard.clone();
        self.heard.cut_back(self.now);
        if !kept {
            self.running.clear();
        }
        self.going.clear();
        self.delays = false;
        self.drained = false;
        self.file = file;
        let mut memory = self.ledger.memory(self.now);
        for run in &mut memory.open {
            run.goes_on = self.running.contains(&run.run);
            assert!(!run.goes_on || run.state == State::Running, "what runs is in the ledger as running");
        }
        // What ended without being recorded is recorded when it is asked for again.
        self.running.retain(|run| memory.open.iter().any(|open| open.run == *run));
        let stopping: Vec<RunId> =
            memory.open.iter().filter(|run| run.goes_on && run.is_stopping).map(|run| run.run).collect();
        let (planner, decision) = Planner::restore(&jobs_of(file), capacities(), memory, self.now);
        self.heard.rename_all(&decision, self.now);
        self.heard.set_file(&jobs_of(file), self.now);
        for run in stopping {
            let is_told = |action: &Action| matches!(action, Action::Stop { run: told, .. } if *told == run);
            assert!(decision.actions.iter().any(is_told), "{run} was to end, and is told nothing");
        }
        self.ledger.boots += 1;
        self.planner = planner;
        self.take(decision);
        self.wake(Lapse::DaemonDown);
    }

    fn rival(&mut self, at: usize) {
        let names: Vec<JobName> = jobs_of(self.file).iter().map(|job| job.name.clone()).collect();
        // What the planner says of a job with jitter is its start, not its instant.
        let Some(name) = names.get(at).filter(|name| name.as_str() != "spread") else {
            return;
        };
        let Some(due) = self.planner.next_of(name).filter(|due| *due > self.now) else {
            return;
        };
        // A daemon that takes an instant has accounted for those before it.
        if !self.delays && self.pending.is_empty() && self.ledger.known.contains(name) && !self.ledger.holds(name, due)
        {
            self.rivals += 1;
            let row = Row {
                job: name.clone(),
                cause: Some(Cause::Schedule),
                due,
                due_last: due,
                count: 1,
                state: State::Ended,
                outcome: Some(Outcome::Succeeded),
                reason: None,
                jitter: SignedDuration::ZERO,
                started: None,
                ended: Some(due),
                attempts: 0,
                tried: None,
                asked: None,
                is_stopping: false,
            };
            self.ledger.insert(RunId(-self.rivals), row);
            assert!(self.started.insert((name.clone(), due)));
            self.now = due;
            self.wake(Lapse::Suspended);
        }
    }

    /// Every instant of every definition is in the ledger exactly once.
    fn balance(&mut self) {
        self.restart(self.file, false);
        self.commit();
        let mut rows: BTreeMap<&JobName, Vec<(RunId, &Row)>> = BTreeMap::new();
        for (run, row) in &self.ledger.rows {
            rows.entry(&row.job).or_default().push((*run, row));
        }
        for definition in &self.ledger.definitions {
            let timing = &definition.timing;
            let rows = rows.get(&definition.job).map_or(&[][..], Vec::as_slice);
            let until = definition.until.unwrap_or(self.now).min(self.now);
            let in_force = definition.until.is_none();
            for due in timing.timetable.between(definition.since, until) {
                // It may still be put off.
                if in_force && definition.job.as_str() == "spread" && self.now < due + SignedDuration::from_mins(10) {
                    continue;
                }
                let covers = |row: &Row| row.due <= due && due <= row.due_last;
                let covering =
                    rows.iter().filter(|(_, row)| covers(row) && row.cause.is_none_or(Cause::names_instant)).count();
                // A stretch of skipped instants that grows may grow over one that a rival ran: only a run is refused.
                let with_rival = rows.iter().filter(|(run, row)| run.0 < 0 && row.due == due).count();
                let right = covering == 1 || covering == 1 + with_rival;
                assert!(right, "{} at {due} is accounted for {covering} times", definition.job);
            }
        }
        self.held_is_restated();
        if self.rivals == NO_RIVALS && !self.forgot_step {
            self.audit_balances();
        }
        if !self.set_back {
            self.counts_are_right();
            self.pauses_are_kept();
        }
    }

    /// A ledger that has lost what people have said is told all of it.
    fn held_is_restated(&self) {
        let mut anew = Ledger::default();
        let about_wishes = |record: &&Record| {
            matches!(record, Record::Job(_) | Record::Pause { .. } | Record::PauseException(_) | Record::LeftOut { .. })
        };
        self.planner
            .restate()
            .records
            .iter()
            .filter(about_wishes)
            .for_each(|record| anew.apply(record, &mut Vec::new()));
        assert_eq!(anew.held, self.ledger.held);
    }

    fn audit_balances(&self) {
        for (name, balanced) in self.ledger.audit(self.now) {
            assert!(balanced.differences.is_empty(), "{name}: {:#?}", balanced.differences);
        }
    }

    /// A job of `after end` has one instant at a time, and its pause between two runs.
    fn pauses_are_kept(&self) {
        for name in ["poll", "polled"] {
            let own = self.ledger.rows.range(RunId(0)..).map(|(_, row)| row);
            let runs: Vec<&Row> = own.filter(|row| row.job.as_str() == name && row.cause.is_some()).collect();
            // One that somebody asked for comes whenever it is asked for.
            for pair in runs.windows(2).filter(|pair| pair[1].cause != Some(Cause::Manual)) {
                let pause = pair[0].ended.map(|ended| pair[1].due.duration_since(ended));
                let shortest = SignedDuration::from_secs(90);
                assert!(pause.is_none_or(|pause| pause >= shortest), "{pair:?}");
                assert!(pair[0].outcome.is_some(), "{pair:?}");
            }
        }
    }

    /// An entry of several instants counts as many as its definition names between its first and its last.
    fn counts_are_right(&self) {
        // The starts of the daemon and the machine are named by no pattern.
        let unnamed = ["reboot", "poll", "follow", "last"];
        let is_unnamed = |row: &Row| unnamed.iter().any(|name| row.job.as_str().starts_with(name));
        let named = |row: &&Row| row.cause.is_none() && !is_unnamed(row);
        for row in self.ledger.rows.values().filter(named) {
            let definition = self
                .ledger
                .definitions
                .iter()
                .find(|d| d.job == row.job && d.since < row.due && d.until.is_none_or(|until| row.due_last <= until))
                .unwrap_or_else(|| panic!("no definition names the instants of {row:?}"));
            let timing = &definition.timing;
            let before = row.due - SignedDuration::from_micros(1);
            let tally = timing.timetable.tally(before, row.due_last).unwrap();
            assert_eq!((tally.count, tally.first, tally.last), (row.count, row.due, row.due_last), "{row:?}");
        }
    }
}

/// The same histories each time, and others for whoever asks for a number of them.
fn seed() -> RngSeed {
    if std::env::var_os("PROPTEST_CASES").is_some() { RngSeed::Random } else { RngSeed::Fixed(5) }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: seed(), ..ProptestConfig::default() })]

    #[test]
    fn every_history_balances(ops in ops()) {
        balances(ops);
    }
}

fn balances(ops: impl IntoIterator<Item = Op>) {
    let mut driver = Driver::new();
    ops.into_iter().for_each(|op| driver.apply(op));
    driver.balance();
}

/// What was missed under a definition that has ended does not grow under the next one, also when the clock has cut it.
#[test]
fn an_entry_is_of_one_definition_however_often_the_clock_cuts_it() {
    let sleep = |seconds| Op::Sleep(Duration::from_secs(seconds));
    balances([sleep(7780), Op::Reload(1), Op::SetClock(-5052), sleep(16831), Op::SetClock(-11910)]);
}

/// A job that is disabled takes its run of an instant that comes again to its other name, over an earlier job of that one.
#[test]
fn a_job_without_instants_takes_its_runs_along() {
    let crash = |file| Op::Crash { file, down: Duration::ZERO, boot: false, kept: false };
    let sleep = |seconds| Op::Sleep(Duration::from_secs(seconds));
    balances([Op::Reload(4), crash(2), sleep(3210), crash(1), Op::SetClock(-1), Op::Reload(4), sleep(481)]);
    // Where neither is in the file, each keeps what it has.
    let begin = [Op::Sleep(Duration::from_secs(30)), crash(4), Op::Reload(0), Op::Reload(3), Op::SetClock(-1)];
    balances(begin.into_iter().chain([Op::Reload(4), Op::Run(Duration::from_secs(61))]));
}

/// A job without a pause behind it is due as its definition begins, and that instant may be left out.
#[test]
fn the_first_instant_of_a_job_may_be_left_out() {
    balances([Op::SetClock(-1), Op::End(0), Op::Skip(10, 1)]);
}

/// What may be wrong with an entry.
#[derive(Debug, Clone, Copy)]
enum Wrong {
    Gone,
    Moved,
    Doubled,
    Shortened,
    Miscounted,
    Early,
    WithoutOutcome,
    EndsBeforeItBegins,
    WithoutDefinition,
}

const WRONG: [Wrong; 9] = [
    Wrong::Gone,
    Wrong::Moved,
    Wrong::Doubled,
    Wrong::Shortened,
    Wrong::Miscounted,
    Wrong::Early,
    Wrong::WithoutOutcome,
    Wrong::EndsBeforeItBegins,
    Wrong::WithoutDefinition,
];

impl Ledger {
    /// Entries that account for instants known in advance, and are not the last of their job.
    fn checkable(&self, now: Timestamp) -> Vec<RunId> {
        let scope = self.scope(now);
        let is_named = |row: &Row| {
            let in_force =
                |d: &&Definition| d.job == row.job && d.since < row.due && d.until.is_none_or(|u| row.due <= u);
            let before = row.due - SignedDuration::from_micros(1);
            self.definitions.iter().filter(in_force).any(|d| d.timing.timetable.next_after(before) == Some(row.due))
        };
        let mut newest: BTreeMap<&JobName, Timestamp> = BTreeMap::new();
        for row in self.rows.values().filter(|row| row.due <= now && is_named(row)) {
            let newest = newest.entry(&row.job).or_insert(row.due);
            *newest = row.due.max(*newest);
        }
        let is_followed = |row: &Row| newest.get(&row.job).is_some_and(|newest| row.due_last < *newest);
        let fits = |run: RunId, row: &Row| {
            let is_real = !scope.was_to_come(run, row.due + row.jitter);
            row.cause.is_none_or(|cause| cause == Cause::Schedule || cause == Cause::CatchUp)
                && is_real
                && is_named(row)
                && is_followed(row)
        };
        self.rows.iter().filter(|(run, row)| fits(**run, row)).map(|(run, _)| *run).collect()
    }

    /// Makes something wrong with an entry; the answer is whether it was anything.
    fn spoil(&mut self, run: RunId, wrong: Wrong) -> bool {
        let second = SignedDuration::from_secs(1);
        let steps = self.steps_back.len();
        let highest = *self.rows.keys().last().unwrap();
        let row = self.rows.get_mut(&run).unwrap();
        match wrong {
            Wrong::Gone => {
                self.rows.remove(&run);
            }
            Wrong::Moved => {
                row.due += second;
                row.due_last = row.due_last.max(row.due);
            }
            Wrong::Doubled => {
                let row = row.clone();
                self.rows.insert(RunId(highest.0 + 1), row);
            }
            Wrong::Shortened if row.count > 1 => row.due_last = row.due,
            Wrong::Miscounted => row.count += 1,
            Wrong::Early if row.started.is_some() => row.started = Some(row.due + row.jitter - second),
            Wrong::WithoutOutcome if row.state == State::Ended => row.outcome = None,
            Wrong::EndsBeforeItBegins if row.started.is_some() && row.ended.is_some() && steps == 0 => {
                row.ended = row.started.map(|started| started - second);
            }
            // A stretch that was skipped may be of moments at which another job called for it.
            Wrong::WithoutDefinition if row.cause.is_some() => {
                let (job, due) = (row.job.clone(), row.due);
                self.definitions.retain(|d| d.job != job || due <= d.since || d.until.is_some_and(|until| until < due));
            }
            Wrong::Shortened
            | Wrong::Early
            | Wrong::WithoutOutcome
            | Wrong::EndsBeforeItBegins
            | Wrong::WithoutDefinition => return false,
        }
        true
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, rng_seed: seed(), cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_wrong_with_an_entry_is_found(ops in ops(), dice in any::<u64>()) {
        let mut driver = Driver::new();
        for op in ops.into_iter().filter(|op| !matches!(op, Op::Rival(_))) {
            driver.apply(op);
        }
        driver.balance();
        let checkable = driver.ledger.checkable(driver.now);
        let mut dice = Dice(dice);
        for wrong in WRONG {
            let mut ledger = driver.ledger.clone();
            let picked = checkable.get(usize::try_from(dice.below(1 + checkable.len() as u64)).unwrap());
            if let Some(run) = picked && ledger.spoil(*run, wrong) {
                let found: usize = ledger.audit(driver.now).iter().map(|(_, balanced)| balanced.differences.len()).sum();
                prop_assert!(found > 0, "{wrong:?} is not found of {run}: {:?}", driver.ledger.rows[run]);
            }
        }
    }
}

/// Files of few instants, so that years of them can be counted.
const SPARSE: &str = r#"
    [jobs.hourly]
    schedule = "every 1h"
    command = "x"
    [jobs.all]
    schedule = "every 7h"
    catch_up = "all"
    command = "x"
    [jobs.berlin]
    schedule = "30 2 * * *"
    timezone = "Europe/Berlin"
    not_on = "weekends"
    catch_up_within = "30d"
    command = "x"
    [calendars.weekends]
    days = ["sat", "sun"]
"#;

/// Numbers that look random and are the same in each run of the test (Knuth's MMIX).
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }

    /// Seconds to years, as many short ones as long ones.
    fn step(&mut self) -> i64 {
        let longest = 1_u64 << (1 + self.below(26));
        let seconds = i64::try_from(1 + self.below(longest)).unwrap();
        if self.below(2) == 0 { seconds } else { -seconds }
    }
}

impl Driver {
    /// What is recorded up to now are the instants of the definitions, each once; and what is recorded of later times
    /// are runs alone.
    fn settles_exactly(&self) {
        let micro = SignedDuration::from_micros(1);
        for name in &self.ledger.known {
            let mut rows: Vec<&Row> = self.ledger.rows.values().filter(|row| row.job == *name).collect();
            rows.sort_by_key(|row| row.due);
            for pair in rows.windows(2) {
                assert!(pair[0].due_last < pair[1].due, "{pair:?} are about the same instant");
            }
            let definition = self.ledger.definitions.iter().find(|d| d.job == *name && d.until.is_none()).unwrap();
            let timetable = &definition.timing.timetable;
            let mut recorded = 0;
            for row in rows.iter().filter(|row| row.due > definition.since) {
                let named = timetable.count(row.due - micro, row.due_last);
                assert_eq!(named, row.count, "{row:?}");
                assert!(row.due_last <= self.now || row.cause.is_some(), "{row:?} at {}", self.now);
                recorded += if row.due <= self.now { row.count } else { 0 };
            }
            assert_eq!(recorded, timetable.count(definition.since, self.now), "{name} at {}", self.now);
        }
    }
}

/// A history of a hundred clock steps, with some hours after each.
fn clock_steps(jobs: &[Arc<Job>], seed: u64) {
    let mut dice = Dice(seed);
    let mut driver = Driver::of(jobs);
    for _ in 0..100 {
        driver.apply(Op::SetClock(dice.step()));
        driver.run(Duration::from_secs(dice.below(7_200)));
        while !driver.running.is_empty() && dice.below(3) > 0 {
            driver.end(0);
        }
    }
    driver.wake(Lapse::ClockSet);
    driver.settles_exactly();
}

/// Twenty thousand of them, and a hundred thousand where more histories are asked for.
#[test]
fn clock_steps_lose_and_repeat_nothing() {
    let jobs = jobs(SPARSE);
    let seeds = if std::env::var_os("PROPTEST_CASES").is_some() { 250 } else { 50 };
    std::thread::scope(|threads| {
        for part in 0..4 {
            let jobs = &jobs;
            threads.spawn(move || (0..seeds).for_each(|seed| clock_steps(jobs, part * seeds + seed)));
        }
    });
}

/// A year passes in a blink, and each of its minutes has its run.
#[test]
fn a_simulated_year_of_a_minutely_job() {
    let jobs = jobs("[jobs.minutely]\nschedule = \"* * * * *\"\ncommand = \"x\"\n");
    let begin: Timestamp = "2027-01-01T00:00:00Z".parse().unwrap();
    let end: Timestamp = "2028-01-01T00:00:00Z".parse().unwrap();
    let (mut planner, _) = Planner::restore(&jobs, PLACES, Memory::default(), begin);
    let mut runs = 0u64;
    while let Some(now) = planner.next_wakeup().filter(|next| *next <= end) {
        for action in planner.handle_wakeup(now, Lapse::Suspended).actions {
            let ended = Ended::unmeasured(Exit::Code(0), now);
            assert!(planner.handle_ended(action.run(), ended, now).actions.is_empty());
            runs += 1;
        }
    }
    assert_eq!(runs, 365 * 24 * 60);
}

/// A job that is gone was told to be overdue, a run of it succeeds all the same, and it comes back.
#[test]
fn a_run_outlives_a_job_that_is_overdue() {
    let crash = |file, kept| Op::Crash { file, down: Duration::ZERO, boot: false, kept };
    let run = || Op::Run(Duration::from_secs(90));
    let sleep = Op::Sleep(Duration::from_secs(14310));
    balances([Op::End(0), Op::Trigger(1), run(), crash(2, true), sleep, Op::End(0), crash(0, false), run()]);
}

/// A job is gone for longer than its `overdue_after`, comes back with the next start, and runs.
#[test]
fn a_job_that_comes_back_recovers_only_of_what_was_told() {
    let crash = |file, down| Op::Crash { file, down: Duration::from_secs(down), boot: false, kept: false };
    let run = |millis| Op::Run(Duration::from_millis(millis));
    balances([run(127_928), crash(3, 16025), crash(4, 2778), run(119_072)]);
}

/// A job takes the name of one that is gone, and a run of that one is lost with the restart: it is no failure of the new one.
#[test]
fn a_run_of_a_job_that_made_way_is_no_failure_of_the_next_of_its_name() {
    let crash = |file| Op::Crash { file, down: Duration::ZERO, boot: false, kept: false };
    let run = |seconds| Op::Run(Duration::from_secs(seconds));
    let begin = [crash(1), Op::Sleep(Duration::from_secs(6450)), run(0), Op::Rival(0), run(0), crash(4)];
    balances(begin.into_iter().chain([Op::Trigger(0), run(120), Op::Reload(0), crash(4)]));
}

/// What a job left running ends well after it came back under another name and is gone again, told to be overdue.
#[test]
fn a_run_outlives_a_job_that_was_renamed_while_it_was_gone() {
    let crash = |file, down, kept| Op::Crash { file, down: Duration::from_secs(down), boot: false, kept };
    let run = |seconds| Op::Run(Duration::from_secs(seconds));
    let begin = [Op::Trigger(11), Op::Sleep(Duration::ZERO), crash(1, 0, true), crash(4, 0, true)];
    balances(begin.into_iter().chain([crash(1, 14370, true), run(120), crash(4, 0, false), run(300)]));
}

/// Two runs of a job that may run beside itself go on where the file has it no more.
#[test]
fn what_goes_beside_itself_does_so_without_its_job_too() {
    let crash = Op::Crash { file: 1, down: Duration::from_secs(840), boot: false, kept: true };
    let pause = Op::Pause { job: None, span: Some(Duration::from_secs(691)) };
    balances([pause, Op::Resume(Some(3)), Op::Run(Duration::from_secs(450)), crash]);
}

/// A job fails and is gone, comes back under a name that it had before, recovers and fails again within `at_most_every`.
#[test]
fn a_failure_soon_after_another_waits_under_whatever_name() {
    let run = |millis| Op::Run(Duration::from_millis(millis));
    let sleep = |millis| Op::Sleep(Duration::from_millis(millis));
    let begin = [Op::End(0), sleep(74_674), run(464_160), Op::SetClock(0), Op::End(0), Op::SetClock(-596)];
    let then = [run(179_579), Op::End(0), Op::Delay(true), run(0), sleep(934), sleep(5_984_000), run(173_995)];
    let crash = Op::Crash { file: 4, down: Duration::from_secs(5929), boot: false, kept: false };
    let end = [run(180_374), crash, Op::Reload(3), Op::Reload(4), run(179_284)];
    balances(begin.into_iter().chain(then).chain(end));
}

/// A run goes on for long while nobody is to hear of its job, and then somebody is again, who knows that it is slow.
#[test]
fn a_run_is_slow_once_though_its_job_told_nobody_in_between() {
    let begin = || [Op::SetClock(30), Op::Sleep(Duration::from_secs(300))].into_iter();
    balances(begin().chain([Op::Reload(1), Op::Reload(2)]));
    let crash = |file| Op::Crash { file, down: Duration::ZERO, boot: false, kept: true };
    balances(begin().chain([crash(1), crash(2)]));
}

/// A run that was slow fails while nobody is to hear of its job: that is none of the failures that are told later.
#[test]
fn a_failure_while_nobody_listens_is_not_counted() {
    let begin = [Op::SetClock(30), Op::Sleep(Duration::from_secs(300)), Op::Reload(1)];
    let fails = |run: usize| [Op::End(run), Op::Run(Duration::from_secs(61))].into_iter();
    let fail_all = (0..3).flat_map(fails);
    balances(begin.into_iter().chain(fail_all).chain([Op::Reload(2)]).chain((0..9).flat_map(fails)));
}

/// A job comes back under the name that it had before the last, and nobody is to hear of it for a while.
#[test]
fn a_job_that_told_nobody_is_overdue_from_when_it_tells_again() {
    let crash = Op::Crash { file: 1, down: Duration::from_secs(14400), boot: false, kept: false };
    balances([Op::Trigger(0), Op::Reload(3), Op::Reload(4), Op::Reload(0), crash, Op::Reload(2)]);
}

/// The clock is set back, and that is not in the ledger when the daemon ends: what was told long ago is forgotten by then.
#[test]
fn what_was_told_long_ago_is_past_though_a_step_of_the_clock_is_lost() {
    let run = |millis| Op::Run(Duration::from_millis(millis));
    let crash = Op::Crash { file: 2, down: Duration::ZERO, boot: false, kept: false };
    balances([Op::Delay(true), run(690_332), run(899_668), Op::SetClock(-5346), crash, run(66_000)]);
}

/// A run goes on while its job tells nobody any more and is taken out then: nobody is told that it is slow.
#[test]
fn a_run_of_a_job_that_is_gone_is_told_to_whom_it_told_last() {
    let begin = [Op::SetClock(30), Op::Run(Duration::from_secs(60)), Op::Reload(1)];
    balances(begin.into_iter().chain([Op::Sleep(Duration::from_secs(400)), Op::Reload(3)]));
}

/// A job that is gone is overdue when its history has gone to another name.
#[test]
fn a_name_without_a_history_is_remembered_by_nobody() {
    let crash = |down| Op::Crash { file: 0, down: Duration::from_secs(down), boot: false, kept: false };
    let begin = [Op::Reload(4), crash(0), crash(90), Op::Reload(1), Op::SetClock(-1), Op::Reload(4)];
    balances(begin.into_iter().chain([Op::Sleep(Duration::from_secs(14311))]));
}

/// An entry that was made in a time that comes again is of a job that has made way: it is cut all the same.
#[test]
fn what_was_missed_by_a_job_that_made_way_is_cut_with_the_clock() {
    let crash = |file| Op::Crash { file, down: Duration::ZERO, boot: false, kept: false };
    let begin = [Op::Reload(4), Op::Sleep(Duration::from_secs(90)), crash(0), Op::Drain, Op::SetClock(-5884)];
    balances(begin.into_iter().chain([crash(4), Op::SetClock(5824)]));
}

/// A run of a job that is gone was told to be slow, and its job comes back under another name, of which something is known.
#[test]
fn a_run_is_slow_once_under_whatever_name() {
    let run = |seconds| Op::Run(Duration::from_secs(seconds));
    let sleep = || Op::Sleep(Duration::from_secs(300));
    balances([Op::Reload(4), Op::Reload(2), run(30), Op::Reload(3), sleep(), Op::Reload(4)]);
    let crash = |file, down| Op::Crash { file, down: Duration::from_secs(down), boot: false, kept: false };
    let begin = [crash(0, 10565), Op::Reload(4), crash(0, 5245), Op::SetClock(60), Op::Reload(3), run(300)];
    balances(begin.into_iter().chain([Op::Reload(4)]));
}

/// A run fails of a job that told nobody anything before it was taken out, and that tells again later.
#[test]
fn a_failure_of_a_job_that_is_gone_and_told_nobody_is_not_counted() {
    let crash = |file, down| Op::Crash { file, down: Duration::from_secs(down), boot: false, kept: false };
    let sleep = |millis| Op::Sleep(Duration::from_millis(millis));
    let run = |millis| Op::Run(Duration::from_millis(millis));
    let begin = [sleep(506_288), crash(2, 3469), sleep(11_832_000), Op::Delay(true), run(51_712), run(398_000)];
    let end = [crash(3, 13_883), Op::Reload(1), sleep(112_972), Op::Reload(3), Op::End(2), crash(2, 0), sleep(17_028)];
    balances(begin.into_iter().chain(end));
}

/// A job that is gone is paused, and another one takes its name: whatever the ledger calls what is left, nobody pauses that.
#[test]
fn a_pause_ends_where_its_job_makes_way() {
    let crash = |file| Op::Crash { file, down: Duration::ZERO, boot: false, kept: false };
    let begin = [crash(4), crash(0), Op::Reload(4), Op::Pause { job: Some(3), span: None }];
    balances(begin.into_iter().chain([Op::Reload(0), Op::Delay(true), Op::Reload(4)]));
}

/// The instant that follows from the end of a run has a run from before the clock was set back, and a pause holds.
#[test]
fn an_instant_after_an_end_that_comes_again_is_not_skipped_too() {
    let run = |millis| Op::Run(Duration::from_millis(millis));
    let begin = [run(767_649), Op::SetClock(-17886), Op::SetClock(13666), Op::Delay(true)];
    let pause = Op::Pause { job: None, span: None };
    let then = [pause, Op::SetClock(240), Op::End(0), Op::SetClock(0), run(381_814), run(440_537), Op::Commit];
    let crash = Op::Crash { file: 1, down: Duration::from_secs(1280), boot: false, kept: false };
    let end = [Op::End(0), crash, run(372_143), run(737_857)];
    balances(begin.into_iter().chain(then).chain(end));
}

/// Runs of a job that may run beside itself go on while it is gone, and it comes back.
#[test]
fn what_goes_beside_itself_still_does_when_its_job_comes_back() {
    let crash = Op::Crash { file: 1, down: Duration::ZERO, boot: false, kept: true };
    let pause = Op::Pause { job: None, span: None };
    let run = |seconds| Op::Run(Duration::from_secs(seconds));
    balances([pause, Op::Resume(Some(3)), run(90), crash, Op::Reload(0), run(360)]);
}

/// An instant comes again whose run went to another name while it was past.
#[test]
fn an_instant_is_free_again_when_its_run_has_another_name() {
    let run = |seconds| Op::Run(Duration::from_secs(seconds));
    let begin = [run(30), Op::SetClock(-1), run(1), Op::Reload(3), Op::Reload(4), Op::SetClock(-1)];
    balances(begin.into_iter().chain([Op::Reload(0), run(61)]));
    let crash = Op::Crash { file: 1, down: Duration::from_secs(28919), boot: false, kept: false };
    let begin = [Op::Run(Duration::from_millis(105_923)), Op::SetClock(-7622), crash, Op::Reload(4)];
    let end =
        [Op::SetClock(-4618), Op::Reload(0), Op::SetClock(-16695), Op::Run(Duration::from_millis(155_077)), run(25)];
    balances(begin.into_iter().chain(end));
}

/// A job that is gone makes way for another of its name: nobody is told that what is left of it is overdue, nor that the one
/// is that has its name now.
#[test]
fn nobody_waits_for_what_has_another_name() {
    let crash =
        |file, hours: u64| Op::Crash { file, down: Duration::from_secs(hours * 3600), boot: false, kept: false };
    let late = || Op::Sleep(Duration::from_secs(5 * 3600));
    // Taken over while the daemon is there, and then with a restart.
    balances([Op::Reload(4), Op::Reload(0), Op::Reload(4), crash(4, 0), late()]);
    balances([Op::Reload(4), crash(0, 0), crash(4, 0), crash(4, 5)]);
    // The name is in the file already when it is said whose it was.
    balances([Op::Reload(4), Op::Reload(0), Op::Reload(3), Op::Reload(4), late(), crash(4, 5)]);
    balances([crash(3, 0), crash(4, 0), late(), crash(4, 5)]);
}

/// A run goes on of a job that comes back under the name of an earlier one, and is gone again: it is the new one's for good.
#[test]
fn what_an_earlier_job_left_makes_way_for_a_run_that_goes_on() {
    let run = || Op::Run(Duration::from_secs(420));
    let reload = Op::Reload;
    balances([reload(4), reload(0), run(), reload(2), reload(4), reload(0), run()]);
    let crash = |file| Op::Crash { file, down: Duration::ZERO, boot: false, kept: true };
    balances([reload(4), reload(0), run(), crash(2), crash(4), crash(0), run()]);
}

/// What was decided under one name begins when the ledger has another for it.
#[test]
fn what_begins_late_has_the_name_of_by_then() {
    let begin = [Op::Delay(true), Op::Reload(1), Op::SetClock(3450), Op::Reload(4), Op::Delay(false)];
    balances(begin.into_iter().chain([Op::Reload(1), Op::SetClock(6540), Op::End(3)]));
}

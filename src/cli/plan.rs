//! `punctual plan`: what are the coming days going to be like?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::args::{Global, PlanArguments};
use super::check::read_in_force;
use super::heat::{self, Heat};
use super::held::held;
use super::moment::moment;
use super::places::{ask, open_ledger_if_any, unreadable};
use super::screen::{Screen, counted, span, time_in, visible};
use super::table::Cell;
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::job::{Job, JobName};
use crate::plan::{Crowd, Forecast, Held, JobForecast, Outlook, forecast};
use crate::report::{
    ClockChange, Collision, DisturbedJob, PlanReport, PlannedHour, PlannedJob, PlannedStarts, Seconds, Time,
};
use crate::schedule::Transition;
use crate::when::Toward;

/// So many jobs of a minute are named; of more, how many there are.
const MOST_NAMED: usize = 6;

pub fn run(global: &Global, verb: &PlanArguments, screen: &mut Screen) -> Answer {
    let from = match &verb.from {
        Some(text) => moment("--from", text, Toward::Future, screen)?.first,
        None => Clock::System.now(),
    };
    let configuration = read_in_force(global, screen)?;
    let jobs = &configuration.checked.jobs;
    let until = from
        .checked_add(SignedDuration::from_hours(24 * i64::from(verb.days)))
        .map_err(|_| Refusal::new(Done::Misused, "that is later than time can be counted"))?;
    let usual = usual_durations(global)?;
    let held = held(global, screen);
    let capacities = configuration.capacities();
    let forecast = forecast(jobs, Outlook { from, until, capacities, held: held.clone(), usual: &usual });
    let report = PlanReport {
        from: Time(from),
        until: Time(until),
        jobs: jobs.iter().map(|job| planned_job(job, (&forecast, &held), &usual, from, until)).collect(),
        hours: hours(&forecast, from),
        busiest: forecast.busiest.iter().map(collision).collect(),
        most_running: forecast.most_running,
        max_running: configuration.settings.max_running,
        waiting: forecast.waited,
        clock_changes: clock_changes(jobs, from, until),
    };
    if screen.json {
        screen.value(&report);
        return Ok(Done::Well);
    }
    let heat = Heat::of(&forecast.minutes, from, until, screen.zone());
    show(&report, &heat, screen);
    Ok(Done::Well)
}

/// How long a run of each job usually takes, by the ledger.
fn usual_durations(global: &Global) -> Result<BTreeMap<JobName, Duration>, Refusal> {
    let durations = ask(async {
        match open_ledger_if_any(global).await? {
            Some(ledger) => ledger.durations().await.map_err(|error| unreadable(&error)),
            None => Ok(Vec::new()),
        }
    })??;
    let median = |(name, sorted): (String, Vec<i64>)| {
        let middle = *sorted.get(sorted.len() / 2)?;
        Some((JobName::new(&name).ok()?, Duration::from_micros(u64::try_from(middle).ok()?)))
    };
    Ok(durations.into_iter().filter_map(median).collect())
}

fn planned_job(
    job: &Job,
    (forecast, held): (&Forecast, &Held),
    usual: &BTreeMap<JobName, Duration>,
    from: Timestamp,
    until: Timestamp,
) -> PlannedJob {
    let counted = forecast.jobs.get(&job.name).copied().unwrap_or_default();
    let next =
        job.active_timing().and_then(|timing| held.next_open(&job.name, &timing.timetable, from)).map(|(due, _)| due);
    PlannedJob {
        job: job.name.to_string(),
        runs: counted.runs,
        overlaps: counted.overlapped,
        closed: counted.closed,
        paused: counted.paused,
        left_out: counted.left_out,
        usual_duration: usual.get(&job.name).copied().map(Seconds::from),
        silent: silence(job, counted, held, next.filter(|next| *next > until)),
        next: next.map(Time),
    }
}

/// Why a job does not run in this time.
fn silence(job: &Job, counted: JobForecast, held: &Held, later: Option<Timestamp>) -> Option<String> {
    if counted.runs > 0 {
        return None;
    }
    let Some(timing) = &job.timing else {
        let after: Vec<&str> = job.rules.after.iter().map(JobName::as_str).collect();
        return Some(if after.is_empty() { "by hand only".to_owned() } else { format!("after {}", after.join(", ")) });
    };
    let is_paused = held.pauses.of(&job.name).is_some_and(|pause| pause.until.is_none());
    let waits = timing.schedules().iter().any(|schedule| schedule.moment().is_some());
    Some(match later {
        _ if !job.enabled => "disabled".to_owned(),
        _ if is_paused => "paused".to_owned(),
        Some(_) => "later".to_owned(),
        None if waits => "at a start of the daemon or the machine".to_owned(),
        None if counted.closed > 0 => "its calendars skip all its instants".to_owned(),
        None => "never again".to_owned(),
    })
}

fn hours(forecast: &Forecast, from: Timestamp) -> Vec<PlannedHour> {
    let begin = Timestamp::from_second(from.as_second().div_euclid(60) * 60).unwrap_or(from);
    (0..)
        .zip(forecast.minutes.chunks(60))
        .map(|(hour, minutes)| PlannedHour {
            from: Time(begin + SignedDuration::from_hours(hour)),
            runs: minutes.iter().copied().map(u64::from).sum(),
        })
        .collect()
}

fn collision(crowd: &Crowd) -> Collision {
    let starts = |(job, starts): &(JobName, u32)| PlannedStarts { job: job.to_string(), starts: *starts };
    Collision {
        minute: Time(crowd.minute),
        starts: crowd.starts,
        jobs: crowd.jobs.iter().map(starts).collect(),
        times: crowd.times,
    }
}

/// When the clocks of the jobs' zones change, and which jobs that disturbs.
fn clock_changes(jobs: &[Arc<Job>], from: Timestamp, until: Timestamp) -> Vec<ClockChange> {
    let mut zones: BTreeMap<&str, Vec<&Job>> = BTreeMap::new();
    for job in jobs {
        if let Some(timing) = job.active_timing() {
            zones.entry(&timing.written.zone).or_default().push(job);
        }
    }
    let mut changes = Vec::new();
    for (name, jobs) in zones {
        let Some(timing) = jobs[0].active_timing() else {
            continue;
        };
        for transition in Transition::between(&timing.timetable.place.zone, from, until) {
            let sign = if transition.is_gap() { 1 } else { -1 };
            changes.push(ClockChange {
                at: Time(transition.at),
                timezone: name.to_owned(),
                by: Seconds::from_micros(sign * i64::try_from(transition.length().as_micros()).unwrap_or(0)),
                jobs: jobs.iter().flat_map(|job| disturbed(job, &transition)).collect(),
            });
        }
    }
    changes.sort_by_key(|change| change.at);
    changes
}

fn disturbed(job: &Job, transition: &Transition) -> Vec<DisturbedJob> {
    let Some(timing) = job.active_timing() else {
        return Vec::new();
    };
    let disturbances = timing.timetable.disturbed_by(transition);
    disturbances
        .iter()
        .map(|disturbance| DisturbedJob {
            job: job.name.to_string(),
            schedule: disturbance.schedule.text().to_owned(),
            effect: disturbance.effect.word(),
            count: disturbance.count,
        })
        .collect()
}

fn show(report: &PlanReport, heat: &Heat, screen: &mut Screen) {
    let runs: u64 = report.jobs.iter().map(|job| job.runs).sum();
    let (from, until) = (screen.time(report.from), screen.time(report.until));
    let (runs, jobs) = (counted(runs, "run"), counted(report.jobs.len() as u64, "job"));
    screen.line(format!("{from} to {until}: {runs} of {jobs}"));
    screen.line("");
    heat::show(heat, screen);
    show_collisions(report, screen);
    show_limits(report, screen);
    show_skipped(report, screen);
    show_clock_changes(report, screen);
    show_silent(report, screen);
}

fn heading(text: &str, screen: &mut Screen) {
    screen.line("");
    screen.line(screen.paint(text, owo_colors::Style::new().bold()));
}

fn show_collisions(report: &PlanReport, screen: &mut Screen) {
    if report.busiest.is_empty() {
        return;
    }
    heading("Busiest minutes", screen);
    let who = |collision: &Collision| {
        let name = |job: &PlannedStarts| match job.starts {
            1 => job.job.clone(),
            starts => format!("{} ×{starts}", job.job),
        };
        let mut names: Vec<String> = collision.jobs.iter().take(MOST_NAMED).map(name).collect();
        if collision.jobs.len() > MOST_NAMED {
            names.push(format!("and {} more", collision.jobs.len() - MOST_NAMED));
        }
        names.join(", ")
    };
    let row = |collision: &Collision| -> Vec<Cell> {
        let minute = screen.time(collision.minute);
        let minute = minute.rsplit_once(':').map_or(minute.as_str(), |(minute, _)| minute).to_owned();
        let like = if collision.times > 1 { format!("{} times", collision.times) } else { "once".to_owned() };
        vec![minute.into(), like.into(), collision.starts.to_string().into(), who(collision).into()]
    };
    let rows = report.busiest.iter().map(row).collect();
    screen.table(&["FIRST", "LIKE IT", "STARTS", "JOBS"], rows);
    screen.prose("LIKE IT: minutes with the same starts; ×2: two starts of one job in that minute");
}

fn show_limits(report: &PlanReport, screen: &mut Screen) {
    let known = report.jobs.iter().filter(|job| job.usual_duration.is_some()).count();
    heading("At once", screen);
    let places = counted(report.max_running as u64, "place");
    screen.line(format!("{} at the most, of {places}", counted(report.most_running as u64, "run")));
    if report.waiting > 0 {
        screen.line(format!("{} to wait for a place or a pool", counted(report.waiting, "run")));
    }
    if known < report.jobs.len() {
        let unknown = counted((report.jobs.len() - known) as u64, "job");
        screen.prose(&format!("{unknown} without a successful run to measure; theirs take no time here"));
    }
}

fn show_skipped(report: &PlanReport, screen: &mut Screen) {
    let skipped: Vec<&PlannedJob> =
        report.jobs.iter().filter(|job| job.overlaps + job.closed + job.paused + job.left_out > 0).collect();
    if skipped.is_empty() {
        return;
    }
    heading("Skipped", screen);
    let row = |job: &&PlannedJob| -> Vec<Cell> {
        let overlaps = match (job.overlaps, job.usual_duration) {
            (0, _) => String::new(),
            (count, Some(usual)) => format!("{count} while it still runs, usually for {}", span(usual)),
            (count, None) => format!("{count} while it still runs"),
        };
        let others = [(job.closed, "by its calendars"), (job.paused, "while it is paused"), (job.left_out, "by hand")];
        let others = others.iter().filter(|(count, _)| *count > 0).map(|(count, why)| format!("{count} {why}"));
        let all: Vec<String> = Some(overlaps).into_iter().filter(|text| !text.is_empty()).chain(others).collect();
        vec![job.job.clone().into(), job.runs.to_string().into(), all.join(", ").into()]
    };
    let rows = skipped.iter().map(row).collect();
    screen.table(&["JOB", "RUNS", "INSTANTS SKIPPED"], rows);
}

fn show_clock_changes(report: &PlanReport, screen: &mut Screen) {
    if report.clock_changes.is_empty() {
        return;
    }
    heading("Clock changes", screen);
    for change in &report.clock_changes {
        let (way, by) = if change.by.0 < 0.0 { ("back", -change.by.0) } else { ("forward", change.by.0) };
        let at = screen.time(change.at);
        screen.line(format!("{at}  {} {way} by {}", change.timezone, span(Seconds(by))));
        if change.jobs.is_empty() {
            screen.line(screen.dim("  no job has a fixed time there"));
        }
        for job in &change.jobs {
            screen.line(format!("  {}  {}  {}", job.job, visible(&job.schedule), effect_in_words(job)));
        }
    }
}

fn effect_in_words(job: &DisturbedJob) -> String {
    let times = if job.count == 1 { "1 time".to_owned() } else { format!("{} times", job.count) };
    match job.effect {
        "shifted" => format!("{times} that day does not have: runs when the gap ends"),
        "skipped" => format!("{times} that day does not have: skipped"),
        "first-pass" => format!("{times} that day has twice: runs the first time"),
        "second-pass" => format!("{times} that day has twice: runs the second time"),
        _ => format!("{times} that day has twice: runs both times"),
    }
}

fn show_silent(report: &PlanReport, screen: &mut Screen) {
    let silent: Vec<&PlannedJob> = report.jobs.iter().filter(|job| job.silent.is_some()).collect();
    if silent.is_empty() {
        return;
    }
    heading("Will not run in this time", screen);
    let zone: TimeZone = screen.zone().clone();
    let row = |job: &&PlannedJob| -> Vec<Cell> {
        let why = match (&job.silent, job.next) {
            (Some(why), Some(next)) if why == "later" => format!("not before {}", time_in(next.0, &zone)),
            (why, _) => why.clone().unwrap_or_default(),
        };
        vec![job.job.clone().into(), why.into()]
    };
    let rows = silent.iter().map(row).collect();
    screen.table(&["JOB", "WHY"], rows);
}

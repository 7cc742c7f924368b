//! `punctual show`: one run, or a job as it is defined, and its last run.

use serde_json::json;

use super::args::{Global, ShowArguments};
use super::history::outcome;
use super::output::{output_of, print_output};
use super::places::{ask, config_file, open_ledger, read, running_daemon, unreadable};
use super::screen::{Screen, bytes, span, visible};
use super::subject::{find_run, no_job, parse_run};
use super::table::Cell;
use super::{Answer, Done};
use crate::job::{CommandLine, Job, JobName, Limits, Overlap, Standing, Task, Timing};
use crate::jobfile::{JobPlaces, Origin, Source};
use crate::report::{AttemptReport, Entry, RunReport, Seconds, Time};
use crate::run::{Outcome, RunId};
use crate::schedule::{Fold, Gap};

/// Lines of the output that are shown with a run; `logs` shows all.
const LINES: usize = 20;

pub fn run(global: &Global, verb: &ShowArguments, screen: &mut Screen) -> Answer {
    match parse_run(&verb.subject) {
        Some(run) => show_run(global, run?, screen),
        None => show_job(global, &verb.subject, screen),
    }
}

fn show_run(global: &Global, run: RunId, screen: &mut Screen) -> Answer {
    let (report, output) = ask(async {
        let ledger = open_ledger(global).await?;
        let entry = find_run(&ledger, run).await?;
        let output = output_of(&ledger, &entry).await?;
        let tried = ledger.attempts(run).await.map_err(|error| unreadable(&error))?;
        let caused_by = ledger.causes(run).await.map_err(|error| unreadable(&error))?;
        Ok((RunReport { entry, tried, caused_by }, output))
    })??;
    if screen.json {
        screen.value(&report);
        return Ok(Done::Well);
    }
    describe(&report.entry, screen);
    if !report.caused_by.is_empty() {
        let runs: Vec<String> = report.caused_by.iter().map(ToString::to_string).collect();
        print_fields(&[("caused by", format!("runs {}", runs.join(", ")))], screen);
    }
    show_attempts(&report.tried, screen);
    if !output.is_empty() {
        screen.line("");
        print_output(&output, Some(LINES), false, screen);
    }
    Ok(Done::Well)
}

fn describe(entry: &Entry, screen: &mut Screen) {
    let word = outcome(entry);
    let word = screen.paint(&word.text, word.style);
    let head = format!("run {} of {}: {word}", entry.run, entry.job);
    screen.line(head);
    let mut fields: Vec<(&str, String)> = Vec::new();
    if let Some(reason) = entry.reason {
        let detail = entry.detail.as_deref().map_or_else(String::new, |detail| format!(": {}", visible(detail)));
        fields.push(("reason", format!("{reason}{detail}")));
    } else if let Some(detail) = &entry.detail {
        fields.push(("now", visible(detail)));
    }
    fields.push(("cause", entry.cause.word().to_owned()));
    fields.push((if entry.due.is_some() { "due" } else { "asked" }, screen.time(Time(entry.at))));
    if let Some(last) = entry.due_last {
        fields.push(("to", format!("{} ({} instants)", screen.time(last), entry.count)));
    }
    if let Some(started) = entry.started {
        let late = entry.late.map_or_else(String::new, |late| format!(" ({} late)", span(late)));
        fields.push(("started", format!("{}{late}", screen.time(started))));
    }
    if entry.waited.0 > 0.0 {
        fields.push(("waited", span(entry.waited)));
    }
    if let Some(ended) = entry.ended {
        let took = entry.duration.map_or_else(String::new, |took| format!(" (took {})", span(took)));
        fields.push(("ended", format!("{}{took}", screen.time(ended))));
    }
    if let Some(code) = entry.exit_code {
        fields.push(("exit code", code.to_string()));
    }
    if let Some(signal) = entry.signal {
        fields.push(("signal", signal.to_owned()));
    }
    if let Some(cpu) = entry.cpu {
        fields.push(("cpu", span(cpu)));
    }
    if let Some(memory) = entry.max_rss {
        fields.push(("memory", format!("{} at most", bytes(memory))));
    }
    let is_gap = entry.outcome.is_some_and(Outcome::is_gap);
    if !is_gap {
        fields.push(("attempts", entry.attempts.to_string()));
        fields.push(("output", bytes(entry.output_bytes)));
    }
    if let Some(host) = &entry.host {
        fields.push(("host", host.clone()));
    }
    print_fields(&fields, screen);
}

fn show_attempts(tried: &[AttemptReport], screen: &mut Screen) {
    if tried.is_empty() {
        return;
    }
    screen.line("");
    let row = |attempt: &AttemptReport| -> Vec<Cell> {
        vec![
            attempt.attempt.to_string().into(),
            attempt.started.map_or_else(String::new, |started| screen.time(started)).into(),
            attempt.duration.map_or_else(String::new, span).into(),
            attempt.outcome.word().into(),
            attempt.detail.as_deref().map(visible).unwrap_or_default().into(),
        ]
    };
    let rows = tried.iter().map(row).collect();
    screen.table(&["ATTEMPT", "STARTED", "TOOK", "OUTCOME", "WHY"], rows);
}

fn print_fields(fields: &[(&str, String)], screen: &mut Screen) {
    for (name, value) in fields {
        let name = screen.dim(&format!("{name:>14}"));
        screen.line(format!("{name}  {value}"));
    }
}

fn show_job(global: &Global, name: &str, screen: &mut Screen) -> Answer {
    let path = config_file(global, running_daemon(global).as_ref())?;
    let configuration = read(&path)?;
    let checked = &configuration.checked;
    let defined = checked.jobs_with_places().find(|(job, _)| job.name.as_str() == name);
    // A job that ran and is gone from the file still has its runs.
    let last = ask(async {
        let ledger = open_ledger(global).await.ok()?;
        ledger.last_run(name, false).await.ok()?
    })?;
    if defined.is_none() && last.is_none() {
        return Err(no_job(name, configuration.checked.jobs.iter().map(|job| job.name.as_str())));
    }
    if screen.json {
        screen.value(&json!({ "job": name, "definition": defined.map(|(job, _)| definition(job)), "origins": defined.map(|(_, places)| origins(places, &checked.source)), "last": last }));
        return Ok(Done::Well);
    }
    match defined {
        Some((job, places)) => {
            screen.line(format!("job {name} of {}", path.display()));
            for (key, value) in fields(job) {
                let (key, origin) = (format!("{key:>14}"), origin(places.origin(key), &checked.source));
                let (key, origin) = (screen.dim(&key), screen.dim(&format!("({origin})")));
                screen.line(format!("{key}  {value}  {origin}"));
            }
        }
        None => screen.line(format!("job {name} is no longer in {}", path.display())),
    }
    match last {
        Some(entry) => {
            screen.line("");
            describe(&entry, screen);
        }
        None => screen.line("it has not run yet"),
    }
    Ok(Done::Well)
}

/// Where a value comes from, in words.
fn origin(origin: &Origin, source: &Source) -> String {
    match origin {
        Origin::BuiltIn => "default".to_owned(),
        Origin::Defaults(span) => format!("[defaults], line {}", source.position(span.start).line),
        Origin::Job(span) => format!("line {}", source.position(span.start).line),
    }
}

fn origins(places: &JobPlaces, source: &Source) -> serde_json::Value {
    let one = |(key, from): &(&'static str, Origin)| ((*key).to_owned(), json!(origin(from, source)));
    serde_json::Value::Object(places.origins.iter().map(one).collect())
}

fn definition(job: &Job) -> serde_json::Value {
    let Task::Command(command) = &job.task;
    let schedules: Option<Vec<&str>> =
        job.timing.as_ref().map(|timing| timing.schedules().iter().map(|schedule| schedule.text()).collect());
    let line = match &command.line {
        CommandLine::Shell { text, .. } => json!(text),
        CommandLine::Program(argv) => json!(argv),
    };
    let env: serde_json::Map<String, serde_json::Value> =
        command.env.iter().map(|(name, value)| (name.clone(), json!(value))).collect();
    json!({
        "description": job.description,
        "enabled": job.enabled,
        "schedule": schedules,
        "in_words": job.timing.as_ref().map(|timing| in_words(timing)),
        "timezone": job.timing.as_ref().map(|timing| &timing.written.zone),
        "not_before": job.timing.as_ref().and_then(|timing| timing.written.not_before.as_ref()),
        "not_after": job.timing.as_ref().and_then(|timing| timing.written.not_after.as_ref()),
        "not_on": job.timing.as_ref().map(|timing| calendars(timing)),
        "not_on_then": job.timing.as_ref().map(|timing| timing.written.not_on_then.as_deref().unwrap_or("skip")),
        "jitter": job.jitter.map(|jitter| Seconds::from(jitter.within())),
        "user": command.standing.user,
        "group": command.standing.group,
        "umask": command.standing.umask.map(|bits| format!("{bits:03o}")),
        "nice": command.standing.nice,
        "limits": limits(&command.standing.limits),
        "command": line,
        "argv": command.line.argv(),
        "cwd": command.cwd,
        "env": env,
        "env_file": command.env_files,
        "stdin": command.stdin,
        "timeout": command.timeout.map(Seconds::from),
        "stop_signal": command.stop_signal.word(),
        "kill_after": Seconds::from(command.kill_after),
        "output_limit": command.output_limit,
        "success_codes": command.success_codes,
        "dst_gap": job.timing.as_ref().and_then(|timing| timing.timetable.place.gap).and_then(Gap::word),
        "dst_fold": job.timing.as_ref().and_then(|timing| timing.timetable.place.fold).and_then(Fold::word),
        "overlap": job.rules.overlap.word(),
        "queue_limit": queue_limit(job),
        "pool": job.rules.pools,
        "after": job.rules.after,
        "retries": job.rules.retries.most,
        "retry_delay": Seconds::from(job.rules.retries.delay),
        "retry_max_delay": Seconds::from(job.rules.retries.max_delay),
        "no_retry_codes": job.rules.retries.no_codes,
        "catch_up": job.rules.catch_up.word(),
        "catch_up_within": job.rules.catch_up_within.map(Seconds::from),
    })
}

fn names(jobs: &[JobName]) -> String {
    jobs.iter().map(JobName::as_str).collect::<Vec<_>>().join(", ")
}

fn queue_limit(job: &Job) -> Option<usize> {
    match job.rules.overlap {
        Overlap::Queue { limit } => Some(limit),
        Overlap::Skip | Overlap::Replace | Overlap::Allow => None,
    }
}

fn limits(limits: &Limits) -> serde_json::Value {
    json!({
        "memory": limits.memory,
        "cpu": limits.cpu.map(|share| format!("{share}%")),
        "processes": limits.processes,
        "open_files": limits.open_files,
        "required": limits.required,
    })
}

/// What of a job's standing is not the daemon's.
fn standing(standing: &Standing) -> Vec<(&'static str, String)> {
    let Standing { user, group, umask, nice, limits } = standing;
    let mut fields = Vec::new();
    fields.extend(user.as_ref().map(|user| ("user", visible(user))));
    fields.extend(group.as_ref().map(|group| ("group", visible(group))));
    fields.extend(umask.map(|bits| ("umask", format!("{bits:03o}"))));
    fields.extend(nice.map(|nice| ("nice", nice.to_string())));
    let memory = limits.memory.map(|memory| format!("memory {}", bytes(i64::try_from(memory).unwrap_or(i64::MAX))));
    let cpu = limits.cpu.map(|share| format!("cpu {share}%"));
    let processes = limits.processes.map(|number| format!("processes {number}"));
    let open_files = limits.open_files.map(|number| format!("open_files {number}"));
    let all: Vec<String> = [memory, cpu, processes, open_files].into_iter().flatten().collect();
    if !all.is_empty() {
        let otherwise = if limits.required { "" } else { ", where they can be had" };
        fields.push(("limits", format!("{}{otherwise}", all.join(", "))));
    }
    fields
}

fn in_words(timing: &Timing) -> Vec<String> {
    timing.schedules().iter().map(|schedule| schedule.in_words()).collect()
}

fn calendars(timing: &Timing) -> Vec<&str> {
    timing.written.not_on.iter().map(|calendar| calendar.name.as_str()).collect()
}

/// A job's keys as resolved.
fn fields(job: &Job) -> Vec<(&'static str, String)> {
    let Task::Command(command) = &job.task;
    let mut fields = Vec::new();
    if let Some(description) = &job.description {
        fields.push(("description", visible(description)));
    }
    fields.push(("enabled", job.enabled.to_string()));
    match &job.timing {
        Some(timing) => {
            let schedules: Vec<_> = timing.schedules().iter().map(|schedule| schedule.text().to_owned()).collect();
            fields.push(("schedule", visible(&schedules.join("; "))));
            fields.push(("", in_words(timing).join("; ")));
            fields.push(("timezone", timing.written.zone.clone()));
            let written = &timing.written;
            fields.extend(written.not_before.iter().map(|bound| ("not_before", bound.clone())));
            fields.extend(written.not_after.iter().map(|bound| ("not_after", bound.clone())));
            if !written.not_on.is_empty() {
                fields.push(("not_on", visible(&calendars(timing).join(", "))));
                fields.push(("not_on_then", written.not_on_then.clone().unwrap_or_else(|| "skip".to_owned())));
            }
        }
        None if !job.rules.after.is_empty() => fields.push(("after", names(&job.rules.after))),
        None => fields.push(("schedule", "none: by hand only".to_owned())),
    }
    if let Some(jitter) = job.jitter {
        fields.push(("jitter", span(jitter.within().into())));
    }
    fields.push(("command", visible(&format!("{:?}", command.line.argv()))));
    fields.extend(standing(&command.standing));
    fields.push(("cwd", command.cwd.as_ref().map_or("the user's home".to_owned(), |cwd| cwd.display().to_string())));
    for (name, value) in &command.env {
        fields.push(("env", visible(&format!("{name}={value}"))));
    }
    for path in &command.env_files {
        fields.push(("env_file", path.display().to_string()));
    }
    fields.push(("timeout", command.timeout.map_or("none".to_owned(), |timeout| span(timeout.into()))));
    fields.push(("stop_signal", command.stop_signal.word().to_owned()));
    fields.push(("kill_after", span(command.kill_after.into())));
    fields.push(("output_limit", bytes(i64::try_from(command.output_limit).unwrap_or(i64::MAX))));
    fields.push(("success_codes", format!("{:?}", command.success_codes)));
    fields.push(("overlap", job.rules.overlap.word().to_owned()));
    fields.extend(queue_limit(job).map(|limit| ("queue_limit", limit.to_string())));
    if !job.rules.pools.is_empty() {
        fields.push(("pool", visible(&job.rules.pools.join(", "))));
    }
    let retries = &job.rules.retries;
    fields.push(("retries", retries.most.to_string()));
    if retries.most > 0 {
        fields.push(("retry_delay", span(retries.delay.into())));
        fields.push(("retry_max_delay", span(retries.max_delay.into())));
        fields.push(("no_retry_codes", format!("{:?}", retries.no_codes)));
    }
    fields.push(("catch_up", job.rules.catch_up.word().to_owned()));
    if let Some(within) = job.rules.catch_up_within {
        fields.push(("catch_up_within", span(within.into())));
    }
    fields
}

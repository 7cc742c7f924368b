//! `punctual show`: one run, or a job as it is defined, and its last run.

use serde_json::{Value, json};

use super::args::{Global, ShowArguments};
use super::definition::fields;
use super::held::paused_since;
use super::history::outcome;
use super::notices;
use super::output::{output_of, print_output};
use super::places::{ask, in_force_or_file, open_ledger, running_daemon, unreadable};
use super::screen::{Screen, bytes, span, visible};
use super::subject::parse_run;
use super::timeline::show_attempts;
use super::upcoming::next_run;
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::inquiry::{definition, held_in, no_job, pause_report, run_report, why_not};
use crate::job::{Job, JobName};
use crate::jobfile::{JobPlaces, Origin, Source};
use crate::plan::Held;
use crate::report::{AskedReport, Entry, Time, sentences};
use crate::run::{Outcome, RunId};

/// Lines of the output that are shown with a run; `logs` shows all.
const LINES: usize = 20;

/// What is asked most of a job, in the order of the screen.
const FIRST: [&str; 4] = ["description", "schedule", "after", ""];

pub fn run(global: &Global, verb: &ShowArguments, screen: &mut Screen) -> Answer {
    match parse_run(&verb.subject) {
        Some(run) => show_run(global, run?, screen),
        None => show_job(global, &verb.subject, screen),
    }
}

fn show_run(global: &Global, run: RunId, screen: &mut Screen) -> Answer {
    let (report, output, told) = ask(async {
        let ledger = open_ledger(global).await?;
        let report = run_report(&ledger, run).await?;
        let output = output_of(&ledger, &report.entry).await?;
        let told = notices::of_run(&ledger, run).await.map_err(|error| unreadable(&error))?;
        Ok::<_, Refusal>((report, output, told))
    })??;
    if screen.json {
        screen.value(&report);
        return Ok(Done::Well);
    }
    describe(&report.entry, screen);
    for sentence in sentences(&report.differences) {
        print_fields(&[("unusual", sentence)], screen);
    }
    if !report.caused_by.is_empty() {
        let runs: Vec<String> = report.caused_by.iter().map(ToString::to_string).collect();
        print_fields(
            &[("caused by", format!("{} {}", if runs.len() == 1 { "run" } else { "runs" }, runs.join(", ")))],
            screen,
        );
    }
    if let Some(asked) = &report.asked {
        show_asked(asked, screen);
    }
    for delivery in &told {
        let words = notices::told(delivery, screen);
        print_fields(&[("told", words)], screen);
    }
    show_attempts(&report, screen);
    if !output.is_empty() {
        screen.line("");
        print_output(&output, Some(LINES), false, screen);
    }
    Ok(Done::Well)
}

/// Who asked for the run, and with what.
fn show_asked(AskedReport { by, repeats, env }: &AskedReport, screen: &mut Screen) {
    let mut fields = vec![("asked by", visible(by))];
    fields.extend(repeats.map(|due| ("repeats", screen.time(due))));
    fields.extend(env.iter().map(|(name, value)| ("with", visible(&format!("{name}={value}")))));
    print_fields(&fields, screen);
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
        let name = if entry.outcome.is_some() { "note" } else { "now" };
        fields.push((name, visible(detail)));
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

fn print_fields(fields: &[(&str, String)], screen: &mut Screen) {
    for (name, value) in fields {
        screen.field(name, value);
    }
}

fn show_job(global: &Global, name: &str, screen: &mut Screen) -> Answer {
    let file = in_force_or_file(global, running_daemon(global).as_ref());
    let checked = file.as_ref().ok().map(|configuration| &configuration.checked);
    let mut jobs = checked.into_iter().flat_map(|checked| checked.jobs_with_places().map(move |job| (job, checked)));
    let defined = jobs.find(|((job, _), _)| job.name.as_str() == name);
    // A job that ran and is gone from the file still has its runs, and may be paused.
    let now = Clock::System.now();
    let (last, held) = ask(async {
        let Ok(ledger) = open_ledger(global).await else {
            return (None, Held::default());
        };
        (ledger.last_run(name, false).await.ok().flatten(), held_in(&ledger, now).await.unwrap_or_default())
    })?;
    let pause = JobName::new(name).ok().and_then(|name| held.pauses.of(&name).map(pause_report));
    let (configuration, path) = match file.as_ref() {
        Ok(configuration) => (Some(configuration), configuration.path.display().to_string()),
        Err(refusal) if last.is_some() => {
            screen.note(format!("how it is defined is not known: {}", visible(&refusal.message)));
            (None, String::new())
        }
        Err(refusal) => return Err(Refusal::new(refusal.done, refusal.message.clone())),
    };
    if let Some(configuration) = configuration.filter(|_| defined.is_none() && last.is_none()) {
        return Err(no_job(name, configuration.checked.jobs.iter().map(|job| job.name.as_str())).into());
    }
    if screen.json {
        let definition = defined.map(|((job, _), _)| definition(job));
        let origins = definition.as_ref().zip(defined);
        let origins = origins.map(|(definition, ((_, places), of))| origins_of(definition, places, &of.source));
        screen.value(
            &json!({ "job": name, "definition": definition, "origins": origins, "paused": pause, "last": last }),
        );
        return Ok(Done::Well);
    }
    match defined {
        Some(((job, places), checked)) => {
            screen.line(format!("job {name} of {path}"));
            let next = next_run(global, job, now, screen).unwrap_or_else(|| why_not(job, now));
            show_definition(job, places, &checked.source, (&next, last.as_ref()), screen);
        }
        None if configuration.is_none() => screen.line(format!("job {name}")),
        None => screen.line(format!("job {name} is no longer in {path}")),
    }
    if let Some(pause) = pause {
        let words = paused_since(&pause, screen);
        print_fields(&[("now", words)], screen);
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

/// First what is asked most, when it runs next and how it went last, then all the rest.
fn show_definition(
    job: &Job,
    places: &JobPlaces,
    source: &Source,
    (next, last): (&str, Option<&Entry>),
    screen: &mut Screen,
) {
    let (first, rest): (Vec<_>, Vec<_>) = fields(job).into_iter().partition(|(key, _)| FIRST.contains(key));
    for (key, value) in first {
        screen.field(key, &value);
    }
    screen.field("next", next);
    if let Some(last) = last {
        let line = in_a_line(last, screen);
        screen.field("last", &line);
    }
    screen.line("");
    for (key, value) in rest {
        let origin = screen.dim(&format!("({})", origin(places.origin(key), source)));
        screen.field(key, &format!("{value}  {origin}"));
    }
}

/// A run, and how it went.
fn in_a_line(entry: &Entry, screen: &Screen) -> String {
    let word = outcome(entry);
    let detail = entry.detail.as_deref().map_or_else(String::new, |detail| format!(": {}", visible(detail)));
    let (at, word) = (screen.time(Time(entry.at)), screen.paint(&word.text, word.style));
    format!("run {} of {at}: {word}{detail}", entry.run)
}

/// Where a value comes from, in words.
fn origin(origin: &Origin, source: &Source) -> String {
    match origin {
        Origin::BuiltIn => "default".to_owned(),
        Origin::Defaults(span) => format!("[defaults], line {}", source.position(span.start).line),
        Origin::Job(span) => format!("line {}", source.position(span.start).line),
    }
}

/// Where the value of each key of a definition comes from.
fn origins_of(definition: &Value, places: &JobPlaces, source: &Source) -> Value {
    let keys = definition.as_object().into_iter().flat_map(|keys| keys.keys());
    Value::Object(keys.map(|key| (key.clone(), json!(origin(places.origin(key), source)))).collect())
}

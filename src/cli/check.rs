//! `punctual check`: is this file right? Every error at once, with its place and what to write instead.

use std::os::unix::fs::MetadataExt;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::args::{CheckArguments, Global};
use super::places::{config_file, environment, read, running_daemon};
use super::screen::{Screen, counted};
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::files::Trust;
use crate::job::{Act, StepName};
use crate::jobfile::{Diagnostic, Origin, Source};
use crate::report::{CheckReport, DiagnosticReport};
use crate::runner::{Starter, controllers_of, goes_without, preflight};

pub fn run(global: &Global, verb: &CheckArguments, screen: &mut Screen) -> Answer {
    let path = match &verb.file {
        Some(file) => file.clone(),
        None => config_file(global, running_daemon(global).as_ref())?,
    };
    let mut configuration = match read(&path) {
        Ok(configuration) => configuration,
        Err(refusal) if screen.json => {
            screen.value(&unreadable(&path.display().to_string(), refusal.message));
            return Ok(Done::Failed);
        }
        Err(refusal) => return Err(refusal),
    };
    configuration.checked.warn_of_traps(Clock::System.now());
    add_machine_warnings(&mut configuration, &starter(global));
    if verb.file.is_none() && starter(global).is_root {
        warn_of_others(&mut configuration);
    }
    let said = &configuration.checked.said;
    let wrong = !said.errors.is_empty() || verb.strict && !said.warnings.is_empty();
    if screen.json {
        screen.value(&report(&configuration));
    } else {
        show(&configuration, screen);
    }
    Ok(if wrong { Done::Failed } else { Done::Well })
}

/// Reads the job file for a verb that needs a right one; what is wrong with it is shown.
pub fn read_right(global: &Global, screen: &mut Screen) -> Result<Configuration, Refusal> {
    let path = config_file(global, running_daemon(global).as_ref())?;
    let configuration = read(&path)?;
    if !configuration.checked.is_right() {
        complain_about(&configuration, screen);
        return Err(Refusal::new(Done::Failed, format!("{} is wrong", path.display())));
    }
    Ok(configuration)
}

/// Who would start the jobs: the running daemon, or, where none runs, whoever asks.
fn starter(global: &Global) -> Starter {
    let daemon = running_daemon(global).and_then(|holder| u32::try_from(holder.pid).ok());
    let uid = daemon.and_then(|pid| std::fs::metadata(format!("/proc/{pid}")).ok()).map(|process| process.uid());
    Starter {
        environment: environment(),
        is_root: uid.map_or_else(|| rustix::process::geteuid().is_root(), |uid| uid == 0),
        controllers: controllers_of(daemon),
    }
}

/// What depends on this machine as it is now: it may be right again when the job is due.
fn add_machine_warnings(configuration: &mut Configuration, starter: &Starter) {
    let checked = &configuration.checked;
    let mut warnings = Vec::new();
    for (job, places) in checked.jobs_with_places() {
        let mut warn = |step: Option<&StepName>, key: &str, message: String| {
            let span = match (key, places.origin(key)) {
                ("env_file", _) => places.env_files.first().cloned(),
                (_, Origin::Job(span) | Origin::Defaults(span)) => Some(span.clone()),
                (_, Origin::BuiltIn) => None,
            };
            let of = step.map_or_else(|| format!("`{}`", job.name), |step| format!("step {step} of `{}`", job.name));
            let message = format!("if it were due now, {of} {message}");
            warnings.push((format!("jobs.{}.{key}", job.name), span.unwrap_or(places.name.clone()), message));
        };
        for (step, work) in job.task.works() {
            let Some(line) = work.act.command() else {
                if let Act::Mail(mail) = &work.act {
                    for missing in mail.files().filter(|path| !path.exists()) {
                        warn(step, "mail", format!("could not begin: there is no file {}", missing.display()));
                    }
                }
                continue;
            };
            if let Some(trouble) = preflight(work, line, starter) {
                warn(step, trouble.key, format!("could not begin: {}", trouble.detail));
            }
            if let Some(lacking) = goes_without(work, starter) {
                warn(step, "limits", format!("would run without limits: {lacking}"));
            }
        }
    }
    for (key, span, message) in warnings {
        configuration.checked.said.warn(&key, span, message, None);
    }
}

/// A daemon that runs as root does not take what others can write.
fn warn_of_others(configuration: &mut Configuration) {
    let source = configuration.checked.source.clone();
    for part in source.parts() {
        if let Some(error) = Trust::RootAlone.refuses(part.path) {
            configuration.checked.said.warn("", part.start..part.start, error.to_string(), None);
        }
    }
}

/// A file that could not even be read, in the words of one that could.
fn unreadable(file: &str, message: String) -> CheckReport {
    let (file, key) = (file.to_owned(), String::new());
    let error = DiagnosticReport { file, line: 1, column: 1, end_column: 1, key, message, help: None };
    CheckReport { errors: vec![error], warnings: Vec::new() }
}

fn show(configuration: &Configuration, screen: &mut Screen) {
    // What is wrong is what was asked for, and so the result.
    let renderer = if screen.colors() { Renderer::styled() } else { Renderer::plain() };
    for text in rendered(configuration, &renderer) {
        screen.line(format!("{text}\n"));
    }
    let said = &configuration.checked.said;
    let count = |number: usize, what: &str| counted(number as u64, what);
    let path = configuration.path.display();
    let jobs = count(configuration.checked.jobs.len(), "job");
    match (said.errors.len(), said.warnings.len()) {
        (0, 0) => screen.line(format!("{path} is right: {jobs}")),
        (0, warnings) => screen.line(format!("{path} is right: {jobs}, {}", count(warnings, "warning"))),
        (errors, warnings) => {
            screen.line(format!("{path} is wrong: {}, {}", count(errors, "error"), count(warnings, "warning")));
        }
    }
}

/// Shows errors and warnings with their lines of the file.
pub fn complain_about(configuration: &Configuration, screen: &mut Screen) {
    let renderer = if screen.colors_errors() { Renderer::styled() } else { Renderer::plain() };
    for text in rendered(configuration, &renderer) {
        screen.note(format!("{text}\n"));
    }
}

/// The same without colours, line by line.
pub fn plain_lines(configuration: &Configuration) -> Vec<String> {
    let texts = rendered(configuration, &Renderer::plain());
    texts.iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
}

fn rendered(configuration: &Configuration, renderer: &Renderer) -> Vec<String> {
    let checked = &configuration.checked;
    let source = checked.source.without(&checked.said.hidden);
    let errors = checked.said.errors.iter().map(|diagnostic| (Level::ERROR, diagnostic));
    let warnings = checked.said.warnings.iter().map(|diagnostic| (Level::WARNING, diagnostic));
    errors.chain(warnings).map(|(level, diagnostic)| renderer.render(&groups(level, diagnostic, &source))).collect()
}

fn groups<'d>(level: Level<'d>, diagnostic: &'d Diagnostic, source: &'d Source) -> Vec<Group<'d>> {
    // The place of something that is missing is one character wide.
    let part = source.part(diagnostic.span.start);
    let within = |byte: usize| part.text.floor_char_boundary((byte - part.start).min(part.text.len()));
    let start = within(diagnostic.span.start);
    let end = within(diagnostic.span.end.max(diagnostic.span.start)).max(start);
    let snippet = Snippet::source(part.text)
        .path(part.path.to_str().unwrap_or("jobs.toml"))
        .annotation(AnnotationKind::Primary.span(start..end));
    let mut group = level.primary_title(&diagnostic.message).element(snippet);
    if let Some(help) = &diagnostic.help {
        group = group.element(Level::HELP.message(help));
    }
    vec![group]
}

/// The same in JSON.
pub fn report(configuration: &Configuration) -> CheckReport {
    let source = &configuration.checked.source;
    let one = |diagnostic: &Diagnostic| {
        let position = source.position(diagnostic.span.start);
        DiagnosticReport {
            file: source.part(diagnostic.span.start).path.display().to_string(),
            line: position.line,
            column: position.column,
            end_column: source.end_column(&diagnostic.span),
            key: diagnostic.key.clone(),
            message: diagnostic.message.clone(),
            help: diagnostic.help.clone(),
        }
    };
    let said = &configuration.checked.said;
    CheckReport { errors: said.errors.iter().map(one).collect(), warnings: said.warnings.iter().map(one).collect() }
}

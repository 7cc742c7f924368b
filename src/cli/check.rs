//! `punctual check`: is this file right? Every error at once, with its place and what to write instead.

use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use super::args::{CheckArguments, Global};
use super::channel::{channel_in_words, in_the_way};
use super::places::{config_file, environment, in_force_or_file, read, running_daemon};
use super::screen::{Screen, counted, errors_width};
use super::table::wrap;
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::control::group_number;
use crate::files::{Machine, Trust, read_from};
use crate::job::{Act, StepName};
use crate::jobfile::{Diagnostic, Lines, NamedGroup, Origin, Source, house_key, named_groups};
use crate::notify::{Templates, Wrong, tried};
use crate::report::{CheckReport, DiagnosticReport};
use crate::runner::{Starter, controllers_of, goes_without, preflight};
use crate::settings::Flags;

pub fn run(global: &Global, verb: &CheckArguments, screen: &mut Screen) -> Answer {
    let is_typed = verb.file.as_ref().is_some_and(|file| file.as_os_str() == "-");
    let path = match &verb.file {
        Some(_) if is_typed => PathBuf::from(STANDARD_INPUT),
        Some(file) => file.clone(),
        None => config_file(global, running_daemon(global).as_ref())?,
    };
    let configuration = if is_typed { read_standard_input() } else { read(&path) };
    let mut configuration = match configuration {
        Ok(configuration) => configuration,
        Err(refusal) if screen.json => {
            screen.value(&unreadable(&path.display().to_string(), refusal.message));
            return Ok(Done::Failed);
        }
        Err(refusal) => return Err(refusal),
    };
    configuration.checked.warn_of_traps(Clock::System.now());
    add_machine_warnings(&mut configuration, &starter(global));
    let is_in_use = !is_typed && running_daemon(global).is_some_and(|daemon| is_same(&daemon.config, &path));
    if (is_in_use || verb.file.is_none()) && starter(global).is_root {
        say_of_others(&mut configuration, is_in_use);
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

/// How a file is called that has no name.
const STANDARD_INPUT: &str = "<stdin>";

/// What comes in is checked as a file of this folder would be.
fn read_standard_input() -> Result<Configuration, Refusal> {
    let failed = |error: &dyn std::error::Error| Refusal::chain(Done::Failed, error);
    let path = PathBuf::from(STANDARD_INPUT);
    let bytes = read_from(std::io::stdin().lock(), &path).map_err(|error| failed(&error))?;
    let (flags, now) = (Flags::default(), Clock::System.now());
    let source = Source::of_bytes(path, bytes);
    Configuration::of_source(source, Machine::default(), &environment(), &flags, now).map_err(|error| failed(&error))
}

/// Reads the job file for a verb that needs a right one; what is wrong with it is shown.
pub fn read_right(global: &Global, screen: &mut Screen) -> Result<Configuration, Refusal> {
    right(read(&config_file(global, running_daemon(global).as_ref())?)?, screen)
}

/// The same for a verb that tells of what the daemon does: of what it has in force, where one runs.
pub fn read_in_force(global: &Global, screen: &mut Screen) -> Result<Configuration, Refusal> {
    right(in_force_or_file(global, running_daemon(global).as_ref())?, screen)
}

fn right(configuration: Configuration, screen: &mut Screen) -> Result<Configuration, Refusal> {
    if !configuration.checked.is_right() {
        complain_about(&configuration, screen);
        return Err(Refusal::new(Done::Failed, format!("{} is wrong", configuration.path.display())));
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
    for (channel, span) in checked.channels_with_places() {
        let key = format!("channels.{}", channel.name);
        let message = |what: String| format!("if it were to be told now, `{}` could not: {what}", channel.name);
        warnings.extend(
            in_the_way(channel, checked.source.folder(0), starter)
                .map(|what| (key.clone(), span.clone(), message(what))),
        );
    }
    for NamedGroup { key, name, span } in named_groups(&checked.source.text) {
        if group_number(&name).is_none() {
            let message = format!("there is no group `{name}` on this machine: nobody is let in by it");
            warnings.push((format!("daemon.{key}"), span, message));
        }
    }
    if let Some(folder) = configuration.templates() {
        let span = house_key(&checked.source.text, "templates").unwrap_or(0..0);
        warnings.extend(
            wrong_templates(&folder).into_iter().map(|wrong| ("daemon.templates".to_owned(), span.clone(), wrong)),
        );
    }
    for (key, span, message) in warnings {
        configuration.checked.said.warn(&key, span, message, None);
    }
}

/// What is wrong with the templates of a folder: notices would go out in the usual words.
fn wrong_templates(folder: &Path) -> Vec<String> {
    let templates = match Templates::read(folder) {
        Ok(templates) => templates,
        Err(error) => return vec![error.to_string()],
    };
    let said = |(Wrong { file, line, what }, tried_on): (Wrong, &str)| {
        let line = line.map_or_else(String::new, |line| format!(", line {line}"));
        let place = format!("{}{line}", folder.join(file).display());
        format!("for {tried_on} the built-in template would take the place of {place}: {what}")
    };
    tried(&templates).into_iter().map(said).collect()
}

fn is_same(one: &Path, other: &Path) -> bool {
    one == other || one.canonicalize().is_ok_and(|one| other.canonicalize().is_ok_and(|other| one == other))
}

/// A daemon that runs as root does not take what others can write; of one that runs this is an error.
fn say_of_others(configuration: &mut Configuration, is_in_use: bool) {
    let source = configuration.checked.source.clone();
    for part in source.parts() {
        if let Some(error) = Trust::RootAlone.refuses(part.path) {
            let (said, place) = (&mut configuration.checked.said, part.start..part.start);
            if is_in_use {
                said.error("", place, error.to_string(), None);
            } else {
                said.warn("", place, error.to_string(), None);
            }
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
    for text in rendered(configuration, &renderer, screen.width()) {
        screen.line(format!("{text}\n"));
    }
    for channel in configuration.checked.channels.values() {
        screen.line(channel_in_words(channel));
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
    for text in rendered(configuration, &renderer, errors_width()) {
        screen.note(format!("{text}\n"));
    }
}

/// The same without colours, line by line.
pub fn plain_lines(configuration: &Configuration) -> Vec<String> {
    let texts = rendered(configuration, &Renderer::plain(), None);
    texts.iter().flat_map(|text| text.lines()).map(str::to_owned).collect()
}

/// More than this nobody reads before mending the first ones.
const MOST_SHOWN: usize = 100;
/// A caret in the middle of a longer line is not found by looking; such a line is cut around it.
const LONGEST_LINE: usize = 400;
/// Columns that stand before what is said.
const MARGIN: usize = 14;

fn rendered(configuration: &Configuration, renderer: &Renderer, width: Option<usize>) -> Vec<String> {
    let said = &configuration.checked.said;
    let source = &configuration.checked.source;
    let lines = Lines::of_source(source);
    let errors = said.errors.iter().map(|diagnostic| (Level::ERROR, diagnostic));
    let warnings = said.warnings.iter().map(|diagnostic| (Level::WARNING, diagnostic));
    let shown = errors.chain(warnings).take(MOST_SHOWN);
    let one = |(level, diagnostic)| render(level, diagnostic, (source, &lines), &said.hidden, (renderer, width));
    let mut texts: Vec<String> = shown.map(one).collect();
    let more = (said.errors.len() + said.warnings.len()).saturating_sub(MOST_SHOWN);
    if more > 0 {
        texts.push(format!("… and {more} more; mend these first, or see all of them with: punctual check --json"));
    }
    texts
}

/// Its words, with the lines that they are about and a caret under the very place.
fn render<'d>(
    level: Level<'d>,
    diagnostic: &'d Diagnostic,
    (source, lines): (&'d Source, &Lines),
    hidden: &[Range<usize>],
    (renderer, width): (&Renderer, Option<usize>),
) -> String {
    // Behind `warning: ` and `= help: `.
    let width = width.map(|width| width.saturating_sub(MARGIN).max(MARGIN));
    let in_lines = |text: &str| text.lines().flat_map(|line| wrap(line, width)).collect::<Vec<_>>().join("\n");
    let message = in_lines(&diagnostic.message);
    let [help, note] = [&diagnostic.help, &diagnostic.note].map(|text| text.as_deref().map(in_lines));
    let excerpt = |span: &Range<usize>| Excerpt::of(source, lines, hidden, span);
    let primary = excerpt(&diagnostic.span);
    let related = diagnostic.related.as_ref().map(|(span, text)| (excerpt(span), text));
    let snippet = |excerpt: &Excerpt<'d>, annotation: AnnotationKind, label: Option<&'d str>| {
        let annotation = annotation.span(excerpt.span.clone()).label(label);
        Snippet::source(excerpt.text.clone())
            .path(excerpt.path.to_str().unwrap_or("jobs.toml"))
            .line_start(excerpt.first_line)
            .annotation(annotation)
    };
    let mut group = level.primary_title(&message).element(snippet(&primary, AnnotationKind::Primary, None));
    if let Some((excerpt, text)) = &related {
        group = group.element(snippet(excerpt, AnnotationKind::Context, Some(text)));
    }
    if let Some(help) = &help {
        group = group.element(Level::HELP.message(help));
    }
    if let Some(note) = &note {
        group = group.element(Level::NOTE.message(note));
    }
    renderer.render(&[group])
}

/// The lines of a place, without their secrets, and where in them it is.
struct Excerpt<'s> {
    path: &'s Path,
    text: String,
    first_line: usize,
    span: Range<usize>,
}

impl<'s> Excerpt<'s> {
    fn of(source: &'s Source, lines: &Lines, hidden: &[Range<usize>], span: &Range<usize>) -> Self {
        let first_line = lines.position(span.start).line;
        let line = lines.around(span.start);
        // What goes over several lines is shown by its first one.
        let start = source.text.floor_char_boundary(span.start.min(line.end));
        let end = source.text.floor_char_boundary(span.end.min(line.end)).max(start);
        let cut = Self::cut(&source.text, &line, start);
        let text = source.shown(cut.clone(), hidden);
        let path = source.part(span.start).path;
        Self { path, text, first_line, span: start - cut.start..end.min(cut.end) - cut.start }
    }

    /// The part of a line that is shown: all of it, or, of a long one, what is around the place.
    fn cut(text: &str, line: &Range<usize>, at: usize) -> Range<usize> {
        if line.len() <= LONGEST_LINE {
            // The mark of the byte order would move the caret.
            let mark = if text[line.clone()].starts_with('\u{feff}') { '\u{feff}'.len_utf8() } else { 0 };
            return (line.start + mark).min(at)..line.end;
        }
        let start = text.ceil_char_boundary(at.saturating_sub(LONGEST_LINE / 4).max(line.start));
        start.min(at)..text.floor_char_boundary((start + LONGEST_LINE).min(line.end)).max(at)
    }
}

/// What is said about a file, for programs.
pub fn report(configuration: &Configuration) -> CheckReport {
    let source = &configuration.checked.source;
    let lines = Lines::of_source(source);
    let one = |diagnostic: &Diagnostic| {
        let position = lines.position(diagnostic.span.start);
        let advice = [&diagnostic.help, &diagnostic.note].into_iter().flatten().cloned().collect::<Vec<_>>();
        DiagnosticReport {
            file: source.part(diagnostic.span.start).path.display().to_string(),
            line: position.line,
            column: position.column,
            end_column: lines.end_column(&diagnostic.span),
            key: diagnostic.key.clone(),
            message: diagnostic.message.clone(),
            help: (!advice.is_empty()).then(|| advice.join("\n")),
        }
    };
    let said = &configuration.checked.said;
    CheckReport { errors: said.errors.iter().map(one).collect(), warnings: said.warnings.iter().map(one).collect() }
}

//! `punctual import`: what would this crontab, or this timer, be here?

mod held;
mod sources;

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::args::Global;
use super::args::{From, ImportArguments, ImportCrontabArguments, ImportSystemdArguments, Output};
use super::check::complain_about;
use super::places::environment;
use super::screen::{Screen, counted, visible};
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::files::Machine;
use crate::import::{Draft, Proof, Text, Trouble, import_anacrontab, import_crontabs, import_timers, written};
use crate::jobfile::Source;
use crate::report::DiagnosticReport;
use crate::schedule::parse_duration;
use crate::settings::Flags;

/// Longer would only be more of the same: the rules of summer time repeat.
const LONGEST_PROOF: SignedDuration = SignedDuration::from_hours(24 * 366 * 10);

/// What is no crontab at all has an error on each line.
const MOST_SHOWN: usize = 50;

pub fn run(_: &Global, verb: &ImportArguments, screen: &mut Screen) -> Answer {
    match &verb.from {
        From::Crontab(verb) => crontab(verb, screen),
        From::Systemd(verb) => systemd(verb, screen),
    }
}

fn crontab(verb: &ImportCrontabArguments, screen: &mut Screen) -> Answer {
    let now = Clock::System.now();
    let until = verb.verify.as_deref().map(|text| end_of_proof(text, now)).transpose()?;
    let found = sources::crontabs(verb, screen)?;
    let zones = Machine::default();
    let mut imported = import_crontabs(&found.crontabs, &zones);
    let mut texts: Vec<Text> = found.crontabs.iter().map(|origin| origin.text.clone()).collect();
    if let Some(anacrontab) = found.anacrontab {
        import_anacrontab(&mut imported, texts.len(), &anacrontab);
        texts.push(anacrontab);
    }
    let result = Result { text: written(&imported.sheet), texts, troubles: &imported.troubles };
    let configuration = result.checked(&verb.output, now, screen)?;
    let proofs = until.map(|until| held::proofs(&imported, &configuration, now, until));
    result.tell(&verb.output, &imported.sheet.drafts, proofs.as_deref(), screen)?;
    let differs = proofs.iter().flatten().any(|proof| !proof.differences().is_empty());
    if let (Some(proofs), Some(until), false) = (&proofs, until, screen.json) {
        held::show(proofs, &imported.sheet.drafts, &configuration, now, until, screen);
    }
    Ok(if differs || !imported.troubles.is_empty() { Done::Failed } else { Done::Well })
}

fn end_of_proof(text: &str, now: Timestamp) -> std::result::Result<Timestamp, Refusal> {
    let refusal = |message: String| Refusal::new(Done::Misused, format!("--verify: {message}"));
    let length = parse_duration(text).map_err(|error| refusal(error.to_string()))?;
    let length = SignedDuration::try_from(length).unwrap_or(SignedDuration::MAX);
    if length > LONGEST_PROOF {
        return Err(refusal(format!("`{text}` is too long; ten years are the most")));
    }
    now.checked_add(length).map_err(|_| refusal(format!("`{text}` is too long")))
}

fn systemd(verb: &ImportSystemdArguments, screen: &mut Screen) -> Answer {
    let now = Clock::System.now();
    let units = sources::units(verb)?;
    let zones = Machine::default();
    let imported = import_timers(&units, &zones);
    let texts = imported.texts;
    let result = Result { text: written(&imported.sheet), texts, troubles: &imported.troubles };
    result.checked(&verb.output, now, screen)?;
    result.tell(&verb.output, &imported.sheet.drafts, None, screen)?;
    Ok(if imported.troubles.is_empty() { Done::Well } else { Done::Failed })
}

/// What an import came to.
struct Result<'t> {
    text: String,
    texts: Vec<Text>,
    troubles: &'t [Trouble],
}

#[derive(Serialize)]
struct Report<'r> {
    toml: &'r str,
    jobs: Vec<JobReport<'r>>,
    errors: Vec<DiagnosticReport>,
    #[serde(skip_serializing_if = "Option::is_none")]
    verified: Option<Vec<held::ProofReport<'r>>>,
}

#[derive(Serialize)]
struct JobReport<'r> {
    job: &'r str,
    file: &'r str,
    line: usize,
    schedule: &'r [String],
    remarks: &'r [String],
}

impl Result<'_> {
    /// Reads what was written as the daemon would: that it is right is promised.
    fn checked(
        &self,
        output: &Output,
        now: Timestamp,
        screen: &mut Screen,
    ) -> std::result::Result<Configuration, Refusal> {
        let path = output.file.clone().unwrap_or_else(|| PathBuf::from("jobs.toml"));
        let path = std::path::absolute(&path).unwrap_or(path);
        let configuration = Configuration::of_source(
            Source::new(path, self.text.clone()),
            Machine::default(),
            &environment(),
            &Flags::default(),
            now,
        )
        .map_err(|error| Refusal::chain(Done::Failed, &error))?;
        if !configuration.checked.is_right() {
            complain_about(&configuration, screen);
            let message = "what was made of it is no right job file, which is a fault of punctual's; please report it";
            return Err(Refusal::new(Done::Failed, message));
        }
        Ok(configuration)
    }

    fn tell(
        &self,
        output: &Output,
        drafts: &[Draft],
        proofs: Option<&[Proof]>,
        screen: &mut Screen,
    ) -> std::result::Result<(), Refusal> {
        if screen.json {
            if let Some(path) = &output.file {
                write_to(path, output.force, &self.text)?;
            }
            screen.value(&self.report(drafts, proofs));
            return Ok(());
        }
        match &output.file {
            Some(path) => {
                write_to(path, output.force, &self.text)?;
                screen.line(format!("{} has {}", path.display(), counted(drafts.len() as u64, "job")));
            }
            None => screen.raw(self.text.as_bytes()),
        }
        screen.flush();
        let renderer = if screen.colors_errors() { Renderer::styled() } else { Renderer::plain() };
        for trouble in self.troubles.iter().take(MOST_SHOWN) {
            screen.note(format!("{}\n", self.rendered(trouble, &renderer)));
        }
        let lost = self.troubles.len() as u64;
        if self.troubles.len() > MOST_SHOWN {
            screen.note(format!("and {} more; --json has all of them\n", self.troubles.len() - MOST_SHOWN));
        }
        if lost > 0 {
            screen.note(format!("{} could not be read; the rest was taken over", counted(lost, "line")));
        } else if drafts.is_empty() {
            screen.note("there are no jobs in it");
        }
        if let (Some(path), false) = (&output.file, drafts.is_empty()) {
            screen.note(format!("read it, then ask: punctual check {}", path.display()));
        }
        Ok(())
    }

    fn label(&self, source: usize) -> &str {
        self.texts.get(source).map_or("", |text| text.label.as_str())
    }

    fn rendered(&self, trouble: &Trouble, renderer: &Renderer) -> String {
        let Some(text) = self.texts.get(trouble.source) else {
            return visible(&trouble.message);
        };
        let (message, help) = (visible(&trouble.message), trouble.help.as_deref().map(visible));
        let label = visible(&text.label);
        let length = text.text.len();
        let start = text.text.floor_char_boundary(trouble.span.start.min(length));
        let end = text.text.ceil_char_boundary(trouble.span.end.min(length)).max(start);
        let snippet = Snippet::source(&text.text).path(&label).annotation(AnnotationKind::Primary.span(start..end));
        let mut group = Level::ERROR.primary_title(&message).element(snippet);
        if let Some(help) = &help {
            group = group.element(Level::HELP.message(help));
        }
        renderer.render(&[group])
    }

    fn report<'r>(&'r self, drafts: &'r [Draft], proofs: Option<&'r [Proof]>) -> Report<'r> {
        let job = |draft: &'r Draft| JobReport {
            job: &draft.name,
            file: self.label(draft.source),
            line: draft.line,
            schedule: &draft.schedules,
            remarks: &draft.remarks,
        };
        Report {
            toml: &self.text,
            jobs: drafts.iter().map(job).collect(),
            errors: self.troubles.iter().map(|trouble| self.diagnostic(trouble)).collect(),
            verified: proofs.map(|proofs| held::report(proofs, drafts)),
        }
    }

    fn diagnostic(&self, trouble: &Trouble) -> DiagnosticReport {
        let text = self.texts.get(trouble.source).map_or("", |text| text.text.as_str());
        let column = |byte: usize| {
            let byte = text.floor_char_boundary(byte.min(text.len()));
            let start = text[..byte].rfind('\n').map_or(0, |at| at + 1);
            text[start..byte].chars().count() + 1
        };
        let start = column(trouble.span.start);
        DiagnosticReport {
            file: self.label(trouble.source).to_owned(),
            line: trouble.line,
            column: start,
            end_column: column(trouble.span.end).max(start + 1),
            key: String::new(),
            message: trouble.message.clone(),
            help: trouble.help.clone(),
        }
    }
}

/// Writes a file that is not there, or, if it may, puts a whole one in the place of the old one.
fn write_to(path: &Path, force: bool, text: &str) -> std::result::Result<(), Refusal> {
    let refusal = |error: &std::io::Error| match error.kind() {
        std::io::ErrorKind::AlreadyExists => {
            Refusal::new(Done::Failed, format!("{} is there already; --force replaces it", path.display()))
        }
        _ => Refusal::new(Done::Failed, format!("cannot write {}: {error}", path.display())),
    };
    let create = |path: &Path| {
        let mut file = fs::File::options().write(true).create_new(true).open(path)?;
        file.write_all(text.as_bytes())
    };
    if !force {
        return create(path).map_err(|error| refusal(&error));
    }
    if path.is_dir() {
        return Err(Refusal::new(Done::Failed, format!("{} is a folder", path.display())));
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = PathBuf::from(beside);
    create(&beside).and_then(|()| fs::rename(&beside, path)).map_err(|error| {
        let _ = fs::remove_file(&beside);
        refusal(&error)
    })
}

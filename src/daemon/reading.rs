//! What do the files say by now, and is it right?

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use crate::configuration::{Base, Configuration, ConfigurationError, Overlay};
use crate::files::{Machine, Spots, Texts, Trust, read_source};
use crate::jobfile::{Site, Source};
use crate::report::{CheckReport, DiagnosticReport, EditReport};

/// Why the configuration is read again; what counts for more comes later.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reread {
    /// To see whether something has changed of which nobody told.
    Looked,
    /// What is in force, on a machine whose zones and calendars may have changed.
    Surroundings,
    /// Something has happened to the files.
    Noticed,
    /// Somebody wants it.
    Asked,
}

/// What came of reading.
#[derive(Debug)]
pub enum Outcome {
    /// The same as the last time, right or wrong.
    Same,
    Wrong(Box<Wrong>),
    Right(Box<Right>),
}

/// A file that does not come into force.
#[derive(Debug)]
pub struct Wrong {
    /// In a sentence.
    pub message: String,
    /// Every error with its lines of the file.
    pub lines: Vec<String>,
    pub check: CheckReport,
}

/// A file that may come into force, and what it changes.
#[derive(Debug)]
pub struct Right {
    pub configuration: Configuration,
    pub check: CheckReport,
    pub edit: EditReport,
}

/// In which words people are told what is wrong with a file.
#[derive(Debug, Clone, Copy)]
pub struct Telling {
    pub lines: fn(&Configuration) -> Vec<String>,
    pub report: fn(&Configuration) -> CheckReport,
}

/// What was read last: the same again is no news.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    source: Option<Arc<Source>>,
    texts: Texts,
    /// Why not even the main file could be read.
    failure: Option<String>,
}

impl Seen {
    pub fn of(configuration: &Configuration) -> Self {
        let (source, texts) = (configuration.checked.source.clone(), configuration.machine.texts());
        Self { source: Some(source), texts, failure: None }
    }
}

/// The files as a daemon reads them.
#[derive(Debug, Clone)]
pub struct Files {
    pub config: PathBuf,
    pub overlay: Overlay,
    pub telling: Telling,
}

impl Files {
    /// Where something decides what they say.
    pub fn spots(&self, seen: &Seen) -> Spots {
        let main = std::path::absolute(&self.config).unwrap_or_else(|_| self.config.clone());
        Spots::of(&main, seen.source.as_deref(), seen.texts.keys().map(PathBuf::as_path))
    }

    /// Reads them, if they are not what was seen last.
    pub fn read(&self, what: Reread, seen: &mut Seen, base: &Base, now: Timestamp) -> Outcome {
        if what == Reread::Surroundings {
            return self.read_surroundings(base, now);
        }
        let is_news = |message: &String, seen: &Seen| what == Reread::Asked || seen.failure.as_ref() != Some(message);
        let source = match read_source(&self.config, Trust::of_a_daemon()) {
            Ok(source) => source,
            Err(error) => {
                let message = chained(&error);
                let outcome = if is_news(&message, seen) { self.unreadable(message.clone()) } else { Outcome::Same };
                seen.failure = Some(message);
                return outcome;
            }
        };
        let is_same = seen.failure.is_none() && seen.source.as_deref() == Some(&source) && are_same(&seen.texts);
        if is_same && what != Reread::Asked {
            return Outcome::Same;
        }
        let shared = Arc::new(source.clone());
        let read = self.of_source(source, now);
        *seen = Seen { source: Some(shared), texts: Texts::new(), failure: None };
        match read {
            Ok(configuration) => {
                *seen = Seen::of(&configuration);
                self.judged(what, configuration, base, now)
            }
            Err(error) => self.unreadable(chained(&error)),
        }
    }

    /// What is in force stays so, unless other zones or calendars give some job other instants.
    fn read_surroundings(&self, base: &Base, now: Timestamp) -> Outcome {
        match self.of_source((*base.source).clone(), now) {
            Ok(configuration) => match self.judged(Reread::Surroundings, configuration, base, now) {
                Outcome::Right(right) if right.edit.jobs.is_empty() => Outcome::Same,
                outcome => outcome,
            },
            Err(error) => self.unreadable(chained(&error)),
        }
    }

    pub fn of_source(&self, source: Source, now: Timestamp) -> Result<Configuration, ConfigurationError> {
        let Overlay { environment, flags } = &self.overlay;
        Configuration::of_source(source, Machine::default(), environment, flags, now)
    }

    fn judged(&self, what: Reread, mut configuration: Configuration, base: &Base, now: Timestamp) -> Outcome {
        let is_right = configuration.checked.is_right();
        // Warnings of a large file are for whoever asked.
        let is_wanted = !is_right || what == Reread::Asked;
        let check = if is_wanted { (self.telling.report)(&configuration) } else { CheckReport::default() };
        if is_right {
            configuration.checked.put_into_force();
            let edit = configuration.edit_of(base, now);
            return Outcome::Right(Box::new(Right { configuration, check, edit }));
        }
        let message = format!("{} is wrong", configuration.path.display());
        Outcome::Wrong(Box::new(Wrong { message, lines: (self.telling.lines)(&configuration), check }))
    }

    fn unreadable(&self, message: String) -> Outcome {
        let error = DiagnosticReport {
            file: self.config.display().to_string(),
            line: 1,
            column: 1,
            end_column: 1,
            key: String::new(),
            message: message.clone(),
            help: None,
        };
        let check = CheckReport { errors: vec![error], warnings: Vec::new() };
        Outcome::Wrong(Box::new(Wrong { message, lines: Vec::new(), check }))
    }
}

/// Whether the other files still say what they said.
fn are_same(texts: &Texts) -> bool {
    let machine = Machine::default();
    texts.iter().all(|(path, text): (&PathBuf, _)| machine.text(Path::new(path)) == *text)
}

fn chained(error: &dyn std::error::Error) -> String {
    let mut message = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        if !message.contains(&text) {
            message = format!("{message}: {text}");
        }
        cause = error.source();
    }
    message
}

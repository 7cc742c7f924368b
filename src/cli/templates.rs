//! `punctual notify templates`: the templates of messages, to begin one's own with. What is there already stays as it is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::Path;

use serde::Serialize;

use super::args::TemplatesArguments;
use super::screen::Screen;
use super::{Answer, Done, Refusal};
use crate::notify::Part;

#[derive(Serialize)]
struct TemplatesReport {
    folder: String,
    written: Vec<&'static str>,
    /// They were there, and stay as they are.
    left: Vec<&'static str>,
}

pub fn run(verb: &TemplatesArguments, screen: &mut Screen) -> Answer {
    let folder = std::path::absolute(&verb.folder).map_err(|error| Refusal::chain(Done::Misused, &error))?;
    let unwritable = |path: &Path, error: &io::Error| {
        let message = format!("{} cannot be written: {error}; name another folder", path.display());
        Refusal::new(Done::Failed, message)
    };
    fs::create_dir_all(&folder).map_err(|error| unwritable(&folder, &error))?;
    let mut report = TemplatesReport { folder: folder.display().to_string(), written: Vec::new(), left: Vec::new() };
    for part in Part::ALL {
        let path = folder.join(part.file());
        match write(&path, part.builtin()) {
            Ok(()) => report.written.push(part.file()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => report.left.push(part.file()),
            Err(error) => return Err(unwritable(&path, &error)),
        }
    }
    if screen.json {
        screen.value(&report);
        return Ok(Done::Well);
    }
    let TemplatesReport { folder, written, left } = report;
    if !written.is_empty() {
        screen.line(format!("{folder} has {} now, as they are built in.", written.join(", ")));
    }
    if !left.is_empty() {
        screen.line(format!("These were there already and stay as they are: {}.", left.join(", ")));
    }
    screen.line("Keep those that you change, and name the folder in the job file:");
    screen.line(format!("  [daemon]\n  templates = {}", toml::Value::String(folder)));
    Ok(Done::Well)
}

/// Nobody who does the same at this moment is written over.
fn write(path: &Path, text: &str) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(text.as_bytes());
    if written.is_err() {
        // Half a template would be taken for a whole one.
        let _ = fs::remove_file(path);
    }
    written
}

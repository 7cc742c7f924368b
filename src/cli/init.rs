//! `punctual init`: a small jobs.toml to begin with. What is there already stays as it is.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::args::{Global, InitArguments};
use super::places::{config_file, job_names};
use super::screen::Screen;
use super::typed::quoted;
use super::{Answer, Done, Refusal};

/// The file as it is written.
const TEXT: &str = include_str!("jobs.toml");
const NAME: &str = "jobs.toml";

#[derive(Serialize)]
struct InitReport {
    config: String,
    jobs: Vec<String>,
}

pub fn run(global: &Global, verb: &InitArguments, screen: &mut Screen) -> Answer {
    let wanted = verb.to.clone().or_else(|| global.config.clone()).unwrap_or_else(|| PathBuf::from(NAME));
    let path = std::path::absolute(file_of(&wanted)).map_err(|error| Refusal::chain(Done::Misused, &error))?;
    write(&path).map_err(|error| refusal(&path, &error))?;
    let jobs = job_names(&path);
    let flag = flag_for(&path);
    if screen.json {
        screen.value(&InitReport { config: path.display().to_string(), jobs });
        return Ok(Done::Well);
    }
    screen.line(format!("{} is there, with {} to begin with. Type next:", path.display(), jobs.join(", ")));
    let next = [("try hello", "run one of them here and now"), ("daemon", "run them when they are due")];
    for (verb, what) in next {
        let line = format!("punctual{flag} {verb}");
        let what = screen.dim(&format!("# {what}"));
        screen.line(format!("  {line:<18}  {what}"));
    }
    Ok(Done::Well)
}

/// A name that ends as job files do is one; any other is that of a folder.
fn file_of(wanted: &Path) -> PathBuf {
    let is_file = wanted.extension().is_some_and(|extension| extension == "toml") && !wanted.is_dir();
    if is_file { wanted.to_owned() } else { wanted.join(NAME) }
}

/// Writes the file, and its folder, where there is none: nobody who does the same at this moment is written over.
fn write(path: &Path) -> io::Result<()> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut file = OpenOptions::new().write(true).create_new(true).open(path)?;
    let written = file.write_all(TEXT.as_bytes()).and_then(|()| file.sync_all());
    if written.is_err() {
        // Half a file would be taken for a whole one.
        let _ = fs::remove_file(path);
    }
    written
}

fn refusal(path: &Path, error: &io::Error) -> Refusal {
    let file = quoted(&path.to_string_lossy());
    let message = match error.kind() {
        io::ErrorKind::AlreadyExists if path.is_file() => {
            format!("{} is there already, and stays as it is; type: punctual check {file}", path.display())
        }
        io::ErrorKind::AlreadyExists => format!(
            "{} is there already, and is no file that could be written; type: punctual init FOLDER",
            path.display()
        ),
        io::ErrorKind::PermissionDenied => format!(
            "{} cannot be written: {error}; for yourself, type: punctual init ~/.config/punctual",
            path.display()
        ),
        _ => format!("{} cannot be written: {error}; for another place, type: punctual init FOLDER", path.display()),
    };
    Refusal::new(Done::Failed, message)
}

/// What the other verbs have to be told in order to find this file.
fn flag_for(path: &Path) -> String {
    let found = config_file(&Global::default(), None).ok().and_then(|found| fs::canonicalize(found).ok());
    let is_found = found.is_some() && found == fs::canonicalize(path).ok();
    if is_found { String::new() } else { format!(" --config {}", quoted(&path.to_string_lossy())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_or_a_folder_is_meant() {
        let folder = tempfile::tempdir().unwrap();
        let here = |name: &str| folder.path().join(name);
        assert_eq!(file_of(&here("")), here("jobs.toml"));
        assert_eq!(file_of(&here("new")), here("new/jobs.toml"));
        assert_eq!(file_of(&here("mine.toml")), here("mine.toml"));
        fs::create_dir(here("odd.toml")).unwrap();
        assert_eq!(file_of(&here("odd.toml")), here("odd.toml/jobs.toml"));
    }

    #[test]
    fn what_is_there_stays() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a/b/jobs.toml");
        write(&path).unwrap();
        fs::write(&path, "mine").unwrap();
        assert_eq!(write(&path).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    }
}

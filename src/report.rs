//! What is said about punctual, in JSON? Plain data, the same in `history`, `show` and whatever asks later.

mod edit;
mod lines;
mod local;
mod notice;
mod plan;
mod shown;
mod stats;
mod unusual;
mod usual;

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub use edit::{Edit, EditReport, JobEdit, KeyEdit, RunEdit, RunEffect, SettingEdit};
pub use lines::{columns, wrap};
pub use local::with_local_times;
pub use notice::{DeliveryReport, DigestJob, DigestReport, MessageReport, NoticeReport, OutstandingReport};
pub use plan::{ClockChange, Collision, DisturbedJob, PlanReport, PlannedHour, PlannedJob, PlannedStarts};
pub use shown::{bytes, counted, grouped, span, time_in, visible, visible_bytes};
pub use stats::{CpuCost, Figures, Group, JobStats, LastRun, Spread, StatsReport};
pub use unusual::sentences;
pub use usual::{Difference, Ending, Past, Unlike, differences};

use crate::run::{Cause, Outcome, Reason, RunId, State, signal_called};

/// A time, written as RFC 3339 in UTC with microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub Timestamp);

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.6}", self.0))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Timestamp::deserialize(deserializer).map(Self)
    }
}

/// A length of time, written in seconds.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Deserialize)]
#[serde(transparent)]
pub struct Seconds(pub f64);

impl Seconds {
    pub fn from_micros(micros: i64) -> Self {
        // Exact up to 285 years, which is more than a timestamp's microseconds are used for.
        #[allow(clippy::cast_precision_loss)]
        Self(micros as f64 / 1e6)
    }
}

impl From<Duration> for Seconds {
    fn from(duration: Duration) -> Self {
        Self(duration.as_secs_f64())
    }
}

impl Serialize for Seconds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // To the microsecond: what is behind comes from the division.
        serializer.serialize_f64((self.0 * 1e6).round() / 1e6)
    }
}

/// One of a closed list, as `KILL`.
pub type SignalName = &'static str;

/// One entry of the ledger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub run: RunId,
    pub job: String,
    pub cause: Cause,
    pub due: Option<Time>,
    pub due_last: Option<Time>,
    pub count: i64,
    pub jitter: Seconds,
    pub started: Option<Time>,
    pub ended: Option<Time>,
    pub late: Option<Seconds>,
    pub waited: Seconds,
    pub duration: Option<Seconds>,
    pub state: State,
    pub outcome: Option<Outcome>,
    pub reason: Option<Reason>,
    pub detail: Option<String>,
    pub exit_code: Option<i64>,
    #[serde(deserialize_with = "signal")]
    pub signal: Option<SignalName>,
    pub attempts: i64,
    pub cpu: Option<Seconds>,
    pub max_rss: Option<i64>,
    pub output_bytes: i64,
    pub host: Option<String>,
    /// When it was due or asked for; by this entries are ordered. JSON has it only as `due`.
    #[serde(skip)]
    pub at: Timestamp,
}

impl Entry {
    /// Whether it failed, in the general sense of the word.
    pub fn is_failure(&self) -> bool {
        self.outcome.is_some_and(|outcome| outcome.is_failure(self.reason))
    }
}

fn signal<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<&'static str>, D::Error> {
    let name: Option<String> = Option::deserialize(deserializer)?;
    Ok(name.map(|name| signal_called(&name)))
}

/// An attempt of a run that has several, or of one of its steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AttemptReport {
    /// Of the run.
    pub attempt: i64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step: Option<String>,
    /// Of the step.
    #[serde(skip_serializing_if = "is_zero")]
    pub step_attempt: i64,
    pub started: Option<Time>,
    pub ended: Option<Time>,
    pub duration: Option<Seconds>,
    /// None while it is under way.
    pub outcome: Option<Outcome>,
    pub reason: Option<Reason>,
    pub detail: Option<String>,
    pub exit_code: Option<i64>,
    pub signal: Option<&'static str>,
    pub cpu: Option<Seconds>,
    pub max_rss: Option<i64>,
    pub output_bytes: i64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the form that serde asks for")]
fn is_zero(number: &i64) -> bool {
    *number == 0
}

/// A run with its attempts, if it has several, and with its steps.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct RunReport {
    #[serde(flatten)]
    pub entry: Entry,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tried: Vec<AttemptReport>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<AttemptReport>,
    /// The runs whose success called for it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caused_by: Vec<RunId>,
    /// What was said by whoever asked for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub asked: Option<AskedReport>,
    /// What is not as usual about it.
    pub differences: Vec<Difference>,
}

/// What was said by whoever asked for a run by hand.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AskedReport {
    pub by: String,
    /// The past instant that it repeats.
    pub repeats: Option<Time>,
    /// Variables for all its attempts, over those of the job.
    pub env: BTreeMap<String, String>,
}

/// The daemon that works on a ledger.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct DaemonReport {
    pub pid: i32,
    pub since: Time,
    pub config: String,
    pub version: String,
    /// Where it listens to people.
    pub socket: Option<String>,
    /// What keeps it from writing to its ledger.
    pub trouble: Option<TroubleReport>,
    /// Why the file as it is now is not in force.
    pub file_trouble: Option<TroubleReport>,
    /// Settings of `[daemon]` that wait for the next start.
    pub at_next_start: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct TroubleReport {
    pub since: Time,
    pub message: String,
}

/// How a job is doing.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct JobReport {
    pub job: String,
    pub enabled: bool,
    pub paused: Option<PauseReport>,
    /// Instants to come that are left out.
    pub skips: Vec<Time>,
    pub next: Option<Time>,
    pub last: Option<Entry>,
    pub current: Vec<Entry>,
    /// Failures in a row, up to the last run.
    pub failures: i64,
    /// What the first of its waiting runs waits for.
    pub waiting_for: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PauseReport {
    pub since: Time,
    pub until: Option<Time>,
    pub reason: Option<String>,
    /// Who said so.
    pub by: String,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct StatusReport {
    pub daemon: Option<DaemonReport>,
    pub jobs: Vec<JobReport>,
    pub notices: OutstandingReport,
}

/// An instant to come.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct NextReport {
    pub job: Option<String>,
    pub due: Time,
    #[serde(rename = "in")]
    pub distance: Seconds,
    pub schedule: String,
    pub timezone: String,
}

/// Whether the ledger balances against the schedules.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditReport {
    pub balances: bool,
    /// What was looked at begins here; `None` if no job ever had instants.
    pub since: Option<Time>,
    pub until: Time,
    /// Instants that are accounted for.
    pub instants: u64,
    /// Differences of all jobs.
    pub differences: u64,
    pub jobs: Vec<AuditedJob>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditedJob {
    pub job: String,
    pub instants: u64,
    /// Those of them whose entries were pruned: only their number was compared.
    pub by_counts: u64,
    /// Instants that are due and not decided on yet.
    pub owed: Option<OwedReport>,
    pub differences: Vec<DifferenceReport>,
    /// Differences beyond those that are told.
    pub omitted: u64,
    /// What the audit could not know.
    pub notes: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OwedReport {
    pub count: u64,
    pub first: Time,
    pub last: Time,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DifferenceReport {
    pub kind: &'static str,
    /// The first and the last moment that it is about.
    pub first: Time,
    pub last: Time,
    /// How many instants it is about.
    pub count: u64,
    pub runs: Vec<RunId>,
    pub detail: String,
}

/// One thing to say about a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiagnosticReport {
    pub file: String,
    pub line: usize,
    pub column: usize,
    pub end_column: usize,
    pub key: String,
    pub message: String,
    pub help: Option<String>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckReport {
    pub errors: Vec<DiagnosticReport>,
    pub warnings: Vec<DiagnosticReport>,
}

/// What came of taking the file anew.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReloadReport {
    /// Whether the file as it is now is in force; if not, `check` says why.
    pub in_force: bool,
    pub check: CheckReport,
    /// What has changed.
    pub edit: EditReport,
    /// Settings of `[daemon]` that wait for the next start.
    pub at_next_start: Vec<String>,
}

/// Why a job ran, or did not, or will not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyReport {
    pub job: String,
    /// The time that it is about; none where it is about now.
    pub from: Option<Time>,
    pub until: Option<Time>,
    pub parts: Vec<WhyPart>,
}

/// A sentence or two about one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct WhyPart {
    /// What it tells of: `now`, `last`, `next` or `instant`.
    pub about: &'static str,
    pub at: Option<Time>,
    pub run: Option<RunId>,
    pub text: String,
}

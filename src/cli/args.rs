//! What was typed?

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand};

use super::sheet::Format;

#[derive(Debug, Parser)]
#[command(
    name = "punctual",
    version,
    about = "A periodic job scheduler: punctual to the millisecond, with a ledger that balances"
)]
#[command(
    after_help = "Exit codes: 0 done; 1 the asked-for thing failed; 2 wrong usage; 3 the daemon or the database \
                        cannot be reached."
)]
pub struct Arguments {
    #[command(flatten)]
    pub global: Global,
    /// One JSON value instead of text; what streams writes one a line
    #[arg(long, global = true)]
    pub json: bool,
    /// Whether to use colours
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: ColorChoice,
    #[command(subcommand)]
    pub verb: Option<Verb>,
}

#[derive(Debug, Default, Args)]
pub struct Global {
    /// The job file [default: $PUNCTUAL_CONFIG, the running daemon's, ./jobs.toml, ~/.config/punctual/jobs.toml,
    /// /etc/punctual/jobs.toml]
    #[arg(long, global = true, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// The folder of the ledger [default: $STATE_DIRECTORY, /var/lib/punctual as root, ~/.local/state/punctual]
    #[arg(long, global = true, value_name = "DIR")]
    pub state: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Run the daemon in the foreground
    Daemon(DaemonArguments),
    /// Is this file right? Every error at once
    Check(CheckArguments),
    /// What would a reload change? Exits with 0 for nothing, 1 for differences, 2 for a wrong file
    Diff(DiffArguments),
    /// When is it due?
    Next(NextArguments),
    /// What are the coming days going to be like?
    Plan(PlanArguments),
    /// How are the daemon and the jobs doing?
    Status(StatusArguments),
    /// What ran, when, how late, how long, and how did it end?
    History(HistoryArguments),
    /// One run, or a job as it is defined, and its last run
    Show(ShowArguments),
    /// The output of a run in all its attempts, or of a job's last
    Logs(LogsArguments),
    /// How often did it work, how long and how late, at what cost?
    Stats(StatsArguments),
    /// Does the ledger balance against the schedules?
    Audit(AuditArguments),
    /// Copy the ledger to a file while everything goes on
    Backup(BackupArguments),
    /// Put a backup in the ledger's place; the present one is set aside
    Restore(RestoreArguments),
    /// Make the ledger of a week that never was, for trying every question
    Demo(DemoArguments),
}

#[derive(Debug, Default, Args)]
pub struct DaemonArguments {
    /// The database, in the state folder unless absolute [default: punctual.db]
    #[arg(long, value_name = "FILE")]
    pub database: Option<String>,
    /// The zone of jobs that name none [default: system]
    #[arg(long, value_name = "ZONE")]
    pub timezone: Option<String>,
    /// Runs at once over all jobs [default: 64]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub max_running: Option<u32>,
    /// For how long a stopping daemon lets runs finish [default: 30s]
    #[arg(long, value_name = "DURATION")]
    pub stop_grace: Option<String>,
    /// What is due while the ledger cannot be written: wait for it, or run and record it later [default: wait]
    #[arg(long, value_name = "WHAT", value_parser = ["wait", "run"])]
    pub when_unrecordable: Option<String>,
    /// It is the scheduler of this keeper, which is at the other end of its standard input
    #[arg(long, hide = true, value_name = "PID")]
    pub kept: Option<i32>,
}

#[derive(Debug, Args)]
pub struct CheckArguments {
    /// The file to check instead of the one in use
    pub file: Option<PathBuf>,
    /// Warnings are errors
    #[arg(long)]
    pub strict: bool,
}

#[derive(Debug, Args)]
pub struct DiffArguments {
    /// The file to compare instead of the one in use, as if it stood in its place; what it includes is read from beside it
    pub file: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct NextArguments {
    /// Jobs to ask for; all of them if none is named
    pub jobs: Vec<String>,
    /// Try a schedule instead of a job's
    #[arg(long, value_name = "SCHEDULE", conflicts_with = "jobs")]
    pub expr: Option<String>,
    /// The zone of the schedule
    #[arg(long, alias = "tz", value_name = "ZONE", requires = "expr", conflicts_with = "jobs")]
    pub timezone: Option<String>,
    /// The job's name, from which `H` in the schedule is hashed
    #[arg(long, value_name = "NAME", requires = "expr", conflicts_with = "jobs")]
    pub name: Option<String>,
    /// Look from this time on instead of from now: "tomorrow 3am", "monday", "2026-12-24"
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
    /// How many instants [default: 5 of one job, 20 of several]
    #[arg(short, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub n: Option<u32>,
    /// Read questions as JSON lines, and answer each with a line
    #[arg(long, conflicts_with_all = ["jobs", "expr", "from", "n"])]
    pub batch: bool,
}

#[derive(Debug, Args)]
pub struct PlanArguments {
    /// How many days to look ahead
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=3660))]
    pub days: u16,
    /// Look from this time on instead of from now: "tomorrow 3am", "monday", "2026-12-24"
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub from: Option<String>,
}

#[derive(Debug, Default, Args)]
pub struct StatusArguments {
    /// Jobs to ask for; all of them if none is named
    pub jobs: Vec<String>,
    /// Only jobs whose last run failed
    #[arg(long)]
    pub failed: bool,
}

#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// Jobs to ask for; all of them if none is named
    pub jobs: Vec<String>,
    /// Only what failed
    #[arg(long)]
    pub failed: bool,
    /// Due at this time or later: "yesterday 3am", "2h", "monday", "nov 22", "2026-11-22 02:30", …
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub since: Option<String>,
    /// Due at this time or earlier; of a day, until its end
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// How it ended: succeeded, failed, timed-out, stopped, not-started, lost, skipped, missed; or that it is waiting or
    /// running
    #[arg(long, value_name = "OUTCOME,…", value_delimiter = ',')]
    pub outcome: Vec<String>,
    /// Why it ended so: exit-code, signal, timeout, overlap, daemon-down, …
    #[arg(long, value_name = "REASON,…", value_delimiter = ',')]
    pub reason: Vec<String>,
    /// Why it ran: schedule, catch-up, boot, start, manual, dependency
    #[arg(long, value_name = "CAUSE,…", value_delimiter = ',')]
    pub cause: Vec<String>,
    /// Took longer than this: "90s", "1h 30m"
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    pub longer_than: Option<String>,
    /// Ended with this exit code
    #[arg(long, value_name = "N", value_parser = exit_code)]
    pub exit_code: Option<u8>,
    /// Wrote a line with this text, whatever its case; or, between slashes, one that a regular expression matches
    #[arg(long, value_name = "TEXT|/RE/", allow_hyphen_values = true)]
    pub grep: Option<String>,
    /// How many entries, the newest; "all"; 0 only counts them, in the table
    #[arg(short, value_name = "N|all", default_value = "20")]
    pub n: Count,
    /// Ask in SQL instead, over the views history, attempts_shown, outputs and events_shown; nothing can be changed
    #[arg(long, value_name = "SELECT …", allow_hyphen_values = true, conflicts_with_all = ["jobs", "failed", "since", "until", "outcome", "reason",
        "cause", "longer_than", "exit_code", "grep", "n"])]
    pub sql: Option<String>,
    /// For how long SQLite may work on it
    #[arg(long, value_name = "DURATION", requires = "sql", default_value = "10s")]
    pub sql_timeout: String,
    /// How the answer is written [default: table; --json is the same as json]
    #[arg(long, value_name = "FORMAT")]
    pub format: Option<Format>,
}

fn exit_code(text: &str) -> Result<u8, &'static str> {
    text.parse().map_err(|_| "an exit code is a number from 0 to 255")
}

/// How many are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    All,
    Newest(u32),
}

impl std::str::FromStr for Count {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            "all" => Ok(Self::All),
            _ => text.parse().map(Self::Newest).map_err(|_| "it is a number, or `all`"),
        }
    }
}

#[derive(Debug, Args)]
pub struct ShowArguments {
    /// The number of a run, or the name of a job
    #[arg(value_name = "RUN|JOB")]
    pub subject: String,
}

#[derive(Debug, Args)]
pub struct LogsArguments {
    /// The number of a run, or the name of a job, for its last run
    #[arg(value_name = "RUN|JOB")]
    pub subject: String,
    /// The job's last run that failed
    #[arg(long)]
    pub failed: bool,
    /// Of a run with steps, only that of this one
    #[arg(long, value_name = "NAME")]
    pub step: Option<String>,
    /// Go on until the run has ended, through all its attempts; of a job, the run that goes on now
    #[arg(short, long)]
    pub follow: bool,
    /// Only the last lines
    #[arg(short, value_name = "LINES")]
    pub n: Option<usize>,
    /// The bytes as they are, control characters too
    #[arg(long)]
    pub raw: bool,
}

#[derive(Debug, Args)]
pub struct StatsArguments {
    /// Jobs to ask for; all of them if none is named
    pub jobs: Vec<String>,
    /// Only what was due from this time on
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
}

#[derive(Debug, Args)]
pub struct AuditArguments {
    /// Only instants at this time or later, or since so long ago: 2026-11-22, 2d [default: all of the ledger]
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
}

#[derive(Debug, Args)]
pub struct BackupArguments {
    /// The file to make
    #[arg(value_name = "FILE")]
    pub to: PathBuf,
    /// Replace the file if it is there already
    #[arg(long)]
    pub force: bool,
}

#[derive(Debug, Args)]
pub struct RestoreArguments {
    /// A file that `backup` has made
    #[arg(value_name = "FILE")]
    pub from: PathBuf,
}

#[derive(Debug, Args)]
pub struct DemoArguments {
    /// How many days it is about [default: 7; with --runs 30]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=3660))]
    pub days: Option<u16>,
    /// The state folder to make, with a jobs.toml in it [default: a fresh one under the temporary folder]
    #[arg(long, value_name = "DIR")]
    pub into: Option<PathBuf>,
    /// Another number makes up another week
    #[arg(long, value_name = "N", default_value_t = 1)]
    pub seed: u64,
    /// When it ends [default: now]
    #[arg(long, value_name = "TIME")]
    pub until: Option<String>,
    /// About so many runs of as many jobs as it takes, for measuring
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub runs: Option<u64>,
    /// Jobs that write nothing
    #[arg(long, requires = "runs")]
    pub silent: bool,
}

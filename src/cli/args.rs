//! What was typed?

use std::path::PathBuf;

use clap::{Args, ColorChoice, Parser, Subcommand};

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
    /// The output of a run, or of a job's last
    Logs(LogsArguments),
    /// Copy the ledger to a file while everything goes on
    Backup(BackupArguments),
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
pub struct NextArguments {
    /// Jobs to ask for; all of them if none is named
    pub jobs: Vec<String>,
    /// Try a schedule instead of a job's
    #[arg(long, value_name = "SCHEDULE", conflicts_with = "jobs")]
    pub expr: Option<String>,
    /// The zone of the schedule
    #[arg(long, alias = "tz", value_name = "ZONE", requires = "expr")]
    pub timezone: Option<String>,
    /// The job's name, from which `H` in the schedule is hashed
    #[arg(long, value_name = "NAME", requires = "expr")]
    pub name: Option<String>,
    /// Look from this time on instead of from now
    #[arg(long, value_name = "TIME")]
    pub from: Option<String>,
    /// How many instants [default: 5 of one job, 20 of several]
    #[arg(short, value_name = "N")]
    pub n: Option<usize>,
    /// Read questions as JSON lines, and answer each with a line
    #[arg(long, conflicts_with_all = ["jobs", "expr", "from", "n"])]
    pub batch: bool,
}

#[derive(Debug, Args)]
pub struct PlanArguments {
    /// How many days to look ahead
    #[arg(long, value_name = "N", default_value_t = 7, value_parser = clap::value_parser!(u16).range(1..=3660))]
    pub days: u16,
    /// Look from this time on instead of from now
    #[arg(long, value_name = "TIME")]
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
    /// How many entries, the newest
    #[arg(short, value_name = "N", default_value_t = 20)]
    pub n: u32,
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
    /// Go on until the run has ended
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
pub struct BackupArguments {
    /// The file to make; it must not be there yet
    pub to: PathBuf,
}

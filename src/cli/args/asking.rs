//! What was typed behind the verbs that ask the ledger about runs?

use clap::Args;

use crate::cli::sheet::Format;
use crate::inquiry::Count;

#[derive(Debug, Default, Args)]
pub struct StatusArguments {
    /// Jobs to ask for; all of them if none is named
    #[arg(value_name = "JOB")]
    pub jobs: Vec<String>,
    /// Only jobs whose last run failed
    #[arg(long)]
    pub failed: bool,
}

#[derive(Debug, Args)]
pub struct HistoryArguments {
    /// Jobs to ask for; all of them if none is named
    #[arg(value_name = "JOB")]
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
    #[arg(short, value_name = "N|all", default_value = "20", value_parser = count)]
    pub n: Count,
    /// Ask in SQL instead, over the views history, attempts_shown, outputs, events_shown, pauses_shown and
    /// notices_shown; nothing can be changed
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

pub fn count(text: &str) -> Result<Count, &'static str> {
    match text {
        "all" => Ok(Count::All),
        _ => text.parse().map(Count::Newest).map_err(|_| "it is a number, or `all`"),
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
    #[arg(value_name = "JOB")]
    pub jobs: Vec<String>,
    /// Only what was due from this time on
    #[arg(long, value_name = "TIME")]
    pub since: Option<String>,
}

#[derive(Debug, Args)]
pub struct WhyArguments {
    /// The job's name, or the number of a run for the time of that run
    #[arg(value_name = "RUN|JOB")]
    pub job: String,
    /// About this time instead of now: "yesterday 3am", "sunday", "2026-11-22 02:30"
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub at: Option<String>,
}

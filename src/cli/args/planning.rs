//! What was typed behind the verbs that read the job file: `check`, `next`, `plan`?

use std::path::PathBuf;

use clap::Args;

#[derive(Debug, Args)]
pub struct CheckArguments {
    /// The file to check instead of the one in use; `-` is standard input
    #[arg(value_name = "FILE")]
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
    #[arg(value_name = "JOB")]
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
    /// How many instants [default: 5 of one job, 20 of several, of each its share]
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

//! What was typed behind the verbs that are about the ledger as a whole?

use std::path::PathBuf;

use clap::Args;

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

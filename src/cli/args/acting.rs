//! What was typed behind the verbs that wish something of the running daemon?

use clap::Args;

use super::variable;

#[derive(Debug, Args)]
pub struct RunArguments {
    /// The jobs to run, at the same time
    #[arg(value_name = "JOB", required = true)]
    pub jobs: Vec<String>,
    /// Show what they write, until all have ended; Ctrl-C leaves them going
    #[arg(long)]
    pub wait: bool,
    /// Repeat the run of this past time: "yesterday 3am", "2026-11-22 02:30"; it is in PUNCTUAL_DUE
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub due: Option<String>,
    /// A variable for their commands, above those of the file; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
}

#[derive(Debug, Args)]
pub struct StopArguments {
    /// The number of a run, or the name of a job, for whatever of it has not ended
    #[arg(value_name = "RUN|JOB")]
    pub subject: String,
    /// At once, instead of asking it to end first
    #[arg(long)]
    pub kill: bool,
    /// Until it has ended
    #[arg(long)]
    pub wait: bool,
}

#[derive(Debug, Args)]
pub struct PauseArguments {
    /// The jobs to pause
    #[arg(value_name = "JOB", required_unless_present = "all")]
    pub jobs: Vec<String>,
    /// Every job, also those that come into the file meanwhile
    #[arg(long, conflicts_with = "jobs")]
    pub all: bool,
    /// For so long: "2h", "1d 12h"
    #[arg(long = "for", value_name = "DURATION", conflicts_with = "until", allow_hyphen_values = true)]
    pub within: Option<String>,
    /// Until this time: "tomorrow 8am", "monday", "2026-12-24"
    #[arg(long, value_name = "TIME", allow_hyphen_values = true)]
    pub until: Option<String>,
    /// Why, for whoever wonders: it stands in `status` and with each instant that is left out
    #[arg(long, value_name = "TEXT", allow_hyphen_values = true)]
    pub reason: Option<String>,
}

#[derive(Debug, Args)]
pub struct ResumeArguments {
    /// The jobs whose pauses end
    #[arg(value_name = "JOB", required_unless_present = "all")]
    pub jobs: Vec<String>,
    /// What was paused at once with `pause --all`; where nothing was, every job that is paused
    #[arg(long, conflicts_with = "jobs")]
    pub all: bool,
}

#[derive(Debug, Args)]
pub struct SkipArguments {
    /// The job whose next instants are left out
    #[arg(value_name = "JOB")]
    pub job: String,
    /// How many
    #[arg(short, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub n: u32,
    /// Leave none out, whatever was said before
    #[arg(long, conflicts_with = "n")]
    pub undo: bool,
}

#[derive(Debug, Args)]
pub struct ReloadArguments {}

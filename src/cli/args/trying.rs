//! What was typed behind `try`?

use clap::Args;

use super::variable;

#[derive(Debug, Args)]
pub struct TryArguments {
    /// The job to carry out
    #[arg(value_name = "JOB")]
    pub job: String,
    /// Also while a run of it goes on
    #[arg(long)]
    pub beside: bool,
    /// A variable for its commands, above those of the file; may be given several times
    #[arg(long, value_name = "NAME=VALUE", value_parser = variable)]
    pub env: Vec<(String, String)>,
    /// What it writes as it is, control characters too
    #[arg(long, conflicts_with = "json")]
    pub raw: bool,
}

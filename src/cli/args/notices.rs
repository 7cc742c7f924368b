//! What was typed behind `notices`?

use clap::{Args, Subcommand};

use crate::inquiry::Count;

#[derive(Debug, Args)]
#[expect(clippy::struct_excessive_bools, reason = "each is a flag that somebody types")]
#[command(args_conflicts_with_subcommands = true)]
pub struct NoticesArguments {
    #[command(subcommand)]
    pub verb: Option<NoticesVerb>,
    /// Only what waits to be sent
    #[arg(long, conflicts_with_all = ["sent", "undeliverable"])]
    pub waiting: bool,
    /// Only what was sent
    #[arg(long, conflicts_with = "undeliverable")]
    pub sent: bool,
    /// Only what could not be delivered
    #[arg(long)]
    pub undeliverable: bool,
    /// All that are kept, instead of the newest
    #[arg(long, conflicts_with = "n")]
    pub all: bool,
    /// How many, the newest; "all"
    #[arg(short, value_name = "N|all", default_value = "20", value_parser = super::asking::count)]
    pub n: Count,
    /// Only of this channel
    #[arg(long, value_name = "CHANNEL")]
    pub channel: Option<String>,
}

#[derive(Debug, Subcommand)]
pub enum NoticesVerb {
    /// Try to send notices again now, also those that were given up or dropped
    Retry(WhichArguments),
    /// Let notices not be sent
    Drop(WhichArguments),
}

#[derive(Debug, Args)]
pub struct WhichArguments {
    /// The numbers of notices
    #[arg(value_name = "NOTICE", required_unless_present = "all")]
    pub notices: Vec<i64>,
    /// Whatever waits or could not be delivered
    #[arg(long, conflicts_with = "notices")]
    pub all: bool,
}

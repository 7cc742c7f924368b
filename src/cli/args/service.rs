//! What was typed behind `daemon`?

use clap::Args;

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

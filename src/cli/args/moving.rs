//! What was typed behind `import` and `export`?

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
#[command(after_help = "Importing changes nothing: it prints a job file, or writes one that was not there.")]
pub struct ImportArguments {
    #[command(subcommand)]
    pub from: From,
}

#[derive(Debug, Subcommand)]
pub enum From {
    /// Jobs of a crontab
    Crontab(ImportCrontabArguments),
    /// Jobs of systemd's timers and their services
    Systemd(ImportSystemdArguments),
}

#[derive(Debug, Args)]
pub struct ImportCrontabArguments {
    /// Crontabs, or folders of them such as /etc/cron.d; "-" is standard input [default: your own]
    #[arg(value_name = "FILE")]
    pub files: Vec<PathBuf>,
    /// The crontab of this user
    #[arg(long, value_name = "NAME", conflicts_with_all = ["files", "system"])]
    pub user: Option<String>,
    /// /etc/crontab, /etc/cron.d and /etc/anacrontab
    #[arg(long, conflicts_with = "files")]
    pub system: bool,
    /// Lines have a user before the command, as in /etc/crontab [default: by where the file is]
    #[arg(long)]
    pub with_user: bool,
    /// Hold each job against Debian's cron for so long from now: "1y"
    #[arg(long, value_name = "DURATION")]
    pub verify: Option<String>,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct ImportSystemdArguments {
    /// Timers: "backup.timer", "backup", or the path of a file
    #[arg(value_name = "UNIT", required = true)]
    pub units: Vec<String>,
    /// Units of your own instead of the system's
    #[arg(long)]
    pub user: bool,
    #[command(flatten)]
    pub output: Output,
}

#[derive(Debug, Args)]
pub struct Output {
    /// The file to write instead of standard output; it must not be there
    #[arg(long = "output", short = 'o', value_name = "FILE", id = "output")]
    pub file: Option<PathBuf>,
    /// Replace the file if it is there already
    #[arg(long, requires = "output")]
    pub force: bool,
    /// Read the files of another system, which is mounted there
    #[arg(long, value_name = "DIR")]
    pub root: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct ExportArguments {
    #[command(subcommand)]
    pub to: To,
}

#[derive(Debug, Subcommand)]
pub enum To {
    /// Lines for a crontab; what cron cannot do is said in comments
    Crontab(ExportCrontabArguments),
}

#[derive(Debug, Args)]
pub struct ExportCrontabArguments {
    /// Jobs to write; all of them if none is named
    pub jobs: Vec<String>,
    /// With the user before the command, as in /etc/crontab and /etc/cron.d
    #[arg(long)]
    pub system: bool,
    /// With CRON_TZ for jobs of other zones: cronie and the BSDs honour it, Debian's cron does not
    #[arg(long)]
    pub cron_tz: bool,
}

//! What was typed behind `notify`?

use std::path::PathBuf;

use clap::{Args, Subcommand};

#[derive(Debug, Args)]
pub struct NotifyArguments {
    #[command(subcommand)]
    pub what: Notify,
}

#[derive(Debug, Subcommand)]
pub enum Notify {
    /// Write the templates of messages into a folder, to change them there
    ///
    /// Nothing that is there is written over. A template that you do not keep is the built-in one.
    Templates(TemplatesArguments),
}

#[derive(Debug, Args)]
pub struct TemplatesArguments {
    /// The folder to write them into; it is made where there is none
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

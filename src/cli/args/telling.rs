//! What was typed behind `notify`?

use std::path::PathBuf;

use clap::builder::{PossibleValuesParser, TypedValueParser};
use clap::{Args, Subcommand};

use crate::job::CarrierKind;

#[derive(Debug, Args)]
pub struct NotifyArguments {
    #[command(subcommand)]
    pub what: Notify,
}

#[derive(Debug, Subcommand)]
pub enum Notify {
    /// Send a test by a channel, and see what is said on its way
    ///
    /// Each of its carriers is tried once, and each line shown as it is said; what is secret is ***. Passwords are read as
    /// whoever types this. Neither daemon nor ledger are needed. It exits with 0 if every carrier took it, and with 1 otherwise.
    Test(NotifyTestArguments),
    /// Write the templates of messages into a folder, to change them there
    ///
    /// Nothing that is there is written over. A template that you do not keep is the built-in one.
    Templates(TemplatesArguments),
}

#[derive(Debug, Args)]
pub struct NotifyTestArguments {
    /// The channel to try
    #[arg(value_name = "CHANNEL")]
    pub channel: String,
    /// Only this carrier of it
    #[arg(long, value_name = "CARRIER", value_parser = carrier())]
    pub carrier: Option<CarrierKind>,
}

#[derive(Debug, Args)]
pub struct TemplatesArguments {
    /// The folder to write them into; it is made where there is none
    #[arg(value_name = "DIR")]
    pub folder: PathBuf,
}

fn carrier() -> impl TypedValueParser<Value = CarrierKind> {
    let words = CarrierKind::WORDS.map(|(word, _)| word);
    PossibleValuesParser::new(words).try_map(|word| {
        let known = CarrierKind::WORDS.into_iter().find(|(name, _)| *name == word);
        known.map(|(_, kind)| kind).ok_or("there is no such carrier")
    })
}

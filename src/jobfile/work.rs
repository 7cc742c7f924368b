//! What is one thing to do, as a job or a step says it?

use std::ops::Range;

use super::http::RawHttp;
use super::mail::RawMail;
use super::section::{At, Section};
use super::sql::RawSql;

/// The keys of which there is exactly one in a job, `steps` aside, and in a step.
pub const TASKS: [&str; 4] = ["command", "http", "sql", "mail"];

/// How the command was written; see [`crate::job::CommandLine`].
#[derive(Debug, Clone)]
pub enum RawCommand {
    Text(String),
    List(Vec<String>),
}

/// What is to be done, as a job or a step says it.
#[derive(Debug, Clone, Default)]
pub struct RawWork {
    pub command: Option<At<RawCommand>>,
    pub http: Option<At<RawHttp>>,
    pub sql: Option<At<RawSql>>,
    pub mail: Option<At<RawMail>>,
    pub stdin: Option<At<String>>,
    /// Which tasks there are, right or wrong.
    pub tasks: Vec<(&'static str, Range<usize>)>,
    /// Whether an unknown key was probably meant to be one.
    pub misspelt: bool,
}

impl RawWork {
    pub fn read(section: &mut Section) -> Self {
        Self {
            command: read_command(section),
            http: RawHttp::read(section),
            sql: RawSql::read(section),
            mail: RawMail::read(section),
            stdin: section.text("stdin"),
            tasks: section.stands(TASKS),
            misspelt: section.means(&TASKS) || section.means(&["steps"]),
        }
    }

    /// What a text or a list of words alone says.
    pub fn of_command(command: At<RawCommand>) -> Self {
        Self { tasks: vec![("command", command.span.clone())], command: Some(command), ..Self::default() }
    }
}

fn read_command(section: &mut Section) -> Option<At<RawCommand>> {
    if !section.is_text("command") {
        return section.words("command").map(|words| words.map(RawCommand::List));
    }
    let text = section.clean_text("command")?;
    if text.value.trim().is_empty() {
        let help = "write for example command = \"echo hello\"".to_owned();
        section.error("command", text.span, "`command` is empty", Some(help));
        return None;
    }
    Some(text.map(RawCommand::Text))
}

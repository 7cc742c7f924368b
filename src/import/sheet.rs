//! What is to be written about each job? The same for what comes from a crontab and from a timer.

use std::ops::Range;

/// A value as a job file has it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Value {
    Text(String),
    Texts(Vec<String>),
    Number(i64),
    Numbers(Vec<i64>),
    /// Names and texts, in the order in which they were given.
    Table(Vec<(String, String)>),
}

impl Value {
    pub fn text(text: impl Into<String>) -> Self {
        Self::Text(text.into())
    }
}

/// What a job does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// For a shell.
    Text(String),
    /// A program and its arguments.
    Words(Vec<String>),
    /// One after the other.
    Steps(Vec<Act>),
}

/// A job as it will be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draft {
    pub name: String,
    /// In which of the files that were read it stands, and on which line.
    pub source: usize,
    pub line: usize,
    /// What its writer said about it, in lines.
    pub comments: Vec<String>,
    /// What means something else here, or was left behind.
    pub remarks: Vec<String>,
    pub description: Option<String>,
    pub schedules: Vec<String>,
    pub act: Act,
    pub stdin: Option<String>,
    /// Keys of `[defaults]` or of the job, in the order in which they are written.
    pub policies: Vec<(&'static str, Value)>,
}

impl Draft {
    pub fn policy(&self, key: &str) -> Option<&Value> {
        self.policies.iter().find(|(known, _)| *known == key).map(|(_, value)| value)
    }
}

/// What holds for every job of the sheet, because it holds for every job where they come from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Common {
    pub key: &'static str,
    pub value: Value,
    pub why: &'static str,
}

/// A whole file to be written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Sheet {
    /// Comments at its top.
    pub head: Vec<String>,
    pub common: Vec<Common>,
    /// Names of channels and the addresses that they mail what jobs write.
    pub channels: Vec<(String, Vec<String>)>,
    pub drafts: Vec<Draft>,
    /// Comments behind the last job.
    pub tail: Vec<String>,
}

/// A place in a file that was read, and what is wrong there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub source: usize,
    /// Counted from 1.
    pub line: usize,
    /// Bytes of the whole text, as [`super::Text`] has it.
    pub span: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

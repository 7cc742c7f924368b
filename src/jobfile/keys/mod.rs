//! Which keys does each table of jobs.toml know, what may stand there, and what is it for?
//!
//! From these tables come the unknown keys that `check` finds and what it suggests for them, and the schema by which editors
//! complete. What a value comes to is read elsewhere; `tests/schema.rs` holds the two together.

mod house;
mod job;
mod tasks;
mod telling;

pub use house::{
    BACKUP, CALENDAR, DAEMON, HOUSEKEEPING, MOST_PLACES, RETENTION, SMTP, STARTTLS, TOP_LEVEL, WHEN_UNRECORDABLE,
};
pub use job::{JOB, LIMITS, MOST_COUNTED, MOST_QUEUED, MOST_RETRIES, POLICIES, STEP};
pub use tasks::{HTTP, MAIL, MOST_REQUESTS, MOST_REQUESTS_AT_ONCE, MOST_STATEMENTS_AT_ONCE, SECRET, SQL};
pub use telling::{CHANNEL, DIGEST, SLOW, TARGET, WEBHOOK};

/// What may stand behind a key, as far as it can be told without the rest of the file.
#[derive(Debug, Clone, Copy)]
pub enum Shape {
    Text,
    /// A text that is not empty.
    Filled,
    /// A text of this form, a regular expression as JSON Schema has them.
    Form(&'static str),
    /// A text, or a date without quotes.
    Moment,
    /// A schedule.
    Schedule,
    Boolean,
    /// A whole number, both ends included.
    Integer(i64, i64),
    Duration,
    Size,
    /// One word of a closed list.
    Word(fn() -> Vec<&'static str>),
    /// One of them, or a list of them.
    OneOrMany(&'static Shape),
    /// A list of at least one.
    List(&'static Shape),
    /// A text, a number or a boolean.
    Scalar,
    /// A table of these keys, or of those of several such lists.
    Table(&'static [&'static [Key]]),
    /// A table of names that the writer gives, all of one shape; the form of the names.
    Names(Names, &'static Shape),
    /// A table with exactly one of these keys.
    OneKey(&'static [Key]),
    /// One of several shapes.
    Either(&'static [Shape]),
    Anything,
}

/// What names look like that the writer gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Names {
    /// Of jobs and steps.
    Job,
    /// Of variables.
    Variable,
    /// Of an axis of a matrix.
    Axis,
    Any,
}

/// A key, and what is to be known about it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub name: &'static str,
    pub shape: Shape,
    /// Whether `"none"` takes an inherited value back.
    pub settable: bool,
    /// Whether it must stand there.
    pub required: bool,
    /// What holds where it does not stand, as JSON; empty where that is nothing, or no value of its own.
    pub default: &'static str,
    /// A sentence or two, in Markdown, as editors show them.
    pub about: &'static str,
}

impl Key {
    const fn new(name: &'static str, shape: Shape, about: &'static str) -> Self {
        Self { name, shape, settable: false, required: false, default: "", about }
    }

    /// The same, with `"none"` among its values.
    const fn or_none(mut self) -> Self {
        self.settable = true;
        self
    }

    const fn required(mut self) -> Self {
        self.required = true;
        self
    }

    const fn default(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }
}

/// The words of a closed list, without what they stand for.
fn words<T>(list: &[(&'static str, T)]) -> Vec<&'static str> {
    list.iter().map(|(word, _)| *word).collect()
}

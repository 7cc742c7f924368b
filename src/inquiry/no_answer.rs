//! Why is there no answer?

/// Each says what happened and what to do.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There is no such job; perhaps one that was meant.
    #[error("there is no job `{name}`; {}", meant(near.as_deref()))]
    NoJob { name: String, near: Option<String> },
    /// There is no such run or step.
    #[error("{message}; {help}")]
    Unknown { message: String, help: String },
    /// There is nothing of the kind that is asked for.
    #[error("{0}")]
    None(String),
    /// Something was asked in a way that means nothing; `what` is the name of the flag or the parameter, as the JSON would
    /// spell it.
    #[error("{what}: {message}")]
    Misasked { what: &'static str, message: String },
    #[error("the ledger cannot be read: {0}")]
    Ledger(#[from] sqlx::Error),
}

/// What to do about a name that no job has.
pub fn meant(near: Option<&str>) -> String {
    match near {
        Some(near) => format!("did you mean {near}?"),
        None => "the jobs are listed by: punctual status".to_owned(),
    }
}

//! Why is there no answer?

/// Each says what happened and what to do.
#[derive(Debug, thiserror::Error)]
pub enum NoAnswer {
    /// There is no such job, run or step.
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

//! What is said to whoever cannot be given what he asked for? Always the same JSON object.

use axum::Json;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::wish::{Denial, Denied};
use crate::inquiry::{NoAnswer, meant};

/// `{"error":{"code","message","help"}}`
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemReport {
    pub error: Problem,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    pub code: Code,
    pub message: String,
    /// What to do about it, where the message does not say it already.
    pub help: Option<String>,
}

/// Why, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Code {
    /// The request cannot be understood.
    Wrong,
    /// Whoever asks may not.
    Forbidden,
    /// There is no such job, run or address.
    Unknown,
    /// The address is asked in another way.
    Method,
    /// It cannot be done as things are.
    Conflict,
    /// The request has too many bytes.
    TooLarge,
    /// The daemon is stopping, too busy, or cannot use its ledger.
    Unavailable,
    /// It took too long.
    TimedOut,
}

impl Code {
    pub const ALL: [Self; 8] = [
        Self::Wrong,
        Self::Forbidden,
        Self::Unknown,
        Self::Method,
        Self::Conflict,
        Self::TooLarge,
        Self::Unavailable,
        Self::TimedOut,
    ];

    pub fn status(self) -> StatusCode {
        match self {
            Self::Wrong => StatusCode::BAD_REQUEST,
            Self::Forbidden => StatusCode::FORBIDDEN,
            Self::Unknown => StatusCode::NOT_FOUND,
            Self::Method => StatusCode::METHOD_NOT_ALLOWED,
            Self::Conflict => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
            Self::TimedOut => StatusCode::GATEWAY_TIMEOUT,
        }
    }
}

impl Problem {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: message.into(), help: None }
    }

    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self { help: Some(help.into()), ..self }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        (self.code.status(), Json(ProblemReport { error: self })).into_response()
    }
}

impl From<Denied> for Problem {
    fn from(denied: Denied) -> Self {
        let code = match denied.denial {
            Denial::Unknown => Code::Unknown,
            Denial::Conflict => Code::Conflict,
            Denial::Unavailable => Code::Unavailable,
        };
        Self::new(code, denied.message)
    }
}

impl From<NoAnswer> for Problem {
    fn from(reason: NoAnswer) -> Self {
        match reason {
            NoAnswer::NoJob { name, near } => {
                Self::new(Code::Unknown, format!("there is no job `{name}`")).with_help(meant(near.as_deref()))
            }
            NoAnswer::Unknown { message, help } => Self::new(Code::Unknown, message).with_help(help),
            NoAnswer::None(message) => Self::new(Code::Unknown, message),
            NoAnswer::Misasked { .. } => Self::new(Code::Wrong, reason.to_string()),
            NoAnswer::Ledger(_) => {
                Self::new(Code::Unavailable, reason.to_string()).with_help("punctual status says what is wrong with it")
            }
        }
    }
}

//! What does a job ask of web servers?

use serde::Serialize;

/// Requests, many at once.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Http {}

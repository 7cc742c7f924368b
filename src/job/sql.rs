//! What does a job ask of a database?

use serde::Serialize;

/// Statements for a database.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sql {}

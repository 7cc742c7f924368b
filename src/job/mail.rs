//! What message does a job send?

use serde::Serialize;

/// A message to people.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Mail {}

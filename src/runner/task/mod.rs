//! What can be done without a process?

pub mod http;
pub mod mail;
pub mod sql;

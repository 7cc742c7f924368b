//! What can be done without a process?

pub mod http;
pub mod mail;
mod seen;
pub mod sql;
mod words;

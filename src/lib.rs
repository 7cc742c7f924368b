//! punctual, a periodic job scheduler daemon.
#![deny(unsafe_code)]
pub mod cli;
pub mod clock;
pub mod configuration;
pub mod daemon;
pub mod files;
pub mod job;
pub mod jobfile;
pub mod plan;
pub mod readiness;
pub mod report;
pub mod run;
pub mod runner;
pub mod schedule;
pub mod settings;
pub mod store;

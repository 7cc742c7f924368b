//! punctual, a periodic job scheduler daemon.
pub mod job;
pub mod jobfile;
pub mod run;
pub mod schedule;

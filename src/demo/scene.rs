//! Whose attempt is told of, and what goes wrong with it?

use std::time::Duration;

/// Whose attempt it is, and when.
#[derive(Debug, Clone, Copy)]
pub struct Scene<'s> {
    pub job: &'s str,
    /// Empty: the job has no steps.
    pub step: &'s str,
    /// Of the job's runs, from 1.
    pub number: u64,
    /// Of the run, or of the step.
    pub attempt: u32,
    /// How much of the time that is told has passed, of a thousand.
    pub passed: u64,
    pub timeout: Option<Duration>,
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    None,
    Code(i32),
    Signal(i32),
    /// It does not come to an end by itself.
    Hangs,
    /// So many times as long as usual.
    Slow(u64),
    NoProgram,
    StoppedByHand,
}

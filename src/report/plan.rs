//! What is said of the days to come?

use serde::Serialize;

use super::{Seconds, Time};

/// What is going to happen between two moments.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlanReport {
    pub from: Time,
    pub until: Time,
    pub jobs: Vec<PlannedJob>,
    /// Runs that start in each hour, from the first one on.
    pub hours: Vec<PlannedHour>,
    /// The minutes in which most runs of several jobs start.
    pub busiest: Vec<Collision>,
    pub most_running: usize,
    pub max_running: usize,
    /// Runs that have to wait for a place.
    pub waiting: u64,
    pub clock_changes: Vec<ClockChange>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct PlannedJob {
    pub job: String,
    pub runs: u64,
    /// Instants that are skipped because a run is expected to be still going.
    pub overlaps: u64,
    /// Instants that a calendar skips.
    pub closed: u64,
    /// Instants that a pause skips.
    pub paused: u64,
    /// Instants that somebody wants to be left out.
    pub left_out: u64,
    /// The median of its last successful runs.
    pub usual_duration: Option<Seconds>,
    /// Why it does not run at all.
    pub silent: Option<String>,
    /// Its next run, also if that is later.
    pub next: Option<Time>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedHour {
    pub from: Time,
    pub runs: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Collision {
    pub minute: Time,
    pub starts: u32,
    pub jobs: Vec<PlannedStarts>,
    /// How many minutes are like this one.
    pub times: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedStarts {
    pub job: String,
    pub starts: u32,
}

/// A moment at which a zone's clocks are put forward or back.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct ClockChange {
    pub at: Time,
    pub timezone: String,
    /// By how much they are put forward; negative if back.
    pub by: Seconds,
    pub jobs: Vec<DisturbedJob>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct DisturbedJob {
    pub job: String,
    pub schedule: String,
    pub effect: &'static str,
    /// How many of its times are left out or repeated.
    pub count: u64,
}

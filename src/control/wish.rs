//! What can a person wish of the running daemon, and what does it answer?

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::job::JobName;
use crate::notice::NoticeId;
use crate::report::{DeliveryReport, Entry, PauseReport, ReloadReport, Time};
use crate::run::RunId;

/// A wish on its way to the loop that owns the planner. It is answered once what follows from it is in the ledger.
#[derive(Debug)]
pub struct Ask {
    pub wish: Wish,
    pub by: Caller,
    pub answer: oneshot::Sender<Result<Granted, Denied>>,
}

/// Who wishes it, as the socket's peer credentials say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    pub uid: u32,
    /// The user's name, or the number where there is no name.
    pub name: String,
}

#[derive(Debug, Clone, PartialEq)]
pub enum Wish {
    /// Run these now, each by hand; `due` repeats an instant that is past.
    Run {
        jobs: Vec<JobName>,
        due: Option<Timestamp>,
        env: BTreeMap<String, String>,
    },
    /// End a run, or whatever of a job has not ended.
    StopRun {
        run: RunId,
        kill: bool,
    },
    StopJob {
        job: JobName,
        kill: bool,
    },
    Pause {
        jobs: Which,
        until: Option<Timestamp>,
        reason: Option<String>,
    },
    Resume {
        jobs: Which,
    },
    /// Leave out the next `count` instants.
    Skip {
        job: JobName,
        count: u32,
    },
    /// Leave out none of those that were to be left out.
    Unskip {
        job: JobName,
    },
    /// Take the file now.
    Reload,
    /// Try again, or drop, what waits to be told.
    Notices {
        act: NoticeAct,
        notices: WhichNotices,
    },
}

/// What is to be done with notices.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoticeAct {
    /// Send them now, also those that were given up or dropped.
    Retry,
    /// Send them never.
    Drop,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WhichNotices {
    /// Whatever waits or could not be delivered.
    All,
    These(Vec<NoticeId>),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Which {
    /// Those in the file now, and whatever comes into it while it holds.
    All,
    These(Vec<JobName>),
}

/// A wish that came true, as the socket tells it.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Granted {
    /// One for each job asked for, in the order of asking.
    Launched(Vec<Launched>),
    Stopped(Stopped),
    /// The jobs it was about, as they are now.
    Jobs(Vec<JobAfter>),
    Reloaded(Box<ReloadReport>),
    /// As they are now.
    Notices(Vec<DeliveryReport>),
}

/// What came of running a job by hand.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Launched {
    pub job: String,
    /// The run, waiting or running; where a run is in the way, none.
    pub run: Option<RunId>,
    /// What it waits for.
    pub waiting_for: Option<String>,
    /// Which run is in the way, by the job's rule of overlap.
    pub in_the_way: Option<RunId>,
    /// What is odd about the wish, though it came true.
    pub note: Option<String>,
}

/// Which runs are being ended, and what the job does next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stopped {
    pub runs: Vec<Entry>,
    pub job: JobAfter,
}

/// A job after a wish that changes what it does next.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct JobAfter {
    pub job: String,
    /// Whether the wish changed anything: a job that was not paused is resumed in vain.
    #[serde(default = "yes")]
    pub changed: bool,
    /// Whether it is in the file; one that is not may still have runs.
    #[serde(default = "yes")]
    pub defined: bool,
    pub enabled: bool,
    pub paused: Option<PauseReport>,
    /// Instants that are going to be left out.
    pub skips: Vec<Time>,
    /// When it runs next, with all that considered.
    pub next: Option<Time>,
}

/// A daemon of an older version does not say so.
fn yes() -> bool {
    true
}

/// A wish that did not come true: why, in words for people, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct Denied {
    pub denial: Denial,
    pub message: String,
}

/// Why, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// There is no such job or run.
    Unknown,
    /// It cannot be done as things are: a run that has ended, a file that is wrong.
    Conflict,
    /// The daemon is stopping, or the ledger cannot be written.
    Unavailable,
}

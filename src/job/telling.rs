//! What do people want to hear of a job?

use std::sync::Arc;
use std::time::Duration;

use super::channel::{Channel, Target};

/// Most jobs have what many others have, and share it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Telling {
    /// Whom to tell: every channel of the file, where the job does not say.
    pub channels: Vec<Arc<Channel>>,
    pub slow_after: Option<SlowAfter>,
    /// Without a success, whatever the cause.
    pub overdue_after: Option<Duration>,
    /// Who is told of the start and the end of each run, in the manner of healthchecks.io.
    pub ping: Option<Target>,
}

/// From when on a run takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlowAfter {
    Time(Duration),
    /// So many hundredths of what nineteen of its last twenty successes did not exceed.
    Usual(u32),
}

//! What has a part of the daemon found that people are to be told?

use crate::notice::Kind;

/// News of chores that wait for the loop: there are few of them, and they come hours apart.
pub const MOST_NEWS: usize = 8;
/// Names of channels; none: every one of the file.
pub type Names = Option<Vec<String>>;

/// Something to tell of the daemon.
#[derive(Debug)]
pub struct HouseNews {
    pub kind: Kind,
    pub detail: String,
    /// Whom; none: those who hear of the daemon.
    pub channels: Option<Names>,
}

//! In what can a ledger differ from what should have happened?

use jiff::Timestamp;

use crate::run::RunId;
use crate::schedule::Tally;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum DifferenceKind {
    /// No entry accounts for an instant.
    Missing,
    /// More than one entry is about an instant.
    Twice,
    /// A run began before its time.
    Early,
    /// An entry is about a time that its schedule did not name.
    NotAnInstant,
    /// An entry counts more or fewer instants than there were.
    CountWrong,
    /// A run has not ended, and nothing of it is there.
    Open,
    /// A run has ended without saying how.
    NoOutcome,
    /// Times that contradict each other.
    ImpossibleTimes,
    /// No definition was in force at that time.
    NoDefinition,
    /// Two definitions speak for the same time.
    DefinitionsOverlap,
}

impl DifferenceKind {
    /// The word for it, as in JSON.
    pub fn word(self) -> &'static str {
        match self {
            Self::Missing => "missing",
            Self::Twice => "twice",
            Self::Early => "early",
            Self::NotAnInstant => "not-an-instant",
            Self::CountWrong => "count-wrong",
            Self::Open => "open",
            Self::NoOutcome => "no-outcome",
            Self::ImpossibleTimes => "impossible-times",
            Self::NoDefinition => "no-definition",
            Self::DefinitionsOverlap => "definitions-overlap",
        }
    }
}

/// One difference between what should have happened and what is recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    pub kind: DifferenceKind,
    /// The first and the last moment that it is about.
    pub from: Timestamp,
    pub until: Timestamp,
    /// How many instants it is about.
    pub count: u64,
    pub runs: Vec<RunId>,
    pub detail: String,
}

/// So many differences of a job are told one by one: whoever has more needs no list.
const MOST_TOLD: usize = 100;

/// What an audit found out about a job.
#[derive(Debug, Default)]
pub struct Balanced {
    /// Instants that are accounted for.
    pub instants: u64,
    /// Those of them whose entries were pruned: only their number was compared.
    pub by_counts: u64,
    /// Instants of which nobody can say whether an entry was pruned or never there.
    pub unknown: u64,
    /// Instants that nobody has decided on yet.
    pub owed: Option<Tally>,
    pub differences: Vec<Difference>,
    /// Differences beyond those that are told.
    pub omitted: u64,
}

impl Balanced {
    pub fn differ(&mut self, difference: Difference) {
        if self.differences.len() < MOST_TOLD {
            self.differences.push(difference);
        } else {
            self.omitted += 1;
        }
    }
}

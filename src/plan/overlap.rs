//! May a job run that is due while runs of it have not ended?

use crate::job::Overlap;
use crate::run::{Reason, RunId};

/// The job's runs that have not ended.
#[derive(Debug, Clone, Copy)]
pub struct Unended {
    /// The oldest of them.
    pub first: Option<RunId>,
    /// How many wait until the others have ended.
    pub in_turn: usize,
}

/// What becomes of the run that is called for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admission {
    /// It waits for a place alone.
    Open,
    /// It waits until the job's earlier runs have ended.
    InTurn,
    /// The others are ended, and it waits until they have.
    Replace,
    Skip {
        reason: Reason,
        detail: String,
    },
}

/// The rule of `overlap`; `in_turn` lets a run wait for the job's earlier ones whatever the rule says.
pub fn admit(overlap: Overlap, in_turn: bool, unended: Unended) -> Admission {
    let Some(first) = unended.first else {
        return Admission::Open;
    };
    match overlap {
        _ if in_turn => Admission::InTurn,
        Overlap::Allow => Admission::Open,
        Overlap::Replace => Admission::Replace,
        Overlap::Queue { limit } if unended.in_turn < limit => Admission::InTurn,
        Overlap::Queue { limit } => {
            let runs = if limit == 1 { "1 run waits" } else { &format!("{limit} runs wait") };
            Admission::Skip {
                reason: Reason::QueueFull,
                detail: format!("{runs} already, and run {first} has not ended"),
            }
        }
        Overlap::Skip => Admission::Skip { reason: Reason::Overlap, detail: format!("run {first} had not ended") },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_rule_has_its_answer() {
        let none = Unended { first: None, in_turn: 0 };
        let one = Unended { first: Some(RunId(7)), in_turn: 0 };
        let two = Unended { first: Some(RunId(7)), in_turn: 1 };
        let queue = |limit| Overlap::Queue { limit };
        for overlap in [Overlap::Skip, queue(1), Overlap::Replace, Overlap::Allow] {
            assert_eq!(admit(overlap, false, none), Admission::Open);
            assert_eq!(admit(overlap, true, two), Admission::InTurn);
        }
        assert_eq!(admit(Overlap::Allow, false, two), Admission::Open);
        assert_eq!(admit(Overlap::Replace, false, two), Admission::Replace);
        assert_eq!(admit(queue(1), false, one), Admission::InTurn);
        assert_eq!(admit(queue(2), false, two), Admission::InTurn);
        let reason = |admission| match admission {
            Admission::Skip { reason, .. } => reason,
            other => panic!("{other:?}"),
        };
        assert_eq!(reason(admit(queue(1), false, two)), Reason::QueueFull);
        assert_eq!(reason(admit(Overlap::Skip, false, one)), Reason::Overlap);
    }
}

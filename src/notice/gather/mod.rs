//! What goes into one message, and when does it go? Siblings wait for each other, storms become one message, and at quiet times
//! nothing is sent.

mod storm;

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};

pub use self::storm::{Sent, Storms};

use self::storm::FEW;
use super::quiet::{is_quiet, quiet_until};
use super::{Kind, Notice, NoticeId};
use crate::job::{JobName, Quiet};

/// What fails together fails within a moment: so long a notice waits for others of it.
const SIBLINGS: SignedDuration = SignedDuration::from_secs(3);
/// Of one message: nobody reads more, and the ledger is asked about each.
const MOST: usize = 500;

/// A notice that waits for a carrier of a channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Waiting {
    pub number: NoticeId,
    pub at: Timestamp,
    pub kind: Kind,
    pub job: Option<JobName>,
    /// The first notice of the message in which it was tried already; it goes with that one again.
    pub message: Option<NoticeId>,
}

/// What decides when a channel is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Rules {
    pub quiet: Option<Quiet>,
    /// By whose clocks it is quiet.
    pub zone: TimeZone,
    pub storms: Storms,
}

/// What to do with what waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// These make one message.
    Send(Vec<NoticeId>),
    /// These are not to be sent before; look again then, or when something comes.
    Hold(Vec<NoticeId>, Hold),
}

/// Until when something is not sent, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Hold {
    pub until: Timestamp,
    pub because: Because,
}

/// Why something is not sent yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Because {
    /// It is a quiet time of the channel.
    Quiet,
    /// So much was told lately that more of it is gathered.
    Storm,
    /// What comes at the same moment may belong to it.
    Siblings,
    /// It was not taken, and is tried again.
    Refused,
    /// One before it was not taken, and is tried again first.
    Behind,
}

/// The moves, to be made one after the other. `waiting` is in the order of its numbers; a test comes before all others.
pub fn gather(waiting: &[Waiting], rules: &Rules, now: Timestamp) -> Vec<Move> {
    let (tests, others): (Vec<&Waiting>, Vec<&Waiting>) = waiting.iter().partition(|notice| notice.kind == Kind::Test);
    let mut moves: Vec<Move> = tests.into_iter().map(|notice| Move::Send(vec![notice.number])).collect();
    if others.is_empty() {
        return moves;
    }
    if let Some(hold) = rules.quiet_at(now) {
        moves.push(Move::Hold(numbers(&others), hold));
        return moves;
    }
    let (mut gathered, mut ready): (BTreeMap<Timestamp, Vec<&Waiting>>, Vec<&Waiting>) = Default::default();
    for notice in others {
        match rules.gathered_until(notice, now).filter(|until| *until > now) {
            Some(until) => gathered.entry(until).or_default().push(notice),
            None => ready.push(notice),
        }
    }
    let mut rest = ready.as_slice();
    while let Some(first) = rest.first() {
        let (together, behind) = rest.split_at(length_of_first(rest, rules));
        let until =
            if first.message.is_some() || is_alone(first) || is_held(first, rules) { now } else { ripe(first, now) };
        if until > now {
            moves.push(Move::Hold(numbers(rest), Hold { until, because: Because::Siblings }));
            break;
        }
        moves.extend(messages(together, rules, now).into_iter().map(Move::Send));
        rest = behind;
    }
    let hold = |until| Hold { until, because: Because::Storm };
    moves.extend(gathered.into_iter().map(|(until, notices)| Move::Hold(numbers(&notices), hold(until))));
    moves
}

impl Waiting {
    /// A notice, and the first one of the message that it is in by now.
    pub fn of(notice: &Notice, message: Option<NoticeId>) -> Self {
        let Notice { number, at, kind, job, .. } = notice;
        Self { number: *number, at: *at, kind: *kind, job: job.clone(), message }
    }
}

impl Because {
    pub fn words(self) -> &'static str {
        match self {
            Self::Quiet => "quiet hours",
            Self::Storm => "gathered after many",
            Self::Siblings => "others may follow",
            Self::Refused => "tried again",
            Self::Behind => "one before it is tried again",
        }
    }
}

impl Rules {
    /// Until when it is quiet, if it is.
    pub fn quiet_at(&self, at: Timestamp) -> Option<Hold> {
        let quiet = self.quiet.filter(|quiet| is_quiet(*quiet, &self.zone, at))?;
        Some(Hold { until: quiet_until(quiet, &self.zone, at), because: Because::Quiet })
    }

    /// Until when more of what a notice is about is gathered, or was. What was tried or held back is not gathered again.
    fn gathered_until(&self, notice: &Waiting, now: Timestamp) -> Option<Timestamp> {
        let job = notice.job.as_ref().filter(|_| notice.message.is_none() && !is_held(notice, self))?;
        self.storms.gathered_until(job, notice.at, now)
    }
}

/// What is never told with others: it is about something else, or has a form of its own.
fn is_alone(notice: &Waiting) -> bool {
    notice.job.is_none()
}

/// Whether it came at a quiet time.
fn is_held(notice: &Waiting, rules: &Rules) -> bool {
    rules.quiet.is_some_and(|quiet| is_quiet(quiet, &rules.zone, notice.at))
}

/// How many notices from the first on are looked at together.
fn length_of_first(rest: &[&Waiting], rules: &Rules) -> usize {
    let Some(first) = rest.first() else {
        return 0;
    };
    let untried = rest.iter().position(|notice| notice.message.is_some()).unwrap_or(rest.len());
    match first {
        Waiting { message: Some(message), .. } => {
            rest.iter().position(|notice| notice.message != Some(*message)).unwrap_or(rest.len())
        }
        Waiting { kind: Kind::Digest, .. } => 1,
        _ => {
            let untried = &rest[..untried];
            let digest = untried.iter().position(|notice| notice.kind == Kind::Digest).unwrap_or(untried.len());
            // All up to the last one that was held back goes together, whatever it is about.
            match untried[..digest].iter().rposition(|notice| is_held(notice, rules)) {
                Some(last) => last + 1,
                None if is_alone(first) => 1,
                None => untried.iter().position(|notice| is_alone(notice)).unwrap_or(untried.len()),
            }
        }
    }
}

/// From when on a notice need not wait for others. One from the future is of clocks that were set back, and does not wait.
fn ripe(first: &Waiting, now: Timestamp) -> Timestamp {
    if first.at > now { now } else { first.at.saturating_add(SIBLINGS).unwrap_or(now) }
}

/// The messages that notices become that are looked at together.
fn messages(together: &[&Waiting], rules: &Rules, now: Timestamp) -> Vec<Vec<NoticeId>> {
    let Some(first) = together.first() else {
        return Vec::new();
    };
    if first.message.is_some() {
        return vec![numbers(together)];
    }
    let is_one = together.len() > FEW
        || together.iter().any(|notice| is_held(notice, rules))
        || rules.storms.is_over_all(first.at, now);
    if is_one {
        return together.chunks(MOST).map(numbers).collect();
    }
    let mut messages: Vec<(Option<&JobName>, Vec<NoticeId>)> = Vec::new();
    for notice in together {
        let job = notice.job.as_ref();
        match messages.iter_mut().find(|(of, _)| *of == job) {
            Some((_, message)) => message.push(notice.number),
            None => messages.push((job, vec![notice.number])),
        }
    }
    messages.into_iter().map(|(_, message)| message).collect()
}

fn numbers(notices: &[&Waiting]) -> Vec<NoticeId> {
    notices.iter().map(|notice| notice.number).collect()
}

#[cfg(test)]
mod tests;

//! What goes into one message, and when does it go? Siblings wait for each other, storms become one message, and at quiet times
//! nothing is sent.

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::quiet::{is_quiet, quiet_until};
use super::{Kind, NoticeId};
use crate::job::{JobName, Quiet};

/// What fails together fails within a moment: so long a notice waits for others of it.
const SIBLINGS: SignedDuration = SignedDuration::from_secs(3);
/// So many notices are told one by one; more at once are a storm.
const FEW: usize = 3;
/// How long is gathered after a storm, and at most, as long as it goes on: each time twice as long.
const FIRST_GATHERING: SignedDuration = SignedDuration::from_secs(60);
const LONGEST_GATHERING: SignedDuration = SignedDuration::from_secs(5 * 60);
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
    /// When the last storm was told.
    pub last_sent: Option<Timestamp>,
    /// Storms that were told in a row.
    pub lately: u32,
}

/// What to do with what waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Move {
    /// These make one message.
    Send(Vec<NoticeId>),
    /// Nothing more is to be sent before; look again then, or when something comes.
    WaitUntil(Timestamp),
}

/// The moves, to be made one after the other. `waiting` is in the order of its numbers; a test comes before all others.
pub fn gather(waiting: &[Waiting], rules: &Rules, now: Timestamp) -> Vec<Move> {
    let (tests, others): (Vec<&Waiting>, Vec<&Waiting>) = waiting.iter().partition(|notice| notice.kind == Kind::Test);
    let mut moves: Vec<Move> = tests.into_iter().map(|notice| Move::Send(vec![notice.number])).collect();
    if others.is_empty() {
        return moves;
    }
    if let Some(quiet) = rules.quiet.filter(|quiet| is_quiet(*quiet, &rules.zone, now)) {
        moves.push(Move::WaitUntil(quiet_until(quiet, &rules.zone, now)));
        return moves;
    }
    let mut rest = others.as_slice();
    while let Some(first) = rest.first() {
        let (together, behind) = rest.split_at(length_of_first(rest, rules));
        let ready = if first.message.is_some() || is_alone(first) || is_held(first, rules) {
            now
        } else {
            ripe(first, rules, now)
        };
        if ready > now {
            moves.push(Move::WaitUntil(ready));
            break;
        }
        moves.extend(messages(together, rules, now).into_iter().map(Move::Send));
        rest = behind;
    }
    moves
}

impl Rules {
    /// A message was sent: `size` notices, of which the first was of that time.
    pub fn sent(&mut self, size: usize, first: Timestamp, now: Timestamp) {
        let goes_on = self.gathering_since(first, now).is_some();
        if size > FEW {
            self.lately = if goes_on { self.lately.saturating_add(1) } else { 1 };
            self.last_sent = Some(now);
        } else if goes_on {
            (self.lately, self.last_sent) = (0, None);
        }
    }

    /// Until when is gathered what came at that time, if a storm goes on.
    fn gathering_since(&self, at: Timestamp, now: Timestamp) -> Option<Timestamp> {
        let last = self.last_sent.filter(|last| self.lately > 0 && *last <= now)?;
        let doubled = FIRST_GATHERING.checked_mul(1 << (self.lately - 1).min(8)).unwrap_or(LONGEST_GATHERING);
        let until = last.saturating_add(doubled.min(LONGEST_GATHERING)).unwrap_or(last);
        (at < until).then_some(until)
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
fn ripe(first: &Waiting, rules: &Rules, now: Timestamp) -> Timestamp {
    if first.at > now {
        return now;
    }
    let siblings = first.at.saturating_add(SIBLINGS).unwrap_or(now);
    rules.gathering_since(first.at, now).map_or(siblings, |until| until.max(siblings))
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
        || rules.gathering_since(first.at, now).is_some();
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

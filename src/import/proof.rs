//! Does each imported job fire when cron would have started it? Both are computed for a stretch of time, and compared.

use std::collections::HashMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use super::vixie::{Entry, starts};
use crate::schedule::{Timetable, Transition};

/// A job and the fields from which it was made.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'c> {
    pub job: &'c str,
    /// `None` for what cron starts by no fields.
    pub fields: Option<&'c str>,
    pub is_random: bool,
    pub timetable: &'c Timetable,
    /// The zone by which cron starts it, and its name.
    pub cron_zone: &'c TimeZone,
    pub cron_zone_name: &'c str,
}

/// A minute at which only one of them starts the job, or cron more often.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Difference {
    pub at: Timestamp,
    /// How often cron and punctual start it then.
    pub cron: u32,
    pub punctual: u32,
    pub reason: Reason,
}

/// Why they differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// Cron starts a job for each of its times that a change of the clock left out; here these are one run.
    MadeUpFor,
    /// The offset changed without summer time: cron goes on by the old one until it is started again.
    OffsetUnseen,
    /// Another change of the clock is near.
    ClockChange,
    Unknown,
}

impl Reason {
    pub fn words(self) -> &'static str {
        match self {
            Self::MadeUpFor => "cron starts it once for each time that the clocks left out; here that is one run",
            Self::OffsetUnseen => {
                "the zone changed its offset without summer time, which cron only sees when it is restarted"
            }
            Self::ClockChange => "the clocks are changed then",
            Self::Unknown => "the schedule does not mean the same",
        }
    }
}

/// Why there is nothing to compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unproved {
    /// `@reboot` names no instants.
    NoInstants,
    /// Cron chooses at random.
    Random,
    /// Such as anacron's.
    NotCrons,
}

impl Unproved {
    pub fn words(self) -> &'static str {
        match self {
            Self::NoInstants => "it waits for a boot, and names no instants",
            Self::Random => "cron chooses its time at random",
            Self::NotCrons => "it is not cron that starts it",
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Unproved(Unproved),
    /// How many instants they have in common, and where they differ.
    Compared {
        same: u64,
        differences: Vec<Difference>,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proof {
    pub job: String,
    pub verdict: Verdict,
}

impl Proof {
    pub fn differences(&self) -> &[Difference] {
        match &self.verdict {
            Verdict::Unproved(_) => &[],
            Verdict::Compared { differences, .. } => differences,
        }
    }
}

/// Compares each job with cron after `from` and until `until`. Jobs of the same fields in the same zone are compared once.
pub fn prove(claims: &[Claim], from: Timestamp, until: Timestamp) -> Vec<Proof> {
    let mut known: HashMap<(&str, &str, &str), Verdict> = HashMap::new();
    let mut proofs = Vec::with_capacity(claims.len());
    for claim in claims {
        let verdict = match claim.fields {
            _ if claim.is_random => Verdict::Unproved(Unproved::Random),
            None if claim.timetable.schedules.iter().all(|schedule| schedule.names_instants()) => {
                Verdict::Unproved(Unproved::NotCrons)
            }
            None => Verdict::Unproved(Unproved::NoInstants),
            Some(fields) => {
                let written = claim.timetable.schedules.first().map_or("", |schedule| schedule.text());
                known
                    .entry((fields, claim.cron_zone_name, written))
                    .or_insert_with(|| compare(fields, claim, from, until))
                    .clone()
            }
        };
        proofs.push(Proof { job: claim.job.to_owned(), verdict });
    }
    proofs
}

fn compare(fields: &str, claim: &Claim, from: Timestamp, until: Timestamp) -> Verdict {
    let (zone, timetable) = (claim.cron_zone, claim.timetable);
    let crons = Entry::read(fields).map(|entry| starts(&entry, zone, from, until)).unwrap_or_default();
    let mut crons = crons.into_iter().peekable();
    let mut ours = timetable.between(from, until).peekable();
    let changes: Vec<Timestamp> =
        Transition::between(zone, from, until).iter().map(|transition| transition.at).collect();
    let (mut same, mut differences) = (0, Vec::new());
    loop {
        let theirs = crons.peek().and_then(|start| Timestamp::from_second(start.minute * 60).ok());
        let at = match (theirs, ours.peek()) {
            (None, None) => break,
            (Some(at), None) => at,
            (None, Some(at)) => *at,
            (Some(theirs), Some(ours)) => theirs.min(*ours),
        };
        let cron = crons.next_if(|_| theirs == Some(at)).map_or(0, |start| start.times);
        let punctual = u32::from(ours.next_if_eq(&at).is_some());
        if cron == punctual {
            same += 1;
        } else {
            let reason = reason(at, cron, punctual, &changes, zone);
            differences.push(Difference { at, cron, punctual, reason });
        }
    }
    Verdict::Compared { same, differences }
}

/// Hours around a change of the clock in which a difference comes of it.
const NEAR: i64 = 4 * 3600;

fn reason(at: Timestamp, cron: u32, punctual: u32, changes: &[Timestamp], zone: &TimeZone) -> Reason {
    if cron > 1 && punctual == 1 {
        return Reason::MadeUpFor;
    }
    let is_unseen = |change: &Timestamp| {
        let before = change.checked_sub(jiff::SignedDuration::from_secs(1)).unwrap_or(*change);
        zone.to_offset_info(before).dst() == zone.to_offset_info(*change).dst()
    };
    if changes.iter().any(|change| *change <= at && is_unseen(change)) {
        return Reason::OffsetUnseen;
    }
    let is_near = changes.iter().any(|change| (change.as_second() - at.as_second()).abs() <= NEAR);
    if is_near { Reason::ClockChange } else { Reason::Unknown }
}

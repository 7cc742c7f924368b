//! When does this civil time happen in that zone?
//!
//! A zone is a row of spans with one offset each. Where the offset grows, civil time jumps over a *gap*; where it
//! shrinks, civil time is passed through twice, a *fold*. One search serves all kinds: an hour, half an hour, at
//! midnight, a whole missing day, a change of the base offset.

use std::ops::RangeInclusive;

use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::pattern::Pattern;

/// What happens to a civil time that a gap leaves out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Gap {
    /// It happens at the end of the gap; several of one pattern are one.
    Shift,
    /// The same, but for gaps of three hours and more, which Vixie cron takes for a correction of the clock.
    ShiftFromShort,
    Skip,
}

/// In which pass a civil time inside a fold happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fold {
    First,
    Second,
    Both,
}

impl Gap {
    /// The words for it. What holds where nothing is said has none.
    pub const WORDS: [(&'static str, Self); 2] = [("shift", Self::Shift), ("skip", Self::Skip)];

    pub fn word(self) -> Option<&'static str> {
        Self::WORDS.into_iter().find(|(_, gap)| *gap == self).map(|(word, _)| word)
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(candidate, _)| *candidate == word).map(|(_, gap)| gap)
    }

    /// Whether what falls into a gap of this length happens at its end.
    pub fn shifts_over(self, length: SignedDuration) -> bool {
        match self {
            Self::Shift => true,
            Self::ShiftFromShort => length < VIXIES_LONGEST_GAP,
            Self::Skip => false,
        }
    }
}

impl Fold {
    pub const WORDS: [(&'static str, Self); 3] =
        [("first", Self::First), ("second", Self::Second), ("both", Self::Both)];

    pub fn word(self) -> Option<&'static str> {
        Self::WORDS.into_iter().find(|(_, fold)| *fold == self).map(|(word, _)| word)
    }

    pub fn from_word(word: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(candidate, _)| *candidate == word).map(|(_, fold)| fold)
    }
}

/// More than any offset from UTC, so that an instant is never later than its civil time read as UTC plus this.
const WIDEST_OFFSET: SignedDuration = SignedDuration::from_hours(26);

/// From here on Vixie cron (cron.c, "a jump of three hours") starts from the new time and makes up for nothing.
const VIXIES_LONGEST_GAP: SignedDuration = SignedDuration::from_hours(3);

/// A stretch of time with one offset.
struct Span {
    from: Option<Edge>,
    offset: Offset,
    until: Option<Edge>,
}

/// A transition at one end of a span, and the offset on its other side.
#[derive(Clone, Copy)]
struct Edge {
    at: Timestamp,
    beyond: Offset,
}

/// Where a search begins.
#[derive(Clone, Copy)]
struct Start {
    at: Timestamp,
    /// Whether `at` itself may be the answer.
    inclusive: bool,
}

/// The first instant strictly later than `after` that the pattern names in the zone.
pub fn next_after(pattern: &Pattern, after: Timestamp, zone: &TimeZone, gap: Gap, fold: Fold) -> Option<Timestamp> {
    let mut start = Start { at: after, inclusive: false };
    // Civil times of which only the last one matches: a search over years is not made twice.
    let mut searched: Option<RangeInclusive<DateTime>> = None;
    loop {
        let span = Span::containing(start.at, zone);
        if span.begins_with_a_match(start, pattern, gap) {
            return Some(start.at);
        }
        let low = span.lowest(start, fold);
        let next = match &searched {
            Some(searched) if searched.contains(&low) => Some(*searched.end()),
            _ => pattern.next_match(low),
        };
        if let Some(civil) = next
            && civil < span.highest(fold)
        {
            return span.offset.to_timestamp(civil).ok();
        }
        let edge = span.until?;
        let mut at = edge.at;
        // Where all that a fold at this span's end repeats was searched, go where the match is, or a pattern of every few
        // years would walk through each transition between.
        if low <= edge.beyond.to_datetime(edge.at) {
            let civil = next?;
            searched = Some(low..=civil);
            at = shortly_before(civil).map_or(at, |near| near.max(at));
        }
        start = Start { at, inclusive: true };
    }
}

/// How many instants the pattern names in `(after, until]`, counted span by span and day by day.
pub fn count(pattern: &Pattern, after: Timestamp, until: Timestamp, zone: &TimeZone, gap: Gap, fold: Fold) -> u64 {
    let mut start = Start { at: after, inclusive: false };
    let mut count = 0;
    while start.at <= until {
        let span = Span::containing(start.at, zone);
        let low = span.lowest(start, fold);
        // A match at the very end of a gap is one with those that were shifted to it.
        let shifted = span.begins_with_a_match(start, pattern, gap) && pattern.next_match(low) != Some(low);
        count += u64::from(shifted);
        let end = just_behind(span.offset.to_datetime(until));
        count += pattern.count_matches(low, span.highest(fold).min(end));
        match span.until {
            Some(edge) => start = Start { at: edge.at, inclusive: true },
            None => break,
        }
    }
    count
}

/// An instant earlier than this civil time in every zone, by a few days at the most.
fn shortly_before(civil: DateTime) -> Option<Timestamp> {
    Offset::UTC.to_timestamp(civil).ok()?.checked_sub(WIDEST_OFFSET).ok()
}

/// A civil time in the zone; in a gap the gap's end, in a fold the first pass.
pub fn shifted(civil: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(civil);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
        AmbiguousOffset::Gap { before, .. } => {
            // In a gap the offset before it puts the civil time behind the transition.
            let behind = before.to_timestamp(civil).ok()?;
            zone.preceding(just_after(behind)).next().map(|edge| edge.timestamp())
        }
    }
}

fn just_behind(civil: DateTime) -> DateTime {
    civil.checked_add(SignedDuration::from_nanos(1)).unwrap_or(civil)
}

fn just_after(at: Timestamp) -> Timestamp {
    at.checked_add(SignedDuration::from_nanos(1)).unwrap_or(at)
}

impl Span {
    fn containing(at: Timestamp, zone: &TimeZone) -> Self {
        let offset = zone.to_offset(at);
        let from = zone.preceding(just_after(at)).next().map(|edge| {
            let before = edge.timestamp().checked_sub(SignedDuration::from_nanos(1));
            Edge { at: edge.timestamp(), beyond: before.map_or(offset, |before| zone.to_offset(before)) }
        });
        let until = zone.following(at).next().map(|edge| Edge { at: edge.timestamp(), beyond: edge.offset() });
        Self { from, offset, until }
    }

    /// Whether the search stands at the end of a gap into which a match falls.
    fn begins_with_a_match(&self, start: Start, pattern: &Pattern, gap: Gap) -> bool {
        let Some(edge) = self.from.filter(|edge| start.inclusive && edge.at == start.at) else {
            return false;
        };
        let (gap_start, gap_end) = (edge.beyond.to_datetime(edge.at), self.offset.to_datetime(edge.at));
        let shifts = gap_start < gap_end && gap.shifts_over(gap_start.duration_until(gap_end));
        shifts && pattern.next_match(gap_start).is_some_and(|civil| civil < gap_end)
    }

    /// The lowest civil time of this span that the search may answer.
    fn lowest(&self, start: Start, fold: Fold) -> DateTime {
        let civil = self.offset.to_datetime(start.at);
        let low = if start.inclusive { civil } else { just_behind(civil) };
        match (self.from, fold) {
            // The second pass of a fold lasts until the civil time at which the first one ended.
            (Some(edge), Fold::First) => low.max(edge.beyond.to_datetime(edge.at)),
            _ => low,
        }
    }

    /// The civil time at which the answers of this span end, itself excluded.
    fn highest(&self, fold: Fold) -> DateTime {
        let Some(edge) = self.until else {
            return DateTime::MAX;
        };
        let end = self.offset.to_datetime(edge.at);
        match fold {
            // The first pass begins at the civil time at which the second one will.
            Fold::Second => end.min(edge.beyond.to_datetime(edge.at)),
            Fold::First | Fold::Both => end,
        }
    }
}

//! What do the days on which a zone's clocks change do to a timetable?

use jiff::civil::DateTime;
use jiff::tz::{Offset, TimeZone};
use jiff::{SignedDuration, Timestamp};

use super::place::{Fold, Gap};
use super::{Schedule, Timetable};

/// A moment at which a zone's clocks are put forward or back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Transition {
    pub at: Timestamp,
    pub before: Offset,
    pub after: Offset,
}

/// What becomes of instants that a gap leaves out or a fold repeats.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// They are one, at the end of the gap.
    Shifted,
    Skipped,
    FirstPass,
    SecondPass,
    BothPasses,
}

/// Instants of a schedule that fall into a gap or a fold.
#[derive(Debug, Clone)]
pub struct Disturbance<'t> {
    pub schedule: &'t Schedule,
    pub effect: Effect,
    /// How many civil times of the gap or the fold the schedule names.
    pub count: u64,
}

impl Effect {
    pub fn word(self) -> &'static str {
        match self {
            Self::Shifted => "shifted",
            Self::Skipped => "skipped",
            Self::FirstPass => "first-pass",
            Self::SecondPass => "second-pass",
            Self::BothPasses => "both-passes",
        }
    }
}

impl Transition {
    /// The changes of a zone's clocks in `(from, until]`.
    pub fn between(zone: &TimeZone, from: Timestamp, until: Timestamp) -> Vec<Self> {
        let before = |at: Timestamp| at.checked_sub(SignedDuration::from_nanos(1)).unwrap_or(at);
        zone.following(from)
            .map(|edge| Self {
                at: edge.timestamp(),
                before: zone.to_offset(before(edge.timestamp())),
                after: edge.offset(),
            })
            .take_while(|transition| transition.at <= until)
            .filter(|transition| transition.before != transition.after)
            .collect()
    }

    pub fn is_gap(&self) -> bool {
        self.before < self.after
    }

    /// By how much the clocks are put forward, or back.
    pub fn length(&self) -> SignedDuration {
        SignedDuration::from_secs(i64::from((self.after.seconds() - self.before.seconds()).abs()))
    }

    /// The civil times that are left out or repeated, the last one excluded.
    pub fn civil(&self) -> (DateTime, DateTime) {
        let (a, b) = (self.before.to_datetime(self.at), self.after.to_datetime(self.at));
        (a.min(b), a.max(b))
    }
}

impl Timetable {
    /// What a change of the zone's clocks does to instants of which people think that they have a fixed time. Patterns
    /// that keep their pace in real time are not disturbed.
    pub fn disturbed_by(&self, transition: &Transition) -> Vec<Disturbance<'_>> {
        let disturbance = |schedule: &'_ Schedule| {
            let pattern = schedule.pattern()?;
            let (from, to) = transition.civil();
            let count = pattern.count_matches(from, to);
            let (gap, fold) = self.place.rules_for(pattern);
            let is_asked_for = if transition.is_gap() { self.place.gap.is_some() } else { self.place.fold.is_some() };
            let effect = match (transition.is_gap(), gap, fold) {
                (true, Gap::Skip, _) => Effect::Skipped,
                (true, Gap::ShiftFromShort, _) if !gap.shifts_over(transition.length()) => Effect::Skipped,
                (true, Gap::Shift | Gap::ShiftFromShort, _) => Effect::Shifted,
                (false, _, Fold::First) => Effect::FirstPass,
                (false, _, Fold::Second) => Effect::SecondPass,
                (false, _, Fold::Both) => Effect::BothPasses,
            };
            (count > 0 && (pattern.is_fixed() || is_asked_for)).then_some((effect, count))
        };
        self.schedules
            .iter()
            .filter_map(|schedule| {
                let (effect, count) = disturbance(schedule)?;
                Some(Disturbance { schedule, effect, count })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::Place;
    use super::*;
    use std::sync::Arc;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_year_of_a_zone_has_its_changes() {
        let zone = TimeZone::get("Australia/Lord_Howe").unwrap();
        let found = Transition::between(&zone, at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        let show: Vec<_> = found.iter().map(|t| (t.at.to_string(), t.is_gap(), t.length().as_mins())).collect();
        let expect = [("2026-04-04T15:00:00Z", false, 30), ("2026-10-03T15:30:00Z", true, 30)];
        assert_eq!(show, expect.map(|(at, gap, length)| (at.to_owned(), gap, length)));
        assert!(Transition::between(&TimeZone::UTC, at("1970-01-01T00:00:00Z"), at("2100-01-01T00:00:00Z")).is_empty());
    }

    #[test]
    fn fixed_times_are_disturbed_and_paces_are_not() {
        let zone = TimeZone::get("Europe/Berlin").unwrap();
        let changes = Transition::between(&zone, at("2026-01-01T00:00:00Z"), at("2027-01-01T00:00:00Z"));
        let effects = |text: &str, gap: Option<Gap>, fold: Option<Fold>| {
            let place = Place { zone: zone.clone(), gap, fold };
            let table = Timetable::new(vec![Arc::new(Schedule::parse(text, "").unwrap())], place);
            let of = |change: &Transition| table.disturbed_by(change).first().map(|d| (d.effect, d.count));
            [of(&changes[0]), of(&changes[1])]
        };
        let some = |effect, count| Some((effect, count));
        assert_eq!(effects("30 2 * * *", None, None), [some(Effect::Shifted, 1), some(Effect::FirstPass, 1)]);
        assert_eq!(effects("15,45 2 * * *", None, None), [some(Effect::Shifted, 2), some(Effect::FirstPass, 2)]);
        assert_eq!(effects("*/5 * * * *", None, None), [None, None]);
        assert_eq!(effects("30 4 * * *", None, None), [None, None]);
        let asked = effects("*/30 * * * *", Some(Gap::Shift), Some(Fold::Second));
        assert_eq!(asked, [some(Effect::Shifted, 2), some(Effect::SecondPass, 2)]);
        assert_eq!(effects("30 2 * * *", Some(Gap::Skip), None)[0], some(Effect::Skipped, 1));
    }
}

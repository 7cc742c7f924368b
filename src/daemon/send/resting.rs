//! For whom is there nothing to do, and until when?

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;

use crate::store::Lane;

/// A clock that was set back is not waited for: nothing rests longer than a night that is quiet. What would rest longer is looked
/// at meanwhile.
const LONGEST: Duration = Duration::from_secs(25 * 3600);

/// Lanes in which nothing is to be done before.
#[derive(Debug, Default)]
pub struct Resting(BTreeMap<Lane, Timestamp>);

impl Resting {
    pub fn begin(&mut self, lane: Lane, until: Timestamp, now: Timestamp) {
        self.0.insert(lane, until.min(longest(now)));
    }

    pub fn end_all(&mut self) {
        self.0.clear();
    }

    /// Ends the rest of those whose time has come, and forgets those in which nothing waits.
    pub fn look(&mut self, waiting: &[Lane], now: Timestamp) {
        self.0.retain(|lane, until| *until > now && *until <= longest(now) && waiting.contains(lane));
    }

    pub fn has(&self, lane: &Lane) -> bool {
        self.0.contains_key(lane)
    }

    /// When the first of them is to be looked at.
    pub fn next(&self) -> Option<Timestamp> {
        self.0.values().min().copied()
    }
}

fn longest(now: Timestamp) -> Timestamp {
    now.saturating_add(LONGEST).unwrap_or(Timestamp::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::job::{CarrierKind, ChannelName};

    #[test]
    fn what_rests_is_left_alone_however_long_it_is_to_rest() {
        let lane = Lane { channel: ChannelName::new("ops").unwrap(), carrier: CarrierKind::Mail };
        let after = |hours| Timestamp::from_second(1_000_000).unwrap() + SignedDuration::from_hours(hours);
        // Of a rest until then, begun now: whether it goes on at another time.
        let check = |until: i64, at: i64, expect: bool| {
            let mut resting = Resting::default();
            resting.begin(lane.clone(), after(until), after(0));
            resting.look(std::slice::from_ref(&lane), after(at));
            assert_eq!((resting.has(&lane), resting.next().is_some()), (expect, expect), "{until} {at}");
        };
        check(1, 0, true);
        check(1, 1, false);
        check(24, 23, true);
        check(72, 0, true);
        check(72, 24, true);
        check(72, 25, false);
        // The clock was set back.
        check(24, -2, false);
        let mut resting = Resting::default();
        resting.begin(lane.clone(), after(1), after(0));
        resting.look(&[], after(0));
        assert!(!resting.has(&lane));
    }
}

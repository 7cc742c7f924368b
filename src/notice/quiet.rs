//! When is it quiet? By the clocks of a zone, also on days on which they change.

use jiff::civil::Time;
use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};

use crate::job::Quiet;

/// How often the clocks may change before what is quiet comes to its end: they do not, more often, within two days.
const CHANGES: usize = 4;

/// Whether the clocks show a quiet time.
pub fn is_quiet(quiet: Quiet, zone: &TimeZone, at: Timestamp) -> bool {
    is_within(quiet, at.to_zoned(zone.clone()).time())
}

fn is_within(Quiet { from, until }: Quiet, time: Time) -> bool {
    if from < until { (from..until).contains(&time) } else { time >= from || time < until }
}

/// The first moment from `now` on that is not quiet.
///
/// What the clocks show passes the end of what is quiet, or jumps over it when they change; it may be passed twice.
pub fn quiet_until(quiet: Quiet, zone: &TimeZone, now: Timestamp) -> Timestamp {
    let today = now.to_zoned(zone.clone()).date();
    let days = (0..=2).filter_map(|days: i64| today.checked_add(days.days()).ok());
    let ends = days.flat_map(|day| {
        let ambiguous = zone.to_ambiguous_timestamp(day.to_datetime(quiet.until));
        [ambiguous.earlier().ok(), ambiguous.later().ok()].into_iter().flatten()
    });
    let changes = zone.following(now).take(CHANGES).map(|change| change.timestamp());
    let moments = ends.chain(changes).chain([now]);
    moments.filter(|at| *at >= now && !is_quiet(quiet, zone, *at)).min().unwrap_or(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quiet_is_what_the_clocks_say() {
        let check = |from: &str, until: &str, now: &str, expect: &str| {
            let quiet = Quiet { from: from.parse().unwrap(), until: until.parse().unwrap() };
            let zone = jiff::tz::db().get("Europe/Berlin").unwrap();
            let now: Timestamp = now.parse().unwrap();
            let until = quiet_until(quiet, &zone, now);
            assert_eq!(until, expect.parse().unwrap(), "{from}-{until} {now}");
            assert_eq!(until > now, is_quiet(quiet, &zone, now), "{now}");
        };
        check("22:00", "07:00", "2026-01-10T20:59:59Z", "2026-01-10T20:59:59Z");
        check("22:00", "07:00", "2026-01-10T21:00:00Z", "2026-01-11T06:00:00Z");
        check("22:00", "07:00", "2026-01-11T05:59:59.999Z", "2026-01-11T06:00:00Z");
        check("12:00", "13:00", "2026-07-10T10:30:00Z", "2026-07-10T11:00:00Z");
        // An hour is left out in this night, and in that one it comes twice.
        check("22:00", "07:00", "2026-03-28T21:30:00Z", "2026-03-29T05:00:00Z");
        check("22:00", "07:00", "2026-10-24T20:30:00Z", "2026-10-25T06:00:00Z");
        // The end is within the hour that is left out, or comes twice.
        check("22:00", "02:30", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z");
        check("22:00", "02:30", "2026-10-25T00:10:00Z", "2026-10-25T00:30:00Z");
        check("22:00", "02:30", "2026-10-25T01:10:00Z", "2026-10-25T01:30:00Z");
        check("02:30", "06:00", "2026-03-29T01:00:00Z", "2026-03-29T04:00:00Z");
        check("02:15", "02:45", "2026-03-29T01:00:00Z", "2026-03-29T01:00:00Z");
    }
}

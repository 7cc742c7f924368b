//! How is a text read that has times in it? By the clocks of whoever reads: it is kept and carried in UTC.

use jiff::Timestamp;
use jiff::tz::TimeZone;

/// `2026-11-23`, before the `T`.
const DATE: usize = 10;
/// `2026-11-23T20:20:59.312000000Z`
const LONGEST: usize = 30;

/// The text with each time in it as the clocks of a zone show it, to the second.
pub fn with_local_times(text: &str, zone: &TimeZone) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('T') {
        let start = at.saturating_sub(DATE);
        let end = rest[at..].find('Z').map_or(0, |length| at + length + 1);
        let time = rest.get(start..end).filter(|time| time.len() <= LONGEST).and_then(|time| time.parse().ok());
        let before: Option<(&str, Timestamp)> = rest.get(..start).zip(time);
        let is_word = |before: &str| before.ends_with(|c: char| c.is_ascii_alphanumeric());
        let next = match before.filter(|(before, _)| !is_word(before)) {
            Some((before, time)) => {
                let time = time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string();
                shown.extend([before, &time]);
                end
            }
            None => {
                shown.push_str(&rest[..=at]);
                at + 1
            }
        };
        rest = &rest[next..];
    }
    shown + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_reader() {
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        for (text, expect) in [
            ("until 2026-11-23T23:20:59.312000000Z, and on", "until 2026-11-24 00:20:59, and on"),
            ("2026-11-23T20:20:59Z to 2026-11-23T20:21:00.5Z", "2026-11-23 21:20:59 to 2026-11-23 21:21:00"),
            ("The Top äöüT Z", "The Top äöüT Z"),
            ("äöüäöT20:20:59Z", "äöüäöT20:20:59Z"),
            ("x2026-11-23T20:20:59Z", "x2026-11-23T20:20:59Z"),
            ("2026-13-23T20:20:59Z T", "2026-13-23T20:20:59Z T"),
            ("", ""),
        ] {
            assert_eq!(with_local_times(text, &zone), expect);
        }
    }
}

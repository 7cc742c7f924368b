//! How long, and how much? As systemd writes it, and as it is written here.

const SECOND: u64 = 1_000_000;
const MINUTE: u64 = 60 * SECOND;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

/// A century, which is the most that is written here.
const LONGEST: u64 = 100 * 365 * DAY;

const UNITS: [(&[&str], u64); 9] = [
    (&["usec", "us", "µs", "μs"], 1),
    (&["msec", "ms"], 1_000),
    (&["seconds", "second", "sec", "s"], SECOND),
    (&["minutes", "minute", "min", "m"], MINUTE),
    (&["hours", "hour", "hr", "h"], HOUR),
    (&["days", "day", "d"], DAY),
    (&["weeks", "week", "w"], 7 * DAY),
    // 30.44 and 365.25 days.
    (&["months", "month", "M"], 2_629_800 * SECOND),
    (&["years", "year", "y"], 31_557_600 * SECOND),
];

/// Microseconds of a span such as `1h 30min`; a number alone is seconds. `None` for what is none, also for `infinity`.
pub fn micros(text: &str) -> Option<u64> {
    let mut rest = text.trim();
    let mut sum = 0_u64;
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
        let number: f64 = rest[..digits].parse().ok()?;
        rest = rest[digits..].trim_start();
        let letters = rest.find(|c: char| !c.is_alphabetic()).unwrap_or(rest.len());
        let unit = match &rest[..letters] {
            "" => SECOND,
            word => UNITS.iter().find(|(words, _)| words.contains(&word)).map(|(_, unit)| *unit)?,
        };
        rest = rest[letters..].trim_start();
        // Far below where a float loses a microsecond, for all that is scheduled.
        #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
        let micros = (number * unit as f64).round() as u64;
        sum = sum.checked_add(micros)?;
    }
    Some(sum).filter(|sum| *sum <= LONGEST)
}

/// The same length as it is written here.
pub fn duration(micros: u64) -> String {
    let mut rest = micros;
    let mut parts = Vec::new();
    for (unit, name) in [(DAY, "d"), (HOUR, "h"), (MINUTE, "m"), (SECOND, "s"), (1_000, "ms"), (1, "us")] {
        if rest >= unit {
            parts.push(format!("{}{name}", rest / unit));
            rest %= unit;
        }
    }
    if parts.is_empty() { "0s".to_owned() } else { parts.join(" ") }
}

/// A size such as `512M`, of which the units are multiples of 1024; `None` for shares and `infinity`.
pub fn size(text: &str) -> Option<String> {
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().ok().filter(|number| *number > 0)?;
    let unit = match text[digits..].trim() {
        "" | "B" => return Some(number.to_string()),
        "K" => "KiB",
        "M" => "MiB",
        "G" => "GiB",
        "T" => "TiB",
        _ => return None,
    };
    Some(format!("{number}{unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::{parse_duration, parse_size};

    #[test]
    fn spans_are_systemds() {
        for (text, expect) in [
            ("90", Some("1m 30s")),
            ("1h 30min", Some("1h 30m")),
            ("5min20s", Some("5m 20s")),
            ("2 weeks", Some("14d")),
            ("1.5h", Some("1h 30m")),
            ("250ms", Some("250ms")),
            ("0", Some("0s")),
            ("1month", Some("30d 10h 30m")),
            ("infinity", None),
            ("soon", None),
            ("", None),
            ("5 parsecs", None),
            ("99999999999999999999y", None),
        ] {
            let written = micros(text).map(duration);
            assert_eq!(written.as_deref(), expect, "{text}");
            if let (Some(written), Some(length)) = (&written, micros(text)) {
                assert_eq!(parse_duration(written).unwrap().as_micros(), u128::from(length), "{text}");
            }
        }
        for (text, expect) in
            [("512M", Some("512MiB")), ("1024", Some("1024")), ("10%", None), ("infinity", None), ("0", None)]
        {
            assert_eq!(size(text).as_deref(), expect, "{text}");
            assert!(size(text).is_none_or(|size| parse_size(&size).is_ok()), "{text}");
        }
    }
}

//! How long, and how much? Lengths of time and numbers of bytes as people write them.

use std::time::Duration;

use jiff::Span;

/// Why a text names no duration or size; the error's words say what is wrong and what to write.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}; {}", self.wrong(), self.help())]
pub enum QuantityError {
    Empty { what: &'static str, example: &'static str },
    Unreadable { text: String, what: &'static str, right: String },
    Negative(String),
    Months(String),
    TooLarge(String),
}

impl QuantityError {
    /// What is wrong.
    pub fn wrong(&self) -> String {
        match self {
            Self::Empty { what, .. } => format!("{what} is empty"),
            Self::Unreadable { text, what, .. } => format!("`{text}` is no {what}"),
            Self::Negative(text) => format!("`{text}` is negative"),
            Self::Months(text) => format!("`{text}` has months, which have no fixed length"),
            Self::TooLarge(text) => format!("`{text}` is more than can be counted"),
        }
    }

    /// What to write instead.
    pub fn help(&self) -> String {
        match self {
            Self::Empty { example, .. } => (*example).to_owned(),
            Self::Unreadable { right, .. } => right.clone(),
            Self::Negative(_) => "write it without the sign".to_owned(),
            Self::Months(_) => "write days, such as \"30d\"".to_owned(),
            Self::TooLarge(_) => "write less; a century is the most".to_owned(),
        }
    }
}

const DURATION_EXAMPLE: &str = "write for example \"250ms\", \"90s\", \"1h 30m\" or \"2d\"";
const SIZE_EXAMPLE: &str = "write for example \"64KiB\", \"1MiB\" or \"2GiB\"";
const PERCENTAGE_EXAMPLE: &str = "write for example \"50%\" or \"200%\"";

/// A century: longer than anything scheduled, and short enough that adding it to now stays within a timestamp.
const LONGEST: Duration = Duration::from_secs(100 * 366 * 86_400);

/// With as many digits every unit is less than a century.
const DIGITS: usize = 2;

/// Reads `250ms`, `90s`, `5m`, `1h 30m`, `2d`, `1w`, `1y`; a day has 24 hours and a year 365 days.
pub fn parse_duration(text: &str) -> Result<Duration, QuantityError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(QuantityError::Empty { what: "the duration", example: DURATION_EXAMPLE });
    }
    let span: Span = match text.parse() {
        Ok(span) => span,
        Err(_) if text.bytes().filter(u8::is_ascii_digit).count() > DIGITS && is_shaped(text) => {
            return Err(QuantityError::TooLarge(text.to_owned()));
        }
        Err(_) => return Err(no_duration(text)),
    };
    if span.is_negative() {
        return Err(QuantityError::Negative(text.to_owned()));
    }
    if span.get_months() != 0 {
        return Err(QuantityError::Months(text.to_owned()));
    }
    let days = i128::from(span.get_years()) * 365 + i128::from(span.get_weeks()) * 7 + i128::from(span.get_days());
    let seconds = (days * 24 + i128::from(span.get_hours())) * 3600 + i128::from(span.get_minutes()) * 60;
    let nanoseconds = (seconds + i128::from(span.get_seconds())) * 1_000_000_000
        + i128::from(span.get_milliseconds()) * 1_000_000
        + i128::from(span.get_microseconds()) * 1_000
        + i128::from(span.get_nanoseconds());
    u64::try_from(nanoseconds)
        .map(Duration::from_nanos)
        .ok()
        .filter(|duration| *duration <= LONGEST)
        .ok_or_else(|| QuantityError::TooLarge(text.to_owned()))
}

/// A duration as one would write it, to the nanosecond: `1h 30m`, `250ms`, `2d`.
pub fn duration_text(duration: Duration) -> String {
    const UNITS: [(u64, &str); 4] = [(86_400, "d"), (3600, "h"), (60, "m"), (1, "s")];
    const PARTS: [(u32, &str); 3] = [(1_000_000, "ms"), (1_000, "us"), (1, "ns")];
    let (mut seconds, mut nanos) = (duration.as_secs(), duration.subsec_nanos());
    let mut words = Vec::new();
    for (size, unit) in UNITS.into_iter().filter(|(size, _)| duration.as_secs() >= *size) {
        words.push((seconds / size, unit));
        seconds %= size;
    }
    for (size, unit) in PARTS {
        words.push((u64::from(nanos / size), unit));
        nanos %= size;
    }
    let words: Vec<String> =
        words.into_iter().filter(|(count, _)| *count > 0).map(|(count, unit)| format!("{count}{unit}")).collect();
    if words.is_empty() { "0s".to_owned() } else { words.join(" ") }
}

/// A number of bytes as one would write it, to the byte: `64KiB`, `1MiB`, `1000`.
pub fn size_text(bytes: u64) -> String {
    const UNITS: [(u64, &str); 4] = [(1 << 40, "TiB"), (1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")];
    let unit = UNITS.into_iter().find(|(size, _)| bytes > 0 && bytes.is_multiple_of(*size));
    unit.map_or_else(|| bytes.to_string(), |(size, unit)| format!("{}{unit}", bytes / size))
}

/// Reads `512`, `64KiB`, `1MiB`, `2GiB` as a number of bytes.
pub fn parse_size(text: &str) -> Result<u64, QuantityError> {
    let text = text.trim();
    if text.is_empty() {
        return Err(QuantityError::Empty { what: "the size", example: SIZE_EXAMPLE });
    }
    let unreadable = || no_size(text);
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let number: u64 = text[..digits].parse().map_err(|_| unreadable())?;
    let unit: u64 = match text[digits..].trim() {
        "" | "B" => 1,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        "kB" | "KB" => 1_000,
        "MB" => 1_000_000,
        "GB" => 1_000_000_000,
        _ => return Err(unreadable()),
    };
    number.checked_mul(unit).ok_or_else(|| QuantityError::TooLarge(text.to_owned()))
}

/// Reads `50%`, `200%` as a number of hundredths; none at all is no share.
pub fn parse_percentage(text: &str) -> Result<u32, QuantityError> {
    let number = text.trim().strip_suffix('%').map(str::trim_end);
    let number = number.filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()));
    let hundredths = number.and_then(|digits| digits.parse().ok()).filter(|hundredths| *hundredths > 0);
    hundredths.ok_or_else(|| {
        let number: Option<u32> = text.trim().parse().ok().filter(|number| *number > 0);
        let right = number.map_or(PERCENTAGE_EXAMPLE.to_owned(), |number| format!("write \"{number}%\""));
        QuantityError::Unreadable { text: text.to_owned(), what: "percentage", right }
    })
}

/// Whether it is a number and a unit, whatever the number.
fn is_shaped(text: &str) -> bool {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    unit.len() < text.len() && format!("1{unit}").parse::<Span>().is_ok()
}

/// What was meant by a text that is no duration: a unit that is missing or misspelt.
fn no_duration(text: &str) -> QuantityError {
    const UNITS: [&str; 12] = ["ms", "s", "m", "h", "d", "w", "y", "seconds", "minutes", "hours", "days", "weeks"];
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim());
    let near = || {
        let lower = unit.to_lowercase();
        let near = UNITS.iter().min_by_key(|known| strsim::osa_distance(known, &lower))?;
        (unit.len() > 1 && strsim::osa_distance(near, &lower) <= unit.len() / 3 || *near == lower).then_some(*near)
    };
    let right = match (number, unit) {
        ("", _) => DURATION_EXAMPLE.to_owned(),
        (number, "") => format!("write \"{number}s\" if it is seconds, \"{number}m\" if it is minutes"),
        (number, _) => near().map_or(DURATION_EXAMPLE.to_owned(), |unit| {
            format!("did you mean \"{number}{}{unit}\"?", if unit.len() > 2 { " " } else { "" })
        }),
    };
    QuantityError::Unreadable { text: text.to_owned(), what: "duration", right }
}

/// What was meant by a text that is no size: a unit as other programs write it, or half of one.
fn no_size(text: &str) -> QuantityError {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = (&text[..digits], text[digits..].trim().to_ascii_lowercase());
    let unit = match unit.as_str() {
        "b" | "byte" | "bytes" => Some("B"),
        "k" | "kb" | "ki" | "kib" => Some("KiB"),
        "m" | "mb" | "mi" | "mib" => Some("MiB"),
        "g" | "gb" | "gi" | "gib" => Some("GiB"),
        "t" | "tb" | "ti" | "tib" => Some("TiB"),
        _ => None,
    };
    let right = match unit.filter(|_| !number.is_empty()) {
        Some(unit) => format!("did you mean \"{number}{unit}\"?"),
        None if text.contains('.') => format!("{SIZE_EXAMPLE}; a size is a whole number of its unit"),
        None => SIZE_EXAMPLE.to_owned(),
    };
    QuantityError::Unreadable { text: text.to_owned(), what: "size", right }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        for (text, nanos) in [
            ("0s", 0),
            ("250ms", 250_000_000),
            ("1h 30m", 5400 * 1_000_000_000),
            ("2d", 2 * 86_400 * 1_000_000_000),
            ("1m 1s 1ms 1us 1ns", 61_001_001_001_u64),
        ] {
            assert_eq!(duration_text(Duration::from_nanos(nanos)), text);
            assert_eq!(parse_duration(text).unwrap(), Duration::from_nanos(nanos));
        }
        for (text, bytes) in [("0", 0), ("1000", 1000), ("64KiB", 65_536), ("1MiB", 1 << 20), ("1536MiB", 1536 << 20)] {
            assert_eq!(size_text(bytes), text);
            assert_eq!(parse_size(text).unwrap(), bytes);
        }
    }

    #[test]
    fn durations() {
        for (text, expect) in [
            ("250ms", Duration::from_millis(250)),
            ("90s", Duration::from_secs(90)),
            ("5m", Duration::from_secs(300)),
            ("1h 30m", Duration::from_secs(5400)),
            ("1h30m", Duration::from_secs(5400)),
            ("2d", Duration::from_secs(2 * 86_400)),
            ("1w", Duration::from_secs(7 * 86_400)),
            ("1y", Duration::from_secs(365 * 86_400)),
            ("0s", Duration::ZERO),
        ] {
            assert_eq!(parse_duration(text), Ok(expect), "{text}");
        }
        for text in ["", "5", "m", "-5m", "5m ago", "1mo", "3 parsecs", "9999y", "1h 30", "∞"] {
            assert!(parse_duration(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sizes() {
        for (text, expect) in [("512", 512), ("64KiB", 65_536), ("1 MiB", 1 << 20), ("2GiB", 2 << 30), ("1kB", 1000)] {
            assert_eq!(parse_size(text), Ok(expect), "{text}");
        }
        for text in ["", "KiB", "1.5MiB", "-1", "1XB", "99999999999999999999", "99999999999TiB"] {
            assert!(parse_size(text).is_err(), "{text}");
        }
    }

    #[test]
    fn what_was_meant_is_suggested() {
        for (error, expect) in [
            (parse_duration("30").unwrap_err(), "write \"30s\" if it is seconds, \"30m\" if it is minutes"),
            (parse_duration("5 mintues").unwrap_err(), "did you mean \"5 minutes\"?"),
            (parse_duration("3 parsecs").unwrap_err(), DURATION_EXAMPLE),
            (parse_duration("soon").unwrap_err(), DURATION_EXAMPLE),
            (parse_duration("1mo").unwrap_err(), "write days, such as \"30d\""),
            (parse_size("512M").unwrap_err(), "did you mean \"512MiB\"?"),
            (parse_size("2 gb").unwrap_err(), "did you mean \"2GiB\"?"),
            (parse_size("KiB").unwrap_err(), SIZE_EXAMPLE),
            (parse_percentage("50").unwrap_err(), "write \"50%\""),
        ] {
            assert_eq!(error.help(), expect, "{error}");
        }
    }

    #[test]
    fn percentages() {
        for (text, expect) in [("50%", 50), ("200 %", 200), ("1%", 1)] {
            assert_eq!(parse_percentage(text), Ok(expect), "{text}");
        }
        for text in ["", "%", "50", "0%", "-5%", "+5%", "12.5%", "99999999999%"] {
            assert!(parse_percentage(text).is_err(), "{text}");
        }
    }
}

//! What belongs there, where a value is of another kind, and how would this one be written?

use toml::de::DeValue;

use super::value::{as_i64, scalar};

/// What a key's value is to be.
#[derive(Debug, Clone, Copy)]
pub enum Wanted {
    Text,
    Texts,
    Boolean,
    Integer,
    Duration,
    Size,
    /// Of a core.
    Share,
    Umask,
    Table,
    /// In words of its own.
    Other(&'static str),
}

impl Wanted {
    /// What it is, for a sentence.
    pub fn words(self) -> &'static str {
        match self {
            Self::Text => "a text",
            Self::Texts => "a text or a list of texts",
            Self::Boolean => "true or false",
            Self::Integer => "a whole number",
            Self::Duration => "a duration, such as \"90s\" or \"1h 30m\"",
            Self::Size => "a size, such as \"64KiB\" or \"1MiB\"",
            Self::Share => "a share of a core, such as \"50%\" or \"200%\"",
            Self::Umask => "octal digits in quotes, such as \"027\"",
            Self::Table => "a table",
            Self::Other(words) => words,
        }
    }

    /// The value as it was probably meant.
    pub fn instead_of(self, value: &DeValue) -> Option<String> {
        match self {
            Self::Text | Self::Texts => match value {
                DeValue::Datetime(date) => Some(quoted(&date.to_string())),
                DeValue::Integer(_) | DeValue::Float(_) => scalar(value).map(|text| quoted(&text)),
                DeValue::String(_) | DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_) => None,
            },
            Self::Boolean => match (value.as_str().map(str::to_ascii_lowercase).as_deref(), as_i64(value)) {
                (Some("true" | "yes" | "on" | "1"), _) | (_, Some(1)) => Some("true".to_owned()),
                (Some("false" | "no" | "off" | "0"), _) | (_, Some(0)) => Some("false".to_owned()),
                _ => None,
            },
            Self::Integer => {
                let text = value.as_str().map(str::trim).or_else(|| value.as_float()?.as_str().strip_suffix(".0"))?;
                text.parse::<i64>().ok().map(|number| number.to_string())
            }
            // Nearly everywhere a bare number is one of seconds.
            Self::Duration => {
                as_i64(value).filter(|seconds| *seconds >= 0).map(|seconds| quoted(&format!("{seconds}s")))
            }
            Self::Size => as_i64(value).filter(|size| *size >= 0).map(|size| quoted(&whole_size(size))),
            Self::Share => match value {
                DeValue::Integer(_) => as_i64(value).map(|percent| quoted(&format!("{percent}%"))),
                DeValue::Float(float) => {
                    let hundredths = float.as_str().parse::<f64>().ok()? * 100.0;
                    (hundredths >= 1.0).then(|| quoted(&format!("{hundredths:.0}%")))
                }
                _ => None,
            },
            Self::Umask => {
                as_i64(value).filter(|mask| (0..=777).contains(mask)).map(|mask| quoted(&format!("{mask:03}")))
            }
            Self::Table | Self::Other(_) => None,
        }
    }

    /// Why it is so.
    pub fn note(self) -> Option<&'static str> {
        match self {
            Self::Duration => Some("a duration has its unit with it: ms, s, m, h, d, w or y"),
            Self::Size => {
                Some("a size has its unit with it: B, KiB, MiB, GiB or TiB, and kB, MB or GB for powers of ten")
            }
            Self::Umask => Some("a number would be read as a decimal one"),
            Self::Share => Some("half a core is \"50%\", two are \"200%\""),
            Self::Text | Self::Texts | Self::Boolean | Self::Integer | Self::Table | Self::Other(_) => None,
        }
    }
}

/// A text as TOML has it.
pub fn quoted(text: &str) -> String {
    toml::Value::from(text).to_string()
}

/// An error's words parted into what is wrong and what to write instead.
pub fn two_parts(error: &str) -> (String, Option<String>) {
    match error.split_once("; write ") {
        Some((wrong, right)) => (wrong.to_owned(), Some(format!("write {right}"))),
        None => (error.to_owned(), None),
    }
}

/// A number of bytes in the largest unit that leaves nothing over.
fn whole_size(size: i64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    let unit = UNITS.iter().find(|(_, bits)| size > 0 && size.trailing_zeros() >= *bits);
    unit.map_or_else(|| format!("{size}B"), |(unit, bits)| format!("{}{unit}", size >> bits))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(wanted: Wanted, written: &str, expect: Option<&str>) {
        let text = format!("x = {written}");
        let table = toml::de::DeTable::parse(&text).unwrap();
        assert_eq!(wanted.instead_of(table.get_ref()["x"].get_ref()).as_deref(), expect, "{wanted:?} {written}");
    }

    #[test]
    fn what_was_meant_is_written_out() {
        check(Wanted::Duration, "30", Some("\"30s\""));
        check(Wanted::Duration, "-1", None);
        check(Wanted::Duration, "true", None);
        check(Wanted::Size, "1_048_576", Some("\"1MiB\""));
        check(Wanted::Size, "0x400", Some("\"1KiB\""));
        check(Wanted::Size, "1000", Some("\"1000B\""));
        check(Wanted::Size, "0", Some("\"0B\""));
        check(Wanted::Boolean, "'yes'", Some("true"));
        check(Wanted::Boolean, "0", Some("false"));
        check(Wanted::Boolean, "'maybe'", None);
        check(Wanted::Integer, "' 3 '", Some("3"));
        check(Wanted::Integer, "3.0", Some("3"));
        check(Wanted::Integer, "'three'", None);
        check(Wanted::Text, "5", Some("\"5\""));
        check(Wanted::Text, "2026-12-24", Some("\"2026-12-24\""));
        check(Wanted::Text, "['x']", None);
        check(Wanted::Text, "true", None);
        check(Wanted::Share, "50", Some("\"50%\""));
        check(Wanted::Share, "0.5", Some("\"50%\""));
        check(Wanted::Umask, "27", Some("\"027\""));
    }
}

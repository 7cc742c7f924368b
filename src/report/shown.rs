//! How is text of others shown, so that it steers no terminal, and how are times, lengths and sizes?

use std::fmt::Write;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

use super::Seconds;

/// Text that others wrote, with everything visible that could steer a terminal.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    push_all(&mut shown, text);
    shown
}

/// The same for bytes: what is not UTF-8 is shown as `\xNN`.
pub fn visible_bytes(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        push_all(&mut shown, chunk.valid());
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
}

fn push_all(shown: &mut String, text: &str) {
    let mut before = '\0';
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        // Persian words and families of emoji are written with joiners; beside what is ASCII they only hide.
        let joins = matches!(character, '\u{200c}' | '\u{200d}')
            && !before.is_ascii()
            && characters.peek().is_some_and(|next| !next.is_ascii());
        if joins {
            shown.push(character);
        } else {
            push_visible(shown, character);
        }
        before = character;
    }
}

fn push_visible(shown: &mut String, character: char) {
    match character {
        '\n' | '\t' => shown.push(character),
        '\u{0}'..='\u{1f}' => {
            // The caret notation of terminals: control characters are letters less 64.
            shown.push('^');
            shown.push(char::from(u8::try_from(u32::from(character)).unwrap_or(0) + 64));
        }
        '\u{7f}' => shown.push_str("^?"),
        // C1 controls, ends of lines that not everybody knows, and marks that turn the direction of text or hide in it.
        '\u{80}'..='\u{9f}'
        | '\u{61c}'
        | '\u{2028}'
        | '\u{2029}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2069}'
        | '\u{feff}' => {
            let _ = write!(shown, "\\u{{{:x}}}", u32::from(character));
        }
        _ => shown.push(character),
    }
}

/// A number of bytes with a unit.
pub fn bytes(count: i64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} B");
    }
    // Shown with one digit behind the point: what a float loses is not seen.
    #[allow(clippy::cast_precision_loss)]
    let mut size = count as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    format!("{size:.1} {}", UNITS[unit])
}

/// A time as the clocks of a zone show it.
pub fn time_in(time: Timestamp, zone: &TimeZone) -> String {
    time.to_zoned(zone.clone()).strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A length of time in two units at most: `1.2 ms`, `3.4 s`, `5m 6s`, `3d 4h`.
pub fn span(seconds: Seconds) -> String {
    let value = seconds.0;
    let sign = if value < 0.0 { "-" } else { "" };
    let size = value.abs();
    if size < 0.9995 {
        return format!("{sign}{:.1} ms", size * 1e3);
    }
    if size < 59.95 {
        return format!("{sign}{size:.1} s");
    }
    // The seconds of a timestamp's span are far below where this could fail.
    let whole = SignedDuration::try_from_secs_f64(size.round()).map_or(i64::MAX, |duration| duration.as_secs());
    let (days, hours, minutes, rest) = (whole / 86_400, whole / 3600 % 24, whole / 60 % 60, whole % 60);
    let two = |a: i64, unit_a: &str, b: i64, unit_b: &str| {
        if b == 0 { format!("{sign}{a}{unit_a}") } else { format!("{sign}{a}{unit_a} {b}{unit_b}") }
    };
    match (days, hours) {
        (0, 0) => two(minutes, "m", rest, "s"),
        (0, _) => two(hours, "h", minutes, "m"),
        _ => two(days, "d", hours, "h"),
    }
}

/// A number of things: `1 run`, `2 runs`.
pub fn counted(number: u64, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}

/// A number with its thousands apart: `1,312`.
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, expect) in [
            (0.0012, "1.2 ms"),
            (0.9999, "1.0 s"),
            (12.34, "12.3 s"),
            (59.99, "1m"),
            (306.0, "5m 6s"),
            (7200.0, "2h"),
            (273_600.0, "3d 4h"),
            (-0.5, "-500.0 ms"),
        ] {
            assert_eq!(span(Seconds(seconds)), expect, "{seconds}");
        }
    }

    #[test]
    fn thousands_stand_apart() {
        for (number, expect) in [(0, "0"), (999, "999"), (1312, "1,312"), (12_345_678, "12,345,678")] {
            assert_eq!(grouped(number), expect);
        }
    }

    #[test]
    fn sizes_have_one_digit() {
        for (count, expect) in [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 KiB"), (314_572_800, "300.0 MiB")] {
            assert_eq!(bytes(count), expect);
        }
    }

    #[test]
    fn nothing_steers_the_terminal() {
        assert_eq!(visible_bytes(b"a\x1b[2Jb\r\n\tc\xff\x00"), "a^[[2Jb^M\n\tc\\xff^@");
        assert_eq!(
            visible("می\u{200c}خواهم 👩\u{200d}🚀 a\u{200d}b\u{2028}"),
            "می\u{200c}خواهم 👩\u{200d}🚀 a\\u{200d}b\\u{2028}"
        );
        assert_eq!(visible("x\u{202e}y\u{9b}z\u{7f}ä"), "x\\u{202e}y\\u{9b}z^?ä");
    }
}

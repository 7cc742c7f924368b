//! How is text of others shown, so that it steers no terminal, and how is a size?

use std::fmt::Write;

/// Text that others wrote, with everything visible that could steer a terminal.
pub fn visible(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    for character in text.chars() {
        push_visible(&mut shown, character);
    }
    shown
}

/// The same for bytes: what is not UTF-8 is shown as `\xNN`.
pub fn visible_bytes(bytes: &[u8]) -> String {
    let mut shown = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            push_visible(&mut shown, character);
        }
        for byte in chunk.invalid() {
            let _ = write!(shown, "\\x{byte:02x}");
        }
    }
    shown
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
        // C1 controls, and marks that turn the direction of text or hide in it.
        '\u{80}'..='\u{9f}'
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

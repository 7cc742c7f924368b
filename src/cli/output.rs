//! What a run wrote, on the screen.

use super::Refusal;
use super::places::unreadable;
use super::screen::{Screen, bytes, visible, visible_bytes};
use crate::report::Entry;
use crate::store::{OutputLine, OutputPart, Reader, StepOutput};

pub async fn output_of(ledger: &Reader, entry: &Entry) -> Result<Vec<OutputPart>, Refusal> {
    let total = u64::try_from(entry.output_bytes).unwrap_or(0);
    ledger.output(entry.run, total).await.map_err(|error| unreadable(&error))
}

/// Prints output as text, each step's under its name; of `lines`, only the last so many.
pub fn print_output(output: &[OutputPart], lines: Option<usize>, raw: bool, screen: &mut Screen) {
    let mut text = Vec::new();
    for part in output {
        if let Some(step) = part.step.as_ref().filter(|_| !raw) {
            text.extend_from_slice(title(&step_title(step), screen).as_bytes());
            text.push(b'\n');
        }
        // Pieces end anywhere, also within a character.
        for lines in part.lines.chunk_by(|one, other| is_piece(one) == is_piece(other)) {
            append(&mut text, lines, raw, screen);
        }
        if !raw && text.last().is_some_and(|byte| *byte != b'\n') {
            text.push(b'\n');
        }
    }
    screen.raw(last_lines(&text, lines));
}

/// A line above what follows.
pub fn title(text: &str, screen: &Screen) -> String {
    screen.dim(&format!("── {text} ──"))
}

/// How a step's output is headed.
pub fn step_title(step: &StepOutput) -> String {
    let again = if step.attempt > 1 { format!(", attempt {}", step.attempt) } else { String::new() };
    format!("{}{again}", visible(&step.name))
}

fn is_piece(line: &OutputLine) -> bool {
    match line {
        OutputLine::Piece { .. } => true,
        OutputLine::Cut { .. } => false,
    }
}

/// Appends pieces that follow each other, or a cut.
fn append(text: &mut Vec<u8>, lines: &[OutputLine], raw: bool, screen: &Screen) {
    let mut written = Vec::new();
    for line in lines {
        match line {
            OutputLine::Piece { data, .. } => written.extend_from_slice(data),
            OutputLine::Cut { .. } if raw => {}
            OutputLine::Cut { bytes: cut } => {
                if text.last().is_some_and(|byte| *byte != b'\n') {
                    text.push(b'\n');
                }
                let size = bytes(i64::try_from(*cut).unwrap_or(i64::MAX));
                text.extend_from_slice(screen.dim(&format!("[{size} were not kept]\n")).as_bytes());
            }
        }
    }
    if raw {
        text.extend(written);
    } else {
        text.extend_from_slice(visible_bytes(&written).as_bytes());
    }
}

/// The end of a text; all of it if no number is given.
pub fn last_lines(text: &[u8], lines: Option<usize>) -> &[u8] {
    let Some(lines) = lines else {
        return text;
    };
    let ends = text.strip_suffix(b"\n").unwrap_or(text);
    let mut breaks = ends.iter().enumerate().rev().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1);
    match lines {
        0 => &[],
        lines => &text[breaks.nth(lines - 1).unwrap_or(0)..],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_lines_are_whole_lines() {
        assert_eq!(last_lines(b"a\nb\nc\n", Some(2)), b"b\nc\n");
        assert_eq!(last_lines(b"a\nb\nc", Some(1)), b"c");
        assert_eq!(last_lines(b"a\n", Some(5)), b"a\n");
        assert_eq!(last_lines(b"a\n", Some(0)), b"");
        assert_eq!(last_lines(b"", Some(3)), b"");
        assert_eq!(last_lines(b"a\nb", None), b"a\nb");
    }
}

//! What a run wrote, on the screen.

use super::Refusal;
use super::places::unreadable;
use super::screen::{Screen, visible_bytes};
use crate::inquiry::{attempt_title, cut_title, step_title};
use crate::report::Entry;
use crate::store::{OutputLine, OutputPart, Reader};

/// All that is kept of what a run wrote, in all its attempts.
pub async fn output_of(ledger: &Reader, entry: &Entry) -> Result<Vec<OutputPart>, Refusal> {
    let total = u64::try_from(entry.output_bytes).unwrap_or(0);
    ledger.output(entry.run, 1, total).await.map_err(|error| unreadable(&error))
}

/// Prints output as text, each further attempt's under its number, each step's under its name; of `lines`, only the last
/// so many.
pub fn print_output(output: &[OutputPart], lines: Option<usize>, raw: bool, screen: &mut Screen) {
    let mut text = Vec::new();
    // A run's first attempt needs no word.
    let mut attempt = 1;
    for part in output {
        if part.attempt > std::mem::replace(&mut attempt, part.attempt) && !raw {
            text.extend_from_slice(screen.dim(&attempt_title(attempt)).as_bytes());
            text.push(b'\n');
        }
        if let Some(step) = part.step.as_ref().filter(|_| !raw) {
            text.extend_from_slice(screen.dim(&step_title(step)).as_bytes());
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
                text.extend_from_slice(screen.dim(&cut_title(*cut)).as_bytes());
                text.push(b'\n');
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

/// Leaves only the last so many lines; a cut is none of them, and stays where a line behind it does.
pub fn keep_last_lines(output: &mut [OutputPart], lines: usize) {
    let mut wanted = lines;
    for part in output.iter_mut().rev() {
        let at = if wanted == 0 { Some((part.lines.len(), 0)) } else { line_start(&part.lines, &mut wanted) };
        let Some((piece, skipped)) = at else {
            continue;
        };
        part.lines.drain(..piece);
        if let Some(OutputLine::Piece { offset, data, .. }) = part.lines.first_mut() {
            data.drain(..skipped);
            *offset += skipped as u64;
        }
    }
}

/// Where the first of the last `wanted` lines begins: in which piece, behind how many bytes. `None`: there are not more
/// than these, and fewer are wanted of what comes before.
fn line_start(lines: &[OutputLine], wanted: &mut usize) -> Option<(usize, usize)> {
    let mut is_in_line = false;
    for (number, line) in lines.iter().enumerate().rev() {
        match line {
            OutputLine::Cut { .. } if std::mem::take(&mut is_in_line) => {
                *wanted -= 1;
                if *wanted == 0 {
                    return Some((number + 1, 0));
                }
            }
            OutputLine::Cut { .. } => {}
            OutputLine::Piece { data, .. } => {
                for (at, byte) in data.iter().enumerate().rev() {
                    if *byte == b'\n' && std::mem::replace(&mut is_in_line, true) {
                        *wanted -= 1;
                        if *wanted == 0 {
                            return Some((number, at + 1));
                        }
                    }
                    is_in_line = true;
                }
            }
        }
    }
    *wanted -= usize::from(is_in_line);
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::Stream;
    use jiff::Timestamp;

    #[test]
    fn of_pieces_only_the_last_lines_are_kept() {
        let piece = |data: &str| {
            let (stream, at) = (Stream::Stdout, Timestamp::UNIX_EPOCH);
            OutputLine::Piece { offset: 0, stream, at, data: data.as_bytes().to_vec() }
        };
        let part = |attempt, lines| OutputPart { attempt, step: None, lines };
        for (lines, expect) in [
            (0, ""),
            (1, "d"),
            (2, "c\nd"),
            (3, "b2\nc\nd"),
            (4, "b1|b2\nc\nd"),
            (5, "a\nb1|b2\nc\nd"),
            (6, "x\na\nb1|b2\nc\nd"),
            (9, "x\na\nb1|b2\nc\nd"),
        ] {
            let cut = OutputLine::Cut { bytes: 7 };
            let second = vec![piece("a\nb1"), cut, piece("b2\n"), piece("c"), piece("\nd")];
            let mut output = vec![part(1, vec![piece("x\n")]), part(2, second)];
            keep_last_lines(&mut output, lines);
            let text = |line: &OutputLine| match line {
                OutputLine::Piece { data, .. } => String::from_utf8(data.clone()).unwrap(),
                OutputLine::Cut { .. } => "|".to_owned(),
            };
            let kept: String = output.iter().flat_map(|part| part.lines.iter().map(text)).collect();
            assert_eq!(kept, expect, "{lines}");
        }
    }

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

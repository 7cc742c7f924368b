//! What of a run's output is worth telling: its end, and the line in which it says what is wrong?

use std::sync::LazyLock;

use regex::bytes::Regex;

use crate::notice::error_line;
use crate::report::{Entry, visible_bytes};
use crate::store::{OutputLine, OutputPart, Reader};

/// Lines of the end of the output.
const LAST: usize = 20;
/// Characters of a line: longer ones are data, and not for people.
const LONGEST: usize = 500;

/// What programs write to a terminal about colours and places: ECMA-48, section 5.4.
static STEERING: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(r"(?-u)\x1b(?:\[[\x30-\x3f]*[\x20-\x2f]*[\x40-\x7e]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[\x40-\x5a\x5c-\x5f])")
        .ok()
});

/// Of a run's output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Said {
    pub error_line: Option<String>,
    pub last_lines: Vec<String>,
    /// How many come before those.
    pub lines_before: u64,
}

/// What the last attempt of a run has said.
pub async fn said(ledger: &Reader, entry: &Entry) -> Result<Said, sqlx::Error> {
    let last = ledger.last_attempt(entry.run).await?;
    let parts = ledger.output(entry.run, last, u64::try_from(entry.output_bytes).unwrap_or(0)).await?;
    Ok(of_text(&text_of(&parts)))
}

/// All parts one after the other; where something was cut, a line ends.
fn text_of(parts: &[OutputPart]) -> Vec<u8> {
    let mut text = Vec::new();
    for part in parts {
        for line in &part.lines {
            match line {
                OutputLine::Piece { data, .. } => text.extend_from_slice(data),
                OutputLine::Cut { .. } => end_line(&mut text),
            }
        }
        end_line(&mut text);
    }
    text
}

fn end_line(text: &mut Vec<u8>) {
    if text.last().is_some_and(|byte| *byte != b'\n') {
        text.push(b'\n');
    }
}

fn of_text(text: &[u8]) -> Said {
    let lines: Vec<&[u8]> = text.split(|byte| *byte == b'\n').collect();
    let end = lines.iter().rposition(|line| !line.trim_ascii().is_empty()).map_or(0, |last| last + 1);
    let plain: Vec<String> = lines[..end].iter().map(|line| plain(line)).collect();
    let before = plain.len().saturating_sub(LAST);
    Said {
        error_line: error_line(&plain).map(|at| plain[at].clone()),
        last_lines: plain[before..].to_vec(),
        lines_before: u64::try_from(before).unwrap_or(u64::MAX),
    }
}

/// A line without anything that steers a terminal.
fn plain(line: &[u8]) -> String {
    // Whatever was written over by a progress bar was not to be seen any more.
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let line = line.rsplit(|byte| *byte == b'\r').next().unwrap_or(line);
    let steering: &Option<Regex> = &STEERING;
    let line = match steering {
        Some(steering) => steering.replace_all(line, &b""[..]),
        None => line.into(),
    };
    let shown = visible_bytes(&line).replace('\t', "    ");
    match shown.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &shown[..at]),
        None => shown.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_line_that_looks_like_an_error_is_found_without_its_colours() {
        let said = of_text(b"begin\n\x1b[31mERROR: gr\xc3\xb6\xc3\x9fer\x1b[0m\nend\n");
        assert_eq!(said.error_line.as_deref(), Some("ERROR: gr\u{f6}\u{df}er"));
        assert_eq!(of_text(b"fine\n").error_line, None);
    }

    #[test]
    fn the_end_is_told_in_lines_that_steer_nothing() {
        let lines: Vec<String> = (1..=30).map(|n| format!("line {n}")).collect();
        let said = of_text(format!("{}\n\n \n", lines.join("\n")).as_bytes());
        assert_eq!((said.last_lines.len(), said.lines_before), (20, 10));
        assert_eq!((said.last_lines[0].as_str(), said.last_lines[19].as_str()), ("line 11", "line 30"));
        let said = of_text(b"a\x1b]0;title\x07b\x1b[2Jc\x07\r\n10%\r100%\tdone \xff\r\n\x1b(B\n");
        assert_eq!(said.last_lines, ["abc^G", "100%    done \\xff", "^[(B"]);
        assert_eq!(of_text(&[b'x'; 9999]).last_lines[0].chars().count(), LONGEST + 1);
        assert_eq!(of_text(b"\n\n"), Said::default());
    }
}

//! Does a line of the output say that it failed? Every line is looked at once, as it comes, whatever is kept of it.

use serde::{Deserialize, Serialize};

use crate::job::OutputPattern;
use crate::run::Stream;

/// Of an endless line so much is looked at as one; where the line goes on, the next stretch is a line of its own.
const LONGEST_LINE: usize = 64 << 10;
/// What is told of a line.
const SHOWN: usize = 200;

#[derive(Debug, Serialize, Deserialize)]
pub struct Scan {
    pattern: OutputPattern,
    /// Lines that have not ended, of each stream.
    begun: [Vec<u8>; 2],
    found: Option<String>,
}

impl Scan {
    pub fn new(pattern: OutputPattern) -> Self {
        Self { pattern, begun: [Vec::new(), Vec::new()], found: None }
    }

    pub fn push(&mut self, stream: Stream, mut data: &[u8]) {
        let begun = match stream {
            Stream::Stdout => &mut self.begun[0],
            Stream::Stderr => &mut self.begun[1],
        };
        while self.found.is_none() && !data.is_empty() {
            let end = data.iter().position(|byte| *byte == b'\n');
            let (line, rest) = end.map_or((data, &[][..]), |end| (&data[..end], &data[end + 1..]));
            let room = LONGEST_LINE - begun.len();
            let (now, later) = line.split_at(room.min(line.len()));
            let is_whole = end.is_some() && later.is_empty();
            if begun.is_empty() && is_whole {
                self.found = look(&self.pattern, now);
            } else {
                begun.extend_from_slice(now);
                if is_whole || begun.len() == LONGEST_LINE {
                    self.found = look(&self.pattern, begun);
                    begun.clear();
                }
            }
            data = if later.is_empty() { rest } else { &data[now.len()..] };
        }
    }

    /// The first line that was found, the last ones included, which nothing ended.
    pub fn finish(self) -> Option<String> {
        let Self { pattern, begun, found } = self;
        found.or_else(|| begun.iter().filter(|line| !line.is_empty()).find_map(|line| look(&pattern, line)))
    }
}

fn look(pattern: &OutputPattern, line: &[u8]) -> Option<String> {
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    pattern.is_match(line).then(|| {
        let text = String::from_utf8_lossy(&line[..line.len().min(SHOWN)]).into_owned();
        if line.len() > SHOWN { format!("{text}…") } else { text }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in a text that comes in pieces of every size.
    #[track_caller]
    fn check(pattern: &str, text: &[u8], expect: Option<&str>) {
        for size in [1, 2, 7, 4096, 1 << 20] {
            let mut scan = Scan::new(OutputPattern::new(pattern).unwrap());
            for piece in text.chunks(size) {
                scan.push(Stream::Stdout, piece);
                scan.push(Stream::Stderr, b"x");
            }
            assert_eq!(scan.finish().as_deref(), expect, "{pattern} in pieces of {size}");
        }
    }

    #[test]
    fn lines_are_found_however_they_come() {
        check("^ERROR", b"fine\nERROR: disk\nmore\n", Some("ERROR: disk"));
        check("^ERROR", b"fine\nno ERROR\n", None);
        check("(?i)error$", b"an Error", Some("an Error"));
        check("^$", b"a\n\nb", Some(""));
        check("b$", b"a b\r\nc", Some("a b"));
        check(r"(?-u:\xff)", b"\x00\xff\n", Some("\0\u{fffd}"));
        let endless = [&b"y".repeat(LONGEST_LINE + 10)[..], b"needle"].concat();
        check("needle", &endless, Some("yyyyyyyyyyneedle"));
        check("zzz", &endless, None);
        let long = b"w".repeat(1000);
        check("w", &long, Some(&format!("{}…", "w".repeat(SHOWN))));
    }
}

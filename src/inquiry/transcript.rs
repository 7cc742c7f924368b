//! What of a run's output comes next, and under which heading? As it comes, piece by piece, of several parts at the same time.

use std::collections::BTreeMap;

use super::pieces::Joined;
use crate::report::{bytes, visible, visible_bytes};
use crate::store::{News, PartId, StepOutput};

/// What has been told of a run's output.
#[derive(Debug, Default)]
pub struct Transcript {
    /// Whether bytes are told as they are, even parts of characters.
    is_raw: bool,
    reached: BTreeMap<PartId, u64>,
    joined: Joined,
    /// Whose output was told last.
    heading: Option<PartId>,
}

/// Something to tell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Passage {
    /// A further attempt of the run begins, or goes on.
    Attempt(i64),
    /// Another step than before is told of.
    Step(StepOutput),
    Text(News),
    /// So many bytes of this part were not kept.
    Cut {
        part: PartId,
        step: Option<StepOutput>,
        bytes: u64,
    },
}

impl Transcript {
    pub fn new(is_raw: bool) -> Self {
        Self { is_raw, ..Self::default() }
    }

    /// Up to where each part was told.
    pub fn reached(&self) -> &BTreeMap<PartId, u64> {
        &self.reached
    }

    /// What a piece that has come makes to tell.
    pub fn take(&mut self, piece: News) -> Vec<Passage> {
        let mut passages = Vec::new();
        let reached = self.reached.insert(piece.part, piece.end()).unwrap_or(0);
        let cut = piece.offset.saturating_sub(reached);
        if cut > 0 {
            for rest in self.joined.rest_of(piece.part) {
                self.tell(rest, &mut passages);
            }
            self.head(piece.part, piece.step.as_ref(), &mut passages);
            passages.push(Passage::Cut { part: piece.part, step: piece.step.clone(), bytes: cut });
        }
        let piece = if self.is_raw { Some(piece) } else { self.joined.take(piece) };
        if let Some(piece) = piece {
            self.tell(piece, &mut passages);
        }
        passages
    }

    /// Nothing more comes: what could have been the beginning of a character is none.
    pub fn rest(&mut self) -> Vec<Passage> {
        let mut passages = Vec::new();
        for rest in self.joined.rest() {
            self.tell(rest, &mut passages);
        }
        passages
    }

    fn tell(&mut self, piece: News, passages: &mut Vec<Passage>) {
        self.head(piece.part, piece.step.as_ref(), passages);
        passages.push(Passage::Text(piece));
    }

    /// Says whose output follows, if that is somebody else's than before; a run's first attempt needs no word.
    fn head(&mut self, part: PartId, step: Option<&StepOutput>, passages: &mut Vec<Passage>) {
        let before = self.heading.replace(part);
        if before == Some(part) {
            return;
        }
        if part.attempt > before.map_or(1, |before| before.attempt) {
            passages.push(Passage::Attempt(part.attempt));
        }
        passages.extend(step.cloned().map(Passage::Step));
    }
}

/// Passages as text, what steers terminals made visible.
#[derive(Debug)]
pub struct Page {
    text: Vec<u8>,
    is_at_line_start: bool,
}

impl Default for Page {
    fn default() -> Self {
        Self { text: Vec::new(), is_at_line_start: true }
    }
}

impl Page {
    /// `ours` changes how looks what the run did not write.
    pub fn add(&mut self, passage: &Passage, ours: impl Fn(&str) -> String) {
        match passage {
            Passage::Attempt(number) => self.line(&ours(&attempt_title(*number))),
            Passage::Step(step) => self.line(&ours(&step_title(step))),
            Passage::Cut { bytes: cut, .. } => self.line(&ours(&cut_title(*cut))),
            Passage::Text(piece) => {
                self.text.extend_from_slice(visible_bytes(&piece.data).as_bytes());
                self.is_at_line_start = piece.data.ends_with(b"\n");
            }
        }
    }

    pub fn end_line(&mut self) {
        if !std::mem::replace(&mut self.is_at_line_start, true) {
            self.text.push(b'\n');
        }
    }

    /// What was added since the last time.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.text)
    }

    fn line(&mut self, text: &str) {
        self.end_line();
        self.text.extend_from_slice(text.as_bytes());
        self.text.push(b'\n');
    }
}

/// A line above what a further attempt wrote.
pub fn attempt_title(number: i64) -> String {
    format!("── attempt {number} ──")
}

/// A line above what a step wrote.
pub fn step_title(step: &StepOutput) -> String {
    let again = if step.attempt > 1 { format!(", attempt {}", step.attempt) } else { String::new() };
    format!("── {}{again} ──", visible(&step.name))
}

/// A line where something is missing.
pub fn cut_title(cut: u64) -> String {
    format!("[{} were not kept]", bytes(i64::try_from(cut).unwrap_or(i64::MAX)))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::run::Stream;

    fn news(attempt: i64, step: Option<(i64, &str)>, offset: u64, data: &[u8]) -> News {
        let number = step.map_or(0, |(number, _)| number);
        let part = PartId { attempt, step: number, step_attempt: i64::from(step.is_some()) };
        let step = step.map(|(number, name)| StepOutput { number, name: name.to_owned(), attempt: 1 });
        News { part, step, offset, stream: Stream::Stdout, at: Timestamp::UNIX_EPOCH, data: data.to_vec() }
    }

    fn page(pieces: Vec<News>) -> String {
        let (mut transcript, mut page) = (Transcript::new(false), Page::default());
        let mut passages: Vec<Passage> = pieces.into_iter().flat_map(|piece| transcript.take(piece)).collect();
        passages.extend(transcript.rest());
        for passage in &passages {
            page.add(passage, str::to_owned);
        }
        page.end_line();
        String::from_utf8(page.take()).unwrap()
    }

    #[test]
    fn headings_stand_where_somebody_else_writes() {
        assert_eq!(
            page(vec![news(1, None, 0, b"a"), news(1, None, 1, b"b\n"), news(2, None, 0, b"c")]),
            "ab\n── attempt 2 ──\nc\n"
        );
        let (one, two) = (Some((1, "one")), Some((2, "t\x1bwo")));
        let pieces = vec![news(1, one, 0, b"a"), news(1, two, 0, b"b\n"), news(1, one, 1, b"c"), news(1, one, 2, b"d")];
        assert_eq!(page(pieces), "── one ──\na\n── t^[wo ──\nb\n── one ──\ncd\n");
    }

    #[test]
    fn what_is_missing_is_said_and_characters_stay_whole() {
        assert_eq!(page(vec![news(1, None, 0, b"a"), news(1, None, 1025, b"b")]), "a\n[1.0 KiB were not kept]\nb\n");
        assert_eq!(page(vec![news(1, None, 0, b"\xe2\x82"), news(1, None, 2, b"\xac\xff\n")]), "€\\xff\n");
        assert_eq!(page(vec![news(1, None, 0, b"\xe2")]), "\\xe2\n");
        let mut raw = Transcript::new(true);
        assert_eq!(raw.take(news(1, None, 0, b"\xe2")), [Passage::Text(news(1, None, 0, b"\xe2"))]);
    }
}

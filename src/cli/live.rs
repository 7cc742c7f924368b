//! What does a job write that runs here? Its standard output comes out of ours, its standard error apart, each step's under its
//! name.

use std::io::{self, Write};

use owo_colors::{OwoColorize, Style};

use super::output::{step_title, title};
use super::pieces::{Joined, PieceReport};
use super::screen::{Screen, visible, visible_bytes};
use crate::job::StepName;
use crate::rehearsal::Scene;
use crate::run::{Outcome, OutputPiece, StepNote, Stream};
use crate::store::{News, PartId, StepOutput};

pub struct Live<'s> {
    screen: &'s mut Screen,
    raw: bool,
    joined: Joined,
    /// Under whose heading the last line stands.
    heading: Option<PartId>,
    /// Whether what was written last to each stream ended its line.
    is_at_line_start: [bool; 2],
}

impl<'s> Live<'s> {
    pub fn new(screen: &'s mut Screen, raw: bool) -> Self {
        Self { screen, raw, joined: Joined::default(), heading: None, is_at_line_start: [true, true] }
    }

    pub fn show(&mut self, scene: Scene) {
        match scene {
            Scene::Output { piece, step } => {
                let news = news(piece, step);
                let whole = if self.raw { Some(news) } else { self.joined.take(news) };
                if let Some(whole) = whole {
                    self.write(&whole);
                }
            }
            Scene::Step(note) => self.say_what_became_of(&note),
        }
        self.screen.flush();
    }

    /// Nothing more comes.
    pub fn finish(mut self) {
        for rest in self.joined.rest() {
            self.write(&rest);
        }
        if !self.raw && !self.screen.json {
            self.end_lines();
        }
    }

    fn write(&mut self, piece: &News) {
        if self.screen.json {
            self.screen.value(&PieceReport::of(None, piece));
            return;
        }
        self.show_heading(piece);
        let text = if self.raw { piece.data.clone() } else { visible_bytes(&piece.data).into_bytes() };
        let is_line = piece.data.last().is_none_or(|byte| *byte == b'\n');
        match piece.stream {
            Stream::Stdout => {
                self.screen.raw(&text);
                self.is_at_line_start[0] = is_line;
            }
            Stream::Stderr => {
                self.screen.flush();
                let text = if self.raw || !self.screen.colors_errors() { text } else { colored(&text) };
                // Whoever does not listen misses it.
                let _ = io::stderr().write_all(&text);
                self.is_at_line_start[1] = is_line;
            }
        }
    }

    fn show_heading(&mut self, piece: &News) {
        let before = self.heading.replace(piece.part);
        if let Some(step) = piece.step.as_ref().filter(|_| before != Some(piece.part) && !self.raw) {
            self.end_lines();
            let heading = title(&step_title(step), self.screen);
            self.screen.line(heading);
        }
    }

    fn say_what_became_of(&mut self, note: &StepNote) {
        let Some(end) = note.end.as_ref().filter(|end| end.verdict.outcome != Outcome::Succeeded) else {
            return;
        };
        if !self.raw && !self.screen.json {
            self.end_lines();
        }
        let detail = end.verdict.detail.as_deref().map_or_else(String::new, |detail| format!(": {}", visible(detail)));
        self.screen.note(format!("step {} {}{detail}", visible(note.name.as_str()), end.verdict.outcome));
    }

    fn end_lines(&mut self) {
        let [stdout, stderr] = std::mem::replace(&mut self.is_at_line_start, [true, true]);
        if !stdout {
            self.screen.line("");
        }
        if !stderr {
            self.screen.note("");
        }
    }
}

/// Line by line, so that no colour is left where others write.
fn colored(text: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(text);
    let style = Style::new().yellow();
    let paint = |line: &str| {
        let (words, end) = line.strip_suffix('\n').map_or((line, ""), |words| (words, "\n"));
        format!("{}{end}", words.style(style))
    };
    text.split_inclusive('\n').map(paint).collect::<String>().into_bytes()
}

fn news(piece: OutputPiece, step: Option<StepName>) -> News {
    let OutputPiece { id, offset, stream, at, data, .. } = piece;
    let part = PartId { attempt: id.attempt.into(), step: id.step.into(), step_attempt: id.step_attempt.into() };
    let step =
        step.map(|name| StepOutput { number: id.step.into(), name: name.to_string(), attempt: id.step_attempt.into() });
    News { part, step, offset, stream, at, data }
}

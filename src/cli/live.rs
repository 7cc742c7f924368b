//! What is written at this moment, on the screen: standard output comes out of ours, standard error apart, each step's under its
//! name. Of several runs at once each line says whose it is.

use std::collections::BTreeMap;
use std::io::{self, Write};

use owo_colors::{OwoColorize, Style};

use super::screen::{Screen, errors_width, visible, visible_bytes};
use crate::inquiry::{CutReport, Passage, PieceReport, Transcript, attempt_title, cut_title, step_title};
use crate::run::{RunId, Stream};
use crate::store::{News, PartId, StepOutput};

/// Goes to the beginning of the line and clears it.
const CLEAR: &str = "\r\x1b[K";

/// Who writes.
#[derive(Debug, Clone, Copy)]
pub struct Voice<'v> {
    /// None of what is recorded nowhere.
    pub run: Option<RunId>,
    /// With this every line begins, where several write.
    pub name: Option<&'v str>,
}

pub struct Live<'s> {
    screen: &'s mut Screen,
    raw: bool,
    transcripts: BTreeMap<Option<RunId>, Transcript>,
    /// Lines that are not whole yet, of runs that are told apart by lines.
    torn: BTreeMap<(Option<RunId>, PartId, Stream), Vec<u8>>,
    /// Whether what was written last to each stream ended its line.
    is_at_line_start: [bool; 2],
    /// Whether a line stands on standard error that is to go again.
    has_passing_line: bool,
}

impl<'s> Live<'s> {
    pub fn new(screen: &'s mut Screen, raw: bool) -> Self {
        Self {
            screen,
            raw,
            transcripts: BTreeMap::new(),
            torn: BTreeMap::new(),
            is_at_line_start: [true, true],
            has_passing_line: false,
        }
    }

    pub fn is_json(&self) -> bool {
        self.screen.json
    }

    pub fn screen(&mut self) -> &mut Screen {
        self.clear();
        self.screen
    }

    /// Something was written.
    pub fn hear(&mut self, voice: Voice, news: News) {
        let transcript = self.transcripts.entry(voice.run).or_insert_with(|| Transcript::new(self.raw));
        for passage in transcript.take(news) {
            self.tell(voice, passage);
        }
        self.screen.flush();
    }

    /// Up to where each part of a run was told.
    pub fn reached(&mut self, voice: Voice) -> &BTreeMap<PartId, u64> {
        self.transcripts.entry(voice.run).or_insert_with(|| Transcript::new(self.raw)).reached()
    }

    /// Nothing more comes from this one.
    pub fn is_over(&mut self, voice: Voice) {
        let rest = self.transcripts.remove(&voice.run).map(|mut transcript| transcript.rest());
        for passage in rest.into_iter().flatten() {
            self.tell(voice, passage);
        }
        let torn: Vec<_> = self.torn.keys().copied().filter(|(run, ..)| *run == voice.run).collect();
        for key in torn {
            let mut line = self.torn.remove(&key).unwrap_or_default();
            line.push(b'\n');
            self.put(key.2, &line);
        }
        self.end_lines();
    }

    /// A line about it, for people.
    pub fn say(&mut self, text: impl AsRef<str>) {
        self.end_lines();
        self.screen.note(text);
    }

    /// The last word about it.
    pub fn conclude(&mut self, is_success: bool, text: &str) {
        self.end_lines();
        self.screen.conclude(is_success, text);
    }

    /// Shows a line on standard error for as long as nothing else is written; nothing where nobody looks.
    pub fn pass(&mut self, text: &str) {
        let Some(width) = errors_width().filter(|_| self.is_at_line_start == [true, true]) else {
            return;
        };
        self.screen.flush();
        let text: String = text.chars().take(width.saturating_sub(1)).collect();
        let _ = write!(io::stderr(), "{CLEAR}{text}");
        self.has_passing_line = true;
    }

    fn clear(&mut self) {
        if std::mem::take(&mut self.has_passing_line) {
            let _ = write!(io::stderr(), "{CLEAR}");
        }
    }

    fn tell(&mut self, voice: Voice, passage: Passage) {
        self.clear();
        if self.screen.json {
            self.tell_in_json(voice, &passage);
            return;
        }
        match passage {
            Passage::Text(piece) => self.write(voice, &piece),
            Passage::Attempt(_) | Passage::Step(_) | Passage::Cut { .. } if self.raw => {}
            // Where several write, each line says whose it is.
            Passage::Attempt(_) | Passage::Step(_) if voice.name.is_some() => {}
            Passage::Attempt(number) => self.head(&attempt_title(number)),
            Passage::Step(step) => self.head(&step_title(&step)),
            Passage::Cut { step, bytes, .. } => {
                let text = format!("{}{}", prefix(voice, step.as_ref()), cut_title(bytes));
                self.head(&text);
            }
        }
    }

    fn tell_in_json(&mut self, voice: Voice, passage: &Passage) {
        match passage {
            Passage::Text(piece) => self.screen.value(&PieceReport::of(voice.run, piece)),
            Passage::Cut { part, step, bytes } => {
                if let Some(run) = voice.run {
                    let step = step.as_ref().map(|step| step.name.as_str());
                    self.screen.value(&CutReport { run, attempt: part.attempt, step, cut: *bytes });
                }
            }
            Passage::Attempt(_) | Passage::Step(_) => {}
        }
    }

    fn write(&mut self, voice: Voice, piece: &News) {
        let text = if self.raw { piece.data.clone() } else { visible_bytes(&piece.data).into_bytes() };
        if voice.name.is_none() {
            self.put(piece.stream, &text);
            return;
        }
        let key = (voice.run, piece.part, piece.stream);
        for line in text.split_inclusive(|byte| *byte == b'\n') {
            let begin = || prefix(voice, piece.step.as_ref()).into_bytes();
            let torn = self.torn.entry(key).or_insert_with(begin);
            torn.extend_from_slice(line);
            if line.ends_with(b"\n") {
                let whole = self.torn.remove(&key).unwrap_or_default();
                self.put(piece.stream, &whole);
            }
        }
    }

    fn put(&mut self, stream: Stream, text: &[u8]) {
        self.clear();
        let is_line = text.last().is_none_or(|byte| *byte == b'\n');
        match stream {
            Stream::Stdout => {
                self.screen.raw(text);
                self.is_at_line_start[0] = is_line;
            }
            Stream::Stderr => {
                self.screen.flush();
                let colored = (!self.raw && self.screen.colors_errors()).then(|| colored(text));
                // Whoever does not listen misses it.
                let _ = io::stderr().write_all(colored.as_deref().unwrap_or(text));
                self.is_at_line_start[1] = is_line;
            }
        }
    }

    /// A line of ours between those that are written.
    fn head(&mut self, text: &str) {
        self.end_lines();
        let text = self.screen.dim(text);
        self.screen.line(text);
    }

    fn end_lines(&mut self) {
        self.clear();
        if self.raw || self.screen.json {
            return;
        }
        let [stdout, stderr] = std::mem::replace(&mut self.is_at_line_start, [true, true]);
        if !stdout {
            self.screen.line("");
        }
        if !stderr {
            self.screen.note("");
        }
    }
}

impl Drop for Live<'_> {
    fn drop(&mut self) {
        self.clear();
    }
}

/// What a line begins with that says whose it is.
fn prefix(voice: Voice, step: Option<&StepOutput>) -> String {
    match (voice.name, step) {
        (None, _) => String::new(),
        (Some(name), Some(step)) => format!("{name} {} | ", visible(&step.name)),
        (Some(name), None) => format!("{name} | "),
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

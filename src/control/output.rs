//! How does a run's output leave, while it is written if that is wanted? Never faster than it is taken.

use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::{Path, State};
use axum::http::Uri;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use futures_util::stream::unfold;
use tokio::sync::{OwnedSemaphorePermit, watch};

use super::bodies::run as run_number;
use super::desk::Desk;
use super::parameters::Parameters;
use super::problem::{Code, Problem};
use crate::inquiry::{CutReport, NoAnswer, Page, Passage, PieceReport, Transcript, find_run};
use crate::report::Entry;
use crate::run::State as RunState;

/// In which form output is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    /// For people: headings of attempts and steps, and what steers a terminal made visible.
    Text,
    /// The bytes that are kept.
    Raw,
    /// A JSON object on each line.
    Lines,
}

impl Form {
    const WORDS: [(&'static str, Self); 3] = [("text", Self::Text), ("raw", Self::Raw), ("ndjson", Self::Lines)];

    fn of(word: Option<&str>) -> Result<Self, Problem> {
        let Some(word) = word else {
            return Ok(Self::Text);
        };
        let found = Self::WORDS.iter().find(|(known, _)| *known == word);
        found.map(|(_, form)| *form).ok_or_else(|| {
            let message = format!("format: there is no format `{word}`");
            Problem::new(Code::Wrong, message).with_help("there are text, raw, ndjson")
        })
    }

    fn content_type(self) -> &'static str {
        match self {
            Self::Text => "text/plain; charset=utf-8",
            Self::Raw => "application/octet-stream",
            Self::Lines => "application/x-ndjson",
        }
    }
}

pub async fn output(State(desk): State<Arc<Desk>>, Path(run): Path<String>, uri: Uri) -> Result<Response, Problem> {
    let given = Parameters::of(&uri, &["follow", "format"])?;
    let (form, follows) = (Form::of(given.one("format")?)?, given.is_set("follow")?);
    let permit = desk.outputs.clone().try_acquire_owned().map_err(|_| {
        Problem::new(Code::Unavailable, "too many are reading output at the moment").with_help("ask again later")
    })?;
    // Listen before looking.
    let tidings = follows.then(|| desk.follow());
    let entry = find_run(&desk.ledger, run_number(&run)?).await?;
    let telling = Telling {
        desk,
        entry,
        form,
        tidings,
        transcript: Transcript::new(form == Form::Raw),
        page: Page::default(),
        bytes: Vec::new(),
        is_over: false,
        _permit: permit,
    };
    let body = Body::from_stream(unfold(telling, Telling::next));
    Ok(([(CONTENT_TYPE, form.content_type())], body).into_response())
}

/// An answer that is being given.
struct Telling {
    desk: Arc<Desk>,
    entry: Entry,
    form: Form,
    /// That something was written; none if nobody wants to wait for it.
    tidings: Option<watch::Receiver<()>>,
    transcript: Transcript,
    page: Page,
    /// What is yet to be told.
    bytes: Vec<u8>,
    is_over: bool,
    _permit: OwnedSemaphorePermit,
}

impl Telling {
    /// The next bytes; the answer ends with the run, or with what there is.
    async fn next(mut self) -> Option<(Result<Bytes, NoAnswer>, Self)> {
        while !self.is_over {
            if let Err(error) = self.look().await {
                self.is_over = true;
                return Some((Err(error), self));
            }
            let bytes = std::mem::take(&mut self.bytes);
            if !bytes.is_empty() {
                return Some((Ok(bytes.into()), self));
            }
            if let Some(tidings) = self.tidings.as_mut().filter(|_| !self.is_over) {
                self.is_over = tidings.changed().await.is_err();
            }
        }
        None
    }

    /// Takes what has come.
    async fn look(&mut self) -> Result<(), NoAnswer> {
        // The end is committed with the last output, so whoever sees the end sees all of the output afterwards.
        self.entry = find_run(&self.desk.ledger, self.entry.run).await?;
        let has_ended = self.entry.state == RunState::Ended;
        for piece in self.desk.ledger.output_since(self.entry.run, self.transcript.reached(), None).await? {
            let passages = self.transcript.take(piece);
            self.tell(&passages);
        }
        if has_ended || self.tidings.is_none() {
            self.is_over = true;
            let passages = self.transcript.rest();
            self.tell(&passages);
            self.page.end_line();
        }
        self.bytes.extend(self.page.take());
        Ok(())
    }

    fn tell(&mut self, passages: &[Passage]) {
        for passage in passages {
            match (self.form, passage) {
                (Form::Text, passage) => self.page.add(passage, str::to_owned),
                (Form::Raw, Passage::Text(piece)) => self.bytes.extend_from_slice(&piece.data),
                (Form::Lines, Passage::Text(piece)) => self.line(&PieceReport::of(self.entry.run, piece)),
                (Form::Lines, Passage::Cut { part, step, bytes }) => {
                    let step = step.as_ref().map(|step| step.name.as_str());
                    self.line(&CutReport { run: self.entry.run, attempt: part.attempt, step, cut: *bytes });
                }
                (Form::Raw, Passage::Attempt(_) | Passage::Step(_) | Passage::Cut { .. })
                | (Form::Lines, Passage::Attempt(_) | Passage::Step(_)) => {}
            }
        }
    }

    fn line(&mut self, value: &impl serde::Serialize) {
        self.bytes.extend(serde_json::to_vec(value).unwrap_or_default());
        self.bytes.push(b'\n');
    }
}

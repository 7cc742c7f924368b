//! What does a run write while it goes on? Every attempt and step of it, until the run has ended.

use std::time::Duration;

use super::args::{Global, LogsArguments};
use super::output::last_lines;
use super::places::{running_daemon, unreadable};
use super::screen::{Screen, visible};
use super::{Done, Refusal};
use crate::inquiry::{CutReport, Page, Passage, PieceReport, Transcript, find_run};
use crate::report::Entry;
use crate::run::State;
use crate::store::Reader;

/// How often it is looked whether somebody has written; output reaches the ledger within a second anyway.
pub const LOOK_EVERY: Duration = Duration::from_millis(250);

/// For how long a daemon may be away before no more is waited for: a restart takes a second or two.
const PATIENCE: Duration = Duration::from_secs(10);

/// What has been shown of a run.
struct Follower<'v> {
    verb: &'v LogsArguments,
    transcript: Transcript,
    /// Text that is yet to be shown.
    page: Page,
    raw: Vec<u8>,
    /// What was last said about what the run waits for.
    said: Option<String>,
}

/// Whether anybody is there to go on with runs.
pub struct Watch<'g> {
    global: &'g Global,
    away: Duration,
}

impl<'g> Watch<'g> {
    pub fn new(global: &'g Global) -> Self {
        Self { global, away: Duration::ZERO }
    }

    /// One look; an error says that no daemon has been there for long enough.
    pub fn look(&mut self, entry: &Entry) -> Result<(), Refusal> {
        if running_daemon(self.global).is_some() {
            self.away = Duration::ZERO;
            return Ok(());
        }
        self.away += LOOK_EVERY;
        if self.away < PATIENCE {
            return Ok(());
        }
        let then =
            if entry.state == State::Running { "closes it, as lost if it is cut short" } else { "goes on with it" };
        let message =
            format!("run {} of {} is not followed on: no daemon is running; the next one {then}", entry.run, entry.job);
        Err(Refusal::new(Done::Unreachable, message))
    }
}

/// Shows the output of the run's attempts, and whatever comes until the run has ended; the answer is how it ended.
pub async fn follow(
    ledger: &Reader,
    mut entry: Entry,
    verb: &LogsArguments,
    mut watch: Watch<'_>,
    screen: &mut Screen,
) -> Result<Entry, Refusal> {
    let transcript = Transcript::new(verb.raw);
    let mut follower = Follower { verb, transcript, page: Page::default(), raw: Vec::new(), said: None };
    let mut changes = ledger.changes().await.map_err(|error| unreadable(&error))?;
    let mut lines = verb.n;
    loop {
        if changes.have_come().await.map_err(|error| unreadable(&error))? {
            // The end is committed with the last output, so whoever sees the end sees all of the output afterwards.
            entry = find_run(ledger, entry.run).await?;
            let news = ledger.output_since(entry.run, follower.transcript.reached(), verb.step.as_deref()).await;
            for piece in news.map_err(|error| unreadable(&error))? {
                let passages = follower.transcript.take(piece);
                follower.show(&entry, passages, screen);
            }
            if entry.state == State::Ended {
                let passages = follower.transcript.rest();
                follower.show(&entry, passages, screen);
                follower.page.end_line();
            }
            screen.raw(last_lines(&follower.text(), lines.take()));
            follower.say_what_it_waits_for(&entry, screen);
        }
        if entry.state == State::Ended || !screen.flush() {
            return Ok(entry);
        }
        watch.look(&entry)?;
        tokio::time::sleep(LOOK_EVERY).await;
    }
}

impl Follower<'_> {
    fn say_what_it_waits_for(&mut self, entry: &Entry, screen: &mut Screen) {
        let detail = entry.detail.as_ref().filter(|_| entry.state == State::Waiting);
        if detail != self.said.as_ref() {
            self.said = detail.cloned();
            if let Some(detail) = detail {
                screen.note(format!("run {} {}", entry.run, visible(detail)));
            }
        }
    }

    fn show(&mut self, entry: &Entry, passages: Vec<Passage>, screen: &mut Screen) {
        for passage in passages {
            match &passage {
                Passage::Text(piece) if screen.json => screen.value(&PieceReport::of(entry.run, piece)),
                Passage::Cut { part, step, bytes } if screen.json => {
                    let step = step.as_ref().map(|step| step.name.as_str());
                    screen.value(&CutReport { run: entry.run, attempt: part.attempt, step, cut: *bytes });
                }
                Passage::Text(piece) if self.verb.raw => self.raw.extend_from_slice(&piece.data),
                Passage::Text(_) | Passage::Cut { .. } | Passage::Attempt(_) | Passage::Step(_) => {
                    if !screen.json && !self.verb.raw {
                        self.page.add(&passage, |text| screen.dim(text));
                    }
                }
            }
        }
    }

    fn text(&mut self) -> Vec<u8> {
        if self.verb.raw { std::mem::take(&mut self.raw) } else { self.page.take() }
    }
}

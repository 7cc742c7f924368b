//! What does a run write while it goes on? Every attempt and step of it, until the run has ended.

use std::collections::BTreeMap;
use std::time::Duration;

use super::args::{Global, LogsArguments};
use super::output::{last_lines, step_title, title};
use super::pieces::{CutReport, Joined, PieceReport};
use super::places::{running_daemon, unreadable};
use super::screen::{Screen, bytes, visible, visible_bytes};
use super::{Done, Refusal};
use crate::inquiry::find_run;
use crate::report::Entry;
use crate::run::State;
use crate::store::{News, PartId, Reader, StepOutput};

/// How often it is looked whether somebody has written; output reaches the ledger within a second anyway.
pub const LOOK_EVERY: Duration = Duration::from_millis(250);

/// For how long a daemon may be away before no more is waited for: a restart takes a second or two.
const PATIENCE: Duration = Duration::from_secs(10);

/// What has been shown of a run.
struct Follower<'v> {
    verb: &'v LogsArguments,
    /// Up to where each part was shown.
    reached: BTreeMap<PartId, u64>,
    joined: Joined,
    /// Text that is yet to be shown, and whether it begins a line.
    text: Vec<u8>,
    is_at_line_start: bool,
    /// Under whose heading the last line stands.
    heading: Option<PartId>,
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
    let mut follower = Follower {
        verb,
        reached: BTreeMap::new(),
        joined: Joined::default(),
        text: Vec::new(),
        is_at_line_start: true,
        heading: None,
        said: None,
    };
    let mut changes = ledger.changes().await.map_err(|error| unreadable(&error))?;
    let mut lines = verb.n;
    loop {
        if changes.have_come().await.map_err(|error| unreadable(&error))? {
            // The end is committed with the last output, so whoever sees the end sees all of the output afterwards.
            entry = find_run(ledger, entry.run).await?;
            let news = ledger.output_since(entry.run, &follower.reached, verb.step.as_deref()).await;
            for piece in news.map_err(|error| unreadable(&error))? {
                follower.take(&entry, piece, screen);
            }
            if entry.state == State::Ended {
                follower.take_rest(&entry, screen);
            }
            screen.raw(last_lines(&std::mem::take(&mut follower.text), lines.take()));
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

    fn take(&mut self, entry: &Entry, piece: News, screen: &mut Screen) {
        let reached = self.reached.insert(piece.part, piece.end()).unwrap_or(0);
        let cut = piece.offset.saturating_sub(reached);
        if cut > 0 {
            for rest in self.joined.rest_of(piece.part) {
                self.show(entry, &rest, screen);
            }
            self.show_cut(entry, &piece, cut, screen);
        }
        let piece = if self.verb.raw { Some(piece) } else { self.joined.take(piece) };
        if let Some(piece) = piece {
            self.show(entry, &piece, screen);
        }
    }

    /// Nothing more comes: what could have been the beginning of a character is none.
    fn take_rest(&mut self, entry: &Entry, screen: &mut Screen) {
        for rest in self.joined.rest() {
            self.show(entry, &rest, screen);
        }
        if !self.verb.raw && !screen.json {
            self.begin_line();
        }
    }

    fn show(&mut self, entry: &Entry, piece: &News, screen: &mut Screen) {
        if screen.json {
            screen.value(&PieceReport::of(entry.run, piece));
            return;
        }
        self.show_heading(piece.part, piece.step.as_ref(), screen);
        if self.verb.raw {
            self.text.extend_from_slice(&piece.data);
        } else {
            self.text.extend_from_slice(visible_bytes(&piece.data).as_bytes());
        }
        self.is_at_line_start = piece.data.ends_with(b"\n");
    }

    fn show_cut(&mut self, entry: &Entry, piece: &News, cut: u64, screen: &mut Screen) {
        if screen.json {
            let step = piece.step.as_ref().map(|step| step.name.as_str());
            screen.value(&CutReport { run: entry.run, attempt: piece.part.attempt, step, cut });
        } else if !self.verb.raw {
            self.show_heading(piece.part, piece.step.as_ref(), screen);
            let size = bytes(i64::try_from(cut).unwrap_or(i64::MAX));
            self.line(&screen.dim(&format!("[{size} were not kept]")));
        }
    }

    /// Says whose output follows, if that is somebody else's than before; a run's first attempt needs no word.
    fn show_heading(&mut self, part: PartId, step: Option<&StepOutput>, screen: &Screen) {
        let before = self.heading.replace(part);
        if before == Some(part) || self.verb.raw {
            return;
        }
        if part.attempt > before.map_or(1, |before| before.attempt) {
            self.line(&title(&format!("attempt {}", part.attempt), screen));
        }
        if let Some(step) = step {
            self.line(&title(&step_title(step), screen));
        }
    }

    fn line(&mut self, text: &str) {
        self.begin_line();
        self.text.extend_from_slice(text.as_bytes());
        self.text.push(b'\n');
    }

    fn begin_line(&mut self) {
        if !std::mem::replace(&mut self.is_at_line_start, true) {
            self.text.push(b'\n');
        }
    }
}

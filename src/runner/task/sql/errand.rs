//! Which statement is next, and what is said about it?

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::Mutex;
use tracing::instrument::WithSubscriber;

use super::answer::Answer;
use super::fault::{Fault, one_line};
use super::notices::{Notice, listen};
use super::session::Session;
use crate::clock::instant;
use crate::job::{Script, Sql, Statement};
use crate::runner::native::Native;

/// So much of a statement tells which it is.
const FIRST_WORDS: usize = 60;

/// Statements that several connections take one by one.
pub struct Errand<'e> {
    pub native: &'e Native,
    statements: &'e [Statement],
    is_of_file: bool,
    /// The next to be taken; behind the last one after an error.
    next: AtomicUsize,
    /// What is said about one statement is not mixed with what is said about another.
    voice: Mutex<()>,
}

/// What came out, with the place of the statement that it is about.
#[derive(Debug, Default)]
pub struct Tally {
    pub last_query: Option<(usize, u64)>,
    pub fault: Option<(usize, String)>,
}

impl Tally {
    /// Both together: the last query, and the first of what went wrong.
    pub fn and(self, other: Self) -> Self {
        let last_query = self.last_query.max(other.last_query);
        let fault = [self.fault, other.fault].into_iter().flatten().min();
        Self { last_query, fault }
    }
}

impl<'e> Errand<'e> {
    pub fn new(sql: &Sql, statements: &'e [Statement], native: &'e Native) -> Self {
        let is_of_file = matches!(sql.script, Script::File(_));
        Self { native, statements, is_of_file, next: AtomicUsize::new(0), voice: Mutex::new(()) }
    }

    /// Carries out what is left, as long as nothing goes wrong.
    pub async fn work(&self, session: &mut Session) -> Tally {
        let mut tally = Tally::default();
        while let Some((at, statement)) = self.take() {
            let since = instant();
            let answer = self.ask(session, statement).await;
            let took = since.elapsed();
            match answer {
                Ok(answer) => {
                    let query = answer.returned(statement.class).map(|rows| (at, rows));
                    tally.last_query = tally.last_query.max(query);
                    self.report(at, statement, &answer, took).await;
                }
                Err(fault) => {
                    let left =
                        self.statements.len().saturating_sub(self.next.swap(self.statements.len(), Ordering::SeqCst));
                    tally.fault = Some((at, self.complain(at, statement, &fault, took, left).await));
                }
            }
        }
        tally
    }

    fn take(&self) -> Option<(usize, &'e Statement)> {
        if self.native.cancelled.is_cancelled() {
            return None;
        }
        let at = self.next.fetch_add(1, Ordering::SeqCst);
        self.statements.get(at).map(|statement| (at, statement))
    }

    /// Carries a statement out; what the server says meanwhile is shown at once.
    async fn ask(&self, session: &mut Session, statement: &Statement) -> Result<Answer, Fault> {
        let (ear, mut notices) = listen();
        let asked = session.ask(statement, &self.native.cancelled).with_subscriber(ear);
        tokio::pin!(asked);
        let answer = loop {
            tokio::select! {
                answer = &mut asked => break answer,
                Some(notice) = notices.next() => self.pass_on(notice).await,
            }
        };
        while let Some(notice) = notices.rest() {
            self.pass_on(notice).await;
        }
        if notices.lost() > 0 {
            let text = format!("… and {} more notices", notices.lost());
            self.pass_on(Notice { text, is_warning: false }).await;
        }
        answer
    }

    async fn pass_on(&self, notice: Notice) {
        let _voice = self.voice.lock().await;
        let console = &self.native.console;
        for line in notice.text.lines() {
            // Not as a value, which is cut: what a server says is said in full.
            let text = one_line(line);
            if notice.is_warning { console.complain(text).await } else { console.line(text).await }
        }
    }

    async fn report(&self, at: usize, statement: &Statement, answer: &Answer, took: Duration) {
        let _voice = self.voice.lock().await;
        let console = &self.native.console;
        for line in answer.table.lines() {
            console.line(line).await;
        }
        let (called, outcome) = (self.called(at), answer.in_words(statement.class));
        console.line(format!("{called}: {outcome} in {}", shown(took))).await;
    }

    /// What went wrong, over several lines; the answer is the same on one.
    async fn complain(&self, at: usize, statement: &Statement, fault: &Fault, took: Duration, left: usize) -> String {
        let _voice = self.voice.lock().await;
        let console = &self.native.console;
        let called = self.called(at);
        let given_up = if self.native.cancelled.is_cancelled() { "given up" } else { "failed" };
        console.complain(format!("{called}: {given_up} after {}: {}", shown(took), one_line(&fault.message))).await;
        for more in &fault.more {
            console.complain(format!("  {}", one_line(more))).await;
        }
        if let Some(line) = self.line_of(statement, fault) {
            console.complain(format!("  on line {line}")).await;
        }
        if left > 0 {
            let was = if left == 1 { "statement was" } else { "statements were" };
            console.complain(format!("{left} more {was} not begun")).await;
        }
        format!("{called}: {}", fault.in_a_line())
    }

    /// The line that the server means, where it is not the statement's first.
    fn line_of(&self, statement: &Statement, fault: &Fault) -> Option<usize> {
        let before = statement.text.chars().take(fault.position?.checked_sub(1)?);
        let further = before.filter(|character| *character == '\n').count();
        let first = if self.is_of_file { statement.line } else { 1 };
        (further > 0).then_some(first + further)
    }

    /// A statement's number, line and first words.
    pub fn called(&self, at: usize) -> String {
        let statement = &self.statements[at];
        let words = one_line(&statement.text);
        let words = match words.char_indices().nth(FIRST_WORDS) {
            Some((end, _)) => format!("{}…", words[..end].trim_end()),
            None => words,
        };
        let line = if self.is_of_file { format!(", line {}", statement.line) } else { String::new() };
        format!("statement {}{line} ({words})", at + 1)
    }
}

fn shown(took: Duration) -> String {
    let seconds = took.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1e3) } else { format!("{seconds:.2} s") }
}

//! What does a server say besides its answers? sqlx has no other way for a notice than its log, so a statement is
//! carried out with a log of its own, which hands notices on and hears nothing else.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Dispatch, Event, Level, Metadata, Subscriber};

/// Under which name sqlx logs notices.
const TARGET: &str = "sqlx::postgres::notice";
/// As many as come in one piece before anybody reads them; what does not fit is counted.
const NOTICES: usize = 1024;

/// A notice and how urgent it is.
#[derive(Debug)]
pub struct Notice {
    pub text: String,
    pub is_warning: bool,
}

/// Notices in the order in which they came.
#[derive(Debug)]
pub struct Notices {
    coming: mpsc::Receiver<Notice>,
    lost: Arc<AtomicU64>,
}

/// Who listens, and what is heard.
pub fn listen() -> (Dispatch, Notices) {
    let (heard, coming) = mpsc::channel(NOTICES);
    let lost = Arc::new(AtomicU64::new(0));
    (Dispatch::new(Ear { heard, lost: lost.clone() }), Notices { coming, lost })
}

impl Notices {
    pub async fn next(&mut self) -> Option<Notice> {
        self.coming.recv().await
    }

    /// What has come and was not read yet.
    pub fn rest(&mut self) -> Option<Notice> {
        self.coming.try_recv().ok()
    }

    /// How many did not fit.
    pub fn lost(&self) -> u64 {
        self.lost.load(Ordering::Relaxed)
    }
}

struct Ear {
    heard: mpsc::Sender<Notice>,
    lost: Arc<AtomicU64>,
}

impl Subscriber for Ear {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn event(&self, event: &Event<'_>) {
        let level = *event.metadata().level();
        // The levels that sqlx gives to PostgreSQL's words.
        let word = match level {
            Level::ERROR => "ERROR",
            Level::WARN => "WARNING",
            Level::INFO => "NOTICE",
            Level::DEBUG => "DEBUG",
            Level::TRACE => "INFO",
        };
        let mut message = Message(String::new());
        event.record(&mut message);
        let notice = Notice { text: format!("{word}: {}", message.0), is_warning: level <= Level::WARN };
        if self.heard.try_send(notice).is_err() {
            self.lost.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

struct Message(String);

impl Visit for Message {
    fn record_str(&mut self, field: &Field, value: &str) {
        if field.name() == "message" {
            value.clone_into(&mut self.0);
        }
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.0 = format!("{value:?}");
        }
    }
}

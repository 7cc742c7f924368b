//! Which of the entries fit, and how many were there of each kind?

use std::ops::ControlFlow;

use serde::{Serialize, Serializer};

use super::asked::Asked;
use super::needle::Needle;
use crate::report::Entry;
use crate::store::{Candidates, FoundLine, Order, Reader, Tally};

/// So few runs in which a text may stand are looked up one by one; of more, the newest are looked at first.
const FEW: u64 = 20_000;
/// Runs whose output is read with one question, and the bytes after which no more are taken to it.
const TOGETHER: usize = 64;
const MUCH: i64 = 4 << 20;

/// An entry, and the line for which it was found.
#[derive(Debug, Clone, Serialize)]
pub struct EntryRecord {
    #[serde(flatten)]
    pub entry: Entry,
    #[serde(skip_serializing_if = "Option::is_none", serialize_with = "as_text")]
    pub line: Option<FoundLine>,
}

/// All of a line; what is no UTF-8 becomes U+FFFD.
#[expect(clippy::ref_option, reason = "the form that serde asks for")]
fn as_text<S: Serializer>(line: &Option<FoundLine>, serializer: S) -> Result<S::Ok, S::Error> {
    let text = line.as_ref().map(|line| String::from_utf8_lossy(&line.text));
    text.serialize(serializer)
}

/// How many are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    All,
    Newest(u32),
}

/// Hands over the entries that fit, the newest last, until a break says that no more are wanted; the answer is how many there were of each kind.
pub async fn gather<S: FnMut(&EntryRecord) -> ControlFlow<()>>(
    ledger: &Reader,
    asked: &mut Asked,
    count: Count,
    show: S,
) -> Result<Tally, sqlx::Error> {
    let mut candidates = Candidates::all();
    if let Some(text) = asked.needle.as_ref().and_then(|needle| needle.text.as_deref()) {
        candidates = ledger.candidates(text).await?;
        if candidates.count(ledger.newest_run().await?) <= FEW {
            asked.filter.runs = Some(candidates.ranges.clone());
        }
    }
    let (order, limit) = match (count, &asked.needle) {
        (Count::All, _) => (Order::OldestFirst, None),
        // What fits is known only when it was looked at.
        (Count::Newest(_), Some(_)) => (Order::NewestFirst, None),
        (Count::Newest(wanted), None) => (Order::NewestFirst, Some(wanted)),
    };
    let mut kept = Kept { count, show, tally: Tally::default(), newest: Vec::new() };
    match &asked.needle {
        None => {
            let visit = async |entry| Ok(kept.keep(EntryRecord { entry, line: None }));
            ledger.each_entry(&asked.filter, order, limit, visit).await?;
        }
        Some(needle) => {
            let mut hunt = Hunt { ledger, needle, candidates, batch: Vec::new(), bytes: 0 };
            let visit = async |entry| hunt.see(entry, &mut kept).await;
            ledger.each_entry(&asked.filter, order, limit, visit).await?;
            let _ = hunt.look(&mut kept).await?;
        }
    }
    Ok(kept.finish())
}

/// What was found so far.
struct Kept<S> {
    count: Count,
    show: S,
    tally: Tally,
    /// The newest first; they are shown last.
    newest: Vec<EntryRecord>,
}

impl<S: FnMut(&EntryRecord) -> ControlFlow<()>> Kept<S> {
    /// A break says that no more is wanted.
    fn keep(&mut self, record: EntryRecord) -> ControlFlow<()> {
        let wanted = match self.count {
            Count::All => None,
            Count::Newest(wanted) => Some(wanted as usize),
        };
        if wanted.is_some_and(|wanted| wanted > 0 && self.newest.len() >= wanted) {
            return ControlFlow::Break(());
        }
        let kind = (record.entry.state, record.entry.outcome);
        match self.tally.kinds.iter_mut().find(|(state, outcome, _)| (*state, *outcome) == kind) {
            Some((_, _, count)) => *count += 1,
            None => self.tally.kinds.push((kind.0, kind.1, 1)),
        }
        match wanted {
            None => (self.show)(&record),
            Some(0) => ControlFlow::Continue(()),
            Some(wanted) => {
                self.newest.push(record);
                if self.newest.len() < wanted { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
            }
        }
    }

    fn finish(mut self) -> Tally {
        for record in self.newest.iter().rev() {
            if (self.show)(record).is_break() {
                break;
            }
        }
        self.tally
    }
}

/// Entries whose output is looked through, some at a time.
struct Hunt<'h> {
    ledger: &'h Reader,
    needle: &'h Needle,
    candidates: Candidates,
    batch: Vec<Entry>,
    bytes: i64,
}

impl Hunt<'_> {
    async fn see<S: FnMut(&EntryRecord) -> ControlFlow<()>>(
        &mut self,
        entry: Entry,
        kept: &mut Kept<S>,
    ) -> Result<ControlFlow<()>, sqlx::Error> {
        if !self.candidates.contain(entry.run) {
            return Ok(ControlFlow::Continue(()));
        }
        self.bytes += entry.output_bytes;
        self.batch.push(entry);
        if self.batch.len() < TOGETHER && self.bytes < MUCH {
            return Ok(ControlFlow::Continue(()));
        }
        self.look(kept).await
    }

    async fn look<S: FnMut(&EntryRecord) -> ControlFlow<()>>(
        &mut self,
        kept: &mut Kept<S>,
    ) -> Result<ControlFlow<()>, sqlx::Error> {
        let batch = std::mem::take(&mut self.batch);
        self.bytes = 0;
        let runs: Vec<_> = batch.iter().map(|entry| entry.run).collect();
        let mut lines = self.ledger.first_lines(&runs, &self.needle.pattern).await?;
        for entry in batch {
            if let Some(line) = lines.remove(&entry.run)
                && kept.keep(EntryRecord { entry, line: Some(line) }).is_break()
            {
                return Ok(ControlFlow::Break(()));
            }
        }
        Ok(ControlFlow::Continue(()))
    }
}

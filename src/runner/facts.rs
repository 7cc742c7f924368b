//! What does the ledger know, as far as work tells people about it? Whoever has a ledger answers; the runner has none.

use std::fmt;
use std::pin::Pin;

use crate::report::Entry;
use crate::run::RunId;

/// What is being looked up; the error is for people.
pub type Told<'f, T> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'f>>;

/// Answers out of the ledger.
pub trait Facts: fmt::Debug + Send + Sync {
    /// The newest runs of a job that have ended, newest first, so many at most.
    fn last_runs<'f>(&'f self, job: &'f str, most: u32) -> Told<'f, Vec<Entry>>;

    /// The runs whose success called for this one.
    fn causes(&self, run: RunId) -> Told<'_, Vec<Entry>>;

    /// What a run wrote, as far as it was kept, with a line in place of each cut.
    fn output<'f>(&'f self, entry: &'f Entry) -> Told<'f, Vec<u8>>;
}

/// Nothing is known where there is no ledger.
#[derive(Debug, Clone, Copy)]
pub struct NoLedger;

impl Facts for NoLedger {
    fn last_runs<'f>(&'f self, _: &'f str, _: u32) -> Told<'f, Vec<Entry>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn causes(&self, _: RunId) -> Told<'_, Vec<Entry>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }

    fn output<'f>(&'f self, _: &'f Entry) -> Told<'f, Vec<u8>> {
        Box::pin(std::future::ready(Ok(Vec::new())))
    }
}

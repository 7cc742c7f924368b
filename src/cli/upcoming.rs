//! When does a job run next, by what the file and the ledger know?

use std::sync::Arc;

use jiff::Timestamp;

use super::args::Global;
use super::places::{ask, open_ledger_if_any};
use super::screen::{Screen, span};
use crate::inquiry::{Listed, report_all};
use crate::job::Job;
use crate::report::{Seconds, Time};

/// The time, and how far away it is; none if it is not known.
pub fn next_run(global: &Global, job: &Arc<Job>, now: Timestamp, screen: &Screen) -> Option<String> {
    let listed = [Listed::of(job, now)];
    let report = ask(async {
        let ledger = open_ledger_if_any(global).await.ok().flatten()?;
        report_all(&ledger, &listed, &[job.name.to_string()], now).await.ok()?.pop()
    });
    // Without a ledger nothing is held back.
    let known = report.ok().flatten();
    let next = known.map_or_else(|| listed[0].next(), |report| report.next).filter(|next| next.0 > now)?;
    Some(in_words(next, now, screen))
}

fn in_words(next: Time, now: Timestamp, screen: &Screen) -> String {
    let distance = Seconds::from_micros(next.0.as_microsecond() - now.as_microsecond());
    format!("{} (in {})", screen.time(next), span(distance))
}

//! `punctual history`: what ran, when, how late, how long, and how did it end?

use super::args::{Global, HistoryArguments};
use super::conclusion::{Shown, conclude};
use super::entry::{FIELDS, LINE};
pub use super::entry::{outcome, style_of};
use super::places::{ask, open_ledger, unreadable};
use super::screen::Screen;
use super::sheet::{Format, Sheet, Way};
use super::{Answer, Done, Refusal};
use crate::clock::Clock;
use crate::inquiry::{Asked, Count, HistoryQuestion, gather, known_jobs};
use crate::store::Reader;

pub fn run(global: &Global, verb: &HistoryArguments, screen: &mut Screen) -> Answer {
    let format = match (verb.format, screen.json) {
        (Some(format), false) | (Some(format @ Format::Json), true) => format,
        (None, false) => Format::Table,
        (None, true) => Format::Json,
        (Some(_), true) => {
            return Err(Refusal::new(Done::Misused, "--json and --format ask for different formats; leave one out"));
        }
    };
    if let Some(sql) = &verb.sql {
        return super::select::run(global, sql, &verb.sql_timeout, format, screen);
    }
    let asked = Asked::of(&question(verb), &Clock::System.now().to_zoned(screen.zone().clone()))?;
    ask(async {
        let ledger = open_ledger(global).await?;
        known_jobs(&ledger, &verb.jobs).await?;
        answer(&ledger, asked, verb.n, format, screen).await.map_err(|error| unreadable(&error))
    })?
}

fn question(verb: &HistoryArguments) -> HistoryQuestion {
    HistoryQuestion {
        jobs: verb.jobs.clone(),
        failed: verb.failed,
        since: verb.since.clone(),
        until: verb.until.clone(),
        outcome: verb.outcome.clone(),
        reason: verb.reason.clone(),
        cause: verb.cause.clone(),
        longer_than: verb.longer_than.clone(),
        exit_code: verb.exit_code,
        grep: verb.grep.clone(),
    }
}

async fn answer(
    ledger: &Reader,
    mut asked: Asked,
    count: Count,
    format: Format,
    screen: &mut Screen,
) -> Result<Done, sqlx::Error> {
    let header = if asked.needle.is_some() { &HEADER_WITH_LINES } else { &HEADER };
    let line = asked.needle.as_ref().map(|_| LINE);
    let fields: Vec<&str> = FIELDS.into_iter().chain(line).collect();
    let mut sheet = Sheet::begin(format, &fields, header, WAY, screen);
    let seen = gather(ledger, &mut asked, count, |record| sheet.push(record)).await?;
    let entries = sheet.count;
    let lacking = sheet.end();
    if format == Format::Table {
        conclude(ledger, &asked, Shown { count, entries, seen, lacking: &lacking }, screen).await?;
    }
    Ok(Done::Well)
}

const HEADER: [&str; 7] = ["RUN", "JOB", "DUE", "LATE", "TOOK", "OUTCOME", "WHY"];
const HEADER_WITH_LINES: [&str; 7] = ["RUN", "JOB", "DUE", "LATE", "TOOK", "OUTCOME", "LINE"];
/// A time or a number that is cut says nothing, or something else.
const RIGID: [&str; 5] = ["RUN", "DUE", "LATE", "TOOK", "OUTCOME"];
/// Why something failed is worth more than by how much it was late.
const WAY: Way = Way::Columns { rigid: &RIGID, dispensable: &["LATE", "TOOK"], last: 24 };

//! What stands below the entries? How many there are in all, what of them is not shown, and why there is nothing.

use std::time::Duration;

use super::screen::{Screen, grouped};
use super::table::Lacking;
use crate::inquiry::{Asked, Count};
use crate::report::Time;
use crate::run::{Outcome, State};
use crate::store::{HistoryFilter, Reader, Tally};

/// What stands below a table is counted only so far, and for so long: it must not be what one waits for.
const COUNTED: u32 = 10_000;
const COUNTED_WITHIN: Duration = Duration::from_millis(20);

/// What was shown of what was asked for.
pub struct Shown<'c> {
    pub count: Count,
    pub entries: u64,
    pub seen: Tally,
    pub lacking: &'c Lacking,
}

/// Says it where somebody looks, or where the number is all that was asked for.
pub async fn conclude(
    ledger: &Reader,
    asked: &Asked,
    shown: Shown<'_>,
    screen: &mut Screen,
) -> Result<(), sqlx::Error> {
    let Shown { count, entries, seen, lacking } = shown;
    let asks_for_number = count == Count::Newest(0);
    if entries == 0 && !asks_for_number {
        let note = why_nothing(ledger, asked, screen).await?;
        screen.note(note);
        return Ok(());
    }
    if screen.width().is_none() && !asks_for_number || !screen.is_read() {
        return Ok(());
    }
    let are_all_seen = match count {
        Count::All => true,
        Count::Newest(0) => asked.needle.is_some(),
        Count::Newest(wanted) => entries < u64::from(wanted),
    };
    let bound = (!asks_for_number).then_some((COUNTED, COUNTED_WITHIN));
    let total = match &asked.needle {
        _ if are_all_seen => Some(Tally { is_complete: true, ..seen }),
        Some(_) => None,
        None => ledger.tally(&asked.filter, bound).await?,
    };
    let line = in_words(entries, asks_for_number, total.as_ref());
    match lacking.in_words() {
        _ if asks_for_number => screen.line(line),
        None => screen.prose(&line),
        Some(words) => screen.prose(&format!("{line}; {words}")),
    }
    Ok(())
}

/// `20 of 1,312 entries: 1,290 succeeded, 22 failed`.
fn in_words(shown: u64, asks_for_number: bool, total: Option<&Tally>) -> String {
    let Some(total) = total else {
        return format!("the newest {}; there may be more", entries(shown));
    };
    let number: u64 = total.kinds.iter().map(|(_, _, count)| count).sum();
    if !total.is_complete {
        return format!("{} of more than {}", grouped(shown), entries(number.saturating_sub(1)));
    }
    let kind = |(state, outcome, count): &(State, Option<Outcome>, u64)| {
        format!("{} {}", grouped(*count), outcome.map_or_else(|| state.word(), Outcome::word))
    };
    let kinds: Vec<String> = total.kinds.iter().map(kind).collect();
    let of = if shown < number && !asks_for_number { format!("{} of ", grouped(shown)) } else { String::new() };
    let kinds = if kinds.is_empty() { String::new() } else { format!(": {}", kinds.join(", ")) };
    format!("{of}{}{kinds}", entries(number))
}

fn entries(number: u64) -> String {
    format!("{} {}", grouped(number), if number == 1 { "entry" } else { "entries" })
}

/// Nothing was found: is there nothing, or is it that nothing fits?
async fn why_nothing(ledger: &Reader, asked: &Asked, screen: &Screen) -> Result<String, sqlx::Error> {
    let HistoryFilter { jobs, since, until, .. } = &asked.filter;
    let Some((first, last)) = ledger.first_and_last(jobs).await? else {
        return Ok(match jobs.as_slice() {
            [] => "no entries: nothing has been due since this ledger was begun".to_owned(),
            jobs => format!("no entries of {}: nothing was due yet, or all of it was pruned", jobs.join(", ")),
        });
    };
    let there = ledger.tally(&asked.whatever_became(), Some((COUNTED, COUNTED_WITHIN))).await?;
    let number =
        there.filter(|tally| tally.is_complete).map(|tally| tally.kinds.iter().map(|(_, _, count)| count).sum::<u64>());
    let time = |at| screen.time(Time(at));
    let when = match (since, until) {
        (None, None) => String::new(),
        (Some(since), None) => format!(" since {}", time(*since)),
        (None, Some(until)) => format!(" until {}", time(*until)),
        (Some(since), Some(until)) => format!(" from {} to {}", time(*since), time(*until)),
    };
    let of = if jobs.is_empty() { String::new() } else { format!(" of {}", jobs.join(", ")) };
    if number == Some(0) {
        return Ok(format!("no entries{of}{when}: there are such due from {} to {}", time(first), time(last)));
    }
    let number = number.map_or_else(|| format!("more than {}", entries(u64::from(COUNTED))), entries);
    let hint = match &asked.needle {
        Some(_) => "; only output that is still kept can be searched",
        None => "",
    };
    Ok(format!("no entries: of {number}{of}{when} none fits what was asked{hint}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_said_as_far_as_they_are_known() {
        let ended = |outcome, count| (State::Ended, Some(outcome), count);
        let tally = |is_complete| Tally {
            kinds: vec![ended(Outcome::Succeeded, 1290), ended(Outcome::Failed, 21), (State::Running, None, 1)],
            is_complete,
        };
        for (shown, asks_for_number, total, expect) in [
            (20, false, Some(tally(true)), "20 of 1,312 entries: 1,290 succeeded, 21 failed, 1 running"),
            (1312, false, Some(tally(true)), "1,312 entries: 1,290 succeeded, 21 failed, 1 running"),
            (0, true, Some(tally(true)), "1,312 entries: 1,290 succeeded, 21 failed, 1 running"),
            (20, false, Some(tally(false)), "20 of more than 1,311 entries"),
            (20, false, None, "the newest 20 entries; there may be more"),
            (0, true, Some(Tally { is_complete: true, ..Tally::default() }), "0 entries"),
        ] {
            assert_eq!(in_words(shown, asks_for_number, total.as_ref()), expect);
        }
    }
}

//! Until when is what waits to be told held, and why? As whoever sends it will find it, from the same facts by the same rules.

use std::collections::BTreeMap;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::configuration::Configuration;
use crate::job::{CarrierKind, Channel};
use crate::notice::{Because, Hold, Move, NoticeId, Rules, Sent, Storms, Waiting, gather};
use crate::store::{Lane, Message, Reader, TOGETHER};

/// By notice and carrier; what is not in here is being sent, or has no channel any more.
pub type Holds = BTreeMap<(NoticeId, CarrierKind), Hold>;

/// What decides when a channel is told by one of its carriers.
pub async fn rules(
    ledger: &Reader,
    lane: &Lane,
    channel: &Channel,
    zone: TimeZone,
    now: Timestamp,
) -> Result<Rules, sqlx::Error> {
    let since = now.saturating_sub(Storms::REMEMBERED).unwrap_or(Timestamp::MIN);
    let sent: Vec<Sent> = ledger.sent_since(lane, since).await?;
    Ok(Rules { quiet: channel.quiet, zone, storms: Storms::of(&sent) })
}

/// All that is held by what the file in force says.
pub async fn holds(ledger: &Reader, file: &Configuration, now: Timestamp) -> Result<Holds, sqlx::Error> {
    let mut holds = Holds::new();
    for lane in ledger.lanes().await? {
        let channel = file.checked.channels.get(&lane.channel);
        let Some(channel) = channel.filter(|channel| channel.carrier(lane.carrier).is_some()) else {
            continue;
        };
        let rules = rules(ledger, &lane, channel, file.zone(), now).await?;
        let of_lane = match ledger.next_message(&lane).await? {
            Some(message) => behind(ledger, &lane, &message, &rules, now).await?,
            None => gathered(ledger, &lane, &rules, now).await?,
        };
        holds.extend(of_lane.into_iter().map(|(notice, hold)| ((notice, lane.carrier), hold)));
    }
    Ok(holds)
}

/// What is in a message goes first, and all else after it.
async fn behind(
    ledger: &Reader,
    lane: &Lane,
    message: &Message,
    rules: &Rules,
    now: Timestamp,
) -> Result<Vec<(NoticeId, Hold)>, sqlx::Error> {
    let next_try = message.rests_until(now);
    let (because, otherwise) = match rules.quiet_at(next_try.unwrap_or(now)) {
        Some(quiet) => (Some(quiet), quiet.because),
        None => (next_try.map(|until| Hold { until, because: Because::Refused }), Because::Behind),
    };
    let Some(hold) = because else {
        return Ok(Vec::new());
    };
    let first: Vec<NoticeId> = ledger.notices_of(message, lane).await?.iter().map(|notice| notice.number).collect();
    let waiting = ledger.waiting_in(lane).await?;
    let hold_of = |notice: &NoticeId| if first.contains(notice) { hold } else { Hold { because: otherwise, ..hold } };
    Ok(waiting.into_iter().map(|notice| (notice, hold_of(&notice))).collect())
}

/// What is in no message yet.
async fn gathered(
    ledger: &Reader,
    lane: &Lane,
    rules: &Rules,
    now: Timestamp,
) -> Result<Vec<(NoticeId, Hold)>, sqlx::Error> {
    let notices = ledger.notices_waiting(lane, TOGETHER).await?;
    let waiting: Vec<Waiting> = notices.iter().map(|notice| Waiting::of(notice, None)).collect();
    let held = gather(&waiting, rules, now).into_iter().flat_map(|one| match one {
        Move::Send(_) => Vec::new(),
        Move::Hold(notices, hold) => notices.into_iter().map(|notice| (notice, hold)).collect(),
    });
    Ok(held.collect())
}

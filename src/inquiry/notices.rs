//! What was told, what waits to be, and why?

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::job::{Channel, ChannelName};
use crate::notice::Standing;
use crate::report::{DeliveryReport, OutstandingReport, Time};
use crate::run::RunId;
use crate::store::{NoticeFilter, Reader};

/// For how long what could not be delivered is worth a line of its own.
pub const LATELY: Duration = Duration::from_secs(7 * 24 * 3600);

/// The notices that fit, the newest last. What waits for a channel that the file does not have says so; `channels` are those of
/// the file, where that is known.
pub async fn notices(
    ledger: &Reader,
    filter: &NoticeFilter,
    channels: Option<&BTreeMap<ChannelName, Arc<Channel>>>,
) -> Result<Vec<DeliveryReport>, sqlx::Error> {
    let mut found = ledger.deliveries(filter).await?;
    let Some(channels) = channels else {
        return Ok(found);
    };
    for delivery in found.iter_mut().filter(|delivery| delivery.state == Standing::Waiting.word()) {
        let (channel, carrier) = (&delivery.channel, delivery.carrier);
        let why = match channels.get(channel) {
            Some(known) if known.carrier(carrier).is_some() => continue,
            Some(_) => format!("the channel `{channel}` has no {} any more", carrier.word()),
            None => format!("the file has no channel `{channel}` any more"),
        };
        delivery.answer = Some(why);
    }
    Ok(found)
}

/// What was told of a run.
pub async fn notices_of_run(ledger: &Reader, run: RunId) -> Result<Vec<DeliveryReport>, sqlx::Error> {
    ledger.deliveries(&NoticeFilter { run: Some(run), ..NoticeFilter::default() }).await
}

pub async fn outstanding(ledger: &Reader, now: Timestamp) -> Result<OutstandingReport, sqlx::Error> {
    let since = now.saturating_sub(LATELY).unwrap_or(Timestamp::MIN);
    let found = ledger.outstanding(since).await?;
    Ok(OutstandingReport {
        waiting: found.waiting,
        undeliverable: found.undeliverable,
        oldest_waiting: found.oldest.map(Time),
    })
}

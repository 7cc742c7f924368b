//! What was told, what waits to be, and why?

use std::time::Duration;

use jiff::Timestamp;

use super::holds::holds;
use super::no_answer::NoAnswer;
use super::subject::no_channel;
use crate::configuration::Configuration;
use crate::notice::Standing;
use crate::report::{DeliveryReport, OutstandingReport, Time};
use crate::run::RunId;
use crate::store::{NoticeFilter, Reader};

/// For how long what could not be delivered is worth a line of its own.
pub const LATELY: Duration = Duration::from_secs(7 * 24 * 3600);

/// The notices that fit, the newest last. What waits says until when it is held, or that its channel is gone; `file` is the one in
/// force, where that is known and right.
pub async fn notices(
    ledger: &Reader,
    filter: &NoticeFilter,
    file: Option<&Configuration>,
    now: Timestamp,
) -> Result<Vec<DeliveryReport>, NoAnswer> {
    let mut found = ledger.deliveries(filter).await?;
    if let (Some(name), Some(file), true) = (&filter.channel, file, found.is_empty()) {
        let channels = file.checked.channels.keys();
        // One that is gone from the file may have been told something all the same.
        if !channels.clone().any(|known| known.as_str() == name) && !ledger.has_told(name).await? {
            return Err(no_channel(name, channels));
        }
    }
    let Some(file) = file.filter(|_| found.iter().any(waits)) else {
        return Ok(found);
    };
    let holds = holds(ledger, file, now).await?;
    for delivery in found.iter_mut().filter(|delivery| waits(delivery)) {
        if let Some(hold) = holds.get(&(delivery.notice, delivery.carrier)) {
            (delivery.held_until, delivery.held_because) = (Some(Time(hold.until)), Some(hold.because));
        }
        let (channel, carrier) = (&delivery.channel, delivery.carrier);
        let why = match file.checked.channels.get(channel) {
            Some(known) if known.carrier(carrier).is_some() => continue,
            Some(_) => format!("the channel `{channel}` has no {} any more", carrier.word()),
            None => format!("the file has no channel `{channel}` any more"),
        };
        delivery.answer = Some(why);
    }
    Ok(found)
}

fn waits(delivery: &DeliveryReport) -> bool {
    delivery.state == Standing::Waiting.word()
}

/// What was told of a run.
pub async fn notices_of_run(ledger: &Reader, run: RunId) -> Result<Vec<DeliveryReport>, sqlx::Error> {
    ledger.deliveries(&NoticeFilter { run: Some(run), ..NoticeFilter::default() }).await
}

/// How the outbox stands; `file` as for [`notices`].
pub async fn outstanding(
    ledger: &Reader,
    file: Option<&Configuration>,
    now: Timestamp,
) -> Result<OutstandingReport, sqlx::Error> {
    let since = now.saturating_sub(LATELY).unwrap_or(Timestamp::MIN);
    let found = ledger.outstanding(since).await?;
    let next = match file.filter(|_| found.waiting > 0) {
        Some(file) => holds(ledger, file, now).await?.into_values().min(),
        None => None,
    };
    Ok(OutstandingReport {
        waiting: found.waiting,
        undeliverable: found.undeliverable,
        oldest_waiting: found.oldest.map(Time),
        held_until: next.map(|hold| Time(hold.until)),
        held_because: next.map(|hold| hold.because),
    })
}

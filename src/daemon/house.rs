//! What does the daemon tell of itself? That its file is wrong, that the ledger could not be written, that it is back after a
//! crash, and whatever its own chores find.

use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::StartError;
use super::core::Core;
use super::news::{HouseNews, Names};
use super::send::WORTH_TELLING;
use crate::configuration::Configuration;
use crate::job::Channel;
use crate::notice::Kind;
use crate::plan::{Decision, Planner, Record};
use crate::run::{Outcome, Reason};
use crate::store::{Reader, Trouble};

impl Core {
    /// Has something told to those who hear of the daemon.
    pub(super) async fn tell_of_house(&mut self, kind: Kind, detail: &str) {
        let news = HouseNews { kind, detail: detail.to_owned(), channels: None };
        self.tell_news(news).await;
    }

    pub(super) async fn tell_news(&mut self, HouseNews { kind, detail, channels }: HouseNews) {
        let names = channels.as_ref().unwrap_or(&self.configuration.settings.channels);
        let channels = channels_of(&self.configuration, names);
        if channels.is_empty() || self.state.drain.is_some() {
            return;
        }
        let decision = self.planner.handle_house(kind, &detail, &channels, self.clock.now());
        self.commit(decision).await;
    }

    /// The ledger can be written again. Who has heard of the trouble hears that it is over, and whoever has not that there was
    /// one.
    pub(super) async fn tell_of_past_trouble(&mut self, trouble: &Trouble) {
        let heard = self.outlets.heard.take();
        let now = self.clock.now();
        let lasted = now.duration_since(trouble.since);
        if lasted.unsigned_abs() < WORTH_TELLING || self.state.drain.is_some() {
            return;
        }
        let (since, message) = (trouble.since, &trouble.message);
        let lasted = SignedDuration::from_secs(lasted.as_secs());
        let detail = format!("the ledger could not be written for {lasted:#}, since {since:.0}\n{message}");
        let channels = channels_of(&self.configuration, &self.configuration.settings.channels);
        let (knowing, others): (Vec<_>, Vec<_>) =
            channels.into_iter().partition(|channel| heard.contains(&channel.name));
        let over = self.planner.handle_house(Kind::Well, &detail, &knowing, now);
        let past = self.planner.handle_house(Kind::Trouble, &detail, &others, now);
        self.commit(over.and(past)).await;
    }
}

/// The channels of these names, as the file in force has them.
fn channels_of(configuration: &Configuration, names: &Names) -> Vec<Arc<Channel>> {
    configuration.checked.channels_of(names.as_deref())
}

/// Adds to a daemon's first decision that it is back, if the one before it has ended without being stopped. `absent` is since
/// when there was none; a scheduler that goes on behind another one was not missed for long.
pub fn tell_of_return(
    planner: &mut Planner,
    configuration: &Configuration,
    first: Decision,
    (absent, goes_on): (Option<Timestamp>, bool),
    now: Timestamp,
) -> Decision {
    let channels = channels_of(configuration, &configuration.settings.channels);
    let Some(since) = absent.filter(|_| !channels.is_empty()) else {
        return first;
    };
    let found = found(&first);
    let began = if goes_on {
        "its scheduler had ended without being stopped\nits keeper has begun another one".to_owned()
    } else {
        format!("it, or its machine, had ended without a stop\nthe last sign of it before that is of {since:.0}")
    };
    let detail = format!("{began}\n{found}");
    first.and(planner.handle_house(Kind::Back, &detail, &channels, now))
}

/// Since when there was no daemon, if the last one was not stopped.
pub async fn absent_since(ledger: &Reader, now: Timestamp) -> Result<Option<Timestamp>, StartError> {
    let absence = ledger.absence(now).await?;
    Ok(absence.from.filter(|_| !absence.was_stopped))
}

/// What a first decision says of the time before, in a sentence.
fn found(first: &Decision) -> String {
    let (mut lost, mut missed) = (0, 0);
    for record in &first.records {
        match record {
            Record::Closed(closing) if closing.outcome == Outcome::Lost => lost += 1,
            Record::Gap { gap, .. } if gap.outcome == Outcome::Missed && gap.reason == Reason::DaemonDown => {
                missed += gap.count;
            }
            _ => {}
        }
    }
    let runs = if lost == 1 { "1 run was lost".to_owned() } else { format!("{lost} runs were lost") };
    let instants = if missed == 1 { "1 instant was missed" } else { &format!("{missed} instants were missed") };
    match (lost, missed) {
        (0, 0) => "no run was lost, and no instant was missed".to_owned(),
        (_, 0) => format!("{runs}, and no instant was missed"),
        (0, _) => format!("{instants}, and no run was lost"),
        (_, _) => format!("{runs}, and {instants}"),
    }
}

//! Who hears at once that a run begins or ends, and that notices wait?

use super::core::Core;
use super::demurs::unavailable;
use super::send::{Errand, NoticeWish, Pinged, Pulse};
use super::waiting::Answer;
use crate::notify::{PingMoment, Rid};
use crate::plan::{Closing, Decision, Launch, Record};
use crate::run::Outcome;

impl Core {
    /// A decision is in the ledger: whoever sends notices looks for them, and whoever is pinged hears of ends.
    pub(super) fn tell_of(&mut self, decision: &Decision) {
        if decision.records.iter().any(|record| matches!(record, Record::Notice(_))) {
            self.outlets.news.notify_one();
        }
        for record in &decision.records {
            if let Record::Closed(closing) = record
                && let Some(pinged) = self.state.pinged.remove(&closing.run)
                && let Some(moment) = moment_of(closing)
            {
                self.ping(pinged, moment);
            }
        }
    }

    pub(super) fn tell_of_start(&mut self, launch: &Launch) {
        if let Some(pinged) = self.remember_ping(launch)
            && launch.attempt == 1
        {
            self.ping(pinged, PingMoment::Start);
        }
    }

    /// The job of a run that has ended may not be in the file any more.
    pub(super) fn remember_ping(&mut self, launch: &Launch) -> Option<Pinged> {
        let target = launch.job.telling.ping.clone()?;
        let job = launch.job.name.clone();
        // A ledger that began anew gives numbers again.
        let rid = Rid::of(&format!("{job} {} {}", launch.run, launch.due));
        let pinged = Pinged { job, target, rid };
        self.state.pinged.insert(launch.run, pinged.clone());
        Some(pinged)
    }

    fn ping(&self, Pinged { job, target, rid }: Pinged, moment: PingMoment) {
        self.outlets.pinger.tell(Pulse { job: Some(job), target, moment, rid: Some(rid) });
    }

    /// What people want of the outbox is done by whoever owns it.
    pub(super) fn hand_on(&self, wish: NoticeWish, answer: Answer) {
        if let Err(error) = self.outlets.errands.try_send(Errand { wish, answer }) {
            let denied = unavailable("too much is asked of the outbox at the moment; ask again later");
            // Who wished it may not wait for it any more.
            let _ = error.into_inner().answer.send(Err(denied));
        }
    }
}

/// What is said of an end; that somebody stopped a run is neither good nor bad.
fn moment_of(closing: &Closing) -> Option<PingMoment> {
    let exit_code = closing.ended.as_ref().and_then(|ended| ended.exit.code_and_signal().0);
    match closing.outcome {
        Outcome::Succeeded => Some(PingMoment::Success),
        outcome if outcome.is_failure(closing.reason) => Some(PingMoment::Failure { exit_code }),
        _ => None,
    }
}

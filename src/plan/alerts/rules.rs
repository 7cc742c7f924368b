//! Who is told what of a job? One rule for each kind, from what happened and what was told before.

use std::time::Duration;

use jiff::Timestamp;

use super::happening::Ending;
use super::told::{Covered, Failing, Listener, Told, later, told_of};
use crate::job::{Channel, Job, SlowAfter, Tell};
use crate::notice::{Facts, Kind};
use crate::run::{GapEntry, Outcome, Reason, RunId};

/// So many instants in a row that were skipped because a run was still going are no accident.
const STUCK_FROM: u64 = 3;

/// What one channel is told.
#[derive(Debug, Clone, PartialEq)]
pub struct Message {
    pub to: Listener,
    pub kind: Kind,
    pub run: Option<RunId>,
    pub facts: Facts,
}

impl Message {
    fn of_run(channel: &Channel, kind: Kind, run: RunId, facts: Facts) -> Self {
        Self { to: Listener::of(channel), kind, run: Some(run), facts }
    }
}

impl Told {
    /// A run is over, after its last attempt. `good` is when the job succeeded last before.
    pub fn ended(&mut self, job: &Job, ending: &Ending, good: Option<Timestamp>, now: Timestamp) -> Vec<Message> {
        let mut messages = if ending.outcome == Outcome::Succeeded {
            self.succeeded(job, ending, good)
        } else if ending.outcome.is_failure(ending.reason) {
            self.failed(job, ending, now)
        } else {
            // Somebody ended it: that is no failure, and breaks no row of them.
            Vec::new()
        };
        if ending.wrote {
            let facts = || Facts { reason: ending.reason, ..Facts::default() };
            // What was told of the run has its output.
            let knows = |channel: &&Channel| messages.iter().any(|message| message.to.name == channel.name);
            let others: Vec<&Channel> = told_of(job, Tell::Output).filter(|channel| !knows(channel)).collect();
            let output = |channel: &Channel| Message::of_run(channel, Kind::Output, ending.run, facts());
            messages.extend(others.into_iter().map(output));
        }
        messages
    }

    fn failed(&mut self, job: &Job, ending: &Ending, now: Timestamp) -> Vec<Message> {
        let before = self.failing.take();
        let failing = Failing {
            count: before.as_ref().map_or(0, |before| before.count) + 1,
            since: before.map_or(ending.due, |before| before.since),
            run: ending.run,
            reason: ending.reason,
        };
        let mut messages = Vec::new();
        for channel in told_of(job, Tell::Failed).filter(|channel| failing.is_told_to(channel)) {
            let said = self.said(&channel.name, Kind::Failed);
            if let Some(untold) = said.hears_if_it_may(channel.at_most_every, now) {
                said.is_open = true;
                messages.push(failing.message(channel, untold));
            }
        }
        self.failing = Some(failing);
        messages
    }

    fn succeeded(&mut self, job: &Job, ending: &Ending, good: Option<Timestamp>) -> Vec<Message> {
        let failing = self.failing.take();
        let since_good = good.or(self.known.take());
        let mut messages = Vec::new();
        for channel in job.telling.channels.iter().map(AsRef::as_ref) {
            let heard = |kind| self.has_said(&channel.name, kind).is_some_and(|said| said.is_open);
            let (of_failure, of_delay) = (heard(Kind::Failed), heard(Kind::Overdue));
            if (of_failure || of_delay) && channel.tell.contains(&Tell::Recovered) {
                let first = failing.as_ref().map(|failing| failing.since).filter(|_| of_failure);
                let facts = Facts {
                    in_a_row: failing.as_ref().map_or(0, |failing| failing.count),
                    since: first.or(since_good),
                    untold: self.has_said(&channel.name, Kind::Failed).map_or(0, |said| said.untold),
                    ..Facts::default()
                };
                messages.push(Message::of_run(channel, Kind::Recovered, ending.run, facts));
            } else if channel.tell.contains(&Tell::Succeeded) {
                messages.push(Message::of_run(channel, Kind::Succeeded, ending.run, Facts::default()));
            }
        }
        let recovered = messages.iter().filter(|message| message.kind == Kind::Recovered);
        for Listener { name, every, .. } in recovered.map(|message| message.to.clone()).collect::<Vec<_>>() {
            if self.has_said(&name, Kind::Failed).is_some() {
                self.said(&name, Kind::Failed).renew(every, ending.at);
            }
        }
        for said in self.said.values_mut().flat_map(std::collections::BTreeMap::values_mut).filter(|said| said.is_open)
        {
            (said.is_open, said.untold) = (false, 0);
        }
        messages
    }

    /// Instants passed without a run, and nothing makes up for them. What a channel is not told now it is later.
    pub fn missed(&mut self, job: &Job, covered: &Covered, now: Timestamp) -> Vec<Message> {
        for channel in told_of(job, Tell::Missed) {
            let said = self.said(&channel.name, Kind::Missed);
            match &mut said.held {
                Some(held) => held.join(covered.clone()),
                None => said.held = Some(covered.clone()),
            }
        }
        self.held_back(job, now)
    }

    /// What channels were not told at its time, and may be told now.
    pub fn held_back(&mut self, job: &Job, now: Timestamp) -> Vec<Message> {
        let mut messages = Vec::new();
        for channel in told_of(job, Tell::Missed) {
            let said = self.said(&channel.name, Kind::Missed);
            if said.may_hear(channel.at_most_every, now)
                && let Some(held) = said.held.take()
            {
                said.hears(now);
                messages.push(Message {
                    to: Listener::of(channel),
                    kind: Kind::Missed,
                    run: None,
                    facts: held.facts(),
                });
            }
        }
        let Some(failing) = self.failing.clone() else {
            return messages;
        };
        for channel in told_of(job, Tell::Failed).filter(|channel| failing.is_told_to(channel)) {
            let said = self.said(&channel.name, Kind::Failed);
            if said.untold > 0 && said.may_hear(channel.at_most_every, now) {
                // The last of them is what it is told of.
                let untold = said.hears(now) - 1;
                said.is_open = true;
                messages.push(failing.message(channel, untold));
            }
        }
        messages
    }

    /// An instant was skipped, and this is the entry that it is in.
    pub fn stuck(&mut self, job: &Job, gap: &GapEntry, now: Timestamp) -> Vec<Message> {
        if gap.count < STUCK_FROM || !matches!(gap.reason, Reason::Overlap | Reason::QueueFull) {
            return Vec::new();
        }
        let facts = Facts {
            in_a_row: gap.count,
            since: Some(gap.due),
            instants: gap.count,
            until: Some(gap.due_last),
            reason: Some(gap.reason),
            ..Facts::default()
        };
        self.at_most(job, Tell::Stuck, None, &facts, now)
    }

    /// An entry of skipped instants begins.
    pub fn skipped(&mut self, job: &Job, covered: &Covered, now: Timestamp) -> Vec<Message> {
        self.at_most(job, Tell::Skipped, None, &covered.facts(), now)
    }

    /// A run that goes on has taken longer than it should.
    pub fn slow(&mut self, job: &Job, run: RunId, started: Timestamp, now: Timestamp) -> Vec<Message> {
        let detail = job.telling.slow_after.map(|slow| match slow {
            SlowAfter::Time(_) => format!("it takes longer than its slow_after, {slow}"),
            SlowAfter::Usual(_) => format!("it takes longer than {slow} of its usual p95"),
        });
        let facts = Facts { since: Some(started), detail, ..Facts::default() };
        self.at_most(job, Tell::Slow, Some(run), &facts, now)
    }

    fn at_most(&mut self, job: &Job, tell: Tell, run: Option<RunId>, facts: &Facts, now: Timestamp) -> Vec<Message> {
        let mut messages = Vec::new();
        for channel in told_of(job, tell) {
            let kind = tell.into();
            if let Some(untold) = self.said(&channel.name, kind).hears_if_it_may(channel.at_most_every, now) {
                let facts = Facts { untold, ..facts.clone() };
                messages.push(Message { to: Listener::of(channel), kind, run, facts });
            }
        }
        messages
    }

    /// There was no success since `good`, for which `why` are the words. Of a job that is gone each channel is told once.
    pub fn overdue(&mut self, good: Timestamp, why: &str, is_gone: bool, now: Timestamp) -> Vec<Message> {
        let Some(watch) = self.watch.clone() else {
            return Vec::new();
        };
        let mut messages = Vec::new();
        for listener in watch.channels {
            if self.overdue_at(&listener, watch.after, good) > now {
                continue;
            }
            let said = self.said(&listener.name, Kind::Overdue);
            let untold = said.hears(now);
            said.is_open = true;
            let facts = Facts {
                in_a_row: self.failing.as_ref().map_or(0, |failing| failing.count),
                since: Some(good),
                untold,
                reason: self.failing.as_ref().and_then(|failing| failing.reason),
                detail: Some(why.to_owned()),
                ..Facts::default()
            };
            if is_gone {
                self.forget_listener(&listener);
            }
            let run = self.failing.as_ref().map(|failing| failing.run);
            messages.push(Message { to: listener, kind: Kind::Overdue, run, facts });
        }
        messages
    }

    fn forget_listener(&mut self, listener: &Listener) {
        if let Some(watch) = &mut self.watch {
            watch.channels.retain(|other| other.name != listener.name);
            if watch.channels.is_empty() {
                (self.watch, self.known) = (None, None);
            }
        }
    }

    /// When a channel is told that there was no success since `good`: once that is too long, and then each time that it
    /// has been as long again.
    fn overdue_at(&self, listener: &Listener, after: Duration, good: Timestamp) -> Timestamp {
        let first = later(good, after);
        match self.has_said(&listener.name, Kind::Overdue) {
            Some(said) if said.is_open => first.max(said.again_at(after.max(listener.every))),
            Some(said) => first.max(said.again_at(listener.every)),
            None => first,
        }
    }

    /// When somebody is to be told something though nothing happens; `job` is none where it is gone from the file.
    pub fn next(&self, job: Option<&Job>, good: Option<Timestamp>) -> Option<Timestamp> {
        let good = good.or(self.known);
        let watched = self.watch.iter().zip(good).flat_map(|(watch, good)| {
            watch.channels.iter().map(move |listener| self.overdue_at(listener, watch.after, good))
        });
        let missed = job.into_iter().flat_map(|job| told_of(job, Tell::Missed)).filter_map(|channel| {
            let said = self.has_said(&channel.name, Kind::Missed).filter(|said| said.held.is_some())?;
            Some(said.again_at(channel.at_most_every))
        });
        let failed = job.into_iter().flat_map(|job| told_of(job, Tell::Failed)).filter_map(|channel| {
            let said = self.has_said(&channel.name, Kind::Failed).filter(|said| said.untold > 0)?;
            let is_told = self.failing.as_ref().is_some_and(|failing| failing.is_told_to(channel));
            is_told.then(|| said.again_at(channel.at_most_every))
        });
        watched.chain(missed).chain(failed).min()
    }
}

impl Failing {
    fn is_told_to(&self, channel: &Channel) -> bool {
        self.count >= u64::from(channel.after_failures)
    }

    fn message(&self, channel: &Channel, untold: u64) -> Message {
        let facts =
            Facts { in_a_row: self.count, since: Some(self.since), untold, reason: self.reason, ..Facts::default() };
        Message::of_run(channel, Kind::Failed, self.run, facts)
    }
}

impl Covered {
    fn facts(&self) -> Facts {
        Facts {
            instants: self.instants,
            since: Some(self.since),
            until: Some(self.until),
            reason: self.reason,
            detail: self.detail.clone(),
            ..Facts::default()
        }
    }
}

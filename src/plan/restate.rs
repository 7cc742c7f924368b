//! What does a ledger have to know that has lost some of what it held?

use jiff::SignedDuration;

use super::decision::{Closing, Decision, OpenEntry, Record};
use super::planner::{OpenRun, Phase, Planner};
use crate::run::{Ended, RunId, State, Verdict};

impl Planner {
    /// All that keeps instants from being run again and runs from being forgotten: up to where each job is settled, and what
    /// has not ended. What the ledger still has of it stays as it is.
    pub fn restate(&self) -> Decision {
        let mut records: Vec<Record> = self.accounts.keys().cloned().map(Record::Job).collect();
        for (name, account) in &self.accounts {
            if let Some(timing) = &account.timing {
                let (job, since, timing) = (name.clone(), account.settled, timing.clone());
                records.push(Record::Definition { job, since, timing });
            }
            if let Some(gap) = &account.gap {
                records.push(Record::Gap { job: name.clone(), gap: (**gap).clone(), detail: None });
            }
        }
        for (run, open) in &self.runs {
            records.push(Record::Job(open.job.name.clone()));
            records.push(Record::Opened(open.entry(*run)));
            if open.last.is_some() && open.phase != Phase::Running {
                let detail = format!("waits for attempt {}", open.attempts + 1);
                records.push(Record::Retried { run: *run, at: open.ready, detail });
            }
            if let Some(at) = open.started {
                records.push(Record::Started { run: *run, attempt: open.attempts, at, process: None });
            }
        }
        let (pauses, exceptions) = self.held.pauses_and_exceptions();
        for (whose, pause) in pauses {
            records.extend(whose.clone().map(Record::Job));
            records.push(Record::Pause { whose, pause: Some(pause.clone()) });
        }
        records.extend(exceptions.cloned().map(Record::PauseException));
        let skips = self.held.skips();
        records.extend(skips.map(|(job, left)| Record::LeftOut { job: job.clone(), left_out: left.clone() }));
        records.extend(self.alerts.all_words().into_iter().map(|(job, words)| Record::Told { job, words }));
        Decision { records, actions: Vec::new() }
    }
}

impl OpenRun {
    /// What the ledger should have of it.
    fn entry(&self, run: RunId) -> OpenEntry {
        let jitter = self.ready.duration_since(self.due).max(SignedDuration::ZERO);
        OpenEntry {
            run,
            job: self.job.name.clone(),
            cause: self.cause,
            due: self.due,
            // What waits for another attempt is ready later for another reason.
            jitter: if self.attempts == 0 { jitter } else { SignedDuration::ZERO },
            state: if self.phase == Phase::Running { State::Running } else { State::Waiting },
            detail: None,
            caused_by: Vec::new(),
            asked: self.asked.clone(),
        }
    }

    /// It is over.
    pub(super) fn close(&self, run: RunId, verdict: Verdict, ended: Option<Ended>) -> Closing {
        let Verdict { outcome, reason, detail } = verdict;
        Closing { run, outcome, reason, detail, ended, entry: Box::new(self.entry(run)), started: self.started }
    }
}

impl Closing {
    /// What a ledger must have before this can be said, should it have lost the run.
    pub fn restate(&self) -> impl Iterator<Item = Record> + use<> {
        let (run, attempt) = (self.run, 1);
        let started = self.started.map(|at| Record::Started { run, attempt, at, process: None });
        [Record::Job(self.entry.job.clone()), Record::Opened((*self.entry).clone())].into_iter().chain(started)
    }
}

//! What does a ledger have to know that has lost some of what it held?

use super::decision::{Decision, OpenEntry, Record};
use super::planner::{Phase, Planner};
use crate::run::State;

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
            let jitter = open.ready.duration_since(open.due).max(jiff::SignedDuration::ZERO);
            let is_running = open.phase == Phase::Running;
            records.push(Record::Job(open.job.name.clone()));
            records.push(Record::Opened(OpenEntry {
                run: *run,
                job: open.job.name.clone(),
                cause: open.cause,
                due: open.due,
                // What waits for another attempt is ready later for another reason.
                jitter: if open.attempts == 0 { jitter } else { jiff::SignedDuration::ZERO },
                state: if is_running { State::Running } else { State::Waiting },
                detail: None,
                caused_by: Vec::new(),
                asked: open.asked.clone(),
            }));
            if open.last.is_some() && !is_running {
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

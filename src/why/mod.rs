//! Why did it run, or not, and will it? What the ledger, the file and the running daemon know of a job, in sentences.

mod circumstances;
mod entry;
mod moment;
mod present;
mod words;

use std::sync::Arc;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use crate::job::Job;
use crate::jobfile::Zones;
use crate::report::{Time, WhyPart, WhyReport};
use crate::store::Reader;
use circumstances::Circumstances;
use words::Words;

/// Entries of a stretch of time that are each told of; of more, only how many there are.
const MOST_TOLD: usize = 10;

/// What is asked.
#[derive(Debug, Clone)]
pub struct Question {
    pub job: String,
    /// About which time, both ends included; `None` asks about now.
    pub at: Option<(Timestamp, Timestamp)>,
    pub now: Timestamp,
    /// By which clocks the answer is read.
    pub zone: TimeZone,
    /// The jobs of the file; `None` where it cannot be read.
    pub jobs: Option<Vec<Arc<Job>>>,
    /// Since when a daemon runs.
    pub daemon: Option<Timestamp>,
    /// What keeps it from writing to its ledger.
    pub trouble: Option<String>,
}

impl Question {
    /// The job as the file has it.
    fn definition(&self) -> Option<&Arc<Job>> {
        self.jobs.iter().flatten().find(|job| job.name.as_str() == self.job)
    }
}

/// Answers from the ledger, if there is one.
pub async fn why(ledger: Option<&Reader>, zones: &dyn Zones, question: &Question) -> Result<WhyReport, sqlx::Error> {
    let circumstances = Circumstances::gather(ledger, zones, question).await?;
    let words = Words { zone: question.zone.clone(), now: question.now };
    let parts = match question.at {
        Some((from, until)) => moment::parts(question, &circumstances, (from, until), &words),
        None => present::parts(question, &circumstances, &words),
    };
    Ok(WhyReport {
        job: question.job.clone(),
        from: question.at.map(|(from, _)| Time(from)),
        until: question.at.map(|(_, until)| Time(until)),
        parts,
    })
}

fn part(about: &'static str, text: String) -> WhyPart {
    WhyPart { about, at: None, run: None, text }
}

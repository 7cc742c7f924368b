//! `punctual next --batch`: questions as JSON lines, each answered with a line. So schedules are held against other
//! implementations.

use std::io::BufRead;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::screen::Screen;
use super::trial::{MOST, Trial};
use super::{Answer, Done, Refusal};
use crate::files::Machine;
use crate::jobfile::Zones;
use crate::schedule::{Fold, Gap};

/// A question of `--batch`.
#[derive(Deserialize)]
struct Question {
    expr: String,
    tz: String,
    from: Timestamp,
    count: usize,
    /// The job's, from which `H` is hashed.
    #[serde(default)]
    name: String,
    #[serde(default)]
    dst_gap: Option<String>,
    #[serde(default)]
    dst_fold: Option<String>,
}

#[derive(Serialize)]
enum Reply {
    #[serde(rename = "next")]
    Next(Vec<Timestamp>),
    #[serde(rename = "error")]
    Error(String),
}

pub fn run(screen: &mut Screen) -> Answer {
    let zones = Machine::default();
    for line in std::io::stdin().lock().split(b'\n') {
        let line = line.map_err(|error| Refusal::chain(Done::Failed, &error))?;
        if line.trim_ascii().is_empty() {
            continue;
        }
        let reply = serde_json::from_slice(&line)
            .map_err(|error| error.to_string())
            .and_then(|question| reply(&question, &zones));
        screen.value(&reply.map_or_else(Reply::Error, Reply::Next));
        if !screen.flush() {
            break;
        }
    }
    Ok(Done::Well)
}

fn reply(question: &Question, zones: &dyn Zones) -> Result<Vec<Timestamp>, String> {
    let gap = question
        .dst_gap
        .as_deref()
        .map(|word| Gap::from_word(word).ok_or_else(|| format!("`{word}` is no dst_gap: it is shift or skip")));
    let fold = question.dst_fold.as_deref().map(|word| {
        Fold::from_word(word).ok_or_else(|| format!("`{word}` is no dst_fold: it is first, second or both"))
    });
    let (expression, job) = (&question.expr, &question.name);
    let trial = Trial { expression, job, zone: &question.tz, gap: gap.transpose()?, fold: fold.transpose()? };
    let timetable = trial.timetable(zones)?;
    if !timetable.names_any() {
        return Err("this schedule never fires".to_owned());
    }
    if question.count > MOST {
        return Err(format!("{} instants are too many: {MOST} at the most", question.count));
    }
    let next = |at: &Timestamp| timetable.next_after(*at);
    Ok(std::iter::successors(next(&question.from), next).take(question.count).collect())
}

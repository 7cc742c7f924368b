//! What is not as usual about a run? Its figures beside those of the job's runs before it.

use serde::Serialize;

use super::{Entry, Seconds};
use crate::run::{Outcome, Reason};

/// So many successes say what is usual; of fewer than the second figure nothing is said.
const USUAL: usize = 20;
const FEWEST: usize = 5;

/// A run of the time before.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Past {
    pub ending: Ending,
    pub duration: Option<Seconds>,
    pub cpu: Option<Seconds>,
    pub max_rss: Option<i64>,
    pub output_bytes: i64,
    pub late: Option<Seconds>,
}

/// How a run counts in a row of runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    Success,
    Failure,
    /// Stopped by somebody: it neither goes on with a row nor breaks it.
    Neither,
}

/// Something that is not as usual; the names are those of the fields of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(tag = "what", rename_all = "snake_case")]
pub enum Difference {
    Duration(Unlike<Seconds>),
    Cpu(Unlike<Seconds>),
    MaxRss(Unlike<i64>),
    OutputBytes(Unlike<i64>),
    Late(Unlike<Seconds>),
    /// The job's runs before it had succeeded, so many in a row; `or_more` if that is only as far as was looked.
    FirstFailure {
        after: usize,
        or_more: bool,
    },
    /// It is the so many-th failure in a row.
    FailureInARow {
        count: usize,
        or_more: bool,
    },
    /// The job's runs before it had failed, so many in a row.
    FirstSuccess {
        after: usize,
        or_more: bool,
    },
}

/// A figure, and the median of what it usually is.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Unlike<T> {
    pub value: T,
    pub usual: T,
    /// How many times as much as usual; none where that is nothing.
    pub factor: Option<f64>,
}

/// From when on a figure is worth a word: so many times as much as usual, or as little, and by so much at least. It is always
/// beyond all of the usual runs.
struct Notable {
    times: f64,
    least: f64,
}

const DURATION: Notable = Notable { times: 2.0, least: 0.1 };
const CPU: Notable = Notable { times: 2.0, least: 0.1 };
const MEMORY: Notable = Notable { times: 1.5, least: 16.0 * 1024.0 * 1024.0 };
const OUTPUT: Notable = Notable { times: 5.0, least: 1024.0 };
const LATE: Notable = Notable { times: 10.0, least: 0.1 };

/// What is notable about a run that has ended, beside those before it, the newest first; `is_all` if there were no more.
pub fn differences(entry: &Entry, past: &[Past], is_all: bool) -> Vec<Difference> {
    let mut found = Vec::new();
    let Some(outcome) = entry.outcome.filter(|outcome| !outcome.is_gap()) else {
        return found;
    };
    found.extend(row(Ending::of(outcome, entry.reason), past, is_all));
    let usual: Vec<&Past> = past.iter().filter(|run| run.ending == Ending::Success).take(USUAL).collect();
    if usual.len() < FEWEST {
        return found;
    }
    let seconds = |of: fn(&Past) -> Option<Seconds>| usual.iter().filter_map(|run| of(run)).map(|s| s.0).collect();
    let numbers = |of: fn(&Past) -> Option<i64>| usual.iter().filter_map(|run| of(run)).map(float).collect();
    let time = |value: Option<Seconds>, usual: Vec<f64>, notable: &Notable| {
        let unlike = unlike(value?.0, usual, notable)?;
        Some(Unlike { value: Seconds(unlike.value), usual: Seconds(unlike.usual), factor: unlike.factor })
    };
    let amount = |value: Option<i64>, usual: Vec<f64>, notable: &Notable| {
        let unlike = unlike(float(value?), usual, notable)?;
        Some(Unlike { value: value?, usual: whole(unlike.usual), factor: unlike.factor })
    };
    found.extend(time(entry.late, seconds(|run| run.late), &LATE).filter(is_more).map(Difference::Late));
    found.extend(time(entry.duration, seconds(|run| run.duration), &DURATION).map(Difference::Duration));
    found.extend(time(entry.cpu, seconds(|run| run.cpu), &CPU).map(Difference::Cpu));
    found.extend(amount(entry.max_rss, numbers(|run| run.max_rss), &MEMORY).map(Difference::MaxRss));
    let written = entry.started.map(|_| entry.output_bytes);
    found.extend(amount(written, numbers(|run| Some(run.output_bytes)), &OUTPUT).map(Difference::OutputBytes));
    found
}

/// To be less late than usual is nothing to tell of.
fn is_more(unlike: &Unlike<Seconds>) -> bool {
    unlike.value > unlike.usual
}

impl Ending {
    pub fn of(outcome: Outcome, reason: Option<Reason>) -> Self {
        match outcome {
            Outcome::Succeeded => Self::Success,
            _ if outcome.is_failure(reason) => Self::Failure,
            _ => Self::Neither,
        }
    }
}

/// Whether the run breaks a row, or goes on with one of failures.
fn row(own: Ending, past: &[Past], is_all: bool) -> Option<Difference> {
    let mut counted = past.iter().filter(|run| run.ending != Ending::Neither);
    let before = counted.next()?.ending;
    let more = counted.take_while(|run| run.ending == before).count();
    let after = more + 1;
    // The row reaches beyond what was looked at.
    let or_more = !is_all && past.iter().all(|run| run.ending == before || run.ending == Ending::Neither);
    match (own, before) {
        (Ending::Failure, Ending::Success) => Some(Difference::FirstFailure { after, or_more }),
        (Ending::Failure, Ending::Failure) => Some(Difference::FailureInARow { count: after + 1, or_more }),
        (Ending::Success, Ending::Failure) => Some(Difference::FirstSuccess { after, or_more }),
        (Ending::Success, Ending::Success) | (Ending::Neither, _) | (_, Ending::Neither) => None,
    }
}

/// The figure beside the usual ones, if it differs notably.
fn unlike(value: f64, mut usual: Vec<f64>, notable: &Notable) -> Option<Unlike<f64>> {
    usual.sort_by(f64::total_cmp);
    let (least, most) = (*usual.first()?, *usual.last()?);
    let middle = usual[usual.len() / 2];
    let is_beyond = value > most && value >= middle * notable.times || value < least && value * notable.times <= middle;
    let is_notable = is_beyond && (value - middle).abs() >= notable.least;
    is_notable.then(|| Unlike { value, usual: middle, factor: (middle > 0.0).then(|| value / middle) })
}

/// Sizes are shown with one digit behind the point: what a float loses is not seen.
#[allow(clippy::cast_precision_loss)]
fn float(number: i64) -> f64 {
    number as f64
}

/// It was a whole number of bytes before.
#[allow(clippy::cast_possible_truncation)]
fn whole(number: f64) -> i64 {
    number as i64
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Time;
    use crate::run::{Cause, RunId, State};
    use jiff::Timestamp;

    fn entry(outcome: Outcome, duration: f64) -> Entry {
        let at = Timestamp::UNIX_EPOCH;
        Entry {
            run: RunId(100),
            job: "job".to_owned(),
            cause: Cause::Schedule,
            due: Some(Time(at)),
            due_last: None,
            count: 1,
            jitter: Seconds(0.0),
            started: Some(Time(at)),
            ended: Some(Time(at)),
            late: Some(Seconds(0.001)),
            waited: Seconds(0.0),
            duration: Some(Seconds(duration)),
            state: State::Ended,
            outcome: Some(outcome),
            reason: None,
            detail: None,
            exit_code: None,
            signal: None,
            attempts: 1,
            cpu: Some(Seconds(1.0)),
            max_rss: Some(10 << 20),
            output_bytes: 1000,
            host: None,
            at,
        }
    }

    fn past(ending: Ending, duration: f64) -> Past {
        Past {
            ending,
            duration: Some(Seconds(duration)),
            cpu: Some(Seconds(1.0)),
            max_rss: Some(10 << 20),
            output_bytes: 1000,
            late: Some(Seconds(0.001)),
        }
    }

    /// Successes that took four seconds, give or take a half.
    fn usual() -> Vec<Past> {
        (0..10).map(|at| past(Ending::Success, 3.5 + f64::from(at) / 10.0)).collect()
    }

    fn found(entry: &Entry) -> Vec<Difference> {
        differences(entry, &usual(), true)
    }

    #[test]
    fn what_takes_longer_or_shorter_than_ever_is_told() {
        let check = |duration: f64, factor: Option<f64>| {
            let found = found(&entry(Outcome::Succeeded, duration));
            let factors: Vec<f64> = found
                .iter()
                .filter_map(|one| if let Difference::Duration(unlike) = one { unlike.factor } else { None })
                .collect();
            assert_eq!((factors.as_slice(), found.len()), (factor.as_slice(), factors.len()), "{duration}");
        };
        check(4.0, None);
        check(7.9, None);
        check(12.0, Some(3.0));
        check(2.1, None);
        check(1.0, Some(0.25));
        // One of the usual runs took as long.
        let mut past = usual();
        past[3].duration = Some(Seconds(15.0));
        assert_eq!(differences(&entry(Outcome::Succeeded, 12.0), &past, true), []);
        // Too few to know what is usual.
        assert_eq!(differences(&entry(Outcome::Succeeded, 99.0), &past[..4], true), []);
    }

    #[test]
    fn other_figures_have_their_own_measure() {
        let check = |change: fn(&mut Entry), expect: Option<&str>| {
            let mut entry = entry(Outcome::Succeeded, 4.0);
            change(&mut entry);
            let found = found(&entry);
            let names: Vec<String> = found
                .iter()
                .map(|one| serde_json::to_value(one).unwrap()["what"].as_str().unwrap().to_owned())
                .collect();
            assert_eq!(names, expect.map(str::to_owned).into_iter().collect::<Vec<_>>());
        };
        check(|entry| entry.cpu = Some(Seconds(5.0)), Some("cpu"));
        check(|entry| entry.cpu = None, None);
        check(|entry| entry.max_rss = Some(20 << 20), None);
        check(|entry| entry.max_rss = Some(40 << 20), Some("max_rss"));
        check(|entry| entry.output_bytes = 4_000, None);
        check(|entry| entry.output_bytes = 10_000, Some("output_bytes"));
        // Less than a kibibyte less is no matter.
        check(|entry| entry.output_bytes = 0, None);
        check(|entry| entry.late = Some(Seconds(0.05)), None);
        check(|entry| entry.late = Some(Seconds(2.0)), Some("late"));
        check(|entry| entry.late = Some(Seconds(0.000_000_1)), None);
    }

    #[test]
    fn what_was_nothing_has_no_factor() {
        let silent: Vec<Past> = usual().into_iter().map(|run| Past { output_bytes: 0, ..run }).collect();
        let loud = Entry { output_bytes: 5000, ..entry(Outcome::Succeeded, 4.0) };
        let expect = Difference::OutputBytes(Unlike { value: 5000, usual: 0, factor: None });
        assert_eq!(differences(&loud, &silent, true), [expect]);
    }

    #[test]
    fn rows_are_told_when_they_break_or_go_on() {
        use Difference::{FailureInARow, FirstFailure, FirstSuccess};
        let check = |own: Outcome, reason: Option<Reason>, story: &str, is_all: bool, expect: Option<Difference>| {
            let past: Vec<Past> = story
                .chars()
                .map(|c| match c {
                    '+' => past(Ending::Success, 4.0),
                    '-' => past(Ending::Failure, 4.0),
                    _ => past(Ending::Neither, 4.0),
                })
                .collect();
            let entry = Entry { reason, ..entry(own, 4.0) };
            assert_eq!(differences(&entry, &past, is_all), expect.into_iter().collect::<Vec<_>>(), "{own} {story}");
        };
        let (failed, succeeded) = (Outcome::Failed, Outcome::Succeeded);
        check(failed, None, "+++-", true, Some(FirstFailure { after: 3, or_more: false }));
        check(failed, None, "+++", true, Some(FirstFailure { after: 3, or_more: false }));
        check(failed, None, "+++", false, Some(FirstFailure { after: 3, or_more: true }));
        check(failed, None, "+++-", false, Some(FirstFailure { after: 3, or_more: false }));
        check(failed, None, "-.-+", true, Some(FailureInARow { count: 3, or_more: false }));
        check(succeeded, None, "--+", true, Some(FirstSuccess { after: 2, or_more: false }));
        check(succeeded, None, "++", true, None);
        check(failed, None, "", true, None);
        check(Outcome::Stopped, Some(Reason::ByHand), "++", true, None);
        check(Outcome::Stopped, Some(Reason::Shutdown), "++", true, Some(FirstFailure { after: 2, or_more: false }));
        check(Outcome::Skipped, Some(Reason::Overlap), "+++++++", true, None);
    }

    #[test]
    fn in_json_the_names_are_those_of_the_entry() {
        let difference = Difference::Duration(Unlike { value: Seconds(12.0), usual: Seconds(4.0), factor: Some(3.0) });
        let expect = serde_json::json!({"what": "duration", "value": 12.0, "usual": 4.0, "factor": 3.0});
        assert_eq!(serde_json::to_value(difference).unwrap(), expect);
        let first = Difference::FirstFailure { after: 41, or_more: false };
        let expect = serde_json::json!({"what": "first_failure", "after": 41, "or_more": false});
        assert_eq!(serde_json::to_value(first).unwrap(), expect);
    }
}

//! The attempts and steps of a run, as a tree with a bar of time for each.

use jiff::Timestamp;

use super::history::style_of;
use super::screen::{Screen, span, visible};
use super::table::Cell;
use crate::clock::Clock;
use crate::report::{AttemptReport, RunReport, Time};
use crate::run::{Outcome, State};

/// Characters of a bar, and where the terminal is narrow: with names and outcomes beside it it fits 80 columns.
const WIDTH: usize = 24;
const NARROW_WIDTH: usize = 12;
const NARROW: usize = 100;

pub fn show_attempts(report: &RunReport, screen: &mut Screen) {
    if report.tried.is_empty() && report.steps.is_empty() {
        return;
    }
    screen.line("");
    let is_narrow = screen.width().is_some_and(|width| width < NARROW);
    let axis = Axis::of(report, if is_narrow { NARROW_WIDTH } else { WIDTH });
    let several = !report.tried.is_empty();
    let mut rows = Vec::new();
    let mut attempts: Vec<i64> = report.tried.iter().chain(&report.steps).map(|one| one.attempt).collect();
    attempts.sort_unstable();
    attempts.dedup();
    for attempt in attempts {
        if several {
            let whole = report.tried.iter().find(|one| one.attempt == attempt);
            let name = format!("attempt {attempt}");
            rows.push(whole.map_or_else(|| vec![name.clone().into()], |whole| row(name.clone(), whole, report, &axis)));
        }
        let steps: Vec<&AttemptReport> = report.steps.iter().filter(|step| step.attempt == attempt).collect();
        for (at, step) in steps.iter().enumerate() {
            let name = step.step.as_deref().map(visible).unwrap_or_default();
            let again = if step.step_attempt > 1 { format!(", attempt {}", step.step_attempt) } else { String::new() };
            let branch = if at + 1 == steps.len() { "└" } else { "├" };
            rows.push(row(format!("{branch} {name}{again}"), step, report, &axis));
        }
    }
    let first = if report.steps.is_empty() { "ATTEMPT" } else { "STEP" };
    screen.table(&[first, "TIME", "TOOK", "OUTCOME", "WHY"], rows);
}

fn row(name: String, one: &AttemptReport, report: &RunReport, axis: &Axis) -> Vec<Cell> {
    let is_over = report.entry.state == State::Ended;
    // What was under way when the daemon died was never said to be over.
    let outcome = one.outcome.or(is_over.then_some(Outcome::Lost));
    let word = |outcome: Outcome| Cell::painted(outcome.word(), style_of(outcome, one.reason));
    vec![
        name.into(),
        Cell::firm(axis.bar(one)),
        Cell::firm(one.duration.map_or_else(String::new, span)),
        outcome.map_or_else(|| "running".into(), word),
        one.detail.as_deref().map(visible).unwrap_or_default().into(),
    ]
}

/// From when to when the bars go.
struct Axis {
    from: Timestamp,
    micros: i64,
    /// In characters.
    width: usize,
}

impl Axis {
    fn of(report: &RunReport, width: usize) -> Self {
        let all = || report.tried.iter().chain(&report.steps);
        let times = |time: fn(&AttemptReport) -> Option<Time>| all().filter_map(time).map(|time| time.0);
        let from = times(|one| one.started).min().unwrap_or(report.entry.at);
        let is_over = report.entry.state == State::Ended;
        let last = times(|one| one.ended).max().filter(|_| is_over);
        let until = last.unwrap_or_else(|| Clock::System.now());
        Self { from, micros: (until.as_microsecond() - from.as_microsecond()).max(1), width }
    }

    /// Spaces up to the start, then a line up to the end; something of everything is seen.
    fn bar(&self, one: &AttemptReport) -> String {
        let Some(started) = one.started else {
            return String::new();
        };
        let place = |time: Timestamp| {
            let width = i64::try_from(self.width).unwrap_or(0);
            let part = (time.as_microsecond() - self.from.as_microsecond()).clamp(0, self.micros);
            usize::try_from(part * width / self.micros).unwrap_or(0)
        };
        let begin = place(started.0).min(self.width - 1);
        let end = one.ended.map_or(self.width, |ended| place(ended.0)).max(begin + 1);
        format!("{}{}", " ".repeat(begin), "━".repeat(end - begin))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attempt(started: Option<i64>, ended: Option<i64>) -> AttemptReport {
        let time = |second: i64| Time(Timestamp::from_second(second).unwrap());
        AttemptReport {
            attempt: 1,
            step: None,
            step_attempt: 1,
            started: started.map(time),
            ended: ended.map(time),
            duration: None,
            outcome: None,
            reason: None,
            detail: None,
            exit_code: None,
            signal: None,
            cpu: None,
            max_rss: None,
            output_bytes: 0,
        }
    }

    #[test]
    fn bars_stand_where_their_time_is() {
        let axis = Axis { from: Timestamp::from_second(0).unwrap(), micros: 24_000_000, width: 24 };
        let check = |started, ended, begin: usize, length: usize| {
            let expect = format!("{}{}", " ".repeat(begin), "━".repeat(length));
            assert_eq!(axis.bar(&attempt(started, ended)), expect);
        };
        check(Some(0), Some(24), 0, 24);
        check(Some(6), Some(12), 6, 6);
        check(Some(24), Some(24), 23, 1);
        check(Some(3), Some(3), 3, 1);
        check(Some(12), None, 12, 12);
        // A clock that was set back meanwhile.
        check(Some(9), Some(2), 9, 1);
        check(None, None, 0, 0);
    }
}

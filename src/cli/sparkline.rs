//! How did the last runs go? One character for each: how long it took, or that it failed.

use owo_colors::Style;

use super::history::style_of;
use super::table::Cell;
use crate::report::LastRun;
use crate::run::Outcome;

const LEVELS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
/// A failure is a mark of its own, also where there are no colours.
const FAILED: char = '✗';
const STOPPED: char = '□';

/// The newest so many runs, the newest last; the longest success reaches the top.
pub fn sparkline(runs: &[LastRun], width: usize) -> Cell {
    let shown = &runs[runs.len().saturating_sub(width)..];
    let longest = shown.iter().filter(|run| run.outcome == Outcome::Succeeded).filter_map(seconds).fold(0.0, f64::max);
    let text: String = shown.iter().map(|run| mark(run, longest)).collect();
    let worst = shown.iter().rev().find(|run| run.is_failure);
    Cell::painted(text, worst.map_or(Style::new(), |run| style_of(run.outcome, None)))
}

fn seconds(run: &LastRun) -> Option<f64> {
    run.duration.map(|duration| duration.0)
}

fn mark(run: &LastRun, longest: f64) -> char {
    if run.is_failure {
        return FAILED;
    }
    if run.outcome != Outcome::Succeeded {
        return STOPPED;
    }
    let part = seconds(run).filter(|_| longest > 0.0).map_or(0.0, |seconds| (seconds / longest).clamp(0.0, 1.0));
    // From 0 to 7: what a float loses here is not seen.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let level = (part * 7.0).round() as usize;
    LEVELS[level.min(LEVELS.len() - 1)]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::Seconds;
    use crate::run::RunId;

    #[test]
    fn lengths_are_levels_and_failures_are_marks() {
        let run = |outcome: Outcome, duration: Option<f64>| LastRun {
            run: RunId(1),
            outcome,
            duration: duration.map(Seconds),
            is_failure: outcome.is_failure(None),
        };
        let good = |duration: f64| run(Outcome::Succeeded, Some(duration));
        let runs = [good(0.0), good(7.0), good(3.5), run(Outcome::Failed, Some(99.0)), run(Outcome::Lost, None)];
        assert_eq!(sparkline(&runs, 9).text, "▁█▅✗✗");
        assert_eq!(sparkline(&runs, 2).text, "✗✗");
        let runs = [good(0.0), run(Outcome::Stopped, Some(1.0)), run(Outcome::Succeeded, None)];
        assert_eq!(sparkline(&runs, 9).text, "▁□▁");
        assert_eq!(sparkline(&[], 9).text, "");
    }
}

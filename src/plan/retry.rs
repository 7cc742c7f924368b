//! Is there another attempt, and when?

use std::time::Duration;

use crate::job::Retries;
use crate::run::{Ended, Outcome, RunId, Verdict};
use crate::schedule::spread;

/// The pause before the next attempt; `None` if that was the last one.
///
/// It doubles from attempt to attempt up to its cap, give or take a fifth: what failed together does not come again
/// together. `attempt` counts from 1.
pub fn pause(retries: &Retries, run: RunId, attempt: u32, verdict: &Verdict, ended: &Ended) -> Option<Duration> {
    let has_failed = match verdict.outcome {
        Outcome::Failed | Outcome::TimedOut | Outcome::NotStarted => true,
        // Somebody wanted it to end, or it is not known what would be repeated.
        Outcome::Stopped | Outcome::Lost | Outcome::Succeeded | Outcome::Skipped | Outcome::Missed => false,
    };
    let is_final = ended.exit.code_and_signal().0.is_some_and(|code| retries.no_codes.contains(&code));
    if !has_failed || is_final || attempt > retries.most {
        return None;
    }
    let doubled = 1_u32.checked_shl(attempt - 1).and_then(|factor| retries.delay.checked_mul(factor));
    let delay = doubled.unwrap_or(retries.max_delay).min(retries.max_delay);
    let micros = u64::try_from(delay.as_micros()).unwrap_or(u64::MAX);
    let words: [&[u8]; 2] = [&run.0.to_le_bytes(), &attempt.to_le_bytes()];
    let varied = micros - micros / 5 + spread(&words, micros / 5 * 2 + 1);
    Some(Duration::from_micros(varied).min(retries.max_delay))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::run::{Exit, Reason};
    use jiff::Timestamp;

    fn ended(exit: Exit) -> Ended {
        Ended::unmeasured(exit, Timestamp::UNIX_EPOCH)
    }

    fn verdict(outcome: Outcome) -> Verdict {
        Verdict { outcome, reason: Some(Reason::ExitCode), detail: None }
    }

    fn retries() -> Retries {
        let seconds = Duration::from_secs;
        Retries { most: 9, delay: seconds(10), max_delay: seconds(300), no_codes: vec![2] }
    }

    #[test]
    fn pauses_double_up_to_their_cap_and_vary() {
        let of = |run: i64, attempt: u32| {
            pause(&retries(), RunId(run), attempt, &verdict(Outcome::Failed), &ended(Exit::Code(1))).unwrap()
        };
        for (attempt, seconds) in [(1, 10), (2, 20), (3, 40), (4, 80), (5, 160), (6, 300), (9, 300)] {
            for run in 0..50 {
                let (low, high) = (Duration::from_secs(seconds * 8 / 10), Duration::from_secs(seconds * 12 / 10));
                let pause = of(run, attempt);
                assert!(low <= pause && pause <= high.min(retries().max_delay), "{attempt}: {pause:?}");
            }
        }
        assert_ne!(of(1, 1), of(2, 1));
        assert_eq!(of(1, 1), of(1, 1));
    }

    #[test]
    fn not_everything_is_tried_again() {
        let again = |attempt: u32, outcome: Outcome, code: i32| {
            pause(&retries(), RunId(1), attempt, &verdict(outcome), &ended(Exit::Code(code))).is_some()
        };
        assert!(again(1, Outcome::Failed, 1) && again(9, Outcome::TimedOut, 1) && again(1, Outcome::NotStarted, 1));
        assert!(!again(10, Outcome::Failed, 1) && !again(1, Outcome::Failed, 2));
        assert!(!again(1, Outcome::Stopped, 1) && !again(1, Outcome::Succeeded, 0) && !again(1, Outcome::Lost, 1));
        let none = Retries { most: 0, ..retries() };
        assert_eq!(pause(&none, RunId(1), 1, &verdict(Outcome::Failed), &ended(Exit::Code(1))), None);
        let huge = Retries { most: u32::MAX, ..retries() };
        let late = pause(&huge, RunId(1), 4_000_000, &verdict(Outcome::Failed), &ended(Exit::Code(1)));
        assert!(late.unwrap() <= retries().max_delay);
    }
}

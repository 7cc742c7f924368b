//! What follows from what a carrier said? It was sent, or is tried again some time later, or never will be.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::notify::{Accepted, Refusal};
use crate::store::{Message, SendOutcome};

/// Pauses between two tries: each twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_secs(3600);
/// Parts of a pause by which it is longer, so that what failed together does not come back together: up to a fifth.
const JITTER: u32 = 5;
/// Longer answers are cut: what matters stands at the beginning.
const LONGEST_ANSWER: usize = 1000;

/// What came of a try that has just ended.
pub fn outcome(message: &Message, came: Result<Accepted, Refusal>, now: Timestamp) -> SendOutcome {
    match came {
        Ok(Accepted { answer }) => SendOutcome::Sent { answer: cut(answer) },
        Err(Refusal::Never { why }) => SendOutcome::Undeliverable { answer: cut(why), was_tried: true },
        // However late it is, it was tried once.
        Err(Refusal::Later { why, .. }) if now >= message.until => {
            SendOutcome::Undeliverable { answer: cut(format!("given up after three days: {why}")), was_tried: true }
        }
        Err(Refusal::Later { why, after }) => {
            let pause = pause(message.tries, &message.id).max(after.unwrap_or_default());
            let next = SignedDuration::try_from(pause).ok().and_then(|pause| now.checked_add(pause).ok());
            // The last try is at the end of the time.
            let next_try = next.unwrap_or(message.until).min(message.until);
            SendOutcome::Waits { next_try, answer: cut(why) }
        }
    }
}

/// How long is waited after so many tries before this one.
fn pause(tries: u32, id: &str) -> Duration {
    let doubled = FIRST_PAUSE.saturating_mul(1 << tries.min(16)).min(LONGEST_PAUSE);
    // Any number that differs from message to message, and from try to try, will do.
    let number = id.bytes().fold(tries, |number, byte| number.wrapping_mul(31).wrapping_add(u32::from(byte)));
    doubled + doubled / JITTER * (number % 1000) / 1000
}

fn cut(answer: String) -> String {
    match answer.char_indices().nth(LONGEST_ANSWER) {
        Some((at, _)) => format!("{}…", &answer[..at]),
        None => answer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn message(tries: u32) -> Message {
        Message {
            number: 1,
            id: "a@b".to_owned(),
            thread: None,
            made: at(0),
            tries,
            next_try: None,
            until: at(300_000),
        }
    }

    fn later(after: Option<u64>) -> Result<Accepted, Refusal> {
        Err(Refusal::Later { why: "450 busy".to_owned(), after: after.map(Duration::from_secs) })
    }

    #[test]
    fn pauses_double_up_to_an_hour_and_never_are_shorter_than_wanted() {
        let check = |tries, after, least: i64, most: i64| {
            let SendOutcome::Waits { next_try, answer } = outcome(&message(tries), later(after), at(1000)) else {
                panic!("it does not wait");
            };
            assert_eq!(answer, "450 busy");
            let pause = next_try.as_second() - 1000;
            assert!((least..=most).contains(&pause), "{tries}: {pause}");
        };
        check(0, None, 30, 36);
        check(1, None, 60, 72);
        check(4, None, 480, 576);
        check(7, None, 3600, 4320);
        check(4_000_000_000, None, 3600, 4320);
        check(0, Some(7200), 7200, 7200);
        // No more than there is time.
        check(0, Some(u64::MAX), 299_000, 299_000);
    }

    #[test]
    fn what_failed_together_comes_back_one_by_one() {
        let pauses: std::collections::BTreeSet<Duration> = (0..50).map(|at| pause(3, &format!("{at}@b"))).collect();
        assert!(pauses.len() > 25, "{pauses:?}");
    }

    #[test]
    fn after_three_days_or_a_no_it_is_over() {
        let undeliverable = |answer: &str| SendOutcome::Undeliverable { answer: answer.to_owned(), was_tried: true };
        let given_up = "given up after three days: 450 busy";
        assert_eq!(outcome(&message(50), later(None), at(300_000)), undeliverable(given_up));
        let last = SendOutcome::Waits { next_try: at(300_000), answer: "450 busy".to_owned() };
        assert_eq!(outcome(&message(50), later(None), at(299_990)), last);
        let never = Err(Refusal::Never { why: "550 no".to_owned() });
        assert_eq!(outcome(&message(0), never, at(1)), undeliverable("550 no"));
        let sent = Ok(Accepted { answer: "ü".repeat(2000) });
        let SendOutcome::Sent { answer } = outcome(&message(0), sent, at(1)) else { panic!() };
        assert_eq!(answer.chars().count(), LONGEST_ANSWER + 1);
    }
}

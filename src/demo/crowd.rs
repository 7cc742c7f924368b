//! Which jobs have had about so many runs? A file of as many as it takes, for measuring.

use std::fmt::Write as _;
use std::time::Duration;

/// A file, and for how long it takes until it has had its runs.
pub struct Crowd {
    pub text: String,
    pub lasts: Duration,
}

/// What ten jobs are like: a schedule each, and how often it is due on a day.
const TEN: [(&str, u64); 10] = [
    ("H/5 * * * *", 288),
    ("H/15 * * * *", 96),
    ("H/15 * * * *", 96),
    ("H * * * *", 24),
    ("H * * * *", 24),
    ("H * * * *", 24),
    ("H * * * *", 24),
    ("H H * * *", 1),
    ("H H * * *", 1),
    ("H H * * *", 1),
];

/// Jobs that have about so many runs in so many days; at least ten, in less time if those are too many.
pub fn crowd(runs: u64, days: u64) -> Crowd {
    const DAY: u64 = 86_400;
    let of_ten: u64 = TEN.iter().map(|(_, daily)| daily).sum();
    let tens = (runs / (of_ten * days).max(1)).max(1);
    let lasts = Duration::from_secs((runs * DAY / (of_ten * tens)).max(DAY / 24));
    let mut text = "[daemon]\nmax_running = 10000\n".to_owned();
    let mut number = 0;
    for _ in 0..tens {
        for (schedule, _) in TEN {
            number += 1;
            // Writing to a text does not fail.
            let _ = write!(text, "[jobs.work-{number:05}]\nschedule = '{schedule}'\ncommand = ['true']\n");
        }
    }
    Crowd { text, lasts }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_as_many_jobs_as_it_takes() {
        let check = |runs: u64, days: u64, jobs: usize, expect_days: u64| {
            let crowd = crowd(runs, days);
            assert_eq!(crowd.text.matches("schedule").count(), jobs);
            let whole = (crowd.lasts.as_secs() + 43_200) / 86_400;
            assert_eq!(whole, expect_days, "{:?}", crowd.lasts);
        };
        check(1_000_000, 30, 570, 30);
        check(10_000_000, 30, 5750, 30);
        check(1_000, 30, 10, 2);
        check(1, 30, 10, 0);
    }
}

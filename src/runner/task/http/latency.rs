//! How long did the answers take, all together?

use std::time::Duration;

use crate::job::{Ceiling, Percentile};

/// The latencies of all answers, fastest first.
#[derive(Debug)]
pub struct Latencies {
    sorted: Vec<Duration>,
}

impl Latencies {
    pub fn of(mut latencies: Vec<Duration>) -> Self {
        latencies.sort_unstable();
        Self { sorted: latencies }
    }

    /// The latency than which so many of a hundred were not slower: one that was measured, by the nearest rank.
    pub fn at(&self, percentile: Percentile) -> Option<Duration> {
        let rank = (self.sorted.len() * percentile.hundredths()).div_ceil(100);
        self.sorted.get(rank.checked_sub(1)?).copied()
    }

    pub fn in_words(&self) -> Option<String> {
        let one = |percentile: Percentile| Some(format!("{} {}", percentile.word(), in_words(self.at(percentile)?)));
        let all: Option<Vec<String>> = Percentile::ALL.into_iter().map(one).collect();
        all.map(|all| all.join(", "))
    }

    /// Which ceilings they are above.
    pub fn above(&self, ceilings: &[Ceiling]) -> Vec<String> {
        let above = |ceiling: &Ceiling| {
            let found = self.at(ceiling.percentile).filter(|found| *found > ceiling.limit)?;
            let (word, limit) = (ceiling.percentile.word(), in_words(ceiling.limit));
            Some(format!("{word} is {}, above {limit}", in_words(found)))
        };
        ceilings.iter().filter_map(above).collect()
    }
}

/// A duration as people compare it.
pub fn in_words(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 1.0 { format!("{:.1} ms", seconds * 1000.0) } else { format!("{seconds:.2} s") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn latencies(milliseconds: impl IntoIterator<Item = u64>) -> Latencies {
        Latencies::of(milliseconds.into_iter().map(Duration::from_millis).collect())
    }

    #[test]
    fn a_percentile_is_a_latency_that_was_measured() {
        let hundred = latencies((1..=100).rev());
        let of = |latencies: &Latencies| Percentile::ALL.map(|p| latencies.at(p).map(|found| found.as_millis()));
        assert_eq!(of(&hundred), [50, 90, 95, 99, 100].map(Some));
        assert_eq!(of(&latencies([7])), [7; 5].map(Some));
        assert_eq!(of(&latencies([1, 2, 3])), [2, 3, 3, 3, 3].map(Some));
        assert_eq!(of(&latencies([])), [None; 5]);
        assert_eq!(latencies([]).in_words(), None);
    }

    #[test]
    fn a_ceiling_itself_is_no_failure() {
        let ceiling = |limit| Ceiling { percentile: Percentile::P95, limit: Duration::from_millis(limit) };
        let hundred = latencies(1..=100);
        assert_eq!(hundred.above(&[ceiling(95)]), Vec::<String>::new());
        assert_eq!(hundred.above(&[ceiling(94)]), ["p95 is 95.0 ms, above 94.0 ms"]);
    }
}

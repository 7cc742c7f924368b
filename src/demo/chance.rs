//! What comes of chance? Numbers that look like it, and are the same for the same seed and words.

use crate::schedule::spread;

/// Where all numbers of a demo come from.
#[derive(Debug, Clone, Copy)]
pub struct Chance {
    seed: u64,
}

/// The numbers of one attempt, one after another.
#[derive(Debug, Clone)]
pub struct Dice {
    state: u64,
}

impl Chance {
    pub fn new(seed: u64) -> Self {
        Self { seed }
    }

    /// The dice of an attempt: by the names of job and step, the number of the run, and that of the attempt.
    pub fn dice(self, job: &str, step: &str, number: u64, attempt: u32) -> Dice {
        let words: [&[u8]; 5] =
            [&self.seed.to_le_bytes(), job.as_bytes(), step.as_bytes(), &number.to_le_bytes(), &attempt.to_le_bytes()];
        Dice { state: spread(&words, u64::MAX) }
    }
}

impl Dice {
    /// SplitMix64.
    fn roll(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut number = self.state;
        number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        number ^ number >> 31
    }

    /// From `low` to `high`, itself excluded.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        low + self.roll() % high.saturating_sub(low).max(1)
    }

    /// Whether something happens that happens in so many of a thousand cases.
    pub fn happens(&mut self, per_mille: u64) -> bool {
        self.between(0, 1000) < per_mille
    }

    /// About so much: give or take `percent`, mostly near the middle, now and then twice as much.
    pub fn about(&mut self, usual: u64, percent: u64) -> u64 {
        let width = usual.saturating_mul(percent) / 100;
        let both = self.between(0, width + 1) + self.between(0, width + 1);
        let near = usual.saturating_sub(width).saturating_add(both);
        if self.happens(15) { near.saturating_mul(2) } else { near }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_words_give_the_same_numbers() {
        let rolls = |seed: u64, job: &str, number: u64| {
            let mut dice = Chance::new(seed).dice(job, "", number, 1);
            [0; 4].map(|_| dice.between(0, 1_000_000))
        };
        assert_eq!(rolls(1, "a", 1), rolls(1, "a", 1));
        for other in [rolls(2, "a", 1), rolls(1, "b", 1), rolls(1, "a", 2)] {
            assert_ne!(rolls(1, "a", 1), other);
        }
    }

    #[test]
    fn numbers_stay_where_they_belong() {
        let mut dice = Chance::new(7).dice("job", "", 1, 1);
        let (mut often, mut sum) = (0, 0);
        for _ in 0..10_000 {
            assert!((3..9).contains(&dice.between(3, 9)));
            assert_eq!((dice.between(5, 5), dice.happens(0), dice.happens(1000)), (5, false, true));
            often += u64::from(dice.happens(100));
            let about = dice.about(1000, 30);
            assert!((700..=2600).contains(&about), "{about}");
            sum += about;
        }
        assert!((850..1150).contains(&often) && (990..1040).contains(&(sum / 10_000)), "{often} {sum}");
        assert_eq!(dice.about(0, 50), 0);
    }
}

//! Where does a hash put it? Numbers that spread jobs over time, and are the same for the same words for ever.
//!
//! The words are those of a job and of its machine. A number once given must not change with a new version: a job would
//! move to another minute.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

/// FNV-1a over 64 bits.
const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const PRIME: u64 = 0x0100_0000_01b3;

/// A number from 0 to `size`, itself excluded; 0 where there is no choice.
pub fn spread(words: &[&[u8]], size: u64) -> u64 {
    let scaled = (u128::from(hash(words)) * u128::from(size)) >> u64::BITS;
    u64::try_from(scaled).unwrap_or(0)
}

/// What tells one text or file from another version of it, as 16 hexadecimal digits.
pub fn fingerprint(data: &[u8]) -> String {
    format!("{:016x}", fnv(OFFSET_BASIS, data))
}

fn fnv(hash: u64, data: &[u8]) -> u64 {
    data.iter().fold(hash, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(PRIME))
}

fn hash(words: &[&[u8]]) -> u64 {
    // A byte that is in no name stands behind each word, so that "ab" "c" is not "a" "bc".
    let mut hash = words.iter().fold(OFFSET_BASIS, |hash, word| fnv(fnv(hash, word), &[0xff]));
    // FNV leaves names that differ in their last letter close together; the end of SplitMix64 does not.
    hash = (hash ^ hash >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    hash = (hash ^ hash >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    hash ^ hash >> 31
}

/// How much later than its instants a job starts: by a hash of machine, job and instant, so that it is steady on one
/// machine and spread over many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Jitter {
    within: Duration,
    seed: u64,
}

impl Jitter {
    pub fn new(within: Duration, machine: &str, job: &str) -> Self {
        Self { within, seed: hash(&[machine.as_bytes(), job.as_bytes()]) }
    }

    pub fn within(self) -> Duration {
        self.within
    }

    /// How much later than `due` it starts, in whole microseconds: less than `within`, and before the `next` instant.
    pub fn of(self, due: Timestamp, next: Option<Timestamp>) -> SignedDuration {
        let gap = next.map_or(i64::MAX, |next| next.duration_since(due).as_micros().try_into().unwrap_or(i64::MAX));
        let within = i64::try_from(self.within.as_micros()).unwrap_or(i64::MAX).min(gap);
        let size = u64::try_from(within).unwrap_or(0);
        let words: [&[u8]; 2] = [&self.seed.to_le_bytes(), &due.as_microsecond().to_le_bytes()];
        SignedDuration::from_micros(i64::try_from(spread(&words, size)).unwrap_or(0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_first_version() {
        let minute = |name: &str| spread(&[name.as_bytes(), b"minute"], 60);
        assert_eq!(["backup", "report", "a", "b"].map(minute), [14, 3, 15, 5]);
    }

    #[test]
    fn numbers_fill_their_range_evenly() {
        let mut count = [0_u32; 60];
        for number in 0..6_000 {
            let name = format!("job-{number}");
            count[usize::try_from(spread(&[name.as_bytes()], 60)).unwrap()] += 1;
        }
        assert!(count.iter().all(|count| (50..=160).contains(count)), "{count:?}");
        assert_eq!(spread(&[b"x"], 0), 0);
    }

    #[test]
    fn jitter_is_steady_and_ends_before_the_next_instant() {
        let at = |second: i64| Timestamp::from_second(second).unwrap();
        let jitter = Jitter::new(Duration::from_secs(600), "machine", "job");
        let other = Jitter::new(Duration::from_secs(600), "another", "job");
        let (mut differ, mut far) = (0, 0);
        for second in (0..60_000).step_by(60) {
            let by = jitter.of(at(second), Some(at(second + 60)));
            assert_eq!(by, jitter.of(at(second), Some(at(second + 60))));
            assert!(SignedDuration::ZERO <= by && by < SignedDuration::from_secs(60));
            differ += i32::from(by != other.of(at(second), Some(at(second + 60))));
            far += i32::from(jitter.of(at(second), None) > SignedDuration::from_secs(300));
        }
        assert!(differ > 990 && (400..600).contains(&far), "{differ} {far}");
        assert_eq!(Jitter::new(Duration::ZERO, "m", "j").of(at(0), None), SignedDuration::ZERO);
    }
}

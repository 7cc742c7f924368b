//! What the fuzzer asks of schedules, without a fuzzer: of its seeds, of random bytes and of texts that look like patterns.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

#[path = "../fuzz/exercise.rs"]
mod exercise;

use std::fs;
use std::path::Path;

use proptest::prelude::*;

#[test]
fn seeds_hold() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/schedule");
    let seeds: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert!(seeds.len() >= 30);
    for seed in seeds {
        exercise::schedule(&fs::read(seed).unwrap());
    }
}

proptest! {
    #[test]
    fn random_bytes_hold(data in prop::collection::vec(any::<u8>(), 0..60)) {
        exercise::schedule(&data);
    }

    #[test]
    fn what_looks_like_a_pattern_holds(
        head in any::<[u8; 6]>(),
        fields in prop::collection::vec(r"(\*|\?|H|L|[0-9]{1,2}(-[0-9]{1,2})?|[1-7](L|#[1-5])|1?[0-9]W)(/[0-9]{1,2})?", 4..8),
    ) {
        exercise::schedule(&[&head[..], fields.join(" ").as_bytes()].concat());
    }
}

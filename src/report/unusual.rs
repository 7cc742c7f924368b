//! What is not as usual about a run, in words.

use super::shown::{bytes, span};
use super::{Difference, Seconds, Unlike};

/// A sentence for each.
pub fn sentences(differences: &[Difference]) -> Vec<String> {
    differences.iter().map(sentence).collect()
}

fn sentence(difference: &Difference) -> String {
    match difference {
        Difference::Duration(unlike) => {
            let (value, usual) = (span(unlike.value), span(unlike.usual));
            format!("took {} as long as usual ({value}; usually {usual})", times(unlike))
        }
        Difference::Cpu(unlike) => {
            let (value, usual) = (span(unlike.value), span(unlike.usual));
            format!("used {} the usual CPU time ({value}; usually {usual})", times(unlike))
        }
        Difference::Late(Unlike { value, usual, .. }) => {
            format!("began {} late; usually {}", span(*value), span(Seconds(usual.0.max(0.0))))
        }
        Difference::MaxRss(unlike) => sizes("used", "memory", unlike),
        Difference::OutputBytes(unlike) => sizes("wrote", "output", unlike),
        Difference::FirstFailure { after, or_more } => {
            format!("the first failure after {}", row(*after, *or_more, "success", "successes"))
        }
        Difference::FailureInARow { count, or_more } => {
            let least = if *or_more { "at least " } else { "" };
            format!("{least}the {} failure in a row", ordinal(*count))
        }
        Difference::FirstSuccess { after, or_more } => {
            format!("the first success after {}", row(*after, *or_more, "failure", "failures"))
        }
    }
}

fn sizes(did: &str, what: &str, unlike: &Unlike<i64>) -> String {
    let size = |count: i64| if count == 0 { "nothing".to_owned() } else { bytes(count) };
    let (value, usual) = (size(unlike.value), size(unlike.usual));
    match unlike.factor.filter(|_| unlike.value > 0) {
        Some(_) => format!("{did} {} the usual {what} ({value}; usually {usual})", times(unlike)),
        None => format!("{did} {value}; usually {usual}"),
    }
}

/// `3.2×`, `41×`, `0.25×`.
fn times<T>(unlike: &Unlike<T>) -> String {
    let factor = unlike.factor.unwrap_or_default();
    let digits = if factor >= 9.95 {
        0
    } else if factor >= 0.995 {
        1
    } else {
        2
    };
    format!("{factor:.digits$}×")
}

fn row(count: usize, or_more: bool, one: &str, many: &str) -> String {
    match (count, or_more) {
        (1, false) => format!("a {one}"),
        (count, false) => format!("{count} {many}"),
        (count, true) => format!("{count} {many} or more"),
    }
}

fn ordinal(number: usize) -> String {
    let ending = match (number % 10, number % 100) {
        (1, hundredth) if hundredth != 11 => "st",
        (2, hundredth) if hundredth != 12 => "nd",
        (3, hundredth) if hundredth != 13 => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_are_sentences() {
        let seconds = |value: f64, usual: f64| Unlike {
            value: Seconds(value),
            usual: Seconds(usual),
            factor: (usual > 0.0).then(|| value / usual),
        };
        let size = |value: i64, usual: i64| Unlike { value, usual, factor: (usual > 0).then_some(10.4) };
        for (difference, expect) in [
            (Difference::Duration(seconds(12.16, 3.8)), "took 3.2× as long as usual (12.2 s; usually 3.8 s)"),
            (Difference::Duration(seconds(1.0, 4.0)), "took 0.25× as long as usual (1.0 s; usually 4.0 s)"),
            (Difference::Cpu(seconds(50.0, 10.0)), "used 5.0× the usual CPU time (50.0 s; usually 10.0 s)"),
            (Difference::Late(seconds(2.0, 0.001)), "began 2.0 s late; usually 1.0 ms"),
            (Difference::OutputBytes(size(10_650, 1024)), "wrote 10× the usual output (10.4 KiB; usually 1.0 KiB)"),
            (Difference::OutputBytes(size(5000, 0)), "wrote 4.9 KiB; usually nothing"),
            (Difference::OutputBytes(size(0, 5000)), "wrote nothing; usually 4.9 KiB"),
            (Difference::FirstFailure { after: 41, or_more: false }, "the first failure after 41 successes"),
            (Difference::FirstFailure { after: 1, or_more: false }, "the first failure after a success"),
            (Difference::FirstFailure { after: 999, or_more: true }, "the first failure after 999 successes or more"),
            (Difference::FailureInARow { count: 3, or_more: false }, "the 3rd failure in a row"),
            (Difference::FailureInARow { count: 12, or_more: true }, "at least the 12th failure in a row"),
            (Difference::FirstSuccess { after: 2, or_more: false }, "the first success after 2 failures"),
        ] {
            assert_eq!(sentence(&difference), expect);
        }
        assert_eq!(
            [1, 2, 3, 4, 11, 12, 13, 21, 111].map(ordinal).join(" "),
            "1st 2nd 3rd 4th 11th 12th 13th 21st 111th"
        );
    }
}

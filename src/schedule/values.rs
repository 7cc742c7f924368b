//! Which values does a field select, and how is a list of them said?

use std::collections::BTreeSet;

/// So many values are spelled out one by one, so that each uneven step of an hour is: `*/7` selects nine minutes.
pub const MOST_VALUES: usize = 9;

/// What a field selects, in order and each value once. What depends on the month, such as `L`, is no value.
pub fn values(field: &str, low: u16, high: u16) -> Vec<u16> {
    let selected: BTreeSet<u16> = field.split(',').flat_map(|item| item_values(item, low, high)).collect();
    selected.into_iter().filter(|value| (low..=high).contains(value)).collect()
}

fn item_values(item: &str, low: u16, high: u16) -> Vec<u16> {
    let (base, step) = item.split_once('/').unwrap_or((item, "1"));
    let step = step.parse().unwrap_or(1).max(1);
    if base == "*" {
        return (low..=high).step_by(step).collect();
    }
    let (from, to) = base.split_once('-').unwrap_or((base, base));
    match (from.parse(), to.parse()) {
        (Ok(from), Ok(to)) => (from..=to).step_by(step).collect(),
        _ => Vec::new(),
    }
}

/// The distance from each value to the next, if it is always the same.
pub fn step_of(values: &[u16]) -> Option<u16> {
    let [first, second, ..] = values else {
        return None;
    };
    let step = second - first;
    values.windows(2).all(|pair| pair[1] - pair[0] == step).then_some(step)
}

/// The pace of values that follow each other evenly also from one round to the next, beginning with zero.
pub fn pace_of(values: &[u16], round: u16) -> Option<u16> {
    let step = step_of(values)?;
    (values.first() == Some(&0) && values.last() == Some(&(round - step))).then_some(step)
}

/// Consecutive values as their first and last.
pub fn runs_of(values: impl IntoIterator<Item = u16>) -> Vec<(u16, u16)> {
    let mut runs: Vec<(u16, u16)> = Vec::new();
    for value in values {
        match runs.last_mut() {
            Some((_, last)) if value - *last == 1 => *last = value,
            _ => runs.push((value, value)),
        }
    }
    runs
}

/// Three and more consecutive values are said by their ends.
pub fn spans_of(values: &[u16], name: impl Fn(u16) -> String) -> Vec<String> {
    let spans = runs_of(values.iter().copied()).into_iter().flat_map(|(first, last)| match last - first {
        0 => vec![name(first)],
        1 => vec![name(first), name(last)],
        _ => vec![format!("{} to {}", name(first), name(last))],
    });
    spans.collect()
}

pub fn joined(items: &[String], conjunction: &str) -> String {
    match items {
        [] => String::new(),
        [only] => only.clone(),
        [init @ .., last] => format!("{} {conjunction} {last}", init.join(", ")),
    }
}

/// The values of a field behind the noun for them: "minute 5", "hours 1, 3 and 10 to 20", "every 2nd day from 1 to 31".
pub fn numbered(noun: &str, values: &[u16], all: usize) -> String {
    match (values, step_of(values)) {
        _ if values.len() == all => format!("every {noun}"),
        ([only], _) => format!("{noun} {only}"),
        ([first, .., last], Some(step)) if step > 1 && values.len() > MOST_VALUES => {
            format!("every {} {noun} from {first} to {last}", ordinal(step))
        }
        _ => format!("{noun}s {}", joined(&spans_of(values, |value| value.to_string()), "and")),
    }
}

pub fn ordinal(number: u16) -> String {
    let suffix = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_item_is_a_number_a_range_or_a_step() {
        for (field, expect) in [
            ("5", vec![5]),
            ("*/35", vec![0, 35]),
            ("3-5,4,1", vec![1, 3, 4, 5]),
            ("10-20/4", vec![10, 14, 18]),
            ("50-70/9", vec![50, 59]),
            ("*/99", vec![0]),
            ("L,15W,5#2,7", vec![7]),
            ("", vec![]),
        ] {
            assert_eq!(values(field, 0, 59), expect, "{field}");
        }
        assert_eq!(values("*,3", 1, 12), (1..=12).collect::<Vec<_>>());
    }

    #[test]
    fn a_pace_goes_on_in_the_next_round() {
        for (field, pace) in [
            ("*", Some(1)),
            ("*/20", Some(20)),
            ("0,30", Some(30)),
            ("*/35", None),
            ("5-59/10", None),
            ("0-30/10", None),
            ("0", None),
        ] {
            assert_eq!(pace_of(&values(field, 0, 59), 60), pace, "{field}");
        }
    }

    #[test]
    fn ordinals() {
        for (number, expect) in
            [(1, "1st"), (2, "2nd"), (3, "3rd"), (4, "4th"), (11, "11th"), (13, "13th"), (22, "22nd")]
        {
            assert_eq!(ordinal(number), expect);
        }
    }
}

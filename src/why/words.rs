//! How are times and lengths said in a sentence?

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};

/// The clocks by which the answer is read.
pub struct Words {
    pub zone: TimeZone,
    pub now: Timestamp,
}

impl Words {
    /// A time as those clocks show it; of today without the day.
    pub fn time(&self, at: Timestamp) -> String {
        let (at, now) = (at.to_zoned(self.zone.clone()), self.now.to_zoned(self.zone.clone()));
        let day = match (at.date().duration_since(now.date())).as_hours() / 24 {
            0 => "today",
            -1 => "yesterday",
            1 => "tomorrow",
            _ => return at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
        };
        format!("{day} {}", at.strftime("%H:%M:%S"))
    }

    /// A time, and how it is shown where the job lives, if that is somewhere else.
    pub fn time_and_there(&self, at: Timestamp, zone: Option<&TimeZone>) -> String {
        let here = self.time(at);
        let elsewhere = zone.filter(|zone| zone.to_offset(at) != self.zone.to_offset(at));
        elsewhere.map_or(here.clone(), |zone| {
            let there = at.to_zoned(zone.clone());
            format!("{here} ({} {})", there.strftime("%H:%M:%S"), zone.iana_name().unwrap_or("there"))
        })
    }

    /// How far away a time is: `in 3h 5m`, `2m 10s ago`.
    pub fn distance(&self, at: Timestamp) -> String {
        let distance = at.duration_since(self.now);
        if distance.is_negative() { format!("{} ago", length(-distance)) } else { format!("in {}", length(distance)) }
    }
}

/// A length of time in two units at most.
pub fn length(length: SignedDuration) -> String {
    let whole = length.as_secs();
    let two = |a: i64, unit_a: &str, b: i64, unit_b: &str| {
        if b == 0 { format!("{a}{unit_a}") } else { format!("{a}{unit_a} {b}{unit_b}") }
    };
    match whole {
        0 => format!("{} ms", length.as_millis()),
        1..60 => format!("{whole} s"),
        60..3600 => two(whole / 60, "m", whole % 60, "s"),
        3600..86_400 => two(whole / 3600, "h", whole / 60 % 60, "m"),
        _ => two(whole / 86_400, "d", whole / 3600 % 24, "h"),
    }
}

/// `a`, `a and b`, `a, b and c`.
pub fn listed(words: &[String]) -> String {
    match words {
        [] => String::new(),
        [only] => only.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

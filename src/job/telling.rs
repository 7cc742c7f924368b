//! What do people want to hear of a job?

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::channel::{Channel, Target};
use crate::schedule::duration_text;

/// Most jobs have what many others have, and share it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Telling {
    /// Whom to tell: every channel of the file, where the job does not say.
    pub channels: Vec<Arc<Channel>>,
    pub slow_after: Option<SlowAfter>,
    /// Without a success, whatever the cause.
    pub overdue_after: Option<Duration>,
    /// Who is told of the start and the end of each run, in the manner of healthchecks.io.
    pub ping: Option<Target>,
}

/// From when on a run takes long.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SlowAfter {
    Time(Duration),
    /// So many hundredths of what nineteen of its last twenty successes did not exceed.
    Usual(u32),
}

impl SlowAfter {
    /// Reads `3x` and `1.5x`, which are more than once the usual; `None` where the text is no such number.
    pub fn times(text: &str) -> Option<Self> {
        let number = text.trim().strip_suffix(['x', 'X'])?.trim_end();
        let (whole, part) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(part) || part.len() > 2 {
            return None;
        }
        let hundredths = whole.parse::<u32>().ok()?.checked_mul(100)?;
        let rest: u32 = format!("{part:0<2}").parse().ok()?;
        hundredths.checked_add(rest).filter(|times| *times > 100).map(Self::Usual)
    }
}

impl fmt::Display for SlowAfter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(duration) => f.write_str(&duration_text(*duration)),
            Self::Usual(hundredths) if hundredths % 100 == 0 => write!(f, "{}x", hundredths / 100),
            Self::Usual(hundredths) => {
                let text = format!("{}.{:02}", hundredths / 100, hundredths % 100);
                write!(f, "{}x", text.trim_end_matches('0'))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_the_usual_are_read_and_written() {
        for (text, hundredths, again) in
            [("3x", 300, "3x"), (" 1.5 X ", 150, "1.5x"), ("1.05x", 105, "1.05x"), ("20.50x", 2050, "20.5x")]
        {
            let times = SlowAfter::times(text);
            assert_eq!(times, Some(SlowAfter::Usual(hundredths)), "{text}");
            assert_eq!(times.unwrap().to_string(), again);
        }
        for wrong in ["", "x", "3", "1x", "0.5x", "-3x", "1.x", ".5x", "1.234x", "1e3x", "99999999999x", "3m"] {
            assert_eq!(SlowAfter::times(wrong), None, "{wrong}");
        }
        assert_eq!(SlowAfter::Time(Duration::from_secs(90)).to_string(), "1m 30s");
    }
}

//! Which time do people mean by "yesterday 3am", "2h" or "nov 22"?
//!
//! What is named is a stretch of time: a moment, or a whole day, week, month or year. Whoever asks *since* then takes its
//! first moment, whoever asks *until* then its last, so that "until yesterday" includes yesterday. What is not fully said
//! (a time without a day, a day without a year) is the last such time that was, or, where what is to come is asked for, the
//! next one that will be. A time that the clocks leave out is the end of the gap, as it is for schedules; one that they
//! show twice is both.

mod day;
mod place;
mod words;

use jiff::{Span, Timestamp, Zoned};

use place::instant;

/// A stretch of time, both ends included, in whole microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Meant {
    pub first: Timestamp,
    pub last: Timestamp,
}

/// Which of two times is meant where a text fits both.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Toward {
    Past,
    Future,
}

/// Why a text names no time; the message says what can be written.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is no time: {why}{}", examples(why))]
pub struct WhenError {
    pub text: String,
    pub why: String,
}

/// What can be written, unless it is said already what was meant.
fn examples(why: &str) -> &'static str {
    if why.ends_with('?') {
        return "";
    }
    "; write for example \"yesterday 3am\", \"2h\", \"monday\", \"nov 22\", \"2026-11-22 02:30\" or \"@1763778600\""
}

impl Meant {
    fn moment(at: Timestamp) -> Self {
        Self { first: at, last: at }
    }
}

/// Reads a time as people write it. `now` also says in which zone they live.
pub fn meant(text: &str, now: &Zoned, toward: Toward) -> Result<Meant, WhenError> {
    let trimmed = text.trim();
    let found = match trimmed {
        "" => Err("it is empty".to_owned()),
        _ => match at_once(trimmed, now, toward) {
            Some(found) => found,
            None => words::read(trimmed).and_then(|spoken| spoken.place(now, toward)),
        },
    };
    found.map_err(|why| WhenError { text: text.to_owned(), why })
}

/// The first such day after the one that it is now, where the text is the name of a weekday and no more.
pub fn weekday_after(text: &str, now: &Zoned) -> Option<Meant> {
    let lower = text.trim().to_lowercase();
    let tomorrow = now.tomorrow().ok()?;
    words::weekday(&lower).and_then(|_| meant(&lower, &tomorrow, Toward::Future).ok())
}

/// What is no row of words: a count of seconds, a time with its offset, a distance from now.
fn at_once(text: &str, now: &Zoned, toward: Toward) -> Option<Result<Meant, String>> {
    if let Some(seconds) = text.strip_prefix('@') {
        return Some(since_the_epoch(seconds));
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(Ok(Meant::moment(at)));
    }
    let lower = text.to_lowercase();
    let (distance, toward) = match (lower.strip_prefix("in "), lower.strip_suffix(" ago")) {
        (Some(distance), None) => (distance, Toward::Future),
        (None, Some(distance)) => (distance, Toward::Past),
        _ => match (lower.strip_prefix('+'), lower.strip_prefix('-')) {
            (Some(distance), _) => (distance, Toward::Future),
            (_, Some(distance)) => (distance, Toward::Past),
            _ => (lower.as_str(), toward),
        },
    };
    let one = distance.strip_prefix("an ").or_else(|| distance.strip_prefix("a "));
    // With colons it is a time of day, as tables show it.
    if one.is_none() && distance.contains(':') {
        return None;
    }
    let counted = one.map_or_else(|| with_minutes(distance), |rest| format!("1 {rest}"));
    let span: Span = counted.parse().ok().filter(|span: &Span| !span.is_negative())?;
    let at = match toward {
        Toward::Past => now.checked_sub(span),
        Toward::Future => now.checked_add(span),
    };
    Some(at.map(|at| instant(at.timestamp())).map_err(|_| "it is further away than time can be counted".to_owned()))
}

/// `1h30` is an hour and 30 minutes.
fn with_minutes(distance: &str) -> String {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    match distance.rsplit_once('h') {
        Some((hours, minutes)) if digits(hours) && digits(minutes) => format!("{distance}m"),
        _ => distance.to_owned(),
    }
}

fn since_the_epoch(seconds: &str) -> Result<Meant, String> {
    let wrong = || "behind @ stand seconds since 1970".to_owned();
    let (whole, fraction) = seconds.split_once('.').unwrap_or((seconds, ""));
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if fraction.len() > 9 || !digits(fraction) {
        return Err(wrong());
    }
    let nanoseconds: i32 = format!("{fraction:0<9}").parse().map_err(|_| wrong())?;
    let whole: i64 = whole.parse().map_err(|_| wrong())?;
    let nanoseconds = if whole < 0 { -nanoseconds } else { nanoseconds };
    Timestamp::new(whole, nanoseconds)
        .map(instant)
        .map_err(|_| "it is further away than time can be counted".to_owned())
}

#[cfg(test)]
mod tests;

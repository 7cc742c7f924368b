//! What would the writer of this schedule be surprised by? Right, and probably not meant.

use std::ops::Range;
use std::time::Duration;

use super::field::{Kind, Piece};
use super::values::{joined, values};

/// Something to warn of, and where it stands in the schedule's text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trap {
    pub span: Range<usize>,
    pub message: String,
    pub help: String,
}

impl Trap {
    fn new(span: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: help.into() }
    }

    /// The same in a text that has so many bytes more before it.
    #[must_use]
    pub fn behind(self, start: usize) -> Self {
        Self { span: self.span.start + start..self.span.end + start, ..self }
    }
}

const DAY: Duration = Duration::from_secs(86_400);

/// The traps of a pattern's fields.
pub fn of_pattern(fields: &[(Kind, Piece)]) -> Vec<Trap> {
    let field = |kind: Kind| fields.iter().find(|(other, _)| *other == kind).map(|(_, piece)| *piece);
    let mut traps: Vec<Trap> = fields.iter().filter_map(|(kind, piece)| uneven_step(*kind, *piece)).collect();
    if let (Some(second), Some(minute)) = (field(Kind::Second), field(Kind::Minute)) {
        traps.extend(every_second(second, minute, fields));
    }
    if let (Some(minute), Some(hour)) = (field(Kind::Minute), field(Kind::Hour)) {
        traps.extend(every_minute(minute, hour, fields));
    }
    if let (Some(day), Some(month), Some(weekday)) =
        (field(Kind::DayOfMonth), field(Kind::Month), field(Kind::DayOfWeek))
    {
        traps.extend(starred_day(day, weekday));
        traps.extend(either_day(day, weekday));
        traps.extend(missing_day(day, month, weekday));
    }
    traps.sort_by_key(|trap| trap.span.start);
    traps
}

/// The traps of an interval; `text` is the whole schedule.
pub fn of_interval(interval: Duration, text: &str) -> Vec<Trap> {
    if !interval.as_nanos().is_multiple_of(DAY.as_nanos()) {
        return Vec::new();
    }
    let days = interval.as_secs() / DAY.as_secs();
    let help = match days {
        1 => "write \"0 0 * * *\" for every midnight in the job's zone".to_owned(),
        7 => "write for example \"0 0 * * 1\" for a day and time in the job's zone".to_owned(),
        _ => "write a pattern for a time of day in the job's zone, such as \"0 0 1 * *\"".to_owned(),
    };
    let message = "an interval counts from the Unix epoch: this is at 00:00 UTC, not at midnight in the job's zone";
    vec![Trap::new(0..text.len(), message, help)]
}

/// `*/35` begins anew with each round.
fn uneven_step(kind: Kind, field: Piece) -> Option<Trap> {
    let (low, high, noun, round) = match kind {
        Kind::Second => (0, 59, "second", "minute"),
        Kind::Minute => (0, 59, "minute", "hour"),
        Kind::Hour => (0, 23, "hour", "day"),
        Kind::DayOfMonth | Kind::Month | Kind::DayOfWeek | Kind::Year => return None,
    };
    let step: u16 = field.text.strip_prefix("*/")?.parse().ok()?;
    if (high + 1_u16).is_multiple_of(step) {
        return None;
    }
    let values: Vec<String> = values(field.text, low, high).iter().map(ToString::to_string).collect();
    let plural = if values.len() == 1 { "" } else { "s" };
    let message =
        format!("this is {noun}{plural} {} of every {round}, not every {step} {noun}s", joined(&values, "and"));
    let unit = &noun[..1];
    Some(Trap::new(field.span(), message, format!("write \"every {step}{unit}\" for an even pace")))
}

/// A pattern of five fields to which somebody added a sixth at the wrong end.
fn every_second(second: Piece, minute: Piece, fields: &[(Kind, Piece)]) -> Option<Trap> {
    if second.text != "*" || minute.text == "*" {
        return None;
    }
    let rest: Vec<&str> = fields.iter().skip(1).map(|(_, piece)| piece.text).collect();
    let message = "with six fields the first one is the second: this fires every second of its minutes";
    Some(Trap::new(second.span(), message, format!("write \"0 {}\" for once in each of them", rest.join(" "))))
}

/// An hour was meant, and each of its minutes was written.
fn every_minute(minute: Piece, hour: Piece, fields: &[(Kind, Piece)]) -> Option<Trap> {
    let is_one = !hour.text.is_empty() && hour.text.bytes().all(|byte| byte.is_ascii_digit());
    if minute.text != "*" || !is_one || fields.iter().any(|(kind, piece)| *kind == Kind::Second && piece.text == "*") {
        return None;
    }
    let text =
        |(kind, piece): &(Kind, Piece)| if *kind == Kind::Minute { "0".to_owned() } else { piece.text.to_owned() };
    let once = fields.iter().map(text).collect::<Vec<_>>().join(" ");
    let message = format!("this is every minute of the hour: 60 times from {0}:00 to {0}:59", hour.text);
    Some(Trap::new(minute.span(), message, format!("write \"{once}\" for once, or `0-59` if each minute is meant")))
}

/// Both day fields say something: one of them is enough.
fn either_day(day: Piece, weekday: Piece) -> Option<Trap> {
    let says = |piece: Piece| !piece.text.starts_with(['*', '?']);
    if !says(day) || !says(weekday) || weekday.text.starts_with('+') {
        return None;
    }
    let message = format!(
        "one day field is enough: this is on each day `{}` of the month and on each day `{}` of the week",
        day.text, weekday.text
    );
    let help = format!("write `+{}` for the day of the week if both must match", weekday.text);
    Some(Trap::new(weekday.span(), message, help))
}

/// Old cron takes a day field that begins with `*` as unrestricted, so that both must match; here only an exact `*` is.
fn starred_day(day: Piece, weekday: Piece) -> Option<Trap> {
    let is_free = |piece: Piece| piece.text == "*" || piece.text == "?";
    let is_starred = |piece: Piece| piece.text.starts_with('*') && !is_free(piece);
    let starred = [day, weekday].into_iter().find(|piece| is_starred(*piece))?;
    if is_free(day) || is_free(weekday) || weekday.text.starts_with('+') {
        return None;
    }
    let message =
        "either day field may match; other crons take a day field that begins with `*` as free, and want both";
    Some(Trap::new(starred.span(), message, "write `+` before the day of the week if both must match"))
}

/// A day that some of the months do not have.
fn missing_day(day: Piece, month: Piece, weekday: Piece) -> Option<Trap> {
    // The other day field has instants in each month.
    if !matches!(weekday.text, "*" | "?") {
        return None;
    }
    let first = |item: &Piece| item.text.split('-').next().and_then(|first| first.parse::<u16>().ok()).unwrap_or(0);
    let item = day.split(',').find(|item| first(item) > 28)?;
    let number = first(&item);
    let month_field = month.text.to_ascii_uppercase();
    let names = super::field::MONTHS.iter().zip(1..);
    let plain = names.fold(month_field, |text, (name, number)| text.replace(name, &number.to_string()));
    let days = |month: u16| match month {
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    };
    if values(&plain, 1, 12).into_iter().all(|month| number <= days(month)) {
        return None;
    }
    let help = match number {
        29 => "write `28`, or `L` for the last day of the month",
        _ => "write `L` for the last day of the month",
    };
    let which = if number == 29 { "a February" } else { "a month" };
    Some(Trap::new(item.span(), format!("{which} that has no day {number} has no run"), help))
}

#[cfg(test)]
mod tests {
    use super::super::Schedule;

    /// The texts under the carets, and what is said about each.
    #[track_caller]
    fn check(text: &str, expect: &[(&str, &str, &str)]) {
        let schedule = Schedule::parse(text, "job").unwrap();
        let found: Vec<_> = schedule.traps().iter().map(|trap| &text[trap.span.clone()]).collect();
        assert_eq!(found, expect.iter().map(|(place, ..)| *place).collect::<Vec<_>>(), "{text}");
        for (trap, (_, message, help)) in schedule.traps().iter().zip(expect) {
            assert!(trap.message.contains(message) && trap.help.contains(help), "{text}: {trap:?}");
        }
    }

    #[test]
    fn what_is_probably_not_meant_has_a_place_and_another_spelling() {
        check("* */10 * * * *", &[("*", "every second", "\"0 */10 * * * *\"")]);
        check("*/35 * * * *", &[("*/35", "minutes 0 and 35 of every hour, not every 35 minutes", "every 35m")]);
        check("*/59 0 * * * *", &[("*/59", "seconds 0 and 59 of every minute", "every 59s")]);
        check("0 */5 * * *", &[("*/5", "hours 0, 5, 10, 15 and 20 of every day", "every 5h")]);
        check("*/90 * * * *", &[("*/90", "minute 0 of every hour, not every 90", "every 90m")]);
        check("0 0 */2 * MON", &[("*/2", "either day field", "`+`")]);
        check("0 0 1 * */2", &[("*/2", "either day field", "`+`")]);
        check("0 0 31 * *", &[("31", "no day 31", "`L`")]);
        check("0 0 1,30 * *", &[("30", "no day 30", "`L`")]);
        check("0 0 29-31 * *", &[("29-31", "no day 29", "`L`")]);
        check("0 0 29 2 *", &[("29", "a February that has no day 29", "`28`")]);
        check("  0 0 30 FEB,mar ?", &[("30", "no day 30", "`L`")]);
        check("* 3 * * *", &[("*", "every minute of the hour: 60 times", "\"0 3 * * *\"")]);
        check("0 0 13 * 5", &[("5", "one day field is enough", "`+5`")]);
        check("every 1d", &[("every 1d", "00:00 UTC", "0 0 * * *")]);
        check("every 2w", &[("every 2w", "00:00 UTC", "pattern")]);
    }

    #[test]
    fn what_is_meant_is_left_alone() {
        for text in [
            "*/15 * * * *",
            "* * * * * *",
            "*/20 * * * * *",
            "0 */10 * * * *",
            "0 */6 * * *",
            "0 0 */2 * *",
            "0 0 */2 * +MON",
            "0 0 31 1,3,JUL *",
            "0-59 3 * * *",
            "* 9-17 * * *",
            "* * 3 * * *",
            "0 0 13 * +5",
            "0 0 L * *",
            "0 0 25-31 * *",
            "every 6h",
            "every 36h",
            "every 1d after end",
            "@daily",
            "@monthly",
        ] {
            check(text, &[]);
        }
    }
}

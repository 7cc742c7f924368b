//! What is this `OnCalendar` as a schedule of ours?

use super::super::quote::in_remark;

/// A schedule, and the zone in which it holds if it names one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Calendar {
    pub schedule: String,
    pub zone: Option<String>,
}

const SHORTHANDS: [(&str, &str); 13] = [
    ("minutely", "*-*-* *:*:00"),
    ("hourly", "*-*-* *:00:00"),
    ("daily", "*-*-* 00:00:00"),
    ("weekly", "Mon *-*-* 00:00:00"),
    ("monthly", "*-*-01 00:00:00"),
    ("yearly", "*-01-01 00:00:00"),
    ("annually", "*-01-01 00:00:00"),
    ("anually", "*-01-01 00:00:00"),
    ("quarterly", "*-01,04,07,10-01 00:00:00"),
    ("biannually", "*-01,07-01 00:00:00"),
    ("bi-annually", "*-01,07-01 00:00:00"),
    ("semiannually", "*-01,07-01 00:00:00"),
    ("semi-annually", "*-01,07-01 00:00:00"),
];

const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// Some values of a field: one, a range, or from one on in steps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Part {
    first: u32,
    last: Option<u32>,
    step: Option<u32>,
}

/// A field: all values, or those of its parts.
type Field = Option<Vec<Part>>;

struct Date {
    year: Field,
    month: Field,
    day: Field,
    /// Days are counted from the end of the month.
    from_end: bool,
}

struct Time {
    hour: Field,
    minute: Field,
    second: Field,
}

/// Reads an expression; the error says what is wrong with it, or what of it has no pattern.
pub fn calendar(text: &str, is_zone: &dyn Fn(&str) -> bool) -> Result<Calendar, String> {
    let (body, zone) = without_zone(text.trim(), is_zone);
    let lower = body.to_ascii_lowercase();
    let spelt_out = SHORTHANDS.iter().find(|(word, _)| *word == lower).map_or(body, |(_, meant)| meant);
    let mut words = spelt_out.split_whitespace().peekable();
    if let Some(seconds) = spelt_out.strip_prefix('@') {
        let second: i64 = seconds.parse().map_err(|_| unreadable(text))?;
        let at = jiff::Timestamp::from_second(second).map_err(|_| unreadable(text))?;
        return Ok(Calendar { schedule: format!("at {at}"), zone: None });
    }
    let is_weekdays = |word: &&str| word.starts_with(|c: char| c.is_ascii_alphabetic());
    let weekdays = words.next_if(is_weekdays).map(|word| weekdays(word).ok_or_else(|| unreadable(text))).transpose()?;
    let is_date = |word: &&str| !word.contains(':');
    let date = words.next_if(is_date).map(|word| date(word).ok_or_else(|| unreadable(text))).transpose()?;
    let time = words.next().map(|word| time(word).ok_or_else(|| unreadable(text))?).transpose()?;
    if words.next().is_some() || weekdays.is_none() && date.is_none() && time.is_none() {
        return Err(unreadable(text));
    }
    let date = date.unwrap_or(Date { year: None, month: None, day: None, from_end: false });
    let zero = || Some(vec![Part { first: 0, last: None, step: None }]);
    let time = time.unwrap_or(Time { hour: zero(), minute: zero(), second: zero() });
    let schedule =
        once(weekdays.as_deref(), &date, &time).map_or_else(|| pattern(weekdays.as_deref(), &date, &time), Ok)?;
    Ok(Calendar { schedule, zone })
}

fn unreadable(text: &str) -> String {
    format!("`{}` is no calendar expression of systemd's", in_remark(text))
}

fn without_zone<'t>(text: &'t str, is_zone: &dyn Fn(&str) -> bool) -> (&'t str, Option<String>) {
    match text.rsplit_once(char::is_whitespace) {
        Some((body, "UTC" | "utc")) => (body.trim_end(), Some("UTC".to_owned())),
        Some((body, zone)) if zone.contains('/') && !zone.contains(':') && is_zone(zone) => {
            (body.trim_end(), Some(zone.to_owned()))
        }
        Some((body, zone)) if zone.starts_with(|c: char| c.is_ascii_alphabetic()) && is_zone(zone) => {
            (body.trim_end(), Some(zone.to_owned()))
        }
        _ => (text, None),
    }
}

/// Days of the week, from Monday, which is 1, to Sunday, which is 7.
fn weekdays(word: &str) -> Option<Vec<Part>> {
    let number = |name: &str| {
        let name = name.to_ascii_lowercase();
        let at = WEEKDAYS.iter().position(|full| *full == name || full[..3] == name)?;
        u32::try_from(at + 1).ok()
    };
    let mut parts = Vec::new();
    for item in word.split(',').filter(|item| !item.is_empty()) {
        let range = item.split_once("..").or_else(|| item.split_once('-'));
        let (first, last) = match range {
            Some((first, last)) => (number(first)?, Some(number(last)?)),
            None => (number(item)?, None),
        };
        if last.is_some_and(|last| last < first) {
            return None;
        }
        parts.push(Part { first, last, step: None });
    }
    (!parts.is_empty()).then_some(parts)
}

fn date(word: &str) -> Option<Date> {
    let from_end = word.contains('~');
    let (front, day) = if from_end { word.split_once('~')? } else { word.rsplit_once('-')? };
    let (year, month) = match front.split_once('-') {
        Some((year, month)) => (field(year, 1970, 4999)?, field(month, 1, 12)?),
        None => (None, field(front, 1, 12)?),
    };
    let year = year.map(|parts| parts.into_iter().map(whole_year).collect());
    Some(Date { year, month, day: field(day, 1, 31)?, from_end })
}

/// Years of two digits are those around 2000.
fn whole_year(part: Part) -> Part {
    let whole = |year: u32| match year {
        0..=69 => year + 2000,
        70..=99 => year + 1900,
        _ => year,
    };
    Part { first: whole(part.first), last: part.last.map(whole), step: part.step }
}

fn time(word: &str) -> Option<Result<Time, String>> {
    let parts: Vec<&str> = word.split(':').collect();
    let (hour, minute, second) = match parts[..] {
        [hour, minute] => (hour, minute, "0"),
        [hour, minute, second] => (hour, minute, second),
        _ => return None,
    };
    let second = second.replace("..", "\u{0}");
    if second.split([',', '/', '\u{0}']).any(|part| part.trim_end_matches('0').trim_end_matches('.').contains('.')) {
        return Some(Err("fractions of a second have no pattern".to_owned()));
    }
    let whole: Vec<String> = second
        .split('\u{0}')
        .map(|part| part.split(',').map(|item| item.split('.').next().unwrap_or(item)).collect::<Vec<_>>().join(","))
        .collect();
    let second = field(&whole.join(".."), 0, 59)?;
    Some(Ok(Time { hour: field(hour, 0, 23)?, minute: field(minute, 0, 59)?, second }))
}

/// `None` if the text is no field; `Some(None)` for `*`.
#[allow(clippy::option_option)]
fn field(text: &str, low: u32, high: u32) -> Option<Field> {
    if text == "*" {
        return Some(None);
    }
    let number = |text: &str| -> Option<u32> {
        let is_number = !text.is_empty() && text.len() <= 4 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|number| is_number && *number <= high && (low > 31 || *number >= low))
    };
    let mut parts = Vec::new();
    for item in text.split(',') {
        let (range, step) = match item.split_once('/') {
            Some((range, step)) => (range, Some(step.parse::<u32>().ok().filter(|step| *step > 0)?)),
            None => (item, None),
        };
        let (first, last) = match range.split_once("..") {
            Some((first, last)) => (number(first)?, Some(number(last)?)),
            None => (number(range)?, None),
        };
        if last.is_some_and(|last| last < first) {
            return None;
        }
        parts.push(Part { first, last, step });
    }
    Some(Some(parts))
}

fn single(field: &Field) -> Option<u32> {
    match field.as_deref() {
        Some([Part { first, last: None, step: None }]) => Some(*first),
        _ => None,
    }
}

/// One day and time, which is no pattern.
fn once(weekdays: Option<&[Part]>, date: &Date, time: &Time) -> Option<String> {
    if weekdays.is_some() || date.from_end {
        return None;
    }
    let (year, month, day) = (single(&date.year)?, single(&date.month)?, single(&date.day)?);
    let (hour, minute, second) = (single(&time.hour)?, single(&time.minute)?, single(&time.second)?);
    Some(format!("at {year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}"))
}

fn pattern(weekdays: Option<&[Part]>, date: &Date, time: &Time) -> Result<String, String> {
    let mut weekday = weekdays.map_or_else(|| "*".to_owned(), |parts| written(&Some(parts.to_vec()), 1, 7));
    let mut day = written(&date.day, 1, 31);
    if date.from_end {
        match (date.day.as_deref(), weekdays) {
            (Some([Part { first: 1, last: None, step: None }]), _) => "L".clone_into(&mut day),
            // The days from the seventh last on have each weekday once.
            (
                Some([Part { first: 7, last: None, step: Some(1) }]),
                Some([Part { first: wanted, last: None, step: None }]),
            ) => {
                "*".clone_into(&mut day);
                weekday = format!("{wanted}L");
            }
            _ => {
                let message = "days counted from the end of a month have no pattern, but for the last day, `~01`, and the \
                               last of a weekday, `Mon *-*~07/1`";
                return Err(message.to_owned());
            }
        }
    }
    if weekday != "*" && day != "*" {
        // Both must match, where the usual is either.
        weekday = format!("+{weekday}");
    }
    let (minute, hour) = (written(&time.minute, 0, 59), written(&time.hour, 0, 23));
    let (second, month) = (written(&time.second, 0, 59), written(&date.month, 1, 12));
    let five = format!("{minute} {hour} {day} {month} {weekday}");
    let year = written(&date.year, 1970, 4999);
    Ok(match (second.as_str(), year.as_str()) {
        ("0", "*") => five,
        (_, "*") => format!("{second} {five}"),
        _ => format!("{second} {five} {year}"),
    })
}

fn written(field: &Field, low: u32, high: u32) -> String {
    let Some(parts) = field else {
        return "*".to_owned();
    };
    let one = |part: &Part| match (part.last, part.step) {
        (None, None) => part.first.to_string(),
        (None, Some(step)) if part.first + step > high => part.first.to_string(),
        (None, Some(1)) if part.first == low => "*".to_owned(),
        (None, Some(step)) if part.first == low && parts.len() == 1 => format!("*/{step}"),
        (None, Some(step)) => format!("{}-{high}/{step}", part.first),
        (Some(last), None) if last == part.first => last.to_string(),
        (Some(last), None) => format!("{}-{last}", part.first),
        (Some(last), Some(step)) => format!("{}-{last}/{step}", part.first),
    };
    let written: Vec<String> = parts.iter().map(one).collect();
    if written.iter().any(|part| part == "*") { "*".to_owned() } else { written.join(",") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schedule::Schedule;

    fn read(text: &str) -> Result<Calendar, String> {
        calendar(text, &|zone| zone == "Europe/Berlin")
    }

    #[test]
    fn expressions_become_schedules() {
        for (text, expect) in [
            ("hourly", "0 * * * *"),
            ("daily", "0 0 * * *"),
            ("Weekly", "0 0 * * 1"),
            ("quarterly", "0 0 1 1,4,7,10 *"),
            ("minutely", "* * * * *"),
            ("*:0/10", "*/10 * * * *"),
            ("*:7/10", "7-59/10 * * * *"),
            ("*-*-* 4:00:00", "0 4 * * *"),
            ("Mon..Fri 22:30", "30 22 * * 1-5"),
            ("Sat,Sun *-*-* 8,20:00", "0 8,20 * * 6,7"),
            ("Mon *-*-1..7 03:00", "0 3 1-7 * +1"),
            ("Fri", "0 0 * * 5"),
            ("*-*~01", "0 0 L * *"),
            ("Mon *-*~07/1 05:00", "0 5 * * 1L"),
            ("*:*:0/15", "*/15 * * * * *"),
            ("*-*-* *:00:10..20", "10-20 0 * * * *"),
            ("2026..2028-06-15 12:00", "0 0 12 15 6 * 2026-2028"),
            ("2026-12-31 23:59", "at 2026-12-31T23:59:00"),
            ("*-*-1/2", "0 0 */2 * *"),
            ("1..5/2:00", "0 1-5/2 * * *"),
            ("*-02-29", "0 0 29 2 *"),
            ("06-15", "0 0 15 6 *"),
            ("*:00:00.000", "0 * * * *"),
            ("@0", "at 1970-01-01T00:00:00Z"),
        ] {
            let calendar = read(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!((calendar.schedule.as_str(), calendar.zone.as_deref()), (expect, None), "{text}");
            assert!(Schedule::parse(&calendar.schedule, "x").is_ok(), "{text}");
        }
        for (text, zone) in [("*-*-* 3:00 Europe/Berlin", "Europe/Berlin"), ("daily UTC", "UTC")] {
            assert_eq!(read(text).unwrap().zone.as_deref(), Some(zone), "{text}");
        }
    }

    #[test]
    fn what_has_no_schedule_says_so() {
        for (text, expect) in [
            ("*:00:10.5", "fractions"),
            ("*-*~03", "from the end"),
            ("Mon..Tue *-*~07/1", "from the end"),
            ("soon", "no calendar"),
            ("Fri..Mon", "no calendar"),
            ("*:*/5", "no calendar"),
            ("25:00", "no calendar"),
            ("*-13-01", "no calendar"),
            ("", "no calendar"),
            ("daily Mars/Olympus", "no calendar"),
            ("1:2:3:4", "no calendar"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.contains(expect), "{text}: {error}");
        }
    }
}

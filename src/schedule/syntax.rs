//! What does the text of a cron pattern say, field by field?
//!
//! Checked strictly after the Open Cron Pattern Specification (1.0, and the drafts 1.1 to 1.4), so that an error knows its
//! place and the right spelling. What passes comes out in one plain form: names and hashed values as numbers, `?` as `*`,
//! seconds first.

use std::ops::Range;

use super::ScheduleError;
use super::field::{Kind, Piece, is_digits, number};
use super::spread::spread;

/// A pattern's fields, checked.
#[derive(Debug)]
pub struct Fields<'t> {
    /// Six or seven fields in plain numbers, seconds first.
    pub plain: String,
    /// Whether neither minute nor hour begins with `*`.
    pub fixed: bool,
    /// Whether a field is hashed, so that the same text means something else for another job.
    pub hashed: bool,
    /// Where the fields that choose a day stand in the text.
    pub days: Range<usize>,
    /// The fields as they were written.
    pub written: Vec<(Kind, Piece<'t>)>,
}

impl<'t> Fields<'t> {
    /// Reads five fields (minute, hour, day of month, month, day of week), six (second first) or seven (year last). `job`
    /// is the name from which `H` is hashed.
    pub fn read(text: &'t str, job: &str) -> Result<Self, ScheduleError> {
        let fields = Piece::words(text);
        let Some(kinds) = Kind::layout(fields.len()) else {
            return Err(wrong_count(text, &fields));
        };
        let mut plain = Vec::with_capacity(7);
        for (kind, field) in kinds.iter().zip(&fields) {
            plain.push(plain_field(*kind, *field, job)?);
        }
        if kinds[0] != Kind::Second {
            plain.insert(0, "0".to_owned());
        }
        // The day of the month is the third field behind the seconds, and month and weekday follow it.
        let day = kinds.iter().position(|kind| *kind == Kind::DayOfMonth).unwrap_or(0);
        let [minute, hour, days @ ..] = &fields[day - 2..=day + 2] else {
            return Err(wrong_count(text, &fields));
        };
        let starred = |field: &Piece| field.text.starts_with('*');
        Ok(Self {
            plain: plain.join(" "),
            fixed: !starred(minute) && !starred(hour),
            hashed: fields.iter().any(|field| field.split(',').any(is_hashed)),
            days: days[0].start..days[2].span().end,
            written: kinds.iter().copied().zip(fields.iter().copied()).collect(),
        })
    }
}

fn wrong_count(text: &str, fields: &[Piece]) -> ScheduleError {
    let count = fields.len();
    let message = format!("a cron pattern has 5, 6 or 7 fields; this has {count}");
    // With too many fields the surplus is what is wrong; with too few, the whole.
    let span = fields.get(7).map_or(0..text.len(), |surplus| surplus.start..text.len());
    ScheduleError::new(span, message)
        .help("[second] minute hour day-of-month month day-of-week [year], for example \"30 2 * * *\"")
}

/// The field in the plain form that croner reads.
fn plain_field(kind: Kind, field: Piece, job: &str) -> Result<String, ScheduleError> {
    let (prefix, body) = match field.text.strip_prefix('+') {
        Some(rest) if kind == Kind::DayOfWeek => ("+", Piece { text: rest, start: field.start + 1 }),
        Some(_) => {
            return Err(Piece { text: "+", start: field.start }
                .error("`+` belongs to the day-of-week field, where it means that both day fields must match"));
        }
        None => ("", field),
    };
    let items: Vec<String> =
        body.split(',').map(|item| plain_item(kind, item, field, job)).collect::<Result<_, _>>()?;
    if items.len() > 1 {
        check_list(kind, field, &items)?;
    }
    Ok(format!("{prefix}{}", items.join(",")))
}

/// Some items make a list of them mean something else than it seems to.
fn check_list(kind: Kind, field: Piece, items: &[String]) -> Result<(), ScheduleError> {
    let has = |item: &str| items.iter().any(|other| other == item);
    if has("*") {
        let message = format!("`*` already means every {}", kind.name());
        return Err(field.error(message).help("write it alone, or leave it out"));
    }
    if kind == Kind::DayOfMonth && has("L") && has("LW") {
        return Err(field.error("`L` and `LW` do not go together").help("write two schedules"));
    }
    Ok(())
}

fn plain_item(kind: Kind, item: Piece, field: Piece, job: &str) -> Result<String, ScheduleError> {
    if item.text.is_empty() {
        return Err(field.error(format!("the {} field has an empty item", kind.name())));
    }
    if item.text == "?" {
        return if kind.is_day() {
            Ok("*".to_owned())
        } else {
            Err(item.error("`?` belongs to the day fields").help("write `*`"))
        };
    }
    if is_hashed(item) {
        return hashed(kind, item, job);
    }
    if let Some((base, step)) = item.split_once('/') {
        return plain_step(kind, item, base, step);
    }
    if item.text == "*" {
        return Ok("*".to_owned());
    }
    match kind {
        Kind::DayOfMonth => {
            if let Some(special) = day_of_month_special(item)? {
                return Ok(special);
            }
        }
        Kind::DayOfWeek => {
            if let Some(special) = day_of_week_special(item)? {
                return Ok(special);
            }
        }
        Kind::Second | Kind::Minute | Kind::Hour | Kind::Month | Kind::Year => {}
    }
    match item.split_once('-') {
        Some((low, high)) => plain_range(kind, item, low, high, None),
        None => number(kind, item).map(|value| value.to_string()),
    }
}

/// `H`, which no name of a month or weekday begins with.
fn is_hashed(item: Piece) -> bool {
    item.text.starts_with(['H', 'h'])
}

/// `H`, `H(0-29)`, `H/15` and `H(0-29)/10`: a number hashed from the job's name, and where a step begins.
fn hashed(kind: Kind, item: Piece, job: &str) -> Result<String, ScheduleError> {
    if kind == Kind::Year {
        return Err(item.error("`H` has no meaning for the year").help("write `*`, or the years"));
    }
    let (base, step) = item.split_once('/').map_or((item, None), |(base, step)| (base, Some(step)));
    let (low, high) = hashed_range(kind, base)?;
    let values = high - low + 1;
    let number = |choices: u16| {
        let number = spread(&[job.as_bytes(), kind.name().as_bytes()], u64::from(choices));
        low + u16::try_from(number).unwrap_or(0)
    };
    let Some(step) = step else {
        return Ok(number(values).to_string());
    };
    let size = step_size(kind, item, step)?;
    Ok(format!("{}-{high}/{size}", number(values.min(size))))
}

/// From which values `H` chooses. Every month has the day that it chooses, and Sunday is one day.
fn hashed_range(kind: Kind, base: Piece) -> Result<(u16, u16), ScheduleError> {
    let whole = match kind {
        Kind::DayOfMonth => (1, 28),
        Kind::DayOfWeek => (0, 6),
        Kind::Second | Kind::Minute | Kind::Hour | Kind::Month | Kind::Year => kind.range(),
    };
    if base.text.len() == 1 {
        return Ok(whole);
    }
    let inner = base.text[1..].strip_prefix('(').and_then(|inner| inner.strip_suffix(')'));
    let Some((low, high)) = inner.and_then(|inner| Piece { text: inner, start: base.start + 2 }.split_once('-')) else {
        return Err(base.error(format!("`{}` is no hashed value", base.text)).help("write `H`, `H(0-29)` or `H/15`"));
    };
    let (from, to) = (number(kind, low)?, number(kind, high)?);
    if from > to {
        return Err(base.error(format!("the range of `{}` runs backwards", base.text)));
    }
    Ok((from, to))
}

fn plain_step(kind: Kind, item: Piece, base: Piece, step: Piece) -> Result<String, ScheduleError> {
    let (low, high) = kind.range();
    let size = step_size(kind, item, step)?;
    if base.text == "*" {
        return Ok(format!("*/{size}"));
    }
    match base.split_once('-') {
        Some((from, to)) => plain_range(kind, base, from, to, Some(size)),
        None if base.text.is_empty() => {
            Err(item.error("a step needs a range before it").help(format!("write `*/{size}`")))
        }
        None => {
            let first = number(kind, base)?;
            let last = if kind == Kind::DayOfWeek { 6.max(first) } else { high };
            let whole = if first == low { format!("*/{size}") } else { format!("{first}-{last}/{size}") };
            Err(item
                .error("a step needs a range before it; cron implementations disagree about a single number")
                .help(format!("write `{whole}`")))
        }
    }
}

fn step_size(kind: Kind, item: Piece, step: Piece) -> Result<u16, ScheduleError> {
    let (_, high) = kind.range();
    let size: u16 = step.text.parse().ok().filter(|_| is_digits(step.text)).ok_or_else(|| {
        item.error(format!("`{}` is no step", step.text)).help(format!("write for example `*/{}`", (high / 4).max(2)))
    })?;
    if size == 0 {
        return Err(item.error("a step of zero would never move on").help("write `*` for every value"));
    }
    Ok(size)
}

fn plain_range(kind: Kind, item: Piece, low: Piece, high: Piece, step: Option<u16>) -> Result<String, ScheduleError> {
    let (from, to) = (number(kind, low)?, number(kind, high)?);
    let step = step.map_or(String::new(), |size| format!("/{size}"));
    if from > to {
        return Err(wrapped(kind, item, from, to, &step));
    }
    Ok(format!("{from}-{to}{step}"))
}

/// A range that runs backwards; the help spells out what was most likely meant.
fn wrapped(kind: Kind, item: Piece, from: u16, to: u16, step: &str) -> ScheduleError {
    let error = item.error(format!("the range `{}` runs backwards", item.text));
    let (first, last) = kind.range();
    if kind == Kind::Year {
        return error;
    }
    let span = |a: u16, b: u16| if a == b { a.to_string() } else { format!("{a}-{b}") };
    if kind == Kind::DayOfWeek {
        // Sunday as 7 often makes one range of it.
        let meant = if to == 0 { span(from, 7) } else { format!("{},{}", span(from, 6), span(0, to)) };
        return error.help(format!("write `{meant}{step}`"));
    }
    error.help(format!("write `{}{step},{}{step}`", span(from, last), span(first, to)))
}

/// `L`, `LW` and `15W`.
fn day_of_month_special(item: Piece) -> Result<Option<String>, ScheduleError> {
    if item.text.eq_ignore_ascii_case("L") || item.text.eq_ignore_ascii_case("LW") {
        return Ok(Some(item.text.to_ascii_uppercase()));
    }
    let Some(day) = item.strip_suffix('W') else {
        return Ok(None);
    };
    if !is_digits(day.text) {
        return Err(item
            .error(format!("`{}` is no day before `W`", day.text))
            .help("write `15W`, or `LW` for the last weekday of the month"));
    }
    number(Kind::DayOfMonth, day).map(|day| Some(format!("{day}W")))
}

/// `5L`, `FRIL`, `5#2` and `FRI#2`.
fn day_of_week_special(item: Piece) -> Result<Option<String>, ScheduleError> {
    if let Some((day, nth)) = item.split_once('#') {
        let day = number(Kind::DayOfWeek, day)?;
        return match nth.text {
            "1" | "2" | "3" | "4" | "5" => Ok(Some(format!("{day}#{}", nth.text))),
            "L" | "l" => Ok(Some(format!("{day}#L"))),
            _ => Err(item.error(format!("`{}` is no week of a month", nth.text)).help("write `#1` to `#5`")),
        };
    }
    match item.strip_suffix('L') {
        Some(day) if day.text.is_empty() => {
            Err(item.error("`L` needs a weekday before it").help("write `5L` for the last Friday of the month"))
        }
        Some(day) => number(Kind::DayOfWeek, day).map(|day| Some(format!("{day}#L"))),
        None => Ok(None),
    }
}

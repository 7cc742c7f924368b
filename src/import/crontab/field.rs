//! What does one of the five fields say, and how is it written here?

use std::ops::Range;

/// A word of a line and where it stands in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Word<'t> {
    pub text: &'t str,
    pub start: usize,
}

impl Word<'_> {
    pub fn span(&self) -> Range<usize> {
        self.start..self.start + self.text.len()
    }
}

/// What is wrong with a line, and where in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wrong {
    pub span: Range<usize>,
    pub message: String,
    pub help: Option<String>,
}

impl Wrong {
    pub fn new(span: Range<usize>, message: impl Into<String>, help: Option<String>) -> Self {
        Self { span, message: message.into(), help }
    }
}

/// One of the five fields.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Minute,
    Hour,
    DayOfMonth,
    Month,
    DayOfWeek,
}

const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const WEEKDAYS: [&str; 7] = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"];

impl Kind {
    pub const ALL: [Self; 5] = [Self::Minute, Self::Hour, Self::DayOfMonth, Self::Month, Self::DayOfWeek];

    fn name(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::DayOfMonth => "day-of-month",
            Self::Month => "month",
            Self::DayOfWeek => "day-of-week",
        }
    }

    fn range(self) -> (u32, u32) {
        match self {
            Self::Minute => (0, 59),
            Self::Hour => (0, 23),
            Self::DayOfMonth => (1, 31),
            Self::Month => (1, 12),
            Self::DayOfWeek => (0, 7),
        }
    }

    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Month => &MONTHS,
            Self::DayOfWeek => &WEEKDAYS,
            Self::Minute | Self::Hour | Self::DayOfMonth => &[],
        }
    }
}

/// A field as it is written here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Field {
    pub text: String,
    /// Whether cron takes it for one that begins with `*`, which decides about days and clock changes.
    pub is_starred: bool,
    /// Whether a value of it is chosen at random.
    pub is_random: bool,
}

impl Field {
    /// Reads a field of a crontab.
    pub fn read(kind: Kind, word: Word) -> Result<Self, Wrong> {
        let mut items = Vec::new();
        let mut start = word.start;
        for text in word.text.split(',') {
            items.push(item(kind, Word { text, start }, word)?);
            start += text.len() + 1;
        }
        let is_starred = word.text.starts_with('*');
        let is_whole = items.iter().any(|item| item.text == "*");
        let (first, last) = kind.range();
        let text = match (is_whole, is_starred) {
            (true, true) => "*".to_owned(),
            // All values, but by cron's rules not those of a `*`.
            (true, false) => format!("{first}-{}", if kind == Kind::DayOfWeek { 6 } else { last }),
            (false, _) => items.iter().map(|item| item.text.as_str()).collect::<Vec<_>>().join(","),
        };
        Ok(Self { text, is_starred, is_random: items.iter().any(|item| item.is_random) })
    }

    pub fn is_free(&self) -> bool {
        self.text == "*"
    }
}

struct Item {
    text: String,
    is_random: bool,
}

fn item(kind: Kind, word: Word, field: Word) -> Result<Item, Wrong> {
    if word.text.is_empty() {
        let message = format!("the {} field has an empty item", kind.name());
        return Err(Wrong::new(field.span(), message, None));
    }
    let (base, step) = match word.text.split_once('/') {
        Some((base, step)) => (Word { text: base, ..word }, Some(step_of(word, base, step)?)),
        None => (word, None),
    };
    let (low, high) = kind.range();
    let behind = step.filter(|step| *step > 1).map_or(String::new(), |step| format!("/{step}"));
    if base.text == "*" {
        return Ok(Item { text: format!("*{behind}"), is_random: false });
    }
    if let Some((from, to)) = base.text.split_once('~') {
        return random(kind, base, from, to, &behind);
    }
    let Some((from, to)) = base.text.split_once('-') else {
        let value = number(kind, base)?;
        if step.is_some() {
            let message = "a step needs a range before it; crons disagree about a single number";
            let last = if kind == Kind::DayOfWeek { 6.max(value) } else { high };
            return Err(Wrong::new(word.span(), message, Some(format!("write `{value}-{last}{behind}`"))));
        }
        return Ok(Item { text: base.text.to_owned(), is_random: false });
    };
    let behind_dash = base.start + from.len() + 1;
    let first = number(kind, Word { text: from, start: base.start })?;
    let last = number(kind, Word { text: to, start: behind_dash })?;
    if first > last {
        let message = format!("the range `{}` runs backwards, and names nothing", base.text);
        let top = if kind == Kind::DayOfWeek { 6 } else { high };
        let span = |a: u32, b: u32| if a == b { a.to_string() } else { format!("{a}-{b}") };
        let help = match (kind, last) {
            (Kind::DayOfWeek, 0) => format!("write `{}{behind}`", span(first, 7)),
            _ => format!("write `{}{behind},{}{behind}`", span(first, top), span(low, last)),
        };
        return Err(Wrong::new(base.span(), message, Some(help)));
    }
    Ok(Item { text: format!("{}{behind}", base.text), is_random: false })
}

/// `~`, `10~20`: a value chosen when the table is read; here one hashed from the job's name.
fn random(kind: Kind, base: Word, from: &str, to: &str, behind: &str) -> Result<Item, Wrong> {
    let (low, high) = match kind {
        Kind::DayOfWeek => (0, 6),
        Kind::DayOfMonth => (1, 28),
        Kind::Minute | Kind::Hour | Kind::Month => kind.range(),
    };
    let behind_tilde = base.start + from.len() + 1;
    let bound = |text: &str, start: usize, otherwise: u32| {
        if text.is_empty() { Ok(otherwise) } else { number(kind, Word { text, start }) }
    };
    let (first, last) = (bound(from, base.start, low)?, bound(to, behind_tilde, high)?);
    if first > last {
        return Err(Wrong::new(base.span(), format!("the range `{}` runs backwards", base.text), None));
    }
    let range = if from.is_empty() && to.is_empty() { String::new() } else { format!("({first}-{last})") };
    Ok(Item { text: format!("H{range}{behind}"), is_random: true })
}

fn step_of(word: Word, base: &str, step: &str) -> Result<u32, Wrong> {
    let start = word.start + base.len() + 1;
    let span = start..start + step.len();
    let is_number = !step.is_empty() && step.len() <= 4 && step.bytes().all(|byte| byte.is_ascii_digit());
    match step.parse() {
        Ok(0) => Err(Wrong::new(word.span(), "a step of zero would never move on", None)),
        Ok(size) if is_number => Ok(size),
        _ => Err(Wrong::new(if span.is_empty() { word.span() } else { span }, format!("`{step}` is no step"), None)),
    }
}

fn number(kind: Kind, word: Word) -> Result<u32, Wrong> {
    let (low, high) = kind.range();
    if let Some(at) = kind.names().iter().position(|name| name.eq_ignore_ascii_case(word.text)) {
        return Ok(low + u32::try_from(at).unwrap_or(0));
    }
    let is_number =
        !word.text.is_empty() && word.text.len() <= 4 && word.text.bytes().all(|byte| byte.is_ascii_digit());
    let value = word.text.parse().ok().filter(|_| is_number);
    let help = match kind.names() {
        [] => format!("it is a number from {low} to {high}, `*`, a range or a list"),
        names => format!("it is a number from {low} to {high}, or a name such as `{}`", names[1]),
    };
    match value {
        None => Err(Wrong::new(word.span(), format!("`{}` is no {}", word.text, kind.name()), Some(help))),
        Some(value) if (low..=high).contains(&value) => Ok(value),
        Some(value) => {
            let message = format!("{value} is out of range: the {} is {low} to {high}", kind.name());
            Err(Wrong::new(word.span(), message, None))
        }
    }
}

/// The five fields as a schedule of ours.
pub fn schedule(fields: &[Field; 5]) -> String {
    let [minute, hour, day, month, weekday] = fields;
    // Where one of the day fields begins with `*`, cron wants both to match; here only an exact `*` is free.
    let both = (day.is_starred || weekday.is_starred) && !day.is_free() && !weekday.is_free();
    let plus = if both { "+" } else { "" };
    format!("{} {} {} {} {plus}{}", minute.text, hour.text, day.text, month.text, weekday.text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Result<String, Wrong> {
        let mut start = 0;
        let mut words = Vec::new();
        for text in text.split(' ') {
            words.push(Word { text, start });
            start += text.len() + 1;
        }
        let fields: Vec<Field> =
            Kind::ALL.iter().zip(words).map(|(kind, word)| Field::read(*kind, word)).collect::<Result<_, _>>()?;
        Ok(schedule(&fields.try_into().unwrap()))
    }

    #[test]
    fn fields_mean_the_same_here() {
        for (text, expect) in [
            ("30 2 * * *", "30 2 * * *"),
            ("*/5 0-6,22 1,15 jan-Mar MON", "*/5 0-6,22 1,15 jan-Mar MON"),
            ("*/1 *,5 * * *", "* * * * *"),
            ("5,* 5 * * *", "0-59 5 * * *"),
            ("0 0 */2 * 1", "0 0 */2 * +1"),
            ("0 0 1 * */2", "0 0 1 * +*/2"),
            ("0 0 */2 * */3", "0 0 */2 * +*/3"),
            ("0 0 */2 * *", "0 0 */2 * *"),
            ("0 0 13 * fri", "0 0 13 * fri"),
            ("0 0 * * sun-sat", "0 0 * * sun-sat"),
            ("0 0 * * 5-7", "0 0 * * 5-7"),
            ("0 0 * * 0-7/7", "0 0 * * 0-7/7"),
            ("~ 0~5 ~10 * *", "H H(0-5) H(1-10) * *"),
            ("~/10 * * * ~", "H/10 * * * H"),
        ] {
            assert_eq!(fields(text).as_deref(), Ok(expect), "{text}");
        }
    }

    #[test]
    fn what_is_wrong_has_a_place() {
        for (text, place, message, help) in [
            ("60 * * * *", "60", "out of range", ""),
            ("* 25 * * *", "25", "0 to 23", ""),
            ("5/15 * * * *", "5/15", "a step needs a range", "`5-59/15`"),
            ("* 22-2 * * *", "22-2", "backwards", "`22-23,0-2`"),
            ("* * * * fri-sun", "fri-sun", "backwards", "`5-7`"),
            ("* * * * sat-mon", "sat-mon", "backwards", "`6,0-1`"),
            ("*/0 * * * *", "*/0", "zero", ""),
            ("*/x * * * *", "x", "no step", ""),
            ("*/ * * * *", "*/", "no step", ""),
            ("1,,2 * * * *", "1,,2", "empty item", ""),
            ("* * * juno *", "juno", "no month", "`feb`"),
            ("* * L * *", "L", "no day-of-month", "1 to 31"),
            ("99999999999999999999 * * * *", "99999999999999999999", "no minute", ""),
            ("9~3 * * * *", "9~3", "backwards", ""),
        ] {
            let wrong = fields(text).unwrap_err();
            assert_eq!(&text[wrong.span.clone()], place, "{text}: {wrong:?}");
            assert!(wrong.message.contains(message), "{text}: {wrong:?}");
            assert!(wrong.help.clone().unwrap_or_default().contains(help), "{text}: {wrong:?}");
        }
    }
}

//! What does this crontab say, line by line?

mod boilerplate;
mod command;
mod field;
mod job;
mod variable;

use std::rc::Rc;

pub use command::line_of;
pub use job::{Imported, import_crontabs};
pub use variable::{assigned, variable};

use super::Text;
use super::sheet::Trouble;
use command::{Command, command};
use field::{Field, Kind, Word, Wrong, schedule};

/// A crontab, and how it is to be read.
#[derive(Debug, Clone)]
pub struct Origin {
    pub text: Text,
    pub owner: Owner,
    /// What its only job may be called.
    pub name: Option<String>,
}

/// As whom the commands of a crontab run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Owner {
    /// As whoever runs the daemon.
    Daemon,
    /// As this user.
    User(String),
    /// As each line says, before the command.
    Column,
}

/// When an entry is due.
#[derive(Debug, Clone, PartialEq, Eq)]
struct When {
    /// As it is written here.
    schedule: String,
    /// The five fields as cron reads them; `None` for what names no instants by them.
    fields: Option<String>,
    is_random: bool,
}

/// A line that starts something.
#[derive(Debug, Clone)]
struct Entry {
    line: usize,
    when: When,
    user: Option<String>,
    command: Command,
    /// Letters of options that the BSDs and cronie know.
    options: Vec<char>,
    /// The variables that hold from here on, each with the line on which it was set.
    variables: Rc<Vec<Variable>>,
    /// The bytes of the text at which the five fields stand.
    span: std::ops::Range<usize>,
    starts_like_a_user: bool,
}

#[derive(Debug, Clone)]
struct Variable {
    name: String,
    value: String,
    line: usize,
    /// The bytes of the text at which it stands.
    span: std::ops::Range<usize>,
}

#[derive(Debug, Clone)]
enum Line {
    Blank,
    Comment(String),
    /// A comment that would be an entry.
    Disabled {
        line: usize,
        text: String,
    },
    Variable,
    Entry(Entry),
    Wrong,
}

/// The lines of a crontab and what is wrong with some of them.
struct Table {
    lines: Vec<Line>,
    troubles: Vec<Trouble>,
    had_returns: bool,
    /// The line that ends with the file instead of a line end.
    unended: Option<usize>,
}

/// So many lines of `#` and blanks before a text are enough.
const COMMENT: &[char] = &['#', ' ', '\t'];

impl Table {
    fn read(source: usize, origin: &Origin) -> Self {
        let text = &origin.text.text;
        let mut table = Self { lines: Vec::new(), troubles: Vec::new(), had_returns: false, unended: None };
        let mut variables = Rc::new(Vec::new());
        let mut start = 0;
        for (at, whole) in text.split('\n').enumerate() {
            let number = at + 1;
            let line = whole.strip_suffix('\r').unwrap_or(whole);
            table.had_returns |= line.len() < whole.len();
            let read = table.line(source, origin, number, start, line, &mut variables);
            let is_last = start + whole.len() == text.len();
            if is_last && matches!(read, Line::Entry(_)) {
                table.unended = Some(number);
            }
            table.lines.push(read);
            start += whole.len() + 1;
        }
        table
    }

    fn line(
        &mut self,
        source: usize,
        origin: &Origin,
        number: usize,
        start: usize,
        line: &str,
        variables: &mut Rc<Vec<Variable>>,
    ) -> Line {
        let body = line.trim_start_matches([' ', '\t']);
        let indent = line.len() - body.len();
        if body.is_empty() {
            return Line::Blank;
        }
        if body.starts_with('#') {
            return comment(number, body, origin);
        }
        let mut wrong = |wrong: Wrong| {
            let span = start + wrong.span.start..start + wrong.span.end;
            self.troubles.push(Trouble { source, line: number, span, message: wrong.message, help: wrong.help });
            Line::Wrong
        };
        let wrong_lines = &origin.text.wrong_lines;
        if let Ok(at) = wrong_lines.binary_search_by_key(&number, |(line, _)| *line) {
            let (_, good) = wrong_lines[at];
            let message = format!("this line is not UTF-8, from byte {} on", good + 1);
            return wrong(Wrong::new(good..good + 3, message, None));
        }
        if let Some(at) = line.find('\0') {
            return wrong(Wrong::new(at..at + 1, "a NUL character, which no command can hold", None));
        }
        if let Some((name, value)) = variable(body) {
            let all = Rc::make_mut(variables);
            all.retain(|known| known.name != name);
            all.push(Variable { name, value, line: number, span: start + indent..start + line.len() });
            return Line::Variable;
        }
        match entry(number, line, indent, &origin.owner) {
            Ok(entry) => {
                let span = start + entry.span.start..start + entry.span.end;
                Line::Entry(Entry { variables: variables.clone(), span, ..entry })
            }
            Err(error) => wrong(error),
        }
    }
}

fn comment(number: usize, body: &str, origin: &Origin) -> Line {
    let text = body.trim_start_matches(COMMENT).trim_end();
    if boilerplate::is_boilerplate(text) {
        return Line::Comment(String::new());
    }
    let is_disabled = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '*' | '@'))
        && entry(number, text, 0, &origin.owner).is_ok();
    if is_disabled {
        return Line::Disabled { line: number, text: text.to_owned() };
    }
    Line::Comment(text.to_owned())
}

/// The words of a line from a byte on, as many as are wanted, and where the rest begins.
fn words(line: &str, from: usize, count: usize) -> (Vec<Word<'_>>, usize) {
    let mut words = Vec::with_capacity(count);
    let blank = |c: char| c == ' ' || c == '\t';
    let mut at = from;
    while words.len() < count {
        let rest = &line[at..];
        let text = rest.trim_start_matches(blank);
        let start = at + rest.len() - text.len();
        let length = text.find(blank).unwrap_or(text.len());
        if length == 0 {
            return (words, start);
        }
        words.push(Word { text: &text[..length], start });
        at = start + length;
    }
    let rest = &line[at..];
    (words, at + rest.len() - rest.trim_start_matches(blank).len())
}

/// Aliases and the fields that they stand for.
const ALIASES: [(&str, &str); 8] = [
    ("@yearly", "0 0 1 1 *"),
    ("@annually", "0 0 1 1 *"),
    ("@monthly", "0 0 1 * *"),
    ("@weekly", "0 0 * * 0"),
    ("@daily", "0 0 * * *"),
    ("@midnight", "0 0 * * *"),
    ("@hourly", "0 * * * *"),
    ("@every_minute", "* * * * *"),
];

fn entry(number: usize, line: &str, indent: usize, owner: &Owner) -> Result<Entry, Wrong> {
    // Red Hat's cron takes a `-` for "do not log this".
    let from = indent + usize::from(line[indent..].starts_with('-'));
    let (when, span, behind) = if line[from..].starts_with('@') { alias(line, from)? } else { pattern(line, from)? };
    let mut at = behind;
    let mut user = match owner {
        Owner::Daemon | Owner::Column => None,
        Owner::User(name) => Some(name.clone()),
    };
    if *owner == Owner::Column {
        let (found, behind) = words(line, at, 1);
        let Some(word) = found.first() else {
            return Err(Wrong::new(line.len().saturating_sub(1)..line.len(), "there is no user and no command", None));
        };
        // FreeBSD writes user:group/class.
        let name = word.text.split([':', '/']).next().unwrap_or_default();
        if name.is_empty() || !is_user(name) || word.text.starts_with('/') {
            let help = "lines of this file have a user before the command".to_owned();
            return Err(Wrong::new(word.span(), format!("`{}` is no user", word.text), Some(help)));
        }
        user = Some(name.to_owned());
        at = behind;
    }
    let mut options: Vec<char> = (from > indent).then_some('-').into_iter().collect();
    while let (Some(word), behind) = first_word(line, at)
        && let Some(letters) = word.text.strip_prefix('-')
        && !letters.is_empty()
        && letters.chars().all(|c| matches!(c, 'n' | 'q' | 's'))
    {
        options.extend(letters.chars());
        at = behind;
    }
    let rest = line[at..].trim_end_matches([' ', '\t']);
    if rest.is_empty() || rest.starts_with('%') {
        return Err(Wrong::new(line.len().saturating_sub(1)..line.len(), "there is no command", None));
    }
    if rest.starts_with('*') {
        let help = "five fields come before the command".to_owned();
        return Err(Wrong::new(at..at + 1, "`*` is no command: there is a field too many", Some(help)));
    }
    let starts_like_a_user = *owner != Owner::Column && rest.starts_with("root ");
    let command = command(rest);
    Ok(Entry { line: number, when, user, command, options, variables: Rc::default(), span, starts_like_a_user })
}

fn first_word(line: &str, at: usize) -> (Option<Word<'_>>, usize) {
    let (words, behind) = words(line, at, 1);
    (words.first().copied(), behind)
}

fn is_user(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '$' | '@' | '\\'))
}

type Read = (When, std::ops::Range<usize>, usize);

fn alias(line: &str, from: usize) -> Result<Read, Wrong> {
    let (words, behind) = words(line, from, 1);
    let word = words.first().copied().unwrap_or(Word { text: "@", start: from });
    let lower = word.text.to_ascii_lowercase();
    if lower == "@reboot" {
        let when = When { schedule: lower, fields: None, is_random: false };
        return Ok((when, word.span(), behind));
    }
    let Some((alias, fields)) = ALIASES.iter().find(|(alias, _)| *alias == lower) else {
        let help = "there are @reboot, @yearly, @annually, @monthly, @weekly, @daily, @midnight and @hourly".to_owned();
        return Err(Wrong::new(word.span(), format!("`{}` is no time that cron knows", word.text), Some(help)));
    };
    let schedule = if *alias == "@every_minute" { (*fields).to_owned() } else { (*alias).to_owned() };
    Ok((When { schedule, fields: Some((*fields).to_owned()), is_random: false }, word.span(), behind))
}

fn pattern(line: &str, from: usize) -> Result<Read, Wrong> {
    let (found, behind) = words(line, from, Kind::ALL.len());
    let span = from..found.last().map_or(line.len(), |word| word.span().end);
    let mut fields = Vec::with_capacity(Kind::ALL.len());
    for (kind, word) in Kind::ALL.iter().zip(&found) {
        fields.push(Field::read(*kind, *word)?);
    }
    let help = || Some("write minute, hour, day of month, month, day of week and the command".to_owned());
    let count = fields.len();
    let Ok(fields) = <[Field; 5]>::try_from(fields) else {
        return Err(Wrong::new(
            span,
            format!("there are five fields before the command; this line has {count}"),
            help(),
        ));
    };
    let is_random = fields.iter().any(|field| field.is_random);
    let texts: Vec<&str> = found.iter().map(|word| word.text).collect();
    let schedule = schedule(&fields);
    Ok((When { schedule, fields: (!is_random).then(|| texts.join(" ")), is_random }, span, behind))
}

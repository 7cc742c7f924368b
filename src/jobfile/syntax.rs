//! Is this text TOML, and where is it not? Everything that is wrong with its form, in words for people.
//!
//! The parser goes on after an error. What it says next about the same line, or after a bracket that was never closed, follows
//! from what it has said before, and is left out. Where only values are wrong, and the tables are what they seem to be, the
//! file is read on.

use std::collections::HashSet;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostics, Lines};
use super::privacy::gives_away;
use super::tokens::Tokens;
use super::wanted::quoted;
use crate::schedule::crontab_line;

/// Nobody mends more at once; a file of a million such errors is no job file.
const MOST_ERRORS: usize = 1000;
/// No file that anybody writes comes near; what is as deep as this has no meaning here.
const DEEPEST: usize = 64;

/// Reads a text; what is wrong with its form is said. The answer is its tables, where they can be relied on.
pub fn read<'t>(text: &'t str, said: &mut Diagnostics) -> Option<DeTable<'t>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    let table = table.into_inner();
    if let Some(deep) = too_deep(&table) {
        said.error("", deep, "this is nested too deeply", Some(SHALLOW.to_owned())).note(DEEP);
        take_apart(table);
        return None;
    }
    if errors.is_empty() {
        return Some(table);
    }
    let tokens = Tokens::of(text, errors.iter().filter_map(|error| Some(error.span()?.start)));
    let said_of_tokens = tokens.wrong.iter().map(|(span, message)| (Some(span.clone()), message.as_str()));
    let mut errors: Vec<(Option<Range<usize>>, &str)> =
        errors.iter().map(|error| (error.span(), error.message())).chain(said_of_tokens).collect();
    errors.sort_by_key(|(span, _)| span.as_ref().map(|span| span.start));
    let mut complaint = Complaint { text, lines: Lines::of(text), tokens: &tokens, is_sound: true };
    complaint.say(&errors, said);
    said.form_ends(&complaint.lines);
    complaint.is_sound.then_some(table)
}

const SHALLOW: &str = "no table of a job file is as deep as this; look for brackets or dots that are too many";
const DEEP: &str = "a job's deepest table is [jobs.NAME.steps.NAME.http.headers.NAME]";

/// What is said about a text that is no TOML.
struct Complaint<'t> {
    text: &'t str,
    lines: Lines<'t>,
    tokens: &'t Tokens,
    /// Whether the tables are what they seem to be, so that it makes sense to look into them.
    is_sound: bool,
}

/// What is wrong, where, and what to write.
struct Finding {
    span: Range<usize>,
    message: String,
    help: Option<String>,
    related: Option<(Range<usize>, String)>,
}

impl Finding {
    fn new(span: Range<usize>, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self { span, message: message.into(), help: Some(help.into()), related: None }
    }
}

impl Finding {
    /// Whoever mends a line with a secret is not told the secret.
    fn keep_secrets_of(&mut self, line: &str) {
        if gives_away(&self.message, line) {
            "this is no value".clone_into(&mut self.message);
        }
        if self.help.as_ref().is_some_and(|help| gives_away(help, line)) {
            let help = "a text stands in quotes; and a secret not in this file, but for example in { env = \"NAME\" }";
            self.help = Some(help.to_owned());
        }
    }
}

impl Complaint<'_> {
    fn say(&mut self, errors: &[(Option<Range<usize>>, &str)], said: &mut Diagnostics) {
        let mut last_line = 0;
        let mut second_headers = HashSet::new();
        for (span, message) in errors {
            let Some(span) = span else {
                self.is_sound = false;
                said.error("", self.most_dots(), "this is nested too deeply", Some(SHALLOW.to_owned())).note(DEEP);
                continue;
            };
            let span = self.on_characters(span);
            let line = self.lines.position(span.start).line;
            if line == last_line {
                continue;
            }
            last_line = line;
            if self.tokens.first.contains_key(&span.start) {
                let header = self.header_before(span.end);
                let is_header = self.lines.position(header).line == line;
                // What stands twice below a header that does follows from that.
                if is_header && !second_headers.insert(header) || !is_header && second_headers.contains(&header) {
                    continue;
                }
            }
            if said.errors.len() >= MOST_ERRORS {
                let message = "and more like these follow; the first thousand are told";
                said.error("", span, message, None);
                break;
            }
            let (mut finding, is_last) = self.find(span, message);
            finding.keep_secrets_of(&self.text[self.lines.line(line)]);
            let found = said.error("", finding.span, finding.message, finding.help);
            found.related = finding.related;
            if is_last {
                break;
            }
        }
    }

    /// What an error of the parser means, and whether all that follows it does so because of it.
    fn find(&mut self, span: Range<usize>, message: &str) -> (Finding, bool) {
        if let Some(first) = self.tokens.first.get(&span.start) {
            return (self.twice(span, first), false);
        }
        if let Some(opening) = self.tokens.unclosed_at(span.start) {
            self.is_sound = false;
            let bracket = if self.text[opening.clone()].starts_with('{') { ("table", "}") } else { ("list", "]") };
            let message = format!("the {} that begins here is not closed", bracket.0);
            let help = format!("write `{}` where it ends", bracket.1);
            return (Finding::new(opening, message, help), true);
        }
        // What stands directly behind a whole text is no part of it.
        let is_behind = |value: &Range<usize>| span.start == value.end && is_whole_text(&self.text[value.clone()]);
        if let Some(value) = self.tokens.scalar_at(span.start).filter(|value| !is_behind(value)) {
            let finding = wrong_value(self.text, &self.lines, value.clone(), &span, message);
            // A text that is never closed has taken in all that follows.
            let is_last = value.end >= self.text.trim_end().len() && self.text[value].contains('\n');
            self.is_sound &= !is_last;
            return (finding, is_last);
        }
        self.is_sound = false;
        (wrong_line(self.text, &self.lines, span, message), false)
    }

    /// Where the last header before a place begins.
    fn header_before(&self, at: usize) -> usize {
        self.text[..at].rfind("\n[").map_or(0, |line_end| line_end + 1)
    }

    fn twice(&self, span: Range<usize>, first: &Range<usize>) -> Finding {
        let name = &self.text[span.clone()];
        let line = self.lines.position(first.start).line;
        let message = format!("`{name}` stands here a second time; the first one is in line {line}");
        let help = "each name may stand once in its table; rename one of the two, or join them";
        Finding { related: Some((first.clone(), "the first one".to_owned())), ..Finding::new(span, message, help) }
    }

    /// The line with the most dots, for an error about names that has no place.
    fn most_dots(&self) -> Range<usize> {
        let dots = |line: &Range<usize>| self.text[line.clone()].matches('.').count();
        let lines = 1..=self.lines.count();
        lines.map(|line| self.lines.line(line)).max_by_key(dots).map_or(0..0, |line| line.start..line.start + 1)
    }

    fn on_characters(&self, span: &Range<usize>) -> Range<usize> {
        let start = self.text.floor_char_boundary(span.start.min(self.text.len()));
        let end = self.text.ceil_char_boundary(span.end.min(self.text.len()));
        start..end.max(start)
    }
}

/// Where something stands that is deeper than anything that means something. A stack of our own, because a file may be of
/// any depth.
fn too_deep(table: &DeTable) -> Option<Range<usize>> {
    let mut open: Vec<(&Spanned<DeValue>, usize)> = table.values().map(|value| (value, 1)).collect();
    while let Some((value, depth)) = open.pop() {
        match value.get_ref() {
            DeValue::Array(_) | DeValue::Table(_) if depth > DEEPEST => return Some(value.span()),
            DeValue::Array(items) => open.extend(items.iter().map(|item| (item, depth + 1))),
            DeValue::Table(table) => open.extend(table.values().map(|value| (value, depth + 1))),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
    }
    None
}

/// Lets go of tables from the outside in: of very deep ones the usual way would need a very deep stack.
fn take_apart(table: DeTable) {
    let mut open: Vec<DeValue> = vec![DeValue::Table(table)];
    while let Some(value) = open.pop() {
        match value {
            DeValue::Table(table) => open.extend(table.into_iter().map(|(_, value)| value.into_inner())),
            DeValue::Array(items) => open.extend(items.into_iter().map(Spanned::into_inner)),
            DeValue::String(_)
            | DeValue::Integer(_)
            | DeValue::Float(_)
            | DeValue::Boolean(_)
            | DeValue::Datetime(_) => {}
        }
    }
}

/// A value that is none.
fn wrong_value(text: &str, lines: &Lines, value: Range<usize>, at: &Range<usize>, message: &str) -> Finding {
    let written = text[value.clone()].trim_end();
    let key = key_before(&text[lines.around(value.start)]);
    let assignment = |right: &str| format!("write {key} = {right}");
    let whole = value.start..value.start + written.len();
    match written.chars().next() {
        None => {
            let help = "write a text in quotes, a number, true or false, a [list] or a { table }";
            Finding::new(value, format!("`{key}` has no value"), help)
        }
        Some('"' | '\'') => wrong_text(text, &whole, at, message),
        Some('“' | '”' | '‘' | '’' | '„' | '«' | '»' | '`') => {
            let inner = written.trim_matches(|c: char| "“”‘’„«»`".contains(c));
            Finding::new(whole, "these quotes are not those of TOML", assignment(&quoted(inner)))
        }
        Some(first) => match written.to_ascii_lowercase().as_str() {
            "true" | "yes" | "on" => Finding::new(whole, format!("`{written}` is no value"), assignment("true")),
            "false" | "no" | "off" => Finding::new(whole, format!("`{written}` is no value"), assignment("false")),
            "null" | "nil" | "none" | "~" => {
                let help = "leave the key out, or write \"none\" in quotes to take a default back";
                Finding::new(whole, format!("`{written}` is no value: TOML has nothing like it"), help)
            }
            _ if message.contains("leading zero") => {
                if key == "umask" {
                    return Finding::new(whole, "octal digits stand in quotes", assignment(&quoted(written)));
                }
                let plain = written.trim_start_matches('0');
                let plain = if plain.is_empty() { "0" } else { plain };
                let help = format!("write {} in quotes, or {plain}", quoted(written));
                Finding::new(whole, "a number does not begin with a zero", help)
            }
            _ if first == '$' => {
                let help = format!("{}; variables are known to commands only", assignment(&quoted(written)));
                Finding::new(whole, "a text stands in quotes", help)
            }
            _ => {
                let what = if message.starts_with("string values must be quoted") {
                    "a text stands in quotes".to_owned()
                } else {
                    format!("`{written}` is neither a number nor a date: {}", said_by_parser(message))
                };
                Finding::new(whole, what, assignment(&quoted(written.trim_matches(['"', '\'']))))
            }
        },
    }
}

fn is_whole_text(written: &str) -> bool {
    let quote = written.chars().next().filter(|c| matches!(c, '"' | '\''));
    quote.is_some_and(|quote| written.len() > 1 && written.ends_with(quote))
}

/// A text whose quotes or escapes are wrong.
fn wrong_text(text: &str, whole: &Range<usize>, at: &Range<usize>, message: &str) -> Finding {
    let written = &text[whole.clone()];
    let quote = &written[..1];
    let long = quote.repeat(3);
    if let Some(inner) = written.strip_prefix(&long) {
        if inner.len() < 3 || !inner.ends_with(&long) {
            let help = format!("write {long} where it ends");
            return Finding::new(whole.start..whole.start + 3, "the text that begins here is not closed", help);
        }
    } else if written.len() < 2 || !written.ends_with(quote) {
        let help = format!("write {quote} where it ends; a text of several lines begins and ends with {long}");
        return Finding::new(whole.clone(), "this text is not closed on its line", help);
    }
    let before = text[..at.start].chars().next_back();
    if before == Some('\\')
        || text[at.start..].starts_with('\\')
        || written[..at.start.saturating_sub(whole.start)].ends_with("\\x")
    {
        let start = text[..=at.start.min(text.len() - 1)].rfind('\\').unwrap_or(at.start);
        let end = text[start + 1..].char_indices().nth(1).map_or(text.len(), |(length, _)| start + 1 + length);
        let help = "write two of them for one, or put the text between single quotes, where a backslash is a backslash";
        let help = if text[start..].starts_with("\\%") { "write % alone: it needs no escape here" } else { help };
        return Finding::new(
            start..end.min(whole.end),
            format!("`{}` is no escape", &text[start..end.min(whole.end)]),
            help,
        );
    }
    match text[at.start..].chars().next() {
        Some(c) if c.is_control() && c != '\n' => {
            let code = u32::from(c);
            let help = format!("write \\u{code:04X} in double quotes, if it is meant");
            Finding::new(at.start..at.start + c.len_utf8(), "a control character stands here", help)
        }
        Some(_) | None => Finding { help: None, ..Finding::new(at.clone(), said_by_parser(message), "") },
    }
}

/// A line that is neither a header nor a key with its value.
fn wrong_line(text: &str, lines: &Lines, at: Range<usize>, message: &str) -> Finding {
    let number = lines.position(at.start).line;
    let line = lines.line(number);
    let written = text[line.clone()].trim_start_matches('\u{feff}').trim();
    let whole = {
        let start = line.start + text[line.clone()].find(written).unwrap_or(0);
        start..start + written.len()
    };
    if written.contains('\0') || written.chars().any(|c| c.is_control() && c != '\t') {
        let control = text[line.clone()].char_indices().find(|(_, c)| c.is_control() && *c != '\t');
        let (offset, c) = control.unwrap_or((0, ' '));
        let start = line.start + offset;
        let help = "take it out; a file of TOML is plain text";
        return Finding::new(start..start + c.len_utf8(), "a control character stands here", help);
    }
    if crontab_line(written).is_some() || written.starts_with('@') && !written.contains(" = ") {
        let help = "`punctual import crontab FILE` makes jobs of a crontab; of one line: [jobs.NAME], and below it schedule = and \
                    command =";
        return Finding::new(whole, "this is a line of a crontab, and a job file is TOML", help);
    }
    if written.starts_with("//") || written.starts_with(';') || written.starts_with("--") || written.starts_with("/*") {
        return Finding::new(whole, "this is no comment here", "a comment begins with #");
    }
    if written.starts_with('[') {
        return wrong_header(text, whole, at, message);
    }
    if number == 1 && written.starts_with('{') {
        return Finding::new(
            whole.start..whole.start + 1,
            "this looks like JSON",
            "write TOML: [jobs.NAME], and keys below it",
        );
    }
    if written.starts_with('=') {
        return Finding::new(whole.start..whole.start + 1, "there is no key before the `=`", "write key = value");
    }
    match written.split_once('=') {
        None => no_equals(written, whole),
        Some((key, _)) if key.contains(':') => no_equals(written, whole),
        Some((key, _)) if key.trim().contains([' ', '\t']) && !key.contains(['"', '\'']) => {
            let help = "a key is one word of letters, digits, `_` and `-`; other names stand in quotes";
            Finding::new(whole.start..whole.start + key.trim_end().len(), "this is no key", help)
        }
        Some((_, value)) if at.start >= whole.start + written.len() - value.len() => {
            let help = if value.trim_start().starts_with('\'') {
                "a text between single quotes ends at the next one; write it between double quotes"
            } else {
                "a line holds one key and its value; a text of several words stands in quotes"
            };
            let end = whole.end.max(at.start);
            Finding::new(at.start..end, "nothing may stand behind the value", help)
        }
        Some(_) => Finding { help: None, ..Finding::new(at, said_by_parser(message), "") },
    }
}

fn no_equals(written: &str, whole: Range<usize>) -> Finding {
    let yaml = written.trim_start_matches("- ").split_once(':').filter(|(key, _)| {
        !key.is_empty() && key.chars().all(|c| c.is_alphanumeric() || matches!(c, '_' | '-' | '.' | '"' | '\''))
    });
    if let Some((key, value)) = yaml {
        let key = key.trim_matches(['"', '\'']);
        let help = match value.trim().trim_end_matches(',') {
            "" | "{" => format!("a table is written as [{key}], or [jobs.{key}] for a job"),
            value => format!("write {key} = {}", as_toml(value)),
        };
        return Finding::new(whole, "this is YAML or JSON, and a job file is TOML", help);
    }
    let (key, rest) = written.split_once([' ', '\t']).unwrap_or((written, ""));
    let help = match rest.trim() {
        "" => format!("write {key} = and its value"),
        value => format!("write {key} = {}", as_toml(value)),
    };
    Finding::new(whole, format!("there is no `=` behind `{key}`"), help)
}

/// A value as it may stand behind the `=`.
fn as_toml(value: &str) -> String {
    if DeValue::parse(value).is_ok() { value.to_owned() } else { quoted(value) }
}

/// A header that is none, or that has something behind it.
fn wrong_header(text: &str, whole: Range<usize>, at: Range<usize>, message: &str) -> Finding {
    let written = &text[whole.clone()];
    let inner = written.trim_matches(['[', ']']).trim();
    match written.find(']') {
        None => {
            let name = written.trim_matches(['[', ' ']);
            let help =
                if name.is_empty() { "write for example [jobs.backup]".to_owned() } else { format!("write [{name}]") };
            Finding::new(whole, "this header is not closed", help)
        }
        Some(end) if at.start > whole.start + end => {
            let help = "write it on a line of its own, below the header";
            Finding::new(at.start..whole.end, "nothing may stand behind a header", help)
        }
        Some(_) if inner.is_empty() || inner.split('.').any(|part| part.trim().is_empty()) => {
            Finding::new(whole, "there is no name between these brackets or dots", "write for example [jobs.backup]")
        }
        Some(_) if inner.contains([' ', '\t']) || !inner.is_ascii() => {
            let help = "a name holds letters, digits, `_`, `-` and `.`, such as [jobs.my-job]";
            Finding::new(whole, "this is no name of a table", help)
        }
        Some(_) => Finding { help: None, ..Finding::new(at, said_by_parser(message), "") },
    }
}

/// The key whose value stands on this line.
fn key_before(line: &str) -> &str {
    let key = line.split('=').next().unwrap_or(line).trim().trim_start_matches('\u{feff}');
    key.rsplit(['{', ',']).next().unwrap_or(key).trim()
}

/// What the parser says where nothing better is known.
fn said_by_parser(message: &str) -> String {
    message.trim().trim_end_matches(", expected nothing").to_owned()
}

//! Which other files does a job file name, and what may stand in them?

use std::collections::HashMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::Diagnostics;
use super::section::dotted;
use super::source::Source;
use super::value::describe;

/// Which tables included files have.
const INCLUDED: [&str; 4] = ["jobs", "pools", "calendars", "channels"];

/// What the main file's text says of other files; nothing where it does not say so in the right form, which is complained
/// about when all of it is read.
pub fn includes(text: &str) -> Vec<String> {
    // What stands at the top stands before the first table: a large file is not read twice.
    let line_starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1));
    let head_ends = line_starts.into_iter().find(|at| text[*at..].trim_start_matches([' ', '\t']).starts_with('['));
    let head = &text[..head_ends.unwrap_or(text.len())];
    if !head.contains("include") {
        return Vec::new();
    }
    let (table, _) = DeTable::parse_recoverable(head);
    let text_of = |value: &Spanned<DeValue>| value.get_ref().as_str().map(str::to_owned);
    match table.get_ref().get("include") {
        Some(value) => match value.get_ref() {
            DeValue::Array(items) => items.iter().filter_map(text_of).collect(),
            _ => text_of(value).into_iter().collect(),
        },
        None => Vec::new(),
    }
}

/// Says what is wrong with `include` itself, and with the files that it names.
pub fn check_include(value: &Spanned<DeValue>, source: &Source, said: &mut Diagnostics) {
    let items: Vec<&Spanned<DeValue>> = match value.get_ref() {
        DeValue::Array(items) => items.iter().collect(),
        _ => vec![value],
    };
    for item in items.iter().filter(|item| item.get_ref().as_str().is_none_or(str::is_empty)) {
        let found = if item.get_ref().is_str() { "an empty one" } else { describe(item.get_ref()) };
        let help = Some("write for example include = [\"jobs.d/*.toml\"]".to_owned());
        said.error("include", item.span(), format!("`include` is a text or a list of texts, not {found}"), help);
    }
    for unread in &source.unread {
        let span = items.get(unread.item).map_or(value.span(), |item| item.span());
        said.error("include", span, unread.message.clone(), None);
    }
}

/// Says which tables of an included file can only stand in the main one.
pub fn check_tables(table: &DeTable, said: &mut Diagnostics) {
    for key in table.keys().filter(|key| !INCLUDED.contains(&key.get_ref().as_ref())) {
        let name: &str = key.get_ref();
        let message = match name {
            "daemon" | "smtp" | "defaults" | "include" => format!("`{name}` stands in the main file only"),
            _ => format!("unknown table `{name}`"),
        };
        let help = "an included file has [jobs], [pools], [calendars] and [channels]".to_owned();
        said.error(name, key.span(), message, Some(help));
    }
}

/// Which names there are already, and where: over all files each may stand once.
#[derive(Default)]
pub struct Names(HashMap<(String, String), Range<usize>>);

impl Names {
    pub fn add(&mut self, table: &DeTable, source: &Source, said: &mut Diagnostics) {
        for of in INCLUDED {
            let Some(named) = table.get(of).and_then(|value| value.get_ref().as_table()) else {
                continue;
            };
            for key in named.keys() {
                let name = (of.to_owned(), key.get_ref().to_string());
                match self.0.get(&name) {
                    Some(first) => {
                        let (path, place) = (source.part(first.start).path, source.position(first.start));
                        let message =
                            format!("`{}` stands in {} already, in line {}", name.1, path.display(), place.line);
                        let help = "each name may stand once in all files together; rename one of the two or join them";
                        said.error(&dotted(of, &name.1), key.span(), message, Some(help.to_owned()));
                    }
                    None => {
                        self.0.insert(name, key.span());
                    }
                }
            }
        }
    }
}

/// The same table, of which all stands so many bytes later.
pub fn shifted(table: DeTable<'_>, by: usize) -> DeTable<'_> {
    let later = |span: Range<usize>| span.start + by..span.end + by;
    let entries = table.into_iter().map(|(key, value)| {
        let key_span = later(key.span());
        (Spanned::new(key_span, key.into_inner()), shifted_value(value, by))
    });
    entries.collect()
}

fn shifted_value(value: Spanned<DeValue<'_>>, by: usize) -> Spanned<DeValue<'_>> {
    let span = value.span().start + by..value.span().end + by;
    let inner = match value.into_inner() {
        DeValue::Table(table) => DeValue::Table(shifted(table, by)),
        DeValue::Array(items) => DeValue::Array(items.into_iter().map(|item| shifted_value(item, by)).collect()),
        plain @ (DeValue::String(_)
        | DeValue::Integer(_)
        | DeValue::Float(_)
        | DeValue::Boolean(_)
        | DeValue::Datetime(_)) => plain,
    };
    Spanned::new(span, inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_included_stands_at_the_top() {
        for (text, expect) in [
            ("include = 'a.toml'\n[jobs.x]\n", &["a.toml"][..]),
            ("# include\ninclude = [\n  'jobs.d/*.toml', # these\n  'b'\n]\n\n  [jobs]\n", &["jobs.d/*.toml", "b"]),
            ("[jobs.x]\ncommand = 'x'\ninclude = 'no'\n", &[]),
            ("include = 5", &[]),
            ("include = ['a', 5", &["a"]),
            ("", &[]),
        ] {
            assert_eq!(includes(text), expect, "{text}");
        }
    }
}

//! One table of the file, read key by key with the place of everything.
//!
//! Each getter takes what it understands and leaves a diagnostic where it does not, so that one pass finds all errors.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostics, nearest};
use crate::schedule::{Bound, parse_duration, parse_size};

/// A value and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct At<T> {
    pub value: T,
    pub span: Range<usize>,
}

impl<T> At<T> {
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> At<U> {
        At { value: change(self.value), span: self.span }
    }
}

/// A setting that may take an inherited default back with `"none"`.
pub type Settable<T> = Option<At<Option<T>>>;

/// A table whose keys are being read.
pub struct Section<'f, 'd> {
    table: &'f DeTable<'f>,
    /// The dotted name of the table, such as `jobs.backup`.
    path: String,
    said: &'d mut Diagnostics,
}

impl<'f, 'd> Section<'f, 'd> {
    /// Opens a table and says which of its keys are unknown.
    pub fn open(table: &'f DeTable<'f>, path: &str, known: &[&str], said: &'d mut Diagnostics) -> Self {
        for key in table.keys() {
            let name: &str = key.get_ref();
            if !known.contains(&name) {
                let help = match nearest(name, known.iter().copied()) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("known here: {}", known.join(", ")),
                };
                said.error(&dotted(path, name), key.span(), format!("unknown key `{name}`"), Some(help));
            }
        }
        Self { table, path: path.to_owned(), said }
    }

    /// The dotted name of a key.
    pub fn path_of(&self, key: &str) -> String {
        dotted(&self.path, key)
    }

    /// Where to say what is wrong with something in this table that is no table of keys.
    pub fn said(&mut self) -> &mut Diagnostics {
        self.said
    }

    /// Where the value stands.
    pub fn span(&self, key: &str) -> Option<Range<usize>> {
        self.get(key).map(Spanned::span)
    }

    /// Where each of these keys stands that does.
    pub fn stands(&self, keys: &[&'static str]) -> Vec<(&'static str, Range<usize>)> {
        keys.iter().filter_map(|key| Some((*key, self.span(key)?))).collect()
    }

    /// The value as it was parsed.
    pub fn get(&self, key: &str) -> Option<&'f Spanned<DeValue<'f>>> {
        self.table.get(key)
    }

    pub fn error(&mut self, key: &str, span: Range<usize>, message: impl Into<String>, help: Option<String>) {
        let key = dotted(&self.path, key);
        self.said.error(&key, span, message, help);
    }

    fn expected(&mut self, key: &str, value: &Spanned<DeValue>, what: &str) {
        let found = describe(value.get_ref());
        self.error(key, value.span(), format!("`{key}` is {what}, not {found}"), None);
    }

    pub fn text(&mut self, key: &str) -> Option<At<String>> {
        let value = self.get(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some(At { value: text.to_owned(), span: value.span() }),
            None => {
                self.expected(key, value, "a text");
                None
            }
        }
    }

    pub fn boolean(&mut self, key: &str) -> Option<At<bool>> {
        let value = self.get(key)?;
        match value.get_ref().as_bool() {
            Some(boolean) => Some(At { value: boolean, span: value.span() }),
            None => {
                self.expected(key, value, "true or false");
                None
            }
        }
    }

    /// A whole number within bounds, both included.
    pub fn integer(&mut self, key: &str, low: i64, high: i64) -> Option<At<i64>> {
        let value = self.get(key)?;
        self.one_integer(key, value, low, high)
    }

    fn one_integer(&mut self, key: &str, value: &Spanned<DeValue>, low: i64, high: i64) -> Option<At<i64>> {
        let Some(number) = as_i64(value.get_ref()) else {
            self.expected(key, value, "a whole number");
            return None;
        };
        if !(low..=high).contains(&number) {
            self.error(key, value.span(), format!("{number} is out of range: {low} to {high}"), None);
            return None;
        }
        Some(At { value: number, span: value.span() })
    }

    /// One whole number, or a list of them.
    pub fn integers(&mut self, key: &str, low: i64, high: i64) -> Option<At<Vec<i64>>> {
        let value = self.get(key)?;
        let Some(items) = value.get_ref().as_array() else {
            return self.one_integer(key, value, low, high).map(|one| one.map(|number| vec![number]));
        };
        // All of them are looked at, so that all that is wrong is said.
        let numbers: Vec<Option<i64>> =
            items.iter().map(|item| self.one_integer(key, item, low, high).map(|at| at.value)).collect();
        let numbers: Option<Vec<i64>> = numbers.into_iter().collect();
        Some(At { value: numbers?, span: value.span() })
    }

    /// One text, or a list of them, each with its place.
    pub fn texts(&mut self, key: &str) -> Option<At<Vec<At<String>>>> {
        self.list(key, "a text or a list of texts", |value| value.as_str().map(str::to_owned))
    }

    /// The same, where a date may stand without quotes.
    pub fn texts_and_dates(&mut self, key: &str) -> Option<At<Vec<At<String>>>> {
        self.list(key, "a text or a list of texts", text_or_date)
    }

    fn list(&mut self, key: &str, what: &str, read: fn(&DeValue) -> Option<String>) -> Option<At<Vec<At<String>>>> {
        let value = self.get(key)?;
        let items: Vec<&Spanned<DeValue>> = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            let Some(text) = read(item.get_ref()) else {
                self.expected(key, item, what);
                return None;
            };
            texts.push(At { value: text, span: item.span() });
        }
        Some(At { value: texts, span: value.span() })
    }

    /// A date, or a date and time; with quotes or without.
    pub fn bound(&mut self, key: &str) -> Option<At<Bound>> {
        const WHAT: &str = "a date such as \"2026-12-31\", or a date and time such as \"2026-12-31T18:00\"";
        let value = self.get(key)?;
        let Some(text) = text_or_date(value.get_ref()) else {
            self.expected(key, value, WHAT);
            return None;
        };
        match Bound::parse(&text) {
            Some(bound) => Some(At { value: bound, span: value.span() }),
            None => {
                self.error(key, value.span(), format!("`{text}` is no date"), Some(format!("write {WHAT}")));
                None
            }
        }
    }

    /// A table of texts, numbers and booleans, all as text.
    pub fn environment(&mut self, key: &str) -> Option<At<Vec<(String, String)>>> {
        let value = self.get(key)?;
        let Some(table) = value.get_ref().as_table() else {
            self.expected(key, value, "a table");
            return None;
        };
        let mut variables = Vec::new();
        for (name, item) in table.iter() {
            let variable: &str = name.get_ref();
            if variable.is_empty() || variable.contains(['=', '\0']) {
                self.error(key, name.span(), format!("`{variable}` is no name of a variable"), None);
                continue;
            }
            match scalar(item.get_ref()) {
                Some(text) if text.contains('\0') => {
                    self.error(key, item.span(), "a variable cannot hold a NUL character", None);
                }
                Some(text) => variables.push((variable.to_owned(), text)),
                None => self.expected(&format!("{key}.{variable}"), item, "a text, a number or a boolean"),
            }
        }
        Some(At { value: variables, span: value.span() })
    }

    /// A text without NUL, which no process can be given.
    pub fn clean_text(&mut self, key: &str) -> Option<At<String>> {
        let at = self.text(key)?;
        self.is_clean(key, &at).then_some(at)
    }

    fn is_clean(&mut self, key: &str, at: &At<String>) -> bool {
        let clean = !at.value.contains('\0');
        if !clean {
            self.error(key, at.span.clone(), format!("`{key}` cannot hold a NUL character"), None);
        }
        clean
    }

    /// A list of words for a process: at least one, none with NUL.
    pub fn words(&mut self, key: &str) -> Option<At<Vec<String>>> {
        let list = self.texts(key)?;
        if list.value.first().is_none_or(|word| word.value.trim().is_empty()) {
            self.error(key, list.span, format!("`{key}` is empty"), None);
            return None;
        }
        if !list.value.iter().all(|word| self.is_clean(key, word)) {
            return None;
        }
        Some(list.map(|words| words.into_iter().map(|word| word.value).collect()))
    }

    /// Whether the value is a text, rather than a list.
    pub fn is_text(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.get_ref().is_str())
    }

    pub fn duration(&mut self, key: &str) -> Option<At<Duration>> {
        self.parsed(key, "a duration, such as \"90s\" or \"1h 30m\"", parse_duration)
    }

    pub fn size(&mut self, key: &str) -> Option<At<u64>> {
        self.parsed(key, "a size, such as \"64KiB\" or \"1MiB\"", parse_size)
    }

    /// What `read` reads, or `"none"`, which takes an inherited value back.
    pub fn settable<T>(&mut self, key: &str, read: impl FnOnce(&mut Self, &str) -> Option<At<T>>) -> Settable<T> {
        let value = self.get(key)?;
        if value.get_ref().as_str() == Some("none") {
            return Some(At { value: None, span: value.span() });
        }
        read(self, key).map(|at| at.map(Some))
    }

    /// One word of a closed list.
    pub fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<At<T>> {
        let text = self.text(key)?;
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text.value) {
            return Some(At { value: *choice, span: text.span });
        }
        let words = choices.iter().map(|(word, _)| *word);
        let help = match nearest(&text.value, words.clone()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("it is one of {}", words.map(|w| format!("\"{w}\"")).collect::<Vec<_>>().join(", ")),
        };
        self.error(key, text.span, format!("`{}` is no {key}", text.value), Some(help));
        None
    }

    /// What a text says to `parse`; `what` says what it should be.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        key: &str,
        what: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<At<T>> {
        let value = self.get(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.expected(key, value, what);
            return None;
        };
        match parse(text) {
            Ok(parsed) => Some(At { value: parsed, span: value.span() }),
            Err(error) => {
                self.error(key, value.span(), error.to_string(), None);
                None
            }
        }
    }

    /// A table within this one, with its keys.
    pub fn table(&mut self, key: &str, known: &[&str]) -> Option<Section<'f, '_>> {
        let value = self.get(key)?;
        match value.get_ref().as_table() {
            Some(table) => {
                let path = dotted(&self.path, key);
                Some(Section::open(table, &path, known, self.said))
            }
            None => {
                self.expected(key, value, "a table");
                None
            }
        }
    }
}

pub fn dotted(path: &str, key: &str) -> String {
    match (path, key) {
        ("", key) => key.to_owned(),
        (path, "") => path.to_owned(),
        (path, key) => format!("{path}.{key}"),
    }
}

fn as_i64(value: &DeValue) -> Option<i64> {
    let integer = value.as_integer()?;
    i64::from_str_radix(&integer.as_str().replace('_', ""), integer.radix()).ok()
}

fn text_or_date(value: &DeValue) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Datetime(date) => Some(date.to_string()),
        DeValue::Integer(_) | DeValue::Float(_) | DeValue::Boolean(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

pub fn scalar(value: &DeValue) -> Option<String> {
    match value {
        DeValue::String(text) => Some(text.to_string()),
        DeValue::Integer(_) => as_i64(value).map(|number| number.to_string()),
        DeValue::Float(float) => Some(float.as_str().to_owned()),
        DeValue::Boolean(boolean) => Some(boolean.to_string()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// What a value is, for a sentence.
pub fn describe(value: &DeValue) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

//! One table of the file, read key by key with the place of everything.
//!
//! Each getter takes what it understands and leaves a diagnostic where it does not, so that one pass finds all errors.

use std::ops::Range;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::diagnostic::{Diagnostic, Diagnostics};
use super::foreign::{advise, same_word};
use super::keys::Key;
use super::privacy::is_private;
use super::value::{as_i64, describe, scalar, text_or_date};
use super::wanted::{Wanted, quoted, two_parts};
use crate::schedule::{Bound, QuantityError, parse_duration, parse_size};

/// Why a NUL is refused.
const NUL: &str = "no process can be given one: what it is given ends there";

/// Keys of addresses that may be secrets.
const ADDRESSES: [&str; 3] = ["webhook", "ping", "url"];

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
    /// Keys that were meant by unknown ones.
    meant: Vec<&'static str>,
    said: &'d mut Diagnostics,
}

impl<'f, 'd> Section<'f, 'd> {
    /// Opens a table of known keys and says which of its own are none of them.
    pub fn open(table: &'f DeTable<'f>, path: &str, known: &[&[Key]], said: &'d mut Diagnostics) -> Self {
        let mut meant = Vec::new();
        for (key, value) in table.iter() {
            let name: &str = key.get_ref();
            if known.iter().any(|keys| keys.iter().any(|key| key.name == name)) {
                continue;
            }
            let advice = advise(name, known, said);
            let is_address = advice.ours.is_some_and(|ours| ADDRESSES.contains(&ours));
            if is_private(name) || is_private(&advice.help) || is_address {
                said.hide(value.span());
            }
            let found = said.error(&dotted(path, name), key.span(), format!("unknown key `{name}`"), Some(advice.help));
            found.note = advice.note;
            meant.extend(advice.ours);
        }
        Self { meant, ..Self::open_names(table, path, said) }
    }

    /// Opens a table whose keys are names that the writer gave.
    pub fn open_names(table: &'f DeTable<'f>, path: &str, said: &'d mut Diagnostics) -> Self {
        Self { table, path: path.to_owned(), meant: Vec::new(), said }
    }

    /// Whether one of these keys was probably meant by an unknown one.
    pub fn means(&self, keys: &[&str]) -> bool {
        self.meant.iter().any(|key| keys.contains(key))
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
    pub fn stands(&self, keys: impl IntoIterator<Item = &'static str>) -> Vec<(&'static str, Range<usize>)> {
        keys.into_iter().filter_map(|key| Some((key, self.span(key)?))).collect()
    }

    /// The value as it was parsed.
    pub fn get(&self, key: &str) -> Option<&'f Spanned<DeValue<'f>>> {
        self.table.get(key)
    }

    /// Says that something about a key is a trap.
    pub fn warn(&mut self, key: &str, span: Range<usize>, message: &str, help: Option<String>) {
        self.said.warn(&dotted(&self.path, key), span, message, help);
    }

    pub fn error(
        &mut self,
        key: &str,
        span: Range<usize>,
        message: impl Into<String>,
        help: Option<String>,
    ) -> &mut Diagnostic {
        let key = dotted(&self.path, key);
        self.said.error(&key, span, message, help)
    }

    fn expected(&mut self, key: &str, value: &Spanned<DeValue>, wanted: Wanted) {
        let found = describe(value.get_ref());
        let last = key.rsplit('.').next().unwrap_or(key);
        let help = wanted.instead_of(value.get_ref()).map(|right| format!("write {last} = {right}"));
        let message = format!("`{last}` is {}, not {found}", wanted.words());
        self.error(key, value.span(), message, help).note = wanted.note().map(str::to_owned);
    }

    pub fn text(&mut self, key: &str) -> Option<At<String>> {
        let value = self.get(key)?;
        match value.get_ref().as_str() {
            Some(text) => Some(At { value: text.to_owned(), span: value.span() }),
            None => {
                self.expected(key, value, Wanted::Text);
                None
            }
        }
    }

    pub fn boolean(&mut self, key: &str) -> Option<At<bool>> {
        let value = self.get(key)?;
        match value.get_ref().as_bool() {
            Some(boolean) => Some(At { value: boolean, span: value.span() }),
            None => {
                self.expected(key, value, Wanted::Boolean);
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
            self.expected(key, value, Wanted::Integer);
            return None;
        };
        if !(low..=high).contains(&number) {
            let help = match high {
                i64::MAX => format!("`{key}` is {low} at least"),
                _ => format!("`{key}` goes from {low} to {high}"),
            };
            self.error(key, value.span(), format!("{number} is out of range"), Some(help));
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
        self.list(key, |value| value.as_str().map(str::to_owned))
    }

    /// The same, where a date may stand without quotes.
    pub fn texts_and_dates(&mut self, key: &str) -> Option<At<Vec<At<String>>>> {
        self.list(key, text_or_date)
    }

    fn list(&mut self, key: &str, read: fn(&DeValue) -> Option<String>) -> Option<At<Vec<At<String>>>> {
        let value = self.get(key)?;
        let items: Vec<&Spanned<DeValue>> = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        let (mut texts, all) = (Vec::with_capacity(items.len()), items.len());
        for item in items {
            match read(item.get_ref()) {
                Some(text) => texts.push(At { value: text, span: item.span() }),
                None => self.expected_in_list(key, item, value),
            }
        }
        (texts.len() == all).then(|| At { value: texts, span: value.span() })
    }

    /// Says that an item is no text; what to write for the whole key is said only where it is the whole value.
    fn expected_in_list(&mut self, key: &str, item: &Spanned<DeValue>, value: &Spanned<DeValue>) {
        if item.span() == value.span() {
            return self.expected(key, item, Wanted::Texts);
        }
        let help = Wanted::Text.instead_of(item.get_ref()).map(|right| format!("write {right}"));
        let message = format!("`{key}` is a list of texts, and this is {}", describe(item.get_ref()));
        self.error(key, item.span(), message, help);
    }

    /// A date, or a date and time; with quotes or without.
    pub fn bound(&mut self, key: &str) -> Option<At<Bound>> {
        const WHAT: &str = "a date such as \"2026-12-31\", or a date and time such as \"2026-12-31T18:00\"";
        let value = self.get(key)?;
        let Some(text) = text_or_date(value.get_ref()) else {
            self.expected(key, value, Wanted::Other(WHAT));
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
            self.expected(key, value, Wanted::Other("a table, such as { NAME = \"value\" }"));
            return None;
        };
        let mut variables = Vec::new();
        for (name, item) in table.iter() {
            let variable: &str = name.get_ref();
            if variable.is_empty() || variable.contains(['=', '\0']) {
                let help = Some("a variable has a name without `=`".to_owned());
                self.error(key, name.span(), format!("`{variable}` is no name of a variable"), help);
                continue;
            }
            match scalar(item.get_ref()) {
                Some(text) if text.contains('\0') => {
                    self.error(key, item.span(), "a variable cannot hold a NUL character", None).note(NUL);
                }
                Some(text) => variables.push((variable.to_owned(), text)),
                None => {
                    let wanted = Wanted::Other("a text, a number or a boolean");
                    self.expected(&format!("{key}.{variable}"), item, wanted);
                }
            }
        }
        Some(At { value: variables, span: value.span() })
    }

    /// A text without NUL, which no process can be given.
    pub fn clean_text(&mut self, key: &str) -> Option<At<String>> {
        let at = self.text(key)?;
        self.is_clean(key, &at).then_some(at)
    }

    /// The same, which is not empty.
    pub fn filled_text(&mut self, key: &str) -> Option<At<String>> {
        let at = self.clean_text(key)?;
        if at.value.is_empty() {
            self.error(key, at.span, format!("`{key}` is empty"), Some("leave it out for the usual one".to_owned()));
            return None;
        }
        Some(at)
    }

    fn is_clean(&mut self, key: &str, at: &At<String>) -> bool {
        let clean = !at.value.contains('\0');
        if !clean {
            self.error(key, at.span.clone(), format!("`{key}` cannot hold a NUL character"), None).note(NUL);
        }
        clean
    }

    /// A list of words for a process: at least one, none with NUL.
    pub fn words(&mut self, key: &str) -> Option<At<Vec<String>>> {
        let list = self.texts(key)?;
        if list.value.first().is_none_or(|word| word.value.trim().is_empty()) {
            let help = format!("write for example {key} = [\"program\", \"argument\"]");
            self.error(key, list.span, format!("`{key}` is empty"), Some(help));
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
        self.quantity(key, Wanted::Duration, parse_duration)
    }

    pub fn size(&mut self, key: &str) -> Option<At<u64>> {
        self.quantity(key, Wanted::Size, parse_size)
    }

    /// What `read` reads, or `"none"`, which takes an inherited value back.
    pub fn settable<T>(&mut self, key: &str, read: impl FnOnce(&mut Self, &str) -> Option<At<T>>) -> Settable<T> {
        let value = self.get(key)?;
        if value.get_ref().as_str() == Some("none") {
            return Some(At { value: None, span: value.span() });
        }
        read(self, key).map(|at| at.map(Some))
    }

    /// A quantity, whose error knows what to write.
    pub fn quantity<T>(
        &mut self,
        key: &str,
        wanted: Wanted,
        parse: impl FnOnce(&str) -> Result<T, QuantityError>,
    ) -> Option<At<T>> {
        let value = self.get(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.expected(key, value, wanted);
            return None;
        };
        match parse(text) {
            Ok(parsed) => Some(At { value: parsed, span: value.span() }),
            Err(error) => {
                self.error(key, value.span(), error.wrong(), Some(error.help()));
                None
            }
        }
    }

    /// One word of a closed list.
    pub fn choice<T: Copy>(&mut self, key: &str, choices: &[(&str, T)]) -> Option<At<T>> {
        let words = || choices.iter().map(|(word, _)| *word);
        let all = || words().map(quoted).collect::<Vec<_>>().join(", ");
        let value = self.get(key)?;
        let Some(text) = value.get_ref().as_str() else {
            let message = format!("`{key}` is one of {}, not {}", all(), describe(value.get_ref()));
            self.error(key, value.span(), message, None);
            return None;
        };
        if let Some((_, choice)) = choices.iter().find(|(word, _)| *word == text) {
            return Some(At { value: *choice, span: value.span() });
        }
        let meant = same_word(key, text).or_else(|| self.said.nearest(text, words()));
        let help = match meant {
            Some(near) => format!("did you mean {}?", quoted(near)),
            None => format!("it is one of {}", all()),
        };
        let found = self.error(key, value.span(), format!("`{text}` is no {key}"), Some(help));
        if meant.is_some() {
            found.note(format!("`{key}` is one of {}", all()));
        }
        None
    }

    /// What a text says to `parse`; `what` says what it should be.
    pub fn parsed<T, E: std::fmt::Display>(
        &mut self,
        key: &str,
        wanted: Wanted,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<At<T>> {
        let value = self.get(key)?;
        let Some(text) = value.get_ref().as_str() else {
            self.expected(key, value, wanted);
            return None;
        };
        match parse(text) {
            Ok(parsed) => Some(At { value: parsed, span: value.span() }),
            Err(error) => {
                let (message, help) = two_parts(&error.to_string());
                self.error(key, value.span(), message, help);
                None
            }
        }
    }

    /// A table within this one, with its keys.
    pub fn table(&mut self, key: &str, known: &[&[Key]]) -> Option<Section<'f, '_>> {
        let value = self.get(key)?;
        match value.get_ref().as_table() {
            Some(table) => {
                let path = dotted(&self.path, key);
                Some(Section::open(table, &path, known, self.said))
            }
            None => {
                self.expected(key, value, Wanted::Table);
                None
            }
        }
    }

    /// A table within this one whose keys are names that the writer gave.
    pub fn names(&mut self, key: &str) -> Option<Section<'f, '_>> {
        let value = self.get(key)?;
        match value.get_ref().as_table() {
            Some(table) => {
                let path = dotted(&self.path, key);
                Some(Section::open_names(table, &path, self.said))
            }
            None => {
                self.expected(key, value, Wanted::Table);
                None
            }
        }
    }

    /// The names in this table, each with its place.
    pub fn all_names(&self) -> impl Iterator<Item = (&'f str, Range<usize>)> + use<'f> {
        self.table.iter().map(|(key, _)| (key.get_ref().as_ref(), key.span()))
    }
}

pub fn dotted(path: &str, key: &str) -> String {
    match (path, key) {
        ("", key) => key.to_owned(),
        (path, "") => path.to_owned(),
        (path, key) => format!("{path}.{key}"),
    }
}

//! What stands where in a text, whether it is TOML or not? Asked of one that is not: the parser of tables gives up at some
//! errors, and does not say where a name stands first that stands twice.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};
use toml_parser::{ParseError, Source};

/// As deep as the parser of tables goes; deeper brackets are passed over.
const DEEPEST: u32 = 80;
/// Bytes of a name with those of the tables around it, that is looked for; no name that anybody writes comes near.
const LONGEST_PATH: usize = 10_000;

/// The parts of a text.
pub struct Tokens {
    /// Texts, numbers and whatever else is a single value, in the order of the text.
    pub scalars: Vec<Range<usize>>,
    /// Brackets of values that no bracket closes, each with where the parser found that out.
    pub unclosed: Vec<Range<usize>>,
    /// Where the names that were asked for stand first, by the byte at which they stand again.
    pub first: HashMap<usize, Range<usize>>,
    /// What is wrong with single values and names.
    pub wrong: Vec<(Range<usize>, String)>,
}

impl Tokens {
    /// Reads a text; `spans` are the names that may stand there a second time.
    pub fn of(text: &str, spans: impl IntoIterator<Item = usize>) -> Self {
        let source = Source::new(text);
        let tokens = source.lex().into_vec();
        let mut events: Vec<Event> = Vec::with_capacity(tokens.len());
        parse_document(&tokens, &mut RecursionGuard::new(&mut events, DEEPEST), &mut ());
        let mut walk = Walk {
            text,
            asked: spans.into_iter().collect(),
            names: HashMap::new(),
            header: String::new(),
            open: Vec::new(),
            value: String::new(),
            key: Vec::new(),
            nameless: 0,
            found: Self { scalars: Vec::new(), unclosed: Vec::new(), first: HashMap::new(), wrong: Vec::new() },
        };
        let mut errors: Vec<ParseError> = Vec::new();
        for event in &events {
            let mut decoded = std::borrow::Cow::Borrowed("");
            if let Some(raw) = source.get(event) {
                if event.kind() == EventKind::Scalar {
                    let _kind = raw.decode_scalar(&mut decoded, &mut errors);
                } else if event.kind() == EventKind::SimpleKey {
                    raw.decode_key(&mut decoded, &mut errors);
                }
            }
            walk.meet(event);
        }
        let place = |error: &ParseError| error.unexpected().map(|span| span.start()..span.end());
        walk.found.wrong =
            errors.iter().filter_map(|error| Some((place(error)?, error.description().to_owned()))).collect();
        walk.found
    }

    /// The single value in or behind which a byte stands.
    pub fn scalar_at(&self, at: usize) -> Option<Range<usize>> {
        let next = self.scalars.partition_point(|span| span.start <= at);
        self.scalars[..next].last().filter(|span| at <= span.end).cloned()
    }

    /// The innermost bracket that nothing closes and that goes on here.
    pub fn unclosed_at(&self, at: usize) -> Option<Range<usize>> {
        let around = self.unclosed.iter().filter(|bracket| bracket.start < at && at <= bracket.end);
        around.max_by_key(|bracket| bracket.start).map(|bracket| bracket.start..bracket.start + 1)
    }
}

/// On the way through a text.
struct Walk<'t> {
    text: &'t str,
    asked: HashSet<usize>,
    /// Where each name stands first, with those of the tables around it.
    names: HashMap<String, Range<usize>>,
    /// The table that the last header names.
    header: String,
    /// The brackets that are open within a value.
    open: Vec<(Bracket, usize)>,
    /// The value that is being read, by the name of its key.
    value: String,
    /// The parts of the key that is being read.
    key: Vec<Range<usize>>,
    /// Things without a name so far, each of which is given one.
    nameless: usize,
    found: Tokens,
}

enum Bracket {
    /// A table within a line, by its name.
    Table(String),
    List,
}

impl Walk<'_> {
    fn meet(&mut self, event: &Event) {
        let span = event.span().start()..event.span().end();
        match event.kind() {
            EventKind::StdTableOpen | EventKind::ArrayTableOpen => {
                self.open.clear();
                self.key.clear();
                self.header.clear();
            }
            EventKind::SimpleKey => self.key.push(span),
            EventKind::StdTableClose => self.header = self.close_key(),
            EventKind::ArrayTableClose => {
                let path = self.close_key();
                self.header = self.nameless(&path);
            }
            EventKind::KeyValSep => self.value = self.close_key(),
            EventKind::ArrayOpen => self.open.push((Bracket::List, span.start)),
            EventKind::InlineTableOpen => {
                let in_list = matches!(self.open.last(), Some((Bracket::List, _)));
                let name = if in_list { self.nameless("") } else { self.value.clone() };
                self.open.push((Bracket::Table(name), span.start));
            }
            EventKind::ArrayClose => self.close("]", &span),
            EventKind::InlineTableClose => self.close("}", &span),
            EventKind::Scalar => self.found.scalars.push(span),
            EventKind::ValueSep
            | EventKind::Newline
            | EventKind::KeySep
            | EventKind::Whitespace
            | EventKind::Comment
            | EventKind::Error => {}
        }
    }

    /// A bracket ends; the parser ends it also where nothing closes it.
    fn close(&mut self, with: &str, span: &Range<usize>) {
        if let Some((_, start)) = self.open.pop()
            && &self.text[span.clone()] != with
        {
            self.found.unclosed.push(start..span.end);
        }
    }

    fn nameless(&mut self, path: &str) -> String {
        self.nameless += 1;
        format!("{path}\0#{}", self.nameless)
    }

    /// The whole name of the key that was read; each of its parts is remembered, or found to stand here again.
    fn close_key(&mut self) -> String {
        let mut path = match self.open.last() {
            Some((Bracket::Table(name), _)) => name.clone(),
            Some((Bracket::List, _)) => String::new(),
            None => self.header.clone(),
        };
        let parts = std::mem::take(&mut self.key);
        if parts.len() > DEEPEST as usize || path.len() > LONGEST_PATH {
            // The parser of tables has refused it; to remember each of its parts with all before it would be endless.
            return self.nameless("");
        }
        for span in parts {
            path.push('\0');
            path.push_str(self.text[span.clone()].trim_matches(['"', '\'']));
            let first = self.names.entry(path.clone()).or_insert_with(|| span.clone());
            if *first != span && self.asked.contains(&span.start) {
                self.found.first.insert(span.start, first.clone());
            }
        }
        path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The name at the last place of `word` stands first at its place number `first`.
    #[track_caller]
    fn check(text: &str, word: &str, first: usize) {
        let places: Vec<usize> = text.match_indices(word).map(|(at, _)| at).collect();
        let last = places[places.len() - 1];
        let found = Tokens::of(text, [last]).first;
        assert_eq!(found.get(&last).map(|span| span.start), Some(places[first]), "{text}");
    }

    #[test]
    fn the_first_place_is_found() {
        check("[jobs.aa]\ncommand = 'x'\n[jobs.b]\n[jobs.aa]\n", "aa", 0);
        check("[jobs.a]\ncmd = 'x'\n[jobs.b]\ncmd = 'x'\ncmd = 'y'\n", "cmd", 1);
        check("[jobs.a]\nenv = { XX = 1, Y = { XX = 2 }, XX = 3 }\n", "XX", 0);
        check("[jobs.a]\nsteps.xx = { command = '' }\nsteps.xx.command = ''\n", "xx", 0);
        check("[jobs.a]\nsteps = [{ n = 1 }, { n = 2, n = 3 }]\n", "n", 1);
        check("[[x]]\nkk = 1\n[[x]]\nkk = 1\nkk = 2\n", "kk", 1);
    }

    #[test]
    fn brackets_that_nothing_closes_are_found() {
        for (text, at, expect) in [
            ("a = ['x'\nb = 1\n", 9, Some(4)),
            ("a = ['x'\nb = ['y']\n[c]\n", 9, Some(4)),
            ("a = { b = 1\nc = { d = 1 }\n", 12, Some(4)),
            ("a = [\n  'x',\n  y z,\n]\n", 16, None),
        ] {
            assert_eq!(Tokens::of(text, []).unclosed_at(at).map(|span| span.start), expect, "{text}");
        }
    }

    #[test]
    fn what_stands_once_has_no_first_place() {
        let text = "[a]\nb = 1\n[c]\nb = 1\n";
        assert!(Tokens::of(text, [text.len() - 6]).first.is_empty());
    }
}

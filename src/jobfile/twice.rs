//! Where does a name stand first that stands in a file twice? The parser says only where it stands again.

use std::collections::HashMap;
use std::ops::Range;

use toml_parser::Source;
use toml_parser::parser::{Event, EventKind, RecursionGuard, parse_document};

/// As deep as the parser of tables goes; deeper brackets are passed over.
const DEEPEST: u32 = 80;

/// The places at which the names at `spans` stand first, by the byte at which they stand again; none of what is no second.
pub fn first_places(text: &str, spans: &[Range<usize>]) -> HashMap<usize, Range<usize>> {
    let source = Source::new(text);
    let tokens = source.lex().into_vec();
    let mut events: Vec<Event> = Vec::with_capacity(tokens.len());
    parse_document(&tokens, &mut RecursionGuard::new(&mut events, DEEPEST), &mut ());
    let mut walk = Walk {
        text,
        asked: spans.iter().map(|span| span.start).collect(),
        first: HashMap::new(),
        found: HashMap::new(),
        header: String::new(),
        open: Vec::new(),
        key: Vec::new(),
        lists: 0,
    };
    for event in &events {
        walk.meet(event);
    }
    walk.found
}

/// On the way through a text.
struct Walk<'t> {
    text: &'t str,
    asked: std::collections::HashSet<usize>,
    /// Where each name stands first, with those of the tables around it.
    first: HashMap<String, Range<usize>>,
    found: HashMap<usize, Range<usize>>,
    /// The table that the last header names.
    header: String,
    /// What surrounded each table within a line that is open.
    open: Vec<String>,
    /// The parts of the key that is being read.
    key: Vec<Range<usize>>,
    /// Lists and their tables so far, so that each has a name of its own.
    lists: usize,
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
                self.header = self.numbered(&path);
            }
            EventKind::KeyValSep => {
                let path = self.close_key();
                self.open.push(path);
            }
            EventKind::ArrayOpen => {
                let path = self.numbered("");
                self.open.push(path);
            }
            EventKind::ArrayClose => drop(self.open.pop()),
            EventKind::InlineTableClose | EventKind::ValueSep => self.end_value(),
            EventKind::Newline if self.open.len() == 1 => self.open.clear(),
            EventKind::Newline
            | EventKind::InlineTableOpen
            | EventKind::KeySep
            | EventKind::Scalar
            | EventKind::Whitespace
            | EventKind::Comment
            | EventKind::Error => {}
        }
    }

    /// The value of a key within a table on a line ends: what follows stands beside it.
    fn end_value(&mut self) {
        if self.open.last().is_some_and(|path| !path.starts_with('#')) && self.open.len() > 1 {
            self.open.pop();
        }
    }

    fn numbered(&mut self, path: &str) -> String {
        self.lists += 1;
        format!("#{}\0{path}", self.lists)
    }

    /// The whole name of the key that was read; each of its parts is remembered, or found to stand here again.
    fn close_key(&mut self) -> String {
        let mut path = self.open.last().unwrap_or(&self.header).clone();
        for span in std::mem::take(&mut self.key) {
            path.push('\0');
            path.push_str(self.text[span.clone()].trim_matches(['"', '\'']));
            let first = self.first.entry(path.clone()).or_insert_with(|| span.clone());
            if *first != span && self.asked.contains(&span.start) {
                self.found.insert(span.start, first.clone());
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
        let found = first_places(text, std::slice::from_ref(&(last..last + word.len())));
        assert_eq!(found.get(&last).map(|span| span.start), Some(places[first]), "{text}");
    }

    #[test]
    fn the_first_place_is_found() {
        check("[jobs.aa]\ncommand = 'x'\n[jobs.b]\n[jobs.aa]\n", "aa", 0);
        check("[jobs.a]\ncmd = 'x'\n[jobs.b]\ncmd = 'x'\ncmd = 'y'\n", "cmd", 1);
        check("[jobs.a]\nenv = { XX = 1, Y = { XX = 2 }, XX = 3 }\n", "XX", 0);
        check("[jobs.a]\nsteps.xx = { command = '' }\nsteps.xx.command = ''\n", "xx", 0);
        check("[jobs.a]\nsteps = [{ n = 1 }, { n = 2, n = 3 }]\n", "n", 2);
        check("[[x]]\nkk = 1\n[[x]]\nkk = 1\nkk = 2\n", "kk", 1);
        check("zz = 1\n\"zz\" = 2\n", "zz", 0);
    }

    #[test]
    fn what_stands_once_has_no_first_place() {
        let text = "[a]\nb = 1\n[c]\nb = 1\n";
        assert!(first_places(text, &[text.len() - 6..text.len() - 5]).is_empty());
    }
}

//! What does a table `headers` say?

use std::collections::HashSet;
use std::ops::Range;

use super::section::{At, Section};
use crate::job::{Header, HeaderText};

/// A table of texts and of places with secrets.
pub fn headers(table: &mut Section) -> Vec<Header> {
    let Some(mut section) = table.names("headers") else {
        return Vec::new();
    };
    let names: Vec<(&str, Range<usize>)> = section.all_names().collect();
    let mut seen = HashSet::new();
    let mut headers = Vec::with_capacity(names.len());
    for (name, span) in names {
        if !is_header_name(name) {
            let help = "write for example headers = { Accept = \"application/json\" }".to_owned();
            section.error(name, span, format!("`{name}` is no name of a header"), Some(help));
        } else if !seen.insert(name.to_ascii_lowercase()) {
            let help = "capitals make no difference".to_owned();
            section.error(name, span, format!("the header {name} stands here twice"), Some(help));
        } else if let Some(value) = header(&mut section, name) {
            headers.push(Header { name: name.to_owned(), value });
        }
    }
    headers
}

fn header(section: &mut Section, name: &str) -> Option<HeaderText> {
    if !section.is_text(name) {
        return section.secret(name).map(|at| HeaderText::Secret(at.value));
    }
    let At { value: text, span } = section.text(name)?;
    let is_line = text.bytes().all(|byte| matches!(byte, b'\t' | b' '..=b'~'));
    let value = HeaderText::of_text(name, text);
    if let HeaderText::Private(_) = value {
        let key = section.path_of(name);
        let help = format!("write {name} = {{ env = \"NAME\" }}, {{ file = \"PATH\" }} or {{ credential = \"NAME\" }}");
        let message = format!("the header {name} is a secret, and stands in the file");
        section.said().keep_secret(span.clone());
        section.said().warn(&key, span.clone(), message, Some(help));
    }
    if !is_line {
        let help = "a header is one line of ASCII".to_owned();
        section.error(name, span, format!("the header {name} cannot hold this"), Some(help));
        return None;
    }
    Some(value)
}

/// A token, as RFC 9110 has it.
fn is_header_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    !name.is_empty() && name.bytes().all(allowed)
}

//! Where does a password stand, as a table says it?

use std::ops::Range;
use std::path::Path;

use super::section::{At, Section};
use crate::job::SecretSource;

const KEYS: [&str; 3] = ["env", "file", "credential"];

/// Reads a place for a secret. Where the secret itself was written, that is said of `head`, a line above it: what is wrong
/// with a file is printed and logged together with its line.
pub fn read_secret(section: &mut Section, key: &str, head: &Range<usize>) -> Option<At<SecretSource>> {
    let value = section.get(key)?;
    let help = || format!("write {key} = {{ env = \"VARIABLE\" }}, {{ file = \"…\" }} or {{ credential = \"…\" }}");
    if value.get_ref().as_table().is_none() {
        let message =
            format!("`{key}` is a place from which it is read when it is needed: it does not stand in the file");
        section.error(key, head.clone(), message, Some(help()));
        return None;
    }
    let span = value.span();
    let mut table = section.table(key, &KEYS)?;
    let stands = table.stands(&KEYS);
    let [(place, _)] = &stands[..] else {
        let message = format!("`{key}` names one place: {}", KEYS.join(", "));
        section.error(key, span, message, Some(help()));
        return None;
    };
    let text = table.clean_text(place)?;
    if text.value.is_empty() {
        table.error(place, text.span, format!("`{place}` is empty"), None);
        return None;
    }
    let value = match *place {
        "env" => SecretSource::Env(text.value),
        "file" => SecretSource::File(text.value.into()),
        _ => SecretSource::Credential(text.value),
    };
    Some(At { value, span })
}

/// The place, where a relative path is taken from `folder`.
pub fn placed(source: SecretSource, folder: &Path) -> SecretSource {
    match source {
        SecretSource::File(path) => SecretSource::File(folder.join(path)),
        SecretSource::Env(_) | SecretSource::Credential(_) => source,
    }
}

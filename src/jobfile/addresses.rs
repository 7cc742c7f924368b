//! Which addresses of people does a key name?

use super::section::{At, Section};
use crate::job::Address;

/// What is wrong was complained about where it stands.
pub struct Complained;

/// Addresses, each with a name or without; none where the key does not stand.
pub fn addresses(table: &mut Section, key: &str) -> Result<Vec<Address>, Complained> {
    if table.get(key).is_none() {
        return Ok(Vec::new());
    }
    let texts = table.texts(key).ok_or(Complained)?;
    if texts.value.is_empty() {
        table.error(key, texts.span, format!("`{key}` names nobody"), None);
        return Err(Complained);
    }
    // All of them are looked at, so that all that is wrong is said.
    let read = |at: At<String>| {
        let address = at.value.parse();
        if address.is_err() {
            table.error(key, at.span, no_address(&at.value), None);
        }
        address.map_err(|_| Complained)
    };
    let addresses: Vec<Result<Address, Complained>> = texts.value.into_iter().map(read).collect();
    addresses.into_iter().collect()
}

/// What is wrong with a text that is no address, and what to write.
pub fn no_address(text: &str) -> String {
    let is_word = !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-'));
    if is_word {
        return format!("`{text}` is no address; write \"{text}@localhost\" for a user of this machine");
    }
    format!("`{text}` is no address; write for example \"ops@example.org\" or \"Ops <ops@example.org>\"")
}

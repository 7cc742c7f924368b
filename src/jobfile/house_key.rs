//! Where does a key of `[daemon]` stand?

use std::ops::Range;

use toml::de::DeTable;

/// Its value, if the text has it.
pub fn house_key(text: &str, key: &str) -> Option<Range<usize>> {
    let (table, _) = DeTable::parse_recoverable(text);
    let daemon = table.get_ref().get("daemon")?.get_ref().as_table()?;
    daemon.get(key).map(toml::Spanned::span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_found_where_it_stands() {
        let text = "[jobs.daemon]\ntemplates = 1\n[daemon]\ntemplates = \"own\"\n";
        assert_eq!(house_key(text, "templates").map(|span| &text[span]), Some("\"own\""));
        assert_eq!(house_key(text, "ping"), None);
    }
}

//! Which groups does `[daemon]` let in, and where do they stand? Whether there are such groups is a matter of the machine.

use std::ops::Range;

use toml::de::{DeTable, DeValue};

/// A group that a key of `[daemon]` names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedGroup {
    pub key: &'static str,
    pub name: String,
    pub span: Range<usize>,
}

/// The groups that the text of a file names, but for the word that stands for all.
pub fn named_groups(text: &str) -> Vec<NamedGroup> {
    let (table, _) = DeTable::parse_recoverable(text);
    let Some(daemon) = table.get_ref().get("daemon").and_then(|daemon| daemon.get_ref().as_table()) else {
        return Vec::new();
    };
    let mut groups = Vec::new();
    for key in ["operators", "readers"] {
        let Some(value) = daemon.get(key) else {
            continue;
        };
        let items = match value.get_ref() {
            DeValue::Array(items) => items.iter().collect(),
            _ => vec![value],
        };
        for item in items {
            if let Some(name) = item.get_ref().as_str().filter(|name| key == "operators" || *name != "all") {
                groups.push(NamedGroup { key, name: name.to_owned(), span: item.span() });
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_found_where_they_stand() {
        let text = "[daemon]\noperators = [\"ops\", \"dev\"]\nreaders = \"all\"\n[jobs.operators]\n";
        let found: Vec<(String, &str)> =
            named_groups(text).into_iter().map(|group| (group.name, &text[group.span])).collect();
        assert_eq!(found, [("ops".to_owned(), "\"ops\""), ("dev".to_owned(), "\"dev\"")]);
        assert_eq!(named_groups("[daemon]\nreaders = [\"www\"]")[0].key, "readers");
        assert_eq!(named_groups("[daemon\n"), []);
    }
}

//! Where does a secret stand, as a table says it? `{ env = "…" }`, `{ file = "…" }` or `{ credential = "…" }`.

use super::keys::SECRET;
use super::section::{At, Section};
use crate::job::SecretSource;

impl Section<'_, '_> {
    /// A place with a secret; the path of a file is as it was written. A secret that itself stands in the file is wrong
    /// there, and not shown with what is said about it.
    pub fn secret(&mut self, key: &str) -> Option<At<SecretSource>> {
        let span = self.span(key)?;
        let help =
            || format!("write {key} = {{ env = \"NAME\" }}, {{ file = \"PATH\" }} or {{ credential = \"NAME\" }}");
        if self.get(key).is_some_and(|value| value.get_ref().as_table().is_none()) {
            self.said().hide(span.clone());
            let message = format!("`{key}` does not stand in the file: it is read from elsewhere when it is needed");
            self.error(key, span, message, Some(help()));
            return None;
        }
        let mut table = self.table(key, &[SECRET])?;
        let [(place, _)] = table.stands(SECRET.iter().map(|key| key.name))[..] else {
            let message = format!(
                "`{key}` names one place: {}",
                SECRET.iter().map(|key| key.name).collect::<Vec<_>>().join(", ")
            );
            self.error(key, span, message, Some(help()));
            return None;
        };
        let text = table.clean_text(place)?;
        if text.value.is_empty() {
            table.error(place, text.span, format!("`{place}` is empty"), None);
            return None;
        }
        let value = match place {
            "env" => SecretSource::Env(text.value),
            "file" => SecretSource::File(text.value.into()),
            _ => SecretSource::Credential(text.value),
        };
        Some(At { value, span })
    }
}

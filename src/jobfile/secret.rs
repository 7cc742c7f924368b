//! Where does a secret stand, as a table says it? `{ env = "…" }`, `{ file = "…" }` or `{ credential = "…" }`.

use super::section::{At, Section};
use crate::job::SecretSource;

const KEYS: [&str; 3] = ["env", "file", "credential"];

impl Section<'_, '_> {
    /// A place with a secret; the path of a file is as it was written.
    pub fn secret(&mut self, key: &str) -> Option<At<SecretSource>> {
        let span = self.span(key)?;
        let mut table = self.table(key, &KEYS)?;
        let places = table.stands(&KEYS).len();
        let env = table.clean_text("env").map(|text| SecretSource::Env(text.value));
        let file = table.clean_text("file").map(|text| SecretSource::File(text.value.into()));
        let credential = table.clean_text("credential").map(|text| SecretSource::Credential(text.value));
        if places != 1 {
            let help = "write { env = \"NAME\" }, { file = \"PATH\" } or { credential = \"NAME\" }".to_owned();
            self.error(key, span, format!("`{key}` names one place with a secret"), Some(help));
            return None;
        }
        env.or(file).or(credential).map(|value| At { value, span })
    }
}

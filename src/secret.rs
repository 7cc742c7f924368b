//! Where does a password come from? From a variable, a file or a credential, read when it is needed and never shown.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use crate::files::{ReadError, read_text};
use crate::job::SecretSource;

/// The folder with the service's credentials, as systemd.exec(5) has it.
const CREDENTIALS: &str = "CREDENTIALS_DIRECTORY";

/// A password or the like. It shows itself to nobody who does not ask by name.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// Why a secret cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    #[error("there is no variable {0} in the daemon's environment")]
    NoVariable(String),
    #[error("there are no credentials: the service hands none over ({CREDENTIALS} is not set)")]
    NoCredentials,
    #[error("`{0}` is no name of a credential")]
    NoName(String),
    #[error(transparent)]
    File(#[from] ReadError),
}

/// Reads a secret; `environment` is the daemon's own. A line break at the end of a file is not part of it.
pub fn resolve(source: &SecretSource, environment: &BTreeMap<String, String>) -> Result<Secret, SecretError> {
    match source {
        SecretSource::Env(name) => {
            environment.get(name).cloned().map(Secret).ok_or_else(|| SecretError::NoVariable(name.clone()))
        }
        SecretSource::File(path) => of_file(path),
        SecretSource::Credential(name) => {
            if name.is_empty() || name.contains('/') || name == ".." {
                return Err(SecretError::NoName(name.clone()));
            }
            let folder = environment.get(CREDENTIALS).ok_or(SecretError::NoCredentials)?;
            of_file(&PathBuf::from(folder).join(name))
        }
    }
}

fn of_file(path: &Path) -> Result<Secret, SecretError> {
    let text = read_text(path)?;
    Ok(Secret(text.trim_end_matches(['\n', '\r']).to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_come_from_where_they_are_said_to_be() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("smtp"), "hunter 2\n").unwrap();
        let environment: BTreeMap<String, String> = [
            ("TOKEN".to_owned(), "abc".to_owned()),
            (CREDENTIALS.to_owned(), folder.path().to_str().unwrap().to_owned()),
        ]
        .into();
        let of = |source: &SecretSource| resolve(source, &environment).map(|secret| secret.expose().to_owned());
        assert_eq!(of(&SecretSource::Env("TOKEN".to_owned())).unwrap(), "abc");
        assert_eq!(of(&SecretSource::File(folder.path().join("smtp"))).unwrap(), "hunter 2");
        assert_eq!(of(&SecretSource::Credential("smtp".to_owned())).unwrap(), "hunter 2");
        for wrong in [SecretSource::Env("NONE".to_owned()), SecretSource::Credential("../smtp".to_owned())] {
            assert!(of(&wrong).is_err(), "{wrong:?}");
        }
        assert_eq!(format!("{:?}", resolve(&SecretSource::Env("TOKEN".to_owned()), &environment).unwrap()), "***");
    }
}

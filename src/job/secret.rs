//! Where does a password stand? Never in the job file.

use std::path::{Path, PathBuf};

/// A place from which a secret is read when it is needed, by the daemon and as the daemon.
#[derive(Debug, Clone, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SecretSource {
    /// A variable of the daemon's own environment.
    Env(String),
    File(PathBuf),
    /// A credential of the service, as systemd hands them over.
    Credential(String),
}

impl SecretSource {
    /// The same, where a relative path is taken from this folder.
    #[must_use]
    pub fn within(&self, folder: &Path) -> Self {
        match self {
            Self::File(path) => Self::File(folder.join(path)),
            Self::Env(_) | Self::Credential(_) => self.clone(),
        }
    }
}

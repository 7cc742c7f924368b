//! What does a job ask of a database?

use std::fmt;
use std::path::PathBuf;

use serde::{Serialize, Serializer};

use super::secret::SecretSource;
use super::statements::{Dialect, Statement};

/// Statements for a database.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Sql {
    pub database: Database,
    #[serde(flatten)]
    pub script: Script,
    /// All or nothing.
    pub single_transaction: bool,
    /// So many statements at once, each on a connection that it shares with no other at that time.
    pub max_parallel: usize,
    /// How many rows the last query is to return.
    pub expect_rows: Option<ExpectedRows>,
    pub password: Option<SecretSource>,
}

/// Where the database is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Database {
    /// A URL, without a password.
    Postgres(String),
    Sqlite {
        file: SqliteFile,
        access: SqliteAccess,
    },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SqliteFile {
    Path(PathBuf),
    /// Gone with the connection.
    Memory,
}

/// What may be done with a SQLite file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SqliteAccess {
    Read,
    Write,
    /// It is made where there is none.
    Create,
}

impl SqliteAccess {
    /// As SQLite's own URIs have them.
    pub const WORDS: [(&'static str, Self); 3] = [("ro", Self::Read), ("rw", Self::Write), ("rwc", Self::Create)];
}

impl Database {
    pub fn dialect(&self) -> Dialect {
        match self {
            Self::Postgres(_) => Dialect::Postgres,
            Self::Sqlite { .. } => Dialect::Sqlite,
        }
    }
}

impl Serialize for Database {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text = match self {
            Self::Postgres(url) => url.clone(),
            Self::Sqlite { file: SqliteFile::Memory, .. } => "sqlite::memory:".to_owned(),
            Self::Sqlite { file: SqliteFile::Path(path), access } => {
                let mode = match access {
                    SqliteAccess::Read => "?mode=ro",
                    SqliteAccess::Write => "",
                    SqliteAccess::Create => "?mode=rwc",
                };
                format!("sqlite:{}{mode}", path.display())
            }
        };
        serializer.serialize_str(&text)
    }
}

/// Where the statements stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Script {
    Statements(Vec<Statement>),
    /// Read at each run.
    File(PathBuf),
}

/// A bound on a number of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExpectedRows {
    comparison: Comparison,
    number: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Different,
    Less,
    AtMost,
    More,
    AtLeast,
}

impl Comparison {
    /// The longer ones first, as they begin with the shorter ones.
    const SIGNS: [(&'static str, Self); 7] = [
        ("==", Self::Equal),
        ("!=", Self::Different),
        ("<=", Self::AtMost),
        (">=", Self::AtLeast),
        ("=", Self::Equal),
        ("<", Self::Less),
        (">", Self::More),
    ];

    fn sign(self) -> &'static str {
        match self {
            Self::Equal => "",
            Self::Different => "!= ",
            Self::Less => "< ",
            Self::AtMost => "<= ",
            Self::More => "> ",
            Self::AtLeast => ">= ",
        }
    }
}

impl ExpectedRows {
    /// Reads `5`, `>= 1` or `< 100`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let signed = Comparison::SIGNS.iter().find_map(|(sign, comparison)| {
            let number = text.strip_prefix(sign)?;
            Some((*comparison, number.trim_start()))
        });
        let (comparison, digits) = signed.unwrap_or((Comparison::Equal, text));
        // A sign of its own would be read as part of the number.
        let number = digits.parse().ok().filter(|_| digits.starts_with(|c: char| c.is_ascii_digit()))?;
        Some(Self { comparison, number })
    }

    pub fn fits(&self, rows: u64) -> bool {
        match self.comparison {
            Comparison::Equal => rows == self.number,
            Comparison::Different => rows != self.number,
            Comparison::Less => rows < self.number,
            Comparison::AtMost => rows <= self.number,
            Comparison::More => rows > self.number,
            Comparison::AtLeast => rows >= self.number,
        }
    }
}

impl fmt::Display for ExpectedRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.comparison.sign(), self.number)
    }
}

impl Serialize for ExpectedRows {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_of_rows_are_compared() {
        for (text, fitting, other) in [
            ("0", 0, 1),
            ("=3", 3, 2),
            ("== 3", 3, 4),
            (">= 1", 1, 0),
            ("> 1", 2, 1),
            ("<=1", 1, 2),
            (" < 100 ", 99, 100),
            ("!= 0", 7, 0),
        ] {
            let expected = ExpectedRows::parse(text).unwrap();
            assert!(expected.fits(fitting) && !expected.fits(other), "{text}");
        }
        for wrong in ["", "x", ">=", "-1", "+1", "> -1", "1.5", "=> 1", "1 row"] {
            assert_eq!(ExpectedRows::parse(wrong), None, "{wrong}");
        }
        assert_eq!(ExpectedRows::parse(">=1").unwrap().to_string(), ">= 1");
    }
}

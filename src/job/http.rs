//! What does a job ask of web servers?

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Serialize, Serializer};
use url::Url;

use super::pattern::OutputPattern;
use super::secret::SecretSource;

/// Requests, many at once, and what is expected of their answers.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Http {
    /// No address twice; with http or https, a host, and neither user nor password.
    pub url: Vec<Url>,
    pub method: Method,
    /// No name twice.
    pub headers: Vec<Header>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Requests under way at once.
    pub max_parallel: usize,
    /// How often each address is asked.
    pub repeat: usize,
    /// For a request with all its redirects, to the last byte of its answer.
    #[serde(serialize_with = "seconds")]
    pub request_timeout: Duration,
    /// Bytes of an answer's body, decompressed; a larger one is a failure.
    pub body_limit: u64,
    /// Issuers that are trusted beside those of the machine.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ca_file: Option<PathBuf>,
    #[serde(flatten)]
    pub expected: Expected,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub fail_above: Vec<Ceiling>,
    /// The folder that keeps the bodies of answers that were as expected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub save: Option<PathBuf>,
    /// Never without `save`, which has what is compared with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_change: Option<OnChange>,
}

/// What an answer must be like.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Expected {
    #[serde(rename = "expect_status")]
    pub status: Vec<StatusRange>,
    #[serde(rename = "expect_body", skip_serializing_if = "Option::is_none")]
    pub body: Option<BodyPattern>,
    /// Values by JSON pointer, RFC 6901.
    #[serde(rename = "expect_json", skip_serializing_if = "BTreeMap::is_empty")]
    pub json: BTreeMap<String, serde_json::Value>,
    /// How long the server's certificate must still be valid.
    #[serde(rename = "expect_certificate", skip_serializing_if = "Option::is_none", serialize_with = "maybe_seconds")]
    pub certificate: Option<Duration>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    Get,
    Head,
    Post,
    Put,
    Patch,
    Delete,
    Options,
}

impl Method {
    pub const WORDS: [(&'static str, Self); 7] = [
        ("GET", Self::Get),
        ("HEAD", Self::Head),
        ("POST", Self::Post),
        ("PUT", Self::Put),
        ("PATCH", Self::Patch),
        ("DELETE", Self::Delete),
        ("OPTIONS", Self::Options),
    ];

    pub fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Head => "HEAD",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
            Self::Options => "OPTIONS",
        }
    }
}

impl Serialize for Method {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.word())
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Header {
    pub name: String,
    pub value: HeaderText,
}

impl Header {
    /// The same, where the relative path of a secret is taken from this folder.
    #[must_use]
    pub fn within(&self, folder: &Path) -> Self {
        match &self.value {
            HeaderText::Secret(source) => {
                Self { name: self.name.clone(), value: HeaderText::Secret(source.within(folder)) }
            }
            HeaderText::Open(_) | HeaderText::Private(_) => self.clone(),
        }
    }
}

/// What a header says, or where that stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum HeaderText {
    Open(String),
    /// Written into the file, though its name says that it should not be.
    Private(Private),
    Secret(SecretSource),
}

/// A text that is used and never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Private(pub String);

impl fmt::Debug for Private {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl Serialize for Private {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("***")
    }
}

impl HeaderText {
    /// A text as it stands in the file.
    pub fn of_text(name: &str, text: String) -> Self {
        const NAMES: [&str; 3] = ["authorization", "proxy-authorization", "cookie"];
        const WORDS: [&str; 5] = ["token", "secret", "password", "api-key", "apikey"];
        let name = name.to_ascii_lowercase();
        let is_private = NAMES.contains(&name.as_str()) || WORDS.iter().any(|word| name.contains(word));
        if is_private { Self::Private(Private(text)) } else { Self::Open(text) }
    }
}

/// Status codes from one to another, both included.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StatusRange {
    pub first: u16,
    pub last: u16,
}

impl StatusRange {
    pub const SUCCESS: Self = Self { first: 200, last: 299 };

    pub fn contains(self, status: u16) -> bool {
        (self.first..=self.last).contains(&status)
    }

    /// Whether any of them is a redirect.
    pub fn meets_redirects(self) -> bool {
        self.first <= 399 && self.last >= 300
    }
}

impl fmt::Display for StatusRange {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last { write!(f, "{}", self.first) } else { write!(f, "{}-{}", self.first, self.last) }
    }
}

impl Serialize for StatusRange {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What a body must contain: a text as it is, or, between slashes, what a regular expression fits.
#[derive(Debug, Clone, PartialEq)]
pub struct BodyPattern {
    pub written: String,
    pattern: OutputPattern,
}

impl BodyPattern {
    /// The error says what is wrong with the expression, over several lines.
    pub fn new(written: &str) -> Result<Self, String> {
        let expression = written.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let pattern = expression.map_or_else(|| OutputPattern::new(&regex::escape(written)), OutputPattern::new)?;
        Ok(Self { written: written.to_owned(), pattern })
    }

    pub fn fits(&self, body: &[u8]) -> bool {
        self.pattern.is_match(body)
    }
}

impl Serialize for BodyPattern {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.written)
    }
}

/// Which of all latencies: that of the request than which so many of a hundred were not slower.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Percentile {
    P50,
    P90,
    P95,
    P99,
    Max,
}

impl Percentile {
    pub const ALL: [Self; 5] = [Self::P50, Self::P90, Self::P95, Self::P99, Self::Max];

    pub fn word(self) -> &'static str {
        match self {
            Self::P50 => "p50",
            Self::P90 => "p90",
            Self::P95 => "p95",
            Self::P99 => "p99",
            Self::Max => "max",
        }
    }

    pub fn hundredths(self) -> usize {
        match self {
            Self::P50 => 50,
            Self::P90 => 90,
            Self::P95 => 95,
            Self::P99 => 99,
            Self::Max => 100,
        }
    }
}

/// The highest latency that is no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ceiling {
    pub percentile: Percentile,
    pub limit: Duration,
}

impl Serialize for Ceiling {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{} {}ms", self.percentile.word(), self.limit.as_secs_f64() * 1000.0))
    }
}

/// What follows where a body is not what was saved last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum OnChange {
    Fail,
    Tell,
}

impl OnChange {
    pub const WORDS: [(&'static str, Self); 2] = [("fail", Self::Fail), ("tell", Self::Tell)];
}

fn seconds<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_f64(duration.as_secs_f64())
}

#[expect(clippy::ref_option, reason = "serde hands over the field")]
fn maybe_seconds<S: Serializer>(duration: &Option<Duration>, serializer: S) -> Result<S::Ok, S::Error> {
    duration.map(|duration| duration.as_secs_f64()).serialize(serializer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_is_private() {
        for (name, expect) in [
            ("Authorization", true),
            ("COOKIE", true),
            ("X-Api-Key", true),
            ("X-Auth-Token", true),
            ("Accept", false),
            ("Idempotency-Key", false),
        ] {
            let value = HeaderText::of_text(name, "canary".to_owned());
            let shown = format!("{value:?} {}", serde_json::to_string(&value).unwrap());
            assert_eq!(!shown.contains("canary"), expect, "{name}: {shown}");
        }
    }

    #[test]
    fn bodies_contain_a_text_or_fit_an_expression() {
        for (written, body, expect) in [
            ("a.c", "xa.cx", true),
            ("a.c", "abc", false),
            ("/a.c/", "abc", true),
            ("/^ok$/", "not ok", false),
            ("/", "a/b", true),
        ] {
            assert_eq!(BodyPattern::new(written).unwrap().fits(body.as_bytes()), expect, "{written} {body}");
        }
        assert!(BodyPattern::new("/(/").is_err());
    }
}

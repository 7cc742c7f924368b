//! What is looked for in what a job writes or is answered?

use std::hash::{Hash, Hasher};

use regex::bytes::{Regex, RegexBuilder};

/// A regular expression that looks for trouble in output, in time linear to it.
#[derive(Debug, Clone)]
pub struct OutputPattern {
    regex: Regex,
}

impl OutputPattern {
    /// Bytes of a compiled expression: some thousand characters of Unicode classes.
    const LARGEST: usize = 1 << 20;

    /// The error says what is wrong with the expression, over several lines.
    pub fn new(text: &str) -> Result<Self, String> {
        let regex = RegexBuilder::new(text).size_limit(Self::LARGEST).build();
        regex.map(|regex| Self { regex }).map_err(|error| error.to_string())
    }

    pub fn text(&self) -> &str {
        self.regex.as_str()
    }

    pub fn is_match(&self, line: &[u8]) -> bool {
        self.regex.is_match(line)
    }
}

impl serde::Serialize for OutputPattern {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.text())
    }
}

impl<'de> serde::Deserialize<'de> for OutputPattern {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <std::borrow::Cow<str>>::deserialize(deserializer)?;
        Self::new(&text).map_err(serde::de::Error::custom)
    }
}

impl PartialEq for OutputPattern {
    fn eq(&self, other: &Self) -> bool {
        self.text() == other.text()
    }
}

impl Eq for OutputPattern {}

impl Hash for OutputPattern {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text().hash(state);
    }
}

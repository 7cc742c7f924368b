//! Who hears what is said on the way of a message? Nobody, or somebody who looks on because it does not arrive.

use std::fmt;

/// Something that was said. What is secret in it is `***`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Said<'w> {
    ByUs(&'w str),
    ByThem(&'w str),
    /// What neither has said, and who looks on wants to know.
    Aside(&'w str),
}

/// Where what is said goes, as it is said.
#[derive(Clone, Copy, Default)]
pub struct Conversation<'e>(Option<&'e (dyn Fn(Said<'_>) + Send + Sync)>);

impl<'e> Conversation<'e> {
    pub fn heard_by(ear: &'e (dyn Fn(Said<'_>) + Send + Sync)) -> Self {
        Self(Some(ear))
    }

    pub fn is_heard(&self) -> bool {
        self.0.is_some()
    }

    pub fn ours(&self, words: impl fmt::Display) {
        if let Some(ear) = self.0 {
            ear(Said::ByUs(&words.to_string()));
        }
    }

    pub fn theirs(&self, words: impl fmt::Display) {
        if let Some(ear) = self.0 {
            ear(Said::ByThem(&words.to_string()));
        }
    }

    pub fn aside(&self, words: impl fmt::Display) {
        if let Some(ear) = self.0 {
            ear(Said::Aside(&words.to_string()));
        }
    }
}

impl fmt::Debug for Conversation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.is_heard() { "heard" } else { "unheard" })
    }
}

//! What did the server say? A number and words, made fit to be kept.

use std::fmt;

use lettre::transport::smtp::{Error, response::Response};

/// Servers say a sentence or two; what is longer is no answer to anybody.
const LONGEST: usize = 500;

/// An answer to a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub code: u16,
    pub text: String,
}

impl Answer {
    /// The refusal in an error, if it is one.
    pub fn refusal(error: &Error) -> Option<Self> {
        let code = error.status()?;
        let text = std::error::Error::source(error).map(ToString::to_string).unwrap_or_default();
        Some(Self { code: code.into(), text })
    }

    pub fn of(response: &Response) -> Self {
        let lines: Vec<&str> = response.message().collect();
        Self { code: response.code().into(), text: lines.join(" ") }
    }

    /// The server may say otherwise later: RFC 5321, section 4.2.1.
    pub fn is_temporary(&self) -> bool {
        (400..500).contains(&self.code)
    }

    /// Without these words, which the server may have said back to us.
    #[must_use]
    pub fn without(self, words: &[String]) -> Self {
        Self { text: without(self.text, words), ..self }
    }
}

pub fn without(text: String, words: &[String]) -> String {
    let hide = |text: String, word: &String| text.replace(word.as_str(), "***");
    words.iter().filter(|word| !word.is_empty()).fold(text, hide)
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if self.is_temporary() {
            f.write_str(" (for now)")?;
        }
        // Only here, so that of what is hidden no beginning is left.
        let text = shortened(&self.text);
        if text.is_empty() { Ok(()) } else { write!(f, " {text}") }
    }
}

fn shortened(text: &str) -> String {
    let text = text.replace(char::is_control, " ");
    let text = text.trim();
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

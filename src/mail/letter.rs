//! What does a message consist of? Its head, its words in one form or two, and files.

use std::time::SystemTime;

use jiff::Timestamp;
use lettre::Message;
use lettre::address::Envelope;
use lettre::message::header::{ContentType, HeaderName, HeaderValue, MessageId};
use lettre::message::{self, MultiPart, SinglePart};

use super::SendError;
use crate::job::Address;

/// Longer subjects are cut: nobody reads more, and it is folded over many lines of the head.
const LONGEST_SUBJECT: usize = 250;

/// A message with all its words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Letter {
    pub from: Address,
    pub to: Vec<Address>,
    pub cc: Vec<Address>,
    /// Line breaks in it become spaces.
    pub subject: String,
    pub text: Option<String>,
    pub html: Option<String>,
    pub attachments: Vec<Attachment>,
    pub head: Head,
}

/// What stands in the head of a message that is one of many; each without line breaks, and within its angle brackets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Head {
    /// The same however often it is sent; where there is none, one is made.
    pub message_id: Option<String>,
    /// The message that it follows, so that readers show them together.
    pub follows: Option<String>,
    /// RFC 2919: by which people sort what they get.
    pub list_id: Option<String>,
}

/// A file that goes with a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    pub name: String,
    pub data: Vec<u8>,
}

/// A message as it goes over the wire.
#[derive(Debug)]
pub struct Composed {
    pub envelope: Envelope,
    pub message_id: String,
    pub bytes: Vec<u8>,
}

impl Letter {
    pub fn compose(self, now: Timestamp) -> Result<Composed, SendError> {
        let mut head = Message::builder()
            .from(self.from.mailbox().clone())
            .subject(one_line(&self.subject))
            .date(SystemTime::from(now))
            .message_id(self.head.message_id)
            // RFC 3834: whoever answers mail by itself does not answer this one.
            .raw_header(HeaderValue::new(
                HeaderName::new_from_ascii_str("Auto-Submitted"),
                "auto-generated".to_owned(),
            ));
        if let Some(follows) = self.head.follows {
            head = head.in_reply_to(follows.clone()).references(follows);
        }
        if let Some(list) = self.head.list_id {
            head = head.raw_header(HeaderValue::new(HeaderName::new_from_ascii_str("List-Id"), list));
        }
        for address in &self.to {
            head = head.to(address.mailbox().clone());
        }
        for address in &self.cc {
            head = head.cc(address.mailbox().clone());
        }
        let words = words(self.text, self.html);
        let whole = if self.attachments.is_empty() {
            match words {
                Words::One(part) => head.singlepart(part),
                Words::Two(parts) => head.multipart(parts),
            }
        } else {
            let mixed = match words {
                Words::One(part) => MultiPart::mixed().singlepart(part),
                Words::Two(parts) => MultiPart::mixed().multipart(parts),
            };
            head.multipart(self.attachments.into_iter().fold(mixed, |all, file| all.singlepart(file.part())))
        };
        let message = whole.map_err(|error| SendError::Letter(error.to_string()))?;
        let message_id = message.headers().get::<MessageId>().map(|id| id.as_ref().to_owned()).unwrap_or_default();
        Ok(Composed { envelope: message.envelope().clone(), message_id, bytes: message.formatted() })
    }
}

/// The words alone: in one form, or in two of which the reader chooses.
enum Words {
    One(SinglePart),
    Two(MultiPart),
}

fn words(text: Option<String>, html: Option<String>) -> Words {
    match (text, html) {
        (Some(text), Some(html)) => Words::Two(MultiPart::alternative_plain_html(text, html)),
        (None, Some(html)) => Words::One(SinglePart::html(html)),
        (text, None) => Words::One(SinglePart::plain(text.unwrap_or_default())),
    }
}

impl Attachment {
    /// Bytes go as they are, whatever they are.
    fn part(self) -> SinglePart {
        let kind = ContentType::parse(kind_of(&self.name)).unwrap_or(ContentType::TEXT_PLAIN);
        message::Attachment::new(self.name).body(self.data, kind)
    }
}

/// What a file is by its name, so that readers show it; what they do not know is saved.
fn kind_of(name: &str) -> &'static str {
    let extension = name.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase());
    match extension.as_deref().unwrap_or_default() {
        "txt" | "log" | "md" => "text/plain; charset=utf-8",
        "csv" => "text/csv; charset=utf-8",
        "html" | "htm" => "text/html; charset=utf-8",
        "json" => "application/json",
        "xml" => "application/xml",
        "pdf" => "application/pdf",
        "png" => "image/png",
        "jpg" | "jpeg" => "image/jpeg",
        "gif" => "image/gif",
        "svg" => "image/svg+xml",
        "zip" => "application/zip",
        "gz" | "tgz" => "application/gzip",
        "ics" => "text/calendar; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// A text without anything that ends a line of the head.
fn one_line(text: &str) -> String {
    let plain: String =
        text.chars().map(|c| if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') { ' ' } else { c }).collect();
    let plain = plain.trim();
    match plain.char_indices().nth(LONGEST_SUBJECT) {
        Some((at, _)) => format!("{}…", &plain[..at]),
        None => plain.to_owned(),
    }
}

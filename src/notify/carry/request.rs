//! How is one address asked once? Without following where it sends us, and reading no more of its answer than is worth it.

use std::time::Duration;

use tokio::time::timeout;
use url::Url;

use super::super::Refusal;
use super::address::origin;
use super::hidden::Hidden;
use super::later;
use super::said::in_a_line;
use crate::mail::Conversation;
use crate::web::header::{HeaderMap, LOCATION, RETRY_AFTER};
use crate::web::{self, Answer, Ask, Bytes, Manners, Method, Web};

/// Bytes of an answer that are looked at: services say a sentence or a small object.
const LARGEST_ANSWER: u64 = 64 << 10;
/// Bytes of it that are shown to whoever looks on.
const SHOWN: usize = 500;

/// All that is needed to ask.
#[derive(Debug)]
pub struct Request {
    pub url: Url,
    pub method: Method,
    /// What is secret is marked as sensitive.
    pub headers: HeaderMap,
    pub body: Option<Bytes>,
    pub hidden: Hidden,
    web: Web,
}

/// What was answered.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heard {
    pub status: u16,
    pub retry_after: Option<String>,
    /// The host that it sends us to.
    pub sends_to: Option<String>,
    /// As much of it as came, without secrets.
    pub body: String,
}

impl Request {
    /// Reads the certificates of the machine; must be called within a runtime, where it may block.
    pub fn new(url: Url, method: Method, hidden: Hidden) -> Result<Self, Refusal> {
        let manners = Manners { ca_file: None, plain_only: url.scheme() == "http", origins: 1 };
        let web = Web::new(&manners).map_err(|error| later(super::said::chain(&error)))?;
        Ok(Self { url, method, headers: HeaderMap::new(), body: None, hidden, web })
    }

    /// Asks. What has a status is answered, however its body ends: to ask again would be to tell twice.
    pub async fn ask(self, patience: Duration, conversation: Conversation<'_>) -> Result<Heard, Refusal> {
        self.tell(conversation);
        let mut head = None;
        let mut body = Vec::new();
        let asked = timeout(patience, self.hear(&mut head, &mut body)).await;
        let host = origin(&self.url);
        let trouble = match asked {
            Ok(Ok(())) => None,
            Ok(Err(trouble)) => Some(trouble.to_string()),
            Err(_) => Some(format!(
                "it gave no answer within {} s; it may have got the message all the same",
                patience.as_secs_f64()
            )),
        };
        let Some(mut heard) = head else {
            let why = format!("{host}: {}", trouble.unwrap_or_default());
            conversation.aside(in_a_line(&self.hidden.cover(&why)));
            return Err(later(in_a_line(&self.hidden.cover(&why))));
        };
        heard.body = self.hidden.cover(&String::from_utf8_lossy(&body));
        if conversation.is_heard() {
            let shown: String = heard.body.chars().take(SHOWN).collect();
            shown.lines().for_each(|line| conversation.theirs(line));
        }
        Ok(heard)
    }

    async fn hear(&self, head: &mut Option<Heard>, body: &mut Vec<u8>) -> Result<(), web::Trouble> {
        let ask = Ask {
            method: self.method.clone(),
            headers: self.headers.clone(),
            body: self.body.clone(),
            follow_redirects: false,
            body_limit: LARGEST_ANSWER,
        };
        let _place = web::place(&self.url).await;
        let mut answer = self.web.ask(&ask, &self.url).await?;
        *head = Some(self.head(&answer));
        while let Some(chunk) = answer.chunk().await? {
            body.extend_from_slice(&chunk);
        }
        Ok(())
    }

    fn head(&self, answer: &Answer) -> Heard {
        let location = answer.header(&LOCATION).and_then(|location| self.url.join(location).ok());
        Heard {
            status: answer.status(),
            retry_after: answer.header(&RETRY_AFTER).map(str::to_owned),
            sends_to: location.map(|location| self.hidden.cover(&origin(&location))),
            body: String::new(),
        }
    }

    fn tell(&self, conversation: Conversation<'_>) {
        conversation.ours(format_args!("{} {}/… HTTP/1.1", self.method, origin(&self.url)));
        for (name, value) in &self.headers {
            let value = if value.is_sensitive() { "***" } else { value.to_str().unwrap_or("…") };
            conversation.ours(format_args!("{name}: {value}"));
        }
        if let Some(body) = &self.body {
            conversation.ours(format_args!("(a body of {} bytes)", body.len()));
        }
    }
}

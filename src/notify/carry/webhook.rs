//! How does a web server get a message? By POST, in the shape that it wants, signed if both know a secret.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use jiff::Timestamp;
use ring::hmac;
use url::Url;

use super::super::shape::body;
use super::super::{Accepted, Means, Outgoing, Refusal};
use super::address::{address, origin, secret};
use super::hidden::Hidden;
use super::request::Request;
use super::verdict::verdict;
use super::{aside, later};
use crate::clock::Clock;
use crate::job::{Header, HeaderText, Shape, Webhook};
use crate::mail::Conversation;
use crate::web::Method;
use crate::web::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};

const NOTICE_ID: HeaderName = HeaderName::from_static("punctual-notice-id");
const SIGNATURE: HeaderName = HeaderName::from_static("punctual-signature");
/// The method of Telegram's bots that says something in a chat.
const SEND_MESSAGE: &str = "sendMessage";

pub async fn carry(
    webhook: &Webhook,
    outgoing: &Outgoing,
    means: &Means,
    patience: Duration,
    conversation: Conversation<'_>,
) -> Result<Accepted, Refusal> {
    let now = Clock::System.now();
    let preparing = (webhook.clone(), outgoing.clone(), means.environment.clone());
    let request = aside(move || prepare(&preparing.0, &preparing.1, &preparing.2, now)).await?;
    let host = origin(&request.url);
    let heard = request.ask(patience, conversation).await?;
    conversation.aside(format_args!("{host} answered {}", heard.status));
    verdict(Some(&webhook.shape), &host, &heard, Clock::System.now())
}

fn prepare(
    webhook: &Webhook,
    outgoing: &Outgoing,
    environment: &BTreeMap<String, String>,
    now: Timestamp,
) -> Result<Request, Refusal> {
    let mut hidden = Hidden::default();
    let url = address(&webhook.url, environment, &mut hidden)?;
    let body = body(&webhook.shape, &outgoing.report, &outgoing.written);
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(body.content_type));
    for (name, value) in &body.headers {
        headers.insert(name_of(name)?, line(name, value)?);
    }
    for header in &webhook.headers {
        let (name, value) = own_header(header, environment, &mut hidden)?;
        headers.insert(name, value);
    }
    headers.insert(NOTICE_ID, line(NOTICE_ID.as_str(), &outgoing.report.id)?);
    if let Some(source) = &webhook.secret {
        let secret = secret("the secret", source, environment)?;
        hidden.add(secret.expose());
        let signature = signature(secret.expose().as_bytes(), now.as_second(), &body.bytes);
        headers.insert(SIGNATURE, line(SIGNATURE.as_str(), &signature)?);
    }
    let mut request = Request::new(place(url, &webhook.shape), Method::POST, hidden)?;
    request.headers = headers;
    request.body = Some(body.bytes.into());
    Ok(request)
}

/// Bots of Telegram are addressed by their method, which people leave out.
fn place(mut url: Url, shape: &Shape) -> Url {
    let last = url.path_segments().and_then(|mut segments| segments.next_back()).unwrap_or_default();
    if matches!(shape, Shape::Telegram { .. })
        && !last.eq_ignore_ascii_case(SEND_MESSAGE)
        && let Ok(mut segments) = url.path_segments_mut()
    {
        segments.pop_if_empty().push(SEND_MESSAGE);
    }
    url
}

fn own_header(
    header: &Header,
    environment: &BTreeMap<String, String>,
    hidden: &mut Hidden,
) -> Result<(HeaderName, HeaderValue), Refusal> {
    let (text, is_secret) = match &header.value {
        HeaderText::Open(text) => (text.clone(), false),
        HeaderText::Private(text) => (text.0.clone(), true),
        HeaderText::Secret(source) => {
            let what = format!("the header {}", header.name);
            (secret(&what, source, environment)?.expose().to_owned(), true)
        }
    };
    if is_secret {
        hidden.add(&text);
    }
    let name = name_of(&header.name)?;
    let mut value = line(&header.name, &text)?;
    value.set_sensitive(is_secret);
    Ok((name, value))
}

fn name_of(name: &str) -> Result<HeaderName, Refusal> {
    HeaderName::from_bytes(name.as_bytes()).map_err(|_| later(format!("`{name}` is no name of a header")))
}

fn line(name: &str, text: &str) -> Result<HeaderValue, Refusal> {
    HeaderValue::from_str(text)
        .map_err(|_| later(format!("the header {name} cannot hold its value: it is no line of ASCII")))
}

/// `t=UNIX,v1=HEX`: HMAC-SHA256 over the time, a dot, and the body, so that an old one cannot be sent again by somebody else.
fn signature(secret: &[u8], at: i64, body: &[u8]) -> String {
    let key = hmac::Key::new(hmac::HMAC_SHA256, secret);
    let mut context = hmac::Context::with_key(&key);
    context.update(format!("{at}.").as_bytes());
    context.update(body);
    context.sign().as_ref().iter().fold(format!("t={at},v1="), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_as_others_make_them() {
        // printf '0.what do ya want for nothing?' | openssl dgst -sha256 -hmac Jefe
        let expect = "t=0,v1=37f471929915ccd2cbbe79feb84ffcff4f2bb25e15fc41c2506687331ae179cc";
        assert_eq!(signature(b"Jefe", 0, b"what do ya want for nothing?"), expect);
    }

    #[test]
    fn bots_are_asked_to_say_it() {
        let chat = Shape::Telegram { chat: "1".to_owned() };
        for (url, expect) in [
            ("https://a.example/botX", "https://a.example/botX/sendMessage"),
            ("https://a.example/botX/", "https://a.example/botX/sendMessage"),
            ("https://a.example/botX/sendmessage", "https://a.example/botX/sendmessage"),
        ] {
            assert_eq!(place(url.parse().unwrap(), &chat).as_str(), expect);
            assert_eq!(place(url.parse().unwrap(), &Shape::Json).as_str(), url);
        }
    }
}

//! What does a web server's answer mean for the message: taken, not yet, or never?

use std::time::Duration;

use jiff::Timestamp;
use jiff::fmt::rfc2822;
use serde_json::Value;

use super::super::{Accepted, Refusal};
use super::request::Heard;
use super::said::in_a_line;
use crate::job::Shape;

/// Who asks to be left alone for longer would be forgotten, and means something else.
const LONGEST_WAIT: Duration = Duration::from_secs(24 * 3600);
/// How a connector of Teams begins what it says when it has taken nothing, with status 200.
const TEAMS_TROUBLE: &str = "Webhook message delivery failed";

/// `host` is how the server is called in what is said of it.
pub fn verdict(shape: Option<&Shape>, host: &str, heard: &Heard, now: Timestamp) -> Result<Accepted, Refusal> {
    let json: Option<Value> = serde_json::from_str(&heard.body).ok();
    let said = said(&heard.body, json.as_ref());
    let answer = if said.is_empty() { heard.status.to_string() } else { format!("{} {said}", heard.status) };
    let after = retry_after(heard, json.as_ref(), now);
    let later = |why: String| Err(Refusal::Later { why: format!("{host} answered {answer}{why}"), after });
    match heard.status {
        200..=299 if refuses_in_words(shape, &heard.body, json.as_ref()) => later(String::new()),
        200..=299 => Ok(Accepted { answer }),
        300..=399 => later(match &heard.sends_to {
            Some(to) => format!(", a redirect to {to}, which is not followed: write the address that is meant"),
            None => String::new(),
        }),
        // A chat that is not there is named in the file.
        400 if matches!(shape, Some(Shape::Telegram { .. })) && said.contains("chat not found") => later(String::new()),
        400 | 413 | 422 => Err(Refusal::Never { why: format!("{host} answered {answer}") }),
        401 | 403 => later(": it does not let us in".to_owned()),
        404 | 410 => later(": there is nobody at this address".to_owned()),
        _ => later(String::new()),
    }
}

/// Some services say no with a status that says yes.
fn refuses_in_words(shape: Option<&Shape>, body: &str, json: Option<&Value>) -> bool {
    match shape {
        Some(Shape::Slack | Shape::Telegram { .. }) => json.is_some_and(|json| json["ok"] == false),
        Some(Shape::Teams) => body.trim_start().starts_with(TEAMS_TROUBLE),
        Some(Shape::Json | Shape::Discord | Shape::Ntfy) | None => false,
    }
}

/// What is worth keeping of a body: the sentence in an object, and nothing of a page.
fn said(body: &str, json: Option<&Value>) -> String {
    let sentence = json.and_then(|json| {
        ["description", "error", "message"].iter().find_map(|key| json.get(key).and_then(Value::as_str))
    });
    match sentence {
        Some(sentence) => in_a_line(sentence),
        None if body.trim_start().starts_with('<') => String::new(),
        None => in_a_line(body),
    }
}

/// RFC 9110, section 10.2.3: seconds, or a date. Discord and Telegram say it in their bodies as well.
fn retry_after(heard: &Heard, json: Option<&Value>, now: Timestamp) -> Option<Duration> {
    if !matches!(heard.status, 429 | 503) {
        return None;
    }
    let of_header = heard.retry_after.as_deref().and_then(|text| of_text(text.trim(), now));
    let of_body = || {
        let json = json?;
        let seconds = json.pointer("/parameters/retry_after").or_else(|| json.get("retry_after"))?.as_f64()?;
        Duration::try_from_secs_f64(seconds).ok()
    };
    of_header.or_else(of_body).map(|after| after.min(LONGEST_WAIT))
}

fn of_text(text: &str, now: Timestamp) -> Option<Duration> {
    if !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()) {
        return Some(text.parse().map_or(LONGEST_WAIT, Duration::from_secs));
    }
    let at = rfc2822::parse(text).ok()?.timestamp();
    // What is over need not be waited for.
    Some(Duration::try_from(at.duration_since(now)).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHAT: fn() -> Shape = || Shape::Telegram { chat: "1".to_owned() };

    fn of(shape: &Shape, status: u16, body: &str) -> Result<Accepted, Refusal> {
        let heard = Heard { status, body: body.to_owned(), ..Heard::default() };
        verdict(Some(shape), "https://a.example", &heard, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn answers_are_judged() {
        let ok = |answer: &str| Ok(Accepted { answer: answer.to_owned() });
        let later = |why: &str| {
            let why = format!("https://a.example answered {why}");
            Err(Refusal::Later { why, after: None })
        };
        let never = |why: &str| Err(Refusal::Never { why: format!("https://a.example answered {why}") });
        let nobody = "404 no_service: there is nobody at this address";
        for (shape, status, body, expect) in [
            (Shape::Json, 204, "", ok("204")),
            (Shape::Slack, 200, "ok", ok("200 ok")),
            (Shape::Json, 200, r#"{"ok":false}"#, ok(r#"200 {"ok":false}"#)),
            (Shape::Slack, 200, r#"{"ok":false,"error":"invalid_auth"}"#, later("200 invalid_auth")),
            (Shape::Slack, 404, "no_service", later(nobody)),
            (Shape::Slack, 400, "invalid_payload", never("400 invalid_payload")),
            (
                CHAT(),
                400,
                r#"{"ok":false,"description":"Bad Request: chat not found"}"#,
                later("400 Bad Request: chat not found"),
            ),
            (CHAT(), 400, r#"{"ok":false,"description":"message is too long"}"#, never("400 message is too long")),
            (
                Shape::Teams,
                200,
                "Webhook message delivery failed with error: 429",
                later("200 Webhook message delivery failed with error: 429"),
            ),
            (Shape::Json, 500, "<html><h1>oh\u{1b}[2J</h1>", later("500")),
            (Shape::Json, 403, "", later("403: it does not let us in")),
            (Shape::Json, 408, "", later("408")),
            (Shape::Json, 413, "", never("413")),
            (Shape::Json, 304, "", later("304")),
        ] {
            assert_eq!(of(&shape, status, body), expect, "{status} {body}");
        }
    }

    #[test]
    fn who_wants_to_be_left_alone_is() {
        let after = |status: u16, header: Option<&str>, body: &str| {
            let heard =
                Heard { status, retry_after: header.map(str::to_owned), body: body.to_owned(), ..Heard::default() };
            match verdict(None, "", &heard, "1994-11-06T08:49:00Z".parse().unwrap()) {
                Err(Refusal::Later { after, .. }) => after.map(|after| after.as_millis()),
                other => panic!("{other:?}"),
            }
        };
        for (status, header, body, expect) in [
            (429, Some("7"), "", Some(7000)),
            (503, Some("Sun, 06 Nov 1994 08:49:37 GMT"), "", Some(37000)),
            (503, Some("Sun, 06 Nov 1994 08:00:00 GMT"), "", Some(0)),
            (503, Some("99999999999999999999999"), "", Some(86_400_000)),
            (503, Some("-1"), "", None),
            (503, Some("soon"), "", None),
            (500, Some("7"), "", None),
            (429, None, r#"{"ok":false,"parameters":{"retry_after":5}}"#, Some(5000)),
            (429, None, r#"{"retry_after":0.25}"#, Some(250)),
            (429, None, r#"{"retry_after":-1e99}"#, None),
        ] {
            assert_eq!(after(status, header, body), expect, "{status} {header:?} {body}");
        }
    }
}

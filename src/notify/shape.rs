//! In which form does a web server want to be told?

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::json;

use super::Written;
use crate::job::Shape;
use crate::report::MessageReport;

/// The body of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    pub bytes: Vec<u8>,
    pub content_type: &'static str,
    /// Beside those of the channel.
    pub headers: Vec<(String, String)>,
}

pub fn body(shape: &Shape, report: &MessageReport, written: &Written) -> Body {
    let json = |value: serde_json::Value| Body {
        bytes: value.to_string().into(),
        content_type: "application/json",
        headers: Vec::new(),
    };
    match shape {
        Shape::Json => json(serde_json::to_value(report).unwrap_or_default()),
        Shape::Slack | Shape::Teams => json(json!({ "text": written.text })),
        Shape::Discord => json(json!({ "content": written.short })),
        Shape::Telegram { chat } => json(json!({ "chat_id": chat, "text": written.short })),
        Shape::Ntfy => Body {
            bytes: written.text.clone().into(),
            content_type: "text/plain; charset=utf-8",
            headers: vec![("Title".to_owned(), format!("=?UTF-8?B?{}?=", STANDARD.encode(&written.subject)))],
        },
    }
}

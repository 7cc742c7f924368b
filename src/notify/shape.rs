//! In which form does a web server want a message? Ours, or that of a service, with everything escaped that it would interpret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::Written;
use super::words::{Mood, cut};
use crate::job::Shape;
use crate::notice::Kind;
use crate::report::MessageReport;

/// Of a block of Slack's; how many blocks are sent, of the fifty that it takes; and of its header.
const SLACK_BLOCK: usize = 3000;
const SLACK_BLOCKS: usize = 5;
const SLACK_HEADER: usize = 150;
/// Of Discord's content and of Telegram's text.
const DISCORD: usize = 2000;
const TELEGRAM: usize = 4096;
/// Lines of a card and characters of each: Teams takes 28 KB with all marks, of which each line brings some.
const TEAMS_LINES: usize = 60;
const TEAMS_LINE: usize = 200;
/// Bytes: longer messages become files for ntfy.
const NTFY: usize = 4000;
/// An encoded word has 75 characters at most (RFC 2047), of which twelve are not its text, which base64 makes a third longer.
const ENCODED_WORD: usize = 45;

/// What is posted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Body {
    pub content_type: &'static str,
    pub bytes: Vec<u8>,
    /// Beside those of the channel.
    pub headers: Vec<(String, String)>,
}

pub fn body(shape: &Shape, report: &MessageReport, written: &Written) -> Body {
    match shape {
        Shape::Json => in_json(&ours(report, written)),
        Shape::Slack => in_json(&slack(written)),
        Shape::Discord => in_json(&discord(written)),
        Shape::Teams => in_json(&teams(written)),
        Shape::Ntfy => ntfy(report, written),
        Shape::Telegram { chat } => in_json(&telegram(chat, written)),
    }
}

fn in_json(value: &Value) -> Body {
    Body { content_type: "application/json", bytes: value.to_string().into_bytes(), headers: Vec::new() }
}

fn ours(report: &MessageReport, written: &Written) -> Value {
    let mut value = serde_json::to_value(report).unwrap_or_default();
    if let Some(object) = value.as_object_mut() {
        object.insert("subject".to_owned(), written.subject.clone().into());
        object.insert("text".to_owned(), written.text.clone().into());
    }
    value
}

/// The subject as a header, in which Slack interprets nothing, and the text as it is.
fn slack(written: &Written) -> Value {
    let header = cut(&written.subject, SLACK_HEADER);
    let mut blocks =
        vec![json!({ "type": "header", "text": { "type": "plain_text", "text": header, "emoji": false } })];
    let pieces = pieces(&unfenced(&for_slack(&written.text)), SLACK_BLOCK - 8);
    let is_cut = pieces.len() > SLACK_BLOCKS;
    for piece in pieces.into_iter().take(SLACK_BLOCKS) {
        blocks.push(json!({ "type": "section", "text": { "type": "mrkdwn", "text": format!("```\n{piece}\n```") } }));
    }
    if is_cut {
        blocks.push(json!({ "type": "section", "text": { "type": "plain_text", "text": "…" } }));
    }
    // What is shown where there is no room for blocks.
    json!({ "text": for_slack(&written.subject), "blocks": blocks })
}

/// Slack's own words are between angle brackets: `<!channel>`, `<@U1>`, `<https://…>`.
fn for_slack(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

fn discord(written: &Written) -> Value {
    let subject = format!("**{}**\n", without_marks(&written.subject));
    let room = DISCORD - length(&subject) - 8;
    let text = within(&unfenced(&unmentioned(written.text.trim_end())), room);
    // Whatever stands there, nobody is called by it.
    json!({ "content": format!("{subject}```\n{text}\n```"), "allowed_mentions": { "parse": [] } })
}

/// Without what Discord takes for a mark: a backslash takes its meaning away.
fn without_marks(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    for character in unmentioned(text).chars() {
        if "\\*_~`|>#[]()<:-".contains(character) {
            plain.push('\\');
        }
        plain.push(character);
    }
    plain
}

/// `@everyone` and the like with a space of no width in it, also for whoever copies it.
fn unmentioned(text: &str) -> String {
    text.replace('@', "@\u{200b}")
}

/// Between fences: what looks like one does not end them.
fn unfenced(text: &str) -> String {
    text.replace("```", "`\u{200b}`\u{200b}`")
}

/// An adaptive card, as the webhooks of workflows take it. Its rich text knows no marks.
fn teams(written: &Written) -> Value {
    let run = |text: &str, monospace: bool| {
        let font = if monospace { "Monospace" } else { "Default" };
        let text = if text.is_empty() { " " } else { text };
        json!({ "type": "TextRun", "text": text, "fontType": font, "size": if monospace { "Small" } else { "Medium" },
                "weight": if monospace { "Default" } else { "Bolder" } })
    };
    let block = |run: Value, spacing: &str| json!({ "type": "RichTextBlock", "spacing": spacing, "inlines": [run] });
    let mut body = vec![block(run(&written.subject, false), "Default")];
    let lines: Vec<&str> = written.text.trim_end().lines().collect();
    for line in lines.iter().take(TEAMS_LINES) {
        body.push(block(run(&cut(line, TEAMS_LINE), true), "None"));
    }
    if lines.len() > TEAMS_LINES {
        body.push(block(run("…", true), "None"));
    }
    json!({
        "type": "message",
        "attachments": [{
            "contentType": "application/vnd.microsoft.card.adaptive",
            "contentUrl": null,
            "content": {
                "$schema": "http://adaptivecards.io/schemas/adaptive-card.json",
                "type": "AdaptiveCard",
                "version": "1.4",
                "msteams": { "width": "Full" },
                "fallbackText": written.subject,
                "body": body,
            },
        }],
    })
}

fn telegram(chat: &str, written: &Written) -> Value {
    // Without a `parse_mode` nothing is a mark, and addresses are not looked up.
    let text = within(&format!("{}\n\n{}", written.subject, written.text.trim_end()), TELEGRAM);
    json!({ "chat_id": chat, "text": text, "link_preview_options": { "is_disabled": true } })
}

fn ntfy(report: &MessageReport, written: &Written) -> Body {
    let text = &written.text;
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= NTFY).last();
    let (priority, tag) = urgency(report);
    let header = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    Body {
        content_type: "text/plain; charset=utf-8",
        bytes: text.as_bytes()[..end.unwrap_or(0)].to_vec(),
        headers: vec![header("Title", &encoded(&written.subject)), header("Priority", priority), header("Tags", tag)],
    }
}

/// How loud a telephone is, and the name of the sign beside the title.
fn urgency(report: &MessageReport) -> (&'static str, &'static str) {
    match Mood::of_all(report) {
        Mood::Bad => ("4", "rotating_light"),
        Mood::Doubtful => ("3", "warning"),
        Mood::Good => ("3", "white_check_mark"),
        Mood::Plain if report.notices.iter().any(|notice| notice.kind == Kind::Test) => ("3", "bell"),
        Mood::Plain => ("2", "memo"),
    }
}

/// A value of a header; what is not ASCII in the form of mail, which ntfy reads.
fn encoded(text: &str) -> String {
    if text.chars().all(|c| c.is_ascii() && !c.is_ascii_control()) && !text.contains("=?") {
        return text.to_owned();
    }
    let mut words = vec![String::new()];
    for character in text.chars() {
        match words.last_mut().filter(|word| word.len() + character.len_utf8() <= ENCODED_WORD) {
            Some(word) => word.push(character),
            None => words.push(character.into()),
        }
    }
    let words: Vec<String> = words.iter().map(|word| format!("=?utf-8?B?{}?=", STANDARD.encode(word))).collect();
    words.join(" ")
}

/// As services count: an emoji is two.
fn length(text: &str) -> usize {
    text.chars().map(char::len_utf16).sum()
}

/// The beginning that has room, with a mark where something was cut.
fn within(text: &str, most: usize) -> String {
    if length(text) <= most {
        return text.to_owned();
    }
    let mut left = most.saturating_sub(1);
    let kept = text.chars().take_while(|c| {
        let has_room = c.len_utf16() <= left;
        left = left.saturating_sub(c.len_utf16());
        has_room
    });
    kept.chain(['…']).collect()
}

/// A text in pieces of at most so many, cut between lines where that is possible.
fn pieces(text: &str, most: usize) -> Vec<String> {
    let mut pieces: Vec<String> = Vec::new();
    for line in text.trim_end().lines() {
        let line = within(line, most);
        match pieces.last_mut().filter(|piece| length(piece) + 1 + length(&line) <= most) {
            Some(piece) => {
                piece.push('\n');
                piece.push_str(&line);
            }
            None => pieces.push(line),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn titles_are_words_that_every_header_takes() {
        assert_eq!(encoded("plain"), "plain");
        assert_eq!(encoded("größe"), "=?utf-8?B?Z3LDtsOfZQ==?=");
        assert!(encoded("=?utf-8?q?x?=").starts_with("=?utf-8?B?"));
        let long = encoded(&"日本語".repeat(20));
        assert!(long.split(' ').count() > 3 && long.split(' ').all(|word| word.len() <= 75), "{long}");
    }

    #[test]
    fn what_is_too_long_is_cut_as_services_count() {
        assert_eq!(within("abc", 3), "abc");
        assert_eq!(within("abcd", 3), "ab…");
        assert_eq!(within("🚀🚀🚀", 5), "🚀🚀…");
        assert_eq!(pieces("aa\nbb\ncccccc\n", 5), ["aa\nbb", "cccc…"]);
        assert_eq!(unfenced("a```b"), "a`\u{200b}`\u{200b}`b");
    }
}

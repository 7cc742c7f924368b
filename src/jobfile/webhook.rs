//! What does `webhook` say of a channel? Its address alone, or a table.

use std::ops::Range;

use url::Url;

use super::headers::headers;
use super::keys::{SECRET, WEBHOOK};
use super::section::{At, Section};
use crate::job::{Shape, Target, Webhook};

/// What the shapes are called, before it is known whom a bot tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Json,
    Slack,
    Discord,
    Teams,
    Ntfy,
    Telegram,
}

const FORMS: [(&str, Form); 6] = [
    ("json", Form::Json),
    ("slack", Form::Slack),
    ("discord", Form::Discord),
    ("teams", Form::Teams),
    ("ntfy", Form::Ntfy),
    ("telegram", Form::Telegram),
];

/// Hosts that want to be told in one form only; all below them as well.
const HOSTS: [(&str, Form); 9] = [
    ("hooks.slack.com", Form::Slack),
    ("hooks.slack-gov.com", Form::Slack),
    ("discord.com", Form::Discord),
    ("discordapp.com", Form::Discord),
    ("webhook.office.com", Form::Teams),
    ("logic.azure.com", Form::Teams),
    ("powerplatform.com", Form::Teams),
    ("ntfy.sh", Form::Ntfy),
    ("api.telegram.org", Form::Telegram),
];

/// Reads the key `webhook`; paths are as they were written.
pub fn read_webhook(section: &mut Section) -> Option<Webhook> {
    let value = section.get("webhook")?;
    let Some(table) = value.get_ref().as_table() else {
        let url = section.target("webhook")?;
        let shape = shape(section, "webhook", &url, None, None)?;
        return Some(Webhook { url: url.value, shape, headers: Vec::new(), secret: None });
    };
    let is_place = |key: &str| SECRET.iter().any(|place| place.name == key);
    if !table.contains_key("url") && table.keys().any(|key| is_place(key.get_ref())) {
        let help = "write webhook = { url = { env = \"NAME\" } }".to_owned();
        section.error("webhook", value.span(), "this says where an address stands, and not of what", Some(help));
        return None;
    }
    let mut table = section.table("webhook", &[WEBHOOK])?;
    if table.span("url").is_none() && !table.means(&["url"]) {
        let help = "write for example webhook = { url = \"https://example.org/hook\" }".to_owned();
        table.error("url", value.span(), "this webhook has no `url`", Some(help));
    }
    let url = table.target("url");
    let said = table.choice("shape", &FORMS);
    let is_wrong = said.is_none() && table.span("shape").is_some();
    let chat = chat(&mut table);
    let headers = headers(&mut table);
    let secret = table.secret("secret").map(|at| at.value);
    let url = url.filter(|_| !is_wrong)?;
    let shape = shape(&mut table, "url", &url, said, chat)?;
    Some(Webhook { url: url.value, shape, headers, secret })
}

/// A number or a name.
fn chat(table: &mut Section) -> Option<At<String>> {
    if table.is_text("chat") {
        return table.filled_text("chat");
    }
    table.integer("chat", i64::MIN, i64::MAX).map(|at| at.map(|number| number.to_string()))
}

/// The shape that was said, or that the host wants; `key` is that of the address.
fn shape(
    table: &mut Section,
    key: &str,
    url: &At<Target>,
    said: Option<At<Form>>,
    chat: Option<At<String>>,
) -> Option<Shape> {
    let is_said = said.is_some();
    let form = match (said, &url.value) {
        (Some(said), _) => said.value,
        (None, Target::Open(url)) => form_of(url),
        (None, Target::Secret(_)) => {
            let message =
                "it is told in punctual's own JSON: by an address that stands elsewhere no other form is guessed";
            let help = "write shape = \"slack\", \"discord\", \"teams\", \"ntfy\", \"telegram\" or \"json\" beside it";
            table.warn(key, url.span.clone(), message, Some(help.to_owned()));
            Form::Json
        }
    };
    if let Some(chat) = chat.as_ref().filter(|_| form != Form::Telegram) {
        let help = "write shape = \"telegram\", or leave it out".to_owned();
        table.error("chat", chat.span.clone(), "only bots of Telegram tell a `chat`", Some(help));
        return None;
    }
    Some(match form {
        Form::Json => Shape::Json,
        Form::Slack => Shape::Slack,
        Form::Discord => Shape::Discord,
        Form::Teams => Shape::Teams,
        Form::Ntfy => Shape::Ntfy,
        Form::Telegram => match chat {
            Some(chat) => Shape::Telegram { chat: chat.value },
            // One that is there and wrong was complained about.
            None if table.span("chat").is_some() || table.means(&["chat"]) => return None,
            None => {
                no_chat(table, key, url.span.clone(), is_said);
                return None;
            }
        },
    })
}

fn no_chat(table: &mut Section, key: &str, span: Range<usize>, is_said: bool) {
    let message = if is_said {
        "it is not said whom the bot of Telegram tells"
    } else {
        "this is a bot of Telegram, and it is not said whom it tells"
    };
    let help = "write webhook = { url = \"https://api.telegram.org/bot…/sendMessage\", chat = \"-100…\" }".to_owned();
    table.error(key, span, message, Some(help));
}

/// How whoever has this address wants to be told.
fn form_of(url: &Url) -> Form {
    let host = url.host_str().unwrap_or_default().trim_end_matches('.');
    let is_of = |known: &str| host.strip_suffix(known).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    let found = HOSTS.into_iter().find(|(known, _)| is_of(known)).map_or(Form::Json, |(_, form)| form);
    // Discord also takes what is meant for Slack, where the address says so.
    if found == Form::Discord && url.path().ends_with("/slack") { Form::Slack } else { found }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_those_of_channels() {
        assert_eq!(FORMS.map(|(word, _)| word), Shape::WORDS);
    }

    #[test]
    fn hosts_tell_their_shapes() {
        for (url, expect) in [
            ("https://hooks.slack.com/services/T/B/x", Form::Slack),
            ("https://discord.com/api/webhooks/1/x", Form::Discord),
            ("https://ptb.discord.com/api/webhooks/1/x", Form::Discord),
            ("https://discord.com/api/webhooks/1/x/slack", Form::Slack),
            ("https://contoso.webhook.office.com/webhookb2/x", Form::Teams),
            ("https://prod-1.westeurope.logic.azure.com:443/workflows/x", Form::Teams),
            ("https://ntfy.sh/x", Form::Ntfy),
            ("https://api.telegram.org/bot1:x/sendMessage", Form::Telegram),
            ("https://notdiscord.com/x", Form::Json),
            ("https://discord.com.example.org/x", Form::Json),
            ("http://127.0.0.1:8080/", Form::Json),
        ] {
            assert_eq!(form_of(&Url::parse(url).unwrap()), expect, "{url}");
        }
    }
}

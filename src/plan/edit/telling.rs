//! What do channels come to, and what of them does a job tell?

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use super::keys::{Key, Keys, hidden};
use super::setting_edits;
use crate::job::{Carrier, Channel, ChannelName, HeaderText, Login, Safety, SecretSource, Smtp, Telling, Way, Webhook};
use crate::report::{Edit, JobEdit, KeyEdit, SettingEdit};
use crate::schedule::duration_text;

/// Of a job.
pub fn telling_keys(telling: &Telling, keys: &mut Keys) {
    keys.put(CHANNELS, list(telling.channels.iter().map(|channel| &channel.name)));
    keys.maybe("slow_after", telling.slow_after.map(|slow| slow.to_string()));
    keys.maybe("overdue_after", telling.overdue_after.map(duration_text));
    if let Some(ping) = &telling.ping {
        keys.target("ping", ping);
    }
}

/// What other channels change.
pub fn channel_edits(
    old: &BTreeMap<ChannelName, Arc<Channel>>,
    new: &BTreeMap<ChannelName, Arc<Channel>>,
) -> Vec<SettingEdit> {
    let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(name)));
    let keys = |channel: Option<&Arc<Channel>>| channel.map(|channel| channel_keys(channel)).unwrap_or_default();
    let edits =
        |name: &ChannelName| setting_edits(&format!("channels.{name}"), &keys(old.get(name)), &keys(new.get(name)));
    names.flat_map(edits).collect()
}

/// Leaves out of edits of jobs what a new channel, or one that is gone, changes for each that names none: it is told as that
/// channel's own.
pub fn without_what_follows(
    mut edits: Vec<JobEdit>,
    old: &BTreeMap<ChannelName, Arc<Channel>>,
    new: &BTreeMap<ChannelName, Arc<Channel>>,
) -> Vec<JobEdit> {
    let every = |channels: &BTreeMap<ChannelName, Arc<Channel>>| list(channels.keys());
    let (old, new) = (every(old), every(new));
    let follows = |key: &KeyEdit| {
        let is = |value: &Option<String>, every: &String| value.as_ref().is_none_or(|value| value == every);
        key.key == CHANNELS && is(&key.old, &old) && is(&key.new, &new)
    };
    for edit in &mut edits {
        edit.keys.retain(|key| !follows(key));
    }
    edits.retain(|edit| edit.edit != Edit::Changed || !edit.keys.is_empty());
    edits
}

const CHANNELS: &str = "channels";

fn list<'n>(names: impl Iterator<Item = &'n ChannelName>) -> String {
    format!("[{}]", names.map(ChannelName::as_str).collect::<Vec<_>>().join(", "))
}

fn channel_keys(channel: &Channel) -> Vec<Key> {
    let mut keys = Keys::default();
    for carrier in &channel.carriers {
        match carrier {
            Carrier::Mail(to) => keys.put("mail", to.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
            Carrier::Webhook(webhook) => webhook_keys(webhook, &mut keys),
            Carrier::Command(words) => keys.put("command", json!(words).to_string()),
        }
    }
    keys.put("tell", channel.tell.iter().map(|tell| tell.word()).collect::<Vec<_>>().join(", "));
    keys.put("after_failures", channel.after_failures.to_string());
    keys.put("at_most_every", duration_text(channel.at_most_every));
    keys.maybe("quiet", channel.quiet.map(|quiet| quiet.to_string()));
    keys.all
}

fn webhook_keys(webhook: &Webhook, keys: &mut Keys) {
    keys.target("webhook.url", &webhook.url);
    keys.put("webhook.shape", webhook.shape.word());
    keys.maybe("webhook.chat", webhook.shape.chat());
    for header in &webhook.headers {
        let value = match &header.value {
            HeaderText::Open(text) => text.clone(),
            HeaderText::Private(_) => "***".to_owned(),
            HeaderText::Secret(source) => place(source),
        };
        keys.put(&format!("webhook.headers.{}", header.name), value);
    }
    keys.hide("webhook.headers that are secret", hidden(&webhook.headers));
    keys.maybe("webhook.secret", webhook.secret.as_ref().map(place));
}

/// What another way of mail changes.
pub fn smtp_edits(old: Option<&Smtp>, new: Option<&Smtp>) -> Vec<SettingEdit> {
    let keys = |smtp: Option<&Smtp>| smtp.map(smtp_keys).unwrap_or_default();
    setting_edits("smtp", &keys(old), &keys(new))
}

fn smtp_keys(smtp: &Smtp) -> Vec<Key> {
    let mut keys = Keys::default();
    keys.put("url", &*smtp.url);
    keys.put("from", smtp.from.to_string());
    let Way::Server(server) = &smtp.way else {
        return keys.all;
    };
    keys.maybe("password", server.login.as_ref().map(|Login { password, .. }| place(password)));
    keys.maybe("ca_file", server.ca_file.as_ref().map(|path| path.display().to_string()));
    if server.safety == Safety::StartTlsIfOffered {
        keys.put("starttls", "opportunistic");
    }
    if let Some(ours) = &server.identity {
        keys.put("certificate", ours.certificate.display().to_string());
        keys.put("key", ours.key.display().to_string());
    }
    keys.all
}

/// Where a secret stands.
fn place(source: &SecretSource) -> String {
    match source {
        SecretSource::Env(name) => format!("env {name}"),
        SecretSource::File(path) => format!("file {}", path.display()),
        SecretSource::Credential(name) => format!("credential {name}"),
    }
}

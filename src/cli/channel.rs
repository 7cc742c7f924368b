//! What does a channel come to, in words, and what on this machine is in its way?

use std::path::Path;
use std::sync::Arc;

use super::screen::visible;
use crate::job::{Act, Carrier, Channel, CommandLine, HeaderText, SecretSource, Surroundings, Target, Work};
use crate::runner::{Starter, preflight};

/// By what a channel is told, in which form, and of what.
pub fn channel_in_words(channel: &Channel) -> String {
    let carrier = |carrier: &Carrier| match carrier {
        Carrier::Mail(to) => {
            let to: Vec<String> = to.iter().map(ToString::to_string).collect();
            format!("mail to {}", to.join(", "))
        }
        Carrier::Webhook(webhook) => format!("{} in the form `{}`", webhook.url, webhook.shape.word()),
        Carrier::Command(words) => format!("command {words:?}"),
    };
    let carriers: Vec<String> = channel.carriers.iter().map(carrier).collect();
    let tell: Vec<&str> = channel.tell.iter().map(|tell| tell.word()).collect();
    let told = if tell.is_empty() { "nothing of jobs".to_owned() } else { tell.join(", ") };
    visible(&format!("channel {}: {}; told of {told}", channel.name, carriers.join("; ")))
}

/// What keeps a channel from being told now: a program or a file with a secret that is not there. Commands begin in the folder of
/// the job file.
pub fn in_the_way(channel: &Channel, folder: &Path, starter: &Starter) -> impl Iterator<Item = String> {
    let of_carrier = |carrier: &Carrier| match carrier {
        Carrier::Mail(_) => Vec::new(),
        Carrier::Webhook(webhook) => {
            let of_headers = webhook.headers.iter().filter_map(|header| match &header.value {
                HeaderText::Secret(source) => Some(source),
                HeaderText::Open(_) | HeaderText::Private(_) => None,
            });
            let address = match &webhook.url {
                Target::Secret(source) => Some(source),
                Target::Open(_) => None,
            };
            address.into_iter().chain(of_headers).chain(&webhook.secret).filter_map(missing).collect()
        }
        Carrier::Command(words) => {
            let surroundings = Surroundings { cwd: Some(folder.to_owned()), ..Surroundings::default() };
            let act = Act::Command(CommandLine::Program(words.clone()));
            let work = Work { act, surroundings: Arc::new(surroundings) };
            let trouble = work.act.command().and_then(|line| preflight(&work, line, starter));
            trouble.map(|trouble| trouble.detail).into_iter().collect()
        }
    };
    channel.carriers.iter().flat_map(of_carrier).collect::<Vec<_>>().into_iter()
}

fn missing(source: &SecretSource) -> Option<String> {
    match source {
        SecretSource::File(path) if !path.exists() => Some(format!("there is no file {}", path.display())),
        SecretSource::File(_) | SecretSource::Env(_) | SecretSource::Credential(_) => None,
    }
}

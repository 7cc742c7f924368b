//! What does `[channels.NAME]` say? Whom to tell, of what, how often, and by what.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use toml::de::{DeTable, DeValue};

use super::addresses::addresses;
use super::diagnostic::Diagnostics;
use super::foreign::same_word;
use super::keys::CHANNEL;
use super::section::{At, Section, dotted};
use super::smtp::{NO_SMTP, Outlet, WRITE_SMTP};
use super::source::Source;
use super::value::describe;
use super::wanted::quoted;
use super::webhook::read_webhook;
use crate::job::{Carrier, Channel, ChannelName, Quiet, Tell, Webhook};
use crate::schedule::Hours;

const DEFAULT_AT_MOST_EVERY: Duration = Duration::from_secs(3600);
const EXAMPLE: &str =
    "write for example mail = \"ops@example.org\", webhook = \"https://…\" or command = [\"program\"]";

/// A channel as it was written.
#[derive(Debug, Clone)]
pub struct RawChannel {
    name: At<ChannelName>,
    /// With paths as they were written; `None` where something in it is wrong, which was complained about.
    channel: Option<Channel>,
    /// Where `mail` stands.
    mail: Option<Range<usize>>,
}

impl RawChannel {
    /// All tables below `[channels]`.
    pub fn read_all(table: &DeTable, said: &mut Diagnostics) -> Vec<Self> {
        let mut channels = Vec::new();
        for (key, value) in table.iter() {
            let name: &str = key.get_ref();
            let path = dotted("channels", name);
            let Some(table) = value.get_ref().as_table() else {
                no_channel(name, key.span(), value, said);
                continue;
            };
            match ChannelName::new(name) {
                Ok(value) => channels.push(Self::read(At { value, span: key.span() }, table, &path, said)),
                Err(error) => {
                    let message = error.to_string().replacen("a job", "a channel", 1);
                    let help = error.instead(name).map(|name| format!("write [channels.{name}]"));
                    said.error(&path, key.span(), message, help);
                }
            }
        }
        channels
    }

    fn read(name: At<ChannelName>, table: &DeTable, path: &str, said: &mut Diagnostics) -> Self {
        let errors = said.errors.len();
        let mut section = Section::open(table, path, &[CHANNEL], said);
        let mut carriers = Vec::new();
        carriers.extend(addresses(&mut section, "mail").ok().filter(|to| !to.is_empty()).map(Carrier::Mail));
        carriers.extend(read_webhook(&mut section).map(|webhook| Carrier::Webhook(Box::new(webhook))));
        carriers.extend(command(&mut section).map(Carrier::Command));
        let of_carriers = ["mail", "webhook", "command"];
        if section.stands(of_carriers).is_empty() && !section.means(&of_carriers) {
            let message = format!("nothing carries what the channel `{}` is told", name.value);
            section.error("", name.span.clone(), message, Some(EXAMPLE.to_owned()));
        }
        let channel = Channel {
            name: name.value.clone(),
            carriers,
            tell: tell(&mut section).unwrap_or_else(|| BTreeSet::from(Tell::DEFAULT)),
            after_failures: section
                .integer("after_failures", 1, i64::from(u32::MAX))
                .and_then(|at| u32::try_from(at.value).ok())
                .unwrap_or(1),
            at_most_every: section.duration("at_most_every").map_or(DEFAULT_AT_MOST_EVERY, |at| at.value),
            quiet: quiet(&mut section),
        };
        let mail = section.span("mail");
        Self { name, channel: (said.errors.len() == errors).then_some(channel), mail }
    }

    fn check(&self, source: &Source, outlet: &Outlet, said: &mut Diagnostics) -> Option<Arc<Channel>> {
        if let (Some(mail), Outlet::Unsaid) = (&self.mail, outlet) {
            let key = dotted(&dotted("channels", self.name.value.as_str()), "mail");
            said.error(&key, mail.clone(), NO_SMTP, Some(WRITE_SMTP.to_owned()));
            return None;
        }
        let channel = self.channel.as_ref()?;
        let folder = source.folder(self.name.span.start);
        let carriers = channel.carriers.iter().map(|carrier| within(carrier, folder)).collect();
        Some(Arc::new(Channel { carriers, ..channel.clone() }))
    }
}

/// Says of something in `[channels]` that it is no channel.
fn no_channel(name: &str, key: Range<usize>, value: &toml::Spanned<DeValue>, said: &mut Diagnostics) {
    let path = dotted("channels", name);
    if CHANNEL.iter().any(|known| known.name == name) {
        let help = "write the name into the header: [channels.NAME] in place of [channels]".to_owned();
        said.error(&path, key, format!("`{name}` is a key of a channel, and stands in [channels]"), Some(help));
        return;
    }
    said.hide(value.span());
    let help = format!("write [{path}], and below it mail, webhook or command");
    said.error(&path, value.span(), format!("`{path}` is a table, not {}", describe(value.get_ref())), Some(help));
}

/// The same for a file of this folder, from which relative paths are taken.
fn within(carrier: &Carrier, folder: &Path) -> Carrier {
    match carrier {
        Carrier::Webhook(webhook) => Carrier::Webhook(Box::new(Webhook {
            url: webhook.url.clone().within(folder),
            shape: webhook.shape.clone(),
            headers: webhook.headers.iter().map(|header| header.within(folder)).collect(),
            secret: webhook.secret.as_ref().map(|secret| secret.within(folder)),
        })),
        Carrier::Mail(_) | Carrier::Command(_) => carrier.clone(),
    }
}

/// A program and its arguments. One text with a space in it was meant for a shell, and there is none.
fn command(section: &mut Section) -> Option<Vec<String>> {
    let words = section.words("command")?;
    if section.is_text("command") && words.value.iter().any(|word| word.contains(char::is_whitespace)) {
        let text = words.value.join(" ");
        let help = format!("write command = [\"/bin/sh\", \"-ec\", {}]", quoted(&text));
        section.error("command", words.span, "a channel's command is a list: there is no shell", Some(help));
        return None;
    }
    Some(words.value)
}

fn tell(section: &mut Section) -> Option<BTreeSet<Tell>> {
    let texts = section.texts("tell")?;
    let mut told = BTreeSet::new();
    let mut is_right = true;
    for At { value: text, span } in texts.value {
        if let Some((_, tell)) = Tell::WORDS.iter().find(|(word, _)| *word == text) {
            told.insert(*tell);
            continue;
        }
        is_right = false;
        let words = || Tell::WORDS.iter().map(|(word, _)| *word);
        let all = words().map(quoted).collect::<Vec<_>>().join(", ");
        let meant = same_word("tell", &text).or_else(|| section.said().nearest(&text, words()));
        let help = match meant {
            Some(near) => format!("did you mean {}?", quoted(near)),
            None => format!("it is told of {all}"),
        };
        let message = format!("`{text}` is nothing that a channel is told of");
        let found = section.error("tell", span, message, Some(help));
        if meant.is_some() {
            found.note(format!("a channel is told of {all}"));
        }
    }
    is_right.then_some(told)
}

fn quiet(section: &mut Section) -> Option<Quiet> {
    const HELP: &str = "write for example \"22:00-07:00\"";
    let At { value: text, span } = section.text("quiet")?;
    let is_all_day = |(from, until): (&str, &str)| from.trim() == until.trim();
    if text.split_once('-').is_some_and(is_all_day) || Hours::parse(&text).is_some_and(Hours::is_all_day) {
        section.error("quiet", span, "it would be quiet all day long", Some(HELP.to_owned()));
        return None;
    }
    let Some((from, until)) = Hours::parse(&text).map(Hours::ends) else {
        section.error("quiet", span, format!("`{text}` is no time of the day"), Some(HELP.to_owned()));
        return None;
    };
    Some(Quiet { from, until })
}

/// The channels of all files, by their names; nothing where something is wrong with one, which was complained about.
#[derive(Debug, Default)]
pub struct Channels(BTreeMap<ChannelName, Option<Arc<Channel>>>);

impl Channels {
    pub fn check(raw: &[RawChannel], source: &Source, outlet: &Outlet, said: &mut Diagnostics) -> Self {
        let check = |raw: &RawChannel| (raw.name.value.clone(), raw.check(source, outlet, said));
        Self(raw.iter().map(check).collect())
    }

    /// Every one, in alphabetic order.
    pub fn every(&self) -> Vec<Arc<Channel>> {
        self.0.values().flatten().cloned().collect()
    }

    /// Those of these names, each once; what is said is about the key that has them.
    pub fn named(&self, names: &[At<String>], key: &str, said: &mut Diagnostics) -> Vec<Arc<Channel>> {
        let mut found = BTreeMap::new();
        for At { value: text, span } in names {
            let known = ChannelName::new(text).ok().and_then(|name| self.0.get_key_value(&name));
            match known {
                Some((name, channel)) => {
                    found.insert(name, channel);
                }
                None => {
                    let message = format!("there is no channel `{text}`");
                    said.error(key, span.clone(), message, Some(self.instead_of(text, said)));
                }
            }
        }
        found.into_values().flatten().cloned().collect()
    }

    fn instead_of(&self, text: &str, said: &Diagnostics) -> String {
        match text {
            "none" | "" => return "write channels = [] for nobody".to_owned(),
            "all" | "*" => return "leave `channels` out for every one of the file".to_owned(),
            _ => {}
        }
        match said.nearest(text, self.0.keys().map(ChannelName::as_str)) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None if ChannelName::new(text).is_ok() => {
                format!("write [channels.{text}] with mail, webhook or command in it")
            }
            None => "it names tables [channels.NAME]".to_owned(),
        }
    }

    /// Those in which nothing is wrong, and where the name of each stands.
    pub fn into_map(self, raw: &[RawChannel]) -> (BTreeMap<ChannelName, Arc<Channel>>, Vec<Range<usize>>) {
        let places: BTreeMap<&ChannelName, &Range<usize>> =
            raw.iter().map(|raw| (&raw.name.value, &raw.name.span)).collect();
        let right: BTreeMap<ChannelName, Arc<Channel>> =
            self.0.into_iter().filter_map(|(name, channel)| Some((name, channel?))).collect();
        let of_right = right.keys().filter_map(|name| places.get(name).map(|span| (*span).clone())).collect();
        (right, of_right)
    }
}

//! `punctual notify test`: does what a channel is told arrive, and what is said on its way?

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::tz::TimeZone;
use serde::Serialize;
use tokio::signal::unix::{SignalKind, signal};

use super::args::{Global, Notify, NotifyArguments, NotifyTestArguments};
use super::check::read_right;
use super::places::{ask, running_daemon};
use super::screen::{Screen, visible};
use super::try_job::{environment_of, environment_of_daemon, owner, user_name};
use super::typed::again_with;
use super::{Answer, Done, Refusal, templates};
use crate::clock::Clock;
use crate::configuration::Configuration;
use crate::daemon::Holder;
use crate::inquiry::no_channel;
use crate::job::{Carrier, CarrierKind, Channel, ChannelName, HeaderText, SecretSource, Smtp, Target, Way};
use crate::mail::{Conversation, Said};
use crate::notice::Kind;
use crate::notify::{self, Accepted, Means, Outgoing, Patience, Templates, deliver_within};
use crate::report::{MessageReport, NoticeReport, Time};

pub fn run(global: &Global, verb: &NotifyArguments, screen: &mut Screen) -> Answer {
    match &verb.what {
        Notify::Test(verb) => test(global, verb, screen),
        Notify::Templates(verb) => templates::run(verb, screen),
    }
}

fn test(global: &Global, verb: &NotifyTestArguments, screen: &mut Screen) -> Answer {
    let configuration = read_right(global, screen)?;
    let channel = find(&configuration.checked.channels, &verb.channel)?;
    let is_meant = |carrier: &&Carrier| verb.carrier.is_none_or(|kind| carrier.kind() == kind);
    let carriers: Vec<&Carrier> = channel.carriers.iter().filter(is_meant).collect();
    if carriers.is_empty() {
        let have: Vec<&str> = channel.carriers.iter().map(|carrier| carrier.kind().word()).collect();
        let wanted = verb.carrier.map_or("carrier", CarrierKind::word);
        let message = format!("channel {} has no {wanted}; it has: {}", channel.name, have.join(", "));
        return Err(Refusal::new(Done::Failed, message));
    }
    let daemon = running_daemon(global);
    let smtp = configuration.checked.smtp.clone();
    let sources: Vec<&SecretSource> = carriers.iter().flat_map(|carrier| secrets(carrier, smtp.as_deref())).collect();
    say_what_differs(daemon.as_ref(), &sources, screen);
    let path = std::path::absolute(&configuration.path).unwrap_or_else(|_| configuration.path.clone());
    let means = Means {
        environment: Arc::new(environment_of(daemon.as_ref())),
        smtp: smtp.clone(),
        folder: path.parent().unwrap_or(Path::new("/")).to_owned(),
    };
    let outgoing = outgoing(&channel.name, &templates(&configuration, screen));
    let trials = ask(async {
        // Before anything begins that must not be left behind.
        let interrupted = interrupted().map_err(|error| Refusal::chain(Done::Unreachable, &error))?;
        let trying = async {
            let mut trials = Vec::with_capacity(carriers.len());
            for carrier in &carriers {
                trials.push(try_carrier(carrier, &channel.name, &outgoing, &means, screen).await);
            }
            trials
        };
        tokio::select! {
            trials = trying => Ok(trials),
            // What is dropped is given up; a command does not go on without us.
            signal = interrupted => Err(Refusal::new(Done::Failed, format!("given up, because of {signal}"))),
        }
    })??;
    if screen.json {
        screen.value(&trials);
    }
    Ok(if trials.iter().all(|trial| trial.taken) { Done::Well } else { Done::Failed })
}

/// Heard from now on, and there once somebody wants this to end; by what.
fn interrupted() -> std::io::Result<impl Future<Output = &'static str>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut hang_up = signal(SignalKind::hangup())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => "SIGINT",
            _ = terminate.recv() => "SIGTERM",
            _ = hang_up.recv() => "SIGHUP",
        }
    })
}

/// The words that the daemon would use.
fn templates(configuration: &Configuration, screen: &mut Screen) -> Templates {
    let Some(folder) = configuration.templates() else {
        return Templates::builtin();
    };
    Templates::read(&folder).unwrap_or_else(|error| {
        screen.note(format!("the built-in templates are used: {error}"));
        Templates::builtin()
    })
}

/// A message that says that it is a test.
fn outgoing(channel: &ChannelName, templates: &Templates) -> Outgoing {
    let now = Clock::System.now();
    let why = format!("somebody typed: punctual notify test {channel}");
    let notice = NoticeReport { why, ..NoticeReport::bare(Kind::Test, Time(now)) };
    let report = MessageReport {
        version: MessageReport::VERSION,
        id: format!("test-{}", now.as_microsecond()),
        host: nix::unistd::gethostname().unwrap_or_default().to_string_lossy().into_owned(),
        channel: channel.clone(),
        at: Time(now),
        shared_cause: None,
        notices: vec![notice],
        digest: None,
        now: Time(now),
        called: "punctual".to_owned(),
    };
    let written = notify::write(&report, templates, &TimeZone::system());
    Outgoing { report, written, thread: None }
}

fn find(channels: &BTreeMap<ChannelName, Arc<Channel>>, name: &str) -> Result<Arc<Channel>, Refusal> {
    let found = channels.iter().find(|(known, _)| known.as_str() == name);
    found.map(|(_, channel)| channel.clone()).ok_or_else(|| no_channel(name, channels.keys()).into())
}

/// What is said by one side, for programs.
#[derive(Debug, Serialize)]
struct Line {
    by: &'static str,
    words: String,
}

/// What came of one carrier.
#[derive(Debug, Serialize)]
struct Trial {
    channel: ChannelName,
    carrier: CarrierKind,
    taken: bool,
    /// Whether the daemon would try it again.
    again: bool,
    /// What was said by whoever took it, or why nobody did.
    answer: String,
    conversation: Vec<Line>,
}

async fn try_carrier(
    carrier: &Carrier,
    channel: &ChannelName,
    outgoing: &Outgoing,
    means: &Means,
    screen: &mut Screen,
) -> Trial {
    let kind = carrier.kind();
    if !screen.json {
        screen.line(format!("{} of channel {channel}", kind.word()));
    }
    let heard = Mutex::new((Vec::new(), &mut *screen));
    let ear = |said: Said<'_>| {
        let mut heard = heard.lock().unwrap_or_else(PoisonError::into_inner);
        let (lines, screen) = &mut *heard;
        let (by, mark, words) = match said {
            Said::ByUs(words) => ("us", "C:", words),
            Said::ByThem(words) => ("them", "S:", words),
            Said::Aside(words) => ("aside", "--", words),
        };
        lines.push(Line { by, words: words.to_owned() });
        if !screen.json {
            // At once, so that one sees where it hangs.
            screen.line(format!("  {mark} {}", visible(words)));
            screen.flush();
        }
    };
    let conversation = Conversation::heard_by(&ear);
    let came = deliver_within(Patience::USUAL, carrier, channel, outgoing, means, conversation).await;
    let (conversation, _) = heard.into_inner().unwrap_or_else(PoisonError::into_inner);
    let (taken, again, answer) = match came {
        Ok(Accepted { answer }) => (true, false, answer),
        Err(notify::Refusal::Later { why, .. }) => (false, true, why),
        Err(notify::Refusal::Never { why }) => (false, false, why),
    };
    if !screen.json {
        screen.flush();
        let what = match (taken, again) {
            (true, _) => "taken",
            (false, true) => "not taken; the daemon would try again",
            (false, false) => "not taken; the daemon would not try again",
        };
        screen.conclude(taken, &format!("{}: {what}: {}", kind.word(), visible(&answer)));
    }
    Trial { channel: channel.clone(), carrier: kind, taken, again, answer, conversation }
}

/// Where what the carrier needs to know stands.
fn secrets<'c>(carrier: &'c Carrier, smtp: Option<&'c Smtp>) -> Vec<&'c SecretSource> {
    match carrier {
        Carrier::Mail(_) => match smtp.map(|smtp| &smtp.way) {
            Some(Way::Server(server)) => server.login.iter().map(|login| &login.password).collect(),
            Some(Way::Program(_) | Way::Folder(_)) | None => Vec::new(),
        },
        Carrier::Webhook(webhook) => {
            let address = match &webhook.url {
                Target::Secret(source) => Some(source),
                Target::Open(_) => None,
            };
            let headers = webhook.headers.iter().filter_map(|header| match &header.value {
                HeaderText::Secret(source) => Some(source),
                HeaderText::Open(_) | HeaderText::Private(_) => None,
            });
            headers.chain(address).chain(&webhook.secret).collect()
        }
        Carrier::Command(_) => Vec::new(),
    }
}

/// What the daemon would have otherwise.
fn say_what_differs(daemon: Option<&Holder>, sources: &[&SecretSource], screen: &mut Screen) {
    let ours = rustix::process::geteuid().as_raw();
    let theirs = daemon.and_then(|daemon| owner(daemon.pid)).filter(|theirs| *theirs != ours);
    if let Some(name) = theirs.map(user_name) {
        screen.note(format!(
            "the daemon runs as {name}, this as {}: one may read what the other may not; as the daemon would have it, type: \
             sudo -u {name} {}",
            user_name(ours),
            again_with(&[]),
        ));
    }
    let needs_variables = sources.iter().any(|source| !matches!(source, SecretSource::File(_)));
    if needs_variables && environment_of_daemon(daemon).is_none() {
        let whose = if daemon.is_some() { "the daemon's cannot be looked at" } else { "no daemon runs" };
        screen.note(format!("variables and credentials are those of this shell: {whose}"));
    }
}

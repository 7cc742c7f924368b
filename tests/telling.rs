//! What jobs.toml says of telling people: channels of each kind, what jobs tell them, what is wrong with them and where, and
//! that no secret of theirs is seen anywhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod bundled;
mod support;

use std::fs;
use std::path::Path;
use std::time::Duration;

use bundled::Bundled;
use punctual::job::{
    Carrier, CarrierKind, Channel, ChannelName, Header, HeaderText, Safety, SecretSource, Shape, SlowAfter, Target,
    Tell, Telling, Way,
};
use punctual::jobfile::{Checked, Diagnostic, Draft, Position, Source};
use serde_json::{Value, json};
use support::Place;

const SMTP: &str = "[smtp]\nurl = 'file:mails'\nfrom = 'punctual@example.org'\n";

fn check(text: &str) -> Checked {
    let now = "2026-11-23T00:00:00Z".parse().unwrap();
    let mut checked = Draft::parse(Path::new("/etc/punctual/jobs.toml"), text.to_owned()).check(&Bundled, "UTC", now);
    checked.warn_of_traps(now);
    checked
}

#[track_caller]
fn right(text: &str) -> Checked {
    let checked = check(text);
    assert!(checked.is_right(), "{:?}", checked.said.errors);
    checked
}

/// Each as `line:column text-under-the-caret: message (help)`.
fn said(checked: &Checked, list: &[Diagnostic]) -> Vec<String> {
    let show = |d: &Diagnostic| {
        let Position { line, column } = checked.source.position(d.span.start);
        let under = &checked.source.text[d.span.clone()];
        format!("{line}:{column} {under}: {} ({})", d.message, d.help.clone().unwrap_or_default())
    };
    list.iter().map(show).collect()
}

fn channel<'c>(checked: &'c Checked, name: &str) -> &'c Channel {
    &checked.channels[&ChannelName::new(name).unwrap()]
}

fn telling<'c>(checked: &'c Checked, job: &str) -> &'c Telling {
    &checked.jobs.iter().find(|known| known.name.as_str() == job).unwrap().telling
}

fn names(telling: &Telling) -> Vec<&str> {
    telling.channels.iter().map(|channel| channel.name.as_str()).collect()
}

#[test]
fn a_channel_of_each_kind_is_read() {
    let text = format!(
        r#"{SMTP}
[channels.ops]
mail = "Ops <ops@example.org>"
[channels.chat]
webhook = "https://hooks.slack.com/services/T/B/x"
tell = ["slow", "output", "slow"]
after_failures = 3
at_most_every = "30m"
quiet = "22:00-07:00"
[channels.both]
mail = ["a@example.org", "b@example.org"]
command = ["./tell", "--now"]
webhook = {{ url = {{ file = "hook" }}, shape = "telegram", chat = -100123, headers = {{ X-A = "b", X-B = {{ file = "b" }} }}, secret = {{ file = "key" }} }}
"#
    );
    let checked = right(&text);
    assert_eq!(checked.said.warnings.len(), 1, "that there is no job: {:?}", checked.said.warnings);
    let ops = channel(&checked, "ops");
    assert_eq!(ops.carriers, [Carrier::Mail(vec!["Ops <ops@example.org>".parse().unwrap()])]);
    assert_eq!(ops.tell, Tell::DEFAULT.into());
    assert_eq!((ops.after_failures, ops.at_most_every, ops.quiet), (1, Duration::from_secs(3600), None));
    let chat = channel(&checked, "chat");
    let Some(Carrier::Webhook(webhook)) = chat.carrier(CarrierKind::Webhook) else { panic!("{chat:?}") };
    assert_eq!((&webhook.shape, webhook.url.to_string()), (&Shape::Slack, "https://hooks.slack.com/***".to_owned()));
    assert_eq!(chat.tell, [Tell::Slow, Tell::Output].into());
    assert_eq!((chat.after_failures, chat.at_most_every), (3, Duration::from_secs(1800)));
    assert_eq!(chat.quiet.unwrap().to_string(), "22:00-07:00");
    let both = channel(&checked, "both");
    let kinds: Vec<CarrierKind> = both.carriers.iter().map(Carrier::kind).collect();
    assert_eq!(kinds, [CarrierKind::Mail, CarrierKind::Webhook, CarrierKind::Command]);
    let Some(Carrier::Webhook(webhook)) = both.carrier(CarrierKind::Webhook) else { panic!("{both:?}") };
    let file = |name: &str| SecretSource::File(Path::new("/etc/punctual").join(name));
    assert_eq!(webhook.url, Target::Secret(file("hook")));
    assert_eq!(webhook.shape, Shape::Telegram { chat: "-100123".to_owned() });
    assert_eq!(webhook.secret, Some(file("key")));
    let header = |name: &str, value| Header { name: name.to_owned(), value };
    assert_eq!(
        webhook.headers,
        [header("X-A", HeaderText::Open("b".to_owned())), header("X-B", HeaderText::Secret(file("b")))]
    );
    assert!(checked.smtp.is_some());
    assert_eq!(both.carrier(CarrierKind::Command), Some(&Carrier::Command(vec!["./tell".into(), "--now".into()])));
}

#[test]
fn jobs_tell_every_channel_unless_they_say_whom() {
    let text = "[channels.a]\ncommand = 'a'\n[channels.b]\ncommand = 'b'\n[channels.c]\ncommand = 'c'\n\
                [defaults]\nslow_after = '1.5x'\noverdue_after = '2d'\nping = { file = 'ping' }\n\
                [jobs.every]\ncommand = 'x'\n[jobs.same]\ncommand = 'y'\n\
                [jobs.some]\ncommand = 'x'\nchannels = ['c', 'a', 'c']\nslow_after = '10m'\nping = 'https://example.org/x'\n\
                [jobs.nobody]\ncommand = 'x'\nchannels = []\nslow_after = 'none'\noverdue_after = 'none'\nping = 'none'\n";
    let checked = right(text);
    let every = telling(&checked, "every");
    assert_eq!(names(every), ["a", "b", "c"]);
    assert_eq!(every.slow_after, Some(SlowAfter::Usual(150)));
    assert_eq!(every.overdue_after, Some(Duration::from_secs(2 * 86_400)));
    assert_eq!(every.ping, Some(Target::Secret(SecretSource::File("/etc/punctual/ping".into()))));
    assert!(std::ptr::eq(every, telling(&checked, "same")), "what is the same is shared");
    let some = telling(&checked, "some");
    assert_eq!((names(some), some.slow_after), (vec!["a", "c"], Some(SlowAfter::Time(Duration::from_secs(600)))));
    assert_eq!(some.ping.as_ref().map(Target::to_string).as_deref(), Some("https://example.org/***"));
    assert_eq!(*telling(&checked, "nobody"), Telling::default());
    let narrowed = right(&text.replace("[defaults]\n", "[defaults]\nchannels = 'b'\n"));
    assert_eq!(names(telling(&narrowed, "every")), ["b"]);
    assert_eq!(names(telling(&narrowed, "some")), ["a", "c"]);
    assert_eq!(names(telling(&right("[jobs.a]\ncommand = 'x'\n"), "a")), [""; 0]);
}

#[test]
fn channels_come_from_included_files_too_and_once() {
    let mut source =
        Source::new("/etc/punctual/jobs.toml".into(), "include = 'd/*'\n[daemon]\nchannels = 'ops'\n".into());
    source.include(
        "/etc/punctual/d/a.toml".into(),
        "[channels.ops]\nwebhook = { url = { file = 'hook' } , shape = 'json' }\n",
    );
    let now = "2026-11-23T00:00:00Z".parse().unwrap();
    let checked = Draft::read(source.clone()).check(&Bundled, "UTC", now);
    assert!(checked.is_right(), "{:?}", checked.said);
    let Some(Carrier::Webhook(webhook)) = channel(&checked, "ops").carrier(CarrierKind::Webhook) else { panic!() };
    assert_eq!(webhook.url, Target::Secret(SecretSource::File("/etc/punctual/d/hook".into())));
    source.include("/etc/punctual/d/b.toml".into(), "[channels.ops]\ncommand = 'x'\n");
    let checked = Draft::read(source).check(&Bundled, "UTC", now);
    let said = said(&checked, &checked.said.errors);
    assert!(said[0].starts_with("1:11 ops: `ops` stands in /etc/punctual/d/a.toml already, in line 1"), "{said:?}");
}

/// Files with one thing wrong, and what is said of it.
const WRONG: &[(&str, &str)] = &[
    (
        "[channels.ops]\ntell = 'failed'",
        "1:11 ops: nothing carries what the channel `ops` is told (write for example mail",
    ),
    (
        "[channels.ops]\nmail = 'a@example.org'",
        "2:8 'a@example.org': nothing says how mail leaves: there is no [smtp] (write [smtp]",
    ),
    (
        "[channels.ops]\nmail = 'root'\n[smtp]\nurl = 'file:x'\nfrom = 'a@example.org'",
        "2:8 'root': `root` is no address; write \"root@localhost\" for a user",
    ),
    ("[channels.ops]\nmail = []\n[smtp]\nurl = 'file:x'\nfrom = 'a@example.org'", "2:8 []: `mail` names nobody"),
    ("[channels.ops]\ncommand = 'echo hello'", "(write command = [\"/bin/sh\", \"-ec\", \"echo hello\"])"),
    (
        "[channels.ops]\ncommand = 'x'\ntell = ['failed', 'recoverd']",
        "3:19 'recoverd': `recoverd` is nothing that a channel is told of (did you mean \"recovered\"?)",
    ),
    ("[channels.ops]\ncommand = 'x'\ntell = 'success'", "did you mean \"succeeded\"?"),
    ("[channels.ops]\ncommand = 'x'\ntell = 'everything'", "it is told of \"failed\", \"recovered\""),
    ("[channels.ops]\ncommand = 'x'\nafter_failures = 0", "0 is out of range"),
    ("[channels.ops]\ncommand = 'x'\nat_most_every = 30", "(write at_most_every = \"30s\")"),
    (
        "[channels.ops]\ncommand = 'x'\nquiet = '22-7'",
        "`22-7` is no time of the day (write for example \"22:00-07:00\")",
    ),
    ("[channels.ops]\ncommand = 'x'\nquiet = '22:00-22:00'", "it would be quiet all day long"),
    ("[channels.ops]\ncommand = 'x'\nquiet = '00:00-24:00'", "it would be quiet all day long"),
    ("[channels.ops]\nwebhok = 'https://example.org/x'", "unknown key `webhok` (did you mean `webhook`?)"),
    ("[channels.ops]\nslack = 'https://example.org/x'", "unknown key `slack` (here it is called `webhook`)"),
    ("[channels.ops]\ncommand = 'x'\nthrottle = '1h'", "here it is called `at_most_every`"),
    ("[channels.ops]\nwebhook = 'example.org/x'", "this is no address: relative URL without a base"),
    ("[channels.ops]\nwebhook = 'ftp://example.org/x'", "this address is neither http nor https"),
    ("[channels.ops]\nwebhook = 'https://a:b@example.org/x'", "an address holds neither user nor password"),
    (
        "[channels.ops]\nwebhook = \"https://example.org/\\u0041\"",
        "an address stands between plain quotes, and has no backslashes",
    ),
    ("[channels.ops]\nwebhook = { env = 'HOOK' }", "(write webhook = { url = { env = \"NAME\" } })"),
    ("[channels.ops]\nwebhook = {}", "2:11 {}: this webhook has no `url`"),
    ("[channels.ops]\nwebhook = { url = { env = 'A', file = 'b' } }", "`url` names one place: env, file, credential"),
    ("[channels.ops]\nwebhook = { url = 'https://example.org', shape = 'mattermost' }", "did you mean \"slack\"?"),
    ("[channels.ops]\nwebhook = { url = 'https://example.org', chat = 5 }", "only bots of Telegram tell a `chat`"),
    (
        "[channels.ops]\nwebhook = 'https://api.telegram.org/bot1:x/sendMessage'",
        "this is a bot of Telegram, and it is not said whom it tells",
    ),
    (
        "[channels.ops]\nwebhook = { url = 'https://example.org', shape = 'telegram' }",
        "it is not said whom the bot of Telegram tells",
    ),
    (
        "[channels.ops]\nwebhook = { url = 'https://example.org', secret = 'hunter2' }",
        "`secret` does not stand in the file",
    ),
    (
        "[channels.9lives]\ncommand = 'x'",
        "1:11 9lives: a channel's name begins with a letter (write [channels.job-9lives])",
    ),
    (
        "[channels]\nmail = 'x'",
        "2:1 mail: `mail` is a key of a channel, and stands in [channels] (write the name into the header",
    ),
    ("[channels]\nops = 'x'", "`channels.ops` is a table, not a text (write [channels.ops], and below it"),
    ("channels = 'ops'", "`channels` is a table, not a text"),
    ("[notify.ops]\ncommand = 'x'", "did you mean [channels.ops]?"),
    (
        "[channels.ops]\ncommand = 'x'\n[jobs.a]\ncommand = 'x'\nchannels = 'opps'",
        "5:12 'opps': there is no channel `opps` (did you mean \"ops\"?)",
    ),
    ("[jobs.a]\ncommand = 'x'\nchannels = 'none'", "(write channels = [] for nobody)"),
    ("[jobs.a]\ncommand = 'x'\nchannels = 'all'", "(leave `channels` out for every one of the file)"),
    ("[jobs.a]\ncommand = 'x'\nchannels = 'mine'", "(write [channels.mine] with mail, webhook or command in it)"),
    ("[jobs.a]\ncommand = 'x'\nnotify = 'ops'", "here it is called `channels`"),
    ("[jobs.a]\ncommand = 'x'\nslow_after = '0.5x'", "`0.5x` is not so many times the usual"),
    ("[jobs.a]\ncommand = 'x'\nslow_after = '0s'", "every run would be a slow one"),
    ("[jobs.a]\ncommand = 'x'\noverdue_after = '0s'", "it would be overdue at all times"),
    ("[jobs.a]\ncommand = 'x'\nhealthcheck = 'https://hc-ping.com/x'", "here it is called `ping`"),
    (
        "[defaults]\nchannels = 'ops'\n[jobs.a]\ncommand = 'x'\n[jobs.b]\ncommand = 'x'",
        "2:12 'ops': there is no channel `ops`",
    ),
    ("[daemon]\nchannels = ['ops']", "2:13 'ops': there is no channel `ops`"),
    ("[daemon]\nhousekeeping = { digest = { schedule = '0 7 * * 1', channels = 'ops' } }", "there is no channel `ops`"),
    ("[daemon]\nhousekeeping = { digest = { channels = [] } }", "`digest` has no `schedule`, so none would be told"),
    ("[daemon]\nhousekeeping = { digest = { schedule = 'every 5m' } }", "housekeeping takes a cron pattern"),
    ("[daemon]\nping = 5", "`ping` is an address, such as \"https://example.org/hook\", or where one stands"),
];

#[test]
fn what_is_wrong_has_its_place_and_what_to_write() {
    let mut wrong = Vec::new();
    for (text, expect) in WRONG {
        let checked = check(text);
        let said = said(&checked, &checked.said.errors);
        if said.len() != 1 || !said[0].contains(expect) {
            wrong.push(format!(
                "{text}
{said:#?}
not {expect}"
            ));
        }
    }
    assert!(
        wrong.is_empty(),
        "{}",
        wrong.join(
            "

"
        )
    );
}

#[test]
fn what_is_surprising_is_warned_of() {
    for (text, expect) in [
        (
            "[channels.a]\nwebhook = { url = { env = 'HOOK' } }\n[jobs.a]\ncommand = 'x'",
            "it is told in punctual's own JSON: by an address that stands elsewhere no other form is guessed",
        ),
        (
            "[jobs.a]\ncommand = 'x'\nschedule = '0 9 * * 1-5'\noverdue_after = '26h'",
            "4:17 '26h': `a` is due again only after 3d, and so overdue each time before",
        ),
    ] {
        let checked = right(text);
        let said = said(&checked, &checked.said.warnings);
        assert!(said.len() == 1 && said[0].contains(expect), "{text}\n{said:#?}");
    }
    for text in [
        "[channels.a]\nwebhook = { url = { env = 'HOOK' }, shape = 'json' }\n[jobs.a]\ncommand = 'x'",
        "[jobs.a]\ncommand = 'x'\nschedule = '0 9 * * 1-5'\noverdue_after = '73h'",
    ] {
        assert_eq!(right(text).said.warnings, [], "{text}");
    }
}

#[test]
fn mail_leaves_no_less_safely_than_its_words_say() {
    let smtp = |keys: &str| format!("[smtp]\nfrom = 'a@example.org'\n{keys}\n[jobs.a]\ncommand = 'x'\n");
    let login = "password = { env = 'X' }";
    for (keys, safety) in [
        ("url = 'smtp+starttls://mail.example.org'", Safety::StartTls),
        ("url = 'smtp+starttls://mail.example.org'\nstarttls = 'required'", Safety::StartTls),
        ("url = 'smtp+starttls://mail.example.org'\nstarttls = 'opportunistic'", Safety::StartTlsIfOffered),
        (
            "url = 'smtp+starttls://me@localhost'\npassword = { env = 'X' }\nstarttls = 'opportunistic'",
            Safety::StartTlsIfOffered,
        ),
    ] {
        let checked = right(&smtp(keys));
        let Way::Server(server) = &checked.smtp.as_ref().unwrap().way else { panic!() };
        assert_eq!(server.safety, safety, "{keys}");
    }
    let checked = right(&smtp("url = 'smtps://mail.example.org'\ncertificate = 'ours.pem'"));
    let Way::Server(server) = &checked.smtp.as_ref().unwrap().way else { panic!() };
    let ours = server.identity.as_ref().unwrap();
    assert_eq!(
        (ours.certificate.as_path(), ours.key.as_path()),
        (Path::new("/etc/punctual/ours.pem"), Path::new("/etc/punctual/ours.pem"))
    );
    for (keys, expect) in [
        (
            "url = 'smtps://mail.example.org'\nstarttls = 'opportunistic'".to_owned(),
            "`starttls` is for smtp+starttls://",
        ),
        ("url = 'smtp://mail.example.org'\nstarttls = 'required'".to_owned(), "`starttls` is for smtp+starttls://"),
        (
            "url = 'smtp+starttls://mail.example.org'\nstarttls = 'optional'".to_owned(),
            "did you mean \"opportunistic\"?",
        ),
        (
            format!("url = 'smtp+starttls://me@mail.example.org'\n{login}\nstarttls = 'opportunistic'"),
            "where the server offers no STARTTLS the password would go",
        ),
        ("url = 'smtps://mail.example.org'\nkey = 'k.pem'".to_owned(), "there is no `certificate` whose key it is"),
    ] {
        let checked = check(&smtp(&keys));
        let said = said(&checked, &checked.said.errors);
        assert!(said.len() == 1 && said[0].contains(expect), "{keys}\n{said:#?}");
    }
    let checked = right(&smtp("url = 'sendmail:/usr/sbin/sendmail'\ncertificate = 'x'\nkey = 'y'\nca_file = 'z'"));
    assert_eq!(checked.said.warnings.len(), 3, "{:?}", checked.said.warnings);
}

const CANARY: &str = "canary-3f9a";

/// Everything in which an address is a secret.
fn secretive() -> String {
    format!(
        "[daemon]\nping = \"https://daemon.example/{CANARY}\"\n\
         [channels.chat]\nwebhook = \"https://hooks.slack.com/services/{CANARY}\"\n\
         [channels.bot]\nwebhook = {{ url = 'https://api.telegram.org/bot{CANARY}/sendMessage', chat = '@ops' }}\n\
         [jobs.a]\ncommand = 'true'\nchannels = 'chat'\nping = 'https://hc-ping.com/{CANARY}'\nslow_after = '3x'\noverdue_after = '26h'\n"
    )
}

#[test]
fn check_and_show_say_whom_a_job_tells_and_no_secret() {
    let place = Place::new(&secretive());
    let checked = place.text(&["check"]);
    let chat = "channel chat: https://hooks.slack.com/*** in the form `slack`; told of failed, recovered, missed, stuck, overdue";
    assert!(checked.contains(chat), "{checked}");
    assert!(checked.contains("channel bot: https://api.telegram.org/*** in the form `telegram`"), "{checked}");
    let shown = place.text(&["show", "a"]);
    for line in [
        "channels  chat  (line 9)",
        "slow_after  3x of its usual p95",
        "overdue_after  1d 2h  (line 12)",
        "ping  https://hc-ping.com/***",
    ] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    let definition = place.json(&["show", "a"])["definition"].clone();
    assert_eq!((&definition["channels"], &definition["slow_after"]), (&json!(["chat"]), &json!("3x")));
    assert_eq!(
        (&definition["overdue_after"], &definition["ping"]),
        (&json!(93_600.0), &json!("https://hc-ping.com/***"))
    );
    // On each of these lines something else is wrong, so that the line is shown.
    let wrong = secretive().replace("ping = ", "pin = ").replace(", chat = '@ops'", ", chta = '@ops'");
    place.write_jobs(&wrong);
    let wrong = String::from_utf8(place.run(&["check"]).stdout).unwrap();
    assert!(
        wrong.contains("https://api.telegram.org/***********") && !wrong.contains("it is not said whom"),
        "{wrong}"
    );
    for text in [checked, shown, definition.to_string(), wrong] {
        assert!(!text.contains(CANARY), "{text}");
    }
}

#[test]
fn what_another_file_changes_for_channels_is_told_and_no_secret_is_kept() {
    let place = Place::new(&secretive());
    let mut command = place.command(&["daemon"]);
    let daemon = place.own(
        command
            .env("PUNCTUAL_DAEMON__PING", format!("https://other.example/{CANARY}"))
            .stderr(fs::File::create(place.path("log")).unwrap()),
    );
    support::wait("the file in force", || (place.run(&["diff"]).status.code() == Some(0)).then_some(()));
    let other = secretive()
        .replace("bot}", "bot")
        .replace("chat = '@ops'", "chat = '@dev'")
        .replace("slow_after = '3x'", "slow_after = '4x'")
        + "[channels.new]\ncommand = ['x', 'y']\nquiet = '22:00-07:00'\n[jobs.b]\ncommand = 'true'\n";
    fs::write(place.path("other.toml"), &other).unwrap();
    let output = place.run(&["diff", "--json", place.path("other.toml").to_str().unwrap()]);
    let diff: Value = serde_json::from_slice(&output.stdout).unwrap();
    let settings: Vec<(&str, &Value, &Value)> = diff["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|edit| (edit["key"].as_str().unwrap(), &edit["old"], &edit["new"]))
        .collect();
    assert!(settings.contains(&("channels.bot.webhook.chat", &json!("@ops"), &json!("@dev"))), "{settings:?}");
    assert!(settings.contains(&("channels.new.quiet", &Value::Null, &json!("22:00-07:00"))), "{settings:?}");
    assert!(!settings.iter().any(|(key, ..)| key.starts_with("channels.chat")), "{settings:?}");
    let jobs: Vec<(&str, &Value)> =
        diff["jobs"].as_array().unwrap().iter().map(|job| (job["job"].as_str().unwrap(), &job["keys"])).collect();
    assert_eq!(jobs[0], ("a", &json!([{ "key": "slow_after", "old": "3x", "new": "4x" }])), "{jobs:?}");
    assert_eq!(jobs[1].0, "b");
    assert!(!jobs[1].1.to_string().contains("channels"), "it tells every one: {jobs:?}");
    place.write_jobs(&other);
    let reload = place.text(&["reload"]);
    assert!(reload.contains("channels.bot.webhook.chat"), "{reload}");
    // Another secret of the same host is a change, as the daemon knows it.
    place.write_jobs(&other.replace(&format!("services/{CANARY}"), "services/rotated-away"));
    let rotated = place.text(&["reload"]);
    assert!(rotated.contains("channels.chat.webhook.url"), "{rotated}");
    assert_eq!(daemon.stop(), Some(0));
    let shown = [String::from_utf8(output.stdout).unwrap(), reload, rotated, place.log()].concat();
    assert!(!shown.contains(CANARY), "{shown}");
    let mut ledger = Vec::new();
    for file in fs::read_dir(place.path("state")).unwrap() {
        ledger.extend(fs::read(file.unwrap().path()).unwrap_or_default());
    }
    let text = String::from_utf8_lossy(&ledger);
    assert!(text.contains("https://other.example/***") && !text.contains(CANARY));
}

#[test]
fn who_is_mailed_what_jobs_write_is_so_by_cron_too() {
    let place = Place::new(&format!(
        "{SMTP}[channels.ops]\nmail = ['Ops <ops@example.org>', 'root@localhost']\ntell = 'output'\n\
         [channels.dev]\nmail = 'dev@example.org'\n\
         [jobs.a]\nschedule = '@daily'\ncommand = 'a'\n\
         [jobs.b]\nschedule = '@daily'\ncommand = 'b'\nchannels = 'dev'\n"
    ));
    let crontab = place.text(&["export", "crontab"]);
    let a = crontab.find("\nMAILTO=ops@example.org,root@localhost\n# a\n").expect(&crontab);
    let b = crontab.find("\nMAILTO=\"\"\n# b\n").expect(&crontab);
    assert!(a < b, "{crontab}");
    fs::write(place.path("crontab"), &crontab).unwrap();
    let again = place.text(&["import", "crontab", place.path("crontab").to_str().unwrap()]);
    assert!(again.contains("mail = [\"ops@example.org\", \"root@localhost\"]\ntell = [\"output\"]\n"), "{again}");
}

#[test]
fn what_this_machine_lacks_is_warned_of() {
    let place = Place::new(
        "[channels.pager]\ncommand = ['./no-such-program']\n[channels.good]\ncommand = ['true']\n\
         [channels.hook]\nwebhook = { url = 'https://example.org/x', secret = { file = 'no-such-key' } }\n\
         [jobs.a]\ncommand = 'true'\n",
    );
    let report = place.json(&["check"]);
    let said: Vec<(&str, u64, &str)> = report["warnings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["key"].as_str().unwrap(), one["line"].as_u64().unwrap(), one["message"].as_str().unwrap()))
        .collect();
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].2.contains("no-such-key") && said[0].0 == "channels.hook" && said[0].1 == 5, "{said:?}");
    assert!(said[1].2.contains("no-such-program") && said[1].0 == "channels.pager" && said[1].1 == 1, "{said:?}");
}

#[test]
fn a_variable_names_channels_of_the_file() {
    let place = Place::new("[channels.ops]\ncommand = 'x'\n[jobs.a]\ncommand = 'true'\n");
    let output = place.command(&["check"]).env("PUNCTUAL_DAEMON__CHANNELS", "opps").output().unwrap();
    let error = String::from_utf8(output.stderr).unwrap();
    assert!(error.contains("channels: there is no channel `opps` (from a variable)"), "{error}");
    let output = place.command(&["check"]).env("PUNCTUAL_DAEMON__CHANNELS", "ops").output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

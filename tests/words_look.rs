//! What notices say: in a subject, in plain text, in HTML, in a line or two, and in the forms of services.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fmt::Write as _;
use std::path::Path;

use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use punctual::job::{ChannelName, Shape};
use punctual::notice::{Kind, NoticeId};
use punctual::notify::shape::{Body, body};
use punctual::notify::{Part, Templates, Written, error_line, write};
use punctual::report::{
    Difference, DigestJob, DigestReport, Entry, MessageReport, NoticeReport, Seconds, Time, Unlike,
};
use punctual::run::{Cause, Outcome, Reason, RunId, State};
use serde_json::Value;
use support::Place;

fn time(text: &str) -> Time {
    Time(text.parse().unwrap())
}

/// When all of it is told.
const NOW: &str = "2026-11-22T02:31:15Z";

fn ago(hours: i64) -> Time {
    Time(NOW.parse::<Timestamp>().unwrap() - SignedDuration::from_hours(hours))
}

fn ahead(minutes: i64) -> Time {
    Time(NOW.parse::<Timestamp>().unwrap() + SignedDuration::from_mins(minutes))
}

fn entry(outcome: Option<Outcome>) -> Entry {
    Entry {
        run: RunId(1042),
        job: "backup".to_owned(),
        cause: Cause::Schedule,
        due: Some(time("2026-11-22T02:30:00Z")),
        due_last: None,
        count: 1,
        jitter: Seconds(0.0),
        started: Some(time("2026-11-22T02:30:00.001204Z")),
        ended: outcome.map(|_| time("2026-11-22T02:31:12.5Z")),
        late: Some(Seconds(0.001_204)),
        waited: Seconds(0.0),
        duration: outcome.map(|_| Seconds(72.5)),
        state: if outcome.is_some() { State::Ended } else { State::Running },
        outcome,
        reason: Some(Reason::ExitCode),
        detail: Some("exit status 3".to_owned()),
        exit_code: Some(3),
        signal: None,
        attempts: 3,
        cpu: None,
        max_rss: None,
        output_bytes: 1280,
        host: Some("db1".to_owned()),
        at: "2026-11-22T02:30:00Z".parse().unwrap(),
    }
}

fn notice(kind: Kind) -> NoticeReport {
    NoticeReport { notice: NoticeId(7), job: Some("backup".to_owned()), ..NoticeReport::bare(kind, time(NOW)) }
}

fn with_output(output: &[&str]) -> NoticeReport {
    let lines: Vec<String> = output.iter().map(|line| (*line).to_owned()).collect();
    let error_line = error_line(&lines).map(|at| lines[at].clone());
    NoticeReport { output: lines, error_line, ..notice(Kind::Failed) }
}

fn failed() -> NoticeReport {
    let output = [
        "pg_dump: last built-in OID is 16383",
        "pg_dump: reading extensions",
        "pg_dump: error: connection to server at \"10.0.0.5\", port 5432 failed: Connection refused",
        "\tIs the server running on that host and accepting TCP/IP connections?",
    ];
    NoticeReport {
        description: Some(
            "The nightly dump of the app's database, kept for a week and then given to the archive".to_owned(),
        ),
        run: Some(entry(Some(Outcome::Failed))),
        why: "exit status 3".to_owned(),
        in_a_row: 5,
        since: Some(ago(96)),
        untold: 3,
        last_success: Some(ago(120)),
        next: Some(ahead(24 * 60 - 1)),
        output_before: 129,
        unlike_usual: vec![
            Difference::FailureInARow { count: 5, or_more: false },
            Difference::Duration(Unlike { value: Seconds(72.5), usual: Seconds(22.6), factor: Some(3.2) }),
        ],
        commands: ["punctual show 1042", "punctual logs 1042", "punctual why backup"].map(str::to_owned).into(),
        ..with_output(&output)
    }
}

fn of_job(job: &str, notice: NoticeReport) -> NoticeReport {
    NoticeReport { job: Some(job.to_owned()), ..notice }
}

fn message(notices: Vec<NoticeReport>) -> MessageReport {
    MessageReport {
        version: MessageReport::VERSION,
        id: "7@db1".to_owned(),
        host: "db1".to_owned(),
        channel: ChannelName::new("ops").unwrap(),
        at: time(NOW),
        shared_cause: None,
        notices,
        digest: None,
        now: time(NOW),
        called: "punctual".to_owned(),
    }
}

/// One of each kind, with what it usually comes with.
fn each_kind() -> Vec<(Kind, MessageReport)> {
    let of = |kind: Kind| {
        let plain = notice(kind);
        let daemon = || NoticeReport { job: None, ..notice(kind) };
        let gap = NoticeReport {
            instants: 3,
            since: Some(ago(3)),
            until: Some(ago(1)),
            next: Some(ahead(29)),
            last_success: Some(ago(4)),
            commands: vec!["punctual why backup".to_owned()],
            ..notice(kind)
        };
        match kind {
            Kind::Failed => failed(),
            Kind::Recovered => NoticeReport {
                run: Some(Entry { detail: None, reason: None, attempts: 1, ..entry(Some(Outcome::Succeeded)) }),
                in_a_row: 5,
                since: Some(ago(2)),
                next: Some(ahead(58)),
                ..plain
            },
            Kind::Missed => NoticeReport { why: "no daemon ran, and catch_up = \"none\"".to_owned(), ..gap },
            Kind::Stuck => NoticeReport { in_a_row: 3, run: Some(entry(None)), why: "run 1042 is still going".to_owned(), ..gap },
            Kind::Slow => {
                let usual = Unlike { value: Seconds(720.0), usual: Seconds(180.0), factor: Some(4.0) };
                let run = Entry { started: Some(Time(ago(0).0 - SignedDuration::from_mins(12))), detail: None, reason: None, attempts: 1, ..entry(None) };
                NoticeReport {
                    run: Some(run),
                    why: "slow_after is 3× of what it usually takes".to_owned(),
                    unlike_usual: vec![Difference::Duration(usual)],
                    last_success: Some(ago(1)),
                    ..plain
                }
            }
            Kind::Overdue => NoticeReport {
                why: "it is paused since 2026-11-21 by ann: maintenance".to_owned(),
                since: Some(ago(26)),
                last_success: Some(ago(26)),
                ..plain
            },
            Kind::Skipped => NoticeReport { instants: 1, until: gap.since, why: "calendar holidays".to_owned(), ..gap },
            Kind::Succeeded => NoticeReport { run: Some(Entry { detail: None, reason: None, ..entry(Some(Outcome::Succeeded)) }), ..plain },
            Kind::Output => NoticeReport { error_line: None, kind, ..with_output(&["3 files copied", "done"]) },
            Kind::FileWrong => NoticeReport {
                why: "/etc/punctual/jobs.toml has 1 error, and what was before stays in force".to_owned(),
                detail: Some("error: `60` is no minute\n  --> /etc/punctual/jobs.toml:12:13\n   |\n12 | schedule = \"60 2 * * *\"\n   |             ^^".to_owned()),
                commands: vec!["punctual check".to_owned()],
                ..daemon()
            },
            Kind::FileRight | Kind::Well => NoticeReport { since: Some(ago(2)), ..daemon() },
            Kind::Trouble => NoticeReport { why: "the disk of /var/lib/punctual is full".to_owned(), since: Some(ago(0)), ..daemon() },
            Kind::Back => NoticeReport {
                why: "it ended without a stop".to_owned(),
                detail: Some("last heard of 2026-11-22 01:00:00 UTC\n2 runs were lost: 1040 of backup, 1041 of report".to_owned()),
                ..daemon()
            },
            Kind::Digest | Kind::Test => daemon(),
        }
    };
    let kinds = Kind::ALL.iter().filter(|kind| **kind != Kind::Digest);
    kinds.map(|kind| (*kind, message(vec![of(*kind)]))).collect()
}

fn digest() -> MessageReport {
    let job = |job: &str, runs: u64, failures: u64| DigestJob {
        job: job.to_owned(),
        runs,
        failures,
        missed: 0,
        skipped: 0,
        duration: Some(180.0),
        duration_before: Some(175.0),
        last_failure: (failures > 0).then(|| entry(Some(Outcome::Failed))),
        next: Some(ahead(60)),
    };
    let jobs = vec![
        job("mirror", 24, 1),
        job("backup", 3, 2),
        DigestJob { duration: Some(720.0), next: Some(ahead(10)), ..job("report", 1, 0) },
        DigestJob { missed: 3, skipped: 1, next: None, ..job("cleanup", 20, 0) },
    ];
    let digest = DigestReport { since: ago(24), until: ago(0), runs: 48, jobs, undeliverable: 1 };
    MessageReport { digest: Some(digest), ..message(vec![NoticeReport { job: None, ..notice(Kind::Digest) }]) }
}

fn storm() -> MessageReport {
    let cause = "there is no program `pg_dump` in the job's PATH";
    let notices = (1..=130).map(|number| {
        let job = of_job(&format!("dump-{number}"), NoticeReport { why: cause.to_owned(), ..notice(Kind::Failed) });
        NoticeReport { last_success: Some(ago(24)), ..job }
    });
    MessageReport { shared_cause: Some(cause.to_owned()), ..message(notices.collect()) }
}

fn bundle() -> MessageReport {
    let recovered = NoticeReport { in_a_row: 1, since: Some(ago(0)), ..notice(Kind::Recovered) };
    message(vec![NoticeReport { in_a_row: 1, untold: 0, since: None, ..failed() }, recovered])
}

/// Output and names of which each tries to be more than that.
fn hostile() -> MessageReport {
    let output = [
        "<script>alert(1)</script> & \"quotes\" '</pre>'",
        "\u{1b}]0;title\u{7}\u{1b}[2J\u{1b}[31mred",
        "@everyone <!channel> <@U024BE7LH> [click](https://evil.example) ```fence``` **bold**",
        "abc\u{202e}dcba\u{2066}x\u{2069}",
        "error: one\r\nBcc: all@example.org",
    ];
    let long = format!("x{}", "ä".repeat(2000));
    let mut evil = with_output(&output);
    evil.output.push(long);
    let why = "exit status 3\r\nBcc: victim@example.org\r\n\r\n<b>body</b>\u{202e}\u{2028}{{ host }}";
    message(vec![NoticeReport {
        description: Some("<img src=x onerror=alert(1)>\u{1b}[0m".to_owned()),
        why: why.to_owned(),
        run: Some(entry(Some(Outcome::Failed))),
        ..of_job("a<b>\r\nX-Evil: 1", evil)
    }])
}

fn of_the_world() -> MessageReport {
    let output = [
        "バックアップに失敗しました: 接続できません",
        "💥 disk 👩\u{200d}🚀 gone",
        "שגיאה: הקובץ לא נמצא",
        "می\u{200c}خواهم",
        "größe überschritten",
    ];
    message(vec![NoticeReport {
        description: Some("Sicherung für Köln — täglich".to_owned()), ..with_output(&output)
    }])
}

fn berlin() -> TimeZone {
    jiff::tz::db().get("Europe/Berlin").unwrap()
}

fn written(report: &MessageReport) -> Written {
    write(report, &Templates::builtin(), &berlin())
}

/// All but the HTML, one after the other.
fn in_plain(report: &MessageReport) -> String {
    let Written { subject, text, short, .. } = written(report);
    format!("Subject: {subject}\n\n{text}\n=== short\n{short}\n")
}

#[test]
fn each_kind_has_its_words() {
    let mut all = String::new();
    for (kind, report) in each_kind() {
        let _ = writeln!(all, "################ {kind}\n{}", in_plain(&report));
    }
    insta::assert_snapshot!(all);
}

#[test]
fn prose_has_72_columns() {
    for report in each_kind().into_iter().map(|(_, report)| report).chain([digest(), storm(), bundle()]) {
        let text = written(&report).text;
        let is_given = |line: &str| {
            report.notices.iter().any(|notice| notice.output.iter().any(|own| line.contains(own.as_str())))
        };
        for line in text.lines().filter(|line| !is_given(line)) {
            assert!(line.chars().count() <= 72, "{line}");
        }
        assert!(text.ends_with('\n') && !text.contains("\n\n\n"), "{text}");
    }
}

#[test]
fn html_is_read_anywhere() {
    insta::assert_snapshot!("html_failed", written(&message(vec![failed()])).html);
    insta::assert_snapshot!("html_digest", written(&digest()).html);
    insta::assert_snapshot!("html_bundle", written(&bundle()).html);
}

/// What readers of mail drop or hold against a message: what is open or closed twice, what is fetched, what steers the page,
/// colours that are nothing before a dark ground, and what is wider than a phone in landscape.
fn check_html(html: &str) {
    let mut open: Vec<&str> = Vec::new();
    let body = html.trim_start().strip_prefix("<!DOCTYPE html>").unwrap();
    for tag in body.split('<').skip(1) {
        let (tag, _) = tag.split_once('>').unwrap();
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "{html}");
            continue;
        }
        let (name, attributes) = tag.split_once(' ').unwrap_or((tag, ""));
        let known = [
            "html", "head", "meta", "title", "body", "div", "h1", "h2", "p", "ul", "li", "pre", "span", "strong",
            "code",
        ];
        assert!(known.contains(&name), "<{tag}>");
        if name != "meta" {
            open.push(name);
        }
        for attribute in attributes.split("\" ").filter(|attribute| !attribute.is_empty()) {
            let (key, value) = attribute.split_once("=\"").unwrap();
            assert!(["style", "dir", "lang", "charset", "name", "content"].contains(&key), "<{tag}>");
            let rules = value.trim_end_matches('"').split(';').filter(|_| key == "style");
            for (property, value) in rules.map(|rule| rule.split_once(':').unwrap()) {
                let fits =
                    !property.ends_with("width") || value.strip_suffix("px").unwrap().parse::<u32>().unwrap() <= 640;
                assert!(fits && property != "color" && !value.contains("url("), "<{tag}>");
            }
        }
    }
    assert!(open.is_empty(), "{open:?} {html}");
}

#[test]
fn html_is_whole_fetches_nothing_and_is_read_on_any_ground() {
    let others = [digest(), storm(), bundle(), hostile(), of_the_world()];
    for report in each_kind().into_iter().map(|(_, report)| report).chain(others) {
        check_html(&written(&report).html);
    }
}

#[test]
fn several_notices_make_one_message() {
    insta::assert_snapshot!("bundle", in_plain(&bundle()));
    insta::assert_snapshot!("storm", in_plain(&storm()));
    insta::assert_snapshot!("digest", in_plain(&digest()));
    let subjects: Vec<String> = [
        vec![
            failed(),
            of_job("b", notice(Kind::Overdue)),
            of_job("c", notice(Kind::Overdue)),
            of_job("d", notice(Kind::Recovered)),
        ],
        vec![of_job("b", notice(Kind::Slow)), NoticeReport { job: None, ..notice(Kind::FileWrong) }],
        (0..9).map(|number| notice(if number % 2 == 0 { Kind::Failed } else { Kind::Recovered })).collect(),
        vec![notice(Kind::Failed); 2],
        vec![notice(Kind::Failed), notice(Kind::Recovered)],
    ]
    .map(|notices| written(&message(notices)).subject)
    .into();
    insta::assert_snapshot!("subjects", subjects.join("\n"));
    let nothing = DigestReport { since: ago(7 * 24), until: ago(0), runs: 0, jobs: Vec::new(), undeliverable: 0 };
    let nothing = MessageReport { digest: Some(nothing), ..message(Vec::new()) };
    assert_eq!(written(&nothing).subject, "[punctual] db1: the last week: 0 runs, all well");
}

/// The server may have been away for long.
#[test]
fn what_is_sent_late_counts_from_when_it_is_sent() {
    let failed = NoticeReport { last_success: Some(ago(1)), ..notice(Kind::Failed) };
    let lasting = |hours: i32| {
        let report = message(vec![failed.clone()]);
        let now = Time(report.at.0 + jiff::SignedDuration::from_hours(hours.into()));
        written(&MessageReport { now, ..report }).text
    };
    assert!(lasting(0).contains("(1h ago)"), "{}", lasting(0));
    assert!(lasting(2).contains("(3h ago)"), "{}", lasting(2));
}

#[test]
fn words_of_all_languages_arrive() {
    let written = written(&of_the_world());
    insta::assert_snapshot!("of_the_world", format!("{}\n{}", written.text, written.html));
}

#[test]
fn nothing_that_others_wrote_breaks_out() {
    let report = hostile();
    let Written { subject, text, html, short } = written(&report);
    insta::assert_snapshot!("hostile", format!("Subject: {subject}\n\n{text}\n=== short\n{short}\n\n=== html\n{html}"));
    assert!(!subject.contains(['\r', '\n']));
    for text in [&subject, &text, &html, &short] {
        let steers = |c: char| {
            c.is_control() && c != '\n' && c != '\t'
                || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}')
        };
        assert!(!text.contains(steers), "{text:?}");
        assert!(text.lines().all(|line| line.chars().count() < 700));
    }
    assert!(!html.contains("<script") && !html.contains("<img") && !html.contains("<b>"), "{html}");
}

fn in_shape(shape: &Shape, report: &MessageReport) -> (Body, Value) {
    let body = body(shape, report, &written(report));
    let value = serde_json::from_slice(&body.bytes).unwrap_or_default();
    (body, value)
}

#[test]
fn services_get_what_they_take() {
    let shapes = [
        Shape::Json,
        Shape::Slack,
        Shape::Discord,
        Shape::Teams,
        Shape::Ntfy,
        Shape::Telegram { chat: "-100".to_owned() },
    ];
    for shape in shapes {
        let (body, value) = in_shape(&shape, &hostile());
        let shown = if value.is_null() {
            String::from_utf8(body.bytes).unwrap()
        } else {
            serde_json::to_string_pretty(&value).unwrap()
        };
        let headers: Vec<String> = body.headers.iter().map(|(name, value)| format!("{name}: {value}\n")).collect();
        let shown = format!("{}\n{}\n{shown}", body.content_type, headers.concat());
        insta::assert_snapshot!(format!("shape_{}", shape.word()), shown);
    }
}

#[test]
fn services_get_no_more_than_they_take() {
    let units = |value: &Value| value.as_str().unwrap().encode_utf16().count();
    let mut emoji = hostile();
    emoji.notices[0].output = vec!["🚀<&>".repeat(125); 20];
    for report in [storm(), emoji, hostile(), of_the_world()] {
        let (_, slack) = in_shape(&Shape::Slack, &report);
        let blocks = slack["blocks"].as_array().unwrap();
        assert!(blocks.len() <= 50 && units(&blocks[0]["text"]["text"]) <= 150);
        for block in &blocks[1..] {
            let text = block["text"]["text"].as_str().unwrap();
            assert!(units(&block["text"]["text"]) <= 3000);
            let escaped = text.replace("&amp;", "").replace("&lt;", "").replace("&gt;", "");
            assert!(!escaped.contains(['&', '<', '>']), "{text}");
            assert_eq!(text.matches("```").count() % 2, 0, "{text}");
        }
        let (_, discord) = in_shape(&Shape::Discord, &report);
        assert!(units(&discord["content"]) <= 2000);
        assert_eq!(discord["allowed_mentions"], serde_json::json!({ "parse": [] }));
        assert!(!discord["content"].as_str().unwrap().contains("@everyone"));
        assert_eq!(discord["content"].as_str().unwrap().matches("```").count(), 2);
        let (_, telegram) = in_shape(&Shape::Telegram { chat: "1".to_owned() }, &report);
        assert!(units(&telegram["text"]) <= 4096 && telegram.get("parse_mode").is_none());
        let (teams, _) = in_shape(&Shape::Teams, &report);
        assert!(teams.bytes.len() < 28 * 1024, "{}", teams.bytes.len());
        let (ntfy, _) = in_shape(&Shape::Ntfy, &report);
        assert!(ntfy.bytes.len() <= 4096 && std::str::from_utf8(&ntfy.bytes).is_ok());
        assert!(ntfy.headers.iter().all(|(_, value)| value.is_ascii() && !value.contains(['\r', '\n'])));
    }
}

/// The text of a message by templates of one's own.
fn by(files: &[(&str, &str)], report: &MessageReport) -> Written {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        std::fs::write(folder.path().join(name), text).unwrap();
    }
    write(report, &Templates::read(folder.path()).unwrap(), &berlin())
}

#[test]
fn templates_of_ones_own_take_the_place_of_ours() {
    let report = message(vec![failed()]);
    let own =
        by(&[("subject.txt", "{{ host|upper }}\n {{ notices[0].why }} {{ report.notices[0].in_a_row }}")], &report);
    assert_eq!(own.subject, "DB1 exit status 3 5");
    assert_eq!((&own.text, own.html != written(&report).html), (&written(&report).text, true));
    let own = by(
        &[("text.txt", "mine: {{ subject }}\u{1b}[2J"), ("html.html", "<p>{{ notices[0].output[2] }}</p>")],
        &report,
    );
    assert_eq!(own.text, "mine: [punctual] db1: backup failed (exit status 3), 5 in a row^[[2J\n");
    assert!(own.html.starts_with("<p>pg_dump: error: connection to server at &quot;"), "{}", own.html);
}

#[test]
fn a_wrong_template_loses_no_notice() {
    let report = message(vec![failed()]);
    let ours = written(&report);
    let check = |file: &str, text: &str, expect: &str| {
        let own = by(&[(file, text)], &report);
        let end = format!("\nA template was wrong, and the built-in one was used: {expect}\n");
        assert_eq!(own.text, format!("{}{end}", ours.text), "{file}");
        assert_eq!((own.subject, own.html, own.short), (ours.subject.clone(), ours.html.clone(), ours.short.clone()));
    };
    check("text.txt", "a\n{{ host", "text.txt, line 2: unexpected end of input, expected end of variable block");
    check("subject.txt", "\n\n{{ hots }}", "subject.txt, line 3: `hots` is undefined");
    check("html.html", "{{ notices[9].why }}", "html.html, line 1: `notices[9]` is undefined");
    let endless = "{% for a in range(9999) %}{% for b in range(9999) %}{% for c in range(9999) %}{% endfor %}{% endfor %}{% endfor %}";
    check("short.txt", endless, "short.txt, line 1: it goes on for too long");
    let huge =
        "{% for a in range(9999) %}{% for b in range(9) %}{{ report.notices[0].output }}{% endfor %}{% endfor %}";
    check("short.txt", huge, "short.txt: it becomes longer than 1024 KiB");
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("text.txt"), b"a\xff").unwrap();
    let text = write(&report, &Templates::read(folder.path()).unwrap(), &berlin()).text;
    assert!(text.contains("was used: text.txt: ") && text.contains("is not UTF-8"), "{text}");
    let error = Templates::read(&folder.path().join("none")).unwrap_err().to_string();
    assert!(error.starts_with("there is no folder "), "{error}");
    // An empty one is nobody's wish for a message without words.
    assert_eq!(by(&[("text.txt", ""), ("subject.txt", "")], &report).text, format!("{}\n", ours.subject));
}

#[test]
fn what_is_none_is_no_text() {
    let report = message(vec![NoticeReport { job: None, description: None, ..notice(Kind::Trouble) }]);
    let template = "a{{ notices[0].description }}{{ notices[0].job|wrap }}{{ shared_cause|right(3) }}b {{ called }}";
    let own = by(&[("text.txt", template), ("html.html", template)], &report);
    assert_eq!((own.text.as_str(), own.html.as_str()), ("a   b punctual\n", "a   b punctual"));
}

#[test]
fn what_is_told_in_short_is_in_the_order_of_names() {
    let names = ["z", "dump-10", "Dump", "dump-2b", "dump-2", "dump-2-a", "ä"];
    let mut notices: Vec<NoticeReport> = (0..10).map(|_| failed()).collect();
    notices.extend(names.map(|name| of_job(name, notice(Kind::Failed))));
    let text = written(&message(notices)).text;
    let listed: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  - ")?.split(' ').next()).collect();
    assert_eq!(listed, ["Dump", "dump-2", "dump-2-a", "dump-2b", "dump-10", "z", "ä"]);
}

#[test]
fn templates_are_checked_with_the_file() {
    let place = Place::new("[jobs.a]\ncommand = 'true'\n");
    let check = |strict: bool| {
        let output = place.run(if strict { &["check", "--strict"] } else { &["check"] });
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let folder = place.path("templates");
    std::fs::create_dir(&folder).unwrap();
    for part in Part::ALL {
        std::fs::write(folder.join(part.file()), part.builtin()).unwrap();
    }
    let (is_right, said) = check(true);
    assert!(is_right && !said.contains("template"), "{said}");
    std::fs::write(folder.join("text.txt"), "one\n{{ hots }}\n").unwrap();
    std::fs::write(folder.join("subject.txt"), "{{ notices[0].title }}").unwrap();
    let (is_right, said) = check(false);
    let said = said.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(is_right && said.contains("templates/text.txt, line 2: `hots` is undefined"), "{said}");
    // What suits most messages may not suit all.
    assert!(said.contains("for a digest the built-in template would take the place of "), "{said}");
    assert!(said.contains("templates/subject.txt, line 1: `notices[0]` is undefined"), "{said}");
    assert!(!check(true).0);
    place.write_jobs("[daemon]\ntemplates = 'nowhere'\n[jobs.a]\ncommand = 'true'\n");
    let (_, said) = check(false);
    assert!(said.contains("there is no folder ") && said.contains("jobs.toml:2:13"), "{said}");
}

#[test]
fn templates_to_begin_with_are_written_once() {
    let place = Place::new("");
    let folder = place.path("mine/templates");
    let ask = |expect: i32| {
        let mut command = place.command(&["notify", "templates", folder.to_str().unwrap()]);
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(expect), "{output:?}");
        String::from_utf8(output.stdout).unwrap() + &String::from_utf8(output.stderr).unwrap()
    };
    assert!(ask(0).contains("text.txt"));
    for part in Part::ALL {
        assert_eq!(std::fs::read_to_string(folder.join(part.file())).unwrap(), part.builtin());
    }
    let report = message(vec![failed()]);
    assert_eq!(write(&report, &Templates::read(&folder).unwrap(), &berlin()), written(&report));
    std::fs::write(folder.join("text.txt"), "mine").unwrap();
    std::fs::remove_file(folder.join("short.txt")).unwrap();
    let said = ask(0);
    assert!(said.contains("stay as they are"), "{said}");
    assert_eq!(std::fs::read_to_string(folder.join("text.txt")).unwrap(), "mine");
    assert!(folder.join("short.txt").exists());
    std::fs::write(place.path("file"), "").unwrap();
    let file = place.path("file");
    let output = place.command(&["notify", "templates", file.to_str().unwrap()]).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
}

/// For eyes: `cargo test --test words_look -- --ignored --nocapture`.
#[test]
#[ignore = "it writes files to look at"]
fn examples_to_look_at() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/words");
    std::fs::create_dir_all(&folder).unwrap();
    let kinds = each_kind().into_iter().map(|(kind, report)| (kind.word().to_owned(), report));
    let others = [
        ("digest", digest()),
        ("storm", storm()),
        ("bundle", bundle()),
        ("hostile", hostile()),
        ("world", of_the_world()),
    ];
    for (name, report) in kinds.chain(others.map(|(name, report)| (name.to_owned(), report))) {
        let Written { subject, text, html, .. } = written(&report);
        let whole = format!(
            "Subject: {subject}\nFrom: punctual@db1\nTo: ops@example.org\nMIME-Version: 1.0\n\
             Content-Type: multipart/alternative; boundary=\"-=part\"\n\n---=part\nContent-Type: text/plain; charset=utf-8\n\
             Content-Transfer-Encoding: 8bit\n\n{text}\n---=part\nContent-Type: text/html; charset=utf-8\n\
             Content-Transfer-Encoding: 8bit\n\n{html}\n---=part--\n"
        );
        std::fs::write(folder.join(format!("{name}.eml")), whole).unwrap();
        std::fs::write(folder.join(format!("{name}.html")), html).unwrap();
    }
    println!("{}", folder.display());
}

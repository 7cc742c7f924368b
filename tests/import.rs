//! Crontabs and timers come in, jobs go back to cron: by the real binary, and at the same instants.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::sync::Arc;

use jiff::Timestamp;
use proptest::prelude::*;
use punctual::files::Machine;
use punctual::import::{
    Claim, Origin, Owner, Reason, Style, Text, Verdict, export_crontab, import_crontabs, prove, written,
};
use punctual::job::Job;
use punctual::jobfile::Draft;
use serde_json::Value;
use support::Place;

/// The binary by the clocks of Berlin, with something on its standard input.
fn ask(place: &Place, arguments: &[&str], input: &[u8]) -> Output {
    let mut command = place.command(arguments);
    command.env("TZ", "Europe/Berlin").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    child.wait_with_output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn err(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

const ALICES: &[u8] = include_bytes!("data/crontab.alice");

#[test]
fn a_real_crontab_is_imported_and_held_against_cron() {
    let place = Place::new("");
    let output = ask(&place, &["import", "crontab", "-", "--verify", "1y"], ALICES);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let said = err(&output);
    assert!(said.contains("18 of 19 jobs as cron has them, 1 not compared"), "{said}");
    assert!(said.contains("nightly-backup  the same: 365 instants"), "{said}");
    let toml = out(&output);
    place.write_jobs(&toml);
    let check = place.json(&["check"]);
    assert_eq!(check["errors"], serde_json::json!([]), "{toml}");
    insta::assert_snapshot!(toml);
}

#[test]
fn what_was_imported_runs_as_cron_would_run_it() {
    let place = Place::new("");
    let crontab = b"A=one\nHOME=/tmp\n@reboot cat; echo $A $(pwd) 100\\%; false; echo done%first%second\n";
    let output = ask(&place, &["import", "crontab"], crontab);
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    place.write_jobs(&out(&output));
    let daemon = place.start();
    place.ended("cat");
    daemon.stop();
    assert_eq!(place.text(&["logs", "cat"]), "first\nsecond\none /tmp 100%\ndone\n");
}

#[test]
fn wrong_lines_are_shown_and_the_rest_is_taken_over() {
    let place = Place::new("");
    let crontab = b"60 2 * * * a\n\xff * * * * b\n0 0 * * fri-sun c\n0 3 * * * good\n5 5 * * *\n0 0 30 2 * never";
    let output = ask(&place, &["import", "crontab", "-"], crontab);
    assert_eq!(output.status.code(), Some(1));
    assert!(out(&output).contains("[jobs.good]\nschedule = \"0 3 * * *\""), "{}", out(&output));
    insta::assert_snapshot!(err(&output));
    let output = ask(&place, &["import", "crontab", "-", "--json"], crontab);
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    let errors = report["errors"].as_array().unwrap();
    assert_eq!(errors.len(), 5, "{report}");
    let place_of = |error: &Value| (error["line"].as_u64(), error["column"].as_u64(), error["end_column"].as_u64());
    assert_eq!(place_of(&errors[0]), (Some(1), Some(1), Some(3)));
    assert_eq!(place_of(&errors[2]), (Some(3), Some(9), Some(16)));
    assert_eq!(errors[2]["help"], "write `5-7`");
    assert_eq!((&report["jobs"][0]["job"], &report["jobs"][0]["line"]), (&"good".into(), &4.into()));
}

/// Nothing of this is worth more than an answer.
#[test]
fn odd_crontabs_are_answered() {
    let place = Place::new("");
    let long =
        [b"0 0 * * * echo ", "x".repeat(100_000).as_bytes(), b"\n#", "y".repeat(100_000).as_bytes(), b"\n"].concat();
    let wrong = [b"0 0 * * * a\n99 * * * * ", "x".repeat(100_000).as_bytes(), b"\n"].concat();
    let cases: [(&[u8], i32, &str); 12] = [
        (b"", 0, ""),
        (b"\n\n# only words\n", 0, "# only words"),
        (&long, 0, "[jobs.echo]"),
        (b"0 0 * * * a\x00b\n", 1, ""),
        (b"0 0 * * * printf '\x1b[2J\x07'\n", 0, "\\u001B[2J\\u0007"),
        (b"# \x1b[2J\xe2\x80\xae\n\n0 0 * * * a\n", 0, "^[[2J\\u{202e}"),
        (b"0 0 * * * a\r\n@daily b\r\n", 0, "command  = \"b\""),
        (b"\xef\xbb\xbf0 0 * * * a\n", 0, "byte order mark"),
        (b"@daily", 1, ""),
        (b"\x1b[2J\x07 0 * * * a\n", 1, ""),
        (&wrong, 1, "[jobs.a]"),
        (b"0 0 * * * ''' \"\"\" \\ '\n", 0, "[jobs."),
    ];
    for (crontab, code, expect) in cases {
        let output = ask(&place, &["import", "crontab", "-"], crontab);
        let (toml, said) = (out(&output), err(&output));
        let shown = String::from_utf8_lossy(&crontab[..crontab.len().min(60)]).into_owned();
        assert_eq!(output.status.code(), Some(code), "{shown:?}: {said}");
        assert!(toml.contains(expect), "{shown:?}: {toml}");
        assert!(
            !toml.contains('\u{1b}') && !said.contains('\u{1b}') && !said.contains('\0'),
            "{shown:?}: {toml}{said}"
        );
        assert!(said.len() < 2_000, "{shown:?}: {} bytes are said", said.len());
        place.write_jobs(&toml);
        assert!(place.run(&["check"]).status.success(), "{shown:?}: {toml}");
    }
}

#[test]
fn a_file_is_written_only_where_there_is_none() {
    let place = Place::new("mine = 1\n");
    let file = place.path("jobs.toml");
    let file = file.to_str().unwrap();
    let output = ask(&place, &["import", "crontab", "-", "--output", file], b"@daily a\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(err(&output).contains("is there already; --force replaces it"), "{}", err(&output));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "mine = 1\n");
    let output = ask(&place, &["import", "crontab", "-", "--output", file, "--force"], b"@daily a\n");
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    assert!(out(&output).ends_with("jobs.toml has 1 job\n"), "{}", out(&output));
    assert!(std::fs::read_to_string(file).unwrap().contains("[jobs.a]"));
    let other = place.path("other.toml");
    let output = ask(&place, &["import", "crontab", "-", "--output", other.to_str().unwrap()], b"@daily a\n");
    assert_eq!(output.status.code(), Some(0));
    assert!(other.exists());
}

fn lay(root: &Path, files: &[(&str, &str)]) {
    for (path, text) in files {
        let path = root.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
}

#[test]
fn the_system_s_crontabs_are_found_by_their_places() {
    let place = Place::new("");
    let root = place.path("root");
    lay(
        &root,
        &[
            (
                "etc/crontab",
                "SHELL=/bin/sh\n# m h dom mon dow user\tcommand\n17 *\t* * *\troot\tcd / && run-parts --report /etc/cron.hourly\n",
            ),
            ("etc/cron.d/certbot", "0 */12 * * * root test -x /usr/bin/certbot && certbot -q renew\n"),
            ("etc/cron.d/php.dpkg-old", "nonsense\n"),
            ("etc/cron.d/.placeholder", "nonsense\n"),
            ("etc/anacrontab", "7 10 weekly run-parts /etc/cron.weekly\n"),
            ("var/spool/cron/crontabs/bob", "@daily /home/bob/tidy\n"),
        ],
    );
    let root = root.to_str().unwrap();
    let output = ask(&place, &["import", "crontab", "--system", "--root", root, "--verify", "1y"], b"");
    let (toml, said) = (out(&output).replace(root, "/root"), err(&output));
    assert_eq!(output.status.code(), Some(0), "{said}");
    insta::assert_snapshot!(toml);
    assert!(said.contains("php.dpkg-old is passed over") && said.contains("2 of 3 jobs as cron has them"), "{said}");
    let output = ask(&place, &["import", "crontab", "--user", "bob", "--root", root], b"");
    assert!(out(&output).contains("user     = \"bob\""), "{}", out(&output));
    let output = ask(&place, &["import", "crontab", "--user", "eve", "--root", root], b"");
    assert!(err(&output).contains("eve has no crontab"), "{}", err(&output));
    let output = ask(&place, &["import", "crontab", "-", "--with-user"], b"0 0 * * * alice backup\n0 1 * * * /bin/x\n");
    assert!(out(&output).contains("user     = \"alice\""), "{}", out(&output));
    assert!(err(&output).contains("`/bin/x` is no user"), "{}", err(&output));
}

#[test]
fn timers_come_with_their_services() {
    let place = Place::new("");
    let root = place.path("root");
    lay(
        &root,
        &[
            (
                "etc/systemd/system/backup@.timer",
                "[Unit]\nDescription=Nightly\n[Timer]\nOnCalendar=*-*-* 02:30\nOnCalendar=Mon *-*~07/1 05:00\nOnCalendar=*-*~03\n\
             RandomizedDelaySec=10min\nPersistent=yes\nAccuracySec=1us\n",
            ),
            ("etc/systemd/system/backup@.timer.d/more.conf", "[Timer]\nOnBootSec=5min\n"),
            (
                "usr/lib/systemd/system/backup@.service",
                "[Unit]\nDescription=Backup of %i\nOnFailure=mail@%n.service\n[Service]\nType=oneshot\nUser=backup\nUMask=077\n\
             Environment=\"A=one two\" B=2\nEnvironmentFile=-/etc/default/backup\nExecStartPre=-/bin/mkdir /b\n\
             ExecStart=/usr/bin/backup --name %i \\\n  --level ${LEVEL}\nTimeoutStartSec=1h\nMemoryMax=512M\nCPUQuota=50%\n\
             Nice=10\nKillSignal=SIGINT\nSuccessExitStatus=1 TEMPFAIL\nRestart=on-failure\nRestartSec=30\n\
             ProtectSystem=strict\n",
            ),
            ("etc/systemd/system/poll.timer", "[Timer]\nOnUnitInactiveSec=90s\nOnBootSec=1min\n"),
            ("etc/systemd/system/poll.service", "[Service]\nExecStart=/bin/poll\n"),
            ("etc/systemd/system/alone.timer", "[Timer]\nOnCalendar=daily\n"),
        ],
    );
    let root = root.to_str().unwrap();
    let output = ask(&place, &["import", "systemd", "backup@srv.timer", "poll", "--root", root], b"");
    let toml = out(&output);
    insta::assert_snapshot!(toml);
    assert_eq!(output.status.code(), Some(1), "one expression has no pattern: {}", err(&output));
    assert!(err(&output).contains("days counted from the end of a month have no pattern"), "{}", err(&output));
    assert!(err(&output).contains("backup@.timer:6:1"), "{}", err(&output));
    place.write_jobs(&toml);
    assert!(place.run(&["check"]).status.success(), "{toml}");
    for (unit, expect) in [
        ("alone", "there is no service alone.service"),
        ("nobody", "there is no unit nobody.timer"),
        ("backup@.timer", "is a template"),
        ("poll.service", "is a service"),
    ] {
        let output = ask(&place, &["import", "systemd", unit, "--root", root], b"");
        assert!(!output.status.success() && err(&output).contains(expect), "{unit}: {}", err(&output));
    }
}

#[test]
fn jobs_go_back_to_cron_and_say_what_is_lost() {
    let place = Place::new(
        r#"
[jobs.backup]
description = "Nightly backup"
schedule = ["30 2 * * *", "@reboot"]
command = "date +%F | tee /x"
stdin = "one\n50% of two\n"
timeout = "1h"
env = { PATH = "/bin", "A" = "it's" }
[jobs.both]
schedule = "0 9 */2 * +MON"
shell = ["/bin/bash", "-c"]
command = "a"
env = { PATH = "/bin" }
user = "alice"
[jobs.either]
schedule = "0 9 */2 * MON"
command = ["/bin/a", "two words"]
timezone = "Asia/Tokyo"
env = { PATH = "/bin" }
[jobs.even]
enabled = false
schedule = "every 15m"
command = "even"
cwd = "/tmp"
env = { PATH = "/bin" }
[jobs.fine]
schedule = "*/10 * * * * *"
command = "x"
[jobs.last]
schedule = "0 0 L * *"
command = "x"
[jobs.lines]
schedule = "@daily"
command = "a\nb"
[jobs.asks]
schedule = "@daily"
http.url = "https://example.org"
[jobs.holiday]
schedule = "@daily"
not_on = "holidays"
command = "x"
[calendars.holidays]
dates = "2026-12-25"
"#,
    );
    let output = ask(&place, &["export", "crontab"], b"");
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    insta::assert_snapshot!(out(&output));
    let output = ask(&place, &["export", "crontab", "both", "--system"], b"");
    assert!(out(&output).contains("\nPATH=/bin\nSHELL=/bin/bash\n# both\n0 9 */2 * 1 alice a\n"), "{}", out(&output));
    let output = ask(&place, &["export", "crontab", "either", "--cron-tz"], b"");
    assert!(out(&output).contains("\nCRON_TZ=Asia/Tokyo\n") && out(&output).contains("ignores it"), "{}", out(&output));
    let output = ask(&place, &["export", "crontab", "fine", "--json"], b"");
    let report: Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(report["lost"][0]["job"], "fine");
}

/// What a proof was held against is said, and what an editor or a slip left in a line.
#[test]
fn a_zone_a_mark_and_a_sign_are_told_of() {
    let place = Place::new("");
    let crontab = "\u{feff}-1 * * * * a\nCRON_TZ=America/New_York\n30 2 * * * b\n";
    let output = ask(&place, &["import", "crontab", "-", "--verify", "2d"], crontab.as_bytes());
    assert_eq!(output.status.code(), Some(0), "{}", err(&output));
    let (toml, said) = (out(&output), err(&output));
    assert!(toml.contains("byte order mark") && toml.contains("line 1 begins with `-`"), "{toml}");
    assert!(said.contains("Debian's own cron ignores it") && said.contains(", by CRON_TZ=America/New_York"), "{said}");
}

/// Reads a job file as the daemon would.
fn jobs_of(text: &str, zone: &str) -> Vec<Arc<Job>> {
    let checked = Draft::parse(Path::new("/jobs.toml"), text.to_owned()).check(&Machine::default(), zone, now());
    assert!(checked.is_right(), "{text}: {:?}", checked.said.errors);
    checked.jobs
}

fn now() -> Timestamp {
    "2026-03-01T00:00:00Z".parse().unwrap()
}

fn imported(crontab: &str) -> punctual::import::Imported {
    let origin = Origin { text: Text::of("crontab", crontab.as_bytes()), owner: Owner::Daemon, name: None };
    import_crontabs(&[origin], &Machine::default())
}

fn instants(job: &Job, from: &str, until: &str) -> Vec<Timestamp> {
    let timetable = &job.timing.as_ref().unwrap().timetable;
    timetable.between(from.parse().unwrap(), until.parse().unwrap()).collect()
}

/// A field with values from `low` to `high`; stars and steps of them as often as anything else.
fn field(low: u32, high: u32) -> impl Strategy<Value = String> {
    let value = low..=high;
    let range = (value.clone(), value.clone()).prop_map(|(a, b)| (a.min(b), a.max(b)));
    let item = prop_oneof![
        4 => value.prop_map(|value| value.to_string()),
        1 => range.clone().prop_map(|(a, b)| format!("{a}-{b}")),
        1 => (range, 1_u32..20).prop_map(|((a, b), step)| format!("{a}-{b}/{step}")),
        1 => (1_u32..20).prop_map(|step| format!("*/{step}")),
    ];
    prop_oneof![3 => Just("*".to_owned()), 5 => prop::collection::vec(item, 1..4).prop_map(|items| items.join(","))]
}

const ZONES: [&str; 6] =
    ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Africa/Casablanca", "America/Santiago"];
/// Around the changes of the clocks in the spring and the autumn of these zones.
const WINDOWS: [(&str, &str); 6] = [
    ("2026-03-07T00:00:00Z", "2026-03-09T00:00:00Z"),
    ("2026-03-28T12:00:00Z", "2026-03-30T00:00:00Z"),
    ("2026-04-04T00:00:00Z", "2026-04-06T00:00:00Z"),
    ("2026-09-05T12:00:00Z", "2026-09-07T00:00:00Z"),
    ("2026-10-03T00:00:00Z", "2026-10-04T12:00:00Z"),
    ("2026-10-24T12:00:00Z", "2026-10-26T00:00:00Z"),
];

/// Holds the one job of a crontab against cron; what cron makes up for several times is one run here.
fn hold(crontab: &str, fields: &str, zone: &str, windows: &[(&str, &str)]) {
    let imported = imported(crontab);
    // Such as the 31st of a month that has none, which is refused.
    if !imported.troubles.is_empty() {
        assert!(imported.troubles[0].message.contains("never fires"), "{crontab}: {:?}", imported.troubles);
        return;
    }
    let text = written(&imported.sheet);
    let jobs = jobs_of(&text, zone);
    let timing = jobs[0].timing.as_ref().unwrap();
    for (from, until) in windows {
        let claim = Claim {
            job: "x",
            fields: Some(fields),
            is_random: false,
            timetable: &timing.timetable,
            cron_zone: &timing.timetable.place.zone,
            cron_zone_name: zone,
        };
        let proof = prove(&[claim], from.parse().unwrap(), until.parse().unwrap()).remove(0);
        assert!(matches!(proof.verdict, Verdict::Compared { .. }));
        let wrong: Vec<_> = proof.differences().iter().filter(|d| d.reason != Reason::MadeUpFor).collect();
        assert!(wrong.is_empty(), "{fields} in {zone}, written as {}: {wrong:?}", timing.written.schedules[0]);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: ProptestConfig::default().cases / 4, ..ProptestConfig::default() })]

    #[test]
    fn times_of_a_day_are_crons(minute in field(0, 59), hour in field(0, 23), zone in 0..ZONES.len()) {
        let fields = format!("{minute} {hour} * * *");
        hold(&format!("{fields} x\n"), &fields, ZONES[zone], &WINDOWS);
    }

    #[test]
    fn days_are_crons(day in field(1, 31), month in field(1, 12), weekday in field(0, 7)) {
        let fields = format!("17 4 {day} {month} {weekday}");
        hold(&format!("{fields} x\n"), &fields, "UTC", &[("2027-12-01T00:00:00Z", "2028-04-01T00:00:00Z")]);
    }

    #[test]
    fn what_goes_back_to_cron_comes_again(
        minute in field(0, 59), hour in field(0, 23), day in field(1, 31), weekday in field(0, 7), both: bool, zone in 0..ZONES.len(),
    ) {
        let plus = if both && weekday != "*" { "+" } else { "" };
        let schedule = format!("{minute} {hour} {day} * {plus}{weekday}").replace("*,", "").replace(",*", "");
        let text = format!("[jobs.x]\nschedule = \"{schedule}\"\ncommand = \"x\"\ntimezone = \"{}\"\n", ZONES[zone]);
        let checked = Draft::parse(Path::new("/jobs.toml"), text).check(&Machine::default(), "UTC", now());
        // Some such texts are none of our language.
        prop_assume!(checked.is_right());
        let job = &checked.jobs[0];
        let exported = export_crontab(&[job], Style { with_user: false, zone: "UTC", now: now(), cron_tz: true });
        if !exported.lost.is_empty() {
            prop_assert!(exported.lost[0].1.contains("both must"), "{:?}", exported.lost);
            return Ok(());
        }
        let again = imported(&exported.text);
        prop_assert!(again.troubles.is_empty(), "{}: {:?}", exported.text, again.troubles);
        let jobs = jobs_of(&written(&again.sheet), "UTC");
        for (from, until) in WINDOWS {
            prop_assert_eq!(instants(&jobs[0], from, until), instants(job, from, until), "{}", exported.text);
        }
    }
}

/// Two jobs of which one is made up for several times at the end of the gap, which is said.
#[test]
fn differences_are_listed_with_their_reasons() {
    let imported =
        imported("CRON_TZ=Europe/Berlin\n15,45 2 * * * twice\n30 2 * * * once\n~ 3 * * * some\n@reboot boot\n");
    let jobs = jobs_of(&written(&imported.sheet), "UTC");
    let claims: Vec<Claim> = jobs
        .iter()
        .zip(imported.fields.iter().zip(&imported.random))
        .map(|(job, (fields, is_random))| Claim {
            job: job.name.as_str(),
            fields: fields.as_deref(),
            is_random: *is_random,
            timetable: &job.timing.as_ref().unwrap().timetable,
            cron_zone: &job.timing.as_ref().unwrap().timetable.place.zone,
            cron_zone_name: "Europe/Berlin",
        })
        .collect();
    let proofs = prove(&claims, now(), "2026-05-01T00:00:00Z".parse().unwrap());
    let [twice, once, some, boot] = &proofs[..] else { panic!("{proofs:?}") };
    let [difference] = twice.differences() else { panic!("{twice:?}") };
    assert_eq!((difference.cron, difference.punctual, difference.reason), (2, 1, Reason::MadeUpFor));
    assert_eq!(difference.at.to_string(), "2026-03-29T01:00:00Z");
    assert!(matches!(twice.verdict, Verdict::Compared { same: 120, .. }), "{twice:?}");
    assert_eq!(once.verdict, Verdict::Compared { same: 61, differences: Vec::new() });
    assert!(matches!((&some.verdict, &boot.verdict), (Verdict::Unproved(_), Verdict::Unproved(_))));
    // A schedule that means something else is found.
    let wrong = jobs_of("[jobs.x]\nschedule = \"31 2 * * *\"\ncommand = \"x\"\n", "Europe/Berlin");
    let claim = Claim { timetable: &wrong[0].timing.as_ref().unwrap().timetable, ..claims[1] };
    let proof = prove(&[claim], now(), "2026-03-03T00:00:00Z".parse().unwrap()).remove(0);
    let found: Vec<_> = proof.differences().iter().map(|d| (d.cron, d.punctual, d.reason)).collect();
    assert_eq!(
        found,
        [(1, 0, Reason::Unknown), (0, 1, Reason::Unknown), (1, 0, Reason::Unknown), (0, 1, Reason::Unknown)]
    );
}

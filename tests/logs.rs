//! Output that is followed while it is written, through attempts and steps.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod support;

use std::fs;
use std::io::Read;
use std::process::{Child, ChildStdout, Stdio};

use serde_json::Value;
use support::{Place, wait};

/// `logs -f` on its way.
struct Followed {
    child: Child,
    out: ChildStdout,
}

impl Followed {
    fn start(place: &Place, arguments: &[&str]) -> Self {
        let arguments: Vec<&str> = ["logs", "-f"].iter().chain(arguments).copied().collect();
        let mut command = place.command(&arguments);
        let mut child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        Self { child, out }
    }

    /// Reads until so many bytes have come.
    fn read(&mut self, length: usize) -> String {
        let mut text = vec![0; length];
        self.out.read_exact(&mut text).unwrap();
        String::from_utf8(text).unwrap()
    }

    /// What comes until it ends by itself: on standard output, and on standard error.
    fn rest(mut self) -> (String, String) {
        let mut text = String::new();
        self.out.read_to_string(&mut text).unwrap();
        let output = self.child.wait_with_output().unwrap();
        assert!(output.status.success());
        (text, String::from_utf8(output.stderr).unwrap())
    }
}

/// A piece of shell that waits for a file in the place's folder.
fn gate(name: &str) -> String {
    format!("until test -e {name}; do sleep 0.01; done")
}

fn open(place: &Place, name: &str) {
    fs::write(place.path(name), "").unwrap();
}

#[test]
fn attempts_that_follow_each_other_at_once_are_all_shown() {
    let command =
        format!("echo begin; {}; echo try $PUNCTUAL_ATTEMPT; test $PUNCTUAL_ATTEMPT = 4 || exit 3", gate("go"));
    let job = format!(
        "[jobs.job]\nschedule = '@start'\ncwd = '.'\nretries = 3\nretry_delay = '20ms'\ncommand = \"{command}\"\n"
    );
    let place = Place::new(&job);
    let daemon = place.start();
    place.wait_for("job", |entry| entry["state"] == "running");
    let mut followed = Followed::start(&place, &["job"]);
    assert_eq!(followed.read("begin\n".len()), "begin\n");
    open(&place, "go");
    let (rest, said) = followed.rest();
    let attempt = |number: u8| format!("── attempt {number} ──\nbegin\ntry {number}\n");
    assert_eq!(rest, format!("try 1\n{}{}{}", attempt(2), attempt(3), attempt(4)));
    assert!(said.ends_with("run 1 of job succeeded\n"), "{said}");
    // Nothing is followed where nothing goes on, and that is said.
    let (text, said) = Followed::start(&place, &["job"]).rest();
    let idle = "job does not run now, there is no more to follow; when it runs next is not known";
    assert_eq!((said, text), (format!("run 1 of job succeeded\n{idle}\n"), format!("begin\n{rest}")));
    // Whoever asks later sees all attempts as well, or as many lines as wanted, for people and for programs.
    assert_eq!(place.text(&["logs", "job"]), format!("begin\n{rest}"));
    assert_eq!(place.text(&["logs", "job", "-n", "1"]), "try 4\n");
    let pieces = |arguments: &[&str]| -> Vec<(i64, String)> {
        let text = place.text(&[&["logs", "job", "--json"], arguments].concat());
        let pieces = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
        pieces.map(|piece| (piece["attempt"].as_i64().unwrap(), piece["text"].as_str().unwrap().to_owned())).collect()
    };
    assert_eq!(pieces(&["-n", "1"]), [(4, "try 4\n".to_owned())]);
    assert_eq!(pieces(&["-n", "0"]), []);
    let attempts: std::collections::BTreeSet<i64> = pieces(&[]).into_iter().map(|(attempt, _)| attempt).collect();
    assert_eq!(attempts.into_iter().collect::<Vec<_>>(), [1, 2, 3, 4]);
    // A step that is none is refused.
    let output = place.run(&["logs", "job", "--step", "x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stderr).unwrap().contains("run 1 of job has no steps"));
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_run_between_two_attempts_is_followed_on() {
    let command = "echo try $PUNCTUAL_ATTEMPT; test $PUNCTUAL_ATTEMPT = 2 || exit 3";
    let job = format!("[jobs.job]\nschedule = '@start'\nretries = 1\nretry_delay = '2s'\ncommand = '{command}'\n");
    let place = Place::new(&job);
    let daemon = place.start();
    place.wait_for("job", |entry| entry["state"] == "waiting");
    assert_eq!(place.text(&["logs", "job"]), "try 1\n");
    let mut followed = Followed::start(&place, &["job", "-n", "0"]);
    assert_eq!(followed.read("── attempt 2 ──\n".len()), "── attempt 2 ──\n");
    let (rest, said) = followed.rest();
    assert_eq!(rest, "try 2\n");
    let waits = "run 1 waits for attempt 2, because attempt 1 failed: exit status 3\nrun 1 of job succeeded\n";
    assert_eq!(said, waits);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn steps_have_their_names_and_their_order_in_time() {
    let job = format!(
        "[jobs.job]\nschedule = '@start'\ncwd = '.'\nsteps.one = {{ command = \"echo a; {}; echo c\" }}\n\
         steps.two = {{ command = \"{}; echo b\" }}\n",
        gate("three"),
        gate("two"),
    );
    let place = Place::new(&job);
    let daemon = place.start();
    place.wait_for("job", |entry| entry["state"] == "running");
    let mut followed = Followed::start(&place, &["job"]);
    let of_two = Followed::start(&place, &["job", "--step", "two"]);
    for (gate, text) in [("one", "── one ──\na\n"), ("two", "── two ──\nb\n")] {
        open(&place, gate);
        assert_eq!(followed.read(text.len()), text);
    }
    open(&place, "three");
    assert_eq!(followed.rest().0, "── one ──\nc\n");
    assert_eq!(of_two.rest().0, "── two ──\nb\n");
    for (wrong, said) in [("twp", "there are one, two; did you mean two?"), ("", "there is no step `` in run 1")] {
        let output = place.run(&["logs", "job", "--step", wrong]);
        assert_eq!(output.status.code(), Some(1), "{wrong}");
        assert!(String::from_utf8(output.stderr).unwrap().contains(said), "{wrong}");
    }
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn no_character_is_cut_where_pieces_meet() {
    let command = format!("printf 'a\\342\\202'; {}; printf '\\254b\\342\\202'", gate("go"));
    let job = format!("[jobs.job]\nschedule = '@start'\ncwd = '.'\ncommand = '''{command}'''\n");
    let place = Place::new(&job);
    let daemon = place.start();
    // Its first half is in the ledger as a piece of its own.
    wait("the first half", || (place.run(&["logs", "job", "--raw"]).stdout == b"a\xe2\x82").then_some(()));
    let mut text = Followed::start(&place, &["job"]);
    let mut json = Followed::start(&place, &["job", "--json"]);
    assert_eq!(text.read(1), "a");
    let piece = "{\"run\":1,\"attempt\":1,\"stream\":\"stdout\",\"at\":\"";
    assert_eq!(json.read(piece.len()), piece);
    open(&place, "go");
    // What never was a character is shown as it is.
    assert_eq!(text.rest().0, "€b\\xe2\\x82\n");
    let lines = format!("{piece}{}", json.rest().0);
    let texts = |lines: &str| -> Vec<String> {
        let text = |line: &str| serde_json::from_str::<Value>(line).unwrap()["text"].as_str().unwrap().to_owned();
        lines.lines().map(text).collect()
    };
    assert_eq!(texts(&lines), ["a", "€b", "\u{fffd}"]);
    assert_eq!(texts(&place.text(&["logs", "job", "--json"])), ["a", "€b", "\u{fffd}"]);
    assert_eq!(daemon.stop(), Some(0));
}

#[test]
fn a_reader_that_goes_away_ends_it() {
    let place = Place::new("[jobs.job]\nschedule = '@start'\ncommand = 'while :; do echo tick; sleep 0.05; done'\n");
    let daemon = place.start();
    place.wait_for("job", |entry| entry["state"] == "running");
    let mut followed = Followed::start(&place, &["job"]);
    assert_eq!(followed.read(5), "tick\n");
    drop(followed.out);
    assert!(wait("its end", || followed.child.try_wait().unwrap()).success());
    daemon.signal("TERM");
    daemon.stop();
}

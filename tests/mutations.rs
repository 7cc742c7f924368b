//! Job files that are spoilt in hundreds of ways: each is read to its end in bounded time, with a place and a message for
//! whatever is wrong, and none of them costs a running daemon a timer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::disallowed_methods)]

mod bundled;
mod support;

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use bundled::Bundled;
use punctual::jobfile::{Checked, Diagnostic, Draft, Lines};
use serde_json::Value;
use support::Place;

const RICH: &str = include_str!("data/rich.toml");
/// What threads of the daemon have.
const STACK: usize = 2 << 20;
/// Large files are large enough without optimization, where each byte takes ten times as long.
const FOLD: usize = if cfg!(debug_assertions) { 1 } else { 10 };
/// For a small file, on a busy machine, without optimization.
const BOUND: Duration = Duration::from_secs(5);

fn sources() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut paths: Vec<_> = fs::read_dir(root.join("examples")).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "toml"));
    paths.sort();
    let examples = paths.iter().map(|path| fs::read_to_string(path).unwrap());
    [RICH.to_owned(), fs::read_to_string(root.join("jobs.toml")).unwrap()].into_iter().chain(examples).collect()
}

/// The same numbers each time.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % bound.max(1)
    }
}

/// A boundary of characters at or before a byte.
fn boundary(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at.min(text.len()))
}

/// Half of a file that is being written.
fn truncated(text: &str, count: usize) -> impl Iterator<Item = String> {
    (1..=count).map(move |part| text[..boundary(text, text.len() * part / (count + 1))].to_owned())
}

/// A value of another kind at each key in turn.
fn wrong_kinds(text: &str) -> Vec<String> {
    const VALUES: [&str; 8] = ["5", "true", "\"x\"", "[]", "{}", "2026-01-01", "-1.5", "[{ x = [1] }]"];
    let lines: Vec<&str> = text.lines().collect();
    let of_line = |(at, line): (usize, &&str)| {
        let (key, _) = line.split_once('=').filter(|_| !line.starts_with(['#', '[']))?;
        let spoilt = format!("{key}= {}", VALUES[at % VALUES.len()]);
        Some([&lines[..at], &[spoilt.as_str()], &lines[at + 1..]].concat().join("\n"))
    };
    lines.iter().enumerate().filter_map(of_line).collect()
}

/// A stroke of the hand: something typed, deleted, doubled or moved.
fn slips(text: &str, chance: &mut Chance, count: usize) -> Vec<String> {
    const TYPED: [&str; 18] = [
        "\"", "'", "[", "]", "{", "}", "=", ".", "#", "\\", "\0", "\u{1}", "\r", "\t", "\u{feff}", "é", "\"\"\"", "\n",
    ];
    let slip = |chance: &mut Chance| {
        let at = boundary(text, chance.below(text.len()));
        let next = text[at..].chars().next().map_or(at, |c| at + c.len_utf8());
        let mut lines: Vec<&str> = text.lines().collect();
        let line = chance.below(lines.len());
        match chance.below(5) {
            0 => format!("{}{}{}", &text[..at], TYPED[chance.below(TYPED.len())], &text[at..]),
            1 => format!("{}{}", &text[..at], &text[next..]),
            2 => {
                lines.insert(line, lines[line]);
                lines.join("\n")
            }
            3 => {
                lines.remove(line);
                lines.join("\n")
            }
            _ => {
                let other = chance.below(lines.len());
                lines.swap(line, other);
                lines.join("\n")
            }
        }
    };
    (0..count).map(|_| slip(chance)).collect()
}

/// Files as other editors and systems leave them.
fn dressed(text: &str) -> Vec<String> {
    vec![
        text.replace('\n', "\r\n"),
        text.replace('\n', "\r"),
        format!("\u{feff}{text}"),
        format!("\u{feff}{}", text.replace('\n', "\r\n")),
        text.replace("    ", "\t").replace(" = ", "\t=\t"),
        text.replace('"', "“"),
        text.replace('"', ""),
        text.replace(" = ", ": "),
        format!("{text}{text}"),
        format!("{text}\0"),
        text.replace("jobs.", "job."),
        text.replace("[jobs.", "[[jobs.").replace("]\n", "]]\n"),
    ]
}

/// Deeper than any stack.
fn deep() -> Vec<(&'static str, String)> {
    const DEPTH: usize = 100_000;
    let mixed = format!("{{{}a = ", "a.".repeat(78));
    vec![
        ("brackets that are never closed", "[".repeat(DEPTH)),
        ("lists that are never closed", format!("a = {}", "[".repeat(DEPTH))),
        ("lists", format!("a = {}{}", "[".repeat(DEPTH), "]".repeat(DEPTH))),
        ("tables that are never closed", format!("a = {}", "{a = ".repeat(DEPTH))),
        ("tables", format!("a = {}1{}", "{a = ".repeat(DEPTH), "}".repeat(DEPTH))),
        ("a header", format!("# x\n[{}a]\nb = 1", "a.".repeat(DEPTH))),
        ("a dotted key", format!("{}a = 1", "a.".repeat(DEPTH))),
        ("tables of dotted keys", format!("[jobs.a]\nhttp = {}1{}", mixed.repeat(79), "}".repeat(79))),
        (
            "below expect_json",
            format!(
                "[jobs.a.http]\nurl = 'https://a.example'\n[jobs.a.http.expect_json.{}a]\nb = {}1{}",
                "a.".repeat(70),
                "[".repeat(75),
                "]".repeat(75)
            ),
        ),
    ]
}

fn read(text: &str) -> Checked {
    let now = "2026-11-23T00:00:00Z".parse().unwrap();
    let mut checked = Draft::parse(Path::new("/etc/punctual/jobs.toml"), text.to_owned()).check(&Bundled, "UTC", now);
    checked.warn_of_traps(now);
    checked
}

/// Whatever is said has words, and a place that is in the file.
#[track_caller]
fn check_said(what: &str, checked: &Checked) {
    let text = &checked.source.text;
    let lines = Lines::of(text);
    let is_place = |said: &Diagnostic| {
        let place = lines.position(said.span.start);
        let line = lines.line(place.line);
        text.get(said.span.clone()).is_some()
            && (1..=lines.count()).contains(&place.line)
            && place.column <= text[line].chars().count() + 1
            && lines.end_column(&said.span) > place.column
    };
    for said in checked.said.errors.iter().chain(&checked.said.warnings) {
        assert!(!said.message.trim().is_empty() && !said.message.contains('\n'), "{what}: {said:?}");
        assert!(is_place(said), "{what}: {said:?}");
        let related = said.related.iter().all(|(span, _)| text.get(span.clone()).is_some());
        assert!(related && said.help.as_ref().is_none_or(|help| !help.is_empty()), "{what}: {said:?}");
    }
}

/// On a stack like that of the daemon's threads.
fn on_a_small_stack<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> T {
    std::thread::Builder::new().stack_size(STACK).spawn(work).unwrap().join().unwrap()
}

#[test]
fn spoilt_files_are_read_to_their_ends() {
    let (count, wrong) = on_a_small_stack(|| {
        let mut chance = Chance(6);
        let (mut count, mut wrong) = (0, 0);
        for source in sources() {
            let is_rich = source == RICH;
            let mut spoilt: Vec<String> = truncated(&source, if is_rich { 60 } else { 6 }).collect();
            spoilt.extend(slips(&source, &mut chance, if is_rich { 120 } else { 12 }));
            spoilt.extend(dressed(&source));
            if is_rich {
                spoilt.extend(wrong_kinds(&source));
            }
            for (at, text) in spoilt.iter().enumerate() {
                let begin = Instant::now();
                let checked = read(text);
                check_said(&format!("number {at} of\n{text}"), &checked);
                assert!(begin.elapsed() < BOUND, "{:?} for\n{text}", begin.elapsed());
                wrong += usize::from(!checked.is_right());
                count += 1;
            }
        }
        (count, wrong)
    });
    assert!(count > 500 && wrong > count / 2, "{wrong} of {count} are wrong");
}

#[test]
fn nothing_is_too_deep() {
    for (what, text) in deep() {
        let begin = Instant::now();
        let checked = on_a_small_stack(move || read(&text));
        check_said(what, &checked);
        assert!(!checked.is_right() && begin.elapsed() < BOUND, "{what}: {:?}", begin.elapsed());
    }
}

#[test]
fn nothing_is_too_large() {
    let megabytes = "x".repeat(FOLD * 500_000);
    let jobs = |count: usize, job: fn(usize) -> String| (0..count).map(job).collect::<String>();
    for (what, is_right, text) in [
        ("a long text", true, format!("[jobs.a]\ncommand = '{megabytes}'\n")),
        ("a long word", false, megabytes.clone()),
        ("a long name", false, format!("[jobs.{megabytes}]\ncommand = 'x'\n")),
        ("a long value", false, format!("[jobs.a]\ncommand = {megabytes}\n")),
        (
            "very many jobs",
            true,
            jobs(FOLD * 10_000, |at| format!("[jobs.j{at}]\nschedule = '@daily'\ncommand = 'x'\n")),
        ),
        ("many jobs of one name", false, jobs(FOLD * 2_000, |_| "[jobs.a]\ncommand = 'x'\n".to_owned())),
        ("many lines that are none", false, "timeout = 30s\n= 3\n".repeat(FOLD * 5_000)),
        (
            "jobs after jobs that are not",
            false,
            jobs(FOLD * 2_000, |at| format!("[jobs.job{at}]\ncommand = 'x'\nafter = 'jbo{at}'\n")),
        ),
        (
            "zones that are not",
            false,
            jobs(FOLD * 1_000, |at| format!("[jobs.j{at}]\ncommand = 'x'\ntimezone = 'Europe/Berlin{at}'\n")),
        ),
    ] {
        let begin = Instant::now();
        let checked = on_a_small_stack(move || read(&text));
        let took = begin.elapsed();
        assert_eq!(checked.is_right(), is_right, "{what}: {:?}", checked.said.errors.first());
        let first = Diagnostic { span: 0..0, ..checked.said.errors.first().cloned().unwrap_or_else(nothing) };
        assert!(!first.message.is_empty() && took < 4 * BOUND, "{what}: {took:?}");
    }
}

fn nothing() -> Diagnostic {
    read("x = 1").said.errors[0].clone()
}

#[test]
fn the_program_shows_each_with_its_place() {
    let place = Place::new("");
    let latin = b"[jobs.a]\ncommand = \"gr\xfc\xdfe\"\n".to_vec();
    let files: Vec<Vec<u8>> = deep()
        .into_iter()
        .map(|(_, text)| text.into_bytes())
        .chain([latin, vec![0; 4096], b"\xff\xfe[\0j\0".to_vec(), "password = hunter2\n".repeat(3000).into_bytes()])
        .collect();
    for file in files {
        fs::write(place.path("jobs.toml"), &file).unwrap();
        let output = place.run(&["check"]);
        let shown = String::from_utf8(output.stdout).unwrap();
        assert_eq!(output.status.code(), Some(1), "{shown}{}", String::from_utf8_lossy(&output.stderr));
        assert!(shown.starts_with("error: ") && shown.contains("jobs.toml:"), "{shown}");
        assert!(shown.len() < 200_000 && !shown.contains("hunter2"), "{} bytes", shown.len());
        let report: Value = serde_json::from_slice(&place.run(&["check", "--json"]).stdout).unwrap();
        let lines = file.split(|byte| *byte == b'\n').count() as u64;
        for error in report["errors"].as_array().unwrap() {
            let line = error["line"].as_u64().unwrap();
            assert!((1..=lines).contains(&line) && error["end_column"].as_u64() > error["column"].as_u64(), "{error}");
        }
    }
    assert!(place.text(&["check", "--help"]).contains("standard input"));
}

/// What the daemon is going to do next, job by job.
fn timers(place: &Place) -> Vec<(Value, Value)> {
    let status = place.json(&["status"]);
    status["jobs"].as_array().unwrap().iter().map(|job| (job["job"].clone(), job["next"].clone())).collect()
}

#[test]
fn a_daemon_loses_no_timer_by_a_wrong_file() {
    let right = "[jobs.a]\nschedule = 'every 400d'\ncommand = 'true'\n[jobs.b]\nschedule = '0 0 29 2 *'\ntimezone = 'UTC'\ncommand = 'true'\n\
                 [jobs.c]\nschedule = 'at 2099-01-01T00:00:00Z'\ncommand = 'true'\n";
    let place = Place::new(right);
    let daemon = place.start();
    let before = timers(&place);
    assert_eq!(before.len(), 3);
    let mut spoilt: Vec<Vec<u8>> = deep().into_iter().map(|(_, text)| text.into_bytes()).collect();
    spoilt.extend(truncated(right, 12).filter(|text| !read(text).is_right()).map(String::into_bytes));
    spoilt.extend(wrong_kinds(right).into_iter().filter(|text| !read(text).is_right()).map(String::into_bytes));
    spoilt.push(b"\xff\xfe".to_vec());
    spoilt.push(format!("{right}{right}").into_bytes());
    assert!(spoilt.len() >= 20, "{}", spoilt.len());
    for (at, file) in spoilt.iter().enumerate() {
        fs::write(place.path("jobs.toml"), file).unwrap();
        let output = place.run(&["reload"]);
        assert_eq!(output.status.code(), Some(1), "number {at}: {}", String::from_utf8_lossy(&output.stderr));
    }
    place.write_jobs(right);
    assert_eq!(timers(&place), before, "nothing was lost on the way");
    assert_eq!(daemon.stop(), Some(0));
    assert_eq!(place.history(), Vec::<Value>::new());
}

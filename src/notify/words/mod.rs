//! Which words does a message have? A subject, a text, the same in HTML, and a short form, all by templates.

mod clean;
mod digest;
mod samples;
mod templates;
mod title;
mod told;

use jiff::tz::TimeZone;
use serde::Serialize;

pub use clean::cut;
pub use templates::{Part, Templates, TemplatesError, Wrong};
pub use title::Mood;

use self::clean::one_line;
use self::digest::Digest;
use self::samples::samples;
use self::told::{Clocks, Told, told};
use super::Written;
use crate::report::{MessageReport, NoticeReport, visible};

/// A subject is shown in a line, and phones show half of it.
const LONGEST_SUBJECT: usize = 160;
/// So many notices of a message are told in full, and so many more in a line each.
const IN_FULL: usize = 10;
const IN_LINES: usize = 100;

/// What templates see.
#[derive(Debug, Serialize)]
struct Seen<'r> {
    host: String,
    channel: &'r str,
    /// What happened, in a few words.
    title: String,
    mood: &'static str,
    at: String,
    /// By whose clocks times are told.
    zone: String,
    shared_cause: Option<String>,
    notices: Vec<Told>,
    /// The titles of those that are not told in full.
    others: Vec<String>,
    /// How many there are beyond these.
    more: usize,
    digest: Option<Digest>,
    /// How punctual is called so that it finds this daemon.
    called: String,
    /// Of the other parts; empty in the subject's own template.
    subject: String,
    /// All of it as a webhook gets it.
    report: &'r MessageReport,
}

/// The words of a message, by the clocks of `zone`. Whatever the report and the templates have in them, there are words.
pub fn write(report: &MessageReport, templates: &Templates, zone: &TimeZone) -> Written {
    let mut seen = seen(report, zone);
    let mut wrong: Vec<Wrong> = Vec::new();
    let mut fill_in = |part: Part, seen: &Seen| {
        let (text, trouble) = templates.fill_in(part, seen);
        wrong.extend(trouble);
        text
    };
    let subject = subject_of(&fill_in(Part::Subject, &seen), &seen);
    seen.subject.clone_from(&subject);
    let html = visible(&fill_in(Part::Html, &seen));
    let short = ended(&fill_in(Part::Short, &seen));
    let mut text = ended(&fill_in(Part::Text, &seen));
    if text.is_empty() {
        text = format!("{subject}\n");
    }
    for wrong in wrong {
        let wrong = one_line(&wrong.to_string());
        text = format!("{text}\nA template was wrong, and the built-in one was used: {wrong}\n");
    }
    Written { subject, text, html, short: short.trim_end().to_owned() }
}

fn seen<'r>(report: &'r MessageReport, zone: &TimeZone) -> Seen<'r> {
    let clocks = Clocks { zone, now: report.now.0 };
    // What has a form of its own is told by it.
    let notices = if report.digest.is_some() { &[][..] } else { &report.notices };
    let (in_full, rest) = parted(notices, report.shared_cause.as_deref());
    let (in_lines, more) = rest.split_at(rest.len().min(IN_LINES));
    Seen {
        host: one_line(&report.host),
        channel: report.channel.as_str(),
        title: title::title(report),
        mood: Mood::of_all(report).word(),
        at: clocks.time(report.at),
        zone: zone_name(zone, report),
        shared_cause: report.shared_cause.as_deref().map(one_line),
        notices: in_full.into_iter().map(|notice| told(notice, report, &clocks)).collect(),
        others: in_lines.iter().map(|notice| in_a_line(notice, report)).collect(),
        more: more.len(),
        digest: report.digest.as_ref().map(|digest| self::digest::digest(digest, &report.called, &clocks)),
        called: one_line(&report.called),
        subject: String::new(),
        report,
    }
}

/// Those that are told in full, and the others. Of those with the common cause, one speaks for all.
fn parted<'r>(notices: &'r [NoticeReport], cause: Option<&str>) -> (Vec<&'r NoticeReport>, Vec<&'r NoticeReport>) {
    let mut is_told = false;
    let (mut in_full, mut others) = (Vec::new(), Vec::new());
    for notice in notices {
        let is_same = cause == Some(notice.why.as_str());
        if in_full.len() < IN_FULL && !(is_same && is_told) {
            in_full.push(notice);
            is_told |= is_same;
        } else {
            others.push(notice);
        }
    }
    others.sort_by_key(|notice| notice.job.as_deref().map(in_order));
    (in_full, others)
}

/// A name as people put names in order: by its numbers where it has some.
fn in_order(name: &str) -> Vec<(String, u64)> {
    let mut parts: Vec<(String, u64)> = vec![(String::new(), 0)];
    let mut is_number = false;
    for character in name.chars() {
        let digit = character.to_digit(10);
        if is_number && digit.is_none() {
            parts.push((String::new(), 0));
        }
        is_number = digit.is_some();
        if let Some((text, number)) = parts.last_mut() {
            match digit {
                Some(digit) => *number = number.saturating_mul(10).saturating_add(digit.into()),
                None => text.push(character),
            }
        }
    }
    parts
}

/// What is wrong with templates, each with the message on which it was found: they are tried on some of all sorts.
pub fn tried(templates: &Templates) -> Vec<(Wrong, &'static str)> {
    let mut wrong: Vec<(Wrong, &'static str)> = Vec::new();
    for (what, sample) in samples() {
        let mut seen = seen(&sample, &TimeZone::UTC);
        seen.subject.clone_from(&seen.title);
        let found = Part::ALL.into_iter().filter_map(|part| templates.fill_in(part, &seen).1);
        let is_new = |found: &Wrong| wrong.iter().all(|(known, _)| known.file != found.file);
        let found: Vec<Wrong> = found.filter(is_new).collect();
        wrong.extend(found.into_iter().map(|found| (found, what)));
    }
    wrong
}

/// What has the common cause does not say it again.
fn in_a_line(notice: &NoticeReport, report: &MessageReport) -> String {
    if report.shared_cause.as_ref() == Some(&notice.why) {
        return title::of_one(&NoticeReport { why: String::new(), ..notice.clone() }, report);
    }
    title::of_one(notice, report)
}

fn zone_name(zone: &TimeZone, report: &MessageReport) -> String {
    match zone.iana_name() {
        Some(name) => name.to_owned(),
        None => report.at.0.to_zoned(zone.clone()).strftime("%Z").to_string(),
    }
}

/// One line, whatever the template makes; never none.
fn subject_of(filled: &str, seen: &Seen) -> String {
    let subject = one_line(filled);
    let subject = if subject.is_empty() { format!("[punctual] {}: {}", seen.host, seen.title) } else { subject };
    cut(&subject, LONGEST_SUBJECT)
}

/// With one line break at its end, and nothing that steers a terminal.
fn ended(text: &str) -> String {
    let text = visible(&text.replace("\r\n", "\n"));
    let text = text.trim_matches('\n');
    if text.is_empty() { String::new() } else { format!("{text}\n") }
}

//! What would these jobs be for cron?
//!
//! A job gets a line where a line starts it at the same instants. What cron has no like of stands in a comment above it;
//! where the instants themselves cannot be had, or the command, the whole job is a comment that says why.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use super::crontab::{assigned, line_of};
use super::name::name_of_title;
use super::quote::{in_comment, shell_word};
use crate::job::{
    Act, Carrier, CarrierKind, Channel, CommandLine, Job, Overlap, Surroundings, Task, Tell, Timing, Work,
};
use crate::schedule::{Moment, Schedule, Transition, parse_duration};

/// How lines are written.
#[derive(Debug, Clone, Copy)]
pub struct Style<'s> {
    /// With the user before the command.
    pub with_user: bool,
    /// The zone of the machine, in which cron works unless it is told otherwise.
    pub zone: &'s str,
    pub now: Timestamp,
    /// The cron that reads them honours `CRON_TZ`.
    pub cron_tz: bool,
}

/// A crontab, and the jobs for which it has no line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Exported {
    pub text: String,
    pub lost: Vec<(String, String)>,
}

/// Debian's cron reads no more of a command.
const LONGEST_COMMAND: usize = 998;
/// Variables that mean something to cron itself, and are set within the command.
const CRONS_OWN: [&str; 9] =
    ["SHELL", "HOME", "MAILTO", "MAILFROM", "CRON_TZ", "TZ", "LOGNAME", "USER", "RANDOM_DELAY"];

const HEAD: &str = "\
# Cron starts a job while its last run goes on, forgets what it missed, and keeps nothing of a run but a mail.\n";

/// Why a job has no line.
type Lost = String;

/// Lines for the jobs, in their order.
pub fn export_crontab(jobs: &[&Job], style: Style) -> Exported {
    let mut exported = Exported { text: HEAD.to_owned(), lost: Vec::new() };
    let mut holding = Holding {
        shell: "/bin/sh".to_owned(),
        zone: style.zone.to_owned(),
        env: Vec::new(),
        // Where nobody says anything cron mails the owner of the table.
        mail_to: jobs.iter().all(|job| mail_to(job).is_empty()).then(String::new),
    };
    for (at, job) in jobs.iter().enumerate() {
        exported.text.push('\n');
        let set = shared_variables(&jobs[at..], &holding);
        let title = title(job);
        match lines(job, style, &[holding.env.as_slice(), &set].concat()) {
            Ok(lines) => {
                for (name, value) in set {
                    exported.text.push_str(&assigned(&name, &value).unwrap_or_default());
                    exported.text.push('\n');
                    holding.env.push((name, value));
                }
                lines.push_to(&title, &mut exported.text, &mut holding);
            }
            Err(why) => {
                let _ = write!(exported.text, "# {title}\n# no line: {}\n", in_comment(&why));
                exported.lost.push((job.name.to_string(), why));
            }
        }
    }
    exported
}

/// The comment above a job, by which an import would call it again.
fn title(job: &Job) -> String {
    match job.description.as_deref() {
        Some(text) if name_of_title(text).as_deref() == Some(job.name.as_str()) => in_comment(text),
        Some(text) => format!("{}: {}", job.name, in_comment(text)),
        None => job.name.to_string(),
    }
}

/// What was set above, and holds from there on.
struct Holding {
    shell: String,
    zone: String,
    env: Vec<(String, String)>,
    /// Who is mailed what jobs write; `None`: nothing was said yet.
    mail_to: Option<String>,
}

/// Whom a job mails what it writes.
fn mail_to(job: &Job) -> String {
    let channels = job.telling.channels.iter().filter(|channel| channel.tell.contains(&Tell::Output));
    let of_channel = |channel: &Arc<Channel>| match channel.carrier(CarrierKind::Mail) {
        Some(Carrier::Mail(to)) => to.iter().map(|address| address.mailbox().email.to_string()).collect(),
        Some(Carrier::Webhook(_) | Carrier::Command(_)) | None => Vec::new(),
    };
    let to: BTreeSet<String> = channels.flat_map(of_channel).collect();
    to.into_iter().collect::<Vec<_>>().join(",")
}

/// What is written for a job.
struct Written {
    notes: Vec<String>,
    zone: String,
    shell: Option<String>,
    mail_to: String,
    lines: Vec<String>,
    is_disabled: bool,
}

impl Written {
    fn push_to(self, title: &str, text: &mut String, holding: &mut Holding) {
        if !self.is_disabled {
            if self.zone != holding.zone {
                let _ = writeln!(text, "CRON_TZ={}", self.zone);
                holding.zone = self.zone;
            }
            if let Some(shell) = self.shell.filter(|shell| *shell != holding.shell) {
                let _ = writeln!(text, "SHELL={shell}");
                holding.shell = shell;
            }
            if holding.mail_to.as_ref() != Some(&self.mail_to) {
                let line = assigned("MAILTO", &self.mail_to).unwrap_or_default();
                let _ = writeln!(text, "{line}");
                holding.mail_to = Some(self.mail_to);
            }
        }
        let _ = writeln!(text, "# {title}");
        if !self.notes.is_empty() {
            let _ = writeln!(text, "# not in cron: {}", in_comment(&self.notes.join("; ")));
        }
        if self.is_disabled {
            text.push_str("# disabled:\n");
        }
        for line in self.lines {
            let _ = writeln!(text, "{}{line}", if self.is_disabled { "#" } else { "" });
        }
    }
}

/// Variables that all of the jobs from here on have with the same value, and that are not yet set.
fn shared_variables(jobs: &[&Job], holding: &Holding) -> Vec<(String, String)> {
    let mut works = jobs.iter().filter_map(|job| command_of(job).ok().map(|(work, _)| work));
    let Some(first) = works.next() else {
        return Vec::new();
    };
    let rest: Vec<&Work> = works.collect();
    let is_shared = |variable: &&(String, String)| {
        let fits = !CRONS_OWN.contains(&variable.0.as_str()) && assigned(&variable.0, &variable.1).is_some();
        fits && !holding.env.contains(variable) && rest.iter().all(|work| work.env.contains(variable))
    };
    first.env.iter().filter(is_shared).cloned().collect()
}

fn command_of(job: &Job) -> Result<(&Work, &CommandLine), Lost> {
    let work = match &job.task {
        Task::Work(work) => work,
        Task::Steps(_) => return Err("it has steps".to_owned()),
    };
    match &work.act {
        Act::Command(line) => Ok((work, line)),
        Act::Http(_) => Err("it is an http task".to_owned()),
        Act::Sql(_) => Err("it is an sql task".to_owned()),
        Act::Mail(_) => Err("it is a mail task".to_owned()),
    }
}

fn lines(job: &Job, style: Style, shared: &[(String, String)]) -> Result<Written, Lost> {
    let (work, line) = command_of(job)?;
    let timing = job.timing.as_ref().ok_or_else(|| {
        let why = if job.rules.after.is_empty() { "it has no schedule" } else { "it runs after other jobs" };
        why.to_owned()
    })?;
    let patterns = patterns(timing, style.now)?;
    let mut notes = notes(job, work, timing, style.now);
    let (shell, text) = command(line, work, shared)?;
    let rest = line_of(&text, &work.stdin).ok_or_else(|| {
        if text.contains('\n') {
            "its command has several lines; put it into a file".to_owned()
        } else {
            "its standard input does not end with a line end, as cron's does".to_owned()
        }
    })?;
    if rest.len() > LONGEST_COMMAND {
        return Err(format!("cron reads {LONGEST_COMMAND} bytes of a command at the most; put it into a file"));
    }
    let user = work.standing.user.as_deref();
    if let (false, Some(user)) = (style.with_user, user) {
        notes.push(format!("user {user}: the line belongs into that user's crontab"));
    }
    let user = if style.with_user { format!("{} ", user.unwrap_or("root")) } else { String::new() };
    let zone = timing.written.zone.clone();
    if zone != style.zone && !style.cron_tz {
        return Err(format!(
            "it goes by the clocks of {zone}, and Debian's cron by the machine's; with --cron-tz it has a line for cronie"
        ));
    }
    if zone != style.zone {
        notes.push("only cronie and the BSDs honour CRON_TZ, Debian's cron ignores it".to_owned());
    }
    let lines = patterns.into_iter().map(|pattern| format!("{pattern} {user}{rest}")).collect();
    Ok(Written { notes, zone, shell, mail_to: mail_to(job), lines, is_disabled: !job.enabled })
}

/// What stands before a command of cron.
fn patterns(timing: &Timing, now: Timestamp) -> Result<Vec<String>, Lost> {
    let written = &timing.written;
    if written.not_before.is_some() || written.not_after.is_some() {
        return Err("cron has no not_before and not_after".to_owned());
    }
    if !written.not_on.is_empty() {
        return Err("cron has no calendars".to_owned());
    }
    timing.schedules().iter().map(|schedule| pattern(schedule, timing, now)).collect()
}

fn pattern(schedule: &Schedule, timing: &Timing, now: Timestamp) -> Result<String, Lost> {
    let text = schedule.text().trim();
    let lost = |why: &str| Err(format!("`{text}`: {why}"));
    match schedule.moment() {
        Some(Moment::Reboot) => return Ok("@reboot".to_owned()),
        Some(Moment::Start) => return lost("cron does nothing when it starts"),
        None => {}
    }
    if schedule.after_end().is_some() {
        return lost("cron does not know when a job ends");
    }
    let Some(plain) = schedule.chore_pattern() else {
        let interval = text.strip_prefix("every").and_then(|length| parse_duration(length).ok());
        return match interval.map(|interval| even(interval.as_secs(), interval.subsec_nanos(), timing, now)) {
            Some(Some(pattern)) => Ok(pattern),
            Some(None) => lost("cron begins anew with each hour or day, and knows no seconds"),
            None => lost("cron has no single instants"),
        };
    };
    if text.starts_with('@') {
        return Ok(text.to_owned());
    }
    let fields: Vec<&str> = plain.split(' ').collect();
    let [second, minute, hour, day, month, weekday] = fields[..] else {
        return lost("cron has no years");
    };
    if second != "0" {
        return lost("cron has no seconds");
    }
    if [day, weekday].iter().any(|field| field.contains(['L', 'W', '#'])) {
        return lost("cron has no `L`, `W` and `#`");
    }
    let both = weekday.starts_with('+');
    let weekday = weekday.trim_start_matches('+');
    let is_free = |field: &str| field == "*";
    let (mut day, mut weekday) = (day.to_owned(), weekday.to_owned());
    if !is_free(&day) && !is_free(&weekday) {
        let is_starred = day.starts_with('*') || weekday.starts_with('*');
        if both && !is_starred {
            return lost("in cron either of these day fields matches, here both must");
        }
        if !both {
            // Of fields that begin with a star cron wants both to match.
            day = day.replacen('*', "1-31", 1);
            weekday = weekday.replacen('*', "0-6", 1);
        }
    }
    Ok(format!("{minute} {hour} {day} {month} {weekday}"))
}

/// An interval as a pattern, where the hour or the day is a multiple of it and the zone's clock shows so.
fn even(seconds: u64, rest: u32, timing: &Timing, now: Timestamp) -> Option<String> {
    const HORIZON: SignedDuration = SignedDuration::from_hours(24 * 366 * 2);
    let zone = &timing.timetable.place.zone;
    let until = now.checked_add(HORIZON).ok()?;
    let changes = Transition::between(zone, now, until);
    let mut offsets = vec![zone.to_offset(now)];
    offsets.extend(changes.iter().map(|change| change.after));
    let minutes =
        i32::try_from(seconds / 60).ok().filter(|_| rest == 0 && seconds.is_multiple_of(60) && seconds > 0)?;
    let fits = offsets.iter().all(|offset| offset.seconds() % (minutes * 60) == 0);
    match minutes {
        1 => Some("* * * * *".to_owned()),
        60 if fits => Some("0 * * * *".to_owned()),
        _ if fits && minutes < 60 && 60 % minutes == 0 => Some(format!("*/{minutes} * * * *")),
        // Hours of a day are even only where no day is longer than another.
        1440 if fits && changes.is_empty() => Some("0 0 * * *".to_owned()),
        _ if fits && changes.is_empty() && minutes % 60 == 0 && 1440 % minutes == 0 => {
            Some(format!("0 */{} * * *", minutes / 60))
        }
        _ => None,
    }
}

/// What a line does not say.
fn notes(job: &Job, work: &Work, timing: &Timing, now: Timestamp) -> Vec<String> {
    let mut notes = Vec::new();
    let rules = &job.rules;
    match rules.overlap {
        Overlap::Allow | Overlap::Skip => {}
        Overlap::Queue { .. } | Overlap::Replace => notes.push(format!("overlap {}", rules.overlap.word())),
    }
    if let Some(timeout) = work.timeout {
        notes.push(format!("timeout {} s", timeout.as_secs_f64()));
    }
    if rules.retries.most > 0 {
        notes.push(format!("retries {}", rules.retries.most));
    }
    if !rules.pools.is_empty() {
        notes.push(format!("pool {}", rules.pools.join(", ")));
    }
    if let Some(jitter) = job.jitter {
        notes.push(format!("jitter {} s", jitter.within().as_secs_f64()));
    }
    let year = now.checked_add(SignedDuration::from_hours(24 * 366)).unwrap_or(now);
    let is_moved = timing.written.dst_gap.is_some() || timing.written.dst_fold.is_some();
    if is_moved && !Transition::between(&timing.timetable.place.zone, now, year).is_empty() {
        notes.push("dst_gap and dst_fold: cron has rules of its own when the clocks are changed".to_owned());
    }
    let standing = &work.standing;
    let limits = &standing.limits;
    let bounded = limits.memory.is_some() || limits.cpu.is_some() || limits.processes.is_some();
    for (is_said, what) in [
        (bounded || limits.open_files.is_some(), "limits"),
        (standing.group.is_some(), "group"),
        (standing.nice.is_some(), "nice"),
        (!work.env_files.is_empty(), "env_file"),
        (work.fail_on_output.is_some(), "fail_on_output"),
        (work.success_codes != [0], "success_codes"),
    ] {
        if is_said {
            notes.push(what.to_owned());
        }
    }
    notes
}

/// The shell that cron is to use, if it matters, and the text for it.
fn command(
    line: &CommandLine,
    surroundings: &Surroundings,
    shared: &[(String, String)],
) -> Result<(Option<String>, String), Lost> {
    let plain = || Some("/bin/sh".to_owned());
    let (shell, text) = match line {
        CommandLine::Program(words) => {
            (plain(), words.iter().map(|word| shell_word(word)).collect::<Vec<_>>().join(" "))
        }
        CommandLine::Shell { shell, text } => {
            let text = text.trim_end();
            match &shell[..] {
                [path, flag] if path.starts_with('/') && flag == "-c" => (Some(path.clone()), text.to_owned()),
                [path, flag] if path.starts_with('/') && flag == "-ec" => {
                    (Some(path.clone()), format!("set -e; {text}"))
                }
                other => {
                    let words: Vec<String> = other.iter().map(|word| shell_word(word)).collect();
                    (plain(), format!("{} {}", words.join(" "), shell_word(text)))
                }
            }
        }
    };
    let mut before = String::new();
    for (name, value) in surroundings.env.iter().filter(|variable| !shared.contains(variable)) {
        let is_name = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
            && !name.starts_with(|c: char| c.is_ascii_digit());
        if !is_name {
            return Err(format!("a shell knows no variable `{name}`"));
        }
        let _ = write!(before, "export {name}={}; ", shell_word(value));
    }
    if let Some(umask) = surroundings.standing.umask {
        let _ = write!(before, "umask {umask:03o}; ");
    }
    if let Some(cwd) = &surroundings.cwd {
        let _ = write!(before, "cd {} || exit 1; ", shell_word(&cwd.display().to_string()));
    }
    let text = format!("{before}{text}");
    if text.trim_start().starts_with(['-', '*']) {
        return Err("cron takes the beginning of its command for something else".to_owned());
    }
    Ok((shell, text.trim_start().to_owned()))
}

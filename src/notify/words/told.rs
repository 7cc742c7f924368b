//! What does a notice tell, fact by fact?

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde::Serialize;

use super::clean::{lines, one_line, output_line};
use super::title::{Mood, length, of_one};
use crate::notice::Kind;
use crate::report::{
    Difference, Entry, MessageReport, NoticeReport, Time, counted, sentences, span, time_in, with_local_times,
};

/// Lines of output: what `show` has on a screen, and less where there are many notices.
const LINES: usize = 20;
const LINES_OF_MANY: usize = 5;
/// Lines of what is said of the file or the daemon.
const DETAILS: usize = 60;

/// A notice as templates see it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Told {
    pub kind: &'static str,
    /// `bad`, `doubtful`, `good` or `plain`.
    pub mood: &'static str,
    pub job: Option<String>,
    pub run: Option<i64>,
    pub title: String,
    pub description: Option<String>,
    pub why: String,
    pub facts: Vec<Fact>,
    /// What has to be said of the daemon or the file, line by line.
    pub detail: Vec<String>,
    pub error_line: Option<String>,
    pub output: Vec<String>,
    /// What the output below is: `The last 20 of 133 lines of its output`.
    pub output_title: String,
    pub commands: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Fact {
    pub name: &'static str,
    pub value: String,
}

/// The clocks of the reader.
pub struct Clocks<'z> {
    pub zone: &'z TimeZone,
    pub now: Timestamp,
}

impl Clocks<'_> {
    /// A time with the short name of the zone: at the end of summer there are two of some.
    pub fn time(&self, time: Time) -> String {
        let short = time.0.to_zoned(self.zone.clone()).strftime("%Z").to_string();
        format!("{} {short}", time_in(time.0, self.zone))
    }

    /// And how far away it is.
    pub fn time_and_distance(&self, time: Time) -> String {
        let distance = if time.0 > self.now {
            format!("in {}", length(self.now, time.0))
        } else {
            format!("{} ago", length(time.0, self.now))
        };
        format!("{} ({distance})", self.time(time))
    }
}

pub fn told(notice: &NoticeReport, report: &MessageReport, clocks: &Clocks) -> Told {
    let most = if report.notices.len() > 1 { LINES_OF_MANY } else { LINES };
    let before = notice.output.len().saturating_sub(most);
    let output: Vec<String> = notice.output[before..].iter().map(|line| output_line(line)).collect();
    let all = notice.output_before.saturating_add(notice.output.len() as u64);
    let output_title = if all > output.len() as u64 {
        format!("The last {} of {all} lines of its output", output.len())
    } else {
        "Its output".to_owned()
    };
    Told {
        kind: notice.kind.word(),
        mood: Mood::of(notice.kind).word(),
        job: notice.job.as_deref().map(one_line),
        run: notice.run.as_ref().map(|run| run.run.0),
        title: of_one(notice, report),
        description: notice.description.as_deref().map(one_line),
        why: one_line(&notice.why),
        facts: facts(notice, clocks),
        detail: notice
            .detail
            .as_deref()
            .map_or_else(Vec::new, |detail| lines(&with_local_times(detail, clocks.zone), DETAILS)),
        error_line: notice.error_line.as_deref().map(|line| output_line(line).trim().to_owned()),
        output,
        output_title,
        commands: notice.commands.iter().map(|command| one_line(command)).collect(),
    }
}

fn facts(notice: &NoticeReport, clocks: &Clocks) -> Vec<Fact> {
    let mut facts = Vec::new();
    let mut tell = |name: &'static str, value: String| {
        if !value.is_empty() {
            facts.push(Fact { name, value });
        }
    };
    // Their titles have it, or all is well.
    let has_no_why =
        matches!(notice.kind, Kind::FileWrong | Kind::Trouble | Kind::Back | Kind::Succeeded | Kind::Recovered);
    if !has_no_why {
        tell("why", one_line(&with_local_times(&notice.why, clocks.zone)));
    }
    if let Some(line) = &notice.error_line {
        tell("error", one_line(line));
    }
    if let Some(run) = &notice.run {
        tell("run", of_run(run, clocks));
    }
    if let Some((name, row)) = row(notice, clocks) {
        tell(name, row);
    }
    // That it is one of a row is said already, and of a run that goes on how long it takes.
    let is_new = |difference: &&Difference| match difference {
        Difference::FailureInARow { .. } | Difference::FirstSuccess { .. } => notice.in_a_row == 0,
        Difference::Duration(_) => notice.kind != Kind::Slow,
        Difference::Cpu(_)
        | Difference::Late(_)
        | Difference::MaxRss(_)
        | Difference::OutputBytes(_)
        | Difference::FirstFailure { .. } => true,
    };
    let unlike: Vec<Difference> = notice.unlike_usual.iter().filter(is_new).copied().collect();
    for sentence in sentences(&unlike) {
        tell("unusual", sentence);
    }
    if notice.job.is_some() && !matches!(notice.kind, Kind::Recovered | Kind::Succeeded) {
        match notice.last_success {
            Some(at) => tell("last success", clocks.time_and_distance(at)),
            None => tell("last success", "none that is known".to_owned()),
        }
    }
    if let Some(next) = notice.next {
        tell("next", clocks.time_and_distance(next));
    }
    facts
}

fn of_run(run: &Entry, clocks: &Clocks) -> String {
    let due = if run.due.is_some() { "due" } else { "asked for" };
    let mut parts = vec![format!("{}, {due} {}", run.run, clocks.time(Time(run.at)))];
    match (run.duration, run.started) {
        (Some(duration), _) => parts.push(format!("took {}", span(duration))),
        (None, Some(started)) if run.outcome.is_none() => {
            parts.push(format!("going on since {}", clocks.time_and_distance(started)));
        }
        (None, Some(_) | None) => {}
    }
    if run.attempts > 1 {
        parts.push(format!("{} attempts", run.attempts));
    }
    parts.join(", ")
}

/// The row of failures or of instants that the notice is about.
fn row(notice: &NoticeReport, clocks: &Clocks) -> Option<(&'static str, String)> {
    let since = notice.since.map_or_else(String::new, |since| format!(" since {}", clocks.time_and_distance(since)));
    let untold = match notice.untold {
        0 => String::new(),
        1 => ", 1 of them not told before".to_owned(),
        untold => format!(", {untold} of them not told before"),
    };
    match notice.kind {
        Kind::Failed | Kind::Output if notice.in_a_row > 1 => {
            Some(("failures", format!("{} in a row{since}{untold}", notice.in_a_row)))
        }
        Kind::Recovered if notice.in_a_row == 1 => {
            let at = notice.since.map_or_else(String::new, |at| format!(", {}", clocks.time_and_distance(at)));
            Some(("failures", format!("1{at}{untold}")))
        }
        Kind::Recovered if notice.in_a_row > 0 => {
            Some(("failures", format!("{} in a row{since}{untold}", notice.in_a_row)))
        }
        Kind::Missed | Kind::Skipped | Kind::Stuck => {
            let instants = counted(notice.instants.max(notice.in_a_row).max(1), "instant");
            let stretch = match (notice.since, notice.until) {
                (Some(since), Some(until)) if since != until => {
                    format!(" from {} to {}", clocks.time(since), clocks.time(until))
                }
                (Some(at), _) | (None, Some(at)) => format!(", {}", clocks.time_and_distance(at)),
                (None, None) => String::new(),
            };
            Some(("instants", format!("{instants}{stretch}{untold}")))
        }
        Kind::Overdue if notice.last_success.is_none() => {
            notice.since.map(|since| ("no success", format!("since {}", clocks.time_and_distance(since))))
        }
        Kind::FileWrong | Kind::Trouble | Kind::Back if notice.until.is_some() => {
            let last = notice.until.map_or_else(String::new, |until| format!(", {}", clocks.time_and_distance(until)));
            Some(match notice.untold {
                0 => ("when", last.trim_start_matches(", ").to_owned()),
                more => ("times", format!("{} since it was told before; the last one{last}", more + 1)),
            })
        }
        Kind::FileRight | Kind::Well | Kind::FileWrong | Kind::Trouble | Kind::Back if notice.since.is_some() => {
            notice.since.map(|since| ("since", clocks.time_and_distance(since)))
        }
        Kind::Failed
        | Kind::Recovered
        | Kind::Slow
        | Kind::Overdue
        | Kind::Succeeded
        | Kind::Output
        | Kind::FileWrong
        | Kind::FileRight
        | Kind::Trouble
        | Kind::Well
        | Kind::Back
        | Kind::Digest
        | Kind::Test => {
            (notice.untold > 0).then(|| ("more", format!("{} like this one not told before", notice.untold)))
        }
    }
}

//! What happened, in a few words? This is what a subject says.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use jiff::Timestamp;

use super::clean::one_line;
use crate::notice::Kind;
use crate::report::{Difference, DigestReport, Entry, MessageReport, NoticeReport, Seconds, counted, span};

/// So many notices of one job are told one after the other; of more there is only a count.
const FEW: usize = 3;

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mood {
    Plain,
    Good,
    Doubtful,
    Bad,
}

impl Mood {
    pub fn of(kind: Kind) -> Self {
        match kind {
            Kind::Failed | Kind::FileWrong | Kind::Trouble => Self::Bad,
            Kind::Missed | Kind::Stuck | Kind::Slow | Kind::Overdue | Kind::Skipped | Kind::Back => Self::Doubtful,
            Kind::Recovered | Kind::Succeeded | Kind::FileRight | Kind::Well => Self::Good,
            Kind::Output | Kind::Digest | Kind::Test => Self::Plain,
        }
    }

    /// The worst of a message.
    pub fn of_all(report: &MessageReport) -> Self {
        report.notices.iter().map(|notice| Self::of(notice.kind)).max().unwrap_or(Self::Plain)
    }

    pub fn word(self) -> &'static str {
        match self {
            Self::Plain => "plain",
            Self::Good => "good",
            Self::Doubtful => "doubtful",
            Self::Bad => "bad",
        }
    }
}

/// What the message as a whole tells.
pub fn title(report: &MessageReport) -> String {
    if let Some(digest) = &report.digest {
        return of_digest(digest);
    }
    match report.notices.as_slice() {
        [] => "nothing to tell".to_owned(),
        [one] => of_one(one, report),
        many => match many.iter().map(|notice| notice.job.as_deref()).collect::<BTreeSet<_>>().first() {
            Some(Some(job)) if many.iter().all(|notice| notice.job.as_deref() == Some(job)) => of_job(job, many),
            Some(_) | None => of_many(many, report.shared_cause.as_deref()),
        },
    }
}

/// What one notice tells.
pub fn of_one(notice: &NoticeReport, report: &MessageReport) -> String {
    let what = match notice.kind {
        Kind::Test => format!("a test of the channel {}", report.channel),
        Kind::Failed
        | Kind::Recovered
        | Kind::Missed
        | Kind::Stuck
        | Kind::Slow
        | Kind::Overdue
        | Kind::Skipped
        | Kind::Succeeded
        | Kind::Output
        | Kind::FileWrong
        | Kind::FileRight
        | Kind::Trouble
        | Kind::Well
        | Kind::Back
        | Kind::Digest => what(notice),
    };
    match &notice.job {
        Some(job) => format!("{} {what}", one_line(job)),
        None => what,
    }
}

fn of_job(job: &str, notices: &[NoticeReport]) -> String {
    let job = one_line(job);
    let counts = counts(notices);
    if notices.len() <= FEW && counts.len() == notices.len() {
        let each: Vec<String> = notices.iter().map(what).collect();
        return format!("{job} {}", each.join(", then "));
    }
    let each: Vec<String> =
        counts.into_iter().map(|(kind, group)| format!("{} {}×", done(kind), group.len())).collect();
    format!("{job}: {}", each.join(", "))
}

/// `7 jobs failed, 2 recovered: there is no program pg_dump`.
fn of_many(notices: &[NoticeReport], cause: Option<&str>) -> String {
    let (of_jobs, others): (Vec<_>, Vec<_>) =
        counts(notices).into_iter().partition(|(_, group)| group.iter().any(|notice| notice.job.is_some()));
    let mut parts = Vec::new();
    for (at, (kind, group)) in of_jobs.into_iter().enumerate() {
        let jobs = group.iter().map(|notice| &notice.job).collect::<BTreeSet<_>>().len();
        let number = match (at, jobs) {
            (0, 1) => "1 job".to_owned(),
            (0, jobs) => format!("{jobs} jobs"),
            (_, jobs) => jobs.to_string(),
        };
        let done = match kind {
            Kind::Stuck | Kind::Slow | Kind::Overdue if jobs > 1 => done(kind).replacen("is ", "are ", 1),
            _ => done(kind).to_owned(),
        };
        parts.push(format!("{number} {done}"));
    }
    parts.extend(others.into_iter().map(|(kind, _)| done(kind).to_owned()));
    let cause = cause.map_or_else(String::new, |cause| format!(": {}", one_line(cause)));
    format!("{}{cause}", parts.join(", "))
}

/// The kinds that there are, the worst first, with their notices.
fn counts(notices: &[NoticeReport]) -> Vec<(Kind, Vec<&NoticeReport>)> {
    let kinds: BTreeSet<(Reverse<Mood>, Kind)> =
        notices.iter().map(|notice| (Reverse(Mood::of(notice.kind)), notice.kind)).collect();
    let of = |kind: Kind| notices.iter().filter(|notice| notice.kind == kind).collect();
    kinds.into_iter().map(|(_, kind)| (kind, of(kind))).collect()
}

/// What happened, without more.
fn done(kind: Kind) -> &'static str {
    match kind {
        Kind::Failed => "failed",
        Kind::Recovered => "recovered",
        Kind::Missed => "missed",
        Kind::Stuck => "is stuck",
        Kind::Slow => "is slow",
        Kind::Overdue => "is overdue",
        Kind::Skipped => "skipped",
        Kind::Succeeded => "succeeded",
        Kind::Output => "wrote output",
        Kind::FileWrong => "the job file is wrong",
        Kind::FileRight => "the job file is right again",
        Kind::Trouble => "trouble with the ledger",
        Kind::Well => "the trouble with the ledger is over",
        Kind::Back => "the daemon is back",
        Kind::Digest => "what ran",
        Kind::Test => "a test",
    }
}

/// What happened, with the figures that belong to it.
fn what(notice: &NoticeReport) -> String {
    let why = one_line(&notice.why);
    let because = if why.is_empty() { String::new() } else { format!(" ({why})") };
    let said = if why.is_empty() { String::new() } else { format!(": {why}") };
    let done = done(notice.kind);
    let in_a_row = notice.in_a_row;
    match notice.kind {
        Kind::Failed if in_a_row > 1 => format!("{done}{because}, {in_a_row} in a row"),
        Kind::Failed => format!("{done}{because}"),
        Kind::Recovered => {
            let failures =
                if in_a_row > 0 { format!(" after {}", counted(in_a_row, "failure")) } else { String::new() };
            let time = notice.since.map_or_else(String::new, |since| format!(", {}", length(since.0, notice.at.0)));
            format!("{done}{failures}{time}")
        }
        Kind::Missed | Kind::Skipped => format!("{done} {}{because}", counted(notice.instants.max(1), "instant")),
        Kind::Stuck => format!("{done}: {} in a row skipped", counted(in_a_row.max(1), "instant")),
        Kind::Slow => match notice.run.as_ref().and_then(|run| running(run, notice.at.0)) {
            Some(taken) => format!("{done}: {taken}{}", usually(notice)),
            None => format!("{done}{said}"),
        },
        Kind::Overdue => match notice.last_success.or(notice.since) {
            Some(since) => format!("{done}: no success for {}", length(since.0, notice.at.0)),
            None if why.is_empty() => format!("{done}: no success"),
            None => format!("{done}{said}"),
        },
        Kind::Succeeded => match notice.run.as_ref().and_then(|run| run.duration) {
            Some(duration) => format!("{done} in {}", span(duration)),
            None => done.to_owned(),
        },
        Kind::Output => match notice.run.as_ref().filter(|run| run.is_failure()) {
            Some(_) => format!("{done} and failed{because}"),
            None => done.to_owned(),
        },
        Kind::FileWrong | Kind::Trouble | Kind::Back => format!("{done}{said}"),
        Kind::FileRight | Kind::Well | Kind::Digest | Kind::Test => done.to_owned(),
    }
}

/// How long a run has taken so far, or took.
fn running(run: &Entry, at: Timestamp) -> Option<String> {
    match run.duration {
        Some(duration) => Some(span(duration)),
        None => Some(length(run.started?.0, at)),
    }
}

fn usually(notice: &NoticeReport) -> String {
    let usual = notice.unlike_usual.iter().find_map(|difference| match difference {
        Difference::Duration(unlike) => Some(unlike.usual),
        Difference::Cpu(_)
        | Difference::Late(_)
        | Difference::MaxRss(_)
        | Difference::OutputBytes(_)
        | Difference::FirstFailure { .. }
        | Difference::FailureInARow { .. }
        | Difference::FirstSuccess { .. } => None,
    });
    usual.map_or_else(String::new, |usual| format!(", usually {}", span(usual)))
}

fn of_digest(digest: &DigestReport) -> String {
    let failed = digest.jobs.iter().filter(|job| job.failures > 0).count();
    let failed = match failed {
        0 => "all well".to_owned(),
        failed => format!("{} failed", counted(failed as u64, "job")),
    };
    format!("{}: {}, {failed}", stretch(digest), counted(digest.runs, "run"))
}

/// What the digest is about: `the last day`, `the last week`, `the last 3d 2h`.
pub fn stretch(digest: &DigestReport) -> String {
    const HOUR: i64 = 3600;
    // Clocks change, and chores are late.
    let is_about = |seconds: i64, hours: i64| (seconds - hours * HOUR).abs() <= 2 * HOUR;
    match digest.until.0.duration_since(digest.since.0).as_secs() {
        seconds if is_about(seconds, 24) => "the last day".to_owned(),
        seconds if is_about(seconds, 7 * 24) => "the last week".to_owned(),
        _ => format!("the last {}", length(digest.since.0, digest.until.0)),
    }
}

/// A length of time between two; of whole seconds, as smaller ones say nothing here.
pub fn length(from: Timestamp, until: Timestamp) -> String {
    let seconds = until.duration_since(from).as_secs().max(0);
    // Some thousand years of seconds are exact.
    #[allow(clippy::cast_precision_loss)]
    let length = Seconds(seconds as f64);
    match seconds {
        0..60 => format!("{seconds} s"),
        _ => span(length),
    }
}

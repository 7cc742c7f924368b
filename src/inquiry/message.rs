//! What does a message say of the notices in it? All that the ledger knows of them when it is sent.

use std::sync::Arc;

use jiff::Timestamp;

use super::digest::digest_report;
use super::held::held_in;
use super::next::next_of;
use super::no_answer::NoAnswer;
use super::said::{Said, said};
use crate::job::{ChannelName, Job};
use crate::notice::{Facts, Failure, Kind, Notice, shared_cause};
use crate::report::{Entry, MessageReport, NoticeReport, Time, differences};
use crate::run::{Outcome, Reason};
use crate::store::Reader;

/// So many notices of a message are told with all that is known: nobody reads more of them, and each costs some questions.
const IN_FULL: usize = 20;

/// What is to be told.
pub struct Telling<'t> {
    pub id: &'t str,
    pub host: &'t str,
    pub channel: &'t ChannelName,
    /// At least one, the oldest first.
    pub notices: &'t [Notice],
    /// Those of the file.
    pub jobs: &'t [Arc<Job>],
    /// When the message was made: the same in every try.
    pub made: Timestamp,
    pub now: Timestamp,
    /// How punctual is called so that it finds this ledger.
    pub called: &'t str,
}

pub async fn message_report(ledger: &Reader, telling: &Telling<'_>) -> Result<MessageReport, sqlx::Error> {
    let mut notices = Vec::with_capacity(telling.notices.len());
    for (at, notice) in telling.notices.iter().enumerate() {
        notices.push(notice_report(ledger, telling, notice, at < IN_FULL).await?);
    }
    let digest = match telling.notices {
        [notice] if notice.kind == Kind::Digest => Some(digest_report(ledger, notice, telling.jobs).await?),
        _ => None,
    };
    Ok(MessageReport {
        version: MessageReport::VERSION,
        id: telling.id.to_owned(),
        host: telling.host.to_owned(),
        channel: telling.channel.clone(),
        at: Time(telling.made),
        shared_cause: shared(telling.notices, &notices),
        notices,
        digest,
        now: Time(telling.now),
        called: telling.called.to_owned(),
    })
}

async fn notice_report(
    ledger: &Reader,
    telling: &Telling<'_>,
    notice: &Notice,
    in_full: bool,
) -> Result<NoticeReport, sqlx::Error> {
    let Notice { number, at, kind, job, run, facts, .. } = notice;
    let defined = job.as_ref().and_then(|name| telling.jobs.iter().find(|defined| defined.name == *name));
    let run = match run {
        Some(run) => ledger.entry(*run).await?,
        None => None,
    };
    let said = match &run {
        Some(entry) if in_full && entry.output_bytes > 0 => said(ledger, entry).await?,
        Some(_) | None => Said::default(),
    };
    let unlike_usual = match &run {
        Some(entry) if in_full => {
            let (past, is_all) = ledger.past_of(entry).await?;
            differences(entry, &past, is_all)
        }
        Some(_) | None => Vec::new(),
    };
    let last_success = match job {
        Some(job) if in_full => ledger.last_success(job.as_str(), *at).await?.map(Time),
        Some(_) | None => None,
    };
    let next = match defined {
        Some(job) if in_full => next(ledger, job, facts, telling.now).await?,
        Some(_) => facts.next.filter(|next| *next > telling.now).map(Time),
        None => None,
    };
    let why = why(*kind, facts, run.as_ref());
    // What looks like an error in a success was none.
    let is_well = run.as_ref().is_some_and(|entry| entry.outcome == Some(Outcome::Succeeded));
    Ok(NoticeReport {
        notice: *number,
        kind: *kind,
        at: Time(*at),
        job: job.as_ref().map(ToString::to_string),
        description: defined.and_then(|job| job.description.as_deref().map(str::to_owned)),
        detail: facts.detail.as_deref().and_then(|detail| beyond(detail, &why)),
        why,
        commands: commands(telling.called, notice, run.as_ref()),
        run,
        in_a_row: facts.in_a_row,
        since: facts.since.map(Time),
        untold: facts.untold,
        instants: facts.instants,
        until: facts.until.map(Time),
        last_success,
        next,
        error_line: said.error_line.filter(|_| !is_well),
        output: said.last_lines,
        output_before: said.lines_before,
        unlike_usual,
    })
}

/// What there is to say beside what is said already.
fn beyond(detail: &str, why: &str) -> Option<String> {
    let rest = match detail.split_once('\n') {
        Some((first, rest)) if first == why => rest,
        None if detail == why => "",
        Some(_) | None => detail,
    };
    Some(rest.trim_end().to_owned()).filter(|rest| !rest.is_empty())
}

/// When the job starts next: as it was planned, or, where that is past by now, as the file has it.
async fn next(ledger: &Reader, job: &Arc<Job>, facts: &Facts, now: Timestamp) -> Result<Option<Time>, sqlx::Error> {
    if let Some(next) = facts.next.filter(|next| *next > now) {
        return Ok(Some(Time(next)));
    }
    let held = match held_in(ledger, now).await {
        Ok(held) => held,
        Err(NoAnswer::Ledger(error)) => return Err(error),
        Err(_) => return Ok(None),
    };
    let dues = next_of(std::slice::from_ref(job), &held, now, now, (1, 1));
    Ok(dues.first().map(|due| due.report.due))
}

/// In a sentence without a full stop.
fn why(kind: Kind, facts: &Facts, run: Option<&Entry>) -> String {
    let of_run = || run.map(of_entry).or_else(|| facts.reason.map(|reason| of_reason(reason).to_owned()));
    let first_line = || facts.detail.as_deref().and_then(|detail| detail.lines().next()).map(str::to_owned);
    let otherwise = |text: &str| text.to_owned();
    match kind {
        Kind::Failed => of_run().or_else(first_line).unwrap_or_else(|| otherwise("it failed")),
        Kind::Recovered | Kind::Succeeded => otherwise("it succeeded"),
        Kind::Missed | Kind::Skipped => of_run().or_else(first_line).unwrap_or_else(|| otherwise("it did not run")),
        Kind::Stuck => otherwise("a run is still going when the next one is due"),
        Kind::Slow => first_line().unwrap_or_else(|| otherwise("it takes longer than it should")),
        Kind::Overdue => first_line().unwrap_or_else(|| otherwise("it has not succeeded for too long")),
        Kind::Output => run.filter(|run| run.is_failure()).map_or_else(|| otherwise("it wrote something"), of_entry),
        Kind::FileWrong => first_line().unwrap_or_else(|| otherwise("the file is wrong; the jobs stay as they were")),
        Kind::FileRight => first_line().unwrap_or_else(|| otherwise("the file is right again")),
        Kind::Trouble => first_line().unwrap_or_else(|| otherwise("the ledger cannot be written")),
        Kind::Well => first_line().unwrap_or_else(|| otherwise("the ledger can be written again")),
        Kind::Back => first_line().unwrap_or_else(|| otherwise("the daemon runs again")),
        Kind::Digest => otherwise("what happened since the last digest"),
        Kind::Test => otherwise("somebody wants to see whether this arrives"),
    }
}

/// Why an entry is as it is.
fn of_entry(entry: &Entry) -> String {
    let detail = || entry.detail.as_deref().and_then(|detail| detail.lines().next()).map(str::to_owned);
    match (entry.outcome, entry.reason) {
        (Some(Outcome::Succeeded), _) => "it succeeded".to_owned(),
        (_, Some(Reason::ExitCode)) => match (entry.exit_code, detail()) {
            (Some(code), None) => format!("exit status {code}"),
            (Some(code), Some(detail)) if !detail.contains(&code.to_string()) => {
                format!("exit status {code}: {detail}")
            }
            (_, Some(detail)) => detail,
            (None, None) => "exit status not 0".to_owned(),
        },
        (_, Some(Reason::Signal)) => match (entry.signal, detail()) {
            (Some(signal), _) => format!("killed by {signal}"),
            (None, detail) => detail.unwrap_or_else(|| "killed by a signal".to_owned()),
        },
        (Some(Outcome::Lost), _) => "the daemon ended while it ran, and its end could not be learned".to_owned(),
        (_, Some(reason)) => detail().unwrap_or_else(|| of_reason(reason).to_owned()),
        (_, None) => detail().unwrap_or_else(|| entry.outcome.map_or("it runs", |outcome| outcome.word()).to_owned()),
    }
}

fn of_reason(reason: Reason) -> &'static str {
    match reason {
        Reason::Timeout => "its time was up",
        Reason::DaemonDown => "no daemon ran",
        Reason::Suspended => "the machine slept, or was too busy",
        Reason::ClockSet => "the clock was set forward over it",
        Reason::Unrecordable => "the ledger could not be written",
        Reason::Overlap => "a run of it was still going",
        Reason::QueueFull => "too many runs were waiting already",
        Reason::Paused => "it was paused",
        Reason::Disabled => "it was disabled",
        Reason::Calendar => "a calendar closed it",
        Reason::Needs => "what it needs had not succeeded",
        Reason::Gone => "it was no longer in the file",
        Reason::Changed => "the file got another schedule",
        other => other.word(),
    }
}

/// The one cause of the failures of several jobs, if they have one.
fn shared(notices: &[Notice], reports: &[NoticeReport]) -> Option<String> {
    let first = notices.first()?;
    let is_failure = |notice: &Notice| notice.kind == Kind::Failed;
    if !notices.iter().all(is_failure) || notices.iter().all(|notice| notice.job == first.job) {
        return None;
    }
    let failures = notices.iter().zip(reports).map(|(notice, report)| Failure {
        reason: report.run.as_ref().and_then(|run| run.reason).or(notice.facts.reason),
        detail: report.run.as_ref().and_then(|run| run.detail.as_deref()),
        pools: &notice.facts.pools,
    });
    shared_cause(&failures.collect::<Vec<_>>())
}

/// What to type to look further.
fn commands(called: &str, notice: &Notice, run: Option<&Entry>) -> Vec<String> {
    let mut commands = Vec::new();
    if let Some(entry) = run {
        commands.push(format!("{called} show {}", entry.run));
        if entry.output_bytes > 0 {
            commands.push(format!("{called} logs {}", entry.run));
        }
    }
    match (&notice.job, notice.kind) {
        (Some(job), Kind::Missed | Kind::Stuck | Kind::Skipped | Kind::Overdue) => {
            commands.push(format!("{called} why {job}"));
        }
        (Some(job), _) => commands.push(format!("{called} history {job}")),
        (None, Kind::FileWrong) => commands.push(format!("{called} check")),
        (None, Kind::Trouble | Kind::Well | Kind::Back) => {
            commands.extend([format!("{called} status"), format!("{called} audit --since 2d")]);
        }
        (None, _) => commands.push(format!("{called} status")),
    }
    commands
}

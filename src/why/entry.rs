//! What does an entry of the ledger say, in sentences?

use jiff::SignedDuration;
use jiff::tz::TimeZone;

use super::circumstances::{Around, Told};
use super::words::{Words, length, listed};
use crate::job::Job;
use crate::report::{Entry, Seconds, Time, WhyPart};
use crate::run::{Asked, Cause, Outcome, Reason, State};
use crate::store::Absence;

/// Later than this is worth a word.
const LATE: f64 = 1.0;

/// The entry, and why it is as it is.
pub fn part(about: &'static str, told: &Told, job: Option<&Job>, words: &Words) -> WhyPart {
    let entry = &told.entry;
    let text = match entry.outcome {
        Some(Outcome::Skipped | Outcome::Missed) => unmade(told, job, words),
        Some(outcome) => format!("{} {}", came(told, job, words), ended(entry, outcome, job)),
        None => format!("{} {}", came(told, job, words), going(entry, words)),
    };
    WhyPart { about, at: Some(entry.due.unwrap_or(Time(entry.at))), run: Some(entry.run), text }
}

/// Why there is a run.
fn came(told: &Told, job: Option<&Job>, words: &Words) -> String {
    let entry = &told.entry;
    let (run, at) = (entry.run, words.time_and_there(entry.at, zone(job)));
    match entry.cause {
        Cause::Schedule => format!("Run {run} was due {at}."),
        Cause::CatchUp => {
            let why = match &told.around {
                Around::Absence(absence) if absence.until.is_some_and(|until| until > entry.at) => {
                    format!(": {}", absent(absence, words))
                }
                Around::Absence(_) | Around::Nothing | Around::Run(_) | Around::Causes(_) | Around::Asked(_) => {
                    ".".to_owned()
                }
            };
            format!("Run {run} made up for the instant {at}, which had passed while nothing could run{why}")
        }
        Cause::Boot => format!("Run {run} began because the daemon started for the first time after a boot, {at}."),
        Cause::Start => format!("Run {run} began because the daemon started, {at}."),
        Cause::Manual => match &told.around {
            Around::Asked(Asked { by, repeats, .. }) => {
                let repeats = repeats.map_or_else(String::new, |due| format!(", to repeat {}", words.time(due)));
                format!("Run {run} was asked for by {by}, {at}{repeats}.")
            }
            Around::Nothing | Around::Run(_) | Around::Absence(_) | Around::Causes(_) => {
                format!("Run {run} was asked for by hand, {at}.")
            }
        },
        Cause::Dependency => {
            let causes = match &told.around {
                Around::Causes(causes) => causes.as_slice(),
                Around::Nothing | Around::Run(_) | Around::Absence(_) | Around::Asked(_) => &[],
            };
            let causes: Vec<String> =
                causes.iter().map(|cause| format!("run {} of {}", cause.run, cause.job)).collect();
            let had = if causes.is_empty() { "those that it comes after".to_owned() } else { listed(&causes) };
            format!("Run {run} was called for by the success of {had}, {at}.")
        }
    }
}

/// How a run ended.
fn ended(entry: &Entry, outcome: Outcome, job: Option<&Job>) -> String {
    let mut text = String::from("It ");
    let mut began = Vec::new();
    if entry.waited.0 >= LATE {
        began.push(format!("waited {} for its place", seconds(entry.waited)));
    }
    if let Some(late) = entry.late.filter(|late| late.0 >= LATE) {
        began.push(format!("began {} late", seconds(late)));
    }
    if let Some(duration) = entry.duration {
        began.push(format!("took {}", seconds(duration)));
    }
    if !began.is_empty() {
        text = format!("{text}{} and ", listed(&began));
    }
    let how = match outcome {
        Outcome::Succeeded => "succeeded".to_owned(),
        Outcome::Failed => "failed".to_owned(),
        Outcome::TimedOut => "was ended, as its time was up".to_owned(),
        Outcome::Stopped => stopped(entry.reason),
        Outcome::NotStarted => "could not begin".to_owned(),
        Outcome::Lost => "was lost: the daemon ended while it ran, and its end could not be learned".to_owned(),
        Outcome::Skipped | Outcome::Missed => String::new(),
    };
    let attempts = if entry.attempts > 1 { format!(", in attempt {}", entry.attempts) } else { String::new() };
    let detail = entry.detail.as_deref().filter(|_| outcome != Outcome::Lost);
    let detail = detail.map_or_else(String::new, |detail| format!(": {detail}"));
    let retries = match job.map(|job| &job.rules.retries) {
        Some(retries) if entry.is_failure() && entry.attempts > 1 && entry.attempts == i64::from(retries.most) + 1 => {
            let retries =
                if retries.most == 1 { "only retry is".to_owned() } else { format!("{} retries are", retries.most) };
            format!(" Its {retries} used up.")
        }
        Some(_) | None => String::new(),
    };
    format!("{text}{how}{attempts}{detail}.{retries}")
}

fn stopped(reason: Option<Reason>) -> String {
    match reason {
        Some(Reason::ByHand) => "was stopped by hand".to_owned(),
        Some(Reason::Replaced) => "was ended by the next run: overlap = \"replace\"".to_owned(),
        Some(Reason::Shutdown) => "was ended, because the daemon stopped".to_owned(),
        Some(reason) => format!("was stopped ({reason})"),
        None => "was stopped".to_owned(),
    }
}

fn going(entry: &Entry, words: &Words) -> String {
    match (entry.state, entry.started) {
        (State::Waiting, _) => {
            let detail = entry.detail.as_deref().unwrap_or("waits");
            format!("It has not begun: it {detail}.")
        }
        (State::Running | State::Ended, Some(started)) => {
            format!("It began {} and has not ended.", words.distance(started.0))
        }
        (State::Running | State::Ended, None) => "It is being started.".to_owned(),
    }
}

/// Why instants did not become runs.
fn unmade(told: &Told, job: Option<&Job>, words: &Words) -> String {
    let entry = &told.entry;
    let which = match entry.due_last.filter(|_| entry.count > 1) {
        Some(last) => format!(
            "The {} instants from {} to {} were",
            entry.count,
            words.time_and_there(entry.at, zone(job)),
            words.time_and_there(last.0, zone(job))
        ),
        None => format!("The instant {} was", words.time_and_there(entry.at, zone(job))),
    };
    let outcome = entry.outcome.map_or("", |outcome| outcome.word());
    format!("{which} {outcome}: {}.", reason(told, job, words))
}

fn reason(told: &Told, job: Option<&Job>, words: &Words) -> String {
    let entry = &told.entry;
    let detail = |otherwise: &str| entry.detail.clone().unwrap_or_else(|| otherwise.to_owned());
    let Some(reason) = entry.reason else {
        return detail("the ledger does not say why");
    };
    match reason {
        Reason::Overlap => match &told.around {
            Around::Run(run) => format!("{}, and `overlap` lets no other begin beside it", in_the_way(run, words)),
            Around::Nothing | Around::Absence(_) | Around::Causes(_) | Around::Asked(_) => {
                "another run of the job was going or waiting, and `overlap` lets no other begin beside it".to_owned()
            }
        },
        Reason::QueueFull => "as many runs were waiting in turn already as `queue_limit` lets wait".to_owned(),
        Reason::Paused => format!("it was {}", detail("paused")),
        Reason::Disabled => "the job was disabled".to_owned(),
        Reason::Calendar => format!("a calendar closed it ({})", detail("not_on")),
        Reason::ByHand => format!("it was {}", detail("left out by hand")),
        Reason::Needs => detail("what it needs had not succeeded"),
        Reason::Gone => "the job was no longer in the file".to_owned(),
        Reason::Changed => match &told.around {
            Around::Absence(absence) if absence.until.is_some_and(|until| until > entry.at) => {
                format!("{}; meanwhile the file got another schedule", absent(absence, words))
            }
            Around::Absence(_) | Around::Nothing | Around::Run(_) | Around::Causes(_) | Around::Asked(_) => {
                "the file got another schedule before it was decided on".to_owned()
            }
        },
        Reason::DaemonDown => match &told.around {
            Around::Absence(absence) => format!("{}{}", absent(absence, words), not_caught_up(job)),
            Around::Nothing | Around::Run(_) | Around::Causes(_) | Around::Asked(_) => "no daemon ran".to_owned(),
        },
        Reason::Suspended => format!("the machine slept, or was too busy to look{}", not_caught_up(job)),
        Reason::ClockSet => "the clock was set forward over it".to_owned(),
        Reason::Unrecordable => "the ledger could not be written".to_owned(),
        other => detail(other.word()),
    }
}

fn in_the_way(run: &Entry, words: &Words) -> String {
    let from = run.started.map_or_else(String::new, |started| format!(", begun {}", words.time(started.0)));
    match run.ended {
        Some(ended) => format!("run {} was still going{from}, until {}", run.run, words.time(ended.0)),
        None => format!("run {} is still going{from}", run.run),
    }
}

/// From when to when no daemon ran.
pub fn absent(absence: &Absence, words: &Words) -> String {
    let from = match (absence.from, absence.was_stopped) {
        (Some(from), true) => format!("the daemon was stopped {}", words.time(from)),
        (Some(from), false) => format!("the daemon ended without a word, last heard of {}", words.time(from)),
        (None, _) => "no daemon ran".to_owned(),
    };
    let until = absence.until.map_or_else(String::new, |until| format!(", and began again {}", words.time(until)));
    format!("{from}{until}")
}

fn not_caught_up(job: Option<&Job>) -> String {
    let Some(job) = job else {
        return String::new();
    };
    let rule = job.rules.catch_up.word();
    match job.rules.catch_up_within {
        Some(within) => {
            let within = SignedDuration::try_from(within).map_or_else(|_| String::new(), length);
            format!(" (catch_up = \"{rule}\", within {within})")
        }
        None => format!(" (catch_up = \"{rule}\")"),
    }
}

pub fn zone(job: Option<&Job>) -> Option<&TimeZone> {
    Some(&job?.timing.as_ref()?.timetable.place.zone)
}

fn seconds(seconds: Seconds) -> String {
    SignedDuration::try_from_secs_f64(seconds.0).map_or_else(|_| String::new(), length)
}

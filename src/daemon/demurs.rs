//! Why does a wish not come true? Each in a sentence that says what to do.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::control::{Denial, Denied};
use crate::job::{Job, JobName};
use crate::jobfile::nearest;
use crate::plan::{MOST_LEFT_OUT, Pause};
use crate::report::Entry;

/// Variables given to a run stay in the ledger as long as it does.
const LARGEST_ENV: usize = 64 * 1024;
/// A reason is a line on the screen and in every entry of what a pause kept from running.
const LONGEST_REASON: usize = 500;
/// What every command is told of its run.
const OUR_VARIABLES: &str = "PUNCTUAL_";

pub fn conflict(message: impl Into<String>) -> Denied {
    Denied { denial: Denial::Conflict, message: message.into() }
}

pub fn unavailable(message: impl Into<String>) -> Denied {
    Denied { denial: Denial::Unavailable, message: message.into() }
}

pub fn unknown(message: impl Into<String>) -> Denied {
    Denied { denial: Denial::Unknown, message: message.into() }
}

pub fn no_job<'n>(job: &JobName, known: impl IntoIterator<Item = &'n str>) -> Denied {
    let help = match nearest(job.as_str(), known) {
        Some(near) => format!("did you mean {near}?"),
        None => "punctual status lists them".to_owned(),
    };
    unknown(format!("there is no job `{job}`; {help}"))
}

/// It cannot be ended twice.
pub fn ended(entry: &Entry) -> Denied {
    let how = match (entry.outcome, &entry.detail) {
        (Some(outcome), Some(detail)) => format!("has ended already: {outcome}, {detail}"),
        (Some(outcome), None) => format!("has ended already: {outcome}"),
        (None, _) => "is just ending".to_owned(),
    };
    conflict(format!("run {} of {} {how}", entry.run, entry.job))
}

pub fn too_many() -> Denied {
    conflict(format!("no more than {MOST_LEFT_OUT} instants of a job can be left out; pause it instead"))
}

/// Why there is nothing to leave out.
pub fn no_next(job: &JobName, defined: Option<&std::sync::Arc<Job>>, pause: Option<&Pause>) -> Denied {
    let timetable = defined.and_then(|job| job.active_timing()).map(|timing| &timing.timetable);
    conflict(match (pause, defined, timetable) {
        (_, Some(defined), _) if !defined.enabled => format!("{job} is disabled: no instant of it is to come"),
        (Some(pause), ..) if pause.until.is_none() => {
            format!("{job} is {} without an end: no instant of it is to come until it is resumed", pause.detail())
        }
        (_, _, Some(timetable)) if timetable.after_end().is_some() => {
            format!("{job} is due some time after the end of its run, which is not known yet, or left out already")
        }
        (_, _, Some(timetable)) if timetable.schedules.iter().all(|schedule| schedule.moment().is_some()) => {
            format!("{job} runs at a start, which no schedule names in advance; pause it instead")
        }
        (_, _, Some(_)) => format!("no instant of {job} is to come"),
        (_, _, None) => format!("{job} has no schedule: no instant of it is to come"),
    })
}

/// Names that can be those of variables, and no more than there is room for.
pub fn checked_env(env: BTreeMap<String, String>) -> Result<BTreeMap<String, String>, Denied> {
    for (name, value) in &env {
        if name.is_empty() || name.contains(['=', '\0']) {
            return Err(conflict(format!("`{}` is no name of a variable", name.escape_debug())));
        }
        if name.starts_with(OUR_VARIABLES) {
            return Err(conflict(format!("{name} is punctual's own to say; take another name than {OUR_VARIABLES}…")));
        }
        if value.contains('\0') {
            return Err(conflict(format!("the variable {name} cannot hold a NUL character")));
        }
    }
    let size: usize = env.iter().map(|(name, value)| name.len() + value.len()).sum();
    if size > LARGEST_ENV {
        return Err(conflict(format!(
            "variables of {size} bytes are more than a run is given; a file has room for them"
        )));
    }
    Ok(env)
}

/// What is to be repeated is past.
pub fn checked_repeat(due: Option<Timestamp>, now: Timestamp) -> Result<(), Denied> {
    match due.filter(|due| *due > now) {
        Some(due) => Err(conflict(format!("{due} is yet to come: only what is past can be repeated"))),
        None => Ok(()),
    }
}

/// The reason of a pause that ends some time to come.
pub fn checked_pause(
    until: Option<Timestamp>,
    reason: Option<String>,
    now: Timestamp,
) -> Result<Option<String>, Denied> {
    if let Some(until) = until.filter(|until| *until <= now) {
        return Err(conflict(format!("{until} is past: a pause ends at a time to come")));
    }
    let reason = reason.map(|reason| reason.trim().to_owned()).filter(|reason| !reason.is_empty());
    if reason.as_ref().is_some_and(|reason| reason.contains(char::is_control)) {
        return Err(conflict("a reason is one line of text, without control characters".to_owned()));
    }
    match reason.as_ref().map(|reason| reason.chars().count()).filter(|count| *count > LONGEST_REASON) {
        Some(count) => Err(conflict(format!("a reason of {count} characters is too long: {LONGEST_REASON} are shown"))),
        None => Ok(reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn variables_are_checked() {
        let check = |name: &str, value: &str| checked_env([(name.to_owned(), value.to_owned())].into());
        assert!(check("A_b", "x=\n").is_ok() && checked_env(BTreeMap::new()).is_ok());
        for (name, value) in [("", "x"), ("A=B", "x"), ("A\0", "x"), ("A", "\0"), ("PUNCTUAL_RUN", "1")] {
            assert_eq!(check(name, value).unwrap_err().denial, Denial::Conflict, "{name:?}");
        }
        assert!(check("A", &"x".repeat(LARGEST_ENV)).is_err() && check("A", &"x".repeat(LARGEST_ENV - 1)).is_ok());
    }

    #[test]
    fn times_and_reasons_are_checked() {
        assert!(checked_repeat(Some(at(5)), at(5)).is_ok() && checked_repeat(Some(at(6)), at(5)).is_err());
        let reason = |text: &str| checked_pause(None, Some(text.to_owned()), at(5));
        assert_eq!((reason("  "), reason(" a b ")), (Ok(None), Ok(Some("a b".to_owned()))));
        assert!(reason(&"ü".repeat(LONGEST_REASON)).is_ok() && reason(&"ü".repeat(LONGEST_REASON + 1)).is_err());
        assert!(checked_pause(Some(at(5)), None, at(5)).is_err() && checked_pause(Some(at(6)), None, at(5)).is_ok());
    }
}

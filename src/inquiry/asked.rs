//! Which entries were asked for? Texts as they were typed, checked and put together.

use std::time::Duration;

use jiff::Zoned;

use super::needle::Needle;
use super::no_answer::NoAnswer;
use super::subject::no_job;
use crate::jobfile::nearest;
use crate::run::{Cause, Outcome, Reason, State};
use crate::schedule::parse_duration;
use crate::store::{HistoryFilter, Reader};
use crate::when::{Meant, Toward, meant};

/// Words of others for ours.
const OTHERS_WORDS: [(&str, &str); 12] = [
    ("ok", "succeeded"),
    ("success", "succeeded"),
    ("passed", "succeeded"),
    ("error", "failed"),
    ("failure", "failed"),
    ("timeout", "timed-out"),
    ("killed", "stopped"),
    ("cancelled", "stopped"),
    ("canceled", "stopped"),
    ("cron", "schedule"),
    ("timer", "schedule"),
    ("hand", "manual"),
];

/// What somebody wants to know of the past, as it was typed. An empty list asks for all.
#[derive(Debug, Clone, Default)]
pub struct HistoryQuestion {
    pub jobs: Vec<String>,
    pub failed: bool,
    pub since: Option<String>,
    pub until: Option<String>,
    pub outcome: Vec<String>,
    pub reason: Vec<String>,
    pub cause: Vec<String>,
    pub longer_than: Option<String>,
    pub exit_code: Option<u8>,
    pub grep: Option<String>,
}

/// What is asked, in all but the number of entries.
#[derive(Debug)]
pub struct Asked {
    pub filter: HistoryFilter,
    pub needle: Option<Needle>,
}

impl Asked {
    /// What the question means at this time, which also says in which zone people live.
    pub fn of(question: &HistoryQuestion, now: &Zoned) -> Result<Self, NoAnswer> {
        let since = question.since.as_deref().map(|text| time("since", text, now)).transpose()?;
        let until = question.until.as_deref().map(|text| time("until", text, now)).transpose()?;
        let (since, until) = (since.map(|meant| meant.first), until.map(|meant| meant.last));
        if let (Some(first), Some(last)) = (since, until)
            && first > last
        {
            let [first, last] =
                [first, last].map(|at| at.to_zoned(now.time_zone().clone()).strftime("%F %T").to_string());
            let message = format!("nothing can be since {first} and until {last}: the one is later than the other");
            return Err(NoAnswer::Misasked { what: "since", message });
        }
        let (outcomes, states) = endings(&question.outcome)?;
        let filter = HistoryFilter {
            jobs: question.jobs.clone(),
            failed: question.failed,
            since,
            until,
            outcomes,
            states,
            reasons: words("reason", &question.reason, Reason::ALL, Reason::word)?,
            causes: words("cause", &question.cause, Cause::ALL, Cause::word)?,
            longer_than: question.longer_than.as_deref().map(longer_than).transpose()?,
            exit_code: question.exit_code.map(i64::from),
            wrote: question.grep.is_some(),
            runs: None,
        };
        Ok(Self { filter, needle: question.grep.as_deref().map(Needle::new).transpose()? })
    }

    /// The same time and jobs, whatever became of the entries.
    pub fn whatever_became(&self) -> HistoryFilter {
        let HistoryFilter { jobs, since, until, .. } = &self.filter;
        HistoryFilter { jobs: jobs.clone(), since: *since, until: *until, ..HistoryFilter::default() }
    }
}

/// The names of jobs that must be in the ledger.
pub async fn known_jobs(ledger: &Reader, names: &[String]) -> Result<(), NoAnswer> {
    let known = ledger.known_jobs().await?;
    match names.iter().find(|job| !known.contains(job)) {
        Some(unknown) => Err(no_job(unknown, known.iter().map(String::as_str))),
        None => Ok(()),
    }
}

fn time(what: &'static str, text: &str, now: &Zoned) -> Result<Meant, NoAnswer> {
    meant(text, now, Toward::Past).map_err(|error| misasked(what, error.to_string()))
}

fn misasked(what: &'static str, message: String) -> NoAnswer {
    NoAnswer::Misasked { what, message }
}

fn longer_than(text: &str) -> Result<Duration, NoAnswer> {
    parse_duration(text).map_err(|error| misasked("longer_than", error.to_string()))
}

/// Outcomes, and states of what has none yet.
fn endings(typed: &[String]) -> Result<(Vec<Outcome>, Vec<State>), NoAnswer> {
    let open = [State::Waiting, State::Running];
    let known: Vec<Result<Outcome, State>> =
        Outcome::ALL.iter().copied().map(Ok).chain(open.into_iter().map(Err)).collect();
    let word = |ending: Result<Outcome, State>| ending.map_or_else(State::word, Outcome::word);
    let endings = words("outcome", typed, &known, word)?;
    let (outcomes, states): (Vec<_>, Vec<_>) = endings.into_iter().partition(Result::is_ok);
    Ok((outcomes.into_iter().flatten().collect(), states.into_iter().filter_map(Result::err).collect()))
}

/// Words of a closed list; one that is not in it is refused, with what may have been meant.
fn words<W: Copy>(
    what: &'static str,
    typed: &[String],
    known: &[W],
    word: impl Fn(W) -> &'static str,
) -> Result<Vec<W>, NoAnswer> {
    let read = |typed: &String| {
        let text = typed.trim().to_lowercase().replace('_', "-");
        known.iter().copied().find(|known| word(*known) == text).ok_or_else(|| {
            let all: Vec<&str> = known.iter().map(|known| word(*known)).collect();
            let others = OTHERS_WORDS.iter().find(|(other, ours)| *other == text && all.contains(ours));
            let near = others.map(|(_, ours)| *ours).or_else(|| nearest(&text, all.iter().copied()));
            let help =
                near.map_or_else(|| format!("there are {}", all.join(", ")), |near| format!("did you mean {near}?"));
            misasked(what, format!("there is no {what} `{}`; {help}", typed.trim()))
        })
    };
    typed.iter().map(read).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn wrong_words_are_refused_with_what_was_meant() {
        let outcomes = |typed: &str| endings(&typed.split(',').map(str::to_owned).collect::<Vec<_>>());
        assert_eq!(outcomes("failed, Timed_Out").unwrap().0, [Outcome::Failed, Outcome::TimedOut]);
        assert_eq!(outcomes("lost,running").unwrap(), (vec![Outcome::Lost], vec![State::Running]));
        for (typed, help) in [
            ("faild", "did you mean failed?"),
            ("success", "did you mean succeeded?"),
            ("timeout", "did you mean timed-out?"),
            ("purple", "there are succeeded, failed,"),
            ("", "there is no outcome ``"),
        ] {
            let error = outcomes(typed).unwrap_err();
            assert!(error.to_string().contains(help), "{typed}: {error}");
        }
        // Of other lists these words are no help.
        let error = words("cause", &["success".to_owned()], Cause::ALL, Cause::word).unwrap_err();
        assert!(error.to_string().contains("there are schedule,"), "{error}");
    }
}

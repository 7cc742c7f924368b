//! Which entries were asked for? Flags as they were typed, checked and put together.

use std::time::Duration;

use super::args::HistoryArguments;
use super::moment::moment;
use super::needle::Needle;
use super::screen::Screen;
use super::{Done, Refusal};
use crate::jobfile::nearest;
use crate::report::Time;
use crate::run::{Cause, Outcome, Reason, State};
use crate::schedule::parse_duration;
use crate::store::HistoryFilter;
use crate::when::Toward;

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

/// What is asked, in all but the number of entries.
#[derive(Debug)]
pub struct Asked {
    pub filter: HistoryFilter,
    pub needle: Option<Needle>,
}

impl Asked {
    pub fn of(verb: &HistoryArguments, screen: &Screen) -> Result<Self, Refusal> {
        let time = |flag, text: &Option<String>| {
            text.as_ref().map(|text| moment(flag, text, Toward::Past, screen)).transpose()
        };
        let since = time("--since", &verb.since)?.map(|meant| meant.first);
        let until = time("--until", &verb.until)?.map(|meant| meant.last);
        if let (Some(since), Some(until)) = (since, until)
            && since > until
        {
            let (since, until) = (screen.time(Time(since)), screen.time(Time(until)));
            let message = format!("nothing can be since {since} and until {until}: the one is later than the other");
            return Err(Refusal::new(Done::Misused, message));
        }
        let (outcomes, states) = endings(&verb.outcome)?;
        let filter = HistoryFilter {
            jobs: verb.jobs.clone(),
            failed: verb.failed,
            since,
            until,
            outcomes,
            states,
            reasons: words("--reason", "reason", &verb.reason, Reason::ALL, Reason::word)?,
            causes: words("--cause", "cause", &verb.cause, Cause::ALL, Cause::word)?,
            longer_than: verb.longer_than.as_deref().map(longer_than).transpose()?,
            exit_code: verb.exit_code.map(i64::from),
            wrote: verb.grep.is_some(),
            runs: None,
        };
        Ok(Self { filter, needle: verb.grep.as_deref().map(Needle::new).transpose()? })
    }

    /// The same time and jobs, whatever became of the entries.
    pub fn whatever_became(&self) -> HistoryFilter {
        let HistoryFilter { jobs, since, until, .. } = &self.filter;
        HistoryFilter { jobs: jobs.clone(), since: *since, until: *until, ..HistoryFilter::default() }
    }
}

fn longer_than(text: &str) -> Result<Duration, Refusal> {
    parse_duration(text).map_err(|error| Refusal::new(Done::Misused, format!("--longer-than: {error}")))
}

/// Outcomes, and states of what has none yet.
fn endings(typed: &[String]) -> Result<(Vec<Outcome>, Vec<State>), Refusal> {
    let open = [State::Waiting, State::Running];
    let known: Vec<Result<Outcome, State>> =
        Outcome::ALL.iter().copied().map(Ok).chain(open.into_iter().map(Err)).collect();
    let word = |ending: Result<Outcome, State>| ending.map_or_else(State::word, Outcome::word);
    let endings = words("--outcome", "outcome", typed, &known, word)?;
    let (outcomes, states): (Vec<_>, Vec<_>) = endings.into_iter().partition(Result::is_ok);
    Ok((outcomes.into_iter().flatten().collect(), states.into_iter().filter_map(Result::err).collect()))
}

/// Words of a closed list; one that is not in it is refused, with what may have been meant.
fn words<W: Copy>(
    flag: &str,
    what: &str,
    typed: &[String],
    known: &[W],
    word: impl Fn(W) -> &'static str,
) -> Result<Vec<W>, Refusal> {
    let read = |typed: &String| {
        let text = typed.trim().to_lowercase().replace('_', "-");
        known.iter().copied().find(|known| word(*known) == text).ok_or_else(|| {
            let all: Vec<&str> = known.iter().map(|known| word(*known)).collect();
            let others = OTHERS_WORDS.iter().find(|(other, ours)| *other == text && all.contains(ours));
            let near = others.map(|(_, ours)| *ours).or_else(|| nearest(&text, all.iter().copied()));
            let help =
                near.map_or_else(|| format!("there are {}", all.join(", ")), |near| format!("did you mean {near}?"));
            Refusal::new(Done::Misused, format!("{flag}: there is no {what} `{}`; {help}", typed.trim()))
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
            assert!(error.message.contains(help), "{typed}: {}", error.message);
        }
        // Of other lists these words are no help.
        let error = words("--cause", "cause", &["success".to_owned()], Cause::ALL, Cause::word).unwrap_err();
        assert!(error.message.contains("there are schedule,"), "{}", error.message);
    }
}

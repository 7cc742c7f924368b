//! What does a job do next, after what was just done to it?

use jiff::Timestamp;

use super::screen::{Screen, counted, span, visible};
use crate::control::JobAfter;
use crate::report::{PauseReport, Seconds, Time};

/// So many jobs are told of one by one.
const MOST_TOLD: usize = 20;

/// Says of each job how it stands now, or of many how many stand so; `in_vain` is said of one of which nothing changed.
pub fn tell_all(jobs: &[JobAfter], in_vain: &str, now: Timestamp, screen: &mut Screen) {
    if jobs.len() <= MOST_TOLD {
        for job in jobs {
            let line = sentence(job, in_vain, now, screen);
            screen.line(line);
        }
        return;
    }
    let paused: Vec<&PauseReport> = jobs.iter().filter_map(|job| job.paused.as_ref()).collect();
    let (all, number) = (counted(jobs.len() as u64, "job"), paused.len());
    screen.line(match paused.first() {
        Some(pause) if number == jobs.len() => format!("{all} are {}", in_words(pause, screen)),
        Some(_) => format!("of {all} {number} are paused"),
        None => format!("{all} go on"),
    });
    let next = jobs.iter().filter_map(|job| Some((job.next?, &job.job))).min();
    if let Some((next, job)) = next {
        let line = format!("next is {job}, {}", moment(next, now, screen));
        screen.line(line);
    }
}

/// How a job stands, and when it runs next.
pub fn sentence(after: &JobAfter, in_vain: &str, now: Timestamp, screen: &Screen) -> String {
    let JobAfter { job, changed, defined, enabled, paused, skips, next } = after;
    if !defined {
        return format!("{job} is no longer in the file; no run of it is ahead");
    }
    let next = next.map(|next| moment(next, now, screen));
    let state = match (paused, skips.as_slice()) {
        (None, _) if !enabled && !changed => format!("{job} {in_vain}, and is disabled in the file"),
        (None, _) if !enabled => format!("{job} is disabled in the file"),
        (None, []) if !changed => format!("{job} {in_vain}"),
        (Some(pause), _) => format!("{job} is {}", in_words(pause, screen)),
        (None, []) => format!("{job} goes on"),
        (None, [one]) => format!("{job} leaves out {}", screen.time(*one)),
        (None, skips) => {
            let times: Vec<String> = skips.iter().take(MOST_TOLD).map(|time| screen.time(*time)).collect();
            let more = if skips.len() > MOST_TOLD { ", …" } else { "" };
            format!("{job} leaves out {}: {}{more}", counted(skips.len() as u64, "instant"), times.join(", "))
        }
    };
    match next {
        Some(next) => format!("{state}; its next run is {next}"),
        None if !enabled => format!("{state}; it runs by hand only"),
        None if paused.as_ref().is_some_and(|pause| pause.until.is_none()) => {
            format!("{state}; until then it runs by hand only")
        }
        None => format!("{state}; no run of it is known in advance"),
    }
}

/// When a job of which a run was ended runs next, if it does.
pub fn next_run(after: &JobAfter, now: Timestamp, screen: &Screen) -> Option<String> {
    let JobAfter { job, next, defined, .. } = after;
    if !defined {
        return Some(sentence(after, "", now, screen));
    }
    next.map(|next| format!("the next run of {job} is {}", moment(next, now, screen)))
}

fn in_words(pause: &PauseReport, screen: &Screen) -> String {
    let until =
        pause.until.map_or_else(|| "until it is resumed".to_owned(), |time| format!("until {}", screen.time(time)));
    let reason = pause.reason.as_deref().map_or_else(String::new, |reason| format!(" ({})", visible(reason)));
    format!("paused {until}{reason}")
}

fn moment(time: Time, now: Timestamp, screen: &Screen) -> String {
    let distance = Seconds::from_micros(time.0.as_microsecond() - now.as_microsecond());
    format!("{} (in {})", screen.time(time), span(distance))
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::ColorChoice;
    use serde_json::json;

    #[test]
    fn each_state_has_its_sentence() {
        let now: Timestamp = "2026-11-23T12:00:00Z".parse().unwrap();
        let screen = Screen::new(ColorChoice::Never, false);
        let at = |hours: i64| Time(now + jiff::SignedDuration::from_hours(hours));
        let job = |enabled, paused: Option<Option<i64>>, skips: &[i64], next: Option<i64>| JobAfter {
            job: "backup".to_owned(),
            changed: true,
            defined: true,
            enabled,
            paused: paused.map(|until| {
                let until = until.map(at);
                let pause = json!({"since": Time(now), "until": until, "reason": "moving\u{1b}", "by": "ann"});
                serde_json::from_value(pause).unwrap()
            }),
            skips: skips.iter().map(|hours| at(*hours)).collect(),
            next: next.map(at),
        };
        let shown = |hours| screen.time(at(hours));
        let in_vain = |enabled| JobAfter { changed: false, ..job(enabled, None, &[], Some(2)) };
        let gone = JobAfter { defined: false, ..job(false, None, &[], None) };
        for (after, expect) in [
            (gone, "backup is no longer in the file; no run of it is ahead".to_owned()),
            (job(true, None, &[], Some(2)), format!("backup goes on; its next run is {} (in 2h)", shown(2))),
            (in_vain(true), format!("backup was not paused; its next run is {} (in 2h)", shown(2))),
            (
                JobAfter { next: None, ..in_vain(false) },
                "backup was not paused, and is disabled in the file; it runs by hand only".to_owned(),
            ),
            (job(true, None, &[], None), "backup goes on; no run of it is known in advance".to_owned()),
            (job(false, None, &[], None), "backup is disabled in the file; it runs by hand only".to_owned()),
            (
                job(true, Some(Some(1)), &[], Some(2)),
                format!("backup is paused until {} (moving^[); its next run is {} (in 2h)", shown(1), shown(2)),
            ),
            (
                job(true, Some(None), &[], None),
                "backup is paused until it is resumed (moving^[); until then it runs by hand only".to_owned(),
            ),
            (
                job(true, None, &[1], Some(2)),
                format!("backup leaves out {}; its next run is {} (in 2h)", shown(1), shown(2)),
            ),
            (
                job(true, None, &[1, 2], None),
                format!("backup leaves out 2 instants: {}, {}; no run of it is known in advance", shown(1), shown(2)),
            ),
        ] {
            assert_eq!(sentence(&after, "was not paused", now, &screen), expect);
        }
    }
}
